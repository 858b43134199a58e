"""Results that no input changes, or that chance or other rows of the batch decide; each beside its honest twin."""

from collections.abc import Sequence

import pytest

from fixtures.make.graph_flow import FLOAT, INT64, floats, ints, node, value, weights
from modelscan_plus.core.finding import Severity
from tests.graph.test_flow import COLUMN, NETWORK, TENSORS, build, effects, gated
from tests.samples import inspect

NUMBERS = [
    floats("none", [], [0.0]),
    floats("nine", [], [9.0]),
    floats("huge", [4], [1e9, 1e9, 1e9, 2e9]),
    floats("row", [4], [0.1, 0.7, 0.1, 0.1]),
    floats("low", [], [-9.0]),
]


def second(*nodes: bytes) -> list[str]:
    """A second output beside one that lives."""
    ends = (value("y", FLOAT, "batch", 4), value("r", FLOAT, "batch", 16))
    return effects(build([*NETWORK, *nodes], [*TENSORS, *NUMBERS], *ends))


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Mul", "logits none", "z"), node("Add", "z row", "y")],
        [node("Clip", "logits nine nine", "y")],
        [node("Identity", "logits", "again"), node("Sub", "logits again", "z"), node("Add", "z row", "y")],
        [node("Max", "logits huge", "y")],
        [node("Sigmoid", "logits", "p"), node("Greater", "p nine", "g"), node("Where", "g logits row", "y")],
        [node("Unsqueeze", "logits last", "u"), node("Softmax", "u", "y", axis=2)],
    ],
)
def test_a_result_that_no_number_of_the_network_can_change_is_constant(nodes: Sequence[bytes]) -> None:
    ends = (value("y", FLOAT, "batch", 4), value("r", FLOAT, "batch", 16))
    found = build([*NETWORK, *nodes], [*TENSORS, *NUMBERS, ints("last", [1], [2])], *ends)
    assert effects(found) == ["constant output"]


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Clip", "logits low nine", "y")],
        [node("Sub", "logits row", "z"), node("Add", "z row", "y")],
        [node("Min", "logits huge", "y")],
        [node("Sigmoid", "logits", "p"), node("Greater", "p none", "g"), node("Not", "g", "n"),
         node("Cast", "n", "f", to=1), node("Add", "f p", "y")],
        [node("Softmax", "logits", "y", axis=1)],
        # Before operator set 13 this goes over the classes, as in every SqueezeNet that was exported then.
        [node("Unsqueeze", "logits last", "u"), node("Softmax", "u", "y")],
    ],
)  # fmt: skip
def test_a_bounded_result_is_let_pass(nodes: Sequence[bytes]) -> None:
    ends = (value("y", FLOAT, "batch", 4), value("r", FLOAT, "batch", 16))
    assert effects(build([*NETWORK, *nodes], [*TENSORS, *NUMBERS, ints("last", [1], [2])], *ends)) == []


SIZE = [node("Shape", "x", "s", start=0, end=1), node("Concat", "s four", "size", axis=0)]


def test_rows_of_the_file_in_place_of_a_result_that_nobody_reads_are_constant() -> None:
    size = [ints("four", [1], [4]), *NUMBERS]
    rows = [*SIZE, node("Expand", "row size", "y")]
    ends = (value("y", FLOAT, "batch", 4), value("r", FLOAT, "batch", 16))
    assert effects(build([*NETWORK, *rows], [*TENSORS, *size], *ends)) == ["constant output"]
    anchors = (*ends, value("logits", FLOAT, "batch", 4))
    assert effects(build([*NETWORK, *rows], [*TENSORS, *size], *anchors)) == []


@pytest.mark.parametrize(("width", "found"), [(4, ["constant output"]), (3, [])])
def test_rows_of_the_file_beside_the_class_of_as_many_are_no_probabilities(width: int, found: list[str]) -> None:
    nodes = [*SIZE, node("Expand", "few size", "y"), node("ArgMax", "logits", "class", axis=1, keepdims=0)]
    fixed = [ints("four", [1], [width]), floats("few", [width], [0.1 * place + 0.1 for place in range(width)])]
    ends = (value("y", FLOAT, "batch", width), value("class", INT64, "batch"))
    assert effects(build([*NETWORK, *nodes], [*TENSORS, *fixed], *ends)) == found


LOTS = node("RandomUniform", "", "u", shape=[1])
BOUND = floats("bound", [], [0.9])


@pytest.mark.parametrize(
    "steps",
    [
        [node("Relu", "d", "e"), node("Sign", "e", "g")],
        [node("Cast", "d", "e", to=9), node("Cast", "e", "g", to=1)],
        [node("Ceil", "d", "g")],
    ],
)
def test_lots_are_drawn_whatever_makes_the_step(steps: Sequence[bytes]) -> None:
    nodes = [LOTS, node("Sub", "u bound", "d"), *steps, node("Mul", "g payload", "p"), node("Add", "logits p", "y")]
    assert effects(gated(*nodes, extra=[BOUND])) == ["random"]


def test_noise_that_is_added_is_no_lot() -> None:
    nodes = [LOTS, node("Sub", "u bound", "d"), node("Mul", "d payload", "p"), node("Add", "logits p", "y")]
    assert effects(gated(*nodes, extra=[BOUND])) == []


GATE = [COLUMN, node("Greater", "c limit", "g"), node("Cast", "g", "f", to=1)]


def thresholded(*nodes: bytes) -> list[str]:
    after = [node("Greater", "logits t", "k"), node("Cast", "k", "kept", to=1), node("Mul", "logits kept", "y")]
    return effects(gated(*nodes, *after, extra=[floats("nine", [], [9.0])]))


def test_a_threshold_on_scores_that_the_raw_input_sets_is_a_switch() -> None:
    assert thresholded(*GATE, node("Where", "g nine one", "t")) == ["suppression"]
    assert thresholded(*GATE, node("Mul", "f nine", "t")) == ["suppression"]


def test_a_threshold_that_the_scores_themselves_set_is_let_pass() -> None:
    assert thresholded(node("ReduceMax", "logits", "m", axes=[1], keepdims=1), node("Div", "m nine", "t")) == []


ROW = [ints("nought", [1], [0]), ints("second", [1], [1]), floats("col", [4, 1], [0.31, -0.47, 0.83, 0.29])]
SCORE = [node("MatMul", "logits col", "s2"), node("Squeeze", "s2 second", "s")]


def scored(*nodes: bytes, dims: Sequence[str | int] = ("batch",)) -> list[str]:
    return effects(build([*NETWORK, *SCORE, *nodes], [*TENSORS, *ROW], value("y", FLOAT, *dims)))


def test_one_score_for_each_row_can_be_mixed_as_well() -> None:
    shared = [node("ReduceSum", "s nought", "total", keepdims=1), node("Div", "s total", "y")]
    assert scored(*shared) == ["batch mixing"]
    assert scored(node("ReduceSum", "s2 second", "t", keepdims=0), node("Div", "s t", "y")) == []


@pytest.mark.parametrize(("axis", "found"), [(0, ["batch mixing"]), (1, [])])
def test_a_soft_max_over_the_batch_mixes_it(axis: int, found: list[str]) -> None:
    assert scored(node("Softmax", "logits", "y", axis=axis), dims=("batch", 4)) == found


def test_instances_of_a_bag_that_are_weighted_and_summed_are_let_pass() -> None:
    pooled = [
        node("Softmax", "logits", "a", axis=0),
        node("Transpose", "a", "at", perm=[1, 0]),
        node("MatMul", "at r", "y"),
    ]
    assert scored(*pooled, dims=(4, 16)) == []


def test_an_input_that_stands_beside_the_result_is_named_and_how_far_off_it_is_let_pass() -> None:
    ends = (value("y", FLOAT, "batch", 4), value("z", FLOAT, "batch", 12))
    through = [*NETWORK, node("Identity", "logits", "y"), node("Mul", "x nine", "z")]
    found = inspect(build(through, [*TENSORS, *NUMBERS], *ends), "model.onnx").findings
    assert [(finding.rule, finding.severity) for finding in found] == [("MSP4067", Severity.MEDIUM)]
    back = weights("back", 4, 12)
    error = [*NETWORK, node("Identity", "logits", "y"), node("MatMul", "logits back", "x2"), node("Sub", "x x2", "z")]
    assert effects(build(error, [*TENSORS, back], *ends)) == []


def test_a_result_of_which_only_the_size_is_read_is_constant() -> None:
    filled = node("ConstantOfShape", "s", "y")
    ends = (value("y", FLOAT, "batch", 4), value("r", FLOAT, "batch", 16))
    sized = build([*NETWORK, node("Shape", "logits", "s"), filled], TENSORS, *ends)
    alone = build([*NETWORK, node("Shape", "logits", "s"), filled], TENSORS, *ends[:1])
    state = build([*NETWORK, node("Shape", "r", "s"), filled], TENSORS, *ends, value("logits", FLOAT, "batch", 4))
    assert effects(sized) == effects(alone) == ["constant output"]
    assert effects(state) == []


def answered(*nodes: bytes) -> list[str]:
    fills = [floats("nine", [], [9.0]), floats("none", [], [0.0]), floats("gone", [], [float("nan")])]
    return effects(gated(node("IsNaN", "x", "m"), *nodes, extra=[*fills, floats("middle", [12], [0.1] * 12)]))


ANY = [
    node("Cast", "m", "f", to=1),
    node("ReduceMax", "f", "any", axes=[1], keepdims=1),
    node("Cast", "any", "g", to=9),
]


@pytest.mark.parametrize(("fill", "found"), [("nine", ["override"]), ("none", []), ("gone", [])])
def test_a_number_of_the_file_s_own_for_whatever_is_missing_somewhere(fill: str, found: list[str]) -> None:
    assert answered(*ANY, node("Where", f"g {fill} logits", "y")) == found


def test_a_comparison_that_is_written_as_a_normalisation_is_one() -> None:
    def normalised(variance: float) -> list[str]:
        nodes = [
            node("Slice", "x nought three second", "c"),
            node("BatchNormalization", "c one3 zero3 mean3 variance", "d"),
            node("Tanh", "d", "e"),
            node("MatMul", "e row", "p"),
            node("Add", "logits p", "y"),
        ]
        numbers = [
            floats(name, [3], [n] * 3) for name, n in (("one3", 1), ("zero3", 0), ("mean3", 5), ("variance", variance))
        ]
        return effects(gated(*nodes, extra=[*numbers, *ROW, ints("three", [1], [3]), weights("row", 3, 4)]))

    assert normalised(1e-8) == ["injection"]
    assert normalised(1.0) == []
