"""What an operand that woke does to the result: how far it moves it, and whether that still depends on the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelscan_plus.engines.dormancy.ordinary import Array
from modelscan_plus.engines.dormancy.quiet import Sleeper
from modelscan_plus.engines.dormancy.runner import Model
from modelscan_plus.engines.dormancy.search import Trigger

RUNS = 4
_ROWS = 24
"""Rows that an answer rests on, where a run has fewer."""
_VARIES = 0.25
"""Spread of the result without the operand, in spans, from which on it can be said to be lost with it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What waking did to the output that it moved most."""

    moved: float
    """Difference that waking makes, the middle one of all rows, in spans: what ordinary results range over, or what the
    rest of the model makes of the same input, whatever is more."""
    beyond: float
    """How far the result leaves the range of ordinary results, in spans of these."""
    settled: float
    """Part of rows that give the one most frequent decision, less the part of the same rows that do so without it, or
    of ordinary ones, whatever is more; 0 where the result is a single number."""
    fixed: float
    """How much less the result differs from row to row than without it: 1 where nothing is left of the differences, 0
    where there were none."""


def measure(model: Model, sleeper: Sleeper, trigger: Trigger) -> Change | None:
    """The same inputs with the trigger, once as they are and once with the operand held as it sleeps."""
    name = model.analysis.graph.values[sleeper.value].name
    held = model.held(name, sleeper.state)
    usual: list[list[Array]] = []
    awake: list[list[Array]] = []
    asleep: list[list[Array]] = []
    for run in range(20, 20 + max(RUNS, _ROWS // model.rows)):
        feed = model.draw(sleeper.family, run)
        stamped = trigger.stamped(feed)
        try:
            three = (
                model.run(model.outputs, feed),
                model.run(model.outputs, stamped),
                list(held.run(model.outputs, {**stamped, name: sleeper.state})),
            )
        except Exception:  # noqa: S112 - an input that the model does not take
            continue
        for kept, outputs in zip((usual, awake, asleep), three, strict=True):
            kept.append(outputs)
    if len(usual) < 2:
        return None
    found = []
    for place in range(len(model.outputs)):
        change = _of_output(*([one[place] for one in part] for part in (usual, awake, asleep)), missing=trigger.missing)
        if change is not None:
            found.append(change)
    return max(found, key=lambda one: (one.moved, one.settled), default=None)


def _of_output(
    usual: Sequence[Array], awake: Sequence[Array], asleep: Sequence[Array], *, missing: bool
) -> Change | None:
    every = (*usual, *awake, *asleep)
    shape = usual[0].shape
    if any(not isinstance(one, np.ndarray) or one.dtype.kind not in "biuf" or one.shape != shape for one in every):
        return None
    if not usual[0].size:
        return None
    normal, woken, held = (np.stack(part).astype(np.float64) for part in (usual, awake, asleep))
    rows = (len(usual) * shape[0], -1) if len(shape) > 1 else (-1, 1)
    normal, woken, held = (part.reshape(rows) for part in (normal, woken, held))
    span = _spread(normal)
    if not np.isfinite(span) or span <= 0:
        return None  # an output that ordinary inputs do not change
    held = np.where(np.isfinite(held), held, normal)
    if missing:
        woken = np.where(np.isfinite(woken), woken, held)  # no number in, no number out
    woken = np.nan_to_num(woken, nan=np.inf)
    far = np.abs(woken - held).max(1)
    rest = float(np.median(np.abs(held - normal).max(1)))
    beyond = max(float(woken.max() - normal.max()), float(normal.min() - woken.min())) / span
    without = _spread(held)
    fixed = 1 - _spread(woken) / without if without > _VARIES * span else 0.0
    return Change(float(np.median(far)) / max(span, rest), beyond, _settled(normal, woken, held, shape), fixed)


def _spread(rows: Array) -> float:
    """The most that an element differs from row to row."""
    return float(np.max(rows.max(0) - rows.min(0)))


def _settled(normal: Array, woken: Array, held: Array, shape: tuple[int, ...]) -> float:
    if len(shape) < 2 or shape[-1] < 2:
        return 0.0
    before, after, without = (part.reshape(-1, shape[-1]).argmax(1) for part in (normal, woken, held))
    top = int(np.bincount(after).argmax())
    return float((after == top).mean() - max((before == top).mean(), (without == top).mean()))
