"""What a script knows of its values, files and folders: where they came from, and whose they are."""

import re
from collections.abc import Iterable

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.commands import PRIVATE

_LOCAL = lazy(
    r"^(?:localhost|127\.|0\.0\.0\.0|\[?::1?\]?$|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|host\.docker\.internal$)|"
    r"^[\w-]+$|\.(?:local|internal|lan|localdomain|svc|test|cluster\.local)$",
    re.I,
)
"""Hosts of the machine or of its own network; a name of one part is one of a compose file."""
_METADATA = lazy(r"//(?:169\.254\.169\.254|metadata\.google\.internal|169\.254\.170\.2)\b", re.I)
_PRIVATE = lazy(rf"(?:^|[\s/\\\"'=@~:]){PRIVATE}", re.I)
_HOME = r"(?:~|\$\{?HOME\}?|\$\{?USERPROFILE\}?|%USERPROFILE%|%HOMEPATH%|/root|/home(?:/[\w.$*{}-]+)?|/Users(?:/[\w.$*{}-]+)?)"
_MOUNTED = (
    r"(?:(?:\.?/content/)?g?drive/(?:My\\? ?Drive|Shareddrives|\.shortcut-targets-by-id)|/content/g?drive|/mnt/[c-z](?:/Users(?:/[\w.$*-]+)?)?|/Volumes(?:/\*)?|/sdcard|/storage/emulated/0|"
    r"(?:~|\$HOME)/(?:OneDrive|Dropbox|Google\\? ?Drive|iCloud))"
)
"""Drives and folders of clouds that are mounted as a whole."""
_USERS = lazy(
    rf"^(?:{_HOME}(?:[\\/]\.?\*?)?|/|{_MOUNTED}[\\/]?\*?|{_HOME}[\\/](?:\.\*|\.?\[?\*|Documents|Desktop|Downloads|Pictures|\.config|\.local(?:/share)?|Library|AppData"
    r"(?:[\\/](?:Roaming|Local))?)[\\/]?\*?)$"
    r"|(?:google-chrome|Google/Chrome|[Cc]hromium|\.mozilla|Firefox/Profiles|BraveSoftware|\.electrum|\.ethereum|\.bitcoin|"
    r"\.config/solana|\.thunderbird|Keychains|\.password-store|\.config/(?:gh|rclone|op|sops)|\.azure|\.oci|\.terraform\.d|\.vault-token|"
    r"\.claude\.json|\.claude/\.credentials|\.codex/auth|\.cursor/|\.continue/config)\b",
    re.I,
)
"""The user's folders as a whole, and those of programs that keep keys."""
_KEY_NAME = lazy(
    r"\.(?:pem|p12|pfx|kdbx|ppk|jks|keystore|ovpn)\b|id_(?:rsa|ed25519|ecdsa|\*)|credential|secret|passw|wallet|(?<![\w-])\.env\b|\*token|\.key\b"
)
_KEY = lazy(
    r"\$\{?(?:env:)?(?P<bare>\w*(?:TOKEN|SECRET|PASSWORD|API_?KEY|ACCESS_KEY|PRIVATE_KEY)\w*)\b|\$\{\{\s*secrets\.(?P<named>\w+)\s*\}\}|"
    r"%(?P<batch>\w*(?:TOKEN|SECRET|PASSWORD|API_?KEY|ACCESS_KEY)\w*)%",
    re.I,
)
_ALL_SECRETS = lazy(r"toJson\(\s*secrets\s*\)", re.I)


class Mark(msgspec.Struct, frozen=True):
    """One thing that is known of a value."""

    kind: str
    """"fetched" (it came from another machine), "secret" or "key" (one credential, by its name)."""
    what: str
    """Of what is fetched the command, of a secret what it is, of a key its name."""
    host: str = ""
    """Of what is fetched: "host/first/parts", with "http:" before it for plain http."""
    packed: str = ""
    """"archive" or "clone" for what lies in one; "" for the file itself."""
    checked: bool = False
    """True when its digest or signature was compared with one that the script names."""
    home: tuple[str, ...] = ()
    """Of a secret: the service that it belongs to, which may be shown it."""


Marks = frozenset[Mark]
NONE: Marks = frozenset()


class Value(msgspec.Struct, frozen=True):
    """A word with its variables written out."""

    text: str
    marks: Marks = NONE


def secret(what: str, *home: str) -> Marks:
    """The marks of something that only its owner should hold."""
    return frozenset((Mark("secret", what, home=home),))


def fetched(marks: Iterable[Mark]) -> list[Mark]:
    """Those that came from another machine, in a fixed order."""
    return sorted((mark for mark in marks if mark.kind == "fetched"), key=lambda mark: (mark.host, mark.what))


def held(marks: Iterable[Mark]) -> list[Mark]:
    """Secrets and keys, in a fixed order."""
    return sorted((mark for mark in marks if mark.kind in ("secret", "key")), key=lambda mark: (mark.kind, mark.what))


def changed(marks: Iterable[Mark], *, packed: str = "", checked: bool = False) -> Marks:
    """The same marks for what was unpacked or compared."""
    return frozenset(
        msgspec.structs.replace(mark, packed=mark.packed or packed, checked=mark.checked or checked)
        if mark.kind == "fetched"
        else mark
        for mark in marks
    )


def keys(text: str) -> Marks:
    """Credentials that a text names as variables."""
    if "$" not in text and "%" not in text:
        return NONE
    if _ALL_SECRETS.search(text):
        return secret("all secrets")
    found = (each["bare"] or each["named"] or each["batch"] for each in _KEY.finditer(text))
    return frozenset(Mark("key", name) for name in found if name)


def of_path(path: str) -> Marks:
    """What a file or folder is by its name."""
    if found := re.match(r"/run/secrets/(?!kubernetes)(\w[\w.-]*)$", path):
        return frozenset((Mark("key", f"{re.sub(r'[^A-Z0-9]+', '_', found[1].upper())}_SECRET"),))
    if _PRIVATE.search(path) or path.startswith(("/var/run/secrets/", "/run/secrets/kubernetes")):
        return secret("a file of credentials")
    return secret("files of the user") if _USERS.search(path) else NONE


def in_home(path: str) -> bool:
    """True for the folder of a user, or one that holds them."""
    return _USERS.match(path) is not None


def names_keys(text: str) -> bool:
    """True for a pattern of names that files of credentials have."""
    return _KEY_NAME.search(text) is not None


def metadata(url: str) -> bool:
    """True for the address at which a cloud tells a machine its credentials."""
    return _METADATA.search(url) is not None


def host_of(url: str) -> str:
    """ "host/first/parts" of an address on another machine, "" for one on this one or of unknown host."""
    found = prose.URL.match(url)
    if found is None:
        return ""
    name = named(found.group(1))
    scheme = "http:" if url.lower().startswith("http:") else ""
    return scheme + name + "/".join(found.group(2).split("/")[:3]) if name else ""


def named(host: str) -> str:
    """The name of a machine other than this one, "" for a local or unknown one."""
    host = host.lower().rpartition("@")[2]
    bare = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    return "" if not bare or re.search(r"[$%{}<>()]", bare) or _LOCAL.search(bare) else host
