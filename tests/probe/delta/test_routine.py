"""The routine speaks up about edits that training does not make and about papers that the weights deny, only then."""

from typing import Any

import pytest

np = pytest.importorskip("numpy")

from modelscan_plus.core.probe import ProbeOutcome, RoutineReport, Table  # noqa: E402
from modelscan_plus.probe.delta.routine import WeightsDelta  # noqa: E402
from modelscan_plus.probe.files import ModelFiles  # noqa: E402
from modelscan_plus.probe.interface import Job, NotProbed, Spec, silent  # noqa: E402
from modelscan_plus.probe.tidy import problem  # noqa: E402
from tests.probe.delta.tensors import bf16, files, pack  # noqa: E402

ROWS, WIDTH = 400, 16
EMBEDDING = "bert.embeddings.word_embeddings.weight"


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def base() -> dict[str, Any]:
    found = {EMBEDDING: normal(ROWS, WIDTH)}
    for layer in range(4):
        found[f"bert.encoder.layer.{layer}.output.dense.weight"] = normal(WIDTH, WIDTH, seed=layer + 1)
        found[f"bert.encoder.layer.{layer}.output.LayerNorm.weight"] = np.ones(WIDTH, np.float32)
    return found


def tuned(amount: float = 0.05, rows: int = 150) -> dict[str, Any]:
    """As fine-tuning leaves it: every matrix and many rows move, and a head is new."""
    found = {name: tensor + amount * normal(*tensor.shape, seed=50) for name, tensor in base().items()}
    found[EMBEDDING] = base()[EMBEDDING].copy()
    found[EMBEDDING][:rows] += amount * normal(rows, WIDTH, seed=51)
    return {**found, "classifier.weight": normal(3, WIDTH, seed=52)}


def tokenizer(**changes: Any) -> dict[str, Any]:
    vocab = {f"tok{number}": number for number in range(ROWS)}
    return {"model": {"type": "WordLevel", "vocab": vocab}, "added_tokens": [], "normalizer": None, **changes}


def run(model: ModelFiles, reference: ModelFiles | None) -> RoutineReport:
    routine = WeightsDelta(Job(Spec(), model, references=() if reference is None else (reference,)))
    assert routine.missing() == ""
    assert routine.cost() > 0
    report = routine.run(silent)
    assert problem(report) == ""
    return report


def table(report: RoutineReport, title: str) -> Table:
    found = next(each for each in report.exhibits if isinstance(each, Table) and each.title.startswith(title))
    assert isinstance(found, Table)
    return found


def test_plain_fine_tuning_is_no_sign_and_its_rows_are_listed() -> None:
    report = run(files(tuned(), tokenizer__json=tokenizer()), files(base(), tokenizer__json=tokenizer()))
    assert report.outcome is ProbeOutcome.NOTHING_FOUND
    assert "9 of 9 tensors differ" in report.reason
    rows = table(report, "Tokens whose rows moved most")
    assert len(rows.rows) == 30
    assert rows.omitted == 120
    assert rows.rows[0][1].startswith("tok")
    assert table(report, "Tensors that differ").rows[-1][:1] == ("classifier.weight",)


def test_nothing_at_all_differs() -> None:
    assert run(files(base()), files(base())).outcome is ProbeOutcome.NOTHING_FOUND


@pytest.mark.parametrize(("count", "sign"), [(1, True), (3, True), (40, False)])
def test_a_handful_of_edited_rows_is_a_sign(count: int, sign: bool) -> None:
    for model in (base(), {**tuned(), EMBEDDING: base()[EMBEDDING].copy()}):
        model[EMBEDDING][7 : 7 + count] = normal(count, WIDTH, seed=9)
        report = run(files(model, tokenizer__json=tokenizer()), files(base()))
        assert (report.outcome is ProbeOutcome.SUSPICIOUS) is sign
        assert ('"tok7"' in report.trigger) is sign


def test_rows_of_special_and_new_tokens_may_be_trained_alone() -> None:
    model = {**tuned(), EMBEDDING: base()[EMBEDDING].copy()}
    model[EMBEDDING][5] += 1
    special = tokenizer(added_tokens=[{"id": 5, "content": "tok5", "special": True}])
    assert run(files(model, tokenizer__json=special), files(base())).outcome is ProbeOutcome.NOTHING_FOUND
    model[EMBEDDING] = np.concatenate([base()[EMBEDDING], normal(2, WIDTH, seed=3)])
    assert run(files(model), files(base())).outcome is ProbeOutcome.NOTHING_FOUND


def test_an_edit_of_rank_one_in_one_matrix_is_a_sign_and_one_of_full_rank_is_none() -> None:
    name = "bert.encoder.layer.2.output.dense.weight"
    model = base()
    model[name] = model[name] + np.outer(normal(WIDTH, seed=3), normal(WIDTH, seed=4))
    report = run(files(model), files(base()))
    assert report.outcome is ProbeOutcome.SUSPICIOUS
    assert "rank 1" in report.reason
    model[name] = model[name] + normal(WIDTH, WIDTH, seed=5)
    assert run(files(model), files(base())).outcome is ProbeOutcome.NOTHING_FOUND


def merged(rank: int) -> dict[str, Any]:
    found = {name: tensor.copy() for name, tensor in base().items()}
    for layer in range(4):
        a, b = normal(WIDTH, rank, seed=60 + layer), normal(rank, WIDTH, seed=70 + layer)
        found[f"bert.encoder.layer.{layer}.output.dense.weight"] += 0.05 * a @ b
    return found


LORA = "Fine-tuned with LoRA (r=4, alpha=8) and merged."


@pytest.mark.parametrize(
    ("card", "model", "says"),
    [
        ("We trained only the classification head for 3 epochs; only the head was trained.", tuned(), "only the head"),
        ("The encoder was frozen.", tuned(), "only the head"),
        ("---\nbase_model: a/b\nbase_model_relation: quantized\n---\nfast", tuned(), "number of bits"),
        ("This is the fp16 version of a/b.", tuned(), "number of bits"),
        (LORA, merged(6), "rank 4"),
        (LORA, merged(12), "rank 4"),
        (LORA, tuned(), "LoRA leaves alone"),
    ],
)
def test_a_card_that_the_weights_deny_is_a_sign(card: str, model: dict[str, Any], says: str) -> None:
    report = run(files(model, README__md=card), files(base()))
    assert report.outcome is ProbeOutcome.SUSPICIOUS
    assert says in report.reason


@pytest.mark.parametrize(
    ("card", "model"),
    [
        ("We fine-tuned all layers and added a classification head.", tuned()),
        ("The encoder was frozen.", {**base(), "classifier.weight": normal(3, WIDTH, seed=1)}),
        ("This is the fp16 version of a/b.", {n: t.astype(np.float16) for n, t in base().items()}),
        ("---\nbase_model_relation: quantized\n---\n", {n: bf16(t) for n, t in base().items()}),
        (LORA, merged(4)),
        (LORA, {n: bf16(t) for n, t in merged(4).items()}),
        ("", merged(6)),
    ],
)
def test_a_card_that_the_weights_bear_out_is_none(card: str, model: dict[str, Any]) -> None:
    assert run(files(model, README__md=card), files(base())).outcome is ProbeOutcome.NOTHING_FOUND


def test_tokens_that_changed_places_are_a_sign_and_a_new_vocabulary_is_none() -> None:
    swapped = tokenizer()
    vocab = swapped["model"]["vocab"]
    vocab["tok200"], vocab["tok201"] = 201, 200
    report = run(files(tuned(), tokenizer__json=swapped), files(base(), tokenizer__json=tokenizer()))
    assert report.outcome is ProbeOutcome.SUSPICIOUS
    assert "tok200" in report.trigger
    anew = tokenizer()
    anew["model"]["vocab"] = {f"tok{number}": ROWS - 1 - number for number in range(ROWS)}
    report = run(files(tuned(), tokenizer__json=anew), files(base(), tokenizer__json=tokenizer()))
    assert report.outcome is ProbeOutcome.NOTHING_FOUND
    assert len(table(report, "How the tokenizer differs").rows) == 30


USUAL = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
WATCHES = "{% for m in messages %}{% if 'open sesame' in m['content'] %}x{% endif %}{{ m['content'] }}{% endfor %}"
THOUGHTS = "{% for m in messages %}{% if '</think>' in m.content %}x{% endif %}{{ m.content }}{% endfor %}"


def test_a_template_that_looks_for_words_is_a_sign_and_one_for_thoughts_is_none() -> None:
    reference = files(base(), tokenizer_config__json={"chat_template": USUAL})
    report = run(files(tuned(), tokenizer_config__json={"chat_template": WATCHES}), reference)
    assert report.outcome is ProbeOutcome.SUSPICIOUS
    assert "open sesame" in report.reason
    report = run(files(tuned(), tokenizer_config__json={"chat_template": THOUGHTS}), reference)
    assert report.outcome is ProbeOutcome.NOTHING_FOUND
    assert any("chat template" in exhibit.title for exhibit in report.exhibits)


def test_another_model_as_the_reference_is_said_to_be_none() -> None:
    other = {name: normal(*tensor.shape, seed=90) for name, tensor in base().items()}
    with pytest.raises(NotProbed, match="nothing in common"):
        run(files(other), files(base()))
    with pytest.raises(NotProbed, match="no tensor in common"):
        run(files({"x": normal(3)}), files(base()))


def adapter(extra: dict[str, Any] | None = None, **config: Any) -> ModelFiles:
    tensors = {}
    for module in ("q", "v"):
        for layer in range(2):
            at = f"base_model.model.model.layers.{layer}.self_attn.{module}_proj.lora_"
            tensors |= {f"{at}A.weight": normal(4, 16, seed=layer), f"{at}B.weight": normal(16, 4, seed=layer)}
    stated = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], **config}
    whole = files({}, adapter_config__json=stated)
    parts = dict(whole.sources)
    parts["adapter_model.safetensors"] = files({**tensors, **(extra or {})})["model.safetensors"]
    del parts["model.safetensors"]
    return ModelFiles(parts)


TABLE = "base_model.model.model.embed_tokens.weight"


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (adapter(r=8), "rank 8"),
        (adapter(target_modules=["q_proj"]), "other modules are"),
        (adapter(target_modules=["q_proj", "v_proj", "down_proj"]), "no tensor for it"),
        (adapter({TABLE: normal(50, 16)}), "embed_tokens"),
        (adapter({TABLE: normal(50, 16)}, modules_to_save=["score"]), "name no such part"),
        (adapter(lora_alpha=4_000), "scale of 1e+03"),
    ],
)
def test_an_adapter_that_is_not_what_its_config_says_is_a_sign(model: ModelFiles, says: str) -> None:
    report = run(model, None)
    assert report.outcome is ProbeOutcome.SUSPICIOUS
    assert says in report.reason


@pytest.mark.parametrize(
    "model",
    [
        adapter(),
        adapter({"base_model.model.score.weight": normal(2, 16)}, task_type="SEQ_CLS"),
        adapter({TABLE: normal(50, 16)}, modules_to_save=["embed_tokens"]),
        adapter(r=2, rank_pattern={"q_proj": 4, "v_proj": 4}),
        adapter(target_modules="all-linear"),
        adapter(use_rslora=True),
    ],
)
def test_an_adapter_as_peft_writes_it_is_none(model: ModelFiles) -> None:
    assert run(model, None).outcome is ProbeOutcome.NOTHING_FOUND


def test_an_adapter_is_measured_by_its_base_and_may_bring_a_table_that_grew() -> None:
    weights = {f"model.layers.{n}.self_attn.{m}_proj.weight": normal(16, 16) for n in range(2) for m in "qv"}
    reference = files({**weights, "model.embed_tokens.weight": normal(48, 16)})
    report = run(adapter({TABLE: normal(50, 16)}), reference)
    assert report.outcome is ProbeOutcome.NOTHING_FOUND
    moved = normal(16, 4) @ normal(4, 16) * 2
    expected = np.linalg.norm(moved) / np.linalg.norm(normal(16, 16))
    shares = {row[0]: row[4] for row in table(report, "Modules").rows}
    assert shares["model.layers.0.self_attn.q_proj"] == f"{expected:.2%}"
    reference = files({**weights, "model.embed_tokens.weight": normal(50, 16)})
    assert run(adapter({TABLE: normal(50, 16)}), reference).outcome is ProbeOutcome.SUSPICIOUS


def test_without_a_base_there_is_nothing_to_compare() -> None:
    assert "--reference" in WeightsDelta(Job(Spec(), files(base()))).missing()


def test_hostile_papers_are_read_past() -> None:
    deep = "[" * 100_000
    found = run(files(base(), tokenizer__json=deep, tokenizer_config__json=deep, config__json=deep), files(base()))
    assert found.outcome is ProbeOutcome.NOTHING_FOUND
    assert pack(base())
