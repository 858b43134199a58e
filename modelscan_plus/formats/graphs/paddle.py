"""PaddlePaddle: programs as protocol buffers or JSON, and their parameters.

    .pdmodel     ProgramDesc { 0a BlockDesc { 08 number  10 parent  1a variable …  22 OpDesc … } …  22 version }
                 OpDesc { 0a inputs  12 outputs  1a type  22 Attr { 0a name  10 type  2a text  42 texts … } }
    .json        {"base_code": {"magic": "pir", …}, "program": {…}}: each operator {"#": "1.relu", "A": [attributes]}
    .pdiparams   one tensor after the other: u32 version, u64 levels (each u64 bytes and these bytes), u32 version,
                 i32 bytes of the description, the description { 08 type  10 dimensions … }, the numbers

Sources: framework.proto and the serialization of DenseTensor in Paddle. Checkpoints (.pdparams, .pdopt) are pickles and
are read as such. Loaders: paddle.inference, paddle.jit.load, paddle.static.load_inference_model, Paddle Lite, PaddleX.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, BytesSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.parts import embedded, is_far
from modelscan_plus.formats.graphs.protobuf import Field, Kind, WireReader, compile_schema, unpack
from modelscan_plus.formats.graphs.wire import fields, gaps, regions
from modelscan_plus.formats.interface import Format, Parsed, Region, View

_LARGEST = 64 << 20
_TEXTS = 50
_PLACES = 20
_TENSORS = 200_000
_BITS = {
    0: 8, 1: 16, 2: 32, 3: 64, 4: 16, 5: 32, 6: 64, 19: 64, 20: 8, 21: 8, 22: 16, 23: 64, 24: 128, 32: 8, 33: 8,
}  # fmt: skip
"""Bits of one element by type."""
_PIR = lazy(rb"^\s*\{\s*\"(?:base_code\"\s*:\s*\{|program\"\s*:)")


class PaddleOperator(msgspec.Struct, frozen=True):
    """A kind of operator: how often it stands there, and the texts among its attributes."""

    name: str
    uses: int
    texts: tuple[str, ...] = ()
    """At most 50."""


class PaddleFacts(Facts, frozen=True):
    """One program."""

    operators: tuple[PaddleOperator, ...] = ()


class ParametersFacts(Facts, frozen=True):
    """One file of parameters."""

    wrong: str = ""
    """Where the tensors end that can be."""


class _Attr:
    __slots__ = ("name", "s", "strings")

    def __init__(self) -> None:
        self.name = self.s = ""
        self.strings: Sequence[str] = ()


class _Op:
    __slots__ = ("attrs", "type")

    def __init__(self) -> None:
        self.type = ""
        self.attrs: Sequence[_Attr] = ()

    def finish(self) -> None:
        """Let go of attributes without texts."""
        self.attrs = tuple([attr for attr in self.attrs if attr.s or attr.strings])


class _Block:
    __slots__ = ("ops",)

    def __init__(self) -> None:
        self.ops: Sequence[_Op] = ()


class _Program:
    __slots__ = ("blocks",)

    def __init__(self) -> None:
        self.blocks: Sequence[_Block] = ()


def _many(number: int, name: str, message: str) -> Field:
    return Field(number, name, Kind.MESSAGE, repeated=True, message=message)


_SCHEMA: dict[str, tuple[type[Any], tuple[Field, ...]]] = {
    "ProgramDesc": (_Program, (_many(1, "blocks", "BlockDesc"),)),
    "BlockDesc": (_Block, (_many(4, "ops", "OpDesc"),)),
    "OpDesc": (_Op, (Field(3, "type", Kind.STRING), _many(4, "attrs", "Attr"))),
    "Attr": (
        _Attr,
        (Field(1, "name", Kind.STRING), Field(5, "s", Kind.STRING), Field(8, "strings", Kind.STRING, repeated=True)),
    ),
}
_TYPES = compile_schema(_SCHEMA)
_QUIET = frozenset(
    ("op_callstack", "op_namescope", "op_device", "name", "data_format", "data_layout", "padding_algorithm")
)
"""Attributes whose texts are no paths: where the code that made the operator stands, and names."""


class PaddleFormat(Format):
    """Programs of PaddlePaddle."""

    name = "paddle"
    title = "PaddlePaddle program"
    extensions = (".pdmodel",)
    executable = False
    description = (
        "All operators of all blocks with the texts among their attributes: those that call Python, open files, talk "
        "to other machines or hold compiled engines. Not read: other attributes, variables, whether Paddle has an "
        "operator of that name, and what the program computes. Loaders: Paddle Inference, paddle.jit.load, Paddle "
        "Lite, PaddleX."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and view.head[:1] == b"\x0a" and _is_program(view.artifact.source)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        made = _Program()
        reader = WireReader(artifact.source, budget)
        breach: BudgetExceeded | None = None
        try:
            reader.read(_TYPES["ProgramDesc"], made)
        except BudgetExceeded as error:
            breach = error
        found = (
            (
                op.type,
                [text for attr in op.attrs if attr.name not in _QUIET for text in (attr.s, *attr.strings) if text],
            )
            for block in made.blocks
            for op in block.ops
        )
        end = reader.end if breach is None else artifact.source.size
        facts = PaddleFacts(tuple(_kinds(found)))
        yield Parsed((facts,), tuple(regions(reader.data, end)), gaps=gaps(reader.anomalies, "program"))
        if breach is not None:
            raise breach


def _kinds(found: Iterable[tuple[str, list[str]]]) -> Iterator[PaddleOperator]:
    counts: dict[str, int] = {}
    texts: dict[str, dict[str, None]] = {}
    for name, held in found:
        counts[name] = counts.get(name, 0) + 1
        kept = texts.setdefault(name, {})
        for text in held[:_PLACES]:
            if len(kept) < _TEXTS:
                kept[text] = None
    for name, count in counts.items():
        yield PaddleOperator(name, count, tuple(texts[name]))


def _is_program(source: ByteSource) -> bool:
    """True for a block with a number, a parent, and variables or operators."""
    for first in fields(source, 0, source.size, 1) or ():
        inner = fields(source, first.start, first.end, 3) or []
        if [field.number for field in inner[:2]] == [1, 2] and all(field.length is None for field in inner[:2]):
            return len(inner) == 3 and inner[2].number in (3, 4) and inner[2].length is not None
    return False


class PaddleJsonFormat(Format):
    """Programs of PaddlePaddle in JSON (PIR)."""

    name = "paddle-pir"
    title = "PaddlePaddle program in JSON"
    extensions = (".json",)
    executable = False
    description = (
        "As for .pdmodel, for files up to 64 MiB; the file is read as JSON as well. Loaders: those of .pdmodel, in "
        "version 3 of PaddlePaddle."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and _PIR.match(view.head) is not None and b'"pir"' in view.head + view.tail

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        whole = (Region(0, size, "structure"),)
        value: object = None
        why = f"{size:,} bytes are not read" if size > _LARGEST else ""
        if not why:
            budget.take_objects(size // 16)
            try:
                value = json.loads(artifact.source.pread(0, size))
            except (ValueError, RecursionError) as error:
                why = f"not valid JSON: {error}"
        gap = (CoverageReason("malformed", f"the program cannot be read: {why}", executable=True),) if why else ()
        yield Parsed((PaddleFacts(tuple(_kinds(_pir(value, budget)))),), whole, gaps=gap)


def _pir(value: object, budget: Budget) -> Iterator[tuple[str, list[str]]]:
    """Operators of a program in JSON: objects with a name and a list of attributes."""
    stack = [value]
    while stack:
        budget.take_objects(1)
        here = stack.pop()
        if isinstance(here, dict):
            name, attributes = here.get("#"), here.get("A")
            if isinstance(name, str) and isinstance(attributes, list):
                yield name.rpartition(".")[2], list(_words(attributes))
            stack += here.values()
        elif isinstance(here, list):
            stack += here


def _words(attributes: list[object]) -> Iterator[str]:
    for attribute in attributes[:200]:
        if not isinstance(attribute, dict) or attribute.get("N") in _QUIET:
            continue
        held = attribute.get("AT")
        data = held.get("D") if isinstance(held, dict) else None
        for item in data[:_PLACES] if isinstance(data, list) else (data,):
            text = item.get("D") if isinstance(item, dict) else item
            if isinstance(text, str) and text:
                yield text[:4_096]


class PaddleParametersFormat(Format):
    """.pdiparams."""

    name = "paddle-parameters"
    title = "Parameters of a PaddlePaddle program"
    extensions = (".pdiparams",)
    executable = False
    description = (
        "The header of every tensor, whose numbers have to be in the file; the numbers are inert. Of a long remote "
        "file only the beginning is read. Loaders: those of the program."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and _tensor(view.artifact.source, 0) is not None

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        if is_far(source):
            note = CoverageReason("remote-data", "of the parameters only the beginning was read")
            yield Parsed(regions=(Region(0, source.size, "inert"),), skipped=(note,))
            return
        at = 0
        parts: list[Region] = []
        wrong = ""
        while at < source.size:
            budget.take_objects(4)
            found = _tensor(source, at)
            if found is None:
                wrong = f"no tensor begins at byte {at:,}, or it ends behind the file ({source.size:,} bytes)"
                break
            start, end = found
            if len(parts) < _TENSORS:
                parts += [Region(at, start - at, "structure"), Region(start, end - start, "inert")]
            at = end
        if wrong:
            parts.append(Region(at, source.size - at, "structure"))
        tensors = ((f"tensor at {part.start}", part.start, part.length) for part in parts if part.kind == "inert")
        held, files = embedded(artifact, tensors)
        yield Parsed((ParametersFacts(wrong), held), tuple(parts), files)


def _tensor(source: ByteSource, at: int) -> tuple[int, int] | None:
    """Where the numbers of the tensor at `at` begin and end; None where there is no tensor."""
    head = source.pread(at, 512)
    if len(head) < 24 or head[:4] != bytes(4):
        return None
    (levels,) = struct.unpack_from("<Q", head, 4)
    place = 12
    for _ in range(min(levels, 8)):
        if place + 8 > len(head):
            return None
        place += 8 + struct.unpack_from("<Q", head, place)[0]
    if levels > 8 or place + 8 > len(head) or head[place : place + 4] != bytes(4):
        return None
    (length,) = struct.unpack_from("<i", head, place + 4)
    start = place + 8
    if not 2 <= length <= len(head) - start:
        return None
    size = _size(head[start : start + length])
    end = start + length + (size if size is not None else 0)
    return None if size is None or at + end > source.size else (at + start + length, at + end)


def _size(description: bytes) -> int | None:
    """Bytes of a tensor by its description; None where that is none."""
    walked = fields(BytesSource(description), 0, len(description), 64)
    if not walked or walked[0].number != 1 or walked[0].value not in _BITS:
        return None
    bits = _BITS[walked[0].value]
    for field in walked[1:]:
        if field.number != 2:
            return None
        sizes = [field.value] if field.length is None else list(unpack(description[field.start : field.end], "Q")[0])
        for size in sizes:
            bits *= size
    return (bits + 7) // 8
