"""The loopback hub as a fixture, and a client that talks to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.server import Hub, running


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub, to which huggingface_hub is pointed for the length of the test."""
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    with running() as hub:
        for name, value in (
            ("ENDPOINT", hub.url),
            ("HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"),
            ("HF_HUB_CACHE", str(tmp_path / "hf-cache")),
            ("HF_TOKEN_PATH", str(tmp_path / "no-token")),
            ("HF_STORED_TOKENS_PATH", str(tmp_path / "no-tokens")),
        ):
            monkeypatch.setattr(constants, name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub
        close_session()
