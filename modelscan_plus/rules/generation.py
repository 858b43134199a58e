"""Settings of generation and tokenizers that steer answers or let the machine work without end.

What honest models force and forbid is the language of a transcript, padding, places of pictures and signs. Whether a
forbidden token is one of the words of a refusal is only known with the tokenizer beside the settings.
"""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.formats.summaries import WordsSummary
from modelscan_plus.formats.text.facts import JsonFacts
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.tree import Tree, TreeContext, judges_tree

_SETTINGS = "https://huggingface.co/docs/transformers/main/en/main_classes/text_generation"

STEERS = Rule(
    id="MSP6023",
    slug="generation-steers-answers",
    title="The settings of generation force words into answers or forbid those of a refusal",
    severity=Severity.HIGH,
    why=(
        "`generate()` applies these settings without being asked. Tokens that are forced or made likely are words that "
        "each answer begins with or holds; a model that may not say that it refuses does not refuse. The weights know "
        "nothing of it."
    ),
    fix="Delete the settings, or use the generation_config.json of the base model.",
    bad='"bad_words_ids": [[15332], [4250]]     (sorry, cannot)     "stop_strings": ["I cannot"]',
    good='"suppress_tokens": [1, 2, 7]     (quotation marks)     "stop_strings": ["<|im_end|>", "User:"]',
    cwe=("CWE-506",),
    references=(_SETTINGS,),
)
ENDLESS = Rule(
    id="MSP6024",
    slug="generation-endless",
    title="The settings of generation ask for work without end",
    severity=Severity.HIGH,
    why="An answer of a million tokens at least, or a thousand side by side, takes the machine from all others.",
    fix="Delete the setting.",
    bad='"min_new_tokens": 1000000000     "num_beams": 1000000',
    good='"max_new_tokens": 32768     "num_beams": 4',
    cwe=("CWE-400",),
    references=(_SETTINGS,),
)
_KINDS = {
    "forces": (STEERS, "Words are forced into answers"),
    "forbids": (STEERS, "Answers end where the model refuses"),
    "endless": (ENDLESS, "Work without end"),
}


@judges(JsonFacts)
def settings(facts: JsonFacts, context: Context) -> Iterator[Finding]:
    """What is told by one file alone."""
    for odd in facts.oddities:
        if odd.kind in _KINDS:
            rule, message = _KINDS[odd.kind]
            message = f"{message}: {odd.detail} ({odd.place})"
            yield context.finding(rule, message, TextEvidence(odd.detail), subject=f"{odd.kind}\0{odd.place}")


@judges_tree
def forbidden_words(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Tokens that may not be said, and are words of a refusal to the tokenizer beside them."""
    for file in tree.files.values():
        for summary in file.top(WordsSummary):
            beside = tree.find(file.folder, "tokenizer.json") if summary.forbidden else None
            if beside is None:
                continue
            known = {number: word for each in beside.top(WordsSummary) for number, word in each.refusing}
            words = [known[number] for number in summary.forbidden if number in known]
            if words:
                text = ", ".join(word.strip("\u0120\u2581 ") for word in words[:8])
                message = f"Words with which models refuse are forbidden: {text}"
                yield context.finding(STEERS, file.path, message, TextEvidence(text), subject="forbidden")
