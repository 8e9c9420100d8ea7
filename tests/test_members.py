"""`n_members`: networks from several seeds, trained together and averaged."""

import copy
import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import EnsembleClassifier, KerasClassifier, KerasRegressor, fused
from skkeras_tune.training import recall, trainer
from tests.plans import note_trainings
from tests.test_scikeras_subclasses import (
    TwoInputRegressor,
    TwoTargetClassifier,
    build_two_heads,
    build_two_inputs,
)

QUICK = {"units": 8, "epochs": 4, "learning_rate": 0.01, "random_state": 0}
PLAIN = {**QUICK, "early_stopping": False}


def classifier(**changes):
    """Return a small classifier of three members."""
    return KerasClassifier(**{**QUICK, "n_members": 3, **changes})


def regressor(**changes):
    """Return a small regressor of three members."""
    return KerasRegressor(**{**QUICK, "n_members": 3, **changes})


def build(meta, width=4):
    """A model function that gives all its models one name."""
    layers = [
        keras.layers.Dense(width, activation="relu"),
        keras.layers.Dense(meta["n_classes_"], activation="softmax"),
    ]
    return keras.Sequential(layers, name="mine")


def build_several(meta):
    """A model that cannot be compiled, since it has a layer of the user's own."""

    class Own(keras.layers.Layer):
        def call(self, x):
            return 2.0 * x

    layers = [Own(), keras.layers.Dense(meta["n_classes_"], activation="softmax")]
    return keras.Sequential(layers)


SPARSE = {"loss": "sparse_categorical_crossentropy"}
KINDS = {
    "compiled": {},
    "compiled for certain": {"engine": "compiled", "epochs": 40},
    "Keras's loop": {"engine": "keras"},
    "a model function": {"model": build, **SPARSE},
    "a layer of one's own": {"model": build_several, **SPARSE},
    "stopped early": {"epochs": 40, "patience": 1, "learning_rate": 0.05},
    "refit on all rows": {"refit_full": 1.5, "epochs": 10, "patience": 2},
    "dropout": {"dropout": 0.5, "normalization": "batch"},
}


def own(params):
    """Return parameters without those that only the built-in network has."""
    return {k: v for k, v in params.items() if k != "units" or "model" not in params}


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_member_is_the_only_one_of_one(iris, kind):
    """The first member is what `n_members=1` trains with the same `random_state`."""
    X, y = iris
    params = own({**QUICK, **KINDS[kind]})
    alone = KerasClassifier(**params).fit(X, y)
    together = KerasClassifier(**params, n_members=3).fit(X, y)
    first = together.members_[0]
    assert together.seed_ == first.seed_ == alone.seed_
    assert (first.engine_, first.best_epoch_) == (alone.engine_, alone.best_epoch_)
    for name, values in alone.history_.items():
        assert_allclose(first.history_[name], values, rtol=1e-4, atol=1e-5)
    assert_allclose(
        first.predict_proba(X), alone.predict_proba(X), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_without_held_out_rows_each_member_equals_its_twin(diabetes, engine):
    """A member trained in company ends with the weights of the same one alone."""
    X, y = diabetes
    together = KerasRegressor(**PLAIN, engine=engine, n_members=3).fit(X, y)
    for member in together.members_:
        alone = clone(member).fit(X, y)
        for weight, expected in zip(member.weights_, alone.weights_, strict=True):
            assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)
        assert member.get_params()["random_state"] == member.seed_


def test_members_hold_out_the_same_rows(iris, monkeypatch):
    """The held-out rows are those of one network, and no member trains on them."""
    done = note_trainings(monkeypatch, lambda training, result: training)
    classifier(n_members=1).fit(*iris)
    classifier().fit(*iris)
    held = [training.data.validation_rows for training in done]
    assert len(held) == 4
    for rows in held:
        assert_array_equal(rows, held[0])
    assert len({training.plan.seed for training in done}) == 3


def test_members_differ(iris):
    """Seeds decide initial weights and batch order, so members predict differently."""
    model = classifier().fit(*iris)
    seeds = [member.seed_ for member in model.members_]
    assert len(set(seeds)) == 3
    assert seeds == [m.seed_ for m in classifier().fit(*iris).members_]
    firsts = [member.weights_[0] for member in model.members_]
    assert np.abs(firsts[0] - firsts[1]).max() > 0.01


def test_probabilities_are_averaged(iris):
    """The prediction is the label of the highest mean probability."""
    X, y = iris
    model = classifier().fit(X, np.array(["a", "b", "c"])[y])
    each = [member.predict_proba(X) for member in model.members_]
    assert_allclose(model.predict_proba(X), np.mean(each, axis=0), rtol=1e-5)
    assert_array_equal(
        model.predict(X), model.classes_[np.mean(each, axis=0).argmax(axis=1)]
    )


def test_logits_are_averaged_as_probabilities(iris):
    """Of a loss from logits, probabilities are averaged, in `model_` too."""
    X, y = iris
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = classifier(loss=loss).fit(X, y)
    each = [member.predict_proba(X) for member in model.members_]
    assert_allclose(model.predict_proba(X), np.mean(each, axis=0), rtol=1e-5)
    found = model.model_.predict(X, verbose=0)
    assert_allclose(found, model.predict_proba(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_columns", [1, 2])
def test_predictions_are_averaged(diabetes, n_columns):
    """A regressor averages numbers, and tells their spread in y's units and shape."""
    X, y = diabetes
    y = 100 * (y if n_columns == 1 else np.column_stack([y, -y]))
    model = regressor().fit(X, y)
    each = [member.predict(X) for member in model.members_]
    assert_allclose(model.predict(X), np.mean(each, axis=0), rtol=1e-4, atol=1e-4)
    std = model.predict_std(X)
    assert std.shape == y.shape
    assert std.dtype == model.predict(X).dtype
    assert_allclose(std, np.std(each, axis=0), rtol=1e-3, atol=1e-4)


def test_members_agree_least_far_from_the_data(diabetes):
    """The spread grows away from the training rows."""
    X, y = diabetes
    model = regressor(epochs=30, n_members=5).fit(X, y)
    assert model.predict_std(10 * X).mean() > 2 * model.predict_std(X).mean()


def test_uncertainty_parts_in_two(iris):
    """The entropy of the mean is the mean entropy and what the members disagree by."""
    X, y = iris
    model = classifier().fit(X, y)
    found = model.predict_uncertainty(X)
    each = [member.predict_proba(X).astype(float) for member in model.members_]
    assert {v.shape for v in found.values()} == {(150,)}
    assert_allclose(found["entropy"], entropy(np.mean(each, axis=0), axis=1), rtol=1e-4)
    within = np.mean([entropy(p, axis=1) for p in each], axis=0)
    assert_allclose(found["expected_entropy"], within, rtol=1e-4)
    total = found["expected_entropy"] + found["mutual_information"]
    assert_allclose(found["entropy"], total, atol=1e-9)
    assert found["mutual_information"].min() >= 0
    assert found["entropy"].max() <= np.log(3) + 1e-9


def test_uncertainty_of_two_classes_and_of_certainty(cancer):
    """Two classes have at most the logarithm of two; sure members have none."""
    X, y = cancer
    model = classifier().fit(X, y)
    assert model.predict_uncertainty(X)["entropy"].max() <= np.log(2) + 1e-9
    sure = model.predict_uncertainty(1e6 * X)
    assert np.isfinite(sure["entropy"]).all()


def test_uncertainty_of_several_labels(iris):
    """Each label is a question of its own."""
    X, y = iris
    labels = np.column_stack([y == 0, y > 0, y == 1]).astype(int)
    model = classifier().fit(X, labels)
    found = model.predict_uncertainty(X)
    assert {v.shape for v in found.values()} == {(150, 3)}
    assert found["entropy"].max() <= np.log(2) + 1e-9
    assert model.predict(X).shape == labels.shape


@pytest.mark.parametrize(
    ("model", "method"),
    [(KerasRegressor, "predict_std"), (KerasClassifier, "predict_uncertainty")],
)
def test_one_network_has_no_spread(iris, model, method):
    """With a single network, the measures say what to set."""
    X, y = iris
    fitted = model(**QUICK).fit(X, y)
    message = rf"{method} measures how the members of a Keras.* Set n_members to 2"
    with pytest.raises(ValueError, match=message):
        getattr(fitted, method)(X)
    with pytest.raises(NotFittedError):
        getattr(model(n_members=2), method)(X)


@pytest.mark.parametrize("n_members", [0, -1, 2.0, "3", None])
def test_other_numbers_are_refused(iris, n_members):
    """The number of members is a positive integer."""
    message = (
        r"'n_members' parameter of KerasClassifier must be an int in the range "
        r"\[1, inf\)\. Got .* instead"
    )
    with pytest.raises(ValueError, match=message):
        KerasClassifier(n_members=n_members).fit(*iris)


# --- what a fit of many leaves


def test_history_is_the_mean_of_those_in_training(diabetes):
    """Members stop at their own epochs; the last epochs are the mean of few."""
    model = regressor(epochs=40, patience=1, learning_rate=0.05).fit(*diabetes)
    members = model.members_
    lengths = [member.n_epochs_ for member in members]
    assert len(set(lengths)) > 1
    assert model.n_epochs_ == len(model.history_["val_loss"]) == max(lengths)
    first = np.mean([member.history_["loss"][0] for member in members])
    assert model.history_["loss"][0] == pytest.approx(first)
    longest = max(members, key=lambda member: member.n_epochs_)
    if lengths.count(max(lengths)) == 1:
        assert model.history_["loss"][-1] == longest.history_["loss"][-1]
    bests = [member.best_epoch_ for member in members]
    assert model.best_epoch_ == sorted(bests)[1]


def test_refit_trains_each_for_its_own_epochs(diabetes):
    """Each member is trained again on all rows, by its own best epoch."""
    model = regressor(refit_full=2.0, epochs=30, patience=1, learning_rate=0.05)
    for member in model.fit(*diabetes).members_:
        assert len(member.refit_history_["loss"]) == 2 * member.best_epoch_
    lengths = [len(m.refit_history_["loss"]) for m in model.members_]
    assert len(model.refit_history_["loss"]) == max(lengths)


@pytest.mark.parametrize("params", [{}, {"model": build, **SPARSE}])
def test_model_averages_the_members(iris, params):
    """`model_` is a Keras model of all members, which shares their weights."""
    X, y = iris
    model = KerasClassifier(**own({**QUICK, **params}), n_members=3).fit(X, y)
    expected = model.predict_proba(X)
    average = model.model_
    assert model.model_ is average
    assert_allclose(average.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-6)
    weights = average.get_weights()
    assert len(weights) == len(model.weights_)
    for weight, found in zip(weights, model.weights_, strict=True):
        assert_array_equal(weight, found)
    average.set_weights([np.zeros_like(weight) for weight in weights])
    assert_allclose(model.predict_proba(X), 1 / 3, rtol=1e-5)


def test_model_can_be_saved(iris, tmp_path):
    """The averaging model is plain Keras, and loads without this package."""
    X, y = iris
    model = classifier().fit(X, y)
    model.model_.save(tmp_path / "average.keras")
    loaded = keras.models.load_model(tmp_path / "average.keras")
    assert_allclose(
        loaded.predict(X, verbose=0), model.predict_proba(X), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
def test_copies_predict_the_same(iris, copied):
    """A pickle or a copy has the members, and goes on training."""
    X, y = iris
    model = classifier(warm_start=True, callbacks=keras.callbacks.History()).fit(X, y)
    twin = copied(model)
    twin = pickle.loads(twin) if isinstance(twin, bytes) else twin
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert model.model_ is not None  # kept out of pickles, and predicts from here on
    twin = copied(model)
    twin = pickle.loads(twin) if isinstance(twin, bytes) else twin
    assert_allclose(twin.predict_proba(X), model.predict_proba(X), rtol=1e-5)
    assert [m.seed_ for m in twin.members_] == [m.seed_ for m in model.members_]
    assert not hasattr(twin, "callbacks_")
    assert twin.fit(X, y).history_["loss"][0] < model.history_["loss"][0]


def test_clone_keeps_the_number():
    """The number of members is a parameter like others."""
    model = clone(classifier()).set_params(n_members=5)
    assert model.get_params()["n_members"] == 5
    assert "n_members=5" in repr(model)


def test_callbacks_are_copied_for_each_member(iris):
    """Each member has callbacks of its own; `callbacks_` are the first's."""
    stopping = keras.callbacks.EarlyStopping(patience=1)
    model = classifier(callbacks=[stopping], epochs=30, learning_rate=0.1).fit(*iris)
    own_ones = [member.callbacks_[0] for member in model.members_]
    assert model.callbacks_[0] is own_ones[0]
    assert len({id(callback) for callback in own_ones}) == 3
    for member, callback in zip(model.members_, own_ones, strict=True):
        assert callback.best == pytest.approx(min(member.history_["val_loss"]))


def test_only_the_first_member_prints(iris, capsys):
    """Progress is that of one network, not of all at the same time."""
    classifier(verbose=2, epochs=2).fit(*iris)
    assert capsys.readouterr().out.count("Epoch 1/2") == 1


class Subclassed(keras.Model):
    """A network without inputs of its own."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3, activation="softmax")

    def call(self, x):
        return self.dense(x)


def test_subclassed_models_are_averaged(iris):
    """`model_` takes the shape of the rows where the members have no inputs."""
    X, y = iris
    model = KerasClassifier(
        lambda: Subclassed(), **SPARSE, epochs=2, n_members=2, random_state=0
    ).fit(X, y)
    found = model.model_.predict(X, verbose=0)
    assert_allclose(found, model.predict_proba(X), rtol=1e-4, atol=1e-6)


def test_several_inputs_are_averaged():
    """Members with two inputs make a model with two inputs."""
    X = np.random.default_rng(0).random((60, 2))
    model = TwoInputRegressor(
        model=build_two_inputs, epochs=2, n_members=2, random_state=0
    ).fit(X, X.sum(axis=1))
    found = model.model_.predict([X[:, :1], X[:, 1:]], verbose=0)
    assert_allclose(found[:, 0], model.predict(X), rtol=1e-4, atol=1e-6)
    assert model.predict_std(X).shape == (60,)


def test_several_outputs_are_averaged_one_by_one():
    """Each output is averaged; what has several has no single uncertainty."""
    generator = np.random.default_rng(0)
    y = np.column_stack([generator.integers(1, 3, 60), generator.integers(1, 4, 60)])
    X = StandardScaler().fit_transform(y)
    model = TwoTargetClassifier(
        model=build_two_heads, epochs=2, n_members=2, random_state=0
    ).fit(X, y)
    each = [member.predict_proba(X) for member in model.members_]
    assert_allclose(model.predict_proba(X), np.mean(each, axis=0), rtol=1e-5)
    assert [part.shape for part in model.model_.predict(X, verbose=0)] == [
        (60, 1),
        (60, 3),
    ]
    with pytest.raises(ValueError, match="one output, and this one has 2"):
        model.predict_uncertainty(X)


# --- going on with training


def test_partial_fit_trains_each_member(diabetes):
    """Three calls are three epochs of each."""
    whole = KerasRegressor(**{**PLAIN, "epochs": 3}, n_members=2).fit(*diabetes)
    parts = KerasRegressor(**PLAIN, n_members=2)
    for _ in range(3):
        parts.partial_fit(*diabetes)
    assert parts.n_epochs_ == parts.best_epoch_ == 3
    assert_allclose(parts.history_["loss"], whole.history_["loss"], rtol=1e-4)
    assert_allclose(
        parts.predict(diabetes[0]), whole.predict(diabetes[0]), rtol=1e-2, atol=1e-3
    )


def test_warm_start_goes_on_with_each_member(diabetes):
    """Two fits of two epochs are one of four, for each member."""
    two = {**PLAIN, "epochs": 2, "n_members": 2}
    whole = KerasRegressor(**{**two, "epochs": 4}).fit(*diabetes)
    parts = KerasRegressor(**two, warm_start=True).fit(*diabetes).fit(*diabetes)
    for part, full in zip(parts.members_, whole.members_, strict=True):
        assert_allclose(part.history_["loss"], full.history_["loss"][2:], rtol=1e-4)


def test_warm_start_may_change_the_number(diabetes):
    """Members that are there go on; new ones start afresh; others are dropped."""
    model = KerasRegressor(**PLAIN, n_members=2, warm_start=True).fit(*diabetes)
    before = [member.history_["loss"][0] for member in model.members_]
    seeds = [member.seed_ for member in model.members_]
    model.set_params(n_members=3).fit(*diabetes)
    after = [member.history_["loss"][0] for member in model.members_]
    assert [member.seed_ for member in model.members_[:2]] == seeds
    assert after[0] < before[0]
    assert after[1] < before[1]
    assert after[2] > max(after[:2])
    assert len(model.set_params(n_members=1).fit(*diabetes).members_) == 1


def test_initialize_makes_members_untrained(iris):
    """Without training there are as many networks, each with its first weights."""
    X, y = iris
    model = classifier().initialize(X, y)
    assert model.n_epochs_ == model.best_epoch_ == 0
    assert len(model.members_) == 3
    assert model.predict_uncertainty(X)["mutual_information"].max() > 0


# --- data


def test_weights_and_sparse_rows_count(diabetes):
    """A row of weight zero is left out, for each member; sparse rows are the same."""
    X, y = diabetes
    weight = (np.arange(len(y)) % 2).astype(float)
    plain = KerasRegressor(**PLAIN, n_members=2, batch_size=-1)
    weighted = clone(plain).fit(X, y, weight)
    half = clone(plain).fit(X[1::2], y[1::2])
    assert_allclose(weighted.predict(X), half.predict(X), rtol=1e-3, atol=1e-4)
    sparse = clone(plain).fit(csr_array(X), y, weight)
    assert_allclose(sparse.predict(X), weighted.predict(X), rtol=1e-3, atol=1e-4)


def test_a_validation_set_is_shared(iris):
    """Rows of one's own are the held-out rows of all members."""
    X, y = iris
    model = classifier().fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert all("val_loss" in member.history_ for member in model.members_)


# --- failures


def test_a_member_that_diverges_fails_the_fit(diabetes):
    """The error is that of one network, and the estimator stays as it was."""
    X, y = diabetes
    model = regressor().fit(X, y)
    before = model.predict(X)
    model.set_params(optimizer="sgd", learning_rate=1e12)
    with pytest.raises(ValueError, match="Lower the learning rate"):
        model.fit(X, y)
    assert_array_equal(model.predict(X), before)


def test_what_cannot_be_compiled_says_so(iris):
    """`engine="compiled"` refuses for all members what it refuses for one."""
    with pytest.raises(ValueError, match="engine='compiled' cannot train this"):
        classifier(engine="compiled", run_eagerly=True).fit(*iris)


# --- memory and company


def test_members_are_remembered_one_by_one(iris, tmp_path, monkeypatch):
    """More members train only those that are new."""
    trained = []
    train_all = recall.train_all

    def count(trainings, **options):
        trained.append(len(trainings))
        return train_all(trainings, **options)

    monkeypatch.setattr(recall, "train_all", count)
    memory = {"memory": str(tmp_path)}
    first = classifier(**memory).fit(*iris)
    again = classifier(**memory).fit(*iris)
    assert trained == [3]
    assert_array_equal(first.predict_proba(iris[0]), again.predict_proba(iris[0]))
    more = classifier(**memory, n_members=5).fit(*iris)
    assert trained == [3, 2]
    assert [m.seed_ for m in more.members_[:3]] == [m.seed_ for m in first.members_]


def test_members_train_with_other_fits_when_fused(iris):
    """Under `fused`, a search over numbers of members has the same scores."""
    X, y = iris
    grid = {"n_members": [1, 3], "learning_rate": [0.003, 0.03]}
    search = GridSearchCV(KerasClassifier(**QUICK), grid, cv=3)
    expected = clone(search).fit(X, y)
    with fused() as fusion:
        found = search.fit(X, y)
    assert_allclose(
        found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-4)
    report = fusion.report()
    assert report.n_fused == 2 * 3 * (1 + 3)
    assert [group.n_fits for group in report.groups] == [24]


def test_models_of_ones_own_train_in_turn_when_fused(iris):
    """Members of a model function train apart, with the same scores."""
    X, y = iris
    model = KerasClassifier(**own({**QUICK, "model": build, **SPARSE}), n_members=2)
    expected = cross_val_score(model, X, y, cv=2)
    with fused() as fusion:
        found = cross_val_score(model, X, y, cv=2)
    assert_allclose(found, expected)
    assert sum(fusion.report().apart.values()) == 4


def test_a_fit_within_fused_outside_of_joblib(iris):
    """In the body of the context the members train in a group of their own."""
    expected = classifier().fit(*iris)
    with fused():
        found = classifier().fit(*iris)
    assert_allclose(
        found.predict_proba(iris[0]), expected.predict_proba(iris[0]), atol=1e-5
    )


def test_a_failing_fit_fails_alone_when_fused(diabetes):
    """Members of one setting diverge; those of the other are scored."""
    model = KerasRegressor(**{**PLAIN, "optimizer": "sgd"}, n_members=2)
    search = GridSearchCV(
        model, {"learning_rate": [0.01, 1e12]}, cv=2, error_score=-9.0, refit=False
    )
    with pytest.warns(match="2 fits failed"), fused():
        search.fit(*diabetes)
    scores = search.cv_results_["mean_test_score"]
    assert scores[1] == -9.0
    assert scores[0] > -9.0


def test_many_members_wait_for_slots(iris, monkeypatch):
    """Members beyond what memory holds train when others have ended."""
    expected = classifier(n_members=5).fit(*iris)
    monkeypatch.setattr(trainer, "_MAX_BYTES", 1)
    found = classifier(n_members=5).fit(*iris)
    assert_allclose(
        found.predict_proba(iris[0]), expected.predict_proba(iris[0]), atol=1e-5
    )


def test_an_ensemble_of_ensembles(iris):
    """`EnsembleClassifier` takes them as any estimators, in pipelines too."""
    X, y = iris
    pair = [
        ("narrow", make_pipeline(StandardScaler(), classifier(n_members=2))),
        ("wide", classifier(units=16, n_members=2)),
    ]
    ensemble = EnsembleClassifier(pair, cv=2, random_state=0)
    with fused():
        scores = cross_val_score(ensemble, X, y, cv=2, error_score="raise")
    assert scores.shape == (2,)


def test_more_members_do_better(diabetes):
    """The mean of eight is better out of fold than the first of them."""
    few = {**QUICK, "units": 32, "epochs": 60, "learning_rate": 0.02}
    scores = [
        cross_validate(KerasRegressor(**few, n_members=n), *diabetes, cv=3)
        for n in (1, 8)
    ]
    one, eight = (found["test_score"].mean() for found in scores)
    assert eight > one
