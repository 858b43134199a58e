"""`modelscan-plus probe`: search a model for backdoors, after a scan that lets it in."""

import os
import sys
from pathlib import Path

import click

from modelscan_plus.cli import common, flags
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.finding import Severity
from modelscan_plus.outputs.registry import parse_format
from modelscan_plus.pipeline import Options, default_jobs, scan_targets
from modelscan_plus.probe.interface import Budget
from modelscan_plus.probing import ProbeOptions


@click.command("probe")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET…")
@click.option("--samples", metavar="PATH", help="Clean samples: a folder of images, .npz, .csv or .jsonl.")
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="MODEL",
    help="Upstream base of the model, or an independent model of the same task; repeatable.",
)
@click.option(
    "--budget",
    type=click.Choice([budget.value for budget in Budget]),
    default=Budget.STANDARD.value,
    show_default=True,
    help="How many steps to search; the same on every machine.",
)
@click.option("--seed", type=click.IntRange(0, (1 << 32) - 1), default=0, show_default=True, help="Of all chance.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to run.")
@click.option("--deadline", type=click.FloatRange(1.0), metavar="SECONDS", help="Ends the probe of a model that hangs.")
@click.option("--memory", metavar="SIZE", help="Memory that the probe of a model may take (8G).")
@click.option("--run-denied", is_flag=True, help="Probe also a model that the scan denies or cannot read in full.")
@flags.policy
@flags.formats
@flags.fail_on
@flags.baseline
@flags.now
@flags.exit_zero
@flags.quiet
@flags.verbose
def command(
    targets: tuple[str, ...],
    samples: str | None,
    references: tuple[str, ...],
    budget: str,
    seed: int,
    device: str,
    deadline: float | None,
    memory: str | None,
    run_denied: bool,
    policy: str | None,
    formats: tuple[str, ...],
    fail_on: str | None,
    baseline: str | None,
    now: str | None,
    exit_zero: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Search the models of files and folders on this machine for backdoors.

    First the scan, then, where it allows the model, the search: for image and tabular classifiers in ONNX, and for
    transformers in safetensors (classifiers, causal language models, embedding models, LoRA adapters). The model runs
    in a process of its own that can open no file and no connection.

    A probe never says that a model is clean. Exit code: 0 allowed, 1 denied (a trigger was found), 4 incomplete (the
    probe was ended by its limits or by the model), 130 interrupted, with what is known until then.
    """
    from modelscan_plus.policy.baseline import read_baseline
    from modelscan_plus.policy.load import load_policy

    _check_here(targets, samples, references)
    wanted = [parse_format(text) for text in formats]
    common.check_writable(wanted)
    with common.probe_progress(shown=not quiet and common.progress_wanted()) as watch:
        options = Options(
            policy=load_policy(policy),
            baseline=read_baseline(Path(baseline)) if baseline else None,
            fail_on=Severity(fail_on) if fail_on else None,
            jobs=default_jobs(),
            now=common.moment(now, "--now") if now else None,
            probe=ProbeOptions(
                budget=Budget(budget),
                seed=seed,
                device=device,
                samples=samples,
                references=references,
                seconds=deadline,
                memory=common.size(memory, "--memory") if memory else None,
                run_denied=run_denied,
                watch=watch,
            ),
        )
        report = scan_targets(targets, options)
    common.write_outputs(report, wanted, verbosity=-1 if quiet else int(verbose))
    sys.exit(common.exit_code(report, exit_zero=exit_zero))


def _check_here(targets: tuple[str, ...], samples: str | None, references: tuple[str, ...]) -> None:
    """Raise `UsageError`, before a long scan, for anything that does not stand on this machine."""
    for target in targets:
        if target == "-" or target.startswith(("hf:", "http://", "https://")):
            raise UsageError(
                f"{target}: a probe needs the files on this machine; get them with `modelscan-plus fetch` first"
            )
    for option, path in [("--samples", samples), *(("--reference", path) for path in references)]:
        if path is not None and not os.path.exists(path):
            raise UsageError(f"{option} {path}: no such file or folder")
