"""Going through a syntax tree: as `ast.walk`, in the same order, without operators and contexts.

Half of the nodes of a tree are operators and contexts (`Load`, `Store`), which nobody looks for; most of the analysis by
names is going through trees.
"""

import ast
from collections.abc import Iterator

_SAYS_NOTHING = frozenset(
    "ctx op ops id attr name arg module level kind type_comment conversion simple is_async".split()
)


_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
"""By the type of a node, the fields that may hold nodes."""


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(name for name in kind._fields if name not in _SAYS_NOTHING)
    return _FIELDS[kind]


def walk(top: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, nearest first."""
    found = [top]
    for node in found:
        for name in _fields(type(node)):
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                found.append(value)
            elif isinstance(value, list):
                found += [item for item in value if isinstance(item, ast.AST)]
        yield node
