"""Weights come back from their rows as they went in."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

from skkeras_tune import KerasRegressor
from skkeras_tune.training.arithmetic.packing import Packing

LARGE = (128, 128)
BLOCKS = {
    "small": (((3, 5), (5,)), ((5, 1), (1,))),
    "mixed": (((3, 128), (128,)), (LARGE, (128,)), ((128,),), ((130, 130), (1,))),
    "large": ((LARGE,), ((2, 2**14),)),
}
#: How many rows there are, for one member and for several.
ROWS = {"small": {1: 1, 64: 1}, "mixed": {1: 3, 64: 7}, "large": {1: 2, 64: 2}}


def draw_weights(packing, *first):
    """Return weights in which no number comes twice."""
    draws = np.random.default_rng(0)
    return [draws.normal(size=(*first, *shape)).astype("f") for shape in packing.shapes]


@pytest.mark.parametrize("n_members", [1, 64])
@pytest.mark.parametrize("name", BLOCKS)
def test_arrays_come_back(name, n_members):
    """One member's weights survive packing, and do not share memory with the rows."""
    packing = Packing(BLOCKS[name], n_members)
    weights = draw_weights(packing)
    rows = packing.pack_arrays(weights)
    assert len(rows) == ROWS[name][n_members]
    for before, after in zip(weights, packing.unpack_arrays(rows), strict=True):
        assert_array_equal(before, after)
        assert not any(np.shares_memory(after, row) for row in rows)


@pytest.mark.parametrize("n_members", [1, 64])
@pytest.mark.parametrize("name", BLOCKS)
def test_tensors_come_back(name, n_members):
    """Tensors of several members do too, in the rows that arrays of one stand in."""
    packing = Packing(BLOCKS[name], n_members)
    weights = draw_weights(packing, n_members)
    rows = packing.pack([tf.constant(w) for w in weights])
    for before, after in zip(weights, packing.unpack(rows), strict=True):
        assert_array_equal(before, after)
    last = packing.pack_arrays([weight[-1] for weight in weights])
    for row, expected in zip(rows, last, strict=True):
        assert_array_equal(row[-1], expected)


def test_a_small_kernel_ends_with_its_bias():
    """The same rows hold the two as one; with more members fewer kernels are small."""
    shapes = {
        1: [(4, 128), (128, 128), (128,), (128,), (130, 130), (1,)],
        64: [(3, 128), (128,), (128, 128), (128,), (128,), (130, 130), (1,)],
    }
    for n_members, expected in shapes.items():
        packing = Packing(BLOCKS["mixed"], n_members)
        assert packing.joined.shapes == expected
        weights = draw_weights(packing)
        rows = packing.pack_arrays(weights)
        joined = packing.joined.unpack_arrays(rows)
        if n_members == 1:
            assert_array_equal(joined[0], [*weights[0], weights[1]])
        for before, after in zip(rows, packing.joined.pack_arrays(joined), strict=True):
            assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("optimizer", "n_features"),
    [("adam", 140), ("sgd", 140), ("nadam", 140), ("adam", 136)],
)
def test_large_weights_train_as_in_keras(optimizer, n_features):
    """A network with small and large weights takes Keras's steps, and can go on.

    The kernel of 136 x 120 is small, and would be large with its bias.
    """
    draws = np.random.default_rng(0)
    X, y = draws.normal(size=(40, n_features)).astype("f"), draws.normal(size=40)
    models = [
        KerasRegressor(
            engine=engine,
            optimizer=optimizer,
            hidden_layer_sizes=(120, 140),
            l2=0.01,
            epochs=2,
            early_stopping=False,
            warm_start=True,
            random_state=0,
        )
        .fit(X, y)
        .fit(X, y)
        for engine in ("compiled", "keras")
    ]
    here, there = (model.history_["loss"] for model in models)
    np.testing.assert_allclose(here, there, rtol=1e-4)
    for one, two in zip(models[0].weights_, models[1].weights_, strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-3, atol=1e-5)
