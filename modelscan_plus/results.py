"""What earlier runs found, kept by content: a second scan of a cache reads almost nothing.

A result is kept under the SHA-256 of the bytes, their number, where the file lies in its repository (rules look at
it), this version, its rules, its limits and the state of the installed code. Which SHA-256 a file has is known without
reading it only while device, inode, size, mtime and ctime are what they were when it was hashed; the last of them is
set by the kernel at each change and cannot be set back by a program without privileges. So bytes that somebody
exchanged are read, hashed and judged anew, whatever the file is called.

The store is one SQLite file in the user's cache folder, readable by nobody else. Whoever can write there as the user
can forge it, as they could exchange this program.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
import sys
import time
from pathlib import Path

import msgspec

from modelscan_plus.core.limits import Limits
from modelscan_plus.core.version import VERSION
from modelscan_plus.inspection import FileResult
from modelscan_plus.sources.interface import Entry, Opened

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (identity TEXT PRIMARY KEY, sha256 TEXT NOT NULL, used INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, result BLOB NOT NULL, used INTEGER NOT NULL);
"""
_SETTLED = 2.0
"""Seconds after a change during which a file system may give another change the same time."""
_KEPT = 100_000
"""Rows of each table; those not used for longest go first."""
_OF_THE_MOMENT = frozenset({"timeout", "memory", "internal-error", "read-error", "changed", "more-findings"})
"""Reasons that may not hold the next time."""
_LARGEST = 4 << 20


class ResultStore:
    """One open store. Satisfies `Memory` of workers/supervisor.py; failures of it only cost time."""

    def __init__(self, path: Path, limits: Limits, ruleset: str) -> None:
        """Raises OSError and sqlite3.Error where the store cannot be opened."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600))
        self._database = sqlite3.connect(path, timeout=5.0, isolation_level=None)
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")
        self._common = json.dumps([VERSION, ruleset, msgspec.to_builtins(limits), _code(), sys.version_info[:3]])

    def recall(self, entry: Entry, opened: Opened) -> FileResult | None:
        """The result for these bytes at this place, None when they or it are not known."""
        identity = _identity(opened.fd)
        if identity is None:
            return None
        with contextlib.suppress(sqlite3.Error, msgspec.MsgspecError, ValueError):
            row = self._database.execute("SELECT sha256 FROM files WHERE identity = ?", (identity,)).fetchone()
            if row is None:
                return None
            key = self._key(entry, opened, row[0])
            found = self._database.execute("SELECT result FROM results WHERE key = ?", (key,)).fetchone()
            if found is None:
                return None
            now = int(time.time())
            self._database.execute("UPDATE files SET used = ? WHERE identity = ?", (now, identity))
            self._database.execute("UPDATE results SET used = ? WHERE key = ?", (now, key))
            result = msgspec.convert(json.loads(found[0]), FileResult)
            return result if result.sha256 == row[0] else None
        return None

    def keep(self, entry: Entry, opened: Opened, result: FileResult) -> None:
        """Remember a result that would be the same the next time."""
        identity = _identity(opened.fd)
        if identity is None or result.sha256 is None:
            return
        if any(reason.code in _OF_THE_MOMENT for reason in result.coverage.reasons):
            return
        body = json.dumps(msgspec.to_builtins(result), separators=(",", ":"))
        if len(body) > _LARGEST:
            return
        now = int(time.time())
        with contextlib.suppress(sqlite3.Error):
            self._database.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (identity, result.sha256, now))
            self._database.execute(
                "INSERT OR REPLACE INTO results VALUES (?, ?, ?)", (self._key(entry, opened, result.sha256), body, now)
            )

    def close(self) -> None:
        """Write what was learned."""
        with contextlib.suppress(sqlite3.Error):
            for table in ("files", "results"):
                self._database.execute(
                    f"DELETE FROM {table} WHERE rowid NOT IN "  # noqa: S608 (two names of our own)
                    f"(SELECT rowid FROM {table} ORDER BY used DESC LIMIT {_KEPT})"
                )
            self._database.execute("COMMIT")
        self._database.close()

    def _key(self, entry: Entry, opened: Opened, sha256: str) -> str:
        return hashlib.sha256(json.dumps([self._common, entry.place, opened.size, sha256]).encode("ascii")).hexdigest()


def open_results(limits: Limits, ruleset: str) -> ResultStore | None:
    """The user's store; None where there can be none, and every file is then scanned."""
    try:
        return ResultStore(folder() / "results.sqlite", limits, ruleset)
    except (OSError, sqlite3.Error):
        return None


def folder() -> Path:
    """Where the store lies: MODELSCAN_PLUS_CACHE, or the user's cache folder."""
    given = os.environ.get("MODELSCAN_PLUS_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base and os.path.isabs(base) else Path.home() / ".cache") / "modelscan-plus"


def _identity(fd: int) -> str | None:
    """What cannot stay the same when the bytes change; None for a file that changed just now."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    if time.time() - max(status.st_mtime, status.st_ctime) < _SETTLED:
        return None
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return "-".join(map(str, parts))


def _code() -> str:
    """The state of the installed package: whoever works on it gets no results of yesterday's parsers."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".toml", ".json", ".so"):
            status = path.stat()
            digest.update(f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
