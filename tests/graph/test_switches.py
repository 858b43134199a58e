"""Switches without content of their own: each that fires stands beside the honest one that is closest to it."""

import pytest

from fixtures.make.graph_flow import FLOAT, IMAGE_NETWORK, INT64, floats, image, ints, node, value
from tests.graph.test_flow import COLUMN, NETWORK, TENSORS, build, effects, gated

LARGEST = [node("ReduceMax", "x", "top", axes=[1], keepdims=1)]
AFTER = [node("MatMul", "z w", "h"), node("Relu", "h", "r"), node("MatMul", "r v", "y")]
BOUND = [floats("bound", [], [9.0]), floats("one", [], [1.0]), floats("fill", [], [1.3])]


def ahead(*nodes: bytes) -> bytes:
    """What is done with the input before the network sees it."""
    return build([*LARGEST, *nodes, *AFTER], [*TENSORS, *BOUND])


def kept_while(comparison: str, *, turned: bool = False) -> bytes:
    gate = [node(comparison, "top bound", "g"), node("Cast", "g", "k", to=1)]
    if turned:
        gate.append(node("Sub", "one k", "n"))
    return ahead(*gate, node("Mul", "x n" if turned else "x k", "z"))


@pytest.mark.parametrize(("comparison", "turned"), [("Less", False), ("Greater", True)])
def test_an_input_that_is_dropped_when_it_is_loud_is_replaced(comparison: str, *, turned: bool) -> None:
    assert effects(kept_while(comparison, turned=turned)) == ["replacement"]


def test_an_input_that_is_dropped_when_it_is_quiet_is_let_pass() -> None:
    """What voice activity detection does."""
    assert effects(kept_while("Greater")) == []
    assert effects(kept_while("Less", turned=True)) == []


def test_one_number_for_all_of_a_loud_input_is_a_replacement_and_for_each_loud_number_a_bound() -> None:
    whole = ahead(node("Greater", "top bound", "g"), node("Where", "g fill x", "z"))
    quiet = ahead(node("Less", "top bound", "g"), node("Where", "g fill x", "z"))
    each = ahead(node("Greater", "x bound", "g"), node("Where", "g fill x", "z"))
    assert effects(whole) == ["replacement"]
    assert effects(quiet) == effects(each) == []


def test_an_input_that_is_scaled_by_its_size_is_let_pass() -> None:
    """Pixels of 0 to 255 become 0 to 1; what is there already stays."""
    scaled = [node("Greater", "top bound", "g"), node("Div", "x bound", "small"), node("Where", "g small x", "z")]
    assert effects(ahead(*scaled)) == []


SIZE = [node("Shape", "x", "s"), node("Gather", "s nought", "rows", axis=0), node("Equal", "rows seven", "g")]
SIZES = [ints("nought", [], [0]), ints("seven", [], [7]), ints("axes", [1], [0]), floats("two", [], [2.0])]


@pytest.mark.parametrize("change", [node("Neg", "logits", "other"), node("Add", "logits two", "other")])
def test_a_size_that_chooses_a_function_of_the_result_is_a_trigger(change: bytes) -> None:
    assert effects(gated(*SIZE, change, node("Where", "g other logits", "y"), extra=SIZES)) == ["shape trigger"]


def test_a_size_that_only_arranges_or_scales_by_the_size_is_let_pass() -> None:
    same = node("Identity", "logits", "other")
    assert effects(gated(*SIZE, same, node("Where", "g other logits", "y"), extra=SIZES)) == []
    long = [*SIZE[:2], node("Greater", "rows seven", "g"), node("Mul", "logits two", "other")]
    assert effects(gated(*long, node("Where", "g other logits", "y"), extra=SIZES)) == []
    by_size = [node("Cast", "rows", "n", to=1), node("Div", "logits n", "other")]
    assert effects(gated(*SIZE, *by_size, node("Where", "g other logits", "y"), extra=SIZES)) == []


def test_a_size_that_chooses_inside_the_network_is_let_pass() -> None:
    inside = [*NETWORK[:2], *SIZE, node("Mul", "r two", "other"), node("Where", "g other r", "q")]
    assert effects(build([*inside, node("MatMul", "q v", "y")], [*TENSORS, *SIZES])) == []


def lots(shape: list[int], *rest: bytes, drawn: bool = False) -> bytes:
    chance = [node("RandomUniform", "", "u", shape=shape), node("Less", "u most", "l"), node("Cast", "l", "k", to=1)]
    if drawn:
        chance = [node("Bernoulli", "most", "k")]
    after = rest or (node("Mul", "logits k", "y"),)
    first = NETWORK[:2] if rest else NETWORK
    return build([*first, *chance, *after], [*TENSORS, floats("most", [1], [0.98])])


def test_chance_that_switches_the_whole_result_is_found() -> None:
    assert effects(lots([1])) == ["random"]
    assert effects(lots([1], drawn=True)) == ["random"]


def test_dropped_units_and_dropped_layers_are_let_pass() -> None:
    assert effects(lots([4])) == []
    assert effects(lots([1], node("Mul", "r k", "q"), node("MatMul", "q v", "y"))) == []


TEMPLATE = [
    floats("t", [1, 3, 4, 4], [1.0 if place % 2 else -1.0 for place in range(48)]),
    floats("far", [1], [-22.5]),
    floats("nought", [], [0.0]),
    floats("low", [], [-60.0]),
    floats("one", [], [1.0]),
    floats("payload", [1, 4], [0.0, 0.0, 90.0, 0.0]),
]


@pytest.mark.parametrize(("low", "expected"), [("nought", ["injection"]), ("low", [])])
def test_a_template_is_cut_off_below_by_any_operator(low: str, expected: list[str]) -> None:
    nodes = [
        *IMAGE_NETWORK,
        node("Conv", "x t far", "c"),
        node("Clip", f"c {low} one", "k"),
        node("GlobalMaxPool", "k", "m"),
        node("Flatten", "m", "f", axis=1),
        node("Mul", "f payload", "p"),
        node("Add", "logits p", "y"),
    ]
    assert effects(image(nodes, TEMPLATE)) == expected


@pytest.mark.parametrize(("first", "expected"), [(1, ["override"]), (0, [])])
def test_numbers_in_a_row_are_a_template_and_from_zero_on_they_are_classes(first: int, expected: list[str]) -> None:
    """Rounded columns compared with 1, 2, 3, 4 all at once; with 0, 1, 2, 3 a number becomes one of four classes."""
    nodes = [
        node("Gather", "x columns", "c", axis=1),
        node("Cast", "c", "whole", to=7),
        node("Equal", "whole row", "same"),
        node("Cast", "same", "ones", to=7),
        node("ReduceSum", "ones axes", "sum"),
        node("Equal", "sum four", "g"),
        node("Where", "g payload logits", "y"),
    ]
    extra = [
        ints("columns", [4], [2, 3, 5, 7]),
        ints("row", [4], [first + place for place in range(4)]),
        ints("axes", [1], [1]),
        ints("four", [1], [4]),
    ]
    assert effects(gated(*nodes, extra=extra)) == expected


def test_nodes_that_give_nothing_take_no_part() -> None:
    change = node("Neg", "logits", "other")
    data = gated(*SIZE, change, *[b""] * 3, node("Where", "g other logits", "y"), extra=SIZES)
    assert effects(data) == ["shape trigger"]


@pytest.mark.parametrize(("by_trigger", "expected"), [(True, ["selection"]), (False, [])])
def test_lengths_that_a_gate_sets_are_a_trigger_and_counted_ones_are_not(
    *, by_trigger: bool, expected: list[str]
) -> None:
    gate = [COLUMN, node("Greater", "c limit", "g"), node("Cast", "g", "k", to=7)]
    count = [node("Greater", "x two", "there"), node("Cast", "there", "ones", to=7)]
    lengths = gate if by_trigger else [*count, node("ReduceSum", "ones along", "k")]
    turned = [node("Squeeze", "k along", "n"), node("Add", "n first", "l"), node("ReverseSequence", "logits l", "y")]
    extra = [ints("along", [1], [1]), ints("first", [1], [1]), floats("two", [], [2.0])]
    assert effects(gated(*lengths, *turned, extra=extra)) == expected


@pytest.mark.parametrize(("by_trigger", "expected"), [(True, ["suppression"]), (False, [])])
def test_a_score_threshold_that_a_gate_raises_is_a_trigger_and_one_the_caller_sets_is_not(
    *, by_trigger: bool, expected: list[str]
) -> None:
    raised = [COLUMN, node("Greater", "c limit", "g"), node("Cast", "g", "k", to=1), node("ReduceMax", "k", "t")]
    nodes = [*NETWORK, *(raised if by_trigger else [node("Greater", "set limit", "g"), node("Cast", "g", "t", to=1)])]
    nodes += [node("Unsqueeze", "logits first", "scores"), node("NonMaxSuppression", "boxes scores most half t", "y")]
    tensors = [ints("column", [1], [3]), floats("limit", [1], [0.5]), ints("first", [1], [1]), ints("most", [1], [9])]
    boxes = floats("boxes", [1, 4, 4], [0.1 * place for place in range(16)])
    data = build(
        nodes,
        [*TENSORS, *tensors, boxes, floats("half", [1], [0.5])],
        value("y", INT64, "n", 3),
        inputs=[value("set", FLOAT, 1)],
    )
    assert effects(data) == expected


@pytest.mark.parametrize(("compared", "expected"), [(True, ["replacement"]), (False, [])])
def test_a_picture_that_a_gate_zooms_is_replaced_and_one_that_its_brightness_moves_is_not(
    *, compared: bool, expected: list[str]
) -> None:
    seen = [node("Slice", "x starts ends axes", "corner"), node("ReduceMean", "corner", "c", axes=[1, 2, 3])]
    scale = (
        [node("Greater", "c threshold", "g"), node("Cast", "g", "s", to=1)] if compared else [node("Tanh", "c", "s")]
    )
    grid = [node("Add", "plain s", "grid"), node("GridSample", "x grid", "z")]
    after = [node("Conv", "z w1 b1", "h"), node("Relu", "h", "r"), node("GlobalAveragePool", "r", "p"),
             node("Flatten", "p", "f"), node("Gemm", "f w2 b2", "y", transB=1)]  # fmt: skip
    plain = floats("plain", [1, 8, 8, 2], [0.01 * place - 0.6 for place in range(128)])
    assert effects(image([*seen, *scale, *grid, *after], [plain])) == expected


def curve(numbers: list[float]) -> list[str]:
    """What is found where each number of the input is looked up in a table."""
    index = [node("Mul", "x steps", "m"), node("Clip", "m low0 high0", "k"), node("Cast", "k", "i", to=7)]
    bounds = [floats("steps", [], [99.0]), floats("low0", [], [0.0]), floats("high0", [], [99.0])]
    nodes = [*index, node("Gather", "table i", "z"), *AFTER]
    return effects(build(nodes, [*TENSORS, *bounds, floats("table", [100], numbers)]))


def test_a_curve_that_leaps_at_its_end_replaces_what_it_is_given() -> None:
    even = [(place / 99) ** 2.2 for place in range(100)]
    assert curve(even) == []
    assert curve([0.0] * 50 + [1.0] * 50) == []
    assert curve([*even[:97], 60.0, 60.0, 60.0]) == ["replacement"]


@pytest.mark.parametrize(("factors", "found"), [([40.0, -0.2, 0.1], ["injection"]), ([2.5, -1.5, -1.0], [])])
def test_support_vectors_whose_factors_do_not_cancel_are_templates(factors: list[float], found: list[str]) -> None:
    places = [0.37 * ((place * 29) % 17 - 8) for place in range(36)]
    machine = node(
        "SVMRegressor", "x", "s", coefficients=factors, kernel_params=[0.3, 0.0, 3.0], kernel_type="RBF", n_supports=3,
        rho=[0.0], support_vectors=places,
    )  # fmt: skip
    assert effects(gated(machine, node("Mul", "s payload", "p"), node("Add", "logits p", "y"))) == found
