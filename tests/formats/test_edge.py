"""PaddlePaddle, ExecuTorch and ncnn: what is recognised and found, and that no bytes are too hostile."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.make.archives import zip_of
from fixtures.make.edge import ctranslate2, executorch, paddle, paddle_json, paddle_operator, paddle_tensor, tfjs
from fixtures.make.onnx_writer import message, number
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from tests.samples import inspect, rules, tree_of


@pytest.mark.parametrize(
    ("data", "formats"),
    [
        (paddle(paddle_operator("relu")), ("paddle",)),
        (paddle_json(("relu", {})), ("paddle-pir", "json")),
        (paddle_tensor(2, data=bytes(8)), ("paddle-parameters",)),
        (executorch(), ("executorch",)),
        (b"7767517\n1 1\nInput in0 0 1 in0\n", ("ncnn",)),
    ],
)
def test_what_a_file_is_is_told_by_its_content(data: bytes, formats: tuple[str, ...]) -> None:
    result = inspect(data, "anything")
    assert result.formats == formats
    assert not result.findings
    assert result.coverage.state is CoverageState.ANALYSED


@pytest.mark.parametrize(
    ("kind", "texts", "rule", "severity"),
    [
        ("py_func", {}, "MSP4103", Severity.HIGH),
        ("py_layer", {}, "MSP4103", Severity.HIGH),
        ("save", {"file_path": "out"}, "MSP4101", Severity.HIGH),
        ("save_combine", {"file_path": "/etc/cron.d/x"}, "MSP4101", Severity.CRITICAL),
        ("load_combine", {"file_path": "~/.ssh/id_rsa"}, "MSP4102", Severity.HIGH),
        ("read_file", {"filename": "/etc/passwd"}, "MSP4102", Severity.HIGH),
        ("listen_and_serv", {"endpoint": "0.0.0.0:80"}, "MSP4104", Severity.HIGH),
        ("tensorrt_engine", {}, "MSP4106", Severity.MEDIUM),
    ],
)
def test_operators_of_paddle(kind: str, texts: dict[str, str], rule: str, severity: Severity) -> None:
    for data, name in ((paddle(paddle_operator(kind, texts)), "a.pdmodel"), (paddle_json((kind, texts)), "a.json")):
        found = [(finding.rule, finding.severity) for finding in inspect(data, name).findings]
        assert (rule, severity) in found


def test_operators_in_later_blocks_of_paddle_are_found() -> None:
    second = message(1, number(1, 1), number(2, 0), message(4, paddle_operator("py_func")))
    assert "MSP4103" in rules(paddle(paddle_operator("while")) + second, "a.pdmodel")


def test_parameters_that_end_early() -> None:
    data = paddle_tensor(2, data=bytes(8)) + paddle_tensor(4, data=bytes(15))
    assert "MSP4015" in rules(data, "a.pdiparams")


def test_a_part_that_was_compiled_is_said_to_be_unread() -> None:
    result = inspect(executorch(delegates=["XnnpackBackend"], segments=[(0, 32)], data=bytes(32)), "a.pte")
    assert not result.findings
    assert result.coverage.state is CoverageState.PARTIAL
    assert not any(reason.executable for reason in result.coverage.reasons)


def test_a_file_behind_a_program_is_found() -> None:
    program = b"\x80\x04cposix\nsystem\n\x8c\x02id\x85R." + bytes(20)
    assert "MSP1001" in rules(executorch(segments=[(0, len(program))], data=program), "a.pte")
    assert "MSP2007" in rules(executorch(segments=[(0, 16)], data=bytes(16) + b"\x7fELF" + bytes(200)), "a.pte")


def test_compilers_for_some_backends_write_elf() -> None:
    program = b"\x7fELF\2\1\1" + bytes(45) + b"\x40\0\x38\0" + bytes(100)
    for backend, found in (("QnnBackend", False), ("XnnpackBackend", True)):
        data = executorch(delegates=[backend], segments=[(0, len(program))], data=program)
        assert ("MSP4025" in rules(data, "a.pte")) is found


def test_weights_of_ncnn_are_numbers_only_beside_their_graph() -> None:
    graph = b"7767517\n1 1\nInput in0 0 1 in0\n"
    data = bytes(range(150, 250))
    assert tree_of({"a.bin": data}).files["a.bin"].coverage.state is CoverageState.NOT_ANALYSED
    assert tree_of({"a.bin": data, "a.param": graph}).files["a.bin"].coverage.state is CoverageState.ANALYSED
    assert inspect(graph + b"import os; os.system('id')\n", "a.param").coverage.state is CoverageState.PARTIAL


def test_variables_of_ctranslate2_have_to_fit() -> None:
    good = ctranslate2(("w", (2,), bytes(8)))
    assert inspect(good, "model.bin").formats == ("ctranslate2",)
    assert not inspect(good, "model.bin").findings
    assert "MSP4015" in rules(good[:-30], "model.bin")
    assert "MSP2007" in rules(good + b"\x7fELF" + bytes(200), "model.bin")
    assert inspect(struct.pack("<IH", 6, 20) + bytes(60), "model.bin").formats == ()


def test_weights_of_tensorflow_js_are_numbers_beside_their_model() -> None:
    data = bytes(range(150, 250))
    files = tree_of({"model.json": tfjs("a.bin"), "a.bin": data, "b.bin": data}).files
    assert files["a.bin"].coverage.state is CoverageState.ANALYSED
    assert files["b.bin"].coverage.state is CoverageState.NOT_ANALYSED
    assert inspect(tfjs("a.bin")[:-2], "model.json").coverage.state is not CoverageState.ANALYSED


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (struct.pack("<13i", 793712314, 12, 100, 5, 5, 5, 5, 1, 1, 1, 2000000, 0, 0) + bytes(60), "fasttext"),
        (b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(60), "kenlm"),
        (b"3000 300\nthe " + struct.pack("<8f", *[0.25] * 8) + bytes(8), "word2vec"),
        (b"RKNN\0\0\0\0" + bytes(64), "rknn"),
    ],
)
def test_models_that_are_only_recognised_are_no_place_for_code(data: bytes, kind: str) -> None:
    result = inspect(data, "model.bin")
    assert result.formats == (kind,)
    assert result.coverage.state is CoverageState.NOT_ANALYSED
    assert not any(reason.executable for reason in result.coverage.reasons)


def test_a_compiled_model_in_an_archive_is_no_place_for_code_either() -> None:
    odd = bytes(range(128, 255)) * 3
    for name, executable in (("ggml-base-encoder.mlmodelc/coremldata.bin", False), ("other/coremldata.bin", True)):
        reasons = inspect(zip_of((name, odd)), "a.zip").coverage.reasons
        assert [reason.executable for reason in reasons] == [executable]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_change_of_bytes_makes_the_readers_fail(data: st.DataObject) -> None:
    samples = (
        paddle(paddle_operator("save", {"file_path": "x"})),
        paddle_json(("relu", {"a": "b"})),
        paddle_tensor(2, data=bytes(8)),
        executorch(["aten::add"], ["XnnpackBackend"], segments=[(0, 16)], data=bytes(16)),
        ctranslate2(("w", (2,), bytes(8))),
        tfjs("a.bin"),
    )
    made = data.draw(st.sampled_from(samples))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(0, len(made) - 1)))
        made = made[:at] + data.draw(st.binary(max_size=8)) + made[at + data.draw(st.integers(0, 8)) :]
    inspect(made, "model.pte")
