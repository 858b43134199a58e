"""Machine code: commands in it, libraries of compiled models, weights that are programs."""

import struct

import pytest

from fixtures.make.native import ARITHMETIC, COMPILED, HONEST, PIPED, elf, package
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from tests.samples import inspect
from tests.weights import safetensors


@pytest.mark.parametrize(
    "library",
    [
        elf(["system"], COMPILED),
        elf([*ARITHMETIC, "dlopen"], COMPILED),
        elf(ARITHMETIC, ["init"]),
        elf([], [], b"AOTInductorModel of its texts only, exported by nobody"),
        elf(ARITHMETIC, COMPILED, b"\xb8\x3b\0\0\0\x0f\x05"),
        b"\x7fELF\2\1\1" + bytes(200),
    ],
)
def test_a_package_with_another_library_is_told(library: bytes) -> None:
    assert [f.severity for f in inspect(package(library), "m.pt2").findings if f.rule == "MSP2013"] == [Severity.HIGH]


def test_what_aotinductor_builds_is_complete() -> None:
    result = inspect(package(HONEST), "model.pt2")
    assert result.coverage.state is CoverageState.ANALYSED
    assert "compiled-model" in [reason.code for reason in result.coverage.reasons]
    assert {finding.rule for finding in result.findings} == {"MSP2011"}


@pytest.mark.parametrize("needed", ["libevil.so", "/tmp/libtorch.so", "./libc.so.6"])
def test_with_a_library_of_nobody_it_is_not(needed: str) -> None:
    result = inspect(package(elf(ARITHMETIC, COMPILED, needed=needed)), "model.pt2")
    assert result.coverage.state is CoverageState.PARTIAL


def test_code_for_a_gpu_is_no_gap() -> None:
    result = inspect(package(elf([], ["kernel"], machine=190), "kernel.cubin"), "model.pt2")
    assert result.coverage.state is CoverageState.ANALYSED
    assert "MSP2013" not in {finding.rule for finding in result.findings}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (elf(["system"], ["init"], PIPED), "libops.so"),
        (package(elf(ARITHMETIC, COMPILED, PIPED)), "model.pt2"),
        (
            b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + bytes(20) + PIPED.decode().encode("utf-16-le"),
            "ops.pyd",
        ),
    ],
)
def test_a_command_in_machine_code_is_told(data: bytes, name: str) -> None:
    (finding,) = [finding for finding in inspect(data, name).findings if finding.rule == "MSP2012"]
    assert finding.severity is Severity.CRITICAL


def test_the_texts_of_an_honest_library_are_not() -> None:
    texts = b"usage: curl [options] URL\0set HTTPS_PROXY, then wget works\0python -m build\0/bin/sh: %s\0"
    assert "MSP2012" not in {finding.rule for finding in inspect(elf(["system"], ["main"], texts), "libx.so").findings}


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "openvino_model.bin", "classes.npy"])
def test_weights_that_are_a_program_are_told(name: str) -> None:
    found = inspect(HONEST, name).findings
    assert Severity.HIGH in [finding.severity for finding in found if finding.rule == "MSP2008"]


@pytest.mark.parametrize("name", ["libops.so", "firmware.bin"])
def test_a_program_under_its_own_name_is_not_misleading(name: str) -> None:
    assert "MSP2008" not in {finding.rule for finding in inspect(HONEST, name).findings}


def test_a_program_in_a_tensor_is_told() -> None:
    weights = safetensors({"a": [0.5]})
    header = weights[8:].partition(b"}}")[0].replace(b'"F32"', b'"U8"') + b"}}"
    header = header.replace(b'"shape": [1]', b'"shape": [%d]' % len(HONEST)).replace(
        b"[0, 4]", b"[0, %d]" % len(HONEST)
    )
    result = inspect(struct.pack("<Q", len(header)) + header + HONEST, "model.safetensors")
    assert Severity.HIGH in [finding.severity for finding in result.findings if finding.rule == "MSP3006"]
