"""Names in the schema of skops files."""

import io
import json
import zipfile

import pytest

from modelscan_plus.rules.skops import ACTS
from tests.samples import inspect

Node = dict[str, object]


def node(module: str, name: str, loader: str, **more: object) -> Node:
    return {"__module__": module, "__class__": name, "__loader__": loader, **more}


def text(value: str) -> Node:
    return node("builtins", "str", "JsonNode", content=json.dumps(value), is_json=True)


def items(*values: Node) -> Node:
    return node("builtins", "tuple", "TupleNode", content=list(values))


def fires(root: Node, pad: int = 0) -> bool:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        first = node("builtins", "list", "ListNode", content=[{"pad": "x" * 10}] * pad)
        archive.writestr("schema.json", json.dumps({**items(first, root), "protocol": 2, "_skops_version": "0.16.0"}))
    return any(found.rule == ACTS.id for found in inspect(held.getvalue(), "model.skops").findings)


@pytest.mark.parametrize(
    "root",
    [
        node("os", "system", "FunctionNode"),
        node("builtins", "eval", "TypeNode"),
        node("functools", "partial", "PartialNode", content={"func": node("subprocess", "run", "FunctionNode")}),
        node("builtins", "function", "FunctionNode", content={"module_path": "os", "function": "system"}),
        node("subprocess", "Popen", "ConstructorFromReduceNode", content=items(text("true"))),
        node("sklearn.linear_model._sgd_fast", "Log.__globals__", "FunctionNode"),
        node("operator", "call", "OperatorFuncNode", attrs=items(node("os", "system", "FunctionNode"), text("true"))),
        node("operator", "call", "OperatorFuncNode", attrs=items()),
        node("operator", "methodcaller", "OperatorFuncNode", attrs=items(text("system"), text("true"))),
        node("operator", "attrgetter", "OperatorFuncNode", attrs=items(text("f.__globals__"))),
        node("builtins", "list", "OperatorFuncNode", class_name="methodcaller", attrs=items(text("copy"))),
        node("a", "B", "MethodNode", content={"func": "__reduce__", "obj": node("a", "B", "ObjectNode")}),
        node("os", "X", "MethodNode", content={"func": "popen", "obj": node("b", "Y", "ObjectNode")}),
    ],
)
def test_names_that_act(root: Node) -> None:
    assert fires(root)


def test_however_much_stands_before_a_name_it_is_read() -> None:
    assert fires(node("os", "system", "FunctionNode"), pad=90_000)


@pytest.mark.parametrize(
    "root",
    [
        node("numpy", "log1p", "FunctionNode"),
        node("builtins", "function", "FunctionNode", content={"module_path": "numpy", "function": "log1p"}),
        node("functools", "partial", "PartialNode", content={"func": node("numpy", "clip", "FunctionNode")}),
        node("operator", "methodcaller", "OperatorFuncNode", attrs=items(text("strip"))),
        node("operator", "attrgetter", "OperatorFuncNode", attrs=items(text("T"))),
        node(
            "numpy", "ndarray", "MethodNode", content={"func": "mean", "obj": node("numpy", "ndarray", "NdArrayNode")}
        ),
        node(
            "sklearn.ensemble._forest", "RandomForestClassifier", "ObjectNode", content={"os.system": text("os.system")}
        ),
        text("os.system"),
    ],
)
def test_names_of_honest_files(root: Node) -> None:
    assert not fires(root)
