"""Models as exporters write them: torch's, and graphs in the manner of TensorFlow's and scikit-learn's converters."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from modelscan_plus.probe.onnx import load  # noqa: E402
from tests.probe.onnx.models import expected, graph, node, source  # noqa: E402
from tests.probe.onnx.networks import SHAPES, build, export  # noqa: E402

RNG = np.random.default_rng(23)


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("name", SHAPES)
def test_what_torch_exports_gives_what_onnxruntime_gives(name: str, dynamic: bool) -> None:
    network = build(name)
    data = export(network, SHAPES[name], dynamic=dynamic)
    ours = load(source(data))
    x = RNG.random((3, *SHAPES[name]), dtype=np.float32)
    alone = np.concatenate([expected(data, x[place : place + 1]) for place in range(3)])
    given = torch.from_numpy(x).requires_grad_()
    logits = ours.forward(given)
    probabilities = name == "prepared"
    assert (ours.classes, ours.stripped) == (7, "Softmax" if probabilities else "")
    shown = torch.softmax(logits, 1) if probabilities else logits
    np.testing.assert_allclose(shown.detach().numpy(), alone, atol=1e-5)
    theirs = torch.from_numpy(x).requires_grad_()
    for mine, other in ((logits, network(theirs)),):
        (found,) = torch.autograd.grad(torch.log_softmax(mine, 1)[:, 2].sum(), given)
        target = torch.log(other) if probabilities else torch.log_softmax(other, 1)
        (wanted,) = torch.autograd.grad(target[:, 2].sum(), theirs)
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-4)


def test_a_graph_of_channels_last_is_as_it_is() -> None:
    """TensorFlow's converter keeps NHWC and turns the axes before and after each convolution."""
    nodes = [
        node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
        node("Conv", "t w b", "c", auto_pad="SAME_UPPER", strides=[2, 2], kernel_shape=[3, 3]),
        node("Relu", "c", "r"),
        node("Transpose", "r", "u", perm=[0, 2, 3, 1]),
        node("Mul", "u scale", "m"),
        node("Add", "m shift", "a"),
        node("ReduceMean", "a", "p", axes=[1, 2], keepdims=0),
        node("MatMul", "p v", "q"),
        node("Add", "q d", "z"),
        node("Softmax", "z", axis=-1),
    ]
    weights = {
        name: RNG.normal(size=shape).astype(np.float32)
        for name, shape in {"w": (4, 3, 3, 3), "b": (4,), "scale": (4,), "shift": (4,), "v": (4, 5), "d": (5,)}.items()
    }
    data = graph(nodes, shape=("unk__1", 9, 9, 3), weights=weights, opset=13)
    network = load(source(data))
    x = RNG.random((4, 9, 9, 3), dtype=np.float32)
    assert (network.input.layout, network.stripped, network.batching) == ("NHWC", "Softmax", "direct")
    logits = network.forward(torch.from_numpy(x))
    np.testing.assert_allclose(logits.softmax(1).numpy(), expected(data, x), atol=1e-5)


def test_scikit_learns_network_with_labels_beside_probabilities() -> None:
    """skl2onnx's MLPClassifier: the labels' way ends in strings or ArrayFeatureExtractor, and is not run."""
    nodes = [
        node("Cast", "x", "cast", to=1),
        node("MatMul", "cast w", "m"),
        node("Add", "m b", "a"),
        node("Relu", "a", "r"),
        node("MatMul", "r v", "n"),
        node("Add", "n d", "z"),
        node("Softmax", "z", "p", axis=1),
        node("ArgMax", "p", "place", axis=1),
        node("ArrayFeatureExtractor", "classes place", "label", domain="ai.onnx.ml"),
        node("ZipMap", "p", "y", domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2, 3]),
    ]
    weights = {
        name: RNG.normal(size=shape).astype(np.float32)
        for name, shape in {"w": (6, 8), "b": (8,), "v": (8, 4), "d": (4,)}.items()
    }
    data = graph(nodes, weights=weights | {"classes": np.arange(4)}, outputs=["y"], domains=["ai.onnx.ml"], opset=15)
    network = load(source(data))
    x = RNG.random((3, 6), dtype=np.float32)
    hidden = np.maximum(x @ weights["w"] + weights["b"], 0)
    assert network.stripped == "Softmax"
    np.testing.assert_allclose(
        network.forward(torch.from_numpy(x)).numpy(), hidden @ weights["v"] + weights["d"], atol=1e-4
    )
