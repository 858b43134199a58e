"""A folder against a signed list: every file there is signed, every signed file is there, and none was changed.

Nothing that the signer says lets an unsigned file in. `ignore_paths` in the signature, and the exclusions that OMS 1.0
prescribes (.git, .github, .gitattributes, .gitignore), only explain why something is not in the list; what could reach
a loader, a shell or git must be vouched for by whoever verifies (`ignore`). Only plain notes that the signer left out
(a README, a licence, .gitattributes, a text without an extension) pass.

Links are refused, except those of a Hugging Face cache into its own blobs; so are FIFOs, devices and sockets, which
are never opened. Files are read once, and compared with what they were after reading.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource, FileSource
from modelscan_plus.core.globs import matches, normal
from modelscan_plus.core.text import visible
from modelscan_plus.formats.interface import HEAD, TAIL, View
from modelscan_plus.sources.interface import Entry, Opened, Unopened
from modelscan_plus.trust.oms import Manifest, Piece
from modelscan_plus.trust.reasons import Cause, Problem, Rejected
from modelscan_plus.trust.tree import CHANGED, measure, unhashed

_BLOCK = 1 << 20
_LARGEST_NOTE = 1 << 20
_PRESCRIBED = (".gitattributes", ".gitignore")
_NOTES = re.compile(
    r"(readme|licen[cs]e|notice|copying|authors|changelog|citation|model_card)(\.(md|txt|rst|cff))?|.+\.(md|rst)"
    r"|\.gitattributes|\.gitignore|[^.]+",
    re.IGNORECASE,
)
"""Names that no loader opens by itself: notes, and names without an extension."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_FILES_THAT_RUN = frozenset({"makefile", "dockerfile", "procfile", "jenkinsfile", "justfile"})


class Hash(Protocol):
    """As in hashlib."""

    def update(self, data: bytes, /) -> object: ...
    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """A folder that is as it was signed."""

    files: int
    """Signed files, all there and unchanged."""
    bytes: int
    left_out: tuple[str, ...]
    """Unsigned notes that the signer left out, and that pass."""
    ignored: tuple[str, ...]
    """What whoever verifies vouches for, by `ignore`."""


def check_single(manifest: Manifest, name: str, digest: Callable[[str], bytes | None]) -> None:
    """Raise `Rejected` unless one file (of this name) is what was signed alone."""
    if manifest.shard_size is not None or (list(manifest.files) != [name] and not manifest.is_single_file):
        raise Rejected(Cause.PAYLOAD, "the signature is over a folder; give the folder")
    (piece,) = next(iter(manifest.files.values()))
    actual = digest(manifest.algorithm)
    if actual != piece.digest:
        raise Rejected(Cause.CHANGED, "the file is not the one that was signed")


def check_folder(
    manifest: Manifest,
    entries: Iterable[Entry],
    *,
    signature: str | None = None,
    ignore: tuple[str, ...] = (),
    known: Mapping[str, str] | None = None,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
    begin: Callable[[int], None] | None = None,
) -> Checked:
    """Compare a folder with the list; raises `Rejected`, whose `problems` name what is wrong.

    `entries` are everything that stands in the folder; `signature` is the path of the signature itself below it;
    `ignore` are globs for what may stand there unsigned; `known` are SHA-256 digests that were taken before, by path.
    """
    if manifest.is_single_file:
        raise Rejected(Cause.PAYLOAD, "the signature is over a single file; give that file")
    patterns = tuple(map(normal, ignore))
    there: dict[str, Entry] = {}
    left_out, ignored, problems = [], [], []
    for entry in entries:
        if entry.path in manifest.files:
            there[entry.path] = entry
        elif entry.path == signature:
            continue
        elif matches(entry.path.split("/"), patterns):
            ignored.append(entry.path)
        elif _declared(entry.path, manifest) and is_note(entry):
            left_out.append(entry.path)
        else:
            problems.append(_unsigned(entry.path, manifest))
    missing = sorted(manifest.files.keys() - there.keys())
    problems += [Problem(Cause.MISSING, name, "signed, but not there") for name in missing]
    if problems:
        raise _failed(problems)
    if manifest.algorithm == "sha256" and manifest.shard_size is None:
        size, problems = _compare_sha256(manifest, there, known or {}, _Effort(jobs, progress, begin))
    else:
        size, problems = _compare(manifest, there, known or {}, _Effort(jobs, progress, begin))
    if problems:
        raise _failed(problems)
    return Checked(len(there), size, tuple(left_out), tuple(ignored))


def _failed(problems: list[Problem]) -> Rejected:
    first = problems[0]
    more = f" (and {len(problems) - 1:,} more)" if len(problems) > 1 else ""
    return Rejected(first.cause, f"{visible(first.path)}: {first.message}{more}", tuple(problems))


def _declared(path: str, manifest: Manifest) -> bool:
    """True when the signature, or the specification, says that the file was left out."""
    return path in _PRESCRIBED or any(
        path == name or path.startswith(f"{name}/") for name in map(normal, manifest.ignored) if name not in ("", ".")
    )


def _unsigned(path: str, manifest: Manifest) -> Problem:
    message = "not signed"
    if _declared(path, manifest):
        message = "left out by the signer, though something could load or run it"
    return Problem(Cause.UNSIGNED, path, f"{message}; --ignore-paths lets it pass")


def is_note(entry: Entry) -> bool:
    """True for a small text under a name that neither a loader nor a shell nor git takes for theirs."""
    *folders, name = entry.path.split("/")
    if any(folder.startswith(".") for folder in folders) or not _NOTES.fullmatch(name):
        return False
    if name.lower() in _FILES_THAT_RUN:
        return False
    opened = entry.open()
    if isinstance(opened, Unopened):
        return False
    try:
        if opened.size > _LARGEST_NOTE or opened.link or os.fstat(opened.fd).st_mode & 0o111:
            return False
        data = FileSource(opened.fd, opened.size).pread(0, _LARGEST_NOTE)
    finally:
        os.close(opened.fd)
    if data.startswith(b"#!"):
        return False
    return not data or (_is_text(data) and not _claimed(name, data))


def _is_text(data: bytes) -> bool:
    """True for UTF-8 without control characters."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return _CONTROL.search(text) is None


def _claimed(name: str, data: bytes) -> bool:
    """True when some loader would take the bytes, as it would a pickle of protocol 0, which is text."""
    from modelscan_plus.formats.registry import FORMATS

    view = View(Artifact(name, BytesSource(data)), data[:HEAD], data[-TAIL:])
    return any(known.executable and known.claims(view) for known in FORMATS)


@dataclass(frozen=True, slots=True)
class _Effort:
    """How many threads hash, and who is told about it."""

    jobs: int
    progress: Callable[[int], None] | None
    begin: Callable[[int], None] | None


def _compare_sha256(
    manifest: Manifest, there: dict[str, Entry], known: Mapping[str, str], effort: _Effort
) -> tuple[int, list[Problem]]:
    unknown = (entry for name, entry in there.items() if name not in known)
    measured = measure(unknown, jobs=effort.jobs, progress=effort.progress, begin=effort.begin)
    size, problems = _look_at([entry for name, entry in there.items() if name in known])
    problems += [
        Problem(Cause.CHANGED if why == CHANGED else Cause.UNREADABLE, name, why)
        for name, why in sorted(measured.refused.items())
    ]
    for name, (piece,) in manifest.files.items():
        found = measured.files.get(name)
        digest = known.get(name) or (found.sha256 if found is not None else "")
        if name not in measured.refused and digest != piece.digest.hex():
            problems.append(Problem(Cause.CHANGED, name, "not the file that was signed"))
    return measured.size + size, problems


def _look_at(entries: list[Entry]) -> tuple[int, list[Problem]]:
    """Size and kind of files whose digests are known: they are opened, not read."""
    total, problems = 0, []
    for entry in entries:
        opened = entry.open()
        if isinstance(opened, Unopened):
            problems.append(Problem(Cause.UNREADABLE, entry.path, unhashed(opened)))
            continue
        os.close(opened.fd)
        total += opened.size
        if opened.link:
            problems.append(Problem(Cause.UNREADABLE, entry.path, f"a link to {visible(opened.link)}"))
    return total, problems


def _compare(
    manifest: Manifest, there: dict[str, Entry], known: Mapping[str, str], effort: _Effort
) -> tuple[int, list[Problem]]:
    """The same for other hashes and for shards. What is `known` must be what is read here, too."""
    new = new_hash(manifest.algorithm)
    total, problems = 0, []

    def one(name: str) -> tuple[int, Problem | None]:
        return _compare_one(name, there[name], manifest.files[name], new, known.get(name))

    with ThreadPoolExecutor(max(1, effort.jobs)) as pool:
        for size, problem in pool.map(one, manifest.files):
            total += size
            if problem is not None:
                problems.append(problem)
            if effort.progress is not None and effort.begin is not None:
                effort.begin(size)
                effort.progress(size)
    return total, problems


def _compare_one(
    name: str, entry: Entry, pieces: tuple[Piece, ...], new: Callable[[], Hash], known: str | None
) -> tuple[int, Problem | None]:
    opened = entry.open()
    if isinstance(opened, Unopened):
        return 0, Problem(Cause.UNREADABLE, name, unhashed(opened))
    try:
        if opened.link:
            return 0, Problem(Cause.UNREADABLE, name, f"a link to {visible(opened.link)}")
        message = _difference(opened, pieces, new, known)
    except OSError as error:
        return 0, Problem(Cause.UNREADABLE, name, f"it could not be read: {error.strerror or error}")
    finally:
        os.close(opened.fd)
    return opened.size, None if message is None else Problem(Cause.CHANGED, name, message)


def _difference(opened: Opened, pieces: tuple[Piece, ...], new: Callable[[], Hash], known: str | None) -> str | None:
    whole = hashlib.sha256()
    source = FileSource(opened.fd, opened.size)
    if pieces[-1].end is not None and pieces[-1].end != opened.size:
        return f"{opened.size:,} bytes, while {pieces[-1].end:,} were signed"
    for piece in pieces:
        digest = new()
        offset, end = piece.start, opened.size if piece.end is None else piece.end
        while offset < end:
            data = source.pread(offset, min(_BLOCK, end - offset))
            if not data:
                return CHANGED
            digest.update(data)
            if known is not None:
                whole.update(data)
            offset += len(data)
        if digest.digest() != piece.digest:
            return "not the file that was signed"
    if known is not None and whole.hexdigest() != known:
        return CHANGED  # it was another file when it was scanned or locked
    return CHANGED if opened.changed() else None


def new_hash(algorithm: str) -> Callable[[], Hash]:
    """The maker of a hash; raises `Rejected` for BLAKE3 where its package is not installed."""
    if algorithm != "blake3":
        return lambda: hashlib.new(algorithm)
    try:
        from blake3 import blake3
    except ImportError:
        raise Rejected(Cause.UNSUPPORTED, "the files are signed by BLAKE3; install the package blake3") from None
    return blake3
