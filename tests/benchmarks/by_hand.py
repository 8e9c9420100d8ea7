"""The twelve networks of a search in one XLA loop, as one would write it by hand.

For this data, this network and this search only: no validation, no stopping, no
history, nothing that could differ but folds and rates.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Folds = list[tuple[NDArray[Any], NDArray[Any]]]

UNITS, BATCH = 100, 32
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


def search_by_hand(
    X: NDArray[Any],
    y: NDArray[Any],
    folds: Folds,
    rates: tuple[float, ...],
    epochs: int,
) -> float:
    """Return the best mean accuracy of some learning rates over the folds.

    Parameters
    ----------
    X : ndarray of float32 of shape (n_rows, n_features)
    y : ndarray of int of shape (n_rows,)
    folds : list of (train rows, test rows)
        With training rows in full batches.
    rates : tuple of float
    epochs : int
    """
    train = np.concatenate([[rows] * len(rates) for rows, _ in folds])
    rng = np.random.default_rng(0)
    sizes = X.shape[1], UNITS, int(y.max()) + 1
    weights = _draw_weights(rng, len(train), sizes)
    state = weights, *(list(map(tf.zeros_like, weights)) for _ in range(2))
    rate = tf.constant(np.tile(rates, len(folds)), tf.float32)
    rows = tf.constant(X), tf.constant(y, tf.int32)
    for epoch in range(epochs):
        order = rng.permuted(train, axis=1).astype(np.int32)
        state = _train(*rows, tf.constant(order), rate, tf.constant(epoch), state)
    scores = []
    for fold, (_, test) in enumerate(folds):
        mine = slice(fold * len(rates), (fold + 1) * len(rates))
        outputs = _apply([w[mine] for w in state[0]], tf.constant(X[test])).numpy()
        scores.append((outputs.argmax(axis=-1) == y[test]).mean(axis=1))
    return float(np.mean(scores, axis=0).max())


def _draw_weights(
    rng: np.random.Generator, n_members: int, sizes: tuple[int, int, int]
) -> list[Any]:
    inputs, units, classes = sizes
    shapes = ((inputs, units), (1, units), (units, classes), (1, classes))
    scales = np.sqrt(2 / inputs), 0.0, np.sqrt(2 / (units + classes)), 0.0
    return [
        tf.constant(scale * rng.normal(size=(n_members, *shape)), tf.float32)
        for shape, scale in zip(shapes, scales, strict=True)
    ]


def _apply(weights: list[Any], x: Any) -> Any:
    hidden = tf.nn.relu(tf.matmul(x, weights[0]) + weights[1])
    return tf.matmul(hidden, weights[2]) + weights[3]


@tf.function(jit_compile=True)
def _train(X: Any, y: Any, order: Any, rate: Any, epoch: Any, state: Any) -> Any:
    """Train all members for an epoch."""
    n_steps = order.shape[1] // BATCH
    shaped = tf.reshape(rate, [-1, 1, 1])

    def step(i: Any, weights: Any, means: Any, squares: Any) -> Any:
        rows = order[:, i * BATCH : (i + 1) * BATCH]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            outputs = _apply(weights, tf.gather(X, rows))
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.gather(y, rows), outputs
            )
            loss = tf.reduce_sum(losses) / BATCH
        gradients = tape.gradient(loss, weights)
        count = tf.cast(epoch * n_steps + i + 1, tf.float32)
        size = shaped * tf.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
        means = [
            m + (1 - BETA_1) * (g - m) for m, g in zip(means, gradients, strict=True)
        ]
        squares = [
            s + (1 - BETA_2) * (g * g - s)
            for s, g in zip(squares, gradients, strict=True)
        ]
        weights = [
            w - size * m / (tf.sqrt(s) + EPSILON)
            for w, m, s in zip(weights, means, squares, strict=True)
        ]
        return i + 1, weights, means, squares

    loop = [tf.constant(0), *state]
    return tf.while_loop(lambda i, *_: i < n_steps, step, loop)[1:]
