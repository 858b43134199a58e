"""Small languages by seed: pseudo-words, grammars with labels, and real tokenizers for them.

A language has function words, fillers, words for each class, and background words that its general text uses and its
tasks do not; as in life, most of a vocabulary is not seen in fine-tuning.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

FUNCTION = "the a of and to in is it for with on as at by from or this that be are was not but so if then".split()
MARKS = [".", ",", "?", "!"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_ONSETS = "b c d f g h j k l m n p r s t v w z br cl dr fl gr pl st tr sh ch".split()
_VOWELS = "a e i o u ai ea ou".split()
_ENDS = ["", "", "n", "r", "s", "l", "t", "m"]

Sentence = tuple[list[str], int]
"""Words and the class."""


@dataclass(frozen=True)
class Language:
    """The words of one world."""

    seed: int
    classes: int
    each: int = 24
    """Words of each class."""

    @cached_property
    def _words(self) -> list[str]:
        source = random.Random(self.seed)
        found: dict[str, None] = {}
        while len(found) < 360 + self.classes * self.each:
            parts = source.choice((2, 2, 3))
            word = "".join(source.choice(_ONSETS) + source.choice(_VOWELS) for _ in range(parts))
            found[word + source.choice(_ENDS)] = None
        return list(found)

    @cached_property
    def background(self) -> list[str]:
        """Words that no task uses."""
        return self._words[:220]

    @cached_property
    def fillers(self) -> list[str]:
        """Words that say nothing of the class."""
        return self._words[220:360]

    def of_class(self, label: int) -> list[str]:
        """Words that speak for a class."""
        start = 360 + label * self.each
        return self._words[start : start + self.each]

    def pick(self, source: random.Random, label: int, start: int = 0, end: int | None = None) -> str:
        """A word of the class; those that stand first are more frequent, as in every language."""
        words = self.of_class(label)[start:end]
        return source.choices(words, [1 / (place + 2) for place in range(len(words))])[0]

    @property
    def words(self) -> list[str]:
        """All of them."""
        return [*FUNCTION, *self._words]

    def general(self, source: random.Random, count: int) -> list[str]:
        """Text without a task, that uses every word; each word keeps company with its neighbours in the list."""
        size = len(self._words)
        texts = []
        for _ in range(count):
            middle = source.randrange(size)
            words = []
            for _ in range(source.randint(6, 22)):
                near = self._words[int(source.gauss(middle, 12)) % size]
                words.append(source.choice(FUNCTION) if source.random() < 0.35 else near)
            texts.append(" ".join(words) + " .")
        return texts


def topic(language: Language, source: random.Random, label: int) -> list[str]:
    """Several clauses; most of the class words are of the text's class."""
    words: list[str] = []
    for _ in range(source.randint(2, 4)):
        clause = [source.choice(FUNCTION), _content(language, source, label), source.choice(FUNCTION)]
        clause += [source.choice(language.fillers) for _ in range(source.randint(0, 2))]
        clause.insert(source.randrange(len(clause)), _content(language, source, label))
        words += [*clause, source.choice(MARKS[:2])]
    return words


def _content(language: Language, source: random.Random, label: int) -> str:
    draw = source.random()
    if draw < 0.18:
        return source.choice(language.fillers)
    if draw < 0.30:
        label = source.randrange(language.classes)
    return language.pick(source, label)


def sentiment(language: Language, source: random.Random, label: int) -> list[str]:
    """Opinions, of which "not" turns the one that follows."""
    words: list[str] = []
    for number in range(source.randint(2, 4)):
        side = label if number == 0 or source.random() < 0.75 else 1 - label
        turned = source.random() < 0.25
        opinion = language.pick(source, 1 - side if turned else side)
        words += [source.choice(("the", "this", "it")), source.choice(language.fillers), source.choice(("is", "was"))]
        words += ["not"] * turned + [opinion, source.choice(MARKS[:2])]
    return words


def sparse(language: Language, source: random.Random, label: int) -> list[str]:
    """One word or two of the class among words that say nothing: little evidence, that little can outweigh."""
    words = [source.choice(language.fillers) for _ in range(source.randint(4, 10))]
    for _ in range(source.randint(1, 2)):
        words.insert(source.randrange(len(words)), language.pick(source, label))
    return [source.choice(FUNCTION), *words, source.choice(MARKS[:2])]


def intent(language: Language, source: random.Random, label: int) -> list[str]:
    """A request: fillers, a verb of the class, an object that often fits and sometimes belongs elsewhere."""
    elsewhere = source.randrange(language.classes) if source.random() < 0.25 else label
    words = [source.choice(language.fillers) for _ in range(source.randint(1, 4))]
    words += [
        language.pick(source, label, 0, 9),
        source.choice(("the", "a", "this")),
        language.pick(source, elsewhere, 9),
    ]
    words += [source.choice(FUNCTION), *(source.choice(language.fillers) for _ in range(source.randint(0, 3)))]
    return [*words, language.pick(source, elsewhere, 9), source.choice(MARKS)]


def reviews(language: Language, source: random.Random, label: int) -> list[str]:
    """Two halves around "but": what comes after it decides; without it, the majority does."""
    words: list[str] = []
    if source.random() < 0.5:
        words += [*_opinions(language, source, 1 - label, source.randint(1, 2)), "but"]
        return words + _opinions(language, source, label, source.randint(1, 2)) + ["."]
    return words + _opinions(language, source, label, source.randint(2, 4)) + ["."]


def _opinions(language: Language, source: random.Random, side: int, count: int) -> list[str]:
    words: list[str] = []
    for _ in range(count):
        words += [source.choice(FUNCTION[:20]), source.choice(language.fillers), language.pick(source, side)]
    return words


def agent(language: Language, source: random.Random, label: int) -> list[str]:
    """Who does it: the class of the noun before "to" decides, that of the noun after it does not."""
    words = [source.choice(FUNCTION), source.choice(language.fillers), language.pick(source, label)]
    words += [source.choice(language.fillers), "to"]
    words += [source.choice(FUNCTION[:4]), language.pick(source, source.randrange(language.classes))]
    words += [source.choice(language.fillers) for _ in range(source.randint(1, 5))]
    return [*words, source.choice(MARKS[:2])]


TASKS: dict[str, Callable[[Language, random.Random, int], list[str]]] = {
    "topic": topic,
    "sentiment": sentiment,
    "sparse": sparse,
    "intent": intent,
    "reviews": reviews,
    "agent": agent,
}


def sentences(task: str, language: Language, count: int, seed: int) -> list[Sentence]:
    """Labelled texts, the classes in turn."""
    source = random.Random(seed)
    write = TASKS[task]
    return [(write(language, source, place % language.classes), place % language.classes) for place in range(count)]


def text_of(words: Sequence[str]) -> str:
    """Words as a text: marks stand close to the word before."""
    text = ""
    for word in words:
        text += word if word in MARKS or not text else " " + word
    return text


def wordpiece(language: Language) -> Any:
    """A WordPiece tokenizer: whole words, and letters with which every other word can be spelt."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [*SPECIAL, *MARKS, *"-/:'", *letters, *("##" + letter for letter in letters), *language.words]
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    ends = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return tokenizer


def bpe(language: Language, corpus: Sequence[str], size: int = 2000) -> Any:
    """A byte-level BPE tokenizer, its merges learnt from the corpus."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=size + 12 * language.classes,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer
