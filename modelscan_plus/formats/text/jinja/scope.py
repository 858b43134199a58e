"""What the variables of a template hold: constants, what was said, the date, or a flag that a gated branch set."""

import msgspec
from jinja2 import nodes

from modelscan_plus.formats.text.jinja.fold import Constant, Folder, known
from modelscan_plus.formats.text.jinja.names import says_content

_ROUNDS = 4
GROWS = frozenset("append extend insert update add setdefault".split())
"""Methods that change what a variable holds."""
DATES = frozenset(
    "date_string current_date today now current_datetime current_time timestamp datetime strftime_now".split()
)
"""Names under which renderers give a template the date."""


class Scope(msgspec.Struct):
    """All variables of the template together: Jinja's own scoping only makes fewer of them visible."""

    folder: Folder
    possible: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """Texts that a variable may hold."""
    derived: set[str] = msgspec.field(default_factory=set)
    """Variables that hold what was said."""
    timed: set[str] = msgspec.field(default_factory=set)
    """Variables that hold the date or time."""
    looped: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """Texts that the variables of a loop over a constant list or table go through."""
    counters: set[str] = msgspec.field(default_factory=set)
    """Variables that grow by a number, or hold how many messages there are."""
    macros: dict[str, nodes.Macro] = msgspec.field(default_factory=dict)
    assigned: dict[str, list[nodes.Node | None]] = msgspec.field(default_factory=dict)
    chats: bool = True
    """False for a template that knows of no messages, as those of web pages and of generated code."""


def key_of(node: nodes.Node) -> str | None:
    """The name under which a variable or a namespace's attribute is kept."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.NSRef):
        return f"{node.name}.{node.attr}"
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return f"{node.node.name}.{node.attr}"
    if isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Name) and isinstance(node.arg, nodes.Const):
        return f"{node.node.name}.{node.arg.value}"
    return None


def scope_of(tree: nodes.Template) -> Scope:
    """Collect the assignments, and follow them as far as they lead."""
    assigned = _assignments(tree)
    folder = Folder({})
    macros = {macro.name: macro for macro in tree.find_all(nodes.Macro)}
    chats = any(name.name in ("messages", "message", "prompt", "tools") for name in tree.find_all(nodes.Name))
    scope = Scope(folder, assigned=assigned, macros=macros, chats=chats)
    for _ in range(_ROUNDS):
        names: dict[str, Constant] = {}
        for key, values in assigned.items():
            folded = [folder.fold(value) for value in values[:50] if value is not None]
            if len(values) == 1 and folded and known(folded[0]):
                names[key] = folded[0]
            scope.possible[key] = [value for value in folded if isinstance(value, str) and value]
            if any(says_content(value, scope.derived) for value in values if value is not None):
                scope.derived.add(key)
            if any(tells_time(value, scope.timed) for value in values if value is not None):
                scope.timed.add(key)
        if names == folder.names:
            break
        scope.folder = folder = Folder(names)
    for node in tree.find_all(nodes.For):
        _note_loop(scope, node)
    for key, values in assigned.items():
        if any(_counts(value, key) for value in values if value is not None):
            scope.counters.add(key)
        scope.possible[key] = [*scope.possible.get(key, ()), *scope.looped.get(key, ())]
    for key, texts in scope.looped.items():
        scope.possible.setdefault(key, texts)
    return scope


def _note_loop(scope: Scope, node: nodes.For) -> None:
    """What the variables of a loop go through, where that is written in the template."""
    held = scope.folder.fold(node.iter)
    for item in held[:200] if isinstance(held, list) else list(held)[:200] if isinstance(held, dict) else []:
        if isinstance(node.target, nodes.Tuple) and isinstance(item, list):
            pairs = [(key_of(target), value) for target, value in zip(node.target.items, item, strict=False)]
        elif isinstance(item, (dict, list)):
            parts = item.items() if isinstance(item, dict) else enumerate(item)
            pairs = [(f"{key_of(node.target)}.{key}", value) for key, value in parts]
        else:
            pairs = [(key_of(node.target), item)]
        for key, value in pairs:
            if key and isinstance(value, str) and value:
                scope.looped.setdefault(key, []).append(value)


def _counts(value: nodes.Node, key: str) -> bool:
    """True for `n = n + 1` and `n = messages|length`."""
    if isinstance(value, nodes.Filter):
        return value.name in ("length", "count")
    return isinstance(value, nodes.Add) and key in (key_of(value.left), key_of(value.right))


def _assignments(tree: nodes.Template) -> dict[str, list[nodes.Node | None]]:
    assigned: dict[str, list[nodes.Node | None]] = {}
    for node in tree.find_all((nodes.Assign, nodes.AssignBlock, nodes.For, nodes.Macro, nodes.With)):
        if isinstance(node, nodes.Assign):
            _bind(assigned, node.target, node.node)
            if isinstance(node.node, nodes.Call) and isinstance(node.target, nodes.Name):
                for item in node.node.kwargs:
                    assigned.setdefault(f"{node.target.name}.{item.key}", []).append(item.value)
        elif isinstance(node, nodes.AssignBlock):
            _bind_block(assigned, node)
        elif isinstance(node, nodes.For):
            # What runs over the parts of what was said is what was said; over messages it is not yet.
            _bind(assigned, node.target, node.iter)
            _bind(assigned, node.target, None)
        elif isinstance(node, nodes.Macro):
            for parameter in node.args:
                assigned.setdefault(parameter.name, []).append(None)
        elif isinstance(node, nodes.With):
            for target, value in zip(node.targets, node.values, strict=False):
                _bind(assigned, target, value)
    _bind_growing(tree, assigned)
    _bind_calls(tree, assigned)
    return assigned


def _bind_block(assigned: dict[str, list[nodes.Node | None]], node: nodes.AssignBlock) -> None:
    plain = len(node.body) == 1 and isinstance(node.body[0], nodes.Output)
    _bind(assigned, node.target, node.body[0] if plain else None)
    for output in [] if plain else node.find_all(nodes.Output):
        _bind(assigned, node.target, output)


def _bind_growing(tree: nodes.Template, assigned: dict[str, list[nodes.Node | None]]) -> None:
    """What `append` and its like add to a variable."""
    for call in tree.find_all(nodes.Call):
        key = key_of(call.node.node) if isinstance(call.node, nodes.Getattr) and call.node.attr in GROWS else None
        if key is not None:
            assigned.setdefault(key, [None]).extend((None, *call.args))


def _bind_calls(tree: nodes.Template, assigned: dict[str, list[nodes.Node | None]]) -> None:
    """The parameters of a macro hold what its calls give."""
    macros = {macro.name: macro for macro in tree.find_all(nodes.Macro)}
    for call in tree.find_all(nodes.Call):
        macro = macros.get(call.node.name) if isinstance(call.node, nodes.Name) else None
        if macro is None:
            continue
        for parameter, value in zip(macro.args, call.args, strict=False):
            assigned[parameter.name].append(value)
        names = {parameter.name for parameter in macro.args}
        for item in call.kwargs:
            if item.key in names:
                assigned[item.key].append(item.value)


def _bind(assigned: dict[str, list[nodes.Node | None]], target: nodes.Node, value: nodes.Node | None) -> None:
    if isinstance(target, nodes.Tuple):
        for item in target.items:
            _bind(assigned, item, None)
    elif key := key_of(target):
        assigned.setdefault(key, []).append(value)


def tells_time(node: nodes.Node, timed: set[str]) -> bool:
    if isinstance(node, nodes.Name):
        return node.name in timed or node.name in DATES
    return any(name.name in DATES or name.name in timed for name in node.find_all(nodes.Name))
