"""The runner: whatever a model does to the child, what was finished stands and the rest says why it is not."""

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelscan_plus.core.errors import MissingExtra, UsageError
from modelscan_plus.core.probe import ProbeOutcome
from modelscan_plus.probe import gather, registry
from modelscan_plus.probe.interface import Spec
from modelscan_plus.probe.protocol import Claim
from modelscan_plus.probe.run import Glimpse, Probed, Setup, pick, probe
from tests.probe import fake

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is tested on Linux only")

FLAGGED, SUSPICIOUS, NOTHING, INCONCLUSIVE, NOT_APPLICABLE = ProbeOutcome


@pytest.fixture(autouse=True)
def _domains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DOMAINS", (fake.DOMAIN,))


def run(folder: Path, *does: str, domain: str = fake.DOMAIN, **options: Any) -> Probed:
    path = folder / "model.fake"
    path.write_text(json.dumps(list(does)))
    with gather.open_path(str(path)) as files:
        return probe(files, Claim("model.fake", (domain,)), Setup(**{"spec": Spec(), **options}))


def outcomes(probed: Probed) -> list[ProbeOutcome]:
    return [routine.outcome for routine in probed.report.routines]


def test_all_routines_run_and_the_worst_outcome_is_the_model_s(tmp_path: Path) -> None:
    probed = run(tmp_path, "nothing", "flag", "suspect", "needs-samples")
    assert outcomes(probed) == [NOTHING, FLAGGED, SUSPICIOUS, NOT_APPLICABLE]
    assert (probed.report.outcome, probed.broke, probed.interrupted) == (FLAGGED, None, False)
    assert probed.report.kind == "image-classifier"
    assert ("files", "model.fake") in probed.report.facts
    assert probed.report.routines[1].p_adjusted == 0.0004
    assert probed.report.untried == ("all-to-all: needs a reference",)
    assert {"memory-limit", "rlimits"} <= set(probed.layers)


def test_a_routine_can_do_nothing_to_this_machine(tmp_path: Path) -> None:
    probed = run(tmp_path, "escape")
    assert probed.report.routines[0].reason == "could: nothing"


def test_a_flag_that_does_not_survive_the_correction_is_none(tmp_path: Path) -> None:
    assert outcomes(run(tmp_path, "weak")) == [FLAGGED]
    assert outcomes(run(tmp_path, "weak", "weak")) == [NOTHING, NOTHING]


@pytest.mark.parametrize(
    ("does", "code", "says"),
    [
        ("hang", "probe-timeout", "not finished within 1 s"),
        ("die", "probe-crashed", "signal SIGKILL"),
        ("exit", "probe-crashed", "exit status 3"),
    ],
)
def test_the_end_of_the_child_costs_only_what_was_not_finished(tmp_path: Path, does: str, code: str, says: str) -> None:
    probed = run(tmp_path, "suspect", does, "nothing", seconds=1.0)
    assert outcomes(probed) == [SUSPICIOUS, INCONCLUSIVE, INCONCLUSIVE]
    assert probed.broke is not None
    assert (probed.broke.code, probed.broke.executable) == (code, True)
    assert says in probed.report.routines[1].reason
    assert probed.report.routines[2].reason.startswith("not begun: ")
    assert probed.report.outcome is SUSPICIOUS


def test_nothing_found_before_the_child_ended_is_inconclusive(tmp_path: Path) -> None:
    probed = run(tmp_path, "nothing", "die")
    assert probed.report.outcome is INCONCLUSIVE
    assert "died" in probed.report.reason


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("raise", "it failed: RuntimeError in fake.py:"),
        ("allocate", "more than the 512 MiB of memory"),
        ("impossible", "a bar without a finite height"),
        ("refuse", "the classes never change"),
    ],
)
def test_what_a_routine_raises_costs_that_routine_alone(tmp_path: Path, does: str, says: str) -> None:
    probed = run(tmp_path, does, "nothing", memory=512 << 20)
    assert outcomes(probed) == [INCONCLUSIVE, NOTHING]
    assert says in probed.report.routines[0].reason
    assert "secret" not in probed.report.routines[0].reason
    assert probed.broke is None
    assert probed.report.outcome is NOTHING


@pytest.mark.parametrize(
    ("whole", "outcome", "says"),
    [
        ("refuse", NOT_APPLICABLE, "it has two classes"),
        ("fail", INCONCLUSIVE, "it failed: KeyError"),
        (b"\xff", INCONCLUSIVE, "no JSON"),
    ],
)
def test_a_model_that_is_refused_says_why(tmp_path: Path, whole: object, outcome: ProbeOutcome, says: str) -> None:
    (tmp_path / "model.fake").write_bytes(whole if isinstance(whole, bytes) else json.dumps(whole).encode())
    with gather.open_path(str(tmp_path / "model.fake")) as files:
        probed = probe(files, Claim("model.fake", (fake.DOMAIN,)), Setup(spec=Spec()))
    assert (probed.report.outcome, probed.report.routines, probed.broke) == (outcome, (), None)
    assert says in probed.report.reason
    assert "secret" not in probed.report.reason


def test_an_interrupt_keeps_what_is_known(tmp_path: Path) -> None:
    seen: list[Glimpse] = []

    def watch(glimpse: Glimpse) -> None:
        seen.append(glimpse)
        if glimpse.number == 2 and glimpse.what:
            signal.raise_signal(signal.SIGINT)

    probed = run(tmp_path, "suspect", "hang", "nothing", watch=watch)
    assert probed.interrupted
    assert outcomes(probed) == [SUSPICIOUS, INCONCLUSIVE, INCONCLUSIVE]
    assert "interrupted" in probed.report.routines[1].reason
    assert (seen[-1].routine, seen[-1].of, seen[-1].what) == ("Fake hang", 3, "class 0")
    assert seen[-1].share == pytest.approx(1.1 / 3)


def test_the_same_seed_gives_the_same_report(tmp_path: Path) -> None:
    first, again, other = (run(tmp_path, "random", "flag", spec=Spec(seed=seed)).report for seed in (1, 1, 2))
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert first.routines[0].reason != other.routines[0].reason


def test_samples_and_references_are_handed_over_open(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    for number in range(80):  # more than one message of descriptors
        (folder / str(number % 3)).mkdir(parents=True, exist_ok=True)
        (folder / str(number % 3) / f"{number}.bin").write_bytes(b"12")
    (tmp_path / "base.fake").write_text("[]")
    with gather.open_path(str(folder), samples=True) as samples, gather.open_path(str(tmp_path / "base.fake")) as base:
        probed = run(tmp_path, "needs-samples", "escape", samples=samples, references=(base,))
    assert outcomes(probed) == [NOTHING, NOTHING]
    assert probed.report.routines[1].reason == "could: nothing"
    assert probed.layers == run(tmp_path, "nothing").layers  # however many files are open
    facts = dict(probed.report.facts)
    assert (facts["samples"], facts["reference"]) == ("160", "base.fake")
    assert (facts["samples given"], facts["references given"]) == ("80 files", "base.fake")


def test_of_too_many_samples_every_nth_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "SAMPLE_FILES", 10)
    for number in range(100):
        (tmp_path / f"{number:03}.png").write_bytes(b"")
    with gather.open_path(str(tmp_path), samples=True) as samples:
        assert [file.name for file in samples.names] == [f"{number:03}.png" for number in range(0, 100, 10)]
        assert dict(gather.describe(samples, ())) == {"samples given": "10 of 100 files"}


def test_a_folder_without_files_cannot_be_samples(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file that can be opened"):
        gather.open_path(str(tmp_path), samples=True)


def picked(folder: Path) -> Sequence[Claim]:
    with gather.open_path(str(folder)) as files:
        return pick(files).models


def test_models_are_folders_that_a_domain_claims_and_single_files(tmp_path: Path) -> None:
    (tmp_path / "a.fake").write_text("[]")
    (tmp_path / "readme.md").write_text("")
    (tmp_path / "lm" / "part").mkdir(parents=True)
    (tmp_path / "lm" / "fake.json").write_text("[]")
    (tmp_path / "lm" / "part" / "b.fake").write_text("[]")
    assert [claim.artifact for claim in picked(tmp_path)] == ["lm", "a.fake"]
    assert [claim.artifact for claim in picked(tmp_path / "lm")] == ["."]
    assert [claim.artifact for claim in picked(tmp_path / "a.fake")] == ["a.fake"]
    assert picked(tmp_path / "readme.md") == ()


def test_a_folder_is_opened_by_the_names_in_it(tmp_path: Path) -> None:
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm" / "fake.json").write_text('["nothing"]')
    (tmp_path / "lm" / "vocab.txt").write_text("")
    (tmp_path / "other.txt").write_text("")
    with gather.open_path(str(tmp_path)) as files:
        report = probe(files, pick(files).models[0], Setup(spec=Spec())).report
    assert (report.artifact, report.outcome) == ("lm", NOTHING)
    assert ("files", "fake.json, vocab.txt") in report.facts


def test_a_file_that_kills_the_child_that_looks_at_it_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "x.crash").write_text("")
    with gather.open_path(str(tmp_path)) as files:
        found = pick(files)
    assert found.models == ()
    assert found.broke is not None
    assert "SIGSEGV" in found.broke.message


def test_a_model_that_changes_while_it_is_probed_is_inconclusive(tmp_path: Path) -> None:
    def watch(glimpse: Glimpse) -> None:
        (tmp_path / "model.fake").write_text('["nothing"]        ')

    probed = run(tmp_path, "nothing", watch=watch)
    assert probed.broke is not None
    assert probed.broke.code == "probe-changed"
    assert probed.report.outcome is INCONCLUSIVE


def test_a_missing_library_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "model.fake").write_text("[]")
    with (
        gather.open_path(str(tmp_path)) as files,
        pytest.raises(MissingExtra, match=r'a_library_that_is_missing.*pip install "modelscan-plus\[probe\]"'),
    ):
        probe(files, Claim("model.fake", (fake.NEEDY,)), Setup(spec=Spec()))


def test_torch_runs_in_the_sandbox_repeatably_and_within_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    first, again = (
        run(tmp_path, "train", "torch-bomb", "train", domain=fake.TORCH, spec=Spec(seed=5)).report for _ in range(2)
    )
    assert first.routines[0].reason.startswith("1 thread, repeatable True, ")
    assert first == again
    assert first.routines[2].reason == first.routines[0].reason
    assert "more than the 4,096 MiB of memory" in first.routines[1].reason


def test_a_device_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UsageError, match="--device cuda: torch sees no such device"):
        run(tmp_path, "train", domain=fake.TORCH, spec=Spec(device="cuda"))
