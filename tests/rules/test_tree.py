"""Rules over whole trees: what they are given, how their findings meet those of the files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelscan_plus import scan
from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.rules import tree as trees
from modelscan_plus.rules.identity import POLYGLOT
from modelscan_plus.rules.tree import Tree, TreeContext, joined, merged

HOSTILE = b"cposix\nsystem\n(S'true'\ntR."


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [
        ("", "a.json", "a.json"),
        ("unet", "./x/../y.bin", "unet/y.bin"),
        ("unet", "../vae/y.bin", "vae/y.bin"),
        ("unet", "../../y.bin", None),
        ("", "/etc/passwd", None),
        ("", "C:\\x", None),
        ("", "..\\..\\x", None),
    ],
)
def test_names_in_a_file_are_followed_within_the_target(folder: str, name: str, expected: str | None) -> None:
    assert joined(folder, name) == expected


def test_a_tree_rule_sees_all_files_and_its_findings_stand_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(tree: Tree, context: TreeContext) -> Iterator[Finding]:
        files = ", ".join(tree.files)
        yield context.finding(POLYGLOT, "sub/a.pkl", f"Files: {files}.", TextEvidence(files), subject="x")

    monkeypatch.setattr(trees, "TREE_JUDGES", [judge])
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.pkl").write_bytes(b"\x80\x02}.")
    (tmp_path / "b.pkl").write_bytes(b"\x80\x02}.")
    report = scan(tmp_path)
    (finding,) = report.findings
    assert (finding.artifact, finding.message) == ("sub/a.pkl", "Files: b.pkl, sub/a.pkl.")
    assert finding.fingerprint
    assert finding.target == "t1"


def test_a_raised_finding_takes_the_place_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(tree: Tree, context: TreeContext) -> Iterator[Finding]:
        for file in tree.files.values():
            for finding in file.findings:
                yield context.raised(finding, Severity.CRITICAL, "A loader reaches it.")
                yield context.raised(finding, Severity.LOW, "It matters little.")

    (tmp_path / "a.pkl").write_bytes(HOSTILE)
    before = scan(tmp_path).findings
    monkeypatch.setattr(trees, "TREE_JUDGES", [judge])
    after = scan(tmp_path).findings
    assert [finding.fingerprint for finding in after] == [finding.fingerprint for finding in before]
    assert all(new.severity.rank >= old.severity.rank for new, old in zip(after, before, strict=True))
    assert not any("matters little" in finding.message for finding in after)


def test_what_only_the_tree_says_is_added() -> None:
    assert merged([], []) == []


def test_findings_of_the_tree_beyond_the_limit_leave_the_target_partly_analysed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(tree: Tree, context: TreeContext) -> Iterator[Finding]:
        for number in range(context.room + 5):
            yield context.finding(POLYGLOT, "a.pkl", "x", TextEvidence("x"), subject=str(number))

    monkeypatch.setattr(trees, "TREE_JUDGES", [judge])
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02}.")
    report = scan(tmp_path)
    assert len(report.findings) == 2000
    assert [reason.code for reason in report.artifacts[0].coverage.reasons] == ["more-findings"]
