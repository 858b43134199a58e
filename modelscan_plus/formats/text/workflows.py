"""Workflows of GitHub and the like: text of strangers that becomes code, and all secrets of a project at once.

An expression `${{ … }}` is written into a step before the step is run, so that what somebody puts into the title of an
issue is code there. Who may do so depends on the event. Sources: "Script injections" and "Keeping your GitHub Actions
and workflows secure" of GitHub's documentation; the variables of GitLab, Jenkins, Bitbucket, Drone and Woodpecker.
"""

import itertools
import re
from collections.abc import Iterator, Sequence

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import line_at, one_line, visible
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.kept import unread
from modelscan_plus.formats.text.shell.marks import Mark, Value
from modelscan_plus.formats.text.shell.told import ASKED
from modelscan_plus.formats.text.steps import Mapping, mappings_of, with_secrets

_EXPRESSION = lazy(r"\$\{\{(?P<inner>(?:(?!\}\})[\s\S]){1,400})\}\}")
_MOST = 20
_WORTH = lazy(r"\$\{\{|\bRunner\.Worker\b|isSecret|\bcontext\.payload\b|\bworkflow_run\b")
_EVENT = r"\b(?:github|gitea|forgejo|forge)\s*\.\s*event\s*\.\s*"
_SAID = lazy(
    rf"{_EVENT}(?:(?:issue|discussion|pull_request)\.(?:title|body)|(?:comment|review|review_comment|discussion_comment)\.body|"
    r"pages(?:\.\*|\[\d+\])?\.page_name|gollum\b)",
    re.I,
)
"""What anybody with an account writes."""
_NAMED = lazy(
    rf"{_EVENT}(?:pull_request\.head\.(?:ref|label)|workflow_run\.(?:head_branch|display_title|head_commit\.(?:message|author\.\w+))|"
    r"(?:head_commit|commits(?:\.\*|\[\d+\])?)\.(?:message|author\.(?:name|email)))|\b(?:github|gitea|forgejo)\.head_ref\b",
    re.I,
)
"""What whoever makes a branch or commit chooses."""
_PAYLOAD = lazy(rf"{_EVENT}client_payload\b", re.I)
_OF_PULL = lazy(r"event\s*\.\s*pull_request\.", re.I)
_DECIDES = lazy(r"\b(?:contains|startsWith|endsWith|hashFiles)\s*\(|[=!]=", re.I)
"""An expression that only says yes or no."""
_FOR_ALL = lazy(r"\b(?:pull_request_target|workflow_run)\b")
"""Events that strangers cause by what they propose, and that run with the rights and secrets of the project."""
_CODE = ("run", "script", "shell", "inlineScript")
_FLOW = lazy(
    r"[{,]\s*[\"']?(?:run|script)[\"']?\s*:\s*(?P<code>'[^'\n]{1,2000}'|\"[^\"\n]{1,2000}\"|[^,}\n]{0,400}\$\{\{[^}\n]{1,400}\}\})"
)
_TOLD = lazy(r"cmd|command|script|run|code|exec|shell", re.I)
"""Inputs of an action that are commands, by their name."""
_IN_PYTHON = lazy(
    r"\b(?:exec|eval|os\.(?:system|popen)|subprocess\.\w+)\s*\(\s*(?:compile\s*\(\s*)?os\.(?:environ\s*\[|getenv\s*\(|environ\.get\s*\()\s*[\"'](?P<name>\w+)"
)
_MEMORY = lazy(
    r"\bRunner\.(?:Worker|Listener)\b[^\n]{0,200}(?:gcore|/proc/|mem\b|strings|dd\b)|(?:gcore|/proc/|pgrep|strings)[^\n]{0,200}\b(?:Runner\.(?:Worker|Listener)|isSecret)\b"
)
_LISTS = lazy(
    r"(?:^|[\s|;&])(?:env|printenv|export\s+-p)\b(?!\s+-)[^\n>]{0,80}>>?\s*[\"']?(?P<file>[\w./-]{3,80})", re.M
)
_EVALUATES = lazy(
    r"\b(?:eval|Function|exec(?:Sync|File)?|spawn(?:Sync)?|getExecOutput)\s*\(\s*(?:String\s*\()?"
    r"(?:context\.payload\.(?:comment|issue|discussion|review|pull_request)\.(?:body|title)|process\.env\.(?P<name>\w+))"
)
_WHOLE = lazy(
    r"(?:(?:ba|z|da)?sh\s+-\w*c\s+|eval\s+|python[\d.]*\s+-c\s+|node\s+-e\s+)?[\"']?\s*\$\{\{[^}]*\}\}\s*[\"']?"
)
_VARIABLES = """CI_COMMIT_MESSAGE CI_COMMIT_TITLE CI_COMMIT_DESCRIPTION CI_MERGE_REQUEST_TITLE
    CI_MERGE_REQUEST_DESCRIPTION TRIGGER_PAYLOAD CHANGE_TITLE
    DRONE_COMMIT_MESSAGE CI_COMMIT_PULL_REQUEST_TITLE BITBUCKET_COMMIT_MESSAGE
    BUILD_SOURCEVERSIONMESSAGE BUILDKITE_MESSAGE GITHUB_EVENT_PATH""".split()
"""Variables of other services that hold what somebody wrote."""
_ALL = lazy(r"\btoJSON\(\s*secrets\s*\)", re.I)
_PARSED = lazy(r"\bjq\b|\bfromjson\b|json\.loads?\b|JSON\.parse", re.I)
_DISGUISED = lazy(
    r"(?:\$\{\{\s*(?:secrets\.\w+|toJSON\(\s*secrets\s*\))\s*\}\}|\$\{?\w*(?:TOKEN|SECRET|PASSW|KEY)\w*)[^\n|]{0,80}\|"
    r"(?:\s*sed\s+(?:-\w+\s+)?[\"']?s/\.(?:/|\\)[^|\n]{0,40}(?=$|[|;\n])|\s*rev\b|\s*(?:base64\s+(?:-w\s?0\s*)?|xxd\s+-p\s*)\|\s*(?:base64|rev|xxd|tr)\b(?!\s+(?:-d|--decode)))",
    re.I,
)
"""A secret is written into the log so that the service does not black it out."""
_HEAD = lazy(
    r"\bref\s*:\s*[\"']?(?:\$\{\{\s*(?:github\.event\.pull_request\.head\.(?:sha|ref)|github\.head_ref)|refs/pull/\$\{\{)"
    r"|\bgh\s+pr\s+checkout\b|\bgit\s+fetch\s+\S+\s+[\"']?(?:\+?refs/)?pull/"
)
"""What a stranger proposes is checked out."""
_RUNS_CHECKOUT = lazy(
    r"\bpip3?\s+install\s+(?:-\w+\s+|--[\w-]+\s+)*(?:-e\s*)?[\"']?\.(?:[\[\s\"'/]|$)|\bpip3?\s+install\s+(?:-\w+\s+)*-r\b|\bpytest\b|\bmake\b|\btox\b|\bnox\b|"
    r"\b(?:npm|yarn|pnpm|bun)\s+(?:ci|install|i|run|test|build)\b|\bpython[\d.]*\s+(?:-m\s+(?:build|pytest|unittest)|[\w./-]+\.py)\b|"
    r"(?:^|[;&|]\s*|\brun:\s*)(?:ba)?sh\s+[\w./-]+|(?:^[^\S\n]*|[;&|]\s*|\brun:\s*)\./[\w./-]+|\b(?:cargo|go)\s+(?:build|test|run)\b|\buv\s+(?:sync|run)\b|"
    r"\bpoetry\s+(?:install|run)\b|\b(?:gradlew?|mvn)\b|\buses:\s*\./|\bdocker\s+(?:build|compose)\b",
    re.M,
)
_HANDED_OVER = lazy(r"\bactions/download-artifact@|\bgh\s+run\s+download\b")
_RUNS_ARTIFACT = lazy(
    r"(?:^[^\S\n]*|[;&|]\s*|\brun:\s*)(?:(?:ba|z|da)?sh\s+(?!-)|source\s+|\.\s+|python[\d.]*\s+(?!-)|node\s+(?!-))?[\w./-]*/[\w.-]+",
    re.M,
)
_GUARDED = lazy(
    r"^[^\S\n]*environment\s*:|\blabels?\b|\bauthor_association\b|\bfull_name\b|\bactor\s*==|\bfork\s*==", re.M
)


def workflow_remarks(text: str) -> Iterator[Remark]:
    """What a workflow has strangers decide, and what it does with all of the secrets."""
    if not _WORTH.search(text):
        return
    found = mappings_of(text)
    yield from _written(text, found)
    yield from _evaluated(text, found)
    yield from _secrets(text, found)
    if "pull_request_target" in text and _HEAD.search(text) and (run := _RUNS_CHECKOUT.search(text)):
        kind = "askable" if _GUARDED.search(text) else "asked"
        what = "runs what a pull request of anybody brings, with the secrets of the project"
        yield Remark(kind, what, one_line(run.group(), 160), line_at(text, run.start()))
    if "workflow_run" in text and _HANDED_OVER.search(text) and "actions/checkout" not in text:
        for code in _codes(found):
            if run := _RUNS_ARTIFACT.search(code):
                what = "runs what another run left, which a pull request of anybody may have made"
                yield Remark(
                    "asked", what, one_line(run.group(), 160), text.count("\n", 0, max(0, text.find(run.group()))) + 1
                )
                return


def written_by_others(text: str) -> dict[str, Value]:
    """Variables of the workflow that hold what somebody else wrote, as a script is to be followed with them."""
    held = {name: name for name in _VARIABLES if name in text}
    if "${{" in text:
        for each in mappings_of(text):
            for name, value in each.values.items():
                whole = value.strip("\"' ")
                if name not in _CODE and _WHOLE.fullmatch(whole) and _from_others(whole):
                    held[name] = whole
    return {name: Value(f"${name}", frozenset((Mark("fetched", visible(said), ASKED),))) for name, said in held.items()}


def _from_others(expression: str) -> bool:
    return any(pattern.search(expression) for pattern in (_SAID, _NAMED, _PAYLOAD)) and not _DECIDES.search(expression)


def _written(text: str, found: Sequence[Mapping]) -> Iterator[Remark]:
    """Expressions with text of others in places that hold code, what anybody decides before all else."""
    told: dict[str, str] = {}
    for expression, kind in _expressions(text, found):
        if told.get(expression) != "asked":
            told[expression] = kind
    for expression in sorted(told, key=lambda each: told[each] != "asked")[:_MOST]:
        line = line_at(text, max(0, text.find(expression)))
        yield Remark(
            told[expression], "writes what somebody else says into its own code", one_line(expression, 160), line
        )


def _expressions(text: str, found: Sequence[Mapping]) -> Iterator[tuple[str, str]]:
    """The same, each with its kind of remark."""
    events = _FOR_ALL.search(text) is not None
    held = [each.values.get(key, "") for each in found for key in _CODE]
    for each in found:
        if each.parent is not None and each.parent.values.get("uses", "").strip("\"'").startswith("./"):
            held += [value for key, value in each.values.items() if _TOLD.fullmatch(key)]  # given to an own action
    held += [flow["code"] for flow in itertools.islice(_FLOW.finditer(text), 50)]
    for code in held:
        if "${{" in code:
            whole = _WHOLE.fullmatch(code.strip()) is not None
            for expression in _EXPRESSION.finditer(code):
                inner = expression["inner"]
                if not _from_others(expression.group()) or (not whole and _PAYLOAD.search(inner)):
                    continue  # a payload is of those who may write anyway
                # A stranger's text meets the rights of the project, as in a fork's pull request or a push it does not.
                anybody = events or (_SAID.search(inner) is not None and not _OF_PULL.search(inner))
                yield expression.group(), "asked" if whole or anybody else "askable"


def _evaluated(text: str, found: Sequence[Mapping]) -> Iterator[Remark]:
    """JavaScript of a step that evaluates what was said."""
    held = written_by_others(text)
    for each in found:
        for expression in _EVALUATES.finditer(each.values.get("script", "")):
            if expression["name"] is None or expression["name"] in held:
                yield Remark("asked", ASKED, one_line(expression.group(), 160), 1)
        for expression in _IN_PYTHON.finditer(each.values.get("run", "")):
            if expression["name"] in held:
                yield Remark("asked", ASKED, one_line(expression.group(), 160), 1)


def _secrets(text: str, found: Sequence[Mapping]) -> Iterator[Remark]:
    """All secrets at once, and secrets that are written so that they are not recognised."""
    if memory := _MEMORY.search(text):
        what = "reads the secrets of the project out of the memory of the runner"
        yield Remark("asked", what, one_line(memory.group(), 160), line_at(text, memory.start()))
    if hidden := _DISGUISED.search(with_secrets(text)):
        what = "writes a secret into the log in a form that is not blacked out"
        yield Remark("asked", what, one_line(hidden.group(), 160), line_at(text, hidden.start()))
    uploads = "upload-artifact" in text and "secrets." in text
    uploaded = re.findall(r"\bpath\s*:\s*([^\n}]{1,200})", text) if uploads else []
    for listed in itertools.islice(_LISTS.finditer(text), 20) if uploaded else ():
        if any(listed["file"].rpartition("/")[2] in path for path in uploaded):
            what = "puts the whole environment, secrets among it, into a file that everybody can fetch"
            yield Remark("asked", what, one_line(listed.group(), 160), line_at(text, listed.start()))
    codes = _codes(found)
    taking = [
        (each, key, value, secrets.group())
        for each in found
        for key, value in each.values.items()
        if (secrets := _ALL.search(value))
    ]
    for each, key, value, whole in taking[:_MOST]:
        given = each.parent is not None and "uses" in each.parent.values and "run" not in each.parent.values
        shows = lazy(rf"\b(?:echo|printenv|printf|cat|tee|base64|xxd|env)\b[^\n]*\b{re.escape(key)}\b")
        used = [value] if key in _CODE else [code for code in codes if shows.search(code)]
        parsed = all(_PARSED.search(code) for code in used)
        line = line_at(text, max(0, text.find(whole)))
        what = "takes all secrets of the project at once"
        yield Remark("askable" if given or parsed else "asked", what, one_line(value, 160), line)
    if len(taking) > _MOST:
        yield unread(f"a workflow that takes all secrets in more than {_MOST} places")


def _codes(found: Sequence[Mapping]) -> list[str]:
    return [each.values[key] for each in found for key in _CODE if key in each.values]
