"""What the outputs of a graph depend on, once the pass is through."""

from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.sites import Effect, Site


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
            if layers or graph.nodes:
                outcome.sites.append(Site(Effect.RANDOM if flow.random else Effect.CONSTANT, node, -1, value))
        elif flow.data and flow.lax == 0 and unused and len(unused) == len(layers):
            outcome.sites.append(Site(Effect.BYPASS, node, -1, value))


def reachable(analysis: Analysis) -> set[int]:
    """The nodes from which an output can be reached."""
    graph = analysis.graph
    live: set[int] = set()
    ahead = [graph.values[value].producer for value in graph.outputs]
    while ahead:
        number = ahead.pop()
        if number < 0 or number in live:
            continue
        live.add(number)
        ahead += [graph.values[value].producer for value in graph.nodes[number].ins if value >= 0]
    return live
