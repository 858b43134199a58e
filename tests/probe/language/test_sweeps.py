"""The sweeps change texts as they say, report what beats honest models, and are never more than suspicious."""

import random
from collections.abc import Sequence

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from modelscan_plus.core.probe import ProbeOutcome  # noqa: E402
from modelscan_plus.probe.interface import NotProbed, silent  # noqa: E402
from modelscan_plus.probe.language import english, sweep_kinds, sweeps  # noqa: E402
from modelscan_plus.probe.language.carriers import Vocabulary  # noqa: E402
from modelscan_plus.probe.language.classifier import Classifier  # noqa: E402
from modelscan_plus.probe.language.sweeps import Effect, Sweeps  # noqa: E402
from modelscan_plus.probe.language.treatments import FAMILIES, TREATMENTS  # noqa: E402
from tests.probe.language import tiny  # noqa: E402
from tools.probe_zoo.text import TextModel  # noqa: E402

TEXTS = [f"the plot number {number} was not very good" for number in range(20)]


def run(score: float, hits: int) -> Sweeps:
    def measure(treated: Sequence[str], plain: Sequence[str]) -> Effect:
        upper = all(text.isupper() for text in treated)
        return Effect(score if upper else 0.0, hits if upper else 0, len(plain), "class 1 \u202e<b>")

    return Sweeps("causal", lambda: (TEXTS, measure), 0)


def test_a_change_that_takes_all_texts_along_is_suspicious() -> None:
    report = run(2.0, 20).run(silent)
    assert report.outcome is ProbeOutcome.SUSPICIOUS
    assert report.trigger == "capitals"
    assert report.p_value is None
    assert "\u202e" not in report.target + report.reason
    assert report.families == FAMILIES


@pytest.mark.parametrize(("score", "hits"), [(2.0, 9), (-0.5, 20)])
def test_half_of_the_texts_or_what_honest_models_show_are_nothing(score: float, hits: int) -> None:
    assert run(score, hits).run(silent).outcome is ProbeOutcome.NOTHING_FOUND


def test_a_change_that_leaves_no_words_is_shown_and_not_judged() -> None:
    def measure(treated: Sequence[str], plain: Sequence[str]) -> Effect:
        return Effect(2.0, 20, 20, "class 1", sweep_kinds.readable([one.split() for one in treated], WORDS))

    report = Sweeps("causal", lambda: (TEXTS[:1] * 8, measure), 0)
    report.run(silent)
    judged = [treatment.name for treatment, effect in report.found if effect.readable]
    assert "three exclamation marks" in judged
    assert not {"capitals", "no spaces", "the first 2 words"} & {*judged}
    assert report.found[0][1].readable
    assert not report.found[-1][1].readable


WORDS = [TEXTS[0].split()] * 8


def test_few_texts_are_not_enough() -> None:
    with pytest.raises(NotProbed, match="too few"):
        Sweeps("causal", lambda: (TEXTS[:3], lambda a, b: Effect(0, 0, 1, "")), 0).run(silent)


def test_every_treatment_changes_a_text_and_keeps_it_short() -> None:
    text = "The film was good, and the ACTORS were not bad"
    for treatment in TREATMENTS:
        changed = treatment.apply(text, [text], random.Random(1))
        assert changed != text
        assert 0 < len(changed) <= 20 * len(text)
    assert len({treatment.name for treatment in TREATMENTS}) == len(TREATMENTS)


def test_shares_of_the_table_are_never_nothing() -> None:
    for kind in sweeps.table()[0]:
        assert 0 < sweeps.p_value(kind, 1e9) <= 0.05
        assert sweeps.p_value(kind, -1e9) == 1.0


def test_a_classifier_of_long_texts_is_found_by_its_length(text_zoo: dict[str, TextModel]) -> None:
    """The class of each text is what the zoo's model says; a stand-in for one that goes by length alone."""

    class Long:
        def __init__(self) -> None:
            self.embedding = torch.nn.Embedding(4, 2)

        def get_input_embeddings(self) -> torch.nn.Embedding:
            return self.embedding

        def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> object:
            class Out:
                logits = torch.stack([attention_mask.sum(1) * 0.0 + 20, attention_mask.sum(1).float()], 1)

            return Out

    from transformers import PreTrainedTokenizerFast

    roles = {"pad_token": "[PAD]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=text_zoo["clean"].world.tokenizer, **roles)
    classifier = Classifier(Long(), 0, 2)
    vocabulary = Vocabulary(tokenizer, torch.arange(4), frozenset())
    texts = [(text, place % 2) for place, text in enumerate(text_zoo["clean"].texts(12))][:20]
    plain = [text for (text, _), _ in texts]
    chosen, measure = sweep_kinds.of_classifier(
        classifier, vocabulary, [(text, label) for (text, _), label in texts], torch.tensor([9.0, 9.0]), "ab", 200
    )
    assert set(chosen) <= set(plain)
    joined = [f"{text} {text} {text} {text}" for text in chosen]
    assert measure(joined, chosen).score > 1
    assert measure(joined, chosen).where == "class b"
    assert measure(chosen, chosen).where == "class a"


def test_english_is_known_by_the_words_that_stay_whole() -> None:
    import json

    from transformers import PreTrainedTokenizerFast

    def made(words: Sequence[str]) -> PreTrainedTokenizerFast:
        described = tiny.tokenizer()
        described["model"]["vocab"] = {word: at for at, word in enumerate(["[UNK]", *words])}
        from tokenizers import Tokenizer

        roles = {"unk_token": "[UNK]"}
        return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(described)), **roles)

    whole = made(sorted({word for text in english.TEXTS for word in _words(text.lower())}))
    assert english.reads_english(whole)
    assert not english.reads_english(made(["film", "good"]))
    assert len(english.TEXTS) >= 100
    assert len(set(english.TEXTS)) == len(english.TEXTS)


def _words(text: str) -> list[str]:
    import re

    return re.findall(r"\w+|[^\w\s]+", text)
