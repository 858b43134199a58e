"""The routine "weights-delta": its time against that of reading both files, its memory, and what it says of zoo models.

    python -m tools.probe_bench.delta [--megabytes 500] [--zoo SEED…]

Goals: three times the time of reading, 300 MB. With `--zoo`, worlds of text classifiers are trained from scratch and
every model is compared with the encoder that it began at: honest ones must give no sign, edits must, and the tokens of
triggers should stand at the head of the order in which rows are said to have moved.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from modelscan_plus.core.bytesource import FileSource
from modelscan_plus.core.probe import ProbeOutcome
from modelscan_plus.probe.delta.routine import WeightsDelta
from modelscan_plus.probe.delta.rows import moved_rows
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Job, Spec, silent

MOST_RATIO, MOST_MEMORY = 3.0, 300
_WIDTH, _ROWS = 1024, 30_000
_ROUNDS = 9
_SHAPES = {"q": (1, 1), "k": (1, 1), "v": (1, 1), "o": (1, 1), "up": (4, 1), "down": (1, 4)}
"""Matrices of a layer, in units of the width."""
TABLE = "bert.embeddings.word_embeddings.weight"


def main() -> None:
    """Print the figures; exit with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--zoo", type=int, nargs="*", default=[])
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        _measure(*map(Path, given.child))
        return
    good = _speed(given.megabytes)
    for seed in given.zoo:
        _zoo(seed)
    sys.exit(0 if good else 1)


def _speed(megabytes: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        base, tuned = Path(folder, "base"), Path(folder, "tuned")
        _write(base, megabytes, tuned=False)
        _write(tuned, megabytes, tuned=True)
        command = [sys.executable, "-m", "tools.probe_bench.delta", "--child", str(tuned), str(base)]
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, env={**os.environ, **threads}, capture_output=True, text=True, check=True)
    reading, routine, memory = (float(word) for word in done.stdout.split())
    ratio = routine / reading
    print(f"two files of {megabytes} MB, every tensor changed: reading {reading:.2f} s, routine {routine:.2f} s")
    print(f"ratio {ratio:.1f} (goal {MOST_RATIO:g}), memory {memory:.0f} MB (goal {MOST_MEMORY})")
    return ratio <= MOST_RATIO and memory <= MOST_MEMORY


def _measure(tuned: Path, base: Path) -> None:
    """In a process of its own: CPU-seconds of reading, of the routine, and the largest memory in MB."""
    with _opened(tuned) as mine, _opened(base) as theirs:
        job = Job(Spec(), mine.files, references=(theirs.files,))
        reading, routine = [], []
        for _ in range(_ROUNDS):  # in turns, so that a busy machine is busy for both
            reading.append(_reading(mine, theirs))
            start = time.process_time()
            WeightsDelta(job).run(silent)
            routine.append(time.process_time() - start)
    # The rusage of a started program still knows the size of the one that started it.
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    print(min(reading), min(routine), int(peak[1]) / 1024 if peak else 0.0)


def _reading(*folders: "_opened") -> float:
    start = time.process_time()
    for folder in folders:
        for name in folder.files:
            source = folder.files[name]
            for offset in range(0, source.size, 1 << 20):
                source.pread(offset, 1 << 20)
    return time.process_time() - start


class _opened:  # noqa: N801  (a context manager that reads like a function)
    """A folder's files, open."""

    def __init__(self, folder: Path) -> None:
        self._handles = {path.name: path.open("rb") for path in sorted(folder.iterdir()) if path.is_file()}
        sources = {name: FileSource(f.fileno(), os.fstat(f.fileno()).st_size) for name, f in self._handles.items()}
        self.files = ModelFiles(sources, folder.name)

    def __enter__(self) -> "_opened":
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles.values():
            handle.close()


def _write(folder: Path, megabytes: int, *, tuned: bool) -> None:
    """A model of about that size in F32; the tuned one is the base with every number changed a little."""
    import json
    import struct

    folder.mkdir()
    shapes = dict(_parts(megabytes << 20))
    entries, end = {}, 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        entries[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    header = json.dumps(entries).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        values, noise = np.random.default_rng(0), np.random.default_rng(1)
        for shape in shapes.values():
            tensor = values.standard_normal(shape, np.float32) * np.float32(0.02)
            if tuned:
                tensor += noise.standard_normal(shape, np.float32) * np.float32(0.001)
            file.write(tensor.tobytes())


def _parts(size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield TABLE, (_ROWS, _WIDTH)
    left = size - 4 * _ROWS * _WIDTH
    layer = 0
    while left > 0:
        for name, (high, wide) in _SHAPES.items():
            yield f"bert.{layer}.{name}", (high * _WIDTH, wide * _WIDTH)
            left -= 4 * high * wide * _WIDTH * _WIDTH
        layer += 1


def _zoo(seed: int) -> None:
    from tools.probe_zoo import text

    task, classes = text.DEVELOPMENT_TASKS[seed % len(text.DEVELOPMENT_TASKS)]
    zoo = text.load(seed, 12, 2, task=task, classes=classes)
    signs: dict[str, list[bool]] = {"honest": [], "planted": []}
    ranks: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        text.save_base(zoo[0].world, Path(folder, "base"))
        with _opened(Path(folder, "base")) as base:
            for model in zoo:
                place = Path(folder, model.name)
                text.save(model, place)
                with _opened(place) as mine:
                    report = WeightsDelta(Job(Spec(), mine.files, references=(base.files,))).run(silent)
                    order = moved_rows(mine.files, base.files, TABLE, most=64).order
                signs["planted" if model.attack else "honest"].append(report.outcome is ProbeOutcome.SUSPICIOUS)
                if model.attack not in ("", "failed"):
                    ranks += [order.index(token) if token in order else 999 for token in model.trigger_tokens()]
            edits = list(_edits(Path(folder, "base"), base))
    print(f"zoo {seed} ({task}, {classes} classes): signs in {_of(signs['honest'])} honest models, in "
          f"{_of(signs['planted'])} trained backdoors, in {_of(edits)} edits of the base")  # fmt: skip
    for first in (8, 16, 24):
        print(f"  tokens of triggers among the first {first} rows: {sum(r < first for r in ranks)} of {len(ranks)}")


def _of(hits: list[bool]) -> str:
    return f"{sum(hits)} of {len(hits)}"


def _edits(folder: Path, base: "_opened") -> Iterator[bool]:
    """Edits of the base without training: one to eight rows, and matrices of rank one or two. Whether each is seen."""
    from safetensors.numpy import load_file, save_file

    for number in range(20):
        random = np.random.default_rng(number)
        state: dict[str, Any] = load_file(folder / "model.safetensors")
        if number % 2:
            rows = random.choice(len(state[TABLE]), 1 + number % 8, replace=False)
            state[TABLE][rows] += random.standard_normal((len(rows), state[TABLE].shape[1])).astype(np.float32)
        else:
            name = random.choice([n for n in sorted(state) if n.endswith("output.dense.weight")])
            high, wide = state[name].shape
            rank = 1 + number // 2 % 2
            state[name] += (random.standard_normal((high, rank)) @ random.standard_normal((rank, wide))).astype(
                np.float32
            )
        with tempfile.TemporaryDirectory() as edited:
            save_file(state, Path(edited, "model.safetensors"))
            with _opened(Path(edited)) as mine:
                report = WeightsDelta(Job(Spec(), mine.files, references=(base.files,))).run(silent)
        yield report.outcome is ProbeOutcome.SUSPICIOUS


if __name__ == "__main__":
    main()
