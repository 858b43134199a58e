"""The tree digest: one thing wrong at a time, each with its reason, and what must not matter."""

import hashlib
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from modelscan_plus.core.names import folded, name_fault, twins
from modelscan_plus.pipeline import scan
from modelscan_plus.rules.integrity import NO_TREE_DIGEST
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.trust.tree import Measured, measure
from tests.cli.commands import run

FILES = {"config.json": b"{}", "model-00001-of-00002.safetensors": b"one!", "model-00002-of-00002.safetensors": b"two!"}


def build(folder: Path) -> Path:
    for name, data in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def measured(folder: Path, **more: object) -> Measured:
    return measure(LocalSource(str(folder)).entries(), **more)  # type: ignore[arg-type]


def test_the_digest_is_the_one_that_the_documentation_describes(tmp_path: Path) -> None:
    content = b"modelscan-plus-tree-1\n" + struct.pack(">Q", len(FILES))
    for name, data in sorted(FILES.items()):
        content += struct.pack(">I", len(name)) + name.encode() + struct.pack(">Q", len(data))
        content += hashlib.sha256(data).digest()
    assert measured(build(tmp_path)).digest == "sha256:" + hashlib.sha256(content).hexdigest()


def swap(folder: Path) -> None:
    first, second = (folder / name for name in sorted(FILES)[1:])
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)


def rename(folder: Path, old: str, new: str) -> None:
    (folder / old).rename(folder / new)


TAMPER: dict[str, Callable[[Path], object]] = {
    "renamed": lambda folder: rename(folder, "config.json", "config.jsom"),
    "moved into a folder": lambda folder: (folder / "a").mkdir() or rename(folder, "config.json", "a/config.json"),
    "added": lambda folder: (folder / "evil.pkl").write_bytes(b"."),
    "empty file added": lambda folder: (folder / "__init__.py").touch(),
    "hidden file added": lambda folder: (folder / ".gitattributes").touch(),
    "payload in .github": lambda folder: (folder / ".github").mkdir() or (folder / ".github/x.yml").touch(),
    "payload in .cache": lambda folder: (folder / ".cache").mkdir() or (folder / ".cache/x").touch(),
    "bytecode": lambda folder: (folder / "__pycache__").mkdir() or (folder / "__pycache__/m.pyc").touch(),
    "removed": lambda folder: (folder / "config.json").unlink(),
    "shards swapped": swap,
    "truncated": lambda folder: (folder / "model-00001-of-00002.safetensors").write_bytes(b"one"),
    "emptied": lambda folder: (folder / "config.json").write_bytes(b""),
    "one bit": lambda folder: (folder / "config.json").write_bytes(b"{|"),
}


@pytest.mark.parametrize("change", TAMPER.values(), ids=TAMPER)
def test_every_change_of_names_sizes_and_contents_changes_the_digest(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    before = measured(build(tmp_path)).digest
    change(tmp_path)
    after = measured(tmp_path)
    assert after.digest not in (None, before)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "link to a file of the same bytes": (
        lambda folder: (folder / "copy.json").symlink_to("config.json"),
        "a link to config.json",
    ),
    "link that leaves": (lambda folder: (folder / "x").symlink_to("/etc/hostname"), "leaves the target"),
    "link to a folder": (lambda folder: (folder / "x").symlink_to(".", True), "a link to a folder"),
    "broken link": (lambda folder: (folder / "x").symlink_to("nowhere"), "does not exist"),
    "fifo": (lambda folder: os.mkfifo(folder / "x"), "FIFO"),
    "git folder": (lambda folder: (folder / ".git").mkdir(), "--exclude .git"),
    "name that is not UTF-8": (lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch(), "UTF-8"),
    "newline in a name": (lambda folder: (folder / "a\nb").touch(), "cannot be shown"),
    "bidi in a name": (lambda folder: (folder / "a\u202eb").touch(), "cannot be shown"),
    "backslash in a name": (lambda folder: (folder / "..\\up").touch(), "backslash"),
    "case twin": (lambda folder: (folder / "CONFIG.json").touch(), "are one"),
    "accent twin": (
        lambda folder: (folder / "caf\u00e9").touch() or (folder / "cafe\u0301").touch(),
        "are one",
    ),
    "file and folder twin": (
        lambda folder: (folder / "Config.JSON").mkdir() or (folder / "Config.JSON/x").touch(),
        "are one",
    ),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_tree_without_one_meaning_has_no_digest_and_says_why(
    tmp_path: Path, change: Callable[[Path], object], reason: str
) -> None:
    change(build(tmp_path))
    tree = measured(tmp_path)
    assert tree.digest is None
    assert any(reason in why for why in tree.refused.values())


def test_a_socket_has_no_place_in_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(build(tmp_path))  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        assert "socket" in measured(tmp_path).refused["s"]


def test_what_loaders_do_not_read_does_not_matter(tmp_path: Path) -> None:
    before = measured(build(tmp_path / "one")).digest
    other = build(tmp_path / "two")
    (other / "empty").mkdir()
    (other / "config.json").chmod(0o755)
    os.utime(other / "config.json", (0, 0))
    assert measured(other).digest == before
    assert measured(Path(os.path.relpath(other))).digest == before


def test_a_hub_cache_has_the_digest_of_the_same_files_anywhere(tmp_path: Path) -> None:
    plain = measured(build(tmp_path / "plain")).digest
    repository = tmp_path / "models--org--name"
    snapshot = repository / "snapshots" / "4f2a"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for name, data in FILES.items():
        blob = hashlib.sha256(data).hexdigest()
        (repository / "blobs" / blob).write_bytes(data)
        (snapshot / name).symlink_to(f"../../blobs/{blob}")
    assert measured(snapshot).digest == plain


def test_a_file_that_changes_while_it_is_hashed_is_refused(tmp_path: Path) -> None:
    build(tmp_path)

    def write_behind(_added: int) -> None:
        with (tmp_path / "config.json").open("ab") as stream:
            stream.write(b" ")

    tree = measured(tmp_path, progress=write_behind)
    assert tree.digest is None
    assert "changed" in tree.refused["config.json"]


def test_a_file_that_is_replaced_after_it_was_hashed_is_refused(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "zz").write_bytes(b"z")
    told = 0

    def replace_the_first(added: int) -> None:
        nonlocal told
        told += added
        if told == sum(map(len, FILES.values())) + 1:
            (tmp_path / "new").write_bytes(b"evil")
            (tmp_path / "new").rename(tmp_path / "model-00001-of-00002.safetensors")

    tree = measured(tmp_path, progress=replace_the_first)
    assert "changed" in tree.refused["model-00001-of-00002.safetensors"]


def test_a_file_of_another_size_is_not_read(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 1 << 40)
    tree = measured(tmp_path, expected={"config.json": 2, "huge": 5})
    assert tree.files["huge"].sha256 == ""
    assert tree.files["huge"].size == 1 << 40
    assert tree.files["config.json"].sha256 == hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize("name", ["a/b", "ünï", "a b", ".hidden", "CON", "a:b", "模型.bin"])
def test_ordinary_names_are_fit(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize("name", ["/a", "a//b", "./a", "a/../b", "..", "", "a\\b", "a\0b", "\udcff", "a\u200eb"])
def test_other_names_are_not(name: str) -> None:
    assert name_fault(name)


def test_twins_are_found_across_case_accents_and_folders() -> None:
    assert list(twins(["a", "B", "c/d"])) == []
    assert folded("Straße") == folded("STRASSE")
    assert folded("\u212b") == folded("a\u030a")
    assert len(list(twins(["A/x", "a/X", "b"]))) == 1
    assert len(list(twins(["A/x", "a/y", "b"]))) == 0


def test_a_scan_gives_the_same_digest_and_says_where_there_is_none(tmp_path: Path) -> None:
    build(tmp_path)
    assert scan(tmp_path).targets[0].digest is None
    report = scan(tmp_path, sha256=True)
    assert report.targets[0].digest == measured(tmp_path).digest
    assert report.notes == ()
    (tmp_path / "CONFIG.json").touch()
    report = scan(tmp_path, sha256=True)
    assert report.targets[0].digest is None
    (note,) = report.notes
    assert note.code == NO_TREE_DIGEST.id
    assert "CONFIG.json" in note.message


def test_leaving_out_the_git_folder_gives_a_digest(tmp_path: Path) -> None:
    (build(tmp_path) / ".git").mkdir()
    (tmp_path / ".git" / "config").touch()
    shown = run("scan", tmp_path, "--hash", "-f", "json", "--exclude", ".git").stdout
    (tmp_path / ".git" / "config").unlink()
    (tmp_path / ".git").rmdir()
    assert f'"digest": "{measured(tmp_path).digest}"' in shown


def test_a_file_whose_analysis_fails_is_hashed_all_the_same(tmp_path: Path) -> None:
    data = b"\x80\x04" + b"N0" * 2_000_000 + b"N."
    (tmp_path / "slow.pkl").write_bytes(data)
    policy = tmp_path / "policy.toml"
    policy.write_text("schema = 1\n[limits]\nmax-opcodes = 1000\n")
    report = scan(tmp_path / "slow.pkl", policy=str(policy), sha256=True)
    assert report.artifacts[0].coverage.reasons[0].code == "budget-opcodes"
    assert report.artifacts[0].sha256 == hashlib.sha256(data).hexdigest()
