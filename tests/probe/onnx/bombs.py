"""Graphs that are made to hurt: small files that ask for terabytes, hours or files of the host, and lies."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.probe.onnx.models import graph, node

HUGE = 1 << 20
FILL = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])


def _ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def _w(*shape: int) -> np.ndarray:
    return np.ones(shape, dtype=np.float32)


def constant_of_shape(*sizes: int) -> bytes:
    """A constant of these sizes, summed up and added to the input."""
    nodes = [
        node("ConstantOfShape", "s", "c", value=FILL),
        node("ReduceSum", "c", "t", keepdims=0),
        node("Add", "x t", "y"),
    ]
    return graph(nodes, weights={"s": _ints(*sizes)})


def nested_if(depth: int, *, twice: bool = True) -> bytes:
    """Branches in branches, each of which may hold two: 2^depth of them."""
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    leaf = inner = helper.make_graph([node("Identity", "x")], "leaf", [], out)
    for _ in range(depth):
        step = node("If", "c", then_branch=inner, else_branch=inner if twice else leaf)
        inner = helper.make_graph([step], "branch", [], out)
    return graph(list(inner.node), weights={"c": np.bool_(True)})


def loop() -> bytes:
    """2^60 turns."""
    body = helper.make_graph(
        [node("Identity", "c", "d"), node("Identity", "v", "u")], "body",
        [helper.make_tensor_value_info(name, kind, []) for name, kind in (("i", 7), ("c", 9), ("v", 1))],
        [helper.make_tensor_value_info(name, kind, []) for name, kind in (("d", 9), ("u", 1))],
    )  # fmt: skip
    return graph([node("Loop", "n c x", body=body)], weights={"n": np.int64(1 << 60), "c": np.bool_(True)})


def external(location: str) -> bytes:
    """A weight in another file."""
    model = onnx.load_from_string(graph([node("Add", "x w", "y")], weights={"w": _w(6)}))
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", location
    return bytes(model.SerializeToString())


def sparse() -> bytes:
    """A sparse weight."""
    model = onnx.load_from_string(graph([node("Add", "x w", "y")]))
    sparse_one = model.graph.sparse_initializer.add()
    sparse_one.values.CopyFrom(helper.make_tensor("w", 1, [1], [1.0]))
    sparse_one.indices.CopyFrom(helper.make_tensor("i", 7, [1], [3]))
    sparse_one.dims.extend([6])
    return bytes(model.SerializeToString())


def function() -> bytes:
    """An operator that the model defines."""
    model = onnx.load_from_string(graph([node("Twice", "x", domain="own")], domains=["own"]))
    made = helper.make_function("own", "Twice", ["x"], ["y"], [node("Add", "x x")], [helper.make_opsetid("", 20)])
    model.functions.append(made)
    return bytes(model.SerializeToString())


def doubling(kind: str, count: int = 60) -> bytes:
    """Each node makes twice as much as the one before."""
    nodes, name = [], "x"
    for place in range(count):
        if kind == "Concat":
            nodes.append(node("Concat", f"{name} {name}", f"d{place}", axis=1))
        else:
            nodes.append(node(kind, f"{name} by", f"d{place}"))
        name = f"d{place}"
    weights = {"by": _ints(1, 2)} if kind == "Tile" else {}
    return graph([*nodes, node("Identity", name)], weights=weights)


def chain(count: int) -> bytes:
    """A long row."""
    nodes = [node("Relu", f"d{place}" if place else "x", f"d{place + 1}") for place in range(count)]
    return graph([*nodes, node("Identity", f"d{count}")])


def crowd(count: int) -> bytes:
    """As many nodes, of which the output needs one; they are written as bytes, which is faster than the library."""
    small = graph([node("Relu", "x")])
    parts = onnx.load_from_string(small)
    spare = node("Relu", "x", "-").SerializeToString()
    body = parts.graph.SerializeToString() + (b"\x0a" + bytes([len(spare)]) + spare) * count
    parts.ClearField("graph")
    return parts.SerializeToString() + b"\x3a" + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def wide(count: int) -> bytes:
    """Many inputs of one node."""
    return graph([node("Sum", " ".join(["x"] * count))])


def _one(
    kind: str, *weights: np.ndarray | None, shape: tuple[int | str, ...] = ("n", 3, 8, 8), **attributes: object
) -> bytes:
    named = {f"w{place}": value for place, value in enumerate(weights) if value is not None}
    inputs = ["x", *(f"w{place}" if value is not None else "-" for place, value in enumerate(weights))]
    nodes = [node(kind, " ".join(inputs), "m", **attributes), node("Flatten", "m")]
    return graph(nodes, shape=shape, weights=named)


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "4 TB of a constant": (lambda: constant_of_shape(HUGE, HUGE), "elements, more than"),
    "2^62 elements": (lambda: constant_of_shape(1 << 31, 1 << 31), "elements, more than|not accepted|computed"),
    "1.8 GB of a constant": (lambda: constant_of_shape(1 << 24, 27), "elements, more than"),
    "a shape of 13 dimensions": (lambda: constant_of_shape(*[2] * 13), "not accepted|dimensions"),
    "a shape below zero": (lambda: constant_of_shape(-1, 4), "not accepted"),
    "nested branches": (lambda: nested_if(20, twice=False), "branches or loops|malformed|too large"),
    "branches that double": (lambda: nested_if(8), "branches or loops"),
    "a loop": (loop, "branches or loops"),
    "another file": (lambda: external("weights.bin"), "other files"),
    "a file of the host": (lambda: external("../../etc/passwd"), "other files"),
    "sparse weights": (sparse, "sparse"),
    "an operator of its own": (function, "operators of its own"),
    "a foreign domain": (lambda: graph([node("Gelu", "x", domain="com.microsoft")], domains=["com.microsoft"]), "foreign domain"),
    "an unknown operator": (lambda: graph([node("Frobnicate", "x")]), "not known here"),
    "expand": (lambda: _one("Expand", _ints(1, 3, 1 << 40, 8), shape=("n", 3, 1, 8)), "elements, more than|computed"),
    "expand, a view": (lambda: _one("Expand", _ints(1 << 15, 3, 1 << 15, 8), shape=("n", 3, 1, 8)), "elements, more than"),
    "tile": (lambda: _one("Tile", _ints(1, 1 << 20, 1 << 20, 1)), "elements, more than|computed"),
    "range": (lambda: graph([node("Range", "a b c", "r"), node("Cast", "r", "f", to=1), node("ReduceSum", "f", "t", keepdims=0), node("Add", "x t", "y")],
                            weights={"a": np.int64(0), "b": np.int64(1 << 50), "c": np.int64(1)}), "range has"),
    "a range without end": (lambda: graph([node("Range", "a b c", "r"), node("Add", "x r", "y")],
                                          weights={"a": np.float32(0), "b": np.float32("inf"), "c": np.float32(1)}), "no end"),
    "resize": (lambda: _one("Resize", None, np.array([1, 1, 1e5, 1e5], np.float32)), "elements, more than|size of"),
    "resize to sizes": (lambda: _one("Resize", None, None, _ints(1, 3, 1 << 30, 1 << 30)), "do not fit"),
    "resize by a matrix": (lambda: _one("Resize", None, None, _ints(1, 3, 1 << 20, 1), mode="linear"), "interpolates"),
    "pad": (lambda: _one("Pad", _ints(0, 0, 1 << 30, 1 << 30, 0, 0, 1, 1)), "elements, more than|computed"),
    "pad by edges": (lambda: _one("Pad", _ints(0, 0, 0, 0, 0, 0, 0, 1 << 30), mode="edge"), "pads do not fit"),
    "concat": (lambda: doubling("Concat"), "elements"),
    "tile, again and again": (lambda: doubling("Tile"), "elements"),
    "a convolution with padding": (lambda: _one("Conv", _w(2, 3, 3, 3), pads=[1 << 24] * 4), "elements, more than"),
    "a convolution with 2^31 of padding": (lambda: _one("Conv", _w(2, 3, 3, 3), pads=[(1 << 31) - 1] * 4), "elements, more than|computed"),
    "a convolution that takes hours": (lambda: _one("Conv", _w(16, 64, 31, 31), shape=("n", 64, 730, 730)), "multiply-adds|elements"),
    "a transposed convolution": (lambda: _one("ConvTranspose", _w(3, 2, 3, 3), strides=[1 << 20] * 2), "elements, more than|computed"),
    "a window of padding": (lambda: _one("AveragePool", kernel_shape=[1 << 20] * 2, pads=[(1 << 20) - 1] * 4), "elements|computed"),
    "one hot": (lambda: graph([node("Cast", "x", "i", to=7), node("OneHot", "i d v", "o"), node("Flatten", "o")],
                              weights={"d": np.int64(1 << 40), "v": np.float32([0, 1])}), "depth"),
    "a formula": (lambda: graph([node("Einsum", "x w w w", "y", equation="ni,ab,cd,ef->nabcdef")], weights={"w": _w(200, 200)}), "elements"),
    "a formula without a result": (lambda: graph([node("Einsum", "x", "y", equation="..." * 60)]), "long formula"),
    "products that take hours": (lambda: graph([*[node("MatMul", f"m{i} w" if i else "w w", f"m{i + 1}") for i in range(5000)], node("MatMul", "x m5000")],
                                               shape=("n", 700), weights={"w": _w(700, 700)}), "multiply-adds"),
    "constants out of a shape": (lambda: graph([node("Shape", "x", "s"), node("Mul", "s thousands", "t"), node("ConstantOfShape", "t", "c"), node("MatMul", "x c")],
                                               shape=(1, 5), weights={"thousands": _ints(1000, 1000)}), "cannot be computed"),
    "many constants": (lambda: graph([*[node("ConstantOfShape", "s", f"c{i}") for i in range(400)], node("Sum", " ".join(["x", *(f"c{i}" for i in range(400))]))],
                                     weights={"s": _ints(1 << 20)}), "elements by the time"),
    "20 001 nodes": (lambda: chain(20_001), "nodes, more than"),
    "a million nodes": (lambda: crowd(1_000_000), "too large|nodes, more than"),
    "5 000 inputs": (lambda: wide(5_000), "takes 5,000 inputs"),
    "a circle": (lambda: graph([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Identity", "b")]), "circle"),
    "a circle of one": (lambda: graph([node("Add", "x y", "y")]), "circle"),
    "a value that nothing makes": (lambda: graph([node("Add", "x ghost", "y")]), "nothing makes"),
    "a value made twice": (lambda: graph([node("Relu", "x", "y"), node("Abs", "x", "y")]), "made twice"),
    "no input": (lambda: graph([node("Identity", "w")], weights={"w": _w(6)}), "inputs"),
    "an input of strings": (lambda: graph([node("Identity", "x")], dtype=TensorProto.STRING), "takes string"),
    "an input of one dimension": (lambda: graph([node("Identity", "x")], shape=(6,)), "two to four dimensions"),
    "an input of terabytes": (lambda: graph([node("Relu", "x")], shape=("n", HUGE, HUGE)), "elements, more than|sample"),
    "an input below zero": (lambda: graph([node("Relu", "x")], shape=("n", -5)), "open"),
    "a million classes": (lambda: graph([node("MatMul", "x w")], weights={"w": _w(6, 1_000_000)}), "numbers for each sample"),
    "labels": (lambda: graph([node("ArgMax", "x")]), "whole numbers"),
    "a single number": (lambda: graph([node("ReduceSum", "x axes")], weights={"axes": _ints(1)}), "single number"),
    "a shape out of the data": (lambda: graph([node("Cast", "x", "i", to=7), node("ReduceMax", "i axes", "s", keepdims=0),
                                               node("ConstantOfShape", "s", "y")], weights={"axes": _ints(0)}), "depends on the data"),
    "a lie about a shape": (lambda: graph([node("MatMul", "x w")], weights={"w": _w(7, 3)}), "cannot be computed"),
    "an older operator set": (lambda: graph([node("Relu", "x")], opset=6), "operator set 6"),
    "an operator set to come": (lambda: graph([node("Relu", "x")], opset=99), "operator set 99"),
    "training": (lambda: _one("BatchNormalization", _w(3), _w(3), _w(3), _w(3), training_mode=1), "training"),
    "nothing": (lambda: b"", "no graph|malformed"),
    "a pickle": (lambda: b"\x80\4cos\nsystem\n.", "malformed|no graph"),
    "half a model": (lambda: constant_of_shape(2, 3)[:-20], "malformed"),
}  # fmt: skip
"""By what they do; what the reason says."""
