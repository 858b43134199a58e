"""Code of other languages that settings, scripts and JSON hold, by one table of (file, key, language).

What is found is judged as a file of its language would be. Some keys always hold code (`init-hook` of pylint), some say
their language beside it (`command: [python]` and `source`), some are names of files (`start.py` of a ConfigMap, `path`
and `content` of cloud-init), and some texts say it in their first line. Sources: the documentation of pylint, Python's
logging, uWSGI, IPython, poe, PDM, hatch, buildout, OpenResty, Node-RED, n8n, Argo, Kubernetes, cloud-init and Docker.
"""

import bisect
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.foreign import foreign_remarks
from modelscan_plus.formats.text.python.parsing import parse
from modelscan_plus.formats.text.steps import Mapping, Step, language_of, mappings_of
from modelscan_plus.formats.text.toml import read_toml

_LONGEST = 200_000
_MOST = 400
_HEAD = 500
"""Characters of a line in which a section or interpreter is named; patterns go back and forth in longer ones."""
_TABLE = (
    (lazy(r"pylintrc|(?:^|/)(?:setup\.cfg|tox\.ini|pyproject\.toml)$"), lazy(r"(?:^|\.)init[-_]hook$"), "python"),
    (lazy(r"\.(?:conf|ini|cfg)$"), lazy(r"^(?:handler|formatter|logger)_\w+\.(?:args|kwargs|class)$"), "python"),
    (lazy(r"uwsgi|\.ini$"), lazy(r"^uwsgi\.(?:eval|exec|pyeval|pyrun)$"), "python"),
    (lazy(r"(?:ipython|jupyter)\w*_config\.json$"), lazy(r"(?:^|\.)exec_lines(?:\[\d+\])?$"), "python"),
    (lazy(r"pyproject\.toml$|poe_tasks\.toml$"), lazy(r"^(?:tool\.poe\.)?tasks\..*\.expr$"), "python"),
    (lazy(r"pyproject\.toml$|poe_tasks\.toml$"), lazy(r"^(?:tool\.poe\.)?tasks\..*\.script$"), "call"),
    (lazy(r"pyproject\.toml$"), lazy(r"^tool\.pdm\.scripts\..*\.call$"), "call"),
    (lazy(r"pyproject\.toml$|hatch\.toml$"), lazy(r"(?:^|\.)version\.expression$"), "python"),
    (lazy(r"\.cfg$"), lazy(r"\.initialization$"), "python"),
    (lazy(r"\.json$"), lazy(r"(?:^|\.)(?:func|jsCode|functionCode|javascriptFunction|jsFunction)$"), "javascript"),
    (lazy(r"\.json$"), lazy(r"(?:^|\.)(?:pythonCode|python_code|pyCode|python_function|pythonFunction)$"), "python"),
)
"""Of files by their name: keys by their place ("section.key"), and the language of what stands there."""
_WHOLE = ((lazy(r"(?:^|/)\.?(?:pdbrc|pythonrc|pystartup)$"), "python"),)
"""Files that are code as a whole, line by line."""
_NAMED = lazy(r"(?:^|[\s/\"'.])[\w-]+\.(?P<ending>py|pyw|js|mjs|cjs)$", re.I)
_LANGUAGES = {"py": "python", "pyw": "python", "js": "javascript", "mjs": "javascript", "cjs": "javascript"}
_SAYS = ("command", "interpreter", "language", "lang", "code_language", "executable", "type", "engine", "runtime")
"""Keys that say what the code beside them is written in."""
_HELD = frozenset("source script code value content contents data inline program text body function".split())
"""Keys that hold code beside one of those, or beside the name of a file."""
_PLACES = ("path", "dest", "filename", "file", "name", "target", "destination")
_FIRST_LINE = lazy(r"^\s*#!\s*(?P<program>\S+(?:\s+\S+)?)[^\n]*(?:\n|\Z)")
_IMPORTS = lazy(r"\s*(?:import\s+\w|from\s+[\w.]+\s+import\s)")
_HERE = lazy(r"^(?P<head>[^\n]{0,400}?)<<-?\s*[\"']?(?P<end>\w{1,40})[\"']?(?P<rest>[^\n]{0,200})\n", re.M)
_FIRST_WORD = lazy(r"^[^\S\n]*(\w{1,40})\b", re.M)
_INTERPRETS = lazy(r"\b(?:python[\d.]*|pypy[\d.]*)\b|[\w-]\.pyw?\b")
_SCRIPTED = lazy(r"\b(?:node|nodejs|deno|bun)\b|[\w-]\.[mc]?js\b")
_SECTION = lazy(r"^\s*\[+([^\]\n]{1,200})\]+\s*(?:[#;].*)?$")
_LINE = lazy(r"^(?P<key>[\w.-]{1,80})\s*[=:]\s*(?P<value>.*)$")
_FOREIGN = lazy(
    r"\b(?P<program>perl|ruby|php|Rscript|R|julia|lua|luajit|osascript|elixir|groovy)\d?(?:\s+-\w+){0,8}?\s+-{1,2}(?:e|r|eval)\s*"
    r"(?:'(?P<single>[^']{1,20000})'|\\?\"(?P<double>(?:\\.|[^\"\\]){1,20000})\")"
)
_NGINX = lazy(
    r"\b\w+_by_lua(?:_block)?\s*(?:\{(?P<block>[^{}]{1,8000}(?:\{[^{}]*\}[^{}]*)*)\}|[\"'](?P<text>[^\"']{1,8000})[\"'])"
)
_ENDINGS = {
    "perl": "pl", "ruby": "rb", "php": "php", "Rscript": "r", "R": "r", "julia": "jl", "lua": "lua", "luajit": "lua",
    "osascript": "applescript", "elixir": "exs", "groovy": "groovy",
}  # fmt: skip


def held_code(role: str, name: str, text: str) -> Iterator[Step]:
    """Python and JavaScript that the text holds."""
    name, text = name.replace("\\", "/"), text[:_LONGEST]
    found: list[Iterable[Step]] = [heredocs(text)]
    if role in ("settings", "requirements") or any(file.search(name) for file, _, _ in _TABLE):
        found.append(_by_table(name, _places(name, text)))
    if role == "settings":
        found.append(_by_neighbours(mappings_of(text)))
    if any(file.search(name) for file, _ in _WHOLE):
        lines = (line.lstrip("!") for line in text.split("\n"))
        found.append([Step("python", "\n".join(line for line in lines if not isinstance(parse(line.strip()), str)))])
    yield from itertools.islice(itertools.chain(*found), _MOST)


def held_in_values(name: str, pairs: list[tuple[str, str, str]]) -> Iterator[Step]:
    """The same for the texts of a parsed file, by their place."""
    return itertools.islice(_by_table(name.replace("\\", "/"), ((place, text) for place, _, text in pairs)), _MOST)


def foreign_code(text: str) -> Iterator[Remark]:
    """What programs of other languages do that stand on a command line or in the settings of a server."""
    for found in itertools.islice(_FOREIGN.finditer(text), 50):
        code = found["single"] or re.sub(r"\\([\"\\$`])", r"\1", found["double"])
        yield from foreign_remarks(f"line.{_ENDINGS[found['program']]}", code)
    for found in itertools.islice(_NGINX.finditer(text), 50) if "_by_lua" in text else ():
        yield from foreign_remarks("block.lua", found["block"] or found["text"])


def heredocs(text: str) -> Iterator[Step]:
    """Texts behind `<<END` that are handed to an interpreter, or written to a source."""
    for head, rest, held in itertools.islice(_here(text), 50):
        line, code = f"{head} {rest}", textwrap.dedent(held)
        language = _of_line(line) or _of_first_line(code)
        if language == "javascript" or (language == "python" and (_runs(line) or _is_python(code))):
            yield Step(language, code)


def _here(text: str) -> Iterator[tuple[str, str, str]]:
    """What stands before and behind each `<<END` in its line, and what stands below, up to a line that begins so."""
    ends: dict[str, list[int]] = {}
    for word in _FIRST_WORD.finditer(text) if "<<" in text else ():
        ends.setdefault(word[1], []).append(word.start())
    at = 0
    for found in _HERE.finditer(text) if ends else ():
        places = ends.get(found["end"], [])
        place = bisect.bisect_right(places, found.end())
        if found.start() >= at and place < len(places) and places[place] - found.end() <= _LONGEST:
            at = places[place]
            yield found["head"], found["rest"], text[found.end() : at - 1]


def _runs(line: str) -> bool:
    return re.search(r"\bpython[\d.]*\b(?![\w.-]*/)[^|>]*$", line) is not None and ".py" not in line


def _of_line(line: str) -> str:
    return "python" if _INTERPRETS.search(line) else "javascript" if _SCRIPTED.search(line) else ""


def _of_first_line(code: str) -> str:
    found = _FIRST_LINE.match(code.lstrip()[:_HEAD])
    return language_of(found["program"]) if found else ""


def _is_python(code: str) -> bool:
    return bool(code.strip()) and not isinstance(parse(code), str)


def _by_table(name: str, places: Iterable[tuple[str, str]]) -> Iterator[Step]:
    known = [(key, language) for file, key, language in _TABLE if file.search(name)]
    for place, value in places if known else ():
        for key, language in known:
            if not key.search(place):
                continue
            code = textwrap.dedent(value).strip()
            if language == "call":
                code = re.sub(r"^\s*([\w.]+):([\w.]+)", r"import \1; \1.\2", code)
                code = code if "(" in code else f"{code}()"
                language = "python"
            if language != "python" or _is_python(code):
                yield Step(language, code)


def _by_neighbours(found: Sequence[Mapping]) -> Iterator[Step]:
    """Code whose language a key beside it, the name of its file or its own first line says."""
    for each in itertools.islice(found, 5000):
        said = next((language for key in _SAYS if (language := language_of(each.values.get(key, "")))), "")
        filed = next((language for key in _PLACES if (language := _by_name(each.values.get(key, "")))), "")
        for key, value in each.values.items():
            if len(value) < 8 or (key in ("run", "shell") and "shell" in each.values):
                continue
            language = _by_name(key) or ((said or filed) if key in _HELD else "") or _of_first_line(value)
            code = textwrap.dedent(value)
            if not language and "\n" in value and "." not in key and _IMPORTS.match(code):
                language = "python"
            if language == "javascript" or (language == "python" and _is_python(code)):
                yield Step(language, code)


def _by_name(name: str) -> str:
    found = _NAMED.search(name.strip("\"' "))
    return _LANGUAGES[found["ending"].lower()] if found else ""


def _places(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Every value of a TOML or INI file with its place."""
    if name.endswith(".toml"):
        tables = read_toml(text)
        yield from _lines(text) if tables is None else _below(tables, "", 0)
    elif not name.endswith((".yaml", ".yml")):
        yield from _lines(text)


def _below(value: object, place: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict) and depth < 20:
        for key, item in value.items():
            yield from _below(item, f"{place}.{key}" if place else str(key), depth + 1)
    elif isinstance(value, list) and depth < 20:
        for item in value:
            yield from _below(item, place, depth + 1)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Keys of an INI file; what is indented goes on with the value above."""
    section, key, parts = "", "", [""]
    for line in [*text.split("\n"), "[end]"]:
        if key and line[:1] in " \t" and line.strip():
            parts.append(line)
            continue
        opened, found = _SECTION.match(line[:_HEAD]), _LINE.match(line.strip())
        if key and (opened or found):
            yield f"{section}.{key}".lstrip("."), _unquoted(parts)
            key = ""
        if opened:
            section = opened[1].strip()
        elif found and not line.lstrip().startswith(("#", ";")):
            key, parts = found["key"], [found["value"]]


def _unquoted(parts: list[str]) -> str:
    value = "\n".join([parts[0], textwrap.dedent("\n".join(parts[1:]))]).strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
