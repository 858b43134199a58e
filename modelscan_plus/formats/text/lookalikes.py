"""Names of packages that are written almost like one that machine learning uses.

Two letters exchanged, one left out, doubled or replaced inside of the name: what a hand mistypes, and what waits for it
in the index. Letters before or behind a name are how honest packages are named after others, and count for nothing.
"""

import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text.facts import Remark

_KNOWN = frozenset(
    """transformers tokenizers safetensors huggingface-hub accelerate diffusers datasets numpy pandas scipy requests
    tensorflow torchvision torchaudio scikit-learn matplotlib pillow sentencepiece bitsandbytes onnxruntime
    opencv-python langchain gradio streamlit anthropic protobuf setuptools urllib3 cryptography pyyaml fastapi
    uvicorn pydantic colorama beautifulsoup4 selenium sentence-transformers xformers deepspeed flash-attn
    ultralytics optimum auto-gptq llama-cpp-python librosa soundfile einops tensorboard scikit-image
    opencv-python-headless tiktoken aiohttp psutil packaging faiss-cpu chromadb onnxruntime-gpu open-clip-torch
    pytorch-lightning""".split()
)
_OTHERS = frozenset("opencc-python faiss-gpu pedantic optimus scikits-learn autogptq".split())
"""Packages of their own that look like one of these."""
_LINE = lazy(r"^\s*(?:-\s+)?[\"']?(?P<name>[A-Za-z][\w.-]{3,60}?)\s*(?:\[[\w, -]*\])?\s*(?:[=<>!~;@,\"' ]|$)")
_INSTALL = lazy(r"\b(?:pip3?|uv\s+pip|poetry|pipenv|conda|mamba|uv)\s+(?:install|add)\s(?P<given>[^\n|;&]{1,600})")


def lookalikes(text: str, *, script: bool) -> Iterator[Remark]:
    """Names of a requirements file, or of the commands of a script that install something."""
    for number, line in enumerate(text.split("\n")[:20_000], 1):
        bare = line.partition(" #")[0]
        if bare.lstrip().startswith(("#", "//")):
            continue
        given = [found["given"] for found in _INSTALL.finditer(bare)] if "add" in bare or "install" in bare else []
        names = [word for part in given for word in part.split() if not word.startswith("-")]
        if not script and (found := _LINE.match(bare)):
            names.append(found["name"])
        for word in names:
            name = re.sub(r"[-_.]+", "-", re.split(r"[\[=<>!~@;,]", word.strip("\"'"))[0].lower())
            if meant := resembles(name):
                yield Remark(
                    "lookalike", f"asks for a package that is written almost like {meant}", _shown(name), number
                )


def resembles(name: str) -> str:
    """The known package that this name is mistaken for, "" for none."""
    if name in _KNOWN or name in _OTHERS or not 5 <= len(name) <= 30:
        return ""
    return next((known for known in _KNOWN if abs(len(known) - len(name)) < 2 and _near(name, known)), "")


def _near(name: str, known: str) -> bool:
    plain = name.replace("-", "")
    if plain == known.replace("-", ""):
        return False
    if name[0] != known[0] or name[-1] != known[-1]:
        return False
    if len(name) == len(known):
        at = [place for place in range(len(name)) if name[place] != known[place]]
        swapped = len(at) == 2 and at[1] == at[0] + 1 and name[at[0]] == known[at[1]] and name[at[1]] == known[at[0]]
        return swapped or (len(at) == 1 and len(known) > 7)
    longer, shorter = (name, known) if len(name) > len(known) else (known, name)
    return len(known) > 6 and any(longer[:at] + longer[at + 1 :] == shorter for at in range(1, len(longer) - 1))


def _shown(name: str) -> str:
    return shorten(visible(name), 80)
