"""Frames: how parent and child talk over a socket pair, whatever it is that they say.

A frame is a length (4 bytes, big-endian) and that many bytes of JSON. Nothing is ever unpickled, and the parent takes a
child's words as untrusted: capped in size, checked against the types.

The JSON is ASCII: names and strings of models may hold lone surrogates, which have no UTF-8 form, only an escape.
"""

import json
import struct
from typing import TypeVar

import msgspec

MAX_REPLY = 64 << 20
"""Bytes of one frame that the parent takes from a child."""
HEADER = struct.Struct(">I")

M = TypeVar("M", bound=msgspec.Struct)


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
