"""Which parts of a text a shell is given, by what the text is: recipes, layers, cells, steps, values of settings.

All parts of one text are one program: what a layer fetches, a later one runs.
"""

import html
import itertools
import json
import re
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at
from modelscan_plus.formats.text.shell.windows import batch, powershell
from modelscan_plus.formats.text.shell.words import quoted

LARGEST = 1 << 18
"""Characters of a text that are gone through."""
_MOST = 3000
_LINE = 20_000
"""Characters of a line of settings; a longer value is no command."""
_FENCE = lazy(
    r"^[ \t>]{0,8}(?P<mark>```+|~~~+)[ \t]*(?P<language>[\w+-]*)[^\n]*\n(?P<code>[\s\S]{1,20000}?)^[ \t>]{0,8}(?P=mark)",
    re.M,
)
_SHELL_NAMES = frozenset(
    (
        "",
        "bash",
        "sh",
        "shell",
        "console",
        "zsh",
        "terminal",
        "cmd",
        "bat",
        "batch",
        "text",
        "txt",
        "powershell",
        "ps1",
        "shell-session",
        "dockerfile",
    )
)
_SPAN = lazy(r"(?<!`)!?`(?P<code>[^`\n]{8,600})`(?!`)")
_PROMPT = lazy(r"^[ \t]*(?:\$|>|%|!|PS[^>\n]*>|\([\w.-]+\)\s*\$|\w+@[\w.-]+[:~\w/ ]*[$#])[ \t]+(?=\S)", re.M)
_INSTRUCTION = lazy(
    r"^\s*(?:ONBUILD\s+)?(?P<name>RUN|ADD|COPY|ENV|ARG|CMD|ENTRYPOINT|WORKDIR|HEALTHCHECK|SHELL)\s+(?P<rest>[\s\S]*)$",
    re.I,
)
_FLAGS = lazy(r"^(?:--[\w-]+(?:=\S+)?\s+)+")
_KEYED = lazy(
    r"^(?P<indent>\s*)(?P<dashes>(?:-\s+)*)(?:[\"']?(?P<key>[\w.$/ -]{1,60}?)[\"']?\s*(?P<sign>:(?=\s|$)|=(?![=~])))?\s*(?P<value>.*)$"
)
_BLOCK = lazy(r"^[|>][-+\d]*\s*(?:#.*)?$")
_ARGUMENTS = frozenset(("command", "args", "entrypoint", "cmd", "arguments"))
_RUNS = lazy(
    r"run|command|cmd|script|entry|exec|start|shell|code|init|setup|install|hook|program|notify|boot|build|test|task|^$",
    re.I,
)
_PROJECTS = (".xml", ".iml", ".plist", ".csproj", ".vcxproj", ".props", ".targets", ".wxs", ".pom", ".jnlp", ".run")
_ATTRIBUTE = lazy(r"=\s*(?:\"(?P<one>[^\"<]{4,4000})\"|'(?P<two>[^'<]{4,4000})')|>(?P<text>[^<>]{4,4000})</")
_STARTS = frozenset(("command", "entry", "cmd", "program", "executable"))
_FETCHED = lazy(
    r"^(?P<indent>[^\S\n]*)(?:-[^\S\n]+)?(?:ansible\.builtin\.)?(?:get_url|unarchive|uri):[^\n]*\n(?P<keys>(?:\s+\w+:[^\n]*\n){1,8})",
    re.M,
)
_POWERSHELL = lazy(r"\biex\b|\bInvoke-Expression\b|\bStart-Process\b|\bDownload(?:String|File|Data)\b", re.I)
_FLOW = lazy(r"^\[\s*(?P<items>.*?)\s*\]?,?\s*$")
_TEXTS = lazy(r"(?<!\\)\"(?P<double>(?:\\.|[^\"\\])*)\"|'(?P<single>[^']*)'")
_ITEM = lazy(r"(?<!\\)\"(?P<double>(?:\\.|[^\"\\])*)\"|'(?P<single>[^']*)'|(?P<bare>[^\s,\[\]\"'][^,\[\]]*)")


_LOOKED_UP = lazy(
    r"\b(?:lookup|query|q)\s*\(\s*\\?[\"'](?:ansible\.builtin\.)?pipe\\?[\"']\s*,\s*(?:'(?P<one>[^'\n]{4,2000})'|\\?\"(?P<two>[^\"\n]{4,2000}?)\\?\")"
)
"""A value of Ansible that a command prints."""


class Piece(msgspec.Struct, frozen=True):
    """A part of a text that a shell is given."""

    text: str
    line: int


def pieces(role: str, name: str, text: str) -> Iterator[Piece]:
    """The parts in their order, no more than are worth it."""
    return itertools.islice(_pieces(role, name.lower().replace("\\", "/"), text[:LARGEST].replace("\r\n", "\n")), _MOST)


def _pieces(role: str, name: str, text: str) -> Iterator[Piece]:
    if role == "shell" and name.rpartition("/")[2] == "procfile":
        yield from settings(text)
    elif role == "shell":
        yield Piece(text, 1)
    elif role == "batch":
        yield Piece(batch(text), 1)
    elif role == "powershell":
        yield Piece(powershell(text), 1)
    elif role == "dockerfile":
        yield from _docker(text)
    elif role == "makefile":
        yield from _recipes(text)
    elif role == "markdown" or (role in ("text", "modelfile") and "```" in text):
        yield from page(text)
    elif role == "markup" and name.endswith(_PROJECTS):
        yield from _attributes(text)
    elif role in ("settings", "requirements", "shortcut"):
        yield from settings(text)
    elif role == "text":
        yield from _lines(name, text)


def _docker(text: str) -> Iterator[Piece]:
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        start, parts = at, [lines[at]]
        while at + 1 < len(lines) and (
            parts[-1].rstrip().endswith("\\") or (len(parts) > 1 and parts[-1].lstrip().startswith("#"))
        ):
            at += 1
            parts.append(lines[at])
        at += 1
        found = _INSTRUCTION.match(
            "\n".join(part for part in parts if not part.lstrip().startswith("#") or part is parts[0])
        )
        if found is None:
            continue
        name, rest = found["name"].upper(), found["rest"].strip()
        if marker := re.search(r"<<-?\s*[\"']?(\w+)[\"']?", rest):
            end = next((place for place in range(at, len(lines)) if lines[place].strip() == marker[1]), len(lines) - 1)
            rest = "\n".join([rest, *lines[at : end + 1]])
            at = end + 1
        yield Piece(_instruction(name, rest), start + 1)


def _instruction(name: str, rest: str) -> str:
    if name in ("ADD", "WORKDIR"):
        return f"{name} {rest}"
    if name == "COPY":
        return f"cp {' '.join(word for word in rest.split() if not word.startswith('--'))}"
    if name in ("ENV", "ARG"):
        return rest if "=" in rest.split(None, 1)[0] else "=".join(rest.split(None, 1))
    if name == "HEALTHCHECK":
        rest = rest.partition("CMD")[2].strip()
    rest = _FLAGS.sub("", rest)
    return _line(rest)


def _line(value: str) -> str:
    """A command that is written as a list of words, as one line; any other as it is."""
    if value.startswith("["):
        try:
            words = json.loads(value)
        except ValueError:
            words = _items(value)
        return quoted([str(word) for word in words]) if isinstance(words, list) else ""
    return value


def _items(value: str) -> list[str]:
    found = _FLOW.match(value)
    return [_unescaped(each) for each in _ITEM.finditer(found["items"])] if found else []


def _unescaped(found: "re.Match[str]") -> str:
    if found["double"] is not None:
        try:
            return str(json.loads(f'"{found["double"]}"'))
        except ValueError:
            return found["double"]
    return found["single"] if found["single"] is not None else found["bare"].strip()


def _recipes(text: str) -> Iterator[Piece]:
    """Assignments and recipes of make and just: a recipe is what is indented."""
    made = []
    for line in text.replace("$$", "$").split("\n"):
        bare = re.sub(r"\$\((\w+)\)", r"${\1}", line)
        if line[:1] in " \t":
            bare = re.sub(r"^\s*[@+-]*", "", bare)
            bare = re.sub(r"\{\{\s*(\w+)\s*\}\}", r"${\1}", bare)
        elif found := re.match(r"^(?:export\s+)?(\w+)\s*(?:[:?]{0,2}=)\s*(.+)$", bare):
            value = found[2].strip().strip("\"'")
            bare = f'{found[1]}="{value}"'
        elif not bare.startswith("#"):
            bare = bare.partition(";")[2]
        made.append(bare)
    yield Piece("\n".join(made), 1)


def page(text: str) -> Iterator[Piece]:
    """Blocks and words of code in a page."""
    covered = []
    for found in _FENCE.finditer(text):
        covered.append((found.start(), found.end()))
        if found["language"].lower() in _SHELL_NAMES:
            code = _PROMPT.sub("", found["code"])
            line = line_at(text, found.start("code"))
            if found["language"].lower() in ("powershell", "ps1", "pwsh") and _POWERSHELL.search(code):
                yield Piece(powershell(code), line)
            elif found["language"].lower() == "dockerfile":
                yield from (Piece(each.text, each.line + line - 1) for each in _docker(code))
            else:
                yield Piece(
                    batch(code) if re.search(r"%\w+%|\.exe\b|\\\w", code) and "\\\n" not in code else code, line
                )
    for found in _SPAN.finditer(text):
        if not any(start <= found.start() < end for start, end in covered):
            yield Piece(found["code"], line_at(text, found.start()))


def settings(text: str) -> Iterator[Piece]:
    """Values of YAML, TOML and INI files, line by line; lists of words as one command."""
    lines = text.split("\n")
    at = 0
    listed: list[str] = []
    begun, last = 0, ""
    yield from _modules(text)
    for looked in itertools.islice(_LOOKED_UP.finditer(text), 50):
        yield Piece(looked["two"] or looked["one"], line_at(text, looked.start()))
    collecting = False
    while at < len(lines):
        line = lines[at]
        at += 1
        found = _KEYED.match(line) if len(line) <= _LINE else None
        if not line.strip() or line.lstrip().startswith("#") or found is None:
            continue
        value = found["value"].strip()
        if collecting and found["dashes"] and not found["key"]:
            listed.append(_scalar(value))
            continue
        if listed:
            yield from _listed(listed, begun)
            listed = []
        key = (found["key"] or "").strip().lower()
        collecting, begun = key in _ARGUMENTS and not value, at
        last = _scalar(value) if key in _STARTS else last
        if _BLOCK.match(value):
            block, at = _block(lines, at, len(found["indent"]) + len(found["dashes"]))
            yield Piece(powershell(block) if _POWERSHELL.search(block) else block, begun + 1)
        elif value.startswith("[") and (found["sign"] or found["dashes"]):
            while "]" not in value and at < len(lines) and at - begun < 60:
                value += " " + lines[at].strip()
                at += 1
            yield from _flow(value, begun, last if key in ("args", "arguments") and " " not in last else "")
        elif value.startswith("{"):
            found_texts = (_unescaped(each) for each in _TEXTS.finditer(value))
            yield from (Piece(item, begun) for item in found_texts if " " in item)
        elif value and (not found["key"] or names_command(key, value)):
            whole = found["sign"] == "=" and value.startswith(("$(", "`"))
            yield Piece(line.strip() if whole else _systemd(_scalar(value)), begun)
    if listed:
        yield from _listed(listed, begun)


def _attributes(text: str) -> Iterator[Piece]:
    """Commands in project files and lists of properties: attributes, and texts between tags."""
    for found in _ATTRIBUTE.finditer(text):
        value = html.unescape(found["one"] or found["two"] or found["text"] or "")
        yield Piece(re.sub(r"^-\w*c\s+([\"'])(.*)\1$", r"\2", value.strip()), line_at(text, found.start()))
    if "<array>" in text:
        for found in itertools.islice(re.finditer(r"<array>([\s\S]{0,4000}?)</array>", text), 50):
            words = [html.unescape(word) for word in re.findall(r"<string>([^<]*)</string>", found[1])]
            yield Piece(quoted(words), line_at(text, found.start()))


def names_command(key: str, value: str) -> bool:
    """True for a value that may be a command: of one word it is one only where the key says so."""
    return re.search(r"[\s;]", value.strip()) is not None or _RUNS.search(key) is not None


def _modules(text: str) -> Iterator[Piece]:
    """Steps of Ansible that fetch a file."""
    for found in itertools.islice(_FETCHED.finditer(text), 50):
        given = {key: _scalar(value.strip()) for key, value in re.findall(r"(\w+):\s*(.*)", found["keys"])}
        if "url" in given or "src" in given:
            target = given.get("dest", "")
            yield Piece(quoted(["curl", "-o", target, given.get("url") or given["src"]]), line_at(text, found.start()))


def _listed(words: list[str], line: int) -> Iterator[Piece]:
    """A list under `command` or the like: one command by its words, or several commands."""
    if any(" " in word for word in words[:1]):
        yield from (Piece(word, line) for word in words)
    else:
        yield Piece(quoted(words), line)


def _flow(value: str, line: int, before: str = "") -> Iterator[Piece]:
    items = [*([before] if before else []), *_items(value)]
    if items and " " in items[0].strip():
        yield from (Piece(item, line) for item in items)
    else:
        yield Piece(quoted(items), line)


def _block(lines: list[str], at: int, level: int) -> tuple[str, int]:
    start = at
    while at < len(lines) and (not lines[at].strip() or len(lines[at]) - len(lines[at].lstrip()) > level):
        at += 1
    return "\n".join(line.strip() for line in lines[start:at]), at


def _scalar(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value[1:-1]
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    return value


def _systemd(value: str) -> str:
    return re.sub(r"^[-@:+!]+(?=/)", "", value)


_CRON = lazy(
    r"^[^\S\n]*(?:(?:[\d*/,-]+\s+){5}|@(?:reboot|hourly|daily|weekly|monthly)\s+)(?:root\s+|www-data\s+)?(?=\S)", re.M
)
_WORDS_LIST = lazy(r"vocab|merges|tokens|\.(?:csv|tsv|jsonl|ndjson|log|bpe|tiktoken|tex|bib)$")


def _lines(name: str, text: str) -> Iterator[Piece]:
    """A text of no known kind: hooks, units of systemd, tables of cron, notes."""
    if _WORDS_LIST.search(name.rpartition("/")[2]):
        return
    if text.startswith("#!") or re.search(
        r"(?:^|/)\.?(?:git|husky|githooks)?/?hooks?/|\.husky/|\.envrc$|(?:^|/)\.(?:bash|zsh)?(?:rc|profile|_profile|login)$|\.(?:sbatch|slurm|def|bats|job|pbs)$",
        name,
    ):
        yield Piece(text, 1)
        return
    yield from settings(_CRON.sub("", text))
    yield from page(text)
