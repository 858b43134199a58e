"""What hides a Python source from its reader, whether or not it can be parsed."""

import ast
from collections.abc import Iterable, Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.facts import Disguise
from modelscan_plus.formats.text.verdicts import dictated

_CODING = lazy(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_PLAIN_CODINGS = frozenset(
    "utf-8 utf8 utf-8-sig ascii us-ascii latin-1 latin1 iso-8859-1 iso-8859-15 cp1252 utf_8 latin_1".split()
)
_FAR = lazy(r"(?<![ \t])[ \t]{160,}[^\s#\\]")


def disguises(text: str) -> Iterator[Disguise]:
    """What hides the source from a reader, whether or not it can be parsed."""
    for number, line in enumerate(text.splitlines()[:2], 1):
        found = _CODING.match(line)
        if found and found.group(1).lower() not in _PLAIN_CODINGS:
            yield Disguise("encoding", shorten(visible(line), 120), found.group(1), number)
    hidden = prose.hidden_characters(text)
    if hidden and hidden.kind != "zero-width":
        around = text[max(0, hidden.position - 40) : hidden.position + 40]
        detail = f"{hidden.count:,} {hidden.kind} characters"
        yield Disguise("hidden", shorten(visible(around), 160), detail, line_at(text, hidden.position))
    far = _FAR.search(text)
    if far and text.rfind("\n", 0, far.start()) + 1 < far.start():
        rest = text[far.end() - 1 : far.end() + 120].split("\n")[0]
        detail = "code behind a long run of blanks"
        yield Disguise("far-right", shorten(visible(rest), 160), detail, line_at(text, far.start()))
    if order := dictated(text):
        yield Disguise("verdict", order[0], order[0], line_at(text, order[1]))
    for part in prose.encoded_parts(text):
        if part.kind in ("elf", "pe") or (part.kind == "text" and _CODE.search(part.decoded)):
            shown = shorten(text[part.position : part.position + part.length], 80)
            yield Disguise("encoded", shown, part.decoded, line_at(text, part.position))


_CODE = lazy(
    r"\b(?:import\s+\w+|exec|eval|os\.system|subprocess|__import__|socket|curl|wget|powershell|/bin/(?:ba)?sh|bash -|"
    r"urlopen|requests\.)"
)


def orders(nodes: Iterable[ast.AST]) -> Iterator[Disguise]:
    """Descriptions of tools that speak to the model which reads them, behind the back of its user."""
    for node in nodes:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or not node.decorator_list:
            continue
        if not any("tool" in ast.unparse(each)[:200].lower() for each in node.decorator_list):
            continue
        text = " ".join((ast.get_docstring(node) or "").split())[:_LONGEST]
        if found := prose.steals(text) or prose.overrides(text) or prose.conceals(text):
            yield Disguise("orders", shorten(visible(text), 160), found, node.lineno)


_LONGEST = 20_000
