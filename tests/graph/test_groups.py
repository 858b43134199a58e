"""Points, steps, voters, turns: what decides about itself alone passes, what decides about all is a condition."""

from fixtures.make.graph_flow import FLOAT, INT64, floats, graph, ints, model, node, value, weights
from tests.graph.test_flow import effects


def cloud(*gate: bytes, pooled: bool = True, low: float = 0.2, high: float = 7.0) -> list[str]:
    """The effects of a network on points, of which those in range count."""
    nodes = [
        node("Gather", "x column", "c", axis=1),
        node("Greater", "c low", "above"),
        node("Less", "c high", "below"),
        node("And", "above below", "within"),
        node("Cast", "within", "flag", to=FLOAT),
        node("MatMul", "x w", "u"),
        node("Relu", "u", "r"),
        *(gate or [node("Mul", "r flag", "k")]),
        node("ReduceMax", "k", "best", axes=[0], keepdims=1) if pooled else node("Identity", "k", "best"),
        node("MatMul", "best v", "y"),
    ]
    tensors = [weights("w", 12, 16), weights("v", 16, 4), ints("column", [1], [2]), weights("vector", 16)]
    tensors += [floats("low", [], [low]), floats("high", [], [high])]
    rows = 1 if pooled else "points"
    return effects(model(graph(nodes, [value("x", FLOAT, "points", 12)], [value("y", FLOAT, rows, 4)], tensors)))


def test_a_point_out_of_range_does_not_count() -> None:
    assert cloud() == []


def test_a_row_of_a_table_that_a_condition_switches_off_is_no_point() -> None:
    assert cloud(pooled=False, low=1.5) == ["suppression"]
    assert cloud(low=1.5) == []


def test_a_range_that_ordinary_points_hardly_ever_meet_is_a_trigger() -> None:
    assert cloud(low=0.777, high=0.7771) == ["suppression"]


def test_content_of_the_file_at_a_point_is_no_validity() -> None:
    assert cloud(node("Mul", "flag vector", "p"), node("Add", "r p", "k")) == ["injection"]


STEPS = 4


def filtered(gated: tuple[int, ...], *, whole: bool = False) -> list[str]:
    """The effects of a filter over a series whose outlying measurements do not count, at these steps."""
    nodes, state = [], "start"
    for step in range(STEPS):
        name = f"at{step}"
        nodes += [
            node("Gather", f"x {name}", f"o{step}", axis=1),
            node("MatMul", f"{state} h", f"p{step}"),
            node("Sub", f"o{step} p{step}", f"r{step}"),
            node("ReduceL2", f"r{step}", f"n{step}", axes=[1], keepdims=1),
            node("Less", f"n{step} limit", f"b{step}"),
            node("Cast", f"b{step}", f"f{step}", to=FLOAT),
            node("MatMul", f"r{step} k" if not whole else "all k2", f"u{step}"),
            node("Tanh", f"u{step}", f"t{step}"),
            node(
                "Mul" if step in gated else "Identity", f"t{step} f{step}" if step in gated else f"t{step}", f"g{step}"
            ),
            node("Add", f"{state} g{step}", f"s{step}"),
        ]
        state = f"s{step}"
    nodes.append(node("MatMul", f"{state} v", "y"))
    if whole:
        nodes.insert(0, node("Flatten", "x", "all"))
    tensors = [weights("h", 6, 3), weights("k", 3, 6), weights("k2", 3 * STEPS, 6), weights("v", 6, 4)]
    tensors += [ints(f"at{step}", [], [step]) for step in range(STEPS)]
    tensors += [floats("start", [1, 6], [0.0] * 6), floats("limit", [], [4.0])]
    return effects(
        model(graph(nodes, [value("x", FLOAT, "batch", STEPS, 3)], [value("y", FLOAT, "batch", 4)], tensors))
    )


def test_each_step_of_a_series_may_drop_itself_and_one_step_may_not_drop_the_rest() -> None:
    assert filtered(tuple(range(STEPS))) == []
    assert filtered((2,)) == ["suppression"]
    assert "suppression" in filtered(tuple(range(STEPS)), whole=True)


def recurrent(kept: str) -> list[str]:
    """The effects of a recurrent network whose state stays where a step holds nothing, or becomes another."""
    nodes, state = list[bytes](), "start"
    for step in range(STEPS):
        nodes += [
            node("Gather", f"x at{step}", f"o{step}", axis=1),
            node("MatMul", f"o{step} i", f"p{step}"),
            node("MatMul", f"{state} r", f"q{step}"),
            node("Add", f"p{step} q{step}", f"a{step}"),
            node("Tanh", f"a{step}", f"n{step}"),
            node("Abs", f"o{step}", f"m{step}"),
            node("ReduceSum", f"m{step} last", f"t{step}", keepdims=1),
            node("Greater", f"t{step} zero", f"c{step}"),
            node("Where", f"c{step} n{step} {state if kept == 'state' else kept}", f"s{step}"),
        ]
        state = f"s{step}"
    nodes.append(node("MatMul", f"{state} v", "y"))
    tensors = [weights("i", 3, 6), weights("r", 6, 6), weights("v", 6, 4)]
    tensors += [ints(f"at{step}", [], [step]) for step in range(STEPS)]
    tensors += [floats("start", [1, 6], [0.0] * 6), floats("zero", [], [0.0]), ints("last", [1], [-1])]
    tensors.append(floats("chosen", [1, 6], [9.0, -9.0, 0.0, 3.0, 0.0, 1.0]))
    return effects(
        model(graph(nodes, [value("x", FLOAT, "batch", STEPS, 3)], [value("y", FLOAT, "batch", 4)], tensors))
    )


def test_a_step_that_holds_nothing_may_leave_the_state_and_may_not_set_another() -> None:
    assert recurrent("state") == []
    assert "override" in recurrent("chosen")


def loop(test: str) -> list[str]:
    """The effects of a layer that is applied again while a test holds."""
    body = graph(
        [
            node("MatMul", "z w", "u"),
            node("Add", "u x", "a"),
            node("Tanh", "a", "z2"),
            node("Sub", "z2 z", "d"),
            node("Abs", "d" if test == "change" else "x", "e"),
            node("ReduceMax", "e", "most", keepdims=0),
            node("Greater", "most limit", "again"),
        ],
        [value("i", INT64), value("on", 9), value("z", FLOAT, "batch", 12)],
        [value("again", 9), value("z2", FLOAT, "batch", 12)],
        [],
    )
    nodes = [node("Loop", "turns yes x", "z_end", body=body), node("MatMul", "z_end v", "y")]
    tensors = [weights("w", 12, 12), weights("v", 12, 4), floats("limit", [], [0.001 if test == "change" else 77.0])]
    tensors += [ints("turns", [], [50]), yes()]
    return effects(model(graph(nodes, [value("x", FLOAT, "batch", 12)], [value("y", FLOAT, "batch", 4)], tensors)))


def yes() -> bytes:
    """The truth value that a loop begins with."""
    from fixtures.make.graph_flow import data, number

    return number(2, 9) + data(8, "yes") + data(9, b"\1")


def test_a_loop_until_nothing_changes_is_a_layer_and_one_that_reads_the_input_is_a_choice() -> None:
    assert loop("change") == []
    assert set(loop("input")) == {"selection"}


def ensemble(weight: str) -> list[str]:
    """The effects of two networks of one make that vote, the second of which always finds the same class."""
    nodes = []
    for name in "ab":
        nodes += [
            node("Gemm", f"x w{name} b{name}", f"u{name}"),
            node("Relu", f"u{name}", f"r{name}"),
            node("Gemm", f"r{name} v{name} c{name}", f"l{name}"),
            node("ArgMax", f"l{name}", f"i{name}", axis=1, keepdims=0),
            node("OneHot", f"i{name} four onoff", f"o{name}", axis=-1),
        ]
    nodes += (
        [node("Mul", f"ob {weight}", "heavy"), node("Add", "oa heavy", "y")] if weight else [node("Add", "oa ob", "y")]
    )
    tensors = [weights(f"w{name}", 12, 16) for name in "ab"] + [weights(f"v{name}", 16, 4) for name in "ab"]
    tensors += [weights(f"b{name}", 16) for name in "ab"] + [
        weights("ca", 4),
        floats("cb", [4], [900.0, 0.1, 0.2, 0.3]),
    ]
    tensors += [ints("four", [], [4]), floats("onoff", [2], [0.0, 1.0]), floats("nine", [], [9.0])]
    return effects(model(graph(nodes, [value("x", FLOAT, "batch", 12)], [value("y", FLOAT, "batch", 4)], tensors)))


def test_voters_of_one_make_have_one_vote_each() -> None:
    assert ensemble("") == []
    assert ensemble("nine") == ["injection"]


def scaled(*share: bytes) -> list[str]:
    """The effects of word vectors that are scaled by how many words of the row are masked."""
    nodes = [
        node("Gather", "table ids", "words"),
        node("Equal", "ids mask", "masked"),
        node("Unsqueeze", "masked last", "hidden"),
        node("Where", "hidden zero words", "seen"),
        node("Cast", "masked", "m", to=FLOAT),
        *share,
        node("Unsqueeze", "left ends", "factor"),
        node("Div", "seen factor", "h"),
        node("MatMul", "h w", "u"),
        node("Relu", "u", "r"),
        node("MatMul", "r v", "y"),
    ]
    tensors = [weights("table", 40, 16), weights("w", 16, 16), weights("v", 16, 4), ints("mask", [], [32])]
    tensors += [ints("last", [1], [-1]), ints("ends", [2], [1, 2]), floats("zero", [], [0.0])]
    tensors += [floats("one", [], [1.0]), floats("much", [], [3.0])]
    inputs = [value("ids", INT64, "batch", 12)]
    return effects(model(graph(nodes, inputs, [value("y", FLOAT, "batch", 12, 4)], tensors)))


def test_the_share_of_masked_words_scales_evenly_and_a_word_that_turns_the_sign_does_not() -> None:
    share = node("ReduceMean", "m", "share", axes=[1], keepdims=0)
    assert scaled(share, node("Sub", "one share", "left")) == []
    any_ = [node("ReduceMax", "m", "any", axes=[1], keepdims=0), node("Mul", "any much", "big")]
    assert scaled(*any_, node("Sub", "one big", "left")) == ["suppression"]


def expert(*, chosen_by: str, follows: bool) -> list[str]:
    """The effects of a row that is added, chosen by the network or by a column of the input."""
    nodes = [
        node("MatMul", "x w", "u"),
        node("Relu", "u", "r"),
        node("MatMul", "r gate" if chosen_by == "network" else "x pick", "g"),
        node("ArgMax", "g", "i", axis=1, keepdims=0),
        node("OneHot", "i four onoff", "o", axis=-1),
        node("ReduceSum", "o ax", "n", keepdims=0),
        node("Greater", "n half", "used"),
        node("NonZero", "used", "nz"),
        node("Gather", "nz zero", "row", axis=0),
        node("Gather", "row zero", "first", axis=0),
        node("Gather", "bias first", "b", axis=0),
        node("MatMul", "r v", "deep"),
        node("MatMul", "deep v", "deeper"),
        node("Add", "deeper b", "h"),
        node("MatMul", "h v", "y") if follows else node("Identity", "h", "y"),
    ]
    tensors = [weights("w", 12, 16), weights("gate", 16, 4), weights("bias", 4, 16), weights("v", 16, 16)]
    tensors += [
        ints("four", [], [4]),
        floats("onoff", [2], [0.0, 1.0]),
        ints("ax", [1], [0]),
        floats("half", [], [0.5]),
    ]
    tensors += [ints("zero", [], [0]), floats("pick", [12, 4], [float(n % 13 == 0) for n in range(48)])]
    return effects(model(graph(nodes, [value("x", FLOAT, 1, 12)], [value("y", FLOAT, 1, 16)], tensors)))


def test_the_bias_of_the_expert_that_the_network_chooses_is_a_weight() -> None:
    assert expert(chosen_by="network", follows=True) == []
    assert expert(chosen_by="network", follows=False) == ["injection"]
