"""`modelscan-plus scan`: the main job."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelscan_plus.cli import common, flags
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.finding import Severity
from modelscan_plus.outputs.registry import parse_format
from modelscan_plus.pipeline import Options, Progress, default_jobs, scan_targets

if TYPE_CHECKING:
    from modelscan_plus.probe.run import Watch
    from modelscan_plus.probing import ProbeOptions


@click.command("scan")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET…")
@flags.policy
@flags.formats
@flags.fail_on
@flags.baseline
@click.option("--write-baseline", metavar="FILE", help="Write the findings of this scan as a baseline.")
@click.option("--include", multiple=True, metavar="GLOB", help="Scan only files that match; repeatable.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out files that match; repeatable.")
@click.option("--hash", "sha256", is_flag=True, help="Put the SHA-256 of every file into the report.")
@flags.jobs
@click.option("--reference", metavar="FILE", help="A known graph: findings that it gives as well are left out.")
@click.option(
    "--dormancy", is_flag=True, help="Run ONNX models on random inputs, sandboxed, to find sleeping branches."
)
@click.option(
    "--engine", "engines", multiple=True, metavar="NAME", help="Second opinion: fickling, modelscan, onnx; repeatable."
)
@click.option("--probe", is_flag=True, help="Search what is allowed for backdoors; see `modelscan-plus probe`.")
@click.option("--timeout", type=click.FloatRange(0.1), metavar="SECONDS", help="Deadline of one file.")
@click.option("--max-size", metavar="SIZE", help="Do not open larger files (10M, 2G).")
@flags.now
@click.option("--offline", is_flag=True, help="Use no network: a target on a hub is an error.")
@click.option("--lock", metavar="FILE", help="Lock file that the targets must agree with (see `lock`).")
@flags.log
@flags.actor
@flags.exit_zero
@flags.quiet
@flags.verbose
def command(
    targets: tuple[str, ...],
    policy: str | None,
    formats: tuple[str, ...],
    fail_on: str | None,
    baseline: str | None,
    write_baseline: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    sha256: bool,
    reference: str | None,
    dormancy: bool,
    engines: tuple[str, ...],
    probe: bool,
    jobs: int | None,
    timeout: float | None,
    max_size: str | None,
    now: str | None,
    offline: bool,
    lock: str | None,
    log: str | None,
    actor: str | None,
    exit_zero: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Scan files and folders ("-" reads standard input) and decide whether they may come in.

    hf:org/model[@revision], hf:datasets/… and hf:spaces/… are read on Hugging Face without downloading the weights.
    cache: is the local Hugging Face cache; cache:ollama, cache:lmstudio and cache:torch are those stores.

    Nothing of a model is run, unless --dormancy or --probe asks for it. Exit code: 0 allowed, 1 denied, 3 nothing to
    scan, 4 incomplete.
    """
    from modelscan_plus.policy.baseline import make_baseline, read_baseline
    from modelscan_plus.policy.load import load_policy

    asked = _engines(engines)
    if targets.count("-") > 1:
        raise UsageError("standard input (-) can be given once")
    wanted = [parse_format(text) for text in formats]
    common.check_writable(wanted)
    if log:
        common.check_log(Path(log), targets)
    if lock:
        common.check_lock(Path(lock), targets)
    shown = not quiet and common.progress_wanted()
    with _progress(shown=shown) as progress, common.probe_progress(shown=shown and probe) as watch:
        options = Options(
            policy=load_policy(policy),
            baseline=read_baseline(Path(baseline)) if baseline else None,
            fail_on=Severity(fail_on) if fail_on else None,
            include=include,
            exclude=exclude,
            sha256=sha256 or log is not None,
            lock=Path(lock) if lock else None,
            jobs=jobs or default_jobs(),
            seconds=timeout,
            max_size=common.size(max_size, "--max-size") if max_size else None,
            offline=offline,
            now=common.moment(now, "--now") if now else None,
            progress=progress,
            engines=asked,
            dormancy=dormancy,
            reference=reference,
            probe=_probe(watch) if probe else None,
        )
        report = scan_targets(targets, options)
    if log:
        from modelscan_plus.trust.recording import record

        # Before any output: who reads the report may rely on its being in the log.
        report = record(Path(log), report, on_behalf=actor)
    if write_baseline:
        common.write_file(Path(write_baseline), make_baseline(report).decode("utf-8"))
    common.write_outputs(report, wanted, verbosity=-1 if quiet else int(verbose))
    sys.exit(common.exit_code(report, exit_zero=exit_zero))


def _probe(watch: "Watch | None") -> "ProbeOptions":
    from modelscan_plus.probing import ProbeOptions

    return ProbeOptions(watch=watch)


def _engines(given: tuple[str, ...]) -> tuple[str, ...]:
    if not given:
        return ()
    from modelscan_plus.engines.registry import parse_names

    return parse_names(given)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Progress | None]:
    """A counter of files and bytes on stderr, drawn only when the work takes longer than a blink."""
    if not shown:
        yield None
        return
    from modelscan_plus.cli.progress import FileProgress

    with FileProgress() as progress:
        yield progress.advance
