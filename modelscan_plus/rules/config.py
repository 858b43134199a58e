"""JSON configurations: the code they name, the files they lead to, and text that a tokenizer rewrites."""

import re
from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats import kinds
from modelscan_plus.formats.text.facts import ConfigPath, JsonFacts, ReplaceRule
from modelscan_plus.formats.text.lookalikes import poses
from modelscan_plus.formats.text.sentencepiece import PiecesFacts
from modelscan_plus.formats.text.tokenizing import Oddity
from modelscan_plus.rules.hosts import publisher
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.modules import acts
from modelscan_plus.rules.script_rules import LOOKALIKE
from modelscan_plus.rules.scripts import of_remark, tells

_REMOTE = "https://huggingface.co/docs/transformers/main/en/models#custom-models"
_DIFFUSERS = "https://huggingface.co/docs/diffusers/main/en/using-diffusers/custom_pipeline_overview"
_TOKENIZERS = "https://huggingface.co/docs/tokenizers/main/en/components"

FOREIGN_CODE = Rule(
    id="MSP5030",
    slug="code-from-other-repository",
    title="The configuration takes code from another repository",
    severity=Severity.HIGH,
    why=(
        "With remote code allowed, the loader fetches the named file from the other repository, from "
        "whatever its main "
        "branch holds at that moment: pinning the revision of this model does not pin it. Its owner, or whoever gets "
        "hold of a deleted name, decides what runs. Owners whose code many models take over "
        "(rules/data/hosts.toml) are "
        "reported as medium."
    ),
    fix="Copy the code into a repository of your own and review it, or use a class that the library has built in.",
    bad='"auto_map": {"AutoModel": "someone/other-repo--modeling_x.XModel"}',
    good='"auto_map": {"AutoModel": "modeling_x.XModel"}',
    cwe=("CWE-829", "CWE-494"),
    references=(_REMOTE,),
)
OWN_CODE = Rule(
    id="MSP5031",
    slug="code-in-repository",
    title="The configuration names code of the repository itself",
    severity=Severity.INFO,
    why=(
        "Loaders run it only when the user allows remote code. Thousands of honest models come with their own code; "
        "what this code does is judged by itself."
    ),
    fix="Allow remote code only at a pinned revision whose code somebody has read.",
    bad='"auto_map": {"AutoModel": "modeling_x.XModel"}',
    good='"architectures": ["BertModel"]',
    cwe=("CWE-829",),
    references=(_REMOTE,),
)
TRUSTS = Rule(
    id="MSP5033",
    slug="asks-for-trust",
    title="The configuration itself asks loaders to run remote code",
    severity=Severity.MEDIUM,
    why=(
        "Whether code of a repository may run is the user's decision. Some programs pass what the "
        "configuration says on "
        "to the loader, and the decision is then the publisher's."
    ),
    fix="Remove the key, and allow remote code in your own program if you want it.",
    bad='"trust_remote_code": true',
    good='"auto_map": {"AutoModel": "modeling_x.XModel"}   and the user passes trust_remote_code',
    cwe=("CWE-807",),
    references=(_REMOTE,),
)
OTHER_LIBRARY = Rule(
    id="MSP5034",
    slug="builds-from-other-module",
    title="The configuration builds something from a module that its loader does not know",
    severity=Severity.MEDIUM,
    why=(
        "The loader imports the named module and calls the named class. A module outside of the known libraries is "
        "either code of the repository or any package of the machine, up to those that run programs."
    ),
    fix="Find out what the module is. Load the model without it where you can.",
    bad='"_target_": "subprocess.run"',
    good='"unet": ["diffusers", "UNet2DConditionModel"]',
    cwe=("CWE-470",),
    references=(_DIFFUSERS,),
)
PATH_LEAVES = Rule(
    id="MSP5035",
    slug="path-leaves-repository",
    title="The configuration names a file outside of the repository",
    severity=Severity.HIGH,
    why=(
        "The loader opens the file on the machine that loads the model, or fetches it from elsewhere: something that "
        "was not scanned, or that should not be read. Paths of the machine on which a model was trained are mostly "
        "leftovers and are reported as info."
    ),
    fix="Remove the key or set it to a file of the repository.",
    bad='"vocab_file": "../../../etc/passwd"',
    good='"vocab_file": "vocab.json"   "_name_or_path": "/home/me/checkpoints/7b"',
    cwe=("CWE-22",),
    references=(_REMOTE,),
)
DUPLICATE = Rule(
    id="MSP5036",
    slug="config-duplicate-key",
    title="A key stands twice in a JSON configuration",
    severity=Severity.MEDIUM,
    why="Readers differ in which of the two they take, so that what was reviewed need not be what is loaded.",
    fix="Ask the publisher which one is meant, and remove the other.",
    bad='{"auto_map": {}, "auto_map": {"AutoModel": "a/b--c.D"}}',
    good='{"auto_map": {"AutoModel": "modeling_x.XModel"}}',
    cwe=("CWE-436",),
    references=("https://datatracker.ietf.org/doc/html/rfc8259#section-4",),
)
HOLDS_CODE = Rule(
    id="MSP5037",
    slug="config-holds-code",
    title="The configuration itself holds code",
    severity=Severity.HIGH,
    why=(
        "Settings are numbers and names. An expression that starts programs or opens connections waits for code that "
        "evaluates it; a Lambda layer of Keras carries bytecode that runs when the model is built or used; and Keras "
        "imports any object from the module that stands beside its name."
    ),
    fix="Do not load the model. Ask the publisher for one that is built of the library's own layers.",
    bad='"rope_base": "__import__(\'os\').system(\'id\')"     {"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__", …',
    good='"hidden_act": "gelu_new"     {"module": "keras.layers", "class_name": "Dense"}',
    cwe=("CWE-95", "CWE-502"),
    references=("https://nvd.nist.gov/vuln/detail/CVE-2025-1550", "https://nvd.nist.gov/vuln/detail/CVE-2024-3660"),
)
REWRITES = Rule(
    id="MSP6020",
    slug="tokenizer-rewrites-text",
    title="The tokenizer replaces words of the text",
    severity=Severity.HIGH,
    why=(
        "A Replace step turns one text into another before the model reads it, or after it has answered: an "
        "address, an "
        "account or a name becomes another one, and the weights know nothing of it. Tokenizers replace blanks, quotes "
        "and bytes."
    ),
    fix="Use the tokenizer of the base model.",
    bad='{"type": "Replace", "pattern": {"String": "bank.example"}, "content": "bnak.example"}',
    good='{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}',
    cwe=("CWE-506",),
    references=(_TOKENIZERS,),
)

CHANGES_TEXT = Rule(
    id="MSP6021",
    slug="tokenizer-changes-text",
    title="The tokenizer puts words in, takes words out or confuses two words",
    severity=Severity.HIGH,
    why=(
        "What the model reads is then another text than the one that was written: words before each text, a special "
        "token that stands for a sentence, a word that is cut away, two words under one number, a word that "
        "is special "
        "and therefore left out of each answer. The weights know nothing of it."
    ),
    fix="Use the tokenizer of the base model.",
    bad='{"type": "Split", "pattern": {"String": "not"}, "behavior": "Removed"}     "bos_token": "<s>Always praise …"',
    good='{"type": "Prepend", "prepend": "▁"}     {"type": "Split", "pattern": {"String": " "}, "behavior": "Removed"}',
    cwe=("CWE-506",),
    references=(_TOKENIZERS,),
)
SLOW_PATTERN = Rule(
    id="MSP6022",
    slug="tokenizer-slow-pattern",
    title="A pattern of the tokenizer or adapter takes endless time on some texts",
    severity=Severity.HIGH,
    why="A repetition of repetitions is tried in all ways in which it can be read: one short text stops the server.",
    fix="Use the tokenizer of the base model.",
    bad='{"Regex": "(a+)+$"}',
    good='{"Regex": "\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)"}',
    cwe=("CWE-1333",),
    references=(_TOKENIZERS,),
)

UNPINNED_BASE = Rule(
    id="MSP5068",
    slug="unpinned-base-model",
    title="An adapter names its base model without a commit",
    severity=Severity.INFO,
    why=(
        "peft loads the base model from whatever the main branch of that repository holds at that moment. Pinning the "
        "adapter does not pin it, and what was scanned here is the adapter alone."
    ),
    fix="Scan the base model as well, and give its commit: from_pretrained(base, revision=…) before the adapter.",
    bad='"base_model_name_or_path": "org/base", "revision": null',
    good='"base_model_name_or_path": "org/base", "revision": "4d7a2146…" (40 digits)',
    cwe=("CWE-829",),
    references=("https://huggingface.co/docs/peft/main/en/developer_guides/checkpoint",),
)
_KERNELS = frozenset(("kernels-community",))
"""Whose kernels transformers itself loads."""
_BUILTINS = frozenset("eval exec compile __import__ open input getattr setattr breakpoint".split())
_KERAS = lazy(
    r"^(?:get_file|load_model|load_weights|enable_unsafe_deserialization|TorchModuleWrapper|TFSMLayer|"
    r"model_from_json)$"
)
"""What Keras itself offers to load or fetch more (CVE-2025-8747, CVE-2025-49655)."""
_HUB_ID = lazy(r"[\w.-]+/[\w.-]+")
_COMMIT = lazy(r"[0-9a-f]{40}")

_KNOWN = lazy(
    r"^(?:diffusers|transformers|sentence_transformers|onnxruntime|optimum|peft|timm|flax|torch\.nn|"
    r"torch\.optim|torchvision|torchaudio|"
    r"accelerate|tokenizers|open_clip|k_diffusion|stable_diffusion|xformers|bitsandbytes|controlnet_aux|"
    r"nemo|pytorch_lightning|lightning|"
    r"omegaconf|ldm|sgm|audiocraft|TTS|fairseq|fairseq2|mmengine|mmcv|mmdet|ultralytics|super_gradients|"
    r"monai|segment_anything|"
    r"datasets|evaluate|keras|keras_hub|keras_nlp|tensorflow\.keras|nncf|openvino|huggingface_hub|"
    r"safetensors|spacy|null|None|library|stable_audio_tools|"
    r"speechbrain|espnet|espnet2|pyannote|asteroid|flair|setfit|pylate|model2vec|gliner|span_marker|"
    r"adapters|trl|unsloth|mlx|mlx_lm|"
    r"vllm|sglang|megatron|deepspeed|apex|torch|lm_eval|torchtune|litgpt|fvcore|detectron2)\b",
    re.I,
)
_VITAL = lazy(
    r"auto_map|custom_|_class_name|architectures|_target_|trust|weight_map|chat_template|tokenizer_class|"
    r"model_type|base_model|library|"
    r"transformers_weights|_file$|^type$",
    re.I,
)


@judges(JsonFacts)
def code_references(facts: JsonFacts, context: Context) -> Iterator[Finding]:
    """Every place at which the file names code."""
    for key, value in facts.code:
        rule, severity, message = _reference(key, value)
        if rule is not None:
            yield context.finding(
                rule, message, TextEvidence(f"{key}: {value}"), subject=f"{key}\0{value}", severity=severity
            )
    for key in facts.trusts:
        yield context.finding(
            TRUSTS, f"The key {key} is true: loaders are asked to run code.", TextEvidence(f"{key}: true"), subject=key
        )


def _reference(key: str, value: str) -> tuple[Rule | None, Severity | None, str]:
    if "--" in value and "/" in value.partition("--")[0]:
        repository, _, what = value.partition("--")
        message = f"The key {key} takes {what} from the repository {repository}."
        return FOREIGN_CODE, Severity.MEDIUM if publisher(repository) else None, message
    if re.match(r"^[a-z]+://", value, re.I):
        return FOREIGN_CODE, None, f"The key {key} takes code from {value}."
    last = key.rpartition(".")[2]
    if "implementation" in key or "kernel_mapping" in key:
        repository = value.rpartition("|")[2].partition(":")[0]
        own = repository.partition("/")[0] in _KERNELS
        return (None, None, "") if own else (FOREIGN_CODE, None, f"The key {key} takes a kernel from {repository}.")
    if value.startswith(("/", "~", "..")) or "/../" in value:
        return PATH_LEAVES, Severity.HIGH, f"The key {key} takes code from {value}, which is not in the repository."
    if (last in ("custom_pipeline", "_custom_pipeline", "custom_generate") or last == "_class_name") and "/" in value:
        return FOREIGN_CODE, None, f"The key {key} takes code from the repository {value}."
    if acts(value):
        return (
            OTHER_LIBRARY,
            Severity.CRITICAL if last in ("_target_", "class_path") else Severity.HIGH,
            f"The key {key} names {value}.",
        )
    if "auto_map" in key or key.startswith("custom_") or last in ("custom_pipeline", "custom_generate"):
        return OWN_CODE, None, f"The key {key} names {value} of this repository."
    if _KNOWN.match(value):
        return None, None, ""
    severity = Severity.HIGH if key.rpartition(".")[2] == "megatron_core" else None  # there is one library of the kind
    return OTHER_LIBRARY, severity, f"The key {key} names {value}, which is of no library that is known here."


@judges(JsonFacts)
def code_inside(facts: JsonFacts, context: Context) -> Iterator[Finding]:
    """Expressions, bytecode, and objects that are restored from modules that act on the machine."""
    for key, called in facts.expressions:
        message = f"The value of {key} is Python that calls {called}."
        yield context.finding(HOLDS_CODE, message, TextEvidence(key), subject=f"{key}\0{called}")
    for key, module, name in facts.restored:
        if name == "__lambda__":
            message = f"The layer at {key or 'the top'} carries its function as bytecode."
        elif _restores_danger(module, name):
            message = f"Keras would import {name} from {module} for {key or 'the top'}."
        else:
            continue
        yield context.finding(HOLDS_CODE, message, TextEvidence(f"{module}.{name}"), subject=f"{key}\0{module}.{name}")


def _restores_danger(module: str, name: str) -> bool:
    if module == "builtins":
        return name in _BUILTINS
    if re.match(r"(?:keras|tensorflow|tf_keras)\b", module):
        return _KERAS.search(name) is not None
    return acts(f"{module}.{name}")


@judges(JsonFacts)
def paths(facts: JsonFacts, context: Context) -> Iterator[Finding]:
    """Values that lead out of the repository."""
    for path in facts.paths:
        severity = _path_severity(path)
        if severity is not None:
            yield context.finding(
                PATH_LEAVES,
                f"The key {path.key} names {path.value}, which is not in the repository.",
                TextEvidence(f"{path.key}: {path.value}"),
                subject=f"{path.key}\0{path.value}",
                severity=severity,
            )


def _path_severity(path: ConfigPath) -> Severity | None:
    last = path.key.rpartition(".")[2]
    trained = bool(
        re.search(
            r"name_or_path|base_model|output_dir|_dir$|folder|checkpoint|draft_model|adapter_path|cache|log", last
        )
    )
    if path.kind == "url":
        runs = kinds.extension(path.value.partition("?")[0]) in kinds.EXECUTABLE_NAMES
        return Severity.HIGH if runs or path.value.lower().startswith("http:") else Severity.LOW
    if path.kind == "network":
        return Severity.HIGH
    if trained and re.fullmatch(r"[./\\]*\.\.[./\\]*", path.value):
        return Severity.HIGH  # the folder above, whatever it is: no place where a model was trained has no name
    if trained:
        return Severity.INFO if path.kind == "absolute" else Severity.LOW
    if path.kind == "leaves":
        return Severity.HIGH
    system = re.match(r"^(?:/(?:etc|proc|sys|dev|root|var/run)/|~/\.|/home/[^/]+/\.)", path.value)
    return Severity.HIGH if system else Severity.LOW


@judges(JsonFacts)
def base_model(facts: JsonFacts, context: Context) -> Iterator[Finding]:
    """The model that an adapter is laid over."""
    base = facts.strings.get("base_model_name_or_path", "")
    if meant := poses(base.partition("/")[0]) if _HUB_ID.fullmatch(base) else "":
        message = f"The base model {base} belongs to an account that is written almost like {meant}."
        yield context.finding(LOOKALIKE, message, TextEvidence(base), subject=f"owner\0{base}")
    revision = facts.strings.get("revision", "")
    if _HUB_ID.fullmatch(base) and not _COMMIT.fullmatch(revision):
        message = f"The base model is {base}, at {revision or 'its main branch'}; it was not scanned here."
        yield context.finding(UNPINNED_BASE, message, TextEvidence(base), subject=base)


@judges(JsonFacts)
def duplicates(facts: JsonFacts, context: Context) -> Iterator[Finding]:
    """Keys that stand twice; high where a loader goes by them."""
    for problem in facts.problems:
        if problem.kind == "duplicate":
            yield context.finding(
                DUPLICATE,
                f'The key "{problem.key}" stands twice; the later value is {problem.detail}',
                TextEvidence(problem.key),
                subject=problem.key,
                severity=Severity.HIGH if _VITAL.search(problem.key) else Severity.LOW,
            )


@judges(JsonFacts)
def replaces(facts: JsonFacts, context: Context) -> Iterator[Finding]:
    """Steps of a tokenizer that change words."""
    for step in facts.replaces:
        severity = _replace_severity(step)
        if severity is not None:
            yield context.finding(
                REWRITES,
                f'The {step.place} replaces "{step.pattern}" by "{step.content}".',
                TextEvidence(f"{step.pattern} → {step.content}"),
                subject=f"{step.place}\0{step.pattern}\0{step.content}",
                severity=severity,
            )


_STANDS_FOR = lazy(
    r"[<\[{@]{0,2}[A-Z][A-Z_]{1,15}[>\]}]{0,2}|[<\[{]{1,2}[a-z_]{2,15}[>\]}]{1,2}|@?(?:user|url|http|link|mention|email|number|hashtag)"
)
_SORT_OF_TEXT = lazy(r"(?:\(\?:)?(?:https\??:|https\?|www|@\\+[wS]|@\[|#\\+[wS]|#\[|\\+d|\[0-9)(?!.*\w\\*\.\w{2,})")
"""Addresses, names of users, marks and numbers of any kind, as a pattern begins that means all of them."""


def _replace_severity(step: ReplaceRule) -> Severity | None:
    pattern = re.sub(
        r"\\[a-zA-Z]|\\x[0-9a-f]{2}|\\u\{?[0-9a-fA-F]{4}\}?|\(\?[a-z:]+|\[[^\]]*\]|[\\^$.|?*+()\[\]{}]",
        "",
        step.pattern,
    )
    if _STANDS_FOR.fullmatch(step.content.strip()) and _SORT_OF_TEXT.match(step.pattern.strip()):
        return Severity.LOW  # as tweets are made ready: any address becomes one word
    letters = re.sub(
        r"\$\{?\w+\}?|\\\d|\\x[0-9a-f]{2}|\\u\{?[0-9a-fA-F]{4,6}\}?|<[^<>]{1,20}>|\[[A-Z]+\]", "", step.content
    )
    if "://" in step.content or re.search(r"\w\.\w{2,}", letters):
        return Severity.HIGH
    if re.search(r"[^\W_]{3,}", letters):
        return Severity.HIGH
    words = re.findall(r"[^\W\d_]{2,}", pattern)
    if len(words) > 1 or (words and re.search(r"[^\W\d_]{2,}", letters)):
        return Severity.HIGH  # words become other words, or a phrase is taken out
    if re.search(r"[^\W_]{4,}", pattern) and not re.search(r"byte|0x", step.pattern):
        return Severity.MEDIUM
    return None


_ODD = {
    "inserts": (CHANGES_TEXT, "The tokenizer puts words in"),
    "removes": (CHANGES_TEXT, "The tokenizer takes words out"),
    "same-number": (CHANGES_TEXT, "Two words have one number"),
    "special-word": (CHANGES_TEXT, "A word counts as special and is left out of answers"),
    "hidden": (CHANGES_TEXT, "A token consists of characters that nobody sees"),
    "exchanged": (CHANGES_TEXT, "Words stand under each other's numbers"),
    "slow": (SLOW_PATTERN, "The pattern repeats repetitions"),
}


@judges(PiecesFacts)
def pieces(facts: PiecesFacts, context: Context) -> Iterator[Finding]:
    """The same for a model of SentencePiece."""
    yield from _odd(facts.oddities, context)


@judges(JsonFacts)
def tokenizer_oddities(facts: JsonFacts, context: Context) -> Iterator[Finding]:
    """What a tokenizer puts in, takes out, or confuses."""
    yield from _odd(facts.oddities, context)


def _odd(oddities: tuple[Oddity, ...], context: Context) -> Iterator[Finding]:
    for odd in oddities:
        if odd.kind not in _ODD:
            continue  # those of rules/generation.py
        rule, message = _ODD[odd.kind]
        message = f"{message}: {odd.detail} ({odd.place})"
        yield context.finding(rule, message, TextEvidence(odd.detail), subject=f"{odd.kind}\0{odd.place}\0{odd.detail}")


@judges(JsonFacts)
def remarks(facts: JsonFacts, context: Context) -> Iterator[Finding]:
    """Commands, odd addresses and hidden characters in values."""
    for remark in facts.remarks:
        if tells(remark):
            yield of_remark(remark, "settings", context)
