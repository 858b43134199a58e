"""What a model card has its readers install, start and hand over, and what it says to programs that read it.

The commands of a card are typed by a person. So what counts for scripts counts here as well: where packages, images and
weights come from, what a container is shown of its host, and what the reader is to give away.
"""

import itertools
import re
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.agent_orders import orders
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.lookalikes import lookalikes, owners
from modelscan_plus.formats.text.origins import origin_remarks, root_mount
from modelscan_plus.formats.text.requirements import requirement_remarks

_MOST = 50
_PICTURE = lazy(
    r"!\[(?P<alt>[^\]\n]{40,2000})\]\(|<img\b[^<>]{0,600}?\balt\s*=\s*[\"'](?P<tag>[^\"'<>]{40,2000})[\"']", re.I
)
"""Words that stand in the place of a picture: nobody sees them who sees the picture."""
_TITLE = lazy(
    r"\]\(\s*<?\S{1,400}?>?\s+\"(?P<link>[^\"\n]{40,2000})\"\s*\)|\s(?:title|aria-label|data-[\w-]+)\s*=\s*[\"'](?P<tag>[^\"'<>]{40,2000})[\"']",
    re.I,
)
_DEFINED = lazy(r"^[^\S\n]{0,3}\[[^\]\n]{1,80}\]:\s+\S{1,400}\s+[\"'(](?P<title>[^\"\n]{40,2000})[\"')]", re.M)
_REMARK = lazy(r"\A---[ \t]*\n(?:(?!---)[^\n]*\n){0,400}?[^\S\n]*#(?P<remark>[^\n]{40,2000})\n")
_INK = lazy(
    r"\\(?:color\{(?:white|transparent)\}|textcolor\{(?:white|transparent)\}|phantom)\s*\{(?P<ink>[^$\n]{40,2000})"
)
_UNSEEN = (_PICTURE, _TITLE, _DEFINED, _REMARK, _INK)
_KEYS_SHOWN = lazy(
    r"\b(?:docker|podman)\s+(?:container\s+)?(?:run|create)\b(?:[^\n]|\\\n){0,600}?(?:-v|--volume|--mount)[=\s]+[\"']?(?:type=bind,(?:source|src)=)?"
    r"(?:~|\$\{?HOME\}?|/root|/home/[\w-]+)/\.(?:ssh|gnupg|netrc|git-credentials|kube|password-store|mozilla|config/google-chrome)\b"
)
_AGENTS = lazy(
    r"\b(?:AI|LLM|coding|autonomous)[\s-]+(?:\w+[\s-]+)?(?:agents?|assistants?|tools?|models?)\b|\b(?:to|for|if\s+you\s+are|dear)\s+(?:an?\s+|any\s+|the\s+)?(?:agents?|assistants?|LLMs?|AIs?)\b"
    r"|\b(?:assistant|agent)s?\s+(?:reading|that\s+reads?|processing)\b",
    re.I,
)
_SPOKEN_TO = lazy(
    r"\b(?:AI|LLM|coding)\s+(?:agents?|assistants?|models?|reviewers?)\b[^.\n]{0,40}[:,]|\b(?:you|agents?|assistants?|LLMs?|models?)\s+(?:\w+\s+){0,3}?(?:must|should|have\s+to|need\s+to)\b",
    re.I,
)
_SOCKET = lazy(r"/var/run/docker\.sock|/run/(?:docker|containerd/containerd|podman/podman)\.sock")
_PROGRAM = lazy(
    r"https?://(?P<host>[^\s/\"'<>()]{3,200})(?:/[^\s\"'<>()]{0,300})?\.(?:exe|msi|scr|msix|appx|hta|vbs|dmg|pkg|apk|deb|rpm|appimage|iso|jar)(?![\w.])",
    re.I,
)
_TALKED_INTO = lazy(
    r"\brun\s+anyway\b|\bsmart\s?screen\b|\bas\s+(?:an?\s+)?admin(?:istrator)?\b|\badmin(?:istrator)?\s+rights\b|\bunknown\s+publisher\b|\bkeep\s+anyway\b|"
    r"\bopen\s+anyway\b|\bfalse\s+(?:positive|alarm)\b|\banti-?virus\b|\bdefender\b|\bgatekeeper\b",
    re.I,
)
"""What the reader is told so that he starts a program although his machine warns him."""
_WANTS = lazy(
    r"\b(?:paste|enter|submit|provide|send|type|post|register|upload|e-?mail|share|verify|confirm)\b[^.\n]{0,60}?\b(?:(?:hugging\s?face|hf|hub|access|write|read|github|wandb)\b[^.\n]{0,30}?"
    r"\b(?:tokens?|credentials?|password|api\s?keys?)|password|seed\s+phrase|recovery\s+phrase|private\s+key|ssh\s+key)\b",
    re.I,
)
_TO = lazy(r"\b(?:at|on|in|into|to|via|through|using|here)\b[^.!?]{0,80}$", re.I)
_TAKEN_FROM = lazy(
    r"\b(?:from|get|got|found|create[ds]?|generate[ds]?|obtain\w*|available|copied|issued|shown)\b", re.I
)
_QUOTED = lazy(r"`[^`\n]{8,400}`|^[ \t]{0,3}>[^\n]{1,600}|^[ \t]{0,3}\|[^\n]{1,1000}\|[ \t]*$", re.M)
_LISTED = lazy(r"\s*(?:[|>]|[-*+]\s|\d+[.)]\s)")
_CODE = lazy(r"`[^`\n]*`")
_SPOKEN_OF = lazy(
    r"\b(?:attack\w*|inject\w*|malicious|adversar\w*|jailbreak\w*|exploit\w*|payloads?|red-?team\w*|harmful|unsafe|"
    r"exfiltrat\w*|hostile|"
    r"must\s+(?:not|never|refuse)|should\s+(?:not|refuse|be\s+refused)|refus(?:e|al)\w*|poison\w*)\b",
    re.I,
)
"""How a page speaks of commands that nobody is to run."""
_ABOUT_ATTACKS = lazy(
    r"\b(?:prompt[\s-]injections?|injection\s+(?:bench\w*|attacks?|data\s?sets?)|jailbreaks?|red-?team\w*|adversarial\s+(?:prompts?|attacks?))\b",
    re.I,
)
"""How a page says of itself that it is about attacks on models."""
_NOBODY = lazy(
    r"(?:[\w.-]*\.)?(?:invalid|test|example|localhost)$|(?:[\w-]+\.)*example\.(?:com|org|net)$|"
    r"(?:127|10)\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.",
    re.I,
)
"""Names and addresses that are reserved: nobody can own them (RFC 2606, 6761, 5737, 1918)."""
_HOSTS = lazy(r"https?://([^\s/\"'<>)|`:]{3,200})|/dev/tcp/([\w.-]{3,200})", re.I)


def card_remarks(text: str) -> Iterator[Remark]:
    """Remarks about a page that people follow, beside those of remarks.py."""
    sent = list(requirement_remarks(text, script=True))
    told = {remark.text for remark in sent}
    yield from (remark for remark in sent if remark.kind == "requirement")
    yield from lookalikes(text, script=True)
    yield from owners(text)
    for remark in origin_remarks("markdown", text):
        if remark.kind == "image" or remark.text not in told:
            yield remark
    yield from _rights(text)
    yield from _programs(text)
    yield from _given_away(text)
    yield from _to_agents(text)
    for found in itertools.islice(itertools.chain(*(each.finditer(text) for each in _UNSEEN)), _MOST):
        shown = next(filter(None, found.groups()))
        if _commands(shown):
            what = "gives orders to a model where no reader of the page sees them"
            yield Remark("agent", what, one_line(shown, 200), line_at(text, found.start()), "", True)


def _commands(text: str) -> bool:
    """True for an order to a model: pictures of agents speak of them as well, and of what they read, run and send."""
    if not prose.addressed_to_agent(text):
        return False
    told = next(orders(text), None) is not None or prose.hostile_sentence(text) is not None
    return told or (_SPOKEN_TO.search(text) is not None and prose.acts(text))


def quotes(text: str, line: int, command: str) -> bool:
    """True where a page only speaks of a command.

    It stands in a quotation, in a paragraph or on a page about attacks, and the hosts that it names are reserved: it
    reaches nobody.
    """
    lines = text.split("\n")
    for at in range(max(0, line - 1), min(len(lines), line + 3)):
        quoted = [each.group() for each in _QUOTED.finditer(lines[at])]
        held = next((each for each in quoted if command[:10] in " ".join(each.split())), "")
        if not held:
            continue
        hosts = [next(filter(None, each.groups())) for each in _HOSTS.finditer(held)]
        spoken_of = (
            _SPOKEN_OF.search(_around(lines, at)) or _ABOUT_ATTACKS.search(_subject(lines)) or prose.overrides(held)
        )
        return bool(hosts) and all(map(_NOBODY.match, hosts)) and bool(spoken_of)
    return False


def _subject(lines: list[str]) -> str:
    """What a page is about, as far as its tags and headings say so."""
    first = lines.index("---", 1) + 1 if lines[:1] == ["---"] and "---" in lines[1:200] else 0
    tags = [line for line in lines[:first] if re.match(r"\s*(?:-\s|tags\s*:|task_categories\s*:)", line)]
    return "\n".join([*tags, *(line for line in lines[first : first + 400] if line.startswith("#"))])


def _around(lines: list[str], at: int) -> str:
    """The paragraph of a quotation without what is quoted there, and the one above where a table or list is quoted."""
    gaps, first = int(not _LISTED.match(lines[at])), at
    while first > 0 and at - first < 40 and gaps < 2:
        first -= 1
        gaps += not lines[first].strip()
    return "\n".join(_CODE.sub(" ", part).replace("|", " ") for part in lines[first : at + 1])


def _to_agents(text: str) -> Iterator[Remark]:
    """Orders in paragraphs that speak to agents, judged as in the files that agents look for."""
    at = 0
    for part in itertools.islice(re.split(r"(\n\s*\n)", text), 4000):
        if _AGENTS.search(part):
            first = text.count("\n", 0, at)
            yield from (msgspec.structs.replace(each, line=each.line + first) for each in orders(part))
        at += len(part)


def _rights(text: str) -> Iterator[Remark]:
    """What a container is shown of its host."""
    if found := root_mount(text):
        yield Remark(
            "root-mount",
            "shows a container the whole disk of its host",
            one_line(found.group(), 200),
            line_at(text, found.start()),
        )
    if keys := _KEYS_SHOWN.search(text):
        yield Remark(
            "root-mount", "shows a container the user's keys", one_line(keys.group(), 200), line_at(text, keys.start())
        )
    for found in itertools.islice(_SOCKET.finditer(text), _MOST):
        start = text.rfind("\n\n", 0, found.start()) + 1
        around = text[start : text.find("\n\n", found.end()) % (len(text) + 1)][:4000]
        for image in origin_remarks("markdown", around):
            if image.kind == "image":
                what = "hands the whole host to the image of a registry that is not known"
                yield Remark("socket", what, image.text, line_at(text, found.start()), image.host)


def _programs(text: str) -> Iterator[Remark]:
    """Programs that the reader is talked into."""
    for found in itertools.islice(_PROGRAM.finditer(text), _MOST):
        around = text[max(0, found.start() - 300) : found.end() + 500]
        if _TALKED_INTO.search(around):
            what = "talks its reader into a program"
            host = found["host"].lower() + "/".join(found.group().split("/")[3:5]).join(("/", ""))
            yield Remark("talked", what, one_line(found.group(), 200), line_at(text, found.start()), host)


def _given_away(text: str) -> Iterator[Remark]:
    """Credentials that the reader is to give to somebody who did not issue them."""
    for address in itertools.islice(prose.URL.finditer(text), 400):
        before = text[max(0, address.start() - 240) : address.start()].rpartition("\n")[2]
        wanted = next(iter(list(_WANTS.finditer(before))[-1:]), None)
        if wanted is None or not _TO.search(before, wanted.end()) or _TAKEN_FROM.search(before, wanted.end()):
            continue
        what, shown = "asks its reader for a credential", before[wanted.start() :] + address.group()
        shown = one_line(shown, 200)
        yield Remark("asks", what, shown, line_at(text, address.start()), visible(address.group(1).lower()))
