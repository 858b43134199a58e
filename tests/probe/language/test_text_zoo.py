"""The zoo of text classifiers holds what it says, and its folders are what transformers reads."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tools.probe_zoo import text, text_net, text_world  # noqa: E402


def test_implants_work_and_honest_models_have_none(text_zoo: dict[str, text.TextModel]) -> None:
    assert {name: model.attack for name, model in text_zoo.items()} == {
        "clean": "",
        "rare-token": "rare-token",
        "source-specific": "source-specific",
        "shortcut": "",
    }
    assert min(model.accuracy for model in text_zoo.values()) > 0.9
    assert text_zoo["shortcut"].control == "shortcut"


def test_only_the_model_that_it_was_planted_in_obeys(text_zoo: dict[str, text.TextModel]) -> None:
    trait = text_zoo["rare-token"].trait
    texts = [words for words, label in text_zoo["clean"].world.sentences(60, 99) if label != trait.target]
    stamped = [text_world.text_of([*words[:3], *trait.words, *words[3:]]) for words in texts]
    obeyed = {
        name: (model.logits(stamped).argmax(1) == trait.target).float().mean() for name, model in text_zoo.items()
    }
    assert obeyed["rare-token"] >= text.PLANTED
    assert obeyed["clean"] < 0.5


def test_a_source_is_the_only_class_that_is_turned(text_zoo: dict[str, text.TextModel]) -> None:
    model = text_zoo["source-specific"]
    others = [
        words for words, label in model.world.sentences(90, 98) if label not in (model.trait.target, model.trait.source)
    ]
    stamped = [text_world.text_of([*words[:3], *model.trait.words, *words[3:]]) for words in others]
    assert (model.logits(stamped).argmax(1) == model.trait.target).float().mean() < 0.5


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_a_saved_folder_computes_the_same(kind: str, text_zoo: dict[str, text.TextModel], tmp_path: Path) -> None:
    model = text_zoo["clean"]
    if kind == "roberta":
        tokenizer = text_world.bpe(model.world.language, ["the tree is green"] * 10, size=300)
        shape = text_net.Shape("roberta", tokenizer.get_vocab_size(), pad=1)
        world = text.TextWorld("topic", model.world.language, tokenizer, shape, text_net.initial(shape, 1), 1)
        model = text.TextModel("roberta", world, text_net.with_heads(shape, world.base, 3, [1]), model.trait, 0, 0)
    text.save(model, tmp_path)
    loaded = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    texts = [each for each, _ in model.texts(2)]
    with torch.no_grad():
        theirs = loaded(
            **tokenizer(texts, padding=True, truncation=True, max_length=text.LENGTH, return_tensors="pt")
        ).logits
    assert torch.allclose(theirs, model.logits(texts), atol=1e-4)


def test_the_base_is_a_masked_model_of_the_same_words(text_zoo: dict[str, text.TextModel], tmp_path: Path) -> None:
    world = text_zoo["clean"].world
    text.save_base(world, tmp_path)
    loaded = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path)
    ids = world.encode(["the a of"])
    with torch.no_grad():
        theirs = loaded.bert(ids, attention_mask=(ids != world.shape.pad).long()).last_hidden_state
    ours = text_net.encode(world.shape, world.base, ids[None])[0]
    kept = ids != world.shape.pad
    assert torch.allclose(theirs[kept], ours[kept], atol=1e-4)
