"""PDF documents: actions are found wherever they stand, and no bytes are too hostile."""

import base64
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.make.pdf import LAUNCH, object_stream, pdf, stream
from modelscan_plus.core.coverage import CoverageState
from tests.samples import inspect, rules

_IN_STREAM = b"9 0 " + LAUNCH
_PACKED = zlib.compress(_IN_STREAM)


@pytest.mark.parametrize(
    "document",
    [
        pdf(LAUNCH),
        pdf(LAUNCH.replace(b"/Launch", b"/#4c#61unch")),
        pdf(LAUNCH.replace(b"/S /Launch", b"/S% comment\n/Launch")),
        pdf(b"/Launch", b"<< /S 4 0 R /F (calc.exe) >>"),
        pdf(object_stream(9, LAUNCH)),
        pdf(b"<< /Type 7 0 R /Filter 8 0 R >>\nstream\r\n" + _PACKED + b"\r\nendstream"),
        pdf(b"<< /Filter [/ASCIIHexDecode /FlateDecode] >>\nstream\n" + _PACKED.hex().encode() + b">\nendstream"),
        pdf(b"<< /Filter [/A85 /Fl] >>\nstream\n" + base64.a85encode(_PACKED) + b"~>\nendstream"),
        b"\n" * 900 + pdf(LAUNCH),
        pdf(b"<< /S /GoToR /F (\\\\\\\\203.0.113.9\\\\share\\\\x.pdf) >>"),
        pdf(b"<< /S /GoToE /F <5C5C3230332e302e3131332e39> >>"),
    ],
)
def test_actions_are_found_wherever_they_stand(document: bytes) -> None:
    assert "MSP5080" in rules(document, "paper.pdf")
    assert "MSP5080" in rules(document, "paper.bin")


@pytest.mark.parametrize(
    "document",
    [
        pdf(stream(LAUNCH)),
        pdf(b"<< /S /LaunchPad /F (x) >>"),
        pdf(b"<< /S /GoToR /F (chapter2.pdf) >>"),
        pdf(b"<< /S /GoTo /D (section\\\\1) >>"),
    ],
)
def test_pages_and_links_are_no_actions(document: bytes) -> None:
    result = inspect(document, "paper.pdf")
    assert not result.findings
    assert result.coverage.state is CoverageState.ANALYSED
    assert result.formats == ("pdf",)


def test_objects_that_cannot_be_read_are_stated() -> None:
    hidden = b"<< /Type /ObjStm /N 1 /First 4 /Filter /LZWDecode >>\nstream\n\x80\x0b\x60\nendstream"
    assert inspect(pdf(hidden), "paper.pdf").coverage.reasons[0].code == "compressed"
    locked = b"<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode >>\nstream\nabc\nendstream"
    assert inspect(pdf(locked, catalog=b"/Encrypt 5 0 R"), "paper.pdf").coverage.reasons[0].code == "encrypted"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 700))
def test_no_bytes_are_too_hostile(noise: bytes, place: int) -> None:
    document = pdf(object_stream(9, LAUNCH), LAUNCH)
    inspect(document[:place] + noise + document[place + len(noise) :], "paper.pdf")
