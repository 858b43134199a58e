"""Contents that are recognised but not analysed, so that the report can say what a file is and what that means.

A kind is decided by verified header fields, never by two to four magic bytes alone where those turn up by chance
in weights; text is text when it decodes and holds no control characters. `executable` says that some loader or
the operating system can run code from such content.
"""

import struct
from collections.abc import Callable

import msgspec

from modelscan_plus.core.patterns import lazy

_WORD2VEC = lazy(rb"[1-9]\d{0,8} [1-9]\d{0,4}\r?\n[^ \0\n]{1,200} ")


class Kind(msgspec.Struct, frozen=True):
    """One recognised content."""

    name: str
    title: str
    executable: bool
    test: Callable[[bytes], bool]
    """Given at least the first 4096 bytes (or all of them)."""
    extensions: tuple[str, ...] = ()


def _starts(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magics)


def _is_elf(head: bytes) -> bool:
    if len(head) < 52 or not head.startswith(b"\x7fELF"):
        return False
    bits, order, version = head[4], head[5], head[6]
    if bits not in (1, 2) or order not in (1, 2) or version != 1 or len(head) < 64:
        return False
    prefix = "<" if order == 1 else ">"
    entry_size: int = struct.unpack_from(prefix + "H", head, 42 if bits == 1 else 54)[0]
    return entry_size in (0, 32, 56)


def _is_pe(head: bytes) -> bool:
    if len(head) < 64 or not head.startswith(b"MZ"):
        return False
    offset: int = struct.unpack_from("<I", head, 60)[0]
    return head[offset : offset + 4] == b"PE\0\0" or head.startswith(b"MZqFpD='")


def _is_macho(head: bytes) -> bool:
    if len(head) < 28:
        return False
    if head.startswith(b"\xca\xfe\xba\xbe"):
        (count,) = struct.unpack_from(">I", head, 4)
        return 0 < int(count) < 20
    if head[:4] not in (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"):
        return False
    order = ">" if head[0] == 0xFE else "<"
    commands, size = struct.unpack_from(order + "II", head, 16)
    return 0 < int(commands) <= 4096 and 8 * int(commands) <= int(size) < 1 << 24


def _is_lfs_pointer(head: bytes) -> bool:
    return head.startswith(b"version https://git-lfs.github.com/spec/") and b"\noid sha256:" in head[:400]


def _is_compress(head: bytes) -> bool:
    """Magic, then a byte with the longest code in bits (9 to 16), two bits that are zero, and block mode."""
    return head.startswith(b"\x1f\x9d") and len(head) > 3 and 9 <= head[2] & 31 <= 16 and not head[2] & 0x60


def _is_fasttext(head: bytes) -> bool:
    """Magic, version, then the settings: dimensions, window, epochs and so on, all of them small."""
    if len(head) < 64 or head[:4] != b"\xba\x16\x4f\x2f":
        return False
    version, dimensions, window = struct.unpack_from("<iii", head, 4)
    return bool(11 <= version <= 13 and 0 < dimensions <= 1 << 16 and 0 <= window <= 1 << 10)


def _is_word2vec(head: bytes) -> bool:
    """How many words and how long their vectors are, on a line of their own; then the first word and its numbers."""
    return _WORD2VEC.match(head) is not None and b"\0" in head


def _is_bytecode(head: bytes) -> bool:
    """Magic number, flags of PEP 552, 8 bytes of time and size or of a hash, then a code object of marshal."""
    return head[2:4] == b"\r\n" and head[16:17] in (b"\xe3", b"\x63") and head[4] < 4 and head[5:8] == b"\0\0\0"


def _is_bytecode_by_hash(head: bytes) -> bool:
    """Bytecode that Python holds against its source by a hash or not at all: no newer source sets it aside."""
    return _is_bytecode(head) and head[4] & 1 == 1


def _is_text(head: bytes) -> bool:
    sample = head[:4096]
    if not sample:
        return False
    try:
        text = sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:
            return False
        text = sample[: error.start].decode("utf-8")
    return all(character >= " " or character in "\t\n\r\f\x1b" for character in text)


TEXT = Kind("text", "text", False, _is_text, ())
KINDS: tuple[Kind, ...] = (
    Kind("lfs-pointer", "Git LFS pointer", True, _is_lfs_pointer),
    Kind("elf", "ELF executable or library", True, _is_elf, (".so", ".elf", ".bin")),
    Kind("pe", "Windows executable or library", True, _is_pe, (".exe", ".dll", ".pyd", ".sys")),
    Kind("mach-o", "Mach-O executable or library", True, _is_macho, (".dylib", ".so")),
    Kind("webassembly", "WebAssembly module", True, _starts(b"\0asm\1\0\0\0"), (".wasm",)),
    Kind("windows-shortcut", "Windows shortcut", True, _starts(b"L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0"), (".lnk",)),
    Kind(
        "ole",
        "OLE file (Windows installer, Office with macros)",
        True,
        _starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        (".msi",),
    ),
    Kind("hdf5", "HDF5 (Keras .h5 and others)", True, _starts(b"\x89HDF\r\n\x1a\n"), (".h5", ".hdf5", ".keras")),
    Kind("ggml", "GGML, GGMF or GGJT", False, _starts(b"lmgg", b"fmgg", b"tjgg"), (".bin", ".ggml")),
    Kind("mxnet", "parameters of MXNet", False, _starts(b"\x12\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), (".params",)),
    Kind("rknn", "RKNN model, compiled for an NPU of Rockchip", False, _starts(b"RKNN\0", b"CYPTRKNN"), (".rknn",)),
    Kind("catboost", "CatBoost model", False, _starts(b"CBM1"), (".cbm",)),
    Kind("fasttext", "fastText model", False, _is_fasttext, (".bin", ".ftz")),
    Kind("kenlm", "KenLM language model", False, _starts(b"mmap lm http://kheafield.com/code"), (".bin", ".klm")),
    Kind("word2vec", "word vectors of word2vec", False, _is_word2vec, (".bin", ".vec")),
    Kind("lz4-legacy", "LZ4, legacy frame", True, _starts(b"\x02\x21\x4c\x18"), (".lz4",)),
    Kind("lzip", "lzip", True, _starts(b"LZIP\1"), (".lz",)),
    Kind("lzop", "lzop", True, _starts(b"\x89LZO\0\r\n\x1a\n"), (".lzo",)),
    Kind("compress", "Unix compress (LZW)", True, _is_compress, (".z",)),
    Kind("cabinet", "Windows cabinet", True, _starts(b"MSCF\0\0\0\0"), (".cab",)),
    Kind("cpio", "cpio archive", True, _starts(b"070701", b"070702", b"070707"), (".cpio",)),
    Kind("ar", "ar archive", True, _starts(b"!<arch>\n"), (".a", ".deb", ".lib")),
    Kind("rar", "RAR", True, _starts(b"Rar!\x1a\x07"), (".rar",)),
    Kind(
        "python-bytecode-by-hash", "Python bytecode that stands for its source", True, _is_bytecode_by_hash, (".pyc",)
    ),
    Kind("python-bytecode", "Python bytecode", True, _is_bytecode, (".pyc",)),
    Kind("png", "PNG image", False, _starts(b"\x89PNG\r\n\x1a\n"), (".png",)),
    Kind("jpeg", "JPEG image", False, _starts(b"\xff\xd8\xff"), (".jpg", ".jpeg")),
    Kind("gif", "GIF image", False, _starts(b"GIF87a", b"GIF89a"), (".gif",)),
    Kind("webp", "WebP image", False, lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", (".webp",)),
    Kind("wav", "WAV audio", False, lambda head: head[:4] == b"RIFF" and head[8:12] == b"WAVE", (".wav",)),
    Kind("parquet", "Parquet table", False, _starts(b"PAR1"), (".parquet",)),
    TEXT,
)

PROGRAM_STARTS = (
    b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe", b"\0asm", b"Rar!", b"GGUF", b"\x89HDF", b"MSCF",
)  # fmt: skip
"""Beginnings for which raw data is held against the kinds above."""

EXECUTABLE_NAMES = frozenset(
    """.py .pyc .pyw .pyd .so .dll .dylib .exe .sh .bash .bat .cmd .ps1 .jar .class .ipynb .pkl .pickle .p .pt .pth
    .bin .ckpt .joblib .dill .h5 .hdf5 .keras .pb .pbtxt .onnx .tflite .pte .mar .nemo .pdmodel .pdparams .pdopt
    .mlmodel .engine .plan .trt .gguf .llamafile .npy .npz .rds .rda .rdata .t7 .cbm .params .skops .pt2 .lua""".split()
)
"""Extensions that some loader takes for something it can run; unknown content under such a name is a gap where code
could hide. `.model` (SentencePiece) and `.msgpack` (Flax) are data to their loaders."""

_COMPILED = lazy(r"\.mlmodelc/(?:[\w.-]+/){0,3}(?:coremldata\.bin|model\.espresso\.(?:weights|shape))$")
"""Parts of compiled models of Core ML, in a form of Apple's own; Core ML runs no code from them."""

TEXT_NAMES = frozenset(
    """.json .txt .md .rst .csv .tsv .yaml .yml .toml .cfg .ini .xml .html .license .jinja .jsonl .gitattributes
    .gitignore""".split()
)
"""Extensions of plain text, for the check of names against contents."""


def recognise(head: bytes) -> Kind | None:
    """The first kind whose test accepts the bytes, or None."""
    return next((kind for kind in KINDS if kind.test(head)), None)


def extension(name: str) -> str:
    """The lower-case ending of a file or member name, with the dot, or ""."""
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    stem, dot, ending = base.rpartition(".")
    return dot + ending if dot and (stem or ending) else ""


def runs(name: str) -> bool:
    """True where some loader takes unknown content under this name for something it can run."""
    return extension(name) in EXECUTABLE_NAMES and _COMPILED.search(name.replace("\\", "/")) is None
