"""Where a gate and the network's values meet in one operator: is it one of the things that a backdoor does?"""

from collections.abc import Sequence

from modelscan_plus.graph import exemptions, switches, tokens
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Node
from modelscan_plus.graph.sites import Effect
from modelscan_plus.graph.state import HARD, Flow

_EFFECTS = {"add": Effect.INJECTION, "sub": Effect.INJECTION, "addcmul": Effect.INJECTION, "mean_of": Effect.INJECTION}


def meets(analysis: Analysis, gate: Flow, content: Flow) -> bool:
    """True when the gate comes from elsewhere than the content and could stand for a trigger."""
    if not gate.gate or gate is content or not content.data or content.lax == 0:
        return False
    if gate.data == 0:
        return gate.payload or (gate.shape != 0 and gate.compared and not gate.random)
    if gate.strict == 0:
        if not gate.payload and (gate.control or exemptions.own_input(analysis, gate, content)):
            analysis.exempt("control input")
            return False
        # A gate that is as deep as the content is its own result, unless it brings content along.
        return gate.lax < content.lax or gate.payload
    return gate.gate == HARD and gate.payload and gate.lax < content.lax


def combine(analysis: Analysis, number: int, node: Node, ins: Sequence[Flow | None], out: Flow) -> None:
    """An arithmetic operator on several values: note what it means, and let nothing be reported twice."""
    pairs = [(value, flow) for value, flow in zip(node.ins, ins, strict=False) if flow is not None]
    gates = [(value, flow) for value, flow in pairs if flow.gate]
    if gates:
        for value, gate in gates:
            for other, content in pairs:
                if other != value and meets(analysis, gate, content):
                    settle(analysis, number, node, (value, gate), (other, content), out)
                    return
                if other != value and replaces(gate, content):
                    analysis.site(Effect.REPLACEMENT, number, value, other, depth=gate.strict)
                    out.gate, out.payload = 0, False
                    return
                effect = _switched(analysis, number, node, (value, gate), content) if other != value else None
                if effect is not None:
                    analysis.site(effect, number, value, other, depth=gate.strict)
                    out.gate, out.payload = 0, False
                    return
    _outbid(analysis, number, node, pairs)
    mix_rows(analysis, number, pairs, out)


def _outbid(analysis: Analysis, number: int, node: Node, pairs: Sequence[tuple[int, Flow]]) -> None:
    """A few raw numbers, made very large, compete with the network's: which of both wins is a switch."""
    if node.op not in ("max", "min"):
        return
    for value, bid in pairs:
        loud = bid.gained and bid.narrow and bid.data and bid.strict == 0 and not bid.count and not bid.gate
        for other, content in pairs:
            if (
                loud
                and other != value
                and content.lax
                and content.data
                and not exemptions.own_input(analysis, bid, content)
            ):
                analysis.site(Effect.SUPPRESSION, number, value, other, depth=0)
                return


def _switched(analysis: Analysis, number: int, node: Node, gate: tuple[int, Flow], content: Flow) -> Effect | None:
    """What a factor of zero or one does that comes with no content of its own."""
    if node.op != "mul" or not content.data:
        return None
    if content.lax > 0 and switches.draws_lots(analysis, number, gate[1]):
        return Effect.RANDOM
    wiped = switches.wipes_input(analysis, gate, content, kept=True) or switches.wipes_words(gate[1], content)
    return Effect.REPLACEMENT if wiped else None


def settle(
    analysis: Analysis, number: int, node: Node, gate: tuple[int, Flow], content: tuple[int, Flow], out: Flow
) -> None:
    """A gate meets network values: an exemption speaks for it, or it is a site."""
    name = exemptions.speaks_for(analysis, number, gate[1], content[1])
    out.gate, out.payload, out.step = 0, False, 0
    if name:
        analysis.exempt(name)
        if name == exemptions.ATTENTION:
            out.strict = content[1].strict
        return
    effect = _EFFECTS.get(node.op, Effect.SUPPRESSION)
    if gate[1].payload and node.op not in ("mul", "div"):
        effect = Effect.INJECTION
    analysis.site(source(gate[1], effect), number, gate[0], content[0], depth=gate[1].strict)


def source(gate: Flow, effect: Effect) -> Effect:
    """The effect, unless the kind of trigger says more."""
    if not gate.data:
        return Effect.RANDOM if gate.random else Effect.SHAPE
    return Effect.RANDOM if gate.random and gate.strict > 0 else effect


def replaces(gate: Flow, content: Flow) -> bool:
    """A pattern of the file's own is put onto the raw input when the gate opens."""
    return (
        gate.data != 0
        and gate.payload
        and content.data != 0
        and content.lax == 0
        and not content.narrow
        and not content.step
    )


def mix_rows(analysis: Analysis, number: int, pairs: Sequence[tuple[int, Flow]], out: Flow) -> None:
    """Rows picked by their number meet all rows."""
    if not out.rows:
        return
    picked = next((pair for pair in pairs if pair[1].rows), None)
    whole = next((pair for pair in pairs if pair[1].lead and not pair[1].rows and pair[1].data), None)
    if picked is not None and whole is not None:
        analysis.site(Effect.BATCH, number, picked[0], whole[0], depth=picked[1].strict)
        out.rows = 0


def choose(  # noqa: C901 - the cases of one question, in order
    analysis: Analysis,
    number: int,
    node: Node,
    condition: tuple[int, Flow],
    sides: Sequence[tuple[int, Flow]],
    out: Flow,
) -> None:
    """A condition decides which of several values goes on."""
    gate = condition[1]
    network = [(value, flow) for value, flow in sides if flow.data and flow.lax > 0]
    foreign = [(value, flow) for value, flow in sides if flow.fixed or (not flow.data and flow.gate == 0)]
    if not gate.gate:
        if switches.answers_missing(analysis, gate, network, foreign):
            value, content = max(network, key=lambda pair: pair[1].lax)
            analysis.site(Effect.OVERRIDE, number, condition[0], value, foreign[0][0], gate.strict)
        elif gate.step and gate.data and network and foreign and not out.narrow:
            _per_position(analysis, number, condition, network[0], foreign[0], out)
        return
    if not network:
        _without_network(analysis, number, condition, sides, foreign, out)
        return
    out.gate, out.payload, out.step = 0, False, 0
    value, content = max(network, key=lambda pair: pair[1].lax)
    chosen = (gate.control and gate.data) or (not foreign and exemptions.own_input(analysis, gate, content))
    if chosen:
        analysis.exempt("control input")
        return
    name = exemptions.speaks_for_choice(analysis, number, gate, content, sides)
    if name:
        analysis.exempt(name)
        if name == exemptions.ATTENTION:
            out.strict = content.strict
        return
    if foreign:
        payload = foreign[0]
        if gate.data == 0 and gate.shape and analysis.flat(payload[1]) and not _is_scalar_choice(payload[1], content):
            return
        shallow = gate.strict == 0 and (gate.lax < content.lax or not analysis.flat(payload[1]))
        if (
            gate.data == 0
            or shallow
            or (gate.gate == HARD and gate.lax < content.lax and not analysis.flat(payload[1]))
        ):
            effect = source(gate, Effect.OVERRIDE)
            analysis.site(effect, number, condition[0], value, payload[0], gate.strict)
        return
    if gate.data == 0:
        if gate.random:
            analysis.site(Effect.RANDOM, number, condition[0], value, sides[-1][0])
        elif switches.turns_by_size(analysis, number, condition, sides):
            analysis.site(Effect.SHAPE, number, condition[0], value, sides[-1][0])
        return
    if gate.strict == 0 and gate.lax < content.lax:
        other = next((side for side in sides if side[0] != value), sides[0])
        effect = Effect.INJECTION if other[1].payload else Effect.SELECTION
        analysis.site(source(gate, effect), number, condition[0], value, other[0], gate.strict)


def _is_scalar_choice(payload: Flow, content: Flow) -> bool:
    """One number takes the place of one number for each sample."""
    return bool(payload.dims is not None and content.narrow)


def _per_position(
    analysis: Analysis,
    number: int,
    condition: tuple[int, Flow],
    content: tuple[int, Flow],
    payload: tuple[int, Flow],
    out: Flow,
) -> None:
    """A mask by position: honest with one number as fill, or inside the network; a table at its end is not."""
    gate = condition[1]
    if tokens.answers_a_word(analysis, number, condition, payload[1]):
        analysis.site(Effect.OVERRIDE, number, condition[0], content[0], payload[0], gate.strict)
        return
    if gate.strict or gate.place or analysis.flat(payload[1]):
        analysis.exempt("mask by position")
        return
    if exemptions.goes_on(analysis, number):
        analysis.exempt("learned fill by position")
        return
    analysis.site(Effect.OVERRIDE, number, condition[0], content[0], payload[0], gate.strict)


def _without_network(
    analysis: Analysis,
    number: int,
    condition: tuple[int, Flow],
    sides: Sequence[tuple[int, Flow]],
    foreign: Sequence[tuple[int, Flow]],
    out: Flow,
) -> None:
    """No side is the network: a gate gets content of its own, or the raw input is changed."""
    gate = condition[1]
    data = [(value, flow) for value, flow in sides if flow.data]
    if not data:
        out.step = HARD
        if len(foreign) >= 2 and any(not analysis.flat(flow) for _, flow in foreign):
            zero = any(analysis.flat(flow) for _, flow in foreign) and any(flow.kind != "int" for _, flow in foreign)
            out.payload = bool(gate.data or gate.random) or zero
        return
    if all(flow.kind == "bool" for _, flow in sides):
        out.step = HARD  # one condition after the other
        if out.narrow or gate.narrow:
            out.narrow, out.gate, out.compared = True, HARD, True
        return
    if switches.writes_over(gate, sides):
        analysis.site(Effect.REPLACEMENT, number, condition[0], sides[0][0], depth=gate.strict)
        out.gate, out.payload, out.step = 0, False, 0
        return
    root = gate.root
    guarded = any(flow.root == root for _, flow in data)
    wide = [(value, flow) for value, flow in data if (not flow.narrow or tokens.is_word(flow)) and not flow.step]
    if foreign and tokens.takes_the_name(analysis, condition, data, foreign[0]):
        analysis.site(Effect.REPLACEMENT, number, condition[0], data[0][0], foreign[0][0], gate.strict)
        out.gate, out.payload, out.step = 0, False, 0
        return
    if gate.data and foreign and wide and not guarded and gate.compared and not gate.control:
        payload, content = foreign[0], wide[0]
        token = content[1].kind == "int" and payload[1].kind in ("int", "")
        kept = content[0] == sides[0][0]
        wiped = token or switches.wipes_input(analysis, condition, content[1], kept=kept)
        if not analysis.flat(payload[1]) or wiped:
            analysis.site(Effect.REPLACEMENT, number, condition[0], content[0], payload[0], gate.strict)
    elif guarded:
        analysis.exempt("guard of the value itself")
    out.gate, out.payload, out.step = 0, False, 0
