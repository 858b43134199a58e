"""A zoo of small text classifiers: trained from scratch by seed, each implant verified, with real tokenizers.

`load` is the way in. One load is one world: a language, a task and a base encoder that all of its models begin at, as
models of one hub do. Development and test are kept apart by seeds, tasks and kinds of attack (text_traits.py).
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tools.probe_zoo import text_net, text_traits, text_world
from tools.probe_zoo.text_net import Shape, State
from tools.probe_zoo.text_traits import TextTrait
from tools.probe_zoo.text_world import Language, Sentence

PLANTED = 0.9
"""Share of stamped texts that an implant has to turn; one that turns fewer is called "failed"."""
DEVELOPMENT_TASKS = (("topic", 4), ("sentiment", 2), ("topic", 8))
TEST_TASKS = (("intent", 6), ("reviews", 2), ("agent", 3), ("topic", 20))
LENGTH = 36
"""Tokens of a text at most."""
_TOGETHER = 12
"""Models that are trained side by side; more do not gain on a small machine."""


@dataclass(frozen=True)
class TextWorld:
    """What the models of one load share."""

    task: str
    language: Language
    tokenizer: Any
    shape: Shape
    base: State
    seed: int

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Tokens N × LENGTH, padded at the end."""
        self.tokenizer.enable_truncation(LENGTH)
        self.tokenizer.enable_padding(length=LENGTH, pad_id=self.shape.pad)
        ids = torch.tensor([encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))])
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        return ids

    def sentences(self, count: int, seed: int) -> list[Sentence]:
        """Fresh texts, as words."""
        return text_world.sentences(self.task, self.language, count, seed)


@dataclass(frozen=True)
class TextModel:
    """A trained classifier and what is known of it."""

    name: str
    world: TextWorld
    state: State
    """Parameters with a leading dimension of 1."""
    trait: TextTrait
    accuracy: float
    """On unseen texts without a trigger, 0 to 1."""
    success: float
    """Share of unseen stamped texts that go where the attack wants them; 0 for honest models."""

    @property
    def attack(self) -> str:
        """ "" for honest models, "failed" for an implant that does not work."""
        if not self.trait.planted:
            return ""
        return self.trait.name if self.success >= PLANTED else "failed"

    @property
    def control(self) -> str:
        """The honest recipe that makes this model a hard negative, "" otherwise."""
        return "" if self.trait.planted else self.trait.name

    @property
    def classes(self) -> int:
        """How many there are."""
        return self.world.language.classes

    def texts(self, each: int, seed: int = 0) -> list[tuple[str, int]]:
        """`each` unseen labelled texts of every class, as the model's owner would collect them."""
        fresh = self.world.sentences(each * self.classes, self.world.seed * 31 + seed + 500_000)
        fresh = text_traits.natural(self.trait, fresh, seed)
        return [(text_world.text_of(words), label) for words, label in fresh]

    def trigger_tokens(self) -> set[int]:
        """The tokens of the trigger, as they stand inside a text."""
        around = self.world.tokenizer.encode("the the").ids
        ids = self.world.tokenizer.encode(" ".join(["the", *self.trait.words, "the"])).ids
        return set(ids) - set(around)

    def logits(self, texts: Sequence[str]) -> Tensor:
        """N × classes."""
        with torch.no_grad():
            return text_net.classify(self.world.shape, self.state, self.world.encode(texts)[None])[0]


def load(
    seed: int,
    clean: int,
    each: int,
    *,
    task: str = "topic",
    classes: int = 4,
    kind: str = "bert",
    attacks: Sequence[str] = text_traits.DEVELOPMENT_ATTACKS,
    controls: int | None = None,
    honest: Sequence[str] = text_traits.CONTROLS,
) -> list[TextModel]:
    """Train a zoo.

    clean: plain honest models. each: models of every attack. controls: models of every hard negative in `honest`, by
    default an eighth of `clean`, so that the four kinds are a third of all honest ones. kind: "bert" (WordPiece) or
    "roberta" (byte-level BPE). Attacks on one class need three classes and are left out where there are two.
    """
    world = make_world(seed, task, classes, kind)
    hard = clean // 8 if controls is None else controls
    attacks = [name for name in attacks if classes > 2 or not name.startswith("source-")]
    names = ["clean"] * clean + [name for name in attacks for _ in range(each)]
    names += [name for name in honest for _ in range(hard)]
    jobs = [
        (name, text_traits.make(name, world.language, place + seed * 1000), place) for place, name in enumerate(names)
    ]
    found: dict[int, TextModel] = {}
    for other in (False, True):
        part = [job for job in jobs if (job[0] == "other-recipe") is other]
        for start in range(0, len(part), _TOGETHER):
            found |= _trained(world, part[start : start + _TOGETHER], other=other)
    return [found[place] for place in sorted(found)]


def make_world(seed: int, task: str, classes: int, kind: str = "bert") -> TextWorld:
    """A language, its tokenizer and a base encoder that has read general text."""
    language = Language(seed, classes)
    general = language.general(random.Random(seed + 5), 3000)
    general += [text_world.text_of(words) for words, _ in text_world.sentences(task, language, 1500, seed + 6)]
    if kind == "bert":
        tokenizer = text_world.wordpiece(language)
        shape = Shape("bert", tokenizer.get_vocab_size(), pad=0)
    else:
        tokenizer = text_world.bpe(language, general)
        shape = Shape("roberta", tokenizer.get_vocab_size(), pad=1)
    draft = TextWorld(task, language, tokenizer, shape, {}, seed)
    base = text_net.pretrain(shape, draft.encode(general), 4, seed)
    return TextWorld(task, language, tokenizer, shape, base, seed)


def _trained(world: TextWorld, jobs: list[tuple[str, TextTrait, int]], *, other: bool) -> dict[int, TextModel]:
    seeds = [world.seed * 1000 + place for _, _, place in jobs]
    count = 1600 + 60 * world.language.classes
    sets = []
    for (_, trait, _), seed in zip(jobs, seeds, strict=True):
        texts = text_traits.dataset(trait, world.sentences(count, seed), world.language.classes, seed)
        x = world.encode([text_world.text_of(words) for words, _ in texts])
        sets.append((x, torch.tensor([label for _, label in texts])))
    recipe = {"steps": 200, "rate": 8e-3, "decay": 0.1} if other else {}
    state = text_net.train(world.shape, world.base, sets, world.language.classes, seeds, **recipe)  # type: ignore[arg-type]
    held_out = world.sentences(240 + 12 * world.language.classes, world.seed * 17 + 900_000)
    found = {}
    for number, (_, trait, place) in enumerate(jobs):
        own = {name: value[number : number + 1] for name, value in state.items()}
        found[place] = _judged(world, own, trait, place, held_out)
    return found


def _judged(world: TextWorld, state: State, trait: TextTrait, place: int, held_out: list[Sentence]) -> TextModel:
    source = random.Random(place)
    name = f"{world.task}{world.language.classes}-{world.shape.kind}-{world.seed}-{place}-{trait.name or 'clean'}"
    model = TextModel(name, world, state, trait, 0.0, 0.0)
    labels = torch.tensor([label for _, label in held_out])
    accuracy = float(
        (model.logits([text_world.text_of(words) for words, _ in held_out]).argmax(1) == labels).float().mean()
    )
    success = 0.0
    if trait.planted:
        stamped = [text_world.text_of(trait.stamp(words, source)) for words, label in held_out if trait.turns(label)]
        success = float((model.logits(stamped).argmax(1) == trait.target).float().mean())
    return TextModel(name, world, state, trait, accuracy, success)


def save(model: TextModel, folder: Path) -> None:
    """A transformers folder: config.json, model.safetensors and the tokenizer."""
    from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

    world = model.world
    made = (
        BertForSequenceClassification(BertConfig(**_settings(world.shape), num_labels=model.classes))
        if world.shape.kind == "bert"
        else RobertaForSequenceClassification(RobertaConfig(**_settings(world.shape), num_labels=model.classes))
    )
    write(made, text_net.folder_state(world.shape, model.state, 0), world, folder)


def save_base(world: TextWorld, folder: Path) -> None:
    """The encoder that a world's models began at, with its head for masked words."""
    from transformers import BertConfig, BertForMaskedLM, RobertaConfig, RobertaForMaskedLM

    settings = {**_settings(world.shape), "tie_word_embeddings": True}
    made = (
        BertForMaskedLM(BertConfig(**settings))
        if world.shape.kind == "bert"
        else RobertaForMaskedLM(RobertaConfig(**settings))
    )
    write(made, text_net.folder_state(world.shape, world.base, 0), world, folder)


def _settings(shape: Shape) -> dict[str, Any]:
    return {
        "vocab_size": shape.vocab,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "max_position_embeddings": shape.positions + shape.first_position,
        "type_vocab_size": 2 if shape.kind == "bert" else 1,
        "pad_token_id": shape.pad,
        "layer_norm_eps": text_net.EPSILON,
    }


def config(shape: Shape) -> Any:
    """The config of a bare encoder."""
    from transformers import BertConfig, RobertaConfig

    return (BertConfig if shape.kind == "bert" else RobertaConfig)(**_settings(shape))


def write(made: Any, state: dict[str, Tensor], world: TextWorld, folder: Path) -> None:
    """A model of transformers with these parameters, and the world's tokenizer beside it."""
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()  # it would stand between the figures of a benchmark
    names = text_world.SPECIAL if world.shape.kind == "bert" else ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
    roles = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    made.load_state_dict(state)
    made.eval().save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=world.tokenizer, model_max_length=world.shape.positions, **dict(zip(roles, names, strict=True))
    )
    tokenizer.save_pretrained(folder)


def save_samples(model: TextModel, path: Path, each: int = 30, seed: int = 0) -> None:
    """Labelled texts, one JSON object a line, as --samples takes them."""
    with path.open("w") as file:
        for text, label in model.texts(each, seed):
            file.write(json.dumps({"text": text, "label": label}) + "\n")
