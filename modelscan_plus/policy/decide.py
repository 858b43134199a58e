"""The verdict: policy over findings and coverage. Nothing else decides.

A finding is first set as the policy's `[rules]` want it, then set aside where the policy vouches, suppresses or the
baseline knows it; what remains is compared with the threshold of its file. Coverage is asked separately: content that
nobody analysed denies nothing, but the verdict is then "incomplete" where the policy wants it analysed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.core.report import ArtifactReport, Decision, Reason, Suppressed, Target
from modelscan_plus.formats import kinds
from modelscan_plus.policy.baseline import Baseline
from modelscan_plus.policy.model import Action, Policy, Suppression
from modelscan_plus.rules import pickle, verdicts
from modelscan_plus.rules.interface import Rule

_CAN_BE_VOUCHED = frozenset(rule.id for rule in pickle.ABOUT_UNKNOWN_CODE)
_PLAIN_TEXTS = frozenset(("json", "text", "markdown", "settings", "requirements", "source"))
"""Texts that run nothing by themselves; like pictures they pass whatever formats a policy allows."""
_NAMED = 3
"""Files that a reason names before it counts the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The decision, and what became of the findings."""

    decision: Decision
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...]
    notes: tuple[Reason, ...]
    target_decisions: dict[str, Decision]
    disabled_rules: tuple[str, ...]


@dataclass(slots=True)
class _Sorted:
    """Findings on their way through the policy."""

    kept: list[Finding] = field(default_factory=list)
    suppressed: list[Suppressed] = field(default_factory=list)
    silenced: Counter[str] = field(default_factory=Counter)
    """Findings of rules that are switched off."""
    used: set[int] = field(default_factory=set)
    """Positions of the suppressions that covered something."""


def check_dates(policy: Policy, now: date) -> None:
    """Raise `UsageError` when a suppression is to last longer than the policy lets it."""
    for entry in policy.suppress:
        if (entry.expires - now).days > policy.max_suppression_days:
            raise UsageError(
                f"policy {policy.name}: the suppression of {entry.spoken()} expires on {entry.expires}, more than "
                f"{policy.max_suppression_days} days from {now}; choose an earlier date"
            )


def decide(
    policy: Policy,
    *,
    targets: Sequence[Target],
    artifacts: Sequence[ArtifactReport],
    findings: Iterable[Finding],
    now: date,
    baseline: Baseline | None = None,
    fail_on: Severity | None = None,
) -> Outcome:
    """The verdict of `policy` on `now`. `fail_on` replaces the policy's general threshold."""
    check_dates(policy, now)
    if fail_on is not None:
        policy = msgspec.structs.replace(policy, fail_on=fail_on)
    sorted_ = _sort(policy, artifacts, findings, now, baseline)
    denying = [finding for finding in sorted_.kept if finding.severity.rank >= policy.threshold(finding.artifact).rank]
    refused = [(artifact, name) for artifact in artifacts if (name := _refused_format(policy, artifact))]
    blocking, passing = _incomplete(policy, artifacts)
    empty = [target for target in targets if all(artifact.target != target.id for artifact in artifacts)]
    by_target = {
        target.id: _decision(
            denied=any(finding.target == target.id for finding in denying)
            or any(artifact.target == target.id for artifact, _ in refused),
            incomplete=target in empty or any(artifact.target == target.id for artifact in blocking),
        )
        for target in targets
    }
    reasons = [
        *_because_of_findings(denying, policy),
        *_because_of_formats(refused),
        *_because_incomplete(blocking),
        *(Reason(verdicts.NOTHING_TO_SCAN.id, f"{target.given}: nothing to scan") for target in empty),
    ]
    decision = _decision(
        denied=Decision.DENIED in by_target.values(), incomplete=Decision.INCOMPLETE in by_target.values()
    )
    if decision is Decision.ALLOWED:
        reasons = _grounds_to_allow(sorted_, artifacts, passing, policy)
    return Outcome(
        decision=decision,
        reasons=tuple(reasons),
        findings=tuple(sorted_.kept),
        suppressed=tuple(sorted_.suppressed),
        notes=tuple(_notes(policy, sorted_, now)),
        target_decisions=by_target,
        disabled_rules=tuple(rule for rule, setting in policy.rules.items() if not setting.enabled),
    )


def _decision(*, denied: bool, incomplete: bool) -> Decision:
    return Decision.DENIED if denied else Decision.INCOMPLETE if incomplete else Decision.ALLOWED


def _sort(
    policy: Policy,
    artifacts: Sequence[ArtifactReport],
    findings: Iterable[Finding],
    now: date,
    baseline: Baseline | None,
) -> _Sorted:
    digests = {(artifact.target, artifact.path): artifact.sha256 for artifact in artifacts}
    known = baseline.fingerprints if baseline else frozenset()
    active = [(number, entry) for number, entry in enumerate(policy.suppress) if entry.expires >= now]
    sorted_ = _Sorted()
    for finding in sorted(findings, key=Finding.sort_key):
        setting = policy.rules.get(finding.rule)
        if setting is not None and not setting.enabled:
            sorted_.silenced[finding.rule] += 1
            continue
        if setting is not None and setting.severity is not None:
            finding = msgspec.structs.replace(finding, severity=setting.severity)
        if finding.rule in _CAN_BE_VOUCHED and finding.subject in policy.pickle_allow:
            reason = f"the policy vouches for {finding.subject}"
            sorted_.suppressed.append(Suppressed(finding, reason, "policy"))
            continue
        digest = digests.get((finding.target, finding.artifact))
        covering = [(number, entry) for number, entry in active if entry.covers(finding, digest)]
        sorted_.used.update(number for number, _ in covering)
        if covering:
            sorted_.suppressed.append(_suppressed(finding, covering[0][1]))
        elif finding.fingerprint in known:
            sorted_.suppressed.append(Suppressed(finding, "known: it stands in the baseline", "baseline"))
        else:
            sorted_.kept.append(finding)
    sorted_.kept.sort(key=Finding.sort_key)
    return sorted_


def _suppressed(finding: Finding, entry: Suppression) -> Suppressed:
    reason = f"{entry.reason} ({entry.ticket})" if entry.ticket else entry.reason
    return Suppressed(finding, reason, "policy", entry.owner, entry.expires.isoformat())


def _refused_format(policy: Policy, artifact: ArtifactReport) -> str | None:
    """The name of the format that keeps the file out, or None."""
    denied = next((name for name in artifact.formats if name in policy.formats.deny), None)
    if denied is not None or policy.formats.allow is None:
        return denied
    if not artifact.formats:
        return "unknown content" if artifact.size else None
    harmless = {kind.name for kind in kinds.KINDS if not kind.executable}
    accepted = harmless | _PLAIN_TEXTS | set(policy.formats.allow)
    return next((name for name in artifact.formats if name not in accepted), None)


def _incomplete(
    policy: Policy, artifacts: Sequence[ArtifactReport]
) -> tuple[list[ArtifactReport], list[ArtifactReport]]:
    """The files that were not fully analysed: those that the policy wants analysed, and those that it lets pass."""
    split: dict[Action, list[ArtifactReport]] = defaultdict(list)
    for artifact in artifacts:
        if artifact.coverage.incomplete:
            split[policy.incomplete_action(artifact.path, executable=artifact.coverage.executable_gap)].append(artifact)
    return split[Action.DENY], split[Action.WARN]


def _because_of_findings(denying: Sequence[Finding], policy: Policy) -> list[Reason]:
    if not denying:
        return []
    worst = denying[0]
    counts = Counter(finding.severity for finding in denying)
    spoken = ", ".join(f"{counts[severity]:,} {severity.value}" for severity in Severity if counts[severity])
    place = " › ".join((worst.artifact, *worst.location.members))
    count = "1 finding" if len(denying) == 1 else f"{len(denying):,} findings"
    threshold = policy.threshold(worst.artifact).value
    message = f"{count} at or above {threshold} ({spoken}); the worst: {place}: {worst.message}"
    return [Reason(verdicts.FINDING_DENIES.id, message)]


def _because_of_formats(refused: Sequence[tuple[ArtifactReport, str]]) -> list[Reason]:
    by_format: dict[str, list[str]] = defaultdict(list)
    for artifact, name in refused:
        by_format[name].append(artifact.path)
    return [
        Reason(verdicts.FORMAT_DENIED.id, f"the policy does not let {name} in: {_listed(paths)}")
        for name, paths in sorted(by_format.items())
    ]


def _because_incomplete(blocking: Sequence[ArtifactReport]) -> list[Reason]:
    if not blocking:
        return []
    first = next((artifact for artifact in blocking if artifact.coverage.executable_gap), blocking[0])
    why = next(
        (reason.message for reason in first.coverage.reasons if reason.executable),
        first.coverage.reasons[0].message if first.coverage.reasons else "",
    )
    if len(blocking) == 1:
        message = f"{first.path} was not fully analysed: {why}"
    else:
        message = f"{len(blocking):,} files were not fully analysed; {first.path}: {why}"
    return [Reason(verdicts.INCOMPLETE.id, message)]


def _grounds_to_allow(
    sorted_: _Sorted, artifacts: Sequence[ArtifactReport], passing: Sequence[ArtifactReport], policy: Policy
) -> list[Reason]:
    complete = sum(not artifact.coverage.incomplete for artifact in artifacts)
    worst = max((finding.severity for finding in sorted_.kept), key=lambda severity: severity.rank, default=None)
    found = f"the worst finding is {worst.value}" if worst else "no findings"
    files = "1 file" if complete == 1 else f"{complete:,} files"
    general = Reason(
        verdicts.NO_GROUNDS.id, f"nothing at or above {policy.fail_on.value}: {found}, {files} fully analysed"
    )
    if not passing:
        return [general]
    paths = [artifact.path for artifact in passing]
    message = f"not fully analysed, let pass by the policy: {_listed(paths)}"
    return [general, Reason(verdicts.INCOMPLETE.id, message)]


def _notes(policy: Policy, sorted_: _Sorted, now: date) -> Iterable[Reason]:
    for rule, setting in policy.rules.items():
        if not setting.enabled:
            count = sorted_.silenced[rule]
            would = f"it would have reported {count:,} finding{'s' * (count > 1)}" if count else "it found nothing here"
            yield _note(verdicts.RULE_DISABLED, f"the policy switches {rule} off; {would}")
    for number, entry in enumerate(policy.suppress):
        if entry.expires < now:
            yield _note(verdicts.SUPPRESSION_EXPIRED, f"the suppression of {entry.spoken()} expired on {entry.expires}")
        elif number not in sorted_.used:
            yield _note(verdicts.SUPPRESSION_UNUSED, f"the suppression of {entry.spoken()} matched nothing")
    vouched = {entry.finding.subject for entry in sorted_.suppressed if entry.finding.subject in policy.pickle_allow}
    for name in sorted(vouched):
        yield _note(
            verdicts.VOUCHED, f"the policy vouches for {name}: what it does when a model is loaded was not judged"
        )


def _note(rule: Rule, message: str) -> Reason:
    return Reason(rule.id, message)


def _listed(paths: Sequence[str]) -> str:
    named = ", ".join(paths[:_NAMED])
    return named if len(paths) <= _NAMED else f"{named} and {len(paths) - _NAMED:,} more"
