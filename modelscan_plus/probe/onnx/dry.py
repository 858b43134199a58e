"""A graph walked without data: what each operator would make is counted before anything is made.

Tensors that depend on the input travel as torch's meta tensors, which have a shape and no memory; weights, and shapes
computed from them, are real. An operator whose inputs are all real is first run on shapes, then for real: so constants
are folded, shape arithmetic included, and no bomb goes off. What remains is a straight row of operators with all their
shapes, axes and sizes known (`Bound`). An operator whose shape argument depends on the input's data is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from modelscan_plus.probe.onnx.limits import Meter, NetworkLimits, Refused, shown
from modelscan_plus.probe.onnx.ops.table import OPERATORS, Call, Operator, Out
from modelscan_plus.probe.onnx.read import Step

META = torch.device("meta")
_SMALL = 1 << 20
"""Elements of a constant on which an operator may run whose result's shape is not known before."""
_MISTAKES = (
    RuntimeError,  # what torch says of shapes and types that do not fit, or that it has no kernel for
    ValueError,
    TypeError,
    IndexError,
    AttributeError,  # an input that is missing
    KeyError,
    OverflowError,
    ZeroDivisionError,
    AssertionError,
    MemoryError,
)
"""How torch and the operators' functions fail on a graph that makes no sense."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One operator of the row that remains."""

    operator: Operator
    call: Call
    inputs: tuple[str | Tensor | None, ...]
    """Names of values that depend on the input; constants; None."""
    outputs: tuple[str, ...]


def find(step: Step) -> Operator:
    """The operator of a node."""
    domain = "" if step.node.domain == "ai.onnx" else step.node.domain
    return OPERATORS[domain, step.node.op_type]


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Charges every tensor that torch makes, inside an operator too."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._meter = meter

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        view = bool(getattr(func, "is_view", False))
        made = result if isinstance(result, tuple | list) else (result,)
        count = 0
        for tensor in made:
            if isinstance(tensor, Tensor):
                self._meter.tensor(tuple(tensor.shape), view=view)
                count += tensor.numel()
        if not view:
            self._meter.multiply_adds(_work(str(getattr(func, "overloadpacket", "")), args, count))
        return result


def _work(name: str, args: Sequence[Any], made: int) -> int:
    """Multiply-adds of one torch operation, from shapes."""
    shapes = [tuple(arg.shape) for arg in args if isinstance(arg, Tensor)]
    match name:
        case "aten.mm" | "aten.bmm":
            return made * shapes[0][-1]
        case "aten.addmm" | "aten.baddbmm":
            return made * shapes[1][-1]
        case "aten.convolution":
            x, weight = shapes[0], shapes[1]
            elements = 1
            for size in weight[1:]:
                elements *= size
            transposed = bool(args[6]) if len(args) > 6 else False
            outer = made
            if transposed:
                outer = 1
                for size in x:
                    outer *= size
            return outer * elements
        case _ if "pool" in name:
            window = 1
            for size in next((arg for arg in args if isinstance(arg, list | tuple)), ()):
                window *= int(size)
            return made * window
    return made


class Walk:
    """One walk over a row of steps. `values` is what is known of each name: a real tensor or one of shape only.

    `folding` counts what is computed for real, `running` the rest.
    """

    def __init__(self, limits: NetworkLimits, opsets: Mapping[str, int], folding: Meter, running: Meter) -> None:
        self._limits = limits
        self._opsets = opsets
        self._folding = folding
        self._running = running
        self.values: dict[str, Tensor] = {}
        self.remaining: list[Bound] = []

    def run(self, steps: Iterable[Step]) -> None:
        """Fold what is real, bind what is not. Raises `Refused`."""
        with torch.no_grad():
            for step in steps:
                self._step(step)

    def _step(self, step: Step) -> None:
        operator = find(step)
        if len(step.node.input) > 4096:
            raise Refused(f"{step.where} takes {len(step.node.input):,} inputs")
        inputs = [self.values.get(name) for name in step.node.input]
        if any(name and item is None for name, item in zip(step.node.input, inputs, strict=True)):
            raise Refused(f"{step.where} takes an output that is not computed here")
        real = all(item is None or item.device != META for item in inputs)
        meter = self._folding if real else self._running
        meter.where = step.where
        call = Call(step.node, self._opset(step), self._limits, step.where, META, step.memo)
        for place in operator.values:
            if place < len(inputs) and (item := inputs[place]) is not None and item.device == META:
                raise Refused(f"{step.where} takes a shape or a bound that depends on the data of the input")
        if operator.shaped_by_data:
            made = self._by_data(operator, call, inputs, real=real)
        else:
            made = _shapes(operator, call, inputs, meter)
            if real and any(item is not None and item.device == META for item in made):
                made = perform(operator, _on(call, torch.device("cpu")), inputs)
        self._keep(step, operator, call, inputs, made)

    def _opset(self, step: Step) -> int:
        return self._opsets.get("" if step.node.domain == "ai.onnx" else step.node.domain, 1)

    def _by_data(
        self, operator: Operator, call: Call, inputs: Sequence[Tensor | None], *, real: bool
    ) -> tuple[Tensor | None, ...]:
        if not real:
            raise Refused(f"{call.where} gives a result whose shape depends on the data of the input")
        if sum(item.numel() for item in inputs if item is not None) > _SMALL:
            raise Refused(f"{call.where} looks through a constant of more than {_SMALL:,} elements")
        return perform(operator, _on(call, torch.device("cpu")), inputs)

    def _keep(
        self,
        step: Step,
        operator: Operator,
        call: Call,
        inputs: Sequence[Tensor | None],
        made: Sequence[Tensor | None],
    ) -> None:
        names = list(step.node.output)
        depends = False
        for place, name in enumerate(names):
            if not name:
                continue
            item = made[place] if place < len(made) else None
            if item is None:  # labels; whoever takes them is refused
                continue
            self.values[name] = item
            depends |= item.device == META
        if depends:
            bound = tuple(
                None if item is None else step.node.input[place] if item.device == META else item
                for place, item in enumerate(inputs)
            )
            self.remaining.append(Bound(operator, call, bound, tuple(names)))


def _shapes(operator: Operator, call: Call, inputs: Sequence[Tensor | None], meter: Meter) -> tuple[Tensor | None, ...]:
    """Run an operator on shapes alone, and count what it makes."""
    bare = [
        item if item is None or place in operator.values else torch.empty_like(item, device=META)
        for place, item in enumerate(inputs)
    ]
    with _Counting(meter):
        return perform(operator, call, bare)


def _on(call: Call, device: torch.device) -> Call:
    return Call(call.node, call.opset, call.limits, call.where, device, call.memo)


def perform(operator: Operator, call: Call, inputs: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """Run an operator's function; what torch refuses becomes `Refused`."""
    try:
        result: Out = operator.run(call, *inputs)
    except _MISTAKES as error:
        line = str(error).strip().partition("\n")[0]
        raise Refused(f"{call.where} cannot be computed: {shown(line) or type(error).__name__}") from error
    return result if isinstance(result, tuple) else (result,)


class Program:
    """The row that remains for one shape of the input, ready to run on one device."""

    def __init__(self, bound: Sequence[Bound], given: str, wanted: str, device: torch.device) -> None:
        live = _live(bound, wanted)
        last: dict[str, int] = {}
        for place, item in enumerate(live):
            for name in item.inputs:
                if isinstance(name, str):
                    last[name] = place
        self._given = given
        self._wanted = wanted
        self._rows: list[tuple[Operator, Call, tuple[str | Tensor | None, ...], tuple[str, ...], tuple[str, ...]]] = []
        for place, item in enumerate(live):
            inputs = tuple(
                one.to(device) if isinstance(one, Tensor) and where not in item.operator.values else one
                for where, one in enumerate(item.inputs)
            )
            gone = {name for name, end in last.items() if end == place and name != wanted}
            gone |= {name for name in item.outputs if name and name not in last and name != wanted}
            self._rows.append((item.operator, _on(item.call, device), inputs, item.outputs, tuple(gone)))

    def __len__(self) -> int:
        return len(self._rows)

    def __call__(self, x: Tensor) -> Tensor:
        """From the input to the wanted value."""
        values: dict[str, Tensor] = {self._given: x}
        for operator, call, inputs, outputs, gone in self._rows:
            taken = [values[item] if isinstance(item, str) else item for item in inputs]
            made = perform(operator, call, taken)
            values |= {name: item for name, item in zip(outputs, made, strict=False) if name and item is not None}
            for name in gone:
                values.pop(name, None)
        return values[self._wanted]


def _live(bound: Sequence[Bound], wanted: str) -> list[Bound]:
    """What the wanted value needs."""
    needed = {wanted}
    kept: list[Bound] = []
    for item in reversed(bound):
        if needed.isdisjoint(item.outputs):
            continue
        kept.append(item)
        needed.update(name for name in item.inputs if isinstance(name, str))
    return kept[::-1]


def preload() -> None:
    """Let torch import now what it imports at the first use of tensors without data and of `vmap`: 800 modules."""
    with torch.no_grad(), _Counting(Meter.running(NetworkLimits())):
        x = torch.empty((2, 3, 4, 4), device=META)
        torch.nn.functional.conv2d(x, torch.empty((3, 3, 1, 1), device=META)).softmax(1)
    weight = torch.zeros((3, 3, 1, 1))
    x = torch.zeros((2, 1, 3, 4, 4), requires_grad=True)
    made = torch.vmap(lambda sample: torch.nn.functional.conv2d(sample, weight))(x)
    torch.autograd.grad(made.sum(), x)
