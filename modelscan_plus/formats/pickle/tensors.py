"""Names and shapes of the tensors that a pickle would rebuild, as a state dict has them.

torch writes each tensor as `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …)`, wrapped in
`_rebuild_parameter` where it is a parameter, and the whole as a dict, often below a key such as "state_dict".
"""

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.pickle.values import Call, Global, Items, Value, sequence
from modelscan_plus.formats.summaries import TensorNames

_MOST = 20_000
_HOLDERS = ("state_dict", "model", "model_state_dict", "module", "params", "ema", "generator")
_WRAPPERS = frozenset(("_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_from_type_v2"))


def tensor_names(result: Value) -> TensorNames | None:
    """The tensors of the dict that the pickle is, or that it holds under a usual key; None where there are none."""
    pairs = _pairs(result)
    found = _tensors(pairs)
    if not found:
        held = {key: value for key, value in pairs if isinstance(key, str) and key in _HOLDERS}
        found = next((tensors for key in _HOLDERS if (tensors := _tensors(_pairs(held.get(key))))), {})
    if not found:
        return None
    return TensorNames("pickle", found, len(found) < _MOST)


def _pairs(value: Value) -> list[tuple[Value, Value]]:
    if isinstance(value, Call):  # an OrderedDict, filled afterwards
        added = value.added
        value = added.arguments if added is not None else value.arguments
    items = value.items if isinstance(value, Items) else value if isinstance(value, (list, tuple)) else None
    pairs = [item for item in items or () if isinstance(item, tuple) and len(item) == 2]
    return [(item[0], item[1]) for item in pairs]


def _tensors(pairs: list[tuple[Value, Value]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for key, value in pairs[:_MOST]:
        shape = _shape(value)
        if isinstance(key, str) and shape is not None:
            found[shorten(visible(key))] = shape
    return found


def _shape(value: Value, depth: int = 0) -> tuple[int, ...] | None:
    if not isinstance(value, Call) or not isinstance(value.function, Global) or depth > 3:
        return None
    arguments = sequence(value.arguments) or []
    if value.function.name in _WRAPPERS and arguments:
        return _shape(arguments[0], depth + 1)
    if not value.function.name.startswith("_rebuild_tensor") or len(arguments) < 3:
        return None
    sizes = sequence(arguments[2])
    if sizes is None or not all(isinstance(size, int) for size in sizes):
        return None
    return tuple(size for size in sizes if isinstance(size, int))[:16]
