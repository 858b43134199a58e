"""Values of attributes: read when they are asked for, out of the file."""

from collections.abc import Iterator

from modelscan_plus.core.bytesource import ByteSource, BytesSource
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.graphs.protobuf import WireReader
from modelscan_plus.formats.graphs.spans import Span
from modelscan_plus.formats.graphs.tensorflow.model import AttrValue, Node, Tensor
from modelscan_plus.formats.graphs.tensorflow.schema import TYPES

_STRING = 7
"""DT_STRING."""
_ITEMS = 1_000
"""Strings of one constant that are read."""
_TEXT = 4 << 10
_VALUE = TYPES["AttrValue"]


def value_of(span: Span, source: ByteSource, budget: Budget) -> AttrValue:
    """An attribute's value; its spans read from `source`, the file."""
    made = AttrValue()
    if span.length <= len(span.head):
        WireReader(BytesSource(span.head), budget).read(_VALUE, made)
    else:
        WireReader(source, budget, start=span.offset, end=span.offset + span.length).read(_VALUE, made)
    return made


def text_of(node: Node, key: str, source: ByteSource, budget: Budget) -> str | None:
    """An attribute that is one text."""
    span = node.get(key)
    if span is None:
        return None
    found = value_of(span, source, budget).s
    return None if found is None else found.text(_TEXT)


def texts_of(node: Node, key: str, source: ByteSource, budget: Budget) -> list[str]:
    """An attribute that is a text or a list of texts."""
    span = node.get(key)
    if span is None:
        return []
    value = value_of(span, source, budget)
    spans = [value.s] if value.s is not None else list(value.list.s) if value.list is not None else []
    return [item.text(_TEXT) for item in spans[:_ITEMS]]


def functions_of(node: Node, source: ByteSource, budget: Budget) -> Iterator[str]:
    """Names of the functions in a node's attributes."""
    for attr in node.attr:
        if attr.value is None or attr.value.head[:1] not in (b"\x0a", b"\x52"):
            continue
        value = value_of(attr.value, source, budget)
        if value.func is not None:
            yield value.func.name
        if value.list is not None:
            yield from (function.name for function in value.list.func)


def constant(node: Node, source: ByteSource, budget: Budget) -> list[str] | None:
    """The texts of a Const; None where it holds numbers."""
    span = node.get("value")
    if span is None:
        return None
    tensor = value_of(span, source, budget).tensor
    return _strings(tensor) if tensor is not None and tensor.dtype == _STRING else None


def _strings(tensor: Tensor) -> list[str]:
    if tensor.string_val:
        return [span.text(_TEXT) for span in tensor.string_val[:_ITEMS]]
    if tensor.tensor_content is None:
        return []
    return [tensor.tensor_content.text(_TEXT)]  # lengths, then the texts; enough to be looked through
