"""Grades of programs that are started, libraries of machine code that are loaded, and devices that are listened to."""

import re

from modelscan_plus.core.finding import Severity
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text import prose
from modelscan_plus.formats.text.python.facts import Effect
from modelscan_plus.formats.text.python.flow import FROM
from modelscan_plus.formats.text.python.written import FETCHED
from modelscan_plus.rules.grades_times import ENDING, ENTRY, TOLD, is_scratch, pick, run_by_model
from modelscan_plus.rules.hosts import is_stranger
from modelscan_plus.rules.python_programs import (
    INSTALLS,
    fetches,
    installs_foreign,
    installs_unknown,
    is_tool,
    obeyed_by_git,
    pushes_elsewhere,
)

_NO_LIBRARIES = frozenset(
    "bin dat data pt pth safetensors txt json png jpg npy npz model onnx gguf md tmp cache db".split()
)


def process(effect: Effect, reached: bool) -> Severity:
    """Programs that are started."""
    if "request" in effect.flows or _from_strangers(effect):
        return Severity.HIGH
    if "generated" in effect.flows and not is_tool(effect.argument):
        return run_by_model(effect, reached)
    if INSTALLS.search(f"{effect.name} {effect.argument}"):
        if installs_foreign(effect.argument):
            unknown = prose.odd_url(effect.argument) is not None or installs_unknown(effect.argument)
            unasked = Severity.HIGH if unknown else Severity.MEDIUM
            return pick(effect, reached, import_=(unasked, Severity.HIGH), entry=(Severity.LOW, Severity.HIGH))
        return pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    if obeyed_by_git(effect.argument) or pushes_elsewhere(effect.argument):
        return pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.HIGH))
    if is_tool(effect.argument):
        return pick(effect, reached, import_=(Severity.LOW, Severity.LOW), entry=(Severity.INFO, Severity.INFO))
    if "config" in effect.flows and effect.when in ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM
    if _OF_FFMPEG.match(effect.argument) and not TOLD.union((FETCHED, "scratch")) & set(effect.flows):
        return pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.LOW, Severity.MEDIUM))
    if fetches(effect.argument):
        return pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    return pick(
        effect,
        reached,
        import_=(Severity.MEDIUM, Severity.CRITICAL),
        entry=(Severity.LOW, Severity.HIGH),
        call=(Severity.LOW, Severity.MEDIUM),
    )


_OF_FFMPEG = lazy(
    r"… (?=.*\s-i\s)(?=.*\s-(?:c:[av]|[av]codec|vn|an|ac|ar|pix_fmt|vf|af|filter_complex|map|ss|hide_banner|loglevel|v error|y)\s)"
)
"""A program that was looked for on the machine, and is told what only ffmpeg understands."""


def _from_strangers(effect: Effect) -> bool:
    """True for a program that was fetched, as it is, from hosts of which nothing is known; archives are how tools come."""
    if FETCHED not in effect.flows:
        return False
    places = [flow.removeprefix(FROM) for flow in effect.flows if flow.startswith(FROM)]
    return bool(places) and all(_PACKED.search(place) is None and is_stranger(place) for place in places)


_PACKED = lazy(r"\.(?:zip|tar|gz|tgz|xz|bz2|zst|7z|whl|deb|rpm|dmg|jar)$", re.I)


def native(effect: Effect, reached: bool) -> Severity:
    """Libraries of machine code."""
    if effect.name in ("ctypes.memmove", "ctypes.CFUNCTYPE", "mmap.mmap"):
        return pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    if effect.name.startswith("ctypes.windll.") and re.search(
        r"VirtualAlloc|CreateThread|CreateRemoteThread|WriteProcessMemory|WinExec|ShellExecute|CreateProcess|SetWindowsHook|GetAsyncKeyState|"
        r"keybd_event|SendInput|LoadLibrary|msvcrt\.(?:system|_w?system|_popen|_spawn|_exec)",
        effect.name,
    ):
        return Severity.HIGH
    if "hub" in effect.flows and effect.when in ENTRY:
        return Severity.HIGH if reached else Severity.MEDIUM  # a library of another repository
    if is_scratch(effect) and reached and effect.when in ENTRY:
        return Severity.HIGH  # what was put there is not here
    if effect.argument.startswith(("http:", "https:", "ftp:")) and reached and effect.when in ENTRY:
        return Severity.HIGH  # a library that whatever stands around fetches
    if "config" in effect.flows and reached and effect.when in ENTRY:
        return Severity.HIGH  # which library that is says a file of data
    ending = ENDING.search(effect.argument)
    of_path = re.search(r"[/…].*\w{2}", effect.argument)  # against what a package holds, or the system
    named = effect.name.endswith(".load_extension") and of_path
    if effect.when in ENTRY and (ending[1].lower() in _NO_LIBRARIES if ending else named):
        return Severity.HIGH if reached else Severity.MEDIUM  # a library under another name
    own = "./" in effect.argument or "…" in effect.argument or effect.argument.endswith((".so", ".dll", ".dylib"))
    if own:
        return pick(effect, reached, import_=(Severity.MEDIUM, Severity.HIGH), entry=(Severity.LOW, Severity.MEDIUM))
    return pick(effect, reached, import_=(Severity.LOW, Severity.MEDIUM), entry=(Severity.INFO, Severity.LOW))


def capture(effect: Effect, reached: bool) -> Severity:
    """Cameras and microphones."""
    return pick(effect, reached, import_=(Severity.LOW, Severity.HIGH), entry=(Severity.INFO, Severity.MEDIUM))


def secret(effect: Effect, reached: bool) -> Severity:
    """Secrets and keystrokes that are read."""
    if effect.name.startswith(
        (
            "browser_cookie3",
            "win32crypt",
            "pynput",
            "keyboard",
            "pyautogui",
            "PIL.ImageGrab.grab",
            "mss.",
            "pyscreenshot",
            "evdev",
            "pyxhook",
            "ctypes.windll",
            "secretstorage",
        )
    ):
        return Severity.HIGH if reached else Severity.MEDIUM
    return Severity.INFO
