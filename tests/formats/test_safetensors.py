"""safetensors: what the library loads is silent, what it refuses is stated, and nothing hangs or raises."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.make.tensors import Header, safetensors, tensor
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.identity import unexplained
from modelscan_plus.formats.interface import HEAD, Parsed, View
from modelscan_plus.formats.tensors.dtypes import DTYPE_BITS
from modelscan_plus.formats.tensors.facts import SafetensorsFacts
from modelscan_plus.formats.tensors.safetensors import LIBRARY_CAP, SafetensorsFormat
from tests.samples import above_info, inspect

FORMAT = SafetensorsFormat()
DIFFERENTIAL = {"leading-blanks", "list-entry"}
"""Faults that library version 0.8 forgives and other readers do not."""


def parse(data: bytes, limits: Limits | None = None) -> list[Parsed]:
    return list(FORMAT.parse(Artifact("model.safetensors", BytesSource(data)), Budget(limits or Limits())))


def facts(data: bytes) -> SafetensorsFacts:
    first = parse(data)[0].facts[0]
    assert isinstance(first, SafetensorsFacts)
    return first


def claims(data: bytes, name: str = "model.bin", *, payload: bool = False) -> bool:
    artifact = Artifact(name, BytesSource(data), payload=payload)
    return FORMAT.claims(View(artifact, data[:HEAD], data))


def codes(data: bytes) -> set[str]:
    return {problem.code for problem in facts(data).problems}


def refused(data: bytes) -> bool:
    """Our answer to whether the library refuses the file."""
    parsed = parse(data)
    stated = parsed[0].facts[0]
    assert isinstance(stated, SafetensorsFacts)
    regions = [region for part in parsed for region in part.regions]
    faults = {problem.code for problem in stated.problems} - DIFFERENTIAL
    nested_duplicate = any(item.path == "__metadata__" or "dtype" in item.path for item in stated.duplicates)
    return bool(faults or stated.overlaps or nested_duplicate or unexplained(regions, len(data)))


def library_refuses(data: bytes) -> bool:
    library = pytest.importorskip("safetensors", reason="the oracle is not installed")
    try:
        library.deserialize(data)
    except library.SafetensorError:
        return True
    return False


ONE = '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'
CASES = {
    "plain": (ONE, b"xx"),
    "no tensors": ("{}", b""),
    "no tensors but data": ("{}", b"abc"),
    "blanks before": ("\n\t " + ONE, b"xx"),
    "blanks behind": (ONE + "\n\t ", b"xx"),
    "zeros behind": (ONE + "\0", b"xx"),
    "text behind": (ONE + "x", b"xx"),
    "tail": (ONE, b"xxy"),
    "cut data": (ONE, b"x"),
    "field twice": ('{"a":{"dtype":"U8","dtype":"I8","shape":[2],"data_offsets":[0,2]}}', b"xx"),
    "metadata twice": ('{"__metadata__":{"a":"b"},"__metadata__":{"a":"c"}}', b""),
    "unknown field": ('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"x":[{"y":null}]}}', b"xx"),
    "metadata number": ('{"__metadata__":{"a":1}}', b""),
    "metadata null": ('{"__metadata__":null}', b""),
    "metadata list": ('{"__metadata__":[]}', b""),
    "metadata like a tensor": ('{"__metadata__":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', b"xx"),
    "other key order": ('{"a": {"data_offsets": [0, 2], "shape": [2], "dtype": "U8"}}', b"xx"),
    "wide blanks": ('{ "a" : { "dtype" :"U8",\n"shape":[ 2 ],"data_offsets":[0 ,2] } }', b"xx"),
    "list entry": ('{"a":["U8",[2],[0,2]]}', b"xx"),
    "float size": ('{"a":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}}', b"xx"),
    "exponent": ('{"a":{"dtype":"U8","shape":[2e0],"data_offsets":[0,2]}}', b"xx"),
    "leading zero": ('{"a":{"dtype":"U8","shape":[02],"data_offsets":[0,2]}}', b"xx"),
    "negative sizes": ('{"a":{"dtype":"U8","shape":[-2,-1],"data_offsets":[0,2]}}', b"xx"),
    "truth as size": ('{"a":{"dtype":"U8","shape":[true,2],"data_offsets":[0,2]}}', b"xx"),
    "three offsets": ('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2,3]}}', b"xx"),
    "no offsets": ('{"a":{"dtype":"U8","shape":[2]}}', b"xx"),
    "reversed": ('{"a":{"dtype":"U8","shape":[0],"data_offsets":[2,0]}}', b"xx"),
    "unknown dtype": ('{"a":{"dtype":"U128","shape":[2],"data_offsets":[0,2]}}', b"xx"),
    "lower-case dtype": ('{"a":{"dtype":"u8","shape":[2],"data_offsets":[0,2]}}', b"xx"),
    "empty name": ('{"":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', b"xx"),
    "scalar": ('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', b"1234"),
    "half a byte": ('{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}', b"xx"),
    "half bytes": ('{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}', b"xx"),
    "overflow and zero": ('{"a":{"dtype":"U8","shape":[1099511627776,1099511627776,0],"data_offsets":[0,0]}}', b""),
    "zero and overflow": ('{"a":{"dtype":"U8","shape":[0,1099511627776,1099511627776],"data_offsets":[0,0]}}', b""),
    "offsets of 2^63": (
        '{"a":{"dtype":"U8","shape":[0],"data_offsets":[9223372036854775808,9223372036854775808]}}',
        b"",
    ),
    "offsets of 2^64": ('{"a":{"dtype":"U8","shape":[0],"data_offsets":[18446744073709551616,0]}}', b""),
    "lone surrogate": ('{"__metadata__":{"a":"\\ud800"}}', b""),
    "surrogate pair": ('{"__metadata__":{"a":"\\ud83d\\ude00"}}', b""),
    "control character": ('{"__metadata__":{"a":"\n"}}', b""),
    "not a number": ('{"__metadata__":{"a":NaN}}', b""),
    "single quotes": ("{'a':1}", b""),
    "trailing comma": (ONE[:-1] + ",}", b"xx"),
    "deep": ('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"x":' + "[" * 3000 + "]" * 3000 + "}}", b"xx"),
    "list": ("[]", b""),
    "byte order mark": ("\ufeff" + ONE, b"xx"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_agrees_with_the_library(case: str) -> None:
    header, data = CASES[case]
    built = safetensors(header.encode(), data)
    assert refused(built) == library_refuses(built)


_SMALL = st.integers(0, 8)
_ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from([*DTYPE_BITS, "U4"]),
        "shape": st.lists(_SMALL, max_size=2),
        "data_offsets": st.tuples(_SMALL, _SMALL),
    }
)


@given(st.dictionaries(st.sampled_from("abc"), _ENTRY, max_size=3), st.binary(max_size=10))
@settings(max_examples=300, deadline=None)
def test_it_agrees_with_the_library_on_made_up_layouts(header: Header, data: bytes) -> None:
    built = safetensors(header, data)
    assert refused(built) == library_refuses(built)


@given(st.lists(st.tuples(st.sampled_from(sorted(DTYPE_BITS)), st.integers(0, 5)), max_size=6), st.randoms())
@settings(max_examples=100, deadline=None)
def test_every_file_laid_out_by_the_rules_is_silent(tensors: list[tuple[str, int]], random: object) -> None:
    header: Header = {}
    end = 0
    for number, (dtype, size) in enumerate(tensors):
        length = DTYPE_BITS[dtype] * size  # eight rows of `size` items
        header[f"layer.{number}"] = tensor(dtype, [8, size], end, end + length)
        end += length
    built = safetensors(header, bytes(end))
    assert not library_refuses(built)
    assert inspect(built, "model.safetensors").findings == ()


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_header_bytes_become_facts(header: bytes) -> None:
    built = safetensors(b"{" + header)
    result = inspect(built, "model.safetensors")
    assert "safetensors" in result.formats  # bytes in it can make another format too
    assert refused(built) == library_refuses(built)


def test_real_files_of_every_dtype_are_silent(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="real tensors need torch")
    save = pytest.importorskip("safetensors.torch", reason="the writer is not installed").save
    types = """float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool float8_e4m3fn float8_e5m2
    float8_e4m3fnuz float8_e5m2fnuz complex64 uint16 uint32 uint64""".split()
    tensors = {name: torch.ones(3, 5).to(getattr(torch, name)) for name in types}
    tensors |= {"empty": torch.zeros(0, 4), "scalar": torch.tensor(1.0)}
    result = inspect(save(tensors, metadata={"format": "pt"}), "model.safetensors")
    assert result.findings == ()
    assert result.coverage.state is CoverageState.ANALYSED


def test_real_files_without_tensors_or_with_odd_names_are_silent() -> None:
    numpy = pytest.importorskip("numpy", reason="real arrays need numpy")
    save = pytest.importorskip("safetensors.numpy", reason="the writer is not installed").save
    for tensors in ({}, {'quo"ted \\ é 层': numpy.arange(3)}, {f"{n}": numpy.ones(n) for n in range(200)}):
        assert inspect(save(tensors), "model.safetensors").findings == ()


def test_the_dtype_table_is_the_library_s() -> None:
    for dtype, bits in DTYPE_BITS.items():
        assert not library_refuses(safetensors({"a": tensor(dtype, [8], 0, bits)}, bytes(bits)))


@pytest.mark.parametrize("path", ["w", "\\u0077"])
def test_a_repeated_name_is_found_however_it_is_written(path: str) -> None:
    entry = '{"dtype":"U8","shape":[1],"data_offsets":[%d,%d]}'
    header = f'{{"w":{entry % (0, 1)},"{path}":{entry % (1, 2)}}}'
    assert [item.path for item in facts(safetensors(header.encode(), b"xx")).duplicates] == ["w"]


def test_repeated_keys_are_found_at_every_level() -> None:
    header = (
        b'{"__metadata__":{"k":"1","k":"2"},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":[{"y":1,"y":2}]}}'
    )
    assert [item.path for item in facts(safetensors(header)).duplicates] == ["__metadata__ › k", "a › x › y"]


def test_a_header_longer_than_the_file_is_malformed_and_not_read() -> None:
    built = struct.pack("<Q", 5000) + ONE.encode()
    assert codes(built) == {"header-beyond-end"}
    assert inspect(built, "model.safetensors").coverage.state is CoverageState.PARTIAL


def test_a_header_above_the_library_s_cap_cannot_be_loaded_but_is_not_called_hostile() -> None:
    class Sparse(BytesSource):
        def __init__(self) -> None:
            super().__init__(struct.pack("<Q", LIBRARY_CAP + 1) + b'{"a')
            self.size = LIBRARY_CAP + 100

    parsed = list(FORMAT.parse(Artifact("m.safetensors", Sparse()), Budget(Limits())))
    stated = parsed[0].facts[0]
    assert isinstance(stated, SafetensorsFacts)
    assert [problem.code for problem in stated.problems] == ["header-too-large"]
    assert parsed[0].gaps[0].code == "budget-header"


def test_a_smaller_limit_on_headers_is_a_gap_and_no_fault() -> None:
    parsed = parse(safetensors(ONE.encode(), b"xx"), Limits(max_header=10))
    assert parsed[0].gaps[0].code == "budget-header"
    assert parsed[0].facts == (SafetensorsFacts(header_length=len(ONE), tensors=0),)


def test_a_million_empty_lists_end_at_the_budget() -> None:
    built = safetensors(b'{"a":[' + b"[]," * 1_100_000 + b"[]]}")
    result = inspect(built, "model.safetensors")
    assert [reason.code for reason in result.coverage.reasons] == ["budget-header"]


def test_names_of_tensors_cannot_reach_the_terminal_raw() -> None:
    header = {"\x1b[2Jw": tensor("F32", [2], 0, 4)}
    message = facts(safetensors(header, bytes(4))).problems[0].message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("data", "name", "claimed"),
    [
        (safetensors(b"{}"), "model.bin", True),
        (safetensors(ONE.encode(), b"xx"), "renamed.pkl", True),
        (safetensors(b"\n " + ONE.encode(), b"xx"), "model.bin", True),
        (safetensors(b" " * 5000 + ONE.encode(), b"xx"), "model.bin", True),
        (safetensors(ONE.encode())[:30], "cut.bin", True),
        (struct.pack("<Q", 1 << 40) + ONE.encode(), "model.bin", False),
        (struct.pack("<Q", 1 << 40) + ONE.encode(), "model.safetensors", True),
        (b"abc", "model.safetensors", True),
        (bytes(64), "model.safetensors", True),
        (bytes(64), "model.bin", False),
        (b"Not found: {}", "model.safetensors", False),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "model.safetensors", False),
        (b"PK\3\4\x14\0\0\0" + bytes(40), "model.safetensors", False),
        (b'template{"a": 1}', "notes.json", False),
    ],
)
def test_claims_go_by_content_and_a_name_only_adds(data: bytes, name: str, claimed: bool) -> None:
    assert claims(data, name) is claimed


def test_a_shard_is_an_ordinary_file() -> None:
    header = {"__metadata__": {"format": "pt"}, "layers.7.w": tensor("BF16", [4], 0, 8)}
    result = inspect(safetensors(header, bytes(8)), "model-00002-of-00003.safetensors")
    assert result.findings == ()


def test_a_tail_is_left_to_the_rules_of_identity() -> None:
    parsed = parse(safetensors(ONE.encode(), b"xx" + b"PK\3\4"))
    regions = [region for part in parsed for region in part.regions]
    assert unexplained(regions, 8 + len(ONE) + 6) == [(8 + len(ONE) + 2, 8 + len(ONE) + 6)]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_mutations_of_an_honest_file_never_raise(data: st.DataObject) -> None:
    header = {"__metadata__": {"k": "v"}, "a": tensor("F32", [2], 0, 8), "b": tensor("U8", [4], 8, 12)}
    raw = bytearray(safetensors(header, bytes(12)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    inspect(bytes(raw), "model.safetensors")
    assert refused(bytes(raw)) == library_refuses(bytes(raw))


def test_long_metadata_of_trainers_is_silent() -> None:
    tags = json.dumps({f"img_{n}": {"import os; exec()": n, "__init__": n} for n in range(20_000)})
    built = safetensors({"__metadata__": {"ss_tag_frequency": tags}})
    assert above_info(inspect(built, "lora.safetensors")) == []
