"""`verify --attestation`: what it asks of an attested scan, and what it prints."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelscan_plus.core.text import inert, visible

if TYPE_CHECKING:
    from modelscan_plus.trust.admit import Admission
    from modelscan_plus.trust.reasons import Rejected
    from modelscan_plus.trust.target import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The options that only matter here."""

    policy: str | None
    any_policy: bool
    max_age_days: int | None
    ruleset: str | None
    log: str | None


def admit_on(requests: "Sequence[Request]", conditions: Conditions, *, as_json: bool) -> int:
    """Try each signer that is accepted; print the outcome and give the exit code."""
    from modelscan_plus.cli.common import check_log
    from modelscan_plus.trust.reasons import Rejected

    if conditions.log is not None and requests:
        check_log(Path(conditions.log), [requests[0].path])
    refusal: Rejected | None = None
    for request in requests:
        try:
            admission = _admit(request, conditions)
        except Rejected as error:
            refusal = refusal or error
            continue
        _log(request, conditions, admission, None)
        click.echo(_json(request, admission) if as_json else _text(request, admission), nl=False)
        return 0
    if refusal is None:
        raise ValueError("nobody is accepted as a signer")
    _log(requests[0], conditions, None, refusal)
    said = {"target": requests[0].path, "state": "refused", "cause": refusal.cause, "message": refusal.message}
    click.echo(_encoded(said) if as_json else f"not admitted: {inert(refusal.message)} [{refusal.cause}]\n", nl=False)
    return 1


def _admit(request: "Request", conditions: Conditions) -> "Admission":
    from modelscan_plus.cli.progress import ByteProgress, progress_wanted
    from modelscan_plus.policy.load import load_policy
    from modelscan_plus.trust.admit import admit
    from modelscan_plus.trust.attest import Demand
    from modelscan_plus.trust.required import check_age

    if request.root is not None:
        check_age(request.root, request.max_root_age_days, request.now)
    demand = Demand(
        tree="",
        now=request.now,
        policy=None if conditions.any_policy else load_policy(conditions.policy).digest,
        ruleset=conditions.ruleset,
        max_age=timedelta(days=conditions.max_age_days) if conditions.max_age_days else None,
        excluded=request.ignore,
    )
    path = Path(request.signature)
    if not progress_wanted():
        return admit(request.path, path, request.expected, request.root, demand, jobs=request.jobs)
    with ByteProgress() as shown:
        return admit(
            request.path,
            path,
            request.expected,
            request.root,
            demand,
            jobs=request.jobs,
            progress=shown.advance,
            begin=shown.begin,
        )


def _log(request: "Request", conditions: Conditions, admission: "Admission | None", refusal: "Rejected | None") -> None:
    """Note the outcome before anybody can act on it."""
    if conditions.log is None:
        return
    from modelscan_plus.trust.journal import Event, append

    predicate = admission.predicate if admission is not None else None
    event = Event(
        event="admit",
        target=visible(request.path),
        tree=predicate.tree if predicate else None,
        verdict=predicate.verdict if predicate else "refused",
        policy=predicate.policy.digest if predicate else None,
        ruleset=predicate.ruleset if predicate else None,
        report=predicate.report if predicate else None,
        reason=f"attested by {admission.verified.signer}" if admission else inert(str(refusal)),
    )
    append(Path(conditions.log), [event])


def _text(request: "Request", admission: "Admission") -> str:
    predicate, verified = admission.predicate, admission.verified
    who = f"{verified.signer} (issuer {verified.issuer})" if verified.issuer else f"{verified.method} {verified.signer}"
    rows = [
        ("attested by", who),
        ("scanned", f"{predicate.time_created}, valid until {predicate.valid_until}"),
        ("verdict", f"{predicate.verdict} by the policy {predicate.policy.name}, {predicate.policy.digest}"),
        ("rules", f"{predicate.ruleset} ({predicate.verifier.id} {predicate.verifier.version})"),
        ("coverage", f"{predicate.coverage.analysed:,} of {predicate.coverage.files:,} files fully analysed"),
    ]
    if predicate.coverage.excluded:
        rows.append(("left out", ", ".join(predicate.coverage.excluded)))
    lines = [f"admitted: {request.path} is {predicate.tree}"]
    lines += [f"  {name:<12}{value}" for name, value in rows]
    return "".join(f"{inert(line)}\n" for line in lines)


def _json(request: "Request", admission: "Admission") -> str:
    verified = admission.verified
    return _encoded(
        {
            "target": request.path,
            "state": "admitted",
            "method": verified.method,
            "signer": verified.signer,
            "issuer": verified.issuer,
            "times": [moment.isoformat() for moment in verified.times],
            "scan": admission.predicate,
        }
    )


def _encoded(value: object) -> str:
    import json

    import msgspec

    return json.dumps(msgspec.to_builtins(value), indent=2) + "\n"
