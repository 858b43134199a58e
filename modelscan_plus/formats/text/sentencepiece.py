"""tokenizer.model of SentencePiece: pieces with their scores, and how texts are made ready.

A protobuf message: 1 piece (1 text, 2 score as float, 3 type: 1 ordinary, 2 unknown, 3 control, 4 of the user, 6 byte),
2 settings of the training, 3 settings that make a text ready (2 a compiled table of replacements), 5 the same for
answers. Source: sentencepiece_model.proto. Trainers write ordinary pieces in the order of falling scores.
"""

import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.tokenizing import Oddity, out_of_order
from modelscan_plus.formats.text.vocabularies import of_words

_LARGEST = 64 << 20
_BY_USER = (3, 4)


class PiecesFacts(Facts, frozen=True):
    """What is odd about a model of SentencePiece."""

    oddities: tuple[Oddity, ...] = ()


class _Wrong(Exception):
    """The bytes are no such message."""


class SentencePieceFormat(Format):
    """Models of SentencePiece."""

    name = "sentencepiece"
    title = "SentencePiece model"
    extensions = (".model", ".spm")
    executable = False
    description = (
        "Pieces, their scores and types, and whether answers are rewritten; the order of the scores, and the words "
        "against those of the other tokenizers beside it. Loaders: sentencepiece, transformers, llama.cpp's converters."
    )

    def claims(self, view: View) -> bool:
        head = view.head
        if view.artifact.payload or len(head) < 64 or head[0] != 0x0A or head[2] != 0x0A:
            return False
        length = head[3]
        return head[1] < 0x80 and length + 7 <= head[1] and head[4 + length : 5 + length] == b"\x15"

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        whole = (Region(0, size, "structure"),)
        if size > _LARGEST:
            yield Parsed((PiecesFacts(),), whole, gaps=(CoverageReason("pieces-too-many", f"{size:,} bytes"),))
            return
        pieces: list[tuple[str, float, int]] = []
        rewrites = False
        gaps: tuple[CoverageReason, ...] = ()
        try:
            for number, value in _fields(artifact.source.pread(0, size)):
                budget.take_objects(1)
                if number == 1 and isinstance(value, bytes):
                    pieces.append(_piece(value))
                elif number == 5 and isinstance(value, bytes):
                    tables = [held for inner, held in _fields(value) if inner == 2 and isinstance(held, bytes)]
                    rewrites = any(len(table) > 3 for table in tables)
        except _Wrong as fault:
            gaps = (CoverageReason("pieces", f"the message cannot be read to its end: {fault}"),)
        facts = PiecesFacts(tuple(itertools.islice(_odd(pieces, rewrites=rewrites), 50)))
        summary = of_words(text for text, _, _ in pieces)
        yield Parsed((facts,), whole, gaps=gaps, summaries=(summary,) if summary else ())


def _odd(pieces: Sequence[tuple[str, float, int]], *, rewrites: bool) -> Iterator[Oddity]:
    if rewrites:
        yield Oddity("inserts", "denormalizer_spec", "a table of replacements for answers")
    for text, _, kind in pieces:
        if kind in _BY_USER and prose.is_sentence(text):
            yield Oddity("inserts", "pieces", shorten(visible(text), 120))
    yield from out_of_order([(text, score) for text, score, kind in pieces if kind == 1], "pieces")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
        shift += 7
    raise _Wrong("a number does not end")


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        length, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}.get(kind, -1), at)
        if length < 0 or at + length > len(data):
            raise _Wrong("a part ends behind the file")
        yield key >> 3, data[at : at + length]
        at += length


def _piece(data: bytes) -> tuple[str, float, int]:
    text, score, kind = "", 0.0, 1
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            text = value.decode("utf-8", "replace")
        elif number == 2 and isinstance(value, bytes) and len(value) == 4:
            score = struct.unpack("<f", value)[0]
        elif number == 3 and isinstance(value, int):
            kind = value
    return text, score, kind
