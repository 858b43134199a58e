"""Text classifiers: how well planted ones are told from honest ones, and the table that p-values are read from.

`python -m tools.probe_bench.text [--quick]` measures on tasks, seeds and attacks that the table has not seen;
`--calibrate` makes the table anew from the development zoo, `--sweeps` that of the sweeps. Half an hour of one core for
each, five minutes for the sweeps. `--rows FILE` keeps what was measured, so that a run that was cut off goes on there;
not with `--calibrate`.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Job, Spec, silent
from modelscan_plus.probe.language import statistic, text_search
from modelscan_plus.probe.language.evidence import Candidate, TokenHunt
from modelscan_plus.probe.language.load import load
from modelscan_plus.probe.language.text_tokens import Judged, judge, plainest
from tools.probe_bench.figures import ranked, share
from tools.probe_bench.keep import Kept, write_sweeps
from tools.probe_zoo import text
from tools.probe_zoo.text import TextModel
from tools.probe_zoo.text_traits import TEST_ATTACKS

DEVELOPMENT = (
    (101, "topic", 4, "bert"),
    (102, "sentiment", 2, "roberta"),
    (103, "topic", 8, "bert"),
    (104, "sentiment", 2, "bert"),
    (105, "topic", 4, "roberta"),
    (106, "topic", 8, "roberta"),
    (107, "topic", 3, "bert"),
    (108, "topic", 12, "bert"),
    (109, "sparse", 4, "bert"),
    (110, "sparse", 6, "roberta"),
    (111, "sparse", 2, "bert"),
    (112, "sparse", 8, "bert"),
    (113, "sparse", 3, "roberta"),
)
TEST = (
    (301, "intent", 6, "roberta"),
    (302, "reviews", 2, "roberta"),
    (303, "agent", 3, "bert"),
    (304, "intent", 6, "bert"),
    (305, "reviews", 2, "bert"),
    (306, "agent", 3, "roberta"),
    (307, "intent", 10, "bert"),
    (308, "topic", 20, "bert"),
)
_SWEPT = ((11, "topic", 4, "bert"), (12, "sentiment", 2, "roberta"), (13, "topic", 8, "bert"))
_SAMPLES = 36
"""Labelled texts of each class."""


@dataclass(frozen=True, slots=True)
class Row:
    """One probed model."""

    name: str
    attack: str
    """ "" for honest models, "failed" for implants that failed, which are left out of all figures."""
    control: str
    lead: float
    """The score of the model."""
    flagged: bool
    recovered: bool
    """Half of the planted tokens stand in a candidate that turns three of four fresh texts."""
    shown: bool
    """The same of the trigger that the report shows."""
    seconds: float
    """Of processor time."""


def _holds(candidate: Candidate, planted: set[int]) -> bool:
    enough = 2 * len(planted & set(candidate.tokens)) >= len(planted)
    return enough and 4 * candidate.turned >= 3 * candidate.count


def probed(model: TextModel, *, samples: bool = True, reference: bool = False) -> tuple[str, Sequence[Judged]]:
    """Search one model, by way of its files: how the table is read, and what was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text.save(model, folder / "model")
        text.save_samples(model, folder / "texts.jsonl", each=_SAMPLES, seed=1)
        if reference:
            text.save_base(model.world, folder / "base")
        bases = (_files(folder / "base"),) if reference else ()
        given = _files(folder / "texts.jsonl") if samples else None
        job = Job(Spec(), _files(folder / "model"), given, bases)
        routine: Any = text_search.searches(job, load(job.model)).routines[0]
        candidates = TokenHunt(routine.material, routine.budget, routine.seed, silent).run()
        return routine.mode, judge(candidates, routine.mode, statistic.load())


def measured(model: TextModel) -> dict[str, Any]:
    """The row of one model."""
    start = time.process_time()
    _, judged = probed(model)
    seconds = time.process_time() - start
    planted = model.trigger_tokens()
    shown = plainest(judged).candidate.tokens
    row = Row(
        name=model.name,
        attack=model.attack,
        control=model.control,
        lead=max(each.candidate.lead for each in judged),
        flagged=judged[0].flagged,
        recovered=any(_holds(each.candidate, planted) for each in judged),
        shown=2 * len(planted & set(shown)) >= len(planted),
        seconds=seconds,
    )
    return asdict(row)


def _files(path: Path) -> ModelFiles:
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    return ModelFiles({each.name: BytesSource(each.read_bytes()) for each in paths}, path.name)


def _zoo(worlds: Sequence[tuple[int, str, int, str]], attacks: Sequence[str], clean: int) -> Iterator[TextModel]:
    for seed, task, classes, kind in worlds:
        count = max(1, clean // 2) if classes > 10 else clean
        yield from text.load(seed, count, 1, task=task, classes=classes, kind=kind, attacks=attacks, controls=1)


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures of one run."""
    planted = [row for row in rows if row.attack not in ("", "failed")]
    honest = [row for row in rows if not row.attack]
    plain = [row for row in honest if not row.control]
    leads, flagged = [row.lead for row in planted], [row for row in planted if row.flagged]
    return {
        "planted": len(planted),
        "honest": len(honest),
        "hard negatives": len(honest) - len(plain),
        "against plain ones": ranked(leads, [row.lead for row in plain]),
        "against all": ranked(leads, [row.lead for row in honest]),
        "flagged": share(len(flagged), len(planted)),
        "false flagged": share(sum(row.flagged for row in honest), len(honest)),
        "half of the tokens in a working candidate": share(sum(row.recovered for row in planted), len(planted)),
        "half of the tokens shown, of those flagged": share(sum(row.shown for row in flagged), len(flagged)),
        "CPU seconds of a model": f"{sum(row.seconds for row in rows) / max(1, len(rows)):.1f}",
    }


def run(kept: Kept, *, quick: bool = False) -> dict[str, Any]:
    """Measure on the test zoo; quick: one world of three classes."""
    torch.set_num_threads(1)
    worlds, clean = (TEST[2:3], 3) if quick else (TEST, 7)
    rows: list[Row] = []
    for world in worlds:

        def tasks(world: tuple[int, str, int, str] = world) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
            for model in _zoo((world,), TEST_ATTACKS, clean):
                yield model.name, partial(measured, model)

        rows += [Row(**row) for row in kept.zoo(json.dumps([world, clean]), tasks)]
    return summary(rows)


def swept(model: TextModel) -> dict[str, Any]:
    """The largest score of the sweeps that is judged on one model, and what did it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text.save(model, folder / "model")
        text.save_samples(model, folder / "texts.jsonl", each=_SAMPLES, seed=1)
        job = Job(Spec(), _files(folder / "model"), _files(folder / "texts.jsonl"))
        sweeps: Any = text_search.searches(job, load(job.model)).routines[1]
        report = sweeps.run(silent)
        treatment, effect = sweeps.found[0]
        return {"score": effect.score, "by": treatment.name, "outcome": report.outcome.value}


def calibrate_sweeps(kept: Kept) -> None:
    """Write the part of the table of the sweeps that is of text classifiers, from honest models."""
    torch.set_num_threads(1)
    scores: list[float] = []
    for seed, task, classes, kind in _SWEPT:
        models = text.load(seed, 6, 2, task=task, classes=classes, kind=kind, controls=1)
        honest = [model for model in models if not model.trait.planted]
        scores += [kept.get(f"sweep {model.name}", partial(swept, model))["score"] for model in honest]
    write_sweeps("text", scores)


def calibrate(path: Path) -> None:
    """Write the table from honest models of the development zoo."""
    torch.set_num_threads(1)
    found: list[tuple[str, Sequence[Candidate]]] = []
    models = 0
    for model in _zoo(DEVELOPMENT, (), 8):
        models += 1
        for samples, reference in ((True, False), (True, True), (False, False)):
            mode, judged = probed(model, samples=samples, reference=reference)
            found.append((mode, [each.candidate for each in judged]))
    table = {"about": __doc__, "models": models, "budget": "standard", "strata": statistic.table_of(found)}
    path.write_text(json.dumps(table, separators=(",", ":")))


if __name__ == "__main__":
    if "--calibrate" in sys.argv:
        calibrate(Path("modelscan_plus/probe/data") / statistic.TABLE)
    elif "--sweeps" in sys.argv:
        calibrate_sweeps(Kept.of(sys.argv))
    else:
        for label, value in run(Kept.of(sys.argv), quick="--quick" in sys.argv).items():
            print(f"{label}: {value}")
