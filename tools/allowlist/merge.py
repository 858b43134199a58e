"""Versions and reviewed entries to one list.

A name gets what it deserves in every version that has it. A version in which a class has a base that could not be
read has no say.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from modelscan_plus.rules.allowlist import AllowList, Permit
from tools.allowlist.verdicts import Verdict

_WORDS = {
    "import": Permit.IMPORT,
    "rebuild": Permit.IMPORT | Permit.REBUILD,
    "call": Permit.IMPORT | Permit.CALL,
    "guarded": Permit.IMPORT | Permit.GUARDED,
}


@dataclass(frozen=True, slots=True)
class Seed:
    """One reviewed entry of allow_seed.toml."""

    modules: tuple[str, ...]
    names: tuple[str, ...]
    permit: Permit
    reason: str


@dataclass(slots=True)
class Merged:
    """Permits by (module, name)."""

    permits: dict[tuple[str, str], Permit] = field(default_factory=dict)

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """What one version says."""
        for verdict in verdicts:
            if verdict.unread:
                continue
            key = verdict.module, verdict.name
            self.permits[key] = self.permits.get(key, verdict.permit) & verdict.permit


def read_seeds(path: Path) -> list[Seed]:
    """The entries of allow_seed.toml. Raises KeyError for an unknown word or a missing field."""
    seeds = []
    for entry in tomllib.loads(path.read_text("utf-8"))["entry"]:
        permit = Permit.NONE
        for word in entry["permit"].split("+"):
            permit |= _WORDS[word]
        reason = f"{entry['reason']} ({entry['source']})"
        seeds.append(Seed(tuple(entry["modules"]), tuple(entry["names"].split()), permit, reason))
    return seeds


def combine(merged: Merged, seeds: Iterable[Seed], read: dict[str, str]) -> AllowList:
    """The list as it is packaged. `read`: top-level package to distribution and versions."""
    permits = {key: permit for key, permit in merged.permits.items() if permit}
    reasons: dict[str, int] = {}
    reviewed: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for seed in seeds:
        index = str(reasons.setdefault(seed.reason, len(reasons)))
        for module in seed.modules:
            for name in seed.names:
                permits[module, name] = seed.permit
                reviewed[module][index].append(name)
    modules: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (module, name), permit in sorted(permits.items()):
        modules[module][str(int(permit))].append(name)
    return AllowList(sources=read, reasons=list(reasons), seeds=_joined(reviewed), modules=_joined(modules))


def _joined(groups: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, str]]:
    return {
        module: {key: " ".join(sorted(names)) for key, names in sorted(grouped.items())}
        for module, grouped in sorted(groups.items())
    }


def write(table: AllowList, path: Path) -> None:
    """Write allow.json: one line per module, so that a change can be reviewed."""
    encode = msgspec.json.encode

    def lines(mapping: dict[str, dict[str, str]]) -> bytes:
        return b",\n".join(encode(key) + b":" + encode(value) for key, value in mapping.items())

    path.write_bytes(
        b'{"sources":' + msgspec.json.format(encode(table.sources), indent=1) + b',\n"reasons":['
        b"\n"
        + b",\n".join(encode(reason) for reason in table.reasons)
        + b'],\n"seeds":{\n'
        + lines(table.seeds)
        + b'},\n"modules":{\n'
        + lines(table.modules)
        + b"}}\n"
    )
