"""The safetensors format, checked as exactly as its reference library does.

    0      u64 LE   n, length of the header, at most 100,000,000
    8      n bytes  JSON object, UTF-8, spaces behind it up to n; `"name": {"dtype", "shape", "data_offsets"}` and
                    optionally `"__metadata__"`, an object of strings
    8 + n           tensor data; data_offsets are [begin, end) relative to here; sorted by them, tensors follow one
                    another without hole or overlap from 0 to the end of the file

Sources: the format description in the safetensors repository, and the behaviour of library version 0.8.
"""

import struct
from collections.abc import Iterable, Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import Shard, Summary, TensorNames, TensorPlace
from modelscan_plus.formats.tensors.dtypes import DTYPE_BITS
from modelscan_plus.formats.tensors.embedded import source_kind, tensor_part
from modelscan_plus.formats.tensors.facts import HiddenBytes, Overlap, SafetensorsFacts, TensorPayload
from modelscan_plus.formats.tensors.header import LENGTH_BYTES, NAMED, Header, read_header
from modelscan_plus.formats.tensors.layout import Layout, lay_out
from modelscan_plus.formats.tensors.places import chosen
from modelscan_plus.formats.tensors.problems import Problems

LIBRARY_CAP = 100_000_000
"""Bytes of header above which the library refuses a file."""
_HOLE_BYTES = 64 << 20
"""Bytes of holes that are looked at; beyond that a hole counts as filled."""
_REMOTE_SNIFFED = 32
"""Byte tensors of a remote file whose first bytes are looked at: each is a journey."""
_SHARD_NAMES = 20_000
_BLANKS = b" \t\n\r"


class SafetensorsFormat(Format):
    """Weights without code."""

    name = "safetensors"
    title = "safetensors"
    extensions = (".safetensors",)
    executable = False
    description = (
        "The header is read strictly and in full, up to the 100,000,000 bytes that the library accepts: keys that "
        "occur twice, dtypes, shapes against spans, overlaps, holes, bytes behind the JSON. Tensor data is inert and "
        "stays unread, except that the first bytes of U8 and I8 tensors are looked at for pickles, archives and "
        "programs. Of each metadata value the first MiB is examined. Loaders: safetensors, transformers, diffusers, "
        "candle and others."
    )

    def claims(self, view: View) -> bool:
        size = view.artifact.source.size
        named = view.artifact.name.lower().endswith(".safetensors")
        if size < LENGTH_BYTES + 2:
            return named
        (length,) = struct.unpack_from("<Q", view.head)
        fits = 2 <= length <= size - LENGTH_BYTES
        text = view.head[LENGTH_BYTES:].lstrip(_BLANKS)
        if not text:
            return bool(fits)
        opens = text[:1] == b"{"
        if named:
            return bool(fits or opens or length <= LIBRARY_CAP)
        begins_object = opens and (text[1:].lstrip(_BLANKS)[:1] in b'"}')
        return bool(begins_object and (fits or (length <= LIBRARY_CAP and not view.artifact.payload)))

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        problems = Problems()
        data = source.read_exact(0, LENGTH_BYTES)
        if data is None:
            problems.add("too-short", f"The file has {source.size} bytes; the length of the header alone takes 8.", 0)
            yield _unread(0, source, problems, "malformed", "the file ends inside the first field")
            return
        (length,) = struct.unpack("<Q", data)
        available = min(length, source.size - LENGTH_BYTES)
        if length > available:
            message = f"The header is said to have {length:,} bytes, the file has only {available:,} behind its length."
            problems.add("header-beyond-end", message, 0)
        if length > LIBRARY_CAP:
            message = f"The header has {length:,} bytes; the library refuses more than {LIBRARY_CAP:,}."
            problems.add("header-too-large", message, 0)
        if available > min(budget.limits.max_header, LIBRARY_CAP):
            yield _unread(length, source, problems, "budget-header", f"a header of {available:,} bytes is not read")
            return
        header = read_header(
            source.pread(LENGTH_BYTES, available), budget, problems if length == available else Problems()
        )
        yield from _read(artifact, header, length, problems, budget)


def _read(artifact: Artifact, header: Header, length: int, problems: Problems, budget: Budget) -> Iterator[Parsed]:
    source = artifact.source
    start = LENGTH_BYTES + len(header.data)
    hidden = list(_padding(header, problems))
    regions = [Region(0, start, "structure")]
    gaps: tuple[CoverageReason, ...] = ()
    layout = Layout()
    if header.end is not None and length == len(header.data):
        layout = lay_out(header.begins, header.ends, source.size - start)
        _note_layout(layout, header, start, problems)
        hidden += _filled_holes(layout, source, start, budget)
        regions += [Region(start + begin, end - begin, "inert") for begin, end in layout.covered]
    elif header.breach is None:
        gaps = (CoverageReason("malformed", "the header is cut off or not valid; no reader can load the file"),)
    overlaps = list(_overlaps(layout, header, start))
    facts = SafetensorsFacts(
        header_length=length,
        tensors=header.tensors,
        problems=problems.all(),
        duplicates=header.duplicates,
        duplicate_count=header.duplicate_count,
        overlaps=tuple(overlaps),
        overlap_count=layout.overlap_count - len(layout.overlaps) + len(overlaps),
        hidden=tuple(hidden),
        texts=tuple(header.texts),
    )
    summaries: tuple[Summary, ...] = _shard(artifact, header, start)
    if header.shapes and not artifact.members:
        complete = len(header.shapes) == header.tensors and header.breach is None
        summaries += (TensorNames("safetensors", header.shapes, complete, _places(header, start)),)
    yield Parsed((facts,), tuple(regions), gaps=gaps, summaries=summaries)
    if header.breach is not None:
        raise header.breach
    if source.remote and len(header.sniffed) > _REMOTE_SNIFFED:
        rest = len(header.sniffed) - _REMOTE_SNIFFED
        del header.sniffed[_REMOTE_SNIFFED:]
        message = f"the first bytes of {rest:,} more U8 and I8 tensors were not looked at"
        yield Parsed(skipped=(CoverageReason("remote-byte-tensors", message),))
    yield from _byte_tensors(artifact, header, start, budget)


def _places(header: Header, start: int) -> dict[str, TensorPlace]:
    """Where the tensors stand that another copy of the weights is compared by."""
    names = {header.name(index): index for index in range(min(len(header.begins), NAMED))}
    found: dict[str, TensorPlace] = {}
    for name in chosen(names):
        index = names[name]
        dtype = header.dtype(index)
        if bits := DTYPE_BITS.get(dtype):
            length = header.ends[index] - header.begins[index]
            found[name] = TensorPlace(dtype, start + header.begins[index], length * 8 // bits)
    return found


def _shard(artifact: Artifact, header: Header, start: int) -> tuple[Shard, ...]:
    """For the index that may stand beside a file on disk."""
    if artifact.members or header.end is None:
        return ()
    names, complete = header.full_names(_SHARD_NAMES, 300)
    return (Shard(tuple(names), artifact.source.size - start, complete and header.breach is None),)


def _unread(length: int, source: ByteSource, problems: Problems, code: str, message: str) -> Parsed:
    """A file of which no more than the length of the header was read."""
    facts = SafetensorsFacts(header_length=length, tensors=0, problems=problems.all())
    return Parsed((facts,), (Region(0, source.size, "structure"),), gaps=(CoverageReason(code, message),))


def _padding(header: Header, problems: Problems) -> Iterator[HiddenBytes]:
    """What stands behind the JSON inside the header: spaces are usual, everything else is stated."""
    if header.end is None:
        return
    rest = header.data[header.end :]
    start = LENGTH_BYTES + header.end
    if not rest.strip(b" "):
        return
    if not rest.strip(_BLANKS):
        yield HiddenBytes("blanks", start, len(rest))
        return
    problems.add("padding", "Bytes that are not blanks stand behind the JSON inside the header.", start)
    if rest.strip(_BLANKS + b"\0"):
        yield HiddenBytes("padding", start, len(rest))


def _note_layout(layout: Layout, header: Header, start: int, problems: Problems) -> None:
    if layout.beyond is not None:
        message = (
            f"{layout.beyond_count:,} of {header.tensors:,} tensors end behind the end of the file, first "
            f'"{header.name(layout.beyond)}": the file is cut off or its offsets are wrong.'
        )
        problems.add("beyond-end", message, LENGTH_BYTES + header.keys[layout.beyond])
    if layout.misplaced is not None:
        message = f'The empty tensor "{header.name(layout.misplaced)}" does not stand where the one before it ends.'
        problems.add("misplaced", message, LENGTH_BYTES + header.keys[layout.misplaced])
    if layout.holes:
        first = layout.holes[0]
        message = (
            f"{layout.hole_count:,} ranges between the tensors belong to none, first {first[1] - first[0]:,} bytes."
        )
        problems.add("hole", message, start + first[0])


def _overlaps(layout: Layout, header: Header, start: int) -> Iterator[Overlap]:
    """Tensors that share bytes; a name that stands twice is another matter."""
    for first, second, begin, count in layout.overlaps:
        names = header.name(first), header.name(second)
        if names[0] != names[1]:
            yield Overlap(*names, start + begin, count)


def _filled_holes(layout: Layout, source: ByteSource, start: int, budget: Budget) -> Iterator[HiddenBytes]:
    """Holes with any byte that is not zero."""
    allowance = _HOLE_BYTES
    for begin, end in layout.holes:
        position = begin
        while position < end:
            chunk = source.pread(start + position, min(end - position, 1 << 20)) if allowance > 0 else b"?"
            if chunk.count(0) != len(chunk) or not chunk:
                yield HiddenBytes("hole", start + begin, end - begin)
                break
            position += len(chunk)
            allowance -= len(chunk)
            budget.check_time()


def _byte_tensors(artifact: Artifact, header: Header, start: int, budget: Budget) -> Iterator[Parsed]:
    """Tensors of bytes that begin like a pickle, an archive or a program, handed on as such."""
    for number, index in enumerate(header.sniffed):
        if not number & 0xFF:
            budget.check_time()
        begin, length = start + header.begins[index], header.ends[index] - header.begins[index]
        name = header.name(index)
        part = tensor_part(artifact, name, begin, length)
        if kind := source_kind(part):
            yield Parsed((TensorPayload(name, kind, begin, part.source.size),), nested=(part,))
