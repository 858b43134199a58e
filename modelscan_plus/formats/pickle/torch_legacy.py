"""The frame of a legacy torch checkpoint: magic number and storages.

Layout: pickle of the integer 0x1950a86a20f9469cfc6c, pickle of 1001, pickle of a dict about the system, pickle of the
object (its tensors are persistent ids `("storage", class, key, location, numel, view)`), pickle of the list of
storage keys, and for each key eight bytes little-endian element count and the elements.
Source: torch/serialization.py, `_legacy_save` and `_legacy_load`, 1.0 to 2.13.
"""

from collections.abc import Sequence

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.formats.pickle.facts import PickleFacts
from modelscan_plus.formats.pickle.values import Global, PersistentId, sequence, text_of

_MOST = 20_000
_MAGIC = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
_ELEMENT_SIZES = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1, "ComplexDoubleStorage": 16,
    "ComplexFloatStorage": 8, "QUInt8Storage": 1, "QInt8Storage": 1, "QInt32Storage": 4, "QUInt4x2Storage": 1,
    "QUInt2x4Storage": 1, "UntypedStorage": 1,
}  # fmt: skip


def element_size(storage: str) -> int:
    """Bytes per element of a storage class; 1 for an unknown one."""
    return _ELEMENT_SIZES.get(storage, 1)


def has_magic(head: bytes) -> bool:
    """True when the first pickle of the file is torch's magic number."""
    return _MAGIC in head[:32] and head[:1] in (b"\x80", b"\x8a")


def storages(streams: Sequence[PickleFacts], source: ByteSource, start: int) -> tuple[int, dict[str, tuple[int, int]]]:
    """Offset behind the last storage that agrees with the checkpoint's own account of it, `start` when none does; and
    by key, where the first 20,000 stand: offset and bytes."""
    places: dict[str, tuple[int, int]] = {}
    if len(streams) < 5:
        return start, places
    sizes = _element_sizes(streams[3])
    position = start
    for key in sequence(streams[4].result) or ():
        name = text_of(key) or ""
        size = sizes.get(name)
        count = source.read_exact(position, 8)
        if size is None or count is None:
            break
        end = position + 8 + int.from_bytes(count, "little") * size
        if end > source.size:
            break
        if len(places) < _MOST:
            places[name] = (position + 8, end - position - 8)
        position = end
    return position, places


def _element_sizes(program: PickleFacts) -> dict[str, int]:
    """Bytes per element by storage key."""
    sizes: dict[str, int] = {}
    for effect in program.effects:
        if not isinstance(effect, PersistentId):
            continue
        parts = sequence(effect.value)
        if parts and len(parts) >= 5 and text_of(parts[0]) == "storage" and isinstance(parts[1], Global):
            key = text_of(parts[2])
            if key is not None:
                sizes[key] = element_size(parts[1].name)
    return sizes
