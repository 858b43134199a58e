"""What is said about special files, links that lead away, changing files and policies inside a target."""

import pytest

from modelscan_plus.core.facts import PathFacts
from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.rules.paths import judge_path


def judge(kind: str, detail: str = "detail") -> list[Finding]:
    return list(judge_path("model/file", PathFacts(kind, detail)))


@pytest.mark.parametrize(
    ("kind", "rule", "severity"),
    [
        ("fifo", "MSP9101", Severity.MEDIUM),
        ("device", "MSP9101", Severity.MEDIUM),
        ("socket", "MSP9101", Severity.MEDIUM),
        ("link-outside", "MSP9102", Severity.MEDIUM),
        ("changed", "MSP9103", Severity.HIGH),
        ("policy-file", "MSP9104", Severity.INFO),
    ],
)
def test_a_path_that_is_no_ordinary_file_is_a_finding(kind: str, rule: str, severity: Severity) -> None:
    (finding,) = judge(kind)
    assert (finding.rule, finding.severity) == (rule, severity)
    assert "detail" in finding.message


@pytest.mark.parametrize("kind", ["link-broken", "link-loop", "permission", "vanished", "too-large"])
def test_what_only_could_not_be_read_is_a_matter_of_coverage(kind: str) -> None:
    assert judge(kind) == []


@pytest.mark.parametrize("kind", ["link-broken", "link-outside"])
@pytest.mark.parametrize(
    ("target", "high"),
    [
        ("../../../../home/user/.ssh/id_rsa", True),
        ("/etc/passwd", True),
        ("../../.aws/credentials", True),
        ("../../blobs/9c1e", False),
        ("/data/models/7b/model.safetensors", False),
    ],
)
def test_a_link_to_what_every_machine_keeps_to_itself(kind: str, target: str, high: bool) -> None:
    assert any(finding.severity is Severity.HIGH for finding in judge(kind, target)) is high


def test_links_to_two_places_are_two_findings_to_a_baseline() -> None:
    subjects = {judge("link-outside", target)[0].subject for target in ("/etc/passwd", "/etc/shadow")}
    assert len(subjects) == 2


def test_a_hostile_link_target_is_shown_escaped() -> None:
    (finding,) = judge("link-outside", "/\x1b[2J\u202e\udcff")
    assert finding.message.isprintable()
    assert r"\x1b" in finding.message
    assert r"\xff" in finding.message
