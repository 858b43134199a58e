"""Listing and opening local targets: order, selection, links, and what is stated instead of opened."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelscan_plus.core.errors import UsageError
from modelscan_plus.sources import beneath, local
from modelscan_plus.sources.interface import Entry, Opened, Unopened
from modelscan_plus.sources.local import LocalSource

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="makes links and FIFOs")


def entries(target: Path, **options: object) -> dict[str, Entry]:
    return {entry.path: entry for entry in LocalSource(str(target), **options).entries()}  # type: ignore[arg-type]


def paths(target: Path, **options: object) -> list[str]:
    return list(entries(target, **options))


def read(entry: Entry) -> bytes:
    opened = entry.open()
    assert isinstance(opened, Opened), opened
    try:
        return os.pread(opened.fd, opened.size, 0)
    finally:
        os.close(opened.fd)


def refused(entry: Entry) -> Unopened:
    opened = entry.open()
    if isinstance(opened, Opened):
        os.close(opened.fd)
    assert isinstance(opened, Unopened), entry.path
    return opened


def write(path: Path, data: bytes = b"data") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_single_file_is_named_by_itself(tmp_path: Path) -> None:
    target = write(tmp_path / "model.pt")
    (entry,) = entries(target).values()
    assert entry.path == "model.pt"
    assert read(entry) == b"data"


def test_a_target_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        paths(tmp_path / "absent")
    with pytest.raises(UsageError, match="null"):
        list(LocalSource("a\0b").entries())


def test_files_come_in_the_order_of_the_bytes_of_their_paths(tmp_path: Path) -> None:
    for name in ("b", "a/z", "a.txt", "a/b/c", "B", "a0"):
        write(tmp_path / name)
    assert paths(tmp_path) == ["B", "a.txt", "a/b/c", "a/z", "a0", "b"]


def test_files_can_be_opened_after_the_listing_is_over(tmp_path: Path) -> None:
    write(tmp_path / "a/b/model.bin", b"deep")
    assert read(entries(tmp_path)["a/b/model.bin"]) == b"deep"


def test_a_link_that_the_user_names_is_followed_and_keeps_its_name(tmp_path: Path) -> None:
    write(tmp_path / "store/9c1e", b"weights")
    (tmp_path / "model.safetensors").symlink_to("store/9c1e")
    (tmp_path / "folder").symlink_to("store")
    assert read(entries(tmp_path / "model.safetensors")["model.safetensors"]) == b"weights"
    assert paths(tmp_path / "folder") == ["9c1e"]


def test_a_link_within_the_target_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "store/9c1e", b"weights")
    (tmp_path / "model.bin").symlink_to("store/9c1e")
    (tmp_path / "absolute.bin").symlink_to(tmp_path.resolve() / "store/9c1e")
    found = entries(tmp_path)
    assert read(found["model.bin"]) == read(found["absolute.bin"]) == b"weights"


@pytest.mark.parametrize("link", ["/etc/hostname", "../outside.bin", "/dev/zero", "/", "..", "../target-2/model.bin"])
def test_a_link_that_leaves_the_target_is_stated_and_not_followed(tmp_path: Path, link: str) -> None:
    write(tmp_path / "outside.bin")
    write(tmp_path / "target-2/model.bin")  # a sibling whose name begins like the target's
    target = tmp_path / "target"
    target.mkdir()
    (target / "link").symlink_to(link)
    unopened = refused(entries(target)["link"])
    assert unopened.facts is not None
    assert (unopened.facts.kind, unopened.facts.detail) == ("link-outside", link)
    assert unopened.reason.executable


def test_a_link_may_lead_into_roots_that_the_caller_allows(tmp_path: Path) -> None:
    write(tmp_path / "blobs/1", b"blob")
    target = tmp_path / "target"
    target.mkdir()
    (target / "link").symlink_to("../blobs/1")
    assert read(entries(target, allowed_roots=[str(tmp_path / "blobs")])["link"]) == b"blob"


def test_a_snapshot_of_a_hugging_face_cache_reaches_its_blobs_and_no_others(tmp_path: Path) -> None:
    repo = tmp_path / "models--org--name"
    write(repo / "blobs/9c1e", b"weights")
    write(tmp_path / "models--org--other/blobs/9c1e", b"other")
    snapshot = repo / "snapshots/4f2a"
    (snapshot / "sub").mkdir(parents=True)
    (snapshot / "model.bin").symlink_to("../../blobs/9c1e")
    (snapshot / "sub/model.bin").symlink_to("../../../blobs/9c1e")
    (snapshot / "stray.bin").symlink_to("../../../models--org--other/blobs/9c1e")
    found = entries(snapshot)
    assert read(found["model.bin"]) == read(found["sub/model.bin"]) == b"weights"
    assert refused(found["stray.bin"]).reason.code == "link-outside"
    assert read(entries(snapshot / "model.bin")["model.bin"]) == b"weights"


def test_a_folder_called_like_a_cache_inside_a_target_opens_no_roots(tmp_path: Path) -> None:
    write(tmp_path / "models--org--name/blobs/1")
    target = tmp_path / "models--org--name/elsewhere"
    target.mkdir()
    (target / "link").symlink_to("../blobs/1")
    assert refused(entries(target)["link"]).reason.code == "link-outside"


def test_broken_and_looping_links_are_unreadable_but_hide_no_code(tmp_path: Path) -> None:
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "ping").symlink_to("pong")
    (tmp_path / "pong").symlink_to("ping")
    codes = {path: refused(entry) for path, entry in entries(tmp_path).items()}
    assert {path: unopened.reason.code for path, unopened in codes.items()} == {
        "broken": "link-broken",
        "loop": "link-loop",
        "ping": "link-loop",
        "pong": "link-loop",
    }
    assert not any(unopened.reason.executable for unopened in codes.values())


def test_a_long_chain_of_links_ends(tmp_path: Path) -> None:
    write(tmp_path / "0")
    for number in range(1, 2000):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    assert refused(entries(tmp_path)["1999"]).reason.code == "link-loop"


def test_a_link_to_a_folder_inside_is_not_walked_twice(tmp_path: Path) -> None:
    write(tmp_path / "v1/model.bin")
    (tmp_path / "latest").symlink_to("v1")
    (tmp_path / "v1/up").symlink_to("..")
    found = entries(tmp_path)
    assert list(found) == ["latest", "v1/model.bin", "v1/up"]
    assert refused(found["latest"]).state == refused(found["v1/up"]).state == "analysed"


def test_the_contents_of_a_git_folder_are_one_entry(tmp_path: Path) -> None:
    write(tmp_path / ".git/objects/aa/bb")
    write(tmp_path / "model.bin")
    (tmp_path / "hooks").symlink_to(".git/objects")
    (tmp_path / "annexed.bin").symlink_to(".git/objects/aa/bb")
    found = entries(tmp_path)
    assert list(found) == [".git", "annexed.bin", "hooks", "model.bin"]
    git = refused(found[".git"])
    assert (git.state, git.reason.executable) == ("not_analysed", False)
    assert read(found["annexed.bin"]) == b"data"
    assert refused(found["hooks"]).reason.code == "link-outside"
    assert paths(tmp_path / ".git") == ["objects/aa/bb"]
    assert ".git" not in paths(tmp_path, exclude=[".git"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"include": ["*.bin"]}, ["a/model.bin", "model.bin"]),
        ({"exclude": ["*.bin"]}, ["a/readme.md"]),
        ({"exclude": ["a"]}, ["model.bin"]),
        ({"include": ["a/*"]}, ["a/model.bin", "a/readme.md"]),
        ({"include": ["a/*"], "exclude": ["*.md"]}, ["a/model.bin"]),
        ({"include": ["a"]}, ["a/model.bin", "a/readme.md"]),
        ({"include": ["model.bin"], "exclude": ["a/*"]}, ["model.bin"]),
        ({"include": ["**/model.bin"]}, ["a/model.bin", "model.bin"]),
        ({"include": ["./a/"]}, ["a/model.bin", "a/readme.md"]),
        ({"include": ["b/c"]}, []),
    ],
)
def test_include_and_exclude_select_by_name_or_path(
    tmp_path: Path, options: dict[str, list[str]], expected: list[str]
) -> None:
    for name in ("model.bin", "a/model.bin", "a/readme.md"):
        write(tmp_path / name)
    assert paths(tmp_path, **options) == expected


def test_a_file_above_the_size_limit_is_not_opened(tmp_path: Path) -> None:
    write(tmp_path / "large", b"12345")
    write(tmp_path / "small", b"1234")
    found = entries(tmp_path, max_size=4)
    unopened = refused(found["large"])
    assert (unopened.reason.code, unopened.size, unopened.state) == ("too-large", 5, "not_analysed")
    assert read(found["small"]) == b"1234"


def test_a_policy_inside_a_target_is_noted_and_listed_as_a_file(tmp_path: Path) -> None:
    write(tmp_path / "sub/modelscan-plus.toml")
    write(tmp_path / "model.toml")
    found = entries(tmp_path)
    note = found["sub/modelscan-plus.toml"].note
    assert note is not None
    assert note.kind == "policy-file"
    assert found["model.toml"].note is None
    assert read(found["sub/modelscan-plus.toml"]) == b"data"


def test_names_are_kept_as_they_are(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\x1b\n.bin"
    try:
        Path(os.fsdecode(raw)).write_bytes(b"odd")
    except OSError as error:
        pytest.skip(f"this file system takes no such name: {error}")
    (entry,) = entries(tmp_path).values()
    assert entry.path == "\udcff\x1b\n.bin"
    assert read(entry) == b"odd"


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "secret")
    write(tmp_path / "open")
    real_open = os.open

    def deny(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "secret":
            raise PermissionError(13, "Permission denied")
        return real_open(path, flags, dir_fd=dir_fd)

    found = entries(tmp_path)
    monkeypatch.setattr(beneath.os, "open", deny)
    assert refused(found["secret"]).reason.code == "permission-denied"
    assert refused(found["secret"]).reason.executable
    assert read(found["open"]) == b"data"


def test_a_folder_that_may_not_be_listed_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a/hidden")
    write(tmp_path / "b")
    real_read = local._read_folder

    def deny(root: str, parts: tuple[str, ...]) -> local._Listing:
        if parts == ("a",):
            raise PermissionError(13, "Permission denied")
        return real_read(root, parts)

    monkeypatch.setattr(local, "_read_folder", deny)
    found = entries(tmp_path)
    assert list(found) == ["a", "b"]
    assert refused(found["a"]).reason.code == "permission-denied"


def test_a_file_replaced_after_listing_is_not_followed_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "a/model.bin")
    found = entries(tmp_path)
    (tmp_path / "a/model.bin").unlink()
    assert refused(found["a/model.bin"]).reason.code == "vanished"
    (tmp_path / "a/model.bin").symlink_to("/etc/hostname")
    assert refused(found["a/model.bin"]).reason.code == "vanished"
    (tmp_path / "a/model.bin").unlink()
    (tmp_path / "a").rmdir()
    (tmp_path / "a").symlink_to("/etc")
    assert refused(found["a/model.bin"]).reason.code == "vanished"


@pytest.mark.parametrize("how", ["append", "rewrite-in-place", "replace", "remove"])
def test_a_change_after_opening_is_noticed(tmp_path: Path, how: str) -> None:
    target = write(tmp_path / "model.bin", b"1234")
    opened = entries(target)["model.bin"].open()
    assert isinstance(opened, Opened)
    assert not opened.changed()
    if how == "append":
        with target.open("ab") as file:
            file.write(b"5")
    elif how == "rewrite-in-place":
        before = target.stat()
        target.write_bytes(b"4321")
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "replace":
        write(tmp_path / "other", b"1234").replace(target)
    else:
        target.unlink()
    assert opened.changed()
    os.close(opened.fd)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """3,000 folders in one another, too deep for any path and for the clean-up of pytest."""
    levels = 3000
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=fd)
        fd = _moved(fd, "d")
    yield tmp_path
    for _ in range(levels):
        fd = _moved(fd, "..")
        os.rmdir("d", dir_fd=fd)
    os.close(fd)


def _moved(fd: int, name: str) -> int:
    below = os.open(name, os.O_RDONLY, dir_fd=fd)
    os.close(fd)
    return below


def test_deep_folders_neither_crash_nor_pass_for_clean(deep: Path) -> None:
    write(deep / "z.bin")
    found = entries(deep)
    lowest, last = found
    assert last == "z.bin"
    assert lowest.count("/") == local.MAX_LEVELS
    assert refused(found[lowest]).reason.code == "too-deep"
    assert refused(found[lowest]).reason.executable


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    if not os.path.isdir("/dev/fd"):
        pytest.skip("this system does not list descriptors")
    for number in range(20):
        write(tmp_path / f"folder{number}/model.bin")
    (tmp_path / "link").symlink_to("/")
    os.mkfifo(tmp_path / "fifo")
    before = len(os.listdir("/dev/fd"))
    for entry in LocalSource(str(tmp_path)).entries():
        opened = entry.open()
        if isinstance(opened, Opened):
            os.close(opened.fd)
    assert len(os.listdir("/dev/fd")) == before


def test_a_fifo_or_socket_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    for target in (tmp_path / "fifo", tmp_path):
        unopened = refused(entries(target)["fifo"])
        assert unopened.facts is not None
        assert (unopened.facts.kind, unopened.reason.code) == ("fifo", "special-file")
