"""Core ML: a Model as a protocol buffer.

    08 specification version   12 description   then one of the types by number: c2 0c … (200 to 202) pipelines,
    a2 1f … (500) a neural network, b2 1f … (502) a program in MIL, 555 a custom model, 556 a linked model, …

A package (.mlpackage) is a folder: Manifest.json names the model and the folder of weights; a program names a weight by
"@model_path/weights/weight.bin" and the offset of its header there (weights.py). Custom layers and custom models name a
class that the program which loads them has to bring. Sources: the .proto files of coremltools.
"""

from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, BytesSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.formats.graphs.coreml.facts import CoreMLFacts
from modelscan_plus.formats.graphs.coreml.model import Blob, Block, Model, Network, Program, Value
from modelscan_plus.formats.graphs.coreml.schema import TYPES
from modelscan_plus.formats.graphs.protobuf import WireReader
from modelscan_plus.formats.graphs.wire import fields, gaps, regions
from modelscan_plus.formats.interface import Format, Parsed, View
from modelscan_plus.formats.summaries import ExternalFile, ExternalFiles

_TYPES = frozenset((
    200, 201, 202, 300, 301, 302, 303, 304, 400, 401, 402, 403, 404, 500, 501, 502, 555, 556, 560, 600, 601, 602, 603,
    604, 606, 607, 609, 610, 900, 2000, 2001, 2002, 2003, 2004, 2005, 2006, 3000,
))  # fmt: skip
"""Numbers of the types of models."""
_UNREAD = {2000: "text classifier", 2001: "word tagger", 2004: "gazetteer", 2005: "word embedding"}
"""Types whose content is a program or table of Apple's own."""
_NEWEST = 64
"""Versions of the specification that are taken for one; 10 is the newest in use."""
_MODEL_PATH = "@model_path/"
_HEADER = 64
_KEPT = 50


class CoreMLFormat(Format):
    """Core ML models."""

    name = "coreml"
    title = "Core ML model"
    extensions = (".mlmodel",)
    executable = False
    description = (
        "Pipelines, neural networks with the networks inside of their layers, programs with all of their functions and "
        "blocks: custom layers and models, models in other files, and files of weights with offsets. The weights "
        "themselves are inert; the file beside the model is read for where its blobs stand. Not read: parameters of "
        "other kinds of models (trees, support vectors, …), models that only Core ML can read (serialized models, text "
        "classifiers, gazetteers), compiled models (.mlmodelc), and what the graph computes. Loader: Core ML."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and view.head[:1] == b"\x08" and _is_model(view.artifact.source)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        made = Model()
        reader = WireReader(artifact.source, budget)
        breach: BudgetExceeded | None = None
        try:
            reader.read(TYPES["Model"], made)
        except BudgetExceeded as error:
            breach = error
        walk = _Walk()
        walk.model(made)
        end = reader.end if breach is None else artifact.source.size
        left = list(gaps(reader.anomalies))
        kinds = [field.number for field in fields(artifact.source, 0, artifact.source.size, 64) or ()]
        unread = [f"a serialized model ({name})" for name in walk.serialized]
        unread += [f"a {_UNREAD[number]}" for number in kinds if number in _UNREAD]
        left += [CoverageReason("inner-program", f"{what} is not read; only Core ML can") for what in unread[:_KEPT]]
        facts = CoreMLFacts(tuple(walk.classes), tuple(walk.linked), tuple(walk.files), tuple(walk.wrong[:_KEPT]))
        summary = _files(artifact, walk)
        yield Parsed(
            (facts,),
            tuple(regions(reader.data, end)),
            tuple(_words(artifact, made)),
            tuple(left),
            (summary,) if summary else (),
        )
        if breach is not None:
            raise breach


def _words(artifact: Artifact, made: Model) -> Iterator[Artifact]:
    """What the publisher says about the model, as a text."""
    if made.description is not None and made.description.metadata is not None:
        text = "\n".join(word for word in made.description.metadata.words() if word)
        if text:
            yield artifact.member("metadata.txt", BytesSource(text.encode("utf-8", "replace")))


def _is_model(source: ByteSource) -> bool:
    """True for a version, a description and a type of model."""
    walked = fields(source, 0, source.size, 12)
    if not walked or walked[0].number != 1 or not 0 < walked[0].value <= _NEWEST:
        return False
    return any(field.number in _TYPES and field.length is not None for field in walked)


class _Walk:
    """Goes through a model and the models inside of it."""

    def __init__(self) -> None:
        self.classes: dict[tuple[str, str], None] = {}
        self.linked: dict[str, None] = {}
        self.files: dict[str, ExternalFile] = {}
        self.serialized: dict[str, None] = {}
        self.wrong: list[str] = []

    def model(self, root: Model) -> None:
        """Everything."""
        stack = [root]
        while stack:
            model = stack.pop()
            for holder in (model.pipelineClassifier, model.pipelineRegressor):
                if holder is not None and holder.pipeline is not None:
                    stack += holder.pipeline.models
            if model.pipeline is not None:
                stack += model.pipeline.models
            for network in (model.neuralNetwork, model.neuralNetworkClassifier, model.neuralNetworkRegressor):
                self._network(network)
            if model.mlProgram is not None:
                self._program(model.mlProgram)
            self._others(model)

    def _others(self, model: Model) -> None:
        if model.customModel is not None:
            self.classes["model", model.customModel.className] = None
        if model.linkedModel is not None and (file := model.linkedModel.linkedModelFile) is not None:
            for text in (file.linkedModelFileName, file.linkedModelSearchPath):
                if text is not None and text.defaultValue:
                    self.linked[text.defaultValue] = None
        if model.serializedModel is not None:
            self.serialized[model.serializedModel.identifier] = None

    def _network(self, network: Network | None) -> None:
        stack = [network] if network is not None else []
        while stack:
            for layer in stack.pop().layers:
                if layer.custom is not None:
                    self.classes["layer", layer.custom.className] = None
                for nested in (layer.branch, layer.loop):
                    if nested is not None:
                        stack += [inner for inner in (nested.first, nested.second) if inner is not None]

    def _program(self, program: Program) -> None:
        stack: list[Block] = []
        for function in program.functions:
            if function.value is not None:
                stack += [entry.value for entry in function.value.block_specializations if entry.value is not None]
        while stack:
            for operation in stack.pop().operations:
                stack += operation.blocks
                values = dict(operation.values())
                if operation.type in ("custom_layer", "custom"):
                    self.classes["operation", _named(values) or operation.type] = None
                for value in values.values():
                    if value.blobFileValue is not None:
                        self._blob(value.blobFileValue)

    def _blob(self, blob: Blob) -> None:
        known = self.files.get(blob.fileName)
        end = blob.offset + _HEADER
        if end >= 1 << 62:
            self.wrong.append(f'a weight stands at byte {blob.offset:,} of "{blob.fileName[:200]}"')
            return
        if known is None and len(self.files) >= 500:
            return
        self.files[blob.fileName] = ExternalFile(
            blob.fileName, max(end, known.end if known else 0), (known.tensors if known else 0) + 1, "a weight"
        )


def _named(values: dict[str, Value]) -> str:
    """The class that a custom operation names."""
    for key in ("class_name", "className"):
        value = values.get(key)
        tensor = value.immediateValue.tensor if value is not None and value.immediateValue is not None else None
        if tensor is not None and tensor.strings is not None and tensor.strings.values:
            return tensor.strings.values[0]
    return ""


def _files(artifact: Artifact, walk: _Walk) -> ExternalFiles | None:
    if artifact.members or not walk.files:
        return None
    return ExternalFiles(
        tuple(
            msgspec.structs.replace(file, location=name.removeprefix(_MODEL_PATH))
            for name, file in sorted(walk.files.items())
        )
    )
