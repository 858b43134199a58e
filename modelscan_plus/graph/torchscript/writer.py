"""What is written while TorchScript is executed: nodes, and the value that each tensor has by now."""

from collections.abc import Mapping, Sequence

from modelscan_plus.graph.ir import Attribute, Const, Graph, Node
from modelscan_plus.graph.torchscript.operators import constant
from modelscan_plus.graph.torchscript.values import Module, Opaque, Ref

NODES = 100_000


class Full(Exception):
    """A budget is used up."""


class Writer:
    """A graph that grows. A tensor that is changed in place keeps its number where it was, and its newest one here."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.path: tuple[str, ...] = ()
        """The calls and branches that the next node stands in."""
        self.current: dict[int, int] = {}
        """The value that a tensor has since it was changed in place."""
        self._base: dict[int, int] = {}
        """The tensor that another one is a view of."""
        self._values: dict[int, int] = {}

    def value_of(self, given: object) -> int:
        """The number of a value in the graph: of a tensor its newest one, of what is known a constant; -1 for none."""
        graph = self.graph
        if isinstance(given, Ref):
            return self.latest(given.id)
        if given is None or isinstance(given, Opaque | Module):
            return -1
        if isinstance(given, Const):
            number = self._values.get(id(given))
            if number is None:
                number = self._values[id(given)] = graph.value("", given.kind, given.dims, given)
            return number
        if isinstance(given, bool | int | float | str):
            const = constant(given)
            return graph.value("", const.kind, const.dims, const)
        if isinstance(given, list):
            if all(isinstance(item, bool | int | float) for item in given):
                const = constant(list(given))
                return graph.value("", const.kind, const.dims, const)
            items = [self.value_of(item) for item in given if isinstance(item, Ref | Const | int | float)]
            return self.emit("concat", items, {"axis": 0}, "list")[0].id if items else -1
        if isinstance(given, dict):
            return self.value_of([item for item in given.values() if isinstance(item, Ref | Const)])
        return -1

    def emit(self, op: str, ins: Sequence[int], attrs: Mapping[str, Attribute], given: str, outs: int = 1) -> list[Ref]:
        """Add a node; raise `Full` at the bound."""
        graph = self.graph
        if len(graph.nodes) >= NODES:
            raise Full
        results = [graph.value("") for _ in range(outs)]
        graph.add(Node(op, tuple(ins), tuple(results), dict(attrs), "", given, self.path))
        return [Ref(result) for result in results]

    def latest(self, number: int) -> int:
        """The value that a tensor has by now."""
        return _end(self.current, number)

    def view(self, result: Ref, of: Ref) -> None:
        """The one is a view of the other."""
        self._base[result.id] = of.id

    def changed(self, first: Ref, result: Ref, name: str, arguments: list[object]) -> Ref:
        """An operator changed its first argument in place, and what that is a view of."""
        if name == "copy_" and len(arguments) > 1:
            result = self.emit("identity", [self.value_of(arguments[1])], {}, name)[0]
        number: int | None = first.id
        new = result.id
        while number is not None:
            old = self.latest(number)
            if old != new:
                self.current[old] = new
            number = self._base.get(number)
            if number is not None:
                new = self.emit("scatter", [self.latest(number), -1, new], {}, name)[0].id
        return result

    def unknown(self, name: str, arguments: list[object]) -> object:
        """A node that nothing is known of but what goes into it."""
        ins = [ref for value in arguments for ref in refs(value)]
        return self.emit("unknown", [self.latest(ref.id) for ref in ins], {}, name)[0]

    def join(self, condition: int, one: Mapping[int, int], two: Mapping[int, int]) -> None:
        """The tensors that either side of a branch changed are what that side made of them."""
        for number in sorted({*one, *two}):
            left, right = _end(one, number), _end(two, number)
            if left != right:
                self.current[number] = self.emit("phi", (condition, left, right), {"controls": 1}, "if")[0].id
            elif left != number:
                self.current[number] = left

    def phi(self, condition: int, one: object, two: object, name: str = "", controls: int = 1) -> object:
        """Either the one or the other, as the condition says; what only one side knows is taken from there."""
        if one is two or one == two or two is None or isinstance(two, Opaque):
            return one
        if one is None or isinstance(one, Opaque):
            return two
        if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
            return [self.phi(condition, left, right, name) for left, right in zip(one, two, strict=True)]
        if isinstance(one, list | dict | Module) or isinstance(two, list | dict | Module):
            return one
        sides = (self.value_of(one), self.value_of(two))
        found = self.emit("phi", (condition, *sides), {"controls": controls}, "if")[0]
        self.graph.values[found.id].name = name
        return found

    def loop_phi(self, control: int, old: object, new: object, name: str) -> object:
        """A variable before a loop or after a turn of it; `control` (-1: none) says how often it turns."""
        if not isinstance(new, Ref | Const | int | float):
            return new
        sides = (self.value_of(old), self.value_of(new))
        ins = (control, *sides) if control >= 0 else sides
        attrs: dict[str, Attribute] = {"controls": len(ins) - 2, "loop": 1}
        found = self.emit("phi", ins, attrs, "loop")[0]
        self.graph.values[found.id].name = name
        return found


def refs(value: object) -> list[Ref]:
    """The tensors in a list, a dictionary or an object, but not those of the modules in it."""
    if isinstance(value, Ref):
        return [value]
    if isinstance(value, list):
        return [ref for item in value for ref in refs(item)]
    if isinstance(value, dict | Module):
        items = value.values() if isinstance(value, dict) else value.attributes.values()
        return [ref for item in items if not isinstance(item, Module) for ref in refs(item)]
    return []


def _end(current: Mapping[int, int], number: int) -> int:
    """The last value in a row of replacements."""
    while (newer := current.get(number, number)) != number:
        number = newer
    return number
