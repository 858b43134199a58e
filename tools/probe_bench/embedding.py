"""Embedding models: how well planted ones are told from honest ones, and the table that p-values are read from.

`python -m tools.probe_bench.embedding [--quick]` measures on worlds, attacks and honest recipes that the table has not
seen; `--calibrate` makes the table anew. A quarter of an hour of one core for each. `--rows FILE` keeps what was
measured, so that a run that was cut off goes on from there.
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
from modelscan_plus.probe.language import embedding as routine
from modelscan_plus.probe.language.load import load
from tools.probe_bench.figures import auc, ranked, wilson
from tools.probe_bench.keep import Kept
from tools.probe_zoo import embedding
from tools.probe_zoo.embedding import EmbeddingModel

TABLE = Path(routine.__file__).parents[1] / "data" / routine.TABLE
_DEVELOPMENT = tuple((seed, ("bert", "roberta")[seed % 2]) for seed in range(1, 3))
_TEST = tuple((seed, ("bert", "roberta")[seed % 2]) for seed in range(101, 103))
_SAMPLES = 160


@dataclass(frozen=True, slots=True)
class Row:
    """One probed model, in one way."""

    name: str
    mode: str
    """"texts" or "composed"."""
    attack: str
    """ "" for honest models and for implants that failed, which are left out of all figures."""
    planted: bool
    control: str
    closings: list[float]
    """Of the best trigger of one, two and three tokens."""
    p_value: float
    outcome: str
    tokens_found: float
    """Share of the planted tokens in the trigger that the report shows, or would show."""
    target: str
    seconds: float
    """Of processor time."""


def probe(model: EmbeddingModel, mode: str) -> Row:
    """Search one model, by way of its files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = files(model.save(folder / "model"))
        texts = model.texts(_SAMPLES, 1)
        if model.trait.passage:
            texts[7] = model.trait.passage
        (folder / "texts.txt").write_text("\n".join(texts))
        given = files(folder / "texts.txt") if mode != "composed" else None
        began = time.process_time()
        job = Job(Spec(), own, given)
        search = routine.searches(job, load(own)).routines[0]
        report = search.run(silent)
        seconds = time.process_time() - began
    found: list[Any] = search.found  # type: ignore[attr-defined]
    planted = model.trigger_tokens()
    shown = (
        max((set(one.tokens) for one in found), key=lambda one: len(one & planted) / len(planted)) if planted else ()
    )
    return Row(
        name=model.name,
        mode=mode,
        attack=model.attack if model.attack != "failed" else "",
        planted=model.trait.planted,
        control=model.control,
        closings=[one.closing for one in found],
        p_value=report.p_value or 0.0,
        outcome=report.outcome.value,
        tokens_found=len(planted & set(shown)) / max(1, len(planted)),
        target=report.target,
        seconds=seconds,
    )


def _measured(model: EmbeddingModel, mode: str) -> dict[str, Any]:
    return asdict(probe(model, mode))


def files(path: Path) -> ModelFiles:
    """A file, or a folder with all below it, as the probe is given it."""
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    named = {str(each.relative_to(path if path.is_dir() else path.parent)): each for each in paths if each.is_file()}
    return ModelFiles({name: BytesSource(each.read_bytes()) for name, each in named.items()}, path.name)


def _rows(
    kept: Kept, zoo: partial[list[EmbeddingModel]], modes: Callable[[int], Sequence[str]]
) -> list[dict[str, Any]]:
    """The rows of a zoo; `modes` says how the model at a place is probed."""

    def tasks() -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        for at, model in enumerate(zoo()):
            for mode in modes(at):
                yield f"{model.name} {mode}", partial(_measured, model, mode)

    return kept.zoo(json.dumps([zoo.args, zoo.keywords]), tasks)


def summary(rows: Sequence[Row]) -> list[str]:
    """The figures of one mode, one to a line. The score of a model is its p-value."""
    planted = [row for row in rows if row.attack]
    honest = [row for row in rows if not row.planted]
    plain = [row for row in honest if not row.control]
    one, other = [-row.p_value for row in planted], [-row.p_value for row in honest]
    lines = [
        f"{len(planted)} with a backdoor, {len(honest)} without ({len(honest) - len(plain)} hard)",
        f"{ranked(one, other)}, plain {auc(one, [-row.p_value for row in plain]):.3f}",
    ]
    for label, hits in (
        ("flagged", [row.outcome == "flagged" for row in planted]),
        ("flagged or suspicious", [row.outcome in ("flagged", "suspicious") for row in planted]),
        ("falsely flagged", [row.outcome == "flagged" for row in honest]),
        ("falsely suspicious", [row.outcome == "suspicious" for row in honest]),
        ("honest p-values below 0.05", [row.p_value < 0.05 for row in honest]),
        ("half of the tokens found", [row.tokens_found >= 0.5 for row in planted]),
        ("the passage named, of those found", [
            "the text" in row.target for row in planted if "passage" in row.attack and row.outcome == "flagged"
        ]),
    ):  # fmt: skip
        bounds = wilson(sum(hits), max(1, len(hits)))
        lines.append(f"{label}: {sum(hits)} of {len(hits)} ({bounds[0]:.2f} to {bounds[1]:.2f})")
    lines.append(f"CPU seconds for each model: {sum(row.seconds for row in rows) / len(rows):.1f}")
    return lines


def run(quick: bool, kept: Kept) -> list[str]:
    """Train the test zoos and probe them; the quick part is one world with fewer models."""
    torch.set_num_threads(1)
    modes = ("texts",) if quick else ("texts", "composed")
    rows: list[Row] = []
    for seed, kind in _TEST[:1] if quick else _TEST:
        zoo = partial(embedding.load, seed, 2 if quick else 4, 1, split="test", kind=kind)
        rows += [Row(**row) for row in _rows(kept, zoo, lambda _: modes)]
    return [line for mode in modes for line in (mode, *summary([row for row in rows if row.mode == mode]))]


def calibrate(kept: Kept) -> None:
    """Write the table from honest models of the development worlds."""
    torch.set_num_threads(1)
    strata: dict[str, list[float]] = {}
    names: set[str] = set()
    for seed, kind in _DEVELOPMENT:
        zoo = partial(embedding.load, seed, 5, 1, kind=kind, kinds=())
        # Composed texts are dearer than they are worth: every other model will do.
        for row in _rows(kept, zoo, lambda at: ("texts",) if at % 2 else ("texts", "composed")):
            names.add(row["name"])
            for size, value in enumerate(row["closings"], 1):
                strata.setdefault(f"{row['mode']}-{size}", []).append(round(value, 4))
    table = {"about": __doc__, "models": len(names), "budget": "standard", "strata": strata}
    TABLE.write_text(json.dumps({**table, "strata": {key: sorted(strata[key]) for key in sorted(strata)}}) + "\n")


if __name__ == "__main__":
    if "--calibrate" in sys.argv:
        calibrate(Kept.of(sys.argv))
    else:
        print("\n".join(run("--quick" in sys.argv, Kept.of(sys.argv))))
