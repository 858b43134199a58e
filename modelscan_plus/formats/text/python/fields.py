"""Which functions and variables of a program hold what people enter: by the fields of its pages, by annotations, by how
people sign in, and through decorators."""

import ast
import re
from collections.abc import Iterator, Mapping

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.blocks import Block
from modelscan_plus.formats.text.python.entered import (
    PASSWORD,
    SAID,
    UPLOAD,
    Entered,
    is_secret,
    label_of,
    method_of,
)
from modelscan_plus.formats.text.python.handed import Handed
from modelscan_plus.formats.text.python.names import Names

_SIGNED = lazy(r"\b(?:gr\.|gradio\.)?OAuthToken\b")
_FORM = lazy(r"\b(?:HTTPBasicCredentials|OAuth2PasswordRequestForm)\b")


_EACH_ROW = frozenset("map map_batches filter apply foreach progress_apply parallel_apply".split())
_SPEAKS = lazy(r"chat|completion|generat|predict|infer|ask|summar|translat|classif|transcri", re.I)
"""Routes by which a model is asked something."""


_REQUESTS = lazy(r"^(?:requests|httpx|urllib3|aiohttp|urllib\.request|http\.client|openai|huggingface_hub|anthropic)\.")
_OF_CELLS = frozenset(("ast_transformers", "input_transformers_cleanup", "input_transformers_post"))


class Fields(Entered):
    """What people enter in one source, where it begins."""

    def __init__(self, names: Names, blocks: Mapping[str, Block], given: Handed) -> None:
        super().__init__(names, given)
        self._blocks = blocks

    def _find(self, given: Handed) -> None:
        """Mark parameters and variables that hold what somebody entered."""
        for name, parameters in [*given.asked.items(), *given.told.items()]:
            for parameter in parameters:
                if is_secret(parameter):
                    self._mark(name, parameter, label_of(parameter))
        self._annotated()
        for node in self._names.nodes:
            if isinstance(node, ast.Call):
                self._components(node)
                self._rows(node)
                self._of_cells(node)
            elif isinstance(node, ast.Assign):
                self._put_in_place(node)
        self._routes(given)
        for name, parameters in self._signing():
            for parameter in parameters[1:2]:
                self._mark(name, parameter, PASSWORD)

    def _routes(self, given: Handed) -> None:
        """What routes are told by which a model is asked something."""
        for name, parameters in given.asked.items():
            for parameter in parameters if name.endswith(".__call__") else ():
                self._mark(name, parameter, SAID)
        for node in self._names.nodes:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or node.name not in given.asked:
                continue
            texts = [
                self._names.folder.text(each.args[0])
                for each in node.decorator_list
                if isinstance(each, ast.Call) and each.args
            ]
            if any(text is not None and text.startswith("/") and _SPEAKS.search(text) for text in texts):
                for parameter in given.asked[node.name]:
                    self._mark(node.name, parameter, SAID)

    def _annotated(self) -> None:
        by_last: dict[str, list[Block]] = {}
        for block in self._blocks.values():
            by_last.setdefault(block.last, []).append(block)
        for node in self._names.nodes:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            for item in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
                said = ast.unparse(item.annotation) if item.annotation is not None else ""
                label = "VISITOR_HF" if _SIGNED.search(said) else PASSWORD if _FORM.search(said) else ""
                if item.arg != "self" and node.args.args[:1] == [item] and any(map(_is_of_chat, node.decorator_list)):
                    self.chats = True
                    label = SAID
                if "UploadFile" in said:
                    label = UPLOAD
                if "Secret" in said and not label:
                    label = label_of(item.arg)
                if label:
                    for block in by_last.get(node.name, ()):
                        if item.arg in block.parameters:
                            self._mark(block.name, item.arg, label)

    def _signing(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Functions that are told the name and password of who signs in."""
        told: set[str] = set()
        for node in self._names.nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and any(
                "password_auth" in ast.unparse(each) or "verify_password" in ast.unparse(each)
                for each in node.decorator_list
            ):
                told.add(node.name)
            if isinstance(node, ast.Call):
                told |= {
                    item.value.id for item in node.keywords if item.arg == "auth" and isinstance(item.value, ast.Name)
                }
        yield from ((name, block.parameters) for name, block in self._blocks.items() if block.last in told)

    def _components(self, node: ast.Call) -> None:
        """Parameters of the function that a page is given, by the fields that it is given with it."""
        method = method_of(node)
        whole = (self._names.plain(node.func) or "").endswith((".Interface", ".ChatInterface", ".TabbedInterface"))
        if not whole and method not in (
            "click",
            "submit",
            "change",
            "upload",
            "then",
            "success",
            "input",
            "load",
            "release",
            "blur",
            "on",
        ):
            return
        named = {item.arg: item.value for item in node.keywords}
        function = (
            named.get("fn")
            or named.get("callback")
            or next((each for each in node.args if isinstance(each, (ast.Name, ast.Attribute))), None)
        )
        inputs = named.get("additional_inputs") or named.get("inputs") or (node.args[1] if len(node.args) > 1 else None)
        block = self._function(function)
        if block is not None and (self._names.plain(node.func) or "").endswith(".ChatInterface"):
            self.chats = True
            for parameter in self._parameters(block)[:2]:
                self._mark(block.name, parameter, SAID)
        if block is None or inputs is None:
            return
        first, parameters = 2 if "additional_inputs" in named else 0, self._parameters(block)
        for place, field in enumerate(inputs.elts if isinstance(inputs, (ast.List, ast.Tuple)) else [inputs]):
            made = self._names.single.get(field.id) if isinstance(field, ast.Name) else field
            if first + place >= len(parameters):
                break
            if self._is_said(made):
                self._mark(block.name, parameters[first + place], SAID)
            if isinstance(made, ast.Call) and (label := self._asks(made)):
                parameter = parameters[first + place]
                self._mark(block.name, parameter, label if label != "VISITOR_" else label_of(parameter))

    def _function(self, given: ast.expr | None) -> Block | None:
        """The function, or the method of an object, that a page is given."""
        match given:
            case ast.Name(id=name):
                return self._blocks.get(name)
            case ast.Attribute(attr=name):
                return next((each for each in self._blocks.values() if each.owner and each.last == name), None)
        return None

    @staticmethod
    def _parameters(block: Block) -> tuple[str, ...]:
        return block.parameters[1:] if block.owner and block.parameters[:1] == ("self",) else block.parameters

    def _is_said(self, made: ast.expr | None) -> bool:
        """True for a field of text that asks for nothing secret."""
        if isinstance(made, ast.Constant):
            return made.value in ("text", "textbox")
        dotted = (self._names.plain(made.func) or "") if isinstance(made, ast.Call) else ""
        return dotted.endswith((".Textbox", ".Text", ".TextArea", ".MultimodalTextbox")) and dotted.startswith(
            "gradio."
        )

    def _wrapped(self) -> None:
        """What a function is told that a decorator of the source wraps, the wrapper is told as `*args` before."""
        made = {
            node.name: node for node in self._names.nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        }
        for (name, _), labels in list(self._held.items()):
            function = made.get(name)
            for decorator in function.decorator_list if function is not None else ():
                wraps = made.get(decorator.id) if isinstance(decorator, ast.Name) else None
                for inner in wraps.body if wraps is not None else ():
                    if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                        self._mark_rest(inner, labels)

    def _put_in_place(self, node: ast.Assign) -> None:
        """What a function is told that takes the place of one by which a library asks other machines."""
        for target in node.targets:
            if isinstance(target, ast.Attribute) and _REQUESTS.match(self._names.plain(target) or ""):
                block = self._function(node.value)
                if block is None:
                    continue
                for parameter in (*block.parameters, *self._rests_of(block)):
                    self._mark(block.name, parameter, UPLOAD)

    def _rests_of(self, block: Block) -> list[str]:
        made = (node for node in self._names.nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
        found = next((node.args for node in made if node.name == block.last), None)
        return [item.arg for item in (found.vararg, found.kwarg) if item is not None] if found is not None else []

    def _of_cells(self, node: ast.Call) -> None:
        """What a function, or the methods of a class, are told that IPython gives each cell of a notebook."""
        method, holder = method_of(node), node.func.value if isinstance(node.func, ast.Attribute) else None
        kept = getattr(holder, "attr", "")
        if not (kept == "events" and method == "register") and kept not in _OF_CELLS:
            return
        for value in node.args:
            name = value.func if isinstance(value, ast.Call) else value
            for block in self._blocks.values():
                if isinstance(name, ast.Name) and name.id in (block.owner, block.name):
                    self.chats = True
                    for parameter in self._parameters(block):
                        self._mark(block.name, parameter, SAID)

    def _rows(self, node: ast.Call) -> None:
        """What a function is told that is handed to each row of a table."""
        given = node.args[0] if node.args and method_of(node) in _EACH_ROW else None
        block = self._blocks.get(given.id) if isinstance(given, ast.Name) else None
        if block is not None and block.parameters:
            self._mark(block.name, block.parameters[0], UPLOAD)

    def _mark_rest(self, inner: ast.FunctionDef | ast.AsyncFunctionDef, labels: set[str]) -> None:
        rest = [item.arg for item in (inner.args.vararg, inner.args.kwarg) if item is not None]
        for block in self._blocks.values():
            for parameter in rest if block.last == inner.name else ():
                self._held.setdefault((block.name, parameter), set()).update(labels)


def _is_of_chat(decorator: ast.expr) -> bool:
    """True for `@cl.on_message`: what follows is told what people say."""
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "on_message"
        and ast.unparse(function.value) in ("cl", "chainlit")
    )
