"""Traced Keras models, kept to be trained again.

Tracing a training step costs about half a second and some memory that TensorFlow
never gives back, so models of one architecture and compilation take turns.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import keras

_CAPACITY = 8


class ModelPool:
    """Idle models by key, the least recently used leaving first."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._idle: OrderedDict[Hashable, list[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: Hashable) -> keras.Model | None:
        """Return an idle model for one training run, or None."""
        with self._lock:
            models = self._idle.pop(key, [])
            model = models.pop() if models else None
            if models:
                self._idle[key] = models
            return model

    def give_back(self, key: Hashable, model: keras.Model) -> bool:
        """Keep a model for later; tell whether one had to leave for it."""
        with self._lock:
            self._idle.setdefault(key, []).append(model)
            self._idle.move_to_end(key)
            full = sum(len(models) for models in self._idle.values()) > self._capacity
            if full:
                oldest = next(iter(self._idle))
                self._idle[oldest].pop(0)
                if not self._idle[oldest]:
                    del self._idle[oldest]
            return full
