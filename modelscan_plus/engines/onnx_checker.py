"""onnx.checker: whether the reference library of the format takes a model for valid.

It is handed the bytes of the model, so files beside it are not at hand: what it says about external data that is not
there is left out, our own rules judge that. Source: onnx 1.23.
"""

import importlib
import re
from collections.abc import Iterator
from types import ModuleType

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.opinion import Listing, Remark
from modelscan_plus.engines.interface import Engine, NoOpinion

_MAX_SIZE = 64 << 20
"""Bytes of a model that it is given: it parses the whole of it, weights too, and keeps a copy."""
_ELSEWHERE = re.compile(r"external data|doesn't exist or is not accessible|should be stored in", re.I)


class OnnxChecker(Engine):
    """The engine; `load` before use."""

    name = "onnx"
    title = "onnx.checker (reference library)"
    distribution = "onnx"
    needs = "it needs no more than numpy and protobuf"
    extra = "onnx"

    def __init__(self) -> None:
        self._checker: ModuleType

    def load(self) -> None:
        self._checker = importlib.import_module("onnx.checker")

    def reads(self, artifact: Artifact, formats: tuple[str, ...]) -> bool:
        return "onnx" in formats and not artifact.payload

    def examine(self, artifact: Artifact, formats: tuple[str, ...]) -> Iterator[Remark | Listing]:
        if artifact.source.size > _MAX_SIZE:
            raise NoOpinion(f"more than {_MAX_SIZE >> 20} MiB")
        try:
            self._checker.check_model(artifact.source.pread(0, _MAX_SIZE))
        except Exception as error:
            message = str(error).strip().partition("\n")[0]
            if _ELSEWHERE.search(str(error)):
                raise NoOpinion("it needs the external data of the model") from None
            yield Remark(self.name, "INVALID", message or type(error).__name__)
