"""What parent and child say to each other over a socket pair.

A frame is a length (4 bytes, big-endian) and that many bytes of JSON. The parent sends `Setup` once and then one `Task`
per file, with the open descriptor beside the first byte; the child answers `Hello` once and then one `Reply` per file.
Nothing is ever unpickled, and the parent takes a child's words as untrusted: capped in size, checked against the types.

The JSON is ASCII: names and strings of models may hold lone surrogates, which have no UTF-8 form, only an escape.
"""

import json
import struct
from typing import TypeVar

import msgspec

from modelscan_plus.core.limits import Limits
from modelscan_plus.inspection import FileResult
from modelscan_plus.trust.hashing import seconds_to_hash

MAX_REPLY = 64 << 20
"""Bytes of one frame that the parent takes from a child."""
HEADER = struct.Struct(">I")

M = TypeVar("M", bound=msgspec.Struct)


class Setup(msgspec.Struct, frozen=True):
    """Parent to child, once."""

    limits: Limits
    sha256: bool
    engine: str = ""
    """Name of the engine that gives its opinion instead of our own rules."""
    signatures: str = ""
    """JSON of a trust.examiner.Asked, where the child verifies signatures instead."""

    def seconds_for(self, size: int) -> float:
        """Time for a file of `size` bytes: its analysis is limited by itself, hashing it takes what its size takes."""
        return self.limits.seconds + (seconds_to_hash(size) if self.sha256 else 0)


class Hello(msgspec.Struct, frozen=True):
    """Child to parent, once: it is ready, and these layers of the sandbox hold."""

    layers: tuple[str, ...]


class Task(msgspec.Struct, frozen=True):
    """Parent to child: inspect the file whose descriptor comes along."""

    name: str
    size: int
    ranges: bool = False
    """The descriptor is no file but a socket that gives ranges of one (workers/ranges.py)."""


class Reply(msgspec.Struct, frozen=True):
    """Child to parent: what the file is."""

    result: FileResult
    retire: bool = False
    """The child kept so much memory that the next file should have a fresh one."""


class ProtocolError(Exception):
    """The other side said something that is not the protocol."""


def encode(message: msgspec.Struct) -> bytes:
    """One frame."""
    body = json.dumps(msgspec.to_builtins(message), separators=(",", ":")).encode("ascii")
    return HEADER.pack(len(body)) + body


def decode(body: bytes | bytearray, kind: type[M]) -> M:
    """The message in a frame's body; raises ProtocolError for anything else."""
    try:
        return msgspec.convert(json.loads(body), kind)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ProtocolError(f"not a {kind.__name__}: {type(error).__name__}") from None


def frame_length(header: bytes | bytearray) -> int:
    """Bytes of the body that follows; raises ProtocolError above `MAX_REPLY`."""
    length: int = HEADER.unpack_from(header)[0]
    if length > MAX_REPLY:
        raise ProtocolError("a frame larger than any answer")
    return length
