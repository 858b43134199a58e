"""What a Python source states: what it would do, and when."""

import msgspec

from modelscan_plus.core.facts import Facts


class Effect(msgspec.Struct, frozen=True):
    """A call or assignment that does something beyond computing."""

    kind: str
    """"process", "code" (exec, eval, …), "module" (imported by a name or path known only at run time), "remote" (a model that is
    loaded with remote code), "download",
    "send", "connect", "unpickle", "native", "library" (a method that may open one), "write", "delete", "secret", "listen", "settings", "native-build", "registry", "clipboard", "capture" (camera or microphone), "upload",
    "account" (a key or address in the source ties the run to somebody), "made" (a file of Python is written), "overwrite" (files of the user), "patch" (code of other packages), "obeyed" (settings of other programs), "later" (what something else runs later), "device" (a whole disk), "rights" (a program with the rights of its owner), "ends" (other programs are ended), "endless" (a loop without an end), "trigger" (the code waits for one input), "turn" (exchanged.py, waits.py, kept.py), "route" (what whoever asks is let do), "held" (a function
    that starts programs or runs code is kept to be called later), "search-path" (where modules are looked for)."""
    name: str
    """Dotted, as far as it resolves: "subprocess.run"."""
    when: str
    """"import" (it happens when the file is imported), "entry" (in a method that loaders and callers run), "call" (in
    another function), "main" (only when the file is started as a program)."""
    line: int
    code: str
    """The source, shortened."""
    argument: str = ""
    """The first argument, as far as it folds to text: a command, address, path or program."""
    flows: tuple[str, ...] = ()
    """Where the arguments come from: "download", "decoded", "secret", "host", "file", "source:PATH", "input", "config", "request", as in flow.py; "user-files",
    "others-code", "package:NAME", "generated", as in places.py; "stated" for a text of which the source states the beginning;
    "account" for a client with keys of the source; "parameter" where a parameter is the whole command or code; "caller" where that says where it goes (callers.py); "any-object" for a load that does not keep to tensors;
    "joined" and "spelt" for a text made of several items of data, or of numbers."""
    disguised: bool = False
    """The name was put together or looked up by text."""
    hostile: str = ""
    """What the folded command does that no honest one does (formats/text/prose.py), "" for nothing."""
    discarded: bool = False
    """Nothing is done with the result."""
    keys: tuple[str, ...] = ()
    """Names of the credentials among the arguments: "HF_TOKEN", "" for one whose name is not known."""
    in_body: bool = False
    """A credential stands elsewhere than in a header of the request."""
    function: str = ""
    """The function or class it stands in, "" for the module itself."""
    handed: str = ""
    """It stands in a function that something outside calls (handed.py), or in one that such a function uses: "asked" where
    somebody asks for something so, "hook" for others."""


class Disguise(msgspec.Struct, frozen=True):
    """Something that hides what the source does from a reader."""

    kind: str
    """"hidden" (invisible or turning characters), "encoding" (a source encoding that decodes to other code),
    "encoded" (text that decodes to code), "far-right" (code behind hundreds of blanks), "orders" (what a tool says of itself to the model)."""
    text: str
    detail: str
    line: int


class PythonFacts(Facts, frozen=True):
    """One Python source."""

    effects: tuple[Effect, ...] = ()
    disguises: tuple[Disguise, ...] = ()
    omitted: int = 0
    """Further effects that were not kept."""


class Entrusted(msgspec.Struct, frozen=True):
    """A call of a function of another file with what somebody entered."""

    function: str
    """Dotted, with its module, as it is imported."""
    place: int
    """Among the arguments, -1 for one by name."""
    name: str
    keys: tuple[str, ...]
    """As in visitors.py."""
    line: int
    code: str


class Taken(msgspec.Struct, frozen=True):
    """A parameter of a function that gives it to another machine."""

    function: str
    place: int
    """Among the parameters, -1 for what is taken by any other name."""
    parameter: str
    address: str
    keeps: bool
    discarded: bool
