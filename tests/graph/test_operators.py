"""The operator table knows every operator of the formats' own definitions."""

import pytest

from modelscan_plus.graph.operators import operators
from modelscan_plus.graph.transfer import TRANSFER

LOWERED = {"Constant", "If", "Loop", "Scan"}
"""Operators that the front end takes apart itself."""


def test_every_standard_operator_of_onnx_stands_in_the_table() -> None:
    onnx = pytest.importorskip("onnx")
    names = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain in ("", "ai.onnx.ml")}
    assert names - operators().onnx.keys() - LOWERED == set()


def test_every_class_has_a_transfer_function() -> None:
    assert set(operators().classes.values()) <= TRANSFER.keys()
