"""Remarks about what a text has a shell do, followed over all of its parts."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import one_line, visible
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.kept import unread
from modelscan_plus.formats.text.roles import SCRIPTS
from modelscan_plus.formats.text.shell.deeds import perform
from modelscan_plus.formats.text.shell.machine import Machine, Told
from modelscan_plus.formats.text.shell.marks import NONE, Mark, Marks, Value, of_path
from modelscan_plus.formats.text.shell.pieces import LARGEST, Piece, pieces

CLIENT = lazy(
    r"\b(?:curl|wget|aria2c|scp|rsync|nc|ncat|socat|openssl|dig|nslookup|git\s+clone|certutil|bitsadmin|powershell)\b",
    re.I,
)
"""Programs that talk to other machines, as commands inside of other programs name them."""
_WORTH = lazy(
    r"curl|wget|gdown|aria2c|\baxel\b|\bhttps?\s|\bxh\s|\bnc\b|ncat|netcat|socat|s_client|telnet|/dev/(?:tcp|udp)|\bdig\b|nslookup|\bhost\s|\bssh\s|"
    r"\bscp\s|\bsftp\s|rsync|rclone|\baws\s|gsutil|azcopy|s3cmd|\bgh\s|huggingface-cli|\bhf\s|croc|wormhole|\bmailx?\s|mutt|sendmail|\bl?ftp\s|"
    r"\bgit\s+(?:clone|push)|\badd\s|lynx|w3m|urlretrieve|getstore|source_url|fetchurl|\bnpx\b|\bnpm\b|\buvx?\b|pipx|bunx|pnpm|\bdeno\b|"
    r"\bgo\s+(?:run|install)|cargo\s+install|\brpm\b|certutil|bitsadmin|\bping\b|lwp-|get_url|invoke-|downloadfile|downloadstring|webclient|bitstransfer|\bi[wr][rm]\b|\bpip\s+download|urlopen",
)
"""Words of texts in small letters: folding both cases in the pattern takes twice as long."""
RUNS = "runs a program that it downloads"
RUNS_PACKED = "runs something out of an archive or clone that it downloads"
RUNS_UNPACKED = "runs a program out of an archive that it downloads"
RUNS_CLONED = "runs a script out of a clone that it fetches"
KEEPS = "puts what it downloads where something else runs it later"
HANDS = "hands a secret to a program that it downloads"
SENDS = "sends secrets or the environment away"
ASKED = "runs what somebody else writes"
"""Of what is run: where it came from is no host but a person."""
CHECKED = ", whose digest it compares"


def worth(text: str) -> bool:
    """False for a text that has nothing to do with other machines."""
    return _WORTH.search(text.lower()) is not None


def shell_remarks(role: str, name: str, text: str, variables: Mapping[str, Value] | None = None) -> Iterator[Remark]:
    """What the commands of a text do together. `variables` are set before."""
    if variables or worth(text):
        if len(text) > LARGEST and role in SCRIPTS:
            yield unread(f"of the script only the first {LARGEST:,} characters are followed")
        yield from remarks_of(done(pieces(role, name, text), files=_mounted(text), variables=variables))


_MOUNT = lazy(
    r"(?P<from>(?:~|\$\{?(?:localEnv:|env:)?(?:HOME|USERPROFILE)\}?|/root|/home/[\w-]+)/\.[\w./-]+):(?P<to>/[\w./-]+)|"
    r"\b(?:source|src)=(?P<source>[^,\s\"']+),(?:[^,\s\"']+,)*(?:target|dst|destination)=(?P<target>/[^,\s\"']+)|"
    r"^[^\S\n]*[\"']?(?P<place>/[\w./-]+)[\"']?\s*:\s*[\"']?(?P<own>(?:~|\$\{?HOME\}?)/\.[\w./-]+)",
    re.M,
)
"""A file or folder of the user that is seen in a container or on another machine, and where."""


def _mounted(text: str) -> dict[str, Marks]:
    """By place in the container, what is shown there."""
    made: dict[str, Marks] = {}
    for found in itertools.islice(_MOUNT.finditer(text), 100):
        own, place = (
            next(filter(None, found.group(*names))) for names in (("from", "source", "own"), ("to", "target", "place"))
        )
        if marks := of_path(own):
            made[place] = marks
    return made


def followed(parts: Iterable[Piece], given: Marks = NONE) -> Iterator[Remark]:
    """What these parts do, one after the other."""
    return remarks_of(done(parts, given))


def done(
    parts: Iterable[Piece],
    given: Marks = NONE,
    files: Mapping[str, Marks] | None = None,
    variables: Mapping[str, Value] | None = None,
) -> list[Told]:
    """The same as it is; gone through twice, for what a loop or recipe makes further down. `files` are there before."""
    machine = Machine(perform)
    machine.variables.update(variables or {})
    machine.mounted.update(files or {})
    for path, marks in (files or {}).items():
        machine.write(path, marks, path, 1)
    kept = [part for part in parts if part.text.strip()]
    for _ in range(2):
        machine.again()
        for part in kept:
            machine.here = NONE if part.line == 1 else machine.here
            machine.text(part.text, given, part.line)
    unread = [Told("unread", machine.unread, 1, "", Mark("fetched", ""))] if machine.unread else []
    return [*machine.told.values(), *unread]


def remarks_of(found: Iterable[Told]) -> Iterator[Remark]:
    """Remarks about what was found."""
    return (_remark(told) for told in found)


_BUILDS = lazy(
    r"… (?:sudo )?(?:make|cmake|ninja|meson|\./configure|\./config|\./bootstrap\S*|\./autogen\S*|\S*/configure|(?:python\S* -m )?pip\S*|python\S* \S*setup\.py|cargo|go|npm)\b"
)
"""What sources are built and installed with."""


def _run(told: Told) -> str:
    """What is run, by where it lay."""
    if not _BUILDS.search(told.shown) and told.mark.packed:
        return RUNS_UNPACKED if told.mark.packed == "archive" else RUNS_CLONED
    return RUNS_PACKED if told.mark.packed else RUNS


def _remark(told: Told) -> Remark:
    if told.deed == "unread":
        return unread(told.shown)
    shown = one_line(told.shown, 160)
    host = visible(told.host)
    if told.deed == "sends" and told.mark.kind == "key":
        return Remark("key", f"sends {visible(told.mark.what)} along with a request", shown, told.line, host)
    if told.deed == "sends":
        return Remark("command", SENDS, shown, told.line, host)
    if told.deed == "installs":
        return Remark("requirement", "is installed from an address, not from an index", shown, told.line, host)
    if host == ASKED:
        return Remark("asked", ASKED, shown, told.line)
    what = {"keeps": KEEPS, "hands": HANDS}.get(told.deed) or _run(told)
    if told.mark.checked:
        what += CHECKED
    return Remark("command", what, shown, told.line, host)
