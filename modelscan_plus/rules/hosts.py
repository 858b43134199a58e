"""The table of hosts (rules/data/hosts.toml), read on import: behind the sandbox no file can be opened."""

import hashlib
import importlib.resources
import tomllib

_TABLE: dict[str, list[str]] = tomllib.loads(
    (importlib.resources.files("modelscan_plus.rules") / "data" / "hosts.toml").read_text("utf-8")
)


_INDEXES = frozenset(_TABLE["indexes"])


def listed(kind: str, host: str) -> bool:
    """True when `host` ("name/first/parts" of an address) is one of `kind`: "installers", "code" or "indexes"."""
    if host.startswith("http:"):
        return False
    name, _, rest = host.partition("/")
    labels = name.split(".")
    names = [".".join(labels[position:]) for position in range(len(labels) - 1)]
    if kind == "indexes":
        spelled = [*names, f"{name}/{rest.partition('/')[0]}"]
        return any(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24] in _INDEXES for text in spelled)
    entries = _TABLE[kind]
    return any(entry in names or host == entry or host.startswith(f"{entry}/") for entry in entries)
