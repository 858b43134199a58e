"""What the archive parsers state. Each problem has a code; the rules decide what it means."""

import msgspec

from modelscan_plus.core.facts import Facts


class Problem(msgspec.Struct, frozen=True):
    """One place where readers could take the archive differently, or where it leads out of its folder."""

    code: str
    message: str
    offset: int
    member: str = ""
    """Name as stored; "" for the archive itself."""
    accounts: tuple[str, str, str, str] | None = None
    """Two accounts that disagree: (label, value, label, value)."""


class ArchiveFacts(Facts, frozen=True):
    """The problems of one archive, the first of each code and member."""

    problems: tuple[Problem, ...]
    omitted: int = 0
    """Further problems that were counted only."""


class Problems:
    """Collects problems; hostile archives can hold one per member, so there is a bound for each code."""

    def __init__(self, keep: int = 20) -> None:
        self._kept: list[Problem] = []
        self._counts: dict[str, int] = {}
        self._keep = keep
        self.omitted = 0

    def add(
        self,
        code: str,
        message: str,
        offset: int,
        member: str = "",
        accounts: tuple[str, str, str, str] | None = None,
    ) -> None:
        """Note one problem at an offset of the archive."""
        self._counts[code] = self._counts.get(code, 0) + 1
        if self._counts[code] <= self._keep:
            self._kept.append(Problem(code, message, offset, member, accounts))
        else:
            self.omitted += 1

    def facts(self) -> tuple[ArchiveFacts, ...]:
        """One `ArchiveFacts`, or nothing where nothing was noted."""
        return (ArchiveFacts(tuple(self._kept), self.omitted),) if self._kept else ()
