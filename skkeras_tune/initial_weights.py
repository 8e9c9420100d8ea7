"""Initializer, shape and seed in, the initial weights of a layer out.

NumPy draws what scales a distribution by the numbers of inputs and outputs, which is
what most networks start from: Keras takes a millisecond for each, one thread at a time.
"""

from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from skkeras_tune._compat.keras import to_numpy
from skkeras_tune.frozen import thaw
from skkeras_tune.randomness import derive_seed, isolated_randomness

# The standard deviation of a standard normal distribution between -2 and 2, by which
# Keras divides so that what it draws has the variance that was asked for.
_TRUNCATED_STD = 0.87962566103423978


class _Scaling(NamedTuple):
    """What `keras.initializers.VarianceScaling` is given."""

    scale: float
    mode: Literal["fan_in", "fan_avg"]
    is_uniform: bool


#: Keras's names, and what they stand for there.
_SCALINGS = {
    "glorot_normal": _Scaling(1.0, "fan_avg", False),
    "glorot_uniform": _Scaling(1.0, "fan_avg", True),
    "he_normal": _Scaling(2.0, "fan_in", False),
    "he_uniform": _Scaling(2.0, "fan_in", True),
    "lecun_normal": _Scaling(1.0, "fan_in", False),
    "lecun_uniform": _Scaling(1.0, "fan_in", True),
}


def draw_dense(
    initializer: Any, shape: tuple[int, int], seed: int, layer: int
) -> list[NDArray[Any]]:
    """Return the kernel and the bias, which is zero, of a dense layer.

    Parameters
    ----------
    initializer
        Keras's name of one, or one frozen.
    shape : tuple of (int, int)
        Inputs and outputs.
    seed : int
        That of the network.
    layer : int
        Number of the layer, -1 for the last.
    """
    seed = derive_seed(seed, "weights", layer + 1)
    dtype = keras.config.floatx()
    scaling = _SCALINGS.get(initializer) if isinstance(initializer, str) else None
    if scaling is not None and dtype in ("float32", "float64"):
        kernel = _draw_scaled(scaling, shape, seed, dtype)
    else:
        with isolated_randomness(seed):
            draw = keras.initializers.get(thaw(initializer))
            kernel = to_numpy(draw(shape, dtype=dtype))
    return [kernel, np.zeros(shape[1], kernel.dtype)]


def list_normalization(kind: str | None, units: int) -> list[NDArray[Any]]:
    """Return what a normalisation of so many units starts from, as in Keras."""
    if kind is None:
        return []
    ones = np.ones(units, keras.config.floatx())
    scale_and_shift = [ones, np.zeros_like(ones)]
    moving_mean_and_variance = [np.zeros_like(ones), ones.copy()]
    return scale_and_shift + (moving_mean_and_variance if kind == "batch" else [])


def _draw_scaled(
    scaling: _Scaling, shape: tuple[int, int], seed: int, dtype: Any
) -> NDArray[Any]:
    """Draw with a variance of `scale` over the number of inputs (or both's mean)."""
    fan = shape[0] if scaling.mode == "fan_in" else sum(shape) / 2
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))
    std = (scaling.scale / max(1.0, fan)) ** 0.5
    if scaling.is_uniform:
        drawn, unit = 2 * generator.random(shape, dtype) - 1, 3**-0.5
    else:
        drawn, unit = _draw_truncated(generator, shape, dtype), _TRUNCATED_STD
    kernel: NDArray[Any] = std / unit * drawn
    return kernel


def _draw_truncated(
    generator: np.random.Generator, shape: tuple[int, int], dtype: Any
) -> NDArray[Any]:
    """Draw from a standard normal distribution, again where it is beyond 2."""
    drawn = generator.standard_normal(shape, dtype)
    flat = drawn.reshape(-1)
    far = np.flatnonzero(np.abs(flat) > 2)
    while far.size:
        flat[far] = generator.standard_normal(far.size, dtype)
        far = far[np.abs(flat[far]) > 2]
    return drawn
