"""What an ensemble is fitted on, and what predictions are compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from skkeras_tune.ensemble.targets import Target


@dataclass(frozen=True, eq=False)
class Rows:
    """What an ensemble is fitted on.

    Attributes
    ----------
    X
        Whatever the members take.
    y : ndarray of shape (n_rows,) or (n_rows, n_columns)
    target : Labels, Indicators or Numbers
        What `y` is.
    sample_weight : ndarray of shape (n_rows,) or None
    groups : ndarray of shape (n_rows,) or None
        For the splitter, and for the members that ask for them.
    fit_params : mapping or None
        Arguments of the members' `fit`, or of the search's.
    """

    X: Any
    y: NDArray[Any]
    target: Target
    sample_weight: Any = None
    groups: Any = None
    fit_params: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Truth:
    """What was the case in rows that are predicted.

    Attributes
    ----------
    target : Labels, Indicators or Numbers
        What `y` is.
    y : ndarray of shape (n_rows,) or (n_rows, n_columns)
    sample_weight : ndarray of shape (n_rows,) or None
        How much each row counts.
    """

    target: Target
    y: NDArray[Any]
    sample_weight: NDArray[Any] | None = None
