"""A model is loaded as transformers would load it, or refused with a reason, and nothing else happens."""

import dataclasses
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.language import architectures
from modelscan_plus.probe.language.architectures import LoadLimits
from modelscan_plus.probe.language.load import load
from tests.probe.language import tiny

pytest.importorskip("torch")
pytest.importorskip("transformers")
IDS = [[2, 6, 7, 5]]


def refused(parts: dict[str, Any] | ModelFiles, base: ModelFiles | None = None) -> str:
    with pytest.raises(NotProbed) as caught:
        load(parts if isinstance(parts, ModelFiles) else tiny.files(parts), base=base)
    return caught.value.reason


def config(model: Any, **changes: Any) -> dict[str, Any]:
    changed = {**json.loads(model.config.to_json_string()), **changes}
    return tiny.saved(model, **{"config.json": {key: value for key, value in changed.items() if value is not None}})


def run(model: Any) -> Any:
    import torch

    out = model(input_ids=torch.tensor(IDS), attention_mask=torch.ones(1, 4, dtype=torch.long))
    return out["logits"] if "logits" in out else out["last_hidden_state"]


@pytest.mark.parametrize("model_type", ["albert", "bert", "deberta-v2", "gpt2", "gpt_neo", "llama", "opt", "t5"])
def test_a_model_gives_what_transformers_gives(model_type: str) -> None:
    family = architectures.FAMILIES[model_type]
    for kind, name in family.classes.items():
        model = tiny.build(name, family.config, **tiny.NEEDS.get(model_type, {}))
        loaded = load(tiny.files(tiny.saved(model)))
        assert loaded.kind == kind
        assert float((run(model) - run(loaded.model)).detach().abs().max()) < 1e-5
        assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
        assert not loaded.model.training


def test_all_families_run_behind_the_closed_sandbox() -> None:
    """Landlock lets no path be opened: all that torch and transformers import at first use is imported before."""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "tests.probe.language.behind_sandbox"], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["failed"] == {}
    assert set(said["loaded"]) == set(architectures.FAMILIES)


def test_every_size_that_a_config_may_set_is_bounded() -> None:
    import importlib

    import transformers

    common = {field.name for field in dataclasses.fields(transformers.PreTrainedConfig)}
    harmless = {"max_window_layers", "query_pre_attn_scalar", "num_ln_in_parallel_attn"}
    for family in architectures.FAMILIES.values():
        module = importlib.import_module(f"transformers.models.{family.module}.configuration_{family.module}")
        for field in dataclasses.fields(getattr(module, family.config)):
            whole = "int" in str(field.type) and "float" not in str(field.type)
            if whole and not field.name.endswith("token_id") and field.name not in common | harmless:
                assert field.name in architectures._BOUNDS.keys() | architectures._DROPPED, (family.config, field.name)


def test_labels_length_and_rows_of_the_vocabulary_are_known() -> None:
    loaded = load(tiny.files(tiny.saved(tiny.bert(), **{"tokenizer_config.json": {"model_max_length": 32}})))
    assert loaded.labels == ("bad", "neutral", "good")
    assert loaded.max_length == 32
    assert loaded.embedding == "bert.embeddings.word_embeddings.weight"
    assert loaded.tokenizer("good film").input_ids == [6, 8]
    assert loaded.tokenizer.pad_token_id == 0


def test_halves_are_read_as_numbers_of_32_bits() -> None:
    import torch

    model = tiny.bert().to(torch.bfloat16)
    loaded = load(tiny.files(tiny.saved(model)))
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    assert torch.equal(loaded.model.classifier.weight, model.classifier.weight.float())


def shards(model: Any) -> dict[str, Any]:
    from safetensors.torch import save

    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    names = sorted(state)
    first, second = names[::2], names[1::2]
    there = {"a.safetensors": first, "b.safetensors": second}
    index = {"metadata": {}, "weight_map": {name: file for file, part in there.items() for name in part}}
    written = {file: save({name: state[name] for name in part}) for file, part in there.items()}
    return tiny.saved(model, **{"model.safetensors": None, "model.safetensors.index.json": index, **written})


def test_a_model_in_several_files_is_one_model() -> None:
    model = tiny.bert()
    assert float((run(model) - run(load(tiny.files(shards(model))).model)).detach().abs().max()) < 1e-6
    lacking = {name: part for name, part in shards(model).items() if name != "b.safetensors"}
    assert "which is not there" in refused(lacking)


def test_tied_rows_may_stand_once_under_either_name_or_differ() -> None:
    import torch
    from safetensors.torch import save

    model = tiny.build("GPT2LMHeadModel", "GPT2Config")
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rows = state.pop("transformer.wte.weight")
    loaded = load(tiny.files(tiny.saved(model, **{"model.safetensors": save(state)})))
    assert loaded.model.lm_head.weight is loaded.model.transformer.wte.weight
    assert loaded.embedding == "lm_head.weight"
    apart = {**state, "transformer.wte.weight": rows, "lm_head.weight": rows * 2}
    loaded = load(tiny.files(tiny.saved(model, **{"model.safetensors": save(apart)})))
    assert torch.equal(loaded.model.lm_head.weight, loaded.model.transformer.wte.weight * 2)
    state.pop("lm_head.weight")
    assert "lack the tensor" in refused(tiny.saved(model, **{"model.safetensors": save(state)}))


def test_old_names_and_names_of_the_bare_model_are_found() -> None:
    from safetensors.torch import save

    model = tiny.bert()
    state = {n.replace("LayerNorm.weight", "LayerNorm.gamma"): t.clone() for n, t in model.state_dict().items()}
    loaded = load(tiny.files(tiny.saved(model, **{"model.safetensors": save(state)})))
    assert float((run(model) - run(loaded.model)).detach().abs().max()) < 1e-6
    causal = tiny.build("GPT2LMHeadModel", "GPT2Config")
    state = {n.removeprefix("transformer."): t.clone() for n, t in causal.state_dict().items() if n != "lm_head.weight"}
    loaded = load(tiny.files(tiny.saved(causal, **{"model.safetensors": save(state)})))
    assert float((run(causal) - run(loaded.model)).detach().abs().max()) < 1e-6


POOLING = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
MODULES = [
    {"path": "", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def test_a_folder_of_sentence_transformers_is_an_embedding_model() -> None:
    import torch

    model = tiny.build("BertModel", "BertConfig")
    parts = tiny.saved(model, **{"modules.json": MODULES, "1_Pooling/config.json": POOLING})
    parts["sentence_bert_config.json"] = {"max_seq_length": 16}
    loaded = load(tiny.files(parts))
    hidden = torch.randn(2, 3, 8)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert loaded.kind == "embedding"
    assert loaded.max_length == 16
    assert loaded.pooling.stated
    expected = torch.nn.functional.normalize(hidden[0, :2].mean(0), dim=0)
    assert torch.allclose(loaded.pooling(hidden, mask)[0], expected)
    other = [*MODULES, {"path": "3_Dense", "type": "sentence_transformers.models.Dense"}]
    assert "Dense" in refused({**parts, "modules.json": other})
    inside = {
        f"0/{name}": part for name, part in parts.items() if name not in ("modules.json", "1_Pooling/config.json")
    }
    moved = [{**MODULES[0], "path": "0"}, *MODULES[1:]]
    inside |= {"modules.json": moved, "1_Pooling/config.json": POOLING}
    assert load(tiny.files(inside)).max_length == 16


def test_a_lora_adapter_is_merged_into_its_base() -> None:
    import torch

    model = tiny.bert()
    name = "bert.encoder.layer.0.attention.self.query"
    adapter, a, b = tiny.lora(name)
    base = tiny.files(tiny.saved(model))
    loaded = load(tiny.files(adapter), base=base)
    before = dict(model.named_parameters())[f"{name}.weight"]
    after = dict(loaded.model.named_parameters())[f"{name}.weight"]
    assert torch.allclose(after, before + 2.0 * b @ a)
    assert loaded.adapter
    assert "does nothing without its base" in refused(adapter)
    assert "does not have" in refused(tiny.lora("bert.encoder.layer.9.attention.self.query")[0], base)
    wrong = {**adapter, "adapter_config.json": {**adapter["adapter_config.json"], "r": 16}}
    assert "states rank 16" in refused(wrong, base)
    dora = {**adapter, "adapter_config.json": {**adapter["adapter_config.json"], "use_dora": True}}
    assert "use_dora" in refused(dora, base)


def test_an_adapter_for_a_classifier_brings_its_head() -> None:
    import torch

    causal = tiny.build("LlamaForCausalLM", "LlamaConfig")
    head = torch.randn(5, 8)
    adapter, _, _ = tiny.lora("model.layers.0.self_attn.q_proj", task="SEQ_CLS", whole={"score.weight": head})
    loaded = load(tiny.files(adapter), base=tiny.files(tiny.saved(causal)))
    assert loaded.kind == "text-classifier"
    assert len(loaded.labels) == 5
    assert torch.equal(loaded.model.score.weight, head)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vocab_size": 10**12}, "vocab_size"),
        ({"vocab_size": 10**400}, "not valid|digits|vocab_size"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers"),
        ({"hidden_size": 1.5}, "hidden_size"),
        ({"num_labels": 10**10, "id2label": None}, "num_labels"),
        ({"id2label": {str(n): "x" for n in range(5_000)}}, "labels"),
        ({"intermediate_size": 131_072, "hidden_size": 16_384, "num_hidden_layers": 100}, "parameters|should be"),
        ({"hidden_size": 7}, "config.json"),
        ({"hidden_act": "os.system"}, "config.json"),
        ({"hidden_size": "8"}, "config.json"),
        ({"layer_norm_eps": [[[[[[[[1]]]]]]]]}, "nested too deep"),
        ({"classifier_dropout": float("inf")}, "finite"),
        ({"model_type": "evil", "auto_map": {"AutoModel": "evil.Model"}}, "code of the repository is never run"),
        ({"model_type": None}, "model_type"),
        ({"architectures": ["BertForMaskedLM"]}, "no classifier"),
        ({"architectures": None}, "does not say"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
    ],
)
def test_a_hostile_config_is_refused(changes: dict[str, Any], reason: str) -> None:
    import re

    assert re.search(reason, refused(config(tiny.bert(), **changes)))


def test_code_that_a_config_names_is_ignored_where_the_architecture_is_known() -> None:
    changes = {
        "auto_map": {"AutoModelForSequenceClassification": "evil.Model"},
        "__class__": "x",
        "torch_dtype": "eval",
    }
    assert load(tiny.files(config(tiny.bert(), **changes))).kind == "text-classifier"


def header(entries: dict[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (b"", "too short"),
        (struct.pack("<Q", 1 << 40) + b"{}", "header of"),
        (header({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4]}}, bytes(4)), "make"),
        (header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}), "end behind"),
        (header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)), "lack the tensor"),
        (b"[" * 100_000, "header"),
        (struct.pack("<Q", 4) + b"{} x", "behind the JSON"),
    ],
)
def test_lying_weights_are_refused(weights: bytes, reason: str) -> None:
    assert reason in refused(tiny.saved(tiny.bert(), **{"model.safetensors": weights}))


def test_shapes_must_be_those_of_the_config() -> None:
    other = tiny.saved(tiny.bert(hidden_size=4))
    assert "should be" in refused({**tiny.saved(tiny.bert()), "model.safetensors": other["model.safetensors"]})


def test_values_that_are_not_finite_are_refused() -> None:
    model = tiny.bert()
    model.classifier.weight.data[0, 0] = float("nan")
    assert "not finite" in refused(tiny.saved(model))


def test_pickled_weights_are_not_loaded() -> None:
    parts = tiny.saved(tiny.bert(), **{"model.safetensors": None, "pytorch_model.bin": b"\x80\x02."})
    assert "pickles" in refused(parts)


def test_limits_can_be_lowered() -> None:
    with pytest.raises(NotProbed, match="parameters"):
        load(tiny.files(tiny.saved(tiny.bert())), LoadLimits(parameters=1_000))
