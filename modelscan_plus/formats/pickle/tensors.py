"""Names and shapes of the tensors that a pickle would rebuild, as a state dict has them.

torch writes each tensor as `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …)`, wrapped in
`_rebuild_parameter` where it is a parameter, and the whole as a dict, often below a key such as "state_dict".
"""

from collections.abc import Mapping
from typing import NamedTuple

from modelscan_plus.core.text import shorten, visible
from modelscan_plus.formats.pickle.values import Call, Global, Items, PersistentId, Value, sequence, text_of
from modelscan_plus.formats.summaries import TensorNames, TensorPlace
from modelscan_plus.formats.tensors.dtypes import DTYPE_BITS, STORAGE_DTYPES
from modelscan_plus.formats.tensors.places import chosen

_MOST = 20_000
_MOST_TIED = 100
_HOLDERS = ("state_dict", "model", "model_state_dict", "module", "params", "ema", "generator")
_WRAPPERS = frozenset(("_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_from_type_v2"))


class _Tensor(NamedTuple):
    """The arguments of one call that rebuilds a tensor."""

    shape: tuple[int, ...]
    storage: str = ""
    dtype: str = ""
    offset: int = 0
    """In the storage, in numbers."""
    plain: bool = False
    """The numbers stand one after another in the order of the shape."""


def tensor_names(result: Value) -> TensorNames | None:
    """The tensors of the dict that the pickle is, or that it holds under a usual key; None where there are none."""
    pairs = _pairs(result)
    found = _tensors(pairs)
    if not found:
        held = {key: value for key, value in pairs if isinstance(key, str) and key in _HOLDERS}
        found = next((tensors for key in _HOLDERS if (tensors := _tensors(_pairs(held.get(key))))), {})
    if not found:
        return None
    shapes = {name: tensor.shape for name, tensor in found.items()}
    return TensorNames("pickle", shapes, len(found) < _MOST, _places(found), _tied(found))


def _places(found: Mapping[str, _Tensor]) -> dict[str, TensorPlace]:
    places: dict[str, TensorPlace] = {}
    for name in chosen(found):
        tensor = found[name]
        if tensor.plain and tensor.dtype in DTYPE_BITS:
            start = tensor.offset * DTYPE_BITS[tensor.dtype] // 8
            places[name] = TensorPlace(tensor.dtype, start, _count(tensor.shape), tensor.storage)
    return places


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count = min(count * max(size, 0), 1 << 62)
    return count


def _tied(found: Mapping[str, _Tensor]) -> tuple[str, ...]:
    """Names whose numbers are those of another name."""
    seen: dict[tuple[str, int], list[str]] = {}
    for name, tensor in found.items():
        if tensor.storage:
            seen.setdefault((tensor.storage, tensor.offset), []).append(name)
    return tuple(name for names in seen.values() if len(names) > 1 for name in names)[:_MOST_TIED]


def _pairs(value: Value) -> list[tuple[Value, Value]]:
    if isinstance(value, Call):  # an OrderedDict, filled afterwards
        added = value.added
        value = added.arguments if added is not None else value.arguments
    items = value.items if isinstance(value, Items) else value if isinstance(value, (list, tuple)) else None
    pairs = [item for item in items or () if isinstance(item, tuple) and len(item) == 2]
    return [(item[0], item[1]) for item in pairs]


def _tensors(pairs: list[tuple[Value, Value]]) -> dict[str, _Tensor]:
    found: dict[str, _Tensor] = {}
    for key, value in pairs[:_MOST]:
        tensor = _tensor(value)
        if isinstance(key, str) and tensor is not None:
            found[shorten(visible(key))] = tensor
    return found


def _tensor(value: Value, depth: int = 0) -> _Tensor | None:
    if not isinstance(value, Call) or not isinstance(value.function, Global) or depth > 3:
        return None
    arguments = sequence(value.arguments) or []
    if value.function.name in _WRAPPERS and arguments:
        return _tensor(arguments[0], depth + 1)
    if not value.function.name.startswith("_rebuild_tensor") or len(arguments) < 3:
        return None
    shape = _numbers(arguments[2])
    if shape is None:
        return None
    strides = _numbers(arguments[3]) if len(arguments) > 3 else None
    offset = arguments[1]
    storage, dtype = _storage(arguments[0])
    if not storage or not isinstance(offset, int) or not 0 <= offset < 1 << 48:
        return _Tensor(shape)
    return _Tensor(shape, storage, dtype, offset, _is_plain(shape, strides))


def _storage(value: Value) -> tuple[str, str]:
    """Key and dtype of `("storage", class, key, location, numel)`, empty where it is something else."""
    parts = (sequence(value.value) if isinstance(value, PersistentId) else None) or []
    if len(parts) < 5 or text_of(parts[0]) != "storage" or not isinstance(parts[1], Global):
        return "", ""
    if len(parts) > 5 and parts[5] is not None:  # a view into the storage, as old files have it
        return "", ""
    return text_of(parts[2]) or "", STORAGE_DTYPES.get(parts[1].name, "")


def _numbers(value: Value) -> tuple[int, ...] | None:
    sizes = sequence(value)
    if sizes is None or not all(isinstance(size, int) for size in sizes):
        return None
    return tuple(size for size in sizes if isinstance(size, int))[:16]


def _is_plain(shape: tuple[int, ...], strides: tuple[int, ...] | None) -> bool:
    """True for strides that put the numbers one after another; what stands for a size of 1 is arbitrary."""
    if strides is None or len(strides) != len(shape):
        return False
    step = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != step:
            return False
        step = min(step * max(size, 1), 1 << 62)
    return True
