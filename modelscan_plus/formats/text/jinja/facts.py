"""What a chat template states, free of judgement."""

import msgspec

from modelscan_plus.core.facts import Facts


class Reach(msgspec.Struct, frozen=True):
    """An expression that leaves what a template is given."""

    kind: str
    """"internals" (attributes that lead from an object to its class, module or frame), "private" (another name with a
    leading underscore), "computed" (the attribute's name is not known), "helper" (an attribute of a function that
    Jinja itself provides), "function" (a call of something that no chat template is given), "template" (another
    template is loaded), "file" (one outside of the folder of templates), "exhaust" (a loop or text of enormous
    size)."""
    what: str
    """The name, folded."""
    line: int
    folded: bool = False
    """True when the name was put together from pieces."""


class Gate(msgspec.Struct, frozen=True):
    """Text that the template adds only when a message contains, or the date is, something."""

    trigger: str
    """What is looked for."""
    trigger_kind: str
    """"words", "marker" (a tag, slash command or special token that chat formats are made of), "odd-marker" (one that
    looks like it), "count" (a later turn of the conversation), "time", "tool" (the name of a tool or a part
    of its call), "role" (one that no chat format has), "computed" (what was said decides, but no constant says how) or
    "other" (something else that is given to the template)."""
    output: str
    """The text, shortened."""
    output_kind: str
    """"sentence", "url", "encoded", "hidden", "hostile", "role" (the head of a turn of the system) or "dropped"
    (nothing: what was said is left out)."""
    line: int


class Sent(msgspec.Struct, frozen=True):
    """An address, or a call of a tool, into which the template writes what was said."""

    url: str
    """The address, or the call as far as it is written before."""
    line: int
    kind: str = "address"
    """"address" or "call"."""


class Written(msgspec.Struct, frozen=True):
    """Text that the template always writes and that is worth a look."""

    kind: str
    """"hidden", "encoded", "conceals", "hostile", "command" or "url"."""
    text: str
    detail: str
    line: int


class Rewritten(msgspec.Struct, frozen=True):
    """Words of a message that the template replaces by others."""

    old: str
    new: str
    line: int


class TemplateFacts(Facts, frozen=True):
    """One chat template."""

    sha256: str
    length: int
    """In characters."""
    error: str = ""
    """Why Jinja cannot parse it, "" when it can."""
    error_line: int = 0
    reaches: tuple[Reach, ...] = ()
    gates: tuple[Gate, ...] = ()
    sent: tuple[Sent, ...] = ()
    written: tuple[Written, ...] = ()
    rewritten: tuple[Rewritten, ...] = ()
