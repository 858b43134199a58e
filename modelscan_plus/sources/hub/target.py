"""What the user may write for a repository: `hf:org/model@revision`, `hf:datasets/…`, `hf:spaces/…`, or its address.

A revision may hold slashes (`refs/pr/4`); in an address it is the part behind `/tree/`, `/blob/`, `/resolve/` or
`/commit/`, percent-decoded, where a branch with a slash in its name has to be written as `%2F`.
"""

import os
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.text import visible

PREFIX = "hf:"
_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
_NAME = re.compile(r"[\w.-]{1,96}(?:/[\w.-]{1,96})?", re.ASCII)
_REVISION = re.compile(r"[^\s\x00-\x1f\\?#]{1,256}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class HubTarget:
    """One repository at one revision."""

    name: str
    """"org/model", or "gpt2" for the few without an owner."""
    kind: str = "model"
    """"model", "dataset" or "space"."""
    revision: str | None = None
    """As the user wrote it; None for the default branch."""

    @property
    def api(self) -> str:
        """Path of the repository in the API."""
        return f"/api/{self.kind}s/{self.name}"

    @property
    def pinned(self) -> bool:
        """True when the revision is a whole commit id, which nobody can move."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    def file(self, path: str, commit: str) -> str:
        """Path under which the hub resolves a file."""
        prefix = "" if self.kind == "model" else f"{self.kind}s/"
        return f"/{prefix}{self.name}/resolve/{commit}/{quote(path, errors='surrogatepass')}"

    def __str__(self) -> str:
        prefix = "" if self.kind == "model" else f"{self.kind}s/"
        return f"{PREFIX}{prefix}{self.name}" + (f"@{self.revision}" if self.revision else "")


def parse_target(given: str) -> HubTarget:
    """The repository that `given` names. Raises `UsageError` that says how to write one."""
    if not given.startswith(PREFIX):
        return _of_address(given)
    rest, _, revision = given.removeprefix(PREFIX).partition("@")
    if rest.startswith("//"):
        raise _unreadable(given)
    return _checked(given, rest.strip("/").split("/"), revision or None)


def _of_address(given: str) -> HubTarget:
    hosts = _hosts()
    if _host_of(given) not in hosts:
        known = " or ".join(sorted(hosts))
        raise UsageError(f"{visible(given)}: no address of {known}; download it, then scan the file")
    parts = [unquote(part) for part in urlsplit(given).path.split("/") if part]
    revision = None
    for position, part in enumerate(parts):
        if part in ("tree", "blob", "resolve", "commit", "raw") and position >= 1:
            revision = parts[position + 1] if position + 1 < len(parts) else None
            if revision == "refs" and len(parts) > position + 3:
                revision = "/".join(parts[position + 1 : position + 4])
            parts = parts[:position]
            break
    return _checked(given, parts, revision)


def _checked(given: str, parts: list[str], revision: str | None) -> HubTarget:
    kind = "model"
    if len(parts) > 1 and parts[0] in _KINDS:
        kind = _KINDS[parts[0]]
        parts = parts[1:]
    name = "/".join(parts)
    if not _NAME.fullmatch(name) or any(part in (".", "..") for part in parts):
        raise _unreadable(given)
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision.split("/")):
        raise _unreadable(given)
    return HubTarget(name, kind, revision)


def _unreadable(given: str) -> UsageError:
    return UsageError(
        f"{visible(given)}: not a repository; write hf:org/model, hf:org/model@revision, hf:datasets/org/name or "
        "hf:spaces/org/name"
    )


def _hosts() -> frozenset[str]:
    """Hosts whose addresses are repositories: the hub's own, and the one of HF_ENDPOINT."""
    endpoint = os.environ.get("HF_ENDPOINT", "")
    return _HOSTS | {_host_of(endpoint)} if endpoint else _HOSTS


def _host_of(address: str) -> str:
    try:
        parts = urlsplit(address)
        return parts.netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
