"""What torch's restricted unpickler does: predicted from data, and held against the installed torch."""

import io

import pytest

from fixtures.make import assemble as asm
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.core.report import Reader
from modelscan_plus.formats.pickle.disassemble import Disassembler
from modelscan_plus.formats.pickle.machine import Machine
from modelscan_plus.rules.weights_only import readers
from tests.samples import inspect

ORDERED = asm.line_name("collections", "OrderedDict")
P2 = b"\x80\x02"
STREAMS = {
    "a plain dict": P2 + b"}q\x00X\x01\x00\x00\x00aK\x01s.",
    "an OrderedDict": P2 + ORDERED + b")Rq\x00X\x01\x00\x00\x00aK\x01s.",
    "a float": P2 + b"G?\xe0\x00\x00\x00\x00\x00\x00.",
    "a set": P2 + b"c__builtin__\nset\n]\x85R.",
    "bytes of protocol 2": P2 + b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x06\x00\x00\x00latin1\x86R.",
    "a device": P2 + b"ctorch\ndevice\nX\x03\x00\x00\x00cpu\x85R.",
    "a dtype": P2 + b"ctorch\nbfloat16\n.",
    "a dtype of always": P2 + b"ctorch\nfloat32\n.",
    "a size": P2 + b"ctorch\nSize\nK\x01K\x02\x86\x85R.",
    "a shell command": P2 + b"cposix\nsystem\nX\x02\x00\x00\x00id\x85R.",
    "builtins.eval": P2 + b"c__builtin__\neval\nX\x01\x00\x00\x001\x85R.",
    "protocol 4": b"\x80\x04\x8c\x01a.",
    "a text in the old opcode": P2 + b"U\x01a.",
    "APPEND to an OrderedDict": P2 + ORDERED + b")RK\x01a.",
    "items of a Counter": P2 + b"ccollections\nCounter\n)RK\x01K\x02s.",
    "items of a device": P2 + b"ctorch\ndevice\nX\x03\x00\x00\x00cpu\x85RK\x01K\x02s.",
    "state of an OrderedDict": P2 + ORDERED + b")R}b.",
    "NEWOBJ of an OrderedDict": P2 + ORDERED + b")\x81.",
    "INST": b"(iposix\nsystem\n.",
    "a call of a result": P2 + ORDERED + b")R)R.",
    "a persistent id": P2 + b"X\x01\x00\x00\x00aQ.",
}


def restricted(data: bytes) -> list[Reader]:
    source = BytesSource(data)
    facts = Machine(source, 0, Budget(Limits())).run()
    return [reader for reader in readers(facts, Disassembler(source, 0)) if "weights_only=True" in reader.loader]


def runs(data: bytes, release: str) -> bool:
    order = "1.13 2.0 2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 2.9 2.10 2.11 2.12 2.13".split()
    for reader in restricted(data):
        names = reader.loader.rpartition("torch ")[2].split(" to ")
        if order.index(names[0]) <= order.index(release) <= order.index(names[-1]):
            return reader.runs
    raise AssertionError(release)


@pytest.mark.parametrize("name", STREAMS)
def test_the_prediction_for_this_release_is_what_the_installed_torch_does(name: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from torch import _weights_only_unpickler

    release = ".".join(torch.__version__.split(".")[:2])
    data = STREAMS[name]
    try:
        _weights_only_unpickler.load(io.BytesIO(data), encoding="utf-8")  # harmless: its list decides what is called
        done = True
    except Exception:
        done = False
    if name == "items of a device":
        assert not done
    assert runs(data, release) == done


@pytest.mark.parametrize(
    ("name", "first"),
    [("a float", "2.0"), ("a set", "2.6"), ("bytes of protocol 2", "2.5"), ("a device", "2.4"), ("a dtype", "2.4")],
)
def test_releases_differ(name: str, first: str) -> None:
    order = "1.13 2.0 2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 2.9 2.10 2.11 2.12 2.13".split()
    assert [release for release in order if runs(STREAMS[name], release)] == order[order.index(first) :]


def test_the_report_says_which_loaders_run_a_hostile_pickle() -> None:
    (program,) = inspect(STREAMS["a shell command"]).programs
    assert [reader.runs for reader in program.readers] == [True, False, False]
    assert "posix.system is not on its list" in program.readers[1].detail
