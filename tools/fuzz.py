"""`python tools/fuzz.py --runs N`: throw broken files at the inspection and see that it never throws back.

Two thirds of the inputs are mutated sample models (fixtures/make), the rest random streams with the beginning of some
format. Each is inspected in this process, with small limits: the result must survive the way to the parent and into
JSON, and no exception may escape. Whatever fails is written to a folder, with its traceback. The same seed gives the
same inputs.
"""

import argparse
import random
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fixtures.make.__main__ import all_samples
from modelscan_plus.collected import inert_copy
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.limits import Limits
from modelscan_plus.formats.registry import FORMATS
from modelscan_plus.inspection import Inspector
from modelscan_plus.workers.frames import HEADER, decode, encode
from modelscan_plus.workers.interface import Reply

LIMITS = Limits(
    max_entries=2_000,
    max_opcodes=50_000,
    max_objects=20_000,
    max_decompressed=4 << 20,
    max_header=1 << 20,
    seconds=20.0,
)
LARGEST = 1 << 18
"""Bytes of an input; samples that are larger are cut before they are mutated."""
SLOW = 10.0
"""Seconds after which an input counts as a failure: no limit stopped it."""
INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x5B, 0x7B, 0x2E)
WORDS = (
    b"\x80\x04",
    b"\x80\x02",
    b"PK\3\4",
    b"PK\1\2",
    b"PK\5\6",
    b"\x93NUMPY\1\0",
    b'{"a":',
    b"ustar\x0000",
    b"\x1f\x8b\x08",
)
ENDINGS = sorted({ending for known in FORMATS for ending in known.extensions} | {".txt", ""})

Mutation = Callable[[random.Random, bytearray], None]


def flip(chance: random.Random, data: bytearray) -> None:
    """Change one byte."""
    data[chance.randrange(len(data))] = chance.choice((*INTERESTING, chance.randrange(256)))


def number(chance: random.Random, data: bytearray) -> None:
    """Write a large or odd integer over 2, 4 or 8 bytes."""
    form = chance.choice(("<H", "<I", "<Q", ">I"))
    width = struct.calcsize(form)
    value = chance.choice((0, 1, len(data), 1 << (8 * width - 1), (1 << 8 * width) - 1, chance.getrandbits(8 * width)))
    start = chance.randrange(len(data))
    data[start : start + width] = struct.pack(form, value & ((1 << 8 * width) - 1))


def cut(chance: random.Random, data: bytearray) -> None:
    """Drop a stretch, most often the end."""
    start = chance.randrange(len(data))
    del data[start : chance.choice((len(data), start + 1 + chance.randrange(32)))]


def double(chance: random.Random, data: bytearray) -> None:
    """Repeat a stretch."""
    start = chance.randrange(len(data))
    part = data[start : start + 1 + chance.randrange(64)]
    data[start:start] = part * chance.choice((1, 2, 50))


def insert(chance: random.Random, data: bytearray) -> None:
    """Insert the beginning of a format, or noise."""
    start = chance.randrange(len(data) + 1)
    data[start:start] = chance.choice((*WORDS, chance.randbytes(chance.randrange(1, 16))))


MUTATIONS: tuple[Mutation, ...] = (flip, flip, number, cut, double, insert)


def make_input(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One input: a mutated sample, two samples spliced, or noise behind the beginning of a format."""
    if chance.random() < 0.33:
        return chance.choice(WORDS) + chance.randbytes(chance.randrange(400))
    data = bytearray(chance.choice(seeds)[:LARGEST])
    if chance.random() < 0.1:
        data += chance.choice(seeds)[:LARGEST]
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        if data:
            chance.choice(MUTATIONS)(chance, data)
    return bytes(data[: 2 * LARGEST])


def failure(data: bytes, name: str) -> str | None:
    """What is wrong with the inspection of `data`, or None."""
    started = time.monotonic()
    try:
        result = Inspector(LIMITS).inspect(Artifact(name, BytesSource(data)))
        frame = encode(Reply(result))
        if decode(frame[HEADER.size :], Reply).result != result:
            return "the result is another one on the parent's side"
        for finding in result.findings:
            msgspec.json.encode(inert_copy(finding))
    except Exception:
        return traceback.format_exc()
    seconds = time.monotonic() - started
    return f"took {seconds:.1f} s" if seconds > SLOW else None


def main() -> int:
    """Exit status 1 when any input failed."""
    parser = argparse.ArgumentParser(description="Fuzz the inspection with broken sample models.")
    parser.add_argument("--runs", type=int, default=2000, help="inputs to try (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same inputs (default: %(default)s)")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    samples = all_samples()
    seeds = [sample.build() for sample in samples]
    endings = [*ENDINGS, *(PurePosixPath(sample.path).suffix for sample in samples)]
    folder: Path | None = None
    failures = 0
    started = time.monotonic()
    for run in range(options.runs):
        data, name = make_input(chance, seeds), "model" + chance.choice(endings)
        wrong = failure(data, name)
        if wrong is None:
            continue
        failures += 1
        folder = folder or Path(tempfile.mkdtemp(prefix="modelscan-plus-fuzz-"))
        (folder / f"{run}-{name}").write_bytes(data)
        (folder / f"{run}-{name}.failure.txt").write_text(wrong)
        print(f"run {run}: {wrong.strip().splitlines()[-1]}")
    rate = options.runs / max(time.monotonic() - started, 1e-9)
    print(
        f"{options.runs:,} runs from {len(seeds)} samples, {rate:,.0f} runs/s, {failures} failures"
        + (f", kept in {folder}" if folder else "")
    )
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
