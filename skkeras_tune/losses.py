"""What a loss asks of the output layer and of the targets it compares with."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from skkeras_tune._compat.keras import to_numpy
from skkeras_tune._scikeras import unflatten_params
from skkeras_tune.routing import naming_options

Family = Literal["binary", "sparse", "categorical", "hinge", "regression", "custom"]

_FAMILIES: dict[str, Family] = {
    "binary_crossentropy": "binary",
    "binary_focal_crossentropy": "binary",
    "sparse_categorical_crossentropy": "sparse",
    "categorical_crossentropy": "categorical",
    "categorical_focal_crossentropy": "categorical",
    "kl_divergence": "categorical",
    "hinge": "hinge",
    "squared_hinge": "hinge",
    "categorical_hinge": "hinge",
    "mean_squared_error": "regression",
    "mean_absolute_error": "regression",
    "mean_absolute_percentage_error": "regression",
    "mean_squared_logarithmic_error": "regression",
    "huber": "regression",
    "log_cosh": "regression",
    "poisson": "regression",
    "cosine_similarity": "regression",
}


def sole_loss(loss: Any) -> Any:
    """Return the loss of the only output, where it stands in a list or dict."""
    if isinstance(loss, list | tuple | Mapping) and len(loss) == 1:
        (loss,) = loss.values() if isinstance(loss, Mapping) else loss
    return loss


def loss_name(loss: Any) -> str:
    """Return a loss's full name in snake case: "mse" is "mean_squared_error".

    Raises
    ------
    ValueError
        If `loss` is a string that Keras does not know.
    """
    loss = sole_loss(loss)
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        loss = type(loss)
    name = getattr(loss, "__name__", type(loss).__name__)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def loss_family(loss: Any) -> Family:
    """Return which kind of target the loss compares with."""
    loss = sole_loss(loss)
    kind = type(loss) if isinstance(loss, keras.losses.Loss) else loss
    kinds = kind.__mro__ if isinstance(kind, type) else (kind,)
    names = (loss_name(k).replace("kldivergence", "kl_divergence") for k in kinds)
    return next((_FAMILIES[name] for name in names if name in _FAMILIES), "custom")


def is_rowwise(loss: Any) -> bool:
    """Tell whether a loss is one of Keras's own, a mean over independent rows."""
    if not is_kerass(type(loss)):
        return False
    known = loss_name(loss).replace("kldivergence", "kl_divergence") in _FAMILIES
    is_mean = getattr(loss, "reduction", None) in ("sum_over_batch_size", "mean")
    config = loss.get_config()
    # Rows of an ignored class leave the mean, so that the others count for more.
    counts_all = config.get("ignore_class") is None
    return known and is_mean and counts_all and config.get("axis", -1) == -1


def is_kerass(kind: type) -> bool:
    """Tell whether a class of losses is one of Keras's own."""
    return vars(keras.losses).get(kind.__name__) is kind


def takes_logits(loss: Any) -> bool:
    """Tell whether the loss applies the last activation itself."""
    loss = sole_loss(loss)
    if isinstance(loss, keras.losses.Loss):
        return bool(loss.get_config().get("from_logits", False))
    return False


def build_loss(loss: Any, options: Mapping[str, Any]) -> Any:
    """Return the loss with its routed options, such as ``loss__label_smoothing``."""
    if not options:
        return loss
    cls = find_loss_class(loss)
    if cls is None:
        message = (
            f"The options {sorted(options)} are for a loss named by a string or given "
            f"as a class. Got loss={loss!r} instead."
        )
        raise ValueError(message)
    with naming_options("loss", loss, options):
        return unflatten_params(cls, dict(options))


def find_loss_class(loss: Any) -> type | None:
    """Return the class of a loss named by a string, or given as one."""
    if isinstance(loss, type):
        return loss
    if not isinstance(loss, str):
        return None
    found = keras.losses.get(loss)
    if isinstance(found, keras.losses.Loss):
        return type(found)
    squeezed = found.__name__.replace("_", "")  # KLDivergence has no camel's humps
    classes = [c for n, c in vars(keras.losses).items() if n.lower() == squeezed]
    return next((c for c in classes if isinstance(c, type)), None)


def spell_loss(loss: Any) -> Any:
    """Return a loss in the form that programs know, if it is one of Keras's own.

    A function by its name, from which Keras takes the same function, and a class as the
    instance that Keras makes of it; all else as it is.

    Parameters
    ----------
    loss : str, keras.losses.Loss, callable or None
        Of one output.

    Examples
    --------
    >>> import keras
    >>> from skkeras_tune.losses import spell_loss
    >>> spell_loss(keras.losses.huber), spell_loss("mse"), spell_loss(len)
    ('huber', 'mse', <built-in function len>)
    """
    if isinstance(loss, type):
        return loss() if is_kerass(loss) else loss
    name = getattr(loss, "__name__", None)
    if name is not None:
        with suppress(ValueError):  # of a name that Keras does not know
            return name if keras.losses.get(name) is loss else loss
    return loss


def adapt_targets(targets: NDArray[Any], loss: Any, units: int | None) -> Any:
    """Bring class numbers into the form that a loss compares with `units` outputs.

    Numbers and indicators pass through.
    """
    if targets.dtype.kind not in "iu":
        return targets
    if units == 1:
        return targets.astype(keras.config.floatx())[:, np.newaxis]
    family = loss_family(loss)
    if family in ("sparse", "custom") or units is None:
        return targets
    return np.eye(units, dtype=keras.config.floatx())[targets]


def to_probabilities(outputs: NDArray[Any], loss: Any) -> NDArray[Any]:
    """Apply the activation that a loss with ``from_logits=True`` keeps to itself."""
    if not takes_logits(loss):
        return outputs
    is_binary = loss_family(loss) == "binary"
    activate = keras.ops.sigmoid if is_binary else keras.ops.softmax
    return to_numpy(activate(outputs))
