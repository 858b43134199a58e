"""The layers that are run by plain Python give what ONNX defines, held against the package's reference."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.graphs.onnx.format import OnnxFormat
from modelscan_plus.graph.arrays import Array, Unsupported
from modelscan_plus.graph.evaluate import Evaluator
from modelscan_plus.graph.onnx import lower

onnx = pytest.importorskip("onnx")
np = pytest.importorskip("numpy")
from onnx import helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

CHANCE = np.random.default_rng(3)


def normal(*dims: int) -> Any:
    return CHANCE.normal(size=dims).astype(np.float32)


def whole(*numbers: int) -> Any:
    return np.asarray(numbers, np.int64)


CASES: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "matmul": ("MatMul", [normal(2, 3, 4), normal(4, 5)], {}),
    "batched matmul": ("MatMul", [normal(2, 3, 4), normal(2, 4, 5)], {}),
    "matmul with a vector": ("MatMul", [normal(3, 4), normal(4)], {}),
    "gemm": ("Gemm", [normal(3, 4), normal(5, 4), normal(5)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    "einsum": ("Einsum", [normal(2, 3, 4), normal(3, 4)], {"equation": "nct,ct->n"}),
    "conv": ("Conv", [normal(1, 3, 7, 6), normal(4, 3, 3, 2), normal(4)], {"strides": [2, 1], "pads": [1, 0, 1, 1]}),
    "conv with groups": ("Conv", [normal(1, 4, 9), normal(6, 2, 3)], {"group": 2, "dilations": [2]}),
    "conv of the same size": ("Conv", [normal(1, 1, 5, 5), normal(2, 1, 4, 4)], {"auto_pad": "SAME_UPPER"}),
    "max pool": ("MaxPool", [normal(1, 2, 6, 6)], {"kernel_shape": [2, 3], "strides": [2, 2]}),
    "mean pool": ("AveragePool", [normal(1, 2, 6, 6)], {"kernel_shape": [3, 3]}),
    "global pool": ("GlobalMaxPool", [normal(1, 2, 3, 3)], {}),
    "softmax": ("Softmax", [normal(2, 5)], {"axis": -1}),
    "log softmax": ("LogSoftmax", [normal(2, 5)], {"axis": 0}),
    "hardmax": ("Hardmax", [normal(2, 5)], {"axis": 1}),
    "cumsum": ("CumSum", [normal(2, 5), np.asarray(1)], {}),
    "largest": ("TopK", [normal(2, 5), whole(2)], {"axis": 1}),
    "batch norm": ("BatchNormalization", [normal(1, 3, 4), *(np.abs(normal(3)) for _ in range(4))], {}),
    "layer norm": ("LayerNormalization", [normal(2, 6), normal(6), normal(6)], {}),
    "instance norm": ("InstanceNormalization", [normal(1, 2, 5), normal(2), normal(2)], {}),
    "length": ("LpNormalization", [normal(2, 6)], {"axis": 1, "p": 2}),
    "one hot": ("OneHot", [whole(1, 3), np.asarray(4, np.int64), np.asarray([0, 1], np.float32)], {}),
    "lstm": ("LSTM", [normal(4, 1, 3), normal(1, 8, 3), normal(1, 8, 2), normal(1, 16)], {"hidden_size": 2}),
    "gru": ("GRU", [normal(4, 1, 3), normal(1, 6, 3), normal(1, 6, 2), normal(1, 12)], {"hidden_size": 2}),
    "rnn": ("RNN", [normal(4, 1, 3), normal(1, 2, 3), normal(1, 2, 2), normal(1, 4)], {"hidden_size": 2}),
    "matmul of whole numbers": (
        "MatMulInteger",
        [CHANCE.integers(0, 255, (2, 4)).astype(np.uint8), CHANCE.integers(-99, 99, (4, 3)).astype(np.int8)],
        {},
    ),
    "quantised": ("QuantizeLinear", [normal(2, 50), np.asarray(0.01, np.float32), np.asarray(7, np.uint8)], {}),
    "dequantised": (
        "DequantizeLinear",
        [CHANCE.integers(0, 255, (2, 5)).astype(np.uint8), np.asarray(0.1, np.float32), np.asarray(7, np.uint8)],
        {},
    ),
    "gather elements": ("GatherElements", [normal(2, 3), np.asarray([[0, 2], [1, -1]])], {"axis": 1}),
    "expand": ("Expand", [normal(2, 1), whole(3, 2, 4)], {}),
    "tile": ("Tile", [normal(2, 3), whole(2, 1)], {}),
    "split": ("Split", [normal(2, 5), whole(2, 3)], {"axis": 1}),
    "sum of squares": ("ReduceSumSquare", [normal(2, 3), whole(1)], {}),
    "log sum exp": ("ReduceLogSumExp", [normal(2, 3), whole(1)], {}),
    "elu": ("Elu", [normal(5)], {"alpha": 0.7}),
    "celu": ("Celu", [normal(5)], {"alpha": 2.0}),
    "selu": ("Selu", [normal(5)], {}),
    "shrink": ("Shrink", [normal(9)], {"lambd": 0.6, "bias": 0.1}),
    "thresholded": ("ThresholdedRelu", [normal(9)], {"alpha": 0.3}),
    "hard sigmoid": ("HardSigmoid", [normal(9)], {"alpha": 0.3, "beta": 0.4}),
    "mish": ("Mish", [normal(9)], {}),
    "softplus": ("Softplus", [normal(9)], {}),
    "hard swish": ("HardSwish", [normal(9)], {}),
}
OUTPUTS = {"TopK": 2, "Split": 2, "LSTM": 3, "GRU": 2}


def run(model: bytes, inputs: Sequence[Any]) -> list[Array]:
    parsed = OnnxFormat().parse(Artifact("m.onnx", BytesSource(model)), Budget(Limits()))
    graph = lower(next(fact for part in parsed for fact in part.facts).model)
    given = {
        value: Array(tuple(array.shape), [float(number) for number in array.reshape(-1)])
        for value, array in zip(graph.inputs, inputs, strict=True)
    }
    values = Evaluator(graph).run(range(len(graph.nodes)), given)
    return [values[output] for output in graph.outputs]


def made(operator: str, inputs: Sequence[Any], attributes: dict[str, Any]) -> Any:
    names = [f"i{place}" for place in range(len(inputs))]
    count = OUTPUTS.get(operator, 1)
    outs = [f"o{place}" for place in range(count)]
    body = helper.make_graph(
        [helper.make_node(operator, names, outs, **attributes)],
        "g",
        [helper.make_tensor_value_info("i0", helper.np_dtype_to_tensor_dtype(inputs[0].dtype), inputs[0].shape)],
        [helper.make_tensor_value_info(out, 1, None) for out in outs],
        [numpy_helper.from_array(np.asarray(array), name) for array, name in zip(inputs[1:], names[1:], strict=True)],
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)])


@pytest.mark.parametrize("name", CASES)
def test_a_layer_gives_what_onnx_defines(name: str) -> None:
    operator, inputs, attributes = CASES[name]
    model = made(operator, inputs, attributes)
    wanted = ReferenceEvaluator(model).run(None, {"i0": inputs[0]})
    found = run(model.SerializeToString(), [inputs[0]])
    for one, other in zip(wanted, found, strict=True):
        assert tuple(one.shape) == other.dims
        assert np.allclose(one.reshape(-1), other.data, atol=1e-5)


def test_a_softmax_without_an_axis_is_not_guessed() -> None:
    wide, flat = normal(2, 5, 1), normal(2, 5)
    with pytest.raises(Unsupported):
        run(made("Softmax", [wide], {}).SerializeToString(), [wide])
    [found] = run(made("Softmax", [flat], {}).SerializeToString(), [flat])
    assert np.allclose(sum(found.data), 2)


def test_runs_of_words_are_counted() -> None:
    attributes = {
        "mode": "TF",
        "min_gram_length": 1,
        "max_gram_length": 2,
        "max_skip_count": 0,
        "ngram_counts": [0, 2],
        "ngram_indexes": [0, 1, 2],
        "pool_int64s": [7, 9, 7, 9],
    }
    model = made("TfIdfVectorizer", [whole(7, 9, 7, 9, 1)], attributes)
    assert run(model.SerializeToString(), [whole(7, 9, 7, 9, 1)])[0].data == [2.0, 2.0, 2.0]


def test_what_is_too_large_or_unknown_is_refused() -> None:
    chance = random.Random(1)
    wide = [chance.random() for _ in range(4)]
    for operator, attributes in (("LRN", {"size": 3}), ("Conv", {"dilations": [1, 1]})):
        inputs = [np.asarray(wide, np.float32).reshape(1, 4), normal(1, 4, 1, 1)][: 1 if operator == "LRN" else 2]
        model = made(operator, inputs, attributes)
        with pytest.raises(Unsupported):
            run(model.SerializeToString(), [inputs[0]])
