"""What the programs that scripts start do with what they are given: which of them fetch, run, read, write or send.

Wrappers (`sudo`, `nohup`, `xargs`, `sh -c` …) are taken off first. A program that is not known here passes on what it
reads and does nothing else.
"""

import re
from collections.abc import Callable, Sequence

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.shell import marks as m
from modelscan_plus.formats.text.shell import options
from modelscan_plus.formats.text.shell.clients import CLIENTS
from modelscan_plus.formats.text.shell.files import FILES, program_name
from modelscan_plus.formats.text.shell.machine import Call
from modelscan_plus.formats.text.shell.marks import NONE, Mark, Marks, Value
from modelscan_plus.formats.text.shell.windows import powershell

_WRAPPERS = frozenset(
    """sudo doas nohup setsid exec env time timeout nice ionice stdbuf command builtin unbuffer tini dumb-init gosu su-exec xvfb-run
    catatonit busybox toybox shell start call chroot watch caffeinate systemd-run systemd-inhibit proxychains4 tsocks cmd cmd.exe cmdline
    chpst s6-setuidgid linux64 taskset numactl chrt daemonize disown parallel xargs""".split()
)
_LATE = frozenset(
    """srun mpirun mpiexec poetry pipenv hatch pdm rye pixi conda mamba micromamba singularity apptainer firejail bwrap unshare nsenter
    screen tmux wsl script hyperfine entr docker podman kubectl""".split()
)
"""Programs that start another one behind options of their own."""
_WITH_VALUE = {"timeout": 1, "gosu": 1, "su-exec": 1, "chroot": 1, "s6-setuidgid": 1, "taskset": 1}
"""Wrappers with arguments of their own before the program."""
_SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "busybox sh", "csh", "tcsh"))
_INTERPRETERS = frozenset(
    """python python2 python3 pypy pypy3 ipython perl ruby node nodejs deno bun php Rscript R julia lua luajit osascript pwsh powershell
    powershell.exe java dotnet wine wine64 mono tclsh expect groovy scala torchrun cscript wscript mshta cscript.exe wscript.exe mshta.exe
    rundll32 rundll32.exe regsvr32 ansible-playbook guile racket sbcl ghc runghc elixir swift jshell tsx ts-node qemu-x86_64 streamlit
    accelerate deepspeed gdb insmod start-stop-daemon open xdg-open""".split()
)
_STARTS_CODE = lazy(r"^(?:python|pypy|ipython)[\d.]*$")
_INSTALLS = frozenset(
    "dpkg rpm installer msiexec msiexec.exe apt apt-get dnf yum apk zypper snap gdebi gem brew choco winget flatpak".split()
)
_SECRETS: dict[str, tuple["re.Pattern[str]", str, tuple[str, ...]]] = {
    "env": (lazy(r"^(?:-0)?$"), "the environment", ()), "printenv": (lazy(r"^(?:-0)?$"), "the environment", ()),
    "export": (lazy(r"^-p$"), "the environment", ()), "declare": (lazy(r"^-\w*[px]\w*$"), "the environment", ()),
    "typeset": (lazy(r"^-\w*[px]\w*$"), "the environment", ()), "set": (lazy(r"^$"), "the environment", ()),
    "compgen": (lazy(r"^-\w*e"), "the environment", ()), "history": (lazy(r""), "the commands that the user typed", ()),
    "fc": (lazy(r"^-l"), "the commands that the user typed", ()),
    "gh": (lazy(r"^auth (?:token|status.*(?:-t|--show-token))"), "a credential of the user", ("github.com", "githubusercontent.com")),
    "gcloud": (lazy(r"^auth (?:application-default )?print-\w+-token|^secrets versions access|^config config-helper"), "a credential of the user",
               ("googleapis.com", "google.com", "run.app", "gcr.io", "pkg.dev", "cloudfunctions.net")),
    "az": (lazy(r"account get-access-token"), "a credential of the user", ("azure.com", "windows.net", "azure.net", "azurecr.io")),
    "aws": (lazy(r"^(?:configure (?:get|export-credentials)|sts get-session|secretsmanager get|ssm get-param)"), "a credential of the user",
            ("amazonaws.com",)),
    "security": (lazy(r"^(?:find-\w+-password|dump-keychain|export)"), "passwords of the user", ()),
    "secret-tool": (lazy(r"^(?:lookup|search)"), "passwords of the user", ()), "pass": (lazy(r"^(?:show )?\w"), "passwords of the user", ()),
    "keyring": (lazy(r"^get"), "passwords of the user", ()), "op": (lazy(r"^(?:read|item get)"), "passwords of the user", ()),
    "vault": (lazy(r"^(?:kv get|read)"), "passwords of the user", ()), "cmdkey": (lazy(r"/list"), "passwords of the user", ()),
    "kubectl": (lazy(r"\bget secrets?\b|config view.*--raw"), "secrets of the cluster", ()),
    "git": (lazy(r"credential(?:-\w+)? (?:fill|get)|^config (?:--\w+ )*(?:--list|-l|--get-regexp)\b"), "a credential of the user", ("github.com", "huggingface.co")),
    "pbpaste": (lazy(r""), "the clipboard", ()), "wl-paste": (lazy(r""), "the clipboard", ()),
    "xclip": (lazy(r"-o\b"), "the clipboard", ()), "xsel": (lazy(r"-o\b|--output"), "the clipboard", ()),
    "Get-Clipboard": (lazy(r""), "the clipboard", ()),
    "huggingface-cli": (lazy(r"^auth token|^token"), "a credential of the user", ("huggingface.co", "hf.co")),
    "hf": (lazy(r"^auth token"), "a credential of the user", ("huggingface.co", "hf.co")),
    "airflow": (lazy(r"^(?:connections|variables) (?:export|list|get)"), "passwords of the user", ()),
    "prefect": (lazy(r"--show-secrets|^block inspect"), "passwords of the user", ()),
    "terraform": (lazy(r"^(?:output|state pull|show)"), "passwords of the user", ()),
    "bw": (lazy(r"^(?:get|list|export)"), "passwords of the user", ()), "lpass": (lazy(r"^(?:show|export)"), "passwords of the user", ()),
    "sops": (lazy(r"^(?:-d|--decrypt|decrypt|exec)"), "passwords of the user", ()),
    "ansible-vault": (lazy(r"^(?:view|decrypt)"), "passwords of the user", ()),
    "infisical": (lazy(r"^(?:export|secrets)"), "passwords of the user", ()), "chamber": (lazy(r"^(?:export|read|env)"), "passwords of the user", ()),
    "consul": (lazy(r"^kv (?:get|export)"), "passwords of the user", ()), "helm": (lazy(r"^get (?:values|all)"), "passwords of the user", ()),
    "heroku": (lazy(r"^config"), "passwords of the user", ()), "vercel": (lazy(r"^env pull"), "passwords of the user", ()),
    "railway": (lazy(r"^variables"), "passwords of the user", ()),
    "code": (lazy(r"^tunnel\b"), "the address of a tunnel to the machine", ()),
    "cloudflared": (lazy(r"^tunnel\b"), "the address of a tunnel to the machine", ()),
    "ngrok": (lazy(r"^(?:http|tcp|start)\b"), "the address of a tunnel to the machine", ()),
    **dict.fromkeys(("tmate", "upterm", "sshx"), (lazy(r""), "the address of a tunnel to the machine", ())),
    "trufflehog": (lazy(r"^(?:filesystem|git|github|docker)\b"), "secrets that it looks for", ()),
    "gitleaks": (lazy(r"^(?:detect|dir|git|protect)\b"), "secrets that it looks for", ()),
    "doppler": (lazy(r"^secrets"), "passwords of the user", ()),
}  # fmt: skip
_CODE_FETCHES = lazy(
    r"(?:urlretrieve|getstore|download_url_to_file|DownloadFile|wget\.download|copyfileobj|urlopen|requests\.get|open-uri|Net::HTTP|https?\.get)"
    r"[\s\S]{0,400}?(?P<url>https?://[^\s\"'<>)\\]+)|(?P<first>https?://[^\s\"'<>)\\]{1,400}+)[\s\S]{0,200}?(?:urlretrieve|getstore|DownloadFile|urlopen|requests\.get)"
)
_CODE_WRITES = lazy(
    r"(?:open\s*\(\s*|Path\s*\(\s*|https?://[^\"']{1,400}[\"']\s*,\s*|write(?:File(?:Sync)?)?\s*\(\s*)[\"'](?P<file>[\w./~-]{1,200})[\"']"
)
_CODE_SENDS = lazy(
    r"urlopen|requests\.(?:post|put|get)|httpx?\.|socket|fetch\s*\(|LWP|Net::|IO::Socket|smtplib|https?\.request|axios"
)
_CODE_RUNS = lazy(r"\b(?:exec|eval|system|compile|spawn|vm\.run|Function)\b")
_DOWNLOADS_URL = lazy(r"^(?:git\+)?(?:https?|ftp)://", re.I)


def perform(call: Call) -> Marks:
    """What the command prints; what it runs, keeps and sends is told to the machine."""
    call = _unwrapped(call)
    if not call.words:
        return call.given
    name = program_name(call.words[0].text)
    machine, words = call.machine, call.words[1:]
    if name in ("start", "call", "watch") or _own(call, call.words[0].text):
        _program(call)
    out = machine.call(name, words, call.given)
    if out is not None:
        return out
    line = " ".join(word.text for word in words)
    known = _SECRETS.get(name)
    if known and known[0].search(line):
        return m.secret(known[1], *known[2])
    if known and name == "printenv":
        return m.keys("$" + line)
    deed = _DEEDS.get(name)
    if deed is not None:
        return deed(call)
    if name in _SHELLS:
        return _shell(call)
    if name in _INTERPRETERS or _STARTS_CODE.match(name):
        return _interpreter(call)
    return _program(call)


def prints_credential(command: str) -> str:
    """The program that prints a credential of the user when the command runs, "" for other commands."""
    name, _, rest = command.strip().partition(" ")
    known = _SECRETS.get(program_name(name))
    return program_name(name) if known is not None and known[0].search(rest.strip()) else ""


def _own(call: Call, path: str) -> bool:
    """True for a program that is not the system's of this name."""
    if "/" in path:
        return not path.startswith(("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/", "@"))
    state = call.machine.file(path)
    return state is not None and state.program


def _unwrapped(call: Call) -> Call:
    """The command without the programs that only start another one."""
    words = list(call.words)
    for _ in range(8):
        name = program_name(words[0].text) if words else ""
        if name not in _WRAPPERS | _LATE or len(words) == 1 or _own(call, words[0].text):
            break
        inner = _inner(call, name, words)
        if not inner or inner == words:
            break
        words = inner
    return call.of(words)


def _inner(call: Call, name: str, words: list[Value]) -> list[Value]:
    """The command that a wrapper starts, nothing where it starts none."""
    if name in _LATE:
        starts = _SHELLS | _INTERPRETERS
        later = (
            at for at in range(1, len(words)) if program_name(words[at].text) in starts or words[at].text[:1] in "./~"
        )
        at = next(later, 0)
        return words[at:] if at else []
    if name == "env" and all(word.text.startswith("-") for word in words[1:]):
        return []
    if name in ("cmd", "cmd.exe", "start", "call", "cmdline"):
        rest = words[1:]
        while rest and (rest[0].text == "" or (rest[0].text.startswith("/") and len(rest[0].text) < 4)):
            rest = rest[1:]
        return [Value("eval"), *rest] if len(rest) == 1 and " " in rest[0].text else rest
    if name in ("xargs", "parallel"):
        return _spread(call, words)
    short, long = options.TAKES.get("sudo", ("", frozenset[str]()))
    skip = 1 + _WITH_VALUE.get(name, 0)
    while len(words) > skip and (words[skip].text.startswith("-") or "=" in words[skip].text.partition("/")[0]):
        text = words[skip].text
        if text == "--":
            skip += 1
            break
        skip += 2 if name == "sudo" and (text[1:] in short or text[2:] in long) else 1
    return words[skip:]


def _spread(call: Call, words: list[Value]) -> list[Value]:
    """What xargs starts: what is read becomes arguments."""
    rest = options.read("xargs", words[1:]).rest
    if not rest:
        return [Value("echo"), Value("", call.given)]
    at = next(place for place, word in enumerate(words) if word is rest[0])
    put = call.given
    made = [
        Value(word.text, word.marks | (put if "{}" in word.text or "%" in word.text else NONE)) for word in words[at:]
    ]
    return [*made, Value("", put)]


def _shell(call: Call) -> Marks:
    machine, words = call.machine, call.words[1:]
    code = next((place + 1 for place, word in enumerate(words) if re.fullmatch(r"-\w*c", word.text)), 0)
    if code and code < len(words):
        return _code(call, words[code], words[code + 1 :])
    file = next((word for word in words if not word.text.startswith("-")), None)
    if file is not None and len(words) == 1 and re.search(r"\s(?:-|\S*/|https?:)", file.text):
        return _code(call, file)  # the step `sh` of a pipeline
    if file is None or any(word.text == "-s" for word in words) or file.text == "/dev/stdin":
        machine.starts(call.given, call.shown, call.line)
        return machine.text(call.body, NONE, call.line) if call.body else NONE
    return _file(call, file, words)


def _code(call: Call, code: Value, rest: Sequence[Value] = ()) -> Marks:
    """A text is run as a script."""
    machine = call.machine
    machine.starts(code.marks, call.shown, call.line)
    if any("{}" in word.text for word in (code,)) or rest:
        for place, word in enumerate(rest):
            machine.variables[str(place)] = word
    return machine.text(code.text, call.given, call.line)


def _file(call: Call, file: Value, words: Sequence[Value] = ()) -> Marks:
    """A file is run, with the other words as its arguments."""
    machine = call.machine
    given = frozenset(mark for word in words if word is not file for mark in m.held(word.marks))
    path = file.text
    machine.starts(file.marks | machine.marks(path), call.shown, call.line, given=given)
    state = machine.file(path)
    if state is not None and state.text:
        text, state.text = state.text, ""
        out = machine.text(text, call.given, call.line)
        state.text = text
        return out
    return call.given


def _interpreter(call: Call) -> Marks:
    machine, words = call.machine, call.words[1:]
    texts = options.texts(words)
    if texts[:2] == ["-m", "pip"] or texts[:1] == ["pip"]:
        return _pip(call.of(words[1:]))
    code = next(
        (
            place + 1
            for place, text in enumerate(texts)
            if text != "-jar" and re.fullmatch(r"-\w{0,3}[cer]|--eval|-Command|/c", text)
        ),
        0,
    )
    if code and code < len(words):
        shell = program_name(call.words[0].text).lower().startswith(("powershell", "pwsh"))
        if shell:
            return machine.text(powershell(words[code].text), call.given, call.line)
        return _inline(call, words[code])
    skip = 0
    while skip < len(words) and texts[skip].startswith("-") and texts[skip] not in ("-", "-jar", "-File", "-m"):
        skip += 1
    skip += skip < len(words) and texts[skip] in ("-jar", "-File", "run", "launch", "-S", "-x")
    while skip < len(words) and texts[skip].startswith("-") and texts[skip] not in ("-", "-m"):
        skip += 1
    if skip >= len(words) or texts[skip] == "-":
        machine.starts(call.given, call.shown, call.line)
        return call.given
    if texts[skip] == "-m":
        return call.given
    if _DOWNLOADS_URL.match(texts[skip]):
        _from_url(call, "runs", texts[skip])
    return _file(call, words[skip], words[skip + 1 :])


def _inline(call: Call, code: Value) -> Marks:
    """A program in another language that stands on the command line."""
    machine, text = call.machine, code.text
    machine.starts(code.marks, call.shown, call.line)
    if _CODE_RUNS.search(text) and re.search(r"stdin|STDIN|<>|input\(", text):
        machine.starts(call.given, call.shown, call.line)
    found = _CODE_FETCHES.search(text)
    url = (found["url"] or found["first"]) if found else ""
    host = m.host_of(url or (address.group() if (address := prose.URL.search(text)) else ""))
    if _CODE_SENDS.search(text):
        machine.sends(call.given | code.marks, host, call.shown, call.line)
    if url and host:
        mark = frozenset((Mark("fetched", _told(call), host),))
        if written := _CODE_WRITES.search(text):
            machine.write(written["file"], mark, call.shown, call.line)
        return call.given | mark
    return call.given


def _source(call: Call) -> Marks:
    """`.` and `source`: in the same shell."""
    words = call.words[1:]
    return _file(call, words[0], words[1:]) if words else NONE


def _eval(call: Call) -> Marks:
    words = call.words[1:]
    marks = frozenset(mark for word in words for mark in word.marks)
    return _code(call, Value(" ".join(word.text for word in words), marks))


def _trap(call: Call) -> Marks:
    """What is run at a signal or at the end."""
    words = call.words[1:]
    return _code(call, words[0]) if len(words) > 1 and " " in words[0].text else NONE


def _program(call: Call) -> Marks:
    """A program that is not known: one that the script fetched, or any other."""
    machine, first = call.machine, call.words[0]
    path = first.text
    state = machine.file(path)
    given = frozenset(mark for word in call.words[1:] for mark in m.held(word.marks))
    if (
        "/" in path
        or "\\" in path
        or "$" in path
        or (state is not None and (state.program or path.endswith((".exe", ".sh", ".bat"))))
    ):
        machine.starts(first.marks | (machine.marks(path) if path != "/" else NONE), call.shown, call.line, given=given)
        if state is not None and state.text:
            return _file(call, first, call.words[1:])
    elif first.marks:
        machine.starts(first.marks, call.shown, call.line, given=given)
    return call.given


def _install(call: Call) -> Marks:
    """Packages of the system, from a file or an address."""
    machine, given = call.machine, options.read("", call.words[1:])
    for word in given.rest:
        if _DOWNLOADS_URL.match(word.text):
            _from_url(call, "runs", word.text)
        elif "." in word.text or "/" in word.text:
            machine.starts(word.marks | machine.marks(word.text), call.shown, call.line)
    return NONE


def _from_url(call: Call, deed: str, url: str, packed: str = "") -> None:
    if host := m.host_of(url.removeprefix("git+")):
        call.machine.tell(deed, call.shown, call.line, Mark("fetched", call.shown, host, packed))


def _pip(call: Call) -> Marks:
    """`pip install` and `pip download`; addresses and indexes are requirements.py's."""
    machine = call.machine
    words = [word for word in call.words[1:] if not word.text.startswith("-")]
    texts = options.texts(words)
    if "download" in texts[:1] or "wheel" in texts[:1]:
        every = options.texts(call.words)
        where = next((every[place + 1] for place, text in enumerate(every[:-1]) if text in ("-d", "--dest", "-w")), "")
        for word in words[1:]:
            if host := m.host_of(word.text.removeprefix("git+")):
                name = f"{where}/{word.text.rpartition('/')[2]}".lstrip("/")
                machine.write(name, frozenset((Mark("fetched", _told(call), host),)), call.shown, call.line)
                if where:
                    machine.write(where, frozenset((Mark("fetched", _told(call), host),)), call.shown, call.line)
        return NONE
    if "install" in texts[:2] or "add" in texts[:2]:
        for word in words:
            if not _DOWNLOADS_URL.match(word.text):
                for mark in m.fetched(
                    word.marks | (machine.marks(word.text) if re.search(r"[/.*]", word.text) else NONE)
                ):
                    machine.tell("runs" if mark.packed else "installs", f"{mark.what} … {call.shown}", call.line, mark)
    return NONE


def _npm(call: Call) -> Marks:
    """Packages for node and tools of the like that are started from an address."""
    for word in call.words[1:]:
        if _DOWNLOADS_URL.match(word.text) and not re.search(r"\.git(?:#|$)", word.text):
            _from_url(call, "runs", word.text)
        elif "/" in word.text or word.text.endswith(".tgz"):
            call.machine.starts(word.marks | call.machine.marks(word.text), call.shown, call.line)
    return call.given


def _uv(call: Call) -> Marks:
    """`uv run`, `uvx`, `pipx run`: a script or a package from an address is started."""
    texts = options.texts(call.words)
    if "pip" in texts[:2]:
        return _pip(call.of(call.words[1:]))
    if texts[0] == "uv" and "run" in texts[:2] and len(call.words) > 2:
        rest = [word for word in call.words[2:] if not word.text.startswith("-")]
        if rest and not _DOWNLOADS_URL.match(rest[0].text):
            return perform(call.of(rest if not rest[0].text.endswith(".py") else [Value("python"), *rest]))
    for word in call.words[1:]:
        if _DOWNLOADS_URL.match(word.text):
            plain = word.text.startswith("git+") or word.text.endswith((".whl", ".gz", ".zip"))
            _from_url(call, "installs" if plain else "runs", word.text)
    return call.given


def _go(call: Call) -> Marks:
    texts = options.texts(call.words)
    module = next((text for text in texts[2:] if "@" in text), "")
    if len(texts) > 2 and texts[1] in ("run", "install") and module:
        _from_url(call, "installs", "https://" + module.partition("@")[0])
        return call.given
    return _interpreter(call.of(call.words[1:])) if texts[1:2] == ["run"] else call.given


def _cargo(call: Call) -> Marks:
    texts = options.texts(call.words)
    for place, text in enumerate(texts[:-1]):
        if text == "--git" and texts[1] == "install":
            _from_url(call, "installs", texts[place + 1])
    return call.given


def _find(call: Call) -> Marks:
    """The files that are found; what `-exec` starts is given them."""
    words = call.words[1:]
    first = next((place for place, word in enumerate(words) if word.text.startswith(("-", "!", "("))), len(words))
    out = NONE
    for word in words[:first]:
        if m.in_home(word.text) or m.of_path(word.text):
            out |= m.secret("files of the user")
        out |= word.marks
    if (
        not out
        and any(m.names_keys(word.text) for word in words[first:])
        and words[:1]
        and words[0].text.startswith(("~", "$", "/"))
    ):
        out = m.secret("files of credentials")
    for place, word in enumerate(words):
        if word.text in ("-exec", "-execdir", "-ok", "-okdir"):
            end = next((at for at in range(place + 1, len(words)) if words[at].text in (";", "+")), len(words))
            inner = [
                Value(each.text, each.marks | (out if "{}" in each.text else NONE)) for each in words[place + 1 : end]
            ]
            out |= perform(call.of(inner)) if inner else NONE
    return out


def _make(call: Call) -> Marks:
    """What is built comes from the folder that the script is in, or that `-C` names."""
    machine = call.machine
    texts = options.texts(call.words)
    folder = next(
        (texts[place + 1] for place, text in enumerate(texts[:-1]) if text in ("-C", "-f", "-S", "-P", "--build")), ""
    )
    machine.starts(machine.marks(folder) if folder else machine.here, call.shown, call.line)
    return NONE


def _told(call: Call) -> str:
    return call.shown[:120]


_DEEDS: dict[str, Callable[[Call], Marks]] = {
    "trap": _trap, "source": _source, ".": _source, "source_env": _source, "eval": _eval, "find": _find, "fd": _find, "make": _make, "cmake": _make,
    "ninja": _make, "just": _make, "pip": _pip, "pip3": _pip, "uv": _uv, "uvx": _uv, "pipx": _uv, "npx": _npm, "npm": _npm,
    "yarn": _npm, "pnpm": _npm, "bunx": _npm, "go": _go, "cargo": _cargo, "su": _shell, **dict.fromkeys(_INSTALLS, _install),
    **FILES, **CLIENTS,
}  # fmt: skip
