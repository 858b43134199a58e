"""Ranges of one remote file over a socket pair: the child asks and parses, the parent fetches and never parses.

A question is `u64 offset, u32 length` (big-endian), an answer `u8 status, u32 length` and as many bytes: status 0 is
exactly what was asked for, status 1 is a failure as text, "code\\nmessage", after which every answer is that failure.
A child has no network and can say nothing else: what is no range of its own file ends the conversation, and how much
may be fetched for it is bounded where it is fetched (sources/hub/remote.py).
"""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable

from modelscan_plus.core.bytesource import ByteSource, ReadFailed

_QUESTION = struct.Struct(">QI")
_ANSWER = struct.Struct(">BI")
_DATA, _FAILED = 0, 1
MAX_PIECE = 4 << 20
"""Bytes of one answer."""


class RangeSource(ByteSource):
    """The child's side: a file of which ranges can be had."""

    remote = True

    def __init__(self, fd: int, size: int) -> None:
        """`fd` is one end of a stream socket pair; the caller keeps and closes it."""
        self._fd = fd
        self.size = size

    def pread(self, offset: int, length: int) -> bytes:
        return self.read_pieces(offset, length, MAX_PIECE, self._ask)

    def _ask(self, offset: int, length: int) -> bytes:
        os.write(self._fd, _QUESTION.pack(offset, length))
        status, count = _ANSWER.unpack(self._take(_ANSWER.size))
        if count > MAX_PIECE:
            raise ReadFailed("read-error", "an answer longer than any question")
        body = self._take(count)
        if status != _DATA:
            code, _, message = body.decode("utf-8", "replace").partition("\n")
            raise ReadFailed(code, message)
        if count != length:
            raise ReadFailed("read-error", f"{count} bytes came where {length} were asked for")
        return body

    def _take(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = os.read(self._fd, count - len(data))
            if not part:
                raise ReadFailed("read-error", "whoever fetches the file hung up")
            data += part
        return bytes(data)


def serve(source: ByteSource) -> int:
    """Answer for `source` in a thread of its own; returns the descriptor of the asking end, which the caller closes.

    The thread ends when every copy of that descriptor is closed.
    """
    ours, theirs = socket.socketpair()
    try:
        threading.Thread(target=_answer, args=(ours, source), name="ranges", daemon=True).start()
    except BaseException:
        ours.close()
        theirs.close()
        raise
    return theirs.detach()


def _answer(channel: socket.socket, source: ByteSource) -> None:
    failure: ReadFailed | None = None
    with channel, contextlib.suppress(OSError):
        while question := _receive(channel.recv, _QUESTION.size):
            offset, length = _QUESTION.unpack(question)
            if not 0 < length <= MAX_PIECE or offset + length > source.size:
                return
            data = b""
            if failure is None:
                try:
                    data = source.pread(offset, length)
                except ReadFailed as error:
                    failure = error
                except Exception as error:  # a fault of ours must reach the report and not leave a child waiting
                    failure = ReadFailed("internal-error", f"fetching failed: {type(error).__name__}: {error}")
            if failure is not None:
                data = f"{failure.code}\n{failure.message}".encode("utf-8", "backslashreplace")[:MAX_PIECE]
            channel.sendall(_ANSWER.pack(_DATA if failure is None else _FAILED, len(data)) + data)


def _receive(receive: Callable[[int], bytes], count: int) -> bytes:
    """`count` bytes, or nothing when the other end is closed."""
    data = b""
    while len(data) < count:
        part = receive(count - len(data))
        if not part:
            return b""
        data += part
    return data
