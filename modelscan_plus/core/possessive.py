r"""Repeats of a regular expression that never give back what they took, where giving back cannot help.

`src\s*=\s*"?\s*//` on a long run of spaces is tried with every way to share the spaces between the three repeats: time
that grows with the square or cube of the text. A repeat of one class of characters gives back in vain when what comes
behind it can begin with none of these characters, or only by way of another repeat that takes all of them as well. Such
repeats are made possessive (`\s*+`), which changes no match, only how long its absence takes to show. PCRE2 does the
same by itself ("auto-possessification", pcre2api); Python does not, but can run the result since 3.11.

The tree is that of `re._parser`, which is no public interface: where it has changed, patterns are compiled as they are.
"""

import importlib
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any, AnyStr, NamedTuple

_SPACE, _DIGIT, _WORD, _OTHER = 128, 129, 130, 131
"""What is beyond ASCII, by what `\\s`, `\\d` and `\\w` say of it."""
_ALL = frozenset(range(132))
_FAR = frozenset((_SPACE, _DIGIT, _WORD, _OTHER))
_CATEGORIES = {
    "DIGIT": frozenset([*map(ord, "0123456789"), _DIGIT]),
    "SPACE": frozenset([*(code for code in range(128) if chr(code).isspace()), _SPACE]),
    "WORD": frozenset([*(code for code in range(128) if chr(code).isalnum() or code == ord("_")), _WORD, _DIGIT]),
}
_FOLDED = frozenset(map(ord, "iksIKS"))
"""Letters that match one beyond ASCII where case does not count."""
_FOLDS, _DOTALL, _ASCII = int(re.I), int(re.S), int(re.A)
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


class _Class(NamedTuple):
    """A class of characters: those that may be in it, and those that are in it for sure."""

    may: frozenset[int]
    sure: frozenset[int]


class _Opening(NamedTuple):
    """How a tail of a pattern may go on."""

    chars: frozenset[int]
    """Characters that it may begin with."""
    empty: bool
    """It may match nothing."""
    depends: bool
    """Whether it does depends on the place (`$`, a lookaround)."""


def compiled(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """As `re.compile`; raises `re.error` for a wrong pattern."""
    try:
        parser, compiler = importlib.import_module("re._parser"), importlib.import_module("re._compiler")
        flags = int(flags)  # as `re.compile` does: operations on enumerations cost as much as the rest together
        tree = parser.parse(pattern, flags)
        _Rewriting(parser, isinstance(pattern, bytes)).sequence(tree, int(tree.state.flags), ())
        made: re.Pattern[AnyStr] = compiler.compile(tree, flags)
    except (ImportError, AttributeError, TypeError):
        return re.compile(pattern, flags)
    return made


class _Rewriting:
    """Makes repeats of one tree possessive, in place."""

    def __init__(self, parser: Any, only_bytes: bool) -> None:
        self._possessive = parser.POSSESSIVE_REPEAT
        self._max_repeat = parser.MAX_REPEAT
        self._forever = parser.MAXREPEAT
        self._only_bytes = only_bytes

    def sequence(self, items: Any, flags: int, behind: Sequence[Any]) -> None:
        """`behind` is what follows on the sequence, up to the end of the pattern."""
        data = list(items)
        for at, (kind, value) in enumerate(data):
            match _name(kind):
                case "MAX_REPEAT" if (taken := self._one(value[2], flags)) is not None:
                    tail = itertools.chain(data[at + 1 :], behind)
                    if value[0] != value[1] and self._in_vain(taken, tail, flags):
                        items[at] = (self._possessive, value)
                case "MAX_REPEAT" | "MIN_REPEAT":
                    again = (self._max_repeat, (0, self._forever, value[2]))
                    self.sequence(value[2], flags, [again, *data[at + 1 :], *behind])
                case "BRANCH":
                    for branch in value[1]:
                        self.sequence(branch, flags, [*data[at + 1 :], *behind])
                case "SUBPATTERN":
                    self.sequence(value[3], (flags | int(value[1])) & ~int(value[2]), [*data[at + 1 :], *behind])
                case "ATOMIC_GROUP":
                    self.sequence(value, flags, ())
                case "ASSERT" | "ASSERT_NOT" if value[0] > 0:
                    self.sequence(value[1], flags, ())

    def _in_vain(self, taken: _Class, tail: Iterable[Any], flags: int) -> bool:
        """True where the tail matches behind fewer of these characters only if it does behind all of them."""
        opening = self._opening(tail, flags, taken)
        return not (opening.empty and opening.depends) and taken.may.isdisjoint(opening.chars)

    def _opening(self, items: Iterable[Any], flags: int, taken: _Class | None) -> _Opening:
        """`taken`: a repeat in `items` of all of these characters takes what was given back, and ends where it had."""
        chars: frozenset[int] = frozenset()
        depends = False
        for kind, value in items:
            found = self._of_item(_name(kind), value, flags, None if depends else taken)
            chars |= found.chars
            if not found.empty:
                return _Opening(chars, empty=False, depends=depends)
            depends = depends or found.depends
        return _Opening(chars, empty=True, depends=depends)

    def _of_item(self, kind: str, value: Any, flags: int, taken: _Class | None) -> _Opening:
        if kind in _REPEATS:
            least, _, body = value
            one = self._one(body, flags)
            if one is not None and taken is not None and not least and taken.may <= one.sure:
                return _Opening(frozenset(), empty=True, depends=False)
            inside = self._opening(body, flags, taken)
            return inside._replace(empty=inside.empty or not least, depends=inside.depends and bool(least))
        if kind == "BRANCH":
            ways = [self._opening(branch, flags, taken) for branch in value[1]]
            empty = [way for way in ways if way.empty]
            chars: frozenset[int] = frozenset().union(*(way.chars for way in ways))
            return _Opening(chars, empty=bool(empty), depends=all(way.depends for way in empty))
        if kind == "SUBPATTERN":
            return self._opening(value[3], (flags | int(value[1])) & ~int(value[2]), taken)
        if kind == "ATOMIC_GROUP":
            return self._opening(value, flags, taken)
        if kind == "ASSERT" and value[0] > 0:
            ahead = self._opening(value[1], flags, None)
            return ahead if not ahead.empty else _Opening(frozenset(), empty=True, depends=True)
        if kind in ("AT", "ASSERT", "ASSERT_NOT"):
            return _Opening(frozenset(), empty=True, depends=True)
        one = self._of_character(kind, value, flags)
        return _Opening(one.may if one else _ALL, empty=False, depends=False)

    def _one(self, body: Any, flags: int) -> _Class | None:
        """The class of a sequence that is one character, else None."""
        return self._of_character(_name(body[0][0]), body[0][1], flags) if len(body) == 1 else None

    def _of_character(self, kind: str, value: Any, flags: int) -> _Class | None:
        if kind == "LITERAL":
            return self._literal(value, flags)
        if kind == "NOT_LITERAL":
            return _complement(self._literal(value, flags))
        if kind == "ANY":
            return _complement(_exactly(frozenset() if flags & _DOTALL else frozenset((10,))))
        if kind != "IN":
            return None
        negated = _name(value[0][0]) == "NEGATE"
        parts = [self._of_part(_name(part), given, flags) for part, given in value[negated:]]
        made = _Class(
            frozenset().union(*(part.may for part in parts)), frozenset().union(*(part.sure for part in parts))
        )
        return _complement(made) if negated else made

    def _of_part(self, kind: str, value: Any, flags: int) -> _Class:
        if kind == "LITERAL":
            return self._literal(value, flags)
        if kind == "RANGE":
            first, last = value
            parts = [self._literal(code, flags) for code in range(first, min(last, 127) + 1)]
            far = _Class(_ALL if flags & _FOLDS else _FAR, frozenset()) if last > 127 else _exactly(frozenset())
            every = [*parts, far]
            return _Class(
                frozenset().union(*(part.may for part in every)), frozenset().union(*(part.sure for part in every))
            )
        if kind == "CATEGORY":
            name = _name(value).removeprefix("CATEGORY_")
            chars = _CATEGORIES.get(name.removeprefix("NOT_"))
            if chars is not None:
                narrow = self._only_bytes or bool(flags & _ASCII)
                made = _exactly(chars - _FAR if narrow else chars)
                return _complement(made) if name.startswith("NOT_") else made
        return _Class(_ALL, frozenset())

    @staticmethod
    def _literal(code: int, flags: int) -> _Class:
        if code > 127:
            return _Class(_ALL if flags & _FOLDS else _FAR, frozenset())
        return (_FOLDED_LETTERS if flags & _FOLDS else _LETTERS)[code]


def _name(constant: Any) -> str:
    """The name of an operation of the tree; these are integers with names."""
    return str(constant.name)


def _letters(code: int) -> _Class:
    """The character in both cases."""
    cases = frozenset(map(ord, {chr(code).lower(), chr(code).upper()}))
    return _Class(cases | frozenset((_WORD, _OTHER)) if code in _FOLDED else cases, cases)


def _exactly(chars: frozenset[int]) -> _Class:
    return _Class(chars, chars)


def _complement(given: _Class) -> _Class:
    return _Class(_ALL - given.sure, _ALL - given.may)


_LETTERS = tuple(_exactly(frozenset((code,))) for code in range(128))
_FOLDED_LETTERS = tuple(_letters(code) for code in range(128))
