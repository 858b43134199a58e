"""The Python face: typed, frozen, and a guard before a load."""

from pathlib import Path

import pytest

import modelscan_plus
from fixtures.make.archives import HONEST
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.core.errors import NotAllowed, UsageError


def test_scan_gives_a_frozen_report(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(HONEST)
    report = modelscan_plus.scan(tmp_path / "a.pkl", sha256=True)
    assert report.allowed
    assert report.artifacts[0].sha256 is not None
    with pytest.raises(AttributeError):
        report.now = "later"  # type: ignore[misc]


def test_require_allowed_raises_with_the_evidence_before_a_load(tmp_path: Path) -> None:
    (tmp_path / "good.pkl").write_bytes(HONEST)
    (tmp_path / "bad.pkl").write_bytes(PAYLOAD)
    assert modelscan_plus.require_allowed(tmp_path / "good.pkl").allowed
    with pytest.raises(NotAllowed, match="denied: 1 finding") as caught:
        modelscan_plus.require_allowed(tmp_path / "bad.pkl")
    assert caught.value.report.findings[0].rule == "MSP1001"  # type: ignore[attr-defined]


def test_wrong_use_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        modelscan_plus.scan(tmp_path / "missing")


def test_only_public_names_are_exported() -> None:
    assert set(modelscan_plus.__all__) >= {"scan", "require_allowed", "Report", "NotAllowed"}
    assert all(hasattr(modelscan_plus, name) for name in modelscan_plus.__all__)


def test_the_function_is_not_hidden_by_a_module_of_its_name() -> None:
    import modelscan_plus.cli.scan

    assert modelscan_plus.cli.scan.command.name == "scan"
    assert callable(modelscan_plus.scan)
