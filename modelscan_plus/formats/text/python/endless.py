"""Loops that never end: what a loader calls does not come back, or fills the disk or the memory.

A loop has an end where it breaks, returns, raises, gives something back, or calls anything that may: whoever waits for
a request, a message or a second is a server or a worker. What is left only computes, allocates, writes or starts more.
"""

import ast
import math
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


_LONG = 10**11
"""Rounds of a loop, seconds of a pause, numbers of an array that no machine comes to the end of."""
_PAUSE = 10**6
_LARGEST = 1e30
_COUNTS = frozenset(("itertools.count", "itertools.cycle"))
_ARRAYS = frozenset("empty zeros ones rand randn bytearray".split())


def endless(nodes: Iterable[ast.AST], names: Names) -> ast.stmt | ast.expr | None:
    """The first loop of a function that has no end and does not wait, or what takes as long, or as much."""
    for node in nodes:
        if isinstance(node, ast.For) and _goes_on(node.iter, names):
            inner = [part for top in node.body for part in walk(top)]
            if not any(isinstance(part, _ENDS) for part in inner) and all(map(_is_busy, inner)):
                return node
        if isinstance(node, ast.Call) and _takes_all(node, names):
            return node
        if isinstance(node, ast.While) and _is_true(node.test, names):
            inner = [part for top in node.body for part in walk(top)]
            if not any(isinstance(part, _ENDS) for part in inner) and all(map(_is_busy, inner)):
                return node
    return None


def fills(loop: ast.stmt | ast.expr) -> str:
    """What a loop without an end fills, "" where it only computes."""
    called = {
        getattr(part.func, "attr", getattr(part.func, "id", ""))
        for top in getattr(loop, "body", ())
        for part in walk(top)
        if isinstance(part, ast.Call)
    }
    if called & {"fork", "Popen", "Process", "Thread"}:
        return "starts more and more without an end"
    return "writes without an end" if called & {"write", "writelines", "touch", "mkdir", "symlink"} else ""


def _goes_on(taken: ast.expr, names: Names) -> bool:
    """True for `range(10**15)` and `itertools.count()`."""
    if not isinstance(taken, ast.Call):
        return False
    dotted = names.plain(taken.func)
    return dotted in _COUNTS or (dotted == "builtins.range" and _product(taken.args[-1:], names) >= _LONG)


def _takes_all(node: ast.Call, names: Names) -> bool:
    """True for a pause of weeks, and for an array that no machine has room for."""
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if names.plain(node.func) == "time.sleep":
        return _product(node.args[:1], names) >= _PAUSE
    return called in _ARRAYS and bool(node.args) and _product(node.args, names) >= _LONG


def _product(given: list[ast.expr], names: Names) -> float:
    """What constants come to, multiplied with each other; 0 where one is not known."""
    found = 1.0
    for value in given:
        for each in value.elts if isinstance(value, (ast.Tuple, ast.List)) else [value]:
            found *= _number(each, names)
    return found


def _number(node: ast.expr, names: Names, depth: int = 0) -> float:
    """A number of the source, as a float whatever its size; 0 for one that is not known."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return min(float(number), _LARGEST) if abs(number) < 10**300 else _LARGEST
        case ast.BinOp(op=ast.Pow() | ast.Mult() | ast.LShift() as sign, left=left, right=right) if depth < 8:
            one, other = _number(left, names, depth + 1), _number(right, names, depth + 1)
            if isinstance(sign, ast.Mult):
                return min(one * other, _LARGEST)
            base = 2.0 if isinstance(sign, ast.LShift) else one
            grown = _LARGEST if base > 1 and other * math.log10(base) > 30 else base ** min(other, 300.0)
            return min(grown * (one if isinstance(sign, ast.LShift) else 1.0), _LARGEST)
        case ast.Name(id=name) if depth < 8 and name in names.single:
            return _number(names.single[name], names, depth + 1)
    return 0.0


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
