"""What the outputs of a graph depend on, once the pass is through."""

from collections.abc import Sequence

from modelscan_plus.graph.bounds import is_constant
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.sites import Effect, Site

_AHEAD = 64
"""Nodes that are looked at for the first layer."""


def judge_outputs(analysis: Analysis) -> None:
    """Drop what reaches no output; note outputs that are constant, or that pass the network by."""
    graph, outcome = analysis.graph, analysis.outcome
    live = reachable(analysis)
    outcome.sites = [site for site in outcome.sites if site.node in live]
    outcome.unknown = [number for number in outcome.unknown if number in live]
    layers = [n for n, node in enumerate(graph.nodes) if analysis.classes[node.op] in ("trunk", "always_trunk")]
    layers = [n for n in layers if any(v >= 0 and analysis.flow(v).data for v in graph.nodes[n].ins)]
    unused = [n for n in layers if n not in live]
    flows = [(value, analysis.flow(value)) for value in graph.outputs]
    if not graph.inputs or not flows:
        return
    idle = _idle_results(analysis, live)
    depends = [pair for pair in flows if pair[1].data or pair[1].lives]
    for value, flow in flows:
        if flow.data and flow.rows == 2 and not any(site.effect is Effect.BATCH for site in outcome.sites):
            node = graph.values[value].producer
            outcome.sites.append(Site(Effect.BATCH, node, -1, value))
    for value, flow in flows:
        node = graph.values[value].producer
        if (
            not flow.data
            and not flow.lives
            and (unused or (not depends and not flow.shape))
            and (layers or not depends)
        ):
            lost = _lost(analysis, value)
            if lost is not None:
                outcome.unknown.append(lost)
            elif layers or (graph.nodes and (node < 0 or analysis.classes[graph.nodes[node].op] != "shape")):
                outcome.sites.append(Site(Effect.RANDOM if flow.random else Effect.CONSTANT, node, -1, value))
        elif (
            is_constant(analysis, value)
            or (node >= 0 and _took_over(analysis, value, idle=idle))
            or _is_sized(analysis, value)
        ):
            outcome.sites.append(Site(Effect.CONSTANT, node, -1, value))
        elif flow.data and flow.lax == 0 and unused and len(unused) == len(layers):
            outcome.sites.append(Site(Effect.BYPASS, node, -1, value))
        elif _hands_through(analysis, value) and any(other.lax for _, other in flows):
            outcome.sites.append(Site(Effect.BYPASS, node, -1, value, certain=False))


def _took_over(analysis: Analysis, value: int, *, idle: bool) -> bool:
    """True when numbers of the file, one row for each of the batch, are a result, while one of the network's is read
    by nobody, or only to choose the largest of just as many."""
    flow = analysis.flow(value)
    dims = flow.dims
    if dims is None or len(dims) < 2 or dims[0] is not None or flow.data or flow.lives or flow.random:
        return False
    if idle or len(dims) > 2 or dims[1] in (None, 1) or flow.kind != "float":
        return idle
    scores = [
        analysis.flow(node.ins[0]) for node in analysis.graph.nodes if node.op == "argmax" and min(node.ins[:1]) >= 0
    ]
    return any(score.dims == dims and score.lax and score.data for score in scores)


def _is_sized(analysis: Analysis, value: int) -> bool:
    """True when a fixed result is as large as what the network gives, of which nothing but the size is read."""
    flow, graph = analysis.flow(value), analysis.graph
    if flow.data or flow.lives or flow.random:
        return False
    for number in _before(analysis, [value]):
        node = graph.nodes[number]
        sized = node.ins[0] if analysis.classes[node.op] == "shape" and node.ins else -1
        if sized >= 0 and analysis.flow(sized).data and analysis.flow(sized).lax and sized not in graph.outputs:
            readers = [analysis.classes[graph.nodes[reader].op] for reader in analysis.readers(sized)]
            if set(readers) == {"shape"}:
                return True
    return False


def _idle_results(analysis: Analysis, live: set[int]) -> bool:
    """True when something that the network gives is read by nobody."""
    return any(
        analysis.flow(out).data and analysis.flow(out).lax and analysis.classes[node.op] != "shape"
        for number, node in enumerate(analysis.graph.nodes)
        if number not in live
        for out in node.outs
        if out >= 0
    )


def _hands_through(analysis: Analysis, value: int) -> bool:
    """True when a result is an input that layers read, in another scale or layout at most; states that a loop of the
    caller's hands in again are read by no layer."""
    flow, graph = analysis.flow(value), analysis.graph
    whole = flow.data and flow.lax == 0 and flow.kind == "float" and not (flow.narrow or flow.step or flow.control)
    if not whole or flow.root not in graph.inputs or graph.values[flow.root].kind != "float":
        return False
    ahead, seen = [flow.root], 0
    while ahead and seen < _AHEAD:
        for reader in analysis.readers(ahead.pop(0)):
            seen += 1
            node = graph.nodes[reader]
            weighted = any(operand >= 0 and analysis.flow(operand).fixed for operand in node.ins[1:2])
            if analysis.classes[node.op] in ("trunk", "always_trunk") and weighted:
                return True
            if analysis.classes[node.op] in ("layout", "copy", "cast", "arith", "norm"):
                ahead += [out for out in node.outs[:1] if out >= 0]
    return False


def _lost(analysis: Analysis, value: int) -> int | None:
    """The node that an input goes into, or should, and that what is known about it does not come out of."""
    graph = analysis.graph
    for number in sorted(_before(analysis, [value])):
        node = graph.nodes[number]
        group = analysis.classes[node.op]
        if group in ("trunk", "always_trunk", "attention") and (not node.ins or node.ins[0] < 0):
            return number
        flows = [analysis.flow(operand) for operand in node.ins if operand >= 0]
        results = [analysis.flow(out) for out in node.outs if out >= 0]
        if any(flow.data for flow in flows) and not any(flow.data or flow.lives for flow in results):
            silent = node.op == "mul" and any(analysis.scalar(flow) == 0 for flow in flows)
            if group not in ("shape", "generate") and not silent:
                return number
    return None


def _before(analysis: Analysis, values: Sequence[int]) -> set[int]:
    """The nodes that values are made by."""
    graph = analysis.graph
    seen: set[int] = set()
    ahead = [graph.values[value].producer for value in values]
    while ahead:
        number = ahead.pop()
        if number >= 0 and number not in seen:
            seen.add(number)
            ahead += [graph.values[operand].producer for operand in graph.nodes[number].ins if operand >= 0]
    return seen


def reachable(analysis: Analysis) -> set[int]:
    """The nodes from which an output can be reached."""
    return _before(analysis, analysis.graph.outputs)
