"""A hex window as rows of sixteen bytes in which the bytes that matter are marked. Shared by the outputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelscan_plus.core.finding import HexWindow

WIDTH = 16
"""Bytes in a row."""

Run = tuple[str, bool]
"""Text, and whether it is marked."""


@dataclass(frozen=True, slots=True)
class HexRow:
    """Sixteen bytes, or fewer in the last row."""

    offset: str
    """Of the first byte in the file: eight hexadecimal digits."""
    digits: tuple[Run, ...]
    """Two digits and a space for each byte, filled up to the full width."""
    text: tuple[Run, ...]
    """The bytes as ASCII, with a middle dot for those that are not printable."""


def hex_rows(window: HexWindow) -> Iterator[HexRow]:
    """The rows of the window; none when its data are not hexadecimal, as in a report that somebody edited."""
    try:
        data = bytes.fromhex(window.data)
    except ValueError:
        return
    marked = range(window.mark_start, window.mark_start + window.mark_length)
    for start in range(0, len(data), WIDTH):
        row = data[start : start + WIDTH]
        flags = [position in marked for position in range(start, start + len(row))]
        digits = _runs([f"{byte:02x} " for byte in row], flags)
        text = _runs([chr(byte) if 32 <= byte < 127 else "·" for byte in row], flags)
        filler = [("   " * (WIDTH - len(row)), False)] if len(row) < WIDTH else []
        yield HexRow(f"{window.offset + start:08x}", (*digits, *filler), tuple(text))


def _runs(parts: Sequence[str], flags: Sequence[bool]) -> list[Run]:
    """Neighbours with the same flag put together."""
    runs: list[Run] = []
    for part, flag in zip(parts, flags, strict=True):
        if runs and runs[-1][1] == flag:
            runs[-1] = (runs[-1][0] + part, flag)
        else:
            runs.append((part, flag))
    return runs
