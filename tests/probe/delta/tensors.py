"""Safetensors files out of numpy arrays, without the library."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.probe.files import ModelFiles


def bf16(array: Any) -> Any:
    """The upper halves of numbers of 32 bits, rounded to nearest; to be written as BF16."""
    bits = np.ascontiguousarray(array, "<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def pack(tensors: Mapping[str, Any]) -> bytes:
    """A file; unsigned numbers of 16 bits are written as BF16."""
    names = {"float32": "F32", "float16": "F16", "float64": "F64", "uint16": "BF16", "int8": "I8"}
    entries, data = {}, b""
    for name, array in tensors.items():
        piece = np.ascontiguousarray(array).tobytes()
        entries[name] = {
            "dtype": names[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(piece)],
        }
        data += piece
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + data


def files(tensors: Mapping[str, Any], **others: Any) -> ModelFiles:
    """A model's folder; other files are given as JSON or text, "__" in their names standing for a dot."""
    parts = {"model.safetensors": pack(tensors)}
    for name, value in others.items():
        text = value if isinstance(value, str) else json.dumps(value)
        parts[name.replace("__", ".")] = text.encode()
    return ModelFiles({name: BytesSource(part) for name, part in parts.items()}, "model")
