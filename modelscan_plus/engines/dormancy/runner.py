"""Running a model: sessions on its bytes, on one thread, without any library of operators of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]

from modelscan_plus.engines.dormancy.ordinary import CEILINGS, SIZES, Array, Plan, Port, draw, ports
from modelscan_plus.engines.dormancy.wire import cut, exposed
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.ir import READ

ELEMENTS = 6_000_000
"""Elements of all watched values of one run that are held at once."""
_NUMBERS = {"float32": 1, "uint8": 2, "int8": 3, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10} | {
    "float64": 11
}


class NotRun(Exception):
    """The model runs on none of the inputs that were tried."""


class Model:
    """A model that runs, with the inputs that it takes."""

    def __init__(self, analysis: Analysis, data: bytes) -> None:
        self.analysis, self.data = analysis, data
        self.runs = 0
        plain = _session(data)
        self.outputs = [one.name for one in plain.get_outputs()]
        self.ports: list[Port] = ports(analysis, plain.get_inputs())
        self.plan = self._fitting(plain)
        self.free = bool(self.ports) and all(port.shape and not isinstance(port.shape[0], int) for port in self.ports)
        """The first dimension of every input is a batch of any size."""
        first = [port.shape[0] for port in self.ports if port.shape]
        self.rows = min((size if isinstance(size, int) else self.plan.rows for size in first), default=1)
        """Rows of one batch."""
        self._sessions: dict[tuple[str, ...], Any] = {(): plain}

    def _fitting(self, session: Any) -> Plan:
        spoken = ""
        for rows, size in SIZES:
            for ceiling in CEILINGS:
                plan = Plan(rows, size, ceiling)
                try:
                    for family in (2, 0):
                        session.run(None, draw(self.ports, plan, family, 0))
                except Exception as error:
                    spoken = spoken or str(error)
                    continue
                return plan
        raise NotRun(spoken)

    def draw(self, family: int, run: int) -> dict[str, Array]:
        """An ordinary batch."""
        return draw(self.ports, self.plan, family, run)

    def session(self, names: Sequence[str]) -> Any:
        """A session in which these values are outputs; kept, as long as there are few."""
        known = set(self.outputs)
        key = tuple(name for name in names if name not in known)
        if key not in self._sessions:
            if len(self._sessions) > 4:
                self._sessions.pop(list(self._sessions)[1])
            self._sessions[key] = _session(exposed(self.data, key))
        return self._sessions[key]

    def run(self, names: Sequence[str], feed: Mapping[str, Array]) -> list[Array]:
        """These values on one batch; only what they need is computed."""
        self.runs += 1
        options = onnxruntime.RunOptions()
        options.only_execute_path_to_fetches = True
        options.log_severity_level = 4
        return list(self.session(names).run(list(names), dict(feed), options))

    def fixed(self, value: int) -> Array | None:
        """The numbers of a value that no input has an influence on; None where there are too many, or none."""
        graph = self.analysis.graph
        const = graph.values[value].const
        if const is not None:
            found = const.read(0, const.count) if 0 < const.count <= READ else None
            numbers = [one for one in found or () if isinstance(one, int | float)]
            return np.asarray(numbers, np.float64) if numbers else None
        producer = graph.values[value].producer
        if not graph.values[value].name or producer < 0 or graph.nodes[producer].scope:
            return None
        (array,) = self.run([graph.values[value].name], self.draw(0, 0))
        return np.asarray(array).astype(np.float64) if 0 < array.size <= READ else None

    def held(self, name: str, like: Array) -> Any:
        """A session in which the value `name` is an input of the type of `like`."""
        return _session(cut(self.data, name, _NUMBERS[str(np.asarray(like).dtype)]))


def _session(data: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
