"""A page whose files together give away what it asks for: one holds the field, another sends what is entered."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.formats.summaries import TextSummary
from modelscan_plus.formats.text.page_parts import Sending
from modelscan_plus.rules.credentials import of_service
from modelscan_plus.rules.script_rules import RUNS_IN_VIEWER
from modelscan_plus.rules.tree import Tree, TreeContext, TreeFile, judges_tree


@judges_tree
def given_away_by_scripts(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """What fields for something secret hold, and a script of the repository sends to another host."""
    parts = [
        (file, summary.page)
        for file in tree.files.values()
        for summary in file.top(TextSummary)
        if summary.page is not None
    ]
    asked = {(field, file.folder) for file, page in parts for field in page.asks}
    gives = {each.function: each for _, page in parts for each in page.sends if not each.field and each.host}
    for file, page in parts if asked else ():
        for each in page.sends:
            if not any(each.field == field and _beside(file, folder) for field, folder in asked):
                continue
            goes = gives.get(each.function) if each.function else each
            if goes is not None and not goes.read and not each.read and not of_service_only(goes.host):
                yield _finding(file, each, goes.host, context)


def of_service_only(host: str) -> bool:
    """True for a service's own host, and not one at which anybody is told something."""
    return of_service(host) and host not in _COLLECTS


_COLLECTS = ("api.telegram.org", "discord.com", "discordapp.com")


def _beside(file: TreeFile, folder: str) -> bool:
    """True for a script in the page's folder, or below it."""
    return not folder or file.folder == folder or file.folder.startswith(f"{folder}/")


def _finding(file: TreeFile, sent: Sending, host: str, context: TreeContext) -> Finding:
    message = f"The script gives what visitors enter in secret to {host}: {sent.text}"
    subject = f"entered\0{sent.field}\0{host}"
    shown = TextEvidence(sent.text)
    return context.finding(
        RUNS_IN_VIEWER, file.path, message, shown, subject=subject, line=sent.line, severity=Severity.HIGH
    )
