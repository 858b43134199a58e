"""What an ONNX file says, as typed objects: the result of reading, free of judgement.

Names follow onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, IR version 14). An absent field has
the default that protobuf gives it: "", 0 or an empty sequence; an absent message is None. `offset` and `length` are
the bytes of the message in the file. Nothing of a tensor's data is read: see `Tensor` and onnx/values.py.
"""

import enum
from collections.abc import Iterator, Sequence

import msgspec

from modelscan_plus.formats.graphs.spans import Numbers, Span


class DataType(enum.IntEnum):
    """TensorProto.DataType."""

    UNDEFINED = 0
    FLOAT = 1
    UINT8 = 2
    INT8 = 3
    UINT16 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    STRING = 8
    BOOL = 9
    FLOAT16 = 10
    DOUBLE = 11
    UINT32 = 12
    UINT64 = 13
    COMPLEX64 = 14
    COMPLEX128 = 15
    BFLOAT16 = 16
    FLOAT8E4M3FN = 17
    FLOAT8E4M3FNUZ = 18
    FLOAT8E5M2 = 19
    FLOAT8E5M2FNUZ = 20
    UINT4 = 21
    INT4 = 22
    FLOAT4E2M1 = 23
    FLOAT8E8M0 = 24
    UINT2 = 25
    INT2 = 26
    FLOAT6E2M3 = 27
    FLOAT6E3M2 = 28


class AttributeType(enum.IntEnum):
    """AttributeProto.AttributeType."""

    UNDEFINED = 0
    FLOAT = 1
    INT = 2
    STRING = 3
    TENSOR = 4
    GRAPH = 5
    FLOATS = 6
    INTS = 7
    STRINGS = 8
    TENSORS = 9
    GRAPHS = 10
    SPARSE_TENSOR = 11
    SPARSE_TENSORS = 12
    TYPE_PROTO = 13
    TYPE_PROTOS = 14


class Message(msgspec.Struct, gc=False, eq=False):
    """Base of all messages: compared by identity, and left alone by the cyclic collector, as they are trees."""


class Entry(Message):
    """StringStringEntryProto."""

    key: str = ""
    value: Span | None = None
    offset: int = 0
    length: int = 0

    def text(self, limit: int = 1 << 16) -> str:
        """The value, at most `limit` bytes of it."""
        return self.value.text(limit) if self.value is not None else ""


class Segment(Message):
    """The part of a larger tensor that a tensor is; no loader supports it."""

    begin: int = 0
    end: int = 0


class Tensor(Message):
    """TensorProto, with its data where it is: in `raw_data`, in one of the typed fields, or in another file."""

    name: str = ""
    data_type: int = 0
    dims: Sequence[int] = ()
    raw_data: Span | None = None
    float_data: Numbers | None = None
    int32_data: Numbers | None = None
    int64_data: Numbers | None = None
    uint64_data: Numbers | None = None
    double_data: Numbers | None = None
    string_data: Sequence[Span] = ()
    external_data: Sequence[Entry] = ()
    data_location: int = 0
    """0 here, 1 external."""
    segment: Segment | None = None
    doc_string: Span | None = None
    metadata_props: Sequence[Entry] = ()
    offset: int = 0
    length: int = 0

    @property
    def external(self) -> bool:
        """True when the data is said to be in another file."""
        return self.data_location == 1

    @property
    def count(self) -> int:
        """Elements, by `dims`; 1 for a scalar; negative dimensions count as 0."""
        product = 1
        for size in self.dims:
            product *= max(size, 0)
        return product

    def numbers(self) -> Iterator[tuple[str, Numbers]]:
        """The typed data fields that are there."""
        for name in ("float_data", "int32_data", "int64_data", "uint64_data", "double_data"):
            if (numbers := getattr(self, name)) is not None:
                yield name, numbers


class SparseTensor(Message):
    """SparseTensorProto."""

    values: Tensor | None = None
    indices: Tensor | None = None
    dims: Sequence[int] = ()
    offset: int = 0
    length: int = 0


class Dimension(Message):
    """One dimension of a shape: a number, a symbol, or neither."""

    dim_value: int | None = None
    dim_param: str | None = None
    denotation: str = ""


class Shape(Message):
    """TensorShapeProto."""

    dim: Sequence[Dimension] = ()


class TensorType(Message):
    """TypeProto.Tensor and TypeProto.SparseTensor. Without `shape` the rank is unknown."""

    elem_type: int = 0
    shape: Shape | None = None


class ElementType(Message):
    """TypeProto.Sequence and TypeProto.Optional."""

    elem_type: "Type | None" = None


class MapType(Message):
    """TypeProto.Map."""

    key_type: int = 0
    value_type: "Type | None" = None


class OpaqueType(Message):
    """TypeProto.Opaque."""

    domain: str = ""
    name: str = ""


class Type(Message):
    """TypeProto: one of the six kinds is set."""

    tensor_type: TensorType | None = None
    sequence_type: ElementType | None = None
    map_type: MapType | None = None
    optional_type: ElementType | None = None
    sparse_tensor_type: TensorType | None = None
    opaque_type: OpaqueType | None = None
    denotation: str = ""


class ValueInfo(Message):
    """ValueInfoProto: a value's name and type."""

    name: str = ""
    type: Type | None = None
    doc_string: Span | None = None
    metadata_props: Sequence[Entry] = ()
    offset: int = 0
    length: int = 0

    @property
    def elem_type(self) -> int:
        """The element type of a tensor, else 0."""
        tensor = self.type.tensor_type if self.type else None
        return tensor.elem_type if tensor else 0

    @property
    def shape(self) -> tuple[int | str | None, ...] | None:
        """A tensor's dimensions: numbers, symbols, None for neither; None when the rank is unknown."""
        tensor = self.type.tensor_type if self.type else None
        if tensor is None or tensor.shape is None:
            return None
        return tuple(dim.dim_param if dim.dim_value is None else dim.dim_value for dim in tensor.shape.dim)


class Attribute(Message):
    """AttributeProto: a named parameter of a node. `value` gives what `type` says it is."""

    name: str = ""
    type: int = 0
    ref_attr_name: str = ""
    """In a function: the function's attribute whose value this one takes."""
    f: float = 0.0
    i: int = 0
    s: Span | None = None
    t: Tensor | None = None
    g: "Graph | None" = None
    sparse_tensor: SparseTensor | None = None
    tp: Type | None = None
    floats: Sequence[float] = ()
    ints: Sequence[int] = ()
    strings: Sequence[Span] = ()
    tensors: Sequence[Tensor] = ()
    graphs: "Sequence[Graph]" = ()
    sparse_tensors: Sequence[SparseTensor] = ()
    type_protos: Sequence[Type] = ()
    doc_string: Span | None = None
    offset: int = 0
    length: int = 0

    @property
    def value(self) -> object:
        """The value of the field that `type` names: float, int, bytes, `Tensor`, `Graph`, a sequence of those, …

        None for an undefined type and for a reference to a function's attribute. Of a string at most 1 MiB.
        """
        match self.type:
            case AttributeType.STRING:
                return self.s.read() if self.s is not None else b""
            case AttributeType.STRINGS:
                return [span.read() for span in self.strings]
            case _:
                name = _VALUE_FIELDS.get(self.type)
                return None if name is None else getattr(self, name)

    @property
    def text(self) -> str:
        """A string attribute as text, else ""."""
        return self.s.text() if self.s is not None else ""

    def subgraphs(self) -> "Iterator[Graph]":
        """The graphs in the attribute, whatever its type says."""
        if self.g is not None:
            yield self.g
        yield from self.graphs

    def all_tensors(self) -> Iterator[Tensor]:
        """The tensors in the attribute, parts of sparse ones included, but not those of subgraphs."""
        if self.t is not None:
            yield self.t
        yield from self.tensors
        for sparse in ((self.sparse_tensor,) if self.sparse_tensor else ()) + tuple(self.sparse_tensors):
            yield from (part for part in (sparse.values, sparse.indices) if part is not None)


_VALUE_FIELDS: dict[int, str] = {
    AttributeType.FLOAT: "f",
    AttributeType.INT: "i",
    AttributeType.TENSOR: "t",
    AttributeType.GRAPH: "g",
    AttributeType.FLOATS: "floats",
    AttributeType.INTS: "ints",
    AttributeType.TENSORS: "tensors",
    AttributeType.GRAPHS: "graphs",
    AttributeType.SPARSE_TENSOR: "sparse_tensor",
    AttributeType.SPARSE_TENSORS: "sparse_tensors",
    AttributeType.TYPE_PROTO: "tp",
    AttributeType.TYPE_PROTOS: "type_protos",
}


class Node(Message):
    """NodeProto: one operator applied to named values. An empty input or output name stands for none."""

    op_type: str = ""
    domain: str = ""
    input: Sequence[str] = ()
    output: Sequence[str] = ()
    attribute: Sequence[Attribute] = ()
    name: str = ""
    overload: str = ""
    doc_string: Span | None = None
    metadata_props: Sequence[Entry] = ()
    device_configurations: "Sequence[NodeDevice]" = ()
    offset: int = 0
    length: int = 0

    def get(self, name: str) -> Attribute | None:
        """The first attribute of that name."""
        return next((attribute for attribute in self.attribute if attribute.name == name), None)

    def subgraphs(self) -> "Iterator[Graph]":
        """The graphs in the attributes: branches of If, bodies of Loop and Scan."""
        for attribute in self.attribute:
            yield from attribute.subgraphs()


class TensorAnnotation(Message):
    """TensorAnnotation: quantisation parameters of a value, by name."""

    tensor_name: str = ""
    quant_parameter_tensor_names: Sequence[Entry] = ()


class Graph(Message):
    """GraphProto. Nodes stand in an order in which every value is made before it is used."""

    name: str = ""
    node: Sequence[Node] = ()
    initializer: Sequence[Tensor] = ()
    sparse_initializer: Sequence[SparseTensor] = ()
    input: Sequence[ValueInfo] = ()
    output: Sequence[ValueInfo] = ()
    value_info: Sequence[ValueInfo] = ()
    quantization_annotation: Sequence[TensorAnnotation] = ()
    doc_string: Span | None = None
    metadata_props: Sequence[Entry] = ()
    offset: int = 0
    length: int = 0


class Opset(Message):
    """OperatorSetIdProto: the version of a domain's operators. The domain "" is ai.onnx."""

    domain: str = ""
    version: int = 0


class Function(Message):
    """FunctionProto: an operator defined in the model, known by domain, name and overload."""

    name: str = ""
    domain: str = ""
    overload: str = ""
    input: Sequence[str] = ()
    output: Sequence[str] = ()
    attribute: Sequence[str] = ()
    """Names of attributes without default."""
    attribute_proto: Sequence[Attribute] = ()
    """Attributes with their defaults."""
    node: Sequence[Node] = ()
    opset_import: Sequence[Opset] = ()
    value_info: Sequence[ValueInfo] = ()
    doc_string: Span | None = None
    metadata_props: Sequence[Entry] = ()
    offset: int = 0
    length: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What a node must name to call it: domain, operator, overload."""
        return self.domain, self.name, self.overload


class TrainingInfo(Message):
    """TrainingInfoProto."""

    initialization: Graph | None = None
    algorithm: Graph | None = None
    initialization_binding: Sequence[Entry] = ()
    update_binding: Sequence[Entry] = ()
    offset: int = 0
    length: int = 0


class IntIntList(Message):
    """IntIntListEntryProto."""

    key: int = 0
    value: Sequence[int] = ()


class SimpleShardedDim(Message):
    """SimpleShardedDimProto."""

    dim_value: int | None = None
    dim_param: str | None = None
    num_shards: int = 0


class ShardedDim(Message):
    """ShardedDimProto."""

    axis: int = 0
    simple_sharding: Sequence[SimpleShardedDim] = ()


class ShardingSpec(Message):
    """ShardingSpecProto."""

    tensor_name: str = ""
    device: Sequence[int] = ()
    index_to_device_group_map: Sequence[IntIntList] = ()
    sharded_dim: Sequence[ShardedDim] = ()


class NodeDevice(Message):
    """NodeDeviceConfigurationProto."""

    configuration_id: str = ""
    sharding_spec: Sequence[ShardingSpec] = ()
    pipeline_stage: int = 0


class DeviceConfiguration(Message):
    """DeviceConfigurationProto."""

    name: str = ""
    num_devices: int = 0
    device: Sequence[str] = ()


class Model(Message):
    """ModelProto."""

    ir_version: int = 0
    producer_name: str = ""
    producer_version: str = ""
    domain: str = ""
    model_version: int = 0
    doc_string: Span | None = None
    graph: Graph | None = None
    opset_import: Sequence[Opset] = ()
    metadata_props: Sequence[Entry] = ()
    training_info: Sequence[TrainingInfo] = ()
    functions: Sequence[Function] = ()
    configuration: Sequence[DeviceConfiguration] = ()

    def opsets(self) -> dict[str, int]:
        """Version by domain, the last one of each; "ai.onnx" is written ""."""
        return {"" if opset.domain == "ai.onnx" else opset.domain: opset.version for opset in self.opset_import}
