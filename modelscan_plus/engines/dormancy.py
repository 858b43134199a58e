"""`scan --dormancy`: the model runs on random inputs, in a sandboxed child, to see which branches sleep.

This is the one place where something of a model runs, only on request and only for ONNX, whose operators cannot leave
the runtime: no custom operator library is ever loaded, and the child can open no file and no connection. The values
that could be triggers are made outputs of the model by appending to the protocol buffer, which joins a repeated
message with what stands before it; the file itself stays as it is.

A value that depends on the input by the graph, that could gate the network's values, and that is bit for bit the same
on every random input, sleeps.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.finding import Finding, GraphEvidence
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.engines.interface import NO_OPINION, NOT_LOADED, NOT_READ
from modelscan_plus.formats.graphs.onnx.format import OnnxFormat
from modelscan_plus.formats.interface import HEAD, TAIL, View
from modelscan_plus.graph.analyse import analyse
from modelscan_plus.graph.flow import Analysis
from modelscan_plus.graph.masks import weighted_means
from modelscan_plus.graph.onnx import lower
from modelscan_plus.graph.sites import Effect, Site
from modelscan_plus.graph.state import few
from modelscan_plus.inspection import FileResult
from modelscan_plus.rules.graph_flow import DORMANT, site_finding
from modelscan_plus.rules.interface import Context

NAME = "dormancy"
MODEL_BYTES = 64 << 20
_WATCHED = 100
_ROUNDS = 12
_ENOUGH = 4
"""Runs without error that an answer needs."""
_MERGING = frozenset({"arith", "select", "index", "scatter", "bits", "saturate", "trunk", "join"})
_EXTRA = 'the extra "onnx" is not installed: pip install "modelscan-plus[onnx]"'


class DormancyExaminer:
    """Runs models in the child that it is made in."""

    def __init__(self) -> None:
        """Imports the runtime and opens one session, so that nothing is loaded later."""
        self._fault = ""
        try:
            import numpy as np
            import onnxruntime  # type: ignore[import-untyped]
        except ImportError:
            self._fault = _EXTRA
            return
        self._numpy, self._runtime = np, onnxruntime
        onnxruntime.set_default_logger_severity(4)
        try:
            shaken = np.random.default_rng(0).normal(size=(1, 2)).astype(np.float32)  # loads what is loaded late
            self._run(_warm_up(), [{"x": shaken}])
        except Exception as error:
            self._fault = f"the runtime does not start: {type(error).__name__}"

    def inspect(self, artifact: Artifact, limits: Limits) -> FileResult:
        """Findings about the file: those of the flow rules with what the runs said, and branches that sleep."""
        if self._fault:
            return _nothing(NOT_LOADED, self._fault)
        source = artifact.source
        view = View(artifact, source.pread(0, HEAD), source.pread(max(0, source.size - TAIL), TAIL))
        known = OnnxFormat()
        if not known.claims(view):
            return _nothing(NOT_READ, "nothing of its kind")
        if source.size > MODEL_BYTES:
            return _nothing(NO_OPINION, f"a model above {MODEL_BYTES >> 20} MiB is not run")
        try:
            facts = [fact for parsed in known.parse(artifact, Budget(limits)) for fact in parsed.facts]
        except BudgetExceeded as breach:
            return _nothing(NO_OPINION, breach.message)
        analysis = analyse(lower(facts[0].model))  # type: ignore[attr-defined]
        pairs = candidates(analysis)
        watched = list(dict.fromkeys(value for value, _, _ in pairs))[:_WATCHED]
        if not watched:
            return FileResult((), Coverage(CoverageState.ANALYSED))
        try:
            still, runs = self._watch(analysis, watched, source.pread(0, source.size))
        except Exception as error:
            return _nothing(NO_OPINION, f"the model does not run: {type(error).__name__}: {_spoken(error)}")
        if runs < _ENOUGH:
            return _nothing(NO_OPINION, "the model runs on no random input")
        return FileResult(
            (), Coverage(CoverageState.ANALYSED), tuple(_findings(analysis, pairs, still, runs, artifact))
        )

    def _watch(self, analysis: Analysis, watched: Sequence[int], data: bytes) -> tuple[dict[int, int], int]:
        """For each watched value in how many runs it was the same bit for bit, and how many runs there were."""
        names = [analysis.graph.values[value].name for value in watched]
        extra = b"".join(_field(12, _field(1, name.encode("utf-8", "surrogateescape"))) for name in names)
        feeds = [self._feed(analysis, number) for number in range(_ROUNDS)]
        seen: list[dict[object, int]] = [{} for _ in names]
        runs = 0
        for outputs in self._run(data + _field(7, extra), feeds, names):
            runs += 1
            for place, found in enumerate(outputs):
                flat = self._numpy.asarray(found).reshape(-1)
                if not flat.size or bool(self._numpy.all(flat == flat[0])):
                    value = flat[0].item() if flat.size else None
                    seen[place][value] = seen[place].get(value, 0) + 1
        return {value: max(seen[place].values(), default=0) for place, value in enumerate(watched)}, runs

    def _run(self, data: bytes, feeds: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> list[Any]:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = self._runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = self._runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        results = []
        for feed in feeds:
            try:
                results.append(session.run(list(names) or None, dict(feed)))
            except Exception:  # noqa: S112 - an input that the model does not take; the runs are counted
                continue
        return results

    def _feed(self, analysis: Analysis, number: int) -> dict[str, Any]:
        rng = self._numpy.random.default_rng(number)
        feed = {}
        for value in analysis.graph.inputs:
            info = analysis.graph.values[value]
            dims = info.dims or ()
            shape = tuple((3 if place == 0 else 9) if size is None else size for place, size in enumerate(dims))
            feed[info.name] = self._random(rng, info.kind, info.exact, shape, number)
        return feed

    def _random(self, rng: Any, kind: str, dtype: str, shape: tuple[int, ...], number: int) -> Any:
        np = self._numpy
        if kind == "bool":
            return np.asarray(rng.integers(0, 2, shape)).astype(bool)
        if kind == "int":
            return np.asarray(rng.integers(0, (2, 10, 50, 200)[number % 4], shape)).astype(dtype or "int64")
        spread = (rng.normal(size=shape), rng.uniform(0, 1, shape), rng.uniform(-2, 2, shape))
        if dtype.startswith(("u", "int")):
            spread = (rng.integers(0, 256, shape),) * 3
        return np.asarray(spread[number % 3]).astype(dtype or "float32")


def candidates(analysis: Analysis) -> list[tuple[int, int, int]]:
    """(value, node, content): values that could gate what an operator makes of the network's values."""
    graph = analysis.graph
    found: list[tuple[int, int, int]] = [
        (site.gate, site.node, site.content)
        for site in analysis.outcome.sites
        if site.gate >= 0 and _top(analysis, site.gate)
    ]
    means = weighted_means(analysis)
    for number, node in enumerate(graph.nodes):
        if analysis.classes[node.op] not in _MERGING or len(node.ins) < 2:
            continue
        flows = [(value, analysis.flow(value)) for value in node.ins if value >= 0]
        deepest = max(flows, key=lambda pair: pair[1].lax, default=None)
        if deepest is None or not deepest[1].data or deepest[1].lax == 0:
            continue
        for value, flow in flows:
            if flow is deepest[1] or not flow.data or flow.lax >= deepest[1].lax or not _top(analysis, value):
                continue
            quiet = (value, number) in means or flow.missing or flow.empty or flow.control or flow.count or flow.place
            if not quiet and (flow.gate or (flow.narrow and flow.strict == 0)) and few(flow.dims):
                found.append((value, number, deepest[0]))
    return list(dict.fromkeys(found))


def _top(analysis: Analysis, value: int) -> bool:
    info = analysis.graph.values[value]
    return info.producer >= 0 and bool(info.name) and not analysis.graph.nodes[info.producer].scope


def _findings(
    analysis: Analysis, pairs: Sequence[tuple[int, int, int]], still: Mapping[int, int], runs: int, artifact: Artifact
) -> list[Finding]:
    context = Context(artifact)
    known = {(site.gate, site.node) for site in analysis.outcome.sites}
    findings: list[Finding] = []
    for site in analysis.outcome.sites:
        if site.gate >= 0 and _top(analysis, site.gate):
            text = f"it was the same, bit for bit, in {still.get(site.gate, 0)} of {runs} batches"
            findings.append(_told(site_finding(analysis, site, context), text))
    for value, node, content in pairs:
        if still.get(value, 0) == runs and (value, node) not in known:
            site = Site(Effect.DORMANT, node, value, content, depth=analysis.flow(value).strict)
            finding = site_finding(analysis, site, context, raw=analysis.flow(value).strict == 0)
            findings.append(_told(finding, f"it was the same, bit for bit, in all {runs} batches"))
    return findings


def _told(finding: Finding, text: str) -> Finding:
    if not isinstance(finding.evidence, GraphEvidence):
        return finding
    return msgspec.structs.replace(finding, evidence=msgspec.structs.replace(finding.evidence, dormancy=text))


def merge(findings: Sequence[Finding], told: Sequence[Finding]) -> list[Finding]:
    """Our findings with what the runs said about them, and the branches that only the runs showed."""
    said = {(f.target, f.artifact, f.rule, f.subject): f for f in told}
    merged = [said.pop((f.target, f.artifact, f.rule, f.subject), f) for f in findings]
    return merged + [finding for finding in said.values() if finding.rule == DORMANT.id]


def _nothing(code: str, message: str) -> FileResult:
    return FileResult((), Coverage(CoverageState.NOT_ANALYSED, (CoverageReason(code, message),)))


def _spoken(error: BaseException) -> str:
    return shorten(" ".join(visible(str(error)).split()), 160)


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _warm_up() -> bytes:
    """The smallest model: y = Abs(x)."""
    node = _field(1, _field(1, b"x") + _field(2, b"y") + _field(4, b"Abs"))
    kind = _field(2, _field(1, b"\x08\x01"))
    graph = node + _field(2, b"g") + _field(11, _field(1, b"x") + kind) + _field(12, _field(1, b"y") + kind)
    return b"\x08\x08" + _field(7, graph) + _field(8, b"\x10\x0d")
