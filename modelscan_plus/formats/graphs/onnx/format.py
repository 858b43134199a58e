"""ONNX: a ModelProto, which nothing but its fields announces.

    08 ir_version   12 producer_name  1a producer_version  22 domain   28 model_version   32 doc_string   3a graph
    42 opset_import   72 metadata_props   a2 01 training_info   ca 01 functions   d2 01 configuration

Fields come in any order; libraries write them by number. There are no magic bytes, so the test for files without the
usual ending walks the fields and wants a graph that begins like one. Sources: onnx.proto; the order in which
onnx.load and onnxruntime accept bytes.
"""

from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.formats.graphs.onnx.contents import Contents
from modelscan_plus.formats.graphs.onnx.external import ExternalFacts, references, summary
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.onnx.model import Model
from modelscan_plus.formats.graphs.onnx.schema import MODEL, TYPES
from modelscan_plus.formats.graphs.onnx.usage import Unused, unused
from modelscan_plus.formats.graphs.onnx.walk import scopes, tensors
from modelscan_plus.formats.graphs.protobuf import MessageType, WireReader
from modelscan_plus.formats.graphs.wire import gaps, regions, varint
from modelscan_plus.formats.interface import Format, Parsed, View

_GRAPH_TAG = 0x3A
_FIRST_BYTES = frozenset(tag & 127 | (128 if tag > 127 else 0) for tag in MODEL.entries)
_FIELDS = 64
"""Fields of the model that the content test walks over."""


class OnnxFormat(Format):
    """Computation graphs with their weights."""

    name = "onnx"
    title = "ONNX model"
    extensions = (".onnx",)
    executable = False
    description = (
        "The protocol buffer is read by a reader of our own: every field of the model, of its graphs, subgraphs, local "
        "functions and training information, to any depth, without recursion. Fields that the format does not know, "
        "fields that occur twice, groups, numbers longer than needed, wrong wire types and bytes that are no field "
        "are noted. The data of tensors is inert and stays unread but for the first 256 bytes of each and for small "
        "constants that an analysis asks for, so a file of any size is read in the time that its graph takes. External "
        "data is judged by what the model says about it; the files themselves are raw numbers. Loaders: onnx, "
        "onnxruntime and the importers of other runtimes."
    )

    def claims(self, view: View) -> bool:
        if view.artifact.payload or not view.head:
            return False
        named = view.artifact.name.lower().endswith(".onnx")
        if not named and view.head[0] not in _FIRST_BYTES:
            return False
        return _looks_like_a_model(view.artifact.source, view.head, named=named)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        model = Model()
        reader = WireReader(source, budget)
        breach: BudgetExceeded | None = None
        try:
            reader.read(MODEL, model)
        except BudgetExceeded as error:
            breach = error
        end = reader.end if breach is None else source.size
        found = scopes(model)
        idle = unused(found) if breach is None else Unused()
        facts = OnnxFacts(
            model=model,
            size=source.size,
            end=end,
            anomalies=tuple(reader.anomalies),
            counts=dict(reader.counts),
            unknown_bytes=reader.unknown_bytes,
            scopes=found,
            unused=idle,
            complete=breach is None,
        )
        links = references(tensors(found))
        stated = summary(links)
        yield Parsed(
            (facts, ExternalFacts(artifact.name, links)) if links else (facts,),
            tuple(regions(reader.data, end)),
            gaps=gaps(reader.anomalies, executable=False),
            summaries=(stated,) if stated and not artifact.members else (),
        )
        yield from _contents(artifact, budget, reader, facts)
        if breach is not None:
            raise breach


def _contents(artifact: Artifact, budget: Budget, reader: WireReader, facts: OnnxFacts) -> Iterable[Parsed]:
    contents = Contents(artifact, budget)
    contents.tensors(tensors(facts.scopes), facts.unused)
    contents.names(reader.texts, facts.model, facts.scopes)
    contents.texts(facts.model, facts.scopes)
    found = contents.facts
    gaps: tuple[CoverageReason, ...] = ()
    if contents.unread:
        message = f"{contents.unread:,} doc strings, metadata values or attributes were not looked into"
        gaps = (CoverageReason("budget-text", message),)
    if found.hits or found.payloads or gaps:
        yield Parsed((found,), nested=contents.parts, gaps=gaps)


def _looks_like_a_model(source: ByteSource, head: bytes, *, named: bool) -> bool:
    """Walk over the model's fields: true when a graph comes that begins like one, or, for a file of that name, when
    the first field fits."""
    at = 0
    known = 0
    for _ in range(_FIELDS):
        window = head[at : at + 32] if at + 32 <= len(head) else source.pread(at, 32)
        if not window:
            break
        tag, position = varint(window, 0)
        if tag == _GRAPH_TAG and _graph_begins(window, position):
            return True
        fits = tag in MODEL.entries
        step = _step(tag, window, position)
        if step is None or at + step > source.size or not (fits or named):
            break
        known += fits
        at += step
    return named and known > 0


def _graph_begins(window: bytes, position: int) -> bool:
    length, position = varint(window, position)
    if position >= len(window):
        return length == 0
    return length == 0 or _starts(TYPES["GraphProto"], window, position)


def _starts(kind: MessageType, window: bytes, position: int) -> bool:
    tag, _ = varint(window, position)
    return tag in kind.entries


def _step(tag: int, window: bytes, position: int) -> int | None:
    """Bytes of the field from its tag on; None where there is none."""
    if not tag >> 3:
        return None
    match tag & 7:
        case 0:
            return varint(window, position)[1]
        case 1:
            return position + 8
        case 2:
            length, position = varint(window, position)
            return position + length
        case 5:
            return position + 4
    return None
