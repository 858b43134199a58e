"""Giving up, before the first untrusted byte, everything that reading bytes does not need.

Each layer stands alone, and one that the system lacks is left out and said to be missing: the report names the layers
that held, and `doctor` explains each. All of them only take away; none can be undone by the process itself.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable

from modelscan_plus.core.limits import Limits
from modelscan_plus.workers import landlock

if sys.platform != "win32":
    import resource

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_CAPABILITY_VERSION_3 = 0x20080522
_MAX_DESCRIPTORS = 32


LAYERS: dict[str, str] = {
    "network-namespace": "the child has no network interface",
    "no-capabilities": "the child holds no privileges, also where the scan runs as root",
    "no-new-privs": "no program that the child could start would gain privileges",
    "memory-limit": "the memory that one file may take is bounded",
    "landlock": "the child can open no path",
    "rlimits": "processor time and descriptors are bounded; no file can be written",
    "not-dumpable": "other processes of this user cannot attach to the child",
    "parent-death-signal": "the child ends with its parent",
}
"""What each layer means, in the order in which they are put on: Landlock needs a descriptor for a moment, and a child
that holds many gets none once they are bounded."""


def apply(limits: Limits, *, alone: bool | None = None) -> tuple[str, ...]:
    """Put on every layer that this system has, and name them. Call once, in the child, after all imports.

    `alone` is what `leave_network` said, where it was called before: only a process of one thread can, and some imports
    start threads.
    """
    steps: dict[str, Callable[[], bool]] = {
        "network-namespace": leave_network if alone is None else lambda: bool(alone),
        "no-capabilities": _drop_capabilities,
        "no-new-privs": lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1),
        "memory-limit": lambda: _limit_memory(limits.memory),
        "landlock": lambda: landlock.restrict() > 0,
        "rlimits": _limit_resources,
        "not-dumpable": lambda: _prctl(_PR_SET_DUMPABLE, 0),
        "parent-death-signal": lambda: _prctl(_PR_SET_PDEATHSIG, 9),
    }
    return tuple(name for name in LAYERS if steps[name]())


def limit_cpu(seconds: float) -> None:
    """Let the kernel end this process after `seconds` more of processor time, should its parent be unable to."""
    if sys.platform == "win32":
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _limit_memory(count: int) -> bool:
    used = address_space()
    if sys.platform == "win32" or used is None:
        return False
    return _bound(resource.RLIMIT_AS, used + count)


def _limit_resources() -> bool:
    if sys.platform == "win32":
        return False
    bounds = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _MAX_DESCRIPTORS,
    }
    with contextlib.suppress(AttributeError):  # not every system counts processes
        bounds[resource.RLIMIT_NPROC] = 0
    held = [_bound(which, bound) for which, bound in bounds.items()]  # each is tried, whatever became of the others
    return all(held)


def _bound(which: int, bound: int) -> bool:
    try:
        _, hard = resource.getrlimit(which)
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(which, (bound, bound))
    except (OSError, ValueError):
        return False
    return True


def address_space() -> int | None:
    """Bytes of address space in use, or None where /proc does not say."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def leave_network() -> bool:
    """Go into a network namespace of its own; False where that is not possible."""
    libc = _linux_libc()
    # Root of the machine needs no user namespace; everyone else gets the right to a network namespace from one.
    return libc is not None and (libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


def _drop_capabilities() -> bool:
    libc = _linux_libc()
    if libc is None:
        return False
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    return bool(libc.capset(header, nothing) == 0)


def _prctl(option: int, value: int) -> bool:
    libc = _linux_libc()
    return libc is not None and libc.prctl(option, value, 0, 0, 0) == 0


def _linux_libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None
