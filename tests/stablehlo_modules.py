"""Modules of StableHLO, computed by XLA."""

from functools import partial

import tensorflow as tf

from skkeras_tune._compat.tensorflow import call_stablehlo
from skkeras_tune.training.arithmetic.stablehlo.module import Module
from skkeras_tune.training.arithmetic.stablehlo.symbolic_array import SymbolicArray


def begin_module(*arrays):
    """Return a module that takes arrays like these."""
    types = [(array.shape, array.dtype) for array in arrays]
    return Module(SymbolicArray, types)


def compute_all(function, *arrays):
    """Return what a module of a function makes of arrays, which is a list of arrays."""
    module = begin_module(*arrays)
    results = list(map(module.as_value, function(*module.arguments)))
    types = [(result.shape, result.dtype) for result in results]
    call = partial(call_stablehlo, module.finish(results), types)
    run = tf.function(call, jit_compile=True, autograph=False)
    returned = [tensor.numpy() for tensor in run(*map(tf.constant, arrays))]
    assert [(array.shape, array.dtype) for array in returned] == types
    return returned


def compute(function, *arrays):
    """Return the array that a module of a function makes of arrays."""
    return compute_all(lambda *values: [function(*values)], *arrays)[0]
