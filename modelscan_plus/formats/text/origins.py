"""Where settings and containers take programs from: images of containers, channels, registries, proxies and wrappers.

Which hosts are known stands in rules/data/hosts.toml. Sources: the documentation of Docker, Kubernetes, Apptainer,
conda, npm, yarn, Cargo, Go, Gradle, Maven, Nix and apt.
"""

import itertools
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.installing import commanded

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_PATH = r"[\w./@:${}+-]{2,200}"


def _name(group: str) -> str:
    """A pattern of an image whose first part is a host with a dot."""
    return rf"(?P<{group}>{_LABEL}(?:\.{_LABEL})+(?::\d{{2,5}})?/{_PATH})"


_IMAGE = lazy(
    rf"^[^\S\n]*FROM\s+(?:--\S+\s+)*{_name('image')}|^[^\S\n]*ARG\s+\w*(?:IMAGE|BASE)\w*\s*=\s*[\"']?{_name('arg')}|"
    rf"^#\s*syntax\s*=\s*{_name('syntax')}|^[^\S\n]*From:\s*{_name('def')}|^[^\S\n]*COPY\s+--from={_name('copy')}",
    re.M | re.I,
)
_SET_IMAGE = lazy(
    r"(?:^[ \t]*(?:-\s+)?|[{,]\s*)[\"']?(?:image|newName|imageRepository|container|image_id|base_?image|docker_?image|"
    r"from_image|container_image|imageName)"
    rf"[\"']?\s*[:=]\s*[\"']?(?:docker:(?://)?)?{_name('image')}|\buses:\s*[\"']?docker://{_name('uses')}",
    re.M | re.I,
)
_CHART = lazy(
    rf"^[ \t]*repository\s*:\s*[\"']?{_name('image')}[\"']?\s*\n(?:[^\n]*\n){{0,2}}?\s*(?:tag|pullPolicy|digest)\s*:",
    re.M,
)
_BASES = lazy(
    r"^(?:resources|bases|components)\s*:\s*\n(?:[^\S\n]*-[^\n]*\n){0,20}?[^\S\n]*-\s*[\"']?(?P<kustom>https?://[^\s\"'?]+)|"
    r"^dependencies\s*:\s*\n(?:[^\S\n-][^\n]*\n|[^\S\n]*-[^\n]*\n){0,40}?[^\S\n]+(?:-\s+)?repository\s*:\s*[\"']?(?:oci://)?(?P<chart>https?://[^\s\"']+)",
    re.M,
)
"""What Kustomize and Helm take over from elsewhere."""
_INSTEAD = lazy(
    r"\burl\.[\"']?(?P<one>https?://[^\s\"']+?)[\"']?\.insteadOf[=\s\"']+https?://|"
    r"\[url\s+\"(?P<two>https?://[^\s\"]+)\"\][^\S\n]*\n\s*insteadOf\s*=\s*https?://",
    re.I,
)
_RUN_IMAGE = lazy(
    r"\b(?:docker|podman|nerdctl)\s+(?:container\s+|image\s+)?(?:run|pull|create)"
    rf"(?:(?:\s|\\\n)+-{{1,2}}[\w-]+(?:[=\s]+[^\s-](?:[^\s(]|\([^()\n]{{0,200}}\))*+)?){{0,30}}(?:\s|\\\n)+(?:docker://)?{_name('image')}|"
    rf"\b(?:singularity|apptainer)\s+(?:run|exec|pull|build|shell)\s[^\n|;&]{{0,300}}?docker://{_name('uri')}",
    re.I,
)
_AMONG_SERVICES = lazy(
    r"^[^\S\n]*-?[^\S\n]*[\"']?(?:services|containers|container|runs|images|features|jobs|kind|stages|script|pipeline|pipelines|steps|build|resources|run|setup|predict)[\"']?\s*:",
    re.M,
)
_PICTURE = lazy(r"\.(?:png|jpe?g|gif|svg|webp|ico|bmp|html?|json|ya?ml|py|md)$", re.I)
_CHANNELS = lazy(
    r"^\s*[\"']?(?:channels|default_channels|custom_channels|substituters|extra-substituters|trusted-substituters)[\"']?\s*[:=]"
)
_LISTED = lazy(r"[\"'\s\[](?P<url>https?://[^\s\"',\]]+)")
_SOURCE = lazy(
    r"(?:^|[\s;\"'])(?:registry|npmRegistryServer|npm_config_registry|NPM_CONFIG_REGISTRY|YARN_NPM_REGISTRY_SERVER|GOPROXY|channel_alias|distributionUrl|wrapperUrl|"
    r"UV_PYTHON_INSTALL_MIRROR|CARGO_REGISTRIES_\w+_INDEX|RUSTUP_DIST_SERVER|ELECTRON_MIRROR|PUPPETEER_DOWNLOAD_HOST|CONDA_CHANNELS|HF_ENDPOINT|HF_HUB_ENDPOINT)"
    r"[\"']?\s*[:=\s]\s*[\"']?(?:sparse\+)?(?P<url>https?\\?://[^\s\"',|]+)"
    r"|^\s*spark\.(?:jars|jars\.repositories|submit\.pyFiles|archives)[\s=:]+[\"']?(?P<jars>https?://[^\s\"',]+)"
    r"|\b(?:conda|mamba|micromamba)\s[^\n|;&]{0,200}?\s(?:-c|--channel)[\s=]+[\"']?(?P<channel>https?://[^\s\"']+)"
    r"|\bnpm\s+config\s+set\s+registry\s+[\"']?(?P<npm>https?://[^\s\"']+)|\bgo\s+env\s+-w\s+GOPROXY=[\"']?(?P<go>https?://[^\s\"',|]+)"
    r"|\bdeb\s+\[[^\]\n]*trusted\s*=\s*yes[^\]\n]*\]\s+(?P<apt>https?://\S+)"
)
_PRIVATE_PLACE = lazy(
    r":\d+$|\.(?:internal|local|lan|corp|intra|intranet|home|svc|test|localdomain)$|^(?:localhost|127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)"
)
_ROOT_MOUNT = lazy(
    r"(?:^[^\S\n]*-\s*[\"']?|-v[ =\t]+[\"']?|--volume[= ][\"']?)/:/(?![^\s\"',]*:(?:\w+,)*ro\b)"
    r"|\bvolumes[\"']?[ \t]*:[ \t]*\[(?:[^\]\n]{0,300}?[\"'\s,])?/:/(?![^\s\"',]*:(?:\w+,)*ro\b)"
    r"|--mount[= ][\"']?(?:\w+=(?!/,)[^\s,]+,)*(?:source|src)=/,(?![^\s\"']*\b(?:readonly|ro)\b)"
    r"|\bhostPath[\"']?[ \t]*:[ \t]*(?:\{[ \t]*|\n[ \t]*)[\"']?path[\"']?[ \t]*:[ \t]*[\"']?/[\"']?[ \t]*(?:[,}\n]|\Z)",
    re.M,
)
_READ_ONLY = lazy(r"\breadOnly[\"']?[ \t]*:[ \t]*true\b")
IMAGE = "takes the image of a container from a registry that is not known"
COMMANDED = "$ "
"""How the remark about a command begins, as against one about a setting."""
SOURCE = "takes programs from a place that is not known"


def root_mount(text: str) -> "re.Match[str] | None":
    """Where a container is shown the whole disk of its host to write to; what watches a machine reads it."""
    found = _ROOT_MOUNT.search(text)
    return None if found and found.group().startswith("hostPath") and _READ_ONLY.search(text) else found


def origin_remarks(role: str, text: str) -> Iterator[Remark]:
    """Images and sources of packages with their hosts; the rules know which of them are usual."""
    found: list[tuple[str, str, int]] = []
    if role == "dockerfile" or (role == "text" and re.search(r"^Bootstrap:\s*docker", text, re.I | re.M)):
        found += _images(_IMAGE, text)
    if role == "settings" and _AMONG_SERVICES.search(text):
        found += _images(_SET_IMAGE, text)
    if role == "settings" and "repository" in text:
        found += _images(_CHART, text)
    if role in ("shell", "makefile", "settings", "powershell", "batch", "markdown"):
        found += _images(_RUN_IMAGE, text)
    for image, shown, at in found[:50]:
        host = image.partition("/")[0].lower()
        if not _PICTURE.search(image):
            yield Remark("image", IMAGE, shown, line_at(text, at), host)
    sources = itertools.chain(_sources(text), _commands(text) if role not in ("markup", "source") else ())
    for url, shown, at in itertools.islice(sources, 50):
        address = re.split(r"[`)>\]]", url.replace("\\:", ":"))[0].rstrip(".,;").partition("://")
        host = "/".join(address[2].lower().split("/")[:2]).rstrip("/").rpartition("@")[2]
        yield Remark("source", SOURCE, shown, line_at(text, at), f"http:{host}" if address[0] == "http" else host)


def private(host: str) -> bool:
    """True for a host that only the machines of a firm or house reach, by its name."""
    name = host.removeprefix("http:").partition("/")[0]
    return _PRIVATE_PLACE.search(name) is not None and prose.odd_host(name) is None


def _images(pattern: "re.Pattern[str]", text: str) -> list[tuple[str, str, int]]:
    return [
        (next(filter(None, each.groups())), one_line(each.group(), 160), each.start())
        for each in itertools.islice(pattern.finditer(text), 100)
    ]


def _commands(text: str) -> Iterator[tuple[str, str, int]]:
    for url, command, at in commanded(text):
        before = text[text.rfind("\n", 0, at) + 1 : at + 1]
        if not before.lstrip().startswith(("#", "//", ";")):
            yield url, f"{COMMANDED}{one_line(command, 160)}", at


def _sources(text: str) -> Iterator[tuple[str, str, int]]:
    for found in _SOURCE.finditer(text):
        before = text[text.rfind("\n", 0, found.start()) + 1 : found.start() + 1]
        if not before.lstrip().startswith(("#", "//", ";", "@")):
            yield next(filter(None, found.groups())), one_line(found.group(), 160), found.start()
    for found in itertools.islice(_BASES.finditer(text), 20):
        yield found["kustom"] or found["chart"], one_line(found.group()[-160:], 160), found.start()
    for found in _INSTEAD.finditer(text):
        yield found["one"] or found["two"], one_line(found.group(), 160), found.start()
    if "channel" not in text and "substituters" not in text:
        return
    at, inside = 0, False
    for line in text.split("\n"):
        if _CHANNELS.match(line) or (inside and re.match(r"^\s*(?:-\s|[\"'\]]|$|#)", line)):
            inside = True
            bare = line.partition(" #")[0] if not line.lstrip().startswith("#") else ""
            for url in _LISTED.finditer(bare):
                yield url["url"], one_line(line, 160), at
        else:
            inside = False
        at += len(line) + 1
