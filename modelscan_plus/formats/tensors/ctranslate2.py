"""model.bin of CTranslate2 (faster-whisper, OPUS-MT and others): named arrays one after the other.

    u32 version of the file (6), text name of the model ("WhisperSpec"), u32 its revision, u32 number of variables
    variable   text name, u8 dimensions, u32 each, u8 type, u32 bytes, the numbers
    u32 number of aliases, then two texts each
    text       u16 length with the zero at its end, the letters, a zero

All numbers are little-endian. Source: model_spec.py of CTranslate2. Its loader is C++ and takes nothing but numbers.
"""

import struct
from collections.abc import Iterable

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.graphs.parts import embedded, is_far
from modelscan_plus.formats.interface import Format, Parsed, Region, View

_VERSIONS = range(4, 32)
_SIZES = (4, 1, 2, 4, 2, 2)
"""Bytes of one element by type: float32, int8, int16, int32, float16, bfloat16."""
_NAME = 512
_VARIABLES = 200_000


class CTranslate2Facts(Facts, frozen=True):
    """One model."""

    wrong: str = ""
    """Where the variables end that can be."""


class _Wrong(Exception):
    """The bytes are no variable."""


class CTranslate2Format(Format):
    """CTranslate2 models."""

    name = "ctranslate2"
    title = "CTranslate2 model"
    extensions = (".bin",)
    executable = False
    description = (
        "The header of every variable, whose size has to fit its shape and be in the file, and the aliases. The "
        "numbers are inert. Of a long remote file only the beginning is read. Loaders: CTranslate2, faster-whisper."
    )

    def claims(self, view: View) -> bool:
        if view.artifact.payload or len(view.head) < 20:
            return False
        version, length = struct.unpack_from("<IH", view.head)
        name = view.head[6 : 6 + length]
        if version not in _VERSIONS or not 3 < length < 128 or len(name) < length or name[-1]:
            return False
        return name[:-1].isalnum() and name.isascii() and name[:1].isupper()

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        source = artifact.source
        if is_far(source):
            note = CoverageReason("remote-data", "of the variables only the beginning was read")
            yield Parsed(regions=(Region(0, source.size, "inert"),), skipped=(note,))
            return
        parts: list[Region] = []
        wrong = ""
        at = begin = 0
        try:
            at = _text(source, 4)[1] + 8
            (count,) = struct.unpack("<I", _exact(source, at - 4, 4))
            for _ in range(count):
                budget.take_objects(4)
                start, end = _variable(source, at)
                if len(parts) < _VARIABLES:
                    parts += [Region(begin, start - begin, "structure"), Region(start, end - start, "inert")]
                at = begin = end
            at = _aliases(source, at, budget)
        except _Wrong as fault:
            wrong = f"{fault} at byte {at:,} of {source.size:,}"
        parts.append(Region(begin, (source.size if wrong else at) - begin, "structure"))
        variables = ((f"variable at {part.start}", part.start, part.length) for part in parts if part.kind == "inert")
        held, files = embedded(artifact, variables)
        yield Parsed((CTranslate2Facts(wrong), held), tuple(parts), files)


def _exact(source: ByteSource, at: int, length: int) -> bytes:
    data = source.read_exact(at, length)
    if data is None:
        raise _Wrong("the file ends early")
    return data


def _text(source: ByteSource, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack("<H", _exact(source, at, 2))
    text = _exact(source, at + 2, length)
    if not length or length > _NAME or text[-1]:
        raise _Wrong("a name has no end")
    return text[:-1], at + 2 + length


def _variable(source: ByteSource, at: int) -> tuple[int, int]:
    """Where the numbers of the variable at `at` begin and end."""
    _, at = _text(source, at)
    dimensions = _exact(source, at, 1)[0]
    head = _exact(source, at + 1, 4 * dimensions + 5)
    *shape, kind, size = struct.unpack(f"<{dimensions}IBI", head)
    needed = _SIZES[kind] if kind < len(_SIZES) else 0
    for length in shape:
        needed *= length
    start = at + 1 + len(head)
    if needed != size:
        raise _Wrong(f"a variable of {needed:,} bytes by its shape has {size:,}")
    if start + size > source.size:
        raise _Wrong(f"a variable of {size:,} bytes ends behind the file")
    return start, start + size


def _aliases(source: ByteSource, at: int, budget: Budget) -> int:
    (count,) = struct.unpack("<I", _exact(source, at, 4))
    at += 4
    for _ in range(2 * count):
        budget.take_objects(2)
        _, at = _text(source, at)
    return at
