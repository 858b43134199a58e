"""What the folding of Python (fold.py) knows of functions and methods: each on constants, each within bounds."""

import ast
import base64
import binascii
import bz2
import codecs
import html
import lzma
import re
import textwrap
import urllib.parse
import zlib
from collections.abc import Callable

Constant = None | bool | int | float | str | bytes | list["Constant"] | dict["Constant", "Constant"]
LONGEST = 1 << 20


class NotConstant(Exception):
    """The expression depends on something that is not written there."""


METHODS = frozenset(
    "lower upper title swapcase strip lstrip rstrip replace split rsplit splitlines partition rpartition capitalize removeprefix removesuffix".split()
)


def key_of(value: Constant) -> Constant:
    """The constant, where a table may have it as key."""
    if isinstance(value, (list, dict)):
        raise NotConstant
    return value


def formatted(text: str, arguments: list[Constant], named: dict[str, Constant]) -> str:
    """`str.format`, for places without attributes, items or widths."""
    if any(sign in text for sign in ".[:") and re.search(r"\{[^{}]*[.\[:]", text):
        raise NotConstant
    return text.format(*arguments, **named)


def translated(text: str, table: Constant) -> str:
    """`text.translate(table)`."""
    if not isinstance(table, dict):
        raise NotConstant
    known = {key: value for key, value in table.items() if isinstance(key, int)}
    return "".join(
        character if (found := known.get(ord(character), character)) == character else _letter(found)
        for character in text[:LONGEST]
    )


def _letter(value: Constant) -> str:
    return "" if value is None else _character(value) if isinstance(value, int) else str(value)


def _translation(given: list[Constant]) -> Constant:
    """`str.maketrans`."""
    if isinstance(given[0], dict):
        return {ord(key) if isinstance(key, str) else key: value for key, value in given[0].items()}
    if isinstance(given[0], str) and isinstance(given[1], str):
        table: dict[Constant, Constant] = dict(zip(map(ord, given[0]), map(ord, given[1]), strict=True))
        dropped = given[2] if len(given) > 2 and isinstance(given[2], str) else ""
        return table | dict.fromkeys(map(ord, dropped))
    raise NotConstant


def _spread(given: list[Constant]) -> Constant:
    """`range`."""
    numbers = [value for value in given if isinstance(value, int)]
    if len(numbers) != len(given) or len(range(*numbers)) > 10_000:
        raise NotConstant
    return list(range(*numbers))


def _zipped(given: list[Constant]) -> Constant:
    sequences = [list[Constant](value) for value in given if isinstance(value, (str, bytes, list))]
    if len(sequences) != len(given):
        raise NotConstant
    return [list[Constant](items) for items in zip(*sequences, strict=False)]


def _cycled(given: list[Constant]) -> Constant:
    """`itertools.cycle`, as far as any text here goes."""
    if isinstance(given[0], (str, bytes, list)) and 0 < len(given[0]) <= 10_000:
        items = list[Constant](given[0])
        return items * (10_000 // len(items) + 1)
    raise NotConstant


def joined(between: Constant, given: Constant) -> Constant:
    """`between.join(given)`."""
    items = list[Constant](given) if isinstance(given, (list, str)) else []
    if isinstance(between, str) and isinstance(given, (list, str)):
        return between.join(str(item) for item in items)
    if isinstance(between, bytes) and all(isinstance(item, bytes) for item in items):
        return between.join(item for item in items if isinstance(item, bytes))
    raise NotConstant


def size(value: Constant) -> int:
    """How many items or characters a constant has, 1 for a number."""
    return len(value) if isinstance(value, (str, bytes, list)) else 1


def arithmetic(operator: ast.operator, left: int | float, right: int | float) -> Constant:
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


def percent(text: str, arguments: list[Constant]) -> Constant:
    pieces = text.split("%s")
    if len(pieces) != len(arguments) + 1 or "%" in "".join(pieces):
        raise NotConstant
    return "".join(a + str(b) for a, b in zip(pieces, [*arguments, ""], strict=True))


def codec(data: bytes | str, name: str) -> str | bytes:
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
        return str(codec(value, encoding))
    return str(value)


FUNCTIONS: dict[str, Callable[[list[Constant]], Constant]] = {
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
    "codecs.decode": lambda given: codec(given[0] if isinstance(given[0], (str, bytes)) else b"", str(given[1])),
    "zlib.decompress": lambda given: _inflate(_data(given[0])),
    "gzip.decompress": lambda given: _inflate(_data(given[0]), 31),
    "os.path.join": lambda given: "/".join(map(str, given)),
    "os.path.expanduser": lambda given: str(given[0]),
    "os.fsdecode": lambda given: str(given[0]),
    "os.fsencode": lambda given: str(given[0]).encode(),
    "builtins.tuple": lambda given: list[Constant](given[0]) if isinstance(given[0], (str, bytes, list)) else [],
    "builtins.iter": lambda given: list[Constant](given[0]) if isinstance(given[0], (str, bytes, list)) else [],
    "builtins.next": lambda given: given[0][0] if isinstance(given[0], list) else None,
    "builtins.len": lambda given: len(given[0]) if isinstance(given[0], (str, bytes, list, dict)) else 0,
    "builtins.range": _spread,
    "builtins.zip": _zipped,
    "builtins.enumerate": lambda given: _zipped([_spread([size(given[0])]), given[0]]),
    "builtins.memoryview": lambda given: _bytes(given[0]),
    "builtins.str.maketrans": _translation,
    "builtins.str.join": lambda given: joined(given[0], given[1]),
    "itertools.cycle": _cycled,
    "ast.literal_eval": lambda given: ast.literal_eval(str(given[0])[:LONGEST]),
    "io.BytesIO": lambda given: _bytes(given[0]),
    "urllib.parse.unquote": lambda given: urllib.parse.unquote(str(given[0])),
    "html.unescape": lambda given: html.unescape(str(given[0])),
    "binascii.a2b_qp": lambda given: binascii.a2b_qp(_data(given[0])),
    "codecs.encode": lambda given: codec(given[0] if isinstance(given[0], str) else "", "rot13"),
    "bz2.decompress": lambda given: bz2.BZ2Decompressor().decompress(_data(given[0]), LONGEST),
    "lzma.decompress": lambda given: lzma.LZMADecompressor(memlimit=64 << 20).decompress(_data(given[0]), LONGEST),
    "ast.parse": lambda given: str(given[0]),
    "ast.unparse": lambda given: str(given[0]),
    "textwrap.dedent": lambda given: textwrap.dedent(str(given[0])),
    "operator.add": lambda given: str(given[0]) + str(given[1]),
    "operator.concat": lambda given: str(given[0]) + str(given[1]),
    "pathlib.Path": lambda given: "/".join(map(str, given)),
    "pathlib.Path.home": lambda given: "~",
}
DECODERS = frozenset(
    name
    for name in FUNCTIONS
    if name.partition(".")[0] in ("base64", "binascii", "codecs", "zlib", "gzip", "bz2", "lzma")
)
DECODERS |= {"builtins.chr", "builtins.bytes", "builtins.bytearray", "builtins.bytes.fromhex", "builtins.reversed"}
"""Functions behind which readable text is no longer readable."""
