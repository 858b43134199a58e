"""The sigstore-conformance cases through `modelscan-plus verify-bundle`, one process each, with two controls.

    python tools/conformance.py [VECTORS]      VECTORS: the folder bundle-verify of sigstore-conformance

Each folder is tried twice, with the file and with its digest. A client that accepts everything must fail on every case
named _fail, and one that rejects everything on all others; the controls show that the score can be lost.
"""

import hashlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

IDENTITY = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/"
    ".github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
ISSUER = "https://token.actions.githubusercontent.com"
DEFAULT = Path(__file__).parents[1].parent / "shared/conformance/sigstore/bundle-verify"


def arguments(folder: Path, *, by_digest: bool) -> list[str]:
    """What the protocol passes to a client."""
    given = ["verify-bundle", "--bundle", str(folder / "bundle.sigstore.json")]
    if (folder / "key.pub").exists():
        given += ["--key", str(folder / "key.pub")]
    else:
        given += ["--certificate-identity", _text(folder / "identity", IDENTITY)]
        given += ["--certificate-oidc-issuer", _text(folder / "issuer", ISSUER)]
    if (folder / "trusted_root.json").exists():
        given += ["--trusted-root", str(folder / "trusted_root.json")]
    artifact = folder / "artifact" if (folder / "artifact").exists() else folder.parent / "a.txt"
    return [*given, f"sha256:{hashlib.sha256(artifact.read_bytes()).hexdigest()}" if by_digest else str(artifact)]


def _text(path: Path, default: str) -> str:
    return path.read_text().strip() if path.exists() else default


def score(folders: list[Path], client: Callable[[list[str]], bool]) -> tuple[int, int, list[str]]:
    """Right answers, cases, and where the answer was wrong."""
    wrong = [
        f"{folder.name} ({'digest' if by_digest else 'path'})"
        for folder in folders
        for by_digest in (False, True)
        if client(arguments(folder, by_digest=by_digest)) is folder.name.endswith("_fail")
    ]
    cases = 2 * len(folders)
    return cases - len(wrong), cases, wrong


def ours(given: list[str]) -> bool:
    """Whether the command verifies it."""
    done = subprocess.run([sys.executable, "-m", "modelscan_plus", *given], capture_output=True, check=False)
    return done.returncode == 0


def main() -> int:
    """Print the scores; 0 when every answer is right."""
    vectors = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    folders = sorted(path for path in vectors.iterdir() if path.is_dir())
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    right, cases, wrong = score(folders, ours)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    took = f"{time.monotonic() - started:.0f} s, {seconds / cases:.2f} CPU-s each"
    print(f"modelscan-plus verify-bundle: {right} of {cases} ({took})")
    for name, client in {"accepts everything": lambda _: True, "rejects everything": lambda _: False}.items():
        print(f"control, a client that {name}: {score(folders, client)[0]} of {cases}")
    for case in wrong:
        print(f"  wrong: {case}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
