"""Programs that talk to other machines: what they send of what they are given, and where they put what they get."""

import re
from collections.abc import Callable, Sequence

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.shell import marks as m
from modelscan_plus.formats.text.shell import options
from modelscan_plus.formats.text.shell.machine import Call
from modelscan_plus.formats.text.shell.marks import NONE, Mark, Marks, Value

_URL = lazy(r"^(?:https?|ftp)://", re.I)
_NAMED = lazy(r"^(?:https?://)?[\w-]+(?:\.[\w-]+)+(?:[:/?#]|$)", re.I)
_REMOTE = lazy(r"^(?:(?P<user>[\w.-]+)@)?(?P<host>[\w-]+(?:\.[\w-]+)+):(?!\\)(?P<path>.*)$")
_BUCKET = lazy(r"^(?P<scheme>s3|gs|az|b2|oss|cos|obs)://(?P<name>[\w.-]+)")
_HOST = lazy(r"^[\w-]+(?:\.[\w-]+)+(?::\d+)?$")
_CLONED = lazy(r"^(?:https?://|git://|ssh://|git@)", re.I)


def _get(call: Call, urls: Sequence[Value], target: str, shown: str = "") -> Marks:
    """What is fetched from the addresses becomes a file, or is printed where `target` is "-"."""
    made: set[Mark] = set()
    for url in urls:
        address = url.text if _URL.match(url.text) else f"http://{url.text}"
        if m.metadata(address):
            made |= m.secret("credentials of the machine")
        elif host := m.host_of(address):
            made.add(Mark("fetched", (shown or call.shown)[:120], host))
    if target and target != "-" and made:
        call.machine.write(target, frozenset(made), call.shown, call.line)
        return NONE
    return frozenset(made)


def _base(url: str) -> str:
    return url.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2]


def _addresses(values: Sequence[Value]) -> list[Value]:
    return [value for value in values if _URL.match(value.text) or _NAMED.match(value.text)]


def _first_host(urls: Sequence[Value]) -> str:
    for url in urls:
        address = url.text if _URL.match(url.text) else f"http://{url.text}"
        if host := m.host_of(address):
            return host if _URL.match(url.text) else host.removeprefix("http:")
    return ""


def _content(call: Call, values: Sequence[Value], at: str = "@") -> Marks:
    """The marks of data that options name: themselves, and the files behind "@"."""
    found = NONE
    for value in values:
        found |= value.marks
        name = value.text
        if at and at in name:
            name = name.rpartition(at)[2].partition(";")[0]
        elif at:
            continue
        found |= call.given if name == "-" else call.machine.marks(name)
    return found


def _whole(marks: Marks) -> Marks:
    """Without single credentials: a header or an option is where those are shown."""
    return frozenset(mark for mark in marks if mark.kind == "secret" and not mark.home)


def _curl(call: Call) -> Marks:
    given = options.read("curl", call.words[1:])
    urls = _addresses([*given.rest, *given.values("url")])
    host = _first_host(urls)
    data = _content(
        call, given.values("d", "data", "data-binary", "data-urlencode", "data-ascii", "F", "form", "json", "url-query")
    )
    data |= frozenset(mark for each in given.values("data-raw", "form-string") for mark in each.marks)
    data |= _content(call, given.values("T", "upload-file"), "")
    data |= frozenset(mark for url in urls for mark in url.marks)
    header = frozenset(
        mark
        for each in given.values("H", "header", "A", "user-agent", "e", "b", "cookie", "u", "X")
        for mark in each.marks
    )
    if any(each.text in ("-", "$()") for each in given.values("K", "config")):
        data |= call.given | frozenset(mark for each in given.values("K", "config") for mark in each.marks)
    call.machine.sends(data | _whole(header), host, call.shown, call.line)
    target = given.last("o", "output")
    folder = given.last("output-dir")
    if target and target != "-":
        return _get(call, urls, f"{folder}/{target}" if folder else target)
    if given.has("O", "remote-name", "remote-name-all", "J"):
        for url in urls:
            _get(call, [url], f"{folder}/{_base(url.text)}".lstrip("/"))
        return NONE
    return _get(call, urls, "-")


def _wget(call: Call) -> Marks:
    given = options.read("wget", call.words[1:])
    urls = _addresses(given.rest)
    data = frozenset(mark for each in given.values("post-data", "body-data") for mark in each.marks)
    data |= _content(call, given.values("post-file", "body-file"), "")
    data |= frozenset(mark for url in urls for mark in url.marks)
    header = frozenset(mark for each in given.values("header", "user-agent", "U") for mark in each.marks)
    call.machine.sends(data | _whole(header), _first_host(urls), call.shown, call.line)
    target = given.last("O", "output-document")
    if target:
        return _get(call, urls, target)
    folder = given.last("P", "directory-prefix")
    for url in urls:
        _get(call, [url], f"{folder}/{_base(url.text)}" if folder else _base(url.text))
    if folder and given.has("r", "recursive", "m", "mirror"):
        _get(call, urls, folder)
    return NONE


def _aria(call: Call) -> Marks:
    given = options.read("aria2c", call.words[1:])
    urls, folder = _addresses(given.rest), given.last("d", "dir")
    name = given.last("o", "out") or (_base(urls[0].text) if urls else "")
    _get(call, urls, f"{folder}/{name}" if folder else name)
    if given.has("checksum"):
        call.machine.check([name])
    return NONE


def _gdown(call: Call) -> Marks:
    """A file of Google Drive by its number; archives of weights and data are what it is used for."""
    given = options.read("gdown", call.words[1:])
    target = given.last("O", "output") or ""
    if target.endswith((".sh", ".py", ".exe", ".bat", ".ps1", ".bin", ".run")):
        mark = frozenset((Mark("fetched", call.shown[:120], "drive.google.com/uc"),))
        call.machine.write(target, mark, call.shown, call.line)
    return NONE


def _axel(call: Call) -> Marks:
    given = options.read("axel", call.words[1:])
    urls = _addresses(given.rest)
    return _get(call, urls, given.last("o", "output") or (_base(urls[0].text) if urls else ""))


def _httpie(call: Call) -> Marks:
    given = options.read("http", call.words[1:])
    rest = [word for word in given.rest if not re.fullmatch(r"[A-Z]{3,7}", word.text)]
    urls, items = _addresses(rest[:1]), rest[1:]
    data = NONE if given.has("ignore-stdin") else call.given
    for item in items:
        data |= item.marks | (call.machine.marks(item.text.rpartition("@")[2]) if "@" in item.text else NONE)
    call.machine.sends(data, _first_host(urls), call.shown, call.line)
    return _get(
        call,
        urls,
        given.last("o", "output")
        or ("" if not given.has("d", "download") else _base(urls[0].text if urls else ""))
        or "-",
    )


def _printing(call: Call) -> Marks:
    """Browsers of the terminal that print what they get."""
    return _get(call, _addresses(call.words[1:]), "-")


def _fetch(call: Call) -> Marks:
    given = options.read("fetch", call.words[1:])
    urls = _addresses(given.rest)
    return _get(call, urls, given.last("o", "output") or (_base(urls[0].text) if urls else ""))


def _two_names(call: Call) -> Marks:
    """`lwp-download URL FILE`, and `fetchurl` of direnv."""
    rest = [word for word in call.words[1:] if not word.text.startswith("-")]
    urls = _addresses(rest[:1])
    return _get(call, urls, rest[1].text if len(rest) > 1 else _base(urls[0].text) if urls else "")


def _source_url(call: Call) -> Marks:
    """`source_url` of direnv runs what it fetches; with a digest it is compared."""
    for mark in m.fetched(_get(call, _addresses(call.words[1:2]), "-")):
        marks = m.changed(frozenset((mark,)), checked=len(call.words) > 2)
        call.machine.starts(marks, call.shown, call.line)
    return NONE


def _stream(call: Call) -> Marks:
    """netcat and its like: what they are given goes out, what comes in is printed."""
    given = options.read("nc", call.words[1:])
    if given.has("l", "z"):
        return NONE
    hosts = [word.text.rpartition("@")[2] for word in given.rest]
    named = next((m.named(host) for host in hosts if _HOST.match(host) and m.named(host)), "")
    return _talks(call, named)


def _socat(call: Call) -> Marks:
    found = re.search(r"(?:TCP|TCP4|SSL|OPENSSL|UDP)[\w-]*:(?P<host>[\w.-]+):", call.shown, re.I)
    return _talks(call, m.named(found["host"]) if found else "")


def _s_client(call: Call) -> Marks:
    texts = options.texts(call.words)
    host = next((texts[place + 1] for place, text in enumerate(texts[:-1]) if text in ("-connect", "-host")), "")
    return _talks(call, m.named(host))


def _talks(call: Call, host: str) -> Marks:
    if not host:
        return call.given
    call.machine.sends(call.given, host, call.shown, call.line)
    return frozenset((Mark("fetched", call.shown[:120], host),))


def _looks_up(call: Call) -> Marks:
    """A name that is looked up: what it is made of is told to whoever owns the domain, and so is what comes back."""
    names = [word for word in call.words[1:] if "." in word.text and not word.text.startswith(("-", "+", "@"))]
    host = next((re.sub(r"^.*(?:\$\w*|\(\)|\})\.", "", word.text) for word in names), "")
    host = m.named(host.strip("."))
    call.machine.sends(frozenset(mark for word in call.words[1:] for mark in word.marks), host, call.shown, call.line)
    if host and re.search(r"\bTXT\b", call.shown, re.I):
        return frozenset((Mark("fetched", call.shown[:120], host),))
    return NONE


def _ping(call: Call) -> Marks:
    host = next((word.text for word in reversed(call.words[1:]) if _HOST.match(word.text)), "")
    call.machine.sends(
        frozenset(mark for word in call.words[1:] for mark in word.marks), m.named(host), call.shown, call.line
    )
    return NONE


def _ssh(call: Call) -> Marks:
    given = options.read("ssh", call.words[1:])
    host = m.named(given.rest[0].text) if given.rest and "$" not in given.rest[0].text else ""
    told = frozenset(mark for word in given.rest[1:] for mark in _whole(word.marks))
    if not host or "." not in host or ((told | call.given) == NONE and len(given.rest) < 2):
        return NONE
    call.machine.sends(_whole(call.given) | told, host, call.shown, call.line)
    return frozenset((Mark("fetched", call.shown[:120], host),))


def _copies(call: Call) -> Marks:
    """scp and rsync: to or from another machine, by which of the names has a host."""
    name = "rsync" if "rsync" in call.words[0].text else "scp"
    given = options.read(name, call.words[1:])
    if len(given.rest) < 2:
        return NONE
    *sources, target = given.rest
    if host := _remote_host(target.text):
        sent = frozenset(mark for word in sources for mark in word.marks | call.machine.marks(word.text))
        sent |= call.given if given.last("files-from") == "-" else NONE
        call.machine.sends(_whole(sent) | frozenset(mark for mark in sent if mark.home), host, call.shown, call.line)
    for word in sources:
        if host := _remote_host(word.text):
            base = word.text.rstrip("/").rpartition("/")[2].rpartition(":")[2]
            place = (
                target.text
                if target.text not in (".", "./") and not target.text.endswith("/")
                else f"{target.text.rstrip('/')}/{base}"
            )
            call.machine.write(place, frozenset((Mark("fetched", call.shown[:120], host),)), call.shown, call.line)
    return NONE


def _remote_host(text: str) -> str:
    if text.startswith("rsync://"):
        return m.named(text.removeprefix("rsync://").partition("/")[0])
    found = _REMOTE.match(text)
    return m.named(found["host"]) if found else ""


def _store(call: Call) -> Marks:
    """Clients of buckets and of remote folders: what goes to one that the script names."""
    rest = [word for word in call.words[1:] if not word.text.startswith("-")]
    target = ""
    for word in rest:
        if found := _BUCKET.match(word.text):
            target = f"{found['name']}.{found['scheme']}"
        elif re.match(r"^(?::\w+,|:?\w+:(?!//))", word.text) and call.words[0].text.endswith("rclone"):
            shown = re.search(r"https?://[^/\s,\"']+", word.text)
            target = m.host_of(shown.group()) if shown else f"{word.text.partition(':')[0] or 'remote'}.rclone"
        elif _URL.match(word.text):
            target = m.host_of(word.text)
    last = rest[-1].text if rest else ""
    uploads = target and (_BUCKET.match(last) or _URL.match(last) or ":" in last)
    if uploads:
        sent = frozenset(mark for word in rest[:-1] for mark in word.marks | call.machine.marks(word.text))
        call.machine.sends(_whole(sent | call.given), target, call.shown, call.line)
    return NONE


def _drop(call: Call) -> Marks:
    """Uploads to wherever the program leads: gists, hubs, and tools that hand a file to whoever knows a word."""
    texts = options.texts(call.words)
    words = call.words[1:]
    if "create" in texts or "upload" in texts or "send" in texts or "put" in texts:
        sent = frozenset(mark for word in words for mark in word.marks | call.machine.marks(word.text))
        place = {"gh": "gist.github.com", "hf": "huggingface.co", "huggingface-cli": "huggingface.co"}.get(
            texts[0], f"{texts[0]}.tool"
        )
        call.machine.sends(_whole(sent | call.given), place, call.shown, call.line)
    return NONE


def _mail(call: Call) -> Marks:
    given = options.read("mail", call.words[1:])
    found = re.search(r"[\w.+-]+@(?P<host>[\w-]+(?:\.[\w-]+)+)", call.shown + call.body)
    sent = call.given | _content(call, given.values("a", "A", "attach"), "")
    call.machine.sends(
        _whole(sent) | frozenset(mark for mark in sent if mark.home),
        found["host"] if found else "",
        call.shown,
        call.line,
    )
    return NONE


def _ftp(call: Call) -> Marks:
    """Clients that are told by the text behind them what to put where."""
    host = next(
        (word.text.rpartition("@")[2] for word in call.words[1:] if _HOST.match(word.text.rpartition("@")[2])), ""
    )
    told = " ".join((call.body, *options.texts(call.words[1:])))
    host = m.named(host) or m.host_of(next(iter(re.findall(r"\w+://\S+", told)), "").replace("sftp:", "ftp:"))
    sent = call.given
    for name in re.findall(r"\b(?:m?put|mirror\s+-R)\s+(?:-\w+\s+)*([^\s;\"']+)", told):
        sent |= call.machine.marks(name)
    call.machine.sends(_whole(sent), host, call.shown, call.line)
    for name in re.findall(r"\bm?get\s+(?:-\w+\s+)*([^\s;\"']+)", told) if host else ():
        base = name.rpartition("/")[2]
        call.machine.write(base, frozenset((Mark("fetched", call.shown[:120], host),)), call.shown, call.line)
    return NONE


def _git(call: Call) -> Marks:
    words = call.words[1:]
    while words and words[0].text.startswith("-"):
        words = words[2 if words[0].text in ("-C", "-c") else 1 :]
    texts = options.texts(words)
    if texts[:1] == ["clone"] or texts[:2] == ["submodule", "add"] or texts[:2] == ["lfs", "clone"]:
        given = options.read("git", words[1 if texts[0] == "clone" else 2 :])
        url = next((word for word in given.rest if _CLONED.match(word.text)), None)
        if url is not None:
            address = (
                re.sub(r"^git@([^:]+):", r"https://\1/", url.text)
                .replace("git://", "http://")
                .replace("ssh://git@", "https://")
            )
            place = given.rest[-1].text if given.rest[-1] is not url else _base(address).removesuffix(".git")
            if host := m.host_of(address):
                call.machine.write(
                    place, frozenset((Mark("fetched", call.shown[:120], host, "clone"),)), call.shown, call.line
                )
    elif texts[:1] == ["push"]:
        url = next((word for word in words if _CLONED.match(word.text)), None)
        if url is not None:
            copied = frozenset(mark for name, state in call.machine.files.items() if not name.startswith(("~", "$"))
                               for mark in state.marks if mark.kind == "secret")  # fmt: skip
            call.machine.sends(copied, m.host_of(url.text), call.shown, call.line)
    elif texts[:1] == ["remote"]:
        call.machine.variables.setdefault("git remote", Value(texts[-1]))
    return NONE


def _certutil(call: Call) -> Marks:
    """certutil, bitsadmin and Start-BitsTransfer: an address, then a file."""
    rest = [word for word in call.words[1:] if not re.match(r"[-/][A-Za-z]+$", word.text)]
    at = next((place for place, word in enumerate(rest) if _URL.match(word.text)), None)
    if at is None:
        return NONE
    target = rest[at + 1].text if at + 1 < len(rest) else _base(rest[at].text)
    return _get(call, rest[at : at + 1], target)


CLIENTS: dict[str, Callable[[Call], Marks]] = {
    "curl": _curl, "curlie": _curl, "wget": _wget, "wget2": _wget, "aria2c": _aria, "axel": _axel, "gdown": _gdown, "http": _httpie, "https": _httpie,
    "xh": _httpie, "lynx": _printing, "w3m": _printing, "links": _printing, "fetch": _fetch, "lwp-download": _two_names,
    "fetchurl": _two_names, "source_url": _source_url, "nc": _stream, "ncat": _stream, "netcat": _stream, "telnet": _stream,
    "nc.openbsd": _stream, "nc.traditional": _stream, "websocat": _printing, "socat": _socat, "s_client": _s_client, "dig": _looks_up,
    "nslookup": _looks_up, "host": _looks_up, "drill": _looks_up, "ping": _ping, "ssh": _ssh, "dropbear": _ssh, "scp": _copies,
    "rsync": _copies, "sftp": _ftp, "ftp": _ftp, "lftp": _ftp, "tftp": _ftp, "ncftpput": _ftp, "aws": _store, "gsutil": _store,
    "gcloud": _store, "azcopy": _store, "rclone": _store, "s3cmd": _store, "mc": _store, "b2": _store, "gh": _drop, "hf": _drop,
    "huggingface-cli": _drop, "croc": _drop, "wormhole": _drop, "ffsend": _drop, "mail": _mail, "mailx": _mail, "mutt": _mail,
    "sendmail": _mail, "msmtp": _mail, "swaks": _mail, "git": _git, "certutil": _certutil, "bitsadmin": _certutil,
    "bitsadmin.exe": _certutil, "Start-BitsTransfer": _certutil,
}  # fmt: skip
