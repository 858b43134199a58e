"""Arguments that decide: callables on the allow-list that take callables, names, codecs, sizes or pickles.

A guard gets the argument list of one call and answers with what is wrong with it, as a phrase that completes
"… with arguments that", or None when these arguments make the call harmless.
"""

import math
import re
from collections.abc import Callable, Sequence

from modelscan_plus.formats.pickle.values import Blob, Call, Global, Items, Value, sequence, text_of
from modelscan_plus.rules.allowlist import Permit
from modelscan_plus.rules.callables import Standing, known

_CANONICAL = {
    "__builtin__": "builtins", "copy_reg": "copyreg", "_operator": "operator", "_functools": "functools",
    "_collections": "collections",
}  # fmt: skip
_SIZE = 1 << 28
"""Bytes or items that one argument may ask for before it is a bomb."""
_PATTERN = 20_000
_DIGITS = 4300
"""Digits of a number that Python itself converts; its own limit for texts."""
_NUMBERS = frozenset({"Decimal", "Fraction", "int", "float"})
_CODECS = frozenset(
    "latin1 latin-1 latin_1 iso-8859-1 iso8859-1 utf8 utf-8 utf_8 ascii us-ascii raw_unicode_escape".split()
)
_REACHING = frozenset(
    """system popen exec eval execfile compile open import_module modules environ loads load fork spawn run call
    check_output check_call Popen FileIO write_text write_bytes unlink remove rmtree rename connect urlopen""".split()
)
"""Attributes that no honest getattr in a model asks for."""

_NUMPY_RECONSTRUCT = {(module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")}
_BIT_GENERATOR_CTOR = ("numpy.random._pickle", "__bit_generator_ctor")
_SINGLETONS = frozenset({"Ellipsis", "NotImplemented"})
_ITERATORS = frozenset({"iter", "zip", "map", "filter", "enumerate", "reversed"})

Guard = Callable[[Sequence[Value]], str | None]
_WALKING = frozenset(
    {("builtins", name) for name in ("tuple", "set", "frozenset", "dict")}
    | {("collections", name) for name in ("deque", "OrderedDict", "Counter")}
)
"""Callables that the allow-list lets be called with any arguments, but that walk what they are given."""
_COUNTING = frozenset({("builtins", "int"), ("fractions", "Fraction")})
"""The same of callables that convert what they are given to a number."""


def judge_cost(module: str, name: str, arguments: Value) -> str | None:
    """What is wrong with the arguments of a permitted call whose arguments decide what it costs, or None."""
    place = _canonical(module), name
    if place in _WALKING:
        return _exhausts(sequence(arguments) or ())
    if place in _COUNTING:
        return _integer(sequence(arguments) or ())
    return None


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
    return _CANONICAL.get(module, module)


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
    if isinstance(base, Items | tuple | str | bytes | int | float) and not name.startswith("__"):
        return None  # a method of a list, a dict, a text or a number
    if isinstance(base, Global):
        status = known(base.module, f"{base.name}.{name}")
        if status.standing is Standing.PERMITTED:
            return None
        if status.standing is Standing.DANGEROUS:
            return f"reach {status.crosses or status.module + '.' + status.name}"
        if known(base.module, base.name).standing in (Standing.STDLIB, Standing.IMPOSSIBLE):
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
    target = items[0] if items else None
    if isinstance(target, Global):
        status = known(target.module, target.name)
        if status.standing is Standing.DANGEROUS or status.standing is Standing.IMPOSSIBLE:
            return f"rebuild {target.dotted}"
        if status.standing is Standing.PERMITTED and not status.permit & (Permit.REBUILD | Permit.CALL):
            return f"rebuild {target.dotted}, which is no plain value"
    return _plain(items[1:])


def _reconstructor(items: Sequence[Value]) -> str | None:
    """copyreg._reconstructor(cls, base, state) calls base.__new__(cls, state) and base.__init__(object, state)."""
    base = items[1] if len(items) > 1 else None
    if not isinstance(base, Global):
        return "initialise with a base that cannot be read from the stream"
    status = known(base.module, base.name)
    if not status.permit & (Permit.CALL | Permit.GUARDED):
        return f"run the constructor of {base.dotted}"
    return _rebuilds([items[0], *items[2:]])


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
    return _exhausts(items)


def _shape(items: Sequence[Value]) -> str | None:
    """numpy's and torch's constructors allocate the product of a shape."""
    for item in items:
        sizes = [part for part in sequence(item) or (item,) if isinstance(part, int)]
        if math.prod(max(1, abs(size)) for size in sizes) > _SIZE:
            return "ask for an array of more than 2^28 elements"
    return _plain(items)


def _exhausts(items: Sequence[Value]) -> str | None:
    """list(x), bytes(x) and the like walk x, str(x) prints it: a lazy iterator or an object's own method runs."""
    for item in items:
        if isinstance(item, Call) and isinstance(item.function, Global):
            module, name = _canonical(item.function.module), item.function.name
            if module == "itertools" or (module == "builtins" and name in _ITERATORS):
                return f"exhaust the iterator {item.function.dotted}(…)"
            if item.opcode in ("NEWOBJ", "NEWOBJ_EX") or name in ("_reconstructor", "__newobj__", "__newobj_ex__"):
                return "run the conversion methods of a rebuilt object"
    return _plain(items)


def _iterator(items: Sequence[Value]) -> str | None:
    """iter(callable, sentinel) calls its first argument again and again."""
    return "call a function until it returns a sentinel" if len(items) > 1 else _plain(items)


def _class_first(items: Sequence[Value]) -> str | None:
    """The first argument is a class whose __new__ is called with the others."""
    target = items[0] if items else None
    if isinstance(target, Global):
        status = known(target.module, target.name)
        if not status.permit & (Permit.REBUILD | Permit.CALL | Permit.GUARDED) or target.name == "memmap":
            return f"rebuild {target.dotted}, which is no plain value"
    elif not isinstance(target, Call):
        return "rebuild something that is no class"
    return _plain(items)


_UFUNC_MODULES = frozenset(
    """numpy numpy.core.umath numpy.core._multiarray_umath numpy._core.umath numpy._core._multiarray_umath scipy.special
    scipy.special._ufuncs""".split()
)


def _ufunc(items: Sequence[Value]) -> str | None:
    """numpy.core._ufunc_reconstruct("numpy", "log1p") imports the module and looks the name up in it."""
    module, name = (text_of(item) for item in items) if len(items) == 2 else (None, None)
    known_place = module in _UFUNC_MODULES and name is not None and name.isidentifier()
    return None if known_place and not reaching(name or "") else "import a module by name"


def _memmap(items: Sequence[Value]) -> str | None:
    """numpy.memmap(path, …) opens, makes or cuts the file; only numpy's _reconstruct makes one without."""
    return "open a file" if items else None


def _zone_file(items: Sequence[Value]) -> str | None:
    """dateutil.tz.tzfile(None, path) reads the file."""
    path = text_of(items[1]) if len(items) == 2 and items[0] is None else None
    if path is None:
        return "read an object that is given"
    inside = path.startswith(
        ("/usr/share/zoneinfo/", "/usr/lib/zoneinfo/", "/usr/share/lib/zoneinfo/", "/etc/localtime")
    )
    return None if inside and ".." not in path else f"read {path}"


def _sorted(items: Sequence[Value]) -> str | None:
    """A key function, where there is one, is called for every item."""
    if not items or any(isinstance(item, Global | Call) for item in items):
        return "call a key function"
    return _plain(items)


def _integer(items: Sequence[Value]) -> str | None:
    """int("9" * 10**7), int(Decimal("1e99999999")): numbers whose digits alone fill the memory or hours."""
    for item in items:
        text = text_of(item)
        if isinstance(item, Blob) or (text is not None and len(text) > _DIGITS):
            return "convert a text of many digits"
        found = re.search(r"[eE]\+?(\d+)", text) if text is not None else None
        if found is not None and (len(found.group(1)) > 5 or int(found.group(1)) > _DIGITS):
            return "ask for a number of many digits"
        if isinstance(item, Call) and isinstance(item.function, Global) and item.function.name in _NUMBERS:
            inner = _integer(sequence(item.arguments) or ())
            if inner is not None:
                return inner
    return _exhausts(items)


def _typing_item(items: Sequence[Value]) -> str | None:
    """operator.getitem(typing.List, int): how subscripted types are pickled. Other objects run their __getitem__."""
    base = items[0] if items else None
    of_typing = isinstance(base, Global) and base.module in ("typing", "typing_extensions")
    return _plain(items) if of_typing else "index something that is no type"


def _union(items: Sequence[Value]) -> str | None:
    """functools.reduce(operator.or_, (int, str)): how `int | str` is pickled."""
    function = items[0] if items else None
    is_or = (
        isinstance(function, Global)
        and _canonical(function.module) == "operator"
        and function.name in ("or_", "__or__")
    )
    return _plain(items) if is_or and len(items) == 2 else "call its first argument on the others"


def _type_of(items: Sequence[Value]) -> str | None:
    """type(None), type(...), type(NotImplemented); with three arguments it makes a class."""
    if len(items) == 1 and (items[0] is None or (isinstance(items[0], Global) and items[0].name in _SINGLETONS)):
        return None
    return "make a class, or ask for the class of an object"


def _jax_array(items: Sequence[Value]) -> str | None:
    """jax._src.array._reconstruct_array(function, arguments, …) calls its first argument on its second."""
    function = items[0] if items else None
    if not isinstance(function, Global) or (function.module, function.name) not in _NUMPY_RECONSTRUCT:
        return "call something else than numpy's own constructor of arrays"
    return _plain(items[1:])


def _generator_ctor(items: Sequence[Value]) -> str | None:
    """numpy.random._pickle.__generator_ctor(name, ctor) calls ctor(name)."""
    ctor = items[1] if len(items) > 1 else None
    if ctor is None or (isinstance(ctor, Global) and (ctor.module, ctor.name) == _BIT_GENERATOR_CTOR):
        return _plain(items)
    return "call something else than numpy's own constructor of bit generators"


def _pattern(items: Sequence[Value]) -> str | None:
    pattern = items[0] if items else None
    if isinstance(pattern, Call) and _is_encoded_text(pattern):
        pattern = (sequence(pattern.arguments) or [None])[0]
    length = pattern.length if isinstance(pattern, Blob) else len(pattern) if isinstance(pattern, str | bytes) else None
    if length is not None and length <= _PATTERN:
        return None
    return "compile a pattern that cannot be judged"


def _class_by_name(items: Sequence[Value]) -> str | None:
    name = text_of(items[0]) if items else None
    return None if name is not None and name.isidentifier() and not reaching(name) else "load a type by a computed name"


_NUMPY_ARRAYS = ("_reconstruct", "ndarray", "recarray", "matrix", "chararray")

_GUARDS: dict[tuple[str, str], Guard] = {
    ("builtins", "getattr"): _getattr,
    ("builtins", "iter"): _iterator,
    ("dateutil.tz.tz", "tzfile"): _zone_file,
    ("dateutil.tz", "tzfile"): _zone_file,
    ("numpy.core", "_ufunc_reconstruct"): _ufunc,
    ("numpy._core", "_ufunc_reconstruct"): _ufunc,
    ("numpy", "memmap"): _memmap,
    ("numpy.core.memmap", "memmap"): _memmap,
    ("numpy._core.memmap", "memmap"): _memmap,
    **{
        (module, name): _sorted
        for module in (
            "sortedcontainers", "sortedcontainers.sortedlist", "sortedcontainers.sorteddict",
            "sortedcontainers.sortedset",
        )
        for name in ("SortedList", "SortedKeyList", "SortedDict", "SortedSet")
    },
    ("hdbscan.dist_metrics", "newObj"): _class_first,
    ("hdbscan._hdbscan_tree", "newObj"): _class_first,
    ("pynndescent.distances", "newObj"): _class_first,
    ("builtins", "type"): _type_of,
    ("builtins", "reduce"): _union,
    ("functools", "reduce"): _union,
    ("operator", "getitem"): _typing_item,
    ("operator", "attrgetter"): _attribute_getter,
    ("operator", "methodcaller"): _method_caller,
    ("operator", "itemgetter"): _plain,
    ("functools", "partial"): _plain,
    ("collections", "defaultdict"): _plain,
    ("_codecs", "encode"): _codec,
    ("codecs", "encode"): _codec,
    ("torch.storage", "_load_from_bytes"): _embedded_pickle,
    ("copyreg", "_reconstructor"): _reconstructor,
    ("copyreg", "__newobj__"): _rebuilds,
    ("copyreg", "__newobj_ex__"): _rebuilds,
    **{
        (module, name): _rebuild_from_type
        for module in ("torch._tensor", "torch.tensor")
        for name in ("_rebuild_from_type", "_rebuild_from_type_v2")
    },
    **{("builtins", name): _size for name in ("bytearray", "bytes", "range", "xrange", "memoryview", "buffer")},
    **{("builtins", name): _exhausts for name in ("list", "str", "unicode", "basestring")},
    **{
        (module, name): _shape
        for module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
        for name in _NUMPY_ARRAYS
    },
    ("torch", "Tensor"): _shape,
    ("re", "_compile"): _pattern,
    ("re", "compile"): _pattern,
    ("sre", "_compile"): _pattern,
    ("sre", "compile"): _pattern,
    ("numpy.random._pickle", "__generator_ctor"): _generator_ctor,
    ("numpy.random._pickle", "__randomstate_ctor"): _generator_ctor,
    ("numpy.ma.core", "_mareconstruct"): _class_first,
    ("numpy.ma.mrecords", "_mrreconstruct"): _class_first,
    ("pandas.core.indexes.base", "_new_Index"): _class_first,
    ("pandas.core.indexes.datetimes", "_new_DatetimeIndex"): _class_first,
    ("pandas.core.indexes.period", "_new_PeriodIndex"): _class_first,
    ("pandas.core.indexes.interval", "_new_IntervalIndex"): _class_first,
    ("pandas.core.indexes.interval", "_new_TimedeltaIndex"): _class_first,
    ("pandas.core.indexes.timedeltas", "_new_IntervalIndex"): _class_first,
    ("pandas.core.indexes.timedeltas", "_new_TimedeltaIndex"): _class_first,
    **{
        (f"sklearn.{module}", "newObj"): _class_first
        for module in (
            "metrics._dist_metrics", "neighbors._ball_tree", "neighbors._dist_metrics", "neighbors._kd_tree",
            "neighbors._quad_tree", "neighbors.ball_tree", "neighbors.dist_metrics", "neighbors.kd_tree",
            "neighbors.quad_tree",
        )
    },
    ("jax._src.array", "_reconstruct_array"): _jax_array,
    ("jax._src.device_array", "reconstruct_device_array"): _jax_array,
    ("jax.interpreters.xla", "reconstruct_device_array"): _jax_array,
    ("dill._dill", "_load_type"): _class_by_name,
    ("dill.dill", "_load_type"): _class_by_name,
    ("dill._dill", "_create_array"): _created_array,
    ("dill.dill", "_create_array"): _created_array,
}  # fmt: skip
