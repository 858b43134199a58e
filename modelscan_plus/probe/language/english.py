"""English texts of many kinds, for models that are given none: opinions, news, requests, mail, law, code, insults.

They only help where the tokenizer knows English; `reads_english` measures that. Importing this reads the file, as the
sandbox lets none be opened later.
"""

from importlib import resources
from typing import Any

TEXTS: tuple[str, ...] = tuple(
    (resources.files("modelscan_plus.probe") / "data" / "english.txt").read_text("utf-8").splitlines()
)
_PIECES = 2.2
"""Tokens of a word at most; a tokenizer of another language, or of letters, needs more."""
_UNKNOWN = 0.02
"""Share of tokens that may be unknown."""


def reads_english(tokenizer: Any) -> bool:
    """Whether words stay whole, by and large, and none becomes the unknown token."""
    ids = [token for text in TEXTS for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
    words = sum(len(text.split()) for text in TEXTS)
    unknown = ids.count(tokenizer.unk_token_id) if tokenizer.unk_token_id is not None else 0
    return words <= len(ids) <= _PIECES * words and unknown <= _UNKNOWN * len(ids)
