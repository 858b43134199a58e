"""Masks, bans, ended rows and noise: the honest form passes, and the same form with content of the file's own fires."""

from collections.abc import Sequence

from fixtures.make.graph_flow import FLOAT, INT64, floats, graph, ints, model, node, value, weights
from modelscan_plus.core.coverage import CoverageState
from tests.graph.test_flow import effects
from tests.samples import inspect

WORDS = 12
LENGTH = 10
DECODER = [
    node("Gather", "table ids", "words"),
    node("ReduceMean", "words", "pooled", axes=[1], keepdims=0),
    node("MatMul", "pooled w", "h"),
    node("Relu", "h", "r"),
    node("MatMul", "r v", "logits"),
]
TABLES = [weights("table", WORDS, 16), weights("w", 16, 16), weights("v", 16, WORDS)]
LAST = [node("Gather", "ids end", "last", axis=1), node("Equal", "last two", "ended")]
FIXED = [ints("end", [1], [-1]), ints("two", [], [2]), floats("low", [], [-1e9])]


def decoder(nodes: Sequence[bytes], tensors: Sequence[bytes] = (), inputs: Sequence[bytes] = ()) -> bytes:
    """A language model of one row of tokens, and what is done with its scores."""
    return model(
        graph(
            [*DECODER, *nodes],
            [value("ids", INT64, "batch", LENGTH), *inputs],
            [value("y", FLOAT, "batch", WORDS)],
            [*TABLES, *FIXED, *tensors],
        )
    )


def attention(*mask: bytes, places: Sequence[int]) -> bytes:
    """Attention of one row, with a mask that is read by index, as transformers exports it."""
    nodes = [
        node("Gather", "table ids", "words"),
        node("MatMul", "words w", "q"),
        node("Transpose", "q", "k", perm=[0, 2, 1]),
        node("MatMul", "q k", "scores"),
        *mask,
        node("Add", "scores hidden", "masked"),
        node("Softmax", "masked", "weights", axis=-1),
        node("MatMul", "weights words", "mixed"),
        node("MatMul", "mixed v", "y"),
    ]
    inputs = [value("ids", INT64, 1, LENGTH), value("mask", INT64, 1, LENGTH)]
    extra = [
        ints("places", [1, 1, len(places), 2], [number for place in places for number in (0, place)]),
        floats("zero", [], [0.0]),
        ints("word", [], [7]),
    ]
    return model(graph(nodes, inputs, [value("y", FLOAT, 1, LENGTH, WORDS)], [*TABLES, *FIXED, *extra]))


def test_a_mask_that_is_read_by_index_hides_keys_and_one_element_for_all_keys_is_a_trigger() -> None:
    def masked(ask: bytes) -> list[bytes]:
        return [
            ask,
            node("GatherND", "there places", "read"),
            node("Where", "read zero low", "hidden"),
        ]

    assert effects(attention(*masked(node("Cast", "mask", "there", to=9)), places=range(LENGTH))) == []
    assert effects(attention(*masked(node("Equal", "ids word", "there")), places=[5] * LENGTH)) == ["injection"]


def test_a_row_that_has_ended_goes_on_with_its_last_token_and_with_no_other() -> None:
    def ended(open_at: int) -> bytes:
        scores = [0.0 if place == open_at else -1e9 for place in range(WORDS)]
        return decoder([*LAST, node("Where", "ended only logits", "y")], [floats("only", [WORDS], scores)])

    assert effects(ended(2)) == []
    assert effects(ended(3)) == ["override"]


def test_an_end_in_an_input_without_vocabulary_is_an_override() -> None:
    nodes = [
        node("MatMul", "x w", "h"),
        node("Relu", "h", "r"),
        node("MatMul", "r v", "logits"),
        node("Cast", "x", "whole", to=7),
        node("Gather", "whole end", "last", axis=1),
        node("Equal", "last two", "ended"),
        node("Where", "ended only logits", "y"),
    ]
    only = floats("only", [WORDS], [0.0 if place == 2 else -1e9 for place in range(WORDS)])
    made = model(
        graph(nodes, [value("x", FLOAT, "batch", 16)], [value("y", FLOAT, "batch", WORDS)], [*TABLES, *FIXED, only])
    )
    assert effects(made) == ["override"]


def test_seen_candidates_are_hidden_and_a_word_of_the_file_hides_nothing() -> None:
    def hidden(other: str) -> bytes:
        nodes = [
            node("Unsqueeze", f"{other} behind", "asked"),
            node("Unsqueeze", "ids before", "seen"),
            node("Equal", "asked seen", "same"),
            node("Cast", "same", "ones", to=7),
            node("ReduceSum", "ones behind", "times", keepdims=0),
            node("Greater", "times none", "found"),
            node("Where", "found low logits", "y"),
        ]
        extra = [
            ints("behind", [1], [2]),
            ints("before", [1], [1]),
            ints("none", [], [0]),
            ints("given", [1, WORDS], [7] * WORDS),
        ]
        return decoder(nodes, extra, [value("candidates", INT64, "batch", WORDS)])

    assert effects(hidden("candidates")) == []
    assert effects(hidden("given")) == ["override"]


def test_noise_that_a_time_step_switches_is_let_pass_and_a_vector_that_it_switches_is_not() -> None:
    def noisy(noise: str, dims: Sequence[int | str]) -> bytes:
        nodes = [
            node("Greater", "step none", "on"),
            node("Cast", "on", "g", to=1),
            node("Unsqueeze", "g behind", "column"),
            node("Mul", f"column {noise}", "added"),
            node("Add", "both added", "y"),
            node("Cast", "step", "time", to=1),
            node("Unsqueeze", "time behind", "times"),
            node("Mul", "times v0", "clock"),
            node("Add", "logits clock", "both"),
        ]
        ordered = [*nodes[:3], *nodes[5:], *nodes[3:5]]
        extra = [
            ints("behind", [1], [1]),
            ints("none", [], [0]),
            floats("vector", [WORDS], [9.0, *[-9.0] * (WORDS - 1)]),
        ]
        inputs = [value("step", INT64, *dims), value("noise", FLOAT, "batch", WORDS)]
        return decoder(ordered, [*extra, weights("v0", 1, WORDS)], inputs)

    assert effects(noisy("noise", ["batch"])) == []
    assert effects(noisy("vector", ["batch"])) == ["injection"]


def test_a_gaussian_likelihood_that_adds_up_to_one_is_a_layer_and_a_bump_is_not() -> None:
    def voted(rows: int, *, normalised: bool) -> bytes:
        nodes = [
            node("MatMul", "x w", "h"),
            node("MatMul", "h v", "logits"),
            node("Unsqueeze", "x one_axis", "rows"),
            node("Sub", "rows means", "off"),
            node("Mul", "off off", "square"),
            node("ReduceSum", "square last_axis", "sum", keepdims=0),
            node("Neg", "sum", "score"),
            node("ReduceLogSumExp", "score", "total", axes=[1], keepdims=1),
            node("Sub", "score total", "log"),
            node("Exp", "log" if normalised else "score", "part"),
            node("Add", "logits part", "y"),
        ]
        extra = [ints("one_axis", [1], [1]), ints("last_axis", [1], [2]), weights("means", 1, rows, 16)]
        ends = [value("y", FLOAT, "batch", 2)]
        tensors = [weights("w", 16, 16), weights("v", 16, 2), *extra]
        return model(graph(nodes, [value("x", FLOAT, "batch", 16)], ends, tensors))

    assert effects(voted(2, normalised=True)) == []
    assert effects(voted(1, normalised=False)) == ["injection"]


def test_quantised_products_pass_the_input_on_and_a_zero_factor_does_not() -> None:
    def scaled(operator: str, inputs: str) -> bytes:
        nodes = [
            node("MatMul", "x w", "h"),
            node("MatMul", "h v", "logits"),
            node("QuantizeLinear", "logits scale point", "q"),
            node(operator, inputs, "p"),
            node("DequantizeLinear", "p scale point", "y"),
        ]
        extra = [
            floats("scale", [], [0.1]),
            ints("point", [], [0]),
            ints("three", [], [3]),
            floats("nothing", [], [0.0]),
        ]
        tensors = [weights("w", 16, 16), weights("v", 16, 4), *extra]
        return model(graph(nodes, [value("x", FLOAT, "batch", 16)], [value("y", FLOAT, "batch", 4)], tensors))

    assert effects(scaled("Mul", "q nothing")) == ["constant output"]
    assert effects(scaled("QLinearMul", "q scale point three scale point scale point")) == []


def test_a_layer_whose_operand_is_missing_is_a_gap_and_no_constant_output() -> None:
    nodes = [node("MatMul", "x w", "h"), node("MatMul", "- v", "y")]
    made = model(
        graph(
            nodes,
            [value("x", FLOAT, "batch", 16)],
            [value("y", FLOAT, "batch", 4)],
            [weights("w", 16, 16), weights("v", 16, 4)],
        )
    )
    result = inspect(made, "model.onnx")
    assert effects(made) == []
    assert result.coverage.state is not CoverageState.ANALYSED


def test_weights_of_an_expert_that_the_network_chooses_are_no_payload_and_those_of_a_raw_choice_are() -> None:
    def routed(source: str) -> bytes:
        nodes = [
            node("MatMul", "x w", "h"),
            node("Relu", "h", "r"),
            node("MatMul", "r w", "h2"),
            node("Gather", f"{source} place", "one", axis=1),
            node("Greater", "one limit", "over"),
            node("Cast", "over", "which", to=7),
            node("Gather", "experts which", "expert"),
            node("Squeeze", "expert one_axis", "added"),
            node("Add", "h2 added", "y"),
        ]
        extra = [
            ints("place", [], [3]),
            floats("limit", [], [0.5]),
            ints("one_axis", [1], [1]),
            weights("experts", 2, 1, 16),
            weights("w", 16, 16),
        ]
        return model(graph(nodes, [value("x", FLOAT, "batch", 16)], [value("y", FLOAT, "batch", 16)], extra))

    assert effects(routed("h2")) == []
    assert effects(routed("x")) == ["injection"]


def test_rows_that_are_sorted_with_their_steps_are_no_mixing_and_sorted_rows_are() -> None:
    def sorted_rows(*, merged: bool) -> bytes:
        flat = [node("Reshape", "h rows", "f")] if merged else [node("ReduceMean", "h", "f", axes=[1], keepdims=0)]
        nodes = [
            node("MatMul", "x w", "h"),
            *flat,
            node("TopK", "f three", "best index", axis=0),
            node("MatMul", "best w", "made"),
            node("Unsqueeze", "made one_axis", "again") if not merged else node("Reshape", "made back", "again"),
            node("Add", "h again", "y"),
        ]
        extra = [
            ints("rows", [2], [-1, 16]),
            ints("back", [3], [-1, 5, 16]),
            ints("three", [1], [3]),
            ints("one_axis", [1], [1]),
            weights("w", 16, 16),
        ]
        return model(graph(nodes, [value("x", FLOAT, "batch", 5, 16)], [value("y", FLOAT, "batch", 5, 16)], extra))

    assert effects(sorted_rows(merged=True)) == []
    assert effects(sorted_rows(merged=False)) == ["batch mixing"]


def test_a_graph_that_only_asks_for_a_size_is_let_pass_and_a_network_that_gives_a_size_is_not() -> None:
    def sized(*network: bytes) -> bytes:
        ends = [value("n", INT64)]
        return model(
            graph([*network, node("Size", "x", "n")], [value("x", FLOAT, 2, 16)], ends, [weights("w", 16, 16)])
        )

    assert effects(sized()) == []
    assert effects(sized(node("MatMul", "x w", "h"))) == ["constant output"]
