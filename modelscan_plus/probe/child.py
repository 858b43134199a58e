"""The child of a probe: imports what a domain needs, gives everything else up, and then opens the model.

It is always a fresh interpreter (workers/process.py), so that libraries with threads of their own do no harm to the
scan, and its environment is `ENVIRONMENT`: one thread, no network for the libraries that would ask for one, and the
same order of everything in each run.
"""

import gc
import os
import random
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from modelscan_plus.core.bytesource import FileSource
from modelscan_plus.core.limits import Limits
from modelscan_plus.core.probe import ProbeOutcome, RoutineReport
from modelscan_plus.probe import registry
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Domain, Job, NotProbed, Routine, Spec, Subject
from modelscan_plus.probe.protocol import (
    BATCH,
    Ask,
    Claim,
    Claims,
    Ended,
    Finished,
    Named,
    NotOpened,
    Plan,
    Planned,
    Progress,
    Ready,
    Said,
    Unable,
)
from modelscan_plus.probe.tidy import MOST, problem
from modelscan_plus.workers import sandbox
from modelscan_plus.workers.frames import ProtocolError, decode, encode
from modelscan_plus.workers.life import preload_codecs, receive, run_forked

MODULE = __name__
ENVIRONMENT: Mapping[str, str] = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
"""CUBLAS_WORKSPACE_CONFIG is what makes matrix products on a GPU repeatable (CUDA's cuBLAS manual, "Results
reproducibility")."""
MODELS = 32
"""Models of one target that are probed."""
_PAUSE = 0.1
"""Seconds between two words of progress."""
_GPU_ADDRESSES = 1 << 40
"""Bytes of address space for a GPU's driver, which maps all of the card's and the machine's memory."""
_CPU_MARGIN = 10.0


def main(descriptor: str) -> NoReturn:
    """The child's whole life."""
    run_forked(socket.socket(fileno=int(descriptor)), serve)


def serve(channel: socket.socket) -> None:
    """One `Ask`, from the imports to the last routine."""
    ask = decode(receive(channel), Ask)
    files = _Files(channel, ask)
    alone = sandbox.leave_network()
    try:
        domains = [registry.load(path) for path in ask.domains]
        if not ask.only_claims:
            for domain in domains:
                domain.preload()
            _settle(ask.spec)
    except ImportError as error:
        if (error.name or "").startswith(__name__.partition(".")[0]):
            raise  # a domain that is listed and not there: our own fault
        _say(channel, Unable(f"{error.name or error}", extra=True))
        return
    except NotProbed as error:
        _say(channel, Unable(error.reason))
        return
    preload_codecs()
    memory = ask.memory + (_GPU_ADDRESSES if ask.spec.device == "cuda" else 0)
    layers = sandbox.apply(Limits(memory=memory), alone=alone)
    # A GPU's driver has threads of its own, whose time counts.
    sandbox.limit_cpu(ask.seconds * (8 if ask.spec.device == "cuda" else 1) + _CPU_MARGIN)
    _say(channel, Ready(layers))
    if ask.only_claims:
        _say(channel, Claims(tuple(_models(files.model, dict(zip(ask.domains, domains, strict=True))))))
        return
    _probe(channel, ask, domains, files)


class _Files:
    """Everything that the parent opened."""

    def __init__(self, channel: socket.socket, ask: Ask) -> None:
        groups = [ask.model, ask.samples or (), *ask.references]
        self._descriptors = iter(_receive_files(channel, sum(map(len, groups))))
        self.model = self._take(ask.model, ask.label)
        samples = self._take(ask.samples or (), "samples")
        self.samples = None if ask.samples is None else samples
        self.references = tuple(map(self._take, ask.references, ask.reference_labels))

    def _take(self, names: Sequence[Named], label: str) -> ModelFiles:
        return ModelFiles({file.name: FileSource(next(self._descriptors), file.size) for file in names}, label)


def _receive_files(channel: socket.socket, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        byte, descriptors, _, _ = socket.recv_fds(channel, 1, BATCH)
        if not byte or not descriptors:
            raise ProtocolError("files that did not come")
        found += descriptors
    return found


def _settle(spec: Spec) -> None:
    """Make torch repeatable, and let it load now what it loads at the first use. Raises NotProbed without a GPU."""
    if "torch" not in sys.modules:
        return
    import torch

    torch.set_num_threads(1)
    with suppress(RuntimeError):  # it may have been set already
        torch.set_num_interop_threads(1)
    gpu = spec.device == "cuda"
    if gpu and not torch.cuda.is_available():
        raise NotProbed("--device cuda: torch sees no such device here")
    # Not every operator has a repeatable form on a GPU; there the last digits may differ from run to run.
    torch.use_deterministic_algorithms(True, warn_only=gpu)
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(spec.seed)
    x = torch.rand(2, 3, 8, 8, device=spec.device, requires_grad=True)
    weight = torch.rand(4, 3, 3, 3, device=spec.device)
    y = torch.nn.functional.conv2d(x, weight).flatten(1)
    (y @ y.T).logsumexp(1).sum().backward()  # type: ignore[no-untyped-call]
    torch.optim.Adam([x], lr=0.1).step()
    torch.linalg.svdvals(y.detach())


def _models(files: ModelFiles, domains: Mapping[str, Domain]) -> Iterator[Claim]:
    """The models among the files: a folder is one where a domain claims it as a whole, else each file for itself."""
    taken: list[str] = []
    found = 0
    for artifact, part in (*_folders(files), *((name, _part(files, name, name)) for name in files)):
        if found == MODELS:
            return
        if any(artifact.startswith(folder) for folder in taken):
            continue
        claiming = tuple(path for path, domain in domains.items() if _claims(domain, part))
        if claiming:
            found += 1
            taken.append(artifact if artifact in files else "" if artifact == "." else artifact + "/")
            yield Claim(artifact, claiming)


def _folders(files: ModelFiles) -> Iterator[tuple[str, ModelFiles]]:
    """Every folder with files in it, those above first. A single file is none."""
    if files.single:
        return
    names = {"/".join(name.split("/")[:depth]) for name in files for depth in range(name.count("/") + 1)}
    for folder in sorted(names):
        yield folder or ".", _part(files, f"{folder}/" if folder else "", folder)


def _part(files: ModelFiles, prefix: str, label: str) -> ModelFiles:
    """The files below a folder, by their names in it; or the one file of that name."""
    if prefix in files:
        return ModelFiles({prefix.rpartition("/")[2]: files[prefix]}, label)
    return ModelFiles({name.removeprefix(prefix): files[name] for name in files if name.startswith(prefix)}, label)


def _claims(domain: Domain, files: ModelFiles) -> bool:
    try:
        return domain.claims(files)
    except Exception:  # hostile bytes; whoever cannot read them does not claim them
        return False


def _probe(channel: socket.socket, ask: Ask, domains: Sequence[Domain], files: _Files) -> None:
    job = Job(ask.spec, files.model, files.samples, files.references)
    refused = NotProbed("no probe knows this kind of model", ProbeOutcome.NOT_APPLICABLE)
    for domain in domains:
        try:
            subject = domain.open(job)
        except NotProbed as error:
            refused = error
            if error.outcome is ProbeOutcome.NOT_APPLICABLE:
                continue
        except (Exception, SystemExit) as error:
            refused = NotProbed(_fault(error, ask))
        else:
            _run(channel, ask, subject)
            return
        break
    _say(channel, NotOpened(refused.reason, refused.outcome))


def _run(channel: socket.socket, ask: Ask, subject: Subject) -> None:
    planned = tuple(Planned(routine.name, routine.title, _cost(routine)) for routine in subject.routines)
    _say(
        channel,
        Plan(subject.kind, planned, subject.untried, subject.facts, subject.calibration, subject.versions),
    )
    for place, routine in enumerate(subject.routines):
        _seed(ask.spec.seed)
        _say(channel, Finished(place, _report(channel, ask, routine, place)))
        gc.collect()
    _say(channel, Ended())


def _report(channel: socket.socket, ask: Ask, routine: Routine, place: int) -> RoutineReport:
    """What the routine reports; raises nothing of what it raises."""
    try:
        if missing := routine.missing():
            return _empty(routine, ProbeOutcome.NOT_APPLICABLE, missing)
        report = routine.run(_Teller(channel, place))
        fault = problem(report)
        return _empty(routine, ProbeOutcome.INCONCLUSIVE, f"its report holds {fault}") if fault else report
    except NotProbed as error:
        return _empty(routine, error.outcome, error.reason)
    except (Exception, SystemExit) as error:
        return _empty(routine, ProbeOutcome.INCONCLUSIVE, _fault(error, ask))


def _empty(routine: Routine, outcome: ProbeOutcome, reason: str) -> RoutineReport:
    return RoutineReport(routine=routine.name, title=routine.title, outcome=outcome, reason=reason)


class _Teller:
    """A `Tell` that does not talk all the time."""

    def __init__(self, channel: socket.socket, place: int) -> None:
        self._channel = channel
        self._place = place
        self._next = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PAUSE
            _say(self._channel, Progress(self._place, what[:200], max(0, int(done)), max(0, int(total))))


def _cost(routine: Routine) -> int:
    try:
        return min(max(1, int(routine.cost())), MOST)
    except Exception:
        return 1


def _seed(seed: int) -> None:
    random.seed(seed)
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed(seed % (1 << 32))
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(seed)


def _fault(error: BaseException, ask: Ask) -> str:
    """Why it could not be done, for a person. Text of a library may quote the model, and is left out."""
    text = str(error).lower()
    if type(error).__name__ == "OutOfMemoryError":  # torch's, of a GPU
        return "it needs more memory than the GPU has"
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return f"it needs more than the {ask.memory >> 20:,} MiB of memory that it may take (--memory)"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
    return f"it failed: {type(error).__name__}{place}"


def _say(channel: socket.socket, said: Said) -> None:
    channel.sendall(encode(said))
