"""Models of TensorFlow Lite: offsets and numbers that lead out, Flex operators, and that no bytes are too hostile."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.make.flatbuffers_writer import Number, Table, flatbuffer, flexible
from fixtures.make.tflite import custom, flex, model, operator, strings, tensor
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.graphs.flatbuffers import Flat, Malformed, flexible_texts
from tests.samples import inspect, rules


def flat(data: bytes) -> Flat:
    return Flat(BytesSource(data), Budget(Limits()))


def test_what_the_writer_writes_the_reader_reads() -> None:
    inner: Table = {0: "inner", 2: Number("q", -5)}
    root = flat(flatbuffer({0: Number("B", 7), 3: "text", 4: [1, -2, 3], 5: [inner, {}], 6: b"\1\2"}, b"TEST")).root()
    assert (root.number(0, "B"), root.number(1, "I", 9), root.text(3), root.text(2)) == (7, 9, "text", None)
    assert list(root.numbers(4)) == [1, -2, 3]
    first, second = root.tables(5)
    assert (first.text(0), first.number(2, "q"), second.text(0)) == ("inner", -5, None)
    assert root.vector(6, 1)[1] == 2


def test_offsets_that_leave_the_bytes_are_malformed() -> None:
    data = flatbuffer({0: "text"})
    for at in range(0, len(data) - 4, 4):
        broken = data[:at] + b"\xff\xff\xff\x7f" + data[at + 4 :]
        try:
            flat(broken).root().text(0)
        except Malformed:
            continue
    with pytest.raises(Malformed):
        flat(b"\xff\xff\xff\xff").root()
    with pytest.raises(Malformed):
        flat(b"").root()


def test_texts_of_a_flexbuffer() -> None:
    assert flexible_texts(flexible(b"ReadFile", b"\x0a\x01x")) == [b"ReadFile", b"\x0a\x01x"]
    assert flexible_texts(b"") == flexible_texts(b"\0\0\0\0") == []


def test_the_flexbuffers_of_the_library_are_read_too() -> None:
    library = pytest.importorskip("flatbuffers.flexbuffers")
    builder = library.Builder()
    with builder.Vector():
        builder.String("FlexReadFile")
        builder.String("n" * 300)
    assert flexible_texts(bytes(builder.Finish())) == [b"FlexReadFile", b"n" * 300]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (flex("ReadFile", "/etc/passwd"), {("MSP4102", Severity.HIGH)}),
        (flex("ReadFile", "labels.txt"), {("MSP4102", Severity.MEDIUM)}),
        (flex("WriteFile", "run.sh"), {("MSP4101", Severity.CRITICAL)}),
        (flex("PyFunc", "x"), {("MSP4103", Severity.HIGH)}),
        (flex("AcmeOp", "x"), {("MSP4105", Severity.MEDIUM)}),
        (flex("ImmutableConst", "x"), {("MSP4102", Severity.HIGH)}),
        (flex("AddV2", "x"), set()),
        (custom("AcmeFusedOp"), {("MSP4111", Severity.MEDIUM)}),
        (custom("edgetpu-custom-op"), {("MSP4111", Severity.MEDIUM)}),
    ],
)
def test_operators_that_are_not_built_in(data: bytes, expected: set[tuple[str, Severity]]) -> None:
    assert {(finding.rule, finding.severity) for finding in inspect(data, "model.tflite").findings} == expected


@pytest.mark.parametrize(
    "data",
    [
        model([operator(0, [0, -2], [2])]),
        model([operator(7, [0], [2])]),
        model(tensors=[tensor("z", [2], 9)]),
        model(tensors=[tensor("z", [1 << 30, 1 << 30], 1)]),
        model(buffers=[{1: Number("Q", 1 << 40), 2: Number("Q", 64)}]),
        model(more={6: [{0: "TFLITE_METADATA", 1: Number("I", 99)}]}),
        model(more={7: [{2: "serving_default", 4: Number("I", 3)}]}),
    ],
)
def test_numbers_that_lead_out(data: bytes) -> None:
    assert "MSP4110" in rules(data, "model.tflite")


def test_optional_inputs_and_larger_buffers_are_fine() -> None:
    data = model([operator(0, [0, -1], [2])], weights=bytes(64))
    result = inspect(data, "model.tflite")
    assert not result.findings
    assert result.coverage.state is CoverageState.ANALYSED


def test_a_buffer_behind_the_tables_belongs_to_the_model() -> None:
    start = len(model(buffers=[{1: Number("Q", 64), 2: Number("Q", 64)}]))
    start += -start % 16
    data = model(buffers=[{1: Number("Q", start), 2: Number("Q", 64)}])
    data = data.ljust(start, b"\0") + struct.pack("<16f", *[0.5] * 16)
    assert not inspect(data, "model.tflite").findings


def test_what_stands_in_a_buffer_is_looked_into() -> None:
    program = b"\x80\x04cposix\nsystem\n\x8c\x02id\x85R." + bytes(20)
    assert "MSP1001" in rules(model(buffers=[{0: program}]), "model.tflite")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_change_of_bytes_makes_the_reader_fail(data: st.DataObject) -> None:
    samples = (model(), flex("ReadFile", "/etc/passwd"), model(buffers=[{0: strings("a", "b")}]))
    made = bytearray(data.draw(st.sampled_from(samples)))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(made) - 5))
        made[at : at + 4] = data.draw(st.one_of(st.binary(min_size=4, max_size=4), st.just(b"\xff\xff\xff\x7f")))
    inspect(bytes(made), "model.tflite")
