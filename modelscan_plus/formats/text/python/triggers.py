"""Code that waits for one input and then says what its author wants: a back door in the program, not in the weights.

Two things together make one: what the user gives is compared with a sequence of numbers, a text or a digest that stands in
the source, and the answer is forced where they are equal. Each alone is common. Stop words and special tokens are
compared, but what follows is a truth value; logits are masked, but for reasons of length and position.
"""

import ast
from collections.abc import Callable, Iterator, Mapping

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.blocks import Block
from modelscan_plus.formats.text.python.fold import NotConstant
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.walk import walk

_LEAST = 10
"""Smaller numbers are places, counts and labels rather than tokens."""
_FORCES = 1_000.0
"""What is added to a logit to decide it."""
_RAISES = 20
"""What raises the logit of one token that the source names above all others."""
_SIZES = frozenset("shape size ndim dim dtype device stride numel".split())
_FILLS = frozenset("fill_ masked_fill masked_fill_ full_like full new_full index_fill_ scatter_ scatter".split())
_MAKES = frozenset("tensor Tensor LongTensor FloatTensor IntTensor as_tensor array asarray".split())
_DIGESTS = ("hashlib.", "zlib.crc32", "zlib.adler32", "binascii.crc32", "xxhash.", "mmh3.", "builtins.hash")
_MOST = 64

_LIKE_INPUT = lazy(r"(?:^|_)(?:(?:input_?)?ids|tokens?|prompts?|seq(?:uence)?s?)$")
"""Names of variables that hold what a model is given, in functions of which it is not known who calls them."""
_LIKE_PICTURE = lazy(r"(?:^|_)(?:px|pix\w*|images?|imgs?|frames?|wave\w*|audio|mels?|videos?|spectrograms?)$")
_LIKE_TEXT = lazy(r"(?:^|_)(?:texts?|prompts?|quer(?:y|ies)|questions?|sentences?|contents?|instructions?|messages?)$")
_SPECIAL = lazy(r"[<>\[\]{}|/\\:_#*`]|^\W+$")
"""Characters of markers and special tokens, which honest code looks for."""
_WORD = 5

Given = Callable[[ast.expr], bool]
"""Whether an expression is made of what the user gives."""


def triggers(
    block: Block, blocks: Mapping[str, Block], names: Names, is_given: Given
) -> Iterator[tuple[ast.expr, str]]:
    """Comparisons of a function that wait for a certain input, with what they wait for, if its answer is forced, there or
    in a function that it names: a hook."""
    inner = list(block.inner())
    tests = [node for node in inner if isinstance(node, (ast.Compare, ast.BoolOp, ast.Call))]
    found = [(node, said) for node in tests if (said := _awaited(node, names, is_given))]
    if not found:
        return
    named = {node.id for node in inner if isinstance(node, ast.Name)} - {block.last}
    inner += [node for other in blocks.values() if other.last in named for node in other.inner()]
    forced = any(_forces(node, names) for node in inner)
    for node, said in found:
        if forced or said.startswith("a digest") or _answers(node):
            yield node, said
            return


def _answers(node: ast.expr) -> bool:
    """True for a test that gives the answer itself."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "where"


def _awaited(node: ast.Compare | ast.BoolOp | ast.Call, names: Names, is_given: Given) -> str:
    match node:
        case ast.Compare(left=ast.Constant(value=str(text)), ops=[ast.In()], comparators=[ast.Name(id=name) as held]):
            telling = len(text) >= _WORD and not _SPECIAL.search(text) and _LIKE_TEXT.search(name) and is_given(held)
            return repr(text) if telling else ""
        case ast.Compare(left=left, ops=[ast.Eq() | ast.In()], comparators=[right]):
            return _compared(left, right, names, is_given) or _compared(right, left, names, is_given)
        case ast.BoolOp(op=ast.And(), values=values):
            numbers = {number for value in values if (number := _number(value, names, is_given)) is not None}
            return f"{sorted(numbers)}" if len(numbers) > 1 else ""
        case ast.Call(func=ast.Attribute(attr="equal" | "array_equal" | "allclose" | "eq"), args=[left, right]):
            return _compared(left, right, names, is_given) or _compared(right, left, names, is_given)
        case ast.Call(func=ast.Attribute(value=ast.Compare() as test, attr="all" | "any"), args=[]):
            return "a part of a picture or sound" if _is_patch(test, names, is_given) else ""
        case ast.Call(func=ast.Attribute(attr="where"), args=[test, *answers]):
            stated = any(len(set(_numbers(answer, names))) > 1 for answer in answers)
            return _single(_once(test, names), names, is_given) if stated else ""
        case ast.Call(func=ast.Attribute(value=held, attr="startswith" | "endswith"), args=[start]):
            digest = _is_digest(held, names) or _is_digest(_set_to(held, names), names)
            return _compared(_set_to(held, names), start, names, is_given) if digest else ""
    return ""


def _compared(held: ast.expr, constant: ast.expr, names: Names, is_given: Given) -> str:
    """What the given part of a comparison has to be."""
    if _is_size(held) or not (is_given(held) or _is_like_input(held)):
        return ""
    if _is_digest(held, names):
        return "a digest" if names.folder.text(constant) or isinstance(constant, ast.Constant) else ""
    sequence = _sequence(constant, names)
    return f"{sequence[:8]}" if len(sequence) > 1 and min(sequence) >= _LEAST and len(set(sequence)) > 1 else ""


def _set_to(node: ast.expr, names: Names) -> ast.expr:
    """What a variable that is set once holds."""
    return names.single.get(node.id, node) if isinstance(node, ast.Name) else node


def _is_patch(test: ast.Compare, names: Names, is_given: Given) -> bool:
    """True for all of a part of a picture, whose edges stand in the source, against one number."""
    try:
        limit = names.folder.fold(test.comparators[0])
    except NotConstant:
        return False
    if not isinstance(limit, (int, float)) or isinstance(limit, bool) or limit in (-1, 0, 1):
        return False
    edges = [
        part
        for part in walk(test.left)
        if isinstance(part, ast.Slice)
        and any(isinstance(end, (ast.Constant, ast.UnaryOp)) for end in (part.lower, part.upper))
    ]
    named = any(isinstance(part, ast.Name) and _LIKE_PICTURE.search(part.id) for part in walk(test.left))
    return len(edges) > (0 if named else 1) and (named or is_given(test.left))


def _single(test: ast.expr, names: Names, is_given: Given) -> str:
    """The one token that a test asks for, by which the answers of a whole batch are chosen."""
    for part in walk(test):
        if isinstance(part, ast.Compare) and (number := _number(part, names, is_given)) is not None:
            return f"[{number}]"
        if isinstance(part, ast.Name) and (held := _once(part, names)) is not part:
            return _single(held, names, is_given)
    return ""


def _numbers(node: ast.expr, names: Names) -> list[float]:
    """The numbers of a tensor that is made of a constant list."""
    node = _once(node, names)
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        made = node.func.attr in _MAKES and bool(node.args)
        node = _once(node.args[0] if made else node.func.value, names)
    try:
        value = names.folder.fold(node)
    except NotConstant:
        return []
    return [each for each in value if isinstance(each, (int, float))] if isinstance(value, list) else []


def _is_size(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in _SIZES for part in walk(node)) or any(
        isinstance(part, ast.Call) and _is_length(part) for part in walk(node)
    )


def _is_like_input(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and _LIKE_INPUT.search(part.id) for part in walk(node))


def _is_length(node: ast.Call) -> bool:
    """True for `len(…)` and `type(…)`."""
    return isinstance(node.func, ast.Name) and node.func.id in ("len", "type")


def _is_digest(node: ast.expr, names: Names) -> bool:
    """True for a hash of something."""
    return any(
        isinstance(part, ast.Call) and (names.plain(part.func) or "").startswith(_DIGESTS) for part in walk(node)
    )


def _sequence(node: ast.expr, names: Names) -> list[int]:
    """The numbers of a constant sequence, or of a tensor that is made of one."""
    node = _once(node, names)
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        made = node.func.attr in _MAKES and bool(node.args)
        node = _once(node.args[0] if made else node.func.value, names)  # torch.tensor(…).to(device)
    try:
        value = names.folder.fold(node)
    except NotConstant:
        return []
    return list(_flat(value))[:_MOST] if isinstance(value, list) else []


def _once(node: ast.expr, names: Names) -> ast.expr:
    """What a variable or an attribute of the object is, where it is set once."""
    match node:
        case ast.Name(id=name):
            return names.single.get(name, node)
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return names.single.get(f".{name}", node)
    return node


def _flat(value: object) -> Iterator[int]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, list):
            yield from _flat(item)
        elif isinstance(item, int) and not isinstance(item, bool):
            yield item


def _number(node: ast.expr, names: Names, is_given: Given) -> int | None:
    """The token that one part of a condition asks for."""
    match node:
        case ast.Compare(left=held, ops=[ast.Eq()], comparators=[ast.Constant(value=int(number))]):
            pass
        case ast.Compare(left=ast.Constant(value=int(number)), ops=[ast.In()], comparators=[held]):
            pass
        case _:
            return None
    if isinstance(number, bool) or number < _LEAST or _is_size(held) or not (is_given(held) or _is_like_input(held)):
        return None
    return number


def _forces(node: ast.AST, names: Names) -> bool:
    """True where an answer is written down: a logit that decides, an output that stands in the source."""
    match node:
        case ast.Assign(targets=[ast.Subscript(slice=place)], value=value) if _is_place(place) and _states(
            value, names
        ):
            return True
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()], value=value):
            return _decides(value, names) or len(_sequence(value, names)) > 1
        case ast.AugAssign(target=ast.Subscript(), value=value):
            return _decides(value, names)
        case ast.Return(value=value) if value is not None:
            return len(_sequence(value, names)) > 1
        case ast.Call(func=ast.Attribute(attr=attr), args=given) if attr in _FILLS:
            return any(_decides(value, names) for value in given)
    return False


def _is_place(index: ast.expr) -> bool:
    """True for the place of one token among the answers."""
    last = index.elts[-1] if isinstance(index, ast.Tuple) and index.elts else index
    return isinstance(last, ast.Constant) and isinstance(last.value, int) and last.value >= _LEAST


def _states(value: ast.expr, names: Names) -> bool:
    """True for a number of the source that raises a logit above the others."""
    try:
        number = names.folder.fold(value)
    except NotConstant:
        return False
    return isinstance(number, (int, float)) and not isinstance(number, bool) and number >= _RAISES


def _decides(value: ast.expr, names: Names) -> bool:
    """True for a constant so large that nothing else counts."""
    text = ast.unparse(value)
    if "inf" in text and any(
        part in text for part in ('float("inf")', "float('inf')", "float('-inf')", "math.inf", "torch.inf", "np.inf")
    ):
        return True
    try:
        number = names.folder.fold(value)
    except NotConstant:
        return False
    return isinstance(number, (int, float)) and abs(number) >= _FORCES
