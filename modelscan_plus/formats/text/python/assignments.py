"""What assignments change: variables that other programs obey, functions of other packages, where modules are looked for."""

import abc
import ast
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import one_line, shorten, visible
from modelscan_plus.formats.text.python import accounts, protections
from modelscan_plus.formats.text.python.blocks import Block
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.flow import Flow
from modelscan_plus.formats.text.python.later import GIT_KEY
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import HOOK_VARIABLE
from modelscan_plus.formats.text.python.spoken import spoken
from modelscan_plus.formats.text.python.walk import walk

_PATCHED = lazy(
    r"^(?:builtins|os|subprocess|pickle|torch\.load|torch\.serialization|safetensors|huggingface_hub|socket|importlib|"
    r"transformers\.(?:dynamic_module_utils|utils\.hub)|transformers\.[\w.]*\b(?:save_pretrained|push_to_hub|save_vocabulary|_save_pretrained)$|(?:transformers|datasets|diffusers|sentence_transformers|peft|timm|torch\.hub)\.[\w.]*\b(?:from_pretrained|load_dataset|cached_files?|hf_hub_download|snapshot_download|load_state_dict_from_url|download_url_to_file)$|"
    r"datasets\.config\.HF_DATASETS_TRUST_REMOTE_CODE|transformers\.utils\.import_utils\.check_torch_load_is_safe|transformers\.modeling_utils\.check_torch_load_is_safe|ssl\._create_default_https_context|sys\.(?:meta_path|path_hooks))\b"
)
_TEMPLATES = frozenset(
    "chat_template default_chat_template default_system_prompt system_prompt system_message meta_instruction default_prompt".split()
)
"""Attributes by which a tokenizer or model says what stands around everything that it is asked."""
_LINE = 1_000
"""Characters of a line that are looked at to show it."""
REPORTED = frozenset(
    "hub download decoded secret host file input config request generated stated user-files others-code any-object parameter caller asker trained account fetched scratch weights joined spelt of-account".split()
)
"""Origins that an effect tells; the others only lead to what it is."""


UNGUARDED = "weights_only=False"
"""What a function is told that takes the place of torch.load, so that everybody's later loads run what pickles hold."""


def unguards(value: ast.expr, names: Names) -> bool:
    """True for a function that loads whatever stands in a file: a lambda, a partial, or a function of the source."""
    if isinstance(value, ast.Name):
        value = names.single.get(value.id, value)
    bodies: list[ast.AST] = [value]
    if isinstance(value, ast.Name):
        bodies = [
            node
            for node in names.nodes
            if isinstance(node, (ast.FunctionDef, ast.Lambda)) and getattr(node, "name", "") == value.id
        ]
    for part in (part for body in bodies[:3] for part in walk(body)):
        match part:
            case ast.keyword(arg="weights_only", value=ast.Constant(value=False)):
                return True
            case ast.Dict(keys=keys, values=values):
                pairs: list[tuple[ast.expr | None, ast.expr]] = list(zip(keys, values, strict=True))
            case ast.Call(func=ast.Attribute(attr="setdefault"), args=[key, given]):
                pairs = [(key, given)]
            case ast.Assign(targets=[ast.Subscript(slice=key)], value=given):
                pairs = [(key, given)]
            case _:
                continue
        for name, given in pairs:
            named = isinstance(name, ast.Constant) and name.value == "weights_only"
            if named and isinstance(given, ast.Constant) and given.value is False:
                return True
    return False


class Assignments(abc.ABC):
    """Finds what the assignments of one file's blocks change."""

    def __init__(self, names: Names, flow: Flow, text: str) -> None:
        self._names = names
        self._flow = flow
        self._lines = text.splitlines()

    @abc.abstractmethod
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
        """What a call of this kind comes to."""

    @abc.abstractmethod
    def _inner(self, code: str, outer: Effect) -> Iterator[Effect]:
        """The effects of code that stands in a text."""

    def _simple(self, kind: str, dotted: str, block: Block, node: ast.stmt | ast.expr, hostile: str = "") -> Effect:
        name = "" if block.name.startswith("<") else block.name
        return Effect(
            kind, visible(dotted), block.when, node.lineno, self._excerpt(node), hostile=hostile, function=name,
            handed=block.handed,
        )  # fmt: skip

    def assignment(self, node: ast.Assign | ast.AugAssign, block: Block) -> Iterator[Effect]:
        """What one assignment changes."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Subscript) and self._names.plain(target.value) == "os.environ":
                yield from self._set(self._names.folder.text(target.slice), node.value, block, node)
            elif self._names.plain(target.value if isinstance(target, ast.Subscript) else target) == "sys.path":
                yield from self._searched(node, block)
            elif isinstance(target, ast.Attribute) and target.attr == "__code__":
                yield from self._recoded(node.value, block)
            elif isinstance(target, ast.Attribute) and target.attr in ("exec_lines", "code_to_run"):
                for part in walk(node.value):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield from self._inner(part.value, self._simple("code", f"….{target.attr}", block, part))
            elif isinstance(target, ast.Subscript):
                yield from self._put(target, node, block)
            elif isinstance(target, ast.Attribute):
                yield from self._replaced(target, node, block)

    def _put(self, target: ast.Subscript, node: ast.Assign | ast.AugAssign, block: Block) -> Iterator[Effect]:
        """An item of a table: of all modules, of one by its names (`vars(hmac)["compare_digest"] = f`), of git's settings."""
        dotted, key = self._names.plain(target), self._names.folder.text(target.slice) or ""
        if self._names.plain(target.value) == "sys.modules":
            if name := protections.stands_in(target.slice, self._names):
                yield self._setting(f"sys.modules.{name}", "", block, node)
        elif dotted and protections.is_replaced(dotted, node.value, self._names):
            yield self._setting(dotted, "", block, node)
        elif GIT_KEY.match(key):
            yield self._simple("later", f"….{key}", block, node.value)

    def _replaced(self, target: ast.Attribute, node: ast.Assign | ast.AugAssign, block: Block) -> Iterator[Effect]:
        """A setting or function of a library that is given another value."""
        dotted = self._names.plain(target)
        text = self._names.folder.text(node.value) or ""
        if dotted in ("torch.load", "torch.serialization.load") and unguards(node.value, self._names):
            text = UNGUARDED
        if dotted == protections.TRUSTED and isinstance(node.value, ast.Constant) and node.value.value:
            text = UNGUARDED
        if target.attr in _TEMPLATES and "download" in self._flow.origins(node.value, block.name):
            yield msgspec.structs.replace(
                self._simple("turn", block.last, block, node.value),
                argument=f"takes {target.attr} from another machine",
            )
        if target.attr in ("proxies", "proxy"):
            dotted, text = dotted or f"….{target.attr}", accounts.led(node.value, self._names)
        leads = dotted is not None and accounts.set_elsewhere(dotted, text)
        replaced = dotted is not None and protections.is_replaced(dotted, node.value, self._names)
        if dotted and (leads or replaced or _PATCHED.match(dotted)) and not dotted.startswith("os.environ"):
            yield self._setting(dotted, text, block, node)

    def _searched(self, node: ast.Assign | ast.AugAssign, block: Block) -> Iterator[Effect]:
        """`sys.path = [folder] + sys.path` and the like, as the call that does the same."""
        parts = [node.value.left, node.value.right] if isinstance(node.value, ast.BinOp) else [node.value]
        added = [each for part in parts for each in (part.elts if isinstance(part, (ast.List, ast.Tuple)) else [part])]
        for value in added[:20]:
            if self._names.plain(value) != "sys.path":
                appends = ast.copy_location(ast.Name("sys.path.append", ast.Load()), node)
                call = ast.copy_location(ast.Call(appends, [value], []), node)
                yield from self._effect("search-path", "sys.path.append", call, block, disguised=False)

    def _recoded(self, value: ast.expr, block: Block) -> Iterator[Effect]:
        """A function is given other code than its own; the code of another function of the source is judged by itself."""
        if not (isinstance(value, ast.Attribute) and value.attr == "__code__"):
            flows = self._flow.origins(value, block.name) & REPORTED
            effect = self._simple("code", "types.FunctionType.__code__", block, value)
            yield msgspec.structs.replace(effect, flows=tuple(sorted(flows)))

    def _set(
        self, variable: str | None, value: ast.expr | None, block: Block, node: ast.stmt | ast.expr
    ) -> Iterator[Effect]:
        """A variable of the environment that is set, where it changes what programs and libraries do."""
        said = spoken(value, self._names) if value is not None else ""
        if variable and (HOOK_VARIABLE.match(variable) or accounts.set_elsewhere(variable, said)):
            yield self._setting(variable, said.strip("…"), block, node)

    def _setting(self, name: str, value: str, block: Block, node: ast.stmt | ast.expr) -> Effect:
        return Effect(
            "settings", visible(name), block.when, node.lineno, self._excerpt(node),
            shorten(visible(value), 160), function=block.name,
        )  # fmt: skip

    def _excerpt(self, node: ast.stmt | ast.expr) -> str:
        lines = self._lines[node.lineno - 1 : min(node.end_lineno or node.lineno, node.lineno + 3)]
        if lines and len(lines[0]) > _LINE:  # the call, not the beginning of a program in one line
            lines[0] = lines[0][node.col_offset :]
        return one_line(" ".join(line[:_LINE] for line in lines), 200)
