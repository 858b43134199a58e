"""The operators: one small function each, from tensors to tensors, the same without data and with gradients."""

from collections.abc import Sequence

from modelscan_plus.probe.onnx.limits import Refused
from modelscan_plus.probe.onnx.ops import classical as classical
from modelscan_plus.probe.onnx.ops import convolution as convolution
from modelscan_plus.probe.onnx.ops import elementwise as elementwise
from modelscan_plus.probe.onnx.ops import forest as forest
from modelscan_plus.probe.onnx.ops import linear as linear
from modelscan_plus.probe.onnx.ops import normalisation as normalisation
from modelscan_plus.probe.onnx.ops import picking as picking
from modelscan_plus.probe.onnx.ops import quantised as quantised
from modelscan_plus.probe.onnx.ops import reductions as reductions
from modelscan_plus.probe.onnx.ops import resampling as resampling
from modelscan_plus.probe.onnx.ops import shapes as shapes
from modelscan_plus.probe.onnx.ops.forest import thresholds as thresholds
from modelscan_plus.probe.onnx.ops.table import OPERATORS, Operator
from modelscan_plus.probe.onnx.read import Step

_MOVES = frozenset(
    "Cast CastLike Concat Expand Flatten Gather Identity MaxPool Pad Relu Reshape Resize Shape Size Slice Split Squeeze"
    " Tile Transpose Unsqueeze DepthToSpace SpaceToDepth DequantizeLinear".split()
)
"""What may be done with whole numbers that are carried as floats: the result is the same as with whole numbers."""


def known(domain: str, name: str) -> bool:
    """Whether the table has an operator."""
    return (domain, name) in OPERATORS


def _of(step: Step) -> Operator:
    return OPERATORS["" if step.node.domain == "ai.onnx" else step.node.domain, step.node.op_type]


def differentiable(steps: Sequence[Step]) -> bool:
    """Whether all operators have gradients."""
    return not any(_of(step).no_gradients for step in steps)


def check_gradients(steps: Sequence[Step]) -> None:
    """Refuse operators that have none."""
    for step in steps:
        if _of(step).no_gradients:
            raise Refused(f"{step.where} has no gradients; it can only be asked")


def check_carriers(steps: Sequence[Step], taken: str) -> None:
    """Whole numbers carried as floats (a uint8 input, quantised values) may meet only operators that do not notice."""
    carriers = {taken} - {""}
    for step in steps:
        operator = _of(step)
        touched = not carriers.isdisjoint(step.node.input)
        if touched and step.node.op_type not in _MOVES and not operator.counts:
            raise Refused(f"{step.where} computes with quantised numbers in a way that is not known here")
        leaves = step.node.op_type in ("Cast", "CastLike", "DequantizeLinear", "Shape", "Size")
        if operator.counts or (touched and not leaves):
            carriers.update(name for name in step.node.output if name)
