"""Texts of a source that no code of a model has a use for: payees, links, orders against the user."""

import ast
import hashlib
import re
from collections.abc import Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.text import orders, prose
from modelscan_plus.formats.text.python.names import Names

PAYEES = lazy(
    r"\bbc1[a-z0-9]{20,71}\b|\b(?:0x|T|ltc1|addr1|cosmos1)[0-9a-zA-Z]{33,90}\b|\b0x[0-9a-fA-F]{38,42}\b"
    r"|\b[13LMDr4][1-9A-HJ-NP-Za-km-z]{25,94}\b|\b[1-9A-HJ-NP-Za-km-z]{43,44}\b"
    r"|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"
)
"""Where money goes, by its form."""
_IBAN = lazy(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
MAIL = lazy(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[a-z]{2,12}\b", re.I)
LINK = lazy(r"\b(?:https?|ftp|wss?|tg|magnet|ipfs)://?[^\s\"'<>)]{3,}|\bt\.me/\w|\bwww\.[\w-]+\.\w{2}", re.I)
_PHONE = lazy(r"\+\d[\d ()-]{8,16}\d\b|\b1?-?8(?:00|88|77|66)-\d{3}-\d{4}\b")
_RECEIVERS = frozenset(
    "bcc cc to recipient recipients iban account account_number wallet payee address beneficiary pay_to destination webhook callback_url".split()
)
_IS_CODE = lazy(r"^[^\S\n]*(?:import|from|def|class|if|for|return|assert|with)\s|\w\s*=\s*[\w\"'\[({]|\(\)|\);?$", re.M)
_FOREIGN = lazy(r"[\w.-]+/[\w.-]+--[A-Za-z_][\w.]*\.[A-Z]\w*")
_PREFIX = lazy(r"[A-Za-z][\w.-]{1,95}/[\w.-]{1,96}--")
"""What is put before the name of a class to have it come from another repository."""
CLIPBOARD = lazy(r"\x1b\]52;|\x1bPtmux;\x1b\x1b\]52;")
"""How terminals are told to put something into the clipboard (OSC 52)."""
_KEEP = lazy(
    r"\b(?:never|not|n't|without)\s+(?:mention|reveal|disclos|tell|show|quot|repeat)\w*\s+(?:this|these|it|the)\b", re.I
)
LONGEST = 20_000


def pays(text: str) -> bool:
    found = PAYEES.search(text)
    if found is None:
        return False
    given = found.group().replace(" ", "")
    return any(letter.isdigit() for letter in given) and any(letter.isalpha() for letter in given)


def leads(text: str) -> Iterator[str]:
    """A text that leads whoever reads it somewhere."""
    words = len(re.findall(r"[^\W\d_]{2,}", LINK.sub(" ", text)))
    if words >= 2 and (LINK.search(text) or MAIL.search(text) or _PHONE.search(text)):
        yield f"puts a link or address of the source into answers: {shorten(visible(text.strip()), 120)}"
    elif prose.hostile_command(text):
        yield f"puts a command into answers: {shorten(visible(text.strip()), 120)}"


def received(key: ast.expr, value: ast.expr, names: Names) -> Iterator[str]:
    """A constant as the one who gets what a model sends or pays."""
    name, text = names.folder.text(key), names.folder.text(value)
    if not name or not text or name.lower() not in _RECEIVERS:
        return
    if MAIL.search(text) or pays(text) or LINK.search(text):
        yield f"decides who gets what the model sends: {shorten(visible(text), 80)}"


_INSTALLS = lazy(r"\s*(?:sudo\s+)?(?:\S*python[\d.]*\s+-m\s+)?(?:pip3?|uv|conda|mamba)\s")


def stated(text: str) -> Iterator[str]:
    """A text that no code of a model has a use for."""
    if "--" in text and (_FOREIGN.fullmatch(text) or _PREFIX.fullmatch(text)):
        yield f"names code of another repository: {shorten(visible(text), 120)}"
    if is_payee(text.strip()):
        yield f"names an account: {shorten(visible(text), 80)}"
    elif _INSTALLS.match(text):
        return  # a command is judged where it is run
    elif len(text) > 30 and prose.words(text) > 5 and not _IS_CODE.search(text) and (order := _order(text)):
        yield f"orders something against the user: {shorten(visible(order), 120)}"


_PICKLED = lazy(
    r"c(?:posix|nt|os|subprocess|builtins|__builtin__|pty|runpy|importlib|shutil|socket|webbrowser|commands|_posixsubprocess)\n[\w.]{1,60}\n"
    r"|\x8c.(?:posix|nt|os|subprocess|builtins|pty|runpy|importlib|shutil|socket|webbrowser)\x94?\x8c.[\w.]{1,60}\x94?\x93"
)
"""How a pickle names a function of the system."""


_RUN_THERE = lazy(r"\b(?:curl|wget|iwr|irm|Invoke-\w+|powershell|/dev/tcp|nc|base64)\b")
COMMAND = "holds a command that"


def ordered(text: str) -> Iterator[str]:
    """A command with the address of another machine that is run unseen, in a text that code writes somewhere."""
    may = len(text) < LONGEST and _RUN_THERE.search(text) and prose.URL.search(text) and not _INSTALLS.match(text)
    if may and (command := prose.hostile_command(text)):
        yield f"{COMMAND} {command[0]}: {shorten(visible(command[1]), 160)}"


def pickled(data: str) -> Iterator[str]:
    """A pickle that calls something, which code writes for others to load."""
    if (found := _PICKLED.search(data)) and any(sign in data[found.end() :] for sign in ("R", "o", "b", "\x81", ".")):
        yield f"carries a pickle that calls {shorten(visible(' '.join(found.group()[1:].split())), 60)}"


def _order(text: str) -> str | None:
    if found := orders.behind(text) or orders.account(text) or prose.steals(text):
        return found
    if (kept := _KEEP.search(text)) and orders.pushes(text):
        return f"{orders.pushes(text)} … {kept.group()}"
    hidden = prose.conceals(text)
    return hidden if hidden and (prose.acts(text) or orders.pushes(text) or LINK.search(text)) else None


def is_payee(text: str) -> bool:
    """True for an account that is certain: its check digits are right, or its form leaves no doubt."""
    if re.fullmatch(r"bc1[a-z0-9]{36,60}|0x[0-9a-fA-F]{40}", text):
        return len(set(text)) > 8
    given = text.replace(" ", "")
    if 15 <= len(given) <= 34 and _IBAN.fullmatch(given):
        turned = given[4:] + given[:4]
        return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1
    return 26 <= len(text) <= 36 and all(letter in _BASE58 for letter in text) and _is_base58(text)


def _is_base58(text: str) -> bool:
    number = 0
    for letter in text:
        number = number * 58 + _BASE58.index(letter)
    data = number.to_bytes(max(25, (number.bit_length() + 7) // 8), "big")
    return hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:]
