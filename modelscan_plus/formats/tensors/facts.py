"""What tensor files state: the exact structure of safetensors headers and npy headers, free of judgement."""

import msgspec

from modelscan_plus.core.facts import Facts
from modelscan_plus.formats.tensors.json_reader import Duplicate


class Problem(msgspec.Struct, frozen=True):
    """Something for which the reference reader refuses the file, or about which readers differ."""

    code: str
    """Stable: "header-too-large", "json", "dtype", "span", "beyond-end", "hole", "shape-overflow", …"""
    message: str
    """For a person, about the first occurrence; a full sentence."""
    offset: int
    """Byte of the file to look at first."""
    count: int = 1
    """How often it occurs."""


class Overlap(msgspec.Struct, frozen=True):
    """Two tensors that share bytes."""

    first: str
    second: str
    start: int
    """File offset of the first shared byte."""
    length: int


class HiddenBytes(msgspec.Struct, frozen=True):
    """Bytes inside the file that belong to no tensor and are not zero (or no blank, in the header)."""

    place: str
    """"hole" between tensors, "padding" or "blanks" behind the JSON of the header."""
    start: int
    length: int


class EmbeddedText(msgspec.Struct, frozen=True):
    """Text in the header that is meant for an interpreter, not for a person."""

    key: str
    """The metadata key, or what else holds it."""
    kind: str
    """"script" (HTML), "shebang", "template" (Jinja that reaches for Python internals), or "base64-" and the name of
    the encoded content."""
    excerpt: str
    offset: int
    """File offset of the key."""


class TensorPayload(Facts, frozen=True):
    """A tensor of U8 or I8 whose first bytes are those of a file."""

    tensor: str
    kind: str
    """Name of the format or kind."""
    start: int
    length: int


class SafetensorsFacts(Facts, frozen=True):
    """One safetensors file."""

    header_length: int
    """As declared in the first eight bytes."""
    tensors: int
    """Entries of the header that are tensors, repeated names included."""
    problems: tuple[Problem, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    duplicate_count: int = 0
    """`duplicates` holds the first hundred."""
    overlaps: tuple[Overlap, ...] = ()
    overlap_count: int = 0
    hidden: tuple[HiddenBytes, ...] = ()
    texts: tuple[EmbeddedText, ...] = ()


class NpyFacts(Facts, frozen=True):
    """One array of an npy file."""

    start: int
    """File offset of its magic bytes."""
    version: tuple[int, int]
    header_length: int
    descr: str
    """The type description as it stands in the header, shortened; "" when it could not be read."""
    shape: tuple[int, ...] = ()
    objects: bool = False
    """True when the array is a pickle."""
    declared_bytes: int | None = None
    """Item size times number of items; None for objects and where it could not be worked out."""
    present_bytes: int = 0
    """Bytes behind the header."""
    problems: tuple[Problem, ...] = ()
