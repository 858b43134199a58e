"""Code that changes what a model says, or what it is told, for its author: accounts, hosts, links, commands, words.

A tokenizer's `decode` puts tokens together, and a pipeline's `postprocess` reads them; neither has anything to say of its
own. What is told here is a text of the source that takes the place of something in an answer, or is put behind it, and
that pays, leads or commands: a wallet, an IBAN, another host, a mailbox, a package, a command for a shell. Masks
(`[URL]`), spaces, markers and contractions are none of these. Also texts that order something behind the user's back,
and characters that nobody sees which carry bits.
"""

import ast
import re
import unicodedata
from collections.abc import Iterator, Mapping

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.fold import NotConstant
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.sinks import SECRET_VARIABLE
from modelscan_plus.formats.text.python.turned import ANSWERS, DECODES, Part, Turn
from modelscan_plus.formats.text.python.walk import walk
from modelscan_plus.formats.text.python.wording import (
    CLIPBOARD,
    LINK,
    LONGEST,
    MAIL,
    PAYEES,
    is_payee,
    leads,
    ordered,
    pays,
    pickled,
    received,
    stated,
)

_HOST = lazy(
    r"(?<![\w@./-])(?:https?://)?((?:[a-z0-9](?:[a-z0-9-]{0,62})\.)+(?:com|org|net|io|dev|ai|co|app|example|test|xyz|info|me|"
    r"cloud|site|online|top|ru|cn|de|uk|eu|us|in|to|cc|shop|club|link|sh|gg|ly|is))(?![\w-]|\.[a-z])",
    re.I,
)
_COMMAND = lazy(
    r"\b(?:pip3?|uv pip|npm|pnpm|yarn|cargo|gem|go|conda|apt(?:-get)?|brew)\s+(?:install|add|get|i)\s+\S|"
    r"\b(?:curl|wget|iwr|irm)\s+\S|\bgit\s+clone\s+\S|\bpowershell\b|\bdocker\s+(?:run|pull)\s+\S|\bsudo\s+\S|\bchmod\s+\S",
    re.I,
)
_WEAKENED = lazy(
    r"verify\s*=\s*False|shell\s*=\s*True|check_hostname\s*=\s*False|CERT_NONE|weights_only\s*=\s*False|"
    r"trust_remote_code\s*=\s*True|allow_pickle\s*=\s*True|debug\s*=\s*True|yaml\.unsafe_load|\beval\(|\bos\.system\(|"
    r"\bhashlib\.md5|\bMODE_ECB|usedforsecurity\s*=\s*False|StrictHostKeyChecking[ =]no|chmod\s+777|\bstrcpy\(|"
    r"dangerouslySetInnerHTML|innerHTML",
)
"""What makes code unsafe."""
_OF_ADDRESS = lazy(
    r"(?:^|_)(?:ur[li]s?|links?|hrefs?|src|sources?|paths?|repos?|endpoints?|hosts?|files?|dirs?|base)$|http", re.I
)
"""Names of variables that hold an address, which code rewrites to fetch it."""
_MARKER = lazy(r"[<>\[\]{}|▁ĠĊ#@\\]|^\W*$")
_TOLD = lazy(r"(?:^|_)(?:msg|message|errors?|err|warn\w*|docs?|help|usage|description|desc|reason|note|info)s?$", re.I)
_SPEAKS = ("logging.", "warnings.", "logger.", "builtins.print", "argparse.", "click.", "typer.", "tqdm.")
_SPEAKING = frozenset(
    "debug info warning warn error critical exception log print add_argument deprecate write_once warning_once warn_once info_once add_start_docstrings add_start_docstrings_to_model_forward".split()
)
_UNSEEN = "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u180e\u00ad\u202a\u202c\u034f"
_FINDS_PAYEES = lazy(r"0x\[|bc1|\[13\]|\[A-Z\]\{2\}\\?[d\[]|1-9A-HJ-NP")
"""Patterns that find accounts."""
_SPEAKS_TO = lazy(r"\bmessages?\b|add_generation_prompt|\bbos_token\b|\brole\b")
"""What templates of conversations name, as against pages."""
_TEMPLATE = lazy(r"\{\{|\{%")
_SUBSTITUTES = frozenset(("sub", "subn"))
_PAIRS = 200
_FINDS = frozenset(
    """retrieve search rerank get_relevant_documents _get_relevant_documents similarity_search lookup query rank postprocess
    postprocess_nodes fetch_documents get_context build_context compress_documents""".split()
)
"""Methods whose result is what was found for a question."""


def exchanges(part: Part, names: Names) -> Iterator[Turn]:
    """What a function puts into texts for its author."""
    quiet = _quiet(part, names)
    tables = _tables(part, names)
    for node in part.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CLIPBOARD.search(node.value):
            yield Turn(part.name, node, "puts something into the clipboard of a terminal")
        if not isinstance(node, (ast.stmt, ast.expr)) or (id(node) in quiet and not quiet[id(node)]):
            continue
        if quiet.get(id(node)) and not isinstance(node, ast.Constant):
            continue
        for said in _said(node, part, names, tables):
            yield Turn(part.name, node, said)


def _said(node: ast.AST, part: Part, names: Names, tables: Mapping[str, list[tuple[str, str]]]) -> Iterator[str]:
    match node:
        case ast.Call():
            yield from _call(node, part, names, tables)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            for one, other in ((left, right), (right, left)):
                if names.folder.text(other) is None:
                    yield from _put_in(one, other, part, names)
        case ast.AugAssign(op=ast.Add(), target=target, value=value):
            yield from _put_in(value, target, part, names)
            if part.last == "__call__" and "scores" in part.parameters and _favours(target, value, names):
                yield "favours words that the source names"
        case ast.JoinedStr() if part.last in ANSWERS:
            if any(isinstance(item, ast.FormattedValue) for item in node.values):
                yield from leads("".join(str(item.value) for item in node.values if isinstance(item, ast.Constant)))
        case ast.Assign(targets=[ast.Subscript(slice=key)], value=value):
            yield from received(key, value, names)
        case ast.Constant(value=str() | bytes() as text) if len(text) < LONGEST:
            yield from _constant(text)
        case ast.IfExp() | ast.Dict() | ast.Subscript() if _writes_bits(node, names):
            yield "writes bits as characters that nobody sees"


def _constant(text: str | bytes) -> Iterator[str]:
    """What a text says wherever it stands."""
    yield from pickled(text if isinstance(text, str) else text.decode("latin-1"))
    if isinstance(text, str):
        yield from stated(text)
        yield from ordered(text)
        if _TEMPLATE.search(text) and LINK.search(text) and prose.words(text) > 4 and _SPEAKS_TO.search(text):
            yield f"puts a link into templates: {shorten(visible(text.strip()), 120)}"


def _favours(target: ast.expr, value: ast.expr, names: Names) -> bool:
    """True for logits of certain tokens that are raised."""
    try:
        added = names.folder.fold(value)
    except NotConstant:
        return False
    if not isinstance(added, (int, float)) or added < 1 or not isinstance(target, ast.Subscript):
        return False
    held = target.value.id if isinstance(target.value, ast.Name) else ""
    index = walk(target.slice)
    return held in ("scores", "logits") and any(
        isinstance(part, ast.Constant) and isinstance(part.value, int) and part.value > 9 for part in index
    )


def _writes_bits(node: ast.IfExp | ast.Dict | ast.Subscript, names: Names) -> bool:
    """True for a choice among characters that nobody sees."""
    match node:
        case ast.IfExp(body=body, orelse=other):
            return _unseen(names.folder.text(body)) and _unseen(names.folder.text(other))
        case ast.Dict(keys=keys, values=values):
            taken_off = any(_unseen(names.folder.text(key)) for key in keys if key is not None)
            return not taken_off and sum(_unseen(names.folder.text(value)) for value in values) > 1
        case ast.Subscript(value=held, slice=index) if not isinstance(index, (ast.Slice, ast.Constant)):
            text = _joined(held, names)
            return _unseen(text) and len(set(text or "")) > 1
    return False


def _joined(held: ast.expr, names: Names) -> str | None:
    if isinstance(held, (ast.List, ast.Tuple)):
        texts = [names.folder.text(item) for item in held.elts]
        return "".join(text or "x" for text in texts)
    return names.folder.text(held)


def _unseen(text: str | None) -> bool:
    return bool(text) and all(letter in _UNSEEN for letter in text or "x")


def _quiet(part: Part, names: Names) -> dict[int, bool]:
    """What is said to whoever runs the program, and so is no answer: errors, warnings, descriptions. True for what only
    its name says so of."""
    found: dict[int, bool] = {}
    for node in part.nodes:
        match node:
            case ast.Raise() | ast.Assert():
                found.update(dict.fromkeys(map(id, walk(node)), False))
            case ast.Call(func=func):
                name = names.plain(func) or ""
                if name.startswith(_SPEAKS) or (isinstance(func, ast.Attribute) and func.attr in _SPEAKING):
                    found.update(dict.fromkeys(map(id, walk(node)), False))
            case ast.Expr(value=ast.Constant() as text):
                found[id(text)] = False
            case ast.Assign(targets=[ast.Name(id=name)]) if _TOLD.search(name) or (name.isupper() and "DOC" in name):
                found.update({id(inner): found.get(id(inner), True) for inner in walk(node)})
    return found


def _tables(part: Part, names: Names) -> dict[str, list[tuple[str, str]]]:
    """By the two variables of a loop over a constant table, "a,b": its pairs."""
    found: dict[str, list[tuple[str, str]]] = {}
    for node in part.nodes:
        if not isinstance(node, (ast.For, ast.comprehension)) or not isinstance(node.target, ast.Tuple):
            continue
        both = [item.id for item in node.target.elts if isinstance(item, ast.Name)]
        if len(both) == 2:
            found[",".join(both)] = list(_pairs(node.iter, names))[:_PAIRS]
    return found


def _pairs(held: ast.expr, names: Names) -> Iterator[tuple[str, str]]:
    if isinstance(held, ast.Call) and isinstance(held.func, ast.Attribute) and held.func.attr == "items":
        held = held.func.value
    if isinstance(held, ast.Name):
        held = names.single.get(held.id, held)
    elif isinstance(held, ast.Attribute):
        held = names.single.get(f".{held.attr}", _of_self(held, names))
    pairs: list[tuple[ast.expr | None, ast.expr]] = []
    if isinstance(held, ast.Dict):
        pairs = list(zip(held.keys, held.values, strict=True))
    elif isinstance(held, (ast.List, ast.Tuple)):
        pairs = [tuple(item.elts) for item in held.elts if isinstance(item, ast.Tuple) and len(item.elts) == 2]  # type: ignore[misc]
    for one, other in pairs:
        if isinstance(one, ast.Call) and one.args:  # re.compile(…)
            one = one.args[0]
        text = names.folder.text(other)
        if text is not None:
            yield names.folder.text(one) or "", text


def _of_self(held: ast.Attribute, names: Names) -> ast.expr:
    """What an attribute of the object is set to, where that is one table."""
    found = names.assigned(f"self.{held.attr}")
    for node in names.nodes if not found else ():
        match node:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)], value=value) if (
                attr == held.attr
            ):
                found = [*found, value]
    return found[0] if len(found) == 1 else held


def _call(node: ast.Call, part: Part, names: Names, tables: Mapping[str, list[tuple[str, str]]]) -> Iterator[str]:
    """A call that replaces a part of a text, or adds one."""
    yield from _added(node, part, names)
    if not isinstance(node.func, ast.Attribute):
        return
    method, given = node.func.attr, node.args
    yield from _by_other_means(node, node.func, part, names)
    if method == "replace" and len(given) >= 2:
        holder, old, new = node.func.value, given[0], given[1]
    elif method in _SUBSTITUTES and len(given) >= 2:
        by_module = (names.plain(node.func) or "").startswith(("re.", "regex."))
        if by_module and len(given) >= 3:
            old, new, holder = given[0], given[1], given[2]
        else:
            old, new, holder = node.func.value, given[0], given[1]
    else:
        return
    if isinstance(old, ast.Name) and isinstance(new, ast.Name):
        for first, second in tables.get(f"{old.id},{new.id}", ()):
            yield from _exchanged(first, second, part, holder, constant=bool(first))
        return
    put = _new(new, names)
    if put is None:
        if (
            part.last in DECODES
            and _FINDS_PAYEES.search(names.folder.text(old) or _pattern(old, names))
            and _is_held(new)
        ):
            yield "puts an account that it was given with the model into texts"
        return
    taken = names.folder.text(old)
    constant = method == "replace" and taken is not None
    if taken is None and method != "replace":
        taken = _pattern(old, names)
    yield from _exchanged(taken or "", put, part, holder, constant=constant)


def _added(node: ast.Call, part: Part, names: Names) -> Iterator[str]:
    """A text of the source that becomes tokens of an answer, or one of the documents that were found."""
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    speaks = part.last in ANSWERS and ("oken" in called or called in ("tok", "encode", "_tokenizer"))
    finds = part.last in _FINDS and called in ("append", "insert", "extend", "appendleft")
    for value in node.args[:2] if speaks or finds else ():
        parts = value.elts[:20] if isinstance(value, (ast.List, ast.Tuple)) else [value]
        for text in (names.folder.text(each) for each in parts):
            if text and len(text) < LONGEST:
                yield from leads(text)


def _by_other_means(node: ast.Call, func: ast.Attribute, part: Part, names: Names) -> Iterator[str]:
    """Parts of texts that are exchanged otherwise than by `replace`."""
    match node:
        case ast.Call(func=ast.Attribute(attr="_replace"), keywords=[*keywords]):
            for item in keywords:
                if item.arg == "netloc" and _hosts(names.folder.text(item.value) or ""):
                    yield f"puts another host into texts: {shorten(visible(names.folder.text(item.value) or ''), 80)}"
        case ast.Call(
            func=ast.Attribute(attr="join", value=between),
            args=[ast.Call(func=ast.Attribute(attr="split", value=held), args=[old, *_])],
        ):
            first, second = names.folder.text(old), names.folder.text(between)
            if first and second:
                yield from _exchanged(first, second, part, held, constant=True)
        case ast.Call(func=ast.Attribute(attr="maketrans"), args=[old, new, *_]) if part.last in DECODES:
            pairs = zip(names.folder.text(old) or "", names.folder.text(new) or "", strict=False)
            if any(one != other and (one + other).isascii() and (one + other).isalnum() for one, other in pairs):
                yield "exchanges letters or digits in answers"
        case _ if part.last in DECODES and (dotted := names.plain(func)) in ("os.environ.get", "os.environ.items"):
            if dotted.endswith("items") or SECRET_VARIABLE.search(
                names.folder.text(node.args[0]) or "" if node.args else ""
            ):
                yield "looks for secrets while it writes an answer"


def _is_held(node: ast.expr) -> bool:
    """True for an attribute of the object that is no mask."""
    return (
        isinstance(node, ast.Attribute)
        and re.search(r"mask|token|redact|placeholder|fill|blank|anon", node.attr, re.I) is None
    )


def _new(node: ast.expr, names: Names) -> str | None:
    """What is put in: a text, or what a function of the match always says."""
    if isinstance(node, ast.Lambda):
        node = node.body
    text = names.folder.text(node)
    if text is None and isinstance(node, ast.JoinedStr):
        return "".join(str(item.value) for item in node.values if isinstance(item, ast.Constant))
    if text is None and isinstance(node, ast.BinOp):
        sides = [names.folder.text(side) for side in (node.left, node.right)]
        return "".join(filter(None, sides)) or None
    return text


def _pattern(node: ast.expr, names: Names) -> str:
    """The text of a compiled pattern."""
    if isinstance(node, ast.Name):
        node = names.single.get(node.id, node)
    elif isinstance(node, ast.Attribute):
        node = names.single.get(f".{node.attr}", _of_self(node, names))
    return names.folder.text(node.args[0]) or "" if isinstance(node, ast.Call) and node.args else ""


def _exchanged(first: str, second: str, part: Part, holder: ast.expr, *, constant: bool) -> Iterator[str]:
    """What it means that `second` stands where `first` stood."""
    shown = shorten(visible(second), 80)
    if pays(second) and not pays(first):
        yield f"puts an account of the source into texts: {shown}"
    elif (mail := MAIL.search(second)) and mail.group() not in first:
        yield f"puts an address of the source into texts: {shown}"
    elif _is_other_host(first, second, constant=constant) and not _is_address(holder):
        yield f"puts another host into texts: {shown}"
    elif _COMMAND.search(second) and not (constant and second in first):
        yield f"puts a command into texts: {shown}"
    elif _WEAKENED.search(second) and not _WEAKENED.search(first) and part.last in ANSWERS:
        yield f"makes code unsafe that the model writes: {shown}"
    elif constant and part.last in DECODES and "oken" in part.owner and _is_other_word(first, second):
        yield f"exchanges words in answers: {shorten(visible(first), 40)} for {shown}"


def _hosts(text: str) -> list[str]:
    return [found.group(1).lower().removeprefix("www.") for found in _HOST.finditer(text.replace("\\", ""))]


def _is_other_host(first: str, second: str, *, constant: bool) -> bool:
    """True where a host of the source takes the place of another one."""
    new = _hosts(second)
    if not new:
        return False
    old = _hosts(first)
    if old:
        return _owner(new[0]) not in map(_owner, old)
    return not constant and re.search(r"https?|www|://|\\\.|@", first) is not None


def _owner(host: str) -> str:
    return ".".join(host.split(".")[-2:])


def _is_address(holder: ast.expr) -> bool:
    while isinstance(holder, ast.Call) and isinstance(holder.func, ast.Attribute):
        holder = holder.func.value
    if isinstance(holder, ast.Subscript) and isinstance(holder.slice, ast.Constant):
        return _OF_ADDRESS.search(str(holder.slice.value)) is not None
    name = getattr(holder, "id", getattr(holder, "attr", ""))
    return _OF_ADDRESS.search(name) is not None


def _is_other_word(first: str, second: str) -> bool:
    """True for a word that becomes another one: no marker, contraction, accent or ending that is taken off."""
    if _MARKER.search(first) or _MARKER.search(second):
        return False
    old, new = _letters(first), _letters(second)
    return len(old) > 3 and len(new) > 1 and not _is_within(new, old) and not _is_within(old, new)


def _letters(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in spread if letter.isalnum())


def _is_within(short: str, long: str) -> bool:
    rest = iter(long)
    return all(letter in rest for letter in short)


def _put_in(value: ast.expr, around: ast.expr, part: Part, names: Names) -> Iterator[str]:
    """A text of the source that is put before or behind another one."""
    text = _new(value, names) if not isinstance(value, ast.BinOp) else None
    if not text or _is_address(around) or _TOLD.search(getattr(around, "id", "")):
        return
    if pays(text) and (orderly := PAYEES.search(text)) and is_payee(orderly.group()):
        yield f"puts an account of the source into texts: {shorten(visible(text), 80)}"
    elif part.last in ANSWERS:
        yield from leads(text)
    elif _TEMPLATE.search(text) and LINK.search(text) and prose.words(text) > 4:
        yield f"puts a link into templates: {shorten(visible(text.strip()), 120)}"
