"""Paths of files below a root: which are plain, and which two are one on another system."""

from collections.abc import Iterable, Iterator

from modelscan_plus.core.text import visible


def name_fault(name: str) -> str:
    """What makes a path (relative, "/" between its parts) unfit for a tree; "" when it is fit."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if "\\" in name:
        return "a backslash in its name, which separates folders on other systems"
    if visible(name) != name:
        return "its name holds characters that cannot be shown"
    if name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/")):
        return "its name is no plain relative path"
    return ""


def folded(name: str) -> str:
    """The form that two names share when a system without case, or with one form of accents, takes them for one."""
    if name.isascii():
        return name.lower()
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def twins(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of names that are one on some system; a file and a folder of one name are such a pair too."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in sorted(names):
        key = folded(name)
        above = key
        clash = files.get(key) or folders.get(key)
        while clash is None and "/" in above:
            above = above.rpartition("/")[0]
            clash = files.get(above)
        if clash is not None:
            yield clash, name
            continue
        files[key] = name
        while "/" in key:
            key = key.rpartition("/")[0]
            folders.setdefault(key, name)
