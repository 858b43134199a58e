"""What the symbolic execution of TorchScript code works with: numbers that are known, tensors that are values of the
graph, and objects of the archive's own classes, as the opcode machine left them."""

import struct
from collections.abc import Mapping, Sequence

import msgspec

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.formats.pickle.values import Call, Global, Items, PersistentId, Value
from modelscan_plus.graph.ir import Const, Number


class Ref(msgspec.Struct, frozen=True):
    """A tensor or number that is only known when the model runs: a value of the graph."""

    id: int


class Opaque(msgspec.Struct, frozen=True):
    """Something that no data goes through: a device, a dtype, None of an unknown kind."""

    what: str = ""


class Function(msgspec.Struct, frozen=True):
    """One of the archive's own functions or classes, by its dotted name."""

    dotted: str


class Module(msgspec.Struct, eq=False):
    """An object of one of the archive's classes."""

    kind: str
    """Dotted name of its class."""
    attributes: dict[str, object] = msgspec.field(default_factory=dict)


_STORAGES = {
    "FloatStorage": ("f", 4, "float"),
    "DoubleStorage": ("d", 8, "float"),
    "HalfStorage": ("e", 2, "float"),
    "LongStorage": ("q", 8, "int"),
    "IntStorage": ("i", 4, "int"),
    "ShortStorage": ("h", 2, "int"),
    "CharStorage": ("b", 1, "int"),
    "ByteStorage": ("B", 1, "int"),
    "BoolStorage": ("?", 1, "bool"),
    "BFloat16Storage": ("", 2, "float"),
}


def _key(value: Value) -> str:
    return value if isinstance(value, str) else repr(value)[:80]


_REBUILD = frozenset({"_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_parameter", "_rebuild_qtensor"})
_DEPTH = 200
_OBJECTS = 200_000


class Loader:
    """Turns what a pickle would build into modules, tensors and plain values."""

    def __init__(self, storages: Mapping[str, ByteSource], folder: str) -> None:
        self._storages = storages
        self._folder = folder
        self._known: dict[int, object] = {}
        self._left = _OBJECTS

    def load(self, value: Value, depth: int = 0) -> object:
        """The object; `Const` for tensors."""
        if isinstance(value, bool | int | float | str) or value is None:
            return value
        self._left -= 1
        if depth > _DEPTH or self._left < 0:
            return Opaque("too deep")
        if id(value) in self._known:
            return self._known[id(value)]
        found = self._load(value, depth)
        self._known[id(value)] = found
        return found

    def _load(self, value: Value, depth: int) -> object:
        if isinstance(value, tuple):
            return [self.load(item, depth + 1) for item in value]
        if isinstance(value, Items):
            if value.kind == "dict":
                return {
                    _key(pair[0]): self.load(pair[1], depth + 1)
                    for pair in value.items or ()
                    if isinstance(pair, tuple) and len(pair) == 2
                }
            return [self.load(item, depth + 1) for item in value.items or ()]
        if isinstance(value, Call):
            return self._call(value, depth)
        return Opaque(type(value).__name__)

    def _call(self, call: Call, depth: int) -> object:
        function = call.function
        if isinstance(function, Global) and function.name in _REBUILD:
            return self._tensor(call, depth)
        if call.opcode == "BUILD":
            return self.load(function, depth + 1)
        if isinstance(function, Global) and call.opcode.startswith("NEWOBJ"):
            module = Module(function.dotted)
            self._known[id(call)] = module
            state = call.state.arguments if call.state is not None else None
            while isinstance(state, tuple) and len(state) == 1:
                state = state[0]
            found = self.load(state, depth + 1)
            if isinstance(found, dict):
                module.attributes = found
            return module
        if isinstance(function, Global) and function.name in ("OrderedDict", "restore_type_tag"):
            arguments = self.load(call.arguments, depth + 1)
            return arguments[0] if isinstance(arguments, list) and arguments else []
        if isinstance(function, Global) and function.name.startswith("build_"):  # build_intlist, build_tensorlist, …
            arguments = self.load(call.arguments, depth + 1)
            return arguments[0] if isinstance(arguments, list) and arguments else []
        return Opaque(function.dotted if isinstance(function, Global) else call.opcode)

    def _tensor(self, call: Call, depth: int) -> object:
        arguments = call.arguments
        parts = list(arguments) if isinstance(arguments, tuple) else list(getattr(arguments, "items", None) or ())
        if parts and isinstance(parts[0], Call):  # _rebuild_parameter(tensor, …)
            return self.load(parts[0], depth + 1)
        if len(parts) < 3 or not isinstance(parts[0], PersistentId):
            return Opaque("tensor")
        storage = self._sequence(parts[0].value)
        dims = tuple(size for size in self._sequence(parts[2]) if isinstance(size, int))
        offset = parts[1] if isinstance(parts[1], int) else 0
        kind = storage[1].name if len(storage) > 2 and isinstance(storage[1], Global) else ""
        code, width, name = _STORAGES.get(kind, ("", 1, "other"))
        key = storage[2] if len(storage) > 2 else None
        source = self._storages.get(f"{self._folder}/{key}") if isinstance(key, str) else None
        return tensor(source, code, width, name, dims, offset)

    @staticmethod
    def _sequence(value: Value) -> list[Value]:
        if isinstance(value, tuple):
            return list(value)
        return list(value.items or ()) if isinstance(value, Items) else []


def tensor(source: ByteSource | None, code: str, width: int, kind: str, dims: tuple[int, ...], offset: int) -> Const:
    """A tensor in a storage; its elements as they follow each other there."""

    def read(start: int, count: int) -> Sequence[Number] | None:
        if source is None or not code:
            return None
        data = source.pread((offset + start) * width, count * width)
        found = len(data) // width
        return struct.unpack(f"<{found}{code}", data[: found * width])

    return Const(dims, kind, read)
