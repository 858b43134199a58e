"""From findings and coverage to the verdict."""

from datetime import date
from pathlib import Path

import pytest

from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.finding import Finding, Severity, TextEvidence, fingerprint
from modelscan_plus.core.report import ArtifactReport, Decision, Report, Summary, Target, Tool, Verdict
from modelscan_plus.policy.baseline import Baseline, Known, make_baseline, read_baseline
from modelscan_plus.policy.decide import Outcome, decide
from modelscan_plus.policy.load import resolve
from modelscan_plus.policy.model import (
    Action,
    FormatRules,
    OnIncomplete,
    PathSetting,
    Policy,
    RuleSetting,
    Suppression,
)

NOW = date(2026, 11, 23)
DIGEST = "ab" * 32
GAP = CoverageReason("budget-opcodes", "too many opcodes", executable=True)
PICTURE = CoverageReason("no-analyser", "PNG image: recognised, but not analysed", executable=False)


def target(key: str = "t1") -> Target:
    return Target(id=key, given="model", kind="path", decision=Decision.INCOMPLETE)


def artifact(
    path: str = "model.pkl", *reasons: CoverageReason, key: str = "t1", formats: tuple[str, ...] = ("pickle",)
) -> ArtifactReport:
    state = CoverageState.PARTIAL if reasons else CoverageState.ANALYSED
    return ArtifactReport(key, path, 10, formats, Coverage(state, reasons, 10), DIGEST)


def finding(
    severity: Severity = Severity.HIGH,
    rule: str = "MSP1001",
    path: str = "model.pkl",
    subject: str = "posix:system",
    key: str = "t1",
) -> Finding:
    slug = {"MSP1001": "pickle-dangerous-call", "MSP1004": "pickle-unvetted-class"}.get(rule, "other")
    return Finding(
        rule=rule,
        slug=slug,
        title="t",
        severity=severity,
        default_severity=severity,
        message="it calls",
        remediation="do",
        evidence=TextEvidence("x"),
        target=key,
        artifact=path,
        subject=subject,
        fingerprint=fingerprint(rule, path, (), subject),
    )


def verdict(
    policy: Policy, *findings: Finding, artifacts: tuple[ArtifactReport, ...] = (artifact(),), **more: object
) -> Outcome:
    return decide(policy, targets=[target()], artifacts=artifacts, findings=findings, now=NOW, **more)  # type: ignore[arg-type]


def suppression(**changes: object) -> Suppression:
    given: dict[str, object] = {"rule": "MSP1001", "reason": "old", "expires": date(2026, 12, 1), "path": "model.pkl"}
    return Suppression(**(given | changes))  # type: ignore[arg-type]


DEFAULT = resolve("builtin:default")
STRICT = resolve("builtin:strict")


def codes(outcome: Outcome) -> list[str]:
    return [reason.code for reason in outcome.reasons]


@pytest.mark.parametrize(
    ("policy", "severity", "decision"),
    [
        (DEFAULT, Severity.CRITICAL, Decision.DENIED),
        (DEFAULT, Severity.HIGH, Decision.DENIED),
        (DEFAULT, Severity.MEDIUM, Decision.ALLOWED),
        (STRICT, Severity.MEDIUM, Decision.DENIED),
        (STRICT, Severity.LOW, Decision.ALLOWED),
    ],
)
def test_the_threshold_decides(policy: Policy, severity: Severity, decision: Decision) -> None:
    outcome = verdict(policy, finding(severity))
    assert outcome.decision is decision
    assert codes(outcome) == (["MSP9001"] if decision is Decision.DENIED else ["MSP9009"])


def test_every_verdict_has_a_ground() -> None:
    for artifacts in ((), (artifact(),), (artifact("a", GAP),)):
        assert verdict(DEFAULT, artifacts=artifacts).reasons


def test_an_option_replaces_the_threshold() -> None:
    assert verdict(DEFAULT, finding(Severity.LOW), fail_on=Severity.LOW).decision is Decision.DENIED
    assert verdict(DEFAULT, finding(Severity.HIGH), fail_on=Severity.CRITICAL).decision is Decision.ALLOWED


def test_what_a_loader_could_execute_must_be_analysed() -> None:
    outcome = verdict(DEFAULT, artifacts=(artifact("a.pkl", GAP),))
    assert outcome.decision is Decision.INCOMPLETE
    assert codes(outcome) == ["MSP9002"]
    assert "too many opcodes" in outcome.reasons[0].message


def test_what_no_loader_executes_passes_and_is_said() -> None:
    outcome = verdict(DEFAULT, artifacts=(artifact("a.png", PICTURE, formats=("png",)),))
    assert outcome.decision is Decision.ALLOWED
    assert codes(outcome) == ["MSP9009", "MSP9002"]
    assert "a.png" in outcome.reasons[1].message
    assert verdict(STRICT, artifacts=(artifact("a.png", PICTURE, formats=("png",)),)).decision is Decision.INCOMPLETE


def test_denied_outweighs_incomplete_and_both_are_said() -> None:
    outcome = verdict(DEFAULT, finding(), artifacts=(artifact("model.pkl", GAP),))
    assert outcome.decision is Decision.DENIED
    assert codes(outcome) == ["MSP9001", "MSP9002"]


def test_nothing_to_scan_is_not_allowed() -> None:
    outcome = verdict(DEFAULT, artifacts=())
    assert outcome.decision is Decision.INCOMPLETE
    assert codes(outcome) == ["MSP9003"]


def test_each_target_has_its_own_decision() -> None:
    outcome = decide(
        DEFAULT,
        targets=[target("t1"), target("t2"), target("t3")],
        artifacts=[artifact("a", key="t1"), artifact("b", GAP, key="t2"), artifact("c", key="t3")],
        findings=[finding(key="t3", path="c")],
        now=NOW,
    )
    assert outcome.target_decisions == {"t1": Decision.ALLOWED, "t2": Decision.INCOMPLETE, "t3": Decision.DENIED}
    assert outcome.decision is Decision.DENIED


def test_rules_change_severity_or_are_switched_off_visibly() -> None:
    lower = Policy(name="p", rules={"MSP1001": RuleSetting(severity=Severity.LOW)})
    (kept,) = verdict(lower, finding(Severity.CRITICAL)).findings
    assert (kept.severity, kept.default_severity) == (Severity.LOW, Severity.CRITICAL)
    off = verdict(Policy(name="p", rules={"MSP1001": RuleSetting(enabled=False)}), finding(Severity.CRITICAL))
    assert off.findings == ()
    assert off.disabled_rules == ("MSP1001",)
    assert [note.code for note in off.notes] == ["MSP9007"]
    assert "1 finding" in off.notes[0].message


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"rule": "pickle-dangerous-call"}, True),
        ({"path": "*.pkl"}, True),
        ({"path": None, "sha256": DIGEST}, True),
        ({"path": None, "fingerprint": fingerprint("MSP1001", "model.pkl", (), "posix:system")}, True),
        ({"rule": "MSP1002"}, False),
        ({"path": "other.pkl"}, False),
        ({"sha256": "cd" * 32}, False),
        ({"fingerprint": "0" * 32}, False),
        ({"expires": date(2026, 11, 22)}, False),
        ({"expires": NOW}, True),
    ],
)
def test_a_suppression_counts_only_for_what_it_names_and_until_it_expires(
    change: dict[str, object], counts: bool
) -> None:
    outcome = verdict(Policy(name="p", suppress=(suppression(**change),)), finding(Severity.CRITICAL))
    assert (outcome.decision is Decision.ALLOWED) == counts
    assert bool(outcome.suppressed) == counts
    assert bool(outcome.notes) != counts


def test_expired_and_unused_suppressions_are_told_apart() -> None:
    expired, unused = suppression(expires=date(2026, 1, 1)), suppression(path="gone.pkl")
    outcome = verdict(Policy(name="p", suppress=(expired, unused)), finding())
    assert [note.code for note in outcome.notes] == ["MSP9005", "MSP9006"]


def test_a_suppression_may_not_last_too_long() -> None:
    with pytest.raises(UsageError, match="180 days"):
        verdict(Policy(name="p", suppress=(suppression(expires=date(2027, 11, 23)),)))


def test_a_suppressed_finding_stays_visible_with_reason_and_owner() -> None:
    entry = suppression(owner="a@corp", ticket="SEC-12")
    (set_aside,) = verdict(Policy(name="p", suppress=(entry,)), finding()).suppressed
    assert (set_aside.reason, set_aside.by, set_aside.owner) == ("old (SEC-12)", "policy", "a@corp")
    assert set_aside.expires == "2026-12-01"


def test_only_unknown_code_can_be_vouched_for() -> None:
    policy = Policy(name="p", pickle_allow=("mycorp.nets:Net", "posix:system"))
    unknown = finding(Severity.HIGH, "MSP1004", subject="mycorp.nets:Net")
    outcome = verdict(policy, unknown)
    assert outcome.decision is Decision.ALLOWED
    assert [note.code for note in outcome.notes] == ["MSP9008"]
    assert verdict(policy, finding(Severity.CRITICAL)).decision is Decision.DENIED
    other = finding(Severity.HIGH, "MSP1004", subject="mycorp.nets:Other")
    assert verdict(policy, other).decision is Decision.DENIED


def test_formats_can_be_refused() -> None:
    deny = Policy(name="p", formats=FormatRules(deny=("pickle",)))
    outcome = verdict(deny)
    assert (outcome.decision, codes(outcome)) == (Decision.DENIED, ["MSP9004"])
    only = Policy(name="p", formats=FormatRules(allow=("safetensors",)), on_incomplete=OnIncomplete(other=Action.ALLOW))
    honest = (artifact("a.safetensors", formats=("safetensors",)), artifact("README.md", PICTURE, formats=("text",)))
    assert verdict(only, artifacts=honest).decision is Decision.ALLOWED
    assert verdict(only, artifacts=(artifact(),)).decision is Decision.DENIED
    assert verdict(only, artifacts=(artifact("x.bin", formats=()),)).decision is Decision.DENIED


def test_paths_have_thresholds_of_their_own() -> None:
    policy = Policy(
        name="p", paths=(PathSetting(glob="tests/**", fail_on=Severity.CRITICAL, on_incomplete=Action.WARN),)
    )
    inside, outside = finding(path="tests/a/b.pkl"), finding(path="a.pkl")
    assert verdict(policy, inside).decision is Decision.ALLOWED
    assert verdict(policy, outside).decision is Decision.DENIED
    assert verdict(policy, artifacts=(artifact("tests/a.pkl", GAP),)).decision is Decision.ALLOWED


def test_a_baseline_sets_known_findings_aside_and_new_ones_count(tmp_path: Path) -> None:
    known, new = finding(), finding(subject="nt:system")
    baseline = Baseline(1, (Known(known.fingerprint, known.rule, known.artifact),))
    assert verdict(DEFAULT, known, baseline=baseline).decision is Decision.ALLOWED
    outcome = verdict(DEFAULT, known, new, baseline=baseline)
    assert outcome.decision is Decision.DENIED
    assert [entry.by for entry in outcome.suppressed] == ["baseline"]


def test_a_baseline_survives_writing_and_reading(tmp_path: Path) -> None:
    outcome = verdict(DEFAULT, finding())
    report = Report(
        tool=Tool("modelscan-plus", "0", "sha256:0"),
        now="2026-11-23T00:00:00Z",
        verdict=Verdict(outcome.decision, "full", outcome.reasons, "sha256:0"),
        targets=(),
        artifacts=(),
        findings=outcome.findings,
        summary=Summary(0, {}, {}, 0),
    )
    path = tmp_path / "baseline.json"
    path.write_bytes(make_baseline(report))
    assert read_baseline(path).fingerprints == {finding().fingerprint}
    path.write_text('{"baseline": 2}')
    with pytest.raises(UsageError, match="version 2"):
        read_baseline(path)
    path.write_text("[]")
    with pytest.raises(UsageError, match="baseline"):
        read_baseline(path)
