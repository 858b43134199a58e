"""What of a model reaches an output, and what only stands there."""

from collections.abc import Sequence

import msgspec

from modelscan_plus.formats.graphs.onnx.model import Function, Graph, Node, Tensor
from modelscan_plus.formats.graphs.onnx.walk import Scope


class Unused(msgspec.Struct, frozen=True):
    """Tensors and nodes on which no output depends."""

    tensors: tuple[tuple[Scope, Tensor], ...] = ()
    """Initialisers that nothing live takes; parts of sparse ones by their values."""
    nodes: tuple[tuple[Scope, Node], ...] = ()


def unused(scopes: Sequence[Scope]) -> Unused:
    """Go through every graph from its outputs back to its inputs, inner graphs first."""
    tensors: list[tuple[Scope, Tensor]] = []
    nodes: list[tuple[Scope, Node]] = []
    taken: dict[int, set[str]] = {}
    """By scope, the names that its inner graphs take from outside, for each node that holds some."""
    inner: dict[int, list[Scope]] = {}
    for scope in scopes:
        if scope.parent is not None:
            inner.setdefault(id(scope.parent), []).append(scope)
    for scope in reversed(scopes):
        body = scope.body
        outputs = body.output
        needed = {output if isinstance(output, str) else output.name for output in outputs}
        by_graph = {id(child.body): taken.pop(id(child)) for child in inner.get(id(scope), ())}
        made: set[str] = set()
        for node in reversed(body.node):
            made.update(node.output)
            if needed.isdisjoint(node.output):
                nodes.append((scope, node))
                continue
            needed.update(node.input)
            if by_graph:
                for graph in node.subgraphs():
                    needed |= by_graph.get(id(graph), set())
        if isinstance(body, Graph):
            for annotation in body.quantization_annotation:
                needed.update(entry.text() for entry in annotation.quant_parameter_tensor_names)
            tensors += [(scope, tensor) for tensor in body.initializer if tensor.name not in needed]
            parts = [sparse.values for sparse in body.sparse_initializer if sparse.values is not None]
            tensors += [(scope, tensor) for tensor in parts if tensor.name not in needed]
            made.update(tensor.name for tensor in body.initializer)
        taken[id(scope)] = needed - made - _inputs(body)
    return Unused(tuple(tensors), tuple(nodes))


def _inputs(body: Graph | Function) -> set[str]:
    return {value if isinstance(value, str) else value.name for value in body.input}
