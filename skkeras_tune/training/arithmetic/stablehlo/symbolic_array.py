"""What code does with arrays in, a module that does the same out."""

import math
from collections.abc import Sequence
from typing import Any, NoReturn, Self

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike

from skkeras_tune.training.arithmetic.stablehlo import operations
from skkeras_tune.training.arithmetic.stablehlo.array_functions import (
    ARRAY_FUNCTIONS,
    reduce_axes,
    take_slices,
)
from skkeras_tune.training.arithmetic.stablehlo.module import Value
from skkeras_tune.training.arithmetic.stablehlo.ufuncs import apply_ufunc


class SymbolicArray(NDArrayOperatorsMixin, Value):
    """An array that a module will compute.

    It is used as NumPy's arrays are, by NumPy's own protocols (NEP 13 and NEP 18), so
    code that is written for arrays writes the module instead when it is given these.
    Results have NumPy's types. A function that has no counterpart here is a TypeError.
    """

    def __array_ufunc__(
        self, function: np.ufunc, method: str, *inputs: Any, out: Any = (), **rest: Any
    ) -> Any:
        # What `x += y` gives as `out` is `x`, which is to name the result.
        if method != "__call__" or rest or any(x is not inputs[0] for x in out):
            return NotImplemented
        return apply_ufunc(self.module, function, inputs)

    def __array_function__(
        self, function: Any, types: Any, arguments: Any, options: Any
    ) -> Any:
        if function not in ARRAY_FUNCTIONS:
            return NotImplemented
        return ARRAY_FUNCTIONS[function](self.module, *arguments, **options)

    def __array__(self, *arguments: Any, **options: Any) -> NoReturn:
        raise TypeError("an array that is not yet computed has no numbers")

    def __bool__(self) -> bool:
        raise TypeError("an array that is not yet computed is neither true nor false")

    def __getitem__(self, index: Any) -> Self:
        if isinstance(index, type(self)):
            return operations.gather_rows(self, index)
        return take_slices(self, index if isinstance(index, tuple) else (index,))

    def reshape(self, *shape: Any) -> Self:
        """Return the same numbers in another shape, of which one size may be -1."""
        sizes = list(shape[0] if isinstance(shape[0], Sequence) else shape)
        if -1 in sizes:
            rest = -math.prod(sizes)
            sizes[sizes.index(-1)] = math.prod(self.shape) // rest if rest else 0
        return operations.reshape(self, sizes)

    def swapaxes(self, one: int, two: int) -> Self:
        """Return the array with two axes exchanged."""
        order = list(range(len(self.shape)))
        order[one], order[two] = order[two], order[one]
        return operations.transpose(self, order)

    def astype(self, dtype: DTypeLike, copy: bool = True) -> Self:
        """Return numbers of another type."""
        return operations.convert(self, dtype)

    def view(self, dtype: DTypeLike) -> Self:
        """Return the same bits as numbers of another type of the same size."""
        return operations.bitcast(self, dtype)

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """Return the sum along one or more axes."""
        dtype = np.ones(1, self.dtype).sum().dtype  # of whole numbers, a longer one
        return reduce_axes("stablehlo.add", 0, self.astype(dtype), axis, keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """Return the mean along one or more axes."""
        total = self.sum(axis, keepdims=keepdims)
        n_numbers = math.prod(self.shape) // max(math.prod(total.shape), 1)
        mean: Self = total / n_numbers
        return mean

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """Return the largest number along one or more axes."""
        least = _find_least(self.dtype)
        return reduce_axes("stablehlo.maximum", least, self, axis, keepdims)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """Tell whether any number along one or more axes is true."""
        return reduce_axes("stablehlo.or", False, self.astype(bool), axis, keepdims)


def _find_least(dtype: np.dtype[Any]) -> Any:
    """Return the number that none of a type is less than."""
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min
