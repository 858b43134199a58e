"""Timings that matter to users, in one run: start-up, one small pickle, a hook's twenty files, and big pickles.

    python tools/bench.py            # everything
    python tools/bench.py --peers    # also the peers that are installed beside, as a ratio

CPU seconds (user and system, children included) of whole processes, the minimum of several runs.
"""

import argparse
import os
import pickle
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

SELF = [sys.executable, "-m", "modelscan_plus"]
PEERS = {
    "picklescan": lambda path: ["picklescan", "-p", path],
    "modelscan": lambda path: ["modelscan", "scan", "-p", path],
    "fickling": lambda path: ["fickling", "-s", path],
    "modelaudit": lambda path: ["modelaudit", "scan", path],
}
_QUIET = {**os.environ, "PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1"}


def cpu_seconds(command: Sequence[str], runs: int = 5) -> float:
    """Least CPU seconds of `runs` runs of `command`; its output and exit code do not matter."""
    best = float("inf")
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_QUIET, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def small(folder: Path) -> Path:
    """A pickle of a few hundred bytes."""
    path = folder / "small.pkl"
    path.write_bytes(pickle.dumps({"weights": [0.5] * 20, "name": "model"}))
    return path


def twenty(folder: Path) -> Path:
    """Twenty of them, as a hook gets them."""
    inside = folder / "twenty"
    inside.mkdir()
    for number in range(20):
        (inside / f"model-{number}.pkl").write_bytes(pickle.dumps({"number": number, "data": list(range(50))}))
    return inside


def opcodes(folder: Path) -> Path:
    """Ten million opcodes."""
    path = folder / "opcodes.pkl"
    path.write_bytes(b"\x80\x04]" + b"K\x01\x94" * 5_000_000 + b".")
    return path


def records(folder: Path) -> Path:
    """A large, honest pickle of small objects."""
    path = folder / "records.pkl"
    path.write_bytes(pickle.dumps([(number, str(number), {"score": number * 1.5}) for number in range(400_000)]))
    return path


def main() -> None:
    """Print one line per case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="run the installed peers on the same files")
    arguments = parser.parse_args()
    peers = {name: build for name, build in PEERS.items() if arguments.peers and shutil.which(name)}
    bare = cpu_seconds([sys.executable, "-c", "pass"], runs=10)
    print(f"bare Python                       {bare * 1000:8.0f} ms CPU")
    version = cpu_seconds([*SELF, "--version"], runs=10)
    print(f"{'--version':<34}{version * 1000:8.0f} ms CPU  (+{(version - bare) * 1000:.0f} ms above bare)")
    cases: list[tuple[str, Callable[[Path], Path], int]] = [
        ("one small pickle", small, 10),
        ("twenty files", twenty, 5),
        ("10 million opcodes (15 MB)", opcodes, 2),
        ("records (12 MB, 4 M opcodes)", records, 2),
    ]
    with tempfile.TemporaryDirectory() as name:
        for title, build, runs in cases:
            path = str(build(Path(name)))
            own = cpu_seconds([*SELF, "scan", "-q", path], runs)
            line = f"{title:<34}{own * 1000:8.0f} ms CPU"
            for peer, command in peers.items():
                other = cpu_seconds(command(path), min(runs, 3))
                line += f"   {peer} {other * 1000:.0f} ms ({own / other:.2f}x)"
            print(line, flush=True)


if __name__ == "__main__":
    main()
