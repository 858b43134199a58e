"""Small values that the file determines: shapes above all. Elements that it does not determine are None."""

import math
from collections.abc import Callable, Sequence

from modelscan_plus.graph.ir import Dims, Node, Number
from modelscan_plus.graph.shapes import int_list, integer
from modelscan_plus.graph.state import Flow

SMALL = 32
"""Elements up to which a value is followed."""
Vals = tuple[Number | None, ...]
_BINARY: dict[str, Callable[[float, float], Number]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a // b if isinstance(a, int) and isinstance(b, int) else a / b,
    "mod": lambda a, b: a % b,
    "min": lambda a, b: min(a, b),
    "max": lambda a, b: max(a, b),
    "pow": lambda a, b: a**b if abs(b) < 16 and abs(a) < 1e9 else 0.0,
    "equal": lambda a, b: a == b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "not_equal": lambda a, b: a != b,
    "and": lambda a, b: bool(a) and bool(b),
    "or": lambda a, b: bool(a) or bool(b),
}
_UNARY: dict[str, Callable[[float], Number]] = {
    "neg": lambda a: -a,
    "abs": abs,
    "sqrt": lambda a: math.sqrt(a) if a >= 0 else math.nan,
    "reciprocal": lambda a: 1 / a,
    "exp": lambda a: math.exp(min(a, 700.0)),
    "log": lambda a: math.log(a) if a > 0 else math.nan,
    "floor": lambda a: math.floor(a) if isinstance(a, int) else float(math.floor(a)),
    "ceil": lambda a: math.ceil(a) if isinstance(a, int) else float(math.ceil(a)),
    "not": lambda a: not a,
}
_SAME = frozenset("identity reshape flatten squeeze unsqueeze transpose dequantize".split())


def fold(node: Node, flows: Sequence[Flow | None]) -> Vals | None:
    """The elements of the first output; None when it is large or does not follow from the operands."""
    op = node.op
    try:
        if op == "shape":
            return _shape(node, flows)
        first = flows[0].vals if flows and flows[0] is not None else None
        if op in _SAME:
            return first
        if op == "cast":
            return _cast(node, first)
        if op in _BINARY:
            return _binary(op, flows)
        if op in _UNARY:
            return None if first is None else tuple(None if v is None else _UNARY[op](_num(v)) for v in first)
        handler = _OTHER.get(op)
        return handler(node, flows) if handler is not None else None
    except (ArithmeticError, ValueError, TypeError, IndexError):
        return None


def _num(value: Number) -> float:
    if isinstance(value, str):
        raise TypeError
    return value


def _shape(node: Node, flows: Sequence[Flow | None]) -> Vals | None:
    dims: Dims | None = flows[0].dims if flows and flows[0] is not None else None
    if dims is None or len(dims) > SMALL:
        return None
    if len(flows) > 1 and flows[1] is not None and flows[1].vals:
        axis = flows[1].vals[0]
        return (dims[axis],) if isinstance(axis, int) and -len(dims) <= axis < len(dims) else None
    return dims[integer(node, "start", 0) : integer(node, "end", len(dims))]


def _cast(node: Node, vals: Vals | None) -> Vals | None:
    if vals is None:
        return None
    to = node.attrs.get("to")
    if to in (2, 3, 4, 5, 6, 7, 12, 13, "int"):
        return tuple(None if v is None else int(_num(v)) for v in vals)
    if to in (1, 10, 11, 16, "float"):
        return tuple(None if v is None else float(_num(v)) for v in vals)
    return tuple(None if v is None else bool(v) for v in vals) if to in (9, "bool") else vals


def _binary(op: str, flows: Sequence[Flow | None]) -> Vals | None:
    if len(flows) != 2:
        return None
    left = flows[0].vals if flows[0] is not None else None
    right = flows[1].vals if flows[1] is not None else None
    if left is None or right is None:
        return None
    if len(left) != len(right):
        if len(left) == 1:
            left = left * len(right)
        elif len(right) == 1:
            right = right * len(left)
        else:
            return None
    apply = _BINARY[op]
    return tuple(None if a is None or b is None else apply(_num(a), _num(b)) for a, b in zip(left, right, strict=True))


def _gather(node: Node, flows: Sequence[Flow | None]) -> Vals | None:
    data, index = flows[0], flows[1]
    if data is None or index is None or data.vals is None or index.vals is None or len(data.dims or (0,)) != 1:
        return None
    return tuple(data.vals[int(_num(v))] if v is not None else None for v in index.vals)


def _concat(node: Node, flows: Sequence[Flow | None]) -> Vals | None:
    result: list[Number | None] = []
    for flow in flows:
        if flow is None or flow.vals is None or len(result) > SMALL:
            return None
        result += flow.vals
    return tuple(result)


def _slice(node: Node, flows: Sequence[Flow | None]) -> Vals | None:
    data = flows[0]
    if data is None or data.vals is None or len(data.dims or (0,)) != 1:
        return None
    starts, ends = int_list(node, flows, "starts", 1), int_list(node, flows, "ends", 2)
    steps = int_list(node, flows, "steps", 4)
    if not starts or not ends or starts[0] is None or ends[0] is None:
        return None
    return data.vals[starts[0] : ends[0] if abs(ends[0]) < 2**31 else None : (steps[0] if steps else 1) or 1]


def _prod(node: Node, flows: Sequence[Flow | None]) -> Vals | None:
    vals = flows[0].vals if flows and flows[0] is not None else None
    if vals is None or None in vals:
        return None
    return (math.prod(_num(v) for v in vals if v is not None),)


def _size(node: Node, flows: Sequence[Flow | None]) -> Vals | None:
    dims = flows[0].dims if flows and flows[0] is not None else None
    return (math.prod(size or 0 for size in dims),) if dims is not None and None not in dims else None


def _filled(node: Node, flows: Sequence[Flow | None]) -> Vals | None:
    shape = flows[0].vals if flows and flows[0] is not None else None
    if shape is None or None in shape:
        return None
    count = math.prod(int(_num(v)) for v in shape if v is not None)
    given = node.attrs.get("value", 0)
    value = given[0] if isinstance(given, tuple) and given else given
    return (value if isinstance(value, int | float) else 0.0,) * count if 0 <= count <= SMALL else None


def _where(node: Node, flows: Sequence[Flow | None]) -> Vals | None:
    parts = [flow.vals if flow is not None else None for flow in flows[:3]]
    if len(parts) < 3 or any(part is None for part in parts):
        return None
    condition, left, right = (part or () for part in parts)
    count = max(len(condition), len(left), len(right))
    wide = [part * count if len(part) == 1 else part for part in (condition, left, right)]
    return tuple(None if c is None else a if c else b for c, a, b in zip(*wide, strict=True))


_OTHER: dict[str, Callable[[Node, Sequence[Flow | None]], Vals | None]] = {
    "gather": _gather,
    "concat": _concat,
    "slice": _slice,
    "reduce_prod": _prod,
    "size": _size,
    "constant_of_shape": _filled,
    "where": _where,
}
