"""Texts where the user has none: tokens that speak for a class, among tokens that say little, until each is reached.

Such texts are no language. They serve to leave every class and to enter every other; what they cannot say is which
words are natural for a class.
"""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from modelscan_plus.probe.language.carriers import Vocabulary
from modelscan_plus.probe.language.classifier import Classifier, margins

_WORDS = 14
_SPEAKING = 4
"""Tokens of the class in a text."""
_SKIPPED = 2
"""Strongest tokens of a class that are left out: a trigger is likely among them."""
_LOOKED_AT = 3_000
"""Tokens of which the speakers are picked; the first of a seeded shuffle where the vocabulary holds more."""


def wrapped(vocabulary: Vocabulary, body: Sequence[Sequence[int]]) -> Tensor:
    """Texts of equal length with the special tokens around them that the tokenizer puts there: N × T."""
    sample = [int(each) for each in vocabulary.tokenizer("a")["input_ids"]]
    inner = [place for place, token in enumerate(sample) if token not in vocabulary.special]
    before = sample[: inner[0]] if inner else []
    after = sample[inner[-1] + 1 :] if inner else []
    return torch.tensor([[*before, *row, *after] for row in body], dtype=torch.long)


def compose(classifier: Classifier, vocabulary: Vocabulary, each: int, longest: int, seed: int) -> Tensor:
    """Token ids N × T; up to `each` texts of every class that can be reached."""
    source = random.Random(seed)
    tokens = vocabulary.allowed.tolist()
    source.shuffle(tokens)
    tokens = tokens[:_LOOKED_AT]
    words = max(1, min(_WORDS, longest - 2))
    body = [[source.choice(tokens) for _ in range(words)] for _ in range(4)]
    texts = wrapped(vocabulary, [[token, *row[1:]] for token in tokens for row in body])
    says = torch.log_softmax(classifier.logits(texts), dim=1).view(len(tokens), len(body), -1).mean(dim=1)
    found = []
    for label in range(classifier.classes):
        order = says[:, label].argsort(descending=True).tolist()
        speakers = [tokens[place] for place in order[_SKIPPED : _SKIPPED + max(24, len(tokens) // 40)]]
        quiet = [tokens[place] for place in order[len(order) // 4 :]] or tokens
        tried = wrapped(vocabulary, [_text(speakers, quiet, words, source) for _ in range(each * 3)])
        reached = margins(classifier.logits(tried))[:, label] > 0
        found.append(tried[reached][:each])
    return torch.cat(found)


def _text(speakers: Sequence[int], quiet: Sequence[int], words: int, source: random.Random) -> list[int]:
    spoken = min(_SPEAKING, words)
    text = [source.choice(speakers) for _ in range(spoken)] + [source.choice(quiet) for _ in range(words - spoken)]
    source.shuffle(text)
    return text
