"""An attacker's attempts that no other test makes: real bundles, lists, folders and locks with one thing wrong."""

import base64
import copy
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.report import SignatureReport
from modelscan_plus.pipeline import scan
from modelscan_plus.trust import dsse, lock_check, oms
from modelscan_plus.trust import lock as locks
from modelscan_plus.trust.admit import admit
from modelscan_plus.trust.attest import Demand, statements
from modelscan_plus.trust.expected import ByKey, Keyless
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.lock import Entry, Lock
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.sign import KeySigner
from modelscan_plus.trust.target import Request, find_signature, verify_target
from modelscan_plus.trust.tree import FileDigest, tree_digest
from tests.trust.minisig import IDENTITY, ISSUER, SIGNED_AT, Leaf, Wish
from tests.trust.test_bundles import (
    ARTIFACT,
    KINDS,
    MATERIAL,
    MINE,
    ROOT,
    STATEMENT,
    STRANGER,
    V1,
    V2,
    cause,
    entry,
    made,
    proof,
    stamps,
)

Json = dict[str, Any]
NOW = datetime(2026, 11, 24, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
SIGNER = KeySigner(KEY)
URI = x509.UniformResourceIdentifier(IDENTITY)
DIRECTORY = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "evil")]))


def raw(change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: change(json.dumps(made(V1)).encode())


def changed(kind: str, change: Callable[[Json], object]) -> Callable[[], bytes]:
    def make() -> bytes:
        bundle = copy.deepcopy(made(KINDS[kind]))
        change(bundle)
        return json.dumps(bundle).encode()

    return make


def signed(wish: Wish, data: bytes | None = None) -> Callable[[], bytes]:
    return lambda: json.dumps(made(wish, data=data)).encode()


def stated(**changes: object) -> Callable[[], bytes]:
    return signed(KINDS["v1-dsse"], json.dumps({**json.loads(STATEMENT), **changes}).encode())


def payload(data: bytes) -> Callable[[], bytes]:
    return signed(KINDS["v1-dsse"], data)


def swap_promise(bundle: Json) -> None:
    entry(bundle)["inclusionPromise"] = entry(made(V1, data=b"other"))["inclusionPromise"]


def swap_proof(bundle: Json) -> None:
    entry(bundle)["inclusionProof"] = entry(made(V1, data=b"other"))["inclusionProof"]


def swap_signature(bundle: Json) -> None:
    bundle["messageSignature"]["signature"] = made(V1, data=b"other")["messageSignature"]["signature"]


def as_message(bundle: Json) -> None:
    """The envelope's signature as one over a file that is the PAE."""
    sig = bundle.pop("dsseEnvelope")["signatures"][0]["sig"]
    digest = base64.b64encode(hashlib.sha256(dsse.pae(dsse.PAYLOAD_TYPE, STATEMENT)).digest()).decode()
    bundle["messageSignature"] = {"messageDigest": {"algorithm": "SHA2_256", "digest": digest}, "signature": sig}


def stranger_stamp_too(bundle: Json) -> None:
    """One good stamp and one of a stranger: the second proves nothing; without the first there is no time."""
    sig = base64.b64decode(bundle["messageSignature"]["signature"])
    stamps(bundle)[0]["signedTimestamp"] = STRANGER.stamp(sig, SIGNED_AT)
    stamps(bundle).append({"signedTimestamp": STRANGER.stamp(sig, SIGNED_AT + timedelta(seconds=1))})


M, P = Cause.MALFORMED, Cause.LOG_PROOF
BUNDLES: dict[str, tuple[Callable[[], bytes], Cause]] = {
    "byte order mark": (raw(lambda d: b"\xef\xbb\xbf" + d), M),
    "UTF-16": (raw(lambda d: d.decode().encode("utf-16")), M),
    "two documents": (raw(lambda d: d + b"\n" + d), M),
    "in a list": (raw(lambda d: b"[" + d + b"]"), M),
    "a comment": (raw(lambda d: b"/**/" + d), M),
    "NUL behind": (raw(lambda d: d + b"\0"), M),
    "key twice by an escape": (raw(lambda d: d[:-1] + b', "media\\u0054ype": "x"}'), Cause.DUPLICATE_KEY),
    "huge exponent for an index": (raw(lambda d: d.replace(b'"treeSize": "6"', b'"treeSize": 6e0')), M),
    "true for a number": (raw(lambda d: d.replace(b'"treeSize": "6"', b'"treeSize": true')), M),
    "number in other digits": (raw(lambda d: d.replace(b'"treeSize": "6"', '"treeSize": "٦"'.encode())), M),
    "promise of another entry": (changed("v1", swap_promise), Cause.LOG_PROMISE),
    "proof of another entry": (changed("v1", swap_proof), P),
    "signature of another file": (changed("v1", swap_signature), Cause.SIGNATURE),
    "envelope passed off as a file": (changed("v1-dsse", as_message), Cause.DIGEST),
    "stamps of strangers alone": (changed("v2", stranger_stamp_too), Cause.UNKNOWN_AUTHORITY),
    "proof of an empty tree": (changed("v1", lambda b: proof(b).update(treeSize="0", logIndex="0", hashes=[])), P),
    "proof of a tree of one": (changed("v1", lambda b: proof(b).update(treeSize="1", logIndex="0", hashes=[])), P),
    "65 hashes": (changed("v1", lambda b: proof(b).update(hashes=[proof(b)["hashes"][0]] * 65)), Cause.TOO_LARGE),
    "digest of nothing": (
        changed("v1", lambda b: b["messageSignature"]["messageDigest"].update(digest="")),
        M,
    ),
    "keyless bundle with a key instead": (
        changed("v1", lambda b: (b[MATERIAL].pop("certificate"), b[MATERIAL].update(publicKey={"hint": "x"}))),
        Cause.MATERIAL,
    ),
    "certificate in PEM": (
        changed("v1", lambda b: b[MATERIAL]["certificate"].update(rawBytes=base64.b64encode(b"-----BEGIN").decode())),
        M,
    ),
    "certificate with a tail": (
        changed(
            "v1",
            lambda b: b[MATERIAL]["certificate"].update(
                rawBytes=base64.b64encode(base64.b64decode(b[MATERIAL]["certificate"]["rawBytes"]) + b"\0").decode()
            ),
        ),
        M,
    ),
    "name of a file system beside": (signed(replace(V1, leaf=Leaf(names=(URI, DIRECTORY)))), Cause.IDENTITY),
    "other name of another kind beside": (
        signed(replace(V1, leaf=Leaf(names=(URI, x509.OtherName(ObjectIdentifier("1.2.3"), b"\x0c\x01x"))))),
        Cause.IDENTITY,
    ),
    "the same name twice": (signed(replace(V1, leaf=Leaf(names=(URI, URI)))), Cause.IDENTITY),
    "name that ends with a space": (
        signed(replace(V1, leaf=Leaf(names=(x509.UniformResourceIdentifier(IDENTITY + "%20"),)))),
        Cause.IDENTITY,
    ),
    "issuer with a NUL": (
        signed(replace(V1, leaf=Leaf(old_issuer=ISSUER + "\0.evil", new_issuer=ISSUER + "\0.evil"))),
        Cause.ISSUER,
    ),
    "issuer with a line end": (
        signed(replace(V1, leaf=Leaf(old_issuer=None, new_issuer=ISSUER + "\n"))),
        Cause.ISSUER,
    ),
    "issuer in the old place, empty in the new": (
        signed(replace(V1, leaf=Leaf(new_issuer=""))),
        Cause.ISSUER,
    ),
    "statement of nothing": (stated(subject=[]), M),
    "subject without a digest": (stated(subject=[{"name": "weights", "digest": {}}]), M),
    "subject with another digest only": (
        stated(subject=[{"name": "weights", "digest": {"md5": "00" * 16}}]),
        Cause.DIGEST,
    ),
    "subject with a number": (stated(subject=[{"name": "weights", "digest": {"sha256": 1}}]), M),
    "subject with a beginning of the digest": (
        stated(subject=[{"name": "w", "digest": {"sha256": hashlib.sha256(ARTIFACT).hexdigest()[:16]}}]),
        Cause.DIGEST,
    ),
    "subject that is empty": (stated(subject=[{"name": "w", "digest": {"sha256": ""}}]), Cause.DIGEST),
    "statement of a later type": (stated(_type="https://in-toto.io/Statement/v2"), Cause.PAYLOAD),
    "statement with a type twice": (
        payload(STATEMENT.replace(b'"_type"', b'"_type": "x", "_type"', 1)),
        Cause.DUPLICATE_KEY,
    ),
    "statement that is not a number": (payload(STATEMENT.replace(b'"predicate": {}', b'"predicate": NaN')), M),
    "statement with a tail": (payload(STATEMENT + b"{}"), M),
    "statement too deep": (stated(predicate=json.loads("[" * 40 + "]" * 40)), Cause.TOO_LARGE),
    "v2 entry for an envelope, of a file": (signed(replace(V2, dsse=False), b"other"), Cause.DIGEST),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_hostile_bundle_is_rejected(name: str) -> None:
    make, expected = BUNDLES[name]
    assert cause(make()) is expected


def test_a_policy_glob_does_not_reach_over_the_end() -> None:
    for pattern in (IDENTITY[:-2] + "?1", IDENTITY[:-2] + "[v]1", IDENTITY.replace("release", "")):
        assert cause(made(V1), expected=Keyless(pattern, ISSUER, glob=True)) is Cause.IDENTITY
    assert cause(made(V1), expected=Keyless("*", ISSUER + "*", glob=True)) is Cause.ISSUER
    assert cause(made(V1), root=ROOT, expected=Keyless("*", ISSUER, glob=True)) is None


# Signed lists of files, by a signer who is accepted

FILES = {"config.json": b"{}", "sub/weights.bin": b"w" * 3000}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(data)
    return tmp_path / "model"


def resource(name: str, data: bytes, **more: Any) -> Json:
    return {"name": name, "algorithm": "sha256", "digest": hashlib.sha256(data).hexdigest(), **more}


def shard(name: str, data: bytes) -> Json:
    return resource(name, data, algorithm="sha256-sharded-1000")


def sign(model: Path, resources: list[Json] | None = None, ignored: list[Any] | None = None, size: str = "") -> str:
    resources = resources or [resource(name, data) for name, data in FILES.items()]
    root = hashlib.sha256(b"".join(bytes.fromhex(item["digest"].lower()) for item in resources)).hexdigest()
    how: Json = {"method": "files", "hash_type": "sha256", "ignore_paths": ignored or []}
    if size:
        how |= {"method": "shards", "shard_size": 424242}
    content = {
        "_type": dsse.STATEMENT_TYPE,
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": oms.PREDICATE_TYPE,
        "predicate": {"resources": resources, "serialization": how},
    }
    path = model.parent / "model.sig"
    path.write_bytes(SIGNER.sign(json.dumps(content).replace("424242", size or "0").encode()))
    return str(path)


def verify(model: Path, signature: str, **more: Any) -> SignatureReport:
    by = ByKey(PublicKey.from_pem(SIGNER.public_pem))
    return verify_target(Request(path=str(model), signature=signature, expected=by, root=None, now=NOW, **more))


def test_the_untouched_folder_verifies(model: Path) -> None:
    assert verify(model, sign(model)).state == "verified"


def swapped_kind(model: Path) -> None:
    (model / "config.json").unlink()
    (model / "config.json").mkdir()
    (model / "config.json" / "x").write_bytes(b"{}")


TREES: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder in place of a file": (swapped_kind, "unsigned-file"),
    "hidden file": (lambda m: (m / ".x.py").write_bytes(b"1"), "unsigned-file"),
    "file of git in a folder below": (lambda m: (m / "sub" / ".gitattributes").write_bytes(b"a"), "unsigned-file"),
    "folder named like a note": (
        lambda m: ((m / "README").mkdir(), (m / "README" / "x.py").write_bytes(b"1")),
        "unsigned-file",
    ),
    "folder named .gitignore": (
        lambda m: ((m / ".gitignore").mkdir(), (m / ".gitignore" / "x").write_bytes(b"1")),
        "unsigned-file",
    ),
    ".gitattributes that may run": (
        lambda m: ((m / ".gitattributes").write_bytes(b"a"), (m / ".gitattributes").chmod(0o755)),
        "unsigned-file",
    ),
    ".gitattributes as a link": (lambda m: (m / ".gitattributes").symlink_to("config.json"), "unsigned-file"),
    "second signature": (lambda m: (m / "claims.sigstore.json").write_bytes(b"{}"), "unsigned-file"),
    "twin in another case": (lambda m: (m / "Config.json").write_bytes(b"{}"), "unsigned-file"),
    "name that rewrites the terminal": (lambda m: (m / "\x1b[2Kx").write_bytes(b""), "unsigned-file"),
    "a link to the same bytes": (
        lambda m: ((m / "config.json").unlink(), (m / "config.json").symlink_to(m.parent / "elsewhere")),
        "unreadable-file",
    ),
    "the folder above as a link": (
        lambda m: ((m / "sub").rename(m.parent / "moved"), (m / "sub").symlink_to(m.parent / "moved")),
        "unsigned-file",
    ),
    "a FIFO": (lambda m: ((m / "config.json").unlink(), os.mkfifo(m / "config.json")), "unreadable-file"),
}


@pytest.mark.parametrize("name", TREES)
def test_a_hostile_folder_is_rejected(name: str, model: Path) -> None:
    signature = sign(model, ignored=[".", "", "./", "/", "..", "*", 7, None])
    (model.parent / "elsewhere").write_bytes(b"{}")
    change, expected = TREES[name]
    change(model)
    result = verify(model, signature)
    assert (result.state, result.cause) == ("rejected", expected)
    assert "\x1b" not in result.message + "".join(result.problems)


LISTS: dict[str, tuple[Callable[[], list[Json]], str]] = {
    "a shard of no size": (lambda: [shard("config.json:0:0", b""), shard("config.json:0:2", b"{}")], "1000"),
    "a shard size without end": (lambda: [resource("config.json:0:2", b"{}")], "1e999"),
    "a shard size below nothing": (lambda: [resource("config.json:0:2", b"{}")], "-1e999"),
    "a shard size that is a part": (lambda: [resource("config.json:0:2", b"{}")], "2.5"),
    "a shard that ends before it starts": (lambda: [shard("config.json:2:0", b"")], "1000"),
    "a digest in capitals": (
        lambda: [{**resource(n, d), "digest": hashlib.sha256(d).hexdigest().upper()} for n, d in FILES.items()],
        "",
    ),
    "an algorithm of its own": (lambda: [resource(n, d, algorithm="sha512") for n, d in FILES.items()], ""),
    "the folder itself": (lambda: [resource(".", b"{}"), *(resource(n, d) for n, d in FILES.items())], ""),
    "a file and a folder of one name": (
        lambda: [resource("sub", b""), *(resource(n, d) for n, d in FILES.items())],
        "",
    ),
    "a long s for an s": (lambda: [resource("ſub/weights.bin", b"w" * 3000), resource("sub/weights.bin", b"")], ""),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_hostile_list_is_rejected(name: str, model: Path) -> None:
    resources, size = LISTS[name]
    result = verify(model, sign(model, resources(), size=size))
    assert result.state == "rejected"
    assert "failed on it" not in result.message


def test_files_that_were_another_thing_when_they_were_locked_are_rejected(model: Path) -> None:
    # Signed and standing there now, though what was scanned and locked before was something else.
    now = {name: FileDigest(len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()}
    before = {**now, "config.json": FileDigest(2, hashlib.sha256(b"[]").hexdigest())}
    shards = [shard("config.json:0:2", b"{}")]
    shards += [
        resource(f"sub/weights.bin:{start}:{start + 1000}", b"w" * 1000, algorithm="sha256-sharded-1000")
        for start in range(0, 3000, 1000)
    ]
    for signature in (lambda: sign(model), lambda: sign(model, shards, size="1000"), lambda: _tree(model, now)):
        made_ = signature()
        assert verify(model, made_).state == "verified"
        assert verify(model, made_, locked=now).state == "verified"
        assert verify(model, made_, locked=before).state == "rejected"
    one = {"config.json": now["config.json"]}
    alone = sign(model, [resource("config.json", b"{}")])
    assert verify(model / "config.json", alone, locked=one).state == "verified"
    assert verify(model / "config.json", alone, locked={"config.json": before["config.json"]}).state == "rejected"


def _tree(model: Path, files: dict[str, FileDigest]) -> str:
    content = {
        "_type": dsse.STATEMENT_TYPE,
        "subject": [{"name": "m", "digest": {"sha256": tree_digest(files).removeprefix("sha256:")}}],
        "predicateType": "https://example.com/x",
    }
    path = model.parent / "model.sig"
    path.write_bytes(SIGNER.sign(json.dumps(content).encode()))
    return str(path)


def test_messages_say_what_was_given_instead(model: Path) -> None:
    private = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate = MINE.ca.root.public_bytes(Encoding.PEM)
    for data, said in ((private, "private key"), (certificate, "--certificate-chain")):
        with pytest.raises(Exception, match=said):
            PublicKey.from_pem(data)
    assert SIGNER.name.removesuffix("…").removeprefix("key ") == PublicKey.from_pem(SIGNER.public_pem).id.hex()[:16]
    with pytest.raises(UsageError, match="no such file"):
        find_signature(str(model / "absent"))


# Locks that were edited by hand


def locked(model: Path) -> Json:
    files = {name: FileDigest(len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()}
    entry = Entry(tree=tree_digest(files), files=locks.records(files), locked_at="2026-11-24T00:00:00Z", path="model")
    value: Json = json.loads(locks.render(Lock(models={"model": entry})))
    return value


def files_of(lock: Json) -> Json:
    found: Json = lock["models"]["model"]["files"]
    return found


HAND: dict[str, Callable[[Json], object]] = {
    "a file less": lambda lock: files_of(lock).pop("config.json"),
    "a digest in capitals": lambda lock: files_of(lock)["config.json"].update(sha256="A" * 64),
    "a size that is true": lambda lock: files_of(lock)["config.json"].update(size=True),
    "a size as text": lambda lock: files_of(lock)["config.json"].update(size="2"),
    "a size beyond": lambda lock: files_of(lock)["config.json"].update(size=2**64),
    "a file out of the folder": lambda lock: files_of(lock).update({"../x": files_of(lock)["config.json"]}),
    "everything left out": lambda lock: lock["models"]["model"].update(exclude=["*"]),
    "a file left out": lambda lock: lock["models"]["model"].update(exclude=["config.json"]),
    "excluded as one text": lambda lock: lock["models"]["model"].update(exclude="config.json"),
    "an unknown field": lambda lock: lock["models"]["model"].update(ignore=["*"]),
    "another version": lambda lock: lock.update(lock_version=2),
    "no files": lambda lock: lock["models"]["model"].update(files={}),
    "models as a list": lambda lock: lock.update(models=[]),
    "a branch": lambda lock: lock["models"]["model"].update(source={"kind": "hf", "revision": "main"}),
}


@pytest.mark.parametrize("name", HAND)
def test_a_lock_edited_by_hand_does_not_verify(name: str, model: Path) -> None:
    content = locked(model)
    path = model.parent / "model.lock.json"

    def verified() -> bool:
        path.write_text(json.dumps(content))
        try:
            entry = locks.read(path).models["model"]
        except UsageError:
            return False
        return lock_check.check("model", str(model), entry).verified

    assert verified()
    HAND[name](content)
    assert not verified()


# Attested scans, by a signer who is accepted


def attested(**changes: object) -> Callable[[Json], object]:
    return lambda statement: statement["predicate"].update(changes)


ATTESTED: dict[str, Callable[[Json], object]] = {
    "a verdict in another case": attested(verdict="Allowed"),
    "a scope in another case": attested(scope="FULL"),
    "fewer gaps than none": lambda it: it["predicate"]["coverage"].update(executableGaps=-1),
    "gaps that are true": lambda it: it["predicate"]["coverage"].update(executableGaps=True),
    "no word of gaps": lambda it: it["predicate"]["coverage"].pop("executableGaps"),
    "made in six minutes": attested(timeCreated="2026-11-24T00:06:00Z"),
    "made in an hour, by another zone": attested(timeCreated="2026-11-23T20:00:00-05:00"),
    "valid until a second ago": attested(validUntil="2026-11-23T23:59:59Z"),
    "valid until a week": attested(validUntil="2026-W01-1"),
    "valid until nothing": attested(validUntil=None),
    "made before time": attested(timeCreated="0001-01-01T00:00:00+14:00"),
    "a subject before the first": lambda it: it["subject"].insert(0, {"name": "m", "digest": {"sha256": "00" * 32}}),
    "a predicate with a space": lambda it: it.update(predicateType=it["predicateType"] + " "),
    "the next predicate": lambda it: it.update(predicateType=it["predicateType"][:-1] + "2"),
    "no policy": attested(policy=None),
    "a predicate in a list": lambda it: it.update(predicate=[it["predicate"]]),
}


@pytest.mark.parametrize("name", ATTESTED)
def test_a_hostile_attestation_is_not_admitted(name: str, model: Path) -> None:
    report = scan(model, sha256=True, now=NOW)
    statement = json.loads(statements(report, name="m", valid=timedelta(days=90))[0])
    demand = Demand(tree="", now=NOW, policy=report.verdict.policy, max_age=timedelta(days=30))
    path, by = model.parent / "a.jsonl", ByKey(PublicKey.from_pem(SIGNER.public_pem))
    path.write_bytes(SIGNER.sign(json.dumps(statement).encode()))
    assert admit(str(model), path, by, None, demand).predicate.verdict == "allowed"
    ATTESTED[name](statement)
    path.write_bytes(SIGNER.sign(json.dumps(statement).encode()))
    with pytest.raises(Rejected):
        admit(str(model), path, by, None, demand)


@pytest.mark.timeout(60)
def test_a_text_that_never_ends_is_refused_in_no_time() -> None:
    # Without its closing quote each of the quotes behind it was taken for a beginning.
    for tail in (b"", b"\\"):
        assert cause(b'{"' + b'\\"' * 1_000_000 + tail) is Cause.MALFORMED
