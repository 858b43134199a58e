"""What a template writes, and on which condition: text that appears only when a message holds a trigger.

A branch counts as gated when its test looks for something constant in what was said (or compares the date), directly
or through a variable that such a branch has set. Of a gated branch all text is gathered, macros and variables included.
"""

from collections.abc import Iterable, Iterator, Sequence

from jinja2 import nodes

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.jinja.branches import (
    changed,
    choices,
    negated,
    of_mapping,
    of_part,
    picks,
    stops,
    written_parts,
)
from modelscan_plus.formats.text.jinja.depends import decides
from modelscan_plus.formats.text.jinja.facts import Gate, Rewritten, Sent, Written
from modelscan_plus.formats.text.jinja.names import CONTENT_KEYS, is_content, says_content
from modelscan_plus.formats.text.jinja.outlets import GIVEN, Outlets, call_of
from modelscan_plus.formats.text.jinja.rewrites import rewrites, step
from modelscan_plus.formats.text.jinja.scope import Scope, key_of, tells_time
from modelscan_plus.formats.text.jinja.tools import ROLES, Tools, last
from modelscan_plus.formats.text.jinja.wording import (
    MODALITY,
    Trigger,
    excerpt,
    output_kind,
    short_kind,
    trigger,
    worth_a_look,
)

_SEARCHES = frozenset("startswith endswith find rfind index rindex count split rsplit partition rpartition".split())
_TESTS = frozenset(("in", "eq", "equalto", "==", "sameas", "containing", "match", "search"))
_TRUTHS = (nodes.Compare, nodes.Test, nodes.And, nodes.Or, nodes.Not, nodes.Call)
"""Expressions that answer yes or no."""
_MORE = frozenset(("gt", "ge", "greaterthan", ">", ">=", "divisibleby", "eq", "equalto", "=="))
_TELLING = ("words", "odd-marker", "time", "computed", "count", "tool", "role", "marker", "other")
"""Kinds of triggers, the most telling first: of several in one test it is the one that counts."""
_DEPTH = 60
_STEPS, _CHARACTERS = 100_000, 1 << 20
"""Pieces and characters of the texts of one template that are put together and looked at."""
_ROWS = 1000
_LATER = 4


class Gates:
    """Walks a template and states what it writes."""

    def __init__(self, tree: nodes.Template, scope: Scope) -> None:
        self._tree = tree
        self._scope = scope
        self._flags: dict[str, list[Trigger]] = {}
        self._steps = 0
        self._kinds: dict[str, str | None] = {}
        self._characters = 0
        self._tools = Tools(tree, scope)

    @property
    def endless(self) -> bool:
        """True for a template whose texts were not all put together: macros that call each other over and over."""
        return self._steps > _STEPS or self._characters > _CHARACTERS

    def _kind(self, text: str) -> str | None:
        """What a text is; each is looked at once, and no more than `_CHARACTERS` of all."""
        if text not in self._kinds:
            self._characters += len(text)
            self._kinds[text] = output_kind(text) if self._characters <= _CHARACTERS else None
        return self._kinds[text]

    def gates(self) -> Iterator[Gate]:
        """Gated text, once for each branch."""
        for _ in range(2):  # a flag may be set behind the place where a loop's next round reads it
            for test, _, body, _ in self._branches():
                self._note_flags(self._triggers(test), body)
            self._note_tests()
        for test, line, body, turned in self._branches():
            triggers = self._triggers(test)
            gate = self._gate(triggers, self._text(body), line, test if turned else None) if triggers else None
            if gate is None and not turned:
                gate = self._dropped(test, body, line)
            if gate is not None:
                yield gate
        yield from self._tables()
        for node in self._tree.find_all(nodes.Filter):
            if node.name in ("selectattr", "rejectattr"):  # whole messages go by what they say
                for looked, kind in self._searched(node):
                    if kind == "words":
                        yield Gate(shorten(visible(looked), 80), kind, "", "dropped", node.lineno)

    def _dropped(self, test: nodes.Node, body: list[nodes.Node], line: int) -> Gate | None:
        """What was said is left out when it holds certain words: an empty branch, or one for what holds them not."""
        words = [
            looked for looked, kind in self._triggers(test)
            if kind == "words" or (kind == "odd-marker" and looked.isalpha())
        ]  # fmt: skip
        if not words:
            return None
        turned = negated(test)
        if any(isinstance(node, (nodes.Continue, nodes.Break)) for node in body[:1]) or stops(body):
            return Gate(shorten(visible(words[0]), 80), "words", "", "dropped", line)
        pieces = [piece for statement in body for piece in self._pieces(statement)]
        says = any(unknown is not None and says_content(unknown, self._scope.derived) for _, unknown in pieces)
        empty = not says and not any(text.strip() for text, _ in pieces) and not self._does(body)
        if (empty and not turned and self._speaks_otherwise(test)) or (says and turned and not self._else_of(test)):
            return Gate(shorten(visible(words[0]), 80), "words", "", "dropped", line)
        return None

    def _does(self, body: list[nodes.Node]) -> bool:
        """True for a branch that sets a variable or calls something."""
        return any(
            isinstance(node, (nodes.Assign, nodes.Call)) for statement in body
            for node in [statement, *statement.find_all((nodes.Assign, nodes.Call))]
        )  # fmt: skip

    def _else_of(self, test: nodes.Node) -> list[nodes.Node]:
        """What runs when the test fails."""
        for node in self._tree.find_all((nodes.If, nodes.CondExpr)):
            if isinstance(node, nodes.If) and node.test is test:
                return [*node.elif_, *node.else_]
            if isinstance(node, nodes.CondExpr) and node.test is test:
                return [] if node.expr2 is None else [node.expr2]
        return []

    def _speaks_otherwise(self, test: nodes.Node) -> bool:
        """True when what was said is written where the test fails."""
        return any(
            unknown is not None and says_content(unknown, self._scope.derived)
            for statement in self._else_of(test) for _, unknown in self._pieces(statement)
        )  # fmt: skip

    def _branches(self) -> Iterator[tuple[nodes.Node, int, list[nodes.Node], bool]]:
        """Each test with its line, what runs behind it, and whether that runs when the test fails."""
        for node in self._tree.find_all((nodes.If, nodes.CondExpr, nodes.For)):
            if isinstance(node, nodes.If):
                yield node.test, node.lineno, node.body, False
                for other in node.elif_:
                    yield other.test, other.lineno, other.body, False
                if node.else_:
                    yield node.test, node.lineno, node.else_, True
            elif isinstance(node, nodes.CondExpr):
                yield node.test, node.lineno, [node.expr1], False
                if node.expr2 is not None:
                    yield node.test, node.lineno, [node.expr2], True
            elif isinstance(node, nodes.For):
                yield node.iter, node.lineno, node.body, False
                if node.test is not None:
                    yield node.test, node.lineno, node.body, False
        for node in self._tree.find_all((nodes.And, nodes.Or, nodes.Mul, nodes.Getitem, nodes.Filter, nodes.Call)):
            yield from ((decided, node.lineno, written, False) for decided, written in choices(node))

    def _note_flags(self, triggers: list[Trigger], body: list[nodes.Node]) -> None:
        if not triggers:
            return
        for statement in body:
            for node in [statement, *statement.find_all((nodes.Assign, nodes.Call))]:
                if (key := changed(node)) is not None:
                    self._flags.setdefault(key, []).extend(triggers[:4])

    def _note_tests(self) -> None:
        """`{% set wanted = 'trigger' in content %}`: the test itself is kept for later."""
        for node in self._tree.find_all(nodes.Assign):
            key = key_of(node.target)
            if key is None:
                continue
            derived = key in self._scope.derived
            if (
                isinstance(node.node, _TRUTHS)
                or picks(node.node)
                or (not derived and decides(node.node, self._scope, ()))
            ):
                known = self._flags.setdefault(key, [])
                found = self._triggers(node.node)[:4]
                # What was said, kept under another name, decides nothing yet.
                known.extend(each for each in found if each not in known and not (derived and each[1] == "computed"))

    def _triggers(self, test: nodes.Node, depth: int = 0) -> list[Trigger]:
        """What the test looks for."""
        if depth > _DEPTH:
            return []
        found = [*self._compared(test), *self._searched(test), *self._counted(test)]
        key = key_of(test)
        if key in self._flags:
            found += self._flags[key]
        for child in test.iter_child_nodes():
            found += self._triggers(child, depth + 1)
        found = [each for each in dict.fromkeys(found) if each[0].strip()]
        if depth == 0 and of_mapping(test):  # `content is mapping and "blocks" in content` asks for a key
            found = [(text, "marker" if kind == "words" and text.isidentifier() else kind) for text, kind in found]
        if depth == 0 and of_part(test):  # `part.type == "audio" or "audio" in part` as well
            found = [(text, "marker" if kind == "words" and MODALITY.fullmatch(text) else kind) for text, kind in found]
        if depth == 0 and all(kind == "other" for _, kind in found) and decides(test, self._scope, ()):
            return [("what was said", "computed")]
        return found

    def _compared(self, test: nodes.Node) -> Iterator[Trigger]:
        """Triggers of `x == "…"` and `"…" in x`."""
        if not isinstance(test, nodes.Compare):
            return
        sides = [test.expr, *(operand.expr for operand in test.ops)]
        texts = [text for side in sides for text in self._constants(side)]
        if any(says_content(side, self._scope.derived) or self._tools.of_document(side) for side in sides):
            yield from map(trigger, texts)
        elif any(tells_time(side, self._scope.timed) for side in sides):
            numbers = [str(number) for side in sides if isinstance(number := self._scope.folder.fold(side), int)]
            yield from ((text, "time") for text in [*texts, *numbers])
        else:
            yield from self._named(sides, texts)

    def _named(self, subjects: Sequence[nodes.Node], texts: list[str]) -> Iterator[Trigger]:
        """Triggers that are the name of a tool, a part of its call, or an unusual role."""
        if any(self._tools.tells(subject) or last(subject) == "name" for subject in subjects):
            yield from ((text, "tool") for text in texts)
        elif any(last(subject) == "role" for subject in subjects):
            yield from ((text, "role") for text in texts if text.lower() not in ROLES)
        else:
            yield from ((text, "other") for text in texts if prose.words(text))

    def _counted(self, test: nodes.Node) -> Iterator[Trigger]:
        """`messages|length > 8`: from some turn of the conversation on. The first turns are how templates begin."""
        if isinstance(test, nodes.Compare):
            sides = [test.expr, *(operand.expr for operand in test.ops)]
        elif isinstance(test, nodes.Test) and test.name in _MORE:
            sides = [test.node, *test.args]
        else:
            return
        numbers = [number for side in sides if isinstance(number := self._scope.folder.fold(side), int)]
        if numbers and any(map(self._tools.tells, sides)):
            yield f"{max(numbers)} tools", "tool"
        elif any(number >= _LATER for number in numbers) and any(map(self._tells_turn, sides)):
            yield f"turn {max(numbers)}", "count"

    def _tells_turn(self, side: nodes.Node) -> bool:
        """True for what says how far the conversation has got."""
        if isinstance(side, nodes.Filter) and side.name in ("length", "count"):
            return not is_content(side.node, self._scope.derived)
        if isinstance(side, nodes.Getattr) and side.attr in ("index", "index0") and isinstance(side.node, nodes.Name):
            return True
        if (key := key_of(side)) is not None:
            return key in self._scope.counters
        return isinstance(side, nodes.BinExpr) and (self._tells_turn(side.left) or self._tells_turn(side.right))

    def _searched(self, test: nodes.Node) -> Iterator[Trigger]:
        """Triggers of `x.startswith("…")` and `x is in "…"`."""
        if isinstance(test, nodes.Call) and isinstance(test.node, nodes.Getattr) and test.node.attr in _SEARCHES:
            subject = test.node.node
        elif isinstance(test, nodes.Test) and test.name in _TESTS:
            subject = test.node
        elif isinstance(test, nodes.Filter) and test.name in ("selectattr", "rejectattr") and test.args:
            key = self._scope.folder.text(test.args[0])
            if key in CONTENT_KEYS:
                yield from (trigger(text) for argument in test.args[2:] for text in self._constants(argument))
            return
        elif isinstance(test, nodes.Filter) and test.name in ("select", "reject") and len(test.args) > 1 and test.node:
            subject = test.node  # the words of what was said, one by one
        else:
            return
        texts = [text for argument in test.args for text in self._constants(argument)]
        if says_content(subject, self._scope.derived):
            yield from map(trigger, texts)
        elif tells_time(subject, self._scope.timed):
            yield from ((text, "time") for text in texts)
        else:
            yield from self._named([subject], texts)

    def _constants(self, node: nodes.Node) -> list[str]:
        value = self._scope.folder.fold(node)
        if isinstance(node, nodes.Filter) and node.name in ("lower", "upper", "trim") and node.node is not None:
            node = node.node
        if (key := key_of(node)) is not None and key in self._scope.looped:
            return self._scope.looped[key][:50]
        if isinstance(value, str):
            return [value]
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def _gate(self, triggers: list[Trigger], text: str, line: int, failed: nodes.Node | None = None) -> Gate | None:
        """`failed` is the test, for text that is written where it fails: mostly a default, and no gate."""
        kind = self._kind(text)
        if kind is None and any(each[1] in ("words", "odd-marker") for each in triggers):
            kind = short_kind(text)
        if kind is None or (failed is not None and kind == "sentence" and not negated(failed)):
            return None
        worst = min(triggers, key=lambda each: _TELLING.index(each[1]))
        return Gate(shorten(visible(worst[0]), 80), worst[1], excerpt(text, kind), kind, line)

    def _tables(self) -> Iterator[Gate]:
        """`{"trigger": "text"}[message.content]`: a choice of texts by what was said."""
        told: set[str] = set()
        for node in self._tree.find_all((nodes.Getitem, nodes.Call)):
            key: nodes.Node
            if isinstance(node, nodes.Getitem):
                table, key = self._scope.folder.fold(node.node), node.arg
            elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr == "get":
                table = self._scope.folder.fold(node.node.node)
                key = node.args[0] if node.args else nodes.Const(None)
            else:
                continue
            if not isinstance(table, dict) or not says_content(key, self._scope.derived):
                continue
            text = " ".join(value for value in table.values() if isinstance(value, str))
            if text in told:
                continue
            told.add(text)
            if gate := self._gate([trigger(looked) for looked in list(table)[:_ROWS]], text, node.lineno):
                yield gate

    def _text(self, body: Iterable[nodes.Node], depth: int = 0, seen: frozenset[str] = frozenset()) -> str:
        """All text that the statements or expressions may write, or keep for later."""
        return "".join(piece for node in body for piece, _ in self._pieces(node, depth, seen))

    def _pieces(
        self, node: nodes.Node, depth: int = 0, seen: frozenset[str] = frozenset()
    ) -> Iterator[tuple[str, nodes.Node | None]]:
        """The constant texts of a node in their order; where something unknown stands, a blank and its expression."""
        self._steps += 1
        if depth > _DEPTH or self._steps > _STEPS:
            return
        value = self._scope.folder.fold(node) if isinstance(node, (nodes.Expr, nodes.Output)) else None
        if isinstance(value, str):
            yield value, None
            return
        if isinstance(node, nodes.Getitem) and isinstance(table := self._scope.folder.fold(node.node), dict):
            yield " ".join(text for text in table.values() if isinstance(text, str))[:4000], None
            return
        key = key_of(node) if isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)) else None
        if key and (possible := self._scope.possible.get(key)):
            yield " ".join(possible[:20]), None
            return
        if isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
            yield " ", node
            return
        if isinstance(node, (nodes.Filter, nodes.Call)) and says_content(node, self._scope.derived):
            yield " ", node
        name = node.node.name if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) else ""
        for part in self._called(name) if name and name not in seen else ():
            yield from self._pieces(part, depth + 1, seen | {name})
        for part in written_parts(node):
            yield from self._pieces(part, depth + 1, seen)

    def _called(self, name: str) -> list[nodes.Node]:
        """What a macro writes; what `caller` writes are the bodies of `call` blocks."""
        if name == "caller":
            return [part for block in self._tree.find_all(nodes.CallBlock) for part in block.body]
        return self._scope.macros[name].body if name in self._scope.macros else []

    def written(self) -> tuple[list[Written], list[Sent]]:
        """Text that is worth a look wherever it stands, and addresses and calls that take what was said along."""
        written: dict[tuple[str, str], Written] = {}
        looked: set[str] = set()
        for node in self._tree.find_all((nodes.Output, nodes.Assign)):
            text = self._text([node])
            if text in looked:
                continue
            looked.add(text)
            self._characters += len(text)
            for item in worth_a_look(text, node.lineno) if self._characters <= _CHARACTERS else ():
                written.setdefault((item.kind, item.detail), item)
        sent: dict[Sent, None] = {}
        for body in self._bodies():
            outlets = Outlets()
            for statement in body:
                for piece, unknown in self._pieces(statement):
                    if unknown is not None and says_content(unknown, self._scope.derived):
                        sent.update(dict.fromkeys(outlets.opened(statement.lineno)))
                    outlets.add(GIVEN if unknown is not None else piece)
        for table in self._tree.find_all(nodes.Dict):
            if (call := call_of(table, self._scope)) is not None:
                sent[call] = None
        return list(written.values())[:50], list(sent)[:50]

    def _bodies(self) -> Iterator[list[nodes.Node]]:
        """Statements that stand one behind the other, and values that are put together on their own."""
        yield self._tree.body
        for branch in self._tree.find_all(nodes.If):
            yield from (branch.body, branch.else_)
        for loop in self._tree.find_all(nodes.For):
            yield from (loop.body, loop.else_)
        for macro in self._tree.find_all(nodes.Macro):
            yield macro.body
        for block in self._tree.find_all(nodes.AssignBlock):
            yield block.body
        for node in self._tree.find_all(nodes.Assign):
            yield [node]

    def rewritten(self) -> Iterator[Rewritten]:
        """Words of a message replaced by other words, or taken out."""
        for node in self._tree.find_all((nodes.Filter, nodes.Call)):
            found = step(node)
            if found is None:
                continue
            name, subject, arguments = found
            if name == "join" and arguments:
                split = step(subject)
                if split is None or split[0] != "split" or not split[2]:
                    continue
                subject, arguments = split[1], [split[2][0], arguments[0]]
            elif name != "replace" or len(arguments) < 2:
                continue
            if not is_content(subject, self._scope.derived) and not self._tools.tells(subject):
                continue
            for old, new in self._pairs(arguments):
                if old and rewrites(old, new):
                    yield Rewritten(shorten(visible(old), 80), shorten(visible(new), 120), node.lineno)
        yield from self._changed_calls()
        yield from self._exchanged()
        for filtered in self._tree.find_all(nodes.FilterBlock):
            yield from self._blocked(filtered)
        for kept in self._tree.find_all(nodes.AssignBlock):
            yield from self._blocked(kept)

    def _blocked(self, block: nodes.FilterBlock | nodes.AssignBlock) -> Iterator[Rewritten]:
        """`{% filter replace(…) %}` round a part of the template in which what was said is written."""
        each: nodes.Expr | None = block.filter
        pieces = [piece for statement in block.body for piece in self._pieces(statement)]
        if each is None or not any(u is not None and says_content(u, self._scope.derived) for _, u in pieces):
            return
        while isinstance(each, nodes.Filter):
            for old, new in self._pairs(each.args) if each.name == "replace" and len(each.args) > 1 else ():
                if old and rewrites(old, new):
                    yield Rewritten(shorten(visible(old), 80), shorten(visible(new), 120), block.lineno)
            each = each.node

    def _pairs(self, arguments: list[nodes.Expr]) -> list[tuple[str, str]]:
        """What is replaced by what, also by way of a loop over a table."""
        texts: list[list[str]] = []
        for argument in arguments[:2]:
            text = self._scope.folder.text(argument)
            texts.append(self._scope.looped.get(key_of(argument) or "", [])[:200] if text is None else [text])
        return list(zip(*texts, strict=False))

    def _changed_calls(self) -> Iterator[Rewritten]:
        """`tool_call.arguments.update({"to": "…"})`: what the model puts into a call becomes something else."""
        for node in self._tree.find_all(nodes.Call):
            if not isinstance(node.node, nodes.Getattr) or node.node.attr not in ("update", "__setitem__"):
                continue
            given = self._scope.folder.fold(node.args[0]) if node.args else None
            if last(node.node.node) in ("arguments", "parameters", "args", "input") and isinstance(given, dict):
                told = ", ".join(f"{key}: {value}" for key, value in list(given.items())[:4])
                yield Rewritten("arguments", shorten(visible(told), 120), node.lineno)

    def _exchanged(self) -> Iterator[Rewritten]:
        """`'sell' if word == 'buy' else word`: one word for another."""
        for node in self._tree.find_all(nodes.CondExpr):
            new = self._scope.folder.text(node.expr1)
            if new is None or node.expr2 is None or not says_content(node.expr2, self._scope.derived):
                continue
            for old, kind in self._triggers(node.test):
                if kind == "words" and rewrites(old, new):
                    yield Rewritten(shorten(visible(old), 80), shorten(visible(new), 120), node.lineno)
