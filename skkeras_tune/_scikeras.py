"""What this package uses of scikeras, reached through this one module.

Importing scikeras replaces the pickling of every Keras model, loss, metric and
optimizer in the process. Keras 3 pickles them itself, so the import is undone here
unless the user has imported scikeras already.
"""

import sys
from typing import Any

import keras
from sklearn.base import BaseEstimator

_PATCHED = (
    (keras.Model, "__reduce__"),
    (keras.Model, "__deepcopy__"),
    (keras.losses.Loss, "__reduce__"),
    (keras.metrics.Metric, "__reduce__"),
    (keras.optimizers.Optimizer, "__reduce__"),
)
_MISSING = object()


def _restore(cls: type, name: str, original: Any) -> None:
    if original is not _MISSING:
        setattr(cls, name, original)
    elif name in vars(cls):
        delattr(cls, name)


_originals = [
    (cls, name, vars(cls).get(name, _MISSING))
    for cls, name in _PATCHED
    if "scikeras" not in sys.modules
]

from scikeras._utils import (  # noqa: E402  (the originals are read first)
    accepts_kwargs,
    has_param,
    route_params,
    unflatten_params,
)
from scikeras.wrappers import BaseWrapper  # noqa: E402

for _cls, _name, _original in _originals:
    _restore(_cls, _name, _original)

# scikit-learn (1.6 and newer) refuses a class that defines the old `_more_tags` and
# not the new method, in itself or in a parent. This is the method it inherits anyway.
if "__sklearn_tags__" not in vars(BaseWrapper):
    BaseWrapper.__sklearn_tags__ = BaseEstimator.__sklearn_tags__

__all__ = [
    "BaseWrapper",
    "accepts_kwargs",
    "has_param",
    "route_params",
    "unflatten_params",
]
