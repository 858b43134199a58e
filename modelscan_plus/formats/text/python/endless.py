"""Loops that never end: what a loader calls does not come back, or fills the disk or the memory.

A loop has an end where it breaks, returns, raises, gives something back, or calls anything that may: whoever waits for
a request, a message or a second is a server or a worker. What is left only computes, allocates, writes or starts more.
"""

import ast
from collections.abc import Iterable

from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.walk import walk

_ENDS = (ast.Break, ast.Return, ast.Raise, ast.Yield, ast.YieldFrom, ast.Await, ast.Assert, ast.With, ast.AsyncWith)
_BUSY = frozenset(
    """write writelines append extend insert add update flush truncate seek encode copy clone repeat join format matmul mm bmm
    zeros ones rand randn randint empty full tensor normal_ fill_ to cuda cpu double float half cat stack urandom bytes bytearray
    token_bytes token_hex list dict set range len int str pow sqrt sha256 sha512 md5 digest hexdigest update open start
    Thread Process fork Popen getrandbits random choice choices synchronize allocate touch mkdir symlink dump dumps print
    __iadd__ __mul__ item sum mean dot tile deepcopy ones_like zeros_like rand_like randn_like einsum linspace arange""".split()
)
"""Names of calls that come back at once, however often."""


def endless(nodes: Iterable[ast.AST], names: Names) -> ast.While | None:
    """The first loop of a function that has no end and does not wait."""
    for node in nodes:
        if isinstance(node, ast.While) and _is_true(node.test, names):
            inner = [part for top in node.body for part in walk(top)]
            if not any(isinstance(part, _ENDS) for part in inner) and all(map(_is_busy, inner)):
                return node
    return None


def fills(loop: ast.While) -> str:
    """What a loop without an end fills, "" where it only computes."""
    called = {
        getattr(part.func, "attr", getattr(part.func, "id", ""))
        for top in loop.body
        for part in walk(top)
        if isinstance(part, ast.Call)
    }
    if called & {"fork", "Popen", "Process", "Thread"}:
        return "starts more and more without an end"
    return "writes without an end" if called & {"write", "writelines", "touch", "mkdir", "symlink"} else ""


def _is_true(test: ast.expr, names: Names) -> bool:
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Compare(left=ast.Constant(value=left), ops=[ast.Eq()], comparators=[ast.Constant(value=right)]):
            return bool(left == right)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Constant(value=value)):
            return not value
        case ast.Name(id=name):
            return isinstance(held := names.single.get(name), ast.Constant) and bool(held.value)
    return False


def _is_busy(node: ast.AST) -> bool:
    """True for anything but a call that may take its time, or end the loop."""
    if isinstance(node, ast.Call):
        return getattr(node.func, "attr", getattr(node.func, "id", "")) in _BUSY
    return True
