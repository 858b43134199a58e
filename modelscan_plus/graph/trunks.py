"""Transfer functions of layers: those with weights, attention, and what prepares tables and text."""

from modelscan_plus.graph.flow import Analysis, first_out, join
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.merges import combine, meets, source
from modelscan_plus.graph.results import Ins, Result, result
from modelscan_plus.graph.shapes import integer
from modelscan_plus.graph.sites import Effect
from modelscan_plus.graph.state import HARD, Flow, few, is_thin
from modelscan_plus.graph.weights import is_irregular

_STUMP = 7
"""Nodes of a forest up to which it is a comparison."""
_LISTED = 4096
"""Numbers of an attribute that front ends keep."""
_CANCELS = 0.02
"""What may be left of factors that cancel, of all of them."""
_NARROW_GATE = 4
_HEAD = 2
"""Units of a layer that gives no representation, but may be a learned gate."""


def trunk(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:  # noqa: C901 - one rule after the other
    """A layer: with weights from training it starts afresh, with a template it carries on what was there."""
    if node.op == "packed_matmul":
        return always(analysis, number, node, ins)
    if node.op == "rnn":
        return _rnn(analysis, number, node, ins)
    place = _weights(node, ins)
    if place is None:
        return _without_weights(analysis, number, node, ins)
    weights = ins[place]
    rest = [flow for at, flow in enumerate(ins) if at != place and flow is not None and (flow.data or flow.shape)]
    out = result(analysis, node, ins)
    if node.op == "quantised_matmul":
        out.dims = analysis.graph.values[node.outs[0]].dims if node.outs and node.outs[0] >= 0 else None
    bias = next((at for at in range(2, len(ins)) if _gated(ins[at]) and node.op in ("gemm", "conv", "linear")), None)
    first = next((flow for flow in rest if flow.data), None)
    out.lax = out.lax + 1
    if first is None or weights is None:
        if out.fixed and weights is not None:
            out.flat, out.const = None, weights.const
        return out
    outputs, inputs = _units(node, place, weights)
    carries = first.gate == HARD and first.compared and (first.thin or (first.narrow and is_thin(first)))
    trained = not carries and (first.strict >= 2 or analysis.trained(weights.const, outputs, inputs))
    if trained:
        fresh = Flow(first_out(node))
        fresh.data, fresh.shape, fresh.lives, fresh.random = out.data, out.shape, out.lives, out.random
        fresh.strict, fresh.lax, fresh.dims, fresh.lead = first.strict + 1, out.lax, out.dims, first.lead
        fresh.rows, fresh.kind, fresh.merged = out.rows, "float", first.merged
        out = fresh
    else:
        out.step = 0
        out.count = False
        out.thin = carries
        if not first.gate and outputs is not None and outputs <= _HEAD:
            out.learned = out.learned or is_irregular(weights.const)
        out.narrow = first.narrow or _narrow_result(node, out, outputs)
        if first.step and out.narrow and not out.missing and (first.step == HARD or first.strict == 0):
            out.gate = max(out.gate, first.step)
            out.compared = out.compared or first.step == HARD
        if first.gate and not analysis.flat(weights):
            out.payload = True
    if bias is not None:
        gate = ins[bias]
        if gate is not None and meets(analysis, gate, out):
            analysis.site(source(gate, Effect.INJECTION), number, node.ins[bias], node.ins[0], depth=gate.strict)
            out.gate, out.payload = 0, False
    if node.op == "matmul" and place == 0 and first.lead:
        out.lead = first.dims is not None and len(first.dims) > 2
    return out


def _gated(flow: Flow | None) -> bool:
    return flow is not None and flow.gate > 0


def _narrow_result(node: Node, out: Flow, outputs: int | None) -> bool:
    if node.op == "conv":
        return out.dims is not None and few(out.dims)
    if out.dims is not None:
        return few(out.dims)
    return outputs is not None and outputs <= _NARROW_GATE


def _weights(node: Node, ins: Ins) -> int | None:
    """Which operand holds the weights."""
    places: tuple[int, ...] = (1, 0)
    if node.op == "quantised_matmul" and node.given.startswith("QLinear"):
        places = (3,)
    elif node.op == "einsum":
        places = tuple(range(len(ins)))
    elif node.op in ("conv", "linear", "cdist"):
        places = (1,)
    for place in places:
        flow = ins[place] if place < len(ins) else None
        if flow is not None and flow.fixed:
            return place
    return None


def _units(node: Node, place: int, weights: Flow) -> tuple[int | None, int | None]:
    """Outputs and inputs of the layer."""
    dims = weights.dims
    if dims is None or not dims:
        return None, None
    if node.op == "conv" or node.given.startswith(("QLinearConv", "ConvInteger")):
        rest = 1
        for size in dims[1:]:
            rest *= size or 1
        return (dims[1] if "ranspose" in node.given and len(dims) > 1 else dims[0]), rest
    if len(dims) == 1:
        return 1, dims[0]
    if node.op == "linear" or (node.op == "gemm" and integer(node, "transB", 0)):
        return dims[-2], dims[-1]
    if node.op == "cdist":
        return dims[0], dims[-1]
    if place == 0:
        return dims[-2], dims[-1]
    if node.op == "einsum":
        return max(size or 1 for size in dims), min(size or 1 for size in dims)
    return dims[-1], dims[-2]


def _without_weights(analysis: Analysis, number: int, node: Node, ins: Ins) -> Flow:
    """Both sides depend on the input: attention, or a mixture of values by weights that the input gives."""
    out = result(analysis, node, ins)
    out.step = 0
    pairs = [(value, flow) for value, flow in zip(node.ins, ins, strict=False) if flow is not None]
    for value, gate in pairs:
        for other, content in pairs:
            if value != other and gate.gate and gate.narrow and meets(analysis, gate, content):
                analysis.site(source(gate, Effect.SELECTION), number, value, other, depth=gate.strict)
                out.gate, out.payload = 0, False
                return out
    first = ins[0] if ins else None
    if node.op == "matmul" and first is not None and first.dims is not None and len(first.dims) == 2:
        out.lead = first.lead
        out.rows = out.rows if out.lead else 0  # summed over all rows
    masks = [flow for _, flow in pairs if flow.step and not flow.narrow]
    if masks:
        analysis.exempt("mask by position")
    if node.op in ("gemm",):
        combine(analysis, number, node, ins, out)
    out.narrow = False
    return out


def _rnn(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    out = result(analysis, node, ins[:1])
    first = ins[0] if ins else None
    weights = ins[1] if len(ins) > 1 else None
    fresh = Flow(first_out(node))
    fresh.data, fresh.shape, fresh.lives, fresh.random = out.data, out.shape, out.lives, out.random
    fresh.lax, fresh.strict = out.lax + 1, out.strict + 1
    fresh.kind = "float"
    if weights is not None and weights.fixed and weights.dims is not None and first is not None and first.strict < 2:
        units = weights.dims[-2] if len(weights.dims) > 1 else 1
        fresh.strict = out.strict + analysis.trained(weights.const, units, None)
    for place, flow in enumerate(ins[4:7], 4):
        if flow is not None and flow.data and not (place == 4 and (flow.count or flow.gate != HARD)):
            if meets(analysis, flow, fresh):
                analysis.site(source(flow, Effect.INJECTION), number, node.ins[place], node.ins[0], depth=flow.strict)
            fresh.data |= flow.data
    outs = []
    for place, value in enumerate(node.outs):
        flow = fresh.copy()
        flow.root = value
        flow.dims = analysis.graph.values[value].dims if value >= 0 else None
        flow.lead = not place and bool(integer(node, "batch_first", 0)) and out.lead
        outs.append(flow)
    return outs


def always(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """A layer whose weights need no look."""
    out = join(ins, first_out(node))
    small = node.op == "forest" and (0 < _forest_nodes(node) <= _STUMP or _is_one_sided(node))
    flows = []
    for place, value in enumerate(node.outs):
        flow = Flow(value)
        flow.data, flow.shape, flow.lives, flow.random = out.data, out.shape, out.lives, out.random
        flow.lax, flow.lead, flow.rows, flow.merged = out.lax + 1, out.lead, out.rows, out.merged
        flow.dims = analysis.graph.values[value].dims if value >= 0 else None
        flow.kind = analysis.graph.values[value].kind if value >= 0 else ""
        if small and out.data:
            flow.strict, flow.step, flow.narrow, flow.gate, flow.compared = out.strict, HARD, True, HARD, True
        else:
            flow.strict = out.strict + 1
        flow.count = False
        flows.append(flow)
        if place == 0 and node.op == "generation":
            flow.kind = "int"
    return flows


def _is_one_sided(node: Node) -> bool:
    """True for support vectors whose factors do not add up to nothing, as those of every trained one do: the bias is
    free, and so the multipliers cancel. What is left is a template."""
    factors, supports = node.attrs.get("coefficients"), node.attrs.get("support_vectors")
    if not node.given.startswith("SVM") or node.attrs.get("one_class") or node.attrs.get("kernel_type") == "LINEAR":
        return False
    if not isinstance(factors, tuple) or not isinstance(supports, tuple) or not 0 < len(factors) < _LISTED:
        return False
    numbers = [float(number) for number in factors]
    return abs(sum(numbers)) > _CANCELS * sum(map(abs, numbers))


def _forest_nodes(node: Node) -> int:
    for name in ("nodes_nodeids", "nodes_featureids"):
        nodes = node.attrs.get(name)
        if isinstance(nodes, tuple):
            return len(nodes)
    return 0


def attention(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Fused attention: what weights the values may be masked."""
    if node.op == "rotary":
        out = result(analysis, node, ins[:1])
        out.dims = ins[0].dims if ins and ins[0] is not None else None
        return [out] * max(1, len(node.outs))
    everything = join(ins, first_out(node))
    values = [flow for flow in ins[:3] if flow is not None and flow.data]
    out = join(values, first_out(node)) if values else everything
    out.data, out.shape, out.lives = everything.data, everything.shape, everything.lives
    out.gate, out.payload, out.step, out.narrow = 0, False, 0, False
    for place, flow in enumerate(ins[:3]):
        other = next((value for value in values if value is not flow), None)
        if flow is not None and other is not None and flow.gate and meets(analysis, flow, other):
            analysis.site(
                source(flow, Effect.SELECTION), number, node.ins[place], node.ins[(place + 1) % 3], depth=flow.strict
            )
    outs = []
    for value in node.outs:
        flow = out.copy()
        flow.root = value
        flow.dims = analysis.graph.values[value].dims if value >= 0 else None
        outs.append(flow)
    return outs


def preprocess(analysis: Analysis, number: int, node: Node, ins: Ins) -> Result:
    """Imputing, encoding, thresholds by column, words to numbers."""
    first = ins[0] if ins else None
    out = join(ins, first_out(node))
    out.dims = first.dims if first is not None else None
    out.step, out.vals = 0, None
    if first is None or not first.data or node.op in ("imputer", "zip_map", "loss"):
        return [out] * max(1, len(node.outs))
    if node.op == "binarizer":
        out.step = HARD
        if out.narrow:
            out.gate, out.compared = HARD, True
    elif node.op == "encoder":
        out.root = first_out(node)
        out.step = HARD
        out.kind = "float" if node.given == "OneHotEncoder" else ""
        if first.narrow and _keys(node) <= 2 and node.given != "OneHotEncoder":
            out.gate, out.compared = HARD, True
        else:
            out.narrow = first.narrow and node.given != "OneHotEncoder"
            out.step = 0 if out.narrow else HARD
        out.dims = None if node.given == "OneHotEncoder" else out.dims
    elif node.op == "text":
        out.narrow = 0 < _keys(node) <= _NARROW_GATE
        out.count = True
        out.step = 0
        out.compared = True
        out.dims = None
    return [out] * max(1, len(node.outs))


def _keys(node: Node) -> int:
    for name, value in node.attrs.items():
        if name.startswith(("keys_", "cats_", "pool_", "classes_strings", "string_vocabulary")) and isinstance(
            value, tuple
        ):
            return len(value)
    return 0 if node.given == "Tokenizer" else 1000
