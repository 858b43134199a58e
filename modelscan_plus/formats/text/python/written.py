"""Files into which a program writes what it fetched or decoded, and the variables that lead to them.

What `f.write(urlopen(…).read())` is given does not show in the call that loads `f.name` later. So the origin "fetched" is
put on whatever names the place: the open file, its path, the descriptor and path of `mkstemp`, the folder that an archive
is unpacked to. It says no more than that such bytes went there at some time.
"""

import ast
from collections.abc import Iterator

from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import OPENS

FETCHED = "fetched"
"""The origin of what leads to a file of bytes that the program got from the network, or decoded."""
_FROM = frozenset(("download", "decoded", "request", FETCHED))
_WRITING = frozenset(("write", "writelines", "write_bytes", "write_text"))
_UNPACKING = frozenset(("extractall", "extract"))
_INTO = {
    "os.write": (1, 0), "shutil.copyfileobj": (0, 1), "shutil.copy": (0, 1), "shutil.copy2": (0, 1), "shutil.copyfile": (0, 1),
    "shutil.move": (0, 1), "os.rename": (0, 1), "os.replace": (0, 1), "shutil.unpack_archive": (0, 1), "os.pwrite": (1, 0),
    "os.sendfile": (1, 0), "os.link": (0, 1), "os.symlink": (0, 1),
}  # fmt: skip
"""Functions that put one argument into the place that another one names: where each stands."""
_FETCHING = {
    "urllib.request.urlretrieve": 1, "urllib.urlretrieve": 1, "wget.download": 1, "gdown.download": 1,
    "torch.hub.download_url_to_file": 1, "torch.hub._download_url_to_file": 1, "gdown.cached_download": 1,
    "torchvision.datasets.utils.download_url": 1, "torchvision.datasets.utils.download_and_extract_archive": 1,
}  # fmt: skip
"""Functions that fetch an address into a file: where its path stands."""
_PATHS = ("out", "output", "dst", "dest", "filename", "path", "root", "extract_dir", "filepath", "fsrc", "fdst")
_OPENING = OPENS | frozenset(
    ("os.fdopen", "io.FileIO", "io.open", "os.open", "zipfile.ZipFile", "tarfile.open", "gzip.open")
)
_DEEPEST = 6


class Places:
    """What the variables of one file's functions were opened from."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._opened: dict[tuple[str, str], list[ast.expr]] = {}
        self._beside: dict[tuple[str, str], list[str]] = {}

    def note(self, block: str, targets: list[ast.expr], value: ast.expr) -> None:
        """Remember what a variable is opened from, and which variables are set together with it."""
        for target in targets:
            if isinstance(target, ast.Name) and (place := self._place(value)) is not None:
                known = self._opened.setdefault((block, target.id), [])
                if place not in known and len(known) < 8:
                    known.append(place)
            elif (
                isinstance(target, ast.Tuple) and self._names.plain(getattr(value, "func", value)) == "tempfile.mkstemp"
            ):
                both = [part.id for part in target.elts if isinstance(part, ast.Name)]
                for name in both:
                    self._beside[(block, name)] = both

    def _place(self, value: ast.expr) -> ast.expr | None:
        """What a call opens."""
        if not isinstance(value, ast.Call):
            return None
        if self._names.plain(value.func) in _OPENING:
            return value.args[0] if value.args else None
        opens = isinstance(value.func, ast.Attribute) and value.func.attr == "open"
        return value.func.value if opens and isinstance(value.func, ast.Attribute) else None

    def led(self, value: ast.expr | None, block: str, depth: int = 0) -> Iterator[str]:
        """Variables that lead to the place that an expression names; "self.x" for attributes of the object."""
        if value is None or depth > _DEEPEST:
            return
        match value:
            case ast.Name(id=name):
                yield from self._of_name(name, block, depth)
            case ast.Attribute(value=ast.Name(id="self"), attr=attr):
                yield f"self.{attr}"
            case ast.Attribute(value=ast.Name(id=name), attr="name" | "file" | "raw"):
                yield from self._of_name(name, block, depth)
        for part in self._parts(value):
            yield from self.led(part, block, depth + 1)

    def _parts(self, value: ast.expr) -> list[ast.expr]:
        """The expressions that a path is put together of."""
        match value:
            case ast.Call():
                if (place := self._place(value)) is not None:
                    return [place]
                held = [value.func.value] if isinstance(value.func, ast.Attribute) else []
                return [*held, *value.args[:8]]
            case ast.BinOp(left=left, right=right):
                return [left, right]
            case ast.JoinedStr(values=parts):
                return [part.value for part in parts if isinstance(part, ast.FormattedValue)]
        return []

    def _of_name(self, name: str, block: str, depth: int) -> Iterator[str]:
        if name in self._names.aliases or name in ("self", "cls", "config"):
            return
        yield name
        for other in self._beside.get((block, name), ()):
            if other != name:
                yield other
        for place in self._opened.get((block, name), ()):
            yield from self.led(place, block, depth + 1)


def moved(node: ast.Call, names: Names) -> Iterator[tuple[ast.expr | None, ast.expr]]:
    """What a call puts where; None for what it fetches itself."""
    dotted = names.plain(node.func) or ""
    named = {item.arg: item.value for item in node.keywords if item.arg in _PATHS}
    if dotted in _FETCHING:
        place = next(iter(named.values()), None) or next(iter(node.args[_FETCHING[dotted] :]), None)
        if place is not None:
            yield None, place
    elif dotted in _INTO:
        given = [*node.args, *named.values()]
        source, target = _INTO[dotted]
        if len(given) > max(source, target):
            yield given[source], given[target]
    elif isinstance(node.func, ast.Attribute) and node.func.attr in _WRITING and node.args:
        yield node.args[0], node.func.value
    elif isinstance(node.func, ast.Attribute) and node.func.attr == "tofile" and node.args:
        yield node.func.value, node.args[0]
    elif isinstance(node.func, ast.Attribute) and node.func.attr in _UNPACKING:
        place = next(iter(node.args[node.func.attr == "extract" :]), None) or named.get("path")
        if place is not None:
            yield node.func.value, place


def is_fetched(origins: set[str]) -> bool:
    """True for bytes that come from the network, or that were written in encoded text."""
    return bool(origins & _FROM)
