"""What a saved output, or the saved state of a widget, does in the notebook that shows it.

Libraries of plots talk to the kernel from their outputs as well: they import themselves by name, or give a variable
a value. No output of a library has the kernel start a program, run code or write a file, writes a cell and runs it,
opens a terminal, or asks the notebook's own server. Sources: the documentation of Jupyter's classic notebook, of
JupyterLab, of jupyter_server's REST API, of ipywidgets and of anywidget.
"""

import html
import itertools
import re
from collections.abc import Iterable, Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.javascript import javascript_remarks
from modelscan_plus.formats.text.javascript_flow import LARGEST, arguments, folded
from modelscan_plus.formats.text.page_values import remark

_MAY = lazy(r"kernel|Jupyter|IPython|notebook|execute|terminal|/?api/(?:contents|sessions)|stdin|eval|Function|atob")
_SCRIPT = lazy(r"<script\b[^>]{0,400}>(?P<body>[\s\S]{1,400000}?)(?:</script|\Z)", re.I)
_HANDLER = lazy(
    r"\son[a-z]{3,20}\s*=\s*(?:\"(?P<double>[^\"]{1,8000})\"|'(?P<single>[^']{1,8000})'|(?P<bare>[^\s>\"']{1,2000}))",
    re.I,
)
_EXECUTES = lazy(r"\.(?:execute|requestExecute)\s*\(")
_FILLS = lazy(
    r"\.(?:set_text|setSource|insert_cell\w*|create_next_input|replaceSource|set_source)\s*\(|\bcode\s*:\s*(?=[\"'`])"
)
_RUNS_CELLS = lazy(
    r"\.execute_\w*cells?\w*\s*\(|\bexecute_cell\b|\.execute\s*\(\s*\)|notebook:run|run-(?:all-)?cell", re.I
)
_ASSIGNED = r"(?<![\w$.])%s\s*=(?![=>])\s*(?P<value>[^;\n]{1,4000})"
_LITERAL = lazy(r"\"((?:\\.|[^\"\\\n])*)\"|'((?:\\.|[^'\\\n])*)'|`((?:\\.|[^`\\])*)`")
_NAME = lazy(r"\s*(?:\{\s*code\s*:\s*)?([A-Za-z_$][\w$]{0,60})\s*(?:[,)}]|$)")
_SERVER = lazy(
    r"(?:\b(?:fetch|open|ajax|post|get|put|WebSocket|sendBeacon)|\baxios[\w.]{0,20})\s*\([^;]{0,300}?"
    r"(?:\bapi/(?:terminals|kernels|sessions|contents|kernelspecs|shutdown)\b|\bterminals/websocket\b)"
)
_TYPES = lazy(r"\[\s*[\"'`]stdin[\"'`]\s*,|\btype\s*:\s*[\"'`]stdin[\"'`]")
_ACTS = lazy(
    r"\bos\s*\.\s*(?:system|popen|exec|spawn|posix|remove|unlink|environ|putenv|fork)|\bsubprocess\b|\bpty\b|\bsocket\b|\bctypes\b|\burl(?:open|retrieve|lib)\b|"
    r"\b(?:requests|httpx|aiohttp)\b|\bexec\s*\(|\beval\s*\(|\bcompile\s*\(|__import__|\bimportlib\b|\bb64decode\b|\bpickle\b|\bmarshal\b|\bshutil\b|get_ipython|"
    r"\bopen\s*\([^)]*[\"']\s*,\s*[\"'][wax]|\.write(?:_text|_bytes)?\s*\(|\brunpy\b|\bpip(?:\.main|\s+install)\b|(?:^|\n|;)\s*(?:!|%%?(?:bash|sh|sx|system|run|script|load_ext)\b)"
)
"""Code by which something is started, run, fetched, sent or written."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_TOLD = ("runs what it fetches", "runs text that it decodes", "sends ", "opens a shell")
_INVITES = lazy(
    r"\b(?:run|execute|type|paste|enter|use)\b[^\n]{0,80}(?:command|terminal|shell|console|following|below|:)|\b(?:to|please)\s+(?:fix|repair|continue|update|upgrade|install)\b[^\n]{0,80}:",
    re.I,
)
_LONGEST = 20_000
_STATES = 3_000
_OF_WIDGETS = ("value", "template", "description", "placeholder", "html", "outerHTML")
_CODE_OF_WIDGETS = ("_esm", "_anywidget_esm", "js", "methods", "events")


def driving(text: str) -> Iterator[Remark]:
    """What markup of an output, with its scripts and handlers, has the notebook do; at most one remark of each kind."""
    told: set[str] = set()
    for script in _scripts(text):
        for found in of_script(script):
            if found.what not in told:
                told.add(found.what)
                yield found


def of_script(script: str) -> Iterator[Remark]:
    """What a script that a notebook shows has it do."""
    if len(script) > LARGEST or not _MAY.search(script):
        return
    written = folded(script)
    for found in itertools.islice(_EXECUTES.finditer(written), 200):
        if "ernel" in written and _does(_code(written, found.end(), found.start())):
            yield remark("active", "has the kernel of the notebook run code of its author", written, found)
            break
    if _RUNS_CELLS.search(written):
        for found in itertools.islice(_FILLS.finditer(written), 200):
            if _does(_code(written, found.end(), found.start())):
                yield remark("active", "writes a cell into the notebook and runs it", written, found)
                break
    if asked := _SERVER.search(written):
        yield remark("active", "asks the server of the notebook, with the rights of whoever opened it", written, asked)
    if typed := _TYPES.search(written):
        yield remark("active", "types into a terminal", written, typed)
    yield from (
        Remark("active", found.what, found.text, found.line)
        for found in javascript_remarks(script)
        if found.kind == "command" and found.what.startswith(_TOLD)
    )


def told_to_run(text: str, line: int) -> Iterator[Remark]:
    """A command that an output tells its reader to run, and that no honest output does."""
    if len(text) > _LONGEST or not _INVITES.search(text):
        return
    bare = html.unescape(re.sub(r"<[^<>]{0,400}>", "\n", text)) if "<" in text else text
    for found in itertools.islice(_INVITES.finditer(bare), 20):
        after = bare[found.end() : found.end() + 400]
        if command := prose.hostile_command(after):
            host = prose.URL.search(command[1])
            plain = "http:" if host and host.group().startswith("http:") else ""
            yield Remark("command", command[0], command[1], line, plain + host.group(1).lower() if host else "")
            return


def of_widgets(metadata: object) -> Iterator[tuple[str, str]]:
    """Markup ("html") and scripts ("script") in the saved state of widgets, and outputs ("output") by their data."""
    held = metadata.get("widgets") if isinstance(metadata, dict) else None
    for state in itertools.islice(_states(held), _STATES):
        for name in _OF_WIDGETS:
            if isinstance(said := state.get(name), str) and "<" in said:
                yield "html", said
        for name in _CODE_OF_WIDGETS:
            if isinstance(said := state.get(name), str) and "(" in said:
                yield "script", said
        outputs = state.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            data = output.get("data") if isinstance(output, dict) else None
            said = data.get("text/html") if isinstance(data, dict) else None
            if said := "".join(part for part in said if isinstance(part, str)) if isinstance(said, list) else said:
                yield "html", str(said)


def _states(held: object, depth: int = 0) -> Iterator[dict[str, object]]:
    """The states of widgets, wherever a program puts them: below the type of the state, or right there (Colab)."""
    models: Iterable[object] = held.values() if isinstance(held, dict) else ()
    for model in models:
        if not isinstance(model, dict) or depth > 2:
            continue
        inner = model.get("state")
        if not isinstance(inner, dict):
            yield from _states(model, depth + 1)
        elif "model_name" in model:
            yield inner
        else:
            yield from _states(inner, depth + 1)


def _scripts(text: str) -> Iterator[str]:
    for found in itertools.islice(_SCRIPT.finditer(text), 200):
        yield found["body"]
    for found in itertools.islice(_HANDLER.finditer(text), 500):
        yield html.unescape(found["double"] or found["single"] or found["bare"])


def _code(text: str, start: int, at: int) -> str:
    """The constant parts of the code that a call is given, also by the last value of a name."""
    given = arguments(text, start)
    if named := _NAME.match(given):
        before = list(re.finditer(_ASSIGNED % re.escape(named[1]), text[max(0, at - 20_000) : at]))
        given = before[-1]["value"] if before else given
    parts = (next(filter(None, found.groups()), "") for found in itertools.islice(_LITERAL.finditer(given), 200))
    return " ".join(
        re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), part, flags=re.S) for part in parts
    )


def _does(code: str) -> bool:
    return bool(code) and (_ACTS.search(code) is not None or prose.hostile_command(code) is not None)
