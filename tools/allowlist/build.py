"""From sources.toml to verdicts, library by library."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from modelscan_plus.rules.allowlist import Permit
from tools.allowlist.cython import rebuildable
from tools.allowlist.fetch import Library, Sources, sources
from tools.allowlist.merge import Merged, Seed
from tools.allowlist.policy import Policy
from tools.allowlist.universe import ParsedSources, Universe
from tools.allowlist.verdicts import Judge, Verdict


@dataclass(slots=True)
class Built:
    """The outcome of reading the libraries."""

    merged: Merged
    read: dict[str, str]
    """Top-level package: distribution and the versions read."""
    refused: dict[tuple[str, str], str]
    """Classes that are not listed: the first version that refuses them, and why."""
    missing: list[str]
    """Versions of which no wheel was to be had."""


def newest(libraries: Iterable[Library], cache: Path) -> dict[str, ParsedSources]:
    """The newest version of each library, by top-level package: where the bases of other libraries are found."""
    context: dict[str, ParsedSources] = {}
    for library in libraries:
        found = sources(library, library.versions[-1], cache)
        if found is not None:
            parsed = ParsedSources(found.modules, found.packages)
            context.update(dict.fromkeys(library.packages, parsed))
    return context


def opaque_bases(policy: Policy, seeds: Iterable[Seed]) -> frozenset[str]:
    """Classes whose own hooks need no reading: those of policy.toml and those that a person reviewed."""
    reviewed = {
        f"{module}.{name}"
        for seed in seeds
        if seed.permit & (Permit.REBUILD | Permit.GUARDED)
        for module in seed.modules
        for name in seed.names
    }
    return policy.bases | reviewed


def build(
    libraries: Iterable[Library],
    context: dict[str, ParsedSources],
    policy: Policy,
    seeds: list[Seed],
    cache: Path,
    report: Callable[[str], None] = lambda line: None,
) -> Built:
    """Read every version of every library and merge what they say."""
    built = Built(Merged(), {}, {}, [])
    opaque = opaque_bases(policy, seeds)
    for library in libraries:
        done = []
        for version in library.versions:
            found = sources(library, version, cache)
            if found is None:
                built.missing.append(f"{library.name} {version}")
                continue
            verdicts = list(judge(found, context, policy, opaque))
            built.merged.add(verdicts)
            done.append(version)
            report(f"{library.name} {version}: {len(verdicts):,} names")
            for verdict in verdicts:
                if verdict.why_not and not verdict.permit:
                    key = verdict.module, verdict.name
                    built.refused.setdefault(key, f"{library.name} {version}: {verdict.why_not}")
        for package in library.packages:
            built.read[package] = f"{library.name} {' '.join(done)}"
    return built


def judge(
    found: Sources, context: dict[str, ParsedSources], policy: Policy, opaque: frozenset[str]
) -> Iterator[Verdict]:
    """Everything that one version of one library says."""
    subject = ParsedSources(found.modules, found.packages)
    judge = Judge(Universe(subject, context, opaque), policy)
    wanted = [subject.module(name) for name in found.modules if not policy.is_excluded(name)]
    modules = [module for module in wanted if module is not None]
    judge.collect(modules)
    for module in modules:
        yield from judge.module(module, functions=found.library.functions)
    for name, text in found.cython.items():
        if not policy.is_excluded(name):
            for cls in rebuildable(text):
                yield Verdict(name, cls, Permit.IMPORT | Permit.REBUILD)
                yield Verdict(name, f"__pyx_unpickle_{cls}", Permit.IMPORT | Permit.GUARDED)
