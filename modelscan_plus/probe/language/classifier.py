"""A text classifier as the searches see it: tokens in, logits out, and slopes on the embeddings of chosen places.

Texts are rows of token ids, padded at the end. A trigger is a row of token ids that is put between two tokens of a
text; so what is searched is what the model sees, whatever a tokenizer would make of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

_TOKENS = 1 << 13
"""Tokens of one forward pass; more at once does not gain on a processor and takes memory."""


@dataclass(slots=True)
class Classifier:
    """A loaded model with a count of the work done. All tensors are on `device`."""

    model: Any
    """A transformers.PreTrainedModel in evaluation mode, that gives `.logits` of N × classes."""
    pad: int
    classes: int
    device: str = "cpu"
    steps: int = 0
    """Forward passes of one text; one with a backward pass counts three."""
    _shift: Tensor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.model.get_input_embeddings().register_forward_hook(self._shifted)

    def _shifted(self, _module: Any, _inputs: Any, output: Tensor) -> Tensor | None:
        return None if self._shift is None else output + self._shift

    @property
    def rows(self) -> Tensor:
        """The embedding matrix, vocabulary × width."""
        weight: Tensor = self.model.get_input_embeddings().weight
        return weight.detach()

    def logits(self, ids: Tensor) -> Tensor:
        """N × classes of texts N × T."""
        if not len(ids):
            return torch.empty(0, self.classes)
        size = max(1, _TOKENS // ids.shape[1])
        with torch.no_grad():
            parts = [self._forward(part) for part in torch.split(ids, size)]
        self.steps += len(ids)
        return torch.cat(parts)

    def _forward(self, ids: Tensor) -> Tensor:
        ids = ids.to(self.device)
        found: Tensor = self.model(input_ids=ids, attention_mask=(ids != self.pad).long()).logits
        return found.float().cpu()

    def slopes(self, ids: Tensor, places: Tensor, target: int) -> Tensor:
        """How the target's margin over the next best class grows with the embeddings at `places` (N × k): N × k ×
        width."""
        found = []
        size = max(1, _TOKENS // ids.shape[1])
        for part, at in zip(torch.split(ids, size), torch.split(places, size), strict=True):
            width = self.rows.shape[1]
            self._shift = torch.zeros(*part.shape, width, device=self.device, requires_grad=True)
            try:
                with torch.enable_grad():
                    gain = margins(self._forward(part))[:, target].clamp_max(_ENOUGH).sum()
                    (slope,) = torch.autograd.grad(gain, self._shift)
            finally:
                self._shift = None
            found.append(slope.cpu().gather(1, at[:, :, None].expand(-1, -1, width)))
        self.steps += 3 * len(ids)
        return torch.cat(found)


_ENOUGH = 12.0
"""Logits; texts that are turned by more than this need no further pull."""


def margins(logits: Tensor) -> Tensor:
    """Each class's logit less the best of the others: … × classes."""
    top = logits.topk(2, dim=-1)
    best, second = top.values[..., :1], top.values[..., 1:]
    return logits - torch.where(torch.arange(logits.shape[-1]) == top.indices[..., :1], second, best)


@dataclass(frozen=True, slots=True)
class Carriers:
    """Texts into which triggers are put: ids N × T, the place of the trigger in each, and the class each is in."""

    ids: Tensor
    places: Tensor
    labels: Tensor
    margins: Tensor
    """Of the own class over the next best one, in logits."""

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, chosen: Tensor) -> "Carriers":
        """Some of them, by mask or by numbers."""
        return Carriers(self.ids[chosen], self.places[chosen], self.labels[chosen], self.margins[chosen])

    def of(self, classes: Sequence[int]) -> "Carriers":
        """Those in these classes."""
        return self.where(torch.isin(self.labels, torch.tensor(list(classes), dtype=torch.long)))

    def with_triggers(self, triggers: Tensor) -> tuple[Tensor, Tensor]:
        """Every trigger (M × k) in every carrier: ids M·N × (T + k), the triggers' places M·N × k."""
        count, size = triggers.shape
        texts, length = self.ids.shape
        into = torch.arange(length)[None].repeat(texts, 1)
        into = into + size * (into >= self.places[:, None])
        gapped = torch.zeros(texts, length + size, dtype=torch.long).scatter(1, into, self.ids)
        places = self.places[:, None] + torch.arange(size)[None]
        ids = gapped[None].repeat(count, 1, 1)
        ids.scatter_(2, places[None].expand(count, -1, -1), triggers[:, None].expand(-1, texts, -1))
        return ids.flatten(0, 1), places.repeat(count, 1)


def stamped(classifier: Classifier, carriers: Carriers, triggers: Tensor) -> Tensor:
    """Margins M × N × classes of every trigger (M × k) in every carrier."""
    ids, _ = carriers.with_triggers(triggers)
    return margins(classifier.logits(ids)).view(len(triggers), len(carriers), -1)
