"""Causes of misses and false alarms that graphs written apart from the rules have shown: what fires, and its twin."""

from fixtures.make.graph_flow import FLOAT, INT64, floats, graph, ints, model, node, value, weights
from modelscan_plus.core.coverage import CoverageState
from tests.graph.test_flow import COLUMN, NETWORK, TENSORS, build, effects, gated
from tests.samples import inspect

WITH_PAYLOAD = [node("Mul", "g payload", "p"), node("Add", "logits p", "y")]


def looked_up(table: bytes) -> bytes:
    nodes = [
        node("ReduceSum", "x axis", "sum", keepdims=0),
        node("Cast", "sum", "whole", to=7),
        node("Mod", "whole rows", "place"),
        node("Gather", "table place", "p"),
        node("Add", "logits p", "y"),
    ]
    return gated(*nodes, extra=[table, ints("axis", [1], [1]), ints("rows", [], [64])])


def test_a_table_with_one_row_that_stands_out_is_a_comparison() -> None:
    silent = [20.0 if place == 4 * 17 + 1 else 0.0 for place in range(256)]
    noisy = [number or ((place * 37) % 101 - 50.3) * 1e-5 for place, number in enumerate(silent)]
    assert effects(looked_up(floats("table", [64, 4], silent))) == ["injection"]
    assert effects(looked_up(floats("table", [64, 4], noisy))) == ["injection"]
    assert effects(looked_up(weights("table", 64, 4))) == []


def test_a_learned_number_for_each_crossing_of_columns_is_let_pass() -> None:
    single = [20.0 if place == 17 else 0.0 for place in range(64)]
    assert effects(looked_up(weights("table", 64, 1))) == []
    assert effects(looked_up(floats("table", [64, 1], single))) == ["injection"]


def test_a_small_number_over_a_distance_is_a_peak_and_one_over_it_is_not() -> None:
    def bump(size: float, *, at_once: bool) -> bytes:
        nodes = [COLUMN, node("Sub", "c limit", "d"), node("Mul", "d d", "d2"), node("Add", "d2 small", "d3")]
        if at_once:
            nodes.append(node("Div", "size d3", "g"))
        else:
            nodes += [node("Reciprocal", "d3", "i"), node("Mul", "i size", "g")]
        extra = [floats("small", [], [size]), floats("size", [], [size])]
        return gated(*nodes, *WITH_PAYLOAD, extra=extra)

    for at_once in (True, False):
        assert effects(bump(1e-3, at_once=at_once)) == ["injection"]
        assert effects(bump(1.0, at_once=at_once)) == []


def test_a_steep_softplus_is_a_step_and_a_gentle_one_is_not() -> None:
    steep = [COLUMN, node("Sub", "c limit", "d"), node("Mul", "d steep", "s"), node("Softplus", "s", "g")]
    gentle = [COLUMN, node("Softplus", "c", "g")]
    assert effects(gated(*steep, *WITH_PAYLOAD)) == ["injection"]
    assert effects(gated(*gentle, *WITH_PAYLOAD)) == []


def test_this_many_of_both_is_a_trigger_and_a_mean_over_what_counts_is_not() -> None:
    def counted(name: str, word: str) -> list[bytes]:
        equal = node("Equal", f"x {word}", f"{name}_is")
        return [equal, node("Cast", f"{name}_is", f"{name}_f", to=1), node("ReduceSum", f"{name}_f axis", name)]

    both = [*counted("a", "limit"), *counted("b", "one"), node("Mul", "a b", "ab"), node("Min", "ab one", "g")]
    mean = [*counted("a", "limit"), node("Max", "a one", "safe"), node("Div", "logits safe", "y")]
    extra = [ints("axis", [1], [1])]
    assert effects(gated(*both, *WITH_PAYLOAD, extra=extra)) == ["injection"]
    assert effects(gated(*mean, extra=extra)) == []


def test_one_number_spread_over_many_is_still_one_number_behind_a_layer() -> None:
    def laundered(*start: bytes) -> bytes:
        nodes = [
            COLUMN,
            *start,
            node("Expand", "g wide", "many"),
            node("MatMul", "many square", "l1"),
            node("MatMul", "l1 v", "l2"),
            node("Add", "logits l2", "y"),
        ]
        return gated(*nodes, extra=[ints("wide", [2], [1, 16]), weights("square", 16, 16)])

    gate = [node("Greater", "c limit", "on"), node("Cast", "on", "g", to=1)]
    assert effects(laundered(*gate)) == ["injection"]
    assert effects(laundered(node("Identity", "c", "g"))) == []


def test_a_comparison_as_a_feature_beside_a_deep_result_is_an_injection_and_beside_a_first_layer_is_not() -> None:
    def beside(content: str, width: int) -> bytes:
        nodes = [
            *NETWORK,
            COLUMN,
            node("Greater", "c limit", "on"),
            node("Cast", "on", "g", to=1),
            node("Concat", f"{content} g", "both", axis=1),
            node("MatMul", "both head", "y"),
        ]
        constants = [ints("column", [1], [3]), floats("limit", [1], [77.0]), weights("head", width + 1, 4)]
        return build(nodes, [*TENSORS, *constants])

    assert effects(beside("logits", 4)) == ["injection"]
    assert effects(beside("r", 16)) == []


def test_attention_over_the_edges_of_a_graph_is_as_deep_as_the_nodes() -> None:
    nodes = [
        node("MatMul", "x w", "h"),
        node("Gather", "h from", "source"),
        node("MatMul", "source unit", "score"),
        node("Exp", "score", "e"),
        node("Unsqueeze", "to axis", "places"),
        node("ScatterElements", "zeros places e", "sums", axis=0, reduction="add"),
        node("Gather", "sums to", "below"),
        node("Div", "e below", "alpha"),
        node("Mul", "source alpha", "message"),
        node("MatMul", "message v", "y"),
    ]
    tensors = [*TENSORS, weights("unit", 16, 1), ints("axis", [1], [1]), floats("zeros", [8, 1], [0.0] * 8)]
    edges = [value("from", INT64, "edges"), value("to", INT64, "edges")]
    assert effects(build(nodes, tensors, inputs=edges)) == []


def test_a_place_that_a_comparison_gives_still_selects() -> None:
    nodes = [
        COLUMN,
        node("Greater", "c limit", "on"),
        node("Cast", "on", "place", to=7),
        node("GatherElements", "logits place", "y", axis=1),
    ]
    assert effects(gated(*nodes)) == ["selection"]


def test_a_scale_of_dynamic_quantisation_is_no_trigger_until_it_is_compared() -> None:
    quantised = [
        node("DynamicQuantizeLinear", "x", "q scale point"),
        node("MatMulInteger", "q wq point", "sums"),
        node("Cast", "sums", "big", to=1),
        node("Mul", "big scale", "small"),
        node("MatMul", "small v", "first"),
    ]
    sure = [
        node("ReduceMax", "first", "best", axes=[1], keepdims=1),
        node("Greater", "best limit", "sure"),
        node("Where", "sure first logits", "y"),
    ]
    loud = [node("Greater", "scale limit", "loud"), node("Where", "loud payload first", "y")]
    extra = [ints("wq", [12, 16], [(place * 37) % 101 - 50 for place in range(192)])]
    assert effects(gated(*quantised, *sure, extra=extra)) == []
    assert effects(gated(*quantised, *loud, extra=extra)) == ["override"]


def test_what_the_runtime_saves_in_blocks_of_channels_is_known_and_other_domains_are_not() -> None:
    def state(domain: str) -> CoverageState:
        pooled = node("GlobalAveragePool", "x", "p") + b"\x3a" + bytes([len(domain)]) + domain.encode()
        nodes = [pooled, node("Flatten", "p", "y")]
        data = model(graph(nodes, [value("x", FLOAT, 1, 3, 8, 8)], [value("y", FLOAT, 1, 3)], []))
        return inspect(data, "model.onnx").coverage.state

    assert state("com.microsoft.nchwc") is CoverageState.ANALYSED
    assert state("com.example.blocks") is CoverageState.PARTIAL


def test_a_learned_row_for_each_of_two_values_is_let_pass_and_one_beside_nothing_is_not() -> None:
    def embedded(table: bytes) -> bytes:
        nodes = [
            NETWORK[0],
            node("Gather", "x third", "c", axis=1),
            node("Greater", "c limit", "on"),
            node("Cast", "on", "place", to=7),
            node("Gather", "table place", "e"),
            node("Add", "h e", "sum"),
            node("MatMul", "sum v", "y"),
        ]
        return build(nodes, [*TENSORS, ints("third", [], [3]), floats("limit", [], [77.0]), table])

    learned = [((place * 37) % 101 - 50.3) / 50 for place in range(16)]
    assert effects(embedded(weights("table", 2, 16))) == []
    assert effects(embedded(floats("table", [2, 16], [0.0] * 16 + learned))) == ["injection"]


def test_a_cutoff_of_distances_masks_edges_and_one_of_a_column_is_a_trigger() -> None:
    edges = [
        node("Gather", "x from", "source"),
        node("Gather", "x to", "target"),
        node("Sub", "source target", "way"),
        node("ReduceL2", "way", "distance", axes=[1], keepdims=1),
        node("Less", "distance limit", "near"),
        node("Cast", "near", "g", to=1),
        node("MatMul", "source w", "h"),
        node("MatMul", "h v", "m"),
        node("Mul", "m g", "y"),
    ]
    tensors = [*TENSORS, floats("limit", [1], [5.0])]
    given = [value("from", INT64, "edges"), value("to", INT64, "edges")]
    assert effects(build(edges, tensors, inputs=given)) == []
    column = [COLUMN, node("Less", "c limit", "near"), node("Cast", "near", "g", to=1), node("Mul", "logits g", "y")]
    assert effects(gated(*column)) == ["suppression"]


def test_a_steep_arc_tangent_is_a_step_and_a_gentle_one_is_not() -> None:
    def arc(*start: bytes) -> bytes:
        return gated(COLUMN, *start, node("Atan", "d", "g"), *WITH_PAYLOAD)

    assert effects(arc(node("Sub", "c limit", "s"), node("Mul", "s steep", "d"))) == ["injection"]
    assert effects(arc(node("Sub", "c limit", "d"))) == []
