"""What clean models look like, as it was measured: the tables that p-values rest on.

modelscan_plus/probe/data/inversion.json is written by tools/probe_calibrate.py from zoos that are trained for it
(`make calibrate-probe`). One entry holds the null of one routine at one budget on one kind of model, pooled over many
tasks: a null of one task tells how the next model of that task behaves, not the next task. The entry says which numbers
of classes and sizes of input it covers; outside the null is widened, and far outside there is no verdict.
"""

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from modelscan_plus.probe.interface import Budget
from modelscan_plus.probe.inversion.statistic import Null, Prior

TABLE = "inversion.json"
PAIR_KINDS = ("cell", "map")
NEAR, FAR = math.log(1.3), math.log(4)
"""Distances, as logarithms of a ratio of classes or of inputs' sides: up to NEAR outside what an entry covers it is
used as it is, beyond FAR not at all."""
_WIDER = 1.0
"""Added to the spread of the null at the distance FAR."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides which null a model is held against."""

    kind: str
    """"image", "image-conv" for networks with convolutions, or "tabular"."""
    classes: int
    side: float
    """Square root of the number of pixels, or the number of columns."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table."""

    routine: str
    budget: Budget
    kind: str
    classes: tuple[int, int]
    """Least and most."""
    side: tuple[float, float]
    models: int
    """Clean models that were measured."""
    zoos: int
    prior: Prior


@dataclass(frozen=True, slots=True)
class Chosen:
    """The prior for a model, and how it was come by."""

    prior: Prior
    note: str
    """"" where an entry fits as it is."""
    shorter: bool = False
    """Its models were searched at a smaller budget than this one, so nothing may be flagged by it."""


@dataclass(frozen=True, slots=True)
class Nulls:
    """Spread of the statistics of pairs on clean models."""

    each: dict[str, Null]
    note: str
    shorter: bool


@functools.cache
def _read() -> tuple[str, tuple[Entry, ...]]:
    try:
        data = resources.files("modelscan_plus.probe.data").joinpath(TABLE).read_bytes()
    except (FileNotFoundError, ModuleNotFoundError):
        return "", ()
    entries = tuple(_entry(row) for row in json.loads(data)["entries"])
    return f"{TABLE} sha256:{hashlib.sha256(data).hexdigest()}", entries


def _entry(row: Mapping[str, Any]) -> Entry:
    null = Null(tuple(row["body"]), row["excess"], row["count"])
    return Entry(
        row["routine"],
        Budget(row["budget"]),
        row["kind"],
        (row["classes"][0], row["classes"][1]),
        (row["side"][0], row["side"][1]),
        row["models"],
        row["zoos"],
        Prior(row["variance"], row["weight"], null),
    )


def preload() -> None:
    """Read the table while files can be opened."""
    _read()


def name() -> str:
    """Name and digest of the table, for reports."""
    return _read()[0]


def prior(routine: str, budget: Budget, shape: Shape) -> Chosen | None:
    """The prior for a routine on a model; None where nothing near it was calibrated. The budget "deep" has no
    entries and is held against those of "standard"."""
    wanted = Budget.STANDARD if budget is Budget.DEEP else budget
    found = choose([entry for entry in _read()[1] if entry.routine == routine and entry.budget is wanted], shape)
    return found and dataclasses.replace(found, shorter=budget.exceeds(wanted))


def choose(entries: list[Entry], shape: Shape) -> Chosen | None:
    """The nearest entry, with a null that is the wider the farther it lies."""
    near = sorted(((_distance(entry, shape), place) for place, entry in enumerate(entries) if entry.kind == shape.kind))
    if not near or near[0][0] > FAR:
        return None
    distance, found = near[0][0], entries[near[0][1]]
    if distance <= NEAR or found.prior.null is None:
        return Chosen(found.prior, "")
    wider = 1 + _WIDER * (distance - NEAR) / (FAR - NEAR)
    note = (
        f"no calibration model has {shape.classes} classes and inputs of {shape.side:.0f}: "
        f"the null of {found.classes[0]} to {found.classes[1]} classes and {found.side[0]:.0f} to {found.side[1]:.0f} "
        f"was widened by {wider - 1:.0%}"
    )
    null = dataclasses.replace(found.prior.null, wider=wider)
    return Chosen(Prior(found.prior.variance * wider**2, found.prior.weight, null), note)


def pair_nulls(routine: str, budget: Budget, shape: Shape) -> Nulls | None:
    """As `prior`, for the statistics of pairs."""
    each: dict[str, Null] = {}
    note, shorter = "", False
    for kind in PAIR_KINDS:
        found = prior(f"{routine}/{kind}", budget, shape)
        if found is None or found.prior.null is None:
            return None
        each[kind] = found.prior.null
        note, shorter = note or found.note, found.shorter
    return Nulls(each, note, shorter)


def _distance(entry: Entry, shape: Shape) -> float:
    outside = 0.0
    for value, (least, most) in ((float(shape.classes), entry.classes), (shape.side, entry.side)):
        outside = max(outside, math.log(least / value), math.log(value / most))
    return outside
