"""Names of packages that are written almost like one that machine learning uses.

Two letters exchanged, one left out, doubled or replaced inside of the name: what a hand mistypes, and what waits for it
in the index. Letters before or behind a name are how honest packages are named after others, and count for nothing.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, shorten, visible
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
_PUBLISHERS = frozenset(
    """huggingface meta-llama facebook facebookresearch openai microsoft google google-deepmind mistralai deepseek-ai
    qwen stabilityai nvidia eleutherai bigscience bigcode sentence-transformers tiiuae mosaicml databricks
    anthropic anthropics pytorch tensorflow ggml-org ggerganov black-forest-labs thebloke bartowski unsloth
    nousresearch baai cohere coherelabs cohereforai ibm-granite allenai salesforce apple runwayml compvis
    lllyasviel comfyanonymous automatic1111 dao-ailab vllm-project thudm zai-org internlm opengvlab openbmb
    moonshotai minimaxai nomic-ai jinaai mixedbread-ai intfloat alibaba-nlp snowflake actions docker aws-actions
    google-github-actions astral-sh softprops peaceiris codecov pypa langchain-ai ultralytics open-mmlab
    speechbrain ollama rocm intelanalytics bitnami selenium jupyter runpod continuumio condaforge xenova lmstudio-
    community mlx-community""".split()
)
"""Accounts of the hub and of GitHub that repositories of models take code and weights from."""
_ACCOUNT = lazy(
    r"(?:github\.com|githubusercontent\.com|huggingface\.co|\bhf\.co)[/:](?:datasets/|spaces/|models/)?(?P<link>[\w.-]{5,40})/[\w.-]+"
    r"|^[^\S\n]*(?:-\s+)?uses\s*:\s*[\"']?(?P<action>[\w.-]{5,40})/[\w.-]+"
    r"|\b(?:from_pretrained|snapshot_download|hf_hub_download|SentenceTransformer|pipeline|hub\.load|load_dataset)\s*\([^()\n]{0,200}?[\"'](?P<id>[\w.-]{5,40})/[\w.-]+[\"']"
    r"|^[^\S\n]*FROM\s+(?:--\S+\s+)*(?P<from>[a-z0-9][\w-]{4,40})/[\w.-]+|^[^\S\n]*(?:-\s+)?[\"']?image[\"']?\s*:\s*[\"']?(?P<image>[a-z0-9][\w-]{4,40})/[\w.-]+"
    r"|^[^\S\n]*(?:base_model|model|base_model_name_or_path|model_id|model_name_or_path)\s*:\s*[\"']?(?P<base>[\w.-]{5,40})/[\w.-]+",
    re.M,
)
_OF_NODE = frozenset(
    """lodash express react-dom react-router typescript commander webpack prettier eslint mongoose nodemon body-parser
    dotenv cross-env jsonwebtoken socket.io @huggingface/transformers @huggingface/inference @huggingface/hub
    onnxruntime-node onnxruntime-web @tensorflow/tfjs @langchain/core @modelcontextprotocol/sdk tailwindcss""".split()
)
_CHANNELS = frozenset("conda-forge pytorch nvidia bioconda defaults huggingface fastai rapidsai".split())
_CHANNEL = lazy(r"^[^\S\n]*-[^\S\n]+[\"']?(?P<name>[a-z][\w-]{5,30})[\"']?[^\S\n]*$", re.M)
_LISTED = lazy(r"^[^\S\n]*channels[^\S\n]*:[^\S\n]*\n(?P<names>(?:[^\S\n]*-[^\n]*\n){1,20})", re.M)
_LINE = lazy(r"^\s*(?:-\s+)?[\"']?(?P<name>[A-Za-z][\w.-]{3,60}?)\s*(?:\[[\w, -]*\])?\s*(?:[=<>!~;@,\"' ]|$)")
_INSTALL = lazy(r"\b(?:pip3?|uv\s+pip|poetry|pipenv|conda|mamba|uv)\s+(?:install|add)\s(?P<given>[^\n|;&]{1,600})")
_REPLACED = lazy(
    r"^[^\S\n]*(?:replace\s+)?(?P<module>[\w./-]+)(?:\s+v\S+)?\s*=>\s*(?P<other>[\w./-]+\.[\w./-]+)\s+v", re.M
)


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


def owners(text: str) -> Iterator[Remark]:
    """Accounts that are written almost like those of well-known publishers, where something is taken from them."""
    seen: set[str] = set()
    for found in itertools.islice(_ACCOUNT.finditer(text), 2000):
        name = next(filter(None, found.groups()))
        if name in seen:
            continue
        seen.add(name)
        if meant := poses(name):
            line = line_at(text, found.start())
            what = f"takes something from an account that is written almost like {meant}"
            yield Remark("lookalike", what, _shown(found.group()), line)


def poses(owner: str) -> str:
    """The publisher that an account is mistaken for, "" for none: letters that look alike, exchanged or doubled."""
    name = owner.lower()
    if name in _PUBLISHERS or not 5 <= len(name) <= 30:
        return ""
    seen = _looks(name)
    for known in _PUBLISHERS:
        if name.replace("-", "") != known.replace("-", "") and seen == _looks(known):
            return known
    near = (known for known in _PUBLISHERS if len(known) > 5 and _near(name, known) and not _plural(name, known))
    return next((known for known in near if len(known) > 7 or sorted(known) == sorted(name)), "")


def _looks(name: str) -> str:
    """The same for names that the eye takes for each other."""
    for pair, one in (
        ("rn", "m"),
        ("vv", "w"),
        ("0", "o"),
        ("1", "i"),
        ("l", "i"),
        ("|", "i"),
        ("5", "s"),
        ("_", "-"),
        (".", "-"),
    ):
        name = name.replace(pair, one)
    return name


def _plural(name: str, known: str) -> bool:
    return name.startswith(known) or known.startswith(name)


def channels(text: str) -> Iterator[Remark]:
    """Channels of conda that are written almost like the usual ones."""
    for listed in itertools.islice(_LISTED.finditer(text), 20):
        for found in _CHANNEL.finditer(listed["names"]):
            if meant := _mistaken(found["name"], _CHANNELS):
                what = f"takes packages from a channel that is written almost like {meant}"
                line = line_at(text, listed.start("names") + found.start())
                yield Remark("lookalike", what, _shown(found["name"]), line)


def of_node(name: str) -> str:
    """The known package of npm that this name is mistaken for, "" for none."""
    return _mistaken(name.lower(), _OF_NODE)


def _mistaken(name: str, known: frozenset[str]) -> str:
    if name in known or not 5 <= len(name) <= 40:
        return ""
    near = (each for each in known if abs(len(each) - len(name)) < 2 and (_near(name, each) or _off(name, each)))
    return next(near, "")


def _off(name: str, known: str) -> bool:
    """True where the last letter is missing, or stands before the one before it."""
    return (len(known) > 8 and known[:-1] == name) or (len(known) > 5 and known[:-2] + known[:-3:-1] == name)


def replaced(text: str) -> Iterator[Remark]:
    """Modules of Go that are replaced by ones that are written almost like them."""
    for found in itertools.islice(_REPLACED.finditer(text), 200):
        module, other = found["module"].lower(), found["other"].lower()
        if module != other and _looks(module) == _looks(other):
            what = "replaces a module by one that is written almost like it"
            yield Remark("lookalike", what, _shown(found.group().strip()), line_at(text, found.start()))


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
