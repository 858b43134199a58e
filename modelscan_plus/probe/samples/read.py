"""From the files of --samples to samples that fit a model."""

import codecs
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.samples import arrays, lines, pictures
from modelscan_plus.probe.samples.values import Box, Floats, Images, Rows, Texts, class_numbers, finite, quoted

_ARRAYS = (".npy", ".npz")
_CHANNELS = (1, 3, 4)
_SPAN = 1e-6
"""A channel that hardly changes over the samples has no range of its own."""
_HALF = 127.0
"""The largest number of pictures that run from 0 to 255 is above this."""


def preload() -> None:
    """Import what opens samples, codecs of text and of names in archives included. Raises ImportError."""
    for codec in ("utf-8-sig", "cp437", "latin-1"):
        codecs.lookup(codec)
    pictures.preload()


def read_images(files: ModelFiles, shape: tuple[int, int, int]) -> Images:
    """Pictures for a model that takes channels × height × width. Raises `NotProbed`.

    Files of pictures, or an array N × C × H × W, N × H × W × C, N × H × W, or N × F of as many numbers as the model
    takes. Pictures and arrays of uint8 run from 0 to 255, and what the model makes of that is not known from them. All
    other arrays are in the model's own units: from 0 to 1 or to 255 where they stay within, else their own range for
    each channel.
    """
    if shape[0] not in _CHANNELS:
        raise NotProbed(f"samples: pictures are read for models of 1, 3 or 4 channels, not {shape[0]}")
    name = files.single
    if not name.lower().endswith(_ARRAYS):
        return pictures.read_pictures(files, shape)
    values, labels = _arrays(files, name)
    stacked = _planes(values, shape, name)
    unit, box = _unit(stacked, values.dtype)
    fitted = np.stack([pictures.fit(picture, shape) for picture in unit])
    return Images(fitted, labels, _for_channels(box, shape[0]))


def read_rows(files: ModelFiles, features: int) -> Rows:
    """Rows for a model that takes `features` numbers. Raises `NotProbed`."""
    name = _one(files)
    if not name.lower().endswith(_ARRAYS):
        return lines.read_rows(_bytes(files, name), name, features)
    values, labels = _arrays(files, name)
    rows = values.reshape(len(values), -1).astype(np.float32)
    if rows.shape[1] != features:
        raise NotProbed(f"samples: {quoted(name)} has {rows.shape[1]:,} numbers for each sample, not {features:,}")
    finite(rows, name)
    return Rows(rows, labels)


def read_texts(files: ModelFiles) -> Texts:
    """Texts of a .jsonl, .csv or .txt. Raises `NotProbed`."""
    name = _one(files)
    found = lines.read_texts(_bytes(files, name), name)
    if not found.texts:
        raise NotProbed(f"samples: {quoted(name)} is empty")
    return found


def _one(files: ModelFiles) -> str:
    if not files.single:
        raise NotProbed("samples: one file is taken for this model, not a folder")
    return files.single


def _bytes(files: ModelFiles, name: str) -> bytes:
    try:
        return files.read(name, lines.MAX_FILE)
    except ValueError as error:
        raise NotProbed(f"samples: {quoted(name)} is larger than {lines.MAX_FILE:,} bytes") from error


def _arrays(files: ModelFiles, name: str) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    source = files[name]
    if source.pread(0, 4) == b"PK\3\4":
        values, labels = arrays.read_npz(source, name)
    else:
        values, labels = arrays.read_npy(source, name)
    return values, None if labels is None else _numbers(labels, name)


def _numbers(labels: NDArray[Any], name: str) -> NDArray[np.int64]:
    if labels.dtype.kind == "S":
        return class_numbers([bytes(label).decode("latin-1") for label in labels])
    if labels.dtype.kind == "U":
        try:
            return class_numbers([str(label) for label in labels])
        except ValueError as error:  # code points that do not exist
            raise NotProbed(f"samples: the labels of {quoted(name)} are not text") from error
    as_floats = labels.astype(np.float64)
    if not np.isfinite(as_floats).all() or (as_floats != np.floor(as_floats)).any() or (abs(as_floats) > 1e9).any():
        raise NotProbed(f"samples: the labels of {quoted(name)} are not class numbers")
    return labels.astype(np.int64)


def _planes(values: NDArray[Any], shape: tuple[int, int, int], name: str) -> Floats:
    """N × C × H × W in the array's own units."""
    channels, height, width = shape
    floats = values.astype(np.float32)
    finite(floats, name)
    match floats.shape:
        case (_, _, _):
            return floats[:, None]
        case (count, flat) if flat == channels * height * width:
            return floats.reshape(count, *shape)
        case (_, first, _, last) if first == channels or (first in _CHANNELS and last not in _CHANNELS):
            return floats
        case (_, _, _, last) if last in _CHANNELS:
            return floats.transpose(0, 3, 1, 2)
        case _:
            wanted = " × ".join(map(str, shape))
            found = " × ".join(map(str, floats.shape[1:]))
            raise NotProbed(f"samples: arrays of {found} do not fit a model that takes {wanted}")


def _unit(stacked: Floats, kind: np.dtype[Any]) -> tuple[Floats, Box | None]:
    """The samples from 0 to 1, and what 0 and 1 stand for."""
    low, high = float(stacked.min()), float(stacked.max())
    if kind == np.uint8:
        return stacked / np.float32(255), None
    if low >= 0 and high <= 1:
        return stacked, _box(stacked.shape[1], 0.0, 1.0)
    if low >= 0 and _HALF < high <= 255:
        return stacked / np.float32(255), _box(stacked.shape[1], 0.0, 255.0)
    lows, highs = stacked.min((0, 2, 3)), stacked.max((0, 2, 3))
    wide = highs - lows > _SPAN
    lows, highs = np.where(wide, lows, np.float32(low)), np.where(wide, highs, np.float32(high))
    scale = np.maximum(highs - lows, np.float32(_SPAN))
    unit = (stacked - lows[:, None, None]) / scale[:, None, None]
    return np.clip(unit, 0, 1).astype(np.float32), (lows, lows + scale)


def _box(channels: int, low: float, high: float) -> Box:
    return np.full(channels, low, dtype=np.float32), np.full(channels, high, dtype=np.float32)


def _for_channels(box: Box | None, channels: int) -> Box | None:
    """The box of as many channels as the model takes, where the samples have others."""
    if box is None or len(box[0]) == channels:
        return box
    if len(box[0]) == 4:
        return box[0][:channels], box[1][:channels]
    low, high = box[0].min(), box[1].max()
    return _box(channels, float(low), float(high))
