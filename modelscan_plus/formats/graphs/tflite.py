"""TensorFlow Lite (LiteRT): a FlatBuffer with the letters TFL3 behind its first four bytes.

    Model      version, operator_codes, subgraphs, description, buffers, metadata_buffer, metadata, signature_defs,
               external_buffer_groups, external_buffers
    SubGraph   tensors, inputs, outputs, operators, name: operators name tensors by number, -1 for none
    Buffer     data, or offset and size in the file where a model is larger than 2 GiB
    Operator   opcode_index, inputs, outputs, options (a union), custom_options, …

Behind the FlatBuffer a zip may stand with labels and vocabularies, which tools for metadata put there. An operator is
one of TFLite's own by number, or "custom" by name, for which the host registers native code; "Flex…" runs the operator
of TensorFlow that the options name. Source: schema.fbs of LiteRT.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.formats.graphs.flatbuffers import Flat, Malformed, Table, flexible_texts
from modelscan_plus.formats.graphs.parts import embedded
from modelscan_plus.formats.graphs.protobuf import WireReader
from modelscan_plus.formats.graphs.tensorflow.model import Node
from modelscan_plus.formats.graphs.tensorflow.schema import TYPES
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import ExternalFile, ExternalFiles

_CALL, _CUSTOM, _DELEGATE, _IF, _WHILE, _CALL_ONCE, _CUSTOM_CALL = 31, 32, 51, 118, 119, 129, 173
_PLACEHOLDER = 127
"""Numbers from here on stand in the newer field of an operator code."""
_CALLS = {_CALL: (0,), _IF: (0, 1), _WHILE: (0, 1), _CALL_ONCE: (0,)}
"""Operators that run other subgraphs, and the fields of their options that name them."""
_BITS = (
    32, 16, 32, 8, 64, 0, 8, 16, 64, 8, 64, 128, 64, 0, 0, 32, 16, 4, 16, 2, 4, 8, 8,
)  # fmt: skip
"""Bits of one element by type of tensor; 0 for those of no fixed size."""
_STRING = 5
_KEPT = 50
_FLEX = 20_000
_TEXTS = 64
_OPTIONS = 1 << 20


class FlexOperator(msgspec.Struct, frozen=True):
    """An operator of TensorFlow inside of a model of TFLite."""

    name: str
    node: Node
    inputs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of each input, where it comes from ("constant", "caller" or "computed") and the texts of a constant."""


class TFLiteFacts(Facts, frozen=True):
    """One model."""

    custom: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Custom operators by name, with the number of their uses."""
    flex: tuple[FlexOperator, ...] = ()
    wrong: tuple[str, ...] = ()
    """Numbers and sizes that cannot be, in words; at most 50."""
    broken: str = ""
    """Where an offset leaves the file."""
    external: tuple[str, ...] = ()
    """Names of the files that buffers are in."""


class TFLiteFormat(Format):
    """TensorFlow Lite."""

    name = "tflite"
    title = "TensorFlow Lite model"
    extensions = (".tflite", ".lite", ".litert")
    executable = False
    description = (
        "Every table of the model, with all offsets held against the file's end: operators and the subgraphs that "
        "they run, tensors, buffers, signatures and metadata. Numbers of tensors, buffers and operators must be "
        "there, and a constant as large as its shape says. Custom operators need native code of the host; of Flex "
        "operators the node of TensorFlow inside is judged as in a graph of TensorFlow. Buffers are looked into for "
        "other files. Files that stand behind the model in a zip are read as such. Not read: options of the built-in "
        "operators, options of custom ones, and what the graph computes. Loaders: LiteRT, the TFLite interpreter, "
        "MediaPipe."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and view.head[4:8] == b"TFL3"

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        flat = Flat(artifact.source, budget)
        walk = _Walk(flat, budget)
        breach: BudgetExceeded | None = None
        try:
            walk.model(flat.root())
        except Malformed as fault:
            walk.broken = str(fault)
        except BudgetExceeded as error:
            breach = error
        gaps: tuple[CoverageReason, ...] = ()
        if walk.broken:
            gaps = (CoverageReason("malformed", f"the model cannot be followed: {walk.broken}", executable=True),)
        end = artifact.source.size if walk.broken or breach is not None else max(flat.end, *walk.ends)
        facts = TFLiteFacts(walk.custom, tuple(walk.flex), tuple(walk.wrong[:_KEPT]), walk.broken, tuple(walk.external))
        summary = (ExternalFiles(tuple(walk.external.values())),) if walk.external and not artifact.members else ()
        named = ((f"buffer {number}", *place) for number, place in enumerate(walk.buffers))
        held, parts = embedded(artifact, named)
        yield Parsed((facts, held), (Region(0, end, "structure"),), parts, gaps, summary)
        if breach is not None:
            raise breach


class _Tensor(NamedTuple):
    buffer: int
    kind: int


class _Walk:
    """Goes through one model."""

    def __init__(self, flat: Flat, budget: Budget) -> None:
        self._flat = flat
        self._budget = budget
        self.custom: dict[str, int] = {}
        self.flex: list[FlexOperator] = []
        self.wrong: list[str] = []
        self.broken = ""
        self.buffers: list[tuple[int, int]] = []
        self.ends: list[int] = [0]
        self.external: dict[str, ExternalFile] = {}
        self._codes: list[tuple[int, str]] = []
        self._calls: dict[int, set[int]] = {}

    def model(self, root: Table) -> None:
        """Everything."""
        self._codes = [self._code(table) for table in root.tables(1)]
        self.buffers = [self._buffer(table) for table in root.tables(4)]
        subgraphs = list(root.tables(2))
        root.text(3)
        for number, table in enumerate(subgraphs):
            self._subgraph(number, table, len(subgraphs))
        for table in root.tables(6):
            self._within(table.number(1, "I"), len(self.buffers), f'the metadata "{table.text(0)}"', "buffer")
        for number in root.numbers(5):
            self._within(number, len(self.buffers), "the metadata", "buffer")
        for table in root.tables(7):
            self._within(table.number(4, "I"), len(subgraphs), f'the signature "{table.text(2)}"', "subgraph")
            for field in (0, 1):
                for entry in table.tables(field):
                    entry.text(0)
        self._externals(root)
        if self._circle():
            self._note("a subgraph runs itself, without an end")

    def _note(self, what: str) -> None:
        if len(self.wrong) < _KEPT:
            self.wrong.append(what)

    def _within(self, number: int, count: int, who: str, what: str) -> bool:
        if not 0 <= number < count:
            self._note(f"{who} names {what} {number:,} of {count:,}")
            return False
        return True

    def _code(self, table: Table) -> tuple[int, str]:
        old, new = table.number(0, "b"), table.number(3, "i")
        return (new if new > old or old >= _PLACEHOLDER else old), table.text(1) or ""

    def _buffer(self, table: Table) -> tuple[int, int]:
        start, count = table.vector(0, 1)
        if count:
            return start, count
        offset, size = table.number(1, "Q"), table.number(2, "Q")
        if offset > 1 and size:
            if offset + size > self._flat.size:
                self._note(f"a buffer of {size:,} bytes at {offset:,} ends behind the file ({self._flat.size:,} bytes)")
                return 0, 0
            self.ends.append(offset + size)
            return offset, size
        return 0, 0

    def _subgraph(self, number: int, table: Table, subgraphs: int) -> None:
        table.text(4)
        who = f"subgraph {number}"
        tensors = [self._tensor(tensor, who) for tensor in table.tables(0)]
        inputs = set(table.numbers(1))
        for place in (*inputs, *table.numbers(2)):
            self._within(place, len(tensors), who, "tensor")
        for place, operator in enumerate(table.tables(3)):
            self._operator(number, f"operator {place:,} of {who}", operator, tensors, inputs, subgraphs)

    def _tensor(self, table: Table, who: str) -> _Tensor:
        shape = table.numbers(0)
        kind, buffer = table.number(1, "b"), table.number(2, "I")
        name = table.text(3) or ""
        owner = f'tensor "{name[:100]}" of {who}'
        if not self._within(buffer, len(self.buffers), owner, "buffer"):
            return _Tensor(0, kind)
        stored = self.buffers[buffer][1]
        bits = _BITS[kind] if 0 <= kind < len(_BITS) else 0
        sparse = table.table(6) is not None
        if stored and bits and not sparse:
            needed = bits
            for size in shape:
                needed *= max(size, 0)
            if (needed + 7) // 8 > stored:
                self._note(f"{owner} needs {(needed + 7) // 8:,} bytes by its shape and has {stored:,}")
        return _Tensor(buffer, kind)

    def _operator(
        self, number: int, who: str, table: Table, tensors: list[_Tensor], inputs: set[int], subgraphs: int
    ) -> None:
        given = list(table.numbers(1))
        for place in (*given, *table.numbers(2), *table.numbers(8)):
            if place != -1:
                self._within(place, len(tensors), who, "tensor")
        code = table.number(0, "I")
        if not self._within(code, len(self._codes), who, "operator code"):
            return
        kind, name = self._codes[code]
        options = table.table(4) if table.number(3, "B") else None
        more = table.table(12) if table.number(11, "B") else None
        for field in _CALLS.get(kind, ()) if options is not None else ():
            target = options.number(field, "i") if options is not None else 0
            if self._within(target, subgraphs, who, "subgraph"):
                self._calls.setdefault(number, set()).add(target)
        if kind == _CUSTOM_CALL and more is not None:
            self._use(f"stablehlo.custom_call:{more.text(0) or ''}")
        elif kind in (_CUSTOM, _DELEGATE):
            self._use(name or ("(delegate)" if kind == _DELEGATE else "(no name)"))
            if name.startswith("Flex"):
                self._flex(name, table, given, tensors, inputs)

    def _use(self, name: str) -> None:
        if name in self.custom or len(self.custom) < 1_000:
            self.custom[name] = self.custom.get(name, 0) + 1

    def _flex(self, name: str, table: Table, given: list[int], tensors: list[_Tensor], inputs: set[int]) -> None:
        """The node of TensorFlow in the options, which is what runs."""
        start, count = table.vector(5, 1)
        offset, size = table.number(9, "Q"), table.number(10, "Q")
        if offset > 1 and size:
            start, count = offset, size
        texts = flexible_texts(self._flat.read(start, count)) if count <= _OPTIONS else []
        node = Node()
        if len(texts) > 1:
            WireReader(BytesSource(texts[1]), self._budget).read(TYPES["NodeDef"], node)
        # The node decides; where the three names differ, each is looked at.
        names = [node.op, *(text.decode("utf-8", "replace") for text in texts[:1]), name.removeprefix("Flex")]
        origins = tuple(self._origin(place, tensors, inputs) for place in given[:16])
        for op in dict.fromkeys(name for name in names if name):
            if len(self.flex) < _FLEX:
                self.flex.append(FlexOperator(op, node, origins))

    def _origin(self, place: int, tensors: list[_Tensor], inputs: set[int]) -> tuple[str, tuple[str, ...]]:
        if not 0 <= place < len(tensors):
            return "computed", ()
        start, count = self.buffers[tensors[place].buffer] if tensors[place].buffer < len(self.buffers) else (0, 0)
        if count:
            texts = _texts(self._flat.read(start, min(count, 64 << 10))) if tensors[place].kind == _STRING else []
            return "constant", tuple(texts)
        return ("caller" if place in inputs else "computed"), ()

    def _externals(self, root: Table) -> None:
        """Buffers in other files."""
        groups = [table.text(0) or "" for table in root.tables(8)]
        for table in root.tables(9):
            group, offset, length = table.number(1, "I"), table.number(2, "Q"), table.number(3, "Q")
            table.text(4)
            if not self._within(group, len(groups), "an external buffer", "group"):
                continue
            name, end = groups[group], offset + length
            if end >= 1 << 62:
                self._note(f'an external buffer in "{name}" has {length:,} bytes at {offset:,}')
                continue
            known = self.external.get(name)
            self.external[name] = ExternalFile(
                name, max(end, known.end if known else 0), (known.tensors if known else 0) + 1, "an external buffer"
            )

    def _circle(self) -> bool:
        """True where a subgraph can come back to itself."""
        done: set[int] = set()
        for start in self._calls:
            path, stack = {start}, [(start, iter(self._calls[start]))]
            while stack:
                at, targets = stack[-1]
                target = next(targets, None)
                if target is None:
                    stack.pop()
                    path.discard(at)
                    done.add(at)
                elif target in path:
                    return True
                elif target not in done and target in self._calls:
                    path.add(target)
                    stack.append((target, iter(self._calls[target])))
        return False


def _texts(data: bytes) -> list[str]:
    """The texts of a tensor: i32 their number, an i32 offset for each and one for the end, then the texts."""
    count = int.from_bytes(data[:4], "little")
    found = []
    for number in range(min(count, _TEXTS)):
        start = int.from_bytes(data[4 + 4 * number : 8 + 4 * number], "little")
        stop = int.from_bytes(data[8 + 4 * number : 12 + 4 * number], "little")
        found.append(data[start:stop].decode("utf-8", "replace")[:4_096])
    return found
