"""Graphs of TensorFlow in the text form of protocol buffers: saved_model.pbtxt, graph.pbtxt.

    field: value        field { … }   or   field < … >        field: [value, …]        # comment
    value               a number, a word (true, DT_STRING, …), or texts in quotes, several of which make one

What is written is put into the binary form and handed on, so that both forms are judged by the same reader. Fields that
nothing asks for are left out. Source: the text format specification of protobuf.dev. Loader: tf.saved_model.load takes
saved_model.pbtxt where there is no saved_model.pb; so does text_format with tf.import_graph_def.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.protobuf import Kind
from modelscan_plus.formats.graphs.tensorflow.facts import FROM_TEXT
from modelscan_plus.formats.graphs.tensorflow.schema import SCHEMA
from modelscan_plus.formats.interface import Format, Parsed, Region, View

_LARGEST = 64 << 20
_DEPTH = 100
_TOKEN = lazy(
    r"[\s,;]*+(?:#[^\n]*+[\s,;]*+)*+(?P<word>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[A-Za-z_][\w.]*|[-+]?[\d.][\w.+-]*"
    r"|\[[\w./ ]{0,200}\](?=\s{0,20}[:{<])|[-:{}<>\[\]])",
    re.S,
)
_BLANK = lazy(r"[\s,;]*+(?:#[^\n]*+[\s,;]*+)*+")
_BEGINS = lazy(
    r"^\s*+(?:#[^\n]*+\n\s*+)*+(?:saved_model_schema_version|meta_graphs|graph_def|library|versions|node)\s*[:{<]"
)
_SHOWS = lazy(r"\bop\s*:\s*[\"']|\bmeta_info_def\s*[:{<]|\bnode_def\s*[:{<]|\bsaved_model_schema_version\s*:")
_ESCAPE = lazy(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.S)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_STRING = 7
_ROOTS = {"meta_graphs": "SavedModel", "saved_model_schema_version": "SavedModel", "graph_def": "MetaGraphDef"}


class _Asked(NamedTuple):
    number: int
    message: str
    """The type of a message; "" for a text or number."""
    is_number: bool


def _table() -> dict[str, dict[str, _Asked]]:
    table = {
        name: {
            field.name: _Asked(field.number, field.message, field.kind in (Kind.INT64, Kind.INT32)) for field in fields
        }
        for name, (_, fields) in SCHEMA.items()
    }
    table["AttrEntry"]["value"] = _Asked(2, "AttrValue", is_number=False)
    return table


_TABLE = _table()


class _Wrong(Exception):
    """The text is none of a message."""


class TensorFlowTextFormat(Format):
    """saved_model.pbtxt and graphs as text."""

    name = "tensorflow-text"
    title = "TensorFlow graph as text"
    extensions = (".pbtxt",)
    executable = False
    description = (
        "The text form of SavedModel, MetaGraph and GraphDef, up to 64 MiB, put into the binary form and judged as "
        "that is; comments are not read. Loaders: tf.saved_model.load, text_format of protobuf."
    )

    def claims(self, view: View) -> bool:
        if view.artifact.payload:
            return False
        text = view.head.decode("utf-8", "replace")
        return _BEGINS.match(text) is not None and _SHOWS.search(text) is not None

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        whole = (Region(0, size, "structure"),)
        nested: tuple[Artifact, ...] = ()
        gap: tuple[CoverageReason, ...] = ()
        if size > _LARGEST:
            gap = (CoverageReason("text-too-large", f"a graph in {size:,} bytes of text is not read", executable=True),)
        else:
            try:
                data = _Converter(artifact.source.pread(0, size).decode("utf-8", "replace"), budget).run()
                nested = (artifact.member(FROM_TEXT, BytesSource(data)),)
            except _Wrong as fault:
                gap = (CoverageReason("malformed", f"the text of the graph cannot be read: {fault}", executable=True),)
        yield Parsed((), whole, nested, gap)


class _Open:
    """A message that is being written."""

    def __init__(self, message: str, number: int) -> None:
        self.message = message
        self.number = number
        self.out = bytearray()


class _Converter:
    """Turns text into bytes."""

    def __init__(self, text: str, budget: Budget) -> None:
        self._text = text
        self._budget = budget
        self._tokens = self._split()
        self._ahead: list[str] = []

    def _split(self) -> Iterator[str]:
        at, count = 0, 0
        while found := _TOKEN.match(self._text, at):
            at = found.end()
            count += 1
            if count % 1_000 == 0:
                self._budget.take_objects(1_000)
                self._budget.check_time()
            yield found["word"]
        if _BLANK.fullmatch(self._text, at) is None:
            raise _Wrong(f"at character {at:,}")

    def _next(self) -> str:
        return self._ahead.pop() if self._ahead else next(self._tokens, "")

    def _peek(self) -> str:
        if not self._ahead:
            self._ahead.append(next(self._tokens, ""))
        return self._ahead[-1]

    def run(self) -> bytes:
        """The whole message."""
        root = _ROOTS.get(self._peek(), "GraphDef")
        stack = [_Open(root, 0)]
        while True:
            word = self._next()
            if word in ("}", ">"):
                if len(stack) == 1:
                    raise _Wrong("a message ends that did not begin")
                done = stack.pop()
                if done.number:
                    stack[-1].out += _length(done.number, bytes(done.out))
            elif not word:
                if len(stack) > 1:
                    raise _Wrong("a message has no end")
                return bytes(stack[0].out)
            else:
                self._field(word, stack)

    def _field(self, name: str, stack: list[_Open]) -> None:
        asked = _TABLE.get(stack[-1].message, {}).get(name)
        colon = self._peek() == ":"
        if colon:
            self._next()
        listed = colon and self._peek() == "["
        if listed:
            self._next()
        while not (listed and self._peek() == "]"):
            if self._peek() in ("{", "<"):
                self._next()
                if len(stack) >= _DEPTH or (listed and asked is not None and asked.message):
                    raise _Wrong("messages are nested too deep" if not listed else "a list of messages")
                stack.append(_Open(asked.message if asked else "", asked.number if asked and asked.message else 0))
                return
            if not colon:
                raise _Wrong(f"{name[:60]} has no value")
            self._scalar(asked, stack[-1])
            if not listed:
                return
        self._next()

    def _scalar(self, asked: _Asked | None, into: _Open) -> None:
        word = self._next()
        if word == "-":
            word += self._next()
        if word[:1] in "\"'" and word:
            parts = [word]
            while self._peek()[:1] in ("'", '"') and self._peek():
                parts.append(self._next())
            if asked is not None and not asked.message and not asked.is_number:
                into.out += _length(asked.number, b"".join(_unescaped(part) for part in parts))
        elif word in ("", "{", "}", "<", ">", ":", "[", "]"):
            raise _Wrong("a value is missing")
        elif asked is not None and asked.is_number:
            into.out += _varint(asked.number << 3) + _varint(_whole(word))


def _whole(word: str) -> int:
    if word == "DT_STRING":
        return _STRING
    try:
        return int(word, 0) & (1 << 64) - 1
    except ValueError:
        return 1


def _unescaped(word: str) -> bytes:
    return _ESCAPE.sub(_escape, word[1:-1].encode("utf-8", "surrogateescape"))


def _escape(found: "re.Match[bytes]") -> bytes:
    octal, digits, short, long, letter = found.groups()
    if octal:
        return bytes((int(octal, 8) & 255,))
    if digits:
        return bytes((int(digits, 16),))
    if short or long:
        number = int(short or long, 16)
        return chr(number).encode("utf-8", "replace") if number < 0x110000 else b"?"
    return _LETTERS.get(letter, letter)


def _length(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))
