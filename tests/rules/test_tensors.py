"""Judgement of tensor files: how severe, how often, and what stays silent."""

import base64
import json

import pytest

from fixtures.make.payloads import ELF, PAYLOAD
from fixtures.make.tensors import npy, safetensors, tensor
from modelscan_plus.core.finding import Finding
from tests.samples import inspect


def found(data: bytes, rule: str, file: str = "model.safetensors") -> list[Finding]:
    return [finding for finding in inspect(data, file).findings if finding.rule == rule]


def metadata(value: str, key: str = "note") -> bytes:
    return safetensors({"__metadata__": {key: value}})


def bytes_tensor(data: bytes, dtype: str = "U8") -> bytes:
    return safetensors({"state": tensor(dtype, [len(data)], 0, len(data))}, data)


@pytest.mark.parametrize(
    "value",
    [
        "<script>1</script>",
        "<SCRIPT src=x>",
        "<img src=x onerror=alert(1)>",
        "<iframe src=x>",
        "[x](javascript:alert(1))",
        "#!/bin/sh\ntrue",
        "#! /usr/bin/env python",
        "{{ cycler.__init__.__globals__.os }}",
        "{% set x = ''.__class__ %}",
        "{{ x|attr('_'*2) }}",
        base64.b64encode(b"PK\3\4\x14\0\0\0\0\0" + bytes(40)).decode(),
    ],
)
def test_metadata_for_an_interpreter_is_found(value: str) -> None:
    assert [finding.severity for finding in found(metadata(value), "MSP3005")] == ["medium"]


@pytest.mark.parametrize(
    "value",
    [
        "data: " + base64.b64encode(PAYLOAD + bytes(30)).decode(),
        "data: " + base64.urlsafe_b64encode(PAYLOAD + bytes(30)).decode(),
        base64.b64encode(ELF).decode(),
        base64.b64encode(b"\xe3" + bytes(60)).decode(),
    ],
)
def test_programs_and_pickles_in_metadata_are_no_record_of_a_training(value: str) -> None:
    assert [finding.severity for finding in found(metadata(value), "MSP3005")] == ["high"]


@pytest.mark.parametrize(
    "value",
    [
        "import os; os.system('id'); exec(eval(input()))",
        json.dumps({"a": json.dumps({"__class__": "x", "path": "/usr/bin/python"})}),
        "{{ user }} {% if x %} {{ message['content'] }} {% endif %} and __class__ in prose",
        "{{ unclosed __class__",
        "<lora:style:0.8>, (masterpiece:1.2), <b>bold</b>, 1 < script",
        "see #!/bin/sh in the docs",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(range(200))).decode(),
        "/home/user/training/experiments/2024/subject_with_a_rather_long_name/images",
        "javascript: the good parts",
    ],
)
def test_metadata_of_trainers_and_people_is_silent(value: str) -> None:
    assert inspect(metadata(value), "model.safetensors").findings == ()


def test_text_is_found_in_keys_names_and_unknown_fields_too() -> None:
    script = "<script>1</script>"
    entry = {**tensor("U8", [0], 0, 0), "extra": [{"deep": script}]}
    for header in ({"__metadata__": {script: ""}}, {script: tensor("U8", [0], 0, 0)}, {"w": entry}):
        assert found(safetensors(header), "MSP3005")


@pytest.mark.parametrize(
    ("data", "kind"), [(PAYLOAD, "pickle"), (ELF, "elf"), (b"PK\3\4\x14\0\0\0\0\0" + bytes(40), "zip")]
)
def test_files_in_byte_tensors_are_found(data: bytes, kind: str) -> None:
    for dtype in ("U8", "I8"):
        [finding] = found(bytes_tensor(data, dtype), "MSP3006")
        assert finding.message.endswith(f"of kind {kind}.")


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04" + bytes(range(64)),
        b"MZ" + bytes(200),
        b"(all the words)",
        b"PK\3\4" + b"\xff" * 40,
        b"c",
        b"",
        bytes(64),
    ],
)
def test_bytes_that_only_begin_alike_are_silent(data: bytes) -> None:
    assert inspect(bytes_tensor(data), "model.safetensors").findings == ()


def test_what_a_pickle_in_a_tensor_does_is_reported_at_its_place() -> None:
    [finding] = found(bytes_tensor(PAYLOAD), "MSP1001")
    assert finding.location.members == ("state",)


def test_many_faults_of_one_kind_are_one_finding() -> None:
    header = {f"w{number}": tensor("F32", [2], 4 * number, 4 * number + 4) for number in range(50)}
    [finding] = found(safetensors(header, bytes(200)), "MSP3001")
    assert "(50 times)" in finding.message


def test_many_repeated_keys_are_shown_up_to_a_number_and_counted() -> None:
    header = b"{" + b",".join(b'"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' for _ in range(60)) + b"}"
    findings = found(safetensors(header), "MSP3002")
    assert len(findings) == 20
    assert "39 more" in findings[-1].message


def test_a_hole_of_zeros_is_malformed_and_a_filled_one_hidden() -> None:
    header = {"a": tensor("U8", [1], 0, 1), "b": tensor("U8", [1], 9, 10)}
    assert found(safetensors(header, bytes(10)), "MSP3001")
    assert not found(safetensors(header, bytes(10)), "MSP3004")
    filled = safetensors(header, b"\1" * 10)
    assert [finding.severity for finding in found(filled, "MSP3004")] == ["high"]
    assert not found(filled, "MSP3001")


@pytest.mark.parametrize(
    ("padding", "rule", "severity"), [(b"\t\n", "MSP3004", "low"), (bytes(8), "MSP3001", "medium")]
)
def test_padding_that_hides_little_is_reported_accordingly(padding: bytes, rule: str, severity: str) -> None:
    assert [(item.rule, item.severity) for item in inspect(safetensors(b"{}" + padding), "m.safetensors").findings] == [
        (rule, severity)
    ]


def test_a_bomb_shows_declared_and_present_sizes() -> None:
    data = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", bytes(8))
    [finding] = found(data, "MSP3102", "a.npy")
    assert finding.message.startswith("dtype and shape multiply")
