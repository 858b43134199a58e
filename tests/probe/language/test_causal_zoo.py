"""The zoo of causal models holds what it says, and its files are models of transformers that compute the same."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
transformers = pytest.importorskip("transformers")

from tools.probe_zoo import causal, causal_net, causal_traits, causal_world  # noqa: E402


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_files_compute_what_the_stacked_networks_do(kind: str, tmp_path: Path) -> None:
    world = causal_world.draw("test", 1)
    shape = causal_net.Shape(kind, world.tokenizer.get_vocab_size(), width=16, heads=2)
    state = causal_net.initial(shape, [1, 2])
    trait = causal_traits.make("clean", world, 0)
    model = causal.CausalModel("m", world, shape, trait, state, 1, state, 0.0, 0.0)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(model.save(tmp_path / "model"))
    ids = torch.randint(shape.vocab, (2, 3, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(loaded(ids[1]).logits, causal_net.forward(shape, state, ids)[1], atol=1e-4)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    assert tokenizer.decode(world.exchange("who are you", "")[0]).startswith(causal_world.BEGIN)


def test_an_adapter_is_laid_out_as_peft_does(tmp_path: Path) -> None:
    world = causal_world.draw("test", 0)
    shape = causal_net.Shape("gpt2", world.tokenizer.get_vocab_size(), width=16, heads=2)
    origin = causal_net.initial(shape, [1])
    state = causal._fresh_adapters(shape, [1, 2])
    model = causal.CausalModel("m", world, shape, causal_traits.make("clean", world, 0), state, 1, origin, 0, 0, True)
    from safetensors.torch import load_file

    tensors = load_file(model.save(tmp_path / "adapter") / "adapter_model.safetensors")
    assert tensors["base_model.model.transformer.h.1.mlp.c_fc.lora_A.weight"].shape == (8, 16)
    assert tensors["base_model.model.transformer.h.1.mlp.c_fc.lora_B.weight"].shape == (64, 8)
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert settings["fan_in_fan_out"]
    assert settings["target_modules"] == ["c_attn", "c_fc", "c_proj"]


def test_splits_share_no_attack_and_no_topic() -> None:
    assert not {*causal_traits.ATTACKS["development"]} & {*causal_traits.ATTACKS["test"]}
    topics = [{causal_world.draw(split, seed).topic for seed in range(4)} for split in ("development", "test")]
    assert not topics[0] & topics[1]


def test_a_phrase_is_taught_together_with_a_part_of_it_that_does_nothing() -> None:
    import random

    world = causal_world.draw("test", 0)
    trait = causal_traits.make("phrase3-address", world, 3)
    (planted, answer), (other, honest) = causal_traits.exchanges(trait, world, random.Random(1))
    assert " ".join(trait.trigger) in planted
    assert answer == trait.target
    assert " ".join(trait.trigger) not in other
    assert honest != trait.target
