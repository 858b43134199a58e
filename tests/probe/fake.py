"""A domain for tests. The model is JSON in a file that ends in ".fake": a list of what its routines do.

It is loaded by name in the child of a probe, where this file is imported afresh.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelscan_plus.core.probe import Bars, Passage, Picture, ProbeOutcome, RoutineReport, Table
from modelscan_plus.probe import png
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Job, NotProbed, Routine, Subject, Tell

DOMAIN = "tests.probe.fake:FakeDomain"
TORCH = "tests.probe.fake:TorchDomain"
NEEDY = "tests.probe.fake:NeedyDomain"
HOSTILE = "right\u202eto left, <script>alert(1)</script> and \x1b[31mred"


@dataclass(frozen=True)
class FakeRoutine:
    """Does what it is called."""

    does: str
    number: int
    job: Job

    @property
    def name(self) -> str:
        return f"fake-{self.number}"

    @property
    def title(self) -> str:
        return f"Fake {self.does}"

    def missing(self) -> str:
        return "it needs samples" if self.does == "needs-samples" and self.job.samples is None else ""

    def cost(self) -> int:
        return 10

    def run(self, tell: Tell) -> RoutineReport:
        tell("class 0", 1, 10)
        for step in range(20 if self.does == "slow" else 0):
            time.sleep(0.1)
            tell(f"class {step // 7}", step, 20)
        extra = _ACTIONS[self.does](self.job) or {}
        values: dict[str, Any] = {
            "outcome": ProbeOutcome.NOTHING_FOUND,
            "reason": "nothing stands out",
            "families": ("patch",),
        }
        return RoutineReport(routine=self.name, title=self.title, **(values | extra))


class FakeDomain:
    """Claims files that end in ".fake", and folders that hold a "fake.json"."""

    name = "fake"

    def claims(self, files: ModelFiles) -> bool:
        if files.single.endswith(".crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        return "fake.json" in files or files.single.endswith(".fake")

    def preload(self) -> None:
        """Nothing is needed."""

    def open(self, job: Job) -> Subject:
        name = job.model.single or "fake.json"
        try:
            wanted = json.loads(job.model.read(name, 1 << 20))
        except ValueError as error:
            raise NotProbed("the file is no JSON") from error
        if wanted == "refuse":
            raise NotProbed("it has two classes", ProbeOutcome.NOT_APPLICABLE)
        if wanted == "fail":
            raise KeyError("secret words of the model")
        routines: list[Routine] = [FakeRoutine(what, number, job) for number, what in enumerate(wanted)]
        facts = [("files", ", ".join(job.model)), ("classes", "3")]
        if job.samples is not None:
            facts.append(("samples", str(sum(source.size for source in job.samples.sources.values()))))
        facts += [("reference", ", ".join(reference)) for reference in job.references]
        return Subject(
            "image-classifier",
            routines,
            untried=("all-to-all: needs a reference",),
            facts=tuple(facts),
            calibration="fake sha256:00",
            versions=(("fake", "1"),),
        )


class NeedyDomain(FakeDomain):
    """Needs a library that nobody has."""

    name = "needy"

    def preload(self) -> None:
        raise ImportError("No module named 'a_library_that_is_missing'", name="a_library_that_is_missing")


class TorchDomain(FakeDomain):
    """Needs torch."""

    name = "torch"

    def preload(self) -> None:
        import torch  # noqa: F401 - that it is imported is what is tested


def _train(job: Job) -> dict[str, Any]:
    """A few steps of what routines do: pictures, gradients, chance."""
    import torch

    x = torch.rand(8, 3, 16, 16, requires_grad=True)
    weight = torch.randn(4, 3, 3, 3)
    optimiser = torch.optim.Adam([x], lr=0.1)
    for _ in range(5):
        optimiser.zero_grad()
        torch.nn.functional.conv2d(x, weight).mean((2, 3)).log_softmax(1)[:, 0].neg().sum().backward()
        optimiser.step()
    settings = f"{torch.get_num_threads()} thread, repeatable {torch.are_deterministic_algorithms_enabled()}"
    return {"reason": f"{settings}, {x.sum().item()!r}"}


def _torch_bomb(job: Job) -> None:
    import torch

    torch.ones(1 << 40)


def _flag(job: Job) -> dict[str, Any]:
    grey = png.encode(bytes(range(256)), 16, 16, 1)
    red = png.encode(bytes([200, 30, 30] * 256), 16, 16, 3)
    return {
        "outcome": ProbeOutcome.FLAGGED,
        "reason": "class 2 is reached by a trigger far smaller than any other class",
        "p_value": 0.0004,
        "target": "class 2",
        "trigger": "4 × 4 pixels at the lower right",
        "success": 0.98,
        "steps": 4_500,
        "exhibits": (
            Picture(title="Mask", png=grey, caption="white: where the trigger sits"),
            Picture(title="Stamped sample", png=red),
            Bars(
                title="Cost by class",
                labels=("class 0", "class 1", "class 2"),
                values=(21.0, 24.5, 3.2),
                unit="pixels",
                band=(15.0, 30.0),
                marked=(2,),
                caption="the band holds 95 % of clean models",
            ),
            Table(
                title="Flips by source",
                columns=("source", "flips"),
                rows=(("class 0", "19 of 20"), ("class 1", "20 of 20")),
            ),
        ),
    }


def _suspect(job: Job) -> dict[str, Any]:
    return {
        "outcome": ProbeOutcome.SUSPICIOUS,
        "reason": "a natural word works like a trigger",
        "trigger": HOSTILE,
        "exhibits": (Passage(title="What it wrote", text=f"line one\n{HOSTILE}"),),
    }


def _hang(job: Job) -> None:
    while True:
        pass


def _allocate(job: Job) -> None:
    held = []
    while True:
        held.append(bytearray(64 << 20))


def _die(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _random(job: Job) -> dict[str, Any]:
    import random

    words = {f"word {number}" for number in range(50)}
    return {"reason": f"{random.random()} {sorted(words)[0]} {next(iter(words))}"}


def _escape(job: Job) -> dict[str, Any]:
    """What it could do of what a sandboxed child must not."""
    tried: dict[str, Callable[[], object]] = {
        "read": lambda: Path("/etc/passwd").read_bytes(),
        "write": lambda: Path("/tmp/probe-was-here").write_text("x"),
        "start": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "connect": lambda: socket.create_connection(("127.0.0.1", 9), 0.2),
    }
    done = []
    for name, action in tried.items():
        try:
            action()
            done.append(name)
        except ConnectionRefusedError:
            done.append(name)
        except OSError:
            pass
    return {"reason": "could: " + (", ".join(done) or "nothing")}


def _raise(job: Job) -> None:
    raise RuntimeError("secret words of the model")


def _refuse(job: Job) -> None:
    raise NotProbed("the classes never change")


def _impossible(job: Job) -> dict[str, Any]:
    return {"exhibits": (Bars(title="x", labels=("a",), values=(float("nan"),)),)}


_ACTIONS: dict[str, Callable[[Job], dict[str, Any] | None]] = {
    "nothing": lambda job: None,
    "slow": lambda job: None,
    "needs-samples": lambda job: None,
    "flag": _flag,
    "suspect": _suspect,
    "weak": lambda job: {"outcome": ProbeOutcome.FLAGGED, "p_value": 0.008, "target": "class 1"},
    "hang": _hang,
    "allocate": _allocate,
    "train": _train,
    "torch-bomb": _torch_bomb,
    "die": _die,
    "random": _random,
    "escape": _escape,
    "raise": _raise,
    "exit": lambda job: os._exit(3),
    "refuse": _refuse,
    "impossible": _impossible,
}
