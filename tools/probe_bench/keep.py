"""Rows that a benchmark has measured, in a file, so that a run that was cut off goes on from there; and the one table
that several benchmarks write parts of."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from modelscan_plus.probe.language import sweeps

_SWEEPS = Path(sweeps.__file__).parents[1] / "data" / sweeps.TABLE


class Kept:
    """Named rows, one JSON line each; without a file, nothing is kept."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._rows: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                name, row = json.loads(line)
                self._rows[name] = row

    @classmethod
    def of(cls, arguments: Sequence[str]) -> "Kept":
        """As `--rows FILE` among the arguments says."""
        place = arguments.index("--rows") if "--rows" in arguments else -1
        return cls(Path(arguments[place + 1]) if place >= 0 else None)

    def get(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The row of that name, measured where there is none yet. The name must say all that the row depends on."""
        if name not in self._rows:
            self._rows[name] = measure()
            if self._path is not None:
                with self._path.open("a") as file:
                    file.write(json.dumps([name, self._rows[name]]) + "\n")
        return self._rows[name]

    def zoo(self, label: str, tasks: Callable[[], Iterable[tuple[str, Callable[[], dict[str, Any]]]]]) -> list[Any]:
        """The rows of a zoo, (name, measure) each. `tasks` trains it, so it is called only where a row is missing; the
        label must say all that the zoo depends on."""

        def measured() -> dict[str, Any]:
            return {"models": [self.get(f"{label} {name}", measure) for name, measure in tasks()]}

        rows: list[Any] = self.get(label, measured)["models"]
        return rows


def write_sweeps(kind: str, scores: Sequence[float]) -> None:
    """One kind's part of the table of the sweeps: the largest score of every honest model."""
    table = json.loads(_SWEEPS.read_text())
    table["kinds"][kind] = sorted(round(score, 4) for score in scores)
    _SWEEPS.write_text(json.dumps(table) + "\n")
