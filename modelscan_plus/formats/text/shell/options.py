"""Options of the programs that scripts fetch and send with: which of them take a value, and what the value is.

Sources: the manuals of curl, wget, aria2, GNU tar, OpenSSH, rsync, netcat and HTTPie.
"""

from collections.abc import Iterable, Sequence

import msgspec

from modelscan_plus.formats.text.shell.marks import Value

_CURL_LONG = frozenset(
    """output data data-raw data-binary data-urlencode data-ascii json form form-string upload-file header user-agent referer cookie
    cookie-jar user request config max-time proxy cert key cacert capath range write-out continue-at url url-query retry retry-delay
    connect-timeout output-dir dump-header limit-rate resolve interface netrc-file proto tlsv proxy-user pass oauth2-bearer
    retry-max-time max-redirs create-file-mode unix-socket aws-sigv4 noproxy speed-time speed-limit ciphers proto-redir""".split()
)
_WGET_LONG = frozenset(
    """output-document directory-prefix post-data post-file body-data body-file header user-agent referer method tries timeout
    waitretry user password load-cookies save-cookies input-file execute limit-rate ca-certificate certificate private-key
    output-file base quota wait level accept reject include-directories exclude-directories read-timeout""".split()
)
_ARIA_LONG = frozenset(
    """out dir header max-connection-per-server split min-split-size user-agent input-file checksum max-concurrent-downloads
    max-tries retry-wait timeout load-cookies log""".split()
)
TAKES: dict[str, tuple[str, frozenset[str]]] = {
    "curl": ("odFTHAebcuXKmxErwCUYyztPQD", _CURL_LONG),
    "wget": ("OPoatTwQUieDAlRIXB", _WGET_LONG),
    "aria2c": ("odxskijlmt", _ARIA_LONG),
    "gdown": ("O", frozenset(("output",))),
    "axel": ("onUH", frozenset(("output", "num-connections", "user-agent", "header"))),
    "http": ("oadpA", frozenset(("output", "auth", "auth-type", "verify", "timeout", "cert", "session", "proxy"))),
    "fetch": ("oTw", frozenset(("output",))),
    "ssh": ("iplLRDJFcmbeEIOQSWwBo", frozenset()),
    "scp": ("iPFcJloSX", frozenset()),
    "rsync": ("eTBM", frozenset(("rsh", "exclude", "include", "exclude-from", "include-from", "files-from", "password-file", "bwlimit",
                                 "rsync-path", "filter", "port", "timeout", "log-file", "out-format", "max-size", "min-size"))),
    "rclone": ("P", frozenset(("config", "transfers", "include", "exclude", "filter", "log-file", "bwlimit", "checkers", "files-from"))),
    "nc": ("wpsiqxXIoTmGcbe", frozenset()),
    "tar": ("fCTXIb", frozenset(("file", "directory", "files-from", "exclude", "strip-components", "transform", "owner", "group",
                                 "use-compress-program", "exclude-from", "mtime", "xform", "one-top-level"))),
    "git": ("cCbou", frozenset(("depth", "branch", "origin", "reference", "separate-git-dir", "config", "jobs", "filter", "template"))),
    "openssl": ("", frozenset()),
    "mail": ("sarcbqAF", frozenset(("attach", "to", "subject"))),
    "docker": ("vepuwhlmc", frozenset()),
    "install": ("mogt", frozenset(("mode", "owner", "group", "target-directory"))),
    "cp": ("tS", frozenset(("target-directory",))),
    "unzip": ("dxP", frozenset()),
    "sudo": ("ughpCrtDT", frozenset(("user", "group", "host", "prompt", "chdir"))),
    "xargs": ("IinLPdsEa", frozenset(("max-args", "max-procs", "delimiter", "replace", "arg-file", "max-lines"))),
}  # fmt: skip


class Given(msgspec.Struct):
    """The arguments of one command."""

    options: list[tuple[str, Value]]
    """Name without its dashes, and the value; an empty one for a switch."""
    rest: list[Value]
    """What is no option."""

    def values(self, *names: str) -> list[Value]:
        """The values of these options."""
        return [value for name, value in self.options if name in names]

    def has(self, *names: str) -> bool:
        """True when one of these options is given."""
        return any(name in names for name, _ in self.options)

    def last(self, *names: str) -> str:
        """The text of the last of these options, "" for none."""
        found = self.values(*names)
        return found[-1].text if found else ""


def read(program: str, words: Sequence[Value]) -> Given:
    """The arguments of `program`, told apart by the options that take a value there."""
    short, long = TAKES.get(program, ("", frozenset[str]()))
    given = Given([], [])
    waiting = ""
    for word in words:
        text = word.text
        if waiting:
            given.options.append((waiting, word))
            waiting = ""
        elif text.startswith("--") and len(text) > 2:
            name, equals, value = text[2:].partition("=")
            if equals:
                given.options.append((name, Value(value, word.marks)))
            elif name in long:
                waiting = name
            else:
                given.options.append((name, Value("", word.marks)))
        elif text.startswith("-") and len(text) > 1:
            waiting = _letters(text[1:], word, short, given)
        else:
            given.rest.append(word)
    return given


def _letters(letters: str, word: Value, short: str, given: Given) -> str:
    """Short options of one word; the name of the last one when its value is the next word."""
    for place, letter in enumerate(letters):
        if letter in short:
            if place + 1 < len(letters):
                given.options.append((letter, Value(letters[place + 1 :].removeprefix("="), word.marks)))
                return ""
            return letter
        given.options.append((letter, Value("", word.marks)))
    return ""


def texts(values: Iterable[Value]) -> list[str]:
    """Their texts."""
    return [value.text for value in values]
