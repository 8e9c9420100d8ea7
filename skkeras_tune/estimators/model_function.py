"""The user's own model (`model=`) as a value that builds a Keras model.

Takes scikeras's conventions: the function may ask for ``meta`` (what the data is
like), ``compile_kwargs`` (optimizer, loss and metrics, ready for ``compile``),
``params`` (all parameters of the estimator) and any parameters of its own.
"""

import inspect
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from skkeras_tune._compat.keras import fresh_metric_names
from skkeras_tune._scikeras import accepts_kwargs, has_param
from skkeras_tune.estimators.compilation import COMPILE_EXTRAS
from skkeras_tune.frozen import Arguments, FrozenModel, freeze, thaw
from skkeras_tune.losses import loss_name
from skkeras_tune.randomness import isolated_randomness
from skkeras_tune.training.plan import Compilation

_PROVIDED = ("meta", "compile_kwargs", "params")
#: Parameters, and routes, that `compile` alone reads.
_COMPILING = COMPILE_EXTRAS | {
    "compile",
    "learning_rate",
    "loss",
    "metrics",
    "optimizer",
}


@dataclass(frozen=True)
class ModelFunction:
    """A function that returns a Keras model, with its arguments.

    Attributes
    ----------
    function : callable
    arguments : Arguments
    compile_kwargs : Compilation or None
        Handed to a function that asks for ``compile_kwargs``.
    named_loss : str or None
        The loss that the user named, which a compiled model must agree with.
    example : Arguments or None
        A row of zeros as ``x``, which shapes a model that has no input layer.
    unheeded : tuple of str
        Parameters that the user set and that a compiled model does not see.
    """

    function: Callable[..., Any]
    arguments: Arguments
    compile_kwargs: Compilation | None = None
    named_loss: str | None = None
    example: Arguments | None = None
    unheeded: tuple[str, ...] = ()

    def build(self, seed: int) -> keras.Model:
        """Call the function; the same seed gives the same weights.

        Raises
        ------
        TypeError
            If the function does not return a Keras model.
        ValueError
            If it compiles the model with another loss than the one named.
        """
        # New lists and dicts, which the function may use up.
        values = keras.tree.map_structure(lambda value: value, self.arguments.values)
        with isolated_randomness(seed), fresh_metric_names():
            model = self.function(**values, **self._compile_arguments())
            if not isinstance(model, keras.Model):
                message = (
                    "The 'model' function must return a keras.Model. "
                    f"Got {model!r} of type {type(model).__name__} instead."
                )
                raise TypeError(message)
            _shape(model, self.example)
        _refuse_other_loss(self.named_loss, model)
        _warn_of_unheeded(self.unheeded, model)
        return model

    def _compile_arguments(self) -> dict[str, Any]:
        if self.compile_kwargs is None:
            return {}
        values = {
            "optimizer": thaw(self.compile_kwargs.optimizer),
            "loss": keras.tree.map_structure(
                lambda loss: keras.losses.get(loss) if isinstance(loss, str) else loss,
                thaw(self.compile_kwargs.loss),
            ),
            "metrics": thaw(self.compile_kwargs.metrics),
            **(thaw(self.compile_kwargs.options) or {}),
        }
        return {"compile_kwargs": values}


@dataclass(frozen=True)
class ModelCopy:
    """A Keras model given by the user, copied with its weights for each fit."""

    archive: FrozenModel
    named_loss: str | None = None
    example: Arguments | None = None
    unheeded: tuple[str, ...] = ()

    def build(self, seed: int) -> keras.Model:
        """Return a copy; the seed is for what the copy draws by itself."""
        with isolated_randomness(seed):
            model = self.archive.thaw()
            _shape(model, self.example)
        _refuse_other_loss(self.named_loss, model)
        _warn_of_unheeded(self.unheeded, model)
        return model


def build_network(
    model: Callable[..., Any] | keras.Model,
    own: Mapping[str, Any],
    provided: Mapping[str, Any],
    compilation: Compilation,
    named_loss: str | None,
    example: Any,
    given: Collection[str] = (),
) -> ModelFunction | ModelCopy:
    """Return the network behind ``model=``.

    Parameters
    ----------
    model : callable or keras.Model
    own : mapping
        The arguments that the user meant for the function.
    provided : mapping
        What the function may ask for by the names ``meta`` and ``params``.
    compilation : Compilation
    named_loss : str or None
    example : array, or nested lists and dicts of arrays
        Inputs of one row.
    given : collection of str, default=()
        Names of the parameters that the user set.
    """
    one_row = Arguments({"x": example})
    compiling = tuple(sorted(name for name in given if _is_for_compiling(name)))
    if isinstance(model, keras.Model):
        return ModelCopy(freeze(model), named_loss, one_row, compiling)
    asked = {name for name in _PROVIDED if _takes(model, name)}
    arguments = {name: provided[name] for name in asked if name in provided} | dict(own)
    compile_kwargs = compilation if "compile_kwargs" in asked else None
    sees_all = asked & {"compile_kwargs", "params"}
    unheeded = () if sees_all else tuple(n for n in compiling if n not in own)
    return ModelFunction(
        model, Arguments(arguments), compile_kwargs, named_loss, one_row, unheeded
    )


def _is_for_compiling(name: str) -> bool:
    return name.partition("__")[0] in _COMPILING


def names_parameter(model: Any, name: str) -> bool:
    """Tell whether a model function names a parameter, other than by ``**kwargs``."""
    return bool(has_param(model, name))


def needs_parameter(model: Any, name: str) -> bool:
    """Tell whether a model function names a parameter that has no default."""
    if not names_parameter(model, name):
        return False
    parameter = inspect.signature(model).parameters[name]
    return parameter.default is parameter.empty


def takes_parameter(model: Any, name: str) -> bool:
    """Tell whether a model function takes a parameter of that name from the user."""
    if not callable(model) or isinstance(model, keras.Model) or name in _PROVIDED:
        return False
    return _takes(model, name)


def takes_option(model: Any, name: str) -> bool:
    """Tell whether a model function takes what was routed to it as ``model__name``."""
    if not callable(model) or isinstance(model, keras.Model):
        return False
    return names_parameter(model, name) or bool(accepts_kwargs(model))


def list_arguments(model: Any) -> list[str]:
    """Return the names of what a model function takes from the user."""
    if not callable(model) or isinstance(model, keras.Model):
        return []
    return [n for n in inspect.signature(model).parameters if takes_parameter(model, n)]


def _takes(model: Callable[..., Any], name: str) -> bool:
    # The keywords of a class of models are for `keras.Model`.
    takes_any = accepts_kwargs(model) and not isinstance(model, type)
    return bool(has_param(model, name) or takes_any)


def _shape(model: keras.Model, example: Arguments | None) -> None:
    if not model.built and example is not None:
        model(example.values["x"])


def _warn_of_unheeded(names: tuple[str, ...], model: keras.Model) -> None:
    if names and model.compiled:
        warnings.warn(
            f"{', '.join(names)} had no effect, since the model comes compiled. Let "
            "the model function take compile_kwargs, or a parameter of that name.",
            UserWarning,
            stacklevel=2,
        )


def _refuse_other_loss(named: str | None, model: keras.Model) -> None:
    simple = isinstance(getattr(model, "loss", None), str | keras.losses.Loss)
    if named is None or not model.compiled or not simple:
        return
    if loss_name(named) != loss_name(model.loss):
        message = (
            f"loss={named!r}, but the model was compiled with "
            f"loss={loss_name(model.loss)!r}. Name one of them only."
        )
        raise ValueError(message)
