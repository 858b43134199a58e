"""Side branches that sleep are found by running them; what changes, scales or guards is let pass."""

from collections.abc import Sequence

import pytest

from fixtures.make.graph_flow import FLOAT, INT64, floats, graph, ints, model, node, value, weights
from tests.graph.test_flow import NETWORK, TENSORS, build, effects

BRANCH = [node("Gemm", "x a b", "u"), node("Relu", "u", "s"), node("MatMul", "s c", "p"), node("Add", "logits p", "y")]


def beside(nodes: Sequence[bytes], bias: float, *more: bytes) -> list[str]:
    """The effects of a network with a layer of six units beside it."""
    shift = floats("b", [6], [bias + 0.01 * place for place in range(6)])
    return effects(build([*NETWORK, *nodes], [*TENSORS, weights("a", 12, 6), weights("c", 6, 4), shift, *more]))


def test_a_layer_whose_units_never_answer_is_a_detector() -> None:
    assert beside(BRANCH, -60.0) == ["injection"]
    assert beside(BRANCH, 0.0) == []


def test_a_branch_is_dead_only_where_no_input_at_all_can_wake_it() -> None:
    """A search that wakes nothing proves nothing: inputs may be as large as floats are."""
    assert beside(BRANCH, -1e9) == ["injection"]
    bounded = [BRANCH[0], node("Sigmoid", "u", "q"), node("Add", "q down", "d"), node("Relu", "d", "s"), *BRANCH[2:]]
    assert beside(bounded, 0.0, floats("down", [], [-2.0])) == []
    assert beside(bounded, -60.0, floats("down", [], [-0.5])) == ["injection"]


def test_a_peak_around_one_place_is_a_detector_and_a_broad_one_is_a_feature() -> None:
    nodes = [
        node("MatMul", "x a", "u"),
        node("Sub", "u far", "d"),
        node("Mul", "d d", "q"),
        node("ReduceSum", "q ax", "r", keepdims=1),
        node("Mul", "r slope", "e"),
        node("Exp", "e", "k"),
        node("MatMul", "k one", "p"),
        node("Add", "logits p", "y"),
    ]
    row = weights("one", 1, 4)
    near = [ints("ax", [1], [1]), floats("slope", [], [-0.01]), floats("far", [6], [0.1] * 6), row]
    far = [ints("ax", [1], [1]), floats("slope", [], [-6.0]), floats("far", [6], [40.0] * 6), row]
    assert beside(nodes, 0.0, *near) == []
    assert beside(nodes, 0.0, *far) == ["injection"]


def test_a_small_scale_is_no_sleep() -> None:
    """As ConvNeXt begins its training."""
    tiny = floats("tiny", [4], [1e-6] * 4)
    nodes = [*BRANCH[:3], node("Mul", "p tiny", "q"), node("Add", "logits q", "y")]
    assert beside(nodes, 0.0, tiny) == []
    assert beside(nodes, -60.0, tiny) == ["injection"]


def test_what_the_network_itself_answers_is_no_branch() -> None:
    nodes = [
        node("Relu", "r", "r2"),
        node("Gemm", "r2 d b4", "u"),
        node("Relu", "u", "s"),
        node("Add", "logits s", "y"),
    ]
    assert beside(nodes, 0.0, weights("d", 16, 4), floats("b4", [4], [-900.0] * 4)) == []


def test_what_an_empty_input_wakes_is_a_guard() -> None:
    nodes = [
        node("Abs", "x", "m"),
        node("ReduceSum", "m ax", "t", keepdims=1),
        node("Gemm", "t d b1", "u"),
        node("Relu", "u", "s"),
        node("MatMul", "s e", "p"),
        node("Add", "logits p", "y"),
    ]
    fixed = [ints("ax", [1], [1]), floats("d", [1, 5], [-7.13, -6.1, -8.3, -5.7, -9.9]), weights("e", 5, 4)]
    assert beside(nodes, 0.0, *fixed, floats("b1", [5], [1.0, 1.1, 0.9, 1.2, 0.7])) == []
    silent = [node("Neg", "m", "n"), node("ReduceSum", "n ax", "t", keepdims=1)]
    loud = [nodes[0], *silent, *nodes[2:]]
    assert beside(loud, 0.0, *fixed, floats("b1", [5], [-9e3, -9.1e3, -9.2e3, -9e3, -8e3])) == ["injection"]


def words(table: bytes, *nodes: bytes) -> list[str]:
    """A network on token ids, with a second table beside it."""
    network = [
        node("Gather", "emb ids", "h"),
        node("ReduceMean", "h ax", "m", keepdims=0),
        node("MatMul", "m w", "r"),
        node("Relu", "r", "t"),
        node("MatMul", "t v", "logits"),
    ]
    tensors = [weights("emb", 60, 12), *TENSORS, ints("ax", [1], [1]), table, weights("c", 5, 4)]
    inputs = [value("ids", INT64, "batch", 9)]
    return effects(model(graph([*network, *nodes], inputs, [value("y", FLOAT, "batch", 4)], tensors)))


@pytest.mark.parametrize(("count", "found"), [(1, ["injection"]), (9, [])])
def test_units_that_wait_for_listed_words_sleep_and_counts_of_usual_words_do_not(count: int, found: list[str]) -> None:
    pool = [7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]
    tokens = pool if count == 1 else list(range(4, 60))
    size = 4 if count == 1 else 1
    runs = len(tokens) // size
    attributes: dict[str, int | str | list[int]] = {
        "mode": "TF",
        "min_gram_length": size,
        "max_gram_length": size,
        "max_skip_count": 0,
        "ngram_counts": [0] * size,
        "ngram_indexes": list(range(runs)),
        "pool_int64s": tokens,
    }
    nodes = [
        node("TfIdfVectorizer", "ids", "f", **attributes),  # type: ignore[arg-type]
        node("MatMul", "f grams", "p"),
        node("Add", "logits p", "y"),
    ]
    assert words(weights("grams", runs, 4), *nodes) == found


def masked(*nodes: bytes) -> list[str]:
    """Attention over words, with a mask that the caller gives and what is done with it."""
    network = [
        node("Gather", "emb ids", "h"),
        node("MatMul", "h q", "hq"),
        node("Transpose", "h", "ht", perm=[0, 2, 1]),
        node("MatMul", "hq ht", "scores"),
        node("Cast", "used", "f", to=1),
        node("Unsqueeze", "f ax", "f3"),
        node("Sub", "one f3", "off"),
        node("Mul", "off low", "bias"),
        node("Add", "scores bias", "shifted"),
        node("Softmax", "shifted", "p", axis=-1),
        node("MatMul", "p h", "y"),
    ]
    tensors = [
        weights("emb", 60, 12), weights("q", 12, 12), ints("ax", [1], [1]), floats("one", [], [1.0]),
        floats("low", [], [-1e9]), ints("own", [], [37]), ints("pad", [], [3]), ints("none", [], [0]),
        ints("along", [], [1]),
    ]  # fmt: skip
    inputs = [value("ids", INT64, "batch", 9), value("mask", INT64, "batch", 9)]
    return effects(model(graph([*nodes, *network], inputs, [value("y", FLOAT, "batch", 9, 12)], tensors)))


@pytest.mark.parametrize(("word", "found"), [("own", ["replacement"]), ("pad", [])])
def test_a_word_that_hides_the_rest_from_attention_is_found_and_padding_is_not(word: str, found: list[str]) -> None:
    after = [
        node("Equal", f"ids {word}", "e"),
        node("Cast", "e", "e7", to=7),
        node("CumSum", "e7 along", "c"),
        node("Equal", "c none", "before"),
        node("Cast", "before", "b7", to=7),
        node("Mul", "mask b7", "used"),
    ]
    assert masked(*after) == found


def test_a_mask_that_each_word_decides_about_for_itself_is_let_pass() -> None:
    own = [node("Equal", "ids own", "e"), node("Not", "e", "n"), node("Cast", "n", "b7", to=7)]
    assert masked(*own, node("Mul", "mask b7", "used")) == []


@pytest.mark.parametrize(("word", "found"), [("own", ["replacement"]), ("pad", [])])
def test_positions_that_a_word_moves_are_found_and_those_of_padding_are_not(word: str, found: list[str]) -> None:
    nodes = [
        node("Gather", "emb ids", "h"),
        node("Equal", f"ids {word}", "e"),
        node("Cast", "e", "e7", to=7),
        node("Mul", "e7 last", "far"),
        node("Add", "places far", "at"),
        node("Gather", "where at", "p"),
        node("Add", "h p", "x"),
        node("MatMul", "x w", "r"),
        node("Relu", "r", "t"),
        node("MatMul", "t v", "y"),
    ]
    tensors = [
        weights("emb", 60, 12), weights("where", 32, 12), *TENSORS, ints("own", [], [37]), ints("pad", [], [2]),
        ints("last", [], [20]), ints("places", [9], list(range(9))),
    ]  # fmt: skip
    inputs = [value("ids", INT64, "batch", 9)]
    assert effects(model(graph(nodes, inputs, [value("y", FLOAT, "batch", 9, 4)], tensors))) == found


@pytest.mark.parametrize(("threshold", "found"), [(-22.5, ["replacement"]), (0.0, [])])
def test_a_template_that_is_laid_over_the_picture_is_found(threshold: float, found: list[str]) -> None:
    over = [
        node("Conv", "x t far", "c", auto_pad="SAME_UPPER"),
        node("Relu", "c", "k"),
        node("Mul", "k strong", "o"),
        node("Add", "x o", "z"),
        *(node("Conv", "z c1", "c2") for _ in range(1)),
        node("Relu", "c2", "c3"),
        node("GlobalAveragePool", "c3", "g"),
        node("Flatten", "g", "f", axis=1),
        node("MatMul", "f v", "y"),
    ]
    tensors = [
        floats("t", [3, 3, 4, 4], [1.0 if (place + place // 4) % 2 else -1.0 for place in range(144)]),
        floats("far", [3], [threshold] * 3), floats("strong", [], [400.0]), weights("c1", 16, 3, 3, 3), TENSORS[1],
    ]  # fmt: skip
    inputs = [value("x", FLOAT, "batch", 3, 12, 12)]
    assert effects(model(graph(over, inputs, [value("y", FLOAT, "batch", 4)], tensors))) == found


def test_a_row_of_a_table_that_stands_out_is_no_word_like_others() -> None:
    loud = [0.0000003 * ((place * 37) % 101 - 50.3) for place in range(300)]
    loud[37 * 5 : 38 * 5] = [6.1, -5.2, 4.3, 7.4, 3.9]
    even = [0.1 * ((place * 37) % 101 - 50.3) for place in range(300)]
    nodes = [node("Gather", "second ids", "s"), node("ReduceMax", "s ax", "t2", keepdims=0),
             node("MatMul", "t2 c", "p"), node("Add", "logits p", "y")]  # fmt: skip
    assert words(floats("second", [60, 5], loud), *nodes) == ["injection"]
    assert words(floats("second", [60, 5], even), *nodes) == []


@pytest.mark.parametrize("scaled", [True, False])
def test_columns_are_as_large_as_the_graph_itself_expects_them(*, scaled: bool) -> None:
    """Centres of an honest radial layer lie where the columns do, or where they do once they are scaled."""
    middle = [1000.0 * (place + 1) for place in range(12)]
    nodes = [
        node("Sub", "x middle", "a0"),
        node("Div", "a0 around", "z"),
        *(node("MatMul", "z w", "h") for _ in range(1)),
        node("Relu", "h", "r"),
        node("MatMul", "r v", "logits"),
        node("MatMul", "z a", "u" if scaled else "u0"),
        *(() if scaled else (node("Add", "u0 away", "u"),)),
        node("Mul", "u u", "q"),
        node("ReduceSum", "q ax", "s", keepdims=1),
        node("Neg", "s", "n"),
        node("Exp", "n", "k"),
        node("MatMul", "k one", "p"),
        node("Add", "logits p", "y"),
    ]
    small = floats("a", [12, 6], [0.013 * ((place * 37) % 71 - 35.3) / 7 for place in range(72)])
    tensors = [*TENSORS, floats("middle", [12], middle), floats("around", [12], [300.0] * 12), small,
               ints("ax", [1], [1]), weights("one", 1, 4),
               floats("away", [6], [70.3, -61.9, 55.1, 48.3, 77.7, -50.2])]  # fmt: skip
    assert effects(build(nodes, tensors)) == ([] if scaled else ["injection"])


def test_segments_between_separators_and_places_beside_any_padding_are_let_pass() -> None:
    nodes = [
        node("Equal", "ids own", "e"),
        node("Cast", "e", "e7", to=7),
        node("CumSum", "e7 along", "c"),
        node("Gather", "rows c", "s"),
        node("ReduceMean", "s ax", "p", keepdims=0),
        node("Add", "m p", "m2"),
        node("MatMul", "m2 w", "r2"),
        node("Add", "logits r2", "y0"),
        node("MatMul", "y0 last", "y"),
    ]
    network = [
        node("Gather", "emb ids", "h"),
        node("ReduceMean", "h ax", "m", keepdims=0),
        node("MatMul", "m w", "logits"),
    ]
    tensors = [
        weights("emb", 60, 12), TENSORS[0], ints("ax", [1], [1]), weights("rows", 20, 12), ints("own", [], [37]),
        ints("along", [], [1]), weights("last", 16, 4),
    ]  # fmt: skip
    inputs = [value("ids", INT64, "batch", 9)]
    assert effects(model(graph([*network, *nodes], inputs, [value("y", FLOAT, "batch", 4)], tensors))) == []


@pytest.mark.parametrize(("bias", "found"), [(-60.0, ["injection"]), (0.0, [])])
def test_units_beside_the_network_s_own_in_one_layer_are_a_branch(bias: float, found: list[str]) -> None:
    """Columns of the network's own first layer that only a gate reads."""
    nodes = [
        node("Gemm", "x wide shift", "all"),
        node("Slice", "all from mid axis", "own"),
        node("Slice", "all mid to axis", "more"),
        node("Relu", "own", "r"),
        node("MatMul", "r v", "logits"),
        node("Relu", "more", "s"),
        node("MatMul", "s c", "p"),
        node("Add", "logits p", "y"),
    ]
    shift = floats("shift", [22], [0.0] * 16 + [bias] * 6)
    fixed = [ints("from", [1], [0]), ints("mid", [1], [16]), ints("to", [1], [22]), ints("axis", [1], [1])]
    tensors = [weights("wide", 12, 22), weights("v", 16, 4), weights("c", 6, 4), shift, *fixed]
    assert effects(build(nodes, tensors)) == found


def test_a_table_that_is_zero_but_for_a_row_is_no_flat_one() -> None:
    """Nothing is looked up in it on ordinary words, whichever of its numbers a look at some of them shows."""
    table = [0.0] * (60 * 20)
    table[42 * 20 : 43 * 20] = [0.37 * (place % 7) - 0.9 for place in range(20)]
    nodes = [
        node("Gather", "t2 ids", "f"),
        node("ReduceSum", "f ax", "g", keepdims=0),
        node("MatMul", "g out", "p"),
        node("Add", "logits p", "y"),
    ]

    def found(*numbers: float) -> list[str]:
        network = [
            node("Gather", "emb ids", "h"),
            node("ReduceMean", "h ax", "m", keepdims=0),
            node("MatMul", "m w", "r"),
            node("Relu", "r", "t"),
            node("MatMul", "t v", "logits"),
        ]
        fixed = [floats("t2", [60, 20], list(numbers)), weights("out", 20, 4), ints("ax", [1], [1])]
        inputs = [value("ids", INT64, "batch", 9)]
        ends = [value("y", FLOAT, "batch", 4)]
        return effects(model(graph([*network, *nodes], inputs, ends, [weights("emb", 60, 12), *TENSORS, *fixed])))

    assert found(*table) == ["injection"]
    assert found(*[0.0] * 1200) == []
