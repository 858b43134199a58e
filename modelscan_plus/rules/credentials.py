"""Whether code that sends a credential gives it to the service it belongs to, or away.

A program that asks a service something shows the key that the service gave it: one credential, taken by its name, over
https, to a host that stands in the source. That is no finding. Given away are the whole environment and files of
credentials, whatever the destination; a key that goes to another service than its own, to a host without a name, to one
that anybody can collect requests at, in plain http, or with an address or value that is decoded first; and several at
once.
"""

import importlib.resources
import itertools
import re
import tomllib

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.visitors import TURNS_AWAY

_TABLE = tomllib.loads((importlib.resources.files("modelscan_plus.rules") / "data" / "vendors.toml").read_text("utf-8"))
"""Read on import: behind the sandbox no file can be opened."""
_VENDORS: list[dict[str, list[str]]] = _TABLE["vendor"]
_TENANTS: list[str] = _TABLE["tenants"]["hosts"]
_SIGN_IN: list[str] = _TABLE["sign_in"]["hosts"]
_LIBRARIES = ("boto3.", "telegram.", "slack_sdk.", "huggingface_hub.")
"""Clients of one service, which know where they connect to."""
_GENERAL = frozenset(
    """API KEY TOKEN SECRET PASSWORD PASSWD ACCESS CREDENTIAL CREDENTIALS PRIVATE AUTH BEARER CLIENT ID USER APP MY THE
    SERVICE SERVER BACKEND ENDPOINT WEBHOOK""".split()
)
"""Parts of names that say what a variable is, not whose."""
_SELF_HOSTED = frozenset("gitlab wandb mlflow sentry grafana jira sonarqube gitea jenkins vault".split())
"""Services that firms run themselves, as the first part of a name of their own."""
_LOCAL = lazy(
    r"^(?:localhost|127\.|0\.0\.0\.0|\[::1?\]|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|host\.docker\.internal)"
)


_OF_MACHINE = frozenset(("AWS_SECRET_ACCESS_KEY", "AZURE_ACCESS_TOKEN", "GOOGLE_ACCESS_TOKEN"))
"""Credentials of the machine's role, which have no place in a message, not even to the same cloud."""


def leaked(effect: Effect) -> bool:
    """True when the effect gives away something that only its owner should hold."""
    if effect.kind not in ("send", "connect", "download", "upload", "account"):
        return False
    if {"secret", "user-files"} & set(effect.flows):
        return effect.kind != "download"
    if effect.kind == "upload" and _OF_MACHINE & set(effect.keys):
        return True
    if effect.keys and effect.name.startswith("huggingface_hub."):
        return _to_other_hub(effect)
    if not effect.keys or effect.name.startswith(_LIBRARIES):
        return False
    if effect.name.startswith("socket.socket()") or "decoded" in effect.flows:
        return True
    found = prose.URL.search(effect.argument)
    if found is None:
        if effect.kind == "connect":
            return effect.in_body  # as a part of the name that is looked up
        # Where the address comes from settings, a key is telling when it stands among the data, not in a header.
        return effect.in_body and effect.kind == "send" and any(map(_services, effect.keys)) and effect.when != "main"
    return _given_away(effect, found.group().lower(), found.group(1).lower().rpartition("@")[2].partition(":")[0])


def _to_other_hub(effect: Effect) -> bool:
    """True for a client of the hub that shows its key to another host, by its name or address."""
    found = prose.URL.search(effect.argument)
    host = found.group(1).lower().rpartition("@")[2].partition(":")[0] if found else ""
    hubs = (
        "huggingface.co",
        "hf.co",
        "hf-mirror.com",
        "hf.space",
        "huggingface.cloud",
        "modelscope.cn",
        "gitee.com",
        "aifasthub.com",
    )
    return bool(host) and "." in host and _LOCAL.match(host) is None and not _under(host, *hubs)


def goes_elsewhere(key: str, address: str) -> bool:
    """True when a credential of a known service goes to another one, or to a host without a name; `address` is
    "host/path", with "http:" before it for plain http."""
    host = address.removeprefix("http:").partition("/")[0].partition(":")[0]
    services = _services(key)
    if not host or _LOCAL.match(host) or (services and _below(host, *services)):
        return False
    if host.partition(".")[0] in _SELF_HOSTED & {part.lower() for part in _parts(key)}:
        return address.startswith("http:")
    return bool(services) or prose.odd_host(host) is not None


def entered(effect: Effect) -> bool:
    """True for what people enter in secret that is given to others than the service it is for.

    A key goes to its own service; one of which nobody knows whose it is, and a password, may go anywhere whose answer
    is read. Whole cookies and headers are for the program itself."""
    found = prose.URL.search(effect.argument)
    host = found.group(1).lower().rpartition("@")[2].partition(":")[0] if found else ""
    place = host or effect.argument.partition(" ")[0]
    if effect.argument.startswith(TURNS_AWAY):
        return True
    if not place or _LOCAL.match(place):
        return False
    collects = prose.odd_host(place) is not None or _under(host, *_COLLECTS)
    quiet = effect.discarded and not of_service(host)
    return any(_strays(key, host, effect, collects=collects, quiet=quiet) for key in effect.keys)


def _strays(key: str, host: str, effect: Effect, *, collects: bool, quiet: bool) -> bool:
    """True for one thing that people enter and that goes astray; `in_body` where it is kept with somebody."""
    if effect.argument.startswith("account:") or (key in ("UPLOAD", "SAID") and effect.argument.startswith("mailto:")):
        return True  # to a person or an account that stands in the source
    if key == "SAID":  # what people say to a model is for the model
        return bool(host) and not effect.in_body and (quiet or (collects and effect.discarded))
    if key == "UPLOAD":  # a service whose answer nobody reads was asked nothing
        return bool(host) and not effect.in_body and (quiet or collects)
    if key == "COOKIES":
        return bool(host) and (collects or not of_service(host))
    if key == "PASSWORD":
        told = effect.argument.startswith(("append_row", "upload_", "create_commit", "chat_"))
        return collects or (effect.in_body and told) or (quiet and not effect.in_body)
    own = _services(key.removeprefix("VISITOR_"))
    if own:
        return effect.in_body or quiet or (bool(host) and not any(_below(host, each) for each in own))
    return collects or (quiet and not effect.in_body)


_COLLECTS = (
    "api.telegram.org",
    "discord.com",
    "discordapp.com",
    "script.google.com",
    "docs.google.com",
    "hooks.slack.com",
    "hooks.zapier.com",
)
"""Hosts at which anybody has a place of his own to be told something."""


def of_service(host: str) -> bool:
    """True for a host of any service that people have keys and passwords of, and for the machine itself."""
    return (
        bool(_LOCAL.match(host))
        or any(_below(host, *vendor["hosts"]) for vendor in _VENDORS)
        or _below(host, *_SIGN_IN)
    )


def at_home(effect: Effect) -> bool:
    """True when a credential goes to the service that issued it."""
    found = prose.URL.search(effect.argument)
    host = found.group(1).lower().rpartition("@")[2].partition(":")[0] if found else ""
    return bool(effect.keys) and all(_below(host, *_services(key)) for key in effect.keys)


def _given_away(effect: Effect, address: str, host: str) -> bool:
    if _LOCAL.match(host):
        return False
    own = [_services(key) for key in effect.keys]
    if any(services and not any(_below(host, known) for known in services) for services in own):
        return True
    if prose.odd_host(host) or not address.startswith(("https:", "wss:")):
        return not all(services and _below(host, *services) for services in own)
    strange = [key for key, services in zip(effect.keys, own, strict=True) if not services and not _akin(key, host)]
    return effect.in_body and (len(strange) > 1 or any(_named(key) for key in strange))


def _services(key: str) -> list[str]:
    """Hosts of the service that a variable's name speaks of; nothing for one that is not known."""
    parts = _parts(key)
    spoken = {*parts, *(f"{a}_{b}" for a, b in itertools.pairwise(parts))}
    known = [vendor["hosts"] or ["."] for vendor in _VENDORS if spoken & set(vendor["names"])]
    return [host for hosts in known for host in hosts]


def _parts(key: str) -> list[str]:
    return [part for part in re.split(r"[^A-Z0-9]+", key.upper()) if part]


def _named(key: str) -> bool:
    """True when the name says whose it is, and not only what."""
    return any(len(part) > 3 and part not in _GENERAL for part in _parts(key))


def _akin(key: str, host: str) -> bool:
    """True when the host carries a word of the variable's name."""
    return any(len(part) > 2 and part not in _GENERAL and part.lower() in host for part in _parts(key))


def _below(host: str, *known: str) -> bool:
    """True when `host` is one of the service's own, and not one that its customers answer at."""
    return _under(host, *known) and not _under(host, *_TENANTS) and ".execute-api." not in f".{host}"


def _under(host: str, *known: str) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in known)
