"""`load`: a classifier out of a file, as a function with gradients.

The batch. Exporters often fix it to 1, and constants of Reshape then hold it too. Hence what was declared is not
believed: the network is tried on four random samples, at once and one by one. Where both agree, batches run as they
are ("direct"). Where they do not, or where a batch is refused, the row for one sample is mapped over the batch by
`torch.vmap` ("mapped"), and where that does not agree either, samples go one after the other ("looped"). A graph that
only runs with the batch that it was exported with gets batches of that size, filled up. Either way a sample's logits
are those that it has alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.formats.graphs.onnx.model import DataType
from modelscan_plus.probe.onnx import ops
from modelscan_plus.probe.onnx.constants import TORCH_TYPES, constant, type_name
from modelscan_plus.probe.onnx.dry import META, Program, Walk
from modelscan_plus.probe.onnx.fold import fold_batch_norms
from modelscan_plus.probe.onnx.heads import Head, bare, choose
from modelscan_plus.probe.onnx.limits import Meter, NetworkLimits, Refused, shown
from modelscan_plus.probe.onnx.read import ML, Sketch, Step, check_operators, needed, read

_TRIED = 4
"""Samples of the trial; a power of two hides fewer mistakes than a prime, so one batch of 3 is tried as well."""
_AGREES = 1e-3
_CHANNELS = (1, 3, 4)
_FIXED = 256
"""The largest batch that a graph may insist on."""
_PROGRAMS = 16
"""Batch sizes for which a row is kept."""


@dataclass(frozen=True, slots=True)
class Input:
    """What the network takes."""

    name: str
    shape: tuple[int | None, ...]
    """As a batch: None first, then one sample's shape."""
    dtype: str
    """The type that the file declares: "float", "uint8" and so on. `forward` takes floats in its range."""
    layout: str
    """"NCHW", "NHWC", "NHW" (grey, without an axis for channels) or "NF" (a row of features)."""
    fixed_batch: int | None
    """The batch that the file declares, None where it leaves it open."""

    @property
    def kind(self) -> str:
        """ "image" or "tabular"."""
        return "tabular" if self.layout == "NF" else "image"

    @property
    def sample(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(size or 0 for size in self.shape[1:])


@dataclass(frozen=True, slots=True)
class Cost:
    """What one sample costs, counted from shapes."""

    elements: int
    """Elements of all tensors on the way: what a backward pass may hold."""
    multiply_adds: int


class OnnxNetwork:
    """A classifier that torch computes. Made by `load`."""

    def __init__(
        self, sketch: Sketch, limits: NetworkLimits, *, shape: tuple[int, ...] | None, output: str, gradients: bool
    ) -> None:
        self._limits = limits
        self._opsets = {"": sketch.opset, ML: sketch.ml_opset}
        self._device = torch.device("cpu")
        given = choose(sketch, output)
        self._head = bare(sketch, given)
        steps = needed(sketch, self._head.value)
        check_operators(steps, ops.known)
        if gradients:
            ops.check_gradients(steps)
        self.gradients = ops.differentiable(steps)
        self._taken, self.input = _input(sketch, steps, shape)
        self._constants = _weights(sketch, steps, limits)
        dependent, constant_steps = _divide(steps, self._taken)
        self._weights = sum(weight.numel() for weight in self._constants.values())
        walk = Walk(limits, self._opsets, Meter.folding(limits, self._weights), Meter.running(limits))
        walk.values.update(self._constants)
        walk.run(constant_steps)
        self._constants = walk.values
        self._steps = fold_batch_norms(dependent, self._constants, self._head.value)
        ops.check_carriers(self._steps, self._taken if self.input.dtype not in ("float", "double") else "")
        self._programs: dict[int, Program] = {}
        result, meter = self._first()
        self.cost = Cost(meter.elements // self._batch, meter.work // self._batch)
        self.classes, self._binary = _classes(result, self._head, limits.classes)
        self.stripped = self._head.stripped
        self.batching, self.activations = "looped", "logits"
        self._settle()

    # Shapes and programs

    def _first(self) -> tuple[Tensor, Meter]:
        """The output for one sample without data. Where constants fix a larger batch, it runs as that one."""
        self._batch = 1
        try:
            return self._walk(1)
        except Refused:
            fixed = self.input.fixed_batch or 1
            if not 1 < fixed <= _FIXED:
                raise
        self._batch = fixed
        result, meter = self._walk(fixed)
        return result[:1] if result.dim() and len(result) == fixed else result, meter

    def _walk(self, batch: int) -> tuple[Tensor, Meter]:
        meter = Meter.running(self._limits, batch)
        walk = Walk(self._limits, self._opsets, Meter.folding(self._limits, self._weights), meter)
        walk.values.update(self._constants)
        dtype = torch.float64 if self.input.dtype == "double" else torch.float32
        walk.values[self._taken] = torch.empty((batch, *self.input.sample), dtype=dtype, device=META)
        walk.run(self._steps)
        result = walk.values.get(self._head.value)
        if result is None:
            raise Refused("the output holds labels, not one number for each class")
        if result.device != META:
            raise Refused("the output does not depend on the input")
        if len(self._programs) >= _PROGRAMS:
            self._programs.pop(next(iter(self._programs)))
        self._programs[batch] = Program(walk.remaining, self._taken, self._head.value, self._device)
        return result, meter

    def _program(self, batch: int) -> Program:
        if batch not in self._programs:
            self._walk(batch)
        return self._programs[batch]

    @property
    def largest_batch(self) -> int:
        """Samples that one call takes at most."""
        return max(1, self._limits.batch // max(1, self.cost.elements))

    def to(self, device: str | torch.device) -> "OnnxNetwork":
        """Compute there from now on."""
        self._device = torch.device(device)
        self._programs.clear()
        return self

    @property
    def convolutional(self) -> bool:
        """Whether there are convolutions between input and output."""
        return any(step.node.op_type in ("Conv", "ConvTranspose") for step in self._steps)

    def splits(self) -> list[Tensor]:
        """Of each column of a row, the thresholds that tree ensembles hold it against, in rising order. Those of
        ensembles that take the input after other operators are not known here."""
        found = [ops.thresholds(step.memo) for step in self._steps if step.node.input[:1] == [self._taken]]
        columns = torch.cat([torch.zeros(0, dtype=torch.int64), *(one for one, _ in found)])
        values = torch.cat([torch.zeros(0, dtype=torch.float64), *(one for _, one in found)])
        return [torch.unique(values[columns == place]) for place in range(self.input.sample[0])]

    # Computing

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, K] of a batch [N, …], with gradients to `x` when it wants some. Raises `Refused`."""
        if tuple(x.shape[1:]) != self.input.sample or not x.is_floating_point():
            raise Refused(f"the network takes floats of shape [N, {', '.join(map(str, self.input.sample))}]")
        if len(x) > self.largest_batch:
            raise Refused(f"a batch of {len(x):,} samples; at most {self.largest_batch:,} at once")
        if not len(x):
            return x.new_zeros((0, self.classes))
        return self._finish(self._ways[self.batching](x.double() if self.input.dtype == "double" else x.float()))

    __call__ = forward

    @property
    def _ways(self) -> dict[str, Callable[[Tensor], Tensor]]:
        return {"direct": self._direct, "mapped": self._mapped, "looped": self._looped}

    def _direct(self, x: Tensor) -> Tensor:
        return self._program(len(x))(x)

    def _looped(self, x: Tensor) -> Tensor:
        return torch.cat([self._filled(part) for part in torch.split(x, self._batch)])

    def _filled(self, part: Tensor) -> Tensor:
        """Rows of at most one batch, which is filled up with its last sample."""
        missing = self._batch - len(part)
        full = torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing else part
        return self._program(self._batch)(full).reshape(self._batch, -1)[: len(part)]

    def _mapped(self, x: Tensor) -> Tensor:
        try:
            result: Tensor = torch.vmap(self._program(1))(x.unsqueeze(1))
        except RuntimeError as error:
            raise Refused("the graph cannot be mapped over a batch") from error
        return result

    def _finish(self, result: Tensor) -> Tensor:
        rows = result.reshape(len(result), -1).float()
        if self._binary:
            rows = torch.cat([torch.zeros_like(rows), rows], dim=1)
        if self.activations == "probabilities" and not self.stripped:
            rows = torch.log(rows.clamp_min(torch.finfo(torch.float32).tiny))
        return rows

    def _settle(self) -> None:
        """Find the way of batching, and whether the file gives probabilities."""
        generator = torch.Generator().manual_seed(20)
        top = 255.0 if self.input.dtype == "uint8" else 1.0
        x = torch.rand((_TRIED, *self.input.sample), generator=generator) * top
        x = x.double() if self.input.dtype == "double" else x
        with torch.no_grad():
            alone = torch.cat([self._filled(sample.unsqueeze(0)) for sample in x])
            if self._batch > 1 and not self._agrees(self._looped, x, alone):
                raise Refused(f"the graph is made for {self._batch} samples at once and mixes them")
            for name in ("direct", "mapped"):
                if self._agrees(self._ways[name], x, alone):
                    self.batching = name
                    break
        rows = alone.reshape(_TRIED, -1).double()
        sums_to_one = bool(((rows >= -1e-6) & (rows <= 1 + 1e-6)).all() and ((rows.sum(1) - 1).abs() < 1e-3).all())
        if self.stripped in ("Softmax", "Sigmoid") or (not self.stripped and self.classes > 1 and sums_to_one):
            self.activations = "probabilities"

    def _agrees(self, way: Callable[[Tensor], Tensor], x: Tensor, alone: Tensor) -> bool:
        try:
            for count in (_TRIED, _TRIED - 1):
                found = way(x[:count])
                if found.numel() != alone[:count].numel() or len(found) != count:
                    return False
                found = found.reshape(count, -1)
                same = torch.isclose(
                    found, alone[:count].reshape(count, -1), rtol=_AGREES, atol=_AGREES, equal_nan=True
                )
                if not bool(same.all()):
                    return False
        except Refused:
            return False
        return True


def load(
    source: ByteSource,
    limits: NetworkLimits | None = None,
    *,
    shape: tuple[int, ...] | None = None,
    output: str = "",
    gradients: bool = True,
) -> OnnxNetwork:
    """Read a classifier. `shape` is one sample's, for a graph that leaves it open; `output` names one of several.

    Without `gradients` tree ensembles are taken, too, which can only be asked.

    Raises `Refused` with one plain reason for everything that is not run.
    """
    bounds = limits or NetworkLimits()
    try:
        return OnnxNetwork(read(source, bounds), bounds, shape=shape, output=output, gradients=gradients)
    except (MemoryError, RecursionError) as error:
        raise Refused("the graph does not fit into the memory at hand") from error


def _input(sketch: Sketch, steps: list[Step], shape: tuple[int, ...] | None) -> tuple[str, Input]:
    used = {name for step in steps for name in step.node.input}
    names = [name for name in sketch.inputs if name in used]
    if len(names) != 1:
        listed = ", ".join(repr(shown(name)) for name in names[:4])
        raise Refused(f"the graph takes {len(names)} inputs{f' ({listed})' if names else ''}, not one")
    info = sketch.inputs[names[0]]
    allowed = (DataType.FLOAT, DataType.DOUBLE, DataType.FLOAT16, DataType.BFLOAT16, DataType.UINT8)
    if info.elem_type not in allowed:
        raise Refused(
            f"the input {shown(info.name)!r} takes {type_name(info.elem_type)}, not numbers of an image or table"
        )
    declared = info.shape
    if declared is None or not 2 <= len(declared) <= 4:
        raise Refused(f"the input {shown(info.name)!r} does not have two to four dimensions")
    sizes = [size if isinstance(size, int) and size > 0 else None for size in declared]
    sample = _sample(sizes[1:], shape)
    dtype = {DataType.DOUBLE: "double", DataType.UINT8: "uint8"}.get(DataType(info.elem_type), "float")
    return info.name, Input(info.name, (None, *sample), dtype, _layout(sample), sizes[0])


def _sample(declared: list[int | None], shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is not None:
        fits = len(shape) == len(declared) and all(
            want is None or want == have for want, have in zip(declared, shape, strict=True)
        )
        if not fits:
            wanted = ", ".join(str(size or "any") for size in declared)
            raise Refused(f"the network takes samples of shape ({wanted}), not {shape}")
        return tuple(shape)
    if any(size is None for size in declared):
        raise Refused("the file leaves the size of the input open; give samples, which have one")
    return tuple(size for size in declared if size is not None)


def _layout(sample: tuple[int, ...]) -> str:
    match sample:
        case (_,):
            return "NF"
        case (_, _):
            return "NHW"
        case (first, _, last) if last in _CHANNELS and first not in _CHANNELS:
            return "NHWC"
        case _:
            return "NCHW"


def _weights(sketch: Sketch, steps: list[Step], limits: NetworkLimits) -> dict[str, Tensor]:
    """The initialisers that the steps take, counted before they are read."""
    names = dict.fromkeys(name for step in steps for name in step.node.input if name in sketch.weights)
    total = sum(sketch.weights[name].count for name in names)
    if total > limits.weights:
        raise Refused(f"the network has {total:,} weights, more than {limits.weights:,}")
    return {name: constant(sketch.weights[name], limits) for name in names}


def _divide(steps: list[Step], taken: str) -> tuple[list[Step], list[Step]]:
    """Steps that depend on the input, and the rest."""
    dependent = {taken}
    inside: list[Step] = []
    outside: list[Step] = []
    for step in steps:
        if dependent.isdisjoint(step.node.input):
            outside.append(step)
        else:
            inside.append(step)
            dependent.update(name for name in step.node.output if name)
    return inside, outside


def _classes(result: Tensor, head: Head, most: int) -> tuple[int, bool]:
    """K, and whether one number stands for two classes. `result` is the output for a batch of one."""
    shape = tuple(result.shape)
    if not result.is_floating_point():
        raise Refused("the output holds whole numbers: labels, not one number for each class")
    count = math.prod(shape)
    wide = [size for size in shape[1:] if size != 1] if len(shape) > 1 else [count]
    if count == 0 or (len(shape) > 1 and shape[0] != 1) or len(wide) > 1:
        raise Refused(f"the output has the shape [{', '.join(map(str, shape))}], not [N, K]")
    if count == 1:
        if head.stripped != "Sigmoid":
            raise Refused("the output is a single number: no classes")
        return 2, True
    if len(shape) == 1:
        raise Refused("the output is a list without a batch")
    if count > most:
        raise Refused(f"the output has {count:,} numbers for each sample")
    return count, False


__all__ = ["TORCH_TYPES", "Cost", "Input", "OnnxNetwork", "load"]
