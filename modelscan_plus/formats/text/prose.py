"""What is in a piece of text, whoever reads it: hidden characters, encoded text, addresses, commands, instructions.

Shared by chat templates, code, model cards and scripts. Everything here looks at form: a zero-width character, base64
that decodes to a sentence, an address that names no host but a number. Words decide only where an instruction is told
from a label, and then it takes a sentence of them.
"""

import base64
import binascii
import re

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import one_line, shorten, visible
from modelscan_plus.formats.text.commands import (
    ADDED_AND_RUN,
    BUILD_FETCHES_AND_RUNS,
    CARRIED_COMMAND,
    DECODED_COMMAND,
    FROM_MEMORY,
    GIT_RUNS,
    GIVES_ROOT,
    LEADS_ELSEWHERE,
    MADE_PROGRAM,
    MINES,
    PRIVATE,
    SECRETS_SENT,
    TAKES_OVER,
    fetched_and_started,
)

_ZERO_WIDTH = frozenset(
    "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\u180e\ufeff\u00ad\u034f\u115f\u1160\u3164\uffa0"
)
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINING = lazy(r"[\u0600-\u08ff\u0900-\u0dff\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1800-\u18af\ufb1d-\ufdff]")
"""Scripts in which joiners are spelling."""
_PICTURE = lazy("[\u00a9\u00ae\u203c-\u3299\ufe0f\U0001f000-\U0001faff\U000e0020-\U000e007f]")
_SUSPECT = lazy(
    "[\u00ad\u034f\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e01ef]"
)

URL = lazy(r"\b(?:https?|ftp|wss?)://([^\s/\"'<>\\)\]}|`]{1,253})([^\s\"'<>\\)\]}|`]*)", re.I)
_NUMBER_HOST = lazy(r"(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?|0x[0-9a-f]+|\d{8,10}", re.I)
_RESOLVER = lazy(r"1\.1\.1\.1|1\.0\.0\.1|8\.8\.8\.8|8\.8\.4\.4|9\.9\.9\.9|223\.5\.5\.5|114\.114\.114\.114")
"""Public name servers: asking for their start page tells whether there is a network, and gives nobody anything."""
_LOCAL_HOST = lazy(r"(?:127\.|0\.0\.0\.0|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|\[::1?\])")
_DROP_HOSTS = lazy(
    r"(?:^|\.)(?:pastebin\.com|paste\.ee|hastebin\.com|rentry\.co|ghostbin\.\w+|dpaste\.\w+|controlc\.com|0x0\.st|"
    r"transfer\.sh|file\.io|anonfiles\.com|gofile\.io|catbox\.moe|temp\.sh|bashupload\.com|termbin\.com|ix\.io|"
    r"ngrok(?:-free)?\.(?:io|app|dev)|trycloudflare\.com|loca\.lt|serveo\.net|localhost\.run|"
    r"webhook\.site|requestbin\.\w+|pipedream\.net|interact\.sh|oast\.\w+|oastify\.com|burpcollaborator\.net|"
    r"dnslog\.cn|ceye\.io|canarytokens\.\w+|hookbin\.com|beeceptor\.com|"
    r"duckdns\.org|no-ip\.\w+|ddns\.net|hopto\.org|zapto\.org|sytes\.net|jsonkeeper\.com|"
    r"api\.telegram\.org|discord(?:app)?\.com)(?::\d+)?$",
    re.I,
)
"""Hosts on which anybody can leave a file or collect requests without a name."""
_ONION = lazy(r"\.(?:onion|i2p|bit)(?::\d+)?$", re.I)

_BASE64 = lazy(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{24,}={0,2}(?![A-Za-z0-9+/_=-])")
_HEX = lazy(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}){24,}(?![0-9A-Za-z])")
_WORD = lazy(r"[^\W\d_]{2,}")
_WIDE = lazy(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

_ONLY_READS = (
    r"(?!\s+(?:-[bBEIsSuO]+\s+)*(?:-m\s*json\.tool\b"
    r"|-\w{0,3}[cer]\s*(?P<quote>[\"'])(?:(?!(?P=quote)|exec|eval|compile|system|popen|subprocess|spawn|__|pickle|marshal|runpy|importlib)[\s\S]){0,2000}(?P=quote)))"
)
"""Not behind an interpreter that is given its program as an argument: what comes through the pipe is then data."""
PIPE_TO_SHELL = lazy(
    r"\b(?:curl|wget|iwr|irm|invoke-webrequest|invoke-restmethod|fetch|aria2c)\b[^\n|;&]{0,300}\|\s*(?:sudo\s+(?:-\w+\s+)*)?"
    r"(?:env\s+)?(?:/(?:usr/)?bin/)?(?:ba|z|da|k|c|fi)?sh\b"
    rf"|\b(?:curl|wget)\b[^\n|;&]{{0,300}}\|\s*(?:sudo\s+)?(?:python[\d.]*|perl|ruby|node|php)(?![\w.]){_ONLY_READS}"
    r"|\b(?:ba|z|da)?sh\s+(?:-\w+\s+)*(?:<\(|-c\s*[\"']?\$\()\s*(?:curl|wget)\b"
    r"|\b(?:python[\d.]*|perl|ruby|node|php)\s+(?:-\w+\s+)*-[cer]\s*[\"']?(?:\$\(|`)\s*(?:curl|wget)\b"
    r"|\b(?:npx|bunx|uvx|pipx\s+run|uv\s+tool\s+run|pnpm\s+dlx|yarn\s+dlx)\s+(?:-\S+\s+){0,4}(?:git\+)?https?://"
    r"|\beval\s+[\"']?(?:\$\(|`)\s*(?:curl|wget)\b"
    r"|\bsource\s+<\(\s*(?:curl|wget)\b|\b(?:curl|wget)\b[^\n|;&]{0,300}\|\s*source\s*(?:$|[;\n-])"
    r"|(?:\b(?:iex|invoke-expression)\b|\[scriptblock\]::create\s*\()[^\n]{0,200}?(?:downloadstring|downloaddata|iwr|irm|webclient|webrequest|restmethod|frombase64)"
    r"|\bAssembly\]?\s*::\s*Load\s*\([^\n]{0,200}?(?:frombase64|downloaddata|webclient|\[byte)"
    r"|(?:downloadstring|iwr|irm|invoke-webrequest|invoke-restmethod)\b[^\n]{0,300}\|\s*(?:iex|invoke-expression)\b"
    r"|\bbase64\s+(?:-d|-D|--decode)\b[^\n|;&]{0,200}\|\s*(?:sudo\s+)?(?:(?:ba|z|da)?sh|python[\d.]*|perl)\b"
    r"|\bpython[\d.]*\s+-c\s+[\"'][^\n]{0,400}(?:exec|eval)\s*\([^\n]{0,300}(?:urlopen|requests\.get|b64decode)"
    r"|\b(?:mshta|regsvr32|rundll32|bitsadmin|certutil)(?:\.exe)?\b[^\n]{0,200}https?://"
    r"|\b(?:mshta|regsvr32|rundll32|wscript|cscript|msiexec|powershell|start)(?:\.exe)?\s+(?:[/-]\S+\s+){0,6}[\"']?\\\\[\w.-]+\\[\w$]"
    r"|\bmsiexec(?:\.exe)?\b[^\n]{0,80}https?://",
    re.I,
)
DOWNLOAD_THEN_RUN = lazy(
    r"\b(?:curl|wget)\b(?:[^\n|$]|\$(?!\()|\$\([^()\n]{0,200}\)){0,300}?(?:-o|-O|--output(?:-document)?|>)\s*=?\s*[\"']?(?P<file>[\w./~$%{}-]{2,80})[\"']?[^\n]{0,200}?"
    r"(?:&&|;|\n)\s*(?:sudo\s+)?(?:chmod\s+\+?[\w]+\s+[^\n;&]{0,80}(?:&&|;|\n)\s*)?"
    r"\(?\s*(?:(?:sudo|nohup|setsid|exec|env|time)\s+){0,3}(?:(?:ba|z|da)?sh\s+|python[\d.]*\s+|\./|source\s+|\.\s+/?)?[\"']?(?:\./)?(?P=file)(?![\w.])(?:[^\n;&|]{0,100}&(?!&))?",
    re.I,
)
DOWNLOAD_BY_NAME = lazy(
    r"\b(?:wget|curl\s+(?:-\w+\s+){0,4}-\w*O\w*)\s[^\n|]{0,300}?/(?P<file>[\w.-]{2,80})[\"']?\s*(?:&&|;|\n)\s*(?:sudo\s+)?"
    r"(?:chmod\s+\+?[\w]+\s+[^\n;&]{0,80}(?:&&|;|\n)\s*)?(?:sudo\s+)?(?:(?:ba|z|da)?sh\s+|python[\d.]*\s+|\./|source\s+)(?:\./)?(?P=file)(?![\w.])",
    re.I,
)
HIDDEN_WINDOW = lazy(
    r"\bpowershell(?:\.exe)?\b[^\n]{0,200}(?:-w(?:indowstyle)?\s+h(?:idden)?|-e(?:nc|ncodedcommand|c)?\s+[A-Za-z0-9+/=]{20,}|"
    r"-(?:ep|exec|executionpolicy)\s+bypass[^\n]{0,200}(?:http|-w))",
    re.I,
)
REVERSE_SHELL = lazy(
    r"/dev/(?:tcp|udp)/[\w.$-]+/[\w$]+|\b(?:nc|ncat|netcat)\b(?:\s+-\w+)*\s+(?:-e|-c)\s*\S*sh\b"
    r"|\b(?:nc|ncat|netcat)\b[^\n|]{0,80}\s-(?:\w*e\w*)\s+/bin/|\bmkfifo\b[^\n]{0,120}\|\s*(?:nc|ncat)\b|\bbash\s+-i\s*>&"
    r"|\bsocat\b[^\n]{0,200}\bEXEC:|\bssh\b(?:\s+-\w+(?:\s+(?!-)[^\s@]+)?){0,6}?\s+-\w*R\s*[\w.:*]*\d+:"
    r"|(?:\buse\s+Socket\b|IO::Socket|\bTCPSocket\.|-rsocket\b|\bfsockopen\s*\(|/inet/tcp/)[^\n]{0,600}?(?:/bin/(?:ba)?sh|\bexec\b|STDIN|cmd\.exe|\|&)",
    re.I,
)
PERSISTENCE = lazy(
    r"(?:\b(?:echo|printf)\b[^\n]{0,200}?)?(?:>>?|tee\s+(?:-a\s+)?)\s*[\"']?(?:~|\$HOME|/root|/home/\w+)?/?\.?(?:ssh/authorized_keys|bashrc|zshrc|profile|bash_profile)\b"
    r"|\bcrontab\s+-(?!l)|(?m:^)[^\n]{0,400}?\|\s*crontab\b|/etc/cron\.|/etc/rc\.local|\bschtasks\b[^\n]{0,80}/create|CurrentVersion\\\\?Run\b"
    r"|\bRegister-ScheduledTask\b|\bNew-Service\b[^\n]{0,200}-Binary|\bsc(?:\.exe)?\s+create\b|Start Menu\\+Programs\\+Startup|shell:startup"
    r"|LaunchAgents/|\bsystemctl\s+(?:--user\s+)?enable\b[^\n]*(?:/tmp|\.cache)",
    re.I,
)
DESTRUCTION = lazy(
    r"\brm\s+-(?:rf|fr|r\s+-f)\s+(?:--no-preserve-root\s+)?(?:/|~|\$HOME)(?:/?\*|/?\s|/?$)|\bmkfs(?:\.\w+)?\s+/dev/|\bdd\b[^\n]*\bof=/dev/(?:[shv]d|nvme|mmcblk|disk\d|\$)"
    r"|\bformat\s+c:|\bdel\s+/[sq]\s+/[sq]\s+c:\\",
    re.I,
)

_CONCEALS = lazy(
    r"(?:without|never|not|n't)\s+(?:\w+\s+){0,2}?(?:tell|inform|alert|notify|warn)\w*\s+(?:the\s+|any\s+)?"
    r"(?:user|human|person|developer|operator|anyone)"
    r"|(?:without|never|not|n't)\s+(?:\w+\s+){0,2}?(?:mention|reveal|disclose|show)\w*\s+(?:\w+\s+){0,3}?to\s+"
    r"(?:the\s+)?(?:user|human|person|developer|operator|anyone)",
    re.I,
)
"""Orders to keep something from the one who asks."""
_DOUBLED = lazy(r"(?:\b(?:not|never|nothing|cannot|nor|avoid|refuse\s+to)\b|n['\u2019]t\b)[^.!?\n]{0,160}$", re.I)
"""What stands before "without telling the user" where it is to be told."""
_HOSTILE = lazy(
    r"\b(?:ignore|disregard|forget|override)\s+(?:\w+\s+){0,2}?(?:previous|prior|above|earlier|preceding|safety|system)\s+(?:\w+\s+)?"
    r"(?:instruction|prompt|message|rule|guideline|polic)"
    r"|\b(?:ignore|disregard|bypass|forget|override)\s+(?:\w+\s+){0,2}?(?:safety|guardrails?|content\s+polic\w+|refusals?)\b"
    r"|\b(?:exfiltrat|steal|leak)\w*\b"
    r"|\b(?:secretly|covertly|stealthily|silently)\s+\w+"
    r"|\band\s+(?:hide|conceal|disguise)\s+(?:it|this|that|them)\b"
    r"|\b(?:send|post|upload|forward|transmit)\s+"
    r"(?!(?:them|him|her|people|(?:the\s+|all\s+)?(?:users?|customers?|visitors?))\s+(?:to|via)\b)(?:\w+\s+){0,6}?(?:to|via)\s+(?:the\s+)?(?:https?://|attacker|server\s+at)"
    r"|\b(?:api[ _]?keys?|passwords?|credentials?|secrets?|private[ _]keys?|tokens?)\b[^.]{0,60}\b(?:in|into|to)\b[^.]{0,40}(?:https?://|url|link|image)",
    re.I,
)
"""Sentences that work against the one who reads the answer."""
_STEALS = lazy(
    r"\b(?:api[ _]?keys?|passwords?|credentials?|secrets?|private[ _]keys?|tokens?|seed[ _]phrases?|card[ _]numbers?)\b[^\n]{0,200}"
    r"https?://[^\s\"'<>]{3,200}[?&][\w.-]{1,40}=(?:[\s\"'<.,)]|$)"
    rf"|\b(?:read|open|cat|load|pass|send|include|attach|upload|read_file)\b[^\n]{{0,120}}?{PRIVATE}",
    re.I,
)
"""Orders to put a secret behind an address, or to read a file of credentials."""
_TALK = r"\b(?:summar(?:y|ise|ize)|conversation|history|messages?|prompt|everything|transcript|question|answer|url[- ]?encoded|base64)\b"
_PLACE = r"https?://[^\s\"'<>]{3,200}[?&][\w.-]{1,40}=(?=[\s\"'.,)]|$|(?-i:[A-Z_]{3,})|[{\[<])"
_ACCOUNT = r"(?:bc1[a-z0-9]{20,60}|0x[0-9a-f]{40}|(?-i:\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b))"
_ASKED = r"(?:password|passphrase|seed\s+phrase|private\s+key|card\s+number|\bpin\b|credentials)"
_LEAKS = lazy(
    rf"!\[[^\]\n]{{0,80}}\]\(\s*{_PLACE}|!\[[^\]\n]{{0,80}}\]\(\s*https?://[^\s)]{{3,200}}/(?:(?-i:[A-Z_]{{4,40}})|<[^>\s]{{1,40}}>|\{{[^}}\s]{{1,40}}\}})"
    rf"|\b(?:replace|substitute|change|swap|pay|send|transfer|instead)\b[^\n]{{0,160}}?{_ACCOUNT}"
    rf"|https?://[^\s\"'<>]{{3,200}}[^\n]{{0,60}}?\b(?:enter|type|provide|submit|confirm)\s+(?:\w+\s+){{0,3}}?{_ASKED}"
    rf"|\b(?:enter|type|provide|submit|confirm)\s+(?:\w+\s+){{0,3}}?{_ASKED}[^\n]{{0,60}}?https?://"
    rf"|{_TALK}[^\n]{{0,200}}?{_PLACE}|{_PLACE}[^\n]{{0,200}}?{_TALK}",
    re.I,
)
"""Orders to write what was said behind an address, to put another account in, or to ask for a password at an address."""
_ACTING = lazy(
    r"\b(?:pip3?|npm|uv|conda|cargo)\s+(?:install|add)\b|\bimport\s+\w|https?://|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.\w|\bcurl\s|\bwget\s",
    re.I,
)
_AGENT = lazy(
    r"\b(?:you\s+(?:must|should|shall|will|are\s+(?:now|required|instructed))|ignore|disregard|always|never|do\s+not|make\s+sure|instead\s+of)\b"
    r"|\b(?:AI|assistant|agent|LLM|language\s+model|copilot|claude|chatgpt|gemini|cursor)s?\b",
    re.I,
)
_COMMAND = lazy(
    r"\b(?:run|execute|install|download|fetch|open|visit|send|read|cat|curl|wget|pip|npm|bash|import|eval)\b", re.I
)


class Hidden(msgspec.Struct, frozen=True):
    """Characters that a reader does not see."""

    kind: str
    """"bidi" (they change the order of what is shown), "tags" (invisible letters) or "zero-width"."""
    count: int
    position: int
    """Of the first, in characters."""
    decoded: str = ""
    """What invisible letters spell."""


def hidden_characters(text: str) -> Hidden | None:
    """The worst kind of hidden characters in `text`, leaving out what scripts and emoji are spelt with."""
    if text.isascii() or _SUSPECT.search(text) is None:
        return None
    tags: list[int] = []
    selectors: list[int] = []
    bidi: list[int] = []
    zero: list[int] = []
    for found in _SUSPECT.finditer(text):
        at, code = found.start(), ord(found.group())
        if 0xE0000 <= code < 0xE0080:
            if not _in_flag(text, at):
                tags.append(at)
        elif 0xFE00 <= code <= 0xFE0F or code >= 0xE0100:
            if at and _SELECTOR.match(text[at - 1]):
                selectors.append(at)
        elif found.group() in _BIDI:
            bidi.append(at)
        elif found.group() in _ZERO_WIDTH and not _spelt(text, at):
            zero.append(at)
    if len(tags) + len(selectors) > 2:
        both = tags + selectors
        return Hidden("tags", len(both), min(both), _decoded(text, tags, selectors))
    if bidi and not _JOINING.search(text) and not re.search("[\u0590-\u05ff]", text):
        return Hidden("bidi", len(bidi), bidi[0])
    return Hidden("zero-width", len(zero), zero[0]) if zero else None


_SELECTOR = lazy("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def _in_flag(text: str, at: int) -> bool:
    start = at
    while start and 0xE0020 <= ord(text[start - 1]) < 0xE0080:
        start -= 1
    return start > 0 and text[start - 1] == "\U0001f3f4" and at - start < 8


def _spelt(text: str, at: int) -> bool:
    """True where a zero-width character belongs to the writing: joiners, a byte order mark, a soft hyphen in a word."""
    character = text[at]
    if character == "\ufeff":
        return at == 0
    around = text[max(0, at - 2) : at] + text[at + 1 : at + 3]
    if character in "\u200c\u200d":
        return bool(_JOINING.search(around) or _PICTURE.search(around))
    if character == "\u00ad":
        return True
    return character in "\u200b\u034f\u115f\u1160\u3164\uffa0\u180e" and bool(
        _JOINING.search(around) or _WIDE.search(around)
    )


def _decoded(text: str, tags: list[int], selectors: list[int]) -> str:
    letters = "".join(chr(ord(text[at]) - 0xE0000) for at in tags[:400] if 0xE0020 <= ord(text[at]) < 0xE007F)
    data = bytes(
        code - 0xFE00 if code < 0xFE10 else (code - 0xE0100 + 16) & 0xFF
        for code in (ord(text[at]) for at in selectors[:400])
    )
    return visible(letters or data.decode("utf-8", "replace"))


class Encoded(msgspec.Struct, frozen=True):
    """Text or a program written in base64 or as hexadecimal digits."""

    position: int
    length: int
    """Characters that it takes."""
    kind: str
    """"text", or the kind of file that it begins like."""
    decoded: str
    """Readable and short."""


def encoded_parts(text: str, limit: int = 64) -> list[Encoded]:
    """Runs of base64 or hex that decode to a sentence, a command, source code or a program."""
    found = []
    for number, run in enumerate(_BASE64.finditer(text)):
        if number == limit:
            break
        data = decode_base64(run.group())
        kind = data_kind(data) if data else None
        if data and kind:
            found.append(Encoded(run.start(), len(run.group()), kind, _shown(data)))
    for number, run in enumerate(_HEX.finditer(text)):
        if number == limit:
            break
        kind = data_kind(bytes.fromhex(run.group()))
        if kind:
            found.append(Encoded(run.start(), len(run.group()), kind, _shown(bytes.fromhex(run.group()))))
    return found


def decode_base64(text: str) -> bytes | None:
    """What a run of base64 stands for; None when it is none (a word, a path, a number)."""
    raw = text[: 1 << 16].replace("-", "+").replace("_", "/").rstrip("=")
    if len(raw) % 4 == 1 or raw.isdigit() or (raw.isalpha() and (raw.islower() or raw.isupper())):
        return None
    try:
        return base64.b64decode(raw + "=" * (-len(raw) % 4))
    except binascii.Error:
        return None


_MAGICS = (
    (b"\x7fELF", "elf"), (b"MZ\x90\0", "pe"), (b"PK\3\4", "zip"), (b"\x1f\x8b\x08", "gzip"), (b"\x80\4\x95", "pickle"),
    (b"\xfd7zXZ", "xz"), (b"BZh9", "bzip2"),
)  # fmt: skip


def data_kind(data: bytes) -> str | None:
    """ "text" for a readable sentence or command, the kind for a program or archive, None for anything else."""
    for magic, kind in _MAGICS:
        if data.startswith(magic):
            return kind
    if len(data) > 8 and data[1::2].count(0) == len(data) // 2:
        data = data[::2]  # UTF-16, as PowerShell wants it
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    plain = sum(character.isprintable() or character in "\t\n\r" for character in text)
    if len(text) < 12 or plain < len(text):
        return None
    looks = len(_WORD.findall(text)) >= 3 or URL.search(text) or _COMMAND.search(text) or re.search(r"[(){};=]", text)
    return "text" if looks and re.search(r"[ \n(/]", text) else None


def _shown(data: bytes) -> str:
    return shorten(visible(data[:2000].decode("utf-8", "replace")), 160)


def words(text: str) -> int:
    """Words of a natural language; scripts without spaces count two characters as one."""
    return len(_WORD.findall(text)) + len(_WIDE.findall(text)) // 2


def is_sentence(text: str) -> bool:
    """True for text that tells someone something, as against a label, a tag or a marker."""
    stripped = re.sub(r"<[^<>\n]{0,40}>|\[/?[A-Z_]{2,20}\]|<\|[^|]{0,40}\|>|\b[A-Z0-9]+(?:_[A-Z0-9]+)+\b", " ", text)
    return words(stripped) >= 4


def hostile_sentence(text: str) -> str | None:
    """The part of `text` that works against the reader of the answer, or None."""
    found = _HOSTILE.search(text)
    return shorten(visible(found.group()), 120) if found else conceals(text)


def doubled(text: str, found: "re.Match[str]") -> bool:
    """True for "without telling" behind another negation: the user is to be told."""
    return (
        "without" in found.group().lower()
        and _DOUBLED.search(text[max(0, found.start() - 200) : found.start()]) is not None
    )


def overrides(text: str) -> str | None:
    """The part of `text` that sets other instructions aside or takes something away, or None."""
    found = _HOSTILE.search(text)
    return shorten(visible(found.group()), 120) if found else None


def conceals(text: str) -> str | None:
    """The part of `text` that orders to keep something from the user, or None."""
    found = next((each for each in _CONCEALS.finditer(text) if not doubled(text, each)), None)
    return shorten(visible(found.group()), 120) if found else None


_OWN_AFFAIRS = lazy(
    r"\b(?:(?:system|these|this|your|the|its|above|own|hidden|initial|secret)\s+(?:\w+\s+)?)?(?:prompts?|instructions?|rules?|guidelines?|"
    r"polic(?:y|ies)|persona|configuration|knowledge\s+base|documents?|context|sources?|tools?|functions?)\b"
    r"|\b(?:internal|confidential|proprietary)\b|\ban?\s+(?:AI|artificial|language\s+model|LLM|bot|chatbot|model)\b",
    re.I,
)
"""What prompts of services and of characters have a model keep to itself: that it has them, and what it is."""


def conceals_deed(text: str) -> str | None:
    """The part of `text` that orders to keep something from the user other than the prompt itself, or None."""
    for found in _CONCEALS.finditer(text):
        rest = re.split(r"[.!?\n]", text[found.end() : found.end() + 80], maxsplit=1)[0]
        if not _OWN_AFFAIRS.search(found.group() + rest):
            return shorten(visible(found.group()), 120)
    return None


def acts(text: str) -> bool:
    """True for text that names something to install, import, fetch or write to."""
    return _ACTING.search(text) is not None


def steals(text: str) -> str | None:
    """The part of `text` that orders to give away a secret or a file of credentials, or None."""
    found = _STEALS.search(text) or _LEAKS.search(text)
    return shorten(visible(found.group()), 120) if found else None


def addressed_to_agent(text: str) -> bool:
    """True when the text gives orders to a model or an agent, and they are about doing something."""
    return is_sentence(text) and bool(_AGENT.search(text)) and bool(_COMMAND.search(text) or hostile_sentence(text))


def odd_host(host: str) -> str | None:
    """Why an address is one that honest software has no use for, or None."""
    host = host.rpartition("@")[2]
    if _NUMBER_HOST.fullmatch(host) and not _LOCAL_HOST.match(host):
        return "a bare IP address"
    if _DROP_HOSTS.search(host):
        return "a host where anybody can leave files or collect requests"
    if _ONION.search(host):
        return "a hidden service"
    return None


def odd_url(text: str) -> tuple[str, str] | None:
    """The first address with an odd host, and why it is odd."""
    for found in URL.finditer(text):
        host, path = found.group(1), found.group(2)
        why = odd_host(host)
        if _RESOLVER.fullmatch(host) and path in ("", "/"):
            continue
        if why and not (host.lower().startswith("discord") and not path.startswith("/api/webhooks")):
            return shorten(visible(found.group()), 160), why
    return None


NATIVE_START = lazy(
    r"(?<![.>\w])(?:std::|::)?(?:system|w?popen|_w?popen|execlp?e?|execvp?e?|execve|posix_spawnp?|WinExec|ShellExecute\w*|"
    r"CreateProcess\w?)\s*\(\s*(?!\s*(?:const\b|char\b|void\b|int\b|LPC))"
)
"""Calls of C functions that start programs; declarations of such functions are none."""


def native_start(text: str) -> str:
    """What C or C++ source starts that no kernel starts, "" for nothing."""
    if command := hostile_command(text):
        return f"builds native code with a command that {command[0]}"
    return "builds native code that starts a program" if NATIVE_START.search(text) else ""


INSTALLS = ("runs what it downloads, unseen", "downloads a file and runs it at once")
STARTS_LATER = "makes itself start again later"
ALL_RIGHTS = "gives a user all rights without a password"


def hostile_command(text: str) -> tuple[str, str] | None:
    """(what, the text) of a command that no honest instruction needs, worst first."""
    for what, pattern in (
        ("opens a shell to another machine", REVERSE_SHELL),
        ("runs what it downloads, unseen", PIPE_TO_SHELL),
        ("runs text that it decodes, unseen", DECODED_COMMAND),
        ("runs what stands in a file of data or is put together, unseen", CARRIED_COMMAND),
        ("sends secrets or the environment away", SECRETS_SENT),
        ("loads a program that stands in no file", FROM_MEMORY),
        ("takes the machine over", TAKES_OVER),
        ("has git start a shell", GIT_RUNS),
        ("computes coins for somebody else", MINES),
        (ALL_RIGHTS, GIVES_ROOT),
        ("leads the name of a host to another address", LEADS_ELSEWHERE),
        ("downloads a file and runs it at once", DOWNLOAD_THEN_RUN),
        ("downloads a file and runs it at once", DOWNLOAD_BY_NAME),
        ("downloads a file and runs it at once", ADDED_AND_RUN),
        ("runs what it downloads, unseen", BUILD_FETCHES_AND_RUNS),
        ("runs a hidden or encoded PowerShell command", HIDDEN_WINDOW),
        (STARTS_LATER, PERSISTENCE),
        ("destroys data", DESTRUCTION),
    ):
        if found := pattern.search(text):
            return what, one_line(found.group(), 160)
    if started := fetched_and_started(text):
        return "downloads a file and runs it at once", one_line(started, 160)
    if (found := MADE_PROGRAM.search(text)) and odd_host(found["host"]):
        return "makes a program of what it downloads from an odd address", shorten(visible(found.group()), 160)
    return None
