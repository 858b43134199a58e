"""`make calibrate-probe`: measure clean models of the development zoos, and write the table that p-values rest on.

    python -m tools.probe_calibrate [--jobs N] [--out FILE] [--keep FILE] [KIND…]

Many tasks with a few models each: a null of one task does not tell how models of another behave. Kinds are "digits",
"prototypes", "signs", "table" and "trees"; with some of them only their entries are written anew. At the end the share
of p-values below 0.05 is printed for the models of each zoo, judged by a null from which their zoo was left out.
Only honest models count: plain ones and hard negatives (stamped but correctly labelled, label noise, adversarial
training, other recipes). Seeds below 100 are for calibration and development, those from 100 on for the benchmark.
"""

import argparse
import json
import math
import multiprocessing
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from modelscan_plus.probe.combine import ALPHA
from modelscan_plus.probe.interface import Budget, Spec, silent
from modelscan_plus.probe.inversion import statistic
from modelscan_plus.probe.inversion.calibration import PAIR_KINDS, TABLE
from modelscan_plus.probe.inversion.context import Context, divide
from modelscan_plus.probe.inversion.impressions import GOOD, impressions
from modelscan_plus.probe.inversion.pairs import scores
from modelscan_plus.probe.inversion.routines import (
    FAMILIES,
    PAIRED_LEAST,
    ColumnsRoutine,
    MarginRoutine,
    PairsRoutine,
    TriggerRoutine,
)
from modelscan_plus.probe.inversion.view import View
from tools import probe_stack
from tools.probe_zoo import zoo

OUT = Path("modelscan_plus/probe/data") / TABLE
EACH = 4
"""Samples of a class: half to search with, half to try triggers on."""
ROWS = 20
"""The same for tables."""


PAIRED = 16
"""The same for pairs of classes."""


@dataclass(frozen=True)
class Zoo:
    """One task with its honest models."""

    world: str
    seed: int
    classes: int
    clean: int
    controls: int
    kind: str = "cnn"
    arguments: dict[str, Any] = field(default_factory=dict)
    short: bool = False
    """Measured at the budget quick alone and without pairs: one more task for the tails there."""

    @property
    def name(self) -> str:
        """For messages, and to tell tasks apart."""
        more = "".join(f"-{value}" for value in self.arguments.values())
        return f"{self.world}-{self.seed}-{self.classes}{more}-{self.kind}"

    def load(self) -> list[zoo.ZooModel]:
        """Its models."""
        return zoo.load(
            self.world,
            self.seed,
            self.clean,
            0,
            kind=self.kind,
            classes=self.classes,
            controls=self.controls,
            kinds=(),
            **self.arguments,
        )


_FIELDS = ((5, 8, 1), (6, 12, 3), (8, 10, 1), (10, 12, 1), (10, 16, 3), (12, 10, 1), (16, 12, 1), (24, 10, 1))
_MORE_FIELDS = ((18, 10, 1), (13, 12, 1), (28, 12, 1), (20, 12, 1))
_MORE_TABLES = ((5, 14), (6, 20), (7, 16), (8, 24), (9, 12), (10, 28), (11, 18), (12, 22))
_SIGNS = ((6, 16, "cnn"), (8, 12, "vgg"), (10, 12, "resnet"), (12, 12, "cnn"), (8, 16, "vgg"))
_TABLES = (
    (5, 12),
    (6, 16),
    (6, 24),
    (8, 16),
    (8, 30),
    (10, 20),
    (10, 30),
    (12, 40),
    (7, 10),
    (5, 20),
    (6, 12),
    (9, 24),
)
ZOOS = [
    *(Zoo("table", 1 + at, k, 5, 1, arguments={"features": f}) for at, (k, f) in enumerate(_TABLES)),
    *(Zoo("trees", 1 + at, k, 4, 1, arguments={"features": f, "count": 2400}) for at, (k, f) in enumerate(_TABLES[:5])),
    *(Zoo("digits", seed, k, 6, 1) for seed, k in ((1, 10), (2, 10), (3, 6), (4, 8))),
    *(
        Zoo("prototypes", 11 + at, k, 4, 1, arguments={"size": size, "channels": channels})
        for at, (k, size, channels) in enumerate(_FIELDS)
    ),
    *(
        Zoo("prototypes", 19 + at, k, 4, 1, arguments={"size": size, "channels": channels}, short=True)
        for at, (k, size, channels) in enumerate(_MORE_FIELDS)
    ),
    *(Zoo("table", 13 + at, k, 5, 1, arguments={"features": f}, short=True) for at, (k, f) in enumerate(_MORE_TABLES)),
    *(
        Zoo("trees", 8 + at, k, 4, 1, arguments={"features": f, "count": 2400}, short=True)
        for at, (k, f) in enumerate(_MORE_TABLES[:6])
    ),
    *(Zoo("signs", 31 + at, k, 2, 1, kind, {"size": size}) for at, (k, size, kind) in enumerate(_SIGNS)),
]


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
    model: zoo.ZooModel,
    budget: Budget,
    references: list[zoo.ZooModel],
    *,
    made: bool = False,
    seed: int = 0,
    each: int | None = None,
) -> Context | None:
    """The model as a probe has it, with `each` samples of a class, or `made` class impressions; None where those did
    not succeed."""
    x, labels = model.samples(each or (ROWS if model.task.tabular else EACH), seed=7)
    view = view_of(model, x)
    context = Context(view, Spec(budget, seed), splits=splits_of(model, view))
    if isinstance(model.network, nn.Module):
        context.convolutional = any(isinstance(layer, nn.Conv2d) for layer in model.network.modules())
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


def splits_of(model: zoo.ZooModel, view: View) -> list[torch.Tensor] | None:
    """As the domain gets them from a file; None for networks."""
    if isinstance(model.network, nn.Module):
        return None
    columns, thresholds = _nodes(model.network)
    return [
        (torch.tensor(np.unique(thresholds[columns == place])).float() - view.low[place])
        / (view.high[place] - view.low[place])
        for place in range(view.sample[0])
    ]


def _nodes(ensemble: Any) -> tuple[Any, Any]:
    """Of every inner node, the column and the threshold."""
    if hasattr(ensemble, "_predictors"):
        every = np.concatenate([tree.nodes for tree in np.asarray(ensemble._predictors, dtype=object).ravel()])
        inner = every[every["is_leaf"] == 0]
        return inner["feature_idx"], inner["num_threshold"]
    trees = [tree.tree_ for tree in np.asarray(ensemble.estimators_, dtype=object).ravel()]
    return np.concatenate([tree.feature for tree in trees]), np.concatenate([tree.threshold for tree in trees])


def _rest(view: View) -> tuple[Any, ...]:
    return view.sample, view.classes, view.low, view.high, view.layout, view.chunk


def routines_of(context: Context) -> list[TriggerRoutine | MarginRoutine | ColumnsRoutine]:
    """All but pairs."""
    if context.view.tabular:
        return [ColumnsRoutine(context)]
    kinds = ("patch", "additive", "warp", "filter")
    triggers = [TriggerRoutine(context, kind) for kind in kinds]
    return triggers if context.impressions else [MarginRoutine(context), *triggers]


def measure(models: Sequence[zoo.ZooModel], budget: Budget, *, made: bool) -> dict[str, list[Any]]:
    """Log costs of all routines on the clean models of one zoo."""
    result: dict[str, list[Any]] = defaultdict(list)
    contexts = [found for model in models if (found := context_of(model, budget, [], made=made)) is not None]
    if not contexts:
        return result
    stacked = probe_stack.fits(contexts)
    for context in contexts:
        for routine in routines_of(context):
            if not stacked or not isinstance(routine, TriggerRoutine):
                result[routine.table].append(list(routine.search(silent).log_costs))
    if stacked:
        for kind in FAMILIES:
            result[TriggerRoutine(contexts[0], kind).table] += probe_stack.log_costs(contexts, kind)
    return result


def measure_pairs(model: zoo.ZooModel, budget: Budget, reference: zoo.ZooModel) -> dict[str, float]:
    """The statistics of its pairs beside another one."""
    if not PAIRED_LEAST <= model.task.classes <= PAIRED_MOST:
        return {}
    context = context_of(model, budget, [reference], each=PAIRED)
    if context is None:
        return {}
    routine = PairsRoutine(context)
    values = scores(*routine.matrices(silent)[:2]).values
    return {f"{routine.table}/{kind}": value for kind, value in zip(PAIR_KINDS, values, strict=True)}


PAIRED_MOST = 10
"""Classes of the models whose pairs are measured; more take long."""


def _job(job: Zoo) -> dict[str, Any]:
    """What is kept of one zoo."""
    torch.set_num_threads(1)
    start = time.process_time()
    models = job.load()
    paired = PAIRED_MODELS if not (models[0].task.tabular or job.short or job.world == "signs") else 0
    found: dict[str, list[Any]] = defaultdict(list)
    for budget in (Budget.QUICK,) if job.short else (Budget.QUICK, Budget.STANDARD):
        # Convolutions take long, and costs at the longer budget are steadier.
        some = models[::2] if budget is Budget.STANDARD and job.world == "signs" else models
        for made in (False,) if models[0].task.tabular else (False, True):
            for key, values in measure(some, budget, made=made).items():
                found[f"{budget.value}:{key}"] += values
        for place, model in enumerate(models[:paired]):
            for key, value in measure_pairs(model, budget, models[(place + 1) % job.clean]).items():
                found[f"{budget.value}:{key}"].append(value)
    seconds = time.process_time() - start
    print(f"{job.name}: {len(models)} models, {seconds:.0f} CPU seconds", file=sys.stderr, flush=True)
    return {"zoo": job.name, "world": job.world, "shape": models[0].task.shape, "classes": job.classes, "found": found}


PAIRED_MODELS = 8
"""Of each zoo."""


def _side(shape: Sequence[int]) -> float:
    return float(shape[0]) if len(shape) == 1 else math.sqrt(shape[1] * shape[2])


def pooled(measured: Sequence[dict[str, Any]]) -> dict[str, list[tuple[dict[str, Any], Any]]]:
    """By kind, budget and routine: each model's zoo and what was measured on it. Convolutions have a null of their own:
    their margins and costs are not spread as those of perceptrons."""
    result: dict[str, list[tuple[dict[str, Any], Any]]] = defaultdict(list)
    for one in measured:
        for key, values in one["found"].items():
            kind = "tabular" if len(one["shape"]) == 1 else "image"
            result[f"{kind}{'-conv' if one['world'] == 'signs' else ''}:{key}"] += [(one, value) for value in values]
    return result


JOINTS = {
    "image-joint": ("image-margin", "image-patch", "image-additive", "image-warp", "image-filter"),
    "image-joint+impressions": (
        "image-margin",
        *(f"image-{kind}+impressions" for kind in ("patch", "additive", "warp", "filter")),
    ),
}
"""The searches that are judged together, as `Context.searches` names them."""


Joined = tuple[dict[str, Any], list[tuple[str, list[float]]]]
"""A model's zoo, and its log costs in each search."""


def joined(pools: dict[str, list[tuple[dict[str, Any], Any]]]) -> dict[str, list[Joined]]:
    """By kind, budget and joint test: each model's log costs in all of its searches."""
    result: dict[str, list[Joined]] = {}
    for place in sorted({key.rpartition(":")[0] for key in pools}):
        for name, searches in JOINTS.items():
            keys = [f"{place}:{search}" for search in searches]
            if not all(key in pools for key in keys):
                continue
            counts = [Counter(one["zoo"] for one, _ in pools[key]) for key in keys]
            # Where a model was left out of one search, its zoo's rows cannot be put side by side.
            whole = {zoo for zoo in counts[0] if len({count[zoo] for count in counts}) == 1}
            columns = [[row for row in pools[key] if row[0]["zoo"] in whole] for key in keys]
            result[f"{place}:{name}"] = [
                (rows[0][0], [(key, costs) for key, (_, costs) in zip(keys, rows, strict=True)])
                for rows in zip(*columns, strict=True)
            ]
    return result


def _means(rows: Sequence[Joined], priors: dict[str, statistic.Prior]) -> list[list[float]]:
    return [statistic.together([(costs, priors[key]) for key, costs in searches]) for _, searches in rows]


def _fit_joint(rows: Sequence[Joined], priors: dict[str, statistic.Prior]) -> statistic.Prior:
    return statistic.fit_together(_means(rows, priors), [one["zoo"] for one, _ in rows])


def _judge(key: str) -> statistic.Judge:
    """As the routine does."""
    return statistic.lead if key.startswith("tabular:") else statistic.outlier


def _fit(key: str, rows: Sequence[tuple[dict[str, Any], Any]]) -> statistic.Prior:
    values, names = [value for _, value in rows], [one["zoo"] for one, _ in rows]
    if isinstance(values[0], list):
        return statistic.fit(values, names, _judge(key))
    return statistic.Prior(0.0, 0.0, statistic.null(values, names))


def entries(measured: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of the table."""
    pools = {key: rows for key, rows in pooled(measured).items() if _enough(rows)}
    priors = {key: _fit(key, rows) for key, rows in pools.items()}
    for key, rows in sorted(pools.items()):
        yield _entry(key, rows, priors[key])
    for key, rows in joined(pools).items():
        yield _entry(key, rows, _fit_joint(rows, priors))


def _enough(rows: Sequence[tuple[dict[str, Any], Any]]) -> bool:
    return len(rows) >= _LEAST_MODELS and len({one["zoo"] for one, _ in rows}) >= _LEAST_ZOOS


def _entry(key: str, rows: Sequence[tuple[dict[str, Any], Any]], prior: statistic.Prior) -> dict[str, Any]:
    kind, budget, routine = key.split(":")
    zoos = {one["zoo"]: one for one, _ in rows}
    classes = sorted(one["classes"] for one in zoos.values())
    sides = sorted(_side(one["shape"]) for one in zoos.values())
    null = prior.null or statistic.null([0.0], [""])
    return {
        "routine": routine,
        "budget": budget,
        "kind": kind,
        "classes": [classes[0], classes[-1]],
        "side": [sides[0], sides[-1]],
        "models": len(rows),
        "zoos": len(zoos),
        "variance": round(prior.variance, 5),
        "weight": round(prior.weight, 3),
        "body": [round(value, 4) for value in null.body],
        "excess": round(null.excess, 4),
        "count": null.count,
    }


_LEAST_MODELS, _LEAST_ZOOS = 24, 4


def transport(measured: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Of each routine: how many models of each world have p < 0.05, each judged without its own zoo."""
    pools = {key: rows for key, rows in pooled(measured).items() if _enough(rows)}
    for key, rows in sorted(pools.items()):
        found: list[tuple[str, float]] = []
        for name in {one["zoo"] for one, _ in rows}:
            prior = _fit(key, [row for row in rows if row[0]["zoo"] != name])
            for one, value in rows:
                if one["zoo"] == name:
                    single = _judge(key)(value, prior).p if isinstance(value, list) else _p(prior, value)
                    found.append((one["world"], single))
        yield _shares(key, found)
    for key, models in joined(pools).items():
        found = []
        searches = [search for search, _ in models[0][1]]
        for name in {one["zoo"] for one, _ in models}:
            priors = {
                search: _fit(search, [row for row in pools[search] if row[0]["zoo"] != name]) for search in searches
            }
            prior = _fit_joint([row for row in models if row[0]["zoo"] != name], priors)
            own = [row for row in models if row[0]["zoo"] == name]
            found += [
                (row[0]["world"], statistic.foremost(m, prior).p)
                for row, m in zip(own, _means(own, priors), strict=True)
            ]
        yield _shares(key, found)


def _shares(key: str, found: Sequence[tuple[str, float]]) -> str:
    worlds: dict[str, list[bool]] = defaultdict(list)
    for world, p in found:
        worlds[world].append(p < 0.05)
    shares = ", ".join(f"{world} {sum(hits)} of {len(hits)}" for world, hits in sorted(worlds.items()))
    far = sum(p <= ALPHA for _, p in found)
    return f"{key}: p < 0.05 for {sum(p < 0.05 for _, p in found) / len(found):.1%} ({shares}), p <= {ALPHA} for {far}"


def _p(prior: statistic.Prior, value: float) -> float:
    return 1.0 if prior.null is None else prior.null.p(value)


def _measured(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What was kept, and the rest measured now."""
    lines = options.keep.read_text().splitlines() if options.keep and options.keep.exists() else []
    done = {one["zoo"]: one for one in map(json.loads, lines)}
    wanted = [job for job in ZOOS if not options.kinds or job.world in options.kinds]
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for one in pool.imap_unordered(_job, [job for job in wanted if job.name not in done], chunksize=1):
            done[one["zoo"]] = one
            if options.keep:
                with options.keep.open("a") as file:
                    file.write(json.dumps(one) + "\n")
    names = {job.name for job in wanted}
    return [done[name] for name in sorted(done) if name in names]


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--keep", type=Path, help="a file that measured zoos are added to, and taken from")
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    options = parser.parse_args()
    measured = _measured(options)
    rows = list(entries(measured))
    new = {(row["kind"], row["routine"], row["budget"]) for row in rows}
    kept = json.loads(options.out.read_text())["entries"] if options.kinds and options.out.exists() else []
    rows += [row for row in kept if (row["kind"], row["routine"], row["budget"]) not in new]
    rows.sort(key=lambda row: (row["routine"], row["budget"], row["kind"]))
    text = ",\n".join("  " + json.dumps(row) for row in rows)
    options.out.write_text(f'{{"entries": [\n{text}\n]}}\n')
    print("\n".join(transport(measured)))
    print(f"{options.out}: {len(rows)} entries")


if __name__ == "__main__":
    main()
