"""Arrays out of .npy and .npz, by the scanner's own readers of both: never a pickle, never more than is kept.

Of an array only the samples that are kept are read, one after the other; a member of an archive is decompressed up to
the last of them. Arrays in Fortran's order, of Python objects or of structures are refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.formats.archives.directory import find_ends, read_entries
from modelscan_plus.formats.archives.facts import Problems
from modelscan_plus.formats.archives.members import read_local, readings
from modelscan_plus.formats.tensors.npy_header import HeaderFault, product, read_header
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.samples.values import quoted, spread

MAGIC = b"\x93NUMPY"
_HEADER = 10_000
"""Bytes; numpy.load refuses longer ones, too."""
_DECOMPRESSED = 4 << 30
_SECONDS = 600.0
"""A backstop; what ends reading is the count of bytes."""
_MEMBERS = 64
_DTYPE = re.compile(r"'([<>|=]?(?:[fiu][1248]|b1)|\|S[0-9]{1,3}|[<>]U[0-9]{1,3})'")
_DATA = ("x", "images", "image", "data", "samples", "inputs", "features", "x_test", "x_val", "x_train", "arr_0")
_LABELS = ("y", "labels", "label", "targets", "target", "classes", "y_test", "y_val", "y_train", "arr_1")


@dataclass(frozen=True, slots=True)
class _Array:
    """An array that has not been read."""

    name: str
    source: ByteSource
    start: int
    """Of its first element."""
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def take(self, places: Sequence[int]) -> NDArray[Any]:
        """The samples at these places, in order. `places` must be ascending."""
        length = self.dtype.itemsize * product(self.shape[1:])
        parts = []
        for place in places:
            part = self.source.read_exact(self.start + place * length, length)
            if part is None:
                raise NotProbed(f"samples: {quoted(self.name)} ends before its last sample")
            parts.append(part)
        return np.frombuffer(b"".join(parts), dtype=self.dtype).reshape(len(places), *self.shape[1:])


def read_npy(source: ByteSource, name: str) -> tuple[NDArray[Any], None]:
    """The samples of one array, which has no labels. Raises `NotProbed`."""
    found = _array(source, name)
    return found.take(_places(found)), None


def read_npz(source: ByteSource, name: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Samples and labels, found by the names of their arrays. Raises `NotProbed`."""
    try:
        members = _members(source, name)
        data = _pick(members, _DATA)
        if data is None and len(members) == 1:
            data = next(iter(members))
        if data is None:
            listed = ", ".join(quoted(member) for member in list(members)[:6])
            raise NotProbed(f"samples: no array of {quoted(name)} is called x, images or data; it has {listed}")
        samples = _array(members[data], data)
        places = _places(samples)
        label = _pick(members, _LABELS)
        labels = None
        if label is not None and label != data:
            found = _array(members[label], label)
            if product(found.shape) != samples.shape[0] or found.shape[:1] != samples.shape[:1]:
                raise NotProbed(f"samples: {quoted(label)} does not hold one label for each sample")
            labels = found.take(places).reshape(-1)
        return samples.take(places), labels
    except BudgetExceeded as error:
        raise NotProbed(f"samples: {quoted(name)} is too large ({error.message})") from error


def _places(found: _Array) -> list[int]:
    if len(found.shape) < 2 or 0 in found.shape or len(found.shape) > 4:
        shape = ", ".join(map(str, found.shape[:8]))
        raise NotProbed(f"samples: {quoted(found.name)} has the shape ({shape}); two to four dimensions are taken")
    if found.dtype.kind not in "fiub":
        raise NotProbed(f"samples: {quoted(found.name)} holds text, not numbers")
    return spread(found.shape[0], product(found.shape[1:]))


def _pick(members: dict[str, ByteSource], names: Sequence[str]) -> str | None:
    """The first of `names` that a member has, in any case."""
    lower = {member.lower(): member for member in reversed(members)}
    return next((lower[name] for name in names if name in lower), None)


def _members(source: ByteSource, name: str) -> dict[str, ByteSource]:
    """Arrays by name, without ".npy"."""
    problems = Problems()
    budget = Budget(Limits(max_entries=_MEMBERS, max_decompressed=_DECOMPRESSED, seconds=_SECONDS))
    members: dict[str, ByteSource] = {}
    for end in find_ends(source, problems)[:1]:
        for entry in read_entries(source, end, budget, problems):
            local = read_local(source, entry.offset)
            found = readings(source, entry, local, budget, problems)[0] if local is not None else []
            if found and entry.name.endswith(".npy"):
                members.setdefault(entry.name.removesuffix(".npy"), found[0].source)
    if not members:
        raise NotProbed(f"samples: {quoted(name)} is not an archive of numpy arrays")
    return members


def _array(source: ByteSource, name: str) -> _Array:
    head = source.pread(0, 12)
    width = 2 if head[6:7] == b"\1" else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    if not head.startswith(MAGIC) or head[6] not in (1, 2, 3) or length > _HEADER:
        raise NotProbed(f"samples: {quoted(name)} is not a numpy array")
    text = source.read_exact(8 + width, length)
    try:
        header = read_header((text or b"").decode("utf-8" if head[6] == 3 else "latin-1"))
    except (HeaderFault, UnicodeDecodeError) as error:
        raise NotProbed(f"samples: {quoted(name)} has a broken header") from error
    simple = _DTYPE.fullmatch(header.descr.replace('"', "'"))
    if header.dtype.objects or simple is None:
        raise NotProbed(f"samples: {quoted(name)} does not hold plain numbers; arrays of Python objects are not read")
    if header.fortran_order and len(header.shape) > 1:
        raise NotProbed(f"samples: {quoted(name)} is saved in Fortran's order; save it with numpy.ascontiguousarray")
    return _Array(name, source, 8 + width + length, np.dtype(simple[1]), header.shape)
