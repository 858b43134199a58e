"""Decompressors that Python's standard library does not have everywhere: Zstandard and LZ4, from the extra [formats].

Without the library the content is a named gap, never a guess. Both are imported before the sandbox closes (`preload`),
since behind it no module can be loaded.
"""

import functools
import importlib
from types import ModuleType

from modelscan_plus.formats.archives.decompress import Decompressor

_MODULES = {"Zstandard": ("compression.zstd", "backports.zstd"), "LZ4": ("lz4.frame",)}
"""Where each library may be found, first choice first: Python 3.14 brings Zstandard itself."""


@functools.cache
def _library(codec: str) -> ModuleType | None:
    for name in _MODULES[codec]:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def preload() -> None:
    """Import what is installed."""
    for codec in _MODULES:
        _library(codec)


def missing(codec: str) -> str:
    """Why content of this codec cannot be read, "" when it can."""
    if codec not in _MODULES or _library(codec) is not None:
        return ""
    return f'reading {codec} needs an extra: pip install "modelscan-plus[formats]"'


class _Library:
    """A library's decompressor whose errors are of a kind that the standard library's have."""

    def __init__(self, inner: Decompressor) -> None:
        self._inner = inner

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data or b""

    @property
    def needs_input(self) -> bool:
        return self._inner.needs_input

    def decompress(self, data: bytes, max_length: int) -> bytes:
        try:
            return self._inner.decompress(data, max_length)
        except (MemoryError, OSError):
            raise
        except Exception as error:  # ZstdError, RuntimeError: each library has its own
            raise OSError(str(error)) from None


def zstd_frame() -> Decompressor:
    """One Zstandard frame, with a window of at most 128 MiB."""
    return _Library(_required("Zstandard").ZstdDecompressor())


def lz4_frame() -> Decompressor:
    """One LZ4 frame."""
    return _Library(_required("LZ4").LZ4FrameDecompressor())


def _required(codec: str) -> ModuleType:
    library = _library(codec)
    if library is None:
        raise OSError(missing(codec))
    return library
