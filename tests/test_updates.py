"""The steps of the optimizers are made of operations that XLA is quick at."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from skkeras_tune._compat.tensorflow import call_stablehlo
from skkeras_tune.frozen import freeze
from skkeras_tune.training.optimizers.rule import read_optimizer
from skkeras_tune.training.optimizers.updates import apply_gradients
from tests.stablehlo_modules import begin_module

N_MEMBERS, N_WEIGHTS = 3, 1000
OPTIMIZERS = {
    "SGD": keras.optimizers.SGD(momentum=0.9, nesterov=True),
    "RMSprop": keras.optimizers.RMSprop(centered=True, momentum=0.5),
    "Adagrad": keras.optimizers.Adagrad(),
    "Adadelta": keras.optimizers.Adadelta(),
    "Adam": keras.optimizers.Adam(amsgrad=True),
    "AdamW": keras.optimizers.AdamW(),
    "Adamax": keras.optimizers.Adamax(),
    "Nadam": keras.optimizers.Nadam(),
    "Lion": keras.optimizers.Lion(),
}


def begin_step(optimizer):
    """Return a step as a function of arrays, and arrays for it."""
    rule, numbers = read_optimizer(freeze(optimizer))
    row = np.ones((N_MEMBERS, N_WEIGHTS), "f")
    columns = {name: np.full(N_MEMBERS, x, "f") for name, x in numbers.items()}
    counters = {"iteration": np.zeros(N_MEMBERS, "i8")}
    counters |= {n: np.ones(N_MEMBERS, "f") for n in ("learning_rate", "variable")}
    given = {"columns": columns, "counters": counters}
    names = [(kind, name) for kind, group in given.items() for name in group]

    def step(weights, gradient, *values):
        slots, values = values[: len(rule.slots)], values[len(rule.slots) :]
        read = {"columns": {}, "counters": {}}
        for (kind, name), value in zip(names, values, strict=True):
            read[kind][name] = value
        new, kept, _ = apply_gradients(
            rule,
            (weights,),
            (gradient,),
            {name: (slot,) for name, slot in zip(rule.slots, slots, strict=True)},
            read["counters"],
            read["columns"],
        )
        return [*new, *(row for rows in kept.values() for row in rows)]

    rows = [row] * (2 + len(rule.slots))
    return step, [*rows, *(given[kind][name] for kind, name in names)]


def write_step(step, arrays):
    """Return a step of tensors that is written as StableHLO."""
    module = begin_module(*arrays)
    results = [module.as_value(x) for x in step(*module.arguments)]
    types = [(result.shape, result.dtype) for result in results]
    return partial(call_stablehlo, module.finish(results), types)


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_power_is_taken_of_each_weight(name, written):
    """XLA turns a quotient by ``x**0.5`` into ``x**-0.5``, which it is slow at."""
    step, arrays = begin_step(OPTIMIZERS[name])
    call = write_step(step, arrays) if written else step
    run = tf.function(call, jit_compile=True, autograph=False)
    ir = run.experimental_get_compiler_ir(*map(tf.constant, arrays))
    code = ir(stage="optimized_hlo")
    assert f"f32[{N_MEMBERS},{N_WEIGHTS}]" in code
    assert "constant(-0.5)" not in code
