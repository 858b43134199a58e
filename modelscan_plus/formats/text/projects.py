"""Files in which a project names Python code of its own that a tool then runs.

- `MLmodel` (MLflow): `loader_module`, found below `code`, is imported and its `_load_pyfunc` called; `model_code_path`
  is run.
- `pyproject.toml`: `build-backend` below `backend-path` is imported by pip (PEP 517), `tool.setuptools.cmdclass` and
  `tool.setuptools.dynamic.….attr` by setuptools, the scripts of poetry and hatch by these.
"""

import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.summaries import CodeReference
from modelscan_plus.formats.text.toml import read_toml

_MOST = 100
_ML = lazy(r"(?:^|[\s{,])(loader_module|code|model_code_path|python_model)\s*:\s*[\"']?([\w./-]{1,200})", re.M)

_PLUGINS = lazy(r"(?:vllm|sglang|spacy|mlflow|transformers|lm_eval|axolotl|kedro|trl|verl|ray|nemo)\b")
_ENTRY_POINTS = lazy(
    r"^(?:vllm|sglang|spacy|mlflow|lm_eval|axolotl|kedro|verl|nemo)[\w.]*\s*=[^\S\n]*\n\s+\S+\s*=\s*([\w.]+:\w+)", re.M
)
_OF_SETUP = lazy(
    r"[\"'](?:vllm|sglang|spacy|mlflow|lm_eval|axolotl|kedro|verl|nemo)[\w.]*[\"']\s*:\s*\[?\s*[\"'][\w.-]+\s*=\s*([\w.]+:\w+)[\"']"
)
"""Groups of entry points of which programs that load models call each."""


def code_references(name: str, text: str) -> tuple[CodeReference, ...]:
    """Code that the file names, as "module.attribute" seen from its folder."""
    found: Iterator[tuple[str, str]] = iter(())
    if name == "MLmodel":
        found = _mlflow(text)
    elif name == "pyproject.toml":
        found = _project(read_toml(text) or {})
    elif name == "setup.cfg":
        found = (("entry-points", value.replace(":", ".")) for value in _ENTRY_POINTS.findall(text[: 1 << 20]))
    elif name == "setup.py":
        found = (("entry-points", value.replace(":", ".")) for value in _OF_SETUP.findall(text[: 1 << 20]))
    made = [CodeReference(key, shorten(visible(value), 200)) for key, value in found if value]
    return tuple(made[:_MOST])


def _mlflow(text: str) -> Iterator[tuple[str, str]]:
    values = dict(_ML.findall(text[: 1 << 20]))
    if module := values.get("loader_module"):
        yield "loader_module", _below("", f"{module}._load_pyfunc")
        yield "loader_module", _below(values.get("code", "code"), f"{module}._load_pyfunc")
    if path := values.get("model_code_path"):
        yield "model_code_path", _of_path(path)


def _project(table: dict[str, object]) -> Iterator[tuple[str, str]]:
    system = _inside(table, "build-system")
    backend, places = system.get("build-backend"), system.get("backend-path")
    if isinstance(backend, str) and isinstance(places, list):
        module = backend.partition(":")[0]
        for place in places[:_MOST]:
            yield "build-backend", _below(str(place), f"{module}.build_wheel")
    setuptools = _inside(table, "tool", "setuptools")
    yield from (("cmdclass", str(value)) for value in _inside(setuptools, "cmdclass").values())
    for value in _inside(setuptools, "dynamic").values():
        if isinstance(value, dict) and isinstance(value.get("attr"), str):
            yield "attr", value["attr"]
    for group, entries in _inside(table, "project", "entry-points").items():
        if _PLUGINS.match(group) and isinstance(entries, dict):
            yield from (("entry-points", str(value).replace(":", ".")) for value in entries.values())
    build = _inside(table, "tool", "poetry").get("build")
    script = build.get("script") if isinstance(build, dict) else build
    if isinstance(script, str):
        yield "poetry build", _of_path(script)
    hooks = _inside(table, "tool", "hatch", "build", "hooks")
    if "custom" in hooks:
        yield "hatch build hook", _of_path(str(_inside(hooks, "custom").get("path", "hatch_build.py")))


def _inside(table: dict[str, object], *keys: str) -> dict[str, object]:
    """The table below these keys, an empty one where there is none."""
    for key in keys:
        held = table.get(key)
        if not isinstance(held, dict):
            return {}
        table = held
    return table


def _below(folder: str, reference: str) -> str:
    parts = [part for part in folder.replace("\\", "/").split("/") if part not in ("", ".")]
    return ".".join([*parts, reference])


def _of_path(path: str) -> str:
    return _below(path.rpartition("/")[0], f"{path.rpartition('/')[2].removesuffix('.py')}.main")
