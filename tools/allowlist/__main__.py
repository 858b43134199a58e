"""`python -m tools.allowlist`: build the list, or measure it.

build [--cache DIR] [--only NAME…] [--refused FILE]     write modelscan_plus/rules/data/allow.json
reseed                                                  write changed entries of allow_seed.toml into allow.json
held-out NAME VERSION [--cache DIR]                     build without this version, say how much of it is covered
"""

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from modelscan_plus.rules.allowlist import Permit, allow_list
from tools.allowlist.build import build, judge, newest, opaque_bases
from tools.allowlist.fetch import read_manifest, sources
from tools.allowlist.merge import Merged, combine, read_seeds, write
from tools.allowlist.policy import read_policy

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "modelscan_plus" / "rules" / "data"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is 1 when something that was asked for could not be read."""
    parser = argparse.ArgumentParser(prog="python -m tools.allowlist")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "modelscan-plus-wheels")
    commands = parser.add_subparsers(required=True, dest="command")
    building = commands.add_parser("build")
    building.add_argument("--refused", type=Path, help="write the classes that are not listed, with the reasons")
    commands.add_parser("reseed")
    held_out = commands.add_parser("held-out")
    held_out.add_argument("name")
    held_out.add_argument("version")
    options = parser.parse_args(arguments)
    if options.command == "build":
        return _build(options.cache, options.refused)
    if options.command == "reseed":
        return _reseed()
    return _held_out(options.cache, options.name, options.version)


def _build(cache: Path, refused: Path | None) -> int:
    libraries = read_manifest(HERE / "sources.toml")
    seeds = read_seeds(DATA / "allow_seed.toml")
    built = build(libraries, newest(libraries, cache), read_policy(HERE / "policy.toml"), seeds, cache, _say)
    table = combine(built.merged, seeds, built.read)
    write(table, DATA / "allow.json")
    counts = Counter[str]()
    for groups in table.modules.values():
        counts.update({str(Permit(int(key))): len(names.split()) for key, names in groups.items()})
    for permit, count in counts.most_common():
        print(f"{count:8,}  {permit}")
    for missing in built.missing:
        _say(f"no wheel: {missing}")
    if refused is not None:
        lines = [
            f"{module}:{name}\t{why}\n"
            for (module, name), why in built.refused.items()
            if name not in " ".join(table.modules.get(module, {}).values()).split()
        ]
        refused.write_text("".join(lines), "utf-8")
    return 1 if built.missing else 0


def _reseed() -> int:
    """Lay the reviewed entries over the packaged list. What a removed entry leaves to the sources needs a build."""
    table = allow_list()
    reviewed = {
        (module, name) for module, groups in table.seeds.items() for names in groups.values() for name in names.split()
    }
    merged = Merged(
        {
            (module, name): Permit(int(group))
            for module, groups in table.modules.items()
            for group, names in groups.items()
            for name in names.split()
            if (module, name) not in reviewed
        }
    )
    write(combine(merged, read_seeds(DATA / "allow_seed.toml"), table.sources), DATA / "allow.json")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _held_out(cache: Path, name: str, version: str) -> int:
    """The share of the classes that this version deserves to have listed which a list built without it has."""
    libraries = [library for library in read_manifest(HERE / "sources.toml") if library.name == name]
    seeds = read_seeds(DATA / "allow_seed.toml")
    policy = read_policy(HERE / "policy.toml")
    context = newest(read_manifest(HERE / "sources.toml"), cache)
    others = [replace(library, versions=tuple(v for v in library.versions if v != version)) for library in libraries]
    built = build(others, context, policy, seeds, cache)
    found = sources(libraries[0], version, cache)
    if found is None:
        return 1
    wanted = {
        (verdict.module, verdict.name): verdict.permit
        for verdict in judge(found, context, policy, opaque_bases(policy, seeds))
        if verdict.permit & Permit.REBUILD
    }
    reviewed = {(module, name) for seed in seeds for module in seed.modules for name in seed.names}
    permits = built.merged.permits
    listed = sum(bool(permits.get(key, Permit.NONE) & Permit.REBUILD) or key in reviewed for key in wanted)
    print(f"{name} {version}: {listed:,} of {len(wanted):,} classes listed without it ({listed / len(wanted):.1%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
