"""A written program trains as a traced one does."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from skkeras_tune import KerasClassifier, KerasRegressor
from skkeras_tune.training.programs import stablehlo_program
from skkeras_tune.training.programs.cache import ProgramCache
from skkeras_tune.training.programs.mlp_program import MLPProgram
from skkeras_tune.training.programs.stablehlo_program import StableHLOProgram


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
        ({"activation": "softsign"}, MLPProgram),
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
    with pytest.warns(RuntimeWarning, match="cannot deserialize"):
        model.fit(*diabetes)
    for _ in range(2):  # and then the program is there, without a warning
        assert_allclose(model.history_["loss"], by_keras.history_["loss"], rtol=1e-4)
        model.fit(*diabetes)
    assert built == [StableHLOProgram, MLPProgram]


def test_large_batches_make_no_large_program(programs, monkeypatch):
    """A constant for each output of a batch would be as long as the batch."""
    texts = []
    call = stablehlo_program.call_stablehlo

    def note(text, *rest):
        texts.append(text)
        return call(text, *rest)

    monkeypatch.setattr(stablehlo_program, "call_stablehlo", note)
    X = np.random.default_rng(0).normal(size=(6000, 4))
    model = KerasRegressor(
        units=50, epochs=1, dropout=0.5, batch_size=-1, engine="compiled"
    )
    model.fit(X, X[:, 0])
    assert len(texts) == 1
    assert len(texts[0]) < 200_000


@pytest.mark.parametrize("engine", ["auto", "compiled"])
def test_dropout_is_the_same_however_its_places_are_found(iris, monkeypatch, engine):
    """In each step, or once for all of them."""
    model = KerasClassifier(epochs=4, dropout=0.3, random_state=0, engine=engine)
    once = model.fit(*iris).history_["loss"]
    monkeypatch.setattr("skkeras_tune.training.groups.slots.programs", ProgramCache())
    monkeypatch.setattr("skkeras_tune.training.mlp.layers._MANY_PLACES", 0)
    assert_allclose(model.fit(*iris).history_["loss"], once, rtol=1e-5)
