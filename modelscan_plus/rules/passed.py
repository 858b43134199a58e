"""What a program hands to functions of its other files: work that somebody asks for, what people enter in secret."""

from collections.abc import Iterator

import msgspec

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.formats.summaries import PythonSummary
from modelscan_plus.formats.text.python.facts import Effect, Entrusted, Taken
from modelscan_plus.rules.python_code import message_of, subject_of
from modelscan_plus.rules.python_grades import grade
from modelscan_plus.rules.tree import Tree, TreeContext, TreeFile, judges_tree

_ASKED = ("process", "code", "unpickle")


@judges_tree
def asked_by_way_of_others(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """A page is given a function of another file, which runs what it is told."""
    for file in tree.files.values():
        for summary in file.top(PythonSummary):
            for dotted in summary.passed:
                for holder, own, name in _functions(tree, file, dotted):
                    for effect in own.effects:
                        if effect.function == name and effect.kind in _ASKED and "parameter" in effect.flows:
                            told = msgspec.structs.replace(effect, flows=(*effect.flows, "request"))
                            yield from _finding(holder, told, context, f"{file.path} hands it what somebody asks.")


@judges_tree
def given_away_by_others(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """What people enter in one file is given away by a function of another."""
    for file in tree.files.values():
        for summary in file.top(PythonSummary):
            for entrusted in summary.entrusts:
                for _, own, name in _functions(tree, file, entrusted.function):
                    for taken in own.takes:
                        if taken.function == name and _meet(entrusted, taken, own):
                            yield from _finding(file, _given(entrusted, taken), context, "It does so in another file.")


def _meet(entrusted: Entrusted, taken: Taken, own: PythonSummary) -> bool:
    """True where the argument is what the parameter takes."""
    if entrusted.name:
        named = {each.parameter for each in own.takes if each.function == taken.function and each.place >= 0}
        return entrusted.name == taken.parameter or (taken.place < 0 and entrusted.name not in named)
    return entrusted.place == taken.place


def _given(entrusted: Entrusted, taken: Taken) -> Effect:
    return Effect(
        "send", entrusted.function, "call", entrusted.line, entrusted.code, f"{taken.address} what people enter",
        ("visitor",), keys=entrusted.keys, in_body=taken.keeps, discarded=taken.discarded,
    )  # fmt: skip


def _functions(tree: Tree, file: TreeFile, dotted: str) -> Iterator[tuple[TreeFile, PythonSummary, str]]:
    """The files of the repository that a function may stand in, by its dotted name as seen from a file."""
    module, _, name = dotted.rpartition(".")
    path = module.lstrip(".").replace(".", "/")
    for folder in dict.fromkeys((file.folder, "")) if path else ():
        for place in (f"{path}.py", f"{path}/__init__.py"):
            found = tree.find(folder, place)
            for summary in found.top(PythonSummary) if found is not None else ():
                if found is not None and name in summary.functions:
                    yield found, summary, name


def _finding(file: TreeFile, effect: Effect, context: TreeContext, because: str) -> Iterator[Finding]:
    rule, severity, hostile = grade(effect, reached=False)
    if severity.rank >= Severity.HIGH.rank:
        message = f"{message_of(effect, hostile)} {because}"
        yield context.finding(
            rule,
            file.path,
            message,
            TextEvidence(effect.code),
            subject=subject_of(effect),
            line=effect.line,
            severity=severity,
        )
