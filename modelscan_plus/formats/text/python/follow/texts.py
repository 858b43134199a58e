"""Code inside of text: `exec`, `eval` and their relatives go through it in the scope that it is given."""

import ast
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.analyse import parse
from modelscan_plus.formats.text.python.flow import SOURCE
from modelscan_plus.formats.text.python.follow.values import (
    NONE,
    UNKNOWN,
    Known,
    Outer,
    Partial,
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
        elif (
            isinstance(option, Unknown)
            and option.about
            and any(flow == "file" or flow.startswith(SOURCE) for flow in option.flows)
        ):
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


def _second(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    return _run(machine, given[1:], keywords, node, scope)


def _lambdified(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`sympy.lambdify(names, text)`: the text is read by eval and run when the result is called."""
    _run(machine, given[1:], keywords, node, scope)
    return UNKNOWN


def queried(machine: "Machine", given: Sequence[Value], node: ast.AST, scope: Scope) -> None:
    """`DataFrame.query("@os.system(…)")`: names behind an at sign are those of the caller."""
    for text in texts(given[0]) if given else ():
        if "@" in text and "(" in text:
            run_text(machine, text.replace("@", ""), scope, node)


def _examples(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`doctest.testmod()`: the examples in docstrings run; `run_docstring_examples(text)` runs those of a text."""
    written = [text for value in given[:1] for text in texts(value)]
    if not written:
        source = machine.program.sources.get(scope.module.path, "")
        written = [source] if ">>>" in source else []
    for text in written:
        code = [line.lstrip()[4:] for line in text.splitlines() if line.lstrip().startswith((">>> ", "... "))]
        run_text(machine, "\n".join(code), scope, node)
    return UNKNOWN


_IN_TEMPLATE = lazy(
    r"<%!?(?!def|page|include|block|namespace|doc|inherit)(.*?)%>|\$\{(.*?)\}|\{\{(.*?)\}\}|\{%\s*(import .*?|from .*?)%\}",
    re.S,
)
"""Python inside of templates of Mako and Tornado."""


def _template(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`mako.template.Template(text)`, `tornado.template.Template(text)`."""
    for text in texts(given[0]) if given else ():
        for found in _IN_TEMPLATE.finditer(text[:_LONGEST]):
            code = next(filter(None, found.groups()), "")
            run_text(machine, textwrap.dedent(code.strip("\n")), scope, node)
    return UNKNOWN


def _pasted(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`types.FunctionType(code, names)`: a function of the text that was compiled."""
    return Partial(Outer("builtins.exec"), tuple(given[:1])) if given and isinstance(given[0], Known) else None


MODELS = dict.fromkeys("""builtins.exec builtins.eval cProfile.run cProfile.runctx profile.run profile.runctx pdb.run pdb.runeval\n    sympy.sympify sympy.parse_expr sympy.parsing.sympy_parser.parse_expr numexpr.evaluate pandas.eval\n    numpy.testing.runstring numpy.f2py.crackfortran.myeval cython.inline Cython.inline\n    torch._inductor.codecache.PyCodeCache.load torch.fx.graph_module._exec_with_source""".split(), _run) | {
    f"{maker}().{method}": _run
    for maker in """code.InteractiveInterpreter code.InteractiveConsole bdb.Bdb pdb.Pdb trace.Trace cProfile.Profile
    profile.Profile IPython.get_ipython asteval.Interpreter""".split()
    for method in "runsource runcode push run runctx runeval eval run_cell ex ev".split()
} | {
    "builtins.compile": _compile, "timeit.timeit": _timed, "timeit.repeat": _timed, "timeit.Timer": _timed,
    "sympy.lambdify": _lambdified, "_xxsubinterpreters.run_string": _second, "_interpreters.exec": _second,
    "_interpreters.run_string": _second, "doctest.testmod": _examples, "doctest.run_docstring_examples": _examples,
    "mako.template.Template": _template, "tornado.template.Template": _template, "types.FunctionType": _pasted,
    "ast.parse": _compile,
}  # fmt: skip
