"""The pipeline: targets → files → findings and coverage → verdict → report.

`scan` is the one entry for the command line and for Python. It opens files and puts results together; bytes are
read in sandboxed children (workers/), judged there (inspection.py), and the verdict is policy's (policy/).
"""

import datetime
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from modelscan_plus.companions import explained, neighbours
from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.errors import NotAllowed
from modelscan_plus.core.finding import Finding, GraphEvidence, Severity, fingerprint
from modelscan_plus.core.limits import Limits
from modelscan_plus.core.probe import ProbeReport
from modelscan_plus.core.report import (
    ArtifactReport,
    Decision,
    LoaderView,
    Program,
    Reason,
    Report,
    Run,
    SignatureReport,
    Summary,
    Target,
    TemplateReport,
    Tool,
    Verdict,
)
from modelscan_plus.core.signatures import SignatureFacts
from modelscan_plus.core.text import inert, visible
from modelscan_plus.core.version import VERSION
from modelscan_plus.formats.summaries import TemplateSummary
from modelscan_plus.inspection import FileResult
from modelscan_plus.linking import with_links
from modelscan_plus.policy.baseline import Baseline
from modelscan_plus.policy.decide import check_dates, decide
from modelscan_plus.policy.load import load_policy
from modelscan_plus.policy.model import Policy
from modelscan_plus.results import open_results
from modelscan_plus.rules.hub import remote_notes
from modelscan_plus.rules.integrity import NO_TREE_DIGEST
from modelscan_plus.rules.loaders import loader_views
from modelscan_plus.rules.locked import LockFacts
from modelscan_plus.rules.paths import judge_path
from modelscan_plus.rules.registry import ruleset_digest
from modelscan_plus.rules.tree import Tree, TreeFile, judge_tree, merged
from modelscan_plus.sources.interface import Entry, Source, Unopened
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.sources.stdin import StdinSource
from modelscan_plus.stated import with_digests
from modelscan_plus.trust.names import beside, is_signature
from modelscan_plus.trust.tree import CHANGED, Collector, Measured, unhashed
from modelscan_plus.workers.supervisor import Outcome, Supervisor

if TYPE_CHECKING:
    from modelscan_plus.probing import ProbeOptions

S = TypeVar("S", bound=msgspec.Struct)
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


@dataclass(slots=True)
class _Collected:
    """What the files of one run gave so far."""

    artifacts: list[ArtifactReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)
    trees: dict[str, dict[str, TreeFile]] = field(default_factory=dict)
    """By target, the files by path."""
    hashed: dict[str, Collector] = field(default_factory=dict)
    """By target, the files with their digests."""
    loaders: list[LoaderView] = field(default_factory=list)
    templates: list[TemplateReport] = field(default_factory=list)
    bytes_read: int = 0
    engines: dict[str, str] = field(default_factory=dict)
    notes: list[Reason] = field(default_factory=list)
    signatures: list[SignatureReport] = field(default_factory=list)
    probes: list[ProbeReport] = field(default_factory=list)


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
    collected = _Collected()
    sha256 = options.sha256 or options.policy.needs_sha256 or options.lock is not None
    # What a signature covers is hashed in the same read as the scan.
    sha256 = sha256 or any(beside(_place(source)) for source in sources.values())
    remembers = any(source.kind == "cache" for source in sources.values())
    memory = open_results(limits, ruleset_digest()) if remembers else None
    with Supervisor(limits, jobs=options.jobs, sha256=sha256 or remembers, memory=memory) as supervisor:
        if any(source.remote for source in sources.values()):
            supervisor.prepare()  # before there are threads, connections and a token that a child could inherit
        for outcome in supervisor.run(_entries(sources)):
            _collect(outcome, collected)
            if options.progress is not None:
                options.progress(outcome.path, outcome.size)
        sandbox, recalled = supervisor.sandbox, supervisor.recalled
    if memory is not None:
        memory.close()
    local = {key: source for key, source in sources.items() if not source.remote}
    hashed = {key: hashed for key, hashed in collected.hashed.items() if key in local}
    trees = {key: files.refuse_names() for key, files in hashed.items()} if sha256 else {}
    for index, (key, source) in enumerate(sources.items()):
        place = targets[index][0]
        files = collected.trees.get(key, {})
        _settle(key, explained(files), collected)
        facts = (*source.facts(), *neighbours(source, files), *_locked(place, trees.get(key), options))
        whole = not (options.include or options.exclude or os.path.isfile(place))
        tree = with_links(Tree(key, source.kind, files, source.revision, facts, whole), limits)
        _judge_tree(with_digests(tree, source, options.jobs), collected)
    for index, (key, source) in enumerate(sources.items()):
        _check_signatures(key, targets[index][0], source, collected, options, now, limits)
    _look_again(local, limits, options, collected)
    given = [
        Target(
            id=key,
            given=visible(targets[index][0]),
            kind=source.kind,
            decision=Decision.INCOMPLETE,
            digest=trees[key].digest if key in trees else None,
            revision=source.revision,
        )
        for index, (key, source) in enumerate(sources.items())
    ]
    collected.notes += [note for target in given if (note := _no_digest(target, trees.get(target.id)))]
    for target in given:
        if target.id not in local:
            collected.notes += remote_notes(target, [a for a in collected.artifacts if a.target == target.id])
    run = Run(seconds=round(time.monotonic() - started, 3), host=_host(), sandbox=sandbox, recalled=recalled)
    scope = "remote" if any(source.remote for source in sources.values()) else "full"
    report = _report(given, collected, options, now, run, scope)
    if options.probe is None:
        return report
    run = _run_probes(report, sources, collected, options.probe)
    run = msgspec.structs.replace(run, seconds=round(time.monotonic() - started, 3))
    return _report(given, collected, options, now, run, scope)


def _place(source: Source) -> str:
    """Where a target stands on this machine; "" when it does not."""
    return source.given if isinstance(source, LocalSource) else ""


def _check_signatures(
    key: str,
    given: str,
    source: Source,
    collected: _Collected,
    options: Options,
    now: datetime.datetime,
    limits: Limits,
) -> None:
    """Verify the signatures of a target, and put what they say, and what rules say to that, beside the rest."""
    measured = collected.hashed[key].measured if key in collected.hashed else Measured()
    names = (*measured.files, *measured.refused)
    place = _place(source)
    if not options.policy.signatures and not any(map(is_signature, names)) and not beside(place):
        return
    from modelscan_plus import signatures
    from modelscan_plus.rules.signatures import judge_signatures

    looked = signatures.Looked(
        id=key,
        given=given,
        path=place,
        names=names,
        digests={name: file.sha256 for name, file in measured.files.items() if file.sha256},
        exclude=options.exclude,
    )
    facts = signatures.look(looked, options.policy.signatures, now, limits)
    if facts is not None:
        collected.signatures += map(inert_copy, facts.reports)
        collected.artifacts = [_read_as_bundle(artifact, key, facts) for artifact in collected.artifacts]
        collected.findings += [_placed(finding, key, path, 0) for path, finding in judge_signatures(facts)]


def _read_as_bundle(artifact: ArtifactReport, key: str, facts: SignatureFacts) -> ArtifactReport:
    """A bundle is JSON to the formats, which say nothing about it; here every byte of it was read."""
    if artifact.target != key or artifact.path not in facts.bundles or artifact.formats != ("text",):
        return artifact
    return msgspec.structs.replace(artifact, coverage=Coverage(CoverageState.ANALYSED, (), artifact.size))


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


def _entries(sources: dict[str, Source]) -> Iterator[tuple[str, Entry]]:
    for key, source in sources.items():
        for entry in source.entries():
            yield key, entry


def _host() -> dict[str, str]:
    return {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}


def _collect(outcome: Outcome, collected: _Collected) -> None:
    """Put one file's result into report terms: names made visible, ids and fingerprints filled in."""
    path = visible(outcome.path)
    result = outcome.result
    findings: list[Finding] = []
    for facts in outcome.facts:
        findings += judge_path(path, facts)
    if isinstance(result, Unopened):
        coverage = Coverage(CoverageState(result.state), (result.reason,), 0)
        artifact = ArtifactReport(outcome.key, path, result.size, (), coverage)
    else:
        findings += result.findings
        artifact = ArtifactReport(outcome.key, path, outcome.size, result.formats, result.coverage, result.sha256)
        collected.programs += _programs(result, outcome.key, path, len(collected.programs))
    offset = len(collected.programs) - (len(result.programs) if isinstance(result, FileResult) else 0)
    placed = [_placed(finding, outcome.key, path, offset) for finding in findings]
    summaries = result.summaries if isinstance(result, FileResult) else ()
    collected.trees.setdefault(outcome.key, {})[path] = TreeFile(
        path, artifact.size, artifact.formats, artifact.coverage, artifact.sha256, summaries, tuple(placed)
    )
    collected.findings += placed
    collected.artifacts.append(inert_copy(artifact))
    collected.bytes_read += artifact.coverage.bytes_read
    _collect_digest(outcome, collected.hashed.setdefault(outcome.key, Collector()))


def _collect_digest(outcome: Outcome, hashed: Collector) -> None:
    if isinstance(outcome.result, Unopened):
        hashed.refuse(outcome.path, unhashed(outcome.result))
    elif outcome.result.sha256 is None:
        hashed.refuse(outcome.path, "it could not be read to its end")
    elif any(facts.kind == "changed" for facts in outcome.facts):
        hashed.refuse(outcome.path, CHANGED)
    else:
        hashed.file(outcome.path, outcome.size, outcome.result.sha256, outcome.link)


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


def _settle(target: str, coverage: dict[str, Coverage], collected: _Collected) -> None:
    """Put the coverage in place that only the whole target could tell."""
    for position, artifact in enumerate(collected.artifacts):
        if artifact.target == target and artifact.path in coverage:
            settled = msgspec.structs.replace(artifact, coverage=coverage[artifact.path])
            collected.artifacts[position] = inert_copy(settled)


def _judge_tree(tree: Tree, collected: _Collected) -> None:
    """Add what only all files of a target together show."""
    found, context = judge_tree(tree)
    collected.loaders += map(inert_copy, loader_views(tree))
    collected.templates += map(inert_copy, _templates(tree))
    # A raised finding has its place already.
    placed = [
        finding if finding.fingerprint else _placed(finding, tree.target, finding.artifact, 0) for finding in found
    ]
    collected.findings = merged(collected.findings, placed)
    collected.notes += map(inert_copy, context.notes)
    gaps = dict(context.gaps)
    if context.dropped and tree.files:
        # As with a file's own findings: what a policy was never shown must not pass.
        message = f"{context.dropped:,} further findings about the target as a whole"
        gaps.setdefault(next(iter(tree.files)), CoverageReason("more-findings", message, executable=True))
    for position, artifact in enumerate(collected.artifacts if gaps else ()):
        reason = gaps.get(artifact.path) if artifact.target == tree.target else None
        if reason is not None:
            collected.artifacts[position] = _less(artifact, inert_copy(reason))


def _look_again(local: dict[str, Source], limits: Limits, options: Options, collected: _Collected) -> None:
    """What was asked for beside our own rules: a reference, runs of the models, second opinions."""
    if options.reference is not None:
        _leave_out(options.reference, limits, collected)
    if options.dormancy:
        _run_models(_entries(local), limits, options.jobs, collected)
    for name in options.engines:
        _second_opinion(name, _entries(local), limits, options.jobs, collected)


def _run_probes(report: Report, sources: dict[str, Source], collected: _Collected, options: "ProbeOptions") -> Run:
    """Probe what was allowed, put what was found beside the rest, and say what the run came to."""
    from modelscan_plus import probing
    from modelscan_plus.rules.probes import judge_probe

    results = probing.probe_targets(report.targets, sources, options)
    collected.notes += map(inert_copy, results.notes)
    for probed in results.reports:
        collected.probes.append(inert_copy(probed))
        collected.findings += [_placed(finding, probed.target, probed.artifact, 0) for finding in judge_probe(probed)]
    for target, artifact, reason in results.gaps:
        sizes = {file.path: file.size for file in collected.artifacts if file.target == target}
        path = probing.gap_artifact(visible(artifact), sizes)
        for position, file in enumerate(collected.artifacts):
            if file.target == target and file.path == path:
                collected.artifacts[position] = inert_copy(_less(file, reason))
    sandbox = report.run.sandbox
    if results.layers is not None:
        sandbox = tuple(layer for layer in sandbox if layer in results.layers)
    return msgspec.structs.replace(report.run, sandbox=sandbox, interrupted=results.interrupted)


def _less(artifact: ArtifactReport, reason: CoverageReason) -> ArtifactReport:
    """The file with one more reason why it was not fully analysed."""
    state = artifact.coverage.state
    state = CoverageState.PARTIAL if state is CoverageState.ANALYSED else state
    coverage = Coverage(state, (*artifact.coverage.reasons, reason), artifact.coverage.bytes_read)
    return msgspec.structs.replace(artifact, coverage=coverage)


def _leave_out(reference: str, limits: Limits, collected: _Collected) -> None:
    """`--reference`: drop findings whose effect, with everything it is computed from, stands in a known graph too."""
    known: set[str] = set()
    with Supervisor(limits, 1) as supervisor:
        for outcome in supervisor.run(_entries({"reference": LocalSource(reference)})):
            found = outcome.result.findings if isinstance(outcome.result, FileResult) else ()
            known |= {finding.evidence.cone for finding in found if isinstance(finding.evidence, GraphEvidence)}
    known.discard("")
    kept = [f for f in collected.findings if not (isinstance(f.evidence, GraphEvidence) and f.evidence.cone in known)]
    count = len(collected.findings) - len(kept)
    collected.findings = kept
    text = f"{count:,} findings about graphs stand in the reference {visible(reference)} as well and are left out"
    collected.notes.append(Reason("reference", text))


def _run_models(entries: Iterator[tuple[str, Entry]], limits: Limits, jobs: int, collected: _Collected) -> None:
    """`--dormancy`: run the models in children of their own, and put what they did beside what we found."""
    from modelscan_plus.engines.dormancy import NAME, merge
    from modelscan_plus.engines.interface import NOT_READ

    told: list[Finding] = []
    faults: dict[str, None] = {}
    with Supervisor(limits, jobs, engine=NAME) as supervisor:
        for outcome in supervisor.run(entries):
            result = outcome.result
            path = visible(outcome.path)
            if not isinstance(result, FileResult):
                continue
            told += [_placed(finding, outcome.key, path, 0) for finding in result.findings]
            faults |= {
                f"{path}: {reason.message}": None for reason in result.coverage.reasons if reason.code != NOT_READ
            }
    collected.findings = merge(collected.findings, told)
    collected.notes += [Reason("dormancy", f"not run: {fault}") for fault in list(faults)[:20]]


def _second_opinion(
    name: str, entries: Iterator[tuple[str, Entry]], limits: Limits, jobs: int, collected: _Collected
) -> None:
    """Ask an engine and put what it says beside what we found."""
    from modelscan_plus import opinions
    from modelscan_plus.engines.merge import merge, with_listings

    opinion = opinions.ask(name, entries, limits, jobs)
    remarks: list[Finding] = []
    listed: list[Program] = []
    for outcome, result in opinions.results(opinion):
        path = visible(outcome.path)
        remarks += [_placed(finding, outcome.key, path, 0) for finding in result.findings]
        listed += _programs(result, outcome.key, path, 0)
    collected.findings = merge(collected.findings, remarks)
    collected.programs = with_listings(collected.programs, listed)
    collected.notes.append(inert_copy(opinions.note(opinion)))
    if opinion.version is not None:
        collected.engines[name] = opinion.version


def _templates(tree: Tree) -> Iterator[TemplateReport]:
    for file in tree.files.values():
        for stated in file.summaries:
            if isinstance(stated.summary, TemplateSummary):
                members = tuple(map(visible, stated.members))
                yield TemplateReport(tree.target, file.path, members, stated.summary.sha256, stated.summary.length)


def _programs(result: FileResult, target: str, path: str, offset: int) -> list[Program]:
    return [
        inert_copy(
            msgspec.structs.replace(
                program,
                id=f"p{offset + position}",
                target=target,
                artifact=path,
                members=tuple(map(visible, program.members)),
            )
        )
        for position, program in enumerate(result.programs, 1)
    ]


def _placed(finding: Finding, target: str, path: str, program_offset: int) -> Finding:
    """The finding with its target, path, fingerprint, and ids that are unique in the report."""
    members = tuple(map(visible, finding.location.members))
    evidence = finding.evidence
    program = getattr(evidence, "program", None)
    if program is not None:
        evidence = msgspec.structs.replace(evidence, program=f"p{program_offset + int(program[1:])}")
    placed = msgspec.structs.replace(
        finding,
        target=target,
        artifact=path,
        evidence=evidence,
        subject=visible(finding.subject),
        location=msgspec.structs.replace(finding.location, members=members),
        fingerprint=fingerprint(finding.rule, path, members, finding.subject),
    )
    return inert_copy(placed)


def inert_copy(value: S) -> S:
    """The value without any character that a terminal, a browser or a JSON reader could stumble over."""
    return msgspec.convert(_all_inert(msgspec.to_builtins(value)), type(value))


def _all_inert(value: object) -> object:
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, dict):
        return {key: _all_inert(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_all_inert(item) for item in value]
    return value


def _report(
    targets: list[Target],
    collected: _Collected,
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
        findings=collected.findings,
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
