"""Pickles where text stands, functions as bytecode, members of enumerations, modules that pickles import."""

import base64
import json

import pytest

from fixtures.make.assemble import PROTO4, call, items, name, number, pickle, raw, text
from fixtures.make.native import HONEST as LIBRARY
from modelscan_plus.core.finding import Severity
from tests.samples import inspect, inspect_tree

ACTS = pickle(call(name("posix", "system"), text("id")))
HARMLESS = pickle(items(text("a"), number(3)) + b"0" + text("spaces of a game"))
SERIALIZED = ":serialized:"


def worst(data: bytes, file: str) -> Severity | None:
    found = [finding.severity for finding in inspect(data, file).findings]
    return max(found, key=lambda severity: severity.rank, default=None)


def in_json(value: object) -> bytes:
    return json.dumps({"policy": {":type:": "<class 'function'>", SERIALIZED: value}, "seed": 3}).encode()


@pytest.mark.parametrize(
    "value",
    [
        base64.b64encode(ACTS).decode(),
        base64.urlsafe_b64encode(ACTS).decode().rstrip("="),
        base64.encodebytes(ACTS).decode(),
        base64.b64encode(b"cposix\nsystem\n(Vid\ntR.").decode(),
        ACTS.hex(),
        list(ACTS),
    ],
)
def test_a_pickle_in_json_is_judged_by_what_it_does(value: object) -> None:
    assert worst(in_json(value), "data") is Severity.CRITICAL


@pytest.mark.parametrize(
    "value", [base64.b64encode(HARMLESS).decode(), list(HARMLESS), [128, 4, 3, 2, 1, 0, 0, 0, 1], "gASV", [0.5] * 40]
)
def test_numbers_and_harmless_pickles_in_json_are_not(value: object) -> None:
    assert worst(in_json(value), "data") in (None, Severity.INFO, Severity.LOW)


CLOUD = "cloudpickle.cloudpickle"


def function(names: bytes, cell: bytes = number(3)) -> bytes:
    """As cloudpickle writes a function inside of a function."""
    kind = call(name(CLOUD, "_builtin_type"), text("CodeType"))
    counts = [number(value) for value in (1, 0, 0, 1, 1, 19)]
    texts = [text("x.py"), text("func"), text("make.<locals>.func")]
    code = call(
        kind, *counts, raw(b"\x95\x01\x97\0\x89\x01S\0"), b"N\x85", names, text("_") + b"\x85", *texts, number(1),
        raw(b""), raw(b""), text("val") + b"\x85", b")",
    )  # fmt: skip
    closure = call(name(CLOUD, "_make_empty_cell")) + b"\x85"
    made = call(name(CLOUD, "_make_function"), code, b"}", b"N", b"N", closure)
    return pickle(made + b"0" + call(name(CLOUD, "_make_cell"), cell))


def test_a_function_without_names_only_computes() -> None:
    assert worst(function(b")"), "schedule.pkl") is Severity.MEDIUM


@pytest.mark.parametrize(
    "data",
    [
        function(text("system") + b"\x85"),
        function(b")", name("builtins", "getattr")),
        function(b")", name("pandas", "read_pickle")),
        pickle(call(call(name(CLOUD, "_builtin_type"), text("ModuleType")), text("m"))),
    ],
)
def test_one_with_names_or_functions_in_its_closure_is_told(data: bytes) -> None:
    assert worst(data, "schedule.pkl") in (Severity.HIGH, Severity.CRITICAL)


@pytest.mark.parametrize("argument", [number(1), text("step")])
def test_members_of_enumerations_are_objects_of_their_class(argument: bytes) -> None:
    assert worst(pickle(call(name("pyannote.core.task", "Problem"), argument)), "model.pkl") is Severity.MEDIUM


@pytest.mark.parametrize(
    ("called", "arguments"),
    [
        ("Problem", [text("/etc/passwd")]),
        ("Problem", [text("id; reboot")]),
        ("Problem", [number(1), number(2)]),
        ("problem", [number(1)]),
        ("Popen", [text("reboot")]),
        ("RemoteClient", [text("host")]),
        ("Problem", []),
    ],
)
def test_other_calls_of_unknown_code_are_told(called: str, arguments: list[bytes]) -> None:
    assert worst(pickle(call(name("pyannote.core.task", called), *arguments)), "model.pkl") is Severity.HIGH


@pytest.mark.parametrize(
    ("module", "path"),
    [("fast", "fast.so"), ("lib.fast", "lib/fast.abi3.so"), ("models.fast.Net", "models/fast.so")],
)
def test_a_compiled_module_that_a_pickle_imports_is_told(module: str, path: str) -> None:
    data = PROTO4 + name(module, "Net") + b")\x81."
    assert "MSP5070" in {finding.rule for finding in inspect_tree({"model.pkl": data, path: LIBRARY})}


def test_one_that_it_does_not_import_is_not() -> None:
    data = PROTO4 + name("numpy.core", "ndarray") + b"."
    assert "MSP5070" not in {finding.rule for finding in inspect_tree({"model.pkl": data, "build/fast.so": LIBRARY})}


@pytest.mark.parametrize(("path", "told"), [("os.system", True), ("torch.nn.functional.relu", False)])
def test_what_hydra_looks_up_is_judged(path: str, told: bool) -> None:
    conf = f"act:\n  _target_: hydra.utils.get_method\n  path: {path}\n".encode()
    assert ("MSP5069" in {finding.rule for finding in inspect(conf, "conf.yaml").findings}) is told


@pytest.mark.parametrize(("layer", "told"), [("TFSMLayer", True), ("Dense", False)])
def test_keras_layers_that_load_another_model_are_told(layer: str, told: bool) -> None:
    conf = {"class_name": "Sequential", "module": "keras", "config": {"layers": []}}
    conf["config"] = {"layers": [{"module": "keras.layers", "class_name": layer, "config": {"filepath": "x"}}]}
    found = {finding.severity for finding in inspect(json.dumps(conf).encode(), "config.json").findings}
    assert (Severity.HIGH in found or Severity.CRITICAL in found) is told


def in_script(code: str) -> Severity | None:
    found = [finding.severity for finding in inspect_tree({"tools/load.py": code.encode()})]
    return max(found, key=lambda severity: severity.rank, default=None)


@pytest.mark.parametrize(
    "code",
    [
        "from safetensors import safe_open\nwith safe_open('a.st', 'pt') as f:\n    exec(f.metadata()['init'])",
        "import pickle\nfrom safetensors.numpy import load_file\npickle.loads(load_file('a.st')['x'].tobytes()[::-1])",
        "import numpy as np\nb = np.load('w.npy').view('u4') & 1\nexec(np.packbits(b.astype('u1')).tobytes())",
        "import os, torch\nsd = torch.load('w.pt', weights_only=True)\nos.system(bytes(sd['x'].tolist()).decode())",
        "import pickle\nb = bytes(x ^ 0x5a for x in open('w.dat', 'rb').read())\npickle.loads(b)",
    ],
)
def test_what_runs_what_weights_carry_is_told_wherever_it_stands(code: str) -> None:
    assert in_script(code) is Severity.CRITICAL


@pytest.mark.parametrize(
    "code",
    [
        "from safetensors import safe_open\nwith safe_open('a.st', 'pt') as f:\n    json.loads(f.metadata()['x'])",
        "import pickle\nmeta = pickle.load(open('meta.pkl', 'rb'))",
        "import torch\nmodel = torch.load('w.pt', weights_only=True)\nmodel['x'].tobytes()",
        "key = bytes(x ^ 0x5a for x in open('w.dat', 'rb').read())\nprint(key)",
    ],
)
def test_what_reads_weights_is_not(code: str) -> None:
    assert in_script(code) in (None, Severity.INFO, Severity.LOW)


@pytest.mark.parametrize(("module", "function"), [("torch.hub", "load"), ("pandas.io.pickle", "read_pickle")])
def test_a_function_that_fetches_or_unpickles_is_no_value(module: str, function: str) -> None:
    assert worst(pickle(items(name(module, function))), "model.pkl") in (Severity.HIGH, Severity.CRITICAL)
