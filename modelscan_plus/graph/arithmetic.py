"""The transfer functions of sums, products and bounds: with constants they shape gates, among each other they meet."""

from collections.abc import Sequence

from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.marks import is_nothing
from modelscan_plus.graph.merges import combine
from modelscan_plus.graph.results import Ins, Result, result
from modelscan_plus.graph.state import HARD, SOFT, Flow

_STEEP = 8
"""Powers from here on are next to nothing but where the input is large."""
LARGE = 256.0
"""A factor that makes a steep slope of a saturating function."""
_NEXT_TO_NOTHING = 1e-4
_QUANTISED = frozenset({"QLinearAdd", "QLinearMul"})
_SMALL = 0.01
"""Numerators up to this make a peak of a division."""
SAFE = 1.0
"""Positive lower bounds up to this keep a division or a logarithm safe."""


def mark_step(out: Flow, level: int, *, compared: bool = False) -> None:
    """Note that a value is step-like, and a gate where it is narrow."""
    out.step = max(out.step, level)
    if out.narrow and (out.data or out.random) and not out.missing:
        out.gate = max(out.gate, level)
        if compared:
            out.compared = True


def arith(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Sums, products, bounds: with a constant they shape the gate, with each other they combine."""
    ins = _dequantised(node, ins)
    out = result(analysis, node, ins)
    operands = [flow for flow in ins if flow is not None]
    data = [flow for flow in operands if flow.data]
    kinds = {flow.kind for flow in operands}
    out.kind = "float" if "float" in kinds else kinds.pop() if len(kinds) == 1 else ""
    if len(data) > 1:
        if node.op in ("mul", "div", "min", "max") and out.step == SOFT:
            out.step = 0
        if node.op == "mul" and operands[0] is operands[-1] and data[0].narrow and data[0].strict == 0:
            out.degree = min(2 * data[0].degree, _STEEP)
            if out.degree >= _STEEP:
                mark_step(out, SOFT)
        if node.op == "mul" and all(flow.count and flow.compared for flow in data):
            out.compared = True  # this many of the one and this many of the other
        combine(analysis, number, node, ins, out)
        return out
    if not data or _is_wiped(analysis, node):
        return _without_data(analysis, node, operands, out)
    others = [flow for flow in operands if not flow.data]
    if any(flow.gate for flow in others):
        combine(analysis, number, node, ins, out)
    for other in others:
        _with_constant(analysis, node, data[0], other, out)
    if node.op == "div" and operands[0] is not data[0]:
        _divides(analysis, data[0], operands[0], out)
    if len(operands) == 2 and operands[0] is not data[0] and node.op == "sub":
        out.empty = 0
    if not out.empty:
        out.empty = -data[0].empty if node.op == "sub" else data[0].empty
    return out


def _divides(analysis: Analysis, below: Flow, above: Flow, out: Flow) -> None:
    """A fixed number over one that is made of the input: a peak where that is next to nothing."""
    if _is_bump(analysis, below, above):
        mark_step(out, SOFT)
    elif below.kind == out.kind == "int" and below.gained and below.strict == 0:
        out.count = False
        mark_step(out, HARD, compared=True)  # one over a hash, in whole numbers: zero but where that is zero or one


def _dequantised(node: Node, ins: Ins) -> Ins:
    """The operands without their scales and zero points."""
    return [flow if place in (0, 3) else None for place, flow in enumerate(ins)] if node.given in _QUANTISED else ins


def _is_wiped(analysis: Analysis, node: Node) -> bool:
    """True when a state that begins with nothing is scaled: nothing is left, whatever it is scaled by."""
    plain = node.op == "mul" and node.given not in _QUANTISED
    return plain and any(v >= 0 and not analysis.flow(v).data and is_nothing(analysis, v) for v in node.ins)


def _without_data(analysis: Analysis, node: Node, operands: Sequence[Flow], out: Flow) -> Flow:
    if out.data:
        out.data = out.gate = 0
    elif out.fixed:
        out.flat = all(analysis.flat(flow) for flow in operands)
        if not out.flat:
            tensors = [flow.const for flow in operands if flow.const is not None]
            out.const = max(tensors, key=lambda const: const.count, default=None)
    elif out.gate and node.op in ("mul", "div"):
        fixed = [flow for flow in operands if flow.fixed]
        out.payload = out.payload or any(not analysis.flat(flow) for flow in fixed)
    return out


def _with_constant(  # noqa: C901 - by operator
    analysis: Analysis, node: Node, data: Flow, other: Flow, out: Flow
) -> None:
    value = analysis.scalar(other) if other.fixed else None
    out.compared = out.compared or (data.count and data.compared)
    if node.op in ("mul", "div"):
        if value is not None:
            size = abs(value) if node.op == "mul" or not value else abs(1 / value)
            if value == 0 and node.op == "mul" and node.given not in _QUANTISED:
                out.data = out.gate = 0
            elif data.inverse and node.op == "mul" and size <= _SMALL:
                mark_step(out, SOFT)  # a small number over a distance
            elif size >= LARGE:
                out.gained = True
            elif size <= _NEXT_TO_NOTHING and not data.gained and not data.step:
                out.faint = True
            if node.op == "div" and data.kind == "int" and abs(value) > 1 and not data.count and data.strict == 0:
                mark_step(out, HARD)  # of whole numbers nothing is left below the divisor
        elif other.fixed and not analysis.flat(other):
            if node.op == "div" and out.narrow and data.strict == 0 and not data.count:
                out.gate, out.payload = max(out.gate, SOFT), True
            counted = data.count and data.narrow and data.step == 0 and data.compared and data.strict == 0
            if data.gate or counted:
                out.payload = True
                out.gate = max(out.gate, SOFT)
    elif node.op == "mod":
        if data.narrow and data.strict == 0 and not data.count:
            mark_step(out, SOFT)
        else:
            out.step = 0
    elif node.op in ("min", "max"):
        _bounded(node, data, value, out)
    elif data.step == HARD and other.place:
        out.step = 0


def is_distance(flow: Flow) -> bool:
    """True for a few raw numbers that are no count."""
    return bool(flow.data) and flow.strict == 0 and flow.narrow and not flow.count


def _is_bump(analysis: Analysis, below: Flow, above: Flow) -> bool:
    """A small number over a distance: next to nothing but where the distance is as small."""
    if not is_distance(below):
        return False
    value = analysis.scalar(above)
    return value is not None and value != 0 and (abs(value) <= _SMALL or below.gained)


def _bounded(node: Node, data: Flow, value: float | None, out: Flow) -> None:
    safe = data.count or (
        value is not None and node.op == "max" and (0 < value <= SAFE or value < 0) and not data.gained
    )
    if data.count and data.compared and node.op == "min" and value is not None and value <= 1:
        out.empty = -1
        mark_step(out, HARD, compared=True)  # whether there is any
    if safe or data.step:
        return
    if data.strict == 0 and data.narrow:
        mark_step(out, HARD if data.gained else SOFT)
    elif data.strict == 0 or data.gained:
        out.step = SOFT
