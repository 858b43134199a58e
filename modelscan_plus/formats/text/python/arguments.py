"""What the arguments of a call say: what is run, fetched, opened or written, and how."""

import ast
import itertools
import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python import accounts, deeds
from modelscan_plus.formats.text.python.blocks import Block
from modelscan_plus.formats.text.python.fold import NotConstant
from modelscan_plus.formats.text.python.later import DEVICE, LATER
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.places import INTERPRETER, PACKAGE
from modelscan_plus.formats.text.python.sinks import NAMED_FIRST, START_PATH
from modelscan_plus.formats.text.python.spoken import UNKNOWN, spoken
from modelscan_plus.formats.text.steps import one_liners

_REPOSITORY = lazy(r"[\w.-]+/[\w.-]+")
_BUCKETS = frozenset(("upload_fileobj", "put_object"))
"""Methods of a client of a cloud that are given a bucket second."""
_LOADS = frozenset(("torch.load", "torch.hub.load_state_dict_from_url"))


def argument(node: ast.Call, dotted: str, kind: str, names: Names, *, given: bool) -> str:
    """What is run, fetched or opened, as far as it is constant; unknown parts become an ellipsis."""
    values = _saying(node, dotted, kind, given=given)
    if kind in ("write", "delete") and dotted.startswith("….") and isinstance(node.func, ast.Attribute):
        values = [node.func.value]
    if kind == "remote":
        values += [item.value for item in node.keywords if item.arg in _MODELS]
        brought = [item.value for item in node.keywords if item.arg in _CUSTOM]
        values = [value for value in brought if _REPOSITORY.fullmatch(names.folder.text(value) or "")] or values
        values = sorted(values, key=lambda value: not _REPOSITORY.fullmatch(names.folder.text(value) or ""))
    if kind == "upload" and (places := [item.value for item in node.keywords if item.arg == "repo_id"]):
        values = places  # where it goes says more than what it is called there
    elif kind == "upload" and dotted.rpartition(".")[2] in _BUCKETS:
        values = [item.value for item in node.keywords if item.arg == "Bucket"] or node.args[1:2]
    if dotted.endswith(".sendto") and (place := _addressed(node, names)):
        return place
    if kind == "send" and (places := accounts.places(node, names)):
        values = places
    if (kind == "write" and dotted.startswith("shutil.")) or dotted in ("os.rename", "os.replace", "os.symlink"):
        values = values[1:]
    if dotted in NAMED_FIRST:
        values = values[1:] or [item.value for item in node.keywords if item.arg in ("location", "path")] or values
    if kind == "code" and values:
        return _code(values[0], names)
    if kind in ("process", "connect"):
        if kind == "process" and dotted.startswith("…."):
            values = [*node.args[:8], *(item.value for item in node.keywords)][:12]
        return " ".join(spoken(value, names) for value in (values if dotted.startswith("….") else values[:2]))
    return spoken(values[0], names) if values else ""


def _addressed(node: ast.Call, names: Names) -> str:
    """The host and port that a datagram goes to."""
    place = node.args[-1] if node.args else None
    if isinstance(place, ast.Name):
        place = names.single.get(place.id, place)
    return f"udp://{':'.join(spoken(part, names) for part in place.elts[:2])}" if isinstance(place, ast.Tuple) else ""


def _saying(node: ast.Call, dotted: str, kind: str, *, given: bool) -> list[ast.expr]:
    """The arguments that say it, the first of them above all."""
    if given:
        return [item.value for item in node.keywords if item.arg in ("args", "target")] + list(node.args)
    if dotted == "torch.hub.load":
        return [item.value for item in node.keywords if item.arg in ("repo_or_dir", "github")] or list(node.args)
    return list(node.args) or [
        item.value
        for item in node.keywords
        if item.arg
        in (
            "args",
            "url",
            "cmd",
            "command",
            "source",
            "path",
            "model",
            "repo_id",
            "name_or_path",
            "pretrained_model_name_or_path",
            "address",
            "plugin_path",
        )
        or (kind == "process" and item.arg in deeds.COMMANDED)
    ]


def told(node: ast.Call, dotted: str, *, given: bool) -> list[ast.expr]:
    """The command, code or data that a call is told: its first argument, all of them where each is a word of the
    command, what a shell reads as its input; `given` where the function is handed on with what it is to be called with."""
    named = {item.arg: item.value for item in node.keywords}
    if given:
        return [value for name, value in named.items() if name in ("args", "kwargs")] or list(node.args[1:])
    words = list(node.args)
    if dotted.startswith(("os.exec", "os.spawn", "os.posix_spawn")) or dotted.endswith("create_subprocess_exec"):
        return [ast.List(words[1:] if dotted.startswith("os.spawn") else words)]
    first = words[:1] or [value for name, value in named.items() if name in _TOLD or name is None][:1]
    return [*first, named["input"]] if "input" in named and _reads(first) else first


_MODELS = frozenset("model model_path model_id model_name repo_id name_or_path pretrained_model_name_or_path".split())
"""Arguments that name a repository."""
_TOLD = frozenset("args cmd command source code name".split())
_INTERPRETER = lazy(r"(?:\S*/)?(?:(?:ba|z|da|k)?sh|python[\d.]*|node|perl|powershell|pwsh|cmd)(?:\.exe)?", re.I)


def _reads(told: list[ast.expr]) -> bool:
    """True for a shell or interpreter that is started to read what to do."""
    words = told[0].elts[:1] if told and isinstance(told[0], (ast.List, ast.Tuple)) else told
    return (
        bool(words) and isinstance(words[0], ast.Constant) and _INTERPRETER.fullmatch(str(words[0].value)) is not None
    )


def _code(value: ast.expr, names: Names) -> str:
    """The code, where it is constant; else an ellipsis and what is known of it."""
    if isinstance(value, ast.Name) and value.id in names.single:
        value = names.single[value.id]
    if isinstance(value, ast.Call) and names.plain(value.func) == "builtins.compile" and value.args:
        value = value.args[0]
    text = names.folder.text(value)
    if text is None and isinstance(value, ast.Call) and not _makes_text(value, names):
        return UNKNOWN  # nothing of it stands here
    return text[:20_000] if text is not None else f"… {spoken(value, names).strip('… ')}".strip()


_MAKES_TEXT = frozenset(
    "format join dedent indent replace strip lstrip rstrip encode decode lower upper substitute safe_substitute str bytes render get sub".split()
)


def _makes_text(node: ast.Call, names: Names) -> bool:
    """True for a call that makes code of texts of the source, or that is a function of the source itself."""
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    own = called in names.functions or (isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name))
    known = (names.plain(node.func) or "").startswith(("os.get", "sys.", "posix."))
    return called in _MAKES_TEXT or (own and not known)


def file_kind(kind: str, path: str, flows: set[str], *, stays: bool) -> str:
    """Writing is told only where something else runs the file later; deleting where it is more than the own.

    `stays`: a relative path leads to the folder in which the program was started.
    """
    if kind == "delete":
        return "delete"
    if DEVICE.match(path):
        return "device"
    if deeds.OBEYED.search(path):
        return "obeyed"
    checkpoint = _is_checkpoint(path, flows, stays=stays)
    if START_PATH.search(path) and not checkpoint:
        return "start"
    if LATER.search(path) or "program" in flows:
        return "later"
    if deeds.changes_code(path, flows):
        return "patch"
    if "user-files" in flows:
        return "overwrite"
    runs = path.lower().endswith((".py", ".sh", ".so", ".exe", ".dll", ".bat", ".ps1", ".pth", ".pyd", ".dylib"))
    if runs and not checkpoint and flows & {"download", "decoded"}:
        return "drop"
    return "made" if path.lower().endswith(".py") else ""


def _is_checkpoint(path: str, flows: set[str], *, stays: bool) -> bool:
    """True for a `.pth` that goes to no folder which Python reads at its start: weights have the same ending.

    Not where the folder is one of Python's, was found by way of a package or of the interpreter, or is that in which the
    program was started and may have changed (unless it `stays`).
    """
    folder, _, name = path.replace("\\", "/").rpartition("/")
    python = re.search(r"(?:site|dist)-packages|python\W?\d", path, re.I) is not None
    found = any(flow in (INTERPRETER, "others-code", "program") or flow.startswith(PACKAGE) for flow in flows)
    return name.lower().endswith(".pth") and not python and not found and (stays or bool(folder.strip("./")))


def opens(node: ast.Call, place: int = 1) -> str | None:
    """ "write" for an open that writes, "read" stays untold; `place` is where the mode stands."""
    mode = next((item.value for item in node.keywords if item.arg == "mode"), None)
    if len(node.args) > place:
        mode = node.args[place]
    if isinstance(mode, ast.Constant) and isinstance(mode.value, str) and set(mode.value) & set("wax+"):
        return "write" if len(mode.value) <= 3 else None
    return None


def is_set(node: ast.Call, keyword: str) -> bool:
    """True for a call that is given this by name and not as False."""
    return any(
        item.arg == keyword and not (isinstance(item.value, ast.Constant) and item.value.value is False)
        for item in node.keywords
    )


_CUSTOM = ("custom_pipeline", "custom_generate")
_BRINGS_CODE = frozenset(("evaluate.load", "datasets.load_metric", "evaluate.loading.load"))
"""Functions that run the code of the repository that they name, unasked."""


def brings_code(node: ast.Call, dotted: str, names: Names) -> bool:
    """True for a call that names another repository for its code alone: a pipeline, a way to generate, a metric."""
    told = [item.value for item in node.keywords if item.arg in _CUSTOM]
    told += node.args[:1] if dotted in _BRINGS_CODE else []
    return any(_REPOSITORY.fullmatch(names.folder.text(value) or "") for value in told)


def trusts(node: ast.Call, dotted: str) -> bool:
    """True for a call that lets a library run code of the repository that it names."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("from_pretrained", "from_config"):
        return is_set(node, "trust_remote_code")
    given = [item.value for item in node.keywords if item.arg == "trust_remote_code"]
    plainly = any(isinstance(value, ast.Constant) and value.value is True for value in given)
    return plainly and bool(dotted) and not dotted.startswith(("builtins.", ".", "…"))


def unguarded(dotted: str, node: ast.Call) -> set[str]:
    """ "any-object" for a load of torch that is told not to keep to tensors."""
    told = [item.value for item in node.keywords if item.arg == "weights_only"] if dotted in _LOADS else []
    return {"any-object"} if any(isinstance(value, ast.Constant) and value.value is False for value in told) else set()


def has_keyword(node: ast.Call, *names: str) -> bool:
    """True for a call that is given one of the arguments by name."""
    return any(item.arg in names for item in node.keywords)


def settled(kind: str | None, dotted: str, node: ast.Call, names: Names) -> str | None:
    """The kind, where it depends on the"""
    if dotted == "numpy.load":
        return kind if is_set(node, "allow_pickle") else None
    if dotted == "torch.hub.load_state_dict_from_url":
        return "unpickle" if unguarded(dotted, node) else kind
    if kind == "code" and argument(node, dotted, "code", names, given=False).startswith("!"):
        return "process"  # a cell of IPython
    return kind


def is_pickle(node: ast.Call, names: Names) -> bool:
    """True for a pickle that stands in the source and calls something: it names a global, and reduces or builds."""
    try:
        data = names.folder.fold(node.args[0] if node.args else None)
    except NotConstant:
        return False
    return (
        isinstance(data, bytes)
        and re.search(rb"[ci\x93]", data) is not None
        and re.search(rb"[Roib\x81]", data) is not None
    )


_PARTS_OF_CODE = frozenset(
    f"ast.{name}"
    for name in """Attribute Call Name Constant Import ImportFrom alias Subscript keyword FunctionDef Assign Lambda Str Num
    JoinedStr copy_location fix_missing_locations NodeTransformer""".split()
)


def assembled(kind: str, code: str, block: Block, names: Names) -> set[str]:
    """ "joined" for code that runs where nodes of a syntax tree are put together: its text stands nowhere."""
    if kind != "code" or not code.startswith("…"):
        return set()
    if block.assembles is None:
        made = {names.plain(part.func) for part in block.inner() if isinstance(part, ast.Call)}
        block.assembles = len(_PARTS_OF_CODE.intersection(filter(None, made)) - {"ast.copy_location"}) > 1
    return {"joined"} if block.assembles else set()


def python_code(node: ast.Call, names: Names) -> str | None:
    """The code of `[sys.executable, "-c", code]`, and of a command line with `python -c "code"` in it."""
    line = names.folder.text(node.args[0]) if node.args else None
    if line is not None and "-c" in line:
        return next((step.code for step in one_liners(line[:20_000]) if step.language == "python"), None)
    if not node.args or not isinstance(node.args[0], (ast.List, ast.Tuple)):
        return None
    items = node.args[0].elts
    for option, code in itertools.pairwise(items):
        if names.folder.text(option) == "-c":
            return names.folder.text(code)
    return None
