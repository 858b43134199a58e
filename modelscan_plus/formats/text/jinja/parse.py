"""Parsing a chat template as the libraries do that render it: Jinja with loop controls and a `generation` block."""

import functools
import warnings

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

LARGEST = 1 << 20
"""Characters of a template; the largest in use have about 30,000."""


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`, with which transformers marks what the assistant said."""

    tags = {"generation"}  # noqa: RUF012 - a set in the base class as well

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


@functools.cache
def environment() -> jinja2.Environment:
    """Used to parse, never to compile or render."""
    return jinja2.Environment(  # noqa: S701 - nothing is rendered
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do", "jinja2.ext.i18n", "jinja2.ext.debug", _Generation],
    )


def parse(text: str) -> nodes.Template | tuple[str, int]:
    """The tree, or why there is none and in which line. Raises nothing for any text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in the template's texts
            # Not environment().parse: that looks for source files when a template is broken.
            return Parser(environment(), text).parse()
    except jinja2.TemplateSyntaxError as error:
        return error.message or "syntax error", error.lineno
    except RecursionError:
        return "nested too deeply", 0
    except (ValueError, OverflowError, AssertionError, AttributeError, IndexError, UnicodeError) as error:
        # Literals that Python itself refuses (an integer of 5,000 digits, a broken escape): no renderer gets further.
        return f"not accepted by Jinja: {type(error).__name__}", 0
