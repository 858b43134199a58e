"""The table of hosts (rules/data/hosts.toml), read on import: behind the sandbox no file can be opened."""

import importlib.resources
import tomllib

_TABLE: dict[str, list[str]] = tomllib.loads(
    (importlib.resources.files("modelscan_plus.rules") / "data" / "hosts.toml").read_text("utf-8")
)


def listed(kind: str, host: str) -> bool:
    """True when `host` ("name/first/parts" of an address) is one of `kind`: "installers", "code" or "indexes"."""
    plain = host.removeprefix("http:")
    return not host.startswith("http:") and any(
        plain == entry or plain.startswith(f"{entry}/") or plain.partition("/")[0].endswith(f".{entry}")
        for entry in _TABLE[kind]
    )
