"""Errors for the person at the keyboard, each one line that says what, where and what to do.

Untrusted bytes never raise these: what is wrong with a model is a coverage reason or a finding.
"""


class ModelscanPlusError(Exception):
    """Base of every error this package raises on purpose."""


class UsageError(ModelscanPlusError):
    """The request cannot be carried out as given: a bad option, a bad policy file, a missing path (exit 2)."""


class MissingExtra(UsageError):
    """A part that is installed separately is absent."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs the [{extra}] extra: pip install "modelscan-plus[{extra}]"')


class NotAllowed(ModelscanPlusError):
    """Raised by `require_allowed`: the verdict is not "allowed". `report` holds the evidence."""

    def __init__(self, message: str, report: object) -> None:
        super().__init__(message)
        self.report = report
