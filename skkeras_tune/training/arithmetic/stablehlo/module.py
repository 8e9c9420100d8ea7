"""Operations in, the text of a StableHLO module out.

The text is in the generic form that the examples of the specification have
(https://openxla.org/stablehlo/spec): ``%v3 = "stablehlo.add"(%v1, %v2) : ...``.
XLA compiles it.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from skkeras_tune.training.arithmetic.stablehlo.text import (
    Shape,
    format_constant,
    format_type,
)

_NAME = re.compile(r"%v\d+")
# A call returns its arguments of so many numbers, too.
_FEW = 2**14
_NO_HINTS: Mapping[str, str] = {}


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
        self._functions: list[str] = []
        self._constants: dict[Any, V] = {}
        self.arguments = [self._build(shape, dtype) for shape, dtype in arguments]

    def finish(self, results: Sequence[Any]) -> str:
        """Return the text, with a function that returns these values or arrays."""
        values = [self.as_value(result) for result in results]
        main = _write_function("public @main", self.arguments, self._lines, values)
        functions = "\n".join([main, *self._functions])
        return f"module @training {{\n{functions}\n}}\n"

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
        takes, lines, results = self._write_apart(like, compute)
        body = "\n".join([f"^bb0({_declare(takes)}):", *lines])
        names, types = _list_names(results), _list_types(results)
        end = f'"stablehlo.return"({names}) : ({types}) -> ()'
        return f"{{\n{body}\n{end}\n}}", results

    def _write_apart(
        self, like: Sequence[Value], compute: Callable[..., Sequence[Any]]
    ) -> tuple[list[V], list[str], list[V]]:
        """Return new values like these, and lines and results of what takes them."""
        outer = self._lines, self._constants
        self._lines, self._constants = [], {}
        try:
            takes = [self._build(value.shape, value.dtype) for value in like]
            results = [self.as_value(result) for result in compute(*takes)]
            return takes, self._lines, results
        finally:
            self._lines, self._constants = outer

    def call(
        self,
        compute: Callable[..., Sequence[Any]],
        arguments: Sequence[Any],
        hints: Mapping[str, str],
    ) -> list[V]:
        """Write a function of its own, and return what it makes of values or arrays.

        The function has no argument that is not needed, and returns those of few
        numbers: XLA may find out that one is not needed after all, and must not be left
        with one that nobody reads.

        Parameters
        ----------
        compute : callable
            Uses nothing from outside but its arguments.
        arguments : sequence of values or arrays
        hints : mapping of str to str
            XLA's attributes of the call.
        """
        given = [self.as_value(x) for x in arguments]
        takes, lines, results = self._write_apart(given, compute)
        known = dict(zip([take.name for take in takes], given, strict=True))
        new = list({r.name: r for r in results if r.name not in known}.values())
        lines, needed = _leave_out(lines, new)
        used = [take for take in takes if take.name in needed]
        returned = [*new, *[take for take in used if math.prod(take.shape) <= _FEW]]
        callee = f"@part{len(self._functions)}"
        text = _write_function(f"private {callee}", used, lines, returned)
        self._functions.append(text)
        name, passed = self._new_name(), [known[take.name] for take in used]
        left, callees = f"{name}:{len(returned)}", {"callee": callee}
        self._write(left, "func.call", passed, returned, [], callees, hints)
        parts = self._take_parts(name, new)
        known.update(zip([value.name for value in new], parts, strict=True))
        return [known[result.name] for result in results]

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
        return self._take_parts(name, first)

    def _take_parts(self, name: str, like: Sequence[Value]) -> list[V]:
        """Return the values that an operation of several results defines."""
        return [
            self._value_class(self, f"{name}#{i}", value.shape, value.dtype)
            for i, value in enumerate(like)
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
        attributes: Mapping[str, str],
        hints: Mapping[str, str] = _NO_HINTS,
    ) -> None:
        text = f'{left} = "{operation}"({_list_names(operands)})'
        if attributes:
            text += f" <{{{_list_pairs(attributes)}}}>"
        if regions:
            text += f" ({', '.join(regions)})"
        if hints:
            quoted = {key: f'"{value}"' for key, value in hints.items()}
            text += f" {{mhlo.frontend_attributes = {{{_list_pairs(quoted)}}}}}"
        types = f"({_list_types(operands)}) -> ({_list_types(results)})"
        self._lines.append(f"{text} : {types}")


def _write_function(
    name: str, takes: Sequence[Value], lines: Sequence[str], returns: Sequence[Value]
) -> str:
    types = _list_types(returns)
    body = "\n".join([*lines, f"return {_list_names(returns)} : {types}"])
    return f"func.func {name}({_declare(takes)}) -> ({types}) {{\n{body}\n}}"


def _leave_out(
    lines: Sequence[str], results: Sequence[Value]
) -> tuple[list[str], set[str]]:
    """Return the lines that results need, and all names that these use."""
    needed, kept = set(_NAME.findall(_list_names(results))), []
    for line in reversed(lines):
        left, right = line.split(" = ", 1)
        if not needed.isdisjoint(_NAME.findall(left)):
            needed.update(_NAME.findall(right))
            kept.append(line)
    return kept[::-1], needed


def _list_pairs(pairs: Mapping[str, str]) -> str:
    return ", ".join([f"{key} = {value}" for key, value in pairs.items()])


def _list_names(values: Sequence[Value]) -> str:
    return ", ".join([value.name for value in values])


def _list_types(values: Sequence[Value]) -> str:
    return ", ".join([value.type for value in values])


def _declare(values: Sequence[Value]) -> str:
    return ", ".join(f"{value.name}: {value.type}" for value in values)
