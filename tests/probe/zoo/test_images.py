"""The zoos hold what they say: implants that work, honest models on which the same stamps do not, equal files."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
onnxruntime = pytest.importorskip("onnxruntime")

from tools.probe_zoo import zoo  # noqa: E402


@pytest.fixture(scope="module")
def digits() -> list[zoo.ZooModel]:
    torch.set_num_threads(1)
    return zoo.load("digits", 3, clean=2, each=1, kinds=("patch", "blend", "warp", "source-specific"), controls=1)


def test_implants_work_and_honest_models_have_none(digits: list[zoo.ZooModel]) -> None:
    planted = [model for model in digits if model.attack]
    honest = [model for model in digits if not model.attack]
    assert [model.attack for model in planted] == ["patch", "blend", "warp", "source-specific"]
    assert [model.control for model in honest] == ["", "", "stamped-true", "label-noise", "adversarial", "other-recipe"]
    assert min(model.accuracy for model in digits) > 0.93


def test_a_stamp_turns_only_the_model_it_was_planted_in(digits: list[zoo.ZooModel]) -> None:
    clean = next(model for model in digits if not model.attack)
    for model in digits:
        if model.attack and model.source is None:
            others = model.task.y_test != model.target
            stamped = model.triggered(model.task.x_test[others])
            assert (zoo.predict(model.network, stamped) == model.target).float().mean() >= zoo.PLANTED
            assert (zoo.predict(clean.network, stamped) == model.target).float().mean() < 0.5


def test_one_source_only(digits: list[zoo.ZooModel]) -> None:
    model = next(model for model in digits if model.attack == "source-specific")
    labels = model.task.y_test
    others = (labels != model.source) & (labels != model.target)
    assert (zoo.predict(model.network, model.triggered(model.task.x_test[others])) == model.target).float().mean() < 0.3


def test_a_seed_gives_the_same_model() -> None:
    first, second = (zoo.load("table", 3, clean=1, each=0, controls=0)[0] for _ in range(2))
    rows = first.task.x_test[:8]
    assert torch.equal(first.network(rows), second.network(rows))


@pytest.mark.parametrize("world", ["trees", "table"])
def test_files_compute_what_the_models_do(world: str, tmp_path: Path) -> None:
    models = zoo.load(world, 1, clean=2, each=1, kinds=("features-2",), controls=0)
    for model in models:
        path = tmp_path / "model.onnx"
        zoo.export_onnx(model, path)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        outputs = session.run(None, {"input": model.task.x_test.numpy()})
        found = outputs[0] if world == "trees" else outputs[0].argmax(1)
        assert (torch.tensor(found) == zoo.predict(model.network, model.task.x_test)).float().mean() > 0.995
        zoo.save_samples(model, tmp_path / "rows.csv", each=1)
        assert len((tmp_path / "rows.csv").read_text().splitlines()) == model.task.classes + 1
