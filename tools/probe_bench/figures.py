"""The figures that the benchmarks of the probes share, each with its 95 % interval."""

import random
from collections.abc import Sequence

from modelscan_plus.probe.language.natural import wilson

__all__ = ["auc", "interval", "ranked", "share", "wilson"]


def auc(planted: Sequence[float], honest: Sequence[float]) -> float:
    """Area under the ROC curve: the share of pairs in the right order, a tie counts half; 0.5 of nothing."""
    if not planted or not honest:
        return 0.5
    wins = sum((one > other) + 0.5 * (one == other) for one in planted for other in honest)
    return wins / (len(planted) * len(honest))


def interval(planted: Sequence[float], honest: Sequence[float], rounds: int = 1000) -> tuple[float, float]:
    """Of `auc`, over resampled models (percentile bootstrap); (0, 1) of nothing."""
    if not planted or not honest:
        return 0.0, 1.0
    source = random.Random(0)
    drawn = sorted(
        auc(source.choices(planted, k=len(planted)), source.choices(honest, k=len(honest))) for _ in range(rounds)
    )
    return drawn[int(0.025 * rounds)], drawn[int(0.975 * rounds) - 1]


def ranked(planted: Sequence[float], honest: Sequence[float]) -> str:
    """For people: "AUC 0.938 (0.882 to 0.981)"."""
    low, high = interval(planted, honest)
    return f"AUC {auc(planted, honest):.3f} ({low:.3f} to {high:.3f})"


def share(hits: int, count: int) -> str:
    """For people: "3 of 20 (0.052 to 0.360)", the interval by Wilson."""
    low, high = wilson(hits, count)
    return f"{hits} of {count} ({low:.3f} to {high:.3f})"
