"""Reports of a program's own version that its user has asked for.

Two things together make one that gives nothing away: the request says only what the source states, with versions of the
program, of Python and of the kind of machine; and it is made only where a variable of the environment asks for it. A
variable that switches the report off is another thing, and so is a report that carries anything of the user's.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.walk import walk

OPTED_IN = "opt-in"
"""The origin of a report that its user has asked for, and that carries nothing of his."""
_WRITES = frozenset(
    """json.dumps urllib.parse.urlencode urllib.parse.quote urllib.request.Request builtins.str builtins.dict builtins.bytes
    builtins.int builtins.round platform.python_version platform.python_implementation platform.system platform.machine
    importlib.metadata.version importlib_metadata.version time.time""".split()
)
"""Functions that put values together, and those that tell versions and kinds of machines."""
_SAYS = frozenset(("sys.platform", "os.name", "sys.version", "sys.version_info"))
_METHODS = frozenset("encode format join lower upper strip replace split".split())
_DEEPEST = 8


def marked(tree: ast.Module, text: str, effects: Sequence[Effect]) -> list[Effect]:
    """The effects, those of reports that somebody asks for with that as an origin."""
    sends = [effect for effect in effects if _may_be(effect)]
    if not sends or ("environ" not in text and "getenv" not in text):
        return list(effects)
    lines = set(_lines(tree, {effect.line for effect in sends}))
    return [
        msgspec.structs.replace(effect, flows=(*effect.flows, OPTED_IN))
        if effect.line in lines and _may_be(effect)
        else effect
        for effect in effects
    ]


def _may_be(effect: Effect) -> bool:
    return effect.kind in ("send", "download") and not (
        effect.flows or effect.keys or effect.hostile or effect.disguised
    )


def _lines(tree: ast.Module, lines: set[int]) -> Iterator[int]:
    names = Names(tree)
    asked = {id(node) for node in _asked_for(names)}
    for function in (None, *(node for node in names.nodes if isinstance(node, ast.FunctionDef))):
        always = function is not None and (
            _is_called_when_asked(function, names, asked) or _returns_early(function, names)
        )
        given = _constants(function, names) if function is not None else frozenset[str]()
        for node in walk(function or tree):
            if not (isinstance(node, ast.Call) and node.lineno in lines and (always or id(node) in asked)):
                continue
            values = [*node.args, *(item.value for item in node.keywords)]
            if all(_says_nothing(value, names, given) for value in values):
                yield node.lineno


def _constants(function: ast.FunctionDef, names: Names) -> frozenset[str]:
    """The parameters for which all calls of the file give something that says nothing."""
    parameters = [item.arg for item in function.args.args]
    said = dict.fromkeys(parameters, 0)
    for call in names.nodes:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == function.name:
            pairs = [
                *zip(parameters, call.args, strict=False),
                *((item.arg or "", item.value) for item in call.keywords),
            ]
            for name, value in pairs:
                if name in said and said[name] >= 0:
                    said[name] = said[name] + 1 if _says_nothing(value, names) else -1
    return frozenset(name for name, count in said.items() if count > 0)


def _asked_for(names: Names) -> Iterator[ast.AST]:
    """All that stands under a test of a variable that somebody has to set."""
    for node in names.nodes:
        if isinstance(node, ast.If) and _asks(node.test, names):
            for top in node.body:
                yield from walk(top)


def _is_called_when_asked(function: ast.FunctionDef, names: Names, asked: set[int]) -> bool:
    uses = [node for node in names.nodes if isinstance(node, ast.Name) and node.id == function.name]
    return bool(uses) and all(id(node) in asked for node in uses)


def _returns_early(function: ast.FunctionDef, names: Names) -> bool:
    """True for a function that begins with going back unless a variable is set."""
    for top in function.body[:4]:
        if isinstance(top, ast.If) and isinstance(top.body[0], ast.Return) and _refuses(top.test, names):
            return True
    return False


def _asks(test: ast.expr, names: Names) -> bool:
    """True for `os.environ.get("X") == "1"` and the like: false where nobody has set the variable."""
    match test:
        case ast.Compare(left=held, ops=[ast.Eq() | ast.In()], comparators=[wanted]):
            given = _default(held, names)
            if given is None:
                return False
            return all(text.lower() not in (given.lower(), "") for text in _texts(wanted, names))
        case ast.BoolOp(op=ast.And(), values=values):
            return any(_asks(value, names) for value in values)
        case ast.Call(func=ast.Name(id=name), args=[]) if (answer := _answer(name, names)) is not None:
            return _asks(answer, names)
        case ast.Call() | ast.Name():
            return _default(test, names) == ""
    return False


def _answer(name: str, names: Names) -> ast.expr | None:
    """What a function without arguments returns that does nothing else, of its name."""
    found = [node for node in names.nodes if isinstance(node, ast.FunctionDef) and node.name == name]
    body = [top for top in found[0].body if not _is_text(top)] if len(found) == 1 else []
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None


def _is_text(top: ast.stmt) -> bool:
    return isinstance(top, ast.Expr) and isinstance(top.value, ast.Constant)


def _refuses(test: ast.expr, names: Names) -> bool:
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=held):
            return _asks(held, names)
        case ast.Compare(left=held, ops=[ast.NotEq()], comparators=[wanted]):
            return _asks(ast.Compare(held, [ast.Eq()], [wanted]), names)
        case ast.Compare(left=held, ops=[ast.NotIn()], comparators=[wanted]):
            return _asks(ast.Compare(held, [ast.In()], [wanted]), names)
    return False


def _texts(wanted: ast.expr, names: Names) -> list[str]:
    parts: Iterable[ast.expr] = wanted.elts if isinstance(wanted, (ast.Tuple, ast.List, ast.Set)) else [wanted]
    return [names.folder.text(part) or "" for part in parts] or [""]


def _default(held: ast.expr, names: Names, depth: int = 0) -> str | None:
    """What a look at the environment gives where the variable is not set; None for anything else."""
    match held:
        case ast.Name(id=name) if depth < _DEEPEST and name in names.single:
            return _default(names.single[name], names, depth + 1)
        case ast.Call(func=ast.Attribute(value=inner, attr="lower" | "strip" | "upper"), args=[]):
            return _default(inner, names, depth + 1)
        case ast.Call(func=func, args=[_, *others]) if names.plain(func) in ("os.environ.get", "os.getenv"):
            given = names.folder.text(others[0]) if others else ""
            return given if given is not None else "1"
    return None


def _says_nothing(value: ast.expr, names: Names, given: frozenset[str] = frozenset(), depth: int = 0) -> bool:
    """True for what is made of constants, versions, kinds of machines, and the names in `given`, which stand for such."""
    if depth > _DEEPEST:
        return False
    match value:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            known = names.single.get(name)
            harmless = name in given or name.strip("_") == "version"
            return harmless or (known is not None and _says_nothing(known, names, given, depth + 1))
        case ast.Attribute(attr=attr):
            dotted = names.plain(value) or ""
            return (
                attr.strip("_") == "version" or dotted in _SAYS or any(dotted.startswith(f"{each}.") for each in _SAYS)
            )
        case ast.Subscript(value=held):
            return _says_nothing(held, names, given, depth + 1)
        case ast.Call(func=func, args=others, keywords=named):
            method = isinstance(func, ast.Attribute) and func.attr in _METHODS
            if method and isinstance(func, ast.Attribute):
                others = [func.value, *others]
            elif names.plain(func) not in _WRITES:
                return False
            return all(
                _says_nothing(each, names, given, depth + 1) for each in [*others, *(item.value for item in named)]
            )
        case ast.Dict() | ast.List() | ast.Tuple() | ast.JoinedStr() | ast.BinOp() | ast.FormattedValue():
            parts = [part for part in ast.iter_child_nodes(value) if isinstance(part, ast.expr)]
            return all(_says_nothing(part, names, given, depth + 1) for part in parts)
    return False
