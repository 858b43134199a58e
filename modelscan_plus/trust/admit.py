"""Admission of a file or folder on a file of attestations: one pass of hashing, no scan."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from modelscan_plus.core.text import visible
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.trust.attest import MAX_FILE, MAX_LINES, Demand, ScanPredicate, check, newest, own_predicate
from modelscan_plus.trust.expected import Expected
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.root import TrustedRoot
from modelscan_plus.trust.shared_files import read_whole
from modelscan_plus.trust.tree import measure
from modelscan_plus.trust.verify import Verified, verify_bundle


@dataclass(frozen=True, slots=True)
class Admission:
    """On what something was admitted."""

    predicate: ScanPredicate
    verified: Verified


def admit(
    target: str,
    attestations: Path,
    expected: Expected,
    root: TrustedRoot | None,
    demand: Demand,
    *,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
    begin: Callable[[int], None] | None = None,
) -> Admission:
    """The newest attestation of the expected signer about exactly these files, if it is enough. Raises `Rejected`.

    `demand.tree` is filled in here. Signatures come first: nothing is hashed for what nobody signed.
    """
    signed = read_signed(attestations, expected, root, demand.now)
    entries = LocalSource(target, exclude=demand.excluded).entries()
    found = measure(entries, jobs=jobs, progress=progress, begin=begin)
    if found.digest is None:
        path, why = next(iter(sorted(found.refused.items())), (".", "nothing is there"))
        raise Rejected(Cause.UNREADABLE, f"the target has no digest: {visible(path)}: {why}")
    demand = replace(demand, tree=found.digest)
    predicate = newest([predicate for predicate, _ in signed], demand.tree)
    check(predicate, demand)
    return Admission(predicate, next(verified for one, verified in signed if one is predicate))


def read_signed(
    path: Path, expected: Expected, root: TrustedRoot | None, now: datetime
) -> list[tuple[ScanPredicate, Verified]]:
    """Our predicates in the file that the expected signer signed; raises `Rejected` when there is none.

    A line that another signed proves nothing and takes nothing away.
    """
    data = read_whole(path, MAX_FILE)
    # One bundle a line; or a single one, printed over several.
    lines = [data] if data.lstrip()[:2].strip() == b"{" else [line for line in data.split(b"\n") if line.strip()]
    if len(lines) > MAX_LINES:
        raise Rejected(Cause.TOO_LARGE, f"more than {MAX_LINES:,} attestations in one file")
    signed: list[tuple[ScanPredicate, Verified]] = []
    first: Rejected | None = None
    for line in lines:
        try:
            verified = verify_bundle(line, expected, root, now=now)
            statement = verified.statement()
        except Rejected as error:
            first = first or error
            continue
        # What the signer did sign must be understood, or it might be a denial.
        predicate = own_predicate(statement)
        if predicate is not None:
            signed.append((predicate, verified))
    if not signed:
        raise first or Rejected(Cause.PAYLOAD, "no attestation of a scan is in it")
    return signed
