"""What `torch.load(weights_only=True)` would make of a pickle, per release of torch.

Its unpickler knows 33 or 34 opcodes and a list of globals; the first thing that it does not know makes it refuse. What
stands before that has run by then, which is why only listed callables can have run. Source: data/weights_only.toml.
"""

import functools
import importlib.resources
import tomllib
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.report import Reader
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.pickle.disassemble import Disassembler
from modelscan_plus.formats.pickle.facts import Effect, PickleFacts
from modelscan_plus.formats.pickle.values import Call, Global, PersistentId, sequence, text_of

_ORDERED = "collections.OrderedDict"
_MAPPINGS = frozenset({_ORDERED, "collections.Counter"})
_TENSORS = "torch._utils._rebuild_"


class _Release(msgspec.Struct, frozen=True):
    """One minor release of torch."""

    name: str
    opcodes: frozenset[str]
    names: frozenset[str]
    maps: bool
    """Names of Python 2 are mapped."""
    blocked: frozenset[str]
    listed: bool
    """NEWOBJ and BUILD accept every listed class."""
    checks_items: bool


class _Refusal(msgspec.Struct, frozen=True):
    offset: int
    why: str


@functools.cache
def _releases() -> tuple[_Release, ...]:
    text = (importlib.resources.files("modelscan_plus.rules.data") / "weights_only.toml").read_text("utf-8")
    table = tomllib.loads(text)
    order: list[str] = table["releases"]

    def since(key: str, position: int) -> bool:
        return position >= order.index(table[key])

    def listed(kind: str, position: int) -> frozenset[str]:
        return frozenset(
            name
            for entry in table[kind]
            if order.index(entry["since"]) <= position <= order.index(entry.get("until", order[-1]))
            for name in entry["names"].split()
        )

    return tuple(
        _Release(
            name=name,
            opcodes=listed("opcode", position),
            names=listed("global", position),
            maps=since("maps-python2-names-since", position),
            blocked=frozenset(table["blocked"].split()) if since("blocks-since", position) else frozenset(),
            listed=since("new-of-listed-since", position),
            checks_items=since("checks-items-since", position),
        )
        for position, name in enumerate(order)
    )


def readers(facts: PickleFacts, disassembler: Disassembler) -> tuple[Reader, ...]:
    """What each reader of pickles would do with this one: the unpicklers of Python, and torch's restricted one."""
    whole = "runs the program to its end" if facts.ended == "stop" else "runs the program up to where it breaks off"
    reading = facts.reading or "pickle.load, joblib.load, torch.load(weights_only=False)"
    found = [Reader(loader=reading, runs=True, detail=whole)]
    groups: dict[_Refusal | None, list[str]] = {}
    for release in _releases():
        groups.setdefault(_refusal(facts, disassembler, release), []).append(release.name)
    for refusal, names in groups.items():
        versions = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        loader = f"torch.load(weights_only=True), torch {versions}"
        detail = "finds nothing to refuse" if refusal is None else f"refuses at byte {refusal.offset:,}: {refusal.why}"
        found.append(Reader(loader=loader, runs=refusal is None, detail=detail))
    return tuple(found)


def _refusal(facts: PickleFacts, disassembler: Disassembler, release: _Release) -> _Refusal | None:
    """Where and why this release refuses, None when it reads the pickle to the end."""
    refusals: list[_Refusal] = []
    opcode = disassembler.first_outside(release.opcodes)
    if opcode is not None:
        refusals.append(_Refusal(opcode[0], f"the opcode {opcode[1]} is not supported"))
    for effect in facts.effects:
        why = _problem(effect, release)
        if why:
            offset = effect.offset
            refusals.append(_Refusal(offset, why))
            break
    return min(refusals, key=lambda refusal: refusal.offset, default=None)


def _problem(effect: Effect, release: _Release) -> str:
    if isinstance(effect, Global):
        return _import_problem(effect, release)
    if isinstance(effect, PersistentId):
        parts = sequence(effect.value)
        of_storage = parts is not None and bool(parts) and text_of(parts[0]) == "storage"
        return "" if of_storage or isinstance(effect.value, int) else "the persistent id is not of a storage"
    return next(_call_problems(effect, release), "")


def _import_problem(effect: Global, release: _Release) -> str:
    if effect.opcode != "GLOBAL":
        return f"the opcode {effect.opcode} is not supported"
    name = _full_name(effect, release)
    if name.rpartition(".")[0] in release.blocked:
        return f"the module of {_shown(name)} is blocked"
    return "" if name in release.names else f"{_shown(name)} is not on its list"


def _call_problems(call: Call, release: _Release) -> Iterator[str]:
    made = _made_by(call, release)
    if call.opcode in ("OBJ", "INST", "NEWOBJ_EX", "ADDITEMS"):
        yield f"the opcode {call.opcode} is not supported"
    elif call.opcode == "REDUCE" and not isinstance(call.function, Global):
        yield "it calls something that is not on its list"
    elif call.opcode == "NEWOBJ" and not release.listed and made != "torch.nn.parameter.Parameter":
        yield f"it makes no object of {_shown(made)}"
    elif call.opcode == "BUILD" and not _buildable(made, release):
        yield f"it sets no state on what {_shown(made)} made"
    elif call.opcode in ("APPEND", "APPENDS"):
        yield "it appends to lists alone"
    elif call.opcode in ("SETITEM", "SETITEMS") and release.checks_items and made not in _MAPPINGS:
        yield "it puts items into dicts alone"


def _buildable(made: str, release: _Release) -> bool:
    plain = made in (_ORDERED, "torch.Tensor", "torch.nn.parameter.Parameter") or made.startswith(_TENSORS)
    return plain or (release.listed and made in release.names)


def _made_by(call: Call, release: _Release) -> str:
    """The name behind the object that a call is about."""
    function = call.function
    while isinstance(function, Call):
        function = function.function
    return _full_name(function, release) if isinstance(function, Global) else "a computed value"


def _full_name(function: Global, release: _Release) -> str:
    module, name = function.module, function.name
    if release.maps:
        if mapped := NAME_MAPPING.get((module, name)):
            module, name = mapped
        else:
            module = IMPORT_MAPPING.get(module, module)
    return f"{module}.{name}"


def _shown(name: str) -> str:
    return visible(shorten(name, 80))
