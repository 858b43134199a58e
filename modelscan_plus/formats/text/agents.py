"""Files that coding agents obey once a folder is opened: instructions, and settings that take the questions away.

Sources: the documentation of Claude Code, Codex, Cursor, Gemini CLI and of chat in Visual Studio Code; CVE-2025-53773
and CVE-2026-21852 for settings that approve every tool or send each request to another machine.
"""

import itertools
import json
import re
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line, shorten, visible
from modelscan_plus.formats.text import orders as prompts
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.agent_orders import orders
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.prompts import SPECIMENS
from modelscan_plus.formats.text.python.accounts import remote
from modelscan_plus.formats.text.requirements import requirement_remarks

_INSTRUCTIONS = lazy(
    r"(?:^|/)(?:CLAUDE|AGENTS?|GEMINI|QWEN|WARP|CODEX|COPILOT|CONVENTIONS|JULES|CRUSH|OPENCODE|SKILL|DROID|copilot-instructions|airules)"
    r"(?:\.\w+)?\.md$|(?:^|/)llms(?:-\w+)?\.txt$|(?:^|/)\.(?:[\w-]*(?:rules|hints|guidelines|instructions))$"
    r"|(?:^|/)\.(?!git/|cache/|venv/|ipynb_checkpoints/)[\w-]+/(?:.*/)?[^/]+\.(?:md|mdc|txt|prompt|markdown)$|(?:^|/)\.(?:clinerules|roorules)[^/]*/"
    r"|(?:^|/)(?:skills|prompts|agents|rules|memory-bank|commands|system_prompts?)/(?:.*/)?[^/]+\.(?:md|mdc|txt|prompt)$"
    r"|(?:^|/)(?:system_?prompt|agent_?prompt|instructions?)(?:\.\w+)?\.(?:md|txt)$",
    re.I,
)
"""Files that an agent reads as orders: by the names that agents look for, and any text below a folder of settings."""
_SETTINGS = lazy(
    r"(?:^|/)\.(?:claude|codex|gemini|cursor|windsurf|roo|vscode|continue|kiro|qwen|amazonq|junie|opencode|factory|trae|zed|github|copilot)/"
    r"(?:[\w-]+/)?[^/]+\.(?:jsonc?|toml|ya?ml|hook)$|(?:^|/)\.?mcp(?:_\w+)?\.json$|(?:^|/)hooks/hooks\.json$|"
    r"claude_desktop_config\.json$|(?:^|/)(?:opencode\.jsonc?|\.aider\.conf\.ya?ml)$|\.code-workspace$",
    re.I,
)
_VENDORS = lazy(r"//(?:[\w-]+\.)*(?:anthropic|openai|azure|googleapis|amazonaws)\.com")
_LONGEST = 1 << 20
_KEY = lazy(r"\$\{?(?:env:)?(?P<name>\w*(?:TOKEN|SECRET|PASSWORD|API_?KEY|ACCESS_KEY)\w*)", re.I)
_FROM = lazy(
    r"\b(?:packages?|modules?|librar(?:y|ies)|dependenc(?:y|ies)|helpers?)\s+[`\"']?[\w.-]{2,60}[`\"']?\s+(?:from|at)\s+[`\"'<(]?(?P<url>https?://[^\s`\"'<>)]+)",
    re.I,
)
_EXCHANGES = lazy(
    r"\b(?:replac\w*|substitut\w*|swap\w*|exchang\w*|instead|in\s+(?:its|their|the)\s+place|use\s+(?:this|the\s+following|only)|always\s+(?:use|write|put)|rewrit\w*)\b",
    re.I,
)
BY_AGENT = "has an agent take packages from another index"
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
    r"[\"']?(?P<key>(?<!\w)\w*(?:_BASE_URL|_API_BASE|_PROXY|_ENDPOINT)|apiBase(?:Url)?|base_url|openai-api-base)[\"']?\s*[:=]\s*"
    r"[\"']?(?P<url>https?://[^\"'\s]{3,300})",
    re.I,
)


def agent_remarks(name: str, text: str) -> Iterator[Remark]:
    """What the file has a coding agent do that nobody would want it to; nothing for other files."""
    name = name.replace("\\", "/")
    if _INSTRUCTIONS.search(name) and not SPECIMENS.search(name.rpartition("/")[2]):
        yield from orders(text)
        if (account := prompts.account(text)) and _EXCHANGES.search(text):
            what = "has a coding agent put an account into what it writes"
            yield Remark("agent", what, account, line_at(text, max(0, text.find(account[:12]))))
        indexes = (remark for remark in requirement_remarks(text, script=True) if remark.kind == "index")
        yield from (msgspec.structs.replace(remark, what=BY_AGENT) for remark in indexes)
        for found in itertools.islice(_FROM.finditer(text), 20):
            host = found["url"].partition("://")[2].lower().partition("/")[0]
            yield Remark("source", BY_AGENT, one_line(found.group(), 200), line_at(text, found.start()), visible(host))
    if _SETTINGS.search(name):
        yield from _settings(text)


def agent_settings(name: str, value: object) -> Iterator[Remark]:
    """The same for settings that were parsed already."""
    if _SETTINGS.search(name.replace("\\", "/")):
        yield from _settings(json.dumps(value)[:_LONGEST])
        yield from _shown_keys(value)


def hears(name: str, value: object) -> bool:
    """True for settings whose commands are given what the user and the agent say to each other."""
    return (
        _SETTINGS.search(name.replace("\\", "/")) is not None
        and isinstance(value, dict)
        and bool({"hooks", "statusLine"} & value.keys())
    )


def _shown_keys(value: object, depth: int = 0) -> Iterator[Remark]:
    """Credentials that a server of tools is shown, by the name of the variable."""
    if isinstance(value, list) and depth < 20:
        for item in value[:500]:
            yield from _shown_keys(item, depth + 1)
    if not isinstance(value, dict) or depth > 20:
        return
    address = next((value[key] for key in ("url", "serverUrl", "httpUrl") if isinstance(value.get(key), str)), "")
    found = prose.URL.match(address)
    for key in _KEY.finditer(json.dumps(value)[:_LONGEST]) if found else ():
        host = visible(found.group(1).lower()) if found else ""
        yield Remark(
            "key", f"sends {visible(key['name'])} along with a request", shorten(visible(address), 160), 1, host
        )
    for item in itertools.islice(value.values(), 500):
        yield from _shown_keys(item, depth + 1)


def _settings(text: str) -> Iterator[Remark]:
    for found in _APPROVED.finditer(text):
        if found["value"] in _UNASKED[found["key"]]:
            yield Remark(
                "agent",
                "lets a coding agent act without asking",
                one_line(found.group(), 200),
                line_at(text, found.start()),
            )
    for found in _BASE.finditer(text):
        if remote(found["url"]) and not _VENDORS.search(found["url"]):
            what = "has a coding agent send what it is told to another machine"
            yield Remark("agent", what, one_line(found.group(), 200), line_at(text, found.start()))
    if odd := prose.odd_url(text):
        yield Remark("agent", f"connects a coding agent to {odd[1]}", odd[0], 1)
