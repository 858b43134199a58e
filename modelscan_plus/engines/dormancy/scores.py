"""How far a sleeping operand is from waking, for the inputs of a search.

A value falls asleep at the first node whose result is the same in every run while its operands still change: a
saturating function, a comparison, an exponential function that is zero. What those operands are is the score: the
further they go one way, the nearer the value may be to waking.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelscan_plus.engines.dormancy.ordinary import Array, Port
from modelscan_plus.engines.dormancy.quiet import Sleeper
from modelscan_plus.engines.dormancy.runner import Model

Feed = dict[str, Array]
_CONE = 80
_BATCH = 64
_WOKEN = 30.0
"""A faint value is awake when it changed so many times as much as on ordinary inputs."""
_LEAST = 1e-3
"""Difference, as a part of its size, from which on a value that slept is awake."""
_SOME = 8
"""Scores that are climbed for one value."""
_UNITS = 16
_RUNS = 4
_COMPARE = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


class Spent(Exception):
    """A search used up its runs."""


@dataclass(frozen=True, slots=True)
class Drive:
    """What to climb: a value upwards, downwards, or away from zero."""

    value: int
    sign: float
    """0 for away from zero."""
    missing: bool = False
    """By what is no number."""
    units: tuple[int, ...] = ()
    """Of these units of the value only (axis 1); all where empty."""


class Scores:
    """Scores for one operand."""

    def __init__(self, model: Model, sleeper: Sleeper, change: float, runs: int) -> None:
        self._model, self._sleeper = model, sleeper
        self._graph = model.analysis.graph
        self._left = runs
        state = np.asarray(sleeper.state)
        self.free = model.free and state.ndim > 0 and state.shape[0] == model.plan.rows
        """Each row of a batch can be another try."""
        self._state = _numbers(state[:1] if self.free else state).reshape(1, -1)
        size = max(1e-3, float(np.nan_to_num(np.abs(self._state)).max(initial=0.0)))
        self._least = _LEAST * size if sleeper.asleep else _WOKEN * change + 1e-9
        self.ceiling = model.plan.ceiling
        self._cone = self._before()
        known = {self._graph.values[value].name for value in self._cone if value in self._graph.inputs}
        self.ports = [port for port in model.ports if port.name in known]

    def draw(self, run: int) -> Feed:
        """An ordinary batch of the family in which the operand sleeps."""
        return self._model.draw(self._sleeper.family, run)

    def _before(self) -> list[int]:
        """The values before the operand, nearest first, as far as they change with the input."""
        seen = {self._sleeper.value: None}
        ahead = [self._sleeper.value]
        while ahead and len(seen) < _CONE:
            producer = self._graph.values[ahead.pop(0)].producer
            if producer < 0 or self._graph.nodes[producer].scope:
                continue
            for operand in self._data(producer):
                if operand not in seen:
                    seen[operand] = None
                    ahead.append(operand)
        return list(seen)

    def _data(self, number: int) -> list[int]:
        """Operands of a node that depend on elements of an input; of a cast to a like type, what is cast."""
        node = self._graph.nodes[number]
        ins = node.ins[:1] if node.given == "CastLike" else node.ins
        return [value for value in ins if value >= 0 and self._model.analysis.flow(value).data]

    def drives(self) -> list[Drive]:
        """Where the value falls asleep, and what would wake it."""
        graph = self._graph
        inner = [value for value in self._cone if graph.values[value].producer >= 0 and graph.values[value].name]
        names = [graph.values[value].name for value in inner]
        arrays = [self._model.run(names, self.draw(run)) for run in range(_RUNS)]
        units = {value: _sleeping_units([one[place] for one in arrays]) for place, value in enumerate(inner)}
        found: list[Drive] = []
        for value in inner:
            asleep = units[value]
            data = self._data(graph.values[value].producer)
            if asleep is None or len(set(data)) < len(data) == 2:  # awake; or x / x and x - x, which nothing wakes
                continue
            awake = [one for one in data if one in graph.inputs or units.get(one, ()) not in ((), asleep)]
            if awake:
                found += _climbs(graph.nodes[graph.values[value].producer].op, awake[0], asleep)
        if not self._sleeper.asleep:
            found.append(self.itself)
        return sorted(dict.fromkeys(found), key=lambda one: one.sign < 0)[:_SOME]

    @property
    def itself(self) -> Drive:
        """The operand, away from zero."""
        return Drive(self._sleeper.value, 0.0)

    def rows(self, base: Feed, port: Port, rows: Array) -> list[Feed]:
        """Batches in which the port holds these rows and everything else is as in `base`."""
        like = base[port.name]
        if self.free:
            found = []
            for start in range(0, len(rows), _BATCH):
                part = rows[start : start + _BATCH]
                feed = {name: np.repeat(array[:1], len(part), 0) for name, array in base.items()}
                feed[port.name] = part.reshape(len(part), *like.shape[1:]).astype(like.dtype)
                found.append(feed)
            return found
        count = like.shape[0] if like.ndim else 1
        return [
            {**base, port.name: np.repeat(row[None], count, 0).reshape(like.shape).astype(like.dtype)} for row in rows
        ]

    def score(self, base: Feed, port: Port, rows: Array, drive: Drive) -> tuple[Array, Array]:
        """(score, how far the operand is from where it sleeps, above 1 being awake) of each row.

        Raises Spent when the runs are used up.
        """
        scores, off = self.by_unit(base, port, rows, drive)
        return scores.max(1), off

    def by_unit(self, base: Feed, port: Port, rows: Array, drive: Drive) -> tuple[Array, Array]:
        """The same with a score for each unit (axis 1) of the value, the best of its places."""
        names = [self._graph.values[value].name for value in (drive.value, self._sleeper.value)]
        inner = list(dict.fromkeys(name for name in names if name not in base))
        scores: list[Array | None] = []
        off: list[Array] = []
        for feed in self.rows(base, port, rows):
            self._left -= 1
            if self._left < 0:
                raise Spent
            count = len(feed[port.name]) if self.free else 1
            try:
                got: Mapping[str, Array] = feed | dict(zip(inner, self._model.run(inner, feed), strict=True))
            except Exception:
                scores.append(None)
                off.append(np.zeros(count))
                continue
            scores.append(_climbed(drive, got[names[0]], count))
            off.append(self._off(got[names[1]], count))
        widths = {one.shape[1] for one in scores if one is not None}
        if len(widths) != 1:
            return np.full((len(np.concatenate(off)), 1), -np.inf), np.concatenate(off)
        (width,) = widths
        kept = [np.full((len(o), width), -np.inf) if s is None else s for s, o in zip(scores, off, strict=True)]
        return np.concatenate(kept), np.concatenate(off)

    def _off(self, value: Array, rows: int) -> Array:
        numbers = _numbers(value)
        if numbers.size != self._state.size * rows:
            return np.zeros(rows)
        off = np.abs(numbers.reshape(rows, -1) - self._state)
        return np.asarray(np.nan_to_num(off, nan=1e30, posinf=1e30).max(1) / self._least)


def _numbers(array: Array) -> Array:
    return np.asarray(array).astype(np.float64)


def _climbed(drive: Drive, array: Array, rows: int) -> Array:
    numbers = _numbers(array)
    value = drive.sign * numbers if drive.sign else np.abs(numbers)
    if drive.units and value.ndim > 1:
        value = value[:, [unit for unit in drive.units if unit < value.shape[1]]]
    value = np.nan_to_num(value, nan=-1e30, posinf=1e30, neginf=-1e30)
    if not value.size or value.size % rows:
        return np.full((rows, 1), float(value.max()) if value.size else -np.inf)
    if value.ndim > 1 and value.shape[0] == rows:
        return np.asarray(value.reshape(rows, value.shape[1], -1).max(2))
    return np.asarray(value.reshape(rows, 1, -1).max(2))


def _sleeping_units(arrays: Sequence[Array]) -> tuple[int, ...] | None:
    """None where everything changes; units (axis 1) that are the same in every run; () where all are."""
    first = arrays[0]
    if any(not isinstance(one, np.ndarray) or one.shape != first.shape for one in arrays):
        return None
    if first.dtype.kind not in "biuf":
        return None
    same = np.ones(first.shape, bool)
    for one in arrays[1:]:
        same &= (one == first) | ((one != one) & (first != first))
    if same.all():
        return ()
    if first.ndim < 2:
        return None
    units = np.flatnonzero(same.all(tuple(axis for axis in range(same.ndim) if axis != 1)))
    return tuple(int(unit) for unit in units[:_UNITS]) or None


def _climbs(op: str, value: int, units: tuple[int, ...]) -> list[Drive]:
    if op in ("is_nan", "is_inf"):
        return [Drive(value, 1.0, missing=True)]
    units = () if op in _COMPARE else units
    return [Drive(value, 1.0, units=units), Drive(value, -1.0, units=units)]
