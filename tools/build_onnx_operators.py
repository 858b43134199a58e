"""`python tools/build_onnx_operators.py`: write rules/data/onnx_operators.json from the schemas of the onnx package.

Names of all operators of each standard domain, deprecated and experimental ones included, and the newest opset version.
"""

import json
from pathlib import Path

import onnx
from onnx import defs

TARGET = Path(__file__).resolve().parent.parent / "modelscan_plus" / "rules" / "data" / "onnx_operators.json"
OLD = (
    "ATen Affine ConstantFill Crop DynamicSlice ExperimentalDetectronDetectionOutput GRUUnit GivenTensorFill "
    "ImageScaler ParametricSoftplus Scale ScaledTanh"
).split()
"""Experimental operators of the domain ai.onnx that were removed before version 1.5; old exports have them."""


def main() -> None:
    """Write the table."""
    names: dict[str, set[str]] = {}
    for schema in defs.get_all_schemas_with_history():
        names.setdefault(schema.domain, set()).add(schema.name)
    names[""].update(OLD)
    table = {
        "source": f"schemas of onnx {onnx.__version__}",
        "ir_version": onnx.IR_VERSION,
        "opsets": {domain: defs.onnx_opset_version() if not domain else _newest(domain) for domain in sorted(names)},
        "operators": {domain: sorted(found) for domain, found in sorted(names.items())},
    }
    TARGET.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _newest(domain: str) -> int:
    return max(schema.since_version for schema in defs.get_all_schemas_with_history() if schema.domain == domain)


if __name__ == "__main__":
    main()
