"""TensorFlow.js: model.json, and shards of plain numbers beside it.

    {"format": "layers-model" | "graph-model", "modelTopology": {…},
     "weightsManifest": [{"paths": ["group1-shard1of2.bin", …], "weights": [{"name", "shape", "dtype"}, …]}]}

The shards of a group are one row of numbers, cut into pieces of the same size. Source: the format of the converter of
TensorFlow.js. The file is read as JSON as well. Loaders: tf.loadLayersModel, tf.loadGraphModel.
"""

import json
from collections.abc import Iterable, Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import ExternalFile, ExternalFiles

_LARGEST = 64 << 20
_PATHS = 500
_MARK = b'"weightsManifest"'


class TensorFlowJsFacts(Facts, frozen=True):
    """One model."""

    paths: tuple[str, ...] = ()
    """Files of weights, as written."""


class TensorFlowJsFormat(Format):
    """TensorFlow.js models."""

    name = "tensorflow-js"
    title = "TensorFlow.js model"
    extensions = (".json",)
    executable = False
    description = (
        "The files of weights that the model names, which are plain numbers and left unread; the rest of the file as "
        "JSON. Not read: operators and layers of the topology, and whether the files are as long as they should be. "
        "Loaders: tf.loadLayersModel, tf.loadGraphModel."
    )

    def claims(self, view: View) -> bool:
        text = view.head.lstrip()
        return not view.artifact.payload and text[:1] == b"{" and (_MARK in view.head or _MARK in view.tail)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        whole = (Region(0, size, "structure"),)
        why = f"{size:,} bytes are not read" if size > _LARGEST else ""
        value: object = None
        if not why:
            budget.take_objects(size // 16)
            try:
                value = json.loads(artifact.source.pread(0, size))
            except (ValueError, RecursionError) as error:
                why = f"not valid JSON: {error}"
        paths = tuple(dict.fromkeys(_paths(value)))[:_PATHS]
        gap = (CoverageReason("malformed", f"the model cannot be read: {why}", executable=True),) if why else ()
        files = tuple(ExternalFile(path, 0, 1, "weightsManifest") for path in paths)
        summary = (ExternalFiles(files),) if files and not artifact.members else ()
        yield Parsed((TensorFlowJsFacts(paths),), whole, gaps=gap, summaries=summary)


def _paths(value: object) -> Iterator[str]:
    groups = value.get("weightsManifest") if isinstance(value, dict) else None
    for group in groups if isinstance(groups, list) else ():
        paths = group.get("paths") if isinstance(group, dict) else None
        for path in paths if isinstance(paths, list) else ():
            if isinstance(path, str):
                yield path
