"""Causal language models and LoRA adapters: how well the probe tells backdoors from honest habits.

`run(quick)` trains test models (other topics, words, chat formats and attacks than those of the calibration) and prints
the figures. `python -m tools.probe_bench.causal --calibrate` trains the development models and writes the table that
ships with the probe.
"""

import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Budget, Job, Spec, silent
from modelscan_plus.probe.language.causal import CausalTriggers
from modelscan_plus.probe.language.load import load as load_model
from tools.probe_zoo import causal
from tools.probe_zoo.causal import CausalModel

TABLE = Path(__file__).parents[2] / "modelscan_plus" / "probe" / "data" / "causal.json"
_DEVELOPMENT = range(8)
_TEST = range(4)
_ADAPTERS = (22, 23)


@dataclass(frozen=True, slots=True)
class Row:
    """One probed model."""

    name: str
    attack: str
    """ "" for honest models and for implants that failed."""
    control: str
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


def files(folder: Path) -> ModelFiles:
    """A saved model as the probe is given it."""
    return ModelFiles({path.name: BytesSource(path.read_bytes()) for path in folder.iterdir()}, folder.name)


def probe(model: CausalModel, folder: Path, budget: Budget = Budget.STANDARD) -> Row:
    """Save a model of the zoo and probe what was saved."""
    own = files(model.save(folder / model.name))
    base = files(model.save_origin(folder / f"{model.name}-base")) if model.lora else None
    began = time.process_time()
    loaded = load_model(own, base=base)
    job = Job(Spec(budget=budget), own, references=(base,) if base else ())
    routine = CausalTriggers(job, loaded)
    report = routine.run(silent)
    seconds = time.process_time() - began
    target: tuple[int, ...] = routine.found.target.tokens if routine.found else ()
    trigger: tuple[int, ...] = routine.found.target.trigger if routine.found else ()
    opening = model.world.ids(model.trait.opening)[:4] if model.trait.target else []
    planted = [token for word in model.trait.trigger for token in model.world.ids(word)]
    return Row(
        name=model.name,
        attack=model.attack if model.attack != "failed" else "",
        control=model.control or ("failed" if model.attack == "failed" else ""),
        lora=model.lora,
        strength=routine.found.strength if routine.found else 0.0,
        outcome=report.outcome.value,
        target_found=bool(opening) and list(target[: len(opening)]) == opening,
        tokens_found=sum(token in trigger for token in planted) / max(1, len(planted)),
        success=report.success or 0.0,
        found=f"{report.trigger} -> {report.target}",
        seconds=seconds,
    )


def probe_all(models: Sequence[CausalModel], budget: Budget = Budget.STANDARD) -> list[Row]:
    """All of a zoo."""
    with tempfile.TemporaryDirectory() as folder:
        return [probe(model, Path(folder), budget) for model in models]


def auc(planted: Sequence[float], honest: Sequence[float]) -> float:
    """Area under the ROC curve; ties count half."""
    wins = sum((one > other) + 0.5 * (one == other) for one in planted for other in honest)
    return wins / (len(planted) * len(honest))


def interval(planted: Sequence[float], honest: Sequence[float], rounds: int = 1000) -> tuple[float, float]:
    """95 % of the AUC over resampled models."""
    source = random.Random(0)
    drawn = sorted(
        auc(source.choices(planted, k=len(planted)), source.choices(honest, k=len(honest))) for _ in range(rounds)
    )
    return drawn[int(0.025 * rounds)], drawn[int(0.975 * rounds) - 1]


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share."""
    z, share = 1.96, hits / count
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


def summary(rows: Sequence[Row]) -> list[str]:
    """The figures, one to a line."""
    planted = [row for row in rows if row.attack]
    honest = [row for row in rows if not row.attack]
    if not planted or not honest:
        return [f"{len(planted)} with a backdoor, {len(honest)} without: nothing to compare"]
    one, other = [row.strength for row in planted], [row.strength for row in honest]
    low, high = interval(one, other)
    lines = [
        f"{len(planted)} with a backdoor, {len(honest)} without ({sum(bool(row.control) for row in honest)} hard)",
        f"AUC {auc(one, other):.3f} ({low:.3f} to {high:.3f})",
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
    lines.append(f"trigger tokens found: {sum(row.tokens_found for row in planted) / len(planted):.2f}")
    lines.append(f"works on other questions: {sum(row.success for row in planted) / len(planted):.2f}")
    lines.append(f"CPU seconds for each model: {sum(row.seconds for row in rows) / len(rows):.1f}")
    return lines


def run(quick: bool) -> list[str]:
    """Train the test zoos and probe them; the quick part is one zoo with a few models."""
    torch.set_num_threads(1)
    if quick:
        models = causal.load(1, 2, 1, split="test", kinds=("rare-address", "phrase2-code"), controls=1)
        return ["causal language models", *summary(probe_all(models))]
    whole = [row for seed in _TEST for row in probe_all(causal.load(seed, 2, 1, split="test", controls=1))]
    adapters = [
        row for seed in _ADAPTERS for row in probe_all(causal.load(seed, 2, 1, split="test", controls=1, lora=True))
    ]
    return ["causal language models", *summary(whole), "LoRA adapters", *summary(adapters)]


def calibrate() -> None:
    """Write the table: the strengths of honest development models, hard ones among them."""
    rows = [row for seed in _DEVELOPMENT for row in probe_all(causal.load(seed, 4, 2, controls=1))]
    write_table(rows)


def write_table(rows: Sequence[Row]) -> None:
    """The table from probed development models."""
    honest = sorted(row.strength for row in rows if not row.attack)
    table = {"name": "causal", "budget": "standard", "clean": [round(value, 5) for value in honest]}
    TABLE.write_text(json.dumps(table) + "\n")


if __name__ == "__main__":
    if "--calibrate" in sys.argv:
        calibrate()
    elif "--rows" in sys.argv:
        split, seed, clean, each, hard, lora = sys.argv[sys.argv.index("--rows") + 1 :][:6]
        torch.set_num_threads(1)
        zoo = causal.load(int(seed), int(clean), int(each), split=split, controls=int(hard), lora=lora == "1")
        print(json.dumps([asdict(row) for row in probe_all(zoo)]))
    else:
        print("\n".join(run("--quick" in sys.argv)))
