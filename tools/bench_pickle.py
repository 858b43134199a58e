"""Pickles against the peers, in one run: `python tools/bench_pickle.py [--peers DIR] [--only TITLE …]`.

Each row is one file or folder, scanned by each tool's command in a process of its own. The figure is CPU seconds (user
and system, children included) less those of a scan of one tiny pickle, so that start-up does not count; the least of
several runs. Memory is the peak above that of the tiny scan. Digests are off.

`--peers DIR` holds one environment per peer (DIR/picklescan/bin/picklescan, …); without it those on PATH are taken. A
peer that is not there is left out, and so is a row that it does not finish within the time limit.
"""

import argparse
import os
import pickle
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy

SELF = "modelscan-plus"
COMMANDS: Mapping[str, Callable[[str], list[str]]] = {
    "picklescan": lambda path: ["picklescan", "-p", path],
    "modelscan": lambda path: ["modelscan", "scan", "-p", path],
    "fickling": lambda path: ["fickling", "-s", path],
    "modelaudit": lambda path: ["modelaudit", "scan", path],
}
GOALS = {
    ("1 GB torch zip", "picklescan"): 1.5,
    ("104 MB random forest", "picklescan"): 1.0,
    ("188 MB joblib", "modelaudit"): 0.1,
    ("2,000 small pickles", "picklescan"): 2.5,
    ("10 M opcodes", "picklescan"): 0.5,
}
"""Largest ratio of our CPU time to the peer's."""
_LIMIT = 300
_ROOT = Path(__file__).resolve().parent.parent
_QUIET = {**os.environ, "PYTHONPATH": str(_ROOT), "PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1", "CI": "1"}


@dataclass(frozen=True, slots=True)
class Usage:
    """What one run took."""

    cpu: float
    memory: float
    """Peak, in MB."""


def measure(command: Sequence[str], runs: int, folder: Path) -> Usage | None:
    """The least CPU time of `runs` runs and the peak memory; None when a run goes over the time limit.

    The command runs in `folder`: one of the peers leaves its results where it is started.
    """
    best = Usage(float("inf"), 0.0)
    for _ in range(runs):
        code = (
            "import resource,subprocess,sys\n"
            "try: subprocess.run(sys.argv[2:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL,"
            "timeout=float(sys.argv[1]))\n"
            "except subprocess.TimeoutExpired: sys.exit(9)\n"
            "u=resource.getrusage(resource.RUSAGE_CHILDREN)\n"
            "print(u.ru_utime+u.ru_stime,u.ru_maxrss/1024)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(_LIMIT), *command],
            cwd=folder, env=_QUIET, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            return None
        cpu, memory = map(float, done.stdout.split())
        best = Usage(min(best.cpu, cpu), max(best.memory, memory))
    return best


def tiny(folder: Path) -> Path:
    """What start-up is measured with."""
    path = folder / "tiny.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    return path


def torch_zip(folder: Path) -> Path:
    """The layout of torch.save: one small program and 250 storages of 4 MB, stored."""
    path = folder / "model.pt"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n"
    body = b"\x80\x02}("
    for number in range(250):
        key = str(number).encode()
        body += b"X" + len(f"layer{number}").to_bytes(4, "little") + f"layer{number}".encode() + tensor
        body += b"((X\x07\0\0\0storagectorch\nFloatStorage\nX" + len(key).to_bytes(4, "little") + key
        body += b"X\x03\0\0\0cpuJ" + (1 << 20).to_bytes(4, "little") + b"tQK\0J" + (1 << 20).to_bytes(4, "little")
        body += b"\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("model/data.pkl", body + b"u.")
        archive.writestr("model/version", "3\n")
        for number in range(250):
            archive.writestr(f"model/data/{number}", bytes(4 << 20))
    return path


def forest(folder: Path) -> Path:
    """A pickled random forest of about 104 MB."""
    from sklearn.ensemble import RandomForestClassifier

    random = numpy.random.default_rng(0)
    rows, labels = random.normal(size=(9000, 20)), random.integers(0, 2, 9000)
    model = RandomForestClassifier(n_estimators=420, n_jobs=1, random_state=0).fit(rows, labels)
    path = folder / "forest.pkl"
    path.write_bytes(pickle.dumps(model, 4))
    return path


def joblib_file(folder: Path) -> Path:
    """A joblib dump of about 188 MB: a forest, and neighbours with their training data as a raw array."""
    import joblib
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier

    random = numpy.random.default_rng(1)
    rows, labels = random.normal(size=(9000, 20)), random.integers(0, 2, 9000)
    wide = random.normal(size=(20_000, 900))
    model = [
        RandomForestClassifier(n_estimators=170, random_state=0).fit(rows, labels),
        KNeighborsClassifier().fit(wide, random.integers(0, 2, 20_000)),
    ]
    path = folder / "model.joblib"
    joblib.dump(model, path)
    return path


def small_pickles(folder: Path) -> Path:
    """Two thousand pickles, one megabyte in all."""
    inside = folder / "small"
    inside.mkdir()
    for number in range(2000):
        (inside / f"{number}.pkl").write_bytes(pickle.dumps({"number": number, "data": list(range(200))}, 4))
    return inside


def opcodes(folder: Path) -> Path:
    """Ten million opcodes."""
    path = folder / "opcodes.pkl"
    path.write_bytes(b"\x80\x04]" + b"K\x01\x94" * 5_000_000 + b".")
    return path


CASES: tuple[tuple[str, Callable[[Path], Path], int], ...] = (
    ("1 GB torch zip", torch_zip, 7),
    ("104 MB random forest", forest, 5),
    ("188 MB joblib", joblib_file, 3),
    ("2,000 small pickles", small_pickles, 3),
    ("10 M opcodes", opcodes, 2),
)


def find(name: str, peers: Path | None) -> str | None:
    """The program of a peer."""
    inside = peers / name / "bin" / name if peers is not None else None
    return str(inside) if inside is not None and inside.exists() else shutil.which(name)


def main() -> None:
    """Print the table, one row at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="folder with one environment per peer")
    parser.add_argument("--only", nargs="*", help="titles of the rows to run")
    options = parser.parse_args()
    tools: dict[str, Callable[[str], list[str]]] = {
        SELF: lambda path: [sys.executable, "-m", "modelscan_plus", "scan", "-q", path]
    }
    for name, command in COMMANDS.items():
        program = find(name, options.peers)
        if program is not None:
            tools[name] = lambda path, command=command, program=program: [program, *command(path)[1:]]
        else:
            print(f"{name} is not installed and left out")
    with tempfile.TemporaryDirectory() as folder:
        start = {name: measure(command(str(tiny(Path(folder)))), 5, Path(folder)) for name, command in tools.items()}
        for name, usage in start.items():
            print(f"start-up {name:<16}{usage.cpu if usage else float('nan'):8.3f} s CPU")
        for title, build, runs in CASES:
            if options.only and title not in options.only:
                continue
            path = build(Path(folder))
            row(title, path, tools, start, runs)
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def row(
    title: str,
    path: Path,
    tools: Mapping[str, Callable[[str], list[str]]],
    start: Mapping[str, Usage | None],
    runs: int,
) -> None:
    """Measure one case with every tool and print it."""
    own = measure(tools[SELF](str(path)), runs, path.parent)
    base = start[SELF]
    if own is None or base is None:
        raise SystemExit(f"{SELF} did not finish {title}")
    mine = max(own.cpu - base.cpu, 1e-3)
    print(f"{title}: {SELF} {mine:.3f} s CPU, {own.memory - base.memory:+.0f} MB above start-up", flush=True)
    for name, command in tools.items():
        begin = start[name]
        if name == SELF or begin is None:
            continue
        usage = measure(command(str(path)), min(runs, 3), path.parent)
        if usage is None:
            print(f"    {name}: not finished within {_LIMIT} s", flush=True)
            continue
        theirs = max(usage.cpu - begin.cpu, 1e-3)
        goal = GOALS.get((title, name))
        wanted = f"   (goal: at most {goal:g}x)" if goal else ""
        line = (
            f"    {name}: {theirs:.3f} s, {usage.memory - begin.memory:+.0f} MB; ours is {mine / theirs:.2f}x{wanted}"
        )
        print(line, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(_ROOT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
