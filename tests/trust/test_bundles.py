"""Bundles and trusted roots with one thing wrong, each rejected for its reason; and the same without it, accepted.

The bundles are real: the miniature Sigstore signs them, sigstore-python accepts the good ones, and what must be wrong
inside of a signature is signed wrong.
"""

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from modelscan_plus.trust import dsse
from modelscan_plus.trust.expected import ByKey, Expected, Keyless
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.root import read_root, shipped_root
from modelscan_plus.trust.verify import Content, Verified, verify_bundle
from tests.trust.minisig import IDENTITY, ISSUER, SIGNED_AT, Leaf, Sigstore, Wish
from tests.trust.minisig.authority import tsa_leaf, utf8

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ARTIFACT = b"the weights"
STATEMENT = json.dumps(
    {
        "_type": dsse.STATEMENT_TYPE,
        "subject": [{"name": "weights", "digest": {"sha256": hashlib.sha256(ARTIFACT).hexdigest()}}],
        "predicateType": "https://example.com/test",
        "predicate": {},
    }
).encode()
MINE, STRANGER = Sigstore(), Sigstore()
ROOT = MINE.trusted_root()
KEYLESS = Keyless(IDENTITY, ISSUER)

Json = dict[str, Any]
Change = Callable[[Json], object]


def made(wish: Wish, by: Sigstore = MINE, data: bytes | None = None) -> Json:
    return by.bundle(data if data is not None else STATEMENT if wish.dsse else ARTIFACT, wish)


def verify(
    bundle: Json | bytes, *, root: Json = ROOT, expected: Expected = KEYLESS, data: bytes = ARTIFACT
) -> Verified:
    raw = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
    trusted = read_root(json.dumps(root).encode(), name="test")
    return verify_bundle(raw, expected, trusted, now=NOW, content=Content.of_bytes(data), require_log=True)


def cause(bundle: Json | bytes, **how: Any) -> Cause | None:
    rejected = rejection(bundle, **how)
    return rejected.cause if rejected is not None else None


def rejection(bundle: Json | bytes, **how: Any) -> Rejected | None:
    try:
        verify(bundle, **how)
    except Rejected as error:
        return error
    return None


V1, V2 = Wish(), Wish(log=2)
KINDS = {
    "v1": V1,
    "v2": V2,
    "v1-dsse": Wish(dsse=True),
    "v2-dsse": Wish(dsse=True, log=2),
    "v1-intoto": Wish(dsse=True, kind="intoto"),
    "v1-stamped": Wish(stamps=(SIGNED_AT,)),
    "v1-stamped-only": Wish(stamps=(SIGNED_AT,), promise=False),
    "v0.1": Wish(version="0.1"),
    "v0.2": Wish(version="0.2"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_bundle_is_accepted_here_and_by_sigstore_python(kind: str, tmp_path: Any) -> None:
    bundle = made(KINDS[kind])
    verified = verify(bundle)
    assert (verified.signer, verified.issuer, verified.times) == (IDENTITY, ISSUER, (SIGNED_AT,))
    if kind == "v1-intoto":
        return  # sigstore-python 4.5 does not know these entries
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier, policy

    (tmp_path / "root.json").write_text(json.dumps(ROOT))
    theirs = Verifier(trusted_root=TrustedRoot.from_file(str(tmp_path / "root.json")))
    parsed, identity = Bundle.from_json(json.dumps(bundle)), policy.Identity(identity=IDENTITY, issuer=ISSUER)
    if KINDS[kind].dsse:
        assert theirs.verify_dsse(parsed, identity) == (dsse.PAYLOAD_TYPE, STATEMENT)
    else:
        theirs.verify_artifact(ARTIFACT, parsed, identity)


def entry(bundle: Json) -> Json:
    found: Json = bundle["verificationMaterial"]["tlogEntries"][0]
    return found


def proof(bundle: Json) -> Json:
    found: Json = entry(bundle)["inclusionProof"]
    return found


def flipped(text: str, at: int = 12) -> str:
    data = bytearray(base64.b64decode(text))
    data[at] ^= 1
    return base64.b64encode(data).decode()


def flip(where: Callable[[Json], Json], key: str, at: int = 12) -> Change:
    return lambda bundle: where(bundle).update({key: flipped(where(bundle)[key], at)})


def note(change: Callable[[str], str]) -> Change:
    return lambda b: proof(b)["checkpoint"].update(envelope=change(proof(b)["checkpoint"]["envelope"]))


def stamps(bundle: Json) -> list[Json]:
    found: list[Json] = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    return found


def signature(bundle: Json) -> bytes:
    return base64.b64decode(bundle["messageSignature"]["signature"])


def foreign_certificate(bundle: Json) -> None:
    bundle["verificationMaterial"]["certificate"] = made(V1, STRANGER)["verificationMaterial"]["certificate"]


def other_certificate(bundle: Json) -> None:
    other = made(replace(V1, leaf=Leaf(names=(x509.RFC822Name("other@corp"),))))
    bundle["verificationMaterial"]["certificate"] = other["verificationMaterial"]["certificate"]


def other_entry(wish: Wish, data: bytes) -> Change:
    return lambda b: b["verificationMaterial"].update(
        tlogEntries=made(wish, data=data)["verificationMaterial"]["tlogEntries"]
    )


def same_body_other_label(kind: str, version: str) -> Change:
    return lambda b: entry(b).update(kindVersion={"kind": kind, "version": version})


M, P, T, L, S = Cause.MALFORMED, Cause.LOG_PROOF, Cause.TIMESTAMP, Cause.LOG_ENTRY, Cause.SIGNATURE
LONG_AGO = SIGNED_AT - timedelta(days=100)
MATERIAL = "verificationMaterial"

CHANGES: dict[str, tuple[str, Change, Cause]] = {
    # The envelope of JSON itself
    "unknown field": ("v1", lambda b: b.update(x=1), M),
    "unknown field below": ("v1", lambda b: entry(b).update(x=1), M),
    "unknown type": ("v1", lambda b: b.update(mediaType="application/json"), Cause.UNSUPPORTED),
    "future version": (
        "v1",
        lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v0.4+json"),
        Cause.UNSUPPORTED,
    ),
    "chain in 0.3": ("v0.2", lambda b: b.update(mediaType=made(V1)["mediaType"]), Cause.MATERIAL),
    "no type": ("v1", lambda b: b.pop("mediaType"), M),
    "no material": ("v1", lambda b: b.pop(MATERIAL), M),
    "null content": ("v1", lambda b: b.update(messageSignature=None), M),
    "message and envelope": ("v1", lambda b: b.update(dsseEnvelope=made(KINDS["v1-dsse"])["dsseEnvelope"]), M),
    "certificate and key": ("v1", lambda b: b[MATERIAL].update(publicKey={"hint": "x"}), M),
    "certificate and chain": ("v0.2", lambda b: b[MATERIAL].update(certificate={"rawBytes": "AAAA"}), M),
    "empty chain": ("v0.2", lambda b: b[MATERIAL]["x509CertificateChain"].update(certificates=[]), M),
    "certificate in 0.1": ("v1", lambda b: b.update(mediaType=made(KINDS["v0.1"])["mediaType"]), M),
    "certificate is garbage": ("v1", lambda b: b[MATERIAL]["certificate"].update(rawBytes="AAAA"), M),
    "base64 of the web": ("v1", lambda b: b["messageSignature"].update(signature="_-8="), M),
    "number as text": ("v1", lambda b: proof(b).update(treeSize="six"), M),
    "negative index": ("v1", lambda b: entry(b).update(logIndex="-1"), M),
    "huge index": ("v1", lambda b: entry(b).update(logIndex=str(2**63)), M),
    # The signature and its subject
    "signature flipped": ("v1", flip(lambda b: b["messageSignature"], "signature", 20), None),  # type: ignore[dict-item]
    "signature empty": ("v1", lambda b: b["messageSignature"].update(signature=""), M),
    "digest flipped": ("v1", flip(lambda b: b["messageSignature"]["messageDigest"], "digest"), Cause.DIGEST),
    "digest label longer": ("v1", lambda b: b["messageSignature"]["messageDigest"].update(algorithm="SHA2_512"), M),
    "digest label weak": (
        "v1",
        lambda b: b["messageSignature"]["messageDigest"].update(algorithm="SHA1"),
        Cause.UNSUPPORTED,
    ),
    "digest label unknown": (
        "v1",
        lambda b: b["messageSignature"]["messageDigest"].update(algorithm="HASH_ALGORITHM_UNSPECIFIED"),
        Cause.UNSUPPORTED,
    ),
    "payload changed": (
        "v1-dsse",
        lambda b: b["dsseEnvelope"].update(payload=base64.b64encode(STATEMENT + b" ").decode()),
        S,
    ),
    "payload type": ("v1-dsse", lambda b: b["dsseEnvelope"].update(payloadType="text/plain"), S),
    "two signatures": ("v1-dsse", lambda b: b["dsseEnvelope"]["signatures"].append({"sig": "AAAA"}), Cause.MATERIAL),
    "no signature": ("v1-dsse", lambda b: b["dsseEnvelope"].update(signatures=[]), Cause.MATERIAL),
    # The certificate
    "certificate of a stranger": ("v1", foreign_certificate, Cause.CHAIN),
    "certificate of another signer": ("v1", other_certificate, Cause.IDENTITY),
    "own root in the chain": (
        "v0.2",
        lambda b: b[MATERIAL]["x509CertificateChain"]["certificates"].append(
            {"rawBytes": base64.b64encode(MINE.ca.root.public_bytes(x509_der())).decode()}
        ),
        Cause.CHAIN,
    ),
    "signer twice in the chain": (
        "v0.2",
        lambda b: b[MATERIAL]["x509CertificateChain"]["certificates"].append(
            b[MATERIAL]["x509CertificateChain"]["certificates"][0]
        ),
        Cause.CHAIN,
    ),
    # The log
    "no entry": ("v1", lambda b: b[MATERIAL].update(tlogEntries=[]), P),
    "two entries": ("v1", lambda b: b[MATERIAL]["tlogEntries"].append(entry(b)), P),
    "no proof": ("v1", lambda b: entry(b).pop("inclusionProof"), P),
    "no checkpoint": ("v1", lambda b: proof(b).pop("checkpoint"), P),
    "hash flipped": ("v1", lambda b: proof(b)["hashes"].__setitem__(0, flipped(proof(b)["hashes"][0])), P),
    "hash missing": ("v1", lambda b: proof(b)["hashes"].pop(), P),
    "hash more": ("v1", lambda b: proof(b)["hashes"].append(proof(b)["hashes"][0]), P),
    "hash short": ("v1", lambda b: proof(b)["hashes"].__setitem__(0, "AAAA"), P),
    "root flipped": ("v1", flip(proof, "rootHash"), P),
    "proof index": ("v1", lambda b: proof(b).update(logIndex="3"), P),
    "proof index behind": ("v1", lambda b: proof(b).update(logIndex="6"), P),
    "tree size": ("v1", lambda b: proof(b).update(treeSize="5"), P),
    "checkpoint of another size": (
        "v1",
        note(lambda n: MINE.logs[1].checkpoint(7, base64.b64decode(n.split("\n")[2]))),
        P,
    ),
    "checkpoint of another root": ("v1", note(lambda _: MINE.logs[1].checkpoint(6, bytes(32))), P),
    "checkpoint of a stranger": (
        "v1",
        note(lambda n: STRANGER.logs[1].checkpoint(6, base64.b64decode(n.split("\n")[2]))),
        P,
    ),
    "checkpoint origin changed": ("v1", note(lambda n: "x" + n), P),
    "checkpoint without origin": ("v1", note(lambda n: n.partition("\n")[2]), P),
    "checkpoint with zeros": ("v1", note(lambda n: n.replace("\n6\n", "\n06\n")), P),
    "checkpoint unsigned": ("v1", note(lambda n: n.partition("\n\n")[0] + "\n\n"), P),
    "checkpoint cut": ("v1", note(lambda n: n[:-3]), P),
    "checkpoint by a witness alone": ("v1", note(lambda n: n.replace("— rekor.sigstore.test ", "— witness ")), P),
    "log unknown": ("v1", flip(lambda b: entry(b)["logId"], "keyId"), Cause.UNKNOWN_AUTHORITY),
    "log of the other kind": ("v1", lambda b: entry(b)["logId"].update(keyId=entry(made(V2))["logId"]["keyId"]), P),
    "promise flipped": ("v1", flip(lambda b: entry(b)["inclusionPromise"], "signedEntryTimestamp", 20), None),  # type: ignore[dict-item]
    "promise missing": ("v1", lambda b: entry(b).pop("inclusionPromise"), Cause.NO_TIME),
    "promise missing in 0.1": ("v0.1", lambda b: entry(b).pop("inclusionPromise"), Cause.LOG_PROMISE),
    "promise time changed": (
        "v1",
        lambda b: entry(b).update(integratedTime=str(int(SIGNED_AT.timestamp()) + 1)),
        Cause.LOG_PROMISE,
    ),
    "promise time missing": ("v1", lambda b: entry(b).pop("integratedTime"), Cause.LOG_PROMISE),
    "promise index changed": ("v1", lambda b: entry(b).update(logIndex="1000003"), Cause.LOG_PROMISE),
    "v2 states a time": ("v2", lambda b: entry(b).update(integratedTime="1780315200"), Cause.LOG_PROMISE),
    "v2 states a promise": (
        "v2",
        lambda b: entry(b).update(inclusionPromise={"signedEntryTimestamp": "AAAA"}),
        Cause.LOG_PROMISE,
    ),
    "v2 index": ("v2", lambda b: entry(b).update(logIndex="3"), P),
    "entry of another file": ("v1", other_entry(V1, b"other"), L),
    "entry of another file v2": ("v2", other_entry(V2, b"other"), L),
    "entry of another signature": ("v1", other_entry(V1, ARTIFACT), L),
    "entry of another statement": ("v1-dsse", other_entry(KINDS["v1-dsse"], STATEMENT + b" "), L),
    "entry of another statement v2": ("v2-dsse", other_entry(KINDS["v2-dsse"], STATEMENT + b" "), L),
    "entry of another statement intoto": ("v1-intoto", other_entry(KINDS["v1-intoto"], STATEMENT + b" "), L),
    "entry of a message": ("v1-dsse", other_entry(V1, STATEMENT), L),
    "entry by a key": ("v1", other_entry(Wish(key=True), ARTIFACT), L),
    "entry relabelled": ("v1", same_body_other_label("dsse", "0.0.1"), L),
    "entry relabelled v2": ("v1", same_body_other_label("hashedrekord", "0.0.2"), Cause.LOG_PROMISE),
    "entry of unknown kind": ("v1", same_body_other_label("rekord", "0.0.1"), Cause.UNSUPPORTED),
    "entry of unknown version": ("v1", same_body_other_label("hashedrekord", "0.0.9"), Cause.UNSUPPORTED),
    "body changed": ("v1", flip(entry, "canonicalizedBody", 60), P),
    # Timestamps
    "no timestamp": ("v2", lambda b: b[MATERIAL].pop("timestampVerificationData"), Cause.NO_TIME),
    "timestamp garbage": ("v2", lambda b: stamps(b)[0].update(signedTimestamp="AAAA"), T),
    "timestamp of another signature": (
        "v2",
        lambda b: stamps(b)[0].update(signedTimestamp=MINE.stamp(b"x", SIGNED_AT)),
        T,
    ),
    "timestamp more, of another signature": (
        "v2",
        lambda b: stamps(b).append({"signedTimestamp": MINE.stamp(b"x", SIGNED_AT)}),
        T,
    ),
    "timestamp twice": ("v2", lambda b: stamps(b).append(stamps(b)[0]), T),
    "33 timestamps": (
        "v2",
        lambda b: stamps(b).extend(
            {"signedTimestamp": MINE.stamp(signature(b), SIGNED_AT + timedelta(seconds=n))} for n in range(32)
        ),
        Cause.TOO_LARGE,
    ),
    "timestamp of a stranger": (
        "v2",
        lambda b: stamps(b)[0].update(signedTimestamp=STRANGER.stamp(signature(b), SIGNED_AT)),
        None,
    ),  # type: ignore[dict-item]
    "timestamp flipped at its end": (
        "v2",
        lambda b: stamps(b)[0].update(signedTimestamp=flipped(stamps(b)[0]["signedTimestamp"], -3)),
        T,
    ),
    "timestamp with a tail": (
        "v2",
        lambda b: stamps(b)[0].update(
            signedTimestamp=base64.b64encode(base64.b64decode(stamps(b)[0]["signedTimestamp"]) + b"x").decode()
        ),
        T,
    ),
}
"""By name: the kind of bundle, what becomes wrong in it, and the reason; None where several reasons are right."""


def x509_der() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


@pytest.mark.parametrize("name", CHANGES)
def test_a_bundle_with_one_thing_wrong_is_rejected(name: str) -> None:
    kind, change, expected = CHANGES[name]
    bundle = made(KINDS[kind])
    assert cause(bundle) is None
    wrong = copy.deepcopy(bundle)
    change(wrong)
    assert wrong != bundle
    found = cause(wrong)
    assert found is not None
    assert expected is None or found is expected


def san(*names: x509.GeneralName) -> Wish:
    return replace(V1, leaf=Leaf(names=names))


OLD_LEAF = Leaf(start=LONG_AGO, end=LONG_AGO + timedelta(minutes=10))
SIGNED_WRONG: dict[str, tuple[Wish, Cause]] = {
    "no name": (san(), Cause.CHAIN),
    "two names": (san(x509.UniformResourceIdentifier(IDENTITY), x509.RFC822Name("me@corp")), Cause.IDENTITY),
    "name with a suffix": (san(x509.UniformResourceIdentifier(IDENTITY + ".evil")), Cause.IDENTITY),
    "name with a prefix": (san(x509.UniformResourceIdentifier("x" + IDENTITY)), Cause.IDENTITY),
    "name in another case": (san(x509.UniformResourceIdentifier(IDENTITY.replace("corp", "Corp"))), Cause.IDENTITY),
    "issuer with a slash": (replace(V1, leaf=Leaf(old_issuer=ISSUER + "/", new_issuer=ISSUER + "/")), Cause.ISSUER),
    "other issuer": (replace(V1, leaf=Leaf(old_issuer="https://x.test", new_issuer="https://x.test")), Cause.ISSUER),
    "two issuers": (replace(V1, leaf=Leaf(new_issuer="https://x.test")), Cause.ISSUER),
    "no issuer": (replace(V1, leaf=Leaf(old_issuer=None, new_issuer=None)), Cause.ISSUER),
    "no SCT": (replace(V1, leaf=Leaf(sct=())), Cause.SCT),
    "SCT of a stranger": (replace(V1, leaf=Leaf(sct=("stranger",))), Cause.SCT),
    "SCT more, of a stranger": (replace(V1, leaf=Leaf(sct=("ct", "stranger"))), Cause.SCT),
    "SCT after the certificate ended": (replace(V1, leaf=Leaf(sct_at=SIGNED_AT + timedelta(days=1))), Cause.SCT),
    "SCT before the log was trusted": (
        replace(V1, leaf=Leaf(sct_at=datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC))),
        Cause.RETIRED,
    ),
    "for a web server": (replace(V1, leaf=Leaf(extended=(ExtendedKeyUsageOID.SERVER_AUTH,))), Cause.USAGE),
    "for nothing special": (replace(V1, leaf=Leaf(extended=())), Cause.USAGE),
    "for anything": (replace(V1, leaf=Leaf(extended=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,))), Cause.USAGE),
    "not for signatures": (replace(V1, leaf=Leaf(usage=("key_encipherment",))), Cause.USAGE),
    "an authority": (
        replace(V1, leaf=Leaf(more=((x509.BasicConstraints(ca=True, path_length=None), True),))),
        Cause.CHAIN,
    ),
    "unknown critical extension": (
        replace(V1, leaf=Leaf(more=((x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\5\0"), True),))),
        Cause.CHAIN,
    ),
    "issuer is no UTF8String": (
        replace(
            V1,
            leaf=Leaf(
                new_issuer=None,
                more=((x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.57264.1.8"), ISSUER.encode()), False),),
            ),
        ),
        Cause.MALFORMED,
    ),
    "logged after the certificate ended": (replace(V1, at=SIGNED_AT + timedelta(minutes=10)), Cause.EXPIRED),
    "logged before it began": (replace(V1, at=SIGNED_AT - timedelta(minutes=2)), Cause.EXPIRED),
    "stamped after it ended": (replace(V2, stamps=(SIGNED_AT + timedelta(hours=1),)), Cause.EXPIRED),
    "stamped before it began": (replace(V2, stamps=(SIGNED_AT - timedelta(hours=1),)), Cause.EXPIRED),
    "one of two stamps after it ended": (
        replace(V2, stamps=(SIGNED_AT, SIGNED_AT + timedelta(hours=1))),
        Cause.EXPIRED,
    ),
    "stamped late though logged in time": (replace(V1, stamps=(SIGNED_AT + timedelta(hours=1),)), Cause.EXPIRED),
    "expired certificate, no time": (replace(V1, promise=False), Cause.NO_TIME),
    "stamp not granted": (replace(V2, stamp_status="rejection"), Cause.TIMESTAMP),
    "stamp granted with changes": (replace(V2, stamp_status="granted_with_mods"), Cause.TIMESTAMP),
    "stamp over SHA-1": (replace(V2, imprint="sha1"), Cause.UNSUPPORTED),
    "payload that is no statement": (Wish(dsse=True, payload_type="text/plain"), Cause.PAYLOAD),
    "before the authority existed": (
        replace(
            V1,
            at=datetime(2024, 6, 1, tzinfo=UTC),
            leaf=Leaf(
                start=datetime(2024, 6, 1, tzinfo=UTC),
                end=datetime(2024, 6, 1, 1, tzinfo=UTC),
                sct_at=datetime(2025, 6, 1, tzinfo=UTC),
            ),
        ),
        Cause.RETIRED,
    ),
}


@pytest.mark.parametrize("name", SIGNED_WRONG)
def test_a_bundle_that_was_signed_wrong_is_rejected(name: str) -> None:
    wish, expected = SIGNED_WRONG[name]
    assert cause(made(wish)) is expected


@pytest.mark.parametrize(
    ("leaf", "identity"),
    [
        (Leaf(new_issuer=None), IDENTITY),
        (Leaf(old_issuer=None), IDENTITY),
        (Leaf(names=(x509.RFC822Name("me@corp.test"),)), "me@corp.test"),
        (Leaf(names=(x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), utf8("robot!corp")),)), "robot!corp"),
        (Leaf(start=SIGNED_AT, end=SIGNED_AT), IDENTITY),
    ],
    ids=["issuer in the old place", "issuer in the new place", "e-mail", "name of Fulcio's own", "just one second"],
)
def test_a_certificate_that_is_right_in_another_way_is_accepted(leaf: Leaf, identity: str) -> None:
    assert cause(made(replace(V1, leaf=leaf)), expected=Keyless(identity, ISSUER)) is None


def window(part: str, position: int = 0, **ends: str) -> Change:
    def change(root: Json) -> None:
        item = root[part][position]
        item.get("publicKey", item)["validFor"].update(ends)

    return change


SECOND, BEFORE = "2026-06-01T12:00:00Z", "2026-06-01T11:59:59Z"
CERTIFIED, BEFORE_CERTIFIED = "2026-06-01T11:59:00Z", "2026-06-01T11:58:59Z"
AFTER = "2026-06-01T12:00:01Z"
ROOTS: dict[str, tuple[str, Change, Cause | None]] = {
    "authority ends then": ("v1", window("certificateAuthorities", end=SECOND), None),
    "authority ended": ("v1", window("certificateAuthorities", end=BEFORE), Cause.RETIRED),
    "authority ended, v2": ("v2", window("certificateAuthorities", end=BEFORE), Cause.RETIRED),
    "authority begins later": ("v1", window("certificateAuthorities", start=AFTER), Cause.RETIRED),
    "certificate log ends then": ("v1", window("ctlogs", end=CERTIFIED), None),
    "certificate log ended": ("v1", window("ctlogs", end=BEFORE_CERTIFIED), Cause.RETIRED),
    "certificate log begins later": ("v1", window("ctlogs", start=SECOND), Cause.RETIRED),
    "log ends then": ("v1", window("tlogs", end=SECOND), None),
    "log ended": ("v1", window("tlogs", end=BEFORE), Cause.RETIRED),
    "log ended, v2": ("v2", window("tlogs", 1, end=BEFORE), Cause.RETIRED),
    "log begins later": ("v1", window("tlogs", start=AFTER), Cause.RETIRED),
    "timestamp authority ends then": ("v2", window("timestampAuthorities", end=SECOND), None),
    "timestamp authority ended": ("v2", window("timestampAuthorities", end=BEFORE), Cause.RETIRED),
    "timestamp authority begins later": ("v2", window("timestampAuthorities", start=AFTER), Cause.RETIRED),
    "other log ended": ("v1", window("tlogs", 1, end=BEFORE), None),
    "window without start": ("v1", lambda r: r["tlogs"][1]["publicKey"]["validFor"].pop("start"), Cause.ROOT),
    "no window": ("v1", lambda r: r["certificateAuthorities"][0].pop("validFor"), Cause.ROOT),
    "window backwards": ("v1", window("tlogs", end="2024-01-01T00:00:00Z"), Cause.ROOT),
    "window without time zone": ("v1", window("tlogs", start="2025-01-01T00:00:00"), Cause.ROOT),
    "no log": ("v1", lambda r: r.update(tlogs=[]), Cause.ROOT),
    "only the other log": ("v1", lambda r: r["tlogs"].pop(0), Cause.UNKNOWN_AUTHORITY),
    "no authority": ("v1", lambda r: r.update(certificateAuthorities=[]), Cause.CHAIN),
    "no certificate log": ("v1", lambda r: r.update(ctlogs=[]), Cause.SCT),
    "no timestamp authority": ("v2", lambda r: r.update(timestampAuthorities=[]), Cause.UNKNOWN_AUTHORITY),
    "authority of a stranger": (
        "v1",
        lambda r: r.update(certificateAuthorities=STRANGER.trusted_root()["certificateAuthorities"]),
        Cause.CHAIN,
    ),
    "log key of a stranger": (
        "v1",
        lambda r: r["tlogs"][0]["publicKey"].update(
            rawBytes=STRANGER.trusted_root()["tlogs"][0]["publicKey"]["rawBytes"]
        ),  # type: ignore[index]
        P,
    ),
    "certificate log key of a stranger": (
        "v1",
        lambda r: r["ctlogs"][0]["publicKey"].update(
            rawBytes=STRANGER.trusted_root()["ctlogs"][0]["publicKey"]["rawBytes"]
        ),  # type: ignore[index]
        Cause.SCT,
    ),
    "key labelled as another kind": (
        "v1",
        lambda r: r["tlogs"][0]["publicKey"].update(keyDetails="PKIX_ED25519"),
        Cause.ROOT,
    ),
    "key is garbage": ("v1", lambda r: r["tlogs"][0]["publicKey"].update(rawBytes="AAAA"), Cause.ROOT),
    "hash of the log": ("v1", lambda r: r["tlogs"][0].update(hashAlgorithm="SHA2_512"), Cause.ROOT),
    "unknown type": ("v1", lambda r: r.update(mediaType="application/json"), Cause.ROOT),
    "unknown field": ("v1", lambda r: r.update(x=1), Cause.ROOT),
    "empty chain": ("v1", lambda r: r["certificateAuthorities"][0]["certChain"].update(certificates=[]), Cause.ROOT),
    "chain without its root": (
        "v1",
        lambda r: r["certificateAuthorities"][0]["certChain"]["certificates"].pop(),
        None,  # the intermediate is then what the root trusts
    ),
    "timestamp authority without chain": (
        "v2",
        lambda r: r["timestampAuthorities"][0]["certChain"].update(
            certificates=r["timestampAuthorities"][0]["certChain"]["certificates"][:1]
        ),
        Cause.TIMESTAMP,
    ),
}


@pytest.mark.parametrize("name", ROOTS)
def test_a_trusted_root_with_one_thing_changed(name: str) -> None:
    kind, change, expected = ROOTS[name]
    root = copy.deepcopy(ROOT)
    change(root)
    assert root != ROOT
    assert cause(made(KINDS[kind]), root=root) is expected


def test_a_whole_other_sigstore_is_not_trusted() -> None:
    assert cause(made(V1, STRANGER)) is Cause.UNKNOWN_AUTHORITY
    assert cause(made(V2, STRANGER)) is Cause.UNKNOWN_AUTHORITY
    assert cause(made(V1), root=STRANGER.trusted_root()) is Cause.UNKNOWN_AUTHORITY


@pytest.mark.parametrize("kind", ["v1", "v2", "v1-dsse", "v1-intoto"])
def test_another_file_is_not_what_was_signed(kind: str) -> None:
    assert cause(made(KINDS[kind]), data=b"other weights") is Cause.DIGEST


def test_a_subject_whose_digests_contradict_each_other_is_none() -> None:
    statement = json.loads(STATEMENT)
    statement["subject"][0]["digest"]["sha512"] = hashlib.sha512(ARTIFACT).hexdigest()
    assert cause(made(KINDS["v1-dsse"], data=json.dumps(statement).encode())) is None
    statement["subject"][0]["digest"]["sha512"] = "00" * 64
    assert cause(made(KINDS["v1-dsse"], data=json.dumps(statement).encode())) is Cause.DIGEST


def test_an_authority_whose_own_certificate_had_ended_is_not_believed() -> None:
    short = Sigstore(years=1)
    for wish in (V1, V2):
        assert cause(made(wish, short), root=short.trusted_root()) in (Cause.CHAIN, Cause.EXPIRED)


def test_a_timestamp_authority_that_is_not_made_for_it_is_not_believed() -> None:
    for usage, critical in ((ExtendedKeyUsageOID.CODE_SIGNING, True), (ExtendedKeyUsageOID.TIME_STAMPING, False)):
        instance = Sigstore()
        instance.tsa_leaf = tsa_leaf(instance.tsa, instance.tsa_key, NOW, usage=usage, critical=critical)
        assert cause(made(V2, instance), root=instance.trusted_root()) is Cause.TIMESTAMP
    instance = Sigstore()
    instance.tsa_leaf = tsa_leaf(STRANGER.tsa, instance.tsa_key, NOW)
    assert cause(made(V2, instance), root=instance.trusted_root()) is Cause.TIMESTAMP


def test_a_managed_key_verifies_with_its_log_entry_and_no_other_key_does() -> None:
    mine, other = (ByKey(PublicKey.from_pem(instance.public_pem)) for instance in (MINE, STRANGER))
    for wish in (Wish(key=True), Wish(key=True, log=2), Wish(key=True, dsse=True), Wish(key=True, dsse=True, log=2)):
        bundle = made(wish)
        assert cause(bundle, expected=mine) is None
        assert cause(bundle, expected=other) is Cause.KEY
        assert cause(bundle) is Cause.MATERIAL
        assert cause(made(replace(wish, key=False)), expected=mine) is Cause.MATERIAL
        bundle[MATERIAL]["publicKey"]["hint"] = "a name"
        assert cause(bundle, expected=mine) is None
        assert cause(bundle, expected=other) is Cause.SIGNATURE
        bundle[MATERIAL]["publicKey"]["hint"] = ""
        assert cause(bundle, expected=mine) is Cause.KEY
    bundle = made(Wish(key=True))
    bundle[MATERIAL]["tlogEntries"] = []
    assert cause(bundle, expected=mine) is Cause.LOG_PROOF
    assert cause(made(Wish(key=True, promise=False)), expected=mine) is Cause.NO_TIME


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("media type", lambda t: t.replace('"mediaType"', '"mediaType": "x", "mediaType"')),
        ("signature", lambda t: t.replace('"signature": "M', '"signature": "AAAA", "signature": "M')),
        ("escaped", lambda t: t.replace('"mediaType"', '"media\\u0054ype": "x", "mediaType"')),
    ],
)
def test_a_key_twice_is_refused(name: str, change: Callable[[str], str]) -> None:
    text = json.dumps(made(V1))
    assert change(text) != text
    assert json.loads(change(text)) == json.loads(text), "another reader sees nothing"
    assert cause(change(text).encode()) is Cause.DUPLICATE_KEY


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Cause.MALFORMED),
        (b"[]", Cause.MALFORMED),
        (b"null", Cause.MALFORMED),
        (b"{", Cause.MALFORMED),
        (b'{"a": NaN}', Cause.MALFORMED),
        (b'{"a": "\xff"}', Cause.MALFORMED),
        (b'{"a": "\\ud800"}', Cause.MALFORMED),
        (b'{"a": ' + b"9" * 5000 + b"}", Cause.MALFORMED),
        (b"[" * 100_000, Cause.TOO_LARGE),
        (b'{"a":' * 100 + b"1" + b"}" * 100, Cause.TOO_LARGE),
        (b" " * (96 << 20) + b"{}", Cause.TOO_LARGE),
    ],
    ids=["empty", "list", "null", "cut", "NaN", "not UTF-8", "surrogate", "digits", "deep", "deep objects", "large"],
)
def test_hostile_json_is_refused_quickly(data: bytes, expected: Cause) -> None:
    assert cause(data) is expected


def test_identities_of_a_policy_match_by_star_alone() -> None:
    pattern = IDENTITY.replace("tags/v1", "tags/*")
    assert cause(made(V1), expected=Keyless(pattern, ISSUER, glob=True)) is None
    assert cause(made(V1), expected=Keyless(pattern, ISSUER)) is Cause.IDENTITY
    assert cause(made(V1), expected=Keyless(IDENTITY.replace("v1", "v?"), ISSUER, glob=True)) is Cause.IDENTITY
    assert cause(made(V1), expected=Keyless(IDENTITY.replace("v1", "v[1]"), ISSUER, glob=True)) is Cause.IDENTITY
    assert cause(made(V1), expected=Keyless(pattern, ISSUER + "*", glob=True)) is Cause.ISSUER


def test_a_pinned_root_is_that_file_and_no_other() -> None:
    data = json.dumps(ROOT).encode()
    assert read_root(data, name="x", sha256=hashlib.sha256(data).hexdigest().upper()).sha256
    with pytest.raises(Rejected, match="is pinned") as rejected:
        read_root(data + b" ", name="x", sha256=hashlib.sha256(data).hexdigest())
    assert rejected.value.cause is Cause.ROOT


def test_the_root_of_a_client_trust_config_is_read() -> None:
    config = {"mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json", "trustedRoot": ROOT}
    assert len(read_root(json.dumps(config).encode(), name="x").logs) == 2


def test_the_shipped_roots_are_readable_and_have_an_age() -> None:
    assert shipped_root().age_days(NOW) == 97
    assert {log.url for log in shipped_root().logs} == {
        "https://rekor.sigstore.dev",
        "https://log2025-1.rekor.sigstore.dev",
    }
    assert shipped_root("sigstore-staging").name == "sigstore-staging"


@pytest.mark.parametrize("kind", ["v1", "v2", "v1-dsse"])
def test_no_single_byte_of_a_bundle_makes_the_verifier_fail(kind: str) -> None:
    text = json.dumps(made(KINDS[kind])).encode()
    for position in range(0, len(text), 37):
        for value in (b"\0", b'"', b"A", b"}"):
            data = text[:position] + value + text[position + 1 :]
            assert "the verifier failed" not in str(rejection(data)), (position, value)
