"""Notebooks and JSON as programs for a shell: lines behind `!` and `%`, cells of `%%bash`, and the Python around them.

Of the Python only what touches files that a shell line made is of interest: what downloads to a constant name, and what
runs, imports or loads one.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.shell.pieces import Piece, names_command
from modelscan_plus.formats.text.shell.words import quoted

_CELL = lazy(r"^%%(?:bash|sh|!|script\s+(?:--?[\w-]+\s+)*(?:/bin/)?(?:ba|z|da)?sh\b)[^\n]*\n?", re.I)
_FILE = lazy(r"^%%(?:writefile|file)\s+(?:-a\s+)?(?P<name>\S+)[^\n]*\n(?P<body>[\s\S]*)")
_MAGIC = lazy(
    r"run_cell_magic\s*\(\s*[\"'](?:bash|sh|!)[\"']\s*,\s*[\"'][^\"'\n]*[\"']\s*,\s*"
    r"(?:\"\"\"(?P<long>[\s\S]{1,8000}?)\"\"\"|'(?P<single>[^'\n]*)'|\"(?P<double>[^\"\n]*)\")"
)
_STARTS = lazy(
    r"(?:\bos\.(?:system|popen)|\bsubprocess\.\w+|\bgetoutput|\bget_ipython\(\)\.(?:system|getoutput|run_line_magic|run_cell)|\bPopen|"
    r"\bcheck_(?:call|output)|\brun)\s*\(\s*(?P<given>f?[\"'][^\n]{0,2000}|\[[^\n]{0,2000}|[\w.]+)"
)
_ASSIGNED = lazy(r"^\s*(?P<name>\w+)\s*=\s*(?:!|%sx\s)(?P<line>.+)$")
_TEXT = lazy(r"(?<!\\)\"(?P<double>(?:\\.|[^\"\\\n])*)\"|(?<!\\)'(?P<single>(?:\\.|[^'\\\n])*)'")
_IMPORT = lazy(r"^\s*(?:from\s+(?P<source>[\w.]+)\s+import|import\s+(?P<names>[\w., ]+))")
_LOADED = lazy(
    r"(?:\bexec\s*\(\s*(?:compile\s*\(\s*)?open|\brunpy\.run_path|spec_from_file_location\s*\(\s*[\"']\w+[\"']\s*,|\bCDLL|\bload_library|"
    r"\bSourceFileLoader\s*\(\s*[\"']\w+[\"']\s*,|\bexecfile)\s*\(?\s*[\"'](?P<file>[^\"'\n]{1,200})"
)
_EXECUTED = lazy(r"\b(?:exec|eval)\s*\([^\n]{0,120}?\b(?P<name>[a-z_]\w*)\b\s*\)+")
_RETRIEVED = lazy(
    r"(?:urlretrieve|download_url_to_file|wget\.download|download_file|get_file)\s*\(\s*[\"'](?P<url>https?://[^\"'\n]+)[\"']\s*"
    r"(?:,\s*(?:\w+\s*=\s*)?[\"'](?P<file>[^\"'\n]+)[\"'])?"
)
_WRITTEN = lazy(
    r"open\s*\(\s*[\"'](?P<file>[^\"'\n]{1,200})[\"']\s*,\s*[\"']\w*w\w*[\"']\s*\)[\s\S]{0,80}?\.write\s*\([^\n]{0,40}?"
    r"(?:requests\.get|urlopen)\s*\(\s*[\"'](?P<url>https?://[^\"'\n]+)[\"']"
)
_HELD = lazy(r"^\s*(?P<name>\w+)\s*=\s*f?[\"'](?P<value>[^\"'\n]{1,400})[\"']\s*$")
_LONGEST = 20_000


def cell(text: str, line: int = 1) -> Iterator[Piece]:
    """The parts of one code cell for a shell."""
    if found := _CELL.match(text):
        yield Piece(text[found.end() :], line)
        return
    if found := _FILE.match(text):
        yield Piece(f"cat > {found['name']} <<'_END_OF_CELL_'\n{found['body']}\n_END_OF_CELL_\n", line)
        return
    for found in _MAGIC.finditer(text):
        yield Piece(
            next(filter(None, (found["long"], found["single"], found["double"])), "").replace("\\n", "\n"), line
        )
    for number, row in enumerate(text.split("\n"), line):
        bare = row.strip()
        if bare.startswith("!"):
            yield Piece(_braces(bare[1:]), number)
        elif found := _ASSIGNED.match(row):
            yield Piece(f'{found["name"]}="$({_braces(found["line"])})"', number)
        elif bare.startswith("%"):
            yield from _magic(bare[1:], number)
        else:
            yield from _python(row, number)
    if found := _WRITTEN.search(text):
        yield Piece(quoted(["curl", "-o", found["file"], found["url"]]), line)


def _braces(line: str) -> str:
    """`{name}` of IPython as `${name}`."""
    return re.sub(r"(?<!\$)\{(\w+)\}", r"${\1}", line)


def _magic(line: str, number: int) -> Iterator[Piece]:
    name, _, rest = line.lstrip("%").partition(" ")
    if name in ("run", "load", "loadpy", "execfile", "edit"):
        words = [word for word in rest.split() if not word.startswith("-")]
        if words and words[0].startswith("http"):
            yield Piece(f"deno run {words[0]}", number)
        elif words:
            yield Piece(f"python {' '.join(words)}", number)
    elif name in ("sx", "system", "sc", "bash", "cd", "pip", "env", "set_env", "conda"):
        line = rest if name in ("sx", "system", "bash") else f"{name} {rest}"
        yield Piece(_braces(line) if name not in ("env", "set_env") else f"export {rest}", number)


def _python(row: str, number: int) -> Iterator[Piece]:
    if found := _HELD.match(row):
        yield Piece(f"{found['name']}={quoted([found['value']])}", number)
    for found in _RETRIEVED.finditer(row):
        base = found["url"].rpartition("/")[2]
        yield Piece(quoted(["curl", "-o", found["file"] or base, found["url"]]), number)
    for found in _STARTS.finditer(row):
        given = found["given"]
        texts = [_plain(each) for each in _TEXT.finditer(given)]
        if given.startswith("[") and texts:
            yield Piece(quoted(texts), number)
        elif texts:
            yield Piece(_braces(texts[0]), number)
        elif given.isidentifier():
            yield Piece(f'eval "${given}"', number)
    if found := _LOADED.search(row):
        yield Piece(quoted(["python", found["file"]]), number)
    elif found := _EXECUTED.search(row):
        yield Piece(f'eval "${found["name"]}"', number)
    if found := _IMPORT.match(row):
        for name in (found["source"] or found["names"]).split(","):
            yield Piece(f"python {name.split()[0].replace('.', '/')}.py" if name.split() else "", number)


def _plain(found: "re.Match[str]") -> str:
    text = found["double"] if found["double"] is not None else found["single"]
    return text.replace("\\n", "\n").replace("\\'", "'").replace('\\"', '"').replace("\\\\", "\\")


def of_json(value: object) -> Iterator[Piece]:
    """Commands among the values of a parsed file: texts, lists of words, a command with its arguments."""
    for number, text in enumerate(_commands(value), 1):
        if 3 < len(text) < _LONGEST:
            yield Piece(text, number)


def _commands(value: object, depth: int = 0, key: str = "") -> Iterator[str]:
    if depth > 40:
        return
    if isinstance(value, str):
        yield from (value,) if names_command(key, value) else ()
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in itertools.islice(value, 200)):
            words = [str(item) for item in value[:200]]
            yield from words if " " in words[0] else [quoted(words), *(word for word in words if " " in word)]
        else:
            for item in value[:5000]:
                yield from _commands(item, depth + 1, key)
    elif isinstance(value, dict):
        command, given = value.get("command"), value.get("args")
        if isinstance(command, str) and isinstance(given, list) and all(isinstance(word, str) for word in given):
            yield quoted([command, *given])
        for key, item in itertools.islice(value.items(), 5000):
            if key not in ("args", "vocab", "merges"):
                yield from _commands(item, depth + 1, str(key))
