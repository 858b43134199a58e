"""`python tools/fuzz_pickle.py --runs N`: what CPython's unpicklers do, our opcode machine must have listed.

Random programs of opcodes and mutated real pickles go through three readers: our machine, CPython's C unpickler and
its pure Python twin. Both of CPython's get a `find_class` that imports nothing: every name becomes a class of this
file whose instances note how they are made, called and filled. Whatever they note (imports, calls, states, items) our
program must hold too, up to the place where they gave up; and our machine must not raise. It may list more, since it
takes the lenient way wherever readers differ.

The same seed gives the same streams. A difference is written to a folder.
"""

import argparse
import contextlib
import io
import pickle
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.pickle.facts import PickleFacts
from modelscan_plus.formats.pickle.machine import Machine
from modelscan_plus.formats.pickle.opcodes import OPCODES
from modelscan_plus.formats.pickle.values import Call, Global

LIMITS = Limits(max_opcodes=100_000, max_objects=200_000, seconds=10.0)
_MEMORY = 3 << 30
_NAMES = (
    ("collections", "OrderedDict"),
    ("builtins", "list"),
    ("a.b", "C"),
    ("a", "B.c"),
    ("os", "path.join"),
    ("__builtin__", "set"),
    ("copy_reg", "_reconstructor"),
    ("m", "f"),
    ("é", "ü"),
)
_ODD = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 64) - 1)

_LINES = (b"0", b"1", b"12", b"01", b"00", b"'m'", b'"f"', b"x", b"1.5", b"\xc3\xa9", b"7L", b" 3")
_USES = (b")R", b"(tR", b")\x81", b"(o", b")}\x92", b"}b", b"K\x01a", b"(K\x01e", b"K\x01K\x02s")
"""Opcodes that do something with the object on the stack."""

Events = Counter[tuple[str, str]]


def fake(events: Events, name: str) -> type:
    """A class that stands for `name` and notes what is done with it and its instances."""

    def note(kind: str) -> Callable[..., None]:
        def noted(self: object, *arguments: object) -> None:
            events[kind, name] += 1

        return noted

    def made(cls: type, *arguments: object, **keywords: object) -> object:
        events["make", name] += 1
        return object.__new__(cls)

    def called(self: object, *arguments: object, **keywords: object) -> None:
        events["call", name] += 1

    body = {
        "__new__": made,
        "__init__": lambda self, *arguments, **keywords: None,
        "__call__": called,
        "__setstate__": note("state"),
        "append": note("item"),
        "extend": note("item"),
        "add": note("item"),
        "__setitem__": note("item"),
    }
    return type("Fake", (), body)


class _Reader:
    """The hooks that both of CPython's unpicklers get."""

    events: Events

    def find_class(self, module: str, name: str) -> type:
        """Imports nothing."""
        self.events["import", f"{module}.{name}"] += 1
        return fake(self.events, f"{module}.{name}")

    def persistent_load(self, identity: object) -> object:
        """Any object."""
        self.events["persistent", ""] += 1
        return ("persistent",)


class CReader(_Reader, pickle.Unpickler):
    """_pickle.Unpickler."""


class PythonReader(_Reader, pickle._Unpickler):  # type: ignore[name-defined]
    """pickle._Unpickler."""


def read(reader: type, data: bytes) -> Events:
    """What one of CPython's unpicklers does with `data`, however it ends."""
    unpickler = reader(io.BytesIO(data), buffers=[b"x"] * 3)
    events = unpickler.events = Events()
    with contextlib.suppress(Exception):  # any end is an answer
        unpickler.load()
    return events


def ours(data: bytes) -> tuple[Events, PickleFacts]:
    """What our machine lists for `data`."""
    facts = Machine(BytesSource(data), 0, Budget(LIMITS), joblib_arrays=False).run()
    events = Events()
    kinds = {"BUILD": "state"} | dict.fromkeys(("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"), "item")
    for effect in facts.effects:
        if isinstance(effect, Global):
            events["import", effect.dotted] += 1
        elif isinstance(effect, Call):
            name = effect.function.dotted if isinstance(effect.function, Global) else "?"
            events[kinds.get(effect.opcode, "make"), name] += 1
        else:
            events["persistent", ""] += 1
    return events, facts


def difference(data: bytes) -> str | None:
    """What CPython did and our program does not hold, or None."""
    try:
        listed, facts = ours(data)
    except Exception:
        return traceback.format_exc()
    if facts.ended not in ("stop", "error"):
        return None  # a budget ended it, and the coverage says so
    frames = any(anomaly.code.startswith("frame-") for anomaly in facts.anomalies)
    for reader in (CReader, PythonReader):
        if reader is CReader and frames:
            continue  # it drops bytes where a frame ends inside an argument; that is a high finding of its own
        done = read(reader, data)
        for kind, name in done:
            if kind == "import" and not listed["import", name]:
                return f"{reader.__name__} imports {name}; ours ended with {facts.ended}: {facts.anomalies[-1:]}"
        makes = sum(count for (kind, _), count in done.items() if kind in ("make", "call"))
        if makes > sum(count for (kind, _), count in listed.items() if kind == "make"):
            return f"{reader.__name__} makes {makes} calls; ours ended with {facts.ended}: {facts.anomalies[-1:]}"
        for kind in ("state", "item", "persistent"):
            if any(key[0] == kind for key in done) and not any(key[0] == kind for key in listed):
                return f"{reader.__name__} does {kind}; ours ended with {facts.ended}: {facts.anomalies[-1:]}"
    return None


# -- streams ----------------------------------------------------------------------------------------------------------


def argument(chance: random.Random, kind: str) -> bytes:
    """A plausible argument of that kind, seldom an odd one."""
    if kind == "":
        return b""
    if kind == "line":
        return (
            chance.choice((b"0", b"1", b"12", b"01", b"00", b"'m'", b'"f"', b"x", b"1.5", b"\xc3\xa9", b"7L", b" 3"))
            + b"\n"
        )
    if kind == "lines":
        module, name = chance.choice(_NAMES)
        return f"{module}\n{name}\n".encode()
    fixed = {"u1": "<B", "u2": "<H", "u4": "<I", "u8": "<Q", "i4": "<i", "f8": ">d"}
    if kind in fixed:
        width = struct.calcsize(fixed[kind])
        value = chance.randrange(6) if chance.random() < 0.9 else chance.choice(_ODD)
        return struct.pack(">d", 0.5) if kind == "f8" else (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    sized = {"s1": 1, "s4": 4, "s8": 8, "i4s": 4, "long1": 1, "long4": 4}[kind]
    module, name = chance.choice(_NAMES)
    body = chance.choice((module.encode(), name.encode(), b"", b"\x80\x04.", chance.randbytes(3)))
    length = len(body) if chance.random() < 0.95 else chance.choice(_ODD) & ((1 << 8 * sized) - 1)
    return length.to_bytes(sized, "little") + body


_CODES = sorted(OPCODES)
_PUSHES = [ord(code) for code in "NKU\x8c(])}\x8f\x88c\x93i"]


def program(chance: random.Random) -> bytes:
    """A random program, which begins with something on the stack."""
    out = bytearray(chance.choice((b"", b"\x80\x02", b"\x80\x04", b"\x80\x05", b"\x80\x03")))
    for _ in range(chance.randrange(2, 24)):
        draw = chance.random()
        if draw < 0.25:  # a name by STACK_GLOBAL
            module, name = chance.choice(_NAMES)
            for text in (module.encode(), name.encode()):
                out += b"\x8c" + bytes([len(text)]) + text
                if chance.random() < 0.3:
                    out += b"\x94"
            out += b"\x93"
        elif draw < 0.4:
            out += chance.choice(
                (b")R", b"(tR", b")\x81", b"(o", b")}\x92", b"}b", b"K\x01a", b"(K\x01e", b"K\x01K\x02s")
            )
        else:
            code = chance.choice(_PUSHES if draw < 0.6 else _CODES)
            out += bytes([code]) + argument(chance, OPCODES[code][1])
    if chance.random() < 0.8:
        out += b"."
    return bytes(out)


def seeds() -> list[bytes]:
    """Real pickles with classes in them, of every protocol."""
    import datetime
    import decimal
    import fractions
    import uuid
    from collections import Counter, OrderedDict, defaultdict, deque

    value = [
        OrderedDict(a=1), defaultdict(list, a=[1]), deque([1, 2]), Counter("ab"), fractions.Fraction(1, 3),
        decimal.Decimal("1.5"), uuid.UUID(int=5), datetime.datetime(2026, 1, 1), {1, 2}, frozenset({3}), b"x" * 300,
        "é" * 200, (1, (2, (3,))), 2**70, -5, 1.5, None, True, bytearray(b"ab"), complex(1, 2), slice(1, 2), range(3),
    ]  # fmt: skip
    return [pickle.dumps(part, protocol) for protocol in range(6) for part in (value, *value)]


def mutated(chance: random.Random, material: list[bytes]) -> bytes:
    """A real pickle with a few bytes changed, cut, repeated or put in."""
    data = bytearray(chance.choice(material))
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        position = chance.randrange(len(data) + 1)
        draw = chance.random()
        if draw < 0.4 and data:
            data[position % len(data)] = chance.choice((chance.randrange(256), chance.choice(_CODES)))
        elif draw < 0.6:
            del data[position : position + chance.randrange(1, 5)]
        elif draw < 0.8:
            data[position:position] = bytes([chance.choice(_CODES)])
        else:
            data[position:position] = data[position : position + chance.randrange(1, 20)]
    return bytes(data)


def streams(runs: int, seed: int) -> Iterator[bytes]:
    """`runs` streams, half of them programs, half mutated pickles."""
    chance = random.Random(seed)
    material = seeds()
    for _ in range(runs):
        yield program(chance) if chance.random() < 0.5 else mutated(chance, material)


def main() -> int:
    """Exit status 1 when any stream made a difference."""
    parser = argparse.ArgumentParser(description="Compare our opcode machine with CPython's two unpicklers.")
    parser.add_argument("--runs", type=int, default=20_000, help="streams to try (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same streams (default: %(default)s)")
    options = parser.parse_args()
    # The C unpickler makes room for as many memo entries as one index asks for.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    folder: Path | None = None
    differences = 0
    started = time.monotonic()
    for run, data in enumerate(streams(options.runs, options.seed)):
        wrong = difference(data)
        if wrong is None:
            continue
        differences += 1
        folder = folder or Path(tempfile.mkdtemp(prefix="modelscan-plus-fuzz-"))
        (folder / f"{run}.pkl").write_bytes(data)
        if differences <= 20:
            print(f"stream {run}: {wrong.strip().splitlines()[-1]}")
    rate = options.runs / max(time.monotonic() - started, 1e-9)
    kept = f", kept in {folder}" if folder else ""
    print(f"{options.runs:,} streams, {rate:,.0f} a second, {differences} differences{kept}")
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
