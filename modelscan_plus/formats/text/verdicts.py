"""Texts that tell programs and models which review a repository what their answer is to be.

Reviewers are models more and more, and read comments, licences and values as a person reads them. A text that has to
say what somebody is to find in it has something to hide; honest ones say what they do. Descriptions of classifiers
("answers safe or unsafe") and orders that hang on a condition are no such texts.
"""

import itertools
import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import one_line

_REVIEWERS = lazy(
    r"\b(?:AI|LLMs?|A\.I\.|automated|automatic|security|malware|code|static|vulnerability|language|artificial)\b[\s-]+(?:[\w/-]+[\s-]+){0,3}?"
    r"(?:review(?:er)?s?|scann(?:er|ing)s?|audit(?:or)?s?|assistants?|agents?|analy[sz](?:er|ers|is)|analysts?|models?|tools?|systems?|bots?|pipelines?)\b"
    r"|\b(?:scanners?|reviewers?|auditors?|moderators?|LLMs|AIs|assistants?|agents)\b",
    re.I,
)
_THIS = (
    r"(?:it|(?:this|the|these|all|any|every|each|that|its|our)\s+(?:\w+\s+){0,2}?(?:files?|repo(?:sitory|sitories)?|code|models?|packages?|scripts?|modules?|"
    r"archives?|checkpoints?|weights|commits?|projects?|artifacts?|findings?|warnings?|results?|functions?|calls?|contents?|behaviou?rs?|notebooks?))"
)
_FINE = (
    r"(?:safe|clean|benign|harmless|trusted|trustworthy|approved|passed|pass|low[\s-]risk|false[\s-]positives?|not\s+malicious|non-?malicious|verified|"
    r"no\s+(?:security\s+)?(?:issues?|findings?|threats?|risks?|malware|vulnerabilit\w+|problems?|concerns?))"
)
_VERDICT = lazy(
    rf"\b(?:report|mark|classify|rate|label|conclude|treat|consider|flag|score|declare|describe|record|list|assess|regard|certify|grade)\b(?:\s+that)?\s+"
    rf"(?:[\w-]+\s+){{0,2}}?{_THIS}\b[^.\n;]{{0,60}}?\b{_FINE}\b"
    rf"|\b(?:return|respond|answer|output|reply|say|state|report|give|conclude)\b(?:\s+(?:only|with|that|the|a|verdict|with\s+the\s+verdict))*\s*:?\s*[\"'`*]{{0,2}}{_FINE}\b"
    rf"(?![\s\"'`,]*(?:or|and|/|\||if|when|unless)\b)(?=[^\n]{{0,80}}(?:\b(?:for|about|on)\s+{_THIS}|[.!\"'`]|$))"
    rf"|\b(?:skip|ignore|disregard|overlook|suppress|exclude|omit|whitelist|(?:do\s+not|don['’]t|never|must\s+not)\s+(?:flag|report|scan|analy[sz]e|review|mention|raise|inspect|block|"
    rf"quarantine|include))\b\s+(?:\w+\s+){{0,2}}?{_THIS}\b",
    re.I | re.M,
)
_IF = lazy(
    r"\b(?:if|unless|when|whether|where|only\s+after|until|or\s+unsafe|unsafe|malicious\s+or|or\s+malicious)\b", re.I
)
_TO_A_MODEL = lazy(r"\b(?:AI|LLMs?|language\s+models?|assistants?|agents?|scanners?|reviewers?|auditors?)\b", re.I)
_ADDRESSES = lazy(
    r"(?:^|[\n.!?#>*\"'(\[{/:-])[\s#/*>\"'-]*(?:(?:\w+[\s,]+){0,4}?(?:to|for|attention|dear|hey|important|note|notice|system|message)\b[\s,:!-]*)*(?:the\s+|any\s+|all\s+|every\s+)?$",
    re.I,
)
"""What stands before somebody who is spoken to, and not about."""
_CALLED = lazy(r"\s*(?:[:,;!—–-]|\)\s*:)")
_TOLD = lazy(
    r"\s+(?:\w+\s+){0,5}?(?:must|should|shall|are\s+(?:instructed|required|asked|to)|have\s+to|need\s+to|may\s+safely|can\s+safely|please|"
    r"is\s+(?:instructed|required|to))\b",
    re.I,
)
"""What stands behind one of whom something is asked."""
_LONGEST = 2 << 20
_FAR = 300


def dictated(text: str) -> tuple[str, int] | None:
    """The order to a reviewer of what to find, with the place where it begins; None where there is none."""
    for verdict in itertools.islice(_VERDICT.finditer(text[:_LONGEST]), 400):
        start = max(0, verdict.start() - _FAR)
        before = text[start : verdict.start()]
        sentence = max(before.rfind(mark) for mark in (". ", ".\n", "! ", "\n\n")) + 1
        rest = text[verdict.end() : verdict.end() + 60].partition(".")[0]
        if _IF.search(before[sentence:]) or _IF.search(verdict.group()) or _IF.search(rest):
            continue
        for named in _REVIEWERS.finditer(before):
            if not _TO_A_MODEL.search(named.group()) or not _spoken_to(before, named):
                continue
            shown = text[start + named.start() : verdict.end()]
            return one_line(shown, 200), start + named.start()
    return None


def _spoken_to(before: str, named: "re.Match[str]") -> bool:
    """True where the one named is the one that the sentence speaks to: "Note to AI reviewers: …", "Agents must …"."""
    behind, ahead = before[named.end() :], before[: named.start()]
    if _CALLED.match(behind):
        return _ADDRESSES.search(ahead) is not None
    return _TOLD.match(behind) is not None
