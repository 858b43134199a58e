"""`make calibrate-probe`: measure clean models of the development zoos, and write the table that p-values rest on.

    python -m tools.probe_calibrate [--jobs N] [--out FILE] [GROUP…]

Only honest models count: plain ones and hard negatives (stamped but correctly labelled, label noise, adversarial
training, other recipes). Seeds below 100 are for calibration and development, those from 100 on for the benchmark.
"""

import argparse
import json
import multiprocessing
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from modelscan_plus.probe.interface import Budget, Spec, silent
from modelscan_plus.probe.inversion import statistic
from modelscan_plus.probe.inversion.calibration import PAIR_KINDS, TABLE
from modelscan_plus.probe.inversion.context import Context, divide
from modelscan_plus.probe.inversion.impressions import GOOD, impressions
from modelscan_plus.probe.inversion.pairs import scores
from modelscan_plus.probe.inversion.routines import (
    PAIRED_CLASSES,
    MarginRoutine,
    PairsRoutine,
    TreesRoutine,
    TriggerRoutine,
)
from modelscan_plus.probe.inversion.view import View
from tools.probe_zoo import zoo

OUT = Path("modelscan_plus/probe/data") / TABLE
EACH = 4
"""Samples of a class: half to search with, half to try triggers on."""
ROWS = 20
"""The same for tables."""


@dataclass(frozen=True)
class Group:
    """Zoos of one kind."""

    world: str
    classes: int
    seeds: tuple[int, ...]
    clean: int
    """Of each seed."""
    controls: int
    kind: str = "cnn"
    arguments: dict[str, Any] = field(default_factory=dict)

    def load(self, seed: int) -> list[zoo.ZooModel]:
        """Its models of one seed."""
        return zoo.load(
            self.world,
            seed,
            self.clean,
            0,
            kind=self.kind,
            classes=self.classes,
            controls=self.controls,
            kinds=(),
            **self.arguments,
        )


GROUPS = {
    "digits": Group("digits", 10, (1, 2), 24, 4),
    "digits-6": Group("digits", 6, (3,), 24, 4),
    "prototypes-24": Group("prototypes", 24, (4,), 16, 3, arguments={"size": 10}),
    "table": Group("table", 6, (1, 2, 3), 16, 3),
    "table-10": Group("table", 10, (4, 5), 16, 3, arguments={"features": 30}),
    "trees": Group("trees", 6, (1, 2), 16, 4),
    "signs-cnn": Group("signs", 8, (1, 2), 12, 2),
    "signs-vgg": Group("signs", 8, (3, 4), 12, 2, kind="vgg"),
    "signs-43": Group("signs", 43, (5,), 8, 1, arguments={"count": 6000}),
    "signs-32": Group("signs", 12, (6,), 8, 1, arguments={"size": 32}),
}


def view_of(model: zoo.ZooModel, rows: torch.Tensor) -> View:
    """As the domain makes one."""
    network: Any = model.network if isinstance(model.network, nn.Module) else _asked(model.network)
    if not model.task.tabular:
        return View(network, model.task.shape, model.task.classes, torch.tensor(0.0), torch.tensor(1.0))
    low, high = rows.amin(0), rows.amax(0)
    margin = 0.25 * (high - low)
    high = torch.where(high - low > 0, high + margin, low + 1)
    return View(network, model.task.shape, model.task.classes, low - margin, high)


def _asked(forest: Any) -> Any:
    """A fitted ensemble as a function from rows to logarithms of shares."""
    return lambda x: torch.tensor(forest.predict_proba(x.numpy()), dtype=torch.float32).clamp_min(1e-9).log()


def context_of(
    model: zoo.ZooModel, budget: Budget, references: list[zoo.ZooModel], *, made: bool = False, seed: int = 0
) -> Context | None:
    """The model as a probe has it, with samples, or `made` class impressions; None where those did not succeed."""
    x, labels = model.samples(ROWS if model.task.tabular else EACH, seed=7)
    view = view_of(model, x)
    context = Context(view, Spec(budget, seed))
    if made:
        x, labels, _ = impressions(view, EACH, context.steps.impressions, context.random("impressions"))
        good = labels >= 0
        if float(good.float().mean()) < GOOD:
            return None
        x, labels = x[good], labels[good]
        context.impressions = True
    else:
        x = view.to_unit(x)
    context.samples = divide(view, x, labels, most=20, unseen=20)
    context.references = [View(other.network, *_rest(view)) for other in references]
    return context


def _rest(view: View) -> tuple[Any, ...]:
    return view.sample, view.classes, view.low, view.high, view.layout, view.chunk


def routines_of(model: zoo.ZooModel, context: Context) -> list[TriggerRoutine | MarginRoutine | TreesRoutine]:
    """All but pairs."""
    if model.name.startswith("trees"):
        return [TreesRoutine(context)]
    if context.view.tabular:
        return [MarginRoutine(context), TriggerRoutine(context, "feature-value")]
    kinds = ("patch", "additive", "warp", "filter")
    triggers = [TriggerRoutine(context, kind) for kind in kinds]
    return triggers if context.impressions else [MarginRoutine(context), *triggers]


def measure(model: zoo.ZooModel, budget: Budget, reference: zoo.ZooModel) -> dict[str, Any]:
    """Log costs of all routines on one clean model, and the statistics of its pairs beside another."""
    result: dict[str, Any] = {}
    for made in (False,) if model.task.tabular else (False, True):
        context = context_of(model, budget, [reference], made=made)
        if context is None:
            continue
        for routine in routines_of(model, context):
            result[routine.table] = list(routine.search(silent).log_costs)
        paired = PairsRoutine(context)
        if model.task.classes <= PAIRED_CLASSES and not made and isinstance(model.network, nn.Module):
            own, others, _ = paired.matrices(silent)
            for kind, value in zip(PAIR_KINDS, scores(own, others).values, strict=True):
                result[f"{paired.table}/{kind}"] = value
    return result


def _job(job: tuple[str, int]) -> tuple[str, dict[str, list[Any]], tuple[int, ...]]:
    name, seed = job
    torch.set_num_threads(1)
    models = GROUPS[name].load(seed)
    found: dict[str, list[Any]] = defaultdict(list)
    for budget in (Budget.QUICK, Budget.STANDARD):
        for place, model in enumerate(models):
            for key, value in measure(model, budget, models[(place + 1) % GROUPS[name].clean]).items():
                found[f"{budget.value}:{key}"].append(value)
    print(name, seed, "measured", file=sys.stderr, flush=True)
    return name, dict(found), models[0].task.shape


def entries(found: dict[str, dict[str, list[Any]]], shapes: dict[str, tuple[int, ...]]) -> Iterator[dict[str, Any]]:
    """Rows of the table."""
    for name in sorted(found):
        shape = shapes[name]
        side = float(shape[0]) if len(shape) == 1 else (shape[1] * shape[2]) ** 0.5
        for key in sorted(found[name]):
            budget, _, routine = key.partition(":")
            values = found[name][key]
            if len(values) < 8:
                continue
            prior = (
                statistic.fit(values)
                if isinstance(values[0], list)
                else statistic.Prior(0.0, 0.0, *statistic.spread(values))
            )
            yield {
                "group": name,
                "routine": routine,
                "budget": budget,
                "kind": "tabular" if len(shape) == 1 else "image",
                "classes": GROUPS[name].classes,
                "side": side,
                "models": len(values),
                "variance": round(prior.variance, 5),
                "weight": round(prior.weight, 3),
                "shift": round(prior.shift, 4),
                "scale": round(prior.scale, 4),
            }


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("groups", nargs="*", default=list(GROUPS))
    options = parser.parse_args()
    jobs = [(name, seed) for name in options.groups for seed in GROUPS[name].seeds]
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    shapes: dict[str, tuple[int, ...]] = {}
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for name, measured, shape in pool.imap_unordered(_job, jobs, chunksize=1):
            shapes[name] = shape
            for key, values in measured.items():
                found[name][key] += values
    kept = json.loads(options.out.read_text())["entries"] if options.out.exists() else []
    rows = [row for row in kept if row["group"] not in options.groups] + list(entries(found, shapes))
    rows.sort(key=lambda row: (row["routine"], row["budget"], row["group"]))
    text = ",\n".join("  " + json.dumps(row) for row in rows)
    options.out.write_text(f'{{"entries": [\n{text}\n]}}\n')
    print(f"{options.out}: {len(rows)} entries")


if __name__ == "__main__":
    main()
