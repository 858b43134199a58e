"""Python sources and notebooks as formats."""

import itertools
import json
import re
import zlib
from collections.abc import Iterable, Sequence

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import ConfigSummary, PythonImport, PythonSummary, TextSummary
from modelscan_plus.formats.text import roles
from modelscan_plus.formats.text.facts import Remark, TextFacts
from modelscan_plus.formats.text.foreign import foreign_remarks
from modelscan_plus.formats.text.javascript import javascript_remarks
from modelscan_plus.formats.text.kept import kept
from modelscan_plus.formats.text.pages import texts_of_python, visitor_remarks
from modelscan_plus.formats.text.projects import code_references
from modelscan_plus.formats.text.python.analyse import Source
from modelscan_plus.formats.text.python.disguises import disguises
from modelscan_plus.formats.text.python.facts import PythonFacts
from modelscan_plus.formats.text.python.follow.alone import analysed
from modelscan_plus.formats.text.python.parsing import LARGEST, parse, renewed
from modelscan_plus.formats.text.remarks import output_remarks, page_remarks, script_remarks
from modelscan_plus.formats.text.requirements import of_header, requirement_remarks
from modelscan_plus.formats.text.saved_outputs import driving, of_script, of_widgets, told_to_run
from modelscan_plus.formats.text.shell.cells import cell as shell_parts
from modelscan_plus.formats.text.shell.pieces import Piece
from modelscan_plus.formats.text.shell.told import followed, worth

_NOTEBOOK = 32 << 20
_DEEP = 3
"""Archives inside of archives whose sources are followed together."""
_MAGICS = ("%", "!", "?")


class PythonFormat(Format):
    """Python sources."""

    name = "python"
    title = "Python source"
    extensions = (".py", ".pyw")
    executable = True
    description = (
        "Parsed by `ast`, never compiled. Found is what happens when the file is imported (class bodies, decorators, "
        "default values and everything these call included), what its methods and functions do, and what only happens "
        "when it is started as a program. Names are followed through aliases, `getattr`, `__import__`, module "
        "dictionaries, getters of `operator`, `reduce`, small functions of the file, lists, tables and attributes "
        "that hold callables; texts through concatenation, tables, translation, base64, hex, zlib, XOR, loops over "
        "constants and code inside of text; values from the network, from decoders, secrets and host names through "
        "variables and calls; files of the repository that are imported or run by their path. The statements are also "
        "gone through as Python would, with values known in part: through other files of the repository, operators and "
        "other methods that syntax calls, decorators, tables, objects handed to libraries, code inside of text. Which "
        "files a loader reaches is judged over the whole tree. Not followed: values through files, the weights and "
        "objects of libraries. Loaders: transformers, diffusers, sentence-transformers "
        "and vLLM with `trust_remote_code`, torch.hub, datasets, evaluate, MLflow, pip, pytest, Python itself."
    )

    def claims(self, view: View) -> bool:
        artifact = view.artifact
        if artifact.payload or not view.head:
            return False
        named = roles.by_name(artifact.name) == "python" and b"\0" not in view.head
        if not named and not roles.is_text(view.head, artifact.name):
            return False
        return roles.role(artifact.name, view.head, nested=artifact.depth > 0) == "python"

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        whole = (Region(0, size, "structure"),)
        if size > LARGEST:
            reason = CoverageReason("python-too-large", f"a source of {size:,} bytes is not read", executable=True)
            yield Parsed(regions=whole, gaps=(reason,))
            return
        data = artifact.source.pread(0, size)
        tree = parse(data)
        if isinstance(tree, str) and (newer := renewed(roles.decode(data))) is not None:
            tree, data = newer[0], newer[1].encode("utf-8", "surrogatepass")
        if isinstance(tree, str):
            yield Parsed((PythonFacts(disguises=tuple(disguises(roles.decode(data)))),))
            yield _unparsed(tree, whole)
            return
        try:
            name = artifact.name.rpartition("/")[2]
            source, unfinished = analysed(tree, roles.decode(data), budget, name=name)
        except RecursionError:
            yield _unparsed("nested too deeply to be analysed", whole)
            return
        gaps = (_unfinished(unfinished),) if unfinished else ()
        whole_file = name.endswith((".py", ".pyw")) and len(artifact.members) < _DEEP
        summary = _summary(source, zlib.compress(data, 6) if whole_file else b"")
        facts = PythonFacts(source.effects, source.disguises, source.omitted)
        code = code_references(name, roles.decode(data)) if name == "setup.py" else ()
        named = tuple(reference.value for reference in code)
        told = (summary, ConfigSummary(code=code, named=named)) if code else (summary,)
        pages = (*of_header(roles.decode(data)), *texts_of_python(tree))[:100]
        yield Parsed((facts, *((TextFacts("source", pages),) if pages else ())), whole, gaps=gaps, summaries=told)


def _unfinished(parts: Sequence[str]) -> CoverageReason:
    shown = shorten(visible("; ".join(parts[:3])))
    return CoverageReason("python-steps", f"what its code calls takes too many steps to follow: {shown}", True)


def _unparsed(why: str, whole: tuple[Region, ...]) -> Parsed:
    reason = CoverageReason("python-syntax", f"Python's parser does not take the source: {shorten(visible(why))}", True)
    return Parsed(regions=whole, gaps=(reason,), summaries=(PythonSummary(parsed=False),))


def _summary(source: Source, text: bytes) -> PythonSummary:
    imports = tuple(PythonImport(module, names) for module, names in source.imports)
    return PythonSummary(
        imports, source.classes, source.functions, source.effects, handed=source.handed, passed=source.passed,
        entrusts=source.entrusts, takes=source.takes, source=text,
    )  # fmt: skip


_TAKES_KEY = lazy(
    r"^[ \t]*(?P<name>[A-Za-z_]\w*) *= *(?:userdata\.get|os\.environ(?:\.get)?|os\.getenv|[\w.]*get_secret)\s*[(\[]\s*"
    r"[\"'](?P<key>\w*(?:TOKEN|SECRET|PASSWORD|API_?KEY|ACCESS_KEY|PRIVATE_KEY)\w*)[\"']",
    re.M | re.I,
)
"""A variable that holds a credential, which a line for the shell may name."""
_USED = lazy(r"\{(?P<braced>[A-Za-z_]\w*)\}|\$(?P<bare>[A-Za-z_]\w*)")


class NotebookFormat(Format):
    """Jupyter notebooks."""

    name = "notebook"
    title = "Jupyter notebook"
    extensions = (".ipynb",)
    executable = True
    description = (
        "Code cells are read as one Python source each, lines for the shell and for pip as such, Markdown cells as "
        "pages; saved outputs are searched for markup that runs when the notebook is shown."
    )

    def claims(self, view: View) -> bool:
        artifact = view.artifact
        if artifact.payload or not roles.is_text(view.head, artifact.name):
            return False
        return roles.role(artifact.name, view.head) == "notebook"

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        whole = (Region(0, size, "structure"),)
        if size > _NOTEBOOK:
            yield Parsed(
                regions=whole, gaps=(CoverageReason("notebook-too-large", f"{size:,} bytes are not read", True),)
            )
            return
        try:
            whole_notebook = json.loads(artifact.source.pread(0, size))
            cells = whole_notebook.get("cells")
        except (ValueError, RecursionError, AttributeError):
            yield Parsed(regions=whole, gaps=(CoverageReason("malformed", "the notebook is not valid JSON", True),))
            return
        remarks = _widgets(whole_notebook.get("metadata"))
        keys: dict[str, str] = {}
        sources: list[str] = []
        parts: list[Piece] = []
        yield Parsed(regions=whole, summaries=(TextSummary("notebook"),))
        for number, cell in enumerate(cells if isinstance(cells, list) else [], 1):
            budget.check_time()
            if not isinstance(cell, dict):
                continue
            text = _joined(cell.get("source"))
            if cell.get("cell_type") == "code":
                shell, code = _split(text)
                keys |= {found["name"]: found["key"] for found in itertools.islice(_TAKES_KEY.finditer(code), 200)}
                shell = _naming_keys(shell, keys)
                remarks += [*script_remarks(shell), *requirement_remarks(shell, script=True)]
                parts += shell_parts(_naming_keys(text, keys))
                if not isinstance(parse(code), str):
                    sources.append(code)
                remarks += _page(text)
                for output in cell.get("outputs") or ():
                    remarks += _output(output, number)
            elif cell.get("cell_type") == "markdown":
                remarks += page_remarks(text)
        if any(worth(part.text) for part in parts):
            remarks = [*followed(parts), *remarks]
        held, gaps = kept(remarks)
        yield Parsed((TextFacts("notebook", held),), gaps=gaps)
        whole_source = "\n".join(sources)  # the cells are one program: one imports what the next one uses
        tree = parse(whole_source)
        if not isinstance(tree, str) and len(whole_source) <= LARGEST:
            source, _ = analysed(tree, whole_source, budget)
            yield Parsed((PythonFacts(source.effects, source.disguises, source.omitted),))
            if pages := tuple(texts_of_python(tree))[:100]:
                yield Parsed((TextFacts("notebook", pages),))


def _naming_keys(shell: str, keys: dict[str, str]) -> str:
    """Lines for the shell with `$NAME` of the credential where a variable of Python holds one."""

    def named(found: "re.Match[str]") -> str:
        name = found["braced"] or found["bare"]
        return f"${keys[name]}" if name in keys else found.group()

    return _USED.sub(named, shell) if keys else shell


_OTHERS = {"perl": "pl", "ruby": "rb", "r": "r", "julia": "jl", "lua": "lua", "php": "php", "go": "go", "rust": "rs"}
_OTHER = lazy(r"^%%(?:script\s+)?(perl|ruby|r|julia|lua|php|go|rust)\b[^\n]*\n", re.I)
_DISPLAYED = lazy(
    r"\b(?:Javascript|HTML)\s*\(\s*(?:data\s*=\s*)?(?:\"\"\"(?P<long>[\s\S]{1,8000}?)\"\"\"|'(?P<single>[^'\n]*)'|\"(?P<double>(?:\\.|[^\"\\\n])*)\")"
)


def _page(text: str) -> list[Remark]:
    """What a cell runs in the program that shows it."""
    if text.startswith(("%%javascript", "%%js")):
        return [*javascript_remarks(text), *visitor_remarks(text), *of_script(text.partition("\n")[2])]
    if found := _OTHER.match(text):
        return list(foreign_remarks(f"cell.{_OTHERS[found[1].lower()]}", text[found.end() :]))
    if shown := _DISPLAYED.search(text):
        script = next(filter(None, (shown["long"], shown["single"], shown["double"])), "")
        return [each for each in _shown(f"<script>{script}</script>{script}") if each.kind == "active"]
    return [*_shown(text), *visitor_remarks(text)] if text.startswith(("%%html", "%%HTML", "%%svg")) else []


def _joined(source: object) -> str:
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


_GIVES = lazy(r"^(?P<before>\s*[A-Za-z_][\w, .\[\]\"']{0,80}=\s*)(?P<sign>[!%])(?P<command>[^=\s].{0,2000})$")
"""A variable that is given what a command prints."""
_ASKS = lazy(r"^\s*\??\??[\w.]+\?{1,2}\s*$|^\s*\?")
_GOES_ON = lazy(r"(?:else|elif|except|finally|case)\b|[)\]}\"']")


def _split(text: str) -> tuple[str, str]:
    """The lines for the shell and the lines of Python; both keep their line numbers."""
    if text.startswith(("%%bash", "%%sh", "%%script", "%%!")):
        return text, ""
    shell, code = [], []
    for line in text.split("\n"):
        is_shell = line.lstrip().startswith(_MAGICS)
        shell.append(line.lstrip().lstrip("!%") if is_shell else "")
        indent = line[: len(line) - len(line.lstrip())]
        if (given := _GIVES.match(line)) is not None:
            called = "getoutput" if given["sign"] == "!" else "run_line_magic"
            shell[-1] = given["command"]
            line = f"{given['before']}get_ipython().{called}({given['command']!r})"
        code.append(f"{indent}pass" if is_shell or _ASKS.match(line) else line)
    return "\n".join(shell), _parsed("\n".join(code))


def _parsed(code: str) -> str:
    """The code; of a cell that Python's parser does not take, the parts at its left edge that it takes."""
    if not isinstance(parse(code), str):
        return code
    kept: list[str] = []
    part: list[str] = []
    for line in [*code.split("\n"), "end"]:
        if part and line[:1].strip() and not _GOES_ON.match(line):
            kept += part if not isinstance(parse("\n".join(part)), str) else [""] * len(part)
            part = []
        part.append(line)
    return "\n".join(kept)


def _shown(markup: str, number: int = 1) -> list[Remark]:
    """What markup does in the notebook that shows it."""
    return [*output_remarks(markup, number), *driving(markup)]


def _widgets(metadata: object) -> list[Remark]:
    """What the saved state of widgets does."""
    found: list[Remark] = []
    for kind, text in of_widgets(metadata):
        shown = [*javascript_remarks(text), *of_script(text)] if kind == "script" else _shown(text)
        found += [each for each in (*shown, *visitor_remarks(text)) if each.kind != "script"]
    return found


def _output(output: object, number: int) -> list[Remark]:
    if not isinstance(output, dict):
        return []
    data = output.get("data")
    if not isinstance(data, dict):
        return list(told_to_run(_joined(output.get("text")), number))
    html = _joined(data.get("text/html")) + _joined(data.get("image/svg+xml"))
    script = _joined(data.get("application/javascript"))
    found = [*_shown(html, number), *visitor_remarks(html), *told_to_run(html, number)]
    if script:
        found += [each for each in _shown(f"<script>{script}</script>", number) if each.kind == "active"]
        found.append(Remark("script", "runs in the program that shows it", shorten(visible(script), 160), number))
    return found
