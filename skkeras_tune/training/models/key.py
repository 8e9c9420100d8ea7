"""A Keras model in, the structure that decides which program trains it out.

Two models of equal structure compute the same of equal weights: names, initial weights
and seeds are left out.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skkeras_tune._compat.keras import list_layers
from skkeras_tune.training.arithmetic.packing import Block
from skkeras_tune.training.models.nested import describe
from skkeras_tune.training.plan import NotCompilable

# Their weights are not all that decides what they compute.
_OPAQUE = frozenset(
    {
        "Discretization",
        "FlaxLayer",
        "IntegerLookup",
        "JaxLayer",
        "Lambda",
        "StringLookup",
        "TFSMLayer",
        "TextVectorization",
        "TorchModuleWrapper",
    }
)
_LEFT_OUT = frozenset({"compile_config", "seed", "shared_object_id"})
_REFERENCES = frozenset({"name", "keras_history", "input_layers", "output_layers"})


@dataclass(frozen=True)
class ModelShape:
    """A user's model, apart from its weights.

    Attributes
    ----------
    config : str
        The layers and how they are joined.
    registered : tuple
        Classes and functions of the user's that `config` names.
    trainable : tuple of bool
        Whether each of the weights is trained, in Keras's order, and False for the
        states of random generators, which come last.
    trained_shapes, other_shapes : tuple of tuple of int
        Shape of each trained weight, and of each of the rest.
    outputs : structure of tuple of int
        Shapes of the outputs of a row.
    features : structure of (type, shape)
        The features of a row.
    """

    config: str
    registered: tuple[Any, ...]
    trainable: tuple[bool, ...]
    trained_shapes: tuple[tuple[int, ...], ...]
    other_shapes: tuple[tuple[int, ...], ...]
    outputs: Any
    features: Any

    @property
    def blocks(self) -> list[Block]:
        """Shapes of the trained weights that stand together: each alone."""
        return [(shape,) for shape in self.trained_shapes]


def read_shape(model: keras.Model, features: Any) -> ModelShape:
    """Return a model's structure.

    Parameters
    ----------
    model : keras.Model
    features : structure of (type, shape)
        The features of a row.

    Raises
    ------
    NotCompilable
        If the structure does not decide what the model computes of its weights.
    """
    _refuse_subclass(model)
    for layer in list_layers(model):
        _refuse_opaque(layer)
    config = _read_config(model)
    registered = tuple(_find_registered(config))
    trained, variables = _list_trained(model), list_variables(model)
    return ModelShape(
        config=json.dumps(_strip(config, {}), sort_keys=True),
        registered=registered,
        trainable=tuple(v.trainable for v in variables),
        trained_shapes=tuple(tuple(v.shape) for v in trained),
        other_shapes=tuple(tuple(v.shape) for v in variables if not v.trainable),
        outputs=_describe_outputs(model),
        features=features,
    )


def list_variables(model: keras.Model) -> list[keras.Variable]:
    """Return the weights in Keras's order, and then the states of generators."""
    weights = list(model.weights)
    known = {id(weight) for weight in weights}
    return weights + [v for v in model.variables if id(v) not in known]


def _refuse_subclass(model: keras.Model) -> None:
    kind = type(model)
    if not kind.__module__.startswith("keras."):
        raise NotCompilable(f"the model is of a class of its own, {kind.__name__}")
    if kind is not keras.Sequential and not hasattr(model, "operations"):
        raise NotCompilable(f"the model is a {kind.__name__}, which is no graph")


def _refuse_opaque(layer: keras.layers.Layer) -> None:
    kind, floatx = type(layer).__name__, keras.config.floatx()
    if kind in _OPAQUE:
        raise NotCompilable(f"the layer {kind} is more than its weights")
    if layer.metrics and not isinstance(layer, keras.Model):
        raise NotCompilable(f"the layer {kind} reports a metric")
    if getattr(layer, "stateful", False):
        raise NotCompilable(f"the layer {kind} is stateful")
    if layer.dtype_policy.name != floatx:
        raise NotCompilable(f"the precision of {kind} is {layer.dtype_policy.name}")
    if isinstance(layer, keras.layers.Normalization):  # which derives them from weights
        return
    values = keras.tree.flatten(list(vars(layer).values()))
    if any(isinstance(value, tf.Tensor | tf.Variable | np.ndarray) for value in values):
        raise NotCompilable(f"the layer {kind} keeps numbers that are no weights")


def _read_config(model: keras.Model) -> Any:
    try:
        parts = [type(model).__name__, model.get_config(), _list_rules(model)]
        return json.loads(json.dumps(parts))
    except (NotImplementedError, TypeError, ValueError) as error:
        raise NotCompilable(f"the model has no config ({error})") from error


def _list_rules(model: keras.Model) -> list[Any]:
    """Return what penalises and constrains each weight.

    A layer's config names what was last set on it, its weights keep the first.
    """
    weights = model.weights
    rules = [[weight.regularizer, weight.constraint] for weight in weights]
    return [[keras.saving.serialize_keras_object(r) for r in pair] for pair in rules]


def _find_registered(config: Any) -> Iterator[Any]:
    """Yield what is not Keras's own, in the order of the config.

    Raises
    ------
    NotCompilable
        If something is not registered, so that its config may not be all of it.
    """
    if isinstance(config, list):
        for item in config:
            yield from _find_registered(item)
    elif isinstance(config, dict):
        kind, module = config.get("class_name"), config.get("module", "keras")
        # Keras names no module of what a script or a notebook has defined.
        if kind is not None and (module or "").split(".")[0] != "keras":
            name = config["config"] if kind == "function" else kind
            key = config.get("registered_name")
            found = keras.saving.get_registered_object(key if key != kind else name)
            if found is None:
                message = f"{name} is not registered (register_keras_serializable)"
                raise NotCompilable(message)
            yield found
        for item in config.values():
            yield from _find_registered(item)


def _strip(config: Any, names: dict[str, str], *, is_reference: bool = False) -> Any:
    """Replace names by numbers, and leave out what does not compute."""
    if isinstance(config, dict):
        if str(config.get("class_name")).endswith("DTypePolicy"):
            return config
        return {
            key: _strip(value, names, is_reference=is_reference or key in _REFERENCES)
            for key, value in config.items()
            if key not in _LEFT_OUT and not key.endswith("_initializer")
        }
    if isinstance(config, list):
        return [_strip(item, names, is_reference=is_reference) for item in config]
    if is_reference and isinstance(config, str):
        return names.setdefault(config, f"#{len(names)}")
    return config


def _list_trained(model: keras.Model) -> list[keras.Variable]:
    """Return the trained weights, whose order is the optimizer's."""
    trained = list(model.trainable_variables)
    if not trained:
        raise NotCompilable("the model has no trained weights")
    in_order = [weight for weight in list_variables(model) if weight.trainable]
    if [id(weight) for weight in in_order] != [id(weight) for weight in trained]:
        raise NotCompilable("the model's weights have an order of their own")
    if any(weight.dtype != keras.config.floatx() for weight in trained):
        raise NotCompilable("the precision is not that of keras.config.floatx()")
    return trained


def _describe_outputs(model: keras.Model) -> Any:
    is_chain = isinstance(model, keras.Sequential)
    return describe(model.outputs[0] if is_chain else model.output, _read_output)


def _read_output(output: keras.KerasTensor) -> tuple[int, ...]:
    shape = tuple(output.shape)
    if None in shape[1:]:
        raise NotCompilable(f"the model has outputs of shape {shape}")
    return shape[1:]
