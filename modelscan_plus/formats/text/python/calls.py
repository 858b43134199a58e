"""Calls looked at closer: what an indirect call really calls, what a call makes executable, what it takes where."""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.jinja import analyse as jinja
from modelscan_plus.formats.text.python.accounts import remote
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import KIND_OF
from modelscan_plus.formats.text.python.spoken import spoken
from modelscan_plus.formats.text.python.walk import walk

COMMAND_KINDS = frozenset(("process", "code"))
_NOT_HELD = ("subprocess.Popen", "types.", "code.", "webbrowser.", "timeit.", "typing.")
"""Classes that programs compare with and derive from, and functions that run nothing of another's making."""
_IMPORTERS = frozenset(
    """importlib.abc.SourceLoader importlib.abc.InspectLoader importlib.abc.ExecutionLoader
    importlib.abc.MetaPathFinder importlib.abc.PathEntryFinder importlib.machinery.SourceFileLoader""".split()
)
"""Classes from which an importer of one's own is derived."""
_LOOKED_UP = frozenset("os posix nt subprocess pty types".split())
_HEADERS = frozenset(("headers", "auth", "cookies", "extra_headers", "additional_headers"))
_EXECUTABLE = 4
"""PROT_EXEC of mmap(2)."""
MAKES_EXECUTABLE = frozenset(
    "mprotect VirtualAlloc VirtualAllocEx VirtualProtect CreateRemoteThread WriteProcessMemory RtlMoveMemory".split()
)
"""Functions of C libraries that are called, from Python, to run bytes."""
_MAGICS = frozenset("sx sc system ! bash sh script cmd perl ruby python python3 pip conda run".split())
_TEMPLATE = 100_000
_CALLED_BY_NAME = frozenset(
    "_target_ () class class_path func callable _component_ target function callback factory".split()
)
"""Keys below which configurations name what is to be called: Hydra, logging.config, Lightning."""


def straightened(node: ast.Call, names: Names) -> ast.Call:
    """The call that an indirect one comes to: `methodcaller("system", x)(os)` is `os.system(x)`."""
    function = node.func
    if (
        isinstance(function, ast.Call)
        and function.args
        and node.args
        and names.plain(function.func) == "operator.methodcaller"
        and (name := names.folder.text(function.args[0]))
    ):
        called = ast.copy_location(ast.Attribute(node.args[0], name, ast.Load()), node)
        names.indirect = True
        return ast.copy_location(ast.Call(called, function.args[1:], []), node)
    if names.plain(function) == "operator.call" and node.args:
        return ast.copy_location(ast.Call(node.args[0], node.args[1:], node.keywords), node)
    return node


def held(top: ast.AST, nodes: Sequence[ast.AST], names: Names) -> Iterator[tuple[ast.expr, str]]:
    """Functions that start programs or run code and are kept in a list, table or attribute, or handed back, to be called
    later. `nodes`: `top` and all below it."""
    compared = _compared(nodes)
    for value in _kept(top, nodes):
        if id(value) in compared or not isinstance(value, (ast.Name, ast.Attribute)):
            continue
        dotted = names.plain(value)
        if (dotted and KIND_OF.get(dotted) in COMMAND_KINDS and not dotted.startswith(_NOT_HELD)) or (
            value is top and dotted in _IMPORTERS
        ):
            yield value, dotted


def _kept(top: ast.AST, nodes: Sequence[ast.AST]) -> Iterator[ast.expr]:
    if isinstance(top, (ast.Name, ast.Attribute)):
        yield top  # a decorator or default value
    for node in nodes:
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                yield from items
            case ast.Dict(values=items):
                yield from items
            case ast.Return(value=value) | ast.Lambda(body=value) if value is not None:
                yield value
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()], value=value):
                yield value
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.startswith("__"):
                yield value


def _compared(nodes: Sequence[ast.AST]) -> set[int]:
    """Members of the tuples that isinstance and except look through."""
    found: set[int] = set()
    for node in nodes:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
        ):
            found.update(id(inner) for argument in node.args for inner in walk(argument))
    return found


def named_calls(node: ast.Dict, names: Names) -> Iterator[str]:
    """Functions that a table names for its reader to call: `{"_target_": "os.system"}`, `{"()": "os.system"}`."""
    for key, value in zip(node.keys, node.values, strict=True):
        if key is not None and names.folder.text(key) in _CALLED_BY_NAME:
            text = (names.folder.text(value) or "").removeprefix("ext://")
            if KIND_OF.get(text) in COMMAND_KINDS or (text.startswith("logging.handlers.") and _leads(node, names)):
                yield text


def _leads(node: ast.Dict, names: Names) -> bool:
    """True for the table of a handler of logs that names another machine."""
    return any(
        remote(spoken(value.elts[0] if isinstance(value, ast.Tuple) and value.elts else value, names))
        for value in node.values
    )


def looked_up(node: ast.Call, names: Names) -> str | None:
    """The module of which a function is called whose name is known only at run time: `getattr(os, name)("…")`."""
    function = node.func
    base: ast.expr | None = None
    if isinstance(function, ast.Name):
        function = names.single.get(function.id, function)
    if isinstance(function, ast.Call) and len(function.args) >= 2 and names.plain(function.func) == "builtins.getattr":
        base = function.args[0]
    elif isinstance(function, ast.Subscript):
        holder = function.value
        if isinstance(holder, ast.Call) and names.plain(holder.func) == "builtins.vars" and holder.args:
            base = holder.args[0]
        elif isinstance(holder, ast.Attribute) and holder.attr == "__dict__":
            base = holder.value
    dotted = names.plain(base) if base is not None else None
    return dotted if dotted in _LOOKED_UP else None


def by_library(node: ast.Call) -> bool:
    """True for a call like `library.system(b"…")`: text for C, which no method of Python takes."""
    first = node.args[0] if node.args else None
    return (
        isinstance(node.func, ast.Attribute)
        and node.func.attr in ("system", "popen", "execvp", "execl", "execlp")
        and isinstance(first, ast.Constant)
        and isinstance(first.value, bytes)
    )


def leaves_template(node: ast.Call, dotted: str | None, names: Names, budget: Budget) -> bool:
    """True for a template in the source that reaches for Python's internals."""
    text = names.folder.text(node.args[0]) if node.args else None
    renders = dotted == "jinja2.Template" or (isinstance(node.func, ast.Attribute) and node.func.attr == "from_string")
    if not renders or text is None or "{" not in text:
        return False
    if re.search(r"__\w+__", text):
        return True
    return any(reach.kind == "internals" for reach in jinja.analyse(text[:_TEMPLATE], budget).reaches)


def magic(node: ast.Call, names: Names) -> bool:
    """True for `run_line_magic("sx", …)` and other magics of IPython that start a program."""
    name = names.folder.text(node.args[0]) if node.args else None
    return name is not None and name.lstrip("%").split(" ")[0] in _MAGICS


def makes_executable(node: ast.Call, dotted: str, names: Names) -> bool:
    """True when the call makes memory whose bytes can be run as machine code."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in MAKES_EXECUTABLE:
        return True
    if dotted != "mmap.mmap":
        return False
    for value in [*node.args[2:], *(item.value for item in node.keywords if item.arg in ("prot", "flags"))]:
        if any(isinstance(part, ast.Attribute) and part.attr == "PROT_EXEC" for part in walk(value)):
            return True
    rights = [item.value for item in node.keywords if item.arg == "prot"] or node.args[3:4]
    return any(isinstance(part, ast.Constant) and _executable(part.value) for value in rights for part in walk(value))


def _executable(value: object) -> bool:
    return isinstance(value, int) and value & _EXECUTABLE != 0


def starts_from_native(node: ast.Call, names: Names) -> str:
    """What native source that stands in the call itself would start, "" for nothing."""
    values = [*node.args, *(item.value for item in node.keywords)]
    parts = [part for value in values for part in (value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value])]
    found = (prose.native_start(text) for part in parts[:50] if (text := names.folder.text(part)))
    return next(filter(None, found), "")


def placed(node: ast.Call, names: Names, depth: int = 0) -> Iterator[tuple[ast.expr, bool]]:
    """The arguments of a call, each with whether it is a header of a request. `urlopen(Request(…))` is looked into."""
    for value in node.args:
        inner = names.single.get(value.id) if isinstance(value, ast.Name) else value
        if isinstance(inner, ast.Call) and depth < 3 and names.plain(inner.func) == "urllib.request.Request":
            yield from placed(inner, names, depth + 1)
        else:
            yield value, False
    for item in node.keywords:
        if item.arg != "env":
            yield item.value, item.arg in _HEADERS


def evaluated_annotations(nodes: Iterable[ast.AST]) -> Iterator[ast.Constant]:
    """Annotations written as text that hold a call: whoever asks for the types of the class or function evaluates them."""
    for node in nodes:
        match node:
            case ast.AnnAssign(annotation=ast.Constant() as found) | ast.arg(annotation=ast.Constant() as found):
                pass
            case ast.FunctionDef(returns=ast.Constant() as found):
                pass
            case _:
                continue
        if isinstance(found.value, str) and "(" in found.value:
            yield found
