"""How spans lie in the data of a safetensors file: what they cover, share and leave out."""

from collections.abc import Sequence

import msgspec

_KEPT = 100
_KEPT_RANGES = 10_000


class Layout(msgspec.Struct):
    """All positions are relative to the first byte of the data; lists hold the first hundred, counts all."""

    covered: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """Half-open ranges, merged, clipped to the data; the first ten thousand."""
    overlaps: list[tuple[int, int, int, int]] = msgspec.field(default_factory=list)
    """Index of the earlier and of the later tensor, first shared byte, number of shared bytes."""
    overlap_count: int = 0
    holes: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """Half-open ranges between tensors."""
    hole_count: int = 0
    beyond: int | None = None
    """Index of the first tensor that ends behind the data."""
    beyond_count: int = 0
    misplaced: int | None = None
    """Index of an empty tensor that does not stand where the one before it ends."""


def lay_out(begins: Sequence[int], ends: Sequence[int], size: int) -> Layout:
    """Lay spans with `begins[i] <= ends[i]` over `size` bytes of data."""
    layout = Layout()
    cursor = 0
    owner = -1
    run = 0
    for index in _in_order(begins, ends):
        begin, end = begins[index], ends[index]
        if end > size:
            layout.beyond_count += 1
            layout.beyond = index if layout.beyond is None else layout.beyond
        if begin == end:
            if begin != cursor and layout.misplaced is None:
                layout.misplaced = index
            continue
        if begin > cursor:
            _hole(layout, cursor, begin, run)
            run = begin
        elif begin < cursor:
            _overlap(layout, owner, index, begin, min(end, cursor) - begin)
        if end > cursor:
            cursor, owner = end, index
    _cover(layout, run, min(cursor, size))
    layout.holes = [(start, min(stop, size)) for start, stop in layout.holes if start < size]
    layout.covered = [(start, min(stop, size)) for start, stop in layout.covered if start < size]
    return layout


def _in_order(begins: Sequence[int], ends: Sequence[int]) -> Sequence[int]:
    """Indices by (begin, end), without a sort where the file is already in order."""
    last = -1
    for begin, end in zip(begins, ends, strict=True):
        key = begin << 64 | end
        if key < last:
            return sorted(range(len(begins)), key=lambda index: begins[index] << 64 | ends[index])
        last = key
    return range(len(begins))


def _hole(layout: Layout, start: int, stop: int, run: int) -> None:
    layout.hole_count += 1
    if len(layout.holes) < _KEPT:
        layout.holes.append((start, stop))
    _cover(layout, run, start)


def _cover(layout: Layout, start: int, stop: int) -> None:
    if start < stop and len(layout.covered) < _KEPT_RANGES:
        layout.covered.append((start, stop))


def _overlap(layout: Layout, first: int, second: int, start: int, length: int) -> None:
    layout.overlap_count += 1
    if len(layout.overlaps) < _KEPT:
        layout.overlaps.append((first, second, start, length))
