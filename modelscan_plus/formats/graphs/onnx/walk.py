"""All graphs of a model: the main one, branches and bodies, functions, training; found without recursion."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from modelscan_plus.formats.graphs.onnx.model import Attribute, Function, Graph, Model, Node, Tensor

_SHOWN = 4
"""Levels that a path names before it leaves some out."""


class Scope(msgspec.Struct, frozen=True, eq=False):
    """One graph, or one function's body, and what stands around it."""

    body: Graph | Function
    kind: str
    """"graph", "subgraph", "function", "training"; a subgraph of a function is a "subgraph"."""
    label: str
    parent: "Scope | None" = None
    depth: int = 0
    """0 for what stands in no other graph."""

    @property
    def root(self) -> str:
        """The kind of the outermost scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope.kind

    @property
    def path(self) -> str:
        """For people: "graph", "function f", "graph › if_1.then_branch", …"""
        labels: list[str] = []
        scope: Scope | None = self
        while scope is not None and len(labels) < _SHOWN:
            labels.append(scope.label)
            scope = scope.parent
        return " › ".join((["…"] if scope is not None else []) + labels[::-1])


class Placed(msgspec.Struct, frozen=True):
    """A tensor and where it stands."""

    tensor: Tensor
    scope: Scope
    place: str
    """"initializer", "sparse" (a part of a sparse tensor), "attribute" or "default" (of a function's attribute)."""
    node: Node | None = None

    @property
    def where(self) -> str:
        """For people."""
        name = self.tensor.name or (self.node.name or self.node.op_type if self.node else "")
        return f"{self.scope.path} › {name}" if name else self.scope.path


def scopes(model: Model) -> tuple[Scope, ...]:
    """Every graph of the model, an outer one before those inside it."""
    found: list[Scope] = []
    if model.graph is not None:
        found.append(Scope(model.graph, "graph", "graph"))
    found += [Scope(function, "function", f"function {function.name}") for function in model.functions]
    for training in model.training_info:
        for graph in (training.initialization, training.algorithm):
            if graph is not None:
                found.append(Scope(graph, "training", "training"))
    for scope in found:  # grows while it is walked over
        for node in scope.body.node:
            for attribute in node.attribute:
                if attribute.g is not None or attribute.graphs:
                    label = f"{node.name or node.op_type}.{attribute.name}"
                    found += [
                        Scope(graph, "subgraph", label, scope, scope.depth + 1) for graph in attribute.subgraphs()
                    ]
        if isinstance(scope.body, Function):
            for attribute in scope.body.attribute_proto:
                found += [
                    Scope(graph, "subgraph", attribute.name, scope, scope.depth + 1) for graph in attribute.subgraphs()
                ]
    return tuple(found)


def tensors(found: Sequence[Scope]) -> Iterator[Placed]:
    """Every tensor in the given scopes."""
    for scope in found:
        body = scope.body
        if isinstance(body, Graph):
            for tensor in body.initializer:
                yield Placed(tensor, scope, "initializer")
            for sparse in body.sparse_initializer:
                for part in (sparse.values, sparse.indices):
                    if part is not None:
                        yield Placed(part, scope, "sparse")
        else:
            for attribute in body.attribute_proto:
                for tensor, sparse_part in attribute_tensors(attribute):
                    yield Placed(tensor, scope, "sparse" if sparse_part else "default")
        for node in body.node:
            for attribute in node.attribute:
                for tensor, sparse_part in attribute_tensors(attribute):
                    yield Placed(tensor, scope, "sparse" if sparse_part else "attribute", node)


def attribute_tensors(attribute: Attribute) -> Iterable[tuple[Tensor, bool]]:
    """The tensors of an attribute, whatever type it has, and whether each is a part of a sparse one."""
    if attribute.sparse_tensor is None and not attribute.sparse_tensors:
        if attribute.t is None and not attribute.tensors:
            return ()
        return [(tensor, False) for tensor in attribute.all_tensors()]
    return _with_sparse(attribute)


def _with_sparse(attribute: Attribute) -> Iterator[tuple[Tensor, bool]]:
    if attribute.t is not None:
        yield attribute.t, False
    for tensor in attribute.tensors:
        yield tensor, False
    for sparse in ((attribute.sparse_tensor,) if attribute.sparse_tensor else ()) + tuple(attribute.sparse_tensors):
        for part in (sparse.values, sparse.indices):
            if part is not None:
                yield part, True
