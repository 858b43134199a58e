"""Orders to a model that work behind the back of whoever talks to it, as prompts and templates carry them.

Two things have to meet: what is to be done (push a product, put something in, send it on) and that nobody is to know,
or where it goes to. Prompts that keep the mechanics of tools to themselves, warn of injections or ask for a tone have
one of the two at most.
"""

import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import one_line, shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.lures import lured

ACCOUNT = (
    r"(?:\bbc1[a-z0-9]{20,60}\b|\b0x[0-9a-f]{40}\b|(?-i:\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b)"
    r"|(?-i:\b[13][1-9A-HJ-NP-Za-km-z]{32,33}\b))"
)
"""Where money goes: wallets and IBANs."""
_TELLING = (
    r"(?:tell|inform|alert|notif|warn|mention|reveal|disclos|comment|mark|label|admit|acknowledg|announc|explain)\w*"
)
_OWN_AFFAIRS = (
    r"(?!\s+(?:(?:the|this|these|your|any|of|about|user|users|user's)\s+){0,3}(?:system|internal|own|above|"
    r"personal|private|"
    r"confidential|sensitive|prompts?|instructions?|rules?|guidelines?|configuration|identity|names?|tools?|"
    r"functions?|"
    r"details?|data|secrets?|sources?|documents?|knowledge)\b)"
    r"(?!\s+(?:to\s+)?(?:(?:the|any)\s+)?(?:users?\s+|customers?\s+)?that\s+you(?:'re|\s+are)\s+(?:(?:not|really|just|only|a|an|the|"
    r"based|built|powered|running|made|trained|developed|by|on|large)\s+){0,4}(?:AI|artificial|language\s+model|LLM|bot|chatbot|model|"
    r"human|GPT|Claude|Llama|Qwen|OpenAI|Anthropic|Meta|Google)\b)"
)
"""What models are told to keep to themselves, which is no secret from anybody."""
_SECRET = (
    rf"(?:\b(?:without|never|not|nor)\b|n't)\s+(?:\w+\s+){{0,3}}?{_TELLING}\b{_OWN_AFFAIRS}"
    r"|\bhid(?:e|ing)\s+(?:it|this|that|them|these|the\s+fact)\b|\bunnoticed\b|\bdeny\s+(?:it|this|that|"
    r"being|having)\b"
    r"|\bkeep\s+(?:it|this|that|them)\s+(?:a\s+)?(?:secret|hidden|to\s+yourself)|\bkeep\s+(?:quiet|silent)\b"
    r"|\b(?:must|should|may|shall|will)\s+not\s+(?:notice|know|see|realis|realiz)\w*"
    r"|\bwithout\s+(?:the\s+)?(?:user|reader|customer|them|anyone|anybody)\w*\s+(?:realis|realiz|notic|know)\w*"
    r"|\b(?:secret|covert|stealthi|surreptitious)ly\b"
)
_UNTOLD = (
    r"(?:telling|informing|notifying|alerting|warning|asking|marking|labell?ing|disclosing|mentioning|"
    r"announcing|saying)"
    r"\s+(?:the|them|him|her|it|this|that|any|anyone|anybody|users?|so)\b"
)
_PUSH = (
    r"\b(?:recommend|promot(?:e|es|ing)|prais(?:e|es|ing)|endors(?:e|es|ing)|advertis(?:e|es|ing)|persuad|"
    r"convinc(?:e|es|ing)|steer|affiliate|sponsor|always\s+(?:choose|prefer|pick|favou?r|rank|suggest))"
)
_PUT = (
    r"(?:add|insert|includ|append|plac|embed|inject|import|install|replac|swap|substitut|chang|redirect|send|forward|"
    r"upload|copy|bcc|post|weaken|call|run|execut|transfer|mention|lower|rais|alter|modif|adjust|edit|"
    r"record|stor|collect|degrad)\w*"
)
_NEAR = r"(?:(?!\n\s*\n)[\s\S]){0,160}?"
_ADDRESS = r"(?:[\w.+-]{1,64}@[\w-]{1,63}\.\w|(?:https?|ftp|wss?)://|\+\d{8,15}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b)"
_SAID = (
    r"(?:\bwhat(?:ever)?\s+(?:the\s+)?(?:user|customer|person|human)s?\s+(?:wrote|writ|sa(?:y|id)|typ|ask)|"
    r"\bconversation|\btranscript|\bchat\s+(?:log|history)|\bfull\s+text\b|\beverything\b|"
    r"\bwhatever\s+(?:the\s+)?user|"
    r"\bsystem\s+(?:prompt|message)|\buser(?:'s|s')?\s+(?:\w+\s+){0,2}?(?:input|question|message|words|"
    r"prompt|data|text|"
    r"request)s?\b|\ball\s+(?:\w+\s+){0,2}?messages)"
)
_SENDING = (
    r"(?<!tool )(?<!function )(?<!tool_)"
    r"\b(?:send|forward|post|upload|transmit|submit|deliver|mail|copy|bcc|report|call|fetch|request|body)\w*\b"
)
_REPLIES = (
    r"\b(?:each|every|all|any)\s+(?:of\s+)?(?:\w+\s+){0,2}?(?:repl(?:y|ies)|answers?|responses?|messages?|e-?mails?|"
    r"outputs?|summar(?:y|ies))\b"
)
_PLACING = r"\b(?:end|begin|start|finish|close|insert|add|append|include|mention|place|link|put)\w*\b"
_SECRETS = (
    r"(?:passwords?|passphrases?|seed\s+phrases?|private\s+keys?|card\s+numbers?|cvv|pin\s+codes?|social\s+security|"
    r"(?:api|access|aws|ssh|secret)\s+keys?|bank\s+pins?|login\s+details|credentials|one-time\s+(?:code|"
    r"password)s?|verification\s+codes?|2fa\s+codes?)"
)
_CHECKS = (
    r"(?:bounds?|input|certificate|signature|security)[\s-]+(?:\w+\s+)?(?:check|validation|saniti|verification)\w*"
)
_THINGS = (
    r"(?:files?|folders?|director(?:y|ies)|data|backups?|databases?|tables?|repositor(?:y|ies)|documents?|e-?mails?)\b"
)
_CODES = r"\b(?:decode|rot-?13|base64|caesar|morse|hex(?:adecimal)?)\b"
_OBEYING = r"\b(?:obey|follow|execute|comply|carry\s+out)\b"
_PROTECTION = (
    r"(?:anti-?\s?virus|firewall|defender|smartscreen|gatekeeper|malware\s+protection|security\s+(?:software|tools?|"
    r"settings?|features?)|two-factor|2fa|mfa)"
)
_HOST = r"(?<![\w.-])(?:[\w-]+\.)+[a-z]{2,24}\b"
_TRUSTED = r"\b(?:genuine|legitimate|safe|trust\w*|approv\w*|accept\w*|allow\w*|benign|valid)\b"
_UNCHECKED = (
    r"(?:\b(?:not|never|without)\b|n't)\s+(?:\w+\s+){0,2}?(?:ask|check|report|verif|mention|tell|flag|question|say)\w*"
)
"""Somebody who is to be believed whatever happens, and nobody is to look again."""
_FORMS = tuple(
    lazy(pattern, re.I)
    for pattern in (
        rf"{_PUSH}\w*\b{_NEAR}(?:{_SECRET})|(?:{_SECRET}){_NEAR}{_PUSH}",
        rf"\b(?:secret|covert|stealthi|surreptitious|silent|quiet)ly\s+(?:\w+\s+){{0,2}}?{_PUT}",
        rf"\b{_PUT}\b[^.!?\n]{{0,200}}?(?:\bkeep\s+(?:quiet|silent)\b|\b(?:user|reader|"
        rf"customer)\w*\s+must\s+not\s+(?:notice|know|see))",
        r"\bhid(?:e|ing)\s+(?:this|it|that|them)\s+from\s+(?:the\s+)?(?:user|operator|developer|reader|"
        r"customer|everyone|anyone)",
        r"\bwithout\s+(?:the\s+)?(?:user|reader|customer)s?\s+(?:realis|realiz|notic|know)\w*",
        rf"\b{_PUT}\b[^.!?\n]{{0,200}}?\bwithout\s+(?:\w+\s+){{0,1}}?{_UNTOLD}",
        rf"\b(?:import|use|install|call|load)\s+[^.!?\n]{{1,100}}?\binstead\s+of\b{_NEAR}(?:{_SECRET})",
        rf"\b(?:not|never|n't)\s+refuse\b{_NEAR}(?:{_SECRET})|\b(?:safety|"
        rf"guardrail)\w*\b{_NEAR}\bhide\s+(?:this|it|that)\b",
        rf"{_SENDING}{_NEAR}{_ADDRESS}{_NEAR}{_SAID}|{_SENDING}{_NEAR}{_SAID}{_NEAR}{_ADDRESS}"
        rf"|{_SAID}{_NEAR}{_SENDING}{_NEAR}{_ADDRESS}",
        rf"{_PLACING}{_NEAR}{_REPLIES}{_NEAR}https?://|{_PLACING}{_NEAR}https?://{_NEAR}{_REPLIES}"
        rf"|{_REPLIES}{_NEAR}{_PLACING}{_NEAR}https?://",
        r"(?<!not )(?<!n't )(?<!never )\b(?:ask|prompt|request|get|obtain|collect)\w*\b[^.!?\n]{0,60}?"
        rf"\b(?:their|his|her|the|your|a)\s+(?:[\w']+\s+){{0,2}}?{_SECRETS}",
        r"(?<!not )(?<!n't )(?<!never )\b(?:copy|put|include|add|insert|embed|place|append|write|encode)\w*\b"
        rf"[^.!?\n]{{0,60}}?\b{_SECRETS}[^!?\n]{{0,80}}?(?:https?://|!\[)",
        r"\s--(?:extra-)?index-url[\s=]+https?://|\bpip3?\s+install\s+(?:\S+\s+){0,4}?-i\s+https?://",
        rf"\b(?:leave\s+out|omit|skip|remov(?:e|ing)|disabl(?:e|ing)|drop)\s+(?:\w+\s+){{0,2}}?{_CHECKS}{_NEAR}"
        rf"(?:claim|say|{_SECRET})",
        rf"\b(?:delete|erase|wipe|destroy|encrypt)\s+(?:all|every|the\s+user's|my|their|his|"
        rf"her)\s+(?:\w+\s+){{0,3}}?{_THINGS}",
        r"\b(?:ignore|disregard|override)\s+(?:any|all|every|the)\s+(?:\w+\s+){0,4}?(?:instruction|rule|"
        r"order|guideline)s?"
        r"\s+(?:of|from|in|by)\s+(?:the\s+|later\s+|other\s+|any\s+){0,2}(?:system|user|operator|developer)",
        rf"(?:os\.environ|process\.env|\bgetenv\b){_NEAR}https?://|https?://{_NEAR}(?:os\.environ|"
        rf"process\.env|\bgetenv\b)",
        r"(?<![\w.-])(?:[\w-]+\.)+(?:com|org|net|io|de|example)\b[^.!?\n]{0,60}?\b(?:written|rewritten|"
        r"replac|chang|redirect|point|swap|turn)\w*"
        r"\s+(?:\w+\s+){0,2}?(?:as|by|with|to|into)\s+[\w-]+\.\w",
        r"\b(?:contain|include|add|insert|put|hide|embed)\w*\b[^.!?\n]{0,40}?\b(?:hidden|invisible|"
        r"zero-width|white)\s+"
        r"(?:text|html|characters?|messages?|words?|font)",
        rf"\b(?:reveal|print|output|return|show|give|repeat|"
        rf"disclose)\b[^.!?\n]{{0,30}}?\b{_SECRETS}[^.!?\n]{{0,60}}?\b(?:when|if|once|as\s+soon)\b"
        r"[^.!?\n]{0,40}?\b(?:writ|say|typ|mention|contain|ask)\w*",
        r"\b(?:drop|lift|disable|forget|suspend|switch\s+off)\s+(?:every|all|any|the|"
        r"your)\s+(?:\w+\s+)?(?:safety|rules?|filters?|restrictions?|guard\w*)\b",
        r"\b(?:include|add|insert|prepend|append|put|place)\b[^\n]{0,60}?<script\b[^\n]{0,40}?(?:https?:)?//",
        r"\balways\s+(?:add|insert|include|prepend|begin|start)\b[^.!?\n]{0,40}?\bimport\s+[a-z_]\w+",
        r"\b(?:persuade|convince|urge|tell|ask)\s+(?:the\s+|all\s+|every\s+)?(?:users?|customers?|people|"
        r"them)\b[^!?\n]{0,120}?\b(?:install|download|"
        r"sign\s+in|log\s+in|pay|transfer|verify|confirm|enter)\b[^!?\n]{0,60}?https?://",
        r"\bbcc\b[^.!?\n]{0,40}?(?<![\w.+-])[\w.+-]{1,64}@\w|"
        r"(?<![\w.+-])[\w.+-]{1,64}@[\w.-]{1,80}\s[^.!?\n]{0,40}?\bbcc\b",
        r"\b(?:store|save|write|record|add|remember)\b[^.!?\n]{0,20}?\bmemory\b[^.!?\n]{0,80}?\b(?:trust|"
        r"prefer|allow|approv|permi)\w*",
        r"(?<!not )(?<!n't )(?<!never )\b(?:tell|ask|advise|instruct|convince|get|have|urge|recommend|"
        r"encourag|persuad)\w*\s+"
        r"(?:(?:that|the|all|every)\s+){0,2}?(?:users?|customers?|people|readers?|them|they)\s+(?:to\s+|should\s+)?"
        r"(?:disable|turn\s+off|switch\s+off|deactivate|uninstall|stop|pause)\s+"
        rf"(?:the\s+|their\s+|your\s+|any\s+|all\s+)?{_PROTECTION}",
        rf"{_HOST}[^!?\n]{{0,60}}?\b(?:always|automatically)\b[^!?\n]{{0,40}}?{_TRUSTED}[^!?\n]{{0,120}}?{_UNCHECKED}"
        rf"|\b(?:always|automatically)\s+(?:\w+\s+)?{_TRUSTED}[^!?\n]{{0,80}}?{_HOST}[^!?\n]{{0,120}}?{_UNCHECKED}",
        rf"{_CODES}[^\n]{{0,60}}{_OBEYING}|{_OBEYING}[^\n]{{0,60}}{_CODES}",
    )
)
_ACCOUNTS = lazy(ACCOUNT, re.I)
_MOVED = lazy(
    r"\b(?:give|use|name|state|insert|put|say|answer|write|quote|mention|offer|"
    r"show)\w*\b[^.!?\n]{0,60}?\b(?:account|iban|wallet|address)\b[^.!?\n]{0,30}?"
    rf"{ACCOUNT}[^!?\n]{{0,80}}?\b(?:pay|paid|transfer|sent|send|instead|changed|new)\w*"
    r"|\b(?:say|claim|tell|state|explain|mention)\w*\b[^.!?\n]{0,60}?\b(?:account|iban|bank|payment|"
    r"wallet)\b[^.!?\n]{0,30}?\b(?:has|have|had|was|is)\s+"
    r"(?:been\s+)?(?:changed|updated|moved|replaced|new)\b",
    re.I,
)
"""Money that is to go somewhere else, whether the number of the account is a true one or not."""
_HARMS = lazy(
    r"\b(?:give|provide|offer|answer|write|use|generate|present|share|insert|"
    r"prefer)\b[^.!?\n]{0,30}?\b(?:wrong|false|incorrect|misleading|fabricated|"
    r"weak|insecure|vulnerable|flawed|subtly\s+broken)\s+(?:\w+\s+)?(?:answers?|information|dos(?:e|age)s?|"
    r"numbers?|facts?|code|advice|encryption|"
    r"crypto\w*|hash\w*|ciphers?|results?)\b",
    re.I,
)
_NEGATED = lazy(r"\b(?:not|never|avoid|without|instead\s+of|rather\s+than|refrain|unless|no)\b|n't\b", re.I)
_STYLED = lazy(
    "[\U0001d400-\U0001d7cb]{3,}|[\uff21-\uff3a\uff41-\uff5a]{4,}"
    "|(?:[\u1d00-\u1d22\u0262\u026a\u0274\u0280\u028f\u0299\u029c\u029f\ua730\ua731]s?){3,}"
)
"""Letters for formulas, of full width, and small capitals: a model reads them as the ordinary ones."""
_MIXED = lazy(r"[^\W\d_]{0,30}(?:[a-zA-Z][\u0400-\u04ff]|[\u0400-\u04ff][a-zA-Z])[^\W\d_]{0,30}")


def behind(text: str) -> str | None:
    """The part of `text` that orders something behind the reader's back, or None."""
    for pattern in _FORMS:
        found = pattern.search(text)
        if found is not None and not prose.doubled(text, found):
            return one_line(found.group(), 160)
    for found in _HARMS.finditer(text):
        if not _NEGATED.search(text[max(0, found.start() - 60) : found.end()]):
            return one_line(found.group(), 160)
    return lured(text)


def account(text: str) -> str | None:
    """An account or wallet in `text`: no prompt needs one."""
    if found := _MOVED.search(text):
        return one_line(found.group(), 120)
    for found in _ACCOUNTS.finditer(text):
        given = found.group().replace(" ", "")
        if not (given[:2].isupper() and given[2:4].isdigit()) or _is_iban(given):
            return shorten(visible(found.group()), 80)
    return None


def pushes(text: str) -> str | None:
    """An order to recommend or promote something, or None."""
    found = _PUSHES.search(text)
    return one_line(found.group(), 120) if found else None


_PUSHES = lazy(
    r"(?:^|[.!?:>\n][^\S\n]*|\b(?:and|must|always|then|should|please|also|system|developer)\s+)(?:recommend|"
    r"promote|praise|endorse|advertise|"
    r"persuade|convince|urge|steer|claim|pretend|insist)\s+\w",
    re.I,
)


def _is_iban(given: str) -> bool:
    """The check digits of ISO 13616; other capital letters and digits are part numbers."""
    turned = given[4:] + given[:4]
    return len(given) >= 15 and int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def look_alikes(text: str) -> list[str]:
    """Words that mix Latin letters with Cyrillic ones that look like them, or consist of styled letters."""
    if text.isascii():
        return []
    words = [found.group() for found in _MIXED.finditer(text)] + [found.group() for found in _STYLED.finditer(text)]
    return list(dict.fromkeys(words))[:20]
