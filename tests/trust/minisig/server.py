"""The miniature Sigstore behind HTTP on loopback, for unmodified clients that sign."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.trust.minisig.instance import Leaf, Sigstore
from tests.trust.minisig.services import timestamp

AUDIENCE, TOKEN_ISSUER = "sigstore", "https://issuer.test"


def token(identity: str) -> str:
    """An identity token; clients do not check its signature, and this Fulcio does not either."""
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": TOKEN_ISSUER, "aud": AUDIENCE, "sub": identity, "iat": now, "nbf": now, "exp": now + 300}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join((*texts, base64.urlsafe_b64encode(b"no signature").rstrip(b"=").decode()))


class _Handler(BaseHTTPRequestHandler):
    instance: Sigstore

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/v2/signingCert":
            self._answer(201, json.dumps(self._certify(json.loads(data))).encode(), "application/json")
        elif self.path == "/api/v2/log/entries":
            self._answer(201, json.dumps(self._log(json.loads(data))).encode(), "application/json")
        elif self.path == "/timestamp":
            self._answer(201, self._stamp(data), "application/timestamp-reply")
        else:
            self._answer(404, b"{}", "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _certify(self, request: dict[str, Any]) -> dict[str, Any]:
        csr = x509.load_pem_x509_csr(base64.b64decode(request["certificateSigningRequest"]))
        payload = self.headers["Authorization"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        now = datetime.now(UTC).replace(microsecond=0)
        leaf = Leaf(
            names=(x509.RFC822Name(claims["sub"]),),
            old_issuer=claims["iss"],
            new_issuer=claims["iss"],
            start=now - timedelta(minutes=1),
            end=now + timedelta(minutes=9),
        )
        made = self.instance.certificate(leaf, csr.public_key())
        chain = [made, self.instance.ca.intermediate, self.instance.ca.root]
        texts = [certificate.public_bytes(Encoding.PEM).decode() for certificate in chain]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": texts}}}

    def _log(self, request: dict[str, Any]) -> dict[str, Any]:
        asked = request["hashedRekordRequestV002"]
        inner = {
            "data": {"algorithm": "SHA2_256", "digest": asked["digest"]},
            "signature": asked["signature"],
        }
        body = {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": inner}}
        return self.instance.logs[2].entry(body, datetime.now(UTC))

    def _stamp(self, data: bytes) -> bytes:
        asked = tsp.TimeStampReq.load(data)
        return timestamp(
            b"",
            datetime.now(UTC).replace(microsecond=0),
            self.instance.tsa_leaf,
            self.instance.tsa_key,
            hashed=asked["message_imprint"]["hashed_message"].native,
            nonce=asked["nonce"].native,
        )


@contextmanager
def serving(instance: Sigstore) -> Iterator[bytes]:
    """Serve on loopback; gives the client trust config."""
    handler = type("Handler", (_Handler,), {"instance": instance})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"

    def service(url: str, version: int) -> list[dict[str, object]]:
        window = {"start": "2025-01-01T00:00:00Z"}
        return [{"url": url, "majorApiVersion": version, "validFor": window, "operator": "test"}]

    config = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": instance.trusted_root(),
        "signingConfig": {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": service(base, 1),
            "oidcUrls": service(base, 1),
            "rekorTlogUrls": service(base, 2),
            "tsaUrls": service(f"{base}/timestamp", 1),
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaConfig": {"selector": "ANY"},
        },
    }
    try:
        yield json.dumps(config).encode()
    finally:
        server.shutdown()
        server.server_close()
