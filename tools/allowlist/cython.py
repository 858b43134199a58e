"""Extension classes of .pyx sources, by a tolerant reader of lines.

Cython's `cdef class` is made by tp_new, which runs `__cinit__`, and restored by `__setstate__` or by the pair
`__pyx_unpickle_NAME` and `__setstate_cython__`, which Cython writes for classes whose fields Python can hold. Where a
class has neither `__cinit__` nor `__setstate__` of its own nor `__dealloc__`, only Cython's own code runs, which checks
the types of the fields. All others need a person and stand in the seed: C code trusts lengths and counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_CLASS = re.compile(r"^(?:cdef\s+(?:public\s+|api\s+)?class|class)\s+(\w+)\s*(?:\(([^)]*)\))?\s*(?:\[[^\]]*\])?\s*:")
_METHOD = re.compile(r"^\s+(?:def|cpdef|cdef)\s+(?:[\w\[\]:, .*]+\s)?\*?(\w+)\s*\(")
_HOOKS = frozenset(
    """__cinit__ __dealloc__ __setstate__ __setattr__ __getattr__ __getattribute__ __del__ __new__ __setitem__ append
    extend add __eq__ __hash__ __richcmp__ __iter__ __len__ __getitem__ __set__""".split()
)
_OPAQUE = frozenset({"object", "Exception", "ValueError", "dict", "list"})


@dataclass(slots=True)
class _Extension:
    name: str
    base: str
    extension: bool
    methods: set[str] = field(default_factory=set)


def rebuildable(source: str) -> Iterator[str]:
    """Names of the extension classes for which only Cython's own code runs while loading, and of their unpicklers."""
    classes = {cls.name: cls for cls in _read(source)}
    for cls in classes.values():
        if cls.extension and _plain(cls, classes):
            yield cls.name


def _plain(cls: _Extension, classes: dict[str, _Extension]) -> bool:
    seen: set[str] = set()
    while True:
        if cls.methods & _HOOKS or cls.name in seen:
            return False
        seen.add(cls.name)
        if not cls.base or cls.base in _OPAQUE:
            return True
        if cls.base not in classes:
            return False
        cls = classes[cls.base]


def _read(source: str) -> Iterator[_Extension]:
    current: _Extension | None = None
    for line in source.splitlines():
        if line and not line[0].isspace():
            if current is not None and not line.startswith(("#", ")", "@")):
                yield current
                current = None
            if found := _CLASS.match(line):
                current = _Extension(found[1], (found[2] or "").strip(), line.startswith("cdef"))
        elif current is not None and (found := _METHOD.match(line)):
            current.methods.add(found[1])
    if current is not None:
        yield current
