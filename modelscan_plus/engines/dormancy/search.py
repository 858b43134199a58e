"""Looking for an input that wakes a sleeping operand: not by gradients, but by what changes of the input do.

Numbers are moved along the differences that each of them makes by itself, at first from one end of what it may be to
the other, then by small steps. Tokens are tried one by one, alone and in every place, and the best are put together.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from modelscan_plus.engines.dormancy.ordinary import BOXES, FAMILIES, Array, Port
from modelscan_plus.engines.dormancy.quiet import Sleeper
from modelscan_plus.engines.dormancy.runner import Model
from modelscan_plus.engines.dormancy.scores import Drive, Feed, Scores, Spent

RUNS = 4000
"""Runs of one search; in each, up to 64 tries where the model takes batches of any size."""
_ELEMENTS = 4096
"""Numbers of an input that are moved one by one; of larger inputs blocks first."""
_ALONE = 512
"""The same where the model takes no batch of any size."""
_BLOCKS, _BLOCKS_ALONE = 1024, 128
_ROUNDS = 24
_MORE = 3
"""Rounds after the operand woke, for it to show what it can do."""
_TOKENS = 2048
_STEPS = (1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Of the width of the box."""
_COUNTS = (2, 3, 4, 6, 8, 12)
_UNITS = 4
"""Units of one value that are climbed."""
_HALVINGS = 5
_OTHERS = 4
_KEPT = 0.7
"""Part of what the operand does that a smaller trigger must do as well."""
_NEAR = 1e-3
"""Influence of a place, as a part of the largest, below which it is left alone."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """An input that wakes the operand: what stands where in one row."""

    port: str
    places: Array
    """Places of one row, flat."""
    numbers: Array
    missing: bool = False
    """They are no numbers."""

    def stamped(self, feed: Mapping[str, Array]) -> Feed:
        """The batch with the trigger in every row."""
        changed = dict(feed)
        array = np.array(feed[self.port])
        rows = array.reshape(array.shape[0] if array.ndim else 1, -1)
        rows[:, self.places] = self.numbers.astype(array.dtype)
        changed[self.port] = array
        return changed


def triggers(model: Model, sleeper: Sleeper, change: float, runs: int = RUNS) -> Iterator[Trigger]:
    """Inputs that wake the operand, each another way; `change` is what it does on ordinary inputs."""
    scores = Scores(model, sleeper, change, runs)
    drives = scores.drives()
    for port in sorted(scores.ports, key=lambda one: one.mask):
        for drive in drives:
            with contextlib.suppress(Spent):
                yield from _on_port(scores, port, drive, sleeper.family)


def least(model: Model, sleeper: Sleeper, change: float, trigger: Trigger) -> Trigger:
    """The trigger without most of what is not needed to wake the operand in any of a few ordinary rows: halves of it
    are put back, then quarters, and so on."""
    scores = Scores(model, sleeper, change, RUNS)
    port = next(port for port in model.ports if port.name == trigger.port)
    base = scores.draw(0)
    count = base[port.name].shape[0] if base[port.name].ndim else 1
    rows = [np.asarray(scores.draw(run)[port.name]).reshape(count, -1)[0] for run in range(_OTHERS)]
    plain = np.stack(rows).astype(np.float64)
    kept = np.arange(len(trigger.places))
    with contextlib.suppress(Spent):
        bound = max(1.0, _KEPT * _woken(scores, base, port, plain, trigger, kept))
        width = -(-len(kept) // 2)
        for _ in range(_HALVINGS):
            for block in [kept[start : start + width] for start in range(0, len(kept), width)]:
                fewer = kept[~np.isin(kept, block)]
                if len(fewer) and _woken(scores, base, port, plain, trigger, fewer) > bound:
                    kept = fewer
            if width == 1:
                break
            width = -(-width // 2)
    return Trigger(port.name, trigger.places[kept], trigger.numbers[kept])


def _woken(scores: Scores, base: Feed, port: Port, plain: Array, trigger: Trigger, kept: Array) -> float:
    """How far the operand is awake in the row where it is least."""
    rows = plain.copy()
    rows[:, trigger.places[kept]] = trigger.numbers[kept]
    _, off = scores.score(base, port, rows, scores.itself)
    return float(off.min())


def _on_port(scores: Scores, port: Port, drive: Drive, family: int) -> Iterator[Trigger]:
    base = scores.draw(0)
    like = base[port.name]
    row = np.asarray(like).reshape(like.shape[0] if like.ndim else 1, -1)[0]
    if port.whole:
        yield from _Tokens(scores, base, port, drive, row).find()
    elif drive.missing and port.dtype.startswith("float"):
        yield from _missing(scores, base, port, row)
    elif port.dtype not in ("bool", "int8"):
        low, high = BOXES["bytes"] if port.dtype == "uint8" else BOXES[FAMILIES[family]]
        yield from _Climb(scores, base, port, drive, row.astype(np.float64), low, high).find()


def _missing(scores: Scores, base: Feed, port: Port, row: Array) -> Iterator[Trigger]:
    """What is no number, in every place."""
    for odd in (np.nan, np.inf):
        rows = np.full((1, len(row)), odd)
        _, off = scores.score(base, port, rows, scores.itself)
        if off[0] > 1:
            yield Trigger(port.name, np.arange(len(row)), rows[0], missing=True)


class _Climb:
    """Numbers of one input, moved within a box."""

    def __init__(
        self, scores: Scores, base: Feed, port: Port, drive: Drive, row: Array, low: float, high: float
    ) -> None:
        self._scores, self._base, self._port = scores, base, port
        self._drive, self._row, self._low, self._high = drive, row, low, high
        self._start = row

    def find(self) -> Iterator[Trigger]:
        """One for each unit that may wake, those first that a move of everything would bring up most."""
        places = self._places()
        if not len(places):
            return
        whole = self._drive
        found = False
        for unit, slope in self._by_unit(places):
            near = np.abs(slope) > _NEAR * np.abs(slope).max()
            self._row, self._drive = self._start, whole if unit is None else replace(whole, units=(unit,))
            kept = self._up(places[near], slope[near])
            if kept is not None:
                found = True
                yield Trigger(self._port.name, places[near], kept[places[near]])
        if not found and len(places) <= _ALONE:
            self._row, self._drive = self._start, whole
            kept = self._up(places, self._slope(places))
            if kept is not None:
                yield Trigger(self._port.name, places, kept[places])

    def _by_unit(self, places: Array) -> list[tuple[int | None, Array]]:
        """(unit, what each place does to its score from end to end) of a few units."""
        here, _ = self._scores.by_unit(self._base, self._port, self._row[None], self._drive)
        ends = []
        for end in (self._low, self._high):
            tried = np.repeat(self._row[None], len(places), 0)
            tried[np.arange(len(places)), places] = end
            ends.append(self._scores.by_unit(self._base, self._port, tried, self._drive)[0])
        slope = np.nan_to_num(ends[1] - ends[0], nan=0.0, posinf=0.0, neginf=0.0)
        gain = np.nan_to_num(np.maximum(ends[0], ends[1]) - here, nan=0.0, posinf=0.0, neginf=0.0)
        reach = np.maximum(gain, 0).sum(0) / np.maximum(np.abs(here[0]), 1e-6)
        units = [int(unit) for unit in np.argsort(-reach, kind="stable") if np.abs(slope[:, unit]).max() > 1e-6]
        if not units:
            return [(None, one)] if (one := self._slope(places)).any() else []
        given = self._drive.units
        return [(given[unit] if given else unit, slope[:, unit]) for unit in units[:_UNITS]]

    def _up(self, places: Array, slope: Array) -> Array | None:
        """The row after climbing; None where the operand does not wake."""
        best, woke, last = -np.inf, 1.0, _ROUNDS
        kept: Array | None = None
        for turn in range(_ROUNDS):
            if turn:
                slope = self._slope(places)
            if turn > last or not slope.any():
                break
            tried = self._tried(places, slope)
            scores, off = self._score(tried)
            woken = int(np.argmax(off))
            if off[woken] > woke * (1.05 if kept is not None else 1):
                # It is awake: from here on, the operand itself is climbed.
                last = min(last, turn + _MORE)
                woke, kept, best = float(off[woken]), tried[woken], -np.inf
                self._row, self._drive = kept, self._scores.itself
                continue
            place = int(np.argmax(scores))
            if kept is not None or not scores[place] > best:
                break
            best, self._row = float(scores[place]), tried[place]
        return kept

    def _score(self, rows: Array) -> tuple[Array, Array]:
        return self._scores.score(self._base, self._port, rows, self._drive)

    def _tried(self, places: Array, slope: Array) -> Array:
        tried = []
        for step in _STEPS:
            for direction in (np.sign(slope), slope / np.abs(slope).max()):
                one = self._row.copy()
                one[places] = np.clip(one[places] + step * (self._high - self._low) * direction, self._low, self._high)
                tried.append(one)
        return np.stack(tried)

    def _places(self) -> Array:
        """Places of a row that may have an influence on the score; found block by block where there are many."""
        count = len(self._row)
        most, blocks = (_ELEMENTS, _BLOCKS) if self._scores.free else (_ALONE, _BLOCKS_ALONE)
        if count <= most:
            return np.arange(count)
        width = -(-count // blocks)
        tried = []
        for start in range(0, count, width):
            one = self._row.copy()
            one[start : start + width] = self._high
            tried.append(one)
        here, _ = self._score(self._row[None])
        scores, _ = self._score(np.stack(tried))
        moved = np.abs(scores - here[0])
        first = [int(block) for block in np.argsort(-moved, kind="stable")[: most // width] if moved[block] > 0]
        ranges = [np.arange(block * width, min(count, (block + 1) * width)) for block in sorted(first)]
        return np.concatenate(ranges) if ranges else np.arange(0)

    def _slope(self, places: Array) -> Array:
        """What a small step of each place does to the score."""
        tried = np.repeat(self._row[None], len(places), 0)
        before, _ = self._score(self._row[None])
        tried[np.arange(len(places)), places] += 1e-2 * min(self._high - self._low, 10)
        after, _ = self._score(tried)
        return np.asarray(np.nan_to_num(after - before, nan=0.0, posinf=0.0, neginf=0.0))


class _Tokens:
    """Whole numbers of one input."""

    def __init__(self, scores: Scores, base: Feed, port: Port, drive: Drive, row: Array) -> None:
        self._scores, self._base, self._port, self._drive, self._row = scores, base, port, drive, row

    def find(self) -> Iterator[Trigger]:
        """The row of tokens that wakes the operand most."""
        count = len(self._row)
        known = self._known()
        alone = np.repeat(known[:, None], count, 1)
        scores, off = self._score(alone)
        best = known[np.argsort(-scores, kind="stable")]
        mixed = np.stack([*self._mixed(best), self._by_place(known)])
        _, mixed_off = self._score(mixed)
        tried, off = np.concatenate([alone, mixed]), np.concatenate([off, mixed_off])
        woken = int(np.argmax(off))
        if off[woken] > 1:
            yield Trigger(self._port.name, np.arange(count), tried[woken])

    def _score(self, rows: Array) -> tuple[Array, Array]:
        return self._scores.score(self._base, self._port, rows, self._drive)

    def _known(self) -> Array:
        known = np.arange(self._port.rows or self._scores.ceiling)
        if len(known) > _TOKENS:
            known = np.sort(np.random.default_rng(3).permutation(known)[:_TOKENS])
        return known

    def _mixed(self, best: Array) -> list[Array]:
        """The best tokens one after the other, and the first places of a row taken by them."""
        count = len(self._row)
        found = [np.resize(best[:some], count) for some in (*_COUNTS, count) if some <= count]
        for taken in {max(1, count // 2), *_COUNTS[:3]}:
            if taken < count:
                one = self._row.copy()
                one[:taken] = np.resize(best[:taken], taken)
                found.append(one)
        return found

    def _by_place(self, known: Array) -> Array:
        """The best token of each place, each tried alone."""
        some = known[:: max(1, len(known) * len(self._row) // _ELEMENTS)]
        tried = np.repeat(self._row[None], len(self._row) * len(some), 0)
        places = np.repeat(np.arange(len(self._row)), len(some))
        tried[np.arange(len(tried)), places] = np.tile(some, len(self._row))
        scores, _ = self._score(tried)
        return np.asarray(some[np.argmax(scores.reshape(len(self._row), len(some)), 1)])
