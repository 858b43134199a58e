"""Models that are made to hurt whoever runs them: bombs, depth, numbers that are far too large, files of others."""

import functools
import json
import struct
from collections.abc import Callable

import numpy as np
from onnx import TensorProto, helper

from tests.probe.language import tiny
from tests.probe.onnx.models import graph, node

_IMAGE = ("n", 3, 8, 8)
_HEAD = [node("GlobalAveragePool", "h", "p"), node("Flatten", "p", "f"), node("Gemm", "f w b", "y")]
_WEIGHTS = {"w": np.ones((3, 6), np.float32), "b": np.zeros(6, np.float32)}


def _image(*nodes: object, **more: object) -> bytes:
    weights = _WEIGHTS | more.pop("weights", {})  # type: ignore[operator]
    return graph([*nodes, *_HEAD], shape=_IMAGE, weights=weights, **more)  # type: ignore[arg-type,list-item]


def _constant(count: int) -> bytes:
    """One number repeated so often that it fills the memory."""
    filled = [node("ConstantOfShape", "s", "c"), node("ReduceSum", "c", "r"), node("Add", "x r", "h")]
    return _image(*filled, weights={"s": np.array([count, 1 << 10], np.int64)})


def _doubling() -> bytes:
    rows = [node("Concat", f"h{step} h{step}", f"h{step + 1}", axis=2) for step in range(60)]
    return _image(node("Relu", "x", "h0"), *rows, node("Relu", "h60", "h"))


def _expand() -> bytes:
    rows = [node("GlobalAveragePool", "x", "g"), node("Expand", "g s", "h")]
    return _image(*rows, weights={"s": np.array([1, 3, 1 << 20, 1 << 20], np.int64)})


def _pads() -> bytes:
    weights = {"k": np.ones((3, 3, 3, 3), np.float32)}
    return _image(node("Conv", "x k", "h", pads=[1 << 30] * 4), weights=weights)


def _scales() -> bytes:
    return _image(node("Resize", "x - s", "h"), weights={"s": np.array([1, 1, 1e9, 1e9], np.float32)})


def _many() -> bytes:
    rows = [node("Identity", f"h{step}", f"h{step + 1}") for step in range(60_000)]
    return _image(node("Relu", "x", "h0"), *rows, node("Relu", "h60000", "h"))


def _loop() -> bytes:
    body = helper.make_graph(
        [node("Identity", "c", "c2"), node("Identity", "v", "v2")],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("c2", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v2", TensorProto.FLOAT, None),
        ],
    )
    return _image(node("Loop", "t - x", "h", body=body), weights={"t": np.array(1 << 62, np.int64)})


def _nested() -> bytes:
    inner = helper.make_graph(
        [node("Identity", "x", "o")], "g", [], [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)]
    )
    for _ in range(25):
        branch = helper.make_node("If", ["c"], ["o"], then_branch=inner, else_branch=inner.__class__())
        inner = helper.make_graph([branch], "g", [], [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)])
    return _image(
        helper.make_node("If", ["c"], ["h"], then_branch=inner, else_branch=inner.__class__()),
        weights={"c": np.array(True)},
    )


def _foreign() -> bytes:
    return _image(helper.make_node("Shell", ["x"], ["h"], domain="com.example"), domains=("com.example",))


def _external() -> bytes:
    import onnx

    model = onnx.ModelProto.FromString(_image(node("Relu", "x", "h")))
    tensor = next(one for one in model.graph.initializer if one.name == "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../../etc/passwd"
    return bytes(model.SerializeToString())


def _truncated() -> bytes:
    return _image(node("Relu", "x", "h"))[:-40]


ONNX: dict[str, Callable[[], bytes]] = {
    "constant-4-tb": lambda: _constant(1 << 30),
    "constant-2-gb": lambda: _constant(1 << 19),
    "doubling": _doubling,
    "expand": _expand,
    "pads": _pads,
    "scales": _scales,
    "many-nodes": _many,
    "loop": _loop,
    "nested-if": _nested,
    "foreign-operator": _foreign,
    "external-data": _external,
    "truncated": _truncated,
}
"""Files by name."""


def _tensors(shapes: dict[str, tuple[int, ...]], claimed: int | None = None) -> bytes:
    """A safetensors file of zeros; `claimed` is a length of its header that is not so."""
    header: dict[str, object] = {}
    end = 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text + bytes(end)


def honest_image() -> bytes:
    """What the hostile ones are made from."""
    return _image(node("Relu", "x", "h"))


@functools.cache
def honest_text() -> dict[str, bytes]:
    """The files of a small text classifier."""
    return {name: tiny.as_bytes(part) for name, part in tiny.saved(tiny.bert()).items()}


def _folder(**changes: object) -> dict[str, bytes]:
    """The honest one with other files, as bytes or JSON; `config` and `tokenizer` are what changes in those two."""
    files = dict(honest_text())
    for name, key in (("config.json", "config"), ("tokenizer.json", "tokenizer")):
        files[name] = json.dumps(json.loads(files[name]) | changes.pop(key, {})).encode()  # type: ignore[operator]
    return files | changes  # type: ignore[return-value]


def _deep() -> dict[str, bytes]:
    files = _folder()
    files["config.json"] = files["config.json"].rstrip()[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    return files


_SPLIT = {"type": "Split", "behavior": "Isolated", "invert": False}
_GROWING = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 1000}

FOLDERS: dict[str, Callable[[], dict[str, bytes]]] = {
    "huge-hidden": lambda: _folder(config={"hidden_size": 1 << 40}),
    "many-layers": lambda: _folder(config={"num_hidden_layers": 10**9}),
    "huge-vocabulary": lambda: _folder(config={"vocab_size": 1 << 50}),
    "deep-config": _deep,
    "no-such-tensors": lambda: _folder(**{"model.safetensors": _tensors({"x": (2, 2)})}),
    "header-too-long": lambda: _folder(**{"model.safetensors": _tensors({"x": (2, 2)}, claimed=1 << 62)}),
    "regex": lambda: _folder(
        tokenizer={
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": "((a+)+)+$"},
                "behavior": "Isolated",
                "invert": False,
            }
        }
    ),
    "replace-bomb": lambda: _folder(tokenizer={"normalizer": {"type": "Sequence", "normalizers": [_GROWING] * 50}}),
    "remote-code": lambda: _folder(
        config={"auto_map": {"AutoModel": "modeling_x.Model"}, "model_type": "x", "architectures": ["Model"]},
        **{"modeling_x.py": b"open('/tmp/x', 'w')\n"},
    ),
}
"""Folders of files by name."""
