"""The file of weights beside a Core ML program.

    u32 number of blobs, u32 version (2), 56 bytes of zeros; then for each blob, aligned to 64 bytes: u32 0xdeadbeef,
    u32 type, u64 size, u64 offset of the data from the file's first byte, 40 more bytes; and the data

Source: MILBlob of coremltools.
"""

import struct
from collections.abc import Iterable, Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.graphs.coreml.facts import WeightsFacts
from modelscan_plus.formats.graphs.parts import embedded, is_far
from modelscan_plus.formats.interface import Format, Parsed, Region, View

_HEADER = 64
_SENTINEL = 0xDEADBEEF
_BLOBS = 100_000


class WeightsFormat(Format):
    """weight.bin of Core ML."""

    name = "coreml-weights"
    title = "Weights of a Core ML model"
    extensions = (".bin",)
    executable = False
    description = (
        "The header of every blob: its size and offset have to be in the file. The numbers are inert. Of a long remote "
        "file only the beginning is read. Loader: Core ML."
    )

    def claims(self, view: View) -> bool:
        head = view.head
        if view.artifact.payload or len(head) < _HEADER or head[8:_HEADER].strip(b"\0"):
            return False
        count, version = struct.unpack_from("<II", head)
        if version not in (1, 2) or count > _BLOBS:
            return False
        return count == 0 or head[_HEADER : _HEADER + 4] == struct.pack("<I", _SENTINEL)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        if is_far(source):
            note = CoverageReason("remote-data", "of the weights only the beginning was read")
            yield Parsed(regions=(Region(0, source.size, "inert"),), skipped=(note,))
            return
        (count,) = struct.unpack("<I", source.pread(0, 4))
        wrong: list[str] = []
        parts = [Region(0, _HEADER, "structure")]
        at = _HEADER
        for number in range(count):
            budget.take_objects(4)
            header = source.read_exact(at, _HEADER)
            if header is None or struct.unpack_from("<I", header)[0] != _SENTINEL:
                wrong.append(f"blob {number:,} of {count:,} has no header at byte {at:,}")
                break
            size, start = struct.unpack_from("<QQ", header, 8)
            if start + size > source.size or start < at:
                wrong.append(f"blob {number:,} has {size:,} bytes at {start:,} in a file of {source.size:,}")
                break
            if len(parts) < _BLOBS:
                parts += [Region(at, _HEADER, "structure"), Region(start, size, "inert")]
            at = start + size + -(start + size) % _HEADER
        parts.append(Region(min(at, source.size), 0, "structure"))
        blobs = ((f"blob at {part.start}", part.start, part.length) for part in parts if part.kind == "inert")
        held, files = embedded(artifact, blobs)
        yield Parsed((WeightsFacts(tuple(wrong)), held), tuple(_with_padding(parts, source.size)), files)


def _with_padding(parts: list[Region], size: int) -> Iterator[Region]:
    """Each part up to the next one where no more than an alignment is between them."""
    for part, following in zip(parts, [*parts[1:], Region(size, 0, "structure")], strict=True):
        gap = following.start - part.start - part.length
        yield Region(part.start, part.length + gap, part.kind) if 0 <= gap < _HEADER else part
