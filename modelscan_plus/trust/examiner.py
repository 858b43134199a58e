"""In the child: a signature file that a scan came across, against the signers that the policy accepts.

Bundles are bytes of strangers, and verifying them runs parsers of JSON, DER, X.509 and CMS, some of them in C. A scan
therefore does it where it reads everything else: in a sandboxed, killable child with limits on memory and time, behind
which the parent sees a bounded, typed answer. The parent only compares names and digests. (The `verify` command, which
does nothing else and has nothing to lose beside its own answer, works in its own process.)
"""

import contextlib
from dataclasses import dataclass
from datetime import datetime

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import Coverage, CoverageState
from modelscan_plus.core.limits import Limits
from modelscan_plus.core.report import SignatureReport
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.inspection import FileResult
from modelscan_plus.trust.bundle import Bundle, Envelope, parse_bundle
from modelscan_plus.trust.certificates import check_usage, issuer_of_identity, names, verify_authority, verify_path
from modelscan_plus.trust.dsse import STATEMENT_TYPE
from modelscan_plus.trust.expected import ByKey, Expected, Keyless
from modelscan_plus.trust.keys import PublicKey
from modelscan_plus.trust.oms import Manifest, is_model_signature, read_manifest
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.required import check_age, expected_of, root_of
from modelscan_plus.trust.requirement import Required
from modelscan_plus.trust.root import TrustedRoot, shipped_root
from modelscan_plus.trust.sign import KeySigner
from modelscan_plus.trust.target import rejected, report
from modelscan_plus.trust.timestamps import verify_timestamps
from modelscan_plus.trust.verify import Content, Verified, verify_bundle

MAX_FOUND = 32 << 20
"""Bytes of a signature file that a scan verifies."""
MAX_SUBJECTS = 10_000
"""Subjects of a statement that are compared with the files."""
_NOT_OURS = frozenset({Cause.UNKNOWN_AUTHORITY, Cause.CHAIN})
_OPEN = "nobody said who must have signed: the policy has no [[signatures.require]] for this target"

_VERDICT = "valid, but the verdict of a scan or test, which may be a denial: no signature of a publisher"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is to verify signatures against."""

    required: tuple[Required, ...]
    """Signers that the policy accepts for the target; without any, a signature can be valid but proves nothing."""
    now: datetime
    digests: dict[str, str] = {}
    """SHA-256 of the files that stand beside the signature, by name, for signatures over a single file."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature file proves, before its list is compared with the folder."""

    report: SignatureReport
    bundle: bool = False
    """True when every byte of the file was read as a bundle."""
    manifest: Manifest | None = None
    """The signed list, where it is an OpenSSF model signature that verifies."""
    file: str = ""
    """Name of the file that a signature over a single file is about, where it verifies."""
    subjects: dict[str, str] = {}
    """SHA-256 by name of what a statement of another kind is about, where it verifies."""
    ignore: tuple[str, ...] = ()
    """What the policy lets pass unsigned for this signer."""


@dataclass(frozen=True, slots=True)
class _Anybody(Keyless):
    """Any identity, of any issuer: to say who claims to have signed, never to accept it."""

    def check(self, certificate: object) -> tuple[str, str]:
        found = names(certificate)  # type: ignore[arg-type]
        if len(found) != 1:
            raise Rejected(Cause.IDENTITY, f"the certificate names {len(found)} identities; exactly one is accepted")
        return found[0], issuer_of_identity(certificate) or ""  # type: ignore[arg-type]


class SignatureExaminer:
    """Verifies one signature file after the other."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._signers = [(entry, expected_of(entry), root_of(entry)) for entry in asked.required]
        self._shipped = shipped_root()
        _preload(self._shipped, asked.now)

    def inspect(self, artifact: Artifact, _limits: Limits) -> FileResult:
        """The answer, as JSON in the result's `signature`; raises nothing that the bytes could be the cause of."""
        answer = self._answer(artifact)
        text = msgspec.json.encode(answer).decode("utf-8")
        return FileResult((), Coverage(CoverageState.ANALYSED), signature=text)

    def _answer(self, artifact: Artifact) -> Answer:
        head = artifact.source.pread(0, 64).lstrip()
        if not head.startswith(b"{"):
            message = "not a Sigstore bundle; signatures of other kinds are not verified"
            return Answer(report=SignatureReport(target="", path="", state="unchecked", message=message))
        try:
            if artifact.source.size > MAX_FOUND:
                raise Rejected(
                    Cause.TOO_LARGE, f"more than {MAX_FOUND:,} bytes; `modelscan-plus verify` reads larger ones"
                )
            bundle = parse_bundle(artifact.source.pread(0, MAX_FOUND))
        except Rejected as error:
            return Answer(report=rejected(error, path=""))
        try:
            answer = self._by_policy(bundle) if self._signers else self._without_policy(bundle)
        except Rejected as error:
            answer = Answer(report=rejected(error, path=""))
        return msgspec.structs.replace(answer, bundle=True)

    def _by_policy(self, bundle: Bundle) -> Answer:
        failure: Rejected | None = None
        for entry, expected, root in self._signers:
            try:
                check_age(root, entry.max_root_age_days, self._asked.now)
                verified, file = self._verify(bundle, expected, root)
            except Rejected as error:
                failure = error
                continue
            return _answer(verified, file, ignore=entry.ignore_paths)
        raise failure or Rejected(Cause.IDENTITY, "no signer is accepted")

    def _without_policy(self, bundle: Bundle) -> Answer:
        if bundle.key is not None:
            who = f"by a key (hint {visible(shorten(bundle.key.hint))})" if bundle.key.hint else "by a key"
            return _unchecked(f"signed {who} that is not at hand; {_OPEN}")
        if not bundle.entries:
            return _unchecked(f"signed with a certificate of an authority that is not at hand; {_OPEN}")
        try:
            verified, file = self._verify(bundle, _Anybody("", ""), self._shipped)
        except Rejected as error:
            if error.cause in _NOT_OURS:
                return _unchecked(f"of a Sigstore instance whose trusted root is not at hand; {_OPEN}")
            raise
        answer = _answer(verified, file)
        if answer.report.state == "unchecked":
            return answer
        return msgspec.structs.replace(
            answer, report=msgspec.structs.replace(answer.report, state="unchecked", message=f"valid, but {_OPEN}")
        )

    def _verify(self, bundle: Bundle, expected: Expected, root: TrustedRoot) -> tuple[Verified, str]:
        """What is proven, and the name of the file where it is about a single one."""
        if isinstance(bundle.content, Envelope):
            return verify_bundle(bundle, expected, root, now=self._asked.now), ""
        failure = Rejected(Cause.DIGEST, "the signature is over a file that is not beside it, or was changed")
        stated = bundle.content.digest.hex()
        for name, digest in self._asked.digests.items():
            if stated and stated != digest:
                continue
            try:
                content = Content.of_sha256(bytes.fromhex(digest))
                return verify_bundle(bundle, expected, root, now=self._asked.now, content=content), name
            except Rejected as error:
                failure = error
        raise failure


def _preload(root: TrustedRoot, now: datetime) -> None:
    """Verify something, so that all that is loaded at first use is loaded while files can still be opened."""
    from cryptography.hazmat.primitives.asymmetric import ec

    signer = KeySigner(ec.generate_private_key(ec.SECP256R1()))
    expected = ByKey(PublicKey.from_pem(signer.public_pem))
    statement = {"_type": STATEMENT_TYPE, "subject": [{"digest": {"sha256": ""}}], "predicateType": ""}
    verify_bundle(signer.sign(msgspec.json.encode(statement)), expected, None, now=now).statement()
    leaf, *above = root.timestamp_authorities[0].chain
    for attempt in (
        lambda: verify_authority(root.authorities[-1].chain[0], root.authorities, now),
        lambda: verify_path(leaf, (), tuple(above), now, strict=False),
        lambda: check_usage(leaf),
        lambda: names(leaf),
        lambda: verify_timestamps((b"",), b"", root.timestamp_authorities),
    ):
        with contextlib.suppress(Rejected):
            attempt()


def _unchecked(message: str) -> Answer:
    return Answer(report=SignatureReport(target="", path="", state="unchecked", message=message))


def _answer(verified: Verified, file: str, ignore: tuple[str, ...] = ()) -> Answer:
    if file:
        return Answer(report=report(verified, path="", covers=f"the file {visible(file)}"), file=file, ignore=ignore)
    statement = verified.statement()
    if is_model_signature(statement):
        manifest = read_manifest(statement)
        return Answer(report=report(verified, path="", covers=""), manifest=manifest, ignore=ignore)
    if len(statement.subjects) > MAX_SUBJECTS:
        raise Rejected(Cause.TOO_LARGE, f"a statement about {len(statement.subjects):,} things")
    subjects = {subject.name: subject.digests.get("sha256", "") for subject in statement.subjects}
    covers = f"a statement of the type {visible(shorten(statement.predicate_type))}"
    said = report(verified, path="", covers=covers)
    if statement.is_verdict:
        said = msgspec.structs.replace(said, state="unchecked", message=_VERDICT)
    return Answer(report=said, subjects=subjects, ignore=ignore)
