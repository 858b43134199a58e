"""Tar archives: v7, ustar, pax and GNU, as CPython's tarfile reads them.

A member is a header of 512 bytes and its data, padded to 512: `name[100] mode[8] uid[8] gid[8] size[12] mtime[12]
checksum[8] type[1] linkname[100] "ustar" version[8] … prefix[155]`. Numbers are octal text or, with the first bit set,
base 256. Types L and K (GNU) and x and g (pax) hold names and sizes for the member behind them. Two blocks of zeros
end the archive; most readers do not look behind them.
"""

from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, SliceSource, end_of_zeros
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.text import visible
from modelscan_plus.formats.archives import torch_tar
from modelscan_plus.formats.archives.facts import Problems
from modelscan_plus.formats.archives.names import leads_out, link_leads_out
from modelscan_plus.formats.archives.tar_sparse import Pairs, SparseSource, old_map, pax_map
from modelscan_plus.formats.interface import Format, Parsed, Region, View

BLOCK = 512
_MAX_PAX = 1 << 20
"""Bytes of one extended header."""
_HARD_LINK, _SYMBOLIC_LINK, _FOLDER, _SPARSE = b"1", b"2", b"5", b"S"
_SPECIAL = {b"3": "a character device", b"4": "a block device", b"6": "a FIFO"}
_BATCH = 1000


class _Header(msgspec.Struct):
    """One header, with what extended headers before it said."""

    name: str
    size: int
    kind: bytes
    link: str
    start: int
    """Of the first block that belongs to it."""
    data: int
    sparse: tuple[Pairs, int] | None = None
    """Where the stored bytes belong in the file, and the file's size."""


class _Extended(msgspec.Struct):
    """What the headers of types L, K and x say about the next member."""

    name: str | None = None
    link: str | None = None
    size: int | None = None
    start: int | None = None
    sparse: list[tuple[str, str]] = msgspec.field(default_factory=list)
    """Records about a sparse member, in order."""


class _Walk(msgspec.Struct):
    """The state of one walk through an archive."""

    source: ByteSource
    budget: Budget
    problems: Problems
    gaps: list[CoverageReason] = msgspec.field(default_factory=list)
    position: int = 0


class TarFormat(Format):
    """Uncompressed tar; .tar.gz and the like are a stream with a tar inside."""

    name = "tar"
    title = "Tar archive"
    variants = ("torch-tar",)
    extensions = (".tar", ".nemo", ".pt", ".pth", ".bin")
    executable = True
    description = (
        "Every member of v7, ustar, pax and GNU archives, with long names and pax sizes as CPython's tarfile takes "
        "them. Links and names that lead out of the folder and special files are reported. Sparse members are put "
        "together. PyTorch's checkpoints of 2016 (`torch-tar`) are read with all pickles between their numbers."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and is_header(view.head[:BLOCK])

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        problems = Problems()
        walk = _Walk(artifact.source, budget, problems)
        names: set[str] = set()
        batch: list[Artifact] = []
        regions: list[Region] = []
        for header in _headers(walk):
            names.add(header.name)
            regions.append(Region(header.start, _padded(header.data + header.size) - header.start, "nested"))
            batch += _nested(artifact, header, walk)
            if len(batch) >= _BATCH:
                yield Parsed(regions=tuple(regions), nested=batch)
                batch, regions = [], []
        yield Parsed(regions=tuple(regions), nested=batch)
        variant = "torch-tar" if {"pickle", "storages", "tensors"} <= names else ""
        # Two blocks of zeros end the archive, more of them fill its last record.
        stop = end_of_zeros(artifact.source, walk.position, artifact.source.size)
        stop = stop if stop == artifact.source.size else stop // BLOCK * BLOCK
        end = Region(walk.position, stop - walk.position, "structure")
        yield Parsed(problems.facts(), (end,), gaps=tuple(walk.gaps), variant=variant)


def is_header(block: bytes) -> bool:
    """True for a header whose checksum holds."""
    if len(block) < BLOCK or not (block[0] or block[257:262] == b"ustar"):
        return False
    try:
        stated = _number(block[148:156])
    except ValueError:
        return False
    blanked = block[:148] + b" " * 8 + block[156:]
    signed = sum(blanked) - 256 * sum(byte > 127 for byte in blanked)
    return stated in (sum(blanked), signed)


def _number(text: bytes) -> int:
    """A number as it stands in a header; raises ValueError."""
    if text[0] in (0x80, 0xFF):
        return int.from_bytes(text[1:], "big") - (256 ** (len(text) - 1) if text[0] == 0xFF else 0)
    digits = text.split(b"\0", 1)[0].strip()
    return int(digits, 8) if digits else 0


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _padded(offset: int) -> int:
    return (offset + BLOCK - 1) // BLOCK * BLOCK


def _headers(walk: _Walk) -> Iterator[_Header]:
    """Every member up to the end marker, or to where CPython gives up."""
    extended = _Extended()
    while True:
        block = walk.source.pread(walk.position, BLOCK)
        if not is_header(block):
            if block.strip(b"\0"):
                walk.problems.add("header", "a header is not valid; most readers stop here", walk.position)
                walk.gaps.append(CoverageReason("malformed", f"no valid tar header at byte {walk.position:,}", True))
            return
        walk.budget.take_entries(1)
        start = walk.position if extended.start is None else extended.start
        try:
            size = _number(block[124:136])
        except ValueError:
            size = -1
        if size < 0:
            walk.problems.add("header", "a member's size is no number that it could be", walk.position)
            walk.gaps.append(
                CoverageReason("malformed", f"a tar header without a size at byte {walk.position:,}", True)
            )
            return
        kind = block[156:157]
        if kind in (b"L", b"K", b"x", b"X", b"g"):
            extended = _extend(walk, extended, kind, walk.position + BLOCK, size)
            extended.start = start
            walk.position = _padded(walk.position + BLOCK + size)
            continue
        yield _member(walk, block, extended, start, size)
        extended = _Extended()


def _extend(walk: _Walk, extended: _Extended, kind: bytes, data: int, size: int) -> _Extended:
    content = walk.source.pread(data, min(size, _MAX_PAX))
    if size > _MAX_PAX:
        walk.gaps.append(CoverageReason("budget-header", f"a tar header of {size:,} bytes at byte {data:,}", True))
    if kind == b"L":
        extended.name = _text(content)
    elif kind == b"K":
        extended.link = _text(content)
    elif kind != b"g":
        for key, value in _pax(content):
            if key == "path":
                extended.name = value
            elif key == "linkpath":
                extended.link = value
            elif key.startswith("GNU.sparse."):
                extended.sparse.append((key, value))
                extended.name = value if key == "GNU.sparse.name" else extended.name
            elif key == "size" and value.isdecimal() and len(value) < 20:
                extended.size = int(value)
    return extended


def _pax(content: bytes) -> Iterator[tuple[str, str]]:
    """Records `length key=value\\n`, up to the first that is none."""
    at = 0
    while at < len(content):
        digits, space, _ = content[at : at + 20].partition(b" ")
        if not space or not digits.isdigit() or int(digits) < len(digits) + 3:
            return
        record = content[at + len(digits) + 1 : at + int(digits) - 1]
        key, _, value = record.decode("utf-8", "surrogateescape").partition("=")
        yield key, value
        at += int(digits)


def _member(walk: _Walk, block: bytes, extended: _Extended, start: int, size: int) -> _Header:
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    plain = _text(block[:100])
    name = extended.name if extended.name is not None else f"{prefix}/{plain}" if prefix else plain
    if extended.size is not None and extended.size != size:
        if size:
            accounts = ("header", f"{size:,} bytes", "extended header", f"{extended.size:,} bytes")
            walk.problems.add("sizes", "its two headers give it two sizes", walk.position, name, accounts)
        size = extended.size
    kind = block[156:157]
    data = walk.position + BLOCK
    sparse = None
    if kind == _SPARSE:
        found = old_map(walk.source, walk.position, block, _number)
        sparse, data = (None, data) if found is None else (found[:2], found[2])
    elif extended.sparse:
        found = pax_map(extended.sparse, walk.source, data)
        sparse = found and found[:2]
    if sparse is None and (kind == _SPARSE or extended.sparse):
        walk.gaps.append(CoverageReason("malformed", f"{visible(name)}: the map of a sparse member is not valid", True))
    elif sparse is not None and extended.sparse and found is not None:
        skip, size = min(found[2], size), max(0, size - found[2])
        data += skip
    if kind in (_HARD_LINK, _SYMBOLIC_LINK, _FOLDER) or kind in _SPECIAL:
        size = 0
    if data + size > walk.source.size:
        walk.problems.add("outside", "its data runs past the end of the archive", walk.position, name)
        walk.gaps.append(CoverageReason("malformed", f"{visible(name)}: its data is cut off", executable=True))
        size = max(0, walk.source.size - data)
    walk.position = _padded(data + size)
    link = extended.link if extended.link is not None else _text(block[157:257])
    return _Header(name, size, kind, link, start, data, sparse)


def _nested(artifact: Artifact, header: _Header, walk: _Walk) -> Iterator[Artifact]:
    """The member as artifacts, after a look at where it would land."""
    name, problems = header.name, walk.problems
    outside = leads_out(name)
    if outside is not None:
        problems.add("leaves", outside, header.start, name)
    if header.kind in _SPECIAL:
        problems.add("special", f"it is {_SPECIAL[header.kind]}", header.start, name)
    elif header.kind in (_HARD_LINK, _SYMBOLIC_LINK):
        place = name if header.kind == _SYMBOLIC_LINK else ""
        if link_leads_out(place, header.link):
            text = f"it is a link to {visible(header.link)}, outside the archive's folder"
            problems.add("leaves", text, header.start, name)
    elif header.kind != _FOLDER:
        source = SliceSource(artifact.source, header.data, header.size)
        if name in torch_tar.MIXED:
            yield from torch_tar.pieces(artifact, name, source, walk.budget)
        elif header.sparse is not None and header.sparse[0]:
            pairs, real = header.sparse
            yield artifact.member(name, SparseSource(artifact.source, header.data, pairs, real))
        else:
            yield artifact.member(name, source)
