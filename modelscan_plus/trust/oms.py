"""OpenSSF Model Signing: the signed list of files in a statement. Facts only; files.py compares them with a folder.

    predicateType  https://model_signing/signature/v1.0
    subject[0]     the model's name, and SHA-256 over the digests of all resources, joined: it binds no names
    predicate      serialization {method files|shards, hash_type, shard_size, allow_symlinks, ignore_paths},
                   resources [{name, algorithm, digest}]; the name of a shard is path:start:end

Before 1.0 (predicateType https://model_signing/Digests/v0.1) each file was a subject, by SHA-256, and there was no
more. A single file was signed under the name "." until 1.0.0.

Source: ossf/model-signing-spec (OMS 1.0, sections 5 and 6), model-signing 0.2 to 1.1.1. What the specification leaves
open is closed here: a name twice, a name that is no plain relative path or is another file on another system, shards
with gaps or overlaps, a digest of the wrong length. Shard sizes may come as floats, as protobuf writes numbers.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from modelscan_plus.core.names import name_fault, twins
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.trust.dsse import MAX_SUBJECTS, Statement
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.strict_json import Json, Reader

PREDICATE_TYPE = "https://model_signing/signature/v1.0"
BEFORE_RELEASE = "https://model_signing/Digests/v0.1"
SINGLE_FILE = "."

_LENGTHS = {"sha256": 32, "blake2b": 64, "blake3": 32}
_NAMES = {"sha256": "sha256", "blake2": "blake2b", "blake2b": "blake2b", "blake3": "blake3"}
_SHARD = re.compile(r"(.+):(0|[1-9][0-9]{0,18}):([1-9][0-9]{0,18}|0)", re.DOTALL)
_HEX = re.compile(r"[0-9a-f]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """A signed range of a file."""

    start: int
    end: int | None
    """None for the whole file."""
    digest: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What somebody signed: files, by digest."""

    name: str
    """The name that the signer gave the model; informative only."""
    algorithm: str
    """"sha256", "blake2b" or "blake3"."""
    shard_size: int | None
    """None where files are hashed whole."""
    files: dict[str, tuple[Piece, ...]]
    """By path, "/" between its parts; the single name "." stands for a file that was signed alone."""
    ignored: tuple[str, ...] = ()
    """Paths that the signer says were left out; they are never taken as leave to let something in."""

    @property
    def is_single_file(self) -> bool:
        """True when one file was signed alone, without a name."""
        return list(self.files) == [SINGLE_FILE]


def is_model_signature(statement: Statement) -> bool:
    """True when the statement is a signed list of a model's files."""
    return statement.predicate_type in (PREDICATE_TYPE, BEFORE_RELEASE)


def read_manifest(statement: Statement) -> Manifest:
    """The list in a verified statement; raises `Rejected`."""
    if statement.predicate_type == BEFORE_RELEASE:
        return _before_release(statement)
    if statement.predicate_type != PREDICATE_TYPE:
        raise Rejected(Cause.PAYLOAD, f"a statement of the type {visible(shorten(statement.predicate_type))!s}")
    if len(statement.subjects) != 1:
        raise Rejected(Cause.MANIFEST, f"the model signature has {len(statement.subjects)} subjects; one belongs there")
    predicate = Reader(statement.predicate, "the model signature")
    how = predicate.reader("serialization")
    algorithm = _NAMES.get(how.text("hash_type"))
    if algorithm is None:
        raise Rejected(Cause.UNSUPPORTED, f"the hash {visible(shorten(how.text('hash_type')))} is not known")
    size = _shard_size(how)
    label = algorithm if size is None else f"{algorithm}-sharded-{size}"
    resources = [_resource(item, algorithm, label) for item in predicate.readers("resources", limit=MAX_SUBJECTS)]
    root = hashlib.sha256(b"".join(digest for _, digest in resources)).hexdigest()
    if statement.subjects[0].digests.get("sha256") != root:
        raise Rejected(Cause.MANIFEST, "the digest of the signed list is not the one that its subject states")
    if not resources:
        raise Rejected(Cause.MANIFEST, "the model signature names no file")
    files = _whole(resources) if size is None else _sharded(resources, size)
    _check_names(files)
    ignored = tuple(item for item in how.items("ignore_paths", limit=10_000) if isinstance(item, str))
    return Manifest(statement.subjects[0].name, algorithm, size, files, ignored)


def _before_release(statement: Statement) -> Manifest:
    resources = []
    for subject in statement.subjects:
        digest = subject.digests.get("sha256", "")
        resources.append((subject.name, _digest(digest, "sha256", subject.name)))
    files = _whole(resources)
    _check_names(files)
    return Manifest("", "sha256", None, files)


def _shard_size(how: Reader) -> int | None:
    method = how.text("method")
    if method == "files":
        return None
    if method != "shards":
        raise Rejected(Cause.UNSUPPORTED, f"the serialization {visible(shorten(method))} is not known")
    size: Json = how.raw("shard_size")
    if isinstance(size, bool) or not isinstance(size, (int, float)) or not 0 < size < 1 << 53 or size != int(size):
        raise Rejected(Cause.MANIFEST, f"the shard size is {size!r}")
    return int(size)


def _resource(item: Reader, algorithm: str, label: str) -> tuple[str, bytes]:
    name = item.text("name")
    if item.text("algorithm") != label:
        stated = visible(shorten(item.text("algorithm")))
        raise Rejected(Cause.MANIFEST, f"{visible(shorten(name))}: hashed by {stated}, while the list is by {label}")
    return name, _digest(item.text("digest"), algorithm, name)


def _digest(text: str, algorithm: str, name: str) -> bytes:
    if len(text) != 2 * _LENGTHS[algorithm] or not _HEX.fullmatch(text):
        raise Rejected(Cause.MANIFEST, f"{visible(shorten(name))}: no {algorithm} digest")
    return bytes.fromhex(text)


def _whole(resources: list[tuple[str, bytes]]) -> dict[str, tuple[Piece, ...]]:
    files: dict[str, tuple[Piece, ...]] = {}
    for name, digest in resources:
        if name in files:
            raise Rejected(Cause.NAME, f"{visible(shorten(name))} is signed twice")
        files[name] = (Piece(0, None, digest),)
    return files


def _sharded(resources: list[tuple[str, bytes]], size: int) -> dict[str, tuple[Piece, ...]]:
    pieces: dict[str, list[Piece]] = {}
    for name, digest in resources:
        match = _SHARD.fullmatch(name)
        if match is None:
            raise Rejected(Cause.NAME, f"{visible(shorten(name))} is no name of a shard (path:start:end)")
        pieces.setdefault(match[1], []).append(Piece(int(match[2]), int(match[3]), digest))
    for path, found in pieces.items():
        found.sort(key=lambda piece: piece.start)
        stop = 0
        for number, piece in enumerate(found):
            end = piece.end or 0
            full = end - piece.start == size
            last = number == len(found) - 1 and 0 < end - piece.start <= size
            if piece.start != stop or not (full or last):
                raise Rejected(
                    Cause.MANIFEST,
                    f"{visible(shorten(path))}: its shards leave gaps, overlap or are not of {size:,} bytes",
                )
            stop = end
    return {path: tuple(found) for path, found in pieces.items()}


def _check_names(names: Iterable[str]) -> None:
    """Raise `Rejected` for names that are not one plain file below the folder, the same on every system."""
    given = list(names)
    if given == [SINGLE_FILE]:
        return
    for name in given:
        fault = name_fault(name) or _windows_fault(name)
        if fault:
            raise Rejected(Cause.NAME, f"the signed name {visible(shorten(name))}: {fault}")
    for first, second in twins(given):
        message = f"the signed names {visible(shorten(first))} and {visible(shorten(second))} are one on some systems"
        raise Rejected(Cause.NAME, message)


def _windows_fault(name: str) -> str:
    for part in name.split("/"):
        if ":" in part:
            return "a colon, which leads to a drive or a hidden stream on Windows"
        if part != part.rstrip(". "):
            return "a dot or space at the end of a name, which Windows drops"
        if _RESERVED.fullmatch(part):
            return "a name that is a device on Windows"
    return ""
