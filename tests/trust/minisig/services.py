"""Rekor (v1 and v2) and the timestamp authority."""

import base64
import hashlib
import json
from datetime import datetime

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from tests.trust.minisig.authority import spki


def b64(data: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(data).decode()


class Merkle:
    """An RFC 6962 tree over a handful of leaves."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.nodes = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]

    @staticmethod
    def root(nodes: list[bytes]) -> bytes:
        if len(nodes) == 1:
            return nodes[0]
        half = 1 << (len(nodes) - 1).bit_length() - 1
        return hashlib.sha256(b"\1" + Merkle.root(nodes[:half]) + Merkle.root(nodes[half:])).digest()

    @staticmethod
    def path(index: int, nodes: list[bytes]) -> list[bytes]:
        if len(nodes) == 1:
            return []
        half = 1 << (len(nodes) - 1).bit_length() - 1
        if index < half:
            return [*Merkle.path(index, nodes[:half]), Merkle.root(nodes[half:])]
        return [*Merkle.path(index - half, nodes[half:]), Merkle.root(nodes[:half])]


class Rekor:
    """A log with a few neighbours of the entry in it. `version` 1 signs promises, 2 does not."""

    def __init__(self, version: int, name: str) -> None:
        self.version, self.name = version, name
        self.key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
        if version == 1:
            self.key = ec.generate_private_key(ec.SECP256R1())
            self.id = hashlib.sha256(spki(self.key.public_key())).digest()
            self.origin = f"{name} - 1193050959916656506"
        else:
            self.key = ed25519.Ed25519PrivateKey.generate()
            self.id = hashlib.sha256(name.encode() + b"\n\1" + self.key.public_key().public_bytes_raw()).digest()
            self.origin = name

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, ec.ECDSA(hashes.SHA256()))

    def checkpoint(self, size: int, root: bytes, origin: str | None = None, name: str | None = None) -> str:
        text = f"{origin or self.origin}\n{size}\n{b64(root)}\n"
        return f"{text}\n— {name or self.name} {b64(self.id[:4] + self.sign(text.encode()))}\n"

    def entry(self, body: dict[str, object], moment: datetime, *, promise: bool = True) -> dict[str, object]:
        """The entry of `body`, third of six in the tree."""
        canonical = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
        tree = Merkle([b"a", b"b", canonical, b"d", b"e", b"f"])
        root = Merkle.root(tree.nodes)
        index = 2
        entry: dict[str, object] = {
            "logIndex": str(index if self.version == 2 else 1_000_000 + index),
            "logId": {"keyId": b64(self.id)},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": b64(root),
                "treeSize": "6",
                "hashes": [b64(node) for node in Merkle.path(index, tree.nodes)],
                "checkpoint": {"envelope": self.checkpoint(6, root)},
            },
            "canonicalizedBody": b64(canonical),
        }
        if self.version == 1 and promise:
            entry["integratedTime"] = str(int(moment.timestamp()))
            entry["inclusionPromise"] = {"signedEntryTimestamp": b64(self.promise(entry))}
        return entry

    def promise(self, entry: dict[str, object]) -> bytes:
        """The signed entry timestamp over what the entry states."""
        signed = {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(entry["integratedTime"]),  # type: ignore[call-overload]
            "logID": self.id.hex(),
            "logIndex": int(entry["logIndex"]),  # type: ignore[call-overload]
        }
        return self.sign(json.dumps(signed, separators=(",", ":"), sort_keys=True).encode())


def timestamp(
    message: bytes,
    moment: datetime,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    *,
    imprint: str = "sha256",
    status: str = "granted",
    hashed: bytes | None = None,
    nonce: int = 11,
) -> bytes:
    """An RFC 3161 response over `message`, or over something of which the digest is `hashed`."""
    der = certificate.public_bytes(Encoding.DER)
    owner = asn1_x509.Certificate.load(der)
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3.4",
            "message_imprint": {
                "hash_algorithm": {"algorithm": imprint},
                "hashed_message": hashed or hashlib.new(imprint, message).digest(),
            },
            "serial_number": 7,
            "gen_time": moment,
            "nonce": nonce,
        }
    ).dump()
    issuer_serial = {
        "issuer": asn1_x509.GeneralNames([asn1_x509.GeneralName("directory_name", owner.issuer)]),
        "serial_number": owner.serial_number,
    }
    certificate_id = {"cert_hash": hashlib.sha256(der).digest(), "issuer_serial": issuer_serial}
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [hashlib.sha256(info).digest()]},
            {"type": "signing_certificate_v2", "values": [{"certs": [certificate_id]}]},
        ]
    )
    signature = key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
    signer = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            "issuer_and_serial_number", {"issuer": owner.issuer, "serial_number": owner.serial_number}
        ),
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
        "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": "sha256_ecdsa"},
        "signature": signature,
    }
    signed = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
            "signer_infos": [signer],
        }
    )
    token = cms.ContentInfo({"content_type": "signed_data", "content": signed})
    response: bytes = tsp.TimeStampResp({"status": {"status": status}, "time_stamp_token": token}).dump()
    return response
