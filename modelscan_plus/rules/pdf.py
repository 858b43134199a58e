"""PDF documents that act when a person opens them."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.pdf import PdfFacts
from modelscan_plus.rules.interface import Context, Rule, judges

_ACTIONS = "https://opensource.adobe.com/dc-acrobat-sdk-docs/library/pdfmark/pdfmark_Actions.html"
STARTS = Rule(
    id="MSP5080",
    slug="pdf-starts-program",
    title="The PDF document starts a program or opens a file of another machine",
    severity=Severity.HIGH,
    why=(
        "An action of the document starts a program of the reader's machine with arguments from the document, or makes "
        "Windows log in at another machine to fetch a file, with a hash of the password. Papers and manuals need "
        "neither."
    ),
    fix="Do not open the document outside of a browser's reader. Ask its author for one without the action.",
    bad="/OpenAction << /S /Launch /Win << /F (cmd.exe) /P (/c …) >> >>",
    good="/A << /S /URI /URI (https://arxiv.org/abs/1706.03762) >>",
    cwe=("CWE-78", "CWE-506"),
    references=(_ACTIONS,),
)
SCRIPTS = Rule(
    id="MSP5081",
    slug="pdf-runs-script",
    title="The PDF document holds JavaScript",
    severity=Severity.MEDIUM,
    why=(
        "Acrobat and other readers run it, and faults of readers are reached that way. Forms and animations have some; "
        "the papers and manuals of models hardly do."
    ),
    fix="Open the document in a browser's reader, or ask its author for one without scripts.",
    bad="/OpenAction << /S /JavaScript /JS (app.launchURL(…)) >>",
    good="/OpenAction [3 0 R /Fit]",
    cwe=("CWE-506",),
    references=(_ACTIONS,),
)
_WHAT = {"launch": "starts a program or file", "share": "opens a file of another machine", "script": "runs JavaScript"}

_LEAVES = lazy(
    r"launchURL|submitForm|getURL|mailMsg|mailDoc|exportDataObject|importDataObject|Net\.HTTP|SOAP\.|openDoc\s*\(|execMenuItem|unescape\s*\(|"
    r"\beval\s*\(|String\.fromCharCode|getIcon|Collab\.|util\.printf|media\.newPlayer|spell\.customDictionaryOpen"
)
"""What a script of a document reaches other machines or programs by, or breaks readers with. Forms do so when a button
is pressed."""


@judges(PdfFacts)
def acts(facts: PdfFacts, context: Context) -> Iterator[Finding]:
    """One finding for each kind of action."""
    for kind, what in _WHAT.items():
        found = [action for action in facts.actions if action.kind == kind]
        if found:
            sends = kind == "script" and facts.opening and any(_LEAVES.search(action.text) for action in found)
            more = f", {len(found)} times" if len(found) > 1 else ""
            yield context.finding(
                SCRIPTS if kind == "script" else STARTS,
                f"The document {what}{' when it opens' if facts.opening else ''}{more}: {found[0].text}",
                TextEvidence("\n".join(action.text for action in found)),
                subject=f"{kind}\0{found[0].text}",
                severity=Severity.HIGH if sends else None,
            )
