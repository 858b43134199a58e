"""What the opcode machine states about a stream of pickle bytes."""

import msgspec

from modelscan_plus.core.facts import Facts
from modelscan_plus.formats.pickle.values import Call, Global, PersistentId, Value

Effect = Global | Call | PersistentId
"""Something the unpickler would do: import a name, call something, ask for a persistent object."""


class Anomaly(msgspec.Struct, frozen=True):
    """A place where unpicklers stop, or disagree with each other."""

    code: str
    offset: int
    message: str


class PickleFacts(Facts, frozen=True):
    """One pickle: everything from its first opcode to STOP, or to where every unpickler gives up."""

    start: int
    end: int
    """Half-open byte range in the artifact."""
    ended: str
    """"stop", "error" (the last anomaly says why), or the code of a budget breach."""
    protocol: int
    """The highest PROTO argument, 0 without one."""
    effects: tuple[Effect, ...]
    """In the order in which they would happen. Imports stand once, at their first opcode."""
    anomalies: tuple[Anomaly, ...]
    result: Value
    """What STOP would return; None when it was not reached."""
    opcodes: int
    reading: str = ""
    """Names the readers of this interpretation where readers differ: "pickle.load", "joblib.load"; "" for all."""
    payloads: tuple[tuple[int, int], ...] = ()
    """(offset, length) of bytes literals that look like a pickle or an archive themselves."""
    payloads_omitted: int = 0
    """Further ones that are only counted."""
    encoded: tuple[tuple[int, int], ...] = ()
    """(offset, length) of text literals that begin like a pickle in Base64 or hexadecimal digits."""
    ordinal: int = 0
    """Position among the pickles of the artifact."""
