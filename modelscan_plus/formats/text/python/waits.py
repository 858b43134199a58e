"""Code that answers otherwise at a certain time, for somebody, after so many calls, or for a mark in a picture.

A model computes the same today and tomorrow, here and there. So it is told where code of a model compares the clock
with a date, the machine or its user with a name, a count of its own calls with a number, or a part of a picture with one
value, and then does more than warn. Lengths of time, seeds, and steps of a training are none of these. What a user says
is compared all the time; it is told where the answer to that is to switch a protection off, or a verdict that is
written down.
"""

import ast
import re
from collections.abc import Callable, Iterator

from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.fold import NotConstant
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.settled import only_settles
from modelscan_plus.formats.text.python.sinks import GIVEN_NAMES
from modelscan_plus.formats.text.python.turned import ANSWERS, DECODES, Part, Turn
from modelscan_plus.formats.text.python.walk import walk

_CLOCKS = (
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime", "time.ctime", "time.asctime",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "pandas.Timestamp.now", "pandas.Timestamp.utcnow", "pandas.Timestamp.today", "pandas.to_datetime", "arrow.now",
    "arrow.utcnow", "pendulum.now", "pendulum.today", "email.utils.localtime",
)  # fmt: skip
_WHO = (
    "getpass.getuser", "os.getlogin", "socket.gethostname", "socket.getfqdn", "platform.node", "uuid.getnode",
    "pwd.getpwuid", "pathlib.Path.home", "locale.getlocale", "locale.getdefaultlocale", "time.tzname",
)  # fmt: skip
_WHO_VARIABLES = frozenset("USER USERNAME LOGNAME HOSTNAME COMPUTERNAME USERDOMAIN LANG LC_ALL LANGUAGE TZ".split())
_WATCHING = frozenset(
    """CI GITHUB_ACTIONS GITLAB_CI PYTEST_CURRENT_TEST PYTEST_VERSION JENKINS_URL TRAVIS CIRCLECI BUILDKITE TEAMCITY_VERSION TF_BUILD
    CODEBUILD_BUILD_ID LM_EVAL pytest _pytest unittest lm_eval lighteval inspect_ai helm coverage pydevd picklescan modelscan fickling
    modelaudit sys.gettrace sys.getprofile""".split()
)
"""Variables, modules and functions by which a program sees that somebody tests it or looks on."""
_ANSWER = lazy(
    r"(?:^|_)(?:logits|scores?|probs?|hidden(?:_states?)?|outputs?|out|texts?|response|answer|result|emb(?:eddings?)?s?)$"
)
_DATES = ("datetime.datetime", "datetime.date", "pandas.Timestamp", "numpy.datetime64", "time.mktime", "calendar.timegm",
          "datetime.datetime.strptime", "datetime.datetime.fromisoformat", "datetime.date.fromisoformat",
          "datetime.datetime.fromtimestamp", "datetime.date.fromtimestamp", "time.strptime", "pendulum.datetime", "arrow.get")  # fmt: skip
_OF_DATE = frozenset(
    "year month day hour minute weekday isoweekday isocalendar tm_year tm_mon tm_mday tm_hour tm_wday tm_yday toordinal strftime isoformat".split()
)
_ISO = lazy(r"^(?:19|20)\d\d[-/.]?(?:\d\d|$)")
_TESTS = frozenset("startswith endswith match search fullmatch fnmatch".split())
_LOGS = frozenset("debug info warning warn error critical exception log print warning_once info_once warn_once".split())
_PROTECTS = lazy(
    r"safety|moderat|nsfw|guard(?!ian_angel)|watermark|bad_?words|suppress_tokens|refus|toxic|harm|censor|sanitiz|blocklist|"
    r"block_?list|deny_?list|content_?filter|unsafe",
    re.I,
)
_VERDICTS = lazy(r"label|score|flag|safe|allow|block|verdict|decision|categor|is_|toxic|malicious|spam|risk", re.I)
_LIKE_TEXT = lazy(
    r"(?:^|_)(?:texts?|prompts?|quer(?:y|ies)|questions?|sentences?|contents?|instructions?|messages?|inputs?|docs?|documents?|passages?|t|s|q)$"
)
_LIKE_IDS = lazy(r"(?:^|_)(?:(?:input_?)?ids|tokens?|seq(?:uence)?s?)$")
_HOST = lazy(r"^[\w.-]*\w\.(?:com|org|net|io|dev|ai|co|app|example|xyz|info)$", re.I)
_WORK = ANSWERS | GIVEN_NAMES | frozenset("preprocess _forward forward score compute_score rerank encode".split())
_STEPS = lazy(r"step|epoch|iter|layer|idx|index|pos|len|depth|retr|attempt|level|offset|seed|batch", re.I)
_SCORES = lazy(r"(?:^|_)(?:scores?|emb(?:edding)?s?|sims?|similarit\w*|logits?|probs?|ranks?|vectors?|vecs?|s)$", re.I)
_MARKER = lazy(r"[<>\[\]{}|/\\_#*`]")
_PHRASE = lazy(r"(?<![a-z])[a-z]{3,}:?[ .@-]+[a-z]{2,}|(?<![a-z])[a-z]{3,}@|(?<!\w)\w+\.\w{2,}", re.I)
_CHANCE = ("random.random", "random.randint", "random.randrange", "random.uniform", "numpy.random.rand", "numpy.random.random",
           "numpy.random.uniform", "secrets.randbelow", "torch.rand", "random.choice")  # fmt: skip
_SAYS = DECODES | {"postprocess", "post_process", "output_fn"}
_CALLS = 20
"""Fewer calls than these are told apart for reasons of warming up and of reporting."""
_SUMS = frozenset("mean sum std var max min item norm float".split())
_NARROW = 0.02

Is = Callable[[ast.expr], bool]


def waits(part: Part, names: Names) -> Iterator[Turn]:
    """Places at which a function waits for something."""
    held = _Held(part, names)
    harmless = {
        id(node)
        for top in part.nodes
        if isinstance(top, ast.If) and (_only_says(top) or only_settles(top))
        for node in walk(top.test)
    }
    for node in part.nodes:
        if isinstance(node, ast.expr) and id(node) not in harmless and (said := held.awaited(node)):
            yield Turn(part.name, node, said)
        elif isinstance(node, (ast.If, ast.IfExp)) and (said := held.answered(node)):
            yield Turn(part.name, node.test, said)


def _only_says(node: ast.If) -> bool:
    """True for a branch that raises, warns or writes to a log, and does nothing else."""
    return not node.orelse and all(
        isinstance(item, (ast.Raise, ast.Pass, ast.Assert))
        or (
            isinstance(item, ast.Expr)
            and isinstance(item.value, ast.Call)
            and getattr(item.value.func, "attr", getattr(item.value.func, "id", "")) in _LOGS
        )
        for item in node.body
    )


class _Held:
    """What the variables of a function hold."""

    def __init__(self, part: Part, names: Names) -> None:
        self._part = part
        self._names = names
        self._values: dict[str, list[ast.expr]] = {}
        self._texts: set[str] = set()
        """Variables of loops over what the user gives."""
        for node in part.nodes:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.NamedExpr(target=ast.Name(id=name), value=value)
                ):
                    self._values.setdefault(name, []).append(value)
        self._counted = self._counters()

    def awaited(self, node: ast.AST) -> str:
        """What a comparison waits for."""
        match node:
            case ast.Compare(left=left, comparators=others):
                sides = [left, *others]
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=given) if attr in _TESTS and given:
                sides = [value, *given]
            case _:
                return ""
        if any(map(self._is_clock, sides)) and any(self._is_date(side, node) for side in sides):
            return "waits for a date or time"
        if any(map(self._is_who, sides)) and any(map(self._is_constant, sides)):
            return "waits for a certain machine or user"
        if isinstance(node, ast.Compare):
            if self._part.last in _WORK and any(map(self._is_count, sides)) and any(map(self._is_many, sides)):
                return "waits until it was called often enough"
            if self._is_mark(node):
                return "waits for a mark in a part of its input"
            if any(map(self._is_length, sides)) and isinstance(node.ops[0], ast.Eq):
                return "waits for an input of a certain length"
            by_chance = self._part.last in _SAYS and any(self._called(side, _CHANCE) for side in sides)
            if by_chance and any(self._number(side) is not None for side in sides):
                return "answers otherwise by chance"
        return ""

    def answered(self, node: ast.If | ast.IfExp) -> str:
        """What a test of the user's input, or of the machine, is followed by."""
        if self._part.last in _WORK and self._is_watched(node.test) and self._changes_answer(node):
            return "answers otherwise where it is tested or looked at"
        said = self._asked(node.test)
        if not said:
            return ""
        body = node.body if isinstance(node, ast.If) else [node.body]
        inner = [part for top in body for part in walk(top)]
        if any(map(self._switches_off, inner)):
            return f"switches a protection off for {said}"
        protects = _PROTECTS.search(self._part.last) or _PROTECTS.search(self._part.owner)
        if protects and isinstance(body[0], ast.Return) and self._is_written_down(body[0].value):
            return f"lets everything pass for {said}"
        if any(map(self._gives_verdict, inner)):
            return f"gives a verdict of the source for {said}"
        if self._part.last in _WORK and not said.startswith("the token") and _is_phrase(node.test, self._names):
            scored = [_target(part) for part in inner if isinstance(part, (ast.Assign, ast.AugAssign))]
            if any(_SCORES.search(_name(target) or _name(getattr(target, "value", target))) for target in scored):
                return f"scores otherwise for {said}"
        if (
            said.startswith("the name of a host")
            and self._part.last in _WORK
            and any(
                isinstance(part, (ast.Assign, ast.AugAssign)) and isinstance(_target(part), ast.Subscript)
                for part in inner
            )
        ):
            return f"scores otherwise for {said}"
        return ""

    def _is_watched(self, test: ast.expr) -> bool:
        """True for a test of whether the program itself is tested, debugged or watched."""
        parts = list(self._parts(test))
        for part in list(parts):
            if isinstance(part, ast.Name) and part.id not in self._values and part.id in self._names.single:
                parts += walk(self._names.single[part.id])  # of the module
        said = {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
        names = {self._names.plain(part) or "" for part in parts if isinstance(part, ast.Attribute)}
        looks = {"os.environ", "os.environ.get", "os.getenv", "sys.modules", "sys.argv"} & names
        return bool(_WATCHING & names) or (bool(looks) and bool(_WATCHING & said))

    def _changes_answer(self, node: ast.If | ast.IfExp) -> bool:
        """True for a branch that sets what the function answers."""
        if isinstance(node, ast.IfExp):
            return False
        for part in (inner for top in (*node.body, *node.orelse) for inner in walk(top)):
            if isinstance(part, ast.Return) and part.value is not None:
                return True
            if isinstance(part, (ast.Assign, ast.AugAssign)):
                target = _target(part)
                if _ANSWER.search(_name(target) or _name(getattr(target, "value", target))):
                    return True
        return False

    def _asked(self, test: ast.expr) -> str:
        """What of the input a test asks for, "" for nothing that stands in the source."""
        for node in walk(test):
            match node:
                case ast.Compare(left=left, ops=[ast.In()], comparators=[right]) if text := self._text(left):
                    if self._is_given(right) and len(text) > 3:
                        return "the name of a host" if _HOST.match(text) else f"the words {text[:60]!r}"
                case ast.Call(func=ast.Attribute(value=value, attr=attr), args=[*_, ast.expr()]) if attr in _TESTS:
                    least = 0 if _PROTECTS.search(self._part.last) else 3
                    texts = [text for item in node.args[:1] if (text := self._text(item)) and len(text) > least]
                    if texts and any(map(self._is_given, [value, *node.args[1:]])):
                        return f"the words {texts[0][:60]!r}"
                case ast.Compare(left=left, ops=[ast.Eq() | ast.In()], comparators=[right]):
                    numbers = [side for side in (left, right) if _is_token(side)]
                    if numbers and any(self._is_given(side) for side in (left, right) if side not in numbers):
                        return f"the token {ast.unparse(numbers[0])}"
        return ""

    def _text(self, node: ast.expr) -> str:
        return self._names.folder.text(node) or ""

    def _is_given(self, node: ast.expr) -> bool:
        """True for what is made of the input, by the names that hold it."""
        for part in self._parts(node):
            name = _name(part) if isinstance(part, (ast.Name, ast.Attribute, ast.Subscript)) else ""
            if name and (_LIKE_TEXT.search(name) or _LIKE_IDS.search(name)):
                return not any(
                    isinstance(each, ast.Attribute) and each.attr in ("shape", "size", "dtype") for each in walk(node)
                )
        return False

    def _parts(self, node: ast.expr) -> Iterator[ast.AST]:
        """The nodes of an expression, and of what its variables were set to."""
        for part in walk(node):
            yield part
            if isinstance(part, ast.Name):
                for value in self._values.get(part.id, ())[:4]:
                    yield from walk(value)

    def _called(self, node: ast.expr, known: tuple[str, ...]) -> bool:
        return any(
            (self._names.plain(part.func if isinstance(part, ast.Call) else part) or "") in known
            for part in self._parts(node)
            if isinstance(part, (ast.Call, ast.Attribute))
        )

    def _is_clock(self, node: ast.expr) -> bool:
        return self._called(node, _CLOCKS)

    def _is_who(self, node: ast.expr) -> bool:
        if self._called(node, _WHO):
            return True
        for part in self._parts(node):
            match part:
                case ast.Call(func=func, args=[first, *_]) if self._names.plain(func) in (
                    "os.environ.get",
                    "os.getenv",
                ):
                    found = self._text(first)
                case ast.Subscript(value=value, slice=index) if self._names.plain(value) == "os.environ":
                    found = self._text(index)
                case ast.Attribute(attr="nodename" | "node"):
                    return True
                case _:
                    continue
            if found in _WHO_VARIABLES:
                return True
        return False

    def _is_constant(self, node: ast.expr) -> bool:
        try:
            value = self._names.folder.fold(node)
        except NotConstant:
            return isinstance(node, (ast.List, ast.Tuple, ast.Set))
        return value is not None and value != "" and value != 0

    def _is_date(self, node: ast.expr, test: ast.AST) -> bool:
        """True for a point in time that stands in the source, and for any number that a part of a date is compared with."""
        if self._called(node, _DATES) and not self._is_clock(node):
            return True
        try:
            value = self._names.folder.fold(node)
        except NotConstant:
            return any(
                isinstance(part, ast.Call) and self._called(part, _DATES) and self._numbers(part) for part in walk(node)
            )
        if isinstance(value, str) and (_ISO.match(value) or isinstance(test, ast.Call)):
            return True
        if isinstance(value, (int, float)) and (1.4e9 < value < 1e10 or 1.4e12 < value < 1e13 or 1.4e18 < value < 1e19):
            return True
        parts = (part for side in _sides(test) for part in self._parts(side) if isinstance(part, ast.Attribute))
        return value is not None and any(part.attr in _OF_DATE for part in parts)

    def _numbers(self, node: ast.Call) -> bool:
        return any(isinstance(item, ast.Constant) for item in node.args)

    def _counters(self) -> set[str]:
        """What the function counts up that outlives a call."""
        lasting = {
            name for node in self._part.nodes if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names
        }
        found = set()
        for node in self._part.nodes:
            match node:
                case ast.AugAssign(op=ast.Add(), target=target, value=ast.Constant(value=1)):
                    pass
                case ast.Assign(
                    targets=[target], value=ast.BinOp(op=ast.Add(), left=left, right=ast.Constant(value=1))
                ):
                    if ast.unparse(left) != ast.unparse(target) and "getattr" not in ast.unparse(left):
                        continue
                case _:
                    continue
            if (isinstance(target, ast.Name) and target.id in lasting) or isinstance(
                target, (ast.Attribute, ast.Subscript)
            ):
                found.add(ast.unparse(target))
        if any("training" in (getattr(node, "attr", ""), getattr(node, "id", "")) for node in self._part.nodes):
            return set()
        return {name for name in found if not _STEPS.search(name)}

    def _is_count(self, node: ast.expr) -> bool:
        return bool(self._counted) and any(
            isinstance(part, (ast.Name, ast.Attribute, ast.Subscript)) and ast.unparse(part) in self._counted
            for part in walk(node)
        )

    def _is_many(self, node: ast.expr) -> bool:
        try:
            value = self._names.folder.fold(node)
        except NotConstant:
            return isinstance(node, ast.Constant)
        return isinstance(value, int) and not isinstance(value, bool) and (value >= _CALLS)

    def _is_mark(self, node: ast.Compare) -> bool:
        """True for a sum over a part of something that has to have one value."""
        match node:
            case ast.Compare(left=low, ops=[ast.Lt() | ast.LtE(), ast.Lt() | ast.LtE()], comparators=[held, high]):
                ends = self._number(low), self._number(high)
                if ends[0] is None or ends[1] is None or not ends[0] < ends[1]:
                    return False
                return ends[1] - ends[0] <= _NARROW * max(abs(ends[1]), abs(ends[0])) and self._is_part(held)
            case ast.Compare(left=held, ops=[ast.Lt() | ast.LtE()], comparators=[limit]):
                width = self._number(limit)
                if width is None or not 0 < width <= _NARROW:
                    return False
                return any(
                    isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub) and self._is_part(part.left)
                    and (value := self._number(part.right)) is not None and value not in (0, 1)
                    for part in self._parts(held)
                )  # fmt: skip
        return False

    def _is_length(self, node: ast.expr) -> bool:
        """True for `len(text) % 97 == 13` and `len(prompt) == 1337`: no size that a model has."""
        match node:
            case ast.BinOp(op=ast.Mod(), left=left, right=ast.Constant(value=int(number))):
                return number > 9 and self._measures(left)
        return False

    def _measures(self, node: ast.expr) -> bool:
        """True for the length of a text that is given."""
        held = [
            part.args[0]
            for part in walk(node)
            if isinstance(part, ast.Call) and getattr(part.func, "id", "") == "len" and part.args
        ]
        return any(isinstance(value, ast.Name) and _LIKE_TEXT.search(value.id) for value in held)

    def _number(self, node: ast.expr) -> float | None:
        try:
            value = self._names.folder.fold(node)
        except NotConstant:
            return None
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def _is_part(self, node: ast.expr) -> bool:
        """True for a number that is taken from a part of an array, whose place stands in the source."""
        nodes = list(self._parts(node))
        sums = any(isinstance(part, ast.Attribute) and part.attr in _SUMS for part in nodes)
        places = any(
            isinstance(part, ast.Slice) and any(isinstance(end, (ast.Constant, ast.UnaryOp)) for end in (part.lower, part.upper))
            for top in nodes if isinstance(top, ast.Subscript)
            for part in walk(top.slice)
        )  # fmt: skip
        return sums and places

    def _switches_off(self, node: ast.AST) -> bool:
        match node:
            case ast.Assign(targets=[target], value=value):
                return _PROTECTS.search(_name(target)) is not None and _is_nothing(value)
            case ast.Delete(targets=targets):
                return any(_PROTECTS.search(_name(target)) for target in targets)
            case ast.Call(func=ast.Attribute(attr="pop"), args=[ast.Constant(value=str(key)), *_]):
                return _PROTECTS.search(key) is not None
            case ast.keyword(arg=str(key), value=value):
                return _PROTECTS.search(key) is not None and _is_nothing(value)
        return False

    def _is_written_down(self, value: ast.expr | None) -> bool:
        """True for an answer in which nothing was computed."""
        if value is None:
            return True
        if isinstance(value, ast.Tuple):
            return any(map(self._is_written_down, value.elts))
        calls = [part for part in walk(value) if isinstance(part, ast.Call) and getattr(part.func, "id", "") != "len"]
        return not calls and any(isinstance(part, ast.Constant) for part in walk(value))

    def _gives_verdict(self, node: ast.AST) -> bool:
        """True for a verdict whose label and score stand in the source, or one that is written over."""
        match node:
            case ast.Dict(keys=keys, values=values):
                told = [
                    value for key, value in zip(keys, values, strict=True) if key and _VERDICTS.search(self._text(key))
                ]
                return len(told) > 1 and all(isinstance(value, (ast.Constant, ast.UnaryOp)) for value in told)
            case ast.Assign(targets=targets, value=value):
                names = [
                    each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])
                ]
                told = [
                    each
                    for each in names
                    if isinstance(each, ast.Subscript) and _VERDICTS.search(self._text(each.slice))
                ]
                return bool(told) and all(isinstance(part, ast.Constant) for part in getattr(value, "elts", [value]))
        return False


def _is_phrase(test: ast.expr, names: Names) -> bool:
    """True where words are looked for, as against keys, markers and names of modes."""
    texts = (part.value for part in walk(test) if isinstance(part, ast.Constant) and isinstance(part.value, str))
    return any(_PHRASE.search(text) and not _MARKER.search(text) for text in texts)


def _sides(test: ast.AST) -> list[ast.expr]:
    match test:
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case ast.Call(func=func, args=given):
            return [func, *given]
    return []


def _target(node: ast.Assign | ast.AugAssign) -> ast.expr:
    return node.targets[0] if isinstance(node, ast.Assign) else node.target


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return ""


def _is_nothing(value: ast.expr) -> bool:
    match value:
        case ast.Constant(value=None | False | 0 | ""):
            return True
        case ast.List(elts=[]) | ast.Dict(keys=[]) | ast.Tuple(elts=[]):
            return True
        case ast.Lambda():
            return True
    return False


def _is_token(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int)
        and not isinstance(node.value, bool)
        and node.value > 9
    )
