"""Where a member's name would put it when the archive is unpacked."""

import unicodedata

from modelscan_plus.core.patterns import lazy

_DRIVE = lazy(r"[A-Za-z]:")


def leads_out(name: str) -> str | None:
    """Why a member of this name could land outside the folder that it is unpacked into; None when it cannot.

    Backslashes count as separators, since they are some on Windows.
    """
    if name.startswith(("/", "\\")):
        return "its name is an absolute path"
    if _DRIVE.match(name):
        return "its name begins with a drive"
    if escapes(name):
        return "its name climbs out of the folder with “..”"
    return None


def escapes(path: str) -> bool:
    """True when following the path's parts climbs above where it began."""
    level = 0
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            level -= 1
        elif part not in ("", "."):
            level += 1
        if level < 0:
            return True
    return False


def link_leads_out(name: str, target: str) -> bool:
    """True when the link at `name` points outside the archive's own folder."""
    if target.startswith(("/", "\\")) or _DRIVE.match(target):
        return True
    folder = name.replace("\\", "/").rpartition("/")[0]
    return escapes(f"{folder}/{target}")


def folded(name: str) -> str:
    """The name as the most forgiving system takes it: no matter of case, slashes, single dots or composed letters."""
    parts = [part.rstrip(". ") for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return unicodedata.normalize("NFC", "/".join(parts)).casefold()
