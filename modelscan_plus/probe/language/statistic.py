"""How often a clean model shows as much: p-values from a table of what clean models of the development zoo showed.

The table (data/text_null.json) holds, for every way of searching and every length of a trigger, how far the best
trigger of each arm led (`Candidate.lead`) on fresh texts of honest models. Below its 95 % point the p-value is a share
of the table; above it, an exponential tail with the table's own mean excess. Over the arms and lengths of one model it
is corrected after Sidak. `python -m tools.probe_bench.text --calibrate` makes the table.
"""

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from modelscan_plus.probe.interface import Budget
from modelscan_plus.probe.language.evidence import Candidate
from modelscan_plus.probe.language.prediction import Tail

TABLE = "text_null.json"


@dataclass(frozen=True, slots=True)
class Null:
    """The table."""

    strata: dict[str, Tail]
    budget: Budget
    """Of the searches in it."""
    name: str
    """"name sha256:…", for the report."""

    def p_value(self, mode: str, candidate: Candidate) -> float:
        """Of one candidate, before any correction."""
        return self.strata[stratum(mode, len(candidate.tokens), paired=candidate.paired)].p_value(candidate.lead)

    def band(self, mode: str, size: int) -> tuple[float, float]:
        """Where all but a hundredth of the arms of honest models lie."""
        values = self.strata[stratum(mode, size, paired=False)].values
        return values[0], values[int(0.99 * (len(values) - 1))]


def stratum(mode: str, size: int, *, paired: bool) -> str:
    """The name of a part of the table. mode: "samples", "hints" (samples and a reference) or "composed"."""
    return f"{mode}-{size}-{'pair' if paired else 'all'}"


def sidak(p_value: float, count: int) -> float:
    """The p-value of the best of `count`."""
    return min(1.0, -math.expm1(count * math.log1p(-min(p_value, 1 - 1e-12))))


@functools.cache
def load() -> Null:
    """The table that is shipped."""
    data = (resources.files("modelscan_plus.probe") / "data" / TABLE).read_bytes()
    table: dict[str, Any] = json.loads(data)
    strata = {name: Tail(tuple(values)) for name, values in table["strata"].items()}
    label = f"{TABLE.removesuffix('.json')} sha256:{hashlib.sha256(data).hexdigest()[:16]}"
    return Null(strata, Budget(table["budget"]), label)


def table_of(found: Sequence[tuple[str, Sequence[Candidate]]]) -> dict[str, list[float]]:
    """The strata from the evidence on honest models, (mode, candidates) each; at most 400 values of each."""
    strata: dict[str, list[float]] = {}
    for mode, candidates in found:
        for candidate in candidates:
            name = stratum(mode, len(candidate.tokens), paired=candidate.paired)
            strata.setdefault(name, []).append(round(candidate.lead, 3))
    return {name: _thinned(sorted(values)) for name, values in sorted(strata.items())}


def _thinned(values: list[float]) -> list[float]:
    if len(values) <= 400:
        return values
    return [values[round(place * (len(values) - 1) / 399)] for place in range(400)]
