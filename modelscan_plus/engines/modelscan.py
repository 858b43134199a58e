"""modelscan (ProtectAI): lists the imports of pickles and compares them with a block list; Lambda layers of .keras.

`modelscan.modelscan.ModelScan(settings)` loads its scanners; a `Model(source, stream)` goes through its middlewares,
which set formats by extension, and then through every scanner. It is given a deep copy of its default settings, since
it changes what it is given, and its command's ./modelscan-settings.toml, which a target could bring, is never read. Zip
members are handed to it one by one by our own reader. It installs below Python 3.13 only.
Source: modelscan 0.8.8.
"""

import copy
import importlib
import logging
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.opinion import Listing, Remark
from modelscan_plus.engines.interface import Engine, NoOpinion, as_file
from modelscan_plus.formats.kinds import extension

_MAX_SIZE = 32 << 20
"""Bytes of one pickle that it is given; it keeps a list of all opcodes."""
_OTHERS = frozenset({".keras", ".h5", ".pb"})
"""Contents other than pickles that it knows, by extension as it does."""


class Modelscan(Engine):
    """The engine; `load` before use."""

    name = "modelscan"
    title = "modelscan (ProtectAI)"
    distribution = "modelscan"
    needs = "it needs Python below 3.13"

    def __init__(self) -> None:
        self._settings: ModuleType
        self._model: ModuleType
        self._scan: ModuleType

    def load(self) -> None:
        self._settings = importlib.import_module("modelscan.settings")
        self._model = importlib.import_module("modelscan.model")
        self._scan = importlib.import_module("modelscan.modelscan")
        logging.getLogger("modelscan").addHandler(logging.NullHandler())
        logging.getLogger("modelscan").propagate = False
        self._scanner()  # imports the scanners

    def _scanner(self) -> Any:
        return self._scan.ModelScan(settings=copy.deepcopy(self._settings.DEFAULT_SETTINGS))

    def reads(self, artifact: Artifact, formats: tuple[str, ...]) -> bool:
        return not artifact.payload and ("pickle" in formats or extension(artifact.name) in _OTHERS)

    def examine(self, artifact: Artifact, formats: tuple[str, ...]) -> Iterator[Remark | Listing]:
        if artifact.source.size > _MAX_SIZE:
            raise NoOpinion(f"more than {_MAX_SIZE >> 20} MiB")
        scanner = self._scanner()
        model = self._model.Model(artifact.name.replace("\0", "_"), as_file(artifact.source))
        scanner._middleware_pipeline.run(model)
        if "pickle" in formats:
            known = self._settings.SupportedModelFormats.PICKLE
            model.set_context("formats", [*(model.get_context("formats") or []), known])
        scanner._scan_source(model)
        seen: set[tuple[str, str]] = set()
        for issue in scanner.issues.all_issues:
            details = issue.details
            name = (str(details.module), str(details.operator))
            if name not in seen:
                seen.add(name)
                message = f"Use of unsafe operator {name[1]} from module {name[0]}"
                yield Remark(self.name, str(issue.severity.name), message, ".".join(name))
        if scanner.errors:
            raise NoOpinion("; ".join(_spoken(error) for error in scanner.errors[:3]))


def _spoken(error: Any) -> str:
    text = str(getattr(error, "message", "") or error)
    return f"{type(error).__name__}: {text}"
