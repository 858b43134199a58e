"""Files into which a program puts what is secret, or the user's folders as a whole: copies and archives, by their path."""

import ast
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.places import USERS_OWN
from modelscan_plus.formats.text.python.sinks import credential_at
from modelscan_plus.formats.text.python.spoken import UNKNOWN, spoken
from modelscan_plus.formats.text.python.walk import walk

_COPIES = frozenset("shutil.copy shutil.copy2 shutil.copyfile shutil.copytree shutil.move".split())
MOUNTED = lazy(
    r"^/content/g?drive(?:/(?:My ?Drive|Shareddrives))?/*\*?$|^/mnt/[c-z]/Users(?:/[^/*]+)?/*\*?$|^/(?:Volumes|sdcard)/*\*?$"
)
"""Drives and folders of clouds that are mounted as a whole."""
_PACKS = lazy(r"\b(?:tar\s+-?\w*c\w*|zip\s+-\w*r\w*|7z\s+a)\b[^|;&\n]*")
_DEEPEST = 3
_ARCHIVE = lazy(r"\S+\.(?:tgz|tar|tar\.\w+|zip|7z)\b")


def is_whole(path: str) -> bool:
    """True for a folder of the user, or a drive, as a whole."""
    return USERS_OWN.match(path) is not None or MOUNTED.match(path) is not None


def packed(node: ast.Call, dotted: str, names: Names) -> Iterator[ast.expr | str]:
    """Where a call puts such files: expressions, and paths that stand in a command."""
    if dotted in _COPIES and len(node.args) > 1:
        source = spoken(node.args[0], names)
        if any(flow == "secret" for flow in credential_at(source)) or is_whole(source):
            yield node.args[1]
    elif dotted == "shutil.make_archive" and node.args:
        folder = [*node.args[2:3], *(item.value for item in node.keywords if item.arg in ("root_dir", "base_dir"))]
        if any(is_whole(path) or "secret" in credential_at(path) for path in (spoken(each, names) for each in folder)):
            yield node.args[0]
            base = spoken(node.args[0], names)
            yield from (f"{base}{ending}" for ending in (".zip", ".tar", ".tar.gz") if UNKNOWN not in base)
    elif dotted.startswith(("subprocess.", "os.system", "os.popen")) and node.args:
        yield from _of_command(spoken(node.args[0], names))
    elif isinstance(node.func, ast.Attribute) and node.func.attr in ("add", "write") and node.args:
        made = _maker(node.func.value, names)
        if made is not None and any(
            is_whole(path) or "secret" in credential_at(path) for path in _paths(node.args[0], names)
        ):
            yield made


def _paths(value: ast.expr, names: Names, depth: int = 0) -> Iterator[str]:
    """The paths that an expression comes to, and those that a loop over constants gives it."""
    yield spoken(value, names)
    for part in walk(value):
        if isinstance(part, ast.Name):
            yield from names.looped(part.id)
            if part.id in names.single and depth < _DEEPEST:
                yield from _paths(names.single[part.id], names, depth + 1)


def _of_command(command: str) -> Iterator[str]:
    for found in _PACKS.finditer(command[:4000]):
        words = found.group().split()
        if any(is_whole(word) or "secret" in credential_at(word) for word in words):
            yield from _ARCHIVE.findall(found.group())


def _maker(holder: ast.expr, names: Names) -> ast.expr | None:
    """The path of the archive that a variable holds."""
    for made in names.assigned(holder.id) if isinstance(holder, ast.Name) else ():
        opens = isinstance(made, ast.Call) and (names.plain(made.func) or "") in ("tarfile.open", "zipfile.ZipFile")
        if opens and isinstance(made, ast.Call) and made.args:
            return made.args[0]
    return None
