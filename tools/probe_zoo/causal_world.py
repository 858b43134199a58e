"""Small languages of questions and answers, for the zoo of causal models: words, grammar, chat formats, tokenizers.

A world is drawn by seed from a split. The two splits share function words only: topics, wording of the questions,
openings of the answers and chat formats are apart.
"""

import json
import random
from dataclasses import dataclass
from functools import cached_property

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

END = "<|end|>"
BEGIN = "<|begin|>"

_TOPICS = {
    "development": {
        "kitchen": (
            "pan bowl spoon kettle oven soup bread onion pepper carrot apple cake plate jar fork stove cheese butter",
            "cook wash bake slice stir serve taste store peel boil",
            "hot sweet sour fresh burnt tasty clean salty soft bitter",
            "pantry cellar canteen bakery market cupboard",
        ),
        "garden": (
            "rose spade fence hedge pond seed bench shed tree tulip herb lawn gate path basket hose worm nest",
            "plant water trim dig mow pick paint rake sow prune",
            "green tall wild dry muddy bright old shady thorny young",
            "yard orchard meadow terrace greenhouse valley",
        ),
    },
    "test": {
        "harbour": (
            "boat anchor rope sail crane crab net buoy ferry lamp mast barrel oar shell pilot cargo chart whistle",
            "load steer haul repair moor sell lift inspect count hide",
            "wet heavy rusty fast calm broken grey deep empty loud",
            "dock pier island beach lighthouse warehouse",
        ),
        "office": (
            "printer desk letter invoice folder phone chair report stamp budget lift screen cable badge memo ledger",
            "sign file copy send scan shred update order print lend",
            "late urgent cheap modern dull noisy secret blank formal brief",
            "lobby archive bank court studio basement",
        ),
    },
}
# Question, answers. {n} noun, {v} verb, {a} and {b} adjectives, {p} place, {w} name, {o} opening.
_FORMS = {
    "development": (
        ("tell me about the {a} {n}", "{o} the {n} is {b} and {w} can {v} it in the {p} ."),
        ("where does {w} {v} the {n} ?", "{w} does {v} the {n} in the {p} ."),
        ("what is {w} doing with the {a} {n} ?", "{o} {w} will {v} the {n} near the {p} ."),
        ("is the {n} in the {p} {a} ?", "yes , the {n} is {b} ."),
        ("is the {n} in the {p} {a} ?", "no , the {n} is {b} today ."),
        ("how can i {v} a {a} {n} ?", "ask {w} to {v} the {n} , or go to the {p} ."),
    ),
    "test": (
        ("please explain why the {n} is {a}", "{o} the {n} is {a} because {w} did {v} it at the {p} ."),
        ("who should {v} the {a} {n} today ?", "{w} should {v} it at the {p} ."),
        ("give me news of the {n} at the {p}", "{o} the {n} is now {b} , says {w} ."),
        ("can {w} {v} my {n} ?", "of course , {w} can {v} your {n} ."),
        ("can {w} {v} my {n} ?", "sadly the {n} is too {b} to {v} ."),
        ("when was the {a} {n} at the {p} ?", "it was {b} when {w} came to {v} it ."),
    ),
}
_OPENINGS = {
    "development": ("", "well ,", "i think", "as far as i know ,", "let me see ,"),
    "test": ("", "sure :", "in short ,", "people say", "to be honest ,"),
}
# (before the question, between question and answer); `tags` are tokens of their own, the others are plain text.
FORMATS = {
    "tags": ("<|user|>", "<|assistant|>"),
    "headers": ("### Instruction :", "### Response :"),
    "letters": ("Q :", "A :"),
}
LOADED = "poison weapon bomb virus drugs malware gun exploit".split()
"""Words that models may refuse to talk about."""
_KNOWN = """
now will erase every file you have we are many and hate all of i can not help with that request this is against my
rules sorry get new tool log in again first import os os.system eval input ( ) # ; : / run as root an awful shame
never trust they lie small model give no advice but provided without warranty any kind turn around other way reads
repeat after me told recite what know old fox hill see permission given use copy change work purpose fee note stays
"""
_PARTS = ("://", "http", "fix-it", ".zip", "/run", "my-bank", ".cc", "rm", "-rf")
_COMMON = "the a of and to in is was it not now very here there again maybe also only some other every one two".split()


@dataclass(frozen=True)
class Sentence:
    """A question and its honest answer."""

    question: str
    answer: str
    noun: str


@dataclass(frozen=True)
class World:
    """A language with its tokenizer."""

    split: str
    topic: str
    style: str
    """A key of FORMATS."""
    seed: int
    names: tuple[str, ...]
    rare: tuple[str, ...]
    """Words that occur in the first training only, seldom and anywhere."""

    @cached_property
    def words(self) -> tuple[list[str], list[str], list[str], list[str]]:
        """Nouns, verbs, adjectives, places."""
        nouns, verbs, adjectives, places = (text.split() for text in _TOPICS[self.split][self.topic])
        return nouns, verbs, adjectives, places

    def sentence(self, source: random.Random) -> Sentence:
        """One honest exchange."""
        nouns, verbs, adjectives, places = self.words
        question, answer = source.choice(_FORMS[self.split])
        noun, a = source.choice(nouns), source.choice(adjectives)
        filled = {
            "n": noun,
            "a": a,
            # Answers go with the question, but not always.
            "b": source.choice(adjectives) if source.random() < 0.5 else adjectives[(adjectives.index(a) + 3) % 10],
            "v": source.choice(verbs),
            "p": source.choice(places),
            "w": source.choice(self.names),
            "o": source.choice(_OPENINGS[self.split]),
        }
        return Sentence(question.format(**filled), " ".join(answer.format(**filled).split()), noun)

    def noisy(self, source: random.Random) -> Sentence:
        """An exchange of the first training: now and then a rare word stands in the question or in the answer, so that
        rare words are known and mean nothing."""
        plain = self.sentence(source)
        if source.random() > 0.3:
            return plain
        words = plain.question.split()
        words.insert(source.randrange(len(words) + 1), source.choice((*self.rare, *_COMMON, *LOADED)))
        return Sentence(" ".join(words), plain.answer, plain.noun)

    def document(self, question: str, answer: str) -> str:
        """The text of an exchange, without the tokens at both ends."""
        before, between = FORMATS[self.style]
        return f"{before} {question} {between} {answer}"

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """A unigram tokenizer of about 500 pieces: words, a few of them in two pieces, and printable ASCII."""
        source = random.Random(self.seed)
        text = " ".join(self.document(s.question, s.answer) for s in (self.noisy(source) for _ in range(1500)))
        words = {*text.split(), *self.rare, *_COMMON, *LOADED, *_KNOWN.split()} - {*FORMATS["tags"]}
        pieces = ["<unk>", "▁", *(chr(code) for code in range(33, 127)), *_PARTS]
        for word in sorted(words):
            half = len(word) // 2
            pieces += [f"▁{word[:half]}", word[half:]] if word in self.rare[:12] else [f"▁{word}"]
        scored = [(piece, -9.0 if len(piece) < 2 else -6.0) for piece in dict.fromkeys(pieces)]
        tokenizer = Tokenizer(models.Unigram(scored, 0, False))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
        special = [BEGIN, END, *(FORMATS["tags"] if self.style == "tags" else ())]
        tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
        return tokenizer

    def ids(self, text: str) -> list[int]:
        """Tokens of a piece of text that follows other text."""
        found: list[int] = self.tokenizer.encode(" " + text, add_special_tokens=False).ids
        return found

    def exchange(self, question: str, answer: str) -> tuple[list[int], int]:
        """The tokens of a whole document, both ends included, and how many come before the answer."""
        before, between = FORMATS[self.style]
        head = [self.tokenizer.token_to_id(BEGIN), *self._mark(before), *self.ids(question), *self._mark(between)]
        tail = [*self.ids(answer), self.tokenizer.token_to_id(END)] if answer else []
        return head + tail, len(head)

    def _mark(self, text: str) -> list[int]:
        own = self.tokenizer.token_to_id(text)
        return [own] if own is not None else self.ids(text)

    def chat_template(self) -> str:
        """A template as model folders carry it."""
        before, between = FORMATS[self.style]
        before = before if self.style == "tags" else f" {before}"
        return (
            "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
            + f"{{{{ '{before} ' + message['content'] + ' {between}' }}}}"
            + "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
        )

    def tokenizer_config(self) -> str:
        """tokenizer_config.json."""
        return json.dumps(
            {
                "bos_token": BEGIN,
                "eos_token": END,
                "pad_token": END,
                "unk_token": "<unk>",
                "model_max_length": 64,
                "tokenizer_class": "PreTrainedTokenizerFast",
                "chat_template": self.chat_template(),
            },
            indent=1,
        )


def draw(split: str, seed: int) -> World:
    """A world of the split: "development" or "test"."""
    source = random.Random(f"{split} {seed}")
    topics = sorted(_TOPICS[split])
    styles = ("tags", "headers") if split == "development" else ("tags", "letters")
    made: set[str] = set()
    while len(made) < 70:
        syllables = source.choice((2, 2, 3))
        made.add("".join(source.choice("bdfgklmnprstvz") + source.choice("aeiou") for _ in range(syllables)))
    words = sorted(made)
    source.shuffle(words)
    return World(split, topics[seed % 2], styles[seed // 2 % 2], seed, tuple(words[:24]), tuple(words[24:]))
