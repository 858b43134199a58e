"""Lists of hashes, pointers and indexes in real folders, as a user scans them."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.make.manifests import TREES
from modelscan_plus.core.report import Report
from modelscan_plus.formats.summaries import DigestList
from modelscan_plus.pipeline import scan
from tests.samples import inspect, inspect_tree, tree_of


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def found(report: Report, rule: str) -> list[str]:
    return [finding.artifact for finding in report.findings if finding.rule == rule]


def sample(path: str) -> dict[str, bytes]:
    return next(tree.build() for tree in TREES if tree.path == path)


@pytest.mark.parametrize("tree", [tree for tree in TREES if ":" not in "".join(tree.build())], ids=lambda t: t.path)
def test_a_scan_finds_in_a_folder_what_the_sample_says(tmp_path: Path, tree: object) -> None:
    report = scan(write(tmp_path / "m", tree.build()))  # type: ignore[attr-defined]
    fired = {finding.rule for finding in report.findings}
    assert set(tree.fires) <= fired  # type: ignore[attr-defined]
    if not tree.fires:  # type: ignore[attr-defined]
        assert report.allowed


def test_what_was_compared_is_noted_and_nothing_is_hashed_that_nobody_speaks_of(tmp_path: Path) -> None:
    report = scan(write(tmp_path / "m", sample("honest/with-sums")))
    (note,) = report.notes
    assert (note.code, note.message) == ("MSP7056", "weights/SHA256SUMS: 2 of 2 compared files match")
    assert all(artifact.sha256 is None for artifact in report.artifacts)


def test_a_replaced_file_denies_and_is_named(tmp_path: Path) -> None:
    report = scan(write(tmp_path / "m", sample("hostile/replaced-weights")))
    assert not report.allowed
    assert found(report, "MSP7050") == ["weights/w.safetensors"]


@pytest.mark.parametrize("tool", ["sha256sum", "sha512sum", "md5sum", "sha1sum", "b2sum"])
@pytest.mark.parametrize("tag", [[], ["--tag"]], ids=["plain", "tagged"])
def test_lists_of_the_real_tools_are_read(tmp_path: Path, tool: str, tag: list[str]) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    names = ["model.bin", "with blank.bin", "ünï.bin"]
    write(tmp_path, {name: name.encode() for name in names})
    made = subprocess.run([tool, *tag, *names], cwd=tmp_path, capture_output=True, check=True).stdout
    (tmp_path / ("B2SUMS" if tool == "b2sum" else "SUMS")).write_bytes(made)
    report = scan(tmp_path)
    assert "3 of 3" in report.notes[0].message
    (tmp_path / "with blank.bin").write_bytes(b"With blank.bin")
    assert found(scan(tmp_path), "MSP7050") == ["with blank.bin"]


def test_a_list_in_a_folder_of_its_own_may_name_files_from_the_root(tmp_path: Path) -> None:
    sums = f"{hashlib.sha256(b'x').hexdigest()}  data/x.bin\n".encode()
    report = scan(write(tmp_path, {"data/x.bin": b"x", "meta/SHA256SUMS": sums}))
    assert report.notes[0].message == "meta/SHA256SUMS: 1 of 1 compared files match"


def test_a_hash_that_cannot_be_compared_is_said_to_be_so(tmp_path: Path) -> None:
    report = scan(write(tmp_path, {"x.bin": b"x", "x.bin.blake3": b"0" * 64}))
    assert report.notes[0].message.endswith("0 of 0 compared files match; 1 could not be compared")
    assert found(report, "MSP7050") == []


def test_a_single_file_or_a_part_says_nothing_about_what_is_absent(tmp_path: Path) -> None:
    write(tmp_path, sample("hostile/missing-shard") | sample("hostile/dvc-only"))
    assert found(scan(tmp_path), "MSP7060") == ["model.safetensors.index.json"]
    assert found(scan(tmp_path / "model.safetensors.index.json"), "MSP7060") == []
    assert found(scan(tmp_path / "model.pkl.dvc"), "MSP7055") == []


def test_a_dvc_pointer_alone_is_not_called_analysed(tmp_path: Path) -> None:
    report = scan(write(tmp_path, sample("hostile/dvc-only")))
    assert report.verdict.decision.value == "incomplete"
    assert report.artifacts[0].coverage.reasons[0].code == "dvc-pointer"


@pytest.mark.parametrize(
    ("path", "decision"),
    [
        ("data/raw", "allowed"),
        ("rows.csv", "allowed"),
        ("data/model.pkl", "incomplete"),
        ("models/large", "incomplete"),
    ],
)
def test_data_of_a_dvc_pointer_is_nothing_that_a_loader_runs(tmp_path: Path, path: str, decision: str) -> None:
    pointer = f"outs:\n- md5: {'0' * 32}\n  size: 2\n  hash: md5\n  path: {path.rpartition('/')[2]}\n".encode()
    report = scan(write(tmp_path, {f"{path}.dvc": pointer, "README.md": b"# Model\n"}))
    assert report.verdict.decision.value == decision
    assert found(report, "MSP7055") == [f"{path}.dvc"]


def test_a_dvc_pointer_of_an_old_version_is_held_against_sizes_only(tmp_path: Path) -> None:
    old = b"outs:\n- md5: 00000000000000000000000000000000\n  size: 2\n  path: a.bin\n"
    assert found(scan(write(tmp_path, {"a.bin": b"x\n", "a.bin.dvc": old})), "MSP7050") == []
    assert found(scan(write(tmp_path, {"a.bin": b"xx\n", "a.bin.dvc": old})), "MSP7050") == ["a.bin"]


def test_an_lfs_pointer_stays_a_gap_and_states_what_it_stands_for() -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 7\n"
    result = inspect(pointer, "model.safetensors")
    assert [reason.code for reason in result.coverage.reasons] == ["lfs-pointer"]
    (stated,) = result.summaries
    assert isinstance(stated.summary, DigestList)
    assert (stated.summary.digests[0].digest, stated.summary.digests[0].size) == ("ab" * 32, 7)


def test_a_real_model_of_transformers_layout_in_many_shards_is_quiet(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    weights: dict[str, str] = {}
    total = 0
    for number in range(1, 4):
        name = f"model-{number:05}-of-00003.safetensors"
        tensors = {f"layers.{number}.{part}.weight": torch.zeros(4, 4) for part in ("q", "k", "v")}
        safetensors.save_file(tensors, tmp_path / name, metadata={"format": "pt"})
        weights |= dict.fromkeys(tensors, name)
        total += sum(value.nbytes for value in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weights}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    report = scan(tmp_path)
    assert report.findings == ()
    assert all(not artifact.coverage.incomplete for artifact in report.artifacts)


@given(data=st.binary(max_size=300), name=st.sampled_from(["SHA256SUMS", "a.sha256", "a.dvc", "m.index.json"]))
def test_no_bytes_make_the_parsers_raise(data: bytes, name: str) -> None:
    for prefix in (b"", b"outs:\n- md5: ", b'{"weight_map":{', b"0" * 64 + b"  "):
        inspect(prefix + data, name)


@given(
    names=st.lists(st.text(max_size=20), max_size=5),
    digest=st.text("0123456789abcdef", min_size=64, max_size=64),
)
def test_no_names_make_the_rules_raise(names: list[str], digest: str) -> None:
    lists = "".join(f"{digest}  {name}\n" for name in names).encode("utf-8", "replace")
    index = json.dumps({"weight_map": {name: name for name in names}}).encode()
    inspect_tree({"SHA256SUMS": lists, "model.index.json": index, "d/x.dvc": b"outs:\n- path: " + lists})
    tree_of({"a/SHA256SUMS": lists})
