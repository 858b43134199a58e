"""The lock file: what verifies and what does not, what takes a word of the user, and that it is never torn."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from modelscan_plus.core.errors import UsageError
from modelscan_plus.locking import Refused, successor
from modelscan_plus.trust import lock as locks
from modelscan_plus.trust.journal import entries
from modelscan_plus.trust.lock import Alteration, Entry, Lock, Origin, Signer
from modelscan_plus.trust.tree import FileDigest, tree_digest
from tests.cli.commands import run
from tests.trust.test_tree import REFUSED, TAMPER, build
from tests.trust.writers import Writers, wait_for

A, B = "a" * 40, "b" * 40


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an honest model, locked."""
    header = b"{}      "
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (tmp_path / "model" / "README.md").write_text("# A model\n")
    done = run("lock", "add", "model", "--source", "hf:org/model", "--revision", A, "--log", "log", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path


def lock_of(place: Path) -> Entry:
    return locks.read(place / locks.NAME).models["model"]


def test_a_locked_model_verifies_by_name_by_path_and_without_a_name(place: Path) -> None:
    for arguments in ([], ["model"], ["./model"], [place / "model"], ["model", "--name", "model"]):
        done = run("lock", "verify", *arguments, cwd=place)
        assert (done.returncode, done.stdout.count("verified 2 files")) == (0, 1), done.stderr


def test_the_entry_says_where_from_what_and_on_what_ground(place: Path) -> None:
    entry = lock_of(place)
    assert entry.source == Origin(kind="hf", name="org/model", revision=A)
    assert entry.path == "model"
    assert entry.scan is not None
    assert entry.scan.verdict == "allowed"
    assert entry.tree == tree_digest(locks.digests(entry.files))
    shown = json.loads(run("scan", "model", "--hash", "-f", "json", cwd=place).stdout)
    assert shown["targets"][0]["digest"] == entry.tree
    (logged,) = entries(place / "log")
    assert (logged.event, logged.tree, logged.verdict, logged.revision) == ("lock-add", entry.tree, "allowed", A)


@pytest.mark.parametrize("change", TAMPER.values(), ids=TAMPER)
def test_every_change_of_the_files_is_caught(tmp_path: Path, change: Callable[[Path], object]) -> None:
    build(tmp_path / "model")
    assert run("lock", "add", "model", "--no-scan", cwd=tmp_path).returncode == 0
    assert run("lock", "verify", cwd=tmp_path).returncode == 0
    change(tmp_path / "model")
    done = run("lock", "verify", cwd=tmp_path)
    assert (done.returncode, "DOES NOT VERIFY" in done.stdout) == (1, True)
    assert run("lock", "diff", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_place_in_a_tree_is_neither_locked_nor_verified(
    tmp_path: Path, change: Callable[[Path], object], reason: str
) -> None:
    build(tmp_path / "model")
    assert run("lock", "add", "model", "--no-scan", cwd=tmp_path).returncode == 0
    change(tmp_path / "model")
    done = run("lock", "verify", cwd=tmp_path)
    assert (done.returncode, reason in done.stdout) == (1, True), done.stdout
    done = run("lock", "add", "model", "--no-scan", "--name", "other", cwd=tmp_path)
    assert (done.returncode, "cannot be locked" in done.stderr) == (1, True)


def test_the_whole_model_replaced_by_a_link_is_compared_where_it_leads(place: Path) -> None:
    (place / "model").rename(place / "elsewhere")
    (place / "model").symlink_to("elsewhere")
    assert run("lock", "verify", cwd=place).returncode == 0
    (place / "elsewhere" / "README.md").write_text("# Another\n")
    assert run("lock", "verify", cwd=place).returncode == 1


def test_a_name_says_how_a_file_differs(place: Path) -> None:
    (place / "model" / "README.md").write_text("# B model\n")
    (place / "model" / "evil.pkl").touch()
    (place / "model" / "w.safetensors").rename(place / "model" / "v.safetensors")
    told = json.loads(run("lock", "verify", "-f", "json", cwd=place).stdout)[0]
    assert list(told["changed"]) == ["README.md"]
    assert told["added"] == ["evil.pkl", "v.safetensors"]
    assert told["missing"] == ["w.safetensors"]
    assert "sha256" in told["changed"]["README.md"]


def test_a_pointer_in_place_of_the_file_is_told_apart(place: Path) -> None:
    digest = lock_of(place).files["w.safetensors"].sha256
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 16\n"
    (place / "model" / "w.safetensors").write_text(pointer)
    assert "git lfs pull" in run("lock", "verify", cwd=place).stdout
    (place / "model" / "w.safetensors").write_text(pointer.replace(digest, "0" * 64))
    done = run("lock", "verify", cwd=place)
    assert (done.returncode, "git lfs pull" in done.stdout) == (1, False)


def test_what_is_denied_is_not_locked_and_the_denial_is_logged(place: Path) -> None:
    (place / "bad").mkdir()
    (place / "bad" / "m.pkl").write_bytes(b"cposix\nsystem\n(S'id'\ntR.")
    done = run("lock", "add", "bad", "--log", "log", cwd=place)
    assert (done.returncode, "not locked" in done.stderr) == (1, True)
    assert "bad" not in locks.read(place / locks.NAME).models
    assert list(entries(place / "log"))[-1].verdict == "denied"


@pytest.mark.parametrize("target", ["gone", "hf:org/model", "cache:org/model", "-"])
def test_only_what_is_here_can_be_locked(tmp_path: Path, target: str) -> None:
    done = run("lock", "add", "--no-scan", "--", target, cwd=tmp_path)
    assert (done.returncode, "no such file" in done.stderr) == (2, True)


def test_a_moving_revision_cannot_be_locked(place: Path) -> None:
    done = run("lock", "add", "model", "--name", "x", "--revision", "main", cwd=place)
    assert (done.returncode, "branches and tags move" in done.stderr) == (2, True)


def test_an_update_needs_another_revision_and_remembers_the_version_before(place: Path) -> None:
    old = lock_of(place)
    (place / "model" / "README.md").write_text("# Better\n")
    done = run("lock", "update", "model", "--log", "log", cwd=place)
    assert (done.returncode, "--revision" in done.stderr) == (1, True)
    assert lock_of(place) == old
    done = run("lock", "update", "model", "--revision", B, "--log", "log", cwd=place)
    assert (done.returncode, "changed  README.md" in done.stdout) == (0, True), done.stderr
    new = lock_of(place)
    assert new.source == Origin(kind="hf", name="org/model", revision=B)
    assert [(version.tree, version.left_by) for version in new.previous] == [(old.tree, "update")]
    assert [entry.verdict for entry in entries(place / "log")] == ["allowed", "refused", "allowed"]


def test_going_back_is_explicit_verified_again_and_logged(place: Path) -> None:
    old = lock_of(place)
    shutil.copytree(place / "model", place / "kept")
    (place / "model" / "README.md").write_text("# Better!!\n")
    assert run("lock", "update", "model", "--revision", B, cwd=place).returncode == 0
    newer = lock_of(place)
    shutil.rmtree(place / "model")
    shutil.copytree(place / "kept", place / "model")
    done = run("lock", "verify", cwd=place)
    assert (done.returncode, "an earlier version" in done.stdout) == (1, True)
    done = run("lock", "update", "model", "--revision", A, cwd=place)
    assert (done.returncode, "lock rollback" in done.stderr) == (1, True)
    done = run("lock", "rollback", "model", "--reason", "worse answers", "--to", "sha256:0000", cwd=place)
    assert done.returncode == 1
    done = run("lock", "rollback", "model", "--reason", "worse answers", "--log", "log", cwd=place)
    assert done.returncode == 0, done.stderr
    back = lock_of(place)
    assert (back.tree, back.source.revision) == (old.tree, A)
    assert [(version.tree, version.left_by, version.reason) for version in back.previous][-1] == (
        newer.tree,
        "rollback",
        "worse answers",
    )
    assert run("lock", "verify", cwd=place).returncode == 0
    assert list(entries(place / "log"))[-1].reason == "worse answers"


def test_files_that_were_never_locked_are_no_way_back(place: Path) -> None:
    (place / "model" / "README.md").write_text("# Never\n")
    done = run("lock", "rollback", "model", "--reason", "x", cwd=place)
    assert (done.returncode, "none of the versions" in done.stderr) == (1, True)


def signed(signer: Signer | None, content: str = "ab") -> Entry:
    files = {"f": FileDigest(1, content * 32)}
    return Entry(tree=tree_digest(files), files=locks.records(files), locked_at="t", signer=signer)


ALICE = Signer(kind="keyless", identity="alice@example.org", issuer="https://issuer.example", bundle="sha256:1")


@pytest.mark.parametrize(
    "other",
    [
        None,
        Signer(kind="keyless", identity="bob@example.org", issuer="https://issuer.example"),
        Signer(kind="keyless", identity="alice@example.org", issuer="https://other.example"),
        Signer(kind="key", key="sha256:2"),
    ],
    ids=["none", "another person", "another issuer", "a key"],
)
def test_the_signer_is_trusted_on_first_use_and_changes_only_on_request(other: Signer | None) -> None:
    old, new = signed(ALICE), signed(other, "cd")
    with pytest.raises(Refused, match="--accept-signer-change"):
        successor(old, new, origin_given=False, accept_signer_change=False)
    accepted = successor(old, new, origin_given=False, accept_signer_change=True)
    assert accepted.signer == other
    assert accepted.previous[-1].signer == ALICE


def test_the_same_signer_may_sign_the_next_version() -> None:
    again = msgspec.structs.replace(ALICE, bundle="sha256:2", time="2026")
    assert successor(signed(ALICE), signed(again, "cd"), origin_given=False, accept_signer_change=False).signer == again
    assert successor(signed(None), signed(ALICE, "cd"), origin_given=False, accept_signer_change=False).signer == ALICE


def test_a_hub_cache_says_itself_which_repository_and_commit_it_is(tmp_path: Path) -> None:
    repository = tmp_path / "cache" / "models--org--model"
    snapshot = repository / "snapshots" / A
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(A)
    (repository / "blobs").mkdir()
    snapshot.mkdir(parents=True)
    (repository / "blobs" / "x").write_bytes(b"{}")
    (snapshot / "config.json").symlink_to("../../blobs/x")
    done = run("lock", "add", snapshot, "--no-scan", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    entry = locks.read(tmp_path / locks.NAME).models["org/model"]
    assert entry.source == Origin(kind="hf", name="org/model", revision=A, requested="main")
    assert run("lock", "verify", snapshot, cwd=tmp_path).returncode == 0


def test_what_stands_elsewhere_is_not_said_to_verify(tmp_path: Path) -> None:
    build(tmp_path / "model")
    (tmp_path / "repo").mkdir()
    assert run("lock", "add", "../model", "--no-scan", cwd=tmp_path / "repo").returncode == 0
    done = run("lock", "verify", cwd=tmp_path / "repo")
    assert (done.returncode, "not checked" in done.stderr) == (4, True)
    assert run("lock", "verify", "../model", cwd=tmp_path / "repo").returncode == 0


def test_what_is_left_out_is_left_out_of_every_check_and_said_to_be(tmp_path: Path) -> None:
    (build(tmp_path / "model") / ".git").mkdir()
    done = run("lock", "add", "model", "--no-scan", "--exclude", ".git", cwd=tmp_path)
    assert (done.returncode, "without .git" in done.stdout) == (0, True)
    assert "unchecked: .git" in run("lock", "verify", cwd=tmp_path).stdout
    (tmp_path / "model" / "x").touch()
    assert run("lock", "verify", cwd=tmp_path).returncode == 1


def test_a_data_set_or_a_single_file_is_locked_like_a_model(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    assert run("lock", "add", "train.csv", cwd=tmp_path).returncode == 0
    assert run("lock", "verify", cwd=tmp_path).returncode == 0
    (tmp_path / "train.csv").write_text("a,b\n1,3\n")
    assert run("lock", "verify", cwd=tmp_path).returncode == 1


def test_the_lock_does_not_lie_in_what_it_locks(tmp_path: Path) -> None:
    build(tmp_path / "model")
    done = run("lock", "add", ".", "--no-scan", cwd=tmp_path / "model")
    assert (done.returncode, "inside" in done.stderr) == (2, True)
    (tmp_path / "model" / locks.NAME).write_bytes(locks.render(Lock()))
    assert run("lock", "verify", ".", "--lock", locks.NAME, cwd=tmp_path / "model").returncode in (1, 2)


@pytest.mark.parametrize(
    ("alter", "code", "said"),
    [
        (lambda text: text.replace('"size": 16', '"size": 17'), 1, "contradicts itself"),
        (lambda text: text.replace("README.md", "../README.md"), 1, "contradicts itself"),
        (lambda text: text.replace('"README.md"', '"W.safetensors"'), 1, "contradicts itself"),
        (lambda text: text.replace("README.md", "w.safetensors"), 2, "stands twice"),
        (lambda text: text.replace(A, "main"), 1, "no commit"),
        (lambda text: text.replace('"exclude"', '"excluded"'), 2, "excluded"),
        (lambda text: text.replace('"lock_version": 1', '"lock_version": 2'), 2, "version 2"),
        (lambda text: text[: len(text) // 2], 2, "lock"),
        (lambda text: "", 2, "lock"),
        (lambda text: "[" * 100_000, 2, "lock"),
    ],
    ids=["size", "escape", "twin", "repeat", "branch", "unknown key", "version", "cut", "empty", "deep"],
)
def test_a_lock_that_was_damaged_does_not_verify(
    place: Path, alter: Callable[[str], str], code: int, said: str
) -> None:
    path = place / locks.NAME
    before = path.read_text()
    path.write_text(alter(before))
    assert path.read_text() != before
    done = run("lock", "verify", cwd=place)
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_an_entry_that_leaves_everything_out_does_not_verify(place: Path) -> None:
    entry = msgspec.structs.replace(lock_of(place), files={}, tree=tree_digest({}), exclude=("*",))
    (place / locks.NAME).write_bytes(locks.render(Lock(models={"model": entry})))
    done = run("lock", "verify", cwd=place)
    assert (done.returncode, "lists no files" in done.stdout) == (1, True)


def test_a_locked_model_that_is_gone_does_not_verify_and_the_others_are_checked(place: Path) -> None:
    shutil.copytree(place / "model", place / "another")
    assert run("lock", "add", "another", "--no-scan", cwd=place).returncode == 0
    shutil.rmtree(place / "another")
    done = run("lock", "verify", cwd=place)
    assert (done.returncode, "2 missing" in done.stdout, "verified 2 files" in done.stdout) == (1, True, True)


def test_a_model_that_is_not_in_the_lock_does_not_verify(place: Path) -> None:
    (place / "other").mkdir()
    done = run("lock", "verify", "other", cwd=place)
    assert (done.returncode, "not in" in done.stderr) == (1, True)
    (place / "empty.json").write_bytes(locks.render(Lock()))
    assert run("lock", "verify", "--lock", "empty.json", cwd=place).returncode == 3


def test_the_file_is_the_same_for_the_same_lock_and_shows_one_file_a_line(place: Path) -> None:
    text = (place / locks.NAME).read_text()
    assert locks.render(locks.read(place / locks.NAME)).decode() == text
    files = [line for line in text.splitlines() if '"sha256"' in line]
    assert [line.split('"')[1] for line in files] == sorted(lock_of(place).files)


def test_names_in_any_script_and_reasons_of_any_bytes_survive(tmp_path: Path) -> None:
    (tmp_path / "模型").mkdir()
    (tmp_path / "模型" / "ü b.bin").write_bytes(b"x")
    assert run("lock", "add", "模型", "--no-scan", cwd=tmp_path).returncode == 0
    assert "ü b.bin" in (tmp_path / locks.NAME).read_text()
    assert run("lock", "verify", "模型", cwd=tmp_path).returncode == 0


def test_verifying_imports_no_signature_library_and_no_scanner(place: Path) -> None:
    program = (
        "import sys\nsys.argv = ['modelscan-plus', 'lock', 'verify']\n"
        "from modelscan_plus.cli import main\ntry: main()\nexcept SystemExit as end: assert not end.code\n"
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('sigstore', 'cryptography', 'rich', 'jinja2', 'asyncio', 'socket', 'ssl') "
        "or name in ('modelscan_plus.pipeline', 'modelscan_plus.inspection')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=place, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_two_who_change_one_entry_do_not_overwrite_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    locks.change(path, Alteration("m", signed(None), None))
    seen = locks.read(path).models["m"]
    locks.change(path, Alteration("m", signed(ALICE), seen))
    with pytest.raises(UsageError, match="another process"):
        locks.change(path, Alteration("m", signed(None, "cd"), seen))
    with pytest.raises(UsageError, match="another process"):
        locks.change(path, Alteration("m", signed(None, "cd"), None))
    assert locks.read(path).models["m"].signer == ALICE


def test_permissions_and_a_link_to_the_lock_survive_a_change(tmp_path: Path) -> None:
    path = tmp_path / "real.json"
    locks.change(path, Alteration("m", signed(None), None))
    path.chmod(0o640)
    (tmp_path / "link.json").symlink_to("real.json")
    locks.change(tmp_path / "link.json", Alteration("n", signed(None), None))
    assert (tmp_path / "link.json").is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert set(locks.read(path).models) == {"m", "n"}


def test_a_lock_file_that_is_no_file_is_an_error_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, tmp_path / "gone" / "lock.json"):
        with pytest.raises(UsageError):
            locks.change(path, Alteration("m", signed(None), None))
        with pytest.raises(UsageError):
            locks.read(path)


def test_writers_that_are_killed_never_tear_the_lock_nor_lose_what_they_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    writers = Writers("lock", path, 3, tmp_path)
    wait_for(path)
    reads = 0
    for _ in range(20):
        for _ in writers.work_goes_on():
            locks.parse(path.read_bytes(), path)  # at any moment, without a lock
            reads += 1
        writers.kill(replace=True)
    while writers.running:
        writers.kill(replace=False)
    done = locks.read(path)
    assert writers.acknowledged() <= done.models.keys()
    assert len(writers.acknowledged()) >= 10
    assert reads > 20
    assert not any(entry.fault() for entry in done.models.values())
    locks.change(path, Alteration("last", signed(None), None))
    assert [entry.name for entry in tmp_path.iterdir() if ".new-" in entry.name] == []


def test_many_first_writers_at_once_all_get_their_entry_in(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    program = (
        "import sys\nfrom pathlib import Path\nfrom modelscan_plus.trust import lock\n"
        "from modelscan_plus.trust.tree import FileDigest, tree_digest\n"
        "files = {'f': FileDigest(1, 'ab' * 32)}\n"
        "entry = lock.Entry(tree=tree_digest(files), files=lock.records(files), locked_at='t')\n"
        "lock.change(Path(sys.argv[1]), lock.Alteration(sys.argv[2], entry, None))\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, str(path), f"m{number}"]) for number in range(8)]
    assert [process.wait() for process in started] == [0] * 8
    assert len(locks.read(path).models) == 8
    assert os.listdir(tmp_path) == ["lock.json"]


def test_a_first_writer_whose_file_is_cleared_up_by_a_quicker_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock.json"
    real, calls = os.chmod, []

    def quicker(name: str, mode: int) -> None:
        if not calls:
            calls.append(name)
            locks.change(path, Alteration("quicker", signed(None), None))
        real(name, mode)

    monkeypatch.setattr(os, "chmod", quicker)
    locks.change(path, Alteration("m", signed(None), None))
    assert set(locks.read(path).models) == {"m", "quicker"}


def test_what_stands_here_under_a_locked_name_is_not_taken_for_what_stands_there(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "copy"):
        (folder / "models" / "m").mkdir(parents=True)
        (folder / "models" / "m" / "a.txt").write_text("a")
    assert run("lock", "add", "models/m", "--no-scan", cwd=tmp_path).returncode == 0
    (tmp_path / "copy" / "models" / "m" / "evil.py").write_text("1")
    here, lock = tmp_path / "copy", ("--lock", "../model.lock.json")
    done = run("lock", "verify", "models/m", *lock, cwd=here)
    assert (done.returncode, "stands here" in done.stderr) == (2, True)
    assert run("lock", "verify", "models/m", "--name", "models/m", *lock, cwd=here).returncode != 0
    assert run("lock", "verify", "./models/m", "--name", "models/m", *lock, cwd=here).returncode == 1
    assert run("lock", "verify", "../models/m", *lock, cwd=here).returncode == 0
    (here / "models").rename(here / "moved")
    assert run("lock", "verify", "models/m", *lock, cwd=here).returncode == 0


def test_the_log_does_not_lie_in_what_it_is_about(place: Path) -> None:
    for verb in (("add", "model", "--name", "again", "--no-scan"), ("verify",), ("update", "model", "--no-scan")):
        done = run("lock", *verb, "--log", "model/imports.log", cwd=place)
        assert (done.returncode, "lies inside" in done.stderr) == (2, True), verb
        assert not (place / "model" / "imports.log").exists()
    assert run("lock", "verify", "--log", "imports.log", cwd=place).returncode == 0
