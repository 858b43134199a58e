"""Files of one folder that hold the same weights once more: in another format, in several parts, in another precision.

What belongs together shows in the names, as the libraries give them: model.safetensors, pytorch_model.bin,
pytorch_model-00001-of-00002.bin and model.fp16.safetensors are copies of one model. Checkpoints under other names
(step_100.pt, ema.bin) are other weights and are not compared.
"""

import re
from collections.abc import Mapping

import msgspec

from modelscan_plus.core.facts import Facts
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.summaries import TensorNames
from modelscan_plus.rules.tree import Tree, TreeFile

_FORMATS = frozenset(("safetensors", "pickle"))
_ENDING = lazy(r"\.(?:safetensors|bin|pt|pth|ckpt)$", re.I)
_PART = lazy(r"[-_.]\d{3,5}-of-\d{3,5}(?=$|\.)", re.I)
_PRECISION = lazy(r"[-_.](?:fp?16|bf16|fp?32|float(?:16|32)|bfloat16|half)(?=$|\.)", re.I)
_CONSOLIDATED = lazy(r"^consolidated(?:\.00)?$")
_MOST = 400
"""Files of one copy that are looked at; of one with more, not all tensors are known."""


class Copy(msgspec.Struct, frozen=True):
    """The files that together hold the weights once."""

    name: str
    """That of the file, or of the series without the numbers of its parts."""
    files: tuple[TreeFile, ...]
    tensors: Mapping[str, tuple[int, ...]]
    """Shape by name."""
    complete: bool
    """False where some of the tensors are not known."""
    tied: frozenset[str]
    """Tensors that are another one of the copy under a second name."""

    @property
    def foreign(self) -> bool:
        """It is in the form of another library, with names of its own."""
        return self.name.lower().startswith("consolidated")

    @property
    def path(self) -> str:
        """Of the first file."""
        return self.files[0].path


class TensorSample(msgspec.Struct, frozen=True):
    """A tensor that two copies have, and what was read of it."""

    name: str
    numbers: int
    differing: int
    left: float = 0.0
    """The first number that differs, in both."""
    right: float = 0.0


class SampledCopies(Facts, frozen=True):
    """Two copies of the same weights, compared by some of their numbers."""

    left: str
    """Path of the first file of the copy."""
    right: str
    samples: tuple[TensorSample, ...]
    untied: tuple[str, ...]
    """Tensors that only one copy has, and whose numbers are those of no other tensor of it that they may be tied to."""
    tied: tuple[str, ...]
    """Tensors that only one copy has, and whose numbers are those of another one of it."""


def copies(tree: Tree) -> list[list[Copy]]:
    """The copies of the same weights, each list with at least two; safetensors of full precision come first."""
    groups: dict[tuple[str, str], dict[str, list[TreeFile]]] = {}
    for file in tree.files.values():
        if not _ENDING.search(file.name) or names_of(file) is None:
            continue
        series = _PART.sub("", file.name)
        stem = _PRECISION.sub("", _ENDING.sub("", series)).lower().replace("pytorch_", "")
        folder = file.folder
        if _CONSOLIDATED.match(stem):  # the form of Meta and Mistral, beside that of transformers
            stem = "model"
            folder = folder.removesuffix("original").rstrip("/") if folder.split("/")[-1] == "original" else folder
        groups.setdefault((folder, stem), {}).setdefault(series, []).append(file)
    return [
        [_copy(series, files) for series, files in sorted(group.items(), key=_first)]
        for group in groups.values()
        if len(group) > 1
    ]


def names_of(file: TreeFile) -> TensorNames | None:
    """The tensors of a weight file, None where it has none or several sets of them."""
    found = [stated.summary for stated in file.summaries if isinstance(stated.summary, TensorNames)]
    return found[0] if len(found) == 1 and found[0].format in _FORMATS else None


def _first(item: tuple[str, list[TreeFile]]) -> tuple[bool, bool, str]:
    name = item[0]
    return not name.lower().endswith(".safetensors"), _PRECISION.search(name) is not None, name


def _copy(series: str, files: list[TreeFile]) -> Copy:
    tensors: dict[str, tuple[int, ...]] = {}
    tied: set[str] = set()
    complete = len(files) <= _MOST
    for file in files[:_MOST]:
        names = names_of(file)
        if names is not None:
            tensors |= names.tensors
            tied |= set(names.tied)
            complete = complete and names.complete
    return Copy(series, tuple(files[:_MOST]), tensors, complete, frozenset(tied))
