"""One HTTP request at a time, distrusted: what a range reader may assume of a server is checked here.

A range is taken only from a 206 whose Content-Range is the one asked for, with the size that the file is known to
have, the ETag of the first answer, no content encoding, and exactly as many bytes as promised. Redirects are not
followed; a token goes to the hub's own origin and nowhere else. Waiting for a server that asks for patience ends at
the file's deadline, whatever Retry-After says.
"""

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from modelscan_plus.core.bytesource import ReadFailed
from modelscan_plus.core.text import human_bytes, shorten, visible
from modelscan_plus.core.version import VERSION
from modelscan_plus.sources.hub import client
from modelscan_plus.sources.hub.client import Response, Transient

FORBIDDEN = (
    "the hub does not let this user read it: the repository is gated or private; accept its terms on its page and log "
    "in (HF_TOKEN, or hf auth login)"
)
CONNECTIONS = 8
"""Requests under way at a time, over all files."""
WHOLE_ACCEPTED = 16 << 20
"""Bytes of a file up to which a server may ignore the range and send all of it."""
_TIMEOUT = 10.0
"""Seconds without a byte after which a request is tried again."""
_COMMON_WAIT = 30.0
_RATE_LIMIT = re.compile(r"r\s*=\s*(\d+)\s*;\s*t\s*=\s*(\d+)")
CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")


class Expired(Exception):
    """The signed address is no longer accepted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of one range, or of the whole file where `start` is 0 and nothing is missing."""

    start: int
    data: bytes
    etag: str


@dataclass(slots=True)
class _Gate:
    """What a host said about its patience. `until` is a `time.monotonic()` value."""

    until: float = 0.0


class Transfer:
    """The connections and the manners of one scan; shared by all its files and threads."""

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        """`headers` may hold the token; they are sent to the origin of `endpoint` only."""
        self.endpoint = endpoint
        self._origin = _origin(endpoint)
        self._headers = {**headers, "Accept-Encoding": "identity"}
        self._slots = threading.BoundedSemaphore(CONNECTIONS)
        self._gates: dict[str, _Gate] = {}
        self._lock = threading.Lock()
        self.fetched = 0
        """Bytes of bodies, over all files."""

    def at_hub(self, url: str) -> bool:
        """True when the token may go there."""
        return _origin(url) == self._origin

    @contextlib.contextmanager
    def request(
        self, method: str, url: str, deadline: float, headers: Mapping[str, str] | None = None
    ) -> Iterator[Response]:
        """Send one request and give the answer with its body unread. Raises `Transient` and `ReadFailed`."""
        if urlsplit(url).scheme not in ("https", urlsplit(self.endpoint).scheme):
            raise ReadFailed("remote-refused", f"the hub points to {visible(shorten(url))}, which is not secure")
        sent = dict(self._headers) if self.at_hub(url) else {"Accept-Encoding": "identity", "User-Agent": _AGENT}
        sent.update(headers or {})
        gate = self._gate(url)
        _wait(gate.until - time.monotonic(), deadline, "rate-limited", "the server limits how often it may be asked")
        left = deadline - time.monotonic()
        if left <= 0 or not self._slots.acquire(timeout=left):
            raise ReadFailed("timeout", "not fetched within the time of one file")
        try:
            with client.stream(method, url, headers=sent, timeout=min(_TIMEOUT, max(left, 0.1))) as response:
                _note_patience(gate, response, at_hub=self.at_hub(url))
                yield response
        finally:
            self._slots.release()

    def read_range(self, url: str, start: int, stop: int, size: int, etag: str, deadline: float) -> Answer:
        """Bytes `[start, stop)` of the `size` bytes at `url`; `etag` is that of the first answer, "" before it."""
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        if etag.startswith('"'):
            headers["If-Range"] = etag
        with self.request("GET", url, deadline, headers) as response:
            status = response.status_code
            if status == 206:
                return self._partial(response, start, stop, size, etag, deadline)
            if status == 200:
                return self._whole(response, size, etag, deadline)
            raise refusal(status, response, url)

    def read_whole(self, url: str, size: int, deadline: float) -> tuple[Answer, Mapping[str, str]]:
        """All `size` bytes at `url` and the answer's headers; redirects within the hub's origin are followed."""
        for _ in range(4):
            with self.request("GET", url, deadline) as response:
                status = response.status_code
                if status == 200:
                    return self._whole(response, size, "", deadline), response.headers
                if status in (401, 403):  # no signed address that could have expired
                    raise ReadFailed("remote-forbidden", FORBIDDEN)
                if status not in (301, 302, 303, 307, 308):
                    raise refusal(status, response, url)
                url = urljoin(url, response.headers.get("location", ""))
        raise ReadFailed("remote-refused", "the hub redirects in a circle")

    def _partial(self, response: Response, start: int, stop: int, size: int, etag: str, deadline: float) -> Answer:
        found = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None or tuple(map(int, found.groups())) != (start, stop - 1, size):
            said = visible(shorten(response.headers.get("content-range", "nothing")))
            raise ReadFailed(
                "remote-inconsistent", f"bytes {start}-{stop - 1} of {size} were asked for, the server sent {said}"
            )
        new = self._etag(response, etag)
        return Answer(start, self._body(response, stop - start, deadline), new)

    def _whole(self, response: Response, size: int, etag: str, deadline: float) -> Answer:
        new = self._etag(response, etag)
        if size > WHOLE_ACCEPTED:
            message = f"the server ignores ranges and would send all {human_bytes(size)}; download the file and scan it"
            raise ReadFailed("range-ignored", message)
        return Answer(0, self._body(response, size, deadline), new)

    @staticmethod
    def _etag(response: Response, etag: str) -> str:
        new: str = response.headers.get("etag", "")
        if etag and new != etag:
            raise ReadFailed("changed", "the file changed on the server while it was read: its ETag is another one")
        return new or etag

    def _body(self, response: Response, length: int, deadline: float) -> bytes:
        """Exactly `length` bytes; a short body is worth another try, one that does not end is not."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise ReadFailed("remote-inconsistent", f"the server encodes what it sends ({visible(shorten(encoding))})")
        data = bytearray()
        for chunk in response.iter_raw(1 << 18):
            data += chunk
            if len(data) > length:
                raise ReadFailed("remote-inconsistent", f"the server sends more than the {length:,} bytes asked for")
            if time.monotonic() > deadline:
                raise ReadFailed("timeout", "not fetched within the time of one file")
        with self._lock:
            self.fetched += len(data)
        if len(data) < length:
            raise Transient("short-body", f"the server sent {len(data):,} of {length:,} bytes")
        return bytes(data)

    def _gate(self, url: str) -> _Gate:
        with self._lock:
            return self._gates.setdefault(_origin(url), _Gate())


_AGENT = f"modelscan-plus/{VERSION}"


def pause(seconds: float, deadline: float, error: Transient) -> None:
    """Sleep before another try; raises `ReadFailed` with the error's own words where there is no time for it."""
    _wait(seconds if error.wait is None else error.wait, deadline, error.code, str(error))


def _wait(seconds: float, deadline: float, code: str, message: str) -> None:
    if seconds <= 0:
        return
    if time.monotonic() + seconds > deadline:
        raise ReadFailed(code, f"{message} ({seconds:.0f} s)" if code == "rate-limited" else message)
    time.sleep(seconds)


def _note_patience(gate: _Gate, response: Response, *, at_hub: bool) -> None:
    """Hold all requests to a host back when one of them is told to wait.

    The hub counts all that a user asks for. Elsewhere a wait that nobody would sit out is taken to be about one file.
    """
    wait = patience(response.headers, response.status_code)
    if wait is not None and (at_hub or wait <= _COMMON_WAIT):
        gate.until = max(gate.until, time.monotonic() + wait)


def patience(headers: Mapping[str, str], status: int) -> float | None:
    """Seconds that the server wants to be left alone, None when it says nothing.

    `RateLimit: "resolvers";r=0;t=55` counts also on an answer that was still given.
    """
    found = _RATE_LIMIT.search(headers.get("ratelimit", ""))
    if found and int(found[1]) == 0:
        return float(found[2])
    value = headers.get("retry-after", "").strip()
    return float(value) if status in (429, 503) and value.isdigit() and len(value) < 10 else None


def refusal(status: int, response: Response, url: str) -> Exception:
    """What a status other than success means."""
    if status in (401, 403, 410):
        return Expired()
    if status == 429:
        return Transient("rate-limited", "the server limits how often it may be asked", patience(response.headers, 429))
    if status in (408, 500, 502, 503, 504):
        return Transient("network", f"the server answered {status}", patience(response.headers, status))
    if status == 416:
        return ReadFailed("remote-inconsistent", "the server says that the file is shorter than the hub says")
    if status == 404:
        return ReadFailed("remote-missing", "the server no longer has the file")
    return ReadFailed("remote-refused", f"{visible(urlsplit(url).netloc)} answered with status {status}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = {"http": ":80", "https": ":443"}.get(parts.scheme, "") if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{(parts.hostname or '').lower()}{port}"
