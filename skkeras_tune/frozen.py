"""Keras objects as immutable values: `freeze` turns them in, `thaw` turns them out.

A frozen value is hashable when its parts are, picklable, and thawed into a new object
each time, so that no state passes from one fit to the next.
"""

import inspect
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import joblib
import keras

from skkeras_tune._compat.keras import read_omitted_arguments


@dataclass(frozen=True)
class FrozenObject:
    """A Keras object (optimizer, loss, metric, initializer, schedule) as its config."""

    config: str
    custom_objects: tuple[tuple[str, Any], ...]

    def thaw(self) -> Any:
        return keras.saving.deserialize_keras_object(
            json.loads(self.config), custom_objects=dict(self.custom_objects)
        )

    def replace(self, **arguments: Any) -> "FrozenObject":
        """Return the same object with other plain values for some arguments."""
        serialized = json.loads(self.config)
        serialized["config"] |= arguments
        config = json.dumps(serialized, sort_keys=True)
        return FrozenObject(config, self.custom_objects)


@dataclass(frozen=True)
class FrozenModel:
    """A Keras model, with its weights and the way it was compiled, as bytes.

    Compared by `digest`, of the content: an archive has the date in it.
    """

    archive: bytes = field(compare=False)
    digest: str
    loss: Any
    custom_objects: tuple[tuple[str, Any], ...]

    def thaw(self) -> keras.Model:
        scope = keras.saving.custom_object_scope(dict(self.custom_objects))
        with scope, warnings.catch_warnings():
            # of a model that was compiled and not trained, which Keras warns of
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model = pickle.loads(self.archive)
            if self.loss is not None:  # which Keras saves without Huber's delta
                settings = model.get_compile_config()
                settings = keras.saving.deserialize_keras_object(settings)
                settings["optimizer"] = model.optimizer
                model.compile(**{**settings, "loss": thaw(self.loss)})
            return model


@dataclass(frozen=True)
class FrozenList:
    """A list or tuple of frozen values."""

    items: tuple[Any, ...]

    def thaw(self) -> list[Any]:
        return [thaw(item) for item in self.items]


@dataclass(frozen=True)
class FrozenMapping:
    """A mapping of frozen values."""

    items: tuple[tuple[Any, Any], ...]

    def thaw(self) -> dict[Any, Any]:
        return {key: thaw(value) for key, value in self.items}


class Arguments:
    """Arbitrary keyword arguments, compared and hashed by content."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arguments) and self._digest() == other._digest()

    def __hash__(self) -> int:
        return hash(self._digest())

    def __repr__(self) -> str:
        return f"Arguments({self.values!r})"

    def _digest(self) -> str:
        try:
            digest: str = joblib.hash(self.values)
        except pickle.PicklingError:  # of a function or class that no module holds
            digest = joblib.hash(joblib.wrap_non_picklable_objects(self.values))
        return digest


def freeze(value: Any) -> Any:
    """Return an immutable value from which `thaw` makes an equal, new object.

    Classes, functions and plain values are immutable already and pass through.
    """
    if isinstance(value, keras.Model):
        return _freeze_model(value)
    if isinstance(value, list | tuple):
        return FrozenList(tuple(freeze(item) for item in value))
    if isinstance(value, Mapping):
        ordered = sorted(value.items(), key=lambda item: str(item[0]))
        return FrozenMapping(tuple((key, freeze(item)) for key, item in ordered))
    if hasattr(value, "get_config") and not isinstance(value, type):
        return _freeze_object(value)
    return value


def thaw(value: Any) -> Any:
    """Return a new object equal to the one that was frozen."""
    return value.thaw() if hasattr(value, "thaw") else value


def _freeze_object(value: Any) -> FrozenObject:
    serialized = keras.saving.serialize_keras_object(value)
    _refuse_incomplete(value, serialized["config"])
    known = inspect.signature(type(value)).parameters
    kept = {n: v for n, v in read_omitted_arguments(value).items() if n in known}
    serialized["config"] = {
        **keras.saving.serialize_keras_object(kept),
        **serialized["config"],
    }
    config = json.dumps(serialized, sort_keys=True)
    return FrozenObject(config, _custom_objects(value))


def _refuse_incomplete(value: Any, config: Mapping[str, Any]) -> None:
    """Refuse an object of the user's whose config would lose its arguments."""
    if type(value).__module__.startswith("keras."):
        return
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(type(value)).parameters.values()
    config = {**config, "dtype": None}  # which Keras's own configs leave out
    missing = [
        p.name for p in parameters if p.kind not in variable and p.name not in config
    ]
    if missing:
        message = (
            f"{type(value).__name__}.get_config() leaves out {missing}, so the object "
            "cannot be made anew for each fit. Add them to its get_config."
        )
        raise ValueError(message)


def _freeze_model(model: keras.Model) -> FrozenModel:
    archive = pickle.dumps(model)
    loss = freeze(model.loss) if model.compiled else None
    return FrozenModel(archive, _digest(model), loss, _custom_objects(model))


def _digest(model: keras.Model) -> str:
    """Hash all of a saved model but the date of saving."""
    _, (stream,) = model.__reduce__()
    with zipfile.ZipFile(stream) as files:
        names = sorted(set(files.namelist()) - {"metadata.json"})
        contents = {name: files.read(name) for name in names}
    contents["config.json"] = _number_shared_objects(contents["config.json"])
    digest: str = joblib.hash(contents)
    return digest


def _number_shared_objects(config: bytes) -> bytes:
    """Give numbers to what Keras names by its address, another in each process."""
    numbers: dict[bytes, int] = {}
    return re.sub(
        rb'(?<="shared_object_id": )\d+',
        lambda address: b"%d" % numbers.setdefault(address[0], len(numbers)),
        config,
    )


def _custom_objects(value: Any) -> tuple[tuple[str, Any], ...]:
    """Name the classes and functions that Keras could not find by itself.

    They may stand anywhere below: an activation, a cell, a schedule, a metric.
    """
    found: dict[str, Any] = {}
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        if isinstance(item, list | tuple):
            waiting += item
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, FunctionType) and not hasattr(item, "__wrapped__"):
            found[item.__name__] = item
        elif hasattr(item, "get_config"):
            found[type(item).__name__] = type(item)
            waiting += vars(item).values()
    return tuple(
        (name, item)
        for name, item in sorted(found.items())
        if not (item.__module__ or "").startswith("keras.")
    )
