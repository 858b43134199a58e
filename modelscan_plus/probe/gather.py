"""Opens what a probe is given: in the parent, by the rules of sources/, and without reading a byte of it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.text import visible
from modelscan_plus.probe.protocol import Named
from modelscan_plus.sources.interface import Opened, Source
from modelscan_plus.sources.local import LocalSource

MODEL_FILES = 1_000
"""Files of one model; a folder with more is not probed."""
SAMPLE_FILES = 1_000
"""Samples out of a folder; of more, every n-th is taken."""


@dataclass(slots=True)
class OpenFiles:
    """Open files with their names. A context manager that closes them."""

    label: str
    names: list[Named] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    checks: list[Callable[[], bool]] = field(default_factory=list)
    """For each file: whether it changed since it was opened."""
    of: int = 0
    """How many files there are, where only some were taken."""
    mine: bool = True
    """False for a part of others, which close them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in self.descriptors if self.mine else ():
            os.close(descriptor)
        self.descriptors = []

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.names)

    def changed(self) -> bool:
        """Whether any of them is no longer what it was."""
        return any(check() for check in self.checks)

    def part(self, artifact: str) -> "OpenFiles":
        """One file, or the files of one folder ("." for all) by their names in it."""
        if artifact == ".":
            return OpenFiles(self.label, self.names, self.descriptors, self.checks, self.of, mine=False)
        prefix = artifact + "/"
        part = OpenFiles(artifact, mine=False)
        for file, descriptor, check in zip(self.names, self.descriptors, self.checks, strict=True):
            name = file.name.removeprefix(prefix)
            if file.name == artifact:
                name = file.name.rpartition("/")[2]
            elif name == file.name:
                continue
            part.names.append(Named(name, file.size))
            part.descriptors.append(descriptor)
            part.checks.append(check)
        return part


def open_source(source: Source, label: str, limit: int = MODEL_FILES, *, spread: bool = False) -> OpenFiles:
    """The regular files of a source; raises `UsageError` where there are none or more than `limit`.

    With `spread`, of more than `limit` files every n-th is taken, so that samples of every folder are among them.
    """
    entries = list(source.entries())
    if len(entries) > limit and not spread:
        raise UsageError(f"{visible(label)}: {len(entries):,} files; a probe takes at most {limit:,}")
    taken = OpenFiles(label, of=len(entries))
    step = max(1.0, len(entries) / limit)
    _allow_descriptors(min(len(entries), limit))
    try:
        for number in range(min(len(entries), limit)):
            entry = entries[int(number * step)]
            opened = entry.open()
            if isinstance(opened, Opened) and opened.fetched is None:
                taken.names.append(Named(entry.path, opened.size))
                taken.descriptors.append(opened.fd)
                taken.checks.append(opened.changed)
            elif isinstance(opened, Opened):
                os.close(opened.fd)
    except BaseException:
        taken.__exit__(None, None, None)
        raise
    if not taken.names:
        raise UsageError(f"{visible(label)}: there is no file that can be opened")
    return taken


def open_path(path: str, *, samples: bool = False) -> OpenFiles:
    """The files at a path that the user named beside the model. Raises `UsageError`."""
    return open_source(LocalSource(path), path, SAMPLE_FILES if samples else MODEL_FILES, spread=samples)


def describe(files: OpenFiles | None, references: Sequence[OpenFiles]) -> list[tuple[str, str]]:
    """What was given beside the model, for the facts of a report."""
    facts: list[tuple[str, str]] = []
    if files is not None:
        count = f"{len(files.names):,}" + (f" of {files.of:,}" if files.of > len(files.names) else "")
        facts.append(("samples given", f"{count} {'file' if files.of == 1 else 'files'}"))
    if references:
        facts.append(("references given", ", ".join(os.path.basename(os.path.abspath(r.label)) for r in references)))
    return facts


def _allow_descriptors(count: int) -> None:
    """Raise the soft limit of open files to what is needed, where the hard one allows it."""
    try:
        import resource
    except ImportError:  # no such limit on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = len(os.listdir("/dev/fd")) + count + 256 if os.path.isdir("/dev/fd") else soft
    if soft != resource.RLIM_INFINITY and wanted > soft:
        ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, ceiling), hard))
