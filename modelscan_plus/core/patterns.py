"""`lazy`: a regular expression that is compiled when it is first used.

A scan of one small file uses a few of the two hundred patterns of the rules; compiling all of them would be a tenth of
its time. Repeats that would give back in vain are made possessive (core/possessive.py), so that no run of spaces takes
time that grows with its square.
"""

import re
from typing import Any, AnyStr, cast

from modelscan_plus.core import possessive


class _Lazy:
    def __init__(self, pattern: Any, flags: int) -> None:
        self._given = (pattern, flags)

    def __getattr__(self, name: str) -> Any:
        compiled = possessive.compiled(*self._given)
        for method in ("search", "match", "fullmatch", "finditer", "findall", "sub", "subn", "split"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def lazy(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """As `re.compile`, but a wrong pattern shows at its first use (tests/core/test_patterns.py uses every one)."""
    return cast("re.Pattern[AnyStr]", _Lazy(pattern, flags))
