"""Small models of many kinds, as people write them in PyTorch: each gives a module and example inputs."""

from tools.graphs.torch_models import images as images
from tools.graphs.torch_models import sequences as sequences
from tools.graphs.torch_models import tables as tables
from tools.graphs.torch_models import tasks as tasks
from tools.graphs.torch_models.registry import MODELS

__all__ = ["MODELS"]
