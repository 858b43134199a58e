"""Expressions that leave what a chat template is given: the way out of the sandbox."""

from collections.abc import Iterator

from jinja2 import nodes

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text.jinja.facts import Reach
from modelscan_plus.formats.text.jinja.fold import known
from modelscan_plus.formats.text.jinja.names import (
    ATTRIBUTE_FILTERS,
    DANGEROUS_FUNCTIONS,
    FUNCTIONS,
    HELPERS,
    OF_PAGES,
    attribute_kind,
    says_content,
)
from modelscan_plus.formats.text.jinja.scope import Scope

_FIELD = lazy(r"\{[^{}]*?(?:\.|\[)_?_?\w*?(__\w+__|_\w+)[^{}]*\}")
"""A field of str.format that reaches into its argument."""
_NAMES = lazy(
    r"__(?:class|mro|bases?|subclasses|globals|builtins|import|dict|code|closure|getattribute|reduce|reduce_ex|loader|"
    r"spec|self|func|wrapped|call|new|module|getitem)__"
)
_PIECE = lazy(r"__[a-z]{1,10}|[a-z]{1,10}__")
"""Names of Python's internals, and halves of them."""
_HIDDEN = lazy(r"/\.\w|(?:^|/|…)\.\./")
"""A folder that is not shown, or one above: no template lies there."""
_LEADING = lazy(r"/|~|[A-Za-z]:[\\/]|\w+://|(?:.*[\\/])?\.\.(?:[\\/]|$)")
"""A template outside of the folder in which a loader would look."""


def reaches(tree: nodes.Template, scope: Scope) -> Iterator[Reach]:
    """Every place of the template where it leaves its data."""
    for node in tree.find_all(nodes.Node):
        match node:
            case nodes.Getattr():
                yield from _attribute(node.attr, node, scope, folded=False)
            case nodes.Getitem():
                yield from _item(node, scope)
            case nodes.Filter():
                yield from _filter(node, scope)
            case nodes.Call():
                yield from _call(node, scope)
            case nodes.Include() | nodes.Import() | nodes.FromImport() | nodes.Extends():
                yield from _loaded(node, scope)
            case nodes.Const():
                yield from _constant(node)
            case nodes.ExtensionAttribute():
                if node.identifier.endswith("DebugExtension"):
                    yield Reach("helper", "{% debug %}", node.lineno)


def _loaded(node: nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends, scope: Scope) -> Iterator[Reach]:
    held = scope.folder.fold(node.template)
    names = [name for name in (held if isinstance(held, list) else [held]) if isinstance(name, str)] or [
        _parts(node.template)
    ]
    outside = (
        any(_LEADING.match(name) or _HIDDEN.search(name) for name in names)
        or any(name in DANGEROUS_FUNCTIONS for name in names)
        or says_content(node.template, scope.derived)
    )
    yield Reach("file" if outside else "template", shorten(visible(", ".join(names))), node.lineno)


def _parts(name: nodes.Expr) -> str:
    """What is known of a name that is put together."""
    parts = [part.value for part in name.find_all(nodes.Const) if isinstance(part.value, str)]
    return "…" + "…".join(parts[:20])


def _constant(node: nodes.Const) -> Iterator[Reach]:
    """Names of internals, and formats, wherever a constant holds them: it takes one step to use them."""
    if not isinstance(node.value, str):
        return
    if found := _NAMES.search(node.value) or _PIECE.fullmatch(node.value) or _FIELD.search(node.value):
        yield Reach("internals", shorten(visible(found.group())), node.lineno)


def _attribute(name: str, node: nodes.Getattr | nodes.Getitem, scope: Scope, *, folded: bool) -> Iterator[Reach]:
    if kind := attribute_kind(name):
        owner = node.node.name if isinstance(node.node, nodes.Name) else ""
        if kind == "private" and (owner == "loop" or owner in HELPERS or owner in scope.macros):
            kind = "helper"
        yield Reach(kind, shorten(visible(name)), node.lineno, folded)
    elif isinstance(node.node, nodes.Name) and node.node.name in HELPERS and node.node.name not in scope.assigned:
        if node.node.name in OF_PAGES and not scope.chats:
            return
        yield Reach("helper", shorten(visible(f"{node.node.name}.{name}")), node.lineno, folded)


def _item(node: nodes.Getitem, scope: Scope) -> Iterator[Reach]:
    if isinstance(node.arg, nodes.Slice):
        return
    key = scope.folder.text(node.arg)
    if key is not None:
        yield from _attribute(key, node, scope, folded=not isinstance(node.arg, nodes.Const))
        return
    if isinstance(node.arg, nodes.Name):
        for value in scope.possible.get(node.arg.name, ()):
            if attribute_kind(value) == "internals":
                yield Reach("internals", shorten(visible(value)), node.lineno, folded=True)


def _filter(node: nodes.Filter, scope: Scope) -> Iterator[Reach]:
    if node.name == "format":
        yield from _format(node.node, node.lineno, scope)
    if node.name not in ATTRIBUTE_FILTERS:
        return
    given = [*node.args, *(item.value for item in node.kwargs if item.key == "attribute")]
    for argument in given:
        value = scope.folder.fold(argument)
        if isinstance(value, str) and (kind := attribute_kind(value)):
            yield Reach(
                kind, shorten(visible(f"{node.name}({value})")), node.lineno, not isinstance(argument, nodes.Const)
            )
        elif not known(value) and node.name == "attr":
            yield Reach("computed", "attr(…)", node.lineno)


def _call(node: nodes.Call, scope: Scope) -> Iterator[Reach]:
    if isinstance(node.node, nodes.Getattr) and node.node.attr in ("format", "format_map"):
        yield from _format(node.node.node, node.lineno, scope)
    if not isinstance(node.node, nodes.Name):
        return
    name = node.node.name
    if name not in FUNCTIONS and name not in scope.macros and name not in scope.assigned:
        yield Reach(
            "function" if name in DANGEROUS_FUNCTIONS else "unknown-function", shorten(visible(name)), node.lineno
        )


def _format(node: nodes.Node | None, line: int, scope: Scope) -> Iterator[Reach]:
    text = scope.folder.text(node) if node is not None else None
    if text and (found := _FIELD.search(text)):
        yield Reach("internals", shorten(visible(found.group())), line, folded=True)
