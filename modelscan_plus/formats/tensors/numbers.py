"""Raw numbers: a file without any header that holds nothing but floating-point numbers of moderate size.

Embeddings of voices and the like are published so (`array.tofile`). Nothing says it in the bytes, but their exponents
do: of random, compressed or encrypted bytes one in six reads as a float32 between 1e-8 and 1e4, of such files nearly
all. Text and programs fail the test as clearly.
"""

import struct

from modelscan_plus.core.bytesource import ByteSource

_WINDOW = 4096
_WINDOWS = 32
_REMOTE_WINDOWS = 2
_LEAST = 64
"""Numbers below which nothing can be said."""
_SHARE = 0.99
_TYPES = (("float32", "f", 4), ("float64", "d", 8), ("float16", "e", 2))


def number_type(source: ByteSource) -> str:
    """ "float32", "float64" or "float16" for a file of such numbers in little-endian, "" for anything else."""
    for name, code, width in _TYPES:
        if source.size % width == 0 and source.size >= _LEAST * width and _moderate(source, code, width):
            return name
    return ""


def _moderate(source: ByteSource, code: str, width: int) -> bool:
    windows = _REMOTE_WINDOWS if source.remote else _WINDOWS
    last = max(0, source.size - _WINDOW) // 8 * 8
    places = sorted({last * number // max(1, windows - 1) // 8 * 8 for number in range(windows)})
    different: set[float] = set()
    for place in places:
        data = source.pread(place, _WINDOW)
        data = data[: len(data) // width * width]
        values = struct.unpack(f"<{len(data) // width}{code}", data)
        good = sum(_is_moderate(value) for value in values)
        if not values or good < _SHARE * len(values):
            return False
        different.update(values[:64])
    return len(different) >= _LEAST // 2


def _is_moderate(value: float) -> bool:
    return value == 0 or 1e-8 < abs(value) < 1e4
