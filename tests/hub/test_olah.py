"""A second implementation between us and the loopback hub: olah, a caching mirror that serves LFS files itself."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from modelscan_plus import pipeline
from modelscan_plus.policy.load import load_policy
from tests.hub import sparse
from tests.hub.server import Content, File, Hub

OLAH = shutil.which("olah-cli", path=str(Path(sys.executable).parent)) or shutil.which("olah-cli")


@pytest.fixture
def mirror(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The mirror's address, to which huggingface_hub is pointed."""
    if OLAH is None:
        pytest.skip("olah is not installed")
    from huggingface_hub import constants

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours, cdn = (address.removeprefix("http://") for address in (hub.url, hub.cdn))
    here = f"127.0.0.1:{port}"
    settings = {
        "host": "127.0.0.1",
        "port": str(port),
        "hf-scheme": "http",
        "hf-netloc": ours,
        "hf-lfs-netloc": cdn,
        "mirror-scheme": "http",
        "mirror-netloc": here,
        "mirror-lfs-netloc": here,
        "repos-path": str(tmp_path / "olah"),
        "log-path": str(tmp_path),
    }
    running = subprocess.Popen(
        [OLAH, *(part for name, value in settings.items() for part in (f"--{name}", value))],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()


def test_a_mirror_of_another_make_gives_the_same_findings(hub: Hub, mirror: str) -> None:
    files = {
        "pytorch_model.bin": File(sparse.torch_zip(20, 8_000_000, sparse.state(20, sparse.PAYLOAD)), lfs=True),
        "model.safetensors": File(sparse.safetensors(3_000_000), lfs=True),
        "config.json": File(Content(b"{}")),
    }
    commit = hub.repo("org/model").commit(files)
    report = pipeline.scan_targets(["hf:org/model"], pipeline.Options(policy=load_policy(None)))
    assert report.targets[0].revision == commit
    assert {(finding.artifact, finding.rule) for finding in report.findings if finding.severity.rank > 1} == {
        ("pytorch_model.bin", "MSP1001")
    }
    assert {artifact.path: artifact.coverage.incomplete for artifact in report.artifacts} == {
        "config.json": False,
        "model.safetensors": False,
        "pytorch_model.bin": False,
    }
