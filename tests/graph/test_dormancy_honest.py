"""Which sleeping parts the named predicates speak for, each with one that they do not."""

import pytest

from fixtures.make.graph_flow import FLOAT, floats, graph, model, node, value, weights
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.formats.graphs.onnx.format import OnnxFormat
from modelscan_plus.graph.analyse import analyse
from modelscan_plus.graph.onnx import lower

pytest.importorskip("onnxruntime", reason="running models needs onnxruntime")

GATE = [node("Sub", "from limit", "far"), node("Relu", "far", "open"), node("Mul", "open payload", "extra")]


def spoken_for(*nodes: bytes, limit: float = 1e4, low: float = 0.0) -> set[str]:
    """The predicates that speak for what sleeps in a network of two layers with these nodes behind it."""
    from modelscan_plus.engines.dormancy import honest
    from modelscan_plus.engines.dormancy.quiet import sleepers
    from modelscan_plus.engines.dormancy.runner import Model

    network = [node("MatMul", "x w", "h"), node("Relu", "h", "r"), node("MatMul", "r v", "logits")]
    made = model(
        graph(
            [*network, *nodes],
            [value("x", FLOAT, "batch", 12), value("t", FLOAT, 1)],
            [value("y", FLOAT, "batch", 4)],
            [
                weights("w", 12, 16),
                weights("v", 16, 4),
                floats("limit", [], [limit]),
                floats("low", [], [low]),
                floats("payload", [4], [-9, 12, -9, -9]),
            ],
        )
    )
    parsed = OnnxFormat().parse(Artifact("model.onnx", BytesSource(made)), Budget(Limits()))
    facts = next(fact for one in parsed for fact in one.facts if isinstance(fact, OnnxFacts))
    running = Model(analyse(lower(facts.model)), made)
    asleep, _ = sleepers(running)
    assert asleep
    return {speaks.__name__ for one in asleep for speaks in honest.PREDICATES if speaks(running, one)}


def gated_by(source: str, *before: bytes) -> set[str]:
    return spoken_for(*before, node("Identity", source, "from"), *GATE, node("Add", "logits extra", "y"))


def test_a_threshold_on_what_the_network_found_is_its_own_and_one_on_the_input_is_not() -> None:
    assert gated_by("most", node("ReduceMax", "logits", "most", axes=[1])) == {"own_result"}
    assert gated_by("most", node("ReduceMax", "x", "most", axes=[1])) == set()


def test_what_the_caller_sets_is_a_control() -> None:
    assert gated_by("t") == {"control"}


def test_a_very_small_number_bans_and_a_large_one_does_not() -> None:
    def chosen(low: float) -> set[str]:
        return spoken_for(
            node("ReduceMax", "x", "most", axes=[1]),
            node("Greater", "most limit", "beyond"),
            node("Where", "beyond low logits", "y"),
            low=low,
        )

    assert chosen(-1e9) == {"bans"}
    assert chosen(50.0) == set()
