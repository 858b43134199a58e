"""A chat template turned into text: a program out of a hostile file, so with a limit on each of its steps.

Jinja's sandbox keeps a template away from Python's objects, but not from loops in loops or from texts that double in
size. Every line that the compiled template runs is counted, and with it the size of each variable; operators that make
texts go through checks, and of the filters and methods those stay that templates of chat models use.

Source: Jinja's documentation of the sandboxed environment, "Security considerations"; transformers'
`utils/chat_template_utils.py` for what a template may expect.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

from jinja2 import Environment, TemplateError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.probe.interface import NotProbed

MOST_STEPS = 100_000
"""Lines of compiled template and items of variables, together."""
MOST_TEXT = 100_000
"""Characters of the result, and of any variable on the way."""
MOST_ITEMS = 2_000
"""Items of any variable, at all depths."""
_FILTERS = frozenset(
    "abs capitalize count d default dictsort e escape first float int items join last length list lower map max min "
    "reject rejectattr replace reverse round safe select selectattr sort string sum title tojson trim unique "
    "upper".split()
)
_METHODS = frozenset(
    "endswith find get index items keys lower lstrip rsplit rstrip split startswith strip title upper values".split()
)


class _TooMuch(Exception):
    """A limit was reached."""


class _Generation(Extension):
    """`{% generation %}`: marks what the model wrote; its body is text as any other."""

    tags = {"generation"}  # noqa: RUF012  (Jinja reads the attribute as it is)

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Generator(CodeGenerator):
    """Lets `~` go through a check, as the operators do."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  (Jinja's name)
        self.write("environment.concat((")
        for part in node.nodes:
            self.write("str(")
            self.visit(part, frame)
            self.write("), ")
        self.write("))")


class _Sandbox(ImmutableSandboxedEnvironment):
    code_generator_class = _Generator
    intercepted_binops = frozenset(("*", "**", "%", "+"))

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """Join the pieces of an output."""
        found: list[str] = []
        length = 0
        for part in parts:
            length += len(part)
            if length > MOST_TEXT:
                raise _TooMuch("a text that grows")
            found.append(part)
        return "".join(found)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = all(isinstance(side, int | float) and abs(side) < 1e9 for side in (left, right))
        if operator == "**" or (operator in "*%" and not numbers):
            raise _TooMuch(f"the operator {operator}")
        result = super().call_binop(context, operator, left, right)
        _measure(result)
        return result

    def getattr(self, obj: Any, attribute: str) -> Any:
        if attribute in ("format", "format_map"):
            raise _TooMuch("text with widths")
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if callable(value) and attr not in _METHODS and not isinstance(obj, Mapping):
            return False
        return super().is_safe_attribute(obj, attr, value)


class _Names(Namespace):
    """`namespace()` whose values are held to the size of variables."""

    def __setitem__(self, name: str, value: Any) -> None:
        _measure(value)
        super().__setitem__(name, value)


def _measure(value: Any) -> int:
    """The items in a value at all depths; raises where there are too many, or too long a text."""
    items, pending = 0, [value]
    while pending:
        part = pending.pop()
        items += 1
        if isinstance(part, str | bytes):
            items += len(part) // MOST_TEXT * MOST_ITEMS
        elif isinstance(part, Mapping):
            pending += [*part.keys(), *part.values()] if len(part) <= MOST_ITEMS else [part] * MOST_ITEMS
        elif isinstance(part, list | tuple):
            pending += part[: MOST_ITEMS + 1]
        if items > MOST_ITEMS or len(pending) > 2 * MOST_ITEMS:
            raise _TooMuch("a text or list that grows")
    return items


def render(
    template: str, messages: Sequence[Mapping[str, str]], special: Mapping[str, str], *, ask: bool = True
) -> str:
    """The text of a conversation. `messages` have "role" and "content"; `special` gives the template's names of special
    tokens ("bos_token", …); with `ask` the text ends where an answer begins. Raises NotProbed."""
    given = {
        **special,
        "messages": [dict(message) for message in messages],
        "add_generation_prompt": ask,
        "tools": None,
    }
    try:
        compiled = _environment().from_string(template)
        return _Counter().run(lambda: _Sandbox.concat(compiled.generate(**given)))
    except _TooMuch as error:
        raise NotProbed(f"the chat template goes beyond its limits: {error}") from None
    except (
        TemplateError,
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        what = shorten(visible(" ".join(str(error).split())), 120)
        raise NotProbed(f"the chat template cannot be rendered: {type(error).__name__}: {what}") from None


def _environment() -> Environment:
    environment = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"], autoescape=False
    )
    environment.filters = {name: known for name, known in environment.filters.items() if name in _FILTERS}
    environment.filters["tojson"] = _to_json
    environment.globals = {
        "range": _range,
        "namespace": _Names,
        "dict": dict,
        "raise_exception": _raise,
        "strftime_now": lambda form: "2026-01-01" if "%" in form else str(form)[:40],
    }
    return environment


def _to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=min(int(indent), 8) if indent else None)


def _range(*bounds: int) -> range:
    wanted = range(*bounds)
    if len(wanted) > MOST_STEPS:
        raise _TooMuch("a range without end")
    return wanted


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


class _Counter:
    """Counts the lines of Python that are run below it, and looks at the variables of each."""

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def run(self, action: Callable[[], str]) -> str:
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            return action()
        finally:
            sys.settrace(before)

    def _call(self, frame: FrameType, event: str, argument: object) -> Any:
        del event, argument
        return self._line if frame.f_code.co_filename.startswith("<template") else None

    def _line(self, frame: FrameType, event: str, argument: object) -> Any:
        del event, argument
        self._left -= 1
        if self._left < 0:
            raise _TooMuch("loops without end")
        for name, value in frame.f_locals.items():
            if name.startswith("l_") and isinstance(value, str | bytes | Mapping | list | tuple):
                self._left -= _measure(value)
        return self._line
