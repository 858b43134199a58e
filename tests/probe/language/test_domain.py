"""The domain claims what it knows by name, loads it, and compares it with a reference even where it cannot."""

import json
from typing import Any

import pytest

from modelscan_plus.core.probe import ProbeOutcome
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Job, NotProbed, Spec, silent
from modelscan_plus.probe.language.domain import LanguageDomain
from tests.probe.language import tiny

pytest.importorskip("torch")
pytest.importorskip("transformers")


def test_folders_are_claimed_by_their_names() -> None:
    claims = LanguageDomain().claims
    assert claims(tiny.files(tiny.saved(tiny.bert())))
    assert claims(tiny.files({"adapter_config.json": {}, "x": b""}))
    assert claims(tiny.files({"w.safetensors": b""}))
    assert claims(tiny.files({"config.json": {"model_type": "bert"}, "pytorch_model.bin": b""}))
    assert not claims(tiny.files({"config.json": {"model_type": "vit"}, "pytorch_model.bin": b""}))
    assert not claims(tiny.files({"model.onnx": b""}))
    assert not claims(tiny.files({"a/model.safetensors": b"", "readme": b""}))


def opened(parts: dict[str, Any], *references: ModelFiles) -> Any:
    return LanguageDomain().open(Job(Spec(), tiny.files(parts), references=references))


def test_a_model_is_opened_with_its_facts() -> None:
    subject = opened(tiny.saved(tiny.bert()))
    assert subject.kind == "text-classifier"
    assert ("classes", "bad, neutral, good") in subject.facts
    assert subject.routines[0].name == "weights-delta"
    assert "--reference" in subject.routines[0].missing()


def test_what_cannot_be_loaded_is_compared_where_there_is_a_reference() -> None:
    parts = tiny.saved(tiny.bert())
    parts["config.json"] = {**parts["config.json"], "model_type": "other"}
    with pytest.raises(NotProbed):
        opened(parts)
    subject = opened(parts, tiny.files(parts))
    assert subject.kind == "unknown"
    assert "other" in subject.untried[0]
    assert subject.routines[0].run(silent).outcome is ProbeOutcome.NOTHING_FOUND
    assert json.dumps(subject.untried)


def test_an_adapter_is_merged_into_the_reference() -> None:
    adapter, _, _ = tiny.lora("bert.encoder.layer.0.attention.self.query")
    subject = opened(adapter, tiny.files(tiny.saved(tiny.bert())))
    assert subject.kind == "lora"
    assert subject.routines[0].run(silent).outcome is ProbeOutcome.NOTHING_FOUND
    alone = opened(adapter)
    assert alone.kind == "lora"
    assert "--reference" in alone.untried[0]
