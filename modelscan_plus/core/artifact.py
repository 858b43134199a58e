"""`Artifact`: something with a name and bytes; a file on disk, or a member of one."""

import msgspec

from modelscan_plus.core.bytesource import ByteSource


class Artifact(msgspec.Struct, frozen=True):
    """One unit of inspection."""

    name: str
    """The last part of the path or the member's full name, exactly as stored (surrogate escapes for bad UTF-8)."""
    source: ByteSource
    members: tuple[str, ...] = ()
    """The way down from the file on disk; empty for the file itself."""
    payload: bool = False
    """True where the surrounding format's loaders take the bytes as raw data (a tensor storage, a bytes
    literal): only unmistakable content is then looked into."""
    path: str = ""
    """Where a file lies below the target, with slashes; "" where that is not known, and for members."""

    @property
    def place(self) -> str:
        """The path where it is known, else the name: for programs that go by folders (`.github/`, `.claude/`)."""
        return self.path or self.name

    @property
    def depth(self) -> int:
        """0 for a file on disk, 1 for a member of it, …"""
        return len(self.members)

    def member(self, name: str, source: ByteSource, *, payload: bool = False) -> "Artifact":
        """A part of this artifact, one level down."""
        return Artifact(name=name, source=source, members=(*self.members, name), payload=payload)
