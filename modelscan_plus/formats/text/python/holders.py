"""Calls that no table knows, by what they are a method of: clients of other machines, what was found by a search."""

import ast

from modelscan_plus.formats.text.python import accounts, asides
from modelscan_plus.formats.text.python.blocks import Block
from modelscan_plus.formats.text.python.origins import Origins
from modelscan_plus.formats.text.python.searched import OF_SYSTEM, SEARCHED, STARTING


class Holders(Origins):
    """Tells calls by what they are a method of, and by what they hand to it."""

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
        holder = self._flow.origins(node.func.value if isinstance(node.func, ast.Attribute) else node.func, block.name)
        tracked = accounts.TRACKED in holder or (dotted is not None and accounts.tracks(dotted))
        elsewhere = accounts.ELSEWHERE in holder
        if not tracked and not elsewhere:
            return None
        flows, _ = self._origins(node, block)
        if flows & {"secret", "user-files"} or (elsewhere and self._is_telling(flows)):
            return "upload" if tracked else "send", name or "….()"
        return None

    @staticmethod
    def _is_telling(flows: set[str]) -> bool:
        """True for what a client of another machine is not to be handed."""
        return bool(flows & TELLING) or any(flow.startswith("key:") for flow in flows)


TELLING = frozenset(("given", "secret", "host", "user-files"))
"""Origins of what a client of another machine is not to be handed."""
