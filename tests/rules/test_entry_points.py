"""What loaders call and run counts as executed: by the name of a function, of a file, or by a path in the code."""

import json

import pytest

from modelscan_plus.core.finding import Severity
from modelscan_plus.rules.tree import judge_tree
from tests.samples import inspect, inspect_tree, tree_of

ACTS = "import os\ndef helper():\n    os.system('id')\n"
CONFIG = json.dumps({"model_type": "x", "auto_map": {"AutoModel": "modeling_x.M"}})


def worst(files: dict[str, str]) -> int:
    return max((found.severity.rank for found in inspect_tree({k: v.encode() for k, v in files.items()})), default=-1)


def defined(function: str, owner: str = "", bases: str = "") -> str:
    body = f"def {function}(*args, **kwargs):\n    os.system('id')\n"
    if not owner:
        return f"import os\n{body}"
    return f"import os\nclass {owner}({bases}):\n    " + body.replace("\n    ", "\n        ")


@pytest.mark.parametrize(
    "files",
    [
        {"hubconf.py": "dependencies = ['torch']\n" + defined("net")},
        {"corpus.py": "import datasets\n" + defined("_split_generators", "D", "datasets.GeneratorBasedBuilder")},
        {"metric.py": "import evaluate\n" + defined("_compute", "D", "evaluate.Metric")},
        {
            "MLmodel": "flavors:\n  python_function:\n    loader_module: own\n    code: code\n",
            "code/own.py": defined("_load_pyfunc"),
        },
        {
            "MLmodel": "flavors:\n  python_function:\n    model_code_path: own.py\n",
            "own.py": "import os\nos.system('id')\n",
        },
        {
            "pyproject.toml": "[build-system]\nbuild-backend = 'own'\nbackend-path = ['.']\n",
            "own.py": defined("build_wheel"),
        },
        {"pyproject.toml": "[tool.hatch.build.hooks.custom]\npath = 'own.py'\n", "own.py": defined("initialize", "H")},
        {"setup.py": "from setuptools import setup\n" + defined("run", "I")},
        {"tool/__init__.py": "", "tool/setup.py": "from setuptools import setup\n" + defined("run", "I")},
        {"conftest.py": defined("pytest_configure")},
        {"code/inference.py": defined("model_fn")},
        {
            "model/__init__.py": "",
            "model/model.py": defined("predict", "Model"),
            "config.yaml": "python_version: py311",
        },
        {"repo/net/1/__init__.py": "", "repo/net/1/model.py": defined("execute", "M"), "repo/net/config.pbtxt": "x: 1"},
        {
            "setup.py": "from setuptools import setup\nfrom tool.steps import Install\nsetup(cmdclass={'install': Install})",
            "tool/steps.py": "from setuptools.command.install import install\n" + defined("run", "Install", "install"),
        },
        {
            "setup.py": "from tool.net import VERSION, Net\nNet().forward(1)",
            "tool/net.py": "VERSION = 1\n" + defined("forward", "Net"),
        },
        {
            "setup.py": "from tool.net import VERSION",
            "tool/net.py": "VERSION = 1\n" + defined("forward", "Net"),
            "config.json": json.dumps({"auto_map": {"AutoModel": "tool.net.Net"}}),
        },
    ],
    ids=lambda files: "+".join(files),
)
def test_functions_that_loaders_call(files: dict[str, str]) -> None:
    assert worst(files) >= Severity.HIGH.rank


@pytest.mark.parametrize(
    "files",
    [
        {"hubconf.py": "dependencies = ['torch']\n" + defined("_private")},
        {"tools.py": defined("net")},
        {"conftest.py": defined("server")},
        {"tool/__init__.py": "", "tool/nets/model.py": defined("forward", "Net"), "setup.py": "import tool"},
        {"setup.py": "from tool.net import VERSION", "tool/net.py": "VERSION = 1\n" + defined("forward", "Net")},
        {
            "tool/__init__.py": "",
            "tool/setup.py": "from .steps import run\n",
            "tool/steps.py": defined("forward", "Net"),
        },
        {"pyproject.toml": "[build-system]\nbuild-backend = 'setuptools.build_meta'\n", "own.py": defined("helper")},
        {"MLmodel": "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n", "own.py": defined("helper")},
    ],
    ids=lambda files: "+".join(files),
)
def test_functions_that_nobody_calls(files: dict[str, str]) -> None:
    assert worst(files) < Severity.HIGH.rank


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("import runpy, os\nrunpy.run_path(os.path.join(os.path.dirname(__file__), 'vocab.txt'))", "vocab.txt"),
        (
            "import importlib.machinery as m\nm.SourceFileLoader('x', 'assets/logo.png').load_module()",
            "assets/logo.png",
        ),
        ("exec(open('notes.md').read())", "notes.md"),
        ("exec(open('extra/boot.py').read())", "extra/boot.py"),
        ("import runpy\nrunpy.run_path('extra/boot.py')", "extra/boot.py"),
        ("import importlib\nimportlib.import_module('helperx')", "helperx.py"),
        ("import sys\nsys.path.append('libs/a')\nimport helperx", "libs/a/helperx.py"),
        ("from .pkg.mod import x", "pkg/__init__.py"),
    ],
)
def test_files_that_are_run_by_their_path(line: str, path: str) -> None:
    model = f"{line}\nclass M:\n    pass\n"
    files = {"config.json": CONFIG, "modeling_x.py": model, path: "import os\nos.system('id')\n"}
    assert worst(files | ({"pkg/mod.py": "x = 1\n"} if "pkg" in path else {})) >= Severity.HIGH.rank


VERSION = {"tool/__init__.py": "version = '1'\n"}
READS = (
    "exec(open('tool/{}').read())",
    "for line in open('tool/{}'):\n    if 'version' in line:\n        exec(line)",
    "def read():\n    with open('tool/{}') as f:\n        exec(compile(f.read(), 'x', 'exec'))\nread()",
)


@pytest.mark.parametrize("setup", READS)
def test_setup_reads_its_version_from_python_that_is_here(setup: str) -> None:
    assert worst({"setup.py": setup.format("__init__.py"), **VERSION}) < Severity.HIGH.rank
    assert worst({"setup.py": setup.format("absent.py"), **VERSION}) >= Severity.HIGH.rank
    assert worst({"setup.py": setup.format("version"), "tool/version": "v = 1", **VERSION}) >= Severity.HIGH.rank
    acts = {"tool/__init__.py": "import os\nos.system('./thing')\n"}
    assert worst({"setup.py": setup.format("__init__.py"), **acts}) >= Severity.HIGH.rank


def test_setup_may_write_the_version_that_it_reads() -> None:
    setup = "open('tool/version.py', 'w').write({})\nexec(open('tool/version.py').read())"
    known = setup.format("f'v = {open(chr(86)).read()}'")
    assert worst({"setup.py": known, **VERSION}) < Severity.HIGH.rank
    assert worst({"setup.py": setup.format("open('notes.txt').read()"), **VERSION}) >= Severity.HIGH.rank
    model = f"{known}\nclass M:\n    pass\n"
    assert worst({"config.json": CONFIG, "modeling_x.py": model, **VERSION}) >= Severity.HIGH.rank


def test_python_of_the_repository_that_does_nothing_may_be_run() -> None:
    model = "import runpy\nrunpy.run_path('extra/boot.py')\nclass M:\n    pass\n"
    assert worst({"config.json": CONFIG, "modeling_x.py": model, "extra/boot.py": "x = 1\n"}) < Severity.HIGH.rank
    unused = {
        "config.json": CONFIG,
        "modeling_x.py": "class M:\n    pass\n",
        "extra/boot.py": "import os\nos.system('id')\n",
    }
    assert worst(unused) < Severity.HIGH.rank


ENTRY = "import importlib, torch\nfrom transformers import AutoModel\nclass M:\n    def __init__(self, config):\n        {}\n"


@pytest.mark.parametrize(
    ("line", "high"),
    [
        ("torch.hub.load('someone/net', 'tower', trust_repo=True)", True),
        ("torch.hub.load(model='tower', repo_or_dir='someone/net', trust_repo=True)", True),
        ("torch.hub.load('facebookresearch/dinov2', 'dinov2_vits14')", False),
        ("torch.hub.load(repo_or_dir='snakers4/silero-vad', model='silero_vad')", False),
        ("torch.hub.load(config.repo, config.entry, source='local')", False),
        ("AutoModel.from_pretrained('someone/aux', trust_remote_code=True)", True),
        ("AutoModel.from_pretrained(config._name_or_path, trust_remote_code=True)", False),
        ("AutoModel.from_pretrained('google/siglip')", False),
        ("exec(bytes(self.norm.weight.numpy()).decode())", True),
        ("for n in range(3): exec(f'self.conv{n} = torch.nn.Conv1d(1, 1, 1)')", False),
        ("eval(open('act.txt').read())", True),
        ("self.act = getattr(torch.nn, config.act)()", False),
    ],
)
def test_code_from_elsewhere_in_a_model(line: str, high: bool) -> None:
    files = {"config.json": CONFIG, "modeling_x.py": ENTRY.format(line)}
    assert (worst(files) >= Severity.HIGH.rank) is high


@pytest.mark.parametrize(
    ("config", "high"),
    [
        ({"rope": "__import__('os').system('id')"}, True),
        ({"act": "(lambda: open('/x') or eval('1'))()", "cb": "getattr(os, 'system')('id')"}, True),
        ({"hidden_act": "gelu_new", "rope": "linear (factor=2)", "act": "lambda x: torch.relu(x)"}, False),
        (
            {"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wAA"}}}},
            True,
        ),
        ({"class_name": "Lambda", "config": {"function": ["4wAA", None, None], "function_type": "lambda"}}, True),
        ({"class_name": "Lambda", "config": {"function": {"class_name": "__tuple__", "items": ["4wAA", None]}}}, True),
        ({"class_name": "Lambda", "config": {"function": {"items": ["4wAA"]}, "function_type": "lambda"}}, True),
        ({"class_name": "Lambda", "config": {"function": "scale", "function_type": "function"}}, False),
        ({"class_name": "Lambda", "config": {"function": {"class_name": "function", "config": "scale"}}}, False),
        ({"layers": [{"module": "subprocess", "class_name": "Popen", "config": {}}]}, True),
        ({"layers": [{"module": "keras.utils", "class_name": "function", "config": "get_file"}]}, True),
        ({"layers": [{"module": "builtins", "class_name": "function", "config": "exec"}]}, True),
        ({"layers": [{"module": "builtins", "class_name": "function", "config": "relu6"}]}, False),
        ({"layers": [{"module": "keras.layers", "class_name": "Dense", "config": {}}]}, False),
    ],
)
def test_code_in_a_configuration(config: dict[str, object], high: bool) -> None:
    assert (worst({"config.json": json.dumps(config)}) >= Severity.HIGH.rank) is high


def test_data_may_hold_code() -> None:
    assert worst({"data.json": json.dumps({"text": "__import__('os').system('id')"})}) < Severity.HIGH.rank


def test_the_program_of_a_space_may_use_the_network() -> None:
    app = (
        "import os, requests\nrequests.post('https://api.service.example', headers={'K': os.environ['SERVICE_KEY']})\n"
    )
    for code, high in ((app, False), ("import os\nos.system('sh install')\n", True)):
        tree = tree_of({"app.py": code.encode(), "README.md": b"# app\n"}, kind="hub")
        assert any(found.severity.rank >= Severity.HIGH.rank for found in judge_tree(tree)[0]) is high


@pytest.mark.parametrize(
    ("owner", "high"),
    [
        ("someone/other", True),
        ("nomic-ai/nomic-bert-2048", False),
        ("nomlc-ai/nomic-bert-2048", True),
        ("Qwen/x", False),
    ],
)
def test_code_of_owners_that_many_models_take_over(owner: str, high: bool) -> None:
    config = json.dumps({"auto_map": {"AutoModel": f"{owner}--modeling_x.X"}}).encode()
    found = inspect(config, "config.json").findings
    assert {each.rule for each in found} == {"MSP5030"}
    assert any(each.severity.rank >= Severity.HIGH.rank for each in found) is high


def test_no_padding_hides_what_a_configuration_names() -> None:
    foreign = {"auto_map": {"AutoModel": "someone/other--modeling_x.X"}}
    lambda_layer = {"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__"}}}
    dense = [
        {"module": "keras.layers", "class_name": f"Dense{number}", "config": {"n": [1]}} for number in range(20_000)
    ]
    numbers = list(range(120_000))
    for config in (
        {**foreign, "z": [["x"]] * 60_000},  # keys are looked at from the last to the first
        {**foreign, "z": numbers},
        {"auto_map": {f"Auto{number}": "modeling_x.X" for number in range(300)}} | {"custom_pipelines": {}} | {
            "auto_map2": 0
        } | {"sub": foreign},
        {"z": [lambda_layer, *dense]},
        {"z": [*dense, lambda_layer]},
        {**foreign, "pad": "x" * (5 << 20)},
    ):  # fmt: skip
        assert worst({"config.json": json.dumps(config)}) >= Severity.HIGH.rank


def test_what_is_not_looked_at_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps({"a": [["x"]] * 50}).encode()
    assert not inspect(data, "config.json").coverage.reasons
    monkeypatch.setattr("modelscan_plus.formats.text.configkeys._VALUES", 20)
    assert [reason.code for reason in inspect(data, "config.json").coverage.reasons] == ["json-values"]
    monkeypatch.setattr("modelscan_plus.formats.text.config.SETTINGS", 40)
    assert [reason.code for reason in inspect(data, "config.json").coverage.reasons] == ["json-too-large"]
    assert "json-too-large" not in [reason.code for reason in inspect(data, "data.json").coverage.reasons]


def test_words_of_a_vocabulary_are_no_paths() -> None:
    words = ["/", "//", "..", "~/.bashrc", "\\\\host", "https://"]
    lookup = {"class_name": "StringLookup", "config": {"vocabulary": words}}
    tokenizer = {"model": {"type": "Unigram", "vocab": [[word, -1.0] for word in words]}}
    for name, config in (("config.json", {"layers": [lookup]}), ("tokenizer.json", tokenizer)):
        assert worst({name: json.dumps(config)}) < Severity.LOW.rank
    file = {"class_name": "StringLookup", "config": {"vocabulary": "/home/user/.aws/credentials"}}
    assert worst({"config.json": json.dumps({"layers": [file]})}) >= Severity.HIGH.rank
