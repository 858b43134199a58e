"""Workflows that run what strangers write, or hand out the secrets of the project."""

import pytest

from modelscan_plus.core.finding import Severity
from modelscan_plus.formats.text.workflows import workflow_remarks
from tests.samples import inspect


def workflow(event: str, steps: str, more: str = "") -> str:
    body = "".join(f"      {line}\n" for line in steps.strip("\n").splitlines())
    return f"name: t\non: {event}\n{more}jobs:\n  t:\n    runs-on: ubuntu-latest\n    steps:\n{body}"


def high(text: str, name: str = ".github/workflows/t.yml") -> bool:
    return any(each.severity.rank >= Severity.HIGH.rank for each in inspect(text.encode(), name).findings)


SAID = "- env:\n    B: ${{ github.event.comment.body }}\n"
HELD = "- env:\n    K: ${{ secrets.K }}\n"
UPLOAD = "- uses: actions/upload-artifact@v4\n  with:\n    path: i.txt"
CHECKOUT = "- uses: actions/checkout@v4\n  with:\n    ref: ${{ github.event.pull_request.head.sha }}\n"


@pytest.mark.parametrize(
    ("event", "steps", "denied"),
    [
        ("discussion", "- run: echo ${{ github.event.discussion.body }}", True),
        ("discussion", "- run: echo ${{ github.event.discussion.number }}", False),
        ("issue_comment", "- run: ${{ github.event.comment.body }}", True),
        ("issue_comment", "- run: echo ${{ contains(github.event.comment.body, '/go') }}", False),
        ("issues", "- run: |\n    if grep -q x <<< '${{ github.event.issue.title }}'; then ls; fi", True),
        ("issues", '- env:\n    T: ${{ github.event.issue.title }}\n  run: echo "$T"', False),
        ("issues", '- env:\n    T: ${{ github.event.issue.title }}\n  run: bash -c "$T"', True),
        ("issue_comment", '- env:\n    B: ${{ github.event.comment.body }}\n  run: echo "$B" > x.sh; sh x.sh', True),
        (
            "issue_comment",
            '- env:\n    B: ${{ github.event.comment.body }}\n  run: echo "$B" > x.txt; cat x.txt',
            False,
        ),
        ("repository_dispatch", '- run: eval "$C"\n  env:\n    C: ${{ github.event.client_payload.cmd }}', True),
        ("repository_dispatch", "- run: git checkout ${{ github.event.client_payload.ref }}", False),
        ("pull_request_target", "- run: echo ${{ github.head_ref }}", True),
        ("pull_request", "- run: echo ${{ github.head_ref }}", False),
        ("pull_request", "- run: echo '${{ github.event.pull_request.title }}' | npx commitlint", False),
        ("push", "- run: echo '${{ github.event.head_commit.message }}'", False),
        (
            "issues",
            "- uses: actions/github-script@v7\n  with:\n    script: |\n      let t = `${{ github.event.issue.body }}`",
            True,
        ),
        (
            "issue_comment",
            "- uses: actions/github-script@v7\n  with:\n    script: |\n      eval(context.payload.comment.body)",
            True,
        ),
        (
            "issue_comment",
            "- uses: actions/github-script@v7\n  with:\n    script: |\n      core.info(context.payload.comment.body)",
            False,
        ),
        ("pull_request_target", f"{CHECKOUT}- run: pip install -e . && pytest", True),
        ("pull_request_target", f"{CHECKOUT}- run: ruff check --diff", False),
        ("pull_request", f"{CHECKOUT}- run: pip install -e . && pytest", False),
        ("pull_request_target", "- uses: actions/labeler@v5", False),
        ("workflow_run", "- uses: actions/download-artifact@v4\n- run: bash ./out/post.sh", True),
        ("workflow_run", "- uses: actions/download-artifact@v4\n- run: cat pr.txt", False),
        ("push", "- run: |\n    cat > c.json <<E\n    ${{ toJSON(secrets) }}\n    E", True),
        ("push", '- env:\n    A: ${{ toJson(secrets) }}\n  run: echo "$A"', True),
        ("push", '- env:\n    A: ${{ toJson(secrets) }}\n  run: jq -r .KEY <<< "$A" > key', False),
        ("push", "- uses: oNaiPs/secrets-to-env-action@v1\n  with:\n    secrets: ${{ toJSON(secrets) }}", False),
        ("push", "- run: echo ${{ secrets.K }} | base64 -w0 | base64 -w0", True),
        ("push", "- run: echo ${{ secrets.K }} | sed 's/./& /g'", True),
        ("push", "- run: echo ${{ secrets.K }} | base64 -d > kubeconfig", False),
    ],
)
def test_text_of_strangers_and_secrets(event: str, steps: str, denied: bool) -> None:
    assert high(workflow(event, steps)) is denied


def test_a_label_that_guards_a_pull_request_is_medium() -> None:
    steps = f"{CHECKOUT}  if: contains(github.event.pull_request.labels.*.name, 'safe')\n- run: make"
    assert not high(workflow("pull_request_target", steps))


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ('t:\n  script:\n    - eval "$CI_COMMIT_MESSAGE"\n', True),
        ('t:\n  script:\n    - echo "$CI_COMMIT_MESSAGE"\n', False),
    ],
)
def test_variables_of_other_services(text: str, denied: bool) -> None:
    assert high(text, ".gitlab-ci.yml") is denied


@pytest.mark.parametrize(
    ("event", "steps", "denied"),
    [
        ("issue_comment", "- {run: 'echo ${{ github.event.comment.body }}'}", True),
        ("issue_comment", "- {env: {B: '${{ github.event.comment.body }}'}, run: 'echo \"$B\"'}", False),
        ("issue_comment", "- run: jq -r .comment.body $GITHUB_EVENT_PATH | bash", True),
        ("issue_comment", "- run: jq -r .comment.body $GITHUB_EVENT_PATH > body.txt", False),
        ("issue_comment", "- uses: ./.github/actions/run\n  with:\n    cmd: ${{ github.event.comment.body }}", True),
        ("issue_comment", "- uses: ./.github/actions/run\n  with:\n    title: ${{ github.event.comment.body }}", False),
        (
            "issue_comment",
            f"{SAID}  shell: python\n  run: |\n    import os\n    exec(os.environ['B'])",
            True,
        ),
        ("push", f"{HELD}  run: env > i.txt\n- uses: actions/upload-artifact@v4\n  with: {{path: i.txt}}", True),
        ("push", "- run: sudo gcore -o c $(pgrep -f Runner.Worker)", True),
        ("push", '- env:\n    K: ${{ secrets.K }}\n  run: echo "$K" | rev > out.txt', True),
        (
            "push",
            f"{HELD}  run: env | sort > i.txt\n{UPLOAD}",
            True,
        ),
        (
            "push",
            f"{HELD}  run: pytest > i.txt\n{UPLOAD}",
            False,
        ),
    ],
)
def test_ways_around(event: str, steps: str, denied: bool) -> None:
    assert high(workflow(event, steps)) is denied


def test_what_anybody_decides_is_told_before_what_some_do() -> None:
    steps = "".join(f"      - run: echo {number} ${{{{ github.head_ref }}}}\n" for number in range(30))
    steps += "".join(f"      - run: echo ${{{{ github.event.commits[{number}].message }}}}\n" for number in range(30))
    begin = f"on: issues\njobs:\n  a:\n    steps:\n{steps}"
    told = list(workflow_remarks(f"{begin}      - run: echo ${{{{ github.event.issue.title }}}}\n"))
    assert [remark.kind for remark in told].count("asked") == 1
    assert all(remark.kind == "askable" for remark in workflow_remarks(begin))


def test_more_places_that_take_all_secrets_than_are_looked_at_are_said() -> None:
    takes = "".join(f"      A{number}: ${{{{ toJSON(secrets) }}}}\n" for number in range(21))
    text = f"on: push\njobs:\n  a:\n    env:\n{takes}"
    assert [remark.kind for remark in workflow_remarks(text)][-1] == "unread"
    assert "unread" not in [remark.kind for remark in workflow_remarks(text.replace("      A20: ", "      #"))]
