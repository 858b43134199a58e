"""Sources that today's Python does not take, written so that it does: Python 2, marks of a merge, lines of IPython.

Research code of before 2020 prints by a statement, and what was left in the middle of a merge stays so. Nothing of such
a source is dropped but marks: what a statement of Python 2 does with an expression is written as an assignment, as an
exception or as a call, so that all expressions are read where they stand, on the same lines.
"""

import re
from collections.abc import Callable

from modelscan_plus.core.patterns import lazy

_BEGIN = r"(?P<begin>^[ \t]*|^[^\n'\"#]{0,300}?[:;][ \t]*)"
"""Where a statement begins: on a line, or behind a colon or semicolon that no text can hold."""
_PRINT = lazy(rf"{_BEGIN}print(?:[ \t]*>>[ \t]*|[ \t]+(?=[^\s=(.,;:)\]}}])|(?=[\"'`]))", re.M)
_PRINT_OF = lazy(rf"{_BEGIN}print[ \t]+(?=\()", re.M)
_EXCEPT = lazy(r"^(?P<begin>[ \t]*except[ \t]+(?:[\w.]+|\([^()\n]{0,300}\)))[ \t]*,[ \t]*(?P<name>\w+)[ \t]*:", re.M)
_RAISE = lazy(rf"{_BEGIN}raise[ \t]+(?P<what>[\w.]+)[ \t]*,[ \t]*", re.M)
_EXEC = lazy(
    rf"{_BEGIN}exec[ \t]+(?P<code>[^\s=(.,;:)\]}}][^\n;#]{{0,400}}?)(?:[ \t]+in[ \t]+(?P<names>[^\n;#]{{1,200}}?))?[ \t]*(?P<end>[;#][^\n]*)?$",
    re.M,
)
_MERGE = lazy(r"^(?:<{7}|={7}|>{7})(?:[ \t][^\n]*)?$", re.M)
_SHELL = lazy(r"^(?P<begin>[ \t]*)!(?P<command>[^\n]*)$", re.M)
_MAGIC = lazy(r"^(?P<begin>[ \t]*)%{1,2}[a-z_]\w*(?:[ \t][^\n]*)?$", re.M)
_QUOTED = lazy(r"(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|#[^\n]*)|`(?P<shown>[^`\n]+)`")
_OCTAL = lazy(r"(?<![\w.])0+(?=[0-7]{1,12}\b(?!\.))")
_LONG = lazy(r"(?<![\w.])(0[xX][0-9a-fA-F]+|\d+)[lL]\b")
_RAW = lazy(r"\b[uU]([rR][\"'])")


def _statements(text: str) -> str:
    text = _MERGE.sub("", text)
    text = _PRINT.sub(r"\g<begin>_printed_ = ", text)
    text = _EXCEPT.sub(r"\g<begin> as \g<name>:", text)
    text = _RAISE.sub(r"\g<begin>raise \g<what>; _raised_ = ", text)
    return _EXEC.sub(_called, text)


def _called(found: "re.Match[str]") -> str:
    """`exec code in names` as a call; the end of a line is that of the statement."""
    given = f", {found['names']}" if found["names"] else ""
    return f"{found['begin']}exec(({found['code']}){given}){found['end'] or ''}"


def _words(text: str) -> str:
    text = _QUOTED.sub(lambda found: found["text"] or f"repr({found['shown']})", text) if "`" in text else text
    text = _OCTAL.sub("0o", text)
    text = _LONG.sub(r"\1", text)
    return _RAW.sub(r"\1", text).replace("<>", "!=")


def _notebook(text: str) -> str:
    text = _SHELL.sub(lambda found: f"{found['begin']}get_ipython().system({found['command'].strip()!r})", text)
    return _MAGIC.sub(r"\g<begin>pass", text)


def _tuples(text: str) -> str:
    """`print (a), b` and `print ("%s") % a, b` are a call and a tuple for Python 3 as well, but not `print (a) if b`."""
    return _PRINT_OF.sub(r"\g<begin>_printed_ = ", text)


STEPS: tuple[Callable[[str], str], ...] = (_statements, _words, _notebook, _tuples, lambda text: text.expandtabs(8))
"""What is tried one after another, until Python takes the source."""
