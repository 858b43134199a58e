"""Python code in a model repository: what it does, when, and whether a loader gets there.

What an effect weighs says python_grades.py, for a file that nothing leads to and for one that a loader reaches. The last
is known only when all files are in: rules/reach.py raises what a loader reaches.
"""

from collections.abc import Iterator

import msgspec

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.formats.text.python.facts import Disguise, Effect, PythonFacts
from modelscan_plus.rules.grades_times import origins
from modelscan_plus.rules.handed import is_odd
from modelscan_plus.rules.interface import Context, judges
from modelscan_plus.rules.python_grades import grade
from modelscan_plus.rules.python_rules import DISGUISED

_TIMES = {
    "import": "when the file is imported",
    "entry": "in a method that loaders and users of a model call",
    "call": "in a function",
    "main": "when the file is started as a program",
}

_RECORDERS = (
    "pynput.keyboard.Listener", "pynput.keyboard.Events", "keyboard.hook", "keyboard.on_press", "keyboard.on_release",
    "keyboard.record", "keyboard.start_recording", "keyboard.read_event",
)  # fmt: skip
"""Functions that tell each key which is pressed, in whatever program."""


def subject_of(effect: Effect) -> str:
    """What the effect is, free of line numbers."""
    return f"{effect.kind}\0{effect.name}\0{effect.function}\0{effect.argument[:80]}"


@judges(PythonFacts)
def effects(facts: PythonFacts, context: Context) -> Iterator[Finding]:
    """Each effect that is worth a word even if nothing leads to the file."""
    records = any(effect.name.startswith(_RECORDERS) for effect in facts.effects)
    for effect in facts.effects:
        if records and effect.kind == "send" and is_odd(effect) and not effect.hostile:
            effect = msgspec.structs.replace(
                effect, hostile="sends something away unasked, in a file that records keys"
            )
        rule, severity, hostile = grade(effect, reached=False)
        if severity is Severity.INFO:
            continue
        yield context.finding(
            rule,
            message_of(effect, hostile),
            TextEvidence(effect.code),
            subject=subject_of(effect),
            line=effect.line,
            severity=severity,
        )


def message_of(effect: Effect, hostile: str) -> str:
    """What the effect is, for a person."""
    what = f"{effect.name}({effect.argument})" if effect.argument else effect.name
    if effect.kind == "settings":
        return f"The code sets {effect.name} {_TIMES[effect.when]}."
    if effect.kind == "account":
        return (
            f"The code gives {effect.name} {_TIMES[effect.when]} a key or address that stands in the source, so that what "
            "it is told goes to its author."
        )
    if effect.kind == "trigger":
        return (
            f"The function {effect.name} waits for an input that stands in the source ({effect.argument}), and then gives an "
            "answer that stands there as well."
        )
    if effect.kind == "endless":
        return f"The code never comes to an end, or takes all memory, {_TIMES[effect.when]}."
    if effect.kind == "turn":
        return f"The function {effect.name} {effect.argument}." if effect.name else f"The code {effect.argument}."
    if effect.kind == "held":
        return (
            f"The code looks up or keeps {effect.name} {_TIMES[effect.when]}, and leaves open what calls it with what."
        )
    since = f", with values from {origins(set(effect.flows))}" if origins(set(effect.flows)) else ""
    why = f" It {hostile}." if hostile and not hostile.startswith(("a command", "hides")) else ""
    why = f" That is {hostile}." if hostile.startswith("a command") else why
    hidden = " Its name is put together or looked up by text." if effect.disguised else ""
    return f"The code calls {what} {_TIMES[effect.when]}{since}.{why}{hidden}"


@judges(PythonFacts)
def disguises(facts: PythonFacts, context: Context) -> Iterator[Finding]:
    """What hides the source from a reader."""
    for item in facts.disguises:
        yield context.finding(
            DISGUISED, _disguise(item), TextEvidence(item.text), subject=f"{item.kind}\0{item.detail}", line=item.line
        )


def _disguise(item: Disguise) -> str:
    return {
        "encoding": f"The source is written in {item.detail}, which decodes to other code than a reader sees.",
        "hidden": f"The source holds {item.detail}.",
        "far-right": f"There is {item.detail}.",
        "orders": f"The description of a tool gives orders to the model that reads it: {item.detail}",
        "encoded": f"A text decodes to code: {item.detail}",
        "verdict": f"A text of the source tells those who review it what to find: {item.detail}",
    }[item.kind]
