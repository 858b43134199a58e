"""Calls that no table knows, by what they are a method of: clients of other machines, what was found by a search."""

import ast
import re
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python import accounts, asides, deeds
from modelscan_plus.formats.text.python.blocks import Block
from modelscan_plus.formats.text.python.calls import starts_from_native
from modelscan_plus.formats.text.python.commanded import commanded, script
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.origins import Origins
from modelscan_plus.formats.text.python.own_accounts import LOGS, logs_away
from modelscan_plus.formats.text.python.searched import OF_SYSTEM, SEARCHED, STARTING


class Holders(Origins):
    """Tells calls by what they are a method of, and by what they hand to it."""

    _away: bool | None = None
    """The log of the source is told to another machine; None before anybody asked."""

    def _nameless(self, node: ast.Call, block: Block) -> tuple[str, str] | None:
        """Kind and name of a call of what was found by going through all modules, or through all that one has."""
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        found = self._flow.origins(node.func, block.name) if method in STARTING or not method else set[str]()
        if method in STARTING and found & {SEARCHED, OF_SYSTEM}:
            return "process", f"….{method}"
        if OF_SYSTEM in found:
            return "held", "os.…"
        return ("ends", f"….{method}") if self._ends_others(node, block) else None

    def _ends_others(self, node: ast.Call, block: Block) -> bool:
        """True for `kill()` of what goes through all programs."""
        ends = isinstance(node.func, ast.Attribute) and node.func.attr in ("kill", "terminate", "suspend")
        return (
            ends and isinstance(node.func, ast.Attribute) and "host" in self._flow.origins(node.func.value, block.name)
        )

    def _sent(self, node: ast.Call, dotted: str | None, block: Block) -> tuple[str, str] | None:
        """Kind and name of a call that hands something telling to a client of another machine, or with its address."""
        name = dotted or (f"….{node.func.attr}" if isinstance(node.func, ast.Attribute) else "")
        if name and name.rpartition(".")[2] not in accounts.TALK and not name.startswith("builtins."):
            addresses = accounts.put_together(node, self._names)
            if any(self._is_telling(self._flow.origins(value, block.name)) for value in addresses):
                return "send", name
        if asides.asks_hub(node, dotted or "", lambda value: self._flow.origins(value, block.name)):
            return "send", name
        carried = accounts.carries(node, dotted, self._names)
        if carried and any(self._is_telling(self._flow.origins(value, block.name)) for value in carried):
            return "send", name
        if not isinstance(node.func, (ast.Attribute, ast.Call, ast.Name)):
            return None
        if name.rpartition(".")[2] in LOGS and self._logs_away():
            flows, _ = self._origins(node, block)
            if flows & {"secret", "user-files"}:
                return "send", name
        holder = self._flow.origins(node.func.value if isinstance(node.func, ast.Attribute) else node.func, block.name)
        tracked = accounts.TRACKED in holder or (dotted is not None and accounts.tracks(dotted))
        elsewhere = accounts.ELSEWHERE in holder
        if not tracked and not elsewhere:
            return None
        flows, _ = self._origins(node, block)
        if flows & {"secret", "user-files"} or (elsewhere and self._is_telling(flows)):
            return "upload" if tracked else "send", name or "….()"
        return None

    def _hostile(self, kind: str, dotted: str, argument: str, node: ast.Call, block: Block) -> str:
        """What only malware does with such a call, "" for nothing."""
        hostile = deeds.hostile(kind, dotted, argument, node, self._names)
        if kind in ("process", "code") and argument and (command := prose.hostile_command(argument)):
            hostile = command[0]
        elif kind == "process" and argument and not hostile:
            hostile = commanded(argument) or self._runs_foreign(node, block)
        elif kind == "native-build":
            hostile = starts_from_native(node, self._names)
        elif kind == "unpickle" and re.search(r"!!python/|[\"']py/(?:reduce|function|repr|object)", argument):
            hostile = "reads data that has functions called"
        return hostile

    def _runs_foreign(self, node: ast.Call, block: Block) -> str:
        """What it comes to that a shell is given a file of another repository as its script."""
        path = script(node, self._names)
        foreign = path is not None and "hub" in self._flow.origins(path, block.name)
        return "runs a script of another repository" if foreign else ""

    def _installed(self, node: ast.Call, block: Block) -> Iterator[Effect]:
        """Packages from addresses that a platform is told to install."""
        for package in deeds.packages(node, self._names):
            install = self._simple("process", f"….{getattr(node.func, 'attr', 'install')}", block, node)
            yield msgspec.structs.replace(install, argument=shorten(visible(f"pip install {package}")))

    def _logs_away(self) -> bool:
        if self._away is None:
            self._away = logs_away(self._names)
        return self._away

    @staticmethod
    def _is_telling(flows: set[str]) -> bool:
        """True for what a client of another machine is not to be handed."""
        return bool(flows & TELLING) or any(flow.startswith("key:") for flow in flows)


TELLING = frozenset(("given", "secret", "host", "user-files"))
"""Origins of what a client of another machine is not to be handed."""
