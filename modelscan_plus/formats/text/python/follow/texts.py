"""Code inside of text: `exec`, `eval` and their relatives go through it in the scope that it is given."""

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelscan_plus.formats.text.python.analyse import parse
from modelscan_plus.formats.text.python.follow.values import (
    NONE,
    UNKNOWN,
    Known,
    Scope,
    Table,
    Unknown,
    Value,
    options,
    texts,
)

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

__all__ = ("MODELS", "texts")
_LONGEST = 200_000
_DEEPEST = 3


def _run(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`exec(code)`, `eval(code)`."""
    results: list[Value] = []
    for option in options(given[0]) if given else ():
        code = option.value if isinstance(option, Known) else None
        if isinstance(code, bytes):
            code = code.decode("utf-8", "replace")
        if isinstance(code, str) and len(code) <= _LONGEST:
            results.append(run_text(machine, code, _inside(given, keywords, scope), node))
        elif isinstance(option, Unknown) and option.about and "file" in option.flows:
            _run_file(machine, option.about, _inside(given, keywords, scope))
    return results[0] if len(results) == 1 else None


def _run_file(machine: "Machine", path: str, scope: Scope) -> None:
    """`exec(open(path).read())`: what the file defines stands in the scope then."""
    module = machine.program.by_path(scope.module, path) if path.endswith((".py", ".txt")) else None
    for name, value in module.names.items() if module is not None else ():
        if not name.startswith("__"):
            scope.names[name] = value


def _inside(given: Sequence[Value], keywords: Mapping[str, Value], scope: Scope) -> Scope:
    """The scope that the code is given."""
    held = [*given[1:3], *(keywords[name] for name in ("globals", "locals") if name in keywords)]
    for value in held:
        for option in options(value):
            if isinstance(option, Table):
                names: Any = option.items
                return Scope(scope.module, None, "text", names, function=scope.function)
    return scope


def run_text(machine: "Machine", code: str, scope: Scope, node: ast.AST) -> Value:
    """Go through code that stands in a text."""
    tree = parse(code.strip())
    emitter = machine.program.emitter
    if isinstance(tree, str) or machine.program.texts >= _DEEPEST:
        return UNKNOWN
    before = emitter.outer
    emitter.outer = before or (node if isinstance(node, (ast.expr, ast.stmt)) else None)
    machine.program.texts += 1
    try:
        if len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr):
            return machine.value(tree.body[0].value, scope)
        machine.block(tree.body, scope)
    finally:
        machine.program.texts -= 1
        emitter.outer = before
    return NONE


def _compile(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    return given[0] if given else keywords.get("source")


def _timed(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`timeit.timeit(statement, setup)`: texts, or functions."""
    values = [*given[:2], *(keywords[name] for name in ("stmt", "setup") if name in keywords)]
    for value in reversed(values):
        if _run(machine, [value], {}, node, scope) is None:
            machine.hand_over(value, node, scope)
    return None


MODELS = {
    "builtins.exec": _run, "builtins.eval": _run, "builtins.compile": _compile, "timeit.timeit": _timed,
    "timeit.repeat": _timed, "timeit.Timer": _timed, "cProfile.run": _run, "profile.run": _run, "pdb.run": _run,
    "pdb.runeval": _run, "code.InteractiveInterpreter.runsource": _run,
}  # fmt: skip
