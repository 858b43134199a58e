"""HDF5: what is found in its metadata, and that hostile bytes end as gaps."""

import random
import struct
from pathlib import Path

import pytest

from fixtures.make.hdf5 import BYTE, attribute, dataset, external_link, file, link, with_dataset
from fixtures.make.payloads import PAYLOAD
from modelscan_plus.core.bytesource import ByteSource, BytesSource
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.hdf5.groups import links
from modelscan_plus.formats.hdf5.reader import File
from modelscan_plus.formats.hdf5.values import attributes
from tests.samples import inspect, rules

LAMBDA = b'{"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__", "config": {"code": "4w=="}}}}'


def test_a_configuration_in_several_attributes_is_one() -> None:
    parts = [attribute(f"model_config{number}", LAMBDA[at : at + 40]) for number, at in enumerate(range(0, 120, 40))]
    assert "MSP5037" in rules(file(*parts), "model.h5")
    assert "MSP5037" not in rules(file(*parts[:2]), "model.h5")


@pytest.mark.parametrize("pickle", [PAYLOAD, b"I1\n0cposix\nsystem\n(S'true'\ntR."])
def test_attributes_that_readers_unpickle(pickle: bytes) -> None:
    assert "MSP1001" in rules(file(attribute("x", pickle)), "store.h5")


def test_a_pickle_among_the_bytes_of_a_dataset() -> None:
    assert "MSP1001" in rules(with_dataset("x", BYTE, (len(PAYLOAD),), PAYLOAD), "model.h5")
    assert "MSP1001" not in rules(with_dataset("x", BYTE, (64,), bytes(range(64))), "model.h5")


def test_raw_data_in_another_file() -> None:
    heap_at = 96 + 16 + 32 + len(link("x", 0))
    heap = b"HEAP" + bytes(4) + struct.pack("<QQQ", 16, 0, heap_at + 32) + b"/etc/shadow\0" + bytes(4)
    slots = struct.pack("<BxxxHHQ", 1, 1, 1, heap_at) + struct.pack("<QQQ", 0, 0, 8)
    message = struct.pack("<HHBxxx", 7, len(slots), 0) + slots
    data = file(link("x", heap_at + len(heap)), objects=heap + dataset(BYTE, (8,), None, 8, message))
    found = [each.message for each in inspect(data, "model.h5").findings if each.rule == "MSP3120"]
    assert found == ["/x: its data stands in another file: /etc/shadow."]


def test_a_group_that_holds_itself_ends() -> None:
    result = inspect(file(link("again", 96), external_link("w", "a.h5", "/")), "model.h5")
    assert result.coverage.state is CoverageState.ANALYSED
    assert [each.rule for each in result.findings] == ["MSP3120"]


def test_a_file_that_is_cut_is_no_clean_file() -> None:
    data = file(attribute("model_config", LAMBDA))
    for end in (20, 60, 100, len(data) - 8):
        assert inspect(data[:end], "model.h5").coverage.executable_gap


def test_damaged_files_are_gaps_and_nothing_worse() -> None:
    chosen = random.Random(11)
    samples = [
        file(attribute("model_config", LAMBDA), external_link("w", "a.h5", "/"), link("again", 96)),
        with_dataset("x", BYTE, (len(PAYLOAD),), PAYLOAD),
    ]
    for number in range(400):
        data = bytearray(samples[number % 2])
        for _ in range(chosen.choice((1, 2, 8))):
            at = chosen.randrange(8, len(data))
            data[at] = chosen.choice((0, 1, 255, chosen.randrange(256)))
        inspect(bytes(data), "model.h5")


class _Counted(BytesSource):
    remote = True


def test_numbers_are_not_read() -> None:
    size = 1 << 20
    kind = struct.pack("<BBBBI", 0x11, 0x20, 31, 0, 4) + struct.pack("<HHBBBBI", 0, 32, 23, 8, 0, 23, 127)
    source: ByteSource = _Counted(with_dataset("w", kind, (size,), bytes(4 * size)))
    opened = File(source, 0, Budget(Limits()))
    (found,) = links(opened, opened.messages(opened.root))
    assert (found.name, found.kind) == ("w", "hard")
    assert list(attributes(opened, opened.messages(found.address or 0))) == []
    assert source.bytes_read < 4096


def test_files_of_h5py_are_read_as_h5py_reads_them(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    for version in ("earliest", "v108", "latest"):
        path = tmp_path / f"{version}.h5"
        with h5py.File(path, "w", libver=version) as made:
            for number in range(120):
                made.attrs[f"a{number}"] = f"text {number}"
                made.create_group(f"g{number}")
            made.attrs["long"] = "x" * 100_000
            made["g7"]["w"] = h5py.ExternalLink("other.h5", "/w")
        opened = File(BytesSource(path.read_bytes()), 0, Budget(Limits()))
        messages = opened.messages(opened.root)
        assert {each.name for each in attributes(opened, messages)} == {"long", *(f"a{n}" for n in range(120))}
        assert {each.name for each in links(opened, messages)} == {f"g{number}" for number in range(120)}
        assert "MSP3120" in rules(path.read_bytes(), "model.h5")
