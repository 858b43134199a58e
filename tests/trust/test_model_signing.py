"""OpenSSF Model Signing, both ways with the installed model-signing; and folders with one thing wrong, each rejected.

The folders are signed by model-signing where it can make the signature, and by our own signer where the list itself
must be wrong in a way that no honest signer makes.
"""

import base64
import hashlib
import json
import os
import socket
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.report import SignatureReport
from modelscan_plus.trust import dsse, oms
from modelscan_plus.trust.expected import ByKey
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.reasons import Cause
from modelscan_plus.trust.sign import KeySigner
from modelscan_plus.trust.target import Request, verify_target

model_signing = pytest.importorskip("model_signing", reason="model-signing is not installed")

KEY = ec.generate_private_key(ec.SECP256R1())
SIGNER = KeySigner(KEY)
EXPECTED = ByKey(PublicKey.from_pem(SIGNER.public_pem))
NOW = datetime(2026, 11, 24, tzinfo=UTC)
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "model-00001-of-00002.safetensors": bytes(range(256)) * 10,
    "model-00002-of-00002.safetensors": bytes(reversed(range(256))) * 10,
    "tokenizer/vocab.txt": b"a\nb\n",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def sign(model: Path, *, ignore: tuple[str, ...] = (), **how: object) -> Path:
    """Sign a folder by model-signing; the signature stands beside it."""
    key, signature = model.parent / "key.pem", model.parent / "model.sig"
    key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    hashing = model_signing.hashing.Config()
    if "shard_size" in how:
        hashing.use_shard_serialization(**how)
    else:
        hashing.use_file_serialization(**how)
    hashing.set_ignored_paths(paths=[model / path for path in ignore], ignore_git_paths=True)
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(hashing)
    config.sign(model, signature)
    return signature


def sign_list(model: Path, resources: list[dict[str, str]], **serialization: object) -> Path:
    """Sign a list that no honest signer makes."""
    how = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, **serialization}
    root = hashlib.sha256(b"".join(bytes.fromhex(item["digest"]) for item in resources)).hexdigest()
    statement = {
        "_type": dsse.STATEMENT_TYPE,
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": oms.PREDICATE_TYPE,
        "predicate": {"resources": resources, "serialization": how},
    }
    path = model.parent / "model.sig"
    path.write_bytes(SIGNER.sign(json.dumps(statement).encode()))
    return path


def listed(model: Path) -> list[dict[str, str]]:
    files = sorted(path for path in model.rglob("*") if path.is_file())
    return [resource(path.relative_to(model).as_posix(), path.read_bytes()) for path in files]


def resource(name: str, data: bytes, algorithm: str = "sha256") -> dict[str, str]:
    return {"name": name, "algorithm": algorithm, "digest": hashlib.sha256(data).hexdigest()}


def verify(model: Path, signature: Path, *ignore: str) -> SignatureReport:
    return verify_target(
        Request(path=str(model), signature=str(signature), expected=EXPECTED, root=None, now=NOW, ignore=ignore, jobs=2)
    )


@pytest.mark.parametrize(
    "how",
    [
        {"hashing_algorithm": "sha256"},
        {"hashing_algorithm": "blake2"},
        {"hashing_algorithm": "blake3"},
        {"hashing_algorithm": "sha256", "shard_size": 1000},
        {"hashing_algorithm": "blake3", "shard_size": 256},
    ],
    ids=lambda how: "-".join(map(str, how.values())),
)
def test_a_signature_of_model_signing_verifies_and_covers_every_byte(model: Path, how: dict[str, object]) -> None:
    signature = sign(model, **how)
    result = verify(model, signature)
    assert (result.state, result.covers) == ("verified", "4 files, 5.1 kB"), result.message
    target = model / "model-00001-of-00002.safetensors"
    target.write_bytes(target.read_bytes()[:-1] + b"!")
    assert verify(model, signature).cause == Cause.CHANGED


def test_model_signing_verifies_what_our_signer_signs(model: Path) -> None:
    signature = sign_list(model, listed(model))
    public = model.parent / "public.pem"
    public.write_bytes(SIGNER.public_pem)
    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    config.verify(model, signature)
    (model / "config.json").write_bytes(b"{}")
    with pytest.raises(ValueError, match="mismatch"):
        config.verify(model, signature)


def write(name: str, data: bytes = b"import os\n") -> Callable[[Path], object]:
    def change(model: Path) -> None:
        path = model / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return change


def swap(model: Path) -> None:
    one, other = model / "model-00001-of-00002.safetensors", model / "model-00002-of-00002.safetensors"
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def link(target: str) -> Callable[[Path], object]:
    """Put a link to the same bytes in the place of a file."""

    def change(model: Path) -> None:
        path = model / "config.json"
        elsewhere = model.parent / "elsewhere.json"
        path.rename(elsewhere if target == "outside" else model / "config-2.json")
        path.symlink_to(elsewhere if target == "outside" else "config-2.json")

    return change


def link_folder(model: Path) -> None:
    (model / "tokenizer").rename(model.parent / "tokenizer")
    (model / "tokenizer").symlink_to(model.parent / "tokenizer")


def listen(model: Path) -> None:
    os.chdir(model)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as channel:
        channel.bind("socket")


TAMPERED: dict[str, tuple[Callable[[Path], object], Cause]] = {
    "renamed": (lambda m: (m / "config.json").rename(m / "configs.json"), Cause.UNSIGNED),
    "renamed case": (lambda m: (m / "config.json").rename(m / "Config.json"), Cause.UNSIGNED),
    "moved": (lambda m: (m / "tokenizer/vocab.txt").rename(m / "vocab.txt"), Cause.UNSIGNED),
    "added": (write("evil.py"), Cause.UNSIGNED),
    "added empty": (write("__init__.py", b""), Cause.UNSIGNED),
    "added note": (write("README.md", b"hello"), Cause.UNSIGNED),
    "added below": (write("tokenizer/deep/er/evil.bin"), Cause.UNSIGNED),
    "added bytecode": (write("__pycache__/modeling.cpython-311.pyc"), Cause.UNSIGNED),
    "added cache": (write(".cache/huggingface/x"), Cause.UNSIGNED),
    "git hook": (write(".git/hooks/post-checkout"), Cause.UNSIGNED),
    "workflow": (write(".github/workflows/x.yml"), Cause.UNSIGNED),
    "payload as .gitattributes": (write(".gitattributes", b"\x80\x04N."), Cause.UNSIGNED),
    "script as .gitignore": (write(".gitignore", b"#!/bin/sh\n"), Cause.UNSIGNED),
    ".gitattributes below": (write("tokenizer/.gitattributes", b"* text"), Cause.UNSIGNED),
    "twin by case": (write("CONFIG.JSON", FILES["config.json"]), Cause.UNSIGNED),
    "removed": (lambda m: (m / "config.json").unlink(), Cause.MISSING),
    "removed folder": (lambda m: [(m / "tokenizer/vocab.txt").unlink(), (m / "tokenizer").rmdir()], Cause.MISSING),
    "swapped": (swap, Cause.CHANGED),
    "changed": (write("config.json", b'{"model_type": "gpt2"}'), Cause.CHANGED),
    "emptied": (write("config.json", b""), Cause.CHANGED),
    "cut": (write("config.json", FILES["config.json"][:-1]), Cause.CHANGED),
    "longer": (write("config.json", FILES["config.json"] + b"\n"), Cause.CHANGED),
    "link out": (link("outside"), Cause.UNREADABLE),
    "link within": (link("inside"), Cause.UNSIGNED),
    "folder is a link": (link_folder, Cause.UNSIGNED),
    "link added": (lambda m: (m / "x").symlink_to("config.json"), Cause.UNSIGNED),
    "fifo for a file": (lambda m: [(m / "config.json").unlink(), os.mkfifo(m / "config.json")], Cause.UNREADABLE),
    "fifo added": (lambda m: os.mkfifo(m / "fifo"), Cause.UNSIGNED),
    "socket added": (listen, Cause.UNSIGNED),
    "folder for a file": (lambda m: [(m / "config.json").unlink(), (m / "config.json").mkdir()], Cause.MISSING),
}


@pytest.mark.parametrize("method", ["files", "shards"])
@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_folder_is_rejected(model: Path, name: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    signature = sign(model, hashing_algorithm="sha256", **({"shard_size": 1000} if method == "shards" else {}))
    assert verify(model, signature).state == "verified"
    change, cause = TAMPERED[name]
    change(model)
    result = verify(model, signature)
    assert result.state == "rejected"
    assert result.cause == cause, result.message


def test_the_signers_exclusions_pass_notes_and_nothing_that_loads_or_runs(model: Path) -> None:
    for name, data in {"README.md": b"hello", "LICENSE": b"free", "notes": b"", ".gitattributes": b"*.bin lfs"}.items():
        write(name, data)(model)
    ignored = ("README.md", "LICENSE", "notes", "handler.py", "sub", "script", "run.json")
    signature = sign(model, ignore=ignored, hashing_algorithm="sha256")
    result = verify(model, signature)
    assert result.state == "verified", result.message
    assert set(result.left_out) == {"README.md", "LICENSE", "notes", ".gitattributes"}
    for name, data in {
        "handler.py": b"",
        "sub/weights.bin": b"\x80\x04N.",
        "sub/README.md.pkl": b"x",
        "script": b"#!/bin/sh\n",
        "run.json": b"{}",
        "notes": b"cposix\nsystem\n(S'true'\ntR.",
    }.items():
        write(name, data)(model)
        result = verify(model, signature)
        assert result.cause == Cause.UNSIGNED
        assert "left out by the signer" in result.message
        assert verify(model, signature, name).state == "verified"
        (model / name).unlink()


def test_whoever_verifies_may_let_something_pass_and_it_is_named(model: Path) -> None:
    signature = sign(model, hashing_algorithm="sha256")
    write(".git/HEAD")(model)
    write("evil.py")(model)
    assert verify(model, signature, ".git").problems == ("evil.py: not signed; --ignore-paths lets it pass",)
    result = verify(model, signature, ".git", "*.py")
    assert result.state == "verified"
    assert set(result.left_out) == {".git", "evil.py"}


def test_the_signature_itself_may_stand_in_the_folder(model: Path) -> None:
    inside = model / "model.sig"
    inside.write_bytes(sign(model, hashing_algorithm="sha256").read_bytes())
    assert verify(model, inside).state == "verified"
    (model / "other.sig").write_bytes(inside.read_bytes())
    assert verify(model, inside).cause == Cause.UNSIGNED


NAMES = [
    "../secret",
    "/etc/passwd",
    "./config.json",
    "a//b",
    "a/./b",
    "a/../b",
    "",
    "a\\b",
    "C:/x",
    "x:stream",
    "a\0b",
    "a\nb",
    "a\u202eb",
    "a.",
    "a ",
    "CON",
    "lpt1.txt",
    "tokenizer/nul",
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_signed_name_that_is_no_plain_file_below_the_folder_is_refused(model: Path, name: str) -> None:
    result = verify(model, sign_list(model, [*listed(model), resource(name, b"")]))
    assert result.cause == Cause.NAME, result.message


@pytest.mark.parametrize(
    "names",
    [
        ("Model.bin", "model.bin"),
        (unicodedata.normalize("NFC", "modèle"), unicodedata.normalize("NFD", "modèle")),
        ("straße", "STRASSE"),
        ("a", "a/b"),
        ("x", "x"),
    ],
)
def test_two_signed_names_that_are_one_somewhere_are_refused(model: Path, names: tuple[str, str]) -> None:
    resources = [*listed(model), *(resource(name, b"1") for name in names)]
    assert verify(model, sign_list(model, resources)).cause == Cause.NAME


def shards(
    *spans: tuple[int, int], size: object = 100, name: str = "f", algorithm: str = "sha256-sharded-100"
) -> object:
    data = bytes(250)
    return [resource(f"{name}:{a}:{b}", data[a:b], algorithm) for a, b in spans], size


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        (shards((0, 100), (100, 200), (200, 250)), None),
        (shards((0, 100), (100, 200), (200, 250), size=100.0), None),
        (shards((0, 100), (200, 250)), Cause.MANIFEST),
        (shards((0, 100), (80, 180), (180, 250)), Cause.MANIFEST),
        (shards((0, 100), (100, 150), (150, 250)), Cause.MANIFEST),
        (shards((0, 250)), Cause.MANIFEST),
        (shards((100, 200), (200, 250)), Cause.MANIFEST),
        (shards((0, 100), (0, 100), (100, 200), (200, 250)), Cause.MANIFEST),
        (shards((0, 100), (100, 200)), Cause.CHANGED),
        (shards((0, 100), (100, 200), (200, 240)), Cause.CHANGED),
        (shards((0, 0)), Cause.MANIFEST),
        (shards((0, 100), (100, 200), (200, 250), size=100.5), Cause.MANIFEST),
        (shards((0, 100), (100, 200), (200, 250), size=-100), Cause.MANIFEST),
        (shards((0, 100), (100, 200), (200, 250), size=True), Cause.MANIFEST),
        (shards((0, 100), (100, 200), (200, 250), size=1000), Cause.MANIFEST),
        (shards((0, 100), (100, 200), (200, 250), algorithm="sha256"), Cause.MANIFEST),
        (shards((0, 100), (100, 200), (200, 250), name="../f"), Cause.NAME),
        (([resource("f", bytes(250), "sha256-sharded-100")], 100), Cause.NAME),
        (([resource("f:0x0:100", bytes(100), "sha256-sharded-100")], 100), Cause.NAME),
    ],
)
def test_shards_must_cover_the_file_once(tmp_path: Path, made: object, cause: Cause | None) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "f").write_bytes(bytes(250))
    resources, size = made  # type: ignore[misc]
    result = verify(model, sign_list(model, resources, method="shards", shard_size=size))
    assert result.cause == (cause or ""), result.message


def with_payload(model: Path, change: Callable[[dict[str, object]], object]) -> Path:
    """A list that is signed after it was changed."""
    bundle = json.loads(sign_list(model, listed(model)).read_bytes())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(statement)
    path = model.parent / "model.sig"
    path.write_bytes(SIGNER.sign(json.dumps(statement).encode()))
    return path


WRONG_LISTS: dict[str, tuple[Callable[[dict[str, object]], object], Cause]] = {
    "root digest": (lambda s: s["subject"][0]["digest"].update(sha256="00" * 32), Cause.MANIFEST),
    "no root digest": (lambda s: s["subject"][0].update(digest={"sha512": "00" * 64}), Cause.MANIFEST),
    "two subjects": (lambda s: s["subject"].append(s["subject"][0]), Cause.MANIFEST),
    "no subject": (lambda s: s["subject"].clear(), Cause.MALFORMED),
    "other predicate": (lambda s: s.update(predicateType="https://example.com/x"), Cause.DIGEST),
    "other statement": (lambda s: s.update(_type="https://in-toto.io/Statement/v9"), Cause.PAYLOAD),
    "unknown method": (lambda s: s["predicate"]["serialization"].update(method="magic"), Cause.UNSUPPORTED),
    "weak hash": (lambda s: s["predicate"]["serialization"].update(hash_type="md5"), Cause.UNSUPPORTED),
    "other algorithm": (lambda s: s["predicate"]["resources"][0].update(algorithm="sha512"), Cause.MANIFEST),
    "short digest": (lambda s: s["predicate"]["resources"][0].update(digest="00"), Cause.MANIFEST),
    "no resources": (lambda s: s["predicate"].update(resources=[]), Cause.MANIFEST),
    "ignore all": (
        lambda s: (
            s["predicate"]["serialization"].update(ignore_paths=["."]),
            s["predicate"]["resources"].clear(),
            s["subject"][0]["digest"].update(sha256=hashlib.sha256(b"").hexdigest()),
        ),
        Cause.MANIFEST,
    ),
}


@pytest.mark.parametrize("name", WRONG_LISTS)
def test_a_signed_list_that_contradicts_itself_is_refused(model: Path, name: str) -> None:
    change, cause = WRONG_LISTS[name]
    result = verify(model, with_payload(model, change))
    assert result.cause == cause, result.message


def test_unknown_fields_of_the_predicate_are_passed_over(model: Path) -> None:
    signature = with_payload(model, lambda statement: statement["predicate"].update(card={"x": 1}))  # type: ignore[attr-defined]
    assert verify(model, signature).state == "verified"


def test_a_key_twice_in_the_signed_list_is_refused(model: Path) -> None:
    statement = json.dumps(
        {
            "_type": dsse.STATEMENT_TYPE,
            "subject": [{"name": "m", "digest": {"sha256": hashlib.sha256(b"").hexdigest()}}],
            "predicateType": oms.PREDICATE_TYPE,
            "predicate": {},
        }
    ).replace('"predicate": {}', '"predicate": {}, "predicate": {}')
    path = model.parent / "model.sig"
    path.write_bytes(SIGNER.sign(statement.encode()))
    assert verify(model, path).cause == Cause.DUPLICATE_KEY


def test_a_list_of_very_many_files_is_refused_without_printing_them(model: Path) -> None:
    resources = [{"name": f"f{n}", "algorithm": "sha256", "digest": "00" * 32} for n in range(100_000)]
    result = verify(model, sign_list(model, resources))
    assert result.cause == Cause.UNSIGNED
    assert len(result.problems) == 100
    assert "100,003 more" in result.message


def test_a_snapshot_in_a_cache_verifies_though_its_files_are_links_to_blobs(tmp_path: Path) -> None:
    repository = tmp_path / "models--org--name"
    snapshot, blobs = repository / "snapshots" / ("0" * 40), repository / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for name, data in FILES.items():
        blob = blobs / hashlib.sha256(data).hexdigest()
        blob.write_bytes(data)
        (snapshot / name).parent.mkdir(exist_ok=True)
        (snapshot / name).symlink_to(os.path.relpath(blob, (snapshot / name).parent))
    signature = sign_list(snapshot, [resource(name, data) for name, data in sorted(FILES.items())])
    result = verify(snapshot, signature)
    assert result.state == "verified", result.message


def test_a_file_signed_by_blake3_alone_is_read_in_pieces(tmp_path: Path) -> None:
    from blake3 import blake3

    path = tmp_path / "m" / "weights.bin"
    path.parent.mkdir()
    path.write_bytes(b"x" * 3_000_000)
    digest = blake3(path.read_bytes()).hexdigest()
    signature = sign_list(
        path.parent, [{"name": "weights.bin", "algorithm": "blake3", "digest": digest}], hash_type="blake3"
    )
    assert verify(path, signature).state == "verified"
    path.write_bytes(b"y" * 3_000_000)
    assert verify(path, signature).cause == Cause.CHANGED


def test_a_target_that_does_not_exist_is_an_error(model: Path) -> None:
    signature = sign_list(model, listed(model))
    with pytest.raises(UsageError, match="no such file or folder"):
        verify(model / "nothing", signature)
