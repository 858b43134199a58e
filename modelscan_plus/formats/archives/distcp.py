"""The files of a distributed checkpoint of PyTorch (`__0_0.distcp`): whole zips of torch.save, one behind another.

Each holds one tensor or object; `.metadata` beside them, a pickle, says from which offset to which, and a loader reads
that range alone. To a reader of zips the file would be one archive with many directories, so it is taken apart here: a
part ends with the end record whose directory begins where the part's own offsets say.

Source: torch/distributed/checkpoint/filesystem.py, `_write_item`, 2.0 to 2.13.
"""

from collections.abc import Iterable, Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, SliceSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.archives.directory import END, END_SIGNATURE
from modelscan_plus.formats.archives.members import SIGNATURE
from modelscan_plus.formats.interface import Format, Parsed, Region, View

_SEARCHED = 4 << 30
"""Bytes that are gone through for the ends of parts."""
_CHUNK = 4 << 20
_FULL32 = 0xFFFFFFFF
_LOCATOR = b"PK\6\7"
_LOCATOR_SIZE = 20


def is_series(view: View) -> bool:
    """True for a file of a distributed checkpoint, by its name and first bytes."""
    return view.artifact.name.lower().endswith(".distcp") and view.head.startswith(SIGNATURE)


class DistcpFormat(Format):
    """Tensors of a distributed checkpoint."""

    name = "torch-distcp"
    title = "PyTorch distributed checkpoint"
    extensions = (".distcp",)
    executable = True
    description = (
        "The zips of torch.save in it are read one by one, each as a file of its own; what stands between or behind "
        "them is reported. Of a remote file, and of one above 4 GiB, the rest is a gap. The pickle `.metadata` beside "
        "it is read like every pickle. Loaders: torch.distributed.checkpoint, Accelerate, Lightning, torchtitan."
    )

    def claims(self, view: View) -> bool:
        return is_series(view)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        most = 0 if source.remote else min(source.size, _SEARCHED)
        end = 0
        for number, (start, stop) in enumerate(_parts(source, most, budget)):
            budget.take_entries(1)
            part = artifact.member(f"part {number}", SliceSource(source, start, stop - start))
            yield Parsed(regions=(Region(start, stop - start, "nested"),), nested=(part,))
            end = stop
        if end < source.size and most < source.size:
            message = f"its parts behind byte {end:,} were not looked for"
            rest = (Region(end, source.size - end, "structure"),)
            yield Parsed(regions=rest, gaps=(CoverageReason("budget-distcp", message, executable=True),))
        elif end < source.size:
            rest_of_it = artifact.member("rest", SliceSource(source, end, source.size - end))
            yield Parsed(regions=(Region(end, source.size - end, "nested"),), nested=(rest_of_it,))


def _parts(source: ByteSource, most: int, budget: Budget) -> Iterator[tuple[int, int]]:
    """Where each part begins and ends."""
    start = at = 0
    while at < most:
        budget.check_time()
        data = source.pread(at, min(_CHUNK, most - at))
        found = data.find(END_SIGNATURE)
        while found >= 0:
            stop = _end(source, start, at + found)
            if stop:
                yield start, stop
                start = stop
            found = data.find(END_SIGNATURE, found + 1)
        if len(data) < _CHUNK:
            return
        at += len(data) - len(END_SIGNATURE) + 1


def _end(source: ByteSource, start: int, position: int) -> int:
    """Where the part ends whose end record stands at `position`; 0 where it is none."""
    record = source.read_exact(position, END.size)
    if record is None:
        return 0
    *_, size, offset, comment = END.unpack(record)
    stop = int(position + END.size + comment)
    whole = start + offset + size == position
    if _FULL32 in (size, offset) or not whole:  # ZIP64 has a record and a locator of its own before this one
        whole = source.pread(position - _LOCATOR_SIZE, 4) == _LOCATOR and start < position - _LOCATOR_SIZE
    follows = source.pread(stop, 4)
    return stop if whole and stop <= source.size and (not follows or follows == SIGNATURE) else 0
