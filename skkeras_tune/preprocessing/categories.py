"""Categories and a target in, what turns columns of categories into numbers out."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from skkeras_tune._compat.sklearn import build_target_encoder
from skkeras_tune.optional import import_optional
from skkeras_tune.preprocessing.labels import has_classes, pool_rare
from skkeras_tune.preprocessing.numbers import SmoothScaler

if TYPE_CHECKING:
    import pandas as pd

_CROSS_FIT = 5


def build_one_hot(min_frequency: int, max_categories: int | None = None) -> Pipeline:
    """Return what makes a column of each category, and one of the rare and new.

    Parameters
    ----------
    min_frequency : int
        A category with fewer rows is rare.
    max_categories : int, default=None
        Of each column, at most; the others are rare too.
    """
    return make_pipeline(
        FunctionTransformer(_to_categories, feature_names_out="one-to-one"),
        OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=min_frequency,
            max_categories=max_categories,
            sparse_output=False,
        ),
    )


def build_target_means(target: NDArray[Any], random_state: int) -> Pipeline:
    """Return what makes each category its mean target, cross-fitted.

    Parameters
    ----------
    target : ndarray of shape (n_samples,)
        As `encode_target` returns it.
    random_state : int
        Decides the folds.
    """
    kind = "continuous"
    if target.dtype.kind in "iu":
        kind = "binary" if len(np.unique(target)) == 2 else "multiclass"
    return make_pipeline(
        FunctionTransformer(_to_categories, feature_names_out="one-to-one"),
        build_target_encoder(kind, _CROSS_FIT, random_state),
        SmoothScaler(),
    )


def encode_target(y: Any) -> NDArray[Any] | None:
    """Return class numbers or floats for the encoder, None where it takes neither.

    Its folds need several rows of each class, so that rare classes are pooled.
    """
    if y is None:
        return None
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        return None
    if not has_classes(y):
        numbers: NDArray[Any] = y.astype(float)
        return numbers
    pooled = pool_rare(y, _CROSS_FIT)
    return pooled if len(np.unique(pooled)) > 1 else None


def _to_categories(values: "pd.DataFrame") -> NDArray[Any]:
    """Return categories as strings, and what is missing as NaN."""
    columns = [_name_categories(values.iloc[:, i]) for i in range(values.shape[1])]
    return np.column_stack(columns).astype(object)


def _name_categories(column: "pd.Series[Any]") -> NDArray[Any]:
    pandas = import_optional("pandas", "TablePreprocessor")
    if pandas.api.types.infer_dtype(column).startswith("mixed"):
        # 1 and True are equal, yet two categories.
        column = column.map(_name_category, na_action="ignore")
    codes, found = pandas.factorize(column)
    # The code of what is missing is -1.
    names = np.array([*map(_name_category, found), np.nan], object)
    named: NDArray[Any] = names[codes]
    return named


def _name_category(value: Any) -> str:
    # A missing value makes floats of a column's whole numbers, and 1.0 is 1 still.
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value)
