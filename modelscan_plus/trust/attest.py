"""A scan as in-toto statements, and admission on such a statement without a second scan.

Two statements about the same subjects: one with our own predicate, which says what was decided, by which rules and
policy, how completely, and until when it counts; and a Simple Verification Result, which policy engines know. The first
subject is the tree digest (tree.py), which binds names; behind it stands each file with its own SHA-256.

Admission asks: signed by whom was named? by our predicate, about exactly this tree? the newest such statement? allowed,
in full, under the policy in force here, and still valid? Every "no" is a reason in words. Denials are attested too, so
that a newer "denied" outweighs an older "allowed".

Sources: in-toto attestation framework, Statement v1 and the predicate SVR v0.2.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from modelscan_plus.core.report import Decision, Report, canonical_digest
from modelscan_plus.trust import dsse
from modelscan_plus.trust.reasons import Cause, Rejected

PREDICATE = "urn:modelscan-plus:predicate:scan:v1"
SVR = "https://in-toto.io/attestation/svr/v0.2"
MAX_FILE_SUBJECTS = 10_000
MAX_FILE = 256 << 20
"""Bytes of a file of attestations."""
MAX_LINES = 10_000
_SKEW = timedelta(minutes=5)
"""How far the clocks of who signs and who verifies may differ."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Verifier(msgspec.Struct, frozen=True):
    """The program that scanned."""

    id: str
    version: str


class PolicyUsed(msgspec.Struct, frozen=True):
    """The policy that decided."""

    name: str
    digest: str


class CoverageCounts(msgspec.Struct, frozen=True, rename="camel"):
    """How completely the files were read."""

    files: int
    analysed: int
    partial: int
    not_analysed: int
    unreadable: int
    executable_gaps: int
    """Files in whose unread parts code could hide."""
    excluded: tuple[str, ...] = ()
    """Globs of what was left out; the tree digest does not cover it."""


class ScanPredicate(msgspec.Struct, frozen=True, rename="camel"):
    """Our own predicate."""

    verifier: Verifier
    ruleset: str
    policy: PolicyUsed
    time_created: str
    valid_until: str
    verdict: str
    """"allowed", "denied" or "incomplete"."""
    scope: str
    """"full" or "remote"."""
    reasons: tuple[str, ...]
    """Codes of the grounds of the verdict."""
    findings: dict[str, int]
    """By severity."""
    suppressed: int
    coverage: CoverageCounts
    tree: str
    report: str
    """Canonical digest of the report."""
    engines: dict[str, str] = {}
    """Versions of the engines that gave second opinions."""


def statements(report: Report, *, name: str, valid: timedelta, excluded: Sequence[str] = ()) -> tuple[bytes, bytes]:
    """The two statements about the only target of `report`, as JSON: our own, and the SVR.

    `name` is the first subject's. Raises `ValueError` for a target without digest.
    """
    target = report.targets[0]
    if target.digest is None or len(report.targets) != 1:
        raise ValueError("only one target with a digest can be attested")
    predicate = _predicate(report, target.digest, valid, tuple(excluded))
    subjects = _subjects(report, name, target.digest)
    made = [
        _statement(subjects, PREDICATE, msgspec.to_builtins(predicate)),
        _statement(subjects, SVR, _summary(report, predicate)),
    ]
    return made[0], made[1]


def _predicate(report: Report, tree: str, valid: timedelta, excluded: tuple[str, ...]) -> ScanPredicate:
    states = Counter(artifact.coverage.state.value for artifact in report.artifacts)
    return ScanPredicate(
        verifier=Verifier(f"urn:{report.tool.name}", report.tool.version),
        ruleset=report.tool.ruleset,
        policy=PolicyUsed(report.verdict.policy_name, report.verdict.policy),
        time_created=report.now,
        valid_until=(moment(report.now) + valid).strftime(_TIME),
        verdict=report.verdict.decision.value,
        scope=report.verdict.scope,
        reasons=tuple(dict.fromkeys(reason.code for reason in report.verdict.reasons)),
        findings=dict(report.summary.by_severity),
        suppressed=len(report.suppressed),
        coverage=CoverageCounts(
            files=len(report.artifacts),
            analysed=states["analysed"],
            partial=states["partial"],
            not_analysed=states["not_analysed"],
            unreadable=states["unreadable"],
            executable_gaps=sum(artifact.coverage.executable_gap for artifact in report.artifacts),
            excluded=excluded,
        ),
        tree=tree,
        report=canonical_digest(report),
        engines=dict(report.tool.engines),
    )


def _subjects(report: Report, name: str, tree: str) -> list[dict[str, object]]:
    files: list[dict[str, object]] = [
        {"name": artifact.path, "digest": {"sha256": artifact.sha256}}
        for artifact in report.artifacts
        if artifact.sha256 is not None
    ]
    return [{"name": name, "digest": {"sha256": tree.removeprefix("sha256:")}}, *files[:MAX_FILE_SUBJECTS]]


def _summary(report: Report, predicate: ScanPredicate) -> dict[str, object]:
    properties = []
    if report.allowed:
        properties.append("MODELSCAN_PLUS_ALLOWED")
    if not predicate.coverage.executable_gaps and report.verdict.scope == "full":
        properties.append("MODELSCAN_PLUS_NO_UNREAD_CODE")
    absent = [severity for severity in ("CRITICAL", "HIGH", "MEDIUM") if not predicate.findings.get(severity.lower())]
    properties += [f"MODELSCAN_PLUS_NO_{severity}_FINDING" for severity in absent]
    return {
        "verifier": {"id": f"{predicate.verifier.id}:{predicate.verifier.version}"},
        "timeCreated": predicate.time_created,
        "policies": [
            {"name": predicate.policy.name, "digest": {"sha256": predicate.policy.digest.removeprefix("sha256:")}}
        ],
        "properties": properties,
    }


def _statement(subjects: object, kind: str, predicate: object) -> bytes:
    content = {"_type": dsse.STATEMENT_TYPE, "subject": subjects, "predicateType": kind, "predicate": predicate}
    return msgspec.json.encode(content)


def moment(text: str) -> datetime:
    """A time of RFC 3339; raises `Rejected`."""
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        raise Rejected(Cause.MALFORMED, f"{text!r} is no time") from None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What an attestation must say to admit."""

    tree: str
    now: datetime
    policy: str | None = None
    """Digest of the policy in force here; None to accept a verdict under any policy."""
    ruleset: str | None = None
    """Digest that the rule set must have; None for any."""
    max_age: timedelta | None = None
    excluded: tuple[str, ...] = ()
    """What whoever verifies leaves out: what was attested must have left out the same."""


def own_predicate(statement: dsse.Statement) -> ScanPredicate | None:
    """Our predicate, if the statement has it; raises `Rejected` when it is not what it should be."""
    if statement.predicate_type != PREDICATE:
        return None
    try:
        predicate = msgspec.convert(statement.predicate, ScanPredicate)
    except msgspec.ValidationError as error:
        raise Rejected(Cause.MALFORMED, f"the attested scan cannot be read: {error}") from None
    moment(predicate.time_created)
    moment(predicate.valid_until)
    first = statement.subjects[0].digests.get("sha256")
    if predicate.tree != f"sha256:{first}":
        raise Rejected(Cause.MALFORMED, "the attested scan and the subject of its statement are about different trees")
    return predicate


def newest(predicates: Sequence[ScanPredicate], tree: str) -> ScanPredicate:
    """The last word of the signer about this tree; raises `Rejected` when there is none."""
    about = [predicate for predicate in predicates if predicate.tree == tree]
    if not about:
        others = f" (there are {len(predicates):,} about others)" if predicates else ""
        raise Rejected(Cause.DIGEST, f"no attestation of the signer is about these files, {tree}{others}")
    last = max(moment(predicate.time_created) for predicate in about)
    latest = [predicate for predicate in about if moment(predicate.time_created) == last]
    # Of two that are equally new the one that does not allow counts.
    return min(latest, key=lambda predicate: predicate.verdict == Decision.ALLOWED.value)


def check(predicate: ScanPredicate, demand: Demand) -> None:
    """Raise `Rejected` unless the attested scan is enough to admit."""
    created, until = moment(predicate.time_created), moment(predicate.valid_until)
    if created > demand.now + _SKEW:
        raise Rejected(Cause.EXPIRED, f"it is of {predicate.time_created}, which is still to come")
    if demand.now > until:
        raise Rejected(Cause.EXPIRED, f"it was valid until {predicate.valid_until}")
    if demand.max_age is not None and demand.now - created > demand.max_age:
        raise Rejected(Cause.EXPIRED, f"it is of {predicate.time_created}, older than {demand.max_age.days} days")
    if predicate.verdict != Decision.ALLOWED.value:
        grounds = ", ".join(predicate.reasons)
        raise Rejected(Cause.PAYLOAD, f"the attested verdict is {predicate.verdict} ({grounds})")
    if predicate.scope != "full":
        raise Rejected(Cause.PAYLOAD, f"the attested scan was {predicate.scope}, not full")
    if predicate.coverage.executable_gaps:
        count = predicate.coverage.executable_gaps
        raise Rejected(Cause.PAYLOAD, f"the attested scan left unread where code could hide in {count:,} files")
    if set(predicate.coverage.excluded) != set(demand.excluded):
        left_out = ", ".join(predicate.coverage.excluded) or "nothing"
        raise Rejected(Cause.PAYLOAD, f"the attested scan left out {left_out}; say so with --ignore-paths")
    if demand.policy is not None and predicate.policy.digest != demand.policy:
        raise Rejected(
            Cause.PAYLOAD,
            f"the attested verdict is by the policy {predicate.policy.name} ({predicate.policy.digest}), not by the "
            f"one in force here ({demand.policy})",
        )
    if demand.ruleset is not None and predicate.ruleset != demand.ruleset:
        raise Rejected(Cause.PAYLOAD, f"the attested scan used the rule set {predicate.ruleset}")
