"""Private or version-dependent parts of scikit-learn."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import sklearn
from sklearn.base import _fit_context
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _fit_and_score
from sklearn.preprocessing import TargetEncoder
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_method_params, _check_sample_weight

__all__ = [
    "BaseSearchCV",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "build_target_encoder",
    "check_method_params",
    "check_sample_weight",
    "fit_and_score",
    "fit_context",
    "safe_indexing",
    "share_warning_filters",
    "takes_sample_weight",
    "validate_parameter_constraints",
    "with_callbacks",
]

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for the base of estimators that tell callbacks of their tasks."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method as it is: no callbacks need to be torn down after it."""
        return method


check_sample_weight = _check_sample_weight
check_method_params = _check_method_params
fit_and_score = _fit_and_score
fit_context = _fit_context
safe_indexing = _safe_indexing


def takes_sample_weight(scorer: Callable[..., Any]) -> bool:
    """Tell whether a scorer takes weights.

    scikit-learn (1.9 and before) has no public way to ask.
    """
    if hasattr(scorer, "_accept_sample_weight"):
        return bool(scorer._accept_sample_weight())
    return "sample_weight" in inspect.signature(scorer).parameters


def build_target_encoder(kind: str, n_folds: int, random_state: int) -> TargetEncoder:
    """Return an encoder of categories by the target, cross-fitted in shuffled folds.

    scikit-learn 1.9 takes the folds as a splitter, and older versions a seed.

    Parameters
    ----------
    kind : {"continuous", "binary", "multiclass"}
    n_folds, random_state : int
    """
    parameters = inspect.signature(TargetEncoder).parameters
    if parameters["random_state"].default != "deprecated":
        return TargetEncoder(target_type=kind, cv=n_folds, random_state=random_state)
    folds = KFold if kind == "continuous" else StratifiedKFold
    cv = folds(n_folds, shuffle=True, random_state=random_state)
    return TargetEncoder(target_type=kind, cv=cv)


def share_warning_filters(batch: Any) -> Any:
    """Let scikit-learn's tasks of a thread run with the process's filters of warnings.

    Parameters
    ----------
    batch : joblib.parallel.BatchedCalls
        Of tasks that clear and refill the process's list each (scikit-learn 1.9 and
        before), which other threads see, and which the last of them may leave empty.

    Returns
    -------
    joblib.parallel.BatchedCalls
        The same, with tasks that keep scikit-learn's configuration alone.
    """
    items = getattr(batch, "items", [])
    for place, (function, args, kwargs) in enumerate(items):
        if hasattr(function, "warning_filters"):
            task = partial(_run_configured, function.function, function.config)
            items[place] = (task, args, kwargs)
    return batch


def _run_configured(
    function: Callable[..., Any], config: dict[str, Any], *args: Any, **kwargs: Any
) -> Any:
    with sklearn.config_context(**config):
        return function(*args, **kwargs)
