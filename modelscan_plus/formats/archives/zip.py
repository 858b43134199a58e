"""The zip format, read as its readers read it, all of them.

A zip tells everything twice: local headers before each member, the central directory at the end. Readers that go by
the one can be shown another archive than readers that go by the other (directory.py, members.py hold them together).
Every member is handed on, also one that only a local header knows.
"""

import stat
import zlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import SEARCHED, ByteSource, SliceSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import human_bytes, visible
from modelscan_plus.formats.archives.decompress import DecompressedSource
from modelscan_plus.formats.archives.directory import END, END_SIGNATURE, End, Entry, find_ends, read_entries
from modelscan_plus.formats.archives.distcp import is_series
from modelscan_plus.formats.archives.facts import Problems
from modelscan_plus.formats.archives.members import (
    SIGNATURE,
    STORED,
    Member,
    compare,
    fills,
    read_local,
    readings,
    sequential,
)
from modelscan_plus.formats.archives.names import folded, leads_out, link_leads_out
from modelscan_plus.formats.graphs import torchscript
from modelscan_plus.formats.identity import unexplained
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import Storages

_CHECKED = 16 << 20
"""Bytes of a stored member up to which its CRC-32 is computed; reading larger tensors for that alone would cost more
than it tells."""
_MAX_GAPS = 100
_MOST_STORAGES = 20_000
_STORAGE = lazy(r"(?:^|/)(?:(?:data|constants|traced_inputs)/\d+|data/weights/weight_\d+|data/constants/tensor_\d+)$")
"""Members that hold the numbers of one tensor: those of `_RAW` that can be large and many."""
_RAW = lazy(
    r"(?:^|/)(?:(?:data|constants|traced_inputs)/\d+|data/weights/weight_\d+|data/constants/tensor_\d+|version|byteorder"
    r"|archive_format|archive_version|\.format_version|\.storage_alignment|\.data/(?:serialization_id|version))$"
)
"""Members of PyTorch's archives that its readers take as numbers or as one short word."""

TORCH, TORCHSCRIPT, EXPORTED, NPZ = "torch-zip", "torchscript", "pt2", "npz"
_RAW_VARIANTS = (TORCH, TORCHSCRIPT, EXPORTED)


class ZipFormat(Format):
    """Zip archives, and what is made of them: torch checkpoints, TorchScript, npz, .keras, .mar, …"""

    name = "zip"
    title = "Zip archive"
    variants = (TORCH, TORCHSCRIPT, EXPORTED, NPZ)
    extensions = (".zip", ".pt", ".pth", ".bin", ".ckpt", ".pt2", ".npz", ".keras", ".mar", ".jar", ".whl", ".skops")
    executable = True
    description = (
        "Every member, wherever it is listed: in the central directory, in a second one, or by its local header alone. "
        "Local headers are compared with the directory, ZIP64 and end records with each other. Stored, Deflate, bzip2 "
        "and LZMA members are read; others, and encrypted ones, are reported as gaps. CRC-32 is checked for members "
        "that are decompressed and for stored ones up to 16 MiB. By its members an archive is called `torch-zip`, "
        "`torchscript`, `pt2` or `npz`; TorchScript's own code is parsed, never run, and judged as a graph."
    )

    def claims(self, view: View) -> bool:
        if is_series(view):
            return False
        if view.head.startswith(SIGNATURE):
            local = read_local(view.artifact.source, 0)
            if local is not None and local.raw_name:
                return True
        if view.artifact.payload or END_SIGNATURE not in view.tail:
            return False
        return any(_plausible(view.artifact.source, end) for end in find_ends(view.artifact.source, Problems()))

    def extents(self, view: View) -> list[tuple[int, int]]:
        source = view.artifact.source
        everything = [(0, source.size)]
        if view.head.startswith(SIGNATURE):
            return everything
        ends = [end for end in find_ends(source, Problems()) if _plausible(source, end)]
        shifted = {(end.start, end.position) for end in ends if end.shift}
        if any(not end.shift and (end.start, end.position) not in shifted for end in ends):
            return everything  # a directory whose offsets count from the beginning of the file
        return [(end.shift, end.stop) for end in ends if end.shift]

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        problems = Problems()
        source = artifact.source
        ends = [end for end in find_ends(source, problems) if _plausible(source, end)]
        archive = _Archive(artifact, budget, problems)
        if ends:
            archive.directory(ends[0])
        else:
            text = "there is no central directory; the archive is cut off or was never finished"
            problems.add("no-directory", text, 0)
            archive.gaps.append(CoverageReason("malformed", "the zip has no central directory", executable=True))
        archive.other_directories(ends[1:])
        archive.local_only()
        archive.duplicates()
        variant = _variant(archive.names)
        raw = variant in _RAW_VARIANTS
        script, missing = torchscript.read(archive.sources(), budget) if variant == TORCHSCRIPT else (None, [])
        facts = (*problems.facts(), *((script,) if script is not None else ()))
        if script is not None:
            archive.parsed = {file.name for file in script.code}
        skipped = tuple(archive.skipped)
        yield Parsed(
            facts,
            tuple(archive.regions),
            gaps=(*archive.gaps, *missing),
            summaries=archive.storages() if variant == TORCH and not artifact.members else (),
            skipped=skipped,
            variant=variant,
        )
        yield Parsed(nested=[_comment(artifact, end) for end in ends[:1] if end.stop - end.position > END.size])
        late = Problems()
        yield Parsed(nested=archive.nested(late, raw=raw))
        yield Parsed(late.facts(), gaps=tuple(archive.late_gaps))


def _comment(artifact: Artifact, end: End) -> Artifact:
    """The archive's comment: no loader takes it for more than text, and anything can stand in it."""
    start = end.position + END.size
    return artifact.member("archive comment", SliceSource(artifact.source, start, end.stop - start), payload=True)


def _plausible(source: ByteSource, end: End) -> bool:
    if end.size == 0:
        return end.entries == 0 and end.stop == source.size and end.start in (end.position, 0)
    return source.pread(end.start, 4) == b"PK\1\2"


def _variant(names: set[str]) -> str:
    """The more exact name of the format that these members make, "" for none."""
    bases = [name.removesuffix("data.pkl") for name in names if name == "data.pkl" or name.endswith("/data.pkl")]
    for base in bases:
        return (
            TORCHSCRIPT if any(name.startswith((f"{base}code/", f"{base}constants.pkl")) for name in names) else TORCH
        )
    if any(name.rpartition("/")[2] == "archive_format" for name in names):
        return EXPORTED
    return NPZ if names and all(name.endswith(".npy") for name in names) else ""


class _Archive:
    """One archive while it is taken apart."""

    def __init__(self, artifact: Artifact, budget: Budget, problems: Problems) -> None:
        self._artifact = artifact
        self._budget = budget
        self._problems = problems
        self._entries: dict[tuple[object, ...], Entry] = {}
        """By what a reader makes of them: the same entry in two directories is one."""
        self._members: deque[tuple[Member, int]] = deque()
        """With the mode bits of each; let go one by one, since each may hold megabytes of output."""
        self.parsed: set[str] = set()
        """Members that were read together with others, as the code of TorchScript is."""
        self.regions: list[Region] = []
        self.gaps: list[CoverageReason] = []
        self.late_gaps: list[CoverageReason] = []
        """Found only while members are read."""
        self.skipped: list[CoverageReason] = []
        self._left: set[int] = set()
        """Positions of the directory entries whose members are not looked at."""

    def _leave_storages(self, stop: int) -> None:
        """In a remote checkpoint, leave tensors unread that fill exactly the room between their neighbours.

        Each costs a journey for its local header and one for its first bytes, and no loader takes it for anything but
        numbers. What does not fit its room to the byte, as writers lay it out, is read like every other member.
        """
        ordered = sorted(self._entries.values(), key=lambda entry: entry.offset)
        size = 0
        for entry, following in zip(ordered, [*(entry.offset for entry in ordered[1:]), stop], strict=True):
            if _STORAGE.search(entry.name) and fills(entry, following):
                self._left.add(entry.position)
                self.regions.append(Region(entry.offset, following - entry.offset, "inert"))
                size += entry.size
        if self._left:
            count = len(self._left)
            message = f"{count:,} tensor storages ({human_bytes(size)}) were left unread, with their local headers"
            self.skipped.append(CoverageReason("remote-storages", message))

    def storages(self) -> tuple[Storages, ...]:
        """Where the local header of each tensor's storage stands, of those that are not compressed."""
        stored = [entry for entry in self._entries.values() if entry.method == STORED and _STORAGE.search(entry.name)]
        places = {entry.name.rpartition("/")[2]: (entry.offset, entry.size) for entry in stored[:_MOST_STORAGES]}
        return (Storages(places, headers=True),) if places else ()

    @property
    def names(self) -> set[str]:
        """Names of the members that some directory lists."""
        return {entry.name for entry in self._entries.values()}

    def directory(self, end: End) -> None:
        """Take the directory that most readers take, and hold each entry against its local header."""
        for entry in read_entries(self._artifact.source, end, self._budget, self._problems):
            self._entries.setdefault(_reading(entry), entry)
        if self._artifact.source.remote and _variant(self.names) in _RAW_VARIANTS:
            self._leave_storages(end.start)
        for entry in self._entries.values():
            if entry.position not in self._left:
                self._take(entry, self._problems)
        self.regions.append(Region(end.start, end.size, "structure"))
        self.regions.append(Region(end.start + end.size, end.stop - end.start - end.size, "structure"))
        self._overlaps()

    def _take(self, entry: Entry, problems: Problems) -> None:
        source = self._artifact.source
        outside = leads_out(entry.name)
        if outside is not None:
            problems.add("leaves", outside, entry.position, entry.name)
        local = read_local(source, entry.offset)
        if local is None:
            problems.add(
                "no-local-header", "there is no local header where the directory says", entry.offset, entry.name
            )
            self.gaps.append(_gap(entry.name, "malformed", "its local header is missing"))
            return
        compare(entry, local, problems)
        found, gaps = readings(source, entry, local, self._budget, problems)
        self.gaps += [_gap(entry.name, gap.code, gap.message) for gap in gaps]
        stop = max([member.stop for member in found], default=min(source.size, local.data + entry.compressed))
        self.regions.append(Region(entry.offset, stop - entry.offset, "nested"))
        if not (entry.name.endswith("/") and entry.size == 0 and entry.compressed == 0):
            self._members += [(member, entry.mode) for member in found]

    def sources(self) -> list[tuple[str, ByteSource]]:
        """Name and data of every member."""
        return [(found.name, found.source) for found, _ in self._members]

    def duplicates(self) -> None:
        """Names that stand twice, and names that some systems take for one."""
        by_name: dict[str, list[Entry]] = defaultdict(list)
        for entry in self._entries.values():
            by_name[entry.name].append(entry)
        for name, same in by_name.items():
            if len({(entry.crc, entry.size) for entry in same}) > 1:
                first, last = (f"{entry.size:,} bytes, CRC-32 {entry.crc:08x}" for entry in (same[0], same[-1]))
                text = f"{len(same)} members of different content share this name"
                self._problems.add("duplicate", text, same[-1].position, name, ("first", first, "last", last))
        twins: dict[str, str] = {}
        for name in by_name:
            other = twins.setdefault(folded(name), name)
            if other != name:
                accounts = ("one", other, "the other", name)
                text = "another member's name differs only in ways that some systems ignore"
                self._problems.add("twins", text, by_name[name][0].position, name, accounts)

    def _overlaps(self) -> None:
        """Members that share bytes: the way to a bomb that no count of levels catches."""
        ordered = sorted(self._members, key=lambda pair: pair[0].start)
        reach, owner = 0, ""
        seen: set[tuple[int, str]] = set()
        for found, _ in ordered:
            if found.start < reach and (found.start, found.name) not in seen:
                text = f"it shares bytes with {visible(owner)}"
                self._problems.add("overlap", text, found.start, found.name)
            seen.add((found.start, found.name))
            if found.stop > reach:
                reach, owner = found.stop, found.name

    def other_directories(self, ends: list[End]) -> None:
        """Further directories outside the members, as readers that search or count differently would take them."""
        source = self._artifact.source
        inside = [(region.start, region.start + region.length) for region in self.regions if region.kind == "nested"]
        for end in ends:
            if any(start <= end.position < stop for start, stop in inside):
                continue
            others = read_entries(source, end, self._budget, Problems())
            # What is nowhere is no reading: with offsets that count from elsewhere nothing is found.
            others = [entry for entry in others if read_local(source, entry.offset) is not None]
            new = [entry for entry in others if _reading(entry) not in self._entries]
            if new or end.position not in (end_.position for end_ in ends[:1]):
                self.regions.append(Region(end.start, end.stop - end.start, "structure"))
            for entry in new:
                self._entries[_reading(entry)] = entry
                self._take(entry, Problems())
            if new:
                text = "there is a second directory, which other readers take"
                self._problems.add("end-records", text, end.position)

    def local_only(self) -> None:
        """Members between and before the listed ones that readers of local headers would meet."""
        source = self._artifact.source
        for start, stop in unexplained(self.regions, source.size)[:_MAX_GAPS]:
            after = start
            while (position := _next_header(source, after, stop)) is not None:
                self._budget.take_entries(1)
                made = sequential(source, position, stop, self._budget)
                if made is None or made[0].stop <= position:
                    after = position + len(SIGNATURE)
                    continue
                found, gap = made
                if self._entries:
                    text = "it has a local header, but does not stand in the directory"
                    self._problems.add("local-only", text, position, found.name)
                if gap is not None:
                    self.gaps.append(_gap(found.name, gap.code, gap.message))
                self.regions.append(Region(position, found.stop - position, "nested"))
                self._members.append((found, 0))
                after = found.stop

    def nested(self, late: Problems, *, raw: bool) -> Iterator[Artifact]:
        """Every member; its checksum is compared when whoever took it is through with it."""
        while self._members:
            found, mode = self._members.popleft()
            link = stat.S_ISLNK(mode)
            if link and link_leads_out(found.name, found.source.pread(0, 4096).decode("utf-8", "surrogateescape")):
                late.add("leaves", "it is a link that leads out of the archive's folder", found.start, found.name)
            payload = link or found.name in self.parsed or (raw and _RAW.search(found.name) is not None)
            yield self._artifact.member(found.name, found.source, payload=payload)
            promised = found.source.size
            self._verify(found, late, payload=payload)
            if isinstance(found.source, DecompressedSource) and found.source.produced > promised:
                found.source.size = found.source.produced  # for readers that take all there is
                yield self._artifact.member(found.name, found.source, payload=payload)

    def _verify(self, found: Member, late: Problems, *, payload: bool) -> None:
        source = found.source
        crc: int | None = None
        if isinstance(source, DecompressedSource):
            promised = source.size
            source.finish()
            if source.fault:
                late.add("corrupt", source.fault, found.start, found.name)
                self.late_gaps.append(_gap(found.name, "malformed", source.fault))
                return
            if source.produced != promised and found.crc is not None:
                accounts = ("directory", f"{promised:,} bytes", "data", f"{source.produced:,} bytes")
                late.add("sizes", "its data decompresses to another size", found.start, found.name, accounts)
            elif found.ends is not None and source.consumed != found.ends:
                accounts = ("directory", f"ends at byte {found.ends:,}", "data", f"ends at byte {source.consumed:,}")
                late.add("sizes", "its data ends elsewhere than the directory says", found.start, found.name, accounts)
            crc = source.crc if source.complete else None
        elif source.remote and 2 * source.bytes_read < source.size:
            return  # few of its bytes were needed; fetching the rest for this alone is not worth it
        elif source.size <= (_CHECKED >> 4 if payload else _CHECKED):
            crc = zlib.crc32(source.pread(0, source.size))
        if crc is not None and found.crc is not None and crc != found.crc:
            accounts = ("directory", f"{found.crc:08x}", "data", f"{crc:08x}")
            late.add("checksum", "its CRC-32 does not fit its data", found.start, found.name, accounts)


def _gap(name: str, code: str, message: str) -> CoverageReason:
    return CoverageReason(code, f"{visible(name)}: {message}", executable=True)


def _reading(entry: Entry) -> tuple[object, ...]:
    return entry.raw_name, entry.offset, entry.method, entry.compressed, entry.size, entry.flags & 1


def _next_header(source: ByteSource, position: int, stop: int) -> int | None:
    """Where the next local header with a name begins, None when there is none in the first 256 MiB."""
    stop = min(stop, position + SEARCHED)
    while position < stop:
        data = source.pread(position, min(1 << 20, stop - position))
        at = data.find(SIGNATURE)
        if at >= 0:
            return position + at
        if len(data) < len(SIGNATURE):
            return None
        position += len(data) - len(SIGNATURE) + 1
    return None
