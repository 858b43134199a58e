"""GGUF: what the reference writer makes is quiet, what is cut or changed never raises, a vocabulary costs little."""

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.make.gguf import SAMPLES, gguf, texts
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import FileSource
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.limits import Limits
from modelscan_plus.formats.summaries import TemplateSummary, TensorNames
from modelscan_plus.inspection import Inspector
from tests.samples import above_info, inspect, rules

HONEST = next(sample for sample in SAMPLES if sample.path == "honest/tiny.gguf").build()


def test_what_the_reference_writer_makes_is_quiet_and_its_vocabulary_stays_unread(tmp_path: Path) -> None:
    writer_of = pytest.importorskip("gguf", reason="the reference writer of GGUF is not installed")
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    path = tmp_path / "model.gguf"
    writer = writer_of.GGUFWriter(str(path), "llama")
    writer.add_block_count(2)
    writer.add_chat_template("{% for m in messages %}{{ m.content }}{% endfor %}")
    writer.add_token_list([f"token{number}" for number in range(20_000)])
    writer.add_tensor("a", numpy.zeros((64, 32), dtype=numpy.float32))
    writer.add_tensor("q", numpy.zeros((4, 36), dtype=numpy.uint8), raw_dtype=writer_of.GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    result = inspect(path.read_bytes(), "model.gguf")
    assert above_info(result) == []
    assert result.coverage.state is CoverageState.ANALYSED
    kinds = {type(stated.summary) for stated in result.summaries}
    assert {TemplateSummary, TensorNames} <= kinds


def test_of_a_large_file_the_header_is_read_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "large.gguf"
    tokens = [f"token{number}" for number in range(100_000)]
    path.write_bytes(gguf([("tokenizer.ggml.tokens", texts(tokens))], [("a", (1 << 28,), 0, 0)]))
    header = path.stat().st_size
    os.truncate(path, header + (1 << 30))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        source = FileSource(descriptor, path.stat().st_size)
        result = Inspector(Limits()).inspect(Artifact("large.gguf", source))
    finally:
        os.close(descriptor)
    assert result.findings == ()
    assert source.bytes_read < header + (2 << 20)


@given(st.integers(0, len(HONEST) - 1), st.binary(min_size=0, max_size=9), st.booleans())
@settings(max_examples=150, deadline=None)
def test_changed_and_cut_files_never_raise(position: int, replacement: bytes, cut: bool) -> None:
    data = HONEST[:position] + replacement + (b"" if cut else HONEST[position + len(replacement) :])
    result = inspect(data, "model.gguf")
    assert result.coverage.state is not CoverageState.UNREADABLE


@pytest.mark.parametrize("size", [40, 80, 200, len(HONEST) - 1])
def test_a_cut_file_is_never_complete_and_quiet(size: int) -> None:
    result = inspect(HONEST[:size], "model.gguf")
    assert above_info(result) or result.coverage.incomplete


def test_an_offset_far_away_does_not_hide_the_tensor() -> None:
    assert "MSP3023" in rules(gguf([], [("a", (8,), 0, (1 << 64) - 32)], bytes(32)), "a.gguf")


def test_a_size_that_wraps_in_64_bits_is_told() -> None:
    assert "MSP3022" in rules(gguf([], [("a", (1 << 32, 1 << 32), 0, 0)], bytes(32)), "a.gguf")


def test_an_array_of_arrays_is_refused_as_loaders_do() -> None:
    nested = (9, struct.pack("<IQIQ", 9, 1, 4, 0))
    assert "MSP3020" in rules(gguf([("a", nested)]), "a.gguf")


@pytest.mark.parametrize(
    ("key", "value", "wrong"),
    [
        ("tokenizer.ggml.tokens", (9, struct.pack("<IQ2I", 4, 2, 8, 8)), True),
        ("tokenizer.ggml.tokens", 7, True),
        ("tokenizer.ggml.scores", texts(["a"]), True),
        ("tokenizer.chat_template", 7, True),
        ("tokenizer.ggml.tokens", texts(["<s>", "a"]), False),
        ("tokenizer.ggml.token_type", (9, struct.pack("<IQ2i", 5, 2, 1, 3)), False),
        ("own.tokens", (9, struct.pack("<IQ2I", 4, 2, 8, 8)), False),
    ],
)
def test_keys_that_every_loader_reads_have_their_types(key: str, value: int | tuple[int, bytes], wrong: bool) -> None:
    found = above_info(inspect(gguf([("general.architecture", "llama"), (key, value)]), "model.gguf"))
    assert any("where loaders read" in each.message for each in found) is wrong
