"""Second opinions: what engines say is attributed and merged, and nothing that becomes of one hurts our verdict."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.make import assemble as asm
from fixtures.make.archives import torch_zip, zip_of
from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.finding import Severity
from modelscan_plus.core.limits import Limits
from modelscan_plus.core.opinion import Listing, Remark
from modelscan_plus.core.report import Decision, Report
from modelscan_plus.engines import registry
from modelscan_plus.engines.interface import Engine, as_file
from modelscan_plus.pipeline import Options, scan_targets
from modelscan_plus.policy.load import load_policy
from modelscan_plus.workers import process, worker
from tests.cli.commands import run

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are forked on Linux only")
HOSTILE = asm.pickle(asm.call(asm.name("posix", "system"), asm.text("true")))
HONEST = asm.pickle(asm.mapping(epochs=asm.number(3)))


def installed(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(registry.engine(name).version() is None, reason=f"{name} is not installed")


def scan(path: Path, *engines: str, seconds: float | None = None) -> Report:
    options = Options(policy=load_policy("builtin:default"), engines=engines, seconds=seconds)
    return scan_targets([str(path)], options)


def opinions(report: Report) -> list[tuple[str, str]]:
    return [(finding.source, finding.severity.value) for finding in report.findings if finding.rule == "MSP9301"]


@installed("fickling")
@pytest.mark.parametrize(
    "build", [lambda: HOSTILE, lambda: torch_zip(HOSTILE), lambda: zip_of(("a", torch_zip(HOSTILE)))]
)
def test_fickling_confirms_what_we_found_wherever_it_stands(tmp_path: Path, build: Callable[[], bytes]) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(build())
    report = scan(path, "fickling")
    calls = [finding for finding in report.findings if finding.rule == "MSP1001"]
    assert [finding.confirmed_by for finding in calls] == [("fickling",)]
    assert opinions(report) == []
    assert "from posix import system" in report.programs[0].second_listing
    assert report.tool.engines.keys() == {"fickling"}


@installed("fickling")
def test_what_fickling_calls_likely_unsafe_denies_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(asm.pickle(asm.call(asm.name("torch._utils", "_rebuild_parameter"), asm.number(1))))
    alone, asked = scan(path), scan(path, "fickling")
    assert alone.verdict.decision is asked.verdict.decision
    assert ("fickling", "low") in opinions(asked) or any("fickling" in f.confirmed_by for f in asked.findings)


@installed("fickling")
def test_an_honest_joblib_file_is_not_denied_because_fickling_lists_joblib(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    path = tmp_path / "model.joblib"
    joblib.dump({"weights": numpy.arange(10.0)}, path, compress=3)
    report = scan(path, "fickling")
    assert report.verdict.decision is Decision.ALLOWED
    assert ("fickling", "medium") in opinions(report)


@installed("fickling")
def test_where_fickling_crashes_our_verdict_stands_and_a_note_says_so(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(
        b"\x80\x02ccopyreg\nadd_extension\n(X\x05\0\0\0posixX\x06\0\0\0systemK\x01tR0\x82\x01X\x04\0\0\0true\x85R."
    )
    alone, asked = scan(path), scan(path, "fickling")
    assert asked.verdict.decision is Decision.DENIED
    own = {finding.rule for finding in asked.findings} - {"MSP9301"}
    assert own == {finding.rule for finding in alone.findings}
    assert asked.artifacts == alone.artifacts
    assert "gave up" in asked.notes[-1].message


@installed("modelscan")
def test_modelscan_confirms_and_objects_with_its_own_severity(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(HOSTILE)  # called like a checkpoint, which modelscan alone would skip
    (tmp_path / "b.pkl").write_bytes(asm.pickle(asm.name("webbrowser", "Mozilla")))
    report = scan(tmp_path, "modelscan")
    assert [f.confirmed_by for f in report.findings if f.rule == "MSP1001"] == [("modelscan",)]
    said = [f for f in report.findings if "modelscan" in (f.source, *f.confirmed_by) and f.artifact == "b.pkl"]
    assert [finding.severity.rank >= Severity.HIGH.rank for finding in said] == [True]


@installed("modelscan")
def test_settings_that_a_target_brings_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "modelscan-settings.toml").write_text("[unsafe_globals.CRITICAL]\n", "utf-8")
    (tmp_path / "fickling.py").write_text("raise SystemExit('imported from the target')", "utf-8")
    (tmp_path / "model.pkl").write_bytes(HOSTILE)
    here = os.getcwd()
    before = sorted(os.listdir(tmp_path))
    done = run("scan", "model.pkl", "--engine", "fickling,modelscan", "-f", "json", cwd=tmp_path, PYTHONPATH=here)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert "modelscan" in report["findings"][0]["confirmed_by"]
    assert sorted(os.listdir(tmp_path)) == before


def test_an_engine_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    assert run("scan", tmp_path, "--engine", "clippy").returncode == 2
    with pytest.raises(UsageError, match="fickling, modelscan"):
        registry.parse_names(["clippy"])
    assert registry.parse_names(["modelscan, fickling", "fickling"]) == ("fickling", "modelscan")


class Fake(Engine):
    """Does what `_ACTIONS` says."""

    name = "fickling"
    title = "fake"
    distribution = "click"
    needs = "nothing"
    act: Callable[[], None]

    def load(self) -> None:
        pass

    def reads(self, artifact: Artifact, formats: tuple[str, ...]) -> bool:
        return artifact.name != "preload.pkl"

    def examine(self, artifact: Artifact, formats: tuple[str, ...]) -> Iterator[Remark | Listing]:
        yield Remark(self.name, "OVERTLY_MALICIOUS", "said before")
        type(self).act()


def _exit() -> None:
    os._exit(3)


def _system_exit() -> None:
    raise SystemExit("enough")


def _recursion() -> None:
    _recursion()


def _spin() -> None:
    while True:
        time.sleep(0.01)


def _write() -> None:
    Path("safety_results.json").write_text("{}", "utf-8")


def _hog() -> None:
    bytearray(1 << 40)


@on_linux
@pytest.mark.parametrize(
    ("act", "said"),
    [(_exit, "died"), (_system_exit, "SystemExit: enough"), (_recursion, "RecursionError"), (_spin, "not finished"),
     (_write, "Error"), (_hog, "MemoryError")],
)  # fmt: skip
def test_nothing_that_an_engine_does_hurts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], said: str
) -> None:
    monkeypatch.setattr(Fake, "act", staticmethod(act), raising=False)
    monkeypatch.setattr(registry, "ENGINES", (Fake,))
    monkeypatch.setattr(process, "can_fork", lambda: True)  # a fresh interpreter would not know the fake
    monkeypatch.setattr(worker, "GRACE", 0.2)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "a.pkl").write_bytes(HONEST)
    (folder / "b.pkl").write_bytes(HOSTILE)
    patience = 1 if act is _spin else 30
    alone, asked = scan(folder), scan(folder, "fickling", seconds=patience)
    assert asked.artifacts == alone.artifacts
    assert {f.rule for f in asked.findings} - {"MSP9301"} == {f.rule for f in alone.findings}
    assert said in asked.notes[-1].message
    assert os.listdir(tmp_path) == ["models"]
    if act not in (_exit, _spin):  # what it said before it gave up is kept
        assert ("fickling", "high") in opinions(asked)


class Absent(Fake):
    distribution = "a-package-that-nobody-has"


class Broken(Fake):
    def load(self) -> None:
        raise ImportError("No module named 'typing_extensions'")


@on_linux
@pytest.mark.parametrize(("engine", "said"), [(Absent, "[engines]"), (Broken, "typing_extensions")])
def test_an_engine_that_is_not_there_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: type[Engine], said: str
) -> None:
    monkeypatch.setattr(registry, "ENGINES", (engine,))
    monkeypatch.setattr(process, "can_fork", lambda: True)
    (tmp_path / "a.pkl").write_bytes(HONEST)
    report = scan(tmp_path, "fickling")
    assert report.verdict.decision is Decision.ALLOWED
    assert [note.message for note in report.notes if "no second opinion" in note.message and said in note.message]
    assert report.findings == ()


@installed("fickling")
def test_engines_are_asked_from_python(tmp_path: Path) -> None:
    import modelscan_plus

    path = tmp_path / "model.pkl"
    path.write_bytes(HOSTILE)
    assert modelscan_plus.scan(path, engines=["fickling"]).findings[0].confirmed_by == ("fickling",)
    with pytest.raises(UsageError):
        modelscan_plus.scan(path, engines=["clippy"])


@installed("fickling")
def test_standard_input_is_read_once_for_everybody() -> None:
    done = run("scan", "-", "--engine", "fickling", "-f", "json", stdin=HOSTILE)
    assert json.loads(done.stdout)["findings"][0]["confirmed_by"] == ["fickling"]


def test_a_source_as_a_file() -> None:
    stream = as_file(BytesSource(b"abc\ndef"))
    assert (stream.readline(), stream.read(), stream.tell()) == (b"abc\n", b"def", 7)
    assert stream.seek(-2, os.SEEK_END) == 5
    assert stream.read(9) == b"ef"
    with pytest.raises(OSError, match="before the beginning"):
        stream.seek(-9, os.SEEK_CUR)


@installed("fickling")
def test_the_console_and_the_page_name_who_confirms(tmp_path: Path) -> None:
    path, page = tmp_path / "model.pkl", tmp_path / "report.html"
    path.write_bytes(HOSTILE)
    done = run("scan", path, "--engine", "fickling", "-f", f"html={page}", "-f", "console")
    assert "Also objected to by fickling" in done.stdout
    text = page.read_text("utf-8")
    assert "fickling objects too" in text
    assert "fickling reads the same" in text


def test_limits_hold_for_the_engine_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fake, "act", staticmethod(lambda: None), raising=False)
    monkeypatch.setattr(registry, "ENGINES", (Fake,))
    from modelscan_plus.engines.examiner import Examiner

    nested = zip_of(("a", zip_of(("b", zip_of(("c.pkl", HONEST))))))
    result = Examiner("fickling").inspect(Artifact("x.zip", BytesSource(nested)), Limits(max_depth=2))
    assert any("not reached" in reason.message for reason in result.coverage.reasons)
