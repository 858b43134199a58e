"""Clients of services that are made with an account which stands in the source, and so is its author's."""

import ast
import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.entered import arguments_of
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.spoken import spoken

_WITH_PASSWORD = lazy(r"^[a-z][a-z0-9+.-]{1,20}://[^\s/:@$<{]{1,100}:[^\s/@$<{]{1,200}@[\w-]+(?:\.[\w-]+)+")
_LIKE_KEY = lazy(
    r"^(?:pat[A-Za-z0-9]{14}\.[0-9a-f]{32,}|xox[abp]-[\w-]{20,}|secret_[A-Za-z0-9]{30,}|ntn_[A-Za-z0-9]{30,}|ghp_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,})$"
)
"""Keys of Airtable, Slack, Notion, GitHub and the hub."""
_KEYS = frozenset("aws_secret_access_key secret_key api_key supabase_key service_account_info token key".split())
_DEEPEST = 8
_SHORTEST = 16
"""Letters of a key; placeholders are shorter."""


def of_author(node: ast.expr, names: Names, depth: int = 0) -> bool:
    """True for a client, or a method of one, made with keys or an address with a password that stand in the source."""
    if depth > _DEEPEST:
        return False
    match node:
        case ast.Call():
            texts = [(name, names.folder.text(value) or "") for value, name in arguments_of(node)]
            made = any(
                _WITH_PASSWORD.match(text) or _LIKE_KEY.match(text) or (name in _KEYS and len(text) >= _SHORTEST)
                for name, text in texts
            )
            return made or of_author(node.func, names, depth + 1)
        case ast.Attribute(value=value) | ast.Subscript(value=value):
            return of_author(value, names, depth + 1)
        case ast.Name(id=name):
            return any(of_author(made, names, depth + 4) for made in names.assigned(name))
    return False


LOGS = frozenset("info debug warning error critical exception log".split())
_AWAY = (
    "logging.handlers.HTTPHandler",
    "logging.handlers.SysLogHandler",
    "logging.handlers.SocketHandler",
    "logging.handlers.DatagramHandler",
    "logging.handlers.SMTPHandler",
)


def logs_away(names: Names) -> bool:
    """True where a log is told to another machine."""
    for node in names.nodes:
        if isinstance(node, ast.Call) and (names.plain(node.func) or "").startswith(_AWAY):
            said = " ".join(spoken(value, names) for value, _ in arguments_of(node))
            if re.search(r"\b[\w-]+\.[\w.-]+", said) and not re.search(r"localhost|127\.0\.0\.1|/dev/log", said):
                return True
    return False


def reports_to_author(node: ast.Call, names: Names) -> bool:
    """True for a report of Sentry, or an entry of Firebase, in a source that says by a constant whose account it goes to."""
    dotted = ast.unparse(node.func)[:200] if names.plain(node.func) is None else names.plain(node.func) or ""
    of_firebase = dotted.startswith(("db.reference", "firebase_admin.", "firestore."))
    if not of_firebase and not dotted.startswith("sentry_sdk."):
        return False
    makers = ("firebase_admin.initialize_app",) if of_firebase else ("sentry_sdk.init",)
    made = (each for each in names.nodes if isinstance(each, ast.Call) and names.plain(each.func) in makers)
    texts = (
        part
        for each in made
        for value, _ in arguments_of(each)
        for part in ast.walk(value)
        if isinstance(part, ast.expr)
    )
    return any("://" in (names.folder.text(part) or "") for part in texts)
