"""Ways to give something away beside any request: in the name that a hub is asked for, in a picture that an answer shows,
in a file of another machine's folder; and files of the user's project that a program finds and writes anew."""

import ast
from collections.abc import Callable, Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.spoken import spoken
from modelscan_plus.formats.text.python.walk import walk

_ASKS = frozenset(
    """hf_hub_download snapshot_download cached_download cached_file try_to_load_from_cache model_info dataset_info space_info repo_info
    list_repo_files list_repo_tree repo_exists file_exists get_hf_file_metadata load_dataset from_pretrained load_state_dict_from_url
    from_hub get_paths_info""".split()
)
"""Functions that ask a hub for something by its name."""
_OWN_KEY = frozenset(("token", "use_auth_token", "auth_token", "api_key"))
"""Arguments that take the credential of who asks."""
_ENCODES = frozenset(
    "hex b64encode urlsafe_b64encode standard_b64encode b32encode b16encode b85encode hexlify quote quote_plus urlencode".split()
)
_PICTURE = lazy(
    r"(?:!\[[^\]\n]{0,80}\]\(|<(?:img|image|iframe|video|audio|script|link)\b[^>]{0,120}?(?:src|href)=[\"']?)https?://[^\s)\"'>…]{3,200}[?&][\w.-]{1,40}=…"
)
_WALKS = ("os.walk", "os.scandir", "os.listdir", "os.fwalk", "glob.glob", "glob.iglob")
_SOURCES = (".py", ".ipynb", ".sh", ".pyi", ".pth")

Origins = Callable[[ast.expr], set[str]]


def asks_hub(node: ast.Call, dotted: str, origins: Origins) -> bool:
    """True for a look-up at a hub whose name, revision or header carries what the user gives, encoded, or secrets."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else dotted.rpartition(".")[2]
    if called not in _ASKS:
        return False
    for value in [*node.args, *(item.value for item in node.keywords if item.arg not in _OWN_KEY)]:
        found = origins(value)
        if isinstance(value, (ast.JoinedStr, ast.BinOp)) and any(flow.startswith("key:") for flow in found):
            return True
        if found & {"secret", "user-files"} or ("given" in found and _encodes(value)):
            return True
    return False


def _encodes(value: ast.expr) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in _ENCODES for part in walk(value))


def pictures(nodes: list[ast.AST], names: Names) -> Iterator[tuple[ast.expr, str]]:
    """Texts that show a picture of another machine, with something put into its address."""
    parts: set[int] = set()  # of sums, which are looked at as a whole
    for node in nodes:
        if isinstance(node, ast.BinOp):
            parts |= {id(node.left), id(node.right)}
        if isinstance(node, (ast.JoinedStr, ast.BinOp)) and id(node) not in parts and _mentions(node):
            said = spoken(node, names)
            if found := _PICTURE.search(said):
                yield node, found.group()


def _mentions(node: ast.expr) -> bool:
    parts = (
        node.values
        if isinstance(node, ast.JoinedStr)
        else [part for part in walk(node) if isinstance(part, ast.Constant)]
    )
    texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return any("](http" in text or "=http" in text or "='http" in text or '="http' in text for text in texts)


def _is_looped(write: ast.Call, inner: list[ast.AST]) -> bool:
    """True for a call on, or with, the variable of a loop."""
    places = [write.func.value] if isinstance(write.func, ast.Attribute) else write.args[:1]
    used = {part.id for place in places for part in walk(place) if isinstance(part, ast.Name)}
    heads = [node for node in inner if isinstance(node, (ast.comprehension, ast.For))]
    return any(isinstance(part, ast.Name) and part.id in used for head in heads for part in walk(head.target))


_SAME_FILE = frozenset("abspath realpath normpath Path resolve absolute str fspath expanduser".split())


def is_own(place: ast.expr | None, names: Names) -> bool:
    """True for the file of the code itself: `__file__`, however it is spelt."""
    for _ in range(8):
        match place:
            case ast.Name(id="__file__"):
                return True
            case ast.Name(id=name) if name in names.single:
                place = names.single[name]
            case ast.Call(func=func, args=[inner]) if getattr(func, "attr", getattr(func, "id", "")) in _SAME_FILE:
                place = inner
            case ast.Call(func=ast.Attribute(value=inner, attr=attr), args=[]) if attr in _SAME_FILE:
                place = inner
            case _:
                return False
    return False


def of_sources(write: ast.Call, inner: list[ast.AST], names: Names, *, listed: bool) -> str:
    """What writing a file of Python comes to: "drop" for the code itself, "later" for what was found, "" for any other."""
    method = isinstance(write.func, ast.Attribute) and names.plain(write.func) is None
    if is_own(
        write.func.value if method and isinstance(write.func, ast.Attribute) else next(iter(write.args), None), names
    ):
        return "drop"
    return "later" if finds_sources(write, inner, names, listed=listed) else ""


def finds_sources(write: ast.Call, inner: list[ast.AST], names: Names, *, listed: bool) -> bool:
    """True for a function that goes through folders for files of programs, and writes to what it found: `listed`, or as
    the variable of its loop."""
    if not listed and not _is_looped(write, inner):
        return False
    walks = ends = False
    for node in inner:
        if isinstance(node, ast.Call):
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            texts = [names.folder.text(value) or "" for value in node.args[:2]]
            if names.plain(node.func) in _WALKS or method in ("rglob", "glob", "iterdir", "walk"):
                walks = True
                ends = ends or any(text.endswith(_SOURCES) for text in texts)
            ends = ends or (method == "endswith" and any(text.endswith(_SOURCES) for text in texts))
        elif isinstance(node, ast.Compare) and any(
            isinstance(each, ast.Constant) and each.value in _SOURCES for each in node.comparators
        ):
            ends = True
    return walks and ends
