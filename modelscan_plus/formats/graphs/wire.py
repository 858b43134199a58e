"""A first look at a protocol buffer: the outermost fields of a message, to tell what it is, without a schema.

What is common to the formats that are protocol buffers also stands here: what their regions are and when they are
malformed.
"""

from collections.abc import Iterator
from typing import NamedTuple

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.formats.graphs.protobuf import Anomaly
from modelscan_plus.formats.interface import Region

_REGIONS = 10_000


class Walked(NamedTuple):
    """One field."""

    number: int
    start: int
    """The first byte of its value."""
    end: int
    length: int | None
    """Bytes of a value that has a length; None for a number."""
    value: int = 0
    """Of a number that is a varint."""


def fields(source: ByteSource, start: int, end: int, most: int) -> list[Walked] | None:
    """At most `most` fields from `start` on; None where the bytes are no fields or leave the message."""
    found: list[Walked] = []
    while start < end and len(found) < most:
        window = source.pread(start, 32)
        tag, at = varint(window, 0)
        if at > len(window) or not tag >> 3 or tag >> 32:
            return None
        number, wire = tag >> 3, tag & 7
        value = 0
        length: int | None = None
        if wire == 0:
            value, at = varint(window, at)
            if at > len(window):
                return None
            begin = stop = start + at
        elif wire == 2:
            length, at = varint(window, at)
            begin, stop = start + at, start + at + length
        elif wire in (1, 5):
            begin = start + at
            stop = begin + (8 if wire == 1 else 4)
        else:
            return None
        if stop > end:
            return None
        found.append(Walked(number, begin, stop, length, value))
        start = stop
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at` and the position behind it, which is behind the data where the number does not end."""
    result = 0
    for position in range(at, min(at + 10, len(data))):
        result |= (data[position] & 127) << 7 * (position - at)
        if data[position] < 128:
            return result, position + 1
    return result, len(data) + 1


def gaps(anomalies: list[Anomaly], what: str = "model", *, executable: bool = True) -> tuple[CoverageReason, ...]:
    """Why the bytes are no whole message; `executable` where a loader could run code from what is left out."""
    broken = next((anomaly for anomaly in anomalies if anomaly.fatal), None)
    if broken is None:
        return ()
    how = "ends early" if broken.code == "truncated" else "is malformed"
    message = f"the {what} {how} at byte {broken.offset:,}; no library loads it"
    return (CoverageReason("malformed", message, executable=executable),)


def regions(data: list[tuple[int, int]], end: int) -> Iterator[Region]:
    """What was interpreted and what was stepped over, up to a number that a report can bear."""
    position = 0
    for start, stop in data[:_REGIONS]:
        yield Region(position, start - position, "structure")
        yield Region(start, stop - start, "inert")
        position = stop
    yield Region(position, end - position, "structure")
