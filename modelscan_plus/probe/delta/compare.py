"""Two checkpoints against each other, tensor by tensor, in one pass and a few megabytes.

Bytes that are the same are done with. Of a tensor that differs, the size of the difference is taken, for a table of
embeddings that of every row, and for a matrix the rank of the difference: by the singular values of its product with a
few random vectors, which has the rank of the difference itself as long as there are more vectors than that.

Source: Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 53 (2011), section 4.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from math import prod, sqrt

import numpy as np
import numpy.typing as npt

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.delta.numbers import ROUNDING, SMALLEST_STEP, WIDTH, Floats, floats, is_float
from modelscan_plus.probe.interface import Tell, silent
from modelscan_plus.probe.weights import Checkpoint, Tensor

PIECE = 1 << 18
"""Bytes that are looked at at once: they stay in the processor's cache."""
_LEAST_SIDE = 8
_SPARE = 4
_FIRST_ROWS = 64
"""Random vectors beyond the rank that is looked for."""

Numbers = npt.NDArray[np.float64]


@dataclass(slots=True)
class Rows:
    """Of every row of a table: squared lengths of the difference and of the base's row, and their product."""

    moved: Numbers
    base: Numbers
    along: Numbers

    @staticmethod
    def of(count: int) -> "Rows":
        """`count` rows of which nothing is known yet."""
        return Rows(np.zeros(count), np.zeros(count), np.zeros(count))


@dataclass(slots=True)
class Change:
    """How one tensor differs from the base's tensor of the same name."""

    name: str
    base_name: str
    shape: tuple[int, ...]
    dtype: str
    base_dtype: str
    equal: bool = True
    """The same, up to rounding where the dtypes differ."""
    moved: float = 0.0
    """Squared length of the difference, beyond rounding where the dtypes differ."""
    base: float = 0.0
    """Squared length of the base's tensor; 0.0 where no byte differs."""
    finite: bool = True
    rank: int | None = None
    """Of the difference, where it is low enough to be seen; None else."""
    rows: Rows | None = None

    @property
    def share(self) -> float:
        """Length of the difference over that of the base."""
        return sqrt(self.moved / self.base) if self.base > 0 else float(self.moved > 0)


@dataclass(slots=True)
class Comparison:
    """All tensors of both."""

    changes: list[Change] = field(default_factory=list)
    """One for each tensor that both have, in the order of the file."""
    added: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    """Both have it, with other shapes; a table with more rows is compared as far as the base's goes instead."""

    @property
    def changed(self) -> list[Change]:
        """The tensors that differ."""
        return [change for change in self.changes if not change.equal]


def pairs(model: Checkpoint, base: Checkpoint) -> tuple[dict[str, str], list[str], list[str]]:
    """Tensors of the model by the base's name for them, those that only the model has, and those only the base has.

    The same tensors go with and without the name of the bare model before them ("bert.", "transformer."), as a
    checkpoint of another task has it.
    """
    best: dict[str, str] = {}
    for mine, theirs in _prefixes(model, base):
        found = {}
        for name in model.tensors:
            other = theirs + name.removeprefix(mine) if name.startswith(mine) else name
            if other in base.tensors:
                found[name] = other
        if len(found) > len(best):
            best = found
    used = set(best.values())
    return best, [n for n in model.tensors if n not in best], [n for n in base.tensors if n not in used]


def _prefixes(model: Checkpoint, base: Checkpoint) -> Iterator[tuple[str, str]]:
    yield "", ""
    for mine, theirs in ((model, base), (base, model)):
        for prefix in sorted({name.partition(".")[0] + "." for name in mine.tensors if "." in name})[:32]:
            yield (prefix, "") if theirs is base else ("", prefix)


def compare(
    model: Checkpoint, base: Checkpoint, tables: Collection[str], vectors: int, tell: Tell = silent
) -> Comparison:
    """Compare all tensors. `tables` are the model's tables of embeddings; ranks up to `vectors` are seen."""
    matched, added, missing = pairs(model, base)
    result = Comparison(added=added, missing=missing)
    total = sum(model.tensors[name].size for name in matched)
    done = 0
    for name, other in matched.items():
        mine, theirs = model.tensors[name], base.tensors[other]
        tell(f"comparing {shorten(visible(name), 60)}", done, total)
        done += mine.size
        if mine.shape == theirs.shape or (name in tables and mine.shape[1:] == theirs.shape[1:]):
            result.changes.append(_compare(model, base, mine, theirs, rows=name in tables, vectors=vectors))
        else:
            result.reshaped.append(name)
    return result


def _compare(model: Checkpoint, base: Checkpoint, mine: Tensor, theirs: Tensor, *, rows: bool, vectors: int) -> Change:
    change = Change(mine.name, theirs.name, mine.shape, mine.dtype, theirs.dtype)
    count = min(mine.shape[0], theirs.shape[0]) if mine.shape and theirs.shape else 1
    if not (is_float(mine.dtype) and is_float(theirs.dtype)):
        change.equal = mine.dtype == theirs.dtype and all(
            a == b for a, b in zip(model.pieces(mine.name, PIECE), base.pieces(theirs.name, PIECE), strict=False)
        )
        return change
    _Differ(model, base, mine, theirs, change, count).run(rows=rows, vectors=vectors)
    return change


class _Differ:
    """Goes through one pair of tensors of floating-point numbers."""

    def __init__(
        self, model: Checkpoint, base: Checkpoint, mine: Tensor, theirs: Tensor, change: Change, count: int
    ) -> None:
        self._sides = ((model, mine), (base, theirs))
        self._change = change
        self._count = count
        self._width = prod(mine.shape[1:]) if len(mine.shape) > 1 else 1
        self._bound = 0.0
        self._room = np.empty(PIECE // 2, np.float32)
        if mine.dtype != theirs.dtype:
            self._bound = 2 * max(ROUNDING[mine.dtype], ROUNDING[theirs.dtype])

    def run(self, *, rows: bool, vectors: int) -> None:
        """Fill in the change."""
        change, width = self._change, self._width
        by_rows = 0 < width <= PIECE // 2
        step = max(1, PIECE // (4 * width)) if by_rows else 1
        if rows and by_rows:
            change.rows = Rows.of(self._count)
        sketch = _Sketch(self._count, width, vectors) if by_rows and not rows and self._has_rank() else None
        pieces = self._row_pieces(step) if by_rows else self._flat_pieces()
        skipped = 0
        for start, a, b in pieces:
            if a is not None:
                self._piece(start, a, b, sketch)
            elif change.rows is not None or not change.equal:
                self._same(start, b)
            else:
                skipped += len(b)  # as long as nothing differs, the base's size is not needed
        if not change.equal and skipped:
            self._catch_up(skipped)
        if sketch is not None and not change.equal and change.finite:
            change.rank = sketch.rank(self._rounding())
        if change.equal:
            change.rows = None

    def _rounding(self) -> float:
        """Length of the rounding errors of what was read until now."""
        change = self._change
        return max(ROUNDING[change.dtype], ROUNDING[change.base_dtype]) * sqrt(change.base)

    def _has_rank(self) -> bool:
        return len(self._change.shape) == 2 and min(self._count, self._width) >= _LEAST_SIDE

    def _row_pieces(self, step: int) -> Iterator[tuple[int, Floats | None, Floats]]:
        for start in range(0, self._count, step):
            count = min(step, self._count - start) * self._width
            yield (start, *self._read(start * self._width, count))

    def _flat_pieces(self) -> Iterator[tuple[int, Floats | None, Floats]]:
        step, total = PIECE // 4, self._count * self._width
        for start in range(0, total, step):
            yield (start, *self._read(start, min(step, total - start)))

    def _read(self, start: int, count: int) -> tuple[Floats | None, Floats]:
        (model, mine), (base, theirs) = self._sides
        first = model.part(mine, start * WIDTH[mine.dtype], count * WIDTH[mine.dtype])
        second = base.part(theirs, start * WIDTH[theirs.dtype], count * WIDTH[theirs.dtype])
        if mine.dtype == theirs.dtype and first == second:
            return None, floats(second, theirs.dtype)
        return floats(first, mine.dtype), floats(second, theirs.dtype)

    def _catch_up(self, count: int) -> None:
        """Take the size of the first `count` numbers of the base, which were skipped."""
        base, theirs = self._sides[1]
        for start in range(0, count, PIECE // 4):
            part = min(PIECE // 4, count - start)
            self._same(
                0, floats(base.part(theirs, start * WIDTH[theirs.dtype], part * WIDTH[theirs.dtype]), theirs.dtype)
            )

    def _same(self, start: int, b: Floats) -> None:
        change = self._change
        change.base += float(np.dot(b, b))
        if change.rows is not None:
            table = b.reshape(-1, self._width)
            change.rows.base[start : start + len(table)] = _products(table, table)

    def _piece(self, start: int, a: Floats, b: Floats, sketch: "_Sketch | None") -> None:
        change = self._change
        difference = np.subtract(a, b, out=self._room[: len(a)])
        if self._bound:
            bound = np.abs(b)
            bound *= self._bound
            bound += SMALLEST_STEP
            difference[np.abs(difference) <= bound] = 0.0
        moved, size = self._sizes(start, difference, b)
        if not np.isfinite(moved):
            change.finite = change.finite and bool(np.isfinite(a).all())
            change.equal = False
            difference = np.nan_to_num(difference, nan=0.0, posinf=0.0, neginf=0.0)
            moved, size = self._sizes(start, difference, np.nan_to_num(b, nan=0.0, posinf=0.0, neginf=0.0))
        if moved > 0 or (not self._bound and bool(difference.any())):
            change.equal = False
        change.moved += moved
        change.base += size
        if sketch is not None and moved > 0:
            sketch.add(start, difference)
            sketch.look(start + len(difference) // self._width, self._rounding())

    def _sizes(self, start: int, difference: Floats, b: Floats) -> tuple[float, float]:
        """Squared lengths of the difference and of the base, of a table also row by row."""
        rows = self._change.rows
        if rows is None:
            return float(np.dot(difference, difference)), float(np.dot(b, b))
        table, base = difference.reshape(-1, self._width), b.reshape(-1, self._width)
        at = slice(start, start + len(table))
        rows.moved[at] = _products(table, table)
        rows.base[at] = _products(base, base)
        rows.along[at] = _products(table, base)
        return float(rows.moved[at].sum()), float(rows.base[at].sum())


def _products(a: Floats, b: Floats) -> Floats:
    """The product of each row with the other's."""
    found: Floats = np.matmul(a[:, None, :], b[:, :, None])[:, 0, 0]
    return found


class _Sketch:
    """The product of a matrix with random vectors, built up from rows."""

    def __init__(self, height: int, width: int, vectors: int) -> None:
        self._count = min(vectors + _SPARE, height, width)
        self._seen = min(vectors, height - 1, width - 1)
        self._vectors: Floats | None = None
        self._shape = (height, width)
        self._product: Floats | None = None
        self._looked = False
        self._high = False

    def add(self, start: int, rows: Floats) -> None:
        """Rows of the difference, flat, from row `start` on."""
        if self._high:
            return
        height, width = self._shape
        if self._vectors is None or self._product is None:
            random = np.random.default_rng(0)
            self._vectors = random.standard_normal((width, self._count), np.float32)
            self._product = np.zeros((height, self._count), np.float32)
        table = rows.reshape(-1, width)
        np.matmul(table, self._vectors, out=self._product[start : start + len(table)])

    def look(self, height: int, rounding: float) -> None:
        """Look at the rows until `height` alone, once: where their rank is high, that of all is, and work ends."""
        if not self._looked and height >= _FIRST_ROWS:
            self._looked = True
            self._high = self.rank(rounding, height) is None

    def rank(self, rounding: float, height: int | None = None) -> int | None:
        """How many directions stand above what rounding of the sum leaves; None for more than can be seen.

        `rounding` is the length that the rounding errors of all numbers have together.
        """
        if self._high:
            return None
        if self._product is None:
            return 0
        height = self._shape[0] if height is None else height
        product = self._product[:height].astype(np.float64)
        values = np.sqrt(np.maximum(np.linalg.eigvalsh(product.T @ product)[::-1], 0.0))
        # Errors that know nothing of each other spread over all directions: of their length, a product with one random
        # vector has the same in the mean, and the largest singular value of the product is this much of it.
        noise = rounding / sqrt(height) * (sqrt(height) + sqrt(self._count))
        floor = max(2.0 * noise, 1e-5 * float(values[0]))
        found = int((values > floor).sum())
        return found if found <= self._seen else None
