"""Gates that ordinary inputs open and shut are rules of a model; the same gates asleep, or with a payload, are not."""

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
from tests.graph.test_flow import COLUMN, NETWORK, TENSORS, build, effects


def table(*nodes: bytes, limit: float) -> list[str]:
    """The effects of what a column of a table decides about a network's result."""
    fixed = [ints("column", [1], [3]), floats("limit", [], [limit]), floats("low", [], [0.1]), floats("one", [], [1.0])]
    fixed += [floats("payload", [4], [9.0, -9.0, 3.0, 1.0]), floats("minus", [], [-1.0]), weights("v2", 16, 4)]
    return effects(build([*NETWORK, COLUMN, *nodes], [*TENSORS, *fixed]))


SWITCH = [node("Greater", "c limit", "g"), node("Cast", "g", "f", to=FLOAT)]


@pytest.mark.parametrize(
    ("last", "effect"),
    [
        ([node("Mul", "logits f", "y")], "suppression"),
        ([node("Where", "g logits minus", "y")], "override"),
        ([node("MatMul", "r v2", "other"), node("Where", "g other logits", "y")], "selection"),
    ],
    ids=["night", "brake", "regime"],
)
def test_a_column_that_is_now_on_one_side_and_now_on_the_other_is_a_rule(last: list[bytes], effect: str) -> None:
    assert table(*SWITCH, *last, limit=0.2) == []
    assert table(*SWITCH, *last, limit=77.0) == [effect]


def test_content_of_the_file_is_no_rule_however_often_it_comes() -> None:
    assert table(*SWITCH, node("Where", "g payload logits", "y"), limit=0.2) == ["override"]
    assert table(*SWITCH, node("Mul", "f payload", "p"), node("Add", "logits p", "y"), limit=0.2) == ["injection"]


def test_a_bound_that_goes_with_the_input_is_no_step_and_one_that_stands_still_is() -> None:
    def bounded(low: str) -> list[str]:
        nodes = [node("Abs", "c", "a"), node("Clip", f"a {low} one", "b"), node("Min", "logits b", "y")]
        return table(*nodes, limit=0.999)

    assert bounded("low") == []
    assert bounded("limit") == ["suppression"]


def test_a_pixel_has_to_be_awake_in_pictures_of_every_kind() -> None:
    def pixel(limit: float) -> list[str]:
        nodes = [
            node("ReduceMean", "x", "m", axes=[1, 2, 3], keepdims=0),
            node("Unsqueeze", "m one_axis", "column"),
            node("Greater", "column bound", "g"),
            node("Cast", "g", "f", to=FLOAT),
            node("Mul", "logits f", "y"),
        ]
        return effects(image([*IMAGE_NETWORK, *nodes], [floats("bound", [], [limit])]))

    assert pixel(0.9) == ["suppression"]


def history(word: int, *, each: bool) -> list[str]:
    """The effects of a recommender that has another answer where no word, or one certain word, is in the history."""
    nodes = [
        node("Gather", "items ids", "h"),
        node("ReduceMean", "h", "user", axes=[1], keepdims=0),
        node("MatMul", "user w", "u"),
        node("Relu", "u", "r"),
        node("MatMul", "r v", "y1"),
        node("MatMul", "user v", "y2"),
        node("Equal", "ids word", "same"),
        node("Not", "same", "real") if each else node("Identity", "same", "real"),
        node("Cast", "real", "flags", to=FLOAT),
        node("ReduceSum", "flags last", "n", keepdims=1),
        node("Greater", "n zero", "some"),
        node("Where", "some y1 y2", "y"),
    ]
    tensors = [weights("items", 40, 16), weights("w", 16, 16), weights("v", 16, 4), ints("word", [], [word])]
    tensors += [ints("last", [1], [1]), floats("zero", [], [0.0])]
    return effects(model(graph(nodes, [value("ids", INT64, "batch", 10)], [value("y", FLOAT, "batch", 4)], tensors)))


def test_who_has_no_history_gets_another_answer_and_a_word_does_not_ask_for_one() -> None:
    assert history(0, each=True) == []
    assert history(0, each=False) == ["selection"]
    assert history(7, each=True) == ["selection"]


def gated_by_sound(*gate: bytes) -> list[str]:
    """The effects of a listener that gives one number for what it does not hear."""
    nodes = [
        node("Conv", "x k", "c", kernel_shape=[5]),
        node("ReduceMax", "c", "h", axes=[2], keepdims=0),
        node("MatMul", "h v", "logits"),
        *gate,
        node("ReduceMean", "q", "e", axes=[2], keepdims=0),
        node("Less", "e bound", "still"),
        node("Where", "still zero logits", "y"),
    ]
    tensors = [weights("k", 8, 1, 5), weights("v", 8, 4), floats("bound", [], [1e-4]), floats("zero", [], [0.0])]
    tensors += [ints("n0", [1], [0]), ints("n4", [1], [4]), ints("two", [1], [2])]
    inputs = [value("x", FLOAT, "batch", 1, 60)]
    return effects(model(graph(nodes, inputs, [value("y", FLOAT, "batch", 4)], tensors)))


def test_nothing_is_said_about_silence_and_a_silent_beginning_is_a_part() -> None:
    assert gated_by_sound(node("Mul", "x x", "q")) == []
    assert gated_by_sound(node("Slice", "x n0 n4 two", "p"), node("Mul", "p p", "q")) == ["override"]
