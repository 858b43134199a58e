"""Budgets: how much work hostile bytes may cause before the answer becomes "partial".

A `Budget` belongs to one top-level file and is shared by everything nested in it, so that a bomb starves
itself and not its neighbours. All limits but the deadline count work, not time: the same file ends the same
way on every machine.
"""

import time
from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(gt=0)]
PATIENCE = 3
"""Times `Limits.seconds` that one file may take by the clock."""
NODES = 400_000
"""Nodes of the syntax trees of one source, with those of code in its texts; the largest honest sources have 110,000."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Upper bounds for one top-level file. A policy's `[limits]` table may change any of them."""

    max_depth: Count = 8
    """Levels of nesting: an archive in an archive is two."""
    max_entries: Count = 100_000
    """Members of all archives together."""
    max_opcodes: Count = 20_000_000
    """Pickle opcodes of all streams together."""
    max_objects: Count = 4_000_000
    """Objects that pickle streams build together: a tuple counts one, a container two, a call five."""
    max_decompressed: Count = 2 << 30
    """Bytes that compressed members may expand to, together."""
    max_header: Count = 100_000_000
    """Bytes of one structured header (the safetensors library refuses more)."""
    max_findings: Count = 1_000
    """Findings of one file; further ones are counted, not kept."""
    seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    """Processor time for one file; by the clock it may take `PATIENCE` times as long, as it does on a busy machine."""
    memory: Count = 448 << 20
    """Bytes of address space the child may add while it reads."""


class BudgetExceeded(Exception):
    """A limit was reached. `code` is the coverage reason, for example "budget-opcodes"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Budget:
    """What is left of `Limits` for one top-level file."""

    def __init__(self, limits: Limits, deadline: float | None = None) -> None:
        """`deadline` is a `time.monotonic()` value; without one `PATIENCE` times `limits.seconds` from now."""
        self.limits = limits
        self.deadline = time.monotonic() + PATIENCE * limits.seconds if deadline is None else deadline
        self._processor = time.process_time() + limits.seconds
        self.entries = limits.max_entries
        self.opcodes = limits.max_opcodes
        self.objects = limits.max_objects
        self.decompressed = limits.max_decompressed
        self.nodes = NODES

    def take_entries(self, count: int) -> None:
        """Charge `count` archive members."""
        self.entries -= count
        if self.entries < 0:
            raise BudgetExceeded("budget-entries", f"more than {self.limits.max_entries:,} archive members")
        self.check_time()

    def take_objects(self, count: int) -> None:
        """Charge `count` objects that a pickle builds."""
        self.objects -= count
        if self.objects < 0:
            raise BudgetExceeded("budget-objects", f"builds more than {self.limits.max_objects:,} objects")

    def take_nodes(self, count: int) -> None:
        """Charge `count` nodes of a syntax tree."""
        self.nodes -= count
        if self.nodes < 0:
            raise BudgetExceeded("budget-nodes", f"a program of more than {NODES:,} expressions and statements")
        self.check_time()

    def take_decompressed(self, count: int) -> None:
        """Charge `count` bytes of decompressed output."""
        self.decompressed -= count
        if self.decompressed < 0:
            raise BudgetExceeded(
                "budget-decompressed", f"more than {self.limits.max_decompressed:,} bytes after decompression"
            )
        self.check_time()

    def check_time(self) -> None:
        """Raise when the time is used up; cheap enough to call once per few thousand steps."""
        if time.process_time() > self._processor or time.monotonic() > self.deadline:
            raise BudgetExceeded("timeout", f"not finished within {self.limits.seconds:g} s")
