"""`TablePreprocessor`: a data frame of any columns in, numbers for a network out."""

from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skkeras_tune._compat.sklearn import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from skkeras_tune.optional import import_optional
from skkeras_tune.preprocessing.categories import (
    build_one_hot,
    build_target_means,
    encode_target,
)
from skkeras_tune.preprocessing.columns import (
    Column,
    describe_other,
    is_frame,
    list_places,
    read_columns,
)
from skkeras_tune.preprocessing.dates import DateEncoder
from skkeras_tune.preprocessing.day_order import DayOrder
from skkeras_tune.preprocessing.kinds import DATES, NUMERIC, GivenKind
from skkeras_tune.preprocessing.numbers import SmoothScaler
from skkeras_tune.preprocessing.readings import to_numbers
from skkeras_tune.preprocessing.words import WordEncoder

if TYPE_CHECKING:
    import pandas as pd

_AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")


class TablePreprocessor(TransformerMixin, BaseEstimator):
    """Turn the columns of a data frame into numbers for a network.

    What is done with a column follows from its values in `fit`:

    - numbers, booleans and durations: missing values get the median and a column that
      says so; outliers are drawn in, see [1]_. Infinite numbers count as missing, and
      so do blanks, "?", "NA" and the like among numbers or dates in text. Text such as
      "$1,234.50" is read, and "1.234,50" in columns in which all is written so and
      some cannot be read with the comma between thousands;
    - dates: days, and places in the year, the week and, where there are times, the day.
      Text is read in ISO's form, and such as 31/12/2020 or 12/31/2020 where some day of
      the column is above 12, which tells the day from the month;
    - few categories: a column for each, with one for those that are rare or new; a
      missing value is a category;
    - many categories: the mean target of each, cross-fitted so that no row sees its own
      target [2]_;
    - strings that differ in more than half of the rows: a column for each word that
      recurs, such as the titles in names. A word counts that stands in 10 rows and in a
      fiftieth of them at least, and is missing in as many; there are at most 30 words.
      Without such words, and with more than five words on average (sentences), they are
      left out;
    - whole numbers that number the rows and are named so ("id", "PassengerId"), and
      columns of one value: left out.

    Where a column of words, or one that is left out, has missing values, a column says
    where. `report` says what was done with each. Columns of the dtype "category" are
    taken for categories whatever they hold.

    Parameters
    ----------
    max_one_hot : int, default=40
        Up to so many categories are few.
    min_frequency : int or "auto", default="auto"
        A category with fewer rows is rare, in a column of few categories. "auto" is a
        hundredth of the rows, but from 2 to 10.
    kinds : dict, default=None
        What columns are, by their names, whatever their values say: "number", "number
        in text", "number with decimal comma", "boolean", "date", "date, day first",
        "date, month first", "duration", "few categories", "many categories",
        "categories" (few or many, by their number), "words", or "identifier" to leave
        one out. How the text of a "number" or a "date" is read, its values tell. In
        cross-validation it keeps a column from being one thing in some folds and
        another in others; `tune` gives it.
    random_state : int, default=0
        Decides the folds of cross-fitting.

    Attributes
    ----------
    columns_ : list of Column
        What each column is: `name`, `place`, `kind`, `reason`, `n_distinct`,
        `has_missing`.
    transformer_ : ColumnTransformer
        What does the work.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Their names, where they are strings.

    See Also
    --------
    tune : Builds this in front of the network by itself.

    References
    ----------
    .. [1] Holzmueller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned
       MLPs and boosted trees on tabular data", NeurIPS 2024.
    .. [2] Micci-Barreca, "A preprocessing scheme for high-cardinality categorical
       attributes in classification and prediction problems", SIGKDD Explorations 2001.

    Examples
    --------
    >>> import pandas as pd
    >>> from skkeras_tune import TablePreprocessor
    >>> X = pd.DataFrame(
    ...     {
    ...         "age": [22.0, 38.0, None, 35.0],
    ...         "port": ["S", "C", "S", None],
    ...         "ship": ["Titanic"] * 4,
    ...     }
    ... )
    >>> table = TablePreprocessor(min_frequency=1)
    >>> table.fit_transform(X, [0, 1, 1, 1]).shape
    (4, 5)
    >>> table.report()["kind"].to_dict()
    {'age': 'number', 'port': 'few categories', 'ship': 'constant'}
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_one_hot": [_AT_LEAST_ONE],
        "min_frequency": [_AT_LEAST_ONE, StrOptions({"auto"})],
        "kinds": [dict, None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        max_one_hot: int = 40,
        min_frequency: int | Literal["auto"] = "auto",
        kinds: dict[Any, GivenKind] | None = None,
        random_state: int = 0,
    ) -> None:
        self.max_one_hot = max_one_hot
        self.min_frequency = min_frequency
        self.kinds = kinds
        self.random_state = random_state

    def fit(self, X: "pd.DataFrame", y: ArrayLike | None = None) -> Self:
        """Decide what is done with each column, and learn it.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns)
            The rows to learn from.
        y : array-like of shape (n_samples,), default=None
            The target, for columns of many categories. Without it, or with several
            targets, their 40 (`max_one_hot`) most frequent ones get a column each.

        Returns
        -------
        self
            The preprocessor itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, no column can be used, two have one name, or
            a column holds nothing of what `kinds` says.
        TypeError
            If X is no data frame, or a column holds what is no number, date or
            category.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(
        self, X: "pd.DataFrame", y: ArrayLike | None = None, **fit_params: Any
    ) -> NDArray[np.float64]:
        """Fit, and return the numbers for these rows.

        Columns of many categories give other numbers than `transform` would: those
        that other rows say.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns)
            The rows to learn from.
        y : array-like of shape (n_samples,), default=None
            The target.
        **fit_params : dict
            Not used.

        Returns
        -------
        ndarray of shape (n_samples, n_numbers)
            Without missing values; scaled, encoded, or 0 and 1.
        """
        validate_parameter_constraints(
            self._parameter_constraints, self.get_params(), type(self).__name__
        )
        _refuse_other_than_frame(X)
        self.columns_ = read_columns(X, self.max_one_hot, self.kinds)
        validate_data(self, X, skip_check_array=True)
        target = encode_target(y)
        self.transformer_ = self._build(self.columns_, target, len(X))
        numbers: NDArray[np.float64] = self.transformer_.fit_transform(X, target)
        if not numbers.shape[1]:
            raise ValueError("X has no column that a network could learn from here.")
        return numbers

    def transform(self, X: "pd.DataFrame") -> NDArray[np.float64]:
        """Return the numbers for these rows.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns)
            With the columns of `fit`, in their order.

        Returns
        -------
        ndarray of shape (n_samples, n_numbers)
            Without missing values; scaled, encoded, or 0 and 1.

        Raises
        ------
        ValueError
            If X has other columns than in `fit`, or no rows.
        TypeError
            If X is no data frame.
        """
        check_is_fitted(self)
        _refuse_other_than_frame(X)
        validate_data(self, X, skip_check_array=True, reset=False)
        _refuse_other_order(X.columns, self.columns_)
        _refuse_no_rows(X)
        numbers: NDArray[np.float64] = self.transformer_.transform(X)
        return numbers

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the numbers.

        Parameters
        ----------
        input_features : None
            Not used: the columns' own names are.

        Returns
        -------
        ndarray of str of shape (n_numbers,)
            In the order in which `transform` gives the numbers.
        """
        check_is_fitted(self)
        names: NDArray[Any] = self.transformer_.get_feature_names_out()
        return names

    def report(self) -> "pd.DataFrame":
        """Return what each column is, and what is done with it.

        Returns
        -------
        DataFrame
            A row for each column, with its ``kind``, the number of ``distinct`` values,
            whether values are ``missing``, and the ``treatment`` in words.
        """
        check_is_fitted(self)
        pandas = import_optional("pandas", f"{type(self).__name__}.report")
        return pandas.DataFrame(
            {
                "kind": [column.kind for column in self.columns_],
                "distinct": [column.n_distinct for column in self.columns_],
                "missing": [column.has_missing for column in self.columns_],
                "treatment": [_describe(column) for column in self.columns_],
            },
            index=pandas.Index(
                [c.name for c in self.columns_], name="column", tupleize_cols=False
            ),
        )

    def _build(
        self, columns: list[Column], target: Any, n_rows: int
    ) -> ColumnTransformer:
        least = self._resolve_frequency(n_rows)
        many = (
            build_one_hot(least, self.max_one_hot)
            if target is None
            else build_target_means(target, int(self.random_state))
        )
        parts = [
            ("numbers", self._build_numbers(), list_places(columns, *NUMERIC)),
            (
                "decimals",
                self._build_numbers(decimal_comma=True),
                list_places(columns, "number with decimal comma"),
            ),
            *(
                (order or "dates", _build_dates(order), list_places(columns, kind))
                for kind, order in DATES.items()
            ),
            ("few", build_one_hot(least), list_places(columns, "few categories")),
            ("many", many, list_places(columns, "many categories")),
            ("words", WordEncoder(), list_places(columns, "words")),
            (
                "missing",
                make_pipeline(
                    FunctionTransformer(_to_presence, feature_names_out="one-to-one"),
                    MissingIndicator(features="all"),
                ),
                [column.place for column in columns if column.keeps_missing],
            ),
        ]
        return ColumnTransformer(
            [part for part in parts if part[2]], sparse_threshold=0.0
        ).set_output(transform="default")

    def _build_numbers(self, *, decimal_comma: bool = False) -> Pipeline:
        read = FunctionTransformer(
            to_numbers,
            kw_args={"decimal_comma": decimal_comma},
            feature_names_out="one-to-one",
        )
        return make_pipeline(read, *build_number_steps())

    def _resolve_frequency(self, n_rows: int) -> int:
        if self.min_frequency == "auto":
            return min(max(n_rows // 100, 2), 10)
        return int(self.min_frequency)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


def build_number_steps() -> list[Any]:
    """Return what is done with numbers: imputed with an indicator, and scaled."""
    imputer = SimpleImputer(
        strategy="median", add_indicator=True, keep_empty_features=True
    )
    return [imputer, SmoothScaler()]


def _build_dates(order: DayOrder | None) -> Pipeline:
    return make_pipeline(DateEncoder(order), *build_number_steps())


def _to_presence(values: "pd.DataFrame") -> NDArray[np.float64]:
    """Return 1, and NaN where a value is missing, in whatever way."""
    return np.where(values.isna().to_numpy(), np.nan, 1.0)


def _refuse_other_than_frame(X: Any) -> None:
    if is_frame(X):
        return
    found, way = describe_other(X)
    remedy = "wrap it in pandas.DataFrame, or use SimpleImputer and a scaler"
    message = (
        f"TablePreprocessor takes a data frame of pandas. Got {found} instead: "
        f"{f'pass {way}' if way else remedy}."
    )
    raise TypeError(message)


def _refuse_other_order(names: "pd.Index[Any]", columns: list[Column]) -> None:
    """Refuse columns whose names are no strings, of which scikit-learn says nothing."""
    pandas = import_optional("pandas", "TablePreprocessor")
    known = [column.name for column in columns]
    is_same = names.equals(pandas.Index(known, tupleize_cols=False))  # NaN is NaN
    if not is_same and not isinstance(known[0], str):
        message = (
            "The columns of X must be those of fit, in their order: "
            f"{known[:5]!r} and so on. Got {names.tolist()[:5]!r}."
        )
        raise ValueError(message)


def _refuse_no_rows(X: "pd.DataFrame") -> None:
    """Say what scikit-learn says of arrays."""
    if not len(X):
        message = (
            f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is "
            "required by TablePreprocessor."
        )
        raise ValueError(message)


def _describe(column: Column) -> str:
    if column.keeps_missing:
        return f"{column.reason}; a column says where it is missing"
    return column.reason
