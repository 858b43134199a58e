"""The opcode machine: what it sees must be what CPython's unpicklers would do, and it must end on anything."""

import contextlib
import io
import pickle
import pickletools
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fixtures.make import assemble as asm
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.pickle.facts import PickleFacts
from modelscan_plus.formats.pickle.machine import Machine
from modelscan_plus.formats.pickle.opcodes import OPCODES
from modelscan_plus.formats.pickle.values import COMPUTED, Blob, Call, Global, Items
from tests.samples import inspect


def run(data: bytes, **limits: Any) -> PickleFacts:
    return Machine(BytesSource(data), 0, Budget(Limits(**limits))).run()


def imports(facts: PickleFacts) -> list[str]:
    return [effect.dotted for effect in facts.effects if isinstance(effect, Global)]


def calls(facts: PickleFacts) -> list[str]:
    return [
        effect.function.dotted if isinstance(effect.function, Global) else "?"
        for effect in facts.effects
        if isinstance(effect, Call)
    ]


def test_the_opcode_table_is_complete() -> None:
    assert {ord(opcode.code): opcode.name for opcode in pickletools.opcodes} == {
        code: name for code, (name, _) in OPCODES.items()
    }


@pytest.mark.parametrize("protocol", range(6))
def test_ordinary_values_run_to_stop_in_every_protocol(protocol: int) -> None:
    value = [
        1,
        -70000,
        2**80,
        1.5,
        None,
        True,
        "é" * 300,
        b"x" * 3000,
        (1,),
        (1, 2),
        (1, 2, 3),
        (1, 2, 3, 4),
        {"a": {2}},
    ]
    data = pickle.dumps(value, protocol)
    facts = run(data)
    assert (facts.ended, facts.end, facts.anomalies) == ("stop", len(data), ())


def test_offsets_point_at_the_opcodes() -> None:
    data = asm.pickle(asm.call(asm.name("m", "f"), asm.text("x")))
    facts = run(data)
    assert [data[effect.offset] for effect in facts.effects] == [0x93, 0x52]


def test_a_long_literal_is_not_read() -> None:
    source = BytesSource(asm.pickle(b"B" + struct.pack("<I", 50_000_000) + bytes(50_000_000)))
    facts = Machine(source, 0, Budget(Limits())).run()
    assert facts.ended == "stop"
    assert isinstance(facts.result, Blob)
    assert source.bytes_read < 1_000_000


def test_items_that_are_not_constant_are_kept_behind_many_constants() -> None:
    body = b"]" + asm.MARK + asm.number(1) * 5000 + asm.name("m", "f") + b"e"
    facts = run(asm.pickle(body))
    assert isinstance(facts.result, Items)
    assert facts.result.count == 5001
    assert any(isinstance(item, Global) for item in facts.result.items or ())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x80\x04", "truncated"),
        (b"\x80\x04R.", "underflow"),
        (b"\x80\x04h\x07.", "memo-missing"),
        (b"\x80\x04\xff.", "unknown-opcode"),
        (b"\x80\x04(.", "underflow"),
        (b"t.", "underflow"),
        (b"B\xff\xff\xff\x7fabc", "truncated"),
        (b"\x8e" + struct.pack("<Q", 2**62) + b"x", "truncated"),
        (b"T\xff\xff\xff\xffx.", "bad-string"),
        (b"cmodule", "truncated"),
        (b"I1x\n.", "bad-number"),
        (b"K\x01K\x02\x93.", "bad-name"),
        (b"gx\n.", "bad-number"),
        (b"Sabc\n.", "bad-string"),
    ],
)
def test_where_every_unpickler_gives_up_the_machine_ends_with_the_reason(data: bytes, code: str) -> None:
    facts = run(data)
    assert (facts.ended, facts.anomalies[-1].code) == ("error", code)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x80\x07N.", "protocol"),
        (b"\x80\x04\x95" + struct.pack("<Q", 1) + b"K\x01.", "frame-length"),
        (b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"K\x01.", "frame-past-end"),
        (b"X\x01\x00\x00\x00\xff.", "text-encoding"),
    ],
)
def test_where_unpicklers_differ_the_machine_goes_on_and_notes_it(data: bytes, code: str) -> None:
    facts = run(data)
    assert (facts.ended, facts.anomalies[0].code) == ("stop", code)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"I007\n.", 7),
        (b"I01\n.", True),
        (b"I00\n.", False),
        (b"L12L\n.", 12),
        (b"I0x1f\n.", 31),
        (b"F1e3\n.", 1000.0),
        (b"F2\x000\n.", 2.0),
        (b"I2\x000\n.", 2),
    ],
)
def test_text_numbers(data: bytes, expected: object) -> None:
    assert run(data).result == expected


def test_a_number_of_two_million_digits_costs_nothing() -> None:
    assert run(b"I" + b"9" * 2_000_000 + b"\n.").ended == "stop"


def test_an_extension_code_registered_in_the_stream_resolves() -> None:
    register = asm.call(asm.name("copyreg", "add_extension"), asm.text("m"), asm.text("f"), asm.number(300))
    facts = run(asm.pickle(register + asm.POP + b"\x83\x2c\x01" + asm.items() + b"R"))
    assert imports(facts)[-1] == "m.f"
    assert calls(facts)[-1] == "m.f"


def test_memo_cannot_be_confused() -> None:
    body = asm.text("m") + b"\x94" + asm.text("f") + b"\x94" + b"NNq\x00q\x010" + asm.POP + b"\x93" + asm.items() + b"R"
    assert calls(run(asm.pickle(body))) == ["m.f"]


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"max_opcodes": 100}, "budget-opcodes"), ({"max_objects": 60}, "budget-objects")],
)
def test_a_breach_keeps_what_was_seen(limits: dict[str, int], code: str) -> None:
    data = asm.PROTO4 + asm.call(asm.name("m", "f")) + b"]" * 1000 + b"."
    facts = run(data, **limits)
    assert facts.ended == code
    assert calls(facts) == ["m.f"]


def test_bytes_that_could_be_pickles_are_looked_into_or_named_as_a_gap() -> None:
    inner = asm.raw(asm.pickle(b"N"))
    assert inspect(asm.pickle(inner * 3 + b"N")).coverage.reasons == ()
    reasons = inspect(asm.pickle(inner * 10_001 + b"N")).coverage.reasons
    assert [reason.code for reason in reasons] == ["budget-payloads"]


def test_a_joblib_array_is_stepped_over() -> None:
    wrapper = (
        asm.rebuild(asm.name("joblib.numpy_pickle", "NumpyArrayWrapper"))
        + asm.mapping(shape=asm.items(asm.number(3)), dtype=asm.call(asm.name("numpy", "dtype"), asm.text("f8")))
        + b"b"
    )
    machine = Machine(BytesSource(asm.PROTO4 + wrapper + bytes(range(24)) + b"."), 0, Budget(Limits()))
    assert machine.run().ended == "stop"
    assert machine.array_at == len(asm.PROTO4 + wrapper)


# -- against CPython ---------------------------------------------------------------------------------------------

_NAMES = [("alpha", "one"), ("alpha.beta", "Two"), ("gamma", "three")]


def _recorder(log: list[str], dotted: str) -> type:
    """A class that stands for an imported name and writes down what an unpickler does with it."""

    class Recorder:
        def __new__(cls, *args: object, **keywords: object) -> "Recorder":
            log.append(f"call {dotted}")
            return object.__new__(cls)

        def __init__(self, *args: object, **keywords: object) -> None:
            pass

        def __setstate__(self, state: object) -> None:
            log.append(f"build {dotted}")

        def append(self, item: object) -> None:
            pass

        extend = update = add = append

        def __setitem__(self, key: object, value: object) -> None:
            pass

    return Recorder


def _unpickler(base: type, log: list[str]) -> Callable[[bytes], None]:
    class Recording(base):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> type:
            log.append(f"import {module}.{name}")
            return _recorder(log, f"{module}.{name}")

        def persistent_load(self, wanted: object) -> object:
            return None

    def load(data: bytes) -> None:
        with contextlib.suppress(Exception):  # malformed streams are the point; what ran before counts
            Recording(io.BytesIO(data)).load()

    return load


def _seen(facts: PickleFacts) -> set[str]:
    seen = set()
    for effect in facts.effects:
        if isinstance(effect, Global):
            seen.add(f"import {effect.module}.{effect.name}")
        elif isinstance(effect, Call):
            target: object = effect
            while isinstance(target, Call):
                target = target.function
            if isinstance(target, Global):
                seen.add(f"{'build' if effect.opcode == 'BUILD' else 'call'} {target.dotted}")
    return seen


_PIECES = st.one_of(
    st.sampled_from([asm.name(*pair) for pair in _NAMES] + [asm.line_name(*pair) for pair in _NAMES]),
    st.sampled_from([b"(", b")", b"]", b"}", b"\x8f", b"N", b"\x88", b"0", b"1", b"2", b"\x94", b"R", b"b", b"\x81"]),
    st.sampled_from(
        [b"t", b"l", b"d", b"o", b"e", b"a", b"s", b"u", b"\x90", b"\x91", b"\x85", b"\x86", b"\x87", b"\x92"]
    ),
    st.sampled_from(
        [b"K\x01", b"M\x01\x02", b"I01\n", b"F1.5\n", b"S'a'\n", b"Va\n", b"\x8c\x01x", b"C\x01y", b"Q", b"."]
    ),
    st.sampled_from(
        [b"h\x00", b"h\x01", b"q\x00", b"q\x01", b"g0\n", b"p1\n", b"j\x00\x00\x00\x00", b"r\x02\x00\x00\x00"]
    ),
    st.sampled_from(
        [b"ialpha\none\n", b"\x93", asm.text("alpha"), asm.text("one"), b"\x80\x04", b"\x8a\x01\x05", b"J\1\0\0\0"]
    ),
)
_STREAMS = st.lists(_PIECES, max_size=40).map(lambda pieces: b"".join(pieces) + b".")


@settings(max_examples=400, deadline=None)
@given(_STREAMS)
@example(asm.pickle(asm.call(asm.name("alpha", "one"), asm.text("x"))))
@example(b"(ialpha\none\n.")
def test_whatever_cpython_imports_or_calls_the_machine_lists(data: bytes) -> None:
    seen = _seen(run(data))
    for base in (pickle._Unpickler, pickle.Unpickler):  # type: ignore[attr-defined]
        log: list[str] = []
        _unpickler(base, log)(data)
        assert set(log) <= seen, base


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_end(data: bytes) -> None:
    facts = run(data, max_opcodes=10_000)
    assert 0 <= facts.end <= len(data)
    assert facts.ended


def test_whatever_cpythons_unpicklers_do_stands_in_the_program() -> None:
    command = [sys.executable, "tools/fuzz_pickle.py", "--runs", "3000", "--seed", "7"]  # in a process with limits
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_name_that_the_data_ends_in_is_imported_by_pythons_own_unpickler() -> None:
    facts = run(b"cos\nsystemX")
    assert imports(facts) == ["os.system"]
    assert facts.anomalies[0].code == "cut-name"


def test_a_name_of_kilobytes_is_read() -> None:
    long = ".".join(["path", "os"] * 300 + ["system"])
    assert imports(run(asm.pickle(asm.name("os", long)))) == [f"os.{long}"]


def test_a_computed_name_is_an_import_of_its_own_kind() -> None:
    body = asm.call(asm.name("builtins", "str"), asm.raw(b"os"), asm.text("ascii")) + asm.text("system") + b"\x93"
    (_, computed) = [effect for effect in run(asm.pickle(body)).effects if isinstance(effect, Global)]
    assert computed.module == COMPUTED
