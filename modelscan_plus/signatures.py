"""The signatures that a scan comes across, from their names to facts that rules judge.

Signature files are found by name (`*.sig`, `*.sigstore.json`, `*.sigstore`) in a folder, or beside a file. Each is
verified in a child (trust/examiner.py); a signed list is then compared with the folder, out of the digests that the
scan took in its own reads. Nothing here imports cryptography.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.errors import MissingExtra, UsageError
from modelscan_plus.core.globs import matches, normal
from modelscan_plus.core.limits import Limits
from modelscan_plus.core.report import SignatureReport
from modelscan_plus.core.signatures import SignatureFacts
from modelscan_plus.core.text import visible
from modelscan_plus.inspection import FileResult
from modelscan_plus.sources.interface import Entry, Unopened
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.trust.names import ENDINGS, is_signature
from modelscan_plus.trust.requirement import Required

if TYPE_CHECKING:
    from modelscan_plus.trust.examiner import Answer
    from modelscan_plus.workers.supervisor import Outcome

_MISSING_EXTRA = 'verifying it needs the [sign] extra: pip install "modelscan-plus[sign]"'
_REMOTE = "only parts of the files were read; fetch the model and scan it here"
_NO_CHILD = "a scan cannot shut in its verification on this system; use `modelscan-plus verify`"
_ELSEWHERE = "a valid signature, about something else than these files"
_MAX_SETUP = 150_000
"""Bytes that a child is told before it starts, less than a socket holds."""
_MAX_SIGNATURES = 64
"""Signature files of one target that are verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A target whose signatures are looked for."""

    id: str
    given: str
    """As the user gave it; what the policy's `match` is about."""
    path: str
    """Where it stands on this machine; "" when only parts of it were read from somewhere else."""
    names: tuple[str, ...]
    """Raw paths of its files."""
    digests: Mapping[str, str]
    """SHA-256 by raw path, as far as the scan took them."""
    exclude: tuple[str, ...] = ()
    """Globs that the user leaves out, which therefore may stand there unsigned."""


def look(target: Looked, policy: Iterable[Required], now: datetime, limits: Limits) -> SignatureFacts | None:
    """The signatures of a target; None when there are none and none is required.

    Raises `MissingExtra` when the policy requires one and the means to verify it are not installed.
    """
    required = tuple(entry for entry in policy if entry.applies(target.given))
    who = tuple(entry.spoken() for entry in required)
    found = list(_entries(target))
    if not found and not required:
        return None
    if not target.path:
        reports = tuple(_unchecked(target, entry.path, _REMOTE) for entry in found)
        return SignatureFacts(who, reports, remote=True)
    if not found:
        return SignatureFacts(who, ())
    if not _installed():
        if required:
            raise MissingExtra("the policy requires signatures; verifying them", "sign")
        return SignatureFacts((), tuple(_unchecked(target, entry.path, _MISSING_EXTRA) for entry in found))
    looking = _Looking(target, required, now, limits)
    reports = tuple(looking.verify(found))
    return SignatureFacts(who, reports, frozenset(looking.bundles), looking.uncovered())


def _installed() -> bool:
    import importlib.util

    return all(importlib.util.find_spec(name) is not None for name in ("cryptography", "rfc3161_client"))


def _entries(target: Looked) -> Iterator[Entry]:
    if not target.path:
        yield from (Entry(name, _not_here) for name in target.names if is_signature(name))
    elif os.path.isdir(target.path):
        wanted = {name for name in target.names if is_signature(name)}
        if wanted:
            yield from (entry for entry in LocalSource(target.path).entries() if entry.path in wanted)
    else:
        for ending in ENDINGS:
            if os.path.lexists(target.path + ending):
                yield from LocalSource(target.path + ending).entries()


def _not_here() -> Unopened:
    return Unopened(None, CoverageReason("remote", _REMOTE))


class _Looking:
    """The signatures of one target on their way through a child, and what they cover together."""

    def __init__(self, target: Looked, required: tuple[Required, ...], now: datetime, limits: Limits) -> None:
        self._target, self._required, self._now, self._limits = target, required, now, limits
        self._folder = os.path.isdir(target.path)
        self._covered: set[str] = set()
        """Raw paths of files that a signature which counts is about."""
        self._passing: set[str] = set()
        """Raw paths that may stand there unsigned."""
        self.bundles: set[str] = set()
        """Paths, as in the reports, of files of which every byte was read as a bundle."""

    def uncovered(self) -> tuple[str, ...]:
        """Paths, as in the reports, of files that no signature which counts is about."""
        if not self._folder:
            return () if self._covered else tuple(map(visible, self._target.names))
        patterns = tuple(normal(glob) for entry in self._required for glob in entry.ignore_paths)
        patterns += tuple(map(normal, self._target.exclude))
        done = self._covered | self._passing
        return tuple(
            visible(name)
            for name in self._target.names
            if name not in done and visible(name) not in self.bundles and not matches(name.split("/"), patterns)
        )

    def verify(self, found: list[Entry]) -> Iterator[SignatureReport]:
        """A report for each signature file."""
        from modelscan_plus.workers.supervisor import Supervisor, available

        if not available():
            yield from (_unchecked(self._target, entry.path, _NO_CHILD) for entry in found)
            return
        with Supervisor(self._limits, jobs=1, signatures=self._asked()) as supervisor:
            for outcome in supervisor.run(("", entry) for entry in found[:_MAX_SIGNATURES]):
                yield self._report(outcome)
        for left in found[_MAX_SIGNATURES:]:
            message = f"only the first {_MAX_SIGNATURES} signatures of a target are verified"
            yield _unchecked(self._target, left.path, message)

    def _asked(self) -> str:
        from modelscan_plus.trust.examiner import Asked
        from modelscan_plus.trust.required import expected_of, root_of

        for entry in self._required:  # what is wrong with the policy is said here, not by a child that dies of it
            expected_of(entry)
            root_of(entry)
        asked = Asked(required=self._required, now=self._now, digests=self._near())
        text = msgspec.json.encode(asked).decode()
        if len(text) > _MAX_SETUP:
            given = visible(self._target.given)
            raise UsageError(f"what the policy requires for {given} takes {len(text):,} bytes, which is too much")
        return text

    def _near(self) -> dict[str, str]:
        """A signature over a single file does not name it: the file that its own name names, by digest."""
        digests = self._target.digests
        if not self._folder:
            return dict(digests)
        signed = (name.removesuffix(e) for name in self._target.names for e in ENDINGS if name.endswith(e))
        return dict(islice(((name, digests[name]) for name in signed if name in digests), _MAX_SIGNATURES))

    def _report(self, outcome: "Outcome") -> SignatureReport:
        from modelscan_plus.trust.examiner import Answer

        target = self._target
        if not isinstance(outcome.result, FileResult):
            return _rejected(target, outcome.path, "unreadable-file", outcome.result.reason.message)
        try:
            answer = msgspec.json.decode(outcome.result.signature, type=Answer)
        except (msgspec.MsgspecError, UnicodeError):
            reason = next(iter(outcome.result.coverage.reasons), None)
            message = reason.message if reason else "the process that verified it gave no valid answer"
            return _rejected(target, outcome.path, "malformed", message)
        if answer.bundle:
            self.bundles.add(visible(outcome.path))
        return self._compared(outcome.path, answer)

    def _compared(self, path: str, answer: "Answer") -> SignatureReport:
        """The answer with what the files say to it."""
        from modelscan_plus.trust.reasons import Rejected
        from modelscan_plus.trust.target import rejected

        report = msgspec.structs.replace(answer.report, target=self._target.id, path=visible(path))
        if report.state == "rejected" or not report.method:
            return report
        try:
            about, passing, covers = self._about(path, answer)
        except Rejected as error:
            failed = rejected(error, path=path, target=self._target.id)
            return msgspec.structs.replace(failed, signer=report.signer, issuer=report.issuer, method=report.method)
        if not about:
            return msgspec.structs.replace(report, state="unchecked", message=_ELSEWHERE, covers=covers)
        if report.state == "verified":
            self._covered |= about
            self._passing |= passing
        left_out = tuple(visible(name) for name in sorted(passing))
        return msgspec.structs.replace(report, covers=covers, left_out=left_out)

    def _about(self, path: str, answer: "Answer") -> tuple[set[str], set[str], str]:
        """Which files (raw paths) the signature is about, which it lets stand there unsigned, and both in words."""
        from modelscan_plus.trust.files import check_folder, check_single
        from modelscan_plus.trust.target import covered

        digests = self._target.digests
        if answer.manifest is None:
            about = {answer.file} if answer.file else {n for n, d in answer.subjects.items() if digests.get(n) == d}
            if not self._folder and not answer.file:
                about = {name for name, digest in digests.items() if digest in answer.subjects.values()}
            return about, set(), answer.report.covers
        if not self._folder:
            (name,) = self._target.names[:1] or ("",)
            check_single(answer.manifest, name, lambda _: bytes.fromhex(digests.get(name, "")))
            return {name}, set(), f"the file {visible(name)}"
        if answer.manifest.is_single_file:
            return set(), set(), "a single file without a name"
        folder, _, name = path.rpartition("/")
        start = f"{folder}/" if folder else ""
        checked = check_folder(
            answer.manifest,
            LocalSource(os.path.join(self._target.path, folder)).entries(),
            signature=name,
            ignore=(*answer.ignore, *self._target.exclude),
            known={n.removeprefix(start): digest for n, digest in digests.items() if n.startswith(start)},
        )
        about = {start + name for name in answer.manifest.files}
        return about, {start + name for name in (*checked.left_out, *checked.ignored)}, covered(checked)


def _rejected(target: Looked, path: str, cause: str, message: str) -> SignatureReport:
    return SignatureReport(target=target.id, path=visible(path), state="rejected", cause=cause, message=message)


def _unchecked(target: Looked, path: str, message: str) -> SignatureReport:
    return SignatureReport(target=target.id, path=visible(path), state="unchecked", message=message)
