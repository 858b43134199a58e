"""Ranges over a socket: whole answers, stated failures, and nothing for a child that asks for anything else."""

import os
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan_plus.core.bytesource import ByteSource, BytesSource, ReadFailed
from modelscan_plus.workers import ranges
from modelscan_plus.workers.ranges import RangeSource, serve

DATA = bytes(range(256)) * 40


class Failing(ByteSource):
    size = 1000

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0

    def pread(self, offset: int, length: int) -> bytes:
        self.asked += 1
        raise self.error


@given(st.lists(st.tuples(st.integers(-3, len(DATA) + 3), st.integers(-1, len(DATA) + 3)), max_size=8))
def test_what_is_read_is_what_is_there(reads: list[tuple[int, int]]) -> None:
    fd = serve(BytesSource(DATA))
    try:
        source = RangeSource(fd, len(DATA))
        for offset, length in reads:
            assert source.pread(offset, length) == (DATA[offset : offset + length] if offset >= 0 < length else b"")
    finally:
        os.close(fd)


def test_long_reads_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "MAX_PIECE", 1000)
    fd = serve(BytesSource(DATA))
    assert RangeSource(fd, len(DATA)).pread(10, 9000) == DATA[10:9010]
    os.close(fd)


def test_a_failure_is_named_and_stays() -> None:
    failing = Failing(ReadFailed("rate-limited", "too often"))
    fd = serve(failing)
    source = RangeSource(fd, 1000)
    for _ in range(3):
        with pytest.raises(ReadFailed, match="too often") as caught:
            source.pread(0, 10)
        assert caught.value.code == "rate-limited"
    assert failing.asked == 1
    os.close(fd)


def test_a_fault_of_ours_is_an_answer_too() -> None:
    fd = serve(Failing(ZeroDivisionError("oops")))
    with pytest.raises(ReadFailed, match="ZeroDivisionError") as caught:
        RangeSource(fd, 1000).pread(0, 10)
    assert caught.value.code == "internal-error"
    os.close(fd)


@pytest.mark.parametrize(
    "question",
    [
        struct.pack(">QI", 0, 0),
        struct.pack(">QI", 0, ranges.MAX_PIECE + 1),
        struct.pack(">QI", len(DATA), 1),
        struct.pack(">QI", 0, len(DATA) + 1),
        struct.pack(">QI", (1 << 64) - 1, 5),
        b"GET / HTTP/1.1\r\n",
    ],
)
def test_what_is_no_range_of_the_file_ends_the_conversation(question: bytes) -> None:
    fd = serve(BytesSource(DATA))
    with socket.socket(fileno=fd) as channel:
        channel.sendall(question[:12])
        assert channel.recv(100) == b""


def test_a_child_that_goes_away_ends_the_thread() -> None:
    before = threading.active_count()
    for part in (b"", b"\0\0\0"):
        fd = serve(BytesSource(DATA))
        if part:
            os.write(fd, part)
        os.close(fd)
    for thread in threading.enumerate():
        if thread.name == "ranges":
            thread.join(5)
    assert threading.active_count() <= before


@pytest.mark.parametrize("answer", [b"", b"\0", struct.pack(">BI", 0, 5) + b"abc", struct.pack(">BI", 0, 1 << 31)])
def test_a_parent_that_talks_nonsense_is_a_failure(answer: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(answer)
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(ReadFailed):
            RangeSource(theirs.fileno(), 100).pread(0, 10)
