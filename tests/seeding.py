"""Known states of the process's global generators."""

import keras

from skkeras_tune._compat.keras import swap_keras_generator


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy, TensorFlow and Keras.

    Keras's own too, which `set_random_seed` left as it was before Keras 3.13.
    """
    keras.utils.set_random_seed(seed)
    swap_keras_generator(keras.random.SeedGenerator(seed))
