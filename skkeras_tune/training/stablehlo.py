"""Operations on arrays in, the text of a StableHLO module out.

`Value` stands for an array that the module will compute. It is used as NumPy's arrays
are, by NumPy's own protocols (NEP 13 and NEP 18), so code that is written for arrays
writes the module instead when it is given values. StableHLO is what XLA compiles
(https://openxla.org/stablehlo/spec).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike, NDArray
from scipy.special import erf

Shape = tuple[int, ...]

_TYPES = {"b": "i", "i": "i", "u": "ui", "f": "f"}
_COMPARISONS = {
    np.less: "LT",
    np.less_equal: "LE",
    np.greater: "GT",
    np.greater_equal: "GE",
    np.equal: "EQ",
    np.not_equal: "NE",
}
_ELEMENTWISE = {
    np.absolute: "abs",
    np.add: "add",
    np.bitwise_xor: "xor",
    np.exp: "exponential",
    np.expm1: "exponential_minus_one",
    np.log: "log",
    np.log1p: "log_plus_one",
    np.logical_and: "and",
    np.logical_not: "not",
    np.logical_or: "or",
    np.maximum: "maximum",
    np.minimum: "minimum",
    np.multiply: "multiply",
    np.negative: "negate",
    np.power: "power",
    np.right_shift: "shift_right_logical",
    np.sign: "sign",
    np.subtract: "subtract",
    np.tanh: "tanh",
    np.true_divide: "divide",
    erf: "chlo.erf",
}
#: What a reduction begins with, by kind of number.
_FIRST = {"add": 0, "maximum": -np.inf, "or": False}


class Value(NDArrayOperatorsMixin):
    """An array that a module will compute.

    Attributes
    ----------
    module : Module
    name : str
        In the text, with the percent sign.
    shape : tuple of int
    dtype : numpy.dtype
    """

    def __init__(
        self, module: "Module", name: str, shape: Sequence[int], dtype: DTypeLike
    ) -> None:
        self.module, self.name = module, name
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)

    @property
    def type(self) -> str:
        """The type in the text."""
        return describe_type(self.shape, self.dtype)

    def __array_ufunc__(
        self, function: np.ufunc, method: str, *inputs: Any, **options: Any
    ) -> Any:
        # What `x += y` gives as `out` is `x`, which is to name the result.
        if method != "__call__" or options.keys() - {"out"}:
            return NotImplemented
        if function is np.matmul:
            return self.module.multiply_matrices(*inputs)
        if function is np.logaddexp:
            return self.module.add_exponentials(*inputs)
        return self.module.apply(function, inputs)

    def __bool__(self) -> bool:
        raise TypeError("a value that is not yet computed is neither true nor false")

    def __array_function__(
        self, function: Any, types: Any, arguments: Any, options: Any
    ) -> Any:
        write = _FUNCTIONS.get(function)
        return NotImplemented if write is None else write(self, *arguments, **options)

    def __getitem__(self, places: Any) -> "Value":
        if isinstance(places, Value):
            return self.module.gather(self, places)
        return self.module.cut(self, places if isinstance(places, tuple) else (places,))

    def reshape(self, *shape: Any) -> "Value":
        """Return the same numbers in another shape, of which one size may be -1."""
        sizes = list(shape[0] if isinstance(shape[0], Sequence) else shape)
        if -1 in sizes:
            rest = -math.prod(sizes)
            sizes[sizes.index(-1)] = math.prod(self.shape) // rest if rest else 0
        if tuple(sizes) == self.shape:
            return self
        return self.module.write("reshape", [self], sizes, self.dtype)

    def swapaxes(self, one: int, two: int) -> "Value":
        """Return the array with two axes exchanged."""
        order = list(range(len(self.shape)))
        order[one], order[two] = order[two], order[one]
        shape = [self.shape[axis] for axis in order]
        options = f", dims = {order}"
        return self.module.write("transpose", [self], shape, self.dtype, options)

    def astype(self, dtype: DTypeLike, copy: bool = True) -> "Value":
        """Return numbers of another type."""
        return self.module.convert(self, dtype)

    def view(self, dtype: DTypeLike) -> "Value":
        """Return the same bits as numbers of another type of the same size."""
        return self.module.write("bitcast_convert", [self], self.shape, dtype)

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> "Value":
        """Return the sum along one or more axes."""
        return self.module.reduce("add", self, axis, keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> "Value":
        """Return the mean along one or more axes."""
        total = self.sum(axis, keepdims=keepdims)
        mean: Value = total / (math.prod(self.shape) // max(math.prod(total.shape), 1))
        return mean

    def max(self, axis: Any = None, *, keepdims: bool = False) -> "Value":
        """Return the largest number along one or more axes."""
        return self.module.reduce("maximum", self, axis, keepdims)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> "Value":
        """Tell whether any condition holds along one or more axes."""
        return self.module.reduce("or", self, axis, keepdims)


class Module:
    """The text of a module, while it is written.

    Parameters
    ----------
    arguments : sequence of (shape, dtype)
        What its function takes.

    Attributes
    ----------
    arguments : list of Value
    """

    def __init__(self, arguments: Sequence[tuple[Sequence[int], DTypeLike]]) -> None:
        self._n_names = 0
        self._lines: list[str] = []
        self._constants: dict[Any, Value] = {}
        self.arguments = [self._name(shape, dtype) for shape, dtype in arguments]

    def finish(self, results: Sequence[Any]) -> str:
        """Return the text, with a function that returns these values or arrays."""
        values = [self.read(result) for result in results]
        takes = ", ".join(f"{v.name}: {v.type}" for v in self.arguments)
        names, types = _list_names(values), _list_types(values)
        body = "\n".join([*self._lines, f"return {names} : {types}"])
        main = f"func.func public @main({takes}) -> ({types}) {{\n{body}\n}}"
        return f"module @training {{\n{main}\n}}\n"

    # --- values

    def _name(self, shape: Sequence[int], dtype: DTypeLike) -> Value:
        self._n_names += 1
        return Value(self, f"%v{self._n_names}", shape, dtype)

    def read(self, value: Any, like: Value | None = None) -> Value:
        """Return a value as it is, and an array or number as a constant.

        A number has the type of `like`, and so has an array of the same kind.
        """
        if isinstance(value, Value):
            return value
        array = np.asarray(value)
        if like is not None and _follows(value, array.dtype, like.dtype):
            array = array.astype(like.dtype)
        key = array.shape, array.dtype, array.tobytes()
        if key not in self._constants:
            new = self._name(array.shape, array.dtype)
            text = f"{new.name} = stablehlo.constant dense<{_print(array)}>"
            self._lines.append(f"{text} : {new.type}")
            self._constants[key] = new
        return self._constants[key]

    def read_all(self, values: Sequence[Any], *, joins: bool = True) -> list[Value]:
        """Return values of one type and, if they are joined, of one shape."""
        like = next(value for value in values if isinstance(value, Value))
        read = [self.read(value, like) for value in values]
        dtype = np.result_type(*(value.dtype for value in read))
        read = [self.convert(value, dtype) for value in read]
        if not joins:
            return read
        shape = np.broadcast_shapes(*(value.shape for value in read))
        return [self.broadcast(value, shape) for value in read]

    def convert(self, value: Value, dtype: DTypeLike) -> Value:
        """Return numbers of another type."""
        dtype = np.dtype(dtype)
        if value.dtype == dtype:
            return value
        return self.write("convert", [value], value.shape, dtype)

    def broadcast(self, value: Value, shape: Shape) -> Value:
        """Repeat an array along the axes that it has not, or has one place on."""
        if value.shape == shape:
            return value
        n_new = len(shape) - len(value.shape)
        kept = [i for i, size in enumerate(value.shape) if size == shape[n_new + i]]
        if len(kept) < len(value.shape):
            value = value.reshape([value.shape[i] for i in kept])
        axes = [n_new + i for i in kept]
        return self.write(
            "broadcast_in_dim", [value], shape, value.dtype, f", dims = {axes}"
        )

    # --- operations

    def write(
        self,
        operation: str,
        inputs: Sequence[Value],
        shape: Sequence[int],
        dtype: DTypeLike,
        options: str = "",
    ) -> Value:
        """Write a line, and return its result."""
        result = self._name(shape, dtype)
        dialect = "" if "." in operation else "stablehlo."
        text = f"{dialect}{operation} {_list_names(inputs)}{options}"
        types = f"({_list_types(inputs)}) -> {result.type}"
        if dialect == "":
            types = f"{_list_types(inputs)} -> {result.type}"
        self._lines.append(f"{result.name} = {text} : {types}")
        return result

    def apply(self, function: np.ufunc, inputs: Sequence[Any]) -> Any:
        """Apply a function of NumPy's, element by element."""
        if function is np.square:
            function, inputs = np.multiply, (inputs[0], inputs[0])
        if function in _COMPARISONS:
            values = self.read_all(inputs)
            name = f"compare {_COMPARISONS[function]},"
            return self.write(name, values, values[0].shape, bool)
        if function not in _ELEMENTWISE:
            return NotImplemented
        values = self.read_all(inputs)
        shape, dtype = values[0].shape, values[0].dtype
        return self.write(_ELEMENTWISE[function], values, shape, dtype)

    def add_exponentials(self, *inputs: Any) -> Any:
        """Return ``log(exp(a) + exp(b))``, without overflow."""
        one: Any
        two: Any
        one, two = self.read_all(inputs)
        return np.maximum(one, two) + np.log1p(np.exp(-np.absolute(one - two)))

    def multiply_matrices(self, *inputs: Any) -> Value:
        """Return the products of two stacks of matrices."""
        one, two = self.read_all(inputs, joins=False)
        shape = *one.shape[:2], two.shape[2]
        axes = "batching_dims = [0] x [0], contracting_dims = [2] x [1]"
        return self.write("dot_general", [one, two], shape, one.dtype, f", {axes}")

    def reduce(self, kind: str, value: Value, axis: Any, keepdims: bool) -> Value:
        """Reduce axes by "add", "maximum" or "or"."""
        n_axes = len(value.shape)
        axes = range(n_axes) if axis is None else np.atleast_1d(axis)
        reduced = sorted(int(i) % n_axes for i in axes)
        shape = [s for i, s in enumerate(value.shape) if i not in reduced]
        first = self.read(_FIRST[kind], Value(self, "", (), value.dtype))
        result = self._name(shape, value.dtype)
        what = f"stablehlo.reduce({value.name} init: {first.name})"
        how = f"applies stablehlo.{kind} across dimensions = {reduced}"
        types = f"({value.type}, {first.type}) -> {result.type}"
        self._lines.append(f"{result.name} = {what} {how} : {types}")
        kept = [1 if i in reduced else s for i, s in enumerate(value.shape)]
        return result.reshape(kept) if keepdims else result

    def gather(self, value: Value, places: Value) -> Value:
        """Return the rows that stand at some places, in the shape of the places."""
        rest, n_axes = value.shape[1:], len(places.shape)
        result = self._name((*places.shape, *rest), value.dtype)
        offsets = list(range(n_axes, n_axes + len(rest)))
        numbers = (
            f"#stablehlo.gather<offset_dims = {offsets}, collapsed_slice_dims = [0], "
            f"start_index_map = [0], index_vector_dim = {n_axes}>"
        )
        sizes = ", ".join(map(str, (1, *rest)))
        options = (
            f"dimension_numbers = {numbers}, indices_are_sorted = false, "
            f"slice_sizes = array<i64: {sizes}>"
        )
        types = f"({_list_types([value, places])}) -> {result.type}"
        text = f'"stablehlo.gather"({_list_names([value, places])}) <{{{options}}}>'
        self._lines.append(f"{result.name} = {text} : {types}")
        return result

    def cut(self, value: Value, places: Sequence[Any]) -> Value:
        """Return a part by slices, whole numbers and new axes, as NumPy does."""
        n_given = sum(place is not np.newaxis for place in places)
        n_left = len(value.shape) - n_given
        bounds, shape, sizes = [], [], iter(value.shape)
        for place in (*places, *[slice(None)] * n_left):
            if place is np.newaxis:
                shape.append(1)
                continue
            size = next(sizes)
            if not isinstance(place, slice):
                place = slice(place % size, place % size + 1)
            else:
                shape.append(len(range(size)[place]))
            start, stop, step = place.indices(size)
            assert step == 1
            bounds.append((start, max(start, stop)))
        if bounds != [(0, size) for size in value.shape]:
            text = ", ".join(f"{start}:{stop}" for start, stop in bounds)
            ends = [stop - start for start, stop in bounds]
            value = self._cut(value, text, ends)
        return value.reshape(shape)

    def _cut(self, value: Value, text: str, shape: Sequence[int]) -> Value:
        result = self._name(shape, value.dtype)
        types = f"({value.type}) -> {result.type}"
        line = f"stablehlo.slice {value.name} [{text}] : {types}"
        self._lines.append(f"{result.name} = {line}")
        return result

    def take_window(self, value: Value, starts: Sequence[Any], sizes: Shape) -> Value:
        """Return a part of known size that begins where values say."""
        like = Value(self, "", (), np.int32)
        inputs = [value, *(self.read(start, like) for start in starts)]
        options = f", sizes = {list(sizes)}"
        return self.write("dynamic_slice", inputs, sizes, value.dtype, options)

    # --- loops

    def repeat_while(
        self,
        goes_on: Callable[..., Any],
        step: Callable[..., Sequence[Any]],
        start: Sequence[Any],
    ) -> list[Value]:
        """Take steps from values to values of the same types, while a condition holds.

        Values from outside of the loop may be used in it.
        """
        first = [self.read(value) for value in start]
        inner = [self._name(value.shape, value.dtype) for value in first]
        with self._open_region() as condition:
            self._end_region([goes_on(*inner)])
        with self._open_region() as body:
            self._end_region(step(*inner), first)
        self._n_names += 1
        name = f"%v{self._n_names}"
        pairs = zip(inner, first, strict=True)
        begins = ", ".join(f"{one.name} = {two.name}" for one, two in pairs)
        self._lines += [
            f"{name}:{len(first)} = stablehlo.while({begins}) : {_list_types(first)}",
            "cond {",
            *condition,
            "} do {",
            *body,
            "}",
        ]
        return [
            Value(self, f"{name}#{i}", value.shape, value.dtype)
            for i, value in enumerate(first)
        ]

    @contextmanager
    def _open_region(self) -> Iterator[list[str]]:
        outer = self._lines, self._constants
        self._lines, self._constants = [], {}
        try:
            yield self._lines
        finally:
            self._lines, self._constants = outer

    def _end_region(
        self, results: Sequence[Any], like: Sequence[Value] | None = None
    ) -> None:
        values = [self.read(result) for result in results]
        for one, two in zip(values, like or values, strict=True):
            if one.type != two.type:
                message = f"a loop begins with {two.type} and goes on with {one.type}"
                raise TypeError(message)
        text = f"{_list_names(values)} : {_list_types(values)}"
        self._lines.append(f"stablehlo.return {text}")


def describe_type(shape: Sequence[int], dtype: DTypeLike) -> str:
    """Return a type as StableHLO writes it."""
    dtype = np.dtype(dtype)
    n_bits = 1 if dtype.kind == "b" else 8 * dtype.itemsize
    return (
        f"tensor<{''.join(f'{size}x' for size in shape)}{_TYPES[dtype.kind]}{n_bits}>"
    )


def _list_names(values: Sequence[Value]) -> str:
    return ", ".join(value.name for value in values)


def _list_types(values: Sequence[Value]) -> str:
    return ", ".join(value.type for value in values)


def _follows(value: Any, dtype: Any, like: Any) -> bool:
    """Tell whether a constant has the type of a value that it meets."""
    if isinstance(value, bool | int | float):
        return "biuf".index(dtype.kind) <= "biuf".index(like.kind)
    return bool(dtype.kind == like.kind)


def _print(array: NDArray[Any]) -> str:
    """Return the numbers of a constant, by their bits unless they are few."""
    if array.size == 0:
        return ""
    first = array.reshape(-1)[:1]
    if array.tobytes() == first.tobytes() * array.size:
        array = first[0]  # stands for all of them
    if array.dtype.kind == "b":
        return str(array.tolist()).lower()
    if array.size > 1:
        return f'"0x{array.astype(array.dtype.newbyteorder("<")).tobytes().hex()}"'
    if array.dtype.kind == "f":
        bits = array.reshape(()).view(f"u{array.dtype.itemsize}")
        return f"0x{int(bits):0{2 * array.dtype.itemsize}X}"
    return str(array.item())


def _where(value: Value, condition: Any, one: Any, other: Any) -> Value:
    module = value.module
    chosen = [v for v in (one, other) if isinstance(v, Value)]
    like = chosen[0] if chosen else None
    read = [module.read(v, like) for v in (one, other)]
    dtype = np.result_type(*(v.dtype for v in read))
    read = [module.convert(v, dtype) for v in read]
    condition = module.read(condition)
    shape = np.broadcast_shapes(condition.shape, *(v.shape for v in read))
    inputs = [module.broadcast(v, shape) for v in (condition, *read)]
    return module.write("select", inputs, shape, dtype)


def _concatenate(value: Value, parts: Sequence[Any], axis: int = 0) -> Value:
    read = value.module.read_all(parts, joins=False)
    if len(read) == 1:
        return read[0]
    shape = list(read[0].shape)
    axis %= len(shape)
    shape[axis] = sum(part.shape[axis] for part in read)
    options = f", dim = {axis}"
    return value.module.write("concatenate", read, shape, read[0].dtype, options)


def _stack(value: Value, parts: Sequence[Any], axis: int = 0) -> Value:
    axis %= len(value.shape) + 1
    read = value.module.read_all(parts)
    shape = [*read[0].shape[:axis], 1, *read[0].shape[axis:]]
    return _concatenate(value, [part.reshape(shape) for part in read], axis)


def _clip(value: Value, x: Any, low: Any, high: Any) -> Value:
    clipped: Value = np.minimum(np.maximum(x, low), high)
    return clipped


def _fill(value: Value, x: Value, fill: Any, dtype: Any = None) -> NDArray[Any]:
    return np.full(x.shape, fill, dtype or x.dtype)


#: What stands for NumPy's functions: each takes any of the values, and their arguments.
_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.clip: _clip,
    np.concatenate: _concatenate,
    np.full_like: _fill,
    np.ones_like: lambda value, x, dtype=None: _fill(value, x, 1, dtype),
    np.stack: _stack,
    np.where: _where,
    np.zeros_like: lambda value, x, dtype=None: _fill(value, x, 0, dtype),
}
