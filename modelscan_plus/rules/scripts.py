"""Scripts, model cards, requirements and other texts of a repository: what they make people and programs do.

In 2026 model repositories with clean weights led readers to run a script beside them. A command is graded by what it does
and where it stands: the page of a project says "curl … | sh" about known installers; about an unknown host, unseen in a
comment, or with a hidden window nobody honest does.
"""

import re
from collections.abc import Callable, Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.agents import BY_AGENT
from modelscan_plus.formats.text.facts import Remark, TextFacts
from modelscan_plus.formats.text.origins import COMMANDED, private
from modelscan_plus.formats.text.remarks import POSES
from modelscan_plus.formats.text.shell import told
from modelscan_plus.rules.credentials import goes_elsewhere, of_service
from modelscan_plus.rules.hosts import institution, listed
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.modules import acts
from modelscan_plus.rules.python_rules import NATIVE
from modelscan_plus.rules.script_rules import (
    ASKS,
    CALLS,
    COMMAND,
    HIDDEN_ORDERS,
    INDEX,
    LOOKALIKE,
    MISLEADING_LINK,
    ODD_ADDRESS,
    ORIGIN,
    PRIVILEGES,
    PROTECTION_OFF,
    REQUIREMENT,
    RUNS_IN_VIEWER,
    SITE_PATH,
    STARTS_FILE,
    STRANGERS,
    TAKES_OVER,
)

_CONCEALED = lazy(
    r"curl|wget|https?:|/tmp/|/dev/shm|base64|\beval\s|/\.\w|authorized_keys|CurrentVersion|schtasks|powershell", re.I
)
"""Marks of what is started later without having come with the page."""
_FETCHING = lazy(
    r"\b(?:curl|wget|nc|ncat|socat)\s|/dev/tcp/|base64\s+(?:-d|--decode)|\b(?:python|perl)[\d.]*\s+-[ce]\b", re.I
)
"""What no setting of a shell has a use for."""
_OUT_OF_SIGHT = lazy(
    r"/\.\w|\bnohup\b|\bsetsid\b|\bmktemp\b|base64|/dev/shm|/(?:var/)?tmp/\S*\s+&(?!&)|(?<!&)&\s*(?:\)|$)|(?:\$env:|%)(?:TEMP|TMP|APPDATA|LOCALAPPDATA|PROGRAMDATA|PUBLIC)\b|certutil|bitsadmin",
    re.I,
)
"""Places and ways by which nobody sees what was fetched before it runs."""
_BARE = lazy(r"(?:curl|wget)(?:\s+-\w+)*\s*\|\s*(?:sudo\s+)?(?:ba)?sh\b", re.I)
"""The form of a command, spoken of: nothing in it could be run."""
_INSTEAD = lazy(r"(?<!extra-)(?<!extra_)index[-_]url|\s-i[\s=]|\bUV_(?:DEFAULT_)?INDEX\b(?!_)", re.I)
"""The index that all packages come from is exchanged."""
_INSTALLS = lazy(r"\b(?:pip3?|uv)\b[^\n]{0,200}?\b(?:install|download|sync|add)\b")
_EXCHANGED = lazy(r"ENDPOINT|insteadOf", re.I)
"""Everything that would come from the hub, or from where sources are kept, comes from another host."""
Grader = Callable[[Remark, str], tuple[Rule, Severity]]


def _command(remark: Remark, role: str) -> tuple[Rule, Severity]:
    if remark.what.startswith(
        (told.RUNS, told.RUNS_PACKED, told.RUNS_UNPACKED, told.RUNS_CLONED, told.KEEPS, told.HANDS)
    ):
        return COMMAND, _fetched(remark, role)
    fetches = remark.what in ("runs what it downloads, unseen", "downloads a file and runs it at once")
    if remark.what == prose.STARTS_LATER and role == "markdown" and not remark.unseen:
        return COMMAND, Severity.HIGH if _CONCEALED.search(remark.text) else Severity.MEDIUM
    if remark.what == prose.STARTS_LATER and not remark.unseen:
        # Settings of a shell are what installation pages change; a key that a variable holds is the user's own.
        own = (re.search(r"bashrc|zshrc|profile", remark.text) and not _FETCHING.search(remark.text)) or (
            "authorized_keys" in remark.text and "$" in remark.text
        )
        return COMMAND, Severity.MEDIUM if own else Severity.HIGH
    if remark.what == prose.ALL_RIGHTS and role == "dockerfile":
        return COMMAND, Severity.LOW  # a container's user is nobody on the machine
    if remark.unseen or not fetches:
        return COMMAND, Severity.HIGH
    if listed("installers", remark.host) or (role in ("markdown", "text") and _BARE.fullmatch(remark.text)):
        return COMMAND, Severity.INFO
    if listed("code", remark.host):
        return COMMAND, Severity.MEDIUM
    if remark.what.startswith("downloads a file") and not remark.host.startswith("http:"):
        hidden = _OUT_OF_SIGHT.search(remark.text) is not None or role in (
            "settings",
            "dockerfile",
        )  # nobody types what settings run
        return COMMAND, Severity.HIGH if hidden else Severity.MEDIUM
    return COMMAND, Severity.HIGH


def _fetched(remark: Remark, role: str) -> Severity:
    """Of something that is run after it was fetched: by where it came from, and whether a person could look at it."""
    if listed("installers", remark.host) or listed("mirrors", remark.host):
        return Severity.INFO
    known = listed("code", remark.host) or listed("indexes", remark.host) or institution(remark.host)
    if known and remark.what.startswith((told.RUNS_PACKED, told.RUNS_CLONED)):
        return Severity.INFO  # a project that is cloned and built
    if known or told.CHECKED in remark.what:
        return Severity.MEDIUM
    odd = remark.host.startswith("http:") or prose.odd_host(remark.host.partition("/")[0]) is not None
    packed = (told.RUNS_PACKED, told.RUNS_UNPACKED, told.RUNS_CLONED) if role == "markdown" else (told.RUNS_PACKED,)
    if remark.what in packed and not odd and _OUT_OF_SIGHT.search(remark.text) is None:
        return Severity.MEDIUM  # sources and tools are handed out in archives and clones
    return Severity.HIGH


def _index(remark: Remark, role: str) -> tuple[Rule, Severity]:
    if listed("indexes", remark.host):
        return INDEX, Severity.LOW
    # Vendors tell readers of their pages about indexes beside the usual one, and firms have some; one that takes its place, bare
    # addresses and plain http are nobody's.
    plain = remark.host.startswith("http:") or re.search(r"//[\d.]+[:/]", remark.text)
    extra = not _INSTEAD.search(remark.text)
    installs = role == "settings" and (remark.text.startswith("- -") or _INSTALLS.search(remark.text))
    read = (
        (role in ("markdown", "text") and extra) or (role == "settings" and not installs)
    ) and remark.what != BY_AGENT
    return INDEX, Severity.MEDIUM if read and not plain else Severity.HIGH


def _origin(remark: Remark, role: str) -> tuple[Rule, Severity]:
    # Vendors tell readers about registries of their own; the endpoint of the hub is shown the reader's token, and has few mirrors.
    odd = remark.host.startswith("http:") or prose.odd_host(remark.host.partition("/")[0]) is not None
    mild = (
        role == "markdown"
        and remark.what != BY_AGENT
        and not odd
        and not _EXCHANGED.search(remark.text)
        and not remark.text.startswith(COMMANDED)
    )
    return ORIGIN, Severity.MEDIUM if private(remark.host) or institution(remark.host) or mild else Severity.HIGH


def _talked(remark: Remark, role: str) -> tuple[Rule, Severity]:
    known = listed("installers", remark.host) or listed("code", remark.host) or institution(remark.host)
    return STARTS_FILE, Severity.MEDIUM if known else Severity.HIGH


def _requirement(remark: Remark, role: str) -> tuple[Rule, Severity]:
    if listed("code", remark.host) or listed("indexes", remark.host):
        return REQUIREMENT, Severity.LOW
    return REQUIREMENT, Severity.HIGH


def _hidden(remark: Remark, role: str) -> tuple[Rule, Severity]:
    # Without a message in them, zero-width characters are mostly leftovers of copying.
    by_kind = {"tags": Severity.HIGH, "bidi": Severity.MEDIUM if role in ("markdown", "source") else Severity.HIGH}
    return HIDDEN_ORDERS, by_kind.get(remark.host, Severity.LOW)


def _address(remark: Remark, role: str) -> tuple[Rule, Severity]:
    return ODD_ADDRESS, Severity.HIGH if remark.unseen else Severity.MEDIUM


def _started(remark: Remark, role: str) -> tuple[Rule, Severity]:
    return STARTS_FILE, Severity.MEDIUM


def _shortcut(remark: Remark, role: str) -> tuple[Rule, Severity]:
    return STARTS_FILE, Severity.HIGH if role in ("windows-script", "shortcut") else Severity.MEDIUM


def _link(remark: Remark, role: str) -> tuple[Rule, Severity]:
    # Pages move and are shortened; a host that carries the shown one's name, or none that a person could read, poses.
    return MISLEADING_LINK, Severity.HIGH if remark.what.endswith(POSES) else Severity.MEDIUM


def _calls(remark: Remark, role: str) -> tuple[Rule, Severity]:
    # What hydra.utils looks up stands in another line; the functions of the machine itself leave no doubt.
    return CALLS, Severity.MEDIUM if remark.host.startswith("hydra.utils") else Severity.CRITICAL


def _fixed(rule: Rule) -> Grader:
    return lambda remark, role: (rule, rule.severity)


_GRADERS: dict[str, Grader] = {
    "command": _command,
    "asked": lambda remark, role: (STRANGERS, Severity.HIGH),
    "askable": lambda remark, role: (STRANGERS, Severity.MEDIUM),
    "hidden": _hidden,
    "encoded": _fixed(HIDDEN_ORDERS),
    "agent": _fixed(HIDDEN_ORDERS),
    "link": _link,
    "calls": _calls,
    "url": _address,
    "endpoint": lambda remark, role: (ODD_ADDRESS, Severity.MEDIUM if role == "markdown" else Severity.HIGH),
    "script": _fixed(RUNS_IN_VIEWER),
    "evaluable": lambda remark, role: (CALLS, Severity.INFO),  # telling where code of the repository evaluates files
    "active": lambda remark, role: (RUNS_IN_VIEWER, Severity.HIGH),
    "visitor": lambda remark, role: (RUNS_IN_VIEWER, Severity.HIGH),
    "frame": lambda remark, role: (RUNS_IN_VIEWER, Severity.HIGH),
    "native": lambda remark, role: (NATIVE, Severity.HIGH if "command" in remark.what else Severity.MEDIUM),
    "key": lambda remark, role: (COMMAND, Severity.HIGH),
    "site-import": _fixed(SITE_PATH),
    "requirement": _requirement,
    "lookalike": _fixed(LOOKALIKE),
    "image": _origin,
    "socket": lambda remark, role: (PRIVILEGES, Severity.HIGH),
    "quoted": lambda remark, role: (COMMAND, Severity.LOW),
    "talked": _talked,
    "system": lambda remark, role: (TAKES_OVER, Severity.HIGH),
    "client": lambda remark, role: (ODD_ADDRESS, Severity.HIGH),
    "asks": lambda remark, role: (ASKS, Severity.HIGH),
    "source": _origin,
    "index": _index,
    "privilege": _fixed(PRIVILEGES),
    "root-mount": lambda remark, role: (PRIVILEGES, Severity.HIGH),
    "protection": _fixed(PROTECTION_OFF),
    "shortcut": _shortcut,
    "start": _started,
    "modelfile": lambda remark, role: (
        ODD_ADDRESS,
        Severity.HIGH if prose.odd_url(remark.text) or "http:" in remark.text.lower() else Severity.MEDIUM,
    ),
}


@judges(TextFacts)
def remarks(facts: TextFacts, context: Context) -> Iterator[Finding]:
    """One finding for each remark."""
    for remark in facts.remarks:
        if tells(remark):
            yield of_remark(remark, facts.role, context)


def tells(remark: Remark) -> bool:
    """False for a call that only builds something, a key that is shown to its own service, and sources that are known."""
    if remark.kind in ("asks", "client"):
        return not (of_service(remark.host) or private(remark.host.removeprefix("http:").partition(":")[0]))
    if remark.kind in ("image", "source", "socket"):
        kinds = ("images",) if remark.kind != "source" else ("sources", "indexes", "mirrors", "code", "installers")
        return not any(listed(kind, remark.host) for kind in kinds)
    if remark.kind == "calls":
        return acts(remark.host)
    if remark.kind == "visitor":
        return not of_service(remark.host)
    if remark.kind == "frame":
        return not listed("frames", remark.host) and not of_service(remark.host)
    return remark.kind != "key" or goes_elsewhere(remark.what.split()[1], remark.host)


def of_remark(remark: Remark, role: str, context: Context) -> Finding:
    """The finding for one remark, whichever format made it."""
    rule, severity = _GRADERS[remark.kind](remark, role)
    unseen = ". It stands where no reader of the page sees it." if remark.unseen else ""
    return context.finding(
        rule,
        f"The text {remark.what}: {remark.text.rstrip('.') if unseen else remark.text}{unseen}",
        TextEvidence(remark.text),
        subject=f"{remark.kind}\0{remark.text[:120]}",
        line=remark.line,
        severity=severity,
    )
