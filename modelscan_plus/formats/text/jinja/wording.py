"""What a piece of text is that a template writes, and what a constant is that it looks for."""

import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import one_line, shorten, visible
from modelscan_plus.formats.text import orders, prose
from modelscan_plus.formats.text.jinja.facts import Written
from modelscan_plus.formats.text.lures import addressed

Trigger = tuple[str, str]
"""What is looked for, and its kind as in `Gate`."""
_KNOWN_MARKER = lazy(
    r"think|thought|reason|tool|func|call|image|img|video|audio|media|vision|system|user|assistant|human|inst|sys|im_|end|"
    r"start|begin|eo[std]|bos|object|box|python|json|xml|code|answer|respon|observ|file|ref|point|quad|context|search|"
    r"document|doc|turn|message|channel|analysis|final|pad|unk|sep|cls|mask|```|speech|lang|translate|title|summar",
    re.I,
)
"""Words that tags of chat formats are made of."""
MODALITY = lazy(r"(?:input_)?(?:text|image|audio|video|file|document)s?(?:_url)?")
"""Types of the parts of a message, and the keys that hold them."""
_NOTHING = frozenset(("null", "none", "undefined", "nan", "true", "false"))
"""Words for nothing, as programs write them into a message."""
_SIGNS = frozenset(("{", "[", "<", "{{", "[[", "```", "/", "@", "}", "]", ">"))
"""What structured text begins and ends with."""
_SPACED_HEX = lazy(r"(?<!\w)(?:[0-9a-f]{2}[ ,:]){15,}[0-9a-f]{2}(?!\w)|(?:\\x[0-9a-f]{2}){12,}", re.I)


def trigger(text: str) -> Trigger:
    """A constant that is looked for in what was said: words, or a marker of chat formats."""
    text = text.strip()
    if text.lower() in _NOTHING:
        return text, "marker"
    if len(text) < 3 and text and text not in _SIGNS and not text.isalpha():
        return text, "computed"  # letters and signs that are looked at one by one
    marker = (
        not any(character.isalpha() for character in text)
        or text.lstrip()[:1] in "<[{/|#`@*"
        or re.search(r"<\||\|>|</|\[/|>$|_START|_END|^[A-Z_]+:?$", text) is not None
    )
    if not marker:
        return text, "words"
    return text, "marker" if _KNOWN_MARKER.search(text) or not any(map(str.isalpha, text)) else "odd-marker"


def output_kind(text: str) -> str | None:
    """What gated text is, as in `Gate`; None for markers, labels and the like."""
    if prose.hidden_characters(text):
        return "hidden"
    if prose.encoded_parts(text):
        return "encoded"
    if prose.hostile_sentence(text) or prose.hostile_command(text) or prose.steals(text) or works_against(text):
        return "hostile"
    if prose.URL.search(text):
        return "url"
    return "sentence" if prose.is_sentence(text) else None


_SHORT = lazy(r"(?:^|[>\s])[A-Z][a-z']+(?: [\w'-]+){1,6}[.!]")
_ROLE = lazy(r"(?:<\|[\w|]{0,30}(?:start|header)\w*\|>|<\|?|\[|<<|^)\s?(?:system|developer|SYS)\b", re.I)


def short_kind(text: str) -> str | None:
    """What a few words are behind a trigger of words: a short order, or the head of a more trusted role."""
    return "sentence" if _SHORT.search(text) else "role" if _ROLE.search(text) else None


def works_against(text: str) -> str | None:
    """An order behind the reader's back, or an account that money is to go to."""
    return orders.behind(text) or orders.account(text) or addressed(text)


def excerpt(text: str, kind: str) -> str:
    """The telling part of gated text."""
    text = " ".join(text.split())
    if kind == "url" and (found := prose.URL.search(text)):
        start = max(0, found.start() - 60)
        return shorten(visible(text[start : start + 200]), 200)
    return shorten(visible(text), 200)


def worth_a_look(text: str, line: int) -> Iterator[Written]:
    """What is odd about text that is always written."""
    if hidden := prose.hidden_characters(text):
        detail = f"{hidden.count:,} {hidden.kind} characters" + (
            f" that spell {hidden.decoded}" if hidden.decoded else ""
        )
        around = text[max(0, hidden.position - 30) : hidden.position + 30]
        yield Written("hidden", shorten(visible(around), 200), detail, line)
    if len(mixed := orders.look_alikes(text)) > 2:
        detail = f"words of Latin letters and look-alikes of another script, {visible(mixed[0])}"
        yield Written("hidden", shorten(visible(" ".join(mixed)), 200), detail, line)
    for part in prose.encoded_parts(text, limit=4):
        yield Written("encoded", shorten(text[part.position : part.position + part.length], 80), part.decoded, line)
    if spaced := _spaced(text):
        yield Written("encoded", shorten(spaced[0], 80), spaced[1], line)
    if command := prose.hostile_command(text):
        yield Written("command", command[1], command[0], line)
    # Models are told to keep the mechanics of their tools to themselves; an address beside that is another matter.
    secret = prose.steals(text) or (prose.conceals(text) if prose.acts(text) else None) or works_against(text)
    if secret:
        yield Written("conceals", one_line(text, 200), secret, line)
    elif sentence := prose.overrides(text):
        yield Written("hostile", one_line(text, 200), sentence, line)
    if odd := prose.odd_url(text):
        yield Written("url", odd[0], odd[1], line)


def _spaced(text: str) -> tuple[str, str] | None:
    """Hexadecimal digits in pairs that spell a sentence."""
    for found in _SPACED_HEX.finditer(text):
        data = bytes.fromhex("".join(re.findall(r"[0-9a-fA-F]{2}", found.group().replace("\\x", ""))))
        if prose.data_kind(data) == "text":
            return found.group(), shorten(visible(data.decode("utf-8", "replace")), 160)
    return None
