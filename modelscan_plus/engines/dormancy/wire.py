"""Changes to a model's bytes: values made outputs, and a value cut off from what computes it and made an input.

Protocol buffers join a repeated or nested message with what stands before it, so that appending is enough to add. To
cut, the output of one node is given another name; everything else is copied as it stands (onnx.proto: ModelProto.graph
is field 7, GraphProto.node 1, .input 11, .output 12, NodeProto.output 2, ValueInfoProto.name 1 and .type 2).
"""

from collections.abc import Iterator, Sequence

_GRAPH, _NODE, _INPUT, _OUTPUT, _NODE_OUTPUT = 7, 1, 11, 12, 2
_LENGTH = 2
_FIXED = {1: 8, 5: 4}
CUT = "modelscan-plus/cut"
"""The name that the cut node's own result gets; nobody reads it."""


class Malformed(ValueError):
    """Not the protocol buffer that the reader took it for."""


def exposed(model: bytes, names: Sequence[str]) -> bytes:
    """The model with more outputs."""
    extra = b"".join(field(_OUTPUT, field(1, name.encode("utf-8", "surrogateescape"))) for name in names)
    return model + field(_GRAPH, extra) if names else model


def cut(model: bytes, name: str, data_type: int) -> bytes:
    """The model in which the value `name`, of `data_type` as onnx numbers it, is an input of any shape.

    Raises `Malformed` where no node gives that value.
    """
    key = name.encode("utf-8", "surrogateescape")
    parts: list[bytes] = []
    found = False
    for number, whole, body in _fields(model):
        if number == _GRAPH and body is not None:
            changed = _without(body, key)
            found = found or changed is not None
            parts.append(whole if changed is None else field(_GRAPH, changed))
        else:
            parts.append(whole)
    if not found:
        raise Malformed(f"no node gives {name}")
    kind = field(2, field(1, b"\x08" + varint(data_type)))
    return b"".join(parts) + field(_GRAPH, field(_INPUT, field(1, key) + kind))


def _without(graph: bytes, key: bytes) -> bytes | None:
    """The graph in which the node that gives `key` gives something else; None where none does."""
    parts: list[bytes] = []
    found = False
    mark = field(_NODE_OUTPUT, key)
    for number, whole, body in _fields(graph):
        if number == _NODE and body is not None and mark in body:
            outputs = [inner for inner in _fields(body) if inner[0] == _NODE_OUTPUT and inner[2] == key]
            if outputs:
                found = True
                renamed = field(_NODE_OUTPUT, CUT.encode())
                body = b"".join(
                    renamed if one[0] == _NODE_OUTPUT and one[2] == key else one[1] for one in _fields(body)
                )
                whole = field(_NODE, body)
        parts.append(whole)
    return b"".join(parts) if found else None


def _renamed(one: tuple[int, bytes, bytes | None], key: bytes) -> bytes:
    return field(_NODE_OUTPUT, CUT.encode()) if one[0] == _NODE_OUTPUT and one[2] == key else one[1]


def _fields(data: bytes) -> Iterator[tuple[int, bytes, bytes | None]]:
    """(number, the field as it stands, its content where it has a length)."""
    place = 0
    while place < len(data):
        start = place
        tag, place = _read(data, place)
        wire = tag & 7
        if wire == 0:
            _, place = _read(data, place)
            body = None
        elif wire == _LENGTH:
            length, place = _read(data, place)
            body = data[place : place + length]
            place += length
        elif wire in _FIXED:
            body = None
            place += _FIXED[wire]
        else:
            raise Malformed(f"wire type {wire}")
        if place > len(data):
            raise Malformed("a field beyond the end")
        yield tag >> 3, data[start:place], body


def _read(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data):
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
    raise Malformed("a number beyond the end")


def field(number: int, value: bytes) -> bytes:
    """One field with a length."""
    return varint(number << 3 | _LENGTH) + varint(len(value)) + value


def varint(number: int) -> bytes:
    """A number, seven bits a byte."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def rehearsal() -> bytes:
    """A small model in which parts sleep: x filled in where it is missing, and more of it far from zero. Whoever looks
    for them in it has loaded all that is loaded late."""
    steps = (("IsNaN", "x", "gone"), ("Where", "gone far x", "z"), ("Sub", "z far", "d"), ("Relu", "d", "r"))
    graph = field(2, b"g")
    for operator, ins, out in (*steps, ("Mul", "r far", "more"), ("Add", "z more", "y")):
        names = b"".join(field(1, name.encode()) for name in ins.split())
        graph += field(1, names + field(2, out.encode()) + field(4, operator.encode()))
    graph += field(5, b"\x08\x01\x10\x01" + field(8, b"far") + field(9, b"\x00\x00\x48\x42"))  # [50.0]
    shape = field(2, field(1, field(2, b"n")) + 2 * field(1, b"\x08\x08"))  # (n, 8, 8): drawn as a picture, too
    kind = field(2, field(1, b"\x08\x01" + shape))
    graph += field(_INPUT, field(1, b"x") + kind) + field(_OUTPUT, field(1, b"y") + kind)
    return b"\x08\x08" + field(_GRAPH, graph) + field(8, b"\x10\x0d")
