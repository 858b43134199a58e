"""Protocol buffers on the wire, read by a schema into typed objects, without recursion and without the large values.

    field    tag = varint(number << 3 | wire type), then by wire type:
             0 varint · 1 eight bytes · 2 varint length and that many bytes · 3 group start · 4 group end · 5 four bytes
    varint   7 bits a byte, lowest first, the top bit set on all but the last; at most 10 bytes
    packed   a repeated number may stand once per element, or many in one field of wire type 2; readers take both

A schema is data: for each message type its class and fields (`Field`). Values of kind SPAN, TEXT and the tensor kinds
(`Kind.DATA_…`) are not read: the object gets a reference with offset, length and the first bytes. The source is read in
small blocks that grow only while reading goes on without a jump, so that a model behind HTTP ranges costs little.

What protobuf libraries hide is noted: unknown fields, wire types that do not fit, singular fields that occur twice
(the last one counts, messages are merged), groups, varints longer than needed, nesting beyond what libraries accept,
bytes that are no field at all. Nothing raises on hostile bytes but `BudgetExceeded`. Source: the encoding page of
protobuf.dev and the behaviour of upb and of the C++ runtime.
"""

import enum
import struct
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.graphs.spans import INLINE, Numbers, Span

LIBRARY_DEPTH = 100
"""Levels of messages at which protobuf libraries give up; deeper nesting is noted, and read all the same."""
TEXT = 1 << 16
"""Bytes of a name that are kept; longer ones are cut and noted."""
_SMALLEST_BLOCK = 16 << 10
_LARGEST_BLOCK = 64 << 10
_MARGIN = INLINE + 32
"""Bytes that are always at hand behind a field's first byte: a tag, a length and what a span keeps."""
_INLINE_TEXT = 4 << 10
_INLINE_TEXTS = 16 << 20
"""Bytes of one text, and of all texts together, that are kept where they are in the buffer anyway."""
_KEPT = 50
"""Anomalies of one kind that are kept; all are counted."""
_MESSAGE_COST = 3
"""Objects that a message counts beside its fields, where the schema does not say more."""

_VARINT, _FIXED64, _LENGTH, _GROUP, _GROUP_END, _FIXED32 = range(6)


class Kind(enum.IntEnum):
    """How a field's value is encoded and kept."""

    STRING = 0
    """str, at most `TEXT` bytes of it; repeated: a list."""
    MESSAGE = 1
    """An object of another message type; repeated: a list."""
    INT64 = 2
    INT32 = 3
    """Also enums."""
    UINT64 = 4
    BOOL = 5
    FLOAT = 6
    DOUBLE = 7
    """Numbers; repeated: an `array` of typecode q, i, Q, B, f or d."""
    SPAN = 8
    """A `Span` of bytes; repeated: a list."""
    TEXT = 9
    """A `Span` of text that may be long, of which more is kept; repeated: a list."""
    DATA_FLOAT = 10
    DATA_DOUBLE = 11
    DATA_INT32 = 12
    DATA_INT64 = 13
    DATA_UINT64 = 14
    """Repeated numbers of which there may be very many: a `Numbers`."""


_SCALARS = {
    Kind.INT64: ("q", _VARINT),
    Kind.INT32: ("i", _VARINT),
    Kind.UINT64: ("Q", _VARINT),
    Kind.BOOL: ("B", _VARINT),
    Kind.FLOAT: ("f", _FIXED32),
    Kind.DOUBLE: ("d", _FIXED64),
}
_DATA = {
    Kind.DATA_FLOAT: Kind.FLOAT,
    Kind.DATA_DOUBLE: Kind.DOUBLE,
    Kind.DATA_INT32: Kind.INT32,
    Kind.DATA_INT64: Kind.INT64,
    Kind.DATA_UINT64: Kind.UINT64,
}


class Field(NamedTuple):
    """One field of a message type."""

    number: int
    name: str
    """The attribute of the class that takes the value."""
    kind: Kind
    repeated: bool = False
    message: str = ""
    """For `Kind.MESSAGE`: the name of its type in the schema."""
    top: int = 0
    """For an enum: its highest value. Of larger and negative ones libraries act as if the field were not there."""
    clears: tuple[str, ...] = ()
    """The other members of its oneof, which are None while this one is set."""


class Anomaly(msgspec.Struct, frozen=True):
    """Something that a protobuf library hides, tolerates or refuses."""

    code: str
    """"unknown-field", "wire-type", "repeated-singular", "repeated-message", "group", "overlong-varint", "too-deep",
    "not-utf8", "long-text", "truncated" or "malformed"."""
    message: str
    """The message type in which it stands."""
    offset: int
    length: int
    detail: str
    """The field's name or number, or what is wrong."""

    @property
    def fatal(self) -> bool:
        """True for what every library refuses."""
        return self.code in ("truncated", "malformed")


class _Entry:
    """What the reader does with one tag."""

    __slots__ = ("bit", "clears", "enum", "frame", "kind", "name", "packed", "small", "top", "typecode", "wire")

    def __init__(self, field: Field, wire: int, bit: int, frame: "MessageType | None") -> None:
        self.name = field.name
        self.kind = field.kind
        self.wire = wire
        self.bit = 0 if field.repeated or field.kind in _DATA else bit
        self.clears = field.clears
        self.frame = frame
        scalar = _DATA.get(field.kind, field.kind)
        self.typecode = _SCALARS[scalar][0] if scalar in _SCALARS else ""
        self.packed = wire == _LENGTH and scalar in _SCALARS
        self.small = bool(self.bit) and wire == _VARINT and self.typecode != "B" and not field.clears
        """True where a varint of one byte, up to `top`, is the value as it stands."""
        self.enum = field.top
        self.top = field.top or 127


class MessageType:
    """A compiled message type: its class, which is made without arguments, and its fields by tag."""

    __slots__ = ("cost", "entries", "finishes", "make", "name", "numbers", "placed")

    def __init__(self, name: str, make: type[Any], cost: int = _MESSAGE_COST) -> None:
        self.name = name
        self.cost = cost
        """Objects of the budget that one of it counts: what it takes to keep it and to judge it."""
        self.make = make
        self.placed = hasattr(make, "offset") and hasattr(make, "length")
        """True where objects take the place of their bytes, `offset` and `length`."""
        self.finishes = hasattr(make, "finish")
        """True where objects want to be told that all of their fields are in: they let go of what nobody asks for."""
        self.entries: dict[int, _Entry] = {}
        self.numbers: dict[int, str] = {}


def compile_schema(
    schema: Mapping[str, tuple[type[Any], Iterable[Field]]], costs: Mapping[str, int] | None = None
) -> dict[str, MessageType]:
    """Message types by name, linked to one another."""
    known = costs or {}
    types = {name: MessageType(name, make, known.get(name, _MESSAGE_COST)) for name, (make, _) in schema.items()}
    for name, (_, fields) in schema.items():
        for position, field in enumerate(fields):
            types[name].numbers[field.number] = field.name
            for wire in _wires(field):
                frame = types[field.message] if field.kind is Kind.MESSAGE else None
                types[name].entries[field.number << 3 | wire] = _Entry(field, wire, 1 << position, frame)
    return types


def _wires(field: Field) -> tuple[int, ...]:
    scalar = _DATA.get(field.kind, field.kind)
    if scalar not in _SCALARS:
        return (_LENGTH,)
    wire = _SCALARS[scalar][1]
    return (wire, _LENGTH) if field.repeated or field.kind in _DATA else (wire,)


class _Frame:
    """A message that is being read."""

    __slots__ = ("end", "seen", "type", "value")

    def __init__(self, value: Any, kind: MessageType, end: int) -> None:
        self.value = value
        self.type = kind
        self.end = end
        self.seen = 0


class WireReader:
    """Reads one message. `anomalies` and `end` tell afterwards what was odd and how far the bytes made sense."""

    def __init__(self, source: ByteSource, budget: Budget, *, start: int = 0, end: int | None = None) -> None:
        self.anomalies: list[Anomaly] = []
        self.counts: dict[str, int] = {}
        """How often each code occurred; `anomalies` holds the first of each."""
        self.unknown_bytes = 0
        """Bytes of all unknown fields together."""
        self.end = source.size if end is None else end
        """The first byte behind what could be read as fields."""
        self.data: list[tuple[int, int]] = []
        """Half-open ranges that were stepped over unread, ordered; short ones are left out."""
        self._source = source
        self._budget = budget
        self._start = start
        self._frames: list[_Frame] = []
        self._texts: dict[bytes, str] = {}
        self._buffer = b""
        self._base = start
        self._padding = self._at = 0
        self._safe = -1
        self._block = _SMALLEST_BLOCK
        self._room = _INLINE_TEXTS

    def read(self, kind: MessageType, into: object) -> None:
        """Fill `into`, an object of the type's class. Raises `BudgetExceeded`; what was read until then stays."""
        self._frames.append(_Frame(into, kind, self.end))
        self._load(self._start)
        frames = self._frames
        while frames:
            self._fields(frames[-1])

    @property
    def texts(self) -> Iterable[str]:
        """Every name that was read, each once; values of kind SPAN are not among them."""
        return self._texts.values()

    # The buffer: `_buffer[i]` is byte `_base + i` of the source; 0x00 stands behind the source's end.

    def _load(self, offset: int, length: int = 0) -> None:
        self._budget.check_time()
        known = self._base + len(self._buffer) - self._padding
        rest = b""
        if self._base <= offset <= known:
            rest = self._buffer[offset - self._base : known - self._base]
            self._block = min(2 * self._block, _LARGEST_BLOCK) if self._buffer else _SMALLEST_BLOCK
        else:
            self._block = _SMALLEST_BLOCK
        more = self._source.pread(offset + len(rest), max(self._block, length + _MARGIN - len(rest)))
        self._buffer = rest + more
        self._base = offset
        at_end = offset + len(self._buffer) >= self._source.size or not more
        self._padding = _MARGIN if at_end else 0
        self._buffer += b"\0" * self._padding
        self._safe = len(self._buffer) - _MARGIN
        self._at = 0

    def _note(self, code: str, offset: int, length: int, detail: str, message: str = "") -> None:
        count = self.counts[code] = self.counts.get(code, 0) + 1
        if count <= _KEPT:
            self.anomalies.append(Anomaly(code, message or self._frames[-1].type.name, offset, length, detail))

    def _fields(self, frame: _Frame) -> None:  # noqa: C901 - the loop that everything waits for; its calls would cost half
        """Read fields of one message until it ends or a message inside it begins."""
        value, entries, texts = frame.value, frame.type.entries, self._texts
        buffer, at, safe = self._buffer, self._at, self._safe
        stop = frame.end - self._base
        count = 0
        while at < stop:
            if at > safe:
                self._budget.take_objects(count)
                count = 0
                self._load(self._base + at)
                buffer, at, safe = self._buffer, 0, self._safe
                stop = frame.end - self._base
            count += 1
            start = at
            tag = buffer[at]
            at += 1
            if tag > 127:
                high = buffer[at]
                if 0 < high < 128:
                    tag = tag & 127 | high << 7
                    at += 1
                else:
                    tag, at = self._narrow(buffer, start, 5)
            entry = entries.get(tag)
            if entry is None:
                self._at = at
                self._unknown(frame, tag, start)
            elif entry.wire == 2 and not entry.packed:
                length = buffer[at]
                at += 1
                if length > 127:
                    length, at = self._narrow(buffer, at - 1, 10)
                end = at + length
                if end > stop:
                    self._note("truncated", self._base + start, stop - start, entry.name)
                    end = stop if at <= stop else at
                if entry.kind == 1:
                    self._at = at
                    self._enter(frame, entry, start, end)
                    self._budget.take_objects(count)
                    return
                if entry.kind == 0 and end - at <= safe - at + INLINE:
                    raw = buffer[at:end]
                    text = texts.get(raw)
                    if text is None:
                        text = self._decode(raw, start)
                    at = end
                    if entry.bit:
                        if frame.seen & entry.bit:
                            self._note("repeated-singular", self._base + start, at - start, entry.name)
                        frame.seen |= entry.bit
                        setattr(value, entry.name, text)
                        if entry.clears:
                            _clear(value, entry)
                        continue
                    known = getattr(value, entry.name)
                    if known:
                        known.append(text)
                    else:
                        setattr(value, entry.name, [text])
                    continue
                self._at = at
                self._long(frame, entry, start, end)
            elif entry.small and at < stop and buffer[at] <= entry.top and not frame.seen & entry.bit:
                setattr(value, entry.name, buffer[at])
                frame.seen |= entry.bit
                at += 1
                continue
            else:
                self._at = at
                count += self._number(frame, entry, start) >> 4
            buffer, at, safe = self._buffer, self._at, self._safe
            stop = frame.end - self._base
        self._at = at
        self._leave(frame)
        self._budget.take_objects(count)

    def _enter(self, frame: _Frame, entry: _Entry, start: int, end: int) -> None:
        kind = entry.frame
        assert kind is not None  # noqa: S101 - compile_schema links every message field
        value = frame.value
        if entry.bit:
            inner = getattr(value, entry.name) if frame.seen & entry.bit else None
            if inner is not None:
                self._note("repeated-message", self._base + start, end - start, entry.name)
            else:
                inner = kind.make()
                setattr(value, entry.name, inner)
            frame.seen |= entry.bit
            _clear(value, entry)
        else:
            inner = kind.make()
            known = getattr(value, entry.name)
            if known:
                known.append(inner)
            else:
                setattr(value, entry.name, [inner])
        if kind.placed:
            inner.offset = self._base + self._at
            inner.length = end - self._at
        if len(self._frames) == LIBRARY_DEPTH:
            self._note("too-deep", self._base + start, end - start, entry.name)
        self._frames.append(_Frame(inner, kind, self._base + end))
        self._budget.take_objects(kind.cost)

    def _leave(self, frame: _Frame) -> None:
        """The message ends; where its last field ran over its end, reading goes on at the end."""
        self._frames.pop()
        if frame.type.finishes:
            frame.value.finish()
        if not self._frames:
            return
        if self._base + self._at > frame.end:
            self._at = frame.end - self._base
        if self._at < 0 or self._at > len(self._buffer):
            self._load(self._base + self._at)

    def _decode(self, raw: bytes, start: int) -> str:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("utf-8", "surrogateescape")
            self._note("not-utf8", self._base + start, len(raw), visible_number(raw))
        self._texts[raw] = text
        return text

    def _long(self, frame: _Frame, entry: _Entry, start: int, end: int) -> None:
        """A string that is not in the buffer, or a span."""
        at = self._at
        offset, length = self._base + at, end - at
        value: object
        if entry.kind is Kind.STRING:
            if length > TEXT:
                self._note("long-text", self._base + start, length, entry.name)
            self._load(offset, min(length, TEXT))
            value = self._decode(self._buffer[: min(length, TEXT)], 0)
        elif entry.kind is Kind.SPAN:
            value = Span(self._source, offset, length, self._buffer[at : min(end, at + INLINE)])
        else:
            keep = INLINE if self._room <= 0 else _INLINE_TEXT
            self._room -= max(0, min(length, keep) - INLINE)
            value = Span(self._source, offset, length, self._buffer[at : min(end, at + keep)])
        self._skip(offset, length)
        self._store(frame, entry, value, offset, length)

    def _skip(self, offset: int, length: int) -> None:
        """Go on behind `length` bytes at `offset`."""
        end = offset + length
        if length > INLINE:
            self.data.append((offset, end))
        if end <= self._base + self._safe:
            self._at = end - self._base
        else:
            self._load(end)

    def _store(self, frame: _Frame, entry: _Entry, value: object, offset: int, length: int) -> None:
        target = frame.value
        if not entry.bit:
            known = getattr(target, entry.name)
            if known:
                known.append(value)
            else:
                setattr(target, entry.name, [value])
            return
        if frame.seen & entry.bit:
            self._note("repeated-singular", offset, length, entry.name)
        frame.seen |= entry.bit
        setattr(target, entry.name, value)
        _clear(target, entry)

    # Numbers

    def _varint(self, buffer: bytes, at: int) -> tuple[int, int]:
        """The varint at `at`, of which at most ten bytes are taken, and the position behind it."""
        start = at
        result = shift = 0
        while True:
            byte = buffer[at]
            at += 1
            result |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift == 70:
                self._note("malformed", self._base + start, 10, "a varint of more than ten bytes")
                break
        if (byte == 0 and shift) or result >> 64:
            self._note("overlong-varint", self._base + start, at - start, "")
        return result & 0xFFFFFFFFFFFFFFFF, at

    def _narrow(self, buffer: bytes, at: int, most: int) -> tuple[int, int]:
        """A tag or length: libraries refuse those of more bytes, and bits beyond the 64th."""
        value, end = self._varint(buffer, at)
        if end - at > most or (end - at == 10 and buffer[end - 1] > 1):
            self._note("malformed", self._base + at, end - at, "a tag or length with more bits than it can have")
        return value, end

    def _number(self, frame: _Frame, entry: _Entry, start: int) -> int:
        """One number, or many; returns how many."""
        if entry.packed:
            return self._packed(frame, entry, start)
        if not entry.bit:
            return self._run(frame, entry, start)
        buffer, at = self._buffer, self._at
        value: int | float
        if entry.wire == _VARINT:
            value, at = self._varint(buffer, at)
            value = _signed(value, entry.typecode)
        else:
            width = 4 if entry.wire == _FIXED32 else 8
            (value,) = struct.unpack_from("<f" if width == 4 else "<d", buffer, at)
            at += width
        self._at = at
        self._bounds(frame, entry, start)
        if entry.enum and not 0 <= value <= entry.enum:
            self._note("unknown-field", self._base + start, at - start, f"value {value} of {entry.name}")
            self.unknown_bytes += at - start
            return 1
        self._store(frame, entry, value, self._base + start, at - start)
        return 1

    def _bounds(self, frame: _Frame, entry: _Entry, start: int) -> None:
        if self._base + self._at > frame.end:
            self._note("truncated", self._base + start, frame.end - self._base - start, entry.name)

    def _run(self, frame: _Frame, entry: _Entry, start: int) -> int:
        """A repeated number, one field per element: as many of them as stand here in a row."""
        values = array(entry.typecode)
        buffer, at = self._buffer, start
        stop = min(frame.end - self._base, self._safe + 1)
        tag = buffer[start : self._at]
        if entry.wire == _VARINT:
            while at < stop and buffer.startswith(tag, at):
                number, at = self._varint(buffer, at + len(tag))
                values.append(_signed(number, entry.typecode))
        else:
            width = 4 if entry.wire == _FIXED32 else 8
            step = len(tag) + width
            firsts = buffer[start : max(stop - step, start) + 1 : step]
            count = len(firsts) - len(firsts.lstrip(tag[:1])) if len(tag) == 1 else 1
            count = max(count, 1)
            raw = bytearray(count * width)
            for byte in range(width):
                raw[byte::width] = buffer[start + len(tag) + byte : start + count * step : step]
            values.extend(struct.unpack(f"<{count}{entry.typecode}", raw))
            at += count * step
        self._at = at
        self._bounds(frame, entry, start)
        self._extend(frame, entry, values)
        return len(values)

    def _packed(self, frame: _Frame, entry: _Entry, start: int) -> int:
        length, at = self._narrow(self._buffer, self._at, 10)
        stop = frame.end - self._base
        if at + length > stop:
            self._note("truncated", self._base + start, stop - start, entry.name)
            length = max(0, stop - at)
        offset = self._base + at
        span = Span(self._source, offset, length, self._buffer[at : min(at + length, at + INLINE)])
        if entry.kind in _DATA:
            if length <= INLINE and not unpack(span.head, entry.typecode)[1]:
                self._note("malformed", offset, length, f"{entry.name}: packed numbers that do not end with the field")
            self._skip(offset, length)
            self._extend(frame, entry, span)
            return 1
        self._budget.take_objects(length >> 4)
        values, whole = unpack(span.read(length), entry.typecode)
        if not whole:
            self._note("malformed", offset, length, f"{entry.name}: packed numbers that do not end with the field")
        self._at = at
        self._skip(offset, length)
        self._extend(frame, entry, values)
        return len(values)

    def _extend(self, frame: _Frame, entry: _Entry, values: "array[Any] | Span") -> None:
        known = getattr(frame.value, entry.name)
        if entry.kind in _DATA:
            if not known:
                known = Numbers(entry.typecode)
                setattr(frame.value, entry.name, known)
            known.append(values)
        elif known:
            known.extend(values)
        else:
            setattr(frame.value, entry.name, values)

    # What is in no schema

    def _unknown(self, frame: _Frame, tag: int, start: int) -> None:
        """A field without entry; `_at` stands behind its tag."""
        number, wire = tag >> 3, tag & 7
        base = self._base
        offset = base + start
        end = self._end_of(number, wire, frame)
        if end is None:
            detail = "a group ends that did not begin" if wire == _GROUP_END else f"field {number} of wire type {wire}"
            self._note("malformed", offset, frame.end - offset, detail)
            if len(self._frames) == 1:
                self.end = frame.end = offset
            self._move(frame.end)
            return
        self._budget.take_objects(2)
        length = min(end, frame.end) - offset
        name = frame.type.numbers.get(number)
        if end > frame.end:
            self._note("truncated", offset, length, f"field {number}")
        if name is not None:
            self._note("wire-type", offset, length, f"{name} with wire type {wire}")
        elif wire != _GROUP:
            self._note("unknown-field", offset, length, f"field {number}")
        self.unknown_bytes += length
        self._move(min(end, frame.end))

    def _move(self, offset: int) -> None:
        """Go on at a byte of the source."""
        at = offset - self._base
        if 0 <= at <= self._safe:
            self._at = at
        else:
            self._load(offset)

    def _end_of(self, number: int, wire: int, frame: _Frame) -> int | None:
        """The first byte behind the value at `_at`; None where there can be no value."""
        if not 0 < number < 1 << 29:
            return None
        match wire:
            case 0:
                return self._base + self._varint(self._buffer, self._at)[1]
            case 1:
                return self._base + self._at + 8
            case 2:
                length, at = self._narrow(self._buffer, self._at, 10)
                return self._base + at + length
            case 3:
                return self._end_of_group(number, frame)
            case 5:
                return self._base + self._at + 4
        return None

    def _end_of_group(self, number: int, frame: _Frame) -> int | None:
        start = self._base + self._at
        self._note("group", start - 1, 1, f"field {number}")
        open_groups = [number]
        while open_groups:
            if self._base + self._at >= frame.end:
                return None
            if self._at > self._safe:
                self._load(self._base + self._at)
            self._budget.take_objects(1)
            tag, self._at = self._varint(self._buffer, self._at)
            number, wire = tag >> 3, tag & 7
            if wire == _GROUP:
                open_groups.append(number)
            elif wire == _GROUP_END:
                if number != open_groups.pop():
                    return None
            else:
                end = self._end_of(number, wire, frame)
                if end is None:
                    return None
                self._move(min(end, frame.end))
        return self._base + self._at


def unpack(data: bytes, typecode: str) -> tuple["array[Any]", bool]:
    """Packed numbers, and whether the last of them was whole."""
    if typecode in "fd":
        width = 4 if typecode == "f" else 8
        count = len(data) // width
        return array(typecode, struct.unpack_from(f"<{count}{typecode}", data)), count * width == len(data)
    values = array(typecode)
    append = values.append
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        if byte < 128:
            append(_signed(number & 0xFFFFFFFFFFFFFFFF, typecode))
            number = shift = 0
        else:
            shift += 7
            if shift > 63:
                return values, False
    return values, not shift


def _signed(number: int, typecode: str) -> int:
    if typecode == "q":
        return number - (1 << 64) if number >> 63 else number
    if typecode == "i":
        number &= 0xFFFFFFFF
        return number - (1 << 32) if number >> 31 else number
    return number if typecode == "Q" else int(number != 0)


def _clear(value: object, entry: _Entry) -> None:
    for name in entry.clears:
        setattr(value, name, None)


def visible_number(raw: bytes) -> str:
    """The first bytes in hexadecimal."""
    return raw[:16].hex()
