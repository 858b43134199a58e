"""Running a slice of a graph on given inputs, with plain lists and within a budget of elements."""

import math
from collections.abc import Callable, Mapping, Sequence

from modelscan_plus.graph.activations import activation
from modelscan_plus.graph.arrays import (
    ELEMENTS,
    Array,
    Unsupported,
    concat,
    count,
    elementwise,
    reduce,
    take,
    transpose,
)
from modelscan_plus.graph.evaluate_layers import LAYERS, Ins, gather_elements, ints
from modelscan_plus.graph.evaluate_series import SERIES
from modelscan_plus.graph.ir import Graph, Node
from modelscan_plus.graph.shapes import integer

_CONSTANT = 65_536


class Evaluator:
    """Runs nodes of one graph; constants are read once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._constants: dict[int, Array] = {}
        self.work = 0
        """Numbers that were read, made and multiplied so far."""

    def run(
        self, nodes: Sequence[int], inputs: Mapping[int, Array], passed: frozenset[int] = frozenset()
    ) -> dict[int, Array]:
        """All values that the nodes make, `passed` ones by handing on their first operand; raises `Unsupported`."""
        values: dict[int, Array] = dict(inputs)
        left = ELEMENTS
        for number in nodes:
            node = self._graph.nodes[number]
            ins = [self._value(value, values) if value >= 0 else None for value in node.ins]
            self.work += sum(len(array.data) for array in ins if array is not None)
            try:
                results = evaluate(node, ins) if number not in passed or ins[0] is None else [ins[0]]
            except (ArithmeticError, ValueError, TypeError, IndexError, AttributeError) as error:
                raise Unsupported from error
            for out, result in zip(node.outs, results, strict=False):
                left -= len(result.data)
                self.work += len(result.data) * products(node, ins)
                if left < 0 or len(result.data) != count(result.dims):
                    raise Unsupported
                values[out] = result
        return values

    def _value(self, value: int, values: Mapping[int, Array]) -> Array:
        found = values.get(value) or self._constants.get(value)
        if found is not None:
            return found
        const = self._graph.values[value].const
        numbers = const.read(0, const.count) if const is not None and const.count <= _CONSTANT else None
        if const is None or numbers is None or len(numbers) != const.count:
            raise Unsupported
        if not all(isinstance(number, int | float) for number in numbers):
            raise Unsupported
        found = self._constants[value] = Array(const.dims, [float(number) for number in numbers])
        return found


def products(node: Node, ins: Ins) -> int:
    """Multiplications for one number of a node's result, at least one."""
    first, second = (ins[place] if place < len(ins) else None for place in (0, 1))
    if first is None or second is None or not second.dims:
        return 1
    if node.op == "conv":
        return count(second.dims[1:])
    if node.op in ("matmul", "gemm", "linear", "einsum", "cdist"):
        return first.dims[-1] if first.dims else 1
    return second.dims[-1] + (first.dims[-1] if first.dims else 1) if node.op == "rnn" else 1


def evaluate(node: Node, ins: Ins) -> list[Array]:
    """The results of one node, as many as are known."""
    first = ins[0] if ins else None
    handler = LAYERS.get(node.op) or SERIES.get(node.op)
    if handler is not None and first is not None:
        found = handler(node, ins, first)
        return found if isinstance(found, list) else [found]
    return [_single(node, ins, first)]


def _single(node: Node, ins: Ins, first: Array | None) -> Array:
    if node.op in ("relu", "hard_sigmoid", "activation") and first is not None:
        return elementwise(activation(node), first, *[slope for slope in ins[1:2] if slope is not None])
    if node.op in _ELEMENT and first is not None:
        wanted = 1 if node.op in _UNARY else len(ins)
        operands = [array for array in ins[:wanted] if array is not None]
        result = elementwise(_ELEMENT[node.op], *operands[:2]) if len(operands) > 1 else None
        if result is None:
            return elementwise(_ELEMENT[node.op], operands[0]) if node.op in _UNARY else operands[0]
        for more in operands[2:]:
            result = elementwise(_ELEMENT[node.op], result, more)
        return result
    handler = _SPECIAL.get(node.op)
    if handler is None or first is None:
        raise Unsupported
    return handler(node, ins, first)


def _reduction(function: Callable[[list[float]], float]) -> Callable[[Node, Ins, Array], Array]:
    def handler(node: Node, ins: Ins, first: Array) -> Array:
        axes = ints(node, ins, "axes", 1)
        keep = bool(integer(node, "keepdims", 1))
        return reduce(first, axes or range(len(first.dims)), function, keep=keep)

    return handler


def _arg(function: Callable[[list[float]], int]) -> Callable[[Node, Ins, Array], Array]:
    def handler(node: Node, ins: Ins, first: Array) -> Array:
        return reduce(first, [integer(node, "axis", 0)], function, keep=bool(integer(node, "keepdims", 1)))

    return handler


def _logarithms(node: Node, ins: Ins, first: Array) -> Array:
    if node.given != "ReduceLogSumExp":
        raise Unsupported

    def total(values: list[float]) -> float:
        top = max(values)
        return top + math.log(math.fsum(math.exp(value - top) for value in values))

    return _reduction(total)(node, ins, first)


def _slice(node: Node, ins: Ins, first: Array) -> Array:
    starts, ends = ints(node, ins, "starts", 1), ints(node, ins, "ends", 2)
    axes, steps = ints(node, ins, "axes", 3), ints(node, ins, "steps", 4)
    if starts is None or ends is None:
        raise Unsupported
    result = first
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = (axes[place] if axes else place) % len(first.dims)
        step = steps[place] if steps else 1
        stop = None if step < 0 and end < -(2**31) else end
        chosen = list(range(result.dims[axis])[start:stop:step])
        result = take(result, axis, Array((len(chosen),), [float(index) for index in chosen]))
    return result


def _gather(node: Node, ins: Ins, first: Array) -> Array:
    index = ins[1]
    if node.given == "GatherElements":
        return gather_elements(node, ins, first)
    if index is None or node.given in ("GatherND", "gather", "index"):
        raise Unsupported
    axis = integer(node, "axis", -1 if node.given == "ArrayFeatureExtractor" else 0)
    return take(first, axis, index)


def _reshape(node: Node, ins: Ins, first: Array) -> Array:
    shape = ints(node, ins, "shape", 1)
    if shape is None:
        raise Unsupported
    dims = [first.dims[place] if size == 0 else size for place, size in enumerate(shape)]
    if -1 in dims:
        known = count([size for size in dims if size != -1])
        dims[dims.index(-1)] = len(first.data) // known if known else 0
    return Array(tuple(dims), first.data)


def _flatten(node: Node, ins: Ins, first: Array) -> Array:
    axis = integer(node, "axis", 1)
    axis += len(first.dims) if axis < 0 else 0
    if "start_dim" in node.attrs:
        return Array((*first.dims[:axis], count(first.dims[axis:])), first.data)
    return Array((count(first.dims[:axis]), count(first.dims[axis:])), first.data)


def _squeeze(node: Node, ins: Ins, first: Array) -> Array:
    axes = ints(node, ins, "axes", 1)
    gone = {axis % len(first.dims) for axis in axes} if axes else {p for p, size in enumerate(first.dims) if size == 1}
    return Array(tuple(size for place, size in enumerate(first.dims) if place not in gone), first.data)


def _unsqueeze(node: Node, ins: Ins, first: Array) -> Array:
    axes = ints(node, ins, "axes", 1) or []
    rank = len(first.dims) + len(axes)
    new = {axis % rank for axis in axes}
    rest = iter(first.dims)
    return Array(tuple(1 if place in new else next(rest) for place in range(rank)), first.data)


def _transpose(node: Node, ins: Ins, first: Array) -> Array:
    order = node.attrs.get("perm")
    axes = [int(axis) for axis in order] if isinstance(order, tuple) else list(reversed(range(len(first.dims))))
    return transpose(first, axes)


def _concat(node: Node, ins: Ins, first: Array) -> Array:
    if node.attrs.get("new_axis"):
        raise Unsupported
    return concat([array for array in ins if array is not None], integer(node, "axis", 0))


def _where(node: Node, ins: Ins, first: Array) -> Array:
    one, two = ins[1], ins[2]
    if one is None or two is None:
        raise Unsupported
    return elementwise(lambda c, a, b: a if c else b, first, one, two)


def _cast(node: Node, ins: Ins, first: Array) -> Array:
    to = node.attrs.get("to")
    if to in (2, 3, 4, 5, 6, 7, 12, 13, "int"):
        return Array(first.dims, [float(math.trunc(value)) for value in first.data])
    return Array(first.dims, [float(bool(value)) for value in first.data]) if to in (9, "bool") else first


def _clip(node: Node, ins: Ins, first: Array) -> Array:
    bounds: list[float] = []
    for place, name, default in ((1, "min", -math.inf), (2, "max", math.inf)):
        array = ins[place] if place < len(ins) else None
        given = node.attrs.get(name)
        bounds.append(
            array.data[0] if array is not None else float(given) if isinstance(given, int | float) else default
        )
    return Array(first.dims, [min(max(value, bounds[0]), bounds[1]) for value in first.data])


def _quantised(node: Node, ins: Ins, first: Array) -> Array:
    """To whole numbers of eight bits without sign, as QuantizeLinear does unless it is told otherwise, and back."""
    scale, zero = ins[1] if len(ins) > 1 else None, ins[2] if len(ins) > 2 else None
    if scale is None or len(scale.data) != 1 or node.given not in ("QuantizeLinear", "DequantizeLinear"):
        raise Unsupported
    factor, shift = scale.data[0], zero.data[0] if zero is not None else 0.0
    if node.given == "DequantizeLinear":
        return Array(first.dims, [(value - shift) * factor for value in first.data])
    return Array(first.dims, [min(max(round(value / factor) + shift, 0.0), 255.0) for value in first.data])


def _binarised(node: Node, ins: Ins, first: Array) -> Array:
    threshold = node.attrs.get("threshold", 0.0)
    bound = float(threshold) if isinstance(threshold, int | float) else 0.0
    return Array(first.dims, [float(value > bound) for value in first.data])


def _identity(node: Node, ins: Ins, first: Array) -> Array:
    return first


def _clamp_exp(value: float) -> float:
    return math.exp(min(value, 700.0))


def _power(value: float, exponent: float) -> float:
    if value < 0 and exponent != int(exponent):
        raise Unsupported
    return float(value**exponent)


def _mod(left: float, right: float) -> float:
    return left % right if right else math.nan


_UNARY: dict[str, Callable[..., float]] = {
    "neg": lambda a: -a,
    "abs": abs,
    "sqrt": lambda a: math.sqrt(a) if a >= 0 else math.nan,
    "rsqrt": lambda a: 1 / math.sqrt(a),
    "reciprocal": lambda a: 1 / a if a else math.inf,
    "log": lambda a: math.log(a) if a > 0 else -math.inf,
    "sin": math.sin,
    "cos": math.cos,
    "square": lambda a: a * a,
    "sigmoid": lambda a: 1 / (1 + _clamp_exp(-a)),
    "tanh": math.tanh,
    "erf": math.erf,
    "exp": _clamp_exp,
    "floor": lambda a: float(math.floor(a)),
    "ceil": lambda a: float(math.ceil(a)),
    "round": lambda a: float(round(a)),
    "trunc": lambda a: float(math.trunc(a)),
    "sign": lambda a: float((a > 0) - (a < 0)),
    "not": lambda a: float(not a),
    "is_nan": lambda a: float(a != a),
    "is_inf": lambda a: float(abs(a) == math.inf),
    "tan": math.tan,
}
_ELEMENT: dict[str, Callable[..., float]] = _UNARY | {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b if b else math.copysign(math.inf, a),
    "mod": _mod,
    "min": min,
    "max": max,
    "pow": _power,
    "equal": lambda a, b: float(a == b),
    "not_equal": lambda a, b: float(a != b),
    "less": lambda a, b: float(a < b),
    "less_equal": lambda a, b: float(a <= b),
    "greater": lambda a, b: float(a > b),
    "greater_equal": lambda a, b: float(a >= b),
    "and": lambda a, b: float(bool(a) and bool(b)),
    "or": lambda a, b: float(bool(a) or bool(b)),
    "xor": lambda a, b: float(bool(a) != bool(b)),
    "bit_and": lambda a, b: float(int(a) & int(b)),
    "bit_or": lambda a, b: float(int(a) | int(b)),
    "bit_xor": lambda a, b: float(int(a) ^ int(b)),
}
_SPECIAL: dict[str, Callable[[Node, Ins, Array], Array]] = {
    "identity": _identity,
    "dequantize": _quantised,
    "binarizer": _binarised,
    "reduce_sum": _reduction(sum),
    "reduce_mean": _reduction(lambda values: sum(values) / max(len(values), 1)),
    "reduce_max": _reduction(lambda values: max(values, default=-math.inf)),
    "reduce_min": _reduction(lambda values: min(values, default=math.inf)),
    "reduce_prod": _reduction(math.prod),
    "any": _reduction(lambda values: float(any(values))),
    "all": _reduction(lambda values: float(all(values))),
    "argmax": _arg(lambda values: values.index(max(values))),
    "argmin": _arg(lambda values: values.index(min(values))),
    "slice": _slice,
    "gather": _gather,
    "reshape": _reshape,
    "flatten": _flatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "transpose": _transpose,
    "concat": _concat,
    "where": _where,
    "cast": _cast,
    "clip": _clip,
    "reduce_log": _logarithms,
    "embedding": _gather,
}
