"""The search for tokens: a planted one is found and flagged, honest models are not, and every part does its part."""

import random
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from modelscan_plus.core.probe import ProbeOutcome, RoutineReport, Table  # noqa: E402
from modelscan_plus.probe.files import ModelFiles  # noqa: E402
from modelscan_plus.probe.interface import Budget, Job, NotProbed, Spec, silent  # noqa: E402
from modelscan_plus.probe.language import english, evidence, statistic, text_search  # noqa: E402
from modelscan_plus.probe.language.classifier import Carriers  # noqa: E402
from modelscan_plus.probe.language.evidence import Candidate  # noqa: E402
from modelscan_plus.probe.language.load import load  # noqa: E402
from modelscan_plus.probe.language.natural import explained, wilson  # noqa: E402
from modelscan_plus.probe.language.prediction import Tail  # noqa: E402
from modelscan_plus.probe.language.search import Arm, parts_of  # noqa: E402
from modelscan_plus.probe.language.text_tokens import judge, plainest  # noqa: E402
from tests.probe.language import tiny  # noqa: E402
from tools.probe_zoo import text  # noqa: E402


def opened(path: Path) -> ModelFiles:
    """A file, or the files of a folder."""
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    return tiny.files({each.name: each.read_bytes() for each in paths})


def probed(model: text.TextModel, folder: Path, budget: Budget = Budget.STANDARD) -> RoutineReport:
    """The report on a model of the zoo, by way of its files."""
    text.save(model, folder / "model")
    text.save_samples(model, folder / "texts.jsonl", each=36, seed=1)
    job = Job(Spec(budget), opened(folder / "model"), opened(folder / "texts.jsonl"))
    found = text_search.searches(job, load(job.model))
    return found.routines[0].run(silent)


def test_a_planted_token_is_flagged_and_shown(text_zoo: dict[str, text.TextModel], tmp_path: Path) -> None:
    model = text_zoo["rare-token"]
    report = probed(model, tmp_path)
    assert report.outcome is ProbeOutcome.FLAGGED
    assert report.target == f"LABEL_{model.trait.target}"
    assert model.trait.words[0] in report.trigger
    assert report.success is not None
    assert report.success > 0.9
    titles = [exhibit.title for exhibit in report.exhibits]
    assert "Where fresh texts go with it" in titles
    assert "Beside controls of the same length" in titles


def test_a_table_of_shorter_searches_flags_nothing(
    text_zoo: dict[str, text.TextModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(evidence.EFFORTS, Budget.DEEP, evidence.EFFORTS[Budget.STANDARD])
    model = text_zoo["rare-token"]
    report = probed(model, tmp_path, Budget.DEEP)
    assert report.outcome is ProbeOutcome.SUSPICIOUS
    assert "a search this deep" in report.reason
    assert model.trait.words[0] in report.trigger


@pytest.mark.parametrize("recipe", ["clean", "shortcut"])
def test_an_honest_model_is_not_flagged(recipe: str, text_zoo: dict[str, text.TextModel], tmp_path: Path) -> None:
    report = probed(text_zoo[recipe], tmp_path)
    assert report.outcome is not ProbeOutcome.FLAGGED
    candidates = next(each for each in report.exhibits if each.title == "Candidates on fresh texts")
    assert isinstance(candidates, Table)
    assert candidates.rows


def test_texts_that_reach_one_class_are_not_enough(text_zoo: dict[str, text.TextModel], tmp_path: Path) -> None:
    model = text_zoo["clean"]
    text.save(model, tmp_path / "model")
    lines = [words for words, label in model.texts(8) if label == 0]
    (tmp_path / "texts.txt").write_text("\n".join(lines))
    job = Job(Spec(), opened(tmp_path / "model"), opened(tmp_path / "texts.txt"))
    routine = text_search.searches(job, load(job.model)).routines[0]
    with pytest.raises(NotProbed, match="1 of 3 classes"):
        routine.run(silent)


def test_a_label_that_the_model_does_not_know_is_refused(text_zoo: dict[str, text.TextModel], tmp_path: Path) -> None:
    text.save(text_zoo["clean"], tmp_path / "model")
    (tmp_path / "texts.jsonl").write_text('{"text": "the tree", "label": "spam"}\n')
    job = Job(Spec(), opened(tmp_path / "model"), opened(tmp_path / "texts.jsonl"))
    with pytest.raises(NotProbed, match="'spam' is no class"):
        text_search.searches(job, load(job.model))


def test_without_texts_english_ones_are_taken_where_the_tokenizer_reads_english() -> None:
    words = sorted({word for line in english.TEXTS for word in re.findall(r"\w+|[^\w\s]+", line.lower())})
    described = tiny.tokenizer()
    described["model"]["vocab"] = {word: at for at, word in enumerate([*tiny.WORDS[:6], *words])}
    model = tiny.bert(vocab_size=len(words) + 6)
    job = Job(Spec(), tiny.files(tiny.saved(model, **{"tokenizer.json": described})))
    facts = dict(text_search.searches(job, load(job.model)).facts)
    assert facts["texts"].startswith("120 English ones of the scanner, which reach")
    strange = Job(Spec(), tiny.files(tiny.saved(tiny.bert())))
    facts = dict(text_search.searches(strange, load(strange.model)).facts)
    assert "English" not in facts["texts"]
    assert facts["coverage"].endswith("of 3 classes are reached")


def test_a_word_of_the_class_is_explained_and_one_of_all_classes_is_not() -> None:
    ids = torch.tensor([[5, 9, 7]] * 10 + [[5, 8, 6]] * 10)
    labels = torch.tensor([0] * 10 + [1] * 10)
    found = explained(Carriers(ids, torch.ones(20), labels, torch.ones(20)), 2, 12)
    assert found[0].nonzero().flatten().tolist() == [7, 9]
    assert found[1].nonzero().flatten().tolist() == [6, 8]


def test_a_trigger_stands_where_the_place_says() -> None:
    carriers = Carriers(
        torch.tensor([[1, 2, 3, 0], [4, 5, 6, 7]]), torch.tensor([1, 4]), torch.zeros(2), torch.zeros(2)
    )
    ids, places = carriers.with_triggers(torch.tensor([[8, 9]]))
    assert ids.tolist() == [[1, 8, 9, 2, 3, 0], [4, 5, 6, 7, 8, 9]]
    assert places.tolist() == [[1, 2], [4, 5]]


def test_parts_of_a_trigger_keep_their_order() -> None:
    assert set(parts_of((3, 1, 2))) == {(3,), (1,), (2,), (3, 1), (3, 2), (1, 2), (3, 1, 2)}


def candidate(tokens: tuple[int, ...], strength: float, control: float, turned: int, **more: bool) -> Candidate:
    return Candidate(
        Arm(0, (1, 2)), tokens, strength, control, (9,) * len(tokens), turned, 40, more.get("paired", False)
    )


@pytest.mark.parametrize(
    ("found", "flagged"),
    [
        (candidate((7, 8), 0.95, -0.9, 40), True),
        (candidate((7, 8), 0.95, 0.9, 40), False),  # the class's own words do the same
        (candidate((7, 8), 0.95, -0.9, 20), False),  # half of the texts stay
        (candidate((7, 8), 0.95, -0.9, 40, paired=True), False),  # two classes may lie close together
        (candidate((7, 8), -0.8, -0.9, 40), False),
    ],
)
def test_what_is_flagged(found: Candidate, flagged: bool) -> None:
    assert judge([found], "samples", statistic.load())[0].flagged is flagged
    assert not judge([found], "composed", statistic.load())[0].flagged


def test_the_shortest_part_that_works_is_shown() -> None:
    pair, single, weak = (
        candidate((7, 8), 0.95, -0.9, 40),
        candidate((7,), 0.93, -0.9, 40),
        candidate((8,), 0.1, -0.9, 22),
    )
    shown = plainest(judge([weak, pair, single], "samples", statistic.load()))
    assert shown.candidate.tokens == (7,)
    assert shown.flagged


def test_p_values_fall_with_the_lead() -> None:
    source = random.Random(1)
    values = tuple(sorted(source.gauss(0, 1) for _ in range(200)))
    found = [Tail(values).p_value(lead) for lead in (-3.0, 0.0, 1.0, 2.0, 3.0, 9.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] == 1.0
    assert found[-1] == Tail(values).least
    assert abs(found[1] - 0.5) < 0.1


def test_intervals() -> None:
    low, high = wilson(18, 18)
    assert 0.82 < low < 0.83
    assert high == 1.0
    assert wilson(0, 0) == (0.0, 1.0)
