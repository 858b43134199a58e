"""Sparse members of tar: a map of (offset, length) pairs says where in the file the stored bytes belong.

GNU's old form (type S) has four pairs of octal numbers in the header from byte 386, then blocks of 21 pairs while the
byte behind them is set, and the size of the whole file in 12 bytes from 483. The pax forms name the map in records
`GNU.sparse.*`: 0.0 as repeated offset and numbytes, 0.1 as one list, 1.0 (major and minor) as lines of decimals in
front of the data, padded to 512. Source: GNU tar's manual, appendix "Storing sparse files", and CPython's tarfile.
"""

from collections.abc import Callable

from modelscan_plus.core.bytesource import ByteSource

_BLOCK = 512
_MAX_PAIRS = 20_000
_MAX_MAP = 1 << 20

Pairs = tuple[tuple[int, int], ...]
Number = Callable[[bytes], int]
"""Reads a number of a header; raises ValueError."""


class SparseSource(ByteSource):
    """The file that a map and the stored bytes make; holes read as zeros."""

    def __init__(self, parent: ByteSource, start: int, pairs: Pairs, size: int) -> None:
        self.size = size
        self.remote = parent.remote
        self._parent = parent
        self._pieces: list[tuple[int, int, int]] = []
        """(first offset, offset behind, place in the parent), in order of offset."""
        for offset, length in pairs:
            self._pieces.append((offset, min(offset + length, size), start))
            start += length
        self._pieces.sort()

    def pread(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        if offset < 0 or length <= 0:
            return b""
        data = bytearray(length)
        for first, stop, place in self._pieces:
            low, high = max(first, offset), min(stop, offset + length)
            if low < high:
                piece = self._parent.pread(place + low - first, high - low)
                data[low - offset : low - offset + len(piece)] = piece
        self.bytes_read += length
        return bytes(data)


def old_map(source: ByteSource, position: int, block: bytes, number: Number) -> tuple[Pairs, int, int] | None:
    """Pairs, real size, and where the data begins, for a header of type S at `position`; None for no valid map."""
    try:
        pairs = _octal_pairs(block[386:482], number)
        data, more = position + _BLOCK, block[482]
        while more and len(pairs) < _MAX_PAIRS:
            extension = source.pread(data, _BLOCK)
            if len(extension) < _BLOCK:
                return None
            pairs += _octal_pairs(extension[:504], number)
            data, more = data + _BLOCK, extension[504]
        real = number(block[483:495])
    except ValueError:
        return None
    return (tuple(pairs), real, data) if not more else None


def _octal_pairs(data: bytes, number: Number) -> list[tuple[int, int]]:
    pairs = []
    for at in range(0, len(data) - 23, 24):
        if not data[at]:
            break
        pairs.append((number(data[at : at + 12]), number(data[at + 12 : at + 24])))
    return pairs


def pax_map(records: list[tuple[str, str]], source: ByteSource, data: int) -> tuple[Pairs, int, int] | None:
    """Pairs, real size, and bytes of map in front of the data; None for a member that is not sparse, or not valid."""
    fields = dict(records)
    size = fields.get("GNU.sparse.realsize", fields.get("GNU.sparse.size", ""))
    if not size.isdecimal() or len(size) > 19:
        return None
    if "GNU.sparse.map" in fields:
        numbers, skip = _decimals(fields["GNU.sparse.map"].split(",")), 0
    elif fields.get("GNU.sparse.major") == "1" and fields.get("GNU.sparse.minor") == "0":
        numbers, skip = _lines(source, data)
    else:
        values = [value for key, value in records if key in ("GNU.sparse.offset", "GNU.sparse.numbytes")]
        numbers, skip = _decimals(values), 0
    if numbers is None or len(numbers) % 2 or len(numbers) > 2 * _MAX_PAIRS:
        return None
    return tuple(zip(numbers[::2], numbers[1::2], strict=True)), int(size), skip


def _decimals(texts: list[str]) -> list[int] | None:
    return [int(text) for text in texts] if all(text.isdecimal() and len(text) < 20 for text in texts) else None


def _lines(source: ByteSource, data: int) -> tuple[list[int] | None, int]:
    text = source.pread(data, _MAX_MAP)
    first, newline, _ = text.partition(b"\n")
    if not newline or not first.isdigit() or len(first) > 6:
        return None, 0
    count = 2 * int(first)
    lines = text.split(b"\n", count + 1)
    if len(lines) < count + 2:
        return None, 0
    used = sum(len(line) + 1 for line in lines[: count + 1])
    return _decimals([line.decode("latin-1") for line in lines[1 : count + 1]]), -(-used // _BLOCK) * _BLOCK
