"""Content that begins in the middle of bytes which no format explains: behind a pickle, between members, after junk.

No loader looks there by itself, but a program that knows the offset does, and scanners that stop at the first thing
they do not understand pass it by. Only what is unmistakable counts, since leftovers and raw numbers are random bytes: a
pickle that imports something that can exist, or an archive whose header holds.
"""

import re
from collections.abc import Iterator

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import ByteSource, SliceSource, end_of_zeros
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.archives.members import read_local
from modelscan_plus.formats.archives.sevenzip_header import START, read_start
from modelscan_plus.formats.archives.streams import CODECS, StreamFormat
from modelscan_plus.formats.archives.tar import BLOCK, is_header
from modelscan_plus.formats.interface import HEAD, View
from modelscan_plus.formats.pickle.facts import PickleFacts
from modelscan_plus.formats.pickle.machine import Machine
from modelscan_plus.formats.pickle.values import Call, Global

SEARCHED = 16 << 20
"""Bytes of one range that are searched from its beginning; a range that is longer is searched at its end, too."""
_SEARCHED_AT_THE_END = 1 << 20
_CHUNK, _OVERLAP = 1 << 20, 1 << 10
_SEARCHED_REMOTE = 1 << 16
_MAX_CANDIDATES = 2_000
_MAX_HITS = 32
_SHORTEST = 8
"""Bytes of the shortest pickle that calls something."""
_PEEK = Limits(max_opcodes=400_000, max_objects=200_000)
"""For all candidates of a range together."""
_NAME = rb"[A-Za-z_][\w.]*\r?\n"
_CANDIDATE = lazy(
    rb"\x80[\x00-\x05][^\x00-\x1f]|c" + _NAME + _NAME + rb"|\((?:[SVILF][^\n]{0,200}\n){0,8}i" + _NAME + _NAME
    + rb"|PK\x03\x04|\x1f\x8b\x08|BZh[1-9]|\xfd7zXZ\x00|7z\xbc\xaf\x27\x1c|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18|ustar"
)  # fmt: skip
_BINARY = lazy(rb"\x80[\x02-\x05][^\x00-\x1f]")
"""In a text: names on lines of their own are what texts are made of."""
_STREAMS = tuple(StreamFormat(codec) for codec in CODECS if not codec.trial)


def find(artifact: Artifact, start: int, stop: int, budget: Budget, *, text: bool = False) -> Iterator[Artifact]:
    """What begins in `[start, stop)`, as members of `artifact` that are named after their offset.

    Raises BudgetExceeded where more places look like a beginning than are tried.
    """
    source, hits = artifact.source, 0
    peek = Budget(_PEEK)
    whole = start == 0 and stop == source.size
    position = start if whole else end_of_zeros(source, start, stop)
    limit = _SEARCHED_REMOTE if source.remote else SEARCHED
    for tried, candidate in enumerate(_candidates(source, position, stop, limit, _BINARY if text else _CANDIDATE)):
        budget.check_time()
        if tried == _MAX_CANDIDATES or min(peek.opcodes, peek.objects) <= 0:
            raise BudgetExceeded("budget-search", "more places look like the beginning of a pickle than were tried")
        if candidate < position or (candidate == 0 and whole):
            continue  # inside the last hit, or the artifact itself
        end = _end(source, candidate, stop, peek)
        if end is None:
            continue
        payload = end != stop or source.pread(candidate, 1) in b"\x80c("
        yield artifact.member(f"bytes at {candidate}", SliceSource(source, candidate, end - candidate), payload=payload)
        position, hits = end, hits + 1
        if hits == _MAX_HITS:
            return


def _candidates(source: ByteSource, start: int, stop: int, limit: int, pattern: re.Pattern[bytes]) -> Iterator[int]:
    """Offsets at which something could begin, in order."""
    windows = [(start, min(stop, start + limit))]
    if windows[0][1] < stop and not source.remote:
        windows.append((max(windows[0][1], stop - _SEARCHED_AT_THE_END), stop))
    for first, last in windows:
        for chunk in range(first, last, _CHUNK):
            data = source.pread(chunk, min(_CHUNK + _OVERLAP, last - chunk))
            for match in pattern.finditer(data):
                if match.start() >= _CHUNK:
                    break
                at = chunk + match.start() - (257 if match[0] == b"ustar" else 0)
                if at >= first and stop - at >= _SHORTEST:
                    yield at


def _end(source: ByteSource, start: int, stop: int, peek: Budget) -> int | None:
    """Where what begins at `start` ends, `stop` where only its parser can say; None when nothing begins there."""
    head = source.pread(start, min(HEAD, stop - start))
    if head.startswith((b"\x80", b"c", b"(")):
        facts = Machine(SliceSource(source, start, stop - start), 0, peek).run()
        return start + facts.end if _acts(facts) else None
    if head.startswith(b"PK\3\4"):
        local = read_local(source, start)
        return stop if local is not None and local.name.isprintable() and local.raw_name else None
    if head.startswith(b"7z"):
        found = read_start(head[: START.size])
        return stop if found is not None and found[3] else None
    if is_header(head[:BLOCK]):
        return stop
    view = View(Artifact("", SliceSource(source, start, stop - start), payload=True), head, head)
    return stop if any(stream.claims(view) for stream in _STREAMS) else None


def _acts(facts: PickleFacts) -> bool:
    """True when the program calls a name that can exist, or ends properly after importing one. Noise does neither."""
    for effect in facts.effects:
        name = effect.function if isinstance(effect, Call) else effect
        if isinstance(name, Global) and (isinstance(effect, Call) or facts.ended == "stop"):
            parts = [*name.module.split("."), *name.name.split(".")]
            if all(part.isidentifier() and part.isascii() for part in parts):
                return True
    return False
