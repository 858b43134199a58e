"""The pass itself: over all nodes in order, then a look at the outputs."""

from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.groups import every_step
from modelscan_plus.graph.ir import Graph
from modelscan_plus.graph.outputs import judge_outputs
from modelscan_plus.graph.rehearsal import rehearse
from modelscan_plus.graph.state import Flow
from modelscan_plus.graph.transfer import TRANSFER


def analyse(graph: Graph) -> Analysis:
    """Analyse a lowered graph; the result has the sites, and what is known about each value."""
    analysis = Analysis(graph)
    flows, classes, flow = analysis.flows, analysis.classes, analysis.flow
    for number, node in enumerate(graph.nodes):
        ins = [flow(value) if value >= 0 else None for value in node.ins]
        results = TRANSFER[classes[node.op]](analysis, number, node, ins)
        if isinstance(results, Flow):
            for out in node.outs:
                if out >= 0:
                    flows[out] = results
        else:
            for out, result in zip(node.outs, results, strict=False):
                if out >= 0:
                    flows[out] = result
    every_step(analysis)
    rehearse(analysis)
    judge_outputs(analysis)
    return analysis
