"""Compiled files of a repository that its own programs load: machine code, bytecode, libraries of operators.

What a compiled file does cannot be read here, so a repository that brings one is incomplete. Where Python code of the
repository loads it, that is more than a gap: whoever starts the program, or lets a loader run the code, runs the file.
Looked for are import statements that find a compiled module (an extension module comes before the source of the same
name), functions that open a library by its path, programs that are started by theirs, and words of scripts that stand
where a command does. Code counts that a loader gets to (rules/reached.py), that stands at the top of the repository, or
that such code imports; the inside of a folder of built packages, which nothing here leads to, does not.
"""

import re
from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.summaries import PickleImports, PythonSummary, TextSummary
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.rules.interface import Rule
from modelscan_plus.rules.reached import OF_KERNELS, config_references, import_places, next_files, reached_code
from modelscan_plus.rules.tree import Tree, TreeContext, TreeFile, judges_tree

LOADS_COMPILED = Rule(
    id="MSP5070",
    slug="code-loads-compiled-file",
    title="Code of the repository loads or starts a compiled file of the repository",
    severity=Severity.HIGH,
    why=(
        "Machine code and bytecode run with all rights of the user once they are imported, opened or started, and "
        "nobody can read in them what they do. Honest projects build such files from source on the machine that uses "
        "them, or publish them as packages."
    ),
    fix="Build the file yourself from source that you have read, or do without it. Do not run the program as it is.",
    bad="import fastops        (and fastops.cpython-311-x86_64-linux-gnu.so beside it)",
    good="from torch.utils.cpp_extension import load        (and the source beside it)",
    cwe=("CWE-114", "CWE-829"),
    references=("https://docs.python.org/3/library/importlib.html#importlib.machinery.ExtensionFileLoader",),
)
_COMPILED = frozenset(("elf", "pe", "mach-o", "python-bytecode", "python-bytecode-by-hash"))
_LIBRARY = lazy(r"\.(?:so(?:\.[\d.]+)?|pyd|dll|dylib|pyc|node)$", re.I)
_MODULE = lazy(r"^(?P<name>\w+)(?:\.[\w-]+)*\.(?:so|pyd|dylib|dll)$", re.I)
"""The file of an extension module: "name.so", "name.abi3.so", "name.cpython-311-x86_64-linux-gnu.so", "name.pyd"."""
_BYTECODE = lazy(r"^(?P<name>\w+)(?:\.[\w-]+)*\.pyc$")
_LOADS = frozenset(("native", "library", "module", "process", "code", "unpickle", "settings"))
_OPENED = lazy(r"\.(?:so(?:\.[\d.]+)?|pyd|dll|dylib)$", re.I)
"""Libraries: as an argument of a program they are looked at, not run."""
_WORD = lazy(r"[^\s\"'`;|&,()\[\]{}<>=…]+")


@judges_tree
def loads_compiled(tree: Tree, context: TreeContext) -> Iterator[Finding]:
    """One finding for each compiled file that a program loads, at the first place that does."""
    compiled = {path: file for path, file in tree.files.items() if _is_compiled(file)}
    if not compiled:
        return
    modules = _modules(compiled)
    told: set[str] = set()
    for file, key, value in config_references(tree):
        for path in _by_reference(file, value, modules, compiled):
            if path not in told:
                told.add(path)
                yield _finding(context, file.path, path, f"{key} names {value}", None)
    for path, file in tree.files.items():
        for found, how, line in (*_by_pickle(file, modules), *_started(file, compiled)):
            if found not in told:
                told.add(found)
                yield _finding(context, path, found, how, line)
    for path, way in _programs(tree).items():
        file = tree.files[path]
        for found, how, line in _loaded(file, modules, compiled):
            if found not in told:
                told.add(found)
                yield _finding(context, path, found, how, line, way)


def _by_pickle(file: TreeFile, modules: dict[str, str]) -> Iterator[tuple[str, str, int | None]]:
    """Compiled modules that a pickle has imported, from the top of the repository or from its own folder."""
    for stated in file.summaries:
        names = stated.summary.modules if isinstance(stated.summary, PickleImports) else ()
        for name in names:
            for folder in dict.fromkeys(("", file.folder)):
                parts = name.split(".")
                for length in range(1, len(parts) + 1):
                    place = "/".join((*filter(None, (folder,)), *parts[:length]))
                    yield from _module_at(file, place, modules, name, "unpickling imports")


def _started(file: TreeFile, compiled: dict[str, TreeFile]) -> Iterator[tuple[str, str, int | None]]:
    """Compiled files that a script starts by their path, each with the line."""
    names = {name: line for summary in file.top(TextSummary) for name, line in summary.starts}
    for path, each in compiled.items():
        for name in (each.name, each.name.removesuffix(".exe")):
            if name in names:
                yield path, "the script starts it", names[name]


def _finding(context: TreeContext, path: str, loaded: str, how: str, line: int | None, way: str = "") -> Finding:
    because = f" A loader gets there: {way}." if way else ""
    return context.finding(
        LOADS_COMPILED,
        path,
        f"The program loads {loaded}, a compiled file that cannot be read here: {how}.{because}",
        TextEvidence(how),
        subject=f"loads\0{loaded}",
        line=line,
    )


def _is_compiled(file: TreeFile) -> bool:
    return bool(_COMPILED & set(file.formats)) or _LIBRARY.search(file.name) is not None


def _modules(compiled: dict[str, TreeFile]) -> dict[str, str]:
    """Compiled modules by the path, without ending, that Python imports them by; extension modules come first."""
    found: dict[str, str] = {}
    for path, file in sorted(compiled.items(), key=lambda item: item[0].endswith(".pyc")):
        if named := _MODULE.match(file.name):
            found.setdefault(f"{file.folder}/{named['name']}".lstrip("/"), path)
        elif named := _BYTECODE.match(file.name):
            if not file.folder.endswith("__pycache__"):
                found.setdefault(f"{file.folder}/{named['name']}".lstrip("/"), path)
            elif "python-bytecode-by-hash" in file.formats:  # taken in place of the source, whatever that says
                folder = file.folder.removesuffix("__pycache__")
                found.setdefault(f"{folder}{named['name']}".lstrip("/"), path)
    return found


def _programs(tree: Tree) -> dict[str, str]:
    """Python files that somebody starts or a loader gets to, with the way there."""
    found = {path: way for path, way in reached_code(tree).items() if OF_KERNELS not in way}
    todo = [path for path, file in tree.files.items() if not file.folder and file.top(PythonSummary)]
    while todo:
        path = todo.pop()
        if path not in found and path in tree.files:
            found[path] = ""
            todo += next_files(tree, tree.files[path])
    return found


def _loaded(
    file: TreeFile, modules: dict[str, str], compiled: dict[str, TreeFile]
) -> Iterator[tuple[str, str, int | None]]:
    """Compiled files that a Python file loads: which, how, and in which line."""
    for summary in file.top(PythonSummary):
        elsewhere = any(effect.kind == "search-path" for effect in summary.effects)
        for imported in summary.imports:
            for place in import_places(file, imported.module, imported.names):
                yield from _module_at(file, place, modules, imported.module)
            if elsewhere and not imported.module.startswith("."):
                end = "/" + imported.module.replace(".", "/")
                yield from (
                    (path, f"import {imported.module}", None) for at, path in modules.items() if f"/{at}".endswith(end)
                )
        for effect in summary.effects:
            if effect.kind in _LOADS:
                yield from ((path, effect.code, effect.line) for path in _by_argument(file, effect, compiled))


def _module_at(
    file: TreeFile, place: str, modules: dict[str, str], module: str, how: str = "import"
) -> Iterator[tuple[str, str, int | None]]:
    for at in (place, f"{place}/__init__"):
        if at in modules:
            yield modules[at], f"{how} {module}", None


def _by_argument(file: TreeFile, effect: Effect, compiled: dict[str, TreeFile]) -> Iterator[str]:
    """Compiled files that the call names, or that one which takes its name from elsewhere may open."""
    words = _WORD.findall(effect.argument.replace("\\", "/"))
    if effect.kind == "process":  # the program, whose path may be put together, and what an interpreter is given
        words = [word for place, word in enumerate(words[:3]) if not place or not _OPENED.search(word)]
    names = {word.rstrip("/").rpartition("/")[2] for word in words}
    found = [path for path, each in compiled.items() if each.name in names]
    if not found and effect.kind in ("native", "library"):
        found = [path for path, each in compiled.items() if each.name.partition(".")[0] in names - {""}]
    if not found and effect.kind == "native" and "CDLL(None" not in effect.code:
        ending = next((word for word in words if _LIBRARY.search(word)), "")
        if "…" in effect.argument or ending.startswith(("*", ".")):
            found = [path for path, each in compiled.items() if _LIBRARY.search(each.name)]
    return iter(found)


def _by_reference(file: TreeFile, value: str, modules: dict[str, str], compiled: dict[str, TreeFile]) -> Iterator[str]:
    """Compiled files that a configuration names, as a module or as a library."""
    if "--" in value:
        return
    places = [value.rpartition(".")[0].replace(".", "/"), value.replace(".", "/")]
    for place in filter(None, places):
        for folder in dict.fromkeys((file.folder, "")):
            if (at := f"{folder}/{place}".lstrip("/")) in modules:
                yield modules[at]
    name = value.replace("\\", "/").rpartition("/")[2]
    if _LIBRARY.search(name):
        yield from (path for path, each in compiled.items() if each.name == name)
