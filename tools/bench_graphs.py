"""`python tools/bench_graphs.py`: graphs and graph files against this scanner and its peers, in one run.

    --files          the hostile files of tools/graphs/hostile_files.py (written anew)
    --hostile DIR    further hostile models, a file each        --honest DIR    honest models
    --peers          modelaudit, modelscan and onnx.checker, where they are installed (--peer NAME=PROGRAM names one)

Without a set: the hostile files, and the models that the onnx package ships as honest ones. A model counts as found
when something of medium severity or worse is said, by a peer when it objects at all above "info". Time is CPU time of
the whole process in seconds, memory the largest of its processes in MB. Intervals are Wilson's at 95 %.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SELF = [sys.executable, "-m", "modelscan_plus"]
_QUIET = {**os.environ, "PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1", "NO_COLOR": "1"}
_CHECK = (
    "import sys, onnx\n"
    "try:\n"
    "    onnx.checker.check_model(sys.argv[1], full_check=True)\n"
    "except Exception:\n"
    "    sys.exit(1)\n"
)
SLOW = 2.0
"""CPU seconds above which a model is named."""


@dataclass(slots=True)
class Tally:
    """What one tool said about one set."""

    models: int = 0
    medium: int = 0
    """Models with something at medium or above; for peers, with any objection."""
    high: int = 0
    incomplete: int = 0
    silent: int = 0
    """Models for which the tool gave no answer in time."""
    seconds: float = 0.0
    memory: int = 0
    names: list[str] = field(default_factory=list)
    """Missed, where the set is hostile; accused, where it is honest."""
    slow: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """One tool about one model."""

    medium: bool
    high: bool
    incomplete: bool = False


Ask = Callable[[Path, float], tuple[Answer | None, float, int]]


def run(command: Sequence[str], timeout: float) -> tuple[subprocess.CompletedProcess[bytes] | None, float, int]:
    """The process, None when it did not end in time; its CPU seconds and the largest memory, children included."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, env=_QUIET)
        deadline = time.monotonic() + timeout
        late = False
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline and not late:
                process.kill()
                late = True
            time.sleep(0.005)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        done = subprocess.CompletedProcess(command, process.returncode, output.read())
    return None if late else done, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def ask_self(model: Path, timeout: float) -> tuple[Answer | None, float, int]:
    """Our own command, in a process of its own."""
    done, seconds, memory = run([*SELF, "scan", str(model), "--format", "json", "--exit-zero", "-q"], timeout)
    if done is None or done.returncode:
        return None, seconds, memory
    report = json.loads(done.stdout)
    levels = {finding["severity"] for finding in report["findings"]}
    states = {artifact["coverage"]["state"] for artifact in report["artifacts"]}
    high = bool(levels & {"high", "critical"})
    return Answer(high or "medium" in levels, high, states != {"analysed"}), seconds, memory


def ask_modelaudit(program: str) -> Ask:
    """modelaudit: findings of severity "warning" or "critical"."""

    def ask(model: Path, timeout: float) -> tuple[Answer | None, float, int]:
        done, seconds, memory = run([program, "scan", str(model), "--format", "json"], timeout)
        if done is None:
            return None, seconds, memory
        try:
            issues = json.loads(done.stdout[done.stdout.index(b"{") :]).get("issues", [])
        except ValueError:
            return None, seconds, memory
        levels = {issue.get("severity") for issue in issues}
        partly = any(issue.get("details", {}).get("analysis_incomplete") for issue in issues)
        return Answer(bool(levels & {"warning", "critical"}), "critical" in levels, partly), seconds, memory

    return ask


def ask_modelscan(program: str) -> Ask:
    """modelscan: exit status 1 where it found something; it skips what it does not know."""

    def ask(model: Path, timeout: float) -> tuple[Answer | None, float, int]:
        done, seconds, memory = run([program, "scan", "-p", str(model)], timeout)
        found = done is not None and done.returncode == 1
        return (None if done is None else Answer(found, found)), seconds, memory

    return ask


def ask_checker(model: Path, timeout: float) -> tuple[Answer | None, float, int]:
    """onnx.checker with shape inference: whether it refuses the model."""
    path = next(iter(sorted(model.glob("*.onnx"))), model) if model.is_dir() else model
    done, seconds, memory = run([sys.executable, "-c", _CHECK, str(path)], timeout)
    refused = done is not None and done.returncode != 0
    return (None if done is None else Answer(refused, False)), seconds, memory


def tally(ask: Ask, models: Sequence[Path], *, hostile: bool, timeout: float) -> Tally:
    """Ask one tool about every model of a set."""
    result = Tally()
    for model in models:
        answer, seconds, memory = ask(model, timeout)
        result.models += 1
        result.seconds += seconds
        result.memory = max(result.memory, memory)
        if seconds > SLOW:
            result.slow.append(f"{model.name} ({seconds:.1f} s)")
        if answer is None:
            result.silent += 1
            continue
        result.medium += answer.medium
        result.high += answer.high
        result.incomplete += answer.incomplete
        if answer.medium is not hostile:
            result.names.append(model.name)
    return result


def wilson(count: int, total: int) -> str:
    """A share with its interval at 95 %."""
    if not total:
        return "–"
    z, share = 1.96, count / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return f"{100 * share:.1f} % [{100 * max(0, middle - half):.1f}, {100 * min(1, middle + half):.1f}]"


def show(name: str, tool: str, found: Tally, *, hostile: bool) -> None:
    """One line, and what is behind it."""
    word = "found" if hostile else "accused"
    share = wilson(found.medium, found.models)
    print(
        f"{name:<14} {tool:<13} n={found.models:<4} {word} ≥medium {found.medium:>3} = {share}"
        f"  ≥high {found.high:>3}  incomplete {found.incomplete}  no answer {found.silent}"
        f"  {found.seconds / max(found.models, 1):.2f} s/model  {found.memory} MB",
        flush=True,
    )
    if tool == "modelscan-plus":
        if found.names:
            print(f"    {'missed' if hostile else 'accused'}: {', '.join(found.names[:20])}")
        if found.slow:
            print(f"    above {SLOW:g} s: {', '.join(found.slow[:20])}")


def models_in(folder: Path) -> list[Path]:
    """The models of a set: files, or folders that hold one each."""
    return sorted(path for path in folder.rglob("*") if path.suffix in (".onnx", ".pt") and path.is_file())


def peers(named: Sequence[str]) -> dict[str, Ask]:
    """The peers that can be asked; a line says why one cannot."""
    programs = dict(item.split("=", 1) for item in named)
    found: dict[str, Ask] = {}
    for name, build in (("modelaudit", ask_modelaudit), ("modelscan", ask_modelscan)):
        program = programs.get(name) or shutil.which(name)
        if program and Path(program).exists():
            found[name] = build(program)
        else:
            print(f"{name}: skipped, it is not installed (pip install {name}, or --peer {name}=PROGRAM)")
    try:
        import onnx

        found[f"onnx.checker {onnx.__version__}"[:13]] = ask_checker
    except ImportError:
        print("onnx.checker: skipped, onnx is not installed")
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", action="store_true", help="the hostile files")
    parser.add_argument("--hostile", action="append", type=Path, default=[], metavar="DIR")
    parser.add_argument("--honest", action="append", type=Path, default=[], metavar="DIR")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PROGRAM")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds that a tool gets for one model")
    options = parser.parse_args()
    default = not (options.files or options.hostile or options.honest)
    with tempfile.TemporaryDirectory(prefix="modelscan-plus-graphs-") as place:
        sets: list[tuple[str, list[Path], bool]] = []
        if options.files or default:
            from tools.graphs.hostile_files import write

            sets.append(("hostile files", write(Path(place) / "hostile"), True))
        sets += [(folder.name[:14], models_in(folder), True) for folder in options.hostile]
        sets += [(folder.name[:14], models_in(folder), False) for folder in options.honest]
        if default:
            import onnx

            shipped = Path(onnx.__file__).parent / "backend" / "test" / "data"
            sets.append(("onnx's own", models_in(shipped), False))
        tools: dict[str, Ask] = {"modelscan-plus": ask_self}
        if options.peers or options.peer:
            tools |= peers(options.peer)
        started = time.monotonic()
        for name, models, hostile in sets:
            for tool, ask in tools.items():
                found = tally(ask, models, hostile=hostile, timeout=options.timeout)
                show(name, tool, found, hostile=hostile)
        print(f"{time.monotonic() - started:.0f} s in all")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
