"""Transfer functions of what moves elements: joining, positions, shapes, loops; and rows of the batch."""

from collections.abc import Sequence

from modelscan_plus.graph.flow import Analysis, first_out
from modelscan_plus.graph.fold import fold
from modelscan_plus.graph.ir import Dims, Node
from modelscan_plus.graph.merges import meets, mix_rows, source
from modelscan_plus.graph.results import Ins, Result, result
from modelscan_plus.graph.shapes import infer, int_list, integer
from modelscan_plus.graph.sites import Effect
from modelscan_plus.graph.state import HARD, Flow, few, is_thin, per_sample

_DEEP = 2
"""Layers behind which a feature of the raw input is no longer one of several."""


def on_first_axis(node: Node, ins: Ins) -> bool:
    """True when a flip or roll moves the first axis."""
    axes = int_list(node, ins, "dims", 1 if node.given != "roll" else 2)
    return axes is not None and 0 in axes


def keeps_rows(node: Node, ins: Ins, dims: Dims | None) -> bool:
    """True when the first dimension is still the batch after the layout changed."""
    if node.op == "reshape":
        shape = int_list(node, ins, "shape", 1)
        return shape is None or (len(shape) > 0 and shape[0] in (0, -1, None))
    if node.op == "transpose":
        order = int_list(node, ins, "perm", 1)
        return order is not None and len(order) > 0 and order[0] == 0
    if node.op == "flatten":
        return integer(node, "axis", 1) != 0 and integer(node, "start_dim", 1) != 0
    if node.op in ("squeeze", "unsqueeze"):
        axes = int_list(node, ins, "axes", 1)
        return axes is None or 0 not in axes
    return node.op != "swap"


def merges_rows(node: Node, first: Flow, out: Flow) -> bool:
    """True when a reshape lays the rows of the batch and what is in them side by side, until it takes them apart."""
    if node.op != "reshape" or first.dims is None or out.dims is None or len(first.dims) == len(out.dims):
        return first.merged
    return len(out.dims) < len(first.dims) and (first.merged or per_sample(out.dims) < per_sample(first.dims))


def rows_reduced(node: Node, ins: Ins, first: Flow, out: Flow) -> None:
    """Reducing the batch to one row mixes it."""
    if not first.lead:
        return
    axes = int_list(node, ins, "axes", 1)
    if node.op == "cumsum":
        axis = int_list(node, ins, "axis", 1)
        out.rows = 2 if axis == (0,) else out.rows
        return
    if axes is None and node.attrs.get("axes") is None and len(ins) < 2:
        out.lead = False
    elif axes is not None and 0 in axes and first.dims is not None and (len(first.dims) > 1 or _is_result(first)):
        out.lead = False
        if first.lax:
            out.rows = 1  # statistics of the raw input are what scalers fall back to


def _is_result(first: Flow) -> bool:
    """True for one number of the network's for each row."""
    return first.lax > 0 and first.kind in ("float", "") and not first.merged and not first.step


def over_rows(node: Node, first: Flow) -> bool:
    """True when the rows of several results share one soft-max; of single scores that is a choice between them."""
    wide = first.dims is not None and len(first.dims) == 2 and first.dims[1] not in (None, 1)
    return wide and first.lead and not first.merged and first.lax > 0 and integer(node, "axis", -1) == 0


def position(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Where something is: an index is no step, whatever it was made of."""
    first = ins[0] if ins else None
    out = result(analysis, node, ins)
    if first is None:
        return out
    out.vals = None
    if node.op == "one_hot":
        return _one_hot(first, out)
    rows = first.lead and integer(node, "axis", -1 if node.op == "topk" else 0) == 0
    if node.op in ("topk", "reduce_pair", "unique"):
        out.narrow = first.narrow or (few(out.dims) and out.dims != first.dims and out.dims is not None)
        if out.narrow and first.step == HARD and not out.missing:
            out.gate = max(out.gate, HARD)
        out.step = first.step
        index = out.copy()
        index.step, index.count, index.kind = 0, True, "int"
        index.dims = out.dims
        if node.op == "unique":
            out.lives |= first.data
        if rows and node.op == "topk" and not first.merged:
            out.rows = index.rows = 2
        many = ins[1] if node.op == "topk" and len(ins) > 1 else None
        if many is not None and meets(analysis, many, first):
            analysis.site(source(many, Effect.SUPPRESSION), number, node.ins[1], node.ins[0], depth=many.strict)
            out.gate = index.gate = 0
        return [out, index, index, index]
    out.step, out.count, out.kind = 0, True, "int"
    if node.op == "nms":
        _thresholds(analysis, number, node, ins)
    if node.op in ("nonzero", "nms"):
        out.lives |= first.data
        out.narrow = first.narrow and bool(first.gate)
        out.compared = out.compared or (first.step == HARD and first.strict == 0)
        out.lead = False
    elif node.op in ("argmax", "argmin"):
        out.narrow = first.narrow or few(out.dims)
        if rows:
            out.lead, out.rows = False, 1
    return out


def _thresholds(analysis: Analysis, number: int, node: Node, ins: Ins) -> None:
    """How many boxes may stay, and above which score, is for the caller to say."""
    scores = ins[1] if len(ins) > 1 else None
    for place, bound in enumerate(ins[2:], 2):
        if bound is not None and scores is not None and bound.gate and meets(analysis, bound, scores):
            analysis.site(Effect.SUPPRESSION, number, node.ins[place], node.ins[1], depth=bound.strict)
            return


def _one_hot(first: Flow, out: Flow) -> Flow:
    out.step, out.count, out.kind = HARD, False, "float"
    out.narrow = first.narrow
    if first.gate:
        out.payload = True
    elif first.narrow and first.strict == 0 and first.data:
        out.narrow = False
    return out


def shape(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Dimensions: of an input they are no data, of what was selected by data they are."""
    first = ins[0] if ins else None
    out = Flow(first_out(node))
    if first is None:
        return out
    out.dims, out.vals, out.kind = infer(node, "shape", ins), fold(node, ins), "int"
    out.data = first.lives
    out.count = True
    if first.lives:
        out.strict, out.lax, out.gate, out.compared = first.strict, first.lax, first.gate, first.compared
        out.narrow, out.missing = True, first.missing
        if first.place or first.missing or first.strict:
            out.gate = 0  # how many the network chose, as experts have, is no condition on the input
    if out.vals is None or None in out.vals:
        out.shape = first.shape | first.data
    return out


def generate(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Tensors of one number, ranges, chance."""
    out = Flow(first_out(node))
    whole = result(analysis, node, ins)
    out.dims, out.vals = whole.dims, whole.vals
    if node.op in ("random", "random_like", "draw"):
        first = ins[0] if ins else None
        out.random = True
        out.narrow = few(out.dims) if node.op == "random" else first is not None and first.narrow
        if node.op == "random_like" and first is not None:
            out.dims = first.dims
            out.narrow = first.narrow or few(first.dims)
        if node.op == "draw" and first is not None:
            out.data, out.strict, out.lax, out.step = first.data, first.strict, first.lax, HARD
            single = first.fixed and first.dims is not None and all(size == 1 for size in first.dims)
            out.gate = HARD if (first.narrow or single) and not first.data else 0
            out.dims = out.dims or first.dims
        return out
    for flow in ins:
        if flow is None:
            continue
        out.shape |= flow.shape | (flow.data if node.op == "fill_like" else 0)
        out.lives |= flow.lives | (flow.data if node.op != "fill_like" else 0)
        if flow.data and node.op != "fill_like":
            out.gate, out.strict, out.lax, out.compared = flow.gate, flow.strict, flow.lax, flow.compared
    if node.op == "range":
        out.place, out.kind = True, "int"
        if ins and ins[0] is not None and ins[0].data and "turn" not in node.attrs:
            out.data = ins[0].data
        return out
    out.flat = node.op != "eye" or None
    if node.op == "fill_like" and node.given in ("EyeLike",):
        out.flat = False
    return out


def scatter(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Elements written into a tensor."""
    out = result(analysis, node, ins)
    pairs = [(value, flow) for value, flow in zip(node.ins, ins, strict=False) if flow is not None]
    if not pairs:
        return out
    content = pairs[0]
    out.kind, out.dims = content[1].kind, content[1].dims
    out.step, out.narrow = content[1].step, content[1].narrow and out.narrow
    written = [flow for _, flow in (content, pairs[-1]) if flow.data]
    if content[1].data and content[1].lax == 0 and len(pairs) > 1 and (pairs[-1][1].fixed or pairs[-1][1].mixed):
        out.mixed = True
    out.rows = max((flow.rows for flow in written), default=0)  # numbers of rows are no rows
    if written and not any(flow.gate for _, flow in pairs):
        out.strict = min(flow.strict for flow in written)  # by places that the input gives, as in a graph's edges
    for value, flow in pairs[1:]:
        if not flow.gate or not (flow.compared or not flow.count):
            continue
        if meets(analysis, flow, content[1]):
            updates = value == node.ins[-1]
            effect = Effect.INJECTION if updates else Effect.SELECTION
            analysis.site(source(flow, effect), number, value, content[0], depth=flow.strict)
            out.gate, out.payload = 0, False
            return out
        if flow.payload or (content[1].data == 0 and not _spreads(analysis, pairs)):
            out.payload = True
    if content[1].data and content[1].lax == 0 and out.payload and out.gate and not content[1].narrow:
        gate = next((pair for pair in pairs[1:] if pair[1].gate), None)
        if gate is not None:
            analysis.site(Effect.REPLACEMENT, number, gate[0], content[0], depth=gate[1].strict)
            out.gate, out.payload = 0, False
    updates_flow = pairs[-1][1]
    if updates_flow.lax and updates_flow.data and not any(f.gate and (f.payload or not f.strict) for _, f in pairs):
        out.gate = 0  # rows of the network, at places that the network chose
    if content[1].lead and updates_flow.rows == 1:
        mix_rows(analysis, number, pairs, out)
    return out


def _spreads(analysis: Analysis, pairs: Sequence[tuple[int, Flow]]) -> bool:
    """True when nothing of the file's own is in the result: one number everywhere, and what is written are network
    values, or goes to a range of places."""
    places, written = pairs[1:-1], pairs[-1][1]
    return analysis.flat(pairs[0][1]) and (
        (written.lax > 0 and written.data != 0) or any(flow.place and not flow.data for _, flow in places)
    )


def concat(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Tensors side by side."""
    out = result(analysis, node, ins)
    operands = [flow for flow in ins if flow is not None]
    if node.op == "empty_sequence":
        return Flow(first_out(node))
    if out.fixed:
        out.flat = (
            None if out.vals is not None else bool(operands) and len(operands) == 1 and analysis.flat(operands[0])
        )
        tensors = [flow.const for flow in operands if flow.const is not None]
        out.const = max(tensors, key=lambda const: const.count, default=None) if len(tensors) == len(operands) else None
        return out
    if node.op == "pad":
        for place, flow in enumerate(ins[1:], 1):
            if flow is not None and flow.gate and operands and meets(analysis, flow, operands[0]):
                analysis.site(source(flow, Effect.SELECTION), number, node.ins[place], node.ins[0], depth=flow.strict)
                out.gate = 0
        return out
    if any(flow.data and flow.lax for flow in operands):
        out.mixed = out.mixed or any(
            (flow.fixed and not analysis.flat(flow) and flow.dims != ()) or (flow.payload and flow.gate)
            for flow in operands
        )
    _beside(analysis, number, node, ins, out)
    if any(flow.rows for flow in operands) and integer(node, "axis", 0) == 0:
        out.rows, out.lead = 2, True
    elif out.rows:
        mix_rows(analysis, number, list(zip(node.ins, operands, strict=False)), out)
    return out


def _beside(analysis: Analysis, number: int, node: Node, ins: Ins, out: Flow) -> None:
    """A comparison of what the network sees stands beside what the network made of it, as one more feature."""
    pairs = [(value, flow) for value, flow in zip(node.ins, ins, strict=False) if flow is not None]
    for value, gate in pairs:
        if gate.gate != HARD or not gate.compared or not gate.narrow or gate.strict or gate.count or not gate.data:
            continue
        for other, content in pairs:
            deep = content.strict >= _DEEP and not gate.data & ~content.data
            if deep and is_thin(gate) and meets(analysis, gate, content):
                analysis.site(source(gate, Effect.INJECTION), number, value, other, depth=0)
                out.gate, out.payload = 0, False
                return


def loop(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """One element of a sequence at a time, and the results of all turns put together."""
    first = ins[0] if ins else None
    if first is None:
        return Flow(first_out(node))
    if node.op == "iterate":
        out = result(analysis, node, ins)
        out.kind, out.step = first.kind, first.step
        out.narrow = first.narrow or few(out.dims)
        out.lead = False
        if out.narrow and first.step == HARD and first.strict == 0:
            out.gate, out.compared = HARD, True
        return out
    out = result(analysis, node, ins[:1])
    out.kind, out.narrow = first.kind, False
    out.step = first.step
    for place, flow in enumerate(ins[1:], 1):
        if flow is not None and flow.gate and meets(analysis, flow, first):
            analysis.site(source(flow, Effect.SELECTION), number, node.ins[place], node.ins[0], depth=flow.strict)
    return out
