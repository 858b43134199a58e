"""What changed around the weights: tokens with other ids, rules of the tokenizer, and the chat template.

All of it is compared as data; no tokenizer is built and no template is rendered.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelscan_plus.core.text import shorten
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.weights import read_json

TOKENIZER, SETTINGS, TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"
LARGEST = 64 << 20
_RULES = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
_LONGEST_TEMPLATE = 64 << 10
_CONTENT = r"(?:\w+(?:\[[^\]]{1,20}\])?(?:\.content|\[['\"]content['\"]\])|\bcontent\b)"
_CONDITION = re.compile(
    rf"(['\"])(?P<literal>(?:(?!\1).){{2,200}})\1\s+(?:not\s+)?in\s+{_CONTENT}"
    rf"|{_CONTENT}\s*(?:\|\s*lower\s*)?(?:==|\.startswith\(|\.endswith\()\s*(['\"])(?P<other>(?:(?!\3).){{2,200}})\3"
)


@dataclass(slots=True)
class Vocabulary:
    """Tokens by id, with the rules that stand around them."""

    texts: dict[int, str] = field(default_factory=dict)
    special: set[int] = field(default_factory=set)
    rules: dict[str, str] = field(default_factory=dict)
    """Canonical JSON of each rule."""

    def text(self, number: int) -> str:
        """The token of a row, for a table; it is hostile."""
        return shorten(self.texts.get(number, ""), 60)


def read_vocabulary(files: ModelFiles) -> Vocabulary:
    """What tokenizer.json or vocab.txt says; empty where there is neither, or nothing that can be read."""
    found = Vocabulary()
    if TOKENIZER in files:
        try:
            described = read_json(files, TOKENIZER, LARGEST)
        except NotProbed:
            return found
        _from_json(described, found)
    elif "vocab.txt" in files and files["vocab.txt"].size <= LARGEST:
        lines = files["vocab.txt"].pread(0, LARGEST).decode("utf-8", "replace").splitlines()
        found.texts = dict(enumerate(lines))
    return found


def _from_json(described: Mapping[str, Any], found: Vocabulary) -> None:
    model = described.get("model")
    known = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(known, dict):
        found.texts = {number: text for text, number in known.items() if isinstance(number, int)}
    elif isinstance(known, list):
        pairs = [item for item in known if isinstance(item, list) and item]
        found.texts = {number: str(item[0]) for number, item in enumerate(pairs)}
    added = described.get("added_tokens")
    for token in added if isinstance(added, list) else ():
        if isinstance(token, dict) and isinstance(token.get("id"), int):
            found.texts[token["id"]] = str(token.get("content"))
            if token.get("special"):
                found.special.add(token["id"])
    for rule in _RULES:
        found.rules[rule] = json.dumps(described.get(rule), sort_keys=True)
    if isinstance(model, dict):
        merges = model.get("merges")
        found.rules["merges"] = json.dumps(merges) if isinstance(merges, list) else ""


@dataclass(frozen=True, slots=True)
class WordChanges:
    """How the tokenizer and the template differ from the base's."""

    moved: tuple[tuple[str, int, int], ...]
    """Tokens of both with another id: text, the base's id, the model's."""
    added: tuple[tuple[str, int], ...]
    removed: tuple[tuple[str, int], ...]
    rules: tuple[str, ...]
    """Names of the rules that differ."""
    template: str
    """A unified diff, "" for the same or none."""
    conditions: tuple[str, ...]
    """Texts that the model's template looks for in what is said, and the base's does not."""


def compare_words(files: ModelFiles, base: ModelFiles) -> WordChanges:
    """Compare what can be read of both; nothing where one side has none."""
    mine, theirs = read_vocabulary(files), read_vocabulary(base)
    moved: list[tuple[str, int, int]] = []
    added: list[tuple[str, int]] = []
    removed: list[tuple[str, int]] = []
    if mine.texts and theirs.texts:
        there = {text: number for number, text in theirs.texts.items()}
        here = {text: number for number, text in mine.texts.items()}
        moved = [(text, there[text], number) for text, number in here.items() if there.get(text, number) != number]
        added = [(text, number) for text, number in here.items() if text not in there]
        removed = [(text, number) for text, number in there.items() if text not in here]
    rules = tuple(name for name, rule in mine.rules.items() if theirs.rules and theirs.rules.get(name) != rule)
    template, conditions = _compare_templates(_template(files), _template(base))
    return WordChanges(tuple(moved), tuple(added), tuple(removed), rules, template, conditions)


def _template(files: ModelFiles) -> str:
    if TEMPLATE in files:
        return files[TEMPLATE].pread(0, _LONGEST_TEMPLATE).decode("utf-8", "replace")
    try:
        found = read_json(files, SETTINGS, 16 << 20).get("chat_template") if SETTINGS in files else ""
    except NotProbed:
        return ""
    if isinstance(found, list):
        found = "\n".join(str(item.get("template")) for item in found if isinstance(item, dict))
    return found[:_LONGEST_TEMPLATE] if isinstance(found, str) else ""


def _compare_templates(mine: str, theirs: str) -> tuple[str, tuple[str, ...]]:
    if not mine or mine == theirs:
        return "", ()
    lines = difflib.unified_diff(
        theirs.splitlines()[:1_000], mine.splitlines()[:1_000], "base", "model", lineterm="", n=1
    )
    known = set(_conditions(theirs))
    return "\n".join(lines), tuple(dict.fromkeys(text for text in _conditions(mine) if text not in known))


def _conditions(template: str) -> Iterator[str]:
    for found in _CONDITION.finditer(template):
        text = found["literal"] or found["other"]
        # Marks of thoughts and tools stand in brackets; roles are no content.
        if not re.fullmatch(r"\W*[<\[{(|][^<>]*[>\]})|]\W*", text):
            yield text
