"""Text that a template spells letter by letter, so that whoever reads the template does not see it; and what it puts
into the mouth of the model: a turn of the assistant that it begins itself with an address or a command.
"""

import re
from collections.abc import Iterator

from jinja2 import nodes

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.jinja.facts import Written
from modelscan_plus.formats.text.jinja.names import is_content
from modelscan_plus.formats.text.jinja.scope import Scope, key_of

_LETTERS = 8
"""Fewer are a test of single letters, and no text."""
_SHORT = 2
_PROMISES = lazy(
    r"\b(?:pip3?|npm|pnpm|yarn|cargo|brew|conda|uv|apt(?:-get)?)\s+(?:install|add|pip)\b|\b(?:npx|uvx|curl|wget)\s+\S"
    r"|\b(?:without|no)\s+(?:any\s+)?(?:limits?|restrictions?|rules|filters?|guardrails?)\b",
    re.I,
)
"""What no model begins an answer with by itself: installing something, and promising to do without rules."""
_BY_NUMBER = frozenset(("%c", "%s", "{}"))


def spelled(tree: nodes.Template, scope: Scope) -> Iterator[Written]:
    """Constants that are turned round, and loops that put text together from letters or their numbers."""
    for node in tree.find_all((nodes.Getitem, nodes.Filter)):
        turned = node.node if isinstance(node, (nodes.Getitem, nodes.Filter)) and _turns(node, scope) else None
        text = scope.folder.text(turned) if turned is not None else None
        turned_back = text[::-1] if text and isinstance(node, nodes.Filter) else None
        plain = turned_back or scope.folder.text(node)
        if text and plain and prose.words(plain) > 1:
            yield _encoded(text, plain, node.lineno)
        elif isinstance(node, nodes.Filter):
            yield from _cleared(node, scope)
    lists: list[nodes.List | nodes.Tuple] = [*tree.find_all(nodes.List), *tree.find_all(nodes.Tuple)]
    for each in lists:
        parts = [item.value for item in each.items if isinstance(item, nodes.Const) and isinstance(item.value, str)]
        text = "".join(parts)
        if len(parts) == len(each.items) > _LETTERS and max(map(len, parts)) <= _SHORT and prose.words(text) > 2:
            yield _encoded(" ".join(parts), text, each.lineno)
    for loop in tree.find_all(nodes.For):
        run = scope.folder.fold(loop.iter)
        key = key_of(loop.target)
        if key is None or not isinstance(run, (str, list)) or len(run) < _LETTERS:
            continue
        inside = loop.find_all((nodes.Getitem, nodes.Filter, nodes.Mod))
        letters = isinstance(run, str) or all(isinstance(item, int) for item in run)
        if letters and any(_looks_up(node, key, scope) for node in inside):
            yield _encoded(str(run), "text put together letter by letter", loop.lineno)


def _encoded(text: str, decoded: str, line: int) -> Written:
    return Written("encoded", shorten(visible(text), 80), shorten(visible(decoded), 160), line)


def _turns(node: nodes.Node, scope: Scope) -> bool:
    if isinstance(node, nodes.Filter):
        return node.name == "reverse"
    if not isinstance(node, nodes.Getitem) or not isinstance(node.arg, nodes.Slice) or node.arg.step is None:
        return False
    step = scope.folder.fold(node.arg.step)
    return isinstance(step, int) and step != 1


def _cleared(node: nodes.Filter, scope: Scope) -> Iterator[Written]:
    """A constant that only reads as text when signs between its letters are taken out."""
    held = scope.folder.text(node.node) if node.name == "replace" and node.node is not None else None
    plain = scope.folder.text(node) if held else None
    if held and plain and len(plain) < 0.8 * len(held) and prose.words(plain) > 1 + prose.words(held):
        yield _encoded(held, plain, node.lineno)


def _looks_up(node: nodes.Node, key: str, scope: Scope) -> bool:
    """True for a table of letters that is asked by the loop's variable, and for a letter by its number."""
    if isinstance(node, nodes.Getitem):
        constant = isinstance(scope.folder.fold(node.node), (str, list, dict))
        return constant and any(key_of(part) == key for part in [node.arg, *node.arg.find_all(nodes.Name)])
    if isinstance(node, nodes.Filter) and node.name == "format":
        return isinstance(node.node, nodes.Const) and node.node.value in _BY_NUMBER and _names(node, key)
    return isinstance(node, nodes.Mod) and isinstance(node.left, nodes.Const) and node.left.value == "%c"


def _names(node: nodes.Node, key: str) -> bool:
    return any(name.name == key for name in node.find_all(nodes.Name))


def begun(tree: nodes.Template, scope: Scope) -> Iterator[Written]:
    """What the model is made to have said already, when it is asked to speak."""
    for branch in tree.find_all(nodes.If):
        if not any(name.name == "add_generation_prompt" for name in _names_of(branch.test)):
            continue
        constants = list(_texts(branch.body))
        folded = [scope.folder.text(node) for part in branch.body for node in part.find_all(nodes.Output)]
        text = " ".join([*constants, *(each for each in folded if each)])
        if found := prose.URL.search(text) or _PROMISES.search(text):
            detail = "which the model is made to have said already"
            yield Written("url", shorten(visible(found.group()), 160), detail, branch.lineno)


def appended(tree: nodes.Template, scope: Scope) -> Iterator[Written]:
    """An address that is put behind what was said, as if who spoke had given it."""
    for node in tree.find_all((nodes.Add, nodes.Concat)):
        parts = node.nodes if isinstance(node, nodes.Concat) else _sides(node)
        said = [place for place, part in enumerate(parts) if is_content(part, scope.derived)]
        for part in parts[said[0] + 1 :] if said else []:
            text = scope.folder.text(part)
            if text and (found := prose.URL.search(text)):
                detail = "which is put behind what was said"
                yield Written("url", shorten(visible(found.group()), 160), detail, node.lineno)


def _sides(node: nodes.Node) -> list[nodes.Node]:
    """The summands of a sum in their order."""
    if not isinstance(node, nodes.Add):
        return [node]
    found: list[nodes.Node] = []
    left: nodes.Node = node
    while isinstance(left, nodes.Add) and len(found) < 100:
        found.append(left.right)
        left = left.left
    return [left, *found[::-1]]


def _names_of(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)


def _texts(body: list[nodes.Node]) -> Iterator[str]:
    for part in body:
        for node in part.find_all((nodes.TemplateData, nodes.Const)):
            held = node.data if isinstance(node, nodes.TemplateData) else node.as_const()
            if isinstance(held, str):
                yield held
