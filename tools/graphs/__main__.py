"""`python -m tools.graphs bench DIR`: write the corpora below DIR once, scan them, and print the figures.

Detection and false alarms with their 95 % intervals (Wilson), incomplete files, time; beside them onnx.checker,
modelaudit and modelscan where they are installed. Everything is made here: nothing is downloaded, nothing is loaded
but by the exporters that wrote it.
"""
# mypy: ignore-errors

import argparse
import contextlib
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

_QUIET = {**os.environ, "PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1"}


def wilson(hits: int, total: int, z: float = 1.96) -> str:
    """ "86/87 = 98.9 % [93.8, 99.8]"."""
    if not total:
        return "none"
    share = hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return (
        f"{hits}/{total} = {100 * share:.1f} % [{100 * max(0, middle - half):.1f}, {100 * min(1, middle + half):.1f}]"
    )


def write(folder: Path) -> None:
    """The corpora, each where it is not there yet."""
    import torch

    from tools.graphs import attacks, evasions, exporters, torch_export
    from tools.graphs.torch_models import MODELS

    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    parts: tuple[tuple[str, Callable[[Path], None]], ...] = (
        ("known", attacks.write),
        ("evasions", lambda place: attacks.write(place, evasions.all_cases())),
        ("honest", lambda place: (torch_export.write(place), exporters.write(place))),
        ("script-known", lambda place: _trace(place, attacks.all_cases())),
        ("script-evasions", lambda place: _trace(place, evasions.all_cases())),
        ("script-honest", lambda place: _script(place, MODELS)),
    )
    for name, make in parts:
        place = folder / name
        if not place.exists():
            place.mkdir(parents=True)
            with contextlib.redirect_stderr(open(place.with_suffix(".log"), "w")):
                make(place)


def _trace(place: Path, cases) -> None:
    import torch

    for name, net, inputs, _ in cases:
        with contextlib.suppress(Exception):
            torch.jit.save(torch.jit.trace(net.eval(), inputs, check_trace=False), str(place / f"{name}.pt"))


def _script(place: Path, models) -> None:
    import torch

    for name, build in models.items():
        net, inputs, _ = build()
        for kind, made in (
            ("trace", lambda net=net, inputs=inputs: torch.jit.trace(net.eval(), inputs, check_trace=False)),
            ("script", lambda net=net: torch.jit.script(net.eval())),
        ):
            with contextlib.suppress(Exception):
                torch.jit.save(made(), str(place / f"{kind}-{name}.pt"))


def scan(folder: Path, *options: str) -> dict:
    """Our report on a folder."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "report.json"
        command = [sys.executable, "-m", "modelscan_plus", "scan", str(folder), "-q", "--exit-zero", *options]
        subprocess.run([*command, "--format", f"json={path}"], stdout=subprocess.DEVNULL, check=True, env=_QUIET)
        return json.loads(path.read_text("utf-8"))


def line(title: str, report: dict, *, hostile: bool) -> None:
    """One line of figures."""
    total = len(report["artifacts"])
    by: dict[str, set[str]] = {"high": set(), "medium": set()}
    for finding in report["findings"]:
        level = "high" if finding["severity"] in ("high", "critical") else finding["severity"]
        by.setdefault(level, set()).add(finding["artifact"])
    incomplete = sum(artifact["coverage"]["state"] != "analysed" for artifact in report["artifacts"])
    text = f"{title:<34} high {wilson(len(by['high']), total)}"
    if not hostile:
        text += f"   medium {len(by['medium'] - by['high'])}   incomplete {wilson(incomplete, total)}"
    print(text, flush=True)
    if hostile:
        missed = sorted(artifact["path"] for artifact in report["artifacts"] if artifact["path"] not in by["high"])
        if missed:
            print(f"{'':<34} missed: {', '.join(missed[:12])}{' …' if len(missed) > 12 else ''}")


def peers(folder: Path, title: str) -> None:
    """What others say about the same files; one call for each file."""
    commands: dict[str, Callable[[Path], Sequence[str]]] = {
        "onnx.checker": lambda path: [
            sys.executable,
            "-c",
            f"import onnx; onnx.checker.check_model({str(path)!r}, full_check=True)",
        ],
        "modelaudit": lambda path: ["modelaudit", "scan", str(path)],
        "modelscan": lambda path: ["modelscan", "scan", "-p", str(path)],
    }
    files = sorted(folder.glob("*.onnx"))
    for name, command in commands.items():
        if name != "onnx.checker" and shutil.which(name) is None:
            continue
        objected = 0
        for path in files:
            with contextlib.suppress(subprocess.TimeoutExpired):
                done = subprocess.run(command(path), capture_output=True, env=_QUIET, timeout=120, check=False)
                objected += done.returncode == 1
        print(f"{title + ' by ' + name:<34} objects to {wilson(objected, len(files))}", flush=True)


def timing(folder: Path) -> None:
    """A chain of 10,000 and of 50,000 nodes against onnx.load, in CPU seconds."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = __import__("numpy").random.default_rng(0)
    for count in (10_000, 50_000):
        path = folder / f"chain-{count}.onnx"
        nodes, last = [], "x"
        for step in range(count // 4):
            nodes += [
                helper.make_node("MatMul", [last, "w"], [f"a{step}"], name=f"m{step}"),
                helper.make_node("Relu", [f"a{step}"], [f"b{step}"], name=f"r{step}"),
                helper.make_node("Mul", [f"b{step}", f"a{step}"], [f"c{step}"], name=f"u{step}"),
                helper.make_node("Add", [f"c{step}", last], [f"d{step}"], name=f"p{step}"),
            ]
            last = f"d{step}"
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", 16]) for name in ("x", last)]
        weights = numpy_helper.from_array(rng.normal(size=(16, 16)).astype("float32"), "w")
        graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], [weights])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
        load = _cpu([sys.executable, "-c", f"import onnx; onnx.load({str(path)!r})"]) - _cpu(
            [sys.executable, "-c", "import onnx"]
        )
        small = _cpu([sys.executable, "-m", "modelscan_plus", "--version"])
        own = _cpu([sys.executable, "-m", "modelscan_plus", "scan", "-q", str(path)])
        print(f"{count:,} nodes: scan {own:.2f} s CPU in all (start {small:.2f}), onnx.load {load:.3f} s", flush=True)


def _cpu(command: Sequence[str]) -> float:
    best = math.inf
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_QUIET, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", action="store_true", help="ask the peers that are installed as well")
    arguments = parser.parse_args()
    write(arguments.folder)
    for name, title, hostile in (
        ("known", "known kinds", True),
        ("evasions", "evasions", True),
        ("honest", "honest", False),
        ("script-known", "TorchScript, known kinds", True),
        ("script-evasions", "TorchScript, evasions", True),
        ("script-honest", "TorchScript, honest", False),
    ):
        line(title, scan(arguments.folder / name), hostile=hostile)
    for name, title, hostile in (("evasions", "evasions, --dormancy", True), ("honest", "honest, --dormancy", False)):
        line(title, scan(arguments.folder / name, "--dormancy"), hostile=hostile)
    timing(arguments.folder)
    if arguments.peers:
        for name, title in (("known", "known kinds"), ("evasions", "evasions"), ("honest", "honest")):
            peers(arguments.folder / name, title)


if __name__ == "__main__":
    main()
