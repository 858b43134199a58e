"""The hooks under the real pre-commit, in a real git repository. No network: the environment is this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.make.archives import HONEST
from fixtures.make.payloads import PAYLOAD
from tests.cli.commands import run

pytest.importorskip("pre_commit", reason="pre-commit is not installed")
yaml = pytest.importorskip("yaml", reason="PyYAML comes with pre-commit")
ROOT = Path(__file__).parent.parent.parent
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


def git(folder: Path, *arguments: str) -> None:
    identity = {
        f"GIT_{who}_{what}": "test@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, env={**os.environ, **identity})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that uses our hooks as they stand in the file, run by this Python instead of a fresh environment."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    for hook in hooks:
        hook["language"] = "system"
        hook["entry"] = hook["entry"].replace("modelscan-plus", f"{sys.executable} -m modelscan_plus", 1)
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": hooks}]}))
    return folder


def check(folder: Path, hook: str, **files: bytes) -> subprocess.CompletedProcess[str]:
    """Stage the files ("__" in a name stands for a dot) and run one hook on them."""
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    git(folder, "add", "-A")
    command = [sys.executable, "-m", "pre_commit", "run", hook, "--all-files"]
    environment = {**os.environ, "PRE_COMMIT_HOME": str(folder.parent / "cache")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def test_a_hostile_pickle_is_refused(repository: Path) -> None:
    done = check(repository, "modelscan-plus", model__pkl=PAYLOAD, good__pkl=HONEST)
    assert done.returncode == 1
    assert "calls posix.system('true')" in done.stdout
    assert "DENIED" in done.stdout


def test_an_honest_model_passes_and_other_files_are_not_asked(repository: Path) -> None:
    done = check(repository, "modelscan-plus", model__pkl=HONEST, notes__txt=b"text\n")
    assert done.returncode == 0, done.stdout
    assert "Passed" in done.stdout


def test_a_renamed_pickle_is_found_by_the_hook_for_binary_files(repository: Path) -> None:
    assert check(repository, "modelscan-plus", weights__xyz=PAYLOAD).returncode == 0
    done = check(repository, "modelscan-plus-all", weights__xyz=PAYLOAD)
    assert done.returncode == 1
    assert "weights.xyz" in done.stdout


def test_an_lfs_pointer_is_reported_as_not_scanned(repository: Path) -> None:
    done = check(repository, "modelscan-plus", model__safetensors=POINTER)
    assert done.returncode == 1
    assert "INCOMPLETE" in done.stdout
    assert "only a Git LFS pointer is here" in " ".join(done.stdout.split())


def test_what_is_checked_is_what_is_staged(repository: Path) -> None:
    (repository / "model.pkl").write_bytes(PAYLOAD)
    git(repository, "add", "-A")
    (repository / "model.pkl").write_bytes(HONEST)
    command = [sys.executable, "-m", "pre_commit", "run", "modelscan-plus"]
    environment = {**os.environ, "PRE_COMMIT_HOME": str(repository.parent / "cache")}
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1


def test_the_hook_file_is_valid_and_names_what_it_should() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert [hook["id"] for hook in hooks] == ["modelscan-plus", "modelscan-plus-all", "modelscan-plus-lock"]
    assert all(hook["require_serial"] for hook in hooks)


def test_a_locked_model_that_changed_is_refused(repository: Path) -> None:
    (repository / "models").mkdir()
    (repository / "models" / "m.pkl").write_bytes(HONEST)
    assert run("lock", "add", "models", cwd=repository).returncode == 0
    done = check(repository, "modelscan-plus-lock")
    assert done.returncode == 0, done.stdout
    (repository / "models" / "m.pkl").write_bytes(HONEST + b".")
    done = check(repository, "modelscan-plus-lock")
    assert done.returncode == 1
    assert "DOES NOT VERIFY" in done.stdout
