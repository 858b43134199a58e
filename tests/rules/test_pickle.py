"""Judgement of pickles: what is called, rebuilt, stored or patched decides, by whatever path it is reached."""

import struct

import pytest

from fixtures.make import assemble as asm
from modelscan_plus.core.finding import Finding, PickleEvidence, Severity
from tests.samples import above_info, inspect, rules

TRUE = asm.text("true")


def findings(body: bytes) -> tuple[Finding, ...]:
    return inspect(asm.pickle(body)).findings


def worst(body: bytes) -> str:
    found = findings(body)
    return found[0].severity.value if found else "none"


EXECUTING = """builtins:eval builtins:exec builtins:compile builtins:__import__ builtins:open os:system os:popen
posix:system nt:system subprocess:Popen subprocess:check_output subprocess:run pty:spawn runpy:run_path
runpy:_run_code code:interact timeit:timeit timeit:main trace:Trace.run cProfile:run profile:Profile.run bdb:Bdb.run
pdb:run doctest:debug_script idlelib.run:Executive.runcode lib2to3.pgen2.grammar:Grammar.loads ensurepip:_run_pip
pip:main pip._internal:main pydoc:pipepager ctypes:CDLL _ctypes:dlopen importlib:import_module pkgutil:resolve_name
marshal:loads pickle:loads _pickle:loads dill:loads torch:load torch.hub:load torch.serialization:load joblib:load
numpy:load pandas:read_pickle types:FunctionType types:CodeType atexit:register _posixsubprocess:fork_exec site:main
webbrowser:open socket:create_connection urllib.request:urlopen http.client:HTTPSConnection smtplib:SMTP ftplib:FTP
shutil:rmtree tempfile:mktemp io:open _io:FileIO io:FileIO logging:FileHandler logging.config:listen
multiprocessing.util:spawnv_passfds asyncio.unix_events:_UnixSubprocessTransport._start threading:Thread
numpy.testing._private.utils:runstring numpy.f2py.crackfortran:getlincoef
torch.utils.bottleneck.__main__:run_autograd_prof torch.utils.collect_env:run torch._dynamo.guards:GuardBuilder.get
torch.fx.experimental.symbolic_shapes:ShapeEnv.evaluate_guards_expression uuid:_get_command_stdout
_osx_support:_read_output _aix_support:_read_cmd_output imaplib:IMAP4_stream
test.support.script_helper:assert_python_ok __builtin__:eval __builtin__:execfile commands:getoutput popen2:popen2
cloudpickle.cloudpickle:_make_function dill._dill:_create_code""".split()


@pytest.mark.parametrize("entry", EXECUTING)
def test_a_call_with_a_known_effect_is_critical(entry: str) -> None:
    module, name = entry.split(":")
    assert worst(asm.call(asm.name(module, name), TRUE)) == "critical"


@pytest.mark.parametrize(
    "entry", ["platform:node", "textwrap:dedent", "calendar:prmonth", "getpass:getuser", "cgi:parse"]
)
def test_a_standard_library_call_that_is_not_permitted_is_high(entry: str) -> None:
    module, name = entry.split(":")
    assert worst(asm.call(asm.name(module, name))) == "high"


@pytest.mark.parametrize(
    "body",
    [
        asm.call(asm.name("logging", "os.system"), TRUE),
        asm.call(asm.name("torch.serialization", "os.system"), TRUE),
        asm.call(asm.name("random", "_os.system"), TRUE),
        asm.call(asm.name("collections", "OrderedDict.__init__.__globals__"), TRUE),
        b"\x80\x04clogging\nos.system\n" + asm.items(TRUE) + b"R",
    ],
)
def test_a_dotted_name_that_leads_elsewhere_denies(body: bytes) -> None:
    assert worst(body) in ("critical", "high")


def test_a_nested_class_is_no_crossing() -> None:
    found = findings(asm.rebuild(asm.name("mycorp.nets", "Outer.Inner")))
    assert {finding.rule for finding in found} == {"MSP1004"}


GETATTR = asm.name("builtins", "getattr")
IMPORT = asm.call(asm.name("importlib", "import_module"), asm.text("os"))


@pytest.mark.parametrize(
    "body",
    [
        asm.call(asm.call(GETATTR, IMPORT, asm.text("system")), TRUE),
        asm.call(asm.call(GETATTR, asm.name("collections", "OrderedDict"), asm.text("__subclasses__"))),
        asm.call(asm.call(asm.name("operator", "attrgetter"), asm.text("system")), IMPORT),
        asm.call(asm.call(asm.name("operator", "methodcaller"), asm.text("system"), TRUE), IMPORT),
        asm.call(asm.name("builtins", "map"), asm.name("posix", "system"), asm.items(TRUE)),
        asm.call(asm.name("functools", "partial"), asm.name("posix", "system"), TRUE),
        asm.call(asm.name("functools", "reduce"), asm.name("posix", "system"), asm.items(TRUE)),
        asm.call(asm.name("collections", "defaultdict"), asm.name("posix", "system")),
        asm.call(asm.name("string", "Formatter.get_field"), asm.text("0.x.__globals__[os]"), asm.items()),
        asm.call(
            asm.name("copyreg", "_reconstructor"), asm.name("subprocess", "Popen"), asm.name("builtins", "object"), b"N"
        ),
        asm.call(
            asm.name("torch._tensor", "_rebuild_from_type_v2"),
            asm.name("posix", "system"),
            asm.name("torch", "Tensor"),
            asm.items(TRUE),
            b"}",
        ),
        asm.call(asm.name("numpy.random._pickle", "__generator_ctor"), asm.name("posix", "system")),
        asm.call(
            asm.name("torch.storage", "_load_from_bytes"), asm.raw(asm.pickle(asm.call(asm.name("os", "system"), TRUE)))
        ),
        asm.call(asm.name("_codecs", "encode"), asm.text("x"), asm.text("zip")),
        asm.call(
            asm.name("dill._dill", "_create_array"), asm.name("posix", "system"), asm.items(TRUE), asm.items(), b"N"
        ),
        asm.call(asm.name("dill._dill", "_create_array"), asm.name("mycorp", "f"), asm.items(TRUE), asm.items(), b"N"),
        asm.call(asm.name("builtins", "bytearray"), asm.number(2_000_000_000)),
    ],
)
def test_an_indirection_is_followed(body: bytes) -> None:
    assert worst(body) in ("critical", "high")


@pytest.mark.parametrize(
    "body",
    [
        asm.call(asm.name("collections", "OrderedDict")),
        asm.call(asm.name("collections", "defaultdict"), asm.name("builtins", "list")),
        asm.call(asm.name("_codecs", "encode"), asm.text("x"), asm.text("latin1")),
        asm.call(asm.name("builtins", "bytearray"), asm.raw(b"abc")),
        asm.call(asm.name("builtins", "set"), b"]"),
        asm.call(
            asm.name("copyreg", "_reconstructor"),
            asm.name("sklearn.svm._classes", "SVC"),
            asm.name("builtins", "object"),
            b"N",
        ),
        asm.call(asm.name("functools", "partial"), asm.name("builtins", "int")),
        asm.call(
            asm.name("dill._dill", "_create_array"),
            asm.name("numpy._core.multiarray", "_reconstruct"),
            asm.items(asm.name("numpy", "ndarray"), asm.items(asm.number(0)), b"C\x01b"),
            asm.items(asm.number(1), asm.items(asm.number(0))),
            b"N",
        ),
        asm.call(asm.name("datetime", "datetime"), asm.raw(b"\x07\xe6\x01\x01\x00\x00\x00\x00\x00\x00")),
        asm.call(
            asm.name("copy_reg", "_reconstructor"),
            asm.name("sklearn.svm._classes", "SVC"),
            asm.name("__builtin__", "object"),
            b"N",
        ),
    ],
)
def test_what_honest_pickles_do_stays_silent(body: bytes) -> None:
    assert not above_info(inspect(asm.pickle(body)))


@pytest.mark.parametrize(
    "body",
    [
        asm.name("json", "JSONDecoder") + asm.mapping(decode=asm.number(1)) + asm.BUILD,
        asm.name("sys", "path") + asm.text("/tmp/x") + b"a",
        asm.name("os", "environ") + asm.MARK + asm.text("LD_PRELOAD") + asm.text("x") + b"u",
        asm.name("sys", "modules") + asm.text("os") + b"Ns",
    ],
)
def test_changing_what_was_imported_denies(body: bytes) -> None:
    found = findings(body)
    assert found[0].rule == "MSP1007"
    assert found[0].severity.rank >= Severity.HIGH.rank


def test_building_the_pickles_own_object_is_no_patch() -> None:
    body = asm.call(asm.name("collections", "OrderedDict")) + asm.mapping(a=asm.number(1)) + asm.BUILD
    assert not findings(body)


def test_a_discarded_result_and_a_later_pickle_are_judged() -> None:
    hostile = asm.pickle(asm.call(asm.name("os", "system"), TRUE) + asm.POP + b"}")
    assert rules(hostile) == {"MSP1001"}
    assert rules(asm.pickle(b"}") + hostile) == {"MSP1001"}


def test_repeats_are_folded_but_different_arguments_stay_apart() -> None:
    once = asm.call(asm.name("mycorp", "f"), asm.text("x"))
    found = findings(b"]" + asm.MARK + once * 50 + asm.call(asm.name("mycorp", "f"), asm.text("y")) + b"e")
    assert len(found) == 2
    assert "50 times" in found[0].message


def test_evidence_leads_from_the_import_to_the_call() -> None:
    result = inspect(asm.pickle(asm.mapping(a=asm.number(1), b=asm.call(asm.name("posix", "system"), TRUE))))
    (finding,) = result.findings
    evidence = finding.evidence
    assert isinstance(evidence, PickleEvidence)
    assert evidence.callable == "posix.system"
    assert evidence.arguments == "'true'"
    assert [step.partition(" ")[0] for step in evidence.chain] == ["STACK_GLOBAL", "REDUCE"]
    marked = [line for line in evidence.disassembly if line.marked]
    assert [(line.opcode, line.offset) for line in marked] == [("REDUCE", finding.location.offset)]
    (program,) = result.programs
    assert [line.code for line in program.lines if line.severity] == ["v1 = posix.system('true')"]


def test_hostile_names_are_made_visible() -> None:
    (finding,) = findings(asm.call(asm.name("evil\u202emodule", "f\x1b[2J")))
    assert "\x1b" not in finding.message
    assert "\u202e" not in finding.message


def test_a_text_file_is_no_pickle() -> None:
    for text in (
        b"click\njinja2\nmsgspec\n",
        b"(c) 2019 X\nAll rights\nReserved or not\n",
        b"N.B. this is text\n",
        b"cos\nsin\n",
    ):
        assert inspect(text, "notes.txt").formats == ("text",)


def test_a_truncated_header_of_text_opcodes_still_counts_when_it_calls() -> None:
    assert "MSP1001" in rules(b"cos\nsystem\n(S'true'\ntR", "notes.txt")


SVC = asm.rebuild(asm.name("sklearn.svm._classes", "SVC"))
HARMLESS = asm.name("numpy", "sum")


@pytest.mark.parametrize(
    "body",
    [
        SVC + asm.mapping(__setstate__=HARMLESS) + asm.BUILD + TRUE + asm.BUILD,
        SVC + asm.mapping(append=HARMLESS) + asm.BUILD + TRUE + b"a",
        SVC + asm.mapping(extend=HARMLESS) + asm.BUILD + asm.MARK + TRUE + b"e",
        SVC + asm.mapping(add=HARMLESS) + asm.BUILD + asm.MARK + TRUE + b"\x90",
        SVC + asm.items(b"N", asm.mapping(__class__=HARMLESS)) + asm.BUILD,
    ],
)
def test_an_instance_attribute_in_place_of_a_method_is_a_call(body: bytes) -> None:
    assert worst(body) == "high"


@pytest.mark.parametrize(
    "body",
    [
        SVC + asm.mapping(append=asm.number(1)) + asm.BUILD,
        SVC + asm.mapping(add=HARMLESS) + asm.BUILD,  # stored, and no opcode uses it
        SVC + asm.items(b"N", asm.mapping(kernel=TRUE)) + asm.BUILD,
    ],
)
def test_an_attribute_that_no_opcode_uses_is_none(body: bytes) -> None:
    assert not findings(body)


OPTIONAL = asm.call(asm.name("_operator", "getitem"), asm.name("typing", "List"), asm.name("builtins", "int"))
TEMPLATE = (
    "\ndef _parse_args(self, a, b, loc=0, scale=1):\n    return (a, b), loc, scale\n\n"
    "def _parse_args_rvs(self, a, b, loc=0, scale=1, size=None):\n"
    "    return self._argcheck_rvs(a, b, loc, scale, size=size)\n\n"
    "def _parse_args_stats(self, a, b, loc=0, scale=1, moments='mv'):\n    return (a, b), loc, scale, moments\n"
)
BETA = asm.rebuild(asm.name("scipy.stats._continuous_distns", "beta_gen"))


@pytest.mark.parametrize(
    ("honest", "hostile"),
    [
        (OPTIONAL, asm.call(asm.name("_operator", "getitem"), SVC, TRUE)),
        (
            asm.call(asm.name("functools", "reduce"), asm.name("_operator", "or_"), asm.items(TRUE, TRUE)),
            asm.call(asm.name("functools", "reduce"), asm.name("_operator", "add"), asm.items(TRUE, TRUE)),
        ),
        (
            asm.call(asm.name("builtins", "type"), b"N"),
            asm.call(asm.name("builtins", "type"), asm.text("X"), asm.items(), b"}"),
        ),
        (
            asm.call(asm.name("builtins", "iter"), b"]"),
            asm.call(asm.name("builtins", "iter"), HARMLESS, b"N"),
        ),
        (
            asm.call(asm.name("builtins", "list"), b"]"),
            asm.call(asm.name("builtins", "list"), asm.call(asm.name("itertools", "count"), asm.number(0))),
        ),
        (
            asm.call(asm.name("builtins", "int"), asm.text("12")),
            asm.call(asm.name("builtins", "int"), asm.text("9" * 5000)),
        ),
        (
            asm.call(asm.name("fractions", "Fraction"), asm.text("1/3")),
            asm.call(asm.name("fractions", "Fraction"), asm.text("1e999999999")),
        ),
        (
            asm.call(asm.name("numpy", "ndarray"), asm.items(asm.number(3))),
            asm.rebuild(asm.name("numpy", "ndarray"), asm.items(asm.number(2**30), asm.number(2**30))),
        ),
        (
            asm.call(
                asm.name("numpy._core.multiarray", "_reconstruct"),
                asm.name("numpy", "memmap"),
                asm.items(asm.number(0)),
                asm.raw(b"b"),
            ),
            asm.rebuild(asm.name("numpy._core.memmap", "memmap"), asm.text("/tmp/x"), asm.text("u1"), asm.text("w+")),
        ),
        (
            asm.call(asm.name("numpy.core", "_ufunc_reconstruct"), asm.text("numpy"), asm.text("log1p")),
            asm.call(asm.name("numpy.core", "_ufunc_reconstruct"), asm.text("mycorp"), asm.text("log1p")),
        ),
        (
            asm.call(
                asm.name("numpy.random._pickle", "__generator_ctor"),
                asm.text("PCG64"),
                asm.name("numpy.random._pickle", "__bit_generator_ctor"),
            ),
            asm.call(asm.name("numpy.random._pickle", "__generator_ctor"), asm.text("PCG64"), HARMLESS),
        ),
        (
            asm.call(
                asm.name("pandas.core.indexes.base", "_new_Index"), asm.name("pandas.core.indexes.base", "Index"), b"}"
            ),
            asm.call(asm.name("pandas.core.indexes.base", "_new_Index"), HARMLESS, b"}"),
        ),
        (
            asm.call(
                asm.name("copyreg", "_reconstructor"),
                asm.name("sklearn.svm._classes", "SVC"),
                asm.name("builtins", "object"),
                b"N",
            ),
            asm.call(
                asm.name("copyreg", "_reconstructor"),
                asm.name("sklearn.svm._classes", "SVC"),
                asm.name("mycorp", "Base"),
                TRUE,
            ),
        ),
        (
            BETA + asm.mapping(_parse_arg_template=asm.text(TEMPLATE)) + asm.BUILD,
            BETA + asm.mapping(_parse_arg_template=asm.text("import os; os.system('true')")) + asm.BUILD,
        ),
        (
            asm.rebuild(asm.name("joblib.numpy_pickle", "NDArrayWrapper"))
            + asm.mapping(filename=asm.text("model.pkl_01.npy"))
            + asm.BUILD,
            asm.rebuild(asm.name("joblib.numpy_pickle", "NDArrayWrapper"))
            + asm.mapping(filename=asm.text("/etc/other.npy"))
            + asm.BUILD,
        ),
        (
            asm.call(
                asm.call(GETATTR, asm.name("zoneinfo", "ZoneInfo"), asm.text("_unpickle")), asm.text("UTC"), b"K\x01"
            ),
            asm.call(asm.call(GETATTR, asm.name("zoneinfo", "ZoneInfo"), asm.text("from_file")), asm.text("/x")),
        ),
        (
            asm.call(asm.name("torch.storage", "_load_from_bytes"), asm.raw(b"\x80\x02}.")),
            asm.call(
                asm.name("torch.storage", "_load_from_bytes"),
                asm.call(asm.name("_codecs", "encode"), asm.text("I1\n0cposix\nsystem\n(Vid\ntR."), asm.text("latin1")),
            ),
        ),
        (
            asm.call(asm.name("logging", "getLogger"), asm.text("a.b")),
            asm.call(asm.name("logging", "FileHandler"), asm.text("/tmp/x")),
        ),
        (
            asm.rebuild(asm.name("textwrap", "TextWrapper")) + asm.mapping(width=asm.number(70)) + asm.BUILD,
            asm.rebuild(asm.name("builtins", "map"), asm.name("mycorp", "f"), asm.items(TRUE)),
        ),
    ],
)
def test_arguments_and_states_decide(honest: bytes, hostile: bytes) -> None:
    assert not above_info(inspect(asm.pickle(honest)))
    assert worst(hostile) in ("high", "critical")


def test_a_module_need_not_be_an_identifier() -> None:
    assert worst(asm.call(asm.name("my-module", "f"))) == "high"


@pytest.mark.parametrize("length", [1, 4, 40])
def test_a_frame_of_a_wrong_length_denies_and_the_right_one_is_silent(length: int) -> None:
    body = asm.line_name("collections", "OrderedDict") + b")R."
    assert not findings_of(asm.PROTO4 + b"\x95" + struct.pack("<Q", len(body)) + body)
    wrong = findings_of(asm.PROTO4 + b"\x95" + struct.pack("<Q", length) + body + b"N" * 50)
    assert wrong[0].rule == "MSP1012"
    assert wrong[0].severity is (Severity.HIGH)


def findings_of(data: bytes) -> tuple[Finding, ...]:
    return inspect(data).findings


def test_a_name_of_python_2_is_judged_by_what_it_is_called_today() -> None:
    assert not above_info(inspect(b"\x80\x02cUserDict\nUserDict\n)\x81}b."))
    assert worst(b"ccommands\ngetoutput\n(Vid\ntR") == "critical"
    assert "calls subprocess.getoutput(" in findings_of(b"ccommands\ngetoutput\n(Vid\ntR.")[0].message


ADD = asm.name("sympy.core.add", "Add")


@pytest.mark.parametrize(
    "body",
    [
        asm.rebuild(ADD, asm.text("__import__('os').system('true')")),
        asm.call(asm.name("copyreg", "__newobj__"), ADD, asm.text("print(1)")),
    ],
)
def test_a_text_that_sympy_evaluates_denies(body: bytes) -> None:
    assert worst(body) == "critical"


def test_a_symbol_and_a_number_are_no_code() -> None:
    symbol = asm.rebuild(asm.name("sympy.core.symbol", "Symbol"), asm.text("x"))
    assert worst(asm.rebuild(ADD, symbol, asm.text("1.5"))) not in ("high", "critical")


def test_importing_a_main_module_runs_a_program() -> None:
    assert worst(asm.name("mycorp.__main__", "x")) == "high"
    assert worst(asm.name("mycorp.main", "x")) == "medium"


@pytest.mark.parametrize(
    "body",
    [
        SVC + asm.mapping(append=asm.name("mycorp", "f")) + asm.BUILD,
        SVC + asm.call(asm.name("collections", "OrderedDict"), asm.mapping(__setstate__=HARMLESS)) + asm.BUILD,
        SVC + asm.call(asm.name("collections", "OrderedDict")) + asm.text("append") + asm.name("mycorp", "f") + b"sb",
        asm.rebuild(asm.name("types", "SimpleNamespace"))
        + asm.mapping(append=HARMLESS)
        + asm.BUILD
        + asm.MARK
        + TRUE
        + b"e",
    ],
)
def test_a_state_in_disguise_is_read(body: bytes) -> None:
    assert worst(body) == "high"


LOGGER = asm.call(asm.name("logging", "getLogger"))
NAMESPACE = asm.rebuild(asm.name("types", "SimpleNamespace"))


@pytest.mark.parametrize(
    "body",
    [
        LOGGER + asm.mapping(disabled=b"\x88") + asm.BUILD,
        asm.call(asm.name("http", "HTTPStatus"), asm.number(200)) + asm.mapping(_value_=asm.number(500)) + asm.BUILD,
        asm.call(asm.name("uuid", "UUID"), NAMESPACE + asm.mapping(replace=asm.name("mycorp", "f")) + asm.BUILD),
        SVC + asm.mapping(extend=HARMLESS) + asm.BUILD + TRUE + b"a",
    ],
)
def test_what_the_process_shares_and_what_imitates_denies(body: bytes) -> None:
    assert worst(body) in ("high", "critical")


@pytest.mark.parametrize(
    "body", [LOGGER, NAMESPACE + asm.mapping(a=asm.number(1)) + asm.BUILD, asm.items(LOGGER, NAMESPACE)]
)
def test_a_logger_and_a_namespace_alone_are_silent(body: bytes) -> None:
    assert not above_info(inspect(asm.pickle(body)))


@pytest.mark.parametrize("module", ["__main__", "mycorp.nets"])
def test_a_class_of_somebodys_script_is_unknown_and_no_more(module: str) -> None:
    assert worst(asm.rebuild(asm.name(module, "Net")) + asm.mapping(a=asm.number(1)) + asm.BUILD) == "medium"
    assert worst(asm.call(asm.name(module, "make"))) == "high"
