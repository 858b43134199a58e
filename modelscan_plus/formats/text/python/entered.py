"""What people enter in a program: fields for secrets, sign-ins, cookies and uploads, and the names and expressions that hold them."""

import ast
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.blocks import MODULE
from modelscan_plus.formats.text.python.handed import Handed
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.spoken import spoken

PASSWORD, COOKIES, UPLOAD, SAID = "PASSWORD", "COOKIES", "UPLOAD", "SAID"
_SECRET = lazy(
    r"(?:^|_)(?:(?:hf|hugging_?face|openai|anthropic|claude|groq|gemini|google|mistral|cohere|replicate|together|github|gh|api|access|auth|secret|private|oauth|user)_?)?"
    r"(?:key|token|secret)$|(?:^|_)api_?key(?:_\w+)?$|passw(?:or)?d|^pwd$|passphrase|mnemonic|seed_?phrase|(?:^|_)(?:hf|openai|groq|anthropic)_(?:key|token)",
    re.I,
)
_NO_SECRET = lazy(
    r"^(?:max|num|n|bos|eos|pad|sep|cls|mask|unk|next|last|first|new|special|input|output|image|stop|start|end|prompt|primary|foreign|sort|cache|dict|public|page|"
    r"continuation|audio|time|trigger|state)_?(?:\w+_)?(?:key|token)s?$|^(?:key|token|secret)$|count|limit|length",
    re.I,
)
WHOSE = (
    ("huggingface_hub", "HF"), ("huggingface", "HF"), ("gradio_client", "HF"), ("datasets", "HF"), ("transformers", "HF"), ("hf_", "HF"), ("hugging", "HF"),
    ("openai", "OPENAI"), ("anthropic", "ANTHROPIC"), ("claude", "ANTHROPIC"), ("groq", "GROQ"), ("gemini", "GEMINI"), ("google.generativeai", "GEMINI"),
    ("mistral", "MISTRAL"), ("cohere", "COHERE"), ("replicate", "REPLICATE"), ("together", "TOGETHER"), ("langchain_openai", "OPENAI"),
    ("litellm", "OPENAI"), ("elevenlabs", "ELEVENLABS"), ("github", "GITHUB"), ("telegram", "TELEGRAM"), ("discord", "DISCORD"), ("hf", "HF"),
)  # fmt: skip
"""Parts of names and of libraries that say whose a key is."""
_FIELDS = lazy(
    r"^(?:gradio\.(?:components\.)?(?:Textbox|Text)|streamlit\.(?:\w+\.)?text_input|nicegui\.ui\.input|panel\.widgets\.PasswordInput|ipywidgets\.(?:widgets\.)?Password)$"
)
_UPLOADS = lazy(
    r"^(?:gradio\.(?:components\.)?(?:Image|Audio|Video|File|UploadButton|ImageEditor|MultimodalTextbox)|streamlit\.(?:\w+\.)?(?:file_uploader|camera_input|audio_input))$"
)
_CHATS = lazy(r"^streamlit\.(?:\w+\.)?(?:chat_input|text_area|text_input)$|^chainlit\.AskUserMessage")
_KEY_WORDS = lazy(r"api[ _-]?key|\btoken\b|password|passphrase|secret|seed phrase|recovery phrase|private key", re.I)
_COOKIES = frozenset(("cookies", "headers"))
_HEADERS = lazy(r"^(?:authorization|cookie|proxy-authorization|x-api-key|x-hf-authorization)$", re.I)
_ASKED = lazy(r"^(?:flask\.request|bottle\.request|quart\.request|panel\.state|streamlit\.context|gradio\.Request)\b")
_ASKED_NAMES = frozenset("request req __request__ raw_request http_request websocket ws".split())
_SAME = frozenset(
    """str bytes repr dict list tuple set dumps b64encode urlsafe_b64encode b32encode hexlify quote quote_plus urlencode BytesIO StringIO encode decode
    strip lstrip rstrip lower upper format join hex copy items values get compress getvalue getbuffer read read_bytes open model_dump model_dump_json dict_ to_json get_secret_value pop popleft get_nowait
    Request open json body form model_dump unparse""".split()
)
"""Functions and methods that give the same value in another form."""
_DEEP = 12
_ENCLOSED = frozenset(("elements", "files", "attachments"))
"""What comes along with what people say."""
STATE = "streamlit.session_state"
"""The holder of what a page of Streamlit keeps from one run to the next."""


class Entered:
    """What names and expressions of one source hold of what people enter."""

    def __init__(self, names: Names, given: Handed) -> None:
        self._names = names
        self._held: dict[tuple[str, str], set[str]] = {}
        self._asking = given
        self.chats = False
        """People talk to the program, which they do to a model."""

    def _mark(self, block: str, name: str, label: str) -> None:
        self._held.setdefault((block, name), set()).add(label)

    def _asks(self, made: ast.Call) -> str:
        """What a field asks for, "" for nothing secret."""
        if _UPLOADS.match(self._names.plain(made.func) or "") is not None:
            return UPLOAD
        if _FIELDS.match(self._names.plain(made.func) or "") is None:
            return ""
        said = " ".join(
            spoken(each, self._names)
            for each, name in arguments_of(made)
            if name in ("", "label", "placeholder", "info")
        )
        hidden = any(
            (item.arg == "type" and self._names.folder.text(item.value) == "password") or item.arg == "password"
            for item in made.keywords
        ) or "assword" in (self._names.plain(made.func) or "")
        if not hidden and not _KEY_WORDS.search(said):
            return ""
        return (
            label_of(said)
            if hidden or re.search(r"api[ _-]?key|\bhf\b.*token|seed|recovery|password", said, re.I)
            else ""
        )

    def of(self, node: ast.expr | None, block: str, depth: int = 0) -> set[str]:
        """What somebody entered that the value is or holds."""
        if node is None or depth > _DEEP:
            return set()
        if (state := state_key(node, self._names)) and (kept := self._held.get((STATE, state))):
            return kept
        match node:
            case ast.Name(id=name):
                return self._held.get((block, name), set()) | self._held.get((MODULE, name), set())
            case ast.Call():
                return self._of_call(node, block, depth)
            case ast.Attribute():
                return self._of_attribute(node, block, depth)
            case ast.Subscript(value=value, slice=key):
                return self.of(value, block, depth + 1) | self._of_item(value, key, block)
        return set().union(*(self.of(part, block, depth + 1) for part in _parts(node)[:200]))

    def _of_call(self, node: ast.Call, block: str, depth: int) -> set[str]:
        dotted = self._names.plain(node.func) or ""
        if dotted in ("getpass.getpass", "maskpass.askpass", "pwinput.pwinput", "stdiomask.getpass"):
            return {label_of(" ".join(spoken(each, self._names) for each in node.args)) or PASSWORD}
        if dotted == "builtins.input" and node.args and _KEY_WORDS.search(said := spoken(node.args[0], self._names)):
            return {label_of(said)}
        if label := self._asks(node):
            return {label} if not dotted.startswith("gradio.") else set()
        if _CHATS.match(dotted):
            self.chats = self.chats or dotted.endswith(("chat_input", "AskUserMessage"))
            return {SAID}
        method = method_of(node)
        if method not in _SAME:
            return set()
        found = set[str]()
        if isinstance(node.func, ast.Attribute):
            if method in ("get", "pop") and node.args:
                found |= self._of_item(node.func.value, node.args[0], block)
                if self.of(node.func.value, block, depth + 1) == {COOKIES}:
                    return found | self._one(node.args[0])
            found |= self.of(node.func.value, block, depth + 1)
        for value, _ in arguments_of(node):
            found |= self.of(value, block, depth + 1)
        return found

    def _one(self, key: ast.expr) -> set[str]:
        """One header: those that say who asks count, others do not."""
        return {COOKIES} if _HEADERS.match(self._names.folder.text(key) or "") else set()

    def _of_attribute(self, node: ast.Attribute, block: str, depth: int) -> set[str]:
        if node.attr in _ENCLOSED and SAID in self.of(node.value, block, depth + 1):
            return {UPLOAD}
        if node.attr in _COOKIES and self._is_asked(node.value):
            return {COOKIES}
        held = self.of(node.value, block, depth + 1)
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            held = held | self._held.get(("self", node.attr), set())
        if isinstance(node.value, ast.Name) and is_secret(node.attr) and self._is_given(block, node.value.id):
            return held | {label_of(node.attr)}
        own = isinstance(node.value, ast.Name) and node.value.id == "self"
        return (
            held
            if own or node.attr in ("token", "password", "value", "data", "text", "content", "path", "access_token")
            else set()
        )

    def _is_given(self, block: str, name: str) -> bool:
        """True for what somebody asks a function with: `body["api_key"]`, `question.api_key`."""
        return name in self._asking.asked.get(block.partition("#")[0], ())

    def _is_asked(self, node: ast.expr) -> bool:
        dotted = self._names.plain(node) or ""
        last = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        return bool(_ASKED.match(dotted)) or last in _ASKED_NAMES or dotted in ("panel.state", "streamlit.context")

    def _of_item(self, holder: ast.expr, key: ast.expr, block: str) -> set[str]:
        """`request.form["password"]`, `request.headers["authorization"]`."""
        name = self._names.folder.text(key) or ""
        if isinstance(holder, ast.Attribute) and holder.attr in _COOKIES:
            return self._one(key) if holder.attr == "headers" else set()
        asked = (isinstance(holder, ast.Name) and self._is_given(block, holder.id)) or (
            isinstance(holder, ast.Attribute)
            and holder.attr in ("form", "args", "json", "values", "POST", "GET", "query_params")
            and self._is_asked(holder.value)
        )
        return {label_of(name)} if asked and is_secret(name) else set()


def state_key(node: ast.expr, names: Names) -> str:
    """The name under which `st.session_state` keeps what the expression leads to, "" for others."""
    match node:
        case ast.Subscript(value=held, slice=key) if names.plain(held) == STATE:
            return names.folder.text(key) or ""
        case ast.Call(func=ast.Attribute(value=held, attr="setdefault" | "get"), args=[key, *_]) if (
            names.plain(held) == STATE
        ):
            return names.folder.text(key) or ""
        case ast.Attribute(value=held, attr=name) if names.plain(held) == STATE:
            return name
    return ""


def _parts(node: ast.expr) -> list[ast.expr]:
    """The parts of which a value is made so that it still holds them."""
    match node:
        case ast.Dict(keys=keys, values=values):
            return [*(each for each in keys if each is not None), *values]
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
            return elts
        case ast.JoinedStr(values=values):
            return [each.value for each in values if isinstance(each, ast.FormattedValue)]
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.BoolOp(values=values):
            return values
        case ast.IfExp(body=body, orelse=orelse):
            return [body, orelse]
        case ast.Await(value=value) | ast.Starred(value=value) | ast.NamedExpr(value=value):
            return [value]
        case ast.ListComp(elt=value, generators=generators) | ast.GeneratorExp(elt=value, generators=generators):
            return [value, *(each.iter for each in generators)]
        case ast.DictComp(value=value, generators=generators):
            return [value, *(each.iter for each in generators)]
    return []


def is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None and _NO_SECRET.search(name) is None


def label_of(said: str) -> str:
    """What a name or the text beside a field says of the key."""
    low = said.lower()
    if re.search(r"passw|pwd|passphrase|seed|recovery|mnemonic", low):
        return PASSWORD
    whose = next((label for part, label in WHOSE[:-1] if part in low), "")
    if not whose and re.search(r"\bhf|huggingface", low):
        whose = "HF"
    return f"VISITOR_{whose}"


def method_of(node: ast.Call) -> str:
    return (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )


def arguments_of(node: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    yield from ((value, "") for value in node.args)
    yield from ((item.value, item.arg or "") for item in node.keywords)
