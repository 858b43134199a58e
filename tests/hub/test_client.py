"""The loopback hub is one: the real client lists, reads and downloads through it."""

from pathlib import Path

import pytest

from tests.hub import sparse
from tests.hub.server import TOKEN, Content, File, Hub


def files() -> dict[str, File]:
    return {
        "model.safetensors": File(sparse.safetensors(200_000, 4), lfs=True),
        "config.json": File(Content(b"{}")),
        "folder/notes.txt": File(Content(b"notes")),
    }


def test_the_client_reads_a_repository(hub: Hub, tmp_path: Path) -> None:
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url, snapshot_download

    commit = hub.repo("org/model").commit(files())
    api = HfApi(endpoint=hub.url, token=False)
    assert api.model_info("org/model", files_metadata=True, securityStatus=True).sha == commit
    assert {entry.path for entry in api.list_repo_tree("org/model", recursive=True, revision=commit)} == {
        "model.safetensors",
        "config.json",
        "folder",
        "folder/notes.txt",
    }
    (info,) = api.get_paths_info("org/model", ["model.safetensors"], expand=True)
    metadata = get_hf_file_metadata(hf_hub_url("org/model", "model.safetensors", endpoint=hub.url), token=False)
    assert info.lfs.sha256 == metadata.etag
    assert metadata.commit_hash == commit
    folder = Path(snapshot_download("org/model", cache_dir=tmp_path, endpoint=hub.url, token=False))
    assert (folder / "folder" / "notes.txt").read_bytes() == b"notes"
    assert (folder / "model.safetensors").stat().st_size == files()["model.safetensors"].content.size


def test_the_client_gets_the_hubs_errors(hub: Hub) -> None:
    from huggingface_hub import HfApi, errors, hf_hub_download

    hub.repo("org/gated").commit(files())
    hub.repo("org/gated").gated = True
    hub.repo("org/private").commit(files())
    hub.repo("org/private").private = True
    api = HfApi(endpoint=hub.url, token=False)
    for name in ("org/none", "org/private"):
        with pytest.raises(errors.RepositoryNotFoundError):
            api.model_info(name)
    with pytest.raises(errors.RevisionNotFoundError):
        api.model_info("org/gated", revision="nowhere")
    with pytest.raises(errors.GatedRepoError):
        hf_hub_download("org/gated", "config.json", endpoint=hub.url, token=False)
    assert api.model_info("org/private", token=TOKEN).private
