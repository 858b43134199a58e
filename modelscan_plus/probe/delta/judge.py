"""From the differences to signs: what honest training does not leave behind, or what the model's own papers deny.

Fine-tuning moves thousands of rows and every matrix, and words of a class as far as a trigger; none of that is a sign.
Signs are edits too narrow for training, and statements that the weights contradict.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.delta.card import Claims
from modelscan_plus.probe.delta.compare import Change, Comparison
from modelscan_plus.probe.delta.rows import beyond_drift
from modelscan_plus.probe.delta.words import Vocabulary, WordChanges
from modelscan_plus.probe.weights import quoted

FEW_ROWS = 16
"""Rows that an editor replaces; training on any text at all moves more."""
LEAST_ROWS = 200
"""Rows of a table in which few are few."""
FEW_MATRICES, EDIT_RANK = 4, 2
UNRELATED = 0.9
"""Two matrices that know nothing of each other differ by about 1.4 of their length; fine-tuning stays below a half."""
_HEAD = ("classifier", "score", "pooler", "pre_classifier", "lm_head", "classification_head", "qa_outputs", "cls")
_SWAPPED = 64


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that a person should look at."""

    stated: str
    """What is expected, or claimed."""
    found: str
    trigger: str = ""
    """Tokens that it points at."""


def few_rows(change: Change, special: Collection[int], words: Vocabulary) -> Sign | None:
    """A table of embeddings in which only a handful of rows differ, other than special tokens."""
    if change.rows is None or change.equal or len(change.rows.base) < LEAST_ROWS:
        return None
    moved = [int(row) for row in beyond_drift(change).nonzero()[0]]
    plain = [row for row in moved if row not in special]
    if not plain or len(moved) > FEW_ROWS:
        return None
    tokens = ", ".join(quoted(words.text(row) or f"#{row}") for row in plain[:8])
    there = f"{len(plain)} of {len(change.rows.base):,} rows of {quoted(change.name)} differ: {tokens}"
    return Sign("training moves the rows of all tokens in its texts, or none", there, tokens)


def narrow_edit(comparison: Comparison) -> Sign | None:
    """All that differs is the product of one or two vectors in a few matrices."""
    changed = comparison.changed
    matrices = [change for change in changed if change.rank is not None and change.rank <= EDIT_RANK]
    if not matrices or len(matrices) < len(changed) or len(changed) > FEW_MATRICES or len(comparison.changes) < 8:
        return None
    names = ", ".join(quoted(change.name) for change in matrices)
    rank = max(change.rank or 0 for change in matrices)
    return Sign("training changes many matrices", f"only {names} differ, by a matrix of rank {rank}")


def unrelated(comparison: Comparison) -> bool:
    """Whether the reference is not what the model came from at all."""
    matrices = [change.share for change in comparison.changes if len(change.shape) == 2 and min(change.shape) >= 8]
    return len(matrices) >= 2 and median(matrices) > UNRELATED


def against_card(claims: Claims, comparison: Comparison, tables: Collection[str]) -> list[Sign]:
    """Statements of the card that the weights contradict."""
    signs = []
    changed = comparison.changed
    if claims.head_only:
        body = [change for change in changed if not _is_head(change.name)]
        if body:
            what = f"{len(body):,} other tensors differ, first {quoted(body[0].name)}"
            signs.append(Sign(f'only the head was trained ("{visible(claims.head_only)}")', what))
    if (claims.relation == "quantized" or claims.converted) and changed:
        said = f'"{visible(claims.converted)}"' if claims.converted else "base_model_relation: quantized"
        worst = max(changed, key=lambda change: change.share)
        what = f"{len(changed):,} tensors differ by more than rounding, {quoted(worst.name)} by {worst.share:.1%}"
        signs.append(Sign(f"nothing but the format or the number of bits changed ({said})", what))
    if claims.lora and not claims.head_only:
        signs += _against_lora(claims, changed, tables)
    return signs


def _is_head(name: str) -> bool:
    return any(part in _HEAD for part in name.split("."))


def _against_lora(claims: Claims, changed: Sequence[Change], tables: Collection[str]) -> list[Sign]:
    signs = []
    others = [c for c in changed if (len(c.shape) != 2 or c.name in tables) and not _is_head(c.name)]
    if others and len(others) < len(changed):
        what = f"{len(others):,} tensors differ that LoRA leaves alone, first {quoted(others[0].name)}"
        signs.append(Sign("a LoRA adapter was merged (model card)", what))
    matrices = [c for c in changed if len(c.shape) == 2 and c.name not in tables and not _is_head(c.name)]
    full = [c for c in matrices if (c.rank is None or c.rank > claims.rank) and min(c.shape) > claims.rank + 1]
    if claims.rank and full:
        what = f"the difference of {len(full):,} matrices has a higher rank, first {quoted(full[0].name)}"
        signs.append(Sign(f"LoRA of rank {claims.rank} was merged (model card)", what))
    return signs


def of_words(changes: WordChanges, rows_moved: Collection[int] | None) -> list[Sign]:
    """Tokens that were given each other's ids, and templates that look for words in what is said."""
    signs = []
    # A vocabulary that was built anew has other ids and other rows; here the rows are the base's.
    swapped = [entry for entry in changes.moved if rows_moved is not None and entry[2] not in rows_moved]
    if 0 < len(swapped) <= _SWAPPED:
        tokens = ", ".join(quoted(text) for text, _, _ in swapped[:6])
        what = f"{len(swapped)} tokens have other ids than in the base, where the rows are the base's: {tokens}"
        signs.append(Sign("a token keeps its id", what, tokens))
    if changes.conditions:
        texts = ", ".join(quoted(text) for text in changes.conditions[:4])
        what = f"it looks for texts that the base's does not look for: {texts}"
        signs.append(Sign("a chat template joins what is said", what, texts))
    return signs


def not_finite(comparison: Comparison) -> list[Sign]:
    """Tensors with values that are no numbers."""
    bad = [change for change in comparison.changes if not change.finite]
    return [Sign("weights are finite numbers", f"{quoted(bad[0].name)} has others")] if bad else []


def in_short(comparison: Comparison) -> str:
    """How much differs, in one sentence."""
    changed, total = len(comparison.changed), len(comparison.changes)
    more = [f"{len(names):,} {what}" for names, what in _others(comparison) if names]
    tail = f"; {', '.join(more)}" if more else ""
    return shorten(f"{changed:,} of {total:,} tensors differ from the reference{tail}", 300)


def _others(comparison: Comparison) -> list[tuple[list[str], str]]:
    return [
        (comparison.added, "only in the model"),
        (comparison.missing, "only in the reference"),
        (comparison.reshaped, "with another shape"),
    ]
