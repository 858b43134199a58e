"""Arguments that tell what a call does, whatever function it is: a command, code, a statement of SQL, a file of the user.

Libraries run texts in more ways than a table can hold. But nobody hands a call of a library a pipe from the network into
a shell, Python that starts programs, or the place of somebody's keys, other than to have it run, or to have them.
"""

import ast
import re
import textwrap
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.commands import BROWSER_FILES
from modelscan_plus.formats.text.python.accounts import TALK
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.spoken import spoken
from modelscan_plus.formats.text.python.walk import walk

_SAYS = (
    "builtins.", "re.", "regex.", "logging.", "warnings.", "argparse.", "textwrap.", "ast.", "tokenize.", "hashlib.", "json.",
    "gradio.", "streamlit.", "rich.", "typer.", "click.", "string.", "fnmatch.", "unittest.", "pytest.", "loguru.", "os.path.exists",
    "os.path.isfile", "os.path.isdir", "tokenizers.", "tiktoken.", "typing.", "collections.", "enum.", "pydantic.", "absl.", "nbformat.", "base64.", "binascii.", "zlib.", "codecs.", "shlex.", "html.", "difflib.", "sqlparse.", "jsonschema.",
)  # fmt: skip
"""Functions that show, search or keep a text."""
_LOADS = ("builtins.open", "typing.get_type_hints")
_FINDS = ("glob.", "os.walk", "os.listdir", "os.scandir", "builtins.open", "shutil.copy", "sqlite3.connect")
_FORMS = ("HTML", "Markdown", "Code", "Textbox", "Error", "Exception", "Warning")
_LIKE_CODE = lazy(
    r"__import__\s*\(|\bimport\s+(?:os|subprocess|socket|ctypes|pty|sys|urllib|requests)\b|\b(?:exec|eval)\s*\("
)
_REACHES = lazy(
    r"__import__\s*\(\s*['\"]+(?:os|subprocess|posix|pty|socket)['\"]+\s*\)\s*\.\s*(?:system|popen|run|call|check_\w+|Popen|getoutput|spawn\w*|exec\w+)\s*\("
)
_RUNS_SQL = frozenset(
    "execute executescript executemany sql query read_sql read_sql_query execute_sql run_query fetch raw".split()
)
_SQL = lazy(
    r"\bCOPY\b[^;]{0,4000}?\b(?:TO|FROM)\s+PROGRAM\b|\bload_extension\s*\(|\bINTO\s+(?:OUTFILE|DUMPFILE)\b|\bxp_cmdshell\b|\blo_export\s*\(|"
    r"\bINSTALL\s+(?:shellfs|'?https?:)|\bLOAD\s+'[^']*[/.][^']*'|\bCREATE\s+(?:OR\s+REPLACE\s+)?FUNCTION\b[^;]{0,2000}?\bLANGUAGE\s+'?(?:C|plpython3?u|plperlu)\b|"
    r"\bATTACH\s+(?:DATABASE\s+)?'[^']*(?:/etc/|\.ssh|cron|site-packages)[^']*'|\bsys_(?:eval|exec)\s*\(",
    re.I,
)
"""Statements by which a database starts a program, loads a library or writes a file that something else runs."""
_PRIVATE = lazy(
    r"(?:^|[/\\~])\.(?:ssh|gnupg|kube|bitcoin|ethereum|electrum|password-store|aws/credentials|docker/config\.json|git-credentials|pypirc|"
    r"(?:bash|zsh)_history|electrum|mozilla/firefox|config/(?:google-chrome|chromium|gh|solana|gcloud))(?=$|[/\\*…])|^/etc/(?:shadow|sudoers|gshadow)\b|"
    rf"^/proc/(?:self|\d+|…)/(?:environ|mem)$|[/\\](?:{BROWSER_FILES}|Local State|wallet\.dat|id_rsa|id_ed25519|id_ecdsa)$|"
    r"User Data[\\/]+Default",
)
"""Where people keep keys, passwords and what they did."""
_STARTED = lazy(
    r"[/\\~]\.(?:bashrc|zshrc|bash_profile|bash_login|zprofile|zshenv|xprofile|profile|xinitrc)$|[/\\]authorized_keys2?$|^/etc/(?:cron|ld\.so\.preload|profile\.d/|systemd/|"
    r"init\.d/|rc\.local)|(?:sitecustomize|usercustomize)\.py$|LaunchAgents/|LaunchDaemons/|[\\/]Startup[\\/]|autostart/[\w.-]+\.desktop$|systemd/user/"
)
"""Files that are run when somebody logs in or a program starts."""
_LONGEST = 20_000
_SHORTEST = 8
_PATH = 300


def _texts(node: ast.Call, names: Names) -> Iterator[str]:
    """The constant texts that a call is given, also in lists, tuples and tables."""
    given = [*node.args, *(item.value for item in node.keywords)]
    parts = [part for value in given[:20] for part in _parts(value)]
    for part in parts[:60]:
        text = names.folder.text(part) if not isinstance(part, (ast.Lambda, ast.Compare)) else None
        if text is not None and _SHORTEST <= len(text) <= _LONGEST:
            yield text


def _parts(value: ast.expr, depth: int = 0) -> list[ast.expr]:
    """The value, or what it holds."""
    if depth > 2 or not isinstance(value, (ast.List, ast.Tuple, ast.Dict)):
        return [value]
    inner = value.values if isinstance(value, ast.Dict) else value.elts
    return [part for each in inner[:20] for part in _parts(each, depth + 1)]


def reaches(text: str) -> bool:
    """True for a text in which something is marked as code that starts a program."""
    return _REACHES.search(text) is not None


def _says(node: ast.Call, dotted: str | None) -> bool:
    """True for a call that does nothing with a text but show, search or keep it."""
    name = dotted or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
    last = name.rpartition(".")[2]
    if not name or last in TALK or last.endswith(_FORMS):
        return True
    return dotted is not None and dotted.startswith(_SAYS) and dotted not in _LOADS


def ordered(node: ast.Call, dotted: str | None, names: Names) -> bool:
    """True for a call that is given a command which no honest one is, or a statement of SQL that starts something."""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method in _RUNS_SQL and any(_SQL.search(text) for text in _texts(node, names)):
        return True
    if dotted is None or _says(node, dotted):
        return False
    return any(prose.hostile_command(text) is not None or reaches(text) for text in _texts(node, names))


def codes(node: ast.Call, dotted: str | None, names: Names) -> Iterator[str]:
    """Texts that a function of a library is given and that look like Python which does something."""
    if dotted is None or _says(node, dotted):
        return
    for text in _texts(node, names):
        if _LIKE_CODE.search(text):
            lines = [line[4:] if line.lstrip().startswith((">>> ", "... ")) else line for line in text.split("\n")]
            yield textwrap.dedent(
                "\n".join(line.strip() if line[:1] == " " and len(lines) == 1 else line for line in lines)
            )


def is_private(path: str) -> bool:
    """True for the place of somebody's keys, passwords, or record of what they did."""
    return len(path) < _PATH and _PRIVATE.search(path) is not None


def private(node: ast.Call, dotted: str | None, names: Names, most: int = 6) -> bool:
    """True for a call that is given, among its first arguments, the place of somebody's keys or of a file run at a start."""
    if _says(node, dotted) or (dotted or "").startswith("os.path."):
        return False
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if (dotted or "").startswith(_FINDS) or method in ("glob", "rglob", "read_text", "read_bytes", "iterdir"):
        return any(is_private(f"~/{text}") for text in _varying(node, names)) or _given_private(node, names, most)
    return _given_private(node, names, most)


def _varying(node: ast.Call, names: Names) -> Iterator[str]:
    """What loops over constants put into a path."""
    for part in walk(node):
        if isinstance(part, ast.Name):
            yield from names.looped(part.id)


def _given_private(node: ast.Call, names: Names, most: int) -> bool:
    for value in [*node.args[:most], *(item.value for item in node.keywords[:12])]:
        for part in _parts(value):
            text = spoken(part, names)
            if len(text) < _PATH and text.count(" ") <= 3 and (_PRIVATE.search(text) or _STARTED.search(text)):
                return True
    return False
