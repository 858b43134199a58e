"""The list of formats. Order matters only for display: every format that claims the bytes is parsed."""

from modelscan_plus.formats import kinds
from modelscan_plus.formats.archives.sevenzip import SevenZipFormat
from modelscan_plus.formats.archives.streams import CODECS, StreamFormat
from modelscan_plus.formats.archives.tar import TarFormat
from modelscan_plus.formats.archives.zip import ZipFormat
from modelscan_plus.formats.graphs.onnx.format import OnnxFormat
from modelscan_plus.formats.interface import Format
from modelscan_plus.formats.manifests.checksums import ChecksumsFormat
from modelscan_plus.formats.manifests.dvc import DvcFormat
from modelscan_plus.formats.manifests.weight_index import WeightIndexFormat
from modelscan_plus.formats.pickle.format import PickleFormat, TorchLegacyFormat
from modelscan_plus.formats.tensors.gguf import GgufFormat
from modelscan_plus.formats.tensors.npy import NpyFormat
from modelscan_plus.formats.tensors.safetensors import SafetensorsFormat
from modelscan_plus.formats.text.config import JsonFormat
from modelscan_plus.formats.text.plain import TextFormat
from modelscan_plus.formats.text.source import NotebookFormat, PythonFormat
from modelscan_plus.formats.text.template import TemplateFormat

FORMATS: tuple[Format, ...] = (
    PickleFormat(),
    TorchLegacyFormat(),
    SafetensorsFormat(),
    GgufFormat(),
    NpyFormat(),
    OnnxFormat(),
    ZipFormat(),
    TarFormat(),
    SevenZipFormat(),
    *(StreamFormat(codec) for codec in CODECS),
    WeightIndexFormat(),
    ChecksumsFormat(),
    DvcFormat(),
    TemplateFormat(),
    JsonFormat(),
    PythonFormat(),
    NotebookFormat(),
    TextFormat(),
)


def expected(name: str) -> tuple[str, ...]:
    """Names of the formats and kinds for which the extension of `name` is usual."""
    ending = kinds.extension(name)
    if not ending:
        return ()
    names = [known.name for known in FORMATS if ending in known.extensions]
    names += [kind.name for kind in kinds.KINDS if ending in kind.extensions]
    if ending in kinds.TEXT_NAMES:
        names.append("text")
    return tuple(names)
