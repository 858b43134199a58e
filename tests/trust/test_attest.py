"""Attested scans: what admits, and every single thing that keeps from it, with its reason."""

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from modelscan_plus.core.report import Decision
from modelscan_plus.pipeline import scan
from modelscan_plus.policy.load import load_policy
from modelscan_plus.trust.admit import admit
from modelscan_plus.trust.attest import PREDICATE, SVR, Demand, statements
from modelscan_plus.trust.expected import ByKey, Keyless
from modelscan_plus.trust.journal import entries
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.reasons import Rejected
from modelscan_plus.trust.root import read_root
from modelscan_plus.trust.sign import KeySigner
from tests.cli.commands import run
from tests.trust.minisig import IDENTITY, ISSUER, SIGNED_AT, Sigstore, Wish
from tests.trust.test_tree import TAMPER

KEY = ed25519.Ed25519PrivateKey.generate()
SIGNER = KeySigner(KEY)
NOW = datetime(2026, 11, 24, tzinfo=UTC)
DAY = timedelta(days=1)


def safetensors(value: bytes = b"1234") -> bytes:
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return len(header).to_bytes(8, "little") + header + value


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an honest model in it, and a key pair."""
    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "config.json"):
        path = tmp_path / "model" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(safetensors(name[8:12].encode()))
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "key.pub").write_bytes(SIGNER.public_pem)
    return tmp_path


def attest(place: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return run("attest", "model", "--key", "key.pem", "-q", *more, cwd=place)


def verify(place: Path, *more: str | Path) -> tuple[int, str]:
    done = run("verify", "model", "--key", "key.pub", "--attestation", "model.attestations.jsonl", *more, cwd=place)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, done.stdout


def test_what_was_attested_is_admitted_without_a_scan(place: Path) -> None:
    assert attest(place, "--log", "log").returncode == 0
    code, said = verify(place, "--log", "log", "--format", "json")
    told = json.loads(said)
    assert (code, told["state"], told["scan"]["verdict"]) == (0, "admitted", "allowed")
    attested, admitted = entries(place / "log")
    assert (attested.event, admitted.event, attested.tree, attested.report) == (
        "attest",
        "admit",
        admitted.tree,
        admitted.report,
    )


def test_the_file_holds_our_statement_and_a_standard_one_about_the_same_subjects(place: Path) -> None:
    attest(place, "--valid-days", "30", "--now", "2026-11-24T00:00:00Z")
    lines = (place / "model.attestations.jsonl").read_bytes().splitlines()
    ours, standard = (_statement(line) for line in lines)
    assert (ours["predicateType"], standard["predicateType"]) == (PREDICATE, SVR)
    assert ours["subject"] == standard["subject"]
    report = scan(place / "model", sha256=True, now=NOW)
    assert ours["subject"][0] == {"name": "model", "digest": {"sha256": report.targets[0].digest[7:]}}  # type: ignore[index]
    assert {item["name"] for item in ours["subject"][1:]} == {artifact.path for artifact in report.artifacts}
    assert ours["predicate"]["validUntil"] == "2026-12-24T00:00:00Z"
    assert ours["predicate"]["coverage"]["files"] == 3
    assert "MODELSCAN_PLUS_ALLOWED" in standard["predicate"]["properties"]


def _statement(line: bytes) -> dict[str, Any]:
    import base64

    made: dict[str, Any] = json.loads(base64.b64decode(json.loads(line)["dsseEnvelope"]["payload"]))
    return made


@pytest.mark.parametrize("change", TAMPER.values(), ids=TAMPER)
def test_a_change_of_any_file_is_not_admitted(place: Path, change: Callable[[Path], object]) -> None:
    attest(place)
    change(place / "model")
    code, said = verify(place)
    assert (code, "[wrong-digest]" in said) == (1, True)


def test_a_denial_is_attested_and_outweighs_an_older_permission(place: Path) -> None:
    assert attest(place, "--now", "2026-11-01").returncode == 0
    allowed = (place / "model.attestations.jsonl").read_bytes()
    strict = place / "strict.toml"
    strict.write_text('schema = 1\n[formats]\ndeny = ["safetensors"]\n')
    assert attest(place, "--policy", strict, "--now", "2026-11-02").returncode == 1
    denied = (place / "model.attestations.jsonl").read_bytes()
    code, said = verify(place, "--any-policy", "--now", "2026-11-03")
    assert (code, "verdict is denied" in said) == (1, True)
    for content in (allowed + denied, denied + allowed):
        (place / "model.attestations.jsonl").write_bytes(content)
        assert verify(place, "--any-policy", "--now", "2026-11-03")[0] == 1
    (place / "model.attestations.jsonl").write_bytes(allowed)
    assert verify(place, "--now", "2026-11-03")[0] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--now", "2027-03-01"), "valid until"),
        (("--now", "2026-11-01"), "still to come"),
        (("--now", "2026-12-24", "--max-age-days", "10"), "older than 10 days"),
        (("--now", "2026-11-25", "--policy", "builtin:strict"), "not by the one in force"),
        (("--now", "2026-11-25", "--ruleset", "sha256:00"), "rule set"),
        (("--now", "2026-11-25", "--ignore-paths", "config.json"), "are about others"),
    ],
)
def test_what_is_too_old_or_by_other_rules_is_not_admitted(place: Path, options: tuple[str, ...], said: str) -> None:
    attest(place, "--now", "2026-11-24")
    code, told = verify(place, *options)
    assert (code, said in told.replace("there are 1 about others", "are about others")) == (1, True), told
    assert verify(place, "--now", "2026-11-25")[0] == 0


def test_the_key_must_be_the_one_that_was_named(place: Path) -> None:
    attest(place)
    other = KeySigner(ed25519.Ed25519PrivateKey.generate())
    (place / "key.pub").write_bytes(other.public_pem)
    code, said = verify(place)
    assert (code, "[wrong-key]" in said) == (1, True)


def test_lines_of_others_prove_nothing_and_take_nothing_away(place: Path) -> None:
    attest(place)
    path = place / "model.attestations.jsonl"
    report = scan(place / "model", sha256=True, now=NOW)
    verdict = msgspec.structs.replace(report.verdict, decision=Decision.DENIED)
    denied = msgspec.structs.replace(report, verdict=verdict)
    stranger = KeySigner(ed25519.Ed25519PrivateKey.generate())
    foreign = stranger.sign(statements(denied, name="model", valid=DAY)[0])
    path.write_bytes(foreign + b"\nnot json\n\n" + path.read_bytes())
    assert verify(place)[0] == 0


def alterations() -> dict[str, Callable[[dict[str, Any]], object]]:
    """Statements that the right signer signed and that must not admit."""
    return {
        "remote": lambda statement: statement["predicate"].update(scope="remote"),
        "incomplete": lambda statement: statement["predicate"].update(verdict="incomplete"),
        "unknown verdict": lambda statement: statement["predicate"].update(verdict="ALLOWED"),
        "unread code": lambda statement: statement["predicate"]["coverage"].update(executableGaps=1),
        "left something out": lambda statement: statement["predicate"]["coverage"].update(excluded=["*.pkl"]),
        "another tree in the predicate": lambda statement: statement["predicate"].update(tree="sha256:" + "0" * 64),
        "another first subject": lambda statement: statement["subject"].reverse(),
        "no validity": lambda statement: statement["predicate"].pop("validUntil"),
        "a validity that is no time": lambda statement: statement["predicate"].update(validUntil="always"),
        "another predicate": lambda statement: statement.update(predicateType="https://example.com/scan/v1"),
        "no predicate": lambda statement: statement.pop("predicate"),
        "another statement": lambda statement: statement.update(_type="https://example.com/Statement"),
    }


@pytest.mark.parametrize("name", alterations())
def test_a_statement_with_one_thing_wrong_is_not_admitted(place: Path, name: str) -> None:
    report = scan(place / "model", sha256=True, now=NOW)
    statement = json.loads(statements(report, name="model", valid=30 * DAY)[0])
    path = place / "a.jsonl"
    demand = Demand(tree="", now=NOW, policy=load_policy("builtin:default").digest)
    key = ByKey(PublicKey.from_pem(SIGNER.public_pem))
    path.write_bytes(SIGNER.sign(json.dumps(statement).encode()))
    assert admit(str(place / "model"), path, key, None, demand).predicate.verdict == "allowed"
    alterations()[name](statement)
    path.write_bytes(SIGNER.sign(json.dumps(statement).encode()))
    with pytest.raises(Rejected):
        admit(str(place / "model"), path, key, None, demand)


def test_a_keyless_attestation_admits_offline_by_identity_and_issuer(place: Path) -> None:
    sigstore = Sigstore()
    report = scan(place / "model", sha256=True, now=SIGNED_AT)
    bundle = sigstore.bundle(statements(report, name="model", valid=30 * DAY)[0], Wish(dsse=True))
    path = place / "a.jsonl"
    path.write_text(json.dumps(bundle) + "\n")
    root = read_root(json.dumps(sigstore.trusted_root()).encode(), name="test")
    demand = Demand(tree="", now=SIGNED_AT + DAY)
    admission = admit(str(place / "model"), path, Keyless(IDENTITY, ISSUER), root, demand)
    assert admission.verified.signer == IDENTITY
    path.write_text(json.dumps(bundle, indent=2) + "\n")  # one bundle, printed over several lines
    admit(str(place / "model"), path, Keyless(IDENTITY, ISSUER), root, demand)
    for stranger in (Keyless("someone@else.example", ISSUER), Keyless(IDENTITY, "https://else.example")):
        with pytest.raises(Rejected):
            admit(str(place / "model"), path, stranger, root, demand)


def test_what_is_left_out_is_attested_and_must_be_left_out_again(place: Path) -> None:
    (place / "model" / ".git").mkdir()
    assert attest(place).returncode == 2
    assert attest(place, "--exclude", ".git").returncode == 0
    code, said = verify(place)
    assert (code, ".git" in said) == (1, True)
    code, said = verify(place, "--ignore-paths", ".git")
    assert (code, "left out    .git" in said) == (0, True)


def test_an_encrypted_key_takes_its_password_from_the_environment(place: Path) -> None:
    locked = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (place / "key.pem").write_bytes(locked)
    assert attest(place).returncode == 2
    done = run("attest", "model", "--key", "key.pem", "-q", cwd=place, MODELSCAN_PLUS_KEY_PASSWORD="secret")  # noqa: S106
    assert done.returncode == 0, done.stderr
    assert verify(place)[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("attest", "model"),
        ("attest", "model", "--key", "key.pem", "--keyless"),
        ("attest", "gone", "--key", "key.pem"),
        ("attest", "model", "--key", "key.pem", "-o", "model/a.jsonl"),
        ("attest", "model", "--key", "key.pub"),
        ("verify", "model", "--attestation", "gone.jsonl", "--key", "key.pub"),
        ("verify", "model", "--attestation", "key.pub"),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_what_cannot_be_done_is_wrong_use(place: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, cwd=place)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr


def test_a_single_file_and_a_copy_elsewhere_are_admitted(place: Path) -> None:
    attest(place)
    shutil.copytree(place / "model", place / "copy")
    done = run("verify", "copy", "--key", "key.pub", "--attestation", "model.attestations.jsonl", cwd=place)
    assert done.returncode == 0
    single = place / "model" / "config.json"
    assert run("attest", single, "--key", place / "key.pem", "-o", place / "s", cwd=place).returncode == 0
    assert run("verify", single, "--key", place / "key.pub", "--attestation", place / "s", cwd=place).returncode == 0


def test_the_log_does_not_lie_in_what_was_attested(place: Path) -> None:
    attest(place)
    done = run(
        "verify",
        "model",
        "--key",
        "key.pub",
        "--attestation",
        "model.attestations.jsonl",
        "--log",
        "model/l",
        cwd=place,
    )
    assert (done.returncode, (place / "model" / "l").exists()) == (2, False)
