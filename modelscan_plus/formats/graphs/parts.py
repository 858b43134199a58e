"""Files of other kinds at the beginning of what a model's loaders take for numbers."""

from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, SliceSource
from modelscan_plus.formats import kinds
from modelscan_plus.formats.graphs.onnx.contents import ContentFacts, Payload
from modelscan_plus.formats.tensors.embedded import source_kind

_SMALLEST = 16
_MOST = 20_000
_WHOLE = 64 << 10
"""Bytes of a remote file up to which one range brings all of it."""
_KEPT = 50
_STARTS = (*kinds.PROGRAM_STARTS, b"\x80", b"c", b"(", b"PK\3\4", b"7z\xbc\xaf")


def is_far(source: ByteSource) -> bool:
    """True for a remote file too long to be fetched for the headers that stand between its numbers."""
    return source.remote and source.size > _WHOLE


def embedded(artifact: Artifact, ranges: Iterable[tuple[str, int, int]]) -> tuple[ContentFacts, list[Artifact]]:
    """What the ranges (name, offset, length) begin with, and the parts that are files; nothing of a far artifact."""
    found: list[Payload] = []
    parts: list[Artifact] = []
    for number, (where, start, length) in enumerate(ranges):
        if is_far(artifact.source) or number == _MOST:
            break
        if length < _SMALLEST or not artifact.source.pread(start, 8).startswith(_STARTS):
            continue
        part = artifact.member(where, SliceSource(artifact.source, start, length), payload=True)
        kind = source_kind(part)
        if kind is not None and len(found) < _KEPT:
            found.append(Payload(where, kind, start, length, 0))
            parts.append(part)
    return ContentFacts(payloads=tuple(found)), parts
