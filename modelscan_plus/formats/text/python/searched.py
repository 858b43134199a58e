"""Modules and functions that are found by going through everything there is, so that no name of them stands in the source.

`[o for o in gc.get_objects() if …]`, a loop over `sys.modules`, `{f.__name__: f for f in vars(os).values()}`: what is taken
out of them is known only by what is done with it.
"""

import ast

from modelscan_plus.formats.text.python.names import Names

SEARCHED = "searched"
"""The origin of what comes out of all objects or all modules."""
OF_SYSTEM = "of-system"
"""The origin of what comes out of a module that starts programs."""
_ALL = frozenset(("gc.get_objects", "gc.get_referrers", "gc.get_referents", "builtins.object.__subclasses__"))
_LISTS = frozenset(("builtins.vars", "inspect.getmembers", "inspect.getmembers_static"))
_OF_TABLES = frozenset(("values", "items", "copy"))
_SYSTEM = frozenset("os posix nt subprocess pty builtins".split())
STARTING = frozenset(
    """system popen Popen check_output check_call getoutput getstatusoutput execv execve execvp execvpe execl execlp spawnl spawnv spawnvp
    posix_spawn startfile spawn import_module __import__ run_path CDLL""".split()
)
"""Names under which modules of Python have what starts programs or loads code, and hardly anything else has something."""


def of_search(node: ast.Call, dotted: str, names: Names) -> set[str]:
    """Origins of what a call gives that lists all objects, all modules, or all that a module has."""
    if dotted in _ALL:
        return {SEARCHED}
    if dotted in _LISTS and node.args:
        return {OF_SYSTEM} if names.plain(node.args[0]) in _SYSTEM else set()
    if isinstance(node.func, ast.Attribute) and node.func.attr in _OF_TABLES:
        holder = node.func.value
        if isinstance(holder, ast.Attribute) and holder.attr == "__dict__" and names.plain(holder.value) in _SYSTEM:
            return {OF_SYSTEM}
    return set()
