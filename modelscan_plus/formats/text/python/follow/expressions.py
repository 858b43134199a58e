"""Expressions: constants are worked out, names looked up, and the methods called that operators stand for."""

import ast
import builtins
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.constants import Constant, NotConstant
from modelscan_plus.formats.text.python.fold import Folder
from modelscan_plus.formats.text.python.follow import elements, loops, objects, tables
from modelscan_plus.formats.text.python.follow.values import (
    NONE,
    UNKNOWN,
    UNSPOKEN,
    Bound,
    Class,
    Function,
    Instance,
    Items,
    Known,
    Outer,
    Partial,
    Patchwork,
    Scope,
    Super,
    Table,
    Unknown,
    Value,
    constant,
    flows_of,
    join,
    lifted,
    options,
    patchwork,
)

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

_BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_")) | {"__import__", "__builtins__"}
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.MatMult: "matmul", ast.Div: "truediv", ast.Mod: "mod",
    ast.Pow: "pow", ast.LShift: "lshift", ast.RShift: "rshift", ast.BitOr: "or", ast.BitXor: "xor", ast.BitAnd: "and",
    ast.FloorDiv: "floordiv",
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("__eq__", "__eq__"), ast.NotEq: ("__ne__", "__ne__"), ast.Lt: ("__lt__", "__gt__"),
    ast.LtE: ("__le__", "__ge__"), ast.Gt: ("__gt__", "__lt__"), ast.GtE: ("__ge__", "__le__"),
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "__neg__", ast.UAdd: "__pos__", ast.Invert: "__invert__"}


def in_place(operator: ast.operator) -> str:
    """The method behind `+=` and its relatives."""
    return f"__i{_OPERATORS[type(operator)]}__"


def _constant(machine: "Machine", node: ast.Constant, scope: Scope) -> Value:
    value = node.value
    return Known(value) if isinstance(value, (str, bytes, int, float, type(None))) else UNKNOWN


def lookup(machine: "Machine", name: str, scope: Scope) -> Value:
    """What a name stands for in a scope."""
    around: Scope | None = scope
    while around is not None:
        if name in around.names and not (name in around.elsewhere and around.kind == "function"):
            return around.names[name]
        around = around.parent
    if name in scope.module.names:
        return scope.module.names[name]
    if name == "__class__" and scope.owner is not None:
        return scope.owner
    if name in _BUILTINS:
        return Outer("builtins" if name == "__builtins__" else f"builtins.{name}")
    known = machine.program.ambient(name, scope.module)
    return UNKNOWN if known is None else known


def _name(machine: "Machine", node: ast.Name, scope: Scope) -> Value:
    return lookup(machine, node.id, scope)


def _attribute(machine: "Machine", node: ast.Attribute, scope: Scope) -> Value:
    return objects.attribute(machine, machine.value(node.value, scope), node.attr, node, scope)


def _subscript(machine: "Machine", node: ast.Subscript, scope: Scope) -> Value:
    value = machine.value(node.value, scope)
    if isinstance(node.slice, ast.Slice):
        parts = (node.slice.lower, node.slice.upper, node.slice.step)
        bounds = tuple(machine.value(part, scope) for part in parts)
        for bound in bounds:
            objects.touch(machine, bound, ("__index__",), [], node, scope)
        return sliced(machine, value, bounds, node, scope)
    return elements.item(machine, value, machine.value(node.slice, scope), node, scope)


def sliced(machine: "Machine", value: Value, bounds: tuple[Value, ...], node: ast.AST, scope: Scope) -> Value:
    """`value[a:b:c]`."""
    results: list[Value] = []
    for option in options(value):
        if isinstance(option, Known) and isinstance(option.value, (str, bytes)):
            places = [
                each.value if isinstance(each, Known) and isinstance(each.value, int) else None for each in bounds
            ]
            known = all(isinstance(each, Known) for each in bounds) and places[2] != 0
            results.append(Known(option.value[slice(*places)], option.flows) if known else Unknown(option.flows))
        else:
            results.append(elements.item(machine, option, Partial(Outer("builtins.slice"), bounds), node, scope))
    return join(results)


def _call(machine: "Machine", node: ast.Call, scope: Scope) -> Value:
    if isinstance(node.func, ast.Name) and node.func.id == "super" and scope.owner is not None:
        instance = scope.instance
        around = scope
        while instance is None and around.parent is not None:
            around = around.parent
            instance = around.instance
        return Super(scope.owner, instance or UNKNOWN)
    function = machine.value(node.func, scope)
    arguments, keywords = given(machine, node, scope)
    return machine.call(function, arguments, keywords, node, scope)


def given(machine: "Machine", node: ast.Call, scope: Scope) -> tuple[list[Value], dict[str, Value]]:
    """The arguments of a call."""
    arguments: list[Value] = []
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            inner, _ = elements.items(machine, machine.value(argument.value, scope), node, scope)
            arguments += inner[:50]
        else:
            arguments.append(machine.value(argument, scope))
    keywords: dict[str, Value] = {}
    for item in node.keywords:
        value = machine.value(item.value, scope)
        if item.arg:
            keywords[item.arg] = value
            continue
        for option in options(value):
            if isinstance(option, Table):
                keywords |= {key: each for key, each in option.items.items() if isinstance(key, str)}
            else:
                objects.touch(machine, option, ("keys",), [], node, scope)
                objects.touch(machine, option, ("__getitem__",), [UNKNOWN], node, scope)
    return arguments, keywords


def _binary(machine: "Machine", node: ast.BinOp, scope: Scope) -> Value:
    chain: list[ast.BinOp] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp):  # a long sum nests deeply on its left
        chain.append(left)
        left = left.left
    value = machine.value(left, scope)
    for part in reversed(chain):
        value = binary(machine, part.op, value, machine.value(part.right, scope), part, scope)
    return value


def binary(machine: "Machine", operator: ast.operator, left: Value, right: Value, node: ast.AST, scope: Scope) -> Value:
    """`left operator right`."""
    name = _OPERATORS[type(operator)]
    results = [
        objects.touch(machine, left, (f"__{name}__",), [right], node, scope),
        objects.touch(machine, right, (f"__r{name}__",), [left], node, scope),
    ]
    if isinstance(operator, ast.Mod):
        objects.touch(machine, right, ("__str__", "__repr__", "__format__"), [], node, scope)
    found = [result for result in results if result is not None]
    if found:
        return join(found)
    if isinstance(left, Items) and isinstance(right, Items) and isinstance(operator, ast.Add):
        return Items([*left.items, *right.items][:2000])
    if isinstance(operator, ast.Mult) and isinstance(left, Items) and not isinstance(right, Instance):
        times = right.value if isinstance(right, Known) and isinstance(right.value, int) else 1
        return Items((left.items * min(times, 50))[:200]) if times > 1 else left
    if isinstance(left, Table) and isinstance(right, Table) and isinstance(operator, ast.BitOr):
        return Table({**left.items, **right.items}, [*left.others, *right.others])
    combined = [_combined(operator, a, b) for a in options(left)[:6] for b in options(right)[:6]]
    return join(combined)


def _combined(operator: ast.operator, left: Value, right: Value) -> Value:
    flows = flows_of(left) | flows_of(right)
    if not (isinstance(left, (Known, Items)) and isinstance(right, (Known, Items, Table))):
        return _patched(operator, left, right)
    try:
        return lifted(
            folded(ast.BinOp(ast.Name("a"), operator, ast.Name("b")), a=constant(left), b=constant(right)), flows
        )
    except NotConstant:
        return _patched(operator, left, right)


def _patched(operator: ast.operator, left: Value, right: Value) -> Value:
    """The known part of a text that is put together with something unknown."""
    text = isinstance(left, Patchwork) or (isinstance(left, Known) and isinstance(left.value, (str, bytes)))
    text = text or isinstance(right, Patchwork) or (isinstance(right, Known) and isinstance(right.value, (str, bytes)))
    if text and isinstance(operator, ast.Add):
        return patchwork((left, right))
    if text and isinstance(operator, ast.Div):
        return patchwork((left, right), "/")
    if text and isinstance(operator, ast.Mod):
        return patchwork((left, *(right.items if isinstance(right, Items) else [right])), " ")
    return Unknown(flows_of(left) | flows_of(right))


def folded(node: ast.expr, **names: Constant) -> Constant:
    """An expression over names with these values, by the folding of constants; raises `NotConstant`."""
    return Folder(names, lambda _: None).fold(node)


def _unary(machine: "Machine", node: ast.UnaryOp, scope: Scope) -> Value:
    if isinstance(node.op, ast.Not):
        known = truth(machine, node.operand, scope)
        return UNKNOWN if known is None else Known(not known)
    value = machine.value(node.operand, scope)
    made = objects.touch(machine, value, (_UNARY[type(node.op)],), [], node, scope)
    if made is not None:
        return made
    if isinstance(value, Known) and isinstance(value.value, (int, float)):
        if isinstance(node.op, ast.USub):
            return Known(-value.value, value.flows)
        if isinstance(value.value, int) and isinstance(node.op, ast.Invert):
            return Known(~value.value, value.flows)
    return Unknown(flows_of(value))


def truth(machine: "Machine", node: ast.expr, scope: Scope) -> bool | None:
    """Whether a condition holds, None where that is not known."""
    value = machine.value(node, scope)
    objects.touch(machine, value, ("__bool__", "__len__"), [], node, scope)
    return is_true(value)


def is_true(value: Value) -> bool | None:
    """Whether a value counts as true, None where that is not known."""
    match value:
        case Known() if not value.flows:
            return bool(value.value)
        case Items() if not value.items:
            return None
        case Function() | Class() | Bound() | Partial():
            return True
    return None


def _boolean(machine: "Machine", node: ast.BoolOp, scope: Scope) -> Value:
    results: list[Value] = []
    for part in node.values:
        value = machine.value(part, scope)
        objects.touch(machine, value, ("__bool__", "__len__"), [], node, scope)
        results.append(value)
        known = is_true(value)
        if known is not None and known is isinstance(node.op, ast.Or):
            break
    decided = results[-1] if is_true(results[-1]) is isinstance(node.op, ast.Or) else None
    if decided is not None and len(results) == 1:
        return decided
    return join(results)


def _compare(machine: "Machine", node: ast.Compare, scope: Scope) -> Value:
    left = machine.value(node.left, scope)
    result: Value = UNKNOWN
    for operator, part in zip(node.ops, node.comparators, strict=True):
        right = machine.value(part, scope)
        if names := _COMPARISONS.get(type(operator)):
            made = objects.touch(machine, left, (names[0],), [right], node, scope)
            other = objects.touch(machine, right, (names[1],), [left], node, scope)
            _held_compared(machine, names[0], left, right, node, scope)
            result = made or other or _compared(operator, left, right)
        elif isinstance(operator, (ast.In, ast.NotIn)):
            objects.touch(machine, left, ("__eq__",), [UNKNOWN], node, scope)
            objects.touch(machine, left, ("__hash__",), [], node, scope)
            _held_compared(machine, "__eq__", right, left, node, scope)
            if objects.touch(machine, right, ("__contains__",), [left], node, scope) is None and _iterates(right):
                elements.items(machine, right, node, scope)
            result = _contained(operator, left, right)
        else:
            result = _same(operator, left, right)
        left = right
    return result if len(node.ops) == 1 else UNKNOWN


def _held_compared(machine: "Machine", name: str, left: Value, right: Value, node: ast.AST, scope: Scope) -> None:
    """Lists compare what they hold."""
    for value in (left, right):
        for item in value.items[:50] if isinstance(value, Items) else ():
            objects.touch(machine, item, (name,), [UNKNOWN], node, scope)


def _iterates(value: Value) -> bool:
    return any(isinstance(option, (Instance, Class)) for option in options(value))


def _compared(operator: ast.cmpop, left: Value, right: Value) -> Value:
    if isinstance(left, Patchwork) and isinstance(right, Known) and isinstance(operator, (ast.Eq, ast.NotEq)):
        end = left.text.rpartition(UNSPOKEN)[2]
        differs = isinstance(right.value, str) and not right.value.endswith(end)
        return Known(isinstance(operator, ast.NotEq)) if differs else UNKNOWN
    if not (isinstance(left, Known) and isinstance(right, Known)) or left.flows or right.flows:
        return UNKNOWN
    a, b = left.value, right.value
    if isinstance(operator, ast.Eq):
        return Known(a == b)
    if isinstance(operator, ast.NotEq):
        return Known(a != b)
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        match operator:
            case ast.Lt():
                return Known(a < b)
            case ast.LtE():
                return Known(a <= b)
            case ast.Gt():
                return Known(a > b)
            case ast.GtE():
                return Known(a >= b)
    return UNKNOWN


def _contained(operator: ast.cmpop, left: Value, right: Value) -> Value:
    try:
        a, b = constant(left), constant(right)
        if isinstance(b, (list, dict)) or (isinstance(a, str) and isinstance(b, str)):
            found = a in b
        else:
            return UNKNOWN
    except (NotConstant, TypeError):
        return UNKNOWN
    return Known(found is isinstance(operator, ast.In)) if not flows_of(left) | flows_of(right) else UNKNOWN


def _same(operator: ast.cmpop, left: Value, right: Value) -> Value:
    plain = isinstance(left, Known) and isinstance(right, Known) and not left.flows and not right.flows
    if plain and NONE in (left, right):
        return Known((left == right) is isinstance(operator, ast.Is))
    if right == NONE and isinstance(left, (Function, Class, Instance, Items, Table)):
        return Known(isinstance(operator, ast.IsNot))
    return UNKNOWN


def _either(machine: "Machine", node: ast.IfExp, scope: Scope) -> Value:
    known = truth(machine, node.test, scope)
    if known is not None:
        return machine.value(node.body if known else node.orelse, scope)
    return join([machine.value(node.body, scope), machine.value(node.orelse, scope)])


def _items(machine: "Machine", node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Value:
    found: list[Value] = []
    for item in node.elts[:5000]:
        if isinstance(item, ast.Starred):
            inner, _ = elements.items(machine, machine.value(item.value, scope), node, scope)
            found += inner
        else:
            found.append(machine.value(item, scope))
    if isinstance(node, ast.Set):
        for value in found:
            hashed(machine, value, node, scope)
    return Items(found)


def hashed(machine: "Machine", value: Value, node: ast.AST, scope: Scope) -> None:
    """A value becomes a key."""
    objects.touch(machine, value, ("__hash__",), [], node, scope)
    objects.touch(machine, value, ("__eq__",), [UNKNOWN], node, scope)


def _table(machine: "Machine", node: ast.Dict, scope: Scope) -> Value:
    made = Table({})
    for key, item in zip(node.keys[:5000], node.values[:5000], strict=True):
        value = machine.value(item, scope)
        if key is not None:
            known = machine.value(key, scope)
            hashed(machine, known, node, scope)
            tables.put_in_table(made, known, value)
            continue
        for option in options(value):
            if isinstance(option, Table):
                made.items |= option.items
                made.others += option.others
            else:
                objects.touch(machine, option, ("keys",), [], node, scope)
                objects.touch(machine, option, ("__getitem__",), [UNKNOWN], node, scope)
    return made


def _joined(machine: "Machine", node: ast.JoinedStr, scope: Scope) -> Value:
    parts = [machine.value(part, scope) for part in node.values]
    return patchwork(parts)


def _formatted(machine: "Machine", node: ast.FormattedValue, scope: Scope) -> Value:
    value = machine.value(node.value, scope)
    names = ["__format__", "__str__", "__repr__"]
    if node.conversion in (ord("r"), ord("a"), ord("s")):
        names = names[1:] if node.conversion == ord("s") else names[2:]
    machine.value(node.format_spec, scope)
    made = objects.touch(machine, value, names, [Known("")] if names[0] == "__format__" else [], node, scope)
    return value if made is None else made


def _comprehension(machine: "Machine", node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Value:
    found: list[Value] = []
    if not _rounds(machine, node.generators, scope, lambda inner: found.append(machine.value(node.elt, inner))):
        found.append(UNKNOWN)
    if isinstance(node, ast.SetComp):
        for value in found[:50]:
            hashed(machine, value, node, scope)
    return Items(found)


def _table_comprehension(machine: "Machine", node: ast.DictComp, scope: Scope) -> Value:
    made = Table({})

    def one(inner: Scope) -> None:
        key = machine.value(node.key, inner)
        hashed(machine, key, node, inner)
        tables.put_in_table(made, key, machine.value(node.value, inner))

    if not _rounds(machine, node.generators, scope, one):
        made.others.append(UNKNOWN)
    return made


def _rounds(
    machine: "Machine", generators: Sequence[ast.comprehension], scope: Scope, body: Callable[[Scope], object]
) -> bool:
    """Go through the rounds of a comprehension; False where it was left before its end."""
    from modelscan_plus.formats.text.python.follow.statements import assign, spread

    if not generators:
        body(scope)
        return True
    first, rest = generators[0], generators[1:]
    found, whole = elements.items(machine, machine.value(first.iter, scope), first.iter, scope)
    inner = Scope(scope.module, scope, "function", function=scope.function, instance=scope.instance, owner=scope.owner)
    if scope.kind == "class":
        inner.owner = None
    begun, most, ended = machine.steps, loops.room(machine), True
    for item in spread(machine, found, whole, 3):
        if machine.steps - begun > most:
            return False
        assign(machine, first.target, item, inner)
        if all(truth(machine, test, inner) is not False for test in first.ifs):
            ended = _rounds(machine, rest, inner, body) and ended
    return ended


def _lambda(machine: "Machine", node: ast.Lambda, scope: Scope) -> Value:
    from modelscan_plus.formats.text.python.follow.statements import inner_scope

    taken = node.args
    owner = scope.owner if scope.kind == "class" else None
    keywords = {
        item.arg: machine.value(default, scope)
        for item, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)
        if default is not None
    }
    return Function(node, inner_scope(scope), [machine.value(each, scope) for each in taken.defaults], keywords, owner)


def _walrus(machine: "Machine", node: ast.NamedExpr, scope: Scope) -> Value:
    from modelscan_plus.formats.text.python.follow.statements import assign

    value = machine.value(node.value, scope)
    assign(machine, node.target, value, scope)
    return value


def _yield(machine: "Machine", node: ast.Yield | ast.YieldFrom, scope: Scope) -> Value:
    value = machine.value(node.value, scope)
    frame = machine.frames[-1]
    frame.given = frame.given or []
    if isinstance(node, ast.YieldFrom):
        frame.given += elements.items(machine, value, node, scope)[0][:200]
    elif len(frame.given) < 5000:
        frame.given.append(value)
    return UNKNOWN


def _await(machine: "Machine", node: ast.Await, scope: Scope) -> Value:
    value = machine.value(node.value, scope)
    made = objects.touch(machine, value, ("__await__",), [], node, scope)
    return value if made is None else made


def _starred(machine: "Machine", node: ast.Starred, scope: Scope) -> Value:
    found, _ = elements.items(machine, machine.value(node.value, scope), node, scope)
    return join(found or [UNKNOWN])


HANDLERS: dict[type[ast.expr], Callable[..., Value]] = {
    ast.Constant: _constant, ast.Name: _name, ast.Attribute: _attribute, ast.Subscript: _subscript, ast.Call: _call,
    ast.BinOp: _binary, ast.UnaryOp: _unary, ast.BoolOp: _boolean, ast.Compare: _compare, ast.IfExp: _either,
    ast.List: _items, ast.Tuple: _items, ast.Set: _items, ast.Dict: _table, ast.JoinedStr: _joined,
    ast.FormattedValue: _formatted, ast.ListComp: _comprehension, ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension, ast.DictComp: _table_comprehension, ast.Lambda: _lambda, ast.NamedExpr: _walrus,
    ast.Yield: _yield, ast.YieldFrom: _yield, ast.Await: _await, ast.Starred: _starred,
}  # fmt: skip
