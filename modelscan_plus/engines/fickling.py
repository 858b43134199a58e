"""fickling (Trail of Bits): decompiles pickles and runs its analyses over the program.

`fickling.fickle.Pickled.load` reads one pickle of a stream, `fickling.analysis.check_safety` gives results with a
severity, a message and the piece of code that triggered it. Legal opcodes that it does not know (EXT1, PERSID,
BYTEARRAY8) raise. `fickling.polyglot` and `fickling.pytorch` import torch and are never touched; its loaders, which
unpickle, are not either. It needs typing-extensions below Python 3.12 without saying so; our extra says it.
Source: fickling 0.1.12.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.opinion import Listing, Remark
from modelscan_plus.engines.interface import Engine, NoOpinion, as_file

_MAX_SIZE = 64 << 20
"""Bytes of one pickle file that it is given; it keeps several objects per opcode."""
_MAX_PICKLES = 200
_MAX_LINES, _MAX_WIDTH = 400, 240
_IMPORT = re.compile(r"from (\S+) import (\S+)")
_CALL = re.compile(r"(?:\w+: )?([A-Za-z_][\w.]*)\(")
_HARMLESS = "LIKELY_SAFE"
BUILTINS = frozenset({"builtins", "__builtin__", "__builtins__"})
"""Modules whose names fickling writes without an import."""


class Fickling(Engine):
    """The engine; `load` before use."""

    name = "fickling"
    title = "fickling (Trail of Bits)"
    distribution = "fickling"
    needs = "it needs Python 3.10 or later"

    def __init__(self) -> None:
        self._fickle: ModuleType
        self._analysis: ModuleType

    def load(self) -> None:
        self._fickle = importlib.import_module("fickling.fickle")
        self._analysis = importlib.import_module("fickling.analysis")

    def reads(self, artifact: Artifact, formats: tuple[str, ...]) -> bool:
        return "pickle" in formats and not artifact.payload

    def examine(self, artifact: Artifact, formats: tuple[str, ...]) -> Iterator[Remark | Listing]:
        if artifact.source.size > _MAX_SIZE:
            raise NoOpinion(f"more than {_MAX_SIZE >> 20} MiB")
        stream = as_file(artifact.source)
        for _ in range(_MAX_PICKLES):
            start = stream.tell()
            try:
                pickled = self._fickle.Pickled.load(stream, fail_on_decode_error=False)
            except self._fickle.EmptyPickleError:
                return
            if len(pickled) == 0 or stream.tell() <= start:
                return
            yield from self._remarks(pickled)
            yield _listing(pickled, start)
        raise NoOpinion(f"more than {_MAX_PICKLES} pickles in a row")

    def _remarks(self, pickled: Any) -> Iterator[Remark]:
        if pickled.has_invalid_opcode:
            yield Remark(self.name, "LIKELY_UNSAFE", "The pickle holds an opcode that is not valid")
        for result in self._analysis.check_safety(pickled).results:
            if result.severity.name != _HARMLESS:
                yield Remark(
                    self.name,
                    str(result.severity.name),
                    str(result.message or ""),
                    _callable(str(result.trigger or "")),
                )


def _callable(trigger: str) -> str:
    found = _IMPORT.match(trigger)
    if found:
        return f"{found[1]}.{found[2]}"
    called = _CALL.match(trigger)
    return called[1] if called else ""


def _listing(pickled: Any, start: int) -> Listing:
    tree = pickled.ast
    imports = {
        f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module not in BUILTINS
        for name in node.names
    }
    lines = ast.unparse(tree).splitlines()
    kept = [line if len(line) <= _MAX_WIDTH else line[: _MAX_WIDTH - 1] + "…" for line in lines[:_MAX_LINES]]
    if len(lines) > _MAX_LINES:
        kept.append(f"… {len(lines) - _MAX_LINES:,} more lines")
    return Listing("fickling", start, tuple(kept), frozenset(imports))
