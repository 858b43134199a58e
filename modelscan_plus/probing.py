"""`probe` and `scan --probe`: the backdoor probes on what the scan let in, as one more step of the pipeline.

A model that the scan denies, or could not read in full, is not run unless the user asks for it by name.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import msgspec

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.probe import ProbeReport
from modelscan_plus.core.report import Decision, Reason, Target
from modelscan_plus.core.text import visible
from modelscan_plus.probe import gather
from modelscan_plus.probe.interface import Budget, Spec
from modelscan_plus.probe.run import Glimpse, Setup, nothing_picked, pick, probe
from modelscan_plus.sources.interface import Source

_KINDS = frozenset({"path", "cache"})
"""Sources whose files stand on this machine and can be opened again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """What a probe may be told."""

    budget: Budget = Budget.STANDARD
    seed: int = 0
    device: str = "cpu"
    samples: str | None = None
    references: tuple[str, ...] = ()
    seconds: float | None = None
    """Deadline of one model; None for that of the budget."""
    memory: int | None = None
    """Bytes for one model; None for what its size asks for."""
    run_denied: bool = False
    """Probe also what the scan does not allow."""
    watch: Callable[[Glimpse], None] | None = None


@dataclass(slots=True)
class Results:
    """What the probes of all targets gave."""

    reports: list[ProbeReport] = field(default_factory=list)
    gaps: list[tuple[str, str, CoverageReason]] = field(default_factory=list)
    """Target, artifact, and why its probe broke off."""
    notes: list[Reason] = field(default_factory=list)
    layers: set[str] | None = None
    interrupted: bool = False

    def add(self, key: str, report: ProbeReport, broke: CoverageReason | None) -> None:
        """One model's report."""
        self.reports.append(msgspec.structs.replace(report, target=key, artifact=visible(report.artifact)))
        if broke is not None:
            self.gaps.append((key, report.artifact, broke))

    def held(self, layers: Sequence[str]) -> None:
        """The layers of the sandbox in one more child; those of all of them are told."""
        self.layers = set(layers) if self.layers is None else self.layers & set(layers)


def probe_targets(targets: Sequence[Target], sources: Mapping[str, Source], options: ProbeOptions) -> Results:
    """Probe the models of every target that may be. Raises `UsageError` for samples or references that are not there,
    and where a library or a device is missing."""
    results = Results()
    chosen: list[Target] = []
    for target in targets:
        why = _why_not(target, sources[target.id], options)
        if why is None:
            chosen.append(target)
        else:
            results.notes.append(Reason("probe", f"{target.given} was not probed: {why}"))
    if not chosen:
        return results
    with ExitStack() as stack:
        setup = Setup(
            spec=Spec(options.budget, options.seed, options.device),
            samples=stack.enter_context(gather.open_path(options.samples, samples=True)) if options.samples else None,
            references=[stack.enter_context(gather.open_path(path)) for path in options.references],
            seconds=options.seconds,
            memory=options.memory,
            watch=options.watch,
        )
        for target in chosen:
            if not results.interrupted:
                _probe_target(target, sources[target.id], setup, results)
    if results.interrupted:
        results.notes.append(Reason("probe", "the probe was interrupted; this report says what was known until then"))
    return results


def _why_not(target: Target, source: Source, options: ProbeOptions) -> str | None:
    if source.kind not in _KINDS:
        return "a probe needs the files on this machine; fetch the model first (modelscan-plus fetch)"
    if target.decision is Decision.ALLOWED or options.run_denied:
        return None
    word = "denies it" if target.decision is Decision.DENIED else "could not read all of it"
    return f"the scan {word}, and what is not allowed is not run (probe --run-denied runs it all the same)"


def _probe_target(target: Target, source: Source, setup: Setup, results: Results) -> None:
    try:
        files = gather.open_source(source, target.given)
    except UsageError as error:
        results.notes.append(Reason("probe", f"{target.given} was not probed: {error}"))
        return
    with files:
        try:
            picked = pick(files)
            if not picked.models:
                results.add(target.id, nothing_picked(picked.broke, setup), picked.broke)
            for claim in picked.models:
                probed = probe(files, claim, setup)
                results.add(target.id, probed.report, probed.broke)
                results.held(probed.layers)
                if probed.interrupted:
                    results.interrupted = True
                    return
        except KeyboardInterrupt:  # between two models
            results.interrupted = True


def gap_artifact(artifact: str, sizes: Mapping[str, int]) -> str | None:
    """The file to whose coverage a broken probe belongs: the model itself, or the largest file of its folder."""
    if artifact in sizes:
        return artifact
    below = [path for path in sizes if artifact == "." or path.startswith(artifact + "/")]
    return max(below, key=functools.partial(_by_size, sizes), default=None)


def _by_size(sizes: Mapping[str, int], path: str) -> tuple[int, str]:
    return sizes[path], path
