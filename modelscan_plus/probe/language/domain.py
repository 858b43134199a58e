"""The domain of language models: folders of transformers, sentence-transformers and peft, and bare safetensors files.

A model that can be loaded gets the searches of its kind (`SEARCHES`); with a reference, its weights are also compared
with the base (probe/delta), which needs no model to run and is all that is done where it cannot be loaded.
"""

import importlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import Job, NotProbed, Subject
from modelscan_plus.probe.language.architectures import FAMILIES
from modelscan_plus.probe.language.searches import Searches

SEARCHES: Mapping[str, str] = {
    "text-classifier": "modelscan_plus.probe.language.text_search:searches",
    "causal-lm": "modelscan_plus.probe.language.causal:searches",
    "embedding": "modelscan_plus.probe.language.embedding:searches",
}
"""`module:function` by kind; the function is given the job and the `LoadedModel` and gives `Searches`."""
_ADAPTER, _CONFIG, _MODULES = "adapter_config.json", "config.json", "modules.json"
_LIBRARIES = ("numpy", "tokenizers", "torch", "transformers")


class LanguageDomain:
    """Text classifiers, causal language models, embedding models and LoRA adapters."""

    name = "language"

    def __init__(self) -> None:
        self._versions: tuple[tuple[str, str], ...] = ()

    def claims(self, files: ModelFiles) -> bool:
        """By names at the top of the folder; what is inside is looked at when it is opened."""
        weights = [name for name in files if name.endswith(".safetensors") and "/" not in name]
        if files.single:
            return bool(weights)
        return _ADAPTER in files or _MODULES in files or (_CONFIG in files and (bool(weights) or _is_known(files)))

    def preload(self) -> None:
        """Import the loader, the comparison and every kind's searches."""
        load = importlib.import_module("modelscan_plus.probe.language.load")
        importlib.import_module("modelscan_plus.probe.delta.routine")
        load.preload()
        for path in SEARCHES.values():
            importlib.import_module(path.partition(":")[0])
        self._versions = tuple((name, version(name)) for name in _LIBRARIES)

    def open(self, job: Job) -> Subject:
        """Load the model; where that is refused, a reference still gives the comparison. Raises NotProbed."""
        from modelscan_plus.probe.delta.routine import WeightsDelta
        from modelscan_plus.probe.language.load import load

        delta = WeightsDelta(job)
        adapter = _ADAPTER in job.model
        try:
            loaded = load(job.model, base=job.references[0] if adapter and job.references else None)
        except NotProbed as error:
            if delta.missing():
                raise
            kind = "lora" if adapter else "unknown"
            return Subject(kind, (delta,), untried=(f"all triggers: {error.reason}",), versions=self._versions)
        found = _searches(job, loaded)
        return Subject(
            kind="lora" if adapter else loaded.kind,
            routines=(delta, *found.routines),
            untried=found.untried,
            facts=(*_facts(loaded), *found.facts),
            calibration=found.calibration,
            versions=self._versions,
        )


def _is_known(files: ModelFiles) -> bool:
    head = files[_CONFIG].pread(0, 1 << 16).decode("utf-8", "replace")
    return '"model_type"' in head and any(f'"{name}"' in head for name in FAMILIES)


def _searches(job: Job, loaded: Any) -> Searches:
    path = SEARCHES.get(loaded.kind)
    if path is None:
        return Searches(untried=(f"all triggers: no routine searches a model of this kind ({loaded.kind})",))
    module, _, name = path.partition(":")
    found: Searches = getattr(importlib.import_module(module), name)(job, loaded)
    return found


def _facts(loaded: Any) -> tuple[tuple[str, str], ...]:
    rows = loaded.model.get_input_embeddings().weight.shape[0]
    facts = [
        ("architecture", type(loaded.model).__name__),
        ("parameters", f"{loaded.parameters:,}"),
        ("vocabulary", f"{rows:,} rows"),
        ("longest text", f"{loaded.max_length:,} tokens"),
    ]
    if loaded.labels:
        facts.append(("classes", shorten(", ".join(visible(label) for label in loaded.labels), 200)))
    if loaded.kind == "embedding":
        stated = "" if loaded.pooling.stated else " (assumed)"
        facts.append(("pooling", f"{loaded.pooling.mode}{', normalised' if loaded.pooling.normalise else ''}{stated}"))
    if loaded.unused:
        facts.append(("tensors without a place", f"{len(loaded.unused):,}"))
    return tuple(facts)
