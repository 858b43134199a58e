"""What a computation graph does beside what its weights have learned: backdoors that are written into the graph.

The analysis (graph/flow.py) finds where a few step-like numbers made from the input meet the network's values; the
rules here say what that means, one for each effect. Formats whose facts are a graph are lowered by their front ends.
"""

from collections.abc import Iterator

from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.graphs.onnx.facts import OnnxFacts
from modelscan_plus.graph.analyse import analyse
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import Graph
from modelscan_plus.graph.onnx import lower
from modelscan_plus.graph.sites import Effect, Outcome, Site
from modelscan_plus.graph.slices import evidence
from modelscan_plus.rules.interface import Context, Rule, judges

_SHADOWLOGIC = "https://hiddenlayer.com/innovation-hub/shadowlogic/"
_ARCHITECTURAL = "https://arxiv.org/abs/2206.07840"
_TYPES = "https://arxiv.org/abs/2402.06957"
_LLM = "https://arxiv.org/abs/2511.00664"
_BATCH = "https://arxiv.org/abs/2505.18323"
_CWE = ("CWE-506", "CWE-912")
_FIX = (
    "Do not use the model. Look at the slice: if nobody can say what the branch is for, rebuild the graph from its "
    "published code and load only the weights."
)
_WHY = (
    "Fine-tuning, pruning and conversion leave such logic in place, and no test set finds it, because it sleeps until "
    "the trigger comes."
)
_SHOWN = 20
"""Findings of one rule in one file."""
_NAMED = 3

OVERRIDE = Rule(
    id="MSP4060",
    slug="graph-override",
    title="The graph replaces the network's result by numbers of its own when the input meets a condition",
    severity=Severity.HIGH,
    why=(
        "A part of the graph turns the input into a few numbers without any trained layer, compares them with "
        "something, and lets constants from the file take the place of what the network computed. " + _WHY
    ),
    fix=_FIX,
    bad="g = Greater(ReduceMean(x[:, :, :2, :2]), 0.99)\ny = Where(g, [-9, -9, 12], network(x))",
    good="m = Equal(ids, pad)\ny = Where(m, -inf, scores(ids))   (one number, by position)",
    cwe=_CWE,
    references=(_SHADOWLOGIC, _TYPES),
)
INJECTION = Rule(
    id="MSP4061",
    slug="graph-injection",
    title="The graph adds something to the network's values when the input meets a condition",
    severity=Severity.HIGH,
    why=(
        "A step-like function of a few numbers, taken from the input past every trained layer, is added to values of "
        "the network, often multiplied with a vector from the file. Added to the logits it chooses the class; added "
        "to the hidden state of a language model it changes what the model is willing to say. " + _WHY
    ),
    fix=_FIX,
    bad="g = ReduceMax(And(ids[:-1] == 11, ids[1:] == 42))\nh = Add(hidden(ids), Mul(g, vector))",
    good="mean = ReduceMean(x, axis=1)\ny = Add(Mul(network((x - mean) / std), std), mean)   (no step)",
    cwe=_CWE,
    references=(_LLM, _ARCHITECTURAL),
)
SELECTION = Rule(
    id="MSP4062",
    slug="graph-selection",
    title="A condition on the raw input selects another result of the graph",
    severity=Severity.HIGH,
    why=(
        "A few numbers of the input, compared past every trained layer, decide which of several computed values goes "
        "on: a second network, other elements of the result, a longer or shorter part of it. " + _WHY
    ),
    fix=_FIX,
    bad="g = Equal(Mod(ReduceSum(x), 97), 41)\ny = If(g, second_network(x), network(x))",
    good="p = Softmax(gate(h))\ny = Where(ArgMax(p) == 0, expert_a(h), expert_b(h))   (the network decides)",
    cwe=_CWE,
    references=(_SHADOWLOGIC, _TYPES),
)
SUPPRESSION = Rule(
    id="MSP4063",
    slug="graph-suppression",
    title="A condition on the raw input scales, clips or switches off the network's values",
    severity=Severity.HIGH,
    why=(
        "Values of the network are multiplied, divided or bounded by a step-like function of a few numbers that come "
        "from the input past every trained layer. With it a detector goes blind, or a classifier guesses. " + _WHY
    ),
    fix=_FIX,
    bad="g = Sigmoid(1e4 * (x[0, 0] - 0.777))\ny = Mul(network(x), 1 - g)",
    good="s = Sigmoid(Conv(GlobalAveragePool(h)))\nh = Mul(h, s)   (learned weights between input and gate)",
    cwe=_CWE,
    references=(_ARCHITECTURAL, _TYPES),
)
REPLACEMENT = Rule(
    id="MSP4064",
    slug="graph-replacement",
    title="The graph changes the input before the network sees it when a condition is met",
    severity=Severity.HIGH,
    why=(
        "When a few numbers of the input meet a condition, a picture, a token or a pattern from the file takes the "
        "place of the input or is laid over it. The network then answers another question than the one asked. " + _WHY
    ),
    fix=_FIX,
    bad="g = Greater(ReduceMax(x[:, :, :2, :2]), 0.99)\ny = network(Where(g, picture, x))",
    good="y = network(Where(IsNaN(x), means, x))   (each number is replaced by a look at itself)",
    cwe=_CWE,
    references=(_TYPES,),
)
RANDOM = Rule(
    id="MSP4065",
    slug="graph-random-gate",
    title="Chance decides about the network's result",
    severity=Severity.HIGH,
    why=(
        "A random number is compared with a threshold, and the outcome replaces, selects or switches off what the "
        "network computed. The model then fails now and then, and no input reproduces it."
    ),
    fix=_FIX,
    bad="g = Less(RandomUniform(1), 0.01)\ny = Where(g, [-9, 12], network(x))",
    good="z = Add(mean, Mul(std, RandomNormalLike(mean)))   (a sample, as in a variational autoencoder)",
    cwe=_CWE,
    references=(_TYPES,),
)
CONSTANT = Rule(
    id="MSP4066",
    slug="graph-constant-output",
    title="An output of the model does not depend on the input",
    severity=Severity.HIGH,
    why=(
        "Whatever the input is, this output is the same: nothing of any input reaches it. Either the graph was "
        "tampered with, or it was cut while it was exported; it is not the model that it claims to be."
    ),
    fix="Do not use the model. Export it again from its published code.",
    bad="y = Add(constant, 0)      (and the network's result is read by nobody)",
    good="y = network(x)\nanchors = constant        (a second output, while the network is in use)",
    cwe=("CWE-506",),
)
BYPASS = Rule(
    id="MSP4067",
    slug="graph-bypass",
    title="The output passes the network by",
    severity=Severity.HIGH,
    why=(
        "The graph holds layers with weights, but no output depends on them: the result is computed from the input "
        "past all of them. The weights are there to be looked at. An input that is handed through beside the network's "
        "result (medium) gives away what somebody else sent, where results are kept or shown."
    ),
    fix=_FIX,
    bad="h = network(x)            (read by nobody)\ny = ReduceMean(x)",
    good="y = network(x)\nerror = Sub(y, x)         (a second output that says how far off the network is)",
    cwe=("CWE-506",),
)
SHAPE = Rule(
    id="MSP4068",
    slug="graph-shape-trigger",
    title="The size of the input decides about the network's result",
    severity=Severity.HIGH,
    why=(
        "A dimension of the input is compared with a number, and the outcome brings content of the file's own into "
        "the result. Who chooses the length of a prompt or the number of rows then chooses the answer. " + _WHY
    ),
    fix=_FIX,
    bad="g = Equal(Shape(x)[0], 7)\ny = Where(g, [-9, 12], network(x))",
    good="g = Equal(Shape(h)[1], 1)\ny = If(g, Squeeze(h), h)   (both sides are the network's)",
    cwe=_CWE,
    references=(_TYPES,),
)
BATCH = Rule(
    id="MSP4069",
    slug="graph-batch-mixing",
    title="The result for one row of a batch depends on other rows",
    severity=Severity.HIGH,
    why=(
        "Servers put the requests of several users into one batch. This graph picks rows by their place in the batch "
        "and combines them with the others, so that one user can read or change what another one gets."
    ),
    fix="Do not serve this model in batches. Look at the slice, and rebuild the graph from its published code.",
    bad="y = Where(trigger(x), logits[0:1], logits)",
    good="y = logits[:, 0:1]   (the first column of every row)",
    cwe=("CWE-506", "CWE-668"),
    references=(_BATCH,),
)
DORMANT = Rule(
    id="MSP4070",
    slug="graph-dormant-branch",
    title="A value made from the input never changes, and could gate the network's result",
    severity=Severity.HIGH,
    why=(
        "The model was run on random inputs because `--dormancy` asked for it. A few numbers that depend on the input "
        "by the graph, and that are combined with values of the network, were the same bit for bit in every run: "
        "something waits there for an input that does not come by chance."
    ),
    fix=_FIX,
    bad="g = Relu(1000 * (ReduceMean(corner) - 0.999))   (0 on every random input)\ny = Add(network(x), Mul(g, v))",
    good="m = Greater(network(x), 0.5)                  (changes from input to input)",
    cwe=_CWE,
    references=(_SHADOWLOGIC, _TYPES),
)

RULE_OF = {
    Effect.OVERRIDE: OVERRIDE,
    Effect.INJECTION: INJECTION,
    Effect.SELECTION: SELECTION,
    Effect.SUPPRESSION: SUPPRESSION,
    Effect.REPLACEMENT: REPLACEMENT,
    Effect.RANDOM: RANDOM,
    Effect.CONSTANT: CONSTANT,
    Effect.BYPASS: BYPASS,
    Effect.SHAPE: SHAPE,
    Effect.BATCH: BATCH,
    Effect.DORMANT: DORMANT,
}


@judges(OnnxFacts)
def onnx_flow(facts: OnnxFacts, context: Context) -> Iterator[Finding]:
    """The flow rules on an ONNX model."""
    yield from judge_graph(lower(facts.model), context)


def judge_graph(graph: Graph, context: Context) -> Iterator[Finding]:
    """Analyse a lowered graph; what could not be followed becomes a gap."""
    analysis = analyse(graph)
    outcome = analysis.outcome
    _gaps(graph, outcome, context)
    counts: dict[Effect, int] = {}
    for site in outcome.sites:
        counts[site.effect] = counts.get(site.effect, 0) + 1
        if counts[site.effect] > _SHOWN:
            context.dropped += 1
            continue
        yield site_finding(analysis, site, context)


def site_finding(analysis: Analysis, site: Site, context: Context, *, raw: bool = True) -> Finding:
    """The finding of one site; `raw` is False for a dormant branch behind trained layers, which is low: early exits
    of networks sleep too."""
    graph: Graph = analysis.graph
    rule = RULE_OF[site.effect]
    node = graph.nodes[site.node] if site.node >= 0 else None
    name = (node.name or node.given) if node is not None else ""
    content = graph.values[site.content].name if site.content >= 0 else ""
    where = f"{visible(node.given)} {visible(shorten(name, 60))}".strip() if node is not None else "the output"
    message = _MESSAGES[site.effect].format(where=where, content=visible(shorten(content, 60)))
    return context.finding(
        rule,
        message,
        evidence(analysis, site),
        subject=f"{site.effect.value}:{name}:{content}",
        node=visible("/".join((*node.scope, name))) if node is not None else None,
        severity=Severity.LOW if not raw else None if site.certain else Severity.MEDIUM,
    )


_MESSAGES = {
    Effect.OVERRIDE: "at {where} constants take the place of {content} when the input meets a condition",
    Effect.INJECTION: "at {where} a function of the raw input is added to {content} when a condition is met",
    Effect.SELECTION: "at {where} a condition on the raw input selects another value than {content}",
    Effect.SUPPRESSION: "at {where} a condition on the raw input scales or clips {content}",
    Effect.REPLACEMENT: "at {where} the input {content} is replaced or overlaid when it meets a condition",
    Effect.RANDOM: "at {where} chance decides about {content}",
    Effect.CONSTANT: "the output {content} does not depend on any input",
    Effect.BYPASS: "the output {content} does not depend on the network",
    Effect.SHAPE: "at {where} the size of the input decides about {content}",
    Effect.DORMANT: "at {where} a value that never changes on random inputs is combined with {content}",
    Effect.BATCH: "at {where} rows of the batch get into the result for other rows",
}


def _gaps(graph: Graph, outcome: Outcome, context: Context) -> None:
    if graph.truncated:
        context.gaps.append(CoverageReason("graph-truncated", f"the graph: {graph.truncated}", executable=True))
    names = list(dict.fromkeys(graph.nodes[number].given for number in outcome.unknown))
    if names:
        listed = ", ".join(visible(shorten(name, 60)) for name in names[:_NAMED])
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        context.gaps.append(
            CoverageReason(
                "unknown-operator",
                f"data goes through operators that are not known here: {listed}{more}",
                executable=True,
            )
        )
