"""Effects that are neither a process nor a plain request: the registry, the clipboard, uploads, files that others obey.

Each is told by the function that is called, or the method where its name leaves no doubt, and by the place it is used
on. What it weighs says rules/python_grades.py and its grades_*.py.
"""

import ast
import re
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python import accounts
from modelscan_plus.formats.text.python.blocks import Block
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.later import GIT_KEY
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.packed import MOUNTED
from modelscan_plus.formats.text.python.places import OTHERS_CODE, PACKAGE, USERS_OWN
from modelscan_plus.formats.text.python.sinks import KUBERNETES_PATH, SENSITIVE_PATH
from modelscan_plus.formats.text.python.spoken import spoken

AUTORUN = lazy(
    r"CurrentVersion\\+(?:Policies\\+Explorer\\+)?Run|\\Winlogon|Image File Execution Options|AppInit_DLLs|Command Processor|"
    r"\\shell\\+open\\+command|Windows Defender|CurrentControlSet\\+Services|Active Setup|^Environment$|\\Environment$",
    re.I,
)
"""Keys of the registry whose values Windows runs, or by which it protects itself."""
OBEYED = lazy(
    r"^/proc/sys/kernel/(?:core_pattern|modprobe|hotplug)$|^/sys/kernel/uevent_helper$|/release_agent$|^/proc/(?:self|\d+|…)/mem$|^/dev/k?mem$|^/etc/(?:hosts|sudoers|passwd|shadow|resolv\.conf|nsswitch\.conf|environment|ld\.so\.conf|pam\.d|ssh/|apt/sources|ssl/certs|"
    r"pki/|docker/daemon\.json)|system32[\\/]+drivers[\\/]+etc[\\/]+hosts|/usr/local/share/ca-certificates|"
    r"(?:^|/)\.ssh/config$|(?:^|/)(?:\.?pip/pip\.conf|pip\.ini|\.condarc|\.gitconfig|\.npmrc)$|(?:^|/)etc/pip\.conf$|"
    r"^(?:(?:[.~…/\\]|[A-Z]:)(?:.*[/\\])?|.*…[/\\])?(?:CLAUDE|AGENTS|GEMINI|copilot-instructions)\.md$|\.(?:cursor|windsurf|cline)rules$|"
    r"(?:^|[/\\])\.(?:claude|codex|gemini|cursor|windsurf)[/\\]|\.vscode[/\\](?:mcp|tasks|settings)\.json$|"
    r"(?:^|[/\\])\.?mcp\.json$|claude_desktop_config\.json$",
    re.I,
)
"""Settings that other programs obey: where hosts lead, who may become root, where packages come from, what coding
agents are told and which tools they start."""
_HOST = lazy(r"^\s*https?://[^\s/?#…]+\.[^\s/?#…]+")
"""An address whose host stands in the code."""
_PAGE = lazy(r"https?://[^\s/?#…]+\.[^\s/?#…]+[^\s<>]*…|\b(?:fetch|sendBeacon|open)\s*\(\s*[\"'`]https?://")
"""A page that asks another machine for something."""
_ADDRESS = lazy(r"\b(?:https?|rtsp|ftp|git)://[^\s…/]+/[^\s…]*…")
_SUFFIX = lazy(r"….*\.[\w-]+\.[a-z]{2,12}\b", re.I)
"""The name of a host that is put together in front of a certain domain."""
_QUERY = lazy(r"^\s*https?://[^\s?]+\?\S*…")
"""An address whose query is put together."""
_REGISTRY = frozenset(
    """winreg.SetValue winreg.SetValueEx winreg.CreateKey winreg.CreateKeyEx winreg.OpenKey winreg.OpenKeyEx
    _winreg.SetValue _winreg.SetValueEx _winreg.CreateKey _winreg.OpenKey win32api.RegSetValueEx win32api.RegCreateKey
    win32api.RegOpenKeyEx""".split()
)
_CLIPBOARD = frozenset(
    """pyperclip.copy clipboard.copy win32clipboard.SetClipboardData win32clipboard.SetClipboardText
    pandas.io.clipboard.copy xerox.copy""".split()
)
_READS_CLIPBOARD = (
    "pyperclip.",
    "clipboard.",
    "win32clipboard.",
    "PIL.ImageGrab.grabclipboard",
    "pandas.io.clipboard",
    "xerox.",
)
_CAPTURES = frozenset(
    """sounddevice.rec sounddevice.InputStream pyaudio.PyAudio soundcard.default_microphone cv2.VideoCapture
    speech_recognition.Microphone""".split()
)
_UPLOADS = frozenset(
    """huggingface_hub.upload_file huggingface_hub.upload_folder huggingface_hub.upload_large_folder
    huggingface_hub.create_commit wandb.save wandb.log wandb.log_artifact mlflow.log_artifact mlflow.log_artifacts
    mlflow.log_params mlflow.log_param mlflow.log_text mlflow.log_dict mlflow.set_tags comet_ml.log_asset
    discord_webhook.DiscordWebhook discord.SyncWebhook.from_url sentry_sdk.capture_message paho.mqtt.publish.single
    huggingface_hub.update_repo_settings huggingface_hub.update_repo_visibility huggingface_hub.delete_repo huggingface_hub.delete_file
    huggingface_hub.delete_folder huggingface_hub.move_repo huggingface_hub.duplicate_space huggingface_hub.add_collection_item
    huggingface_hub.add_space_secret huggingface_hub.super_squash_history huggingface_hub.merge_pull_request
    huggingface_hub.run_job huggingface_hub.run_uv_job huggingface_hub.CommitScheduler""".split()
)
_SHOWN = frozenset(
    """IPython.display.HTML IPython.display.Javascript IPython.display.IFrame IPython.display.Image IPython.display.Markdown
    IPython.core.display.HTML IPython.core.display.Javascript""".split()
)
"""What a notebook's page shows, and so fetches."""
_UPLOADING = frozenset(
    """upload_file upload_folder upload_large_folder create_commit upload_fileobj put_object upload_from_filename
    upload_from_string upload_from_file upload_blob log_artifact log_artifacts send_document send_photo send_message
    send_file insert_one insert_many executemany publish put putfo storlines capture_message log_params SetContentString SetContentFile files_upload append_row append_rows create_issue create_comment
    send_email send_raw_email put_item put_record put_events create_discussion create_gist chat_postMessage files_upload_v2 send_text notify""".split()
)
"""Methods that give something away; alone they mean nothing, with secrets or the user's files they do."""
_LISTS_REPOSITORIES = frozenset(("list_models", "list_spaces", "list_datasets"))
_CLIENTS = frozenset(("boto3.client", "boto3.resource", "boto3.Session", "boto3.session.Session"))
_SENDING = frozenset(("post", "put", "patch"))
_CHANGING = frozenset(("rename", "symlink_to", "hardlink_to", "extractall"))
"""Methods of paths and archives that change files, where they are the user's or another package's.

`touch` is none of them: what it makes is empty, and nothing in it can run."""
SPREADS = "spreads"
"""The origin of code that goes into each repository of a list."""
_DATA = tuple(".json .jsonl .csv .tsv .txt .log .npy .npz .wav .mp3 .flac .png .jpg .safetensors .parquet".split())
"""Endings of files that nothing runs."""
_RUNNING = frozenset(
    "run run_commands add_commands setup_commands dockerfile_commands sudo local shell sh system execute execute_command exec_run exec_command check_call cmd call".split()
)
"""Methods that are told a command."""
COMMANDED = frozenset(
    """bash_command command commands cmd cmds shell_command shell_cmd run_command script startup_script user_data setup_commands
    entrypoint create update delete with_exec on_start post_install pre_install inline exec_command pre_start post_start before_script init_command""".split()
)
"""Parameters that are told one."""
_PACKAGES = frozenset(
    "packages_to_install pip_packages python_packages pip_install requirements install_requires extra_pip_packages pip".split()
)
_INSTALLING = frozenset("pip_install uv_pip_install add_python_packages add_pip_packages pip_packages".split())
_OPTIONS = frozenset(("-c", "-lc", "-ec", "-Command", "/c"))
_WRITING = frozenset(("write", "writelines", "write_text", "write_bytes"))
_DEEPEST = 20
SETS = frozenset(
    ("os.environ.setdefault", "os.putenv", "os.environ.update", "os.environ.__setitem__", "os.environ.__ior__")
)
"""Functions that set variables of the environment."""


_QUEUES = frozenset(
    f"{library}.{name}"
    for library in ("queue", "asyncio", "multiprocessing", "torch.multiprocessing", "multiprocess", "gevent.queue")
    for name in ("Queue", "SimpleQueue", "LifoQueue", "PriorityQueue", "JoinableQueue")
)


def _is_queue(node: ast.Call, names: Names) -> bool:
    """True for a method of a queue between the threads or processes of the program itself, which the source makes."""
    match node.func:
        case ast.Attribute(value=ast.Name(id=name)):
            made = names.single.get(name)
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr=name)):
            made = names.single.get(f".{name}")
        case _:
            return False
    return isinstance(made, ast.Call) and names.plain(made.func) in _QUEUES


def kind_of_call(node: ast.Call, dotted: str | None, names: Names) -> tuple[str, str] | None:
    """Kind and name of what the call does, None for nothing that is told here."""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    for kind, known in (("registry", _REGISTRY), ("clipboard", _CLIPBOARD), ("upload", _UPLOADS)):
        if dotted in known:
            return kind, dotted or ""
    if method in ("set_value", "add_value", "set") and len(node.args) > 1:
        key = f"{names.folder.text(node.args[0])}.{names.folder.text(node.args[1])}"
        if GIT_KEY.match(key):
            return "later", f"….{method}"
    if method == "push_to_hub" and node.args and names.folder.text(node.args[0]):
        return "upload", "push_to_hub"
    if dotted in _SHOWN:
        return "display", dotted or ""
    if method == "extractall" and into_home(node, names):
        return "write", dotted or f"….{method}"
    if method in _CHANGING and dotted is not None and dotted.startswith("…"):
        return "write", dotted
    if dotted in _CAPTURES:
        return ("capture", dotted or "") if _is_device(node, dotted or "") else None
    if method in _UPLOADING and (dotted is None or dotted.startswith("…")) and not _is_queue(node, names):
        return "upload", dotted or f"….{method}"
    return None


def commands(node: ast.Call, names: Names) -> str | None:
    """The name of what is told to run a command that no honest one is, None for other calls.

    That is a method that runs commands (`c.run("curl … | sh")`, `session.run("bash", "-c", …)`), any function with a
    parameter for one (`BashOperator(bash_command=…)`), and any that is given the option of a shell (`bash("-c", …)`).
    """
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    told = [item.value for item in node.keywords if item.arg in COMMANDED]
    texts = [names.folder.text(value) for value in node.args[:8]]
    words = [part for value in node.args[:2] if isinstance(value, (ast.List, ast.Tuple)) for part in value.elts[:4]]
    texts += [names.folder.text(part) for part in words]
    if method in _RUNNING or any(text in _OPTIONS for text in texts):
        told += node.args[:8]
    for value in told:
        parts = value.elts[:20] if isinstance(value, (ast.List, ast.Tuple)) else [value]
        if any((text := names.folder.text(part)) and prose.hostile_command(text) for part in parts):
            return f"….{method or (node.func.id if isinstance(node.func, ast.Name) else '()')}"
    return None


def packages(node: ast.Call, names: Names) -> Iterator[str]:
    """Addresses of packages that a platform is told to install for a function: `packages_to_install=["https://…"]`."""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    told = [item.value for item in node.keywords if item.arg in _PACKAGES]
    told += node.args[:20] if method in _INSTALLING else []
    for value in told:
        for part in value.elts[:100] if isinstance(value, (ast.List, ast.Tuple)) else [value]:
            if (text := names.folder.text(part)) and "://" in text[:80]:
                yield text


def variables(node: ast.Call, names: Names) -> Iterator[tuple[str | None, ast.expr | None]]:
    """Variables of the environment that a call sets, with what they are set to."""
    first = node.args[0] if node.args else None
    if isinstance(first, ast.Name):
        first = names.single.get(first.id, first)
    if isinstance(first, ast.Dict):
        for key, value in zip(first.keys, first.values, strict=True):
            yield (names.folder.text(key) if key is not None else None), value
    elif first is not None:
        yield names.folder.text(first), node.args[1] if len(node.args) > 1 else None
    yield from ((item.arg, item.value) for item in node.keywords)


def ends_all(node: ast.Call, dotted: str) -> bool:
    """True for `os.kill(-1, …)`, which means every program of the user, for whoever started this one, and for a crash."""
    first = node.args[0] if node.args else None
    if dotted in ("os.kill", "os.killpg") and first is not None and "getppid" in ast.unparse(first):
        return True
    if dotted in ("ctypes.string_at", "ctypes.memset") and isinstance(first, ast.Constant) and first.value == 0:
        return True
    return dotted == "os.kill" and isinstance(first, ast.UnaryOp) and ast.unparse(first) == "-1"


def gives_rights(node: ast.Call, dotted: str) -> bool:
    """True for `os.chmod(path, 0o4755)`: whoever starts the file has the rights of its owner."""
    modes = [part for value in node.args[1:2] for part in ast.walk(value)]
    by_number = any(
        isinstance(part, ast.Constant) and isinstance(part.value, int) and part.value & 0o6000 for part in modes
    )
    by_name = any(isinstance(part, ast.Attribute) and part.attr in ("S_ISUID", "S_ISGID") for part in modes)
    return dotted in ("os.chmod", "os.fchmod", "os.lchmod") and (by_number or by_name)


def _is_device(node: ast.Call, dotted: str) -> bool:
    """A camera has a number; a video has a path."""
    if dotted != "cv2.VideoCapture":
        return True
    first = node.args[0] if node.args else None
    return isinstance(first, ast.Constant) and isinstance(first.value, int)


def seen_together(found: list[Effect]) -> list[Effect]:
    """The effects of one block, where two of them mean more than each: what is copied is exchanged while it is kept."""
    if not any(effect.kind == "secret" and effect.name.startswith(_READS_CLIPBOARD) for effect in found):
        return found
    what = "exchanges what the user has copied"
    return [
        msgspec.structs.replace(effect, hostile=effect.hostile or what) if effect.kind == "clipboard" else effect
        for effect in found
    ]


_LEFT_OUT = frozenset("ignore_patterns delete_patterns exclude excludes exclude_patterns ignore commit_message".split())
"""Arguments that say what is not sent."""


def given_away(kind: str, node: ast.Call, names: Names) -> set[str]:
    """Origins of what is sent by its path: `upload_folder(folder_path="~/.ssh")` reads the folder itself."""
    found: set[str] = set()
    if kind not in ("send", "upload"):
        return found
    if kind == "upload" and _spreads(node, names):
        found.add(SPREADS)
    for value in [*node.args, *(item.value for item in node.keywords if item.arg not in _LEFT_OUT)]:
        path = spoken(value, names)
        if "://" in path or len(path) > 1000:
            continue
        if SENSITIVE_PATH.search(path) and not KUBERNETES_PATH.search(path):
            found.add("secret")
        elif kind == "upload" and path != "/" and (USERS_OWN.match(path) or MOUNTED.match(path)):
            found.add("user-files")
    return found


def hostile(kind: str, dotted: str, argument: str, node: ast.Call, names: Names) -> str:
    """What only malware does with such a call, "" for nothing."""
    if kind == "registry":
        said = " ".join(spoken(value, names) for value in node.args[:3])
        writes = "Open" not in dotted or any(
            part in ast.unparse(node) for part in ("SET_VALUE", "KEY_WRITE", "ALL_ACCESS", "CREATE_SUB")
        )
        return "sets a key of the registry that Windows obeys" if writes and AUTORUN.search(said) else ""
    if kind in ("write", "start", "obeyed") and OBEYED.search(argument):
        return f"writes {argument}, which other programs obey"
    if kind == "obeyed" and into_home(node, names):
        return "unpacks an archive into the home folder, over files that shells and programs obey"
    if kind == "upload" and _spreads(node, names):
        return "puts code into the other repositories of the user"
    if kind == "rights":
        return "gives whoever starts the file the rights of its owner"
    if kind == "device":
        return "writes over a whole disk"
    if kind == "ends" and dotted.startswith("os.") and "getppid" not in ast.unparse(node):
        return "ends every program of the user"
    return ""


def into_home(node: ast.Call, names: Names) -> bool:
    """True for an archive that is unpacked into the home folder itself, not into a folder of its own there."""
    unpacks = getattr(node.func, "attr", getattr(node.func, "id", "")) in ("extractall", "unpack_archive")
    given = [*node.args[:2], *(item.value for item in node.keywords if item.arg in ("path", "extract_dir"))]
    return unpacks and any(spoken(value, names).rstrip("/") in ("~", "$HOME") for value in given)


def _spreads(node: ast.Call, names: Names) -> bool:
    """True for an upload of code, or of the source itself, into each repository of a list that a hub gives."""
    given = {item.arg: item.value for item in node.keywords}
    repository = given.get("repo_id")
    if (
        repository is None
        or names.folder.text(repository) is not None
        or not any(isinstance(each, ast.Attribute) and each.attr in _LISTS_REPOSITORIES for each in names.nodes)
    ):
        return False
    parts = [part for value in given.values() for part in _made_of(value, names)]
    itself = any(getattr(part, "id", getattr(part, "attr", "")) in ("__file__", "getsource") for part in parts)
    texts = [text for part in parts if isinstance(part, ast.Constant) for text in names.texts(part)]
    texts += [text for part in parts if isinstance(part, ast.Name) for text in names.looped(part.id)]
    return itself or any(text.endswith(".py") for text in texts)


def _made_of(value: ast.expr, names: Names, depth: int = 0) -> Iterator[ast.AST]:
    """What an expression is made of, with the variables that are assigned once."""
    for part in ast.walk(value):
        yield part
        if isinstance(part, ast.Name) and part.id in names.single and depth < 3:
            yield from _made_of(names.single[part.id], names, depth + 1)


def account(dotted: str, node: ast.Call, names: Names) -> set[str]:
    """ "account" where a client of a cloud is made with keys that stand in the source, and so are not its user's."""
    given = [item.value for item in node.keywords if item.arg in ("aws_access_key_id", "aws_secret_access_key")]
    return {"account"} if dotted in _CLIENTS and any(names.folder.text(value) for value in given) else set()


def address(node: ast.Call) -> list[ast.expr]:
    """The parts of a request that its address is made of."""
    return [*node.args[:1], *(item.value for item in node.keywords if item.arg in ("url", "params"))]


def destination(node: ast.Call) -> list[ast.expr]:
    """The repository or address that something is sent to; none where it is not named as such."""
    named = [item.value for item in node.keywords if item.arg in ("repo_id", "url")]
    return named or (address(node) if isinstance(node.func, ast.Attribute) and node.func.attr in _SENDING else [])


def gives(node: ast.Call, dotted: str, argument: str, names: Names, *, given: bool, discarded: bool) -> bool:
    """True for a request that carries something away: in its body, or to a host of the code's choice in an address that
    is made of what a method was `given` or whose answer nobody reads."""
    opens = dotted.endswith((".urlopen", ".Request"))
    if opens and (len(node.args) > 1 or any(item.arg == "data" for item in node.keywords)):
        return not any(isinstance(value, ast.Constant) and value.value is None for value in node.args[1:2])
    if opens and node.args:
        request = node.args[0]
        if isinstance(request, ast.Name):
            request = names.single.get(request.id, request)
        if isinstance(request, ast.Call) and (names.plain(request.func) or "").endswith(".Request"):
            return gives(request, "urllib.request.Request", argument, names, given=given, discarded=False)
    if given and _HOST.search(argument) is not None:
        return True
    asks = _QUERY.search(argument) is not None or any(
        item.arg == "params" and not isinstance(item.value, ast.Constant) for item in node.keywords
    )
    return discarded and asks


def asks(argument: str) -> bool:
    """True for a command with the address of another machine that more is put behind."""
    found = _ADDRESS.search(argument)
    return found is not None and bool(accounts.remote(found.group()))


def asked(kind: str, argument: str, flows: set[str]) -> str:
    """What a look-up of a name or a page that is shown comes to with what it is made of, "" for nothing."""
    if kind == "display":
        return "send" if flows & {"given", "secret", "host"} and _PAGE.search(argument) else ""
    return "send" if "given" in flows and _SUFFIX.search(argument) else kind


def changes_code(argument: str, flows: set[str]) -> bool:
    """True for a write where code of other packages or repositories lies; data beside a package is none."""
    if "others-code" in flows or OTHERS_CODE.search(argument) is not None:
        return True
    named = any(flow.startswith(PACKAGE) for flow in flows)
    return named and not argument.lower().endswith(_DATA)


def written(kind: str, node: ast.Call, block: Block, names: Names) -> set[str]:
    """ "stated" where the part of a program that opens a file of Python writes only texts whose beginning it states."""
    if kind != "made":
        return set()
    if block.stated is None:
        block.stated = _states((part for part in block.inner() if isinstance(part, ast.Call)), names)
    both = block.stated | _states([node], names)
    return {"stated"} if both == {True} else set()


def _states(calls: Iterable[ast.Call], names: Names) -> frozenset[bool]:
    """For the texts that the calls write, whether what stands in the source is where they begin."""
    return frozenset(
        _begins(call.args[0], names)
        for call in calls
        if call.args and isinstance(call.func, ast.Attribute) and call.func.attr in _WRITING
    )


def _begins(text: ast.expr, names: Names, depth: int = 0) -> bool:
    """True for a text that begins with what stands in the source."""
    if depth > _DEEPEST:
        return False
    match text:
        case ast.Name(id=name) if name in names.single:
            return _begins(names.single[name], names, depth + 1)
        case ast.JoinedStr():
            return bool(text.values) and isinstance(text.values[0], ast.Constant)
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod()):
            return _begins(left, names, depth + 1)
        case ast.Call(func=ast.Attribute(value=base, attr="format" | "encode" | "replace" | "strip")):
            return _begins(base, names, depth + 1)
    return names.folder.text(text) is not None
