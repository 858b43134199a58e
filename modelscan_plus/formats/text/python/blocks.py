"""When each part of a source runs: on import, when its file is started, when a loader calls it, or when anybody does.

A block is the module itself, what stands behind `if __name__ == "__main__"`, or one function. Class bodies, decorators
and default values belong to the block around them. A function that a block calls, or hands to somebody else, runs when
that block does.
"""

import ast
from collections.abc import Callable, Iterable, Iterator

import msgspec

from modelscan_plus.formats.text.python.callbacks import called_back
from modelscan_plus.formats.text.python.commands import is_for_a_person, unstarted
from modelscan_plus.formats.text.python.sinks import ENTRY_NAMES, IMPORT_HOOKS, PUBLIC_ENTRIES
from modelscan_plus.formats.text.python.walk import walk

MODULE, MAIN = "", "<main>"
_ORDER = ("import", "entry", "main", "call")
_BASES_RUN = frozenset(("__init__", "__new__", "__post_init__", "__call__", "__enter__"))


class LoopHead(ast.comprehension):
    """The head of a loop, whose body stands elsewhere."""


class Block(msgspec.Struct):
    """One part of the source that runs at one time."""

    name: str
    """Dotted, "" for the module."""
    owner: str = ""
    """The class it is a method of."""
    nodes: list[ast.AST] = msgspec.field(default_factory=list)
    """Statements and expressions, without those of nested functions."""
    parameters: tuple[str, ...] = ()
    when: str = "call"
    handed: str = ""
    """Why something outside calls it (handed.py): "asked" where somebody asks for something, "hook" for another reason."""
    stated: frozenset[bool] | None = None
    """Whether the texts that it writes begin with what stands in the source, once somebody asked (deeds.py)."""
    assembles: bool | None = None
    """Whether it puts nodes of syntax trees together, once somebody asked (arguments.py)."""
    _inner: list[ast.AST] = msgspec.field(default_factory=list)

    def inner(self) -> list[ast.AST]:
        """All nodes of the finished block, those inside of others too."""
        if not self._inner:
            self._inner = [node for top in self.nodes for node in walk(top)]
        return self._inner

    @property
    def last(self) -> str:
        """The function's own name, also of one that stands twice."""
        return self.name.rpartition(".")[2].partition("#")[0]


def blocks_of(
    tree: ast.Module, file: str = "", hooks: frozenset[str] = frozenset(), asked: Iterable[str] = ()
) -> dict[str, Block]:
    """All blocks by name, with the time at which each runs. Of some files loaders call whatever is public.

    `hooks` are functions that something outside calls, those in `asked` because somebody asks for something."""
    blocks = {MODULE: Block(MODULE, when="import"), MAIN: Block(MAIN, when="main")}
    is_guard = (lambda test: _is_main(test) or is_for_a_person(test)) if file == "setup.py" else _is_main
    _split(tree.body, blocks[MODULE], "", blocks, is_guard)
    metaclasses = {node.name for node in walk(tree) if isinstance(node, ast.ClassDef) and _is_meta(node)}
    is_public, (classes, functions) = _is_public(tree, file), called_back(tree)
    uses = _time(
        blocks, metaclasses, lambda block: block.owner in classes or block.last in functions or is_public(block), hooks
    )
    for handed, names in (("hook", hooks), ("asked", hooks.intersection(asked))):
        for name in _closure([name for name in names if name in blocks], uses):
            blocks[name].handed = handed
    return blocks


def _split(
    body: list[ast.stmt], block: Block, owner: str, blocks: dict[str, Block], is_guard: Callable[[ast.expr], bool]
) -> None:
    stack: list[tuple[ast.stmt, Block, str]] = [(statement, block, owner) for statement in reversed(body)]
    times: dict[str, int] = {}
    while stack:
        statement, at, inside = stack.pop()
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            at.nodes += [*statement.decorator_list, *statement.args.defaults, *filter(None, statement.args.kw_defaults)]
            name = _free(f"{inside}.{statement.name}" if inside else statement.name, times)
            arguments = statement.args
            parameters = tuple(item.arg for item in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])
            made = blocks[name] = Block(name, inside, parameters=parameters)
            stack += [(inner, made, "") for inner in reversed(statement.body)]
        elif isinstance(statement, ast.ClassDef):
            at.nodes += [*statement.decorator_list, *statement.bases, *(item.value for item in statement.keywords)]
            stack += [(inner, at, statement.name) for inner in reversed(statement.body)]
        elif isinstance(statement, ast.If) and at.name == MODULE and is_guard(statement.test):
            stack += [(inner, blocks[MAIN], inside) for inner in reversed(statement.body)]
            stack += [(inner, at, inside) for inner in reversed(statement.orelse)]
        elif inner_statements := list(_inner(statement)):
            at.nodes += _head(statement)
            stack += [(inner, at, inside) for inner in reversed(inner_statements)]
        else:
            at.nodes.append(statement)


def _head(statement: ast.stmt) -> list[ast.AST]:
    """What a compound statement holds beside its statements; of a loop, what its variable takes from what."""
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        return [LoopHead(statement.target, statement.iter, [], 0)]
    return [part for part in ast.iter_child_nodes(statement) if not isinstance(part, ast.stmt)]


def _inner(statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements inside a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        yield from getattr(statement, name, ())
    for handler in getattr(statement, "handlers", ()):
        yield from handler.body
    for case in getattr(statement, "cases", ()):
        yield from case.body


def _free(name: str, times: dict[str, int]) -> str:
    """The name, numbered where it stands for the second time; counted, as a source may define one name many times."""
    times[name] = times.get(name, 0) + 1
    return name if times[name] == 1 else f"{name}#{times[name]}"


def _is_meta(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id in ("type", "ABCMeta", "EnumMeta") for base in node.bases)


def _is_main(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and isinstance(test.ops[0], ast.Eq)
    )


def _of_nodes(tree: ast.Module) -> set[str]:
    """Methods that ComfyUI calls because the class names them: `FUNCTION = "run"`."""
    return {
        f"{node.name}.{statement.value.value}"
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "FUNCTION" for target in statement.targets)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    }


def _is_public(tree: ast.Module, file: str) -> Callable[[Block], bool]:
    """Whether a loader calls a function of the file because it is there."""
    nodes = _of_nodes(tree)
    kind = PUBLIC_ENTRIES.get(file)
    top = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    if kind == "functions":
        return lambda block: block.name in top and not block.name.startswith("_")
    if kind == "methods":
        unused = unstarted(tree)
        return lambda block: bool(block.owner) and block.owner not in unused
    return lambda block: block.name in nodes


def _time(
    blocks: dict[str, Block], metaclasses: set[str], is_public: Callable[[Block], bool], hooks: frozenset[str]
) -> dict[str, set[str]]:
    """Set when each block runs; gives what each uses."""
    index = _Index(blocks)
    uses = {name: index.uses(block) for name, block in blocks.items()}
    starts = {
        "import": [MODULE, *(name for name, block in blocks.items() if block.last in IMPORT_HOOKS)],
        "entry": [
            name
            for name, block in blocks.items()
            if name and (block.last in ENTRY_NAMES or name in hooks or is_public(block))
        ],
        "main": [MAIN],
    }
    starts["import"] += [
        name
        for name, block in blocks.items()
        if block.owner in metaclasses and block.last in ("__new__", "__init__", "__call__")
    ]
    if "__getattr__" in blocks:
        starts["import"].append("__getattr__")
    for when in ("main", "entry", "import"):
        for name in _closure(starts[when], uses):
            if _ORDER.index(when) < _ORDER.index(blocks[name].when) or name in starts[when]:
                blocks[name].when = when
    return uses


def _closure(names: list[str], uses: dict[str, set[str]]) -> set[str]:
    """The blocks of these names, and what runs with them."""
    todo, seen = set(names), set[str]()
    while todo:
        name = todo.pop()
        seen.add(name)
        todo |= uses[name] - seen
    return seen


class _Index:
    """Functions and classes of a file by the names under which they are used."""

    def __init__(self, blocks: dict[str, Block]) -> None:
        self._functions: dict[str, list[str]] = {}
        self._methods: dict[str, list[str]] = {}
        self._makers: dict[str, list[str]] = {}
        """By class, the methods that making an instance runs."""
        for name, block in blocks.items():
            last = block.last
            (self._methods if block.owner else self._functions).setdefault(last, []).append(name)
            if block.owner and last in _BASES_RUN:
                self._makers.setdefault(block.owner, []).append(name)

    def uses(self, block: Block) -> set[str]:
        """Functions of the file that the block calls or hands on."""
        used: set[str] = set()
        for node in block.inner():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                used.update(self._makers.get(node.func.id, ()))
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used.update(self._functions.get(node.id, ()))
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                base = node.value.id if isinstance(node.value, ast.Name) else ""
                if base in ("self", "cls", block.owner) or base in self._makers or isinstance(node.value, ast.Call):
                    used.update(self._methods.get(node.attr, ()))
        return used
