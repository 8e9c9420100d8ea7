"""Columns of short texts in, which of their frequent words stand in them out.

Names, titles and addresses differ from row to row, but some of their words recur:
"Mrs." or "Street" says something that a network can learn from.
"""

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    import pandas as pd

# Two letters and more, apart from digits: of what hashes and keys are made, nothing.
_WORD = re.compile(r"\b[^\W\d_]{2,}\b")
# A word recurs that stands in so many rows, and in this share of them, and is missing
# in as many.
_LEAST_ROWS, _LEAST_SHARE = 10, 0.02
_MOST_WORDS = 30
# So many rows, spread evenly, tell which words are frequent.
_SAMPLE = 20_000


class WordEncoder(TransformerMixin, BaseEstimator):
    """Turn texts into columns of 0 and 1, one for each word that recurs.

    Words are read in lower case. One counts if it stands in 10 rows and in 2 % of them
    at least, and is missing in as many. Of these, a column has at most 30 columns, for
    the words whose presence varies most. Missing texts have no words.

    Attributes
    ----------
    words_ : list of list of str
        The words of each column.
    n_features_in_ : int
        Number of columns.
    """

    def fit(self, X: "pd.DataFrame", y: Any = None) -> Self:
        """Learn which words recur.

        Parameters
        ----------
        X : DataFrame of texts
        y : ignored
        """
        self.n_features_in_ = X.shape[1]
        self._names = [str(name) for name in X.columns]
        self.words_ = [find_words(X.iloc[:, i]) for i in range(X.shape[1])]
        return self

    def transform(self, X: "pd.DataFrame") -> NDArray[np.float64]:
        """Return the columns, of shape (n_samples, n_words).

        Parameters
        ----------
        X : DataFrame of texts
        """
        check_is_fitted(self)
        parts = [
            _find_presence(X.iloc[:, i], words) for i, words in enumerate(self.words_)
        ]
        return np.hstack(parts)

    def get_feature_names_out(self, names: Any = None) -> NDArray[Any]:
        """Return names such as "name_mrs"."""
        names = self._names if names is None else names
        found = [
            f"{name}_{word}"
            for name, words in zip(names, self.words_, strict=True)
            for word in words
        ]
        return np.asarray(found, object)


def find_words(texts: "pd.Series[Any]") -> list[str]:
    """Return the words that recur in a column, at most 30, the most telling first."""
    known = texts.dropna()
    known = known.iloc[:: max(len(known) // _SAMPLE, 1)]
    counts = Counter(word for text in known for word in _read_words(text))
    n_rows = len(known)
    least = max(_LEAST_ROWS, _LEAST_SHARE * n_rows)
    found = [word for word, n in counts.items() if least <= n <= n_rows - least]
    # The variance of a column of zeros and ones; by name where it is the same.
    found.sort(key=lambda word: (-counts[word] * (n_rows - counts[word]), word))
    return found[:_MOST_WORDS]


def _read_words(text: Any) -> set[str]:
    return set(_WORD.findall(str(text).lower()))


def _find_presence(texts: "pd.Series[Any]", words: list[str]) -> NDArray[np.float64]:
    read = [
        set() if is_missing else _read_words(text)
        for text, is_missing in zip(texts, texts.isna(), strict=True)
    ]
    columns = [[float(word in row) for row in read] for word in words]
    return np.asarray(columns, np.float64).reshape(len(words), len(texts)).T
