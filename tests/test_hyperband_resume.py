"""A Hyperband search that is killed goes on where it was."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkeras_tune import HyperbandSearchCV, KerasClassifier, fused
from skkeras_tune.training import recall
from tests.test_recall import finish, kill_after, list_files, read_times, start_search

SPACE = {"learning_rate": np.geomspace(1e-3, 0.3, 30).tolist()}


def build_search(folder, **options):
    model = KerasClassifier(units=8, patience=2, random_state=0, memory=str(folder))
    settings = {"max_epochs": 9, "cv": 2, "random_state": 0, **options}
    return HyperbandSearchCV(model, SPACE, **settings)


def read_scores(search):
    results = search.cv_results_
    return {n: np.asarray(v) for n, v in results.items() if "test_score" in n}


@pytest.mark.parametrize("fuses", [True, False])
def test_a_search_that_was_done_trains_nothing(iris, tmp_path, monkeypatch, fuses):
    """Run again, a search finds each stage of each training, and the same table."""
    search = build_search(tmp_path, max_epochs=9 if fuses else 3)
    with fused() if fuses else np.errstate():
        first = read_scores(search.fit(*iris))

        def refuse(trainings, **options):
            for training in trainings:
                assert training.paused is not None
                assert training.paused.result is not None  # which is at hand
            return train_all(trainings, **options)

        train_all = recall.train_all
        monkeypatch.setattr(recall, "train_all", refuse)
        again = read_scores(search.fit(*iris))
    for name, values in first.items():
        assert_array_equal(again[name], values)


def test_a_search_that_broke_off_goes_on(iris, tmp_path, monkeypatch):
    """After an interrupt only what had not ended is trained."""
    train_all, done = recall.train_all, []

    def break_off(*arguments, **options):
        if len(done) == 11:
            raise KeyboardInterrupt
        done.append(train_all(*arguments, **options))
        return done[-1]

    monkeypatch.setattr(recall, "train_all", break_off)
    with pytest.raises(KeyboardInterrupt):
        build_search(tmp_path, max_epochs=3).fit(*iris)
    monkeypatch.setattr(recall, "train_all", train_all)
    kept = read_times(tmp_path)
    assert len(kept) == 11  # the first rungs, and one fold of the second
    resumed = read_scores(build_search(tmp_path, max_epochs=3).fit(*iris))
    assert len(list_files(tmp_path)) == 13
    assert kept.items() <= read_times(tmp_path).items()
    undisturbed = build_search(tmp_path / "new", max_epochs=3).fit(*iris)
    for name, values in read_scores(undisturbed).items():
        assert_array_equal(resumed[name], values)


# --- SIGKILL

SEARCH = """
import json
import sys
from contextlib import nullcontext
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skkeras_tune import HyperbandSearchCV, KerasClassifier, fused

if __name__ == "__main__":
    folder, how, output = sys.argv[1:]
    X, y = load_breast_cancer(return_X_y=True)
    network = KerasClassifier(
        units=8, patience=3, batch_size=8, random_state=0, memory=folder or None
    )
    search = HyperbandSearchCV(
        make_pipeline(StandardScaler(), network),
        {"kerasclassifier__learning_rate": [10 ** (-1 - i / 10) for i in range(25)]},
        max_epochs=9,
        scoring=["accuracy", "neg_log_loss"],
        refit="neg_log_loss",
        cv=3,
        n_jobs=2 if how == "processes" else 1,
        random_state=0,
    )
    with fused() if how == "fused" else nullcontext():
        search.fit(X, y)
    table = {n: v.tolist() for n, v in search.cv_results_.items() if "test_" in n}
    for name in ("bracket", "rung", "epochs"):
        table[name] = search.cv_results_[name].tolist()
    table["best"] = search.best_params_
    table["probability"] = search.predict_proba(X)[:, 1].tolist()
    with open(output, "w") as file:
        json.dump(table, file)
"""
N_FIRST = 3 * (9 + 5 + 3)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    file = tmp_path_factory.mktemp("hyperband") / "search.py"
    file.write_text(SEARCH, encoding="utf-8")
    return file


@pytest.fixture(scope="module", params=["alone", "fused"])
def undisturbed(script, request):
    """How a search ran, what it gave, and how many trainings it took."""
    folder, output = script.with_name(request.param), script.with_name("whole.json")
    finish(start_search(script, folder, request.param, output))
    return request.param, read_table(output), len(list_files(folder))


def read_table(output):
    return json.loads(output.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("n_results", [10, N_FIRST + 3])
def test_a_killed_search_goes_on(tmp_path, script, undisturbed, n_results):
    """Killed in its first rungs or in later ones, it trains nothing twice."""
    how, expected, n_trainings = undisturbed
    if how == "alone" and n_results > N_FIRST:
        how = "processes"  # of which each holds a part of what goes on
    folder, output = tmp_path / "memory", tmp_path / "resumed.json"
    kill_after(start_search(script, folder, how, output), folder, n_results)
    before = read_times(folder)
    assert n_results <= len(before) < n_trainings
    assert not output.exists()
    finish(start_search(script, folder, how, output))
    after = read_times(folder)
    assert before.items() <= after.items()  # none was written again
    assert len(after) == n_trainings
    resumed = read_table(output)
    assert resumed["best"] == expected["best"]
    assert resumed.keys() == expected.keys()
    for name in expected.keys() - {"best"}:
        # A group of other members may round otherwise.
        rtol = 1e-3 if how == "fused" else 1e-6
        assert_allclose(resumed[name], expected[name], rtol=rtol, err_msg=name)
