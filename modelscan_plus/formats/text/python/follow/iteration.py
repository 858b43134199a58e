"""Functions of Python that go through values, order and compare them, and call what they are given on each."""

import ast

from modelscan_plus.formats.text.python.follow import elements, expressions, tables
from modelscan_plus.formats.text.python.follow.modelled import Call, Model
from modelscan_plus.formats.text.python.follow.values import (
    NONE,
    UNKNOWN,
    Bound,
    Class,
    Function,
    Items,
    Known,
    Partial,
    Table,
    Unknown,
    Value,
    flows_of,
    join,
    options,
)


def _reduce(call: Call) -> Value | None:
    if len(call.given) < 2:
        return None
    found = call.items(call.given[1])
    values = [*call.given[2:3], *found]
    if not values:
        return None
    result = values[0]
    for value in values[1:200]:
        result = call.run(call.given[0], [result, value])
    return result


def _map(call: Call) -> Value | None:
    """`map(f, a, b)`, and what else calls its first argument with the items of the others."""
    if not call.given:
        return None
    columns = [call.items(value) for value in call.given[1:]] or [[UNKNOWN]]
    longest = max(map(len, columns), default=0)
    results: list[Value] = []
    for number in range(min(longest, 500) if call.machine.room > 20_000 else 1):
        row = [column[min(number, len(column) - 1)] if column else UNKNOWN for column in columns]
        results.append(call.run(call.given[0], row))
    return Items(results)


def _starmap(call: Call) -> Value | None:
    if len(call.given) < 2:
        return None
    rows = [call.items(row) for row in call.items(call.given[1])[:200]]
    return Items([call.run(call.given[0], row) for row in rows])


def _filter(call: Call) -> Value | None:
    if len(call.given) < 2:
        return None
    found = call.items(call.given[1])
    for value in found[:200]:
        call.touch(value, ("__bool__", "__len__"))
        if call.given[0] != NONE:
            call.run(call.given[0], [value])
    return Items(found)


def _ordered(call: Call) -> Value | None:
    """`sorted`, `max`, `min`, and their `key`."""
    found = call.items(call.given[0]) if len(call.given) == 1 else list(call.given)
    if "key" in call.keywords and call.keywords["key"] != NONE:
        for value in found[:200]:
            call.run(call.keywords["key"], [value])
    for value in found[:50]:
        call.touch(value, ("__lt__", "__gt__"), [UNKNOWN])
    return Items(found)


def _extreme(call: Call) -> Value | None:
    found = _ordered(call)
    return join(found.items) if isinstance(found, Items) and found.items else UNKNOWN


def _listed(call: Call) -> Value | None:
    """`list`, `tuple`, `set`, `any`, `sum` and what else goes through its argument."""
    if not call.given:
        return Items([])
    found, whole = elements.items(call.machine, call.given[0], call.node, call.scope)
    for value in found[:50]:
        call.touch(value, ("__bool__", "__len__", "__hash__"))
    if not whole and all(isinstance(value, Unknown) for value in found):
        return Unknown(flows_of(call.given[0]) | call.machine.program.emitter.origins(call.given[0]))
    return Items(found)


def _spread(call: Call) -> Value | None:
    """`torch.nn.Sequential(a, b)`."""
    return Items(list(call.given))


def _next(call: Call) -> Value | None:
    if not call.given:
        return None
    made = call.touch(call.given[0], ("__next__", "__anext__"))
    if made is not None:
        return made
    found = call.items(call.given[0])
    return join([*found[:50], *call.given[1:2]] or [UNKNOWN])


def _zip(call: Call) -> Value | None:
    columns = [call.items(value) for value in call.given]
    if not columns:
        return Items([])
    return Items([Items(list(row)) for row in zip(*columns, strict=False)])


def _enumerate(call: Call) -> Value | None:
    found = call.items(call.given[0]) if call.given else []
    return Items([Items([Known(number), value]) for number, value in enumerate(found)])


def _reversed(call: Call) -> Value | None:
    if not call.given or isinstance(call.given[0], Known):
        return None
    made = call.touch(call.given[0], ("__reversed__",))
    return made or Items(call.items(call.given[0])[::-1])


def _touching(*names: str) -> Model:
    """A function that calls one of these methods of what it is given."""

    def model(call: Call) -> Value | None:
        made = [call.touch(value, names) for value in call.given]
        found = [each for each in made if each is not None]
        return join(found) if found else None

    return model


def _dict(call: Call) -> Value | None:
    made = Table(dict(call.keywords.items()))
    for value in call.given[-1:]:
        for option in options(value):
            if isinstance(option, Table):
                made.items |= option.items
                made.others += option.others
            elif isinstance(option, Items):
                for row in option.items[:500]:
                    if isinstance(row, Items) and len(row.items) == 2:
                        tables.put_in_table(made, row.items[0], row.items[1])
            elif isinstance(option, (Function, Class, Partial, Bound)):
                made.others.append(call.run(option, []))  # defaultdict
            else:
                call.touch(option, ("keys", "__iter__"))
                call.touch(option, ("__getitem__",), [UNKNOWN])
                flows = flows_of(option) | call.machine.program.emitter.origins(option)
                made.others += [Unknown(flows)] if flows else []
    return made


def _print(call: Call) -> Value | None:
    for value in call.given:
        call.touch(value, ("__str__", "__repr__"))
    call.touch(call.keywords.get("file", NONE), ("write", "flush"), [UNKNOWN])
    return NONE


def _iter(call: Call) -> Value | None:
    """`iter(function, end)`."""
    return Items([call.run(call.given[0], [])]) if len(call.given) > 1 else None


def _sum(call: Call) -> Value | None:
    for value in call.items(call.given[0])[:50] if call.given else ():
        call.touch(value, ("__radd__", "__add__"), [UNKNOWN])
    return None


def _operator(name: str) -> Model:
    def model(call: Call) -> Value | None:
        plain = (
            name.strip("_").removeprefix("i")
            if name.startswith("i") and name not in ("inv", "invert", "index")
            else name.strip("_")
        )
        made = [call.touch(value, (f"__{name.strip('_')}__", f"__{plain}__", f"__r{plain}__"), call.given[1:])
                for value in call.given[:2]]  # fmt: skip
        found = [each for each in made if each is not None]
        if name in ("add", "concat", "iadd", "iconcat") and len(call.given) > 1 and not found:
            return expressions.binary(call.machine, ast.Add(), call.given[0], call.given[1], call.node, call.scope)
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
