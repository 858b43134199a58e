"""Signatures that model-signing 0.2.0 to 1.1.0 made, by other people, verified with the command as a user would.

The vectors are data of another project; where they are not beside the repository the tests are skipped, and
test_model_signing.py makes signatures with the installed model-signing instead.
"""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelscan_plus.core.report import SignatureReport
from modelscan_plus.trust.expected import ByCertificate, ByKey, Expected, Keyless, anchors_from_pem
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.root import shipped_root
from modelscan_plus.trust.target import Request, verify_target
from tests.cli.commands import run

VECTORS = Path(__file__).parents[2].parent / "shared/conformance/oms"
CASES = sorted(path.name for path in VECTORS.iterdir() if path.name.startswith("v")) if VECTORS.is_dir() else []
SINGLE = {"v0.3.1-elliptic-key", "v1.0.0-elliptic-key"}
NOW = datetime(2026, 11, 24, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not CASES, reason="the conformance vectors are not beside the repository")


def expected(case: str) -> Expected:
    keys = VECTORS / "keys/certificate"
    if case.endswith("sigstore"):
        return Keyless("stefanb@us.ibm.com", "https://sigstore.verify.ibm.com/oauth2")
    if case.endswith("elliptic-key"):
        return ByKey(PublicKey.from_pem((keys / "signing-key-pub.pem").read_bytes()))
    chain = (keys / "int-ca-cert.pem").read_bytes() + (keys / "ca-cert.pem").read_bytes()
    return ByCertificate(anchors_from_pem(chain, "chain"), subject="CN=intermediate-ca")


def verify(case: str, folder: Path, **changes: object) -> SignatureReport:
    path = folder / "signme-1" if case in SINGLE else folder
    fields = {
        "path": str(path),
        "signature": str(folder / "model.sig"),
        "expected": expected(case),
        "root": shipped_root(),
        "now": NOW,
        "ignore": ("ignore-me",),
    }
    return verify_target(Request(**{**fields, **changes}))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES)
def test_a_historical_signature_verifies(case: str) -> None:
    assert verify(case, VECTORS / case).state == "verified"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("change", ["content", "added", "removed", "renamed", "other signer"])
def test_a_historical_signature_covers_what_it_says(case: str, change: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(VECTORS / case, folder, copy_function=shutil.copyfile)
    os.chmod(folder, 0o755)  # noqa: S103 - the vectors are read-only
    changes: dict[str, object] = {}
    match change:
        case "content":
            (folder / "signme-1").write_bytes(b"evil")
        case "added" if case not in SINGLE:
            (folder / "__init__.py").touch()
        case "removed" if case not in SINGLE:
            (folder / "signme-1").unlink()
        case "renamed" if case not in SINGLE:
            (folder / "signme-1").rename(folder / "signme-0")
        case "other signer":
            changes["expected"] = Keyless("somebody@example.com", "https://sigstore.verify.ibm.com/oauth2")
        case _:
            pytest.skip("a single file that is signed has no name and no neighbours")
    assert verify(case, folder, **changes).state == "rejected"


def test_the_command_says_who_signed_when_and_by_which_root() -> None:
    who = ("--identity", "stefanb@us.ibm.com", "--issuer", "https://sigstore.verify.ibm.com/oauth2")
    done = run("verify", VECTORS / "v1.1.0-sigstore", *who, "--format", "json")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert result["signer"] == "stefanb@us.ibm.com"
    assert result["times"] == ["2025-10-10T02:12:20Z"]
    assert (result["root"], len(result["root_sha256"])) == ("sigstore", 64)
    assert result["left_out"] == ["ignore-me"]
    done = run("verify", VECTORS / "v1.0.1-sigstore", *who)
    assert done.returncode == 1
    assert "ignore-me: not signed" in done.stdout
    done = run("verify", VECTORS / "v1.0.1-sigstore", *who, "--ignore-paths", "ignore-me")
    assert done.returncode == 0, done.stdout
    assert "2025-10-07T15:33:48Z" in done.stdout
    done = run("verify", VECTORS / "v1.0.1-sigstore", *who, "--ignore-paths", VECTORS / "v1.0.1-sigstore/ignore-me")
    assert done.returncode == 0, done.stdout


def test_the_command_wants_to_know_who_must_have_signed() -> None:
    done = run("verify", VECTORS / "v1.0.1-sigstore")
    assert done.returncode == 2
    assert "say who must have signed" in done.stderr
