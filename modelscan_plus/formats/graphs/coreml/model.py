"""What a Core ML model says, as typed objects: the result of reading, free of judgement.

Names follow the .proto files of coremltools (Model, NeuralNetwork, MIL, CustomModel, LinkedModel). Absent fields are
"", 0, None or empty; what decides nothing here has no field.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from modelscan_plus.formats.graphs.spans import Span


class StringParameter:
    """A text with a default."""

    __slots__ = ("defaultValue",)

    def __init__(self) -> None:
        self.defaultValue = ""


class LinkedFile:
    """Another model, by name and by the folders in which it is looked for."""

    __slots__ = ("linkedModelFileName", "linkedModelSearchPath")

    def __init__(self) -> None:
        self.linkedModelFileName: StringParameter | None = None
        self.linkedModelSearchPath: StringParameter | None = None


class LinkedModel:
    """A model in another file."""

    __slots__ = ("linkedModelFile",)

    def __init__(self) -> None:
        self.linkedModelFile: LinkedFile | None = None


class Custom:
    """A class of the program that loads the model."""

    __slots__ = ("className",)

    def __init__(self) -> None:
        self.className = ""


class Layer:
    """A layer of a neural network."""

    __slots__ = ("branch", "custom", "loop", "name")

    def __init__(self) -> None:
        self.name = ""
        self.custom: Custom | None = None
        self.branch: Nested | None = None
        self.loop: Nested | None = None


class Nested:
    """Networks inside of a layer."""

    __slots__ = ("first", "second")

    def __init__(self) -> None:
        self.first: Network | None = None
        self.second: Network | None = None


class Network:
    """A neural network."""

    __slots__ = ("layers",)

    def __init__(self) -> None:
        self.layers: Sequence[Layer] = ()


class Texts:
    """A list of texts."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: Sequence[str] = ()


class TensorValue:
    """A tensor that stands in the program; only texts are kept."""

    __slots__ = ("strings",)

    def __init__(self) -> None:
        self.strings: Texts | None = None


class Immediate:
    """A value that stands in the program."""

    __slots__ = ("tensor",)

    def __init__(self) -> None:
        self.tensor: TensorValue | None = None


class Blob:
    """A value in a file of weights."""

    __slots__ = ("fileName", "offset")

    def __init__(self) -> None:
        self.fileName = ""
        self.offset = 0


class Value:
    """A value of an attribute or input."""

    __slots__ = ("blobFileValue", "immediateValue")

    def __init__(self) -> None:
        self.immediateValue: Immediate | None = None
        self.blobFileValue: Blob | None = None


class Entry:
    """A value by name."""

    __slots__ = ("key", "value")

    def __init__(self) -> None:
        self.key = ""
        self.value: Any = None


class Binding:
    """An argument of an operation: a name, or a value."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Value | None = None


class Argument:
    """The arguments of one input."""

    __slots__ = ("arguments",)

    def __init__(self) -> None:
        self.arguments: Sequence[Binding] = ()


class Operation:
    """An operation of a program."""

    __slots__ = ("attributes", "blocks", "inputs", "type")

    def __init__(self) -> None:
        self.type = ""
        self.inputs: Sequence[Entry] = ()
        self.blocks: Sequence[Block] = ()
        self.attributes: Sequence[Entry] = ()

    def values(self) -> Iterator[tuple[str, Value]]:
        """Every value with its name."""
        for entry in self.attributes:
            if entry.value is not None:
                yield entry.key, entry.value
        for entry in self.inputs:
            for binding in entry.value.arguments if entry.value is not None else ():
                if binding.value is not None:
                    yield entry.key, binding.value


class Block:
    """Operations in order."""

    __slots__ = ("operations",)

    def __init__(self) -> None:
        self.operations: Sequence[Operation] = ()


class Function:
    """A function of a program, a block for each generation of the operators."""

    __slots__ = ("block_specializations",)

    def __init__(self) -> None:
        self.block_specializations: Sequence[Entry] = ()


class Program:
    """A program in MIL."""

    __slots__ = ("functions",)

    def __init__(self) -> None:
        self.functions: Sequence[Entry] = ()


class Pipeline:
    """Models one after the other."""

    __slots__ = ("models",)

    def __init__(self) -> None:
        self.models: Sequence[Model] = ()


class PipelineHolder:
    """A pipeline that classifies or gives numbers."""

    __slots__ = ("pipeline",)

    def __init__(self) -> None:
        self.pipeline: Pipeline | None = None


class Serialized:
    """A model of a kind that only Core ML knows."""

    __slots__ = ("identifier", "model")

    def __init__(self) -> None:
        self.identifier = ""
        self.model: Span | None = None


class Metadata:
    """What the publisher says about the model."""

    __slots__ = ("author", "license", "shortDescription", "userDefined", "versionString")

    def __init__(self) -> None:
        self.shortDescription = self.versionString = self.author = self.license = ""
        self.userDefined: Sequence[Entry] = ()

    def words(self) -> Iterator[str]:
        """All of it, text by text."""
        yield from (self.shortDescription, self.versionString, self.author, self.license)
        for entry in self.userDefined:
            yield f"{entry.key}: {entry.value or ''}"


class Description:
    """Of a model: inputs, outputs (which nothing asks for) and metadata."""

    __slots__ = ("metadata",)

    def __init__(self) -> None:
        self.metadata: Metadata | None = None


class Model:
    """A model."""

    __slots__ = (
        "customModel", "description", "linkedModel", "mlProgram", "neuralNetwork", "neuralNetworkClassifier",
        "neuralNetworkRegressor", "pipeline", "pipelineClassifier", "pipelineRegressor", "serializedModel",
        "specificationVersion",
    )  # fmt: skip

    def __init__(self) -> None:
        self.specificationVersion = 0
        self.description: Description | None = None
        self.pipelineClassifier: PipelineHolder | None = None
        self.pipelineRegressor: PipelineHolder | None = None
        self.pipeline: Pipeline | None = None
        self.neuralNetworkRegressor: Network | None = None
        self.neuralNetworkClassifier: Network | None = None
        self.neuralNetwork: Network | None = None
        self.mlProgram: Program | None = None
        self.customModel: Custom | None = None
        self.linkedModel: LinkedModel | None = None
        self.serializedModel: Serialized | None = None
