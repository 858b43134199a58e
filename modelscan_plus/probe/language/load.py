"""From the open files of a model to a model that can be run, with nothing in between that the files could steer.

config.json is bounded and its architecture must be one of transformers' own (architectures.py); the model is built
without storage first, so that what the config asks for is counted and every tensor's name and shape is compared with
the files before anything is allocated; the tensors are then read one by one. No file is opened, no code of the
repository is run, no pickle is loaded. A LoRA adapter is merged into the base that was given with it (lora.py).
"""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.language import lora, sentence, tokens
from modelscan_plus.probe.language.architectures import (
    CAUSAL_LM,
    EMBEDDING,
    FAMILIES,
    TEXT_CLASSIFIER,
    Family,
    LoadLimits,
    accepted,
    check,
    family_of,
    kind_of,
)
from modelscan_plus.probe.weights import Checkpoint, Tensor, open_checkpoint, quoted, read_json

CONFIG = "config.json"
_TASKS = {"SEQ_CLS": TEXT_CLASSIFIER, "CAUSAL_LM": CAUSAL_LM, "FEATURE_EXTRACTION": EMBEDDING}
_FLOATS = frozenset(("F16", "BF16", "F32", "F64"))
_HEADS = ("score.weight", "classifier.weight", "classifier.out_proj.weight", "classification_head.out_proj.weight")
_POSITIONS = 512
"""Tokens of a text where the config names no limit."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that can be run: `model` in float32 on the CPU, in evaluation mode, without gradients on its weights."""

    model: Any
    """A `transformers.PreTrainedModel`."""
    tokenizer: Any
    """A `transformers.PreTrainedTokenizerFast`; it neither pads nor truncates unless told so."""
    config: Any
    kind: str
    """"text-classifier", "causal-lm" or "embedding"."""
    max_length: int
    """Tokens, special ones included."""
    labels: tuple[str, ...]
    """Names of the classes, out of the file and therefore hostile; () for other kinds."""
    pooling: sentence.Pooling
    """For an embedding model: from the vectors of the tokens to that of the text."""
    chat_template: str
    """Jinja source, "" for none; render it with chat.py only."""
    embedding: str
    """Name of the tensor with the rows of the vocabulary, in the files."""
    unused: tuple[str, ...]
    """Tensors of the files that the model has no place for."""
    parameters: int
    adapter: bool = False
    """True where a LoRA adapter was merged into a base."""


def preload() -> None:
    """Import all that `load` and the models can need, and run small ones, as some parts are loaded at first use."""
    from modelscan_plus.probe.language import warm

    for family in FAMILIES.values():
        importlib.import_module(f"transformers.models.{family.module}.modeling_{family.module}")
    warm.run()


def load(files: ModelFiles, limits: LoadLimits | None = None, base: ModelFiles | None = None) -> LoadedModel:
    """Open a model. `base` is what a LoRA adapter is merged into. Raises NotProbed for all that is refused."""
    limits = limits or LoadLimits()
    adapter = lora.open_adapter(files) if lora.is_adapter(files) else None
    if adapter is not None and base is None:
        raise NotProbed("it is a LoRA adapter, which does nothing without its base; name the base with --reference")
    home = base if adapter is not None and base is not None else files
    layout = sentence.open_layout(home) if sentence.is_sentence_folder(home) else sentence.Layout()
    home = _within(home, layout.prefix)
    raw = read_json(home, CONFIG)
    family = family_of(raw)
    check(raw, limits)
    kind = _kind(raw, family, adapter, sentence_folder=layout.pooling.stated)
    checkpoint = open_checkpoint(home)
    blueprint = _Blueprint(family, kind, _config(raw, family, adapter if kind == TEXT_CLASSIFIER else None), limits)
    matched = _match(blueprint, checkpoint, adapter)
    tokenizer = tokens.open_tokenizer(_tokenizer_files(files, home), _rows(blueprint.empty), limits)
    model = blueprint.build()
    _fill(model, matched)
    if adapter is not None:
        _merge(model, adapter, matched)
    return _finish(model, tokenizer, kind, layout, matched, home, limits, adapter is not None)


def _within(files: ModelFiles, prefix: str) -> ModelFiles:
    if not prefix:
        return files
    inner = {name.removeprefix(prefix): files[name] for name in files if name.startswith(prefix)}
    return ModelFiles(inner, files.label)


def _tokenizer_files(files: ModelFiles, home: ModelFiles) -> ModelFiles:
    """An adapter may bring a tokenizer of its own."""
    return files if tokens.FILE in files else home


def _kind(raw: Mapping[str, Any], family: Family, adapter: lora.Adapter | None, *, sentence_folder: bool) -> str:
    if sentence_folder:
        return EMBEDDING
    kind = _TASKS.get(adapter.task) if adapter is not None else None
    if kind is not None and kind in family.classes:
        return kind
    return kind_of(raw, family)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Whatever a library raises about the file becomes NotProbed. Lack of memory stays what it is."""
    try:
        yield
    except (NotProbed, MemoryError):
        raise
    except Exception as error:
        if "memory" in str(error).lower():
            raise
        first = shorten(visible(" ".join(str(error).split())), 160)
        raise NotProbed(f"{what}: {type(error).__name__}: {first}") from None


def _config(raw: Mapping[str, Any], family: Family, classifier: lora.Adapter | None) -> Any:
    import transformers

    module = importlib.import_module(f"transformers.models.{family.module}.configuration_{family.module}")
    config_class = getattr(module, family.config)
    known = frozenset(field.name for field in fields(config_class)) | frozenset(config_class.attribute_map)
    settings = accepted(raw, known)
    heads = [t for name, t in (classifier.whole if classifier else {}).items() if name.endswith(_HEADS)]
    if heads and heads[0].shape:
        settings["num_labels"] = heads[0].shape[0]
        if len(settings.get("id2label") or ()) != heads[0].shape[0]:
            settings.pop("id2label", None)
            settings.pop("label2id", None)
    with _refusing("config.json: transformers refuses it"):
        config: transformers.PreTrainedConfig = config_class(**settings)
        return config


class _Blueprint:
    """How to build the model, and the model without storage."""

    def __init__(self, family: Family, kind: str, config: Any, limits: LoadLimits) -> None:
        import torch

        module = importlib.import_module(f"transformers.models.{family.module}.modeling_{family.module}")
        self._class: Callable[..., Any] = getattr(module, family.classes[kind])
        self._config = config
        self._options = {}
        if kind == EMBEDDING and "add_pooling_layer" in inspect.signature(self._class).parameters:
            self._options["add_pooling_layer"] = False  # the pooler's output is not the text's vector
        config._attn_implementation = "sdpa" if getattr(self._class, "_supports_sdpa", False) else "eager"
        with torch.device("meta"):
            self.empty = self.build()
        size = sum(tensor.numel() for tensor in (*self.empty.parameters(), *self.empty.buffers()))
        if size > limits.parameters:
            raise NotProbed(
                f"config.json: a model of {size:,} parameters and constants; a probe takes {limits.parameters:,}"
            )

    def build(self) -> Any:
        """The model without initial values. Constants that the code computes have theirs."""
        from transformers.initialization import no_init_weights

        with _refusing("config.json: the model cannot be built from it"), no_init_weights():
            return self._class(self._config, **self._options)


@dataclass(frozen=True, slots=True)
class _Matched:
    """Which tensor of the files each parameter is."""

    by_parameter: Mapping[str, tuple[Checkpoint, Tensor]]
    missing: frozenset[str]
    """Parameters that are tied to one that is there."""
    unused: tuple[str, ...]

    def name_in_file(self, parameter: str) -> str:
        """The name of the tensor, "" where the files have none."""
        found = self.by_parameter.get(parameter)
        return found[1].name if found else ""


def _match(blueprint: _Blueprint, checkpoint: Checkpoint, adapter: lora.Adapter | None) -> _Matched:
    empty = blueprint.empty
    whole = dict(adapter.whole) if adapter is not None else {}
    found: dict[str, tuple[Checkpoint, Tensor]] = {}
    used: set[str] = set()
    find = _finder(empty.base_model_prefix, checkpoint.tensors)
    for name, parameter in empty.named_parameters(remove_duplicate=False):
        if adapter is not None and name in whole:
            tensor, origin = whole.pop(name), adapter.checkpoint
        else:
            stored = find(name)
            if stored is None:
                continue
            tensor, origin = stored, checkpoint
            used.add(tensor.name)
        if tuple(parameter.shape) != tensor.shape:
            shape = " × ".join(map(str, parameter.shape)) or "one number"
            there = " × ".join(map(str, tensor.shape)) or "one number"
            raise NotProbed(f"the tensor {quoted(tensor.name)} is {there}; by config.json it should be {shape}")
        if tensor.dtype not in _FLOATS:
            raise NotProbed(f"the tensor {quoted(tensor.name)} holds {tensor.dtype}, which is not loaded")
        found[name] = (origin, tensor)
    missing = _missing(empty, frozenset(found))
    if whole:
        raise NotProbed(f"the adapter's tensor {quoted(next(iter(whole)))} has no place in the base")
    return _Matched(found, missing, tuple(name for name in checkpoint.tensors if name not in used))


def _finder(prefix: str, tensors: Mapping[str, Tensor]) -> Callable[[str], Tensor | None]:
    """Looks a parameter up by its name, by that with or without the prefix of the bare model, and by old names."""
    bare = not any(name.startswith(f"{prefix}.") for name in tensors)

    def find(name: str) -> Tensor | None:
        wanted = name.removeprefix(f"{prefix}.") if bare and name.startswith(f"{prefix}.") else name
        old = wanted.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        for candidate in (wanted, f"{prefix}.{wanted}", old, f"{prefix}.{old}"):
            if candidate in tensors:
                return tensors[candidate]
        return None

    return find


def _missing(empty: Any, found: frozenset[str]) -> frozenset[str]:
    """The parameters that the files lack; raises NotProbed unless each is tied to one that is there."""
    groups: dict[str, set[str]] = {}
    for target, source in empty.all_tied_weights_keys.items():
        group = groups.setdefault(source, {source})
        group.add(target)
        groups[target] = group
    missing = frozenset(name for name, _ in empty.named_parameters(remove_duplicate=False)) - found
    lacking = sorted(name for name in missing if not groups.get(name, set()) & found)
    if lacking:
        more = f" and {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
        raise NotProbed(f"the files lack the tensor {quoted(lacking[0])}{more}")
    return missing


def _rows(empty: Any) -> int:
    return int(empty.get_input_embeddings().weight.shape[0])


def _fill(model: Any, matched: _Matched) -> None:
    import torch

    parameters = dict(model.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for name, (checkpoint, tensor) in matched.by_parameter.items():
            value = read_tensor(checkpoint, tensor)
            if not bool(torch.isfinite(value).all()):
                raise NotProbed(f"the tensor {quoted(tensor.name)} holds values that are not finite")
            parameters[name].copy_(value)
    with _refusing("tied weights"):
        model.tie_weights(missing_keys=set(matched.missing), recompute_mapping=False)


def read_tensor(checkpoint: Checkpoint, tensor: Tensor) -> Any:
    """A tensor of floating-point numbers as float32."""
    import torch

    kinds = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64}
    if tensor.dtype not in kinds:
        raise NotProbed(f"the tensor {quoted(tensor.name)} holds {tensor.dtype}, which is not loaded")
    if not tensor.size:
        return torch.empty(tensor.shape)
    data = bytearray(checkpoint.read(tensor.name))
    return torch.frombuffer(data, dtype=kinds[tensor.dtype]).reshape(tensor.shape).to(torch.float32)


def _merge(model: Any, adapter: lora.Adapter, matched: _Matched) -> None:
    import torch

    parameters = dict(model.named_parameters(remove_duplicate=False))
    del matched
    with torch.no_grad():
        for pair in adapter.pairs.values():
            weight = parameters.get(f"{pair.module}.weight")
            if weight is None:
                raise NotProbed(f"the adapter changes {quoted(pair.module)}, which the base does not have")
            delta = read_tensor(adapter.checkpoint, pair.b) @ read_tensor(adapter.checkpoint, pair.a) * pair.scale
            delta = delta.T if adapter.transposed or pair.embedding else delta
            if delta.shape != weight.shape or not bool(torch.isfinite(delta).all()):
                raise NotProbed(f"the adapter's factors do not fit {quoted(pair.module)} of the base")
            weight.add_(delta)


def _finish(
    model: Any,
    tokenizer: Any,
    kind: str,
    layout: sentence.Layout,
    matched: _Matched,
    home: ModelFiles,
    limits: LoadLimits,
    merged: bool,
) -> LoadedModel:
    model.eval().requires_grad_(requires_grad=False)
    config = model.config
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is not None:
        tokenizer.pad_token = tokenizer.eos_token
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id
    rows = model.get_input_embeddings().weight
    names = [name for name, parameter in model.named_parameters(remove_duplicate=False) if parameter is rows]
    labels = dict(config.id2label or {}) if kind == TEXT_CLASSIFIER else {}
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        config=config,
        kind=kind,
        max_length=_max_length(config, home, layout),
        labels=tuple(str(labels.get(number, number)) for number in range(config.num_labels)) if labels else (),
        pooling=layout.pooling,
        chat_template=tokens.chat_template(home, limits) if kind == CAUSAL_LM else "",
        embedding=next(filter(None, map(matched.name_in_file, names)), ""),
        unused=matched.unused,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        adapter=merged,
    )


def _max_length(config: Any, home: ModelFiles, layout: sentence.Layout) -> int:
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    known = [positions if isinstance(positions, int) else _POSITIONS]
    if config.model_type in ("roberta", "xlm-roberta", "mpnet"):
        known[0] -= 2  # positions are counted from behind the padding's index
    settings = read_json(home, tokens.SETTINGS, 16 << 20) if tokens.SETTINGS in home else {}
    known += [
        length
        for length in (settings.get("model_max_length"), layout.max_length)
        if isinstance(length, int) and length > 0
    ]
    length = min(known)
    if length < 8:
        raise NotProbed(f"config.json: a model for texts of {length} tokens")
    return length
