"""Pickles where no format accounts for the bytes, and inside texts and states that get unpickled."""

import base64
import os

import pytest

from fixtures.make import assemble as asm
from tests.samples import above_info, inspect, rules

HOSTILE = asm.pickle(asm.call(asm.name("posix", "system"), asm.text("true")))
HONEST = asm.pickle(asm.call(asm.name("collections", "OrderedDict")))
TEXT = b"(lp0\nI1\na."
GIF = b"GIF89a" + bytes(500)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (HONEST + b"\xff" * 70_000 + HOSTILE, "model.pkl"),
        (HONEST + b"\xff" * 70 + b"cposix\nsystem\n(Vtrue\ntR.", "model.pkl"),
        (len(HOSTILE).to_bytes(4, "big") + HOSTILE, "queue.dat"),
        (b"\n" + HOSTILE, "model.pkl"),
        (GIF + HOSTILE, "picture.gif"),
        (TEXT + b"cposix\nsystem\n(Vtrue\ntR.", "table.csv"),
        (b"\xff" * (17 << 20) + HOSTILE, "blob.bin"),
    ],
)
def test_a_pickle_in_unaccounted_bytes_is_judged(data: bytes, name: str) -> None:
    assert "MSP1001" in rules(data, name)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (os.urandom(1 << 20), "noise.bin"),
        (GIF, "picture.gif"),
        (b"category\ncolour\ncos\nsin\n(c) somebody\n" * 200, "vocab.txt"),
        (b"\xff" + HONEST[:-6], "cut.bin"),
    ],
)
def test_noise_and_text_stay_silent(data: bytes, name: str) -> None:
    assert not [finding for finding in above_info(inspect(data, name)) if finding.rule.startswith("MSP1")]


def test_a_flood_of_beginnings_is_a_stated_gap() -> None:
    data = b"\xff" + b"\x80\x04N.abcd" * 5000 + HOSTILE
    assert "budget-search" in [reason.code for reason in inspect(data, "x.bin").coverage.reasons]


STATE = asm.mapping(a=asm.raw(b"I1\n0" + HOSTILE[2:]))


@pytest.mark.parametrize(
    "body",
    [
        asm.call(asm.name("torch.storage", "_load_from_bytes"), asm.raw(b"I1\n0" + HOSTILE[2:])),
        asm.rebuild(asm.name("skorch.net", "NeuralNet")) + STATE + asm.BUILD,
        asm.call(asm.name("spacy.vocab", "unpickle_vocab"), b"]", asm.raw(HOSTILE)),
        asm.call(asm.name("_codecs", "encode"), asm.text("cposix\nsystem\n(Vtrue\ntR."), asm.text("latin1")),
        asm.mapping(weights=asm.text(base64.b64encode(HOSTILE).decode())),
        asm.mapping(weights=asm.text(base64.urlsafe_b64encode(HOSTILE * 40).decode().rstrip("="))),
        asm.mapping(weights=asm.text(HOSTILE.hex())),
        b"V" + HOSTILE.hex().encode() + b"\n",
    ],
)
def test_bytes_that_get_unpickled_are_judged(body: bytes) -> None:
    assert "MSP1001" in rules(asm.pickle(body))


@pytest.mark.parametrize(
    "text", [base64.b64encode(HONEST).decode(), HONEST.hex(), "gAQAAAAAAAAAAAAA", "8004" + "0" * 60, "80%"]
)
def test_texts_that_decode_to_nothing_that_acts_are_silent(text: str) -> None:
    assert not above_info(inspect(asm.pickle(asm.mapping(a=asm.text(text)))))
