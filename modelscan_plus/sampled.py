"""Between the scan and the rules over a target: copies of the same weights are compared by some of their numbers.

Children have said which tensors the files hold and where a few of them stand, the same few in every copy
(formats/tensors/places.py). Here short runs of these are read from both files and compared as numbers, whatever the
precision. Nothing is parsed: offsets come from the children, and what stands there is taken for numbers only.
"""

import math
import struct
from collections.abc import Container, Iterator, Mapping, Sequence

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.formats.archives.members import HEADER, SIGNATURE
from modelscan_plus.formats.summaries import Storages, TensorPlace
from modelscan_plus.formats.tensors.places import TIED, canonical, rank
from modelscan_plus.rules.copies import Copy, SampledCopies, TensorSample, copies, names_of
from modelscan_plus.rules.tree import Tree, TreeFile
from modelscan_plus.sources.interface import Source

_RUN = 48
"""Numbers that are read in one place."""
_PAIRS = 16
_REMOTE_TENSORS = 5
"""Tensors of a remote target that are compared, in all, beside those that could be tied to another one (places.py has
their number): each costs a short range or two of each file."""
_FORMATS = {
    "F64": "d", "F32": "f", "F16": "e", "BF16": "H", "I64": "q", "I32": "i", "I16": "h", "I8": "b", "U8": "B",
    "BOOL": "B",
}  # fmt: skip
_TOLERANCE = {"F64": 1e-6, "F32": 1e-5, "F16": 2**-10, "BF16": 2**-7}
"""Relative differences that rounding, or cutting off, makes at most."""
_SMALLEST = 1e-6
"""Differences below which numbers may have vanished in a format of 16 bits."""
_LARGEST_HALF = 65_504.0


def sampled(tree: Tree, source: Source) -> tuple[SampledCopies, ...]:
    """What a look at the numbers of copies shows; nothing where there are none, or where they cannot be read."""
    pairs = [(group[0], other) for group in copies(tree) for other in group[1:]][:_PAIRS]
    if not pairs:
        return ()
    each = max(1, _REMOTE_TENSORS // len(pairs)) if source.remote else len(pairs[0][0].tensors)
    plans = [_Plan(left, right, each) for left, right in pairs]
    if source.remote:
        plans = plans[:_REMOTE_TENSORS]
    wanted = dict.fromkeys(path for plan in plans for path in plan.paths())
    numbers: dict[tuple[str, str], list[float]] = {}
    for path, bytes_ in source.again(frozenset(wanted)):
        try:
            for plan in plans:
                numbers |= plan.read(path, bytes_, numbers)
        except OSError:  # the file is gone, or the server does not give it
            continue
    return tuple(plan.result(numbers) for plan in plans)


class _Plan:
    """What is to be read for one pair of copies."""

    def __init__(self, left: Copy, right: Copy, most: int) -> None:
        self._copies = (left, right)
        self._places = (_places(left), _places(right))
        self._named = (set(map(canonical, left.tensors)), set(map(canonical, right.tensors)))
        both = [name for name in self._places[0].keys() & self._places[1].keys() if self._same(name)]
        self._names = sorted(both, key=rank)[:most]
        self._lone = [self._alone(0), self._alone(1)]

    def _same(self, name: str) -> bool:
        left, right = (places[name][1] for places in self._places)
        floats = (left.dtype in _TOLERANCE, right.dtype in _TOLERANCE)
        return left.count == right.count and left.count > 0 and (all(floats) or left.dtype == right.dtype)

    def _alone(self, side: int) -> list[str]:
        """Names of one side that could be tied, with those that they could be tied to."""
        if any(copy.foreign for copy in self._copies):
            return []
        here, there = set(map(canonical, self._copies[side].tied)), self._named[1 - side]
        held = [name for name in self._places[side] if TIED.search(name)]
        return held if any(name not in there and name not in here for name in held) else []

    def paths(self) -> Iterator[str]:
        for side in (0, 1):
            for name in (*self._names, *self._lone[side]):
                yield self._places[side][name][0].path

    def read(
        self, path: str, source: ByteSource, known: Container[tuple[str, str]] = ()
    ) -> dict[tuple[str, str], list[float]]:
        """The numbers of the tensors that stand in this file, by the copy's name and theirs, without those `known`."""
        found: dict[tuple[str, str], list[float]] = {}
        for side, copy in enumerate(self._copies):
            for name in dict.fromkeys((*self._names, *self._lone[side])):
                file, place = self._places[side][name]
                if file.path == path and (copy.path, name) not in known:
                    found[copy.path, name] = _numbers(source, file, place, self._runs(place, name, source.remote))
        return found

    def _runs(self, place: TensorPlace, name: str, remote: bool) -> list[tuple[int, int]]:
        """First number and count of what is read: the same in every copy, as shape and name are."""
        room = max(0, place.count - _RUN)
        at = 0 if TIED.search(name) else rank(name) % (room + 1)
        starts = (at,) if remote else (0, at, room)
        return [(start, min(_RUN, place.count)) for start in dict.fromkeys(starts)]

    def result(self, numbers: Mapping[tuple[str, str], list[float]]) -> SampledCopies:
        left, right = self._copies
        samples = []
        for name in self._names:
            one, other = numbers.get((left.path, name), []), numbers.get((right.path, name), [])
            dtypes = [places[name][1].dtype for places in self._places]
            if one and len(one) == len(other):
                samples.append(_sample(name, one, other, dtypes))
        untied: list[str] = []
        tied: list[str] = []
        for side, copy in enumerate(self._copies):
            for name in self._lone[side]:
                verdict = self._is_tied(side, copy, name, numbers) if name not in self._named[1 - side] else None
                if verdict is not None:
                    names = [full for full in copy.tensors if canonical(full) == name]
                    (tied if verdict else untied).extend(names)
        return SampledCopies(left.path, right.path, tuple(samples), tuple(untied), tuple(tied))

    def _is_tied(self, side: int, copy: Copy, name: str, numbers: Mapping[tuple[str, str], list[float]]) -> bool | None:
        """None where the numbers could not be read."""
        own = numbers.get((copy.path, name))
        if not own:
            return None
        dtype = self._places[side][name][1].dtype
        for other in self._lone[side]:
            if other != name and self._places[side][other][1].count == self._places[side][name][1].count:
                beside = numbers.get((copy.path, other), [])
                dtypes = (dtype, self._places[side][other][1].dtype)
                if len(beside) == len(own) and not _sample(name, own, beside, dtypes).differing:
                    return True
        return False


def _places(copy: Copy) -> dict[str, tuple[TreeFile, TensorPlace]]:
    found = {}
    for file in copy.files:
        names = names_of(file)
        for name, place in names.places.items() if names is not None else ():
            found[canonical(name)] = (file, place)
    return found


def _numbers(source: ByteSource, file: TreeFile, place: TensorPlace, runs: Sequence[tuple[int, int]]) -> list[float]:
    code = _FORMATS.get(place.dtype)
    base = _base(source, file, place) if code is not None else None
    if code is None or base is None:
        return []
    size = struct.calcsize(f"<{code}")
    found: list[float] = []
    for first, count in runs:
        data = source.read_exact(base + place.start + first * size, count * size)
        if data is None:
            return []
        numbers = struct.unpack(f"<{count}{code}", data)
        if place.dtype == "BF16":  # the upper half of an F32
            numbers = struct.unpack(f"<{count}f", struct.pack(f"<{count}I", *(number << 16 for number in numbers)))
        found += map(float, numbers)
    return found


def _base(source: ByteSource, file: TreeFile, place: TensorPlace) -> int | None:
    """Where the storage of the tensor begins in the file; 0 where there are no storages."""
    if not place.storage:
        return 0
    for storages in file.top(Storages):
        start, length = storages.places.get(place.storage, (0, 0))
        if place.start >= length:
            return None
        if not storages.headers:
            return start
        header = source.read_exact(start, HEADER.size)
        if header is not None and header.startswith(SIGNATURE):
            fields = HEADER.unpack(header)
            return int(start + HEADER.size + fields[-2] + fields[-1])
    return None


def _sample(name: str, left: Sequence[float], right: Sequence[float], dtypes: Sequence[str]) -> TensorSample:
    tolerance = sum(_TOLERANCE.get(dtype, 0.0) for dtype in dtypes)
    half = "F16" in dtypes
    pairs = [(a, b) for a, b in zip(left, right, strict=True) if not _close(a, b, tolerance, half)]
    first = pairs[0] if pairs else (0.0, 0.0)
    return TensorSample(name, len(left), len(pairs), *first)


def _close(left: float, right: float, tolerance: float, half: bool) -> bool:
    if left == right or (math.isnan(left) and math.isnan(right)):
        return True
    if half and min(abs(left), abs(right)) >= _LARGEST_HALF and (left > 0) == (right > 0):
        return True  # beyond what 16 bits can say
    if not (math.isfinite(left) and math.isfinite(right)):
        return False
    return abs(left - right) <= tolerance * max(abs(left), abs(right)) + (_SMALLEST if tolerance else 0.0)
