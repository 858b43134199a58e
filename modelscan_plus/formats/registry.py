"""The list of formats. Order matters only for display: every format that claims the bytes is parsed."""

from modelscan_plus.formats import kinds
from modelscan_plus.formats.archives.distcp import DistcpFormat
from modelscan_plus.formats.archives.sevenzip import SevenZipFormat
from modelscan_plus.formats.archives.streams import CODECS, StreamFormat
from modelscan_plus.formats.archives.tar import TarFormat
from modelscan_plus.formats.archives.zip import ZipFormat
from modelscan_plus.formats.graphs.coreml.format import CoreMLFormat
from modelscan_plus.formats.graphs.coreml.program import MilFormat
from modelscan_plus.formats.graphs.coreml.weights import WeightsFormat
from modelscan_plus.formats.graphs.executorch import ExecuTorchFormat
from modelscan_plus.formats.graphs.ncnn import NcnnFormat
from modelscan_plus.formats.graphs.onnx.format import OnnxFormat
from modelscan_plus.formats.graphs.openvino import OpenVinoFormat
from modelscan_plus.formats.graphs.paddle import PaddleFormat, PaddleJsonFormat, PaddleParametersFormat
from modelscan_plus.formats.graphs.tensorflow.checkpoint import CheckpointFormat
from modelscan_plus.formats.graphs.tensorflow.format import TensorFlowFormat
from modelscan_plus.formats.graphs.tensorflow.keras import FingerprintFormat, KerasMetadataFormat
from modelscan_plus.formats.graphs.tensorflow.text import TensorFlowTextFormat
from modelscan_plus.formats.graphs.tfjs import TensorFlowJsFormat
from modelscan_plus.formats.graphs.tflite import TFLiteFormat
from modelscan_plus.formats.hdf5.format import Hdf5Format
from modelscan_plus.formats.interface import Format, View
from modelscan_plus.formats.manifests.checksums import ChecksumsFormat
from modelscan_plus.formats.manifests.dvc import DvcFormat
from modelscan_plus.formats.manifests.weight_index import WeightIndexFormat
from modelscan_plus.formats.pdf import PdfFormat
from modelscan_plus.formats.pickle.format import PickleFormat, TorchLegacyFormat
from modelscan_plus.formats.serialized.parquet import ParquetFormat
from modelscan_plus.formats.serialized.rdata import RFormat
from modelscan_plus.formats.serialized.torch7 import Torch7Format
from modelscan_plus.formats.tensors.ctranslate2 import CTranslate2Format
from modelscan_plus.formats.tensors.gguf import GgufFormat
from modelscan_plus.formats.tensors.npy import NpyFormat
from modelscan_plus.formats.tensors.safetensors import SafetensorsFormat
from modelscan_plus.formats.text.config import JsonFormat
from modelscan_plus.formats.text.plain import TextFormat
from modelscan_plus.formats.text.sentencepiece import SentencePieceFormat
from modelscan_plus.formats.text.source import NotebookFormat, PythonFormat
from modelscan_plus.formats.text.template import TemplateFormat

FORMATS: tuple[Format, ...] = (
    PickleFormat(),
    TorchLegacyFormat(),
    SafetensorsFormat(),
    GgufFormat(),
    NpyFormat(),
    OnnxFormat(),
    TensorFlowFormat(),
    TensorFlowTextFormat(),
    KerasMetadataFormat(),
    FingerprintFormat(),
    CheckpointFormat(),
    TFLiteFormat(),
    CoreMLFormat(),
    WeightsFormat(),
    MilFormat(),
    OpenVinoFormat(),
    ExecuTorchFormat(),
    PaddleFormat(),
    PaddleJsonFormat(),
    PaddleParametersFormat(),
    NcnnFormat(),
    TensorFlowJsFormat(),
    CTranslate2Format(),
    RFormat(),
    Torch7Format(),
    ParquetFormat(),
    SentencePieceFormat(),
    Hdf5Format(),
    PdfFormat(),
    ZipFormat(),
    DistcpFormat(),
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

_STARTS_IN_PAYLOADS: dict[str, tuple[bytes, ...]] = {
    "pickle": (b"\x80", b"c", b"("), "torch-legacy": (b"\x80", b"\x8a"), "npy": (b"\x93NUMPY",), "zip": (b"PK\3\4",),
    "7z": (b"7z\xbc\xaf",), "gzip": (b"\x1f\x8b\x08",), "bzip2": (b"BZh",), "xz": (b"\xfd7zXZ",),
    "zstandard": (b"\x28\xb5\x2f\xfd",), "lz4": (b"\x04\x22\x4d\x18",), "joblib-zfile": (b"ZF0x",),
    "hdf5": (b"\x89HDF",),
}  # fmt: skip
"""How formats begin that are looked for in what loaders take for raw data. The others, text above all, are not: a
checkpoint has thousands of tensors, and whatever in them could pass for text or for a header of numbers is numbers."""
IN_PAYLOADS: tuple[tuple[tuple[bytes, ...], Format], ...] = tuple(
    (_STARTS_IN_PAYLOADS[known.name], known) for known in FORMATS if known.name in _STARTS_IN_PAYLOADS
)
_PAYLOAD_STARTS = tuple({start for starts, _ in IN_PAYLOADS for start in starts} | set(kinds.PROGRAM_STARTS))


def begins_like_something(head: bytes) -> bool:
    """False for raw data that needs no second look."""
    return head.startswith(_PAYLOAD_STARTS)


def claiming(view: View) -> list[Format]:
    """The formats that claim the bytes."""
    if view.artifact.payload:
        head = view.head
        return [known for starts, known in IN_PAYLOADS if head.startswith(starts) and known.claims(view)]
    first = [known for known in FORMATS if not known.fallback and known.claims(view)]
    return first or [known for known in FORMATS if known.fallback and known.claims(view)]


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
