"""Which code of a repository a loader gets to.

Loaders start from names: `auto_map` of a configuration, components of a diffusers pipeline, modules of
sentence-transformers, the loader of an MLflow model, a build backend, files with a meaning of their own (hubconf.py,
handler.py, setup.py, …), and files that are named as transformers names remote code. From there imports lead on,
relative ones and those of files beside it, and files of the repository that are run by their path.
"""

from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.summaries import ConfigSummary, FollowedSummary, PythonSummary
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.flow import SOURCE
from modelscan_plus.rules.named import named_functions
from modelscan_plus.rules.tree import Tree, TreeFile, joined

BY_NAME = {
    "hubconf.py": "torch.hub imports it",
    "handler.py": "inference servers import it",
    "setup.py": "pip runs it",
    "conftest.py": "pytest imports it",
    "sitecustomize.py": "Python imports it at each start",
    "usercustomize.py": "Python imports it at each start",
    "hatch_build.py": "hatch runs it",
    "prestartup_script.py": "ComfyUI runs it before it starts",
    "gunicorn.conf.py": "gunicorn runs it",
    "gunicorn_config.py": "gunicorn runs it",
    "gunicorn_conf.py": "gunicorn runs it",
    "jupyter_notebook_config.py": "Jupyter runs it",
    "jupyter_server_config.py": "Jupyter runs it",
    "jupyter_lab_config.py": "Jupyter runs it",
    "jupyterhub_config.py": "Jupyter runs it",
    "ipython_config.py": "IPython runs it",
    "ipython_kernel_config.py": "IPython runs it",
    "celeryconfig.py": "Celery imports it",
    "custom_interface.py": "SpeechBrain imports it",
    "pipeline_registry.py": "Kedro imports it",
    "model.py": "model servers import it",
    "predict.py": "model servers import it",
}
_INSTALLERS = frozenset(("setup.py", "conftest.py", "hatch_build.py"))
"""Those of them that pip, pytest and hatch run: what they import is imported, and its methods stay uncalled."""
_BY_PLACE = frozenset(("hubconf.py", "handler.py", "model.py", "predict.py"))
"""Those of them that mean this only where a server or torch.hub is pointed at, which is at no module of a package."""
SERVED = ("inference servers", "model servers", "SageMaker")
OF_CLOUD = lazy(r"^(?:[^\s]*/)?(?:serverless|template|sam|zappa_settings|chalice)[\w.-]*\.(?:ya?ml|json) names ")
"""A function of a cloud, whose owner the settings are."""
_SERVERS = ("cog.yaml", "config.yaml", "config.pbtxt", "bentofile.yaml", "serving.properties")
"""Settings of servers that import a file by its name: Cog, Truss, Triton, BentoML, DJL."""
_LIBRARIES_OF_SERVERS = ("litserve", "bentoml", "ts", "kserve", "mlserver", "sagemaker_inference")
SERVER = "a server runs it"
FOLDER = "importing the folder runs it"
_PLUGINS = frozenset(
    f"{name}.{method}" for name in ("Filter", "Action") for method in ("inlet", "outlet", "stream", "action")
)
TOOL = "tool_config.json names "
"""Tools of agents ask services: that is what they are for."""
SPACE = "the space runs it"
NETWORK = frozenset(("download", "send", "connect", "listen", "account", "upload"))
"""What the program of a space is there for."""
_EXTENSION = lazy(r"(?:^|/)extensions/[^/]+/script\.py$")
"""Where text-generation-webui looks for extensions."""
_OF_WEBUI = frozenset(
    "input_modifier chat_input_modifier output_modifier history_modifier custom_generate_reply".split()
)
"""Functions by which it knows one that is its own repository."""
OF_KERNELS = "kernels imports it"
"""The library `kernels`, whose repositories are built packages: compiled code beside Python is what they are for."""
_KERNEL = lazy(r"(?:^|/)build/torch[\w.-]*/.*\.py$")
"""Where a repository for `kernels` has its code."""
_SETTINGS = lazy(r"(?:^|/)configs?/(?:[\w.-]+/)*[\w.-]+\.py$")
"""Settings of mmengine, detectron2 and others that are Python and run when they are read."""
_PYTHON_PATH = lazy(r"(?:^|[\s…'\"/])([\w./\\-]*\w\.pyw?)$")
_REMOTE_CODE = lazy(
    r"^(?:modeling|configuration|tokenization|processing|image_processing|feature_extraction|video_processing|generation|"
    r"audio_processing)_\w+\.py$"
)


def reached_code(tree: Tree) -> dict[str, str]:
    """Python files that loaders get to, with the way there."""
    used, imported = _reached(tree)
    reached = imported | used
    for path, file in tree.files.items():
        followed = (effect for summary in file.top(FollowedSummary) for effect in summary.effects)
        if path not in reached and any(not effect.handed for effect in followed):
            reached[path] = "code that a loader gets to runs it"
    return reached


def only_imported(tree: Tree) -> frozenset[str]:
    """Files that nothing but an installer gets to, which imports them and makes no object of what is in them."""
    used, imported = _reached(tree)
    return frozenset(path for path in imported.keys() - used.keys() if tree.files[path].name not in _INSTALLERS)


def _reached(tree: Tree) -> tuple[dict[str, str], dict[str, str]]:
    """Files that loaders of models get to, and those that installers do, with the way there."""
    named = list(_named_by_convention(tree))
    installers = [(path, way) for path, way in named if tree.files[path].name in _INSTALLERS]
    installers += [
        (path, "it holds settings that run when they are read") for path in tree.files if _holds_settings(tree, path)
    ]
    others = [(path, way) for path, way in named if tree.files[path].name not in _INSTALLERS]
    return _closure(tree, [*others, *_named_by_config(tree)]), _closure(tree, installers)


def _holds_settings(tree: Tree, path: str) -> bool:
    """True for settings in Python: no module of a package, which has functions and classes of its own."""
    if not _SETTINGS.search(path):
        return False
    return not any(summary.classes or summary.functions for summary in tree.files[path].top(PythonSummary))


def _closure(tree: Tree, todo: list[tuple[str, str]]) -> dict[str, str]:
    """Files that these lead to, the last ones first, with the way there."""
    reached: dict[str, str] = {}
    while todo:
        path, way = todo.pop()
        file = tree.files.get(path)
        if path in reached or file is None:
            continue
        reached[path] = way
        todo += [(found, f"{way} → {file.name}") for found in next_files(tree, file)]
    return reached


def next_files(tree: Tree, file: TreeFile) -> Iterator[str]:
    """Files that a file imports or runs."""
    for summary in file.top(PythonSummary):
        elsewhere = any(effect.kind == "search-path" for effect in summary.effects)
        for imported in summary.imports:
            found = list(_imported(tree, file, imported.module, imported.names))
            yield from found
            if elsewhere and not found:
                yield from _anywhere(tree, imported.module)
        for effect in summary.effects:
            if effect.kind in ("module", "code"):
                yield from filter(None, (_target(tree, file, said) for said in (effect.argument, *sources(effect))))


def sources(effect: Effect) -> list[str]:
    """Paths of the files of Python whose text the effect runs."""
    return [flow.removeprefix(SOURCE) for flow in effect.flows if flow.startswith(SOURCE)]


def is_known(tree: Tree, file: TreeFile, path: str) -> bool:
    """True for a file of Python that is in the tree, or that an installer writes with a text that it states: a version."""
    if _target(tree, file, path) is not None:
        return True
    effects = (effect for summary in file.top(PythonSummary) for effect in summary.effects)
    made = {effect.argument for effect in effects if effect.kind == "made" and "stated" in effect.flows}
    return file.name == "setup.py" and path in made


def _target(tree: Tree, file: TreeFile, said: str) -> str | None:
    """The Python file of the tree that is run by its path, or by a command that ends in it."""
    named = _PYTHON_PATH.search(said)
    if named is None:
        return None
    place = named[1].replace("\\", "/").lstrip("/")
    for folder in dict.fromkeys((file.folder, "")):
        path = joined(folder, place)
        if path in tree.files:
            return path
    found = [path for path in tree.files if path.endswith(f"/{place}")]
    return found[0] if len(found) == 1 else None


def _anywhere(tree: Tree, module: str) -> Iterator[str]:
    """A module of this name anywhere in the tree, for a file that changes where modules are looked for."""
    place = module.replace(".", "/")
    if place and not module.startswith("."):
        yield from (path for path in tree.files if path.endswith((f"/{place}.py", f"/{place}/__init__.py")))


def _named_by_config(tree: Tree) -> Iterator[tuple[str, str]]:
    yield from ((path, way) for path, (way, _) in named_functions(tree).items())
    for file, key, value in config_references(tree):
        found = local_file(tree, file, value)
        if found:
            yield found, f"{file.path} {key}"


def config_references(tree: Tree) -> Iterator[tuple[TreeFile, str, str]]:
    """Each reference to code with the file that makes it."""
    for file in tree.files.values():
        for summary in file.top(ConfigSummary):
            for reference in summary.code:
                yield file, reference.key, reference.value


def local_file(tree: Tree, file: TreeFile, reference: str) -> str | None:
    """The path of the file that "module.Class" means, as seen from a configuration; None when it is not there."""
    if "--" in reference or "/" in reference:
        return None
    module = reference.rpartition(".")[0] or reference
    component = file.folder
    names = [f"{module}.py", module.replace(".", "/") + ".py", f"{module}/__init__.py", f"{module}/{module}.py"]
    for folder in dict.fromkeys((component, "")):
        for name in names:
            path = joined(folder, name)
            if path in tree.files:
                return path
    inside = [path for path in tree.files if path.endswith(f"/{module}.py")]
    return inside[0] if file.name == "model_index.json" and len(inside) == 1 else None


def _named_by_convention(tree: Tree) -> Iterator[tuple[str, str]]:
    of_mlflow = _of_mlflow(tree)
    for file in tree.files.values():
        if file.name in BY_NAME and not (_means_nothing_inside(file) and _is_in_package(tree, file)):
            yield file.path, BY_NAME[file.name]
        elif _REMOTE_CODE.match(file.name):
            yield file.path, "named as transformers names remote code"
        elif (way := _by_place(tree, file)) is not None:
            yield file.path, way
        elif file.name == "pipeline.py" and (
            tree.find(file.folder, "model_index.json") or (_is_top(file) and _imports(file, "diffusers"))
        ):
            yield file.path, "diffusers runs it as custom pipeline"
        elif file.name == "__init__.py" and not file.folder:
            yield file.path, FOLDER
        elif _is_top(file) and "config.json" not in tree.files and _is_loading_script(file):
            yield file.path, "datasets runs it as loading script"
        elif tree.kind != "path" and file.name == "app.py":
            yield file.path, SPACE
        elif file.name == "inference.py" and file.folder.endswith("code"):
            yield file.path, "SageMaker imports it"
        else:
            yield from _named_by_framework(file, of_mlflow)


def extends_comfy(tree: Tree) -> bool:
    """True for nodes of ComfyUI, which install the packages that they need when the folder is imported."""
    return any(_imports(file, library) for file in tree.files.values() for library in ("folder_paths", "comfy"))


def _is_top(file: TreeFile) -> bool:
    """True for a file at the top of the target or of an archive."""
    return not file.folder or file.folder.endswith("!")


def _by_place(tree: Tree, file: TreeFile) -> str | None:
    """Why something gets to a file for its place and its neighbours."""
    if file.path.endswith("custom_generate/generate.py"):
        return "generate() of transformers runs it"
    if _EXTENSION.search(file.path) or (
        file.name == "script.py" and _is_top(file) and not _OF_WEBUI.isdisjoint(_functions(file))
    ):
        return "text-generation-webui imports it"
    if _KERNEL.search(file.path):
        return OF_KERNELS
    if file.name == "__init__.py" and tree.find(file.folder, "meta.json"):
        return "spaCy imports it"
    if file.name in ("install.py", "preload.py") and any(
        _imports(beside, "modules") for beside in tree.below(f"{file.folder}/scripts".lstrip("/")).values()
    ):
        return "the web interface of Stable Diffusion runs it"
    return None


def _named_by_framework(file: TreeFile, of_mlflow: list[str]) -> Iterator[tuple[str, str]]:
    """Files that frameworks get to by what is in them, or by the folder that they stand in."""
    if any(f"/{file.folder}/".startswith(f"/{folder}/") for folder in of_mlflow):
        yield file.path, "MLflow puts it on the path of the model's code"
    elif _is_plugin(file):
        yield file.path, "Open WebUI calls it with what users write"
    elif any(_imports(file, library) for library in _LIBRARIES_OF_SERVERS):
        yield file.path, SERVER


def _of_mlflow(tree: Tree) -> list[str]:
    """Folders of code beside descriptions of MLflow models, which are put on Python's path before the model is loaded."""
    return [f"{file.folder}/code".lstrip("/") for file in tree.files.values() if file.name == "MLmodel"]


def _is_plugin(file: TreeFile) -> bool:
    """True for a filter or action of Open WebUI that acts or gives away what passes through it; one that asks a service
    for something and goes on with the answer does its work."""
    effects = (effect for summary in file.top(PythonSummary) for effect in summary.effects)
    return any(
        effect.function in _PLUGINS and (effect.kind not in NETWORK or effect.discarded or "secret" in effect.flows)
        for effect in effects
    )


def _imports(file: TreeFile, library: str) -> bool:
    modules = (each.module for summary in file.top(PythonSummary) for each in summary.imports)
    return any(module.partition(".")[0] == library for module in modules)


def _functions(file: TreeFile) -> set[str]:
    return {name for summary in file.top(PythonSummary) for name in summary.functions}


def _means_nothing_inside(file: TreeFile) -> bool:
    """True for a name that a module of a package may have as well; of setup.py, where it sets nothing up."""
    if file.name == "setup.py":
        modules = {imported.module for summary in file.top(PythonSummary) for imported in summary.imports}
        return not any(module.partition(".")[0] in ("setuptools", "distutils") for module in modules)
    return file.name in _BY_PLACE


def _is_in_package(tree: Tree, file: TreeFile) -> bool:
    """True for a module of a package below the top of the tree that no server's settings stand beside or above."""
    parts = file.folder.split("/") if file.folder else []
    above = ["/".join(parts[:length]) for length in range(len(parts) + 1)]
    if any(tree.find(folder, name) for folder in above for name in _SERVERS):
        return False
    return any(tree.find(folder, "__init__.py") for folder in above[1:])


def _is_loading_script(file: TreeFile) -> bool:
    return any(
        summary.classes and any(imported.module in ("datasets", "evaluate") for imported in summary.imports)
        for summary in file.top(PythonSummary)
    )


def _imported(tree: Tree, file: TreeFile, module: str, names: tuple[str, ...]) -> Iterator[str]:
    """Files that an import statement leads to."""
    for place in import_places(file, module, names):
        for ending in (".py", "/__init__.py"):
            if place + ending in tree.files:
                yield place + ending


def import_places(file: TreeFile, module: str, names: tuple[str, ...]) -> Iterator[str]:
    """Paths without ending at which Python may find what an import statement names, as seen from its file."""
    dots = len(module) - len(module.lstrip("."))
    folder: str | None = file.folder
    for _ in range(max(0, dots - 1)):
        folder = joined(folder or "", "..")
        if folder is None:
            return
    base = module.lstrip(".").replace(".", "/")
    places = [base] if base else []
    places += [f"{base}/{name}" if base else name for name in names]
    above = base.split("/")[:-1]
    places += ["/".join(above[: length + 1]) for length in range(len(above))]  # packages are imported first
    folders = [folder or ""] if dots else list(dict.fromkeys((folder or "", "")))
    for place in places:
        for at in folders:
            if (path := joined(at, place)) is not None:
                yield path
