"""Texts that no other format claims: model cards, scripts, requirements, settings, word lists, licences."""

import html
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, shorten, visible
from modelscan_plus.formats import kinds
from modelscan_plus.formats.interface import Format, Parsed, Region, View
from modelscan_plus.formats.summaries import ConfigSummary, Summary, TextSummary
from modelscan_plus.formats.text import pages, prose, roles
from modelscan_plus.formats.text.agents import agent_remarks
from modelscan_plus.formats.text.cards import card_remarks, quotes
from modelscan_plus.formats.text.commands import GIT_SETTINGS
from modelscan_plus.formats.text.elsewhere import elsewhere_remarks
from modelscan_plus.formats.text.evaluable import evaluable_remarks
from modelscan_plus.formats.text.facts import Remark, TextFacts
from modelscan_plus.formats.text.foreign import foreign_remarks
from modelscan_plus.formats.text.heldcode import foreign_code, held_code
from modelscan_plus.formats.text.javascript import javascript_remarks
from modelscan_plus.formats.text.kept import kept, unread
from modelscan_plus.formats.text.lookalikes import channels, lookalikes, owners, replaced
from modelscan_plus.formats.text.named import in_text
from modelscan_plus.formats.text.origins import origin_remarks, root_mount
from modelscan_plus.formats.text.page_parts import page_parts
from modelscan_plus.formats.text.projects import code_references
from modelscan_plus.formats.text.prompts import prompt_file
from modelscan_plus.formats.text.python.parsing import parse
from modelscan_plus.formats.text.remarks import (
    handler_remarks,
    hidden_remarks,
    markup_remarks,
    native_remarks,
    output_remarks,
    page_remarks,
    script_remarks,
)
from modelscan_plus.formats.text.requirements import LOCKS, locked_remarks, requirement_remarks
from modelscan_plus.formats.text.services import service_remarks
from modelscan_plus.formats.text.shell.told import shell_remarks
from modelscan_plus.formats.text.steps import members, one_liners, steps, with_secrets
from modelscan_plus.formats.text.takenover import takeover_remarks
from modelscan_plus.formats.text.template import ESCAPING
from modelscan_plus.formats.text.variables import expanded, starts
from modelscan_plus.formats.text.verdicts import dictated
from modelscan_plus.formats.text.vocabularies import of_words
from modelscan_plus.formats.text.workflows import workflow_remarks, written_by_others

EXAMINED = 4 << 20
"""Bytes of a text that are examined; behind them only word lists and tables go on."""
_ONLY_BEGUN = frozenset(("text",))
"""Roles of word lists, tables and logs."""
_OBEYED = frozenset(("settings", "requirements", "modelfile", "site-path"))
"""Roles that no program runs, and that tell one what to run."""
_OWN = frozenset(("python", "json", "template", "notebook"))
"""Roles that have formats of their own."""
_SITE_LINE = lazy(r"^import[ \t]", re.M)
_PRIVILEGE = lazy(
    r"privileged\s*:\s*true|--privileged\b|/var/run/docker\.sock|cap_add\s*:\s*\[?\s*-?\s*[\"']?(?:ALL|SYS_ADMIN)|--cap-add[= ](?:ALL|SYS_ADMIN)|"
    r"pid\s*:\s*[\"']?host|^[^\S\n]*-\s*[\"']?/:/|-v\s+/:/",
    re.I | re.M,
)
_WHOLE_DISK = lazy(
    r"\blocation\s[^{}\n]{0,200}\{[^{}]{0,400}?\b(?:root|alias)\s+/\s*;|\bhttp\.server\b[^\n|;&]{0,100}\s(?:-d|--directory)[= ]\s*[\"']?/[\"']?(?:\s|$|[\"',\]])"
    r"|^[^\S\n]*Alias\s+\S+\s+[\"']?/[\"']?\s*$|\broot\s+(?:\*\s+)?/\s*\n[^}]{0,200}\bfile_server\s+browse|\bfilebrowser\b[^\n]{0,200}(?:--noauth[^\n]{0,200}-r\s+/(?:\s|$)|-r\s+/\s[^\n]{0,200}--noauth)",
    re.M | re.I,
)
"""A server that is told to serve the root of the file system."""
_SHORTCUT = lazy(
    r"^[^\S\n]*(?:Exec|URL|IconFile|TryExec)\s*=\s*(.+)$|^(?:full address|remoteapplicationprogram|alternate shell|drivestoredirect):s:\S|"
    r"<(?:url|DeepLink)>|\\\\[\w.-]+\\\w|^(?:WEB|https?:)|^[^\S\n]*(?:Wallpaper|VisualStylesFile|Path)\s*=\s*\\\\|<jar\s|^[CFE];.*(?:EXEC|CALL|=)",
    re.I | re.M,
)
_HOSTED = lazy(
    r"\bWScript\s*\.\s*(?:CreateObject|Shell)\b|\b(?:ActiveXObject|CreateObject|GetObject)\s*\(\s*[\"'`]\s*"
    r"(?:WScript\.Shell|Shell\.Application|ADODB\.Stream|Scripting\.FileSystemObject|winmgmts:|MMC20\.Application)",
    re.I,
)
"""What JavaScript can do where Windows runs it on a double click, and no browser lets it."""
_CALL = lazy(
    r"^(?![^\S\n]*#)(?:[^\n#]{0,400}?[\s:\[,-])??(?:!!python/(?:object/apply|object/new|object|name|module):|!(?:apply|new|name|module):|"
    r"!<tag:yaml\.org,2002:python/(?:object/apply|object/new|object|name|module):)([\w.]{1,200})"
    r"|^(?![^\S\n]*#)(?:[^\n#]{0,400}?[{,])??[^\S\n]*(?:-[^\S\n]+)?[\"']?(?:_target_|class_path|target|callable|loader_class|worker[-_]cls|"
    r"worker[-_]extension[-_]cls|scheduler[-_]cls|logits[-_]processors|middleware)[\"']?\s*[:=]\s*\[?[\"']?([\w.]{1,200})(?![\w./])",
    re.M,
)
_DVC_REMOTE = lazy(r"^[^\S\n]*\['?remote \"", re.M)
_STORE = lazy(r"^[^\S\n]*(?:url|pushurl|endpointurl)\s*=\s*[\"']?(?P<url>https?://[^\s\"']{1,500})", re.M | re.I)
_PATH = lazy(r"^[ \t-]*[\"']?(?:path|cls|class)[\"']?\s*:\s*[\"']?([A-Za-z_][\w.]{2,200})", re.M)
_IMPORTED = lazy(r"__import__\s*\(\s*\\?[\"'](?:os|posix|subprocess|builtins|socket|sys|importlib|shutil|pty)\b")
_BLOCK = lazy(
    r"^[ \t>]{0,8}```[ \t]*(?:python|py|python3)\b[^\n]{0,80}\n(?P<code>[\s\S]{1,20000}?)^[ \t>]{0,8}```", re.M | re.I
)
_SCRIPT_BLOCK = lazy(
    r"^[ \t>]{0,8}```[ \t]*(?:js|javascript|html|jsx|tsx|ts|typescript)\b[^\n]{0,80}\n(?P<code>[\s\S]{1,20000}?)^[ \t>]{0,8}```",
    re.M | re.I,
)
_PYTHON_OF_PAGE = lazy(
    r"<(?P<tag>gradio-file|gradio-lite|py-script|py-repl|script(?=[^<>]{0,200}\btype\s*=\s*[\"']?(?:py|mpy|text/python|text/x-python)\b))[^<>]{0,400}>"
    r"|(?:\.py[\"'`]\s*:\s*|\brunPython(?:Async)?\s*\(\s*)`(?P<text>[^`]{20,100000})`",
    re.I,
)
"""Where Python begins that a page has run in the browser: gradio-lite, PyScript, stlite, Pyodide."""
_GRADIO = lazy(r"<gradio-", re.I)
_MAY_ACT = lazy(
    r"\b(?:exec|eval|__import__|system|popen|subprocess|socket|urlopen|environ|getenv|b64decode|marshal|pickle|joblib|requests|urlretrieve|HfApi|"
    r"endpoint|load_state_dict_from_url|torch\.load|ctypes)\b"
)
_FORMULA = lazy(
    r"(?:^|[,;\t\"'])[=+@-][^,;\n]{0,60}?\b(?:cmd|powershell|mshta|rundll32|msexcel|regsvr32)(?:\.exe)?\||=HYPERLINK\s*\([\"'\s]{1,4}https?:[^\n]{0,200}?[\"']\s*&|=(?:WEBSERVICE|DDE|CALL|EXEC)\s*\(\s*[\"'\w]|=IMPORT(?:XML|DATA|HTML|FEED|RANGE)\s*\([^\n]{0,300}&|=IMAGE\s*\([^\n]{0,300}https?:[^\n]{0,300}&",
    re.I | re.M,
)
"""A cell of a table of text that spreadsheets take for a command, or by which they tell another host what stands in others."""
_EXTERNAL = lazy(
    r"<Relationship\b(?=[^<>]{0,600}\bTargetMode=\"External\")(?=[^<>]{0,600}/(?:attachedTemplate|oleObject|frame|subDocument)\")"
    r"[^<>]{0,600}?\bTarget=\"(?:https?:|file:|mhtml:|\\\\)[^\"]*",
    re.I,
)
"""A part of an office document that lies on another machine and is loaded when the document is opened."""
_LINKED = lazy(
    r"<ddeLink\b[^<>]{0,200}\bddeService=\"(?!excel\"|winword\")|<w:(?:instrText|fldSimple)\b[^<>]{0,200}?(?:>|w:instr=\")\s*DDE(?:AUTO)?\s|"
    r"\\objupdate\b[\s\S]{0,400}?\\objdata|\{\\\*\\template\s+(?:https?:|\\\\)|\\fldinst\b[^{}]{0,40}\{?\s*DDE(?:AUTO)?\s",
    re.I,
)
"""A part of an office document by which another program is started once the document is opened."""
_ENVIRONMENT = lazy(r"^[^\S\n]*-\s+pip\s*:\s*$", re.M)
"""An environment of conda under another name than the usual ones."""
_CALLS = 2000
_YAML_TEMPLATE = lazy(
    r"^(?P<indent>[ \t]{0,20})[\"']?(?:instruction_template|chat_template\w{0,20}|jinja_template|template|custom_template)[\"']?"
    r"\s{0,4}:[ \t]*[|>][-+0-9]{0,3}[ \t]*\n(?P<code>(?:(?P=indent)[ \t]+[^\n]*\n?|[ \t]*\n){1,2000})",
    re.M,
)
_JINJA = lazy(r"template_format[\"']?\s{0,4}:\s{0,4}[\"']?jinja", re.I)
"""A prompt of LangChain or Semantic Kernel that is rendered by Jinja."""
_FENCES = lazy(r"^[^\S\n>]{0,8}(```|~~~)[\s\S]{0,40000}?^[^\S\n>]{0,8}\1", re.M)
_HEAD = lazy(r"\A---[ \t]*\n.{0,100000}?\n---[ \t]*\n", re.S)
_SAMPLES = lazy(r"^widget[ \t]*:[ \t]*\n(?:(?:[ \t-][^\n]*)?\n)+?(?=[^ \t\n-]|---)", re.M)
_GIT = frozenset((".gitconfig", ".gitmodules", "gitconfig"))
_ASKED = lazy(
    r"(?<![.\w])(?:(?:child_process|cp)\.)?(?:exec(?:Sync)?|eval|Function|runInNewContext|runInThisContext)\s*\(\s*(?:String\s*\(\s*)?"
    r"(?:req|request|ctx|event)\.(?:body|query|params|headers|data|request)\b|"
    r"\bexec\.Command(?:Context)?\([^)\n]{0,80},\s*r\.(?:URL|Form|Header|PostForm|Body)"
)
"""A server in JavaScript or Go that runs what it is asked to."""
_OF_PAGES = (".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".mts", ".cts", ".vue", ".svelte", ".astro", ".css", ".scss")
_NATIVE = (".c", ".cc", ".cpp", ".cxx", ".cu", ".cuh", ".h", ".hpp")
_MODELFILE = lazy(r"^[^\S\n]*(FROM|ADAPTER)\s+(https?://\S+|/\S+|\.\./\S+)", re.I | re.M)


class TextFormat(Format):
    """Text without a format of its own."""

    name = "text"
    title = "Text: model cards, scripts, requirements, settings, word lists"
    extensions = tuple(sorted(kinds.TEXT_NAMES | {".sh", ".bat", ".ps1", ".pth", ".mk"}))
    variants = (
        "markdown", "shell", "batch", "powershell", "windows-script", "shortcut", "site-path", "markup", "settings",
        "source", "requirements", "dockerfile", "makefile", "modelfile", "torchscript",
    )  # fmt: skip
    executable = False
    description = (
        "What a text is, its name says, as it does to the programs that read it. Scripts, containers and model cards "
        "are searched for commands that no honest instruction needs (a download piped into a shell, hidden windows, "
        "shells to another machine, programs that start again later), for odd hosts, hidden characters, orders to "
        "agents in comments, links that show another host. Requirements are searched for other indexes and addresses. "
        "The first 4 MiB are examined. Source code in other languages is searched for hidden characters and for such "
        "commands; C and C++ also for calls that start programs."
    )
    fallback = True

    def claims(self, view: View) -> bool:
        artifact = view.artifact
        if artifact.payload or not roles.is_text(view.head, artifact.name):
            return False
        return roles.role(artifact.name, view.head, nested=artifact.depth > 0) not in _OWN

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        size = artifact.source.size
        data = artifact.source.pread(0, min(size, EXAMINED))
        role = roles.role(artifact.name, data[:4096], nested=artifact.depth > 0)
        gaps: list[CoverageReason] = []
        if size > EXAMINED and role not in _ONLY_BEGUN:
            message = f"only the first {EXAMINED:,} bytes are read"
            gaps.append(CoverageReason("text-too-large", message, role in roles.SCRIPTS or role in _OBEYED))
        text = roles.decode(data)
        budget.check_time()
        remarks, unfinished = kept(_remarks(role, text, artifact.place))
        gaps += unfinished
        budget.check_time()
        regions = (Region(0, len(data), "structure"), Region(len(data), size - len(data), "inert"))
        variant = role if role in self.variants else ""
        of_page = role == "markup" or artifact.name.lower().endswith(_OF_PAGES)
        summaries: tuple[Summary, ...] = (TextSummary(role, starts(role, text), page_parts(text) if of_page else None),)
        if artifact.name.rpartition("/")[2] == "vocab.txt" and (words := of_words(text.removesuffix("\n").split("\n"))):
            summaries += (words,)
        try:
            code = code_references(artifact.name.rpartition("/")[2], text)
        except BudgetExceeded as breach:
            code = ()
            gaps.append(CoverageReason(breach.code, breach.message, True))
        named = in_text(artifact.place, text) if role == "settings" or code else ()
        named = (*named, *(reference.value for reference in code if reference.key == "entry-points"))
        if code or named:
            summaries += (ConfigSummary(code=code, named=named),)
        inside = _embedded(artifact, role, text)
        yield Parsed(
            (TextFacts(role, remarks),), regions, inside, gaps=tuple(gaps), variant=variant, summaries=summaries
        )


def _embedded(artifact: Artifact, role: str, text: str) -> Iterator[Artifact]:
    """Python that a script hands to the interpreter or a page shows, as artifacts of their own."""
    if role == "markdown":
        for number, found in enumerate(itertools.islice(_BLOCK.finditer(text), 200), 1):
            code = textwrap.dedent(found["code"])
            if _MAY_ACT.search(code) and not isinstance(parse(code), str):
                code = "if __name__ == '__main__':\n" + textwrap.indent(code, "    ")  # nobody runs it unasked
                yield artifact.member(f"block-{number}.py", BytesSource(code.encode("utf-8", "surrogatepass")))
    if role == "markup" or artifact.name.lower().endswith(_OF_PAGES):
        yield from _of_browser(artifact, text)
    if role in ("settings", "text", "requirements") and not _is_list(artifact.name):
        yield from _escaping(artifact, text)
    if role == "settings":
        yield from members("step", steps(text), artifact)
        for number, found in enumerate(itertools.islice(_YAML_TEMPLATE.finditer(text), 20)):
            code = textwrap.dedent(found["code"])
            if "{%" in code or ("{{" in code and _JINJA.search(text)):
                yield artifact.member(f"chat_template.{number}", BytesSource(code.encode("utf-8", "surrogatepass")))
    if role == "text" and not _is_list(artifact.name):
        told = (step for step in one_liners(text) if step.language != "python" or not isinstance(parse(step.code), str))
        yield from members("line", told, artifact)
    if role in roles.SCRIPTS or role in ("settings", "requirements", "markdown"):
        yield from members("line", one_liners(text), artifact)
    if role in roles.SCRIPTS or role in ("settings", "requirements", "text"):
        yield from members("code", held_code(role, artifact.place, text), artifact)


def _escaping(artifact: Artifact, text: str) -> Iterator[Artifact]:
    """Lines that are a template of Jinja which climbs out of its sandbox, whoever fills it in."""
    for number, found in enumerate(itertools.islice(ESCAPING.finditer(text), 5) if "__" in text else (), 1):
        yield artifact.member(
            f"chat_template.line-{number}", BytesSource(found.group().encode("utf-8", "surrogatepass"))
        )


def _of_browser(artifact: Artifact, text: str) -> Iterator[Artifact]:
    """Python that a page has run where it is shown."""
    for number, found in enumerate(itertools.islice(_python_of_page(text), 50), 1):
        code = textwrap.dedent(found)
        if not isinstance(parse(code), str):
            yield artifact.member(f"page-{number}.py", BytesSource(code.encode("utf-8", "surrogatepass")))


def _python_of_page(text: str) -> Iterator[str]:
    """The same as text. What a tag is closed by is looked for once: a page may open one a hundred thousand times."""
    end = 0
    unclosed: set[str] = set()
    for found in _PYTHON_OF_PAGE.finditer(text):
        if found["text"]:
            yield found["text"]
        elif found.start() >= end and (tag := found["tag"].lower()) not in unclosed:
            closes = re.compile(f"</{tag}>", re.I).search(text, found.end())
            if closes is None:
                unclosed.add(tag)
            elif not _GRADIO.search(text, found.end(), closes.start()):  # else the files in it are the code
                end = closes.start()
                yield html.unescape(text[found.end() : end])


def _remarks(role: str, text: str, name: str) -> Iterator[Remark]:
    if _YARA_NAME.search(name) and _YARA.match(text):
        return  # what it holds is what it looks for, and nothing runs it
    for remark in _all_remarks(role, text, name):
        quoted = role == "markdown" and remark.kind == "command" and quotes(text, remark.line, remark.text)
        yield msgspec.structs.replace(remark, kind="quoted") if quoted else remark


def _whatever_the_role(role: str, text: str, name: str) -> Iterator[Remark]:
    """What the name of a file decides, or nothing but its text."""
    yield from agent_remarks(name, text)
    if not _is_list(name) and (verdict := dictated(text)):
        what = "tells those who review the repository what to find"
        yield Remark("agent", what, verdict[0], line_at(text, verdict[1]))
    if name.lower().endswith((".xml", ".rtf")):
        yield from _first("active", "has an office program start another one", _LINKED, text)
    yield from prompt_file(name, role, text)
    yield from foreign_remarks(name, text)
    yield from elsewhere_remarks(role, name, text)
    yield from takeover_remarks(role, name, text)
    if name.lower().endswith(LOCKS) or "@EXPLICIT" in text[:2000]:
        yield from locked_remarks(text)


def _all_remarks(role: str, text: str, name: str) -> Iterator[Remark]:
    yield from _whatever_the_role(role, text, name)
    text = _without_samples(text) if role == "markdown" else text
    if role == "settings":
        yield from workflow_remarks(text)
        yield from shell_remarks(role, name, with_secrets(text), written_by_others(text))
    else:
        yield from shell_remarks(role, name, text)
    if role in ("markdown", "markup"):
        yield from _of_page(role, text, name)
    if role in roles.SCRIPTS or role in ("settings", "requirements"):
        yield from _of_script(role, text)
        yield from foreign_code(text)
    if role in ("requirements", "dockerfile", "shell", "batch", "makefile", "powershell", "settings"):
        script = role != "requirements" and not (role == "settings" and _ENVIRONMENT.search(text))
        yield from requirement_remarks(text, script=script)
        yield from lookalikes(text, script=script)
        yield from owners(text)
        yield from channels(text)
    if role not in ("markdown", "markup", "source") and not name.lower().endswith(LOCKS):
        yield from origin_remarks(role, text)
    yield from service_remarks(role, name, text)
    yield from _of_start(role, text)
    if name.rpartition("/")[2] == ".lfsconfig" or _DVC_REMOTE.search(text):
        yield from _of_store(text)
    if role == "modelfile":
        yield from _first("modelfile", "takes a model from elsewhere", _MODELFILE, text)
        yield from page_remarks(text)
    if role == "source":
        yield from _of_source(text, name)
    if role == "text":
        yield from _of_text(text, name)


def _without_samples(text: str) -> str:
    """A model card without the inputs that the hub's widget shows for a model: what a classifier is there to find."""
    head = _HEAD.match(text)
    if head is None:
        return text
    return _SAMPLES.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), head.group(), count=1) + text[head.end() :]


def _of_store(text: str) -> Iterator[Remark]:
    """Where git-lfs or DVC take the weights from."""
    for found in _STORE.finditer(text):
        odd = prose.odd_url(found["url"])
        if odd or found["url"].lower().startswith("http:"):
            line = line_at(text, found.start("url"))
            shown = shorten(visible(found["url"]), 160)
            yield Remark(
                "endpoint", f"has the weights fetched from {odd[1] if odd else 'an address without TLS'}", shown, line
            )


def _of_start(role: str, text: str) -> Iterator[Remark]:
    """Files that are there to start something."""
    if role == "site-path":
        yield from _first("site-import", "is run by Python at each start", _SITE_LINE, text)
    if role == "shortcut":
        yield from _first("shortcut", "starts a program or opens an address", _SHORTCUT, text)
    if role == "windows-script":
        yield from _first("shortcut", "is a script that Windows runs on a double click", re.compile(r"\S"), text)


def _of_page(role: str, text: str, name: str) -> Iterator[Remark]:
    yield from page_remarks(text)
    yield from (remark for remark in requirement_remarks(text, script=True) if remark.kind == "index")
    if role == "markdown":
        yield from card_remarks(text)
        yield from handler_remarks(text)
        if "<form" in text or "<input" in text:
            yield from pages.visitor_remarks(_FENCES.sub("", text))
        for found in itertools.islice(_SCRIPT_BLOCK.finditer(text), 50):
            first = text.count("\n", 0, found.start("code"))
            yield from pages.shifted([*javascript_remarks(found["code"]), *pages.visitor_remarks(found["code"])], first)
    else:
        yield from output_remarks(text) if name.lower().endswith(".svg") else markup_remarks(text)
        yield from javascript_remarks(text)
        yield from pages.visitor_remarks(text)


def _of_script(role: str, text: str) -> Iterator[Remark]:
    if role == "settings":
        text = with_secrets(text)
    text = text.replace("$$", "$") if role == "makefile" else text  # make writes $$ for one $
    whole = role in roles.SCRIPTS
    told = list(script_remarks(text, whole=whole))
    try:
        written = expanded(role, text)
    except BudgetExceeded as breach:
        yield unread(breach.message)
        written = text
    if written != text:
        more = list(script_remarks(written, whole=whole))
        places = {(remark.kind, remark.what, remark.line) for remark in more}
        told = [*more, *(remark for remark in told if (remark.kind, remark.what, remark.line) not in places)]
    yield from told
    yield from hidden_remarks(text)
    yield from _calls(role, text)
    yield from _first("privilege", "gives a container the rights of its host", _PRIVILEGE, text)
    yield from _first("command", "shows whoever asks the whole disk", _WHOLE_DISK, text)
    if found := root_mount(text):
        yield _at("root-mount", "shows a container the whole disk of its host", found, text)


def _of_source(text: str, name: str) -> Iterator[Remark]:
    yield from (remark for remark in hidden_remarks(text) if remark.host)
    yield from (remark for remark in script_remarks(text) if remark.kind == "command")
    yield from _first("command", "runs what a request says", _ASKED, text)
    if name.lower().endswith(".php"):
        yield from pages.visitor_remarks(text)
    if name.lower().endswith(_OF_PAGES):
        yield from _first("command", "starts programs or writes files where Windows runs it", _HOSTED, text)
        yield from javascript_remarks(text)
        yield from pages.visitor_remarks(text)
    if name.lower().endswith(_NATIVE):
        yield from native_remarks(text)


def _of_text(text: str, name: str) -> Iterator[Remark]:
    if name.rpartition("/")[2] in _GIT or name.endswith(".git/config"):
        yield from _first("command", "has git start a shell", GIT_SETTINGS, text)
    yield from _first("command", "has a spreadsheet start a program", _FORMULA, text)
    if name.lower().endswith(".rels"):
        yield from _first("active", "has an office program fetch a template or object", _EXTERNAL, text)
    yield from hidden_remarks(text, only_letters=True)
    yield from evaluable_remarks(text)
    if name.rpartition("/")[2] == "go.mod":
        yield from replaced(text)
    if not _is_list(name):
        yield from script_remarks(text)
        yield from (remark for remark in requirement_remarks(text, script=True) if remark.kind == "index")


def _calls(role: str, text: str) -> Iterator[Remark]:
    """Functions that the readers of a YAML file call: tags of PyYAML and HyperPyYAML, keys of Hydra and Lightning."""
    for count, found in enumerate(_CALL.finditer(text) if role == "settings" else ()):
        if count >= _CALLS:
            return
        name = next(filter(None, found.groups()))
        line = line_at(text, found.start())
        looked_up = _looked_up(text, found.start(), found.end()) if name.startswith("hydra.utils.") else []
        shown = shorten(visible(found.group().strip()), 160)
        for called in looked_up or [name]:
            yield Remark("calls", f"has {visible(called)} called", shown, line, called)
    imported = _first("calls", "has a module of the machine imported", _IMPORTED, text) if role == "settings" else ()
    for remark in imported:
        yield msgspec.structs.replace(remark, host="builtins.__import__")


def _looked_up(text: str, start: int, end: int) -> list[str]:
    """What `hydra.utils.get_method` and its like look up, by the key "path" in the lines around."""
    around = text[max(0, start - 300) : start].rpartition("\n\n")[2] + text[end : end + 300].partition("\n\n")[0]
    return list(dict.fromkeys(found[1] for found in _PATH.finditer(around)))


_YARA_NAME = lazy(r"\.yara?$", re.I)
_YARA = lazy(
    r"(?:\s++|//[^\n]*+|/\*(?:[^*]|\*(?!/)){0,20000}\*/|(?:import|include)\s+\"[\w./-]{1,200}\")*+(?:(?:private|global)\s+){0,2}rule\s+\w+"
)
"""Rules of YARA from their beginning on."""


def _is_list(name: str) -> bool:
    base = name.rpartition("/")[2].lower()
    return bool(re.search(r"vocab|merges|tokens|\.(?:csv|tsv|jsonl|ndjson|log|bpe|tiktoken)$", base))


def _first(kind: str, what: str, pattern: "re.Pattern[str]", text: str) -> Iterator[Remark]:
    if found := pattern.search(text):
        yield _at(kind, what, found, text)


def _at(kind: str, what: str, found: "re.Match[str]", text: str) -> Remark:
    end = text.find("\n", found.end())
    line = text[found.start() : end if end >= 0 else len(text)]
    return Remark(kind, what, shorten(visible(line.strip()), 160), line_at(text, found.start()))
