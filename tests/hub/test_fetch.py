"""`fetch`: the destination is absent or complete and verified, whatever happens."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from fixtures.make.assemble import PROTO4, name, pickle, text
from modelscan_plus import fetch as fetching
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.report import Report
from modelscan_plus.pipeline import Options, scan_sources
from modelscan_plus.policy.load import load_policy
from modelscan_plus.sources.hub.download import DownloadFailed, Mismatch, check_names, spoken
from modelscan_plus.sources.hub.remote import RemoteIdentity
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.trust.journal import entries
from modelscan_plus.trust.sign import KeySigner
from modelscan_plus.trust.tree import measure
from tests.cli.commands import run
from tests.hub import sparse
from tests.hub.server import Content, Faults, File, Hub

WEIGHTS = sparse.safetensors(3_000_000).read(0, 4_000_000)
FILES = {
    "model.safetensors": (WEIGHTS, True),
    "config.json": (b'{"model_type": "bert"}', False),
    "nested/deep/other.safetensors": (sparse.safetensors(900_000, 3).read(0, 1_000_000), True),
    "empty.txt": (b"", False),
}
EVIL = PROTO4 + sparse.PAYLOAD + b"."


def publish(hub: Hub, **more: tuple[bytes, bool]) -> str:
    files = FILES | {path.replace("__", "."): entry for path, entry in more.items()}
    return hub.repo("org/model").commit({path: File(Content(data), lfs) for path, (data, lfs) in files.items()})


def fetch(place: Path, target: str = "hf:org/model", *, keep: bool = False, **options: object) -> fetching.Fetched:
    made = Options(policy=load_policy(None), **options)  # type: ignore[arg-type]
    return fetching.fetch(target, place, made, keep=keep, tick=lambda progress: None, say=lambda text: None)


def contents(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def complete(place: Path) -> bool:
    return contents(place) == {path: data for path, (data, _) in FILES.items()}


def left(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir() if path != place and "quarantine" in path.name)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "models" / "bert"


@pytest.fixture(autouse=True)
def _parent(place: Path) -> None:
    place.parent.mkdir()


def test_an_allowed_repository_lands_whole(hub: Hub, place: Path) -> None:
    commit = publish(hub)
    fetched = fetch(place)
    assert fetched.landed
    assert complete(place)
    assert left(place) == []
    assert fetched.report.verdict.scope == "full"
    assert fetched.report.targets[0].revision == commit
    assert fetched.report.targets[0].digest
    assert all(artifact.sha256 for artifact in fetched.report.artifacts)
    assert "MSP5002" in {finding.rule for finding in fetched.report.findings}


def test_a_required_signature_is_looked_for_in_what_came(hub: Hub, place: Path, tmp_path: Path) -> None:
    signer = KeySigner(ec.generate_private_key(ec.SECP256R1()))
    (tmp_path / "key.pub").write_bytes(signer.public_pem)
    policy = tmp_path / "policy.toml"
    policy.write_text('schema = 1\n[[signatures.require]]\nmatch = "hf:org/*"\nkey = "key.pub"\n')
    made = Options(policy=load_policy(str(policy)))
    publish(hub)
    refused = fetching.fetch("hf:org/model", place, made, keep=False, tick=lambda _: None, say=lambda _: None)
    assert not refused.landed
    assert not place.exists()
    assert "MSP7001" in {finding.rule for finding in refused.report.findings}
    assert refused.report.verdict.scope == "full"
    resources = [
        {"name": path, "algorithm": "sha256", "digest": hashlib.sha256(data).hexdigest()}
        for path, (data, _) in sorted(FILES.items())
    ]
    root = hashlib.sha256(b"".join(bytes.fromhex(item["digest"]) for item in resources)).hexdigest()
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "m", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {"resources": resources, "serialization": {"method": "files", "hash_type": "sha256"}},
    }
    publish(hub, model__sig=(signer.sign(json.dumps(statement).encode()), False))
    landed = fetching.fetch("hf:org/model", place, made, keep=False, tick=lambda _: None, say=lambda _: None)
    assert landed.landed
    assert [report.state for report in landed.report.signatures] == ["verified"]


def test_what_the_remote_scan_denies_is_never_downloaded(hub: Hub, place: Path) -> None:
    publish(hub, bad__pkl=(EVIL, True))
    fetched = fetch(place)
    assert not fetched.landed
    assert not place.exists()
    assert left(place) == []
    assert hub.body_bytes() < 300_000


@pytest.mark.parametrize("keep", [False, True])
def test_what_only_the_full_scan_shows_does_not_land(hub: Hub, place: Path, keep: bool) -> None:
    # A server that shows the scanner something harmless and the download something else, with the hash that fits.
    harmless = pickle(text("x" * 300_000))
    evil = PROTO4 + text("y" * 299_000)[:-1] + b"y0" + sparse.PAYLOAD + b"."
    evil += bytes(len(harmless) - len(evil))
    publish(hub, other__pkl=(evil, True))
    hub.faults["other.pkl"] = Faults(other=None)
    assert hashlib.sha256(evil).hexdigest()
    real = fetching.scan_sources
    calls: list[int] = []

    def blind(targets: object, options: Options) -> object:
        """The first scan, the remote one, sees nothing of the file."""
        calls.append(1)
        from dataclasses import replace

        chosen = replace(options, exclude=("other.pkl",)) if len(calls) == 1 else options
        source = targets[0][1]  # type: ignore[index]
        if len(calls) == 1:
            source._exclude = ("other.pkl",)
            report = real(targets, chosen)  # type: ignore[arg-type]
            source._exclude = ()
            return report
        return real(targets, options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "scan_sources", blind)
        fetched = fetch(place, keep=keep)
    assert not fetched.landed
    assert "MSP1001" in {finding.rule for finding in fetched.report.findings}
    assert not place.exists()
    assert left(place) == ([".bert.quarantine"] if keep else [])
    assert scan_sources is real


def test_a_swapped_file_is_refused(hub: Hub, place: Path) -> None:
    publish(hub)
    swapped = bytearray(WEIGHTS)
    swapped[-1] ^= 1
    hub.faults["model.safetensors"] = Faults(other=Content(bytes(swapped)))
    with pytest.raises(Mismatch, match="SHA-256"):
        fetch(place)
    assert not place.exists()
    assert left(place) == []


def test_a_file_that_changes_in_quarantine_does_not_land(
    hub: Hub, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub)
    real = fetching._compare

    def meddle(report: object, hashes: object) -> None:
        real(report, hashes)  # type: ignore[arg-type]
        target = place.parent / ".bert.quarantine" / "files" / "model.safetensors"
        target.write_bytes(WEIGHTS)

    monkeypatch.setattr(fetching, "_compare", meddle)
    with pytest.raises(fetching.NotLanded, match="changed in the quarantine"):
        fetch(place)
    assert not place.exists()


def test_include_fetches_a_part(hub: Hub, place: Path) -> None:
    publish(hub)
    assert fetch(place, include=("*.json",)).landed
    assert list(contents(place)) == ["config.json"]


def test_an_interrupted_download_goes_on(hub: Hub, place: Path) -> None:
    publish(hub)
    hub.faults["model.safetensors"] = Faults(failing=lambda n: 404 if n > 2 else 0, short=lambda n: 1_500_000)
    with pytest.raises(DownloadFailed, match="run it again"):
        fetch(place)
    assert not place.exists()
    assert left(place) == [".bert.quarantine"]
    hub.faults.clear()
    hub.log.clear()
    assert fetch(place).landed
    assert complete(place)
    asked = [
        r for r in hub.asked("cdn", "GET", "model.safetensors") if r.range.startswith("bytes=") and r.sent > 400_000
    ]
    assert asked
    assert all(request.range != "" for request in asked)


def test_a_part_that_was_tampered_with_comes_again(hub: Hub, place: Path) -> None:
    publish(hub)
    hub.faults["model.safetensors"] = Faults(failing=lambda n: 404 if n > 2 else 0, short=lambda n: 1_500_000)
    with pytest.raises(DownloadFailed):
        fetch(place)
    hub.faults.clear()
    for part in (place.parent / ".bert.quarantine").rglob("*"):
        if part.is_file() and part.stat().st_size > 1000:
            data = bytearray(part.read_bytes())
            data[100] ^= 255
            part.write_bytes(data)
    assert fetch(place).landed
    assert complete(place)


def test_another_commit_starts_anew(hub: Hub, place: Path) -> None:
    publish(hub, old__txt=(b"old", False))
    hub.faults["model.safetensors"] = Faults(failing=lambda n: 404 if n > 2 else 0, short=lambda n: 1_500_000)
    with pytest.raises(DownloadFailed):
        fetch(place)
    hub.faults.clear()
    publish(hub)
    assert fetch(place).landed
    assert complete(place)


def test_a_destination_that_holds_something_is_left_alone(hub: Hub, place: Path) -> None:
    publish(hub)
    place.mkdir()
    (place / "mine").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        fetch(place)
    assert list(contents(place)) == ["mine"]
    (place / "mine").unlink()
    assert fetch(place).landed


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "a//b", "a\\b", ".git/hooks/x", "a\nb", "x" * 300])
def test_paths_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(UsageError, match="safely"):
        check_names([RemoteIdentity(path, 1, "0" * 40)])


def test_a_file_and_a_folder_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="one name"):
        check_names([RemoteIdentity("a", 1, "0" * 40), RemoteIdentity("a/b", 1, "0" * 40)])
    check_names([RemoteIdentity("a/c", 1, "0" * 40), RemoteIdentity("a/b", 1, "0" * 40)])


def command(hub: Hub, place: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "modelscan_plus", "fetch", "hf:org/model", str(place), *more]


def environment(hub: Hub) -> dict[str, str]:
    return {**os.environ, "HF_ENDPOINT": hub.url}


def test_killed_at_any_moment_it_leaves_nothing_half(hub: Hub, place: Path) -> None:
    publish(hub)
    hub.hub_latency = hub.cdn_latency = 0.02
    moments = random.Random(7)
    outcomes = set()
    for _ in range(8):
        running = subprocess.Popen(
            command(hub, place, "-q"), env=environment(hub), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.25, 1.3))
        running.send_signal(signal.SIGKILL)
        running.wait()
        outcomes.add(place.exists())
        assert not place.exists() or complete(place)
        if place.exists():
            shutil.rmtree(place)
    done = subprocess.run(command(hub, place), env=environment(hub), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert complete(place)
    assert left(place) == []
    assert False in outcomes


@pytest.mark.parametrize("keep", [False, True])
def test_ctrl_c_removes_the_quarantine_and_keeps_it_on_request(hub: Hub, place: Path, keep: bool) -> None:
    publish(hub)
    hub.faults["model.safetensors"] = Faults(silent_whole=3.0)
    running = subprocess.Popen(
        command(hub, place, *(["--keep"] if keep else [])), env=environment(hub), stderr=subprocess.PIPE
    )
    downloading = lambda: [request for request in hub.asked("cdn", "GET", "model.safetensors") if not request.range]  # noqa: E731
    while not downloading() and running.poll() is None:
        time.sleep(0.05)
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert not place.exists()
    assert left(place) == ([".bert.quarantine"] if keep else [])


def test_a_disk_that_refuses_leaves_nothing(hub: Hub, place: Path) -> None:
    resource = pytest.importorskip("resource")
    publish(hub)
    done = subprocess.run(
        command(hub, place),
        env=environment(hub),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000)),
    )
    assert done.returncode == 5
    assert "too large" in done.stderr
    assert not place.exists()
    assert left(place) == []
    assert spoken(OSError(28, "No space left on device")) == "the disk is full"


def test_a_full_disk_is_known_before(hub: Hub, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(hub)
    usage = shutil.disk_usage(place.parent)._replace(free=1000)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UsageError, match="are needed"):
        fetch(place)
    assert left(place) == []


def test_the_command_says_what_became_of_it(hub: Hub, place: Path) -> None:
    publish(hub, bad__pkl=(EVIL, True))
    done = subprocess.run(command(hub, place), env=environment(hub), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "was not touched" in done.stderr
    assert "posix.system" in done.stdout
    publish(hub)
    hub.faults["config.json"] = Faults(other=Content(b'{"model_type": "gpt2"}'))
    done = subprocess.run(command(hub, place), env=environment(hub), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert not place.exists()


def test_two_at_a_time_are_refused(hub: Hub, place: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    publish(hub)
    quarantine = place.parent / ".bert.quarantine"
    quarantine.mkdir(mode=0o700)
    with (quarantine / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another fetch"):
            fetch(place)
    assert name("a", "b")


def test_the_decision_is_logged_before_anything_lands(hub: Hub, place: Path) -> None:
    publish(hub)
    log = place.parent / "imports.log"
    done = run("fetch", "hf:org/model", place, "--log", log, "--actor", "ci", "-q")
    assert done.returncode == 0, done.stderr
    publish(hub, bad__pkl=(EVIL, True))
    done = run("fetch", "hf:org/model", place.parent / "other", "--log", log, "-q")
    assert done.returncode == 1, done.stderr
    landed, refused = entries(log)
    assert (landed.event, landed.verdict, landed.on_behalf) == ("fetch", "allowed", "ci")
    assert (refused.event, refused.verdict) == ("fetch", "denied")
    assert landed.tree == measure(LocalSource(str(place)).entries()).digest


def test_what_cannot_be_logged_does_not_land(hub: Hub, place: Path) -> None:
    publish(hub)

    def refuse(report: Report) -> Report:
        raise UsageError("the log cannot be written")

    made = Options(policy=load_policy(None))
    with pytest.raises(UsageError):
        fetching.fetch("hf:org/model", place, made, keep=False, tick=lambda _: None, say=lambda _: None, decided=refuse)
    assert not place.exists()
