"""Which tokens' embeddings moved more than training moves them anyway: where a search for triggers should begin.

Weight decay shrinks every row alike, so that part is taken off first. What is left is looked at twice: as it is, and
without the few directions in which fine-tuning moves the words of a class together. Neither says that a model has a
backdoor: the words of a task move as far. It is an order in which to try tokens, and a good one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelscan_plus.probe.delta.compare import PIECE, Change, Numbers, Rows, compare, pairs
from modelscan_plus.probe.delta.numbers import ROUNDING, WIDTH, Floats, floats, is_float
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.weights import Checkpoint, open_checkpoint, quoted

SHARED = 2
"""Directions that are taken off for the second order."""
_SAMPLE = 4_096
"""Rows from which these directions are learned."""
_STILL = 1e-5
"""A row that moved by less than this share of its length did not move."""
_CANCELLED = 4e-6


@dataclass(frozen=True, slots=True)
class MovedRows:
    """The rows of a table of embeddings, those first that moved beyond the rest."""

    tensor: str
    rows: int
    moved: int
    """Rows that moved by more than what all have in common."""
    order: tuple[int, ...]
    """Row numbers, which are token ids."""
    shares: tuple[float, ...]
    """For each of them: how far it moved, in lengths of the base's row."""


def moved_rows(files: ModelFiles, reference: ModelFiles, embedding: str, most: int = 64) -> MovedRows:
    """The `most` rows of the tensor `embedding` (`LoadedModel.embedding`) that moved beyond the rest, against the same
    tensor of the reference. The two orders take turns. `order` is () where nothing moved.

    Raises NotProbed where the reference lacks the tensor, or has it with another width.
    """
    model, base = open_checkpoint(files), open_checkpoint(reference)
    change = _table_change(model, base, embedding)
    if change.equal or change.rows is None:
        return MovedRows(embedding, change.shape[0], 0, (), ())
    lengths = beyond_drift(change)
    apart = _apart(model, base, change, drift(change.rows), lengths)
    order = _alternate(lengths, apart, most)
    own = np.sqrt(change.rows.base) + 1e-12
    return MovedRows(
        tensor=embedding,
        rows=change.shape[0],
        moved=int((lengths > 0).sum()),
        order=tuple(order),
        shares=tuple(float(lengths[row] / own[row]) for row in order),
    )


def _table_change(model: Checkpoint, base: Checkpoint, embedding: str) -> Change:
    other = pairs(model, base)[0].get(embedding)
    if other is None:
        raise NotProbed(f"the reference has no tensor {quoted(embedding)}")
    mine = Checkpoint(model.files, {embedding: model.tensors[embedding]}, model.names)
    theirs = Checkpoint(base.files, {embedding: base.tensors[other]}, base.names)
    found = compare(mine, theirs, {embedding}, 0).changes
    if not found or not is_float(found[0].dtype) or not is_float(found[0].base_dtype):
        raise NotProbed(f"the reference's tensor {quoted(embedding)} has another width or other numbers")
    found[0].base_name = other
    return found[0]


def drift(rows: Rows) -> float:
    """The share of itself by which every row changed, as weight decay does it: the middle one of all rows."""
    there = rows.base > 0
    return float(np.median(rows.along[there] / rows.base[there])) if there.any() else 0.0


def beyond_drift(change: Change) -> Numbers:
    """How far each row moved beyond the drift, as a length; 0.0 for rows that did not move."""
    rows = change.rows
    if rows is None:
        return np.zeros(0)
    factor = drift(rows)
    squared = rows.moved - 2 * factor * rows.along + factor * factor * rows.base
    squared[~np.isfinite(squared)] = 0.0
    # Halves round what decay leaves of a row, and the three sums above are rounded before they cancel.
    still = max(_STILL, 4 * max(ROUNDING[change.dtype], ROUNDING[change.base_dtype])) if factor else _STILL
    squared[squared <= rows.base * (still * still + _CANCELLED * factor * factor)] = 0.0
    return np.sqrt(np.maximum(squared, 0.0))


def _apart(model: Checkpoint, base: Checkpoint, change: Change, factor: float, lengths: Numbers) -> Numbers:
    """The lengths without the directions that the rows share."""
    mine, theirs = model.tensors[change.name], base.tensors[change.base_name]
    width = change.shape[1]
    step = max(1, PIECE // (4 * width))

    def differences(start: int, count: int) -> Floats:
        a = floats(model.part(mine, start * width * WIDTH[mine.dtype], count * width * WIDTH[mine.dtype]), mine.dtype)
        b = floats(
            base.part(theirs, start * width * WIDTH[theirs.dtype], count * width * WIDTH[theirs.dtype]), theirs.dtype
        )
        moved: Floats = (a - np.float32(1 + factor) * b).reshape(count, width)
        return moved

    far = np.argsort(-lengths, kind="stable")[:_SAMPLE]
    far = np.sort(far[lengths[far] > 0])
    sample = np.concatenate([differences(int(row), 1) for row in far]) if len(far) else np.zeros((0, width), np.float32)
    if len(sample) <= 2 * SHARED:
        return lengths
    _, _, shared = np.linalg.svd(sample, full_matrices=False)
    shared = shared[:SHARED]
    result = np.zeros(len(lengths))
    for start in range(0, len(lengths), step):
        count = min(step, len(lengths) - start)
        moved = differences(start, count)
        moved -= (moved @ shared.T) @ shared
        result[start : start + count] = np.sqrt(np.einsum("ij,ij->i", moved, moved))
    result[lengths == 0] = 0.0
    return result


def _alternate(first: Numbers, second: Numbers, most: int) -> list[int]:
    """The rows of both orders in turns, each once."""
    orders = [np.argsort(-values, kind="stable")[:most] for values in (first, second)]
    taken: dict[int, None] = {}
    for one, other in zip(*orders, strict=True):
        for row in (int(one), int(other)):
            if first[row] > 0:
                taken[row] = None
    return list(taken)[:most]


def robust_scores(lengths: npt.NDArray[np.float64]) -> Numbers:
    """How many deviations each moved row lies above the middle of the moved ones, on a logarithmic scale (median and
    median deviation); 0.0 for rows that did not move."""
    scores = np.zeros(len(lengths))
    moved = lengths > 0
    if int(moved.sum()) < 8:
        return scores
    logs = np.log(lengths[moved])
    middle = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - middle))) or 1.0
    scores[moved] = (logs - middle) / spread
    return scores
