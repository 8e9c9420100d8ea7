"""Named search spaces of the built-in network, in the form of each search."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.model_selection import ParameterGrid, ParameterSampler
from skopt.space import Dimension

from skkeras_tune import BayesSearchCV, KerasClassifier, KerasRegressor, mlp_space
from skkeras_tune.search.dimensions import build_space
from skkeras_tune.search.spaces import choose_batch_size
from skkeras_tune.training.mlp.activations import HAVE_FORMULAS
from skkeras_tune.tuning.target import read_target

LEVELS = ["small", "default", "large"]


@pytest.mark.parametrize("level", LEVELS)
def test_bayes_gets_dimensions(level, iris):
    """Every entry is a dimension, and of a parameter that the network has."""
    space = mlp_space(level, *iris)
    assert all(isinstance(value, Dimension) for value in space.values())
    assert build_space(space, KerasClassifier()).keys() == space.keys()


@pytest.mark.parametrize("search", ["random", "hyperband"])
@pytest.mark.parametrize("level", LEVELS)
def test_random_gets_distributions(level, search, iris):
    """Candidates can be drawn, and the network takes each."""
    space = mlp_space(level, *iris, search=search)
    for candidate in ParameterSampler(space, 5, random_state=0):
        KerasClassifier().set_params(**candidate)


@pytest.mark.parametrize(("level", "size"), [("small", 8), ("default", 24)])
def test_grid_is_small(level, size, iris):
    """The grid has as many candidates as the docstring says."""
    grid = ParameterGrid(mlp_space(level, *iris, search="grid"))
    assert len(grid) == size
    KerasClassifier().set_params(**grid[0])
    assert len(ParameterGrid(mlp_space("large", search="grid"))) == 128


def test_default_ranges(iris):
    """Depth, width and learning rate cover the published ranges."""
    space = mlp_space("default", *iris)
    assert space["n_hidden"].categories == (1, 2, 3, 4)
    assert space["units"].categories[0] == 32
    assert space["units"].categories[-1] == 512
    ratios = np.divide(space["units"].categories[1:], space["units"].categories[:-1])
    assert (ratios == 2).all()
    rate = space["learning_rate"]
    assert (rate.low, rate.high, rate.prior) == (3e-4, 1e-2, "log-uniform")
    for name in ("dropout", "optimizer__weight_decay"):
        assert space[name].categories[0] == 0.0


def test_the_small_space_is_within_the_large_one(iris):
    """A larger level searches all that a smaller one does."""
    small, default, large = (mlp_space(level, *iris) for level in LEVELS)
    for less, more in ((small, default), (default, large)):
        assert less.keys() <= more.keys()
        for name in less.keys() - {"learning_rate", "batch_size"}:
            assert set(less[name].categories) <= set(more[name].categories), name


@pytest.mark.parametrize("level", ["default", "large"])
def test_all_of_a_space_has_formulas(level, iris):
    """No candidate has to be traced by TensorFlow."""
    assert set(mlp_space(level, *iris, search="random")["activation"]) <= HAVE_FORMULAS


def test_label_smoothing_is_for_labels(iris, diabetes):
    """Numbers have no labels to smooth, nor is it known of no target."""
    assert "loss__label_smoothing" in mlp_space("default", *iris)
    assert "loss__label_smoothing" not in mlp_space("default", *diabetes)
    assert "loss__label_smoothing" not in mlp_space("default")


@pytest.mark.parametrize(
    "y",
    [
        np.arange(21),
        np.arange(20),
        np.array([0.0, 1.0]),
        np.array(["a", "b"]),
        np.array([0, 1, 2], object),
        np.eye(3, dtype=int),
        np.arange(6).reshape(3, 2),
        np.arange(3).reshape(3, 1),
    ],
    ids=["counts", "whole", "two", "text", "objects", "columns", "outputs", "column"],
)
def test_labels_are_what_tune_takes_for_labels(y):
    """Where nobody says, values decide as they do in `tune`."""
    space = mlp_space("default", y=y)
    assert ("loss__label_smoothing" in space) is read_target(y).classifies


def test_whole_numbers_of_many_values_can_be_predicted():
    """A regressor takes every space of whole numbers that are no labels."""
    X, y = load_diabetes(return_X_y=True)
    space = mlp_space("default", X, y.astype(int), search="random")
    (candidate,) = ParameterSampler(space, 1, random_state=0)
    candidate |= {"n_hidden": 1, "units": 8, "epochs": 1}
    KerasRegressor(**candidate).fit(X, y.astype(int))


def test_the_task_can_be_said(iris, diabetes):
    """A task that is named goes before the values."""
    for data in (iris, diabetes, (None, None)):
        said = mlp_space("default", *data, task="classification")
        assert "loss__label_smoothing" in said
        said = mlp_space("default", *data, task="regression")
        assert "loss__label_smoothing" not in said


@pytest.mark.parametrize(
    ("n_rows", "size"),
    [(None, 64), (1, 32), (150, 32), (4_898, 64), (15_000, 128), (10**7, 512)],
)
def test_batches_grow_with_the_rows(n_rows, size):
    """A batch is about a hundredth of the rows, a power of two from 32 to 512."""
    assert choose_batch_size(n_rows) == size


@pytest.mark.parametrize("level", LEVELS)
def test_fewer_rows_are_penalized_more(level):
    """Penalties are in proportion to one over the rows, and none is zero."""
    few, many = (np.zeros((n_rows, 2)) for n_rows in (100, 10_000))
    expected = [0.0005, 0.005, 0.02, 0.08]
    assert mlp_space(level, few, search="random")["l2"] == expected
    found = mlp_space(level, many, search="random")["l2"]
    np.testing.assert_allclose(found, np.divide(expected, 100))
    assert mlp_space(level)["l2"].categories[0] == 8e-6  # as for 6,400 rows


def test_batch_sizes_are_searched(iris):
    """The levels search about the size that the rows suggest."""
    assert mlp_space("default", *iris)["batch_size"].categories == (32,)
    assert mlp_space("large", *iris)["batch_size"].categories == (16, 32, 64)
    assert mlp_space("small")["batch_size"].categories == (64,)


def test_prefix_comes_first():
    """A prefix leads to the network in a pipeline."""
    space = mlp_space("small", prefix="network__")
    assert all(name.startswith("network__") for name in space)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("level", "medium"), ("search", "sobol"), ("task", "ranking")],
)
def test_unknown_words_are_refused(parameter, value):
    """An unknown level, search or task is named."""
    match = rf"The '{parameter}' parameter of mlp_space must be .* Got '{value}'"
    with pytest.raises(ValueError, match=match):
        mlp_space(**{parameter: value})


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_labels_can_be_smoothed(kind, iris):
    """Smoothing works for every kind of labels, and changes the loss."""
    X, y = iris
    targets = {
        "binary": (y == 0).astype(int),
        "multiclass": y,
        "multilabel": np.eye(3, dtype=int)[y],
    }
    losses = [
        KerasClassifier(
            epochs=2, units=8, random_state=0, loss__label_smoothing=smoothing
        )
        .fit(X, targets[kind])
        .history_["loss"][-1]
        for smoothing in (0.0, 0.1)
    ]
    assert losses[0] != losses[1]


def test_weight_decay_works_apart_from_the_loss(diabetes):
    """Decay shrinks the weights, and a decay of zero is none."""
    X, y = diabetes

    def fit(**params):
        network = KerasRegressor(
            epochs=3, units=8, early_stopping=False, random_state=0, **params
        )
        return network.fit(X, y).weights_

    plain, none, decayed = (
        fit(),
        fit(optimizer__weight_decay=0.0),
        fit(optimizer__weight_decay=0.5, learning_rate=1e-2),
    )
    np.testing.assert_allclose(plain[0], none[0], rtol=1e-5)
    assert np.abs(decayed[0]).sum() < np.abs(fit(learning_rate=1e-2)[0]).sum()


def test_bayes_searches_steps_in_their_order(iris):
    """A search over ordered steps hands out the very values."""
    X, y = iris
    search = BayesSearchCV(
        KerasClassifier(epochs=2, random_state=0),
        {"units": mlp_space("default")["units"], "learning_rate": (1e-3, 1e-2)},
        n_iter=3,
        n_points=3,
        cv=2,
        random_state=0,
        optimizer_kwargs={"n_initial_points": 2},
    ).fit(X, y)
    units = search.cv_results_["param_units"].tolist()
    assert set(units) <= set(mlp_space("default")["units"].categories)
