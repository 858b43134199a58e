"""Files that a model names and that stand beside it: what they are is known only when the whole target is in.

A child sees one file and cannot look beside it. It states which files the model names (formats/summaries.py); here the
parent asks the source what stands there, and takes the raw numbers of a model's tensors for what they are.
"""

import re
from collections.abc import Mapping

from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.facts import NeighbourFacts
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats import kinds
from modelscan_plus.formats.summaries import ExternalFiles, PythonSummary, RawNumbers
from modelscan_plus.rules.tree import TreeFile, joined
from modelscan_plus.sources.interface import Source
from modelscan_plus.sources.local import LocalSource

_PLAIN = lazy(r"\.(?:bin|dat|raw|f32|f16|fp32|fp16|f64|emb|vec)$", re.I)
_EXPECTED = lazy(
    r"^(?:\w*(?:pytorch|adapter|diffusion|training_args|optimizer|scheduler|rng_state|random_states|checkpoint)\w*)",
    re.I,
)
"""Names under which loaders expect pickles."""
_RUNS = frozenset(("process", "code", "module", "native", "library", "unpickle", "held"))
_LOOKS = 2_000
"""Paths that are looked at for one target."""


def neighbours(source: Source, files: Mapping[str, TreeFile]) -> tuple[NeighbourFacts, ...]:
    """What stands at the paths that models of a local target name."""
    if not isinstance(source, LocalSource):
        return ()
    paths = dict.fromkeys(path for _, path in _named(files))
    return tuple(source.look(path) for path in list(paths)[:_LOOKS])


def explained(files: Mapping[str, TreeFile]) -> dict[str, Coverage]:
    """By path, the coverage of files of unknown content that are the data of a model in the same target.

    They are numbers to every loader, so nothing that a loader interprets was left unread.
    """
    found: dict[str, Coverage] = {}
    for model, path in _named(files):
        there = files.get(path)
        if there is None or there.coverage.state is not CoverageState.NOT_ANALYSED or there.formats:
            continue
        if all(reason.code == "unknown-format" for reason in there.coverage.reasons):
            reason = CoverageReason("tensor-data", f"raw numbers of tensors of {model.name}; left unread")
            found[path] = Coverage(CoverageState.ANALYSED, (reason,), there.coverage.bytes_read)
    return found | _numbers(files) | _compiled(files)


def _numbers(files: Mapping[str, TreeFile]) -> dict[str, Coverage]:
    """By path, the coverage of raw numbers that no loader takes for anything else.

    Their bytes begin nothing that is known here. Left out are names under which loaders expect pickles, the
    top of the repository, where vLLM opens whatever ends in .bin, and what code of the repository runs, opens as a
    library or unpickles.
    """
    found: dict[str, Coverage] = {}
    used = ""
    for path, there in files.items():
        held = there.top(RawNumbers)
        if not held or not there.folder or _EXPECTED.search(there.name) or not _PLAIN.search(there.name):
            continue
        used = used or _used(files)
        if there.name not in used:
            reason = CoverageReason("raw-numbers", f"numbers ({held[0].number}) without a header; left unread")
            found[path] = Coverage(CoverageState.ANALYSED, (reason,), there.coverage.bytes_read)
    return found


def _compiled(files: Mapping[str, TreeFile]) -> dict[str, Coverage]:
    """By path, the coverage of descriptions in compiled models of Core ML, whose form is Apple's own.

    They stay unread. Core ML runs no code from them, and nothing else opens them by their name.
    """
    found: dict[str, Coverage] = {}
    for path, there in files.items():
        unknown = there.coverage.state is CoverageState.NOT_ANALYSED and not there.formats
        if unknown and not kinds.runs(path) and kinds.runs(there.name) and there.name not in _used(files):
            reason = CoverageReason("compiled-core-ml", "compiled for Core ML, which runs no code from it; not read")
            found[path] = Coverage(CoverageState.NOT_ANALYSED, (reason,), there.coverage.bytes_read)
    return found


def _used(files: Mapping[str, TreeFile]) -> str:
    """What the code of a repository hands to functions that run, load or unpickle it."""
    return "\n".join(
        f"{effect.argument} {effect.code}"
        for file in files.values()
        for summary in file.top(PythonSummary)
        for effect in summary.effects
        if effect.kind in _RUNS
    )


def _named(files: Mapping[str, TreeFile]) -> list[tuple[TreeFile, str]]:
    named = []
    for file in files.values():
        for summary in file.top(ExternalFiles):
            for external in summary.files:
                path = joined(file.folder, external.location)
                if path is not None:
                    named.append((file, path))
    return named
