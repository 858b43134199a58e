"""The generator of the allow-list: what it lets through, what it refuses, on libraries small enough to read."""

import textwrap

import pytest

from modelscan_plus.rules.allowlist import Permit, allow_list, permit
from tools.allowlist.__main__ import DATA, HERE
from tools.allowlist.build import judge
from tools.allowlist.cython import rebuildable
from tools.allowlist.fetch import Library, Sources, read_manifest
from tools.allowlist.merge import Merged, Seed, combine, read_seeds
from tools.allowlist.policy import Policy, read_policy
from tools.allowlist.symbols import parse
from tools.allowlist.universe import ParsedSources
from tools.allowlist.verdicts import Verdict

REBUILD = Permit.IMPORT | Permit.REBUILD


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(HERE / "policy.toml")


def verdicts(policy: Policy, modules: dict[str, str], context: dict[str, str] | None = None) -> dict[str, Permit]:
    """ "module:name": permit, of a library made of `modules`."""
    texts = {name: textwrap.dedent(text) for name, text in modules.items()}
    packages = frozenset(name for name in texts if any(other.startswith(f"{name}.") for other in texts))
    sources = Sources(Library("lib", ("lib",), ("1",)), "1", texts, packages, {})
    others = {name: ParsedSources({name: textwrap.dedent(text)}, ()) for name, text in (context or {}).items()}
    found = judge(sources, others, policy, policy.bases)
    return {f"{verdict.module}:{verdict.name}": verdict.permit for verdict in found}


def permit_of(policy: Policy, text: str, name: str = "C") -> Permit:
    return verdicts(policy, {"lib.m": text})[f"lib.m:{name}"]


HARMLESS = {
    "no hook at all": "class C:\n def fit(self): exec(self.code)",
    "state is stored": "class C:\n def __setstate__(self, state): self.__dict__.update(state)",
    "a version is compared": """
        import warnings
        class C:
            def __setstate__(self, state):
                if state.pop("version", None) != 1:
                    warnings.warn("other version")
                super().__setstate__(state)""",
    "a helper that stays inside": """
        class C:
            def __setstate__(self, state):
                self._restore(state)
            def _restore(self, state):
                for key, value in state.items():
                    setattr(self, key, value)""",
    "an attribute of another object, not called": """
        class C:
            def __getattr__(self, name):
                return getattr(self.inner, name)""",
    "an error is raised": """
        class C:
            def __setstate__(self, state):
                if not state: raise RuntimeError(build_message(state))
                self.x = state""",
}
HARMFUL = {
    "exec in __setstate__": "class C:\n def __setstate__(self, state): exec(state['code'])",
    "exec two calls away": """
        class C:
            def __setstate__(self, state):
                self.__dict__.update(state)
                self._attach()
            def _attach(self):
                helper(self.template)
        def helper(text):
            exec(text, {})""",
    "a file removed when the object dies": """
        import os
        class C:
            def __del__(self):
                os.unlink(self.path)""",
    "the same under another name": """
        from os import unlink as forget
        class C:
            def __del__(self):
                forget(self.path)""",
    "imported inside the hook": """
        class C:
            def __setstate__(self, state):
                import subprocess as s
                s.run(state)""",
    "a value of the state is called": "class C:\n def __setstate__(self, state): state['make']()",
    "a parameter is called": "class C:\n def __new__(cls, make): return make(cls)",
    "getattr is called": "class C:\n def __setstate__(self, state): getattr(self, state['name'])()",
    "map over a parameter": "class C:\n def __setstate__(self, state):\n  f = state[0]\n  list(map(f, state[1]))",
    "through a property": """
        class C:
            def __setstate__(self, state):
                self.__dict__.update(state)
                self.model
            @property
            def model(self):
                return open(self.path)""",
    "through a property's setter": """
        class C:
            @property
            def path(self): return self._path
            @path.setter
            def path(self, value): self.data = open(value).read()""",
    "when it is hashed": "class C:\n def __hash__(self): return eval(self.code)",
    "when items are added": "class C(list):\n def append(self, item): item()",
    "when something is appended to it": "class C:\n def append(self, item): eval(item)",
    "when it is iterated": "class C:\n def __iter__(self): return iter(open(self.path))",
    "when an attribute is missing": "class C:\n def __getattr__(self, name): return __import__(name)",
    "an unknown base": "from elsewhere import Base\nclass C(Base): pass",
    "a library's own loader": "import torch\nclass C:\n def __setstate__(self, state): self.x = torch.load(state)",
    "a constructor that opens": """
        class C:
            def __setstate__(self, state):
                self.other = D(state)
        class D:
            def __init__(self, path):
                self.file = open(path)""",
    "a base's hook": "class B:\n def __setstate__(self, state): exec(state)\nclass C(B): pass",
    "a hook that is assigned": "def restore(self, s): exec(s)\nclass C:\n __setstate__ = restore",
    "a hook under another name": "class C:\n def f(self, s): exec(s)\n __setstate__ = f",
    "the type of a value is called": "class C:\n def __setstate__(self, s): type(s)(s)",
    "its own override of what the base's hook calls": """
        class B:
            def __setstate__(self, state):
                self.restore(state)
            def restore(self, state): pass
        class C(B):
            def restore(self, state): exec(state)""",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_a_class_without_side_effects_may_be_rebuilt(policy: Policy, text: str) -> None:
    assert permit_of(policy, text) & REBUILD == REBUILD


@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL)
def test_a_class_whose_hooks_reach_out_or_are_unclear_is_not_listed(policy: Policy, text: str) -> None:
    assert permit_of(policy, text) is Permit.NONE


@pytest.mark.parametrize(
    "text",
    [
        "class C:\n def __init__(self, a, b=1):\n  self.a = a\n  self.b = b",
        "from enum import Enum\nclass C(Enum):\n RED = 1",
        "from dataclasses import dataclass\n@dataclass\nclass C:\n x: int = 0",
        "class C(ValueError):\n def __init__(self, a): super().__init__(a)",
        "import collections\nC = collections.namedtuple('C', 'a b')",
    ],
)
def test_a_constructor_that_stores_its_arguments_may_be_called(policy: Policy, text: str) -> None:
    assert permit_of(policy, text) & Permit.CALL


@pytest.mark.parametrize(
    "text",
    [
        "class C:\n def __init__(self, path): self.text = open(path).read()",
        "class C:\n def __init__(self, make): self.x = make()",
        "class M(type):\n def __call__(cls, x): eval(x)\nclass C(metaclass=M): pass",
        "from dataclasses import dataclass\n@dataclass\nclass C:\n x: str\n def __post_init__(self): eval(self.x)",
        "from enum import Enum\nclass C(Enum): pass",
        "import torch\nclass C(torch.Tensor): pass",
        "import numpy as np\nclass C:\n def __init__(self, size): self.x = np.zeros(size)",
    ],
)
def test_a_constructor_that_does_more_is_not_to_be_called(policy: Policy, text: str) -> None:
    assert not permit_of(policy, text) & Permit.CALL


def test_a_function_may_be_referred_to_unless_it_reaches_a_side_effect(policy: Policy) -> None:
    text = """
        import os
        def relu(x): return max(x, 0)
        def _load_part(x): return x
        def bad(x): os.system(x)
        def worse(x): bad(x)
    """
    assert permit_of(policy, text, "relu") is Permit.IMPORT
    assert permit_of(policy, text, "_load_part") is Permit.NONE
    assert permit_of(policy, text, "bad") is Permit.NONE
    assert permit_of(policy, text, "worse") is Permit.NONE


def test_a_target_of_reduce_may_be_called_when_it_is_clean(policy: Policy) -> None:
    text = """
        def rebuild(a): return (a, 1)
        def reread(a): return open(a)
        def apply(f): return f()
        def other(a): return a
        class C:
            def __reduce__(self): return rebuild, (1,)
        class D:
            def __reduce__(self): return (reread, (1,))
        class E:
            def __reduce__(self): return apply, (1,)
    """
    found = verdicts(policy, {"lib.m": text})
    assert found["lib.m:rebuild"] == Permit.IMPORT | Permit.CALL
    assert found["lib.m:reread"] is Permit.NONE
    assert found["lib.m:apply"] is found["lib.m:other"] is Permit.IMPORT


def test_names_are_followed_through_re_exports_stars_and_other_libraries(policy: Policy) -> None:
    found = verdicts(
        policy,
        {
            "lib": "from .base import *",
            "lib.base": "from other import Root\nclass Base(Root): pass",
            "lib.m": "import lib\nfrom . import Base as B\nclass C(B): pass\nclass D(lib.Base): pass",
            "lib.circle": "from lib.circle import X\nclass E(X): pass",
        },
        {"other": "class Root:\n def __setstate__(self, state): exec(state)"},
    )
    assert found["lib.m:C"] is found["lib.m:D"] is found["lib.base:Base"] is found["lib.circle:E"] is Permit.NONE


def test_a_class_is_also_listed_where_it_says_that_it_belongs(policy: Policy) -> None:
    text = "from lib.u import set_module\n@set_module('lib')\nclass C: pass\nclass D:\n __module__ = 'lib.public'"
    found = verdicts(policy, {"lib.m": text})
    assert found["lib:C"] & REBUILD
    assert found["lib.public:D"] & REBUILD


@pytest.mark.parametrize("name", ["lib.tests.m", "lib.cli", "lib.__main__", "lib.test_m", "lib.hub.m", "numpy.f2py.m"])
def test_entry_points_tests_and_downloaders_are_left_out(policy: Policy, name: str) -> None:
    assert not verdicts(policy, {name: "class C: pass"})


def test_a_module_that_acts_on_import_is_left_out(policy: Policy) -> None:
    text = "import subprocess\nversion = subprocess.check_output(['git'])\nclass C: pass"
    assert not verdicts(policy, {"lib.m": text})
    assert verdicts(policy, {"lib.m": text.replace("version =", "def f(): return")})


def test_only_extension_classes_without_hooks_of_their_own_are_taken_from_cython() -> None:
    text = """
cdef class Plain:
    cdef double x
    def predict(self, y):
        return y

cdef class Child(Plain):
    pass

cdef class Owner:
    def __cinit__(self, n):
        self.p = malloc(n)
    def __dealloc__(self):
        free(self.p)

cdef class Heir(Owner):
    pass

cdef class Restored:
    def __setstate__(self, state):
        memcpy(self.p, state, 10)

class Python:
    pass
"""
    assert list(rebuildable(text)) == ["Plain", "Child"]


def test_a_name_gets_what_every_version_grants_it() -> None:
    merged = Merged()
    both = REBUILD | Permit.CALL
    merged.add([Verdict("m", "A", both), Verdict("m", "B", REBUILD), Verdict("m", "C", REBUILD)])
    merged.add(
        [Verdict("m", "A", REBUILD), Verdict("m", "B", Permit.NONE), Verdict("m", "C", Permit.NONE, unread=True)]
    )
    seed = Seed(("m",), ("D",), Permit.IMPORT | Permit.GUARDED, "reviewed (source)")
    table = combine(merged, [seed], {"m": "lib 1 2"})
    assert table.modules == {"m": {"3": "A C", "9": "D"}}
    assert table.seeds == {"m": {"0": "D"}}
    assert table.reasons == ["reviewed (source)"]


def test_source_that_cannot_be_parsed_is_no_module() -> None:
    assert parse("lib.m", "print 'python 2'", package=False) is None


def test_the_packaged_list_holds_the_reviewed_entries_as_they_stand() -> None:
    for seed in read_seeds(DATA / "allow_seed.toml"):
        for module in seed.modules:
            for name in seed.names:
                assert permit(module, name), f"{module}:{name}: run python -m tools.allowlist build"
                assert seed.reason in allow_list().reasons


def test_every_library_of_the_manifest_was_read() -> None:
    for library in read_manifest(HERE / "sources.toml"):
        for package in library.packages:
            assert allow_list().sources[package].startswith(library.name)
