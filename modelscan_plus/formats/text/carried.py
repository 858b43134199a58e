"""Pickles that stand in a JSON file as base64, as hexadecimal digits or as a list of numbers.

Some libraries write them (stable-baselines3 keeps spaces, schedules and arrays under ":serialized:"), and whoever wants
to carry one past checks that go by the file's ending does. What they do is judged as in a file of their own.
"""

import base64
import binascii
import itertools
from collections.abc import Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import visible

_LARGEST = 32 << 20
_MOST = 5_000
_NODES = 400_000
_SHORTEST = 8
"""Numbers, or characters, of the shortest pickle that acts."""
_BASE64 = lazy(r"\s*(?:gA[I-X]|Y[w-z0-9]|KG|KF|H4sI|eJ|eN|QlpoO)[A-Za-z0-9+/_\-\s]*={0,2}\s*")
"""PROTO 2 to 5, GLOBAL or a mark of protocol 0, gzip, zlib, bzip2."""
_HEX = lazy(r"(?:0x)?800[2-5](?:[0-9a-fA-F]{2})+")


def is_carried(text: str) -> bool:
    """True where all of the text is base64 or digits that begin like a pickle."""
    return _SHORTEST <= len(text) <= _LARGEST and bool(_BASE64.fullmatch(text) or _HEX.fullmatch(text))


def carried(artifact: Artifact, value: object) -> Iterator[Artifact]:
    """What could be a pickle, each as an artifact of its own; the formats decide whether it is one."""
    for place, data in itertools.islice(_held(value), _MOST):
        yield artifact.member(f"bytes of {visible(place)[:120]}", BytesSource(data), payload=True)


def _held(value: object) -> Iterator[tuple[str, bytes]]:
    """Place and bytes, without recursion."""
    stack: list[tuple[str, object]] = [("", value)]
    nodes = 0
    while stack and nodes < _NODES:
        nodes += 1
        place, item = stack.pop()
        if isinstance(item, dict):
            stack += [(f"{place}.{key}".lstrip("."), inner) for key, inner in item.items()]
        elif isinstance(item, list):
            if data := _numbers(item):
                yield place, data
            else:
                inside = (pair for pair in enumerate(item) if isinstance(pair[1], dict | list | str))
                stack += [(f"{place}[{number}]", inner) for number, inner in itertools.islice(inside, _NODES)]
        elif isinstance(item, str) and is_carried(item) and (data := _decoded(item)):
            yield place, data


def _numbers(items: list[object]) -> bytes:
    """A list of bytes that begins like a pickle."""
    if len(items) < _SHORTEST or items[0] != 0x80 or items[1] not in (2, 3, 4, 5):
        return b""
    numbers = [item for item in items if isinstance(item, int) and 0 <= item < 256]
    return bytes(numbers) if len(numbers) == len(items) else b""


def _decoded(text: str) -> bytes:
    if _HEX.fullmatch(text):
        return bytes.fromhex(text.removeprefix("0x"))
    raw = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(raw + "=" * (-len(raw) % 4))
    except binascii.Error:
        return b""
