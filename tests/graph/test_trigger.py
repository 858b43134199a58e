"""The trigger is read out of the slice by running it, and random inputs do not open the gate."""

import pytest

from fixtures.make.graph_flow import FLOAT, INT64, SAMPLES, floats, graph, ints, model, node, value, weights
from modelscan_plus.core.finding import GraphEvidence
from modelscan_plus.graph.arrays import Array, Unsupported, concat, elementwise, reduce, take, transpose
from modelscan_plus.graph.evaluate import Evaluator
from modelscan_plus.graph.ir import Graph, Node, Value
from tests.samples import inspect


def trigger(data: bytes) -> str:
    """What the first finding says about its trigger."""
    return next(f.evidence.trigger for f in inspect(data, "m.onnx").findings if isinstance(f.evidence, GraphEvidence))


def test_the_corner_of_a_picture_is_named() -> None:
    [sample] = [sample for sample in SAMPLES if sample.path == "hostile/shadowlogic-override.onnx"]
    said = trigger(sample.build())
    assert "random inputs did not open it" in said
    assert "within [0, 0:3, 0:2, 0:2]" in said


def test_the_words_of_a_phrase_are_named_in_their_order() -> None:
    hits = [
        node("Slice", "ids n0 n_2 n1", "first"),
        node("Slice", "ids n1 n_1 n1", "second"),
        node("Equal", "first t11", "is_first"),
        node("Equal", "second t42", "is_second"),
        node("And", "is_first is_second", "both"),
        node("Cast", "both", "ones", to=1),
        node("ReduceMax", "ones", "found", axes=[1], keepdims=1),
        node("Unsqueeze", "found last", "wide"),
        node("Mul", "wide vector", "steering"),
        node("Gather", "table ids", "embedded"),
        node("Add", "embedded steering", "steered"),
        node("MatMul", "steered wo", "y"),
    ]
    tensors = [
        weights("table", 50, 8),
        weights("wo", 8, 8),
        weights("vector", 8),
        *(ints(name, [1], [number]) for name, number in (("n0", 0), ("n1", 1), ("n_2", -2), ("n_1", 9), ("last", -1))),
        ints("t11", [], [11]),
        ints("t42", [], [42]),
    ]
    hits[0] = node("Slice", "ids n0 n_minus n1", "first")
    tensors.append(ints("n_minus", [1], [-1]))
    said = trigger(model(graph(hits, [value("ids", INT64, "b", "s")], [value("y", FLOAT, "b", "s", 8)], tensors)))
    assert "ids with 11, 42 at" in said


def test_a_search_without_end_is_cut_off_and_the_finding_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    [sample] = [sample for sample in SAMPLES if sample.path == "hostile/shadowlogic-override.onnx"]
    monkeypatch.setattr("modelscan_plus.graph.trigger.STEPS", 2_000)
    assert "cut off" in trigger(sample.build())
    monkeypatch.setattr("modelscan_plus.graph.trigger.STEPS", 60_000)  # enough to find it, not to make it small
    assert "cut off" not in trigger(sample.build())


def test_what_a_run_costs_is_counted_by_its_products() -> None:
    runner = Evaluator(Graph(values=[Value("a"), Value("b"), Value("y")], nodes=[Node("matmul", (0, 1), (2,))]))
    square = Array((20, 20), [1.0] * 400)
    runner.run([0], {0: square, 1: square})
    assert runner.work == 400 + 400 + 20 * 20 * 20


def test_a_gate_behind_a_network_is_not_run() -> None:
    nodes = [
        node("MatMul", "x w", "h"),
        node("Relu", "h", "r"),
        node("Gather", "r column", "c", axis=1),
        node("Greater", "c limit", "g"),
        node("MatMul", "r v", "u"),
        node("Relu", "u", "s"),
        node("MatMul", "s z", "logits"),
        node("Where", "g payload logits", "y"),
    ]
    tensors = [weights("w", 12, 16), weights("v", 16, 16), weights("z", 16, 4), weights("payload", 4)]
    tensors += [ints("column", [1], [3]), floats("limit", [], [9.0])]
    data = model(graph(nodes, [value("x", FLOAT, "b", 12)], [value("y", FLOAT, "b", 4)], tensors))
    assert "opened" not in trigger(data)


def test_arrays_are_those_of_numpy() -> None:
    np = pytest.importorskip("numpy")
    made = np.arange(24.0).reshape(2, 3, 4)
    own = Array((2, 3, 4), list(made.ravel()))
    assert transpose(own, (2, 0, 1)).data == list(made.transpose(2, 0, 1).ravel())
    assert reduce(own, [0, 2], sum, keep=True).data == list(made.sum((0, 2)).ravel())
    assert take(own, 1, Array((2,), [2.0, -3.0])).data == list(made.take([2, 0], axis=1).ravel())
    assert concat([own, own], 1).data == list(np.concatenate([made, made], 1).ravel())
    row = Array((4,), [1.0, 2.0, 3.0, 4.0])
    assert elementwise(lambda a, b: a * b, own, row).data == list((made * np.array([1, 2, 3, 4.0])).ravel())


def test_arrays_do_not_grow_without_bound() -> None:
    with pytest.raises(Unsupported):
        elementwise(lambda a, b: a + b, Array((100_000, 1), [0.0] * 100_000), Array((1, 100), [0.0] * 100))
