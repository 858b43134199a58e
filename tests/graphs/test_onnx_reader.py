"""The ONNX reader against the onnx package: the same fields, the same values, and no more bytes than needed."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from onnx import TensorProto, helper, numpy_helper

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, BytesSource
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.onnx.format import OnnxFormat
from modelscan_plus.formats.graphs.onnx.model import AttributeType, DataType, Tensor
from modelscan_plus.formats.graphs.onnx.schema import SCHEMA
from modelscan_plus.formats.graphs.onnx.values import first_values, values
from modelscan_plus.formats.graphs.protobuf import Kind
from modelscan_plus.formats.interface import HEAD, TAIL, View
from tests.graphs.protos import differences, random_message, read

SHIPPED = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data").rglob("*.onnx"))
_SCALARS = {
    FieldDescriptor.TYPE_INT64: (Kind.INT64, Kind.DATA_INT64),
    FieldDescriptor.TYPE_INT32: (Kind.INT32, Kind.DATA_INT32),
    FieldDescriptor.TYPE_ENUM: (Kind.INT32,),
    FieldDescriptor.TYPE_UINT64: (Kind.UINT64, Kind.DATA_UINT64),
    FieldDescriptor.TYPE_FLOAT: (Kind.FLOAT, Kind.DATA_FLOAT),
    FieldDescriptor.TYPE_DOUBLE: (Kind.DOUBLE, Kind.DATA_DOUBLE),
    FieldDescriptor.TYPE_STRING: (Kind.STRING, Kind.TEXT),
    FieldDescriptor.TYPE_BYTES: (Kind.SPAN, Kind.TEXT),
    FieldDescriptor.TYPE_MESSAGE: (Kind.MESSAGE,),
}


def small_model() -> onnx.ModelProto:
    """A model of two nodes and one weight."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [info("x", TensorProto.FLOAT, ["n", 4])],
        [info("z", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor("w", TensorProto.FLOAT, [4, 2], [0.5] * 8)],
    )
    return helper.make_model(graph)


def view(data: bytes, name: str) -> View:
    return View(Artifact(name, BytesSource(data)), data[:HEAD], data[-TAIL:])


def test_the_schema_is_that_of_the_installed_onnx() -> None:
    seen = {}
    todo = [onnx.ModelProto.DESCRIPTOR]
    while todo:
        message = todo.pop()
        seen[message.name] = message
        todo += [
            field.message_type for field in message.fields if field.message_type and field.message_type.name not in seen
        ]
    assert seen.keys() == SCHEMA.keys()
    for name, message in seen.items():
        ours = {field.number: field for field in SCHEMA[name][1]}
        assert ours.keys() >= {field.number for field in message.fields}, name
        for field in message.fields:
            mine = ours[field.number]
            assert mine.name == field.name
            assert mine.kind in _SCALARS[field.type]
            assert (mine.repeated or mine.kind >= Kind.DATA_FLOAT) == bool(field.is_repeated)
            assert mine.top == (max(field.enum_type.values_by_number) if field.enum_type else 0)
            assert mine.message == (field.message_type.name if field.message_type else "")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_shipped_models_are_read_as_onnx_reads_them(path: Path) -> None:
    data = path.read_bytes()
    model, reader = read(data)
    assert list(differences(onnx.load_from_string(data), model)) == []
    assert reader.anomalies == []
    assert reader.end == len(data)
    assert OnnxFormat().claims(view(data, "no-extension"))


@pytest.mark.parametrize("seed", range(60))
def test_random_models_are_read_as_protobuf_reads_them(seed: int) -> None:
    proto = onnx.ModelProto()
    random_message(random.Random(seed), proto)
    model, reader = read(proto.SerializeToString())
    assert list(differences(proto, model)) == []
    assert reader.anomalies == []


def test_a_model_as_typed_objects() -> None:
    data = small_model().SerializeToString()
    model, _ = read(data)
    assert model.graph is not None
    assert [(node.op_type, list(node.input), list(node.output)) for node in model.graph.node] == [
        ("MatMul", ["x", "w"], ["y"]),
        ("Relu", ["y"], ["z"]),
    ]
    assert model.graph.input[0].shape == ("n", 4)
    assert model.opsets()[""] > 0
    node = model.graph.node[1]
    assert onnx.NodeProto.FromString(data[node.offset : node.offset + node.length]).op_type == "Relu"


def test_attribute_values_by_type() -> None:
    attributes = {"a": 1, "b": 1.5, "c": "text", "d": [1, -2], "e": [0.5], "f": ["x", "y"]}
    node = helper.make_node("Op", ["x"], ["y"], **attributes)
    graph = helper.make_graph([node], "g", [], [])
    model, _ = read(helper.make_model(graph).SerializeToString())
    assert model.graph is not None
    found = {attribute.name: attribute.value for attribute in model.graph.node[0].attribute}
    assert found["a"] == 1
    assert found["b"] == 1.5
    assert found["c"] == b"text"
    assert list(found["d"]) == [1, -2]  # type: ignore[call-overload]
    assert list(found["e"]) == [0.5]  # type: ignore[call-overload]
    assert found["f"] == [b"x", b"y"]
    assert model.graph.node[0].get("c") is not None
    assert model.graph.node[0].attribute[0].type == AttributeType.INT


_TYPES = [kind for kind in DataType if kind not in (DataType.UNDEFINED, DataType.STRING)]


@pytest.mark.parametrize("kind", _TYPES)
@pytest.mark.parametrize("raw", [True, False])
def test_values_of_every_type(kind: DataType, raw: bool) -> None:
    given = [0, 1, 0, 1, 1, 0, 1] if kind in (DataType.BOOL, DataType.UINT2, DataType.INT2) else [1, 2, 4, 0, 1, 2, 1]
    tensor = helper.make_tensor("t", kind, [7], [complex(v, 1) for v in given] if "COMPLEX" in kind.name else given)
    if raw:
        tensor = numpy_helper.from_array(numpy_helper.to_array(tensor), "t")
    graph = helper.make_graph([], "g", [], [], [tensor])
    model, _ = read(helper.make_model(graph).SerializeToString())
    assert model.graph is not None
    ours = values(model.graph.initializer[0])
    expected = numpy_helper.to_array(tensor)
    assert ours is not None
    assert list(ours) == [complex(v) if "COMPLEX" in kind.name else float(v) for v in expected]


@pytest.mark.parametrize(
    "kind", [DataType.FLOAT8E4M3FN, DataType.FLOAT8E4M3FNUZ, DataType.FLOAT8E5M2, DataType.FLOAT8E5M2FNUZ]
)
def test_every_code_of_the_eight_bit_floats(kind: DataType) -> None:
    tensor = helper.make_tensor("t", kind, [256], bytes(range(256)), raw=True)
    graph = helper.make_graph([], "g", [], [], [tensor])
    model, _ = read(helper.make_model(graph).SerializeToString())
    assert model.graph is not None
    ours = values(model.graph.initializer[0])
    assert ours is not None
    for mine, theirs in zip(ours, numpy_helper.to_array(tensor).astype("float32"), strict=True):
        assert mine == theirs or (mine != mine and theirs != theirs)


def test_values_are_bounded() -> None:
    tensor = Tensor(data_type=DataType.FLOAT, dims=[1 << 40])
    assert values(tensor) is None
    model, _ = read(small_model().SerializeToString())
    assert model.graph is not None
    assert values(model.graph.initializer[0], limit=7) is None
    assert list(first_values(model.graph.initializer[0], 3) or ()) == [0.5] * 3


def length_field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


GRAPH = length_field(7, length_field(2, b"g"))
NODE = length_field(4, b"Relu")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x08\x0d" + GRAPH + length_field(99, b"x" * 20), "unknown-field"),
        (b"\x08\x0d" + GRAPH + GRAPH, "repeated-message"),
        (b"\x08\x0d\x08\x0e" + GRAPH, "repeated-singular"),
        (b"\x08\x8d\x00" + GRAPH, "overlong-varint"),
        (b"\x88\x80\x00\x0d" + GRAPH, "overlong-varint"),
        (b"\x08\x0d" + GRAPH + b"\x9b\x06\x08\x01\x9c\x06", "group"),
        (b"\x08\x0d" + GRAPH + b"\x9b\x06\x08\x01\x94\x06", "malformed"),
        (b"\x08\x0d" + GRAPH + b"\0\0\0\0", "malformed"),
        (b"\x08\x0d" + GRAPH + b"\x0c", "malformed"),
        (b"\x08\x0d" + GRAPH[:-1], "truncated"),
        (b"\x08\x0d" + b"\x38\x01" + GRAPH, "wire-type"),
        (b"\x08" + b"\xff" * 11 + GRAPH, "malformed"),
        (b"\x08\x0d" + GRAPH + b"\x28", "truncated"),
        (b"\x08\x0d\x72" + b"\x80" * 9 + b"\x02" + GRAPH, "malformed"),
        (b"\x08\x0d" + length_field(7, length_field(5, b"\x3a\x02\x80\x80")), "malformed"),
        (b"\x08\x0d" + length_field(7, length_field(1, NODE + length_field(5, b"\xa0\x01\x7f"))), "unknown-field"),
        (b"\x08\x0d" + length_field(7, length_field(2, b"\xff\xfe")), "not-utf8"),
        (b"\x08\x0d" + length_field(7, length_field(2, b"n" * 70_000)), "long-text"),
        (b"\x08\x0d" + length_field(7, length_field(1, length_field(1, b"x")[:-1] + b"")), "truncated"),
    ],
)
def test_what_protobuf_hides_is_noted(data: bytes, code: str) -> None:
    _, reader = read(data)
    assert code in reader.counts
    assert any(anomaly.code == code for anomaly in reader.anomalies)


def test_two_graphs_are_merged_as_protobuf_merges_them() -> None:
    data = b"\x08\x0d" + length_field(7, length_field(1, NODE)) * 2 + length_field(7, length_field(2, b"last"))
    model, _ = read(data)
    assert list(differences(onnx.ModelProto.FromString(data), model)) == []


def test_a_broken_message_does_not_end_its_neighbours() -> None:
    graph = length_field(1, b"\x0f") + length_field(1, NODE)
    model, reader = read(b"\x08\x0d" + length_field(7, graph))
    assert reader.counts == {"malformed": 1}
    assert model.graph is not None
    assert [node.op_type for node in model.graph.node] == ["", "Relu"]


@pytest.mark.timeout(60)
def test_deep_nesting_is_read_without_recursion() -> None:
    graph = length_field(2, b"innermost")
    for _ in range(3000):
        graph = length_field(1, length_field(4, b"If") + length_field(5, length_field(6, graph)))
    model, reader = read(b"\x08\x0d" + length_field(7, graph))
    depth = 0
    inner = model.graph
    while inner is not None and inner.node:
        inner = next(inner.node[0].subgraphs(), None)
        depth += 1
    assert depth == 3000
    assert inner is not None
    assert inner.name == "innermost"
    assert reader.counts.keys() == {"too-deep"}


class Sparse(ByteSource):
    """A file of which only some stretches are not zero; counts the requests."""

    def __init__(self, parts: list[tuple[int, bytes]], size: int) -> None:
        self.parts = parts
        self.size = size
        self.requests = 0

    def pread(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        data = bytearray(length)
        for start, part in self.parts:
            low, high = max(start, offset), min(start + len(part), offset + length)
            if low < high:
                data[low - offset : high - offset] = part[low - start : high - start]
        self.requests += 1
        self.bytes_read += length
        return bytes(data)


def large(tensors: int, each: int) -> Sparse:
    """A model of `tensors` weights of `each` bytes and as many nodes."""
    nodes = b"".join(
        length_field(1, length_field(1, b"x") + length_field(1, b"w%d" % n) + length_field(2, b"y%d" % n) + NODE)
        for n in range(tensors)
    )
    heads = [length_field(8, b"w%d" % n) + b"\x10\x01" + b"\x4a" + varint(each) for n in range(tensors)]
    outputs = b"".join(length_field(12, length_field(1, b"y%d" % n)) for n in range(tensors))
    nodes += outputs
    size = sum(1 + len(varint(len(head) + each)) + len(head) + each for head in heads) + len(nodes)
    parts = [(0, b"\x08\x0d\x3a" + varint(size) + nodes)]
    at = len(parts[0][1])
    for head in heads:
        part = b"\x2a" + varint(len(head) + each) + head
        parts.append((at, part))
        at += len(part) + each
    return Sparse(parts, at)


@pytest.mark.parametrize(("tensors", "each"), [(100, 1 << 20), (20, 100 << 20), (1, 3 << 30)])
def test_tensor_data_is_stepped_over(tensors: int, each: int) -> None:
    source = large(tensors, each)
    artifact = Artifact("model.onnx", source)
    (parsed,) = OnnxFormat().parse(artifact, Budget(Limits()))
    (facts,) = parsed.facts
    assert isinstance(facts, OnnxFacts)
    assert facts.anomalies == ()
    assert facts.model.graph is not None
    assert [tensor.raw_data.length for tensor in facts.model.graph.initializer if tensor.raw_data] == [each] * tensors
    assert source.requests <= tensors + 5
    assert source.bytes_read <= (tensors + 5) * (17 << 10)
    assert sum(region.length for region in parsed.regions) == source.size


def test_numbers_in_single_fields_are_read_in_runs() -> None:
    floats = struct.pack("<f", 0.5)
    attribute = length_field(1, b"nodes_values") + (b"\x3d" + floats) * 200_000 + (b"\x40\x07") * 200_000
    data = b"\x08\x0d" + length_field(7, length_field(1, NODE + length_field(5, attribute)))
    model, reader = read(data, Limits(max_objects=60_000))
    assert model.graph is not None
    found = model.graph.node[0].attribute[0]
    assert list(found.floats) == [0.5] * 200_000
    assert list(found.ints) == [7] * 200_000
    assert reader.anomalies == []


def test_a_budget_ends_the_reading_and_keeps_what_was_read() -> None:
    data = b"\x08\x0d" + length_field(7, length_field(1, NODE) * 5000)
    artifact = Artifact("model.onnx", BytesSource(data))
    parsing = iter(OnnxFormat().parse(artifact, Budget(Limits(max_objects=10_000))))
    (facts,) = next(parsing).facts
    assert isinstance(facts, OnnxFacts)
    assert not facts.complete
    assert facts.model.graph is not None
    assert 100 < len(facts.model.graph.node) < 1000
    with pytest.raises(BudgetExceeded):
        next(parsing)


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("name", "change", "claimed"),
    [
        ("model.onnx", bytes, True),
        ("model", bytes, True),
        ("model.bin", bytes, True),
        ("model.onnx", _cut, True),
        ("weights.bin", lambda _: b"\x08\x01\x12\x05hello", False),
        ("model.onnx", lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", False),
        ("model.onnx", lambda _: b"<!DOCTYPE html><html></html>", False),
        ("model.onnx", lambda _: b"PK\x03\x04" + bytes(40), False),
        ("saved_model.pb", lambda _: b"\x08\x01\x12" + varint(300) + b"\x0a" + bytes(300), False),
        ("tokenizer.model", lambda _: b"\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\2" * 9, False),
        ("model", lambda data: length_field(14, length_field(1, b"k" * 5000)) + data, True),
    ],
)
def test_claims_by_content(name: str, change: Callable[[bytes], bytes], claimed: bool) -> None:
    assert OnnxFormat().claims(view(change(small_model().SerializeToString()), name)) is claimed
