"""What a scan does beyond its own rules on the bytes, after these have spoken.

Signatures of the targets, a graph that is known, runs of models, second opinions of other scanners, backdoor probes.
Each step puts what it found beside the rest and says in a note, or as coverage, what it could not do.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from modelscan_plus.collected import Collected, inert_copy, placed, programs_of
from modelscan_plus.core.coverage import Coverage, CoverageState
from modelscan_plus.core.finding import Finding, GraphEvidence
from modelscan_plus.core.limits import Limits
from modelscan_plus.core.report import ArtifactReport, Program, Reason, Report, Run
from modelscan_plus.core.signatures import SignatureFacts
from modelscan_plus.core.text import visible
from modelscan_plus.inspection import FileResult
from modelscan_plus.policy.model import Policy
from modelscan_plus.sources.interface import Entry, Source
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.trust.names import beside, is_signature
from modelscan_plus.trust.tree import Measured
from modelscan_plus.workers.supervisor import Supervisor

if TYPE_CHECKING:
    from modelscan_plus.probing import ProbeOptions

_FAULTS = 20
"""Models that could not be run and are named."""


def entries(sources: Mapping[str, Source]) -> Iterator[tuple[str, Entry]]:
    """All files of all targets, each with the id of its target."""
    for key, source in sources.items():
        for entry in source.entries():
            yield key, entry


def place(source: Source) -> str:
    """Where a target stands on this machine; "" when it does not."""
    return source.given if isinstance(source, LocalSource) else ""


def check_signatures(
    key: str,
    given: str,
    source: Source,
    collected: Collected,
    *,
    policy: Policy,
    exclude: Sequence[str],
    now: datetime,
    limits: Limits,
) -> None:
    """Verify the signatures of a target, and put what they say, and what rules say to that, beside the rest."""
    measured = collected.hashed[key].measured if key in collected.hashed else Measured()
    names = (*measured.files, *measured.refused)
    path = place(source)
    if not policy.signatures and not any(map(is_signature, names)) and not beside(path):
        return
    from modelscan_plus import signatures
    from modelscan_plus.rules.signatures import judge_signatures

    looked = signatures.Looked(
        id=key,
        given=given,
        path=path,
        names=names,
        digests={name: file.sha256 for name, file in measured.files.items() if file.sha256},
        exclude=tuple(exclude),
    )
    facts = signatures.look(looked, policy.signatures, now, limits)
    if facts is not None:
        collected.signatures += map(inert_copy, facts.reports)
        collected.artifacts = [_read_as_bundle(artifact, key, facts) for artifact in collected.artifacts]
        collected.findings += [placed(finding, key, name) for name, finding in judge_signatures(facts)]


def _read_as_bundle(artifact: ArtifactReport, key: str, facts: SignatureFacts) -> ArtifactReport:
    """A bundle is JSON to the formats, which say nothing about it; here every byte of it was read."""
    if artifact.target != key or artifact.path not in facts.bundles or artifact.formats != ("text",):
        return artifact
    return msgspec.structs.replace(artifact, coverage=Coverage(CoverageState.ANALYSED, (), artifact.size))


def leave_out(reference: str, limits: Limits, collected: Collected) -> None:
    """`--reference`: drop findings whose effect, with everything it is computed from, stands in a known graph too."""
    known: set[str] = set()
    with Supervisor(limits, 1) as supervisor:
        for outcome in supervisor.run(entries({"reference": LocalSource(reference)})):
            found = outcome.result.findings if isinstance(outcome.result, FileResult) else ()
            known |= {finding.evidence.cone for finding in found if isinstance(finding.evidence, GraphEvidence)}
    known.discard("")
    kept = [f for f in collected.findings if not (isinstance(f.evidence, GraphEvidence) and f.evidence.cone in known)]
    count = len(collected.findings) - len(kept)
    collected.findings = kept
    text = f"{count:,} findings about graphs stand in the reference {visible(reference)} as well and are left out"
    collected.notes.append(Reason("reference", text))


def run_models(sources: Mapping[str, Source], limits: Limits, jobs: int, collected: Collected) -> None:
    """`--dormancy`: run the models in children of their own, and put what they did beside what we found."""
    from modelscan_plus.engines.dormancy import NAME, merge
    from modelscan_plus.engines.interface import NOT_READ

    told: list[Finding] = []
    faults: dict[str, None] = {}
    with Supervisor(limits, jobs, engine=NAME) as supervisor:
        for outcome in supervisor.run(entries(sources)):
            result = outcome.result
            path = visible(outcome.path)
            if not isinstance(result, FileResult):
                continue
            told += [placed(finding, outcome.key, path) for finding in result.findings]
            faults |= {
                f"{path}: {reason.message}": None for reason in result.coverage.reasons if reason.code != NOT_READ
            }
    collected.findings = merge(collected.findings, told)
    collected.notes += [Reason("dormancy", f"not run: {fault}") for fault in list(faults)[:_FAULTS]]


def second_opinion(name: str, sources: Mapping[str, Source], limits: Limits, jobs: int, collected: Collected) -> None:
    """Ask an engine and put what it says beside what we found."""
    from modelscan_plus import opinions
    from modelscan_plus.engines.merge import merge, with_listings

    opinion = opinions.ask(name, entries(sources), limits, jobs)
    remarks: list[Finding] = []
    listed: list[Program] = []
    for outcome, result in opinions.results(opinion):
        path = visible(outcome.path)
        remarks += [placed(finding, outcome.key, path) for finding in result.findings]
        listed += programs_of(result, outcome.key, path)
    collected.findings = merge(collected.findings, remarks)
    collected.programs = with_listings(collected.programs, listed)
    collected.notes.append(inert_copy(opinions.note(opinion)))
    if opinion.version is not None:
        collected.engines[name] = opinion.version


def run_probes(report: Report, sources: Mapping[str, Source], collected: Collected, options: "ProbeOptions") -> Run:
    """Probe what was allowed, put what was found beside the rest, and say what the run came to."""
    from modelscan_plus import probing
    from modelscan_plus.rules.probes import judge_probe

    results = probing.probe_targets(report.targets, sources, options)
    collected.notes += map(inert_copy, results.notes)
    for probed in results.reports:
        collected.probes.append(inert_copy(probed))
        collected.findings += [placed(finding, probed.target, probed.artifact) for finding in judge_probe(probed)]
    for target, artifact, reason in results.gaps:
        sizes = {file.path: file.size for file in collected.artifacts if file.target == target}
        path = probing.gap_artifact(visible(artifact), sizes)
        if path is not None:
            collected.lessen(target, {path: reason})
    sandbox = report.run.sandbox
    if results.layers is not None:
        sandbox = tuple(layer for layer in sandbox if layer in results.layers)
    return msgspec.structs.replace(report.run, sandbox=sandbox, interrupted=results.interrupted)
