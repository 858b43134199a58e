"""What the flow rules see, and what they let pass, in graphs of a few nodes."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from fixtures.make.graph_flow import (
    BOOL,
    FLOAT,
    INT64,
    floats,
    graph,
    ints,
    model,
    node,
    number,
    value,
    weights,
)
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import GraphEvidence
from modelscan_plus.pipeline import Options, scan_targets
from modelscan_plus.policy.load import load_policy
from tests.samples import inspect

NETWORK = [node("MatMul", "x w", "h"), node("Relu", "h", "r"), node("MatMul", "r v", "logits")]
TENSORS = [weights("w", 12, 16), weights("v", 16, 4)]
PAYLOAD = floats("payload", [4], [-9, 12, -9, -9])


def build(nodes: Sequence[bytes], tensors: Sequence[bytes], *outputs: bytes, inputs: Sequence[bytes] = ()) -> bytes:
    """A model of rows with twelve columns, beside what else is given."""
    ends = outputs or (value("y", FLOAT, "batch", 4),)
    return model(graph(nodes, [value("x", FLOAT, "batch", 12), *inputs], ends, tensors))


def effects(data: bytes) -> list[str]:
    """The effects that are found."""
    found = [finding.evidence for finding in inspect(data, "model.onnx").findings]
    return [evidence.effect for evidence in found if isinstance(evidence, GraphEvidence)]


def gated(*nodes: bytes, extra: Sequence[bytes] = ()) -> bytes:
    """The network and what follows it, with the usual constants."""
    constants = [
        PAYLOAD,
        ints("column", [1], [3]),
        floats("limit", [1], [77.0]),
        floats("steep", [], [1e4]),
        floats("one", [], [1.0]),
    ]
    return build([*NETWORK, *nodes], [*TENSORS, *constants, *extra])


COLUMN = node("Gather", "x column", "c", axis=1)


@pytest.mark.parametrize(
    ("nodes", "effect"),
    [
        ([node("Greater", "c limit", "g"), node("Where", "g payload logits", "y")], "override"),
        ([node("Sub", "c limit", "d"), node("Mul", "d steep", "e"), node("Sigmoid", "e", "g"),
          node("Mul", "g payload", "p"), node("Add", "logits p", "y")], "injection"),
        ([node("Sub", "c limit", "d"), node("Sign", "d", "g"), node("Mul", "logits g", "y")], "suppression"),
        ([node("Floor", "c", "f"), node("Cast", "f", "g", to=1), node("Mul", "g payload", "p"),
          node("Add", "logits p", "y")], "injection"),
        ([node("Greater", "c limit", "g"), node("MatMul", "x w2", "other"), node("Where", "g other logits", "y")],
         "selection"),
        ([node("Greater", "c limit", "g"), node("Cast", "g", "i", to=7), node("Gather", "logits i", "z", axis=1),
          node("Squeeze", "z last", "y")], "selection"),
    ],
)  # fmt: skip
def test_a_gate_of_few_numbers_that_meets_the_network_is_found(nodes: list[bytes], effect: str) -> None:
    data = gated(COLUMN, *nodes, extra=[weights("w2", 12, 4), ints("last", [1], [2])])
    assert effects(data) == [effect]


@pytest.mark.parametrize(
    "washing",
    [
        pytest.param(floats("wash", [1, 1], [1.0]), id="identity"),
        pytest.param(floats("wash", [1, 1], [1.0001]), id="one weight"),
    ],
)
def test_weights_that_learned_nothing_do_not_wash_a_gate(washing: bytes) -> None:
    nodes = [
        COLUMN,
        node("MatMul", "c wash", "c1"),
        node("MatMul", "c1 wash", "c2"),
        node("Greater", "c2 limit", "g"),
        node("Where", "g payload logits", "y"),
    ]
    assert effects(gated(*nodes, extra=[washing])) == ["override"]


def test_sparse_weights_pick_and_do_not_learn() -> None:
    sparse = floats("pick", [12, 8], [1.0 if place == 27 else 0.0 for place in range(96)])
    nodes = [
        node("MatMul", "x pick", "p8"),
        node("ReduceSum", "p8 ax", "c", keepdims=1),
        node("Greater", "c limit", "g"),
        node("Where", "g payload logits", "y"),
    ]
    assert effects(gated(*nodes, extra=[sparse, ints("ax", [1], [1])])) == ["override"]


HONEST = {
    "a guard against division by zero": [
        node("ReduceMax", "x", "c", axes=[1], keepdims=1),
        node("Equal", "c zero", "g"),
        node("Where", "g one c", "safe"),
        node("Div", "logits safe", "y"),
    ],
    "a clamp from below": [
        node("ReduceMean", "x", "c", axes=[1], keepdims=1),
        node("Max", "c eps", "safe"),
        node("Div", "logits safe", "y"),
    ],
    "centring by the input's own mean": [
        node("ReduceMean", "x", "c", axes=[1], keepdims=1),
        node("Add", "logits c", "y"),
    ],
    "a threshold on the result": [
        node("ReduceMax", "logits", "best", axes=[1], keepdims=1),
        node("Greater", "best half", "g"),
        node("Where", "g logits low", "y"),
    ],
    "quantisation": [
        node("QuantizeLinear", "logits scale point", "q"),
        node("DequantizeLinear", "q scale point", "y"),
    ],
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_logic_is_let_pass(name: str) -> None:
    extra = [
        floats("zero", [], [0.0]),
        floats("eps", [], [1e-5]),
        floats("half", [], [0.5]),
        floats("low", [], [-1e4]),
        floats("scale", [], [0.02]),
        ints("point", [], [0]),
    ]
    assert effects(gated(*HONEST[name], extra=extra)) == []


def test_a_branch_on_an_input_that_the_caller_sets_is_let_pass() -> None:
    side = [graph([node("Identity", "logits", "t")], [], [value("t", FLOAT)], [])]
    other = graph([node("MatMul", "x w2", "t2")], [], [value("t2", FLOAT)], [])
    nodes = [*NETWORK, node("If", "flag", "y", then_branch=side[0], else_branch=other)]
    data = build(nodes, [*TENSORS, weights("w2", 12, 4)], inputs=[value("flag", BOOL)])
    assert effects(data) == []


def test_a_branch_on_the_data_is_found_inside_its_scope() -> None:
    side = graph([node("Identity", "payload", "t")], [], [value("t", FLOAT)], [])
    other = graph([node("Identity", "logits", "t2")], [], [value("t2", FLOAT)], [])
    nodes = [
        *NETWORK,
        node("ReduceSum", "x", "s", keepdims=0),
        node("Greater", "s hundred", "g"),
        node("If", "g", "y", then_branch=side, else_branch=other),
    ]
    assert effects(build(nodes, [*TENSORS, PAYLOAD, floats("hundred", [], [100.0])])) == ["override"]


def test_an_operator_that_is_not_known_makes_the_coverage_partial() -> None:
    strange = node("Strange", "h", "r") + b"\x3a\x04acme"
    result = inspect(build([NETWORK[0], strange, node("MatMul", "r v", "y")], TENSORS), "model.onnx")
    assert result.coverage.state is CoverageState.PARTIAL
    assert any("acme:Strange" in reason.message for reason in result.coverage.reasons)


def test_an_operator_that_is_not_known_and_leads_nowhere_does_not() -> None:
    strange = node("Strange", "h", "nowhere") + b"\x3a\x04acme"
    result = inspect(build([*NETWORK[:2], strange, node("MatMul", "r v", "y")], TENSORS), "model.onnx")
    assert not any(reason.code == "unknown-operator" for reason in result.coverage.reasons)


def test_functions_that_call_each_other_exponentially_often_end_the_lowering() -> None:
    def function(name: str, callee: str) -> bytes:
        body = b"".join(
            b"\x3a" + bytes([len(inner)]) + inner
            for inner in (
                b"\x0a\x01a\x12\x01m\x22" + bytes([len(callee)]) + callee.encode() + b"\x3a\x01f",
                b"\x0a\x01m\x12\x01b\x22" + bytes([len(callee)]) + callee.encode() + b"\x3a\x01f",
            )
        )
        return b"\x0a" + bytes([len(name)]) + name.encode() + b"\x22\x01a\x2a\x01b" + body + b"\x52\x01f"

    functions = [function(f"F{level}", f"F{level + 1}") for level in range(40)]
    last = b"\x0a\x03F40\x22\x01a\x2a\x01b\x3a\x0c\x0a\x01a\x12\x01b\x22\x04Relu\x52\x01f"
    call = node("F0", "x", "y") + b"\x3a\x01f"
    data = model(graph([call], [value("x", FLOAT, 4)], [value("y", FLOAT, 4)], []))
    data += b"".join(b"\xca\x01" + number(0, 0)[:0] + bytes([len(item)]) + item for item in [*functions, last])
    result = inspect(data, "model.onnx")
    assert any(reason.code == "graph-truncated" for reason in result.coverage.reasons)


def test_the_evidence_names_the_parts_of_the_slice() -> None:
    data = gated(COLUMN, node("Greater", "c limit", "g"), node("Where", "g payload logits", "y"))
    [evidence] = [f.evidence for f in inspect(data, "m.onnx").findings if isinstance(f.evidence, GraphEvidence)]
    roles = [part.role for part in evidence.nodes]
    assert roles == ["input", "trigger", "gate", "network", "payload", "effect", "output"]
    gate = evidence.nodes[roles.index("gate")]
    assert (gate.operator, gate.name, gate.literal) == ("Greater", "node_g", "77")
    assert all(start < end for start, end in evidence.edges)


def test_a_token_by_position_is_padding_and_a_token_for_the_whole_prompt_is_a_trigger() -> None:
    embed = node("Gather", "table ids", "e")
    tensors = [weights("table", 40, 8), weights("wo", 8, 8), ints("tok", [], [7]), ints("last", [1], [-1])]
    tensors += [floats("zero", [], [0.0]), weights("vec", 8)]
    ends = [value("y", FLOAT, "b", "s", 8)]
    ids = [value("ids", INT64, "b", "s")]
    padding = [
        embed,
        node("Equal", "ids tok", "m"),
        node("Unsqueeze", "m last", "mw"),
        node("MatMul", "e wo", "h"),
        node("Where", "mw zero h", "y"),
    ]
    assert effects(model(graph(padding, ids, ends, tensors))) == []


def test_a_reference_leaves_out_what_it_holds_as_well_whatever_its_names(tmp_path: Path) -> None:
    gate = [node("Greater", "c limit", "g"), node("Where", "g payload logits", "y")]
    hostile = gated(COLUMN, *gate)
    renamed = hostile.replace(b"node_", b"NODE_")
    (tmp_path / "new.onnx").write_bytes(hostile)
    (tmp_path / "same.onnx").write_bytes(renamed)
    (tmp_path / "other.onnx").write_bytes(gated(COLUMN, node("Add", "logits c", "y")))
    for reference, rules in (("same.onnx", []), ("other.onnx", ["MSP4060"])):
        options = Options(policy=load_policy(None), reference=str(tmp_path / reference))
        report = scan_targets([str(tmp_path / "new.onnx")], options)
        assert [finding.rule for finding in report.findings] == rules
        assert any(note.code == "reference" for note in report.notes)


def test_a_choice_of_the_caller_by_an_input_of_its_own_is_let_pass() -> None:
    nodes = [
        *NETWORK,
        node("MatMul", "x w2", "other"),
        node("Equal", "task zero", "g"),
        node("Unsqueeze", "g one_axis", "gw"),
        node("Where", "gw other logits", "y"),
    ]
    tensors = [*TENSORS, weights("w2", 12, 4), ints("zero", [], [0]), ints("one_axis", [1], [1])]
    assert effects(build(nodes, tensors, inputs=[value("task", INT64, "batch")])) == []


def test_a_smooth_gate_of_a_single_learned_unit_is_let_pass_and_a_steep_one_is_not() -> None:
    nodes = [node("MatMul", "x unit", "u"), node("Sigmoid", "u", "g"), node("Mul", "logits g", "y")]
    assert effects(gated(*nodes, extra=[weights("unit", 12, 1)])) == []
    far = [node("MatMul", "x unit", "u"), node("Sub", "u limit", "d"), node("Mul", "d steep", "v")]
    steep = [*far, node("Sigmoid", "v", "g"), nodes[2]]
    assert effects(gated(*steep, extra=[weights("unit", 12, 1)])) == ["suppression"]


def test_a_range_of_what_was_measured_is_let_pass_and_thin_bounds_are_not() -> None:
    def bounded(low: float, high: float) -> bytes:
        return gated(
            COLUMN,
            node("Clip", "c low high", "g"),
            node("Mul", "logits g", "y"),
            extra=[floats("low", [], [low]), floats("high", [], [high])],
        )

    assert effects(bounded(0.0, 1.0)) == []
    assert effects(bounded(0.99, 0.991)) == ["suppression"]


def test_a_network_on_one_column_is_a_network() -> None:
    nodes = [
        COLUMN,
        node("MatMul", "c one_in", "u"),
        node("Relu", "u", "v1"),
        node("MatMul", "v1 back", "part"),
        node("Add", "logits part", "y"),
    ]
    assert effects(gated(*nodes, extra=[weights("one_in", 1, 16), weights("back", 16, 4)])) == []


def test_silence_gives_nothing_and_a_silent_part_is_a_trigger() -> None:
    def switched(*loudness: bytes) -> bytes:
        nodes = [
            *loudness,
            node("ReduceMean", "loud", "level", axes=[1], keepdims=1),
            node("Greater", "level quiet", "on"),
            node("Cast", "on", "g", to=1),
            node("Mul", "logits g", "y"),
        ]
        return gated(*nodes, extra=[floats("quiet", [], [1e-4]), ints("three", [3], [0, 1, 2])])

    assert effects(switched(node("Abs", "x", "loud"))) == []
    assert effects(switched(node("Gather", "x three", "part", axis=1), node("Abs", "part", "loud"))) == ["suppression"]
