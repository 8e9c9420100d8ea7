"""What we use of scikeras is there, and importing it changes nothing of Keras."""

import copy
import pickle
import runpy

import keras
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

from skkeras_tune import _scikeras
from skkeras_tune._scikeras import (
    BaseWrapper,
    accepts_kwargs,
    has_param,
    route_params,
    unflatten_params,
)

PATCHED = [
    (keras.Model, "__reduce__"),
    (keras.Model, "__deepcopy__"),
    (keras.losses.Loss, "__reduce__"),
    (keras.metrics.Metric, "__reduce__"),
    (keras.optimizers.Optimizer, "__reduce__"),
]


def test_every_name_is_there():
    """What the module promises exists in the installed version."""
    assert sorted(_scikeras.__all__) == _scikeras.__all__
    assert not [name for name in _scikeras.__all__ if not hasattr(_scikeras, name)]


@pytest.mark.parametrize(("cls", "name"), PATCHED)
def test_keras_pickles_by_itself(cls, name):
    """No class of Keras has a method of scikeras's after the import."""
    method = getattr(cls, name, None)
    module = getattr(method, "__module__", None) or ""
    assert not module.startswith("scikeras")


@pytest.mark.parametrize(
    "value",
    [
        keras.losses.BinaryCrossentropy(label_smoothing=0.2),
        keras.metrics.AUC(num_thresholds=20),
        keras.optimizers.SGD(0.1, momentum=0.5),
    ],
)
def test_keras_objects_pickle(value):
    """Losses, metrics and optimizers survive Keras's own pickling and copying."""
    for other in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert type(other) is type(value)
        assert other.get_config() == value.get_config()


def test_keras_models_pickle():
    """Models survive Keras's own pickling and copying, with their weights."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        for here, there in zip(other.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize(("cls", "name"), PATCHED)
def test_what_was_imported_before_stays(cls, name, monkeypatch):
    """Where the user imported scikeras first, its methods are left in place."""

    def theirs(self, *args):
        raise NotImplementedError

    monkeypatch.setattr(cls, name, theirs, raising=False)
    runpy.run_path(_scikeras.__file__)  # scikeras is imported by now
    assert getattr(cls, name) is theirs


def test_scikit_learn_takes_the_wrapper():
    """A class that extends scikeras's wrapper has scikit-learn's tags."""

    class Estimator(BaseWrapper):
        """An estimator that adds nothing."""

    expected = get_tags(BaseEstimator())
    assert get_tags(Estimator()).input_tags == expected.input_tags


# --- the functions, as their documentation says


def test_routing_takes_off_the_prefix():
    """Parameters of a destination lose its prefix, and the others stay behind."""
    params = {"a": 1, "optimizer__b": 2, "optimizer__c__d": 3, "loss__e": 4}
    assert route_params(params, "optimizer", set()) == {"b": 2, "c__d": 3}
    assert route_params(params, "optimizer", {"a"}) == {"a": 1, "b": 2, "c__d": 3}
    assert route_params(params, "optimizer", set(), strict=True) == {"b": 2}


def test_signatures_are_read():
    """A function's parameters are known by name."""

    def function(a, *args, b=1, **kwargs):
        return a, args, b, kwargs

    assert has_param(function, "a")
    assert has_param(function, "b")
    assert not has_param(function, "args")
    assert not has_param(function, "kwargs")
    assert accepts_kwargs(function)
    assert not accepts_kwargs(lambda a: a)


def test_classes_become_objects():
    """Classes in lists and dicts are built with the options meant for each."""
    losses = [keras.losses.Huber, {"a": keras.losses.Huber}, "mse"]
    built = unflatten_params(losses, {"0__name": "first", "1__a__name": "second"})
    assert built[0].name == "first"
    assert built[1]["a"].name == "second"
    assert built[2] == "mse"


def test_finished_objects_take_no_options():
    """An option for what is no class is refused."""
    with pytest.raises(TypeError, match="does not accept parameters"):
        unflatten_params("mse", {"name": "first"})
