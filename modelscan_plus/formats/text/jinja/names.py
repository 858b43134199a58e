"""Names that matter in a chat template, and which expressions stand for what somebody said."""

from jinja2 import nodes

CONTENT_KEYS = frozenset(
    "content text query prompt input question instruction user_message value reasoning_content grouper".split()
)
"""Keys under which a message holds what was said."""
CONTENT_NAMES = frozenset(
    "content text query prompt question instruction user_message user_input last_message system_message".split()
)
"""Variables that hold it in templates that do not take a list of messages."""
_MESSAGES = frozenset("messages message msg m conversation conversations chat history turn".split())
_TO_ANSWER = frozenset(
    """find rfind index rindex count startswith endswith isalpha isdigit isupper islower isascii isalnum isnumeric
    isspace istitle isdecimal isidentifier isprintable""".split()
)
"""Methods that answer a question about a text with a number, or yes or no."""
_TO_TEXT = frozenset("string tojson pprint urlize forceescape".split())

INTERNALS = frozenset(
    """mro func_globals func_code func_closure func_defaults gi_frame gi_code gi_yieldfrom cr_frame cr_code cr_origin
    ag_frame ag_code f_globals f_locals f_builtins f_back f_code tb_frame tb_next co_code co_consts im_func im_self
    im_class popen check_output getoutput import_module load_module urlopen""".split()
)
"""Attributes without underscores that lead from an object to code or to the interpreter."""
HELPERS = frozenset(
    """cycler joiner lipsum self request range dict namespace get_flashed_messages url_for raise_exception strftime_now
    caller super gettext ngettext""".split()
)
"""Functions and objects that Jinja or the renderer provides; templates call them and never look inside."""
OF_PAGES = frozenset(("request", "url_for", "get_flashed_messages"))
"""Those of them that pages of web programs look inside of, as they may."""
FUNCTIONS = frozenset(
    """range namespace raise_exception strftime_now tojson dict joiner cycler caller super loop gettext ngettext _
    lipsum from_json fromjson to_json""".split()
)
"""What a chat template may call."""
DANGEROUS_FUNCTIONS = frozenset(
    """open eval exec compile __import__ import os sys subprocess popen system getattr setattr globals locals vars dir
    input breakpoint builtins importlib help type object""".split()
)
ATTRIBUTE_FILTERS = frozenset("attr map selectattr rejectattr sum sort groupby unique min max dictsort join".split())


def attribute_kind(name: str) -> str | None:
    """ "internals", "private", or None for an ordinary attribute."""
    for part in name.split("."):
        if part.startswith("__") or part in INTERNALS:
            return "internals"
        if part.startswith("_") and len(part) > 1:
            return "private"
    return None


def is_content(node: nodes.Node | None, derived: frozenset[str] | set[str]) -> bool:
    """True when the expression stands for what was said: decided by the last key, so `content["type"]` does not."""
    for _ in range(200):
        if isinstance(node, nodes.Getattr):
            base = node.node.name if isinstance(node.node, nodes.Name) else ""
            if node.attr == "value" and base not in _MESSAGES:
                return f"{base}.value" in derived  # `counter.value` of a namespace is no message of ShareGPT
            return node.attr in CONTENT_KEYS or f"{base}.{node.attr}" in derived
        if isinstance(node, nodes.Name):
            return node.name in derived or node.name in CONTENT_NAMES
        if isinstance(node, nodes.Getitem):
            if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
                return node.arg.value in CONTENT_KEYS
            node = node.node
        elif isinstance(node, nodes.Filter):
            if _makes_content(node):
                return True
            node = node.node
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
            if node.node.attr in ("get", "pop") and node.args and isinstance(node.args[0], nodes.Const):
                return node.args[0].value in CONTENT_KEYS
            if node.node.attr in _TO_ANSWER:
                return False
            node = node.node.node
        else:
            return False
    return False


def _makes_content(node: nodes.Filter) -> bool:
    """True for a filter that turns whole messages into text."""
    if node.name in _TO_TEXT:
        return any(name.name in _MESSAGES for name in node.find_all(nodes.Name))
    return node.name == "map" and any(
        isinstance(item.value, nodes.Const) and item.value.value in CONTENT_KEYS for item in node.kwargs
    )


def says_content(node: nodes.Node | None, derived: frozenset[str] | set[str]) -> bool:
    """True when the expression, or a part that its value is made of, stands for what was said."""
    if node is None:
        return False
    if is_content(node, derived):
        return True
    if isinstance(node, (nodes.Getattr, nodes.Getitem)) or answers(node):
        return False
    if isinstance(node, nodes.Filter) and node.name in ("length", "count", "wordcount"):
        return False
    if isinstance(node, (nodes.Compare, nodes.Test, nodes.Not)):
        return False  # yes or no
    if isinstance(node, nodes.CondExpr):
        return says_content(node.expr1, derived) or says_content(node.expr2, derived)
    return any(says_content(child, derived) for child in node.iter_child_nodes())


def answers(node: nodes.Node) -> bool:
    """True for a call that asks something about a text."""
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr in _TO_ANSWER
