"""Programs of PaddlePaddle: operators that call Python, open files, talk to other machines or are compiled."""

from collections.abc import Iterator

from modelscan_plus.core.finding import Finding, Severity, TextEvidence
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.paddle import PaddleFacts, PaddleOperator, ParametersFacts
from modelscan_plus.graph.origins import Origin
from modelscan_plus.rules.graph_file_external import RANGE
from modelscan_plus.rules.graph_limits import shown, some
from modelscan_plus.rules.interface import Context, Rule, judges
from modelscan_plus.rules.tensorflow import COMPILED, NETWORK, READS, RUNS_CODE, WRITES, judged

_CODE = frozenset("py_func py_layer pylayer static_pylayer".split())
_READS = frozenset("load load_combine read_file create_custom_reader open_files random_data_generator".split())
_WRITES = frozenset("save save_combine save_op".split())
_COMPILED = lazy(
    r"^(?:tensorrt_engine|lite_engine|dlnne_engine|openvino_engine|cinn_launch|ipu_runtime|custom_engine)$"
)
_NETWORK = lazy(
    r"^(?:send|send_v2|recv_save|listen_and_serv|heter_listen_and_serv|send_and_recv|fetch_barrier|send_barrier"
    r"|checkpoint_notify|distributed_lookup_table|distributed_push_sparse|push_\w+|pull_\w+|c?_?gen_(?:nccl|bkcl|hccl|xccl)_id)$"
)


@judges(PaddleFacts)
def operators(facts: PaddleFacts, context: Context) -> Iterator[Finding]:
    """Each kind of operator once, the worst first."""
    found = [item for operator in facts.operators for item in _judged(operator)]
    found.sort(key=lambda item: -item[1].rank)
    for (rule, severity, name, message), more in some(found):
        text = f"{message}.{more}"
        yield context.finding(rule, text, TextEvidence(shown(name)), subject=message, severity=severity)


def _judged(operator: PaddleOperator) -> Iterator[tuple[Rule, Severity, str, str]]:
    name = operator.name
    quoted = f'The operator "{shown(name)}"'
    if name in _CODE:
        yield RUNS_CODE, RUNS_CODE.severity, name, f"{quoted} calls a function of the Python process"
    elif _NETWORK.match(name):
        yield NETWORK, NETWORK.severity, name, f"{quoted} talks to other machines"
    elif _COMPILED.match(name):
        yield COMPILED, COMPILED.severity, name, f"{quoted} is compiled"
    elif name in _READS or name in _WRITES:
        deed, rule = ("write", WRITES) if name in _WRITES else ("read", READS)
        origin = Origin(frozenset(operator.texts)) if operator.texts else Origin(kinds=frozenset(("caller",)))
        severity, why = judged(deed, origin)
        if severity is not None:
            yield rule, severity, name, f"{quoted} {'writes' if rule is WRITES else 'reads'} a file {why}"


@judges(ParametersFacts)
def parameters(facts: ParametersFacts, context: Context) -> Iterator[Finding]:
    """Tensors that are not in their file."""
    if facts.wrong:
        text = f"In the file of parameters {facts.wrong}."
        yield context.finding(RANGE, text, TextEvidence(shown(facts.wrong, 300)), subject="tensor")
