"""Reports for the tests of outputs: small, large, hostile, empty."""

import hashlib
from collections import Counter

import msgspec

from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.finding import (
    BytesEvidence,
    ComparisonEvidence,
    Evidence,
    Finding,
    HexWindow,
    Location,
    OpcodeLine,
    PickleEvidence,
    Severity,
    TextEvidence,
)
from modelscan_plus.core.probe import Bars, Passage, Picture, ProbeOutcome, ProbeReport, RoutineReport, Table
from modelscan_plus.core.report import (
    ArtifactReport,
    Decision,
    Program,
    ProgramLine,
    Reason,
    Report,
    Run,
    Summary,
    Suppressed,
    Target,
    Tool,
    Verdict,
)
from modelscan_plus.probe import png

HOSTILE = [
    "<script>document.title='owned'</script>",
    "\"><img src='http://127.0.0.1:{port}/x' onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "evil\u202etxt.exe\x1b[2J\x00\u2028",
    "]]><!--<svg onload=alert(1)>",
    "' onmouseover='alert(1)",
]
WINDOW = HexWindow(offset=16, data=bytes(range(48)).hex(), mark_start=5, mark_length=20)


def pickle_evidence(text: str = "posix.system", program: str | None = "p1") -> PickleEvidence:
    return PickleEvidence(
        callable=text,
        arguments="'true'",
        opcode="REDUCE",
        import_offset=10,
        chain=(f"STACK_GLOBAL at byte 10: from {text}", "REDUCE at byte 21: v1"),
        disassembly=(OpcodeLine(10, "STACK_GLOBAL"), OpcodeLine(21, "REDUCE", text, marked=True)),
        hex=WINDOW,
        program=program,
    )


def finding(
    number: int = 1,
    severity: Severity = Severity.CRITICAL,
    rule: str = "MSP1001",
    text: str = "posix.system",
    evidence: Evidence | None = None,
    artifact: str = "model.pkl",
) -> Finding:
    return Finding(
        id=f"f{number}",
        rule=rule,
        slug="pickle-dangerous-call",
        title="A title",
        severity=severity,
        default_severity=Severity.CRITICAL,
        target="t1",
        artifact=artifact,
        location=Location(members=("archive/data.pkl",), offset=21, length=4),
        message=f"calls {text}",
        evidence=evidence or pickle_evidence(text),
        remediation="Do not load it.",
        cwe=("CWE-502",),
        references=("https://docs.python.org/3/library/pickle.html",),
        subject=text,
        fingerprint=f"{number:032x}",
    )


def report(*findings: Finding, decision: Decision = Decision.DENIED, text: str = "model.pkl") -> Report:
    gap = CoverageReason("budget-opcodes", f"too much in {text}", executable=True)
    artifacts = (
        ArtifactReport("t1", text, 1234, ("pickle",), Coverage(CoverageState.ANALYSED, (), 1234), "ab" * 32),
        ArtifactReport("t1", "part.pkl", 99, ("pickle",), Coverage(CoverageState.PARTIAL, (gap,), 9)),
        ArtifactReport(
            "t1",
            "logo.png",
            5,
            ("png",),
            Coverage(CoverageState.NOT_ANALYSED, (CoverageReason("no-analyser", "a picture"),), 5),
        ),
    )
    return Report(
        tool=Tool("modelscan-plus", "0.1.0", "sha256:" + "0" * 64),
        now="2026-11-23T12:00:00Z",
        verdict=Verdict(
            decision, "full", (Reason("MSP9001", f"because of {text}"),), "sha256:" + "1" * 64, "builtin:default"
        ),
        targets=(Target("t1", text, "path", decision),),
        artifacts=artifacts,
        findings=findings,
        suppressed=(Suppressed(finding(99, text=text), f"accepted {text}", "policy", "a@corp", "2026-12-31"),),
        programs=(
            Program(
                "p1",
                "t1",
                "model.pkl",
                ("archive/data.pkl",),
                0,
                (
                    ProgramLine(10, f"from {text} import x"),
                    ProgramLine(21, f"v1 = x({text!r})", "critical"),
                ),
                3,
            ),
        ),
        notes=(Reason("MSP9006", f"a suppression of {text} matched nothing"),),
        summary=Summary(
            3,
            dict(Counter(entry.severity.value for entry in findings)),
            {"analysed": 1, "partial": 1, "not_analysed": 1},
            1300,
            ("MSP1009",),
        ),
        run=Run(1.5, {"python": "3.11"}, ("landlock",)),
    )


def every_kind() -> Report:
    """One finding for each kind of evidence."""
    kinds: list[Evidence] = [
        pickle_evidence(), BytesEvidence("a note", WINDOW),
        ComparisonEvidence("sizes", "left", "1", "right", "2", WINDOW),
        TextEvidence("a text"), BytesEvidence("no window"),
    ]  # fmt: skip
    whole = report(*(finding(number, evidence=kind) for number, kind in enumerate(kinds, 1)))
    return msgspec.structs.replace(whole, probes=(probe(),))


def probe(text: str = "class 7", **changes: object) -> ProbeReport:
    """A probe whose routines came to every outcome, with every kind of exhibit."""
    mask = png.encode(bytes(255 if x > 11 and y > 11 else 0 for y in range(16) for x in range(16)), 16, 16, 1)
    stamped = png.encode(bytes(value for at in range(1024) for value in (at % 256, 90, 200)), 32, 32, 3)
    values = (21.4, 23.0, 19.5, 26.1, 20.2, 3.1)
    exhibits = (
        Picture(title="recovered mask", png=mask, caption=f"white is where the trigger of {text} sits"),
        Picture(title="stamped sample", png=stamped),
        Bars(
            title="cost of a trigger by class",
            labels=(*(f"class {number}" for number in range(5)), text),
            values=values,
            unit="pixels",
            band=(15.0, 30.5),
            marked=(5,),
            caption="smaller is easier",
        ),
        Bars(title="change of the margin", labels=("up", "down"), values=(1.5, -0.5)),
        Table(
            title="flips by source and target",
            columns=("source", "target", "with the trigger", "without", "interval"),
            rows=(
                ("class 1", text, "19 of 20", "0 of 20", "0.76 to 0.99"),
                ("class 2", text, "20 of 20", "1 of 20", "…"),
            ),
            omitted=12,
            caption="on samples that the search has not seen",
        ),
        Passage(
            title="what the model wrote",
            text=f"user: hello {text}\nassistant: delete every file in the\n",
            caption=text,
        ),
    )
    made = [
        RoutineReport(
            routine=f"fake-{outcome.value}",
            title=f"Search for {outcome.value.replace('-', ' ')}",
            outcome=outcome,
            reason=f"because of {text}",
            families=("patch", "blend"),
        )
        for outcome in ProbeOutcome
    ]
    made[0] = msgspec.structs.replace(
        made[0],
        p_value=0.0004,
        p_adjusted=0.0012,
        target=text,
        trigger=text,
        success=0.97,
        steps=45_000,
        exhibits=exhibits,
    )
    return msgspec.convert(
        msgspec.to_builtins(
            ProbeReport(
                target="t1",
                artifact="model.onnx",
                kind="image-classifier",
                outcome=ProbeOutcome.FLAGGED,
                reason=f"one class, {text}, is reached by a trigger far smaller than any other",
                routines=tuple(made),
                untried=(f"all-to-all, {text}: it needs a reference model (--reference)", "length of the input"),
                facts=(("classes", "6"), ("input", "3 × 32 × 32"), ("samples", f"24 of {text}")),
                calibration="images-v1 sha256:" + "0" * 64,
                versions=(("torch", "2.13.0"),),
            )
        )
        | changes,
        ProbeReport,
    )


def large(count: int = 2000) -> Report:
    """Many findings of all severities in several files."""
    severities = list(Severity)
    made = [
        finding(
            number,
            severities[number * 5 // (count + 1)],
            "MSP1001" if number % 2 else "MSP1003",
            f"module{number}.call",
            artifact=f"file-{number % 7}.pkl",
        )
        for number in range(1, count + 1)
    ]
    return report(*made)


def hostile(port: int = 9) -> Report:
    """Every string that a model could bring is an attack."""
    texts = [text.replace("{port}", str(port)) for text in HOSTILE]
    made = [finding(number, text=text, artifact=text) for number, text in enumerate(texts, 1)]
    whole = report(*made, text="".join(texts))
    return msgspec.structs.replace(whole, probes=tuple(probe(text, artifact=text, kind=text) for text in texts))


def monstrous() -> Report:
    """Every part has more, and longer, entries than a page has room for, and they do not compress."""
    many = 1500
    texts = [hashlib.shake_256(str(number).encode()).hexdigest(1000) for number in range(many)]
    findings = tuple(finding(number, text=text, artifact=text) for number, text in enumerate(texts))
    lines = tuple(ProgramLine(number, f"v{number} = f('{'x' * 200}')", "high") for number in range(400))
    gap = Coverage(CoverageState.PARTIAL, tuple(CoverageReason("long", text, executable=True) for text in texts[:20]))
    whole = report(*findings)
    return msgspec.structs.replace(
        whole,
        verdict=msgspec.structs.replace(whole.verdict, reasons=tuple(Reason("MSP9001", text) for text in texts)),
        targets=tuple(Target(f"t{number}", text, "path", Decision.DENIED) for number, text in enumerate(texts)),
        artifacts=tuple(ArtifactReport("t1", text, 1, ("zip",) * 999, gap, text[:64]) for text in texts[:200]),
        suppressed=tuple(Suppressed(entry, entry.subject, "policy") for entry in findings),
        programs=tuple(Program(f"p{number}", "t1", "model.pkl", (), 0, lines) for number in range(1, 30)),
        notes=tuple(Reason("MSP9006", text) for text in texts),
        probes=tuple(probe(text * 3, reason=text * 4) for text in texts[:200]),
    )


def empty() -> Report:
    """Nothing was there."""
    return Report(
        tool=Tool("modelscan-plus", "0.1.0", "sha256:0"),
        now="2026-11-23T12:00:00Z",
        verdict=Verdict(Decision.INCOMPLETE, "full", (Reason("MSP9003", "nothing to scan"),), "sha256:1"),
        targets=(Target("t1", "empty", "path", Decision.INCOMPLETE),),
        artifacts=(),
        findings=(),
        summary=Summary(0, {}, {}, 0),
    )
