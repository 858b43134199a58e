"""The 7z format: solid blocks decoded in order, and their members handed on.

Read here with Python's own decoders: LZMA, LZMA2, Deflate, bzip2, stored, with the filters Delta and BCJ in front of
LZMA; Zstandard with the extra [formats]. What else 7-Zip writes on request (PPMd, Deflate64, BCJ2, AES) is a named gap.
The layout stands in sevenzip_header.py.
"""

import lzma
import stat
import zlib
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, BytesSource, SliceSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.core.text import visible
from modelscan_plus.formats.archives import decompress, optional
from modelscan_plus.formats.archives.decompress import DecompressedSource, Decompressor, Opener, Sized, Stream
from modelscan_plus.formats.archives.facts import Problems
from modelscan_plus.formats.archives.names import leads_out, link_leads_out
from modelscan_plus.formats.archives.sevenzip_header import (
    SIGNATURE,
    START,
    Coder,
    Contents,
    Folder,
    Malformed,
    Name,
    Streams,
    read_header,
    read_start,
)
from modelscan_plus.formats.interface import Format, Parsed, Region, View

_MAX_HEADER = 64 << 20
_KEPT = 24 << 20
"""Bytes up to which a member is taken out of its block at once; larger ones are decoded again for each step back."""
_COPY, _LZMA, _LZMA2, _DELTA = b"\0", b"\3\1\1", b"\x21", b"\3"
_DEFLATE, _BZIP2, _ZSTD, _AES = b"\4\1\x08", b"\4\2\2", b"\4\xf7\x11\1", b"\6\xf1\7\1"
_BRANCH = {
    b"\3\3\1\3": lzma.FILTER_X86, b"\4": lzma.FILTER_X86, b"\3\3\2\5": lzma.FILTER_POWERPC, b"\5": lzma.FILTER_POWERPC,
    b"\3\3\4\1": lzma.FILTER_IA64, b"\6": lzma.FILTER_IA64, b"\3\3\5\1": lzma.FILTER_ARM, b"\7": lzma.FILTER_ARM,
    b"\3\3\7\1": lzma.FILTER_ARMTHUMB, b"\x08": lzma.FILTER_ARMTHUMB, b"\3\3\x08\5": lzma.FILTER_SPARC,
    b"\x09": lzma.FILTER_SPARC,
}  # fmt: skip
_NAMES = {
    b"\3\4\1": "PPMd", b"\4\1\x09": "Deflate64", b"\3\3\1\x1b": "BCJ2", b"\x0a": "ARM64", b"\4\xf7\x11\2": "Brotli",
    b"\4\xf7\x11\4": "LZ4", b"\4\xf7\x11\5": "LZ5", _LZMA: "LZMA", _LZMA2: "LZMA2",
}  # fmt: skip


class _Block(msgspec.Struct):
    """One folder with the place of its packed data and the names of its members."""

    folder: Folder
    start: int
    length: int
    names: list[Name]


class _Walk(msgspec.Struct):
    """One archive while it is taken apart."""

    artifact: Artifact
    budget: Budget
    problems: Problems
    late: Problems = msgspec.field(default_factory=Problems)
    gaps: list[CoverageReason] = msgspec.field(default_factory=list)
    late_gaps: list[CoverageReason] = msgspec.field(default_factory=list)
    regions: list[Region] = msgspec.field(default_factory=list)


class SevenZipFormat(Format):
    """7z archives."""

    name = "7z"
    title = "7z archive"
    extensions = (".7z",)
    executable = True
    description = (
        "Every member, out of solid blocks too. LZMA, LZMA2, bzip2, Deflate and stored blocks are read, with the "
        "filters Delta and BCJ; Zstandard with the extra `formats`. PPMd, Deflate64, BCJ2 and encrypted archives are "
        "reported as gaps. Checksums are compared for members up to 24 MiB."
    )

    def claims(self, view: View) -> bool:
        return view.head.startswith(SIGNATURE) and read_start(view.head) is not None

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        walk = _Walk(artifact, budget, Problems())
        try:
            contents = _read(walk)
        except Malformed as fault:
            walk.problems.add("directory", f"its header cannot be read: {fault}", 0)
            walk.gaps.append(CoverageReason("malformed", f"7z: {fault}", True))
            contents = None
        if contents is None:
            everything = Region(0, artifact.source.size, "structure")
            yield Parsed(walk.problems.facts(), (everything,), gaps=tuple(walk.gaps))
            return
        blocks = _blocks(walk, contents)
        _judge_names(walk, contents.names, blocks)
        yield Parsed(walk.problems.facts(), tuple(walk.regions), gaps=tuple(walk.gaps))
        yield Parsed(nested=_nested(walk, blocks))
        yield Parsed(walk.late.facts(), gaps=tuple(walk.late_gaps))


def _read(walk: _Walk) -> Contents | None:
    """The contents, or None where the reason why not stands in the gaps."""
    source = walk.artifact.source
    start = read_start(source.pread(0, START.size))
    if start is None:
        raise Malformed("no start header")
    offset, size, crc, sound = start
    walk.regions.append(Region(0, START.size, "structure"))
    if not sound:
        walk.problems.add("directory", "the checksum of the start header is wrong", 8)
    if size == 0:
        return Contents(Streams(), [])
    if size > _MAX_HEADER:
        raise Malformed(f"a header of {size:,} bytes")
    data = source.read_exact(offset, size)
    if data is None:
        raise Malformed("the archive ends before its header, which stands at the end")
    if zlib.crc32(data) != crc:
        walk.problems.add("directory", "the checksum of the header is wrong", offset)
    walk.regions.append(Region(offset, size, "structure"))
    locked: list[CoverageReason] = []
    try:
        return read_header(data, lambda streams: _unpacked(walk, streams, locked), walk.budget.take_entries)
    except _Unreadable:
        walk.gaps += locked
        if locked and locked[0].code == "encrypted":
            walk.problems.add("encrypted", "its list of members is encrypted", offset)
        return None


class _Unreadable(Exception):
    """The header is packed in a way that is not read here."""


def _unpacked(walk: _Walk, streams: Streams, locked: list[CoverageReason]) -> bytes:
    if len(streams.folders) != 1 or not streams.packed:
        raise Malformed("a packed header of more than one block")
    folder = streams.folders[0]
    if folder.size > _MAX_HEADER:
        raise Malformed(f"a packed header of {folder.size:,} bytes")
    block = _Block(folder, streams.position, streams.packed[0], [])
    walk.regions.append(Region(block.start, block.length, "structure"))
    made = _output(walk, block, "the header")
    if isinstance(made, CoverageReason):
        locked.append(made)
        raise _Unreadable
    data = made.pread(0, folder.size)
    if len(data) < folder.size:
        raise Malformed("its packed header is damaged")
    return data


def _blocks(walk: _Walk, contents: Contents) -> list[_Block]:
    """Each folder with its packed data and its share of the names."""
    streams = contents.streams
    with_data = [name for name in contents.names if name.has_data]
    position, packed = streams.position, iter(streams.packed)
    blocks: list[_Block] = []
    for folder in streams.folders:
        lengths = [length for length, _ in zip(packed, folder.packed, strict=False)]
        count = len(folder.members)
        names, with_data = with_data[:count], with_data[count:]
        if len(names) < count:
            walk.problems.add("directory", "there are more streams than names", 0)
            names += [Name(f"#{number}", True, False, 0) for number in range(len(names), count)]
        if len(lengths) < len(folder.packed):
            walk.gaps.append(CoverageReason("malformed", "7z: a block without packed data", True))
        length = sum(lengths)
        blocks.append(_Block(folder, position, length, names))
        walk.regions.append(Region(position, min(length, max(0, walk.artifact.source.size - position)), "nested"))
        if position + length > walk.artifact.source.size:
            walk.problems.add("outside", "a block's data runs past the end of the archive", position)
        position += length
    if with_data:
        walk.problems.add("directory", "there are more names than streams", 0, with_data[0].name)
        walk.gaps.append(CoverageReason("malformed", f"7z: no data for {visible(with_data[0].name)}", True))
    return blocks


def _judge_names(walk: _Walk, names: list[Name], blocks: list[_Block]) -> None:
    for name in names:
        outside = leads_out(name.name)
        if outside is not None:
            walk.problems.add("leaves", outside, 0, name.name)
    seen: dict[str, tuple[int, int | None]] = {}
    for block in blocks:
        for name, content in zip(block.names, block.folder.members, strict=True):
            if seen.setdefault(name.name, content) != content:
                first, last = (f"{size:,} bytes, CRC-32 {crc or 0:08x}" for size, crc in (seen[name.name], content))
                text = "members of different content share this name"
                walk.problems.add("duplicate", text, 0, name.name, ("first", first, "last", last))


def _nested(walk: _Walk, blocks: list[_Block]) -> Iterator[Artifact]:
    for block in blocks:
        if not block.names:
            continue
        made = _output(walk, block, block.names[0].name)
        if isinstance(made, CoverageReason):
            more = f" and {len(block.names) - 1:,} more members" if len(block.names) > 1 else ""
            walk.late_gaps.append(CoverageReason(made.code, made.message + more, True))
            if made.code == "encrypted":
                walk.late.add("encrypted", "it is encrypted", block.start, block.names[0].name)
            continue
        yield from _members(walk, block, made)


def _members(walk: _Walk, block: _Block, output: ByteSource) -> Iterator[Artifact]:
    """The members of a block in order, so that it is decoded once unless a member is too large to keep."""
    offset = 0
    for name, (size, crc) in zip(block.names, block.folder.members, strict=True):
        if size > _KEPT:
            yield walk.artifact.member(name.name, SliceSource(output, offset, size))
            offset += size
            continue
        try:
            data = output.pread(offset, size)
        except BudgetExceeded:
            kept = output.prefix()[offset : offset + size] if isinstance(output, DecompressedSource) else b""
            yield walk.artifact.member(name.name, BytesSource(kept))
            raise
        if len(data) < size:
            fault = output.fault if isinstance(output, DecompressedSource) else "its data is cut off"
            walk.late.add("corrupt", fault or "its data ends too early", block.start, name.name)
            walk.late_gaps.append(CoverageReason("malformed", f"{visible(name.name)}: its data ends too early", True))
        elif crc is not None and zlib.crc32(data) != crc:
            accounts = ("header", f"{crc:08x}", "data", f"{zlib.crc32(data):08x}")
            walk.late.add("checksum", "its CRC-32 does not fit its data", block.start, name.name, accounts)
        link = stat.S_ISLNK(name.mode)
        if link and link_leads_out(name.name, data[:4096].decode("utf-8", "surrogateescape")):
            walk.late.add("leaves", "it is a link that leads out of the archive's folder", block.start, name.name)
        # Of a stored block, the member's own place: what else is claimed about those bytes is about the member.
        stored = isinstance(output, SliceSource) and output.parent is walk.artifact.source
        made = SliceSource(walk.artifact.source, block.start + offset, size) if stored else BytesSource(data)
        yield walk.artifact.member(name.name, made, payload=link)
        offset += size


def _output(walk: _Walk, block: _Block, name: str) -> ByteSource | CoverageReason:
    """The decoded block, or why there is none."""
    folder, source = block.folder, walk.artifact.source
    opener = _opener(folder, name)
    if isinstance(opener, CoverageReason):
        return opener
    start, end = block.start, block.start + block.length
    if opener is None:
        return SliceSource(source, start, min(block.length, folder.size))
    return DecompressedSource(lambda: Stream(source, walk.budget, opener, start=start, end=end), folder.size)


def _opener(folder: Folder, name: str) -> Opener | CoverageReason | None:
    """How to decode a block; None for a stored one."""

    def gap(code: str, why: str) -> CoverageReason:
        return CoverageReason(code, f"{visible(name)}: {why}", executable=True)

    if any(coder.codec == _AES for coder in folder.coders):
        return gap("encrypted", "it is encrypted; nobody without the password knows what it is")
    chain = _chain(folder)
    if chain is None:
        known = next((_NAMES[coder.codec] for coder in folder.coders if coder.inputs > 1 and coder.codec in _NAMES), "")
        return gap("unsupported", f"its way of packing{f', {known},' if known else ''} is not supported")
    steps = [coder for coder in chain if coder.codec != _COPY]
    if not steps:
        return None
    size = folder.size
    if len(steps) == 1 and steps[0].codec == _ZSTD and (absent := optional.missing("Zstandard")):
        return gap("missing-extra", absent)
    simple = {_DEFLATE: decompress.raw_deflate, _BZIP2: decompress.bzip2_stream, _ZSTD: optional.zstd_frame}
    if len(steps) == 1 and steps[0].codec in simple:
        inner = simple[steps[0].codec]
        return lambda: Sized(inner(), size)
    filters = [_filter(coder) for coder in steps]
    if all(filters) and steps[-1].codec in (_LZMA, _LZMA2):
        settings = [one for one in filters if one]
        try:
            _raw(settings)
        except (ValueError, lzma.LZMAError):
            return gap("unsupported", "its LZMA settings are not valid")
        return lambda: Sized(_raw(settings), size)
    known = ", ".join(_NAMES.get(coder.codec, coder.codec.hex()) for coder in steps)
    return gap("unsupported", f"its way of packing, {known}, is not supported")


def _raw(filters: list[dict[str, int]]) -> Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


def _chain(folder: Folder) -> list[Coder] | None:
    """The coders from the output to the one packed stream, None where they are no simple chain."""
    if any(coder.inputs != 1 or coder.outputs != 1 for coder in folder.coders) or len(folder.packed) != 1:
        return None
    feeds = dict(folder.binds)
    number, chain = folder.main, [folder.coders[folder.main]]
    while number in feeds and len(chain) < len(folder.coders):
        number = feeds[number]
        chain.append(folder.coders[number])
    return chain if len(chain) == len(folder.coders) and number == folder.packed[0] else None


def _filter(coder: Coder) -> dict[str, int] | None:
    """The coder as a filter of Python's lzma, None where it is none."""
    properties = coder.properties
    if coder.codec in _BRANCH:
        return {"id": _BRANCH[coder.codec]}
    if coder.codec == _DELTA:
        return {"id": lzma.FILTER_DELTA, "dist": properties[0] + 1} if len(properties) == 1 else None
    if coder.codec == _LZMA2 and len(properties) == 1 and properties[0] <= 40:
        bits = properties[0]
        size = 0xFFFFFFFF if bits == 40 else (2 | bits & 1) << (bits // 2 + 11)
        return {"id": lzma.FILTER_LZMA2, "dict_size": decompress.dictionary(size)}
    if coder.codec == _LZMA and len(properties) == 5:
        return decompress.lzma1_filter(properties)
    return None
