"""A format that misbehaves on command, in place of a parser with a hole.

A file `MISBEHAVE:kill` makes the child that reads it kill itself, and so on. It reaches children by fork.
"""

import os
import signal
import socket
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats import registry
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.workers import process

PREFIX = b"MISBEHAVE:"


class Misbehaving(Format):
    """Does what the file says."""

    name = "misbehaving"
    title = "Misbehaving"
    extensions = ()
    executable = True
    description = "For tests."

    def claims(self, view: View) -> bool:
        return view.head.startswith(PREFIX)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        what = artifact.source.pread(len(PREFIX), 64).decode()
        said = _ACTIONS[what]()
        gaps = tuple(CoverageReason("did", word) for word in said)
        return [Parsed(regions=(Region(0, artifact.source.size, "structure"),), gaps=gaps)]


def _exit() -> list[str]:
    os._exit(7)


def _kill() -> list[str]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def _spin() -> list[str]:
    while True:
        pass


def _hog() -> list[str]:
    return [str(len(bytearray(1 << 40)))]


def _keep() -> list[str]:
    _kept.append(bytearray(180 << 20))  # more than the heap of the parent can have left over
    return []


def _raise() -> list[str]:
    raise LookupError("a fault of ours")


def _nonsense() -> list[str]:
    os.write(_channel(), b"\0\0\0\4nope")
    return []


def _flood() -> list[str]:
    os.write(_channel(), b"\xff\xff\xff\xff")
    return []


def _mute() -> list[str]:
    os.close(_channel())
    return _spin()


def _escape() -> list[str]:
    """Names of the things that should be impossible and were not."""
    return [name for name, attempt in _ESCAPES.items() if _succeeds(attempt)]


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _channel() -> int:
    return next(fd for fd in range(3, 32) if _is_socket(fd))


def _is_socket(fd: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False


def _connect() -> None:
    with socket.socket() as client:
        client.settimeout(1)
        client.connect(("127.0.0.1", 9))  # refused where there is a network at all: ConnectionRefusedError


def _has_network() -> None:
    try:
        _connect()
    except ConnectionRefusedError:
        return


_kept: list[bytearray] = []
_ACTIONS: dict[str, Callable[[], list[str]]] = {
    "exit": _exit,
    "kill": _kill,
    "spin": _spin,
    "hog": _hog,
    "keep": _keep,
    "raise": _raise,
    "nonsense": _nonsense,
    "flood": _flood,
    "mute": _mute,
    "escape": _escape,
    "pid": lambda: [str(os.getpid())],
    "descriptors": lambda: [str(sum(_succeeds(lambda fd=fd: os.fstat(fd)) for fd in range(256)))],
    "environment": lambda: [f"{name}={value}" for name, value in os.environ.items()],
}
_ESCAPES: dict[str, Callable[[], object]] = {
    "read a file": lambda: os.close(os.open("/etc/passwd", os.O_RDONLY)),
    "list a folder": lambda: os.listdir("/"),
    "write a file": lambda: os.close(os.open("/tmp/escaped", os.O_WRONLY | os.O_CREAT, 0o600)),
    "reach the network": _has_network,
    "signal the parent": lambda: os.kill(os.getppid(), 0),
    "raise the memory limit": lambda: _raise_memory_limit(),
}


def _raise_memory_limit() -> None:
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError as error:
        raise OSError from error


@contextmanager
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children started inside know the format."""
    with monkeypatch.context() as patch:
        patch.setattr(registry, "FORMATS", (*registry.FORMATS, Misbehaving()))
        patch.setattr(process, "can_fork", lambda: True)
        yield
