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

import msgspec

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
_NEWEST_VERSION = 63
"""Ten times the version of the specification up to which CPython reads."""


class End(msgspec.Struct, frozen=True):
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


class Entry(msgspec.Struct, frozen=True):
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
    """Every reading of the end records in the last 64 KiB, the one that most readers take first."""
    base = max(0, source.size - TAIL)
    tail = source.pread(base, TAIL)
    found: list[End] = []
    at, records = len(tail), 0
    while (at := tail.rfind(END_SIGNATURE, 0, at)) >= 0 and records < _MAX_RECORDS:
        if at + END.size <= len(tail):
            records += 1
            found += _ends_at(source, base + at, tail[at : at + END.size], problems if not found else Problems())
    return found


def _ends_at(source: ByteSource, position: int, record: bytes, problems: Problems) -> list[End]:
    """The readings of one end record: where the directory is, and what is added to the offsets in it."""
    _, _, _, _, entries, size, offset, comment = END.unpack(record)
    stop = min(source.size, position + END.size + comment)
    accounts = [(position, (entries, size, offset))]
    large = _zip64(source, position, problems)
    for before, more in large:
        saturated = entries == _FULL16 or _FULL32 in (size, offset)
        if not saturated and more != (entries, size, offset):
            labels = ("end record", f"{entries}, {size}, {offset}", "ZIP64 record", "{}, {}, {}".format(*more))
            problems.add(
                "end-records", "the end record and the ZIP64 record describe two directories", position, "", labels
            )
        accounts.insert(len(accounts) - 1, (before, more))
    found: dict[tuple[int, int], End] = {}
    for before, (count, length, start) in accounts:
        # By its size in front of the end record, as CPython takes it, or at its offset; the entries' offsets then
        # count from where the archive begins, or from the beginning of the file.
        shift = before - length - start
        places = [(start + shift, shift), (start, 0), (start + shift, 0)]
        if not start + length <= source.size or shift < 0:
            places = [(start, 0)]
        for place, added in places:
            if length == 0 or source.pread(place, 4) == _ENTRY_SIGNATURE:
                found.setdefault((place, added), End(position, place, length, count, added, stop))
    return list(found.values())


_ENTRY_SIGNATURE = b"PK\1\2"
_MAX_RECORDS = 8


def _zip64(source: ByteSource, position: int, problems: Problems) -> list[tuple[int, tuple[int, int, int]]]:
    """Where ZIP64 records begin and their (entries, size, offset): right before the locator, and where it points."""
    locator = source.read_exact(position - _LOCATOR.size, _LOCATOR.size)
    if locator is None or not locator.startswith(b"PK\6\7"):
        return []
    _, _, pointed, _ = _LOCATOR.unpack(locator)
    before = position - _LOCATOR.size - _RECORD.size
    found = []
    for place in dict.fromkeys((before, pointed)):
        record = source.read_exact(place, _RECORD.size)
        if record is not None and record.startswith(b"PK\6\6"):
            values = _RECORD.unpack(record)
            found.append((place, (values[7], values[8], values[9])))
    if len(found) > 1:
        accounts = ("before its locator", f"byte {before}", "where the locator points", f"byte {pointed}")
        problems.add("end-records", "there are two ZIP64 records", position, "", accounts)
    return found


def read_entries(source: ByteSource, end: End, budget: Budget, problems: Problems) -> list[Entry]:
    """All entries of the directory, walked by its size as CPython does, then on to the number that the record counts.

    Raises `BudgetExceeded` for too many.
    """
    entries: list[Entry] = []
    position, stop = end.start, end.start + end.size
    data, base, beyond = b"", position, 0
    while position < stop or len(entries) < end.entries:
        if position + _ENTRY.size + 3 * _FULL16 > base + len(data) and base + len(data) < source.size:
            data, base = source.pread(position, 1 << 20), position
        at = position - base
        if len(data) - at < _ENTRY.size or data[at : at + 4] != _ENTRY_SIGNATURE:
            if position < stop:
                problems.add("directory", "the central directory breaks off before its end", position)
            break
        fields = _ENTRY.unpack_from(data, at)
        name_length, extra_length, comment_length = fields[10:13]
        name = data[at + _ENTRY.size : at + _ENTRY.size + name_length]
        extra = data[at + _ENTRY.size + name_length : at + _ENTRY.size + name_length + extra_length]
        budget.take_entries(1)
        entries.append(_entry(fields, name, extra, position, end.shift, problems))
        beyond += position >= stop
        position += _ENTRY.size + name_length + extra_length + comment_length
        if position > stop and not beyond:
            problems.add("directory", "an entry runs past the end of the central directory", position)
    if beyond or end.entries not in (len(entries), len(entries) & _FULL16):
        accounts = ("end record", f"{end.entries} entries", "directory", f"{len(entries) - beyond} entries")
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
    if fields[2] & 0xFF > _NEWEST_VERSION:
        text = f"it asks for version {(fields[2] & 0xFF) / 10}, at which some readers stop and others do not look"
        problems.add("version", text, position, shown)
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
