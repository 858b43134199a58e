"""`scan hf:…`: the answers of a local scan, for few bytes and few requests."""

import json
import struct
from pathlib import Path, PurePosixPath

import pytest

from fixtures.make.__main__ import all_samples
from modelscan_plus import pipeline
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.report import ArtifactReport, Decision, Report, canonical_digest
from modelscan_plus.policy.load import load_policy
from tests.cli.commands import run
from tests.hub import sparse
from tests.hub.server import TOKEN, Content, Faults, File, Hub
from tests.weights import checkpoint, safetensors

GB = 1_000_000_000


def scan(*targets: str, offline: bool = False, seconds: float | None = None, jobs: int = 2) -> Report:
    options = pipeline.Options(policy=load_policy(None), offline=offline, seconds=seconds, jobs=jobs)
    return pipeline.scan_targets(targets, options)


def publish(hub: Hub, files: dict[str, Content | bytes], name: str = "org/model", **settings: object) -> str:
    repo = hub.repo(name)
    for key, value in settings.items():
        setattr(repo, key, value)
    return repo.commit(
        {
            path: File(
                content if isinstance(content, Content) else Content(content), lfs=not path.endswith((".json", ".txt"))
            )
            for path, content in files.items()
        }
    )


def only(report: Report) -> ArtifactReport:
    (artifact,) = report.artifacts
    return artifact


def rules(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings if finding.artifact != "."}


def ranges(hub: Hub) -> int:
    return len(hub.asked("cdn", "GET"))


def test_a_torch_checkpoint_of_2_gb_takes_three_ranges(hub: Hub) -> None:
    publish(hub, {"pytorch_model.bin": sparse.torch_zip(291, 2 * GB, sparse.state(291, sparse.PAYLOAD))})
    report = scan("hf:org/model")
    assert report.verdict.decision is Decision.DENIED
    assert report.verdict.scope == "remote"
    assert "MSP1001" in rules(report)
    assert only(report).formats == ("torch-zip",)
    assert only(report).coverage.state is CoverageState.ANALYSED
    assert "remote-storages" in [reason.code for reason in only(report).coverage.reasons]
    assert ranges(hub) <= 3
    assert hub.body_bytes() <= 200_000
    assert only(report).coverage.bytes_read == hub.body_bytes()


@pytest.mark.timeout(60)
def test_four_shards_take_less_than_300_kb(hub: Hub) -> None:
    publish(hub, {f"model-{number}-of-4.safetensors": sparse.safetensors(500_000_000) for number in range(4)})
    report = scan("hf:org/model")
    assert report.verdict.decision is Decision.ALLOWED
    assert hub.body_bytes() <= 300_000
    assert len(hub.asked("hub", "HEAD")) == 4


@pytest.mark.parametrize(
    ("name", "content", "limit"),
    [
        ("model.pkl", sparse.blobs(75, 4 << 20), 2_000_000),
        ("model.joblib", sparse.joblib(75, 4 << 20), 2_000_000),
        ("legacy.pt", sparse.legacy(314_000_000), 200_000),
    ],
)
def test_long_pickles_are_read_by_hops(hub: Hub, name: str, content: Content, limit: int) -> None:
    publish(hub, {name: content})
    report = scan("hf:org/model")
    assert "MSP1001" in rules(report)
    assert hub.body_bytes() <= limit
    assert only(report).coverage.state is CoverageState.ANALYSED


def test_all_samples_have_the_findings_of_a_local_scan(hub: Hub, tmp_path: Path) -> None:
    samples = {sample.path: sample.build() for sample in all_samples()}
    publish(hub, dict(samples))
    for path, data in samples.items():
        place = tmp_path / "local" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    remote, local = scan("hf:org/model"), scan(str(tmp_path / "local"))
    assert {(f.artifact, f.rule, f.subject) for f in remote.findings if f.artifact != "."} == {
        (f.artifact, f.rule, f.subject) for f in local.findings if f.artifact != "."
    }
    assert {a.path: a.coverage.state for a in remote.artifacts} == {a.path: a.coverage.state for a in local.artifacts}


def test_real_checkpoints_of_torch_tile_and_leave_their_storages_unread(hub: Hub, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    file = tmp_path / "model.pt"
    weights = {f"layer{number}.weight": torch.zeros(number * 1000 + 3) for number in range(40)}
    torch.save(weights, file)
    publish(hub, {"model.pt": file.read_bytes()})
    report = scan("hf:org/model")
    assert [reason.code for reason in only(report).coverage.reasons] == ["remote-storages"]
    assert "40 tensor storages" in only(report).coverage.reasons[0].message
    assert rules(report) == rules(scan(str(file)))
    assert ranges(hub) <= 3


def test_a_member_that_only_a_local_header_knows_is_found(hub: Hub) -> None:
    publish(hub, {"model.pt": sparse.torch_zip(20, 100_000_000, sparse.state(20), lie=True)})
    report = scan("hf:org/model")
    assert {"MSP2001", "MSP1001"} <= rules(report)
    assert report.verdict.decision is Decision.DENIED


def test_the_report_is_the_same_each_time(hub: Hub) -> None:
    publish(hub, {"a.pkl": sparse.blobs(3, 1 << 20), "b.safetensors": sparse.safetensors(1_000_000), "c.json": b"{}"})
    first, second = scan("hf:org/model"), scan("hf:org/model", jobs=4)
    assert canonical_digest(first.__class__(**{**_fields(first), "now": second.now})) == canonical_digest(second)


def _fields(report: Report) -> dict[str, object]:
    return {name: getattr(report, name) for name in report.__struct_fields__}


def test_two_thousand_files_take_four_calls_and_one_resolve_each(hub: Hub) -> None:
    publish(
        hub,
        {f"data/{number:04}.safetensors": b"\x02\0\0\0\0\0\0\0{}" for number in range(1990)}
        | {f"{number}.pkl": b"\x80\x04N." for number in range(10)},
    )
    report = scan("hf:org/model", jobs=2)
    assert len(report.artifacts) == 2000
    assert len(hub.asked("hub", "", "/api/")) <= 4
    assert len(hub.asked("hub", "", "/resolve/")) == 2000


def test_include_exclude_and_max_size_choose(hub: Hub) -> None:
    publish(
        hub, {"a.json": b"{}", "b.pkl": b"\x80\x04N.", "c/d.pkl": b"\x80\x04N.", "big.pkl": sparse.blobs(1, 1 << 20)}
    )
    options = pipeline.Options(policy=load_policy(None), include=("*.pkl",), exclude=("c",), max_size=1000)
    report = pipeline.scan_targets(["hf:org/model"], options)
    assert [(a.path, a.coverage.state.value) for a in report.artifacts] == [
        ("b.pkl", "analysed"),
        ("big.pkl", "not_analysed"),
    ]
    assert not hub.asked("cdn", "", "big.pkl")


def test_a_fault_in_one_file_leaves_the_others(hub: Hub) -> None:
    publish(hub, {"bad.pkl": sparse.blobs(5, 1 << 20), "good.safetensors": sparse.safetensors(1_000_000)})
    hub.faults["bad.pkl"] = Faults(limited=lambda n: n > 0, retry_after=99_999)
    report = scan("hf:org/model")
    bad, good = report.artifacts
    assert bad.coverage.executable_gap
    assert bad.coverage.reasons[0].code == "rate-limited"
    assert good.coverage.state is CoverageState.ANALYSED
    assert report.verdict.decision is Decision.INCOMPLETE


def test_a_file_that_changes_on_the_way_is_distrusted(hub: Hub) -> None:
    publish(hub, {"model.pkl": sparse.blobs(5, 1 << 20)})
    hub.faults["model.pkl"] = Faults(etags=lambda n: f"e{n}")
    report = scan("hf:org/model")
    assert "MSP9103" in rules(report)
    assert report.verdict.decision is Decision.DENIED


def test_branches_tags_pull_requests_and_addresses_are_resolved(hub: Hub) -> None:
    old = publish(hub, {"a.json": b"{}"})
    new = publish(hub, {"b.json": b"{}"})
    repo = hub.repo("org/model")
    repo.refs["refs/pr/1"] = repo.refs["v1.0"] = old
    for given, commit in (
        ("hf:org/model", new),
        ("hf:org/model@main", new),
        ("hf:org/model@v1.0", old),
        ("hf:org/model@refs/pr/1", old),
        (f"hf:org/model@{old}", old),
        (f"{hub.url}/org/model", new),
        (f"{hub.url}/org/model/tree/v1.0", old),
        (f"{hub.url}/org/model/tree/refs%2Fpr%2F1", old),
        (f"{hub.url}/org/model/blob/main/b.json", new),
    ):
        assert scan(given).targets[0].revision == commit, given


def test_datasets_and_spaces(hub: Hub) -> None:
    for kind in ("dataset", "space"):
        hub.repo("org/thing", kind).commit(
            {"x.pkl": File(Content(b"\x80\x04N."), lfs=True), "y.json": File(Content(b"{}"))}
        )
        report = scan(f"hf:{kind}s/org/thing")
        assert [artifact.path for artifact in report.artifacts] == ["x.pkl", "y.json"]


def cli(hub: Hub, *arguments: str, **environment: str) -> tuple[int, str]:
    done = run(*arguments, HF_ENDPOINT=hub.url, **environment)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("target", "settings", "words"),
    [
        ("hf:org/none", {}, ["no such model", "log in"]),
        ("hf:org/secret", {"private": True}, ["no such model", "log in"]),
        ("hf:org/off", {"disabled": True}, ["disabled"]),
        ("hf:org/model@nowhere", {}, ["no revision nowhere", "refs/pr/N"]),
        ("hf:org/model/x/y", {}, ["not a repository", "hf:org/model@revision"]),
        ("hf:../etc", {}, ["not a repository"]),
        ("https://example.org/org/model", {}, ["no address of"]),
    ],
)
def test_errors_say_what_to_do(hub: Hub, target: str, settings: dict[str, bool], words: list[str]) -> None:
    for name in ("org/model", "org/secret", "org/off"):
        publish(hub, {"a.json": b"{}"}, name, **(settings if name == target[3:] else {}))
    code, output = cli(hub, "scan", target)
    assert code == 2
    assert all(word in output for word in words), output


def test_gated_and_private_repositories_open_with_a_token(hub: Hub) -> None:
    publish(hub, {"a.safetensors": sparse.safetensors(1000, 2)}, gated=True)
    code, output = cli(hub, "scan", "hf:org/model")
    assert code == 2
    assert "gated; accept its terms" in output
    assert not hub.asked("hub", "", "/resolve/")
    assert cli(hub, "scan", "hf:org/model", HF_TOKEN=TOKEN)[0] == 0
    assert all(not request.authorization for request in hub.asked("cdn"))


def test_offline_asks_nobody(hub: Hub) -> None:
    for code, output in (
        cli(hub, "scan", "hf:org/model", "--offline"),
        cli(hub, "scan", "hf:org/model", HF_HUB_OFFLINE="1"),
    ):
        assert code == 2
        assert "go online" in output
    assert hub.log == []


@pytest.mark.timeout(60)
def test_a_rate_limit_of_the_api_ends_soon_and_is_named(hub: Hub) -> None:
    publish(hub, {"a.json": b"{}"})
    hub.api_faults = Faults(limited=lambda n: True, retry_after=3600)
    code, output = cli(hub, "scan", "hf:org/model")
    assert code == 5
    assert "limits your requests" in output
    assert "HF_TOKEN" in output


def test_the_console_says_how_much_was_read_and_what_is_unknown(hub: Hub) -> None:
    publish(hub, {"model.safetensors": sparse.safetensors(100_000_000)})
    code, output = cli(hub, "scan", "hf:org/model")
    assert code == 0
    assert "read of 100.0 MB" in output
    assert "fetch" in output


def test_json_has_scope_and_commit(hub: Hub, tmp_path: Path) -> None:
    commit = publish(hub, {"model.safetensors": sparse.safetensors(1_000_000)})
    cli(hub, "scan", "hf:org/model", "--format", f"json={tmp_path / 'r.json'}")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["verdict"]["scope"] == "remote"
    assert report["targets"][0] | {"kind": "hub", "revision": commit} == report["targets"][0]
    assert PurePosixPath(report["artifacts"][0]["path"]).name == "model.safetensors"


def _zip(members: dict[str, bytes]) -> bytes:
    import io
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member), data)
    return stream.getvalue()


EVIL = b"\x80\x04" + sparse.PAYLOAD + b"."
HARMLESS = b"\x80\x04N."


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("prefix.pt", EVIL + bytes(200_000) + _zip({"archive/data.pkl": HARMLESS})),
        ("two-ends.zip", _zip({"a.pkl": HARMLESS}) + bytes(200_000) + _zip({"b.pkl": EVIL})),
        ("twin.pt", _zip({"archive/data.pkl": HARMLESS, "archive/DATA.pkl": EVIL, "archive/data/0": bytes(300_000)})),
        ("tail.safetensors", sparse.safetensors(400_000, 4).read(0, 500_000) + EVIL),
        ("cut.zip", _zip({"a.pkl": EVIL, "b": bytes(300_000)})[:-40]),
    ],
)
def test_traps_are_answered_as_in_a_local_scan(hub: Hub, tmp_path: Path, path: str, data: bytes) -> None:
    publish(hub, {path: data})
    (tmp_path / path).write_bytes(data)
    remote, local = scan("hf:org/model"), scan(str(tmp_path / path))
    assert rules(remote) == rules(local)
    assert remote.verdict.decision is local.verdict.decision
    assert rules(remote)
    assert only(remote).coverage.state is only(local).coverage.state


def test_a_directory_that_lies_about_its_tensors_is_read_on(hub: Hub) -> None:
    # The storage is one byte shorter than its room: what stands there is looked at, header and all.
    content = sparse.torch_zip(20, 100_000_000, sparse.state(20))
    at = max(content.pieces)
    pieces = dict(content.pieces)
    pieces[at] = pieces[at].replace(
        struct.pack("<LL", 5_000_000, 5_000_000), struct.pack("<LL", 4_999_999, 4_999_999), 1
    )
    publish(hub, {"model.pt": Content(pieces)})
    report = scan("hf:org/model")
    assert "MSP2007" in rules(report)


def test_a_hostile_child_gets_no_more_than_the_budget(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelscan_plus.sources.hub import source as module

    monkeypatch.setattr(module.HubSource.__init__, "__kwdefaults__", {
        **module.HubSource.__init__.__kwdefaults__, "budget": 1 << 20,
    })  # fmt: skip
    publish(hub, {"model.pkl.gz": b"\x1f\x8b\x08\0\0\0\0\0\0\3" + bytes(5_000_000)})
    assert scan("hf:org/model").verdict.decision is Decision.INCOMPLETE
    assert hub.body_bytes() <= 1 << 20


def scanner(status: str, **more: object) -> dict[str, object]:
    return {"status": status, "message": None, "reportLink": None, "reportLabel": None, "version": "1", **more}


def test_the_hubs_scanners_are_heard_and_silence_is_not_safety(hub: Hub) -> None:
    files = {
        name: File(Content(HARMLESS), lfs=True) for name in ("bad.bin", "good.bin", "new.bin", "odd.bin", "old.bin")
    }
    files["bad.bin"].security = {
        "status": "unsafe",
        "avScan": scanner("safe"),
        "jFrogScan": scanner("unsafe", message="malicious"),
        "pickleImportScan": scanner(
            "unsafe", pickleImports=[{"module": "posix", "name": "system", "safety": "dangerous"}]
        ),
    }
    files["good.bin"].security = {"status": "safe", "avScan": scanner("safe"), "virusTotalScan": scanner("safe")}
    files["new.bin"].security = {"status": "queued", "protectAiScan": scanner("queued")}
    files["odd.bin"].security = ["a form that nobody knows"]
    repo = hub.repo("org/model")
    repo.commit(files)
    repo.security = {"scansDone": False, "filesWithIssues": [{"path": "bad.bin", "level": "unsafe"}, 7]}
    report = scan("hf:org/model")
    (alert,) = [finding for finding in report.findings if finding.rule == "MSP5005"]
    assert (alert.artifact, alert.severity.value, alert.source) == ("bad.bin", "high", "hub")
    assert "JFrog: unsafe (malicious)" in alert.message
    assert "posix.system (dangerous)" in alert.message
    (silent,) = [finding for finding in report.findings if finding.rule == "MSP5006"]
    assert "new.bin, odd.bin, old.bin" in silent.message
    assert report.verdict.decision is Decision.DENIED


def test_a_moved_repository_and_a_pull_request_are_findings(hub: Hub) -> None:
    commit = publish(hub, {"a.safetensors": sparse.safetensors(1000, 2)})
    hub.moved["old/name"] = "org/model"
    hub.repo("org/model").refs["refs/pr/3"] = commit
    found = {finding.rule for finding in scan("hf:old/name@refs/pr/3").findings}
    assert {"MSP5002", "MSP5003", "MSP5004"} <= found
    assert not {f.rule for f in scan(f"hf:org/model@{commit}").findings} & {"MSP5002", "MSP5003", "MSP5004"}


def test_an_open_conversion_by_somebody_is_a_finding_where_loaders_would_take_it(hub: Hub) -> None:
    publish(hub, {"config.json": b"{}", "pytorch_model.bin": b"\x80\x02}."})
    title = "Adding `safetensors` variant of this model"
    request = {"num": 7, "title": title, "author": {"name": "mallory"}, "status": "open", "isPullRequest": True}
    others = [
        request | {"num": 8, "status": "merged"},
        request | {"num": 9, "isPullRequest": False},
        request | {"num": 10, "title": "Update README.md"},
        request | {"num": "11"},
        7,
    ]
    hub.repo("org/model").discussions = [request, *others]  # type: ignore[list-item]
    report = scan("hf:org/model")
    assert [(f.rule, f.subject) for f in report.findings if f.rule == "MSP5010"] == [("MSP5010", "refs/pr/7")]
    assert report.verdict.decision is Decision.DENIED
    assert len(hub.asked("hub", "", "/api/")) <= 4
    publish(hub, {"model.safetensors": sparse.safetensors(1000, 2), "pytorch_model.bin": b"\x80\x02}."})
    assert not [f for f in scan("hf:org/model").findings if f.rule == "MSP5010"]


def test_a_registry_wants_a_commit(hub: Hub) -> None:
    commit = publish(hub, {"a.safetensors": sparse.safetensors(1000, 2)})
    assert cli(hub, "scan", "hf:org/model", "--policy", "builtin:registry")[0] == 1
    assert cli(hub, "scan", f"hf:org/model@{commit}", "--policy", "builtin:registry")[0] == 0


def test_odd_names_are_asked_for_and_shown_as_they_are(hub: Hub) -> None:
    names = ["a b.json", "q?x#y%41.json", "\u00fc/\u4e2d.json", "bidi\u202e.json", "line\nbreak.json", "../../up.json"]
    publish(hub, dict.fromkeys(names, b"{}"))
    report = scan("hf:org/model")
    shown = {artifact.path: artifact.coverage.bytes_read for artifact in report.artifacts}
    assert len(shown) == len(names)
    assert all(count == 2 for path, count in shown.items() if path != "../../up.json"), shown
    assert {"a b.json", "bidi\\u202e.json", "line\\x0abreak.json"} <= shown.keys()


@pytest.mark.parametrize(
    "tree",
    [
        {},
        [
            1,
            None,
            "x",
            {"type": "file"},
            {"type": "file", "path": 5, "size": 1},
            {"type": "file", "path": "a", "size": -1},
        ],
        [{"type": "file", "path": "a", "size": 5}],
        [{"type": "file", "path": "a", "size": 5, "oid": "x", "lfs": 7}] * 2,
        [{"type": "file", "path": "\ud800.pkl", "size": 5, "oid": "0" * 40, "lfs": {"oid": "1" * 64, "size": "many"}}],
    ],
)
def test_a_hub_that_talks_nonsense_leaves_no_traceback(hub: Hub, monkeypatch: pytest.MonkeyPatch, tree: object) -> None:
    from tests.hub import server

    publish(hub, {"b.pkl": HARMLESS})
    monkeypatch.setattr(server._HubHandler, "_tree", lambda self, entry, *rest: self._json(entry, tree))
    report = scan("hf:org/model")
    assert report.verdict.decision is Decision.INCOMPLETE
    assert "internal-error" not in {reason.code for a in report.artifacts for reason in a.coverage.reasons}


def test_a_gguf_of_1_gb_takes_its_header(hub: Hub) -> None:
    publish(hub, {"model.gguf": sparse.gguf(GB)})
    report = scan("hf:org/model")
    assert only(report).formats == ("gguf",)
    assert only(report).coverage.state is CoverageState.ANALYSED
    assert hub.body_bytes() <= 13_000_000
    assert report.verdict.decision is Decision.ALLOWED


def test_copies_of_the_same_weights_are_compared_for_few_bytes(hub: Hub) -> None:
    layers = {f"model.layers.{number}.mlp.up_proj.weight": [number + 0.5] * 20_000 for number in range(30)}
    files = {"model.safetensors": safetensors(layers), "pytorch_model.bin": checkpoint(layers)}
    publish(hub, {**files, "pytorch_model.bin": checkpoint({key: [9.0] * 20_000 for key in layers})})
    publish(hub, files, "org/same")
    assert "MSP5065" in rules(scan("hf:org/model"))
    before = hub.body_bytes()
    assert "MSP5065" not in rules(scan("hf:org/same"))
    publish(hub, {"model.safetensors": files["model.safetensors"], "other.bin": files["pytorch_model.bin"]}, "org/lone")
    with_copies = hub.body_bytes() - before
    scan("hf:org/lone")
    extra = with_copies - (hub.body_bytes() - before - with_copies)
    assert 0 < extra <= 70_000
