"""Functions and classes of a file that a library calls back: by what a class derives from, or by what decorates a function."""

import ast
import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.walk import walk

_CALLING = lazy(
    r"(?:^|\.)(?:Function|\w*Callback(?:Handler)?|\w*Streamer|(?:Int|Str)?(?:Enum|Flag)|\w*Hook(?:Base)?|\w*Logits(?:Processor|Warper)|\w*StoppingCriteria|"
    r"TorchDispatchMode|TorchFunctionMode|Thread|Timer|Process|(?:Stream|File|Queue|Memory|Buffering)?Handler|HTMLParser|Node(?:Visitor|Transformer)|"
    r"JSON(?:En|De)coder|(?:Un)?[Pp]ickler|\w*RequestHandler)$"
)
"""Classes whose methods the library around them calls: autograd, trainers, generation, threads, parsers."""
_REGISTERS = re.compile(
    r"(?:^|\.)(?:custom_op|custom_(?:fwd|bwd)|register_(?:fake|kernel|autograd|vmap|hook|backend|pytree_node|torch_dispatch|forward\w*)|impl(?:_abstract)?|"
    r"listens_for|hookimpl|\w+_hook|\w*validator|register_at_fork)$"
)
"""Decorators that hand a function to whatever calls it later."""


def called_back(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Names of the classes of which a library calls the methods, and of the functions that are handed to one."""
    classes, functions = set[str](), set[str]()
    for node in walk(tree):
        if isinstance(node, ast.ClassDef) and any(_CALLING.search(_name(base)) for base in node.bases):
            classes.add(node.name)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and any(
            _REGISTERS.search(_name(each)) for each in node.decorator_list
        ):
            functions.add(node.name)
    return classes, functions


def _name(node: ast.expr) -> str:
    """`a.b.c` of a name, an attribute, or a call of one."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
