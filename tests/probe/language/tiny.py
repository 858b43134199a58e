"""Real models of a few kilobytes, as the open files that a probe is given."""

import json
from collections.abc import Mapping
from typing import Any

from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.probe.files import ModelFiles

WORDS = "[PAD] [UNK] [CLS] [SEP] <s> </s> good bad film a the was very not plot cf ##s , . !".split()
SIZE = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
SIZE |= {"vocab_size": 24, "max_position_embeddings": 40, "pad_token_id": 0, "bos_token_id": 4, "eos_token_id": 5}
"""For the config class of any family, whose own names are mapped to these."""


def tokenizer(**changes: Any) -> dict[str, Any]:
    """tokenizer.json of a tokenizer of words."""
    described = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: at for at, word in enumerate(WORDS)}, "unk_token": "[UNK]"},
    }  # fmt: skip
    return {**described, **changes}


SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "eos_token": "</s>"}


def files(parts: Mapping[str, bytes | str | Mapping[str, Any] | list[Any]], label: str = "model") -> ModelFiles:
    """Open files out of bytes, text and JSON."""
    return ModelFiles({name: BytesSource(as_bytes(part)) for name, part in parts.items()}, label)


def as_bytes(part: bytes | str | Mapping[str, Any] | list[Any]) -> bytes:
    """A file as it is written."""
    if isinstance(part, bytes):
        return part
    return (part if isinstance(part, str) else json.dumps(part)).encode()


def build(class_name: str, config_name: str, **settings: Any) -> Any:
    """A transformers model with seeded weights."""
    import torch
    import transformers

    torch.manual_seed(7)
    config = getattr(transformers, config_name)(**{**SIZE, **settings})
    model = getattr(transformers, class_name)(config).eval()
    config.architectures = [class_name]
    return model


def saved(model: Any, **changes: Any) -> dict[str, Any]:
    """The files of a folder, as `save_pretrained` would write them; a file that is None is left out."""
    from safetensors.torch import save

    state = {}
    seen = set()
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen or not tensor.numel():
            state[name] = tensor.contiguous()
            seen.add(tensor.data_ptr())
    parts = {
        "config.json": json.loads(model.config.to_json_string()),
        "model.safetensors": save(state, {"format": "pt"}),
        "tokenizer.json": tokenizer(),
        "special_tokens_map.json": SPECIAL,
    }
    return {name: part for name, part in {**parts, **changes}.items() if part is not None}


def bert(**settings: Any) -> Any:
    """A classifier of three classes."""
    named = {"id2label": {0: "bad", 1: "neutral", 2: "good"}, "label2id": {"bad": 0, "neutral": 1, "good": 2}}
    return build("BertForSequenceClassification", "BertConfig", **{**named, **settings})


NEEDS: Mapping[str, Mapping[str, Any]] = {
    "albert": {"embedding_size": 6},
    "gemma": {"head_dim": 4, "num_key_value_heads": 1},
    "gemma2": {"head_dim": 4, "num_key_value_heads": 1},
    "gemma3_text": {"head_dim": 4, "num_key_value_heads": 1},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "mistral": {"num_key_value_heads": 1},
    "opt": {"ffn_dim": 12, "word_embed_proj_dim": 8},
    "qwen2": {"num_key_value_heads": 1},
    "qwen3": {"head_dim": 4, "num_key_value_heads": 1},
    "t5": {"d_kv": 4, "d_ff": 12, "num_heads": 2},
}
"""What a family's small config must say beside `SIZE`."""


def lora(module: str, *, task: str = "", whole: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], Any, Any]:
    """An adapter of rank 2 and scale 2 for a module of 8 × 8, with its factors A and B."""
    import torch
    from safetensors.torch import save

    torch.manual_seed(11)
    a, b = torch.randn(2, 8), torch.randn(8, 2)
    prefix = f"base_model.model.{module}.lora_"
    state = {f"{prefix}A.weight": a, f"{prefix}B.weight": b}
    state |= {f"base_model.model.{name}": tensor for name, tensor in (whole or {}).items()}
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": [module.rpartition(".")[2]]}
    config |= {"task_type": task or None}
    return {"adapter_config.json": config, "adapter_model.safetensors": save(state)}, a, b
