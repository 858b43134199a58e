"""Where what a call is given comes from, and who chooses it: the source, a caller, a user, or somebody outside."""

import ast

from modelscan_plus.formats.text.python import arguments, deeds
from modelscan_plus.formats.text.python.assignments import Assignments
from modelscan_plus.formats.text.python.blocks import Block
from modelscan_plus.formats.text.python.callers import Callers
from modelscan_plus.formats.text.python.calls import placed
from modelscan_plus.formats.text.python.flow import Flow
from modelscan_plus.formats.text.python.handed import NOTHING, REQUEST, TOLD, Around, Handed, leading
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import GIVEN_NAMES
from modelscan_plus.formats.text.python.spoken import spoken
from modelscan_plus.formats.text.python.walk import walk

_ASKED_FOR = frozenset(("process", "code", "unpickle", "module"))
_ASKS = frozenset("get post put patch request stream head".split())
_NESTED = 3
"""Callers of callers that are asked."""


class Origins(Assignments):
    """Answers for the calls of one file's blocks."""

    def __init__(
        self, names: Names, flow: Flow, text: str, callers: Callers | None = None, given: Handed = NOTHING
    ) -> None:
        super().__init__(names, flow, text)
        self._callers = callers
        self._given = given
        self._places: dict[str, Around] = {}

    def _is_asked_for(self, kind: str, dotted: str, node: ast.Call, block: Block, *, given: bool) -> bool:
        """True where somebody outside decides all of the command, code or data, and not what is done with it."""
        told = arguments.told(node, dotted, given=given)
        if kind not in _ASKED_FOR or not told or dotted.startswith("webbrowser."):
            return False
        asked = frozenset((REQUEST, TOLD) if kind == "process" or dotted == "builtins.exec" else (REQUEST,))
        if kind == "module" and not dotted.endswith("import_module"):
            return not asked.isdisjoint(self._flow.origins((node.args or told)[-1], block.name))
        return any(self._leads(value, block, asked, 0) for value in told[:2])

    def _decided(self, kind: str, dotted: str, node: ast.Call, block: Block, *, given: bool) -> set[str]:
        """ "request" where somebody outside decides all of it, "parameter" where a parameter does."""
        if self._is_asked_for(kind, dotted, node, block, given=given):
            return {REQUEST}
        return {"parameter"} if self._is_parameter(kind, dotted, node, block) else set()

    def _is_parameter(self, kind: str, dotted: str, node: ast.Call, block: Block) -> bool:
        """True where a parameter of a function is all of the command or code, so that it is for others to decide."""
        if kind not in ("process", "code", "unpickle") or "." in block.name:
            return False
        for value in arguments.told(node, dotted, given=False)[:1]:
            part = leading(value, self._names, self._around(block))
            match part:
                case (
                    ast.Subscript(value=ast.Name() as of)
                    | ast.Call(func=ast.Attribute(value=ast.Name() as of, attr="get"))
                ) if kind == "code":
                    part = of
            return isinstance(part, ast.Name) and part.id in block.parameters
        return False

    def _leads(self, value: ast.expr, block: Block, asked: frozenset[str], depth: int) -> bool:
        """True where the part of the value that says what it is comes from somebody outside, also by way of callers."""
        part = leading(value, self._names, self._around(block))
        if part is None or depth > _NESTED:
            return False
        helps = (
            isinstance(part, ast.Name) and part.id in block.parameters and not self._given.knows(block.name, part.id)
        )
        if isinstance(part, ast.Name) and helps and self._callers is not None and block.last not in GIVEN_NAMES:
            found = self._callers.arguments(block, part.id)
            return any(self._leads(given, around, asked, depth + 1) for given, around in found)
        return not asked.isdisjoint(self._flow.origins(part, block.name))

    def _around(self, block: Block) -> Around:
        if block.name not in self._places:
            inner = (node for top in block.nodes for node in walk(top) if isinstance(node, ast.comprehension))
            loops = {node.target.id: node.iter for node in inner if isinstance(node.target, ast.Name)}
            self._places[block.name] = Around(frozenset(block.parameters), loops)
        return self._places[block.name]

    def _addressed(self, kind: str, node: ast.Call, block: Block) -> set[str]:
        """ "caller" where the place that something is sent or uploaded to is the caller's choice."""
        places = deeds.destination(node) if kind in ("send", "upload") else []
        callers = self._callers
        if callers is None or not places:
            return set()
        chosen = all(callers.decide(place, block.name) or self._is_told(place, block) for place in places)
        if all(self._is_asker(place, block) for place in places):
            return {"caller", "asker"}
        return {"caller"} if chosen else set()

    def _is_asker(self, place: ast.expr, block: Block) -> bool:
        """True for an address that a request gives, and of which no part stands here: the answer goes where it is wanted."""
        return self._flow.origins(place, block.name) == {REQUEST} and "://" not in spoken(place, self._names)

    def _is_told(self, place: ast.expr, block: Block) -> bool:
        """True for an address that the user of a model gives with its input, and of which no part stands here."""
        return self._flow.origins(place, block.name) - {REQUEST, TOLD} == {"given"} and "://" not in spoken(
            place, self._names
        )

    def _is_given(self, node: ast.Call, block: Block) -> bool:
        """True for a request whose address is made of what the user of a model gives it."""
        return any("given" in self._flow.origins(part, block.name) for part in deeds.address(node))

    def _origins(self, node: ast.Call, block: Block) -> tuple[set[str], bool]:
        """Where the arguments come from, and whether a credential is among those that are no header."""
        flows: set[str] = set()
        body = False
        for value, header in placed(node, self._names):
            found = self._flow.origins(value, block.name)
            body = body or (not header and any(flow.startswith("key:") for flow in found))
            flows |= found
        if isinstance(node.func, ast.Attribute):  # a session shows what its headers hold, a table is what is uploaded
            held = self._flow.origins(node.func.value, block.name)
            if node.func.attr in _ASKS:
                flows |= {flow for flow in held if flow.startswith("key:")} | (held & {"secret"})
            if node.func.attr == "push_to_hub":
                flows |= held & {"secret", "user-files"}
        return flows, body
