"""Standard input as a file."""

import io
import os
import sys

import pytest

from modelscan_plus.sources import stdin
from modelscan_plus.sources.interface import Opened, Unopened
from modelscan_plus.sources.stdin import StdinSource


def open_stream(data: bytes, max_size: int | None = None) -> Opened | Unopened:
    (entry,) = StdinSource(max_size=max_size, stream=io.BytesIO(data)).entries()
    assert entry.path == "stdin"
    return entry.open()


def content(opened: Opened | Unopened) -> bytes:
    assert isinstance(opened, Opened)
    try:
        return os.pread(opened.fd, opened.size + 1, 0)
    finally:
        os.close(opened.fd)


@pytest.mark.parametrize("data", [b"", b"x", b"spam" * 1000])
def test_everything_that_was_piped_in_can_be_read_at_any_offset(data: bytes) -> None:
    opened = open_stream(data)
    assert isinstance(opened, Opened)
    assert opened.size == len(data)
    assert not opened.changed()
    assert content(opened) == data


def test_long_input_moves_to_disk_without_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdin, "_IN_MEMORY", 10)
    monkeypatch.setattr(stdin, "_CHUNK", 4)
    data = bytes(range(64))
    assert content(open_stream(data)) == data


def test_input_is_spooled_where_there_is_no_memfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    assert content(open_stream(b"data")) == b"data"


def test_endless_input_ends_at_the_limit() -> None:
    assert content(open_stream(b"1234", max_size=4)) == b"1234"
    unopened = open_stream(b"12345", max_size=4)
    assert isinstance(unopened, Unopened)
    assert (unopened.reason.code, unopened.state) == ("too-large", "not_analysed")
    assert unopened.reason.executable


def test_a_closed_standard_input_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    (entry,) = StdinSource().entries()
    unopened = entry.open()
    assert isinstance(unopened, Unopened)
    assert unopened.reason.code == "read-error"
