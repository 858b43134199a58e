"""`python tools/build_tensorflow_operators.py WHEEL`: write rules/data/tensorflow_operators.json from a TensorFlow
wheel.

The wheel is read as an archive and not installed: the generated modules of tensorflow/python/ops name every operator of
the registry by which the runtime resolves a node.
"""

import json
import re
import sys
import zipfile
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "modelscan_plus" / "rules" / "data" / "tensorflow_operators.json"
_MODULE = re.compile(r"tensorflow/(?:python|lite|compiler|dtensor)\S*/gen_\w+\.py$|tensorflow/\S*/gen_\w*ops?\w*\.py$")
_OPERATOR = re.compile(rb"_apply_op_helper\(\s*\"(\w+)\"")
_VERSION = re.compile(r"tensorflow\w*-([\d.]+)")
OLD = (
    "BatchFFT BatchFFT2D BatchIFFT BatchMatrixBandPart BatchMatrixDiag BatchNormWithGlobalNormalization "
    "DecodeProto DeepCopy ReaderRead Unbatch"
).split()
"""Removed from the registry; old exports have them."""
HIDDEN = (
    "BigQueryReader GenerateBigQueryReaderPartitions HostConst KthOrderStatistic MakeUnique MlirPassthroughOp NegTrain "
    "Skipgram TPUCompile TPUCompileSucceededAssert TPUExecute TPUExecuteAndUpdateVariables TPUReshardVariables "
    "TPURoundRobin TextLineDatasetV2 TopKUnique TopKWithUnique TRTEngineOp XlaHostCompute XlaLaunch XlaLaunchV2 "
    "XlaRecvFromHost XlaSendToHost"
).split()
"""Registered in the runtime without a module of Python."""


def main(wheel: str) -> None:
    """Write the table."""
    names = {*OLD, *HIDDEN}
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if _MODULE.match(member):
                names.update(found.decode() for found in _OPERATOR.findall(archive.read(member)))
    version = _VERSION.search(Path(wheel).name)
    table = {
        "source": f"generated operator modules of TensorFlow {version[1] if version else '?'}",
        "operators": sorted(names),
    }
    TARGET.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
