"""Pictures out of files, through Pillow, and their fit to what a model takes.

Size: the largest centred part of the model's proportions is cut out and scaled with Pillow's antialiased bilinear
filter. Channels: grey from colour by ITU-R 601, colour from grey by repetition, transparency is left out unless the
model takes four channels. Only the first picture of a file is read, and a camera's note of rotation is not followed.
"""

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from modelscan_plus.probe.files import ModelFiles
from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.samples.values import Floats, Images, class_numbers, spread

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP")
"""What is opened; the first bytes decide, not the name. MPO is what Pillow makes of a JPEG with two pictures."""
MAX_FILE = 64 << 20
"""Bytes of one file."""
MAX_PIXELS = 40_000_000
"""Pixels of one picture, looked up in its header before any is unpacked."""
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class NoPicture(Exception):
    """The bytes are not taken as a picture."""


def preload() -> None:
    """Import what Pillow would look for at the first picture. Raises ImportError."""
    from PIL import Image

    Image.init()


def read_pictures(files: ModelFiles, shape: tuple[int, int, int]) -> Images:
    """Every picture among the files. Labels are the names of the folders, where all pictures stand in folders."""
    taken = list(files)
    taken = [taken[place] for place in spread(len(taken), int(np.prod(shape)))]
    pixels: list[Floats] = []
    folders: list[str] = []
    for name in taken:
        try:
            pixels.append(_picture(files, name, shape))
        except NoPicture:
            continue
        folders.append(name.rpartition("/")[0].rpartition("/")[2])
    if not pixels:
        raise NotProbed(f"samples: no file can be read as a picture ({', '.join(FORMATS)} are)")
    labels = class_numbers(folders) if all(folders) and len(set(folders)) > 1 else None
    return Images(np.stack(pixels), labels, None, len(taken) - len(pixels))


def _picture(files: ModelFiles, name: str, shape: tuple[int, int, int]) -> Floats:
    from PIL import Image

    try:
        data = files.read(name, MAX_FILE)
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if not 0 < image.width * image.height <= MAX_PIXELS:
                raise NoPicture(f"{image.width:,} × {image.height:,} pixels")
            return _scaled(image, shape)
    except NoPicture:
        raise
    except Exception as error:  # Pillow's readers raise all kinds of errors on broken bytes
        raise NoPicture(type(error).__name__) from error


def _scaled(image: "Image", shape: tuple[int, int, int]) -> Floats:
    channels, height, width = shape
    if image.mode.startswith("I;16"):
        grey = np.asarray(image, dtype=np.float32)[None] / np.float32(65535)
        return fit(grey, shape)
    if image.mode in ("I", "F"):
        raise NoPicture("its pixels have no known range")
    if image.mode == "P" or "A" in image.mode:
        image = image.convert("RGBA")
    image = image.convert(_MODES[channels])
    if image.size != (width, height):
        box = centre(image.width, image.height, width, height)
        image = image.crop(box).resize((width, height), _bilinear())
    pixels = np.asarray(image, dtype=np.float32).reshape(height, width, channels) / 255
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def fit(picture: Floats, shape: tuple[int, int, int]) -> Floats:
    """A picture C × H × W of floats, fitted to `shape`; raises `NotProbed` for channels that do not fit."""
    channels, height, width = shape
    if len(picture) == 4 and channels != 4:
        picture = picture[:3]
    if len(picture) != channels:
        if (len(picture), channels) == (3, 1):
            picture = np.tensordot(_LUMA, picture, 1)[None]
        elif len(picture) == 1:
            picture = np.repeat(picture, channels, axis=0)
        else:
            raise NotProbed(f"samples: pictures of {len(picture)} channels do not fit a model that takes {channels}")
    if picture.shape[1:] == (height, width):
        return picture.astype(np.float32)
    from PIL import Image

    box = centre(picture.shape[2], picture.shape[1], width, height)
    cut = [Image.fromarray(plane.astype(np.float32)).crop(box) for plane in picture]
    planes = [plane.resize((width, height), _bilinear()) for plane in cut]
    return np.stack([np.asarray(plane, dtype=np.float32) for plane in planes])


def centre(width: int, height: int, to_width: int, to_height: int) -> tuple[int, int, int, int]:
    """The largest centred part with the proportions of the target, in whole pixels: left, top, right, bottom."""
    scale = min(width / to_width, height / to_height)
    part = max(1, round(to_width * scale)), max(1, round(to_height * scale))
    left, top = (width - part[0]) // 2, (height - part[1]) // 2
    return left, top, left + part[0], top + part[1]


def _bilinear() -> Any:
    from PIL import Image

    return Image.Resampling.BILINEAR
