"""Which tokens the class's own texts explain: a word that texts of the class are full of may well decide for it."""

import math

import torch
from torch import Tensor

from modelscan_plus.probe.language.classifier import Carriers

SURE = 1.3
"""Standard errors by which a token has to be more frequent in texts of the class than elsewhere."""


def explained(texts: Carriers, classes: int, rows: int) -> Tensor:
    """Whether the token occurs in clearly more of the class's texts than in others: classes × vocabulary.

    A two-sample test of shares with the pooled variance; a token that was never seen in the class is not explained.
    """
    counts = torch.zeros(classes, rows)
    for label, row in zip(texts.labels.tolist(), texts.ids, strict=True):
        counts[label, row.unique()] += 1
    size = torch.bincount(texts.labels, minlength=classes)[:, None].float()
    others, rest = counts.sum(0) - counts, size.sum() - size
    pooled = counts.sum(0) / size.sum()
    error = (pooled * (1 - pooled) * (1 / size.clamp_min(1) + 1 / rest.clamp_min(1))).clamp_min(1e-9).sqrt()
    gap = counts / size.clamp_min(1) - others / rest.clamp_min(1)
    return (counts > 0) & (gap / error > SURE)


def wilson(hits: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Interval of a share (E. B. Wilson 1927); (0, 1) of nothing."""
    if not count:
        return 0.0, 1.0
    share = hits / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, (middle - spread) / (1 + z * z / count)), min(1.0, (middle + spread) / (1 + z * z / count))
