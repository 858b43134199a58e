"""The architectures that are loaded: those whose code is part of transformers, and no others.

What a config may set is checked here before any class sees it: the numbers that decide how much is built are bounded,
and of the rest only the fields that the config class declares are passed on. `auto_map` (code of the repository) is
never followed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.weights import quoted

TEXT_CLASSIFIER, CAUSAL_LM, EMBEDDING = "text-classifier", "causal-lm", "embedding"


@dataclass(frozen=True, slots=True)
class Family:
    """One model type of transformers: its folder there, and the class for each kind."""

    module: str
    config: str
    classes: Mapping[str, str]


def _family(module: str, stem: str, *, causal: str = "") -> Family:
    classes = {TEXT_CLASSIFIER: f"{stem}ForSequenceClassification", EMBEDDING: f"{stem}Model"}
    if causal:
        classes[CAUSAL_LM] = f"{stem}{causal}"
    return Family(module, f"{stem}Config", classes)


_LM = "ForCausalLM"
FAMILIES: Mapping[str, Family] = {
    "albert": _family("albert", "Albert"),
    "bert": _family("bert", "Bert"),
    "bloom": _family("bloom", "Bloom", causal=_LM),
    "deberta-v2": _family("deberta_v2", "DebertaV2"),
    "distilbert": _family("distilbert", "DistilBert"),
    "electra": _family("electra", "Electra"),
    "falcon": _family("falcon", "Falcon", causal=_LM),
    "gemma": _family("gemma", "Gemma", causal=_LM),
    "gemma2": _family("gemma2", "Gemma2", causal=_LM),
    "gemma3_text": Family(
        "gemma3",
        "Gemma3TextConfig",
        {
            TEXT_CLASSIFIER: "Gemma3TextForSequenceClassification",
            EMBEDDING: "Gemma3TextModel",
            CAUSAL_LM: "Gemma3ForCausalLM",
        },
    ),
    "gpt2": _family("gpt2", "GPT2", causal="LMHeadModel"),
    "gpt_neo": _family("gpt_neo", "GPTNeo", causal=_LM),
    "gpt_neox": _family("gpt_neox", "GPTNeoX", causal=_LM),
    "llama": _family("llama", "Llama", causal=_LM),
    "mistral": _family("mistral", "Mistral", causal=_LM),
    "mpnet": _family("mpnet", "MPNet"),
    "olmo": _family("olmo", "Olmo", causal=_LM),
    "olmo2": _family("olmo2", "Olmo2", causal=_LM),
    "opt": _family("opt", "OPT", causal=_LM),
    "phi": _family("phi", "Phi", causal=_LM),
    "phi3": _family("phi3", "Phi3", causal=_LM),
    "qwen2": _family("qwen2", "Qwen2", causal=_LM),
    "qwen3": _family("qwen3", "Qwen3", causal=_LM),
    "roberta": _family("roberta", "Roberta"),
    "t5": Family("t5", "T5Config", {EMBEDDING: "T5EncoderModel"}),
    "xlm-roberta": _family("xlm_roberta", "XLMRoberta"),
}
"""By `model_type`."""


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """How large a model may be."""

    parameters: int = 2_000_000_000
    """With buffers; each takes four bytes, whatever the file has."""
    vocabulary: int = 400_000
    hidden: int = 16_384
    inner: int = 131_072
    """Width of the feed-forward layers."""
    layers: int = 160
    heads: int = 256
    positions: int = 2_000_000
    """Also of rotary position embeddings, for which nothing is built."""
    labels: int = 4_096
    tokenizer: int = 64 << 20
    """Bytes of tokenizer.json."""
    template: int = 64 << 10
    """Characters of a chat template."""


_BOUNDS: Mapping[str, str | int] = {
    "vocab_size": "vocabulary", "type_vocab_size": "vocabulary",
    "hidden_size": "hidden", "dim": "hidden", "n_embd": "hidden", "d_model": "hidden", "embedding_size": "hidden",
    "word_embed_proj_dim": "hidden", "head_dim": "hidden", "d_kv": "hidden",
    "pooler_hidden_size": "hidden",
    "intermediate_size": "inner", "hidden_dim": "inner", "n_inner": "inner", "ffn_dim": "inner", "d_ff": "inner",
    "ffn_hidden_size": "inner",
    "num_hidden_layers": "layers", "n_layers": "layers", "n_layer": "layers", "num_layers": "layers",
    "num_hidden_groups": "layers", "inner_group_num": 8, "num_decoder_layers": "layers", "attention_types": "layers",
    "num_attention_heads": "heads", "n_head": "heads", "n_heads": "heads", "num_heads": "heads",
    "num_key_value_heads": "heads", "num_kv_heads": "heads",
    "max_position_embeddings": "positions", "n_positions": "positions", "sliding_window": "positions",
    "window_size": "positions", "max_relative_positions": "positions", "position_buckets": "positions",
    "relative_attention_num_buckets": "positions", "relative_attention_max_distance": "positions",
    "original_max_position_embeddings": "positions",
    "num_labels": "labels",
}  # fmt: skip
"""Fields that decide how much is built, and the limit that holds for each."""
_OTHER_NUMBER = 1_000_000_000_000
"""Any other whole number: token ids, seeds, factors."""
_DROPPED = frozenset(
    "architectures auto_map chunk_size_feed_forward dtype is_decoder is_encoder_decoder output_attentions "
    "output_hidden_states per_layer_config problem_type return_dict torch_dtype transformers_version use_return_dict "
    "sinusoidal_pos_embds conv_kernel_size conv_act pretraining_tp add_cross_attention".split()
)
"""Fields that decide nothing about the weights, or that turn on parts of the code that no common model uses."""
_LEGACY = frozenset("rope_theta rope_scaling partial_rotary_factor num_labels".split())
_DEEPEST, _LONGEST, _TEXT = 6, 8_192, 2_000


def family_of(raw: Mapping[str, Any]) -> Family:
    """The family that the config names; raises NotProbed for one that is not listed."""
    kind = raw.get("model_type")
    if not isinstance(kind, str):
        raise NotProbed("config.json: it names no model_type")
    if kind not in FAMILIES:
        known = "not one of the architectures that are loaded"
        if raw.get("auto_map"):
            known += "; code of the repository is never run"
        raise NotProbed(f"config.json: the model type {quoted(kind)} is {known}")
    if raw.get("quantization_config"):
        raise NotProbed("config.json: the weights are quantised; only whole numbers of 16, 32 or 64 bits are loaded")
    return FAMILIES[kind]


def kind_of(raw: Mapping[str, Any], family: Family) -> str:
    """What the config says that the model is for. Raises NotProbed for what is not probed."""
    named = raw.get("architectures")
    name = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""
    for kind, known in family.classes.items():
        if name == known:
            return kind
    if not name:
        raise NotProbed("config.json: it does not say what the model is for (architectures)")
    raise NotProbed(f"config.json: {quoted(name)} is no classifier, causal language model or embedding model")


def check(raw: Mapping[str, Any], limits: LoadLimits) -> None:
    """Hold every number of a config against its limit, and the whole against a depth and a length."""
    _check(raw, limits, "", 1)
    labels = raw.get("id2label")
    if isinstance(labels, dict) and len(labels) > limits.labels:
        raise NotProbed(f"config.json: {len(labels):,} labels; a probe takes {limits.labels:,} at most")


def _check(value: Any, limits: LoadLimits, key: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise NotProbed("config.json: it is nested too deep")
    if isinstance(value, Mapping | list):
        if len(value) > _LONGEST:
            raise NotProbed(f"config.json: {quoted(key)} has {len(value):,} entries")
        items = value.items() if isinstance(value, Mapping) else ((key, item) for item in value)
        for name, item in items:
            _check(item, limits, str(name), depth + 1)
    elif isinstance(value, str) and len(value) > _TEXT:
        raise NotProbed(f"config.json: {quoted(key)} is a text of {len(value):,} characters")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, limits, key)


def _check_number(value: float, limits: LoadLimits, key: str) -> None:
    bounded = _BOUNDS.get(key)
    most = getattr(limits, bounded) if isinstance(bounded, str) else bounded or _OTHER_NUMBER
    if isinstance(value, float) and not bounded:
        if not isfinite(value):
            raise NotProbed(f"config.json: {quoted(key)} is not a finite number")
        return
    shown = shorten(visible(str(value)), 30) if abs(value) < 1 << 200 else "a number of hundreds of digits"
    if not -_OTHER_NUMBER <= value <= most:
        raise NotProbed(f"config.json: {quoted(key)} is {shown}; a probe takes {most:,} at most")
    if bounded and (value != int(value) or value < -1):
        raise NotProbed(f"config.json: {quoted(key)} is {shown}, not a size")


def accepted(raw: Mapping[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    """What of the config is passed on, for a config class with these fields."""
    return {key: value for key, value in raw.items() if key in (fields | _LEGACY) - _DROPPED}
