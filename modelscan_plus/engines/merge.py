"""Own findings and those of the engines as one list, in which nothing stands twice."""

from collections.abc import Iterable, Sequence

import msgspec

from modelscan_plus.core.finding import Finding, PickleEvidence
from modelscan_plus.core.report import Program

Place = tuple[str, str, tuple[str, ...]]


def merge(findings: Sequence[Finding], remarks: Iterable[Finding]) -> list[Finding]:
    """`findings` with the engines that confirm them, and the `remarks` that none of them covers.

    A remark is covered by a finding of the same artifact that is at least as severe and about the same callable; one
    that names no callable, by any finding as severe. Later remarks can be covered by earlier ones of another engine.
    """
    merged = list(findings)
    by_place: dict[Place, list[int]] = {}
    for number, finding in enumerate(merged):
        by_place.setdefault(_place(finding), []).append(number)
    for remark in remarks:
        here = by_place.setdefault(_place(remark), [])
        covering = next((number for number in here if _covers(merged[number], remark)), None)
        if covering is None:
            here.append(len(merged))
            merged.append(remark)
        elif remark.source not in (merged[covering].source, *merged[covering].confirmed_by):
            names = (*merged[covering].confirmed_by, remark.source)
            merged[covering] = msgspec.structs.replace(merged[covering], confirmed_by=names)
    return merged


def _place(finding: Finding) -> Place:
    return finding.target, finding.artifact, finding.location.members


def _covers(finding: Finding, remark: Finding) -> bool:
    if finding.severity.rank < remark.severity.rank:
        return False
    about = _callable(remark)
    if not about:
        return True
    known = _callable(finding)
    # An engine that shows a call gives the bare name, one that shows an import gives the dotted one.
    return bool(known) and (known == about or ("." not in about and known.rpartition(".")[2] == about))


def _callable(finding: Finding) -> str:
    evidence = finding.evidence
    return evidence.callable if isinstance(evidence, PickleEvidence) else ""


def with_listings(programs: Iterable[Program], listed: Iterable[Program]) -> list[Program]:
    """`programs`, each with the engine's listing of the same pickle where there is one."""
    listings = {_pickle(program): program.second_listing for program in listed}
    return [
        msgspec.structs.replace(program, second_listing=listings.get(_pickle(program), program.second_listing))
        for program in programs
    ]


def _pickle(program: Program) -> tuple[str, str, tuple[str, ...], int]:
    return program.target, program.artifact, program.members, program.offset
