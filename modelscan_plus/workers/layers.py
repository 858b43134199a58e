"""What protects a scan on this machine, for `doctor`: found out by a child that does nothing else."""

from dataclasses import dataclass

from modelscan_plus.core.limits import Limits
from modelscan_plus.workers.sandbox import LAYERS
from modelscan_plus.workers.supervisor import Supervisor, available


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the sandbox on this machine."""

    name: str
    active: bool
    detail: str


def describe() -> list[Layer]:
    """Every layer and whether it holds here, found out by a child that does nothing else."""
    if not available():
        detail = "this system cannot hand open files to a child; files are read in the process of the scan itself"
        return [Layer(name, active=False, detail=detail) for name in ("child-process", *LAYERS)]
    with Supervisor(Limits(), jobs=1) as supervisor:
        active = supervisor.probe()
    layers = [Layer("child-process", active=True, detail="each file is read in a process that can be killed")]
    return layers + [Layer(name, name in active, meaning) for name, meaning in LAYERS.items()]
