"""From bytes to the tree of a Python source."""

import ast
import warnings

from modelscan_plus.formats.text.python.older import STEPS

LARGEST = 2 << 20
"""Bytes of a source that is parsed; the largest modelling files have 300 kB."""


def parse(data: bytes | str) -> ast.Module | str:
    """The tree, or why there is none. Raises nothing for any bytes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(data)
    except SyntaxError as error:
        return f"{error.msg} (line {error.lineno})" if error.lineno else str(error.msg)
    except OSError:
        return "its declared encoding cannot be loaded"
    except (ValueError, RecursionError, MemoryError, OverflowError, LookupError, UnicodeError) as error:
        return f"not accepted by Python's parser: {type(error).__name__}"


def renewed(text: str) -> tuple[ast.Module, str] | None:
    """The tree and the text of a source that only an older Python takes, or that a merge or IPython left as it is."""
    for step in STEPS:
        text = step(text)
        tree = parse(text)
        if not isinstance(tree, str):
            return tree, text
    return None
