"""A Core ML program as text: model.mil inside of a compiled model (.mlmodelc).

    program(1.0)
    [buildInfo = dict<…>({…})]
    { func main<ios16>(tensor<fp32, [1, 3]> x) { tensor<…> w = const()[…, val = tensor<…>(BLOBFILE(path = tensor<string,
      []>("@model_path/weights/weight.bin"), offset = tensor<uint64, []>(64)))]; … } }

Only what leads to other files or needs a class of the host is looked for; the rest computes.
"""

from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.coreml.facts import CoreMLFacts
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import ExternalFile, ExternalFiles

_BEGINS = lazy(rb"^program\(\d+\.\d+\)\s")
_BLOB = lazy(
    r"BLOBFILE\(\s*path\s*=\s*[^()]{0,60}\(\"((?:[^\"\\]|\\.){0,2000})\"\)\s*,\s*offset\s*=\s*[^()]{0,60}\((\d{1,20})\)"
)
_FILES = lazy(r"BLOBFILE\(")
_CUSTOM = lazy(r"\bcustom_layer\([^;]{0,4000}?class_name\s*=\s*[^()]{0,60}\(\"([^\"]{0,300})\"\)")
_LARGEST = 128 << 20
_MODEL_PATH = "@model_path/"
_HEADER = 64


class MilFormat(Format):
    """model.mil."""

    name = "coreml-program"
    title = "Core ML program as text"
    extensions = (".mil",)
    executable = False
    description = (
        "Files of weights with their offsets, and classes that custom layers need; of other operators nothing. Loader: "
        "Core ML, from a compiled model."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and _BEGINS.match(view.head) is not None

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        text = artifact.source.pread(0, min(size, _LARGEST)).decode("utf-8", "replace")
        budget.check_time()
        blobs = _BLOB.findall(text)
        classes = tuple(("operation", name) for name in dict.fromkeys(_CUSTOM.findall(text)))[:50]
        gap: tuple[CoverageReason, ...] = ()
        if size > _LARGEST or len(blobs) != sum(1 for _ in _FILES.finditer(text)):
            gap = (CoverageReason("malformed", "not every file of weights in the program was understood"),)
        files: dict[str, ExternalFile] = {}
        for name, offset in blobs:
            known = files.get(name)
            end = max(int(offset) + _HEADER, known.end if known else 0)
            count = (known.tensors if known else 0) + 1
            if known is not None or len(files) < 500:
                location = name.removeprefix(_MODEL_PATH)
                files[name] = ExternalFile(location, min(end, 1 << 62), count, "a weight")
        summary = () if artifact.members or not files else (ExternalFiles(tuple(files.values())),)
        whole = (Region(0, size, "structure"),)
        yield Parsed((CoreMLFacts(classes, blobs=tuple(files)),), whole, gaps=gap, summaries=summary)
