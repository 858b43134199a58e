"""Archives: where readers see different contents, where members land, and what cannot be read."""

from collections.abc import Iterator

from modelscan_plus.core.finding import BytesEvidence, ComparisonEvidence, Evidence, Finding, Severity
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.archives.facts import ArchiveFacts, Problem
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.programs import PROGRAM_NAME

_APPNOTE = "https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT"

READERS_DISAGREE = Rule(
    id="MSP2001",
    slug="archive-readers-disagree",
    title="Readers of this archive see different contents",
    severity=Severity.HIGH,
    why=(
        "A zip says everything twice: before each member and in the directory at its end. Where the two differ, where "
        "a name stands twice or where there is more than one directory, one program unpacks what another never saw. "
        "That is how a payload passes a scanner and still reaches the loader. All versions were analysed here."
    ),
    fix="Do not load it. Unpack it with a tool that you trust, look at what you got, and pack it anew.",
    bad="directory: model/data.pkl, Deflate, 410 bytes\nlocal header: model/data.pkl, stored, 1,204 bytes",
    good="directory and local header agree; zeros in the local header where a data descriptor follows",
    cwe=("CWE-436", "CWE-345"),
    references=(_APPNOTE, "https://nvd.nist.gov/vuln/detail/CVE-2025-1944"),
)
LEAVES_FOLDER = Rule(
    id="MSP2002",
    slug="archive-member-leaves-folder",
    title="A member would be unpacked outside the folder",
    severity=Severity.HIGH,
    why=(
        "Unpacking with a tool that does not check names writes the member wherever its name leads: over a start-up "
        "script, a key file or a Python package. Links that lead out do it in two steps; devices and FIFOs have no "
        "place in a model."
    ),
    fix="Do not unpack it. Loaders that only read members are not affected, but no honest tool makes such names.",
    bad="../../home/user/.bashrc",
    good="model/data/../data.pkl stays inside; model/link -> data.pkl as well",
    cwe=("CWE-22", "CWE-59"),
    references=("https://cwe.mitre.org/data/definitions/22.html",),
)
OVERLAP = Rule(
    id="MSP2003",
    slug="archive-overlap",
    title="Members of the archive share bytes",
    severity=Severity.HIGH,
    why=(
        "No packer makes members that overlap. Many entries over the same compressed bytes make a small file that "
        "unpacks to terabytes without any nesting, and a header inside another member's data is seen by some readers "
        "only."
    ),
    fix="Do not unpack it.",
    bad="member a: bytes 0 to 21,000; member b: bytes 31 to 21,000",
    good="member a: bytes 0 to 410; member b: bytes 410 to 835",
    cwe=("CWE-409",),
    references=("https://www.usenix.org/conference/woot19/presentation/fifield",),
)
ENCRYPTED = Rule(
    id="MSP2004",
    slug="archive-encrypted-member",
    title="A member is encrypted",
    severity=Severity.MEDIUM,
    why=(
        "Nobody without the password can say what it is, and neither could a scanner on the way here. Whoever tells "
        "you the password asks you to skip the check."
    ),
    fix="Unpack it in a safe place and scan what comes out.",
    bad="weights.pkl, flag bit 0 set",
    good="weights.pkl, no flag set",
    cwe=("CWE-693",),
    references=(_APPNOTE,),
)
BAD_CHECKSUM = Rule(
    id="MSP2005",
    slug="archive-bad-checksum",
    title="A member's data does not fit its checksum",
    severity=Severity.MEDIUM,
    why=(
        "Either the file was damaged on its way, or someone changed bytes in place. Python's zipfile refuses such a "
        "member, PyTorch's reader takes it without a word; a scanner that stops at the error sees nothing."
    ),
    fix="Fetch the file again and compare its digest with the publisher's.",
    bad="model/data.pkl: CRC-32 1f2e3d4c in the directory, 9a8b7c6d of the data",
    good="model/data.pkl: both are 1f2e3d4c",
    cwe=("CWE-354",),
    references=("https://nvd.nist.gov/vuln/detail/CVE-2025-10156",),
)
MALFORMED = Rule(
    id="MSP2006",
    slug="archive-malformed",
    title="The archive is broken",
    severity=Severity.MEDIUM,
    why=(
        "Something that its format asks for is missing or impossible. Readers stop at different places, so what one of "
        "them reports need not be what another loads."
    ),
    fix="Fetch the file again. If it stays broken, do not use it.",
    bad="a zip that ends before its central directory",
    good="a zip with its central directory and end record",
    cwe=("CWE-20",),
    references=(_APPNOTE,),
)
TWIN_NAMES = Rule(
    id="MSP2010",
    slug="archive-twin-names",
    title="Two members have names that some systems take for one",
    severity=Severity.MEDIUM,
    why=(
        "The names differ only in upper and lower case, in slashes and backslashes, or in dots. On a file system that "
        "does not tell them apart the one overwrites the other when the archive is unpacked, and PyTorch's reader "
        "finds members without regard to case. So it is not sure which of the two is loaded. Both were analysed."
    ),
    fix="Ask the publisher which of the two is meant, and pack the archive anew with that one.",
    bad="model/data.pkl and model/DATA.PKL",
    good="model/data.pkl and model/data2.pkl",
    cwe=("CWE-178", "CWE-436"),
    references=("https://cwe.mitre.org/data/definitions/178.html",),
)

_BY_CODE = {
    "end-records": READERS_DISAGREE,
    "entry-count": READERS_DISAGREE,
    "names": READERS_DISAGREE,
    "headers": READERS_DISAGREE,
    "duplicate": READERS_DISAGREE,
    "local-only": READERS_DISAGREE,
    "sizes": READERS_DISAGREE,
    "version": READERS_DISAGREE,
    "twins": TWIN_NAMES,
    "leaves": LEAVES_FOLDER,
    "special": LEAVES_FOLDER,
    "overlap": OVERLAP,
    "encrypted": ENCRYPTED,
    "checksum": BAD_CHECKSUM,
    "corrupt": BAD_CHECKSUM,
    "directory": MALFORMED,
    "no-directory": MALFORMED,
    "no-local-header": MALFORMED,
    "outside": MALFORMED,
    "header": MALFORMED,
}


@judges(ArchiveFacts)
def archive_problems(facts: ArchiveFacts, context: Context) -> Iterator[Finding]:
    """One finding for each problem; those beyond what the parser keeps are counted in the last."""
    for number, problem in enumerate(facts.problems, 1):
        more = (
            f" {facts.omitted:,} further problems are counted only."
            if number == len(facts.problems) and facts.omitted
            else ""
        )
        member = f"Member {visible(shorten(problem.member, 160))}: " if problem.member else ""
        text = f"{member}{problem.message}"
        yield context.finding(
            _BY_CODE[problem.code],
            f"{text[:1].upper()}{text[1:]}.{more}",
            _evidence(problem, context),
            subject=f"{problem.code}\0{problem.member}",
            offset=problem.offset,
            severity=Severity.HIGH if problem.code == "encrypted" and PROGRAM_NAME.search(problem.member) else None,
        )


def _evidence(problem: Problem, context: Context) -> Evidence:
    window = context.hex_window(problem.offset, 16)
    if problem.accounts is None:
        return BytesEvidence(problem.message, window)
    left_label, left, right_label, right = (visible(shorten(part, 200)) for part in problem.accounts)
    return ComparisonEvidence(problem.message, left_label, left, right_label, right, window)
