"""The program of the built-in network, written for XLA without a graph of TensorFlow's.

Tracing an operation takes TensorFlow 0.2 ms, and translating it for XLA some more;
writing its line takes 0.01 ms.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from skkeras_tune._compat.tensorflow import call_stablehlo, find_kernel_hints
from skkeras_tune.training.arithmetic.stablehlo.module import Module
from skkeras_tune.training.arithmetic.stablehlo.symbolic_array import SymbolicArray
from skkeras_tune.training.programs.formula_program import FormulaProgram
from skkeras_tune.training.programs.mlp_program import MLPProgram
from skkeras_tune.training.programs.program import State


class StableHLOProgram(FormulaProgram):
    """A design of the built-in network, as a module that XLA compiles.

    It takes and returns what any `Program` does, and in the same form. A TensorFlow
    that cannot take the module is given the graph, with a warning.
    """

    _module: Any = None
    _run: Any = None
    _form: Any = None

    def _trace(self) -> Any:
        self._run = None
        return self._call

    def _call(self, *arguments: Any) -> Any:
        given = tf.nest.flatten(arguments)
        if self._run is None:
            self._run, self._form = self._write(arguments)
        return tf.nest.pack_sequence_as(self._form, self._run(*given))

    def _write(self, arguments: Any) -> tuple[Any, Any]:
        """Return the module as a function of tensors, and the form of its results."""
        given = tf.nest.flatten(arguments)
        types = [(tensor.shape, tensor.dtype.as_numpy_dtype) for tensor in given]
        module = self._module = Module(SymbolicArray, types)
        ended = self._train(*tf.nest.pack_sequence_as(arguments, module.arguments))
        results = [module.as_value(value) for value in tf.nest.flatten(ended)]
        text = module.finish(results)
        self._module = None  # is long, and has been written
        form = tf.nest.map_structure(lambda _: 0, ended)
        returns = [(value.shape, value.dtype) for value in results]
        run = tf.function(
            partial(call_stablehlo, text, returns), jit_compile=True, autograph=False
        )
        return run.get_concrete_function(*given), form

    def _prepare(self, data: Any, run: Any, numbers: Any, state: State) -> None:
        """Write and compile."""
        try:
            super()._prepare(data, run, numbers, state)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            warnings.warn(
                f"TensorFlow {tf.__version__} does not take the program as it is "
                f"written here, and has to trace it, which takes longer: {error}",
                RuntimeWarning,
                stacklevel=3,
            )
            traced = MLPProgram(self.design)
            traced.prepare(data, run, numbers, state)
            self._function = traced.train

    def repeat_while(
        self, goes_on: Callable[..., Any], step: Callable[..., Any], start: list[Any]
    ) -> Any:
        """Take steps from nested values to such, while a condition holds."""

        def unpack(values: Any) -> Any:
            return tf.nest.pack_sequence_as(start, values)

        ended = self._module.repeat_while(
            lambda *values: goes_on(*unpack(values)),
            lambda *values: tf.nest.flatten(list(step(*unpack(values)))),
            tf.nest.flatten(start),
        )
        return unpack(ended)

    def compute_apart(self, compute: Callable[..., Any], arguments: list[Any]) -> Any:
        """Compute what XLA is to make one kernel of, if it knows how."""
        hints = find_kernel_hints()
        if not hints:
            return super().compute_apart(compute, arguments)
        forms = []

        def flatten(*values: Any) -> list[Any]:
            results = compute(*tf.nest.pack_sequence_as(arguments, values))
            forms.append(results)
            return list(tf.nest.flatten(results))

        found = self._module.call(flatten, tf.nest.flatten(arguments), hints)
        return tf.nest.pack_sequence_as(forms[0], found)
