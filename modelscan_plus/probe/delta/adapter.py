"""A LoRA adapter's config held against its tensors, with or without the base.

The config says which modules are adapted, with which rank, and which whole tensors come along. The tensors say it too.
Where they differ, somebody edited one of them: peft writes both at once.

Source: peft's `LoraConfig` and `get_peft_model_state_dict`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.delta.compare import Numbers, pairs
from modelscan_plus.probe.delta.numbers import floats, is_float
from modelscan_plus.probe.language import lora
from modelscan_plus.probe.weights import Checkpoint, Tensor, open_checkpoint, quoted, read_json

_HEADS = re.compile(r"(?:^|\.)(?:score|classifier|classification_head|qa_outputs|pre_classifier|pooler)(?:\.|$)")
_TABLES = re.compile(r"(?:^|\.)(?:word_embeddings|embed_tokens|embed_in|wte|shared|lm_head|embed_out)\.weight$")
_MOST_SCALE = 64.0
_MOST_FACTOR = 64 << 20
"""Bytes of one factor that are read."""


@dataclass(slots=True)
class Module:
    """One adapted module."""

    name: str
    rank: int
    scale: float
    moved: float
    """Length of scale · B · A."""
    share: float | None = None
    """That over the length of the base's weight."""


@dataclass(slots=True)
class Examined:
    """An adapter and what does not fit."""

    modules: list[Module] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    signs: list[tuple[str, str]] = field(default_factory=list)
    """What is stated, and what is there instead."""
    tensors: int = 0


def examine(files: Any, base: Checkpoint | None) -> Examined:
    """Look at an adapter's folder. Raises NotProbed for one that cannot be read."""
    config = read_json(files, lora.CONFIG)
    checkpoint = open_checkpoint(files, lora.STEM)
    found = Examined(tensors=len(checkpoint.tensors))
    halves: dict[str, dict[str, Tensor]] = {}
    for tensor in checkpoint.tensors.values():
        name = lora.bare_name(tensor.name)
        part = lora.PART.match(name)
        if part is None:
            found.whole.append(lora.whole_name(name))
        else:
            halves.setdefault(part["module"], {})[part["side"]] = tensor
    places = _places(checkpoint, halves, base)
    for module, sides in halves.items():
        if len(sides) == 2:
            found.modules.append(_module(checkpoint, module, sides, config, found, places.get(module)))
        else:
            found.signs.append(("LoRA has two factors for each module", f"{quoted(module)} has one"))
    _check_targets(config, list(halves), found)
    _check_whole(config, checkpoint, base, found)
    return found


def _places(
    checkpoint: Checkpoint, halves: Mapping[str, object], base: Checkpoint | None
) -> dict[str, tuple[Checkpoint, Tensor]]:
    """The base's weight of each module."""
    if base is None:
        return {}
    named = {f"{module}.weight": checkpoint.tensors[next(iter(checkpoint.tensors))] for module in halves}
    matched = pairs(Checkpoint(checkpoint.files, named, ()), base)[0]
    return {name.removesuffix(".weight"): (base, base.tensors[other]) for name, other in matched.items()}


def _module(
    checkpoint: Checkpoint,
    name: str,
    sides: Mapping[str, Tensor],
    config: Mapping[str, Any],
    found: Examined,
    place: tuple[Checkpoint, Tensor] | None,
) -> Module:
    a, b = sides["A"], sides["B"]
    rank = a.shape[0] if len(a.shape) == 2 else 0
    stated = lora.stated(config.get("rank_pattern"), name, config.get("r"))
    alpha = lora.stated(config.get("alpha_pattern"), name, config.get("lora_alpha"))
    if stated != rank:
        found.signs.append((f"rank {_shown(stated)} (adapter_config.json)", f"rank {rank} in {quoted(name)}"))
    scale = float(alpha) / (sqrt(rank) if config.get("use_rslora") is True else rank) if rank and alpha else 1.0
    if abs(scale) > _MOST_SCALE:
        found.signs.append((f"a scale of {scale:,.3g}", f"usual is 0.5 to {_MOST_SCALE:g}; {quoted(name)} is blown up"))
    moved = _length(checkpoint, a, b) * abs(scale)
    if not np.isfinite(moved):
        found.signs.append(("weights are finite numbers", f"{quoted(name)} has others"))
        moved = 0.0
    return Module(name, rank, scale, moved, _share(moved, place))


def _share(moved: float, place: tuple[Checkpoint, Tensor] | None) -> float | None:
    if place is None or not is_float(place[1].dtype):
        return None
    base, tensor = place
    total = 0.0
    for piece in base.pieces(tensor.name, 1 << 18):
        part = floats(piece, tensor.dtype)
        total += float(np.dot(part, part))
    return moved / sqrt(total) if total > 0 else None


def _shown(value: Any) -> str:
    return shorten(visible(str(value)), 20)


def _length(checkpoint: Checkpoint, a: Tensor, b: Tensor) -> float:
    """Length of B · A, without multiplying them out: the trace of (BᵀB)(AAᵀ)."""
    if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1] or max(a.size, b.size) > _MOST_FACTOR:
        return 0.0
    if not (is_float(a.dtype) and is_float(b.dtype)):
        return 0.0
    first, second = _factor(checkpoint, a), _factor(checkpoint, b)
    with np.errstate(all="ignore"):
        squared = float(np.sum((second.T @ second) * (first @ first.T)))
    return float(np.sqrt(max(squared, 0.0))) if np.isfinite(squared) else float("nan")


def _factor(checkpoint: Checkpoint, tensor: Tensor) -> Numbers:
    return floats(checkpoint.read(tensor.name), tensor.dtype).reshape(tensor.shape).astype(np.float64)


def _check_targets(config: Mapping[str, Any], modules: list[str], found: Examined) -> None:
    targets = config.get("target_modules")
    if isinstance(targets, list):
        names = [name for name in targets if isinstance(name, str)]
        strays = [module for module in modules if not any(_is_target(module, name) for name in names)]
        idle = [name for name in names if not any(_is_target(module, name) for module in modules)]
        if strays:
            there = f"{len(strays):,} other modules are, first {quoted(strays[0])}"
            found.signs.append((f"target_modules name {len(names):,} kinds of modules to be adapted", there))
        if idle:
            found.signs.append((f"{quoted(idle[0])} is adapted (target_modules)", "there is no tensor for it"))


def _is_target(module: str, name: str) -> bool:
    return module == name or module.endswith(f".{name}")


def _check_whole(config: Mapping[str, Any], checkpoint: Checkpoint, base: Checkpoint | None, found: Examined) -> None:
    """Whole tensors that the config does not announce. The head of a classifier is saved without being named, and
    tables of embeddings are where the vocabulary has grown."""
    named = config.get("modules_to_save")
    saved = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    for name in _unannounced(found.whole, saved):
        stated = "modules_to_save name no such part" if saved else "no whole tensors come along (modules_to_save)"
        if _TABLES.search(name) and base is not None and _has_grown(checkpoint, base, name):
            continue
        found.signs.append((stated, f"the adapter replaces {quoted(name)}"))


def _unannounced(whole: list[str], saved: list[str]) -> Iterator[str]:
    for name in whole:
        if not _HEADS.search(name) and not any(f".{part}." in f".{name}" for part in saved):
            yield name


def _has_grown(checkpoint: Checkpoint, base: Checkpoint, name: str) -> bool:
    mine = next((t for t in checkpoint.tensors.values() if lora.whole_name(lora.bare_name(t.name)) == name), None)
    if mine is None:
        return False
    other = pairs(Checkpoint(checkpoint.files, {name: mine}, ()), base)[0].get(name)
    return other is not None and mine.shape[:1] != base.tensors[other].shape[:1]
