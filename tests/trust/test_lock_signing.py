"""Who signed a locked model: trusted on first use, expected from then on, changed only on request."""

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519

from modelscan_plus.sources.local import LocalSource
from modelscan_plus.trust import dsse
from modelscan_plus.trust import lock as locks
from modelscan_plus.trust.lock import Signer
from modelscan_plus.trust.sign import KeySigner
from modelscan_plus.trust.tree import measure
from tests.cli.commands import run
from tests.trust.minisig import IDENTITY, ISSUER, Leaf, Sigstore, Wish

SIGSTORE = Sigstore()
ALICE, BOB = IDENTITY, "https://github.com/other/repo/.github/workflows/x.yml@refs/heads/main"
KEYS = [KeySigner(ed25519.Ed25519PrivateKey.generate()) for _ in range(2)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.pkl").write_bytes(b"N.")
    (tmp_path / "root.json").write_text(json.dumps(SIGSTORE.trusted_root()))
    for number, key in enumerate(KEYS):
        (tmp_path / f"{number}.pub").write_bytes(key.public_pem)
    return tmp_path


def statement(place: Path) -> bytes:
    digest = measure(LocalSource(str(place / "model")).entries()).digest or ""
    subject = [{"name": "model", "digest": {"sha256": digest.removeprefix("sha256:")}}]
    content = {
        "_type": dsse.STATEMENT_TYPE,
        "subject": subject,
        "predicateType": "https://example.com/x",
        "predicate": {},
    }
    return json.dumps(content).encode()


def sign(place: Path, who: str = ALICE) -> None:
    leaf = Leaf(names=(x509.UniformResourceIdentifier(who),))
    (place / "sig").write_text(json.dumps(SIGSTORE.bundle(statement(place), Wish(dsse=True, leaf=leaf))))


def lock(place: Path, verb: str, *more: str) -> tuple[int, str]:
    done = run(
        "lock", verb, "model", "--no-scan", "--trusted-root", "root.json", "--signature", "sig", *more, cwd=place
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def signer(place: Path) -> Signer | None:
    return locks.read(place / locks.NAME).models["model"].signer


def change(place: Path, number: int) -> None:
    (place / "model" / "a.pkl").write_bytes(b"K" + bytes([number]) + b".")


def test_somebody_must_be_expected(place: Path) -> None:
    sign(place)
    code, said = lock(place, "add")
    assert (code, "--first-use" in said) == (2, True)
    assert lock(place, "add", "--identity", ALICE)[0] == 2
    code, said = lock(place, "add", "--identity", BOB, "--issuer", ISSUER)
    assert (code, "does not verify" in said) == (1, True)
    assert not (place / locks.NAME).exists()
    assert lock(place, "add", "--identity", ALICE, "--issuer", ISSUER)[0] == 0


def test_the_first_signer_is_kept_and_expected_from_then_on(place: Path) -> None:
    sign(place)
    assert lock(place, "add", "--first-use")[0] == 0
    first = signer(place)
    assert first is not None
    assert (first.kind, first.identity, first.issuer) == ("keyless", ALICE, ISSUER)
    assert first.time is not None
    change(place, 1)
    sign(place)
    assert lock(place, "update")[0] == 0
    change(place, 2)
    sign(place, BOB)
    code, said = lock(place, "update")
    assert (code, "does not verify" in said) == (1, True)
    code, said = lock(place, "update", "--identity", BOB, "--issuer", ISSUER)
    assert (code, "--accept-signer-change" in said) == (1, True)
    assert getattr(signer(place), "identity", None) == ALICE
    assert lock(place, "update", "--accept-signer-change")[0] == 0
    assert getattr(signer(place), "identity", None) == BOB


def test_a_signed_model_is_not_updated_without_a_signature(place: Path) -> None:
    sign(place)
    lock(place, "add", "--first-use")
    change(place, 1)
    done = run("lock", "update", "model", cwd=place)
    assert (done.returncode, "no signature was given" in done.stderr) == (1, True)
    assert run("lock", "update", "model", "--accept-signer-change", cwd=place).returncode == 0
    assert signer(place) is None


def test_a_signature_of_other_files_is_refused(place: Path) -> None:
    sign(place)
    change(place, 1)
    code, said = lock(place, "add", "--first-use")
    assert (code, "does not verify" in said) == (1, True)


def test_a_signature_of_an_unknown_instance_is_refused(place: Path) -> None:
    sign(place)
    (place / "root.json").write_text(json.dumps(Sigstore().trusted_root()))
    assert lock(place, "add", "--first-use")[0] == 1


def test_a_key_is_remembered_by_its_digest(place: Path) -> None:
    (place / "sig").write_bytes(KEYS[0].sign(statement(place)))
    assert lock(place, "add", "--first-use")[0] == 2
    assert lock(place, "add", "--key", "0.pub")[0] == 0
    kept = signer(place)
    assert kept is not None
    assert (kept.kind, kept.identity) == ("key", None)
    change(place, 1)
    (place / "sig").write_bytes(KEYS[1].sign(statement(place)))
    code, said = lock(place, "update", "--key", "1.pub")
    assert (code, "--accept-signer-change" in said) == (1, True)
    (place / "sig").write_bytes(KEYS[0].sign(statement(place)))
    assert lock(place, "update", "--key", "0.pub")[0] == 0


def test_options_about_a_signer_want_a_signature(place: Path) -> None:
    done = run("lock", "add", "model", "--first-use", cwd=place)
    assert (done.returncode, "--signature" in done.stderr) == (2, True)
