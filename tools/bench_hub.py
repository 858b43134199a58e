"""`make bench-hub`: what a remote scan costs, on the loopback hub of the tests.

For each kind of file the bytes and ranges that were fetched, and seconds of wall time for `scan` in this process,
first as fast as the loopback is, then with 60 ms for each answer of the hub and 30 ms for each of the CDN (no limit
of bandwidth, no TLS). With --check, exit status 1 where a goal of docs/hub.md is missed.
"""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from modelscan_plus.core.text import human_bytes
from modelscan_plus.pipeline import Options, scan_targets
from modelscan_plus.policy.load import load_policy
from tests.hub import sparse
from tests.hub.server import Content, File, Hub, running


@dataclass(frozen=True)
class Case:
    """One repository and the bytes and ranges that its scan may take."""

    name: str
    files: dict[str, Content]
    bytes: int
    ranges: int


def _cases() -> list[Case]:
    shards = {f"model-{number}-of-4.safetensors": sparse.safetensors(500_000_000) for number in range(1, 5)}
    checkpoint = sparse.torch_zip(291, 2_000_000_000, sparse.state(291, sparse.PAYLOAD))
    return [
        Case("torch zip 2 GB", {"pytorch_model.bin": checkpoint}, 200_000, 3),
        Case("safetensors 4 x 500 MB", shards, 300_000, 8),
        Case("GGUF 1 GB", {"model.gguf": sparse.gguf(1_000_000_000)}, 13_000_000, 20),
        Case("pickle 315 MB", {"model.pkl": sparse.blobs(75, 4 << 20)}, 2_000_000, 200),
        Case("joblib 315 MB", {"model.joblib": sparse.joblib(75, 4 << 20)}, 2_000_000, 200),
        Case("legacy torch 314 MB", {"legacy.pt": sparse.legacy(314_000_000)}, 200_000, 3),
        Case(
            "repository 2 GB",
            {**shards, "config.json": Content(b"{}"), "README.md": Content(b"# A model\n")},
            320_000,
            8,
        ),
    ]


def _point_to(hub: Hub) -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    close_session()
    constants.ENDPOINT = hub.url
    os.environ.pop("HF_TOKEN", None)


def _measured(case: Case, *, slow: bool) -> tuple[int, int, float, float]:
    """Bytes, ranges, seconds of wall time and of this process and its children."""
    with running() as hub:
        _point_to(hub)
        files = {path: File(content, lfs=content.size > 100) for path, content in case.files.items()}
        hub.repo("org/model").commit(files)
        for file in files.values():
            hub.etag(file)
        if slow:
            hub.hub_latency, hub.cdn_latency = 0.06, 0.03
        before = sum(os.times()[:4])
        started = time.perf_counter()
        scan_targets(["hf:org/model"], Options(policy=load_policy(None), jobs=2))
        seconds = time.perf_counter() - started
        return hub.body_bytes(), len(hub.asked("cdn", "GET")), seconds, sum(os.times()[:4]) - before


def main() -> int:
    """Print the table."""
    missed = 0
    size = 0
    print(f"{'':24}{'size':>10}{'read':>10}{'ranges':>8}{'loopback':>10}{'60/30 ms':>10}{'CPU':>8}")
    for case in _cases():
        size = sum(content.size for content in case.files.values())
        read, ranges, fast, _ = _measured(case, slow=False)
        _, _, slow, cpu = _measured(case, slow=True)
        wrong = read > case.bytes or ranges > case.ranges
        missed += wrong
        print(
            f"{case.name:24}{human_bytes(size):>10}{human_bytes(read):>10}{ranges:>8}{fast:>9.2f}s{slow:>9.2f}s{cpu:>7.2f}s"
            + (f"   more than {human_bytes(case.bytes)} or {case.ranges} ranges" if wrong else "")
        )
    return int(bool(missed) and "--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
