"""Small layers on plain lists: products, convolution, pooling, normalisation, sorting.

What a side branch with weights of its own gives on ordinary inputs is found by running it; it is small, so that plain
loops do. Attributes are those of ONNX (https://onnx.ai/onnx/operators/). What is not covered raises `Unsupported`.
"""

import itertools
import math
import operator
from collections.abc import Callable, Sequence

from modelscan_plus.graph.arrays import (
    ELEMENTS,
    Array,
    Unsupported,
    concat,
    count,
    elementwise,
    positions,
    reduce,
    stretched,
    strides,
    take,
    transpose,
)
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.shapes import integer

PRODUCTS = 3_000_000
"""Multiplications of one node."""
Ins = Sequence[Array | None]
Layer = Callable[[Node, Ins, Array], Array | list[Array]]


def ints(node: Node, ins: Ins, name: str, place: int) -> list[int] | None:
    """A list of integers that is an attribute in some versions and an operand in others."""
    given = node.attrs.get(name)
    if isinstance(given, tuple):
        return [int(value) for value in given]
    array = ins[place] if place < len(ins) else None
    return [int(value) for value in array.data] if array is not None else None


def real(node: Node, name: str, default: float) -> float:
    """A number attribute."""
    value = node.attrs.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def operand(ins: Ins, place: int) -> Array | None:
    """An operand that may be left out."""
    return ins[place] if place < len(ins) else None


def dot(left: Sequence[float], right: Sequence[float]) -> float:
    """Sum of products."""
    return float(sum(map(operator.mul, left, right)))


def matmul(node: Node, ins: Ins, first: Array) -> Array:
    """Matrix products, with leading dimensions; Gemm with its factors and its bias."""
    left, right = first, ins[1]
    if right is None or not left.dims or not right.dims:
        raise Unsupported
    gemm = node.op == "gemm"
    left = _turned(left) if integer(node, "transA", 0) else left
    right = _turned(right) if integer(node, "transB", 0) else right
    vector, column = len(left.dims) == 1, len(right.dims) == 1
    left = Array((1, *left.dims), left.data) if vector else left
    right = Array((*right.dims, 1), right.data) if column else right
    product = _products(left, right)
    factor = real(node, "alpha", 1.0)
    product = product if factor == 1.0 else elementwise(lambda a: a * factor, product)
    dims = [size for at, size in enumerate(product.dims, -len(product.dims)) if not (vector and at == -2)]
    product = Array(tuple(dims[:-1] if column else dims), product.data)
    bias = operand(ins, 2)
    beta = real(node, "beta", 1.0)
    return elementwise(lambda a, b: a + beta * b, product, bias) if gemm and bias is not None else product


def _turned(array: Array) -> Array:
    rank = len(array.dims)
    return transpose(array, (*range(rank - 2), rank - 1, rank - 2))


def _products(left: Array, right: Array) -> Array:
    rows, inner, columns = left.dims[-2], left.dims[-1], right.dims[-1]
    lead, other = left.dims[:-2], right.dims[:-2]
    if right.dims[-2] != inner or (lead and other and lead != other) or count(left.dims) * columns > PRODUCTS:
        raise Unsupported
    turned = _turned(right)
    batch = lead or other
    data: list[float] = []
    for number in range(count(batch)):
        at = number * rows * inner if lead else 0
        to = number * columns * inner if other else 0
        ahead = [turned.data[k : k + inner] for k in range(to, to + columns * inner, inner or 1)]
        for start in range(at, at + rows * inner, inner or 1):
            row = left.data[start : start + inner]
            data += [dot(row, column) for column in ahead]
    return Array((*batch, rows, columns), data)


def einsum(node: Node, ins: Ins, first: Array) -> Array:
    """Of two operands with letters that stand once in each."""
    equation, other = node.attrs.get("equation"), operand(ins, 1)
    if not isinstance(equation, str) or other is None or len(ins) != 2 or "->" not in equation or "." in equation:
        raise Unsupported
    given, _, wanted = equation.replace(" ", "").partition("->")
    one, _, two = given.partition(",")
    if any(len(set(letters)) < len(letters) for letters in (one, two, wanted)):
        raise Unsupported
    sizes = dict(zip(one, first.dims, strict=True)) | dict(zip(two, other.dims, strict=True))
    summed = [letter for letter in sizes if letter not in wanted]
    order = [*wanted, *summed]
    if count([sizes[letter] for letter in order]) > PRODUCTS:
        raise Unsupported

    def laid(letters: str, array: Array) -> list[float]:
        own = dict(zip(letters, strides(array.dims), strict=True))
        places = positions(tuple(sizes[letter] for letter in order), [own.get(letter, 0) for letter in order])
        return [array.data[place] for place in places]

    products = list(map(operator.mul, laid(one, first), laid(two, other)))
    size = count([sizes[letter] for letter in summed])
    dims = tuple(sizes[letter] for letter in wanted)
    return Array(dims, [sum(products[at : at + size]) for at in range(0, len(products), max(size, 1))])


def _windows(node: Node, dims: Sequence[int], kernel: Sequence[int]) -> tuple[list[list[list[int]]], list[int]]:
    """For each axis of space the places (-1 outside) that each window reads, and the sizes of the result."""
    rank = len(kernel)
    steps = ints(node, (), "strides", 9) or [1] * rank
    wide = ints(node, (), "dilations", 9) or [1] * rank
    pads = ints(node, (), "pads", 9) or [0] * (2 * rank)
    auto = node.attrs.get("auto_pad", "NOTSET")
    axes: list[list[list[int]]] = []
    for axis in range(rank):
        size, reach = dims[axis], (kernel[axis] - 1) * wide[axis] + 1
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            number = -(-size // steps[axis])
            missing = max(0, (number - 1) * steps[axis] + reach - size)
            before = missing // 2 if auto == "SAME_UPPER" else missing - missing // 2
        else:
            before = pads[axis]
            number = (size + before + pads[axis + rank] - reach) // steps[axis] + 1
        starts = [place * steps[axis] - before for place in range(max(number, 0))]
        axes.append([[start + k * wide[axis] for k in range(kernel[axis])] for start in starts])
    inside = [[[p if 0 <= p < dims[a] else -1 for p in window] for window in axis] for a, axis in enumerate(axes)]
    return inside, [len(axis) for axis in axes]


def _patches(array: Array, windows: Sequence[Sequence[Sequence[int]]], fill: float) -> list[list[list[float]]]:
    """For each channel of one row, for each place, what the window there reads."""
    space = array.dims[2:]
    steps, size = strides(tuple(space)), count(space)
    index: list[list[int]] = []
    for window in itertools.product(*windows):
        cells = itertools.product(*window)
        index.append([-1 if min(cell) < 0 else sum(map(operator.mul, cell, steps)) for cell in cells])
    if len(index) * len(index[0] if index else ()) * array.dims[1] > PRODUCTS:
        raise Unsupported
    found = []
    for start in range(0, array.dims[1] * size, size or 1):
        channel = [*array.data[start : start + size], fill]
        found.append([[channel[cell] for cell in cells] for cells in index])
    return found


def conv(node: Node, ins: Ins, first: Array) -> Array:
    """Convolution of one row, with groups, in one, two or three dimensions."""
    weights, bias = ins[1], operand(ins, 2)
    if node.given not in ("Conv", "FusedConv", "NhwcConv") or node.given == "NhwcConv" or weights is None:
        raise Unsupported
    if first.dims[0] != 1 or len(first.dims) != len(weights.dims):
        raise Unsupported
    groups = integer(node, "group", 1)
    windows, sizes = _windows(node, first.dims[2:], weights.dims[2:])
    if count(sizes) * len(weights.data) > PRODUCTS or not count(sizes):
        raise Unsupported
    patches = _patches(first, windows, 0.0)
    outputs, inputs = weights.dims[0], weights.dims[1]
    width = count(weights.dims[1:])
    data: list[float] = []
    for unit in range(outputs):
        start = unit // (outputs // groups) * inputs
        kernel = weights.data[unit * width : (unit + 1) * width]
        shift = bias.data[unit] if bias is not None else 0.0
        channels = patches[start : start + inputs]
        for place in range(count(sizes)):
            row = channels[0][place] if inputs == 1 else list(itertools.chain(*(each[place] for each in channels)))
            data.append(dot(row, kernel) + shift)
    result = Array((1, outputs, *sizes), data)
    act = node.attrs.get("activation")
    if act not in (None, "", "Relu"):
        raise Unsupported
    return elementwise(lambda a: max(a, 0.0), result) if act == "Relu" else result


def pool(node: Node, ins: Ins, first: Array) -> Array:
    """Largest or mean of windows of one row."""
    kernel = ints(node, (), "kernel_shape", 9)
    largest = "Max" in node.given
    if not kernel or first.dims[0] != 1 or not (largest or "Average" in node.given) or len(node.outs) > 1:
        raise Unsupported
    windows, sizes = _windows(node, first.dims[2:], kernel)
    if not count(sizes):
        raise Unsupported
    patches = _patches(first, windows, -math.inf if largest else 0.0)
    if largest:
        data = [max(window) for channel in patches for window in channel]
    else:
        data = [sum(window) / len(window) for channel in patches for window in channel]
    return Array((1, first.dims[1], *sizes), data)


def global_pool(node: Node, ins: Ins, first: Array) -> Array:
    """Largest or mean of everything of a channel."""
    axes = range(2, len(first.dims))
    if "Max" in node.given:
        return reduce(first, axes, lambda values: max(values), keep=True)
    if "Average" not in node.given or "QLinear" in node.given:
        raise Unsupported
    return reduce(first, axes, mean, keep=True)


def mean(values: Sequence[float]) -> float:
    """Of at least one number."""
    return sum(values) / len(values)


def _along(array: Array, axis: int, function: Callable[[list[float]], list[float]]) -> Array:
    """A function of lists on everything along an axis."""
    rank = len(array.dims)
    axis %= rank
    order = [*(place for place in range(rank) if place != axis), axis]
    moved = transpose(array, order)
    size = array.dims[axis]
    data: list[float] = []
    for at in range(0, len(moved.data), max(size, 1)):
        data += function(moved.data[at : at + size])
    width = len(data) // max(1, len(moved.data) // max(size, 1))
    back = [order.index(place) for place in range(rank)]
    return transpose(Array((*moved.dims[:-1], width), data), back)


def softmax(node: Node, ins: Ins, first: Array) -> Array:
    """Softmax, its logarithm, and the largest alone."""
    axis = integer(node, "axis", -1)
    # Without an axis, operator sets before 13 mean all from the second on, and later ones the last.
    either = "axis" not in node.attrs and any(length != 1 for length in first.dims[1:-1])
    if either or node.given not in ("Softmax", "LogSoftmax", "Hardmax", "softmax"):
        raise Unsupported

    def function(values: list[float]) -> list[float]:
        top = max(values)
        if node.given == "Hardmax":
            where = values.index(top)
            return [float(place == where) for place in range(len(values))]
        powers = [math.exp(value - top) for value in values]
        total = sum(powers)
        if node.given == "LogSoftmax":
            return [value - top - math.log(total) for value in values]
        return [power / total for power in powers]

    return _along(first, axis, function)


def cumsum(node: Node, ins: Ins, first: Array) -> Array:
    """Running sums."""
    axis = ints(node, ins, "axis", 1)
    if axis is None or node.given != "CumSum" or integer(node, "exclusive", 0) or integer(node, "reverse", 0):
        raise Unsupported
    return _along(first, axis[0], lambda values: list(itertools.accumulate(values)))


def topk(node: Node, ins: Ins, first: Array) -> list[Array]:
    """The largest and their places."""
    number = operand(ins, 1)
    if number is None or node.given != "TopK":
        raise Unsupported
    wanted = int(number.data[0])
    sign = 1 if integer(node, "largest", 1) else -1

    def places(values: list[float]) -> list[int]:
        return sorted(range(len(values)), key=lambda place: (-sign * values[place], place))[:wanted]

    axis = integer(node, "axis", -1)
    return [
        _along(first, axis, lambda values: [values[place] for place in places(values)]),
        _along(first, axis, lambda values: [float(place) for place in places(values)]),
    ]


def norm(node: Node, ins: Ins, first: Array) -> Array:
    """Batch, layer, instance and length normalisation."""
    rank, eps = len(first.dims), real(node, "epsilon", 1e-5)
    if node.given == "BatchNormalization" and len(ins) > 4:
        shape = (1, first.dims[1], *[1] * (rank - 2))
        scale, shift, middle, spread = (Array(shape, part.data) for part in ins[1:5] if part is not None)
        centred = elementwise(lambda x, m, v: (x - m) / math.sqrt(v + eps), first, middle, spread)
        return elementwise(lambda x, s, b: x * s + b, centred, scale, shift)
    if node.given == "LayerNormalization" and integer(node, "axis", -1) in (-1, rank - 1):
        result = _along(first, -1, lambda values: _standard(values, eps))
    elif node.given == "InstanceNormalization" and rank > 2:
        size = count(first.dims[2:])
        data: list[float] = []
        for at in range(0, len(first.data), size):
            data += _standard(first.data[at : at + size], eps)
        result = Array(first.dims, data)
        ins = [None, *(Array((1, len(p.data), *[1] * (rank - 2)), p.data) if p is not None else None for p in ins[1:3])]
    elif node.given == "LpNormalization":
        power = real(node, "p", 2)
        return _along(first, integer(node, "axis", -1), lambda values: _unit(values, power))
    else:
        raise Unsupported
    for place, function in ((1, operator.mul), (2, operator.add)):
        part = operand(ins, place)
        result = elementwise(function, result, part) if part is not None else result
    return result


def lengths(node: Node, ins: Ins, first: Array) -> Array:
    """Sums of sizes or squares along axes, or division by them."""
    if node.given == "LpNormalization":
        return norm(node, ins, first)
    if node.given not in ("ReduceL1", "ReduceL2", "ReduceSumSquare"):
        raise Unsupported
    power = 1 if node.given == "ReduceL1" else 2
    root = node.given == "ReduceL2"

    def length(values: list[float]) -> float:
        total = math.fsum(abs(value) ** power for value in values)
        return math.sqrt(total) if root else total

    axes = ints(node, ins, "axes", 1)
    return reduce(first, axes or range(len(first.dims)), length, keep=bool(integer(node, "keepdims", 1)))


def _standard(values: Sequence[float], eps: float) -> list[float]:
    middle = mean(values)
    spread = math.sqrt(mean([(value - middle) ** 2 for value in values]) + eps)
    return [(value - middle) / spread for value in values]


def _unit(values: Sequence[float], power: float) -> list[float]:
    length = sum(abs(value) ** power for value in values) ** (1 / power)
    return [value / length if length else 0.0 for value in values]


def one_hot(node: Node, ins: Ins, first: Array) -> Array:
    """A one at each index."""
    depth, values = operand(ins, 1), operand(ins, 2)
    if depth is None or values is None or integer(node, "axis", -1) not in (-1, len(first.dims)):
        raise Unsupported
    size, (off, on) = int(depth.data[0]), values.data
    if size * len(first.data) > ELEMENTS:
        raise Unsupported
    data: list[float] = []
    for index in first.data:
        row = [off] * size
        if -size <= index < size:
            row[int(index)] = on
        data += row
    return Array((*first.dims, size), data)


def split(node: Node, ins: Ins, first: Array) -> list[Array]:
    """Parts along an axis."""
    axis = integer(node, "axis", 0) % len(first.dims)
    sizes = ints(node, ins, "split", 1)
    if sizes is None:
        part = -(-first.dims[axis] // len(node.outs))
        sizes = [min(part, first.dims[axis] - at) for at in range(0, first.dims[axis], part)]
    parts, start = [], 0
    for size in sizes:
        parts.append(take(first, axis, Array((size,), [float(at) for at in range(start, start + size)])))
        start += size
    return parts


def shape(node: Node, ins: Ins, first: Array) -> Array:
    """The dimensions as numbers."""
    sizes = first.dims[integer(node, "start", 0) : integer(node, "end", len(first.dims))]
    return Array((len(sizes),), [float(size) for size in sizes])


def tile(node: Node, ins: Ins, first: Array) -> Array:
    """Broadcast or repeated."""
    shape_ = ints(node, ins, "shape", 1)
    if shape_ is None or node.given not in ("Expand", "expand", "Tile"):
        raise Unsupported
    if node.given == "Tile":
        result = first
        for axis, times in enumerate(shape_):
            result = concat([result] * times, axis) if times != 1 else result
        return result
    rank = max(len(shape_), len(first.dims))
    own = (*[1] * (rank - len(first.dims)), *first.dims)
    wanted = (*[1] * (rank - len(shape_)), *(max(size, 1) for size in shape_))
    dims = tuple(max(a, b) for a, b in zip(own, wanted, strict=True))
    if count(dims) > ELEMENTS:
        raise Unsupported
    return Array(dims, stretched(first, dims))


def gather_elements(node: Node, ins: Ins, first: Array) -> Array:
    """An element for each index, along an axis."""
    index, axis = ins[1], integer(node, "axis", 0) % len(first.dims)
    if index is None or len(index.dims) != len(first.dims):
        raise Unsupported
    own = strides(first.dims)
    places = positions(index.dims, [0 if place == axis else step for place, step in enumerate(own)])
    size = first.dims[axis]
    found = zip(places, index.data, strict=True)
    return Array(index.dims, [first.data[place + int(number) % size * own[axis]] for place, number in found])


def constant_of_shape(node: Node, ins: Ins, first: Array) -> Array:
    """One number everywhere."""
    given = node.attrs.get("value", 0.0)
    number = given[0] if isinstance(given, tuple) and given else given
    dims = tuple(int(size) for size in first.data)
    if count(dims) > ELEMENTS or not isinstance(number, int | float):
        raise Unsupported
    return Array(dims, [float(number)] * count(dims))


def range_of(node: Node, ins: Ins, first: Array) -> Array:
    """Numbers from one to another."""
    limit, step = operand(ins, 1), operand(ins, 2)
    if node.given != "Range" or limit is None or step is None or not step.data[0]:
        raise Unsupported
    size = max(0, math.ceil((limit.data[0] - first.data[0]) / step.data[0]))
    if size > ELEMENTS:
        raise Unsupported
    return Array((size,), [first.data[0] + place * step.data[0] for place in range(size)])


def affine_columns(node: Node, ins: Ins, first: Array) -> Array:
    """Scaler of ai.onnx.ml."""
    offset, scale = node.attrs.get("offset"), node.attrs.get("scale")
    if node.given != "Scaler" or not isinstance(offset, tuple) or not isinstance(scale, tuple):
        return norm(node, ins, first)
    parts = [Array((len(part),), [float(number) for number in part]) for part in (offset, scale)]
    return elementwise(lambda x, o, s: (x - o) * s, first, *parts)


def distances(node: Node, ins: Ins, first: Array) -> Array:
    """CDist of com.microsoft: from each row of one matrix to each of another."""
    other = operand(ins, 1)
    if node.given != "CDist" or other is None or len(first.dims) != 2 or len(other.dims) != 2:
        raise Unsupported
    width, columns = first.dims[1], other.dims[0]
    if other.dims[1] != width or not width or len(first.data) * columns > PRODUCTS:
        raise Unsupported
    rows = [other.data[at : at + width] for at in range(0, len(other.data), width)]
    squares = [
        math.fsum((a - b) ** 2 for a, b in zip(first.data[at : at + width], row, strict=True))
        for at in range(0, len(first.data), width)
        for row in rows
    ]
    root = node.attrs.get("metric", "sqeuclidean") == "euclidean"
    return Array((first.dims[0], columns), [math.sqrt(square) for square in squares] if root else squares)


def integer_matmul(node: Node, ins: Ins, first: Array) -> Array:
    """MatMulInteger, with one zero point for each side."""
    right = operand(ins, 1)
    if node.given != "MatMulInteger" or right is None:
        raise Unsupported
    sides = []
    for array, zero in ((first, operand(ins, 2)), (right, operand(ins, 3))):
        if zero is not None and len(zero.data) != 1:
            raise Unsupported
        shift = zero.data[0] if zero is not None else 0.0
        sides.append(Array(array.dims, [value - shift for value in array.data]) if shift else array)
    return matmul(node, sides, sides[0])


LAYERS: dict[str, Layer] = {
    "cdist": distances,
    "quantised_matmul": integer_matmul,
    "matmul": matmul,
    "gemm": matmul,
    "einsum": einsum,
    "conv": conv,
    "pool": pool,
    "global_pool": global_pool,
    "softmax": softmax,
    "cumsum": cumsum,
    "topk": topk,
    "norm": affine_columns,
    "reduce_norm": lengths,
    "one_hot": one_hot,
    "split": split,
    "shape": shape,
    "spread": tile,
    "constant_of_shape": constant_of_shape,
    "range": range_of,
}
