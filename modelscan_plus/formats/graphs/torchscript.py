"""TorchScript in a torch zip archive: code that looks like Python, and pickles that hold what it works on.

    BASE/code/**/*.py     classes and functions in a subset of Python's grammar (PyTorch's python_print.cpp)
    BASE/data.pkl         the module: an object of a class of that code, its attributes by BUILD
    BASE/constants.pkl    a tuple of tensors, in the code CONSTANTS.c0, CONSTANTS.c1, …
    BASE/data/N, BASE/constants/N    storages, raw

Python's own parser reads the code, which runs none of it; the opcode machine reads the pickles, on symbols.
"""

import ast
from collections.abc import Iterable, Mapping

import msgspec

from modelscan_plus.core.bytesource import ByteSource
from modelscan_plus.core.coverage import CoverageReason
from modelscan_plus.core.facts import Facts
from modelscan_plus.core.limits import Budget
from modelscan_plus.core.text import visible
from modelscan_plus.formats.pickle.machine import Machine
from modelscan_plus.formats.pickle.values import Value

CODE_BYTES = 8 << 20
"""Bytes of all code files together."""
FILE_BYTES = 2 << 20
NESTING = 200
"""Brackets inside each other up to which a file is handed to the parser."""


class CodeFile(msgspec.Struct, frozen=True):
    """One file of code, parsed."""

    name: str
    """The whole member name."""
    module: str
    """Dotted, as the code refers to it: "__torch__.net"."""
    tree: ast.Module


class TorchScriptFacts(Facts, frozen=True):
    """One TorchScript archive."""

    code: tuple[CodeFile, ...]
    data: Value
    """What data.pkl would give: the module."""
    constants: Value
    example: Value
    """What traced_inputs.pkl would give, None for a scripted module."""
    storages: Mapping[str, ByteSource]
    """By name below the archive's base: "data/0", "constants/3"."""


def read(
    members: Iterable[tuple[str, ByteSource]], budget: Budget
) -> tuple[TorchScriptFacts | None, list[CoverageReason]]:
    """The facts, and what could not be read."""
    every = list(members)
    by_name = dict(every)
    base = next(
        (name.removesuffix("data.pkl") for name in by_name if name == "data.pkl" or name.endswith("/data.pkl")), None
    )
    if base is None:
        return None, [_gap("the archive has code, but no data.pkl")]
    gaps: list[CoverageReason] = []
    files: list[CodeFile] = []
    left = CODE_BYTES
    for name, source in every:
        if not name.startswith(f"{base}code/") or not name.endswith(".py"):
            continue
        left -= source.size
        if source.size > FILE_BYTES or left < 0:
            gaps.append(_gap(f"{visible(name)} is too large"))
            continue
        tree = parse(source.pread(0, source.size))
        if tree is None:
            gaps.append(_gap(f"{visible(name)} does not parse"))
            continue
        module = name[len(base) + len("code/") : -len(".py")].replace("/", ".")
        files.append(CodeFile(name, module, tree))
        budget.check_time()
    storages = {name[len(base) :]: source for name, source in by_name.items() if name.startswith(base)}
    facts = TorchScriptFacts(
        code=tuple(files),
        data=_result(storages.get("data.pkl"), budget),
        constants=_result(storages.get("constants.pkl"), budget),
        example=_result(storages.get("traced_inputs.pkl"), budget),
        storages=storages,
    )
    return facts, gaps


def parse(code: bytes) -> ast.Module | None:
    """The tree of a file; None for what Python's parser does not take, or what is nested without reason."""
    depth = deepest = 0
    for character in code:
        if character in b"([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in b")]}":
            depth -= 1
    if deepest > NESTING:
        return None
    try:
        return ast.parse(code.decode("utf-8"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _result(source: ByteSource | None, budget: Budget) -> Value:
    return Machine(source, 0, budget).run().result if source is not None else None


def _gap(message: str) -> CoverageReason:
    return CoverageReason(
        "torchscript-code", f"TorchScript: {message}; torch.jit.load may still run it", executable=True
    )
