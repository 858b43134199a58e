"""The files of a model (or of samples), already open: by name, as byte sources, and nothing else of the disk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modelscan_plus.core.bytesource import ByteSource


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Names relative to the model's folder with "/" between parts; a single file stands under its own name."""

    sources: Mapping[str, ByteSource]
    label: str = ""
    """How the user named it, for messages."""

    def __contains__(self, name: str) -> bool:
        return name in self.sources

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.sources))

    def __getitem__(self, name: str) -> ByteSource:
        return self.sources[name]

    @property
    def single(self) -> str:
        """The name of the only file, "" when there are more."""
        return next(iter(self.sources)) if len(self.sources) == 1 else ""

    def read(self, name: str, limit: int) -> bytes:
        """All bytes of a file; raises ValueError when it is larger than `limit`."""
        source = self.sources[name]
        if source.size > limit:
            raise ValueError(f"{name}: {source.size:,} bytes, more than the {limit:,} that are read")
        return source.pread(0, source.size)
