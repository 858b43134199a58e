"""What is searched in a text classifier: from the job's files to the routine over tokens.

Importing this reads the table of honest models and the reader of samples; the sandbox lets no file be opened later.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from modelscan_plus.core.probe import ProbeOutcome
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe import samples
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Job, NotProbed
from modelscan_plus.probe.language import carriers, compose, english, evidence, natural, statistic, sweep_kinds
from modelscan_plus.probe.language.carriers import Vocabulary
from modelscan_plus.probe.language.classifier import Classifier
from modelscan_plus.probe.language.evidence import Material
from modelscan_plus.probe.language.load import LoadedModel, read_tensor
from modelscan_plus.probe.language.search import SIZE
from modelscan_plus.probe.language.searches import Searches
from modelscan_plus.probe.language.sweeps import Sweeps
from modelscan_plus.probe.language.text_tokens import TextTokens
from modelscan_plus.probe.weights import open_checkpoint

_HINTS = 24
"""Moved rows that lead the search."""
_REACHED = 12
"""English texts that a class needs, so that none are composed for it."""
_COMPOSED = 36
"""Texts of each class, where the user gives none."""
_UNTRIED = (
    "style and syntax: no tokens carry them",
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
    found = _material(job, loaded)
    material = found.material
    labels = tuple(shorten(visible(label), 40) for label in loaded.labels)
    sweeps = partial(
        sweep_kinds.of_classifier,
        material.classifier,
        material.vocabulary,
        found.texts,
        material.scale,
        labels,
        loaded.max_length,
    )
    return Searches(
        routines=(
            TextTokens(material, labels, found.mode, job.spec.budget, job.spec.seed),
            Sweeps("text", sweeps, job.spec.seed),
        ),
        untried=_UNTRIED,
        facts=(
            ("tokens", f"{len(material.vocabulary.allowed):,} are searched"),
            ("texts", found.told),
            ("coverage", f"{len(material.reached)} of {classes} classes are reached"),
            ("moved rows", f"{len(material.hints)} lead the search" if material.hints else "none, without a reference"),
        ),
        calibration=_NULL.name,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What is searched, and with which texts."""

    material: Material
    mode: str
    """"samples", "hints" or "composed"; how the table of honest models is read."""
    texts: list[tuple[str, int]]
    """As text, with the classes that the model puts them in; () where they are composed of tokens."""
    told: str


def _material(job: Job, loaded: LoadedModel) -> _Found:
    pad = loaded.config.pad_token_id
    if not isinstance(pad, int):
        raise NotProbed("it names no padding token, without which texts cannot stand side by side")
    classes = len(loaded.labels)
    classifier = Classifier(loaded.model, pad, classes, job.spec.device)
    vocabulary = carriers.open_vocabulary(loaded.tokenizer, len(classifier.rows))
    longest = max(4, min(carriers.LONGEST, loaded.max_length - SIZE))
    hints = _moved(job.references, loaded, classifier.rows)
    if job.samples is None:
        return _without_samples(job, classifier, vocabulary, longest, hints)
    given, numbers = _texts(job.samples, loaded.labels)
    ids = carriers.encode(loaded.tokenizer, given, pad, longest)
    texts = carriers.classified(classifier, ids, vocabulary.special, random.Random(job.spec.seed))
    if numbers is not None:
        right = texts.labels == torch.tensor(numbers)
        texts = texts.where(right)
        given = [text for text, keep in zip(given, right.tolist(), strict=True) if keep]
    explained = natural.explained(texts, classes, len(classifier.rows))
    material = evidence.prepare(classifier, vocabulary, texts, explained, hints)
    told = f"{len(texts):,} that it puts where they belong"
    named = list(zip(given, texts.labels.tolist(), strict=True))
    return _Found(material, "hints" if hints else "samples", named, told)


def _without_samples(
    job: Job, classifier: Classifier, vocabulary: Vocabulary, longest: int, hints: Sequence[int]
) -> _Found:
    """English texts where the tokenizer knows English, and composed ones for the classes that those do not reach."""
    source = random.Random(job.spec.seed)
    parts, named, told = [], [], []
    lacking = list(range(classifier.classes))
    if english.reads_english(vocabulary.tokenizer):
        ids = carriers.encode(vocabulary.tokenizer, english.TEXTS, classifier.pad, longest)
        own = carriers.classified(classifier, ids, vocabulary.special, source)
        parts.append(own)
        named = list(zip(english.TEXTS, own.labels.tolist(), strict=True))
        counts = torch.bincount(own.labels, minlength=classifier.classes).tolist()
        lacking = [label for label in lacking if counts[label] < _REACHED]
        told.append(f"{len(own)} English ones of the scanner, which reach {classifier.classes - len(lacking)} classes")
    if lacking:
        ids = compose.compose(classifier, vocabulary, _COMPOSED, longest, job.spec.seed)
        made = carriers.classified(classifier, ids, vocabulary.special, source).of(lacking)
        parts.append(made)
        told.append(f"{len(made)} composed from the vocabulary")
    texts = carriers.joined(parts, classifier.pad)
    material = evidence.prepare(classifier, vocabulary, texts, None, hints)
    return _Found(material, "composed", named, " and ".join(told) + ", as none were given")


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
