"""What a child says about one file for rules that look at several files at once.

Facts are judged where they are made, in the child, and are gone with it. Some judgements need a whole tree: which code
a config reaches, whether two weight files hold the same tensors, which files a loader would open. For those a format
adds summaries to its `Parsed`; they travel to the parent as JSON, and rules/tree.py hands them to the rules.

A summary is small (its maker bounds it), typed, and holds no judgement. To add one: a struct here with a tag of its
own, its name in `Summary`, and a rule with `@judges_tree`.
"""

import msgspec

from modelscan_plus.formats.text.page_parts import PageParts
from modelscan_plus.formats.text.python.facts import Effect, Entrusted, Taken

MAX_SUMMARIES = 4_000
"""Summaries of one top-level file; further ones are dropped and the file is then partly analysed."""


class CodeReference(msgspec.Struct, frozen=True):
    """A configuration names code by which a loader builds something."""

    key: str
    """Where it stands: "auto_map.AutoModel", "_class_name", "modules[0].type", "unet[1]", …"""
    value: str
    """As written: "modeling_x.Model", "other/repo--modeling_x.Model", "custom_st.Transformer"."""


class ConfigSummary(msgspec.Struct, frozen=True, tag="config"):
    """A JSON object that configures loaders, or another file that names code (formats/text/projects.py)."""

    keys: tuple[str, ...] = ()
    """The outermost keys, at most 400."""
    code: tuple[CodeReference, ...] = ()
    """References to code, at most 200."""
    strings: dict[str, str] = {}
    """Some values by key, where a rule or a loader needs them: "_class_name", "base_model_name_or_path",
    "architecture", "revision", "library_name", "transformers_weights", …"""
    trust_remote_code: bool = False
    """The file asks loaders to run remote code."""
    components: dict[str, tuple[str, str]] = {}
    """Of a model_index.json: component, then library and class."""
    modules: tuple[tuple[str, str], ...] = ()
    """Of a modules.json: path and type of each."""
    expressions: dict[str, str] = {}
    """Texts that could be Python, by their key: code may evaluate them; at most 50 of at most 20,000 characters."""
    weight_map: tuple[str, ...] = ()
    """Of an index: the files named in it, each once, sorted, at most 10,000."""
    named: tuple[str, ...] = ()
    """Words that may name a function or file of Python: "module.function", "file.py:function"; at most 2,000."""


class WordsSummary(msgspec.Struct, frozen=True, tag="words"):
    """Of a tokenizer, the words with which models refuse; of settings of generation, the tokens that are forbidden."""

    refusing: tuple[tuple[int, str], ...] = ()
    forbidden: tuple[int, ...] = ()


class VocabularySummary(msgspec.Struct, frozen=True, tag="vocabulary"):
    """The words of a tokenizer in the order of their numbers (formats/text/vocabularies.py)."""

    count: int
    orders: str
    """For every 64 words a u32 that depends on their order, in base64; for at most a million words."""
    sums: str
    """For every 64 words a u64 that does not, in base64."""


class PythonImport(msgspec.Struct, frozen=True):
    """An import statement that could lead to another file of the tree."""

    module: str
    """Dotted, with leading dots for a relative import."""
    names: tuple[str, ...] = ()


class PythonSummary(msgspec.Struct, frozen=True, tag="python"):
    """A Python source file."""

    imports: tuple[PythonImport, ...] = ()
    """At most 1,000."""
    classes: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    """What it does beyond computing (formats/text/python/facts.py)."""
    parsed: bool = True
    """False where the source could not be parsed."""
    handed: bool = False
    """It has functions that something outside is given and calls (formats/text/python/handed.py)."""
    passed: tuple[str, ...] = ()
    """Functions of other modules, by dotted name, that it hands to what somebody asks."""
    entrusts: tuple[Entrusted, ...] = ()
    """Calls of other modules' functions with what people enter in secret."""
    takes: tuple[Taken, ...] = ()
    """Parameters of its functions that these give to another machine."""
    source: bytes = b""
    """The file itself, by zlib, to be followed together with its neighbours; empty for one deep inside of archives."""


class FollowedSummary(msgspec.Struct, frozen=True, tag="followed"):
    """What a Python file does together with the other files of its repository."""

    effects: tuple[Effect, ...] = ()
    unfinished: tuple[str, ...] = ()
    """What was not followed to its end."""


class PickleImports(msgspec.Struct, frozen=True, tag="pickle-imports"):
    """Modules that unpickling imports, without those of the standard library; at most 200."""

    modules: tuple[str, ...]


class TensorPlace(msgspec.Struct, frozen=True, array_like=True):
    """Where the numbers of a tensor stand, one after another in the order of the shape."""

    dtype: str
    """As safetensors writes it: "F32", "BF16", "I64", …"""
    start: int
    """Byte offset in the file, or in the storage."""
    count: int
    """Numbers."""
    storage: str = ""
    """Of a pickle, the key of the storage (`Storages`)."""


class Storages(msgspec.Struct, frozen=True, tag="storages"):
    """The storages of a PyTorch checkpoint."""

    places: dict[str, tuple[int, int]]
    """By key, where it begins in the file and its bytes; at most 20,000."""
    headers: bool
    """True where a zip's local header stands at the beginning."""


class TensorNames(msgspec.Struct, frozen=True, tag="tensors"):
    """The tensors of one weight file."""

    format: str
    """"safetensors", "pickle" or "gguf"."""
    tensors: dict[str, tuple[int, ...]]
    """Shape by name; at most 20,000 names of at most 300 characters."""
    complete: bool = True
    """False where some were left out, or where the reader could not tell."""
    places: dict[str, TensorPlace] = {}
    """Of the tensors that formats/tensors/places.py chooses."""
    tied: tuple[str, ...] = ()
    """Tensors that are the storage of another one under a second name; at most 100."""


class TemplateSummary(msgspec.Struct, frozen=True, tag="template"):
    """A chat template."""

    sha256: str
    """Of its text in UTF-8."""
    length: int
    """In characters."""
    parsed: bool = True


class TextSummary(msgspec.Struct, frozen=True, tag="text"):
    """A text file of another kind."""

    role: str
    """What its name and content make of it: "requirements", "setup-py", "markdown", "shell", "lfs-pointer", …"""
    starts: tuple[tuple[str, int], ...] = ()
    """Of a script, the names of the files that stand where a command does, each with its line."""
    page: PageParts | None = None
    """Of a page or its scripts, what the other files need to know."""


class StatedDigest(msgspec.Struct, frozen=True):
    """What one file should be, as another file says."""

    name: str
    """As written, relative to the folder of the file that says it; "" where the file speaks of itself."""
    algorithm: str
    """As in hashlib, or "blake3", "unknown", or "md5-dir" for the MD5 that DVC has of a folder."""
    digest: str
    """Hexadecimal, lower case."""
    size: int | None = None
    files: int | None = None
    """Of a folder."""


class DigestList(msgspec.Struct, frozen=True, tag="digests"):
    """A file that says by digest what others should be."""

    kind: str
    """"checksums", "dvc" or "lfs-pointer"."""
    digests: tuple[StatedDigest, ...]
    """At most `MAX_DIGESTS`."""


MAX_DIGESTS = 100_000


class WeightIndex(msgspec.Struct, frozen=True, tag="weight-index"):
    """The index of a model in several files."""

    weights: dict[str, str]
    """File by tensor."""
    repeated: tuple[str, ...] = ()
    """Keys that stand twice, with the keys that lead to them; at most 100."""
    total_size: int | None = None
    problem: str = ""
    complete: bool = True


class Shard(msgspec.Struct, frozen=True, tag="shard"):
    """The tensors of a safetensors file, to be held against an index."""

    tensors: tuple[str, ...]
    """At most 20,000 names of at most 300 bytes."""
    data_bytes: int
    complete: bool = True


class ExternalFile(msgspec.Struct, frozen=True):
    """A file beside a model in which the model keeps tensors."""

    location: str
    """As written in the model; relative to its folder where a loader accepts it."""
    end: int
    """The first byte behind the last tensor, as far as the model says."""
    tensors: int
    where: str = ""
    """The first tensor that names it."""


class ExternalFiles(msgspec.Struct, frozen=True, tag="external-files"):
    """The files that a model reads tensors from."""

    files: tuple[ExternalFile, ...]
    """At most 500, by location."""


class RawNumbers(msgspec.Struct, frozen=True, tag="raw-numbers"):
    """A file of no known format whose bytes read as floating-point numbers of moderate size throughout."""

    number: str
    """"float32", "float64" or "float16"."""


Summary = (
    ConfigSummary
    | WordsSummary
    | VocabularySummary
    | PythonSummary
    | FollowedSummary
    | TensorNames
    | PickleImports
    | Storages
    | TemplateSummary
    | TextSummary
    | DigestList
    | WeightIndex
    | Shard
    | ExternalFiles
    | RawNumbers
)


class Stated(msgspec.Struct, frozen=True):
    """A summary and where in the file it belongs."""

    members: tuple[str, ...]
    summary: Summary
