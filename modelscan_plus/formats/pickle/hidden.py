"""Bytes that a pickle hands to a callable which unpickles them, or makes out of a text.

`torch.storage._load_from_bytes(data)` is `torch.load` on `data`. Below protocol 3 there are no bytes literals: picklers
write `_codecs.encode(text, "latin1")`, so that a pickle inside stands in the file as UTF-8 text. A text that is one in
Base64 or hexadecimal digits runs only where some program decodes it; no honest model carries one that acts.
"""

import base64
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.bytesource import ByteSource, BytesSource, SliceSource
from modelscan_plus.core.limits import Budget
from modelscan_plus.formats.pickle.facts import PickleFacts
from modelscan_plus.formats.pickle.state import NESTED
from modelscan_plus.formats.pickle.values import Blob, Call, Global, Items, Value, sequence

_UNPICKLERS = frozenset({("torch.storage", "_load_from_bytes")})
_TAKERS = frozenset({("spacy.vocab", "unpickle_vocab"), ("spacy.tokens.doc", "unpickle_doc")})
"""Callables that unpickle some of the bytes among their arguments."""
_KEEPERS = ("skorch.", "tsfresh.feature_extraction.settings", "stable_baselines3.", "gymnasium.")
"""Modules with classes whose __setstate__ unpickles the bytes in their state."""
_ENCODERS = frozenset({("_codecs", "encode"), ("codecs", "encode")})
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_CALLS = frozenset({"REDUCE", "OBJ", "INST"})
_MOST = 10_000
"""Encoded texts of one pickle that are looked into; honest files of protocol 2 have one per array."""


class Hidden(msgspec.Struct, frozen=True):
    """Bytes that stand in the stream in another form, or that are certainly loaded."""

    name: str
    source: ByteSource
    loaded: bool
    """True when the callable unpickles them, whatever they look like."""
    blob: Blob | None = None
    """The literal that they are."""


def hidden_bytes(facts: PickleFacts, source: ByteSource, budget: Budget) -> Iterator[Hidden]:
    """Bytes handed to an unpickler, and encoded texts that look like a pickle or an archive."""
    for offset, length in facts.encoded:
        decoded = _decoded(source, offset, length, budget)
        if decoded is not None:
            yield Hidden(f"text at {offset}, decoded", decoded, loaded=False)
    looked = 0
    for effect in facts.effects:
        if isinstance(effect, Call):
            yield from _kept(effect, source, budget)
        if not isinstance(effect, Call) or effect.opcode not in _CALLS or not isinstance(effect.function, Global):
            continue
        function = effect.function.module, effect.function.name
        if function not in _UNPICKLERS and function not in _ENCODERS:
            continue
        arguments = sequence(effect.arguments)
        if not arguments:
            continue
        if function in _UNPICKLERS:
            found = _bytes(arguments[0], source, budget, certain=True)
            if found is not None:
                name = f"bytes loaded by {effect.function.dotted} at {effect.offset}"
                blob = arguments[0] if isinstance(arguments[0], Blob) else None
                yield Hidden(name, found, loaded=True, blob=blob)
        elif looked < _MOST and _follows(facts, effect) not in _UNPICKLERS:
            looked += 1
            found = _bytes(effect, source, budget, certain=False)
            if found is not None:
                yield Hidden(f"text at {effect.offset}", found, loaded=False)


def _decoded(source: ByteSource, offset: int, length: int, budget: Budget) -> ByteSource | None:
    """The bytes behind a text of Base64 or hexadecimal digits; None when it is neither."""
    budget.take_decompressed(length)
    text = source.pread(offset, length).translate(None, b"\r\n \t")
    try:
        if text[:2] == b"80":
            return BytesSource(bytes.fromhex(text.decode("ascii")))
        padded = text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4)
        return BytesSource(base64.b64decode(padded.translate(_URL_SAFE), validate=True))
    except ValueError:
        return None


def _kept(effect: Call, source: ByteSource, budget: Budget) -> Iterator[Hidden]:
    """Every bytes literal among the arguments of a taker, or in the state of a keeper."""
    function = effect.function
    taken = effect.opcode in _CALLS and isinstance(function, Global) and (function.module, function.name) in _TAKERS
    made = function.function if isinstance(function, Call) else None
    kept = effect.opcode == "BUILD" and isinstance(made, Global) and made.module.startswith(_KEEPERS)
    if not taken and not kept:
        return
    pending: list[tuple[Value, int]] = [(effect.arguments, 3)]
    for _ in range(_MOST):
        if not pending:
            return
        value, depth = pending.pop()
        inside = _bytes(value, source, budget, certain=True)
        if inside is not None:
            blob = value if isinstance(value, Blob) else None
            yield Hidden(f"bytes loaded at {effect.offset}", inside, loaded=True, blob=blob)
        elif isinstance(value, tuple | Items) and depth:
            parts = value if isinstance(value, tuple) else value.items or ()
            pending.extend((part, depth - 1) for part in parts)


def _follows(facts: PickleFacts, encoded: Call) -> tuple[str, str] | None:
    """The callable that the next effect hands `encoded` to."""
    for effect in facts.effects[encoded.index + 1 : encoded.index + 3]:
        if isinstance(effect, Call) and isinstance(effect.function, Global):
            arguments = sequence(effect.arguments)
            if arguments and arguments[0] is encoded:
                return effect.function.module, effect.function.name
    return None


def _bytes(value: Value, source: ByteSource, budget: Budget, *, certain: bool) -> ByteSource | None:
    """What `value` is as bytes; None where that is unknown, or where they look harmless and `certain` is false."""
    if isinstance(value, bytes):
        # A short literal that looks like a pickle was found by its looks already.
        return None if len(value) > 3 and NESTED.match(value) else BytesSource(value)
    if isinstance(value, Blob):
        return SliceSource(source, value.offset, value.length) if value.kind == "bytes" else None
    if not isinstance(value, Call) or not isinstance(value.function, Global):
        return None
    if (value.function.module, value.function.name) not in _ENCODERS:
        return None
    arguments = sequence(value.arguments)
    text = arguments[0] if arguments else None
    if isinstance(text, str):
        data = text.encode("latin-1", "replace")
        return BytesSource(data) if certain or (len(data) > 3 and NESTED.match(data)) else None
    if isinstance(text, Blob) and (certain or NESTED.match(_narrow(text.head))):
        budget.take_decompressed(text.length)
        return BytesSource(_narrow(source.pread(text.offset, text.length)))
    return None


def _narrow(text: bytes) -> bytes:
    """UTF-8 of characters below 256 as those bytes."""
    return text.decode("utf-8", "ignore").encode("latin-1", "replace")
