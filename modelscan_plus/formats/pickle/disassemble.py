"""A few opcodes as text, for the evidence of a finding. Walks without running; bounded."""

import struct
from bisect import bisect_left

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.finding import OpcodeLine
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.pickle.opcodes import FIXED, OPCODES, SIZED, opcode_length

_TEXT = 80
_WINDOW = 1 << 16


class Disassembler:
    """Opcodes of the pickle that begins at `start`, around any of its offsets.

    The beginning is walked once to learn where opcodes start. Around an offset far behind it, or one that the walk
    does not meet (where it lost step in raw data), lines begin at that offset.
    """

    def __init__(self, source: ByteSource, start: int) -> None:
        self._source = source
        self._start = start
        self._offsets: list[int] | None = None

    def around(self, marked: int, *, before: int = 8, after: int = 3) -> tuple[OpcodeLine, ...]:
        """The opcode at `marked` with a few on either side."""
        if self._offsets is None:
            self._offsets = self._walk()
        index = bisect_left(self._offsets, marked)
        known = index < len(self._offsets) and self._offsets[index] == marked
        position = self._offsets[max(0, index - before)] if known else marked
        lines: list[OpcodeLine] = []
        behind = 0
        while behind <= after and position < self._source.size:
            line, position = _line(self._source, position, marked)
            if line is None:
                break
            behind += line.offset >= marked
            lines.append(line)
        return tuple(lines)

    def first_outside(self, names: frozenset[str]) -> tuple[int, str] | None:
        """Offset and name of the first opcode that is none of `names`; looks at the beginning that is walked."""
        if self._offsets is None:
            self._offsets = self._walk()
        data = self._source.pread(self._start, _WINDOW)
        for offset in self._offsets:
            name = OPCODES[data[offset - self._start]][0]
            if name not in names:
                return offset, name
        return None

    def _walk(self) -> list[int]:
        data = self._source.pread(self._start, _WINDOW)
        offsets: list[int] = []
        position = 0
        while position < len(data) and data[position] in OPCODES:
            offsets.append(self._start + position)
            position += opcode_length(data, position)
        return offsets


def _line(source: ByteSource, position: int, marked: int) -> tuple[OpcodeLine | None, int]:
    head = source.pread(position, 9 + _TEXT)
    if not head or head[0] not in OPCODES:
        return None, position
    name, kind = OPCODES[head[0]]
    argument, length = _argument(source, position + 1, head[1:], kind)
    line = OpcodeLine(offset=position, opcode=name, argument=argument, marked=position == marked)
    return line, position + 1 + length


def _argument(source: ByteSource, offset: int, data: bytes, kind: str) -> tuple[str, int]:
    """The argument as text, and its length in bytes."""
    if kind == "":
        return "", 0
    if kind in ("line", "lines"):
        return _lines(source, offset, 2 if kind == "lines" else 1)
    form = FIXED.get(kind) or SIZED[kind]
    size = struct.calcsize(form)
    if len(data) < size:
        return "(truncated)", len(data)
    number = struct.unpack_from(form, data)[0]
    if kind in FIXED:
        return str(number), size
    length = max(0, int(number))
    body = data[size : size + min(length, _TEXT)]
    if kind.startswith("long"):
        return f"({length} bytes)", size + length
    text = visible(body.decode("utf-8", "surrogateescape"))
    return f"'{shorten(text, _TEXT)}'" + (f" … ({length:,} bytes)" if length > len(body) else ""), size + length


def _lines(source: ByteSource, offset: int, count: int) -> tuple[str, int]:
    data = source.pread(offset, 4096)
    end = 0
    for _ in range(count):
        found = data.find(b"\n", end)
        if found < 0:
            return f"'{visible(data[:_TEXT].decode('utf-8', 'surrogateescape'))}…", len(data)
        end = found + 1
    text = " ".join(data[: end - 1].decode("utf-8", "surrogateescape").split("\n"))
    return f"'{shorten(visible(text), _TEXT)}'", end
