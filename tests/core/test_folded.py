"""Findings that are one to a baseline are one to the reader."""

from modelscan_plus.core.finding import Finding, Location, Severity, TextEvidence, folded


def finding(subject: str, severity: Severity = Severity.HIGH, **where: int) -> Finding:
    return Finding(
        rule="MSP0000",
        slug="x",
        title="x",
        severity=severity,
        default_severity=severity,
        message=f"It calls {subject}.",
        evidence=TextEvidence(subject),
        remediation="x",
        target="t1",
        artifact="a.py",
        location=Location(**where),
        fingerprint=subject,
    )


def test_one_cause_in_many_places_is_one_finding_with_its_places() -> None:
    (one,) = folded([finding("run", line=number) for number in (9, 3, 30, 20, 40, 50, 60)])
    assert one.location.line == 3
    assert one.message == (
        "It calls run; this stands in 7 places: line 3, line 9, line 20, line 30, line 40 and 2 more."
    )


def test_the_worst_of_them_stands_for_all() -> None:
    (one,) = folded([finding("run", Severity.LOW, offset=1), finding("run", Severity.CRITICAL, offset=8)])
    assert (one.severity, one.location.offset) == (Severity.CRITICAL, 8)


def test_what_a_baseline_tells_apart_stays_apart() -> None:
    assert len(folded([finding("run", line=1), finding("eval", line=1)])) == 2
    assert folded([finding("run", line=1)]) == [finding("run", line=1)]
