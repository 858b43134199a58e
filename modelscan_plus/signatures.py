"""The signatures that a scan comes across, from their names to facts that rules judge.

Signature files are found by name (`*.sig`, `*.sigstore.json`, `*.sigstore`) in a folder, or beside a file. Each is
verified in a child (trust/examiner.py); a signed list is then compared with the folder, out of the digests that the
scan took in its own reads. Nothing here imports cryptography.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.errors import MissingExtra, UsageError
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

_MISSING_EXTRA = 'verifying it needs the [sign] extra: pip install "modelscan-plus[sign]"'
_REMOTE = "only parts of the files were read; fetch the model and scan it here"
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
    bundles: set[str] = set()
    reports = tuple(_verify(target, found, required, now, limits, bundles))
    return SignatureFacts(who, reports, frozenset(bundles))


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


def _verify(
    target: Looked,
    found: list[Entry],
    required: tuple[Required, ...],
    now: datetime,
    limits: Limits,
    bundles: set[str],
) -> Iterator[SignatureReport]:
    from modelscan_plus.trust.examiner import Answer, Asked
    from modelscan_plus.trust.required import expected_of, root_of
    from modelscan_plus.workers.supervisor import Supervisor

    # A signature over a single file names none: it is tried on the files of which one may be meant.
    asked = msgspec.json.encode(Asked(required=required, now=now, digests=_near(target))).decode()
    for entry in required:  # what is wrong with the policy is said here, not by a child that dies of it
        expected_of(entry)
        root_of(entry)
    if len(asked) > _MAX_SETUP:
        raise UsageError(f"what the policy requires for {target.given} takes {len(asked):,} bytes, which is too much")
    with Supervisor(limits, jobs=1, signatures=asked) as supervisor:
        for outcome in supervisor.run(("", entry) for entry in found[:_MAX_SIGNATURES]):
            if not isinstance(outcome.result, FileResult):
                yield _rejected(target, outcome.path, "unreadable-file", outcome.result.reason.message)
                continue
            try:
                answer = msgspec.json.decode(outcome.result.signature, type=Answer)
            except (msgspec.MsgspecError, UnicodeError):
                reason = next(iter(outcome.result.coverage.reasons), None)
                message = reason.message if reason else "the process that verified it gave no valid answer"
                yield _rejected(target, outcome.path, "malformed", message)
                continue
            if answer.bundle:
                bundles.add(visible(outcome.path))
            yield _compared(target, outcome.path, answer)
    for left in found[_MAX_SIGNATURES:]:
        yield _unchecked(target, left.path, f"only the first {_MAX_SIGNATURES} signatures of a target are verified")


def _near(target: Looked) -> dict[str, str]:
    signed = (name.removesuffix(ending) for name in target.names for ending in ENDINGS if name.endswith(ending))
    alone = [name for name in signed if name in target.digests] if os.path.isdir(target.path) else target.digests
    return {name: target.digests[name] for name in alone}


def _compared(target: Looked, path: str, answer: "Answer") -> SignatureReport:
    """The answer with what the folder says to it."""
    from modelscan_plus.trust.files import check_folder, check_single
    from modelscan_plus.trust.reasons import Rejected
    from modelscan_plus.trust.target import covered, rejected

    placed = msgspec.structs.replace(answer.report, target=target.id, path=visible(path))
    manifest = answer.manifest
    if manifest is None:
        return placed
    try:
        if not os.path.isdir(target.path):
            name = os.path.basename(target.path)
            digest = next(iter(target.digests.values()), "")
            check_single(manifest, name, lambda _: bytes.fromhex(digest))
            return msgspec.structs.replace(placed, covers=f"the file {visible(name)}")
        folder, _, _ = path.rpartition("/")
        if manifest.is_single_file:
            return placed
        checked = check_folder(
            manifest,
            LocalSource(os.path.join(target.path, folder) if folder else target.path).entries(),
            signature=path.rpartition("/")[2],
            ignore=(*answer.ignore, *target.exclude),
            known={
                name[len(folder) + 1 if folder else 0 :]: digest
                for name, digest in target.digests.items()
                if not folder or name.startswith(f"{folder}/")
            },
        )
    except Rejected as error:
        failed = rejected(error, path=path, target=target.id)
        return msgspec.structs.replace(failed, signer=placed.signer, issuer=placed.issuer, method=placed.method)
    left_out = tuple(visible(name) for name in (*checked.left_out, *checked.ignored))
    return msgspec.structs.replace(placed, covers=covered(checked), left_out=left_out)


def _rejected(target: Looked, path: str, cause: str, message: str) -> SignatureReport:
    return SignatureReport(target=target.id, path=visible(path), state="rejected", cause=cause, message=message)


def _unchecked(target: Looked, path: str, message: str) -> SignatureReport:
    return SignatureReport(target=target.id, path=visible(path), state="unchecked", message=message)
