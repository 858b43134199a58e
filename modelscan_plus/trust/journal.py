"""The import log: who let what in, when, and on what ground; one line of JSON each, chained by hashes.

    {"seq":0,"prev":"sha256:0000…","time":"…Z","actor":"user@host","event":"scan","target":"…","tree":"sha256:…", …}\\n

`prev` is the SHA-256 of the line before, without its newline; that of the last line is the head. Lines are appended
under a lock in one write and synced. The chain shows every change and every gap before the head; who can write to the
file can still cut its end off or write it anew, so a head that is kept elsewhere (reports carry it, a commit may) is
what truncation is found by.

A writer that was killed within its write leaves a part of a line. It is not removed: the next writer ends the line,
and its first entry, of the event "log-recovered", names the SHA-256 of what it found.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import msgspec

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.text import visible
from modelscan_plus.trust.shared_files import appending, reading

NO_HEAD = "sha256:" + "0" * 64
"""`prev` of the first entry."""
RECOVERED = "log-recovered"
LONGEST = 1 << 16
"""Bytes of one line; a longer one was written by nobody."""
_FIRST = b'{"seq":0,'
"""How a log begins; nothing is appended to a file of another kind."""
_SEARCHED = 1 << 20
"""Bytes at the end in which the last whole entry must stand."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened, as its command tells it."""

    event: str
    """"scan", "fetch", "lock-add", "lock-update", "lock-rollback", "lock-verify", "attest", "verify", …"""
    target: str = ""
    revision: str | None = None
    tree: str | None = None
    """Digest of the target."""
    verdict: str | None = None
    """"allowed", "denied", "incomplete"; "verified" or "refused" where files were compared."""
    policy: str | None = None
    ruleset: str | None = None
    report: str | None = None
    """Canonical digest of the report."""
    reason: str | None = None
    torn: str | None = None
    """Of "log-recovered": the SHA-256 of the bytes before this line that are no entry."""
    on_behalf: str | None = None
    """Who said to be behind it; `actor` is what the system says."""


class LogEntry(Event, frozen=True, kw_only=True, omit_defaults=True):
    """One line."""

    seq: int
    prev: str
    time: str
    """RFC 3339, UTC."""
    actor: str
    """User and host, as the system names them."""


class LogFault(Exception):
    """The log is not what its writers wrote. `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line:,}: {message}")
        self.line = line


@dataclass(slots=True)
class Checked:
    """What a log that verifies looks like."""

    entries: int
    head: str | None
    """None for an empty log."""
    found: dict[str, int]
    """For each recorded head that was asked for: the number of the entry that it is."""
    recovered: int = 0
    torn_tail: int = 0
    """Bytes at the end that are no entry: a writer was interrupted and none has written since."""


def append(path: Path, events: Sequence[Event], now: datetime | None = None) -> str:
    """Append the events in one piece and give the new head. Raises `UsageError` when they cannot be written.

    Without events it only makes sure that there is a log, whole at its end, to which some can be appended.
    """
    time = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with appending(path) as fd:
        last, head, torn = _last(fd, path)
        out = bytearray(torn.ending)
        pending = list(events)
        if torn.data:
            pending.insert(0, Event(event=RECOVERED, torn=_digest(torn.data), reason=f"{len(torn.data)} bytes"))
        for event in pending:
            last += 1
            fields = {key: value for key, value in msgspec.to_builtins(event).items() if key not in _OURS}
            entry = {"seq": last, "prev": head, "time": time, "actor": actor(), **fields}
            line = json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode()
            if len(line) > LONGEST:
                raise UsageError(f"log {visible(str(path))}: an entry of more than {LONGEST:,} bytes")
            head = _digest(line)
            out += line + b"\n"
        _write(fd, bytes(out), path)
    return head


_OURS = frozenset({"seq", "prev", "time", "actor"})


def check(path: Path, heads: Sequence[str] = ()) -> Checked:
    """Read the whole chain. Raises `LogFault` at the first line that breaks it.

    `heads` are heads that were recorded earlier; what became of each stands in `found`, and one that is not there was
    cut off or written anew.
    """
    wanted = set(heads)
    checked = Checked(0, None, {})
    for entry, line in _chain(path, checked):
        digest = _digest(line)
        if digest in wanted:
            checked.found[digest] = entry.seq
        checked.entries = entry.seq + 1
        checked.head = digest
        checked.recovered += entry.event == RECOVERED
    return checked


def entries(path: Path) -> Iterator[LogEntry]:
    """The entries, verified as they come."""
    for entry, _ in _chain(path, Checked(0, None, {})):
        yield entry


def _chain(path: Path, checked: Checked) -> Iterator[tuple[LogEntry, bytes]]:
    head, seq, number = NO_HEAD, 0, 0
    torn = b""
    with reading(path) as fd, os.fdopen(os.dup(fd), "rb") as stream:
        while line := stream.readline(LONGEST + 2):
            number += 1
            complete = line.endswith(b"\n")
            entry = _parsed(line.removesuffix(b"\n")) if complete else None
            if entry is None:
                if len(torn) > _SEARCHED:
                    raise LogFault(number, "these bytes are no entry")
                torn += line
                continue
            if entry.event == RECOVERED and torn:
                _check_recovered(entry, torn, number)
            elif torn:
                raise LogFault(number - 1, "it is no entry, and the line behind it does not say that it was found so")
            torn = b""
            _check_link(entry, seq, head, number)
            line = line.removesuffix(b"\n")
            head, seq = _digest(line), seq + 1
            yield entry, line
    if torn.count(b"\n"):
        raise LogFault(number, "it is no entry")
    checked.torn_tail = len(torn)


def _check_recovered(entry: LogEntry, torn: bytes, number: int) -> None:
    if entry.torn != _digest(torn.removesuffix(b"\n")):
        raise LogFault(number - 1, "it is no entry, and not what the line behind it says was found there")


def _check_link(entry: LogEntry, seq: int, head: str, number: int) -> None:
    if entry.seq != seq:
        _broken(number, f"it is entry {entry.seq:,} where entry {seq:,} should stand")
    if entry.prev != head:
        _broken(number, "it does not follow the line before: that line was changed, or lines are missing")


def _broken(number: int, message: str) -> NoReturn:
    raise LogFault(number, message)


@dataclass(frozen=True, slots=True)
class _Torn:
    data: bytes
    """What stands behind the last entry, without a newline at its end."""
    ending: bytes
    """The newline that must be written first, or nothing."""


def _last(fd: int, path: Path) -> tuple[int, str, _Torn]:
    """Number and digest of the last entry, and what stands behind it."""
    size = os.lseek(fd, 0, os.SEEK_END)
    start = max(0, size - _SEARCHED)
    os.lseek(fd, start, os.SEEK_SET)
    data = b""
    while part := os.read(fd, _SEARCHED):
        data += part
    end = len(data)
    ending = b"" if not data or data.endswith(b"\n") else b"\n"
    while end > 0:
        end -= data[:end].endswith(b"\n")
        begin = data.rfind(b"\n", 0, end) + 1
        entry = _parsed(data[begin:end]) if begin or start == 0 else None
        if entry is not None:
            behind = data[end:].removeprefix(b"\n")
            return entry.seq, _digest(data[begin:end]), _Torn(behind.removesuffix(b"\n"), ending)
        end = begin
    if start:
        raise UsageError(f"log {visible(str(path))}: its end is no import log; see `modelscan-plus log verify`")
    if not data.startswith(_FIRST[: len(data)]) or len(data) > LONGEST:
        raise UsageError(f"{visible(str(path))}: this is no import log")
    return -1, NO_HEAD, _Torn(data.removesuffix(b"\n"), ending)


def _parsed(line: bytes) -> LogEntry | None:
    if len(line) > LONGEST:
        return None
    try:
        return msgspec.json.decode(line, type=LogEntry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _write(fd: int, data: bytes, path: Path) -> None:
    written = 0
    try:
        while written < len(data):
            written += os.write(fd, data[written:])
        os.fsync(fd)
    except OSError as error:
        raise UsageError(f"log {visible(str(path))}: cannot be written: {error.strerror}") from None


def _digest(line: bytes) -> str:
    return f"sha256:{hashlib.sha256(line).hexdigest()}"


def actor() -> str:
    """The user that this process runs as, and the host, as the system names them; no environment variable counts."""
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    if sys.platform == "win32":
        return f"{os.getlogin()}@{host}"
    import pwd

    user = str(os.geteuid())
    with contextlib.suppress(KeyError):
        user = pwd.getpwuid(os.geteuid()).pw_name
    return visible(f"{user}@{host}")
