"""What an operand that woke does to the result: how far it moves it, and whether that still depends on the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelscan_plus.engines.dormancy.ordinary import Array
from modelscan_plus.engines.dormancy.quiet import Sleeper
from modelscan_plus.engines.dormancy.runner import Model
from modelscan_plus.engines.dormancy.search import Trigger

RUNS = 4


@dataclass(frozen=True, slots=True)
class Change:
    """What waking did to the output that it moved most."""

    moved: float
    """Largest difference that waking makes, in spans of the ordinary result."""
    beyond: float
    """How far the result leaves the range of ordinary results, in spans."""
    left: float
    """Spread over different inputs that is left, of the ordinary one."""
    share: float
    """Part of rows whose result is moved by more than a tenth of the span."""
    settled: float
    """Part of rows that give the one most frequent decision, while the same rows without it seldom do."""


def measure(model: Model, sleeper: Sleeper, trigger: Trigger) -> Change | None:
    """The same inputs with the trigger, once as they are and once with the operand held as it sleeps."""
    name = model.analysis.graph.values[sleeper.value].name
    held = model.held(name, sleeper.state)
    usual: list[list[Array]] = []
    awake: list[list[Array]] = []
    asleep: list[list[Array]] = []
    for run in range(20, 20 + RUNS):
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
        change = _of_output(*([one[place] for one in part] for part in (usual, awake, asleep)))
        if change is not None:
            found.append(change)
    return max(found, key=lambda one: (one.moved, one.share), default=None)


def _of_output(usual: Sequence[Array], awake: Sequence[Array], asleep: Sequence[Array]) -> Change | None:
    if any(not isinstance(one, np.ndarray) or one.dtype.kind not in "biuf" for one in (*usual, *awake, *asleep)):
        return None
    shape = usual[0].shape
    if not usual[0].size or any(one.shape != shape for one in (*usual, *awake, *asleep)):
        return None
    normal, woken, held = (np.stack([np.asarray(o, np.float64) for o in part]) for part in (usual, awake, asleep))
    rows = (-1, *shape[1:]) if len(shape) > 1 else (-1, 1)
    normal, woken, held = (part.reshape(rows).reshape(-1, int(np.prod(rows[1:]))) for part in (normal, woken, held))
    low, high = np.nanmin(normal, 0), np.nanmax(normal, 0)
    span = float(np.nanmax(high - low))
    if not np.isfinite(span) or span <= 0:
        return None
    held = np.where(np.isfinite(held), held, normal)
    far = np.nan_to_num(np.abs(woken - held), nan=np.inf, posinf=np.inf)
    ends = float(np.nanmin(normal)), float(np.nanmax(normal))
    beyond = np.maximum(np.nanmax(woken) - ends[1], ends[0] - np.nanmin(woken)) / span
    left = float(np.nanmax(woken.max(0) - woken.min(0))) / span
    moved = far.max(1) / span
    picks = woken.argmax(1)
    top = int(np.bincount(picks).argmax())
    settled = float((picks == top).mean() - max((normal.argmax(1) == top).mean(), (held.argmax(1) == top).mean()))
    return Change(float(np.median(moved)), float(beyond), left, float((moved > 0.1).mean()), settled)
