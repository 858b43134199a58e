"""`python tools/fuzz_onnx.py --runs N`: broken ONNX models against our reader, and the reader against protobuf.

Sample models and random messages are mutated: bytes, varints, lengths and tags change, stretches are cut, repeated and
put elsewhere. Each goes through the wire reader, which must not raise. Where onnx is installed its protocol buffers are
the oracle: what they refuse must be fatal for us, what they accept must not be, and of every two-hundredth accepted
message each field must be the same. Every two-hundredth input also goes through the whole inspection with its rules.

The same seed gives the same inputs. Whatever fails is written to a folder.
"""

import argparse
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fixtures.make.onnx import SAMPLES
from fixtures.make.onnx_writer import varint
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.graphs.onnx.model import Model
from modelscan_plus.formats.graphs.onnx.schema import MODEL
from modelscan_plus.formats.graphs.protobuf import WireReader
from modelscan_plus.inspection import Inspector

try:
    import onnx
    from google.protobuf.message import DecodeError

    from tests.graphs.protos import differences, random_message
except ImportError:
    onnx = None

LIMITS = Limits(max_objects=200_000, seconds=10.0)
_ODD = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x08, 0x0A, 0x12, 0x3A, 0x0B, 0x0C, 0x0D, 0x09)
_VARINTS = (0, 1, 127, 128, 16383, 16384, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_WHOLE = 200
"""Of this many inputs one is compared field by field and inspected with all rules."""


def seeds() -> list[bytes]:
    """Small models: the samples, and messages with every field of the format."""
    found = [data for sample in SAMPLES if len(data := sample.build()) < 6_000]
    if onnx is not None:
        for seed in range(40):
            proto = onnx.ModelProto()
            random_message(random.Random(seed), proto, depth=3)
            data = proto.SerializeToString()
            if 0 < len(data) < 6_000:
                found.append(data)
    return found


def mutate(chance: random.Random, data: bytearray, others: list[bytes]) -> None:
    """One change."""
    at = chance.randrange(len(data))
    match chance.randrange(7):
        case 0 | 1:
            data[at] = chance.choice((*_ODD, chance.randrange(256)))
        case 2:
            data[at : at + 1] = varint(chance.choice((*_VARINTS, len(data), len(data) - at)))
        case 3:
            del data[at : at + 1 + chance.randrange(16)]
        case 4:
            data[at:at] = data[at : at + 1 + chance.randrange(64)] * chance.choice((1, 2, 9))
        case 5:
            data[at] = (data[at] + chance.choice((-1, 1, 2, -2))) & 255
        case 6:
            other = chance.choice(others)
            start = chance.randrange(len(other))
            data[at:at] = other[start : start + 1 + chance.randrange(80)]


def wrong(data: bytes, *, whole: bool) -> str | None:
    """What is wrong with our reading of `data`, or None."""
    try:
        model, reader = Model(), WireReader(BytesSource(data), Budget(LIMITS))
        reader.read(MODEL, model)
        if whole:
            Inspector(LIMITS).inspect(Artifact("model.onnx", BytesSource(data)))
    except Exception:
        return traceback.format_exc()
    if onnx is None:
        return None
    fatal = any(anomaly.fatal for anomaly in reader.anomalies)
    try:
        proto = onnx.ModelProto.FromString(data)
    except DecodeError:
        # Packed numbers of tensors are stepped over unread, so what is wrong in them is not seen.
        lenient = not fatal and not reader.data and not {"too-deep", "not-utf8", "long-text"} & reader.counts.keys()
        return "protobuf refuses what we take for whole" if lenient else None
    if fatal and "group" not in reader.counts:  # inside of groups, upb looks at nothing
        return f"protobuf accepts what we call broken: {reader.anomalies[:2]}"
    if whole and not fatal and "long-text" not in reader.counts and "not-utf8" not in reader.counts:
        found = list(differences(proto, model))
        return "; ".join(found[:3]) or None
    return None


def main() -> int:
    """Exit status 1 when any input failed."""
    parser = argparse.ArgumentParser(description="Fuzz the ONNX reader.")
    parser.add_argument("--runs", type=int, default=20_000, help="inputs to try (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same inputs (default: %(default)s)")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    known = seeds()
    folder: Path | None = None
    failures = 0
    started = time.monotonic()
    for run in range(options.runs):
        data = bytearray(chance.choice(known))
        for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
            if data:
                mutate(chance, data, known)
        said = wrong(bytes(data[:20_000]), whole=run % _WHOLE == 0)
        if said is None:
            continue
        failures += 1
        folder = folder or Path(tempfile.mkdtemp(prefix="modelscan-plus-fuzz-onnx-"))
        (folder / f"{run}.onnx").write_bytes(data)
        (folder / f"{run}.txt").write_text(said)
        if failures <= 20:
            print(f"run {run}: {said.strip().splitlines()[-1][:300]}")
    rate = options.runs / max(time.monotonic() - started, 1e-9)
    oracle = f"with onnx {onnx.__version__} as the oracle" if onnx is not None else "without an oracle"
    print(
        f"{options.runs:,} runs from {len(known)} models {oracle}, {rate:,.0f} runs/s, {failures} failures"
        + (f", kept in {folder}" if folder else "")
    )
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
