"""Small ONNX models, written by hand, and what onnxruntime makes of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from modelscan_plus.core.bytesource import BytesSource

FLOAT = TensorProto.FLOAT
CHEAP = onnxruntime.SessionOptions()
CHEAP.log_severity_level = 4
CHEAP.intra_op_num_threads = 1
CHEAP.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # its fusions round


def graph(
    nodes: Sequence[onnx.NodeProto],
    *,
    shape: Sequence[int | str] = ("n", 6),
    weights: dict[str, np.ndarray] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 20,
    dtype: int = FLOAT,
    domains: Sequence[str] = (),
    **options: Any,
) -> bytes:
    """A model with the input "x"."""
    made = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(made, opset_imports=opsets, **options)
    model.ir_version = min(model.ir_version, 10)
    return bytes(model.SerializeToString())


def node(kind: str, inputs: str, outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    """`inputs` and `outputs` are names parted by spaces; "-" stands for none."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(kind, names, outputs.split(), **attributes)


def source(data: bytes) -> BytesSource:
    """For `load`."""
    return BytesSource(data)


def expected(data: bytes, x: np.ndarray, output: str | None = None) -> np.ndarray:
    """onnxruntime's answer."""
    session = onnxruntime.InferenceSession(data, CHEAP, providers=["CPUExecutionProvider"])
    result = session.run([output] if output else None, {session.get_inputs()[0].name: x})[0]
    return np.asarray(result)
