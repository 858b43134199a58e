"""Small functions in onnxscript: its decorator wants them at the top of a module."""
# mypy: ignore-errors
# ruff: noqa: F821, SIM108 - onnxscript knows no conditional expression

from onnxscript import FLOAT, script
from onnxscript import opset17 as op


@script()
def layer_norm(x: FLOAT["N", 16], w: FLOAT[16, 16]) -> FLOAT["N", 16]:
    """Normalise and project."""
    mean = op.ReduceMean(x, axes=[1])
    centred = x - mean
    var = op.ReduceMean(centred * centred, axes=[1])
    return op.MatMul(centred / op.Sqrt(var + 1e-5), w)


@script()
def leaky(x: FLOAT["N", 16], w: FLOAT[16, 16]) -> FLOAT["N", 16]:
    """A leaky activation by Where."""
    h = op.MatMul(x, w)
    return op.Where(h > 0.0, h, h * 0.1)


@script()
def power(x: FLOAT["N", 16], w: FLOAT[16, 16]) -> FLOAT["N", 16]:
    """The same layer four times, as a loop."""
    h = op.MatMul(x, w)
    for _ in range(4):
        h = op.Tanh(op.MatMul(h, w)) + h
    return h


@script()
def branch(x: FLOAT["N", 16], w: FLOAT[16, 16]) -> FLOAT["N", 16]:
    """A branch on the number of rows, both sides the network's."""
    h = op.MatMul(x, w)
    rows = op.Gather(op.Shape(x), 0)
    if rows > 8:
        y = op.Relu(h)
    else:
        y = op.Relu(h + 0.0)
    return y


FUNCTIONS = (layer_norm, leaky, power, branch)
