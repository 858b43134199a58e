"""What an HDF5 file states, free of judgement."""

import msgspec

from modelscan_plus.core.facts import Facts


class Outside(msgspec.Struct, frozen=True):
    """A place where the file leads out of itself, or to code that its reader would have to load."""

    kind: str
    """"external-link", "external-data" (raw data in another file), "virtual" (parts of other files),
    "user-link" (a link of an application's own kind), "filter" (a number that HDF5 itself does not know)."""
    path: str
    """Of the link or dataset."""
    target: str
    """The file that is named, or the number."""


class Bomb(msgspec.Struct, frozen=True):
    """A dataset that is much larger than what is stored of it."""

    path: str
    shape: tuple[int, ...]
    bytes_needed: int
    bytes_stored: int


class Hdf5Facts(Facts, frozen=True):
    """One HDF5 file."""

    outside: tuple[Outside, ...] = ()
    """At most 200."""
    bombs: tuple[Bomb, ...] = ()
    """At most 50."""
    pytables: bool = False
    """The file says that PyTables wrote it, whose readers unpickle attributes."""
