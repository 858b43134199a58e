"""Collects what is wrong with a file, one entry for each kind of fault: hostile files can hold a million."""

from modelscan_plus.formats.tensors.facts import Problem


class Problems:
    """Counts faults by code and keeps the first of each."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, int]] = {}
        self._counts: dict[str, int] = {}

    def add(self, code: str, message: str, offset: int) -> None:
        """Note one fault at a file offset."""
        self._first.setdefault(code, (message, offset))
        self._counts[code] = self._counts.get(code, 0) + 1

    def noted(self, code: str) -> bool:
        """True when the message of a further fault of this kind would not be kept."""
        return code in self._first

    def all(self) -> tuple[Problem, ...]:
        """One `Problem` per code, in the order of first occurrence."""
        return tuple(
            Problem(code, message, offset, self._counts[code]) for code, (message, offset) in self._first.items()
        )
