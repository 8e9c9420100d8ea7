"""Everything random comes from one seed, and leaves no trace in the process."""

import random
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import chisquare

from skkeras_tune.randomness import (
    derive_seed,
    epoch_order,
    isolated_randomness,
    resolve_seed,
)
from tests.seeding import seed_everything

MAX_SEED = 2**31 - 1

# How to draw from each of the process's global generators.
DRAWS = {
    "python": random.random,
    "numpy": np.random.random,
    "keras": lambda: float(keras.random.uniform([])),
    "tensorflow": lambda: float(tf.random.uniform([])),
}


def draw_everything():
    """Return one draw from each of the process's global generators."""
    return {name: draw() for name, draw in DRAWS.items()}


@pytest.fixture
def _global_state():
    """Leave the process's generators unseeded for the tests that come after."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    yield
    keras.utils.set_random_seed(0)
    tf.random.set_seed(None)
    random.setstate(python_state)
    np.random.set_state(numpy_state)  # noqa: NPY002


@pytest.mark.parametrize("random_state", [0, np.int64(3), 2**32 - 1])
def test_an_integer_is_the_seed(random_state):
    """An integer is the seed itself, as a plain int."""
    seed = resolve_seed(random_state)
    assert type(seed) is int
    assert seed == random_state


def test_a_generator_is_advanced():
    """A RandomState gives a new seed each time, the same ones from one state."""
    first, second = np.random.RandomState(0), np.random.RandomState(0)
    seeds = [resolve_seed(first) for _ in range(3)]
    assert len(set(seeds)) == 3
    assert [resolve_seed(second) for _ in range(3)] == seeds


@pytest.mark.usefixtures("_global_state")
def test_none_leaves_the_global_generator_alone():
    """None gives fresh seeds, whatever NumPy's global generator was seeded with."""
    seed_everything(0)
    first = resolve_seed(None)
    after = draw_everything()
    seed_everything(0)
    assert draw_everything() == after
    seed_everything(0)
    assert resolve_seed(None) != first


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_drawn_seeds_are_plain_and_small(random_state):
    """A seed that is drawn is a Python int that every library takes."""
    seed = resolve_seed(random_state)
    assert type(seed) is int
    assert 0 <= seed < MAX_SEED


def test_what_is_no_random_state_is_refused():
    """What is no random state is refused, and shown."""
    with pytest.raises(ValueError, match="'monday' cannot be used to seed"):
        resolve_seed("monday")


def test_deriving_is_a_function():
    """The same seed, purpose and index give the same seed."""
    assert derive_seed(3, "weights", 1) == derive_seed(3, "weights", 1)


def test_derived_seeds_differ():
    """Changing any of the three changes the seed, also for near values."""
    derived = [
        derive_seed(seed, purpose, index)
        for seed in range(10)
        for purpose in ("weights", "dropout", "holdout")
        for index in range(10)
    ]
    assert len(set(derived)) == len(derived)


@pytest.mark.parametrize("seed", [0, MAX_SEED, 2**40])
def test_derived_seeds_are_plain_and_small(seed):
    """A derived seed is a Python int that every library takes."""
    derived = derive_seed(seed, "weights")
    assert type(derived) is int
    assert 0 <= derived < MAX_SEED


def order_of(seed, epoch, n_rows=50):
    """Return the order of one epoch of fifty rows."""
    return epoch_order(seed, epoch, n_rows)


def test_each_row_comes_once():
    """An epoch visits each row once."""
    np.testing.assert_array_equal(np.sort(order_of(0, 0)), np.arange(50))


def test_the_order_is_a_function():
    """The same seed and epoch give the same order."""
    np.testing.assert_array_equal(order_of(1, 2), order_of(1, 2))


def test_orders_differ():
    """Each epoch of each seed has an order of its own."""
    orders = {tuple(order_of(s, e)) for s in range(10) for e in range(10)}
    assert len(orders) == 100


def test_seed_and_epoch_do_not_mix():
    """Epoch 1 of seed 0 is not epoch 0 of seed 1."""
    assert not np.array_equal(order_of(0, 1), order_of(1, 0))


def test_orders_are_uniform():
    """Over many epochs each row is equally often in each place."""
    n_rows, n_epochs = 5, 300
    counts = np.zeros((n_rows, n_rows))
    for epoch in range(n_epochs):
        counts[np.arange(n_rows), order_of(0, epoch, n_rows)] += 1
    assert chisquare(counts.ravel()).pvalue > 1e-3


@pytest.mark.parametrize("n_rows", [1, 2])
def test_few_rows_have_orders(n_rows):
    """One row and two rows have orders too."""
    assert sorted(order_of(0, 0, n_rows)) == list(range(n_rows))


@pytest.mark.parametrize("seed", [0, MAX_SEED, 2**40])
def test_large_seeds_have_orders(seed):
    """Every seed that NumPy takes gives an order."""
    assert sorted(order_of(seed, 0)) == list(range(50))


@pytest.mark.usefixtures("_global_state")
@pytest.mark.parametrize("name", DRAWS)
def test_state_is_put_back(name):
    """What is drawn inside does not show in what is drawn after."""
    draw = DRAWS[name]
    seed_everything(0)
    expected = [draw(), draw()]
    seed_everything(0)
    drawn = [draw()]
    with isolated_randomness(5):
        draw()
    assert [*drawn, draw()] == expected


@pytest.mark.usefixtures("_global_state")
@pytest.mark.parametrize("name", DRAWS)
def test_state_is_put_back_after_an_error(name):
    """An error passes through, and the state is put back all the same."""
    draw = DRAWS[name]
    seed_everything(0)
    expected = draw()
    seed_everything(0)

    def fail():
        with isolated_randomness(5):
            draw()
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert draw() == expected


@pytest.mark.usefixtures("_global_state")
def test_seeding_inside_does_not_leak():
    """A model function that seeds the process does so for itself alone."""
    seed_everything(0)
    expected = draw_everything()
    seed_everything(0)
    with isolated_randomness(5):
        seed_everything(42)
    assert draw_everything() == expected


@pytest.mark.usefixtures("_global_state")
@pytest.mark.parametrize("name", DRAWS)
def test_the_seed_decides_the_draws(name):
    """The same seed gives the same draws, and another seed others."""
    draws = []
    for seed in (1, 1, 2):
        with isolated_randomness(seed):
            draws.append(DRAWS[name]())
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.usefixtures("_global_state")
def test_the_state_before_does_not_matter():
    """The draws are a function of the seed alone."""
    draws = []
    for before in (3, 4):
        seed_everything(before)
        with isolated_randomness(1):
            draws.append([DRAWS[n]() for n in ("python", "numpy", "keras")])
    assert draws[0] == draws[1]


@pytest.mark.usefixtures("_global_state")
def test_initializers_and_layers_are_seeded():
    """Layers and initializers without a seed of their own take the block's."""
    draws = []
    for seed in (1, 1, 2):
        with isolated_randomness(seed):
            dropout = keras.layers.Dropout(0.5)
            kernel = keras.initializers.GlorotUniform()((4, 4))
        draws.append([*np.ravel(kernel), *dropout(np.ones((1, 50)), training=True)])
    flat = [np.concatenate([np.ravel(part) for part in draw]) for draw in draws]
    np.testing.assert_array_equal(flat[0], flat[1])
    assert not np.array_equal(flat[0], flat[2])


@pytest.mark.usefixtures("_global_state")
def test_blocks_nest():
    """A block within a block leaves the outer one's draws as they were."""
    with isolated_randomness(1):
        expected = [random.random(), random.random()]
    with isolated_randomness(1):
        drawn = [random.random()]
        with isolated_randomness(2):
            random.random()
        drawn.append(random.random())
    assert drawn == expected


@pytest.mark.usefixtures("_global_state")
def test_threads_take_turns():
    """Blocks in several threads each get the draws that they get alone."""

    def draw(seed):
        with isolated_randomness(seed):
            return [random.random() for _ in range(1000)]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(draw, range(20))) == [draw(s) for s in range(20)]
