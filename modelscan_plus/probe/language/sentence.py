"""Folders of sentence-transformers: `modules.json` names what comes behind the transformer.

    modules.json                  [{"path": "", "type": "….Transformer"}, {"path": "1_Pooling", "type": …}, …]
    sentence_bert_config.json     {"max_seq_length": 256}
    1_Pooling/config.json         {"pooling_mode_mean_tokens": true, …}

Source: sentence-transformers' `SentenceTransformer.save` and its `models` package.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.weights import quoted, read_json

if TYPE_CHECKING:
    import torch

MODULES = "modules.json"
_MODES = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean", "pooling_mode_max_tokens": "max"}
_OTHER_MODES = ("pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken")


@dataclass(frozen=True, slots=True)
class Pooling:
    """How the vectors of the tokens become one of the text."""

    mode: str = "mean"
    """"mean", "cls" or "max"."""
    normalise: bool = False
    stated: bool = False
    """False where nothing says so, and the mean is an assumption."""

    def __call__(self, hidden: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
        """`hidden` is (texts, tokens, width), `mask` (texts, tokens) of 0 and 1; gives (texts, width)."""
        import torch

        weights = mask.unsqueeze(-1).to(hidden.dtype)
        if self.mode == "cls":
            pooled = hidden[:, 0]
        elif self.mode == "max":
            pooled = hidden.masked_fill(weights == 0, float("-inf")).amax(1)
        else:
            pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(pooled, dim=-1) if self.normalise else pooled


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the transformer lies, and what comes behind it."""

    prefix: str = ""
    """Folder of the transformer with a "/" at its end, or ""."""
    pooling: Pooling = Pooling()
    max_length: int = 0
    """0 where nothing is said."""


def is_sentence_folder(files: ModelFiles) -> bool:
    """Whether the folder says that it is one of sentence-transformers."""
    return MODULES in files


def open_layout(files: ModelFiles) -> Layout:
    """Read the parts; raises NotProbed for a part that is not known, as it would change the result."""
    listed = _modules(files)
    prefix, pooling, normalise = None, None, False
    for module in listed:
        path = module.get("path", "")
        name = str(module.get("type", "")).rpartition(".")[2]
        if not isinstance(path, str):
            raise NotProbed(f"{MODULES}: a part without a path")
        if name == "Transformer" and prefix is None:
            prefix = f"{path}/" if path else ""
        elif name == "Pooling" and pooling is None:
            pooling = _mode(read_json(files, f"{path}/config.json"))
        elif name == "Normalize":
            normalise = True
        elif name != "Dropout":
            raise NotProbed(f"{MODULES}: the part {quoted(name)} is not known")
    if prefix is None or pooling is None:
        raise NotProbed(f"{MODULES}: it names no transformer with a pooling behind it")
    settings = f"{prefix}sentence_bert_config.json"
    length = read_json(files, settings).get("max_seq_length") if settings in files else None
    return Layout(prefix, Pooling(pooling, normalise, stated=True), length if isinstance(length, int) else 0)


def _modules(files: ModelFiles) -> list[dict[str, Any]]:
    try:
        listed = json.loads(files.read(MODULES, 1 << 16))
    except (ValueError, RecursionError):
        raise NotProbed(f"{MODULES}: it is not valid JSON, or too large") from None
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise NotProbed(f"{MODULES}: it is not a list of parts")
    return listed


def _mode(config: Mapping[str, Any]) -> str:
    named = config.get("pooling_mode")
    if isinstance(named, str):
        if named not in _MODES.values():
            raise NotProbed(f"the pooling {quoted(named)} is not known")
        return named
    modes = [mode for key, mode in _MODES.items() if config.get(key) is True]
    if len(modes) != 1 or any(config.get(key) is True for key in _OTHER_MODES):
        raise NotProbed("the pooling is not just one of mean, first token and maximum")
    return modes[0]
