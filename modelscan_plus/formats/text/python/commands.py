"""What in a setup.py only a person starts: `python setup.py publish`, and not pip, which knows its own commands."""

import ast
from collections.abc import Iterator

from modelscan_plus.formats.text.python.walk import walk

_OF_PIP = frozenset(
    """install develop build build_py build_ext build_clib build_scripts bdist bdist_wheel bdist_egg egg_info dist_info
    editable_wheel sdist install_lib install_scripts install_data install_headers install_egg_info alias rotate
    saveopts setopt clean check easy_install""".split()
)
"""Commands that pip (clean, after a build that failed), build front ends and setuptools start by themselves."""


def is_for_a_person(test: ast.expr) -> bool:
    """True for `sys.argv[-1] == "publish"` and `"publish" in sys.argv`."""
    match test:
        case ast.Compare(left=ast.Subscript(value=held, slice=place), ops=[ast.Eq()], comparators=[ast.Constant(word)]):
            return _is_arguments(held) and ast.unparse(place) != "0" and _is_own(word)
        case ast.Compare(left=ast.Constant(word), ops=[ast.In()], comparators=[held]):
            return _is_arguments(held) and _is_own(word)
    return False


def unstarted(tree: ast.Module) -> set[str]:
    """Classes of which the file speaks only as of commands that nobody but a person starts."""
    listed, counted = set[str](), dict[str, int]()
    for node in walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            counted[node.id] = counted.get(node.id, 0) + 1
    used = list[str]()
    for word, name in _listed(tree):
        used.append(name)
        if _is_own(word):
            listed.add(name)
    return {name for name in listed if counted.get(name, 0) == used.count(name) == 1}


def _listed(tree: ast.Module) -> Iterator[tuple[object, str]]:
    """The commands and classes of `cmdclass`."""
    for node in walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "cmdclass" and isinstance(node.value, ast.Dict):
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Name):
                    yield key.value, value.id


def _is_arguments(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "argv"


def _is_own(word: object) -> bool:
    return isinstance(word, str) and word.isidentifier() and word not in _OF_PIP
