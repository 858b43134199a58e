"""Values of attributes: read when they are asked for, out of the file."""

from collections.abc import Iterator

from modelscan_plus.core.bytesource import ByteSource, BytesSource
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.graphs.protobuf import WireReader
from modelscan_plus.formats.graphs.spans import Span
from modelscan_plus.formats.graphs.tensorflow.model import AttrValue, MetaGraph, Node, Tensor
from modelscan_plus.formats.graphs.tensorflow.schema import TYPES
from modelscan_plus.formats.graphs.wire import varint

_STRING = 7
"""DT_STRING."""
_ITEMS = 1_000
"""Strings of one constant that are read; one more tells that there are more."""
_TEXT = 4 << 10
_LENGTHS = 1 << 20
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


def defaults(graph: MetaGraph) -> list[str]:
    """What inputs of the signatures are where the caller gives nothing."""
    return [
        text
        for entry in graph.signature_def[:_ITEMS]
        for default in (entry.value.defaults[:_ITEMS] if entry.value is not None else ())
        if default.value is not None and default.value.dtype == _STRING
        for text in _strings(default.value)
    ]


def _strings(tensor: Tensor) -> list[str]:
    return [span.read(_TEXT).decode("utf-8", "surrogateescape") for span in strings(tensor)[: _ITEMS + 1]]


def strings(tensor: Tensor) -> list[Span]:
    """The texts of a tensor, which stand one by one, or as one: the lengths of all, then all of them."""
    if tensor.string_val or tensor.tensor_content is None:
        return list(tensor.string_val)
    held = tensor.tensor_content
    data = held.read(_LENGTHS)
    lengths: list[int] = []
    at = total = 0
    while at < len(data) and at + total < held.length:
        length, at = varint(data, at)
        lengths.append(length)
        total += length
    if at + total != held.length:
        return [held]
    found = []
    for length in lengths:
        found.append(held.part(at, length))
        at += length
    return found
