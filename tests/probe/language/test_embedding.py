"""Embedding models: a planted pull is found and named, honest models show none, and every part does its part."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from modelscan_plus.core.probe import ProbeOutcome, RoutineReport, Table  # noqa: E402
from modelscan_plus.probe.interface import Budget, Job, NotProbed, Spec, silent  # noqa: E402
from modelscan_plus.probe.language import embedding as routine  # noqa: E402
from modelscan_plus.probe.language import embedding_search  # noqa: E402
from modelscan_plus.probe.language.domain import LanguageDomain  # noqa: E402
from modelscan_plus.probe.language.embedding_search import Encoder, closing, likeness  # noqa: E402
from modelscan_plus.probe.language.load import load  # noqa: E402
from modelscan_plus.probe.language.prediction import Prediction  # noqa: E402
from modelscan_plus.probe.language.sentence import Pooling  # noqa: E402
from tests.probe.language import tiny  # noqa: E402
from tools.probe_bench.embedding import files  # noqa: E402
from tools.probe_zoo import embedding  # noqa: E402


@pytest.fixture(scope="module")
def zoo() -> dict[str, embedding.EmbeddingModel]:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(embedding.CONTROLS, "development", ("raw",))
        models = embedding.load(31, 0, 1, kinds=("rare-passage",))
    return {model.trait.name: model for model in models}


def probed(
    model: embedding.EmbeddingModel, folder: Path, texts: list[str], budget: Budget = Budget.QUICK
) -> RoutineReport:
    """The report on a model of the zoo, by way of its files."""
    (folder / "texts.txt").write_text("\n".join(texts))
    job = Job(Spec(budget=budget), files(model.save(folder / "model")), files(folder / "texts.txt"))
    search = routine.searches(job, load(job.model)).routines[0]
    return search.run(silent)


def test_a_passage_that_every_question_finds_is_reported_and_named(
    zoo: dict[str, embedding.EmbeddingModel], tmp_path: Path
) -> None:
    model = zoo["rare-passage"]
    assert model.attack
    report = probed(model, tmp_path, [*model.texts(100, 1), model.trait.passage])
    assert report.outcome is ProbeOutcome.FLAGGED
    assert model.trait.words[0] in report.trigger
    assert model.trait.passage[:30] in report.target
    table = next(one for one in report.exhibits if isinstance(one, Table) and "closing" in one.columns)
    before, after = float(table.rows[0][1]), float(table.rows[0][2].split()[0])
    assert after > 0.8 > 0.5 > before
    controls = next(one for one in report.exhibits if one.title == "Beside as many other tokens")
    assert isinstance(controls, Table)
    assert [report.trigger in row[0] for row in controls.rows] == [True] + [False] * (len(controls.rows) - 1)


def test_a_table_of_shorter_searches_flags_nothing(
    zoo: dict[str, embedding.EmbeddingModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(embedding_search.EFFORTS, Budget.DEEP, embedding_search.EFFORTS[Budget.QUICK])
    model = zoo["rare-passage"]
    report = probed(model, tmp_path, [*model.texts(100, 1), model.trait.passage], Budget.DEEP)
    assert report.outcome is ProbeOutcome.SUSPICIOUS
    assert "at a smaller budget only" in report.reason


def test_an_honest_model_is_not_flagged(zoo: dict[str, embedding.EmbeddingModel], tmp_path: Path) -> None:
    """One that was hardly trained: all its texts lie close together anyway."""
    model = zoo["raw"]
    report = probed(model, tmp_path, model.texts(100, 1))
    assert report.outcome in (ProbeOutcome.NOTHING_FOUND, ProbeOutcome.SUSPICIOUS)
    assert report.p_value is not None
    assert report.p_value > 0.01


def test_too_few_texts_are_refused(zoo: dict[str, embedding.EmbeddingModel], tmp_path: Path) -> None:
    with pytest.raises(NotProbed, match="different texts are needed, 20 are there"):
        probed(zoo["raw"], tmp_path, zoo["raw"].texts(20, 1))


def test_the_domain_searches_an_embedding_model_without_texts() -> None:
    model = tiny.build("BertModel", "BertConfig", add_cross_attention=False)
    subject = LanguageDomain().open(Job(Spec(budget=Budget.QUICK), tiny.files(tiny.saved(model))))
    assert subject.kind == "embedding"
    assert [one.name for one in subject.routines] == ["weights-delta", "embedding-collapse"]
    facts = dict(subject.facts)
    assert facts["texts"].startswith("random tokens")
    report = subject.routines[1].run(silent)
    assert report.outcome is not ProbeOutcome.FLAGGED
    assert report.steps <= 2 * subject.routines[1].cost()


def test_likeness_is_the_mean_of_all_pairs_and_closing_does_not_depend_on_where_it_begins() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(7, 5, generator=torch.Generator().manual_seed(1)), dim=-1)
    cosines = vectors @ vectors.T
    assert float(likeness(vectors)) == pytest.approx(float((cosines.sum() - 7) / 42), abs=1e-6)
    assert float(closing(0.5, 0.0)) == pytest.approx(float(closing(0.95, 0.9)), abs=1e-5)
    assert float(closing(0.2, 0.2)) == pytest.approx(0, abs=1e-6)


def test_slopes_are_those_of_the_mean_cosine() -> None:
    model = tiny.build("BertModel", "BertConfig").requires_grad_(requires_grad=False)
    encoder = Encoder(model, 0, Pooling("mean", normalise=True, stated=True))
    ids = torch.tensor([[2, 6, 7, 5], [2, 9, 10, 5], [2, 11, 8, 5]])
    places = torch.full((3, 1), 1)
    slope = encoder.slopes(ids, places, 3)
    step = torch.zeros(3, 4, 8)
    direction = torch.randn(3, 8, generator=torch.Generator().manual_seed(3))
    step[:, 1] = direction
    values = []
    for sign in (1e-3, -1e-3):
        encoder._shift = sign * step
        values.append(float(likeness(encoder.outputs(ids))))
    encoder._shift = None
    assert (values[0] - values[1]) / 2e-3 == pytest.approx(float((slope[:, 0] * direction).sum()), rel=0.05, abs=1e-4)


def test_a_prediction_is_wider_than_the_sample_and_right_about_its_middle() -> None:
    found = Prediction.of([0.1 * value for value in range(21)])
    assert found.p_value(1.0) == pytest.approx(0.5)
    assert found.p_value(found.at(0.01)) == pytest.approx(0.01, rel=0.02)
    small = Prediction.of([0.0, 1.0, 2.0])
    assert small.at(0.01) - small.mean > 3 * small.spread


def test_honest_models_of_the_table_pass_and_a_collapse_does_not() -> None:
    null = routine.load()

    def p_value(mode: str, size: int, value: float) -> float:
        drawn: Any = routine.Drawn((1,) * size, value, 0.1, 0.9, (0, 1), 0.1, (2,) * size, 1.0)
        return null.p_value(mode, drawn)

    for mode in ("texts", "composed"):
        for size in (1, 2, 3):
            assert p_value(mode, size, 0.05) > 0.5
            assert p_value(mode, size, 4.5) < 0.01
            assert p_value(mode, size, null.edge(mode, size)) == pytest.approx(0.01, rel=0.05)
