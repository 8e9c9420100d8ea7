"""A range of a Bayesian search in; what a random search draws from out."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from skopt.space import Categorical, Dimension, check_dimension

_PRIORS = ("uniform", "log-uniform")


class DimensionDistribution:
    """A skopt dimension in scipy's form.

    Parameters
    ----------
    dimension : skopt.space.Dimension
    """

    def __init__(self, dimension: Dimension) -> None:
        self.dimension = dimension

    def rvs(self, size: int | None = None, random_state: Any = None) -> Any:
        """Draw one value, or a list of as many as `size` says."""
        drawn = self.dimension.rvs(size or 1, check_random_state(random_state))
        values = [v.item() if isinstance(v, np.generic) else v for v in drawn]
        return values[0] if size is None else values

    def __repr__(self) -> str:
        return f"DimensionDistribution({self.dimension!r})"


def to_distribution(name: str, value: Any) -> Any:
    """Return what a random search draws a parameter from.

    Parameters
    ----------
    name : str
        Of the parameter.
    value
        A skopt dimension, or a ``(low, high)`` or ``(low, high, prior)`` tuple. All
        else, such as a list or a distribution, passes through.

    Raises
    ------
    ValueError
        If the bounds of a tuple are none.
    """
    if is_range(value):
        try:
            value = check_dimension(value)
        except ValueError as error:
            message = f"{name!r} in the space has bounds {value!r}: {error}"
            raise ValueError(message) from error
    if isinstance(value, Categorical) and value.prior is None:
        return list(value.categories)
    return DimensionDistribution(value) if isinstance(value, Dimension) else value


def is_range(value: Any) -> bool:
    """Tell whether a tuple is two bounds, with or without a prior."""
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        return False
    if len(value) == 3 and value[2] not in _PRIORS:
        return False
    return all(isinstance(v, Real) and not isinstance(v, bool) for v in value[:2])
