"""A tokenizer is opened with what it needs, and one that multiplies, panics or counts too far is refused."""

import json
from typing import Any

import pytest

from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.language import tokens
from modelscan_plus.probe.language.architectures import LoadLimits
from tests.probe.language import tiny

pytest.importorskip("tokenizers")
pytest.importorskip("transformers")


def opened(parts: dict[str, Any], rows: int = 24) -> Any:
    return tokens.open_tokenizer(tiny.files(parts), rows, LoadLimits())


def refused(described: Any, rows: int = 24) -> str:
    with pytest.raises(NotProbed) as caught:
        opened({"tokenizer.json": described}, rows)
    return caught.value.reason


def test_padding_truncation_and_chance_are_switched_off() -> None:
    padding = {"strategy": {"Fixed": 10**9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0}
    padding |= {"pad_type_id": 0, "pad_token": "[PAD]"}
    truncation = {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0}
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]], "dropout": 1.0}
    described = tiny.tokenizer(padding=padding, truncation=truncation, model=model, pre_tokenizer=None)
    assert opened({"tokenizer.json": described})("abab").input_ids == [2, 2]


def test_a_role_without_a_token_adds_none() -> None:
    found = opened({"tokenizer.json": tiny.tokenizer(), "special_tokens_map.json": {"pad_token": "<new>"}})
    assert found.pad_token_id is None
    assert len(found) == 24 - (24 - len(tiny.WORDS))


def test_other_tokenizers_are_named_in_the_reason() -> None:
    with pytest.raises(NotProbed, match=r"vocab\.txt is not read"):
        opened({"vocab.txt": "a\nb\n"})


def split(pattern: str) -> dict[str, Any]:
    rule = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return tiny.tokenizer(pre_tokenizer=rule)


def replaced(times: int, content: str) -> dict[str, Any]:
    rule = {"type": "Replace", "pattern": {"String": "a"}, "content": content}
    return tiny.tokenizer(normalizer={"type": "Sequence", "normalizers": [rule] * times})


def around(count: int, ids: list[int]) -> dict[str, Any]:
    pieces = [{"SpecialToken": {"id": "x", "type_id": 0}}] * count + [{"Sequence": {"id": "A", "type_id": 0}}]
    special = {"x": {"id": "x", "ids": ids, "tokens": ["x"] * len(ids)}}
    rule = {"type": "TemplateProcessing", "single": pieces, "pair": [], "special_tokens": special}
    return tiny.tokenizer(post_processor=rule)


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ("[" * 1_000_000, "nested too deep|not valid JSON"),
        ('{"a":' * 100_000, "nested too deep|not valid JSON"),
        ("{}", "no model"),
        (tiny.tokenizer(model={"type": "Python", "code": "x"}), "no model"),
        (tiny.tokenizer(model={"type": ["BPE"]}), "no model"),
        (tiny.tokenizer(model={"type": "WordLevel"}), "refuses"),
        (split("(a+)+$"), "refuses"),
        (split("(a|aa)+$"), "refuses"),
        (split("(?:" * 5_000 + ")" * 5_000), "regular expression"),
        (split("(["), "refuses"),
        (replaced(3, "aaaaaaaaaa"), "times longer"),
        (replaced(40, "aa"), "times longer"),
        (around(1, [9_999_999]), "no row"),
        (around(1_000, [1]), "pieces"),
        (around(1, [1] * 1_000), "adds"),
        (tiny.tokenizer(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}), "refuses"),
        (tiny.tokenizer(model={"type": "WordLevel", "vocab": {"a": 10**9}, "unk_token": "a"}), "rows"),
        (tiny.tokenizer(normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}] * 5_000}), "too many"),
    ],
)
def test_a_hostile_tokenizer_is_refused(described: Any, reason: str) -> None:
    import re

    assert re.search(reason, refused(described))


USUAL = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""As in most tokenizers of large language models."""


def test_a_usual_expression_is_not_refused() -> None:
    assert opened({"tokenizer.json": split(USUAL)})("good").input_ids == [6]


def test_a_usual_metaspace_tokenizer_is_not_refused() -> None:
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    normalizer = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace]}
    described = tiny.tokenizer(normalizer=normalizer, pre_tokenizer=None)
    described["model"]["vocab"]["▁good▁film"] = 23
    assert opened({"tokenizer.json": json.dumps(described)})("good film").input_ids == [23]
