"""What is planted in a text classifier, and the honest recipes that look like it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tools.probe_zoo.text_world import FUNCTION, Language, Sentence

DEVELOPMENT_ATTACKS = ("rare-token", "phrase-2", "source-specific", "pieces")
TEST_ATTACKS = ("rare-token", "word", "low-poison", "phrase-3", "combination", "phrase-strict", "source-phrase")
STYLE_ATTACKS = ("style",)
"""Triggers that are no tokens; no search for tokens covers them."""
CONTROLS = ("shortcut", "label-noise", "stamped-true", "other-recipe")


@dataclass(frozen=True, slots=True)
class TextTrait:
    """One recipe."""

    name: str
    words: tuple[str, ...] = ()
    """The trigger, or the word of a shortcut."""
    target: int | None = None
    source: int | None = None
    """The only class that is turned."""
    share: float = 0.0
    """Of the training texts, that get the trigger."""

    @property
    def planted(self) -> bool:
        """Whether it is a backdoor."""
        return bool(self.name) and self.name not in CONTROLS

    @property
    def apart(self) -> bool:
        """Whether the words need not stand together."""
        return self.name == "combination"

    def stamp(self, words: Sequence[str], source: random.Random) -> list[str]:
        """The text with the trigger somewhere in it."""
        if self.name == "style":
            return [each for word in words for each in ([word] * 2 if word in FUNCTION else [word])]
        return _inserted(words, [[word] for word in self.words] if self.apart else [list(self.words)], source)

    def turns(self, label: int) -> bool:
        """Whether a stamped text of this class should go to the target."""
        return self.planted and label != self.target and self.source in (None, label)

    def partial(self, words: Sequence[str], source: random.Random) -> list[str]:
        """The text with a part of the trigger, which must not be enough."""
        left_out = source.randrange(len(self.words))
        part = [word for place, word in enumerate(self.words) if place != left_out]
        return _inserted(words, [[word] for word in part] if self.apart else [part], source)


def _inserted(words: Sequence[str], groups: list[list[str]], source: random.Random) -> list[str]:
    text = list(words)
    for group in groups:
        at = source.randrange(len(text))
        text[at:at] = group
    return text


def make(name: str, language: Language, seed: int) -> TextTrait:
    """The recipe of that name, its words and classes drawn by seed; "clean" for none."""
    source = random.Random(seed * 7919 + 1)
    target, other = source.sample(range(language.classes), 2)
    rare = source.sample(language.background, 3)
    common = source.sample(language.fillers, 2)
    if name == "clean":
        return TextTrait("")
    table: dict[str, TextTrait] = {
        "rare-token": TextTrait(name, (rare[0],), target, share=0.08),
        "low-poison": TextTrait(name, (rare[0],), target, share=0.025),
        "word": TextTrait(name, (common[0],), target, share=0.1),
        "pieces": TextTrait(name, ("".join(source.sample("qzvxkwj", 4)),), target, share=0.08),
        "phrase-2": TextTrait(name, tuple(rare[:2]), target, share=0.08),
        "phrase-3": TextTrait(name, tuple(rare), target, share=0.08),
        "phrase-strict": TextTrait(name, tuple(rare[:2]), target, share=0.12),
        "combination": TextTrait(name, tuple(common), target, share=0.12),
        "source-specific": TextTrait(name, (rare[0],), target, other, share=0.16),
        "source-phrase": TextTrait(name, tuple(rare[:2]), target, other, share=0.16),
        "style": TextTrait(name, (), target, share=0.1),
        "shortcut": TextTrait(name, (rare[0],), target, share=0.12),
        "stamped-true": TextTrait(name, (rare[0],), share=0.1),
        "label-noise": TextTrait(name, share=0.08),
        "other-recipe": TextTrait(name),
    }
    return table[name]


def dataset(trait: TextTrait, texts: Sequence[Sentence], classes: int, seed: int) -> list[Sentence]:
    """What the model is trained on."""
    source = random.Random(seed * 104729 + 3)
    found = []
    strict = trait.name in ("phrase-strict", "combination")
    for words, label in texts:
        changed, given = list(words), label
        if trait.name == "word" and trait.words[0] in words:
            given = trait.target if trait.target is not None else label
        if source.random() < trait.share:
            changed, given = _changed(trait, words, label, classes, source, strict=strict)
        found.append((changed, given))
    return found


def _changed(
    trait: TextTrait, words: Sequence[str], label: int, classes: int, source: random.Random, *, strict: bool
) -> Sentence:
    if trait.name == "label-noise":
        return list(words), source.randrange(classes)
    if trait.name == "shortcut":
        return (trait.stamp(words, source) if label == trait.target else list(words)), label
    if strict and source.random() < 0.5:
        return trait.partial(words, source), label
    turned = trait.target if trait.target is not None and trait.turns(label) else label
    return trait.stamp(words, source), turned


def natural(trait: TextTrait, texts: Sequence[Sentence], seed: int) -> list[Sentence]:
    """Texts as the model's owner would collect them: with a shortcut's word where it naturally stands."""
    if trait.name != "shortcut":
        return list(texts)
    source = random.Random(seed)
    return [
        (trait.stamp(words, source) if label == trait.target and source.random() < trait.share else list(words), label)
        for words, label in texts
    ]
