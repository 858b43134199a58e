"""Compiled files that programs of the repository load."""

import struct

import pytest

from fixtures.make.payloads import ELF
from modelscan_plus.rules.compiled import LOADS_COMPILED
from tests.samples import inspect_tree

PYC = b"\xa7\r\r\n" + struct.pack("<III", 0, 1_700_000_000, 10) + b"\xe3" + bytes(30)
HASHED = b"\xa7\r\r\n" + struct.pack("<III", 1, 7, 7) + b"\xe3" + bytes(30)


def loaded(files: dict[str, bytes | str]) -> set[str]:
    found = inspect_tree({path: data.encode() if isinstance(data, str) else data for path, data in files.items()})
    return {each.subject.partition("\0")[2] for each in found if each.rule == LOADS_COMPILED.id}


@pytest.mark.parametrize(
    ("code", "path", "data"),
    [
        ("import fast", "fast.so", ELF),
        ("from fast import run", "fast.cp311-win_amd64.pyd", ELF),
        ("from lib.fast import run", "lib/fast.abi3.so", ELF),
        ("import sys\nsys.path.insert(0, 'vendor')\nimport fast", "vendor/fast.so", ELF),
        ("import engine", "engine.pyc", PYC),
        ("import ctypes, os\nctypes.CDLL(os.path.join(HERE, 'bin', 'libx.so.1'))", "bin/libx.so.1", ELF),
        ("import ctypes\nctypes.CDLL('./weights.dat')", "weights.dat", ELF),
        ("import torch\ntorch.ops.load_library('ops.so')", "ops.so", ELF),
        ("import cffi\nffi = cffi.FFI()\nffi.dlopen('./ops.so')", "ops.so", ELF),
        ("import glob, ctypes\nfor p in glob.glob('*.so'):\n    ctypes.CDLL(p)", "ops.so", ELF),
        ("import onnxruntime as o\ns = o.SessionOptions()\ns.register_custom_ops_library('ops.so')", "ops.so", ELF),
        ("import importlib.util as u\nu.spec_from_file_location('m', 'lib/m.so')", "lib/m.so", ELF),
        ("import runpy\nrunpy.run_path('boot.pyc')", "boot.pyc", PYC),
        ("import subprocess\nsubprocess.run(['./bin/tool', '--serve'])", "bin/tool", ELF),
        ("import numpy as np\nnp.ctypeslib.load_library('libx', '.')", "libx.so", ELF),
        ("import helper", "__pycache__/helper.cpython-311.pyc", HASHED),
    ],
)  # fmt: skip
def test_a_compiled_file_that_a_program_loads(code: str, path: str, data: bytes) -> None:
    assert loaded({"app.py": code, path: data}) == {path}


def test_code_that_a_configuration_names_is_followed() -> None:
    config = '{"auto_map": {"AutoModel": "modeling_x.M"}}'
    files: dict[str, bytes | str] = {
        "config.json": config, "modeling_x.py": "from .inner.a import b", "inner/a.py": "from . import fast",
        "inner/fast.so": ELF,
    }  # fmt: skip
    assert loaded(files) == {"inner/fast.so"}
    assert loaded({"config.json": config, "modeling_x.so": ELF}) == {"modeling_x.so"}


@pytest.mark.parametrize(
    ("code", "path", "data"),
    [
        ("import torch", "build/lib/fast/_C.so", ELF),
        ("import helper", "__pycache__/helper.cpython-311.pyc", PYC),
        ("import ctypes\nctypes.CDLL(None)", "build/x.so", ELF),
        ("import ctypes, ctypes.util\nctypes.CDLL(ctypes.util.find_library('c'))", "build/x.so", ELF),
        ("import subprocess\nsubprocess.run(['ldd', 'build/x.so'])", "build/x.so", ELF),
        ("class T:\n    def go(self):\n        self.books.load_library('novels')", "build/x.so", ELF),
    ],
)
def test_a_compiled_file_that_nothing_loads(code: str, path: str, data: bytes) -> None:
    assert loaded({"app.py": code, path: data}) == set()


def test_the_inside_of_a_built_package_is_no_program() -> None:
    files: dict[str, bytes | str] = {
        "README.md": "# kernels\n", "build/torch26-cu124/act/__init__.py": "from . import _C\n",
        "build/torch26-cu124/act/_C.abi3.so": ELF,
    }  # fmt: skip
    assert loaded(files) == set()
