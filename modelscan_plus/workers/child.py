"""The child: takes one open descriptor after the other, inspects it, answers, and can do nothing else.

Started by the supervisor either as a fork of a process with a single thread, or as a fresh interpreter:
`python -c "…" <socket descriptor> <sys.path>`.
"""

import functools
import os
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, BytesSource, FileSource
from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.finding import Finding, PickleEvidence
from modelscan_plus.core.limits import Limits
from modelscan_plus.formats.archives import optional
from modelscan_plus.graph.operators import operators
from modelscan_plus.inspection import FileResult, Inspector
from modelscan_plus.trust.hashing import HashedSource
from modelscan_plus.workers import sandbox
from modelscan_plus.workers.frames import HEADER, MAX_REPLY, ProtocolError, decode, encode, frame_length
from modelscan_plus.workers.interface import Hello, Reply, Setup, Task
from modelscan_plus.workers.life import preload_codecs, read, receive, run_forked
from modelscan_plus.workers.ranges import RangeSource

if TYPE_CHECKING:
    from modelscan_plus.engines.dormancy.examiner import DormancyExaminer
    from modelscan_plus.engines.examiner import Examiner
    from modelscan_plus.engines.linked import LinkedExaminer
    from modelscan_plus.trust.examiner import SignatureExaminer

_CPU_MARGIN = 10.0
"""Seconds beyond the parent's deadline: the kernel steps in only when the parent does not."""
_OWN_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""Where this package is imported from; the one entry of `sys.path` that may be the working directory."""
_PRELOAD = b"cbuiltins\nset\n)R0cposix\nsystem\n)R."
"""A pickle that makes the rules load the tables they keep, and that nothing runs: behind the sandbox no file can be
opened."""
_PRELOAD_GRAPH = b"\x08\x08\x3a\x09\x0a\x07\x0a\x01x\x12\x02\x20y"
"""An ONNX model of one node, for the same purpose."""
_PRELOAD_NODE = b"\x0a\x06\x0a\x01x\x12\x01A"
"""A graph of TensorFlow with one node."""


@functools.cache
def preload() -> None:
    """Load everything that is otherwise loaded at first use. The parent does it before it forks."""
    preload_codecs()
    optional.preload()
    operators()
    for data in (_PRELOAD, _PRELOAD_GRAPH, _PRELOAD_NODE):
        Inspector(Limits()).inspect(Artifact("preload", BytesSource(data)))


def serve(channel: socket.socket) -> None:
    """Answer until the parent hangs up."""
    setup = decode(receive(channel), Setup)
    examiner = _examiner(setup)
    statm = _open_statm()
    layers = sandbox.apply(setup.limits)
    channel.sendall(encode(Hello(layers)))
    before = _address_space(statm)
    while (message := _receive_task(channel)) is not None:
        task, fd = message
        sandbox.limit_cpu(setup.seconds_for(task.size) + _CPU_MARGIN)
        try:
            result = inspect(task, fd, setup, examiner)
        finally:
            os.close(fd)
        grown = _address_space(statm) - before > setup.limits.memory // 8
        channel.sendall(_encode_reply(result, retire=grown))


def _source(task: Task, fd: int, *, sha256: bool) -> ByteSource:
    if task.ranges:
        return RangeSource(fd, task.size)
    return HashedSource(fd, task.size) if sha256 else FileSource(fd, task.size)


def _examiner(setup: Setup) -> "Examiner | SignatureExaminer | DormancyExaminer | LinkedExaminer | None":
    """What this child is for instead of our own rules, imported while files can still be opened; None for those."""
    if setup.signatures:
        from modelscan_plus.trust.examiner import Asked, SignatureExaminer

        return SignatureExaminer(msgspec.json.decode(setup.signatures, type=Asked))
    if not setup.engine:
        return None
    if setup.engine == "dormancy":
        from modelscan_plus.engines.dormancy.examiner import DormancyExaminer

        return DormancyExaminer()
    if setup.engine == "linked":
        from modelscan_plus.engines.linked import LinkedExaminer

        return LinkedExaminer()
    from modelscan_plus.engines.examiner import Examiner

    try:
        here = os.getcwd()
    except OSError:
        here = ""
    sys.path[:] = [entry for entry in sys.path if entry not in ("", ".", here) or entry == _OWN_ROOT]
    examiner = Examiner(setup.engine)
    examiner.inspect(Artifact("preload.pkl", BytesSource(_PRELOAD)), setup.limits)
    return examiner


def inspect(
    task: Task,
    fd: int,
    setup: Setup,
    examiner: "Examiner | SignatureExaminer | DormancyExaminer | LinkedExaminer | None" = None,
) -> FileResult:
    """The result for one open file; raises nothing, whatever the bytes and whatever our own faults."""
    sha256 = setup.sha256 and not task.ranges  # to hash a remote file is to download it
    artifact = Artifact(task.name, _source(task, fd, sha256=sha256), path=task.path)
    try:
        if examiner is not None:
            return examiner.inspect(artifact, setup.limits)
        return Inspector(setup.limits).inspect(artifact, sha256=sha256)
    except Exception as error:
        # A fault of ours must not pass for a clean file, nor take the other files with it.
        reason = CoverageReason("internal-error", f"a parser or rule failed: {_where(error)}", executable=True)
        return FileResult((), Coverage(CoverageState.UNREADABLE, (reason,), artifact.source.bytes_read))


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
    return type(error).__name__ + place


def _encode_reply(result: FileResult, *, retire: bool) -> bytes:
    """The frame; findings are counted instead of sent where there are more than a frame can hold."""
    frame = encode(Reply(result, retire))
    if len(frame) > MAX_REPLY and result.summaries:
        reason = CoverageReason("more-summaries", "the summary of its parts is too long", executable=True)
        coverage = msgspec.structs.replace(
            result.coverage, state=CoverageState.PARTIAL, reasons=(*result.coverage.reasons, reason)
        )
        result = msgspec.structs.replace(result, summaries=(), coverage=coverage)
        frame = encode(Reply(result, retire))
    while len(frame) > MAX_REPLY:
        keep = len(result.findings) // 2
        dropped = result.dropped_findings + len(result.findings) - keep
        reason = CoverageReason("more-findings", "not every finding fits into one answer", executable=True)
        coverage = msgspec.structs.replace(result.coverage, state=CoverageState.PARTIAL, reasons=(reason,))
        findings = tuple(_without_program(finding) for finding in result.findings[:keep])
        result = FileResult(result.formats, coverage, findings, (), result.sha256, dropped)
        frame = encode(Reply(result, retire))
    return frame


def _without_program(finding: Finding) -> Finding:
    if not isinstance(finding.evidence, PickleEvidence):
        return finding
    return msgspec.structs.replace(finding, evidence=msgspec.structs.replace(finding.evidence, program=None))


def _receive_task(channel: socket.socket) -> tuple[Task, int] | None:
    """The next task and its descriptor; None when the parent hung up."""
    header, descriptors, _, _ = socket.recv_fds(channel, HEADER.size, 1)
    if not header:
        return None
    header += read(channel, HEADER.size - len(header))
    task = decode(read(channel, frame_length(header)), Task)
    if len(descriptors) != 1:
        raise ProtocolError("a task without its file")
    return task, descriptors[0]


def _open_statm() -> int | None:
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _address_space(statm: int | None) -> int:
    if statm is None:
        return 0
    return int(os.pread(statm, 64, 0).split()[0]) * os.sysconf("SC_PAGE_SIZE")


def main(descriptor: str) -> NoReturn:
    """The whole life of a child that is a fresh interpreter."""
    preload()
    run_forked(socket.socket(fileno=int(descriptor)), serve)
