"""All of it put together: what sleeps in a model, what wakes it, and what it then does."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.engines.dormancy import honest
from modelscan_plus.engines.dormancy.effect import Change, measure
from modelscan_plus.engines.dormancy.quiet import Sleeper, sleepers
from modelscan_plus.engines.dormancy.runner import Model, NotRun
from modelscan_plus.engines.dormancy.search import Trigger, least, triggers
from modelscan_plus.graph.flow import Analysis

SECONDS = 20.0
"""Processor time of all searches of one model."""
SEARCHES = 16
"""Operands of one model that a waking input is looked for."""
MOVED, BEYOND = 2.0, 1.5
"""In spans of the ordinary result: how far waking moves it, and how far it is then outside the ordinary range."""
DECIDES, ALIKE = 0.5, 0.9
"""How far waking moves a result within the ordinary range, and the part of the rows that then give the same."""
BEYOND_MISSING = 10.0
"""The same where what wakes is no number: what stands in for missing numbers may be odd, in two families at once."""
_NOTED = 0.3
"""Moves below this are not looked into."""
_TRIGGERS = 6
"""Waking inputs of one operand whose effect is measured."""
_SHOWN = 8
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Awake:
    """One operand that an input wakes."""

    value: int
    node: int
    content: int
    text: str


def wake(analysis: Analysis, data: bytes, deadline: float, gaps: list[str]) -> list[Awake]:
    """The operands of a model that sleep, that an input wakes, and that then carry the result away.

    Raises NotRun where the model takes no ordinary input. What was cut off, by processor time or at `deadline`, a
    reading of the monotonic clock, is added to `gaps`, and so is what could not be searched.
    """
    began = time.process_time()
    model = Model(analysis, data)
    asleep, seen = sleepers(model)
    if not seen:
        raise NotRun
    found: list[Awake] = []
    missing: dict[int, int] = {}
    failed: list[str] = []
    searched = 0
    for sleeper in _worth(model, asleep):
        if any(one.value == sleeper.value for one in found):
            continue
        if time.process_time() - began > SECONDS or time.monotonic() > deadline:
            gaps.append("what sleeps was not searched to the end within the time")
            break
        searched += 1
        if searched > SEARCHES:
            gaps.append(f"more than {SEARCHES} parts sleep; the rest was not searched")
            break
        try:
            one = _awake(model, sleeper, seen[sleeper.family].change(sleeper.value), missing)
        except Exception as error:  # a part that cannot be cut off from the rest, or an input that it does not take
            failed.append(f"{_name(analysis, sleeper)} ({type(error).__name__})")
            continue
        if one is not None:
            found.append(one)
    if failed:
        failed = list(dict.fromkeys(failed))
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        gaps.append(f"what wakes {', '.join(failed[:_NAMED])}{more} could not be searched for")
    return found


def _name(analysis: Analysis, sleeper: Sleeper) -> str:
    return visible(shorten(analysis.graph.values[sleeper.value].name, 60))


def _awake(model: Model, sleeper: Sleeper, change: float, missing: dict[int, int]) -> Awake | None:
    """What an input that wakes the operand does, if it is more than an honest part does."""
    for trigger in itertools.islice(triggers(model, sleeper, change), _TRIGGERS):
        done = measure(model, sleeper, trigger)
        if done is None:
            continue
        if trigger.missing:
            if not _stands_far(sleeper, done, missing):
                continue
        elif done.moved >= _NOTED:
            smaller = least(model, sleeper, change, trigger)
            with_less = measure(model, sleeper, smaller)
            if with_less is not None and (_far(with_less) or _decides(with_less)):
                trigger, done = smaller, with_less
            elif not _far(done):
                continue
        else:
            continue
        return Awake(sleeper.value, sleeper.node, sleeper.content, _text(sleeper, trigger, done))
    return None


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


def _far(change: Change) -> bool:
    """The result goes where no ordinary input brings it."""
    return change.moved >= MOVED and change.beyond >= BEYOND


def _decides(change: Change) -> bool:
    """Whatever else the input holds, the result is the same, or the same class is the first."""
    return change.moved >= DECIDES and (change.settled >= ALIKE or change.fixed >= ALIKE)


def _stands_far(sleeper: Sleeper, change: Change, missing: dict[int, int]) -> bool:
    """What stands in for missing numbers is far off in both families of numbers."""
    if sleeper.family < 2 and change.moved >= BEYOND_MISSING and change.beyond >= BEYOND_MISSING:
        missing[sleeper.value] = missing.get(sleeper.value, 0) + 1
    return missing.get(sleeper.value, 0) > 1


def _text(sleeper: Sleeper, trigger: Trigger, change: Change) -> str:
    state = "it was the same, bit for bit" if sleeper.asleep else "its changes came to nothing"
    shown = ", ".join(f"{number:.4g}" for number in trigger.numbers[:_SHOWN].tolist())
    more = " …" if len(trigger.numbers) > _SHOWN else ""
    factor = f"{float(f'{min(change.moved, 1e6):.2g}'):,.10g}"
    return (
        f"{state}, on all ordinary inputs; an input that was searched for wakes it "
        f"({visible(trigger.port)}: {len(trigger.places)} of a row as {shown}{more}) and moves the result by "
        f"{factor} times what it otherwise ranges over"
    )
