"""The fields of Core ML's .proto files as tables for the wire reader, as far as anything asks for them."""

from typing import Any

from modelscan_plus.formats.graphs.coreml import model
from modelscan_plus.formats.graphs.protobuf import Field, Kind, compile_schema


def _one(number: int, name: str, message: str) -> Field:
    return Field(number, name, Kind.MESSAGE, message=message)


def _many(number: int, name: str, message: str) -> Field:
    return Field(number, name, Kind.MESSAGE, repeated=True, message=message)


def _text(number: int, name: str) -> Field:
    return Field(number, name, Kind.STRING)


def _entry(message: str) -> tuple[type[Any], tuple[Field, ...]]:
    return model.Entry, (_text(1, "key"), _one(2, "value", message))


SCHEMA: dict[str, tuple[type[Any], tuple[Field, ...]]] = {
    "Model": (
        model.Model,
        (
            Field(1, "specificationVersion", Kind.INT64),
            _one(2, "description", "ModelDescription"),
            _one(200, "pipelineClassifier", "PipelineHolder"),
            _one(201, "pipelineRegressor", "PipelineHolder"),
            _one(202, "pipeline", "Pipeline"),
            _one(303, "neuralNetworkRegressor", "NeuralNetwork"),
            _one(403, "neuralNetworkClassifier", "NeuralNetwork"),
            _one(500, "neuralNetwork", "NeuralNetwork"),
            _one(502, "mlProgram", "Program"),
            _one(555, "customModel", "Custom"),
            _one(556, "linkedModel", "LinkedModel"),
            _one(3000, "serializedModel", "SerializedModel"),
        ),
    ),
    "ModelDescription": (model.Description, (_one(100, "metadata", "Metadata"),)),
    "Metadata": (
        model.Metadata,
        (
            _text(1, "shortDescription"),
            _text(2, "versionString"),
            _text(3, "author"),
            _text(4, "license"),
            _many(100, "userDefined", "UserDefinedEntry"),
        ),
    ),
    "UserDefinedEntry": (model.Entry, (_text(1, "key"), _text(2, "value"))),
    "PipelineHolder": (model.PipelineHolder, (_one(1, "pipeline", "Pipeline"),)),
    "Pipeline": (model.Pipeline, (_many(1, "models", "Model"),)),
    "NeuralNetwork": (model.Network, (_many(1, "layers", "Layer"),)),
    "Layer": (
        model.Layer,
        (_text(1, "name"), _one(500, "custom", "Custom"), _one(605, "branch", "Branch"), _one(615, "loop", "Loop")),
    ),
    "Branch": (model.Nested, (_one(1, "first", "NeuralNetwork"), _one(2, "second", "NeuralNetwork"))),
    "Loop": (model.Nested, (_one(3, "first", "NeuralNetwork"), _one(4, "second", "NeuralNetwork"))),
    "Custom": (model.Custom, (_text(10, "className"),)),
    "LinkedModel": (model.LinkedModel, (_one(1, "linkedModelFile", "LinkedModelFile"),)),
    "LinkedModelFile": (
        model.LinkedFile,
        (_one(1, "linkedModelFileName", "StringParameter"), _one(2, "linkedModelSearchPath", "StringParameter")),
    ),
    "StringParameter": (model.StringParameter, (_text(1, "defaultValue"),)),
    "SerializedModel": (model.Serialized, (_text(1, "identifier"), Field(2, "model", Kind.SPAN))),
    "Program": (model.Program, (_many(2, "functions", "FunctionEntry"),)),
    "FunctionEntry": _entry("Function"),
    "Function": (model.Function, (_many(3, "block_specializations", "BlockEntry"),)),
    "BlockEntry": _entry("Block"),
    "Block": (model.Block, (_many(3, "operations", "Operation"),)),
    "Operation": (
        model.Operation,
        (
            _text(1, "type"),
            _many(2, "inputs", "ArgumentEntry"),
            _many(4, "blocks", "Block"),
            _many(5, "attributes", "ValueEntry"),
        ),
    ),
    "ArgumentEntry": _entry("Argument"),
    "Argument": (model.Argument, (_many(1, "arguments", "Binding"),)),
    "Binding": (model.Binding, (_one(2, "value", "Value"),)),
    "ValueEntry": _entry("Value"),
    "Value": (model.Value, (_one(3, "immediateValue", "ImmediateValue"), _one(5, "blobFileValue", "BlobFileValue"))),
    "ImmediateValue": (model.Immediate, (_one(1, "tensor", "TensorValue"),)),
    "TensorValue": (model.TensorValue, (_one(4, "strings", "RepeatedStrings"),)),
    "RepeatedStrings": (model.Texts, (Field(1, "values", Kind.STRING, repeated=True),)),
    "BlobFileValue": (model.Blob, (_text(1, "fileName"), Field(2, "offset", Kind.UINT64))),
}
TYPES = compile_schema(SCHEMA)
