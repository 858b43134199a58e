"""Objects of R, as `saveRDS` and `save` write them (.rds, .RData, .rda), mostly inside gzip, bzip2 or xz.

    RDX2/RDX3 and a newline   only in front of what `save` writes
    X or B and a newline      big-endian (XDR) or little-endian numbers; A stands for text and is not read
    i32 version (2, 3), i32 written by, i32 readable from, and for version 3 a text with the encoding
    item                      i32 flags: type in the low byte, 0x100 object, 0x200 attributes, 0x400 tag; then its parts

Functions are stored as what they are made of: a closure is its environment, its arguments and the calls of its body.
A promise is an expression that R works out as soon as somebody looks at the value (CVE-2024-27322). Source: R
Internals, "Serialization Formats", and serialize.c of R 4.4.
"""

import itertools
from collections.abc import Iterable

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.serialized.reader import Ended, Reader

_DEEPEST = 180
"""Items inside each other; what honest models nest is a third of it."""
_KEPT, _ARGUMENTS = 20_000, 8
_SAVED = (b"RDX2\n", b"RDX3\n")
_EMPTY = frozenset((254, 253, 252, 251, 250, 242, 241))
"""NULL, the environments that are always there, missing and unbound."""
_REFERENCE, _PERSISTENT, _PACKAGE, _NAMESPACE, _ALTREP = 255, 247, 248, 249, 238
_UNBOUND = 252
_SYMBOL, _PAIRS, _CLOSURE, _ENVIRONMENT, _PROMISE, _CALL, _DOTS = 1, 2, 3, 4, 5, 6, 17
_SPECIAL, _BUILTIN, _LETTERS, _TEXTS, _POINTER, _WEAK, _BYTECODE, _S4 = 7, 8, 9, 16, 22, 23, 21, 25
_WIDTHS = {10: 4, 13: 4, 14: 8, 15: 16, 24: 1}
"""Bytes of an element: logical, integer, real, complex, raw."""
_LISTS = frozenset((19, 20))
_FORMS = {_TEXTS: "{}", _CALL: "{}()", _SYMBOL: "&{}"}
_CODE_LISTS = frozenset((_CALL, _PAIRS, 240, 239, 244))


class RCall(msgspec.Struct, frozen=True):
    """One call in a function, an expression or a promise."""

    name: str
    texts: tuple[str, ...]
    """Its arguments that are text, names among them with "&" before, and the names of calls with "()" behind."""
    promise: bool
    """True inside a promise that nobody has worked out yet."""
    offset: int


class RFacts(Facts, frozen=True):
    """What of an object of R can be called."""

    calls: tuple[RCall, ...] = ()
    is_promise: bool = False
    """The object itself is a promise: to look at it is to run it."""
    wrong: str = ""


class _Node(msgspec.Struct):
    """What later parts have to know of an item: a symbol's name, a text, a call's name and arguments."""

    kind: int
    text: str = ""
    arguments: tuple[str, ...] = ()


class RFormat(Format):
    """Objects of R."""

    name = "r-object"
    title = "R object (.rds, .RData)"
    extensions = (".rds", ".rda", ".rdata")
    executable = True
    description = (
        "Every item, without working anything out: the calls of functions, of their byte code and of "
        "promises, with the "
        "texts that they are given. The form that is text is not read. Loaders: `readRDS`, `load` of R."
    )

    def claims(self, view: View) -> bool:
        head = view.head.removeprefix(b"RDX2\n").removeprefix(b"RDX3\n")
        if view.artifact.payload or len(head) < 14 or head[:2] not in (b"X\n", b"B\n"):
            return False
        version = int.from_bytes(head[2:6], "big" if head[:1] == b"X" else "little")
        return version in (2, 3)

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        at = 5 if source.pread(0, 5) in _SAVED else 0
        walk = _Walk(Reader(source, at + 2, budget), ">" if source.pread(at, 1) == b"X" else "<")
        wrong = ""
        top = None
        gaps: tuple[CoverageReason, ...] = ()
        try:
            top = walk.all()
        except Ended as fault:
            wrong = f"{fault} at byte {walk.reader.at:,} of {source.size:,}"
            gaps = (CoverageReason("r-object", f"read up to byte {walk.reader.at:,}: {fault}", executable=True),)
        facts = RFacts(tuple(walk.calls), top == _PROMISE, wrong)
        end = source.size if wrong else walk.reader.at
        yield Parsed((facts,), (Region(0, end, "structure"),), gaps=gaps)


class _Walk:
    """Reads items. The recursion follows what is inside an item; lists are gone through in a loop."""

    def __init__(self, reader: Reader, order: str) -> None:
        self.reader = reader
        self.calls: list[RCall] = []
        self._int = order + "i"
        self._names: list[str] = []
        self._promised = 0

    def all(self) -> int:
        """Read the head and the object; returns its type."""
        version = self._number()
        self.reader.skip(8)
        if version == 3:
            self.reader.skip(self._length())
        start = self.reader.at
        kind = self._number() & 255
        self.reader.at = start
        self.item(0)
        return kind

    def _number(self) -> int:
        return self.reader.number(self._int)

    def _length(self) -> int:
        length = self._number()
        if length == -1:
            length = (self._number() << 32) + (self._number() & 0xFFFFFFFF)
        if length < 0:
            raise Ended("a length is negative")
        return length

    def item(self, depth: int) -> _Node:
        """The next item."""
        if depth > _DEEPEST:
            raise Ended("items are nested too deeply")
        self.reader.budget.take_objects(1)
        start = self.reader.at
        flags = self._number()
        kind = flags & 255
        if kind in (_PAIRS, _CALL, _CLOSURE, _PROMISE, _DOTS):
            return self._pairs(kind, flags, start, depth)
        node = self._value(kind, flags, depth)
        if flags & 0x200 and kind not in (_ENVIRONMENT, _SYMBOL, _REFERENCE, *_EMPTY):
            self.item(depth + 1)
        return node

    def _value(self, kind: int, flags: int, depth: int) -> _Node:
        if kind in _EMPTY:
            return _Node(kind)
        if kind == _REFERENCE:
            index = flags >> 8 or self._number()
            known = self._names[index - 1] if 0 < index <= len(self._names) else ""
            return _Node(_SYMBOL if known else kind, known)
        if kind == _SYMBOL:
            name = self.item(depth + 1).text
            self._names.append(name)
            return _Node(_SYMBOL, name)
        if kind == _LETTERS:
            length = self._number()
            held = self.reader.take(length) if 0 < length <= 1 << 16 else b""
            if length > 1 << 16:
                self.reader.skip(length)
            return _Node(kind, held.decode("utf-8", "replace"))
        if kind in (_PERSISTENT, _PACKAGE, _NAMESPACE):
            self._number()
            texts = [self.item(depth + 1).text for _ in range(self._count())]
            self._names.append("")
            return _Node(kind, texts[0] if texts else "")
        if kind in (_SPECIAL, _BUILTIN):
            return _Node(_SYMBOL, self.reader.take(self._count()).decode("latin-1"))
        if kind in _WIDTHS:
            self.reader.skip(self._length() * _WIDTHS[kind])
            return _Node(kind)
        return self._compound(kind, depth)

    def _compound(self, kind: int, depth: int) -> _Node:
        if kind == _TEXTS:
            texts = [self.item(depth + 1).text for _ in range(self._count())]
            return _Node(kind, "\n".join(texts[:50]))
        if kind in _LISTS:
            for _ in range(self._count()):
                self.item(depth + 1)
        elif kind == _ENVIRONMENT:
            self._names.append("")
            self._number()
            for _ in range(4):
                self.item(depth + 1)
        elif kind in (_POINTER, _WEAK):
            self._names.append("")
            for _ in range(2 if kind == _POINTER else 0):
                self.item(depth + 1)
        elif kind == _ALTREP:
            for _ in range(3):
                self.item(depth + 1)
        elif kind == _BYTECODE:
            self._number()
            self._bytecode(depth + 1)
        elif kind != _S4:
            raise Ended(f"an item is of the unknown type {kind}")
        return _Node(kind)

    def _count(self) -> int:
        count = self._length()
        if count > self.reader.size - self.reader.at:
            raise Ended("more items than bytes are announced")
        return count

    def _pairs(self, kind: int, flags: int, start: int, depth: int) -> _Node:
        """Pairs of a value and the rest: lists, calls, functions, promises."""
        found: list[_Node] = []
        first = kind
        while True:
            if flags & 0x200:
                self.item(depth + 1)
            if flags & 0x400:
                self.item(depth + 1)
            if kind == _PROMISE:
                return self._promise(depth)
            found.append(self.item(depth + 1))
            if kind == _CLOSURE:
                self.item(depth + 1)
                return _Node(kind)
            self.reader.budget.take_objects(1)
            at = self.reader.at
            flags = self._number()
            kind = flags & 255
            if kind not in (_PAIRS, _CALL, _DOTS):
                self.reader.at = at
                self.item(depth + 1)
                break
        return self._called(found, start) if first == _CALL else _Node(first)

    def _promise(self, depth: int) -> _Node:
        start = self.reader.at
        open_ = self._number() & 255 == _UNBOUND
        self.reader.at = start
        self.item(depth + 1)
        self._promised += open_
        self.item(depth + 1)
        self._promised -= open_
        return _Node(_PROMISE)

    def _called(self, parts: list[_Node], start: int) -> _Node:
        head = parts[0]
        arguments = tuple(
            _FORMS[part.kind].format(part.text) for part in parts[1:] if part.kind in _FORMS and part.text
        )
        inner = tuple(itertools.chain.from_iterable(part.arguments for part in parts[1:] if part.kind == _CALL))
        name = head.text
        if name in ("::", ":::") and parts[1:] and parts[-1].kind == _SYMBOL:
            return _Node(_CALL, parts[-1].text)  # package::function stands for the function
        given = (*arguments, *inner)[:_ARGUMENTS]
        if name and len(self.calls) < _KEPT:
            texts = tuple(shorten(visible(text), 400) for text in given)
            self.calls.append(RCall(visible(name)[:80], texts, self._promised > 0, start))
        return _Node(_CALL, name, given)

    def _bytecode(self, depth: int) -> None:
        """Code in numbers, then its constants: the expressions that it was compiled from are among them."""
        if depth > _DEEPEST:
            raise Ended("items are nested too deeply")
        self.item(depth + 1)
        for _ in range(self._count()):
            kind = self._number()
            if kind == _BYTECODE:
                self._bytecode(depth + 1)
            elif kind in _CODE_LISTS or kind == 243:
                self._language(kind, depth + 1)
            else:
                self.item(depth + 1)

    def _language(self, kind: int, depth: int) -> _Node:
        """An expression among the constants of byte code."""
        start = self.reader.at
        if depth > _DEEPEST:
            raise Ended("items are nested too deeply")
        parts: list[_Node] = []
        first = 0
        while True:
            self.reader.budget.take_objects(1)
            if kind == 243:
                self._number()
                return _Node(kind)
            if kind == 244:
                self._number()
                kind = self._number()
            first = first or kind
            if kind not in (_CALL, _PAIRS, 240, 239):
                node = self.item(depth + 1)
                return self._called(parts, start) if parts and first in (_CALL, 240) else node
            if kind in (240, 239):
                self.item(depth + 1)
            self.item(depth + 1)
            parts.append(self._language(self._number(), depth + 1))
            kind = self._number()
