"""TensorFlow's graphs as protocol buffers, which nothing but their fields announces.

    SavedModel     08 schema version   12 MetaGraphDef …
    MetaGraphDef   0a MetaInfoDef   12 GraphDef   1a SaverDef   22 collections   2a signatures   32 assets   3a objects
    GraphDef       0a NodeDef …   12 FunctionDefLibrary   18 version   22 versions   2a debug info
    NodeDef        0a name   12 op   1a input …   22 device   2a attr …

Which of them it is, is told by what stands in the first fields: a node has a name and an operation of letters. Loaders:
tf.saved_model.load, tf.keras.models.load_model, TensorFlow Serving, tf.import_graph_def, tf.train.import_meta_graph,
and the importers of other runtimes.
"""

import itertools
import re
from collections.abc import Iterable, Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, BytesSource, SliceSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.protobuf import WireReader
from modelscan_plus.formats.graphs.spans import Span
from modelscan_plus.formats.graphs.tensorflow import model
from modelscan_plus.formats.graphs.tensorflow.facts import FROM_TEXT, TensorFlowFacts
from modelscan_plus.formats.graphs.tensorflow.schema import TYPES
from modelscan_plus.formats.graphs.tensorflow.values import strings, value_of
from modelscan_plus.formats.graphs.wire import Walked, fields, gaps, regions
from modelscan_plus.formats.interface import Format, Parsed, View

_NAME = lazy(rb"^[A-Za-z0-9.^_][A-Za-z0-9_.\\/>:-]{0,2000}$")
_OPERATION = lazy(rb"^[A-Za-z_][A-Za-z0-9_>.]{0,200}$")
_KINDS = {
    "saved-model": ("SavedModel", model.SavedModel),
    "meta-graph": ("MetaGraphDef", model.MetaGraph),
    "graph-def": ("GraphDef", model.Graph),
}
_FIRST = (0x08, 0x0A, 0x12)
_OUTER = 512
"""Fields of the file that the content test looks at."""
_LOOKED = 12
"""Fields of a message that the content test looks at."""
_METADATA = 20_000
"""Objects whose metadata are handed on."""
_OPAQUE = {"XlaCallModule": "module", "MlirPassthroughOp": "mlir_module"}
"""Operations that carry a program of another kind."""


class TensorFlowFormat(Format):
    """SavedModel, MetaGraph and GraphDef."""

    name = "tensorflow"
    title = "TensorFlow SavedModel, MetaGraph or frozen graph"
    extensions = (".pb", ".meta")
    variants = ("saved-model", "meta-graph", "graph-def")
    executable = False
    description = (
        "All nodes of all graphs and of the functions in their libraries, with the texts, tensors of texts and names "
        "of functions in their attributes; the assets, the captured objects, and what Keras wrote into the metadata "
        "of objects, which is judged as JSON is. Operations that touch files are followed back to where their path "
        "comes from, through calls of functions. Graphs inside of constants are read as graphs. The numbers of "
        "constants are inert. Not read: programs of StableHLO or MLIR inside of a node, compiled engines, signatures, "
        "collections and what the graph computes. Loaders: tf.saved_model.load, tf.keras, TensorFlow Serving, "
        "import_graph_def."
    )

    def claims(self, view: View) -> bool:
        if view.artifact.payload or not view.head:
            return False
        # Others begin with one of the fields that a loader wants; fields that nobody knows are stepped over by it.
        named = view.artifact.name.lower().endswith(self.extensions)
        return (named or view.head[0] in _FIRST) and _kind(view.artifact.source) is not None

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        kind = _kind(artifact.source) or "graph-def"
        schema, make = _KINDS[kind]
        made = make()
        reader = WireReader(artifact.source, budget)
        breach: BudgetExceeded | None = None
        try:
            reader.read(TYPES[schema], made)
        except BudgetExceeded as error:
            breach = error
        graphs = _graphs(made)
        assets = tuple(asset for graph in graphs for asset in graph.asset_file_def)
        told = "graph-text" if kind == "graph-def" and artifact.members[-1:] == (FROM_TEXT,) else kind
        facts = TensorFlowFacts(graphs, artifact.source, told, assets, complete=breach is None)
        end = reader.end if breach is None else artifact.source.size
        nested = itertools.chain(_metadata(artifact, graphs), _inner(artifact, graphs, budget))
        yield Parsed(
            (facts,),
            tuple(regions(reader.data, end)),
            nested,
            (*gaps(reader.anomalies), *_opaque(graphs)),
            variant=kind,
        )
        if breach is not None:
            raise breach


def _graphs(made: object) -> tuple[model.MetaGraph, ...]:
    if isinstance(made, model.SavedModel):
        return tuple(made.meta_graphs)
    if isinstance(made, model.MetaGraph):
        return (made,)
    graph = model.MetaGraph()
    graph.graph_def = made if isinstance(made, model.Graph) else None
    return (graph,)


def _metadata(artifact: Artifact, graphs: Iterable[model.MetaGraph]) -> Iterator[Artifact]:
    """What Keras wrote for its objects, in versions that kept it in the SavedModel itself."""
    nodes = [node for graph in graphs if graph.object_graph_def for node in graph.object_graph_def.nodes]
    for number, node in enumerate(nodes[:_METADATA]):
        held = node.user_object
        if held is not None and held.metadata is not None and held.metadata.length > 2:
            yield part(artifact, f"object_{number}.json", held.metadata)


def part(artifact: Artifact, name: str, span: Span, *, payload: bool = False) -> Artifact:
    """The bytes of a span as an artifact of their own."""
    return artifact.member(name, SliceSource(artifact.source, span.offset, span.length), payload=payload)


def nodes_of(graph: model.MetaGraph) -> Iterator[model.Node]:
    """Every node of a graph and of its functions."""
    if graph.graph_def is None:
        return
    yield from graph.graph_def.node
    for function in graph.graph_def.functions:
        yield from function.node_def


def _inner(artifact: Artifact, graphs: Iterable[model.MetaGraph], budget: Budget) -> Iterator[Artifact]:
    """Graphs and files that stand in constants of bytes."""
    for graph in graphs:
        for node in nodes_of(graph):
            if node.op != "Const" or (span := node.get("value")) is None or span.length < _SMALLEST:
                continue
            if not _TEXTS.search(span.head):
                continue
            tensor = value_of(span, artifact.source, budget).tensor
            for held in strings(tensor)[:_LOOKED] if tensor is not None else ():
                name = f"{node.name.replace('/', '_')[:80]}.bin"
                if held.length >= _SMALLEST:
                    source = BytesSource(held.read(_LARGEST))
                    inside = held.head[:1] in (b"\x08", b"\x0a") and _kind(source) is not None
                    yield artifact.member(name, source, payload=not inside)


_SMALLEST = 64
_LARGEST = 8 << 20
_TEXTS = lazy(rb"^B.{1,5}\x08\x07", re.S)
"""A tensor of texts as the value of an attribute."""


def _opaque(graphs: Iterable[model.MetaGraph]) -> tuple[CoverageReason, ...]:
    found = {
        node.op
        for graph in graphs
        for node in nodes_of(graph)
        if node.op in _OPAQUE and node.get(_OPAQUE[node.op]) is not None
    }
    return tuple(
        CoverageReason("inner-program", f"{name}: the program inside of the node is not read") for name in sorted(found)
    )


# Which message it is


def _kind(source: ByteSource) -> str | None:
    walked = fields(source, 0, source.size, _OUTER)
    if walked is None:
        return None
    if _begins_with_node(source, walked):
        return "graph-def"
    if any(_is_graph(source, field) for field in walked if field.number == 2):
        return "meta-graph"
    for field in walked:
        if field.number == 2 and field.length is not None:
            inner = fields(source, field.start, field.end, _LOOKED)
            if inner and any(_is_graph(source, item) for item in inner if item.number == 2):
                return "saved-model"
    return None


def _is_graph(source: ByteSource, field: Walked) -> bool:
    if field.length is None:
        return False
    inner = fields(source, field.start, field.end, _LOOKED)
    return inner is not None and (_begins_with_node(source, inner) or _library_alone(source, inner))


def _begins_with_node(source: ByteSource, walked: list[Walked]) -> bool:
    """True when the first node has a name and an operation."""
    first = next((field for field in walked if field.number == 1 and field.length is not None), None)
    if first is None:
        return False
    inner = fields(source, first.start, first.end, _LOOKED)
    if not inner:
        return False
    texts = {field.number: source.pread(field.start, min(field.length or 0, 2_100)) for field in inner if field.length}
    return bool(_NAME.match(texts.get(1, b"")) and _OPERATION.match(texts.get(2, b"")))


def _library_alone(source: ByteSource, walked: list[Walked]) -> bool:
    """True for a graph without nodes whose functions have a signature with a name."""
    library = next((field for field in walked if field.number == 2 and field.length is not None), None)
    if library is None:
        return False
    for function in fields(source, library.start, library.end, 1) or ():
        for signature in fields(source, function.start, function.end, 1) or ():
            for name in fields(source, signature.start, signature.end, 1) or ():
                text = source.pread(name.start, min(name.length or 0, 2_100))
                return name.number == 1 and bool(_NAME.match(text))
    return False
