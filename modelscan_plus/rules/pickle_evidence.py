"""Evidence of pickle findings: the decompiled program, the chain from import to call, opcodes and bytes."""

from modelscan_plus.core.finding import PickleEvidence, Severity
from modelscan_plus.core.report import Program, ProgramLine
from modelscan_plus.formats.pickle import render
from modelscan_plus.formats.pickle.disassemble import Disassembler
from modelscan_plus.formats.pickle.facts import Effect, PickleFacts
from modelscan_plus.formats.pickle.values import Call, Global
from modelscan_plus.rules.interface import Context
from modelscan_plus.rules.pickle_effects import Judgement
from modelscan_plus.rules.weights_only import readers

_LINES = 200
_AROUND = 6
_CHAIN = 6


def add_program(
    facts: PickleFacts, context: Context, severities: dict[int, Severity], disassembler: Disassembler
) -> str:
    """Put the decompiled pickle into the context's programs; returns its id."""
    number = len(context.programs) + 1
    marked = [index for index, effect in enumerate(facts.effects) if effect.offset in severities]
    shown = _shown(len(facts.effects), marked)
    lines = tuple(_line(facts.effects[index], severities) for index in shown)
    identity = f"p{number}"
    context.programs.append(
        Program(
            id=identity,
            target="",
            artifact="",
            members=context.artifact.members,
            offset=facts.start,
            lines=lines,
            omitted=len(facts.effects) - len(lines),
            readers=readers(facts, disassembler),
        )
    )
    return identity


def _shown(count: int, marked: list[int]) -> list[int]:
    """Indices of the effects that are shown: all of a short program, else the marked ones with their neighbours."""
    if count <= _LINES:
        return list(range(count))
    wanted: set[int] = set()
    for index in marked:
        if len(wanted) > _LINES:
            break
        wanted.update(range(max(0, index - _AROUND), min(count, index + _AROUND + 1)))
    return sorted(wanted)


def _line(effect: Effect, severities: dict[int, Severity]) -> ProgramLine:
    severity = severities.get(effect.offset)
    return ProgramLine(effect.offset, render.effect_line(effect), severity.value if severity else None)


def pickle_evidence(
    judgement: Judgement, disassembler: Disassembler, context: Context, program: str | None
) -> PickleEvidence:
    """How a person can check one judgement."""
    effect = judgement.effect
    function = effect.function if isinstance(effect, Call) else effect
    return PickleEvidence(
        callable=judgement.subject.replace(":", "."),
        arguments=render.arguments(effect) if isinstance(effect, Call) else "",
        opcode=effect.opcode if isinstance(effect, Call | Global) else "PERSID",
        import_offset=function.offset if isinstance(function, Global) else None,
        chain=_chain(effect),
        disassembly=disassembler.around(effect.offset),
        hex=context.hex_window(effect.offset),
        program=program,
    )


def _chain(effect: Effect) -> tuple[str, ...]:
    """From the first import to the effect, following the callables."""
    steps: list[str] = []
    current: object = effect
    while isinstance(current, Call | Global) and len(steps) < _CHAIN:
        how = current.opcode
        steps.append(f"{how} at byte {current.offset:,}: {render.effect_line(current)}")
        current = current.function if isinstance(current, Call) else None
    return tuple(reversed(steps))
