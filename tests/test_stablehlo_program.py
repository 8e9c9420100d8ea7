"""A written program trains as a traced one does."""

import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from skkeras_tune import KerasClassifier, KerasRegressor
from skkeras_tune.training import stablehlo_program
from skkeras_tune.training.mlp_program import MLPProgram
from skkeras_tune.training.stablehlo_program import StableHLOProgram


@pytest.fixture
def built(monkeypatch):
    """The classes of the programs that are built."""
    classes = []
    begin = MLPProgram.__init__

    def note(self, design):
        classes.append(type(self))
        begin(self, design)

    monkeypatch.setattr(MLPProgram, "__init__", note)
    return classes


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, StableHLOProgram),
        ({"normalization": "batch", "dropout": 0.2}, StableHLOProgram),
        ({"metrics": ["accuracy"]}, MLPProgram),
        ({"activation": "mish"}, MLPProgram),
        ({"loss": "kl_divergence"}, MLPProgram),
    ],
)
def test_what_is_written(iris, programs, built, params, expected):
    """Whatever has formulas is, and the rest is traced."""
    KerasClassifier(epochs=2, engine="compiled", **params).fit(*iris)
    assert built == [expected]
    assert len(list(programs)) == 1


@pytest.mark.parametrize(
    "error", [tf.errors.UnimplementedError, tf.errors.InvalidArgumentError]
)
def test_a_tensorflow_that_takes_no_module_is_given_the_graph(
    diabetes, programs, built, monkeypatch, error
):
    """The operation is private, and a version to come may take another form."""

    def refuse(*arguments):
        raise error(None, None, "cannot deserialize")

    monkeypatch.setattr(stablehlo_program, "call_stablehlo", refuse)
    by_keras = KerasRegressor(epochs=3, engine="keras", random_state=0).fit(*diabetes)
    model = KerasRegressor(epochs=3, engine="compiled", random_state=0)
    for _ in range(2):
        model.fit(*diabetes)
        assert_allclose(model.history_["loss"], by_keras.history_["loss"], rtol=1e-4)
    assert built == [StableHLOProgram, MLPProgram]
