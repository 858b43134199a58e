"""The Python files of a repository as one artifact: what the parent hands to a child that follows them together."""

import ast

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.formats.summaries import FollowedSummary
from modelscan_plus.formats.text import roles
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.follow.program import Program
from modelscan_plus.formats.text.python.gathered import KEPT, most_telling
from modelscan_plus.formats.text.python.parsing import parse


class Bundle(msgspec.Struct, frozen=True):
    """What is to be followed."""

    files: dict[str, bytes]
    """Sources by path."""
    roots: tuple[str, ...]
    """Paths of the files that loaders get to."""
    left_out: tuple[str, ...] = ()
    """Paths of files that loaders get to and for which there was no room."""
    settings: dict[str, str] = {}
    """Texts of the configuration that loaders hand to the code, by key."""
    imported: tuple[str, ...] = ()
    """Those of `roots` that are only imported: nobody makes objects of what is in them."""
    called: dict[str, tuple[str, ...]] = {}
    """By path of a root, functions and classes that settings name; "*" for all public ones."""
    handed: tuple[str, ...] = ()
    """Paths of other files with functions that something outside calls."""


def followed(artifact: Artifact, limits: Limits) -> dict[str, FollowedSummary]:
    """What the files do together, by path; raises nothing for any bytes."""
    budget = Budget(limits)
    try:
        bundle = msgspec.json.decode(artifact.source.pread(0, artifact.source.size), type=Bundle)
    except (msgspec.MsgspecError, ValueError):
        return {}
    trees: dict[str, ast.Module] = {}
    sources: dict[str, str] = {}
    for path, data in bundle.files.items():
        tree = parse(data)
        if not isinstance(tree, str):
            trees[path], sources[path] = tree, roles.decode(data)
    roots = [path for path in bundle.roots if path in trees]
    program = Program(trees, sources, budget, bundle.settings)
    served = Program(trees, sources, budget)
    try:
        found = program.effects(roots, frozenset(bundle.imported), bundle.called)
        left = list(program.exhausted)
        served.serve([path for path in bundle.handed if path in trees])
    except (BudgetExceeded, RecursionError) as breach:
        found, left = program.told(), [f"all of it ({breach})"]
    found = [*found, *((path, effect) for path, effect in served.told() if effect.handed)]
    effects: dict[str, list[Effect]] = {}
    for path, effect in found:
        effects.setdefault(path, []).append(effect)
    summaries = {path: FollowedSummary(tuple(most_telling(each, 4 * KEPT))) for path, each in effects.items()}
    if left and roots:
        summaries[roots[0]] = FollowedSummary(summaries.get(roots[0], FollowedSummary()).effects, tuple(left[:20]))
    return summaries
