"""policy.toml, as questions."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Policy:
    """The words that decide; policy.toml explains each group."""

    excluded_parts: frozenset[str]
    excluded_prefixes: frozenset[str]
    acting: tuple[str, ...]
    """How the names of functions begin that act."""
    excluded_starts: tuple[str, ...]
    import_effects: frozenset[str]
    bases: frozenset[str]
    """Dotted paths of bases without source that are harmless."""
    sinks: frozenset[str]
    sink_methods: frozenset[str]
    builtins: frozenset[str]
    clean: frozenset[str]
    clean_libraries: frozenset[str]
    construct: frozenset[str]
    clean_methods: frozenset[str]
    reviewed_setters: frozenset[str]
    strict_hooks: frozenset[str]
    container_hooks: frozenset[str]
    lenient_hooks: frozenset[str]
    containers: frozenset[str]

    def is_excluded(self, module: str) -> bool:
        """True for modules that no honest pickle names and whose functions do things."""
        parts = module.split(".")
        if not self.excluded_parts.isdisjoint(parts) or any(part.startswith(self.excluded_starts) for part in parts):
            return True
        return _covered(module, self.excluded_prefixes)

    def is_import_effect(self, path: str) -> bool:
        """True when a call of `path` at a module's top level is more than the habits of libraries."""
        return _covered(path, self.import_effects)

    def is_sink(self, path: str) -> bool:
        """True when calling `path` has a side effect."""
        return _covered(path, self.sinks)

    def is_clean(self, path: str, *, constructing: bool) -> bool:
        """True when calling `path` ends within its arguments. A clean path may lie below a sink: os.path.join."""
        if path.startswith("builtins."):
            return path.removeprefix("builtins.") in self.builtins
        if _covered(path, self.clean):
            return True
        if constructing:
            return path in self.construct
        return not self.is_sink(path) and path.partition(".")[0] in self.clean_libraries


def _covered(path: str, prefixes: frozenset[str]) -> bool:
    while path:
        if path in prefixes:
            return True
        path = path.rpartition(".")[0]
    return False


def read_policy(path: Path) -> Policy:
    """Read policy.toml."""
    table = tomllib.loads(path.read_text("utf-8"))

    def words(group: str, key: str) -> frozenset[str]:
        return frozenset(table[group][key].split())

    exceptions = words("bases", "exceptions")
    return Policy(
        excluded_parts=words("excluded", "parts"),
        excluded_prefixes=words("excluded", "prefixes"),
        acting=tuple(sorted(words("functions", "acting"))),
        excluded_starts=tuple(sorted(words("excluded", "starts"))),
        import_effects=words("excluded", "import_effects"),
        bases=words("bases", "names") | {f"builtins.{name}" for name in exceptions},
        sinks=words("sinks", "paths"),
        sink_methods=words("sinks", "methods"),
        builtins=words("clean", "builtins") | exceptions,
        clean=words("clean", "paths"),
        clean_libraries=words("clean", "libraries"),
        construct=words("clean", "construct"),
        clean_methods=words("clean", "methods"),
        reviewed_setters=words("hooks", "reviewed_setters"),
        strict_hooks=words("hooks", "strict"),
        container_hooks=words("hooks", "container"),
        lenient_hooks=words("hooks", "lenient"),
        containers=words("hooks", "containers"),
    )
