"""Code inside of text: `exec`, `eval` and their relatives go through it in the scope that it is given."""

import ast
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.flow import SOURCE
from modelscan_plus.formats.text.python.follow.modelled import Call
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
from modelscan_plus.formats.text.python.parsing import parse

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

__all__ = ("MODELS", "texts")
_LONGEST = 200_000
_DEEPEST = 3


def _run(call: Call) -> Value | None:
    """`exec(code)`, `eval(code)`."""
    results: list[Value] = []
    for option in options(call.given[0]) if call.given else ():
        code = option.value if isinstance(option, Known) else None
        if isinstance(code, bytes):
            code = code.decode("utf-8", "replace")
        if isinstance(code, str) and len(code) <= _LONGEST:
            results.append(run_text(call.machine, code, _inside(call.given, call.keywords, call.scope), call.node))
        elif (
            isinstance(option, Unknown)
            and option.about
            and any(flow == "file" or flow.startswith(SOURCE) for flow in option.flows)
        ):
            _run_file(call.machine, option.about, _inside(call.given, call.keywords, call.scope))
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


def _compile(call: Call) -> Value | None:
    return call.given[0] if call.given else call.keywords.get("source")


def _timed(call: Call) -> Value | None:
    """`timeit.timeit(statement, setup)`: texts, or functions."""
    values = [*call.given[:2], *(call.keywords[name] for name in ("stmt", "setup") if name in call.keywords)]
    for value in reversed(values):
        if _run(call.of([value])) is None:
            call.machine.hand_over(value, call.node, call.scope)
    return None


def _second(call: Call) -> Value | None:
    return _run(call.of(call.given[1:], call.keywords))


def _lambdified(call: Call) -> Value | None:
    """`sympy.lambdify(names, text)`: the text is read by eval and run when the result is called."""
    _run(call.of(call.given[1:], call.keywords))
    return UNKNOWN


def queried(machine: "Machine", given: Sequence[Value], node: ast.AST, scope: Scope) -> None:
    """`DataFrame.query("@os.system(…)")`: names behind an at sign are those of the caller."""
    for text in texts(given[0]) if given else ():
        if "@" in text and "(" in text:
            run_text(machine, text.replace("@", ""), scope, node)


def _examples(call: Call) -> Value | None:
    """`doctest.testmod()`: the examples in docstrings run; `run_docstring_examples(text)` runs those of a text."""
    written = [text for value in call.given[:1] for text in texts(value)]
    if not written:
        source = call.machine.program.sources.get(call.scope.module.path, "")
        written = [source] if ">>>" in source else []
    for text in written:
        code = [line.lstrip()[4:] for line in text.splitlines() if line.lstrip().startswith((">>> ", "... "))]
        run_text(call.machine, "\n".join(code), call.scope, call.node)
    return UNKNOWN


_IN_TEMPLATE = lazy(
    r"<%!?(?!def|page|include|block|namespace|doc|inherit)(.*?)%>|\$\{(.*?)\}|\{\{(.*?)\}\}|\{%\s*(import .*?|from .*?)%\}",
    re.S,
)
"""Python inside of templates of Mako and Tornado."""


def _template(call: Call) -> Value | None:
    """`mako.template.Template(text)`, `tornado.template.Template(text)`."""
    for text in texts(call.given[0]) if call.given else ():
        for found in _IN_TEMPLATE.finditer(text[:_LONGEST]):
            code = next(filter(None, found.groups()), "")
            run_text(call.machine, textwrap.dedent(code.strip("\n")), call.scope, call.node)
    return UNKNOWN


def _pasted(call: Call) -> Value | None:
    """`types.FunctionType(code, names)`: a function of the text that was compiled."""
    return (
        Partial(Outer("builtins.exec"), tuple(call.given[:1]))
        if call.given and isinstance(call.given[0], Known)
        else None
    )


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
