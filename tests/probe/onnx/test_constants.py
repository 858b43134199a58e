"""What is known before any input is: constants of every kind, shapes, and what is computed from them."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch", reason="torch is not installed")

from modelscan_plus.probe.onnx import Refused, load  # noqa: E402
from tests.probe.onnx.models import expected, graph, node, source  # noqa: E402

RNG = np.random.default_rng(17)


def _same(data: bytes, *shape: int, tolerance: float = 1e-4) -> None:
    x = RNG.random((3, *shape), dtype=np.float32)
    alone = np.concatenate([expected(data, x[place : place + 1]).reshape(1, -1) for place in range(3)])
    np.testing.assert_allclose(load(source(data)).forward(torch.from_numpy(x)).numpy(), alone, atol=tolerance)


@pytest.mark.parametrize(
    ("value", "tensor"),
    [
        ("value_float", None), ("value_floats", None), ("value_int", None), ("value_ints", None),
        *[("value", kind) for kind in (
            TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT8,
            TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16, TensorProto.INT32, TensorProto.UINT32,
            TensorProto.INT64, TensorProto.UINT64, TensorProto.BOOL)],
    ],
)  # fmt: skip
@pytest.mark.parametrize("raw", [True, False])
def test_constants_of_every_type(value: str, tensor: int | None, raw: bool) -> None:
    numbers: dict[str, Any] = {
        "value_float": 1.5,
        "value_floats": [1.5] * 4,
        "value_int": 3,
        "value_ints": [1, 2, 3, 4],
    }
    held = numbers.get(value)
    if tensor is not None:
        kind = helper.tensor_dtype_to_np_dtype(tensor)
        held = numpy_helper.from_array(np.array([0, 1, 1, 3]).astype(kind), "c")
        if not raw:
            held = helper.make_tensor("c", tensor, [4], [0, 1, 1, 3])
    nodes = [node("Constant", "", "c", **{value: held}), node("Cast", "c", "f", to=1), node("Add", "x f", "y")]
    _same(graph(nodes, shape=("n", 4)), 4)


def test_shapes_are_computed_with() -> None:
    nodes = [
        node("Shape", "x", "s"), node("Gather", "s one", "rows"), node("Size", "x", "count"),
        node("Concat", "minus last", "to", axis=0), node("Mul", "rows two", "last"),
        node("Reshape", "x to", "r"),
        node("ConstantOfShape", "last", "c", value=helper.make_tensor("v", 1, [1], [2.5])),
        node("Add", "r c", "z"), node("Range", "null twelve step", "line"), node("Cast", "line", "f", to=1),
        node("Flatten", "z", "flat"), node("Mul", "flat f", "y"),
    ]  # fmt: skip
    weights = {
        "one": np.array([1]), "two": np.array([2]), "minus": np.array([-1]), "null": np.int64(0),
        "twelve": np.int64(24), "step": np.int64(4),
    }  # fmt: skip
    _same(graph(nodes, shape=(1, 3, 2), weights=weights), 3, 2)


def test_places_found_in_a_constant() -> None:
    nodes = [node("NonZero", "mask", "p"), node("Squeeze", "p", "q"), node("Gather", "x q", "y", axis=1)]
    _same(graph(nodes, weights={"mask": np.array([0, 1, 1, 0, 1, 0])}), 6)
    nodes = [node("NonZero", "x", "p"), node("Cast", "p", to=1)]
    with pytest.raises(Refused, match="depends on the data"):
        load(source(graph(nodes)))


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("each", [True, False])
def test_weights_that_are_quantised(kind: type, each: bool) -> None:
    weights = {
        "w": RNG.integers(0, 100, (6, 4)).astype(kind),
        "s": RNG.random(4 if each else (), dtype=np.float32),
        "z": RNG.integers(0, 9, 4 if each else ()).astype(kind),
    }
    nodes = [node("DequantizeLinear", "w s z", "v", axis=1), node("MatMul", "x v", "y")]
    _same(graph(nodes, weights=weights), 6)


def test_activations_that_are_quantised_keep_their_gradient() -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"), node("MatMul", "d w", "m"),
        node("Relu", "m", "r"), node("QuantizeLinear", "r t z", "q2"), node("DequantizeLinear", "q2 t z", "y"),
    ]  # fmt: skip
    weights = {
        "s": np.float32(0.004),
        "t": np.float32(0.02),
        "z": np.uint8(0),
        "w": RNG.random((6, 4), dtype=np.float32),
    }
    data = graph(nodes, weights=weights)
    _same(data, 6, tolerance=0.021)
    x = torch.rand((2, 6), generator=torch.Generator().manual_seed(1)).requires_grad_()
    (gradient,) = torch.autograd.grad(load(source(data)).forward(x)[:, 1].sum(), x)
    np.testing.assert_allclose(gradient.numpy(), np.broadcast_to(weights["w"][:, 1], (2, 6)), atol=1e-5)
    nodes[2] = node("Mul", "q q", "m")
    nodes[3] = node("Cast", "m", "r", to=1)
    with pytest.raises(Refused, match="quantised numbers in a way that is not known"):
        load(source(graph(nodes, weights=weights)))


def test_an_input_of_whole_numbers_is_searched_in_floats() -> None:
    nodes = [
        node("Cast", "x", "f", to=1), node("Div", "f top", "d"), node("Transpose", "d", "t", perm=[0, 3, 1, 2]),
        node("Sub", "t mean", "s"), node("Div", "s deviation", "n"), node("Flatten", "n", "flat"),
        node("MatMul", "flat w", "y"),
    ]  # fmt: skip
    weights = {
        "top": np.float32(255), "mean": RNG.random((3, 1, 1), dtype=np.float32),
        "deviation": RNG.random((3, 1, 1), dtype=np.float32) + 0.5, "w": RNG.random((75, 4), dtype=np.float32),
    }  # fmt: skip
    data = graph(nodes, shape=("n", 5, 5, 3), weights=weights, dtype=TensorProto.UINT8)
    network = load(source(data))
    x = RNG.integers(0, 256, (3, 5, 5, 3), dtype=np.uint8)
    given = torch.from_numpy(x).float().requires_grad_()
    logits = network.forward(given)
    assert (network.input.dtype, network.input.layout) == ("uint8", "NHWC")
    np.testing.assert_allclose(logits.detach().numpy(), expected(data, x), atol=1e-4)
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), given)
    assert float(gradient.abs().min()) > 0


@pytest.mark.parametrize(("elements", "kind"), [(TensorProto.DOUBLE, np.float64), (TensorProto.FLOAT16, np.float16)])
def test_other_floats(elements: int, kind: type) -> None:
    data = graph(
        [node("MatMul", "x w", "m"), node("Cast", "m", to=1)], weights={"w": np.ones((6, 4), kind)}, dtype=elements
    )
    x = RNG.random((3, 6)).astype(kind)
    found = load(source(data)).forward(torch.from_numpy(x.astype(np.float32)))
    np.testing.assert_allclose(found.numpy(), expected(data, x), atol=2e-2)


def _stored(**fields: Any) -> bytes:
    """A model whose weight is written in a way of its own."""
    model = onnx.load_from_string(graph([node("Add", "x w", "y")], weights={"w": np.zeros(6, np.float32)}))
    weight = model.graph.initializer[0]
    for name, value in fields.items():
        (setattr if not isinstance(value, list) else lambda o, n, v: (o.ClearField(n), getattr(o, n).extend(v)))(
            weight, name, value
        )
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"raw_data": b"1234"}, "data that does not fit its shape"),
        ({"dims": [2**62, 2]}, "weights"),
        ({"dims": [-6]}, "shape that is not accepted"),
        ({"data_type": 99}, "element type number 99"),
        ({"data_type": TensorProto.STRING}, "element type string"),
        ({"data_type": TensorProto.COMPLEX64}, "element type complex64"),
        ({"data_location": 1}, "other files|another file"),
        ({"raw_data": np.full(6, 2**63, np.uint64).tobytes(), "data_type": TensorProto.UINT64}, "above 2"),
    ],
)
def test_a_weight_that_is_not_what_it_says_is_refused(fields: dict[str, Any], reason: str) -> None:
    load(source(_stored()))
    with pytest.raises(Refused, match=reason):
        load(source(_stored(**fields)))
