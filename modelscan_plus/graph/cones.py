"""A name for everything that a value is computed from: operators, attributes, how they are connected, small constants.

Two graphs that share a part give its values the same name, whatever their tensors and nodes are called; of large
constants only the size counts, since weights may have been trained on. `scan --reference` compares by it.
"""

import hashlib

from modelscan_plus.graph.ir import Const, Graph

_SMALL = 64


def cones(graph: Graph) -> dict[int, str]:
    """For each node the name of its cone, as hexadecimal digits."""
    names: dict[int, str] = {}
    values: dict[int, str] = {number: f"input {place}" for place, number in enumerate(graph.inputs)}
    for number, node in enumerate(graph.nodes):
        parts = [node.op, repr(sorted(node.attrs.items(), key=lambda item: item[0]))]
        for value in node.ins:
            if value >= 0 and value not in values:
                const = graph.values[value].const
                values[value] = _constant(const) if const is not None else "?"
            parts.append(values.get(value, "-"))
        name = hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        names[number] = name
        for place, out in enumerate(node.outs):
            if out >= 0:
                values[out] = f"{name} {place}"
    return names


def _constant(const: Const) -> str:
    found = const.read(0, const.count) if const.count <= _SMALL else None
    return f"{const.kind} {const.dims} {list(found) if found is not None else ''}"
