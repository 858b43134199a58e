"""The central directory of a zip: end records, ZIP64, entries.

Layout (PKWARE APPNOTE 6.3; little endian): at the end of the file the end record
`PK\\5\\6, u16 disk, u16 disk of directory, u16 entries here, u16 entries, u32 size, u32 offset, u16 comment length`;
for ZIP64 before it the locator `PK\\6\\7, u32 disk, u64 offset of the record, u32 disks` and the record
`PK\\6\\6, u64 size of the rest, …, u64 entries, u64 size, u64 offset`. Each entry is 46 bytes, name, extra, comment.

CPython's zipfile takes the last end record, expects the ZIP64 record right before its locator, walks the directory by
its size and shifts all offsets by what stands before the archive. Others go by the count, follow the locator's offset
or do not shift. Where these would not give the same, that is a problem.
"""

import struct
from dataclasses import dataclass

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.archives.facts import Problems
from modelscan_plus.formats.interface import TAIL

END_SIGNATURE = b"PK\5\6"
END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_RECORD = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
UTF8 = 0x800


@dataclass(frozen=True, slots=True)
class End:
    """One end record, with ZIP64 taken into account."""

    position: int
    """Of its signature."""
    start: int
    """First byte of the central directory, in the file."""
    size: int
    entries: int
    shift: int
    """What must be added to every offset in the directory."""
    stop: int
    """Behind the comment."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as the central directory describes it."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    """Of the local header, in the file."""
    mode: int
    """Unix mode bits, 0 where the archive was not made on Unix."""
    position: int
    """Of the directory entry itself."""


def find_ends(source: ByteSource, problems: Problems) -> list[End]:
    """The end records in the last 64 KiB, the one that most readers take first."""
    base = max(0, source.size - TAIL)
    tail = source.pread(base, TAIL)
    found: list[End] = []
    at = len(tail)
    while (at := tail.rfind(END_SIGNATURE, 0, at)) >= 0 and len(found) < 8:
        if at + END.size <= len(tail):
            end = _end_at(source, base + at, tail[at : at + END.size], problems if not found else Problems())
            if end is not None:
                found.append(end)
    return found


def _end_at(source: ByteSource, position: int, record: bytes, problems: Problems) -> End | None:
    _, _, _, _, entries, size, offset, comment = END.unpack(record)
    before = position
    large = _zip64(source, position, problems)
    if large is not None:
        before, more = large
        saturated = entries == _FULL16 or _FULL32 in (size, offset)
        if not saturated and more != (entries, size, offset):
            accounts = ("end record", f"{entries}, {size}, {offset}", "ZIP64 record", "{}, {}, {}".format(*more))
            problems.add(
                "end-records", "the end record and the ZIP64 record describe two directories", position, "", accounts
            )
        entries, size, offset = more
    shift = before - size - offset
    if size > before or shift < 0:
        # Not where it should be; readers that go by the offset alone may still find it there.
        if offset + size > source.size or source.pread(offset, 4) != _ENTRY_SIGNATURE:
            return None
        shift = 0
    return End(position, offset + shift, size, entries, shift, min(source.size, position + END.size + comment))


_ENTRY_SIGNATURE = b"PK\1\2"


def _zip64(source: ByteSource, position: int, problems: Problems) -> tuple[int, tuple[int, int, int]] | None:
    """Where the ZIP64 record begins, and its (entries, size, offset); None when there is none."""
    locator = source.read_exact(position - _LOCATOR.size, _LOCATOR.size)
    if locator is None or not locator.startswith(b"PK\6\7"):
        return None
    _, _, pointed, _ = _LOCATOR.unpack(locator)
    before = position - _LOCATOR.size - _RECORD.size
    for place in dict.fromkeys((before, pointed)):
        record = source.read_exact(place, _RECORD.size)
        if record is not None and record.startswith(b"PK\6\6"):
            values = _RECORD.unpack(record)
            if pointed != place and source.pread(pointed, 4) == b"PK\6\6":
                accounts = ("before its locator", f"byte {place}", "where the locator points", f"byte {pointed}")
                problems.add("end-records", "there are two ZIP64 records", position, "", accounts)
            return place, (values[7], values[8], values[9])
    return None


def read_entries(source: ByteSource, end: End, budget: Budget, problems: Problems) -> list[Entry]:
    """All entries of the directory, walked by its size as CPython does; raises `BudgetExceeded` for too many."""
    entries: list[Entry] = []
    position, stop = end.start, end.start + end.size
    data, base = b"", position
    while position + _ENTRY.size <= stop:
        if position + _ENTRY.size + 3 * _FULL16 > base + len(data) and base + len(data) < stop:
            data, base = source.pread(position, min(1 << 20, stop - position)), position
        at = position - base
        if len(data) - at < _ENTRY.size or data[at : at + 4] != _ENTRY_SIGNATURE:
            problems.add("directory", "the central directory breaks off before its end", position)
            break
        fields = _ENTRY.unpack_from(data, at)
        name_length, extra_length, comment_length = fields[10:13]
        length = _ENTRY.size + name_length + extra_length + comment_length
        if position + length > stop:
            problems.add("directory", "an entry runs past the end of the central directory", position)
            break
        name = data[at + _ENTRY.size : at + _ENTRY.size + name_length]
        extra = data[at + _ENTRY.size + name_length : at + _ENTRY.size + name_length + extra_length]
        budget.take_entries(1)
        entries.append(_entry(fields, name, extra, position, end.shift, problems))
        position += length
    if end.entries not in (len(entries), len(entries) & _FULL16):
        accounts = ("end record", f"{end.entries} entries", "directory", f"{len(entries)} entries")
        problems.add(
            "entry-count", "the end record counts other entries than the directory has", end.position, "", accounts
        )
    return entries


def _entry(fields: tuple[int, ...], name: bytes, extra: bytes, position: int, shift: int, problems: Problems) -> Entry:
    flags, method, crc, compressed, size = fields[3], fields[4], fields[7], fields[8], fields[9]
    offset, system, attributes = fields[16], fields[1] >> 8, fields[15]
    large = iter(_zip64_values(extra))
    size = next(large, size) if size == _FULL32 else size
    compressed = next(large, compressed) if compressed == _FULL32 else compressed
    offset = next(large, offset) if offset == _FULL32 else offset
    shown = decode_name(name, flags)
    other = _unicode_path(extra)
    if other is not None and other != shown:
        problems.add(
            "names", "the entry has a second name for readers that look for it", position, shown,
            ("entry", shown, "Unicode path extra field", other),
        )  # fmt: skip
    if b"\0" in name:
        accounts = ("whole name", shown, "up to the zero byte", decode_name(name.split(b"\0")[0], flags))
        problems.add("names", "the name holds a zero byte, where some readers end it", position, shown, accounts)
    return Entry(
        name=shown,
        raw_name=name,
        flags=flags,
        method=method,
        crc=crc,
        compressed=compressed,
        size=size,
        offset=offset + shift,
        mode=attributes >> 16 if system in (3, 19) else 0,
        position=position,
    )


def decode_name(name: bytes, flags: int) -> str:
    """As zip readers do: UTF-8 when the flag says so (bad bytes kept as surrogates), else code page 437."""
    return name.decode("utf-8", "surrogateescape") if flags & UTF8 else name.decode("cp437")


def _extras(extra: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        found.append((kind, extra[at + 4 : at + 4 + length]))
        at += 4 + length
    return found


def _zip64_values(extra: bytes) -> tuple[int, ...]:
    body = next((body for kind, body in _extras(extra) if kind == 1), b"")
    count = min(3, len(body) // 8)
    return struct.unpack_from(f"<{count}Q", body)


def zip64_sizes(extra: bytes) -> tuple[int, ...]:
    """The 64-bit sizes in the extra field of a local header: (uncompressed, compressed), or nothing."""
    return _zip64_values(extra)[:2]


def _unicode_path(extra: bytes) -> str | None:
    body = next((body for kind, body in _extras(extra) if kind == 0x7075 and len(body) > 5), None)
    return None if body is None else body[5:].decode("utf-8", "surrogateescape")
