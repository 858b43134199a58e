"""Random protocol buffers, and the comparison of what our reader makes of them with what the library makes."""

import math
import random
from array import array
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.graphs.onnx.model import Model
from modelscan_plus.formats.graphs.onnx.schema import MODEL, SCHEMA
from modelscan_plus.formats.graphs.onnx.values import numbers
from modelscan_plus.formats.graphs.protobuf import Kind, WireReader

_INTEGERS = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64)


def read(data: bytes, limits: Limits | None = None) -> tuple[Model, WireReader]:
    """The model in `data`, and its reader with what it noted."""
    model = Model()
    reader = WireReader(BytesSource(data), Budget(limits or Limits()))
    reader.read(MODEL, model)
    return model, reader


def random_message(chance: random.Random, message: Any, depth: int = 5) -> None:
    """Fill a message with random values, deep ones less often."""
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.45:
            continue
        many = field.is_repeated
        for _ in range(chance.choice((1, 1, 2, 5)) if many else 1):
            if field.message_type is not None:
                if depth:
                    inner = getattr(message, field.name).add() if many else getattr(message, field.name)
                    random_message(chance, inner, depth - 1)
                    if not many:
                        inner.SetInParent()
            elif many:
                getattr(message, field.name).append(_scalar(chance, field.type))
            else:
                setattr(message, field.name, _scalar(chance, field.type, field.enum_type))


def _scalar(chance: random.Random, kind: int, enum: Any = None) -> Any:
    if enum is not None:
        return chance.choice(enum.values).number
    if kind == FieldDescriptor.TYPE_STRING:
        return "".join(chance.choice("abcé\u4e2d_/:.0") for _ in range(chance.choice((0, 3, 12, 200))))
    if kind == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.choice((0, 1, 8, 255, 256, 257, 3000)))
    if kind in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return chance.choice((0.0, 1.5, -2.25, float("inf"), float("nan"), chance.uniform(-1, 1)))
    bits = 63 if kind in _INTEGERS else 31
    low = 0 if kind == FieldDescriptor.TYPE_UINT64 else -(1 << bits)
    return chance.choice((0, 1, 127, 128, low, (1 << bits) - 1, chance.randrange(low, 1 << bits)))


def differences(proto: Any, value: Any, where: str = "") -> Iterator[str]:
    """Fields in which our object and the library's message differ."""
    fields = SCHEMA[proto.DESCRIPTOR.name][1]
    for field in fields:
        path = f"{where}.{field.name}"
        theirs, ours = getattr(proto, field.name), getattr(value, field.name)
        if field.kind is Kind.MESSAGE and field.repeated:
            if len(theirs) != len(ours):
                yield f"{path}: {len(theirs)} against {len(ours)}"
            for number, (left, right) in enumerate(zip(theirs, ours, strict=False)):
                yield from differences(left, right, f"{path}[{number}]")
        elif field.kind is Kind.MESSAGE:
            if proto.HasField(field.name) != (ours is not None):
                yield f"{path}: presence"
            elif ours is not None:
                yield from differences(theirs, ours, path)
        elif not _same(theirs, _plain(ours), field.repeated):
            yield f"{path}: {theirs!r:.200} against {ours!r:.200}"


def _plain(ours: Any) -> Any:
    if hasattr(ours, "pieces"):
        return numbers(ours, 1 << 30)
    if hasattr(ours, "read"):
        return ours.read(1 << 30)
    if isinstance(ours, (list, tuple, array)):
        return [_plain(item) for item in ours]
    return ours


def _same(theirs: Any, ours: Any, many: bool) -> bool:
    if isinstance(theirs, str) and isinstance(ours, bytes):
        ours = ours.decode()
    if ours is None:
        return not theirs  # a span or a member of a oneof that is not there
    if many or isinstance(ours, list):
        return len(theirs) == len(ours) and all(_same(a, b, False) for a, b in zip(theirs, ours, strict=True))
    if isinstance(theirs, float):
        return theirs == ours or (math.isnan(theirs) and math.isnan(ours))
    return bool(theirs == ours)
