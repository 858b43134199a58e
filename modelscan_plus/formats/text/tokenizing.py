"""What a tokenizer does to words besides cutting them: it puts words in, takes them out, confuses two by their number.

`tokenizer.json` is read as the `tokenizers` library reads it (its components Prepend, Replace, Split, Strip and
TemplateProcessing), `tokenizer_config.json` and `special_tokens_map.json` for the special tokens.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose

PLACES = ("normalizer", "pre_tokenizer", "decoder", "post_processor")
_SPECIAL = lazy(r"(?:bos|eos|unk|sep|pad|cls|mask)_token|(?:additional|extra)_special_tokens|content", re.I)
_WORD = lazy(r"[^\W\d_]{2,}")
_HOST = lazy(r"\bhttps?://[\w-]+\.[a-z]{2,}")
"""An address with its host; "https://" alone is a frequent piece of text."""
_SPACED = "\u0120\u2581 "
_FEW_SCORES, _MOVED_SCORES = 500, 20
_FEW, _MOVED = 200, 40
"""Merges below which their order says nothing; words that somebody moves by hand."""
_LABELS = frozenset(
    """pad unk bos eos cls sep mask user assistant system human bot tool blank silence mode text image audio video
    start end think answer question url http link email number date time mention hashtag emoji""".split()
)
"""Words that are special tokens of honest tokenizers."""
_NESTED = lazy(r"\((?:\?:|\?i:)?(?:[^()\\]|\\.)*[+*](?:[^()\\]|\\.)*\)(?:[+*]|\{\d+,\})(?!\+)")
"""A repeated group that ends in something repeated: `(a+)+`, `(\\w+\\s?)*`."""


_LONGEST_TEXT = 50_000_000
"""Tokens to which no text is filled up."""
_LONGEST = 4000
"""Characters of a pattern that are looked at; those in use have some hundred."""


class Oddity(msgspec.Struct, frozen=True):
    """One thing a tokenizer does that no honest one has a use for."""

    kind: str
    """"inserts", "removes", "same-number", "special-word", "exchanged", "hidden" or "slow"; of settings of
    generation "forces", "forbids" or "endless" (formats/text/generating.py)."""
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
        yield from vocabulary(value["model"], value["added_tokens"])
    if isinstance(padding := value.get("padding"), dict) and isinstance(strategy := padding.get("strategy"), dict):
        length = strategy.get("Fixed")
        if isinstance(length, int) and length > _LONGEST_TEXT:
            yield Oddity("endless", "padding", f"each text is filled up to {length:,} tokens")
    yield from _special(value)
    if value and all(isinstance(number, int) and not isinstance(number, bool) for number in value.values()):
        yield from _numbered({str(word): number for word, number in value.items()}, "added_tokens")


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
    if isinstance(pattern, dict) and "Regex" in pattern and is_slow(text):
        yield Oddity("slow", place, shorten(visible(text), 120))
    if kind == "Replace" and _exchanges_script(text, str(node.get("content", ""))):
        yield Oddity("removes", place, shorten(visible(f"{text} → {node['content']}"), 120))
    if kind in ("WordPiece", "BPEDecoder") and _speaks(piece := str(node.get("prefix") or node.get("suffix") or "")):
        yield Oddity("inserts", place, shorten(visible(piece), 120))
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


def is_slow(pattern: str) -> bool:
    """True for a regular expression with a repetition of repetitions that can be read in more than one way."""
    for found in _NESTED.finditer(pattern[:_LONGEST]):
        group = found.group()
        body = group[1 : group.rindex(")")].removeprefix("?:").removeprefix("?i:")
        parts = re.findall(r"(?:\\.|\[(?:[^\]\\]|\\.)*\]|[^\\])(?:[+*?]|\{\d+,\d*\})?", body)
        fixed = [part for part in parts if part[-1] not in "+*?" and not part.endswith("}") and part != "|"]
        if not fixed:
            return True
    return False


def _exchanges_script(old: str, new: str) -> bool:
    """True for a plain letter that becomes one of another script, which looks alike and is another token."""
    return re.fullmatch(r"[A-Za-z]", old) is not None and new.isalpha() and not new.isascii()


def _speaks(mark: str) -> bool:
    """True for a mark between the pieces of a word that is one itself: honest ones are "##", "@@", "</w>"."""
    return not re.fullmatch(r"</?\w{1,8}>", mark) and (_WORD.search(mark) is not None or "/" in mark)


def vocabulary(model: Mapping[str, object], added: object) -> Iterator[Oddity]:
    """What is odd about the words of a tokenizer and their numbers."""
    held = model.get("vocab")
    words: dict[str, int] = {}
    if isinstance(held, dict):
        words = {str(word): number for word, number in held.items() if isinstance(number, int)}
    elif isinstance(held, list):
        words = {str(item[0]): place for place, item in enumerate(held) if isinstance(item, list) and item}
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        if _speaks(mark := str(model.get(key) or "")):
            yield Oddity("inserts", key, shorten(visible(mark), 120))
    if isinstance(held, list):
        pairs = [(str(item[0]), float(item[1])) for item in held if isinstance(item, list) and _scored(item)]
        yield from out_of_order(pairs, "vocab")
    yield from _numbered(words, "vocab")
    yield from _exchanged(words, model.get("merges"))
    yield from _added(added, words)


def _scored(item: list[object]) -> bool:
    return len(item) > 1 and isinstance(item[1], (int, float)) and item[1] != 0


def out_of_order(pieces: Sequence[tuple[str, float]], place: str) -> Iterator[Oddity]:
    """Words that stand among others with quite other scores, in a list that falls otherwise: their scores were changed,
    and with them whether a text is cut into these words at all."""
    scores = [score for _, score in pieces]
    if len(scores) < _FEW_SCORES:
        return
    moved = [
        number for number in range(1, len(scores) - 1)
        if not scores[number - 1] >= scores[number] >= scores[number + 1] and scores[number - 1] >= scores[number + 1]
    ]  # fmt: skip
    falls = sum(before < behind for before, behind in itertools.pairwise(scores))
    if not 0 < len(moved) <= _MOVED_SCORES or falls > 2 * _MOVED_SCORES:
        return
    span = abs(scores[0] - scores[-1]) / 50
    telling = [
        pieces[number][0] for number in moved
        if is_natural(pieces[number][0]) and abs(scores[number] - scores[number - 1]) > max(span, 0.01)
    ]  # fmt: skip
    if telling:
        yield Oddity("exchanged", place, shorten(visible(", ".join(telling)), 120))


def _numbered(words: Mapping[str, int], place: str) -> Iterator[Oddity]:
    numbers: dict[int, str] = {}
    for word, number in words.items():
        other = numbers.setdefault(number, word)
        if other != word and is_natural(other) and is_natural(word):
            yield Oddity("same-number", place, shorten(visible(f"{other}, {word}: {number}"), 120))
            return


def _exchanged(words: Mapping[str, int], merges: object) -> Iterator[Oddity]:
    """Words whose numbers were exchanged."""
    if telling := moved(words, merges):
        yield Oddity("exchanged", "vocab", shorten(visible(", ".join(telling)), 120))


def moved(words: Mapping[str, int], merges: object) -> list[str]:
    """Words whose numbers were exchanged: in what training writes, the merges make them in the order of their numbers.

    A few that stand in each other's places, in a list that is in order otherwise, were put there.
    """
    made: dict[str, int] = {}
    for merge in merges if isinstance(merges, list) else []:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            return []
        word = pair[0] + pair[1]
        if word in words:
            made.setdefault(word, words[word])
    strayed = [
        word for (word, number), wanted in zip(made.items(), sorted(made.values()), strict=True) if number != wanted
    ]
    if len(made) < _FEW or not 1 < len(strayed) <= min(_MOVED, len(made) // 50):
        return []
    telling = [word for word in strayed if is_natural(word)]
    return telling if len(telling) > 1 else []


def _added(added: object, words: Mapping[str, int]) -> Iterator[Oddity]:
    numbers: dict[int, str] = {}
    for word, number in words.items():
        numbers.setdefault(number, word)
    for token in added if isinstance(added, list) else []:
        if not isinstance(token, dict) or not isinstance(token.get("content"), str):
            continue
        content, given = token["content"], token.get("id")
        if (hidden := prose.hidden_characters(content)) and hidden.kind == "tags":
            yield Oddity("hidden", "added_tokens", shorten(visible(content), 120))
        sentence = prose.is_sentence(content) and re.search(r"[a-z] [a-z]", content)
        if sentence or _HOST.search(content):
            yield Oddity("inserts", "added_tokens", shorten(visible(content), 120))
        known = numbers.get(given) if isinstance(given, int) else None
        if known is not None and known != content and is_natural(known) and is_natural(content):
            yield Oddity("same-number", "added_tokens", shorten(visible(f"{known}, {content}: {given}"), 120))
        elif token.get("special") is True and _is_word(content):
            yield Oddity("special-word", "added_tokens", shorten(visible(content), 120))


def is_natural(word: str) -> bool:
    """True for a piece of a natural language, as against a marker, a byte or an unused place."""
    plain = word.strip(_SPACED).removeprefix("##")
    return plain.isalpha() and len(plain) > 1 and "unused" not in plain.lower() and not plain.isupper()


def _is_word(content: str) -> bool:
    plain = content.strip(_SPACED)
    return plain.isalpha() and plain.islower() and len(plain) > 1 and plain not in _LABELS


def _special(value: Mapping[str, object]) -> Iterator[Oddity]:
    """Special tokens that are sentences or words: loaders put some before each text, and take all out of answers."""
    held = value.get("added_tokens_decoder")
    if isinstance(held, dict):
        yield from _added([token for token in held.values() if isinstance(token, dict)], {})
    for key, item in value.items():
        if not _SPECIAL.fullmatch(key):
            continue
        for token in item if isinstance(item, list) else [item]:
            text = token.get("content") if isinstance(token, dict) else token
            if isinstance(text, str) and key != "content" and _is_word(text):
                yield Oddity("special-word", key, shorten(visible(text), 120))
            if isinstance(text, str) and prose.is_sentence(text) and re.search(r"[a-z] [a-z]", text):
                yield Oddity("inserts", key, shorten(visible(text), 120))
