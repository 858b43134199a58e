"""Copies of the same weights: which files belong together, and what a look at their numbers says."""

import random
from collections.abc import Collection, Iterator

import msgspec
import pytest

from modelscan_plus.core.bytesource import ByteSource, BytesSource
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.finding import Finding, Severity
from modelscan_plus.rules.tree import judge_tree
from modelscan_plus.sampled import sampled
from modelscan_plus.sources.interface import Entry
from tests.samples import tree_of
from tests.weights import Numbers, checkpoint, safetensors

RANDOM = random.Random(5)
LAYERS: Numbers = {
    f"model.layers.{number}.mlp.up_proj.weight": [RANDOM.gauss(0, 0.1) for _ in range(200)] for number in range(40)
}
EMBEDDED: Numbers = {"model.embed_tokens.weight": [RANDOM.gauss(0, 0.1) for _ in range(200)]}
HEAD: Numbers = {"lm_head.weight": [RANDOM.gauss(0, 0.1) for _ in range(200)]}
BASE = LAYERS | EMBEDDED


class _Files:
    """A source whose files are in memory."""

    kind = "path"
    revision = None
    remote = False

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def entries(self) -> Iterator[Entry]:
        raise AssertionError("nothing is listed again")

    def facts(self) -> tuple[Facts, ...]:
        return ()

    def again(self, paths: Collection[str]) -> Iterator[tuple[str, ByteSource]]:
        return ((path, BytesSource(self._files[path])) for path in sorted(paths))


def judged(files: dict[str, bytes]) -> list[Finding]:
    tree = tree_of(files)
    tree = msgspec.structs.replace(tree, facts=sampled(tree, _Files(files)))
    return [finding for finding in judge_tree(tree)[0] if finding.rule == "MSP5065"]


def shifted(numbers: Numbers, by: float = 0.3) -> Numbers:
    return {key: [number + by for number in values] for key, values in numbers.items()}


def of_meta(numbers: Numbers) -> Numbers:
    """Under the names that Meta gives them."""
    names = {"mlp.up_proj": "feed_forward.w3", "embed_tokens": "tok_embeddings", "model.": ""}
    found = {}
    for key, values in numbers.items():
        for old, new in names.items():
            key = key.replace(old, new)
        found[key] = values
    return found


def parts(numbers: Numbers) -> tuple[Numbers, Numbers]:
    pairs = list(numbers.items())
    return dict(pairs[:15]), dict(pairs[15:])


def two_parts(numbers: Numbers) -> dict[str, bytes]:
    first, second = parts(numbers)
    return {
        "pytorch_model-00001-of-00002.bin": checkpoint(first),
        "pytorch_model-00002-of-00002.bin": checkpoint(second),
    }


@pytest.mark.parametrize(
    "others",
    [
        {"pytorch_model.bin": checkpoint(shifted(BASE))},
        {"model.bin": checkpoint(shifted(BASE))},
        {"pytorch_model.bin": checkpoint(shifted(BASE), "F16")},
        {"pytorch_model.bin": checkpoint({key: [-number for number in value] for key, value in BASE.items()}, "BF16")},
        {"model.fp16.safetensors": safetensors(shifted(BASE), "F16")},
        two_parts(shifted(BASE)),
        {"original/consolidated.00.pth": checkpoint(of_meta(shifted(BASE)), "BF16")},
        {"consolidated.safetensors": safetensors(of_meta(shifted(BASE)))},
    ],
)
def test_other_numbers_are_told(others: dict[str, bytes]) -> None:
    (finding,) = judged({"model.safetensors": safetensors(BASE), **others})
    assert finding.severity is Severity.MEDIUM  # no tensor is the same
    assert "numbers were compared" in finding.message


@pytest.mark.parametrize("kept", [EMBEDDED, dict(sorted(BASE.items())[:6])])
def test_a_copy_that_is_the_same_in_places_is_one_that_somebody_changed(kept: Numbers) -> None:
    (finding,) = judged({"model.safetensors": safetensors(BASE), "pytorch_model.bin": checkpoint(shifted(BASE) | kept)})
    assert finding.severity is Severity.HIGH


def test_names_with_a_prefix_are_the_same_names() -> None:
    other = {f"module.{key}": value for key, value in shifted(BASE).items()}
    found = judged({"model.safetensors": safetensors(BASE), "pytorch_model.bin": checkpoint(other)})
    assert any("numbers were compared" in finding.message for finding in found)
    same = {f"module.{key}": value for key, value in BASE.items()}
    assert judged({"model.safetensors": safetensors(BASE), "pytorch_model.bin": checkpoint(same)}) == []


@pytest.mark.parametrize(
    "files",
    [
        {"model.safetensors": safetensors(BASE), "pytorch_model.bin": checkpoint(BASE)},
        {"model.safetensors": safetensors(BASE), "pytorch_model.bin": checkpoint(BASE, "F16")},
        {"model.safetensors": safetensors(BASE, "F16"), "pytorch_model.bin": checkpoint(BASE, "BF16")},
        {"model.safetensors": safetensors(BASE), "model.fp16.safetensors": safetensors(BASE, "F16")},
        {"model.safetensors": safetensors(BASE), **two_parts(BASE)},
        {"model.safetensors": safetensors(BASE), "original/consolidated.00.pth": checkpoint(of_meta(BASE), "BF16")},
        {"model.safetensors": safetensors(BASE), "consolidated.00.pth": checkpoint({"other.weight": [1.0, 2.0]})},
        {"model.safetensors": safetensors(BASE), "step_100.bin": checkpoint(shifted(BASE))},
        {"model.safetensors": safetensors(BASE), "checkpoint-5/model.safetensors": safetensors(shifted(BASE))},
        {
            "model.safetensors": safetensors(BASE),
            "pytorch_model.bin": checkpoint(BASE, tied={"lm_head.weight": "model.embed_tokens.weight"}),
        },
        {  # tied once, and written twice since
            "model.safetensors": safetensors(BASE),
            "pytorch_model.bin": checkpoint(BASE | {"lm_head.weight": EMBEDDED["model.embed_tokens.weight"]}, "F16"),
        },
        {
            "model.safetensors": safetensors(BASE | {"rotary_emb.inv_freq": [1.0, 0.5]}),
            "pytorch_model.bin": checkpoint(BASE | {"rotary_emb.inv_freq": [1.0, 0.25]}),
        },
    ],
)
def test_the_same_numbers_in_another_form_are_not(files: dict[str, bytes]) -> None:
    assert judged(files) == []


@pytest.mark.parametrize(
    ("safe", "pickled"),
    [(BASE, BASE | HEAD), (BASE | HEAD, BASE), (BASE, BASE | {"score.weight": [1.0, 2.0]})],
)
def test_a_head_of_its_own_in_only_one_copy_is_told(safe: Numbers, pickled: Numbers) -> None:
    (finding,) = judged({"model.safetensors": safetensors(safe), "pytorch_model.bin": checkpoint(pickled)})
    assert finding.severity is Severity.HIGH


def test_the_head_that_is_told_is_the_one_that_is_not_tied() -> None:
    both = BASE | HEAD
    (finding,) = judged({"model.safetensors": safetensors(BASE), "pytorch_model.bin": checkpoint(both)})
    assert "No other weight of its file takes the place of lm_head.weight" in finding.message


def test_a_storage_that_lies_elsewhere_is_not_read() -> None:
    cut = checkpoint(BASE)
    broken = cut[:40].replace(b"archive", b"brchive") + cut[40:]
    judged({"model.safetensors": safetensors(BASE), "pytorch_model.bin": broken})


def test_files_without_a_common_name_are_no_copies() -> None:
    apart = {f"conv{number}.kernel": values for number, values in enumerate(LAYERS.values())}
    (finding,) = judged({"model.safetensors": safetensors(BASE), "pytorch_model.bin": checkpoint(apart)})
    assert finding.severity is Severity.MEDIUM
    (finding,) = judged({"model.safetensors": safetensors(BASE), "pytorch_model.bin": checkpoint(apart | EMBEDDED)})
    assert finding.severity is Severity.HIGH


def test_learned_words_are_another_run_and_no_other_model() -> None:
    word = {"<cat-toy>": [RANDOM.gauss(0, 0.1) for _ in range(200)]}
    files = {"learned_embeds.safetensors": safetensors(word), "learned_embeds.bin": checkpoint(shifted(word))}
    (finding,) = judged(files)
    assert finding.severity is Severity.MEDIUM
    (finding,) = judged({"model.safetensors": safetensors(word | HEAD), "model.bin": checkpoint(shifted(word) | HEAD)})
    assert finding.severity is Severity.HIGH


def test_a_copy_of_more_parts_than_are_looked_at_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelscan_plus.rules.copies._MOST", 1)
    assert judged({"model.safetensors": safetensors(BASE | HEAD), **two_parts(BASE | HEAD)}) == []
    with_one = {"model.safetensors": safetensors(BASE | HEAD), "pytorch_model.bin": checkpoint(BASE)}
    assert judged(with_one) != []
