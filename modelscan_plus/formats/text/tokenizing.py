"""What a tokenizer does to words besides cutting them: it puts words in, takes them out, confuses two by their number.

`tokenizer.json` is read as the `tokenizers` library reads it (its components Prepend, Replace, Split, Strip and
TemplateProcessing), `tokenizer_config.json` and `special_tokens_map.json` for the special tokens.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose

PLACES = ("normalizer", "pre_tokenizer", "decoder", "post_processor")
_SPECIAL = lazy(r"(?:bos|eos|unk|sep|pad|cls|mask)_token|(?:additional|extra)_special_tokens|content", re.I)
_WORD = lazy(r"[^\W\d_]{2,}")
_SPACED = "\u0120\u2581 "
_LABELS = frozenset(
    """pad unk bos eos cls sep mask user assistant system human bot tool blank silence mode text image audio video
    start end think answer question""".split()
)
"""Words that are special tokens of honest tokenizers."""
_NESTED = lazy(r"\((?:\?:|\?i:)?(?:[^()\\]|\\.)*[+*](?:[^()\\]|\\.)*\)(?:[+*]|\{\d+,\})(?!\+)")
"""A repeated group that ends in something repeated: `(a+)+`, `(\\w+\\s?)*`."""


_LONGEST = 4000
"""Characters of a pattern that are looked at; those in use have some hundred."""


class Oddity(msgspec.Struct, frozen=True):
    """One thing a tokenizer does that no honest one has a use for."""

    kind: str
    """"inserts", "removes", "same-number", "special-word", "hidden" or "slow"."""
    place: str
    detail: str


def oddities(value: object) -> Iterator[Oddity]:
    """What is odd about the value of a tokenizer.json, tokenizer_config.json or special_tokens_map.json."""
    if not isinstance(value, dict):
        return
    for place in PLACES:
        for node in _nodes(value.get(place)):
            yield from _component(place, node)
    if isinstance(value.get("model"), dict) and "added_tokens" in value:
        yield from _vocabulary(value["model"], value["added_tokens"])
    yield from _special(value)


def _nodes(value: object) -> Iterator[Mapping[str, object]]:
    stack = [value]
    for _ in range(10_000):
        if not stack:
            return
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, dict):
            yield node
            stack += [item for item in node.values() if isinstance(item, (dict, list))]


def _component(place: str, node: Mapping[str, object]) -> Iterator[Oddity]:
    kind = node.get("type")
    pattern = node.get("pattern")
    text = str(next(iter(pattern.values()), "")) if isinstance(pattern, dict) else ""
    if isinstance(pattern, dict) and "Regex" in pattern and _is_slow(text):
        yield Oddity("slow", place, shorten(visible(text), 120))
    if kind == "Prepend" and _WORD.search(str(node.get("prepend", ""))):
        yield Oddity("inserts", place, shorten(visible(str(node["prepend"])), 120))
    if kind == "Split" and node.get("behavior") == "Removed" and node.get("invert") is not True and _letters(text):
        yield Oddity("removes", place, shorten(visible(text), 120))
    if kind == "Replace" and not str(node.get("content", "")).strip() and _letters(text):
        yield Oddity("removes", place, shorten(visible(text), 120))
    if kind == "Replace" and _currency(text) and _currency(str(node.get("content", ""))):
        yield Oddity("removes", place, shorten(visible(f"{text} → {node['content']}"), 120))
    if kind == "Strip" and _WORD.search(str(node.get("content", "")) * 2):
        yield Oddity("removes", place, shorten(visible(str(node["content"])), 120))
    if kind == "TemplateProcessing" and isinstance(special := node.get("special_tokens"), dict):
        for name, token in special.items():
            ids = token.get("ids") if isinstance(token, dict) else None
            if isinstance(ids, list) and len(ids) > 2:
                detail = f"{name} stands for {len(ids):,} tokens"
                yield Oddity("inserts", place, shorten(visible(detail), 120))


def _letters(pattern: str) -> bool:
    """True for a pattern that takes out words, and not marks, blanks or bytes."""
    plain = re.sub(r"\\[pPxu]\{?[\w^]*\}?|\\[a-zA-Z]|\[[^\]]*\]|\(\?[a-z:!=<]+|<[^<>]*>|'\w{1,2}", "", pattern)
    return any(word.lower() not in _LABELS for word in _WORD.findall(plain))


def _currency(text: str) -> bool:
    return re.fullmatch(r"\s*[$€£¥₽₹]\s*", text) is not None


def _is_slow(pattern: str) -> bool:
    """True for a regular expression with a repetition of repetitions that can be read in more than one way."""
    for found in _NESTED.finditer(pattern[:_LONGEST]):
        group = found.group()
        body = group[1 : group.rindex(")")].removeprefix("?:").removeprefix("?i:")
        parts = re.findall(r"(?:\\.|\[(?:[^\]\\]|\\.)*\]|[^\\])(?:[+*?]|\{\d+,\d*\})?", body)
        fixed = [part for part in parts if part[-1] not in "+*?" and not part.endswith("}") and part != "|"]
        if not fixed:
            return True
    return False


def _vocabulary(model: Mapping[str, object], added: object) -> Iterator[Oddity]:
    held = model.get("vocab")
    words: dict[str, int] = {}
    if isinstance(held, dict):
        words = {str(word): number for word, number in held.items() if isinstance(number, int)}
    elif isinstance(held, list):
        words = {str(item[0]): place for place, item in enumerate(held) if isinstance(item, list) and item}
    numbers: dict[int, str] = {}
    for word, number in words.items():
        other = numbers.setdefault(number, word)
        if other != word and _natural(other) and _natural(word):
            yield Oddity("same-number", "vocab", shorten(visible(f"{other}, {word}: {number}"), 120))
            break
    for token in added if isinstance(added, list) else []:
        if not isinstance(token, dict) or not isinstance(token.get("content"), str):
            continue
        content, given = token["content"], token.get("id")
        if (hidden := prose.hidden_characters(content)) and hidden.kind == "tags":
            yield Oddity("hidden", "added_tokens", shorten(visible(content), 120))
        known = numbers.get(given) if isinstance(given, int) else None
        if known is not None and known != content and _natural(known) and _natural(content):
            yield Oddity("same-number", "added_tokens", shorten(visible(f"{known}, {content}: {given}"), 120))
        elif token.get("special") is True and content in words and _is_word(content):
            yield Oddity("special-word", "added_tokens", shorten(visible(content), 120))


def _natural(word: str) -> bool:
    """True for a piece of a natural language, as against a marker, a byte or an unused place."""
    plain = word.strip(_SPACED).removeprefix("##")
    return plain.isalpha() and len(plain) > 1 and "unused" not in plain.lower() and not plain.isupper()


def _is_word(content: str) -> bool:
    plain = content.strip(_SPACED)
    return plain.isalpha() and plain.islower() and len(plain) > 1 and plain not in _LABELS


def _special(value: Mapping[str, object]) -> Iterator[Oddity]:
    """Special tokens that are sentences: a loader puts some of them before or behind every text."""
    for key, item in value.items():
        if not _SPECIAL.fullmatch(key):
            continue
        for token in item if isinstance(item, list) else [item]:
            text = token.get("content") if isinstance(token, dict) else token
            if isinstance(text, str) and prose.is_sentence(text) and re.search(r"[a-z] [a-z]", text):
                yield Oddity("inserts", key, shorten(visible(text), 120))
