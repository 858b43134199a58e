"""npy: every array that numpy writes is silent, objects are read as pickles, and headers are never evaluated."""

import contextlib
import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.make.payloads import PAYLOAD
from fixtures.make.tensors import npy
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.identity import unexplained
from modelscan_plus.formats.interface import Parsed
from modelscan_plus.formats.tensors.facts import NpyFacts
from modelscan_plus.formats.tensors.npy import NpyFormat
from modelscan_plus.formats.tensors.npy_header import HeaderFault, read_header
from tests.samples import above_info, inspect, rules

HEADER = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"


def described(descr: str, shape: str = "(1,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def parse(data: bytes) -> list[Parsed]:
    return list(NpyFormat().parse(Artifact("a.npy", BytesSource(data)), Budget(Limits())))


def facts(data: bytes) -> NpyFacts:
    first = parse(data)[0].facts[0]
    assert isinstance(first, NpyFacts)
    return first


def codes(data: bytes) -> list[str]:
    return [problem.code for problem in facts(data).problems]


DTYPES = """? b B h H i I l L q Q e f d g F D G c S0 S5 U0 U3 V0 V8 M8 M8[ns] M8[25s] m8[D] m8 >f4 <i2 >c16 >U4
f4,i4 i4,(2,3)f8 S3,f2,?""".split()


@pytest.mark.parametrize("descr", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3)])
def test_arrays_of_every_dtype_are_silent_and_fully_accounted_for(descr: str, shape: tuple[int, ...]) -> None:
    numpy = pytest.importorskip("numpy", reason="real arrays need numpy")
    silent(numpy.zeros(shape, dtype=descr))


def silent(*arrays: object) -> None:
    numpy = pytest.importorskip("numpy", reason="real arrays need numpy")
    file = io.BytesIO()
    for array in arrays:
        numpy.save(file, array)
    data = file.getvalue()
    result = inspect(data, "a.npy")
    assert result.findings == ()
    assert result.coverage.state is CoverageState.ANALYSED
    regions = [region for part in parse(data) for region in part.regions]
    assert unexplained(regions, len(data)) == []


def test_structured_arrays_are_silent() -> None:
    numpy = pytest.importorskip("numpy", reason="real arrays need numpy")
    nested = numpy.dtype([("a", "<f4"), ("b", [("c", "S3"), ("d", "<i8", (2, 2))], (3,)), ('it\'s "é"', "?")])
    aligned = numpy.dtype({"names": ["a", "b"], "formats": ["i1", "f8"]}, align=True)
    titled = numpy.dtype([(("a title", "a"), "<f4"), ("b", "V3")])
    wide = numpy.dtype([(f"column {number}", "<f8") for number in range(200)])
    for dtype in (nested, aligned, titled, wide):
        silent(numpy.zeros((2, 2), dtype=dtype))


def test_arrays_in_fortran_order_and_matrices_are_silent() -> None:
    numpy = pytest.importorskip("numpy", reason="real arrays need numpy")
    silent(numpy.asfortranarray(numpy.ones((3, 4))))
    silent(numpy.ma.ones(3).data, numpy.arange(3), numpy.float32(1))


def test_several_arrays_in_one_file_are_read_one_by_one() -> None:
    numpy = pytest.importorskip("numpy", reason="real arrays need numpy")
    silent(numpy.arange(3), numpy.ones((2, 2)), numpy.array(["a"]))
    second = npy(HEADER, bytes(16)) + npy(described("'|O'"), PAYLOAD)
    assert "MSP1001" in rules(second, "a.npy")


def test_memory_maps_and_all_versions_are_silent() -> None:
    numpy = pytest.importorskip("numpy", reason="real arrays need numpy")
    for version in ((1, 0), (2, 0), (3, 0)):
        file = io.BytesIO()
        numpy.lib.format.write_array(file, numpy.ones(3), version=version)
        assert inspect(file.getvalue(), "a.npy").findings == ()


def test_object_arrays_are_pickles_and_say_so() -> None:
    numpy = pytest.importorskip("numpy", reason="real arrays need numpy")
    for array in (numpy.array([{"a": 1}, "b"], dtype=object), numpy.zeros(2, dtype=[("a", "O"), ("b", "f4")])):
        file = io.BytesIO()
        numpy.save(file, array, allow_pickle=True)
        result = inspect(file.getvalue(), "a.npy")
        assert above_info(result) == []
        assert [finding.rule for finding in result.findings] == ["MSP3103"]
        assert result.coverage.state is CoverageState.ANALYSED


@pytest.mark.parametrize(
    "descr",
    [
        "'|O'", "'O'", "'object'", "'|O8'", "[('a', '<f4'), ('b', '|O')]", "[('a', [('b', [('c', 'O', (2,))])])]",
        "('|O', (2,))",
    ],
)  # fmt: skip
def test_objects_at_any_level_hand_the_data_on_as_a_pickle(descr: str) -> None:
    data = npy(described(descr), PAYLOAD)
    assert facts(data).objects
    found = inspect(data, "a.npy").findings[0]
    assert (found.rule, found.location.members) == ("MSP1001", ("object-array.pkl",))


@pytest.mark.parametrize(
    "header",
    [
        described("'|O'") + "# comment",
        described("'|' 'O'"),
        described("'\\x4f'") + "  (",
        described("b'O'"),
        described("[('a', '|O'), *[]]"),
        "dict(descr='|O')",
        described("'|O'", "[1]"),
        described("'|O'", "(-1,)"),
        described("'|O'", "(99999999999999999999999,)"),
        described("'3O'"),
        described("'f4,O'"),
        described("'|O'").replace("False", "0"),
        "{'descr': '|O', 'shape': (1,)}",
        "[" * 5000,
        "",
    ],
)
def test_what_numpy_never_writes_is_a_fault_and_the_pickle_is_still_found(header: str) -> None:
    data = npy(header, PAYLOAD)
    assert "header" in codes(data)
    result = inspect(data, "a.npy")
    assert {"MSP1001", "MSP3101"} <= {finding.rule for finding in result.findings}
    assert result.coverage.executable_gap


def test_a_version_that_does_not_exist_is_a_fault() -> None:
    assert codes(npy(HEADER, bytes(16), version=(9, 1))) == ["version"]


@pytest.mark.parametrize("length", range(12))
def test_a_file_that_ends_in_its_first_fields_is_a_fault(length: int) -> None:
    data = npy(HEADER, b"")[:length]
    assert "npy" not in inspect(data, "a.npy").formats if length < 6 else "MSP3101" in rules(data, "a.npy")


def test_old_headers_with_long_integers_are_read() -> None:
    header = read_header("{'descr': '<f8', 'fortran_order': False, 'shape': (3L, 4L)}  \n")
    assert header.shape == (3, 4)


def test_a_repeated_key_is_a_fault() -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'descr': '<f4', 'shape': (2,)}"
    assert codes(npy(header, bytes(8))) == ["duplicate-key"]


def test_missing_data_is_a_fault_and_surplus_data_is_not_accounted_for() -> None:
    assert codes(npy(HEADER, bytes(15))) == ["truncated"]
    data = npy(HEADER, bytes(17))
    regions = [region for part in parse(data) for region in part.regions]
    assert unexplained(regions, len(data)) == [(len(data) - 1, len(data))]


@pytest.mark.parametrize(
    ("shape", "severity"),
    [
        ("(4294967296, 4294967296)", "high"),
        ("(0, 4611686018427387904)", "high"),
        ("(" + "99999999, " * 600 + ")", "high"),
        ("(1000000, 1000000)", "medium"),
    ],
)
def test_sizes_that_cannot_be_meant_are_shape_bombs(shape: str, severity: str) -> None:
    result = inspect(npy(described("'<f8'", shape), bytes(16)), "a.npy")
    above = [(item.rule, item.severity) for item in result.findings if item.severity != "info"]
    assert above == [("MSP3102", severity)]


def test_a_header_larger_than_numpy_reads_by_default_is_still_read() -> None:
    columns = ", ".join(f"('column {number}', '<f8')" for number in range(800))
    result = inspect(npy(described(f"[{columns}]"), bytes(6400), version=(2, 0)), "a.npy")
    assert [(item.rule, item.severity) for item in result.findings] == [("MSP3101", "low")]


def test_a_header_too_large_to_read_is_a_gap_and_what_follows_is_looked_at() -> None:
    header = described("'|O'") + " " * (1 << 20)
    result = inspect(npy(header, PAYLOAD, version=(2, 0)), "a.npy")
    assert result.coverage.executable_gap
    assert "MSP1001" in {finding.rule for finding in result.findings}


def test_a_header_length_beyond_the_file_is_a_fault() -> None:
    data = b"\x93NUMPY\x02\x00" + struct.pack("<I", 0xFFFFFFFF) + HEADER.encode()
    assert codes(data) == ["header-beyond-end"]


@given(st.text(alphabet="{}()[],:'\"\\ dOf8<|TrueL109#\n", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_header_or_a_fault(header: str) -> None:
    with contextlib.suppress(HeaderFault):
        read_header(header)
    inspect(npy(header, PAYLOAD), "a.npy")


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_what_numpy_loads_is_understood(data: st.DataObject) -> None:
    """A changed header that numpy still takes must be read the same way, or be a fault."""
    numpy = pytest.importorskip("numpy", reason="the oracle is not installed")
    raw = bytearray(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", bytes(16)))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(8, 66))] = data.draw(st.sampled_from(b"0123456789<>|fiuOSV'\", (){}:"))
    ours = facts(bytes(raw)) if raw[:6] == b"\x93NUMPY" else None
    try:
        array = numpy.load(io.BytesIO(bytes(raw)), allow_pickle=False)
    except Exception:  # numpy raises what it likes; only its successes are compared
        return
    if ours is not None and not ours.problems:
        assert (ours.shape, ours.declared_bytes) == (array.shape, array.nbytes)
