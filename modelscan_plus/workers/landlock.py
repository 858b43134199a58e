"""Landlock by its three system calls: a process gives up all file paths, TCP and signals to others, for good.

Descriptors that are open already keep working, which is all that a child needs. Rights by ABI version, from the
kernel's Documentation/userspace-api/landlock.rst: 1 has 13 file rights, 2 adds REFER, 3 TRUNCATE, 4 TCP bind and
connect, 5 IOCTL_DEV, 6 the scopes for abstract sockets and signals.
"""

import ctypes
import sys

_CREATE_RULESET = 444
_RESTRICT_SELF = 446
_VERSION_FLAG = 1


class _RulesetAttr(ctypes.Structure):
    """`struct landlock_ruleset_attr`: what is forbidden unless a rule allows it; there are no rules."""

    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


def abi() -> int:
    """The version that the running kernel supports; 0 where there is no Landlock."""
    if not sys.platform.startswith("linux"):
        return 0
    version: int = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)
    return max(0, version)


def restrict() -> int:
    """Forbid this process everything that Landlock knows; the ABI version used, 0 when it is not available.

    `no_new_privs` must be set before.
    """
    version = abi()
    if version < 1:
        return 0
    attr = _RulesetAttr(_file_rights(version), 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    libc = _libc()
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(attr), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return 0
    failed = libc.syscall(_RESTRICT_SELF, ruleset, 0)
    libc.close(ruleset)
    return 0 if failed else version


def _file_rights(version: int) -> int:
    bits = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    return (1 << bits) - 1


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
