"""What a function that others call has no reason to do, whether or not a loader gets to its file."""

import re

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.rules.python_programs import GIVES, installs_foreign

_ODD_PROGRAM = lazy(
    r"\s*(?:\S*/)?(?:env\s+|sudo\s+|nohup\s+|setsid\s+)*(?:(?:\S*/)?(?:(?:ba|z|da|k)?sh|cmd(?:\.exe)?|powershell|pwsh)\s+"
    r"(?:[-/]\w+\s+)*(?:…|~|/tmp/|/var/tmp/|/dev/shm/|(?:\S*/)?\.\w|.*(?:\bcurl\b|\bwget\b|\bnc\b))|"
    r"(?:\S*/)?(?:nc|ncat|socat|ssh|scp|sftp|rsync|rclone|crontab|osascript|mshta|rundll32|"
    r"regsvr32|certutil|bitsadmin|schtasks|launchctl|systemctl|useradd|chpasswd|iptables)\b|"
    r"(?:\S*/)?(?:python[\d.]*|perl|ruby|node|php|lua)\s+(?:/tmp/|/dev/shm/|/var/tmp/|~/?\.|(?:\S*/)?\.\w)|(?:perl|ruby|php)\s+-[er]\b|"
    r"docker\s+run\s.*-v\s*/:|(?:/tmp/|/dev/shm/|/var/tmp/|~/?\.|(?:\S*/)?\.\w+\b))",
    re.I,
)
"""A shell with a script that stands nowhere in the source, programs that reach other machines or change this one."""
_CERTAIN_HOST = lazy(r"\s*(?:https?|wss?|udp)://(?!localhost|127\.|0\.0\.0\.0)[^\s/?#…]+\.[^\s/?#…]+", re.I)
ANY_OBJECT = ("pickle.", "_pickle.", "cPickle.", "dill.", "cloudpickle.", "marshal.", "jsonpickle.", "yaml.unsafe")
"""Libraries that make any object of the data that they are given."""


def is_odd(effect: Effect) -> bool:
    """True for what a function that others call has no reason to do, whatever it is there for.

    Servers, tasks and extensions start their own programs by name; that is left to those that a loader reaches."""
    if effect.kind == "process":
        odd = _ODD_PROGRAM.match(effect.argument) or GIVES.search(effect.argument)
        return odd is not None or installs_foreign(effect.argument)
    if effect.kind == "send":
        return effect.discarded and effect.handed != "asked" and _CERTAIN_HOST.match(effect.argument) is not None
    if effect.kind == "code":
        return not effect.name.endswith(".eval") and "generated" not in effect.flows
    return effect.kind in ("held", "drop", "native", "account", "search-path", "settings")
