"""huggingface-hub's HTTP session, as narrow as it is used here, with its errors put into ours.

Versions 1.31 to 2.x differ in the library below (httpx, httpx2); `huggingface_hub.utils.httpx` is whichever it is.
Token, endpoint, proxies, certificates and offline mode are the client's own.
"""

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from modelscan_plus.core.bytesource import ReadFailed
from modelscan_plus.core.errors import MissingExtra
from modelscan_plus.core.version import VERSION


class Transient(Exception):
    """Worth another try; `wait` is what the server asks for, in seconds."""

    def __init__(self, code: str, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.wait = wait


class Response(Protocol):
    """What is used of an answer."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def links(self) -> Mapping[str | None, Mapping[str, str]]: ...

    def iter_raw(self, chunk_size: int | None = None) -> Iterator[bytes]: ...

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]: ...


def utils() -> Any:
    """`huggingface_hub.utils`. Raises `MissingExtra` where no supported version is installed."""
    try:
        module: Any = importlib.import_module("huggingface_hub.utils")
    except ImportError:
        module = None
    if not hasattr(module, "httpx"):
        raise MissingExtra("reading from Hugging Face (huggingface-hub 1.31 or later)", "hub")
    return module


def endpoint() -> str:
    """HF_ENDPOINT, or the public hub."""
    utils()
    found: str = importlib.import_module("huggingface_hub.constants").ENDPOINT
    return found


def cache_folder() -> str:
    """Where the client keeps what it downloads (HF_HUB_CACHE, HF_HOME)."""
    utils()
    found: str = importlib.import_module("huggingface_hub.constants").HF_HUB_CACHE
    return found


def offline() -> bool:
    """True when the user wants no request to the hub (HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE)."""
    utils()
    return bool(importlib.import_module("huggingface_hub.constants").is_offline_mode())


def request_headers() -> dict[str, str]:
    """With the user's token, where there is one.

    Not by `build_hf_headers`: it adds facts about the machine, and asks the hub a question of its own to find them.
    """
    utils()
    constants = importlib.import_module("huggingface_hub.constants")
    made = {"user-agent": f"modelscan-plus/{VERSION}"}
    token = importlib.import_module("huggingface_hub").get_token()
    if token and not constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        made["authorization"] = f"Bearer {token}"
    return made


@contextlib.contextmanager
def stream(
    method: str, url: str, *, headers: Mapping[str, str], timeout: float, follow_redirects: bool = False, **more: Any
) -> Iterator[Response]:
    """One request; the body of the answer is unread. Raises `Transient` and `ReadFailed`, also while it is read."""
    client = utils()
    httpx = client.httpx
    offline_error = importlib.import_module("huggingface_hub.errors").OfflineModeIsEnabled
    try:
        with client.get_session().stream(
            method, url, headers=headers, timeout=timeout, follow_redirects=follow_redirects, **more
        ) as response:
            yield response
    except offline_error:
        raise ReadFailed("offline", "offline mode is on (HF_HUB_OFFLINE)") from None
    except httpx.TimeoutException:
        raise Transient("timeout", "the server was silent for too long") from None
    except httpx.TransportError as error:
        raise Transient("network", f"the connection failed: {type(error).__name__}: {error}") from None
    except (httpx.InvalidURL, httpx.TooManyRedirects):
        raise ReadFailed("remote-refused", "the server leads to no address that could be asked") from None


def hub_error(response: Any) -> str:
    """Which error of the hub an answer is: "", "gated", "disabled", "missing", "revision" or "other"."""
    errors = importlib.import_module("huggingface_hub.errors")
    length = response.headers.get("content-length", "")
    if length.isdigit() and len(length) < 7:
        response.read()
    try:
        utils().hf_raise_for_status(response)
    except errors.GatedRepoError:
        return "gated"
    except errors.DisabledRepoError:
        return "disabled"
    except errors.RepositoryNotFoundError:
        return "missing"
    except errors.RevisionNotFoundError:
        return "revision"
    except errors.HfHubHTTPError:
        return "other"
    return ""
