"""PDF documents: what a reader does by itself when a person opens one.

Actions are dictionaries of objects. Objects stand in the file as text, or in object streams, which are compressed; both
are searched for the names of actions, each letter of which may be written as `#` and two digits. What is drawn on pages
is not read. Source: ISO 32000-2, 7.3.5 (names), 7.5.7 (object streams), 12.6.4 (actions).
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.interface import Format, Parsed, Region, View

_LARGEST = 64 << 20
"""Bytes of a document that are read."""
_OBJECTS = 16 << 20
"""Bytes of one object stream."""
_DICTIONARY = 64 << 10
"""Bytes before a stream in which its dictionary is looked for."""
_HEAD = 1024
"""Readers take a file for a PDF that says so in these first bytes."""
_SHOWN = 160
_MOST = 20
_END = rb"(?=[\0\t\n\f\r ()<>\[\]{}/%]|\Z)"


def _name(word: str) -> bytes:
    """A pattern for a name, however its letters are written."""
    letters = (f"(?:{letter}|#{ord(letter):02x}|#{ord(letter):02X})" for letter in word)
    return b"/" + "".join(letters).encode() + _END


_STREAM = lazy(rb"(?<!end)stream\r?\n")
_NUMBERS = lazy(rb"\s*\d{1,10}\s+\d{1,10}\s")
"""How an object stream begins: the number of an object and where it stands."""
_OTHER_FILTER = lazy(rb"|".join((_name("LZWDecode"), _name("LZW"), _name("RunLengthDecode"), _name("Crypt"))))
_OBJECT_STREAM = lazy(_name("ObjStm"))
_HEXADECIMAL = lazy(rb"|".join((_name("ASCIIHexDecode"), _name("AHx"))))
_BASE_85 = lazy(rb"|".join((_name("ASCII85Decode"), _name("A85"))))
_ENCRYPTED = lazy(_name("Encrypt"))
_OPENING = lazy(rb"|".join((_name("OpenAction"), _name("AA"))))
_ACTIONS = {
    "launch": lazy(_name("Launch")),
    "script": lazy(_name("JS")),  # An empty /JavaScript stands in every export of some programs.
    "share": lazy(rb"/U?F\s*(?:\(\\{2,4}[A-Za-z0-9]|<\s*(?:[Ff][Ee][Ff][Ff]00)?5[cC]\s*(?:00)?5[cC])"),
}


class Action(msgspec.Struct, frozen=True):
    """Something that a reader does."""

    kind: str
    """"launch" (a program or file is started), "script" (JavaScript), "share" (a file of another machine)."""
    text: str
    """How it stands in the document, cut."""


class PdfFacts(Facts, frozen=True):
    """One document."""

    actions: tuple[Action, ...] = ()
    """At most 20 of a kind."""
    opening: bool = False
    """Something is done when the document or a page opens."""


class PdfFormat(Format):
    """PDF documents."""

    name = "pdf"
    title = "PDF document"
    extensions = (".pdf",)
    executable = False
    description = (
        "Actions are looked for that start programs, run JavaScript or open files of other machines, in the objects "
        "and in compressed object streams. Pages, pictures and fonts are not read, nor what is encrypted. Of a "
        "document above 64 MiB the beginning is read. Loaders: readers of people; no library of models opens one."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and b"%PDF-" in view.head[:_HEAD]

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        data = artifact.source.pread(0, min(size, _LARGEST))
        gaps: list[CoverageReason] = []
        if size > _LARGEST:
            gaps.append(CoverageReason("too-large", f"of {size:,} bytes the first {_LARGEST:,} are read"))
        actions: dict[Action, None] = {}
        opening = False
        for part in (data, *_objects(data, budget, gaps)):
            opening = opening or _OPENING.search(part) is not None
            actions.update(dict.fromkeys(_actions(part)))
        yield Parsed(
            facts=(PdfFacts(tuple(actions), opening),) if actions else (),
            regions=(Region(0, size, "structure"),),
            gaps=tuple(gaps[:1]),
        )


def _actions(part: bytes) -> Iterator[Action]:
    for kind, pattern in _ACTIONS.items():
        for count, found in enumerate(pattern.finditer(part)):
            if count >= _MOST:
                break
            text = part[max(0, found.start() - 20) : found.start() + _SHOWN].decode("latin-1")
            yield Action(kind, " ".join("".join(letter if " " <= letter <= "~" else " " for letter in text).split()))


def _objects(data: bytes, budget: Budget, gaps: list[CoverageReason]) -> Iterator[bytes]:
    """What the object streams hold."""
    encrypted = _ENCRYPTED.search(data) is not None
    for found in _STREAM.finditer(data):
        budget.take_entries(1)
        before = data[max(0, found.start() - _DICTIONARY) : found.start()]
        dictionary = before[before.rfind(b"obj") + 1 :]
        objects = _inflated(_plain(data, found.end(), dictionary), budget)
        if objects is not None:
            yield objects
        elif _OBJECT_STREAM.search(dictionary) and (encrypted or _OTHER_FILTER.search(dictionary)):
            what = "encrypted" if encrypted else "compressed in a way that is not read"
            gaps.append(CoverageReason("encrypted" if encrypted else "compressed", f"an object stream is {what}"))


def _plain(data: bytes, start: int, dictionary: bytes) -> bytes:
    """The bytes of a stream without the letters that they may be written in."""
    hexadecimal, in_85 = _HEXADECIMAL.search(dictionary), _BASE_85.search(dictionary)
    if not hexadecimal and not in_85:
        return data[start : start + _OBJECTS]
    end = data.find(b"endstream", start)
    text = data[start : min(end if end >= 0 else len(data), start + _OBJECTS)]
    try:
        if hexadecimal:
            digits = re.sub(rb"[^0-9A-Fa-f]", b"", text.partition(b">")[0])
            return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
        return base64.a85decode(text.partition(b"~>")[0].strip().removeprefix(b"<~"))
    except (ValueError, binascii.Error):
        return b""


def _inflated(stream: bytes, budget: Budget) -> bytes | None:
    """What an object stream holds; None for other streams."""
    reader = zlib.decompressobj()
    try:
        head = reader.decompress(stream, 64)
        if not _NUMBERS.match(head):
            return None
        rest = reader.decompress(reader.unconsumed_tail, _OBJECTS)
    except zlib.error:
        return None
    budget.take_decompressed(len(rest))
    return head + rest
