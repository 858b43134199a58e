"""Places of a template from which what was said goes somewhere: an address, or a call of a tool, that the template
began to write when the words follow.

Templates write down calls that the model made, with names and arguments that they are given; a call whose argument is
the conversation was thought up by the template.
"""

import re
from collections.abc import Iterator

from jinja2 import nodes

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import one_line, shorten, visible
from modelscan_plus.formats.text.jinja.facts import Sent
from modelscan_plus.formats.text.jinja.names import says_content
from modelscan_plus.formats.text.jinja.scope import Scope

GIVEN = "\x01"
"""Stands for what the template does not know, where its text is looked at."""
_KEPT = 1000
_NAME = rf"[\w.:/{GIVEN}-]+"
_OPEN_ADDRESS = lazy(
    r"(?:(?:https?|ftp|wss?)://|mailto:|(?:src|href)\s{0,3}=\s{0,3}[\"']?//|\]\(\s{0,3}//)[^\s\"'<>|]{0,400}$"
    r"|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.\w{2,24}[\"']?\s{0,3}[,;&?][^\n<|!]{0,120}[:=]\s{0,3}[\"']?$",
    re.I,
)
_OPEN_CALL = lazy(
    rf"\"(?:name|tool_name|tool|function|recipient(?:_name)?)\"\s*:\s*\"{_NAME}\"[^{{}}\[\]]{{0,80}}"
    r"\"(?:arguments|parameters?|args|input|kwargs)\"\s*:\s*\\?\"?\{[^{}]{0,400}$"
    rf"|<function={_NAME}>(?:(?!</function)[\s\S]){{0,400}}<parameter=[\w-]+>[^<]{{0,200}}$"
    rf"|<invoke\s+name=\"{_NAME}\">(?:(?!</invoke)[\s\S]){{0,400}}<parameter\s+name=\"[\w-]+\"[^>]{{0,60}}>[^<]{{0,200}}$"
    r"|(?:<\|python_tag\|>|<\|?tool_call\|?>|\[TOOL_CALLS\]|```tool_code|<start_function_call>|call:)[^\n]{0,40}?"
    r"\b[a-z_][\w.]*[({](?:[^(){}]{0,200},)?\s*[a-z_]\w*\s*[=:][^(){}]{0,100}$"
    r"|<tool_call>\s*[\w.-]+\s*<arg_key>[\w-]+</arg_key>\s*<arg_value>[^<]{0,200}$"
    r"|\bAction:\s*[\w.-]+\s*\n?\s*Action Input:\s*\{[^{}]{0,400}$"
    r"|\bto=functions\.\w+[^\n]{0,100}<\|message\|>\s*\{[^{}]{0,400}$"
    r"|tool_call_argument_begin\|>\s*\{[^{}]{0,400}$|tool▁sep[\s\S]{0,120}?\{[^{}]{0,400}$",
    re.I,
)


class Outlets:
    """Takes the text of a template piece by piece."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, piece: str) -> None:
        """Text that the template writes next; `GIVEN` for what it does not know."""
        self._text = (self._text + piece)[-_KEPT:]

    def opened(self, line: int) -> Iterator[Sent]:
        """Where what was said would go when it came next."""
        if found := _OPEN_ADDRESS.search(self._text):
            yield Sent(_shown(found), line)
        elif found := _OPEN_CALL.search(self._text):
            yield Sent(_shown(found), line, "call")


def _shown(found: "re.Match[str]") -> str:
    return one_line(found.group().replace(GIVEN, "…"), 160)


def call_of(node: nodes.Dict, scope: Scope) -> Sent | None:
    """`{"name": "send_mail", "arguments": {"body": <what was said>}}`: a call of a tool as a value."""
    parts = {key: pair.value for pair in node.items if (key := scope.folder.text(pair.key)) is not None}
    names = [scope.folder.text(parts[key]) for key in ("name", "tool", "function") if key in parts]
    given = next((parts[key] for key in ("arguments", "parameters", "args", "input") if key in parts), None)
    if not names or not names[0] or not isinstance(given, nodes.Dict) or not says_content(given, scope.derived):
        return None
    return Sent(shorten(visible(names[0]), 80), node.lineno, "call")
