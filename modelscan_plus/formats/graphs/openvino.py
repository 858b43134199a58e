"""OpenVINO IR: the graph as XML, the constants as plain numbers in a .bin of the same name.

    <net name version="11">
      <layers> <layer id name type version="opset8"> <data …/> <input>…</input> <output>…</output> </layer> … </layers>
      <edges> … </edges>  <rt_info> … </rt_info>
    </net>

A Const has <data element_type="f32" shape="2, 3" offset="0" size="24"/>, where offset and size are bytes of the .bin;
versions before 10 keep <blobs><weights offset size/></blobs> in a layer. If, Loop and TensorIterator hold bodies with
layers of their own. A layer whose version is no opset comes from an extension, a native library of the host. Beside
these there are settings of custom kernels (<CustomLayer>), which name OpenCL sources. Sources: the IR specification
in OpenVINO's documentation and files that its converter writes. Nothing of the XML is expanded: declared entities end
the reading.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from xml.parsers import expat

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import ExternalFile, ExternalFiles

_PIECE = 64 << 10
_LARGEST = 256 << 20
_DEPTH = 200
_KEPT = 50
_OPERATORS = 2_000
_WORDS = 1 << 20
"""Characters of comments and of text between the elements that are examined."""
_ROOT = lazy(r"<(?:net|CustomLayer)\s[^<>]{0,2000}?\b(?:version|type)\s*=")
_OPSET = lazy(r"^opset\d{1,3}$")
_HUGE = 1 << 62
_BITS = {
    "f64": 64, "f32": 32, "f16": 16, "bf16": 16, "f8e4m3": 8, "f8e5m2": 8, "f8e8m0": 8, "f4e2m1": 4, "nf4": 4,
    "i64": 64, "i32": 32, "i16": 16, "i8": 8, "i4": 4, "u64": 64, "u32": 32, "u16": 16, "u8": 8, "u6": 6, "u4": 4,
    "u3": 3, "u2": 2, "u1": 1, "boolean": 8,
}  # fmt: skip
"""Bits of one element by type; texts have no fixed size."""
_DIMENSIONS = lazy(r"[\s,]*+(?:\d{1,19}+(?:[\s,]++|\Z))*+")


class Foreign(NamedTuple):
    """An operator that is in no opset."""

    type: str
    version: str


class OpenVinoFacts(Facts, frozen=True):
    """One graph."""

    foreign: Mapping[Foreign, int] = msgspec.field(default_factory=dict)
    """Operators of extensions, with the number of their layers."""
    kernels: tuple[str, ...] = ()
    """Sources of custom kernels."""
    wrong: tuple[str, ...] = ()
    """Constants that cannot be where they are said to be, in words."""
    declared: str = ""
    """What leads out of the XML: "entities", "inclusions", a bare "document type"; "" for none."""


class _Stop(Exception):
    """Reading ends here."""


class OpenVinoFormat(Format):
    """OpenVINO IR."""

    name = "openvino"
    title = "OpenVINO IR"
    extensions = (".xml",)
    executable = False
    description = (
        "Every layer of the graph and of the bodies inside of it: type, opset, and of constants the place in the .bin "
        "beside it, which has to be as large as type and shape say and in the file. Operators of extensions need a "
        "native library of the host. The XML is read in pieces and never expanded; a document type with entities ends "
        "the reading and is a finding. The .bin is plain numbers and left unread. Comments and text between the "
        "elements are examined as a text. Not read: settings of operators, run-time information, and what the graph "
        "computes. Loaders: OpenVINO Runtime, optimum-intel, OpenVINO GenAI."
    )

    def claims(self, view: View) -> bool:
        if view.artifact.payload:
            return False
        text = _decoded(view.head).lstrip("\ufeff \t\r\n")
        return text.startswith("<") and _ROOT.search(text) is not None

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        whole = (Region(0, artifact.source.size, "structure"),)
        if artifact.source.size > _LARGEST:
            yield Parsed(
                regions=whole, gaps=(CoverageReason("xml-too-large", "the graph is too large to be read", True),)
            )
            return
        walk = _Walk(budget)
        gap = _read(artifact, walk, budget)
        facts = OpenVinoFacts(walk.foreign, tuple(walk.kernels), tuple(walk.wrong), walk.declared)
        summary = _summary(artifact, walk)
        yield Parsed((facts,), whole, gaps=gap, summaries=(summary,) if summary else ())
        if walk.words:
            words = "\n".join(walk.words).encode("utf-8", "surrogatepass")
            yield Parsed(nested=(artifact.member("words.txt", BytesSource(words)),))


def _decoded(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace")
    return head.decode("utf-8", "replace")


def _read(artifact: Artifact, walk: "_Walk", budget: Budget) -> tuple[CoverageReason, ...]:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = walk.start
    parser.EndElementHandler = walk.end
    parser.CommentHandler = parser.CharacterDataHandler = walk.word
    parser.StartDoctypeDeclHandler = walk.document_type
    parser.EntityDeclHandler = walk.entity
    position = 0
    try:
        while position < artifact.source.size:
            budget.check_time()
            piece = artifact.source.pread(position, _PIECE)
            position += len(piece)
            parser.Parse(piece, position >= artifact.source.size or not piece)
            if not piece:
                break
    except expat.ExpatError as error:
        return (CoverageReason("malformed", f"the XML cannot be read: {error}", executable=True),)
    except _Stop as stop:
        return (CoverageReason("malformed", f"the XML is not read to its end: {stop}", executable=True),)
    return ()


class _Walk:
    """Takes the elements as they come."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._path: list[str] = []
        self._layer: dict[str, str] = {}
        self.root = ""
        self.foreign: dict[Foreign, int] = {}
        self.kernels: list[str] = []
        self.wrong: list[str] = []
        self.declared = ""
        self.end_of_data = 0
        self.constants = 0
        self.first = ""
        self.words: list[str] = []
        """Comments and text between the elements; converters write none."""
        self._room = _WORDS

    def word(self, text: str) -> None:
        """A comment, or text between elements."""
        if text.strip() and self._room > 0:
            self.words.append(text[: self._room])
            self._room -= len(text)

    def document_type(self, *_: object) -> None:
        """A document type is declared."""
        self.declared = self.declared or "document type"

    def entity(self, *_: object) -> None:
        """An entity is declared: what it would expand to is not looked at."""
        self.declared = "entities"
        raise _Stop("it declares entities")

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self._budget.take_objects(2)
        if len(self._path) >= _DEPTH:
            raise _Stop(f"elements are nested more than {_DEPTH} deep")
        self.root = self.root or name
        inside = self._path[-1] if self._path else ""
        self._path.append(name)
        if name == "layer":
            self._layer = dict(attributes)
            self._operator(attributes)
        elif inside == "layer" and name == "data" and self._layer.get("type") == "Const":
            self._constant(attributes)
        elif inside in ("blobs", "layer") and name in ("weights", "biases", "custom") and "offset" in attributes:
            self._place(attributes)
        elif name.endswith(":include") and "href" in attributes:
            self.declared = "inclusions"
        elif name == "Source" and "filename" in attributes:
            self.kernels.append(attributes["filename"][:300])

    def end(self, _: str) -> None:
        """An element ends."""
        self._path.pop()

    def _operator(self, attributes: Mapping[str, str]) -> None:
        version = attributes.get("version", "")
        if not version or _OPSET.match(version):  # before version 10 there were no opsets
            return
        key = Foreign(attributes.get("type", "")[:200], version[:100])
        if key in self.foreign or len(self.foreign) < _OPERATORS:
            self.foreign[key] = self.foreign.get(key, 0) + 1

    def _constant(self, attributes: Mapping[str, str]) -> None:
        size = self._place(attributes)
        bits = _BITS.get(attributes.get("element_type", ""))
        shape = attributes.get("shape", "")[:4_096]
        if size is None or bits is None or not _DIMENSIONS.fullmatch(shape):
            return
        needed = bits
        for dimension in re.findall(r"\d+", shape)[:64]:
            needed *= int(dimension)
        if (needed + 7) // 8 > size:
            self._note(f"needs {(needed + 7) // 8:,} bytes by type and shape and has {size:,}")

    def _place(self, attributes: Mapping[str, str]) -> int | None:
        """The size of what stands in the .bin; None where its place is no place."""
        numbers = [_whole(attributes.get(key, "")) for key in ("offset", "size")]
        if numbers[0] is None or numbers[1] is None or sum(n or 0 for n in numbers) >= _HUGE:
            written = f'offset "{attributes.get("offset", "")[:40]}", size "{attributes.get("size", "")[:40]}"'
            self._note(f"is not at a place of the .bin ({written})")
            return None
        self.constants += 1
        self.first = self.first or self._layer.get("name", "")[:200]
        self.end_of_data = max(self.end_of_data, numbers[0] + numbers[1])
        return numbers[1]

    def _note(self, what: str) -> None:
        if len(self.wrong) < _KEPT:
            self.wrong.append(f'the constant "{shorten(visible(self._layer.get("name", "")), 120)}" {what}')


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 30 else None


def _summary(artifact: Artifact, walk: _Walk) -> ExternalFiles | None:
    """The .bin beside the graph."""
    name = artifact.name.replace("\\", "/").rpartition("/")[2]
    stem, dot, _ = name.rpartition(".")
    if artifact.members or not dot or walk.root != "net":
        return None
    return ExternalFiles((ExternalFile(f"{stem}.bin", walk.end_of_data, walk.constants, walk.first),))
