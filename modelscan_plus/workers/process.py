"""Starting and ending one child: by fork where that is safe, as a fresh interpreter otherwise."""

import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO

from modelscan_plus.core.text import visible
from modelscan_plus.workers import child
from modelscan_plus.workers.life import run_forked

if TYPE_CHECKING:
    import subprocess

_BOOTSTRAP = (
    "import importlib, sys; sys.path[:] = sys.argv[2].split(sys.argv[3]); "
    "importlib.import_module(sys.argv[4]).main(sys.argv[1])"
)
_SCAN = "modelscan_plus.workers.child"
_KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""All that a fresh interpreter may need of the environment; tokens stay behind."""


def can_fork() -> bool:
    """True when a fork of this process is a whole process: Linux, and no second thread of Python or of a library."""
    if not sys.platform.startswith("linux") or threading.active_count() != 1:
        return False
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


class ChildProcess:
    """A running child and the parent's end of its socket pair."""

    def __init__(self, module: str = _SCAN, environment: Mapping[str, str] | None = None) -> None:
        """`module` has the `main` of the child's life. One that is not the scan's is always a fresh interpreter, with
        `environment` beside the little that every child gets."""
        self.channel, theirs = socket.socketpair()
        self._popen: subprocess.Popen[bytes] | None = None
        self._errors: BinaryIO | None = None
        self._ended = False
        try:
            if module == _SCAN and can_fork():
                child.preload()
                self.pid = self._fork(theirs)
            else:
                self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the child)
                self._popen = _spawn(theirs, self._errors, module, environment or {})
                self.pid = self._popen.pid
        except BaseException:
            self.channel.close()
            raise
        finally:
            theirs.close()
        self.channel.setblocking(False)

    @staticmethod
    def _fork(theirs: socket.socket) -> int:
        pid = os.fork()
        if pid == 0:
            run_forked(theirs, child.serve)
        return pid

    def kill(self) -> str:
        """End the child, whatever it is doing, and say how it ended: "signal SIGKILL", "exit status 1"."""
        if self._ended:
            return ""
        self._ended = True
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            # A child that hung up because it is dying keeps the cause of that death.
            os.kill(self.pid, signal.SIGKILL)
        return _spoken(self._reap()) + self._last_words()

    def _last_words(self) -> str:
        """The last line that a fresh interpreter wrote before it was ready, with a separator, or ""."""
        if self._errors is None:
            return ""
        with self._errors:
            self._errors.seek(0)
            lines = self._errors.read(1 << 16).decode("utf-8", "replace").split("\n")
        return next((f": {visible(line)}" for line in reversed(lines) if line), "")

    def _reap(self) -> int:
        if self._popen is not None:
            return self._popen.wait()
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:
            return 0


def _spawn(
    theirs: socket.socket, errors: BinaryIO, module: str, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    import subprocess

    import modelscan_plus

    # Relative entries of sys.path, "" first of all, could lead into the model that is being scanned.
    home = os.path.dirname(os.path.abspath(next(iter(modelscan_plus.__path__))))
    paths = [home, *(entry for entry in sys.path if os.path.isabs(entry) and entry != home)]
    # As isolated as -I: the environment is made here, so that no variable of Python's reaches the child by itself.
    command = [sys.executable, "-P", "-s", "-S", "-c", _BOOTSTRAP]
    command += [str(theirs.fileno()), os.pathsep.join(paths), os.pathsep, module]
    return subprocess.Popen(  # noqa: S603 (our own interpreter, our own arguments)
        command,
        pass_fds=(theirs.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ} | dict(environment),
        cwd="/",
        process_group=0,
    )


def _spoken(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
