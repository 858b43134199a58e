"""Constants of a file as torch tensors.

Half precision and the 8-bit and smaller floats become float32, so that gradients and sums are exact enough to search
with; the unsigned types that torch hardly computes with become the next larger signed one. Everything else keeps its
type.
"""

from collections.abc import Callable

import numpy as np
import torch

from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.formats.graphs.onnx.model import DataType, Tensor
from modelscan_plus.formats.graphs.onnx.values import declared_bytes, element_bits, numbers, values
from modelscan_plus.formats.graphs.spans import Numbers, Span
from modelscan_plus.probe.onnx.limits import NetworkLimits, Refused, shown

TORCH_TYPES: dict[int, torch.dtype] = {
    DataType.FLOAT: torch.float32,
    DataType.FLOAT16: torch.float32,
    DataType.BFLOAT16: torch.float32,
    DataType.DOUBLE: torch.float64,
    DataType.UINT8: torch.uint8,
    DataType.INT8: torch.int8,
    DataType.INT16: torch.int16,
    DataType.UINT16: torch.int32,
    DataType.INT32: torch.int32,
    DataType.UINT32: torch.int64,
    DataType.INT64: torch.int64,
    DataType.UINT64: torch.int64,
    DataType.BOOL: torch.bool,
    DataType.FLOAT8E4M3FN: torch.float32,
    DataType.FLOAT8E4M3FNUZ: torch.float32,
    DataType.FLOAT8E5M2: torch.float32,
    DataType.FLOAT8E5M2FNUZ: torch.float32,
    DataType.INT4: torch.int8,
    DataType.UINT4: torch.uint8,
    DataType.INT2: torch.int8,
    DataType.UINT2: torch.uint8,
}
"""What an element type of the file becomes."""
_RAW: dict[int, str] = {
    DataType.FLOAT: "<f4",
    DataType.FLOAT16: "<f2",
    DataType.DOUBLE: "<f8",
    DataType.UINT8: "u1",
    DataType.INT8: "i1",
    DataType.INT16: "<i2",
    DataType.UINT16: "<u2",
    DataType.INT32: "<i4",
    DataType.UINT32: "<u4",
    DataType.INT64: "<i8",
    DataType.UINT64: "<u8",
    DataType.BOOL: "u1",
    DataType.BFLOAT16: "<u2",
}
_PACKED = 1 << 20
"""Elements of an encoding that is read one by one in Python; larger tensors are refused."""
_SLOW = 4096
"""… of types of less than a byte outside raw_data, which no exporter writes."""
_CODES: dict[int, int] = {
    DataType.FLOAT8E4M3FN: 8,
    DataType.FLOAT8E4M3FNUZ: 8,
    DataType.FLOAT8E5M2: 8,
    DataType.FLOAT8E5M2FNUZ: 8,
    DataType.INT4: 4,
    DataType.UINT4: 4,
    DataType.INT2: 2,
    DataType.UINT2: 2,
}
"""Bits of the types whose elements are looked up in a table of all their values."""


def type_name(data_type: int) -> str:
    """For people."""
    return next((known.name.lower() for known in DataType if known == data_type), f"number {data_type}")


def constant(tensor: Tensor, limits: NetworkLimits) -> torch.Tensor:
    """The tensor with its data. Raises `Refused`."""
    name = shown(tensor.name)
    if tensor.external or tensor.external_data:
        raise Refused(f"the weight {name!r} is in another file; save the model as one file")
    if tensor.segment is not None:
        raise Refused(f"the weight {name!r} is a segment of a larger one")
    target = TORCH_TYPES.get(tensor.data_type)
    if target is None:
        raise Refused(f"the constant {name!r} has the element type {type_name(tensor.data_type)}")
    if any(size < 0 for size in tensor.dims) or len(tensor.dims) > limits.rank or tensor.count > limits.tensor:
        raise Refused(f"the constant {name!r} has a shape that is not accepted: {_dims(tensor)}")
    if tensor.data_type in _RAW and (found := _bytes(tensor)) is not None:
        return _from_bytes(found, tensor, target)
    if tensor.data_type in _CODES and tensor.raw_data is not None:
        return _from_codes(tensor, target)
    if tensor.count > (_SLOW if tensor.data_type in _CODES else _PACKED):
        raise Refused(f"the constant {name!r} is stored in a way that is read for short lists only")
    listed = _listed(tensor)
    if listed is None or len(listed) != tensor.count:
        raise Refused(f"the constant {name!r} has data that does not fit its shape {_dims(tensor)}")
    try:
        return torch.tensor(listed, dtype=target).reshape(tuple(tensor.dims))
    except (RuntimeError, OverflowError, TypeError) as error:
        raise Refused(f"the constant {name!r} has values that do not fit its type") from error


def _dims(tensor: Tensor) -> str:
    return "×".join(str(size) for size in list(tensor.dims)[:8]) or "scalar"


def _bytes(tensor: Tensor) -> bytes | None:
    """The elements one after the other, when that is how they are stored."""
    if tensor.raw_data is not None:
        span: Span | None = tensor.raw_data
    else:
        field: Numbers | None = None
        if tensor.data_type == DataType.FLOAT:
            field = tensor.float_data
        elif tensor.data_type == DataType.DOUBLE:
            field = tensor.double_data
        span = field.span if field is not None and field.pieces else None
    return None if span is None else span.read(span.length)


def _from_bytes(data: bytes, tensor: Tensor, target: torch.dtype) -> torch.Tensor:
    if len(data) != declared_bytes(tensor):
        raise Refused(f"the constant {shown(tensor.name)!r} has data that does not fit its shape {_dims(tensor)}")
    array = np.frombuffer(data, dtype=_RAW[tensor.data_type])
    if tensor.data_type == DataType.BFLOAT16:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    elif tensor.data_type == DataType.UINT64 and array.size and int(array.max()) >> 63:
        raise Refused(f"the constant {shown(tensor.name)!r} has numbers above 2^63")
    convert: Callable[..., np.ndarray] = array.astype
    return torch.from_numpy(convert(_NUMPY[target])).reshape(tuple(tensor.dims))


def _from_codes(tensor: Tensor, target: torch.dtype) -> torch.Tensor:
    assert tensor.raw_data is not None  # noqa: S101 - the caller looked
    data = tensor.raw_data.read(tensor.raw_data.length)
    if len(data) != declared_bytes(tensor):
        raise Refused(f"the constant {shown(tensor.name)!r} has data that does not fit its shape {_dims(tensor)}")
    bits = _CODES[tensor.data_type]
    codes = np.frombuffer(data, np.uint8)
    parts = [codes >> shift & ((1 << bits) - 1) for shift in range(0, 8, bits)]
    codes = np.stack(parts, axis=1).reshape(-1)[: tensor.count]
    every = Tensor(data_type=tensor.data_type, dims=(1 << bits,), raw_data=_all_codes(bits))
    table = torch.tensor([_real(value) for value in values(every) or ()], dtype=target)
    return table[torch.from_numpy(codes.astype(np.int64))].reshape(tuple(tensor.dims))


def _all_codes(bits: int) -> Span:
    if bits == 8:
        data = bytes(range(256))
    elif bits == 4:
        data = bytes(low | low + 1 << 4 for low in range(0, 16, 2))
    else:
        data = bytes([0b11100100])
    return Span(BytesSource(data), 0, len(data), data)


_NUMPY = {
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.uint8: np.uint8,
    torch.int8: np.int8,
    torch.int16: np.int16,
    torch.int32: np.int32,
    torch.int64: np.int64,
    torch.bool: np.bool_,
}


def _listed(tensor: Tensor) -> list[float] | None:
    """Elements one by one: typed integer fields, and the types of less than a byte."""
    if tensor.data_type == DataType.INT64 and tensor.raw_data is None:
        return numbers(tensor.int64_data, tensor.count + 1)
    if element_bits(tensor.data_type) is None:
        return None
    found = values(tensor, max(tensor.count, 1))
    return None if found is None else [_real(value) for value in found]


def _real(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0
