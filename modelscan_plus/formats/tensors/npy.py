"""The npy format of numpy: one array, or several that were saved into the same file one after another.

    0   6 bytes   \\x93NUMPY
    6   2 bytes   major and minor version: 1.0, 2.0 or 3.0
    8   u16 LE (version 1) or u32 LE (2, 3): length of the header
    …   header, latin-1 (1, 2) or UTF-8 (3): a dict literal, blanks, a newline
    …   items, or a pickle when the dtype holds Python objects at any level

Sources: NEP 1; numpy/lib/_format_impl.py, numpy 1.0 to 2.4.
"""

from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import SliceSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.tensors.facts import NpyFacts
from modelscan_plus.formats.tensors.npy_header import ArrayHeader, HeaderFault, product, read_header
from modelscan_plus.formats.tensors.problems import Problems

MAGIC = b"\x93NUMPY"
NUMPY_CAP = 10_000
"""Characters of header above which numpy.load refuses a file, unless pickles are allowed."""
READ_CAP = 1 << 20
"""Bytes of header above which it is not read here."""
_ENCODINGS = {(1, 0): "latin-1", (2, 0): "latin-1", (3, 0): "utf-8"}
_OVERFLOW = 1 << 63


class _Frame(msgspec.Struct, frozen=True):
    """Where the parts of one array stand."""

    start: int
    version: tuple[int, int]
    header: int
    length: int

    @property
    def data(self) -> int:
        return self.header + self.length


class NpyFormat(Format):
    """numpy arrays."""

    name = "npy"
    title = "NumPy array (npy)"
    extensions = (".npy",)
    executable = True
    description = (
        "Versions 1 to 3. The header is read by a strict grammar, never evaluated. An array of Python objects is a "
        "pickle and is read as one; every other array is inert and must have the size that dtype and shape declare. "
        "When the header cannot be understood, what follows is searched for a pickle. Loaders: numpy.load, joblib "
        "and readers in other languages."
    )

    def claims(self, view: View) -> bool:
        return view.head.startswith(MAGIC)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        end: int | None = 0
        while end is not None and artifact.source.pread(end, len(MAGIC)) == MAGIC:
            parsed, end = _array(artifact, end)
            budget.take_entries(1)
            yield parsed


def _array(artifact: Artifact, start: int) -> tuple[Parsed, int | None]:
    """One array and the offset behind it; None when nothing more can be told."""
    source = artifact.source
    problems = Problems()
    frame = _frame(artifact, start, problems)
    if frame is None:
        facts = NpyFacts(start, (0, 0), 0, "", problems=problems.all())
        return Parsed((facts,), (Region(start, source.size - start, "structure"),)), None
    header = _header(artifact, frame, problems)
    present = max(0, source.size - frame.data)
    if header is None:
        return _not_understood(artifact, frame, present, problems), None
    declared = None if header.dtype.objects else header.dtype.itemsize * product(header.shape)
    if declared is not None:
        _check_size(header, declared, present, frame, problems)
    facts = NpyFacts(
        start=start,
        version=frame.version,
        header_length=frame.length,
        descr=shorten(visible(header.descr)),
        shape=header.shape[:64],
        objects=header.dtype.objects,
        declared_bytes=declared,
        present_bytes=present,
        problems=problems.all(),
    )
    structure = Region(start, frame.data - start, "structure")
    if declared is None:
        regions = (structure, Region(frame.data, present, "nested"))
        return Parsed((facts,), regions, nested=(_rest(artifact, frame.data, payload=False),)), None
    count = min(declared, present)
    return Parsed((facts,), (structure, Region(frame.data, count, "inert"))), frame.data + count


def _frame(artifact: Artifact, start: int, problems: Problems) -> _Frame | None:
    head = artifact.source.pread(start, 12)
    width = 2 if len(head) > 6 and head[6] == 1 else 4
    if len(head) < 8 + width:
        problems.add("too-short", "The file ends inside the first fields of the array.", start)
        return None
    version = (head[6], head[7])
    if version not in _ENCODINGS:
        problems.add("version", f"Version {head[6]}.{head[7]} of the format does not exist.", start + 6)
    return _Frame(start, version, start + 8 + width, int.from_bytes(head[8 : 8 + width], "little"))


def _header(artifact: Artifact, frame: _Frame, problems: Problems) -> ArrayHeader | None:
    if frame.data > artifact.source.size:
        problems.add("header-beyond-end", f"The header of {frame.length:,} bytes ends behind the file.", frame.start)
        return None
    if frame.length > NUMPY_CAP:
        message = f"The header has {frame.length:,} bytes; numpy.load refuses more than {NUMPY_CAP:,} by default."
        problems.add("header-large", message, frame.start + 8)
    if frame.length > READ_CAP:
        problems.add("header-unread", f"A header of more than {READ_CAP:,} bytes is not read.", frame.start + 8)
        return None
    encoding = _ENCODINGS.get(frame.version)
    if encoding is None:
        return None
    try:
        header = read_header(artifact.source.pread(frame.header, frame.length).decode(encoding))
    except UnicodeDecodeError:
        problems.add("utf-8", "The header is not valid UTF-8.", frame.header)
        return None
    except HeaderFault as fault:
        problems.add("header", f"The header is not one that numpy writes: {fault.message}.", frame.header)
        return None
    if header.repeated:
        problems.add(
            "duplicate-key", "A key stands twice in the header, and readers take different ones.", frame.header
        )
    return header


def _check_size(header: ArrayHeader, declared: int, present: int, frame: _Frame, problems: Problems) -> None:
    sizes = tuple(size for size in header.shape if size)
    if max(header.dtype.itemsize, 1) * product(sizes) >= _OVERFLOW:
        problems.add("overflow", "dtype and shape multiply to more bytes than 63 bits can count.", frame.header)
    elif declared > present:
        message = f"dtype and shape make {declared:,} bytes, the file has {present:,} behind the header."
        problems.add("truncated", message, frame.data)


def _not_understood(artifact: Artifact, frame: _Frame, present: int, problems: Problems) -> Parsed:
    """With `allow_pickle` a lenient reader may still unpickle what follows, so it is looked at."""
    facts = NpyFacts(frame.start, frame.version, frame.length, "", present_bytes=present, problems=problems.all())
    gap = CoverageReason("malformed", "the header of the array cannot be understood", executable=True)
    size = artifact.source.size
    nested: Iterator[Artifact] = iter(() if frame.data >= size else (_rest(artifact, frame.data, payload=True),))
    return Parsed((facts,), (Region(frame.start, size - frame.start, "structure"),), nested, (gap,))


def _rest(artifact: Artifact, start: int, *, payload: bool) -> Artifact:
    source = SliceSource(artifact.source, start, artifact.source.size - start)
    return artifact.member("object-array.pkl", source, payload=payload)
