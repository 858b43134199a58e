"""The list of engines."""

from collections.abc import Sequence

from modelscan_plus.core.errors import UsageError
from modelscan_plus.engines.fickling import Fickling
from modelscan_plus.engines.interface import Engine
from modelscan_plus.engines.modelscan import Modelscan
from modelscan_plus.engines.onnx_checker import OnnxChecker

ENGINES: tuple[type[Engine], ...] = (Fickling, Modelscan, OnnxChecker)
NAMES = tuple(engine.name for engine in ENGINES)


def engine(name: str) -> Engine:
    """A fresh engine, not loaded; raises `UsageError` for a name that is none."""
    for known in ENGINES:
        if known.name == name:
            return known()
    raise UsageError(f"--engine {name}: there is no such engine; choose from {', '.join(NAMES)}")


def parse_names(given: Sequence[str]) -> tuple[str, ...]:
    """Engine names from options such as "fickling,modelscan", each once, in our order; raises `UsageError`."""
    wanted = {engine(part.strip()).name for text in given for part in text.split(",") if part.strip()}
    return tuple(name for name in NAMES if name in wanted)
