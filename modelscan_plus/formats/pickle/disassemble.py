"""A few opcodes as text, for the evidence of a finding. Walks without running; bounded."""

import struct

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.finding import OpcodeLine
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.pickle.opcodes import OPCODES

_FIXED = {"u1": "<B", "u2": "<H", "u4": "<I", "u8": "<Q", "i4": "<i", "f8": ">d"}
_SIZED = {"s1": "<B", "s4": "<I", "s8": "<Q", "i4s": "<i", "long1": "<B", "long4": "<i"}
_TEXT = 80
_WINDOW = 1 << 16


def disassemble(
    source: ByteSource, start: int, marked: int, *, before: int = 8, after: int = 3
) -> tuple[OpcodeLine, ...]:
    """The opcode at `marked` with a few on either side, found by walking from `start` (the pickle's first byte).

    A pickle that is long before `marked` is walked from close by, where the walk falls into step by itself or shows
    at least the marked opcode.
    """
    lines: list[OpcodeLine] = []
    position = start
    while position < source.size:
        line, following = _line(source, position, marked)
        if line is None:
            break
        lines.append(line)
        if position > marked and len(lines) and _behind(lines, marked) > after:
            break
        if position < marked and len(lines) > before:
            del lines[0]
        position = following
        if position - start > _WINDOW and position < marked:
            return disassemble(source, marked, marked, before=0, after=after)
    return tuple(lines[: before + after + 1])


def _behind(lines: list[OpcodeLine], marked: int) -> int:
    return sum(line.offset > marked for line in lines)


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
    form = _FIXED.get(kind) or _SIZED[kind]
    size = struct.calcsize(form)
    if len(data) < size:
        return "(truncated)", len(data)
    number = struct.unpack_from(form, data)[0]
    if kind in _FIXED:
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
