"""Commands by which package managers, clusters and shells of languages take programs from an address.

Sources: the references of kubectl, Helm, Compose, Terraform, Ansible, Nix, Homebrew, Flatpak, RubyGems, conda, dotnet,
LuaRocks, R, Julia, PowerShellGet, apt, dnf, zypper, apk, pacman and Ollama.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy

_TO = r"[^\n|;&]{0,200}?"
_AT = r"[=\s]+[\"']?(?:git\+|sparse\+|oci://)?(?P<{}>https?://[^\s\"'`|;&<>)]{{4,300}})"
_FORMS = (
    rf"\bkubectl\s+(?:apply|create|replace){_TO}\s(?:-f|--filename|-k)", r"\bhelm3?\s+repo\s+add\s+(?:--\S+\s+)*[\w./-]+",
    r"\bhelm3?\s+(?:install|upgrade|pull|template)(?:\s+[\w./-]+|\s+--?\S+){0,6}", rf"\bhelm3?\s+(?:install|upgrade){_TO}\s--repo",
    rf"\bdocker(?:-|\s+)compose\s{_TO}(?:-f|--file)", r"\bterraform\s+init\s[^\n|;&]{0,80}?-from-module", rf"\bansible-pull\s{_TO}(?:-U|--url)",
    r"\bnix-env\s+-\w*f", r"\bnix-channel\s+--add", r"\bbrew\s+(?:install|reinstall|tap\s+[\w./-]+)(?:\s+--\S+)*", rf"\bflatpak\s+(?:install|remote-add){_TO}",
    rf"\bgem\s+(?:install|sources|fetch){_TO}\s(?:--source|-s|--add|-a|--clear-sources)", rf"\b(?:conda|mamba|micromamba)\s+config{_TO}--(?:add|append|prepend|set)\s+(?:default_)?channel\w*",
    r"\b(?:conda|mamba|micromamba)\s+install(?:\s+-(?!c\b|-channel)\S+)*", rf"\b(?:dotnet|nuget)\s{_TO}\s(?:--add-source|--source|-s|-Source)", rf"\bluarocks\s{_TO}(?:--server|--only-server|--from)",
    r"\bRegister-PSRepository\b[^\n|;&]{0,200}?-SourceLocation", rf"\b(?:add-apt-repository|apt-add-repository)\s{_TO}\bdeb(?:\s+\[[^\]\n]*\])?",
    rf"\b(?:dnf|yum)(?:-config-manager|\s+config-manager)?\s{_TO}--add-repo", rf"\bzypper\s{_TO}\b(?:ar|addrepo)(?:\s+-\S+)*", rf"\bapk\s+add{_TO}(?:--repository|-X)",
    r"\bpacman\s+-U\w*", r"\b(?:modelscope|hf|huggingface-cli)\s[^\n|;&]{0,200}?--endpoint", r"\bcargo\s+(?:install|add)\s[^\n|;&]{0,120}?--(?:git|index|registry)",
    r"\bgo\s+env\s+-w\s+GOPROXY", r"\b(?:code|codium|cursor)\s+--install-extension",
)  # fmt: skip
_COMMANDED = lazy("|".join(form + _AT.format(f"a{number}") for number, form in enumerate(_FORMS)), re.I)
_CALLED = lazy(
    r"\binstall\.packages\s*\([^\n]{0,200}?repos\s*=\s*(?:c\s*\()?\s*\\?[\"'](?P<r>https?://[^\s\"'\\]{4,300})|\bRscript\b[^\n]{0,80}?\bsource\s*\(\s*\\?[\"'](?P<source>https?://[^\s\"'\\]{4,300})"
    r"|\bPkg\.(?:add|develop)\s*\(\s*(?:PackageSpec\s*\(\s*)?url\s*=\s*\\?[\"'](?P<julia>https?://[^\s\"'\\]{4,300})|\bremotes::install_(?:url|git)\s*\(\s*\\?[\"'](?P<remotes>https?://[^\s\"'\\]{4,300})"
)
_REGISTRY = lazy(
    r"\bollama\s+(?:pull|run|create)\s+(?:--\S+\s+)*(?:(?P<insecure>http)://)?(?P<host>(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?)/"
)
_KNOWN_REGISTRIES = ("hf.co", "huggingface.co", "ollama.com", "registry.ollama.ai", "modelscope.cn", "hf-mirror.com")


def commanded(text: str) -> Iterator[tuple[str, str, int]]:
    """Addresses that the text has something installed or started from: the address, the command, its place."""
    for found in itertools.islice(itertools.chain(_COMMANDED.finditer(text), _CALLED.finditer(text)), 100):
        yield next(filter(None, found.groups())), found.group(), found.start()
    for found in itertools.islice(_REGISTRY.finditer(text), 50):
        if not found["host"].lower().endswith(_KNOWN_REGISTRIES):
            yield f"{'http' if found['insecure'] else 'https'}://{found['host']}/", found.group(), found.start()
