"""Two files of one model that hold its words: what one program reads is not to be another text to the next."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.formats.summaries import VocabularySummary
from modelscan_plus.formats.text.vocabularies import exchanged
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.tree import Tree, TreeContext, TreeFile, judges_tree

WORDS_DIFFER = Rule(
    id="MSP6025",
    slug="vocabularies-exchange-words",
    title="Two tokenizers of one model have words in each other's places",
    severity=Severity.HIGH,
    why=(
        "A repository holds its words more than once: for transformers, for SentencePiece, for llama.cpp. Conversion "
        "keeps their numbers. Where a few words of one file stand under each other's numbers in the other, the model "
        "says yes for no to those who use that file, and its weights know nothing of it."
    ),
    fix="Use the tokenizer of the base model, or convert it again.",
    bad='tokenizer.json  "yes": 9891, "no": 912        tokenizer.model  912 yes, 9891 no',
    good="tokenizer.json has added tokens behind the last word of tokenizer.model",
    cwe=("CWE-506",),
    references=("https://huggingface.co/docs/tokenizers/index",),
)
_MOST = 40


@judges_tree
def words_differ(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """Every vocabulary against the first one in its folder, and GGUF files against that of the root."""
    first: dict[str, tuple[TreeFile, VocabularySummary]] = {}
    held = [(file, summary) for file in tree.files.values() for summary in file.top(VocabularySummary)]
    for file, summary in held[:_MOST]:
        other = first.setdefault(file.folder, (file, summary))
        if other[0] is file and "gguf" in file.formats:
            other = first.get("", other)
        if other[0] is file or not (ranges := exchanged(other[1], summary)):
            continue
        places = ", ".join(f"{low:,}-{high:,}" for low, high in ranges[:6])
        message = f"Words with the numbers {places} stand in another order than in {other[0].path}."
        yield context.finding(WORDS_DIFFER, file.path, message, TextEvidence(places), subject=other[0].path)
