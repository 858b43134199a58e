"""Files inside tensors and strings, and text that is meant for an interpreter.

Tensors are looked at by their first bytes, which the reader kept; those that nothing uses, and small ones of bytes, are
searched as a whole. Strings are doc strings, metadata, attributes, string tensors and all names. What counts is form: a
call that runs commands, a script element, base64 that decodes to a program. Words alone are no sign; stack traces, in
which exporters keep lines of source, are told apart.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource, SliceSource
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats import kinds
from modelscan_plus.formats.graphs.onnx.model import DataType, Entry, Function, Graph, Model, Tensor
from modelscan_plus.formats.graphs.onnx.usage import Unused
from modelscan_plus.formats.graphs.onnx.walk import Placed, Scope
from modelscan_plus.formats.graphs.spans import INLINE, Span
from modelscan_plus.formats.tensors.embedded import source_kind, text_kind

_SEARCHED = 32 << 10
"""Bytes of one tensor that are searched for a file in its middle."""
_SEARCHED_ALL = 1 << 20
"""… and of all tensors together."""
_TEXT = 64 << 10
"""Bytes of one text that are examined."""
_TEXT_ALL = 8 << 20
_LIST = 20_000
"""Strings of one list that are examined."""
_KEPT = 100
_CANDIDATES = 2_000
"""Tensors of one file whose first bytes could begin a pickle and are tried as one."""
_MAGIC = lazy(
    rb"\x7fELF[\x01\x02][\x01\x02]\x01|MZ.{58}|PK\x03\x04[\x0a-\x3f]\x00|\x00asm\x01\x00\x00\x00"
    rb"|\x80[\x02-\x05](?:\x95.{6}\x00|c|\x8c|]|}|\()"
    rb"|c(?:os|posix|nt|subprocess|builtins|__builtin__|runpy|pty|socket)\n",
    re.S,
)
_BEGINNING = lazy(
    rb"\((?:[cldiSVXKI)]|\x8c)|c[A-Za-z_][\w.]*\n|7z\xbc\xaf|Rar!|\x89HDF"
    rb"|\xca\xfe\xba\xbe|\xfe\xed\xfa|[\xce\xcf]\xfa\xed\xfe|\x80[\x02-\x05]|PK\x03\x04"
)
"""What else a file can begin with, besides `_MAGIC`."""
_LEAST = 24
"""Bytes of a tensor that make a text."""
_LETTERS = frozenset(range(32, 127)) | {9, 10, 13}
_NEEDED = 64
"""Bytes below which nothing is searched."""

_STRONG = lazy(
    r"__import__\s*\(|\bos\.(?:system|popen|exec[lv]\w*|spawn\w+|startfile)\s*\(|\bpty\.spawn\s*\("
    r"|\bsubprocess\.(?:run|call|Popen|check_\w+|getoutput|getstatusoutput)\s*\("
    r"|(?:exec|eval)\s*\(\s*(?:compile|base64|zlib|bytes|codecs|marshal|open|input|requests|urllib)\b"
    r"|\bmarshal\.loads\s*\(|\b(?:curl|wget)\b[^\n|;]{0,300}\|\s*(?:sudo\s+)?(?:ba|z|da|k)?sh\b|/dev/tcp/"
    r"|\bbash\s+-i\b|\b(?:nc|ncat)\s+-\w*[ec]\b|\bpowershell(?:\.exe)?\b[^\n]{0,80}\s-(?:e|en|enc|encodedcommand|nop)\b"
    r"|\bcmd(?:\.exe)?\s+/[ck]\b|\brm\s+-\w*r\w*\s+[/~]|\$\{jndi:|<\?php\b|<!ENTITY\b|\bInvoke-Expression\b"
    r"|\bIEX\s*\(|\bcertutil\b[^\n]{0,80}-urlcache|\bmshta\s+http|/bin/(?:ba|da|z)?sh\s+-[ci]\b|^#!\s*/"
    r"|(?:!!python|tag:yaml\.org,2002:python)/(?:object|module|name)\b",
    re.I,
)
_WEAK = lazy(
    r"(?<![\w.])(?:exec|eval)\(\s*[^)\s]|\b(?:pickle|dill|cloudpickle|joblib)\.loads?\s*\(|\bsocket\.socket\s*\("
    r"|\bctypes\.(?:CDLL|cdll|windll|WinDLL)\b|\burllib\.request\.(?:urlopen|urlretrieve)\s*\("
    r"|\brequests\.(?:get|post)\s*\(|\bbase64\.b64decode\s*\(|\bgetattr\s*\(\s*__builtins__|\bshutil\.rmtree\s*\("
    r"|^[^\S\n]*import\s+(?:os|subprocess|socket|ctypes|pty)\b|\bfrom\s+(?:os|subprocess|socket|ctypes)\s+import\b"
    r"|\bchmod\s+(?:\+x|[0-7]*7[0-7]*)\b|\bos\.environ\b|\bimportlib\.import_module\s*\(",
    re.I | re.M,
)
_HINT = lazy(
    r"import|exec|eval|os\.|subprocess|popen|spawn|loads|\bsh\b|/dev/tcp|bash|nc\s|ncat|powershell|cmd|rm\s|jndi|<\?|<!"
    r"|invoke|iex|certutil|mshta|/bin/|^#!|python/|socket|ctypes|urllib|requests|b64decode|builtins|rmtree|chmod",
    re.I,
)
"""What one of the above cannot be without."""
_TRACE = lazy(r'File "[^"\n]+", line \d+')
_FORMULA = lazy(r"^[=+@-][^\n]{0,60}(?:\|\s*'|HYPERLINK\s*\(|WEBSERVICE\s*\(|IMPORT(?:XML|DATA)\s*\(|DDE)", re.I)
_MARKUP = lazy(r"<\s*(?:script|iframe|img|svg|object|embed|a|style|link|meta|form)\b[^<]*[>=]", re.I)
_CONTROL = lazy("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BASE64 = lazy(r"[A-Za-z0-9+/_-]{344,}={0,2}")
_HEX = lazy(r"(?:[0-9a-fA-F]{2}){128,}|(?:\\x[0-9a-fA-F]{2}){24,}")
_HARMLESS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"%PDF", b"OggS", b"ID3", b"wOF")
_CHARSMAP = "precompiled_charsmap"
"""A table in the settings of a SentencePiece tokenizer, always in base64."""


class Hit(msgspec.Struct, frozen=True):
    """Text that is meant for an interpreter, or a character that is meant for a terminal."""

    kind: str
    """"command", "code", "trace" (code in a stack trace), "script", "shebang", "template", "markup", "formula",
    "control", "base64-…" or "hex-…" with what it decodes to: a format, "code" or "unknown"."""
    where: str
    excerpt: str
    offset: int | None
    is_name: bool = False


class Payload(msgspec.Struct, frozen=True):
    """A file in another format inside a tensor or string."""

    where: str
    kind: str
    start: int
    length: int
    """From the payload's first byte to the end of the value."""
    inside: int
    """Bytes of the value before it."""


class ContentFacts(Facts, frozen=True):
    """What stands in the values of one model."""

    hits: tuple[Hit, ...] = ()
    payloads: tuple[Payload, ...] = ()
    omitted: int = 0
    """Further ones of both."""


class _Place(msgspec.Struct):
    """A value that is text or bytes."""

    where: str
    span: Span
    prose: bool = True
    """False for attributes and tensors, whose strings are often a vocabulary: no character there is odd."""


class Contents:
    """Examines one model. `facts` and `parts` (embedded files, as artifacts) are the result."""

    def __init__(self, artifact: Artifact, budget: Budget) -> None:
        self._artifact = artifact
        self._budget = budget
        self._hits: list[Hit] = []
        self._payloads: list[Payload] = []
        self._omitted = 0
        self._searched = _SEARCHED_ALL
        self._texts = _TEXT_ALL
        self._candidates = _CANDIDATES
        self._seen: set[bytes] = set()
        self.parts: list[Artifact] = []
        self.unread = 0
        """Texts that were not examined, for want of budget."""

    @property
    def facts(self) -> ContentFacts:
        """What was found so far."""
        return ContentFacts(tuple(self._hits), tuple(self._payloads), self._omitted)

    def names(self, names: Iterable[str], model: Model, scopes: Sequence[Scope]) -> None:
        """All names of the model, each once."""
        for name in names:
            # Exporters write what they were built from over several lines there.
            kind = _name_kind(name if name != model.producer_version else " ".join(name.split()))
            if kind:
                self._hit(Hit(kind, _holder(name, model, scopes), shorten(visible(name), 200), None, is_name=True))

    def texts(self, model: Model, scopes: Sequence[Scope]) -> None:
        """Doc strings, metadata and string attributes."""
        for place in _places(model, scopes):
            self._text(place)

    def tensors(self, placed: Iterable[Placed], unused: Unused) -> None:
        """The data of tensors."""
        idle = {id(tensor) for _, tensor in unused.tensors}
        for number, item in enumerate(placed):
            if not number & 0x3FF:
                self._budget.check_time()
            tensor = item.tensor
            if tensor.string_data:
                self._strings(item.where, tensor.string_data)
            spans = [tensor.raw_data] if tensor.raw_data is not None else []
            spans += [span for _, numbers in tensor.numbers() if (span := numbers.span) is not None]
            for span in spans:
                if span.length >= _LEAST and all(byte in _LETTERS for byte in span.head[:_LEAST]):
                    self._text(_Place(item.where, span, prose=False))
                opaque = tensor.data_type in _OPAQUE or id(tensor) in idle
                if not self._begins(item, span) and opaque:
                    self._search(item.where, span)

    def _begins(self, item: Placed, span: Span) -> bool:
        """Whether a file begins with the value."""
        if span.length < 16 or not (_MAGIC.match(span.head) or _BEGINNING.match(span.head)):
            return False
        return self._payload(item.where, span, 0)

    def _payload(self, where: str, span: Span, inside: int) -> bool:
        if self._candidates <= 0:
            return False
        self._candidates -= 1
        part = self._artifact.member(
            where or "tensor",
            SliceSource(self._artifact.source, span.offset + inside, span.length - inside),
            payload=True,
        )
        kind = source_kind(part)
        if kind is None:
            return False
        if len(self._payloads) < _KEPT:
            self._payloads.append(Payload(where, kind, span.offset + inside, span.length - inside, inside))
            self.parts.append(part)
        else:
            self._omitted += 1
        return True

    def _search(self, where: str, span: Span) -> None:
        """Whether a file stands anywhere in a value."""
        if span.length < _NEEDED or self._searched <= 0:
            return
        data = span.read(_SEARCHED)
        self._searched -= len(data)
        for number, found in enumerate(_MAGIC.finditer(data)):
            if number == 20 or self._payload(where, span, found.start()):
                return

    def _strings(self, where: str, spans: Sequence[Span]) -> None:
        """A list of strings: long ones one by one, the rest as one text."""
        short: list[bytes] = []
        for span in spans[:_LIST]:
            if span.length > INLINE or (span.head and span.head[0] in b"\x80\x7fMP"):
                self._text(_Place(where, span, prose=False))
            else:
                short.append(span.head)
        if short:
            joined = b"\n".join(short)
            self._text(_Place(where, Span(BytesSource(joined), 0, len(joined), joined), prose=False))

    def _text(self, place: _Place) -> None:
        span = place.span
        if span.length < 4 or span.head in self._seen:
            return
        if span.length <= INLINE:
            self._seen.add(span.head)
        if self._texts <= 0:
            self.unread += 1
            return
        raw = span.read(_TEXT)
        self._texts -= len(raw)
        self._budget.check_time()
        # Programs of mostly zeros and pickles of mostly letters are UTF-8, too.
        if span.offset and (_MAGIC.match(raw) or _BEGINNING.match(raw)) and self._payload(place.where, span, 0):
            return
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start < len(raw) - 4 or span.length == len(raw):
                self._binary(place, raw)
                return
            text = raw[: error.start].decode("utf-8")
        offset = span.offset or None
        for kind, start in _text_kinds(text, prose=place.prose):
            excerpt = shorten(visible(text[max(0, start - 40) : start + 160]), 200)
            self._hit(Hit(kind, place.where, excerpt, None if offset is None else offset + len(text[:start].encode())))

    def _binary(self, place: _Place, raw: bytes) -> None:
        if place.span.offset:
            self._search(place.where, place.span)

    def _hit(self, hit: Hit) -> None:
        if len(self._hits) < _KEPT:
            self._hits.append(hit)
        else:
            self._omitted += 1


_OPAQUE = frozenset((DataType.UINT8, DataType.INT8, DataType.BOOL, DataType.UINT4, DataType.INT4))


def _places(model: Model, scopes: Sequence[Scope]) -> Iterator[_Place]:
    yield from _described("model", model.doc_string, model.metadata_props)
    for training in model.training_info:
        yield from _entries("training", (*training.initialization_binding, *training.update_binding))
    for scope in scopes:
        body = scope.body
        path = scope.path
        yield from _described(path, body.doc_string, body.metadata_props)
        yield from _of_values(path, body)
        for node in body.node:
            if node.doc_string is not None or node.metadata_props:
                yield from _described(f"{path} › {node.name or node.op_type}", node.doc_string, node.metadata_props)
            for attribute in node.attribute:
                if attribute.s is None and not attribute.strings and attribute.doc_string is None:
                    continue
                where = f"{path} › {node.name or node.op_type}.{attribute.name}"
                if attribute.s is not None:
                    yield _Place(where, attribute.s, prose=False)
                if attribute.doc_string is not None:
                    yield _Place(f"{where} doc_string", attribute.doc_string)
                yield from (_Place(where, span, prose=False) for span in _joined(attribute.strings))


def _joined(spans: Sequence[Span]) -> Iterator[Span]:
    """Long strings as they are, the others as one."""
    short: list[bytes] = []
    for span in spans[:_LIST]:
        if span.length > INLINE:
            yield span
        else:
            short.append(span.head)
    if short:
        joined = b"\n".join(short)
        yield Span(BytesSource(joined), 0, len(joined), joined)


def _of_values(path: str, body: Graph | Function) -> Iterator[_Place]:
    infos = [*body.value_info] if isinstance(body, Function) else [*body.input, *body.output, *body.value_info]
    for info in infos:
        if info.doc_string is not None or info.metadata_props:
            yield from _described(f"{path} › {info.name}", info.doc_string, info.metadata_props)
    held: Sequence[Tensor] = () if isinstance(body, Function) else body.initializer
    for tensor in held:
        if tensor.doc_string is not None or tensor.metadata_props:
            yield from _described(f"{path} › {tensor.name}", tensor.doc_string, tensor.metadata_props)


def _described(where: str, doc_string: Span | None, metadata: Sequence[Entry]) -> Iterator[_Place]:
    if doc_string is not None:
        yield _Place(f"{where} › doc_string", doc_string)
    yield from _entries(where, metadata)


def _entries(where: str, entries: Sequence[Entry]) -> Iterator[_Place]:
    for entry in entries:
        if entry.value is not None:
            yield _Place(f"{where} › metadata {entry.key}", entry.value)


def _name_kind(name: str) -> str:
    """What is odd about a name, "" for nothing."""
    if not name.isprintable() and any(ord(c) < 32 or _CONTROL.match(c) for c in name):
        return "control"
    if ("<" in name and _MARKUP.search(name)) or "javascript:" in name:
        return "markup"
    if name[:1] in ("=", "+", "@", "-") and _FORMULA.match(name):
        return "formula"
    return "command" if len(name) > 8 and ("(" in name or " " in name) and _STRONG.search(name) else ""


def _holder(name: str, model: Model, scopes: Sequence[Scope]) -> str:
    """Where a name stands first."""
    for scope in scopes:
        if scope.body.name == name:
            return f"name of {scope.kind}"
        for node in scope.body.node:
            if name in (node.name, node.op_type, node.domain, *node.input, *node.output):
                return f"{scope.path}, a node of type {node.op_type[:60]}"
    return "a name in the model"


def _text_kinds(text: str, *, prose: bool) -> Iterator[tuple[str, int]]:
    """What an interpreter would make of the text, and where; at most one of each sort."""
    if prose and (found := _CONTROL.search(text)):
        yield "control", found.start()
    if _HINT.search(text):
        strong = _STRONG.search(text)
        if found := strong or _WEAK.search(text):
            traced = _TRACE.search(text, 0, found.start())
            yield ("trace" if traced and not strong else "command" if strong else "code"), found.start()
    if known := text_kind(text):
        yield known
        return
    if prose and _FORMULA.match(text):
        yield "formula", 0
    if len(text) > 90:
        yield from _encoded(text)


def _encoded(text: str) -> Iterator[tuple[str, int]]:
    for number, run in enumerate(_BASE64.finditer(text)):
        if number == 16:
            return
        if _CHARSMAP in text[max(0, run.start() - 60) : run.start()]:
            continue
        raw = run.group().rstrip("=").replace("-", "+").replace("_", "/")
        if _HEX.fullmatch(raw) or not (set(raw) - set("0123456789abcdefABCDEF")):
            continue
        raw = raw[:-1] if len(raw) % 4 == 1 else raw
        kind = _decoded(base64.b64decode(raw + "=" * (-len(raw) % 4)))
        if kind:
            yield f"base64-{kind}", run.start()
            return
    for number, run in enumerate(_HEX.finditer(text)):
        if number == 16:
            return
        kind = _decoded(binascii.unhexlify(run.group().replace("\\x", "")))
        if kind and kind != "unknown":
            yield f"hex-{kind}", run.start()
            return


def _decoded(data: bytes) -> str:
    """What decoded bytes are: a format, "code", "unknown" for binary content, "" for harmless content."""
    if data.startswith(_HARMLESS):
        return ""
    if kind := source_kind(Artifact("", BytesSource(data), payload=True)):
        return kind
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        known = kinds.recognise(data)
        varied = len(set(data[:256])) > 96
        return known.name if known and known.executable else "unknown" if varied else ""
    return "code" if _STRONG.search(text) or _WEAK.search(text) else ""
