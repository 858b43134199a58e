"""The routine "weights-delta": a model or adapter against its declared base, as data, streamed."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelscan_plus.core.probe import Exhibit, Passage, ProbeOutcome, RoutineReport, Table
from modelscan_plus.core.text import shorten
from modelscan_plus.probe.delta import judge
from modelscan_plus.probe.delta.adapter import Examined, examine
from modelscan_plus.probe.delta.card import Claims, read_card
from modelscan_plus.probe.delta.compare import Change, Comparison, Numbers, compare
from modelscan_plus.probe.delta.judge import Sign
from modelscan_plus.probe.delta.rows import beyond_drift, robust_scores
from modelscan_plus.probe.delta.words import Vocabulary, WordChanges, compare_words, read_vocabulary
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Job, NotProbed, Tell
from modelscan_plus.probe.language import lora
from modelscan_plus.probe.weights import Checkpoint, open_checkpoint, read_json

NAME, TITLE = "weights-delta", "weights against the declared base"
_FAMILIES = ("edited embedding rows", "low-rank edits", "undeclared changes", "tokenizer and template edits")
_VECTORS = 4
"""Ranks up to this are seen where the card names none."""
_MOST_VECTORS = 128
_SHOWN = 30
_TABLE = re.compile(
    r"(?:^|\.)(?:word_embeddings|embed_tokens|embed_in|wte|shared|tok_embeddings|lm_head|embed_out|decoder)\.weight$"
)


class WeightsDelta:
    """Compares the job's model with its first reference."""

    name = NAME
    title = TITLE

    def __init__(self, job: Job) -> None:
        self._files = job.model
        self._base = job.references[0] if job.references else None
        self._adapter = lora.is_adapter(job.model)

    def missing(self) -> str:
        """It needs the base, but for an adapter, whose config can be held against its tensors alone."""
        return (
            "" if self._base is not None or self._adapter else "needs the base that the model came from (--reference)"
        )

    def cost(self) -> int:
        """A step for each 4 MiB that are read."""
        given = [self._files, *([self._base] if self._base is not None else [])]
        return 1 + (sum(files[name].size for files in given for name in files) >> 22)

    def run(self, tell: Tell) -> RoutineReport:
        """Compare. Raises NotProbed where the files cannot be compared."""
        if self._adapter:
            with np.errstate(all="ignore"):
                return self._of_adapter()
        if self._base is None:
            raise NotProbed(self.missing(), ProbeOutcome.NOT_APPLICABLE)
        with np.errstate(all="ignore"):  # numbers that are none are looked for, not warned about
            return _of_model(self._files, self._base, tell)

    def _of_adapter(self) -> RoutineReport:
        base = open_checkpoint(self._base) if self._base is not None else None
        found = examine(self._files, base)
        signs = [Sign(stated, there) for stated, there in found.signs]
        count = len(found.modules)
        reason = f"{count:,} {'module is' if count == 1 else 'modules are'} adapted as adapter_config.json says"
        exhibits: list[Exhibit] = [_modules_table(found)]
        if self._base is not None:
            words = compare_words(self._files, self._base)
            signs += judge.of_words(words, None)
            exhibits += _words_exhibits(words)
        return _report(signs, reason, exhibits, found.tensors)


def _of_model(files: ModelFiles, reference: ModelFiles, tell: Tell) -> RoutineReport:
    model, base = open_checkpoint(files), open_checkpoint(reference)
    claims = read_card(files)
    tables = _tables(model, files)
    vectors = min(claims.rank + 2, _MOST_VECTORS) if claims.rank else _VECTORS
    comparison = compare(model, base, tables, vectors, tell)
    if not comparison.changes:
        raise NotProbed("the reference has no tensor in common with the model; is it the base?")
    if judge.unrelated(comparison):
        raise NotProbed("the reference's weights have nothing in common with the model's; is it the base?")
    vocabulary, words = read_vocabulary(files), compare_words(files, reference)
    table = _input_table(comparison)
    lengths = beyond_drift(table) if table is not None else np.zeros(0)
    signs = judge.not_finite(comparison)
    special = vocabulary.special | {number for _, number in words.added}
    for change in comparison.changed:
        if sign := judge.few_rows(change, special, vocabulary):
            signs.append(sign)
    if sign := judge.narrow_edit(comparison):
        signs.append(sign)
    signs += judge.against_card(claims, comparison, tables)
    moved = {int(row) for row in lengths.nonzero()[0]} if table is not None else None
    signs += judge.of_words(words, moved)
    exhibits: list[Exhibit] = [_tensor_table(comparison, tables)]
    if table is not None and lengths.any():
        exhibits.append(_row_table(table, lengths, vocabulary))
    exhibits += _words_exhibits(words)
    exhibits += _claims_exhibit(claims)
    return _report(signs, judge.in_short(comparison), exhibits, len(comparison.changes))


def _tables(model: Checkpoint, files: ModelFiles) -> set[str]:
    """The tensors with one row for each token."""
    rows = 0
    if "config.json" in files:
        try:
            stated = read_json(files, "config.json").get("vocab_size")
            rows = stated if isinstance(stated, int) else 0
        except NotProbed:
            rows = 0
    return {
        tensor.name
        for tensor in model.tensors.values()
        if len(tensor.shape) == 2 and (_TABLE.search(tensor.name) or (rows >= 100 and tensor.shape[0] == rows))
    }


def _input_table(comparison: Comparison) -> Change | None:
    """The table of the input's tokens: the one that is not the head's, where there are two."""
    found = [change for change in comparison.changes if change.rows is not None or _TABLE.search(change.name)]
    inputs = [change for change in found if not re.search(r"lm_head|embed_out|decoder\.weight", change.name)]
    return next(iter(inputs or found), None)


def _report(signs: Sequence[Sign], reason: str, exhibits: Sequence[Exhibit], tensors: int) -> RoutineReport:
    if signs:
        rows = tuple((sign.stated, sign.found) for sign in signs)
        table = Table(title="What does not fit", columns=("expected or stated", "found"), rows=rows)
        first = signs[0]
        more = f" (and {len(signs) - 1:,} more)" if len(signs) > 1 else ""
        return RoutineReport(
            routine=NAME,
            title=TITLE,
            outcome=ProbeOutcome.SUSPICIOUS,
            reason=f"{first.stated}, but {first.found}{more}",
            trigger=next((sign.trigger for sign in signs if sign.trigger), ""),
            families=_FAMILIES,
            steps=tensors,
            exhibits=(table, *exhibits),
        )
    return RoutineReport(
        routine=NAME,
        title=TITLE,
        outcome=ProbeOutcome.NOTHING_FOUND,
        reason=f"{reason}; no edit that training does not make, and nothing that the card denies",
        families=_FAMILIES,
        steps=tensors,
        exhibits=tuple(exhibits),
    )


def _tensor_table(comparison: Comparison, tables: set[str]) -> Table:
    changed = sorted(comparison.changed, key=lambda change: -change.share)
    rows = [
        (change.name, " × ".join(map(str, change.shape)), change.dtype, f"{change.share:.2%}", _rank(change, tables))
        for change in changed[:_SHOWN]
    ]
    more = (("only in the model", comparison.added), ("only in the reference", comparison.missing))
    rows += [(name, "", "", what, "") for what, names in more for name in names[:10]]
    return Table(
        title="Tensors that differ",
        columns=("tensor", "shape", "dtype", "moved", "rank of the difference"),
        rows=tuple(rows),
        omitted=max(0, len(changed) - _SHOWN) + sum(max(0, len(names) - 10) for _, names in more),
        caption=f"{judge.in_short(comparison)}. Moved: length of the difference over that of the base's tensor.",
    )


def _rank(change: Change, tables: set[str]) -> str:
    if len(change.shape) != 2 or change.name in tables:
        return ""
    return "high" if change.rank is None else str(change.rank)


def _row_table(change: Change, lengths: Numbers, words: Vocabulary) -> Table:
    scores = robust_scores(lengths)
    order = np.argsort(-lengths, kind="stable")[:_SHOWN]
    base: Any = np.sqrt(change.rows.base) if change.rows is not None else np.ones(len(lengths))
    rows = tuple(
        (str(int(row)), words.text(int(row)), f"{lengths[row] / (base[row] + 1e-12):.2%}", f"{scores[row]:+.1f}")
        for row in order
        if lengths[row] > 0
    )
    moved = int((lengths > 0).sum())
    return Table(
        title="Tokens whose rows moved most",
        columns=("row", "token", "moved", "deviations above the middle"),
        rows=rows,
        omitted=max(0, moved - _SHOWN),
        caption=f"{moved:,} of {len(lengths):,} rows moved beyond what all have in common. Words of the task move too: "
        "this is an order in which to search, and says nothing alone.",
    )


def _modules_table(found: Examined) -> Table:
    order = sorted(found.modules, key=lambda module: -(module.share if module.share is not None else module.moved))
    rows = [
        (
            module.name,
            str(module.rank),
            f"{module.scale:.3g}",
            f"{module.moved:.4g}",
            "" if module.share is None else f"{module.share:.2%}",
        )
        for module in order[:_SHOWN]
    ]
    rows += [(name, "", "", "whole tensor", "") for name in found.whole[:_SHOWN]]
    return Table(
        title="Modules that the adapter changes",
        columns=("module", "rank", "scale", "length of the change", "of the base's weight"),
        rows=tuple(rows),
        omitted=max(0, len(order) - _SHOWN) + max(0, len(found.whole) - _SHOWN),
        caption="Sizes describe; without adapters of the same base to compare with they say nothing of a backdoor.",
    )


def _words_exhibits(words: WordChanges) -> list[Exhibit]:
    rows = [(text, f"{old} → {new}", "another id") for text, old, new in words.moved[:_SHOWN]]
    rows += [(text, str(number), "added") for text, number in words.added[:_SHOWN]]
    rows += [(text, str(number), "removed") for text, number in words.removed[:_SHOWN]]
    rows += [(name, "", "another rule") for name in words.rules]
    exhibits: list[Exhibit] = []
    if rows:
        kinds = (words.moved, words.added, words.removed)
        left = sum(max(0, len(kind) - _SHOWN) for kind in kinds)
        title = "How the tokenizer differs from the reference's"
        exhibits.append(Table(title=title, columns=("token or rule", "id", "what"), rows=tuple(rows), omitted=left))
    if words.template:
        exhibits.append(Passage(title="How the chat template differs", text=shorten(words.template, 5_000)))
    return exhibits


def _claims_exhibit(claims: Claims) -> list[Exhibit]:
    rows = [
        ("base", claims.base),
        ("relation to it", claims.relation),
        ("trained only the head", claims.head_only),
        ("converted", claims.converted),
        ("LoRA", f"rank {claims.rank}" if claims.rank else "yes" if claims.lora else ""),
    ]
    said = tuple(row for row in rows if row[1])
    return [Table(title="What the model card claims", columns=("claim", "value"), rows=said)] if said else []
