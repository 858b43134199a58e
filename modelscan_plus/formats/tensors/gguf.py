"""The GGUF format, checked as exactly as llama.cpp does, with every bound taken from the size of the file.

    0     "GGUF"
    4     u32  version 1, 2 or 3; where its low half is zero, the file is big-endian
    8     u64  number of tensors      (u32 in version 1, as all counts and lengths there)
    16    u64  number of key-value pairs
    24    pairs: string key, u32 type, value; a string is u64 length and bytes; an array is u32 type, u64 count, items
    …     tensor infos, at once behind the pairs: string name, u32 dimensions (at most 4), u64 each, u32 type,
          u64 offset
    …     padding to `general.alignment` (u32, a power of two, 32 where it is not given)
    …     tensor data; offsets are relative to here and multiples of the alignment, one tensor behind the other

Sources: GGUF description of ggml; `gguf.cpp` of llama.cpp and its fixes of 2024 to 2026.
"""

import re
import struct
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import SliceSource, end_of_zeros
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import TensorNames
from modelscan_plus.formats.tensors.embedded import source_kind, text_kind
from modelscan_plus.formats.tensors.facts import EmbeddedText, Overlap, Problem
from modelscan_plus.formats.tensors.gguf_model import MOST_LAYERS, disagreements
from modelscan_plus.formats.tensors.gguf_reader import LONGEST_NAME, WORDS, Cursor, GgufFault, Value, read_value
from modelscan_plus.formats.tensors.gguf_types import ARRAY, ITEM_TYPES, KEY_TYPES, NEVER, PLAUSIBLE, TENSOR_TYPES
from modelscan_plus.formats.tensors.gguf_words import Words
from modelscan_plus.formats.tensors.problems import Problems
from modelscan_plus.formats.text import orders, prose

MAGIC = b"GGUF"
_TEMPLATES = "tokenizer.chat_template"
_KEPT_ITEMS = frozenset(("tokenizer.chat_templates",))
_LEAVES = lazy(r"(?:^|[/\\])\.\.[/\\]")
_LONGEST_IN_USE = 256
"""Bytes of a name: some loaders of diffusion models have room for 128, and none for as many."""
_ARCHITECTURE = lazy(r"[A-Za-z0-9._+-]{1,64}")
_PROMPTS = lazy(r"prompt|system|prefix|instruction", re.I)
"""Keys under which programs look for what they put before each question."""
_SPOKEN = lazy(r"[a-z,.;:]+ [a-z]+ [a-z]+")
_BOOL = 7
_FILES = (
    b"\x7fELF", b"MZ\x90\0", b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04\x95", b"\x80\x05\x95",
    b"\x1f\x8b\x08", b"#!/", b"7z\xbc\xaf", b"\xcf\xfa\xed\xfe", MAGIC,
)  # fmt: skip
"""How programs, pickles and archives begin, as far as the first four bytes tell."""
_STARTS = ((MAGIC, "gguf"), (b"#!/", "script"))
"""What else may stand behind a model: another one, for readers that search for it, or a script."""
_NEAR = 16
"""Versions below may come one day; there was none since 2023."""
_I63 = 1 << 63
_KEPT = 50
_NAMED = 20_000
_MOST_PAIRS, _MOST_INFOS = 1 << 26, 1 << 30
"""Bytes of pairs and infos: a header that promises more and ends before did not break off, it lies."""
_COMPARED = 100_000
"""Values that are held against each other; files have some dozens."""


class HiddenRange(msgspec.Struct, frozen=True):
    """Bytes that belong to no tensor and are not zero."""

    start: int
    length: int
    kind: str
    """What they begin like, "" for nothing known."""


class Duplicate(msgspec.Struct, frozen=True):
    """A key or tensor name that stands twice."""

    what: str
    """"key" or "tensor"."""
    name: str
    offset: int


class GgufFacts(Facts, frozen=True):
    """One GGUF file."""

    version: int
    big_endian: bool
    tensors: int
    pairs: int
    problems: tuple[Problem, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    hidden: tuple[HiddenRange, ...] = ()
    texts: tuple[EmbeddedText, ...] = ()


class _Tensor(msgspec.Struct):
    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int
    at: int
    """Where its info stands."""
    sizes: tuple[int, ...] = ()
    """Bytes that its data may take; empty where that is unknown."""


class _State(msgspec.Struct):
    """What is known of a file while it is read."""

    version: int = 0
    big_endian: bool = False
    alignment: int = 32
    problems: Problems = msgspec.field(default_factory=Problems)
    values: int = 0
    keys: set[str] = msgspec.field(default_factory=set)
    held: dict[str, Value] = msgspec.field(default_factory=dict)
    """Each value without its text."""
    duplicates: list[Duplicate] = msgspec.field(default_factory=list)
    tensors: list[_Tensor] = msgspec.field(default_factory=list)
    texts: list[EmbeddedText] = msgspec.field(default_factory=list)
    templates: list[tuple[str, int, int]] = msgspec.field(default_factory=list)
    """Name, offset and length of each chat template."""
    overlaps: list[Overlap] = msgspec.field(default_factory=list)
    hidden: list[HiddenRange] = msgspec.field(default_factory=list)
    words: Words = msgspec.field(default_factory=Words)


class GgufFormat(Format):
    """Weights of llama.cpp and its relatives."""

    name = "gguf"
    title = "GGUF"
    extensions = (".gguf",)
    executable = True
    description = (
        "Versions 1 to 3, little- and big-endian. Counts, lengths, types, dimensions, offsets and alignment are held "
        "against the size of the file; keys and tensors that stand twice, overlaps, bytes between and behind the "
        "tensors; what memory-corruption bugs of 2024 to 2026 need has rules of its own. Lists of the vocabulary, ids "
        "of tokens, heads, dimensions and experts are held against each other. Every chat template is handed on and "
        "analysed. Vocabularies are stepped over, tensor data stays unread. Loaders: llama.cpp, "
        "llama-cpp-python, Ollama, LM Studio, transformers."
    )

    def claims(self, view: View) -> bool:
        return view.head.startswith(MAGIC) and not view.artifact.payload

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        state = _State()
        cursor = Cursor(artifact.source, budget)
        fault: GgufFault | None = None
        try:
            _header(cursor, state, budget)
        except GgufFault as found:
            fault = found
            state.problems.add(found.code, found.message, min(found.offset, max(0, artifact.source.size - 1)))
        if exchanged := state.words.exchanged():
            at = state.held[WORDS].offset if WORDS in state.held else 0
            state.problems.add("exchanged", f"Words stand under each other's numbers: {exchanged}.", at)
        names = {tensor.name: tensor.shape for tensor in state.tensors[:_NAMED]}
        for code, message, offset in disagreements(state.held, names, cursor.order):
            state.problems.add(code, message, offset)
        regions: list[Region] = [Region(0, cursor.position if fault is None else artifact.source.size, "structure")]
        if fault is None:
            regions += _data(artifact, cursor.position, state, budget)
        gaps = (CoverageReason("malformed", "the header cannot be read to its end", True),) if fault else ()
        yield Parsed(
            (_facts(state),),
            tuple(regions),
            tuple(_templates(artifact, state)),
            gaps,
            (*((_names(state),) if state.tensors else ()), *state.words.summaries()),
        )


def _facts(state: _State) -> GgufFacts:
    return GgufFacts(
        version=state.version,
        big_endian=state.big_endian,
        tensors=len(state.tensors),
        pairs=state.values,
        problems=state.problems.all(),
        duplicates=tuple(state.duplicates[:_KEPT]),
        overlaps=tuple(state.overlaps[:_KEPT]),
        hidden=tuple(state.hidden[:_KEPT]),
        texts=tuple(state.texts[:_KEPT]),
    )


def _names(state: _State) -> TensorNames:
    tensors = {visible(tensor.name)[:300]: tensor.shape for tensor in state.tensors[:_NAMED]}
    return TensorNames("gguf", tensors, len(state.tensors) <= _NAMED)


def _templates(artifact: Artifact, state: _State) -> Iterator[Artifact]:
    for name, offset, length in state.templates[:100]:
        yield artifact.member(name, SliceSource(artifact.source, offset, length))


def _header(cursor: Cursor, state: _State, budget: Budget) -> None:
    cursor.take(4, "the magic")
    raw = cursor.take(4, "the version")
    (version,) = struct.unpack("<I", raw)
    if version & 0xFFFF == 0 and version:
        (version,) = struct.unpack(">I", raw)
        cursor.order, state.big_endian = ">", True
    state.version = version
    if not 1 <= version <= 3:
        raise GgufFault(
            "malformed" if 3 < version < _NEAR else "version", f"There is no version {version} of the format.", 4
        )
    cursor.wide = version > 1
    tensors = cursor.count("the number of tensors")
    pairs = cursor.count("the number of pairs")
    width = 8 if cursor.wide else 4
    cursor.need(pairs * (width + 5), f"the {pairs:,} pairs of the header", _MOST_PAIRS)
    for number in range(pairs):
        if not number & 0xFFF:
            budget.check_time()
        value = read_value(cursor, _KEPT_ITEMS, state.words.takers())
        state.values += 1
        _note(value, state)
    cursor.need(tensors * (2 * width + 12), f"the infos of {tensors:,} tensors", _MOST_INFOS)
    names: set[str] = set()
    for number in range(tensors):
        if not number & 0xFFF:
            budget.take_entries(min(0x1000, tensors - number))
        tensor = _info(cursor, state)
        if tensor.name in names:
            state.duplicates.append(Duplicate("tensor", shorten(visible(tensor.name)), tensor.at))
        names.add(tensor.name)
        state.tensors.append(tensor)


def _note(value: Value, state: _State) -> None:
    """What of a pair matters."""
    if value.key in state.keys:
        state.duplicates.append(Duplicate("key", shorten(visible(value.key)), value.offset))
    state.keys.add(value.key)
    if len(state.held) < _COMPARED:
        state.held.setdefault(value.key, msgspec.structs.replace(value, text=None, texts=[]))
    _ends(value, state)
    _carries(value, state)
    if len(value.key) > 65_535 or not value.key:
        state.problems.add("key", "A key is empty or longer than 65,535 bytes.", value.offset)
    if value.key == "general.alignment":
        _alignment(value, state)
    else:
        _type_of(value, state)
    if value.number is not None and value.key.endswith(".block_count") and value.number > MOST_LAYERS:
        message = f"{visible(value.key)} is {value.number:,}; loaders keep room for {MOST_LAYERS} layers."
        state.problems.add("layers", message, value.offset)
    if value.key.startswith(_TEMPLATES):
        if value.text is not None:
            trailing = len(value.text) - len(value.text.rstrip(b"\0"))
            state.templates.append((visible(value.key), value.at, value.length - trailing))
        for number, (at, text) in enumerate(value.texts):
            if b"{%" in text or b"{{" in text:
                state.templates.append((f"{visible(value.key)}[{number}]", at, len(text)))
    elif value.text is not None and len(value.text) > 8:
        spoken = value.text[: 1 << 20].decode("utf-8", "replace")
        if found := text_kind(spoken) or _spoken_kind(value.key, spoken):
            excerpt = shorten(visible(spoken[max(0, found[1] - 40) :][:200]), 160)
            state.texts.append(EmbeddedText(shorten(visible(value.key)), found[0], excerpt, value.offset))


def _carries(value: Value, state: _State) -> None:
    """Bytes that are no yes and no no, and lists of bytes that are a file of their own."""
    name = shorten(visible(value.key))
    if value.kind == _BOOL and value.first[:1] not in (b"\0", b"\1"):
        state.problems.add("value-type", f"{name} is {value.first[0]} where only 0 and 1 are possible.", value.offset)
    elif value.key == WORDS:
        for at, raw in value.texts:
            text = raw.decode("utf-8", "replace")
            if prose.is_sentence(text) and _SPOKEN.search(text):
                excerpt = shorten(visible(text), 160)
                state.texts.append(EmbeddedText(name, "orders", excerpt, at))
    elif value.kind == ARRAY and value.first.startswith(_FILES):
        state.problems.add("carried", f"{name} holds {value.count or 0:,} bytes that begin like a file.", value.offset)


def _spoken_kind(key: str, text: str) -> tuple[str, int] | None:
    """Orders and commands in descriptions, and names that lead out of the folder where programs put a model."""
    if key in ("general.name", "general.basename", "general.finetune") and _LEAVES.search(text):
        return "path", 0
    if key == "general.architecture" and not _ARCHITECTURE.fullmatch(text):
        return "path", 0
    told = orders.behind(text) or prose.hostile_command(text) or prose.steals(text)
    if _PROMPTS.search(key) and prose.words(text) > 3:
        told = told or prose.overrides(text)
    return ("orders", 0) if told else None


def _ends(value: Value, state: _State) -> None:
    """A zero ends a text in C and nowhere else: what stands behind it is seen by one reader and not by another."""
    if "\0" in value.key:
        state.problems.add("zero", f'The key "{shorten(visible(value.key))}" holds a zero byte.', value.offset)
    vital = value.key in KEY_TYPES or value.key.startswith(_TEMPLATES)
    if vital and value.text is not None and b"\0" in value.text.rstrip(b"\0"):
        message = f"The text of {shorten(visible(value.key))} goes on behind a zero byte."
        state.problems.add("zero", message, value.offset)


def _type_of(value: Value, state: _State) -> None:
    """Keys that loaders read have one type: taken as another, numbers become the lengths and places of texts."""
    wanted, items = KEY_TYPES.get(value.key), ITEM_TYPES.get(value.key)
    if wanted and value.kind not in wanted:
        message = f"{value.key} has the type {value.kind} where loaders read type {wanted[0]}."
        state.problems.add("key-type", message, value.offset)
    elif items and (value.kind != ARRAY or value.item not in items):
        given = f"an array of type {value.item}" if value.kind == ARRAY else f"type {value.kind}"
        message = f"{value.key} is {given} where loaders read an array of type {items[0]}."
        state.problems.add("key-type", message, value.offset)


def _alignment(value: Value, state: _State) -> None:
    number = value.number
    if value.kind != 4 or number is None:
        state.problems.add("alignment", "general.alignment is no u32; loaders stop there or take 32.", value.offset)
    elif number == 0 or number & (number - 1):
        state.problems.add("alignment", f"general.alignment is {number:,}, which is no power of two.", value.offset)
    elif number > 1 << 20:
        state.problems.add("alignment", f"general.alignment is {number:,}; padding overflows in loaders.", value.offset)
        state.alignment = number
    else:
        state.alignment = number


def _info(cursor: Cursor, state: _State) -> _Tensor:
    at = cursor.position
    name = cursor.text("a tensor's name", LONGEST_NAME, LONGEST_NAME).decode("utf-8", "surrogateescape")
    if "\0" in name:
        state.problems.add("zero", f'The name of the tensor "{shorten(visible(name))}" holds a zero byte.', at)
    if len(name) >= 64:
        code = "name" if len(name) < _LONGEST_IN_USE else "key-type"
        state.problems.add(code, f'The name of the tensor "{shorten(visible(name))}" is longer than 63 bytes.', at)
    count = cursor.u32("the number of dimensions")
    if count > 4:
        message = f'The tensor "{shorten(visible(name))}" has {count:,} dimensions; 4 are possible.'
        raise GgufFault("dimensions", message, at)
    shape = tuple(cursor.count("a dimension") for _ in range(count))
    kind = cursor.u32("a tensor's type")
    offset = cursor.u64("a tensor's offset")
    return _Tensor(name, shape, kind, offset, at, _sizes(name, shape, kind, at, state))


def _sizes(name: str, shape: tuple[int, ...], kind: int, at: int, state: _State) -> tuple[int, ...]:
    """Bytes of the tensor's data, in each way in which its type is stored."""
    elements = 1
    for size in shape:
        elements *= size
    known = TENSOR_TYPES.get(kind)
    width = max(known[2]) if known else 4
    spoken = shorten(visible(name))
    if any(size >= _I63 for size in shape) or elements * width >= _I63:
        message = f'The size of the tensor "{spoken}", {" × ".join(map(str, shape))}, does not fit into 63 bits.'
        state.problems.add("overflow", message, at)
        return ()
    if known is None:
        code = "type-range" if kind >= PLAUSIBLE or kind in NEVER else "type"
        state.problems.add(code, f'The tensor "{spoken}" has the type {kind}, which is not known here.', at)
        return ()
    _, block, bytes_ = known
    if 0 in shape:
        message = f'The tensor "{spoken}" has a dimension of 0, by which loaders before 2026 divided.'
        state.problems.add("dimensions", message, at)
    if shape and shape[0] % block and kind != 42:
        message = f'The rows of the tensor "{spoken}" have {shape[0]:,} elements, no multiple of its block of {block}.'
        state.problems.add("block", message, at)
    return tuple(elements // block * size for size in bytes_)


def _data(artifact: Artifact, end: int, state: _State, budget: Budget) -> Iterator[Region]:
    """Account for everything behind the infos."""
    size = artifact.source.size
    start = end + -end % state.alignment
    covered: list[tuple[int, int, str]] = []
    unknown = False
    ordered = sorted(state.tensors, key=lambda tensor: (tensor.offset, tensor.at))
    for position, tensor in enumerate(ordered):
        spoken = shorten(visible(tensor.name))
        if tensor.offset % state.alignment:
            message = f'The tensor "{spoken}" begins at {tensor.offset:,}, no multiple of {state.alignment}.'
            state.problems.add("misaligned", message, tensor.at)
        room = (
            ordered[position + 1].offset - tensor.offset
            if position + 1 < len(ordered)
            else size - start - tensor.offset
        )
        length = next((each for each in tensor.sizes if each <= room < each + state.alignment), None)
        length = length if length is not None else (tensor.sizes[0] if tensor.sizes else max(0, room))
        unknown = unknown or not tensor.sizes
        if start + tensor.offset + length > size or tensor.offset >= _I63:
            left = max(0, size - start - tensor.offset)
            message = (
                f'The tensor "{spoken}" takes {length:,} bytes at {tensor.offset:,}, but the file has {left:,} there.'
            )
            state.problems.add("beyond-end", message, tensor.at)
        else:
            covered.append((start + tensor.offset, start + tensor.offset + length, spoken))
    yield from _account(artifact, end, covered, state, budget)


def _account(
    artifact: Artifact, end: int, covered: list[tuple[int, int, str]], state: _State, budget: Budget
) -> Iterator[Region]:
    size = artifact.source.size
    reach, owner = end, ""
    for begin, stop, name in [*covered, (size, size, "")]:
        if begin < reach and owner and stop > begin:
            state.overlaps.append(Overlap(owner, name, begin, min(reach, stop) - begin))
        elif begin > reach:
            budget.check_time()
            zeros = end_of_zeros(artifact.source, reach, begin)
            if zeros < begin:
                part = artifact.member("gap", SliceSource(artifact.source, zeros, begin - zeros), payload=True)
                kind = source_kind(part) or next(
                    (name for magic, name in _STARTS if part.source.pread(0, len(magic)) == magic), ""
                )
                state.hidden.append(HiddenRange(zeros, begin - zeros, kind))
            yield Region(reach, begin - reach, "structure")
        if stop > begin:
            yield Region(begin, stop - begin, "inert")
        if stop > reach:
            reach, owner = stop, name
