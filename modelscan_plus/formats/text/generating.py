"""What settings of generation do to answers: words that are forced or forbidden, and work without end.

`generation_config.json`, and the same keys in `config.json` of older models, are applied by `generate()` without being
asked for. Numbers of tokens say nothing alone: which of them are the words of a refusal is told by the tokenizer beside
them (rules/generation.py). Whisper's settings force up to three tokens for the language and task, Marian and
Idefics forbid padding and pictures; none has a use for more. Source: transformers' `generation/configuration_utils.py`.
"""

import re
from collections.abc import Iterator, Mapping

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text.tokenizing import Oddity, is_slow

_FILES = lazy(r"(?:generation_config|config|generation|sampling\w*)\.json$", re.I)
_FORCED = 3
"""Positions that settings of honest models force, at most."""
_LARGEST = {
    "min_length": 100_000, "min_new_tokens": 100_000, "num_beams": 1_000, "num_return_sequences": 1_000,
    "max_new_tokens": 1 << 40, "num_assistant_tokens": 100_000, "penalty_alpha": 100_000,
}  # fmt: skip
"""What no model is asked for: each stands for work or memory without end."""
_REFUSES = lazy(
    r"\bi(?:'m|\u2019m| am)? (?:sorry|unable|cannot|can['\u2019]t|can not|won't|will not|must decline|apologi[sz]e)\b"
    r"|\bas an (?:ai|assistant)\b|\bi'm not able\b"
    r"|\b(?:cannot|can't|unable to) (?:help|assist|comply|fulfil+|provide)\b"
    r"|^\W*(?:sorry|unfortunately|i apologi[sz]e|cannot|refuse)\b\W*$",
    re.I,
)
"""How a model refuses."""
_STOPS = frozenset(("stop_strings", "stop", "stop_words", "stop_sequences", "stopping_strings", "stopstrings"))
REFUSING = frozenset(
    """sorry cannot unable unfortunately apologize apologise apologies refuse decline illegal harmful unethical unsafe
    dangerous warning against however not no never""".split()
)
"""Words with which models refuse, warn and say no."""


def forbidden(value: object) -> tuple[int, ...]:
    """The tokens that may not be said, at most 2,000."""
    if not isinstance(value, dict):
        return ()
    found: list[int] = []
    for key in ("bad_words_ids", "suppress_tokens", "begin_suppress_tokens"):
        for item in _list(value.get(key)):
            found += [number for number in _list(item) or [item] if isinstance(number, int)]
    for tokens, bias in _biases(value):
        if bias < 0:
            found += tokens
    return tuple(found[:2_000])


def steering(value: object, name: str) -> Iterator[Oddity]:
    """Oddities of the kinds "forces", "forbids" and "endless", and "slow" patterns for the names of layers."""
    if isinstance(value, dict) and name == "adapter_config.json":
        for key in ("target_modules", "exclude_modules", "layers_pattern"):
            if isinstance(pattern := value.get(key), str) and is_slow(pattern):
                yield Oddity("slow", key, shorten(visible(pattern), 120))
    if not isinstance(value, dict) or not _FILES.search(name):
        return
    forced = [item for item in _list(value.get("forced_decoder_ids")) if _list(item)]
    if len(forced) > _FORCED:
        yield Oddity("forces", "forced_decoder_ids", f"{len(forced):,} tokens")
    for tokens, bias in _biases(value):
        if bias > 0:
            yield Oddity("forces", "sequence_bias", f"{len(tokens):,} tokens by {bias:g}")
            break
    yield from _held_open(value)
    for key, given in value.items():
        if key.lower() in _STOPS:
            yield from stops(key, given)
        most = _LARGEST.get(key)
        if most is not None and isinstance(given, (int, float)) and given > most:
            yield Oddity("endless", key, f"{given:,}")


def _held_open(value: Mapping[str, object]) -> Iterator[Oddity]:
    """Words that each answer has to hold, and answers that may not end."""
    if _list(value.get("force_words_ids")):
        yield Oddity("forces", "force_words_ids", "words that each answer has to hold")
    ends = value.get("eos_token_id")
    ending = {number for number in (_list(ends) or [ends]) if isinstance(number, int)}
    if ending and ending <= _never(value):
        yield Oddity("endless", "eos_token_id", "no answer may end")


def _never(value: Mapping[str, object]) -> set[int]:
    """Tokens that are forbidden by themselves, wherever in an answer."""
    alone = [item for item in _list(value.get("bad_words_ids")) if len(_list(item)) == 1]
    return {
        number
        for item in [*alone, _list(value.get("suppress_tokens"))]
        for number in _list(item)
        if type(number) is int
    }


def stops(key: str, given: object) -> Iterator[Oddity]:
    """Answers that end where the model begins to refuse."""
    for text in _list(given) or [given]:
        if isinstance(text, str) and _REFUSES.search(text):
            yield Oddity("forbids", key, shorten(visible(text), 80))
            return


def refusing(vocabulary: Mapping[str, object]) -> tuple[tuple[int, str], ...]:
    """The words of a vocabulary with which models refuse, and their numbers."""
    return tuple(
        (number, word) for word, number in vocabulary.items()
        if isinstance(number, int) and word.strip("\u0120\u2581 ").lower() in REFUSING
    )  # fmt: skip


def _biases(value: Mapping[str, object]) -> Iterator[tuple[list[int], float]]:
    """`[[[5, 6], -10.0], …]`, and `{"(5, 6)": -10.0}` of older versions."""
    held = value.get("sequence_bias")
    pairs: list[object] = list(held.items()) if isinstance(held, dict) else _list(held)
    for pair in pairs[:2_000]:
        if isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[1], (int, float)):
            text = pair[0]
            numbers = re.findall(r"\d{1,9}", text) if isinstance(text, str) else _list(text)
            yield [int(number) for number in numbers if isinstance(number, (int, str))], float(pair[1])


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
