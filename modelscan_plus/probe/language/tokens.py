"""The tokenizer of a model, from `tokenizer.json` and the few settings beside it, as hostile as any other file.

Parsing and encoding are done by the `tokenizers` library. It bounds the depth of its JSON and the steps of a regular
expression, and panics where something is out of bounds; what it does not bound is looked at here before: rules that
multiply the text, padding to any length, and ids that the model has no row for.
"""

import importlib
import re
from collections.abc import Mapping
from typing import Any

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.language.architectures import LoadLimits
from modelscan_plus.probe.weights import quoted, read_json

FILE, SETTINGS, SPECIAL = "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"
TEMPLATE = "chat_template.jinja"
_MODELS = frozenset(("BPE", "Unigram", "WordLevel", "WordPiece"))
_ROLES = ("unk_token", "bos_token", "eos_token", "pad_token", "cls_token", "sep_token", "mask_token")
_DEEPEST, _STEPS = 12, 4_000
_GROWTH = 64
"""How many times longer the replacements of a normalizer may make a text, all together."""
_PATTERN = 4_000
"""Characters of a regular expression."""
_ADDED = 64
"""Tokens that a template may put around a text."""
_WORD = 10_000
_LETTERS = 200
_OTHERS = re.compile(r"^(vocab\.(txt|json)|merges\.txt|.*\.model)$")
_TRIALS = (
    "a plain sentence, with 3 numbers and a name.",
    "é ß 漢字 🙂 \u200b",
    "a" * 400,
    " " * 200,
    "!?" * 100,
    "x\n" * 50,
)


def open_tokenizer(files: ModelFiles, vocabulary: int, limits: LoadLimits) -> Any:
    """A `PreTrainedTokenizerFast` whose ids all lie below `vocabulary`. Raises NotProbed."""
    import tokenizers

    transformers: Any = importlib.import_module("transformers")

    if FILE not in files:
        raise _no_tokenizer(files)
    size = files[FILE].size
    if size > limits.tokenizer:
        raise NotProbed(f"{FILE}: {size:,} bytes; a probe reads {limits.tokenizer:,} at most")
    described = read_json(files, FILE, limits.tokenizer)
    walk = check_pipeline(described)
    try:
        inner = tokenizers.Tokenizer.from_str(files.read(FILE, limits.tokenizer).decode())
        inner.no_padding()
        inner.no_truncation()
        if hasattr(inner.model, "dropout"):
            inner.model.dropout = None
        _try(inner, vocabulary, walk.patterns)
        roles = _roles(files, inner)
        return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **roles)
    except BaseException as error:
        raise _refused(error) from None


def special_tokens(files: ModelFiles) -> dict[str, str]:
    """The tokens with a role, by role, as the settings name them."""
    found: dict[str, str] = {}
    for name in (SPECIAL, SETTINGS):
        settings = read_json(files, name, 16 << 20) if name in files else {}
        for role in _ROLES:
            value = settings.get(role)
            content = value.get("content") if isinstance(value, dict) else value
            if isinstance(content, str) and 0 < len(content) <= 200:
                found[role] = content
    return found


def check_pipeline(described: Mapping[str, Any]) -> "_Walk":
    """Look at the rules around the vocabulary; raises NotProbed for those that could multiply a text or never end."""
    model = described.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(kind, str) or kind not in _MODELS:
        raise NotProbed(f"{FILE}: it has no model of a known type")
    if _number(model.get("max_input_chars_per_word")) > _WORD:
        raise NotProbed(f"{FILE}: words of more than {_WORD:,} characters")
    walk = _Walk()
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        walk.visit(described.get(part), 1)
        walk.growth = 1.0
    return walk


class _Walk:
    """Goes through the rules of one tokenizer."""

    def __init__(self) -> None:
        self.growth = 1.0
        self.patterns: list[str] = []
        self._steps = 0

    def visit(self, value: Any, depth: int) -> None:
        self._steps += 1
        if depth > _DEEPEST or self._steps > _STEPS:
            raise NotProbed(f"{FILE}: its rules are nested too deep, or too many")
        if isinstance(value, list):
            for item in value:
                self.visit(item, depth + 1)
        elif isinstance(value, dict):
            self._rule(value)
            for item in value.values():
                if isinstance(item, dict | list):
                    self.visit(item, depth + 1)

    def _rule(self, rule: dict[str, Any]) -> None:
        pattern = rule.get("Regex")
        if isinstance(pattern, str):
            self.patterns.append(pattern)
            if len(pattern) > _PATTERN:
                raise NotProbed(f"{FILE}: a regular expression of {len(pattern):,} characters")
        for key in ("content", "replacement", "prepend", "prefix"):
            text = rule.get(key)
            if isinstance(text, str) and rule.get("type"):
                # A rule that replaces a character by n makes a text n times longer at most.
                self.growth *= max(1, len(text.encode("utf-8", "replace")))
        if self.growth > _GROWTH:
            raise NotProbed(f"{FILE}: its rules could make a text more than {_GROWTH} times longer")
        ids = rule.get("ids")
        if isinstance(ids, list) and len(ids) > _ADDED:
            raise NotProbed(f"{FILE}: its template adds {len(ids):,} tokens to each text")
        for key in ("single", "pair"):
            pieces = rule.get(key)
            if isinstance(pieces, list) and len(pieces) > _ADDED:
                raise NotProbed(f"{FILE}: its template has {len(pieces):,} pieces")


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _try(inner: Any, vocabulary: int, patterns: list[str]) -> None:
    """Encode texts of several kinds, and hold the ids against the rows that there are.

    An expression that tries a power of ways fails on a run of characters that it knows and one that it does not; the
    library gives up after ten million steps, and then panics.
    """
    known = inner.get_vocab(with_added_tokens=True)
    if not known:
        raise NotProbed(f"{FILE}: it knows no token")
    highest = max(known.values())
    if highest >= vocabulary:
        raise NotProbed(f"{FILE}: it has the token id {highest:,}, but the model has {vocabulary:,} rows")
    letters = sorted(set("".join(patterns)) | {"1", " "})[:_LETTERS] if patterns else []
    for text in (*_TRIALS, *(letter * 60 + "\x01" for letter in letters)):
        encoded = inner.encode(text)
        if len(encoded.ids) > 16 * len(text.encode()) + _ADDED:
            raise NotProbed(f"{FILE}: it makes {len(encoded.ids):,} tokens of {len(text)} characters")
        if any(number >= vocabulary for number in encoded.ids):
            raise NotProbed(f"{FILE}: it gives token ids that the model has no row for")


def _roles(files: ModelFiles, inner: Any) -> dict[str, str]:
    """The roles whose tokens the vocabulary holds: any other would add a token that the model has no row for."""
    return {role: token for role, token in special_tokens(files).items() if inner.token_to_id(token) is not None}


def _no_tokenizer(files: ModelFiles) -> NotProbed:
    there = [name for name in files if _OTHERS.search(name)]
    hint = f" ({shorten(visible(there[0]), 60)} is not read)" if there else ""
    return NotProbed(f"there is no {FILE}{hint}; save the fast tokenizer beside the model")


def _refused(error: BaseException) -> BaseException:
    """What the library raised, as NotProbed; a panic of Rust code is no Exception."""
    if isinstance(error, NotProbed | KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError):
        return error
    what = str(error).partition("\n")[0]
    return NotProbed(f"{FILE}: the tokenizers library refuses it: {quoted(what)}")


def chat_template(files: ModelFiles, limits: LoadLimits) -> str:
    """The Jinja source that turns a conversation into a text, "" for none. Raises NotProbed for one too long."""
    found: Any = ""
    if TEMPLATE in files:
        try:
            found = files.read(TEMPLATE, 4 * limits.template).decode()
        except ValueError as error:
            raise NotProbed(shorten(visible(str(error)), 200)) from None
    elif SETTINGS in files:
        found = read_json(files, SETTINGS, 16 << 20).get("chat_template")
        if isinstance(found, list):
            named = {item.get("name"): item.get("template") for item in found if isinstance(item, dict)}
            found = named.get("default")
    if not isinstance(found, str):
        return ""
    if len(found) > limits.template:
        raise NotProbed(f"a chat template of {len(found):,} characters; a probe takes {limits.template:,} at most")
    return found
