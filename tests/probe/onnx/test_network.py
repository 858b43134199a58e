"""Whole classifiers: what is taken for input, classes and logits, and how batches run."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from modelscan_plus.probe.onnx import NetworkLimits, Refused, load  # noqa: E402
from tests.probe.onnx.models import expected, graph, node, source  # noqa: E402

RNG = np.random.default_rng(5)


def _weights(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def _cnn(*, batch: int | str = "n", last: str = "Softmax", flat: int = 0, opset: int = 20) -> bytes:
    nodes = [
        node("Conv", "x w b", "c", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "c scale shift mean variance", "n1"),
        node("Relu", "n1", "r"),
        node("GlobalAveragePool", "r", "p"),
        node("Reshape", "p to", "f"),
        node("Gemm", "f v d", "logits", transB=1),
    ]
    if last:
        nodes.append(node(last, "logits"))
    weights = {
        "w": _weights(8, 3, 3, 3),
        "b": _weights(8),
        "scale": _weights(8),
        "shift": _weights(8),
        "mean": _weights(8),
        "variance": np.abs(_weights(8)) + 0.1,
        "to": np.array([flat, -1] if flat else [0, -1]),
        "v": _weights(5, 8),
        "d": _weights(5),
    }
    return graph(nodes, shape=(batch, 3, 8, 8), weights=weights, outputs=["y" if last else "logits"], opset=opset)


def _images(count: int) -> np.ndarray:
    return RNG.random((count, 3, 8, 8), dtype=np.float32)


def test_a_network_gives_logits_and_says_what_it_takes() -> None:
    data = _cnn()
    network = load(source(data))
    x = _images(3)
    assert network.input.shape == (None, 3, 8, 8)
    assert (network.input.name, network.input.kind, network.input.layout) == ("x", "image", "NCHW")
    assert (network.classes, network.activations, network.stripped) == (5, "probabilities", "Softmax")
    logits = network.forward(torch.from_numpy(x))
    np.testing.assert_allclose(logits.softmax(-1).numpy(), expected(data, x), atol=1e-5)
    assert float(logits.sum(-1).abs().max()) > 1e-3, "probabilities would sum to 1, log-probabilities be negative"


def test_gradients_reach_the_input_and_agree_with_differences() -> None:
    network = load(source(_cnn(last="")))
    x = torch.from_numpy(_images(2)).requires_grad_()
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad(network.forward(x)[:, 2].sum(), x)
    step = 1e-2
    ahead, behind = (network.forward(x.detach() + sign * step * direction)[:, 2].sum() for sign in (1, -1))
    measured = float(ahead - behind) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(measured, rel=2e-2)


def test_no_weight_wants_a_gradient() -> None:
    network = load(source(_cnn()))
    assert not network.forward(torch.from_numpy(_images(2))).requires_grad


@pytest.mark.parametrize(
    ("batch", "flat", "way"), [("n", 0, "direct"), (1, 0, "direct"), (1, 1, "mapped"), ("n", 1, "mapped")]
)
def test_a_batch_gives_what_its_samples_give_alone(batch: int | str, flat: int, way: str) -> None:
    data = _cnn(batch=batch, flat=flat)
    network = load(source(data))
    x = _images(5)
    assert network.batching == way
    alone = np.concatenate([expected(data, x[place : place + 1]) for place in range(5)])
    together = network.forward(torch.from_numpy(x).requires_grad_())
    np.testing.assert_allclose(together.softmax(-1).detach().numpy(), alone, atol=1e-5)
    assert together.requires_grad


def test_samples_that_a_graph_would_mix_are_kept_apart() -> None:
    mix = [node("ReduceMean", "x axes", "m", keepdims=1), node("Sub", "x m", "c"), node("MatMul", "c w", "y")]
    data = graph(mix, weights={"axes": np.array([0]), "w": _weights(6, 4)})
    network = load(source(data))
    x = RNG.random((4, 6), dtype=np.float32)
    alone = np.concatenate([expected(data, x[place : place + 1]) for place in range(4)])
    np.testing.assert_allclose(network.forward(torch.from_numpy(x)).numpy(), alone, atol=1e-5)
    assert network.batching == "mapped"


def test_one_number_behind_a_sigmoid_stands_for_two_classes() -> None:
    data = graph([node("Gemm", "x w", "z"), node("Sigmoid", "z")], weights={"w": _weights(6, 1)})
    network = load(source(data))
    x = RNG.random((3, 6), dtype=np.float32)
    assert (network.classes, network.input.kind) == (2, "tabular")
    np.testing.assert_allclose(
        network.forward(torch.from_numpy(x)).softmax(-1)[:, 1:].numpy(), expected(data, x), atol=1e-5
    )


def test_probabilities_that_cannot_be_undone_become_logarithms() -> None:
    nodes = [node("Gemm", "x w", "z"), node("Softmax", "z", "p"), node("Mul", "p one", "y")]
    data = graph(nodes, weights={"w": _weights(6, 4), "one": np.float32(1)})
    network = load(source(data))
    x = RNG.random((3, 6), dtype=np.float32)
    assert (network.activations, network.stripped) == ("probabilities", "")
    np.testing.assert_allclose(network.forward(torch.from_numpy(x)).exp().numpy(), expected(data, x), atol=1e-5)


def test_a_size_that_the_file_leaves_open_comes_from_samples() -> None:
    nodes = [node("GlobalAveragePool", "x", "p"), node("Flatten", "p", "f"), node("MatMul", "f w", "y")]
    data = graph(nodes, shape=("n", 3, "h", "w"), weights={"w": _weights(3, 4)})
    with pytest.raises(Refused, match="leaves the size of the input open"):
        load(source(data))
    assert load(source(data), shape=(3, 9, 7)).input.sample == (3, 9, 7)
    with pytest.raises(Refused, match="samples of shape"):
        load(source(data), shape=(1, 9, 7))


@pytest.mark.parametrize(
    ("shape", "layout"), [((3, 8, 8), "NCHW"), ((8, 8, 3), "NHWC"), ((8, 8), "NHW"), ((6,), "NF"), ((2, 8, 8), "NCHW")]
)
def test_layouts(shape: tuple[int, ...], layout: str) -> None:
    size = int(np.prod(shape))
    data = graph(
        [node("Flatten", "x", "f"), node("MatMul", "f w", "y")], shape=("n", *shape), weights={"w": _weights(size, 4)}
    )
    assert load(source(data)).input.layout == layout


def test_several_outputs_are_told_apart_by_name_or_by_the_user() -> None:
    nodes = [node("MatMul", "x w", "logits"), node("MatMul", "x v", "features")]
    weights = {"w": _weights(6, 4), "v": _weights(6, 9)}
    assert load(source(graph(nodes, weights=weights, outputs=["features", "logits"]))).classes == 4
    nodes = [node("MatMul", "x w", "a"), node("MatMul", "x v", "b")]
    data = graph(nodes, weights=weights, outputs=["a", "b"])
    with pytest.raises(Refused, match="several outputs"):
        load(source(data))
    assert load(source(data), output="b").classes == 9


def test_a_batch_beyond_the_bound_is_refused_before_anything_is_made() -> None:
    network = load(source(_cnn()), NetworkLimits(batch=10_000))
    assert 0 < network.largest_batch < 50
    with pytest.raises(Refused, match="at most"):
        network.forward(torch.zeros(network.largest_batch + 1, 3, 8, 8))


def test_a_graph_that_insists_on_its_batch_gets_it() -> None:
    """`x.view(x.size(0), -1)`, exported with four samples and without an open batch."""
    data = _cnn(batch=4, flat=4)
    network = load(source(data))
    x = _images(6)
    both = [expected(data, x[:4]), expected(data, np.concatenate([x[4:], x[4:]]))[:2]]
    given = torch.from_numpy(x).requires_grad_()
    logits = network.forward(given)
    assert (network.classes, network.batching) == (5, "looped")
    np.testing.assert_allclose(logits.softmax(-1).detach().numpy(), np.concatenate(both), atol=1e-5)
    assert network.forward(given[:1]).shape == (1, 5)
    (gradient,) = torch.autograd.grad(logits[5, 2], given)
    assert [bool(part.abs().sum() > 0) for part in gradient] == [False] * 5 + [True]


def test_a_graph_that_insists_on_its_batch_and_mixes_it_is_refused() -> None:
    nodes = [
        node("Reshape", "x to", "r"),
        node("ReduceMean", "r axes", "m"),
        node("Sub", "r m", "c"),
        node("MatMul", "c w"),
    ]
    weights = {"to": np.array([4, 6]), "axes": np.array([0]), "w": _weights(6, 5)}
    with pytest.raises(Refused, match="made for 4 samples at once and mixes them"):
        load(source(graph(nodes, shape=(4, 6), weights=weights)))
    del nodes[1:3]
    nodes[1] = node("MatMul", "r w")
    assert load(source(graph(nodes, shape=(4, 6), weights=weights))).classes == 5
