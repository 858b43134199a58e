"""The searches as routines: margin, one for each trigger family, and pairs beside references."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from modelscan_plus.core.probe import Exhibit, ProbeOutcome, RoutineReport
from modelscan_plus.probe.combine import ALPHA, SHORTER
from modelscan_plus.probe.interface import NotProbed, Tell
from modelscan_plus.probe.inversion import calibration, columns, exhibits, pairs
from modelscan_plus.probe.inversion.context import Context, OnSamples
from modelscan_plus.probe.inversion.engine import Schedule, every_target, invert, success
from modelscan_plus.probe.inversion.evidence import Evidence, Judgement, judge
from modelscan_plus.probe.inversion.families import (
    Additive,
    Family,
    Filter,
    Patch,
    Warp,
)
from modelscan_plus.probe.inversion.margin import largest_margins
from modelscan_plus.probe.inversion.statistic import Verdict, lead

FAMILIES: dict[str, Callable[[], Family]] = {"patch": Patch, "additive": Additive, "warp": Warp, "filter": Filter}
TITLES = {
    "patch": "Patch: a few pixels under a mask",
    "additive": "Additive: one pattern laid over every sample",
    "warp": "Warp: a smooth distortion",
    "filter": "Filter: other colours everywhere",
    "feature-value": "Feature values: columns at fixed values",
}
WORDS = {
    "patch": "a patch",
    "additive": "an additive pattern",
    "warp": "a distortion",
    "filter": "a filter",
    "feature-value": "fixed values in some columns",
}
HALVED_FROM, _RUNGS = 16, (0.4, 0.7)
"""From so many classes on, the dearer half is dropped on the way; of fewer, every one is needed for the null."""
ALPHA_FOREST = 0.002
"""A boosted tree fits a wrongly labelled row by a leaf that outweighs all others: a trigger that nobody has planted."""
PAIRED_LEAST, PAIRED_CLASSES = 6, 20
"""Classes for which all pairs are tried; their number grows with the square."""


class TriggerRoutine(OnSamples):
    """Search one family for the cheapest trigger into each class."""

    def __init__(self, context: Context, kind: str) -> None:
        self._context = context
        self._kind = kind
        self.name = f"image-{kind}"
        self.title = TITLES[kind]

    def cost(self) -> int:
        """Samples that pass at most."""
        steps = self._context.steps
        return steps.invert * steps.samples * self._context.view.classes

    def search(self, tell: Tell) -> Evidence:
        """All classes."""
        context, steps = self._context, self._context.steps
        samples = context.samples
        if samples is None:
            raise NotProbed("needs samples")
        random = context.random(self.name)
        classes = context.view.classes
        trigger = FAMILIES[self._kind]()
        arms = every_target(samples.labels, classes, steps.samples, random)
        cost = self.cost()
        found = invert(
            context.view,
            samples.x,
            arms,
            trigger,
            Schedule(steps.invert, steps.samples, _RUNGS if classes >= HALVED_FROM else ()),
            random,
            lambda what, done, of: tell(what, cost * done // of, cost),
        )
        held: list[float | None] = []
        for place in range(classes):
            own = [parameter[place : place + 1] for parameter in found.parameters]
            held.append(success(context.view, samples.unseen, samples.unseen_labels, place, trigger, own))
        logs = tuple(math.log(cost) for cost in found.cost.tolist())
        return Evidence(logs, tuple(found.reached.tolist()), tuple(held), found.passes, tuple(found.parameters))

    def run(self, tell: Tell) -> RoutineReport:
        """Search and judge."""
        context = self._context
        evidence = context.found[self.table] = self.search(tell)
        chosen = calibration.prior(self.table, context.spec.budget, context.shape)
        verdict = judge(evidence, chosen, context.names, WORDS[self._kind])
        trigger = FAMILIES[self._kind]()
        shown = exhibits.of_trigger(context, trigger, evidence, verdict)
        return _report(
            self,
            context,
            evidence,
            verdict,
            (self._kind,),
            shown,
            exhibits.in_words(context, trigger, evidence, verdict),
        )


class MarginRoutine:
    """The largest margin of each class; no samples are needed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.name = "image-margin"
        self.title = "Margin: how sure the network can be made of each class"

    @property
    def table(self) -> str:
        """Its name in the calibration."""
        return self.name

    def missing(self) -> str:
        """Nothing is needed."""
        return ""

    def cost(self) -> int:
        """Samples that pass at most."""
        starts, steps = self._context.steps.margin
        return starts * steps * self._context.view.classes

    def search(self, tell: Tell) -> Evidence:
        """All classes; the cost of a class is the inverse of its margin."""
        context = self._context
        starts, steps = context.steps.margin
        cost = self.cost()
        found = largest_margins(
            context.view,
            starts,
            steps,
            context.random(self.name),
            lambda what, done, of: tell(what, cost * done // of, cost),
            context.spec.device,
        )
        reached = found.margin > 1e-3
        logs = (-found.margin.clamp_min(1e-3).log()).tolist()
        none: tuple[float | None, ...] = (None,) * len(logs)
        return Evidence(tuple(logs), tuple(reached.tolist()), none, found.passes, (found.points,))

    def run(self, tell: Tell) -> RoutineReport:
        """Search and judge."""
        context = self._context
        evidence = context.found[self.table] = self.search(tell)
        chosen = calibration.prior(self.table, context.spec.budget, context.shape)
        verdict = judge(evidence, chosen, context.names, "an input of its own")
        return _report(
            self,
            context,
            evidence,
            verdict,
            ("any trigger for all classes",),
            exhibits.of_margin(context, evidence, verdict),
            "",
        )


class ColumnsRoutine:
    """Columns at fixed values, for tables: networks and tree ensembles alike are asked. The only test of a table: what
    the margin of a network shows is no sign there."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.name = "tabular-feature-value" if context.splits is None else "tabular-trees"
        self.title = TITLES["feature-value"]

    @property
    def table(self) -> str:
        """Its name in the calibration."""
        return self.name

    def missing(self) -> str:
        """Why it cannot run."""
        return "" if self._context.samples is not None else "needs rows (--samples)"

    def cost(self) -> int:
        """Rows that are asked at most."""
        rows, beam = self._context.steps.columns
        return columns.asked_at_most(self._context.view, rows, beam, self._context.splits)

    def search(self, tell: Tell) -> Evidence:
        """All classes."""
        context = self._context
        samples = context.samples
        if samples is None:
            raise NotProbed("needs rows")
        rows, beam = context.steps.columns
        cost = self.cost()
        found = columns.best_sets(
            context.view,
            samples,
            rows,
            beam,
            context.splits,
            lambda what, done, of: tell(what, cost * done // of, cost),
        )
        held: list[float | None] = [
            columns.success(context.view, samples.unseen, samples.unseen_labels, place, found)
            for place in range(context.view.classes)
        ]
        every = (True,) * context.view.classes
        return Evidence(
            tuple(found.shortfall.tolist()), every, tuple(held), found.passes, (*found.columns, *found.values)
        )

    def run(self, tell: Tell) -> RoutineReport:
        """Search and judge."""
        context = self._context
        evidence = context.found[self.table] = self.search(tell)
        chosen = calibration.prior(self.table, context.spec.budget, context.shape)
        alpha = ALPHA if context.splits is None else ALPHA_FOREST
        verdict = judge(evidence, chosen, context.names, WORDS["feature-value"], by=lead, alone=True, alpha=alpha)
        shown, words = exhibits.of_sets(context, evidence, verdict)
        return _report(self, context, evidence, verdict, ("feature-value",), shown, words)


class PairsRoutine:
    """Every class into every other one, beside the references."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.name = "image-pairs"
        self.title = "Pairs: each class into each other one, beside references"

    @property
    def table(self) -> str:
        """Its name in the calibration."""
        return self.name + ("+impressions" if self._context.impressions else "")

    def missing(self) -> str:
        """Why it cannot run."""
        if not self._context.references:
            return "needs a reference (--reference)"
        if not PAIRED_LEAST <= self._context.view.classes <= PAIRED_CLASSES:
            return f"needs {PAIRED_LEAST} to {PAIRED_CLASSES} classes"
        return "" if self._context.samples is not None else "needs samples (--samples)"

    def cost(self) -> int:
        """Samples that pass at most, for the model and its references."""
        classes, steps = self._context.view.classes, self._context.steps
        return classes * (classes - 1) * _EACH * steps.pairs * self._searches

    @property
    def _searches(self) -> int:
        return 2 * len(_PAIR_FAMILIES) * len(self._context.references)

    def matrices(self, tell: Tell) -> tuple[Tensor, Tensor, int]:
        """[S, K, K] for each reference and family: what it costs to turn the model alone, and the reference alone; and
        the samples that passed. Raises `NotProbed`."""
        context = self._context
        samples = context.samples
        if samples is None:
            raise NotProbed("needs samples")
        classes, cost, passes = context.view.classes, self.cost(), 0
        found: list[Tensor] = []
        for other in context.references:
            with torch.no_grad():
                right = other.logits(samples.x).argmax(1).cpu() == samples.labels
            x, labels = samples.x[right], samples.labels[right]
            if min(int((labels == label).sum()) for label in range(classes)) < _LEAST_EACH:
                raise NotProbed(
                    f"pairs need {2 * _LEAST_EACH} samples of every class that the model and its reference know"
                )
            ways = [(kind, *way) for kind in _PAIR_FAMILIES for way in ((context.view, other), (other, context.view))]
            for kind, turned, stays in ways:

                def part(what: str, done: int, of: int, before: int = len(found)) -> None:
                    tell(f"{what}, part {before + 1}", cost * (before * of + done) // (of * self._searches), cost)

                trigger = FAMILIES[kind]()
                random = context.random(self.name)
                costs, inversion = pairs.matrix(
                    turned, stays, x, labels, trigger, context.steps.pairs, _EACH, random, part
                )
                found.append(costs)
                passes += inversion.passes
        return torch.stack(found[::2]), torch.stack(found[1::2]), passes

    def run(self, tell: Tell) -> RoutineReport:
        """Search and judge."""
        context = self._context
        own, others, passes = self.matrices(tell)
        found = pairs.scores(own, others)
        nulls = calibration.pair_nulls(self.table, context.spec.budget, context.shape)
        verdict, target, sources = _judge_pairs(context, found, nulls)
        return RoutineReport(
            routine=self.name,
            title=self.title,
            outcome=verdict.outcome,
            reason=verdict.reason,
            p_value=verdict.verdict.p if verdict.verdict is not None else None,
            target=target,
            sources=sources,
            families=("all-to-all", "one source"),
            steps=passes,
            exhibits=exhibits.of_pairs(context, own, others),
        )


_PAIR_FAMILIES = ("additive", "patch")
_EACH, _LEAST_EACH = 8, 4
"""Samples of each pair; with fewer, some are taken twice."""


def _judge_pairs(context: Context, found: pairs.Scores, nulls: calibration.Nulls | None) -> tuple[Judgement, str, str]:
    if nulls is None:
        count = context.view.classes
        reason = f"no clean models of this kind, near {count} classes and this size of input, were calibrated"
        return Judgement(ProbeOutcome.INCONCLUSIVE, reason), "", ""
    p, kind = pairs.p_value(found, nulls.each)
    note = f"; {nulls.note}" if nulls.note else ""
    names = context.names
    verdict = Verdict(found.cell[1], 0.0, p, 0.0, (0.0, 0.0))
    if p > ALPHA:
        reason = f"no pair of classes is closer than in the references (p = {p:.2g}{note})"
        return Judgement(ProbeOutcome.NOTHING_FOUND, reason, verdict), "", ""
    if kind == "map":
        target, sources = "", "each to a class of its own"
        what = "each class has another one that it is closer to than in the references"
    else:
        target, sources = names[found.cell[1]], names[found.cell[0]]
        what = f"{sources} is closer to {target} than in the references"
    reason = f"{what} (p = {p:.2g}{note}); another way of training than the reference's can do this too"
    if nulls.shorter:
        return Judgement(ProbeOutcome.SUSPICIOUS, reason + SHORTER, verdict), target, sources
    return Judgement(ProbeOutcome.FLAGGED, reason, verdict), target, sources


def _report(
    routine: TriggerRoutine | MarginRoutine | ColumnsRoutine,
    context: Context,
    evidence: Evidence,
    judgement: Judgement,
    families: tuple[str, ...],
    shown: Sequence[Exhibit],
    trigger: str,
) -> RoutineReport:
    verdict = judgement.verdict
    held = evidence.success[verdict.place] if verdict is not None else None
    found = judgement.outcome in (ProbeOutcome.FLAGGED, ProbeOutcome.SUSPICIOUS)
    return RoutineReport(
        routine=routine.name,
        title=routine.title,
        outcome=judgement.outcome,
        reason=judgement.reason,
        p_value=verdict.p if verdict is not None and judgement.outcome is not ProbeOutcome.INCONCLUSIVE else None,
        target=context.names[verdict.place] if found and verdict is not None else "",
        trigger=trigger if found else "",
        success=held,
        families=families,
        steps=evidence.passes,
        exhibits=tuple(shown),
    )
