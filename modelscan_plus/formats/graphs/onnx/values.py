"""The values of small constants, as Python numbers: bounded, without numpy.

    raw_data   elements one after the other, little-endian; types of 2, 4 and 6 bits are a stream of bits, low bits
               first
    int32_data also int8, uint8, int16, uint16, bool and the bits of float16, bfloat16 and the 8-bit floats;
               of 4-bit and 2-bit types as many a number as a byte holds, of 6-bit types one
    float_data, double_data: complex types take two numbers an element; uint64_data also uint32

Source: the comments of TensorProto in onnx.proto.
"""

import struct
from collections.abc import Sequence
from itertools import islice

from modelscan_plus.formats.graphs.onnx.model import DataType, Tensor
from modelscan_plus.formats.graphs.protobuf import unpack
from modelscan_plus.formats.graphs.spans import Numbers, Span

Value = int | float | complex | bytes
LIMIT = 4096
"""Elements that are read where the caller names no limit."""
_VARINT_BYTES = 10

_NATIVE: dict[int, str] = {
    DataType.FLOAT: "f",
    DataType.UINT8: "B",
    DataType.INT8: "b",
    DataType.UINT16: "H",
    DataType.INT16: "h",
    DataType.INT32: "i",
    DataType.INT64: "q",
    DataType.BOOL: "B",
    DataType.FLOAT16: "e",
    DataType.DOUBLE: "d",
    DataType.UINT32: "I",
    DataType.UINT64: "Q",
    DataType.BFLOAT16: "H",
}
_COMPLEX: dict[int, str] = {DataType.COMPLEX64: "f", DataType.COMPLEX128: "d"}
_SUBBYTE: dict[int, int] = {
    DataType.UINT4: 4,
    DataType.INT4: 4,
    DataType.FLOAT4E2M1: 4,
    DataType.UINT2: 2,
    DataType.INT2: 2,
    DataType.FLOAT6E2M3: 6,
    DataType.FLOAT6E3M2: 6,
}
_SMALL_FLOATS: dict[int, tuple[int, int, int, str]] = {
    DataType.FLOAT8E4M3FN: (4, 3, 7, "nan"),
    DataType.FLOAT8E4M3FNUZ: (4, 3, 8, "negative-zero"),
    DataType.FLOAT8E5M2: (5, 2, 15, "ieee"),
    DataType.FLOAT8E5M2FNUZ: (5, 2, 16, "negative-zero"),
    DataType.FLOAT4E2M1: (2, 1, 1, "finite"),
    DataType.FLOAT6E2M3: (2, 3, 1, "finite"),
    DataType.FLOAT6E3M2: (3, 2, 3, "finite"),
}
"""Bits of exponent and mantissa, exponent bias, and what the highest codes mean."""


def element_bits(data_type: int) -> int | None:
    """Bits of one element in raw_data; None for strings and for types that are not known."""
    if data_type in _NATIVE:
        return 8 * struct.calcsize("<" + _NATIVE[data_type])
    if data_type in _COMPLEX:
        return 16 * struct.calcsize("<" + _COMPLEX[data_type])
    if data_type in _SUBBYTE:
        return _SUBBYTE[data_type]
    return 8 if data_type in _SMALL_FLOATS or data_type == DataType.FLOAT8E8M0 else None


def declared_bytes(tensor: Tensor) -> int | None:
    """Bytes that the elements take by type and dims; None where the type has no fixed size."""
    bits = element_bits(tensor.data_type)
    return None if bits is None else (tensor.count * bits + 7) // 8


def values(tensor: Tensor, limit: int = LIMIT) -> Sequence[Value] | None:
    """All elements, at most `limit`; None for more of them, for data elsewhere, and for data that does not fit."""
    count = tensor.count
    if count > limit:
        return None
    found = first_values(tensor, count)
    return found if found is not None and len(found) == count else None


def first_values(tensor: Tensor, count: int) -> Sequence[Value] | None:
    """At most `count` elements from the start; None for data elsewhere or of a type that is not known."""
    count = min(count, tensor.count)
    if tensor.external:
        return None
    if tensor.data_type == DataType.STRING:
        return [span.read() for span in islice(tensor.string_data, count)]
    if tensor.raw_data is not None:
        return _from_raw(tensor.raw_data, tensor.data_type, count)
    return _from_numbers(tensor, count)


def _from_raw(span: Span, data_type: int, count: int) -> Sequence[Value] | None:
    bits = element_bits(data_type)
    if bits is None:
        return None
    data = span.read((count * bits + 7) // 8)
    return _elements(data, data_type, min(count, len(data) * 8 // bits))


def _elements(data: bytes, data_type: int, count: int) -> Sequence[Value]:
    if data_type == DataType.BFLOAT16:
        wide = b"".join(b"\0\0" + data[at : at + 2] for at in range(0, 2 * count, 2))
        return struct.unpack(f"<{count}f", wide)
    if data_type in _NATIVE:
        return struct.unpack_from(f"<{count}{_NATIVE[data_type]}", data)
    if data_type in _COMPLEX:
        return _pairs(struct.unpack_from(f"<{2 * count}{_COMPLEX[data_type]}", data))
    codes = _codes(data, _SUBBYTE[data_type], count) if data_type in _SUBBYTE else list(data[:count])
    return [_code(code, data_type) for code in codes]


def _pairs(parts: Sequence[float]) -> list[Value]:
    return [complex(real, imaginary) for real, imaginary in zip(parts[::2], parts[1::2], strict=False)]


def _codes(data: bytes, bits: int, count: int) -> list[int]:
    mask = (1 << bits) - 1
    stream = int.from_bytes(bytes(data[: (count * bits + 7) // 8]), "little")
    return [stream >> shift & mask for shift in range(0, count * bits, bits)]


def _code(code: int, data_type: int) -> Value:
    """One element of a type of at most eight bits."""
    match data_type:
        case DataType.INT4:
            return code - 16 if code > 7 else code
        case DataType.INT2:
            return code - 4 if code > 1 else code
        case DataType.UINT4 | DataType.UINT2:
            return code
        case DataType.FLOAT8E8M0:
            return float("nan") if code == 255 else 2.0 ** (code - 127)
    exponent_bits, mantissa_bits, bias, top = _SMALL_FLOATS[data_type]
    sign = -1.0 if code >> (exponent_bits + mantissa_bits) & 1 else 1.0
    exponent = code >> mantissa_bits & (1 << exponent_bits) - 1
    mantissa = code & (1 << mantissa_bits) - 1
    highest = exponent == (1 << exponent_bits) - 1
    if top == "negative-zero" and sign < 0 and not exponent and not mantissa:
        return float("nan")
    if top == "nan" and highest and mantissa == (1 << mantissa_bits) - 1:
        return float("nan")
    if top == "ieee" and highest:
        return float("nan") if mantissa else sign * float("inf")
    if not exponent:
        return sign * mantissa * 2.0 ** (1 - bias - mantissa_bits)
    return sign * (1 + mantissa / (1 << mantissa_bits)) * 2.0 ** (exponent - bias)


def _from_numbers(tensor: Tensor, count: int) -> Sequence[Value] | None:
    """Elements from the typed field that belongs to the type."""
    kind = tensor.data_type
    if kind in (DataType.FLOAT, DataType.COMPLEX64):
        return _floats(tensor.float_data, kind, count)
    if kind in (DataType.DOUBLE, DataType.COMPLEX128):
        return _floats(tensor.double_data, kind, count)
    if kind == DataType.INT64:
        return numbers(tensor.int64_data, count)
    if kind in (DataType.UINT32, DataType.UINT64):
        return numbers(tensor.uint64_data, count)
    bits = element_bits(kind)
    if bits is None:
        return None
    if kind in _SUBBYTE and bits < 6:
        packed = numbers(tensor.int32_data, (count * bits + 7) // 8)
        return _elements(bytes(int(number) & 255 for number in packed), kind, min(count, len(packed) * 8 // bits))
    found = numbers(tensor.int32_data, count)
    if kind in (DataType.INT32, DataType.INT16, DataType.UINT16, DataType.INT8, DataType.UINT8, DataType.BOOL):
        return found
    if kind in _SMALL_FLOATS:
        return [_code(int(number) & 255, kind) for number in found]
    width = bits // 8
    data = b"".join((int(number) & (1 << bits) - 1).to_bytes(width, "little") for number in found)
    return _elements(data, kind, len(found))


def _floats(found: Numbers | None, kind: int, count: int) -> Sequence[Value]:
    if kind in _COMPLEX:
        return _pairs(numbers(found, 2 * count))
    return numbers(found, count)


def numbers(found: Numbers | None, count: int) -> list[float]:
    """The first `count` numbers of a typed field; of integers always int."""
    result: list[float] = []
    if found is None:
        return result
    for piece in found.pieces:
        missing = count - len(result)
        if missing <= 0:
            break
        if isinstance(piece, Span):
            width = {"f": 4, "d": 8}.get(found.typecode, _VARINT_BYTES)
            result += unpack(piece.read(missing * width), found.typecode)[0][:missing]
        else:
            result += piece[:missing]
    return result
