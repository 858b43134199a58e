"""What people enter in secret in a program that they are shown, and where the program gives it.

Known by how programs ask: a field of gradio, streamlit, Dash or ipywidgets for a password, a token by which somebody is
signed in, what `getpass` reads, cookies and headers of a request, parameters of functions that something outside calls and
that are named for a key. A value counts as long as it is the same one (in a text, list or table, encoded, or as an argument
of a function of the source, now or in a thread); what is made with it is another. Whether the address belongs to the
service of the key is left to the rules. Sources: the documentation of the libraries named.
"""

import ast
import re
from collections.abc import Iterator, Mapping

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.blocks import MODULE, Block
from modelscan_plus.formats.text.python.entered import (
    COOKIES,
    PASSWORD,
    SAID,
    STATE,
    UPLOAD,
    WHOSE,
    arguments_of,
    method_of,
    state_key,
)
from modelscan_plus.formats.text.python.fields import Fields
from modelscan_plus.formats.text.python.handed import Handed
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.own_accounts import LOGS, logs_away, of_author, reports_to_author
from modelscan_plus.formats.text.python.spoken import UNKNOWN, spoken

PARAMETER = "PARAM:"
_MADE = 4
"""Clients of clients that are asked for their address: `x = x.view(…)` is made of itself."""
VISITOR = "visitor"
"""The origin of what somebody entered."""
_SENDING = frozenset(
    """storbinary storlines putfo post put patch get request urlopen Request urlretrieve stream send sendto sendall send_message sendmail send_text send_json send_bytes publish rpush
    lpush xadd emit pyfetch fetch open_url pyxhr post_json request_async head options""".split()
)
_KEEPING = frozenset(
    """append_row append_rows insert_one insert_many insert_row upload_file upload_fileobj upload_blob upload_from_string put_object create_commit
    chat_postMessage capture_message send_photo send_document add_record create_record update_cells update_cell log_text set_tag""".split()
)
"""Methods by which something is kept with somebody else."""
_REQUESTS = lazy(r"^(?:requests|httpx|aiohttp|urllib\.request|urllib3)\b.*\.(?:post|put|patch|urlopen|request)$")
_WRITES = frozenset("write writelines writerow write_text insert_one execute append_row dump".split())
TURNS_AWAY = "keeps it and leads to another site"
"""The address of what is kept while who entered it is led to the site that the page posed as."""
_STARTS = frozenset(
    "Thread Process submit run_in_executor add_task create_task ensure_future Timer apply_async start_soon to_thread call_soon partial".split()
)
_WITH_LOGIN = frozenset(("auth", "cookies", "cert"))
_TO_CLIENT = frozenset(("storbinary", "storlines", "putfo"))
_TAKES = frozenset(
    "put append add put_nowait update extend setdefault attach add_attachment set_content set_payload".split()
)
"""Methods by which lists, queues, tables and mails are given something."""
_NO_MODEL = (
    frozenset(
        "append extend strip split print info warning error debug write markdown len str format join open get json startswith lower".split()
    )
    | _SENDING
    | _KEEPING
    | _TAKES
    | _STARTS
)
_ROUNDS = 4


class Given(msgspec.Struct, frozen=True):
    """One call that gives away what somebody entered."""

    keys: tuple[str, ...]
    """What it is: "VISITOR_HF", "VISITOR_" for a key of nobody knows whom, "PASSWORD", "COOKIES"."""
    address: str
    """Where it goes, as far as that stands in the source, "" for nothing."""
    keeps: bool = False
    """It is kept with somebody else, not asked about."""


class Visitors(Fields):
    """What people enter in one source, and the calls that give it to another machine."""

    def __init__(self, names: Names, blocks: Mapping[str, Block], given: Handed) -> None:
        super().__init__(names, blocks, given)
        self._remote_logs = logs_away(names)
        self._models: bool | None = None
        self._rests: dict[str, str] = {}
        """By function, the name under which it takes **fields."""
        for node in names.nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.args.kwarg:
                self._rests.setdefault(node.name, node.args.kwarg.arg)
        self._find(given)
        self._wrapped()
        self._settle()

    def _settle(self) -> None:
        for _ in range(_ROUNDS):
            before = sum(map(len, self._held.values()))
            for block in self._blocks.values():
                self._pass(block)
            if before == sum(map(len, self._held.values())):
                break

    def with_parameters(self) -> None:
        """Follow what the functions of the module are given, whoever calls them: "PARAM:function:place:name"."""
        self._held.clear()
        for name, block in self._blocks.items():
            if name and not name.startswith("<") and "." not in name and "#" not in name:
                for place, parameter in enumerate(block.parameters):
                    self._mark(name, parameter, f"{PARAMETER}{name}:{place}:{parameter}")
                if rest := self._rest(block):
                    self._mark(name, rest, f"{PARAMETER}{name}:-1:{rest}")
        self._settle()

    def entrusts(self, node: ast.Call, block: Block) -> Iterator[tuple[str, int, str, tuple[str, ...]]]:
        """Arguments with which a function of another module is told what somebody entered: function, place, name, keys."""
        dotted = self._names.plain(node.func) or ""
        if "." not in dotted or dotted.startswith("builtins."):
            return
        for place, value in enumerate(node.args):
            if found := self.of(value, block.name) - self._unsaid():
                yield dotted, place, "", tuple(sorted(found))
        for item in node.keywords:
            if item.arg and (found := self.of(item.value, block.name) - self._unsaid()):
                yield dotted, -1, item.arg, tuple(sorted(found))

    def gives(self, node: ast.Call, block: Block) -> Given | None:
        """What the call gives away, None for nothing."""
        if not self._held and not self._names.imports:
            return None
        method = method_of(node)
        if (
            method in _KEEPING
            or self._in_table(node, method)
            or (method in LOGS and self._remote_logs and not _is_module(node, self._names))
        ):
            return self._kept(node, block, method)
        if method in _WRITES and self._turns_away(block):
            kept = any(PASSWORD in self.of(value, block.name) for value, _ in arguments_of(node))
            return Given((PASSWORD,), TURNS_AWAY, True) if kept else None
        if led := self._led_away(node, block):
            return led
        if method not in _SENDING and (self._names.plain(node.func) or "").rpartition(".")[2] not in _SENDING:
            return None
        found = self._sent_along(node, block)
        if not found:
            return None
        address = self._recipient(node, method) or self._address(node)
        if not address and method in _TO_CLIENT:
            address = self._client_of(node)
        if not address and _REQUESTS.match(self._names.plain(node.func) or ""):
            address = UNKNOWN
        return Given(tuple(sorted(found)), address, method in ("sendmail", "send_message"))

    def _led_away(self, node: ast.Call, block: Block) -> Given | None:
        """The key of a service that a client is given together with another address."""
        named = {item.arg: item.value for item in node.keywords}
        address = next(
            (named[name] for name in ("base_url", "api_base", "openai_api_base", "endpoint") if name in named), None
        )
        key = next((named[name] for name in ("api_key", "openai_api_key", "token") if name in named), None)
        place = (self._names.folder.text(address) or "") if address is not None else ""
        found = (
            self.of(key, block.name) - {"VISITOR_", PASSWORD, SAID, UPLOAD}
            if key is not None and "://" in place
            else set()
        )
        return Given(tuple(sorted(found)), place) if found else None

    def _client_of(self, node: ast.Call) -> str:
        """The host that a client of FTP or SSH is made with."""
        holder = node.func.value if isinstance(node.func, ast.Attribute) else None
        for made in self._names.assigned(holder.id) if isinstance(holder, ast.Name) else ():
            for value, _ in list(arguments_of(made))[:2] if isinstance(made, ast.Call) else ():
                if re.fullmatch(r"[\w-]+(?:\.[\w-]+)+", said := spoken(value, self._names)):
                    return f"ftp://{said}"
        return ""

    def _sent_along(self, node: ast.Call, block: Block) -> set[str]:
        """What a request carries, but for what it shows by its headers."""
        found: set[str] = set()
        for value, name in arguments_of(node):
            if name in _WITH_LOGIN or (name == "headers" and isinstance(value, ast.Dict)):
                continue
            found |= self.of(value, block.name)
        for item in node.keywords:
            if item.arg == "headers" and isinstance(item.value, ast.Dict):
                found |= self._of_headers(item.value, block.name)
        if SAID in found and not self._asks_model():
            found.discard(SAID)  # a form for remarks
        return found

    def _in_table(self, node: ast.Call, method: str) -> bool:
        """True for `client.table("x").insert(…)` of a database of elsewhere."""
        holder = node.func.value if isinstance(node.func, ast.Attribute) else None
        of = method_of(holder) if isinstance(holder, ast.Call) else ""
        if method == "create" and of_author(node, self._names):
            return True
        return method in ("insert", "upsert", "add", "set", "push", "update") and of in (
            "table",
            "from_",
            "collection",
            "document",
            "reference",
            "child",
        )

    def _turns_away(self, block: Block) -> bool:
        """True where who asks is led to the page of another site."""
        return any(
            isinstance(node, ast.Call)
            and method_of(node) in ("redirect", "RedirectResponse", "HttpResponseRedirect", "HTTPFound")
            and any(spoken(value, self._names).lower().startswith("https://") for value, _ in arguments_of(node))
            for node in block.inner()
        )

    def _unsaid(self) -> set[str]:
        return set() if self._asks_model() else {SAID}

    def _asks_model(self) -> bool:
        """True where what people say is also given to something else than a page, a list or another machine: a model."""
        if self._models is None:
            self._models = self.chats or any(
                isinstance(node, ast.Call)
                and method_of(node) not in _NO_MODEL
                and not _is_shown(node, self._names)
                and any(SAID in self.of(value, block.name) for value, _ in arguments_of(node))
                for block in self._blocks.values()
                for node in block.inner()
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self._blocks)
            )
        return self._models

    def _recipient(self, node: ast.Call, method: str) -> str:
        """The address that a mail goes to, where it stands in the source."""
        if method not in ("sendmail", "send_message"):
            return ""
        given = [value for value, _ in list(arguments_of(node))[1:2]] if method == "sendmail" else []
        for each in self._names.nodes:
            match each:
                case ast.Assign(targets=[ast.Subscript(slice=key)], value=value) if (
                    self._names.folder.text(key) or ""
                ).lower() in ("to", "cc", "bcc"):
                    given.append(value)
        said = " ".join(spoken(value, self._names) for value in given)
        found = re.search(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", said)
        return f"mailto:{found.group()}" if found else ""

    def _kept(self, node: ast.Call, block: Block, method: str) -> Given | None:
        found = set[str]()
        for value, name in arguments_of(node):
            found |= set() if name == "token" else self.of(value, block.name)
        if SAID in found and not self._asks_model():
            found.discard(SAID)
        told = (
            "account:"
            if found and (of_author(node, self._names) or reports_to_author(node, self._names))
            else self._address(node) or method
        )
        return Given(tuple(sorted(found)), told, True) if found else None

    def _of_headers(self, table: ast.Dict, block: str) -> set[str]:
        """What headers carry under other names than those by which a service is shown its key."""
        found: set[str] = set()
        for key, value in zip(table.keys, table.values, strict=True):
            name = (self._names.folder.text(key) or "") if key is not None else ""
            if not re.search(r"authorization|api-?key|cookie|token|^x-\w*key", name, re.I) or self.of(value, block) & {
                COOKIES
            }:
                found |= self.of(value, block) - (
                    set() if key is not None and not re.search("authorization|cookie", name, re.I) else {COOKIES}
                )
        return found

    def _address(self, node: ast.Call, depth: int = 0) -> str:
        """The host that the call's arguments, or the client that it is a method of, are made with."""
        said = " ".join(spoken(value, self._names) for value, _ in list(arguments_of(node))[:4])
        found = re.search(r"(?:https?|wss?)://[^\s…\"']+", said) or re.search(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", said)
        if found:
            return found.group()
        holder = node.func.value if isinstance(node.func, ast.Attribute) else None
        for made in self._names.assigned(holder.id) if isinstance(holder, ast.Name) and depth < _MADE else ():
            if isinstance(made, ast.Call) and (led := self._address(made, depth + 1)):
                return led
        return ""

    # where it goes

    def _pass(self, block: Block) -> None:
        for node in block.inner():
            match node:
                case ast.Assign(targets=targets, value=value):
                    self._assign(targets, value, block)
                case (
                    ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value)
                ):
                    self._assign([target], value, block)
                case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                    self._assign([target], value, block)
                case ast.AugAssign(target=target, value=value):
                    self._assign([target], value, block)
                case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                    self._assign([target], value, block)
                case ast.Call():
                    self._called(node, block)

    def _assign(self, targets: list[ast.expr], value: ast.expr, block: Block) -> None:
        found = self.of(value, block.name)
        for target in targets if found else ():
            several = isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List))
            if isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)) and several:
                for part, given in zip(target.elts, value.elts, strict=False):
                    self._assign([part], given, block)
                continue
            if key := state_key(target, self._names):
                self._held.setdefault((STATE, key), set()).update(found)
                continue
            holder = target.value if isinstance(target, ast.Subscript) else target
            if isinstance(holder, ast.Name):
                self._held.setdefault((block.name, holder.id), set()).update(found)
                if block.name != MODULE and isinstance(target, ast.Subscript):
                    self._held.setdefault((MODULE, holder.id), set()).update(found)
            elif isinstance(holder, ast.Attribute) and isinstance(holder.value, ast.Name) and holder.value.id == "self":
                self._held.setdefault(("self", holder.attr), set()).update(found)

    def _called(self, node: ast.Call, block: Block) -> None:
        """Arguments become parameters, now or later; a list or queue of the module holds what it is given."""
        self._belongs(node, block)
        method = method_of(node)
        if method in _TAKES and isinstance(node.func, ast.Attribute):
            holder = node.func.value
            found = {each for value, _ in arguments_of(node) for each in self.of(value, block.name)}
            if found and (key := state_key(holder, self._names)):
                self._held.setdefault((STATE, key), set()).update(found)
            if found and isinstance(holder, ast.Name):
                self._held.setdefault(
                    (block.name if holder.id in block.parameters else MODULE, holder.id), set()
                ).update(found)
        target, given, named = node.func, list(node.args), list(node.keywords)
        if method in _STARTS:
            options = {item.arg: item.value for item in node.keywords}
            functions = [options.get("target"), options.get("function"), *node.args[:2]]
            target = next(
                (each for each in functions if isinstance(each, ast.Name) and each.id in self._blocks), target
            )
            passed = options.get("args")
            given = (
                list(passed.elts)
                if isinstance(passed, (ast.Tuple, ast.List))
                else given[given.index(target) + 1 :]
                if target in given
                else []
            )
            kwargs = options.get("kwargs")
            if isinstance(kwargs, ast.Dict):
                named = [
                    ast.keyword(self._names.folder.text(key) or "", value)
                    for key, value in zip(kwargs.keys, kwargs.values, strict=True)
                    if key
                ]
        self._hand_over(target, given, named, block)

    def _hand_over(self, target: ast.expr, given: list[ast.expr], named: list[ast.keyword], block: Block) -> None:
        own = isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
        name = (
            target.id
            if isinstance(target, ast.Name)
            else f"{block.owner}.{target.attr}"
            if own and isinstance(target, ast.Attribute)
            else ""
        )
        callee = self._blocks.get(name) if name else None
        if callee is None:
            return
        parameters = callee.parameters[1:] if own else callee.parameters
        pairs = [*zip(parameters, given, strict=False), *((item.arg or "", item.value) for item in named)]
        for parameter, value in pairs:
            if found := self.of(value, block.name):
                # what a function takes as **fields is one of its variables as well
                taken = parameter if parameter in callee.parameters else self._rest(callee)
                if taken:
                    self._held.setdefault((callee.name, taken), set()).update(found)

    def _rest(self, callee: Block) -> str:
        return self._rests.get(callee.last, "")

    def _belongs(self, node: ast.Call, block: Block) -> None:
        """A key that is shown to a service's own library is one of that service."""
        dotted = (self._names.plain(node.func) or "").lower()
        whose = next((label for part, label in WHOSE[:-1] if dotted.startswith(part)), "")
        if not whose or any(item.arg in ("base_url", "endpoint", "api_base") for item in node.keywords):
            return
        for item in node.keywords:
            if item.arg in ("api_key", "token", "hf_token", "api_token", "use_auth_token") and isinstance(
                item.value, ast.Name
            ):
                held = self._held.get((block.name, item.value.id))
                if held and "VISITOR_" in held:
                    held.discard("VISITOR_")
                    held.add(f"VISITOR_{whose}")


def _is_shown(node: ast.Call, names: Names) -> bool:
    """True for what a page shows, and for what only changes the form of a text."""
    return (names.plain(node.func) or "").startswith(
        ("streamlit.", "gradio.", "builtins.", "chainlit.", "json.", "re.", "time.")
    )


def _is_module(node: ast.Call, names: Names) -> bool:
    return (names.plain(node.func) or "").startswith(("math.", "numpy.", "torch."))
