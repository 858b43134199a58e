"""Statements, in the order in which Python would go through them."""

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.commands import is_for_a_person
from modelscan_plus.formats.text.python.follow import classes, elements, expressions, loops, objects
from modelscan_plus.formats.text.python.follow.decorating import decorated
from modelscan_plus.formats.text.python.follow.values import (
    NONE,
    UNKNOWN,
    Class,
    Function,
    Instance,
    Items,
    Known,
    Outer,
    Scope,
    Value,
    identity,
    join,
    merged,
    options,
)

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

_ROUNDS = 300
"""Rounds of a loop whose end is known."""
_ITEMS = 3_000


def _expression(machine: "Machine", node: ast.Expr, scope: Scope) -> bool:
    machine.program.emitter.discarded = node.value
    machine.value(node.value, scope)
    return False


def _assign(machine: "Machine", node: ast.Assign, scope: Scope) -> bool:
    value = machine.value(node.value, scope)
    for target in node.targets:
        assign(machine, target, value, scope)
    return False


def _annotated(machine: "Machine", node: ast.AnnAssign, scope: Scope) -> bool:
    if scope.kind != "function":
        machine.value(node.annotation, scope)
    if scope.kind == "class" and isinstance(node.target, ast.Name):
        scope.names[f"§{node.target.id}"] = NONE  # a field, in this order
    if node.value is not None:
        assign(machine, node.target, machine.value(node.value, scope), scope)
    return False


def _augmented(machine: "Machine", node: ast.AugAssign, scope: Scope) -> bool:
    target: ast.expr
    match node.target:
        case ast.Name():
            target = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
        case ast.Attribute():
            target = ast.copy_location(ast.Attribute(node.target.value, node.target.attr, ast.Load()), node.target)
        case _:
            target = ast.copy_location(ast.Subscript(node.target.value, node.target.slice, ast.Load()), node.target)
    left, right = machine.value(target, scope), machine.value(node.value, scope)
    given = objects.touch(machine, left, (expressions.in_place(node.op),), [right], node, scope)
    assign(machine, node.target, given or expressions.binary(machine, node.op, left, right, node, scope), scope)
    return False


def assign(machine: "Machine", target: ast.expr, value: Value, scope: Scope) -> None:
    """Give a value to whatever can stand left of `=`."""
    match target:
        case ast.Name():
            name_it(machine, target.id, value, scope)
        case ast.Attribute():
            objects.store(machine, machine.value(target.value, scope), target.attr, value, target, scope)
        case ast.Subscript():
            holder, key = machine.value(target.value, scope), machine.value(target.slice, scope)
            elements.put(machine, holder, key, value, target, scope)
        case ast.Tuple() | ast.List():
            _unpack(machine, target, value, scope)


def _unpack(machine: "Machine", target: ast.Tuple | ast.List, value: Value, scope: Scope) -> None:
    """`a, *b, c = value`."""
    given, whole = elements.items(machine, value, target, scope)
    star = next((place for place, item in enumerate(target.elts) if isinstance(item, ast.Starred)), None)
    exact = whole and (len(given) == len(target.elts) if star is None else len(given) >= len(target.elts) - 1)
    behind = len(given) - len(target.elts)
    for place, item in enumerate(target.elts):
        if isinstance(item, ast.Starred):
            assign(machine, item.value, Items(given[place : place + behind + 1] if exact else list(given)), scope)
        elif exact:
            assign(machine, item, given[place if star is None or place < star else place + behind], scope)
        else:
            assign(machine, item, join(given or [UNKNOWN]), scope)


def name_it(machine: "Machine", name: str, value: Value, scope: Scope) -> None:
    """Let a name of a scope stand for a value."""
    if name in scope.elsewhere:
        objects.rebind(scope.module, name, value)
        return
    if name in scope.outside:
        around = scope.parent
        while around is not None:
            if around.kind == "function" and name in around.names:
                around.names[name] = join((around.names[name], value))
                return
            around = around.parent
        return
    if scope.kind == "module":
        known = scope.names.get(name)
        if known is not None and identity(known) != identity(value):
            scope.module.version += 1
    scope.names[name] = value


def _delete(machine: "Machine", node: ast.Delete, scope: Scope) -> bool:
    for target in node.targets:
        match target:
            case ast.Name():
                for option in options(scope.names.pop(target.id, NONE)):
                    objects.touch(machine, option, ("__del__",), [], target, scope)
            case ast.Subscript():
                key = machine.value(target.slice, scope)
                objects.touch(machine, machine.value(target.value, scope), ("__delitem__",), [key], target, scope)
            case ast.Attribute():
                held = machine.value(target.value, scope)
                objects.touch(machine, held, ("__delattr__",), [Known(target.attr)], target, scope)
                for option in options(held):
                    own = option.cls.find(target.attr) if isinstance(option, Instance) else None
                    if isinstance(own, Instance):
                        objects.touch(machine, own, ("__delete__",), [option], target, scope)
    return False


def _if(machine: "Machine", node: ast.If, scope: Scope) -> bool:
    truth = expressions.truth(machine, node.test, scope)
    if scope.kind == "module" and scope.module.path.endswith("setup.py") and is_for_a_person(node.test):
        truth = False
    if truth is True:
        return machine.block(node.body, scope)
    if truth is False:
        return machine.block(node.orelse, scope)
    return machine.branches(scope, [lambda: machine.block(node.body, scope), lambda: machine.block(node.orelse, scope)])


def _for(machine: "Machine", node: ast.For | ast.AsyncFor, scope: Scope) -> bool:
    given, whole = elements.items(machine, machine.value(node.iter, scope), node, scope)
    given = spread(machine, given, whole, len(node.body))
    before = scope.names
    machine.passed(scope, 2)
    scope.names = dict(before)
    begun, most = machine.steps, loops.room(machine)
    with machine.loop() as left:
        for item in given:
            if machine.steps - begun > most:
                item = join(given)
            machine.adopt(scope)
            assign(machine, node.target, item, scope)
            start = scope.names
            if machine.block(node.body, scope):
                scope.names = dict(start)
            if machine.steps - begun > 2 * most:
                loops.blur(scope, node)
                break
    scope.names = merged([scope.names, *left, *([] if whole and given else [before])])
    machine.adopt(scope)
    machine.block(node.orelse, scope)
    return False


def spread(machine: "Machine", given: Sequence[Value], whole: bool, size: int) -> list[Value]:
    """The rounds of a loop: each item by itself while there is room, all of them at once where there is not."""
    if whole and len(given) * max(1, size) * 8 < machine.room and len(given) <= _ITEMS:
        return list(given)
    if not given:
        return [UNKNOWN]
    return [*given[:8], join(given[8:200])] if len(given) > 8 else list(given)


def _while(machine: "Machine", node: ast.While, scope: Scope) -> bool:
    before = scope.names
    machine.passed(scope, 4)
    scope.names = dict(before)
    states = [before]
    begun, most = machine.steps, loops.room(machine)
    spoken_of = loops.names(node, ast.expr_context)
    with machine.loop() as left:
        for number in range(_ROUNDS):
            truth = expressions.truth(machine, node.test, scope)
            if truth is False or (truth is None and number > 1):
                break
            start, seen = scope.names, loops.contents(scope, spoken_of)
            if machine.block(node.body, scope):
                scope.names = dict(start)
                break
            if truth is None:
                states.append(dict(scope.names))
            elif seen == loops.contents(scope, spoken_of):
                break  # what the next rounds do, this one did
            if machine.steps - begun > most:
                loops.blur(scope, node)
                break
    scope.names = merged([scope.names, *left, *states])
    machine.adopt(scope)
    machine.block(node.orelse, scope)
    return False


def _leave_loop(machine: "Machine", node: ast.Break | ast.Continue, scope: Scope) -> bool:
    if machine.loops:
        machine.loops[-1].append(dict(scope.names))
    return True


def _try(machine: "Machine", node: ast.Try | ast.TryStar, scope: Scope) -> bool:
    before = dict(scope.names)
    machine.passed(scope, 1 + len(node.handlers))
    ended = machine.block(node.body, scope)
    inside = scope.names
    if not ended:
        ended = machine.block(node.orelse, scope)
    after = [] if ended else [scope.names]
    machine.branching += 1
    for handler in node.handlers:
        scope.names = merged([dict(before), inside])
        machine.adopt(scope)
        machine.value(handler.type, scope)
        if handler.name:
            scope.names[handler.name] = UNKNOWN
        if not machine.block(handler.body, scope):
            after.append(scope.names)
    machine.branching -= 1
    scope.names = merged(after) if after else inside
    machine.adopt(scope)
    return machine.block(node.finalbody, scope) or not after


def _with(machine: "Machine", node: ast.With | ast.AsyncWith, scope: Scope) -> bool:
    held: list[Value] = []
    for item in node.items:
        value = machine.value(item.context_expr, scope)
        held.append(value)
        given = objects.touch(machine, value, ("__enter__", "__aenter__"), [], node, scope)
        if item.optional_vars is not None:
            if given is None:
                given = join(value.items) if isinstance(value, Items) and value.items else value
            assign(machine, item.optional_vars, given, scope)
    ended = machine.block(node.body, scope)
    for value in held:
        objects.touch(machine, value, ("__exit__", "__aexit__"), [UNKNOWN] * 3, node, scope)
    return ended


def _return(machine: "Machine", node: ast.Return, scope: Scope) -> bool:
    machine.frames[-1].returned.append(machine.value(node.value, scope))
    return True


def _raise(machine: "Machine", node: ast.Raise, scope: Scope) -> bool:
    raised = machine.value(node.exc, scope)
    machine.value(node.cause, scope)
    for option in options(raised):
        if isinstance(option, Class):
            raised = classes.construct(machine, option, [], {}, node, scope)
    objects.touch(machine, raised, ("__str__", "__repr__"), [], node, scope)
    return True


def _assert(machine: "Machine", node: ast.Assert, scope: Scope) -> bool:
    expressions.truth(machine, node.test, scope)
    machine.value(node.msg, scope)
    return False


def _function(machine: "Machine", node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> bool:
    taken = node.args
    made = Function(
        node,
        inner_scope(scope),
        [machine.value(default, scope) for default in taken.defaults],
        {
            item.arg: machine.value(default, scope)
            for item, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)
            if default is not None
        },
        scope.owner if scope.kind == "class" else None,
    )
    for annotation in _annotations(node):
        machine.value(annotation, scope)
    value: Value = made
    for decorator in reversed(node.decorator_list):
        value = decorated(machine, machine.value(decorator, scope), value, decorator, scope)
    name_it(machine, node.name, value, scope)
    return False


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    arguments = node.args
    for item in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        if isinstance(item.annotation, (ast.Call, ast.Subscript, ast.BinOp)):
            yield item.annotation
    if isinstance(node.returns, (ast.Call, ast.Subscript, ast.BinOp)):
        yield node.returns


def inner_scope(scope: Scope) -> Scope:
    """The scope that a function defined here sees around itself: class bodies are not seen."""
    while scope.kind == "class" and scope.parent is not None:
        scope = scope.parent
    return scope


def _class(machine: "Machine", node: ast.ClassDef, scope: Scope) -> bool:
    bases = [machine.value(base, scope) for base in node.bases if not isinstance(base, ast.Starred)]
    bases = [_resolved_base(machine, base, bases, node, scope) for base in bases]
    keywords = {item.arg: machine.value(item.value, scope) for item in node.keywords if item.arg}
    metaclass = keywords.pop("metaclass", None)
    if metaclass is None:
        inherited = [option.metaclass for base in bases for option in options(base) if isinstance(option, Class)]
        metaclass = next((each for each in inherited if each is not None), None)
    made = Class(node.name, bases, {}, scope.module, metaclass)
    inner = Scope(scope.module, scope, "class", made.names, function=scope.function, owner=made)
    for meta in options(metaclass) if metaclass else ():
        if isinstance(meta, Class) and (own := meta.find("__prepare__")) is not None:
            machine.call(own, [Known(node.name), Items(list(bases))], {}, node, scope)
    machine.block(node.body, inner)
    made.names = inner.names
    classes.finish(machine, made, keywords, node, scope)
    value: Value = made
    for decorator in reversed(node.decorator_list):
        value = decorated(machine, machine.value(decorator, scope), value, decorator, scope)
    name_it(machine, node.name, value, scope)
    return False


def _resolved_base(machine: "Machine", base: Value, bases: Sequence[Value], node: ast.ClassDef, scope: Scope) -> Value:
    """`__mro_entries__` of an object that stands among the bases."""
    given = objects.touch(machine, base, ("__mro_entries__",), [Items(list(bases))], node, scope)
    if given is None:
        return base
    inner, _ = elements.items(machine, given, node, scope)
    return join(inner or [UNKNOWN])


def _import(machine: "Machine", node: ast.Import, scope: Scope) -> bool:
    for alias in node.names:
        found = machine.program.imported(scope.module, alias.name, 0)
        if alias.asname:
            name_it(machine, alias.asname, found if found is not None else Outer(alias.name), scope)
        else:
            top = alias.name.partition(".")[0]
            first = machine.program.imported(scope.module, top, 0) if found is not None else None
            name_it(machine, top, first or (found if "." not in alias.name and found else Outer(top)), scope)
    return False


def _import_from(machine: "Machine", node: ast.ImportFrom, scope: Scope) -> bool:
    for name, value in machine.program.from_import(scope.module, node, scope):
        name_it(machine, name, value, scope)
    return False


def _match(machine: "Machine", node: ast.Match, scope: Scope) -> bool:
    subject = machine.value(node.subject, scope)

    def way(case: ast.match_case) -> Callable[[], bool]:
        def run() -> bool:
            _pattern(machine, case.pattern, subject, scope)
            if case.guard is not None:
                machine.value(case.guard, scope)
            return machine.block(case.body, scope)

        return run

    return machine.branches(scope, [*map(way, node.cases), lambda: False])


def _pattern(machine: "Machine", pattern: ast.pattern, subject: Value, scope: Scope) -> None:
    """Take a subject apart: patterns compare, read attributes and items, and ask classes about their instances."""
    match pattern:
        case ast.MatchValue():
            value = machine.value(pattern.value, scope)
            objects.touch(machine, subject, ("__eq__",), [value], pattern, scope)
            objects.touch(machine, value, ("__eq__",), [subject], pattern, scope)
        case ast.MatchClass():
            _class_pattern(machine, pattern, subject, scope)
        case ast.MatchSequence() | ast.MatchMapping():
            _held_pattern(machine, pattern, subject, scope)
        case ast.MatchAs() | ast.MatchStar():
            if isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
                _pattern(machine, pattern.pattern, subject, scope)
            if pattern.name:
                name_it(machine, pattern.name, subject, scope)
        case ast.MatchOr():
            for inner in pattern.patterns:
                _pattern(machine, inner, subject, scope)


def _held_pattern(
    machine: "Machine", pattern: ast.MatchSequence | ast.MatchMapping, subject: Value, scope: Scope
) -> None:
    match pattern:
        case ast.MatchSequence():
            given, _ = elements.items(machine, subject, pattern, scope)
            objects.touch(machine, subject, ("__len__",), [], pattern, scope)
            for inner in pattern.patterns:
                _pattern(machine, inner, join(given or [UNKNOWN]), scope)
        case ast.MatchMapping():
            for key, inner in zip(pattern.keys, pattern.patterns, strict=True):
                objects.touch(machine, subject, ("get", "__getitem__"), [machine.value(key, scope)], pattern, scope)
                _pattern(
                    machine, inner, elements.item(machine, subject, machine.value(key, scope), pattern, scope), scope
                )
            if pattern.rest:
                name_it(machine, pattern.rest, subject, scope)


def _class_pattern(machine: "Machine", pattern: ast.MatchClass, subject: Value, scope: Scope) -> None:
    cls = machine.value(pattern.cls, scope)
    objects.touch(machine, cls, ("__instancecheck__",), [subject], pattern, scope)
    names = list(pattern.kwd_attrs)
    inner = list(pattern.kwd_patterns)
    if pattern.patterns:
        held = objects.attribute(machine, cls, "__match_args__", pattern, scope)
        given, _ = elements.items(machine, held, pattern, scope)
        told = [option.value for option in given if isinstance(option, Known) and isinstance(option.value, str)]
        names += told[: len(pattern.patterns)]
        inner += pattern.patterns[: len(told)]
    for name, each in zip(names, inner, strict=False):
        _pattern(machine, each, objects.attribute(machine, subject, name, pattern, scope), scope)


def _global(machine: "Machine", node: ast.Global, scope: Scope) -> bool:
    scope.elsewhere.update(node.names)
    return False


def _nonlocal(machine: "Machine", node: ast.Nonlocal, scope: Scope) -> bool:
    scope.outside.update(node.names)
    return False


def _pass(machine: "Machine", node: ast.stmt, scope: Scope) -> bool:
    return False


HANDLERS: dict[type[ast.stmt], Callable[..., bool]] = {
    ast.Expr: _expression, ast.Assign: _assign, ast.AnnAssign: _annotated, ast.AugAssign: _augmented,
    ast.Delete: _delete, ast.If: _if, ast.For: _for, ast.AsyncFor: _for, ast.While: _while, ast.Break: _leave_loop,
    ast.Continue: _leave_loop, ast.Try: _try, ast.TryStar: _try, ast.With: _with, ast.AsyncWith: _with,
    ast.Return: _return, ast.Raise: _raise, ast.Assert: _assert, ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function, ast.ClassDef: _class, ast.Import: _import, ast.ImportFrom: _import_from,
    ast.Match: _match, ast.Global: _global, ast.Nonlocal: _nonlocal, ast.Pass: _pass,
}  # fmt: skip
