"""The commands of a script for a POSIX shell: words, redirections, pipelines, groups, functions, texts that follow (`<<`).

Read for what goes from one command to the next, not to run it: branches and loops are groups of commands, one after the
other, and what cannot be a script (an open quote, a bracket without its partner) is read as plain characters, so that
settings and pages that hold command lines can be read as well. Never fails. Source: POSIX.1-2017 2.2 to 2.9, and bash's
`<(…)`, `<<<` and `&>`.
"""

import re
from collections.abc import Iterator

import msgspec

from modelscan_plus.core.patterns import lazy

DEEPEST = 8
"""Levels of groups and substitutions that are followed; what lies deeper is text."""
_WITHIN = 400
"""Characters of a sum or of an expression of a workflow."""
_PLAIN = lazy(r"[^\s;&|()<>'\"`$\\]+")
_IN_QUOTES = lazy(r"[^\"`$\\]+")
_OPERATOR = lazy(r"&&|\|\||;;|\|&|&>>?|[;|()]|&(?!>)")
_REDIRECT = lazy(r"(?P<fd>\d{0,2}|\{\w+\})(?P<op><<-|<<<|<<|<>|<&|<(?!\()|>>|>\||>&|>(?!\())|(?P<both>&>>?)")
_SET = lazy(r"(?P<name>[A-Za-z_]\w*)\+?=")
_VARIABLE = lazy(r"\$(?:\{[^{}\n]{1,200}\}|\w+|[@*#?!$-])?")
_OPENS = {"{": "}", "while": "done", "until": "done", "for": "done", "select": "done", "if": "fi", "case": "esac"}
_SEPARATES = frozenset(("then", "else", "elif", "do", "!", "time", "in", "coproc"))
_CLOSES = frozenset(("}", "done", "fi", "esac"))


class Word(msgspec.Struct, frozen=True):
    """One word, without its quotes."""

    text: str
    """Variables stand in it as written, substitutions as `$()`."""
    inner: tuple["Script", ...] = ()
    """The scripts of its substitutions."""
    quoted: bool = False
    literal: bool = False
    """True for a word in single quotes: nothing in it is written out."""


class Redirect(msgspec.Struct, frozen=True):
    """One redirection."""

    operator: str
    target: Word


class Command(msgspec.Struct, frozen=True):
    """A simple command, or a group of them."""

    words: tuple[Word, ...]
    line: int
    sets: tuple[tuple[str, Word], ...] = ()
    redirects: tuple[Redirect, ...] = ()
    group: "Script | None" = None
    loop: tuple[str, tuple[Word, ...]] | None = None
    """Of `for NAME in WORDS`: the name and the words."""
    defines: str = ""
    """The name of the function whose body is `group`."""
    behind: bool = False
    """True for a command that is left running (`&`)."""


Pipeline = tuple[Command, ...]
Script = tuple[Pipeline, ...]


def parse(text: str, first_line: int = 1, depth: int = 0) -> Script:
    """The pipelines of a script, in the order of the text."""
    if depth >= DEEPEST:
        return ()
    return _Parser(_Lexer(text, first_line, depth).tokens()).script(None)


class _Token(msgspec.Struct, frozen=True):
    kind: str
    """"word", "operator", "redirect" or "end" (of a line)."""
    text: str
    line: int
    word: Word = Word("")


class _Lexer:
    def __init__(self, text: str, first_line: int, depth: int) -> None:
        self.text = text
        self.at = 0
        self.line = first_line
        self.depth = depth
        self.pending: list[tuple[str, bool, int]] = []
        self.made: list[_Token] = []

    def tokens(self) -> list[_Token]:
        text = self.text
        while self.at < len(text):
            character = text[self.at]
            if character == "\n":
                self._end_of_line()
            elif character in " \t\r\f\v\xa0":
                self.at += 1
            elif text.startswith("\\\n", self.at):
                self.at += 2
                self.line += 1
            elif character == "#":
                end = text.find("\n", self.at)
                self.at = end if end >= 0 else len(text)
            elif not self._operator():
                self._emit("word", "", self._word())
        self._end_of_line()
        return self.made

    def _emit(self, kind: str, text: str, word: Word | None = None) -> None:
        self.made.append(_Token(kind, text, self.line, word or Word("")))

    def _end_of_line(self) -> None:
        self._emit("end", "\n")
        self.at += 1
        self.line += 1
        for end, strips, place in self.pending:
            body, lines = [], 0
            while self.at < len(self.text):
                stop = self.text.find("\n", self.at)
                stop = stop if stop >= 0 else len(self.text)
                line = self.text[self.at : stop]
                self.at = stop + 1
                lines += 1
                if (line.strip() if strips else line.rstrip("\r")) == end:
                    break
                body.append(line)
            start, self.line = self.line, self.line + lines
            held = "\n".join(body)
            literal = self.made[place].word.quoted
            inner = () if literal else tuple(self._inside(held, start))
            self.made[place] = _Token("redirect", "<<", start, Word(held, inner, literal=literal))
        self.pending = []

    def _inside(self, text: str, line: int) -> Iterator[Script]:
        """The substitutions of a text that the shell writes out."""
        at = 0
        while (at := text.find("$(", at)) >= 0:
            end = _closing(text, at + 2)
            yield parse(text[at + 2 : end], line, self.depth + 1)
            at = end

    def _operator(self) -> bool:
        if found := _REDIRECT.match(self.text, self.at):
            self.at = found.end()
            operator = found["both"] or found["op"]
            while self.at < len(self.text) and self.text[self.at] in " \t":
                self.at += 1
            target = self._word() if self.at < len(self.text) and self.text[self.at] not in "\n;|" else Word("")
            if operator in ("<<", "<<-"):
                self.pending.append((target.text, operator == "<<-", len(self.made)))
            self._emit("redirect", operator, target)
            return True
        if found := _OPERATOR.match(self.text, self.at):
            self.at = found.end()
            self._emit("operator", found.group())
            return True
        return False

    def _word(self) -> Word:
        text = self.text
        start, parts, inner = self.at, list[str](), list[Script]()
        quoted = literal = False
        while self.at < len(text):
            character = text[self.at]
            if character == "'" and (end := text.find("'", self.at + 1)) >= 0:
                parts.append(text[self.at + 1 : end])
                quoted, literal = True, self.at == start
                self.line += text.count("\n", self.at, end)
                self.at = end + 1
            elif character == '"' and self._closes():
                self.at += 1
                quoted = True
                self._quoted(parts, inner)
            elif text.startswith(("<(", ">("), self.at):
                self.at += 1
                self._substitution(parts, inner)
            elif character in "$`":
                self._dollar(parts, inner)
            elif character == "\\" and self.at + 1 < len(text):
                parts.append("" if text[self.at + 1] == "\n" else text[self.at + 1])
                self.line += text[self.at + 1] == "\n"
                self.at += 2
            elif found := _PLAIN.match(text, self.at):
                parts.append(found.group())
                self.at = found.end()
            elif character in "'\"\\" or self.at == start:
                parts.append(character)
                self.at += 1
            else:
                break
        return Word("".join(parts), tuple(inner), quoted, literal and len(parts) == 1)

    def _closes(self) -> bool:
        at = self.at + 1
        while (at := self.text.find('"', at)) >= 0:
            if self.text[at - 1] != "\\":
                return True
            at += 1
        return False

    def _quoted(self, parts: list[str], inner: list[Script]) -> None:
        text = self.text
        while self.at < len(text) and text[self.at] != '"':
            if text[self.at] in "$`":
                self._dollar(parts, inner)
            elif text[self.at] == "\\" and self.at + 1 < len(text):
                following = text[self.at + 1]
                parts.append(following if following in '"$`\\' else "" if following == "\n" else "\\" + following)
                self.line += following == "\n"
                self.at += 2
            elif found := _IN_QUOTES.match(text, self.at):
                parts.append(found.group())
                self.line += found.group().count("\n")
                self.at = found.end()
            else:
                parts.append(text[self.at])
                self.at += 1
        self.at += 1

    def _dollar(self, parts: list[str], inner: list[Script]) -> None:
        text = self.text
        if text[self.at] == "`":
            end = text.find("`", self.at + 1)
            if end < 0:
                parts.append("`")
                self.at += 1
                return
            inner.append(parse(text[self.at + 1 : end].replace("\\`", "`"), self.line, self.depth + 1))
            parts.append("$()")
            self.line += text.count("\n", self.at, end)
            self.at = end + 1
        elif text.startswith("$((", self.at):
            end = text.find("))", self.at, self.at + _WITHIN)
            self.at = end + 2 if end >= 0 else self.at + 3
            parts.append("0")
        elif text.startswith("$(", self.at):
            self.at += 1
            self._substitution(parts, inner)
        elif text.startswith("${{", self.at) and (end := text.find("}}", self.at, self.at + _WITHIN)) >= 0:
            parts.append(text[self.at : end + 2])
            self.at = end + 2
        elif found := _VARIABLE.match(text, self.at):
            parts.append(found.group())
            self.at = found.end()

    def _substitution(self, parts: list[str], inner: list[Script]) -> None:
        """`(…)` behind `$`, `<` or `>`."""
        end = _closing(self.text, self.at + 1)
        inner.append(parse(self.text[self.at + 1 : end], self.line, self.depth + 1))
        parts.append("$()")
        self.line += self.text.count("\n", self.at, end)
        self.at = end + 1


def _closing(text: str, at: int) -> int:
    """Where the bracket that was opened before `at` closes; the end of the text for one that does not."""
    level = 1
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif character == "'" and (end := text.find("'", at + 1)) >= 0:
            at = end
        elif character == "(":
            level += 1
        elif character == ")":
            level -= 1
            if not level:
                return at
        at += 1
    return len(text)


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def script(self, closes: str | None) -> Script:
        """Pipelines up to the word or bracket that closes the group."""
        made = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            word = _bare(token)
            if closes is not None and closes in (word, token.text if token.kind == "operator" else ""):
                self.at += 1
                break
            if token.kind == "end" or (token.kind == "operator" and token.text != "(") or word in _SEPARATES | _CLOSES:
                self.at += 1
                continue
            before = self.at
            pipeline = self._pipeline()
            made += [pipeline] if pipeline else []
            self.at = max(self.at, before + 1)
        return tuple(made)

    def _pipeline(self) -> Pipeline:
        made = []
        while self.at < len(self.tokens):
            command = self._command()
            if command is not None:
                made.append(command)
            if self.at < len(self.tokens) and self.tokens[self.at].text in ("|", "|&"):
                self.at += 1
                while self.at < len(self.tokens) and self.tokens[self.at].kind == "end":
                    self.at += 1
                continue
            break
        return tuple(made)

    def _command(self) -> Command | None:
        token = self.tokens[self.at]
        word = _bare(token)
        if self.depth < DEEPEST * 4:
            if token.kind == "operator" and token.text == "(":
                return self._group(")", token.line)
            if word == "for" and self._is_loop():
                return self._loop(token.line)
            if word in _OPENS and word != "for":
                return self._group(_OPENS[word], token.line)
            if defined := self._defines():
                return self._function(defined, token.line)
        return self._simple(token.line)

    def _group(self, closes: str, line: int, loop: tuple[str, tuple[Word, ...]] | None = None) -> Command:
        self.at += 1
        self.depth += 1
        script = self.script(closes)
        self.depth -= 1
        return Command((), line, redirects=self._redirects(), group=script, loop=loop)

    def _is_loop(self) -> bool:
        behind = self.tokens[self.at + 1 : self.at + 3]
        return (
            len(behind) == 2
            and behind[0].kind == "word"
            and (_bare(behind[1]) in ("in", "do") or behind[1].kind != "word")
        )

    def _loop(self, line: int) -> Command:
        name = self.tokens[self.at + 1].word.text
        self.at += 2
        words = []
        while self.at < len(self.tokens) and self.tokens[self.at].kind == "word":
            words.append(self.tokens[self.at].word)
            self.at += 1
        return self._group("done", line, (name, tuple(words)))

    def _defines(self) -> str:
        """The name of the function that is defined here; the place is then at its body."""
        behind = self.tokens[self.at : self.at + 4]
        if len(behind) < 3:
            return ""
        if _bare(behind[0]) == "function" and behind[1].kind == "word":
            skip = 4 if [each.text for each in behind[2:4]] == ["(", ")"] else 2
            name = behind[1].word.text
        elif behind[0].kind == "word" and [each.text for each in behind[1:3]] == ["(", ")"]:
            skip, name = 3, behind[0].word.text
        else:
            return ""
        at = self.at + skip
        while at < len(self.tokens) and self.tokens[at].kind == "end":
            at += 1
        if at < len(self.tokens) and (_bare(self.tokens[at]) == "{" or self.tokens[at].text == "("):
            self.at = at
            return name
        return ""

    def _function(self, name: str, line: int) -> Command:
        closes = ")" if self.tokens[self.at].text == "(" else "}"
        return msgspec.structs.replace(self._group(closes, line), defines=name)

    def _redirects(self) -> tuple[Redirect, ...]:
        made = []
        while self.at < len(self.tokens) and self.tokens[self.at].kind == "redirect":
            made.append(Redirect(self.tokens[self.at].text, self.tokens[self.at].word))
            self.at += 1
        return tuple(made)

    def _simple(self, line: int) -> Command | None:
        words: list[Word] = []
        sets: list[tuple[str, Word]] = []
        redirects: list[Redirect] = []
        behind = False
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind == "redirect":
                redirects.append(Redirect(token.text, token.word))
            elif token.kind == "word":
                found = _SET.match(token.word.text) if not words and not token.word.literal else None
                if found:
                    value = token.word.text[found.end() :]
                    sets.append((found["name"], msgspec.structs.replace(token.word, text=value)))
                else:
                    words.append(token.word)
            else:
                behind = token.text == "&"
                break
            self.at += 1
        if not (words or sets or redirects):
            return None
        return Command(tuple(words), line, tuple(sets), tuple(redirects), behind=behind)


def _bare(token: _Token) -> str:
    """The text of a word that could be a keyword."""
    return token.word.text if token.kind == "word" and not token.word.quoted else ""


def arguments(text: str) -> tuple[str, ...]:
    """The words of one command line, for texts that hold nothing else."""
    return tuple(word.text for pipeline in parse(text)[:1] for command in pipeline[:1] for word in command.words)


def quoted(words: Iterator[str] | list[str], *, variables: bool = False) -> str:
    """A command line of words that stand apart from each other, as in `["sh", "-c", "…"]`; `$name` may be one."""
    words = list(words)
    if variables:
        return " ".join(f'"{word}"' if re.fullmatch(r"\$\w+", word) else quoted([word]) for word in words)
    return " ".join(
        word if re.fullmatch(r"[\w@%+=:,./~-]+", word) else "'" + word.replace("'", "'\\''") + "'" for word in words
    )
