"""Arguments that decide: callables on the allow-list that take callables, names, codecs, sizes or pickles.

A guard gets the argument list of one call and answers with what is wrong with it, as a phrase that completes
"… with arguments that", or None when these arguments make the call harmless.
"""

from collections.abc import Callable, Sequence

from modelscan_plus.formats.pickle.values import Blob, Call, Global, Items, Value, sequence, text_of
from modelscan_plus.rules.allowlist import Permit
from modelscan_plus.rules.callables import Standing, known

_SIZE = 1 << 28
"""Bytes or items that one argument may ask for before it is a bomb."""
_PATTERN = 20_000
_CODECS = frozenset(
    "latin1 latin-1 latin_1 iso-8859-1 iso8859-1 utf8 utf-8 utf_8 ascii us-ascii raw_unicode_escape".split()
)
_REACHING = frozenset(
    """system popen exec eval execfile compile open import_module modules environ loads load fork spawn run call
    check_output check_call Popen FileIO write_text write_bytes unlink remove rmtree rename connect urlopen""".split()
)
"""Attributes that no honest getattr in a model asks for."""

_NUMPY_RECONSTRUCT = {(module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")}

Guard = Callable[[Sequence[Value]], str | None]


def judge_arguments(module: str, name: str, arguments: Value, keywords: Value | None) -> str | None:
    """What is wrong with calling the guarded `module`:`name` like this, or None."""
    items = sequence(arguments)
    if items is None:
        return "cannot be read from the stream"
    guard = _GUARDS.get((_canonical(module), name), _plain)
    problem = guard(items)
    if problem is None and keywords is not None:
        extra = keywords.items if isinstance(keywords, Items) else None
        problem = _plain([part for pair in extra or () if isinstance(pair, tuple) for part in pair])
    return problem


def _canonical(module: str) -> str:
    return {"__builtin__": "builtins", "copy_reg": "copyreg", "_operator": "operator", "_functools": "functools"}.get(
        module, module
    )


def unvetted(value: Value) -> str | None:
    """A phrase when `value` is a global that may not be handed around as a callable."""
    if not isinstance(value, Global):
        return None
    status = known(value.module, value.name)
    if status.standing in (Standing.DANGEROUS, Standing.STDLIB, Standing.IMPOSSIBLE):
        return f"hand it {value.dotted}"
    return None


def _plain(items: Sequence[Value]) -> str | None:
    """Constants, results of other calls and vetted globals, to a bounded depth."""
    pending: list[tuple[Value, int]] = [(item, 4) for item in items]
    for _ in range(10_000):
        if not pending:
            return None
        item, depth = pending.pop()
        if problem := unvetted(item):
            return problem
        if isinstance(item, tuple | Items) and depth:
            inner = item if isinstance(item, tuple) else item.items or ()
            pending.extend((part, depth - 1) for part in inner)
    return None


def reaching(attribute: str) -> bool:
    """True for an attribute name that leads out of an object: dunder parts, known effects."""
    parts = attribute.split(".")
    return any(part in _REACHING or (part.startswith("__") and part.endswith("__")) for part in parts)


def _getattr(items: Sequence[Value]) -> str | None:
    if len(items) < 2:
        return None
    base, name = items[0], text_of(items[1])
    if name is None:
        return "compute the attribute name"
    if isinstance(base, Global):
        status = known(base.module, f"{base.name}.{name}")
        if status.standing is Standing.DANGEROUS:
            return f"reach {status.crosses or status.module + '.' + status.name}"
        if known(base.module, base.name).standing is Standing.STDLIB:
            return f"reach into {base.dotted}"
    if reaching(name):
        return f"reach the attribute {name}"
    return unvetted(base)


def _attribute_getter(items: Sequence[Value]) -> str | None:
    for item in items:
        name = text_of(item)
        if name is None:
            return "compute an attribute name"
        if reaching(name):
            return f"reach the attribute {name}"
    return None


def _method_caller(items: Sequence[Value]) -> str | None:
    name = text_of(items[0]) if items else None
    if name is None or reaching(name):
        return f"call the method {name or 'of a computed name'}"
    return _plain(items[1:])


def _codec(items: Sequence[Value]) -> str | None:
    codec = text_of(items[1]) if len(items) > 1 else "utf-8"
    if codec is None or codec.lower() not in _CODECS:
        return f"name the codec {codec or '(computed)'}"
    return None if not isinstance(items[0], Global) else "encode an imported object"


def _embedded_pickle(items: Sequence[Value]) -> str | None:
    if len(items) == 1 and isinstance(items[0], bytes | Blob):
        return None
    if len(items) == 1 and _is_encoded_text(items[0]):
        return None
    return "unpickle bytes that are not in the stream"


def _is_encoded_text(value: Value) -> bool:
    """`_codecs.encode(text, "latin1")`: how protocols below 3 write bytes."""
    return isinstance(value, Call) and isinstance(value.function, Global) and value.function.dotted == "_codecs.encode"


def _rebuilds(items: Sequence[Value]) -> str | None:
    """The first argument is a class that gets rebuilt; what else is given goes to its __new__."""
    for value in items[:2]:
        if isinstance(value, Global):
            status = known(value.module, value.name)
            if status.standing is Standing.DANGEROUS or status.standing is Standing.IMPOSSIBLE:
                return f"rebuild {value.dotted}"
            if status.standing is Standing.PERMITTED and not status.permit & (Permit.REBUILD | Permit.CALL):
                return f"rebuild {value.dotted}, which is no plain value"
    return _plain(items[2:])


def _rebuild_from_type(items: Sequence[Value]) -> str | None:
    """torch._tensor._rebuild_from_type_v2(function, type, arguments, state) calls its first argument."""
    if len(items) < 3 or not isinstance(items[0], Global):
        return "call something that cannot be read from the stream"
    function = items[0]
    status = known(function.module, function.name)
    if not status.permit & (Permit.CALL | Permit.GUARDED):
        return f"call {function.dotted}"
    if status.permit & Permit.CALL:
        return _plain(items[1:])
    return judge_arguments(function.module, function.name, items[2], None)


def _created_array(items: Sequence[Value]) -> str | None:
    """dill._dill._create_array(function, arguments, state, attributes) calls its first argument on its second."""
    function = items[0] if items else None
    if not isinstance(function, Global) or len(items) < 3:
        return "call something that cannot be read from the stream"
    if (function.module, function.name) not in _NUMPY_RECONSTRUCT:
        return f"call {function.dotted}"
    return judge_arguments(function.module, function.name, items[1], None) or _plain(items[2:])


def _size(items: Sequence[Value]) -> str | None:
    if any(isinstance(item, int) and abs(item) > _SIZE for item in items):
        return "ask for more than 256 MiB at once"
    return _plain(items)


def _pattern(items: Sequence[Value]) -> str | None:
    pattern = items[0] if items else None
    if isinstance(pattern, str | bytes) and len(pattern) <= _PATTERN:
        return None
    return "compile a pattern that cannot be judged"


def _class_by_name(items: Sequence[Value]) -> str | None:
    name = text_of(items[0]) if items else None
    return None if name is not None and name.isidentifier() and not reaching(name) else "load a type by a computed name"


_GUARDS: dict[tuple[str, str], Guard] = {
    ("builtins", "getattr"): _getattr,
    ("operator", "attrgetter"): _attribute_getter,
    ("operator", "methodcaller"): _method_caller,
    ("operator", "itemgetter"): _plain,
    ("functools", "partial"): _plain,
    ("collections", "defaultdict"): _plain,
    ("_codecs", "encode"): _codec,
    ("codecs", "encode"): _codec,
    ("torch.storage", "_load_from_bytes"): _embedded_pickle,
    ("copyreg", "_reconstructor"): _rebuilds,
    ("copyreg", "__newobj__"): _rebuilds,
    ("copyreg", "__newobj_ex__"): _rebuilds,
    ("torch._tensor", "_rebuild_from_type_v2"): _rebuild_from_type,
    ("torch._tensor", "_rebuild_from_type"): _rebuild_from_type,
    ("builtins", "bytearray"): _size,
    ("builtins", "bytes"): _size,
    ("builtins", "range"): _size,
    ("builtins", "list"): _plain,
    ("re", "_compile"): _pattern,
    ("re", "compile"): _pattern,
    ("dill._dill", "_load_type"): _class_by_name,
    ("dill._dill", "_create_array"): _created_array,
    ("dill.dill", "_create_array"): _created_array,
}
