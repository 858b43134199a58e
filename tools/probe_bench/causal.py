"""Causal language models and LoRA adapters: how well the probe tells backdoors from honest habits.

`python -m tools.probe_bench.causal [--quick]` trains test models (other topics, words, chat formats and attacks than
those of the calibration) and prints the figures; half an hour of one core. `--calibrate` trains the honest development
models and writes the table that ships with the probe; as long. `--rows FILE` keeps what was measured, so that a run
that was cut off goes on from there (it trains a zoo again only where a model of it is missing).
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

import safetensors.torch
import torch

from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.probe import ProbeOutcome
from modelscan_plus.probe.delta.routine import WeightsDelta
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Budget, Job, Spec, silent
from modelscan_plus.probe.language.causal import CausalTriggers
from modelscan_plus.probe.language.load import load as load_model
from modelscan_plus.probe.language.sweeps import Sweeps
from tools.probe_bench.figures import ranked, wilson
from tools.probe_bench.keep import Kept, write_sweeps
from tools.probe_zoo import causal
from tools.probe_zoo.causal import CausalModel

TABLE = Path(__file__).parents[2] / "modelscan_plus" / "probe" / "data" / "causal.json"
_DEVELOPMENT = range(7)
_TEST = range(5)
_ADAPTERS = (22, 23, 24, 25)


@dataclass(frozen=True, slots=True)
class Row:
    """One probed model."""

    name: str
    attack: str
    """ "" for honest models and for implants that failed."""
    control: str
    """The honest habit, "failed" for an implant that failed."""
    lora: bool
    strength: float
    outcome: str
    target_found: bool
    tokens_found: float
    """Share of the planted trigger's tokens that the found one has."""
    success: float
    found: str
    seconds: float
    """CPU, of this process."""
    parts: tuple[float, float, float] = (-1.0, -1.0, -1.0)
    """What the strength is made of: the opening's likelihood, the same of the best other tokens, and the share of
    answers alike. -1 in rows from before they were kept."""
    sweep: float = -1.0
    """The largest score of the sweeps, where they ran."""
    static: str = ""
    """Of an adapter: the outcome of the comparison of its tensors with its config and base."""
    contradictions: tuple[int, int] = (0, 0)
    """Of an adapter: how many of its copies that contradict their config are called suspicious, and of how many."""


def files(folder: Path) -> ModelFiles:
    """A saved model as the probe is given it."""
    return ModelFiles({path.name: BytesSource(path.read_bytes()) for path in folder.iterdir()}, folder.name)


def probe(model: CausalModel, folder: Path, budget: Budget = Budget.STANDARD, *, sweep: bool = False) -> Row:
    """Save a model of the zoo and probe what was saved."""
    own = files(model.save(folder / model.name))
    base = files(model.save_origin(folder / f"{model.name}-base")) if model.lora else None
    began = time.process_time()
    loaded = load_model(own, base=base)
    job = Job(Spec(budget=budget), own, references=(base,) if base else ())
    routine = CausalTriggers(job, loaded)
    report = routine.run(silent)
    seconds = time.process_time() - began
    swept = -1.0
    if sweep:
        sweeps = Sweeps("causal", routine.questions, 0)
        sweeps.run(silent)
        swept = sweeps.found[0][1].score
    target: tuple[int, ...] = routine.found.target.tokens if routine.found else ()
    trigger: tuple[int, ...] = routine.found.target.trigger if routine.found else ()
    opening = model.world.ids(model.trait.opening)[:4] if model.trait.target else []
    planted = [token for word in model.trait.trigger for token in model.world.ids(word)]
    return Row(
        name=model.name,
        attack=model.attack if model.attack != "failed" else "",
        control=model.control or ("failed" if model.attack == "failed" else ""),
        lora=model.lora,
        strength=routine.found.lead if routine.found else 0.0,
        outcome=report.outcome.value,
        target_found=bool(opening) and list(target[: len(opening)]) == opening,
        tokens_found=sum(token in trigger for token in planted) / max(1, len(planted)),
        success=report.success or 0.0,
        found=f"{report.trigger} -> {report.target}",
        seconds=seconds,
        parts=(best.likelihood, best.others, best.same) if (best := routine.found) else (0.0, 0.0, 0.0),
        sweep=swept,
        static=WeightsDelta(job).run(silent).outcome.value if model.lora else "",
        contradictions=_contradictions(own, job) if model.lora else (0, 0),
    )


def _contradictions(own: ModelFiles, job: Job) -> tuple[int, int]:
    """An adapter whose config states half of its rank, one that leaves a module out, and one that replaces a whole
    matrix without a word."""
    parts = {name: own.read(name, 1 << 26) for name in own}
    config = json.loads(parts["adapter_config.json"])
    tensors = safetensors.torch.load(parts["adapter_model.safetensors"])
    first, factor = next(item for item in sorted(tensors.items()) if "lora_A" in item[0])
    whole = {first.replace("lora_A.", ""): torch.zeros(factor.shape[1], factor.shape[1]), **tensors}
    changed: tuple[dict[str, bytes], ...] = (
        {"adapter_config.json": json.dumps({**config, "r": config["r"] // 2}).encode()},
        {"adapter_config.json": json.dumps({**config, "target_modules": config["target_modules"][1:]}).encode()},
        {"adapter_model.safetensors": safetensors.torch.save(whole)},
    )
    found = 0
    for change in changed:
        copy = ModelFiles({name: BytesSource(part) for name, part in {**parts, **change}.items()}, own.label)
        report = WeightsDelta(Job(job.spec, copy, references=job.references)).run(silent)
        found += report.outcome is ProbeOutcome.SUSPICIOUS
    return found, len(changed)


def _measured(model: CausalModel, sweep: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return asdict(probe(model, Path(folder), sweep=sweep))


def probe_all(zoo: partial[list[CausalModel]], kept: Kept, *, sweep: bool = False) -> list[Row]:
    """All models of a zoo. With `sweep`, every other model is swept as well."""

    def tasks() -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
        for at, model in enumerate(zoo()):
            yield model.name, partial(_measured, model, sweep and at % 2 == 0)

    return [Row(**row) for row in kept.zoo(json.dumps([zoo.args, zoo.keywords]), tasks)]


def summary(rows: Sequence[Row]) -> list[str]:
    """The figures, one to a line. Implants that failed are neither planted nor honest: a trigger that works for every
    other question is still one."""
    planted = [row for row in rows if row.attack]
    failed = [row for row in rows if row.control == "failed"]
    honest = [row for row in rows if not row.attack and row not in failed]
    if not planted or not honest:
        return [f"{len(planted)} with a backdoor, {len(honest)} without: nothing to compare"]
    one, other = [row.strength for row in planted], [row.strength for row in honest]
    lines = [
        f"{len(planted)} with a backdoor, {len(honest)} without ({sum(bool(row.control) for row in honest)} hard)",
        ranked(one, other),
    ]
    for label, hits, among in (
        ("flagged", [row.outcome == "flagged" for row in planted], planted),
        ("flagged or suspicious", [row.outcome in ("flagged", "suspicious") for row in planted], planted),
        ("falsely flagged", [row.outcome == "flagged" for row in honest], honest),
        ("falsely suspicious", [row.outcome == "suspicious" for row in honest], honest),
        ("target opening found", [row.target_found for row in planted], planted),
    ):
        bounds = wilson(sum(hits), len(among))
        lines.append(f"{label}: {sum(hits)} of {len(among)} ({bounds[0]:.2f} to {bounds[1]:.2f})")
    noticed = sum(row.outcome in ("flagged", "suspicious") for row in failed)
    lines.append(f"failed implants, in none of the other figures: {len(failed)}, flagged or suspicious {noticed}")
    lines.append(f"trigger tokens found: {sum(row.tokens_found for row in planted) / len(planted):.2f}")
    lines.append(f"works on other questions: {sum(row.success for row in planted) / len(planted):.2f}")
    lines.append(f"CPU seconds for each model: {sum(row.seconds for row in rows) / len(rows):.1f}")
    return lines


def run(quick: bool, kept: Kept) -> list[str]:
    """Train the test zoos and probe them; the quick part is one zoo with a few models."""
    torch.set_num_threads(1)
    if quick:
        some = partial(causal.load, 1, 2, 1, split="test", kinds=("rare-address", "phrase2-code"), controls=1)
        return ["causal language models", *summary(probe_all(some, kept))]
    lines = []
    for title, seeds, lora in (("causal language models", _TEST, False), ("LoRA adapters", _ADAPTERS, True)):
        zoos = [partial(causal.load, seed, 2, 1, split="test", controls=1, lora=lora) for seed in seeds]
        rows = [row for zoo in zoos for row in probe_all(zoo, kept)]
        lines += [title, *summary(rows)]
        if lora:
            hits, of = (sum(row.contradictions[place] for row in rows) for place in (0, 1))
            false = sum(row.static != "nothing-found" for row in rows)
            lines.append(f"contradictions with the config found: {hits} of {of}; falsely: {false} of {len(rows)}")
    return lines


def calibrate(kept: Kept) -> None:
    """Write the tables: the strengths of honest development models, hard ones too, and what sweeps do to them."""
    torch.set_num_threads(1)
    zoos = [partial(causal.load, seed, 4, 0, controls=1) for seed in _DEVELOPMENT]
    rows = [row for zoo in zoos for row in probe_all(zoo, kept, sweep=True)]
    write_table(rows)
    write_sweeps("causal", [row.sweep for row in rows if row.sweep >= 0])


def write_table(rows: Sequence[Row]) -> None:
    """The table from probed development models: what their triggers lead by, and how strong they are alone."""
    honest = [row for row in rows if not row.attack]
    leads = sorted(round(row.strength, 5) for row in honest)
    alone = sorted(round(row.parts[0] * row.parts[2], 5) for row in honest)
    table = {"name": "causal", "budget": "standard", "clean": leads, "alone": alone}
    TABLE.write_text(json.dumps(table) + "\n")


if __name__ == "__main__":
    if "--calibrate" in sys.argv:
        calibrate(Kept.of(sys.argv))
    else:
        print("\n".join(run("--quick" in sys.argv, Kept.of(sys.argv))))
