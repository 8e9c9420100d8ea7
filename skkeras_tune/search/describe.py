"""A search space in, the same in words out."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from skopt.space import Categorical, Dimension

_LOGARITHMIC = ("log-uniform", "loguniform", "reciprocal")
_PRIORS = ("uniform", "log-uniform")


def describe_space(space: Any) -> str:
    """Return a search space in words, a line for each parameter.

    Parameters
    ----------
    space : dict, or list of dicts
        Any that `BayesSearchCV`, :class:`~sklearn.model_selection.RandomizedSearchCV`
        or :class:`~sklearn.model_selection.GridSearchCV` takes: dimensions of
        scikit-optimize, distributions of scipy, lists, and tuples of bounds.

    Returns
    -------
    str
        The last line says how many candidates there are, where that is known.

    Raises
    ------
    ValueError
        If the space is empty, or is none.

    See Also
    --------
    mlp_space : Spaces for the built-in network.

    Examples
    --------
    >>> from skkeras_tune import describe_space, mlp_space
    >>> print(describe_space(mlp_space("small", search="random")))
    n_hidden: 1 or 2
    units: 32, 64 or 128
    learning_rate: 0.001 to 0.01, evenly over its logarithm
    dropout: 0.0, 0.1, 0.2 or 0.3
    l2: 8e-06, 8e-05, 0.0003 or 0.001
    batch_size: 64
    >>> print(describe_space({"C": [1, 10], "kernel": ["rbf", "poly", None]}))
    C: 1 or 10
    kernel: 'rbf', 'poly' or None
    6 candidates
    """
    if isinstance(space, Mapping) and space:
        return "\n".join(_describe_one(space))
    is_list = isinstance(space, Sequence) and not isinstance(space, str)
    parts = [_drop_number(part) for part in space] if is_list else []
    if not parts or not all(isinstance(part, Mapping) and part for part in parts):
        message = (
            "The 'space' parameter of describe_space must be a non-empty dict, or a "
            f"list of non-empty dicts. Got {space!r} instead."
        )
        raise ValueError(message)
    if len(parts) == 1:
        return "\n".join(_describe_one(parts[0]))
    lines = []
    for number, part in enumerate(parts, 1):
        lines += [f"space {number}:", *(f"  {line}" for line in _describe_one(part))]
    return "\n".join(lines)


def _drop_number(part: Any) -> Any:
    """Return a space without the number of iterations that skopt takes beside it."""
    is_pair = isinstance(part, tuple) and len(part) == 2
    return part[0] if is_pair else part


def _describe_one(space: Mapping[str, Any]) -> list[str]:
    lines = [f"{name}: {_describe(value)}" for name, value in space.items()]
    n_candidates = count_candidates(space)
    if n_candidates:
        lines.append(f"{n_candidates} candidate{'s' if n_candidates > 1 else ''}")
    return lines


def count_candidates(space: Mapping[str, Any]) -> int | None:
    """Return how many candidates a space holds; None if they cannot be counted."""
    counts = [_count(value) for value in space.values()]
    if None in counts:
        return None
    return math.prod(count for count in counts if count is not None)


def _describe(value: Any) -> str:
    bounds = _read_bounds(value)
    if bounds is not None:
        return _describe_range(*bounds)
    values = _list_values(value)
    if values is not None:
        return _join(values)
    if hasattr(value, "rvs"):
        return _describe_distribution(value)
    return repr(value)


def _read_bounds(value: Any) -> tuple[Any, Any, bool] | None:
    """Return low, high and whether it is logarithmic of a dimension of numbers."""
    if isinstance(value, Dimension) and not isinstance(value, Categorical):
        return value.low, value.high, value.prior == "log-uniform"
    is_tuple = isinstance(value, tuple) and len(value) in (2, 3)
    if not is_tuple or not all(isinstance(bound, Real) for bound in value[:2]):
        return None
    if any(isinstance(bound, bool) for bound in value[:2]):
        return None
    prior = value[2] if len(value) == 3 else "uniform"
    if prior not in _PRIORS:
        return None
    return value[0], value[1], prior == "log-uniform"


def _list_values(value: Any) -> Sequence[Any] | None:
    if isinstance(value, Categorical):
        return list(value.categories)
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    return None


def _count(value: Any) -> int | None:
    """Return how many values there are, if they can be counted."""
    if _read_bounds(value) is not None:
        return None
    values = _list_values(value)
    return None if values is None else len(values)


def _describe_range(low: Any, high: Any, is_log: bool) -> str:
    evenly = ", evenly over its logarithm" if is_log else ""
    return f"{_write(low)} to {_write(high)}{evenly}"


def _describe_distribution(value: Any) -> str:
    """Describe a frozen distribution of scipy, or anything else that draws."""
    kind = getattr(getattr(value, "dist", None), "name", "")
    if kind in ("uniform", *_LOGARITHMIC):
        low, high = value.support()
        return _describe_range(low, high, kind in _LOGARITHMIC)
    if kind == "randint":
        low, high = value.support()
        return f"{_write(low)} to {_write(high)}, whole numbers"
    if not kind:
        return f"drawn from {value!r}"
    arguments = [_write(item) for item in value.args]
    arguments += [f"{name}={_write(item)}" for name, item in value.kwds.items()]
    return f"drawn from {kind}({', '.join(arguments)})"


def _join(values: Sequence[Any]) -> str:
    words = [_write(value) for value in values]
    return " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def _write(value: Any) -> str:
    """Write a value as Python does, and numbers without their noise."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return repr(float(f"{value:.6g}"))
    return repr(value)
