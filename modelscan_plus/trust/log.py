"""The transparency log: that an entry is in it, and when it was taken in.

- Inclusion proof: RFC 6962 section 2.1.1 and RFC 9162 section 2.1.3.2, SHA-256; leaf 0x00, node 0x01.
- Checkpoint: C2SP tlog-checkpoint in a signed note: origin, size, root in base64, further lines, an empty line, and
  signatures `— name base64(key hint (4 bytes) || signature)`. Only the log's own line counts; witnesses are unknown.
- Signed entry timestamp (Rekor v1): ECDSA over the canonical JSON of body, integratedTime, logID and logIndex.

Rekor v2 has no promise and no time, so an entry of it that states a time is refused: nobody signed that time.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from modelscan_plus.trust.bundle import InclusionProof, LogEntry
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.root import Log
from modelscan_plus.trust.strict_json import decode_base64

_TYPES_V1 = frozenset({"hashedrekord/0.0.1", "dsse/0.0.1", "intoto/0.0.1", "intoto/0.0.2"})
_TYPES_V2 = frozenset({"hashedrekord/0.0.2"})
_SIGNATURE = re.compile(r"— (\S+) (\S+)")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_MAX_SIGNATURES = 64


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry that is proven to be in a log."""

    log: Log
    index: int
    """In the tree of the proof, which is what the proof authenticates."""
    time: datetime | None
    """When the log says that it took the entry in; None for Rekor v2."""

    def check_window(self, moment: datetime) -> None:
        """Raise `Rejected` when the root did not trust the log's key at `moment`."""
        if not self.log.window.covers(moment):
            raise Rejected(
                Cause.RETIRED,
                f"the log {self.log.url} was trusted from {self.log.window}, not on {moment:%Y-%m-%d %H:%M:%S}",
            )


def verify_entry(entry: LogEntry, logs: tuple[Log, ...], *, promise_needed: bool = False) -> Logged:
    """Verify that `entry` is in one of `logs`; raises `Rejected`. Windows are for the caller, who knows all times."""
    if entry.type not in _TYPES_V1 | _TYPES_V2:
        raise Rejected(Cause.UNSUPPORTED, f"log entries of the type {entry.type[:60]!r} are not known")
    candidates = [log for log in logs if log.id == entry.log_id]
    if not candidates:
        raise Rejected(Cause.UNKNOWN_AUTHORITY, "the log of the entry is not in the trusted root")
    if entry.proof is None:
        raise Rejected(Cause.LOG_PROOF, "the log entry has no inclusion proof")
    if not entry.proof.checkpoint:
        raise Rejected(Cause.LOG_PROOF, "the inclusion proof has no checkpoint of the log")
    _verify_inclusion(entry.body, entry.proof)
    log = _verify_checkpoint(entry.proof, candidates)
    if entry.type in _TYPES_V2:
        _check_v2(entry, entry.proof)
        return Logged(log, entry.proof.index, None)
    if entry.promise is None:
        if promise_needed:
            raise Rejected(Cause.LOG_PROMISE, "a bundle of version 0.1 must hold the log's promise (SET)")
        if entry.index < entry.proof.index:
            raise Rejected(Cause.LOG_PROOF, "the entry's index over all parts of the log is below that in its own part")
        return Logged(log, entry.proof.index, None)
    _verify_promise(entry, entry.promise, log)
    return Logged(log, entry.proof.index, datetime.fromtimestamp(entry.time, UTC))


def _check_v2(entry: LogEntry, proof: InclusionProof) -> None:
    if entry.promise is not None or entry.time:
        raise Rejected(Cause.LOG_PROMISE, "an entry of Rekor v2 states a time, which that log does not sign")
    if entry.index != proof.index:
        raise Rejected(Cause.LOG_PROOF, "the entry's index differs from the one in its inclusion proof")


def _verify_promise(entry: LogEntry, promise: bytes, log: Log) -> None:
    if not 0 < entry.time < 1 << 40:
        raise Rejected(Cause.LOG_PROMISE, "the log's promise has no usable time")
    signed = {
        "body": base64.b64encode(entry.body).decode(),
        "integratedTime": entry.time,
        "logID": entry.log_id.hex(),
        "logIndex": entry.index,
    }
    if not log.key.verifies(promise, json.dumps(signed, separators=(",", ":"), sort_keys=True).encode()):
        raise Rejected(Cause.LOG_PROMISE, "the log's promise (SET) does not verify")


def _verify_inclusion(body: bytes, proof: InclusionProof) -> None:
    if not proof.index < proof.size:
        raise Rejected(Cause.LOG_PROOF, "the inclusion proof is of an index behind the end of the log")
    if len(proof.root) != 32 or any(len(node) != 32 for node in proof.hashes):
        raise Rejected(Cause.LOG_PROOF, "the inclusion proof has hashes that are not of 32 bytes")
    inner = (proof.index ^ (proof.size - 1)).bit_length()
    border = (proof.index >> inner).bit_count()
    if len(proof.hashes) != inner + border:
        raise Rejected(
            Cause.LOG_PROOF, f"the inclusion proof has {len(proof.hashes)} hashes where {inner + border} belong"
        )
    node = hashlib.sha256(b"\0" + body).digest()
    for level, other in enumerate(proof.hashes):
        left = level >= inner or proof.index >> level & 1
        node = hashlib.sha256(b"\1" + (other + node if left else node + other)).digest()
    if node != proof.root:
        raise Rejected(Cause.LOG_PROOF, "the inclusion proof does not lead to the root that it states")


def _verify_checkpoint(proof: InclusionProof, candidates: list[Log]) -> Log:
    """The log whose signature on the checkpoint verifies."""
    text, separator, tail = proof.checkpoint.partition("\n\n")
    lines = text.split("\n")
    if not separator or "\n\n" in tail or not tail.endswith("\n") or len(lines) < 3:
        raise Rejected(Cause.LOG_PROOF, "the checkpoint is no signed note of three lines and signatures")
    origin, size, root = lines[:3]
    if not origin or origin != origin.strip() or not _SIZE.fullmatch(size):
        raise Rejected(Cause.LOG_PROOF, "the checkpoint has no origin and size")
    try:
        stated = decode_base64(root, "the checkpoint's root hash", limit=64)
    except Rejected as error:
        raise Rejected(Cause.LOG_PROOF, error.message) from None
    if stated != proof.root or int(size) != proof.size:
        raise Rejected(Cause.LOG_PROOF, "the checkpoint is of another state of the log than the inclusion proof")
    return _signed_by(candidates, origin, (text + "\n").encode("utf-8"), tail.removesuffix("\n").split("\n"))


def _signed_by(candidates: list[Log], origin: str, message: bytes, lines: list[str]) -> Log:
    if len(lines) > _MAX_SIGNATURES:
        raise Rejected(Cause.TOO_LARGE, f"the checkpoint has {len(lines)} signatures")
    claimed = False
    for line in lines:
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise Rejected(Cause.LOG_PROOF, "the checkpoint has a line that is no signature")
        name = match[1]
        if origin != name and not origin.startswith(f"{name} - "):
            continue  # a witness; Rekor v1 puts the tree's number behind its name
        try:
            blob = decode_base64(match[2], "a signature of the checkpoint", limit=4096)
        except Rejected as error:
            raise Rejected(Cause.LOG_PROOF, error.message) from None
        for log in candidates:
            if blob[:4] == log.id[:4]:
                claimed = True
                if log.key.verifies(blob[4:], message):
                    return log
    if claimed:
        raise Rejected(Cause.LOG_PROOF, "the log's signature on the checkpoint does not verify")
    raise Rejected(Cause.LOG_PROOF, "the checkpoint is not signed by the log that it is of")
