"""The fields of TensorFlow's .proto files as tables for the wire reader, as far as anything asks for them.

Other fields are stepped over: what the reader counts as unknown says nothing here.
"""

from typing import Any

from modelscan_plus.formats.graphs.protobuf import Field, Kind, compile_schema
from modelscan_plus.formats.graphs.tensorflow import model


def _text(number: int, name: str) -> Field:
    return Field(number, name, Kind.STRING)


def _texts(number: int, name: str) -> Field:
    return Field(number, name, Kind.STRING, repeated=True)


def _span(number: int, name: str) -> Field:
    return Field(number, name, Kind.SPAN)


def _int(number: int, name: str) -> Field:
    return Field(number, name, Kind.INT64)


def _one(number: int, name: str, message: str) -> Field:
    return Field(number, name, Kind.MESSAGE, message=message)


def _many(number: int, name: str, message: str) -> Field:
    return Field(number, name, Kind.MESSAGE, repeated=True, message=message)


SCHEMA: dict[str, tuple[type[Any], tuple[Field, ...]]] = {
    "SavedModel": (
        model.SavedModel,
        (_int(1, "saved_model_schema_version"), _many(2, "meta_graphs", "MetaGraphDef")),
    ),
    "MetaGraphDef": (
        model.MetaGraph,
        (
            _one(1, "meta_info_def", "MetaInfoDef"),
            _one(2, "graph_def", "GraphDef"),
            _many(5, "signature_def", "SignatureEntry"),
            _many(6, "asset_file_def", "AssetFileDef"),
            _one(7, "object_graph_def", "SavedObjectGraph"),
        ),
    ),
    "SignatureEntry": (model.SignatureEntry, (_one(2, "value", "SignatureDef"),)),
    "SignatureDef": (model.SignatureDef, (_many(4, "defaults", "DefaultEntry"),)),
    "DefaultEntry": (model.Default, (_text(1, "key"), _one(2, "value", "TensorProto"))),
    "MetaInfoDef": (model.MetaInfo, (_texts(4, "tags"), _text(5, "tensorflow_version"))),
    "AssetFileDef": (model.AssetFile, (_one(1, "tensor_info", "TensorInfo"), _text(2, "filename"))),
    "TensorInfo": (model.TensorInfo, (_text(1, "name"),)),
    "GraphDef": (model.Graph, (_many(1, "node", "NodeDef"), _one(2, "library", "FunctionDefLibrary"))),
    "FunctionDefLibrary": (model.Library, (_many(1, "function", "FunctionDef"),)),
    "FunctionDef": (
        model.Function,
        (_one(1, "signature", "OpDef"), _many(3, "node_def", "NodeDef"), _many(4, "ret", "Pair")),
    ),
    "OpDef": (
        model.Signature,
        (_text(1, "name"), _many(2, "input_arg", "ArgDef"), _many(3, "output_arg", "ArgDef")),
    ),
    "ArgDef": (model.Argument, (_text(1, "name"),)),
    "Pair": (model.Pair, (_text(1, "key"), _text(2, "value"))),
    "NodeDef": (
        model.Node,
        (_text(1, "name"), _text(2, "op"), _texts(3, "input"), _many(5, "attr", "AttrEntry")),
    ),
    "AttrEntry": (model.Attr, (_text(1, "key"), _span(2, "value"))),
    "AttrValue": (
        model.AttrValue,
        (
            _one(1, "list", "ListValue"),
            _span(2, "s"),
            _one(8, "tensor", "TensorProto"),
            _one(10, "func", "NameAttrList"),
        ),
    ),
    "ListValue": (
        model.ListValue,
        (
            Field(2, "s", Kind.SPAN, repeated=True),
            _many(8, "tensor", "TensorProto"),
            _many(9, "func", "NameAttrList"),
        ),
    ),
    "NameAttrList": (model.NamedFunction, (_text(1, "name"),)),
    "TensorProto": (
        model.Tensor,
        (_int(1, "dtype"), _span(4, "tensor_content"), Field(8, "string_val", Kind.SPAN, repeated=True)),
    ),
    "SavedObjectGraph": (
        model.ObjectGraph,
        (_many(1, "nodes", "SavedObject"), _many(2, "concrete_functions", "ConcreteEntry")),
    ),
    "SavedObject": (
        model.SavedObject,
        (
            _one(4, "user_object", "SavedUserObject"),
            _one(5, "asset", "SavedAsset"),
            _one(9, "constant", "SavedConstant"),
        ),
    ),
    "SavedUserObject": (
        model.UserObject,
        (_text(1, "identifier"), Field(3, "metadata", Kind.TEXT)),
    ),
    "SavedAsset": (model.Asset, (_int(1, "asset_file_def_index"),)),
    "SavedConstant": (model.Constant, (_text(1, "operation"),)),
    "ConcreteEntry": (model.ConcreteEntry, (_text(1, "key"), _one(2, "value", "SavedConcreteFunction"))),
    "SavedConcreteFunction": (
        model.ConcreteFunction,
        (Field(2, "bound_inputs", Kind.INT32, repeated=True),),
    ),
    "SavedMetadata": (model.KerasMetadata, (_many(1, "nodes", "KerasObject"),)),
    "KerasObject": (
        model.KerasObject,
        (_int(2, "node_id"), _text(3, "node_path"), _text(4, "identifier"), Field(5, "metadata", Kind.TEXT)),
    ),
}
_COSTS = {"NodeDef": 1, "AttrEntry": 0, "FunctionDef": 8, "ArgDef": 1, "OpDef": 1, "Pair": 1, "SavedObject": 2}
"""With the four million objects of the default limits: some 180,000 nodes as exporters write them, 50 MB of graph."""
TYPES = compile_schema(SCHEMA, _COSTS)
