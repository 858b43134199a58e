"""All of it put together: what sleeps in a model, what wakes it, and what it then does."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from modelscan_plus.core.text import visible
from modelscan_plus.engines.dormancy import honest
from modelscan_plus.engines.dormancy.effect import Change, measure
from modelscan_plus.engines.dormancy.ordinary import FAMILIES
from modelscan_plus.engines.dormancy.quiet import Sleeper, sleepers
from modelscan_plus.engines.dormancy.runner import Model, NotRun
from modelscan_plus.engines.dormancy.search import Trigger, find
from modelscan_plus.graph.flow import Analysis

SEARCHES = 16
"""Operands of one model that a waking input is looked for."""
MOVED, BEYOND = 2.0, 1.5
"""In spans of the ordinary result: how far waking moves it, and how far it is then outside the ordinary range."""
BEYOND_MISSING = 10.0
"""The same where what wakes is no number: what stands in for missing numbers may be odd, in two families at once."""
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Awake:
    """One operand that an input wakes."""

    value: int
    node: int
    content: int
    text: str


def wake(analysis: Analysis, data: bytes, deadline: float, gaps: list[str]) -> list[Awake]:
    """The operands of a model that sleep, that an input wakes, and that then carry the result away.

    Raises NotRun where the model takes no ordinary input. What time cut off is added to `gaps`.
    """
    model = Model(analysis, data)
    asleep, seen = sleepers(model)
    if not seen:
        raise NotRun
    found: list[Awake] = []
    missing: dict[int, int] = {}
    searched = 0
    for sleeper in _worth(model, asleep):
        if any(one.value == sleeper.value for one in found):
            continue
        if time.monotonic() > deadline:
            gaps.append("what sleeps was not searched to the end within the time")
            break
        searched += 1
        if searched > SEARCHES:
            break
        try:
            trigger = find(model, sleeper, seen[sleeper.family].change(sleeper.value))
            change = measure(model, sleeper, trigger) if trigger is not None else None
        except Exception:  # noqa: S112 - a part that cannot be cut off from the rest, or an input that it does not take
            continue
        if trigger is None or change is None or not _far(sleeper, trigger, change, missing):
            continue
        found.append(Awake(sleeper.value, sleeper.node, sleeper.content, _text(sleeper, trigger, change)))
    return found


def _worth(model: Model, asleep: list[Sleeper]) -> Iterator[Sleeper]:
    """Those that no predicate speaks for, one for each value and family; what is bit for bit the same comes first."""
    analysis = model.analysis
    known: set[tuple[int, int]] = set()
    for sleeper in sorted(asleep, key=lambda one: not one.asleep):
        if (sleeper.value, sleeper.family) in known:
            continue
        known.add((sleeper.value, sleeper.family))
        shallow = analysis.flow(sleeper.value).lax < analysis.flow(sleeper.content).lax
        if not sleeper.asleep and not shallow:
            continue
        if not any(speaks(model, sleeper) for speaks in honest.PREDICATES):
            yield sleeper


def _far(sleeper: Sleeper, trigger: Trigger, change: Change, missing: dict[int, int]) -> bool:
    if trigger.missing:
        if sleeper.family < 2 and change.moved >= BEYOND_MISSING and change.beyond >= BEYOND_MISSING:
            missing[sleeper.value] = missing.get(sleeper.value, 0) + 1
        return missing.get(sleeper.value, 0) > 1
    return change.moved >= MOVED and change.beyond >= BEYOND


def _text(sleeper: Sleeper, trigger: Trigger, change: Change) -> str:
    state = "it was the same, bit for bit" if sleeper.asleep else "its changes came to nothing"
    shown = ", ".join(f"{number:.4g}" for number in trigger.numbers[:_SHOWN].tolist())
    more = " …" if len(trigger.numbers) > _SHOWN else ""
    factor = f"{min(change.moved, 1e6):.2g}"
    return (
        f"{state}, on all `{FAMILIES[sleeper.family]}` inputs; an input that was searched for wakes it "
        f"({visible(trigger.port)}: {len(trigger.places)} of a row as {shown}{more}) and moves the result by "
        f"{factor} times what it otherwise ranges over"
    )
