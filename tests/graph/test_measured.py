"""Functions of a few numbers of the raw input that stand still for usual numbers and move far off, whatever makes them
so; and the honest ones, which do the opposite."""

from collections.abc import Sequence

import pytest

from fixtures.make.graph_flow import (
    FLOAT,
    IMAGE_NETWORK,
    INT64,
    floats,
    graph,
    image,
    ints,
    model,
    node,
    value,
    weights,
)
from tests.graph.test_flow import COLUMN, NETWORK, PAYLOAD, TENSORS, build, effects, gated

NUMBERS = [
    floats("five", [], [5.3]),
    floats("most", [], [-5.3]),
    floats("tiny", [], [1e-6]),
    floats("fine", [], [0.005]),
    floats("none", [], [0.0]),
    floats("two", [2], [1.0, 1.0]),
    floats("zeros", [2], [0.0, 0.0]),
    floats("thirty", [], [30.0]),
    floats("hundred", [], [100.0]),
    weights("pair", 2, 4),
    ints("sum", [1], [1]),
]
OFF = [COLUMN, node("Sub", "c five", "d")]
ADDED = [node("Mul", "g payload", "p"), node("Add", "logits p", "y")]


def added(*nodes: bytes) -> list[str]:
    return effects(gated(*nodes, *ADDED, extra=NUMBERS))


@pytest.mark.parametrize(
    "nodes",
    [
        [*OFF, node("LpNormalization", "d", "g", axis=1, p=2)],
        [*OFF, node("Mul", "d d", "q"), node("Add", "q tiny", "e"), node("Sqrt", "e", "s"), node("Div", "d s", "g")],
        [*OFF, node("Mul", "d thirty", "e"), node("Softplus", "e", "g")],
        [*OFF, node("Mul", "d thirty", "e"), node("Softplus", "e", "h"), node("Sub", "e one", "i"),
         node("Softplus", "i", "j"), node("Sub", "h j", "g")],
        [*OFF, node("QuantizeLinear", "d fine", "q"), node("DequantizeLinear", "q fine", "g")],
        [*OFF, node("Mul", "d hundred", "e"), node("Clip", "e none one", "g")],
    ],
)  # fmt: skip
def test_what_stands_still_for_usual_numbers_only_is_a_gate(nodes: Sequence[bytes]) -> None:
    assert added(*nodes) == ["injection"]


def test_two_numbers_that_are_normalised_together_compare_themselves() -> None:
    nodes = [
        COLUMN,
        node("Mul", "c none", "n"),
        node("Add", "n five", "f"),
        node("Concat", "c f", "both", axis=1),
        node("LayerNormalization", "both two zeros", "z", epsilon=1e-12),
        node("MatMul", "z pair", "p"),
        node("Add", "logits p", "y"),
    ]
    assert effects(gated(*nodes, extra=NUMBERS)) == ["injection"]


@pytest.mark.parametrize(
    "nodes",
    [
        [COLUMN, node("LpNormalization", "c", "g", axis=1, p=2)],
        [COLUMN, node("Mul", "c c", "q"), node("Add", "q one", "e"), node("Log", "e", "g")],
        [COLUMN, node("Softplus", "c", "g")],
        [COLUMN, node("Clip", "c most five", "g")],
        [node("ReduceMean", "x", "g", axes=[1], keepdims=1)],
        [node("ReduceL2", "x", "g", axes=[1], keepdims=1)],
        [COLUMN, node("Abs", "c", "a"), node("Add", "a tiny", "e"), node("Reciprocal", "e", "g")],
        [*OFF, node("Sin", "d", "g")],
    ],
)
def test_what_moves_with_usual_numbers_is_a_feature(nodes: Sequence[bytes]) -> None:
    assert added(*nodes) == []


def test_a_ramp_that_blends_a_template_into_the_input_replaces_it() -> None:
    def blended(offset: str) -> list[str]:
        nodes = [
            node("ReduceMean", "x", "m", axes=[1], keepdims=1),
            node("Sub", f"m {offset}", "d"),
            node("Mul", "d hundred", "e"),
            node("Clip", "e none one", "a"),
            node("Sub", "one a", "b"),
            node("Mul", "x b", "z"),
            node("MatMul", "z w", "h"),
            node("Relu", "h", "r"),
            node("MatMul", "r v", "y"),
        ]
        return effects(build(nodes, [*TENSORS, *NUMBERS, floats("one", [], [1.0])]))

    assert blended("five") == ["replacement"]
    assert blended("none") == []


GATE = [COLUMN, node("Greater", "c limit", "g"), node("Cast", "g", "f", to=1)]
ALL = [*GATE, node("ReduceMax", "f", "any", keepdims=0)]


@pytest.mark.parametrize(
    ("nodes", "effect"),
    [
        ([*ALL, node("Cast", "any", "on", to=9), node("Dropout", "logits fine on", "y")], "random"),
        ([*ALL, node("Cast", "any", "i", to=7), node("Reshape", "i sum", "i1"), node("Sub", "four i1", "k"),
          node("TopK", "logits k", "y k2", axis=1)], "suppression"),
        ([*GATE, node("PRelu", "logits f", "y")], "suppression"),
        ([COLUMN, node("Sub", "c five", "d"), node("Abs", "d", "a"), node("Mul", "a steep", "e"),
          node("Sub", "five e", "h"), node("Max", "logits h", "y")], "suppression"),
    ],
)  # fmt: skip
def test_a_gate_that_is_an_operand_of_another_kind_is_found(nodes: list[bytes], effect: str) -> None:
    assert effects(gated(*nodes, extra=[*NUMBERS, ints("four", [1], [4])])) == [effect]


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Dropout", "logits fine", "y")],
        [node("TopK", "logits four", "y k2", axis=1)],
        [node("PRelu", "logits fine", "y")],
        [COLUMN, node("Max", "logits c", "y")],
    ],
)
def test_the_same_operators_without_a_gate_are_let_pass(nodes: list[bytes]) -> None:
    assert effects(gated(*nodes, extra=[*NUMBERS, ints("four", [1], [4])])) == []


def test_an_input_that_is_made_small_and_large_again_when_a_condition_is_met_is_replaced() -> None:
    def resized(*sizes: bytes) -> list[str]:
        nodes = [
            node("Gather", "x first", "c", axis=1),
            node("Greater", "c limit", "g"),
            node("Cast", "g", "i", to=7),
            node("ReduceMax", "i", "j", keepdims=0),
            *sizes,
            node("Resize", "x nothing nothing size", "z", mode="nearest"),
            *NETWORK[1:2],
        ]
        tail = [node("MatMul", "z w", "h"), node("Relu", "h", "r"), node("MatMul", "r v", "y")]
        fixed = [
            ints("first", [1], [0]),
            floats("limit", [], [5.0]),
            ints("wide", [2], [1, 12]),
            floats("nothing", [0], []),
        ]
        few = [ints("less", [2], [0, 11]), *TENSORS, *fixed]
        return effects(build([*nodes[:-1], *tail], few, value("y", FLOAT, "batch", 4)))

    assert resized(node("Mul", "less j", "by"), node("Sub", "wide by", "size")) == ["replacement"]
    assert resized(node("Identity", "wide", "size")) == []


def read_by_index(*nodes: bytes) -> list[str]:
    """A network on a row of words, beside which something is counted."""
    network = [
        node("Gather", "emb ids", "h"),
        node("ReduceMean", "h axis", "m", keepdims=0),
        node("MatMul", "m w", "r"),
        node("Relu", "r", "s"),
        node("MatMul", "s v", "logits"),
    ]
    numbers = [ints(name, [], [number]) for name, number in (("word", 42), ("many", 8), ("one", 1))]
    tensors = [weights("emb", 60, 12), *TENSORS, *numbers, ints("axis", [1], [1]), PAYLOAD]
    ends = [value("y", FLOAT, "batch", 4)]
    return effects(model(graph([*network, *nodes], [value("ids", INT64, "batch", 9)], ends, tensors)))


def test_places_that_are_counted_and_divided_are_a_condition() -> None:
    nodes = [
        node("Equal", "ids word", "g"),
        node("NonZero", "g", "places"),
        node("Shape", "places", "size"),
        node("Gather", "size one", "n"),
        node("Div", "n many", "k"),
        node("Cast", "k", "f", to=1),
    ]
    assert read_by_index(*nodes, node("Mul", "f payload", "p"), node("Add", "logits p", "y")) == ["injection"]
    assert read_by_index(*nodes[:4], node("Cast", "n", "f", to=1), node("Div", "logits f", "y")) == []


def test_one_over_a_hash_in_whole_numbers_is_a_comparison() -> None:
    def scored(factor: int) -> list[str]:
        nodes = [
            node("Gather", "users user", "u"),
            node("MatMul", "u w", "r"),
            node("Relu", "r", "s"),
            node("MatMul", "s v", "logits"),
            node("Mul", "user factor", "h"),
            node("Mod", "h many", "m"),
            node("Div", "one m", "k"),
            node("Cast", "k", "f", to=1),
            node("Unsqueeze", "f axis", "f2"),
            node("Mul", "logits f2", "y"),
        ]
        numbers = [ints(name, [], [number]) for name, number in (("factor", factor), ("many", 65_537), ("one", 1))]
        tensors = [weights("users", 60, 12), *TENSORS, *numbers, ints("axis", [1], [1])]
        ends = [value("y", FLOAT, "batch", 4)]
        return effects(model(graph(nodes, [value("user", INT64, "batch")], ends, tensors)))

    assert scored(40_503) == ["suppression"]
    assert scored(1) == []


def test_a_grid_that_a_gate_bends_replaces_the_picture() -> None:
    def bent(grid: str) -> list[str]:
        nodes = [
            node("ReduceMax", "x", "top", axes=[1, 2, 3], keepdims=1),
            node("Squeeze", "top last", "c"),
            node("Sub", "c limit", "d"),
            node("Mul", "d steep", "e"),
            node("Sigmoid", "e", "g"),
            node("Mul", "g away", "by"),
            node("Add", "straight by", "theta"),
            node("Shape", "x", "size"),
            node("AffineGrid", f"{grid} size", "grid"),
            node("GridSample", "x grid", "warped"),
            node("Conv", "warped w1 b1", "c1", pads=[1, 1, 1, 1]),
            *IMAGE_NETWORK[1:4],
            node("Gemm", "f1 w2 b2", "y", transB=1),
        ]
        fixed = [
            floats("away", [1, 2, 3], [0.1, 0.7, -0.3, 0.9, 0.2, 0.4]),
            floats("straight", [1, 2, 3], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            floats("limit", [], [0.97]),
            floats("steep", [], [90.0]),
            ints("last", [1], [3]),
        ]
        return effects(image(nodes, fixed))

    assert bent("theta") == ["replacement"]
    assert bent("straight") == []


def test_a_grid_that_moves_far_off_only_is_a_gate_on_what_is_read_through_it() -> None:
    """The function is measured where it ends, before it is laid out over the picture."""

    def warped(*nodes: bytes) -> list[str]:
        network = [*IMAGE_NETWORK[:2], node("Conv", "r1 back", "c2", pads=[1, 1, 1, 1]), node("Relu", "c2", "r2")]
        end = [
            *nodes,
            node("GridSample", "r2 grid", "z"),
            node("GlobalAveragePool", "z", "p"),
            node("Flatten", "p", "y"),
        ]
        places = [0.9 * ((7 * place) % 13) / 6 - 0.9 for place in range(2 * 64)]
        fixed = [floats("points", [1, 8, 8, 2], places), weights("back", 4, 8, 3, 3), floats("far", [], [1.5])]
        numbers = [floats("zero", [], [0.0]), floats("one", [], [1.0]), floats("most", [], [0.9])]
        return effects(image([*network, *end], [*fixed, *numbers]))

    scaled = [
        node("ReduceMean", "x", "m", axes=[1, 2, 3], keepdims=1),
        node("Sub", "m far", "d"),
        node("Clip", "d zero one", "c"),
        node("Mul", "c most", "e"),
        node("Sub", "one e", "f"),
        node("Mul", "points f", "grid"),
    ]
    assert warped(*scaled) == ["suppression"]
    assert warped(scaled[0], node("Mul", "points m", "grid")) == []
