"""What an expression says as far as it is constant: a command, path or address, with an ellipsis for what is not known."""

import ast

from modelscan_plus.formats.text.python.names import Names

UNKNOWN = "…"
_LONGEST = 20_000
_DEEPEST = 20
_ENVIRONMENT = frozenset(("os.environ.get", "os.getenv", "os.environ.setdefault", "os.environ.pop"))
_HOMES = frozenset(("HOME", "USERPROFILE", "HOMEPATH", "OneDrive"))
_FOLDERS = {"APPDATA": "~/AppData/Roaming", "LOCALAPPDATA": "~/AppData/Local", "HF_HOME": "~/.cache/huggingface"}
_KNOWN = {
    "HF_HOME": "~/.cache/huggingface", "HF_HUB_CACHE": "~/.cache/huggingface/hub",
    "HUGGINGFACE_HUB_CACHE": "~/.cache/huggingface/hub", "HF_MODULES_CACHE": "~/.cache/huggingface/modules",
    "HF_TOKEN_PATH": "~/.cache/huggingface/token",
}  # fmt: skip
"""Constants of huggingface_hub, transformers and datasets, with where they lead."""
_PLACES = {"torch.hub.get_dir": "~/.cache/torch/hub", "imageio_ffmpeg.get_ffmpeg_exe": "ffmpeg"}
"""Functions that say where something is, with where that is."""
_LIBRARIES = ("huggingface_hub", "transformers", "datasets", "diffusers")


def spoken(value: ast.expr, names: Names, depth: int = 0) -> str:
    """The text of an expression; unknown parts become an ellipsis."""
    text = names.folder.text(value)
    if text is not None:
        return text[:_LONGEST]
    if depth > _DEEPEST:
        return UNKNOWN
    if (held := _held(value, names)) is not None:
        return spoken(held, names, depth + 5)
    match value:
        case ast.List() | ast.Tuple():
            return " ".join(spoken(item, names, depth + 1) for item in value.elts[:40])
        case ast.JoinedStr():
            return "".join(spoken(part, names, depth + 1) for part in value.values)
        case ast.FormattedValue() | ast.Starred():
            return spoken(value.value, names, depth + 1)
        case ast.BinOp(op=ast.Add()):
            between = " " if _is_list(value, names) else ""
            return between.join((spoken(value.left, names, depth + 1), spoken(value.right, names, depth + 1)))
        case ast.BinOp(op=ast.Mod()):
            return spoken(value.left, names, depth + 1) + " " + spoken(value.right, names, depth + 1)
        case ast.BinOp(op=ast.Div()):
            return spoken(value.left, names, depth + 1) + "/" + spoken(value.right, names, depth + 1)
        case ast.Call():
            return _called(value, names, depth)
        case ast.BoolOp(op=ast.Or()):
            said = {spoken(each, names, depth + 1) for each in value.values}
            return said.pop() if len(said) == 1 else UNKNOWN
    return _plainly(value, names)


def _is_list(value: ast.expr, names: Names) -> bool:
    """True for the words of a command, put together from lists."""
    match value:
        case ast.BinOp(left=left, right=right):
            return _is_list(left, names) or _is_list(right, names)
        case ast.Name(id=name):
            return isinstance(names.single.get(name), (ast.List, ast.Tuple))
        case ast.Call(func=ast.Name(id="list" | "tuple")):
            return True
    return isinstance(value, (ast.List, ast.Tuple, ast.ListComp))


def _held(value: ast.expr, names: Names) -> ast.expr | None:
    """What a variable, or an attribute of the object, is given once and for all."""
    match value:
        case ast.Name(id=name):
            return names.single.get(name)
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            given = names.single.get(f".{name}")
            return given if given is not None else names.of_class(value)
    return None


def _called(value: ast.Call, names: Names, depth: int) -> str:
    dotted = names.plain(value.func)
    if dotted in _PLACES:
        return _PLACES[dotted]
    if dotted in _ENVIRONMENT and value.args:
        return _variable(names.folder.text(value.args[0]))
    between = "/" if dotted in ("os.path.join", "pathlib.Path") or _method(value) == "joinpath" else " "
    said = between.join(spoken(item, names, depth + 1) for item in value.args) or UNKNOWN
    if not isinstance(value.func, ast.Attribute):
        return said
    base = spoken(value.func.value, names, depth + 1)
    if _method(value) == "join" and not base.strip() and value.args:
        return said  # the words of a command, with blanks between them
    if _method(value) == "joinpath" and base != UNKNOWN:
        return f"{base}/{said}"
    return base if base != UNKNOWN else said


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _variable(name: str | None) -> str:
    if name in _HOMES:
        return "~"
    return _FOLDERS.get(name or "", UNKNOWN)


def _plainly(value: ast.expr, names: Names) -> str:
    if isinstance(value, ast.Subscript) and names.plain(value.value) == "os.environ":
        return _variable(names.folder.text(value.slice))
    if isinstance(value, ast.IfExp):
        said = {spoken(each, names, _DEEPEST - 1) for each in (value.body, value.orelse)}
        programs = {each.rpartition("/")[2] for each in said}
        return programs.pop() if len(programs) == 1 else UNKNOWN
    if (dotted := names.plain(value)) and dotted.startswith(_LIBRARIES):
        return _KNOWN.get(dotted.rpartition(".")[2], UNKNOWN)
    if isinstance(value, ast.Constant) and isinstance(value.value, (int, float)):
        return str(value.value)
    return "python" if isinstance(value, ast.Attribute) and value.attr == "executable" else UNKNOWN
