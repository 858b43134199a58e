"""Lists and dictionaries of TorchScript: what their operators do where the container is known."""

from modelscan_plus.graph.torchscript.arithmetic import binary
from modelscan_plus.graph.torchscript.operators import constant
from modelscan_plus.graph.torchscript.signature import Given
from modelscan_plus.graph.torchscript.values import Opaque, Ref
from modelscan_plus.graph.torchscript.writer import Writer


def item_of(writer: Writer, owner: object, key: object) -> object:
    if isinstance(owner, dict):
        if isinstance(key, Ref) and owner:
            held = writer.value_of([item for item in owner.values() if isinstance(item, bool | int | float)])
            return writer.emit("gather", [held, writer.latest(key.id)], {"axis": 0}, "__getitem__")[0]
        return owner[str(key)] if isinstance(owner, Given) else owner.get(str(key), Opaque())
    if isinstance(owner, list):
        if isinstance(key, int) and -len(owner) <= key < len(owner):
            return owner[key]
        if isinstance(key, Ref) and owner:
            ins = [writer.value_of(item) for item in owner]
            stacked = writer.emit("concat", ins, {"axis": 0, "new_axis": 1}, "list")[0]
            return writer.emit("gather", [stacked.id, writer.value_of(key)], {"axis": 0}, "__getitem__")[0]
        return Opaque()
    if isinstance(owner, Ref):
        return writer.emit("gather", [writer.latest(owner.id), writer.value_of(key)], {"axis": 0}, "__getitem__")[0]
    return Opaque()


def container_operator(writer: Writer, name: str, arguments: list[object]) -> object:
    """What an operator makes of a list or a dictionary; `NotImplemented` where it is one of tensors."""
    first = arguments[0] if arguments else None
    if name == "dict":
        pairs = first if isinstance(first, list) else []
        return {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, list) and len(pair) == 2}
    if name in ("__range_length", "__derive_index"):
        return _turn(writer, name, arguments)
    if isinstance(first, list) and (result := _of_list(writer, name, first, arguments)) is not NotImplemented:
        return result
    if isinstance(first, dict) and (result := _of_dict(writer, name, first, arguments)) is not NotImplemented:
        return result
    if name in ("__is__", "__isnot__") and not isinstance(first, Opaque):
        return (first is None) == (name == "__is__")
    if name in ("format", "warn", "set_grad_enabled", "_assert", "manual_seed", "__is__", "__isnot__"):
        return Opaque(name)
    if name == "size" and len(arguments) == 1 and isinstance(first, Ref):
        return writer.emit("shape", [writer.latest(first.id)], {}, name)[0]
    return NotImplemented


def _of_list(writer: Writer, name: str, first: list[object], arguments: list[object]) -> object:
    match name:
        case "append" | "add_" if len(arguments) > 1 and len(first) < 4096:
            first += arguments[1] if name == "add_" and isinstance(arguments[1], list) else [arguments[1]]
            return first
        case "len":
            return len(first)
        case "__getitem__" | "select":
            return item_of(writer, first, arguments[1] if len(arguments) > 1 else 0)
        case "list":
            return list(first)
        case "slice" if all(bound is None or isinstance(bound, int) for bound in arguments[1:]):
            bounds = [bound if isinstance(bound, int) else None for bound in arguments[1:4]]
            return first[slice(*bounds)] if bounds else list(first)
        case "add" if isinstance(arguments[1], list):
            return [*first, *arguments[1]]
        case "mul" if isinstance(arguments[1], int) and len(first) * arguments[1] < 4096:
            return first * arguments[1]
        case "pop" if first:
            return first.pop()
        case "_set_item" if isinstance(arguments[1], int) and -len(first) <= arguments[1] < len(first):
            first[arguments[1]] = arguments[2]
            return None
        case "extend" if isinstance(arguments[1], list) and len(first) < 4096:
            first += arguments[1]
            return None
    return NotImplemented


def _of_dict(writer: Writer, name: str, first: dict[str, object], arguments: list[object]) -> object:
    match name:
        case "__getitem__":
            return item_of(writer, first, arguments[1])
        case "__contains__" if isinstance(key := arguments[1], Ref):
            keys = constant([float(word) for word in first if _is_number(word)])
            return writer.emit("isin", [writer.latest(key.id), writer.value_of(keys)], {}, name)[0]
        case "_set_item" if len(arguments) > 2:
            first[str(arguments[1])] = arguments[2]
            return None
        case "values":
            return list(first.values())
        case "keys":
            return list(first)
        case "items":
            return [list(pair) for pair in first.items()]
    return NotImplemented


def _turn(writer: Writer, name: str, arguments: list[object]) -> object:
    """How often a loop over a range turns, and what its variable then is."""
    one, two, three = arguments[:3]
    if isinstance(one, int) and isinstance(two, int) and isinstance(three, int):
        return len(range(one, two, three)) if name == "__range_length" else one + two * three
    if name == "__range_length":
        return binary(writer, "FloorDiv", binary(writer, "Sub", two, one), three)
    return binary(writer, "Add", two, binary(writer, "Mult", one, three))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
