"""What each loader would do with the files of a target: which it opens, in which order, and which code it runs.

A table of rules in the order in which the libraries look (transformers 5.23, diffusers 0.42, sentence-transformers 6.2,
peft 0.21, timm 1.0, vLLM and llama.cpp as of November 2026). It says what stands in the report and lowers nothing: a
file that one loader leaves aside is the first choice of another.
"""

import re
from collections.abc import Iterable, Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.report import LoaderCode, LoaderFile, LoaderView
from modelscan_plus.formats.summaries import ConfigSummary
from modelscan_plus.rules.reached import config_references, local_file, reached_code
from modelscan_plus.rules.tree import Tree, TreeFile

_TOKENIZER = (
    "tokenizer_config.json", "tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt", "spiece.model",
    "sentencepiece.bpe.model", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json",
    "processor_config.json", "preprocessor_config.json",
)  # fmt: skip
_TRANSFORMERS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_DIFFUSERS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin", *_TRANSFORMERS)
_PICKLED = frozenset(("pickle", "torch-zip", "torch-legacy", "torch-tar", "torchscript"))
_WEIGHTS = lazy(r"\.(?:safetensors|bin|pt|pth|ckpt|gguf|pkl|joblib|h5|keras|onnx|npz|msgpack|pb|tflite)$", re.I)
_MOST = 200
"""Files of one list."""


class _View:
    """One view while it is put together."""

    def __init__(self, tree: Tree, loader: str, folder: str) -> None:
        self._tree = tree
        self._loader = loader
        self._folder = folder
        self.opens: dict[str, LoaderFile] = {}
        self.fallbacks: dict[str, LoaderFile] = {}
        self.runs: dict[tuple[str, str], LoaderCode] = {}

    def open(self, file: TreeFile | None, why: str, *, fallback: bool = False) -> bool:
        """Note a file; False when it is not there."""
        if file is None:
            return False
        if file.path not in self.opens:
            worst = file.worst
            entry = LoaderFile(file.path, why, worst.value if worst else None)
            (self.fallbacks if fallback else self.opens).setdefault(file.path, entry)
            if _PICKLED & set(file.formats):
                self.run(file.path, f"{self._loader} opens {file.name}", "opened")
        return True

    def run(self, path: str, by: str, when: str, *, present: bool = True) -> None:
        """Note code."""
        self.runs.setdefault((path, when), LoaderCode(path, by, when, present))

    def first(self, names: Iterable[str], folder: str) -> None:
        """The first that is there is opened with its shards; the others are what options or another version take."""
        found = False
        for name in names:
            file = self._tree.find(folder, name)
            if file is None:
                continue
            self.open(file, "first choice" if not found else "with other options", fallback=found)
            for summary in file.top(ConfigSummary):
                for shard in summary.weight_map:
                    self.open(self._tree.find(folder, shard), f"named by {file.name}", fallback=found)
            found = True

    def done(self) -> LoaderView:
        """The finished view."""
        inside = [file for file in self._tree.files.values() if file.folder == self._folder or self._folder == ""]
        mentioned = self.opens.keys() | self.fallbacks.keys() | {path for path, _ in self.runs}
        ignored = [file.path for file in inside if _WEIGHTS.search(file.name) or file.name.endswith(".py")]
        left = [path for path in ignored if path not in mentioned]
        cut = max(0, len(self.opens) - _MOST) + max(0, len(self.fallbacks) - _MOST) + max(0, len(left) - _MOST)
        return LoaderView(
            self._tree.target,
            self._loader,
            tuple(self.opens.values())[:_MOST],
            tuple(self.fallbacks.values())[:_MOST],
            tuple(left[:_MOST]),
            tuple(self.runs.values())[:_MOST],
            self._folder,
            cut,
        )


def loader_views(tree: Tree) -> tuple[LoaderView, ...]:
    """All loaders that would find something here; nothing for a target of one file."""
    if len(tree.files) < 2:
        return ()
    folders = sorted({file.folder for file in tree.files.values()}, key=lambda folder: (folder.count("/"), folder))
    views: list[LoaderView] = []
    for folder in folders[:_MOST]:
        views += _of_folder(tree, folder)
    return tuple(views[:_MOST])


def _of_folder(tree: Tree, folder: str) -> Iterator[LoaderView]:
    files = tree.below(folder)
    parent = folder.rpartition("/")[0]
    is_component = bool(folder) and any(tree.find(parent, name) for name in ("model_index.json", "modules.json"))
    if "model_index.json" in files:
        yield _diffusers(tree, folder)
    if "modules.json" in files:
        yield _sentence_transformers(tree, folder)
    if "adapter_config.json" in files:
        yield _peft(tree, folder)
    if "config.json" in files and not is_component:
        timm = any("architecture" in summary.strings for summary in files["config.json"].top(ConfigSummary))
        yield _timm(tree, folder) if timm else _transformers(tree, folder)
        yield _vllm(tree, folder)
    if any(name.endswith(".gguf") for name in files):
        yield _by_glob(tree, "llama.cpp", folder, (".gguf",))
    if any(_PICKLED & set(file.formats) for file in files.values()):
        yield _by_format(tree, folder)
    if "hubconf.py" in files:
        view = _View(tree, "torch.hub", folder)
        view.open(files["hubconf.py"], "first choice")
        view.run(files["hubconf.py"].path, "torch.hub imports it", "always")
        yield view.done()


def _transformers(tree: Tree, folder: str) -> LoaderView:
    view = _View(tree, "transformers", folder)
    view.open(tree.find(folder, "config.json"), "configuration")
    named = [
        summary.strings["transformers_weights"]
        for summary in tree.below(folder)["config.json"].top(ConfigSummary)
        if "transformers_weights" in summary.strings
    ]
    view.first((*named, *_TRANSFORMERS), folder)
    view.open(tree.find(folder, "generation_config.json"), "configuration")
    for name in _TOKENIZER:
        view.open(tree.find(folder, name), "tokenizer or processor")
    for file in tree.files.values():
        if file.folder.endswith("additional_chat_templates"):
            view.open(file, "additional chat template")
    _remote_code(view, tree, folder)
    return view.done()


def _remote_code(view: _View, tree: Tree, folder: str) -> None:
    """Code that configurations of the folder name, and what that imports."""
    for file, key, value in config_references(tree):
        if file.folder != folder and not file.folder.startswith(f"{folder}/" if folder else ""):
            continue
        if "--" in value:
            view.run(value, f"{file.name} {key}", "trust_remote_code", present=False)
        elif key.startswith(("auto_map", "custom_")):
            found = local_file(tree, file, value)
            view.run(found or value, f"{file.name} {key}", "trust_remote_code", present=found is not None)
    for path, way in reached_code(tree).items():
        if "→" in way or "transformers" in way:
            view.run(path, way, "trust_remote_code")


def _diffusers(tree: Tree, folder: str) -> LoaderView:
    view = _View(tree, "diffusers", folder)
    index = tree.below(folder)["model_index.json"]
    view.open(index, "configuration")
    for summary in index.top(ConfigSummary):
        for component, (library, class_name) in summary.components.items():
            inside = f"{folder}/{component}".lstrip("/")
            for name in ("config.json", "scheduler_config.json", "preprocessor_config.json", *_TOKENIZER):
                view.open(tree.find(inside, name), f"configuration of {component}")
            view.first(_DIFFUSERS, inside)
            found = local_file(tree, index, f"{library}.{class_name}")
            if found:
                view.run(found, f"model_index.json {component}", "trust_remote_code")
    pipeline = tree.find(folder, "pipeline.py")
    if pipeline:
        view.run(pipeline.path, "custom_pipeline", "trust_remote_code")
    return view.done()


def _sentence_transformers(tree: Tree, folder: str) -> LoaderView:
    view = _View(tree, "sentence-transformers", folder)
    index = tree.below(folder)["modules.json"]
    for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "config.json"):
        view.open(tree.find(folder, name), "configuration")
    for summary in index.top(ConfigSummary):
        for path, kind in summary.modules:
            inside = f"{folder}/{path}".strip("/")
            view.open(tree.find(inside, "config.json"), f"configuration of {kind}")
            view.first(_TRANSFORMERS, inside)
            found = local_file(tree, index, kind)
            if found:
                view.run(found, f"modules.json {kind}", "trust_remote_code")
    for name in _TOKENIZER:
        view.open(tree.find(folder, name), "tokenizer or processor")
    return view.done()


def _peft(tree: Tree, folder: str) -> LoaderView:
    view = _View(tree, "peft", folder)
    config = tree.below(folder)["adapter_config.json"]
    view.open(config, "configuration")
    view.first(("adapter_model.safetensors", "adapter_model.bin"), folder)
    for summary in config.top(ConfigSummary):
        base = summary.strings.get("base_model_name_or_path")
        if base:
            view.run(base, "adapter_config.json base_model_name_or_path", "trust_remote_code", present=False)
    return view.done()


def _timm(tree: Tree, folder: str) -> LoaderView:
    view = _View(tree, "timm", folder)
    view.open(tree.find(folder, "config.json"), "configuration")
    view.first(
        ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin"), folder
    )
    return view.done()


def _vllm(tree: Tree, folder: str) -> LoaderView:
    view = _View(tree, "vllm", folder)
    view.open(tree.find(folder, "config.json"), "configuration")
    names = sorted(tree.below(folder))
    globs = [r"consolidated.*\.safetensors$", r"\.safetensors$", r"\.bin$", r"\.pt$"]
    taken = False
    for pattern in globs:
        found = [name for name in names if re.search(pattern, name)]
        for name in found:
            view.open(tree.find(folder, name), f"glob {pattern}", fallback=taken)
        taken = taken or bool(found)
    for name in _TOKENIZER:
        view.open(tree.find(folder, name), "tokenizer or processor")
    _remote_code(view, tree, folder)
    return view.done()


def _by_glob(tree: Tree, loader: str, folder: str, endings: tuple[str, ...]) -> LoaderView:
    view = _View(tree, loader, folder)
    for name, file in sorted(tree.below(folder).items()):
        if name.endswith(endings):
            view.open(file, "when it is named")
    return view.done()


def _by_format(tree: Tree, folder: str) -> LoaderView:
    view = _View(tree, "torch.load or pickle", folder)
    for _, file in sorted(tree.below(folder).items()):
        if _PICKLED & set(file.formats):
            view.open(file, "when it is named")
    return view.done()
