"""What a command does that a program of Python starts, followed as a script would be."""

import itertools

from modelscan_plus.formats.text.services import web_shell
from modelscan_plus.formats.text.shell.pieces import Piece
from modelscan_plus.formats.text.shell.told import SENDS, WORTH, followed

_LONGEST = 4_000


def commanded(command: str) -> str:
    """What the command does that no honest one is for, "" for nothing: how it goes on behind "a command that".

    What is fetched and run is left to the grades of Python, which know whether it came from a vendor."""
    if web_shell(command):
        return "gives whoever visits a shell without a password"
    if len(command) > _LONGEST or not WORTH.search(command) or not any(sign in command for sign in "|;&$@<`"):
        return ""
    found = itertools.islice(followed([Piece(command, 1)]), 20)
    return SENDS if any(each.kind == "command" and each.what == SENDS for each in found) else ""
