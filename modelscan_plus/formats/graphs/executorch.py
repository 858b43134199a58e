"""ExecuTorch programs (.pte): a FlatBuffer with the letters ET12, and segments of data behind it.

    at 4       "ET12"; at 8 "eh00", u32 length of this header, u64 size of the program, u64 where the segments begin
    Program    version, execution_plan, constant_buffer, backend_delegate_data, segments, constant_segment,
               mutable_data_segments, named_data
    plan       name, container_meta_type, values, inputs, outputs, chains, operators, delegates, non_const_buffer_sizes
    segment    u64 offset from where the segments begin, u64 size

Operators are kernels by name; delegates are parts of the graph that were compiled for one backend, whose form is that
backend's own. Source: program.fbs of ExecuTorch.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from modelscan_plus.core.artifact import Artifact
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget, BudgetExceeded
from modelscan_plus.core.patterns import lazy
from modelscan_plus.formats.graphs.flatbuffers import Flat, Malformed, Table
from modelscan_plus.formats.graphs.onnx.contents import ContentFacts
from modelscan_plus.formats.graphs.parts import embedded
from modelscan_plus.formats.interface import Format, Parsed, Region, View

_KEPT = 50
_NAMES = 5_000
_NATIVE = lazy(r"^(?:Qnn|Neuropilot|Samsung|Enn|Mediatek|Cuda|Aoti|Vgf)", re.I)


class ExecuTorchFacts(Facts, frozen=True):
    """One program."""

    operators: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Kernels by name, with the number of plans that need them."""
    delegates: tuple[str, ...] = ()
    """Backends for which parts were compiled."""
    wrong: tuple[str, ...] = ()
    broken: str = ""


class ExecuTorchFormat(Format):
    """ExecuTorch programs."""

    name = "executorch"
    title = "ExecuTorch program"
    extensions = (".pte",)
    executable = False
    description = (
        "The tables of the program with all offsets held against the file's end: plans with the kernels and backends "
        "that they need, buffers, segments, named data. Segments and data of backends are looked into for other "
        "files. Not read: values, instructions, and what was compiled for a backend, which is said. Loader: "
        "ExecuTorch."
    )

    def claims(self, view: View) -> bool:
        return not view.artifact.payload and view.head[4:8] in (b"ET12", b"ET13")

    def parse(self, artifact: Artifact, budget: Budget) -> Iterable[Parsed]:
        flat = Flat(artifact.source, budget)
        walk = _Walk(flat)
        breach: BudgetExceeded | None = None
        try:
            walk.program()
        except Malformed as fault:
            walk.broken = str(fault)
        except BudgetExceeded as error:
            breach = error
        left = [
            CoverageReason("inner-program", f"the part that was compiled for {name[:80]} is not read")
            for name in list(walk.delegates)[:_KEPT]
        ]
        if walk.broken:
            left.append(CoverageReason("malformed", f"the program cannot be followed: {walk.broken}", executable=True))
        whole = walk.broken or breach is not None or not walk.extended
        end = artifact.source.size if whole else max(walk.size, *walk.ends)
        facts = ExecuTorchFacts(walk.operators, tuple(walk.delegates), tuple(walk.wrong[:_KEPT]), walk.broken)
        held, parts = embedded(artifact, ((f"data {number}", *place) for number, place in enumerate(walk.data)))
        if any(_NATIVE.match(name) for name in walk.delegates):  # their compilers write ELF
            held = ContentFacts(payloads=tuple(item for item in held.payloads if item.kind != "elf"))
        yield Parsed((facts, held), (Region(0, end, "structure"),), parts, tuple(left))
        if breach is not None:
            raise breach


class _Walk:
    """Goes through one program."""

    def __init__(self, flat: Flat) -> None:
        self._flat = flat
        self.operators: dict[str, int] = {}
        self.delegates: dict[str, None] = {}
        self.wrong: list[str] = []
        self.broken = ""
        self.data: list[tuple[int, int]] = []
        self.ends: list[int] = [0]
        head = flat.read(0, min(32, flat.size))
        self.extended = head[8:12] == b"eh00" and len(head) == 32
        self.size = flat.number(16, "Q") if self.extended else flat.size
        self._base = flat.number(24, "Q") if self.extended else 0

    def program(self) -> None:
        """Everything."""
        if self.size > self._flat.size:
            self._note(f"the program has {self.size:,} bytes of {self._flat.size:,}")
        root = self._flat.root()
        for table in root.tables(2):
            self.data.append(table.vector(0, 1))
        inline = [table.vector(0, 1) for table in root.tables(3)]
        self.data += inline
        segments = [self._segment(table) for table in root.tables(4)]
        for plan in root.tables(1):
            self._plan(plan, len(inline), len(segments))
        for table in (table for table in (root.table(5), *root.tables(6)) if table is not None):
            self._within(table.number(0, "I"), len(segments), "a list of tensors", "segment")
        for entry in root.tables(7):
            self._within(entry.number(1, "I"), len(segments), f'the data "{entry.text(0)}"', "segment")

    def _note(self, what: str) -> None:
        if len(self.wrong) < _KEPT:
            self.wrong.append(what)

    def _within(self, number: int, count: int, who: str, what: str) -> None:
        # A list without segments is how programs without constants are written.
        if number >= count and (number or count):
            self._note(f"{who[:200]} names {what} {number:,} of {count:,}")

    def _segment(self, table: Table) -> tuple[int, int]:
        offset, size = table.number(0, "Q"), table.number(1, "Q")
        start = self._base + offset
        if start + size > self._flat.size:
            self._note(f"a segment of {size:,} bytes at {start:,} ends behind the file ({self._flat.size:,} bytes)")
            return 0, 0
        self.ends.append(start + size)
        self.data.append((start, size))
        return start, size

    def _plan(self, plan: Table, inline: int, segments: int) -> None:
        plan.text(0)
        values = plan.vector(2, 4)[1]
        for field in (3, 4):
            for place in plan.numbers(field):
                if not 0 <= place < values:
                    self._note(f"a plan names value {place:,} of {values:,}")
        for table in plan.tables(6):
            name = table.text(0) or ""
            if name in self.operators or len(self.operators) < _NAMES:
                self.operators[name] = self.operators.get(name, 0) + 1
        for table in plan.tables(7):
            self.delegates[table.text(0) or "(no name)"] = None
            held = table.table(1)
            if held is not None:
                count = segments if held.number(0, "b") else inline
                self._within(held.number(1, "I"), count, "a delegate", "segment")
