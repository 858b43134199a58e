"""One file followed by itself, and what that adds to the analysis by names."""

import ast
import re
from collections.abc import Iterable, Sequence

import msgspec

from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.formats.text.python.analyse import Source, analyse
from modelscan_plus.formats.text.python.cached import cached
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.follow.program import Program
from modelscan_plus.formats.text.python.gathered import most_telling
from modelscan_plus.formats.text.python.pings import marked

_TIMES = ("import", "entry", "main", "call")


def analysed(tree: ast.Module, text: str, budget: Budget, name: str = "") -> tuple[Source, tuple[str, ...]]:
    """The facts of a source, and what in it was not followed to its end."""
    source = analyse(tree, text, budget, name=name)
    path = name or "source.py"
    program = Program({path: tree}, {path: text}, budget)
    unfinished = list[str]()
    try:
        program.effects([path])
    except BudgetExceeded as breach:
        unfinished.append(breach.message)  # what the names say is known all the same
    followed = [effect for at, effect in program.told() if at == path]
    named = source.effects if unfinished or program.exhausted else settled(source.effects, followed)
    effects = cached(tree, marked(tree, text, together(named, followed)))
    kept = most_telling(effects)
    omitted = source.omitted + len(effects) - len(kept)
    source = msgspec.structs.replace(source, effects=tuple(kept), omitted=omitted)
    return source, (*unfinished, *program.exhausted)


def settled(named: Iterable[Effect], followed: Iterable[Effect]) -> list[Effect]:
    """Effects by name, less those whose code or command is known whenever it runs: that is judged by itself.

    A function that is called on import with constants runs something else only for other callers."""
    runs: dict[tuple[int, str, str], list[Effect]] = {}
    for effect in followed:
        if effect.kind in ("code", "process") and effect.when in ("import", "entry"):
            runs.setdefault((effect.line, effect.kind, effect.name), []).append(effect)
    kept: list[Effect] = []
    for effect in named:
        of_it = runs.get((effect.line, effect.kind, effect.name), ())
        if _is_settled(effect, of_it):
            kept.append(msgspec.structs.replace(effect, when="call"))
        elif not _says_less(effect, of_it):
            kept.append(effect)
    return kept


def _says_less(named: Effect, runs: Sequence[Effect]) -> bool:
    """True for a command of which the names say nothing, and all runs most."""
    first, *words = named.argument.split()[:40] or [""]
    if named.kind != "process" or first != "…" or named.hostile or named.disguised:
        return False
    told = set(named.flows) - {"parameter"}
    return any(each.when == named.when for each in runs) and all(
        told <= set(each.flows) and _says_more(each.argument.split(), words) for each in runs
    )


def _says_more(run: list[str], words: list[str]) -> bool:
    """True for a command of which the program is known, or for want of any word most others are."""
    program = bool(run) and re.search(r"/[\w.-]{2,}$|^[\w.-]{2,}$", run[0]) is not None
    return set(words) <= set(run) and (program or (not words and len(run) > 3))


def _is_settled(named: Effect, runs: Sequence[Effect]) -> bool:
    """True where each of the runs at this place is known, and one of them is at the time of the effect by name."""
    if named.hostile or named.disguised or not any(each.when == named.when for each in runs):
        return False
    told = set(named.flows) - {"parameter"}  # each of the runs says what it is given
    return all(each.argument and "…" not in each.argument and told <= set(each.flows) for each in runs)


def together(named: Iterable[Effect], followed: Iterable[Effect]) -> list[Effect]:
    """Effects found by name, at the time at which following shows them to happen, with those that only following shows."""
    known = {_what(effect): effect for effect in named}
    told = {(effect.line, effect.kind, effect.name): effect for effect in known.values()}
    for effect in followed:
        same = known.get(_what(effect))
        if same is not None:
            known[_what(effect)] = _both(same, effect)
            continue
        other = told.get((effect.line, effect.kind, effect.name))
        if other is not None and adds_nothing(other, effect):
            continue
        known[_what(effect)] = effect
    return sorted(known.values(), key=lambda effect: effect.line)


def _what(effect: Effect) -> tuple[object, ...]:
    return (effect.line, effect.kind, effect.name, effect.function, effect.argument)


def _both(named: Effect, followed: Effect) -> Effect:
    when = min((named.when, followed.when), key=_TIMES.index)
    return msgspec.structs.replace(
        named,
        when=when,
        flows=tuple(sorted({*named.flows, *followed.flows})),
        keys=tuple(sorted({*named.keys, *followed.keys})),
        disguised=named.disguised or followed.disguised,
        hostile=named.hostile or followed.hostile,
        in_body=named.in_body or followed.in_body,
    )


def adds_nothing(named: Effect, followed: Effect) -> bool:
    """True where an effect by name, of the same line and function, is known with all that following shows of it."""
    return (
        _TIMES.index(named.when) <= _TIMES.index(followed.when)
        and set(followed.flows) <= set(named.flows)
        and not (followed.hostile and not named.hostile)
        and not (followed.disguised and not named.disguised)
        and len(followed.argument) <= len(named.argument)
    )
