"""Code of other languages inside of scripts and settings: steps of workflows, one-liners, comments in JSON.

A workflow file is YAML in which a step says by `shell` what its `run` is handed to, and actions are given their script
by `with`. Read are mappings and block scalars by their indentation, which is what such files consist of; anchors and
flow mappings over several lines are not. Sources: the workflow syntax of GitHub Actions, Azure Pipelines and CircleCI.
"""

import functools
import itertools
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.text.python.parsing import parse

_ENTRY = lazy(r"^(?P<indent> *)(?P<dashes>(?:- +)*)(?P<key>[\"']?[\w.-]+[\"']?) *:(?: +(?P<value>.*))?$")
_BLOCK = lazy(r"^[|>][-+\d]*(?: +#.*)?$")
_STEPS = lazy(r"^[^\S\n]*(?:- +)?[\"']?(?:run|script|shell|inlineScript|command|code)[\"']?\s*:", re.M)
_ONE_LINE = lazy(
    r"\bpython[\d.]*[\"']?(?:[\s,]+[\"']?-(?!c\b)\w+[\"']?)*[\s,]+[\"']?-\w*c[\"']?[\s,]+"
    r"(?:'(?P<single>[^']{1,20000})'|\"(?P<double>(?:\\.|[^\"\\]){1,20000})\"|\\\"(?P<inner>(?:[^\"\\]|\\[^\"]|\\\\\\\"){1,20000})\\\")",
    re.S,
)
_NODE_LINE = lazy(
    r"\bnode\s+(?:-e|--eval|-p)\s+(?:'(?P<single>[^']{1,20000})'|\"(?P<double>(?:\\.|[^\"\\]){1,20000})\")"
)
_COMMENTED = lazy(r'((?<!\\)"(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.S)
_COMMA = lazy(r'((?<!\\)"(?:\\.|[^"\\])*")|,(?=\s*[}\]])', re.S)
_COMMENTS_ALLOWED = lazy(
    r"(?:^|/)(?:\.?devcontainer\.json|\.vscode/[^/]+\.json|tasks\.json|launch\.json|settings\.json|tsconfig[^/]*\.json|[^/]+\.jsonc|"
    r"[^/]+\.code-workspace)$"
)
_SECRET = lazy(r"\$\{\{\s*(?:secrets\.(?P<name>\w+)|toJSON\(\s*secrets\s*\))\s*\}\}", re.I)
_VARIABLE = lazy(r"\$(?:env:)?(?:\{(?P<braced>\w+)\}|(?P<bare>\w+))", re.I)
_MOST = 200
_RUNS = frozenset(("run", "script", "command", "inlineScript", "code", "python", "arguments", "bash"))


_ENDINGS = {"python": "py", "javascript": "js"}


class Step(msgspec.Struct, frozen=True):
    """Code that a step hands to an interpreter."""

    language: str
    """"python" or "javascript"."""
    code: str

    def member(self, artifact: Artifact, name: str) -> Artifact:
        """The code as an artifact of its own, a source of its language."""
        data = self.code.encode("utf-8", "surrogatepass")
        return artifact.member(f"{name}.{_ENDINGS[self.language]}", BytesSource(data))


class Mapping:
    """Keys and texts of one mapping."""

    def __init__(self, level: int, parent: "Mapping | None") -> None:
        self.level = level
        self.parent = parent
        self.values: dict[str, str] = {}


def steps(text: str) -> Iterator[Step]:
    """Steps of a workflow that are written in Python or JavaScript."""
    if not _STEPS.search(text):
        return
    mappings = mappings_of(text)
    default = next((language_of(each.values.get("shell", "")) for each in mappings if "run" not in each.values
                    and language_of(each.values.get("shell", ""))), "")  # fmt: skip
    secrets = _secrets(mappings)
    for each in itertools.islice(mappings, 5000):
        language = language_of(each.values.get("shell", ""))
        if not language and "shell" not in each.values and "uses" not in each.values and "run" in each.values:
            language = default
        language = language or _by_action(each)
        for key in _RUNS & each.values.keys() if language else ():
            if each.values[key].strip():
                yield Step(language, _naming(textwrap.dedent(each.values[key]), secrets))


def with_secrets(text: str) -> str:
    """The text of a workflow, with the secret written where a command uses the variable that holds it."""
    if not _SECRET.search(text):
        return text
    held: dict[str, str] = {}
    for each in mappings_of(text):
        for name, value in each.values.items():
            if (found := _SECRET.search(value)) and "\n" not in value:
                held[name] = found.group()

    def named(found: "re.Match[str]") -> str:
        return held.get(found["braced"] or found["bare"], found.group())

    return _VARIABLE.sub(named, text) if held else text


def _secrets(mappings: Sequence[Mapping]) -> dict[str, str]:
    """By variable, the name of the secret that it holds."""
    found = ((name, _SECRET.search(value)) for each in mappings for name, value in each.values.items())
    return {name: secret["name"] for name, secret in found if secret is not None and secret["name"]}


def _naming(code: str, secrets: dict[str, str]) -> str:
    """The code with the secret's own name where it takes a variable that holds one."""
    for name, secret in itertools.islice(secrets.items(), _MOST):
        told = secret if re.search("TOKEN|KEY|SECRET|PASSW", secret, re.I) else f"{secret}_SECRET"
        code = re.sub(rf"(?<=[\"']){re.escape(name)}(?=[\"'])|(?<=process\.env\.){re.escape(name)}\b", told, code)
    return code


def language_of(shell: str) -> str:
    """The language of what a shell like "python {0}", or a list of words like it, is given; "" for others."""
    words = re.sub(r"[\[\]\"',]", " ", shell[:400]).split() if shell.startswith("[") else shell.strip("\"' ").split()
    program = words[0].rpartition("/")[2] if words else ""
    if program == "env" and len(words) > 1:
        program = words[1]
    if program in ("bash", "sh", "pwsh", "cmd") and "{0}" in words and len(words) > 2:
        program = next((word.strip("\"'") for word in words[1:] if not word.startswith("-")), program)
    if program.startswith(("python", "pypy", "ipython")) or program == "py":
        return "python"
    return "javascript" if program in ("node", "nodejs", "deno", "bun", "javascript", "js") else ""


def _by_action(mapping: Mapping) -> str:
    """The language of the script that an action or task is given."""
    above = mapping.parent
    named = " ".join(
        each.values.get(key, "") for each in (mapping, above) if each is not None for key in ("uses", "task")
    )
    if "github-script" in named:
        return "javascript"
    return "python" if "python" in named.lower() and "setup-python" not in named.lower() else ""


@functools.lru_cache(maxsize=2)
def mappings_of(text: str) -> tuple[Mapping, ...]:
    """The mappings of a YAML file in their order; kept, as several readers of one file ask for them."""
    lines = text.split("\n")
    made: list[Mapping] = []
    stack: list[Mapping] = []
    at = 0
    while at < len(lines) and len(made) < 20_000:
        found = _ENTRY.match(lines[at])
        at += 1
        if found is None:
            continue
        level = len(found["indent"]) + len(found["dashes"])
        floor = len(found["indent"]) if found["dashes"] else level
        while stack and stack[-1].level > floor:
            stack.pop()
        if found["dashes"] and stack and stack[-1].level == level:
            stack.pop()
        if not stack or stack[-1].level != level:
            stack.append(Mapping(level, stack[-1] if stack else None))
            made.append(stack[-1])
        value, at = _value((found["value"] or "").strip(), lines, at, level)
        stack[-1].values[found["key"].strip("\"'")] = value
    return tuple(made)


def _value(value: str, lines: list[str], at: int, level: int) -> tuple[str, int]:
    """The text of a value, and the line behind it."""
    if _BLOCK.match(value):
        start = at
        while at < len(lines) and (not lines[at].strip() or len(lines[at]) - len(lines[at].lstrip()) > level):
            at += 1
        return "\n".join(lines[start:at]), at
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value)), at
        except ValueError:
            return value[1:-1], at
    return value.strip("'"), at


def one_liners(text: str) -> Iterator[Step]:
    """Code that a command line hands to an interpreter: `python -c "…"`, `node -e '…'`, `["python", "-c", "…"]`."""
    for language, pattern in (("python", _ONE_LINE), ("javascript", _NODE_LINE)):
        for found in itertools.islice(pattern.finditer(text), _MOST):
            groups = found.groupdict()
            code = groups["single"] or _unescaped(groups["double"] or groups.get("inner") or "")
            if language == "python" and '\\"' in code and isinstance(parse(textwrap.dedent(code)), str):
                code = _unescaped(code)  # it stands inside of another text
            yield Step(language, textwrap.dedent(code))


def members(kind: str, found: Iterable[Step], artifact: Artifact) -> Iterator[Artifact]:
    """The steps as artifacts, "kind-1.py" and so on."""
    for number, step in enumerate(itertools.islice(found, _MOST), 1):
        yield step.member(artifact, f"{kind}-{number}")


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\"\\$`])", r"\1", text).replace("\\\n", "")


def plain_json(name: str, text: str) -> str:
    """The text without comments and last commas, for files whose readers allow them."""
    if not _COMMENTS_ALLOWED.search(name.replace("\\", "/")):
        return text
    bare = _COMMENTED.sub(lambda found: found[1] or " ", text)
    return _COMMA.sub(lambda found: found[1] or "", bare)
