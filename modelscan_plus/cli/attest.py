"""`modelscan-plus attest`: scan, and sign what the scan said."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelscan_plus.cli import common, flags
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.text import inert, visible

if TYPE_CHECKING:
    from modelscan_plus.core.report import Report
    from modelscan_plus.trust.sign import Signer

_PASSWORD = "MODELSCAN_PLUS_KEY_PASSWORD"  # noqa: S105 - the name of a variable, not a password


@click.command("attest")
@click.argument("target")
@click.option("--key", metavar="PEM", help=f"Private key to sign with; its password in {_PASSWORD}.")
@click.option("--keyless", is_flag=True, help="Sign with a Sigstore certificate (network).")
@click.option("--identity-token", metavar="TOKEN", help="Token for --keyless (default: that of the CI system).")
@click.option("--interactive", is_flag=True, help="With --keyless, ask in a browser who you are.")
@click.option("--trust-config", metavar="FILE", help="With --keyless, another Sigstore instance (ClientTrustConfig).")
@click.option("--output", "-o", metavar="FILE", help="Default: TARGET.attestations.jsonl, beside TARGET.")
@click.option("--name", metavar="NAME", help="What the subject is called (default: the name of TARGET).")
@click.option("--valid-days", type=click.IntRange(1, 3660), default=90, show_default=True, help="How long it counts.")
@flags.policy
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out files that match; repeatable, and attested.")
@click.option("--now", metavar="TIME", help="Date and time of the scan (default: the clock).")
@flags.jobs
@click.option("--log", metavar="FILE", help="Import log to append to.")
@flags.actor
@flags.quiet
def command(
    target: str,
    key: str | None,
    keyless: bool,
    identity_token: str | None,
    interactive: bool,
    trust_config: str | None,
    output: str | None,
    name: str | None,
    valid_days: int,
    policy: str | None,
    exclude: tuple[str, ...],
    now: str | None,
    jobs: int | None,
    log: str | None,
    actor: str | None,
    quiet: bool,
) -> None:
    """Scan TARGET, a local file or folder, and sign the verdict as in-toto attestations (one Sigstore bundle a line).

    `verify --attestation` admits the same files on it without a second scan. A denial is attested too; the exit code is
    that of the scan.
    """
    from modelscan_plus.pipeline import Options, default_jobs, scan_targets
    from modelscan_plus.policy.load import load_policy
    from modelscan_plus.trust.lock_check import refuse_inside

    if not os.path.exists(target):
        raise UsageError(f"{visible(target)}: no such file or folder; only local targets can be attested")
    path = Path(output or os.path.abspath(target).rstrip(os.sep) + ".attestations.jsonl")
    refuse_inside(path, target, "--output")
    if log:
        common.check_log(Path(log), [target])
    signer = _signer(key, keyless=keyless, token=identity_token, interactive=interactive, config=trust_config)
    options = Options(
        policy=load_policy(policy),
        sha256=True,
        exclude=exclude,
        now=common.moment(now, "--now") if now else None,
        jobs=jobs or default_jobs(),
    )
    report = scan_targets([target], options)
    bundles = _signed(report, signer, name or os.path.basename(os.path.abspath(target)), valid_days, exclude)
    if log:
        from modelscan_plus.trust.recording import record

        report = record(Path(log), report, "attest", actor)
    common.write_file(path, "".join(f"{bundle.decode()}\n" for bundle in bundles))
    common.write_outputs(report, [], verbosity=-1 if quiet else 0)
    click.echo(f"attested by {signer.name}: {visible(str(path))}", err=True)
    sys.exit(common.exit_code(report))


def _signed(report: "Report", signer: "Signer", name: str, days: int, exclude: tuple[str, ...]) -> list[bytes]:
    from modelscan_plus.trust.attest import statements

    if report.targets[0].digest is None:
        notes = [note.message for note in report.notes if note.code == "MSP7099"]
        raise UsageError(notes[0] if notes else f"{report.targets[0].given}: there is nothing to attest")
    made = statements(report, name=inert(name), valid=timedelta(days=days), excluded=exclude)
    return [signer.sign(statement) for statement in made]


def _signer(key: str | None, *, keyless: bool, token: str | None, interactive: bool, config: str | None) -> "Signer":
    from modelscan_plus.trust.shared_files import read_whole
    from modelscan_plus.trust.sign import KeylessSigner, KeySigner

    if bool(key) == keyless:
        raise UsageError("say how to sign: --key PEM or --keyless")
    if key:
        password = os.environ.get(_PASSWORD)
        return KeySigner.from_pem(read_whole(Path(key), 1 << 16), password.encode() if password else None)
    trust = read_whole(Path(config), 16 << 20) if config else None
    return KeylessSigner(token=token, trust_config=trust, interactive=interactive)
