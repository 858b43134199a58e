"""From the bytes of a file to the nodes that one output needs, checked, in an order in which they can be computed.

Only the reader of modelscan_plus/formats/graphs/onnx touches the bytes. What is refused here never reaches torch or
onnxruntime: external data, domains other than ai.onnx and ai.onnx.ml, functions of the model, subgraphs (If, Loop,
Scan), operators that are not in the table, names that two nodes make, cycles, and more nodes than the limits allow.
What the chosen output does not depend on (a label beside the probabilities) is left out before the operators are
looked at, but external data, functions and subgraphs are refused wherever they stand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.formats.graphs.onnx.external import references
from modelscan_plus.formats.graphs.onnx.model import Graph, Model, Node, Tensor, ValueInfo
from modelscan_plus.formats.graphs.onnx.schema import MODEL
from modelscan_plus.formats.graphs.onnx.walk import scopes, tensors
from modelscan_plus.formats.graphs.protobuf import Field, Kind, WireReader, compile_schema
from modelscan_plus.formats.graphs.spans import Span
from modelscan_plus.probe.onnx.limits import NetworkLimits, Refused, shown

ML = "ai.onnx.ml"
_OLDEST, _NEWEST = 7, 26
"""Versions of the operator set whose differences the table knows. Newer files are read when all they use is known."""
_BODIES = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_OBJECTS = 2_000_000
_SECONDS = 600.0
"""A backstop for the reader alone; what ends reading is the count of objects."""


_MODES, _MODE_BYTES, _OWN_BYTES = b"nodes_modes", 9, 64
"""Where a tree ensemble says what each node is; how long the list is for each node at most ("BRANCH_LEQ" takes 12 bytes
with tag and length, "LEAF" 6, and more than half of a tree's nodes are leaves), and the attribute besides."""


@dataclass(slots=True)
class _Outline:
    """Of a file, of its graph or of one of its nodes: what lies one level below."""

    below: "list[_Outline]" = field(default_factory=list)
    attributes: list[Span] = field(default_factory=list)


_OUTLINE = compile_schema(
    {
        "model": (_Outline, [Field(7, "below", Kind.MESSAGE, repeated=True, message="graph")]),
        "graph": (_Outline, [Field(1, "below", Kind.MESSAGE, repeated=True, message="node")]),
        "node": (_Outline, [Field(5, "attributes", Kind.SPAN, repeated=True)]),
    }
)["model"]
"""The graph as far as attributes, which are not opened. Field numbers of onnx.proto."""


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the main graph."""

    node: Node
    place: int
    """Its place in the file, from 0."""
    memo: dict[str, object] = field(default_factory=dict, compare=False)
    """What an operator keeps of it."""

    @property
    def where(self) -> str:
        """For messages."""
        name = self.node.name or next((output for output in self.node.output if output), "")
        return f"{shown(self.node.op_type)} {shown(name)!r}" if name else f"{shown(self.node.op_type)} #{self.place}"


@dataclass(frozen=True, slots=True)
class Sketch:
    """A graph that passed the checks of form."""

    graph: Graph
    opset: int
    """Version of the domain ai.onnx."""
    ml_opset: int
    weights: dict[str, Tensor]
    """Initialisers by name."""
    inputs: dict[str, ValueInfo]
    """Graph inputs that are no initialisers."""
    makers: dict[str, Step]
    """The node that makes each value."""
    producer: str = ""


def read(source: ByteSource, limits: NetworkLimits) -> Sketch:
    """Parse the file and check its form. Raises `Refused`."""
    model = _parse(source, limits)
    graph = model.graph
    if graph is None:
        raise Refused("the file holds no graph")
    found = scopes(model)
    outside = references(tensors(found))
    if outside:
        raise Refused(f"weights are in other files ({shown(outside[0].location)!r}); save the model as one file")
    if model.functions:
        raise Refused(f"the model defines operators of its own ({shown(model.functions[0].name)!r}); export it inlined")
    body = next((node for node in graph.node if node.op_type in _BODIES or any(True for _ in node.subgraphs())), None)
    if body is not None:
        raise Refused(f"the graph has branches or loops ({shown(body.op_type)}), which are not run")
    if graph.sparse_initializer:
        raise Refused("the graph has sparse weights")
    if len(graph.node) > limits.nodes:
        raise Refused(f"the graph has {len(graph.node):,} nodes, more than {limits.nodes:,}")
    return _sketch(model, graph)


def _parse(source: ByteSource, limits: NetworkLimits) -> Model:
    if source.size > limits.file_bytes:
        raise Refused(f"the file has {source.size:,} bytes, more than {limits.file_bytes:,}")
    model = Model()
    reader = WireReader(source, Budget(Limits(max_objects=_OBJECTS, seconds=_SECONDS)))
    try:
        _bound_trees(source, limits)
        reader.read(MODEL, model)
    except BudgetExceeded as error:
        raise Refused(f"the graph is too large to be read ({error.message})") from error
    broken = next((anomaly for anomaly in reader.anomalies if anomaly.fatal), None)
    if broken is not None or reader.end < source.size:
        raise Refused("the file is malformed; no library loads it")
    return model


def _bound_trees(source: ByteSource, limits: NetworkLimits) -> None:
    """Each node of a tree has its mode as a string, which is an object to the reader: a list of them that is too long
    for the trees that are allowed is refused by its length, before any is built. Raises `Refused`, `BudgetExceeded`."""
    if source.size <= limits.trees * _MODE_BYTES:
        return
    outline, most = _Outline(), limits.trees * _MODE_BYTES + _OWN_BYTES
    WireReader(source, Budget(Limits(max_objects=_OBJECTS, seconds=_SECONDS))).read(_OUTLINE, outline)
    for graph in outline.below:
        for node in graph.below:
            for attribute in node.attributes:
                if _MODES in attribute.head[:32] and attribute.length > most:
                    raise Refused(f"a tree ensemble of more than {limits.trees:,} nodes")


def _sketch(model: Model, graph: Graph) -> Sketch:
    opsets = model.opsets()
    opset = opsets.get("", 0)
    if opset < _OLDEST and any(node.domain in ("", "ai.onnx") for node in graph.node):
        raise Refused(f"the graph uses operator set {opset}; {_OLDEST} to {_NEWEST} are known")
    if opset > _NEWEST:
        raise Refused(f"the graph uses operator set {opset}; {_OLDEST} to {_NEWEST} are known")
    weights: dict[str, Tensor] = {}
    for tensor in graph.initializer:
        if not tensor.name or tensor.name in weights:
            raise Refused(f"two weights have the name {shown(tensor.name)!r}")
        weights[tensor.name] = tensor
    inputs: dict[str, ValueInfo] = {}
    for info in graph.input:
        if info.name in inputs:
            raise Refused(f"two inputs have the name {shown(info.name)!r}")
        if info.name not in weights:
            inputs[info.name] = info
    makers: dict[str, Step] = {}
    for place, node in enumerate(graph.node):
        step = Step(node, place)
        for output in node.output:
            if output in makers or output in weights or output in inputs:
                raise Refused(f"the name {shown(output)!r} is made twice")
            if output:
                makers[output] = step
    return Sketch(graph, opset, opsets.get(ML, 1), weights, inputs, makers, model.producer_name)


def needed(sketch: Sketch, output: str) -> list[Step]:
    """The nodes that a value depends on, each after those it takes from. Without recursion. Raises `Refused`."""
    order: list[Step] = []
    state: dict[int, bool] = {}
    """False while what a node needs is being put in order, True once it stands in it."""
    stack: list[tuple[str, Step | None]] = [(output, None)]
    while stack:
        name, done = stack.pop()
        if done is not None:
            state[done.place] = True
            order.append(done)
            continue
        step = sketch.makers.get(name)
        if step is None:
            if name not in sketch.weights and name not in sketch.inputs:
                raise Refused(f"nothing makes the value {shown(name)!r}")
            continue
        if step.place in state:
            if not state[step.place]:
                raise Refused(f"the graph goes in a circle through {step.where}")
            continue
        state[step.place] = False
        stack.append((name, step))
        # The first input last, so that it is popped first: the file's own order where there is a choice.
        stack += [(taken, None) for taken in reversed(step.node.input) if taken]
    return order


def check_operators(steps: Sequence[Step], known: Callable[[str, str], bool]) -> None:
    """Refuse foreign domains and unknown operators. `known(domain, operator)`."""
    for step in steps:
        domain = "" if step.node.domain == "ai.onnx" else step.node.domain
        if domain not in ("", ML):
            raise Refused(f"{step.where} is of the foreign domain {shown(domain)!r}")
        if not known(domain, step.node.op_type):
            raise Refused(f"the operator {shown(step.node.op_type)} is not known here")
        names = [attribute.name for attribute in step.node.attribute]
        if len(set(names)) < len(names):
            raise Refused(f"{step.where} has an attribute twice")
        if any(attribute.ref_attr_name for attribute in step.node.attribute):
            raise Refused(f"{step.where} refers to an attribute of a function")
