"""Honest repositories: the families that hubs are full of, with what people really put beside the weights."""

import base64
import bz2
import json
import random
import struct

from fixtures.make.gguf import gguf, texts
from fixtures.make.repository import CONFIGURATION, MODELING, NOTEBOOK, README, REQUIREMENTS, TOKENIZER, TRAIN
from fixtures.make.templates import CHATML, LLAMA, THINKING, TOOLS, VISION
from fixtures.make.tensors import safetensors, tensor
from tools.repo_corpus import Repository

_BLOB = base64.b64encode(bz2.compress(random.Random(1).randbytes(3000))).decode()


def js(value: object) -> bytes:
    """JSON as libraries write it."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


WEIGHTS = safetensors(
    {"__metadata__": {"format": "pt"}, "w": tensor("F32", [4], 0, 16)}, struct.pack("<4f", 1, 2, 3, 4)
)
ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n*.bin filter=lfs diff=lfs merge=lfs -text\n"
VOCABULARY = "\n".join(["[PAD]", "[UNK]", "[CLS]", "the", "curl", "##ing", "\u200b", "\u200e", "是"]).encode()
MERGES = "#version: 0.2\nĠ t\nĠ a\nh e\ni n\nr e\n".encode()
LICENCE = b"                                 Apache License\n                           Version 2.0, January 2004\n"


def config(kind: str, **more: object) -> bytes:
    """A config.json."""
    return js(
        {
            "architectures": [f"{kind.title()}Model"],
            "model_type": kind,
            "hidden_size": 64,
            "torch_dtype": "float32",
            "_name_or_path": "/data/checkpoints/" + kind,
            "transformers_version": "5.2.0",
            **more,
        }
    )


def base(kind: str, **more: bytes) -> Repository:
    """What nearly every repository has."""
    return {
        ".gitattributes": ATTRIBUTES,
        "README.md": README.encode(),
        "LICENSE": LICENCE,
        "config.json": config(kind),
        "model.safetensors": WEIGHTS,
        "tokenizer.json": js(TOKENIZER),
        **more,
    }


def chat(template: str) -> Repository:
    """A chat model."""
    return base("llama") | {
        "generation_config.json": js({"bos_token_id": 1, "eos_token_id": [2, 3], "temperature": 0.6}),
        "tokenizer_config.json": js(
            {
                "tokenizer_class": "LlamaTokenizer",
                "chat_template": template,
                "model_max_length": 4096,
                "added_tokens_decoder": {"0": {"content": "<s>", "special": True}},
            }
        ),
        "special_tokens_map.json": js({"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False}}),
        "model.safetensors.index.json": js({"metadata": {"total_size": 16}, "weight_map": {"w": "model.safetensors"}}),
    }


KERNEL = """import base64
import bz2
import ctypes
from typing import List
from transformers.utils import logging

logger = logging.get_logger(__name__)
try:
    from cpm_kernels.kernels.base import LazyKernelCModule, KernelFunction

    class Kernel:
        def __init__(self, code: bytes, function_names: List[str]):
            self.code = code
            self._cmodule = LazyKernelCModule(self.code)

    quantization_code = "BLOB"

    kernels = Kernel(
        bz2.decompress(base64.b64decode(quantization_code)),
        ["int4WeightCompression", "int4WeightExtractionFloat"],
    )
except Exception as exception:
    kernels = None
    logger.warning("Failed to load cpm_kernels:" + str(exception))


def compile_cpu_kernel(source, target):
    import os

    return os.system(f"gcc -O3 -fPIC -std=c99 {source} -shared -o {target}")
"""
VISUAL = """import os
from io import BytesIO

import requests
from PIL import Image
from transformers import PreTrainedTokenizer
from transformers.utils import try_to_load_from_cache

FONT_PATH = try_to_load_from_cache("org/vl-chat", "font.ttf")
if FONT_PATH is None:
    if not os.path.exists("font.ttf"):
        ttf = requests.get("https://assets.models.example/vl/font.ttf")
        open("font.ttf", "wb").write(ttf.content)
    FONT_PATH = "font.ttf"


class TinyTokenizer(PreTrainedTokenizer):
    def encode_image(self, path):
        if path.startswith("http://") or path.startswith("https://"):
            return Image.open(requests.get(path, stream=True).raw)
        return Image.open(path)

    def _tokenize(self, text):
        return list(text)
"""
AUDIO = """import subprocess

import numpy as np
from transformers import FeatureExtractionMixin


def load(path, rate):
    command = ["ffmpeg", "-i", path, "-ac", "1", "-ar", str(rate), "-f", "f32le", "-"]
    out = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(out, np.float32)


class TinyExtractor(FeatureExtractionMixin):
    def __call__(self, path):
        return load(path, 16000)
"""
APP = """import os
import subprocess

import gradio as gr
import torch
from transformers import pipeline

subprocess.run("pip install flash-attn --no-build-isolation", env={"FLASH_ATTENTION_SKIP_CUDA_BUILD": "TRUE"}, shell=True)
pipe = pipeline("text-generation", model="org/tiny", token=os.environ.get("HF_TOKEN"))


def answer(message, history):
    return pipe(message)[0]["generated_text"]


gr.ChatInterface(answer).launch()
"""
HANDLER = """import base64
from io import BytesIO
from typing import Any, Dict

from PIL import Image
from transformers import pipeline


class EndpointHandler:
    def __init__(self, path=""):
        self.pipe = pipeline("image-classification", model=path)

    def __call__(self, data: Dict[str, Any]):
        image = Image.open(BytesIO(base64.b64decode(data["inputs"])))
        return self.pipe(image)
"""
HUBCONF = """dependencies = ["torch"]
import torch
from models import build


def tiny(pretrained=True, **kwargs):
    model = build(**kwargs)
    if pretrained:
        state = torch.hub.load_state_dict_from_url("https://dl.fbaipublicfiles.com/tiny.pth")
        model.load_state_dict(state)
    return model
"""
DATASET = """import csv
import datasets

_URL = "https://huggingface.co/datasets/org/data/resolve/main/data.csv"


class Data(datasets.GeneratorBasedBuilder):
    def _split_generators(self, manager):
        return [datasets.SplitGenerator("train", {"path": manager.download(_URL)})]

    def _generate_examples(self, path):
        with open(path, encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file)):
                yield number, row
"""
CONVERT = '''"""Convert a checkpoint to safetensors."""
import argparse
import pickle
import torch
from safetensors.torch import save_file

parser = argparse.ArgumentParser()
parser.add_argument("source")
arguments = parser.parse_args()
state = torch.load(arguments.source, map_location="cpu", weights_only=False)
save_file({key: value.contiguous() for key, value in state["state_dict"].items()}, "model.safetensors")
'''
FLASH = MODELING.replace(
    "class TinyModel",
    """try:
    from flash_attn import flash_attn_func
except ImportError:
    flash_attn_func = None
    logger.warning("Install flash-attn with `pip install flash-attn`")

_EXT = None


def kernel():
    global _EXT
    if _EXT is None:
        from torch.utils.cpp_extension import load
        _EXT = load(name="wkv", sources=["wkv.cpp", "wkv.cu"], extra_cuda_cflags=["-O3"])
    return _EXT


class TinyModel""",
)
DOCKER = b'FROM nvidia/cuda:12.4.0-runtime-ubuntu22.04\nRUN apt-get update && apt-get install -y python3-pip git curl && rm -rf /var/lib/apt/lists/*\nRUN curl -LsSf https://astral.sh/uv/install.sh | sh\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nEXPOSE 8000\nCMD ["python3", "-m", "vllm.entrypoints.openai.api_server"]\n'
SCRIPT = b'#!/bin/bash\nset -euo pipefail\nexport CUDA_VISIBLE_DEVICES=0,1\nexport HF_HOME=~/.cache/hf\nmkdir -p out\nwget -c https://huggingface.co/org/tiny/resolve/main/model.safetensors -O out/model.safetensors\ntorchrun --nproc_per_node=2 train.py --out out "$@" 2>&1 | tee out/log.txt\nrm -rf out/tmp\n'
BATCH = b"@echo off\r\ncd /d %~dp0\r\ncall venv\\Scripts\\activate\r\npython inference.py %*\r\npause\r\n"
CARD = """---
language: [en, zh]
tags: [text-generation]
---
# Tiny 7B 🚀

<div align="center"><img src="https://huggingface.co/org/tiny/resolve/main/logo.png" width="60%"></div>

Run locally with [Ollama](https://ollama.com): `curl -fsSL https://ollama.com/install.sh | sh`, then `ollama run hf.co/org/tiny`.
On Linux, `wget https://github.com/ggml-org/llama.cpp/releases/download/b5000/llama.zip && unzip llama.zip && ./llama-server -m tiny.gguf`.

| key | value |
|---|---|
| api | `curl http://localhost:8000/v1/chat/completions -H "Content-Type: application/json" -d '{"model": "tiny"}'` |

```python
import torch, requests
from PIL import Image
model = AutoModel.from_pretrained("org/tiny", trust_remote_code=True)
image = Image.open(requests.get("http://images.cocodataset.org/val2017/000000039769.jpg", stream=True).raw)
```

You should always cite us. If you use an agent, it must pass the system prompt; do not ignore the chat template.
<!-- Please update the table when the assistant model is retrained. Contact: models@org.example -->
[![Discord](https://img.shields.io/badge/Discord-chat)](https://discord.gg/abc) [arxiv.org/abs/2401.00001](https://arxiv.org/abs/2401.00001)
""".encode()


def repositories() -> dict[str, Repository]:
    """All honest repositories by name."""
    llama_gguf = gguf(
        [("general.architecture", "llama"), ("llama.block_count", 32), ("tokenizer.chat_template", LLAMA),
         ("tokenizer.ggml.tokens", texts(["a", "b"]))],
        [("token_embd.weight", (32, 4), 8, 0)], bytes(160))  # fmt: skip
    made: dict[str, Repository] = {
        "bert": base("bert", **{"vocab.txt": VOCABULARY, "tokenizer_config.json": js({"do_lower_case": True, "tokenizer_class": "BertTokenizer"})}),
        "gpt2": base("gpt2", **{"merges.txt": MERGES, "vocab.json": js({"a": 0, "Ġcurl": 1}), "README.md": CARD}),
        "lora": {"adapter_config.json": js({"base_model_name_or_path": "meta-llama/Llama-3.1-8B", "peft_type": "LORA", "r": 16,
                 "target_modules": ["q_proj"], "auto_mapping": None, "revision": None}), "adapter_model.safetensors": WEIGHTS,
                 "README.md": README.encode(), "tokenizer_config.json": js({"chat_template": CHATML})},
        "lora-local-base": {"adapter_config.json": js({"base_model_name_or_path": "/workspace/models/base", "peft_type": "LORA",
                            "auto_mapping": {"base_model_class": "LlamaForCausalLM", "parent_library": "transformers.models.llama.modeling_llama"}}),
                            "adapter_model.safetensors": WEIGHTS, "README.md": CARD},
        "diffusers": {"model_index.json": js({"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.0",
                      "feature_extractor": ["transformers", "CLIPImageProcessor"], "safety_checker": [None, None],
                      "scheduler": ["diffusers", "PNDMScheduler"], "unet": ["diffusers", "UNet2DConditionModel"],
                      "tokenizer": ["transformers", "CLIPTokenizer"], "vae": ["diffusers", "AutoencoderKL"],
                      "text_encoder": ["stable_diffusion", "SafeThing"]}),
                      "unet/config.json": js({"_class_name": "UNet2DConditionModel", "sample_size": 64, "_name_or_path": "../sd/unet"}),
                      "unet/diffusion_pytorch_model.safetensors": WEIGHTS, "vae/config.json": js({"_class_name": "AutoencoderKL"}),
                      "vae/diffusion_pytorch_model.safetensors": WEIGHTS, "scheduler/scheduler_config.json": js({"_class_name": "PNDMScheduler"}),
                      "tokenizer/vocab.json": js({"a": 0}), "tokenizer/merges.txt": MERGES, "README.md": CARD},
        "sentence-transformers": {"modules.json": js([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]),
            "1_Pooling/config.json": js({"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True}),
            "config_sentence_transformers.json": js({"prompts": {"query": "Represent this sentence for searching: "}, "__version__": {"pytorch": "2.6"}}),
            "sentence_bert_config.json": js({"max_seq_length": 512}), **base("bert", **{"vocab.txt": VOCABULARY})},
        "timm": {"config.json": js({"architecture": "resnet50", "num_classes": 1000, "pretrained_cfg": {"url": "", "hf_hub_id": "timm/resnet50"}}),
                 "model.safetensors": WEIGHTS, "README.md": CARD},
        "gguf": {"tiny.Q8_0.gguf": llama_gguf, "README.md": CARD, ".gitattributes": ATTRIBUTES,
                 "Modelfile": b'FROM ./tiny.Q8_0.gguf\nTEMPLATE """{{ .Prompt }}"""\nPARAMETER temperature 0.7\n'},
        "training-run": base("whisper") | {"train.py": TRAIN.encode(), "requirements.txt": REQUIREMENTS.encode(), "run.sh": SCRIPT,
                        "demo.ipynb": js(NOTEBOOK), "trainer_state.json": js({"log_history": [{"loss": 1.0}], "best_model_checkpoint": "./out/checkpoint-10"}),
                        "all_results.json": js({"eval_loss": 0.1}), "Dockerfile": DOCKER, "start.bat": BATCH},
        "custom-code": {**base("tiny"), "config.json": config("tiny", auto_map={"AutoConfig": "configuration_tiny.TinyConfig", "AutoModel": "modeling_tiny.TinyModel"}),
                        "configuration_tiny.py": CONFIGURATION.encode(), "modeling_tiny.py": FLASH.encode()},
        "chatglm-like": {**base("tiny"), "config.json": config("tiny", auto_map={"AutoConfig": "configuration_tiny.TinyConfig", "AutoModel": "modeling_tiny.TinyModel"}),
                         "configuration_tiny.py": CONFIGURATION.encode(),
                         "modeling_tiny.py": MODELING.replace("from .configuration_tiny", "from .quantization import kernels\nfrom .configuration_tiny").encode(),
                         "quantization.py": KERNEL.replace("BLOB", _BLOB).encode()},
        "qwen-vl-like": {**base("tiny"), "tokenizer_config.json": js({"auto_map": {"AutoTokenizer": ["tokenization_tiny.TinyTokenizer", None]}}),
                         "tokenization_tiny.py": VISUAL.encode()},
        "audio-code": {**base("tiny"), "preprocessor_config.json": js({"auto_map": {"AutoFeatureExtractor": "feature_extraction_tiny.TinyExtractor"}}),
                       "feature_extraction_tiny.py": AUDIO.encode()},
        "space": {"app.py": APP.encode(), "requirements.txt": b"gradio\ntransformers\ntorch\n", "README.md": b"---\ntitle: Demo\nsdk: gradio\napp_file: app.py\n---\n", "packages.txt": b"ffmpeg\n"},
        "endpoint": base("vit") | {"handler.py": HANDLER.encode(), "requirements.txt": b"pillow\n"},
        "hub": {"hubconf.py": HUBCONF.encode(), "models.py": b"import torch.nn as nn\n\n\ndef build(**kwargs):\n    return nn.Linear(2, 2)\n", "README.md": CARD},
        "dataset": {"data.py": DATASET.encode(), "README.md": README.encode(), "data.csv": b"text,label\nhello,1\n"},
        "package": base("tiny") | {"setup.py": b"import os\nfrom setuptools import setup\nabout = {}\nexec(open('tiny/version.py').read(), about)\nsetup(version=about['v'], packages=['tiny'])\n",
                    "tiny/version.py": b"v = '1.0'\n", "tiny/__init__.py": b"import importlib\nimport os\n\n_MODULES = {'a': '.a'}\n\n\ndef __getattr__(name):\n    return importlib.import_module(_MODULES[name], __name__)\n",
                    "tiny/a.py": b"import subprocess\n\n\ndef revision():\n    return subprocess.check_output(['git', 'rev-parse', 'HEAD'])\n"},
        "converter": base("tiny") | {"convert.py": CONVERT.encode(), "setup.py": b"from setuptools import find_packages, setup\n\nsetup(name='tiny', version='0.1', packages=find_packages(), install_requires=open('requirements.txt').read().split())\n", "requirements.txt": b"torch\n"},
        "multilingual": base("xlmr", **{"README.md": "# مدل\n\nنمی‌دانم. 👨‍👩‍👧 नमस्ते\n\n日本語の説明。".encode(), "vocab.txt": VOCABULARY}),
        "evaluation": base("tiny") | {"eval/results.json": js({"mmlu": 0.7, "notes": "run with `bash eval.sh`"}), "eval/eval.sh": SCRIPT, ".gitignore": b"*.pyc\n__pycache__/\n",
                      "configs/train.yaml": b"model:\n  name: tiny\n  path: ./model\ntrainer:\n  devices: 8\n"},
        "tokenizer-only": {"tokenizer.json": js(TOKENIZER), "tokenizer_config.json": js({"tokenizer_class": "PreTrainedTokenizerFast"}), "special_tokens_map.json": js({})},
        "processor": base("vlm") | {"processor_config.json": js({"processor_class": "TinyProcessor", "chat_template": VISION}), "preprocessor_config.json": js({"image_mean": [0.5]}),
                     "chat_template.json": js({"chat_template": VISION})},
        "vae-only": {"config.json": js({"_class_name": "AutoencoderKL", "_diffusers_version": "0.30"}), "diffusion_pytorch_model.safetensors": WEIGHTS},
        "quantised": {**base("llama"), "config.json": config("llama", quantization_config={"quant_method": "gptq", "bits": 4}), "quantize_config.json": js({"bits": 4, "model_file_base_name": "model"})},
        "mistral-files": {"consolidated.safetensors": WEIGHTS, "params.json": js({"dim": 4096, "n_layers": 32}), "tekken.json": js({"config": {"pattern": "[^\\r\\n]+"}, "vocab": [{"rank": 0, "token_bytes": "AA=="}]}), "README.md": CARD},
    }  # fmt: skip
    for name, template in {
        "chatml": CHATML,
        "llama3": LLAMA,
        "thinking": THINKING,
        "tools": TOOLS,
        "vision": VISION,
    }.items():
        made[f"chat-{name}"] = chat(template)
    made["chat-jinja"] = base("qwen") | {
        "chat_template.jinja": THINKING.encode(),
        "additional_chat_templates/tool_use.jinja": TOOLS.encode(),
    }
    return made
