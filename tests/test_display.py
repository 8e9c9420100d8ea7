"""Plots of histories and of searches, in scikit-learn's Display form."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkeras_tune import (
    HistoryDisplay,
    KerasClassifier,
    KerasRegressor,
    SearchDisplay,
    optional,
)
from tests.searches import X, build_search, search_failures, y

QUICK = {"units": 4, "epochs": 4, "random_state": 0}


@pytest.fixture(autouse=True)
def _closed():
    """Close the figures of a test."""
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def network():
    """Return a fitted classifier with a metric."""
    return KerasClassifier(**QUICK, metrics=["accuracy"]).fit(X, y)


@pytest.fixture(scope="module")
def grid():
    """Return a fitted search over numbers, names and tuples."""
    network = KerasClassifier(**QUICK)
    space = {
        "learning_rate": [0.0001, 0.01],
        "activation": ["relu", None],
        "hidden_layer_sizes": [(3,)],
    }
    return GridSearchCV(network, space, cv=2, scoring="neg_log_loss").fit(X, y)


# --- histories


def test_each_metric_has_a_panel(network):
    """The loss comes first; training and held-out rows have a curve each."""
    display = HistoryDisplay.from_estimator(network)
    assert [panel.get_ylabel() for panel in display.axes_] == ["loss", "accuracy"]
    assert display.ax_ is display.axes_[0]
    assert display.ax_.get_xlabel() == "Epoch"
    assert {panel.figure for panel in display.axes_} == {display.figure_}
    for name, line in display.lines_.items():
        assert_array_equal(line.get_xdata(), np.arange(1, network.n_epochs_ + 1))
        assert_allclose(line.get_ydata(), network.history_[name])


def test_the_best_epoch_is_marked(network):
    """A line in each panel stands at the best epoch, which the legend names."""
    display = HistoryDisplay.from_estimator(network)
    marks = [line.get_xdata()[0] for line in display.best_lines_]
    assert marks == [network.best_epoch_] * 2
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["train", "validation", f"best epoch: {network.best_epoch_}"]


def test_without_held_out_rows_nothing_is_best():
    """A network that trained to the end has no best epoch to mark."""
    plain = KerasClassifier(**QUICK, early_stopping=False).fit(X, y)
    display = HistoryDisplay.from_estimator(plain)
    assert display.best_lines_ == []
    assert list(display.lines_) == ["loss"]


def test_chosen_metrics_and_axes(network):
    """Panels go into the axes that are given, with the styles that are given."""
    figure, (left, right) = plt.subplots(1, 2)
    display = HistoryDisplay.from_estimator(
        network,
        metrics="accuracy",
        ax=right,
        train_kw={"color": "red", "linestyle": "--"},
        validation_kw={"label": "held out"},
        best_kw={"color": "blue"},
    )
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.lines
    assert display.lines_["accuracy"].get_color() == "red"
    assert display.lines_["accuracy"].get_linestyle() == "--"
    assert display.lines_["val_accuracy"].get_label() == "held out"
    assert display.best_lines_[0].get_color() == "blue"
    assert display.plot([left, right]) is display
    assert list(display.axes_) == [left, right]


def test_members_are_drawn_behind_their_mean():
    """Each member has a thin curve, and the mean a legend."""
    several = KerasClassifier(**QUICK, n_members=3).fit(X, y)
    display = HistoryDisplay.from_estimator(several)
    assert len(display.ax_.lines) == 2 * (3 + 1) + 1
    assert len(display.ax_.get_legend().get_texts()) == 3
    assert_allclose(display.lines_["loss"].get_ydata(), several.history_["loss"])


@pytest.mark.parametrize("epochs", [4, 5])
def test_held_out_rows_that_are_seldom_evaluated(epochs):
    """Their values stand at the epochs at which they were computed."""
    seldom = KerasClassifier(
        **{**QUICK, "epochs": epochs}, early_stopping=False, validation_split=0.2
    ).set_params(fit__validation_freq=3)
    display = HistoryDisplay.from_estimator(seldom.fit(X, y))
    assert_array_equal(display.lines_["val_loss"].get_xdata(), [3])
    history = {"loss": [3.0, 2.0, 1.0, 0.0], "val_loss": [2.0, 1.0]}
    display = HistoryDisplay(history=history).plot()
    assert_array_equal(display.lines_["val_loss"].get_xdata(), [2, 4])


def test_networks_are_found_where_they_are():
    """In pipelines, transformed targets and searches, alone and nested."""
    regressor = KerasRegressor(**QUICK)
    target = X[:, 0]
    pipeline = make_pipeline(StandardScaler(), regressor)
    nested = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
    search = GridSearchCV(nested, {"regressor__kerasregressor__units": [3]}, cv=2)
    for model in (pipeline, nested, search):
        display = HistoryDisplay.from_estimator(model.fit(X, target))
        assert list(display.lines_) == ["loss", "val_loss"]


@pytest.mark.parametrize(
    ("estimator", "error", "problem"),
    [
        (KerasClassifier(), NotFittedError, "not fitted"),
        (make_pipeline(KerasClassifier()), NotFittedError, "not fitted"),
        (LogisticRegression().fit(X, y), TypeError, "HistoryDisplay needs a fitted"),
        (5, TypeError, "Got 5 instead"),
    ],
)
def test_no_network(estimator, error, problem):
    """What is not fitted, or no network, is named."""
    with pytest.raises(error, match=problem):
        HistoryDisplay.from_estimator(estimator)


@pytest.mark.parametrize("metrics", ["auc", ["loss", "auc"], [], "val_loss"])
def test_unknown_metrics(network, metrics):
    """Metrics that were not recorded are refused, with those that were."""
    with pytest.raises(ValueError, match=r"metrics must be among \['accuracy', 'loss'"):
        HistoryDisplay.from_estimator(network, metrics=metrics)


def test_other_numbers_of_axes(network):
    """There must be as many axes as panels."""
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match=r"ax must be 2 Axes, one a panel\. Got 1"):
        HistoryDisplay.from_estimator(network, ax=ax)


# --- searches


def test_progress_shows_candidates_and_the_best_so_far(grid):
    """Scores stand in the order of trial; the line never falls."""
    display = SearchDisplay.from_search(grid)
    scores = grid.cv_results_["mean_test_score"]
    (points,), (line,) = display.points_, display.lines_
    assert_array_equal(points.get_xdata(), [1, 2, 3, 4])
    assert_allclose(points.get_ydata(), scores)
    assert_allclose(line.get_ydata(), np.maximum.accumulate(scores))
    assert display.ax_.get_ylabel() == "neg_log_loss"
    assert display.figure_ is display.ax_.figure


def test_parameters_have_a_panel_each(grid):
    """Those that vary are drawn: names as categories, rates on a log scale."""
    display = SearchDisplay.from_search(grid, kind="parameters")
    names = [panel.get_xlabel() for panel in display.axes_]
    assert names == ["activation", "learning_rate"]
    first, second = display.axes_
    assert [label.get_text() for label in first.get_xticklabels()] == ["relu", "None"]
    assert second.get_xscale() == "log"
    assert sorted(display.points_[1].get_xdata()) == [0.0001, 0.0001, 0.01, 0.01]
    assert display.lines_ == []


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1e-3, 1e-2, 1e-1], "log"),
        ([16, 32, 48, 64], "linear"),
        ([0.0, 0.5], "linear"),
        ([0.0004, 0.1, 0.2, 0.3, 0.4, 0.5], "linear"),
        (np.geomspace(1e-4, 1e-1, 8), "log"),
        ([5.0], "linear"),
    ],
)
def test_scales_follow_the_spread_of_values(values, scale):
    """Values that are even on a log scale are drawn on one."""
    params = [{"rate": value} for value in values]
    display = SearchDisplay(scores=np.arange(len(values)), params=params)
    assert display.plot(kind="parameters").ax_.get_xscale() == scale


def test_chosen_parameters(grid):
    """One that does not vary is drawn when it is asked for."""
    _, ax = plt.subplots()
    display = SearchDisplay.from_search(
        grid,
        kind="parameters",
        parameters="hidden_layer_sizes",
        ax=ax,
        point_kw={"marker": "x"},
    )
    assert display.ax_ is ax
    assert display.points_[0].get_marker() == "x"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["(3,)"]


def test_failures_leave_the_best_as_it_is():
    """A candidate that failed has no point, and does not end the line."""
    search = search_failures()
    display = SearchDisplay.from_search(search)
    best = display.lines_[0].get_ydata()
    assert np.isfinite(best).all() or np.isnan(best[0])
    assert best[-1] == pytest.approx(np.nanmax(search.cv_results_["mean_test_score"]))


def test_iterations_of_halving_have_a_line_each():
    """Scores of different iterations do not compare."""
    model, grid = LogisticRegression(max_iter=1000), {"C": [0.01, 0.1, 1.0, 10.0]}
    search = HalvingGridSearchCV(
        model, grid, cv=2, factor=2, min_resources=36, random_state=0
    )
    display = SearchDisplay.from_search(search.fit(X, y))
    sizes = [len(line.get_xdata()) for line in display.lines_]
    assert sizes == [4, 2, 1][: len(sizes)]
    assert len(sizes) > 1
    assert len(display.ax_.get_legend().get_texts()) == 2


def test_several_scores():
    """`metric` chooses among several; its name is the label."""
    search = GridSearchCV(
        LogisticRegression(max_iter=1000),
        {"C": [0.1, 1.0]},
        scoring=["accuracy", "neg_log_loss"],
        refit="accuracy",
        cv=2,
    ).fit(X, y)
    assert SearchDisplay.from_search(search).ax_.get_ylabel() == "accuracy"
    display = SearchDisplay.from_search(search, metric="neg_log_loss")
    assert display.ax_.get_ylabel() == "neg_log_loss"


def test_spaces_of_several_grids():
    """A parameter that a candidate lacks has no point there."""
    grids = [{"C": [0.1, 1.0]}, {"max_iter": [500, 1000, 2000]}]
    search = GridSearchCV(LogisticRegression(max_iter=1000), grids, cv=2).fit(X, y)
    display = SearchDisplay.from_search(search, kind="parameters")
    assert [len(p.get_xdata()) for p in display.points_] == [2, 3]


def test_what_a_search_display_refuses(grid):
    """Unknown kinds and parameters, and searches that are not fitted, are named."""
    with pytest.raises(ValueError, match="kind must be 'progress' or 'parameters'"):
        SearchDisplay.from_search(grid, kind="heatmap")
    for names in ("units", [], ["units", "activation"]):
        with pytest.raises(ValueError, match=r"parameters must be among \['activation"):
            SearchDisplay.from_search(grid, kind="parameters", parameters=names)
    with pytest.raises(NotFittedError, match="no cv_results_"):
        SearchDisplay.from_search(build_search())


def test_a_search_of_nothing_has_no_parameters_to_draw(iris):
    """An empty grid has one candidate, whose score can be drawn."""
    search = GridSearchCV(LogisticRegression(), {}).fit(*iris)
    assert len(SearchDisplay.from_search(search).points_) == 1
    with pytest.raises(ValueError, match=r"no parameters to draw.*kind='progress'"):
        SearchDisplay.from_search(search, kind="parameters")


def test_without_matplotlib(monkeypatch, network, grid):
    """Plots name the package that they need."""

    def fail(name):
        raise ImportError(name)

    monkeypatch.setattr(optional.importlib, "import_module", fail)
    with pytest.raises(ImportError, match=r"HistoryDisplay.plot needs matplotlib: pip"):
        HistoryDisplay.from_estimator(network)
    with pytest.raises(ImportError, match=r"SearchDisplay.plot needs matplotlib: pip"):
        SearchDisplay.from_search(grid)
