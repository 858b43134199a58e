"""Names of functions that act on the machine instead of computing, where a configuration names what is to be called."""

from modelscan_plus.core.patterns import lazy

_DANGEROUS = lazy(
    r"^(?:os|posix|nt|subprocess|builtins|sys|shutil|socket|pty|importlib|runpy|code|ctypes|pickle|marshal|pip|webbrowser|"
    r"urllib|requests|http|ftplib|commands|asyncio|multiprocessing|threading|inspect|types|timeit|pdb|antigravity|"
    r"numpy\.load|torch\.load|torch\.hub|joblib|dill|cloudpickle|hydra\.utils|cProfile|doctest|"
    r"distutils|setuptools|site|_posixsubprocess|_thread|xmlrpc|smtplib|poplib|imaplib|telnetlib|zipimport|pkgutil|pydoc|"
    r"ensurepip|compileall|py_compile|shelve|atexit|weakref\.finalize|jsonpickle|IPython|paramiko|pexpect|plumbum|"
    r"torch\.(?:ops|classes)\.load_library|torch\.utils\.(?:cpp_extension|model_zoo)|"
    r"numpy\.(?:f2py|ctypeslib|distutils|memmap|fromfile)|pandas\.(?:eval|read_pickle)|sympy\.(?:sympify|parsing))"
    r"(?:\.|$)"
)
_HARMLESS = lazy(
    r"^(?:builtins\.(?:dict|list|tuple|set|frozenset|int|float|str|bool|bytes|complex|slice|range|len|sum|max|min|abs|round|object|"
    r"sorted|zip|map|type)|os\.(?:cpu_count|getcwd|path\.\w+)|types\.SimpleNamespace|sys\.maxsize|multiprocessing\.cpu_count)$"
)


def acts(name: str) -> bool:
    """True for a function or module that can run programs or code, or reach files or the network."""
    return _DANGEROUS.match(name) is not None and _HARMLESS.match(name) is None
