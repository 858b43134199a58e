"""Processes that write to one file at the same time and are killed without warning."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_LOCK = """
import sys
from pathlib import Path
from modelscan_plus.trust import lock
from modelscan_plus.trust.lock import Alteration, Entry
from modelscan_plus.trust.tree import FileDigest, tree_digest
files = {f"file-{n:03}": FileDigest(n, "ab" * 32) for n in range(200)}
for number in range(10**6):
    name = f"{sys.argv[2]}-{number}"
    entry = Entry(tree=tree_digest(files), files=lock.records(files), locked_at="2026-01-01T00:00:00Z")
    lock.change(Path(sys.argv[1]), Alteration(name, entry, None))
    print(name, flush=True)
"""
_LOG = """
import sys
from pathlib import Path
from modelscan_plus.trust.journal import Event, append
for number in range(10**6):
    name = f"{sys.argv[2]}-{number}"
    append(Path(sys.argv[1]), [Event(event="scan", target=name, reason="r" * 5000)])
    print(name, flush=True)
"""
PROGRAMS = {"lock": _LOCK, "log": _LOG}


class Writers:
    """Writers of one file: `kill` ends one of them at whatever it is doing and starts another in its place."""

    def __init__(self, kind: str, path: Path, count: int, folder: Path) -> None:
        self._kind, self._path, self._folder = kind, path, folder
        self._started = 0
        self.running = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        self._started += 1
        with (self._folder / f"acknowledged-{self._started}").open("wb") as output:
            command = [sys.executable, "-c", PROGRAMS[self._kind], str(self._path), f"w{self._started}"]
            return subprocess.Popen(command, stdout=output)

    def kill(self, *, replace: bool) -> None:
        """SIGKILL for one of them."""
        victim = self.running.pop(random.Random(self._started).randrange(len(self.running)))
        victim.kill()
        victim.wait()
        if replace:
            self.running.append(self._start())

    def acknowledged(self) -> set[str]:
        """What the writers said they had written, each after it was."""
        lines = [line for path in self._folder.glob("acknowledged-*") for line in path.read_text().splitlines(True)]
        return {line.strip() for line in lines if line.endswith("\n")}

    def work_goes_on(self, seconds: float = 4) -> Iterator[None]:
        """Again and again until something more was acknowledged, and a random moment longer; then comes the kill."""
        before, end = len(self.acknowledged()), time.monotonic() + seconds
        while len(self.acknowledged()) == before and time.monotonic() < end:
            yield
        end = time.monotonic() + random.Random(before).uniform(0, 0.05)
        while time.monotonic() < end:
            yield


def wait_for(path: Path, seconds: float = 20) -> None:
    """Until there is something to read."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (path.exists() and path.stat().st_size > 100):
        time.sleep(0.01)
