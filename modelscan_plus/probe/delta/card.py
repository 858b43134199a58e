"""What a model card claims about how the model was made, as far as weights can contradict it.

Read are the YAML front matter, line by line (`base_model`, `base_model_relation`), and a few plain statements in the
text: that only the head was trained, that LoRA was used and with which rank, that nothing but the format or the number
of bits changed. What is not understood claims nothing.

Source: Hugging Face Hub documentation, "Model cards", section "Specifying a base model".
"""

import re
from dataclasses import dataclass

from modelscan_plus.core.text import shorten
from modelscan_plus.probe.files import ModelFiles

NAMES = ("README.md", "readme.md", "MODEL_CARD.md")
_LARGEST = 1 << 20
_FIELD = re.compile(r"^(base_model|base_model_relation):[ \t]*[\"']?([^\s\"'#]{1,200})", re.M)
_ITEM = re.compile(r"^base_model:[ \t]*\n[ \t]*-[ \t]*[\"']?([^\s\"'#]{1,200})", re.M)
_HEAD = re.compile(
    r"\b(?:only|just|solely)\s+(?:the\s+)?(?:new\s+|final\s+|last\s+)?(?:classification\s+|classifier\s+|linear\s+)?"
    r"(?:head|classifier)\b[^.\n]{0,40}\b(?:train|tun|updat)"
    r"|\b(?:train|tun|updat)(?:ed|ing|es)?\s+(?:only|just|solely)\s+(?:the\s+)?[\w\s-]{0,30}\bhead\b"
    r"|\b(?:frozen|freez\w+)\s+(?:the\s+)?(?:encoder|backbone|body|base model|transformer)\b|\blinear prob(?:e|ing)\b"
    r"|\b(?:encoder|backbone|body|base model)\s+(?:is|was|were|stays?|kept)\s+(?:kept\s+)?frozen\b",
    re.I,
)
_CONVERTED = re.compile(
    r"\b(?:weights|model|checkpoint)\s+(?:was|were|is|are|have been|has been)?\s*(?:simply\s+|only\s+|just\s+)?"
    r"convert(?:ed)?\s+(?:to|into|from)\b|\bunchanged\s+(?:weights|copy)\b|\b(?:exact|plain)\s+(?:copy|mirror)\s+of\b"
    r"|\b(?:fp16|bf16|half.precision|safetensors)\s+(?:version|conversion|copy)\s+of\b",
    re.I,
)
_LORA = re.compile(r"\b(?:q?lora|peft)\b", re.I)
_RANK = re.compile(r"(?:\br\b|\brank\b|\blora_r\b)[`\"'*]*\s*(?:[:=|]|of|is)?\s*[`*]*(\d{1,4})\b", re.I)


@dataclass(frozen=True, slots=True)
class Claims:
    """What the card says; "" and False for nothing."""

    base: str = ""
    relation: str = ""
    """"finetune", "adapter", "quantized", "merge"."""
    head_only: str = ""
    """The words that say so."""
    converted: str = ""
    lora: bool = False
    rank: int = 0


def read_card(files: ModelFiles) -> Claims:
    """The claims of the first card that is there."""
    name = next((name for name in NAMES if name in files), "")
    if not name:
        return Claims()
    text = files[name].pread(0, _LARGEST).decode("utf-8", "replace")
    end = text.find("\n---", 3) if text.startswith("---") else -1
    front, prose = (text[: end + 1], text[end + 4 :]) if end > 0 else ("", text)
    fields = dict(_FIELD.findall(front))
    if item := _ITEM.search(front):
        fields.setdefault("base_model", item[1])
    lora = bool(_LORA.search(text)) or fields.get("base_model_relation") == "adapter"
    return Claims(
        base=fields.get("base_model", ""),
        relation=fields.get("base_model_relation", "").lower(),
        head_only=_words(_HEAD, prose),
        converted=_words(_CONVERTED, prose),
        lora=lora,
        rank=_rank(prose) if lora else 0,
    )


def _words(pattern: "re.Pattern[str]", prose: str) -> str:
    found = pattern.search(prose)
    return shorten(" ".join(found.group().split()), 120) if found else ""


def _rank(prose: str) -> int:
    """The rank, where it is stated within a few lines of the word LoRA, and only one is."""
    near = "\n".join(prose[max(0, at.start() - 300) : at.end() + 300] for at in list(_LORA.finditer(prose))[:20])
    stated = {int(number) for number in _RANK.findall(near)} - {0}
    return stated.pop() if len(stated) == 1 else 0
