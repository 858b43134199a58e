"""numpy's dtypes: real ones stay silent, states that lie about objects and offsets do not."""

import pickle

import pytest

from fixtures.make import assemble as asm
from tests.samples import above_info, inspect, rules

NONE, TRUE, FALSE = b"N", b"\x88", b"\x89"


def dtype(code: str, state: bytes = b"") -> bytes:
    made = asm.call(asm.name("numpy", "dtype"), asm.text(code), FALSE, TRUE)
    return made + (state + asm.BUILD if state else b"")


def state(
    *, fields: bytes = NONE, names: bytes = NONE, size: int = -1, flags: int = 0, subarray: bytes = NONE
) -> bytes:
    numbers = (asm.number(size), asm.number(-1), asm.number(flags))
    return asm.MARK + asm.number(3) + asm.text("|") + subarray + names + fields + b"".join(numbers) + b"t"


def record(inner: bytes, offset: int, size: int, flags: int) -> bytes:
    fields = asm.mapping(a=asm.items(inner, asm.number(offset)))
    return dtype(f"V{size}", state(fields=fields, names=asm.items(asm.text("a")), size=size, flags=flags))


OBJECT = dtype("O8", state(flags=63))
LYING = [
    dtype("O8", state(flags=0)),
    record(OBJECT, 0, 8, 0),
    record(record(OBJECT, 0, 8, 27), 0, 8, 0),
    dtype("V8", state(subarray=asm.items(OBJECT, asm.items(asm.number(1))), size=8, flags=0)),
    record(dtype("f8", state()), -8, 8, 0),
    record(dtype("f8", state()), 8, 8, 0),
    record(dtype("S1000000000", state(size=1_000_000_000)), 0, 8, 0),
    dtype("V8", asm.call(asm.name("builtins", "tuple"), b"]")),
    dtype("V8", state(fields=asm.call(asm.name("collections", "OrderedDict")), size=8)),
    record(asm.name("numpy", "object_"), 0, 8, 0),
]


@pytest.mark.parametrize("body", LYING)
def test_a_state_that_lies_denies(body: bytes) -> None:
    assert "MSP1011" in rules(asm.pickle(body))


@pytest.mark.parametrize("body", [OBJECT, record(OBJECT, 0, 8, 27), record(dtype("f8", state()), 0, 8, 0)])
def test_the_same_without_the_lie_is_silent(body: bytes) -> None:
    assert not above_info(inspect(asm.pickle(body)))


@pytest.mark.parametrize("protocol", range(6))
def test_real_dtypes_are_silent(protocol: int) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    inner = numpy.dtype([("x", "f4", (2, 2)), ("o", "O")])
    values = [
        numpy.dtype("f8"),
        numpy.dtype(object),
        inner,
        numpy.dtype([("deep", inner, (3,)), ("t", "M8[ns]"), ("s", "U5"), ("b", "?")], align=True),
        numpy.dtype({"names": ["a", "b"], "formats": ["u1", "f8"], "offsets": [1, 16], "itemsize": 32}),
        numpy.zeros(3, inner),
        numpy.array([{}, []], dtype=object),
    ]
    for value in values:
        assert not above_info(inspect(pickle.dumps(value, protocol))), value
