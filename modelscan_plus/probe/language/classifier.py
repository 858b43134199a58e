"""A text classifier as the searches see it: tokens in, logits out, and slopes on the embeddings of chosen places.

A trigger is a row of token ids that is put between two tokens of a text; so what is searched is what the model sees,
whatever a tokenizer would make of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from modelscan_plus.probe.language.network import Network


class Classifier(Network):
    """A loaded model that gives `.logits` of N × classes."""

    def __init__(self, model: Any, pad: int, classes: int, device: str = "cpu") -> None:
        super().__init__(model, pad, device)
        self.classes = classes

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits, N × classes."""
        found: Tensor = self.model(input_ids=ids, attention_mask=mask).logits
        return found

    def logits(self, ids: Tensor) -> Tensor:
        """N × classes of texts N × T."""
        return self.outputs(ids) if len(ids) else torch.empty(0, self.classes)

    def slopes(self, ids: Tensor, places: Tensor, target: int) -> Tensor:
        """How the target's margin over the next best class grows with the embeddings at `places` (N × k): N × k ×
        width."""
        return self.slopes_of(lambda found: margins(found)[:, target].clamp_max(_ENOUGH).sum(), ids, places)


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
