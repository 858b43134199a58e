"""Pictures and arrays as samples of a model that takes images, honest and hostile."""

import struct
import zlib

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")

from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.samples import read_images, values
from tests.probe.samples.made import files, npy, npz, picture

RNG = np.random.default_rng(3)
COLOUR = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (8, 8), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "WEBP"])
def test_a_picture_of_the_right_size_is_its_pixels(kind: str) -> None:
    found = read_images(files(**{"a.bin": picture(COLOUR, kind)}), (3, 8, 8))
    np.testing.assert_allclose(found.pixels[0], COLOUR.transpose(2, 0, 1) / 255, atol=1e-6)
    assert (found.pixels.dtype, found.labels, found.box, found.left_out) == (np.float32, None, None, 0)


def test_a_jpeg_is_close() -> None:
    smooth = np.broadcast_to(np.arange(0, 256, 16, dtype=np.uint8)[None, :, None], (16, 16, 3))
    found = read_images(files(**{"a.jpg": picture(smooth, "JPEG")}), (3, 16, 16))
    assert np.abs(found.pixels[0] - smooth.transpose(2, 0, 1) / 255).max() < 0.1


def test_classes_are_the_folders_by_number_or_by_place() -> None:
    one, two = picture(GREY), picture(255 - GREY)
    assert read_images(files(**{"dog/1.png": one, "cat/1.png": two}), (1, 8, 8)).labels.tolist() == [0, 1]
    assert read_images(files(**{"00007/1.png": one, "00012/1.png": two}), (1, 8, 8)).labels.tolist() == [7, 12]
    assert read_images(files(**{"dog/1.png": one, "loose.png": two}), (1, 8, 8)).labels is None
    assert read_images(files(**{"all/1.png": one, "all/2.png": two}), (1, 8, 8)).labels is None, (
        "one folder is no class"
    )


def test_the_middle_of_a_wide_picture_is_taken_and_scaled() -> None:
    wide = np.zeros((8, 24), dtype=np.uint8)
    wide[:, 8:16] = 200
    found = read_images(files(**{"a.png": picture(wide)}), (1, 4, 4))
    np.testing.assert_allclose(found.pixels, 200 / 255, atol=0.01)


def test_channels_are_fitted() -> None:
    grey = read_images(files(**{"a.png": picture(GREY)}), (3, 8, 8)).pixels[0]
    assert (grey[0] == grey[1]).all()
    assert (grey[0] == grey[2]).all()
    luma = COLOUR.astype(float) @ [0.299, 0.587, 0.114] / 255
    for made in (files(**{"a.png": picture(COLOUR)}), files(**{"a.npy": npy(COLOUR[None])})):
        np.testing.assert_allclose(read_images(made, (1, 8, 8)).pixels[0, 0], luma, atol=0.005)
    clear = read_images(files(**{"a.png": picture(COLOUR, mode="RGBA")}), (3, 8, 8)).pixels[0]
    np.testing.assert_allclose(clear, COLOUR.transpose(2, 0, 1) / 255, atol=1e-6)
    with pytest.raises(NotProbed, match="1, 3 or 4 channels, not 2"):
        read_images(files(**{"a.png": picture(COLOUR)}), (2, 8, 8))


def test_sixteen_bits_keep_their_range() -> None:
    deep = np.full((8, 8), 32768, dtype=np.uint16)
    np.testing.assert_allclose(read_images(files(**{"a.png": picture(deep)}), (1, 8, 8)).pixels, 0.5, atol=0.001)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_arrays_of_both_layouts_are_one(layout: str, packed: bool) -> None:
    x = RNG.random((5, 3, 8, 8), dtype=np.float32)
    saved = x if layout == "NCHW" else x.transpose(0, 2, 3, 1).copy()
    data = npz(packed=packed, x=saved, y=np.arange(5))
    found = read_images(files(**{"s.npz": data}), (3, 8, 8))
    np.testing.assert_array_equal(found.pixels, x)
    assert found.labels.tolist() == [0, 1, 2, 3, 4]
    assert [side.tolist() for side in found.box] == [[0, 0, 0], [1, 1, 1]]


def test_the_range_of_an_array_is_the_models() -> None:
    x = RNG.random((5, 3, 8, 8), dtype=np.float32)
    mean, deviation = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.25, 0.3])
    normal = ((x - mean[:, None, None]) / deviation[:, None, None]).astype(np.float32)
    found = read_images(files(**{"s.npy": npy(normal)}), (3, 8, 8))
    low, high = (side[:, None, None] for side in found.box)
    np.testing.assert_allclose(low + found.pixels * (high - low), normal, atol=1e-5)
    assert (found.pixels.min(), found.pixels.max()) == (0, 1)
    wide = read_images(files(**{"s.npy": npy((x * 254.9).round())}), (3, 8, 8))
    assert [side.tolist() for side in wide.box] == [[0] * 3, [255] * 3]
    assert read_images(files(**{"s.npy": npy((x * 255).astype(np.uint8))}), (3, 8, 8)).box is None


def test_flat_and_small_arrays_are_fitted() -> None:
    flat = RNG.random((4, 64))
    np.testing.assert_allclose(
        read_images(files(**{"s.npy": npy(flat)}), (1, 8, 8)).pixels, flat.reshape(4, 1, 8, 8), atol=1e-6
    )
    plain = np.full((2, 1, 16, 16), 0.25, dtype=np.float32)
    np.testing.assert_allclose(
        read_images(files(**{"s.npy": npy(plain)}), (3, 8, 8)).pixels, np.full((2, 3, 8, 8), 0.25)
    )
    with pytest.raises(NotProbed, match=r"arrays of 63 do not fit a model that takes 1 × 8 × 8"):
        read_images(files(**{"s.npy": npy(flat[:, :63])}), (1, 8, 8))


def test_of_many_samples_evenly_spread_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "SAMPLES", 4)
    x = np.repeat(np.arange(10, dtype=np.float32)[:, None], 64, axis=1) / 10
    for packed in (False, True):
        found = read_images(files(**{"s.npz": npz(packed=packed, x=x, y=np.arange(10))}), (1, 8, 8))
        assert found.labels.tolist() == [0, 2, 5, 7]
        np.testing.assert_allclose(found.pixels[:, 0, 0, 0], [0, 0.2, 0.5, 0.7])
    named = {f"{place}/a.png": picture(GREY) for place in range(10)}
    assert read_images(files(**named), (1, 8, 8)).labels.tolist() == [0, 2, 5, 7]


def test_files_that_are_no_pictures_are_left_out_and_counted() -> None:
    named = {
        "a.png": picture(GREY),
        "b.png": picture(GREY)[:60],
        "c.txt": b"hello",
        "d.png": b"",
        "e.gif": b"GIF89a" + b"\0" * 9,
    }
    found = read_images(files(**named), (1, 8, 8))
    assert (len(found.pixels), found.left_out) == (1, 4)
    del named["a.png"]
    with pytest.raises(NotProbed, match="no file can be read as a picture"):
        read_images(files(**named), (1, 8, 8))


def _png(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_picture_of_too_many_pixels_is_not_unpacked() -> None:
    honest = _png(8, 8, zlib.compress((b"\0" + b"\x40" * 24) * 8))
    assert read_images(files(**{"a.png": honest}), (3, 8, 8)).left_out == 0
    for width, height in [(6400, 6400), (30_000, 30_000), (2**31 - 1, 2**31 - 1)]:
        bomb = _png(width, height, zlib.compress(b"\0" * 1_000_000))
        with pytest.raises(NotProbed, match="no file can be read"):
            read_images(files(**{"a.png": bomb}), (3, 8, 8))


def _header(shape: str, descr: str = "'<f4'", fortran: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (npy(np.array([[{}, 1]], dtype=object)), "Python objects"),
        (_header("(1099511627776, 1, 8, 8)"), "ends before its last sample"),
        (_header("(1, 1, 1048576, 1048576)"), "ends before its last sample"),
        (_header("(1, " + "9999999999, " * 3 + ")"), "ends before its last sample"),
        (_header("(0, 1, 8, 8)"), "has the shape"),
        (_header("(64,)"), "has the shape"),
        (_header("(2, 64)", fortran="True"), "Fortran"),
        (_header("(2, 64)", descr="[('a', '<f4')]"), "plain numbers"),
        (_header("(2, 64)", descr="'<c8'"), "plain numbers"),
        (_header("(2, 64)", descr="'<f16'"), "plain numbers"),
        (_header("__import__('os')"), "broken header"),
        (b"\x93NUMPY\1\0\xff\xff", "not a numpy array"),
        (b"", "not a numpy array"),
        (b"PK\3\4" + b"\0" * 40, "not an archive of numpy arrays"),
        (npz(a=np.zeros((2, 64)), b=np.zeros((2, 64))), "no array of .* is called x"),
        (npz(x=np.zeros((2, 64)), y=np.zeros(3)), "one label for each sample"),
        (npz(x=np.zeros((2, 64)), y=np.array([0.5, 1])), "not class numbers"),
        (npz(x=np.zeros((2, 64)), y=np.array([{}, 1])), "Python objects"),
        (npy(np.full((2, 64), np.nan)), "not finite"),
        (npy(np.full((2, 64), 1e300)), "not finite"),
        (npy(np.full((2, 64), "a")), "holds text"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:overflow")
def test_hostile_arrays_have_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(NotProbed, match=reason):
        read_images(files(**{"s.npy": data}), (1, 8, 8))


def test_names_as_labels_become_places() -> None:
    data = npz(images=np.zeros((3, 64)), labels=np.array(["dog", "cat", "dog"]))
    assert read_images(files(**{"s.npz": data}), (1, 8, 8)).labels.tolist() == [1, 0, 1]
