"""The hub's API: which commit a revision is, which files it has, and what the hub's own scanners say.

Requests go through the session of huggingface-hub, with its token, endpoint, proxies and offline mode; the JSON is read
here, because the client drops the verdicts of three of the hub's five scanners and takes unknown states for none.
One call for the repository, one per thousand files, and one for the verdicts on the files where they matter.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from modelscan_plus.core.bytesource import ReadFailed
from modelscan_plus.core.errors import ModelscanPlusError, UsageError
from modelscan_plus.core.repository import HubVerdict
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.sources.hub import client
from modelscan_plus.sources.hub.remote import RemoteIdentity
from modelscan_plus.sources.hub.target import HubTarget
from modelscan_plus.sources.hub.transfer import patience

MAX_FILES = 200_000
_PAGES = 400
_LONGEST = 64 << 20
"""Bytes of one answer."""
_ASKED = 100
"""Files of which the scanners' verdicts are asked for, at most."""
_PATIENCE = 30.0
"""Seconds for one call, with all tries."""
_COMMIT = re.compile(r"[0-9A-Za-z]{7,64}")
CONVERSION = "Adding `safetensors` variant of this model"
_SCANNERS = {
    "avScan": "ClamAV",
    "pickleImportScan": "pickle imports",
    "protectAiScan": "Protect AI",
    "jFrogScan": "JFrog",
    "virusTotalScan": "VirusTotal",
}


class HubUnreachable(ModelscanPlusError):
    """The hub could not be asked, through no fault of the request."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at one commit."""

    asked: HubTarget
    name: str
    """What the hub calls it; another name than `asked.name` for one that was moved."""
    commit: str
    files: tuple[RemoteIdentity, ...]
    """Ordered by path."""
    scanned: bool | None
    """The hub's scanners are through with the repository; None when it does not say."""
    flagged: tuple[tuple[str, str], ...]
    """Path and level of each file with which they have an issue."""


class HubApi:
    """The calls that a scan makes."""

    def __init__(self) -> None:
        self.endpoint = client.endpoint().rstrip("/")
        self.headers = client.request_headers()
        self.calls = 0

    def repository(self, target: HubTarget) -> Repository:
        """Resolve the revision and list its files. Raises `UsageError` or `HubUnreachable`, each with what to do."""
        path = target.api + (f"/revision/{quote(target.revision, safe='')}" if target.revision else "")
        info, _ = self._ask(target, path, params={"securityStatus": "true"})
        name, commit = _text(info, "id"), _text(info, "sha")
        if not isinstance(info, dict) or not name or not _COMMIT.fullmatch(commit):
            raise HubUnreachable(f"{target}: the answer of {self.endpoint} is not that of a hub; check HF_ENDPOINT")
        if info.get("gated") and "authorization" not in self.headers:
            raise self._gated(target, name)
        security = info.get("securityRepoStatus")
        done = security.get("scansDone") if isinstance(security, dict) else None
        found = HubTarget(name, target.kind, commit)
        return Repository(
            asked=target,
            name=name,
            commit=commit,
            files=tuple(sorted(self._tree(found), key=lambda file: file.path.encode("utf-8", "surrogatepass"))),
            scanned=done if isinstance(done, bool) else None,
            flagged=tuple(_issues(security)),
        )

    def verdicts(self, repository: Repository, paths: list[str]) -> list[HubVerdict]:
        """What the hub's scanners say about some files: those with issues first, the rest as far as one call goes."""
        asked = list(dict.fromkeys([path for path, _ in repository.flagged] + paths))[:_ASKED]
        asked = [path for path in asked if path.encode("utf-8", "ignore").decode() == path]  # no lone surrogates
        if not asked:
            return []
        target = HubTarget(repository.name, repository.asked.kind, repository.commit)
        path = f"{target.api}/paths-info/{repository.commit}"
        answer, _ = self._ask(repository.asked, path, data={"paths": asked, "expand": True})
        return [
            verdict
            for item in (answer if isinstance(answer, list) else [])
            if isinstance(item, dict)
            for verdict in _verdicts(_text(item, "path"), item.get("securityFileStatus"))
        ]

    def conversions(self, repository: Repository) -> list[tuple[int, str]]:
        """Number and author of each open pull request with the title that transformers looks for.

        transformers.safetensors_conversion compares the title and the commit that it stands on, not the author.
        """
        target = HubTarget(repository.name, repository.asked.kind, repository.commit)
        params = {"p": "0", "type": "pull_request", "status": "open"}
        answer, _ = self._ask(repository.asked, f"{target.api}/discussions", params=params)
        listed = answer.get("discussions") if isinstance(answer, dict) else None
        return [
            (number, _text(item.get("author"), "name"))
            for item in (listed if isinstance(listed, list) else [])
            if isinstance(item, dict) and item.get("isPullRequest") is True and _text(item, "status") == "open"
            if _text(item, "title") == CONVERSION and isinstance(number := item.get("num"), int)
        ]

    def _tree(self, target: HubTarget) -> Iterator[RemoteIdentity]:
        url = f"{target.api}/tree/{target.revision}"
        params: dict[str, str] | None = {"recursive": "true"}
        count = 0
        for _ in range(_PAGES):
            page, following = self._ask(target, url, params=params)
            for item in page if isinstance(page, list) else []:
                file = _file(item)
                if file is not None:
                    count += 1
                    yield file
                if count > MAX_FILES:
                    raise UsageError(f"{target}: more than {MAX_FILES:,} files; scan parts of a download instead")
            if following is None:
                return
            url, params = urljoin(self.endpoint + url, following), None
            if urlsplit(url)[:2] != urlsplit(self.endpoint)[:2]:
                raise HubUnreachable(f"{target}: the hub's list of files goes on at another host")
            url = url.removeprefix(self.endpoint)
        raise HubUnreachable(f"{target}: the hub's list of files does not end")

    def _ask(
        self,
        target: HubTarget,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, object] | None = None,
    ) -> tuple[object, str | None]:
        """The JSON of one call, and the address of the next page; what may pass is tried again within `_PATIENCE`."""
        deadline = time.monotonic() + _PATIENCE
        wait = 0.5
        while True:
            self.calls += 1
            left = max(0.1, min(10.0, deadline - time.monotonic()))
            more: dict[str, object] = {"params": params} if data is None else {"data": data}
            try:
                with client.stream(
                    "GET" if data is None else "POST",
                    self.endpoint + path,
                    headers=self.headers,
                    timeout=left,
                    follow_redirects=True,
                    **more,
                ) as response:
                    if response.status_code < 400:
                        body = self._body(target, response, deadline)
                        return self._parsed(target, body), response.links.get("next", {}).get("url")
                    if response.status_code not in (408, 429, 500, 502, 503, 504):
                        raise self._refused(target, response)
                    failure = f"it answered {response.status_code}"
                    asked = patience(response.headers, response.status_code)
            except client.Transient as error:
                failure, asked = visible(shorten(str(error))), None
            except ReadFailed as error:
                raise UsageError(f"{target}: {error.message}; scan the cache instead (cache:), or go online") from None
            wait = wait * 2 if asked is None else asked
            if time.monotonic() + wait > deadline:
                raise self._gave_up(target, failure, wait)
            time.sleep(wait)

    def _body(self, target: HubTarget, response: client.Response, deadline: float) -> bytes:
        data = bytearray()
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > _LONGEST or time.monotonic() > deadline:
                raise HubUnreachable(f"{target}: the answer of {self.endpoint} does not end")
        return bytes(data)

    def _parsed(self, target: HubTarget, body: bytes) -> object:
        try:
            found: object = json.loads(body)
        except (ValueError, RecursionError):
            raise HubUnreachable(
                f"{target}: what {self.endpoint} answers is not JSON; check HF_ENDPOINT and your proxy"
            ) from None
        return found

    def _gave_up(self, target: HubTarget, failure: str, wait: float) -> HubUnreachable:
        if failure == "it answered 429":
            hint = "" if "authorization" in self.headers else "; a token (HF_TOKEN, hf auth login) raises the limit"
            return HubUnreachable(f"{target}: {self.endpoint} limits your requests; try again in {wait:.0f} s{hint}")
        return HubUnreachable(f"{target}: {self.endpoint} cannot be reached: {failure}")

    def _refused(self, target: HubTarget, response: client.Response) -> ModelscanPlusError:
        """An error of the hub, with what to do."""
        token = "authorization" in self.headers
        login = "log in (HF_TOKEN, or hf auth login)"
        match client.hub_error(response):
            case "gated":
                return self._gated(target, target.name)
            case "disabled":
                return UsageError(f"{target}: the hub has disabled this repository; do not use copies of it")
            case "missing":
                hint = "does your token reach it?" if token else f"a private one asks you to {login}"
                return UsageError(f"{target}: no such {target.kind} on {self.endpoint}; check the name; {hint}")
            case "revision":
                shown = visible(target.revision or "by default")
                return UsageError(f"{target}: no revision {shown} there; give a branch, a tag, refs/pr/N or a commit")
            case _ if response.status_code in (401, 403):
                return UsageError(f"{target}: {self.endpoint} refuses your token; check HF_TOKEN, or {login} again")
            case _:
                return HubUnreachable(f"{target}: {self.endpoint} answered {response.status_code}")

    def _gated(self, target: HubTarget, name: str) -> UsageError:
        page = f"{self.endpoint}/{'' if target.kind == 'model' else target.kind + 's/'}{name}"
        action = f"ask for access on {page}"
        if "authorization" not in self.headers:
            action = f"accept its terms on {page} and log in (HF_TOKEN, or hf auth login)"
        return UsageError(f"{target}: the repository is gated; {action}")


def _text(value: object, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _file(item: object) -> RemoteIdentity | None:
    """A file of the tree; None for folders and for what is no entry."""
    if not isinstance(item, dict) or item.get("type") != "file":
        return None
    path, size, lfs = item.get("path"), item.get("size"), item.get("lfs")
    if not isinstance(path, str) or not path or not isinstance(size, int) or size < 0:
        return None
    sha256 = _text(lfs, "oid").removeprefix("sha256:") or None
    if isinstance(lfs, dict) and isinstance(lfs.get("size"), int):
        size = lfs["size"]
    return RemoteIdentity(path, size, _text(item, "oid"), sha256)


def _issues(security: object) -> Iterator[tuple[str, str]]:
    listed = security.get("filesWithIssues") if isinstance(security, dict) else None
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict) and isinstance(item.get("path"), str):
            yield item["path"], _text(item, "level") or "unknown"


def _verdicts(path: str, security: object) -> Iterator[HubVerdict]:
    """Each scanner's word on a file. What is absent or of no known form is "unknown", which is not "safe"."""
    if not isinstance(security, dict):
        yield HubVerdict(path, "", "unknown", "")
        return
    yield HubVerdict(path, "", _text(security, "status") or "unknown", "")
    for key, value in security.items():
        if not isinstance(value, dict):
            continue
        name = _SCANNERS.get(key, visible(shorten(str(key), 40)))
        status = _text(value, "status") or "unknown"
        imports = value.get("pickleImports")
        said = [_text(value, "message")]
        said += [
            f"{_text(item, 'module')}.{_text(item, 'name')} ({_text(item, 'safety')})"
            for item in (imports if isinstance(imports, list) else ())
            if _text(item, "safety") not in ("", "innocuous", "safe")
        ]
        yield HubVerdict(path, name, status, "; ".join(part for part in said if part))
