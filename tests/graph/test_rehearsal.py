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
