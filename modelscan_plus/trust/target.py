"""A file or folder against a signature that stands beside it: what the `verify` command does."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.report import SignatureReport
from modelscan_plus.core.text import human_bytes, shorten, visible
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.trust.bundle import MAX_BUNDLE, Message, parse_bundle
from modelscan_plus.trust.content import content_of_file, read_file
from modelscan_plus.trust.expected import Expected
from modelscan_plus.trust.files import Checked, check_folder, check_single, new_hash
from modelscan_plus.trust.names import ENDINGS, FOLDER_NAMES
from modelscan_plus.trust.oms import is_model_signature, read_manifest
from modelscan_plus.trust.reasons import Cause, Rejected
from modelscan_plus.trust.required import check_age
from modelscan_plus.trust.root import TrustedRoot
from modelscan_plus.trust.tree import FileDigest, measure, tree_digest
from modelscan_plus.trust.verify import Content, Verified, verify_bundle

_KEPT_PROBLEMS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be verified, and against what."""

    path: str
    """File or folder."""
    signature: str
    """The bundle."""
    expected: Expected
    root: TrustedRoot | None
    now: datetime
    max_root_age_days: int | None = None
    ignore: tuple[str, ...] = ()
    """Globs for what may stand in the folder unsigned."""
    locked: Mapping[str, FileDigest] | None = None
    """The files as they were read before, by path: the signature must be about those, whatever stands there now."""
    jobs: int = 1
    progress: Callable[[int], None] | None = None
    """Told the bytes that were hashed since it was last called."""
    begin: Callable[[int], None] | None = None
    """Told how many bytes are to be hashed."""


def find_signature(path: str) -> str:
    """The signature beside a file, or in or beside a folder; raises `UsageError` unless there is just one."""
    if not os.path.lexists(path):
        raise UsageError(f"{visible(path)}: no such file or folder")
    folder = os.path.isdir(path)
    if folder:
        names = [os.path.join(path, name) for name in FOLDER_NAMES]
        below = sorted(str(item) for item in Path(path).iterdir() if item.name.endswith(ENDINGS))
        names += [name for name in below if name not in names]
        names += [path.rstrip("/") + ending for ending in ENDINGS]
    else:
        names = [path + ending for ending in ENDINGS]
        names += [os.path.join(os.path.dirname(path), name) for name in FOLDER_NAMES]
    found = [name for name in names if os.path.lexists(name)]
    if not found:
        raise UsageError(f"no signature stands beside {visible(path)}; name it with --signature")
    if len(found) > 1 and os.path.basename(found[0]) not in FOLDER_NAMES:
        listed = ", ".join(visible(name) for name in found[:5])
        raise UsageError(f"several signatures stand beside {visible(path)} ({listed}); choose one with --signature")
    return found[0]


def verify_target(request: Request) -> SignatureReport:
    """What the signature proves about the target, as a value: also for a signature that is not accepted.

    Raises `UsageError` when the target does not exist.
    """
    if not os.path.lexists(request.path):
        raise UsageError(f"{visible(request.path)}: no such file or folder")
    try:
        return _verify(request)
    except Rejected as error:
        return rejected(error, path=request.signature)
    except UsageError:
        raise
    except Exception as error:  # what a signed list does to this code is no reason to go on
        failure = Rejected(Cause.MALFORMED, f"the verifier failed on it ({type(error).__name__}: {error})")
        return rejected(failure, path=request.signature)


def _verify(request: Request) -> SignatureReport:
    data = read_file(request.signature, MAX_BUNDLE, "the signature")
    folder = os.path.isdir(request.path)
    whole = None if folder else content_of_file(request.path, known=_known(request))
    # A model signature names its file in a list, not as a subject, so content is compared below for statements.
    bundle = parse_bundle(data)
    content = whole if isinstance(bundle.content, Message) else None
    if request.root is not None:
        check_age(request.root, request.max_root_age_days, request.now)
    verified = verify_bundle(bundle, request.expected, request.root, now=request.now, content=content)
    if isinstance(verified.content, Message):
        name = os.path.basename(request.path)
        return report(verified, path=request.signature, covers=f"the file {visible(name)}")
    statement = verified.statement()
    if is_model_signature(statement):
        manifest = read_manifest(statement)
        if whole is not None:
            check_single(manifest, os.path.basename(request.path), _any_digest(request, whole))
            covers = f"the file {visible(os.path.basename(request.path))}"
            return report(verified, path=request.signature, covers=covers)
        checked = check_folder(
            manifest,
            LocalSource(request.path).entries(),
            signature=_below(request.path, request.signature),
            ignore=request.ignore,
            known={name: file.sha256 for name, file in (request.locked or {}).items()},
            jobs=request.jobs,
            progress=request.progress,
            begin=request.begin,
        )
        return report(verified, path=request.signature, covers=covered(checked), left_out=_left_out(checked))
    if statement.is_verdict:
        raise Rejected(
            Cause.PAYLOAD,
            "it is the verdict of a scan or test, which may be a denial, and no signature of a publisher; a scan of "
            "ours is admitted on with --attestation",
        )
    digest = whole.digest("sha256") if whole is not None else _tree(request)
    if not any(subject.digests.get("sha256") == (digest or b"").hex() for subject in statement.subjects):
        raise Rejected(Cause.DIGEST, "the signed statement is about something else: no subject has this digest")
    kind = visible(shorten(statement.predicate_type))
    return report(verified, path=request.signature, covers=f"a statement of the type {kind} about it")


def _known(request: Request) -> bytes | None:
    """The SHA-256 of a target that is one file, where it was read before."""
    if request.locked is None:
        return None
    (file,) = request.locked.values()
    return bytes.fromhex(file.sha256)


def _any_digest(request: Request, content: Content) -> Callable[[str], bytes | None]:
    def digest(algorithm: str) -> bytes | None:
        if algorithm in ("sha256", "sha384", "sha512", "blake2b"):
            return content.digest(algorithm)
        more = {"blake3": new_hash("blake3")}
        return content_of_file(request.path, more, _known(request)).digest(algorithm)

    return digest


def _tree(request: Request) -> bytes | None:
    signature = _below(request.path, request.signature)
    if request.locked is not None:
        files = {name: file for name, file in request.locked.items() if name != signature}
        return bytes.fromhex(tree_digest(files).removeprefix("sha256:"))
    entries = (entry for entry in LocalSource(request.path).entries() if entry.path != signature)
    measured = measure(entries, jobs=request.jobs, progress=request.progress, begin=request.begin)
    if measured.digest is None:
        path, why = next(iter(sorted(measured.refused.items())), (".", "nothing is there"))
        raise Rejected(Cause.UNREADABLE, f"the folder has no digest: {visible(path)}: {why}")
    return bytes.fromhex(measured.digest.removeprefix("sha256:"))


def _below(folder: str, path: str) -> str | None:
    """`path` relative to `folder` when it stands below it."""
    real, inner = os.path.realpath(folder), os.path.realpath(os.path.dirname(path) or ".")
    relative = os.path.relpath(os.path.join(inner, os.path.basename(path)), real)
    return None if relative.startswith("..") else relative.replace(os.sep, "/")


def covered(checked: Checked) -> str:
    """ "3 files, 12.0 MB"."""
    return f"{checked.files:,} file{'' if checked.files == 1 else 's'}, {human_bytes(checked.bytes)}"


def _left_out(checked: Checked) -> tuple[str, ...]:
    return tuple(visible(path) for path in (*checked.left_out, *checked.ignored))


def report(
    verified: Verified, *, path: str, covers: str, left_out: tuple[str, ...] = (), target: str = ""
) -> SignatureReport:
    """A signature that is accepted, for the report."""
    root = verified.root
    return SignatureReport(
        target=target,
        path=visible(path),
        state="verified",
        method=verified.method,
        signer=visible(verified.signer),
        issuer=visible(verified.issuer or ""),
        times=tuple(moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in verified.times),
        log=verified.log or "",
        log_index=verified.log_index,
        root=root.name if root else "",
        root_sha256=root.sha256 if root else "",
        root_dated=root.dated.isoformat() if root and root.dated else "",
        covers=covers,
        left_out=left_out,
    )


def rejected(error: Rejected, *, path: str, target: str = "") -> SignatureReport:
    """A signature that is not accepted, for the report."""
    return SignatureReport(
        target=target,
        path=visible(path),
        state="rejected",
        cause=error.cause.value,
        message=error.message,
        problems=tuple(f"{visible(it.path)}: {it.message}" for it in error.problems[:_KEPT_PROBLEMS]),
    )
