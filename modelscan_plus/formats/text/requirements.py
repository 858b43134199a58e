"""What gets installed: requirements files, pyproject and environment files, pip lines of scripts and containers."""

import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.facts import Remark

_INDEX = lazy(
    r"(?:--(?:extra-)?index-url|--find-links|-i|-f|(?:extra[-_])?index[-_]url|find[-_]links|(?:PIP|UV)_(?:EXTRA_)?INDEX_URL|UV_(?:DEFAULT_)?INDEX|"
    r"PIP_FIND_LINKS)[\s=:]+\[?[\"']?(\w+://[^\s\"',`]+)",
    re.I,
)
_TRUSTED = lazy(r"(?:--|\bglobal\.|\binstall\.|\bPIP_|^)trusted[-_]host[\s=:]+[\"']?([^\s\"']+)", re.I)
_OTHER_SOURCE = lazy(
    r"(?:\bregistry\b|\bchannels?\b|default_channels|channel_alias)[\"']?[\s=:]+[\"']?((?:https?)://[^\s\"',`]+)|^[^\S\n]*-\s+[\"']?(http://[^\s\"',`]+)",
    re.I,
)
"""Where npm or conda take packages from."""
_DIRECT = lazy(
    r"(?:^|[\s\"'@])((?:git|hg|svn|bzr)\+(?:\w+)://[^\s\"',;]+|(?:https?|ftp)://[^\s\"',;]+\.(?:whl|zip|tar\.gz|tgz|tar\.bz2)[^\s\"',;]*)",
    re.I,
)
_INSTALL = lazy(
    r"\b(?:pip3?|uv|conda|mamba|poetry|npm|yarn|pnpm)\b.{0,40}\b(?:install|add|sync|config|set)\b|\b(?:PIP|UV)_\w*(?:INDEX|TRUSTED|LINKS)|\bpip\.(?:conf|ini)\b|\.condarc\b|\.npmrc\b",
    re.I,
)
_OPTION = lazy(
    r"-[^\S\n]+[\"']?--(?:extra-)?(?:index-url|find-links)\b|(?:-\s+)?[\"']?(?:extra_)?(?:index_url|find_links|trusted_hosts?)[\"']?\s*:"
)
"""An option of pip in a list of settings, as MLflow's environments and Cog have them."""
_SECTION = lazy(r"^\[\[?\s*(?P<name>[\w.\"-]+)\s*\]\]?")
_SOURCES = lazy(r"^(?:tool\.uv\.index|tool\.poetry\.source|source|tool\.pdm\.source|tool\.rye\.sources|index)$")
"""Sections of pyproject.toml, uv.toml and Pipfile that name indexes."""
_SOURCE_URL = lazy(r"^url\s*=\s*[\"'](\w+://[^\s\"']+)")
_BY_PIP = lazy(
    r"\b(?:pip3?|uv\s+add|pipx|uv\s+tool)\s+install\s+(?:-{1,2}[\w-]+\s+){0,6}[\"']?((?:https?|ftp)://[^\s\"'`]+)", re.I
)
_LISTED_ELSEWHERE = lazy(r"^(?:-r|--requirement|-c|--constraint)[\s=]+[\"']?((?:https?|ftp)://[^\s\"']+)")
_URL_REQUIREMENT = lazy(r"(?:^\s*|[\"'\[,]\s*)[A-Za-z][\w.-]*(?:\[[\w,-]+\])?\s*@\s*(https?://[^\s\"',;]+)", re.I)


def requirement_remarks(text: str, first_line: int = 1, *, script: bool = False) -> Iterator[Remark]:
    """Everything that is not a name from the usual index; of a script only the lines that install something."""
    section = ""
    lists = "install_requires" in text or "setup_requires" in text  # setup.cfg
    for number, line in enumerate(text.split("\n")):
        if opened := _SECTION.match(line):
            section = opened["name"]
        plain = line.split(" #")[0].strip()
        if (
            not plain
            or plain.startswith("#")
            or (
                script
                and not (_INSTALL.search(plain) or _OPTION.match(plain) or (lists and _URL_REQUIREMENT.match(plain)))
            )
        ):
            continue
        at = first_line + number
        shown = shorten(visible(plain), 160)
        source = _SOURCE_URL.match(plain) if _SOURCES.match(section) else None
        if found := source or _INDEX.search(plain):
            yield Remark("index", "takes packages from another index", shown, at, _host(found.group(1)))
        elif found := _TRUSTED.search(plain):
            yield Remark(
                "index", "takes packages from a host without checking who it is", shown, at, visible(found.group(1))
            )
        elif (found := _OTHER_SOURCE.search(plain)) and _is_odd(address := found.group(1) or found.group(2)):
            yield Remark("index", "takes packages from another index", shown, at, _host(address))
        elif found := (
            _LISTED_ELSEWHERE.match(plain)
            or _DIRECT.search(plain)
            or _URL_REQUIREMENT.search(plain)
            or _BY_PIP.search(plain)
        ):
            yield Remark(
                "requirement", "is installed from an address, not from an index", shown, at, _host(found.group(1))
            )


_LOCKED = lazy(
    r"^\[package\.source\]\s*\n(?:\w+\s*=[^\n]*\n){0,4}?url\s*=\s*[\"'](?P<poetry>https?://[^\s\"']+)|\b(?:registry|url)\s*=\s*\"(?P<uv>https?://[^\s\"]+)\"|"
    r"^[^\S\n]*resolved\s+\"?(?P<yarn>https?://[^\s\"]+)|^source\s*=\s*\"(?:sparse|registry)\+(?P<cargo>https?://[^\s\"]+)|"
    r"^[^\S\n]{0,4}remote:\s*(?P<gem>https?://\S+)|^[^\S\n]*(?:-\s+)?url:\s*(?P<conda>https?://\S+\.(?:conda|tar\.bz2|whl)\S*)|^(?P<explicit>https?://\S+\.(?:conda|tar\.bz2)\S*)|"
    r"\btarball:\s*(?P<pnpm>https?://[^\s,}]+)",
    re.M,
)
LOCKS = (
    "cargo.lock",
    "gemfile.lock",
    "conda-lock.yml",
    "pixi.lock",
    "spec-file.txt",
    "explicit.txt",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "yarn.lock",
    "pnpm-lock.yaml",
    "pylock.toml",
)
"""Files that say from where exactly each package is taken."""
_OF_FIRMS = lazy(
    r"artifactory|nexus|jfrog|proget|verdaccio|gitlab|pkgs\.dev\.azure|codeartifact|pkg\.dev|devpi|\bnpm\.pkg\b|cloudsmith|gemfury|byted|baidu-int|alibaba-inc|corp\.|internal"
)
"""Hosts at which firms keep packages, as their lock files name them."""


def locked_remarks(text: str) -> Iterator[Remark]:
    """The hosts that a lock file takes packages from, each once, with the first package that comes from there."""
    seen: set[str] = set()
    for found in _LOCKED.finditer(text):
        address = next(filter(None, found.groups()))
        yield from locked(address, line_at(text, found.start()) if len(seen) < 50 else 0, seen)


def locked(address: str, line: int, seen: set[str]) -> Iterator[Remark]:
    """One package of a lock file, unless its host was `seen` or is one at which firms keep packages."""
    host = _host(address)
    name = host.partition("/")[0]
    if name in seen or len(seen) > 200 or not name:
        return
    seen.add(name)
    if not _OF_FIRMS.search(host):
        yield Remark(
            "source", "takes a package from a place of its own, by its lock", shorten(visible(address), 160), line, host
        )


def _is_odd(address: str) -> bool:
    """True for a source without a name, or one that anybody on the way can change."""
    found = prose.URL.search(address)
    local = found is not None and re.match(r"(?:localhost|127\.|10\.|192\.168\.)", found.group(1)) is not None
    return not local and (address.lower().startswith("http:") or prose.odd_url(address) is not None)


def _host(address: str) -> str:
    found = prose.URL.search(address.partition("+")[2] if "+" in address.partition("://")[0] else address)
    if found is None:
        return visible(address.partition("://")[2].partition("/")[0])
    scheme = "http:" if found.group().lower().startswith("http:") else ""
    return visible(scheme + found.group(1).lower().rpartition("@")[2] + "/".join(found.group(2).split("/")[:2]))


_HEADER = lazy(r"^# /// script[ \t]*\n(?P<lines>(?:#[^\n]*\n){1,400}?)# ///[ \t]*$", re.M)


def of_header(text: str) -> Iterator[Remark]:
    """What the header of a script has uv or pipx install (PEP 723)."""
    if found := _HEADER.search(text):
        lines = re.sub(r"^# ?", "", found["lines"], flags=re.M)
        yield from requirement_remarks(lines, 2 + text.count("\n", 0, found.start()))
