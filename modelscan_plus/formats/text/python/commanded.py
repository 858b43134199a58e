"""What a command does that a program of Python starts, followed as a script would be."""

import ast
import itertools
import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.services import web_shell
from modelscan_plus.formats.text.shell.pieces import Piece
from modelscan_plus.formats.text.shell.told import SENDS, followed, worth

_LONGEST = 4_000
_SHELL = lazy(r"^(?:\S*/)?(?:ba|z|da|k)?sh$|^pwsh$|^powershell(?:\.exe)?$", re.I)
_UNPROTECTS = lazy(
    r"\bSet-MpPreference\b[^\n]*-Disable|\bAdd-MpPreference\b[^\n]*-Exclusion|\bnetsh\s+advfirewall\s+set\s+\w+\s+state\s+off|\bspctl\s+--master-disable|"
    r"\b(?:taskkill|pkill|killall|net\s+stop|sc\s+(?:stop|delete)|systemctl\s+(?:stop|disable)|launchctl\s+unload)\b[^\n]*\b(?:MsMpEng|WinDefend|falcon|clamd|clamav|osqueryd|"
    r"auditd|wazuh|sentinel\w*|cbdefense|elastic-agent|sophos\w*|mcshield|avgsvc|avastsvc|bdagent)\b",
    re.I,
)
_BEFORE = lazy(r"^(?:\S*/)?(?:ba|z|da|k)?sh\s+(?:-[a-z]+\s+)*$")


def commanded(command: str) -> str:
    """What the command does that no honest one is for, "" for nothing: how it goes on behind "a command that".

    What is fetched and run is left to the grades of Python, which know whether it came from a vendor."""
    if web_shell(command):
        return "gives whoever visits a shell without a password"
    if _UNPROTECTS.search(command):
        return "switches protection off"
    if len(command) > _LONGEST or not worth(command) or not any(sign in command for sign in "|;&$@<`"):
        return ""
    found = itertools.islice(followed([Piece(command, 1)]), 20)
    return SENDS if any(each.kind == "command" and each.what == SENDS for each in found) else ""


def script(node: ast.Call, names: Names) -> ast.expr | None:
    """What stands where a shell takes the path of its script: `["bash", path]`, `f"sh {path}"`; None where a text stands there."""
    match node.args[0] if node.args else None:
        case ast.List(elts=[program, *rest]) | ast.Tuple(elts=[program, *rest]) if _SHELL.match(
            names.folder.text(program) or ""
        ):
            return next((each for each in rest if not (names.folder.text(each) or "").startswith("-")), None)
        case ast.JoinedStr(values=[ast.Constant(value=str(first)), ast.FormattedValue(value=path), *_]):
            return path if _BEFORE.match(first) else None
        case ast.BinOp(left=ast.Constant(value=str(first)), op=ast.Add(), right=path):
            return path if _BEFORE.match(first) else None
    return None
