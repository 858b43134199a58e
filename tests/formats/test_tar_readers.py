"""Whatever Python's tarfile and GNU tar take out of a tar has been looked into; sparse members are put together."""

import contextlib
import io
import random
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.make.archives import HONEST, tar_of
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.core.coverage import CoverageState
from tests.formats.zip_readers import inspected
from tests.samples import inspect, rules

GNU_TAR = shutil.which("tar")
BLOCK = 512


def build(chance: random.Random) -> bytes:
    """An honest archive of random members in one of three flavours."""
    buffer = io.BytesIO()
    flavour = chance.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=buffer, mode="w", format=flavour) as archive:
        for number in range(chance.randrange(1, 4)):
            info = tarfile.TarInfo(f"m/{number}" + "-long" * chance.choice((0, 0, 18 if flavour == 0 else 40)))
            info.size = chance.choice((40, 700, 30))
            info.type = chance.choice((tarfile.REGTYPE, tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE))
            archive.addfile(info, io.BytesIO(chance.randbytes(info.size)))
    return buffer.getvalue()


def mutated(seed: int) -> bytes:
    """One header changed, its checksum put right again most of the time; or archives behind each other."""
    chance = random.Random(seed)
    data = bytearray(build(chance))
    headers = [at for at in range(0, len(data), BLOCK) if data[at + 257 : at + 262] == b"ustar"]
    what = chance.random()
    if what < 0.1:
        data += build(chance)
    elif what < 0.2:
        at = chance.choice(headers)
        data[at:at] = chance.choice((bytes(BLOCK), bytes(2 * BLOCK), build(chance), chance.randbytes(BLOCK)))
    else:
        at = chance.choice(headers)
        field, width = chance.choice(((0, 2), (124, 12), (156, 1), (156, 1), (148, 8), (257, 8), (345, 4), (100, 8)))
        new = chance.choice(
            (b"\0" * 12, b"00000000007\0", b"0000001000 \0", b"\x80" + bytes(10) + b"\x50", chance.randbytes(12))
        )
        data[at + field : at + field + width] = (bytes((chance.choice(b"01257LKxgSVDNZ"),)) if field == 156 else new)[
            :width
        ]
        if field != 148 and chance.random() < 0.85:
            total = sum(data[at : at + 148]) + 8 * 32 + sum(data[at + 156 : at + BLOCK])
            data[at + 148 : at + 156] = b"%06o\0 " % total
    return bytes(data)


def by_tarfile(data: bytes) -> Iterator[bytes]:
    """Contents of all members, with and without the option that goes on behind zeros."""
    for going_on in (False, True):
        with contextlib.suppress(Exception), tarfile.open(fileobj=io.BytesIO(data), ignore_zeros=going_on) as archive:
            for info in archive:
                with contextlib.suppress(Exception):
                    member = archive.extractfile(info) if info.isreg() else None
                    if member is not None:
                        yield member.read()


def by_gnu_tar(path: Path) -> bytes:
    """All contents that GNU tar extracts, one behind the other."""
    return subprocess.run(["tar", "-xOf", str(path)], capture_output=True, check=False, stdin=subprocess.DEVNULL).stdout


def pieces_seen(output: bytes, seen: set[bytes]) -> bool:
    """True when `output` is made of contents that were looked into."""
    while output:
        known = max((content for content in seen if content and output.startswith(content)), key=len, default=None)
        if known is None:
            return any(output in content for content in seen)
        output = output[len(known) :]
    return True


def test_what_tarfile_hands_out_was_looked_into() -> None:
    for seed in range(600):
        data = mutated(seed)
        seen = inspected(data)[1]
        missed = [seed for content in by_tarfile(data) if not any(content in known for known in (b"", *seen))]
        assert missed == []


@pytest.mark.skipif(GNU_TAR is None, reason="tar is not installed")
def test_what_gnu_tar_unpacks_was_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "archive.tar"
    for seed in range(1000, 1120):
        path.write_bytes(mutated(seed))
        assert pieces_seen(by_gnu_tar(path), inspected(path.read_bytes())[1]), seed


@pytest.mark.skipif(GNU_TAR is None, reason="tar is not installed")
@pytest.mark.parametrize(
    "options", [["--format=gnu"], *(["--format=pax", f"--sparse-version={v}"] for v in ("0.0", "0.1", "1.0"))]
)
def test_sparse_members_are_put_together(tmp_path: Path, options: list[str]) -> None:
    path = tmp_path / "model.pkl"
    spread = bytearray(PAYLOAD + bytes(1 << 20))
    for number in range(1, 12):  # more pieces than fit into the first header
        spread[number * 65536 : number * 65536 + 4] = b"data"
    with path.open("wb") as file:
        file.truncate(len(spread))
        for at in range(0, len(spread), 4096):
            if any(spread[at : at + 4096]):
                file.seek(at)
                file.write(spread[at : at + 4096])
    done = subprocess.run(["tar", "-S", *options, "-cf", "a.tar", "model.pkl"], cwd=tmp_path, check=False)
    data = (tmp_path / "a.tar").read_bytes()
    if done.returncode or len(data) > len(spread) // 2:
        pytest.skip("this file system or tar does not keep holes")
    assert bytes(spread) in inspected(data)[1]
    assert "MSP1001" in rules(data, "a.tar")


def test_a_second_archive_behind_the_end_is_looked_into() -> None:
    first = tar_of(("a.pkl", HONEST))
    for between in (b"", bytes(5 * BLOCK)):
        assert {"MSP1001", "MSP2007"} <= rules(first + between + tar_of(("b.pkl", PAYLOAD)), "a.tar")


def test_an_archive_whose_last_member_is_an_archive_is_one_thing() -> None:
    from fixtures.make.archives import torch_zip

    result = inspect(tar_of(("a.pkl", HONEST), ("model.pt", torch_zip())), "model.nemo")
    assert result.formats == ("tar",)
    assert result.findings == ()
    assert result.coverage.state is CoverageState.ANALYSED
    assert {"MSP2009"} <= rules(HONEST + torch_zip(PAYLOAD), "model.pkl")


def test_several_archives_at_the_end_are_members_too() -> None:
    from fixtures.make.archives import torch_zip, zip_of

    data = tar_of(("a.pt", torch_zip()), ("b.npz", zip_of(("x.npy", b""))), ("c.pt", torch_zip()))
    result = inspect(data, "models.tar")
    assert (result.formats, [f.rule for f in result.findings if f.severity.rank > 1]) == (("tar",), [])
