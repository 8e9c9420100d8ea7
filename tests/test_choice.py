"""Dimensions whose categories may be any Python objects."""

import pickle

import numpy as np
import pytest
import skopt

from skkeras_tune.search.choice import Choice, OrderedChoice

CATEGORIES = {
    "tuples": [(64,), (128, 64), ()],
    "lists": [[64], [128, 64]],
    "mixed": [None, "relu", 1, 0.5, (8, 8), [8]],
    "equal": [1, 1.0, True],
    "single": [(64,)],
}


def are_identical(first, second):
    """Return whether two lists hold the same objects."""
    return len(first) == len(second) and all(map(lambda a, b: a is b, first, second))


@pytest.mark.parametrize("transform", ["onehot", "label", "normalize", "string"])
@pytest.mark.parametrize("categories", CATEGORIES.values(), ids=CATEGORIES)
def test_decoding_returns_the_encoded_objects(categories, transform):
    """Encoding and decoding, in any of skopt's ways, gives back the very objects."""
    choice = Choice(categories, transform=transform)
    assert are_identical(
        choice.inverse_transform(choice.transform(categories)), categories
    )


@pytest.mark.parametrize("categories", CATEGORIES.values(), ids=CATEGORIES)
def test_draws_are_the_objects_given(categories):
    """Random draws are the very objects given, and reach each of them."""
    drawn = Choice(categories).rvs(100, random_state=0)
    given = {id(category) for category in categories}
    assert {id(value) for value in drawn} == given


def test_a_single_draw_is_not_a_list():
    """Without a number, one category is drawn."""
    assert Choice([(1,), (2, 3)]).rvs(random_state=0) in [(1,), (2, 3)]


def test_prior_weights_the_draws():
    """A category of probability 0 is never drawn."""
    choice = Choice([(1,), (2,), (3,)], prior=[0.5, 0.0, 0.5])
    assert set(choice.rvs(50, random_state=0)) == {(1,), (3,)}


def test_prior_must_sum_to_one():
    """Probabilities that do not sum to 1 are refused."""
    with pytest.raises(ValueError, match="sum of provided pk is not 1"):
        Choice(["a", "b"], prior=[0.5, 0.6])


def test_unknown_encoding_is_refused():
    """An encoding that skopt does not have is refused."""
    with pytest.raises(ValueError, match="Expected transform to be"):
        Choice(["a", "b"], transform="ordinal")


def test_numpy_scalars_become_python_objects():
    """NumPy's scalars become Python's, which estimators take everywhere."""
    choice = Choice(np.array([16, 32, 64]))
    assert [type(category) for category in choice.categories] == [int, int, int]


def test_values_are_found_by_identity_then_equality():
    """1, 1.0 and True are told apart, and an equal object stands for a category."""
    choice = Choice([1, 1.0, True, (64,)])
    assert choice.find_positions([True, 1.0, 1, tuple(np.array([64]))]) == [2, 1, 0, 3]


def test_value_outside_the_categories_is_refused():
    """A value that is not a category has no position."""
    with pytest.raises(ValueError, match="not in tuple"):
        Choice([(64,)]).find_positions([(32,)])


def test_distance_is_whether_categories_differ():
    """Categories have no order: two are at distance 0 or 1."""
    choice = Choice([[1], [2], 1, True])
    assert choice.distance([1], [1]) == 0
    assert choice.distance([1], [2]) == 1
    assert choice.distance(1, True) == 1


def test_a_pickled_choice_works():
    """A choice that was pickled draws the same values."""
    choice = Choice([(64,), [128, 64], None])
    loaded = pickle.loads(pickle.dumps(choice))
    assert loaded == choice
    assert loaded.rvs(20, random_state=0) == choice.rvs(20, random_state=0)


@pytest.mark.parametrize("generator", ["random", "lhs", "halton", "grid"])
def test_skopt_starts_from_its_objects(generator):
    """All generators of initial points draw the objects given."""
    categories = [(64,), [128, 64], None]
    optimizer = skopt.Optimizer(
        [Choice(categories)],
        n_initial_points=3,
        initial_point_generator=generator,
        random_state=0,
    )
    assert optimizer.ask()[0] in categories


@pytest.mark.parametrize("surrogate", ["GP", "RF"])
def test_skopt_models_its_objects(surrogate):
    """The surrogates are fitted to the objects and propose them."""
    categories = [(64,), [128, 64], None]
    optimizer = skopt.Optimizer(
        [Choice(categories), (0.0, 1.0)],
        base_estimator=surrogate,
        n_initial_points=2,
        acq_func="EI",
        random_state=0,
    )
    optimizer.tell([[categories[0], 0.1], [categories[1], 0.9]], [1.0, 0.0])
    assert optimizer.ask()[0] in categories


@pytest.fixture
def steps():
    """Return a dimension of ordered values."""
    return OrderedChoice([0.0, 0.1, 0.2, None])


def test_order_is_kept(steps):
    """The surrogate sees places at equal distances, and gets the values back."""
    seen = steps.transform([0.0, 0.1, 0.2, None])
    assert seen.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert steps.inverse_transform(seen) == [0.0, 0.1, 0.2, None]
    assert steps.inverse_transform([-0.2, 1.2]) == [0.0, None]


def test_ordered_draws_follow_the_prior():
    """Each category is drawn as often as its probability says."""
    drawn = OrderedChoice([1, 2, 3], prior=[0.5, 0.0, 0.5]).rvs(200, random_state=0)
    assert set(drawn) == {1, 3}
    assert OrderedChoice([1, 2]).rvs(random_state=0) in (1, 2)


def test_order_survives_scikit_optimize(steps):
    """Whatever transformer skopt asks for, there is one column from 0 to 1."""
    steps.set_transformer("onehot")
    assert (steps.transformed_size, steps.transformed_bounds) == (1, (0.0, 1.0))
