"""Constant folding over Python's syntax tree: text and bytes however they are put together or encoded.

`"sys" + "tem"`, `"".join(map(chr, [115, 121]))`, `bytes.fromhex(…)`, `base64.b64decode("…").decode()`, reversed and
replaced texts, XOR with a number: all fold to what they stand for, within bounds. Nothing is run: each operation is
one of the few that are written here.
"""

import ast
import base64
import binascii
import codecs
import zlib
from collections.abc import Callable, Mapping

Constant = None | bool | int | float | str | bytes | list["Constant"]
LONGEST = 1 << 20
_DEPTH = 120
_ITEMS = 100_000


class NotConstant(Exception):
    """The expression depends on something that is not written there."""


class Folder:
    """Folds expressions. `names` holds variables assigned once, `resolve` gives the dotted name of a function."""

    def __init__(self, names: Mapping[str, Constant], resolve: Callable[[ast.expr], str | None]) -> None:
        self.names = names
        self.resolve = resolve
        self.decoded = False
        """Set when a fold went through a decoder."""
        self._steps = 0

    def fold(self, node: ast.expr | None) -> Constant:
        """The constant; raises `NotConstant`."""
        self._steps = 0
        try:
            return self._fold(node, {}, 0)
        except (
            ValueError,
            TypeError,
            OverflowError,
            LookupError,
            binascii.Error,
            zlib.error,
            MemoryError,
            RecursionError,
        ):
            raise NotConstant from None

    def text(self, node: ast.expr | None) -> str | None:
        """The text that the expression stands for, bytes read as Latin letters; None when it is none."""
        try:
            value = self.fold(node)
        except NotConstant:
            return None
        if isinstance(value, bytes):
            return value.decode("utf-8", "backslashreplace")
        return value if isinstance(value, str) else None

    def _fold(self, node: ast.expr | None, local: Mapping[str, Constant], depth: int) -> Constant:
        self._steps += 1
        if node is None or depth > _DEPTH or self._steps > _ITEMS:
            raise NotConstant
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise NotConstant
        value = handler(self, node, local, depth + 1)
        if isinstance(value, (str, bytes, list)) and len(value) > LONGEST:
            raise NotConstant
        return value

    def _constant(self, node: ast.Constant, local: Mapping[str, Constant], depth: int) -> Constant:
        if isinstance(node.value, (str, bytes, int, float, type(None))):
            return node.value
        raise NotConstant

    def _name(self, node: ast.Name, local: Mapping[str, Constant], depth: int) -> Constant:
        if node.id in local:
            return local[node.id]
        if node.id in self.names:
            return self.names[node.id]
        raise NotConstant

    def _binary(self, node: ast.BinOp, local: Mapping[str, Constant], depth: int) -> Constant:
        left, right = self._fold(node.left, local, depth), self._fold(node.right, local, depth)
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            return _arithmetic(node.op, left, right)
        match node.op, left, right:
            case ast.Add(), str(), str():
                return left + right
            case ast.Add(), bytes(), bytes():
                return left + right
            case ast.Add(), list(), list():
                return left + right
            case ast.Mult(), str() | bytes() | list(), int() if right * len(left) <= LONGEST:
                return left * right
            case ast.Div(), str(), str():  # pathlib
                return f"{left}/{right}"
            case ast.Mod(), str(), _:
                return _percent(left, right if isinstance(right, list) else [right])
        raise NotConstant

    def _joined(self, node: ast.JoinedStr, local: Mapping[str, Constant], depth: int) -> Constant:
        parts = []
        for value in node.values:
            inner = value.value if isinstance(value, ast.FormattedValue) else value
            parts.append(str(self._fold(inner, local, depth)))
        return "".join(parts)

    def _items(self, node: ast.List | ast.Tuple | ast.Set, local: Mapping[str, Constant], depth: int) -> Constant:
        return [self._fold(item, local, depth) for item in node.elts]

    def _subscript(self, node: ast.Subscript, local: Mapping[str, Constant], depth: int) -> Constant:
        value = self._fold(node.value, local, depth)
        if not isinstance(value, (str, bytes, list)):
            raise NotConstant
        if isinstance(node.slice, ast.Slice):
            start, stop, step = (
                self._bound(part, local, depth) for part in (node.slice.lower, node.slice.upper, node.slice.step)
            )
            return value[start:stop:step]
        index = self._fold(node.slice, local, depth)
        if isinstance(index, int):
            return value[index]
        raise NotConstant

    def _bound(self, node: ast.expr | None, local: Mapping[str, Constant], depth: int) -> int | None:
        value = self._fold(node, local, depth) if node else None
        if isinstance(value, (int, type(None))):
            return value
        raise NotConstant

    def _comprehension(
        self, node: ast.ListComp | ast.GeneratorExp, local: Mapping[str, Constant], depth: int
    ) -> Constant:
        """`f(x) for x in …` over one constant sequence, without conditions."""
        if len(node.generators) != 1 or node.generators[0].ifs or not isinstance(node.generators[0].target, ast.Name):
            raise NotConstant
        items = self._fold(node.generators[0].iter, local, depth)
        if not isinstance(items, (str, bytes, list)) or len(items) > 10_000:
            raise NotConstant
        name = node.generators[0].target.id
        return [self._fold(node.elt, {**local, name: item}, depth) for item in list[Constant](items)]

    def _call(self, node: ast.Call, local: Mapping[str, Constant], depth: int) -> Constant:
        dotted = self.resolve(node.func) or ""
        function = _FUNCTIONS.get(dotted)
        if function is not None:
            if dotted == "builtins.map":
                return self._map(node, local, depth)
            arguments = [self._fold(argument, local, depth) for argument in node.args]
            if dotted in _DECODERS:
                self.decoded = True
            return function(arguments)
        if isinstance(node.func, ast.Attribute):
            value = self._fold(node.func.value, local, depth)
            return self._method(node.func.attr, value, [self._fold(argument, local, depth) for argument in node.args])
        raise NotConstant

    def _map(self, node: ast.Call, local: Mapping[str, Constant], depth: int) -> Constant:
        if len(node.args) != 2:
            raise NotConstant
        items = self._fold(node.args[1], local, depth)
        if not isinstance(items, (str, bytes, list)) or len(items) > 10_000:
            raise NotConstant
        mapped = node.args[0]
        if isinstance(mapped, ast.Lambda) and len(mapped.args.args) == 1:
            name = mapped.args.args[0].arg
            return [self._fold(mapped.body, {**local, name: item}, depth) for item in list[Constant](items)]
        dotted = self.resolve(mapped) or ""
        function = _FUNCTIONS.get(dotted)
        self.decoded = self.decoded or dotted in _DECODERS
        if function is None:
            raise NotConstant
        return [function([item]) for item in list[Constant](items)]

    def _method(self, name: str, value: Constant, arguments: list[Constant]) -> Constant:
        if name == "join" and arguments and isinstance(arguments[0], (list, str)):
            items = list[Constant](arguments[0])
            if isinstance(value, str):
                return value.join(str(item) for item in items)
            if isinstance(value, bytes) and all(isinstance(item, bytes) for item in items):
                return value.join(item for item in items if isinstance(item, bytes))
        if name == "decode" and isinstance(value, bytes):
            encoding = arguments[0] if arguments and isinstance(arguments[0], str) else "utf-8"
            return _codec(value, encoding)
        if name == "encode" and isinstance(value, str):
            return value.encode()
        if name == "format" and isinstance(value, str) and "." not in value and "[" not in value:
            return value.format(*arguments)
        if name in ("joinpath", "expanduser", "resolve", "absolute") and isinstance(value, str):
            return "/".join([value, *map(str, arguments)])
        if name == "hex" and isinstance(value, bytes):
            return value.hex()
        if name in _METHODS and isinstance(value, (str, bytes)) and sum(map(_size, arguments)) + len(value) < LONGEST:
            if name == "replace" and len(arguments) > 1 and len(value) * max(1, _size(arguments[1])) > LONGEST:
                raise NotConstant
            result = getattr(value, name)(*arguments)
            if isinstance(result, (str, bytes)):
                return result
            return list[Constant](result)
        raise NotConstant

    def _unary(self, node: ast.UnaryOp, local: Mapping[str, Constant], depth: int) -> Constant:
        value = self._fold(node.operand, local, depth)
        if isinstance(value, (int, float)) and isinstance(node.op, ast.USub):
            return -value
        raise NotConstant


_METHODS = frozenset("lower upper title swapcase strip lstrip rstrip replace split removeprefix removesuffix".split())


def _size(value: Constant) -> int:
    return len(value) if isinstance(value, (str, bytes, list)) else 1


def _arithmetic(operator: ast.operator, left: int | float, right: int | float) -> Constant:
    if abs(left) > 1 << 40 or abs(right) > 1 << 40:
        raise NotConstant
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
    if isinstance(left, int) and isinstance(right, int):
        match operator:
            case ast.BitXor():
                return left ^ right
            case ast.BitAnd():
                return left & right
            case ast.BitOr():
                return left | right
            case ast.Mod() if right:
                return left % right
            case ast.FloorDiv() if right:
                return left // right
            case ast.RShift() if 0 <= right < 64:
                return left >> right
    raise NotConstant


def _percent(text: str, arguments: list[Constant]) -> Constant:
    pieces = text.split("%s")
    if len(pieces) != len(arguments) + 1 or "%" in "".join(pieces):
        raise NotConstant
    return "".join(a + str(b) for a, b in zip(pieces, [*arguments, ""], strict=True))


def _codec(data: bytes | str, name: str) -> str | bytes:
    known = name.lower().replace("_", "-")
    if isinstance(data, str):
        if known in ("rot13", "rot-13"):
            return codecs.decode(data, "rot13")
        data = data.encode("latin-1")
    if known in ("hex", "hex-codec"):
        return binascii.unhexlify(data)
    if known in ("base64", "base64-codec"):
        return base64.b64decode(data)
    if known in ("zlib", "zip", "zlib-codec"):
        return _inflate(data)
    if known in ("utf-8", "utf8", "ascii", "latin-1", "latin1", "utf-16", "utf-16-le", "unicode-escape"):
        return data.decode(known)
    raise NotConstant


def _inflate(data: bytes, bits: int = 15) -> bytes:
    return zlib.decompressobj(bits).decompress(data, LONGEST)


def _data(value: Constant) -> bytes:
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, bytes):
        return value
    raise NotConstant


def _character(value: Constant) -> str:
    if isinstance(value, int):
        return chr(value)
    raise NotConstant


def _bytes(value: Constant) -> bytes:
    if isinstance(value, list):
        return bytes(item for item in value if isinstance(item, int))
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise NotConstant


def _backwards(value: Constant) -> Constant:
    if isinstance(value, (str, list)):
        return value[::-1]
    if isinstance(value, bytes):
        return list[Constant](value[::-1])
    raise NotConstant


def _integer(arguments: list[Constant]) -> Constant:
    if len(arguments) > 1 and isinstance(arguments[0], str) and isinstance(arguments[1], int):
        return int(arguments[0][:64], arguments[1])
    if isinstance(arguments[0], (int, float, str)):
        return int(arguments[0] if not isinstance(arguments[0], str) else arguments[0][:64])
    raise NotConstant


def _spoken(value: Constant, encoding: Constant = "utf-8") -> str:
    if isinstance(value, bytes) and isinstance(encoding, str):
        return str(_codec(value, encoding))
    return str(value)


_FUNCTIONS: dict[str, Callable[[list[Constant]], Constant]] = {
    "builtins.chr": lambda given: _character(given[0]),
    "builtins.ord": lambda given: ord(given[0]) if isinstance(given[0], str) else _data(given[0])[0],
    "builtins.str": lambda given: _spoken(*given[:2]),
    "builtins.int": _integer,
    "builtins.bytes": lambda given: _bytes(given[0]),
    "builtins.bytearray": lambda given: _bytes(given[0]),
    "builtins.list": lambda given: list[Constant](given[0]) if isinstance(given[0], (str, bytes, list)) else [],
    "builtins.reversed": lambda given: _backwards(given[0]),
    "builtins.map": lambda given: given,
    "builtins.bytes.fromhex": lambda given: bytes.fromhex(str(given[0])),
    "builtins.bytearray.fromhex": lambda given: bytes.fromhex(str(given[0])),
    "binascii.unhexlify": lambda given: binascii.unhexlify(_data(given[0])),
    "binascii.a2b_base64": lambda given: binascii.a2b_base64(_data(given[0])),
    "binascii.a2b_hex": lambda given: binascii.unhexlify(_data(given[0])),
    "base64.b64decode": lambda given: base64.b64decode(_data(given[0])),
    "base64.standard_b64decode": lambda given: base64.b64decode(_data(given[0])),
    "base64.urlsafe_b64decode": lambda given: base64.urlsafe_b64decode(_data(given[0])),
    "base64.decodebytes": lambda given: base64.b64decode(_data(given[0])),
    "base64.b32decode": lambda given: base64.b32decode(_data(given[0])),
    "base64.b16decode": lambda given: base64.b16decode(_data(given[0])),
    "base64.b85decode": lambda given: base64.b85decode(_data(given[0])),
    "base64.a85decode": lambda given: base64.a85decode(_data(given[0])),
    "codecs.decode": lambda given: _codec(given[0] if isinstance(given[0], (str, bytes)) else b"", str(given[1])),
    "zlib.decompress": lambda given: _inflate(_data(given[0])),
    "gzip.decompress": lambda given: _inflate(_data(given[0]), 31),
    "os.path.join": lambda given: "/".join(map(str, given)),
    "os.path.expanduser": lambda given: str(given[0]),
    "os.fsdecode": lambda given: str(given[0]),
    "pathlib.Path": lambda given: "/".join(map(str, given)),
    "pathlib.Path.home": lambda given: "~",
}
_DECODERS = frozenset(
    name for name in _FUNCTIONS if name.partition(".")[0] in ("base64", "binascii", "codecs", "zlib", "gzip")
)
_DECODERS |= {"builtins.chr", "builtins.bytes", "builtins.bytearray", "builtins.bytes.fromhex", "builtins.reversed"}
"""Functions behind which readable text is no longer readable."""

Handler = Callable[..., Constant]
_HANDLERS: dict[type[ast.expr], Handler] = {
    ast.Constant: Folder._constant,
    ast.Name: Folder._name,
    ast.BinOp: Folder._binary,
    ast.UnaryOp: Folder._unary,
    ast.JoinedStr: Folder._joined,
    ast.List: Folder._items,
    ast.Tuple: Folder._items,
    ast.Subscript: Folder._subscript,
    ast.ListComp: Folder._comprehension,
    ast.GeneratorExp: Folder._comprehension,
    ast.Call: Folder._call,
}
