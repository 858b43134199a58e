"""JSON from strangers: bounded, and with one meaning only.

`json` keeps the last of two equal keys and other readers the first, so a signature could show each its own content:
here a repeated key is refused. So are NaN, lone surrogates, bytes that are not UTF-8, and nesting deeper than `DEPTH`.
"""

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import NoReturn

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.trust.reasons import Cause, Rejected

DEPTH = 32
"""Levels of objects and arrays; bundles, statements and log entries need 12."""
_LONGEST_NUMBER = 20
"""Digits of 2**64 - 1."""

_NESTING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def parse(data: bytes, what: str, limit: int) -> Json:
    """The value in `data`, of at most `limit` bytes; raises `Rejected`. `what` names it in messages."""
    if len(data) > limit:
        raise Rejected(Cause.TOO_LARGE, f"{what}: {len(data):,} bytes, more than the {limit:,} that are read")
    _check_depth(data, what)

    def unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        members = dict(pairs)
        if len(members) != len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise Rejected(
                Cause.DUPLICATE_KEY, f'{what}: the key "{visible(shorten(twice))}" stands twice in one object'
            )
        return members

    def integer(digits: str) -> int:
        if len(digits.lstrip("-")) > _LONGEST_NUMBER:
            raise Rejected(Cause.MALFORMED, f"{what}: a number of {len(digits)} digits")
        return int(digits)

    def no_constant(word: str) -> NoReturn:
        raise Rejected(Cause.MALFORMED, f"{what}: {word} is no JSON")

    try:
        text = data.decode("utf-8")
        value: Json = json.loads(text, object_pairs_hook=unique, parse_int=integer, parse_constant=no_constant)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate has no UTF-8
    except UnicodeError:
        raise Rejected(Cause.MALFORMED, f"{what}: not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise Rejected(Cause.MALFORMED, f"{what}: no valid JSON ({error})") from None
    return value


def _check_depth(data: bytes, what: str) -> None:
    depth = 0
    for token in _NESTING.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            if depth > DEPTH:
                raise Rejected(Cause.TOO_LARGE, f"{what}: nested more than {DEPTH} levels deep")
        elif first in b"]}":
            depth -= 1


class Reader:
    """One JSON object, read key by key. What has the wrong type, is missing or unknown is `Rejected`."""

    def __init__(self, value: Json, what: str) -> None:
        if not isinstance(value, dict):
            raise Rejected(Cause.MALFORMED, f"{what}: not a JSON object")
        self._members: Mapping[str, Json] = value
        self.what = what

    def only(self, *allowed: str) -> "Reader":
        """Itself, after a check that there is no other key."""
        for key in self._members:
            if key not in allowed:
                raise Rejected(Cause.MALFORMED, f'{self.what}: unknown field "{visible(shorten(key))}"')
        return self

    def __contains__(self, key: str) -> bool:
        return self._members.get(key) is not None

    def raw(self, key: str) -> Json:
        """The value; raises when it is absent or null."""
        value = self._members.get(key)
        if value is None:
            raise Rejected(Cause.MALFORMED, f"{self.what}: {key} is missing")
        return value

    def reader(self, key: str) -> "Reader":
        """An object."""
        return Reader(self.raw(key), f"{self.what}.{key}")

    def text(self, key: str) -> str:
        """A string."""
        value = self.raw(key)
        if not isinstance(value, str):
            raise Rejected(Cause.MALFORMED, f"{self.what}: {key} is not a string")
        return value

    def bytes(self, key: str, *, limit: int = 1 << 26) -> bytes:
        """Bytes in standard base64."""
        return decode_base64(self.text(key), f"{self.what}.{key}", limit=limit)

    def items(self, key: str, *, limit: int) -> list[Json]:
        """An array of at most `limit` items; absent means empty, as in protobuf's JSON."""
        value = self._members.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise Rejected(Cause.MALFORMED, f"{self.what}: {key} is not a list")
        if len(value) > limit:
            raise Rejected(Cause.TOO_LARGE, f"{self.what}: {len(value):,} {key}, more than the {limit:,} that are read")
        return value

    def readers(self, key: str, *, limit: int) -> "list[Reader]":
        """An array of objects."""
        return [Reader(item, f"{self.what}.{key}[{n}]") for n, item in enumerate(self.items(key, limit=limit))]

    def integer(self, key: str, *, default: int | None = None) -> int:
        """A non-negative 64-bit integer, which protobuf's JSON writes as a string; plain numbers are taken too."""
        if default is not None and key not in self:
            return default
        value = self.raw(key)
        if isinstance(value, str) and re.fullmatch(r"-?(0|[1-9][0-9]{0,19})", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Rejected(Cause.MALFORMED, f"{self.what}: {key} is not an integer")
        if not 0 <= value < 1 << 63:
            raise Rejected(Cause.MALFORMED, f"{self.what}: {key} is {value}, which is out of range")
        return value


def decode_base64(text: str, what: str, *, limit: int = 1 << 26) -> bytes:
    """Bytes in standard base64 with padding, the only form that sigstore's clients write. Line ends pass, as in Go."""
    if len(text) > limit * 4 // 3 + 4:
        raise Rejected(Cause.TOO_LARGE, f"{what}: more than {limit:,} bytes")
    text = text.replace("\r", "").replace("\n", "")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Rejected(Cause.MALFORMED, f"{what}: no valid base64") from None
    if base64.b64encode(data).decode() != text:
        raise Rejected(Cause.MALFORMED, f"{what}: base64 with bits that mean nothing")
    return data
