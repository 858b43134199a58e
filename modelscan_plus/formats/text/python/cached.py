"""Pickles that a program keeps for itself under a name that somebody gave it.

A demo that splits a document, and keeps the pieces as `{name of the document}.pkl` for the next time, unpickles what it
pickled. Who names the document chooses the file, and not what is in it, as long as nothing but `pickle.dump` writes there.
"""

import ast
from collections.abc import Iterator, Sequence

import msgspec

from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.walk import walk

OWN_CACHE = "own-cache"
"""The origin of a pickle that the same code has put there."""
_DUMPS = frozenset(f"{library}.dump" for library in ("pickle", "_pickle", "joblib", "dill", "cloudpickle"))
_LOADS = frozenset(f"{library}.load" for library in ("pickle", "_pickle", "joblib", "dill", "cloudpickle"))


def cached(tree: ast.Module, effects: Sequence[Effect]) -> list[Effect]:
    """The effects, those that unpickle what the source itself has pickled with that as an origin."""
    lines = {effect.line for effect in effects if effect.kind == "unpickle" and "request" in effect.flows}
    if not lines:
        return list(effects)
    names = Names(tree)
    written, dumped, read = set[str](), set[str](), dict[int, str]()
    for path, writes, body, handle in _opened(names):
        if not writes:
            read |= dict.fromkeys(_used(body, handle, names, _LOADS), path)
        elif any(_used(body, handle, names, _DUMPS)) and _uses(body, handle) == 1:
            dumped.add(path)
        else:
            written.add(path)
    own = {line for line, path in read.items() if path in dumped - written} & lines
    own -= _others(names, lines, read)
    return [
        msgspec.structs.replace(effect, flows=(*effect.flows, OWN_CACHE))
        if effect.kind == "unpickle" and effect.line in own and not effect.hostile
        else effect
        for effect in effects
    ]


def _opened(names: Names) -> Iterator[tuple[str, bool, list[ast.stmt], str]]:
    """Path, whether it is written, block and variable of each `with open(path, mode) as variable`."""
    for node in names.nodes:
        if not isinstance(node, (ast.With, ast.AsyncWith)):
            continue
        for item in node.items:
            match item:
                case ast.withitem(
                    context_expr=ast.Call(func=ast.Name(id="open"), args=[path, ast.Constant(value=str(mode)), *_]),
                    optional_vars=ast.Name(id=handle),
                ):
                    yield ast.unparse(path), bool(set(mode) & set("wax+")), node.body, handle


def _used(body: list[ast.stmt], handle: str, names: Names, functions: frozenset[str]) -> Iterator[int]:
    """Lines at which one of the functions is given the open file."""
    for node in (part for top in body for part in walk(top)):
        given = [each.id for each in node.args if isinstance(each, ast.Name)] if isinstance(node, ast.Call) else []
        if isinstance(node, ast.Call) and handle in given and names.plain(node.func) in functions:
            yield node.lineno


def _uses(body: list[ast.stmt], handle: str) -> int:
    return sum(isinstance(part, ast.Name) and part.id == handle for top in body for part in walk(top))


def _others(names: Names, lines: set[int], read: dict[int, str]) -> set[int]:
    """Lines on which something else is unpickled as well."""
    calls = [
        node.lineno
        for node in names.nodes
        if isinstance(node, ast.Call) and node.lineno in lines and "load" in (names.plain(node.func) or "load")
    ]
    return {line for line in calls if calls.count(line) > 1 or line not in read}
