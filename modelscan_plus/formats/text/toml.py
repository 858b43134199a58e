"""TOML, read where that takes no longer than its length says.

`tomllib` joins the parts of a dotted key to a tuple once for each part: a key of 20,000 dots takes it seconds, one of a
megabyte an hour. No key that people write has more than a few.
"""

import tomllib

from modelscan_plus.core.limits import BudgetExceeded

DOTS = 300
"""Dots of one line up to which it is read."""


def read_toml(text: str) -> dict[str, object] | None:
    """The tables, None where the text is not TOML; raises `BudgetExceeded` where reading it would take too long."""
    if any(line.count(".") > DOTS for line in text.split("\n")):
        raise BudgetExceeded("budget-text", f"a line of more than {DOTS} dots, which TOML may take for one key")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):  # of dates out of range, and of lists in lists, besides its own
        return None
