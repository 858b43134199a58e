"""Content for interpreters inside of header texts and byte tensors, decided by form and never by single words.

Training metadata is long, full of JSON in strings, paths, prompts and words such as "exec": none of that is a sign.
What is looked for cannot be written by accident: a script element, an interpreter line, template code that climbs
Python's object model, or base64 that decodes to the first bytes of a program or pickle.
"""

import base64
import re
import struct
from collections.abc import Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource, SliceSource
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats import kinds
from modelscan_plus.formats.interface import HEAD, View
from modelscan_plus.formats.pickle.format import PickleFormat, TorchLegacyFormat

_SCRIPT = lazy(
    r"<script[\s>/]|<iframe[\s>/]|<[a-z]{1,20}\s[^<>]{0,200}\bon(?:error|load)\s*=|\bjavascript:\s*\w+\s*\(", re.I
)
_SHEBANG = lazy(r"#!\s*/(?:usr/)?(?:local/)?bin/")
_TEMPLATE_OPEN = lazy(r"\{[{%]")
_DUNDER = lazy(r"__(?:class|globals|builtins|import|subclasses|mro|bases?)__|\|\s*attr\s*\(")
_BASE64 = lazy(r"[A-Za-z0-9+/_-]{48,}")
_BASE64_RUNS = 64
"""Runs of one text that are decoded, and of each the first 64 KiB."""
_PICKLES = (PickleFormat(), TorchLegacyFormat())
_PROGRAMS = frozenset("elf pe mach-o webassembly 7z rar hdf5".split())
_PROGRAM_STARTS = frozenset((b"\x7f", b"M", b"\xca", b"\xfe", b"\xce", b"\xcf", b"\0", b"7", b"R", b"\x89"))
"""First bytes of `_PROGRAMS`: most tensors need no closer look, and there can be a million."""
_MARSHAL_CODE = lazy(rb"[\xe3c][\0-\x40]\0{3}[\0-\x40]\0{3}[\0-\x40]\0{3}")
_ZIP_METHODS = frozenset((0, 8, 9, 12, 14, 93, 95))


def text_kind(text: str) -> tuple[str, int] | None:
    """What kind of program `text` holds and where in it, or None."""
    if found := _SHEBANG.match(text):
        return "shebang", found.start()
    if found := _SCRIPT.search(text):
        return "script", found.start()
    for start, expression in _expressions(text):
        if _DUNDER.search(expression):
            return "template", start
    return _base64_kind(text)


def _expressions(text: str) -> Iterator[tuple[int, str]]:
    """Each `{{ … }}` and `{% … %}` of a Jinja template, with its position; what is not closed would not render."""
    position = 0
    while opening := _TEMPLATE_OPEN.search(text, position):
        end = text.find("}}" if opening.group() == "{{" else "%}", opening.end())
        if end < 0:
            return
        yield opening.start(), text[opening.end() : end]
        position = end + 2


def _base64_kind(text: str) -> tuple[str, int] | None:
    for number, run in enumerate(_BASE64.finditer(text)):
        if number == _BASE64_RUNS:
            break
        raw = run.group()[: 1 << 16].replace("-", "+").replace("_", "/")
        raw = raw[:-1] if len(raw) % 4 == 1 else raw
        data = base64.b64decode(raw + "=" * (-len(raw) % 4))
        kind = "marshal" if _MARSHAL_CODE.match(data) else source_kind(Artifact("", BytesSource(data), payload=True))
        if kind:
            return f"base64-{kind}", run.start()
    return None


def source_kind(artifact: Artifact) -> str | None:
    """The kind of program, pickle or archive that an artifact with `payload=True` begins with, else None."""
    head = artifact.source.pread(0, HEAD)
    if _is_zip_entry(head):
        return "zip"
    view = View(artifact, head, b"")
    if found := next((known.name for known in _PICKLES if known.claims(view)), None):
        return found
    kind = kinds.recognise(head) if head[:1] in _PROGRAM_STARTS else None
    return kind.name if kind and kind.name in _PROGRAMS else None


def tensor_part(artifact: Artifact, name: str, start: int, length: int) -> Artifact:
    """The bytes of one tensor as an artifact of their own."""
    return artifact.member(name, SliceSource(artifact.source, start, length), payload=True)


def _is_zip_entry(head: bytes) -> bool:
    if len(head) < 30 or not head.startswith(b"PK\3\4"):
        return False
    version, _, method = struct.unpack_from("<HHH", head, 4)
    return int(version) & 0xFF <= 63 and int(method) in _ZIP_METHODS
