"""`make test`: the tests, one pytest for each processor at a time, a folder of tests to each.

xdist would hand out single tests, but its workers run a second thread: a scan then starts a fresh interpreter where it
forks otherwise, which takes longer than is won, and tests something else.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path("tests")
_COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)")
_NOTHING = 5
"""pytest's exit status where a part has no test."""
_printing = threading.Lock()


def parts(folder: Path = TESTS) -> list[list[str]]:
    """Folders of tests, the one with most source first, and the files beside them as one more part."""
    size = {
        each: sum(path.stat().st_size for path in each.rglob("test_*.py")) for each in folder.iterdir() if each.is_dir()
    }
    ordered = sorted((each for each, bytes_ in size.items() if bytes_), key=lambda each: -size[each])
    beside = sorted(map(str, folder.glob("test_*.py")))
    return [*([str(each)] for each in ordered), *([beside] if beside else [])]


def run(part: Sequence[str]) -> tuple[int, Counter[str]]:
    """Exit status and numbers of results of one part; its output is printed in one piece when it is done."""
    say(f"testing {' '.join(part)}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *part]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    say(f"== {' '.join(part)}\n{done.stdout}{done.stderr}")
    counts = Counter[str]()
    for number, what in _COUNTS.findall(done.stdout[-400:]):
        counts[what] += int(number)
    return done.returncode, counts


def say(text: str) -> None:
    """Print in one piece."""
    with _printing:
        print(text, flush=True)


def main() -> int:
    """Exit status 1 when a part failed, or when nothing was tested."""
    start = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(run, parts()))
    total = sum((counts for _, counts in results), Counter[str]())
    told = ", ".join(f"{number} {what}" for what, number in total.items()) or "no tests ran"
    say(f"{told} in {time.monotonic() - start:.0f}s, all parts together")
    return 0 if total["passed"] and all(status in (0, _NOTHING) for status, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
