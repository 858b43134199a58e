"""LoRA adapters: what adapter_config.json says, what the tensors are, and the weights that both make of a base.

    W' = W + scale · B · A      A (rank × in), B (out × rank), scale = alpha / rank, with rsLoRA alpha / √rank

Names of tensors are `base_model.model.<module>.lora_A.weight`, `…lora_B.weight`, `…lora_embedding_A` and `_B` for
embeddings; any other tensor is a whole one that takes the place of the base's (`modules_to_save`).

Source: Hu et al., "LoRA" (ICLR 2022); peft's `save_pretrained`, `LoraConfig` and `get_delta_weight`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.weights import Checkpoint, Tensor, open_checkpoint, quoted, read_json

CONFIG, STEM = "adapter_config.json", "adapter_model"
_PREFIX = "base_model.model."
PART = re.compile(r"^(?P<module>.+?)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])(?:\.default)?(?:\.weight)?$")
_SAVED = re.compile(r"\.modules_to_save(?:\.default)?\.")
_MOST_RANK = 4_096
_UNKNOWN = ("use_dora", "lora_bias", "use_qalora", "megatron_config", "layer_replication", "trainable_token_indices")


@dataclass(frozen=True, slots=True)
class Pair:
    """The two factors of one module."""

    module: str
    """Its name in the base model."""
    a: Tensor
    b: Tensor
    embedding: bool
    rank: int
    scale: float


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter on its own, before any base is known."""

    config: Mapping[str, Any]
    checkpoint: Checkpoint
    pairs: Mapping[str, Pair]
    """By module."""
    whole: Mapping[str, Tensor] = field(default_factory=dict)
    """Tensors that replace the base's, by the base's name."""

    @property
    def transposed(self) -> bool:
        """True where weights are stored as (in, out), as in GPT-2."""
        return self.config.get("fan_in_fan_out") is True

    @property
    def task(self) -> str:
        """ "SEQ_CLS", "CAUSAL_LM", "FEATURE_EXTRACTION" or "" for not stated."""
        task = self.config.get("task_type")
        return task if isinstance(task, str) else ""


def is_adapter(files: ModelFiles) -> bool:
    """Whether the folder says that it is an adapter of peft."""
    return CONFIG in files


def open_adapter(files: ModelFiles) -> Adapter:
    """Read it; raises NotProbed for another method than LoRA and for parts that do not fit each other."""
    config = read_json(files, CONFIG)
    kind = config.get("peft_type")
    if kind != "LORA":
        raise NotProbed(f"{CONFIG}: the method {quoted(str(kind))} is not LoRA")
    used = [name for name in _UNKNOWN if config.get(name)]
    if used:
        raise NotProbed(f"{CONFIG}: {used[0]} is not known to the probe")
    checkpoint = open_checkpoint(files, STEM)
    halves: dict[str, dict[str, Tensor]] = {}
    whole: dict[str, Tensor] = {}
    embeddings: set[str] = set()
    for tensor in checkpoint.tensors.values():
        name = bare_name(tensor.name)
        if found := PART.match(name):
            halves.setdefault(found["module"], {})[found["side"]] = tensor
            if found["embedding"]:
                embeddings.add(found["module"])
        elif ".lora_" in name:
            raise NotProbed(f"the adapter's tensor {quoted(name)} is of no known kind")
        else:
            whole[whole_name(name)] = tensor
    pairs = {module: _pair(module, sides, module in embeddings, config) for module, sides in halves.items()}
    return Adapter(config, checkpoint, pairs, whole)


def bare_name(name: str) -> str:
    """A tensor's name without what peft puts before it."""
    return name.removeprefix(_PREFIX)


def whole_name(name: str) -> str:
    """The base's name of a tensor that takes the place of the base's."""
    return _SAVED.sub(".", name)


def _pair(module: str, sides: Mapping[str, Tensor], embedding: bool, config: Mapping[str, Any]) -> Pair:
    if len(sides) != 2:
        raise NotProbed(f"the adapter has only one factor for {quoted(module)}")
    a, b = sides["A"], sides["B"]
    if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1]:
        raise NotProbed(f"the adapter's factors for {quoted(module)} do not fit each other")
    rank = a.shape[0]
    named = stated(config.get("rank_pattern"), module, config.get("r"))
    alpha = stated(config.get("alpha_pattern"), module, config.get("lora_alpha"))
    if named is None or alpha is None:
        raise NotProbed(f"{CONFIG}: rank or alpha is missing or not a number")
    if rank != named or not 0 < rank <= _MOST_RANK:
        raise NotProbed(f"{CONFIG}: it states rank {named} for {quoted(module)}, the tensors have {rank}")
    scale = alpha / (sqrt(rank) if config.get("use_rslora") is True else rank)
    return Pair(module, a, b, embedding, rank, scale)


def stated(patterns: Any, module: str, otherwise: Any) -> Any:
    """What the config states for a module: the first pattern that is its name's end, else the general value.

    peft matches these as regular expressions at the end of the name; only plain names are taken here.
    """
    for key, special in patterns.items() if isinstance(patterns, dict) else ():
        if module == key or module.endswith(f".{key}"):
            return _number(special)
    return _number(otherwise)


def _number(value: Any) -> float | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e6
    return value if fits else None
