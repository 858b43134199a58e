"""The wheel holds everything that runs: built and unpacked, and started without the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", reason="setuptools is not installed")
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of a wheel that is built from a copy of the sources."""
    copy, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("modelscan_plus", "templates"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    code = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(target)], cwd=copy, capture_output=True, check=True)
    (wheel,) = target.glob("*.whl")
    folder = target / "content"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_every_module_and_data_file_is_in_the_wheel(unpacked: Path) -> None:
    sources = {
        path.relative_to(ROOT)
        for path in (ROOT / "modelscan_plus").rglob("*")
        if path.suffix in (".py", ".toml", ".json", ".typed")
    }
    missing = sorted(str(path) for path in sources if not (unpacked / path).exists())
    assert missing == []
    for name in ("report.html.j2", "finding.html.j2", "report.css", "report.js"):
        assert (unpacked / "modelscan_plus" / "templates" / name).exists()


def test_the_wheel_scans_and_renders_on_its_own(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    done = subprocess.run(
        [sys.executable, "-m", "modelscan_plus", "scan", "a.pkl", "-f", "html=r.html"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "posix.system" in (tmp_path / "r.html").read_text("utf-8")


def test_nothing_else_is_installed(unpacked: Path) -> None:
    tops = {path.name for path in unpacked.iterdir()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"modelscan_plus"}
