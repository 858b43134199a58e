"""A loopback Hugging Face: a hub and a CDN as two origins, good enough for the real huggingface_hub client.

Modelled on what huggingface_hub 1.31 to 2.4 sends and reads: repository info, revision, tree with pages, paths-info,
commits, refs, whoami; `resolve` with 302 to a signed, expiring CDN address for LFS files and a relative 307 for small
ones; ranges, If-Range, 416; gated, private, moved and disabled repositories; the verdicts of the hub's scanners; and
faults, by path. Contents may be sparse, so that files of gigabytes cost nothing.
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

SECRET = b"loopback"
TOKEN = "hf_loopbacktoken"  # noqa: S105 (of this server only)
PAGE = 1000


class Content:
    """Bytes of a file: given pieces, zeros between them."""

    def __init__(self, data: bytes | Mapping[int, bytes], size: int | None = None) -> None:
        self.pieces = {0: data} if isinstance(data, bytes) else dict(data)
        self.size = size if size is not None else max((at + len(p) for at, p in self.pieces.items()), default=0)

    def read(self, start: int, stop: int) -> bytes:
        """Bytes `[start, stop)`."""
        stop = min(stop, self.size)
        if stop <= start:
            return b""
        out = bytearray(stop - start)
        for at, piece in self.pieces.items():
            low, high = max(start, at), min(stop, at + len(piece))
            if low < high:
                out[low - start : high - start] = piece[low - at : high - at]
        return bytes(out)

    def digest(self, name: str, prefix: bytes = b"") -> str:
        """A hash of all of it; of a sparse file that is too large to hash quickly, of its pieces."""
        hasher = hashlib.new(name, prefix)
        if self.size > 1 << 27:
            hasher.update(repr(sorted(self.pieces)).encode())
            for piece in self.pieces.values():
                hasher.update(piece)
            return hasher.hexdigest()
        for at in range(0, self.size, 1 << 22):
            hasher.update(self.read(at, at + (1 << 22)))
        return hasher.hexdigest()


@dataclass
class File:
    """A file of a commit."""

    content: Content
    lfs: bool = False
    security: object = None
    """`securityFileStatus`, as the API gives it."""

    @property
    def sha256(self) -> str:
        return self.content.digest("sha256")

    @property
    def oid(self) -> str:
        return self.content.digest("sha1", b"blob %d\0" % self.content.size)

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid


@dataclass
class Repo:
    """A repository: commits by id, references by name."""

    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    disabled: bool = False
    security: object = None
    """`securityRepoStatus`, as the API gives it."""
    discussions: list[dict[str, object]] = field(default_factory=list)
    """As `/discussions` lists them."""

    def commit(self, files: Mapping[str, File], ref: str = "main") -> str:
        """A new commit; returns its id."""
        made = hashlib.sha1(repr((len(self.commits), sorted(files))).encode(), usedforsecurity=False).hexdigest()
        self.commits[made] = dict(files)
        self.refs[ref] = made
        return made

    def find(self, revision: str) -> str | None:
        return revision if revision in self.commits else self.refs.get(revision)


@dataclass
class Faults:
    """What a file's CDN (or the hub, for its resolve) does wrong."""

    ignore_range: bool = False
    content_range: Callable[[int, int, int], str] | None = None
    etags: Callable[[int], str] | None = None
    """ETag by the number of the request."""
    forbidden: Callable[[int], bool] | None = None
    """True for requests that are answered with 403."""
    limited: Callable[[int], bool] | None = None
    """True for requests that are answered with 429."""
    retry_after: int = 1
    failing: Callable[[int], int] | None = None
    """A status to answer with instead, 0 for none."""
    short: Callable[[int], int] | None = None
    """Bytes that are left out of a body."""
    endless: bool = False
    encoding: str = ""
    silent: float = 0.0
    """Seconds before the body."""
    silent_whole: float = 0.0
    """The same, where no range was asked for."""
    other: Content | None = None
    """Another file's bytes, under the same ETag."""
    hub_limited: Callable[[int], bool] | None = None
    hub_etag: Callable[[int], str] | None = None
    """What the hub gives as X-Linked-ETag, by the number of the resolve."""


@dataclass
class Request:
    """One line of the log."""

    origin: str
    method: str
    path: str
    range: str
    authorization: str
    status: int = 0
    sent: int = 0


class Hub:
    """Both servers, what they hold and what they were asked."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.moved: dict[str, str] = {}
        self.faults: dict[str, Faults] = {}
        self.api_faults = Faults()
        self.counts: dict[tuple[str, str], int] = {}
        self.log: list[Request] = []
        self.lifetime = 3600.0
        self.hub_latency = 0.0
        self.cdn_latency = 0.0
        self.direct = False
        """Serve LFS files from the hub itself, as mirrors do."""
        self.etag_cache: dict[int, str] = {}
        self.lock = threading.Lock()
        self._servers = [_Server(self, _HubHandler), _Server(self, _CdnHandler)]
        self.url, self.cdn = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def repo(self, name: str, kind: str = "model") -> Repo:
        return self.repos.setdefault((kind, name), Repo())

    def start(self) -> None:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def asked(self, origin: str, method: str = "", within: str = "") -> list[Request]:
        """Requests of the log."""
        return [r for r in self.log if r.origin == origin and method in ("", r.method) and within in r.path]

    def body_bytes(self, origin: str = "cdn") -> int:
        return sum(request.sent for request in self.asked(origin, "GET"))

    def etag(self, file: File) -> str:
        """Cached: hashing gigabytes of zeros for each request would be slow."""
        if id(file) not in self.etag_cache:
            self.etag_cache[id(file)] = file.etag
        return self.etag_cache[id(file)]

    def count(self, what: str, path: str) -> int:
        """The number of this request, from 0."""
        with self.lock:
            self.counts[what, path] = self.counts.get((what, path), -1) + 1
            return self.counts[what, path]

    def signed(self, name: str, commit: str, path: str) -> str:
        expires = f"{time.time() + self.lifetime:.3f}"
        place = f"/{name}/{commit}/{quote(path)}"
        return f"{self.cdn}{place}?Expires={expires}&Signature={_signature(place, expires)}"


def _signature(place: str, expires: str) -> str:
    return hmac.new(SECRET, f"{place} {expires}".encode(), "sha256").hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hub: Hub, handler: type[BaseHTTPRequestHandler]) -> None:
        self.hub = hub
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    origin = ""
    wbufsize = -1
    disable_nagle_algorithm = True  # else each answer in two writes waits for a delayed ACK

    def log_message(self, *args: object) -> None:
        """The log is `Hub.log`."""

    def begin(self) -> tuple[Request, str]:
        path = unquote(urlsplit(self.path).path)
        get = self.headers.get
        entry = Request(self.origin, self.command, path, get("Range") or "", get("Authorization") or "")
        self.server.hub.log.append(entry)
        return entry, path

    def answer(
        self, entry: Request, status: int, headers: Mapping[str, str], body: bytes = b"", length: int = -1
    ) -> None:
        entry.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length < 0 else length))
        self.end_headers()
        if self.command != "HEAD":
            entry.sent = len(body)
            self.wfile.write(body)
            if length >= 0 and len(body) < length:
                self.close_connection = True

    def content(
        self, entry: Request, content: Content, etag: str, faults: Faults, number: int, extra: Mapping[str, str]
    ) -> None:
        """Give a file or a range of it, as right or wrong as `faults` wants."""
        size, wanted = content.size, self.headers.get("Range")
        headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes", **extra}
        start, stop, status = 0, size, 200
        condition = self.headers.get("If-Range")
        if wanted and not faults.ignore_range and condition in (None, headers["ETag"]):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, stop = (int(first), int(last) + 1 if last else size) if first else (max(0, size - int(last)), size)
            stop, status = min(stop, size), 206
            if start >= size:
                self.answer(entry, 416, {"Content-Range": f"bytes */{size}"})
                return
            said = (
                faults.content_range(start, stop, size) if faults.content_range else f"bytes {start}-{stop - 1}/{size}"
            )
            headers["Content-Range"] = said
        if faults.encoding:
            headers["Content-Encoding"] = faults.encoding
        if self.command == "HEAD":
            self.answer(entry, status, headers, length=stop - start)
            return
        time.sleep(faults.silent if wanted else max(faults.silent, faults.silent_whole))
        cut = faults.short(number) if faults.short else 0
        if faults.endless or stop - start > 1 << 24:
            self._stream(entry, status, headers, faults.other or content, start, stop, endless=faults.endless)
            return
        body = (faults.other or content).read(start, stop)
        cut = cut if cut < len(body) else 0
        self.answer(entry, status, headers, body[: len(body) - cut], length=len(body))

    def _stream(
        self,
        entry: Request,
        status: int,
        headers: Mapping[str, str],
        content: Content,
        start: int,
        stop: int,
        *,
        endless: bool,
    ) -> None:
        entry.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not endless:
            self.send_header("Content-Length", str(stop - start))
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        while endless or start < stop:
            body = content.read(start, min(stop, start + (1 << 16))) or bytes(1 << 16)
            self.wfile.write(body)
            entry.sent += len(body)
            start += len(body)


class _CdnHandler(_Handler):
    origin = "cdn"

    def do_GET(self) -> None:
        hub = self.server.hub
        entry, path = self.begin()
        time.sleep(hub.cdn_latency)
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        name, commit, inner = _split(path)
        expires = query.get("Expires", "0")
        genuine = hmac.compare_digest(query.get("Signature", ""), _signature(urlsplit(self.path).path, expires))
        faults, number = hub.faults.get(inner, Faults()), hub.count("cdn", inner)
        if not genuine or float(expires) < time.time() or (faults.forbidden and faults.forbidden(number)):
            self.answer(entry, 403, {"Content-Type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")
            return
        if faults.limited and faults.limited(number):
            self.answer(entry, 429, {"Retry-After": str(faults.retry_after)})
            return
        if faults.failing and (status := faults.failing(number)):
            self.answer(entry, status, {})
            return
        file = next(
            repo.commits[commit][inner]
            for (_, known), repo in hub.repos.items()
            if known == name and commit in repo.commits
        )
        etag = faults.etags(number) if faults.etags else f"cdn-{hub.etag(file)[:32]}"
        self.content(entry, file.content, etag, faults, number, {})

    do_HEAD = do_GET  # noqa: N815 (the name that http.server wants)


_PLACES = ("revision", "tree", "paths-info", "commits", "refs", "discussions")


def _references(repo: Repo) -> dict[str, object]:
    branches = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": c} for n, c in repo.refs.items()]
    return {"branches": branches, "converts": [], "tags": []}


def _discussions(repo: Repo) -> dict[str, object]:
    return {"discussions": repo.discussions, "count": len(repo.discussions), "start": 0}


def _split(path: str) -> tuple[str, str, str]:
    parts = path.strip("/").split("/")
    at = next(position for position, part in enumerate(parts) if len(part) == 40)
    return "/".join(parts[:at]), parts[at], "/".join(parts[at + 1 :])


class _HubHandler(_Handler):
    origin = "hub"

    def do_GET(self) -> None:
        self._serve(b"")

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _serve(self, body: bytes) -> None:
        hub = self.server.hub
        entry, path = self.begin()
        time.sleep(hub.hub_latency)
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            self._api(entry, parts[1:], body)
        elif "resolve" in parts:
            self._resolve(entry, parts)
        else:
            self.answer(entry, 404, {})

    def _authorized(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _json(self, entry: Request, value: object, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.answer(entry, 200, {"Content-Type": "application/json", **(headers or {})}, body)

    def _error(self, entry: Request, status: int, code: str, message: str) -> None:
        self.answer(
            entry, status, {"X-Error-Code": code, "X-Error-Message": message}, json.dumps({"error": message}).encode()
        )

    def _repo(self, entry: Request, kind: str, name: str) -> Repo | None:
        """The repository, or None after the error was answered."""
        repo = self.server.hub.repos.get((kind, name))
        if repo is None or (repo.private and not self._authorized()):
            status = 404 if self._authorized() else 401
            self._error(entry, status, "RepoNotFound", "Repository not found")
            return None
        if repo.disabled:
            self._error(entry, 403, "", "Access to this resource is disabled.")
            return None
        return repo

    def _api(self, entry: Request, parts: list[str], body: bytes) -> None:
        hub = self.server.hub
        number = hub.count("api", "")
        if hub.api_faults.limited and hub.api_faults.limited(number):
            self.answer(entry, 429, {"Retry-After": str(hub.api_faults.retry_after)})
            return
        if hub.api_faults.failing and (status := hub.api_faults.failing(number)):
            self.answer(entry, status, {}, b"<html>no</html>")
            return
        if parts == ["whoami-v2"]:
            self._json(entry, {"name": "loopback"}) if self._authorized() else self.answer(entry, 401, {})
            return
        kind, rest = parts[0].removesuffix("s"), parts[1:]
        at = next(
            (
                i
                for i, part in enumerate(rest)
                if part in ("revision", "tree", "paths-info", "commits", "refs", "discussions")
            ),
            len(rest),
        )
        name, rest = "/".join(rest[:at]), rest[at:]
        if name in hub.moved:
            path = self.path.replace(name, hub.moved[name], 1)
            self.answer(entry, 307, {"Location": path})
            return
        repo = self._repo(entry, kind, name)
        if repo is None:
            return
        what = rest[0] if rest else "revision"
        if what in ("refs", "discussions"):
            self._json(entry, _references(repo) if what == "refs" else _discussions(repo))
            return
        revision = unquote("/".join(rest[1:])) or "main"
        if what == "tree" and "/" in revision and repo.find(revision) is None:
            revision = revision.split("/")[0]
        commit = repo.find(revision)
        if commit is None:
            self._error(entry, 404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        query = parse_qs(urlsplit(self.path).query)
        if what == "revision":
            self._json(entry, self._info(name, repo, commit, query))
        elif what == "tree":
            self._tree(entry, repo, commit, query)
        elif what == "paths-info":
            self._paths_info(entry, repo, commit, body)
        else:
            self._json(
                entry,
                [{"id": commit, "title": "commit", "message": "", "date": "2026-01-01T00:00:00.000Z", "authors": []}],
            )

    def _info(self, name: str, repo: Repo, commit: str, query: Mapping[str, Any]) -> dict[str, object]:
        files = repo.commits[commit]
        blobs = "blobs" in query
        info: dict[str, object] = {
            "_id": "1",
            "id": name,
            "modelId": name,
            "sha": commit,
            "private": repo.private,
            "gated": "manual" if repo.gated else False,
            "disabled": repo.disabled,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2025-01-01T00:00:00.000Z",
            "siblings": [
                {"rfilename": path, **({"size": file.content.size, "blobId": file.oid} if blobs else {})}
                for path, file in sorted(files.items())
            ],
        }
        if "securityStatus" in query and repo.security is not None:
            info["securityRepoStatus"] = repo.security
        return info

    def _item(self, path: str, file: File, *, expand: bool) -> dict[str, object]:
        item: dict[str, object] = {"type": "file", "path": path, "size": file.content.size}
        if file.lfs:
            item["lfs"] = {"oid": self.server.hub.etag(file), "size": file.content.size, "pointerSize": 134}
            item["oid"] = hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()
        else:
            item["oid"] = self.server.hub.etag(file)
        if expand:
            item["lastCommit"] = {"id": "0" * 40, "title": "commit", "date": "2026-01-01T00:00:00.000Z"}
            if file.security is not None:
                item["securityFileStatus"] = file.security
        return item

    def _tree(self, entry: Request, repo: Repo, commit: str, query: Mapping[str, Any]) -> None:
        files = sorted(repo.commits[commit].items())
        expand = query.get("expand", ["false"])[0].lower() == "true"
        start = int(query.get("cursor", ["0"])[0])
        folders = sorted({path.rpartition("/")[0] for path, _ in files if "/" in path}) if start == 0 else []
        items: list[dict[str, object]] = [
            {"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders
        ]
        page = files[start : start + PAGE]
        items += [self._item(path, file, expand=expand) for path, file in page]
        headers = {}
        if start + PAGE < len(files):
            place = (
                f"{self.server.hub.url}{urlsplit(self.path).path}?recursive=true&expand={expand}&cursor={start + PAGE}"
            )
            headers["Link"] = f'<{place}>; rel="next"'
        self._json(entry, items, headers)

    def _paths_info(self, entry: Request, repo: Repo, commit: str, body: bytes) -> None:
        if "json" in self.headers.get("Content-Type", ""):
            asked = json.loads(body)
            paths, expand = asked["paths"], bool(asked.get("expand"))
        else:
            form = parse_qs(body.decode())
            paths, expand = form.get("paths", []), form.get("expand", ["false"])[0].lower() == "true"
        files = repo.commits[commit]
        self._json(entry, [self._item(path, files[path], expand=expand) for path in paths if path in files])

    def _resolve(self, entry: Request, parts: list[str]) -> None:
        hub = self.server.hub
        kind = {"datasets": "dataset", "spaces": "space"}.get(parts[0], "model")
        parts = parts[1:] if kind != "model" else parts
        at = parts.index("resolve")
        name, commit, path = "/".join(parts[:at]), parts[at + 1], "/".join(parts[at + 2 :])
        repo = self._repo(entry, kind, name)
        if repo is None:
            return
        if repo.gated and not self._authorized():
            self._error(entry, 401, "GatedRepo", "Access to model is restricted")
            return
        found = repo.find(commit)
        file = repo.commits[found].get(path) if found else None
        if found is None or file is None:
            self._error(entry, 404, "EntryNotFound" if found else "RevisionNotFound", "Entry not found")
            return
        faults, number = hub.faults.get(path, Faults()), hub.count("hub", path)
        if faults.hub_limited and faults.hub_limited(number):
            self.answer(entry, 429, {"Retry-After": str(faults.retry_after)})
            return
        etag = faults.hub_etag(number) if faults.hub_etag else hub.etag(file)
        headers = {"X-Repo-Commit": found, "X-Linked-Size": str(file.content.size), "X-Linked-ETag": f'"{etag}"'}
        if file.lfs and not hub.direct:
            self.answer(entry, 302, {**headers, "Location": hub.signed(name, found, path)})
        elif "cached" in urlsplit(self.path).query or hub.direct:
            self.content(entry, file.content, etag, faults, number, {"X-Repo-Commit": found})
        else:
            self.answer(entry, 307, {"X-Repo-Commit": found, "Location": f"{urlsplit(self.path).path}?cached=1"})


@contextmanager
def running() -> Iterator[Hub]:
    """A hub that listens while the block runs."""
    hub = Hub()
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()
