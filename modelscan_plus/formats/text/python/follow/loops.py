"""How long a loop is followed, and what is known behind one that was left early."""

import ast
from collections.abc import Set
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.follow.values import (
    Items,
    Known,
    Patchwork,
    Scope,
    Table,
    Unknown,
    Value,
    identity,
)
from modelscan_plus.formats.text.python.walk import walk

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

_MOST = 20_000
"""Steps of one loop."""
_SHARE = 10
"""The part of what is left that one loop may take, so that loops alone never use all of it."""


def room(machine: "Machine") -> int:
    """Steps that a loop which begins now may take."""
    return min(_MOST, machine.room // _SHARE)


def blur(scope: Scope, loop: ast.For | ast.AsyncFor | ast.While) -> None:
    """Forget the texts and numbers that the loop sets: it was left before its end, where they are others."""
    for name in names(loop, ast.Store) & scope.names.keys():
        value = scope.names[name]
        if isinstance(value, (Known, Patchwork)):
            scope.names[name] = Unknown(value.flows)


def contents(scope: Scope, spoken_of: Set[str]) -> dict[str, object]:
    """What the names stand for that a loop speaks of; equal where nothing of it changed."""
    return {name: _content(scope.names[name]) for name in spoken_of & scope.names.keys()}


def _content(value: Value) -> object:
    match value:
        case Items():
            return ("l", len(value.items), *map(identity, value.items[:30]))
        case Table():
            return ("t", len(value.items), *map(identity, [*value.items.values(), *value.others][:30]))
    return identity(value)


def names(loop: ast.For | ast.AsyncFor | ast.While, context: type[ast.expr_context]) -> set[str]:
    """The names that a loop sets, or speaks of at all."""
    return {node.id for node in walk(loop) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}
