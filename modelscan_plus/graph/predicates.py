"""Transfer functions of what is true or false: comparisons, logic, bits."""

from collections.abc import Sequence

from modelscan_plus.graph import masks
from modelscan_plus.graph.arithmetic import mark_step
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.merges import combine, meets, source
from modelscan_plus.graph.results import Ins, Result, result
from modelscan_plus.graph.sites import Effect
from modelscan_plus.graph.state import HARD, SOFT, Flow, few
from modelscan_plus.graph.weights import is_range


def compare(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """A comparison: a step, and of a few numbers a gate; with a range of positions a mask."""
    out = result(analysis, node, ins)
    out.kind = "bool"
    if not out.data and not out.random:
        if out.shape and not out.place and few(out.dims) and (out.dims is None or len(out.dims) <= 1):
            out.step, out.gate, out.compared = HARD, HARD, True
        return out
    operands = [flow for flow in ins if flow is not None]
    moved = _moves_threshold(analysis, number, node, ins)
    rounded = any(flow.data and flow.strict == 0 and flow.step == HARD and flow.gate for flow in operands)
    equality = rounded and node.op in ("equal", "not_equal")
    places = any(_is_place(flow) and not single(flow) and not (equality and _is_template(flow)) for flow in operands)
    if places:
        out.narrow, out.place = False, True
        if not any(flow.step == HARD and flow.gate and flow.compared for flow in operands):
            out.gate = 0  # a length, however it was computed
    elif out.random and not out.data:
        out.narrow = few(out.dims)
    _empty(analysis, node, operands, out)
    if node.op == "same":
        out.narrow = True
    out.mutual = masks.is_mutual(analysis, node, out)
    out.truth = out.truth or _asks_for_zero(analysis, operands)
    mark_step(out, HARD, compared=True)
    out.count = out.gained = False
    if moved:
        out.gate, out.payload = 0, False
    return out


def _moves_threshold(analysis: Analysis, number: int, node: Node, ins: Ins) -> bool:
    """True when a condition on the input sets the threshold that the network's numbers are compared with."""
    pairs = [(value, flow) for value, flow in zip(node.ins, ins, strict=False) if flow is not None]
    for value, gate in pairs:
        if not gate.step or gate.count or gate.place or gate.missing or gate.truth or node.op in ("equal", "not_equal"):
            continue
        for other, content in pairs:
            if other != value and not content.count and content.kind != "int" and meets(analysis, gate, content):
                analysis.site(source(gate, Effect.SUPPRESSION), number, value, other, depth=gate.strict)
                return True
    return False


def _asks_for_zero(analysis: Analysis, operands: Sequence[Flow]) -> bool:
    """True when whole numbers are compared with zero or one."""
    numbers = [flow for flow in operands if flow.data]
    whole = len(numbers) == 1 and numbers[0].kind in ("int", "bool") and not numbers[0].count
    return whole and all(analysis.scalar(flow) in (0.0, 1.0) for flow in operands if not flow.data)


def _is_place(flow: Flow) -> bool:
    return flow.place or (flow.fixed and flow.const is not None and is_range(flow.const))


def _is_template(flow: Flow) -> bool:
    """True when numbers of the file follow one another but do not begin at zero, as positions and classes do."""
    return flow.fixed and bool(flow.vals) and flow.vals is not None and flow.vals[0] not in (0, 0.0)


def single(flow: Flow) -> bool:
    """True for one number."""
    return flow.dims is not None and all(size == 1 for size in flow.dims)


def _empty(analysis: Analysis, node: Node, operands: Sequence[Flow], out: Flow) -> None:
    if len(operands) != 2 or not (operands[0].count or operands[0].narrow):
        return
    bound = analysis.scalar(operands[1])
    certain = 1 if operands[0].count else 2
    if bound is None:
        return
    if (node.op, bound) in _NOTHING:
        out.empty = certain
    elif (node.op, bound) in _SOMETHING:
        out.empty = -certain


_NOTHING = (("equal", 0.0), ("less", 1.0), ("less_equal", 0.0))
_SOMETHING = (("not_equal", 0.0), ("greater", 0.0), ("greater_equal", 1.0))


def logic(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """And, or, not."""
    out = result(analysis, node, ins)
    out.kind = "bool"
    if node.op == "not" and ins and ins[0] is not None:
        out.empty = -ins[0].empty
    data = [flow for flow in ins if flow is not None and (flow.data or flow.random)]
    if len(data) > 1:
        out.narrow = all(flow.narrow for flow in data)
        if any(flow.step for flow in data):
            mark_step(out, HARD, compared=True)
    return out


def bits(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Operators on bits: on booleans they are logic, on a checksum they are a hash."""
    if any(flow is not None and flow.kind == "bool" for flow in ins):
        return logic(analysis, number, node, ins)
    out = result(analysis, node, ins)
    out.step = 0
    if out.narrow and out.data and out.strict == 0 and not out.count:
        mark_step(out, SOFT)
    combine(analysis, number, node, ins, out)
    return out
