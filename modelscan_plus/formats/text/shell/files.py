"""Programs that read, write, pack and move files: what they print or leave behind is what they were given, in some form."""

import re
from collections.abc import Callable, Sequence

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.shell import marks as m
from modelscan_plus.formats.text.shell import options
from modelscan_plus.formats.text.shell.clients import CLIENTS
from modelscan_plus.formats.text.shell.machine import Call
from modelscan_plus.formats.text.shell.marks import NONE, Mark, Marks, Value
from modelscan_plus.formats.text.shell.words import parse

FILTERS = frozenset(
    """cat base64 base32 gzip gunzip zcat bzip2 bunzip2 xz unxz xzcat zstd zstdcat lz4 xxd od hexdump head tail sed awk gawk cut tr sort uniq jq
    yq rev strings grep egrep rg gpg gpg2 openssl dd split pv uuencode uudecode nl fold paste sponge tac column iconv type more less
    ccrypt age basenc zip 7z 7za 7zr rar cpio sqlite3 plutil defaults diff comm expand envsubst mcrypt shuf Get-Content""".split()
)
_DIGEST = lazy(r"\b[0-9a-f]{32,128}\b", re.I)


def program_name(text: str) -> str:
    """The name of a program, without its folder."""
    name = text.strip("\"'@-").replace("\\", "/").rpartition("/")[2]
    return (
        name.removesuffix(".exe") if name.lower().startswith(("curl", "wget", "python", "bash", "certutil")) else name
    )


def filtered(call: Call) -> Marks:
    """A program that prints what it reads, in some form, or writes it into a file that an option names."""
    machine, name = call.machine, program_name(call.words[0].text)
    words = call.words[1:]
    if name in ("gpg", "gpg2", "openssl") and any(word.text in ("--verify", "-verify") for word in words):
        machine.check([])
        return NONE
    out, target = call.given, ""
    archive = name in ("zip", "7z", "7za", "7zr", "rar")
    if name == "openssl" and any(word.text == "s_client" for word in words):
        return CLIENTS["s_client"](call)
    if archive and name != "zip" and words and words[0].text.startswith(("x", "e")):
        return _unpack(call, words[1:])
    for place, word in enumerate(words):
        before = words[place - 1].text if place else ""
        text = word.text.removeprefix("if=")
        if before in ("-o", "--output", "-out", "-O") and name not in ("grep", "sort", "jq", "od", "egrep"):
            target = word.text
        elif word.text.startswith("of="):
            target = word.text[3:]
        elif not text.startswith("-") or word.marks:
            out |= word.marks | machine.marks(text)
            if name in ("grep", "egrep", "rg") and m.in_home(text):
                out |= m.secret("files of the user")
    if archive:
        target = next(
            (word.text for word in words if not word.text.startswith("-") and word.text not in ("a", "u")), ""
        )
    if target and target not in ("-", "/dev/stdout"):
        machine.write(target, out, call.shown, call.line)
        return NONE
    return out


def echo(call: Call) -> Marks:
    if _DIGEST.search(call.shown):
        return frozenset((*(mark for word in call.words[1:] for mark in word.marks), Mark("digest", call.shown)))
    return frozenset(mark for word in call.words[1:] for mark in word.marks)


def check(call: Call) -> Marks:
    """`sha256sum -c`: the digest stands in the script."""
    if any(word.text in ("-c", "--check", "--status") for word in call.words):
        told = [mark.what for mark in call.given if mark.kind == "digest"] + (
            [call.body] if _DIGEST.search(call.body) else []
        )
        for text in told:
            call.machine.check([word.lstrip("*") for word in text.split()])
    return NONE


def copy(call: Call) -> Marks:
    machine, name = call.machine, program_name(call.words[0].text)
    given = options.read("install" if name == "install" else "cp", call.words[1:])
    folder = given.last("t", "target-directory")
    rest = given.rest
    if not folder and len(rest) > 1:
        folder, rest = rest[-1].text, rest[:-1]
    for word in rest:
        marks = word.marks | machine.marks(word.text)
        state = machine.file(word.text)
        if marks or (state is not None and state.text):
            target = folder
            if folder.endswith("/") or folder in (".", "..") or len(rest) > 1:
                target = f"{folder.rstrip('/')}/{word.text.rstrip('/').rpartition('/')[2]}"
                machine.write(folder, frozenset(m.held(marks)), call.shown, call.line)
            machine.write(target, marks, call.shown, call.line, state.text if state else "")
            if (state is not None and state.program) or name == "install":
                made = machine.file(target)
                if made is not None:
                    made.program = True
    return NONE


def tar(call: Call) -> Marks:
    words = list(call.words[1:])
    if words and not words[0].text.startswith("-"):
        words[0] = Value("-" + words[0].text, words[0].marks)
    given = options.read("tar", words)
    if given.has("x", "extract", "get"):
        source = given.last("f", "file")
        rest = [Value(source)] if source and source != "-" else []
        folder = given.last("C", "directory")
        if given.has("O", "to-stdout"):
            return call.given | (call.machine.marks(source) if rest else NONE)
        return _unpack(call, [*rest, *([Value("-d"), Value(folder)] if folder else [])])
    out = frozenset(m.held(call.given)) if given.values("T", "files-from") else NONE
    base = given.last("C", "directory")
    for word in [*given.rest, *given.values("T", "files-from")]:
        place = f"{base.rstrip('/')}/{word.text}" if base and not word.text.startswith(("/", "~", "$")) else word.text
        out |= word.marks | call.machine.marks(place.removesuffix("/."))
    target = given.last("f", "file")
    if target and target != "-":
        call.machine.write(target, out, call.shown, call.line)
        return NONE
    return out


_EVERYWHERE = lazy(r"(?:/|~/?|\$\{?HOME\}?/?|/(?:root|etc)/?|/home/[\w$-]+/?)$")


def _unpack(call: Call, words: Sequence[Value]) -> Marks:
    """An archive becomes files beside the script, or in a folder."""
    machine, given = call.machine, options.read("unzip", words)
    folder = given.last("d")
    archive = given.rest[0] if given.rest else None
    marks = (archive.marks | machine.marks(archive.text)) if archive is not None else call.given
    if given.has("p", "c") and not folder:
        return marks
    marks = m.changed(marks, packed="archive")
    if folder and folder not in (".", "./"):
        machine.write(folder, marks, call.shown, call.line)
        if _EVERYWHERE.match(folder):  # over whatever is there, shells' settings and programs of the system included
            for mark in m.fetched(marks):
                machine.tell("keeps", f"{mark.what} … {call.shown}", call.line, mark)
    machine.unpacked |= frozenset(m.fetched(marks))
    return NONE


def unzip(call: Call) -> Marks:
    return _unpack(call, call.words[1:])


def tee(call: Call) -> Marks:
    for word in call.words[1:]:
        if not word.text.startswith("-"):
            call.machine.write(word.text, call.given, call.shown, call.line, call.body)
    return call.given


def alias(call: Call) -> Marks:
    """`alias name='command'`: the name is a function that is given what follows it."""
    for word in call.words[1:]:
        name, equals, text = word.text.partition("=")
        if equals and text:
            call.machine.functions.setdefault(name, parse(f'{text} "$@"', call.line))
    return NONE


def cd(call: Call) -> Marks:
    if len(call.words) > 1:
        call.machine.here = frozenset(m.fetched(call.words[1].marks | call.machine.marks(call.words[1].text)))
    return NONE


def chmod(call: Call) -> Marks:
    for word in call.words[2:]:
        state = call.machine.file(word.text)
        if state is not None:
            state.program = True
    return NONE


def read(call: Call) -> Marks:
    """`read` and `mapfile`: lines become variables."""
    for word in call.words[1:]:
        if re.fullmatch(r"[A-Za-z_]\w*", word.text):
            call.machine.variables[word.text] = Value("$" + word.text, call.given)
    return NONE


def export(call: Call) -> Marks:
    machine = call.machine
    for word in call.words[1:]:
        name, equals, value = word.text.partition("=")
        if equals and re.fullmatch(r"[A-Za-z_]\w*", name):
            machine.variables[name] = Value(value, word.marks)
            machine.starts(machine.preloaded(name, machine.variables[name]), call.shown, call.line)
    return NONE


def crontab(call: Call) -> Marks:
    marks = call.given | frozenset(mark for word in call.words[1:] for mark in call.machine.marks(word.text))
    for mark in m.fetched(marks):
        call.machine.tell("keeps", f"{mark.what} … {call.shown}", call.line, mark)
    return NONE


def add(call: Call) -> Marks:
    """`ADD` of a Dockerfile: each address becomes a file; archives from addresses are not unpacked."""
    words = call.words[1:]
    rest = [word.text for word in words if not word.text.startswith("--")]
    checked = any(word.text.startswith("--checksum=") for word in words)
    for url in rest[:-1]:
        if host := m.host_of(url):
            packed = "clone" if url.endswith(".git") or ".git#" in url else ""
            marks = frozenset((Mark("fetched", f"ADD {url}", host, packed, checked),))
            name = url.partition("?")[0].rstrip("/").rpartition("/")[2]
            target = f"{rest[-1].rstrip('/')}/{name}" if rest[-1].endswith(("/", ".")) else rest[-1]
            call.machine.write(target, marks, f"ADD {url} {rest[-1]}", call.line)
            made = call.machine.file(target)
            if made is not None:
                made.program = made.program or any(word.text.startswith("--chmod=") for word in words)
    return NONE


FILES: dict[str, Callable[[Call], Marks]] = {
    "echo": echo, "printf": echo, "Write-Output": echo, "cp": copy, "mv": copy, "install": copy, "ln": copy, "copy": copy,
    "move": copy, "ditto": copy, "tar": tar, "gtar": tar, "bsdtar": tar, "unzip": unzip, "unrar": unzip, "tee": tee, "cd": cd, "alias": alias, "doskey": alias,
    "pushd": cd, "WORKDIR": cd, "chmod": chmod, "read": read, "mapfile": read, "readarray": read, "export": export,
    "local": export, "declare": export, "readonly": export, "typeset": export, "crontab": crontab, "at": crontab,
    "batch": crontab, "ADD": add, **dict.fromkeys(FILTERS, filtered),
    **dict.fromkeys(("sha256sum", "shasum", "sha512sum", "sha1sum", "md5sum", "b2sum", "sha384sum"), check),
}  # fmt: skip
