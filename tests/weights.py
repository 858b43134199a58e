"""Weight files of a few numbers, as their libraries write them."""

import io
import json
import struct
import zipfile

from fixtures.make.assemble import PROTO4, call, name, text

Numbers = dict[str, list[float]]
STORAGES = {"F32": "FloatStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage"}


def packed(numbers: list[float], dtype: str) -> bytes:
    """The numbers in a precision; BF16 by cutting off."""
    if dtype == "BF16":
        return b"".join(struct.pack("<f", number)[2:] for number in numbers)
    return struct.pack(f"<{len(numbers)}{'f' if dtype == 'F32' else 'e'}", *numbers)


def safetensors(tensors: Numbers, dtype: str = "F32") -> bytes:
    """One file."""
    header, data = {}, b""
    for key, numbers in tensors.items():
        piece = packed(numbers, dtype)
        header[key] = {"dtype": dtype, "shape": [len(numbers)], "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def checkpoint(tensors: Numbers, dtype: str = "F32", tied: dict[str, str] | None = None) -> bytes:
    """A zip of PyTorch; `tied` are second names of a tensor."""
    keys = {key: str(number) for number, key in enumerate(tensors)}
    items = b"".join(text(key) + _tensor(keys[key], len(numbers), dtype) for key, numbers in tensors.items())
    for second, first in (tied or {}).items():
        items += text(second) + _tensor(keys[first], len(tensors[first]), dtype)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", PROTO4 + b"}(" + items + b"u.")
        for key, numbers in tensors.items():
            archive.writestr(f"archive/data/{keys[key]}", packed(numbers, dtype))
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


def _tensor(key: str, count: int, dtype: str) -> bytes:
    size = b"J" + struct.pack("<i", count)
    storage = b"(" + text("storage") + name("torch", STORAGES[dtype]) + text(key) + text("cpu") + size + b"tQ"
    hooks = call(name("collections", "OrderedDict"))
    return call(
        name("torch._utils", "_rebuild_tensor_v2"), storage, b"K\0", size + b"\x85", b"K\x01\x85", b"\x89", hooks
    )
