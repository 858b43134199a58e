"""Whether a value is the caller's: what a method is given by whoever uses a model, and passes on unchanged.

`push_to_hub(folder, repo_id)` uploads to where its user says; a method that calls it with a name that it found itself
decides the place. So a parameter is the caller's only if every call in the file gives it what is the caller's there.
"""

import ast

from modelscan_plus.formats.text.python.blocks import Block

_DEEPEST = 8
_TAKES = frozenset(("get", "pop", "strip"))


_DEFERS = frozenset(
    """add_task submit apply_async run_in_executor to_thread run_in_threadpool start_soon run_sync call_later call_soon
    start_new_thread defer enqueue""".split()
)
"""Methods that are given a function and call it later with what stands behind it."""


def deferred(node: ast.Call) -> ast.Call | None:
    """The call that a call puts off: `tasks.add_task(f, x)`, `Thread(target=f, args=(x,))`; None for another one."""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if method in _DEFERS:
        places = [number for number, value in enumerate(node.args[:2]) if isinstance(value, (ast.Name, ast.Attribute))]
        place = places[-1] if method == "run_in_executor" and places else next(iter(places), None)
        return None if place is None else _call(node.args[place], node.args[place + 1 :], node)
    named = {item.arg: item.value for item in node.keywords}
    if method == "Timer" and len(node.args) > 1:
        named |= dict(zip(("interval", "target", "args", "kwargs"), node.args, strict=False))
    if method in ("Thread", "Process", "Timer") and "target" in named:
        held, keywords = named.get("args"), named.get("kwargs")
        called = _call(named["target"], held.elts if isinstance(held, (ast.Tuple, ast.List)) else [], node)
        if called is not None and isinstance(keywords, ast.Dict):
            called.keywords = [
                ast.keyword(key.value, value)
                for key, value in zip(keywords.keys, keywords.values, strict=True)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            ]
        return called
    return None


def _call(function: ast.expr, arguments: list[ast.expr], place: ast.Call) -> ast.Call | None:
    if not isinstance(function, (ast.Name, ast.Attribute)):
        return None
    return ast.copy_location(ast.Call(function, arguments, []), place)


def _is_of(call: ast.Call, around: Block, owner: str) -> bool:
    """True for a call of a method of this class, and not of one of the same name: `Owner.load(x)`, `self.load(x)`."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="self" | "cls")):
            return around.owner == owner
        case ast.Attribute(value=ast.Name(id=name)) | ast.Attribute(value=ast.Call(func=ast.Name(id=name))):
            return name == owner or name.lower() == owner.lower()
    return False


class Callers:
    """The calls of one file's functions by each other."""

    def __init__(self, blocks: dict[str, Block]) -> None:
        self._blocks = blocks
        self._calls: dict[str, list[tuple[ast.Call, Block]]] = {}
        self._set: dict[str, set[str]] = {}
        """By block, the names that it sets."""
        self._methods: dict[str, int] = {}
        """By name, how many classes have such a method."""
        for block in blocks.values():
            if block.owner:
                self._methods[block.last] = self._methods.get(block.last, 0) + 1
            stored = self._set[block.name] = set()
            for node in block.inner():
                if isinstance(node, ast.Call):
                    node = deferred(node) or node
                    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    self._calls.setdefault(called, []).append((node, block))
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    stored.add(node.id)

    def arguments(self, block: Block, parameter: str) -> list[tuple[ast.expr, Block]]:
        """What calls in the file give a parameter of a function, each with the block that calls."""
        place = block.parameters.index(parameter) - bool(block.owner)
        found: list[tuple[ast.expr, Block]] = []
        alone = not block.owner or self._methods.get(block.last, 0) < 2
        for call, around in self._calls.get(block.last, ())[:50]:
            if not alone and not _is_of(call, around, block.owner):
                continue
            named = [item.value for item in call.keywords if item.arg == parameter]
            found += [(value, around) for value in named or call.args[max(place, 0) : place + 1]]
        return found

    def decide(self, value: ast.expr, name: str, depth: int = 0) -> bool:
        """True where the value is made of nothing but what the function of this name is given, and constants."""
        block = self._blocks.get(name)
        if block is None or depth > _DEEPEST:
            return False
        match value:
            case ast.Constant():
                return depth > 0
            case ast.Name():
                return self._is_given(value.id, block, depth)
            case ast.JoinedStr():
                parts = [part.value for part in value.values if isinstance(part, ast.FormattedValue)]
                return bool(parts) and all(self.decide(part, name, depth) for part in parts)
            case ast.Subscript(slice=ast.Constant()):
                return self.decide(value.value, name, depth)
            case ast.Call(func=ast.Attribute(value=held, attr=taken)) if taken in _TAKES and len(value.args) < 2:
                return self.decide(held, name, depth)
        return False

    def _is_given(self, variable: str, block: Block, depth: int) -> bool:
        module = self._set.get("", set())
        if not block.name or variable == "self" or variable in self._set[block.name] | module:
            return False
        if variable not in block.parameters:
            return True  # **given
        place = block.parameters.index(variable) - bool(block.owner)
        for call, around in self._calls.get(block.last, ()):
            named = [item.value for item in call.keywords if item.arg == variable]
            given = named or call.args[place : place + 1]
            if given and not self.decide(given[0], around.name, depth + 1):
                return False
        return True
