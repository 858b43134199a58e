"""The operator table: canonical operators, their classes, and the names that front ends give them."""

import functools
import importlib.resources
import tomllib

import msgspec


class Operators(msgspec.Struct, frozen=True):
    """data/operators.toml, read once."""

    classes: dict[str, str]
    """Class by canonical name."""
    onnx: dict[str, str]
    """Canonical name by ONNX operator."""
    aten: dict[str, str]
    """Canonical name by TorchScript operator, without namespace and overload."""


UNKNOWN = "unknown"


@functools.cache
def operators() -> Operators:
    """The table."""
    text = (importlib.resources.files("modelscan_plus.graph.data") / "operators.toml").read_text("utf-8")
    classes: dict[str, str] = {UNKNOWN: UNKNOWN}
    onnx: dict[str, str] = {}
    aten: dict[str, str] = {}
    for group, entries in tomllib.loads(text).items():
        for canonical, names in entries.items():
            classes[canonical] = group
            for_onnx, _, for_aten = str(names).partition("|")
            onnx |= dict.fromkeys(for_onnx.split(), canonical)
            aten |= dict.fromkeys(for_aten.split(), canonical)
    return Operators(classes, onnx, aten)
