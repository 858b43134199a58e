"""What clean models look like, as it was measured: the tables that p-values rest on.

modelscan_plus/probe/data/inversion.json is written by tools/probe_calibrate.py from zoos that are trained for it
(`make calibrate-probe`). One entry holds the prior of one routine at one budget on one group of models: their kind,
number of classes and size of input. A model is judged by the entry that is nearest to it; far from all of them the
null is widened, and very far there is no verdict.
"""

import functools
import hashlib
import json
import math
from dataclasses import dataclass
from importlib import resources

from modelscan_plus.probe.interface import Budget
from modelscan_plus.probe.inversion.statistic import Prior

TABLE = "inversion.json"
PAIR_KINDS = ("cell", "column", "map")
NEAR, FAR = math.log(1.6), math.log(4.5)
"""Distances, as logarithms of a ratio of classes or of inputs' sides: up to NEAR an entry is used as it is, beyond FAR
not at all."""
_WIDER = 0.5
"""Added to the spread of the null at the distance FAR."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a group of models has in common."""

    kind: str
    """"image" or "tabular"."""
    classes: int
    side: float
    """Square root of the number of pixels, or the number of columns."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table."""

    routine: str
    budget: Budget
    shape: Shape
    models: int
    """Clean models that were measured."""
    prior: Prior


@dataclass(frozen=True, slots=True)
class Chosen:
    """The prior for a model, and how it was come by."""

    prior: Prior
    note: str
    """"" where an entry fits as it is."""


@dataclass(frozen=True, slots=True)
class Nulls:
    """Mean and spread of the statistics of pairs on clean models."""

    spreads: dict[str, tuple[float, float]]
    note: str


@functools.cache
def _read() -> tuple[str, tuple[Entry, ...]]:
    try:
        data = resources.files("modelscan_plus.probe.data").joinpath(TABLE).read_bytes()
    except (FileNotFoundError, ModuleNotFoundError):
        return "", ()
    rows = json.loads(data)["entries"]
    entries = tuple(
        Entry(
            row["routine"],
            Budget(row["budget"]),
            Shape(row["kind"], row["classes"], row["side"]),
            row["models"],
            Prior(row["variance"], row["weight"], row["shift"], row["scale"]),
        )
        for row in rows
    )
    return f"{TABLE} sha256:{hashlib.sha256(data).hexdigest()}", entries


def preload() -> None:
    """Read the table while files can be opened."""
    _read()


def name() -> str:
    """Name and digest of the table, for reports."""
    return _read()[0]


def prior(routine: str, budget: Budget, shape: Shape) -> Chosen | None:
    """The prior for a routine on a model; None where nothing near it was calibrated. The budget "deep" is judged by
    the entries of "standard": more steps only make costs steadier."""
    wanted = Budget.STANDARD if budget is Budget.DEEP else budget
    return choose([entry for entry in _read()[1] if entry.routine == routine and entry.budget is wanted], shape)


def choose(entries: list[Entry], shape: Shape) -> Chosen | None:
    """The nearest entry, with a null that is the wider the farther it lies. Of entries that are equally near the
    widest counts."""
    near = sorted(
        (round(_distance(e.shape, shape), 3), -e.prior.variance, e.shape.classes, e)
        for e in entries
        if e.shape.kind == shape.kind
    )
    if not near or near[0][0] > FAR:
        return None
    distance, entry = near[0][0], near[0][3]
    if distance <= NEAR:
        return Chosen(entry.prior, "")
    wider = 1 + _WIDER * (distance - NEAR) / (FAR - NEAR)
    found = entry.prior
    note = (
        f"no calibration model has {shape.classes} classes and inputs of {shape.side:.0f}: "
        f"the null of {entry.shape.classes} classes and {entry.shape.side:.0f} was widened by {wider - 1:.0%}"
    )
    return Chosen(Prior(found.variance * wider**2, found.weight, found.shift, found.scale * wider), note)


def pair_nulls(routine: str, budget: Budget, shape: Shape) -> Nulls | None:
    """As `prior`, for the statistics of pairs."""
    spreads: dict[str, tuple[float, float]] = {}
    note = ""
    for kind in PAIR_KINDS:
        found = prior(f"{routine}/{kind}", budget, shape)
        if found is None:
            return None
        spreads[kind] = (found.prior.shift, found.prior.scale)
        note = note or found.note
    return Nulls(spreads, note)


def _distance(one: Shape, other: Shape) -> float:
    return max(abs(math.log(one.classes / other.classes)), abs(math.log(one.side / other.side)))
