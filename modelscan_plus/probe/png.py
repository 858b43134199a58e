"""The smallest PNG: written in the child from pixels, checked in the parent before it goes into a report.

Layout (W3C PNG, third edition): 8 bytes of signature, then chunks of length (4, big-endian), type (4), data and CRC-32
(4). Ours are one IHDR, one IDAT and one IEND, 8 bits deep, grey or RGB, not interlaced.
"""

import base64
import binascii
import struct
import zlib

MAX_SIDE = 512
"""Pixels."""
MAX_BYTES = 1 << 20
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_COLOUR = {1: 0, 3: 2}


def encode(pixels: bytes, width: int, height: int, channels: int) -> str:
    """Base64 of a PNG of `height` rows of `width` pixels with `channels` (1 or 3) bytes each."""
    row = width * channels
    if (
        channels not in _COLOUR
        or len(pixels) != row * height
        or not 0 < width <= MAX_SIDE
        or not 0 < height <= MAX_SIDE
    ):
        raise ValueError("the picture does not have the size that it should")
    lines = b"".join(b"\0" + pixels[start : start + row] for start in range(0, row * height, row))
    header = _HEADER.pack(width, height, 8, _COLOUR[channels], 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")
    return base64.b64encode(_SIGNATURE + chunks).decode("ascii")


def is_ours(text: str) -> bool:
    """Whether `text` is what `encode` could have made, down to the number of pixels behind the compression."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    body = data[len(_SIGNATURE) :]
    if len(data) > MAX_BYTES or not data.startswith(_SIGNATURE) or len(body) < 25 + 12 + 12:
        return False
    width, height, depth, colour, *rest = _HEADER.unpack_from(body, 8)
    channels = {0: 1, 2: 3}.get(colour, 0)
    if depth != 8 or not channels or any(rest) or not 0 < width <= MAX_SIDE or not 0 < height <= MAX_SIDE:
        return False
    packed = body[33:-16]
    whole = _chunk(b"IHDR", body[8:21]) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    if body != whole:
        return False
    expected = (width * channels + 1) * height
    engine = zlib.decompressobj()
    try:
        lines = engine.decompress(packed, expected + 1)
    except zlib.error:
        return False
    return engine.eof and not engine.unused_data and len(lines) == expected


def size(text: str) -> tuple[int, int]:
    """Width and height of one of ours."""
    width, height, *_ = _HEADER.unpack_from(base64.b64decode(text[:64]), 16)
    return width, height


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
