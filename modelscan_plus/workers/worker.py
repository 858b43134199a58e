"""One child as the supervisor sees it: what it was given, what it has said so far, and when its time is up."""

import os
import socket
import time

from modelscan_plus.core.finding import PickleEvidence
from modelscan_plus.sources.interface import Entry, Opened
from modelscan_plus.workers.frames import HEADER, ProtocolError, decode, encode, frame_length
from modelscan_plus.workers.interface import Hello, Reply, Setup, Task
from modelscan_plus.workers.process import ChildProcess

GRACE = 2.0
"""Seconds between a file's deadline, at which the child gives up by itself, and its end."""
_STARTUP = 60.0
"""Seconds that a child may take to be ready, on a busy machine."""
_CHUNK = 1 << 20
_NO_SIGPIPE = getattr(socket, "MSG_NOSIGNAL", 0)


class Job:
    """One open file on its way through a child."""

    def __init__(self, number: int, key: str, entry: Entry, opened: Opened) -> None:
        self.number = number
        self.key = key
        self.entry = entry
        self.opened = opened
        self._closed = False

    def task(self) -> Task:
        """What the child is told."""
        path, ranges = self.entry.place, self.opened.fetched is not None
        return Task(path.rpartition("/")[2], self.opened.size, ranges=ranges, path=path)

    def close(self) -> None:
        """Close the file; once, however often it is called."""
        if not self._closed:
            self._closed = True
            os.close(self.opened.fd)


class Worker:
    """A running child. `job` is None while it has nothing to do, `layers` is None until it is ready."""

    def __init__(self, setup: Setup) -> None:
        """Raises OSError when no child can be started."""
        self.process = ChildProcess()
        self.job: Job | None = None
        self.layers: tuple[str, ...] | None = None
        self.deadline = time.monotonic() + _STARTUP
        self._setup = setup
        self._heard = bytearray()
        try:
            self._send(encode(setup))
        except OSError:
            self.process.kill()
            raise

    @property
    def waited_for(self) -> bool:
        """True while it owes an answer, which `deadline` limits."""
        return self.job is not None or self.layers is None

    def start(self, job: Job) -> None:
        """Hand a file over. Raises OSError when the child is gone."""
        self._send(encode(job.task()), job.opened.fd)
        self.job = job
        if self.layers is not None:
            self._set_deadline()

    def hear(self) -> Reply | None:
        """Take in what the child said; its reply once that is complete. Raises EOFError, OSError, ProtocolError."""
        part = self.process.channel.recv(_CHUNK)
        if not part:
            raise EOFError
        self._heard += part
        while len(self._heard) >= HEADER.size:
            end = HEADER.size + frame_length(self._heard)
            if len(self._heard) < end:
                return None
            body = self._heard[HEADER.size : end]
            del self._heard[:end]
            if self.layers is not None:
                return self._reply(body)
            self.layers = decode(body, Hello).layers
            self._set_deadline()
        return None

    def _set_deadline(self) -> None:
        size = self.job.opened.size if self.job is not None else 0
        self.deadline = time.monotonic() + self._setup.patience_for(size) + GRACE

    def _reply(self, body: bytearray) -> Reply:
        reply = decode(body, Reply)
        if self.job is None or self._heard:
            raise ProtocolError("an answer without a question")
        programs = {f"p{number}" for number in range(1, len(reply.result.programs) + 1)} | {None}
        for finding in reply.result.findings:
            if isinstance(finding.evidence, PickleEvidence) and finding.evidence.program not in programs:
                raise ProtocolError("a finding that points to a program that is not there")
        return reply

    def _send(self, frame: bytes, *descriptors: int) -> None:
        # Frames to a child are small and it has read the one before, so the socket always has room for a whole one.
        channel = self.process.channel
        sent = socket.send_fds(channel, [frame], descriptors, _NO_SIGPIPE) if descriptors else 0
        while sent < len(frame):
            sent += channel.send(frame[sent:], _NO_SIGPIPE)
