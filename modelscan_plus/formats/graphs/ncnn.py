"""ncnn: the graph as text in a .param, the weights as plain numbers in a .bin of the same name.

    7767517
    LAYERS BLOBS
    TYPE NAME INPUTS OUTPUTS inputs… outputs… 0=1 1=2.0 -23303=3,1,2,3 …

The .bin has no header, and which of its bytes belong to which layer only ncnn's code knows. Source: the page on the
structure of param and model files in ncnn's documentation.
"""

from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import ExternalFile, ExternalFiles

_MAGIC = lazy(rb"^7767517\r?\n\d{1,9} \d{1,9}\r?\n")
_LINE = lazy(r"^\s*(?:[A-Za-z_][\w.:]*\s+\S+\s+\d+\s+\d+(?:\s+\S+)*\s*)?$")
_LARGEST = 64 << 20


class NcnnFormat(Format):
    """ncnn graphs."""

    name = "ncnn"
    title = "ncnn graph"
    extensions = (".param",)
    executable = False
    description = (
        "Every line has to be a layer. Layers of names that ncnn does not have need code of the host, which is not "
        "judged here. The .bin beside the graph is plain numbers and left unread; how long it should be is not known. "
        "Loaders: ncnn, ultralytics."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and _MAGIC.match(view.head) is not None

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        text = artifact.source.pread(0, min(size, _LARGEST)).decode("utf-8", "replace")
        lines = text.splitlines()
        budget.take_objects(len(lines))
        odd = next((place for place, line in enumerate(lines[2:], 3) if not _LINE.match(line[:20_000])), None)
        gap: tuple[CoverageReason, ...] = ()
        if odd is not None or size > _LARGEST:
            why = f"line {odd:,} is no layer" if odd is not None else f"{size:,} bytes are not read"
            gap = (CoverageReason("malformed", f"the graph cannot be read: {why}"),)
        yield Parsed(regions=(Region(0, size, "structure"),), gaps=gap, summaries=_weights(artifact))


def _weights(artifact: Artifact) -> tuple[ExternalFiles, ...]:
    name = artifact.name.replace("\\", "/").rpartition("/")[2]
    if artifact.members or not name.endswith(".param"):
        return ()
    return (ExternalFiles((ExternalFile(f"{name.removesuffix('.param')}.bin", 0, 0),)),)
