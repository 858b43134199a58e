"""Is a constant that something is multiplied with a trained layer, or does it only look like one?

A layer that was trained mixes many inputs into several outputs with irregular numbers. What sums, picks, copies,
compares with a template or drives a unit into saturation does not need to be trained, and must not wash off what came
before it. Only a few hundred numbers of a constant are looked at.
"""

import functools
import itertools
from collections.abc import Callable, Sequence

from modelscan_plus.graph.ir import Const, Number

SAMPLE = 256
_WINDOWS = 3
_FIRST = 64
"""Numbers that a reader has at hand without reading again."""
_SPARSE = 0.12
"""Share of non-zero numbers below which a constant picks instead of mixing."""
_DISTINCT = 0.25
_PEAKED = 0.002
"""Median over maximum of a constant that is zero but for a few places."""
_HUGE = 50.0
_UNITS = 2
"""A layer with so few outputs is a detector or a head; what it gives is no representation."""
_TINY = 4
_TABLE = 65536
"""Numbers of a table that are looked at where something computed looks up in it."""
_CURVE = 64
"""Numbers of a table from which it may be a curve."""
_LEAP = 0.25
_ROWS = 16
_LOUDER = 100.0
_RARE = 16
_ALIKE = 8.0
"""Sums of squares of rows that are of the same size are within this factor."""
"""One row of so many, at most, stands out of a table."""


def is_trained(const: Const | None, outputs: int | None, inputs: int | None, *, deep: bool = True) -> bool:
    """True when the numbers could come from training. `outputs` and `inputs` are units; None when not known.

    Unless `deep`, only the first numbers are looked at, which cost no reading.
    """
    if outputs is not None and outputs <= _UNITS:
        return False
    if const is None:
        return True
    if const.count < 2 * _TINY or (inputs is not None and inputs < 2 and (outputs or 0) <= _TINY):
        return False
    numbers = sample(const, deep=deep)
    if numbers is None:
        return outputs is None or outputs > _TINY
    if not numbers:
        return False
    tiny = (outputs or _TINY + 1) <= _TINY or (inputs or _TINY + 1) < _TINY or const.count < 32
    return _irregular(numbers, strictly=tiny, quantised=const.kind == "int")


def is_irregular(const: Const | None) -> bool:
    """True when even the few numbers of a single unit are no written ones: all different, none zero, none round."""
    numbers = sample(const) if const is not None else None
    if not numbers or len(numbers) < 2 or len(set(numbers)) < len(numbers):
        return False
    return all(number * 64 != int(number * 64) for number in numbers if abs(number) < _HUGE)


def stands_out(const: Const, width: int | None) -> bool:
    """True when hardly any row of a table holds anything beside the others: to look it up is to compare."""
    return bool(loud_rows(const, width or 1, _LOUDER))


def loud_rows(const: Const, width: int | None = None, times: float = 20.0) -> tuple[int, ...]:
    """The rows of a table that are so many times as large as the usual one, none when they are not few."""
    width = width or const.dims[-1] or 1
    rows = min(const.count, _TABLE) // width
    if const.kind not in ("float", "int") or rows < _ROWS:
        return ()
    return _loud_rows(const.read, rows, width, times)


@functools.lru_cache(maxsize=64)
def _loud_rows(
    read: Callable[[int, int], Sequence[Number] | None], rows: int, width: int, times: float
) -> tuple[int, ...]:
    numbers = read(0, rows * width)
    if numbers is None or len(numbers) < rows * width:
        return ()
    sizes = [
        max(abs(float(n)) if _finite(n) else 0.0 for n in numbers[at : at + width])
        for at in range(0, rows * width, width)
    ]
    typical = sorted(sizes)[rows // 2]
    loud = tuple(row for row, size in enumerate(sizes) if size > times * typical)
    return loud if len(loud) <= max(1, rows // _RARE) else ()


def breaks_off(const: Const) -> bool:
    """True for a curve, written as a table, that rises evenly and then leaps."""
    if const.kind != "float" or not _CURVE <= const.count <= _TABLE or len(const.dims) != 1:
        return False
    found = const.read(0, const.count)
    if not found or len(found) < const.count or not all(_finite(number) for number in found):
        return False
    numbers = [float(number) for number in found]
    steps = sorted(abs(after - before) for before, after in itertools.pairwise(numbers))
    reach = max(numbers) - min(numbers)
    even = len(set(numbers)) > len(numbers) / 2 and steps[len(steps) // 2] > 0
    return even and steps[-1] > _LEAP * reach and sum(step > _LEAP / 2 * reach for step in steps) <= 2


def balanced(const: Const | None, width: int | None) -> bool:
    """True when all of a few rows of a table are learned and of the same size: none is nothing."""
    if const is None or width is None or width < 2 * _TINY or const.count > SAMPLE * _TINY:
        return False
    numbers = sample(const)
    if numbers is None or not is_irregular(const):
        return False
    found = const.read(0, const.count)
    if found is None or not all(_finite(n) for n in found):
        return False
    rows = [sum(float(n) ** 2 for n in found[at : at + width]) for at in range(0, len(found), width)]
    return len(rows) > 1 and 0 < max(rows) <= _ALIKE * min(rows)


def _irregular(numbers: Sequence[float], *, strictly: bool, quantised: bool) -> bool:
    sizes = sorted(abs(number) for number in numbers)
    largest, middle = sizes[-1], sizes[len(sizes) // 2]
    nonzero = sum(size > 0 for size in sizes)
    if largest == 0 or nonzero < (0.9 if strictly and not quantised else _SPARSE) * len(sizes):
        return False
    distinct = len(set(numbers))
    if quantised:
        return distinct >= 4
    if distinct < max(3, (0.8 if strictly else _DISTINCT) * len(numbers)):
        return False
    if strictly and sum(number * 64 == int(number * 64) for number in numbers if abs(number) < 1e9) * 2 > len(numbers):
        return False  # round numbers: written, not learned
    # Many zeros are pruning; next to nothing everywhere but in a few places is a detector.
    typical = next((size for size in sizes[len(sizes) - nonzero + nonzero // 2 :]), middle)
    return typical > _PEAKED * largest and middle < _HUGE


def sample(const: Const, *, deep: bool = True) -> list[float] | None:
    """Some hundred numbers from all over the constant, None when its data is not at hand."""
    return (
        _sample(const.read, const.count if deep else min(const.count, _FIRST))
        if const.kind in ("float", "int")
        else None
    )


@functools.lru_cache(maxsize=512)
def _sample(read: Callable[[int, int], Sequence[Number] | None], count: int) -> list[float] | None:
    """As one constant may feed thousands of nodes, what was read of it is kept for a while."""
    if count <= SAMPLE:
        windows = [read(0, count)]
    else:
        part = SAMPLE // (_WINDOWS + 1)
        # Not the very same column of each row: a step that is no divisor of the usual widths.
        starts = [0, *(min(count - part, count * (2 * window + 1) // (2 * _WINDOWS) + 7) for window in range(_WINDOWS))]
        windows = [read(start, part) for start in starts]
    numbers: list[float] = []
    for window in windows:
        if window is None:
            return None
        numbers += [float(number) for number in window if _finite(number)]
    return numbers


def _finite(number: Number) -> bool:
    return isinstance(number, int | float) and number == number and abs(number) != float("inf")


def is_flat(const: Const) -> bool:
    """True when all elements seem to be equal."""
    if const.count <= 1:
        return True
    found = const.read(0, min(const.count, SAMPLE))
    if not found:
        return False
    first = found[0]
    if any(number != first and number == number for number in found):
        return False
    if const.count <= SAMPLE:
        return True
    rest = sample(const)
    return rest is not None and all(number == first for number in rest)


def is_range(const: Const) -> bool:
    """True when the numbers are those of positions: each by the same amount larger than the one before."""
    if const.kind not in ("int", "float") or const.count < _TINY:
        return False
    found = const.read(0, min(const.count, SAMPLE))
    if not found or len(found) < _TINY or not all(isinstance(number, int | float) for number in found):
        return False
    first, second = float(found[0]), float(found[1])
    step = second - first
    return step != 0 and all(float(number) == first + place * step for place, number in enumerate(found))
