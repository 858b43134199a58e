import base64
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan_plus.probe.png import MAX_SIDE, encode, is_ours


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_comes_back_as_it_was(channels: int) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = bytes(range(5 * 4 * channels))
    text = encode(pixels, 5, 4, channels)
    assert is_ours(text)
    assert image.open(io.BytesIO(base64.b64decode(text))).tobytes() == pixels


def test_the_wrong_number_of_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        encode(b"abc", 2, 2, 1)
    with pytest.raises(ValueError, match="size"):
        encode(b"a" * (MAX_SIDE + 1), MAX_SIDE + 1, 1, 1)


@pytest.mark.parametrize("text", ["", "javascript:alert(1)", "AAAA", "data:image/png;base64,AAAA", '"><script>'])
def test_other_text_is_no_picture(text: str) -> None:
    assert not is_ours(text)


@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    raw = bytearray(base64.b64decode(encode(b"\x01\x02\x03\x04", 2, 2, 1)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    assert not is_ours(base64.b64encode(raw).decode())
    assert not is_ours(base64.b64encode(bytes(raw) + b"tail").decode())
