"""The child's part of `scan --dormancy`: runs one model after the other and says what sleeps in each.

This is the one place where something of a model runs, only on request and only for ONNX, whose operators cannot leave
the runtime: no custom operator library is ever loaded, and the child can open no file and no connection.

Two things are reported. A few numbers that could gate the network's values and that are bit for bit the same on every
input. And, whatever it is made of, an operand that sleeps on ordinary inputs (quiet.py) while an input that was looked
for wakes it (search.py) and then moves the result far beyond anything that ordinary inputs give (effect.py).
"""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.bytesource import BytesSource
from modelscan_plus.core.coverage import Coverage, CoverageReason, CoverageState
from modelscan_plus.core.finding import Finding, GraphEvidence
from modelscan_plus.core.limits import Budget, BudgetExceeded, Limits
from modelscan_plus.core.text import shorten, visible
from modelscan_plus.engines.dormancy.wire import exposed, rehearsal
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
from modelscan_plus.rules.graph_flow import site_finding
from modelscan_plus.rules.interface import Context

if TYPE_CHECKING:
    from modelscan_plus.engines.dormancy.wake import Awake

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

            from modelscan_plus.engines.dormancy import runner, wake
        except ImportError:
            self._fault = _EXTRA
            return
        self._numpy, self._runtime, self._wake, self._not_run = np, onnxruntime, wake, runner.NotRun
        onnxruntime.set_default_logger_severity(4)
        try:
            self.inspect(Artifact("rehearsal.onnx", BytesSource(rehearsal())), Limits())  # loads what is loaded late
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
        data = source.pread(0, source.size)
        findings: list[Finding] = []
        gaps: list[str] = []
        if watched:
            try:
                still, runs = self._watch(analysis, watched, data)
            except Exception as error:
                return _nothing(NO_OPINION, f"the model does not run: {type(error).__name__}: {_spoken(error)}")
            if runs < _ENOUGH:
                gaps.append("the model runs on no random input")
            else:
                findings += _findings(analysis, pairs, still, runs, artifact)
        by_subject = {finding.subject: finding for finding in findings}
        for finding in self._woken(analysis, data, artifact, limits, gaps):
            by_subject[finding.subject] = finding  # what wakes it says more than that it slept
        findings = list(by_subject.values())
        state = CoverageState.NOT_ANALYSED if gaps else CoverageState.ANALYSED
        return FileResult((), Coverage(state, tuple(CoverageReason(NO_OPINION, gap) for gap in gaps)), tuple(findings))

    def _woken(
        self, analysis: Analysis, data: bytes, artifact: Artifact, limits: Limits, gaps: list[str]
    ) -> list[Finding]:
        """Operands that sleep and that an input wakes; why nothing could be said goes to `gaps`."""
        self._numpy.seterr(all="ignore")
        try:
            woken = self._wake.wake(analysis, data, time.monotonic() + limits.seconds / 2, gaps)
        except self._not_run:
            if not gaps:
                gaps.append("the model runs on no ordinary input")
            return []
        except Exception as error:
            gaps.append(f"the search for sleeping parts ended early: {type(error).__name__}: {_spoken(error)}")
            return []
        context = Context(artifact)
        sites = {site.node: site for site in reversed(analysis.outcome.sites)}
        return [
            _told(site_finding(analysis, sites.get(one.node) or _dormant(analysis, one), context), one.text)
            for one in woken
        ]

    def _watch(self, analysis: Analysis, watched: Sequence[int], data: bytes) -> tuple[dict[int, int], int]:
        """For each watched value in how many runs it was the same bit for bit, and how many runs there were."""
        names = [analysis.graph.values[value].name for value in watched]
        feeds = [self._feed(analysis, number) for number in range(_ROUNDS)]
        seen: list[dict[object, int]] = [{} for _ in names]
        runs = 0
        for outputs in self._run(exposed(data, names), feeds, names):
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


def _dormant(analysis: Analysis, one: "Awake") -> Site:
    return Site(Effect.DORMANT, one.node, one.value, one.content, depth=analysis.flow(one.value).strict)


def _told(finding: Finding, text: str) -> Finding:
    if not isinstance(finding.evidence, GraphEvidence):
        return finding
    return msgspec.structs.replace(finding, evidence=msgspec.structs.replace(finding.evidence, dormancy=text))


def _nothing(code: str, message: str) -> FileResult:
    return FileResult((), Coverage(CoverageState.NOT_ANALYSED, (CoverageReason(code, message),)))


def _spoken(error: BaseException) -> str:
    return shorten(" ".join(visible(str(error)).split()), 160)
