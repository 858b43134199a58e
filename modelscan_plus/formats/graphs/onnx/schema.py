"""The fields of onnx.proto (IR version 14) as a table for the wire reader.

A test compares it with the descriptors of the onnx package, so a new field there is noticed here.
"""

from typing import Any

from modelscan_plus.formats.graphs.onnx import model
from modelscan_plus.formats.graphs.protobuf import Field, Kind, compile_schema

_TYPES = ("tensor_type", "sequence_type", "map_type", "optional_type", "sparse_tensor_type", "opaque_type")


def _text(number: int, name: str, *clears: str) -> Field:
    return Field(number, name, Kind.STRING, clears=clears)


def _texts(number: int, name: str) -> Field:
    return Field(number, name, Kind.STRING, repeated=True)


def _int(number: int, name: str, *clears: str) -> Field:
    return Field(number, name, Kind.INT64, clears=clears)


def _int32(number: int, name: str) -> Field:
    return Field(number, name, Kind.INT32)


def _ints(number: int, name: str) -> Field:
    return Field(number, name, Kind.INT64, repeated=True)


def _long(number: int, name: str) -> Field:
    return Field(number, name, Kind.TEXT)


def _one(number: int, name: str, message: str) -> Field:
    return Field(number, name, Kind.MESSAGE, message=message)


def _many(number: int, name: str, message: str) -> Field:
    return Field(number, name, Kind.MESSAGE, repeated=True, message=message)


def _type(number: int, name: str, message: str) -> Field:
    others = tuple(other for other in _TYPES if other != name)
    return Field(number, name, Kind.MESSAGE, message=message, clears=others)


def _entries(number: int, name: str = "metadata_props") -> Field:
    return _many(number, name, "StringStringEntryProto")


_NODE = (
    _texts(1, "input"),
    _texts(2, "output"),
    _text(3, "name"),
    _text(4, "op_type"),
    _many(5, "attribute", "AttributeProto"),
    _long(6, "doc_string"),
    _text(7, "domain"),
    _text(8, "overload"),
    _entries(9),
    _many(10, "device_configurations", "NodeDeviceConfigurationProto"),
)
_ATTRIBUTE = (
    _text(1, "name"),
    Field(2, "f", Kind.FLOAT),
    _int(3, "i"),
    _long(4, "s"),
    _one(5, "t", "TensorProto"),
    _one(6, "g", "GraphProto"),
    Field(7, "floats", Kind.FLOAT, repeated=True),
    _ints(8, "ints"),
    Field(9, "strings", Kind.TEXT, repeated=True),
    _many(10, "tensors", "TensorProto"),
    _many(11, "graphs", "GraphProto"),
    _long(13, "doc_string"),
    _one(14, "tp", "TypeProto"),
    _many(15, "type_protos", "TypeProto"),
    Field(20, "type", Kind.INT32, top=14),
    _text(21, "ref_attr_name"),
    _one(22, "sparse_tensor", "SparseTensorProto"),
    _many(23, "sparse_tensors", "SparseTensorProto"),
)
_TENSOR = (
    _ints(1, "dims"),
    _int32(2, "data_type"),
    _one(3, "segment", "Segment"),
    Field(4, "float_data", Kind.DATA_FLOAT),
    Field(5, "int32_data", Kind.DATA_INT32),
    Field(6, "string_data", Kind.SPAN, repeated=True),
    Field(7, "int64_data", Kind.DATA_INT64),
    _text(8, "name"),
    Field(9, "raw_data", Kind.SPAN),
    Field(10, "double_data", Kind.DATA_DOUBLE),
    Field(11, "uint64_data", Kind.DATA_UINT64),
    _long(12, "doc_string"),
    _entries(13, "external_data"),
    Field(14, "data_location", Kind.INT32, top=1),
    _entries(16),
)
_GRAPH = (
    _many(1, "node", "NodeProto"),
    _text(2, "name"),
    _many(5, "initializer", "TensorProto"),
    _long(10, "doc_string"),
    _many(11, "input", "ValueInfoProto"),
    _many(12, "output", "ValueInfoProto"),
    _many(13, "value_info", "ValueInfoProto"),
    _many(14, "quantization_annotation", "TensorAnnotation"),
    _many(15, "sparse_initializer", "SparseTensorProto"),
    _entries(16),
)
_FUNCTION = (
    _text(1, "name"),
    _texts(4, "input"),
    _texts(5, "output"),
    _texts(6, "attribute"),
    _many(7, "node", "NodeProto"),
    _long(8, "doc_string"),
    _many(9, "opset_import", "OperatorSetIdProto"),
    _text(10, "domain"),
    _many(11, "attribute_proto", "AttributeProto"),
    _many(12, "value_info", "ValueInfoProto"),
    _text(13, "overload"),
    _entries(14),
)
_MODEL = (
    _int(1, "ir_version"),
    _text(2, "producer_name"),
    _text(3, "producer_version"),
    _text(4, "domain"),
    _int(5, "model_version"),
    _long(6, "doc_string"),
    _one(7, "graph", "GraphProto"),
    _many(8, "opset_import", "OperatorSetIdProto"),
    _entries(14),
    _many(20, "training_info", "TrainingInfoProto"),
    _many(25, "functions", "FunctionProto"),
    _many(26, "configuration", "DeviceConfigurationProto"),
)

SCHEMA: dict[str, tuple[type[Any], tuple[Field, ...]]] = {
    "ModelProto": (model.Model, _MODEL),
    "GraphProto": (model.Graph, _GRAPH),
    "NodeProto": (model.Node, _NODE),
    "AttributeProto": (model.Attribute, _ATTRIBUTE),
    "TensorProto": (model.Tensor, _TENSOR),
    "Segment": (model.Segment, (_int(1, "begin"), _int(2, "end"))),
    "SparseTensorProto": (
        model.SparseTensor,
        (_one(1, "values", "TensorProto"), _one(2, "indices", "TensorProto"), _ints(3, "dims")),
    ),
    "FunctionProto": (model.Function, _FUNCTION),
    "OperatorSetIdProto": (model.Opset, (_text(1, "domain"), _int(2, "version"))),
    "StringStringEntryProto": (model.Entry, (_text(1, "key"), _long(2, "value"))),
    "TrainingInfoProto": (
        model.TrainingInfo,
        (
            _one(1, "initialization", "GraphProto"),
            _one(2, "algorithm", "GraphProto"),
            _entries(3, "initialization_binding"),
            _entries(4, "update_binding"),
        ),
    ),
    "TensorAnnotation": (
        model.TensorAnnotation,
        (_text(1, "tensor_name"), _entries(2, "quant_parameter_tensor_names")),
    ),
    "ValueInfoProto": (
        model.ValueInfo,
        (_text(1, "name"), _one(2, "type", "TypeProto"), _long(3, "doc_string"), _entries(4)),
    ),
    "TypeProto": (
        model.Type,
        (
            _type(1, "tensor_type", "Tensor"),
            _type(4, "sequence_type", "Sequence"),
            _type(5, "map_type", "Map"),
            _text(6, "denotation"),
            _type(7, "opaque_type", "Opaque"),
            _type(8, "sparse_tensor_type", "SparseTensor"),
            _type(9, "optional_type", "Optional"),
        ),
    ),
    "Tensor": (model.TensorType, (_int32(1, "elem_type"), _one(2, "shape", "TensorShapeProto"))),
    "SparseTensor": (model.TensorType, (_int32(1, "elem_type"), _one(2, "shape", "TensorShapeProto"))),
    "Sequence": (model.ElementType, (_one(1, "elem_type", "TypeProto"),)),
    "Optional": (model.ElementType, (_one(1, "elem_type", "TypeProto"),)),
    "Map": (model.MapType, (_int32(1, "key_type"), _one(2, "value_type", "TypeProto"))),
    "Opaque": (model.OpaqueType, (_text(1, "domain"), _text(2, "name"))),
    "TensorShapeProto": (model.Shape, (_many(1, "dim", "Dimension"),)),
    "Dimension": (
        model.Dimension,
        (_int(1, "dim_value", "dim_param"), _text(2, "dim_param", "dim_value"), _text(3, "denotation")),
    ),
    "DeviceConfigurationProto": (
        model.DeviceConfiguration,
        (_text(1, "name"), _int32(2, "num_devices"), _texts(3, "device")),
    ),
    "NodeDeviceConfigurationProto": (
        model.NodeDevice,
        (
            _text(1, "configuration_id"),
            _many(2, "sharding_spec", "ShardingSpecProto"),
            _int32(3, "pipeline_stage"),
        ),
    ),
    "ShardingSpecProto": (
        model.ShardingSpec,
        (
            _text(1, "tensor_name"),
            _ints(2, "device"),
            _many(3, "index_to_device_group_map", "IntIntListEntryProto"),
            _many(4, "sharded_dim", "ShardedDimProto"),
        ),
    ),
    "IntIntListEntryProto": (model.IntIntList, (_int(1, "key"), _ints(2, "value"))),
    "ShardedDimProto": (
        model.ShardedDim,
        (_int(1, "axis"), _many(2, "simple_sharding", "SimpleShardedDimProto")),
    ),
    "SimpleShardedDimProto": (
        model.SimpleShardedDim,
        (_int(1, "dim_value", "dim_param"), _text(2, "dim_param", "dim_value"), _int(3, "num_shards")),
    ),
}

_COSTS = {
    "NodeProto": 16,
    "AttributeProto": 5,
    "TensorProto": 40,
    "SparseTensorProto": 40,
    "FunctionProto": 100,
    "GraphProto": 20,
}
"""With the four million objects of the default limits: some 150,000 nodes, or 90,000 weights."""
TYPES = compile_schema(SCHEMA, _COSTS)
MODEL = TYPES["ModelProto"]
