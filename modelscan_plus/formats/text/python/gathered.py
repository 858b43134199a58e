"""The effects of a source taken together: what several make, where they come from, and which are kept."""

import ast
import re
from collections.abc import Iterator, Sequence

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python import deeds
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.flow import FROM
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import (
    STORES,
)
from modelscan_plus.formats.text.python.visitors import VISITOR
from modelscan_plus.formats.text.python.written import FETCHED
from modelscan_plus.formats.text.services import shown_to_all

KEPT = 300
"""Effects of one file that are kept."""
_SHELL = lazy(r"(?:\S*/)?(?:ba|z|da|k)?sh(?:\s+-\w+)*\s*$|cmd(?:\.exe)?\b|powershell", re.I)
"""A shell that is given no script, and so waits for orders."""
_LOOPBACK = lazy(r"\b(?:localhost|127\.\d|0\.0\.0\.0|::1)", re.I)


def told_from(effects: list[Effect]) -> Iterator[Effect]:
    """The effects; of a program or object that was fetched, with the addresses that the source fetches from."""
    fetches = [(effect, prose.URL.search(effect.argument)) for effect in effects if effect.kind in ("download", "send")]
    places = {
        f"{FROM}{found.group().partition('://')[2].partition('?')[0][:200].lower()}" for _, found in fetches if found
    }
    for effect in effects:
        unpickled = effect.kind == "unpickle" and "download" in effect.flows
        if places and (unpickled or (effect.kind == "search-path" and FETCHED in effect.flows)):
            yield msgspec.structs.replace(effect, flows=tuple(sorted({*effect.flows, *places})))
            continue
        if effect.kind != "process" or not places:
            yield effect
            continue
        program = effect.argument.partition(" ")[0]
        named = "/" in program and any(f"{mark}{program}{mark}" in each.code for each, _ in fetches for mark in "'\"")
        if FETCHED in effect.flows or named:
            flows = tuple(sorted({*effect.flows, FETCHED, *places}))
            yield msgspec.structs.replace(effect, flows=flows)
        else:
            yield effect


def with_stores(effects: list[Effect], names: Names) -> Iterator[Effect]:
    """The effects; what is sent by a source that names several places where browsers and wallets keep secrets is these."""
    texts = {node.value for node in names.nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    effects = list(_from_nowhere(_with_records(effects)))
    if any(_GUARDIANS.match(text) for text in texts):
        effects = [
            _replaced(each, "ends programs that protect the machine") if each.kind == "ends" else each
            for each in effects
        ]
    if any(_MINING.match(text) for text in texts):
        effects = [_replaced(each, "mines coins") if each.kind in ("connect", "send") else each for each in effects]
    started = "\n".join(effect.argument for effect in effects if effect.kind == "process")
    if shown_to_all(started):
        shown = "shows everybody a server without a password that runs code"
        effects = [
            msgspec.structs.replace(effect, hostile=effect.hostile or shown) if effect.kind == "process" else effect
            for effect in effects
        ]
    several = sum(1 for text in texts if len(text) < 300 and STORES.search(text)) > 1
    what = "sends what browsers and wallets keep"
    for effect in effects:
        sends = several and effect.kind in ("send", "upload") and VISITOR not in effect.flows
        yield msgspec.structs.replace(effect, hostile=effect.hostile or what) if sends else effect


_SOUND = lazy(r"\.(?:wav|mp3|flac|ogg|m4a|webm|mp4|avi|mkv)\b", re.I)


def _with_records(effects: list[Effect]) -> Iterator[Effect]:
    """The effects; a recording that is sent where nobody reads an answer is for its author."""
    records = any(effect.kind == "capture" for effect in effects)
    for effect in effects:
        sends = records and effect.kind == "send" and effect.discarded and "file" in effect.flows
        told = sends and _SOUND.search(effect.code) is not None and prose.URL.search(effect.argument) is not None
        yield (
            msgspec.structs.replace(effect, hostile=effect.hostile or "sends what it has recorded") if told else effect
        )


def _from_nowhere(found: Iterator[Effect]) -> Iterator[Effect]:
    """The effects; what is unpickled of a download in a function that asks nothing but hosts without a name is theirs."""
    effects = list(found)
    places: dict[str, list[bool]] = {}
    for effect in effects:
        if effect.kind == "download" and prose.URL.search(effect.argument):
            places.setdefault(effect.function, []).append(prose.odd_url(effect.argument) is not None)
    for effect in effects:
        if effect.kind == "connect" and (named := _HOST_AND_PORT.match(effect.argument)):
            places.setdefault(effect.function, []).append(not _NEAR.search(named[1]))
    for effect in effects:
        odd = effect.kind == "unpickle" and "download" in effect.flows and all(places.get(effect.function) or [False])
        any_object = "any-object" in effect.flows or effect.name.startswith(_ANY_OBJECT)
        what = "unpickles what a host of its author's choice gives"
        yield msgspec.structs.replace(effect, hostile=effect.hostile or what) if odd and any_object else effect


_GUARDIANS = lazy(
    r"^(?:MsMpEng|MpCmdRun|falcon-sensor|CSFalcon\w*|clamd|osqueryd|SentinelAgent|wazuh-agentd|cb\w*defense|elastic-agent|sophos\w*|mcshield|avp|avastsvc|avgsvc|bdagent|ekrn)(?:\.exe)?$",
    re.I,
)
_MINING = lazy(r"^mining\.(?:subscribe|authorize|submit|notify)$|^(?:eth|cn)_submit(?:Login|Work)$")
"""What miners and their pools say to each other (the stratum protocol)."""
_HOST_AND_PORT = lazy(r"\s*((?:[\w-]+\.)+[\w-]+)[ :]+\d{1,5}\s*$")
_NEAR = lazy(r"^(?:127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|0\.0\.0\.0)|\.(?:local|internal|lan|svc)$")
_ANY_OBJECT = ("pickle.", "_pickle.", "cPickle.", "dill.", "cloudpickle.", "joblib.", "pandas.read_pickle", "marshal.")


def most_telling(effects: Sequence[Effect], most: int = KEPT) -> list[Effect]:
    """As many of the effects as are kept, in their order: some of each sort, so that none is hidden behind many others."""
    if len(effects) <= most:
        return list(effects)
    counted: dict[object, int] = {}
    ranked: list[tuple[int, int]] = []
    for place, effect in enumerate(effects):
        sort = (effect.kind, effect.when, effect.hostile != "", effect.disguised, effect.flows)
        counted[sort] = counted.get(sort, 0) + 1
        ranked.append((counted[sort], place))
    return [effects[place] for place in sorted(place for _, place in sorted(ranked)[:most])]


def combined(found: list[Effect]) -> Iterator[Effect]:
    """The effects of one block, as what they make together."""
    found = deeds.seen_together(found)
    if any(_takes_orders(effect) for effect in found):
        hostile = "opens a shell to another machine"
        found = [
            _replaced(effect, hostile) if effect.kind == "connect" and not _LOOPBACK.search(effect.argument) else effect
            for effect in found
        ]
    yield from (effect for effect in found if effect.kind not in ("dup", "bind"))


def _takes_orders(effect: Effect) -> bool:
    """True for a shell, for descriptors laid over others, and for a program that the network names."""
    if effect.kind == "process":
        return "download" in effect.flows or effect.name == "pty.spawn" or _SHELL.match(effect.argument) is not None
    return effect.kind == "dup"


def _replaced(effect: Effect, hostile: str) -> Effect:
    return msgspec.structs.replace(effect, hostile=hostile)
