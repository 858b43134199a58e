"""`modelscan-plus lock`: add, update, verify, diff, rollback.

`verify` and `diff` import nothing but what compares files, so that a hook can afford them on every commit.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from modelscan_plus.cli import lock_output
from modelscan_plus.core.errors import UsageError
from modelscan_plus.core.text import visible
from modelscan_plus.trust import lock as locks
from modelscan_plus.trust import lock_check
from modelscan_plus.trust.lock import Entry, Lock, Origin, Signer
from modelscan_plus.trust.tree import Measured

if TYPE_CHECKING:
    from modelscan_plus.cli.lock_signing import Signing
    from modelscan_plus.locking import Made, Request
    from modelscan_plus.trust.journal import Event

F = TypeVar("F", bound=Callable[..., Any])
Begin = Callable[[int], None]
# Variables are named after the option alone, here as everywhere.
_CONTEXT = {"auto_envvar_prefix": "MODELSCAN_PLUS"}


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    def apply(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


_file = click.option("--lock", "path", metavar="FILE", default=locks.NAME, show_default=True, help="The lock file.")
_name = click.option("--name", metavar="NAME", help="Name in the lock (default: the path, or the repository).")
_jobs = click.option("--jobs", "-j", type=click.IntRange(1, 256), help="Files at a time (default: one per processor).")
_log = _options(
    click.option("--log", metavar="FILE", help="Import log to append to."),
    click.option("--actor", metavar="NAME", help="Who is behind this, for the log; the user of the system stands too."),
)
_origin = _options(
    click.option("--source", metavar="KIND:NAME", help="Where it came from, for example hf:google/bert."),
    click.option("--revision", metavar="SHA", help="Commit (40 hexadecimal digits) or manifest digest."),
    click.option("--requested", metavar="REF", help="Branch or tag that was asked for, for information."),
)
_scan = _options(
    click.option("--policy", metavar="FILE", help="Policy of the scan that decides."),
    click.option("--no-scan", is_flag=True, help="Lock names and contents only, as for data sets."),
)
_signing = _options(
    click.option("--signature", metavar="FILE", help="Verify this signature, and keep who signed."),
    click.option("--identity", metavar="ID", help="Who must have signed it, exactly."),
    click.option("--issuer", metavar="URL", help="The OpenID issuer that must vouch for that identity."),
    click.option("--key", metavar="PEM", help="The public key that must have signed."),
    click.option("--trusted-root", metavar="FILE", help="Trusted root (default: the public Sigstore instance's)."),
    click.option("--trusted-root-sha256", metavar="HEX", help="The SHA-256 that --trusted-root must have."),
    click.option("--first-use", is_flag=True, help="Trust whoever signed, and expect the same from now on."),
)
_format = click.option("--format", "-f", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group("lock")
def command() -> None:
    """Keep model.lock.json: which files, from where, signed by whom, were let in, and whether they are still those."""


@command.command("add", context_settings=_CONTEXT)
@click.argument("target")
@_options(_file, _name, _origin, _scan, _signing, _jobs, _log)
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out what matches, unchecked; repeatable.")
def add(target: str, exclude: tuple[str, ...], **options: Any) -> None:
    """Scan TARGET and, if it is allowed, lock it. Exit codes are those of `scan`."""
    from modelscan_plus import locking

    signing, options = _apart(options)
    chosen = _Chosen(**options)
    chosen.signer = signing.verifier(target, None, exclude=exclude, jobs=chosen.jobs)
    lock = locks.read(chosen.lock) if chosen.lock.exists() else Lock()
    name = chosen.name or lock_check.default_name(target, chosen.lock)
    if name in lock.models:
        raise UsageError(f"{visible(name)} is locked already; `lock update` locks a new version of it")
    with _refusals("lock-add", target, chosen):
        made = chosen.make(target, exclude, chosen.origin(Origin()))
        entry = chosen.admitted(made)
        chosen.log_entry("lock-add", target, entry)
        locking.add(chosen.request(target, exclude, None), made)
    click.echo(lock_output.locked(made.name, entry))


@command.command("update", context_settings=_CONTEXT)
@click.argument("target")
@_options(_file, _name, _origin, _scan, _signing, _jobs, _log)
@click.option("--accept-signer-change", is_flag=True, help="Trust another signer, or none, from now on.")
def update(target: str, accept_signer_change: bool, **options: Any) -> None:
    """Lock a new version of TARGET (a path, or a name in the lock), and show what is new."""
    from modelscan_plus import locking

    signing, options = _apart(options)
    chosen = _Chosen(**options)
    name, old, place = chosen.entry(target)
    chosen.signer = signing.verifier(
        place, old.signer, exclude=old.exclude, jobs=chosen.jobs, anew=accept_signer_change
    )
    given = chosen.origin(old.source)
    with _refusals("lock-update", place, chosen):
        made = chosen.make(place, old.exclude, given)
        entry = chosen.admitted(made)
        entry = locking.successor(old, entry, origin_given=given is not None, accept_signer_change=accept_signer_change)
        chosen.log_entry("lock-update", place, entry)
        locks.change(chosen.lock, locks.Alteration(name, entry, old))
    difference = locks.compare(old.files, _as_found(entry))
    click.echo(lock_output.changes(difference), nl=False)
    click.echo(lock_output.locked(name, entry) if difference else f"{name}: unchanged, {entry.tree}")


@command.command("rollback", context_settings=_CONTEXT)
@click.argument("target")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays in the lock and in the log.")
@click.option("--to", metavar="DIGEST", help="Tree digest (or its beginning) that must be found there.")
@_options(_file, _name, _scan, _jobs, _log)
def rollback(target: str, reason: str, to: str | None, **options: Any) -> None:
    """Go back to an earlier version, whose files stand in place again: they are compared with it and scanned anew."""
    from modelscan_plus import locking
    from modelscan_plus.core.text import inert

    chosen = _Chosen(**options)
    name, old, place = chosen.entry(target)
    with _refusals("lock-rollback", place, chosen):
        made = chosen.make(place, old.exclude, old.source)
        entry = locking.restored(old, chosen.admitted(made), inert(reason), to)
        chosen.log_entry("lock-rollback", place, entry, reason=inert(reason))
        locks.change(chosen.lock, locks.Alteration(name, entry, old))
    click.echo(f"{name}: went back from {old.tree} to {entry.tree}")


@command.command("verify", context_settings=_CONTEXT)
@click.argument("targets", nargs=-1, metavar="[TARGET]…")
@_options(_file, _name, _jobs, _format, _log)
@click.option("--quiet", "-q", is_flag=True, help="Say only what does not verify.")
def verify(targets: tuple[str, ...], form: str, quiet: bool, **options: Any) -> None:
    """Check that exactly the locked files stand there (without TARGET: all that the lock has a path for).

    Needs no network. Exit code: 0 all verify, 1 something does not, 3 nothing is locked, 4 not all could be checked.
    """
    chosen = _Chosen(**options)
    checks, unchecked = _checks(targets, chosen)
    for checked in checks:
        chosen.log_check(checked)
    click.echo(lock_output.as_json(checks) if form == "json" else lock_output.verdicts(checks, quiet=quiet), nl=False)
    for name in unchecked:
        click.echo(f"{visible(name)}: not checked: it stands elsewhere; name its TARGET with --name", err=True)
    if not all(checked.verified for checked in checks):
        sys.exit(1)
    sys.exit(4 if unchecked else 0 if checks else 3)


@command.command("diff", context_settings=_CONTEXT)
@click.argument("targets", nargs=-1, metavar="[TARGET]…")
@_options(_file, _name, _jobs, _format)
def diff(targets: tuple[str, ...], form: str, **options: Any) -> None:
    """Show how the files differ from the lock; exit 1 when they do."""
    chosen = _Chosen(**options)
    checks, _ = _checks(targets, chosen)
    click.echo(lock_output.as_json(checks) if form == "json" else lock_output.differences(checks), nl=False)
    sys.exit(0 if all(checked.verified for checked in checks) else 1)


def _apart(options: dict[str, Any]) -> tuple["Signing", dict[str, Any]]:
    """The options about signatures, and the others."""
    import dataclasses

    from modelscan_plus.cli.lock_signing import Signing

    names = {field.name for field in dataclasses.fields(Signing)}
    signing = Signing(**{name: value for name, value in options.items() if name in names})
    return signing, {name: value for name, value in options.items() if name not in names}


def _checks(targets: tuple[str, ...], chosen: "_Chosen") -> tuple[list[lock_check.Checked], list[str]]:
    lock = locks.read(chosen.lock)
    wanted = [chosen.entry(target, lock) for target in targets]
    unchecked = []
    for name, entry in lock.models.items() if not targets else ():
        if chosen.name not in (None, name):
            continue
        place = lock_check.place(entry, chosen.lock)
        if place is None:
            unchecked.append(name)
        else:
            wanted.append((name, entry, place))
    for _, _, place in wanted:
        lock_check.refuse_inside(chosen.lock, place, "--lock")
        chosen.check_log(place)
    with _progress() as (advance, begin):
        checks = [
            lock_check.check(name, place, entry, jobs=chosen.jobs, progress=advance, begin=begin)
            for name, entry, place in wanted
        ]
    return checks, unchecked


def _as_found(entry: Entry) -> Measured:
    return Measured(locks.digests(entry.files))


@contextmanager
def _progress() -> Iterator[tuple[Callable[[int], None] | None, Begin | None]]:
    from modelscan_plus.cli.progress import ByteProgress, progress_wanted

    if not progress_wanted():
        yield None, None
        return
    with ByteProgress() as progress:
        yield progress.advance, progress.begin


@contextmanager
def _refusals(event: str, target: str, chosen: "_Chosen") -> Iterator[None]:
    """Turn a refusal into a line, an entry of the log and exit code 1."""
    from modelscan_plus.locking import Refused

    try:
        yield
    except Refused as error:
        chosen.log(_event(event, target, "refused", reason=str(error)))
        click.echo(f"refused: {error}", err=True)
        sys.exit(1)


def _event(event: str, target: str, verdict: str, entry: Entry | None = None, reason: str | None = None) -> "Event":
    from modelscan_plus.trust.journal import Event

    scan = entry.scan if entry is not None else None
    return Event(
        event=event,
        target=visible(target),
        tree=entry.tree if entry is not None else None,
        revision=entry.source.revision if entry is not None else None,
        verdict=verdict,
        policy=scan.policy if scan is not None else None,
        ruleset=scan.ruleset if scan is not None else None,
        report=scan.report if scan is not None else None,
        reason=reason,
    )


class _Chosen:
    """The options that the commands share, and what follows from them."""

    def __init__(
        self,
        path: str,
        name: str | None = None,
        jobs: int | None = None,
        source: str | None = None,
        revision: str | None = None,
        requested: str | None = None,
        policy: str | None = None,
        no_scan: bool = False,
        log: str | None = None,
        actor: str | None = None,
    ) -> None:
        from modelscan_plus.trust.hashing import processors

        self.lock = Path(path)
        self.name = name
        self.jobs = jobs or processors()
        self._source = (source, revision, requested)
        self._policy = policy
        self._scan = not no_scan
        self._log = Path(log) if log else None
        self._actor = actor
        self.signer: Callable[[Entry], Signer] | None = None

    def origin(self, known: Origin) -> Origin | None:
        """What the user says about the source, on top of what is known; None when nothing was said."""
        source, revision, requested = self._source
        if source is revision is requested is None:
            return None
        kind, _, name = (source or f"{known.kind}:{known.name or ''}").partition(":")
        return Origin(kind=kind, name=name or None, revision=revision, requested=requested)

    def entry(self, target: str, lock: Lock | None = None) -> tuple[str, Entry, str]:
        """Name, entry and place of what the user named."""
        lock = locks.read(self.lock) if lock is None else lock
        found = lock_check.find(lock, self.lock, target, self.name)
        if found is None:
            click.echo(f"{visible(target)}: not in {visible(str(self.lock))}", err=True)
            sys.exit(1)
        name, entry = found
        place = lock_check.place(entry, self.lock)
        if target != name or place is None:
            return name, entry, target
        if os.path.lexists(target) and os.path.realpath(target) != os.path.realpath(place):
            raise UsageError(
                f"{visible(target)} stands here and is also what the lock calls {visible(place)}: give the path of one "
                f"with --name {visible(name)}"
            )
        return name, entry, place

    def request(self, target: str, exclude: tuple[str, ...], origin: Origin | None) -> "Request":
        """What is to be locked."""
        from modelscan_plus.locking import Request
        from modelscan_plus.pipeline import Options
        from modelscan_plus.policy.load import load_policy

        scan = None
        if self._scan:
            scan = Options(policy=load_policy(self._policy), sha256=True, exclude=exclude, jobs=self.jobs)
        return Request(
            target=target,
            lock=self.lock,
            name=self.name,
            origin=origin,
            scan=scan,
            exclude=exclude,
            jobs=self.jobs,
            signer=self.signer,
        )

    def check_log(self, target: str) -> None:
        """Raise `UsageError` for a log that would be a part of what it is about."""
        if self._log is not None:
            lock_check.refuse_inside(self._log, target, "--log")

    def make(self, target: str, exclude: tuple[str, ...], origin: Origin | None) -> "Made":
        """Scan or hash, with progress."""
        self.check_log(target)
        import dataclasses

        from modelscan_plus import locking
        from modelscan_plus.cli.progress import FileProgress, progress_wanted

        request = self.request(target, exclude, origin)
        if request.scan is not None and progress_wanted():
            with FileProgress() as shown:
                scan = dataclasses.replace(request.scan, progress=shown.advance)
                return locking.make(dataclasses.replace(request, scan=scan))
        with _progress() as (advance, begin):
            return locking.make(dataclasses.replace(request, progress=advance, begin=begin))

    def admitted(self, made: "Made") -> Entry:
        """The entry; where the scan did not allow it, the report, the log and the exit code of the scan."""
        if made.entry is not None:
            return made.entry
        from modelscan_plus.cli import common

        report = made.report
        if report is None:
            raise UsageError("nothing was made to be locked")
        if self._log is not None:
            from modelscan_plus.trust.recording import record

            report = record(self._log, report, "lock-denied", self._actor)
        common.write_outputs(report, [], verbosity=0)
        click.echo("not locked", err=True)
        sys.exit(common.exit_code(report))

    def log_entry(self, event: str, target: str, entry: Entry, reason: str | None = None) -> None:
        """Note that an entry was admitted."""
        self.log(_event(event, target, entry.scan.verdict if entry.scan else "not scanned", entry, reason))

    def log_check(self, checked: lock_check.Checked) -> None:
        """Note the outcome of a check."""
        verdict = "verified" if checked.verified else "refused"
        reason = None if checked.verified else lock_output.why(checked)
        self.log(_event("lock-verify", checked.target, verdict, checked.entry, reason))

    def log(self, event: "Event") -> None:
        """Append to the import log, where there is one."""
        if self._log is None:
            return
        import msgspec

        from modelscan_plus.trust.journal import append

        append(self._log, [msgspec.structs.replace(event, on_behalf=self._actor)])
