"""`modelscan-plus verify-bundle`: one bundle over one file, in the words of the sigstore-conformance client protocol.

    modelscan-plus verify-bundle [--staging] --bundle FILE (--certificate-identity ID --certificate-oidc-issuer URL |
        --key PEM) [--trusted-root FILE] FILE_OR_DIGEST

Source: sigstore/sigstore-conformance docs/cli_protocol.md. Exit 0 means verified. Without --trusted-root the root of
the public Sigstore instance that is shipped with this package counts; nothing is fetched.
"""

import sys
from datetime import UTC, datetime

import click

from modelscan_plus.core.errors import MissingExtra, UsageError


@click.command("verify-bundle")
@click.argument("artifact", metavar="FILE_OR_DIGEST")
@click.option("--bundle", required=True, metavar="FILE", help="The Sigstore bundle.")
@click.option("--certificate-identity", metavar="ID", help="Who must have signed, exactly.")
@click.option("--certificate-oidc-issuer", metavar="URL", help="Who must vouch for that identity, exactly.")
@click.option("--key", metavar="PEM", help="The public key that must have signed.")
@click.option("--trusted-root", metavar="FILE", help="Trusted root (default: that of the public Sigstore instance).")
@click.option("--staging", is_flag=True, help="Use the root of Sigstore's staging instance.")
def command(
    artifact: str,
    bundle: str,
    certificate_identity: str | None,
    certificate_oidc_issuer: str | None,
    key: str | None,
    trusted_root: str | None,
    staging: bool,
) -> None:
    """Verify a Sigstore bundle over a file, or over sha256:DIGEST, offline.

    A log entry is required also with --key. For a DSSE bundle the file must be a subject of the signed statement.
    """
    try:
        from modelscan_plus.trust.bundle import MAX_BUNDLE
        from modelscan_plus.trust.content import content_of_argument, read_file
        from modelscan_plus.trust.expected import ByKey, Expected, Keyless
        from modelscan_plus.trust.keys import PublicKey
        from modelscan_plus.trust.reasons import Rejected
        from modelscan_plus.trust.root import MAX_ROOT, read_root, shipped_root
        from modelscan_plus.trust.verify import verify_bundle
    except ImportError:
        raise MissingExtra("verifying signatures", "sign") from None
    if bool(key) == bool(certificate_identity or certificate_oidc_issuer):
        raise UsageError("give either --key, or --certificate-identity and --certificate-oidc-issuer")
    if trusted_root and staging:
        raise UsageError("--staging and --trusted-root exclude each other")
    try:
        expected: Expected
        if key:
            expected = ByKey(PublicKey.from_pem(read_file(key, 1 << 16, "the key")))
        elif certificate_identity and certificate_oidc_issuer:
            expected = Keyless(certificate_identity, certificate_oidc_issuer)
        else:
            raise UsageError("--certificate-identity and --certificate-oidc-issuer belong together")
        if trusted_root:
            root = read_root(read_file(trusted_root, MAX_ROOT, "the trusted root"), name=trusted_root)
        else:
            root = shipped_root("sigstore-staging" if staging else "sigstore")
        verify_bundle(
            read_file(bundle, MAX_BUNDLE, "the bundle"),
            expected,
            root,
            now=datetime.now(UTC),
            content=content_of_argument(artifact),
            require_log=True,
        )
    except Rejected as error:
        click.echo(f"not verified: {error.message} [{error.cause}]", err=True)
        sys.exit(1)
    click.echo("verified", err=True)
