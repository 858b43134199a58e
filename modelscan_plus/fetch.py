"""`fetch`: nothing lands unless all of it was verified and allowed.

Scan remotely, download into a quarantine folder beside the destination, compare every file with the pinned commit, scan
all of it where it lies, and move it into place in one step. The quarantine holds `files` (what will be moved), `parts`
(downloads under way) and `state.json` (which commit this is); it can be read by nobody else, and one process at a time
holds it. After a crash the next run goes on with it.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import msgspec

from modelscan_plus.core.errors import ModelscanPlusError, UsageError
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.report import Decision, Report
from modelscan_plus.core.text import human_bytes, visible
from modelscan_plus.pipeline import Options, scan_sources
from modelscan_plus.sources.hub.client import endpoint, request_headers
from modelscan_plus.sources.hub.download import Downloader, DownloadFailed, Mismatch, Progress, check_names, spoken
from modelscan_plus.sources.hub.remote import RemoteIdentity
from modelscan_plus.sources.hub.source import HubSource
from modelscan_plus.sources.hub.target import HubTarget
from modelscan_plus.sources.hub.transfer import Transfer
from modelscan_plus.sources.local import LocalSource

Tick = Callable[[Progress], None]
Say = Callable[[str], None]


class NotLanded(ModelscanPlusError):
    """The files are not those of the commit, or changed while they waited: nothing landed."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """How a fetch ended."""

    report: Report
    landed: bool
    quarantine: Path | None = None
    """Where the files lie, when they were refused and are to be kept."""


class _FetchedSource(LocalSource):
    """The downloaded files, under the name and with the facts of their repository."""

    kind = "hub"

    def __init__(self, folder: Path, hub: HubSource, facts: Sequence[Facts]) -> None:
        super().__init__(str(folder))
        self.revision = hub.revision
        self._facts = tuple(facts)

    def facts(self) -> Iterable[Facts]:  # type: ignore[override]
        """What the hub said about the repository."""
        return self._facts


def fetch(
    given: str,
    destination: Path,
    options: Options,
    *,
    keep: bool,
    tick: Tick,
    say: Say,
    decided: Callable[[Report], Report] = lambda report: report,
) -> Fetched:
    """Fetch a repository. Raises `UsageError`, `NotLanded`, `DownloadFailed` and `HubUnreachable`.

    `say` is told what goes on, `tick` how far a download is, `decided` (before anything lands) the report that decides;
    it gives the report as it is to be shown. `keep` leaves the quarantine where files were refused.
    """
    _check_destination(destination)
    hub = HubSource(
        given,
        include=options.include,
        exclude=options.exclude,
        max_size=options.max_size,
        seconds=options.seconds or options.policy.limits.seconds,
        offline=options.offline,
    )
    say(f"scanning {hub.target} remotely")
    report = _scanned_remotely(given, hub, options)
    if report.verdict.decision is Decision.DENIED:
        return Fetched(decided(report), landed=False)
    files = [file for file in hub.selected() if options.max_size is None or file.size <= options.max_size]
    if not files:
        return Fetched(decided(report), landed=False)
    check_names(files)
    facts = tuple(hub.facts())
    with _quarantine(destination, hub, files) as place:
        try:
            hashes = _download(hub, files, place, tick, say)
            say("scanning all of it")
            source = _FetchedSource(place / "files", hub, facts)
            before = _identities(place / "files")
            local = scan_sources(
                [(given, source)], replace(options, sha256=True, include=(), exclude=(), max_size=None)
            )
            _compare(local, hashes)
            if local.verdict.decision is not Decision.ALLOWED:
                local = decided(local)
                if not keep:
                    _remove(place)
                return Fetched(local, landed=False, quarantine=place if keep else None)
            if _identities(place / "files") != before:
                raise NotLanded("the files changed in the quarantine while they were scanned")
            local = decided(local)
            _land(place, destination)
            return Fetched(local, landed=True)
        except (Mismatch, NotLanded, KeyboardInterrupt):
            if not keep:
                _remove(place)
            raise
        except DownloadFailed as error:
            raise DownloadFailed(
                f"{error}; nothing landed; run it again to go on, or remove {visible(str(place))}"
            ) from None
        except OSError as error:
            if not keep:
                _remove(place)
            raise DownloadFailed(f"{destination}: {spoken(error)}; nothing landed") from None


def _scanned_remotely(given: str, hub: HubSource, options: Options) -> Report:
    """What can be known before the download. Who signed cannot: the scan of what came asks for that."""
    policy = msgspec.structs.replace(options.policy, signatures=())
    report = scan_sources([(given, hub)], replace(options, policy=policy))
    # What it denies the whole policy denies too, so the report says by which policy.
    verdict = msgspec.structs.replace(report.verdict, policy=options.policy.digest)
    return msgspec.structs.replace(report, verdict=verdict)


def _check_destination(destination: Path) -> None:
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise UsageError(f"{visible(str(destination))}: exists and is no folder")
    if destination.exists() and any(destination.iterdir()):
        raise UsageError(f"{visible(str(destination))}: exists and is not empty; fetch never mixes two versions")
    if not destination.absolute().parent.is_dir():
        raise UsageError(f"{visible(str(destination))}: the folder that it should stand in does not exist")
    if not os.access(destination.absolute().parent, os.W_OK):
        raise UsageError(f"{visible(str(destination))}: the folder that it should stand in cannot be written to")


@contextlib.contextmanager
def _quarantine(destination: Path, hub: HubSource, files: Sequence[RemoteIdentity]) -> Iterator[Path]:
    """The quarantine folder, held by this process alone; what another commit left there is removed."""
    absolute = destination.absolute()
    place = absolute.parent / f".{absolute.name}.quarantine"
    state = {"repository": str(hub.target), "commit": hub.revision, "files": sorted(file.path for file in files)}
    try:
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise UsageError(f"{visible(str(place))}: exists and is no folder; remove it")
        place.mkdir(mode=0o700, exist_ok=True)
        if os.name == "posix" and place.stat().st_uid != os.geteuid():
            raise UsageError(f"{visible(str(place))}: belongs to another user; remove it or choose another destination")
        place.chmod(0o700)
        with (place / "lock").open("a") as lock:
            _hold(lock, place)
            if _state(place) != state:
                for name in ("files", "parts", "state.json"):
                    _remove(place / name)
            for name in ("files", "parts"):
                (place / name).mkdir(exist_ok=True)
            (place / "state.json").write_text(json.dumps(state), "utf-8")
            _check_room(place, files)
            yield place
    except OSError as error:
        raise DownloadFailed(f"{visible(str(place))}: {spoken(error)}; nothing landed") from None


def _hold(lock: IO[str], place: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two at a time are the user's own doing
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"another fetch to this place is at work ({visible(str(place))})") from None


def _state(place: Path) -> object:
    try:
        return json.loads((place / "state.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _check_room(place: Path, files: Sequence[RemoteIdentity]) -> None:
    there = sum(status.st_size for name in ("files", "parts") for _, status in _walk(place / name))
    needed = sum(file.size for file in files) - there
    free = shutil.disk_usage(place).free
    if needed > free:
        if not there:
            _remove(place)
        raise UsageError(f"{human_bytes(needed)} are needed there, {human_bytes(free)} are free")


def _download(hub: HubSource, files: Sequence[RemoteIdentity], place: Path, tick: Tick, say: Say) -> dict[str, str]:
    repository = hub.resolve()
    transfer = Transfer(endpoint(), request_headers())
    target = HubTarget(repository.name, hub.target.kind)

    def address(file: RemoteIdentity) -> str:
        return transfer.endpoint + target.file(file.path, repository.commit)

    say(f"downloading {len(files):,} files, {human_bytes(sum(file.size for file in files))}")
    return Downloader(transfer, address, repository.commit, place).run(files, tick)


def _compare(report: Report, hashes: dict[str, str]) -> None:
    """What was scanned must be what came, to the byte: same files, same hashes."""
    scanned = {artifact.path: artifact.sha256 for artifact in report.artifacts}
    expected = {visible(path): digest for path, digest in hashes.items()}
    for path in sorted(scanned.keys() ^ expected.keys()):
        raise NotLanded(f"{path}: appeared or vanished in the quarantine")
    for path, digest in expected.items():
        if scanned[path] != digest:
            raise NotLanded(f"{path}: what was scanned is not what was downloaded")


def _identities(folder: Path) -> dict[str, tuple[int, ...]]:
    """What would show that a file was written to or replaced."""
    return {
        path: (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns) for path, status in _walk(folder)
    }


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    for here, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(here, name)
            yield path, os.lstat(path)


def _land(place: Path, destination: Path) -> None:
    """One step: the destination is there, complete, or it is not there."""
    absolute = destination.absolute()
    for here, _, _ in os.walk(place / "files"):
        _sync(Path(here))
    if absolute.exists():
        absolute.rmdir()  # empty, as was checked; fails where it no longer is
    os.rename(place / "files", absolute)
    _sync(absolute.parent)
    _remove(place)


def _sync(folder: Path) -> None:
    if os.name != "posix":
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
