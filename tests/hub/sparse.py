"""Files of gigabytes, laid out as their writers lay them out, with zeros for the numbers."""

import json
import struct
import zlib

from fixtures.make.assemble import PROTO4, call, name, text
from tests.hub.server import Content

PAYLOAD = call(name("posix", "system"), text("id"))


def torch_zip(tensors: int, size: int, pkl: bytes, *, lie: bool = False) -> Content:
    """A checkpoint as PyTorch 2 writes it: stored, data at multiples of 64, ZIP64 descriptors.

    `lie` puts another member between two storages, that only its local header knows.
    """
    pieces: dict[int, bytes] = {}
    central = bytearray()
    at = 0
    storage = size // tensors
    members: list[tuple[str, bytes | int]] = [("model/data.pkl", pkl), ("model/byteorder", b"little")]
    members += [(f"model/data/{number}", storage) for number in range(tensors)]
    members += [("model/version", b"3\n"), ("model/.data/serialization_id", b"0" * 40)]
    for number, (member, data) in enumerate(members):
        if lie and number == 5:
            at = _hidden(pieces, at)
        at = _member(pieces, central, at, member, data)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(members), len(members), len(central), at, 0)
    pieces[at] = bytes(central) + end
    return Content(pieces)


def _member(pieces: dict[int, bytes], central: bytearray, at: int, member: str, data: bytes | int) -> int:
    length = data if isinstance(data, int) else len(data)
    crc = 0 if isinstance(data, int) else zlib.crc32(data)
    encoded = member.encode()
    pad = -(at + 30 + len(encoded) + 4) % 64
    extra = b"FB" + struct.pack("<H", pad) + b"Z" * pad
    pieces[at] = (
        struct.pack("<4s5H3L2H", b"PK\3\4", 0, 0x808, 0, 0, 0, 0, 0, 0, len(encoded), len(extra)) + encoded + extra
    )
    data_at = at + len(pieces[at])
    if isinstance(data, bytes):
        pieces[data_at] = data
    pieces[data_at + length] = b"PK\7\x08" + struct.pack("<LLL", crc, length, length)
    central += struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 0, 0, 0x808, 0, 0, 0, crc, length, length, len(encoded), 0, 0, 0, 0, 0, at
    )
    central += encoded
    return data_at + length + 16


def _hidden(pieces: dict[int, bytes], at: int) -> int:
    data = PROTO4 + PAYLOAD + b"."
    header = struct.pack("<4s5H3L2H", b"PK\3\4", 0, 0, 0, 0, 0, zlib.crc32(data), len(data), len(data), 10, 0)
    pieces[at] = header + b"hidden.pkl" + data
    return at + len(pieces[at])


def state(tensors: int, payload: bytes = b"") -> bytes:
    """A data.pkl of many tensors, as long as a real one; what it holds need not be loadable."""
    body = b"".join(
        text(f"model.layers.{number}.self_attn.q_proj.weight")
        + text("storage_____________________________________________")
        + text(f"{number}")
        + b"\x86"
        for number in range(tensors)
    )
    return PROTO4 + b"(" + body + payload + b"t."


def safetensors(size: int, tensors: int = 75) -> Content:
    """One shard."""
    each = size // tensors // 4 * 4
    header = json.dumps(
        {
            f"model.layers.{number}.mlp.down_proj.weight": {
                "dtype": "F32",
                "shape": [each // 4],
                "data_offsets": [number * each, (number + 1) * each],
            }
            for number in range(tensors)
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    return Content({0: struct.pack("<Q", len(header)) + header}, 8 + len(header) + each * tensors)


def blobs(count: int, each: int, payload: bytes = PAYLOAD) -> Content:
    """A protocol 4 pickle of `count` bytes objects of `each` zeros, and a call behind them."""
    pieces = {0: PROTO4 + b"("}
    at = 3
    for _ in range(count):
        pieces[at] = b"B" + struct.pack("<I", each)
        at += 5 + each
    pieces[at] = payload + b"t."
    return Content(pieces)


def joblib(count: int, each: int, payload: bytes = PAYLOAD) -> Content:
    """joblib's raw float32 arrays between the opcodes."""
    wrapper = name("joblib.numpy_pickle", "NumpyArrayWrapper")
    dtype = call(name("numpy", "dtype"), text("f4"), b"\x89", b"\x88")
    fields = text("shape") + b"J" + struct.pack("<i", each // 4) + b"\x85" + text("dtype") + dtype
    pieces: dict[int, bytes] = {0: PROTO4 + b"("}
    at = 3
    for _ in range(count):
        pieces[at] = wrapper + b")\x81}(" + fields + b"ub"
        at += len(pieces[at]) + each
    pieces[at] = payload + b"t."
    return Content(pieces)


def legacy(size: int, payload: bytes = PAYLOAD) -> Content:
    """A checkpoint of torch before 1.6 with one storage."""
    magic = b"\x80\x02\x8a\n" + 0x1950A86A20F9469CFC6C.to_bytes(10, "little") + b"."
    key = text("0")
    storage = b"(" + text("storage") + name("torch", "FloatStorage") + key + text("cpu")
    storage += b"J" + struct.pack("<i", size // 4) + b"N" + b"tQ"
    head = (
        magic + b"\x80\x02M\xe9\x03." + b"\x80\x02}." + PROTO4 + b"(" + storage + payload + b"t." + PROTO4 + b"(" + key
    )
    head += b"l."
    return Content({0: head + struct.pack("<Q", size // 4)}, len(head) + 8 + size // 4 * 4)


def gguf(size: int, vocabulary: int = 128_000, merges: int = 280_000) -> Content:
    """A GGUF version 3 file with a tokenizer as large as that of a current model, and one tensor."""

    def text_of(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    def texts(values: list[bytes]) -> bytes:
        return struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text_of, values))

    pairs = [
        text_of(b"general.architecture") + struct.pack("<I", 8) + text_of(b"llama"),
        text_of(b"general.alignment") + struct.pack("<II", 4, 32),
        text_of(b"tokenizer.ggml.model") + struct.pack("<I", 8) + text_of(b"gpt2"),
        text_of(b"tokenizer.ggml.tokens") + texts([b"tok%06d" % number for number in range(vocabulary)]),
        text_of(b"tokenizer.ggml.merges")
        + texts([b"me%05d ges%04d" % (number % 99_999, number % 9_999) for number in range(merges)]),
    ]
    elements = (size - 12_000_000) // 4 // 32 * 32
    tensor = text_of(b"token_embd.weight") + struct.pack("<IQIQ", 1, elements, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs) + tensor
    head += bytes(-len(head) % 32)
    return Content({0: head}, len(head) + 4 * elements)
