"""A scan verifies the signatures that it comes across, and the policy can require them."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from modelscan_plus import signatures
from modelscan_plus.collected import inert_copy
from modelscan_plus.core.errors import MissingExtra, UsageError
from modelscan_plus.core.report import Decision, Report
from modelscan_plus.outputs.registry import render
from modelscan_plus.pipeline import Options, scan_targets
from modelscan_plus.policy.load import load_policy
from modelscan_plus.trust.dsse import STATEMENT_TYPE
from modelscan_plus.trust.oms import PREDICATE_TYPE
from modelscan_plus.trust.requirement import Required
from tests.cli.commands import run
from tests.trust.minisig import IDENTITY, ISSUER, SIGNED_AT, Leaf, Sigstore, Wish

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MINE = Sigstore()
ROOT = json.dumps(MINE.trusted_root()).encode()
WEIGHTS = (8).to_bytes(8, "little") + b"{}      "


@dataclass
class Place:
    """A folder with a model, and a policy beside it."""

    model: Path
    policy: Path

    def sign(self, wish: Wish | None = None, name: str = "model.sig") -> None:
        """Sign what is there as an OpenSSF model signature."""
        files = sorted(path for path in self.model.rglob("*") if path.is_file() and path.suffix != ".sig")
        resources = [
            {
                "name": path.relative_to(self.model).as_posix(),
                "algorithm": "sha256",
                "digest": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for path in files
        ]
        root = hashlib.sha256(b"".join(bytes.fromhex(item["digest"]) for item in resources)).hexdigest()
        statement = {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": "model", "digest": {"sha256": root}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "resources": resources,
                "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
            },
        }
        bundle = MINE.bundle(json.dumps(statement).encode(), wish or Wish(), dsse=True)
        (self.model / name).write_text(json.dumps(bundle))

    def require(self, extra: str = "", **changes: str) -> None:
        """A policy that requires the signer of the miniature Sigstore."""
        entry = {"match": "*", "identity": IDENTITY.replace("v1", "*"), "issuer": ISSUER, "root": "mine", **changes}
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in entry.items() if value)
        (self.policy.parent / "root.json").write_bytes(ROOT)
        self.policy.write_text(
            f'schema = 1\nextends = "builtin:strict"\n{extra}\n[[trust.roots]]\nname = "mine"\nfile = "root.json"\n'
            f'sha256 = "{hashlib.sha256(ROOT).hexdigest()}"\ndated = 2026-06-01\n\n[[signatures.require]]\n{lines}\n'
        )

    def scan(self, *, policy: bool = True, target: Path | None = None) -> Report:
        loaded = load_policy(str(self.policy) if policy else "builtin:strict")
        return scan_targets([str(target or self.model)], Options(policy=loaded, now=NOW))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "model", tmp_path / "policy.toml")
    made.model.mkdir()
    (made.model / "model.safetensors").write_bytes(WEIGHTS)
    made.require()
    return made


def fired(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings if finding.rule.startswith("MSP70")}


@pytest.mark.parametrize("log", [1, 2])
def test_a_model_that_the_required_signer_signed_is_allowed(place: Place, log: int) -> None:
    place.sign(Wish(log=log))
    report = place.scan()
    assert report.allowed, report.verdict.reasons
    assert fired(report) == set()
    (signature,) = report.signatures
    assert (signature.state, signature.signer, signature.issuer) == ("verified", IDENTITY, ISSUER)
    assert signature.times == (SIGNED_AT.strftime("%Y-%m-%dT%H:%M:%SZ"),)
    assert (signature.root, signature.root_dated, signature.covers) == ("mine", "2026-06-01", "1 file, 16 B")
    for text in (render("console", report), render("html", report)):
        assert IDENTITY in text.replace("\n        ", "")
        assert "176 days old" in " ".join(text.split())


def test_a_model_without_the_required_signature_is_denied(place: Place) -> None:
    report = place.scan()
    assert report.verdict.decision is Decision.DENIED
    assert fired(report) == {"MSP7001"}
    assert "none stands beside it" in report.verdict.reasons[0].message


def test_the_requirement_is_about_what_it_matches(place: Place) -> None:
    place.require(match="hf:corp/*")
    assert place.scan().allowed
    place.require(match=f"{place.model.parent}/*")
    assert fired(place.scan()) == {"MSP7001"}


def test_a_signature_by_somebody_else_is_not_the_required_one(place: Place) -> None:
    place.require(identity="somebody@else.test")
    place.sign()
    report = place.scan()
    assert fired(report) == {"MSP7001"}
    assert f"signed by {IDENTITY}" in report.findings[0].message


def test_one_of_two_signatures_is_enough(place: Place) -> None:
    place.require(ignore_paths="")
    policy = place.policy.read_text() + 'ignore-paths = ["*.sig"]\n'
    place.policy.write_text(policy)
    place.sign()
    place.sign(Wish(leaf=Leaf(new_issuer="https://x.test", old_issuer=None)), "other.sig")
    report = place.scan()
    assert report.allowed, report.findings
    assert {signature.state for signature in report.signatures} == {"verified", "rejected"}


def test_a_forged_signature_is_a_finding_without_any_policy(place: Place) -> None:
    place.sign()
    path = place.model / "model.sig"
    bundle = json.loads(path.read_text())
    bundle["verificationMaterial"]["tlogEntries"].append(bundle["verificationMaterial"]["tlogEntries"][0])
    path.write_text(json.dumps(bundle))
    report = place.scan(policy=False)
    assert report.verdict.decision is Decision.DENIED
    assert fired(report) == {"MSP7002"}
    assert fired(place.scan()) == {"MSP7001", "MSP7002"}


@pytest.mark.parametrize("change", ["content", "added", "removed"])
def test_files_that_were_not_signed_like_this_are_a_finding(place: Place, change: str) -> None:
    (place.model / "config.json").write_bytes(b"{}")
    place.sign()
    match change:
        case "content":
            (place.model / "config.json").write_bytes(b'{"auto_map": {}}')
        case "added":
            (place.model / "more.json").write_bytes(b"{}")
        case "removed":
            (place.model / "config.json").unlink()
    report = place.scan()
    assert report.verdict.decision is Decision.DENIED
    assert fired(report) == {"MSP7001", "MSP7003"}
    assert report.signatures[0].signer == IDENTITY
    assert report.signatures[0].problems


def test_what_the_specification_leaves_out_is_no_finding(place: Place) -> None:
    place.sign()
    (place.model / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    assert fired(place.scan()) == set()


def test_a_signature_that_nobody_asked_for_is_named_and_proves_nothing(place: Place) -> None:
    place.sign()
    report = place.scan(policy=False)
    assert report.allowed
    assert fired(report) == {"MSP7004"}
    assert report.signatures[0].state == "unchecked"
    assert "not at hand" in report.signatures[0].message


def test_a_signature_over_one_file_stands_beside_it(place: Place) -> None:
    target = place.model / "model.safetensors"
    beside = place.model / "model.safetensors.sigstore.json"
    beside.write_text(json.dumps(MINE.bundle(WEIGHTS)))
    for report in (place.scan(target=target), place.scan()):
        assert report.allowed, report.findings
        assert report.signatures[0].covers == "the file model.safetensors"
    beside.write_text(json.dumps(MINE.bundle(b"other")))
    assert fired(place.scan(target=target)) >= {"MSP7001"}
    assert fired(place.scan()) >= {"MSP7001"}


def statement(name: str, data: bytes) -> bytes:
    subject = {"name": name, "digest": {"sha256": hashlib.sha256(data).hexdigest()}}
    return json.dumps(
        {
            "_type": STATEMENT_TYPE,
            "subject": [subject],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {},
        }
    ).encode()


@pytest.mark.parametrize(
    ("name", "data", "allowed"),
    [
        ("model.safetensors", WEIGHTS, True),
        ("model.safetensors", b"other", False),
        ("other.safetensors", WEIGHTS, False),
    ],
)
def test_a_statement_counts_for_the_files_that_it_is_about(place: Place, name: str, data: bytes, allowed: bool) -> None:
    bundle = MINE.bundle(statement(name, data), dsse=True)
    (place.model / "provenance.sigstore.json").write_text(json.dumps(bundle))
    report = place.scan()
    assert report.allowed is allowed, report.findings
    assert report.signatures[0].state == ("verified" if allowed else "unchecked")
    (place.model / "config.json").write_bytes(b"{}")
    report = place.scan()
    assert "MSP7001" in fired(report)
    if allowed:
        assert "none is about config.json" in report.verdict.reasons[0].message


def test_a_signature_over_a_part_does_not_stand_for_the_whole(place: Place) -> None:
    place.sign()
    (place.model / "part").mkdir()
    for name in ("model.sig", "model.safetensors"):
        (place.model / name).rename(place.model / "part" / name)
    assert place.scan().allowed, "everything that is there is in the part"
    (place.model / "model.safetensors").write_bytes(WEIGHTS)
    report = place.scan()
    assert report.signatures[0].state == "verified"
    assert fired(report) == {"MSP7001"}
    assert "none is about model.safetensors" in report.verdict.reasons[0].message


def test_a_single_file_signed_without_a_name_does_not_stand_for_a_folder(place: Place) -> None:
    digest = hashlib.sha256(b"another model").hexdigest()
    signed = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "m", "digest": {"sha256": hashlib.sha256(bytes.fromhex(digest)).hexdigest()}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "resources": [{"name": ".", "algorithm": "sha256", "digest": digest}],
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
        },
    }
    (place.model / "model.sig").write_text(json.dumps(MINE.bundle(json.dumps(signed).encode(), dsse=True)))
    report = place.scan()
    assert report.signatures[0].state == "unchecked"
    assert "MSP7001" in fired(report)


def test_a_scan_from_a_thread_verifies_in_a_fresh_interpreter(place: Place) -> None:
    place.sign()
    done: list[Report] = []
    thread = threading.Thread(target=lambda: done.append(place.scan()))
    thread.start()
    thread.join(60)
    assert done[0].allowed


def test_a_key_can_be_required(place: Place) -> None:
    (place.policy.parent / "key.pem").write_bytes(MINE.public_pem)
    place.require(identity="", issuer="", key="key.pem")
    place.sign(Wish(key=True))
    report = place.scan()
    assert report.allowed, report.findings
    assert report.signatures[0].method == "key"


def test_another_root_than_the_pinned_one_is_an_error(place: Place) -> None:
    place.sign()
    (place.policy.parent / "root.json").write_bytes(ROOT + b" ")
    with pytest.raises(UsageError, match="is pinned"):
        place.scan()


def test_a_root_that_is_too_old_is_refused(place: Place) -> None:
    place.sign()
    place.require(extra="[trust]\nmax-root-age-days = 100")
    report = place.scan()
    assert report.verdict.decision is Decision.DENIED
    assert "176 days old" in report.signatures[0].message
    place.require(extra="[trust]\nmax-root-age-days = 200")
    assert place.scan().allowed


def test_without_the_extra_a_required_signature_is_an_error_and_another_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "_installed", lambda: False)
    place.sign()
    with pytest.raises(MissingExtra, match="sign"):
        place.scan()
    report = place.scan(policy=False)
    assert report.signatures[0].state == "unchecked"
    assert "[sign] extra" in report.signatures[0].message


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (b"-----BEGIN PGP SIGNATURE-----\n", "unchecked"),
        (b"\x89\x02\x33\x04\x00", "unchecked"),
        (b"", "unchecked"),
        (b"{", "rejected"),
        (b'{"a":' * 100_000, "rejected"),
        (b"{" + b" " * (40 << 20) + b"}", "rejected"),
    ],
    ids=["pgp", "binary", "empty", "cut", "deep", "large"],
)
def test_hostile_signature_files_end_in_words(place: Place, data: bytes, state: str) -> None:
    (place.model / "model.sig").write_bytes(data)
    report = place.scan(policy=False)
    assert report.signatures[0].state == state
    assert report.signatures[0].message


def test_a_fifo_in_the_place_of_a_signature_does_not_block(place: Place) -> None:
    os.mkfifo(place.model / "model.sig")
    report = place.scan()
    assert report.signatures[0].cause == "unreadable-file"
    assert "MSP7001" in fired(report)


def test_a_pickle_under_the_name_of_a_signature_is_scanned_as_one(place: Place) -> None:
    (place.model / "model.sig").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    assert any(finding.rule == "MSP1001" for finding in place.scan(policy=False).findings)


def test_a_scan_without_signatures_imports_no_cryptography(place: Place) -> None:
    code = (
        "import sys; from modelscan_plus.cli import group; "
        f"group.main(['scan', {str(place.model)!r}, '--policy', 'builtin:default'], standalone_mode=False)"
    )
    probe = "import atexit, sys; atexit.register(lambda: print(sorted(m for m in sys.modules if m.split('.')[0] in "
    probe += "('cryptography', 'sigstore', 'rfc3161_client', 'pydantic')))); "
    done = subprocess.run([sys.executable, "-c", probe + code], capture_output=True, text=True, check=False)
    assert done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr


def test_verify_takes_the_signer_from_the_policy(place: Place) -> None:
    place.sign()
    done = run("verify", place.model, "--policy", place.policy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "176 days" in done.stdout or "days old" in done.stdout
    (place.model / "x.py").write_bytes(b"")
    done = run("verify", place.model, "--policy", place.policy)
    assert done.returncode == 1
    assert "x.py: not signed" in done.stdout


def test_verify_bundle_speaks_the_conformance_protocol(place: Place) -> None:
    artifact, bundle, root = (place.model.parent / name for name in ("a.txt", "b.json", "root.json"))
    artifact.write_bytes(b"artifact")
    bundle.write_text(json.dumps(MINE.bundle(b"artifact")))
    who = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER)
    common = ("verify-bundle", "--bundle", bundle, *who, "--trusted-root", root)
    assert run(*common, artifact).returncode == 0
    assert run(*common, f"sha256:{hashlib.sha256(b'artifact').hexdigest()}").returncode == 0
    done = run(*common, f"sha256:{'0' * 64}")
    assert done.returncode == 1
    assert "not verified: the bundle is about other bytes" in done.stderr
    assert run("verify-bundle", "--bundle", bundle, *who, artifact).returncode == 1
    assert run("verify-bundle", "--bundle", bundle, artifact).returncode == 2


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('identity = "x"', "belong together"),
        ('issuer = "x"', "belong together"),
        ("", "needs one of"),
        ('identity = "x"\nissuer = "y"\nkey = "k"', "needs one of"),
        ('certificate-chain = "c.pem"', "needs a san"),
        ('san = "x"', "needs a san"),
        ('key = "no-such.pem"', "No such file"),
        ('identity = "x"\nissuer = "y"\nroot = "other"', "no trusted root is named"),
        ('identities = "x"', "unknown field"),
    ],
)
def test_a_requirement_that_does_not_say_who_is_an_error(tmp_path: Path, entry: str, said: str) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text(f"schema = 1\n[[signatures.require]]\n{entry}\n")
    with pytest.raises(UsageError, match=said):
        load_policy(str(policy))


def test_what_a_signature_claims_is_shown_as_text(place: Place) -> None:
    hostile = "<script>alert(1)</script>\x1b[2J\u202e"
    place.sign()
    report = place.scan()
    shown = msgspec.structs.replace(report.signatures[0], signer=hostile, left_out=(hostile,), message=hostile)
    page = render("html", msgspec.structs.replace(report, signatures=(inert_copy(shown),)))
    assert "<script>alert" not in page
    text = render("console", msgspec.structs.replace(report, signatures=(inert_copy(shown),)))
    assert "\x1b" not in text
    assert "\u202e" not in text


SPELLINGS = {
    "incoming/model": ("incoming/model/", "./incoming//model", "incoming/../incoming/model", "{here}/incoming/model"),
    "incoming/model/": ("incoming/model", "./incoming/model/"),
    "./incoming/*": ("incoming/model", "linked"),
    "incoming/v[1]": ("incoming/v[1]", "incoming/v[1]/"),
    "/": ("/", "//"),
    "hf:corp/*": (
        "hf:corp/model@main",
        "hf:Corp/Model",
        "hf:models/corp/model",
        "https://huggingface.co/corp/model",
        "https://hf.co/corp/model/tree/main",
    ),
    "hf:corp/model": ("hf:corp/model@v1", "hf:corp/model/", "https://huggingface.co/corp/model"),
    "https://huggingface.co/corp/*": ("https://huggingface.co/corp/model",),
}


@pytest.mark.parametrize("match", SPELLINGS)
def test_a_requirement_holds_however_the_target_is_spelt(
    match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "incoming" / "model").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "incoming" / "model")
    monkeypatch.chdir(tmp_path)
    for given in SPELLINGS[match]:
        assert Required(match=match).applies(given.format(here=tmp_path)), given
    for given in ("incoming2/model", "hf:corpse/model", "hf:datasets/corp/model", "https://[", "hf:@", "a\0b"):
        assert not Required(match=match).applies(given), given


VERDICTS = (
    "urn:modelscan-plus:predicate:scan:v1",
    "https://in-toto.io/attestation/svr/v0.2",
    "https://slsa.dev/verification_summary/v1",
    "https://in-toto.io/attestation/test-result/v0.1",
)


@pytest.mark.parametrize("kind", VERDICTS)
def test_the_verdict_of_a_scan_is_no_signature_of_the_publisher(place: Place, kind: str) -> None:
    # The same identity often builds and scans; what it signed may be "this is malware".
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "model.safetensors", "digest": {"sha256": hashlib.sha256(WEIGHTS).hexdigest()}}],
        "predicateType": kind,
        "predicate": {"verdict": "denied"},
    }
    for by_policy, wanted in ((True, "MSP7001"), (False, "MSP7004")):
        bundle = MINE.bundle(json.dumps(statement).encode(), Wish(), dsse=True)
        (place.model / "scan.sigstore.json").write_text(json.dumps(bundle))
        report = place.scan(policy=by_policy)
        assert wanted in fired(report)
        assert "MSP7002" not in fired(report)
    (place.model / "scan.sigstore.json").rename(place.model.parent / "scan.sigstore.json")
    model = place.model / "model.safetensors"
    done = run("verify", model, "--policy", place.policy, "--signature", place.model.parent / "scan.sigstore.json")
    assert (done.returncode, "[wrong-payload]" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    "options",
    [
        ("--max-age-days", "1"),
        ("--ruleset", "sha256:00"),
        ("--log", "imports.log"),
        ("--any-policy",),
        ("--trusted-root-sha256", "00" * 32),
    ],
)
def test_a_condition_that_nothing_would_look_at_is_an_error(place: Place, options: tuple[str, ...]) -> None:
    place.sign()
    assert run("verify", place.model, "--policy", place.policy).returncode == 0
    done = run("verify", place.model, "--policy", place.policy, *options)
    assert (done.returncode, options[0] in done.stderr) == (2, True)
    both = ("--attestation", "a.jsonl", "--signature", place.model / "model.sig")
    assert run("verify", place.model, "--policy", place.policy, *both).returncode == 2


def test_a_file_that_is_only_called_a_signature_must_be_signed_too(place: Place) -> None:
    bundle = MINE.bundle(WEIGHTS, Wish())
    (place.model / "model.safetensors.sigstore.json").write_text(json.dumps(bundle))
    assert place.scan().allowed
    (place.model / "stranger.sigstore.json").write_text(json.dumps(Sigstore().bundle(WEIGHTS, Wish())))
    assert "MSP7001" not in fired(place.scan())
    (place.model / "more.sig").write_bytes(WEIGHTS)
    report = place.scan()
    assert not report.allowed
    assert ["none is about more.sig" in it.message for it in report.findings if it.rule == "MSP7001"] == [True]
