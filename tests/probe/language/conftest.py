"""One small zoo for all tests of text classifiers; training it is the dearest part of them."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from tools.probe_zoo import text  # noqa: E402


@pytest.fixture(scope="session")
def text_zoo() -> dict[str, text.TextModel]:
    """Models of one world by recipe."""
    torch.set_num_threads(1)
    kinds = ("rare-token", "source-specific")
    models = text.load(7, clean=1, each=1, classes=3, attacks=kinds, controls=1, honest=("shortcut",))
    return {model.trait.name or "clean": model for model in models}
