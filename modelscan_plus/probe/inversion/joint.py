"""All searches of one model as one test: the class that stands out in most of them.

A trigger leaves its class cheap in several searches at once: a patch can be imitated by an additive pattern, and both
make the largest margin larger. So each class's standings are averaged, and the largest average is held against those of
honest models. Most of the error that the correction over routines allows (modelscan_plus/probe/combine.py) is its own.
"""

from collections.abc import Sequence

from modelscan_plus.core.probe import Bars, Exhibit, ProbeOutcome, RoutineReport, Table
from modelscan_plus.probe.combine import ALPHA, JOINT, SUSPICIOUS
from modelscan_plus.probe.interface import NotProbed, Tell
from modelscan_plus.probe.inversion import calibration
from modelscan_plus.probe.inversion.calibration import Chosen
from modelscan_plus.probe.inversion.context import Context, OnSamples
from modelscan_plus.probe.inversion.evidence import HELD_OUT, LEAST_CLASSES, graded
from modelscan_plus.probe.inversion.statistic import Verdict, foremost, standings, together
from modelscan_plus.probe.tidy import BARS


class JointRoutine(OnSamples):
    """Judges what the other routines of the context have found; comes after them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.name = "image" + JOINT
        self.title = "Together: the class that stands out in all searches"

    def cost(self) -> int:
        """Nothing is searched."""
        return 1

    def run(self, tell: Tell) -> RoutineReport:
        """Judge. Raises `NotProbed` where a search is missing or nothing was calibrated."""
        context = self._context
        classes, wanted = context.view.classes, context.searches
        if classes < LEAST_CLASSES:
            raise NotProbed(f"{classes} classes are too few to tell what is usual; {LEAST_CLASSES} are needed")
        if absent := [name for name in wanted if name not in context.found]:
            raise NotProbed(f"needs what {', '.join(absent)} found")
        budget, shape = context.spec.budget, context.shape
        chosen = calibration.prior(self.table, budget, shape)
        each = {name: calibration.prior(name, budget, shape) for name in wanted}
        known = {name: prior for name, prior in each.items() if prior is not None}
        if chosen is None or len(known) < len(wanted):
            raise NotProbed(
                f"no clean models of this kind, near {classes} classes and this size of input, were calibrated"
            )
        searches = [(context.found[name].log_costs, known[name].prior) for name in wanted]
        means = together(searches)
        verdict = foremost(means, chosen.prior)
        turned = [
            held
            for name in wanted
            if (held := context.found[name].success[verdict.place]) is not None
            and context.found[name].reached[verdict.place]
        ]
        outcome, reason = self._judged(verdict, chosen, max(turned, default=0.0))
        found = outcome in (ProbeOutcome.FLAGGED, ProbeOutcome.SUSPICIOUS)
        own = [standings(costs, prior)[verdict.place] for costs, prior in searches]
        return RoutineReport(
            routine=self.name,
            title=self.title,
            outcome=outcome,
            reason=reason,
            p_value=None if outcome is ProbeOutcome.INCONCLUSIVE else verdict.p,
            target=context.names[verdict.place] if found else "",
            success=max(turned, default=None),
            exhibits=tuple(_exhibits(context, means, verdict, list(zip(wanted, own, strict=True)))),
        )

    def _judged(self, verdict: Verdict, chosen: Chosen, turned: float) -> tuple[ProbeOutcome, str]:
        name = self._context.names[verdict.place]
        note = f"; {chosen.note}" if chosen.note else ""
        if verdict.p > (SUSPICIOUS if turned >= HELD_OUT else ALPHA):
            reason = f"no class stands out in all searches together (p = {verdict.p:.2g}{note})"
            return ProbeOutcome.NOTHING_FOUND, reason
        if turned < HELD_OUT:
            reason = f"{name} stands out (p = {verdict.p:.2g}{note}), but no trigger turns more than {turned:.0%} of "
            return ProbeOutcome.INCONCLUSIVE, reason + "the unseen samples"
        reason = (
            f"{name} is easier to reach than the other classes in all searches together (p = {verdict.p:.2g}{note})"
        )
        return graded(verdict.p, chosen, reason)


def _exhibits(
    context: Context, means: Sequence[float], verdict: Verdict, own: Sequence[tuple[str, float]]
) -> list[Exhibit]:
    shown = tuple(round(value, 3) for value in means)[:BARS]
    place, name = verdict.place, context.names[verdict.place]
    return [
        Bars(
            title="How far each class stands out, on average over the searches",
            labels=tuple(context.names[: len(shown)]),
            values=shown,
            unit="standard deviations",
            band=(round(verdict.band[0], 3), round(verdict.band[1], 3)),
            marked=(place,) if place < len(shown) else (),
            caption="the band holds 95 of 100 classes of clean models",
        ),
        Table(
            title=f"{name} in each search",
            columns=("search", "standard deviations below the other classes"),
            rows=tuple((search, f"{value:.2f}") for search, value in own),
        ),
    ]
