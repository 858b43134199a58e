"""Image and table classifiers: how well planted ones are told from honest ones, beside two published searches.

    python -m tools.probe_bench.image [--quick | --large] [--budget quick|standard]

Seeds from 300 on, which no calibration has seen; images also from a task of moved random fields. Each model is probed
with the samples that `context_of` gives it, all routines but pairs, corrected over classes and routines (Holm). The
strength of a model is its smallest corrected p; a routine that abstains adds none, a model without any counts as 1.
"""

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional

from modelscan_plus.core.probe import ProbeOutcome
from modelscan_plus.probe.combine import combine
from modelscan_plus.probe.interface import Budget, silent
from modelscan_plus.probe.inversion.view import View
from tools.probe_bench.figures import auc, interval, share
from tools.probe_calibrate import context_of, routines_of
from tools.probe_zoo import zoo

_ALL_TO_ONE = ("patch", "patch-small", "blend", "sinusoid", "warp", "filter", "input-aware", "clean-label")


@dataclass(frozen=True, slots=True)
class World:
    """A zoo of the test part: its arguments for `zoo.load`."""

    name: str
    seed: int
    clean: int
    each: int
    more: dict[str, Any]


_TABLES = [
    World("table", 301 + place, 6, 2, {"controls": 1, "classes": classes, "features": features})
    for place, (classes, features) in enumerate(((6, 16), (9, 28), (7, 20)))
]
_IMAGES = [
    *(World("digits", 301 + place, 8, 2, {"kinds": _ALL_TO_ONE, "controls": 1}) for place in range(3)),
    *(
        World("prototypes", 311 + place, 6, 1, {"kinds": _ALL_TO_ONE, "controls": 1, "classes": classes, "size": size})
        for place, (classes, size) in enumerate(((9, 11), (11, 14), (14, 9), (7, 12)))
    ),
]
_TREES = [
    World("trees", 321 + place, 4, 1, {"controls": 1, "count": 2400, "classes": classes, "features": features})
    for place, (classes, features) in enumerate(((6, 16), (7, 14), (9, 18)))
]
_LARGE = [
    World("signs", 331, 6, 1, {"kinds": _ALL_TO_ONE, "controls": 1, "size": 32, "kind": "vgg", "classes": 12}),
]
_QUICK = [World("digits", 101, 4, 1, {"kinds": ("patch", "blend", "warp"), "controls": 1})]


@dataclass(frozen=True, slots=True)
class Row:
    """One model, probed."""

    world: str
    model: zoo.ZooModel
    p: float
    outcome: ProbeOutcome
    target: str
    seconds: float
    raw: tuple[float, ...]
    """Each routine's own p."""

    @property
    def strength(self) -> float:
        """Larger is more suspicious."""
        return -self.p


def probed(world: str, model: zoo.ZooModel, budget: Budget) -> Row:
    """Search one model."""
    start = time.process_time()
    context = context_of(model, budget, [])
    if context is None:
        raise ValueError("samples were given")
    reports = combine([routine.run(silent) for routine in routines_of(context)])
    seconds = time.process_time() - start
    p = min((report.p_adjusted for report in reports if report.p_adjusted is not None), default=1.0)
    flagged = [report for report in reports if report.outcome is ProbeOutcome.FLAGGED]
    best = min(flagged, key=lambda report: report.p_adjusted or 0.0) if flagged else None
    outcome = ProbeOutcome.FLAGGED if best else max((r.outcome for r in reports), key=lambda found: found.rank)
    raw = tuple(report.p_value for report in reports if report.p_value is not None)
    return Row(world, model, p, outcome, best.target if best else "", seconds, raw)


def plain_neural_cleanse(view: View, x: torch.Tensor, steps: int = 300, images: int = 36) -> float:
    """CPU seconds of the search as published (Wang et al., S&P 2019), one class after the other: mask and pattern by
    Adam, the price of the mask by success."""
    start = time.process_time()
    x = x[torch.arange(images) % len(x)]
    for target in range(view.classes):
        mask = torch.full((1, 1, *view.sample[1:]), -2.0, requires_grad=True)
        pattern = torch.zeros((1, *view.sample), requires_grad=True)
        search, price = torch.optim.Adam([mask, pattern], lr=0.1, betas=(0.5, 0.9)), 1e-3
        for _ in range(steps):
            share = mask.sigmoid()
            logits = view.logits(x * (1 - share) + pattern.sigmoid() * share)
            wanted = torch.full((images,), target)
            loss = functional.cross_entropy(logits, wanted) + price * share.sum()
            search.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            search.step()
            price *= 1.2 if float((logits.argmax(1) == target).float().mean()) >= 0.99 else 1 / 1.2
    return time.process_time() - start


def published_margins(view: View, starts: int = 30, steps: int = 300) -> tuple[float, float]:
    """MM-BD as published (Wang et al., S&P 2024), one class after the other: the strength, log(1 - p) of
    the largest margin in a gamma law fitted to the others, and CPU seconds."""
    start = time.process_time()
    largest = []
    for target in range(view.classes):
        x = torch.rand(starts, *view.sample, requires_grad=True)
        search = torch.optim.SGD([x], lr=1e-2, momentum=0.2)
        for _ in range(steps):
            logits = view.logits(x.clamp(0, 1))
            others = logits.clone()
            others[:, target] = -torch.inf
            margin = logits[:, target] - others.max(1).values
            search.zero_grad()
            (-margin.sum()).backward()  # type: ignore[no-untyped-call]
            search.step()
        largest.append(float(margin.detach().max()))
    place = max(range(len(largest)), key=lambda at: largest[at])
    rest = torch.tensor([max(value, 1e-3) for at, value in enumerate(largest) if at != place])
    shape = (rest.mean() ** 2 / rest.var().clamp_min(1e-9)).double()
    tail = float(torch.special.gammaincc(shape, shape / rest.mean() * max(largest[place], 1e-3)))
    return len(largest) * math.log1p(-min(tail, 1 - 1e-12)), time.process_time() - start


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Lines of figures."""
    honest = [row for row in rows if row.model.trait.goal == "none"]
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.model.attack:
            groups[row.model.attack].append(row)
    failed = groups.pop("failed", [])
    clean = [row.strength for row in honest]
    yield f"honest {len(honest)}, of these hard negatives {sum(bool(row.model.control) for row in honest)}"
    yield f"implants that do not work and are left out: {len(failed)}"
    for name, group in groups.items():
        low, high = interval([row.strength for row in group], clean)
        hits = share(sum(row.outcome is ProbeOutcome.FLAGGED for row in group), len(group))
        yield f"{name}: AUC {auc([row.strength for row in group], clean):.3f} ({low:.3f} to {high:.3f}), flagged {hits}"
    planted = [row for group in groups.values() for row in group]
    if planted:
        low, high = interval([row.strength for row in planted], clean)
        middle = auc([row.strength for row in planted], clean)
        yield f"all {len(planted)}: AUC {middle:.3f} ({low:.3f} to {high:.3f})"
    flagged = [row for row in planted if row.outcome is ProbeOutcome.FLAGGED]
    right = sum(row.target == f"class {row.model.target}" for row in flagged)
    yield f"right target, of those flagged: {share(right, len(flagged))}"
    yield f"falsely flagged: {share(sum(row.outcome is ProbeOutcome.FLAGGED for row in honest), len(honest))}"
    yield f"honest with corrected p below 0.05: {share(sum(row.p < 0.05 for row in honest), len(honest))}"
    raw = [p for row in honest for p in row.raw]
    yield f"single p-values of honest models below 0.05: {share(sum(p < 0.05 for p in raw), len(raw))}"
    abstained = sum(not row.raw for row in planted)
    yield f"planted without any verdict: {share(abstained, len(planted))}"
    yield f"CPU seconds for each model: {sum(row.seconds for row in rows) / max(1, len(rows)):.2f}"


def _peers(rows: Sequence[Row], count: int) -> Iterator[str]:
    """The published searches on the first models of the image zoos."""
    chosen = [row for row in rows if not row.model.task.tabular]
    chosen = [
        *[r for r in chosen if r.model.attack][:count],
        *[r for r in chosen if r.model.trait.goal == "none"][:count],
    ]
    cleanse, margin, strengths = 0.0, 0.0, []
    for row in chosen:
        context = context_of(row.model, Budget.QUICK, [])
        if context is None or context.samples is None:
            continue
        torch.manual_seed(0)
        cleanse += plain_neural_cleanse(context.view, context.samples.x)
        strength, seconds = published_margins(context.view)
        margin += seconds
        strengths.append((strength, row))
    if not strengths:
        return
    own = sum(row.seconds for _, row in strengths)
    yield f"on {len(strengths)} models, CPU of this probe: {own:.1f} s"
    yield f"times that: Neural Cleanse {cleanse / own:.1f}, MM-BD {margin / own:.1f}"
    planted = [(one, row.strength) for one, row in strengths if row.model.attack not in ("", "failed")]
    honest = [(one, row.strength) for one, row in strengths if row.model.trait.goal == "none"]
    yield (
        f"AUC on these, {len(planted)} planted and {len(honest)} honest: MM-BD "
        f"{auc([a for a, _ in planted], [a for a, _ in honest]):.3f}, "
        f"this probe {auc([b for _, b in planted], [b for _, b in honest]):.3f}"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--budget", choices=("quick", "standard"), default="standard")
    given = parser.parse_args()
    torch.set_num_threads(1)
    worlds = _QUICK if given.quick else [*_IMAGES, *_TABLES, *_TREES, *(_LARGE if given.large else [])]
    rows: list[Row] = []
    for name in dict.fromkeys(world.name for world in worlds):
        for world in worlds:
            if world.name == name:
                models = zoo.load(name, world.seed, world.clean, world.each, **world.more)
                rows += [probed(name, model, Budget(given.budget)) for model in models]
        print(f"-- {name}, budget {given.budget}")
        print("\n".join(summary([row for row in rows if row.world == name])), flush=True)
    print("\n".join(_peers(rows, 2 if given.quick else 8)))


if __name__ == "__main__":
    main()
