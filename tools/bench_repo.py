"""`make bench-repo`: how often repositories are judged rightly, on the two corpora of tools/repo_corpus.

Every repository is written to a folder and scanned as a user would, with the default policy. Shares come with Wilson
intervals at 95 %. The corpora were written together with the rules, so the shares say that the rules do what they are
meant to do; what they miss of others' inventions has to be measured on corpora that nobody here has seen.
"""

import math
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from modelscan_plus.core.report import Decision, Report
from modelscan_plus.pipeline import scan
from tools.repo_corpus import Repository, honest, hostile

_Z = 1.959964


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The Wilson interval at 95 % of `hits` in `total`."""
    share, spread = hits / total, _Z * _Z / total
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def scan_repository(files: Repository, folder: Path) -> Report:
    """Write a repository below `folder` and scan it."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return scan(folder, jobs=1)


def measure(repositories: Mapping[str, Repository], wanted: Decision) -> int:
    """Print what was judged otherwise, and the share that was judged rightly; returns the number of misses."""
    hits = 0
    for name, files in repositories.items():
        with tempfile.TemporaryDirectory() as folder:
            report = scan_repository(files, Path(folder))
        if report.verdict.decision is wanted:
            hits += 1
        else:
            print(f"  {name}: {report.verdict.decision.value}: {report.verdict.reasons[0].message[:200]}")
    low, high = wilson(hits, len(repositories))
    print(f"{wanted.value}: {hits} of {len(repositories)} ({hits / len(repositories):.1%}, {low:.1%} to {high:.1%})")
    return len(repositories) - hits


def main() -> int:
    """Exit status 1 when something is judged otherwise than it is meant."""
    misses = measure(honest.repositories(), Decision.ALLOWED)
    misses += measure(hostile.repositories(), Decision.DENIED)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
