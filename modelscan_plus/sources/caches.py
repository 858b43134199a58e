"""The stores in which model programs keep what they downloaded.

Hugging Face (huggingface_hub 1.x, 2.x): `models--org--name/snapshots/<commit>/<file>`, links to `blobs/<hash>`, where
the hash is the SHA-256 of an LFS file or the git id of another; a blob may itself be a link into the shared store
`<cache>/blobs/<2 hex>/<xet hash>`. Code of models that was allowed to run lies in `modules/transformers_modules`.
Ollama: `manifests/<registry>/<namespace>/<model>/<tag>`, JSON whose layers name `blobs/sha256-<hex>`. LM Studio:
`models/<publisher>/<repository>/<file>`. torch: `hub/checkpoints` and `hub/<owner>_<repository>_<branch>`.

Loaders take a blob for what its name says. The names of those blobs are therefore held against their bytes: SHA-256
in the scan's own read (workers/supervisor.py), git ids here.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.facts import PathFacts
from modelscan_plus.core.globs import matches, normal
from modelscan_plus.core.text import visible
from modelscan_plus.sources.interface import Entry, Opened, Unopened, opened_again
from modelscan_plus.sources.local import LocalSource

_REPOSITORY = re.compile(r"(?:models|datasets|spaces|kernels)--.+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_ID = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_MANIFEST_LIMIT = 1 << 20
_MEDIA = re.compile(r"application/vnd\.ollama\.image\.([a-z]{1,20})")
_GIT_LIMIT = 64 << 20
"""Bytes of a file outside LFS that are hashed; the hub takes none above 10 MB there."""


class CacheSource:
    """One store. Satisfies `Source`; its results are kept (modelscan_plus/results.py)."""

    kind = "cache"
    revision: str | None = None
    remote = False

    def __init__(self, listing: Callable[[], Iterator[Entry]]) -> None:
        self._listing = listing

    def entries(self) -> Iterator[Entry]:
        """Every file that a program would load from the store."""
        return self._listing()

    def again(self, paths: Collection[str]) -> Iterator[tuple[str, ByteSource]]:
        """The files once more."""
        return opened_again(self.entries(), paths)

    def facts(self) -> tuple[()]:
        """Nothing."""
        return ()


class _Options:
    """How the files are chosen, as for local folders."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str], max_size: int | None) -> None:
        self._include = tuple(map(normal, include))
        self._exclude = tuple(map(normal, exclude))
        self.max_size = max_size

    def wants(self, path: str) -> bool:
        """True when the options choose the path."""
        parts = path.split("/")
        return not matches(parts, self._exclude) and (not self._include or matches(parts, self._include))

    def below(self, folder: str, prefix: str, roots: Sequence[str] = ()) -> Iterator[Entry]:
        """The files of a folder, under `prefix`, where the folder is there."""
        if not os.path.isdir(folder):
            return
        for entry in LocalSource(folder, max_size=self.max_size, allowed_roots=roots).entries():
            path = f"{prefix}/{entry.path}" if prefix else entry.path
            if self.wants(path):
                yield replace(entry, path=path)


def open_cache(
    given: str, *, include: Sequence[str] = (), exclude: Sequence[str] = (), max_size: int | None = None
) -> CacheSource:
    """The store that `cache:NAME` names. Raises `UsageError` for an unknown one, and for one that is not there."""
    options = _Options(include, exclude, max_size)
    match given.removeprefix("cache:"):
        case "" | "hf" | "huggingface":
            root, listing = hugging_face_folder(), _hugging_face
        case "ollama":
            root, listing = _ollama_folder(), _ollama
        case "lmstudio":
            root, listing = _lm_studio_folder(), _plain
        case "torch":
            root, listing = _torch_folder(), _plain
        case name:
            known = "cache: (Hugging Face), cache:ollama, cache:lmstudio or cache:torch"
            raise UsageError(f"cache:{visible(name)}: no store of that name; write {known}")
    if not os.path.isdir(root):
        raise UsageError(f"{visible(given)}: there is no such cache here ({visible(root)})")
    return CacheSource(partial(listing, root, options))


def hugging_face_folder() -> str:
    """HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, or `hub` below HF_HOME, as huggingface_hub finds it."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return os.path.expanduser(os.environ[name])
    return os.path.join(_hf_home(), "hub")


def _hf_home() -> str:
    return os.path.expanduser(os.environ.get("HF_HOME") or os.path.join(_cache_home(), "huggingface"))


def _cache_home() -> str:
    return os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")


def _ollama_folder() -> str:
    given = os.environ.get("OLLAMA_MODELS")
    places = [given] if given else [os.path.expanduser("~/.ollama/models"), "/usr/share/ollama/.ollama/models"]
    return next((place for place in places if os.path.isdir(place)), places[0])


def _lm_studio_folder() -> str:
    places = [os.path.expanduser("~/.lmstudio/models"), os.path.join(_cache_home(), "lm-studio", "models")]
    return next((place for place in places if os.path.isdir(place)), places[0])


def _torch_folder() -> str:
    home = os.environ.get("TORCH_HOME") or os.path.join(_cache_home(), "torch")
    return os.path.join(os.path.expanduser(home), "hub")


def _plain(root: str, options: _Options) -> Iterator[Entry]:
    yield from options.below(root, "")


def _hugging_face(root: str, options: _Options) -> Iterator[Entry]:
    """Every file of every revision of every repository, and the code that was fetched to be run."""
    shared = os.path.join(root, "blobs")
    for name in _names(root):
        if not _REPOSITORY.fullmatch(name):
            continue
        snapshots = os.path.join(root, name, "snapshots")
        roots = [os.path.join(root, name, "blobs"), shared]
        for entry in options.below(snapshots, f"{name}/snapshots", roots):
            inner = entry.path.removeprefix(f"{name}/snapshots/")
            open_ = partial(_checked, os.path.join(snapshots, inner), entry.open)
            yield replace(entry, open=open_, inner=inner.partition("/")[2])
    modules = os.environ.get("HF_MODULES_CACHE") or os.path.join(_hf_home(), "modules")
    folder = os.path.join(os.path.expanduser(modules), "transformers_modules")
    yield from options.below(folder, "modules/transformers_modules")


def _checked(link: str, open_: Callable[[], Opened | Unopened]) -> Opened | Unopened:
    """Open a file of a snapshot and hold it against the name of its blob."""
    opened = open_()
    try:
        name = os.path.basename(os.readlink(link))
    except OSError:
        return opened  # no link: the file system has none, and nothing names the content
    if isinstance(opened, Unopened):
        return opened
    if _SHA256.fullmatch(name):
        return replace(opened, named=name, link="")
    if _GIT_ID.fullmatch(name) and opened.size <= _GIT_LIMIT:
        actual = _git_id(opened.fd, opened.size)
        if actual != name:
            return replace(
                opened, facts=(PathFacts("blob-differs", f"is named {name}, its git id is {actual}"),), link=""
            )
    return replace(opened, link="")


def _git_id(fd: int, size: int) -> str:
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    offset = 0
    while offset < size and (chunk := os.pread(fd, min(1 << 20, size - offset), offset)):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()


def _ollama(root: str, options: _Options) -> Iterator[Entry]:
    """Every layer under the names of the models that use it, and blobs that no model uses."""
    source = LocalSource(os.path.join(root, "blobs"), max_size=options.max_size)
    blobs = {entry.path: entry for entry in source.entries()} if os.path.isdir(source.given) else {}
    used: set[str] = set()
    for model, manifest in _manifests(os.path.join(root, "manifests")):
        for kind, digest in _layers(manifest):
            entry = blobs.get(f"sha256-{digest}")
            path = f"{model}/{kind}"
            if entry is None or not options.wants(path):
                continue
            used.add(entry.path)
            yield Entry(path, partial(_named, digest, entry.open))
    for path, entry in blobs.items():
        if path not in used and options.wants(f"blobs/{path}"):
            found = _DIGEST.fullmatch(path)
            yield Entry(f"blobs/{path}", partial(_named, found[1], entry.open) if found else entry.open)


def _named(digest: str, open_: Callable[[], Opened | Unopened]) -> Opened | Unopened:
    opened = open_()
    return opened if isinstance(opened, Unopened) else replace(opened, named=digest)


def _manifests(root: str) -> Iterator[tuple[str, object]]:
    if not os.path.isdir(root):
        return
    for entry in LocalSource(root).entries():
        opened = entry.open()
        if isinstance(opened, Unopened):
            continue
        try:
            data = os.pread(opened.fd, _MANIFEST_LIMIT, 0)
            yield entry.path, json.loads(data)
        except (OSError, ValueError, RecursionError):
            continue
        finally:
            os.close(opened.fd)


def _layers(manifest: object) -> Iterator[tuple[str, str]]:
    """Kind and digest of each layer, kinds that occur twice with a number."""
    listed = manifest.get("layers") if isinstance(manifest, dict) else None
    config = manifest.get("config") if isinstance(manifest, dict) else None
    seen: dict[str, int] = {}
    for layer in [*(listed if isinstance(listed, list) else []), config][:1000]:
        if not isinstance(layer, dict):
            continue
        digest = _DIGEST.fullmatch(str(layer.get("digest")))
        media = _MEDIA.fullmatch(str(layer.get("mediaType")))
        if digest is None:
            continue
        kind = media[1] if media else "config" if layer is config else "layer"
        seen[kind] = seen.get(kind, 0) + 1
        yield (kind if seen[kind] == 1 else f"{kind}-{seen[kind]}"), digest[1]


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder), key=os.fsencode)
    except OSError:
        return []
