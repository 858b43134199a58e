"""Small files beside a saved_model.pb: what Keras wrote for its layers, and the fingerprint.

    keras_metadata.pb   0a SavedObject {10 node   1a path   22 identifier "_tf_keras_…"   2a JSON   32 version}
    fingerprint.pb      08, 10, 18, 20, 28: digests as numbers   32 version   3a identifier

Keras (TensorFlow 2.5 to 2.15) builds every layer again from that JSON, and a Lambda layer from the bytecode in it.
"""

from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.formats.graphs.protobuf import WireReader
from modelscan_plus.formats.graphs.tensorflow.format import part
from modelscan_plus.formats.graphs.tensorflow.model import KerasMetadata
from modelscan_plus.formats.graphs.tensorflow.schema import TYPES
from modelscan_plus.formats.graphs.wire import fields, gaps
from modelscan_plus.formats.interface import Format, Parsed, Region, View

_OBJECTS = 20_000
_FIELDS = {2, 3, 4, 5, 6}
_HUB = b"\x08\x03"
"""All of tfhub_module.pb: the version of the form of a module."""


class KerasMetadataFormat(Format):
    """keras_metadata.pb."""

    name = "keras-metadata"
    title = "Metadata of Keras in a SavedModel"
    extensions = ()
    executable = False
    description = (
        "The configuration of every layer, as JSON: judged as JSON is, Lambda layers with bytecode and objects of "
        "other modules among it. Loader: tf.keras.models.load_model up to TensorFlow 2.15."
    )

    def claims(self, view: View) -> bool:
        source = view.artifact.source
        if view.artifact.payload or view.head[:1] != b"\x0a":
            return False
        for first in fields(source, 0, source.size, 1) or ():
            inner = {field.number: field for field in fields(source, first.start, first.end, 6) or ()}
            named, metadata = (inner.get(number) for number in (4, 5))
            text = source.pread(named.start, min(named.length or 0, 64)) if named is not None else b""
            begins = source.pread(metadata.start, 1) if metadata is not None and metadata.length else b""
            return text.startswith(b"_tf_keras") or (begins == b"{" and inner.keys() <= _FIELDS)
        return False

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        made = KerasMetadata()
        reader = WireReader(artifact.source, budget)
        breach: BudgetExceeded | None = None
        try:
            reader.read(TYPES["SavedMetadata"], made)
        except BudgetExceeded as error:
            breach = error
        held = [node for node in made.nodes if node.metadata is not None and node.metadata.length > 2]
        nested = [
            part(artifact, f"{node.node_path or node.node_id}.json", node.metadata)
            for node in held[:_OBJECTS]
            if node.metadata is not None
        ]
        left = gaps(reader.anomalies, "metadata")
        if len(held) > _OBJECTS:
            left = (*left, CoverageReason("more", f"{len(held) - _OBJECTS:,} further objects were not read", True))
        yield Parsed(
            (), (Region(0, reader.end if breach is None else artifact.source.size, "structure"),), nested, left
        )
        if breach is not None:
            raise breach


class FingerprintFormat(Format):
    """fingerprint.pb."""

    name = "saved-model-fingerprint"
    title = "Fingerprint of a SavedModel"
    extensions = ()
    executable = False
    description = (
        "Five numbers that name the parts of a SavedModel, and a version; nothing acts on them. They are not compared "
        "with the model. The two bytes of a tfhub_module.pb are taken for one, too."
    )

    def claims(self, view: View) -> bool:
        source = view.artifact.source
        if view.head == _HUB and not view.artifact.payload:
            return True
        if view.artifact.payload or not 10 <= source.size <= 512 or view.head[:1] != b"\x08":
            return False
        walked = fields(source, 0, source.size, 16)
        if not walked or walked[-1].end != source.size:
            return False
        numbers = [field.number for field in walked]
        plain = all((field.length is None) == (field.number <= 5) for field in walked)
        return plain and numbers == sorted(set(numbers)) and numbers[:2] == [1, 2] and numbers[-1] in (5, 6, 7)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        yield Parsed(regions=(Region(0, artifact.source.size, "structure"),))
