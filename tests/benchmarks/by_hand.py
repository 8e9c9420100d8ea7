"""The best a person would write by hand for one search: `jax.vmap` over its members.

All folds and learning rates of a network with one hidden layer train side by side, an
epoch at a time in one compiled loop. There is nothing else that a search has: no early
stopping, no held-out rows, no failures apart, no other optimizer or shape.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

Params = dict[str, Any]
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7


def score_members(
    X: NDArray[Any],
    y: NDArray[Any],
    folds: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    rates: Sequence[float],
    *,
    units: int,
    epochs: int,
    batch_size: int,
) -> NDArray[Any]:
    """Train every rate on every fold, and return accuracies of shape (folds, rates)."""
    classes, y = np.unique(y, return_inverse=True)
    features, labels = jnp.asarray(X, jnp.float32), jnp.asarray(y)
    members = [(train, rate) for train, _ in folds for rate in rates]
    speeds = jnp.asarray([rate for _, rate in members])
    keys = jax.random.split(jax.random.key(0), len(members))
    state = jax.vmap(_begin, (0, None, None, None))(
        keys, X.shape[1], units, len(classes)
    )

    @jax.jit
    def train_epoch(state: Any, orders: Any) -> Any:
        def train(state: Any, rate: Any, order: Any) -> Any:
            def step(state: Any, rows: Any) -> Any:
                return _step(state, features[rows], labels[rows], rate), None

            return jax.lax.scan(step, state, order)[0]

        return jax.vmap(train)(state, speeds, orders)

    draws = np.random.default_rng(0)
    for _ in range(epochs):
        orders = [_draw_batches(draws, train, batch_size) for train, _ in members]
        state = train_epoch(state, jnp.asarray(np.stack(orders)))
    outputs = jax.vmap(_forward, (0, None))(state["params"], features)
    guesses = np.asarray(outputs.argmax(axis=-1)).reshape(len(folds), len(rates), -1)
    found = [
        (guesses[place][:, test] == y[test]).mean(axis=1)
        for place, (_, test) in enumerate(folds)
    ]
    return np.array(found)


def _draw_batches(draws: Any, rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Return an order in whole batches; a rest of less than one is left out."""
    n_batches = len(rows) // size
    return draws.permutation(rows)[: n_batches * size].reshape(n_batches, size)


def _begin(key: Any, n_inputs: int, units: int, n_classes: int) -> Params:
    one, two = jax.random.split(key)
    params = {
        "kernel": jax.random.normal(one, (n_inputs, units)) * (2 / n_inputs) ** 0.5,
        "bias": jnp.zeros(units),
        "last": jax.random.normal(two, (units, n_classes)) * (1 / units) ** 0.5,
        "last bias": jnp.zeros(n_classes),
    }
    zeros = jax.tree.map(jnp.zeros_like, params)
    return {"params": params, "mean": zeros, "square": zeros, "step": jnp.zeros(())}


def _forward(params: Params, x: Any) -> Any:
    hidden = jax.nn.relu(x @ params["kernel"] + params["bias"])
    return hidden @ params["last"] + params["last bias"]


def _find_loss(params: Params, x: Any, y: Any) -> Any:
    outputs = jax.nn.log_softmax(_forward(params, x))
    return -jnp.take_along_axis(outputs, y[:, None], axis=1).mean()


def _step(state: Params, x: Any, y: Any, rate: Any) -> Params:
    """Take one step of Adam."""
    slopes = jax.grad(_find_loss)(state["params"], x, y)
    step = state["step"] + 1
    mean = jax.tree.map(lambda m, g: m + (g - m) * (1 - _BETA_1), state["mean"], slopes)
    square = jax.tree.map(
        lambda v, g: v + (g * g - v) * (1 - _BETA_2), state["square"], slopes
    )
    rate = rate * jnp.sqrt(1 - _BETA_2**step) / (1 - _BETA_1**step)
    params = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + _EPSILON),
        state["params"],
        mean,
        square,
    )
    return {"params": params, "mean": mean, "square": square, "step": step}
