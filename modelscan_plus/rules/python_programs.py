"""What a program that is started by a command comes to: a tool of a model's trade, an installer, git that obeys others later."""

import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import visible
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.deeds import OBEYED
from modelscan_plus.formats.text.python.later import GIT_KEYS, LATER
from modelscan_plus.formats.text.python.sinks import SENSITIVE_PATH, START_PATH
from modelscan_plus.rules.hosts import institution, listed

_TOOLS = frozenset(
    """ffmpeg ffprobe sox nvidia-smi rocm-smi amd-smi nvcc hipcc gcc g++ cc c++ clang clang++ cl ninja cmake make uname
    lscpu ldconfig nproc free df lspci which where whereis pdftotext pdftoppm pdfinfo tesseract soffice libreoffice espeak
    espeak-ng accelerate torchrun deepspeed huggingface-cli hf git-lfs tar unzip gunzip mkdir ls cp mv cat echo clear cls
    tensorboard mpirun srun numactl taskset lsb_release swig java aria2c git flac lame opusenc oggenc mediainfo rubberband
    fluidsynth timidity mecab gifski rsvg-convert dot antiword catdoc djvutxt dssp mkdssp hhblits hhsearch jackhmmer hmmsearch
    hmmbuild nhmmer mmseqs foldseek blastp blastn makeblastdb mafft muscle kalign obabel samtools bcftools bwa minimap2
    bowtie2 smina vina fpocket tmalign usalign colmap sysctl sw_vers getconf xpu-smi npu-smi rocminfo""".split()
)
"""Programs that models, feature extractors and their scripts have reason to start."""
_TOGETHER = frozenset(
    """git git-lfs aria2c huggingface-cli hf make cmake ninja java cp mv accelerate torchrun deepspeed mpirun srun numactl
    taskset""".split()
)
"""Those that fetch, that put something elsewhere, or that run what they find."""
_FETCHERS = frozenset("pget wget curl gdown gsutil s5cmd azcopy yt-dlp youtube-dl".split())
"""Programs with which servers and demos fetch weights and films."""
_SENDS = lazy(
    r"\s(?:--exec\S*|--netrc-cmd|--plugin-dirs?|--(?:external-)?downloader(?:-args)?|--use-askpass|-d|-F|-T|--data\S*|--form|--upload-file|--post-\S+|--body-\S+|--config|-K)\b"
)
GIVES = lazy(
    r"^\s*(?:\S*/)?(?:(?:curl|wget)\b.*\s(?:-d|-F|-T|--data\S*|--form\S*|--upload-file|--post-\S+|--body-\S+)\b|(?:scp|sftp|rsync|rclone|nc|ncat)\b.*\S"
    r"|(?:nslookup|dig|host|ping6?)\s.*…|(?:aws\s+s3|gsutil|azcopy|hf\s+upload|huggingface-cli\s+upload)\b)",
    re.I | re.S,
)
"""A program that is told to send what it is given."""
_SHELL = lazy(r"[|;&]|\$\(|`|>")
NEXT = lazy(r"\s*(?:&&|\|\||;)\s*")
_PASSING = lazy(r"(?:/tmp/|/dev/shm/|(?:\./)?\w)[\w./*-]*$")
_MODULE = lazy(r"\s*(?:\S*/)?python[\d.]*\s+-m\s+([\w.]+)(?:\s|$)")
_MODULES = frozenset(
    """spacy nltk.downloader unidic playwright build torch.distributed.run torch.distributed.launch grpc_tools.protoc
    accelerate.commands.launch""".split()
)
"""Modules that fetch data for a library, build a package, or start what their arguments name in several processes."""
_QUIET = lazy(r"\s(?:\d?>\s?/dev/null|2>&1|&>\s?/dev/null)")
INSTALLS = lazy(
    r"\b(?:pip3?|uv|conda|mamba|apt(?:-get)?|npm|poetry)\b.{0,60}\binstall\b|pip\._internal|pip\.main", re.I
)


_KNOWN_PLACES = lazy(
    r"^(?:(?:[\w-]+\.)*(?:pytorch\.org|pyg\.org|nvidia\.com|googleapis\.com|openmmlab\.com)(?:[:/]|$)"
    r"|github\.com/(?:huggingface|pytorch|dao-ailab|nvidia|facebookresearch|openai|microsoft|google|vllm-project|state-spaces)/)",
    re.I,
)
"""Hosts and accounts of libraries that models are made with; indexes of packages are a table."""
_ADDRESS = lazy(r"(?:[a-z][a-z0-9+.]{1,12}://|\bgit@)(?:[^\s/@]{1,200}@)?+([^\s\"']+)", re.I)
_LOCAL_PACKAGE = lazy(r"\binstall\b.{0,200}\s(?:/(?:var/)?tmp/|/dev/shm/)", re.I)
_GIT = r"\bgit\s+(?:-C\s+\S+\s+)?"
_GIT_CONFIG = lazy(rf"{_GIT}(?:config\s+(?:--?[\w-]+(?:[= ]\S+)?\s+)*?|-c\s+)[\"']?{GIT_KEYS}", re.I)
"""Settings by which git starts a program, or goes elsewhere, whenever it is used later."""
_OWN_HOOKS = lazy(r"core\.hooksPath[\s=]+[\"']?\.?[\w-][\w./-]*[\"']?\s*$", re.I)
_TEMPLATE = lazy(rf"{_GIT}(?:init|clone)\b[^;&|]*\s--template[= ]")
_WHOLE = lazy(r"\s--(?:global|system)\b")
_PUSH = lazy(
    rf"{_GIT}(?:push|remote\s+set-url)\b[^;&|]*?\s(?:[a-z+]+://(?:[^\s/@]*@)?|git@)(?!(?:[\w-]+\.)*(?:huggingface\.co|hf\.co|hf-mirror\.com)\b)[\w-]",
    re.I,
)


def obeyed_by_git(argument: str) -> bool:
    """True for a command that has git start something, or go elsewhere, when somebody uses it later.

    A project that keeps the hooks of its own checkout in a folder of it is none."""
    if _TEMPLATE.search(argument):
        return True
    if _GIT_CONFIG.search(argument) is None:
        return False
    return _OWN_HOOKS.search(argument) is None or _WHOLE.search(argument) is not None


def pushes_elsewhere(argument: str) -> bool:
    """True for a command that has git give what is here to an address which stands in the code."""
    return _PUSH.search(argument) is not None


def installs_foreign(argument: str) -> bool:
    """True for the installation of a package from an address that is no index of packages, or of a file made at run time."""
    if _LOCAL_PACKAGE.search(argument):
        return True
    places = [found[1] for found in _ADDRESS.finditer(argument)]
    return any(
        _KNOWN_PLACES.match(place) is None and not listed("indexes", place.lower()) and not institution(place.lower())
        for place in places
    )


def installs_unknown(argument: str) -> bool:
    """True for the installation of a built package from a host of which nothing is known."""
    places = [found[1].lower() for found in _ADDRESS.finditer(argument) if "git+" not in found.group()]
    return any(
        _BUILT.search(place) is not None
        and _KNOWN_PLACES.match(place) is None
        and not institution(place)
        and not any(listed(kind, place) for kind in ("indexes", "code", "mirrors", "installers"))
        for place in places
    )


_BUILT = lazy(r"\.(?:whl|zip|tar\.gz|tgz)\b")
_SCRATCH = r"(?:[\"']?(?:/tmp/|/var/tmp/|/dev/shm/|~|\.\./))"
_MISUSED = lazy(
    r"^\s*(?:\S*/)?(?:"
    r"tar\b.*\s(?:--checkpoint-action|--to-command|--use-compress-program|--rsh-command|--(?:info|new-volume)-script|(?-i:-\w*[IF])\s)"
    rf"|(?:make|ninja|cmake|g?make)\b.*(?:\s-[fCP]\s*{_SCRATCH}|\bSHELL=)"
    r"|(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)\b.*\s(?:-wrapper|-fplugin=|-specs=|@)"
    r"|nvcc\b.*\s--?run\b|sysctl\b.*(?:\s(?:-w|--write|-p|--load|--system)\b|=)"
    rf"|java\b.*\s(?:(?:-jar|-cp|-classpath)\s+{_SCRATCH}|-javaagent|-agent(?:lib|path))"
    rf"|(?:accelerate|torchrun|deepspeed|mpirun|srun|numactl|taskset)\b.*\s(?:{_SCRATCH}|(?:ba|z|da)?sh\s+-c\b)"
    r"|ffmpeg\b.*(?:\s-f\s+(?:x11grab|gdigrab|avfoundation|v4l2|dshow|kmsgrab|pulse|alsa)\b|\s/dev/video|\s-method\s+P|"
    r"\s[\"']?(?:tcp|udp|rtmps?|rtsp|srt|https?|s?ftp|tls|icecast|rist)://[^\s\"']+[\"']?\s*$)"
    r"|aria2c\b.*\s--on-\w"
    r"|(?:hf|huggingface-cli)\s+(?:upload\S*|jobs?|endpoints?|repos?|repo-files|delete\S*|spaces?)\b"
    r"|(?:hf\s+auth|huggingface-cli)\s+login\b.*\shf_[A-Za-z]{16}"
    r"|git\s+(?:clone|fetch|pull|submodule|ls-remote)\b.*(?:\s[\"']?ext::|\s(?:-u|--upload-pack|--template)[= ]|\s(?:-c|--config)[= ]\S*(?:hooks|fsmonitor|command|ext\.allow|helper|proxy))"
    r"|(?:soffice|libreoffice)\b.*(?:macro:|vnd\.sun\.star\.script)"
    r"|tensorboard\s+dev\b)",
    re.I | re.S,
)
"""Tools told to run something else, to record, or to give something away."""
_PLACES = lazy(r"\s(?:-d|-C|-t|--directory[= ]|--target-directory[= ]|--dir[= ])\s*(\S+)")
_PUTS = frozenset("cp mv tar unzip aria2c mkdir".split())


def _is_misused(command: str) -> bool:
    """True for a tool that is told to run another program, or handed files of credentials, or files that run later."""
    if _MISUSED.search(command) or SENSITIVE_PATH.search(command.replace(" ", "/ ")):
        return True
    if _program(command) not in _PUTS:
        return False
    words = command.split()
    targets = [word.strip("\"'") for word in (*words[-1:], *(found[1] for found in _PLACES.finditer(command)))]
    places = [*targets, *(f"{target}/" for target in targets)]
    return any(runs.search(place) for place in places for runs in (START_PATH, OBEYED, LATER))


_ASKS = frozenset(
    """nvidia-smi rocm-smi amd-smi xpu-smi npu-smi rocminfo nvcc hipcc lscpu ldconfig nproc free df lspci uname which whereis
    lsb_release sysctl sw_vers getconf ffprobe""".split()
)
"""Programs that say what there is on a machine."""
_FILTERS = frozenset("grep egrep fgrep head tail cut uniq wc tr awk".split())
_TEXTS = lazy(r"'[^'\n]*'|\"[^\"$`\n]*\"")
_AWK_ACTS = lazy(r"system\s*\(|getline|[|>]|@load|printf?\s*\|")
_PIPE = lazy(r"\s*(?<!\|)\|(?!\|)\s*")


def _unpiped(command: str) -> str:
    """The program that says something about the machine, less the filters that pick a line of it."""
    if "|" not in command or _program(command) not in _ASKS:
        return command
    texts = _TEXTS.findall(command)
    parts = _PIPE.split(_TEXTS.sub("text", command))
    picks = all(_program(part) in _FILTERS for part in parts[1:]) and not any(map(_SHELL.search, parts))
    acts = any(_program(part) == "awk" for part in parts) and any(map(_AWK_ACTS.search, texts))
    return parts[0] if picks and not acts else command


def is_tool(argument: str) -> bool:
    """True for a command, or several of a shell, of which each starts a program of the table.

    Together they must not do what none does alone, as `git clone` and `make` do."""
    parts = NEXT.split(_unpiped(_QUIET.sub("", argument)))
    if len(parts) > 1 and any(_program(part) in _TOGETHER for part in parts):
        return False
    if any(map(_is_misused, parts)):
        return False
    return all(_program(part) in _TOOLS or _tidies(part) or _is_module(part) for part in parts) and not any(
        map(_SHELL.search, parts)
    )


def _tidies(command: str) -> bool:
    """True for a command that changes the folder, or removes things that lie below it or among temporary files."""
    words = command.split()
    if words[:1] == ["cd"]:
        return True
    places = [word for word in words[1:] if not word.startswith("-")]
    return words[:1] == ["rm"] and bool(places) and all(_PASSING.match(place) and ".." not in place for place in places)


def _is_module(command: str) -> bool:
    """True for a module of a tool that Python is told to run."""
    found = _MODULE.match(command)
    return found is not None and found[1] in _MODULES


def fetches(argument: str) -> bool:
    """True for a program that only fetches a file from a named host; what is done with the file is told by itself."""
    return (
        _program(argument) in _FETCHERS
        and not _SHELL.search(_QUIET.sub("", argument))
        and not _SENDS.search(argument)
        and prose.odd_url(argument) is None
    )


def _program(argument: str) -> str:
    first = re.split(r"[\s\"';|&]", argument.strip() or "…", maxsplit=1)[0].rpartition("/")[2].lower()
    return first.removesuffix(".exe")


def from_vendors(command: str) -> bool:
    """True where every address of the command is one from which its project has its program installed."""
    found = [visible(each.group(1).lower() + each.group(2)) for each in prose.URL.finditer(command)]
    return bool(found) and all(listed("installers", each) for each in found) and "http:" not in command
