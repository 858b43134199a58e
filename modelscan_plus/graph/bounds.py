"""Is a value the same whatever the input is, although it is computed from the network? Decided by intervals.

Backwards from the value: each operator says between which bounds its result lies, and whether it is constant. A layer
gives anything within a million on both sides, which is far more than networks give. Bounds that meet, a factor of
zero, the difference of a value and itself, a bound that the network cannot reach: all of it is one question here.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.shapes import integer

_REACH = 1e6
"""Numbers of a network lie within it."""
_NODES = 200
"""Operators that are followed; what is beyond may be anything."""
_READ = 4096
"""Elements of a constant that are read."""
_BACK = 16


class Bounds(NamedTuple):
    """Between which numbers all elements of a value lie."""

    low: float
    high: float
    constant: bool
    """No input has an influence; the elements may differ from each other."""


_TRUTH = Bounds(0.0, 1.0, False)
_OTHER = frozenset("ThresholdedRelu Shrink threshold threshold_ hardshrink softshrink".split())
"""Operators that share a name of ours and are no plain relu."""
_SAME = frozenset("copy layout cast index pool".split())
"""Classes of operators that make no number larger or smaller than those that they are given."""


def is_constant(analysis: Analysis, value: int) -> bool:
    """True when the value is computed from what the network gives, and is the same for every input."""
    flow = analysis.flow(value)
    if flow.random or not _reads_network(analysis, value):
        return False
    return _Bounds(analysis).of(value).constant


def is_dead(analysis: Analysis, value: int) -> bool:
    """True when no input at all can change the value, however large, infinite ones and those that are no numbers too.

    A branch that sleeps on all ordinary inputs is dead only then: that a search does not wake it proves nothing, since
    inputs may be as large as floats are.
    """
    return _Bounds(analysis, reach=math.inf).of(value).constant


def _reads_network(analysis: Analysis, value: int) -> bool:
    graph = analysis.graph
    seen: set[int] = set()
    ahead = [value]
    while ahead and len(seen) < _NODES:
        flow = analysis.flow(current := ahead.pop(0))
        if flow.data and flow.lax:
            return True
        producer = graph.values[current].producer
        if producer >= 0 and producer not in seen:
            seen.add(producer)
            ahead += [operand for operand in graph.nodes[producer].ins if operand >= 0]
    return False


class _Bounds:
    def __init__(self, analysis: Analysis, reach: float = _REACH) -> None:
        self._analysis = analysis
        self._proof = reach == math.inf
        self._anything = Bounds(-reach, reach, False)
        self._known: dict[int, Bounds] = {}
        self._left = _NODES

    def of(self, value: int, depth: int = 0) -> Bounds:
        found = self._known.get(value)
        if found is None:
            found = self._known[value] = self._find(value, depth)
        return found

    def _find(self, value: int, depth: int) -> Bounds:
        graph = self._analysis.graph
        info = graph.values[value]
        if info.const is not None:
            return self._of_const(value)
        if info.producer < 0 or depth > 2 * _BACK or self._left <= 0:
            return self._anything
        self._left -= 1
        node = graph.nodes[info.producer]
        if "loop" in node.attrs or self._analysis.classes[node.op] in ("loop", "unknown", "opaque", "generate"):
            return self._anything._replace(constant=self._analysis.flow(value).fixed)
        same = node.op in ("sub", "div") and len(node.ins) == 2 and not self._proof
        if same and self._alias(node.ins[0]) == self._alias(node.ins[1]):
            return Bounds(0.0, 0.0, True) if node.op == "sub" else Bounds(1.0, 1.0, True)
        operands = [self.of(operand, depth + 1) for operand in node.ins if operand >= 0]
        found = self._apply(node, operands) if operands else self._anything
        if self._proof and self._is_odd(node, value, found):
            found = _TRUTH if self._analysis.flow(value).kind == "bool" else self._anything
        constant = found.low == found.high or found.constant or (bool(operands) and all(b.constant for b in operands))
        return found._replace(constant=constant)

    def _is_odd(self, node: Node, value: int, found: Bounds) -> bool:
        """True where what is no number gives something else than numbers do: no comparison with it is true, and as a
        whole number it is anything."""
        compared = self._analysis.classes[node.op] in ("compare", "logic") and found.high > 0
        return compared or (node.op == "cast" and self._analysis.flow(value).kind in ("int", "bool"))

    def _apply(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        group = self._analysis.classes[node.op]
        if node.given.startswith("QLinear") or node.op in ("dequantize", "dynamic_quantize"):
            return self._anything
        if node.op in _BY_TWO and len(operands) >= 2:
            found = operands[0]
            for other in operands[1:]:
                found = _BY_TWO[node.op](found, other)
            return found
        if node.op in _BY_ONE and node.given not in _OTHER:
            return _BY_ONE[node.op](operands[0])
        if node.op == "clip":
            return self._clipped(node, operands[0])
        if node.op in ("where", "masked_fill", "phi") and len(operands) == 3:
            return _chosen(operands if node.op != "masked_fill" else (operands[1], operands[2], operands[0]))
        if node.op == "concat" or node.op == "scatter":
            return _hull(operands, all(bounds.constant for bounds in operands))
        if node.op == "softmax":
            single = self._is_single(node) and node.given != "LogSoftmax"
            return Bounds(1.0, 1.0, True) if single else Bounds(0.0, 1.0, False)
        if group in ("compare", "logic"):
            return _TRUTH
        if group in _SAME or node.op in ("reduce_mean", "reduce_max", "reduce_min"):
            return operands[0]._replace(constant=operands[0].low == operands[0].high)
        return self._anything

    def _is_single(self, node: Node) -> bool:
        """True for a soft-max over one element, whichever operator set: before 13 it goes over all axes from `axis` on,
        which is 1 unless it is said; since then over one, the last unless it is said."""
        dims = self._analysis.flow(node.ins[0]).dims
        if not dims:
            return False
        first = integer(node, "axis", min(1, len(dims) - 1)) % len(dims)
        return all(length == 1 for length in dims[first:])

    def _clipped(self, node: Node, first: Bounds) -> Bounds:
        low, high = node.attrs.get("min"), node.attrs.get("max")
        bounds = [float(given) if isinstance(given, int | float) else None for given in (low, high)]
        for place in (1, 2):
            if place < len(node.ins) and node.ins[place] >= 0:
                bounds[place - 1] = self._analysis.scalar(self._analysis.flow(node.ins[place]))
        below, above = bounds
        floor, ceiling = first.low, first.high
        if below is not None:
            floor, ceiling = max(floor, below), max(ceiling, below)
        if above is not None:
            floor, ceiling = min(floor, above), min(ceiling, above)
        return Bounds(floor, ceiling, False)

    def _of_const(self, value: int) -> Bounds:
        const = self._analysis.graph.values[value].const
        found = const.read(0, const.count) if const is not None and const.count <= _READ else None
        numbers = [float(number) for number in found or () if isinstance(number, int | float)]
        if not numbers or any(number != number for number in numbers):
            return Bounds(-math.inf, math.inf, True)
        return Bounds(min(numbers), max(numbers), True)

    def _alias(self, value: int) -> int:
        """The value that another one is a copy of."""
        graph = self._analysis.graph
        for _ in range(_BACK):
            producer = graph.values[value].producer
            if producer < 0 or graph.nodes[producer].op != "identity":
                break
            value = graph.nodes[producer].ins[0]
        return value


def _hull(parts: Sequence[Bounds], constant: bool) -> Bounds:
    return Bounds(min(part.low for part in parts), max(part.high for part in parts), constant)


def _chosen(parts: Sequence[Bounds]) -> Bounds:
    condition, one, two = parts
    if condition.low > 0 or condition.high < 0:
        return one
    return two if condition.low == condition.high == 0 else _hull((one, two), constant=False)


def _product(one: Bounds, two: Bounds) -> Bounds:
    ends = [a * b if a and b else 0.0 for a in one[:2] for b in two[:2]]
    return Bounds(min(ends), max(ends), False)


def _quotient(one: Bounds, two: Bounds) -> Bounds:
    if two.low <= 0 <= two.high:
        return Bounds(0.0, 0.0, True) if one.low == one.high == 0 else Bounds(-math.inf, math.inf, False)
    return _product(one, Bounds(1 / two.high, 1 / two.low, False))


def _greatest(one: Bounds, two: Bounds) -> Bounds:
    for left, right in ((one, two), (two, one)):
        if left.low >= right.high:
            return left
    return Bounds(max(one.low, two.low), max(one.high, two.high), False)


def _least(one: Bounds, two: Bounds) -> Bounds:
    for left, right in ((one, two), (two, one)):
        if left.high <= right.low:
            return left
    return Bounds(min(one.low, two.low), min(one.high, two.high), False)


def _greater(one: Bounds, two: Bounds) -> Bounds:
    if one.low > two.high:
        return Bounds(1.0, 1.0, True)
    return Bounds(0.0, 0.0, True) if one.high <= two.low else Bounds(0.0, 1.0, False)


def _greater_equal(one: Bounds, two: Bounds) -> Bounds:
    if one.low >= two.high:
        return Bounds(1.0, 1.0, True)
    return Bounds(0.0, 0.0, True) if one.high < two.low else Bounds(0.0, 1.0, False)


def _rising(function: Callable[[float], float]) -> Callable[[Bounds], Bounds]:
    return lambda bounds: Bounds(function(bounds.low), function(bounds.high), bounds.low == bounds.high)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(min(-value, 700.0)))


def _absolute(bounds: Bounds) -> Bounds:
    ends = sorted((abs(bounds.low), abs(bounds.high)))
    return Bounds(0.0 if bounds.low <= 0 <= bounds.high else ends[0], ends[1], False)


_BY_TWO: dict[str, Callable[[Bounds, Bounds], Bounds]] = {
    "add": lambda a, b: Bounds(a.low + b.low, a.high + b.high, False),
    "sub": lambda a, b: Bounds(a.low - b.high, a.high - b.low, False),
    "mul": _product,
    "div": _quotient,
    "max": _greatest,
    "min": _least,
    "greater": _greater,
    "greater_equal": _greater_equal,
    "less": lambda a, b: _greater(b, a),
    "less_equal": lambda a, b: _greater_equal(b, a),
    "and": lambda a, b: Bounds(float(a.low > 0 and b.low > 0), float(a.high > 0 and b.high > 0), False),
    "or": lambda a, b: Bounds(float(a.low > 0 or b.low > 0), float(a.high > 0 or b.high > 0), False),
}
_BY_ONE: dict[str, Callable[[Bounds], Bounds]] = {
    "relu": lambda bounds: Bounds(max(bounds.low, 0.0), max(bounds.high, 0.0), False),
    "sigmoid": _rising(_sigmoid),
    "tanh": _rising(math.tanh),
    "erf": _rising(math.erf),
    "exp": _rising(lambda value: math.exp(min(value, 700.0))),
    "sign": _rising(lambda value: float((value > 0) - (value < 0))),
    "floor": _rising(lambda value: float(math.floor(value)) if math.isfinite(value) else value),
    "ceil": _rising(lambda value: float(math.ceil(value)) if math.isfinite(value) else value),
    "neg": lambda bounds: Bounds(-bounds.high, -bounds.low, False),
    "not": lambda bounds: _greater_equal(Bounds(0.0, 0.0, True), _absolute(bounds)),
    "abs": _absolute,
    "square": lambda bounds: _product(_absolute(bounds), _absolute(bounds)),
}
