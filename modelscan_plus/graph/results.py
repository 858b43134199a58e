"""What every transfer function begins with: the join of the operands, with the dimensions of the result."""

from collections.abc import Sequence

from modelscan_plus.graph.flow import Analysis, first_out, join
from modelscan_plus.graph.fold import SMALL, fold
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.shapes import infer
from modelscan_plus.graph.state import Flow

Ins = Sequence[Flow | None]
Result = Flow | list[Flow]
_SIZED = frozenset({"copy", "layout", "reduce", "pool", "slice", "split", "topk", "pad"})
"""Classes and operators whose further operands are sizes, axes and bounds."""
_ELEMENTWISE = frozenset(
    {
        "copy",
        "layout",
        "smooth",
        "saturate",
        "activation",
        "peaky",
        "compare",
        "logic",
        "bits",
        "round",
        "cast",
        "arith",
    }
)
"""Classes whose results are functions of an operand element by element."""


def result(analysis: Analysis, node: Node, ins: Ins) -> Flow:
    """The join of all operands with the dimensions, and where it is fixed the elements, of the result."""
    group = analysis.classes[node.op]
    out = join(_contents(ins) if group in _SIZED or node.op in _SIZED else ins, first_out(node))
    if group not in _ELEMENTWISE:
        out.root = first_out(node)
    out.dims = infer(node, group, ins)
    if out.dims is None and node.outs and node.outs[0] >= 0:
        out.dims = analysis.graph.values[node.outs[0]].dims
    if not out.data and (out.dims is None or len(out.dims) <= 1 or all(size == 1 for size in out.dims)):
        out.vals = fold(node, ins)
        if out.vals is not None and len(out.vals) > SMALL:
            out.vals = None
    if out.fixed and (group in _ELEMENTWISE or group == "reduce") and node.op != "cumsum":
        # One number everywhere stays one: ones are counted, and the count is a bound, without saying how many.
        flows = [flow for flow in (ins[:1] if group == "reduce" else ins) if flow is not None]
        out.flat = (bool(flows) and all(analysis.flat(flow) for flow in flows)) or None
    return out


def _contents(ins: Ins) -> Ins:
    """The operands without sizes, axes and bounds that no element of an input has an influence on."""
    return [flow for place, flow in enumerate(ins) if flow is not None and (not place or flow.data)]
