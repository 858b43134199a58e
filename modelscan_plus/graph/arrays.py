"""Small arrays on plain lists, for running the weight-free part of a graph.

No numpy: the analysis happens behind the sandbox, where nothing can be imported any more, and the report must not
depend on what is installed. An array is a tuple of dimensions and a flat list in row-major order.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import msgspec

Shape = tuple[int, ...]
ELEMENTS = 400_000
"""Elements that one array may have."""


class Unsupported(Exception):
    """The operator, or these operands of it, cannot be run here."""


class Array(msgspec.Struct, frozen=True):
    """Numbers, in row-major order."""

    dims: Shape
    data: list[float]


def count(dims: Sequence[int]) -> int:
    """Elements."""
    return math.prod(dims)


def strides(dims: Shape) -> list[int]:
    """Steps in the flat list for a step along each axis."""
    result, step = [0] * len(dims), 1
    for place in range(len(dims) - 1, -1, -1):
        result[place] = step
        step *= dims[place]
    return result


def positions(dims: Shape, steps: Sequence[int], start: int = 0) -> Iterator[int]:
    """Places in a flat list for each element of an array of `dims` that is laid out by `steps`."""
    if not dims:
        yield start
        return
    if len(dims) == 1:
        step = steps[0]
        yield from range(start, start + dims[0] * step, step) if step else itertools.repeat(start, dims[0])
        return
    for index in range(dims[0]):
        yield from positions(dims[1:], steps[1:], start + index * steps[0])


def broadcast_dims(*shapes: Shape) -> Shape:
    """Dimensions of an element-wise result."""
    rank = max(map(len, shapes))
    result = [1] * rank
    for dims in shapes:
        for place, size in enumerate(dims, rank - len(dims)):
            if result[place] == 1:
                result[place] = size
            elif size not in (1, result[place]):
                raise Unsupported
    if count(result) > ELEMENTS:
        raise Unsupported
    return tuple(result)


def stretched(array: Array, dims: Shape) -> list[float]:
    """The data as an array of `dims`."""
    if array.dims == dims:
        return array.data
    if len(array.data) == 1:
        return array.data * count(dims)
    own = strides(array.dims)
    steps = [0] * (len(dims) - len(own)) + [s if size > 1 else 0 for s, size in zip(own, array.dims, strict=True)]
    data = array.data
    return [data[place] for place in positions(dims, steps)]


def elementwise(function: Callable[..., float], *arrays: Array) -> Array:
    """A function of numbers on arrays."""
    dims = broadcast_dims(*(array.dims for array in arrays))
    parts = [stretched(array, dims) for array in arrays]
    return Array(dims, list(map(function, *parts)))


def transpose(array: Array, order: Sequence[int]) -> Array:
    """Axes in another order."""
    own = strides(array.dims)
    dims = tuple(array.dims[axis] for axis in order)
    return Array(dims, [array.data[place] for place in positions(dims, [own[axis] for axis in order])])


def reduce(array: Array, axes: Sequence[int], function: Callable[[list[float]], float], *, keep: bool) -> Array:
    """Many numbers to one, along axes."""
    rank = len(array.dims)
    gone = sorted({axis % rank for axis in axes}) if rank else []
    stay = [axis for axis in range(rank) if axis not in gone]
    moved = transpose(array, [*stay, *gone])
    size = count([array.dims[axis] for axis in gone])
    data = [function(moved.data[at : at + size]) for at in range(0, len(moved.data), max(size, 1))]
    dims = tuple(1 if axis in gone else array.dims[axis] for axis in range(rank) if keep or axis not in gone)
    return Array(dims, data)


def take(array: Array, axis: int, index: Array) -> Array:
    """Elements along an axis by their numbers."""
    rank = len(array.dims)
    axis %= rank
    before, after = array.dims[:axis], array.dims[axis + 1 :]
    size, block = array.dims[axis], count(after)
    data: list[float] = []
    if count(before) * len(index.data) * block > ELEMENTS:
        raise Unsupported
    for outer in range(count(before)):
        for number in index.data:
            if not -size <= number < size:
                raise Unsupported
            start = (outer * size + int(number) % size) * block
            data += array.data[start : start + block]
    return Array((*before, *index.dims, *after), data)


def concat(arrays: Sequence[Array], axis: int) -> Array:
    """Side by side."""
    rank = len(arrays[0].dims)
    axis %= rank
    before, after = arrays[0].dims[:axis], arrays[0].dims[axis + 1 :]
    data: list[float] = []
    for outer in range(count(before)):
        for array in arrays:
            size = array.dims[axis] * count(after)
            data += array.data[outer * size : (outer + 1) * size]
    return Array((*before, sum(array.dims[axis] for array in arrays), *after), data)
