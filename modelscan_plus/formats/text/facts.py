"""What texts other than code and templates state, free of judgement."""

import msgspec

from modelscan_plus.core.facts import Facts
from modelscan_plus.formats.text.skops import SkopsName
from modelscan_plus.formats.text.tokenizing import Oddity


class Remark(msgspec.Struct, frozen=True):
    """One place of a text that is worth a look."""

    kind: str
    """"command" (one that no honest instruction needs), "hidden" (characters that nobody sees), "encoded" (text that
    decodes to a command), "agent" (orders to a model, where a person does not see them), "link" (shows one host and
    leads to another), "url" (an address with an odd host), "endpoint" (one by which a client is told to go there),
    "script" (markup that runs), "site-import" (a line that Python runs at each start), "requirement" and "index"
    (something installed from elsewhere), "privilege" and "root-mount" (a container that owns its host), "protection"
    (words that ask to switch protection off), "start" and "shortcut" (a file that starts a program), "modelfile" (a
    model taken from elsewhere), "key" (a credential that goes along with a request), "native" (C source that starts a
    program), "active" (markup that sends something), "visitor" (what is taken from those who visit a page, and the
    host that gets it), "frame" (a page of another host that nobody sees), "evaluable" (a line that is an expression
    with a call), "asked" and "askable" (a workflow that runs what strangers write, or may), "image" and "source"
    (where a container or packages come from, and the host), "lookalike" (a package, account, image or channel by a
    mistyped name), "quoted" (a command that a page only speaks of), "socket" (an unknown image that owns the host),
    "talked" (a program that the reader is talked into), "asks" (a page that wants a credential, and its host), "client"
    (settings by which a client shows its key to a host), "system" (what gives tools or the machine to somebody else),
    "unread" (a part that takes too long to read, which becomes a gap: kept.py)."""
    what: str
    """What it does or is, to be put behind "it"."""
    text: str
    """The place itself, shortened."""
    line: int
    host: str = ""
    """The host that an address or command names, "" for none."""
    unseen: bool = False
    """True inside comments and other parts that a reader of the page does not see."""


class TextFacts(Facts, frozen=True):
    """One text."""

    role: str
    """As in roles.py."""
    remarks: tuple[Remark, ...] = ()


class ConfigProblem(msgspec.Struct, frozen=True):
    """Something in a JSON file about which readers differ."""

    kind: str
    """"duplicate" or "syntax"."""
    key: str
    detail: str


class ConfigPath(msgspec.Struct, frozen=True):
    """A value that names a file or address."""

    key: str
    value: str
    kind: str
    """"absolute", "leaves" (with ".."), "url", "network" (a UNC path)."""


class ReplaceRule(msgspec.Struct, frozen=True):
    """A step of a tokenizer that rewrites text."""

    place: str
    """"normalizer", "pre_tokenizer", "decoder" or "post_processor"."""
    pattern: str
    content: str


class JsonFacts(Facts, frozen=True):
    """One JSON file that configures something."""

    problems: tuple[ConfigProblem, ...] = ()
    paths: tuple[ConfigPath, ...] = ()
    replaces: tuple[ReplaceRule, ...] = ()
    oddities: tuple[Oddity, ...] = ()
    """What a tokenizer does besides replacing."""
    code: tuple[tuple[str, str], ...] = ()
    """References to code: where, and what."""
    expressions: tuple[tuple[str, str], ...] = ()
    """Values that are Python: where, and the first thing that evaluating them would call."""
    restored: tuple[tuple[str, str, str], ...] = ()
    """Objects that Keras restores: where, module, class or function ("__lambda__" for code that is carried along)."""
    skops: tuple[SkopsName, ...] = ()
    """Names in the schema of a skops file."""
    trusts: tuple[str, ...] = ()
    """Keys that ask loaders to run remote code."""
    strings: dict[str, str] = msgspec.field(default_factory=dict)
    """Some values, see formats/summaries.py."""
    remarks: tuple[Remark, ...] = ()
