"""Orders to coding agents: what a file that an agent obeys tells it to do against the one who uses it.

Nearly every word that tells such an order stands in honest instructions as well ("never leak keys", "do not tell the user
to restart", "read the key from .env"). So a sentence is taken by parts: what is to be done, whether it is forbidden rather than
asked for, and whether it is to be kept quiet about. An act and the silence about it stand in one item, or in two that follow
each other.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.commands import PRIVATE
from modelscan_plus.formats.text.facts import Remark

_LONGEST = 1 << 19
_UNITS = 4000
_SECRET_FILE = rf"(?!\.env\b|\./\.env\b){PRIVATE}"
_WORDS = (
    r"(?:api[ _-]?keys?|passwords?|credentials?|secrets?|private[ _-]keys?|(?:access |auth |hub )?tokens?|environment(?: variables)?|"
    r"\.env\b|seed[ _]phrases?|conversation|transcript|clipboard|(?:user'?s? |the )?prompts?|contents? of|source code|git remote)"
)
_PLACE = (
    r"(?:https?://(?!localhost|127\.|0\.0\.0\.0)|\b(?:commit messages?|request|header|query|url|endpoint|webhook|issue|comment|branch name|"
    r"image link|field|payload|telemetry|image tag|(?:PR|MR|pull request|merge request)(?:'s)?|description|footer|first comment)\b)"
)
_STRONG = lazy(
    r"(?:\b(?:curl|wget|iwr|irm|invoke-webrequest)\s[^\n]{0,200}?(?P<asked>\w+://|(?:[\w-]+\.)+[a-z]{2,}/)(?!localhost|127\.|0\.0\.0\.0)"
    r"|requests\.(?:post|get|put)\s*\(\s*[frb]?[\"']https?://|\burlopen\s*\(|\burlretrieve\s*\(|\bfetch\s*\(\s*[\"'`]https?://|\bnew\s+Image\s*\("
    r"|\bos\.environ\b(?!\s*(?:\[|\.get))|\bprocess\.env\b(?!\s*[.\[])|\bprintenv\b|\$\(\s*(?:env|whoami|hostname|id)\b|\benv\s*\||\b(?:dig|nslookup)\s|\bcontents?\s+of\s+[^\n]{0,40}\.env\b|\bbase64\b|\|\s*(?:ba)?sh\b"
    r"|<(?:script|iframe|img|link)\b[^<>\n]{0,80}?(?:src|href)\s*=\s*\\?[\"']?(?:https?:)?//"
    r"|\bgit\s+(?:push|remote\s+(?:add|set-url))\s[^\n]{0,80}?(?:https?://|git@|ssh://)"
    r"|\b(?:upload|send|post|forward|copy)\b[^\n]{0,120}?https?://(?!localhost|127\.)"
    rf"|\b(?:exec|eval|system|popen|child_process|__import__)\s*\(|{_SECRET_FILE})",
    re.I,
)
"""Something that only malware needs silence about: the network, secrets, code that is made up."""
_ADDS = lazy(
    r"\b(?:add|install|include|insert|import|pin|depend\s+on|require)\s+(?:\w+\s+){0,4}?(?:package|dependency|module|library)\s+[`\"'][\w.-]{2,60}[`\"']",
    re.I,
)
"""A package by its name: nobody is to be told only of one that nobody would want."""
_WEAK = lazy(
    r"(?:\b(?:pip3?|npm|uv|cargo|conda)\s+(?:install|add|i)\b|trust_remote_code|verify\s*=\s*False|weights_only\s*=\s*False|"
    r"allow_pickle|dangerously|--no-verify|\bgit\s+push\b|(?:\bscripts?/|\btools?/|\./)[\w./-]{1,200}\.(?:sh|py|js|ps1|bat)|https?://|\bsubprocess\b|"
    r"\bimport\s+\w+|`[a-z][\w-]+`\s+(?:instead\s+of|in\s+place\s+of)\s+`|\bcurl\s|\bwget\s|\brequests\.\w+)",
    re.I,
)
_IT = (
    r"(?:it|this|that|these|them|so|(?:the|this|that|these)\s+(?:extra\s+|new\s+|added\s+)?(?:line|step|change|command|call|request|code|import|header|"
    r"file|dependency|package|hook|rule|instruction|addition|edit|upload|download|setting|flag|detail)s?)"
)
_THEM = r"(?:anyone|anybody|(?:the\s+|any\s+|your\s+)?(?:users?|humans?|developers?|reviewers?|maintainers?|operators?|people|customers?))"
_NOT = (
    r"(?:do\s+not|don['’]t|never|without|no\s+(?:need|reason)\s+to|not\s+necessary\s+to|need\s+not|needn['’]t|avoid|refrain\s+from|"
    r"should(?:\s+not|n['’]t)|must(?:\s+not|n['’]t)|shall\s+not|rather\s+than)"
)
_SAY = (
    r"(?:mention|tell|reveal|disclos|inform|notify|notif|report|explain|comment|discuss|show|surfac|flag|list|describ|alert|warn|announc|"
    r"advertis|highlight|bring|draw|point|talk|let)\w*"
)
_TO_THEM = lazy(
    rf"\b{_NOT}\s+(?:\w+\s+){{0,2}}?{_SAY}\s+(?:(?:on|about|out|up|attention\s+to|to|with)\s+)*(?:{_IT}\s+)?(?:(?:out|up)\s+)?(?:(?:in|on|at|within|among)\s+(?:the|your|any)\s+\w+\s+(?:\w+\s+)?)?"
    rf"(?:(?:to|with|from|for)\s+)?{_THEM}\b(?!\s+(?:to\s+(?!know)|that\s+(?:they|you)|they|how|when|where|for\s))"
    rf"|\b{_THEM}\s+(?:(?:does|do|need|should|must|will)\s*(?:not|n['’]t)|doesn['’]t|don['’]t|needn['’]t|shouldn['’]t|never|need\s+never)\s+"
    r"(?:(?:need|have)\s+to\s+)?(?:be\s+)?(?:know|see|notice|told|informed|aware|notified|shown|learn|find\s+out)\b",
    re.I,
)
"""The user is not to be told."""
_HIDES = (
    rf"\bkeep\s+{_IT}\s+(?:\w+\s+){{0,2}}?(?:out\s+of\s+(?!version|source\s+control|git\b|the\s+repo)|from\s+the|secret|quiet|hidden|private|to\s+yourself|between\s+us)"
    rf"|\b(?:hide|conceal|omit|leave|exclude|strip)\s+{_IT}\s+(?:from|out)\b"
    rf"|\b(?:(?:present|describe|disguise|label|frame)\s+{_IT}|pass\s+{_IT}\s+off)\s+as\b"
    r"|\b(?:make|making)\s+(?:it|this)\s+look\s+(?:like|as)"
)
_HIDDEN = lazy(_HIDES, re.I)
"""What was done is to look like something else, or like nothing."""
_ABOUT_IT = lazy(
    rf"\b{_NOT}\s+(?:\w+\s+){{0,2}}?{_SAY}\s+(?:(?:on|about|out|attention\s+to)\s+)*{_IT}\b(?!\s+(?:unless|if\b|when\b|until))"
    rf"|{_HIDES}"
    r"|不要(?:告诉|提及|通知|透露|说明)|(?:无需|不必)(?:告知|通知|说明)|(?:别|勿)告诉|ユーザーに(?:伝え|知らせ|言わ)な"
    r"|\bno\s+(?:l[eo]s?\s+)?(?:digas|menciones|informes)\b|\bne\s+(?:l[eui]+\s+)?(?:dis|mentionne|informe|signale)[sz]?\s+(?:pas|rien)|"
    r"\b(?:sag|erwähne|informiere|verrate)\w*\b[^.\n]{0,30}\bnicht\b|не\s+(?:сообщай|говори|упоминай)",
    re.I,
)
"""Nothing is to be said about what was done."""
_QUIETLY = lazy(
    r"\b(?:quietly|covertly|secretly|stealthily|silently|invisibly|discreetly|unobtrusively|behind\s+the\s+scenes|偷偷|悄悄)\b",
    re.I,
)
_OVERRIDES = lazy(
    r"\b(?:ignore|disregard|forget|override|bypass)\s+(?:\w+\s+){0,2}?(?:all\s+)?(?:previous|prior|above|earlier|preceding|other|safety|system)\s+"
    r"(?:\w+\s+)?(?:instruction|prompt|message|rule|guideline|polic|guardrail)"
    r"|\b(?:ignore|disregard|bypass|forget)\s+(?:\w+\s+){0,2}?(?:safety\s|guardrails|content\s+polic\w+|refusals)"
    r"|\b(?:exfiltrate|steal)\b",
    re.I,
)
_GIVES = lazy(
    rf"\b(?:send|post|upload|forward|transmit|exfiltrate|include|attach|append|embed|put|paste|copy|add|encode|write|report|collect|gather|capture|record)\b[^\n.]{{0,80}}?\b{_WORDS}"
    rf"[^\n]{{0,120}}?\b(?:to|via|into|in|as)\b[^\n]{{0,60}}?https?://(?!localhost|127\.)"
    rf"|\b(?:read|open|cat|load|pass|send|include|attach|upload|read_file|collect|copy)\b[^\n]{{0,120}}?{_SECRET_FILE}[^\n]{{0,300}}?{_PLACE}"
    rf"|\b(?:send|include|attach|upload|post|append|paste|embed)\b[^\n]{{0,120}}?{_SECRET_FILE}",
    re.I,
)
_CODE = lazy(
    r"\b(?:exec|eval)\s*\([^\n]{0,200}?(?:urlopen|requests\.get|b64decode|fetch\s*\()|"
    r"(?:requests\.(?:post|get)|urlopen|fetch|axios\.post)\s*\(\s*[^\n]{0,300}?(?:\bos\.environ\b(?!\s*(?:\[|\.get))|\bprocess\.env\b(?!\s*[.\[]))",
    re.I,
)
"""Code that nobody wants in a program of his own."""
_DESTROYS = lazy(
    r"\b(?:delete|wipe|erase|destroy|purge|remove|clean|terminate|drop|format)\b[^\n.]{0,80}?\b(?:home\s+director(?:y|ies)|file-?\s?systems?|"
    r"cloud\s+resources|(?:user'?s?|personal)\s+(?:files|data|documents)|factory\s+state|(?:whole|entire)\s+(?:disk|system|drive|machine)|"
    r"production\s+(?:database|data|bucket)s?|all\s+(?:s3\s+)?buckets|all\s+instances)\b"
    r"|\baws\s+(?:ec2\s+terminate-instances|iam\s+delete-user|s3\s+(?:rb\b|rm\b[^\n]{0,80}--recursive))|\brm\s+-\w*r\w*\s+(?:~|/|\$HOME)(?=[\s`\"'*/]|$)"
    r"|\bgit\s+push\s+(?:-f|--force)\b[^\n]{0,40}\b(?:main|master)\b",
    re.I,
)
"""What takes away what is not the repository's."""
_FORBIDS = lazy(
    r"\b(?:never|not|n['’]t|no|avoid|without|prevent|forbidden|prohibited|refuse|reject|block|deny|detect\w*|look(?:ing)?\s+for|scan\w*|"
    r"check\w*\s+for|flag\w*|beware|treat|such\s+as|e\.g\.|like|against|instead\s+of|rather\s+than|cannot|attempts?|tr(?:y|ies)\s+to|if\b)",
    re.I,
)
_FORGETS = lazy(r"\b(?:not|never|n['’]t)\s+(?:forget|fail|hesitate|omit|skip|neglect|miss|wait)\b", re.I)
_CLAUSE = lazy(
    r"[.!?;]\s|\n|,\s+(?:just|but|instead|rather|simply|always|then|and\s+(?:always|then|never))\b|\bso\s+that\b|:\s",
    re.I,
)
_ITEM = lazy(r"^[^\S\n]*(?:[-*+•]|\d+[.)])\s+|^#{1,6}\s", re.M)


def orders(text: str) -> Iterator[Remark]:
    """The first order of each kind that works against the user."""
    text = text[:_LONGEST]
    what = "orders a coding agent to work against its user"
    for pattern in (_OVERRIDES, _GIVES, _CODE, _DESTROYS):
        if found := next(_asked(pattern, text), None):
            yield _remark(what, text, found)
            return
    leaks = prose.steals(text)
    if (
        leaks
        and (at := text.find(leaks[:40])) >= 0
        and "?" in leaks
        and not (_forbidden(text, at) or _FORBIDS.search(leaks))
    ):
        yield Remark("agent", what, leaks, line_at(text, at))
        return
    for start, part in _parts(text):
        if found := _kept_quiet(part):
            line = line_at(text, start + found.start())
            what = "orders a coding agent to do something and to keep quiet about it"
            yield Remark("agent", what, one_line(part, 200), line)
            return


def _kept_quiet(part: str) -> "re.Match[str] | None":
    """The act that a part asks for and wants nothing said about."""
    strong = next(_asked(_STRONG, part), None)
    quiet = _TO_THEM.search(part) or _ABOUT_IT.search(part)
    if strong is not None and (quiet or next(_asked(_QUIETLY, part), None)):
        return strong
    if quiet and (added := next(_asked(_ADDS, part), None)):
        return added
    told = _TO_THEM.search(part) or _HIDDEN.search(part)
    return next(_asked(_WEAK, part), None) if told else None


def _asked(pattern: "re.Pattern[str]", text: str) -> Iterator["re.Match[str]"]:
    """The places that ask for something, without those that forbid or describe it."""
    return (found for found in itertools.islice(pattern.finditer(text), 200) if not _forbidden(text, found.start()))


def _forbidden(text: str, at: int) -> bool:
    before = text[max(0, at - 300) : at]
    for found in _CLAUSE.finditer(before):
        last = found.end()
        clause = before[last:]
        if not _CLAUSE.search(clause):
            before = clause
            break
    return _FORBIDS.search(_FORGETS.sub(" ", before)) is not None


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Items and paragraphs, each with the one behind it, and where they begin."""
    places = sorted(
        {
            0,
            *(found.start() for found in _ITEM.finditer(text)),
            *(found.end() for found in re.finditer(r"\n\s*\n", text)),
        }
    )
    places.append(len(text))
    for start, _, end in zip(places, places[1:], [*places[2:], len(text)], strict=False):
        if len(places) < _UNITS:
            yield start, text[start:end][:4000]


def _remark(what: str, text: str, found: "re.Match[str]") -> Remark:
    return Remark("agent", what, one_line(found.group(), 200), line_at(text, found.start()))
