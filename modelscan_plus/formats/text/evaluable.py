"""Lines of a list that are Python expressions with calls in them.

Some tokenizers read their vocabulary with `eval`, line by line: a number, a literal, a number. A literal calls nothing.
Whether something evaluates the file is known only when the whole target is in (rules/reach.py).
"""

import ast
import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, shorten, visible
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.python.parsing import parse

_MAY_CALL = lazy(
    r"^.{0,1000}?\b(?:__\w+__|exec|eval|open|compile|getattr|globals|breakpoint|system|popen)\b.{0,200}?\(.{0,1000}$",
    re.M,
)
_LOOKED = 2000
_LONGEST = 2000


def evaluable_remarks(text: str) -> Iterator[Remark]:
    """The first line that would do something when it, or its middle, were evaluated."""
    for found in itertools.islice(_MAY_CALL.finditer(text), _LOOKED):
        line = found.group()
        parts = line.strip(), line.strip().partition(" ")[2], line[line.find(" ") + 1 : line.rfind(" ")].strip()
        if len(line) <= _LONGEST and any(map(_calls, parts)):
            number = line_at(text, found.start())
            yield Remark(
                "evaluable", "holds an expression that calls something", shorten(visible(line.strip()), 160), number
            )
            return


def _calls(part: str) -> bool:
    tree = parse(part) if part else ""
    if isinstance(tree, str) or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return False
    return any(isinstance(node, ast.Call) for node in ast.walk(tree))
