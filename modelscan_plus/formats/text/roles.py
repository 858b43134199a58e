"""What a text is, as the programs take it that read it: decided by its name where they go by names, else by content.

Text has no magic bytes, so that here, other than for binary formats, the name matters: Python imports a file called
`.py`, pip reads `requirements.txt`, a shell runs what it is given. A first line with an interpreter counts as well.
"""

import re
from pathlib import PurePosixPath

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats import kinds

_ENDINGS = {
    ".py": "python", ".pyw": "python", ".pyi": "source", ".ipynb": "notebook", ".json": "json", ".jsonc": "json",
    ".jinja": "template", ".j2": "template", ".jinja2": "template", ".md": "markdown", ".markdown": "markdown",
    ".mdx": "markdown", ".rst": "markdown", ".sh": "shell", ".bash": "shell", ".zsh": "shell", ".ksh": "shell",
    ".fish": "shell", ".command": "shell", ".bat": "batch", ".cmd": "batch", ".ps1": "powershell",
    ".psm1": "powershell", ".psd1": "powershell", ".vbs": "windows-script", ".vbe": "windows-script",
    ".wsf": "windows-script", ".wsh": "windows-script", ".hta": "windows-script", ".jse": "windows-script",
    ".reg": "windows-script", ".sct": "windows-script", ".wsc": "windows-script", ".url": "shortcut",
    ".scf": "shortcut",
    ".rdp": "shortcut", ".library-ms": "shortcut", ".searchconnector-ms": "shortcut", ".settingcontent-ms": "shortcut",
    ".appref-ms": "shortcut", ".website": "shortcut", ".jnlp": "shortcut", ".theme": "shortcut", ".iqy": "shortcut",
    ".slk": "shortcut", ".desktop": "shortcut", ".webloc": "shortcut", ".pth": "site-path",
    ".html": "markup", ".htm": "markup", ".svg": "markup", ".xml": "markup", ".xhtml": "markup", ".pmml": "markup",
    ".csproj": "markup", ".vcxproj": "markup", ".targets": "markup", ".props": "markup", ".plist": "markup",
    ".xsl": "markup", ".xslt": "markup",
    ".yaml": "settings",
    ".yml": "settings", ".toml": "settings", ".cfg": "settings", ".ini": "settings", ".conf": "settings",
    ".tsx": "source", ".jsx": "source", ".cjs": "source", ".vue": "source", ".css": "source", ".scss": "source",
    ".svelte": "source", ".astro": "source", ".mts": "source", ".cts": "source",
    ".pyx": "source", ".pxd": "source", ".js": "source", ".mjs": "source", ".ts": "source", ".c": "source",
    ".cc": "source", ".cpp": "source",
    ".cu": "source", ".cuh": "source", ".h": "source", ".hpp": "source", ".java": "source", ".go": "source",
    ".rs": "source", ".lua": "source", ".r": "source", ".jl": "source", ".swift": "source", ".rb": "shell",
    ".pl": "shell", ".php": "source", ".mk": "makefile", ".cmake": "source", ".dockerfile": "dockerfile",
}  # fmt: skip
_NAMES = {
    "dockerfile": "dockerfile", "containerfile": "dockerfile", "makefile": "makefile", "gnumakefile": "makefile",
    "justfile": "makefile", "pipfile": "requirements", "environment.yml": "requirements",
    "environment.yaml": "requirements", "conda.yaml": "requirements", "conda.yml": "requirements",
    "pyproject.toml": "requirements", "readme": "markdown", "modelfile": "modelfile", "packages.txt": "text",
    "kernels.lock": "json",
    "pip.conf": "requirements", "pip.ini": "requirements", ".condarc": "requirements", ".npmrc": "requirements",
    ".yarnrc": "requirements", "uv.toml": "requirements", "sudoers": "shell", "procfile": "shell",
    "post-merge": "shell",
    "mlproject": "settings", "cog.yaml": "settings", "serving.properties": "settings", "cmakelists.txt": "source",
    ".tmux.conf": "settings", "desktop.ini": "shortcut", "autorun.inf": "shortcut",
    "pre-commit": "shell", "post-checkout": "shell", "start": "shell",
}  # fmt: skip
_REQUIREMENTS = lazy(r"(?:^|[-_.])(?:requirements?|constraints?)(?:[-_.].*)?\.(?:txt|in)$")
_TEMPLATE_NAME = lazy(r"^(?:tokenizer\.)?(?:default_)?chat_templates?(?:[.\[].*)?$")
_SHEBANG = lazy(r"#!\s*(?:/usr)?(?:/local)?/?(?:bin/)?(?:env\s+(?:-S\s+)?)?([\w.+-]+)")
_TORCHSCRIPT = lazy(r"\b(?:__torch__|op_version_set|__parameters__ = \[)")

_MAY_BE_TEMPLATE = frozenset(("", ".txt", ".tmpl", ".tpl", ".template", ".chat"))
_CHAT_LOOP = lazy(r"\{%-?\s*for\s+\w+\s+in\s+\w*messages\b")
"""What servers of models are given as a chat template, whatever its name."""

SCRIPTS = frozenset(("shell", "batch", "powershell", "windows-script", "makefile", "dockerfile", "shortcut"))
"""Roles that a program runs line by line."""


def decode(data: bytes) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, else bytes as Latin letters. Never fails."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def is_text(head: bytes, name: str) -> bool:
    """True for text; under the name of a text a few control characters or another encoding are let pass."""
    if kinds.recognise(head) is not None:
        return kinds.recognise(head) is kinds.TEXT
    known = by_name(name) is not None or kinds.extension(name) in kinds.TEXT_NAMES
    if not known or not head:
        return False
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    odd = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return b"\0" not in head and odd * 50 <= len(head)


def by_name(name: str) -> str | None:
    """The role that a file's name gives it, None for a name without meaning."""
    base = PurePosixPath(name.replace("\\", "/")).name.lower()
    if _TEMPLATE_NAME.match(base) and not base.endswith((".json", ".md", ".py", ".txt")):
        return "template"
    if base in _NAMES:
        return _NAMES[base]
    if _REQUIREMENTS.search(base):
        return "requirements"
    if base.startswith(("dockerfile.", "containerfile.")):
        return "dockerfile"
    if base.startswith("modelfile.") or base.endswith(".modelfile"):
        return "modelfile"
    ending = kinds.extension(base)
    if base.startswith("readme"):
        return "markdown"
    return _ENDINGS.get(ending)


def role(name: str, head: bytes, *, nested: bool = False) -> str:
    """The role of a text file: a word of `_ENDINGS`, or "text"."""
    named = by_name(name)
    if named == "python" and nested and _TORCHSCRIPT.search(decode(head)):
        return "torchscript"
    if named is not None:
        return named
    if kinds.extension(name) in _MAY_BE_TEMPLATE and _CHAT_LOOP.search(decode(head)):
        return "template"
    if found := _SHEBANG.match(decode(head[:200])):
        program = found.group(1)
        return "python" if program.startswith("python") else "shell"
    opening = re.match(rb'\{\s*["}]', head.removeprefix(b"\xef\xbb\xbf").lstrip())
    ending = kinds.extension(name)
    if opening and ending not in (".jsonl", ".ndjson", ".txt", ".tex", ".csv", ".merges"):
        return "json"
    return "text"
