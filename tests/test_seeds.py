"""Steps before a network that have no seed are given one."""

from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skkeras_tune import KerasClassifier, KerasRegressor
from skkeras_tune.search.seeds import list_step_seeds


def test_steps_without_a_seed_are_given_one():
    """Each has its own, and the same each time; the user's and the network's stay."""
    model = make_pipeline(
        QuantileTransformer(), StandardScaler(), PCA(random_state=7), KerasClassifier()
    )
    seeds = list_step_seeds(model, 0)
    assert list(seeds) == ["quantiletransformer__random_state"]
    assert seeds == list_step_seeds(model, 0)
    assert seeds != list_step_seeds(model, 1)


def test_steps_are_found_wherever_they_are():
    """Steps in steps have seeds of their own."""
    columns = ColumnTransformer([("a", PCA(1), [0, 1]), ("b", PCA(1), [2, 3])])
    model = TransformedTargetRegressor(make_pipeline(columns, KerasRegressor()))
    seeds = list_step_seeds(model, 0)
    names = {f"regressor__columntransformer__{n}__random_state" for n in "ab"}
    assert seeds.keys() == names
    assert len(set(seeds.values())) == 2


def test_a_network_alone_has_no_steps():
    """There is nothing before it that could draw."""
    assert list_step_seeds(KerasClassifier(), 0) == {}
