"""Wheels into a cache, and wheels as text.

`pip download --no-deps --only-binary :all:` runs nothing of what it fetches: a wheel is an archive, and a source
distribution, whose build would run code, is never asked for. A library whose wanted version is installed beside this
interpreter is read from there, as text too.
"""

import importlib.metadata
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PYTHONS = ("3.12", "3.11", "3.10", "3.9", "3.8", "3.7", "3.6")
_LINUX = tuple(
    f"{tag}_x86_64"
    for tag in (
        "manylinux_2_28",
        "manylinux_2_27",
        "manylinux_2_17",
        "manylinux2014",
        "manylinux_2_12",
        "manylinux_2_5",
    )
)
_MEMBER = 4 << 20
"""Bytes of one source file; larger ones are data in disguise."""


@dataclass(frozen=True, slots=True)
class Library:
    """One entry of sources.toml."""

    name: str
    """The distribution's name."""
    packages: tuple[str, ...]
    """Its top-level packages."""
    versions: tuple[str, ...]
    """Oldest first."""
    platform: str | None = None
    """The platform tag of the wheels to take instead of Linux."""
    functions: bool = True
    """Whether functions are listed beside classes."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The source text of one version of one library."""

    library: Library
    version: str
    modules: dict[str, str]
    """Module name: Python source."""
    packages: frozenset[str]
    """Those modules that are packages."""
    cython: dict[str, str]
    """Module name: Cython source."""


def read_manifest(path: Path) -> list[Library]:
    """The libraries of sources.toml, in its order."""
    return [
        Library(
            name=entry["name"],
            packages=tuple(entry["packages"]),
            versions=tuple(entry["versions"]),
            platform=entry.get("platform"),
            functions=entry.get("functions", True),
        )
        for entry in tomllib.loads(path.read_text("utf-8"))["library"]
    ]


def fetch(library: Library, version: str, cache: Path) -> Path | None:
    """The wheel of this version in `cache`, downloaded when it is not there; None when no wheel is to be had."""
    folder = cache / library.name / version
    if found := next(folder.glob("*.whl"), None):
        return found
    for python in _PYTHONS:
        platforms = [option for tag in _platforms(library) for option in ("--platform", tag)]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--python-version", python, *platforms, "--dest", str(folder), f"{library.name}=={version}"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return next(folder.glob("*.whl"), None)
    return None


def _platforms(library: Library) -> Iterable[str]:
    if library.platform is None:
        return _LINUX
    if "arm64" in library.platform:
        return [f"macosx_{major}_0_arm64" for major in (11, 12, 13, 14, 15)]
    return [f"macosx_{major}_{library.platform.partition('_0_')[2]}" for major in ("10_15", "11_0", "12_0", "13_0")]


def sources(library: Library, version: str, cache: Path) -> Sources | None:
    """The source text of one version: from this environment when it is installed here, else from its wheel."""
    files = _installed(library, version)
    if files is None:
        wheel = fetch(library, version, cache)
        if wheel is None:
            return None
        files = _in_wheel(wheel, library.packages)
    modules: dict[str, str] = {}
    cython: dict[str, str] = {}
    packages: set[str] = set()
    for path, text in files:
        stem, _, kind = path.partition(".")
        module = stem.removesuffix("/__init__").replace("/", ".")
        (modules if kind == "py" else cython)[module] = text
        if stem.endswith("/__init__"):
            packages.add(module)
    return Sources(library, version, modules, frozenset(packages), cython)


def _wanted(path: str, packages: tuple[str, ...]) -> bool:
    top = path.partition("/")[0].partition(".")[0]
    return top in packages and path.endswith((".py", ".pyx", ".pyx.tp"))


def _in_wheel(wheel: Path, packages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if _wanted(member.filename, packages) and member.file_size <= _MEMBER:
                yield member.filename, archive.read(member).decode("utf-8-sig", "replace")


def _installed(library: Library, version: str) -> Iterator[tuple[str, str]] | None:
    try:
        distribution = importlib.metadata.distribution(library.name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if distribution.version.partition("+")[0] != version:
        return None
    paths = [path for path in distribution.files or () if _wanted(str(path), library.packages)]
    located = [(str(path), Path(str(path.locate()))) for path in paths]
    return ((name, path.read_text("utf-8-sig", "replace")) for name, path in located if path.stat().st_size <= _MEMBER)
