"""Rules about the repository around the files, and about caches."""

import msgspec
import pytest

from modelscan_plus.core.facts import PathFacts
from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.core.repository import HubRepositoryFacts, HubVerdict
from modelscan_plus.rules.paths import judge_path
from modelscan_plus.rules.registry import all_rules
from modelscan_plus.rules.tree import Tree, judge_tree

COMMIT = "4" * 40
PLAIN = HubRepositoryFacts("org/model", "org/model", COMMIT, COMMIT, True, True, (), (), ())


assert all_rules()  # the registry is what imports every family


def found(**changes: object) -> list[Finding]:
    facts = msgspec.structs.replace(PLAIN, **changes)
    return judge_tree(Tree("t1", "hub", {}, COMMIT, (facts,)))[0]


def rules(**changes: object) -> dict[str, Severity]:
    return {finding.rule: finding.severity for finding in found(**changes)}


def test_a_pinned_repository_that_the_hub_calls_safe_is_quiet() -> None:
    assert rules(verdicts=(HubVerdict("a.bin", "", "safe", ""), HubVerdict("a.bin", "ClamAV", "safe", ""))) == {}


def test_a_branch_moves() -> None:
    assert rules(pinned=False, revision="") == {"MSP5002": Severity.INFO}
    assert COMMIT in found(pinned=False, revision="main")[0].message


def test_a_pull_request_is_anyones() -> None:
    assert rules(pinned=False, revision="refs/pr/7")["MSP5004"] is Severity.MEDIUM
    assert "MSP5004" not in rules(pinned=False, revision="refs/heads/pr")


def test_a_moved_repository_is_named_and_another_case_is_none() -> None:
    assert rules(name="other/model") == {"MSP5003": Severity.MEDIUM}
    assert rules(name="Org/Model") == {}


@pytest.mark.parametrize(
    ("status", "severity"),
    [("unsafe", Severity.HIGH), ("suspicious", Severity.MEDIUM), ("caution", Severity.LOW)],
)
def test_scanners_that_object_are_heard(status: str, severity: Severity) -> None:
    (finding,) = found(
        verdicts=(HubVerdict("a.bin", "", status, ""), HubVerdict("a.bin", "JFrog", status, "bad\x1b[1m"))
    )
    assert (finding.rule, finding.severity, finding.source) == ("MSP5005", severity, "hub")
    assert finding.artifact == "a.bin"
    assert "JFrog" in finding.message
    assert "\x1b" not in finding.message


@pytest.mark.parametrize("status", ["unscanned", "queued", "error", "unknown", "something-new", ""])
def test_no_opinion_is_never_safe(status: str) -> None:
    (finding,) = found(verdicts=(HubVerdict("a.bin", "", status, ""),))
    assert finding.rule == "MSP5006"
    assert "not the same as safe" in finding.message


def test_an_issue_in_an_unknown_word_is_an_alert() -> None:
    assert rules(flagged=(("a.bin", "weird"),)) == {"MSP5005": Severity.MEDIUM}


def test_a_repository_that_waits_for_scanners_says_so() -> None:
    assert rules(scanned=False) == {"MSP5006": Severity.INFO}
    assert rules(scanned=None) == {}


def test_weights_in_git_are_named() -> None:
    assert rules(plain_weights=("model.safetensors",)) == {"MSP5007": Severity.LOW}


def test_a_conversion_that_the_service_did_not_open_denies() -> None:
    assert rules(conversions=((7, "mallory"),)) == {"MSP5010": Severity.HIGH}
    assert rules(conversions=((7, "SFconvertbot"),)) == {"MSP5010": Severity.LOW}
    assert "refs/pr/7" in found(conversions=((7, "mal\x1blory"),))[0].subject
    assert "\x1b" not in found(conversions=((7, "mal\x1blory"),))[0].message


def test_a_blob_that_differs_from_its_name() -> None:
    (finding,) = judge_path("blobs/aa", PathFacts("blob-differs", "aa has the hash bb"))
    assert (finding.rule, finding.severity) == ("MSP5009", Severity.HIGH)
    assert list(judge_path("blobs/aa", PathFacts("link-broken", "aa"))) == []


def test_findings_are_plain_values() -> None:
    (finding,) = found(verdicts=(HubVerdict("a.bin", "", "unsafe", ""),))
    assert msgspec.json.decode(msgspec.json.encode(finding), type=Finding) == finding
