"""A script followed from command to command: what came from another machine and is run, and what is secret and leaves.

Each value, variable and file carries marks (marks.py). A pipe hands them on, so do `>`, `cp`, `tar`, variables, loops,
functions and substitutions. Branches are all taken, and the whole is gone through twice, because what a loop or a recipe
uses may be made further down. What programs do with what they are given stands in deeds.py.
"""

import base64
import re
from collections.abc import Callable, Sequence

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.shell import marks as m
from modelscan_plus.formats.text.shell.marks import NONE, Mark, Marks, Value
from modelscan_plus.formats.text.shell.words import Command, Pipeline, Redirect, Script, Word, parse

_STEPS = 40_000
_LONGEST = 1 << 18
"""Characters of a script that is followed."""
_READ = 4 * _LONGEST
_TOLD = 60
_FILES = 2000
_CALLS = 12
_USE = lazy(r"\$(?:\{(?P<braced>\w+|[@*])(?P<rest>[^{}]{0,200})\}|(?P<bare>[A-Za-z_]\w*|[\d@*]))")
_NETWORK = lazy(r"^/dev/(?:tcp|udp)/(?P<host>[^/]+)/")
_LATER = lazy(
    r"(?:^|/)\.?(?:bashrc|zshrc|profile|bash_profile|zprofile|zshenv|xinitrc)$|\.git/hooks/|/etc/(?:cron|profile|init\.d|rc\.local|systemd)|"
    r"systemd/(?:user|system)/|config/autostart/|Launch(?:Agents|Daemons)/|(?:site|dist)-packages/|sitecustomize\.py$|usercustomize\.py$|"
    r"\.ipython/profile|(?:^|/)\.ssh/(?:authorized_keys|config)$|\\Startup\\|(?:^|/)ld\.so\.preload$|"
    r"/bin/(?:python[\d.]*|pip3?|git|ls|bash|sh|ssh|sudo|docker|node|npm|conda|nvidia-smi|code|make)$",
    re.I,
)
"""Files that something else runs or obeys."""

_ASKS = lazy(r"\b(?:curl|wget|nc|ncat|iwr|irm)\b[^\n]{0,200}?(?P<url>https?://[^\s\"'`)|;]+)", re.I)
"""A command that talks to another machine, in what is written to such a file."""
_PRELOADS = frozenset(("LD_PRELOAD", "BASH_ENV", "PYTHONSTARTUP", "DYLD_INSERT_LIBRARIES", "ENV"))
"""Variables that name a file which programs load or shells read at their start."""
_SEARCHED = frozenset(
    """LD_LIBRARY_PATH DYLD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH PYTHONPATH NODE_PATH PERL5LIB RUBYLIB CLASSPATH R_LIBS
    JULIA_LOAD_PATH LUA_PATH GCONV_PATH QT_PLUGIN_PATH VK_ICD_FILENAMES""".split()
)
"""Variables with folders in which programs look for libraries first."""


class Told(msgspec.Struct, frozen=True):
    """One thing that the script does and no honest one needs."""

    deed: str
    """"runs", "keeps" (to be run later), "installs", "hands" (a secret to what it fetched), "sends", or "unread" (a part was not followed,
    and why)."""
    shown: str
    line: int
    host: str
    mark: Mark


class Held(msgspec.Struct):
    """A file or folder."""

    marks: Marks = NONE
    text: str = ""
    """What a script wrote into it, as far as that is known."""
    program: bool = False


class Call(msgspec.Struct, frozen=True):
    """One command that is started."""

    machine: "Machine"
    words: Sequence[Value]
    """Its name and its arguments."""
    given: Marks
    """Marks of what it reads from its standard input."""
    shown: str
    line: int
    body: str = ""
    """The text that follows it (`<<`)."""

    def of(self, words: Sequence[Value]) -> "Call":
        """The same with other words."""
        return msgspec.structs.replace(self, words=words)


class Machine:
    """The state of one script."""

    def __init__(self, perform: "Callable[[Call], Marks]") -> None:
        self._perform = perform
        self.variables: dict[str, Value] = {}
        self.files: dict[str, Held] = {}
        self._by_name: dict[str, list[str]] = {}
        self.functions: dict[str, Script] = {}
        self.here: Marks = NONE
        """Marks of the folder that the script is in."""
        self.unpacked: Marks = NONE
        """Of archives that were unpacked beside the script."""
        self.mounted: dict[str, Marks] = {}
        """Files that are there before, by their path."""
        self.sockets: dict[str, str] = {}
        self.told: dict[tuple[str, str, str], Told] = {}
        self.unread = ""
        """Why a part of the script was not followed, "" where all of it was."""
        self._steps = self._read = 0
        self._deep = 0

    def run(self, script: Script, given: Marks = NONE) -> Marks:
        """Go through the commands; the marks of what they print."""
        out = NONE
        for pipeline in script:
            out |= self.pipeline(pipeline, given)
        return out

    def again(self) -> None:
        """From the start once more: what was found stays, and the commands are counted anew."""
        self._steps = self._read = 0

    def text(self, text: str, given: Marks = NONE, line: int = 1) -> Marks:
        """Go through a script that stands in a text."""
        if len(text) > _LONGEST:
            self.unread = f"a script of more than {_LONGEST:,} characters is not followed"
            return NONE
        self._read += len(text)
        if self._read > _READ:
            self.unread = f"no more than {_READ:,} characters are followed, scripts in scripts counted again"
            return NONE
        if self._deep >= _CALLS:
            return NONE
        self._deep += 1
        try:
            return self.run(parse(text, line, min(self._deep, 6)), given)
        finally:
            self._deep -= 1

    def pipeline(self, pipeline: Pipeline, given: Marks = NONE) -> Marks:
        """Each command is given what the one before it prints."""
        for command in pipeline:
            given = self._command(command, given)
        return given

    def tell(self, deed: str, shown: str, line: int, mark: Mark, host: str = "") -> None:
        """Note something that is to be judged."""
        place = (deed, mark.what, host or mark.host)
        if len(self.told) < _TOLD:
            self.told.setdefault(place, Told(deed, shown, line, host or mark.host, mark))

    def starts(self, marks: Marks, shown: str, line: int, *, given: Marks = NONE) -> None:
        """Something with these marks is run, and `given` is handed to it."""
        for mark in m.fetched(marks):
            secrets = m.held(given)
            self.tell("hands" if secrets else "runs", f"{mark.what} … {shown}", line, mark)

    def sends(self, marks: Marks, host: str, shown: str, line: int) -> None:
        """Something with these marks goes to another machine."""
        if not host:
            return
        for mark in m.held(marks):
            if not any(_below(host, service) for service in mark.home):
                self.tell("sends", shown, line, mark, host)

    # --- files

    def file(self, path: str) -> Held | None:
        """What is known of a file by this name, wherever the script stands."""
        name = _plain(path)
        if not name or name in (".", "-") or "://" in path:
            return None
        if name in self.files:
            return self.files[name]
        for known in self._by_name.get(name.rpartition("/")[2], ()):
            if known.endswith("/" + name) or name.endswith("/" + known) or not (known[0] == name[0] == "/"):
                return self.files[known]
        return None

    def marks(self, path: str) -> Marks:
        """The marks of a file: its own, those of the folder that it lies in, and what its name says."""
        if "://" in path:
            return NONE
        found = self.file(path)
        made = found.marks if found is not None else NONE
        if self.mounted and (name := _plain(path)):
            made = made.union(*(marks for place, marks in self.mounted.items() if place.startswith(f"{name}/")))
        return made | m.of_path(path) | self._of_folder(path)

    def _of_folder(self, path: str) -> Marks:
        name = _plain(path)
        while "/" in name:
            name = name.rpartition("/")[0]
            if (state := self.files.get(name)) is not None and (state.marks or state.text):
                return state.marks
            for known in self._by_name.get(name.rpartition("/")[2], ()):
                if self.files[known].marks:
                    return self.files[known].marks
        top = _plain(path).partition("/")[0]
        for mark in self.unpacked:
            archive = mark.what.rpartition("/")[2].lower()
            if top and (archive.startswith(f"{top.lower()}.") or (len(top) > 2 and top[:4].lower() in archive)):
                return self.unpacked
        if not path.startswith(("/", "~", "$")):
            return self.here
        return NONE

    def write(self, path: str, marks: Marks, shown: str, line: int, text: str = "") -> None:
        """A file gets this content."""
        name = _plain(path)
        if not name or name == "/dev/null":
            return
        if network := _NETWORK.match(path):
            self.sends(marks, m.named(network["host"]), shown, line)
            return
        if _LATER.search(path):
            for mark in m.fetched(marks):
                self.tell("keeps", f"{mark.what} … {shown}", line, mark)
            asks = _ASKS.search(text)
            if asks and (host := m.host_of(asks["url"])):
                self.tell("keeps", shown, line, Mark("fetched", shown, host))
        if len(self.files) >= _FILES:
            return
        if name not in self.files:
            self._by_name.setdefault(name.rpartition("/")[2], []).append(name)
        state = self.files.setdefault(name, Held())
        state.marks |= marks
        state.text = text or state.text

    def check(self, marks_of: Sequence[str]) -> None:
        """The content of these files, or of all, was compared with what it should be."""
        names = [name for name in marks_of if self.file(name) is not None]
        for name, state in self.files.items():
            if not names or any(_plain(each).rpartition("/")[2] == name.rpartition("/")[2] for each in names):
                state.marks = m.changed(state.marks, checked=True)

    # --- commands

    def _command(self, command: Command, given: Marks) -> Marks:
        self._steps += 1
        if self._steps > _STEPS:
            self.unread = f"no more than {_STEPS:,} commands of the script are followed"
            return NONE
        if command.defines:
            self.functions.setdefault(command.defines, command.group or ())
            return NONE
        shown = _shown(command)
        given = self._input(command.redirects, given, command)
        out = self._group(command, given) if command.group is not None else self._simple(command, given, shown)
        return self._output(command, out, shown)

    def _group(self, command: Command, given: Marks) -> Marks:
        if command.loop is not None:
            name, words = command.loop
            values = [self.value(word) for word in words if word.text != "in" or word.quoted]
            marks = frozenset(
                mark for value in values for mark in value.marks | m.of_path(value.text) | self.marks(value.text)
            )
            self.variables[name] = Value(values[0].text if len(values) == 1 else f"${name}", marks)
        return self.run(command.group or (), given)

    def _simple(self, command: Command, given: Marks, shown: str) -> Marks:
        preload = NONE
        for name, word in command.sets:
            value = self.value(word)
            if not command.words:
                self.variables[name] = value
            preload |= self.preloaded(name, value)
        self.starts(preload, shown, command.line)
        words = [value for word in command.words for value in self._values(word)]
        if not words:
            inner = [redirect for redirect in command.redirects if redirect.operator == "<<" and not command.sets]
            return self.text(inner[0].target.text, given, command.line) if inner else NONE
        body = next((each.target for each in command.redirects if each.operator in ("<<", "<<<")), None)
        return self._perform(Call(self, words, given, shown, command.line, body.text if body else ""))

    def preloaded(self, name: str, value: Value) -> Marks:
        """Marks of what each program runs that is started with this variable."""
        if name in _PRELOADS:
            return self.marks(value.text)
        if name not in _SEARCHED:
            return NONE
        places = [place for part in value.text.split(":") if (place := _plain(part)) and "$" not in place]
        return frozenset(
            mark
            for path, held in self.files.items()
            if any(place == "." or path == place or path.startswith(f"{place}/") for place in places)
            for mark in m.fetched(held.marks)
        )

    def call(self, name: str, words: Sequence[Value], given: Marks) -> Marks | None:
        """Go through the body of a function of the script; None when there is none of this name."""
        body = self.functions.get(name)
        if body is None or self._deep >= _CALLS:
            return None
        kept = {key: self.variables.get(key) for key in (*"123456789", "@", "*")}
        for place in range(1, 10):
            self.variables[str(place)] = words[place - 1] if place <= len(words) else Value("")
        every = Value(" ".join(word.text for word in words), frozenset(mark for word in words for mark in word.marks))
        self.variables["@"] = self.variables["*"] = every
        self._deep += 1
        out = self.run(body, given)
        self._deep -= 1
        for key, value in kept.items():
            self.variables.pop(key, None)
            if value is not None:
                self.variables[key] = value
        return out

    def _input(self, redirects: Sequence[Redirect], given: Marks, command: Command) -> Marks:
        for redirect in redirects:
            value = self.value(redirect.target)
            if redirect.operator == "<":
                given |= self.marks(value.text) | value.marks
            elif redirect.operator in ("<<", "<<<"):
                given |= value.marks
            elif redirect.operator == "<&" and value.text in self.sockets:
                given |= frozenset((Mark("fetched", _shown(command), self.sockets[value.text]),))
            elif redirect.operator == "<>" and (network := _NETWORK.match(value.text)):
                fd = "".join(word.text for word in command.words[1:2]) or "3"
                self.sockets[fd] = self.sockets["3"] = m.named(network["host"])
        return given

    def _output(self, command: Command, out: Marks, shown: str) -> Marks:
        for redirect in command.redirects:
            if redirect.operator not in (">", ">>", ">|", ">&", "&>", "&>>"):
                continue
            target = self.value(redirect.target).text
            if redirect.operator == ">&" and target in self.sockets:
                self.sends(out, self.sockets[target], shown, command.line)
            elif not target.isdigit():
                body = next((each.target for each in command.redirects if each.operator == "<<"), None)
                text = body.text if body is not None else _printed(command)
                self.write(target, out, shown, command.line, text)
        return out

    # --- values

    def _values(self, word: Word) -> list[Value]:
        """The word as the shell splits it: every argument for `$@`, and the words of a variable without quotes."""
        if word.text in ("$@", "$*", "${@}") and "1" in self.variables:
            return [each for name in "123456789" if (each := self.variables.get(name)) is not None and each.text]
        value = self.value(word)
        if not word.quoted and re.fullmatch(r"\$\w+|\$\{\w+\}", word.text) and " " in value.text.strip():
            return [Value(part, value.marks) for part in value.text.split()[:60]]
        return [value]

    def _prints(self, script: Script) -> str:
        """What `echo` or `printf` prints, decoded by the programs behind it; "" where that is not known."""
        if len(script) != 1 or any(not command.words for command in script[0]):
            return ""
        first, *others = script[0]
        words = [self.value(word).text for word in first.words]
        if words[0] not in ("echo", "printf") or any("$" in word for word in words) or len(words) < 2:
            return ""
        form, rest = words[1], words[2:]
        text = (
            re.sub(r"%s", lambda _: rest.pop(0) if rest else "", form) if words[0] == "printf" else " ".join(words[1:])
        )
        text = text.removeprefix("-n ").replace("\\n", "")
        for command in others:
            name = command.words[0].text
            if name not in _DECODES or (name != "rev" and len(command.words) < 2):
                return ""
            try:
                text = _DECODES[name](text.strip())
            except (ValueError, UnicodeDecodeError):
                return ""
        return text if text.isprintable() else ""

    def value(self, word: Word) -> Value:
        """The word with its variables written out, and what is known of it."""
        made = NONE
        for script in word.inner:
            made |= self.run(script)
        if word.literal:
            return Value(word.text, made)
        if word.text.count("$()") == 1 and len(word.inner) == 1 and (printed := self._prints(word.inner[0])):
            word = msgspec.structs.replace(word, text=word.text.replace("$()", printed))
        marks = set(made)

        def written(found: "re.Match[str]") -> str:
            name = found["braced"] or found["bare"]
            value = self.variables.get(name)
            if value is None:
                default = re.match(r":?[-=](.+)", found["rest"] or "")
                return default[1] if default and "$" not in default[1] else found.group()
            marks.update(value.marks)
            return value.text if "$()" not in value.text else found.group()

        text = _USE.sub(written, word.text) if "$" in word.text else word.text
        marks |= m.keys(word.text)
        return Value(text[:8000], frozenset(marks))


_DECODES: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64decode(text + "=" * (-len(text) % 4)).decode(),
    "xxd": lambda text: bytes.fromhex(text).decode(),
    "rev": lambda text: text[::-1],
}
"""Programs that a constant text may be written by; with the option that has them decode."""


def _below(host: str, service: str) -> bool:
    name = host.removeprefix("http:").partition("/")[0]
    return name == service or name.endswith("." + service)


def _plain(path: str) -> str:
    """A path in one spelling: without "./", doubled and last slashes, and quotes."""
    path = path.strip("\"'").replace("\\", "/").replace("${HOME}", "~").replace("$HOME", "~").replace("$PWD/", "")
    path = re.sub(r"/{2,}", "/", path)
    while path.startswith("./"):
        path = path[2:]
    return path.rstrip("/") if path != "/" else path


def _shown(command: Command) -> str:
    return " ".join(word.text for word in command.words)[:160] + " &" * command.behind


def _printed(command: Command) -> str:
    """What `echo` or `printf` prints."""
    words = [word.text for word in command.words]
    return " ".join(words[1:]).replace("\\n", "\n") if words and words[0] in ("echo", "printf") else ""
