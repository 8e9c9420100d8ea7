"""The learning-rate range test: its curve, its suggestion and its plot."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import KerasClassifier, KerasRegressor, find_learning_rate, optional
from skkeras_tune.learning_rate import LearningRateCurve, RateRamp
from tests.searches import WEIGHTS

QUICK = {"n_steps": 60}


@pytest.fixture(scope="module")
def digits():
    """1797 pictures of ten digits."""
    X, y = load_digits(return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="module")
def curve(digits):
    """The curve of a network for digits."""
    return find_learning_rate(KerasClassifier(random_state=0), *digits)


def test_rates_rise_exponentially(curve):
    """The rate begins at the lowest, and is multiplied by the same in each step."""
    assert curve.rates[0] == pytest.approx(1e-6)
    ratios = curve.rates[1:] / curve.rates[:-1]
    np.testing.assert_allclose(ratios, 1e7 ** (1 / 299))
    assert 100 < len(curve.losses) == len(curve.rates) <= 300


def test_losses_fall_and_rise(curve):
    """Small rates change nothing, middling ones learn, and large ones diverge."""
    losses = curve.smoothed_losses
    lowest = int(np.argmin(losses))
    assert losses[:30].mean() == pytest.approx(np.log(10), abs=0.4)
    assert np.ptp(losses[:30]) < 0.3
    assert losses[lowest] < 1
    assert losses[-1] > 4 * losses[lowest]


def test_the_first_loss_is_that_of_the_first_batch(digits):
    """Each loss is that of one batch alone, and not of the epoch so far."""
    X, y = digits
    network = KerasClassifier(batch_size=-1, random_state=0)
    found = find_learning_rate(network, X, y, min_rate=1e-9, max_rate=1e-8, **QUICK)
    untrained = clone(network).set_params(
        epochs=1, learning_rate=1e-12, early_stopping=False
    )
    chances = untrained.fit(X, y).predict_proba(X).astype(float)
    expected = log_loss(y, chances / chances.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found.losses, expected, rtol=1e-4)


def test_suggestion_learns(digits, curve):
    """The suggestion learns in a few epochs what its hundredth does not."""
    X, y = digits
    scores = [
        KerasClassifier(
            learning_rate=curve.suggestion * factor, epochs=5, random_state=0
        )
        .fit(X, y)
        .score(X, y)
        for factor in (1, 0.01)
    ]
    assert scores[0] > 0.95
    assert scores[1] < 0.6


def test_a_curve_is_printed_in_a_line():
    """A curve is shown by what it suggests, and not by its hundreds of numbers."""
    curve = LearningRateCurve(np.array([1e-3, 1e-2]), np.array([1.0, 0.5]))
    assert repr(curve).endswith(f"(suggestion={curve.suggestion:.3g}, 2 steps)")


def test_suggestion_is_a_tenth():
    """The suggestion is a tenth of the rate of the lowest loss."""
    rates = np.geomspace(1e-4, 1, 101)
    curve = LearningRateCurve(rates, (np.log10(rates) + 2) ** 2)
    assert curve.suggestion == pytest.approx(1e-3)


def test_one_bad_batch_is_no_minimum():
    """A single loss that is far off moves nothing."""
    rates = np.geomspace(1e-4, 1, 101)
    losses = (np.log10(rates) + 2) ** 2
    losses[[10, 50]] = -5, 50
    assert LearningRateCurve(rates, losses).suggestion == pytest.approx(1e-3, rel=0.2)


def test_pipelines_and_targets(diabetes):
    """A network inside of other estimators is found, and gets their data."""
    X, y = diabetes
    network = KerasRegressor(random_state=0)
    pipeline = make_pipeline(StandardScaler(), network)
    scaled = StandardScaler().fit_transform(X * 1000)
    plain = find_learning_rate(network, scaled, y, **QUICK)
    piped = find_learning_rate(pipeline, X * 1000, y, **QUICK)
    np.testing.assert_allclose(piped.losses, plain.losses, rtol=1e-3)
    target = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
    both = find_learning_rate(target, X, 1000 * y, **QUICK)
    np.testing.assert_allclose(both.losses, plain.losses, rtol=1e-3)


def test_the_estimator_is_left_as_it_is(iris):
    """Neither parameters nor a fitted network change, nor does global random state."""
    network = KerasClassifier(epochs=2, random_state=0).fit(*iris)
    params, weights = network.get_params(), network.weights_
    before = np.random.get_state()[1].copy()  # noqa: NPY002  the state to compare
    find_learning_rate(network, *iris, **QUICK)
    assert network.get_params() == params
    assert network.weights_ is weights
    after = np.random.get_state()[1]  # noqa: NPY002  the state to compare
    np.testing.assert_array_equal(before, after)


def test_same_seed_same_curve(iris):
    """The random state decides the curve."""
    curves = [
        find_learning_rate(KerasClassifier(random_state=seed), *iris, **QUICK)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(curves[0].losses, curves[1].losses)
    assert not np.array_equal(curves[0].losses[:9], curves[2].losses[:9])


def test_routes_and_callbacks_take_no_part(iris):
    """Callbacks, epochs and rates set in other ways do not get in the way."""
    stopping = keras.callbacks.EarlyStopping(monitor="loss", patience=0)
    network = KerasClassifier(
        callbacks=stopping,
        fit__epochs=1,
        fit__callbacks=[stopping],
        optimizer="sgd",
        optimizer__learning_rate=0.5,
        optimizer__momentum=0.5,
        refit_full=True,
        validation_split=0.5,
        random_state=0,
    )
    found = find_learning_rate(network, *iris, **QUICK)
    plain = KerasClassifier(optimizer="sgd", optimizer__momentum=0.5, random_state=0)
    expected = find_learning_rate(plain, *iris, **QUICK)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5)


def test_schedules_are_replaced(iris):
    """A schedule of the user's gives way to the test's rates."""
    schedule = keras.optimizers.schedules.ExponentialDecay(1.0, 10, 0.5)
    plain = find_learning_rate(KerasClassifier(random_state=0), *iris, **QUICK)
    for options in (
        {"learning_rate": schedule},
        {"optimizer": keras.optimizers.Adam(schedule)},
    ):
        network = KerasClassifier(**options, random_state=0)
        found = find_learning_rate(network, *iris, **QUICK)
        np.testing.assert_allclose(found.losses, plain.losses, rtol=1e-5)


def test_models_of_the_users(iris):
    """A model that its function compiles is tested under its own optimizer."""

    def build(meta):
        layers = [keras.Input((meta["n_features_in_"],)), keras.layers.Dense(3)]
        model = keras.Sequential([*layers, keras.layers.Softmax()])
        model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
        return model

    curve = find_learning_rate(KerasClassifier(build, random_state=0), *iris)
    assert 1e-3 < curve.suggestion < 10


def test_arguments_of_fit(iris):
    """Weights of rows reach the fit."""
    network = KerasClassifier(random_state=0)
    weighted = find_learning_rate(network, *iris, sample_weight=WEIGHTS, **QUICK)
    plain = find_learning_rate(network, *iris, **QUICK)
    assert not np.allclose(weighted.losses[:9], plain.losses[:9])


def test_divergence_ends_the_test(diabetes):
    """A loss that explodes ends the test without an error."""
    network = KerasRegressor(optimizer="sgd", random_state=0)
    curve = find_learning_rate(network, *diabetes, max_rate=1e6, n_steps=100)
    assert len(curve.losses) < 100
    assert np.isfinite(curve.losses).all()
    assert 1e-4 < curve.suggestion < 1


def test_losses_below_zero(diabetes):
    """A loss that may be negative falls and diverges before the test ends."""
    X, _ = diabetes
    _, y = load_diabetes(return_X_y=True)
    curve = find_learning_rate(KerasRegressor(loss="poisson", random_state=0), X, y)
    assert curve.losses[:10].max() < 0
    assert 200 < len(curve.losses) < 300
    assert 1e-3 < curve.suggestion < 1e-1


def count_steps(losses):
    """Return the number of steps after which losses end a test."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.stop_training = False
    ramp = RateRamp(np.geomspace(1e-6, 1, len(losses)))
    ramp.set_model(model)
    ramp.on_train_begin()
    for loss in losses:
        ramp.on_train_batch_end(0, {"loss": loss})
        if model.stop_training:
            break
    return len(ramp.losses)


@pytest.mark.parametrize(
    ("first", "later", "is_over"),
    [
        ([1.0], 4.1, True),
        ([1.0], 3.9, False),
        ([-1.0], 2.1, True),
        ([-1.0], 1.9, False),
        ([-1.0, 1.0], 3.5, True),
        ([-1.0, 1.0], 2.0, False),
    ],
    ids=str,
)
def test_the_test_ends_when_losses_are_far_above_the_first(first, later, is_over):
    """It ends when the loss has risen by three times the size of the first ones."""
    n_first = 10 // len(first)
    n_steps = count_steps(first * n_first + [later] * 90)
    assert 10 < n_steps < 90 if is_over else n_steps == 100


def test_plot(curve, monkeypatch):
    """The plot has both curves and the suggestion, on axes of its own or given."""
    shown = curve.plot()
    assert shown is curve
    assert shown.ax_.get_xscale() == "log"
    assert len(shown.ax_.lines) == 3
    assert shown.figure_ is shown.ax_.figure
    figure, ax = plt.subplots()
    assert curve.plot(ax=ax).ax_ is ax
    assert curve.figure_ is figure
    plt.close("all")

    def fail(name):
        raise ImportError(name)

    monkeypatch.setattr(optional.importlib, "import_module", fail)
    with pytest.raises(ImportError, match="needs matplotlib: pip install matplotlib"):
        curve.plot()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"min_rate": 0}, "0 < min_rate < max_rate. Got 0 and 10.0"),
        ({"min_rate": 1, "max_rate": 0.1}, "Got 1 and 0.1"),
        ({"max_rate": np.inf}, "must be finite"),
        ({"n_steps": 9}, "n_steps must be an int of at least 10. Got 9"),
        ({"n_steps": 99.5}, "Got 99.5"),
    ],
)
def test_bad_ranges(iris, options, problem):
    """A range that is none is refused."""
    with pytest.raises(ValueError, match=problem):
        find_learning_rate(KerasClassifier(), *iris, **options)


def test_estimators_without_one_network(iris):
    """An estimator that holds no network, or two, is refused."""
    for other in (LogisticRegression(), make_pipeline(StandardScaler()), None):
        with pytest.raises(
            TypeError, match="needs a KerasClassifier or KerasRegressor"
        ):
            find_learning_rate(other, *iris)
    voting = VotingClassifier([("a", KerasClassifier()), ("b", KerasClassifier())])
    with pytest.raises(ValueError, match=r"Got those of \['a', 'b'\]"):
        find_learning_rate(voting, *iris)


def test_estimators_that_train_several_times(iris):
    """A search trains its network on each fold, which is no one curve."""
    search = GridSearchCV(KerasClassifier(), {"units": [4, 8]}, cv=2)
    match = r"Got GridSearchCV, which trained it 5 times: pass the estimator inside"
    with pytest.raises(ValueError, match=match):
        find_learning_rate(search, *iris, **QUICK)


def test_a_loss_that_is_never_finite(diabetes):
    """Where training cannot even begin, the error says what to change."""
    X, y = diabetes
    network = KerasRegressor(optimizer="sgd", random_state=0)
    with pytest.raises(ValueError, match=r"not finite after .*Scale X and y, or lower"):
        find_learning_rate(network, X, y * 1e25, min_rate=1e3, max_rate=1e4)


@pytest.mark.parametrize("name", ["min_learning_rate", "max_lr", "num_steps"])
@pytest.mark.parametrize("wrap", [lambda network: network, make_pipeline])
def test_a_misspelt_argument(digits, name, wrap):
    """The error of `fit`, which gets arguments that are not known, says which are."""
    with pytest.raises((TypeError, ValueError), match=name) as caught:
        find_learning_rate(wrap(KerasClassifier()), *digits, **{name: 1})
    (note,) = caught.value.__notes__
    assert f"takes min_rate, max_rate, n_steps and passes {name} on to fit" in note


def test_an_argument_of_another_name(digits):
    """Nothing is added to an error of `fit` where no name is near."""
    with pytest.raises(TypeError, match="unexpected argument 'epoch'") as caught:
        find_learning_rate(KerasClassifier(), *digits, epoch=1)
    assert not hasattr(caught.value, "__notes__")
