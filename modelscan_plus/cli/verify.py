"""`modelscan-plus verify`: who signed this, and is it what they signed?"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from modelscan_plus.cli import common
from modelscan_plus.core.errors import MissingExtra, UsageError
from modelscan_plus.core.report import SignatureReport

if TYPE_CHECKING:
    from modelscan_plus.trust.expected import Expected
    from modelscan_plus.trust.root import TrustedRoot
    from modelscan_plus.trust.target import Request

_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The options that say who must have signed."""

    identity: str | None
    issuer: str | None
    key: str | None
    certificate_chain: tuple[str, ...]
    san: str | None
    subject: str | None

    @property
    def nothing(self) -> bool:
        return not any((self.identity, self.issuer, self.key, self.certificate_chain, self.san, self.subject))


@click.command("verify")
@click.argument("target", type=click.Path())
@click.option("--signature", metavar="FILE", help="The bundle (default: model.sig and the like, beside or in TARGET).")
@click.option("--identity", metavar="ID", help="Who must have signed, exactly: e-mail address or workflow.")
@click.option("--issuer", metavar="URL", help="The OpenID issuer that must vouch for that identity, exactly.")
@click.option("--key", metavar="PEM", help="The public key that must have signed.")
@click.option(
    "--certificate-chain", multiple=True, metavar="PEM", help="Certificates of the authority you trust; repeatable."
)
@click.option("--san", metavar="NAME", help="Subject alternative name that the signer's certificate must have.")
@click.option("--subject", metavar="DN", help='Whole subject of a certificate without such names ("CN=release").')
@click.option("--trusted-root", metavar="FILE", help="Trusted root (default: that of the public Sigstore instance).")
@click.option("--trusted-root-sha256", metavar="HEX", help="The SHA-256 that --trusted-root must have.")
@click.option("--policy", metavar="FILE", help="Take who must sign from this policy's [[signatures.require]].")
@click.option(
    "--ignore-paths", "--ignore", multiple=True, metavar="GLOB", help="What may stand in TARGET unsigned; repeatable."
)
@click.option(
    "--attestation", metavar="FILE", help="Admit TARGET on an attested scan (see `attest`), without a new one."
)
@click.option("--any-policy", is_flag=True, help="With --attestation, accept a verdict under any policy.")
@click.option("--max-age-days", type=click.IntRange(1), metavar="N", help="With --attestation, how old it may be.")
@click.option("--ruleset", metavar="DIGEST", help="With --attestation, the rule set that must have been used.")
@click.option("--log", metavar="FILE", help="With --attestation, import log to append to.")
@click.option(
    "--now",
    metavar="TIME",
    help="Date and time that count (default: the clock): for certificates without proven time, and for attestations.",
)
@click.option("--jobs", "-j", type=click.IntRange(1, 256), help="Threads that hash (default: one per processor).")
@click.option("--format", "-f", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    target: str,
    signature: str | None,
    identity: str | None,
    issuer: str | None,
    key: str | None,
    certificate_chain: tuple[str, ...],
    san: str | None,
    subject: str | None,
    trusted_root: str | None,
    trusted_root_sha256: str | None,
    policy: str | None,
    ignore_paths: tuple[str, ...],
    attestation: str | None,
    any_policy: bool,
    max_age_days: int | None,
    ruleset: str | None,
    log: str | None,
    now: str | None,
    jobs: int | None,
    format_: str,
) -> None:
    """Verify the signature of TARGET, a file or folder, offline.

    Takes Sigstore bundles over a file, in-toto statements, and OpenSSF model signatures over a folder. Who must have
    signed is always said: --identity with --issuer, --key, --certificate-chain with --san, or a policy. Everything in
    a signed folder must be signed; --ignore-paths .git lets something pass. Exit code: 0 verified, 1 not.
    """
    moment = common.moment(now, "--now") if now else datetime.now(UTC)
    asked = _Asked(
        identity=identity, issuer=issuer, key=key, certificate_chain=certificate_chain, san=san, subject=subject
    )
    try:
        from modelscan_plus.trust.target import find_signature, verify_target
    except ImportError:
        raise MissingExtra("verifying signatures", "sign") from None
    _refuse_idle(attestation, signature)
    requests = _requests(
        target,
        attestation or signature or find_signature(target),
        asked,
        root=_Root(trusted_root, trusted_root_sha256),
        policy=policy,
        ignore=tuple(_within(target, path) for path in ignore_paths),
        now=moment,
        jobs=jobs,
    )
    if attestation is not None:
        from modelscan_plus.cli.admission import Conditions, admit_on

        conditions = Conditions(
            policy=policy, any_policy=any_policy, max_age_days=max_age_days, ruleset=ruleset, log=log
        )
        sys.exit(admit_on(requests, conditions, as_json=format_ == "json"))
    with _progress() as (advance, begin):
        watched = [replace(request, progress=advance, begin=begin) for request in requests]
        result = next((result for result in map(verify_target, watched[:-1]) if result.state == "verified"), None)
        result = result or verify_target(watched[-1])
    click.echo(_as_json(result) if format_ == "json" else _as_text(target, result, moment), nl=False)
    sys.exit(0 if result.state == "verified" else 1)


def _refuse_idle(attestation: str | None, signature: str | None) -> None:
    """Raise `UsageError` for a condition on the command line that nothing would look at."""
    if attestation is not None:
        if signature is not None:
            raise UsageError("--signature and --attestation are two questions; ask them one after the other")
        return
    context = click.get_current_context()
    for name in ("any_policy", "max_age_days", "ruleset", "log"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name.replace('_', '-')} goes with --attestation")


def _within(target: str, given: str) -> str:
    """A glob as it is; the path of something that stands in the target, as model_signing takes it, relative to that."""
    if os.path.isabs(given) or os.path.lexists(given):
        relative = os.path.relpath(os.path.abspath(given), os.path.abspath(target))
        if not relative.startswith(os.pardir):
            return relative.replace(os.sep, "/")
    return given


_Told = Callable[[int], None] | None


@contextmanager
def _progress() -> Iterator[tuple[_Told, _Told]]:
    """A bar of hashed bytes on stderr, drawn only when the work takes longer than a blink."""
    from modelscan_plus.cli.progress import ByteProgress, progress_wanted

    if not progress_wanted():
        yield None, None
        return
    with ByteProgress() as progress:
        yield progress.advance, progress.begin


@dataclass(frozen=True, slots=True)
class _Root:
    """The options that name a trusted root."""

    file: str | None
    sha256: str | None


def _requests(
    target: str,
    signature: str,
    asked: _Asked,
    *,
    root: _Root,
    policy: str | None,
    ignore: tuple[str, ...],
    now: datetime,
    jobs: int | None,
) -> "list[Request]":
    """What to try: the signer that the options name, or each that the policy accepts for this target."""
    from modelscan_plus.pipeline import default_jobs
    from modelscan_plus.trust.required import expected_of, root_of
    from modelscan_plus.trust.target import Request

    def request(expected: "Expected", trusted: "TrustedRoot", passing: tuple[str, ...], limit: int | None) -> Request:
        return Request(
            path=target,
            signature=signature,
            expected=expected,
            root=trusted,
            max_root_age_days=limit,
            now=now,
            ignore=passing,
            jobs=jobs or default_jobs(),
        )

    if root.sha256 is not None and root.file is None:
        raise UsageError("--trusted-root-sha256 pins the file of --trusted-root, which is not given")
    if not asked.nothing:
        return [request(_expected(asked), _root(root), ignore, None)]
    if policy is None:
        raise UsageError(
            "say who must have signed: --identity and --issuer, --key, --certificate-chain and --san, or --policy"
        )
    from modelscan_plus.policy.load import load_policy

    required = [entry for entry in load_policy(policy).signatures if entry.applies(target)]
    if not required:
        raise UsageError(f"the policy requires no signature of {target}; say who must have signed it")
    return [
        request(
            expected_of(entry),
            _root(root) if root.file else root_of(entry),
            (*entry.ignore_paths, *ignore),
            entry.max_root_age_days,
        )
        for entry in required
    ]


def _expected(asked: _Asked) -> "Expected":
    from modelscan_plus.trust.content import read_file
    from modelscan_plus.trust.expected import ByCertificate, ByKey, Keyless, anchors_from_pem
    from modelscan_plus.trust.keys import PublicKey
    from modelscan_plus.trust.reasons import Rejected

    keyless, chain = asked.identity or asked.issuer, asked.certificate_chain or asked.san or asked.subject
    if sum(bool(way) for way in (keyless, asked.key, chain)) != 1:
        raise UsageError("--identity with --issuer, --key, and --certificate-chain exclude each other")
    try:
        if asked.key:
            return ByKey(PublicKey.from_pem(read_file(asked.key, 1 << 16, "the key"), asked.key))
        if chain:
            if not asked.certificate_chain or not (asked.san or asked.subject):
                raise UsageError("--certificate-chain needs --san (or --subject), and the other way round")
            read = [read_file(file, 1 << 20, "the certificate chain") for file in asked.certificate_chain]
            anchors = tuple(
                anchor
                for file, data in zip(asked.certificate_chain, read, strict=True)
                for anchor in anchors_from_pem(data, file)
            )
            return ByCertificate(anchors, asked.san, asked.subject)
    except Rejected as error:
        raise UsageError(error.message) from None
    if not asked.identity or not asked.issuer:
        raise UsageError("--identity and --issuer belong together: an identity means something by who vouches for it")
    return Keyless(asked.identity, asked.issuer)


def _root(given: _Root) -> "TrustedRoot":
    from modelscan_plus.trust.content import read_file
    from modelscan_plus.trust.reasons import Rejected
    from modelscan_plus.trust.root import MAX_ROOT, read_root, shipped_root

    if given.file is None:
        return shipped_root()
    try:
        return read_root(read_file(given.file, MAX_ROOT, "the trusted root"), name=given.file, sha256=given.sha256)
    except Rejected as error:
        raise UsageError(error.message) from None


def _as_json(result: SignatureReport) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n"


def _as_text(target: str, result: SignatureReport, now: datetime) -> str:
    from modelscan_plus.core.text import visible
    from modelscan_plus.outputs import signatures

    if result.state != "verified":
        rows = [f"not verified: {result.message} [{result.cause}]"]
        rows += [f"  {problem}" for problem in result.problems[1:_LISTED]]
        if len(result.problems) > _LISTED:
            rows.append(f"  … and {len(result.problems) - _LISTED:,} more")
        return "".join(f"{row}\n" for row in rows)
    rows = [f"verified: {visible(target)} is as it was signed ({result.covers})"]
    rows += [f"  {name:<10}{text}" for name, text in signatures.rows(result, now.date())]
    return "".join(f"{row}\n" for row in rows)
