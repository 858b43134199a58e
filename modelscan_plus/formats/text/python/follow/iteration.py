"""Functions of Python that go through values, order and compare them, and call what they are given on each."""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.follow import elements, expressions, objects, tables
from modelscan_plus.formats.text.python.follow.values import (
    NONE,
    UNKNOWN,
    Bound,
    Class,
    Function,
    Items,
    Known,
    Partial,
    Scope,
    Table,
    Unknown,
    Value,
    flows_of,
    join,
    options,
)

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

Model = Callable[["Machine", Sequence[Value], Mapping[str, Value], ast.AST, Scope], Value | None]
"""What a function gives; None where it is treated like any other."""


def _reduce(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if len(given) < 2:
        return None
    found, _ = elements.items(machine, given[1], node, scope)
    values = [*given[2:3], *found]
    if not values:
        return None
    result = values[0]
    for value in values[1:200]:
        result = machine.call(given[0], [result, value], {}, node, scope)
    return result


def _map(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`map(f, a, b)`, and what else calls its first argument with the items of the others."""
    if not given:
        return None
    columns = [elements.items(machine, value, node, scope)[0] for value in given[1:]] or [[UNKNOWN]]
    longest = max(map(len, columns), default=0)
    results: list[Value] = []
    for number in range(min(longest, 500) if machine.room > 20_000 else 1):
        row = [column[min(number, len(column) - 1)] if column else UNKNOWN for column in columns]
        results.append(machine.call(given[0], row, {}, node, scope))
    return Items(results)


def _starmap(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if len(given) < 2:
        return None
    rows = [
        elements.items(machine, row, node, scope)[0] for row in elements.items(machine, given[1], node, scope)[0][:200]
    ]
    return Items([machine.call(given[0], row, {}, node, scope) for row in rows])


def _filter(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if len(given) < 2:
        return None
    found, _ = elements.items(machine, given[1], node, scope)
    for value in found[:200]:
        objects.touch(machine, value, ("__bool__", "__len__"), [], node, scope)
        if given[0] != NONE:
            machine.call(given[0], [value], {}, node, scope)
    return Items(found)


def _ordered(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`sorted`, `max`, `min`, and their `key`."""
    found = elements.items(machine, given[0], node, scope)[0] if len(given) == 1 else list(given)
    if "key" in keywords and keywords["key"] != NONE:
        for value in found[:200]:
            machine.call(keywords["key"], [value], {}, node, scope)
    for value in found[:50]:
        objects.touch(machine, value, ("__lt__", "__gt__"), [UNKNOWN], node, scope)
    return Items(found)


def _extreme(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    found = _ordered(machine, given, keywords, node, scope)
    return join(found.items) if isinstance(found, Items) and found.items else UNKNOWN


def _listed(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`list`, `tuple`, `set`, `any`, `sum` and what else goes through its argument."""
    if not given:
        return Items([])
    found, whole = elements.items(machine, given[0], node, scope)
    for value in found[:50]:
        objects.touch(machine, value, ("__bool__", "__len__", "__hash__"), [], node, scope)
    if not whole and all(isinstance(value, Unknown) for value in found):
        return Unknown(flows_of(given[0]) | machine.program.emitter.origins(given[0]))
    return Items(found)


def _spread(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`torch.nn.Sequential(a, b)`."""
    return Items(list(given))


def _next(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if not given:
        return None
    made = objects.touch(machine, given[0], ("__next__", "__anext__"), [], node, scope)
    if made is not None:
        return made
    found, _ = elements.items(machine, given[0], node, scope)
    return join([*found[:50], *given[1:2]] or [UNKNOWN])


def _zip(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    columns = [elements.items(machine, value, node, scope)[0] for value in given]
    if not columns:
        return Items([])
    return Items([Items(list(row)) for row in zip(*columns, strict=False)])


def _enumerate(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    found = elements.items(machine, given[0], node, scope)[0] if given else []
    return Items([Items([Known(number), value]) for number, value in enumerate(found)])


def _reversed(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    if not given or isinstance(given[0], Known):
        return None
    made = objects.touch(machine, given[0], ("__reversed__",), [], node, scope)
    return made or Items(elements.items(machine, given[0], node, scope)[0][::-1])


def _touching(*names: str) -> Model:
    """A function that calls one of these methods of what it is given."""

    def model(
        machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        made = [objects.touch(machine, value, names, [], node, scope) for value in given]
        found = [each for each in made if each is not None]
        return join(found) if found else None

    return model


def _dict(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    made = Table(dict(keywords.items()))
    for value in given[-1:]:
        for option in options(value):
            if isinstance(option, Table):
                made.items |= option.items
                made.others += option.others
            elif isinstance(option, Items):
                for row in option.items[:500]:
                    if isinstance(row, Items) and len(row.items) == 2:
                        tables.put_in_table(made, row.items[0], row.items[1])
            elif isinstance(option, (Function, Class, Partial, Bound)):
                made.others.append(machine.call(option, [], {}, node, scope))  # defaultdict
            else:
                objects.touch(machine, option, ("keys", "__iter__"), [], node, scope)
                objects.touch(machine, option, ("__getitem__",), [UNKNOWN], node, scope)
                flows = flows_of(option) | machine.program.emitter.origins(option)
                made.others += [Unknown(flows)] if flows else []
    return made


def _print(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    for value in given:
        objects.touch(machine, value, ("__str__", "__repr__"), [], node, scope)
    objects.touch(machine, keywords.get("file", NONE), ("write", "flush"), [UNKNOWN], node, scope)
    return NONE


def _iter(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    """`iter(function, end)`."""
    return Items([machine.call(given[0], [], {}, node, scope)]) if len(given) > 1 else None


def _sum(
    machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
) -> Value | None:
    for value in elements.items(machine, given[0], node, scope)[0][:50] if given else ():
        objects.touch(machine, value, ("__radd__", "__add__"), [UNKNOWN], node, scope)
    return None


def _operator(name: str) -> Model:
    def model(
        machine: "Machine", given: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, scope: Scope
    ) -> Value | None:
        plain = (
            name.strip("_").removeprefix("i")
            if name.startswith("i") and name not in ("inv", "invert", "index")
            else name.strip("_")
        )
        made = [objects.touch(machine, value, (f"__{name.strip('_')}__", f"__{plain}__", f"__r{plain}__"), given[1:], node, scope)
                for value in given[:2]]  # fmt: skip
        found = [each for each in made if each is not None]
        if name in ("add", "concat", "iadd", "iconcat") and len(given) > 1 and not found:
            return expressions.binary(machine, ast.Add(), given[0], given[1], node, scope)
        return join(found) if found else None

    return model


MODELS: dict[str, Model] = {
    "functools.reduce": _reduce, "builtins.map": _map, "itertools.starmap": _starmap, "builtins.filter": _filter,
    "itertools.filterfalse": _filter, "itertools.takewhile": _filter, "itertools.dropwhile": _filter,
    "builtins.sorted": _ordered, "builtins.max": _extreme, "builtins.min": _extreme, "heapq.nlargest": _ordered,
    "builtins.list": _listed, "builtins.tuple": _listed, "builtins.set": _listed, "builtins.frozenset": _listed,
    "builtins.any": _listed, "builtins.all": _listed, "builtins.sum": _sum, "collections.deque": _listed,
    "itertools.chain": _listed, "torch.nn.ModuleList": _listed, "torch.nn.Sequential": _spread,
    "torch.nn.ModuleDict": _dict, "builtins.next": _next, "builtins.anext": _next, "builtins.zip": _zip,
    "builtins.enumerate": _enumerate, "builtins.reversed": _reversed, "builtins.len": _touching("__len__"),
    "builtins.repr": _touching("__repr__", "__str__"), "builtins.str": _touching("__str__", "__repr__"),
    "builtins.format": _touching("__format__", "__str__"), "builtins.ascii": _touching("__repr__"),
    "builtins.hash": _touching("__hash__"), "builtins.bool": _touching("__bool__", "__len__"),
    "builtins.int": _touching("__int__", "__index__", "__trunc__"),
    "builtins.float": _touching("__float__", "__index__"),
    "builtins.complex": _touching("__complex__", "__float__"),
    "builtins.bytes": _touching("__bytes__", "__iter__", "__index__"), "builtins.abs": _touching("__abs__"),
    "builtins.round": _touching("__round__"), "builtins.divmod": _operator("divmod"),
    "builtins.pow": _operator("pow"), "builtins.iter": _iter, "math.floor": _touching("__floor__", "__float__"),
    "math.ceil": _touching("__ceil__", "__float__"), "math.trunc": _touching("__trunc__"),
    "builtins.range": _touching("__index__"), "builtins.hex": _touching("__index__"),
    "builtins.bin": _touching("__index__"), "builtins.oct": _touching("__index__"),
    "builtins.chr": _touching("__index__"), "os.fspath": _touching("__fspath__"), "builtins.dict": _dict,
    "collections.OrderedDict": _dict, "collections.defaultdict": _dict, "collections.ChainMap": _dict,
    "builtins.print": _print,
} | {
    f"operator.{form}": _operator(name)
    for name in """add sub mul matmul truediv floordiv mod pow lshift rshift and or xor concat eq ne lt le gt ge neg pos
    invert inv index not truth contains iadd isub imul imatmul itruediv ifloordiv imod ipow ilshift irshift iand ior
    ixor iconcat length_hint""".split()
    for form in (name, f"{name}_", f"__{name}__")
}  # fmt: skip
