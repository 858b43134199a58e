"""A call of a library's function, as the model of that function sees it."""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from modelscan_plus.formats.text.python.follow import elements, objects
from modelscan_plus.formats.text.python.follow.values import Scope, Value

if TYPE_CHECKING:
    from modelscan_plus.formats.text.python.follow.machine import Machine

_NONE: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Call:
    """What is called with what, where."""

    machine: "Machine"
    given: Sequence[Value]
    """The arguments by their place."""
    keywords: Mapping[str, Value]
    node: ast.AST
    """Where it stands."""
    scope: Scope

    def of(self, given: Sequence[Value], keywords: Mapping[str, Value] = _NONE) -> "Call":
        """The call at the same place with these arguments."""
        return replace(self, given=given, keywords=keywords)

    def run(self, function: Value, given: Sequence[Value], keywords: Mapping[str, Value] = _NONE) -> Value:
        """What calling a value gives."""
        return self.machine.call(function, given, keywords, self.node, self.scope)

    def touch(self, value: Value, names: Sequence[str], given: Sequence[Value] = ()) -> Value | None:
        """Call the first of the methods that an object's class has; None where it has none."""
        return objects.touch(self.machine, value, names, given, self.node, self.scope)

    def items(self, value: Value) -> list[Value]:
        """What going through a value gives."""
        return elements.items(self.machine, value, self.node, self.scope)[0]

    def attribute(self, value: Value, name: str) -> Value:
        """`value.name`."""
        return objects.attribute(self.machine, value, name, self.node, self.scope)


Model = Callable[[Call], Value | None]
"""What a function gives; None where it is treated like any other."""
