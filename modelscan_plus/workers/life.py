"""What every child's life begins with: it keeps its socket and nothing else, and reads the first frame."""

import codecs
import gc
import os
import signal
import socket
from collections.abc import Callable
from typing import NoReturn

from modelscan_plus.workers.frames import HEADER, ProtocolError, frame_length

_CODECS = (
    "ascii latin-1 utf-8 utf-8-sig utf-7 utf-16 utf-16-le utf-16-be utf-32 cp437 cp1251 cp1252 iso8859-15 koi8-r gbk "
    "gb18030 big5 shift_jis euc_jp euc_kr unicode_escape raw_unicode_escape rot13 idna"
)


def run_forked(channel: socket.socket, life: Callable[[socket.socket], None]) -> NoReturn:
    """The rest of a child's life: it keeps its socket and nothing else of what it inherited."""
    try:
        _reset_signals()
        _keep_only(channel.fileno())
        gc.freeze()
        life(channel)
        os._exit(0)
    finally:  # whatever was raised: the parent's frames above must not see it
        os._exit(1)


def preload_codecs() -> None:
    """Load the codecs, each of which is a module."""
    for name in _CODECS.split():
        codecs.lookup(name)


def receive(channel: socket.socket) -> bytes:
    """The body of the next frame."""
    return read(channel, frame_length(read(channel, HEADER.size)))


def read(channel: socket.socket, count: int) -> bytes:
    """Exactly `count` bytes; raises ProtocolError when the parent hangs up before."""
    data = bytearray()
    while len(data) < count:
        part = channel.recv(count - len(data))
        if not part:
            raise ProtocolError("the parent hung up in the middle of a message")
        data += part
    return bytes(data)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    # Ctrl-C reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _keep_only(descriptor: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    try:
        inherited = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        inherited = list(range(3, 4096))
    for other in inherited:
        if other > 2 and other != descriptor:
            try:
                os.close(other)
            except OSError:
                continue
