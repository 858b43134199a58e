"""What follows for what code does that a loader gets to (reached.py says which that is): it weighs more."""

import re
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import visible
from modelscan_plus.formats.summaries import ConfigSummary, FollowedSummary, PythonSummary
from modelscan_plus.formats.text.python.cached import OWN_CACHE
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.follow.alone import adds_nothing
from modelscan_plus.formats.text.python.pings import OPTED_IN
from modelscan_plus.formats.text.python.places import PACKAGE
from modelscan_plus.rules.config import OTHER_LIBRARY
from modelscan_plus.rules.grades_code import NO_LIST
from modelscan_plus.rules.grades_system import is_named
from modelscan_plus.rules.handed import is_odd
from modelscan_plus.rules.inside import address, expanded
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.named import EVERY, named_functions
from modelscan_plus.rules.python_code import message_of, subject_of
from modelscan_plus.rules.python_grades import grade, is_of_server
from modelscan_plus.rules.python_rules import NATIVE
from modelscan_plus.rules.reached import (
    FOLDER,
    NETWORK,
    OF_CLOUD,
    SERVED,
    SERVER,
    SPACE,
    TOOL,
    config_references,
    extends_comfy,
    is_known,
    local_file,
    only_imported,
    reached_code,
    sources,
)
from modelscan_plus.rules.tree import Tree, TreeContext, TreeFile, judges_tree

MISSING_CODE = Rule(
    id="MSP5032",
    slug="named-code-missing",
    title="The configuration names code that is not in the repository",
    severity=Severity.MEDIUM,
    why=(
        "Loading with remote code fails today. Whoever may write to the repository can add the file tomorrow, and those "
        "who have allowed remote code by then will run it without having read it."
    ),
    fix="Pin the revision, or load the model with a class that the library has built in.",
    bad='"auto_map": {"AutoModel": "modeling_x.XModel"}   and no modeling_x.py',
    good='"auto_map": {"AutoModel": "modeling_x.XModel"}   with modeling_x.py beside it',
    cwe=("CWE-829",),
    references=("https://huggingface.co/docs/transformers/main/en/models#custom-models",),
)


@judges_tree
def raise_reached(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """What a file does weighs more when a loader gets there."""
    tree = expanded(tree)
    imported = only_imported(tree)
    named = named_functions(tree)
    nodes = extends_comfy(tree)
    for path, way in reached_code(tree).items():
        file = tree.files[path]
        names = named[path][1] if path in named else frozenset[str]()
        for effect, called in _effects(file, imported=path in imported, called=names, loaded=True):
            listed = effect.name == "builtins.eval" and "file" in effect.flows
            if listed and "oken" not in f"{way} {file.name}":  # AutoTokenizer, tokenization_x.py
                effect = msgspec.structs.replace(effect, flows=(*effect.flows, NO_LIST))
            served = (
                (way == SERVER and effect.kind not in NETWORK)
                or (way == SPACE and (effect.kind in NETWORK or (effect.kind == "settings" and is_of_server(effect))))
                or (way.startswith(TOOL) and effect.kind in NETWORK)
                or (way.startswith(SERVED if not nodes else (*SERVED, FOLDER)) and is_of_server(effect))
                or (OF_CLOUD.search(way) is not None and is_of_server(effect))
            )
            because = f"A loader gets there: {way}."
            if effect.kind == "code" and not all(is_known(tree, file, path) for path in sources(effect)):
                effect = msgspec.structs.replace(effect, flows=(*effect.flows, "file"))  # it is not here to be judged
            yield from _weighed(file, effect, context, because, reached=called and not served)


@judges_tree
def served(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """What functions that something outside calls do by way of other files."""
    tree = expanded(tree)
    reached = reached_code(tree)
    for path, file in tree.files.items():
        for summary in file.top(FollowedSummary) if path not in reached else ():
            for effect in summary.effects:
                yield from _weighed(file, effect, context, "Who asks the program gets there.", reached=False)


@judges_tree
def raise_patched(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """What an import changes in a package that is named is another's, but for a program below a folder of that name.

    A loader runs code below a name of its own, so what it reaches means the installed package in any folder."""
    reached = reached_code(tree)
    for path, file in tree.files.items():
        for effect, _ in _effects(file) if path not in reached else ():
            if effect.kind == "patch" and effect.when == "import" and is_named(effect):
                folders = {PACKAGE + folder for folder in file.folder.split("/")}
                if not folders.issuperset(flow for flow in effect.flows if flow.startswith(PACKAGE)):
                    yield from _weighed(file, effect, context, "No folder around it is called so.", reached=True)


def _weighed(file: TreeFile, effect: Effect, context: TreeContext, because: str, *, reached: bool) -> Iterator[Finding]:
    """A finding of what a file does, or the one that there is raised, where it weighs more than the file alone says."""
    rule, severity, hostile = grade(effect, reached=reached)
    if severity is Severity.INFO:
        return
    subject = subject_of(effect)
    known = {(finding.subject, finding.location.line): finding for finding in file.findings}
    finding = known.get((visible(subject), effect.line)) or known.get((subject, effect.line))
    if finding is None or (finding.rule != rule.id and severity.rank > finding.severity.rank):
        message = f"{message_of(effect, hostile)} {because}"
        evidence = TextEvidence(effect.code)
        at, members = address(file)
        yield context.finding(
            rule, at, message, evidence, subject=subject, line=effect.line, severity=severity, members=members
        )
    elif finding.rule == rule.id and severity.rank > finding.severity.rank:
        told = msgspec.structs.replace(finding, message=message_of(effect, hostile))
        yield context.raised(told, severity, because)


def _effects(
    file: TreeFile, *, imported: bool = False, called: frozenset[str] = frozenset(), loaded: bool = False
) -> Iterator[tuple[Effect, bool]]:
    """What the file does by itself, and what it does besides when it is called from other files; each with whether it
    happens, which in a file that is only `imported` and not called takes a call that was followed.

    `called` are the functions that settings name; in a file that is `loaded`, functions that do what none has a reason to
    count as called, because the user of what was loaded may call any."""
    worst: dict[tuple[int, str], int] = {}
    named: dict[tuple[int, str, str], list[Effect]] = {}
    for effect in (effect for summary in file.top(PythonSummary) for effect in summary.effects):
        asked = bool(called) and _is_called(effect, called)
        odd = not imported and loaded and is_odd(effect) and not _is_left_open(effect)
        if effect.when == "call" and (asked or odd):
            effect = msgspec.structs.replace(effect, when="entry")
        happens = not imported or effect.when == "import" or asked
        yield effect, happens
        named.setdefault((effect.line, effect.kind, effect.name), []).append(effect)
        place = (effect.line, effect.kind)
        worst[place] = max(worst.get(place, 0), grade(effect, reached=happens)[1].rank)
    for summary in file.top(FollowedSummary):
        for effect in summary.effects:
            same = named.get((effect.line, effect.kind, effect.name), ()) if not imported else ()
            known = any(
                adds_nothing(each, effect)
                or (OPTED_IN in each.flows and not effect.flows)
                or (OWN_CACHE in each.flows and not effect.hostile)
                for each in same
            )
            happens = not effect.handed
            rank = grade(effect, reached=happens)[1].rank
            if not known and rank > worst.get((effect.line, effect.kind), 0):
                worst[effect.line, effect.kind] = rank  # each way there is the same call
                yield effect, happens


def _is_left_open(effect: Effect) -> bool:
    """True for a function that runs the code which its caller hands it: where the file calls it, that is told there."""
    return effect.kind == "code" and effect.flows == ("parameter",)


def _is_called(effect: Effect, called: frozenset[str]) -> bool:
    """True for what stands in a function that settings name, or in a method of a class that they name."""
    first = effect.function.partition(".")[0]
    return first in called or (EVERY in called and bool(first) and not first.startswith("_"))


@judges_tree
def unfinished(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Code that could not be followed to its end is not fully analysed."""
    for file in expanded(tree).files.values():
        for summary in file.top(FollowedSummary):
            if summary.unfinished:
                message = f"what its code calls was not followed to its end: {'; '.join(summary.unfinished[:3])}"
                context.gaps[address(file)[0]] = CoverageReason("python-steps", message, executable=True)
    yield from ()


@judges_tree
def raise_built(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """C source that starts a program weighs more when a loader compiles and loads it."""
    if not any(_builds(tree.files[path]) for path in reached_code(tree)):
        return
    for file in tree.files.values():
        for finding in file.findings:
            if finding.rule == NATIVE.id and finding.subject.startswith("native\0"):
                yield context.raised(finding, Severity.HIGH, "Code that a loader gets to compiles native code.")


def _builds(file: TreeFile) -> bool:
    """True for code that compiles native code when it is imported, built or installed."""
    return file.name == "setup.py" or any(
        effect.kind == "native-build" and effect.when in ("import", "entry")
        for summary in file.top(PythonSummary)
        for effect in summary.effects
    )


@judges_tree
def raise_evaluated(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Expressions in lists weigh more when code that a loader gets to evaluates what it reads from files."""
    if not any(_evaluates(tree.files[path]) for path in reached_code(tree)):
        return
    for file in tree.files.values():
        for finding in file.findings:
            if finding.subject.startswith("evaluable\0"):
                yield context.raised(finding, Severity.HIGH, "Code that a loader gets to evaluates what files hold.")


def _evaluates(file: TreeFile) -> bool:
    return any(
        effect.kind == "code" and "file" in effect.flows and effect.when in ("import", "entry")
        for summary in file.top(PythonSummary)
        for effect in summary.effects
    )


@judges_tree
def missing_code(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Local code that is not there; a lone file says nothing about its neighbours."""
    if len(tree.files) < 2:
        return
    for file, key, value in config_references(tree):
        if not key.startswith("auto_map") or "--" in value or not re.fullmatch(r"\w+(?:\.\w+)+", value):
            continue
        if local_file(tree, file, value) is None:
            module = value.rpartition(".")[0]
            message = f"The key {key} names {value}, but there is no {module}.py."
            yield context.finding(
                MISSING_CODE, file.path, message, TextEvidence(f"{key}: {value}"), subject=f"{key}\0{value}"
            )


_SHIPS_MODULES = lazy(
    r"^(?:InstructorEmbedding|FlagEmbedding|colbert|gritlm|llm2vec|tevatron|angle_emb|uniem|text2vec|mteb|embetter|keybert|sparsembed|"
    r"neural_cherche|colpali_engine|multilingual_clip|fastembed|light_embed|nomic|mixedbread|bertopic|tokenlearn|wordllama|sentence_compression|"
    r"custom_\w+|modeling_\w+|modules?|models?|pooling)\b"
)
"""Libraries whose classes a modules.json names, and what people call the file that they forget."""


@judges_tree
def modules_of_nobody(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """A module of an embedding model that neither a known library nor the repository has: whoever takes its name is run."""
    if len(tree.files) < 2:
        return
    for file in tree.files.values():
        subjects = {
            f"{reference.key}\0{reference.value}"
            for summary in file.top(ConfigSummary) if file.name == "modules.json"
            for reference in summary.code
            if local_file(tree, file, reference.value) is None and not _SHIPS_MODULES.match(reference.value)
        }  # fmt: skip
        for finding in file.findings if subjects else ():
            if finding.rule == OTHER_LIBRARY.id and finding.subject in subjects | set(map(visible, subjects)):
                because = (
                    "No file of the repository and no library that is known here has it: whoever takes its name is run."
                )
                yield context.raised(finding, Severity.HIGH, because)
