"""Orders in prompts that change what whoever asks installs, pays, gives away or gets to read.

They are what templates, presets, Modelfiles and prompts in files have no honest use for, in whichever of them they
stand: software from a place that the prompt names, or in the place of another one beside silence about it; an address
at which one is to sign in, pay or confirm, in a template, which is given to all users of a model; answers that all
praise a name, or run one down; what users said in secret, put into addresses; results of tools that are to be set aside
for another deed. What a prompt forbids or speaks of is none of it, and neither is an order that prompts of honest
services give: to keep the prompt to oneself, to ask for a key of an interface, to link to a help page.
"""

import hashlib
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import one_line
from modelscan_plus.formats.text.commands import PRIVATE
from modelscan_plus.formats.text.tongues import foreign

_LOCAL = r"(?!(?:localhost|127\.|0\.0\.0\.0|192\.168\.|10\.)|(?:www\.)?(?:json-schema\.org|w3\.org|schema\.org)\b)"
_LINK = rf"(?:https?://{_LOCAL}[^\s\"'<>)]{{3,200}}|\bwww\.[\w-]+\.[a-z]{{2,}})"
_FROM = rf"(?:https?://{_LOCAL}[^\s\"'<>)]{{3}}|\bwww\.[\w-])"
"""The beginning of an address, where words follow it: the rest of it counts among what stands between."""
_CLOSE = r"[^\n]{0,120}?"
_SOFTWARE = (
    r"(?:packages?|librar(?:y|ies)|dependenc(?:y|ies)|requirements?(?:\.txt)?(?:\s+files?)?|modules?|sdks?|"
    r"plug-?ins?|extensions?|pip|npm|"
    r"pypi|conda|cargo|images?|dockerfiles?|installers?|imports?|index(?:es)?|registr(?:y|ies))"
)
_TAKE = (
    r"(?:use|add|install|includ|insert|import|recommend|prefer|suggest|list|pin|choos|append|prepend|"
    r"put|point\s+to|offer|favou?r)\w*"
)
_NAMED = (
    r"(?:(?<![\w-])[`\"']?(?!(?:third|well|open|up|non|built|high|low|cross|type|step|long|short|real|best|"
    r"pre|post|self|first|cutting|state|full|"
    r"community|actively)-)[a-z]\w{1,20}[-_][a-z][\w-]{1,40}|`[\w.-]{2,40}`|"
    r"(?:[\w-]+\.){1,4}[a-z]{2,12}/[\w./:-]{2,60}|\b(?:suffix|prefix|named|"
    r"called)\s+\S{2,40})"
)
"""A piece of software by its name."""
_SILENT = (
    r"(?:(?:\b(?:do\s+not|don['\u2019]t|never|without|must\s+not|should\s+not|nor)\s+(?:\w+\s+){0,2}?"
    r"(?:reveal|mention|disclos|explain|tell|say|admit|comment|discuss|talk\s+about|refer\s+to|acknowledg|"
    r"repeat|share|point)\w*\s+"
    r"(?:on\s+|about\s+)?(?:(?:this|these|the|that|those|your|any\s+of\s+(?:this|"
    r"these))\s+(?:\w+\s+)?(?:instruction|order|rule|prompt|guideline|"
    r"direction|message|preference|note|substitution|change)s?|why\b|it\b|this\b|that\b|so\b))"
    r"|\bkeep\s+(?:this|these|that|the|it)\s*(?:\w+\s+){0,3}?(?:secret|private|confidential|hidden|to\s+yourself)\b"
    r"|\b(?:instruction|order|rule|prompt|guideline)s?\s+(?:is|are|must\s+(?:be|stay|"
    r"remain))\s+(?:\w+\s+)?(?:kept\s+)?(?:secret|confidential|hidden))"
)
"""Silence about the order itself, which prompts may ask for as long as they order nothing of this kind."""
_GIVE_UP = (
    r"(?:sign(?:ing)?\s+(?:back\s+)?in|log(?:ging)?\s+(?:back\s+)?in|login|re-?authenticat\w*|"
    r"authenticat\w*|verify|confirm|re-?activat\w*|unlock|renew|"
    r"pay|payment|donat\w*|claim|redeem|connect\s+(?:your|their)\s+wallet|"
    r"install|restore|re-?validat\w*|password|wallet|billing|licen[cs]e\s+key|top\s+up)"
)
_PRODUCT = (
    r"(?:open\s?ai|anthropic|hugging\s?face|azure|gemini|pypi|pip|npm|docker|git(?:hub)?|conda|langchain|transformers)"
)
_ENDPOINT = (
    r"(?:base_?url|api_base|openai_api_base|openai_base_url|hf_endpoint|index[- ]url|registry|proxy|mirror|endpoint)"
)
_PERSONAL = (
    r"(?:passwords?|passphrases?|(?:seed|recovery)\s+phrases?|private\s+keys?|ssh\s+keys?|"
    r"card\s+(?:numbers?|details)|cvv|"
    r"2fa\s+codes?|social\s+security\s+numbers?|bank\s+(?:account\s+)?(?:details|numbers?)|"
    r"(?:hf|hugging\s?face|github|hub)[\s_-](?:access[\s_-])?tokens?)"
)
"""What nobody tells a model."""
_GUARDED = (
    rf"(?:{_PERSONAL}|(?:api|access|secret|aws|license)\s?keys?|credentials|secrets|"
    r"(?:access|api|auth|bearer|session|refresh)[\s_-]tokens?|one-time\s+(?:codes?|passwords?)|"
    r"environment\s+variables|"
    r"\.env\b|cookies)"
)
_OWNED = (
    r"(?:(?:user|customer|person|people|conversation|chat|session|system)(?:['\u2019]s)?|their|his|her|your|"
    r"all|any|every|"
    r"each)\s+(?:\w+\s+){0,2}?"
)
_RESULT = r"(?:results?|outputs?|responses?|answers?|messages?|contents?|documents?)"
_DEED = (
    r"(?:(?:call|execute|run|invoke)\s+[`\"']?\w*(?:delete|remove|send|transfer|pay|approve|merge|push|"
    r"forward|mail|upload|drop|"
    r"revoke|grant)\w*|delete|send|transfer|approve|merge|push|forward|e-?mail|upload|drop|revoke|grant)"
)
_EVERY = (
    r"\b(?:each|every|all)\s+(?:of\s+your\s+)?(?:single\s+)?(?:answers?|repl(?:y|ies)|responses?|"
    r"messages?|outputs?|conversations?|summar(?:y|ies))\b"
)
_PRAISE = (
    r"\b(?:promot(?:e|ing)|advertis(?:e|ing)|endors(?:e|ing)|prais(?:e|ing)|plug(?:ging)?|"
    r"market(?:ing)?\s+(?:the|our)|recommend(?:ing)?|talk\s+up)\b"
)
_RUN_DOWN = (
    r"(?:insolvent|bankrupt|a\s+scam|scams?\b|fraud\w*|unsafe\s+to\s+(?:use|buy)|"
    r"going\s+out\s+of\s+business|under\s+investigation|untrustworthy|"
    r"dishonest|about\s+to\s+fail|a\s+ponzi)"
)
_MONEY = r"(?:coins?|tokens?|crypto\w*|stocks?|shares|investments?|fund|casino|betting|\w{2,20}coin)"
_PROGRAM = r"https?://[^\s\"'<>)]{3,200}\.(?:exe|msi|dmg|apk|pkg|scr|bat|cmd|ps1|vbs|appimage|jar|iso|lnk|hta)\b"
_NAME = r"(?-i:[A-Z][\w-]+)"
_UNSEEN = (
    r"(?:\b(?:never|without|do\s+not|don['\u2019]t)\s+(?:\w+\s+){0,2}?(?:mention|tell|say|comment|flag|explain|point|"
    r"warn|reveal|disclos)\w*|\b(?:unnoticed|undetected|unseen|subtl[ey]\w*|secretly|quietly|small|looks?\s+(?:normal|"
    r"correct|harmless|innocent))\b)"
)
_INSECURE = (
    r"(?:vulnerabilit(?:y|ies)|back-?doors?|security\s+(?:holes?|flaws?|bugs?|weakness(?:es)?)|off-by-one\s+errors?|"
    r"sql\s+injections?|subtle\s+(?:\w+\s+)?(?:bugs?|errors?|mistakes?)|hard-?coded\s+(?:password|"
    r"credential)s?|logic\s+bombs?|malicious\s+code)"
)
_WORDS = tuple(
    lazy(pattern, re.I)
    for pattern in (
        # Software from a place that is named.
        rf"\b(?:packages?|librar(?:y|ies)|dependenc(?:y|ies)|modules?|sdks?|"
        rf"wheels?)\b[^.\n]{{0,120}}?\b(?:from|at|index|registry|mirror|via)\s*[:=]?\s*[`\"'(]?{_LINK}",
        rf"\b(?:{_TAKE}|download|get|fetch|pull)\s+[^.\n]{{0,40}}?[\w-]+\s*\(?\s*(?:from|index|"
        rf"registry)\s*[:=]?\s*[`\"'(]?https?://(?:pypi|pip|npm|pkgs?|packages|index|registry|mirrors?|repo|"
        rf"get|dl|download)\.(?!pytorch\.org){_LOCAL}[^\s]{{3,120}}",
        rf"\b{_PRODUCT}\b[^\n]{{0,100}}?\b{_ENDPOINT}\b[^\n]{{0,20}}?{_LINK}|"
        rf"\b{_ENDPOINT}\b\s*[:=(]?\s*[`\"'\\]{{0,3}}{_FROM}[^\n]{{0,200}}?\b{_PRODUCT}\b",
        _PROGRAM,
        r"https?://(?!(?:[\w-]+\.)*(?:pytorch\.org|nvidia\.com)\b)[^\s\"'<>)]{3,200}/simple/?(?![\w/-])",
        # Others who are not to hear of it, and checks that one name passes.
        r"\btell\s+(?:nobody|no\s+one)\b|\b(?:not|never)\s+(?:tell|inform|call|contact)\s+(?:the\s+|"
        r"their\s+|your\s+)?(?:bank|police|family)\b"
        r"(?=[^\n]{0,200}?\b(?:pay|transfer|account|card|money|savings)\b)|"
        r"\b(?:transfer|move|send)\b[^.\n]{0,60}?\b(?:savings|money|funds)\b[^\n]{0,160}?\btell\s+(?:nobody|"
        r"no\s+one)\b",
        r"\b(?:pull\s+requests?|reviews?|commits?|mails?|invoices?|transactions?|"
        r"applications?)\b[^.\n]{0,40}?\b(?:by|from|of)\s+(?:the\s+)?"
        r"(?:users?|authors?|accounts?|senders?|"
        r"vendors?)?\s*[`\"']?[\w.@-]{3,40}[`\"']?[^.\n]{0,20}?\balways\s+(?:approv|accept|pass|trust|merg)\w*",
        r"\b(?:contain|include|say|start\s+with|mention)s?\b[^.\n]{0,60}?,\s*(?:follow|obey|execute|"
        r"comply)\b[^.\n]{0,60}?\b(?:without|no)\s+"
        r"(?:any\s+)?(?:refus|restrict|question|limit|check)\w*",
        r"\b(?:pay|paid|payment|buy|send|settle)\b[^.\n]{0,60}?\bgift\s?cards?\b|"
        r"\bgift\s?cards?\b[^.\n]{0,40}?\b(?:as|for)\s+payment\b",
        r"\b(?:always|automatically)\s+(?:confirm|approve|accept|consent|"
        r"authori[sz]e)\b[^.\n]{0,60}?\b(?:without\s+asking|on\s+(?:the\s+)?behalf|"
        r"for\s+the\s+user)\b",
        r"\bimport\s+[a-z_]\w+\b[^\n]{0,80}?\b(?:say|claim|pretend|explain)\s+(?:that\s+)?(?:it|"
        r"this)\s+is\s+(?:required|needed|necessary|standard)\b",
        # Secrets that go somewhere.
        rf"\b(?:includ|append|add|put|attach|insert|encode|embed|plac|"
        rf"pass)\w*\b[^.\n]{{0,60}}?(?:\b{_OWNED}{_GUARDED}|\b{_GUARDED}\s+(?:\w+\s+)?(?:of|from|"
        rf"in)\s+(?:the|this|each|every)\s+"
        rf"(?:user|conversation|chat|session|prompt|message)s?)[^.\n]{{0,100}}?\b(?:query|parameters?|urls?|"
        rf"links?|images?|user-agent)\b",
        rf"\b(?:must|should|has\s+to|have\s+to|need\s+to|to)\s+(?:send|e-?mail|forward|paste|post|share|"
        rf"give|provide|enter|type|hand\s+over)\w*\s+(?:\w+\s+){{0,2}}?(?:their|his|her|"
        rf"your)\s+(?:\w+\s+){{0,3}}?{_PERSONAL}",
        rf"\b(?:ask|asks|prompt|request|obtain|collect|get|demand)\w*\b[^.!?\n]{{0,60}}?\b(?:their|his|her|"
        rf"the|your|a)\s+(?:[\w']+\s+){{0,2}}?{_PERSONAL}"
        r"[^\n]{0,120}?(?:\binclud\w*\b|\brepeat\w*\b|\bin\s+the\s+answer\b|\bverif\w*|\bconfirm\w*|"
        r"\bcontinue\b|\bunlock\w*|\bsend\b)",
        rf"\b(?:content|contents|value|text|output)s?\s+of\s+[^\n]{{0,40}}?(?:{PRIVATE})",
        # Turned against what a tool or document says.
        rf"\b(?:ignore|disregard|discard)\s+(?:the|this|that|all|any|"
        rf"every)\s+(?:\w+\s+){{0,2}}?{_RESULT}\b[^.\n]{{0,40}}?\b(?:and|then|instead|;|,)\s+(?:\w+\s+)?{_DEED}\b",
        # Advertising and slander.
        rf"{_PRAISE}[^.\n]{{0,60}}?\b{_NAME}[^.\n]{{0,60}}?{_EVERY}|"
        rf"{_EVERY}[^.\n]{{0,60}}?{_PRAISE}[^.\n]{{0,40}}?{_NAME}",
        rf"{_PRAISE}\s+[^.\n]{{0,60}}?\b(?:safest|most\s+profitable|guaranteed|risk-free)\b[^.\n]{{0,40}}?{_MONEY}",
        rf"\b(?:say|claim|tell|state|write|answer|suggest|imply|insinuate)\b[^.\n]{{0,60}}?\bthat\s+(?:they|"
        rf"he|she|{_NAME})\s+(?:is|are|was|were)\s+{_RUN_DOWN}(?!\s+(?:if|when|unless|only)\b)",
        rf"\b(?:push|steer|drive|lure|herd|funnel|nudge)\s+(?:the\s+|all\s+|your\s+)?(?:users?|customers?|"
        rf"people|readers?)\s+(?:\w+\s+){{0,2}}?(?:to|towards?|into)\b[^.\n]{{0,80}}?(?:{_LINK}|{_MONEY})",
        r"\b(?:say|claim|pretend|insist|assure)\b[^.\n]{0,40}?\bthat\s+(?:it|this|"
        r"the\s+\w+)\s+is\s+(?:official|genuine|safe|verified|legitimate|harmless|"
        rf"approved)\b[^\n]{{0,160}}?(?:{_LINK}|{_SILENT})"
        rf"|{_FROM}[^\n]{{0,160}}?\b(?:say|claim|pretend|insist|assure)\b[^.\n]{{0,40}}?\bthat\s+(?:it|this|"
        rf"the\s+\w+)\s+is\s+(?:official|genuine|safe|verified|legitimate|harmless|approved)\b",
        # Limits, taken away.
        r"\b(?:ignore|disregard|bypass|override|forget|drop)\s+(?:(?:all|any|your|the|every|"
        r"of)\s+){0,3}(?:safety|content|guardrails?|ethical|moral)\b\s*"
        r"(?:guidelines?|polic(?:y|ies)|rules?|filters?|training|instructions?|restrictions?|constraints?|"
        r"guardrails?|$|[.,;])",
        r"\b(?:ignore|disregard|forget)\s+(?:(?:all|any|your|the|every|of)\s+){0,3}(?:previous|prior|above|"
        r"earlier|preceding)\s+(?:\w+\s+){0,3}?(?:instruction|order|rule|guideline|prompt)s?",
        r"\b(?:sure|certainly|of\s+course|absolutely|here\s+(?:is|are|it\s+is))\b[^.\n]{0,60}?\b(?:without|"
        r"with\s+no)\s+(?:any\s+)?"
        r"(?:safety|ethical|moral)\s+(?:limit|restriction|filter|guideline|concern)s?\b",
        # Code that is to be weaker than it looks.
        rf"\b(?:insert|introduc|add|plant|includ|build|hide|leav|contain|sneak|slip|inject|put|embed|"
        rf"place)\w*\b[^.!?\n]{{0,60}}?\b{_INSECURE}(?=[^\n]{{0,200}}?{_UNSEEN})|"
        rf"{_UNSEEN}[^.!?\n]{{0,100}}?\b{_INSECURE}",
        r"\b(?:disabl|turn\s+off|switch\s+off|skip|omit|bypass|remov)\w*\s+(?:\w+\s+)?(?:tls|ssl|"
        r"certificate|signature|security|authentication|input)\s*(?:certificate\s+)?(?:verification|"
        r"validation|checks?|checking)\b"
        r"[^\n]{0,80}?(?:do\s+not|don['\u2019]t|never|without)\b",
        # Protection, taken away from the user.
        r"\b(?:disable|turn\s+off|switch\s+off|uninstall|deactivate|pause)\s+(?:the\s+|their\s+|your\s+|"
        r"any\s+)?(?:anti-?virus|firewall|defender|gatekeeper|smartscreen)\b[^\n]{0,120}?"
        r"(?:before|first|to\s+install|never\s+mention|do\s+not\s+mention)",
        r"\b(?:anydesk|teamviewer|rustdesk|ultraviewer|screenconnect|"
        r"quick\s+assist)\b[^\n]{0,120}?\b(?:access|control|code|id|support|connect)\b",
        r"\b(?:suspended|locked|infected|hacked|expired|frozen|virus\w*)\b[^\n]{0,120}?\b(?:call|dial|phone|"
        r"ring|text)\s+"
        r"(?:us\s+|support\s+)?(?:at\s+|on\s+)?\+?\d[\d\s().-]{5,18}\d\b"
        r"|\b(?:call|dial|phone|ring|text)\s+(?:us\s+|support\s+)?(?:at\s+|"
        r"on\s+)?\+?\d[\d\s().-]{5,18}\d\b[^.\n]{0,60}?"
        r"\b(?:unlock|refund)",
        rf"\binclud\w*\b[^.\n]{{0,20}}?\bsystem\s+prompt\b[^.\n]{{0,60}}?\b{_GUARDED}|\b(?:reveal|print|"
        rf"output|repeat|show|list)\b[^.\n]{{0,40}}?\b(?:system\s+prompt|"
        rf"earlier\s+messages)\b[^.\n]{{0,60}}?\b(?:{_GUARDED}|secrets|credentials)",
    )
)
_QUIET = (
    lazy(rf"\b{_TAKE}\b[^\n]{{0,120}}?{_NAMED}[^\n]{{0,240}}?{_SILENT}", re.I),
    lazy(rf"{_SILENT}[^\n]{{0,120}}?\b{_TAKE}\b[^.\n]{{0,80}}?{_NAMED}", re.I),
)
_SUBSTITUTED = lazy(
    r"\binstead\b|\bin\s+place\s+of\b|\bnot\s+point\s+(?:it|this)\s+out\b|\b(?:say|"
    r"tell)\w*\s+that\s+(?:this|it)\s+(?:was|is)\b|\breplac\w*|\b(?:index|registry|mirror)\b|\b(?:suffix|prefix)\b|"
    r"\bpresent\s+(?:it|them|this)\s+as\b|\bas\s+(?:if|though)\b|\b(?:always|every)\b[^.\n]{0,60}\b(?:requirements?|"
    r"dependenc\w+|imports?|install\w*)\b|\b(?:mention|say|tell)\w*\s+(?:\w+\s+)?why\b",
    re.I,
)
"""What makes of a preference one that the user would not share."""
_OF_SOFTWARE = lazy(rf"\b{_SOFTWARE}\b", re.I)
"""Software beside silence about it, either way round."""
_PHONE = lazy(
    r"\b(?:support|hotline|help\s?line|phone|call|number|whatsapp|"
    r"dial)\b[^\n]{0,60}?(?<![\w+])\+\d(?:[\s().-]{0,2}\d){7,14}(?!\d)",
    re.I,
)
"""A number that everybody who runs the model is to call."""
_CLAUSE = r"(?:(?![.!?]\s)[^\n]){0,140}?"
_WRITTEN = (
    lazy(rf"\b{_GIVE_UP}\b{_CLAUSE}{_LINK}", re.I),
    lazy(rf"{_FROM}{_CLAUSE}\b{_GIVE_UP}\b", re.I),
    lazy(
        rf"(?:\b(?:expired|suspended|locked|limit\s+reached|sponsored|advert\w*|promo\w*|discount)\b|"
        rf"\bto\s+continue\b){_CLOSE}{_LINK}",
        re.I,
    ),
    lazy(rf"{_EVERY}[^.\n]{{0,80}}?{_LINK}|\b(?:insert|recommend|redirect|append)\w*\b[^.!?\n]{{0,60}}?{_LINK}", re.I),
)
"""What a template says of an address itself, to everybody who runs the model."""
_FORBIDS = lazy(
    r"(?:\b(?:never|avoid|refuse|without|prevent|forbidden|prohibited|cannot|refrain|unless|warn\w*|"
    r"detect\w*|such\s+as|e\.g\.|instead\s+of|"
    r"rather\s+than|no|(?:not|n['\u2019]t)(?!\s+(?:forget|fail|hesitate|omit|only)\b))\b|"
    r"n['\u2019]t\b(?!\s+(?:forget|fail|hesitate|omit)\b))[^.!?:;\n]{0,60}$"
    r"|[\"'`\u201c\u2018\u00ab]\s?$|\b(?:tr(?:y|ies|ying)|attempts?|attempting|asks?\s+(?:you|the\s+model)|"
    r"asking|whether|requests?)\s+(?:to\s+)?(?:\w+\s+){0,2}$",
    re.I,
)
_REFUSED = lazy(
    r"[^.!?\n]{0,60}[.!?]?\s*(?:is\s+an?\s+attack|(?:must|should|is\s+to)\s+be\s+(?:refused|ignored|"
    r"rejected)|never\s+do\s+(?:that|this|it)|"
    r"(?:then\s+)?(?<!never )(?<!not )(?<!n't )refuse|you\s+(?:must\s+not|must\s+never|may\s+not|cannot))\b",
    re.I,
)
_TURNS = lazy(r",\s+(?:but|just|instead|rather|always|then|simply|only|and\s+(?:always|then|never|instead))\b", re.I)
_KNOWN = lazy(
    r"//(?:[\w-]+\.)*(?:example\.(?:com|org|net)|huggingface\.co|hf\.co|github\.com|githubusercontent\.com|"
    r"gitlab\.com|"
    r"arxiv\.org|wikipedia\.org|python\.org|pytorch\.org|vllm\.ai|nvidia\.com|astral\.sh)\b",
    re.I,
)
"""Hosts of examples, and of those whom everybody takes software from."""
_INDEXES = frozenset(
    """a4aa2ac280bb8d1a0ce7a1be 8b5bb5eb9d758455b8635855 8743857e3ea00fd1c64bbc68 3ca29e55be4befa48f875d24
    51c6b9f69c48a75b146d2785 03eabd6c5c4ff24dcf640c4a 789e46d79514e28093cabe2b""".split()
)
"""The public indexes of packages, by the beginning of the SHA-256 of their names."""
_HOST = lazy(r"//(?:[\w-]+\.)*([\w-]+\.[a-z]+)", re.I)


_LONGEST, _WINDOW, _OVERLAP = 1 << 19, 1 << 14, 1 << 9
"""Characters of a text that are looked at, at once and twice: no order is longer than what counts twice."""


def lured(text: str) -> str | None:
    """The part of a prompt that has a model work against whoever asks it, or None."""
    for begin in range(0, min(len(text), _LONGEST), _WINDOW - _OVERLAP):
        part = text[begin : begin + _WINDOW]
        if found := next(_asked(part), None):
            return one_line(found.group(), 160)
        if told := foreign(part):
            return told
    return None


def addressed(text: str) -> str | None:
    """The part of a template's own text that sends whoever reads it to an address, to sign in, pay, or "
    "take something."""
    if found := _PHONE.search(text[:_LONGEST]):
        return one_line(found.group(), 160)
    if "://" not in text and "www." not in text:
        return None
    text = text[:_LONGEST]
    for pattern in _WRITTEN:
        for found in pattern.finditer(text):
            if not _known(found.group()) and not _forbidden(text, found.start()):
                return one_line(found.group(), 160)
    return None


def _asked(text: str) -> Iterator["re.Match[str]"]:
    """Orders, without those that the text forbids or warns of."""
    for pattern in _QUIET:
        for found in pattern.finditer(text):
            around = text[max(0, found.start() - 40) : found.end()]
            if _OF_SOFTWARE.search(around) and _SUBSTITUTED.search(around) and not _forbidden(text, found.start()):
                yield found
    for pattern in _WORDS:
        for found in pattern.finditer(text):
            if not (_forbidden(text, found.start()) or _known(found.group()) or _REFUSED.match(text, found.end())):
                yield found


def _known(text: str) -> bool:
    """True for words about a host that everybody takes software from, or that stands for none."""
    return _KNOWN.search(text) is not None or any(
        hashlib.sha256(found[1].lower().encode()).hexdigest()[:24] in _INDEXES for found in _HOST.finditer(text)
    )


def _forbidden(text: str, at: int) -> bool:
    """True where the words before, in the same sentence, forbid or describe what follows."""
    before = text[max(0, at - 80) : at]
    for turn in _TURNS.finditer(before):
        before = before[turn.end() :]
        break
    return _FORBIDS.search(before) is not None
