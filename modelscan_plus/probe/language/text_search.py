"""What is searched in a text classifier: from the job's files to the routine over tokens.

Importing this reads the table of honest models and the reader of samples; the sandbox lets no file be opened later.
"""

import random
from collections.abc import Sequence

import torch

from modelscan_plus.core.probe import ProbeOutcome
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe import samples
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Job, NotProbed
from modelscan_plus.probe.language import carriers, compose, evidence, natural, statistic
from modelscan_plus.probe.language.classifier import Classifier
from modelscan_plus.probe.language.evidence import Material
from modelscan_plus.probe.language.load import LoadedModel, read_tensor
from modelscan_plus.probe.language.search import SIZE
from modelscan_plus.probe.language.searches import Searches
from modelscan_plus.probe.language.text_tokens import TextTokens
from modelscan_plus.probe.weights import open_checkpoint

_HINTS = 24
"""Moved rows that lead the search."""
_COMPOSED = 36
"""Texts of each class, where the user gives none."""
_UNTRIED = (
    "style and syntax: no tokens carry them",
    "length, position, dates and look-alike letters: only tokens of the vocabulary are put in",
    "triggers of more than three tokens: only what parts of them do",
)
_NULL = statistic.load()
samples.preload()


def searches(job: Job, loaded: LoadedModel) -> Searches:
    """The routine and what is known of the texts. Raises NotProbed."""
    classes = len(loaded.labels)
    if classes < 2:
        raise NotProbed("it has one output, not classes", ProbeOutcome.NOT_APPLICABLE)
    loaded.model.to(job.spec.device)
    material, mode = _material(job, loaded)
    labels = tuple(shorten(visible(label), 40) for label in loaded.labels)
    given = f"{len(material.carriers):,} that it puts where they belong"
    return Searches(
        routines=(TextTokens(material, labels, mode, job.spec.budget, job.spec.seed),),
        untried=_UNTRIED,
        facts=(
            ("tokens", f"{len(material.vocabulary.allowed):,} are searched"),
            ("texts", "composed from the vocabulary, as none were given" if mode == "composed" else given),
            ("coverage", f"{len(material.reached)} of {classes} classes are reached"),
            ("moved rows", f"{len(material.hints)} lead the search" if material.hints else "none, without a reference"),
        ),
        calibration=_NULL.name,
    )


def _material(job: Job, loaded: LoadedModel) -> tuple[Material, str]:
    pad = loaded.config.pad_token_id
    if not isinstance(pad, int):
        raise NotProbed("it names no padding token, without which texts cannot stand side by side")
    classes = len(loaded.labels)
    classifier = Classifier(loaded.model, pad, classes, job.spec.device)
    vocabulary = carriers.open_vocabulary(loaded.tokenizer, len(classifier.rows))
    longest = max(4, min(carriers.LONGEST, loaded.max_length - SIZE))
    source = random.Random(job.spec.seed)
    if job.samples is None:
        ids = compose.compose(classifier, vocabulary, _COMPOSED, longest, job.spec.seed)
        texts = carriers.classified(classifier, ids, vocabulary.special, source)
        return evidence.prepare(classifier, vocabulary, texts, None), "composed"
    given, numbers = _texts(job.samples, loaded.labels)
    ids = carriers.encode(loaded.tokenizer, given, pad, longest)
    texts = carriers.classified(classifier, ids, vocabulary.special, source)
    if numbers is not None:
        texts = texts.where(texts.labels == torch.tensor(numbers))
    explained = natural.explained(texts, classes, len(classifier.rows))
    hints = _moved(job.references, loaded, classifier.rows.cpu())
    return evidence.prepare(classifier, vocabulary, texts, explained, hints), "hints" if hints else "samples"


def _texts(files: ModelFiles, labels: Sequence[str]) -> tuple[list[str], list[int] | None]:
    """The user's texts, evenly thinned, with their classes by name or number."""
    found = samples.read_texts(files)
    step = -(-len(found.texts) // carriers.MOST_TEXTS)
    texts = list(found.texts[::step])
    if found.labels is None:
        return texts, None
    places = {label.strip().lower(): place for place, label in enumerate(labels)}
    return texts, [_number(name, places, len(labels)) for name in found.labels[::step]]


def _number(name: str, places: dict[str, int], classes: int) -> int:
    text = name.strip().lower()
    if text in places:
        return places[text]
    digits = text.removesuffix(".0")
    if digits.isascii() and digits.isdecimal() and len(digits) < 9 and int(digits) < classes:
        return int(digits)
    raise NotProbed(f"samples: {shorten(visible(name), 40)!r} is no class of the model")


def _moved(references: Sequence[ModelFiles], loaded: LoadedModel, rows: torch.Tensor) -> tuple[int, ...]:
    """The tokens whose rows moved most against the first reference with an embedding matrix of the same size."""
    ending = ".".join(loaded.embedding.split(".")[-2:])
    special = set(loaded.tokenizer.all_special_ids)
    for files in references:
        checkpoint = open_checkpoint(files)
        for tensor in checkpoint.tensors.values():
            if ending and tensor.name.endswith(ending) and tensor.shape == tuple(rows.shape):
                far = (rows - read_tensor(checkpoint, tensor)).norm(dim=1)
                order = [token for token in far.argsort(descending=True).tolist() if token not in special]
                return tuple(token for token in order[:_HINTS] if far[token] > 0)
    return ()
