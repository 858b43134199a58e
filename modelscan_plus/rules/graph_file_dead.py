"""Parts of a graph that only stand there: nodes with weights that lead nowhere, branches that are never taken."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.onnx.model import Graph, Node
from modelscan_plus.formats.graphs.onnx.walk import Scope
from modelscan_plus.rules.graph_file_sizes import constant_node, start
from modelscan_plus.rules.graph_limits import about, named, shown, some
from modelscan_plus.rules.interface import Context, Rule, judges

DEAD = Rule(
    id="MSP4048",
    slug="onnx-dead-part",
    title="A part of the graph leads nowhere",
    severity=Severity.MEDIUM,
    why=(
        "Nodes with weights of their own reach no output, or stand in the branch of a condition that is constant. "
        "Runtimes drop them, so they serve nobody now; they are a second model that comes along, to be switched on by "
        "a small change, or a place to keep something."
    ),
    fix="Ask what the part is for; onnxsim or onnxruntime's offline optimisation removes it.",
    bad="25 nodes with 14 weights, the last of which gives a value that nobody takes",
    good="a Constant, an Identity or a Shape that an exporter left behind",
    cwe=("CWE-561",),
    references=("https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html",),
)

_DEAD_NODES = 8
_DEAD_WEIGHTS = 256
"""Bytes of weights below which dead nodes are leftovers."""


@judges(OnnxFacts)
def dead_parts(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """Nodes with weights that reach no output, and branches that a constant closes."""
    if not facts.complete:
        return
    by_scope: dict[int, list[tuple[Scope, Node]]] = {}
    for scope, node in facts.unused.nodes:
        by_scope.setdefault(id(scope), []).append((scope, node))
    idle = {id(tensor) for _, tensor in facts.unused.tensors}
    found = []
    for nodes in by_scope.values():
        scope = nodes[0][0]
        taken = {name for _, node in nodes for name in node.input}
        held = scope.body.initializer if isinstance(scope.body, Graph) else ()
        weights = [tensor for tensor in held if tensor.name in taken and id(tensor) in idle]
        inner = sum(len(graph.node) for _, node in nodes for graph in node.subgraphs())
        size = sum(tensor.length for tensor in weights)
        if (size >= _DEAD_WEIGHTS and len(nodes) > 1) or inner >= _DEAD_NODES or size >= 1 << 16:
            found.append((scope, nodes[-1][1], len(nodes) + inner, len(weights)))
    for (scope, node, count, tensors), more in some(found):
        message = f"{shown(scope.path)}: {count:,} nodes with {tensors:,} weights reach no output.{more}"
        yield about(DEAD, scope, node, message, context)
    for (scope, node, branch, count), more in some(_closed(facts)):
        message = f"{named(scope, node)} never takes its {branch}, of {count:,} nodes: its condition is constant.{more}"
        yield about(DEAD, scope, node, message, context, Severity.MEDIUM if count >= _DEAD_NODES else Severity.LOW)


def _closed(facts: OnnxFacts) -> Iterator[tuple[Scope, Node, str, int]]:
    """Branches of If whose condition is a constant of the graph."""
    for scope in facts.scopes:
        body = scope.body
        if not any(node.op_type == "If" for node in body.node):
            continue
        known = start(scope, None)
        for node in body.node:
            if node.op_type == "Constant" and node.output:
                constant_node(node, node.output[0], known)
            elif node.op_type == "If" and node.input and (value := known.number(node.input[0])):
                branch = "else_branch" if value[0] else "then_branch"
                attribute = node.get(branch)
                if attribute is not None and attribute.g is not None:
                    yield scope, node, branch, len(attribute.g.node)
