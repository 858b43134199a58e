"""Hashing: out of the reads of the parsers, in threads, and what happens to files that do not hold still."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan_plus.trust.hashing import BLOCK, HashedSource, Work, hash_files


@given(reads=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 1500)), max_size=30))
def test_the_digest_is_that_of_the_file_whatever_was_read_and_in_which_order(reads: list[tuple[int, int]]) -> None:
    data = hashlib.shake_128(b"x").digest(3000)
    fd = os.memfd_create("t")
    try:
        os.write(fd, data)
        source = HashedSource(fd, len(data))
        for offset, length in reads:
            assert source.pread(offset, length) == data[offset : offset + length]
        assert source.hexdigest() == hashlib.sha256(data).hexdigest()
    finally:
        os.close(fd)


def test_bytes_that_a_parser_read_in_order_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(3 * BLOCK)
    (tmp_path / "f").write_bytes(data)
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    source = HashedSource(fd, len(data))
    source.pread(0, 10)
    source.pread(5, 2 * BLOCK)
    again: list[int] = []
    real = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, blocks, at: again.append(at) or real(fd, blocks, at))
    assert source.hexdigest() == hashlib.sha256(data).hexdigest()
    assert min(again) == 5 + 2 * BLOCK
    assert source.bytes_read == 10 + 2 * BLOCK
    os.close(fd)


def work(path: Path, **more: object) -> Work:
    def open_() -> tuple[int, int]:
        return os.open(path, os.O_RDONLY), path.stat().st_size

    return Work(open_, path.stat().st_size if path.exists() else 0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("jobs", [1, 3])
def test_files_are_hashed_and_every_byte_is_told(tmp_path: Path, jobs: int) -> None:
    sizes = (0, 1, BLOCK - 1, BLOCK, 5 * BLOCK + 7)
    for size in sizes:
        (tmp_path / str(size)).write_bytes(os.urandom(size))
    works = {size: work(tmp_path / str(size), algorithms=("sha256", "md5")) for size in sizes}
    told: list[int] = []
    hash_files(list(works.values()), jobs, told.append)
    for size, done in works.items():
        data = (tmp_path / str(size)).read_bytes()
        assert done.digests == {"sha256": hashlib.sha256(data).hexdigest(), "md5": hashlib.md5(data).hexdigest()}  # noqa: S324
        assert done.count == size
    assert sum(told) == sum(sizes)


def test_a_file_that_cannot_be_opened_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(bytes(8 * BLOCK))
    works = [work(tmp_path / "gone"), work(tmp_path / "there")]
    hash_files(works, 2)
    assert isinstance(works[0].error, FileNotFoundError)
    assert not works[0].digests
    assert works[1].digests


def test_an_interrupt_ends_the_threads(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / str(number)).write_bytes(bytes(8 * BLOCK))
    works = [work(tmp_path / str(number)) for number in range(4)]

    def interrupt(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hash_files(works, 2, interrupt)
