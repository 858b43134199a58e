"""What the keys of a GGUF file say about one model has to fit together: loaders go from one to the other unchecked.

The list of tokens decides how far `token_type` and `scores` are read, the first number of `precompiled_charsmap` how
far its table goes, the numbers of heads and dimensions what is divided by what and how large a buffer is. Sources:
llama.cpp's `llama-vocab.cpp`, `llama-model.cpp` and `clip.cpp`, where each of these had to be checked one day, and its
converters, which never write what is told here.
"""

import itertools
from collections.abc import Iterator, Mapping

from modelscan_plus.core.text import visible
from modelscan_plus.formats.tensors.gguf_reader import Value
from modelscan_plus.formats.tensors.gguf_types import ARRAY, INTEGERS

Fault = tuple[str, str, int]
"""Code, message and offset."""
_TOKENIZER = "tokenizer.ggml."
_NONE = 0xFFFFFFFF
"""-1 as converters write it for a token that there is not."""
_ADDED = 1024
"""Tokens that a fine-tune may have added to its vocabulary and left out of the list: loaders pass over such ids."""
MOST_LAYERS = 512
"""`LLAMA_MAX_LAYERS`: loaders keep arrays of this size for each layer."""
_MOST_FILES = 10_000
"""Files of a split model; the largest have some hundred."""
_NOT_SIZES = ("general.", "tokenizer.", "split.", "imatrix.", "quantize.", "adapter.")
_LARGEST = {
    "embedding_length": 1 << 20, "feed_forward_length": 1 << 24, "expert_feed_forward_length": 1 << 24,
    "attention.head_count": 1 << 16, "attention.head_count_kv": 1 << 16, "attention.key_length": 1 << 16,
    "attention.value_length": 1 << 16, "rope.dimension_count": 1 << 16, "expert_count": 1 << 13,
    "expert_used_count": 1 << 13, "expert_shared_count": 1 << 13, "vocab_size": 1 << 25, "context_length": 1 << 28,
    "patch_size": 1 << 14, "image_size": 1 << 16, "num_mel_bins": 1 << 12, "ssm.conv_kernel": 1 << 16,
    "ssm.inner_size": 1 << 24, "ssm.state_size": 1 << 20, "ssm.time_step_rank": 1 << 20, "token_type_count": 1 << 20,
    "nextn_predict_layers": 512, "projection_dim": 1 << 20,
}  # fmt: skip
"""What no model comes near; loaders take memory by these numbers."""
_DIVISORS = frozenset(
    """embedding_length patch_size spatial_merge_size projector.scale_factor num_mel_bins
    attention.relative_buckets_count context_length ssm.conv_kernel ssm.inner_size ssm.state_size""".split()
)
"""Numbers by which loaders divide, or of which they take one less, whatever the architecture."""
_SIGNED = frozenset(("block_count", "attention.sliding_window", *_LARGEST, *_DIVISORS))
_PER_LAYER = ("attention.head_count", "attention.head_count_kv", "feed_forward_length")
"""Keys that hold one number, or one for each layer."""
_ATTENTION = ("attn_q.weight", "attn_qkv.weight", "attn_k.weight")
_RECURRENT = (".ssm.", ".wkv.", ".shortconv.", ".rwkv")


def disagreements(values: Mapping[str, Value], shapes: Mapping[str, tuple[int, ...]], order: str) -> Iterator[Fault]:
    """Codes "vocabulary", "layers", "key-type", "numbers", and "shapes" for what only keeps a loader from loading.

    `order` is "<" or ">", `shapes` holds the tensors in ggml's order of dimensions.
    """
    yield from _vocabulary(values)
    yield from _charsmap(values, order)
    sizes: dict[str, dict[str, Value]] = {}
    for key, value in values.items():
        prefix, _, name = key.partition(".")
        if key.startswith(_NOT_SIZES) or not name:
            continue
        if prefix == "clip":  # clip.vision.x, clip.audio.x
            part, _, rest = name.partition(".")
            prefix, name = (f"clip.{part}", rest) if rest else (prefix, name)
        sizes.setdefault(prefix, {})[name] = value
    recurrent = any(part in f".{key}" for key in values for part in _RECURRENT)
    layered = any(name.startswith("blk.") for name in shapes)
    attends = not recurrent and (not layered or any(name.endswith(_ATTENTION) for name in shapes))
    for prefix, held in itertools.islice(sizes.items(), 20):
        yield from _sizes(prefix, held)
        yield from _heads(prefix, held, attends=attends, vision=prefix.startswith("clip"))
        yield from _lists(prefix, held)
        yield from _experts(prefix, held)
    yield from _shapes(sizes, shapes)
    yield from _rows(values, shapes)
    number, files = values.get("split.no"), values.get("split.count")
    kinds = values.get(f"{_TOKENIZER}token_type_count")
    for told, most in ((files, _MOST_FILES), (kinds, _LARGEST["token_type_count"])):
        if told and told.number is not None and told.number > most:
            yield "numbers", f"{told.key} is {told.number:,}; no model has more than {most:,}.", told.offset
    if number and files and number.number is not None and files.number and number.number >= files.number:
        yield "numbers", f"split.no is {number.number:,}, of {files.number:,} files.", number.offset


def _vocabulary(values: Mapping[str, Value]) -> Iterator[Fault]:
    tokens = values.get(f"{_TOKENIZER}tokens")
    if tokens is None or tokens.count is None:
        return
    for name in ("token_type", "scores"):
        value = values.get(_TOKENIZER + name)
        if value is not None and value.count is not None and value.count < tokens.count:
            message = f"{value.key} has {value.count:,} entries for {tokens.count:,} tokens: loaders read behind it."
            yield "vocabulary", message, value.offset
    for key, value in values.items():
        if not key.startswith(_TOKENIZER) or not key.endswith("_token_id"):
            continue
        if value.number is None:
            yield "key-type", f"{visible(key)} has the type {value.kind} where loaders read a number.", value.offset
            continue
        if value.number < -1 or (value.number >= tokens.count + _ADDED and value.number != _NONE):
            message = f"{visible(key)} is {value.number:,}, of {tokens.count:,} tokens."
            yield "vocabulary", message, value.offset
        elif value.number >= tokens.count and value.number != _NONE:
            yield "shapes", f"{visible(key)} is {value.number:,}, of {tokens.count:,} tokens.", value.offset


def _charsmap(values: Mapping[str, Value], order: str) -> Iterator[Fault]:
    """u32 bytes of a table, the table, and texts that end with a zero (sentencepiece's `Normalizer`)."""
    value = values.get(f"{_TOKENIZER}precompiled_charsmap")
    if value is None or value.kind != ARRAY or not value.count or value.item not in (0, 1):
        return
    sizes = {int.from_bytes(value.first, "little"), int.from_bytes(value.first, "little" if order == "<" else "big")}
    if len(value.first) < 4 or all(size + 4 >= value.count for size in sizes):
        message = f"{value.key} has {value.count:,} bytes and says that its table alone has {min(sizes):,}."
        yield "vocabulary", message, value.offset
    elif value.last != 0:
        yield "vocabulary", f"The last text of {value.key} does not end: loaders read on behind it.", value.offset


def _sizes(prefix: str, held: Mapping[str, Value]) -> Iterator[Fault]:
    for name, value in held.items():
        if name in _SIGNED and value.kind not in INTEGERS and value.kind != ARRAY:
            yield (
                "key-type",
                f"{visible(value.key)} has the type {value.kind} where loaders read a number.",
                value.offset,
            )
        for number in _numbers(value):
            if name in _SIGNED and number < 0:
                yield "numbers", f"{visible(value.key)} is {number:,}.", value.offset
            elif number == 0 and name in _DIVISORS:
                yield "numbers", f"{visible(value.key)} is 0; loaders divide by it or count from it.", value.offset
            elif number > _LARGEST.get(name, number):
                message = f"{visible(value.key)} is {number:,}; no model has more than {_LARGEST[name]:,}."
                yield "numbers", message, value.offset
            else:
                continue
            break


def _heads(prefix: str, held: Mapping[str, Value], *, attends: bool, vision: bool) -> Iterator[Fault]:
    heads, groups, width = (
        _number(held, name) for name in ("attention.head_count", "attention.head_count_kv", "embedding_length")
    )
    at = held["attention.head_count"].offset if "attention.head_count" in held else 0
    for name in ("head_count", "head_count_kv", "key_length"):
        value = held.get(f"attention.{name}")
        if value is not None and (attends or vision) and (given := _numbers(value)) and not any(given):
            yield "numbers", f"{visible(value.key)} is 0; loaders divide by it.", value.offset
    if heads is None or heads <= 0:
        return
    if groups is not None and groups > 0 and heads % groups:
        yield "numbers", f"{heads:,} heads of {visible(prefix)} cannot share {groups:,} heads for keys and values.", at
    length = _number(held, "attention.key_length")
    if length is None and width and width > 0:
        length = width // heads
        if width % heads and not vision:
            message = f"The {width:,} numbers of a token of {visible(prefix)} cannot be divided among {heads:,} heads."
            yield "numbers", message, at
    rotated = _number(held, "rope.dimension_count")
    if rotated and length and not vision and (rotated > length or rotated % 2):
        message = f"{visible(prefix)}.rope.dimension_count is {rotated:,}, of {length:,} numbers of a head."
        yield "numbers", message, held["rope.dimension_count"].offset


def _lists(prefix: str, held: Mapping[str, Value]) -> Iterator[Fault]:
    """Arrays that loaders read to a length that something else states."""
    layers = _number(held, "block_count")
    for name in _PER_LAYER:
        value = held.get(name)
        if value is not None and value.count is not None and value.count > MOST_LAYERS:
            message = f"{visible(value.key)} has {value.count:,} entries; loaders keep room for {MOST_LAYERS} layers."
            yield "layers", message, value.offset
        elif value is not None and value.count is not None and layers is not None and value.count < layers:
            message = f"{visible(value.key)} has {value.count:,} entries for {layers:,} layers."
            yield "numbers", message, value.offset
    for name, wanted in (("image_mean", 3), ("image_std", 3)):
        value = held.get(name)
        if value is not None and prefix == "clip.vision" and (value.kind != ARRAY or (value.count or 0) < wanted):
            given = f"{value.count:,} entries" if value.kind == ARRAY and value.count is not None else "no list"
            yield "numbers", f"{value.key} has {given} where loaders read {wanted}.", value.offset
    points = held.get("image_grid_pinpoints")
    if points is not None and (points.count or 0) % 2:
        yield "numbers", f"{visible(points.key)} has {points.count:,} entries, which make no pairs.", points.offset
    sections = held.get("rope.dimension_sections")
    if sections is not None and (sections.count or 0) > 4:
        message = f"{visible(sections.key)} has {sections.count:,} entries; loaders keep room for 4."
        yield "numbers", message, sections.offset


def _experts(prefix: str, held: Mapping[str, Value]) -> Iterator[Fault]:
    experts, used = _number(held, "expert_count"), _number(held, "expert_used_count")
    if experts and used is not None and experts > 0 and (used > experts or used == 0):
        message = f"{visible(prefix)} uses {used:,} of {experts:,} experts."
        yield "numbers", message, held["expert_used_count"].offset


def _rows(values: Mapping[str, Value], shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Fault]:
    """More words than rows: the last ones stand behind the end of the table. Where it has not half of them, the words
    are those of another model, and nothing loads the file."""
    tokens, table = values.get(f"{_TOKENIZER}tokens"), shapes.get("token_embd.weight")
    if tokens is not None and table is not None and len(table) == 2 and 0 < table[1] < (tokens.count or 0):
        message = f"{tokens.key} has {tokens.count:,} entries for {table[1]:,} rows of token_embd.weight."
        yield "vocabulary" if (tokens.count or 0) < 2 * table[1] else "shapes", message, tokens.offset


def _shapes(sizes: Mapping[str, Mapping[str, Value]], shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Fault]:
    layered = any(name.startswith("blk.") for name in shapes)
    shape = shapes.get("token_embd.weight")
    for prefix, held in sizes.items():
        if layered and _number(held, "block_count") == 0:
            yield "numbers", f"{visible(prefix)}.block_count is 0, and there are layers.", held["block_count"].offset
        width = _number(held, "embedding_length")
        if shape and width and not prefix.startswith("clip") and shape[0] != width:
            message = f"The rows of token_embd.weight have {shape[0]:,} numbers, and {visible(prefix)} says {width:,}."
            yield "shapes", message, held["embedding_length"].offset


def _number(held: Mapping[str, Value], name: str) -> int | None:
    """The number under a key, None for lists and other types."""
    value = held.get(name)
    return None if value is None or value.kind not in INTEGERS else value.number


def _numbers(value: Value) -> list[int]:
    if value.kind in INTEGERS and value.number is not None:
        return [value.number]
    return value.numbers
