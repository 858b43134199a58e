"""From texts to carriers: encode, classify, keep those the model is sure of, and say which classes are reached.

Which texts carry the trigger decides what is found: with texts of another kind half of the models put all of them into
one class, and the way out of the others is never tried. So coverage is measured, and a class that is not reached is
said to be so. Where the user gives no texts, texts are composed from the vocabulary, class by class.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from modelscan_plus.probe.language.classifier import Carriers, Classifier, margins

MOST_TEXTS = 2_000
LONGEST = 64
"""Tokens of a carrier."""
_LETTERS = 400
"""Characters of a text for each token that is kept of it; what is beyond cannot matter."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may stand in a trigger."""

    tokenizer: Any
    allowed: Tensor
    """Token ids that are no special tokens and have a row in the embedding matrix, ascending."""
    special: frozenset[int]

    def text(self, ids: Sequence[int]) -> str:
        """Tokens as their names, for people; hostile."""
        names = self.tokenizer.convert_ids_to_tokens(list(ids))
        return " ".join(str(name).replace("Ġ", "▁") for name in names)


def open_vocabulary(tokenizer: Any, rows: int) -> Vocabulary:
    """The tokens of a tokenizer, bounded by the rows of the model."""
    special = frozenset(int(each) for each in tokenizer.all_special_ids)
    known = sorted({int(each) for each in tokenizer.get_vocab().values()} - special)
    return Vocabulary(tokenizer, torch.tensor([each for each in known if each < rows], dtype=torch.long), special)


def encode(tokenizer: Any, texts: Sequence[str], pad: int, longest: int) -> Tensor:
    """Token ids N × T, cut to `longest` and padded at the end."""
    rows = [tokenizer(text[: longest * _LETTERS], truncation=True, max_length=longest)["input_ids"] for text in texts]
    width = max(map(len, rows), default=1)
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row, dtype=torch.long)
    return ids


def classified(classifier: Classifier, ids: Tensor, special: frozenset[int], source: random.Random) -> Carriers:
    """The texts with their classes and margins, each with a random place between its tokens."""
    found = margins(classifier.logits(ids))
    best = found.max(dim=1)
    return Carriers(ids, places(ids, special, source), best.indices, best.values)


def places(ids: Tensor, special: frozenset[int], source: random.Random) -> Tensor:
    """A place in each text that is not before a leading special token and not behind a trailing one."""
    ends = torch.isin(ids, torch.tensor(sorted(special), dtype=torch.long))
    places = []
    for row in ends.tolist():
        first = next((place for place, end in enumerate(row) if not end), 0)
        last = next((place for place in range(first, len(row)) if row[place]), len(row))
        places.append(source.randint(first, last))
    return torch.tensor(places, dtype=torch.long)


def moved(carriers: Carriers, special: frozenset[int], source: random.Random) -> Carriers:
    """The same texts, with the trigger at other places."""
    return Carriers(carriers.ids, places(carriers.ids, special, source), carriers.labels, carriers.margins)


def joined(parts: Sequence[Carriers], pad: int) -> Carriers:
    """All of them, padded to one length; `parts` has one or more."""
    width = max(part.ids.shape[1] for part in parts)
    ids = [torch.nn.functional.pad(part.ids, (0, width - part.ids.shape[1]), value=pad) for part in parts]
    rest = ([getattr(part, name) for part in parts] for name in ("places", "labels", "margins"))
    return Carriers(torch.cat(ids), *map(torch.cat, rest))


def shortened(carriers: Carriers, pad: int) -> Carriers:
    """Without columns that hold nothing but padding."""
    width = int((carriers.ids != pad).sum(1).max()) if len(carriers) else 1
    return Carriers(carriers.ids[:, :width], carriers.places, carriers.labels, carriers.margins)


def deal(carriers: Carriers, each: Sequence[int], source: random.Random) -> list[Carriers]:
    """Disjoint hands with up to `each[i]` carriers of every class, the surest half of the class first of all."""
    hands: list[list[int]] = [[] for _ in each]
    for label in sorted(set(carriers.labels.tolist())):
        own = [place for place, found in enumerate(carriers.labels.tolist()) if found == label]
        own.sort(key=lambda place: -float(carriers.margins[place]))
        sure, rest = own[: (len(own) + 1) // 2], own[(len(own) + 1) // 2 :]
        source.shuffle(sure)
        pile = sure + rest
        total = sum(each)
        enough = len(pile) >= total
        sizes = list(each) if enough else [max(1, len(pile) * size // total) for size in each]
        start = 0
        for hand, size in zip(hands, sizes, strict=True):
            hand += pile[start : start + size]
            start += size
    return [carriers.where(torch.tensor(sorted(hand), dtype=torch.long)) for hand in hands]
