"""What a child can no longer do, and that missing layers are said to be missing."""

import sys
from pathlib import Path

import pytest

from modelscan_plus.core.limits import Limits
from modelscan_plus.inspection import FileResult
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.workers import landlock, layers
from modelscan_plus.workers.supervisor import Supervisor
from tests.workers.hostile import PREFIX, misbehaving

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="most layers exist on Linux only")


def ask_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> tuple[set[str], tuple[str, ...]]:
    """What a misbehaving child reports, and the layers that held it."""
    (tmp_path / "file").write_bytes(PREFIX + what.encode())
    entries = (("t1", entry) for entry in LocalSource(str(tmp_path / "file")).entries())
    with misbehaving(monkeypatch), Supervisor(Limits()) as supervisor:
        (outcome,) = supervisor.run(entries)
        assert isinstance(outcome.result, FileResult), outcome
        return {reason.message for reason in outcome.result.coverage.reasons}, supervisor.sandbox


def test_a_child_can_do_nothing_but_read_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    escapes, layers = ask_child(tmp_path, monkeypatch, "escape")
    closed = {
        "read a file": "landlock" in layers,
        "list a folder": "landlock" in layers,
        "write a file": "landlock" in layers,
        "reach the network": "network-namespace" in layers or landlock.abi() >= 4,
        "signal the parent": landlock.abi() >= 6,
        "raise the memory limit": "memory-limit" in layers,
    }
    if not any(closed.values()):
        pytest.skip("this system has no layer to test")
    assert escapes.isdisjoint(name for name, is_closed in closed.items() if is_closed)


def test_rlimits_and_no_new_privs_hold_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, layers = ask_child(tmp_path, monkeypatch, "pid")
    assert {"no-new-privs", "rlimits", "memory-limit", "not-dumpable", "parent-death-signal"} <= set(layers)


def test_a_fresh_interpreter_gets_no_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelscan_plus.workers import process

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    started: list[dict[str, str]] = []
    import subprocess

    real = subprocess.Popen

    def popen(*args: object, env: dict[str, str], **options: object) -> "subprocess.Popen[bytes]":
        started.append(env)
        return real(*args, env=env, **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(process, "can_fork", lambda: False)
    with Supervisor(Limits()) as supervisor:
        supervisor.probe()
    assert started
    assert "HF_TOKEN" not in started[0]


def test_describe_names_every_layer_and_whether_it_holds() -> None:
    found = {layer.name: layer for layer in layers.describe()}
    assert found["child-process"].active
    assert found["landlock"].active == (landlock.abi() > 0)
    assert all(layer.detail for layer in found.values())


def test_a_missing_layer_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from modelscan_plus.workers import process

    monkeypatch.setattr(process, "can_fork", lambda: True)
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    found = {layer.name: layer.active for layer in layers.describe()}
    assert not found["landlock"]
    assert found["rlimits"]


def test_a_system_without_children_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "available", lambda: False)
    assert not any(layer.active for layer in layers.describe())
