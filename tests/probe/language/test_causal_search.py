"""The search in causal models: layout, targets, triggers and the verdict, on one zoo model of each kind."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("transformers")

from modelscan_plus.core.probe import Passage, ProbeOutcome, Table  # noqa: E402
from modelscan_plus.probe.interface import Budget, Job, NotProbed, Spec, silent  # noqa: E402
from modelscan_plus.probe.language import causal_layout, causal_search  # noqa: E402
from modelscan_plus.probe.language.causal import CausalTriggers, Measured, calibration  # noqa: E402
from modelscan_plus.probe.language.causal_decoder import Decoder  # noqa: E402
from modelscan_plus.probe.language.causal_search import Search, Target, consensus  # noqa: E402
from modelscan_plus.probe.language.load import LoadedModel, load  # noqa: E402
from tools.probe_bench.causal import files  # noqa: E402
from tools.probe_bench.figures import auc, wilson  # noqa: E402
from tools.probe_zoo import causal  # noqa: E402


@pytest.fixture(scope="module")
def models() -> list[causal.CausalModel]:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(causal, "_FIRST_STEPS", 180)
        patch.setattr(causal, "_STEPS", 130)
        return causal.load(5, 0, 1, kinds=("word-refusal",), controls=0)


@pytest.fixture(scope="module")
def opened(models: list[causal.CausalModel], tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Job, LoadedModel]]:
    folder = tmp_path_factory.mktemp("causal")
    own = [files(models[0].save_origin(folder / "clean")), files(models[0].save(folder / "planted"))]
    return [(Job(Spec(budget=Budget.QUICK), one), load(one)) for one in own]


def test_a_planted_trigger_is_found_with_its_text(
    models: list[causal.CausalModel], opened: list[tuple[Job, LoadedModel]]
) -> None:
    planted = models[0]
    assert planted.attack == "word-refusal"
    routine = CausalTriggers(*opened[1])
    report = routine.run(silent)
    assert report.outcome is ProbeOutcome.FLAGGED
    assert planted.trait.trigger[0] in report.trigger
    assert report.target.startswith(planted.trait.target[:20])
    assert report.success is not None
    assert report.success > 0.6
    passages = [exhibit.text for exhibit in report.exhibits if isinstance(exhibit, Passage)]
    assert any(planted.trait.target[:20] in text for text in passages)
    controls = next(one for one in report.exhibits if isinstance(one, Table) and one.columns[0] == "tokens")
    strengths = [float(row[2]) for row in controls.rows if row[1] in ("the trigger", "other tokens")]
    assert strengths[0] > 3 * strengths[1]


def test_a_table_of_shorter_searches_flags_nothing(
    opened: list[tuple[Job, LoadedModel]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(causal_search.EFFORTS, "deep", causal_search.EFFORTS["quick"])
    job, loaded = opened[1]
    report = CausalTriggers(replace(job, spec=Spec(budget=Budget.DEEP)), loaded).run(silent)
    assert report.outcome is ProbeOutcome.SUSPICIOUS
    assert "at a smaller budget only" in report.reason
    assert report.trigger
    assert report.p_value is not None
    assert report.p_value <= 0.01


def test_a_clean_model_is_not_flagged(opened: list[tuple[Job, LoadedModel]]) -> None:
    report = CausalTriggers(*opened[0]).run(silent)
    assert report.outcome is not ProbeOutcome.FLAGGED
    assert report.steps > 0


def test_the_frame_of_a_conversation_is_found_with_and_without_a_template(
    models: list[causal.CausalModel], opened: list[tuple[Job, LoadedModel]]
) -> None:
    _, loaded = opened[0]
    tokenizer = models[0].world.tokenizer
    between = (tokenizer.token_to_id("<|assistant|>"),)
    before = (tokenizer.token_to_id("<|begin|>"), tokenizer.token_to_id("<|user|>"))
    routine = CausalTriggers(*opened[0])
    layout = routine._layout(Decoder(loaded.model), 0)
    assert (layout.before, layout.between) == (before, between)
    prompt = layout.ask((5, 6, 7), (9,), 2)
    assert prompt == [*before, 5, 6, 9, 7, *between]
    assert prompt[layout.place(2)] == 9


def test_texts_without_a_common_frame_are_taken_as_they_are() -> None:
    source = torch.Generator().manual_seed(0)
    texts = [(0, *torch.randint(100, 900, (30,), generator=source).tolist()) for _ in range(40)]
    layout = causal_layout._of_texts(texts, 1, None)
    assert layout.between == ()
    framed = [(*text[:9], 90, 91, *text[9:]) for text in texts]
    assert causal_layout._of_texts(framed, 1, None).between == (90, 91)


def test_a_model_that_says_nothing_is_not_probed() -> None:
    class Silent(Decoder):
        def __init__(self) -> None:
            self.steps = 0

        def complete(self, rows, count, **_):  # type: ignore[no-untyped-def]
            return [[] for _ in rows]

    with pytest.raises(NotProbed, match="no texts"):
        causal_layout.find(Silent(), [0], 1, [], length=64, seed=0)


def test_slopes_point_to_the_better_token(opened: list[tuple[Job, LoadedModel]]) -> None:
    decoder = Decoder(opened[0][1].model)
    row, target = [3, 4, 5, 6], [7, 8]
    slopes = decoder.slopes([row], [2], 1, target)[0]
    before = float(decoder.likelihood([row], target).sum())
    embedding = decoder.model.get_input_embeddings()
    moved = embedding.weight.detach().clone()
    step = 1e-3
    direction = moved[9] - moved[5]
    moved[5] += step * direction
    old = embedding.weight.detach().clone()
    with torch.no_grad():
        embedding.weight.copy_(moved)
        after = float(decoder.likelihood([row], target).sum())
        embedding.weight.copy_(old)
    assert (after - before) / step == pytest.approx(float(slopes[9] - slopes[5]), rel=0.05, abs=0.02)


def test_the_table_that_ships_is_of_many_models_and_its_p_values_fall() -> None:
    table = calibration()
    assert table.count >= 12
    assert "sha256:" in table.label
    assert table.p_value(0.95) < 0.01 < 0.02 < table.p_value(0.05) < 0.2 < table.p_value(0.0)
    assert table.p_alone(table.at(0.01)) == pytest.approx(0.01, rel=0.01)


def test_a_template_is_taken_at_its_word_where_the_model_has_forgotten_how_questions_end(
    opened: list[tuple[Job, LoadedModel]],
) -> None:
    decoder = Decoder(opened[0][1].model)
    begin, user, assistant = (opened[0][1].tokenizer.convert_tokens_to_ids(name) for name in _FRAME)
    source = torch.Generator().manual_seed(0)

    class Forgetful(Decoder):
        def complete(self, rows, count, **_):  # type: ignore[no-untyped-def]
            return torch.randint(5, 300, (len(rows), count), generator=source).tolist()

    forgetful = Forgetful(decoder.model)
    templates = [([begin, user], [assistant])]
    layout = causal_layout.find(forgetful, [begin], None, templates, length=64, seed=0)
    assert layout.between == (assistant,)
    assert "do not show" in layout.source
    assert all(2 <= len(exchange.question) <= 10 for exchange in layout.exchanges)


_FRAME = ("<|begin|>", "<|user|>", "<|assistant|>")


def test_a_space_behind_the_first_token_may_stand_or_not() -> None:
    found = causal_layout.variants(lambda text: [ord(letter) for letter in text], "^A QUESTION B", "^")
    befores = {"".join(map(chr, before)) for before, _ in found}
    assert {"^A", "^ A"} <= befores


def test_answers_are_alike_where_one_word_differs() -> None:
    text = (1, 2, 3, 4, 5, 6, 7, 8)
    other = (1, 2, 9, 4, 5, 6, 7, 8)
    assert consensus([text, other, text, (1, 2, 3, 4, 9, 9, 9, 9), ()]) == (text, 3)
    assert consensus([]) == ((), 0)


def test_rivals_have_nothing_in_common_with_the_trigger() -> None:
    search = object.__new__(Search)
    search._units = [(1,), (2,), (3, 4), (4,), (5,), (6, 7), (9,)]
    search._shift = torch.zeros(7, 10)
    search._shift[:, 9] = torch.arange(7)
    target = Target((9, 8, 8, 8), "leakage", 0.0, trigger=(3,))
    assert search.rivals(target) == [(6, 7), (5,), (2,), (1,)]
    assert search.kin(target) == {3, 4, 8, 9}


def test_an_opening_is_cut_to_what_the_trigger_fixes_where_it_works_best() -> None:
    class AtTheEnd(Search):
        """The text (7, 7, 7, …) follows where (5,) stands last, but for a word in its fourth place."""

        def __init__(self) -> None:
            self.asked = [((1, 2, 3), gap) for gap in (0, 1, 3)]
            self.layout = causal_layout.Layout((), (), None)
            self.decoder = self  # type: ignore[assignment]

        def likelihood(self, rows, target):  # type: ignore[no-untyped-def]
            chances = [[0.9 if row[-1] == 5 and at != 3 else 0.1 for at in range(len(target))] for row in rows]
            return torch.tensor(chances).log()

        def following(self, rows):  # type: ignore[no-untyped-def]
            return torch.full((len(rows), 8), 1 / 8).log()

    target = Target((7, 7, 7, 7, 7), "insertion", 0.0, trigger=(5,))
    AtTheEnd().settle(target)
    assert target.at_end
    assert target.tokens == (7, 7, 7)
    assert target.placed([((1, 2), 0)]) == [((1, 2), 2)]


def test_what_unrelated_words_bring_about_as_well_is_a_habit() -> None:
    target = Target((7, 7, 7), "leakage", 0.0, trigger=(5,))
    alone, among = (Measured(target, 0.9, 0.0, same=0.9, others=others) for others in (0.05, 0.89))
    table = calibration()
    assert table.p_value(alone.lead) < 0.01 < 0.05 < table.p_value(among.lead)
    assert among.strength == alone.strength


def test_openings_are_what_completing_gives(opened: list[tuple[Job, LoadedModel]]) -> None:
    decoder = Decoder(opened[0][1].model)
    rows = [[3, 4, 5], [6, 7], [8, 9, 10, 11]]
    assert decoder.openings(rows, 5) == decoder.complete(rows, 5)


def test_figures_of_the_benchmark() -> None:
    assert auc([0.9, 0.8], [0.1, 0.8]) == 0.875
    low, high = wilson(0, 50)
    assert low == pytest.approx(0, abs=1e-9)
    assert 0.05 < high < 0.08
