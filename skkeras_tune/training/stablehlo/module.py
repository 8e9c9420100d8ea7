"""Operations in, the text of a StableHLO module out.

The text is in the generic form that the examples of the specification have
(https://openxla.org/stablehlo/spec): ``%v3 = "stablehlo.add"(%v1, %v2) : ...``.
XLA compiles it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from skkeras_tune.training.stablehlo.text import Shape, format_constant, format_type


class Value:
    """What an operation of a module defines: an array that it will compute.

    Attributes
    ----------
    module : Module
    name : str
        In the text, with the percent sign.
    shape : tuple of int
    dtype : numpy.dtype
    type : str
        Shape and dtype, in the text.
    """

    def __init__(
        self, module: "Module[Any]", name: str, shape: Sequence[int], dtype: DTypeLike
    ) -> None:
        self.module: Module[Self] = module
        self.name = name
        self.shape: Shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self.type = format_type(self.shape, self.dtype)


V = TypeVar("V", bound=Value)


class Module(Generic[V]):
    """The text of a module, while it is written.

    Parameters
    ----------
    value_class : subclass of Value
        What stands for the arrays.
    arguments : sequence of (shape, dtype)
        What its function takes.

    Attributes
    ----------
    arguments : list of values
    """

    def __init__(
        self,
        value_class: type[V],
        arguments: Sequence[tuple[Sequence[int], DTypeLike]],
    ) -> None:
        self._value_class = value_class
        self._n_names = 0
        self._lines: list[str] = []
        self._constants: dict[Any, V] = {}
        self.arguments = [self._build(shape, dtype) for shape, dtype in arguments]

    def finish(self, results: Sequence[Any]) -> str:
        """Return the text, with a function that returns these values or arrays."""
        values = [self.as_value(result) for result in results]
        types = _list_types(values)
        body = "\n".join([*self._lines, f"return {_list_names(values)} : {types}"])
        main = f"@main({_declare(self.arguments)}) -> ({types}) {{\n{body}\n}}"
        return f"module @training {{\nfunc.func public {main}\n}}\n"

    def as_value(self, x: Any) -> V:
        """Return a value as it is, and an array or number as a constant."""
        if isinstance(x, self._value_class):
            return x
        array = np.asarray(x)
        key = array.shape, array.dtype, array.tobytes()
        if key not in self._constants:
            self._constants[key] = self.define(
                "stablehlo.constant",
                [],
                array.shape,
                array.dtype,
                value=format_constant(array),
            )
        return self._constants[key]

    def define(
        self,
        operation: str,
        operands: Sequence[Value],
        shape: Sequence[int],
        dtype: DTypeLike,
        regions: Sequence[str] = (),
        **attributes: str,
    ) -> V:
        """Write an operation, and return its result."""
        result = self._build(shape, dtype)
        self._write(result.name, operation, operands, [result], regions, attributes)
        return result

    def write_region(
        self, like: Sequence[Value], compute: Callable[..., Sequence[Any]]
    ) -> tuple[str, list[V]]:
        """Return the text of what is computed of values like these, and its results.

        The values are new, and the results are values of the region alone.
        """
        outer = self._lines, self._constants
        self._lines, self._constants = [], {}
        try:
            takes = [self._build(value.shape, value.dtype) for value in like]
            results = [self.as_value(result) for result in compute(*takes)]
            body = "\n".join([f"^bb0({_declare(takes)}):", *self._lines])
        finally:
            self._lines, self._constants = outer
        names, types = _list_names(results), _list_types(results)
        end = f'"stablehlo.return"({names}) : ({types}) -> ()'
        return f"{{\n{body}\n{end}\n}}", results

    def repeat_while(
        self,
        goes_on: Callable[..., Any],
        step: Callable[..., Sequence[Any]],
        start: Sequence[Any],
    ) -> list[V]:
        """Take steps from values to values of the same types, while a condition holds.

        Values from outside of the loop may be used in it.
        """
        first = [self.as_value(x) for x in start]
        condition, _ = self.write_region(first, lambda *values: [goes_on(*values)])
        body, later = self.write_region(first, step)
        for one, two in zip(first, later, strict=True):
            if one.type != two.type:
                message = f"a loop begins with {one.type} and goes on with {two.type}"
                raise TypeError(message)
        name = self._new_name()
        left = f"{name}:{len(first)}"
        self._write(left, "stablehlo.while", first, first, [condition, body], {})
        return [
            self._value_class(self, f"{name}#{i}", value.shape, value.dtype)
            for i, value in enumerate(first)
        ]

    def _new_name(self) -> str:
        self._n_names += 1
        return f"%v{self._n_names}"

    def _build(self, shape: Sequence[int], dtype: DTypeLike) -> V:
        return self._value_class(self, self._new_name(), shape, dtype)

    def _write(
        self,
        left: str,
        operation: str,
        operands: Sequence[Value],
        results: Sequence[Value],
        regions: Sequence[str],
        attributes: dict[str, str],
    ) -> None:
        text = f'{left} = "{operation}"({_list_names(operands)})'
        if attributes:
            listed = ", ".join(
                [f"{key} = {value}" for key, value in attributes.items()]
            )
            text += f" <{{{listed}}}>"
        if regions:
            text += f" ({', '.join(regions)})"
        types = f"({_list_types(operands)}) -> ({_list_types(results)})"
        self._lines.append(f"{text} : {types}")


def _list_names(values: Sequence[Value]) -> str:
    return ", ".join([value.name for value in values])


def _list_types(values: Sequence[Value]) -> str:
    return ", ".join([value.type for value in values])


def _declare(values: Sequence[Value]) -> str:
    return ", ".join(f"{value.name}: {value.type}" for value in values)
