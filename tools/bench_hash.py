"""Hashing, in ratios of processor time within one run: against OpenSSL itself, and a scan that hashes against hashing.

`make bench-hash` (`--size` in MB, `--rounds`). Rounds alternate between what is compared, and the best of each counts,
so that a busy machine disturbs both alike. Files are written to the folder for temporary files and read from the page
cache: processor time is measured, not the disk.
"""

import argparse
import hashlib
import io
import os
import pickle
import re
import resource
import shutil
import struct
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from modelscan_plus.pipeline import Options, scan_targets
from modelscan_plus.policy.load import load_policy
from modelscan_plus.sources.local import LocalSource
from modelscan_plus.trust.tree import measure

_TARGETS = {"hash against openssl speed": 0.85, "scan + hash against hash": 1.35}


def cpu() -> float:
    """Processor seconds of this process and of its children that have ended."""
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def seconds(job: Callable[[], object]) -> float:
    """Processor time of one call."""
    before = cpu()
    job()
    return cpu() - before


def openssl_speed() -> float | None:
    """Bytes per processor second of `openssl speed` at blocks of 16 KiB; None where there is no openssl."""
    program = shutil.which("openssl")
    if program is None:
        return None
    command = [program, "speed", "-mr", "-seconds", "1", "-bytes", "16384", "-evp", "sha256"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^\+F:.*:([\d.]+)$", output, re.MULTILINE)
    return float(found[1]) if found else None


def hashlib_speed() -> float:
    """The same through hashlib, for machines without the program: no reading at all."""
    block = os.urandom(1 << 14)
    digest = hashlib.sha256()
    count = 1 << 15

    def run() -> None:
        for _ in range(count):
            digest.update(block)

    return count * len(block) / seconds(run)


def noise(seed: int, size: int) -> bytes:
    """Bytes that nothing can shorten or skip, the same for each seed."""
    return hashlib.shake_128(bytes([seed])).digest(1 << 20) * (size >> 20) + bytes(size & 0xFFFFF)


def safetensors(size: int) -> bytes:
    """Random weights in one tensor."""
    header = b'{"w":{"dtype":"U16","shape":[%d],"data_offsets":[0,%d]}}' % (size // 2, size // 2 * 2)
    return struct.pack("<Q", len(header)) + header + noise(1, size // 2 * 2)


def torch_zip(size: int) -> bytes:
    """A checkpoint as torch.save writes it: a small pickle and stored tensors."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("model/data.pkl", pickle.dumps({"layers": list(range(1000))}, 2))
        archive.writestr("model/version", "3\n")
        for number in range(16):
            archive.writestr(f"model/data/{number}", noise(number, size // 16))
    return made.getvalue()


def npy(size: int) -> bytes:
    """An array of float32."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }" % (size // 4)
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + noise(2, size // 4 * 4)


def raw_pickle(size: int) -> bytes:
    """A pickle of eight byte strings: the machine steps over them, and must look at each."""
    return pickle.dumps([noise(number, size // 8) for number in range(8)], 4)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", type=int, default=400, metavar="MB")
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    size = chosen.size * 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        for make in (safetensors, torch_zip, npy, raw_pickle):
            path = Path(folder, make.__name__.replace("_", "-"))
            path.mkdir()
            (path / f"model.{make.__name__}").write_bytes(make(size))
        shards = Path(folder, "shards")
        shards.mkdir()
        for number in range(4):
            (shards / f"{number}.safetensors").write_bytes(safetensors(size // 4))
        speed(Path(folder), chosen.rounds)
        for path in sorted(Path(folder).iterdir()):
            scan_and_hash(path, chosen.rounds)


def speed(folder: Path, rounds: int) -> None:
    """The hash of files against the hash of bytes that are already there."""
    peer, alone, threaded = [], [], []
    single, several = folder / "safetensors", folder / "shards"
    for _ in range(rounds):
        peer.append(openssl_speed() or hashlib_speed())
        alone.append(_bytes(single) / seconds(lambda: measure(LocalSource(str(single)).entries())))
        threaded.append(_bytes(several) / seconds(lambda: measure(LocalSource(str(several)).entries(), jobs=2)))
    name = "openssl speed" if shutil.which("openssl") else "hashlib on bytes in cache"
    goal = _TARGETS["hash against openssl speed"]
    print(f"{name:<34} {max(peer) / 1e9:6.2f} GB per processor second")
    for what, rates in (("tree hash, one file", alone), ("tree hash, four files, two threads", threaded)):
        print(f"{what:<34} {max(rates) / 1e9:6.2f} GB per processor second, {max(rates) / max(peer):.2f} (goal {goal})")


def scan_and_hash(path: Path, rounds: int) -> None:
    """A scan with --hash against the hash alone, and against the scan without."""
    policy = load_policy("builtin:default")
    scan = lambda sha256: scan_targets([str(path)], Options(policy=policy, sha256=sha256, jobs=2))  # noqa: E731
    scan(True)
    both, alone, only = [], [], []
    for _ in range(rounds):
        alone.append(seconds(lambda: measure(LocalSource(str(path)).entries(), jobs=2)))
        time.sleep(0.1)  # a process forks only when the system has put the threads of the hash away
        both.append(seconds(lambda: scan(True)))
        only.append(seconds(lambda: scan(False)))
    ratio = min(both) / min(alone)
    print(
        f"{path.name:<14} hash {min(alone):.3f} s, scan {min(only):.3f} s, both {min(both):.3f} s: "
        f"{ratio:.2f} × hash alone (goal at most {_TARGETS['scan + hash against hash']})"
    )


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir())


if __name__ == "__main__":
    main()
