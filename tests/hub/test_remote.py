"""Ranges of a remote file: the same bytes as a local file gives, and a stated failure for each way to go wrong."""

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelscan_plus.core.bytesource import ReadFailed
from modelscan_plus.sources.hub import client
from modelscan_plus.sources.hub.api import HubApi
from modelscan_plus.sources.hub.remote import BLOCK, RemoteFile
from modelscan_plus.sources.hub.target import HubTarget
from modelscan_plus.sources.hub.transfer import Transfer
from tests.hub.server import TOKEN, Content, Faults, File, Hub

BIG = random.Random(4).randbytes(1_300_001)


def remote(
    hub: Hub, content: Content, *, lfs: bool = True, seconds: float = 20.0, budget: int = 64 << 20
) -> RemoteFile:
    """The file "model.bin" of a repository that holds nothing else."""
    hub.repo("org/model").commit({"model.bin": File(content, lfs=lfs)})
    api = HubApi()
    repository = api.repository(HubTarget("org/model"))
    url = hub.url + HubTarget("org/model").file("model.bin", repository.commit)
    transfer = Transfer(api.endpoint, client.request_headers())
    return RemoteFile(transfer, url, repository.commit, repository.files[0], seconds=seconds, budget=budget)


def failure(action: Callable[[], object]) -> ReadFailed:
    with pytest.raises(ReadFailed) as caught:
        action()
    return caught.value


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.sampled_from([0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 131_072, 131_073, 500_000, len(BIG)]),
    reads=st.lists(st.tuples(st.integers(-5, len(BIG) + 5), st.integers(-1, 300_000)), max_size=12),
    lfs=st.booleans(),
)
def test_reads_are_those_of_the_bytes(hub: Hub, size: int, reads: list[tuple[int, int]], lfs: bool) -> None:
    data = BIG[:size]
    source = remote(hub, Content(data), lfs=lfs)
    for offset, length in reads:
        expected = data[offset : offset + length] if offset >= 0 and length > 0 else b""
        assert source.pread(offset, length) == expected


def test_the_cache_is_bounded_and_evicted_blocks_come_again(hub: Hub) -> None:
    size = 40 << 20
    source = remote(hub, Content({size - 3: b"end"}, size))
    for offset in range(0, size, 1 << 20):
        assert source.pread(offset, 1 << 20).count(0) >= (1 << 20) - 3
    assert len(source._blocks) * BLOCK <= 16 << 20
    assert source.pread(0, 10) == bytes(10)
    assert source.pread(size - 3, 3) == b"end"


def test_reading_ahead_doubles_only_while_reading_goes_on(hub: Hub) -> None:
    source = remote(hub, Content({}, 50 << 20))
    for offset in range(0, 4 << 20, 1 << 14):
        source.pread(offset, 1 << 14)
    sequential = [request.sent for request in hub.asked("cdn", "GET")]
    assert sequential[0] == 1 << 16
    assert max(sequential) == 1 << 20
    assert len(sequential) < 10
    before = hub.body_bytes()
    for offset in range(10 << 20, 50 << 20, 4 << 20):
        source.pread(offset, 30)
    assert hub.body_bytes() - before == 10 * BLOCK


def test_near_gaps_are_fetched_in_one_range(hub: Hub) -> None:
    source = remote(hub, Content({}, 50 << 20))
    source.pread(20 << 20, 10)
    source.pread((20 << 20) + 4 * BLOCK, 10)
    before = len(hub.asked("cdn", "GET"))
    source.pread(20 << 20, 8 * BLOCK)
    assert len(hub.asked("cdn", "GET")) == before + 1


def test_the_hub_is_asked_once_and_the_token_stays_there(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    source = remote(hub, Content(BIG))
    for offset in range(0, len(BIG), 100_000):
        source.pread(offset, 10)
    assert len(hub.asked("hub", "HEAD", "/resolve/")) == 1
    assert {request.authorization for request in hub.asked("hub")} == {f"Bearer {TOKEN}"}
    assert {request.authorization for request in hub.asked("cdn")} == {""}


def test_a_mirror_that_serves_large_files_itself_works(hub: Hub) -> None:
    hub.direct = True
    source = remote(hub, Content(BIG))
    assert source.pread(700_000, 100) == BIG[700_000:700_100]
    assert hub.asked("cdn") == []


TRAPS: dict[str, tuple[Faults, str]] = {
    "range-ignored": (Faults(ignore_range=True), "range-ignored"),
    "wrong-start": (Faults(content_range=lambda a, b, n: f"bytes 0-{b - a - 1}/{n}"), "remote-inconsistent"),
    "lying-total": (Faults(content_range=lambda a, b, n: f"bytes {a}-{b - 1}/{n + 1}"), "remote-inconsistent"),
    "no-content-range": (Faults(content_range=lambda a, b, n: ""), "remote-inconsistent"),
    "etag-swap": (Faults(etags=lambda n: f"e{n > 0}"), "changed"),
    "encoded": (Faults(encoding="gzip"), "remote-inconsistent"),
    "endless": (Faults(endless=True), "remote-inconsistent"),
    "forbidden": (Faults(forbidden=lambda n: True), "remote-forbidden"),
    "patience": (Faults(limited=lambda n: True, retry_after=86_400), "rate-limited"),
    "hub-patience": (Faults(hub_limited=lambda n: True, retry_after=86_400), "rate-limited"),
    "short": (Faults(short=lambda n: 1), "network"),
    "gone": (Faults(failing=lambda n: 404), "remote-missing"),
    "too-short": (Faults(failing=lambda n: 416), "remote-inconsistent"),
    "broken": (Faults(failing=lambda n: 502), "network"),
    "other-file": (Faults(hub_etag=lambda n: "0" * 64), "changed"),
}


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.timeout(60)
def test_each_trap_ends_in_a_stated_failure_and_in_time(hub: Hub, trap: str) -> None:
    hub.faults["model.bin"], code = TRAPS[trap]
    source = remote(hub, Content({}, 300 << 20), seconds=2.0)

    def read() -> None:
        source.pread(0, 10)
        source.pread(200 << 20, 10)

    assert failure(read).code == code
    assert hub.body_bytes() < 4 << 20
    asked = len(hub.log)
    assert failure(lambda: source.pread(0, 1)).code == code
    assert len(hub.log) == asked
    assert source.changed == (code == "changed")


PASSING: dict[str, Faults] = {
    "expires": Faults(),
    "forbidden-once": Faults(forbidden=lambda n: n == 1),
    "limited-once": Faults(limited=lambda n: n == 1, retry_after=0),
    "broken-once": Faults(failing=lambda n: 503 if n == 1 else 0),
    "short-once": Faults(short=lambda n: 5 if n == 1 else 0),
    "hub-limited-once": Faults(hub_limited=lambda n: n == 0, retry_after=0),
}


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_overcome(hub: Hub, fault: str) -> None:
    hub.faults["model.bin"] = PASSING[fault]
    hub.lifetime = 0.3 if fault == "expires" else 3600
    source = remote(hub, Content(BIG))
    assert source.pread(0, 10) == BIG[:10]
    if fault == "expires":
        time.sleep(0.35)
    assert source.pread(900_000, 300_000) == BIG[900_000:1_200_000]
    if fault == "expires":
        assert len(hub.asked("hub", "HEAD", "/resolve/")) == 2


def test_a_renewed_address_must_name_the_same_file(hub: Hub) -> None:
    hub.faults["model.bin"] = Faults(forbidden=lambda n: n == 1, hub_etag=lambda n: real if n == 0 else "f" * 64)
    content = Content(BIG)
    real = content.digest("sha256")
    source = remote(hub, content)
    source.pread(0, 10)
    assert failure(lambda: source.pread(900_000, 10)).code == "changed"


@pytest.mark.parametrize("lfs", [True, False])
@pytest.mark.parametrize("size", [5000, len(BIG)])
@pytest.mark.parametrize("name", ["9e107d9d372bb6826bd81d3542a419d6", ""])
def test_a_mirror_may_name_files_in_its_own_way(hub: Hub, lfs: bool, size: int, name: str) -> None:
    hub.direct = True
    hub.faults["model.bin"] = Faults(hub_etag=lambda n: name)
    assert remote(hub, Content(BIG[:size]), lfs=lfs).pread(0, size) == BIG[:size]


def test_a_name_of_the_mirrors_own_that_changes_is_another_file(hub: Hub) -> None:
    hub.faults["model.bin"] = Faults(forbidden=lambda n: n == 1, hub_etag=lambda n: f"own-{n}")
    source = remote(hub, Content(BIG))
    source.pread(0, 10)
    assert failure(lambda: source.pread(900_000, 10)).code == "changed"


@pytest.mark.parametrize("lfs", [True, False])
def test_a_file_that_comes_whole_is_hashed(hub: Hub, lfs: bool) -> None:
    hub.faults["model.bin"] = Faults(other=Content(b"X" * 5000))
    source = remote(hub, Content(BIG[:5000]), lfs=lfs)
    assert failure(lambda: source.pread(0, 10)).code == "changed"
    assert source.changed


def test_a_server_may_send_all_of_a_small_file(hub: Hub) -> None:
    hub.faults["model.bin"] = Faults(ignore_range=True)
    source = remote(hub, Content(BIG))
    assert source.pread(900_000, 10) == BIG[900_000:900_010]
    assert source.pread(0, len(BIG)) == BIG
    assert len(hub.asked("cdn")) == 1


def test_the_budget_holds(hub: Hub) -> None:
    source = remote(hub, Content({}, 50 << 20), budget=1 << 20)

    def read() -> None:
        for offset in range(0, 50 << 20, 1 << 16):
            source.pread(offset, 1 << 16)

    assert failure(read).code == "budget-remote"
    assert hub.body_bytes() <= 1 << 20


@pytest.mark.timeout(60)
def test_a_dripping_server_ends_with_the_time_of_the_file(hub: Hub) -> None:
    hub.faults["model.bin"] = Faults(silent=5.0)
    source = remote(hub, Content(BIG), seconds=0.5)
    assert failure(lambda: source.pread(0, 10)).code in ("timeout", "network")
