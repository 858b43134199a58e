"""Scripts with their variables written out: what a command line says once the shell has put the values in.

Read are assignments of one line, from the first line to the last, in the forms of POSIX shells, make, Dockerfiles,
batch files and PowerShell; branches, loops and functions are not told apart. What breaks a word up and means nothing
to the interpreter (an empty pair of quotes, a caret, a backtick) is left out. Lines stay lines, so that numbers of
lines hold.
Sources: POSIX.1-2017 2.6, the manual of GNU make, the reference of Dockerfiles, `help set`, about_Variables.
"""

import re

from modelscan_plus.core.limits import BudgetExceeded
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.roles import SCRIPTS

LARGEST = 1 << 20
"""Characters of a script whose variables are written out."""
_VALUE = 600
_LINE = 8000
_MOST = 400
_LINES = 20_000
_SHELL_SET = lazy(
    r"(?:^|[;&|]|\bthen\b|\bdo\b)\s*(?:(?:export|local|readonly|declare|typeset|ENV|ARG)\s+(?:-\w+\s+)*)?"
    r"(?P<name>[A-Za-z_]\w*)=(?P<value>\"(?:\\.|[^\"\\])*\"|'[^']*'|\$\([^()\n]*\)|`[^`\n]*`|[^\s;&|\"'`()]+)"
)
_MAKE_SET = lazy(r"^(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*(?:::?|\?)?=\s*(?P<value>[^#\n]{1,600}?)\s*$")
_BATCH_SET = lazy(r"^[\s@(]*set\s+(?:/\w\s+)?\"?(?P<name>[A-Za-z_]\w*)=(?P<value>[^\"\n&|]*)", re.I)
_POWER_SET = lazy(
    r"(?:^|;|\{)\s*\$(?:(?:script|global|private):)?(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>[^=\n;][^\n;]{0,599})", re.I
)
_SHELL_USE = lazy(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)(?:[:-]+(?P<other>[^{}\n]{0,200}))?\}|(?P<bare>[A-Za-z_]\w*))")
_MAKE_USE = lazy(r"\$[({](?P<name>[A-Za-z_]\w*)[)}]")
_BATCH_USE = lazy(r"%(?P<name>[A-Za-z_]\w*)%|!(?P<late>[A-Za-z_]\w*)!")
_POWER_USE = lazy(r"\$(?:\{(?P<braced>\w+)\}|(?P<bare>[A-Za-z_]\w*))(?![\w:])")
_PLUS = lazy(
    r"(?P<quote>[\"'])(?P<left>[^\"'\n]{0,400})(?P=quote)\s*\+\s*(?P<second>[\"'])(?P<right>[^\"'\n]{0,400})(?P=second)"
)
_FORMATTED = lazy(
    r"(?:\(\s*)?[\"'](?P<form>(?:\{\d\}){1,12})[\"']\s*-f\s*(?P<parts>[\"'][^\"'\n]{0,60}[\"'](?:\s*,\s*[\"'][^\"'\n]{0,60}[\"']){0,11})\s*\)?",
    re.I,
)
_NAMED = lazy(r"(?P<call>(?:^|[\s;|=(])[&.]\s*)\(?\s*[\"'](?P<name>[\w-]{2,40})[\"']\s*\)?")
_BROKEN = {
    "shell": lazy(r"(?<=\w)(?:''|\"\"|\\(?=[a-z]))(?=\w)|\$\{IFS\}|\$IFS(?!\w)|\$@(?=\w)"),
    "batch": lazy(r"\^(?=[^\s^])"),
    "powershell": lazy(r"`(?=[A-Za-z])"),
}
_COMMAND = lazy(
    r"(?:^|[;&|(]|\b(?:then|do|else|exec|nohup|sudo|time|call|start|Start-Process|RUN|CMD|ENTRYPOINT|if|LD_PRELOAD=)\b)[\s@\[\"']*+"
    r"(?:(?:-\w+|/\w+|\w+=\S*|\"\")\s+)*+[\"']?(?:(?:\$\([^()\n]{0,60}\)|[\w.$%~{}:-]{0,60})[\\/]){0,12}(?!(?:then|do|else|exec|nohup|sudo|time|call|start|start-process|run|cmd|entrypoint|if)\b(?![.-]))(?P<name>[\w-][\w.-]{0,100})[\"']?(?=$|[\s;&|),\]])",
    re.I,
)
"""A word where a command stands."""
_TELLING = lazy(
    r"download|webclient|webrequest|restmethod|\bi[rw][mr]\b|frombase64|getstring|env:|get-content|new-object|\.\w+\(",
    re.I,
)
"""Expressions of PowerShell that say more in place of the variable than its name does."""


def expanded(role: str, text: str) -> str:
    """The script with the values in place of the names, as far as they are known; the same text where nothing is.

    Raises `BudgetExceeded` where the values make it longer by more than `LARGEST` characters."""
    if len(text) > LARGEST:
        return text
    values: dict[str, str] = {}
    lines = []
    more = 0
    for line in text.split("\n"):
        made = _written(role, line, values) if len(line) <= _LINE else line
        more += len(made) - len(line)
        if more > LARGEST:
            raise BudgetExceeded("budget-text", f"its variables make the script longer by {LARGEST:,} characters")
        lines.append(made)
        if len(values) < _MOST:
            _note(role, made, values)
    return "\n".join(lines)


def starts(role: str, text: str) -> tuple[tuple[str, int], ...]:
    """Names of files that a script starts by their path, each with its line."""
    if role not in SCRIPTS:
        return ()
    found: dict[str, int] = {}
    try:
        written = expanded(role, text[:LARGEST])
    except BudgetExceeded:  # which is said where the commands are looked for
        written = text[:LARGEST]
    for number, line in enumerate(written.split("\n", _LINES)[:_LINES], 1):
        for command in _COMMAND.finditer(line[:_LINE]):
            found.setdefault(command["name"], number)
        if len(found) >= _MOST:
            break
    return tuple(found.items())[:_MOST]


def _written(role: str, line: str, values: dict[str, str]) -> str:
    """One line with what is known by then."""
    kind = role if role in ("batch", "powershell") else "shell"
    if broken := _BROKEN.get(kind):
        line = broken.sub(lambda found: " " if "IFS" in found.group() else "", line)
    if role == "batch":
        line = _BATCH_USE.sub(lambda found: _of(values, (found["name"] or found["late"]).lower(), found), line)
    elif role == "powershell":
        line = _POWER_USE.sub(lambda found: _of(values, (found["braced"] or found["bare"]).lower(), found), line)
        line = _joined(line)
    else:
        if role == "makefile":
            line = _MAKE_USE.sub(lambda found: _of(values, found["name"], found), line)
        line = _SHELL_USE.sub(lambda found: _in_shell(values, found), line)
    return line[: _LINE * 2]


def _of(values: dict[str, str], name: str, found: "re.Match[str]") -> str:
    return values.get(name, found.group())


def _in_shell(values: dict[str, str], found: "re.Match[str]") -> str:
    name = found["braced"] or found["bare"]
    if name in values:
        return values[name]
    return found["other"] if found["other"] and "://" in found["other"] else found.group()


def _joined(line: str) -> str:
    """Texts of PowerShell that are put together from constants, and commands that are called by their text."""
    for _ in range(20):
        made = _PLUS.sub(lambda found: f"'{found['left']}{found['right']}'", line)
        if made == line:
            break
        line = made
    line = _FORMATTED.sub(_formatted, line)
    return _NAMED.sub(lambda found: f"{found['call'].rstrip('&. ')} {found['name']} ", line)


def _formatted(found: "re.Match[str]") -> str:
    parts = re.findall(r"[\"']([^\"'\n]*)[\"']", found["parts"])
    places = [int(digit) for digit in re.findall(r"\d", found["form"])]
    return f"'{''.join(parts[place] for place in places if place < len(parts))}'"


def _note(role: str, line: str, values: dict[str, str]) -> None:
    """Remember what the line sets."""
    if role == "batch":
        if found := _BATCH_SET.match(line):
            values[found["name"].lower()] = found["value"].strip()[:_VALUE]
        return
    if role == "powershell":
        for found in _POWER_SET.finditer(line):
            value = found["value"].strip()
            constant = re.fullmatch(r"[\"']([^\"'\n]*)[\"']", value)
            if constant:
                values[found["name"].lower()] = constant[1]
            elif _TELLING.search(value):
                values[found["name"].lower()] = f"({value})"
            else:
                values.pop(found["name"].lower(), None)
        return
    pattern = _MAKE_SET if role == "makefile" and not line.startswith("\t") else _SHELL_SET
    for found in pattern.finditer(line):
        value = found["value"]
        if value[:1] in "\"'" and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        value = "/tmp/mktemp" if value.startswith(("$(mktemp", "`mktemp")) else value  # noqa: S108 - a name, not a file
        if len(value) <= _VALUE and not re.search(rf"\$\{{?{found['name']}\b", value):
            values[found["name"]] = value
