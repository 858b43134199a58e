"""The table of hosts (rules/data/hosts.toml), read on import: behind the sandbox no file can be opened."""

import hashlib
import importlib.resources
import re
import tomllib

from modelscan_plus.core.patterns import lazy

_TABLE: dict[str, list[str]] = tomllib.loads(
    (importlib.resources.files("modelscan_plus.rules") / "data" / "hosts.toml").read_text("utf-8")
)


_INSTITUTION = lazy(r"\.(?:edu|gov|mil|int)(?:\.[a-z]{2})?$|\.ac\.[a-z]{2}$", re.I)
_PUBLISHERS = frozenset(_TABLE["publishers"])
_HASHED = {kind: frozenset(_TABLE[kind]) for kind in ("indexes", "sources", "images")}


def listed(kind: str, host: str) -> bool:
    """True when `host` ("name/first/parts" of an address) is one of `kind`, a name of the table."""
    if host.startswith("http:") and kind != "mirrors":
        return False
    host = host.removeprefix("http:")
    name, _, rest = host.partition("/")
    labels = name.split(".")
    names = [".".join(labels[position:]) for position in range(len(labels) - 1)]
    if kind in _HASHED:
        spelled = [*names, f"{name}/{rest.partition('/')[0]}"]
        return any(
            hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24] in _HASHED[kind] for text in spelled
        )
    entries = _TABLE[kind]
    return any(entry in names or host == entry or host.startswith(f"{entry}/") for entry in entries)


def institution(host: str) -> bool:
    """True for hosts of universities and public offices, whose names nobody else gets."""
    return not host.startswith("http:") and _INSTITUTION.search(host.partition("/")[0].partition(":")[0]) is not None


def is_stranger(place: str) -> bool:
    """True for a host of which nothing is known; `place` is "host/path"."""
    kinds = ("installers", "code", "indexes", "mirrors")
    return not institution(place) and not any(listed(kind, place) for kind in kinds)


def publisher(repository: str) -> bool:
    """True for a repository of the hub ("owner/name") whose owner's code many others take over."""
    return repository.partition("/")[0].lower() in _PUBLISHERS
