"""How the follower ends: loops, calls of themselves, classes that are not here, and code that is put together."""

import ast

from modelscan_plus.core.finding import Severity
from modelscan_plus.core.limits import Budget, Limits
from modelscan_plus.formats.text.python.follow import machine
from modelscan_plus.formats.text.python.follow.program import Program
from modelscan_plus.formats.text.python.follow.values import UNKNOWN, Either, Method, Outer, Unknown
from tests.rules.test_linked_code import worst

WRITES_CODE = (
    "def make(n):\n    code = 'def f(x):\\n    return ' + ' + '.join(f'x ** {i}' for i in range(n))\n"
    "    held = {}\n    exec(compile(code, 'f', 'exec'), held)\n    return held['f']\n"
)


def test_code_that_is_written_for_numbers_is_known_where_the_numbers_are() -> None:
    assert worst(WRITES_CODE + "f = make(4)") < Severity.HIGH.rank
    for calls in (
        "f = make(4)\nimport torch\ng = make(torch.load('n.pt'))",
        "f = make(4)\ndef own(h):\n    return h\n@own\ndef g(n):\n    return make(n)\ng(open('n').name)",
    ):
        assert worst(WRITES_CODE + calls) >= Severity.HIGH.rank


def chain(length: int, last: str) -> str:
    calls = "".join(f"def f{number}():\n    f{number + 1}()\n" for number in range(length))
    deeper = "".join(f"def g{number}():\n    g{number + 1}()\n" for number in range(5))
    deeper += "def g5():\n    os.system('sh /tmp/.n')\nclass K:\n    def __call__(self):\n        g0()\n"
    return f"import lib, os\n{deeper}{calls}def f{length}():\n    {last}\nf0()"


def test_what_is_handed_over_deep_inside_of_calls_runs_all_the_same() -> None:
    source = chain(56, "lib.keep(K())")
    program = Program({"m.py": ast.parse(source)}, {"m.py": source}, Budget(Limits()))
    found = program.effects(["m.py"])
    assert not program.exhausted
    assert "import" in {effect.when for _, effect in found if effect.kind == "process"}


def test_calls_of_one_function_by_itself_are_alike_however_many_values_come_together() -> None:
    few = Either((UNKNOWN, Method(UNKNOWN, "storage")))
    more = Either((Unknown(about="values"), Method(UNKNOWN, "storage"), Method(UNKNOWN, "values")))
    assert machine._kinds([few]) == machine._kinds([more])
    assert machine._kinds([few]) != machine._kinds([Either((*few.options, Outer("os.system")))])


def finished(source: str) -> tuple[list[str], set[str]]:
    program = Program({"m.py": ast.parse(source)}, {"m.py": source}, Budget(Limits()))
    found = program.effects(["m.py"])
    return program.exhausted, {effect.argument for _, effect in found if effect.kind == "code"}


def test_loops_that_change_nothing_end_and_long_ones_use_no_more_than_their_share() -> None:
    worker = "class M:\n    def forward(self, q):\n        while True:\n            x = q.get()\n            q.put(self.run(x))\n"
    assert not finished(worker + "".join(f"    def f{n}(self, q):\n        self.forward(q)\n" for n in range(20)))[0]
    rows = "[[(a, b, c) for a in range(40)] for b in range(40) for c in range(40)]"
    assert not finished(f"class M:\n    def forward(self):\n        {rows}\n" + f"        {rows}\n" * 12)[0]


def test_a_text_of_a_loop_that_was_left_early_is_unknown_and_one_that_ended_is_known() -> None:
    loop = "text = ''\nn = 0\nwhile n < {}:\n    text += 'x = 1;'\n    n += 1\nexec(text)\n"
    assert "x = 1;x = 1;x = 1;" in finished(loop.format(3))[1]
    busy = loop.replace("n += 1", "n += 1\n    " + "; ".join(["[a for a in range(50)]"] * 40))
    assert "…" in finished(busy.format(200))[1]
    assert "…" not in finished(loop.format(3))[1]


def test_what_a_class_that_is_not_here_holds_is_data_and_not_called_with_all_that_follows() -> None:
    given = ", ".join(f"self.size_{n}" for n in range(24))
    model = (
        "from lib import Base, Decoder\nclass M(Base):\n    def __init__(self, config):\n        self.d = Decoder({})\n"
    )
    program = Program({"m.py": ast.parse(model.format(given))}, {"m.py": model.format(given)}, Budget(Limits()))
    program.effects(["m.py"])
    assert not program.exhausted
    runs = (
        "import os\n"
        + model.format("self.run, self.prepare")
        + "    def prepare(self):\n        os.system('sh /tmp/.n')\n"
    )
    assert worst(runs) >= Severity.HIGH.rank


def test_a_function_that_hands_itself_a_new_function_each_time_comes_to_an_end() -> None:
    source = (
        "import lib\ndef apply(model, x, callback=None):\n    if lib.many(model):\n        for each in model.parts:\n"
        "            apply(each, x, callback=lambda d: callback(d))\n    return model(x)\n"
        "class M:\n    def forward(self, x):\n        return apply(self.model, x)\n"
    )
    assert not finished(source)[0]
