"""From what honest models showed to how often another honest model would show as much.

`Prediction` is Student's t and wants values that are about normal; source of its approximation by the normal
distribution: D. L. Wallace, Annals of Mathematical Statistics 30 (1959). `Tail` wants nothing below its edge and
continues above it as an exponential distribution: for values most of which are near nothing, and a few far off.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Prediction:
    """A sample of honest models in three numbers."""

    mean: float
    spread: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Prediction":
        """From two values or more that are not all equal."""
        mean = sum(values) / len(values)
        return cls(mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1)), len(values))

    def p_value(self, value: float) -> float:
        """How often an honest model shows as much or more."""
        free = self.count - 1
        off = (value - self.mean) / (self.spread * math.sqrt(1 + 1 / self.count))
        normal = (8 * free + 1) / (8 * free + 3) * math.sqrt(free * math.log1p(off * off / free))
        return max(_LEAST, NormalDist().cdf(-math.copysign(normal, off)))

    def at(self, p_value: float) -> float:
        """The value that honest models exceed so often (less than half)."""
        free = self.count - 1
        normal = NormalDist().inv_cdf(1 - p_value) * (8 * free + 3) / (8 * free + 1)
        off = math.sqrt(free * math.expm1(normal * normal / free))
        return self.mean + self.spread * math.sqrt(1 + 1 / self.count) * off


@dataclass(frozen=True, slots=True)
class Tail:
    """A sample of honest models, ascending."""

    values: tuple[float, ...]
    edge: float = 0.95
    """Share of the sample where the exponential tail begins."""
    least: float = 1e-4
    """Below this nothing is claimed: the tail is drawn from some hundred models at most."""

    @property
    def _begin(self) -> float:
        return self.values[int(self.edge * (len(self.values) - 1))]

    @property
    def _excess(self) -> float:
        beyond = [value - self._begin for value in self.values if value > self._begin]
        return max(0.02, sum(beyond) / max(1, len(beyond)))

    def p_value(self, value: float) -> float:
        """How often an honest model shows as much or more."""
        if value <= self._begin:
            count = len(self.values)
            return (count - bisect.bisect_left(self.values, value) + 1) / (count + 1)
        return max(self.least, (1 - self.edge) * math.exp((self._begin - value) / self._excess))

    def at(self, p_value: float) -> float:
        """The value in the tail that honest models exceed so often."""
        return self._begin + self._excess * math.log((1 - self.edge) / p_value)
