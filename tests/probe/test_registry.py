"""Every domain that is listed exists, is light to import, and has a name of its own."""

import subprocess
import sys

from modelscan_plus.probe import registry

_LIGHT = """
import sys
from modelscan_plus.probe import registry
for path in registry.DOMAINS:
    domain = registry.load(path)
    assert domain.name and callable(domain.claims) and callable(domain.preload) and callable(domain.open), path
heavy = {"torch", "transformers", "onnxruntime", "tokenizers", "PIL"} & sys.modules.keys()
assert not heavy, f"imported before the model is known: {heavy}"
"""


def test_every_domain_exists_and_importing_it_loads_no_heavy_library() -> None:
    ran = subprocess.run([sys.executable, "-c", _LIGHT], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_domains_have_names_of_their_own() -> None:
    names = [registry.load(path).name for path in registry.DOMAINS]
    assert len(set(names)) == len(names)
