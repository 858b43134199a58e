"""Branches of code that say where things lie on a machine, and how many threads it has.

Code of groups that work on several clusters asks for the name of the machine, and then sets a folder for data, a number
of workers or a switch of a library of numerics. None of it is what the model answers.
"""

import ast
import re

from modelscan_plus.core.patterns import lazy

_SETTINGS = lazy(
    r"(?:TOKENIZERS_PARALLELISM|CUDA_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|(?:OMP|MKL|OPENBLAS|NUMEXPR\w*|VECLIB\w*)_NUM_THREADS|"
    r"NUMEXPR_MAX_THREADS|KMP_\w+|MKL_\w+|(?:NCCL|GLOO|UCX)_\w+|TF_CPP_MIN_LOG_LEVEL|PYTORCH_CUDA_ALLOC_CONF|TMPDIR|"
    r"HF_HOME|HF_(?:HUB|DATASETS)_CACHE|HUGGINGFACE_HUB_CACHE|TRANSFORMERS_CACHE|TORCH_HOME|XDG_CACHE_HOME|TRITON_CACHE_DIR|"
    r"WANDB_(?:DIR|MODE|CACHE_DIR)|MPLCONFIGDIR|\w*DATA(?:_?(?:DIR|ROOT|PATH))?)"
)
_PLACES = lazy(
    r"(?:^|_)(?:data\w*|root|dir|folder|home|cache|scratch|out(?:put)?s?|logs?|path|prefix)(?:_?(?:dir|root|path))?$",
    re.I,
)
_NUMBERS = lazy(r"(?:^|_)(?:num_)?(?:workers|threads|procs|processes|gpus|cpus|batch_?size)$", re.I)
_OTHERS = lazy(r"model|weight|ckpt|checkpoint|adapter|token|config|prompt|template", re.I)
_ABSOLUTE = lazy(r"(?:/|~/|[A-Za-z]:[\\/])")


def only_settles(node: ast.If) -> bool:
    """True for a branch, with all its alternatives, that only sets places and numbers of the machine."""
    return all(
        only_settles(item) if isinstance(item, ast.If) else isinstance(item, ast.Pass) or _settles(item)
        for item in (*node.body, *node.orelse)
    )


def _settles(node: ast.stmt) -> bool:
    match node:
        case (
            ast.Assign(
                targets=[ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(key)))],
                value=ast.Constant(),
            )
            | ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr="environ"), attr="setdefault"),
                    args=[ast.Constant(value=str(key)), ast.Constant()],
                )
            )
        ):
            return _SETTINGS.fullmatch(key) is not None
        case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)], value=ast.Constant(value=value)) if (
            not _OTHERS.search(name)
        ):
            if isinstance(value, str):
                return _PLACES.search(name) is not None and _ABSOLUTE.match(value) is not None
            return isinstance(value, int) and _NUMBERS.search(name) is not None
    return False
