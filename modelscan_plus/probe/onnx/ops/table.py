"""The table of operators, and what an operator's function is given.

A function takes a `Call` (attributes, operator set, wanted outputs) and the node's inputs, None for an absent one. It
is run on tensors without data first, so that everything it would make is counted, then on real ones. Hence its rules:
no look at the data of an input but of those that it declares in `values`; new tensors on `call.device`; nothing in
place. An input in `values` is always real and known before the model's input is: a shape, axes, sizes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from modelscan_plus.formats.graphs.onnx.model import Attribute, Node
from modelscan_plus.probe.onnx.limits import NetworkLimits, Refused, shown

Out = torch.Tensor | tuple[torch.Tensor | None, ...]
Function = Callable[..., Out]
EVERY = frozenset(range(64))
"""For `values`: all inputs."""


@dataclass(frozen=True, slots=True)
class Call:
    """One node, as its function sees it."""

    node: Node
    opset: int
    limits: NetworkLimits
    where: str
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    memo: dict[str, object] = field(default_factory=dict)
    """What the function keeps of the node's attributes from call to call."""

    def _get(self, name: str) -> Attribute | None:
        return self.node.get(name)

    def integer(self, name: str, default: int = 0) -> int:
        found = self._get(name)
        return default if found is None else found.i

    def number(self, name: str, default: float = 0.0) -> float:
        found = self._get(name)
        return default if found is None else found.f

    def text(self, name: str, default: str = "") -> str:
        found = self._get(name)
        return default if found is None else found.text

    def texts(self, name: str) -> list[str]:
        found = self._get(name)
        return [] if found is None else [span.text(1 << 16) for span in found.strings]

    def ints(self, name: str) -> list[int] | None:
        found = self._get(name)
        return None if found is None else list(found.ints)

    def floats(self, name: str) -> list[float] | None:
        found = self._get(name)
        return None if found is None else list(found.floats)

    def has(self, name: str) -> bool:
        return self._get(name) is not None

    def attribute(self, name: str) -> Attribute | None:
        """The attribute itself, for tensors."""
        return self._get(name)

    @property
    def outputs(self) -> int:
        """Outputs that the node names."""
        return len(self.node.output)

    def wants(self, position: int) -> bool:
        """Whether the node names that output."""
        return position < len(self.node.output) and bool(self.node.output[position])

    def refuse(self, why: str) -> Refused:
        """For `raise call.refuse(…)`."""
        return Refused(f"{self.where}: {why}")

    def axes(self, given: torch.Tensor | None) -> list[int] | None:
        """Axes, which newer operator sets take as an input and older ones as an attribute; None for neither."""
        if given is not None:
            return integers(given)
        return self.ints("axes")


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a domain."""

    name: str
    run: Function
    values: frozenset[int] = frozenset()
    """Inputs whose data it looks at."""
    shaped_by_data: bool = False
    """The shape of what it gives depends on data: it is run on small constants only."""
    no_gradients: bool = False
    """It can only be asked, not searched with gradients."""
    counts: bool = False
    """It gives whole numbers carried as floats, so that gradients pass; see `check_carriers`."""


OPERATORS: dict[tuple[str, str], Operator] = {}


def operator(
    *names: str,
    values: Sequence[int] | frozenset[int] = (),
    domain: str = "",
    shaped_by_data: bool = False,
    no_gradients: bool = False,
    counts: bool = False,
) -> Callable[[Function], Function]:
    """Enter a function under the names of its operators."""

    def enter(function: Function) -> Function:
        for name in names:
            OPERATORS[domain, name] = Operator(name, function, frozenset(values), shaped_by_data, no_gradients, counts)
        return function

    return enter


def integers(tensor: torch.Tensor) -> list[int]:
    """A known list of integers: a shape, axes, sizes."""
    if tensor.is_floating_point() or tensor.dim() > 1 or tensor.numel() > 4096:
        raise Refused(f"a list of integers was expected, not {tuple(tensor.shape)} of {tensor.dtype}")
    return [int(value) for value in tensor.reshape(-1).tolist()]


def scalar(tensor: torch.Tensor) -> float:
    """A known number."""
    if tensor.numel() != 1:
        raise Refused(f"a single number was expected, not a tensor of shape {tuple(tensor.shape)}")
    return tensor.reshape(()).item()


def axis_of(axis: int, rank: int, call: Call) -> int:
    """An axis, counted from the front."""
    if not -rank <= axis < max(rank, 1):
        raise call.refuse(f"axis {axis} of a tensor with {rank} dimensions")
    return axis % rank if rank else 0


def axes_of(axes: Sequence[int], rank: int, call: Call) -> list[int]:
    """Axes, counted from the front, each once."""
    found = [axis_of(axis, rank, call) for axis in axes]
    if len(set(found)) < len(found):
        raise call.refuse("an axis stands twice")
    return found


def broadcast(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
    """The shape that two shapes have together. Raises ValueError."""
    rank = max(len(one), len(other))
    pairs = zip((1,) * (rank - len(one)) + tuple(one), (1,) * (rank - len(other)) + tuple(other), strict=True)
    result = []
    for left, right in pairs:
        if left != right and 1 not in (left, right):
            raise ValueError(f"shapes {tuple(one)} and {tuple(other)} do not go together")
        result.append(right if left == 1 else left)
    return tuple(result)


def unknown_attribute(call: Call, name: str) -> Refused:
    """A mode that the table does not know."""
    return call.refuse(f"{name} {shown(call.text(name))!r} is not known here")
