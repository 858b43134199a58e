"""The members of a zip: local headers, held against the central directory, and where each one's bytes stand.

Local header (little endian, 30 bytes, then name and extra): `PK\\3\\4, u16 version, u16 flags, u16 method, u16 time,
u16 date, u32 crc, u32 compressed, u32 size, u16 name length, u16 extra length`. With flag bit 3 the three numbers may
be zero here and follow the data: `[PK\\7\\8] u32 crc, u32/u64 compressed, u32/u64 size`.
"""

import struct
from collections.abc import Callable

import msgspec

from modelscan_plus.core.bytesource import SEARCHED, ByteSource, BytesSource, SliceSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.archives import decompress, optional
from modelscan_plus.formats.archives.decompress import DecompressedSource, Opener, Stream
from modelscan_plus.formats.archives.directory import Entry, decode_name, zip64_sizes
from modelscan_plus.formats.archives.facts import Problems

SIGNATURE = b"PK\3\4"
HEADER = struct.Struct("<4s5H3L2H")
_DESCRIPTOR = b"PK\7\x08"
ENCRYPTED, END_MARKER, HAS_DESCRIPTOR = 1, 2, 8
"""Flag bits; the second says that an LZMA stream ends by itself."""
_FULL32 = 0xFFFFFFFF
STORED, DEFLATED, BZIP2, LZMA, ZSTANDARD, XZ = 0, 8, 12, 14, 93, 95
_METHODS = {9: "Deflate64", 94: "MP3", 96: "JPEG", 97: "WavPack", 98: "PPMd", 99: "AES"}


class Local(msgspec.Struct, frozen=True):
    """A local header."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    data: int
    """Offset of the first byte of the member's data."""


class Member(msgspec.Struct, frozen=True):
    """A member with its data."""

    name: str
    start: int
    """Of its local header."""
    data: int
    stop: int
    """Behind its data and data descriptor."""
    source: ByteSource
    crc: int | None
    """What the archive says; None when it is not known."""
    ends: int | None = None
    """Where the directory says that the compressed data ends, for data that says it itself."""


def read_local(source: ByteSource, offset: int) -> Local | None:
    """The local header at `offset`, or None when none stands there."""
    header = source.read_exact(offset, HEADER.size)
    if header is None or not header.startswith(SIGNATURE):
        return None
    _, _, flags, method, _, _, crc, compressed, size, name_length, extra_length = HEADER.unpack(header)
    rest = source.read_exact(offset + HEADER.size, name_length + extra_length)
    if rest is None:
        return None
    name, large = rest[:name_length], zip64_sizes(rest[name_length:])
    if len(large) == 2:
        size = large[0] if size == _FULL32 else size
        compressed = large[1] if compressed == _FULL32 else compressed
    data = offset + HEADER.size + name_length + extra_length
    return Local(decode_name(name, flags), name, flags, method, crc, compressed, size, data)


def compare(entry: Entry, local: Local, problems: Problems) -> None:
    """Note where the local header tells another story than the directory."""
    pairs = [("encrypted", entry.flags & ENCRYPTED, local.flags & ENCRYPTED), ("method", entry.method, local.method)]
    # With a data descriptor a header that is written before the data is known holds zeros, or 0xFFFFFFFF in ZIP64.
    streamed = bool(local.flags & HAS_DESCRIPTOR)
    for what, central, here in (
        ("CRC-32", entry.crc, local.crc),
        ("compressed size", entry.compressed, local.compressed),
        ("size", entry.size, local.size),
    ):
        if not (streamed and here in (0, _FULL32)):
            pairs.append((what, central, here))
    if entry.raw_name != local.raw_name:
        accounts = ("central directory", entry.name, "local header", local.name)
        problems.add("names", "its local header has another name", entry.offset, entry.name, accounts)
    for what, central, here in pairs:
        if central != here:
            accounts = ("central directory", f"{what} {central:,}", "local header", f"{what} {here:,}")
            problems.add("headers", f"its local header has another {what}", entry.offset, entry.name, accounts)


def fills(entry: Entry, following: int) -> bool:
    """True when nothing but the stored member fits between its local header and `following`, as writers lay it out.

    The local header's extra field is empty, or PyTorch's: it brings the data to a multiple of 64, with or without the
    ZIP64 sizes. Behind the data stands a descriptor of one of the known lengths, or none.
    """
    if entry.method != STORED or entry.compressed != entry.size or entry.flags & ENCRYPTED:
        return False
    start = entry.offset + HEADER.size + len(entry.raw_name)
    extras = {0, *(-(start + large + 4) % 64 + large + 4 for large in (0, 20, 28))}
    room = following - start - entry.size
    return any(room == extra + descriptor for extra in extras for descriptor in (0, 12, 16, 20, 24))


def opener_of(source: ByteSource, method: int, data: int, size: int | None) -> tuple[Opener, int] | CoverageReason:
    """How to decompress, and bytes of method data before it; or why that is not possible.

    `size` is that of the output, where it is known and the data has no end marker of its own.
    """
    if method == DEFLATED:
        return decompress.raw_deflate, 0
    if method == BZIP2:
        return decompress.bzip2_stream, 0
    if method == XZ:
        return decompress.xz_stream, 0
    if method == ZSTANDARD:
        absent = optional.missing("Zstandard")
        return CoverageReason("missing-extra", absent, True) if absent else (optional.zstd_frame, 0)
    if method == LZMA:
        header = source.pread(data, 9)
        opener = decompress.lzma_raw(header[4:9], size) if len(header) == 9 and header[2:4] == b"\5\0" else None
        if opener is not None:
            return opener, 9
        return CoverageReason("unsupported", "its LZMA settings are not valid", True)
    return CoverageReason("unsupported", f"its compression, {_METHODS.get(method, method)}, is not supported", True)


def readings(
    source: ByteSource, entry: Entry, local: Local, budget: Budget, problems: Problems
) -> tuple[list[Member], list[CoverageReason]]:
    """The member with its data as the directory describes it, and as others read it where that is not the same.

    The reasons say why a reading is not there, or may not be the whole truth.
    """
    data, gaps = local.data, []
    if data + entry.compressed > source.size:
        problems.add("outside", "its data runs past the end of the archive", entry.offset, entry.name)
    stop = min(source.size, data + entry.compressed)
    if local.flags & HAS_DESCRIPTOR or entry.flags & HAS_DESCRIPTOR:
        stop += _descriptor_length(source, stop, entry)
    if (entry.flags | local.flags) & ENCRYPTED:
        # Some readers ignore the flag, so what stands there is also read as if it were not encrypted.
        problems.add("encrypted", "it is encrypted", entry.offset, entry.name)
        why = "it is encrypted; nobody without the password knows what it is"
        gaps.append(CoverageReason("encrypted", why, True))
    if entry.method == STORED and entry.compressed != entry.size:
        accounts = ("stored", f"{entry.compressed:,} bytes", "size", f"{entry.size:,} bytes")
        problems.add("sizes", "it is stored, but has two sizes", entry.offset, entry.name, accounts)
    found: list[Member] = []
    for method in dict.fromkeys((entry.method, local.method)):
        if method == STORED:
            lengths: tuple[int, ...] = (entry.compressed, entry.size, local.compressed, local.size)
            lengths = lengths if entry.method == STORED else lengths[2:] if local.compressed else lengths
            for length in dict.fromkeys(min(length, source.size - data) for length in lengths):
                if length or not found:
                    window = SliceSource(source, data, length)
                    crc = entry.crc if length == entry.size else None
                    found.append(Member(entry.name, entry.offset, data, stop, window, crc))
            continue
        opener = opener_of(source, method, data, None if entry.flags & END_MARKER else entry.size)
        if isinstance(opener, CoverageReason):
            gaps.append(opener)
            continue
        # Compressed data says itself where it ends; readers that do not ask the directory go there.
        made = DecompressedSource(_stream(source, budget, opener[0], data + opener[1], source.size), entry.size)
        crc, ends = (entry.crc, None if method == LZMA else data + entry.compressed)
        if method != entry.method:
            crc = ends = None
        found.append(Member(entry.name, entry.offset, data, stop, made, crc, ends))
    return found, gaps


def _stream(source: ByteSource, budget: Budget, opener: Opener, start: int, end: int) -> Callable[[], Stream]:
    return lambda: Stream(source, budget, opener, start=start, end=end)


def _descriptor_length(source: ByteSource, offset: int, entry: Entry) -> int:
    """Bytes of the data descriptor at `offset`: with or without signature, 32 or 64 bits wide."""
    data = source.pread(offset, 24)
    prefix = 4 if data.startswith(_DESCRIPTOR) else 0
    for form in ("<LQQ", "<LLL"):
        size = struct.calcsize(form)
        if len(data) >= prefix + size and struct.unpack_from(form, data, prefix) == (
            entry.crc,
            entry.compressed,
            entry.size,
        ):
            return prefix + size
    return 0


def sequential(
    source: ByteSource, offset: int, stop: int, budget: Budget
) -> tuple[Member, CoverageReason | None] | None:
    """The member at `offset` as a reader sees it that goes by local headers alone; None when there is none.

    The reason says why it could not be read.
    """
    local = read_local(source, offset)
    if local is None or not local.raw_name:
        return None
    known = not (local.flags & HAS_DESCRIPTOR and local.compressed in (0, _FULL32))
    end = min(stop, local.data + local.compressed) if known else stop
    gap = CoverageReason("encrypted", "it is encrypted", True) if local.flags & ENCRYPTED else None
    if local.method == STORED:
        if not known:
            end = _next_signature(source, local.data, stop)
        source = SliceSource(source, local.data, end - local.data)
        return Member(local.name, offset, local.data, end, source, None), gap
    found = opener_of(source, local.method, local.data, local.size if known and not local.flags & END_MARKER else None)
    if isinstance(found, CoverageReason):
        if not known:
            end = _next_signature(source, local.data, stop)
        return Member(local.name, offset, local.data, end, BytesSource(b""), None), found
    opener, skip = found
    made = DecompressedSource(_stream(source, budget, opener, local.data + skip, source.size), 1 << 62)
    made.measure()
    if made.fault:
        gap = CoverageReason("malformed", made.fault, True)
    elif not known:
        end = max(local.data, made.consumed)
        behind = source.pread(end, 4)
        end += 16 if behind == _DESCRIPTOR else 0
    return Member(local.name, offset, local.data, end, made, None), gap


def _next_signature(source: ByteSource, offset: int, stop: int) -> int:
    """Where the next header or descriptor begins, at most `stop`."""
    stop = min(stop, offset + SEARCHED)
    while offset < stop:
        data = source.pread(offset, min(1 << 20, stop - offset))
        hits = [at for at in (data.find(mark) for mark in (_DESCRIPTOR, SIGNATURE, b"PK\1\2")) if at >= 0]
        if hits:
            return offset + min(hits)
        if len(data) < 4:
            break
        offset += len(data) - 3
    return stop
