"""What scikit-learn 1.9's callbacks are told of a search."""

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from skkeras_tune import BayesSearchCV
from skkeras_tune.search.tasks import open_task


def test_without_callbacks_there_is_no_task():
    """Below no task, as before scikit-learn 1.9, nothing is opened."""
    with open_task(None, LogisticRegression(), task_name="search") as task:
        assert task is None


class Recorder:
    """A callback of scikit-learn 1.9 that writes down the tasks."""

    def __init__(self):
        self.begun, self.ended = [], []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context):
        self.ended.append(context.task_name)


def build_fit(**options):
    """Return a recorder, and the fit of a search that it listens to."""
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 brought callbacks")
    recorder = Recorder()
    search = BayesSearchCV(
        LogisticRegression(), n_iter=2, cv=3, random_state=0, **options
    )
    search.set_callbacks(recorder)
    X, y = load_iris(return_X_y=True)
    return recorder, lambda: search.fit(X, y)


def test_callbacks_hear_of_each_task():
    """scikit-learn's callbacks are told of search, steps, evaluations and refit."""
    recorder, fit = build_fit(search_spaces={"C": (0.1, 1.0)})
    fit()
    step = ["step", *["candidate-split-evaluation"] * 3]
    assert recorder.begun == ["fit", "search", *step * 2, "refit-with-best-params"]
    assert sorted(recorder.ended) == sorted(recorder.begun)


def test_tasks_end_at_errors():
    """A task that has begun ends, even with an error."""
    recorder, fit = build_fit(search_spaces={"C": [-1.0, -2.0, -3.0]})
    with pytest.raises(ValueError, match="The 'C' parameter"):
        fit()
    assert recorder.ended == ["candidate-split-evaluation", "step", "search"]
