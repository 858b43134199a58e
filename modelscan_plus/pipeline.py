"""The pipeline: targets → files → findings and coverage → verdict → report.

`scan` is the one entry for the command line and for Python. It opens files and puts results together; bytes are
read in sandboxed children (workers/), judged there (inspection.py), put together (collected.py), looked at further
where that was asked for (further.py), and the verdict is policy's (policy/).
"""

import datetime
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from modelscan_plus import further
from modelscan_plus.collected import Collected
from modelscan_plus.companions import explained, neighbours
from modelscan_plus.core.errors import NotAllowed
from modelscan_plus.core.finding import Finding, Severity, folded
from modelscan_plus.core.limits import Limits
from modelscan_plus.core.report import (
    Decision,
    Reason,
    Report,
    Run,
    Summary,
    Target,
    Tool,
    Verdict,
)
from modelscan_plus.core.text import inert, visible
from modelscan_plus.core.version import VERSION
from modelscan_plus.linking import with_links
from modelscan_plus.policy.baseline import Baseline
from modelscan_plus.policy.decide import check_dates, decide
from modelscan_plus.policy.load import load_policy
from modelscan_plus.policy.model import Policy
from modelscan_plus.results import open_results
from modelscan_plus.rules.hub import remote_notes
from modelscan_plus.rules.integrity import NO_TREE_DIGEST
from modelscan_plus.rules.locked import LockFacts
from modelscan_plus.rules.registry import ruleset_digest
from modelscan_plus.rules.tree import Tree
from modelscan_plus.sampled import sampled
from modelscan_plus.sources.interface import Source
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.sources.stdin import StdinSource
from modelscan_plus.stated import with_digests
from modelscan_plus.trust.names import beside
from modelscan_plus.trust.tree import Measured
from modelscan_plus.workers.supervisor import Supervisor

if TYPE_CHECKING:
    from modelscan_plus.probing import ProbeOptions

Progress = Callable[[str, int], None]
"""Called with the path of each finished file and its size in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a scan may be told beside its targets."""

    policy: Policy
    baseline: Baseline | None = None
    fail_on: Severity | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    sha256: bool = False
    jobs: int = 1
    seconds: float | None = None
    """Deadline of one file; None for the policy's."""
    max_size: int | None = None
    """Bytes above which a file is not opened."""
    offline: bool = False
    """Ask nobody over a network; a target that needs it is an error."""
    now: datetime.datetime | None = None
    """Decides expiry dates and stands in the report; None for the clock."""
    progress: Progress | None = None
    lock: Path | None = None
    """A lock file that the targets must agree with."""
    reference: str | None = None
    """A graph that is known: what it holds as well is left out of the findings about graphs."""
    dormancy: bool = False
    """Run ONNX models on random inputs, in sandboxed children, to see which branches sleep."""
    engines: tuple[str, ...] = ()
    """Names of the engines that are asked for a second opinion."""
    probe: "ProbeOptions | None" = None
    """Search the models that the scan allows for backdoors."""


def scan(
    *targets: str | os.PathLike[str],
    policy: str | None = None,
    now: datetime.datetime | None = None,
    sha256: bool = False,
    jobs: int | None = None,
    engines: Sequence[str] = (),
) -> Report:
    """Scan files or folders and give the report with its verdict.

    `policy` is a file or "builtin:NAME" (default: the built-in default); `engines` are those asked for a second
    opinion ("fickling", "modelscan"). Hostile bytes never raise; `UsageError` is
    raised for a target that does not exist or a policy that does not parse.
    """
    asked: tuple[str, ...] = ()
    if engines:
        from modelscan_plus.engines.registry import parse_names

        asked = parse_names(engines)
    options = Options(
        policy=load_policy(policy),
        now=now,
        sha256=sha256,
        jobs=jobs or default_jobs(),
        engines=asked,
    )
    return scan_targets([os.fspath(target) for target in targets], options)


def require_allowed(
    *targets: str | os.PathLike[str], policy: str | None = None, now: datetime.datetime | None = None
) -> Report:
    """Scan, and raise `NotAllowed` unless the verdict is "allowed": to be called right before a load."""
    report = scan(*targets, policy=policy, now=now)
    if not report.allowed:
        grounds = "; ".join(reason.message for reason in report.verdict.reasons)
        raise NotAllowed(f"{report.verdict.decision.value}: {grounds}", report)
    return report


def default_jobs() -> int:
    """As many children as there are processors for this process, at most 8."""
    return max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


def scan_targets(targets: Sequence[str], options: Options) -> Report:
    """The pipeline on what the user wrote."""
    return scan_sources([(given, _source(given, options)) for given in targets], options)


def scan_sources(targets: Sequence[tuple[str, Source]], options: Options) -> Report:
    """The pipeline itself, on sources with the words that the report calls them by."""
    started = time.monotonic()
    now = (options.now or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC).replace(microsecond=0)
    check_dates(options.policy, now.date())
    limits = options.policy.limits
    if options.seconds is not None:
        limits = msgspec.structs.replace(limits, seconds=options.seconds)
    sources = {f"t{number}": source for number, (_, source) in enumerate(targets, 1)}
    names = dict(zip(sources, (name for name, _ in targets), strict=True))
    local = {key: source for key, source in sources.items() if not source.remote}
    collected = Collected()
    sha256 = options.sha256 or options.policy.needs_sha256 or options.lock is not None
    # What a signature covers is hashed in the same read as the scan.
    sha256 = sha256 or any(beside(further.place(source)) for source in sources.values())
    sandbox, recalled = _read(sources, options, limits, sha256, collected)
    hashed = {key: files for key, files in collected.hashed.items() if key in local}
    trees = {key: files.refuse_names() for key, files in hashed.items()} if sha256 else {}
    for key, source in sources.items():
        _judge(key, names[key], source, trees.get(key), options, limits, collected)
    for key, source in sources.items():
        further.check_signatures(
            key, names[key], source, collected, policy=options.policy, exclude=options.exclude, now=now, limits=limits
        )
    _look_again(local, options, limits, collected)
    given = [_target(key, names[key], source, trees.get(key)) for key, source in sources.items()]
    collected.notes += [note for target in given if (note := _no_digest(target, trees.get(target.id)))]
    for target in given:
        if target.id not in local:
            collected.notes += remote_notes(target, [a for a in collected.artifacts if a.target == target.id])
    run = Run(seconds=round(time.monotonic() - started, 3), host=_host(), sandbox=sandbox, recalled=recalled)
    scope = "remote" if len(local) < len(sources) else "full"
    report = _report(given, collected, options, now, run, scope)
    if options.probe is None:
        return report
    run = further.run_probes(report, sources, collected, options.probe)
    run = msgspec.structs.replace(run, seconds=round(time.monotonic() - started, 3))
    return _report(given, collected, options, now, run, scope)


def _read(
    sources: Mapping[str, Source], options: Options, limits: Limits, sha256: bool, collected: Collected
) -> tuple[tuple[str, ...], int]:
    """Have every file read in children; gives the layers of their sandbox and how many results were known already."""
    remembers = any(source.kind == "cache" for source in sources.values())
    memory = open_results(limits, ruleset_digest()) if remembers else None
    with Supervisor(limits, jobs=options.jobs, sha256=sha256 or remembers, memory=memory) as supervisor:
        if any(source.remote for source in sources.values()):
            supervisor.prepare()  # before there are threads, connections and a token that a child could inherit
        for outcome in supervisor.run(further.entries(sources)):
            collected.add(outcome)
            if options.progress is not None:
                options.progress(outcome.path, outcome.size)
        sandbox, recalled = supervisor.sandbox, supervisor.recalled
    if memory is not None:
        memory.close()
    return sandbox, recalled


def _judge(
    key: str,
    name: str,
    source: Source,
    digests: Measured | None,
    options: Options,
    limits: Limits,
    collected: Collected,
) -> None:
    """Judge a target as a whole, once all of its files are in."""
    files = collected.trees.get(key, {})
    collected.settle(key, explained(files))
    facts = (*source.facts(), *neighbours(source, files), *_locked(name, digests, options))
    whole = not (options.include or options.exclude or os.path.isfile(name))
    tree = Tree(key, source.kind, files, source.revision, facts, whole)
    tree = with_links(msgspec.structs.replace(tree, facts=(*facts, *sampled(tree, source))), limits)
    collected.judge(with_digests(tree, source, options.jobs))


def _look_again(local: Mapping[str, Source], options: Options, limits: Limits, collected: Collected) -> None:
    """What was asked for beside our own rules: a reference, runs of the models, second opinions."""
    if options.reference is not None:
        further.leave_out(options.reference, limits, collected)
    if options.dormancy:
        further.run_models(local, limits, options.jobs, collected)
    for name in options.engines:
        further.second_opinion(name, local, limits, options.jobs, collected)


def _target(key: str, name: str, source: Source, digests: Measured | None) -> Target:
    """A target in the words of the report; its decision is the policy's, later."""
    return Target(
        id=key,
        given=visible(name),
        kind=source.kind,
        decision=Decision.INCOMPLETE,
        digest=digests.digest if digests is not None else None,
        revision=source.revision,
    )


def _source(given: str, options: Options) -> Source:
    if given == "-":
        return StdinSource(max_size=options.max_size)
    if given.startswith(("hf:", "http://", "https://")):
        from modelscan_plus.sources.hub.source import HubSource  # the client is an extra, and its import costs

        return HubSource(
            given,
            include=options.include,
            exclude=options.exclude,
            max_size=options.max_size,
            seconds=options.seconds or options.policy.limits.seconds,
            offline=options.offline,
        )
    if given.startswith("cache:"):
        from modelscan_plus.sources.caches import open_cache

        return open_cache(given, include=options.include, exclude=options.exclude, max_size=options.max_size)
    return LocalSource(given, include=options.include, exclude=options.exclude, max_size=options.max_size)


def _host() -> dict[str, str]:
    return {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}


def _no_digest(target: Target, tree: Measured | None) -> Reason | None:
    """Why a target has no digest although its files were hashed."""
    if tree is None or not tree.refused:
        return None
    path, why = next(iter(sorted(tree.refused.items())))
    more = f" (and {len(tree.refused) - 1:,} more)" if len(tree.refused) > 1 else ""
    return Reason(NO_TREE_DIGEST.id, inert(f"{target.given} has no digest: {visible(path)}: {why}{more}"))


def _locked(target: str, tree: Measured | None, options: Options) -> tuple[LockFacts, ...]:
    """What the lock that the user named says about a target."""
    if options.lock is None:
        return ()
    from modelscan_plus.trust.lock_facts import lock_facts

    return (lock_facts(options.lock, target, tree, options.exclude),)


def _report(
    targets: list[Target],
    collected: Collected,
    options: Options,
    now: datetime.datetime,
    run: Run,
    scope: str,
) -> Report:
    policy = options.policy
    outcome = decide(
        policy,
        targets=targets,
        artifacts=collected.artifacts,
        findings=folded(collected.findings),
        now=now.date(),
        baseline=options.baseline,
        fail_on=options.fail_on,
    )
    findings = _numbered(outcome.findings)
    return Report(
        tool=Tool(name="modelscan-plus", version=VERSION, ruleset=ruleset_digest(), engines=collected.engines),
        now=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        verdict=Verdict(
            decision=outcome.decision,
            scope=scope,
            reasons=outcome.reasons,
            policy=policy.digest,
            policy_name=policy.name,
        ),
        targets=tuple(
            msgspec.structs.replace(target, decision=outcome.target_decisions[target.id]) for target in targets
        ),
        artifacts=tuple(collected.artifacts),
        findings=findings,
        suppressed=outcome.suppressed,
        programs=tuple(collected.programs),
        signatures=tuple(collected.signatures),
        probes=tuple(collected.probes),
        loaders=tuple(collected.loaders),
        templates=tuple(collected.templates),
        notes=(*outcome.notes, *collected.notes),
        summary=Summary(
            artifacts=len(collected.artifacts),
            by_severity=_counts(finding.severity.value for finding in findings),
            by_coverage=_counts(artifact.coverage.state.value for artifact in collected.artifacts),
            bytes_read=collected.bytes_read,
            disabled_rules=outcome.disabled_rules,
        ),
        run=run,
    )


def _numbered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    ordered = sorted(findings, key=Finding.sort_key)
    return tuple(msgspec.structs.replace(finding, id=f"f{number}") for number, finding in enumerate(ordered, 1))


def _counts(values: Iterator[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
