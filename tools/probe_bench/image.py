"""Image and table classifiers: how well planted ones are told from honest ones, beside two published searches.

    python -m tools.probe_bench.image [--quick | --large] [--budget quick|standard] [--rows FILE] [PART…]

Parts: "digits", "fields" and "conv" (images), "rows" and "forests" (tables), "pairs" (triggers for one source class, or
of each class to the next, beside one honest reference). Seeds from 400 on, which neither a calibration nor a choice has
seen; but for digits, other numbers of classes and sizes too. Each model is probed with the samples that `context_of`
gives it, corrected over classes and routines (Holm); images of perceptrons once more without samples. The strength of a
model is its smallest corrected p; a routine that abstains adds none, a model without any counts as 1. `--rows` keeps
what was measured, so that a run that was cut off goes on from there.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from modelscan_plus.core.probe import ProbeOutcome, RoutineReport
from modelscan_plus.probe.combine import combine, overall
from modelscan_plus.probe.interface import Budget, NotProbed, Routine, silent
from modelscan_plus.probe.inversion.joint import JointRoutine
from modelscan_plus.probe.inversion.routines import MarginRoutine, PairsRoutine
from tools.probe_bench.figures import auc, ranked, share
from tools.probe_bench.keep import Kept
from tools.probe_bench.peers import maximum_margin, neural_cleanse
from tools.probe_calibrate import PAIRED, context_of, routines_of
from tools.probe_zoo import zoo

_ALL_TO_ONE = ("patch", "patch-small", "blend", "sinusoid", "warp", "filter", "input-aware", "clean-label")
_PAIRED = ("all-to-all", "source-specific")
_FLAGGED, _SUSPICIOUS = ProbeOutcome.FLAGGED.value, ProbeOutcome.SUSPICIOUS.value


@dataclass(frozen=True, slots=True)
class World:
    """A zoo of the test part: its arguments for `zoo.load`."""

    part: str
    name: str
    seed: int
    clean: int
    each: int
    more: dict[str, Any]
    peers: int = 0
    """Planted and honest models that the published searches are run on, of each so many."""
    bare: bool = False
    """Whether its models are probed once more, without samples."""


def _images(part: str, name: str, seed: int, clean: int, each: int, *, peers: int = 0, **more: Any) -> World:
    return World(part, name, seed, clean, each, {"kinds": _ALL_TO_ONE, "controls": 1, **more}, peers, bare=peers > 0)


_WORLDS = [
    *(_images("digits", "digits", 401 + place, 8, 2, peers=(3, 0)[place]) for place in range(2)),
    *(
        _images("fields", "prototypes", 411 + place, 6, 1, peers=peers, classes=classes, size=size)
        for place, (classes, size, peers) in enumerate(((9, 11, 2), (11, 14, 1), (14, 9, 0), (7, 12, 0)))
    ),
    *(
        _images("conv", "signs", 431 + place, 5, 1, classes=classes, size=size, kind=kind)
        for place, (classes, size, kind) in enumerate(((9, 14, "vgg"), (11, 12, "resnet")))
    ),
    *(
        World("rows", "table", 501 + place, 6, 2, {"controls": 1, "classes": classes, "features": features})
        for place, (classes, features) in enumerate(((6, 16), (9, 28), (7, 20)))
    ),
    *(
        World("forests", "trees", 521 + place, 4, 2, {"controls": 1, "count": 2400, "classes": k, "features": features})
        for place, (k, features) in enumerate(((6, 16), (7, 14), (9, 18)))
    ),
    *(World("pairs", "digits", 464 + place, 7, 4, {"kinds": _PAIRED, "controls": 1}) for place in range(2)),
    World("pairs", "prototypes", 466, 7, 4, {"kinds": _PAIRED, "controls": 1, "classes": 8, "size": 11}),
]
_LARGE = [_images("large", "signs", 451, 6, 1, peers=1, size=32, kind="vgg", classes=12)]
_QUICK = [
    _images("digits", "digits", 101, 4, 1, peers=1, kinds=("patch", "blend", "warp")),
    World("rows", "table", 101, 4, 1, {"controls": 1, "classes": 6, "features": 16}),
    World("forests", "trees", 101, 2, 1, {"controls": 1, "count": 1200, "classes": 5, "features": 12}),
    World("pairs", "digits", 102, 3, 1, {"kinds": _PAIRED, "controls": 0}),
]


@dataclass(frozen=True, slots=True)
class Row:
    """One model, probed."""

    part: str
    attack: str
    """"" for honest models, "failed" for implants that do not work."""
    hard: bool
    p: float
    outcome: str
    right: bool
    """Flagged, and for what was planted."""
    seconds: float
    raw: tuple[float, ...]
    """Each routine's own p."""
    peers: dict[str, float] = field(default_factory=dict)

    @property
    def strength(self) -> float:
        """Larger is more suspicious."""
        return -self.p


def _row(part: str, model: zoo.ZooModel, reports: Sequence[RoutineReport], seconds: float) -> Row:
    reports = combine(reports)
    p = min((report.p_adjusted for report in reports if report.p_adjusted is not None), default=1.0)
    flagged = [report for report in reports if report.outcome is ProbeOutcome.FLAGGED]
    best = min(flagged, key=lambda report: report.p_adjusted or 0.0) if flagged else None
    worst = overall(reports)[0]
    raw = tuple(report.p_value for report in reports if report.p_value is not None)
    right = best is not None and _meant(model, best)
    return Row(part, model.attack, bool(model.control), p, worst.value, right, seconds, raw)


def _meant(model: zoo.ZooModel, report: RoutineReport) -> bool:
    if model.trait.goal == "next":
        return report.sources == "each to a class of its own"
    source = f"class {model.source}" if model.source is not None else ""
    return report.target == f"class {model.target}" and report.sources == source


def _reports(routines: Sequence[Routine]) -> list[RoutineReport]:
    """As the child gives them."""
    found = []
    for routine in routines:
        try:
            found.append(routine.run(silent))
        except NotProbed as error:
            found.append(
                RoutineReport(routine=routine.name, title=routine.title, outcome=error.outcome, reason=error.reason)
            )
    return found


def probed(part: str, model: zoo.ZooModel, budget: Budget, *, made: bool = False, peers: bool = False) -> Row:
    """Search one model, with samples or with impressions that are `made` of it; run the published searches too."""
    start = time.process_time()
    context = context_of(model, budget, [], made=made)
    if context is None:
        return Row(part, model.attack, bool(model.control), 1.0, "inconclusive", False, time.process_time() - start, ())
    routines: list[Routine] = [*routines_of(context)]
    if context.impressions:
        # It needs no samples, so its table is the same, and it is not calibrated twice.
        routines.insert(0, MarginRoutine(context))
    if not context.view.tabular:
        routines.append(JointRoutine(context))
    reports = _reports(routines)
    row = _row(part, model, reports, time.process_time() - start)
    if not peers or context.samples is None:
        return row
    torch.manual_seed(0)
    index, cleanse = neural_cleanse(context.view, context.samples.x)
    strength, margin = maximum_margin(context.view)
    found = {"cleanse": index, "cleanse s": cleanse, "margin": strength, "margin s": margin}
    return Row(**{**asdict(row), "peers": found})


def paired(model: zoo.ZooModel, reference: zoo.ZooModel, budget: Budget) -> Row:
    """Search the pairs of one model beside an honest one of its task."""
    start = time.process_time()
    context = context_of(model, budget, [reference], each=PAIRED)
    reports = [] if context is None else _reports([PairsRoutine(context)])
    return _row("pairs", model, reports, time.process_time() - start)


def measure(world: World, budget: Budget) -> dict[str, Any]:
    """All rows of one world, as they are kept."""
    models = zoo.load(world.name, world.seed, world.clean, world.each, **world.more)
    if world.part == "pairs":
        reference, *others = models
        return {"rows": [asdict(paired(model, reference, budget)) for model in others]}
    rows, left = [], {True: world.peers, False: world.peers}
    for model in models:
        planted = bool(model.attack)
        peers = left[planted] > 0 and model.attack != "failed"
        left[planted] -= peers
        rows.append(probed(world.part, model, budget, peers=peers))
        if world.bare:
            rows.append(probed(f"{world.part}, no samples", model, budget, made=True))
    return {"rows": [asdict(row) for row in rows]}


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Lines of figures on one part."""
    honest = [row for row in rows if not row.attack]
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.attack:
            groups[row.attack].append(row)
    failed = groups.pop("failed", [])
    clean = [row.strength for row in honest]
    yield f"honest {len(honest)}, of these hard negatives {sum(row.hard for row in honest)}"
    yield f"implants that do not work and are left out: {len(failed)}"
    planted = [row for group in groups.values() for row in group]
    for name, group in [*groups.items(), ("all", planted)]:
        strengths = [row.strength for row in group]
        hits = share(sum(row.outcome == _FLAGGED for row in group), len(group))
        yield f"{name}: {ranked(strengths, clean)}, flagged {hits}"
    flagged = [row for row in planted if row.outcome == _FLAGGED]
    yield f"right target, of those flagged: {share(sum(row.right for row in flagged), len(flagged))}"
    doubtful = [sum(row.outcome == _SUSPICIOUS for row in some) for some in (planted, honest)]
    yield f"suspicious: {doubtful[0]} planted, {doubtful[1]} honest"
    yield f"falsely flagged: {share(sum(row.outcome == _FLAGGED for row in honest), len(honest))}"
    yield f"honest with corrected p below 0.05: {share(sum(row.p < 0.05 for row in honest), len(honest))}"
    raw = [p for row in honest for p in row.raw]
    yield f"single p-values of honest models below 0.05: {share(sum(p < 0.05 for p in raw), len(raw))}"
    yield f"planted without any verdict: {share(sum(not row.raw for row in planted), len(planted))}"
    yield f"CPU seconds for each model: {sum(row.seconds for row in rows) / max(1, len(rows)):.2f}"


def beside_peers(rows: Sequence[Row]) -> Iterator[str]:
    """The published searches on the models that they were run on."""
    chosen = [row for row in rows if row.peers]
    planted, honest = [row for row in chosen if row.attack], [row for row in chosen if not row.attack]
    own = sum(row.seconds for row in chosen)
    if not planted or not honest:
        return
    yield f"on {len(planted)} planted and {len(honest)} honest models, CPU of this probe {own:.1f} s"
    area = auc([row.strength for row in planted], [row.strength for row in honest])
    yield f"this probe: AUC {area:.3f}, falsely flagged {sum(row.outcome == _FLAGGED for row in honest)}"
    for name, key in (("Neural Cleanse", "cleanse"), ("MM-BD", "margin")):
        times = sum(row.peers[f"{key} s"] for row in chosen) / own
        area = auc([row.peers[key] for row in planted], [row.peers[key] for row in honest])
        yield f"{name}: CPU {times:.1f} times that, AUC {area:.3f}"
    above = sum(row.peers["cleanse"] > _INDEX for row in honest)
    yield f"honest models with an anomaly index above 2: {share(above, len(honest))}"


_INDEX = 2.0
"""Above it, Neural Cleanse's own rule flags."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small zoos: about a minute")
    parser.add_argument("--large", action="store_true", help="a network on 32 x 32 images, too")
    parser.add_argument("--budget", choices=("quick", "standard"), default="quick")
    parser.add_argument("--rows", type=Path)
    parser.add_argument("parts", nargs="*", metavar="PART")
    given = parser.parse_args()
    torch.set_num_threads(1)
    kept = Kept(given.rows)
    worlds = _QUICK if given.quick else [*_WORLDS, *(_LARGE if given.large else [])]
    rows: list[Row] = []
    for world in worlds:
        if not given.parts or world.part in given.parts:
            found = kept.get(f"{given.budget} {world}", lambda world=world: measure(world, Budget(given.budget)))  # type: ignore[misc]
            rows += [Row(**row) for row in found["rows"]]
    for part in dict.fromkeys(row.part for row in rows):
        print(f"-- {part}, budget {given.budget}")
        print("\n".join(summary([row for row in rows if row.part == part])), flush=True)
    for title, conv in (("perceptrons", False), ("convolutions", True)):
        lines = list(beside_peers([row for row in rows if (row.part in ("conv", "large")) is conv]))
        if lines:
            print("\n".join([f"-- beside published searches, {title}", *lines]))


if __name__ == "__main__":
    main()
