"""What a template writes, and on which condition: text that appears only when a message holds a trigger.

A branch counts as gated when its test looks for something constant in what was said (or compares the date), directly
or through a variable that such a branch has set. Of a gated branch all text is gathered, macros and variables included.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from jinja2 import nodes

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.jinja.facts import Gate, Rewritten, Sent, Written
from modelscan_plus.formats.text.jinja.names import CONTENT_KEYS, is_content, says_content
from modelscan_plus.formats.text.jinja.scope import Scope, key_of
from modelscan_plus.formats.text.jinja.tools import ROLES, Tools, last

Trigger = tuple[str, str]
"""What is looked for, and whether that is "words", a "marker" or a "time"."""
_SEARCHES = frozenset("startswith endswith find rfind index rindex count split rsplit partition rpartition".split())
_TESTS = frozenset(("in", "eq", "equalto", "==", "sameas", "containing", "match", "search"))
_KNOWN_MARKER = lazy(
    r"think|thought|reason|tool|func|call|image|img|video|audio|media|vision|system|user|assistant|human|inst|sys|im_|end|"
    r"start|begin|eo[std]|bos|object|box|python|json|xml|code|answer|respon|observ|file|ref|point|quad|context|search|"
    r"document|doc|turn|message|channel|analysis|final|pad|unk|sep|cls|mask|```|speech|lang|translate|title|summar",
    re.I,
)
"""Words that tags of chat formats are made of."""
_OPEN_URL = lazy(r"https?://[^\s\"'<>/]{3,}[^\s\"'<>]*$", re.I)
_TRUTHS = (nodes.Compare, nodes.Test, nodes.And, nodes.Or, nodes.Not, nodes.Call)
"""Expressions that answer yes or no."""
_MORE = frozenset(("gt", "ge", "greaterthan", ">", ">=", "divisibleby", "eq", "equalto", "=="))
_TELLING = ("words", "odd-marker", "time", "count", "tool", "role", "marker")
"""Kinds of triggers, the most telling first: of several in one test it is the one that counts."""
_DEPTH = 60
_LATER = 4
_NO_OUTPUT = frozenset(("raise_exception", "strftime_now", "range"))


class Gates:
    """Walks a template and states what it writes."""

    def __init__(self, tree: nodes.Template, scope: Scope) -> None:
        self._tree = tree
        self._scope = scope
        self._flags: dict[str, list[Trigger]] = {}
        self._tools = Tools(tree, scope)

    def gates(self) -> Iterator[Gate]:
        """Gated text, once for each branch."""
        for _ in range(2):  # a flag may be set behind the place where a loop's next round reads it
            for test, _, body, _ in self._branches():
                self._note_flags(self._triggers(test), body)
            self._note_tests()
        for test, line, body, turned in self._branches():
            triggers = self._triggers(test)
            gate = self._gate(triggers, self._text(body), line, turned=turned) if triggers else None
            if gate is None and not turned:
                gate = self._dropped(test, body, line)
            if gate is not None:
                yield gate
        yield from self._tables()

    def _dropped(self, test: nodes.Node, body: list[nodes.Node], line: int) -> Gate | None:
        """What was said is left out when it holds certain words: an empty branch, or one for what holds them not."""
        words = [trigger for trigger, kind in self._triggers(test) if kind == "words"]
        if not words:
            return None
        negated = isinstance(test, nodes.Not) or any(
            operand.op == "notin" for compare in [test, *test.find_all(nodes.Compare)]
            if isinstance(compare, nodes.Compare) for operand in compare.ops
        )  # fmt: skip
        pieces = [piece for statement in body for piece in self._pieces(statement)]
        says = any(unknown is not None and says_content(unknown, self._scope.derived) for _, unknown in pieces)
        empty = not says and not any(text.strip() for text, _ in pieces) and not self._does(body)
        if (empty and not negated and self._speaks_otherwise(test)) or (says and negated and not self._else_of(test)):
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
            elif isinstance(node, nodes.For) and node.test is not None:
                yield node.test, node.lineno, node.body, False

    def _note_flags(self, triggers: list[Trigger], body: list[nodes.Node]) -> None:
        if not triggers:
            return
        for statement in body:
            for node in [statement, *statement.find_all(nodes.Assign)]:
                if isinstance(node, nodes.Assign) and (key := key_of(node.target)):
                    self._flags.setdefault(key, []).extend(triggers[:4])

    def _note_tests(self) -> None:
        """`{% set wanted = 'trigger' in content %}`: the test itself is kept for later."""
        for node in self._tree.find_all(nodes.Assign):
            if isinstance(node.node, _TRUTHS) and (key := key_of(node.target)):
                known = self._flags.setdefault(key, [])
                known.extend(trigger for trigger in self._triggers(node.node)[:4] if trigger not in known)

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
        return [trigger for trigger in dict.fromkeys(found) if trigger[0].strip()]

    def _compared(self, test: nodes.Node) -> Iterator[Trigger]:
        """Triggers of `x == "…"` and `"…" in x`."""
        if not isinstance(test, nodes.Compare):
            return
        sides = [test.expr, *(operand.expr for operand in test.ops)]
        texts = [text for side in sides for text in self._constants(side)]
        if any(says_content(side, self._scope.derived) for side in sides):
            yield from map(_trigger, texts)
        elif any(self._tells_time(side) for side in sides):
            yield from ((text, "time") for text in texts)
        else:
            yield from self._named(sides, texts)

    def _named(self, subjects: Sequence[nodes.Node], texts: list[str]) -> Iterator[Trigger]:
        """Triggers that are the name of a tool, a part of its call, or an unusual role."""
        if any(self._tools.tells(subject) or last(subject) == "name" for subject in subjects):
            yield from ((text, "tool") for text in texts)
        elif any(last(subject) == "role" for subject in subjects):
            yield from ((text, "role") for text in texts if text.lower() not in ROLES)

    def _counted(self, test: nodes.Node) -> Iterator[Trigger]:
        """`messages|length > 8`: from some turn of the conversation on. The first turns are how templates begin."""
        if isinstance(test, nodes.Compare):
            sides = [test.expr, *(operand.expr for operand in test.ops)]
        elif isinstance(test, nodes.Test) and test.name in _MORE:
            sides = [test.node, *test.args]
        else:
            return
        numbers = [number for side in sides if isinstance(number := self._scope.folder.fold(side), int)]
        if any(number >= _LATER for number in numbers) and any(map(self._tells_turn, sides)):
            yield f"turn {max(numbers)}", "count"

    def _tells_turn(self, side: nodes.Node) -> bool:
        """True for what says how far the conversation has got."""
        if isinstance(side, nodes.Filter) and side.name in ("length", "count"):
            return True
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
                yield from (_trigger(text) for argument in test.args[2:] for text in self._constants(argument))
            return
        elif isinstance(test, nodes.Filter) and test.name in ("select", "reject") and len(test.args) > 1 and test.node:
            subject = test.node  # the words of what was said, one by one
        else:
            return
        texts = [text for argument in test.args for text in self._constants(argument)]
        if says_content(subject, self._scope.derived):
            yield from map(_trigger, texts)
        elif self._tells_time(subject):
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

    def _tells_time(self, node: nodes.Node) -> bool:
        timed = self._scope.timed
        names = [node] if isinstance(node, nodes.Name) else node.find_all(nodes.Name)
        return any(
            isinstance(name, nodes.Name) and (name.name in timed or name.name == "strftime_now") for name in names
        )

    def _gate(self, triggers: list[Trigger], text: str, line: int, *, turned: bool) -> Gate | None:
        kind = _output_kind(text)
        if kind is None or (turned and kind == "sentence"):
            return None
        worst = min(triggers, key=lambda trigger: _TELLING.index(trigger[1]))
        return Gate(shorten(visible(worst[0]), 80), worst[1], _excerpt(text, kind), kind, line)

    def _tables(self) -> Iterator[Gate]:
        """`{"trigger": "text"}[message.content]`: a choice of texts by what was said."""
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
            if gate := self._gate([_trigger(trigger) for trigger in table], text, node.lineno, turned=False):
                yield gate

    def _text(self, body: Iterable[nodes.Node], depth: int = 0, seen: frozenset[str] = frozenset()) -> str:
        """All text that the statements or expressions may write, or keep for later."""
        return "".join(piece for node in body for piece, _ in self._pieces(node, depth, seen))

    def _pieces(
        self, node: nodes.Node, depth: int = 0, seen: frozenset[str] = frozenset()
    ) -> Iterator[tuple[str, nodes.Node | None]]:
        """The constant texts of a node in their order; where something unknown stands, a blank and its expression."""
        if depth > _DEPTH:
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
        if name in self._scope.macros and name not in seen:
            for part in self._scope.macros[name].body:
                yield from self._pieces(part, depth + 1, seen | {name})
        for part in _written_parts(node):
            yield from self._pieces(part, depth + 1, seen)

    def written(self) -> tuple[list[Written], list[Sent]]:
        """Text that is worth a look wherever it stands, and addresses that take what was said along."""
        written: dict[tuple[str, str], Written] = {}
        sent: list[Sent] = []
        for node in self._tree.find_all((nodes.Output, nodes.Assign)):
            text = ""
            for piece, unknown in self._pieces(node):
                url = _OPEN_URL.search(text) if unknown is not None else None
                if url and says_content(unknown, self._scope.derived):
                    sent.append(Sent(shorten(visible(url.group())), node.lineno))
                text += piece
            for item in _worth_a_look(text, node.lineno):
                written.setdefault((item.kind, item.detail), item)
        return list(written.values())[:50], sent[:50]

    def rewritten(self) -> Iterator[Rewritten]:
        """Words of a message replaced by other words."""
        for node in self._tree.find_all((nodes.Filter, nodes.Call)):
            subject: nodes.Node | None
            if isinstance(node, nodes.Filter):
                name, subject = node.name, node.node
            elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
                name, subject = node.node.attr, node.node.node
            else:
                continue
            if name != "replace" or len(node.args) < 2 or not is_content(subject, self._scope.derived):
                continue
            old, new = (self._scope.folder.text(argument) for argument in node.args[:2])
            if old and new and prose.words(new) and _trigger(old)[1] == _trigger(new)[1] == "words":
                yield Rewritten(shorten(visible(old), 80), shorten(visible(new), 120), node.lineno)


def _written_parts(node: nodes.Node) -> list[nodes.Node]:
    """The parts of a node whose text ends up in what it writes or keeps; tests and targets do not."""
    if isinstance(node, nodes.Call):
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        return [] if name in _NO_OUTPUT else [*node.args, *(item.value for item in node.kwargs)]
    if isinstance(node, nodes.Filter):
        return [part for part in (node.node, *node.args) if part is not None]
    if isinstance(node, nodes.If):
        return [*node.body, *node.elif_, *node.else_]
    if isinstance(node, nodes.CondExpr):
        return [part for part in (node.expr1, node.expr2) if part is not None]
    if isinstance(node, nodes.For):
        return [*node.body, *node.else_]
    if isinstance(node, nodes.Assign):
        return [node.node]
    if isinstance(node, (nodes.Compare, nodes.Test, nodes.Macro, nodes.Not)):
        return []
    return list(node.iter_child_nodes())


def _trigger(text: str) -> Trigger:
    text = text.strip()
    marker = (
        not any(character.isalpha() for character in text)
        or text.lstrip()[:1] in "<[{/|#`@*"
        or re.search(r"<\||\|>|</|\[/|>$|_START|_END|^[A-Z_]+:?$", text) is not None
    )
    if not marker:
        return text, "words"
    return text, "marker" if _KNOWN_MARKER.search(text) or not any(map(str.isalpha, text)) else "odd-marker"


def _output_kind(text: str) -> str | None:
    if prose.hidden_characters(text):
        return "hidden"
    if prose.encoded_parts(text):
        return "encoded"
    if prose.hostile_sentence(text) or prose.hostile_command(text) or prose.steals(text):
        return "hostile"
    if prose.URL.search(text):
        return "url"
    return "sentence" if prose.is_sentence(text) else None


def _excerpt(text: str, kind: str) -> str:
    text = " ".join(text.split())
    if kind == "url" and (found := prose.URL.search(text)):
        start = max(0, found.start() - 60)
        return shorten(visible(text[start : start + 200]), 200)
    return shorten(visible(text), 200)


def _worth_a_look(text: str, line: int) -> Iterator[Written]:
    if hidden := prose.hidden_characters(text):
        detail = f"{hidden.count:,} {hidden.kind} characters" + (
            f" that spell {hidden.decoded}" if hidden.decoded else ""
        )
        around = text[max(0, hidden.position - 30) : hidden.position + 30]
        yield Written("hidden", shorten(visible(around), 200), detail, line)
    for part in prose.encoded_parts(text, limit=4):
        yield Written("encoded", shorten(text[part.position : part.position + part.length], 80), part.decoded, line)
    if command := prose.hostile_command(text):
        yield Written("command", command[1], command[0], line)
    # Models are told to keep the mechanics of their tools to themselves; an address beside that is another matter.
    secret = prose.steals(text) or (prose.conceals(text) if prose.acts(text) else None)
    if secret:
        yield Written("conceals", shorten(visible(" ".join(text.split())), 200), secret, line)
    elif sentence := prose.overrides(text):
        yield Written("hostile", shorten(visible(" ".join(text.split())), 200), sentence, line)
    if odd := prose.odd_url(text):
        yield Written("url", odd[0], odd[1], line)
