"""Programs in other languages than Python: what they fetch and run, what they send, and the commands that they hand to a shell.

One small model for all of them. A file is cut into statements; names and texts that name files carry marks, as in scripts
(shell/marks.py). What fetches marks what it is assigned or written to, what writes hands marks on, and what runs, loads or
evaluates something marked is told. Functions are told by their names: R, Julia, Lua, Go, Rust, C and C++, Java, C#, Ruby,
Perl, PHP, JavaScript, CMake and Starlark have few that do these things. Scopes, branches and types are not told apart.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.shell import marks as m
from modelscan_plus.formats.text.shell.machine import Told
from modelscan_plus.formats.text.shell.marks import NONE, Mark, Marks
from modelscan_plus.formats.text.shell.pieces import Piece
from modelscan_plus.formats.text.shell.told import CLIENT, done, remarks_of
from modelscan_plus.formats.text.shell.words import quoted

_LARGEST = 1 << 18
_STATEMENTS = 6000
_ENDINGS = (
    ".r", ".jl", ".lua", ".go", ".rs", ".c", ".cc", ".cpp", ".cxx", ".cu", ".h", ".hpp", ".java", ".kt", ".kts", ".scala", ".swift",
    ".cs", ".rb", ".pl", ".pm", ".php", ".js", ".mjs", ".cjs", ".ts", ".cmake", ".bzl", ".bazel", ".groovy", ".gradle", ".zig", ".nim",
    ".dart", ".ex", ".exs", ".el", ".m", ".rake", ".tcl", ".hs", ".vim", ".star", ".sc", ".fsx", ".rprofile", ".applescript",
)  # fmt: skip
_NAMES = lazy(
    r"(?:^|/)(?:CMakeLists\.txt|BUILD|WORKSPACE|MODULE|Jenkinsfile|Rakefile|Gemfile|Vagrantfile|Podfile|Brewfile|Fastfile|SConstruct|"
    r"\.Rprofile|Rprofile\.site|\.irbrc|\.pryrc|\.exrc|\.n?vimrc|\.gdbinit|\.lldbinit|\.dir-locals\.el|Tiltfile|Snakefile)$"
)
_FETCH = (
    r"(?:download\.file\s*\(|curl_download|curl_fetch_memory|\breadLines|\bread_lines|\burl\s*\(|\bGET\s*\(|\bgetURL|\bDownloads\.download|\bdownload\s*\(|"
    r"\bHTTP\.(?:get|request|download)|\bhttps?\.request|socket\.http|\bhttp\.(?:Get|NewRequest)|\bclient\.Do|\breqwest::|\bureq::|\bminreq::|"
    r"\battohttpc::|curl_easy_\w+|URLDownloadToFile\w?|InternetOpenUrl\w?|\bURL\s*\(|\bget\s*\(?\s*\"https?:|\bHttpRequest|\bHttpClient|GetStringAsync|GetByteArrayAsync|"
    r"\bURLSession|contentsOf|DownloadString|DownloadFile|DownloadData|\bNet::HTTP\.\w+|\bURI\.open|\bURI\(|\bopen-uri|\bgetstore|LWP::Simple|\bLWP::|"
    r"HTTP::Tiny|file_get_contents|curl_exec|\bhttps?\.get|\bfetch\s*\(|\baxios\b|\bgot\s*\(|\bgot\.|\brequest\s*\(|\bsuperagent|file\s*\(\s*DOWNLOAD|"
    r"\bctx\.download\w*|\bhttp_file\b|\bhttp\.get|\bMojo::UserAgent|\burlopen|\bsource_url|\burl(?:read|write)\b|\bweb(?:read|save)\b|http::geturl|\brequire\s*\(\s*\"https?)"
)
_EVALUATE = (
    r"(?:\bsys\.source|(?<![.\w])(?:source|load|require|include(?:_string)?)\s*\(|(?<![.\w>])eval(?:q|uate|_file)?\b|\bparse\s*\(\s*text|\bevalfile|"
    r"\bdofile|\bloadstring|\bloadfile|package\.loadlib|plugin\.Open|Library::new|\bdlopen|LoadLibrary\w*|URLClassLoader|System\.load\w*|"
    r"Assembly\.Load\w*|instance_eval|class_eval|vm\.run\w*|\b(?:InMemory)?DexClassLoader|\bPathClassLoader|new\s+Function|(?<![.\w])Function\s*\(|\bdyn\.load|library\.dynam|\binstall\.packages|"
    r"\bload_library|\bdo\s+\$|(?<![.\w])import\s*\(|load-file|\bluaL_do\w+)"
)
_PROCESS = (
    r"(?:(?<![.\w])(?:run|exec\w*|spawn\w*|fork)\s*\(|(?<![.\w])(?:std::|::)?system2?\b|\bshell(?:\.exec)?\s*\(|os\.execute|io\.popen|exec\.Command\w*|"
    r"syscall\.Exec|os\.StartProcess|Command::new|\bexecv?l?[ep]*\s*\(|\bp?open3?\s*\(|posix_spawnp?|CreateProcess\w?|ShellExecute\w*|WinExec|"
    r"getRuntime\(\)\s*\.exec|ProcessBuilder|\bProcess\.(?:Start|run|start)|\bnew\s+Process\b|(?<![.\w])Process\s*\(|"
    r"\b(?:cp|child\w*|proc\w*|rt|sys|shell)\.(?:exec|spawn)\w*\s*\(|execFile\w*|execSync|spawnSync|execute_process|(?<![.\w])sh\s*[(\"']|"
    r"\bpassthru|shell_exec|proc_open|launchPath|\bctx\.execute|\bgenrule\b|\bshell-command|commandLine)"
)
_RUN = rf"(?:{_EVALUATE}|{_PROCESS})"
_WRITE = lazy(
    r"\b(?:write\w*|Write\w*|fs::write|copy\w*|Copy\w*|save\w*|cat|dump|store|append\w*|put\w*|pipe|fwrite|fputs|open\w*|Create\w*|create\w*|chmod\w*|"
    r"Chmod\w*|rename\w*|Rename\w*|transferTo|transferFrom|print\w*|fprintf|to_file|file|file_put_contents|f?read\w*|fgets|recv\w*|getline|fscanf|InternetReadFile)\b|>>|<<",
)
_FETCHES = lazy(_FETCH)
_RUNS = lazy(_RUN)
_EVALUATES = lazy(_EVALUATE)
_STARTS = lazy(_PROCESS)
_NESTED = lazy(
    rf"{_RUN}[^;]{{0,200}}?{_FETCH}|\b(?:source|include|sys\.source|evalfile|load|install\.packages)\s*\(\s*[\"']https?:"
)
_BY_NAME = lazy(r"\b(?:curl|wget|aria2c|Invoke-WebRequest|iwr|irm)\b", re.I)
_ALL_SECRETS = lazy(
    r"\bSys\.getenv\s*\(\s*\)|\bos\.Environ\s*\(\s*\)|\benv::vars(?:_os)?\s*\(|\bSystem\.getenv\s*\(\s*\)|\bENV\.(?:to_h|to_a|inspect|each|map)|"
    r"\b(?:collect|string|Dict|json)\s*\(\s*ENV\s*\)|%ENV\b|\bextern\s+char\s*\*\s*\*\s*environ|\bgetenv\s*\(\s*\)|\$_ENV\b|GetEnvironmentStrings|"
    r"\bProcessInfo\.processInfo\.environment\b(?!\s*\[)|GetEnvironmentVariables\s*\(\s*\)|\benvironment\s*\(\s*\)"
)
_SEND = lazy(
    r"\bPOST\s*\(|\bhttp\.Post\w*|\.post\w*\s*\(|\bHTTP\.(?:post|put|request)|https?\.request|\bsend\w*\s*\(|::post\w*|Net::HTTP|UploadString|UploadData|"
    r"UploadFile|PostAsync|HttpRequest|curl_easy_setopt|CURLOPT_POSTFIELDS|curl_setopt|\bWriteString|\bwrite\w*!?\s*\(|net\.Dial\w*|TcpStream|"
    r"socketConnection|URLSession|NewRequest|file_get_contents|postForm|httpPOST|\bfetch\s*\(|\burl\s*\("
)
_ASSIGNED = lazy(
    r"^\s*(?:(?:local|let|mut|var|const|auto|my|our|val|final|static|public|private|unsafe|await|if|set)\s+)*(?:[\w:<>\[\]*&.]+\s+)?[*&$@%]?"
    r"(?P<names>\(?[A-Za-z_.][\w.]*(?:\s*,\s*[A-Za-z_.][\w.]*)*\)?)\s*(?::\s*[\w<>\[\]&*:, ()]+?)?\s*(?::=|<<?-|(?<![=!<>])=(?![=>~]))\s*(?P<value>.+)$",
    re.S,
)
_SET = lazy(r"^\s*set\s*\(\s*(?P<names>\w+)\s+(?P<value>.+)$|^\s*\(setq\s+(?P<lisp>[\w-]+)\s+(?P<form>.+)$", re.S)
_GIVEN = lazy(
    r"(?:\b(?:function|func|do|lambda)\s*\w*\s*[(|]\s*|\(|\s|,|^)(?P<names>[A-Za-z_]\w*)(?=\s*(?:=>|->|\)\s*(?:=>|->|\{)|\|))"
)
_NAME = lazy(r"(?<![\w\"'.])[A-Za-z_][\w.]*")
_STRINGS = lazy(r"(?<!\\)\"(?P<double>(?:\\.|[^\"\\\n])*)\"|`(?P<back>[^`]{1,4000})`")
_BOTH = lazy(
    r"(?<!\\)\"(?P<double>(?:\\.|[^\"\\\n])*)\"|(?<!\\)'(?P<single>(?:\\.|[^'\\\n])*)'|`(?P<back>[^`]{1,4000})`"
    r"|(?<!\[)\[\[(?P<long>(?:[^\]\[]|\[(?!\[)){1,4000})\]\]"
)
_HELD = lazy("\x01(?P<at>\\d+)\x01")
_PATH = lazy(r"^[\w./\\~$%{}() -]{1,200}$")
_ONLY_TEXT = lazy("=\\s*\x01\\d+\x01\x02?\\s*$|\\s\x01\\d+\x01\\s*\\)\\s*$")
_ARGUMENT = lazy("\x01(?P<at>\\d+)\x01|(?<![\\w.])(?P<name>[A-Za-z_]\\w*)(?![\\w.]*\\s*[(:=])")
_CMAKE = lazy(
    r"\bCOMMAND\s+(?P<line>[^()\s][^()]{2,600}?)(?=\s(?:COMMAND|WORKING_DIRECTORY|RESULT_VARIABLE|OUTPUT_VARIABLE|ERROR_VARIABLE|DEPENDS|COMMENT|VERBATIM)\b|\))"
)
_RENAMES = lazy(r"=\s*(?:loadstring|load|eval|dofile|evalfile)\s*(?:$|\bor\b|\|\|)")
_WRITES_TO = lazy(r"^\s*(?P<name>[A-Za-z_]\w*)\.(?:write|append|put)\w*\s*\(")
_SOCKET = lazy(r"^(?:[\w-]+\.)+[\w-]+:\d{2,5}$")
_EACH = lazy(r"^\s*for\s+(?P<names>\(?[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*\)?)\s+in\s+(?P<value>.+)$")
_GOES_ON = lazy(r"(?<!\s)\s++(?=[.|)\]]|%>%|\|>)|(?<=[(,\[|+])\s++")
"""Blanks, ends of lines among them, before or behind what does not begin or end a statement."""
_CUT = lazy(r"[;}\n]|(?<![\](=,:$])\{|(?<=\))\s+(?=[a-z_]+\s*\()")
_COMMENT = {
    "hash": lazy(r"^[^\S\n]*#(?!include|define|!)[^\n]*", re.M), "slash": lazy(r"^[^\S\n]*//[^\n]*|/\*", re.M),
    "dash": lazy(r"^[^\S\n]*--[^\n]*", re.M), "none": lazy(r"(?!)"),
}  # fmt: skip
"""Comments of one line, and where longer ones begin."""


def foreign_remarks(name: str, text: str) -> Iterator[Remark]:
    """What a source in another language does with other machines."""
    low = name.lower()
    if not (low.endswith(_ENDINGS) or _NAMES.search(name)) or len(text) > _LARGEST or not _worth(text):
        return
    program = _Program(low, text)
    if program.parts or any(
        prose.URL.search(each) or CLIENT.search(each) or _SOCKET.match(each) for each in program.strings
    ):
        yield from remarks_of(program.told())


def _worth(text: str) -> bool:
    talks = prose.URL.search(text) or CLIENT.search(text) or (_ALL_SECRETS.search(text) and "connect" in text.lower())
    return (
        talks is not None and talks is not False and (_RUNS.search(text) is not None or _SEND.search(text) is not None)
    )


def _without_comments(kind: str, text: str) -> str:
    parts = []
    at = 0
    while found := _COMMENT[kind].search(text, at):
        end = found.end()
        if found.group() == "/*":
            closed = text.find("*/", end, end + 4000)
            if closed < 0:
                parts.append(text[at:end])
                at = end
                continue
            end = closed + 2
        parts.append(text[at : found.start()])
        at = end
    return "".join([*parts, text[at:]])


class _Program:
    """The statements of one file, and what is known of its names."""

    def __init__(self, name: str, text: str) -> None:
        only_double = name.endswith(
            (".rs", ".jl", ".c", ".cc", ".cpp", ".cxx", ".cu", ".h", ".hpp", ".java", ".go", ".cs", ".kt", ".swift")
        )
        kind = (
            "dash"
            if name.endswith((".lua", ".hs", ".applescript"))
            else "slash"
            if only_double and not name.endswith(".jl")
            else "hash"
        )
        kind = (
            "slash"
            if name.endswith((".js", ".mjs", ".cjs", ".ts", ".gradle", ".groovy", ".php", ".scala", ".dart", ".zig"))
            else kind
        )
        self.julia = name.endswith(".jl")
        self.short = name.endswith((".js", ".mjs", ".cjs", ".ts")) and max(map(len, text.split("\n"))) > 1500
        self.strings: list[str] = []
        text = text.replace("\x01", " ").replace("\x02", " ")  # marks of its own, see `_keep`
        text = _without_comments(kind, text)
        if name.endswith((".cmake", "cmakelists.txt")):
            text = re.sub(r"(?<=[\s(])((?:https?://|\$\{)[^\s()\"]+)", r'"\1"', text)
        if name.endswith(".tcl"):
            text = re.sub(r"(?<=\s)(https?://[^\s\]\"]+)", r'"\1"', text)
        self.parts = list(_commands_of_cmake(text)) if "COMMAND" in text else []
        self.values: dict[str, str] = {}
        text = re.sub(r"^\s*<\?php", "", text)
        text = (_STRINGS if only_double else _BOTH).sub(self._keep, text)
        self.statements = _GOES_ON.sub(" ", text)
        self.marks: dict[str, Marks] = {}
        self.same: dict[str, list[str]] = {}
        self.found: dict[tuple[str, str], Told] = {}
        self.evaluators: set[str] = set()
        """Other names for what runs a text."""

    def _keep(self, found: "re.Match[str]") -> str:
        text = next((part for part in found.groups() if part is not None), "")
        self.strings.append(text.replace("\\n", "\n").replace('\\"', '"').replace("\\'", "'").replace("\\\\", "\\"))
        back = found.groupdict().get("back") is not None
        return f"\x01{len(self.strings) - 1}\x01" + ("\x02" if back else "")

    def told(self) -> list[Told]:
        """What the program does, and what the commands do that it hands to a shell."""
        for again in (False, True):
            if again and not (self.marks or self.parts):
                break
            for statement in itertools.islice(_CUT.split(self.statements), _STATEMENTS):
                self._statement(statement)
        files = {spelled: marks for name, marks in self.marks.items() for spelled in (name, f"${name}")}
        return [*self.found.values(), *done(self.parts, files=files)]

    def _statement(self, statement: str) -> None:
        if not statement.strip() or len(statement) > 8000:
            return
        if (
            "\x01" not in statement
            and not any(name in statement for name in itertools.islice(self.marks, 40))
            and not self.parts
            and not _ALL_SECRETS.search(statement)
            and not _RENAMES.search(statement)
        ):
            return  # nothing is known yet that it could do something with
        texts = [self.strings[int(found["at"])] for found in _HELD.finditer(statement)]
        found = (prose.URL.search(text) for text in texts)
        host = next((host for each in found if each and (host := m.host_of(each.group()))), "")
        host = host or next((host for text in texts if _SOCKET.match(text) and (host := m.named(text))), "")
        made = self._made(statement, texts, host)
        shape = self._shape(statement)
        self._commands(statement, texts, shape)
        self._acts(statement, made, shape, host)
        names = self._targets(statement)
        for each in names:
            if _RENAMES.search(statement):
                self.evaluators.add(each)
            if len(texts) == 1 and _ONLY_TEXT.search(statement):
                self.values[each] = texts[0]
            if made:
                self.marks[each] = self.marks.get(each, NONE) | made
            paths = [text for text in texts if _PATH.match(text)]
            self.same.setdefault(each, []).extend(path for path in paths if path not in self.same.get(each, ()))
        if made and (_WRITE.search(statement) or _FETCHES.search(shape)):
            self._written(statement, texts, made)

    def _shape(self, statement: str) -> str:
        """The statement with its texts taken out, but for whether they are addresses."""
        made = _HELD.sub(
            lambda found: '"https:"' if prose.URL.match(self.strings[int(found["at"])]) else '""', statement
        )
        return made.replace("\x02", "")

    def _shown(self, statement: str) -> str:
        shown = _HELD.sub(lambda found: f'"{self.strings[int(found["at"])]}"', statement).replace("\x02", "")
        return " ".join(shown.split())[:120]

    def _made(self, statement: str, texts: list[str], host: str) -> Marks:
        """The marks of what the statement computes."""
        made = NONE
        for found in itertools.islice(_NAME.finditer(_HELD.sub(" ", statement)), 200):
            name = found.group()
            for each in (name, name.partition(".")[0]):
                if not (self.short and len(each) < 3):
                    made |= self.marks.get(each, NONE)
        for text in texts:
            made |= self.marks.get(_bare(text), NONE)
            for name in re.findall(r"[$#]\{?(\w{1,60})", text) if "$" in text or "#{" in text else ():
                made |= frozenset(mark for mark in self.marks.get(name, NONE) if mark.kind != "secret")
            made |= m.of_path(text) if len(text) < 300 and not m.in_home(text) else NONE
        if _ALL_SECRETS.search(statement):
            made |= m.secret("the environment")
        shape, shown = self._shape(statement), self._shown(statement)
        fetches = _FETCHES.search(shape) or _NESTED.search(shape)
        if host and (fetches or any(_BY_NAME.search(text) for text in texts)):
            checked = re.search(r"EXPECTED_(?:HASH|MD5)|sha256\s*=|integrity", shape) is not None
            made |= {Mark("fetched", shown, host, checked=checked)}
        elif host:
            made |= {Mark("address", host, host)}
        elif fetches and (known := next((mark for mark in made if mark.kind == "address"), None)):
            made |= {Mark("fetched", shown, known.host)}
        return made

    def _acts(self, statement: str, made: Marks, shape: str, host: str) -> None:
        shown = self._shown(statement)
        direct = _NESTED.search(shape) is not None
        runs = _EVALUATES.search(shape)
        if not runs and self.evaluators:
            runs = re.search(rf"(?<![\w.])(?:{'|'.join(map(re.escape, sorted(self.evaluators)))})\s*\(", shape)
        if runs and (direct or not _FETCHES.search(shape[runs.start() :]) or self._carries(statement)):
            for mark in m.fetched(made):
                if direct or mark.what != shown:
                    text = f"{mark.what} … {shown}" if mark.what != shown else shown
                    self.found.setdefault(("runs", mark.host), Told("runs", text, 1, mark.host, mark))
        if _SEND.search(shape):
            host = host or next((mark.host for mark in made if mark.kind in ("address", "fetched")), "")
            for mark in m.held(made) if host else ():
                self.found.setdefault(("sends", host), Told("sends", shown, 1, host, mark))

    def _carries(self, statement: str) -> bool:
        return any(m.fetched(self.marks.get(found.group(), NONE)) for found in _NAME.finditer(statement))

    def _targets(self, statement: str) -> list[str]:
        found = _ASSIGNED.match(statement) or _SET.match(statement) or _EACH.match(statement)
        names: list[str] = []
        if found is not None:
            groups = found.groupdict()
            names += re.findall(r"[A-Za-z_][\w.]*", groups.get("names") or groups.get("lisp") or "")
        if _FETCHES.search(statement):
            names += [given["names"] for given in itertools.islice(_GIVEN.finditer(statement), 8)]
        return [
            name for name in names if name not in ("_", "err", "if", "function") and not (self.short and len(name) < 3)
        ]

    def _written(self, statement: str, texts: list[str], made: Marks) -> None:
        """Files and streams that get what is marked."""
        kept = frozenset(mark for mark in made if mark.kind in ("fetched", "secret"))
        if not kept:
            return
        given = statement.partition("(")[2] or statement
        fetches = _FETCHES.search(statement) is not None
        if holder := _WRITES_TO.match(statement):
            self._mark(holder["name"], kept)
        for found in itertools.islice(_NAME.finditer(_HELD.sub(" ", given)), 20):
            name = found.group()
            if not (self.short and len(name) < 3) and not given[found.end() :].lstrip().startswith("("):
                self._mark(name, kept)
        for text in texts:
            if (
                _PATH.match(text)
                and not text.isspace()
                and not text.startswith("-")
                and len(text) > (0 if fetches else 3)
            ):
                self._mark(_bare(text), kept)

    def _mark(self, name: str, kept: Marks) -> None:
        self.marks[name] = self.marks.get(name, NONE) | kept
        for path in self.same.get(name, ()):
            self.marks[_bare(path)] = self.marks.get(_bare(path), NONE) | kept

    def _commands(self, statement: str, texts: list[str], shape: str) -> None:
        """Texts that are commands for a shell, and lists of words that are one."""
        if not _RUNS.search(shape) and "\x02" not in statement and not re.search(r"\bcmd\b|command", shape, re.I):
            return
        if len(self.parts) < 600:
            self.parts += [Piece(text, 1) for text in texts if " " in text.strip()]
            words = self._arguments(statement)
            if words and re.match(r"^[\w./~$-]+$", words[0]):
                self.parts.append(Piece(quoted(words, variables=True), 1))
            if self.julia and "pipeline" in shape and len(texts) > 1:
                self.parts.append(Piece(" | ".join(texts), 1))

    def _arguments(self, statement: str) -> list[str]:
        """The words that the call is given: texts, and names of variables as the shell would write them."""
        runs = _STARTS.search(_HELD.sub(lambda found: "\x01" * len(found.group()), statement))
        given = statement[runs.end() :] if runs else statement
        words = []
        for found in itertools.islice(_ARGUMENT.finditer(given), 40):
            if found["at"]:
                words.append(self.strings[int(found["at"])])
            elif found["name"] not in ("new", "String", "c", "list", "true", "false", "null", "nil", "None", "COMMAND"):
                words.append(self.values.get(found["name"], f"${found['name']}"))
        return words


def _bare(path: str) -> str:
    return path.removeprefix("./")


def _commands_of_cmake(text: str) -> Iterator[Piece]:
    for found in itertools.islice(_CMAKE.finditer(text), 100):
        yield Piece(found["line"], 1)
