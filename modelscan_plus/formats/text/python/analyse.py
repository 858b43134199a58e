"""One Python source: from its tree to facts. It is never compiled (parsing.py has the way to the tree)."""

import ast
from collections.abc import Iterable, Iterator

import msgspec

from modelscan_plus.core.limits import Budget
from modelscan_plus.core.text import one_line, shorten, visible
from modelscan_plus.formats.text.python import accounts, arguments, asides, deeds, protections, telling
from modelscan_plus.formats.text.python.assignments import REPORTED, UNGUARDED
from modelscan_plus.formats.text.python.blocks import MODULE, Block, blocks_of
from modelscan_plus.formats.text.python.callers import Callers, deferred
from modelscan_plus.formats.text.python.calls import (
    COMMAND_KINDS,
    by_library,
    evaluated_annotations,
    held,
    leaves_template,
    looked_up,
    magic,
    makes_executable,
    named_calls,
    straightened,
)
from modelscan_plus.formats.text.python.clouds import OF_MACHINE
from modelscan_plus.formats.text.python.disguises import disguises, orders
from modelscan_plus.formats.text.python.endless import endless, fills
from modelscan_plus.formats.text.python.exchanged import exchanges
from modelscan_plus.formats.text.python.facts import Disguise, Effect, Entrusted, Taken
from modelscan_plus.formats.text.python.flow import SOURCE, Flow
from modelscan_plus.formats.text.python.gathered import combined, most_telling, told_from, with_stores
from modelscan_plus.formats.text.python.handed import (
    NOTHING,
    REQUEST,
    Handed,
    handed,
    shows_environment,
)
from modelscan_plus.formats.text.python.holders import TELLING, Holders
from modelscan_plus.formats.text.python.kept import kept
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.parsing import parse
from modelscan_plus.formats.text.python.places import PACKAGE
from modelscan_plus.formats.text.python.routes import Routes, answered
from modelscan_plus.formats.text.python.sinks import (
    METHOD_KINDS,
    OPENS,
    kind_of,
)
from modelscan_plus.formats.text.python.triggers import triggers
from modelscan_plus.formats.text.python.turned import Turn, parts
from modelscan_plus.formats.text.python.visitors import PARAMETER, VISITOR, Visitors
from modelscan_plus.formats.text.python.waits import waits
from modelscan_plus.formats.text.python.walk import walk

_PASSED = 200
_INNER = 50
"""What beginning with code in a text costs, in nodes; it is looked at by its names and where it is followed."""
_NESTED = 3
"""Levels of code inside text inside code."""
_TALKS = ("http", "socket", "smtp", "append_row", "insert_one", "upload_file")
"""What stands in a source that talks to other machines."""


class Source(msgspec.Struct, frozen=True):
    """What a source says."""

    effects: tuple[Effect, ...]
    disguises: tuple[Disguise, ...]
    omitted: int
    imports: tuple[tuple[str, tuple[str, ...]], ...]
    classes: tuple[str, ...]
    functions: tuple[str, ...]
    handed: bool = False
    """It has functions that something outside is given and calls."""
    passed: tuple[str, ...] = ()
    """Functions of other modules that it hands to what somebody asks."""
    entrusts: tuple[Entrusted, ...] = ()
    takes: tuple[Taken, ...] = ()


def analyse(tree: ast.Module, text: str, budget: Budget, level: int = 0, name: str = "") -> Source:
    """The facts of a parsed source; `name` is its file's, which decides what is called in it without being named."""
    names = Names(tree, ambient=level > 0)
    budget.take_nodes(len(names.nodes) if level == 0 else _INNER + 2 * len(names.nodes))
    given = handed(tree, names)
    blocks = blocks_of(tree, name, given.hooks, given.asked)
    budget.check_time()
    finder = Finder(names, Flow(names, blocks, given), text, budget, level, Callers(blocks), given)
    finder.visitors = Visitors(names, blocks, given) if level == 0 else None
    effects: dict[Effect, None] = {}
    for block in blocks.values():
        effects.update(dict.fromkeys([*finder.effects(block), *finder.triggers(block, blocks)]))
        budget.check_time()
    effects.update(dict.fromkeys(finder.annotations(names.nodes)))
    if level == 0:
        effects.update(dict.fromkeys(finder.turned(tree, blocks)))
    effects = dict.fromkeys(with_stores(list(told_from(list(effects))), names))
    kept = most_telling(sorted(effects, key=lambda effect: effect.line))
    top = [node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))]
    return Source(
        tuple(kept),
        (*disguises(text), *orders(names.nodes)),
        len(effects) - len(kept),
        tuple(dict.fromkeys([*names.imports, *finder.imports]))[:1000],
        tuple(node.name for node in top if isinstance(node, ast.ClassDef))[:500],
        tuple(node.name for node in top if not isinstance(node, ast.ClassDef))[:500],
        bool(given.hooks or given.asked),
        tuple(sorted(given.passed))[:_PASSED],
        tuple(dict.fromkeys(finder.entrusted))[:_PASSED],
        tuple(dict.fromkeys(finder.taken(blocks)))[:_PASSED] if level == 0 else (),
    )


class Finder(Holders):
    """Finds the effects of one file's blocks."""

    def __init__(
        self,
        names: Names,
        flow: Flow,
        text: str,
        budget: Budget,
        level: int,
        callers: Callers | None = None,
        given: Handed = NOTHING,
    ) -> None:
        super().__init__(names, flow, text, callers, given)
        self._budget = budget
        self._level = level
        self._moves = any("chdir" in (getattr(node, "attr", ""), getattr(node, "name", "")) for node in names.nodes)
        """The source changes the folder that relative paths start from."""
        self.imports: list[tuple[str, tuple[str, ...]]] = []
        """Modules that are imported by a constant text."""
        request = frozenset((REQUEST,))
        self._routes = Routes(
            names,
            lambda value, block: self._leads(value, block, request, 0),
            lambda value, block: REQUEST in self._flow.origins(value, block.name),
        )
        self._talks = any(word in text for word in _TALKS)
        self.entrusted: list[Entrusted] = []
        self.visitors: Visitors | None = None
        """What people enter in the program, where it is a program's."""

    def effects(self, block: Block) -> Iterator[Effect]:
        """What happens when the block runs."""
        yield from combined(list(self._effects(block)))

    def _effects(self, block: Block) -> Iterator[Effect]:
        for top in block.nodes:
            discarded = _unused(top)
            if (
                isinstance(top, ast.Return)
                and self._given.serves(block.name)
                and shows_environment(top.value, self._names)
            ):
                hostile = "answers whoever asks with the environment"
                yield self._simple("send", "os.environ", block, top.value or ast.Constant(None), hostile)
            nodes = list(walk(top))
            answers = {id(each) for each in walk(top)} if isinstance(top, ast.Return) else answered(nodes, self._names)
            for value, dotted in held(top, nodes, self._names):
                yield self._simple("held", dotted, block, value)
            for text, shown in asides.pictures(nodes, self._names):
                if self._flow.origins(text, block.name) & TELLING:
                    yield msgspec.structs.replace(self._simple("send", "….text", block, text), argument=shown)
            for node in nodes:
                if isinstance(node, ast.Call):
                    self._budget.check_time()
                    yield from self._installed(node, block)
                    yield from self.call(node, block, discarded=node is discarded)
                    yield from self._entered(node, block, discarded=node is discarded)
                    if lets := self._routes.lets(node, block, returned=id(node) in answers):
                        dotted = self._names.plain(node.func) or f"….{getattr(node.func, 'attr', '')}"
                        yield self._simple("route", dotted, block, node, lets)
                elif isinstance(node, (ast.Assign, ast.AugAssign)):
                    yield from self.assignment(node, block)
                elif isinstance(node, ast.Dict):
                    for dotted in named_calls(node, self._names):
                        yield msgspec.structs.replace(self._simple("held", dotted, block, node), disguised=True)

    def _entered(self, node: ast.Call, block: Block, *, discarded: bool) -> Iterator[Effect]:
        """What people entered in secret that the call gives to another machine."""
        if self.visitors is None:
            return
        given = self.visitors.gives(node, block)
        if given is None:
            for function, place, called, keys in self.visitors.entrusts(node, block):
                self.entrusted.append(Entrusted(function, place, called, keys, node.lineno, self._excerpt(node)))
        else:
            name = self._names.plain(node.func) or f"….{getattr(node.func, 'attr', '')}"
            yield msgspec.structs.replace(
                self._simple("send", name, block, node), argument=shorten(visible(f"{given.address} what people enter")),
                flows=(VISITOR,), keys=given.keys, in_body=given.keeps, discarded=discarded,
            )  # fmt: skip

    def taken(self, blocks: dict[str, Block]) -> Iterator[Taken]:
        """Parameters of the module's functions that these give to another machine."""
        if self.visitors is None or not self._talks:
            return
        self.visitors.with_parameters()
        for block in blocks.values():
            for top in block.nodes:
                discarded = _unused(top)
                for node in walk(top):
                    given = self.visitors.gives(node, block) if isinstance(node, ast.Call) else None
                    for key in given.keys if given is not None else ():
                        function, place, name = (
                            key.removeprefix(PARAMETER).split(":", 2) if key.startswith(PARAMETER) else ("", "0", "")
                        )
                        if function and given is not None:
                            yield Taken(function, int(place), name, given.address, given.keeps, node is discarded)

    def triggers(self, block: Block, blocks: dict[str, Block]) -> Iterator[Effect]:
        """A comparison by which the block waits for one input, to say what is written down for it."""
        for node, awaited in triggers(
            block, blocks, self._names, lambda part: "given" in self._flow.origins(part, block.name)
        ):
            yield msgspec.structs.replace(self._simple("trigger", block.last, block, node), argument=awaited)

    def turned(self, tree: ast.Module, blocks: dict[str, Block]) -> Iterator[Effect]:
        """What functions do to the answers of a model for their author, or at his time."""
        for part in parts(tree):
            self._budget.check_time()
            turns: dict[str, Turn] = {}
            for turn in (*exchanges(part, self._names), *waits(part, self._names)):
                turns.setdefault(turn.said, turn)
            block = blocks.get(part.name, blocks[MODULE])
            if (loop := endless(part.nodes, self._names)) is not None:
                yield self._simple("endless", "while", block, loop, fills(loop))
            for said, turn in turns.items():
                yield msgspec.structs.replace(self._simple("turn", part.last, block, turn.node), argument=said)

        for block in blocks.values():
            for turn in kept(block, self._names, lambda value, name=block.name: self._flow.origins(value, name)):  # type: ignore[misc]
                yield msgspec.structs.replace(self._simple("turn", block.last, block, turn.node), argument=turn.said)

    def annotations(self, nodes: Iterable[ast.AST]) -> Iterator[Effect]:
        """Annotations written as text that do something when they are evaluated."""
        for found in evaluated_annotations(nodes):
            outer = Effect("code", "typing.get_type_hints", "import", found.lineno, self._excerpt(found))
            if self._level < _NESTED:
                yield from self._inner(str(found.value), outer)

    def call(self, node: ast.Call, block: Block, *, discarded: bool) -> Iterator[Effect]:
        """What one call does."""
        self._names.indirect = False
        node = straightened(node, self._names)
        dotted, disguised = self._names.resolve(node.func)
        disguised = disguised or self._names.indirect
        if makes_executable(node, dotted or "", self._names):
            yield self._simple(
                "native", dotted or "….mprotect", block, node, "makes memory that it then runs as machine code"
            )
            return
        kind = kind_of(dotted) if dotted else None
        if kind is None and isinstance(node.func, ast.Attribute):
            kind = "process" if by_library(node) else METHOD_KINDS.get(node.func.attr)
            dotted = dotted or f"….{node.func.attr}"
        if leaves_template(node, dotted, self._names, self._budget):
            yield self._simple(
                "code", dotted or "….from_string", block, node, "renders a template that leaves its sandbox"
            )
            return
        if deeds.gives_rights(node, dotted or ""):
            kind = "rights"
        if dotted is None and (module := looked_up(node, self._names)):
            yield self._simple("held", f"{module}.…", block, node)
            return
        if dotted in OPENS:
            kind = arguments.opens(node)
        elif (
            kind is None
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "open"
            and (dotted is None or dotted.startswith(("….", "pathlib.")))
        ):
            kind, dotted = arguments.opens(node, 0), "….open"
        elif dotted == "functools.partial" and node.args:
            inner, disguised = self._names.resolve(node.args[0])
            kind, dotted = (kind_of(inner), inner) if inner else (None, dotted)
        elif dotted in ("importlib.import_module", "builtins.__import__"):
            module = self._names.folder.text(node.args[0]) if node.args else None
            kind = None if module else "module"
            self.imports += [(module, ())] if module else []
        brings = kind is None and arguments.brings_code(node, dotted or "", self._names)
        if brings or (kind is None and arguments.trusts(node, dotted or "")):
            kind = "remote"
            dotted = dotted or f"….{node.func.attr if isinstance(node.func, ast.Attribute) else ''}"
        kind = arguments.settled(kind, dotted or "", node, self._names)
        if kind == "magic":
            kind = "process" if magic(node, self._names) else None
        yield from self._judged(kind, dotted, node, block, disguised=disguised, discarded=discarded)

    def _judged(
        self, kind: str | None, dotted: str | None, node: ast.Call, block: Block, *, disguised: bool, discarded: bool
    ) -> Iterator[Effect]:
        """What the call does, by its kind as far as its name gives one."""
        sets = dotted == "builtins.setattr" or (
            isinstance(node.func, ast.Attribute) and node.func.attr == "__setattr__"
        )
        if sets and any(self._names.folder.text(each) == "__code__" for each in node.args[:2]):
            yield from self._recoded(node.args[-1], block)
            return
        if (stand_in := protections.stand_in(node, dotted or "", self._names)) is not None:
            target = ast.copy_location(stand_in[0], node)
            assigned = ast.copy_location(ast.Assign([target], stand_in[1]), node)
            yield from self._replaced(target, assigned, block)
        for item in node.keywords:
            if item.arg == "chat_template" and "download" in self._flow.origins(item.value, block.name):
                turn = self._simple("turn", block.last, block, node)
                yield msgspec.structs.replace(turn, argument="takes chat_template from another machine")
        if dotted in protections.UNLOCKS:
            yield self._setting(dotted, UNGUARDED, block, node)
            return
        if dotted in deeds.SETS:
            for name, value in deeds.variables(node, self._names):
                yield from self._set(name, value, block, node)
            return
        for item in node.keywords if kind == "process" else ():
            for key, value in (
                zip(item.value.keys, item.value.values, strict=True) if isinstance(item.value, ast.Dict) else ()
            ):
                yield from self._set(
                    self._names.folder.text(key) if item.arg == "env" and key else None, value, block, node
                )
        copies = (
            kind == "write" and (dotted or "").startswith("shutil.") and telling.private(node, dotted, self._names, 1)
        )
        if copies or (kind in ("download", "secret") and telling.private(node, dotted, self._names)):
            kind = "told"
        told = (kind, dotted) if kind and dotted else self._told(node, dotted, block)
        if told is None:
            yield from self._handed_on(node, block)
            return
        kind, dotted = told
        yield from self._effect(kind, dotted, node, block, disguised=disguised, discarded=discarded)

    def _told(self, node: ast.Call, dotted: str | None, block: Block) -> tuple[str, str] | None:
        """Kind and name of a call that the tables do not know, by its arguments and by what it is a method of."""
        told = deeds.kind_of_call(node, dotted, self._names)
        if told is not None and told[0] != "upload":
            return told
        dotted = None if dotted is not None and dotted.startswith("….") else dotted
        if accounts.opens_address(node, dotted, self._names):
            return "download", dotted or ""
        if deeds.ends_all(node, dotted or ""):
            return "ends", dotted or ""
        if dotted is None and (found := self._nameless(node, block)):
            return found
        if accounts.tied(node, dotted, self._names):
            return "account", dotted or ""
        if commanded := deeds.commands(node, self._names):
            return "process", commanded
        if dotted is None and accounts.connects(node, self._names):
            return "connect", f"….{node.func.attr}" if isinstance(node.func, ast.Attribute) else ""
        found = self._sent(node, dotted, block) or told
        if found is None and self._acts(node, dotted):
            return "told", dotted or (f"….{node.func.attr}" if isinstance(node.func, ast.Attribute) else "")
        return found

    def _acts(self, node: ast.Call, dotted: str | None) -> bool:
        """True for a call that is given what tells what it does: a command, code that acts, the place of somebody's keys."""
        if telling.ordered(node, dotted, self._names) or telling.private(node, dotted, self._names):
            return True
        for code in telling.codes(node, dotted, self._names) if self._level < _NESTED else ():
            tree = parse(code)
            if isinstance(tree, str):
                continue
            found = analyse(tree, code, self._budget, self._level + 1).effects
            if any(effect.kind in _ACTING or effect.hostile for effect in found):
                return True
        return False

    def _handed_on(self, node: ast.Call, block: Block) -> Iterator[Effect]:
        """A dangerous function given to another one to be called: Thread(target=os.system, args=…), map(eval, …)."""
        put_off = deferred(node)
        if put_off is not None and kind_of(self._names.plain(put_off.func) or "") in ("download", "send", "connect"):
            yield from self.call(put_off, block, discarded=True)  # nobody hears the answer
        for argument in [*node.args, *(item.value for item in node.keywords)]:
            if isinstance(argument, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
                dotted, disguised = self._names.resolve(argument)
                if dotted and kind_of(dotted) in COMMAND_KINDS:
                    yield from self._effect(kind_of(dotted) or "", dotted, node, block, disguised=disguised, given=True)

    def _effect(
        self,
        kind: str,
        dotted: str,
        node: ast.Call,
        block: Block,
        *,
        disguised: bool,
        discarded: bool = False,
        given: bool = False,
    ) -> Iterator[Effect]:
        self._names.folder.decoded = False
        argument = arguments.argument(node, dotted, kind, self._names, given=given)
        flows, body = self._origins(node, block)
        flows.discard(REQUEST)
        flows |= self._decided(kind, dotted, node, block, given=given)
        flows |= deeds.given_away(kind, node, self._names) | arguments.unguarded(dotted, node)
        if kind in ("write", "delete") and isinstance(node.func, ast.Attribute):
            flows |= self._flow.origins(node.func.value, block.name)
        keys = {flow.removeprefix("key:") for flow in flows if flow.startswith("key:")}
        if self._names.folder.decoded or (kind == "unpickle" and arguments.is_pickle(node, self._names)):
            flows.add("decoded")
        writes = kind == "write" and not dotted.startswith(("shutil.", "os."))
        over_home = kind == "write" and deeds.into_home(node, self._names)
        kind = "obeyed" if over_home else self._by_place(kind, dotted, argument, flows)
        if writes and kind in ("", "made"):
            kind = asides.of_sources(node, block.inner(), self._names, listed="host" in flows) or kind
        if not kind:
            return
        flows |= deeds.written(kind, node, block, self._names) | arguments.assembled(kind, argument, block, self._names)
        if kind == "download" and (
            flows & {"secret", "host"}
            or arguments.has_keyword(node, "data")
            or deeds.gives(node, dotted, argument, self._names, given=self._is_given(node, block), discarded=discarded)
        ):
            kind = "send"
        flows |= self._addressed(kind, node, block) | deeds.account(dotted, node, self._names)
        hostile = self._hostile(kind, dotted, argument, node, block)
        effect = Effect(
            kind,
            visible(dotted),
            block.when,
            node.lineno,
            self._excerpt(node),
            one_line(argument, 160),
            tuple(sorted(flow for flow in flows if flow in REPORTED or flow.startswith((PACKAGE, SOURCE)))),
            disguised,
            hostile,
            discarded,
            tuple(sorted(keys)),
            body,
            "" if block.name.startswith("<") else block.name,
            block.handed,
        )
        yield effect
        if kind == "code" and argument and self._level < _NESTED:
            yield from self._inner(argument, effect)
        elif kind == "process" and (code := arguments.python_code(node, self._names)) and self._level < _NESTED:
            yield from self._inner(code, effect)

    def _by_place(self, kind: str, dotted: str, argument: str, flows: set[str]) -> str:
        """What the effect comes to with the place it is used on and what it is given, "" for nothing."""
        if kind in ("write", "delete"):
            copies = dotted.startswith("shutil.")
            found = arguments.file_kind(kind, argument, flows, stays=copies or not self._moves)
            return "told" if found in ("", "made") and telling.is_private(argument) else found
        if kind == "upload" and dotted.startswith("….") and not _uploads(flows, dotted):
            return ""
        if kind == "process" and "given" in flows and deeds.asks(argument):
            return "send"
        return deeds.asked(kind, argument, flows) if kind in ("connect", "display") else kind

    def _inner(self, code: str, outer: Effect) -> Iterator[Effect]:
        """The effects of code that stands in a text."""
        tree = parse(code.strip())
        if isinstance(tree, str):
            if telling.reaches(code):
                yield msgspec.structs.replace(outer, kind="told")
            return
        for effect in analyse(tree, code, self._budget, self._level + 1).effects:
            flows = tuple(sorted({*effect.flows, *(flow for flow in outer.flows if flow == "decoded")}))
            yield Effect(
                effect.kind, effect.name, outer.when if effect.when in ("import", "main") else effect.when, outer.line,
                outer.code, effect.argument, flows, True, effect.hostile, effect.discarded, effect.keys,
                effect.in_body, outer.function, outer.handed,
            )  # fmt: skip


_ACTING = frozenset(("process", "send", "connect", "listen", "start", "obeyed"))
"""What code in a text does that is no computing."""


def _unused(statement: ast.AST) -> ast.expr | None:
    """The call whose result a statement does nothing with."""
    match statement:
        case ast.Expr(value=ast.Await(value=value)) | ast.Expr(value=value):
            return value
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if not name.strip("_"):
            return value.value if isinstance(value, ast.Await) else value
    return None


def _uploads(flows: set[str], dotted: str) -> bool:
    """True where it shows that what is uploaded is the user's; queues have a `put` as well."""
    return bool(flows & {"secret", "user-files", *OF_MACHINE, deeds.SPREADS}) or (
        "given" in flows and dotted not in ("….put", "….publish")
    )
