"""Text that a template spells letter by letter, so that whoever reads the template does not see it; and what it puts
into the mouth of the model: a turn of the assistant that it begins itself with an address or a command.
"""

from collections.abc import Iterator

from jinja2 import nodes

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.jinja.facts import Written
from modelscan_plus.formats.text.jinja.scope import Scope, key_of

_LETTERS = 8
"""Fewer are a test of single letters, and no text."""
_SHORT = 2
_BY_NUMBER = frozenset(("%c", "%s", "{}"))


def spelled(tree: nodes.Template, scope: Scope) -> Iterator[Written]:
    """Constants that are turned round, and loops that put text together from letters or their numbers."""
    for node in tree.find_all((nodes.Getitem, nodes.Filter)):
        turned = node.node if isinstance(node, (nodes.Getitem, nodes.Filter)) and _turns(node, scope) else None
        text = scope.folder.text(turned) if turned is not None else None
        if text and prose.words(text[::-1]) > 1:
            yield _encoded(text, text[::-1], node.lineno)
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
        if letters and any(_looks_up(node, key) for node in inside):
            yield _encoded(str(run), "text put together letter by letter", loop.lineno)


def _encoded(text: str, decoded: str, line: int) -> Written:
    return Written("encoded", shorten(visible(text), 80), shorten(visible(decoded), 160), line)


def _turns(node: nodes.Node, scope: Scope) -> bool:
    if isinstance(node, nodes.Filter):
        return node.name == "reverse"
    if not isinstance(node, nodes.Getitem) or not isinstance(node.arg, nodes.Slice) or node.arg.step is None:
        return False
    step = scope.folder.fold(node.arg.step)
    return isinstance(step, int) and step < 0


def _looks_up(node: nodes.Node, key: str) -> bool:
    """True for a table of letters that is asked by the loop's variable, and for a letter by its number."""
    if isinstance(node, nodes.Getitem):
        return any(key_of(part) == key for part in [node.arg, *node.arg.find_all(nodes.Name)])
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
        if found := prose.URL.search(text):
            detail = "which the model is made to have said already"
            yield Written("url", shorten(visible(found.group()), 160), detail, branch.lineno)


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
