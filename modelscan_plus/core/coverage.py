"""Coverage: what was read and understood, an axis of its own beside the findings."""

import enum

import msgspec


class CoverageState(enum.StrEnum):
    """How completely one file was analysed, from best to worst."""

    ANALYSED = "analysed"
    PARTIAL = "partial"
    NOT_ANALYSED = "not_analysed"
    UNREADABLE = "unreadable"


class CoverageReason(msgspec.Struct, frozen=True):
    """Why a file is not fully analysed, or which part of it is deliberately left unread."""

    code: str
    """A stable word: "budget-opcodes", "timeout", "unknown-format", "lfs-pointer", "encrypted", …"""
    message: str
    """For a person: what was left out and where."""
    executable: bool = False
    """True when a loader could run code from what was left out; policy weighs such gaps more."""


class Coverage(msgspec.Struct, frozen=True):
    """Coverage of one file."""

    state: CoverageState
    reasons: tuple[CoverageReason, ...] = ()
    bytes_read: int = 0

    @property
    def incomplete(self) -> bool:
        """True unless everything that a loader interprets was read."""
        return self.state is not CoverageState.ANALYSED

    @property
    def executable_gap(self) -> bool:
        """True when code could hide in what was not analysed."""
        return self.incomplete and any(reason.executable for reason in self.reasons)
