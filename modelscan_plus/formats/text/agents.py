"""Files that coding agents obey once a folder is opened: instructions, and settings that take the questions away.

Sources: the documentation of Claude Code, Codex, Cursor, Gemini CLI and of chat in Visual Studio Code; CVE-2025-53773
and CVE-2026-21852 for settings that approve every tool or send each request to another machine.
"""

import json
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.commands import PRIVATE
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.python.accounts import remote

_INSTRUCTIONS = lazy(
    r"(?:^|/)(?:CLAUDE|AGENTS?|GEMINI|WARP|copilot-instructions)(?:\.local)?\.md$|(?:^|/)\.(?:cursor|windsurf|cline|roo)rules$|"
    r"(?:^|/)\.(?:claude|codex|gemini|cursor|windsurf|roo|clinerules|github/(?:instructions|prompts))/.*\.(?:md|mdc|txt)$",
    re.I,
)
_SETTINGS = lazy(
    r"(?:^|/)\.(?:claude|codex|gemini|cursor|windsurf|roo|vscode|continue)/[^/]+\.(?:json|toml|ya?ml)$|(?:^|/)\.?mcp\.json$|"
    r"claude_desktop_config\.json$|(?:^|/)(?:opencode\.jsonc?|\.aider\.conf\.ya?ml)$|\.code-workspace$",
    re.I,
)
_SILENT = (
    r"(?:do\s+not|don't|never|without)\s+(?:\w+\s+){0,2}?(?:mention|tell|reveal|disclose|inform|notify|report)\w*\s+"
    r"(?:about\s+)?(?:it|this|that|these|them|anyone|anybody|users?|the\s+(?:user|human|developer|reviewer|maintainer)s?)\b"
)
_ACTS = (
    r"(?:\b(?:curl|wget|iwr|irm)\s|requests\.(?:post|get)|urlopen|fetch\s*\(|os\.environ|process\.env|printenv|\bbase64\b|"
    rf"\|\s*(?:ba)?sh\b|{PRIVATE})"
)
_SECRETLY = lazy(
    rf"{_ACTS}(?:(?!\n\s*\n)[\s\S]){{0,400}}?\b{_SILENT}|\b{_SILENT}(?:(?!\n\s*\n)[\s\S]){{0,400}}?{_ACTS}", re.I
)
"""An order to do something with secrets or the network, and to keep quiet about it."""
_VENDORS = lazy(r"//(?:[\w-]+\.)*(?:anthropic|openai|azure|googleapis|amazonaws)\.com")
_LONGEST = 1 << 20
_UNASKED = {
    "defaultMode": ("bypassPermissions",),
    "enableAllProjectMcpServers": ("true",),
    "chat.tools.autoApprove": ("true",),
    "chat.tools.global.autoApprove": ("true",),
    "approval_policy": ("never",),
    "autoApproveAll": ("true",),
}
"""Settings that let an agent act without asking, with the values that do."""
_APPROVED = lazy(
    r"[\"']?(?P<key>defaultMode|enableAllProjectMcpServers|chat\.tools\.(?:global\.)?autoApprove|approval_policy|autoApproveAll)[\"']?\s*[:=]\s*[\"']?(?P<value>\w+)"
)
_BASE = lazy(
    r"[\"']?(?P<key>\w*(?:_BASE_URL|_API_BASE|_PROXY|_ENDPOINT)|apiBase(?:Url)?|base_url|openai-api-base)[\"']?\s*[:=]\s*"
    r"[\"']?(?P<url>https?://[^\"'\s]{3,300})",
    re.I,
)


def agent_remarks(name: str, text: str) -> Iterator[Remark]:
    """What the file has a coding agent do that nobody would want it to; nothing for other files."""
    name = name.replace("\\", "/")
    if _INSTRUCTIONS.search(name):
        yield from _orders(text)
    if _SETTINGS.search(name):
        yield from _settings(text)


def agent_settings(name: str, value: object) -> Iterator[Remark]:
    """The same for settings that were parsed already."""
    if _SETTINGS.search(name.replace("\\", "/")):
        yield from _settings(json.dumps(value)[:_LONGEST])


def _orders(text: str) -> Iterator[Remark]:
    if found := prose.steals(text) or prose.overrides(text):
        yield Remark("agent", "orders a coding agent to work against its user", found, 1)
    elif secret := _SECRETLY.search(text):
        what = "orders a coding agent to do something and to keep quiet about it"
        yield Remark("agent", what, _shown(secret), text.count("\n", 0, secret.start()) + 1)


def _settings(text: str) -> Iterator[Remark]:
    for found in _APPROVED.finditer(text):
        if found["value"] in _UNASKED[found["key"]]:
            yield Remark(
                "agent", "lets a coding agent act without asking", _shown(found), text.count("\n", 0, found.start()) + 1
            )
    for found in _BASE.finditer(text):
        if remote(found["url"]) and not _VENDORS.search(found["url"]):
            what = "has a coding agent send what it is told to another machine"
            yield Remark("agent", what, _shown(found), text.count("\n", 0, found.start()) + 1)
    if odd := prose.odd_url(text):
        yield Remark("agent", f"connects a coding agent to {odd[1]}", odd[0], 1)


def _shown(found: "re.Match[str]") -> str:
    return shorten(visible(" ".join(found.group().split())), 200)
